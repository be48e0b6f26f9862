/* tr_simd_arith.c - Advanced SIMD, lanes in place: sums, products, comparisons, logic (DDI 0487 C7.2).
 *
 * The words are those of tr_simd.h.  One function serves the vector, by-element and scalar rows of a mnemonic: the
 * derived fields say which.  QC ops take masked operands, because a lane that does not count must not saturate.
 */
#include "tr.h"

/* d = op(n, m) */
void tr_v3(Tr *t, const A64 *a, int k)
{
    simd_set(t, a, (IrElem)a->size, simd_op(t, k, (IrElem)a->size, tr_v(t, a->rn), simd_m(t, a)));
}

/* d = op(n, m), saturating: of two operands with cleared lanes the result is clear there too */
void tr_v3q(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    tr_set_v(t, a->rd, simd_op(t, k, e, simd_in(t, a, e, a->rn), simd_mask(t, a, e, simd_m(t, a))));
}

/* d += op(n, m) */
void tr_v3_acc(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    simd_set(t, a, e, ir_v_add(t->b, e, tr_v(t, a->rd), simd_op(t, k, e, tr_v(t, a->rn), tr_v(t, a->rm))));
}

/* d = op(n) */
void tr_v2(Tr *t, const A64 *a, int k)
{
    simd_set(t, a, (IrElem)a->size, simd_op(t, k, (IrElem)a->size, tr_v(t, a->rn), 0));
}

/* d = op(n), saturating */
void tr_v2q(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, simd_op(t, k, (IrElem)a->size, simd_in(t, a, (IrElem)a->size, a->rn), 0));
}

/* SUQADD, USQADD: d saturating += n of the other sign */
void tr_v_suqadd(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    tr_set_v(t, a->rd, simd_op(t, OP_v_suqadd | k, e, simd_in(t, a, e, a->rd), simd_in(t, a, e, a->rn)));
}

/* MLA, MLS */
void tr_v_mla(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    IrRef p = ir_v_mul(t->b, e, tr_v(t, a->rn), simd_m(t, a));
    simd_set(t, a, e, simd_op(t, k & VSUB ? OP_v_sub : OP_v_add, e, tr_v(t, a->rd), p));
}

/* SQRDMLAH, SQRDMLSH */
void tr_v_qrdmlah(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    simd_set(t, a, e, ir_v_qrdmlah(t->b, e, simd_in(t, a, e, a->rn), simd_m(t, a), tr_v(t, a->rd), k & VSUB ? 1 : 0));
}

/* SDOT, UDOT, USDOT, SUDOT: k = DOT_* */
void tr_v_dot(Tr *t, const A64 *a, int k)
{
    simd_set(t, a, E_S, ir_v_dot(t->b, E_S, tr_v(t, a->rn), simd_m(t, a), tr_v(t, a->rd), k));
}

/* SMMLA, UMMLA, USMMLA: k = DOT_*. Each lane of the 2x2 result is a dot product of eight bytes, made in two halves. */
void tr_v_mmla(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    IrRef half = ir_v_dot(t->b, E_S, ir_v_trn1(t->b, E_S, n, n), ir_v_uzp1(t->b, E_S, m, m), tr_v(t, a->rd), k);
    tr_set_v(t, a->rd, ir_v_dot(t->b, E_S, ir_v_trn2(t->b, E_S, n, n), ir_v_uzp2(t->b, E_S, m, m), half, k));
}

/* -- comparisons: k = CMP_* ------------------------------------------------------------------------------ */

void tr_v_cmp(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    simd_set(t, a, e, ir_v_cmp(t->b, e, (unsigned)k, 0, tr_v(t, a->rn), tr_v(t, a->rm)));
}

void tr_v_cmp0(Tr *t, const A64 *a, int k)
{
    const IrElem e = (IrElem)a->size;
    simd_set(t, a, e, ir_v_cmp(t->b, e, (unsigned)k, 0, tr_v(t, a->rn), simd_zero(t)));
}

void tr_v_cmtst(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = (IrElem)a->size;
    IrRef both = a->rn == a->rm ? tr_v(t, a->rn) : ir_v_and(t->b, tr_v(t, a->rn), tr_v(t, a->rm));
    simd_set(t, a, e, ir_v_cmp(t->b, e, CMP_NE, 0, both, simd_zero(t)));
}

/* -- logic ------------------------------------------------------------------------------------------------- */

/* AND, BIC, ORN, EOR: k = the op */
void tr_v_logic(Tr *t, const A64 *a, int k)
{
    if (k == OP_v_xor && a->rn == a->rm) {
        tr_set_v(t, a->rd, simd_zero(t));
        return;
    }
    tr_set_vq(t, a->rd, a->Q, simd_op(t, k, E_B, tr_v(t, a->rn), tr_v(t, a->rm)));
}

/* ORR, and MOV as its alias */
void tr_v_orr(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    IrRef n = tr_v(t, a->rn);
    tr_set_vq(t, a->rd, a->Q, a->rn == a->rm ? n : ir_v_or(t->b, n, tr_v(t, a->rm)));
}

void tr_v_not(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_vq(t, a->rd, a->Q, ir_v_not(t->b, tr_v(t, a->rn)));
}

/* d selects between n and m */
void tr_v_bsl(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_vq(t, a->rd, a->Q, ir_v_bsl(t->b, tr_v(t, a->rd), tr_v(t, a->rn), tr_v(t, a->rm)));
}

/* m selects the bits of d that n replaces */
void tr_v_bit(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_vq(t, a->rd, a->Q, ir_v_bsl(t->b, tr_v(t, a->rm), tr_v(t, a->rn), tr_v(t, a->rd)));
}

/* m selects the bits of d that stay */
void tr_v_bif(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_vq(t, a->rd, a->Q, ir_v_bsl(t->b, tr_v(t, a->rm), tr_v(t, a->rd), tr_v(t, a->rn)));
}
