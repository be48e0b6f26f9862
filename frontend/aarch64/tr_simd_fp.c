/* tr_simd_fp.c - Advanced SIMD floating-point: vfp_* on vectors, sfp_* on scalars in vector registers; rows in a64_simd.isa.
 *
 * a->esz is the format of the source (E_H, E_S, E_D). The ops work on all 128 bits and every lane may raise FPSR bits,
 * so with Q = 0 each operand's upper half is replaced: by zeros, from which no op but a division or an estimate raises
 * anything, or by a copy of the lower half. Operands keep the manual's order: it decides which NaN comes out.
 */
#include "tr_simd.h"

static IrElem esz(const A64 *a)
{
    return (IrElem)a->esz;
}

/* Lanes that do not count become 0. */
static IrRef in(Tr *t, const A64 *a, IrRef v)
{
    return a->Q ? v : ir_v_low64(t->b, v);
}

static IrRef in_reg(Tr *t, const A64 *a, int n)
{
    return in(t, a, tr_v(t, n));
}

/* Operand of `op`: x / 0, 1 / 0 would raise bits, so those repeat the lower half. */
static IrRef in_for(Tr *t, const A64 *a, int op, IrRef v)
{
    if (op == OP_vf_div || op == OP_vf_recpe || op == OP_vf_rsqrte) {
        return a->Q ? v : ir_v_dup_lane(t->b, E_D, v, 0);
    }
    return in(t, a, v);
}

static void out(Tr *t, const A64 *a, IrRef v)
{
    tr_set_vq(t, a->rd, a->Q, v);
}

/* -- vectors: arithmetic ------------------------------------------------------------------------------- */

void tr_vfp_3same(Tr *t, const A64 *a, int k)
{
    IrRef n = in_for(t, a, k, tr_v(t, a->rn)), m = in_for(t, a, k, tr_v(t, a->rm));
    out(t, a, simd_op(t, k, esz(a), n, m));
}

void tr_vfp_2misc(Tr *t, const A64 *a, int k)
{
    out(t, a, simd_op(t, k, esz(a), in_for(t, a, k, tr_v(t, a->rn)), 0));
}

void tr_vfp_elem(Tr *t, const A64 *a, int k)
{
    IrRef n = in_reg(t, a, a->rn), m = in(t, a, simd_elem(t, a, esz(a)));
    out(t, a, simd_op(t, k, esz(a), n, m));
}

void tr_vfp_fabd(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef d = ir_vf_sub(t->b, esz(a), in_reg(t, a, a->rn), in_reg(t, a, a->rm));
    out(t, a, ir_vf_abs(t->b, esz(a), d));
}

/* rd +- rn * m: FMLS negates rn */
static void vfp_mla(Tr *t, const A64 *a, int k, IrRef m)
{
    IrRef n = in_reg(t, a, a->rn), d = in_reg(t, a, a->rd);
    n = k & VSUB ? ir_vf_neg(t->b, esz(a), n) : n;
    out(t, a, ir_vf_fma(t->b, esz(a), n, m, d));
}

void tr_vfp_fmla(Tr *t, const A64 *a, int k)
{
    vfp_mla(t, a, k, in_reg(t, a, a->rm));
}

void tr_vfp_fmla_elem(Tr *t, const A64 *a, int k)
{
    vfp_mla(t, a, k, in(t, a, simd_elem(t, a, esz(a))));
}

/* Neighbours of n:m; with Q = 0 both halves hold the same lanes. */
void tr_vfp_pair(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_v(t, a->rn), m = tr_v(t, a->rm);
    if (!a->Q) {
        n = m = ir_v_zip1(t->b, E_D, n, m);
    }
    out(t, a, simd_op(t, k, esz(a), ir_v_uzp1(t->b, esz(a), n, m), ir_v_uzp2(t->b, esz(a), n, m)));
}

