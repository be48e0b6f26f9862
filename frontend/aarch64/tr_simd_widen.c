/* tr_simd_widen.c - Advanced SIMD whose result lanes are twice or half as wide as an operand's (DDI 0487 C7.2).
 *
 * size is the narrow element, e; the wide one is e + 1.  Widening forms read the low half of the narrow operands, or
 * with Q = 1 (the 2 in the mnemonic) the high half, and fill the whole destination.  Narrowing forms: see
 * simd_set_narrow.  Scalar forms clear the other lanes of their operands, and so get a clear result.
 */
#include "tr.h"

static IrElem narrow_elem(const A64 *a)
{
    return (IrElem)a->size;
}

static IrElem wide_elem(const A64 *a)
{
    return (IrElem)(a->size + 1);
}

/* Which half of the narrow operands. */
static int half(const A64 *a)
{
    return a->Q && !a->scalar;
}

static IrRef widen(Tr *t, const A64 *a, int k, IrRef v)
{
    return ir_v_widen(t->b, narrow_elem(a), k & VU ? VS_UNSIGNED : 0, half(a), v);
}

static int add_or_sub(int k)
{
    return k & VSUB ? OP_v_sub : OP_v_add;
}

/* SADDL, UADDL, SSUBL, USUBL */
void tr_v_addl(Tr *t, const A64 *a, int k)
{
    IrRef n = widen(t, a, k, tr_v(t, a->rn)), m = widen(t, a, k, tr_v(t, a->rm));
    tr_set_v(t, a->rd, simd_op(t, add_or_sub(k), wide_elem(a), n, m));
}

/* SADDW, UADDW, SSUBW, USUBW */
void tr_v_addw(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn), m = widen(t, a, k, tr_v(t, a->rm));
    tr_set_v(t, a->rd, simd_op(t, add_or_sub(k), wide_elem(a), n, m));
}

/* The absolute difference of two narrow lanes always fits a narrow unsigned lane. */
static IrRef abd_long(Tr *t, const A64 *a, int k)
{
    return widen(t, a, VU, simd_op(t, OP_v_abd | (k & VU), narrow_elem(a), tr_v(t, a->rn), tr_v(t, a->rm)));
}

/* SABDL, UABDL */
void tr_v_abdl(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, abd_long(t, a, k));
}

/* SABAL, UABAL */
void tr_v_abal(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, ir_v_add(t->b, wide_elem(a), tr_v(t, a->rd), abd_long(t, a, k)));
}

static IrRef mull(Tr *t, const A64 *a, int k)
{
    return ir_v_mull(t->b, narrow_elem(a), k & VU ? VS_UNSIGNED : 0, half(a), tr_v(t, a->rn), simd_m(t, a));
}

/* SMULL, UMULL */
void tr_v_mull(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, mull(t, a, k));
}

/* SMLAL, UMLAL, SMLSL, UMLSL */
void tr_v_mlal(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, simd_op(t, add_or_sub(k), wide_elem(a), tr_v(t, a->rd), mull(t, a, k)));
}

/* One cleared factor is enough: 0 * x does not saturate. */
static IrRef qdmull(Tr *t, const A64 *a)
{
    IrRef n = tr_v(t, a->rn);
    n = a->scalar ? ir_v_low(t->b, narrow_elem(a), n) : n;
    return ir_v_qdmull(t->b, narrow_elem(a), 0, half(a), n, simd_m(t, a));
}

/* SQDMULL */
void tr_v_qdmull(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_v(t, a->rd, qdmull(t, a));
}

/* SQDMLAL, SQDMLSL: product and sum saturate separately */
void tr_v_qdmlal(Tr *t, const A64 *a, int k)
{
    IrRef d = tr_v(t, a->rd);
    d = a->scalar ? simd_mask(t, a, wide_elem(a), d) : d;
    tr_set_v(t, a->rd, simd_op(t, k & VSUB ? OP_v_qsub : OP_v_qadd, wide_elem(a), d, qdmull(t, a)));
}

/* PMULL */
void tr_v_pmull(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_v(t, a->rd, ir_v_pmull(t->b, narrow_elem(a), 0, half(a), tr_v(t, a->rn), tr_v(t, a->rm)));
}

/* ADDHN, RADDHN, SUBHN, RSUBHN: the high half of the (rounded) sum */
void tr_v_addhn(Tr *t, const A64 *a, int k)
{
    const IrElem w = wide_elem(a);
    const int bits = 8 << a->size;
    IrRef r = simd_op(t, add_or_sub(k), w, tr_v(t, a->rn), tr_v(t, a->rm));
    if (k & VR) {
        r = ir_v_add(t->b, w, r, simd_splat(t, w, (uint64_t)1 << (bits - 1)));
    }
    simd_set_narrow(t, a, ir_v_narrow(t->b, w, ir_v_lshr_i(t->b, w, r, bits)));
}

/* XTN */
void tr_v_xtn(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    simd_set_narrow(t, a, ir_v_narrow(t->b, wide_elem(a), tr_v(t, a->rn)));
}

/* SQXTN, UQXTN, SQXTUN: k = NARROW_* */
void tr_v_qxtn(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn);
    n = a->scalar ? simd_mask(t, a, wide_elem(a), n) : n;
    simd_set_narrow(t, a, ir_v_narrow_sat(t->b, wide_elem(a), (unsigned)k, 0, n));
}

/* SHLL: by the width of the narrow lane */
void tr_v_shll(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_v(t, a->rd, ir_v_shl_i(t->b, wide_elem(a), widen(t, a, VU, tr_v(t, a->rn)), 8 << a->size));
}
