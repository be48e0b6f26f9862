/* rules_int.c - lowering of integer arithmetic, logic, shifts, bit fields and width changes.
 *
 * The emitters come first, the table last (see sel.h for how to add a row). Forms that leave EFLAGS alone
 * (lea, BMI2) stand first where they cost the same.
 */
#include "sel.h"

/* -- emitters ------------------------------------------------------------------------------------------- */

static void e_lea_ri(Asm *a, const Sel *s)
{
    x_lea(a, s->w, s->d, mem(s->s[0], (int32_t)s->k));
}

static void e_lea_neg(Asm *a, const Sel *s)
{
    int32_t k = (int32_t)s->k;
    x_lea(a, s->w, s->d, mem(s->s[0], k == INT32_MIN ? INT32_MAX : -k));
    if (k == INT32_MIN) {
        x_lea(a, s->w, s->d, mem(s->d, 1));
    }
}

static void e_lea_rr(Asm *a, const Sel *s)
{
    bool swap = (s->s[0] & 7) == 5; /* rbp, r13 as base need a displacement */
    x_lea(a, s->w, s->d, (Mem){swap ? s->s[1] : s->s[0], swap ? s->s[0] : s->s[1], 0, 0, 0});
}

/* source arg is the index */
static void e_lea_scaled(Asm *a, const Sel *s)
{
    x_lea(a, s->w, s->d, (Mem){s->s[!s->arg], s->s[s->arg], (uint8_t)s->scale, 0, 0});
}

static void e_lea_scaled_i(Asm *a, const Sel *s)
{
    x_lea(a, s->w, s->d, (Mem){NOREG, s->s[0], (uint8_t)s->scale, (int32_t)s->k, 0});
}

static void e_alu_i(Asm *a, const Sel *s)
{
    x_alu_ri(a, s->w, s->arg, s->d, (int32_t)s->k);
}

/* op d, r/m by opcode in arg; the other operand is source 1 */
static void e_alu(Asm *a, const Sel *s)
{
    if (s->mi == 1) {
        enc_rm(a, s->arg, s->w, s->d, s->m, 0);
    } else {
        enc_rr(a, s->arg, s->w, s->d, s->s[1]);
    }
}

/* op d, r/m with one operand */
static void e_unary(Asm *a, const Sel *s)
{
    if (s->mi == 0) {
        enc_rm(a, s->arg, s->w, s->d, s->m, 0);
    } else {
        enc_rr(a, s->arg, s->w, s->d, s->s[0]);
    }
}

static void e_group_f7(Asm *a, const Sel *s)
{
    enc_rr(a, OPC(0, 0, 0xf7), s->w, (Reg)s->arg, s->d);
}

static void e_imul_i(Asm *a, const Sel *s)
{
    x_imul_rri(a, s->w, s->d, s->s[0], (int32_t)s->k);
}

static void e_movzx8(Asm *a, const Sel *s)
{
    x_movzx8_rr(a, s->d, s->s[0]);
}

static void e_mov32(Asm *a, const Sel *s)
{
    x_mov_rr(a, 0, s->d, s->s[0]);
}

static void e_movzx16(Asm *a, const Sel *s)
{
    x_movzx16_rr(a, 0, s->d, s->s[0]);
}

static void e_andn(Asm *a, const Sel *s)
{
    x_andn_rrr(a, s->w, s->d, s->s[1], s->s[0]);
}

enum { SHLX = VOPC(1, 2, 0xf7, 0, 0, N), SARX = VOPC(2, 2, 0xf7, 0, 0, N), SHRX = VOPC(3, 2, 0xf7, 0, 0, N) };

static void e_shift_i(Asm *a, const Sel *s)
{
    enc_rr(a, OPC(0, 0, 0xc1), s->w, (Reg)s->arg, s->d);
    put8(a, (unsigned)s->k & (s->w ? 63 : 31));
}

/* shlx, sarx, shrx by packed prefix in arg */
static void e_shx(Asm *a, const Sel *s)
{
    enc_v_rr(a, s->arg | (unsigned)s->w << 14, s->d, s->s[1], s->s[0]);
}

