/* tr_simd_shift.c - Advanced SIMD shifts by an immediate (DDI 0487 C7.2, "shift by immediate").
 *
 * The element and the amount come from immh:immb (tr_simd.h).  Shifts by register are plain two-operand ops
 * (tr_simd_arith.c).
 */
#include "tr.h"

/* n >> amount, k: VU, VR */
static IrRef shift_right(Tr *t, int k, IrElem e, IrRef n, int amount)
{
    if (k & VR) {
        return ir_v_rshr_i(t->b, e, k & VU ? VS_UNSIGNED : 0, amount, n);
    }
    return k & VU ? ir_v_lshr_i(t->b, e, n, amount) : ir_v_ashr_i(t->b, e, n, amount);
}

/* [SU]SHR, [SU]RSHR, [SU]SRA, [SU]RSRA */
void tr_v_shr(Tr *t, const A64 *a, int k)
{
    const IrElem e = simd_immh_elem(a);
    IrRef r = shift_right(t, k, e, tr_v(t, a->rn), simd_shift_right(a));
    simd_set(t, a, e, k & VACC ? ir_v_add(t->b, e, tr_v(t, a->rd), r) : r);
}

/* SHL */
void tr_v_shl_imm(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = simd_immh_elem(a);
    simd_set(t, a, e, ir_v_shl_i(t->b, e, tr_v(t, a->rn), simd_shift_left(a)));
}

/* r, whose bits outside `mask` (one lane) are zero, inserted into the destination */
static void insert(Tr *t, const A64 *a, IrElem e, uint64_t mask, IrRef r)
{
    IrRef kept = ir_v_andn(t->b, tr_v(t, a->rd), simd_splat(t, e, mask));
    simd_set(t, a, e, ir_v_or(t->b, kept, r));
}

/* A rotation as code for A64 writes it: the other part of the register was shifted into the destination just before. */
static bool rotates(Tr *t, const A64 *a, unsigned other_shift, IrElem e, int amount, int right)
{
    const IrRef n = tr_v(t, a->rn);
    const IrIns *d = &t->b->r->ins[tr_v(t, a->rd)];
    if (a->scalar || !a->Q || e < E_S || d->op != other_shift || d->x != e || d->a != n || d->imm != (8 << e) - amount) {
        return false;
    }
    tr_set_v(t, a->rd, ir_v_ror_i(t->b, e, n, right));
    return true;
}

/* SRI; by the full width it inserts nothing */
void tr_v_sri(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = simd_immh_elem(a);
    const int amount = simd_shift_right(a);
    if (rotates(t, a, OP_v_shl_i, e, amount, amount)) {
        return;
    }
    insert(t, a, e, bits_mask((unsigned)((8 << e) - amount)), ir_v_lshr_i(t->b, e, tr_v(t, a->rn), amount));
}

/* SLI */
void tr_v_sli(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = simd_immh_elem(a);
    const int amount = simd_shift_left(a);
    if (rotates(t, a, OP_v_lshr_i, e, amount, (8 << e) - amount)) {
        return;
    }
    insert(t, a, e, ~(uint64_t)0 << amount, ir_v_shl_i(t->b, e, tr_v(t, a->rn), amount));
}

/* SQSHL, UQSHL (immediate) */
void tr_v_qshl_imm(Tr *t, const A64 *a, int k)
{
    const IrElem e = simd_immh_elem(a);
    IrRef amount = simd_splat(t, e, (uint64_t)simd_shift_left(a));
    tr_set_v(t, a->rd, simd_op(t, OP_v_qshl_v | k, e, simd_in(t, a, e, a->rn), amount));
}

/* SQSHLU */
void tr_v_sqshlu(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = simd_immh_elem(a);
    tr_set_v(t, a->rd, ir_v_qshlu_i(t->b, e, simd_in(t, a, e, a->rn), simd_shift_left(a)));
}

/* SHRN, RSHRN. The carry that the rounding may lose lies above the lanes of the result. */
void tr_v_shrn(Tr *t, const A64 *a, int k)
{
    const IrElem w = (IrElem)(simd_immh_elem(a) + 1);
    const int amount = simd_shift_right(a);
    IrRef n = tr_v(t, a->rn);
    if (k & VR) {
        n = ir_v_add(t->b, w, n, simd_splat(t, w, (uint64_t)1 << (amount - 1)));
    }
    simd_set_narrow(t, a, ir_v_narrow(t->b, w, ir_v_lshr_i(t->b, w, n, amount)));
}

/* SQSHRN, UQSHRN, SQSHRUN and their rounding forms: k = NARROW_* and VR */
void tr_v_qshrn(Tr *t, const A64 *a, int k)
{
    const IrElem w = (IrElem)(simd_immh_elem(a) + 1);
    const int mode = k & 3;
    IrRef n = tr_v(t, a->rn);
    n = a->scalar ? simd_mask(t, a, w, n) : n;
    n = shift_right(t, (k & VR) | (mode == NARROW_UU ? VU : 0), w, n, simd_shift_right(a));
    simd_set_narrow(t, a, ir_v_narrow_sat(t->b, w, (unsigned)mode, 0, n));
}

/* SSHLL, USHLL, and SXTL, UXTL as their aliases */
void tr_v_shll_imm(Tr *t, const A64 *a, int k)
{
    const IrElem e = simd_immh_elem(a);
    const int amount = simd_shift_left(a);
    IrRef r = ir_v_widen(t->b, e, k & VU ? VS_UNSIGNED : 0, a->Q, tr_v(t, a->rn));
    tr_set_v(t, a->rd, amount ? ir_v_shl_i(t->b, (IrElem)(e + 1), r, amount) : r);
}
