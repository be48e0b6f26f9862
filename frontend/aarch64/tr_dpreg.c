/* tr_dpreg.c - A64 data processing with register operands (rows of a64_dpreg.isa; DDI 0487 C4.1.95). */
#include "tr.h"

/* Shifted register operand Rm: shift 0 LSL, 1 LSR, 2 ASR, 3 ROR by imm6. */
static IrRef shifted(Tr *t, const A64 *a, IrType ty)
{
    static const uint8_t op[4] = {OP_shl, OP_lshr, OP_ashr, OP_ror};
    IrRef m = tr_reg(t, a->rm, ty);
    return a->imm6 ? tr_alu(t, op[a->shift], ty, m, ir_iconst(t->b, I32, (uint64_t)a->imm6)) : m;
}

/* AND, ORR, EOR (shifted register) */
void tr_logic_r(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = shifted(t, a, ty);
    /* MOV is ORR with XZR: nothing to compute */
    tr_set_reg(t, a->rd, k == OP_or && a->rn == 31 ? m : tr_alu(t, k, ty, tr_reg(t, a->rn, ty), m));
}

/* BIC, ORN, EON */
void tr_logic_r_not(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = shifted(t, a, ty), r;
    if (k == OP_and) {
        r = ir_andn(t->b, ty, tr_reg(t, a->rn, ty), m);
    } else {
        m = ir_not(t->b, ty, m);
        r = k == OP_or && a->rn == 31 ? m : tr_alu(t, k, ty, tr_reg(t, a->rn, ty), m);
    }
    tr_set_reg(t, a->rd, r);
}

/* ANDS; BICS with k = 1 */
void tr_ands_r(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = shifted(t, a, ty), n = tr_reg(t, a->rn, ty);
    IrRef r = k ? ir_andn(t->b, ty, n, m) : ir_and(t->b, ty, n, m);
    tr_set_flags(t, ir_fl_logic(t->b, ty, r));
    tr_set_reg(t, a->rd, r);
}

void tr_addsub_r(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = shifted(t, a, ty);
    bool neg = k == OP_sub && a->rn == 31;
    tr_set_reg(t, a->rd, neg ? ir_neg(t->b, ty, m) : tr_alu(t, k, ty, tr_reg(t, a->rn, ty), m));
}

void tr_addsubs_r(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = shifted(t, a, ty);
    tr_alu_flags(t, k, ty, a->rd, tr_reg(t, a->rn, ty), m);
}

/* Extended register operand: ExtendReg(Rm, option, imm3). */
static IrRef extended(Tr *t, const A64 *a, IrType ty)
{
    IrBuild *b = t->b;
    unsigned bits = 8u << (a->option & 3);
    bool sign = a->option & 4;
    IrRef m;
    if (bits >= 32) {
        m = bits == 64 || ty == I32 ? tr_reg(t, a->rm, ty) : tr_reg(t, a->rm, I32);
        if (bits == 32 && ty == I64) {
            m = sign ? ir_sext32(b, m) : ir_zext32(b, m);
        }
    } else {
        m = tr_reg(t, a->rm, ty);
        m = sign ? ir_sbfx(b, ty, m, 0, bits) : ir_ubfx(b, ty, m, 0, bits);
    }
    return a->imm3 ? ir_shl(b, ty, m, ir_iconst(b, I32, (uint64_t)a->imm3)) : m;
}

void tr_addsub_x(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = extended(t, a, ty);
    tr_set_reg_or_sp(t, a->rd, tr_alu(t, k, ty, tr_reg_or_sp(t, a->rn, ty), m));
}

void tr_addsubs_x(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef m = extended(t, a, ty);
    tr_alu_flags(t, k, ty, a->rd, tr_reg_or_sp(t, a->rn, ty), m);
}

static IrRef with_carry(Tr *t, int k, IrType ty, const A64 *a)
{
    IrRef n = tr_reg(t, a->rn, ty), m = tr_reg(t, a->rm, ty);
    return k == OP_adc ? ir_adc(t->b, ty, n, m, tr_flags(t)) : ir_sbc(t->b, ty, n, m, tr_flags(t));
}

void tr_adc(Tr *t, const A64 *a, int k)
{
    tr_set_reg(t, a->rd, with_carry(t, k, tr_ty(a->sf), a));
}