static void e_shx_i(Asm *a, const Sel *s)
{
    if (s->arg == SHLX && ((unsigned)s->k & 63) <= 3) {
        x_lea(a, s->w, s->d, (Mem){NOREG, s->s[0], (uint8_t)(s->k & 3), 0, 0});
        return;
    }
    x_mov_ri(a, s->t[0], (unsigned)s->k & 63);
    enc_v_rr(a, s->arg | (unsigned)s->w << 14, s->d, s->t[0], s->s[0]);
}

static void e_rorx(Asm *a, const Sel *s)
{
    x_rorx_rri(a, s->w, s->d, s->s[0], (unsigned)s->k & (s->w ? 63 : 31));
}

static void e_cls(Asm *a, const Sel *s)
{
    x_mov_rr(a, 1, s->d, s->s[0]);
    x_sar_ri(a, s->w, s->d, 1);
    x_xor_rr(a, s->w, s->d, s->s[0]);
    x_lzcnt_rr(a, s->w, s->d, s->d);
    x_alu_ri(a, 0, ALU_SUB, s->d, 1);
}

static void e_bswap(Asm *a, const Sel *s)
{
    x_bswap(a, s->w, s->d);
}

/* swaps the bit groups of one size: d = (d >> n & mask) | (d & mask) << n */
static void swap_groups(Asm *a, const Sel *s, unsigned n, uint64_t mask)
{
    x_mov_ri(a, s->t[1], s->w ? mask : (uint32_t)mask);
    x_mov_rr(a, 1, s->t[0], s->d);
    x_shr_ri(a, s->w, s->d, n);
    x_and_rr(a, s->w, s->t[0], s->t[1]);
    x_and_rr(a, s->w, s->d, s->t[1]);
    x_shl_ri(a, s->w, s->t[0], n);
    x_or_rr(a, s->w, s->d, s->t[0]);
}

static void e_rbit(Asm *a, const Sel *s)
{
    x_bswap(a, s->w, s->d);
    swap_groups(a, s, 4, 0x0f0f0f0f0f0f0f0f);
    swap_groups(a, s, 2, 0x3333333333333333);
    swap_groups(a, s, 1, 0x5555555555555555);
}

static void e_rev16(Asm *a, const Sel *s)
{
    if (s->w) {
        swap_groups(a, s, 8, 0x00ff00ff00ff00ff);
    } else {
        x_bswap(a, 0, s->d);
        x_rol_ri(a, 0, s->d, 16);
    }
}

static void e_rev32(Asm *a, const Sel *s)
{
    x_bswap(a, s->w, s->d);
    if (s->w) {
        x_rorx_rri(a, 1, s->d, s->d, 32);
    }
}

static void e_sext32(Asm *a, const Sel *s)
{
    if (s->mi == 0) {
        x_movsxd_rm(a, 1, s->d, s->m);
    } else {
        x_movsxd_rr(a, 1, s->d, s->s[0]);
    }
}

static IrType operand_type(const Sel *s)
{
    return ir_result_type(&s->l->ins[s->i->a]);
}

static void e_bits_to_f(Asm *a, const Sel *s)
{
    if (s->i->ty == F64) {
        x_vmovq_r_rr(a, s->d, s->s[0]);
    } else {
        x_vmovd_rr(a, s->d, s->s[0]);
    }
}

static void e_f_to_bits(Asm *a, const Sel *s)
{
    switch (operand_type(s)) {
    case F64: x_vmovq_r_to_rr(a, s->s[0], s->d); break;
    case F32: x_vmovd_to_rr(a, s->s[0], s->d); break;
    default: x_vpextrw_rri(a, s->s[0], s->d, 0); break;
    }
}

/* -- ops that place their operands themselves -------------------------------------------------------------- */

static void own_ubfx(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    unsigned lsb = in->x, n = in->y;
    int w = in->ty == I64;
    Reg s, d;
    if (lsb == 0 && (n == 8 || n == 16 || n == 32)) {
        s = l_reg(l, in->a);
        d = l_dst(l, i, false);
        n == 8 ? x_movzx8_rr(a, d, s) : n == 16 ? x_movzx16_rr(a, 0, d, s) : x_mov_rr(a, 0, d, s);
        l_def(l, i, d, true);
        return;
    }
    l_clobber(l);
    s = l_reg(l, in->a);
    d = l_dst(l, i, false);
    if (n >= 32) { /* only i64: no immediate mask */
        l_mov(l, I64, d, s);
        x_shl_ri(a, 1, d, 64 - lsb - n);
        x_shr_ri(a, 1, d, 64 - n);
    } else {
        if (lsb) {
            if (d == s) {
                x_shr_ri(a, w, d, lsb);
            } else {
                x_rorx_rri(a, w, d, s, lsb); /* a move and a shift in one; the mask takes the rest away */
            }
        } else {
            l_mov(l, I64, d, s);
        }
        if (n == 8) {
            x_movzx8_rr(a, d, d);
        } else if (n == 16) {
            x_movzx16_rr(a, 0, d, d);
        } else {
            x_alu_ri(a, 0, ALU_AND, d, (int32_t)bits_mask(n));
        }
    }
    l_def(l, i, d, true);
}

