/* tr_simd_permute.c - Advanced SIMD that moves lanes: permutations, look-up, copies, immediates (DDI 0487 C7.2). */
#include "tr.h"

/* -- permutations ------------------------------------------------------------------------------------------ */

/* REV16, REV32, REV64: k = the element inside which lanes are reversed */
void tr_v_rev(Tr *t, const A64 *a, int k)
{
    tr_set_vq(t, a->rd, a->Q, ir_v_rev(t->b, (IrElem)a->size, tr_v(t, a->rn), k));
}

/* UZP1, UZP2: with Q = 0 the two low halves are one vector, whose even or odd lanes are the result */
void tr_v_uzp(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    if (!a->Q) {
        n = m = ir_v_zip1(t->b, E_D, n, m);
    }
    tr_set_vq(t, a->rd, a->Q, simd_op(t, k, (IrElem)a->size, n, m));
}

/* TRN1, TRN2 */
void tr_v_trn(Tr *t, const A64 *a, int k)
{
    tr_set_vq(t, a->rd, a->Q, simd_op(t, k, (IrElem)a->size, tr_v(t, a->rn), tr_v(t, a->rm)));
}

/* ZIP1, ZIP2: with Q = 0 both are halves of the 128-bit ZIP1 */
void tr_v_zip(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    if (a->Q) {
        tr_set_v(t, a->rd, simd_op(t, k, (IrElem)a->size, n, m));
        return;
    }
    IrRef all = ir_v_zip1(t->b, (IrElem)a->size, n, m);
    tr_set_v(t, a->rd, k == OP_v_zip1 ? ir_v_low64(t->b, all) : ir_v_ext(t->b, E_B, all, simd_zero(t), 8));
}

/* EXT */
void tr_v_ext(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    if (!a->Q) {
        n = m = ir_v_zip1(t->b, E_D, n, m);
    }
    tr_set_vq(t, a->rd, a->Q, a->imm4 ? ir_v_ext(t->b, E_B, n, m, a->imm4) : n);
}

/* TBL, TBX (k = 1): a table of len + 1 registers, looked up two at a time. Indices less 32 wrap, so that those of the
 * first pair are out of range in the second. */
void tr_v_tbl(Tr *t, const A64 *a, int k)
{
    IrRef index = tr_v(t, a->rm), table[4];
    for (int i = 0; i <= a->len; i++) {
        table[i] = tr_v(t, (a->rn + i) & 31);
    }
    IrRef r = a->len == 0 ? ir_v_tbl1(t->b, table[0], index) : ir_v_tbl2(t->b, table[0], table[1], index);
    if (a->len >= 2) {
        IrRef high = ir_v_sub(t->b, E_B, index, simd_splat(t, E_B, 32));
        high = a->len == 2 ? ir_v_tbl1(t->b, table[2], high) : ir_v_tbl2(t->b, table[2], table[3], high);
        r = ir_v_or(t->b, r, high);
    }
    if (k) {
        IrRef hit = ir_v_cmp(t->b, E_B, CMP_ULT, 0, index, simd_splat(t, E_B, 16 * ((uint64_t)a->len + 1)));
        r = ir_v_or(t->b, r, ir_v_andn(t->b, tr_v(t, a->rd), hit));
    }
    tr_set_vq(t, a->rd, a->Q, r);
}

/* -- copies: the lowest set bit of imm5 is the element, the bits above it the lane ----------------------------- */

static IrElem imm5_elem(const A64 *a)
{
    return (IrElem)__builtin_ctz((unsigned)a->imm5);
}

static unsigned imm5_lane(const A64 *a)
{
    return (unsigned)a->imm5 >> (imm5_elem(a) + 1);
}

static IrType elem_type(IrElem e)
{
    return e == E_D ? I64 : I32;
}

/* DUP (element) */
void tr_v_dup_elt(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_vq(t, a->rd, a->Q, ir_v_dup_lane(t->b, imm5_elem(a), tr_v(t, a->rn), (int)imm5_lane(a)));
}

/* DUP (element, scalar), alias MOV (scalar) */
void tr_v_dup_scalar(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = imm5_elem(a);
    IrRef n = tr_v(t, a->rn);
    n = imm5_lane(a) ? ir_v_dup_lane(t->b, e, n, (int)imm5_lane(a)) : n;
    tr_set_v(t, a->rd, e == E_D ? ir_v_low64(t->b, n) : ir_v_low(t->b, e, n));
}