/* Reduce: a tree of neighbours (shared/functions/vector/Reduce). */
void tr_vfp_across(Tr *t, const A64 *a, int k)
{
    IrRef v = tr_v(t, a->rn);
    v = a->Q ? v : ir_v_zip1(t->b, E_D, v, v);
    for (int lanes = (a->Q ? 16 : 8) >> a->esz; lanes > 1; lanes /= 2) {
        v = simd_op(t, k, esz(a), ir_v_uzp1(t->b, esz(a), v, v), ir_v_uzp2(t->b, esz(a), v, v));
    }
    tr_set_v(t, a->rd, ir_v_to_s(t->b, ir_fp_type(esz(a)), v));
}

/* -- vectors: comparison ------------------------------------------------------------------------------- */

void tr_vfp_cmp(Tr *t, const A64 *a, int k)
{
    out(t, a, ir_vf_cmp(t->b, esz(a), (unsigned)k, 0, in_reg(t, a, a->rn), in_reg(t, a, a->rm)));
}

void tr_vfp_acmp(Tr *t, const A64 *a, int k)
{
    IrRef n = ir_vf_abs(t->b, esz(a), in_reg(t, a, a->rn)), m = ir_vf_abs(t->b, esz(a), in_reg(t, a, a->rm));
    out(t, a, ir_vf_cmp(t->b, esz(a), (unsigned)k, 0, n, m));
}

void tr_vfp_cmp0(Tr *t, const A64 *a, int k)
{
    out(t, a, ir_vf_cmp(t->b, esz(a), (unsigned)k, 0, in_reg(t, a, a->rn), simd_zero(t)));
}

/* FCMLE, FCMLT: 0 >= n, 0 > n */
void tr_vfp_cmp0_swap(Tr *t, const A64 *a, int k)
{
    out(t, a, ir_vf_cmp(t->b, esz(a), (unsigned)k, 0, simd_zero(t), in_reg(t, a, a->rn)));
}

/* -- vectors: rounding and conversion -------------------------------------------------------------------- */

static void vfp_convert(Tr *t, const A64 *a, int op, IrElem e, unsigned y, int imm)
{
    IrRef n = in_reg(t, a, a->rn);
    out(t, a, ir_emit(t->b, (IrIns){.op = (uint8_t)op, .ty = TV128, .x = (uint8_t)e, .y = (uint8_t)y, .a = n, .imm = imm}));
}

void tr_vfp_rint(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_rint, esz(a), (unsigned)k, 0);
}

void tr_vfp_rintx(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_rint, esz(a), (unsigned)k, 1);
}

void tr_vfp_rint_nz(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_rint_n, esz(a), FPR_ZERO, k);
}

void tr_vfp_rint_nx(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_rint_n, esz(a), FPR_CURRENT, k);
}

void tr_vfp_to_i(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_to_i, esz(a), (unsigned)k, 0);
}

void tr_vfp_from_i(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_from_i, esz(a), (unsigned)k, 0);
}

void tr_vfp_to_fix(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_to_i, simd_immh_elem(a), (unsigned)k, simd_shift_right(a));
}

void tr_vfp_from_fix(Tr *t, const A64 *a, int k)
{
    vfp_convert(t, a, OP_vf_from_i, simd_immh_elem(a), (unsigned)k, simd_shift_right(a));
}

void tr_vfp_fcvtn(Tr *t, const A64 *a, int k)
{
    (void)k;
    simd_set_narrow(t, a, ir_vf_narrow(t->b, esz(a), tr_v(t, a->rn), 0));
}

void tr_vfp_fcvtxn(Tr *t, const A64 *a, int k)
{
    (void)k;
    simd_set_narrow(t, a, ir_vf_narrow(t->b, E_D, tr_v(t, a->rn), 1));
}

void tr_vfp_bfcvtn(Tr *t, const A64 *a, int k)
{
    (void)k;
    simd_set_narrow(t, a, ir_vf_to_bf16(t->b, E_S, 0, 0, tr_v(t, a->rn)));
}

/* Q = 1: FCVTL2, the source's upper half */
void tr_vfp_fcvtl(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_v(t, a->rn);
    n = a->Q ? ir_v_dup_lane(t->b, E_D, n, 1) : n;
    tr_set_v(t, a->rd, ir_vf_widen(t->b, esz(a), n));
}