static void own_sbfx(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    unsigned lsb = in->x, n = in->y, width = in->ty == I64 ? 64 : 32;
    int w = in->ty == I64;
    bool neutral = lsb == 0 && (n == 8 || n == 16 || n == 32);
    if (!neutral) {
        l_clobber(l);
    }
    Reg s = l_reg(l, in->a), d = l_dst(l, i, false);
    if (neutral) {
        n == 8 ? x_movsx8_rr(a, w, d, s) : n == 16 ? x_movsx16_rr(a, w, d, s) : x_movsxd_rr(a, 1, d, s);
    } else {
        l_mov(l, I64, d, s);
        x_shl_ri(a, w, d, width - lsb - n);
        x_sar_ri(a, w, d, width - n);
    }
    l_def(l, i, d, true);
}

static void own_bfi(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    unsigned lsb = in->x, n = in->y, width = in->ty == I64 ? 64 : 32;
    int w = in->ty == I64;
    l_clobber(l);
    Reg b = l_take(l, in->b), s = l_reg(l, in->a);
    x_shl_ri(a, w, b, width - n);
    if (width - n - lsb) {
        x_shr_ri(a, w, b, width - n - lsb);
    }
    uint64_t hole = ~(bits_mask(n) << lsb);
    Reg k = NOREG;
    if (w && (int64_t)hole != (int32_t)hole) {
        k = l_temp(l);
        x_mov_ri(a, k, hole);
    }
    Reg d = l_dst(l, i, false);
    if (d == b) {
        d = l_temp(l);
    }
    l_mov(l, I64, d, s);
    if (k != NOREG) {
        x_and_rr(a, 1, d, k);
    } else {
        x_alu_ri(a, w, ALU_AND, d, (int32_t)hole);
    }
    x_or_rr(a, w, d, b);
    l_def(l, i, d, true);
}

static void own_extr(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    l_clobber(l);
    Reg hi = l_reg(l, in->a), d = l_take(l, in->b);
    x_shrd_rri(&l->a, in->ty == I64, d, hi, (unsigned)in->imm);
    l_def(l, i, d, true);
}

static void own_ror(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    l_clobber(l);
    l_fix(l, RCX);
    Reg n = l_reg(l, in->b), d = l_take(l, in->a);
    x_mov_rr(&l->a, 0, RCX, n);
    enc_rr(&l->a, OPC(0, 0, 0xd3), in->ty == I64, 1, d);
    l_def(l, i, d, true);
}

static void own_mulh_u(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    l_fix(l, RDX);
    Reg x = l_reg(l, in->a), y = l_reg(l, in->b);
    l_mov(l, I64, RDX, x);
    Reg d = l_dst(l, i, false);
    x_mulx_rrr(&l->a, 1, d, d, y);
    l_def(l, i, d, true);
}

static void own_mulh_s(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    l_clobber(l);
    l_fix(l, RAX);
    l_fix(l, RDX);
    Reg x = l_reg(l, in->a), y = l_reg(l, in->b);
    l_mov(l, I64, RAX, x);
    x_imul1_r(&l->a, 1, y);
    l_def(l, i, RDX, true);
}