void tr_adcs(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), m = tr_reg(t, a->rm, ty), f = tr_flags(t);
    IrRef r = a->rd == 31 ? 0 : with_carry(t, k, ty, a);
    tr_set_flags(t, k == OP_adc ? ir_fl_adc(t->b, ty, n, m, f) : ir_fl_sbc(t->b, ty, n, m, f));
    if (r) {
        tr_set_reg(t, a->rd, r);
    }
}

/* RMIF: rotates Xn right by imm6 and takes the low four bits for the flags that mask names. */
void tr_rmif(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrBuild *b = t->b;
    IrRef n = tr_reg(t, a->rn, I64), packed = ir_fl_pack(b, tr_flags(t));
    static const uint8_t at[4] = {0, 8, 14, 15}; /* V C Z N in the packed form */
    for (unsigned i = 0; i < 4; i++) {
        if (a->mask >> i & 1) {
            packed = ir_bfi(b, I32, packed, ir_test_bit(b, I64, n, ((unsigned)a->imm6 + i) & 63, false), at[i], 1);
        }
    }
    tr_set_flags(t, ir_fl_unpack(b, packed));
}

/* SETF8, SETF16: N = top bit, Z of the low k bits, V = top bit differs from the next one, C is kept. */
void tr_setf(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    unsigned top = (unsigned)k - 1;
    IrRef n = tr_reg(t, a->rn, I32), packed = ir_fl_pack(b, tr_flags(t));
    IrRef sign = ir_test_bit(b, I32, n, top, false);
    packed = ir_bfi(b, I32, packed, sign, 15, 1);
    packed = ir_bfi(b, I32, packed, ir_is_zero(b, I32, ir_ubfx(b, I32, n, 0, (unsigned)k), false), 14, 1);
    packed = ir_bfi(b, I32, packed, ir_xor(b, I32, sign, ir_test_bit(b, I32, n, top + 1, false)), 0, 1);
    tr_set_flags(t, ir_fl_unpack(b, packed));
}

/* CCMP, CCMN: flags of the comparison, or the constant nzcv. */
static void ccmp(Tr *t, const A64 *a, int k, IrType ty, IrRef m)
{
    IrRef n = tr_reg(t, a->rn, ty), cond = tr_cond(t, a->cond);
    IrRef f = k == OP_fl_add ? ir_fl_add(t->b, ty, n, m) : ir_fl_sub(t->b, ty, n, m);
    tr_set_flags(t, a->cond >= C_AL ? f : ir_fl_select(t->b, cond, f, ir_fl_const(t->b, (unsigned)a->nzcv)));
}

void tr_ccmp_r(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    ccmp(t, a, k, ty, tr_reg(t, a->rm, ty));
}

void tr_ccmp_i(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    ccmp(t, a, k, ty, ir_iconst(t->b, ty, (uint64_t)a->imm5));
}

void tr_csel(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), m = tr_reg(t, a->rm, ty);
    tr_set_reg(t, a->rd, ir_select(t->b, ty, tr_cond(t, a->cond), n, m));
}

void tr_csinc(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrBuild *b = t->b;
    IrType ty = tr_ty(a->sf);
    if (a->rn == 31 && a->rm == 31 && a->cond < C_AL) { /* CSET */
        tr_set_reg(t, a->rd, tr_cond(t, a->cond ^ 1));
        return;
    }
    IrRef n = tr_reg(t, a->rn, ty), m = ir_add(b, ty, tr_reg(t, a->rm, ty), ir_iconst(b, ty, 1));
    tr_set_reg(t, a->rd, ir_select(b, ty, tr_cond(t, a->cond), n, m));
}

void tr_csinv(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), m = ir_not(t->b, ty, tr_reg(t, a->rm, ty));
    tr_set_reg(t, a->rd, ir_select(t->b, ty, tr_cond(t, a->cond), n, m));
}

void tr_csneg(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), m = ir_neg(t->b, ty, tr_reg(t, a->rm, ty));
    tr_set_reg(t, a->rd, ir_select(t->b, ty, tr_cond(t, a->cond), n, m));
}

/* Two sources, one IR op: divisions and variable shifts. */
void tr_alu2(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty);
    tr_set_reg(t, a->rd, tr_alu(t, k, ty, n, tr_reg(t, a->rm, ty)));
}

/* One source, one IR op. */
void tr_alu1(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    tr_set_reg(t, a->rd, tr_alu(t, k, ty, tr_reg(t, a->rn, ty), 0));
}

void tr_abs_r(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), negative = ir_test_bit(t->b, ty, n, a->sf ? 63 : 31, false);
    tr_set_reg(t, a->rd, ir_select(t->b, ty, negative, ir_neg(t->b, ty, n), n));
}