/* -- vectors: complex numbers, mixed widths, bfloat16 ------------------------------------------------------- */

/* The lanes of v that `which` has a bit for (1: even, 2: odd lanes) with the other sign. */
static IrRef flip(Tr *t, IrElem e, unsigned which, IrRef v)
{
    const uint64_t even = which & 1 ? (uint64_t)1 << ((8 << e) - 1) : 0, odd = which & 2 ? (uint64_t)1 << ((8 << e) - 1) : 0;
    if (!which) {
        return v;
    }
    IrRef signs = e == E_D ? ir_vconst(t->b, even, odd) : simd_splat(t, (IrElem)(e + 1), odd << (8 << e) | even);
    return ir_v_xor(t->b, v, signs);
}

/* Each pair of lanes, real and imaginary part, exchanged. */
static IrRef exchange(Tr *t, IrElem e, IrRef v)
{
    return e == E_D ? ir_v_ext(t->b, E_B, v, v, 8) : ir_v_rev(t->b, e, v, e + 1);
}

/* FCADD: b times i, or times -i */
void tr_vfp_fcadd(Tr *t, const A64 *a, int k)
{
    (void)k;
    const IrElem e = esz(a);
    IrRef m = flip(t, e, a->rot ? 2 : 1, exchange(t, e, in_reg(t, a, a->rm)));
    out(t, a, ir_vf_add(t->b, e, in_reg(t, a, a->rn), m));
}

/* One of the two products that a product of complex numbers, turned by 90 degrees times rot, has in each lane */
static void vfp_cmla(Tr *t, const A64 *a, IrRef m)
{
    static const uint8_t signs[] = {0, 1, 3, 2};
    const IrElem e = esz(a);
    const bool odd = a->rot & 1;
    IrRef n = in_reg(t, a, a->rn);
    n = odd ? ir_v_trn2(t->b, e, n, n) : ir_v_trn1(t->b, e, n, n);
    m = flip(t, e, signs[a->rot], odd ? exchange(t, e, m) : m);
    out(t, a, ir_vf_fma(t->b, e, n, m, in_reg(t, a, a->rd)));
}

void tr_vfp_fcmla(Tr *t, const A64 *a, int k)
{
    (void)k;
    vfp_cmla(t, a, in_reg(t, a, a->rm));
}

/* The element is a pair: H:L of half pairs, H of single pairs, always of V(M:rm). */
void tr_vfp_fcmla_elem(Tr *t, const A64 *a, int k)
{
    (void)k;
    int index = a->esz == E_H ? a->H << 1 | a->L : a->H;
    vfp_cmla(t, a, in(t, a, ir_v_dup_lane(t->b, (IrElem)(a->esz + 1), tr_v(t, a->M << 4 | a->rm), index)));
}

/* Two halves (Q = 0) or four, from the low or the high part of the operand, into the low half with zeros above. */
static IrRef fmlal_part(Tr *t, const A64 *a, int k, IrRef v)
{
    IrElem part = a->Q ? E_D : E_S;
    v = k & VHI ? ir_v_dup_lane(t->b, part, v, 1) : v;
    return part == E_D ? ir_v_low64(t->b, v) : ir_v_low(t->b, E_S, v);
}

static void vfp_mlal(Tr *t, const A64 *a, int k, IrRef m)
{
    IrRef n = fmlal_part(t, a, k, tr_v(t, a->rn));
    out(t, a, ir_vf_mlal(t->b, E_S, n, m, in_reg(t, a, a->rd), k & VSUB ? 1 : 0));
}

void tr_vfp_fmlal(Tr *t, const A64 *a, int k)
{
    vfp_mlal(t, a, k, fmlal_part(t, a, k, tr_v(t, a->rm)));
}

void tr_vfp_fmlal_elem(Tr *t, const A64 *a, int k)
{
    vfp_mlal(t, a, k, fmlal_part(t, a, 0, simd_elem(t, a, E_H)));
}