static void own_div(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    int w = in->ty == I64;
    bool sign = in->op == OP_sdiv;
    l_clobber(l);
    l_fix(l, RAX);
    l_fix(l, RDX);
    Reg x = l_reg(l, in->a), y = l_reg(l, in->b);
    uint8_t *done2 = NULL;
    l->ef = 0;
    x_xor_rr(a, 0, RAX, RAX);
    x_test_rr(a, w, y, y);
    uint8_t *done = x_jcc8(a, CC_E);
    x_mov_rr(a, 1, RAX, x);
    if (sign) {
        x_alu_ri(a, w, ALU_CMP, y, -1);
        uint8_t *divide = x_jcc8(a, CC_NE);
        x_neg_r(a, w, RAX);
        done2 = x_jmp8(a);
        asm_link8(divide, a->p);
        if (w) {
            put8(a, 0x48);
        }
        x_byte(a, X_CDQ);
        x_idiv_r(a, w, y);
    } else {
        x_xor_rr(a, 0, RDX, RDX);
        x_div_r(a, w, y);
    }
    asm_link8(done, a->p);
    if (done2) {
        asm_link8(done2, a->p);
    }
    l_def(l, i, RAX, true);
}

static void own_zext32(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Reg s = l_reg(l, in->a);
    if (l->val[in->a].attr & A_ZX) {
        l_alias(l, i, in->a, true);
        return;
    }
    Reg d = l_dst(l, i, false);
    x_mov_rr(&l->a, 0, d, s);
    l_def(l, i, d, true);
}

static void own_alias(Lower *l, IrRef i)
{
    l_alias(l, i, l_ins(l, i)->a, false);
}

static void own_s_to_v(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    IrType ty = ir_result_type(l_ins(l, in->a));
    Reg s = l_reg(l, in->a);
    if (l->val[in->a].attr & A_ZX) {
        l_alias(l, i, in->a, true);
        return;
    }
    if (ty == F64 || ty == F32) {
        Reg d = l_dst(l, i, false);
        if (ty == F64) {
            x_vmovq_rr(&l->a, d, s);
        } else {
            x_vinsertps_rrri(&l->a, d, s, s, 0x0e);
        }
        l_def(l, i, d, true);
        return;
    }
    Reg t = l_temp(l), d = l_dst(l, i, false);
    x_vpextrw_rri(&l->a, s, t, 0);
    x_vmovd_rr(&l->a, d, t);
    l_def(l, i, d, true);
}

/* -- the table ------------------------------------------------------------------------------------------------ */