/* DUP (general) */
void tr_v_dup_gen(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = imm5_elem(a);
    tr_set_vq(t, a->rd, a->Q, a->rn == 31 ? simd_zero(t) : ir_v_dup(t->b, e, tr_reg(t, a->rn, elem_type(e))));
}

void tr_v_smov(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_reg(t, a->rd, ir_v_get(t->b, tr_ty(a->Q), imm5_elem(a), imm5_lane(a), true, tr_v(t, a->rn)));
}

void tr_v_umov(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_reg(t, a->rd, ir_v_get(t->b, tr_ty(a->Q), imm5_elem(a), imm5_lane(a), false, tr_v(t, a->rn)));
}

/* INS (general) */
void tr_v_ins_gen(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = imm5_elem(a);
    tr_set_v(t, a->rd, ir_v_put(t->b, e, imm5_lane(a), tr_v(t, a->rd), tr_reg(t, a->rn, elem_type(e))));
}

/* INS (element) */
void tr_v_ins_elt(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    const IrElem e = imm5_elem(a);
    unsigned from = (unsigned)a->imm4 >> e;
    tr_set_v(t, a->rd, ir_v_put_lane(t->b, e, from, (int)imm5_lane(a), tr_v(t, a->rd), tr_v(t, a->rn)));
}

/* -- modified immediates ------------------------------------------------------------------------------------- */

static uint64_t replicate(uint64_t v, unsigned bits)
{
    for (; bits < 64; bits *= 2) {
        v |= v << bits;
    }
    return v;
}

/* VFPExpandImm: sign, exponent of `exp` bits, top of the fraction; in the top bits of a value of `bits` bits */
static uint64_t fp_imm(unsigned imm8, unsigned bits, unsigned exp)
{
    uint64_t b = imm8 >> 6 & 1, high = b ? bits_mask(exp - 3) << 2 : (uint64_t)1 << (exp - 1);
    uint64_t e = high | (imm8 >> 4 & 3);
    return (uint64_t)(imm8 >> 7) << (bits - 1) | e << (bits - 1 - exp) | (uint64_t)(imm8 & 15) << (bits - 5 - exp);
}

/* AdvSIMDExpandImm */
static uint64_t expand_imm(const A64 *a)
{
    const unsigned cmode = (unsigned)a->cmode;
    const uint64_t imm8 = (uint64_t)a->imm8;
    if (cmode < 8) {
        return replicate(imm8 << 8 * (cmode >> 1), 32);
    }
    if (cmode < 12) {
        return replicate(imm8 << 8 * (cmode >> 1 & 1), 16);
    }
    if (cmode < 14) {
        return replicate(cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff, 32);
    }
    if (cmode == 15) {
        return a->op ? fp_imm((unsigned)imm8, 64, 11) : replicate(fp_imm((unsigned)imm8, 32, 8), 32);
    }
    if (!a->op) {
        return replicate(imm8, 8);
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) {
        v |= imm8 >> i & 1 ? (uint64_t)0xff << 8 * i : 0;
    }
    return v;
}

/* MOVI, FMOV (vector, immediate) */
void tr_v_movi(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    uint64_t imm = expand_imm(a);
    tr_set_v(t, a->rd, ir_vconst(t->b, imm, a->Q ? imm : 0));
}

void tr_v_mvni(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    uint64_t imm = ~expand_imm(a);
    tr_set_v(t, a->rd, ir_vconst(t->b, imm, a->Q ? imm : 0));
}

void tr_v_fmov_h(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    uint64_t imm = replicate(fp_imm((unsigned)a->imm8, 16, 5), 16);
    tr_set_v(t, a->rd, ir_vconst(t->b, imm, a->Q ? imm : 0));
}

/* ORR (vector, immediate) */
void tr_v_orr_imm(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    uint64_t imm = expand_imm(a);
    tr_set_vq(t, a->rd, a->Q, ir_v_or(t->b, tr_v(t, a->rd), ir_vconst(t->b, imm, imm)));
}

/* BIC (vector, immediate) */
void tr_v_bic_imm(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    uint64_t imm = expand_imm(a);
    tr_set_vq(t, a->rd, a->Q, ir_v_andn(t->b, tr_v(t, a->rd), ir_vconst(t->b, imm, imm)));
}
