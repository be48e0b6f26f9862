/* tr_simd_reduce.c - Advanced SIMD across lanes: neighbours in pairs, and all lanes to one (DDI 0487 C7.2).
 *
 * With Q = 0 the operands of a pairwise form are first put side by side, so that the 128-bit op sees
 * exactly the lanes that count.
 */
#include "tr.h"

/* The low halves of n and m in one register. */
static IrRef side_by_side(Tr *t, const A64 *a)
{
    return ir_v_zip1(t->b, E_D, tr_v(t, a->rn), tr_v(t, a->rm));
}

/* SMAXP, UMAXP, SMINP, UMINP: k = the op that joins neighbours */
void tr_v_pairwise(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    if (!a->Q) {
        n = m = side_by_side(t, a);
    }
    tr_set_vq(t, a->rd, a->Q, simd_op(t, k, e, ir_v_uzp1(t->b, e, n, m), ir_v_uzp2(t->b, e, n, m)));
}

/* ADDP */
void tr_v_addp(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    if (!a->Q) {
        n = m = side_by_side(t, a);
    }
    tr_set_vq(t, a->rd, a->Q, ir_v_addp(t->b, (IrElem)a->size, n, m));
}

/* ADDP (scalar) */
void tr_v_addp_scalar(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_v(t, a->rd, ir_v_addv(t->b, E_D, tr_v(t, a->rn)));
}

/* SADALP, UADALP */
void tr_v_adalp(Tr *t, const A64 *a, int k)
{
    IrRef sums = simd_op(t, OP_v_addlp | k, (IrElem)a->size, tr_v(t, a->rn), 0);
    tr_set_vq(t, a->rd, a->Q, ir_v_add(t->b, (IrElem)(a->size + 1), tr_v(t, a->rd), sums));
}

/* SADDLV, UADDLV: the sum of all lanes fits twice the width */
void tr_v_addlv(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    IrRef sums = simd_op(t, OP_v_addlp | k, e, simd_in(t, a, e, a->rn), 0);
    tr_set_v(t, a->rd, ir_v_addv(t->b, (IrElem)(e + 1), sums));
}

/* ADDV */
void tr_v_addv(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = (IrElem)a->size;
    tr_set_v(t, a->rd, ir_v_addv(t->b, e, simd_in(t, a, e, a->rn)));
}

/* SMAXV, UMAXV, SMINV, UMINV: k = the op; with Q = 0 the low half stands in for the high one */
void tr_v_maxv(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn);
    n = a->Q ? n : ir_v_dup_lane(t->b, E_D, n, 0);
    tr_set_v(t, a->rd, simd_op(t, k, (IrElem)a->size, n, 0));
}
