/* tr_fp.c - scalar floating-point (DDI 0487 C4.1.96), rows in a64_fp.isa.
 *
 * a->esz is the format (E_H, E_S, E_D), a->fbits the fraction bits of fixed-point forms (0 for integers). Rounding,
 * NaNs, flushing and FPSR are the ops' own business. Operands keep the manual's order: it decides which NaN comes out.
 */
#include "tr.h"

static IrType fp_ty(const A64 *a)
{
    return ir_fp_type((IrElem)a->esz);
}

static IrRef fp_reg(Tr *t, const A64 *a, int n)
{
    return tr_f(t, n, fp_ty(a));
}

/* Scalar op of k with the operands' format; unused operands 0. */
static IrRef fp_op(Tr *t, const A64 *a, int op, IrRef n, IrRef m)
{
    return ir_emit(t->b, (IrIns){.op = (uint8_t)op, .ty = (uint8_t)fp_ty(a), .x = (uint8_t)a->esz, .a = n, .b = m});
}

void tr_fp_1src(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, fp_op(t, a, k, fp_reg(t, a, a->rn), 0));
}

void tr_fp_2src(Tr *t, const A64 *a, int k)
{
    IrRef n = fp_reg(t, a, a->rn), m = fp_reg(t, a, a->rm);
    tr_set_v(t, a->rd, fp_op(t, a, k, n, m));
}

void tr_fnmul(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = fp_reg(t, a, a->rn), m = fp_reg(t, a, a->rm);
    tr_set_v(t, a->rd, ir_f_neg(t->b, fp_ty(a), ir_f_mul(t->b, fp_ty(a), n, m)));
}

/* FMADD FMSUB FNMADD FNMSUB: +-ra +- rn * rm; the signs of inputs change, so NaNs keep their payload's way. */
void tr_fp_3src(Tr *t, const A64 *a, int k)
{
    IrType ty = fp_ty(a);
    IrRef n = fp_reg(t, a, a->rn), m = fp_reg(t, a, a->rm), acc = fp_reg(t, a, a->ra);
    n = k & FMA_NEG_N ? ir_f_neg(t->b, ty, n) : n;
    acc = k & FMA_NEG_A ? ir_f_neg(t->b, ty, acc) : acc;
    tr_set_v(t, a->rd, ir_f_fma(t->b, ty, n, m, acc));
}

/* -- rounding and conversion ------------------------------------------------------------------------- */

void tr_fp_rint(Tr *t, const A64 *a, int k)
{
    IrRef n = fp_reg(t, a, a->rn);
    tr_set_v(t, a->rd, ir_f_rint(t->b, fp_ty(a), (unsigned)a->esz, (unsigned)k, 0, n));
}

void tr_fp_rintx(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = fp_reg(t, a, a->rn);
    tr_set_v(t, a->rd, ir_f_rint(t->b, fp_ty(a), (unsigned)a->esz, FPR_CURRENT, 1, n));
}

static void rint_n(Tr *t, const A64 *a, FpRound round, int bits)
{
    IrRef n = fp_reg(t, a, a->rn);
    tr_set_v(t, a->rd, ir_f_rint_n(t->b, fp_ty(a), (unsigned)a->esz, round, bits, n));
}

void tr_fp_rint_nz(Tr *t, const A64 *a, int k)
{
    rint_n(t, a, FPR_ZERO, k);
}

void tr_fp_rint_nx(Tr *t, const A64 *a, int k)
{
    rint_n(t, a, FPR_CURRENT, k);
}

/* k = from << 4 | to */
void tr_fp_cvt(Tr *t, const A64 *a, int k)
{
    IrElem from = (IrElem)(k >> 4), to = (IrElem)(k & 15);
    tr_set_v(t, a->rd, ir_f_cvt(t->b, ir_fp_type(to), from, to, 0, tr_f(t, a->rn, ir_fp_type(from))));
}

void tr_bfcvt(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_v(t, a->rd, ir_f_to_bf16(t->b, F16, E_S, E_BF, 0, tr_f(t, a->rn, F32)));
}

/* A half as a single where FPCR says nothing of halves: the same number, and a signalling NaN raises what it would anyway. */
static IrRef fp_widen(Tr *t, IrElem *e, IrRef n)
{
    if (*e != E_H || (t->key & KEY_FP_SLOW)) {
        return n;
    }
    *e = E_S;
    return ir_f_cvt(t->b, F32, E_H, E_S, 0, n);
}

/* k = FPR_* | FPI_* */
void tr_fp_to_i(Tr *t, const A64 *a, int k)
{
    IrElem e = (IrElem)a->esz;
    IrRef n = fp_widen(t, &e, fp_reg(t, a, a->rn));
    tr_set_reg(t, a->rd, ir_f_to_i(t->b, tr_ty(a->sf), e, (unsigned)k, a->fbits, n));
}

void tr_fp_from_i(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_reg(t, a->rn, tr_ty(a->sf));
    if (a->esz == E_H && !a->fbits && !(t->key & KEY_FP_SLOW)) { /* what a single has not exactly is too large for a half */
        n = ir_i_to_f(t->b, F32, E_S, (unsigned)k, 0, n);
        tr_set_v(t, a->rd, ir_f_cvt(t->b, F16, E_S, E_H, 0, n));
        return;
    }
    tr_set_v(t, a->rd, ir_i_to_f(t->b, fp_ty(a), (unsigned)a->esz, (unsigned)k, a->fbits, n));
}