const Rule rules_int[] = {
    RULE(add, 0, 0, D_R, S_SHL, S_I, 0, R_ZX, e_lea_scaled_i, 0)
    RULE(add, 0, 0, D_R, S_SHL, S_R, 0, R_ZX, e_lea_scaled, 0)
    RULE(add, 0, 0, D_R, S_R, S_SHL, 0, R_ZX, e_lea_scaled, 1)
    RULE(add, 0, 0, D_R, S_R, S_I, 0, R_ZX, e_lea_ri, 0)
    RULE(add, 0, 0, D_R, S_R, S_R, 0, R_ZX, e_lea_rr, 0)
    RULE(add, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX | R_SETS, e_alu_i, ALU_ADD)
    RULE(add, 0, 0, D_RT, S_R, S_RM, 0, R_CLOB | R_COMM | R_ZX | R_SETS, e_alu, OPC(0, 0, 0x03))

    RULE(sub, 0, 0, D_R, S_R, S_I, 0, R_ZX, e_lea_neg, 0)
    RULE(sub, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX | R_SETS, e_alu_i, ALU_SUB)
    RULE(sub, 0, 0, D_RT, S_R, S_RM, 0, R_CLOB | R_ZX | R_SETS, e_alu, OPC(0, 0, 0x2b))

    RULE(mul, 0, 0, D_R, S_R, S_I, 0, R_CLOB | R_ZX, e_imul_i, 0)
    RULE(mul, 0, 0, D_RT, S_R, S_RM, 0, R_CLOB | R_COMM | R_ZX, e_alu, OPC(0, 1, 0xaf))
    OWN(mulh_u, 0, 0, own_mulh_u)
    OWN(mulh_s, 0, 0, own_mulh_s)
    OWN(sdiv, 0, 0, own_div)
    OWN(udiv, 0, 0, own_div)

    RULE(neg, 0, 0, D_RT, S_R, 0, 0, R_CLOB | R_ZX, e_group_f7, 3)
    RULE(not, 0, 0, D_RT, S_R, 0, 0, R_ZX, e_group_f7, 2)

    RULE(and, 0, 0, D_R, S_R, S_FF, 0, R_ZX, e_movzx8, 0)
    RULE(and, 0, 0, D_R, S_R, S_FFFF, 0, R_ZX, e_movzx16, 0)
    RULE(and, 0, 0, D_R, S_R, S_FFFFFFFF, 0, R_ZX, e_mov32, 0)
    RULE(and, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX | R_SETS, e_alu_i, ALU_AND)
    RULE(and, 0, 0, D_RT, S_R, S_RM, 0, R_CLOB | R_COMM | R_ZX | R_SETS, e_alu, OPC(0, 0, 0x23))
    RULE(or, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX, e_alu_i, ALU_OR)
    RULE(or, 0, 0, D_RT, S_R, S_RM, 0, R_CLOB | R_COMM | R_ZX, e_alu, OPC(0, 0, 0x0b))
    RULE(xor, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX, e_alu_i, ALU_XOR)
    RULE(xor, 0, 0, D_RT, S_R, S_RM, 0, R_CLOB | R_COMM | R_ZX, e_alu, OPC(0, 0, 0x33))
    RULE(andn, 0, 0, D_R, S_R, S_R, 0, R_CLOB | R_ZX | R_SETS, e_andn, 0)

    RULE(shl, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX, e_shift_i, 4)
    RULE(shl, 0, 0, D_R, S_R, S_I, 0, R_T1 | R_ZX, e_shx_i, SHLX)
    RULE(shl, 0, 0, D_R, S_R, S_R, 0, R_ZX, e_shx, SHLX)
    RULE(lshr, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX, e_shift_i, 5)
    RULE(lshr, 0, 0, D_R, S_R, S_I, 0, R_T1 | R_ZX, e_shx_i, SHRX)
    RULE(lshr, 0, 0, D_R, S_R, S_R, 0, R_ZX, e_shx, SHRX)
    RULE(ashr, 0, 0, D_RT, S_R, S_I, 0, R_CLOB | R_ZX, e_shift_i, 7)
    RULE(ashr, 0, 0, D_R, S_R, S_I, 0, R_T1 | R_ZX, e_shx_i, SARX)
    RULE(ashr, 0, 0, D_R, S_R, S_R, 0, R_ZX, e_shx, SARX)
    RULE(ror, 0, 0, D_R, S_R, S_I, 0, R_ZX, e_rorx, 0)
    OWN(ror, 0, 0, own_ror)
    OWN(extr, 0, 0, own_extr)
    OWN(ubfx, 0, 0, own_ubfx)
    OWN(sbfx, 0, 0, own_sbfx)
    OWN(bfi, 0, 0, own_bfi)

    RULE(clz, 0, 0, D_R, S_RM, 0, 0, R_CLOB | R_ZX, e_unary, OPC(2, 1, 0xbd))
    RULE(ctz, 0, 0, D_R, S_RM, 0, 0, R_CLOB | R_ZX, e_unary, OPC(2, 1, 0xbc))
    RULE(popcnt, 0, 0, D_R, S_RM, 0, 0, R_CLOB | R_ZX, e_unary, OPC(2, 1, 0xb8))
    RULE(cls, 0, 0, D_RE, S_R, 0, 0, R_CLOB | R_ZX, e_cls, 0)
    RULE(bswap, 0, 0, D_RT, S_R, 0, 0, R_ZX, e_bswap, 0)
    RULE(rbit, 0, 0, D_RT, S_R, 0, 0, R_CLOB | R_ZX | R_T1 | R_T2, e_rbit, 0)
    RULE(rev16, 0, 0, D_RT, S_R, 0, 0, R_CLOB | R_ZX | R_T1 | R_T2, e_rev16, 0)
    RULE(rev32, 0, 0, D_RT, S_R, 0, 0, R_ZX, e_rev32, 0)
    RULE(sext32, 0, 0, D_R, S_RM, 0, 0, R_ZX, e_sext32, 0)
    OWN(zext32, 0, 0, own_zext32)
    OWN(trunc, 0, 0, own_alias)

    RULE(bits_to_f, TY(F64) | TY(F32), 0, D_X, S_R, 0, 0, R_ZX, e_bits_to_f, 0)
    RULE(bits_to_f, 0, 0, D_X, S_R, 0, 0, 0, e_bits_to_f, 0)
    RULE(f_to_bits, 0, 0, D_R, S_X, 0, 0, R_ZX, e_f_to_bits, 0)
    OWN(s_to_v, 0, 0, own_s_to_v)
    OWN(v_to_s, 0, 0, own_alias)
};
const unsigned rules_int_n = LEN(rules_int);