void tr_vfp_bfdot(Tr *t, const A64 *a, int k)
{
    (void)k;
    out(t, a, ir_vf_bfdot(t->b, E_S, in_reg(t, a, a->rn), in_reg(t, a, a->rm), in_reg(t, a, a->rd)));
}

void tr_vfp_bfdot_elem(Tr *t, const A64 *a, int k)
{
    (void)k;
    out(t, a, ir_vf_bfdot(t->b, E_S, in_reg(t, a, a->rn), in(t, a, simd_elem(t, a, E_S)), in_reg(t, a, a->rd)));
}

void tr_vfp_bfmmla(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_v(t, a->rd, ir_vf_bfmmla(t->b, E_S, tr_v(t, a->rn), tr_v(t, a->rm), tr_v(t, a->rd)));
}

/* BFMLALB, BFMLALT by Q: a bfloat16 is the upper half of a single. */
static void vfp_bfmlal(Tr *t, const A64 *a, IrRef m)
{
    const IrRef odd = simd_splat(t, E_S, 0xffff0000);
    IrRef n = tr_v(t, a->rn);
    n = a->Q ? ir_v_and(t->b, n, odd) : ir_v_shl_i(t->b, E_S, n, 16);
    m = a->Q ? ir_v_and(t->b, m, odd) : ir_v_shl_i(t->b, E_S, m, 16);
    tr_set_v(t, a->rd, ir_vf_fma(t->b, E_S, n, m, tr_v(t, a->rd)));
}

void tr_vfp_bfmlal(Tr *t, const A64 *a, int k)
{
    (void)k;
    vfp_bfmlal(t, a, tr_v(t, a->rm));
}

void tr_vfp_bfmlal_elem(Tr *t, const A64 *a, int k)
{
    (void)k;
    vfp_bfmlal(t, a, simd_elem(t, a, E_H));
}

/* -- scalars ------------------------------------------------------------------------------------------- */

static IrType sfp_ty(const A64 *a)
{
    return ir_fp_type(esz(a));
}

static IrRef sfp_op(Tr *t, const A64 *a, int op, IrRef n, IrRef m)
{
    return ir_emit(t->b, (IrIns){.op = (uint8_t)op, .ty = (uint8_t)sfp_ty(a), .x = (uint8_t)a->esz, .a = n, .b = m});
}

/* Lane i of v as a scalar */
static IrRef sfp_lane(Tr *t, const A64 *a, IrRef v, int i)
{
    return ir_v_to_s(t->b, sfp_ty(a), i ? ir_v_dup_lane(t->b, esz(a), v, i) : v);
}

/* The scalar as a vector with zeros above it */
static IrRef sfp_vec(Tr *t, int n, IrElem e)
{
    return ir_s_to_v(t->b, tr_f(t, n, ir_fp_type(e)));
}

static void sfp_out_vec(Tr *t, const A64 *a, IrElem e, IrRef v)
{
    tr_set_v(t, a->rd, ir_v_to_s(t->b, ir_fp_type(e), v));
}

void tr_sfp_3same(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_f(t, a->rn, sfp_ty(a)), m = tr_f(t, a->rm, sfp_ty(a));
    tr_set_v(t, a->rd, sfp_op(t, a, k, n, m));
}

void tr_sfp_2misc(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, sfp_op(t, a, k, tr_f(t, a->rn, sfp_ty(a)), 0));
}

void tr_sfp_fabd(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef d = ir_f_sub(t->b, sfp_ty(a), tr_f(t, a->rn, sfp_ty(a)), tr_f(t, a->rm, sfp_ty(a)));
    tr_set_v(t, a->rd, ir_f_abs(t->b, sfp_ty(a), d));
}

static IrRef sfp_elem(Tr *t, const A64 *a)
{
    return ir_v_to_s(t->b, sfp_ty(a), simd_elem(t, a, esz(a)));
}

void tr_sfp_elem(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_f(t, a->rn, sfp_ty(a)), m = sfp_elem(t, a);
    tr_set_v(t, a->rd, sfp_op(t, a, k, n, m));
}