void tr_fjcvtzs(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_f(t, a->rn, F64);
    IrRef exact = ir_f_jcvt_exact(t->b, I32, E_D, 0, 0, n);
    IrRef v = ir_f_jcvt(t->b, I32, E_D, 0, 0, n);
    tr_set_flags(t, ir_fl_select(t->b, exact, ir_fl_const(t->b, 4), ir_fl_const(t->b, 0)));
    tr_set_reg(t, a->rd, v);
}

/* -- moves ------------------------------------------------------------------------------------------- */

void tr_fmov_reg(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_v(t, a->rd, fp_reg(t, a, a->rn));
}

/* VFPExpandImm: sign, inverted bit 6 and its copies, two exponent bits, four fraction bits. */
void tr_fmov_imm(Tr *t, const A64 *a, int k)
{
    (void)k;
    unsigned width = 8u << a->esz, ebits = a->esz == E_H ? 5 : a->esz == E_S ? 8 : 11, imm = (unsigned)a->imm8;
    uint64_t b6 = imm >> 6 & 1, exponent = (b6 ? bits_mask(ebits - 3) << 2 : 1ull << (ebits - 1)) | (imm >> 4 & 3);
    uint64_t v = (uint64_t)(imm >> 7) << (width - 1) | exponent << (width - 1 - ebits) |
                 (uint64_t)(imm & 15) << (width - 1 - ebits - 4);
    tr_set_v(t, a->rd, ir_iconst(t->b, fp_ty(a), v));
}

/* k = I32 (from Sn) or I64 (from Dn) */
void tr_fmov_to_gen(Tr *t, const A64 *a, int k)
{
    tr_set_reg(t, a->rd, ir_f_to_bits(t->b, (IrType)k, tr_f(t, a->rn, k == I32 ? F32 : F64)));
}

void tr_fmov_to_gen_h(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_reg(t, a->rd, ir_f_to_bits(t->b, I32, tr_f(t, a->rn, F16)));
}

/* k = type of the FP register */
void tr_fmov_from_gen(Tr *t, const A64 *a, int k)
{
    tr_set_v(t, a->rd, ir_bits_to_f(t->b, (IrType)k, tr_reg(t, a->rn, k == F64 ? I64 : I32)));
}

void tr_fmov_to_gen_top(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_reg(t, a->rd, ir_v_get(t->b, I64, E_D, 1, false, tr_v(t, a->rn)));
}

void tr_fmov_from_gen_top(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_v(t, a->rd, ir_v_put(t->b, E_D, 1, tr_v(t, a->rd), tr_reg(t, a->rn, I64)));
}

/* -- compare and select ------------------------------------------------------------------------------- */

/* FPCR settings that hosts do not have leave the flags op: it has no evaluation function. */
static IrRef fp_compare(Tr *t, IrType ty, IrRef n, IrRef m, int k)
{
    if (t->key & KEY_FP_SLOW) {
        return ir_fl_unpack(t->b, ir_f_compare(t->b, ty, n, m, k & FC_SIGNAL));
    }
    IrElem e = ir_fp_elem(ty), em = e;
    n = fp_widen(t, &e, n);
    m = fp_widen(t, &em, m);
    return ir_fl_fcmp(t->b, ir_fp_type(e), n, m, k & FC_SIGNAL);
}

void tr_fcmp(Tr *t, const A64 *a, int k)
{
    IrRef n = fp_reg(t, a, a->rn);
    IrRef m = k & FC_ZERO ? ir_iconst(t->b, fp_ty(a), 0) : fp_reg(t, a, a->rm);
    tr_set_flags(t, fp_compare(t, fp_ty(a), n, m, k));
}

/* The comparison may raise FPSR bits only when cond holds: otherwise zeros are compared. */
void tr_fccmp(Tr *t, const A64 *a, int k)
{
    IrType ty = fp_ty(a);
    IrRef n = fp_reg(t, a, a->rn), m = fp_reg(t, a, a->rm);
    if (a->cond >= C_AL) {
        tr_set_flags(t, fp_compare(t, ty, n, m, k));
        return;
    }
    IrRef cond = tr_cond(t, a->cond), zero = ir_iconst(t->b, ty, 0);
    n = ir_select(t->b, ty, cond, n, zero);
    m = ir_select(t->b, ty, cond, m, zero);
    IrRef f = ir_fl_pack(t->b, fp_compare(t, ty, n, m, k));
    f = ir_select(t->b, I32, cond, f, ir_iconst(t->b, I32, nzcv_pack((unsigned)a->nzcv)));
    tr_set_flags(t, ir_fl_unpack(t->b, f));
}

void tr_fcsel(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = fp_ty(a);
    IrRef n = fp_reg(t, a, a->rn), m = fp_reg(t, a, a->rm);
    tr_set_v(t, a->rd, ir_select(t->b, ty, tr_cond(t, a->cond), n, m));
}