void tr_minmax_r(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), m = tr_reg(t, a->rm, ty);
    tr_set_reg(t, a->rd, ir_select(t->b, ty, ir_cmp(t->b, ty, (CmpOp)k, n, m), n, m));
}

/* CRC32, CRC32C with k = 1; data of 1 << sz bytes. */
void tr_crc32(Tr *t, const A64 *a, int k)
{
    IrRef acc = tr_reg(t, a->rn, I32), data = tr_reg(t, a->rm, tr_ty(a->sz == 3));
    tr_set_reg(t, a->rd, ir_crc32(t->b, k, (unsigned)a->sz, acc, data));
}

/* -- three sources ------------------------------------------------------------------------------------ */

static void mul_add(Tr *t, const A64 *a, int k, IrType ty, IrRef n, IrRef m)
{
    IrRef p = ir_mul(t->b, ty, n, m);
    if (a->ra != 31) {
        p = tr_alu(t, k, ty, tr_reg(t, a->ra, ty), p);
    } else if (k == OP_sub) {
        p = ir_neg(t->b, ty, p);
    }
    tr_set_reg(t, a->rd, p);
}

void tr_madd(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty);
    mul_add(t, a, k, ty, n, tr_reg(t, a->rm, ty));
}

void tr_smaddl(Tr *t, const A64 *a, int k)
{
    IrRef n = ir_sext32(t->b, tr_reg(t, a->rn, I32)), m = ir_sext32(t->b, tr_reg(t, a->rm, I32));
    mul_add(t, a, k, I64, n, m);
}

void tr_umaddl(Tr *t, const A64 *a, int k)
{
    IrRef n = ir_zext32(t->b, tr_reg(t, a->rn, I32)), m = ir_zext32(t->b, tr_reg(t, a->rm, I32));
    mul_add(t, a, k, I64, n, m);
}

void tr_mulh(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_reg(t, a->rn, I64);
    tr_set_reg(t, a->rd, tr_alu(t, k, I64, n, tr_reg(t, a->rm, I64)));
}

/* -- memory tags in addresses ----------------------------------------------------------------------------- */

/* SUBP; SUBPS with k = 1: difference of the 56-bit addresses. */
void tr_subp(Tr *t, const A64 *a, int k)
{
    IrRef n = ir_sbfx(t->b, I64, tr_reg_or_sp(t, a->rn, I64), 0, 56);
    IrRef m = ir_sbfx(t->b, I64, tr_reg_or_sp(t, a->rm, I64), 0, 56);
    if (k) {
        tr_alu_flags(t, OP_sub, I64, a->rd, n, m);
    } else {
        tr_set_reg(t, a->rd, ir_sub(t->b, I64, n, m));
    }
}

/* IRG: all tags are excluded (see ADDG), so the tag is 0. */
void tr_irg(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_reg_or_sp(t, a->rd, tr_address_untagged(t, tr_reg_or_sp(t, a->rn, I64)));
}

/* GMI: the mask Xm with the tag of Xn added. */
void tr_gmi(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef tag = ir_ubfx(t->b, I64, tr_reg_or_sp(t, a->rn, I64), 56, 4);
    IrRef bit = ir_shl(t->b, I64, ir_iconst(t->b, I64, 1), tag);
    tr_set_reg(t, a->rd, ir_or(t->b, I64, tr_reg(t, a->rm, I64), bit));
}

/* -- pointer authentication ---------------------------------------------------------------------------------- */

/* PACIA, AUTIA and so on: k = key, PAC_AUT, PAC_ZERO (the modifier is 0, else Xn or SP). */
void tr_pac(Tr *t, const A64 *a, int k)
{
    IrRef mod = k & PAC_ZERO ? ir_iconst(t->b, I64, 0) : tr_reg_or_sp(t, a->rn, I64);
    tr_set_reg(t, a->rd, tr_pac_value(t, k, tr_reg(t, a->rd, I64), mod));
}

void tr_xpac(Tr *t, const A64 *a, int k)
{
    tr_set_reg(t, a->rd, tr_pac_strip(t, tr_reg(t, a->rd, I64), k));
}

void tr_pacga(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef n = tr_reg(t, a->rn, I64);
    tr_set_reg(t, a->rd, ir_call(t->b, H_pac_generic, n, tr_reg_or_sp(t, a->rm, I64), 0));
}