void tr_sfp_fmla_elem(Tr *t, const A64 *a, int k)
{
    IrType ty = sfp_ty(a);
    IrRef n = tr_f(t, a->rn, ty), m = sfp_elem(t, a), d = tr_f(t, a->rd, ty);
    n = k & VSUB ? ir_f_neg(t->b, ty, n) : n;
    tr_set_v(t, a->rd, ir_f_fma(t->b, ty, n, m, d));
}

void tr_sfp_pair(Tr *t, const A64 *a, int k)
{
    IrRef v = tr_v(t, a->rn);
    tr_set_v(t, a->rd, sfp_op(t, a, k, sfp_lane(t, a, v, 0), sfp_lane(t, a, v, 1)));
}

static void sfp_compare(Tr *t, const A64 *a, int k, IrRef n, IrRef m)
{
    sfp_out_vec(t, a, esz(a), ir_vf_cmp(t->b, esz(a), (unsigned)k, 0, n, m));
}

void tr_sfp_cmp(Tr *t, const A64 *a, int k)
{
    sfp_compare(t, a, k, sfp_vec(t, a->rn, esz(a)), sfp_vec(t, a->rm, esz(a)));
}

void tr_sfp_acmp(Tr *t, const A64 *a, int k)
{
    IrRef n = ir_vf_abs(t->b, esz(a), sfp_vec(t, a->rn, esz(a)));
    sfp_compare(t, a, k, n, ir_vf_abs(t->b, esz(a), sfp_vec(t, a->rm, esz(a))));
}

void tr_sfp_cmp0(Tr *t, const A64 *a, int k)
{
    sfp_compare(t, a, k, sfp_vec(t, a->rn, esz(a)), simd_zero(t));
}

void tr_sfp_cmp0_swap(Tr *t, const A64 *a, int k)
{
    sfp_compare(t, a, k, simd_zero(t), sfp_vec(t, a->rn, esz(a)));
}

/* Conversions whose integer stays in a vector register: 16 bits have no scalar type, so halves go by vector ops. */
static void sfp_to_fixed(Tr *t, const A64 *a, IrElem e, int k, int fbits)
{
    if (e == E_H) {
        sfp_out_vec(t, a, e, ir_vf_to_i(t->b, e, (unsigned)k, fbits, sfp_vec(t, a->rn, e)));
        return;
    }
    IrType fty = ir_fp_type(e);
    IrRef v = ir_f_to_i(t->b, tr_ty(e == E_D), e, (unsigned)k, fbits, tr_f(t, a->rn, fty));
    tr_set_v(t, a->rd, ir_bits_to_f(t->b, fty, v));
}

static void sfp_from_fixed(Tr *t, const A64 *a, IrElem e, int k, int fbits)
{
    if (e == E_H) {
        sfp_out_vec(t, a, e, ir_vf_from_i(t->b, e, (unsigned)k, fbits, sfp_vec(t, a->rn, e)));
        return;
    }
    IrType fty = ir_fp_type(e);
    IrRef n = ir_f_to_bits(t->b, tr_ty(e == E_D), tr_f(t, a->rn, fty));
    tr_set_v(t, a->rd, ir_i_to_f(t->b, fty, e, (unsigned)k, fbits, n));
}

void tr_sfp_to_i(Tr *t, const A64 *a, int k)
{
    sfp_to_fixed(t, a, esz(a), k, 0);
}

void tr_sfp_from_i(Tr *t, const A64 *a, int k)
{
    sfp_from_fixed(t, a, esz(a), k, 0);
}

void tr_sfp_to_fix(Tr *t, const A64 *a, int k)
{
    sfp_to_fixed(t, a, simd_immh_elem(a), k, simd_shift_right(a));
}

void tr_sfp_from_fix(Tr *t, const A64 *a, int k)
{
    sfp_from_fixed(t, a, simd_immh_elem(a), k, simd_shift_right(a));
}

void tr_sfp_fcvtxn(Tr *t, const A64 *a, int k)
{
    (void)k;
    sfp_out_vec(t, a, E_S, ir_vf_narrow(t->b, E_D, sfp_vec(t, a->rn, E_D), 1));
}
