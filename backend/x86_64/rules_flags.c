/* rules_flags.c - condition flags: making them, testing them, keeping them.
 *
 * A flags value lives in EFLAGS (l->ef, in one of the forms of FlagForm), packed in a general register, in the
 * nzcv slot or a spill place, or nowhere: then its compare is issued again from operands that were kept alive
 * (A_REISSUE). Arm's C after a subtraction is the inverse of x86's: that is the form FF_SUB and known only here.
 * The packed form has junk outside PACKED_*, in registers and in the slot, whose lower half alone is stored and loaded;
 * fl_pack masks it.
 * FCMP needs one (v)ucomis and one jump for every condition but EQ and NE, if the operand order fits.
 */
#include "sel.h"

enum { PACKED_ALL = PACKED_N | PACKED_Z | PACKED_C | PACKED_V };

static bool wants_swapped(int cond)
{
    return cond == C_CS || cond == C_CC || cond == C_MI || cond == C_PL || cond == C_HI || cond == C_LS;
}

/* cmp or test of two values with the shortest form. */
static void compare(Lower *l, IrType ty, IrRef x, IrRef y, bool test)
{
    Asm *a = &l->a;
    int w = ty == I64;
    Mem m;
    if (l_is_const(l, y)) {
        int64_t k = (int64_t)ir_imm64(l_ins(l, y));
        if (ty == I32) {
            k = (int32_t)k;
        }
        if (k == (int32_t)k) {
            if (!test && l_in_memory(l, x, &m) && !l_lives(l, x)) {
                x_alu_mi(a, w, ALU_CMP, m, (int32_t)k);
                return;
            }
            Reg r = l_reg(l, x);
            if (test && k >= 0 && k < 128) {
                x_test8_ri(a, r, (unsigned)k);
            } else if (test) {
                x_test_ri(a, w, r, (int32_t)k);
            } else if (k == 0) {
                x_test_rr(a, w, r, r);
            } else {
                x_alu_ri(a, w, ALU_CMP, r, (int32_t)k);
            }
            return;
        }
    }
    Reg r = l_reg(l, x);
    if (!test && l_in_memory(l, y, &m) && !l_lives(l, y)) {
        x_cmp_rm(a, w, r, m);
        return;
    }
    Reg q = l_reg(l, y);
    test ? x_test_rr(a, w, q, r) : x_cmp_rr(a, w, r, q);
}

/* Compares x with y. Issued again (not first) it cannot trap: it did not the first time. Where NaNs signal often, the
 * comparison is a quiet one, and FPSR.IOC is set here. */
static void fcmp(Lower *l, IrType ty, bool signals, Reg x, Reg y, bool first)
{
    Asm *a = &l->a;
    bool fz = l->r->key & KEY_FP_FZ, often = signals && (l->marks & MARK_FP) && !fz;
    unsigned quiet = ty == F64 ? X_vucomisd : X_vucomiss, loud = ty == F64 ? X_vcomisd : X_vcomiss;
    unsigned op = (signals && !often) || fz ? loud : quiet; /* FZ: a denormal beside a quiet NaN would not be seen */
    if (first) {
        l_fault(l);
    }
    enc_v_rr(a, op, x, 0, y);
    if (often) {
        uint8_t *ordered = x_jcc8(a, CC_NP);
        x_alu_mi(a, 0, ALU_OR, l_head(l, offsetof(CpuHead, fp) + offsetof(FpEnv, fpsr)), 1);
        enc_v_rr(a, op, x, 0, y);
        asm_link8(ordered, a->p);
    }
}

bool fl_issue(Lower *l, IrRef f, int cond)
{
    const IrIns *in = l_ins(l, f);
    Asm *a = &l->a;
    IrType ty = (IrType)in->ty;
    l->ef = 0;
    switch (in->op) {
    case OP_fl_sub:
        compare(l, ty, in->a, in->b, false);
        l->form = FF_SUB;
        break;
    case OP_fl_add: {
        uint64_t k = l_is_const(l, in->b) ? ir_imm64(l_ins(l, in->b)) : 1ull << 40;
        bool imm = ty == I32 ? l_is_const(l, in->b) : (int64_t)k == (int32_t)k;
        Reg y = imm ? NOREG : l_reg(l, in->b), t;
        if (l->pos == f) {
            t = l_take(l, in->a);
        } else { /* issued again, for an op that may use the summand itself */
            Reg x = l_reg(l, in->a);
            t = l_temp(l);
            l_mov(l, ty, t, x);
        }
        if (imm) {
            x_alu_ri(a, ty == I64, ALU_ADD, t, (int32_t)k);
        } else {
            x_add_rr(a, ty == I64, t, y);
        }
        l->form = FF_ADD;
        break;
    }
    case OP_fl_logic: {
        const IrIns *x = l_ins(l, in->a);
        if (x->op == OP_and && (l->val[in->a].attr & A_LAZY)) {
            uint64_t k = l_is_const(l, x->b) ? ir_imm64(l_ins(l, x->b)) : 0;
            if (l_is_const(l, x->b) && k < 128 && cond != C_EQ && cond != C_NE) {
                Reg r = l_reg(l, x->a); /* the 8-bit form has another sign */
                x_test_ri(a, ty == I64, r, (int32_t)k);
            } else {
                compare(l, ty, x->a, x->b, true);
            }
        } else {
            Reg r = l_reg(l, in->a);
            x_test_rr(a, ty == I64, r, r);
        }
        l->form = FF_ADD;
        break;
    }
    case OP_fl_fcmp: {
        bool swap = cond >= 0 && wants_swapped(cond);
        Reg x = l_reg(l, in->a), y = l_reg(l, in->b);
        fcmp(l, ty, in->y && l->pos == f, swap ? y : x, swap ? x : y, l->pos == f);
        l->form = swap ? FF_FBA : FF_FAB;
        break;
    }
    default:
        return false;
    }
    l->ef = f;
    return true;
}

void fl_save(Lower *l)
{
    IrRef f = l->ef;
    Asm *a = &l->a;
    if (l->form == FF_ADD || l->form == FF_SUB) {
        /* The op being lowered may have rax as a temporary already: then it is kept aside meanwhile. */
        bool taken = !l->reg_val[RAX] && (l->lock & 1u << RAX);
        Reg aside = taken ? l_temp(l) : RAX;
        if (taken) {
            x_mov_rr(a, 1, aside, RAX);
        } else {
            l_fix(l, RAX);
        }
        if (l->form == FF_SUB) {
            x_byte(a, X_CMC);
            l->form = FF_ADD;
        }
        x_byte(a, X_LAHF);
        x_setcc(a, CC_O, RAX);
        if (taken) {
            x_xchg_rr(a, 1, aside, RAX);
        }
        l_def(l, f, aside, false);
        return;
    }
    Reg d = l_temp(l), t = l_temp(l);
    bool fba = l->form == FF_FBA;
    x_mov_ri(a, d, fba ? PACKED_N : PACKED_C);
    x_mov_ri(a, t, fba ? PACKED_C : PACKED_N);
    x_cmov_rr(a, 0, CC_B, d, t);
    x_mov_ri(a, t, PACKED_Z | PACKED_C);
    x_cmov_rr(a, 0, CC_E, d, t);
    x_mov_ri(a, t, PACKED_C | PACKED_V);
    x_cmov_rr(a, 0, CC_P, d, t);
    l_def(l, f, d, false);
}

static bool has_packed(const Lower *l, IrRef f)
{
    const Val *v = &l->val[f];
    return v->reg != NOREG || v->home != NOSLOT || v->spill != NOSPILL;
}

Reg fl_packed(Lower *l, IrRef f)
{
    const IrIns *in = l_ins(l, f);
    if (has_packed(l, f)) {
        return l_reg(l, f);
    }
    if (in->op == OP_fl_const) {
        Reg r = l_temp(l);
        x_mov_ri(&l->a, r, nzcv_pack((unsigned)in->imm));
        l_def(l, f, r, false);
        return r;
    }
    if (l->ef != f) {
        l_clobber(l);
        uint64_t lock = l->lock;
        if (!fl_issue(l, f, -1)) {
            BUG("flags %%%u of %s are lost", f, ir_ops[in->op].name);
        }
        l->lock = lock; /* of the compare's operands nothing is needed any more: rax may be one */
    }
    fl_save(l);
    return l->val[f].reg;
}

FlagForm fl_in_eflags(Lower *l, IrRef f, int cond)
{
    const IrIns *in = l_ins(l, f);
    Asm *a = &l->a;
    if (l->ef == f) {
        bool fcmp = l->form == FF_FAB || l->form == FF_FBA;
        if (fcmp && cond != C_EQ && cond != C_NE && cond != C_VS && cond != C_VC &&
            wants_swapped(cond) != (l->form == FF_FBA)) {
            fl_issue(l, f, cond);
        }
        return l->form;
    }
    l_clobber(l);
    if (((l->val[f].attr & A_REISSUE) || !has_packed(l, f)) && fl_issue(l, f, cond)) {
        return l->form;
    }
    if (l->val[f].reg == RAX && !l_lives(l, f)) {
        l->lock |= 1u << RAX;
        l->val[f].reg = NOREG;
        l->reg_val[RAX] = 0;
        l->busy &= ~(uint64_t)1;
    } else {
        l_fix(l, RAX);
        Mem m;
        if (in->op == OP_fl_const) {
            x_mov_ri(a, RAX, nzcv_pack((unsigned)in->imm));
        } else if (l_in_memory(l, f, &m)) {
            x_movzx16_rm(a, 0, RAX, m);
        } else {
            Reg r = l_reg(l, f);
            x_mov_rr(a, 0, RAX, r);
        }
    }
    x_add_al(a, 0x7f);
    x_byte(a, X_SAHF);
    l->ef = f;
    return l->form = FF_ADD;
}

/* Condition code of EFLAGS in l->form for Arm's condition. */
static CondCode condition(Lower *l, int cond)
{
    static const uint8_t sub[] = {CC_E, CC_NE, CC_AE, CC_B, CC_S, CC_NS, CC_O, CC_NO, CC_A, CC_BE, CC_GE, CC_L, CC_G, CC_LE};
    static const uint8_t fab[] = {CC_E, CC_NE, 0, 0, 0, 0, CC_P, CC_NP, 0, 0, CC_AE, CC_B, CC_A, CC_BE};
    static const uint8_t fba[] = {CC_E, CC_NE, CC_BE, CC_A, CC_A, CC_BE, CC_P, CC_NP, CC_B, CC_AE, 0, 0, 0, 0};
    if (l->form == FF_FAB || l->form == FF_FBA) {
        return (CondCode){(X86Cond)(l->form == FF_FAB ? fab : fba)[cond], cond == C_EQ, cond == C_NE};
    }
    if (l->form == FF_ADD) {
        if (cond == C_CS || cond == C_CC) {
            return (CondCode){cond == C_CS ? CC_B : CC_AE, false, false};
        }
        if (cond == C_HI || cond == C_LS) {
            x_byte(&l->a, X_CMC);
            l->form = FF_SUB;
        }
    }
    return (CondCode){(X86Cond)sub[cond], false, false};
}

static CondCode plain(X86Cond cc)
{
    return (CondCode){cc, false, false};
}

static CondCode test_flags(Lower *l, IrRef f, int cond)
{
    Mem m;
    static const uint8_t bit[] = {0x40, 0x40, 0x01, 0x01, 0x80, 0x80, 0x01, 0x01};
    if (l->ef != f && cond < C_HI && l_in_memory(l, f, &m)) {
        l_clobber(l);
        l->ef = 0;
        m.disp += cond < C_VS ? 1 : 0;
        x_test8_mi(&l->a, m, bit[cond]);
        return plain(cond & 1 ? CC_E : CC_NE);
    }
    fl_in_eflags(l, f, cond);
    return condition(l, cond);
}

static CondCode cond_code(Lower *l, IrRef v)
{
    static const uint8_t rel[] = {CC_E, CC_NE, CC_B, CC_BE, CC_L, CC_LE, CC_A, CC_AE, CC_G, CC_GE};
    const IrIns *in = l_ins(l, v);
    Asm *a = &l->a;
    if ((l->val[v].attr & A_LAZY) && in->op == OP_test_flags) {
        return test_flags(l, in->a, in->x);
    }
    l_clobber(l);
    l->ef = 0;
    if ((l->val[v].attr & A_LAZY) && in->op == OP_and) {
        compare(l, (IrType)in->ty, in->a, in->b, true);
        return plain(CC_NE);
    }
    if (!(l->val[v].attr & A_LAZY) || in->op == OP_add) {
        Reg r = l_reg(l, v);
        x_test_rr(a, ir_result_type(in) == I64, r, r);
        return plain(CC_NE);
    }
    int w = in->ty == I64;
    Mem m;
    if (in->op == OP_cmp) {
        compare(l, (IrType)in->ty, in->a, in->b, false);
        return plain((X86Cond)rel[in->x]);
    }
    if (in->op == OP_is_zero) {
        if (l_in_memory(l, in->a, &m) && !l_lives(l, in->a)) {
            x_alu_mi(a, w, ALU_CMP, m, 0);
        } else {
            Reg r = l_reg(l, in->a);
            x_test_rr(a, w, r, r);
        }
        return plain(in->x ? CC_NE : CC_E);
    }
    unsigned n = (unsigned)in->imm;
    if (l_in_memory(l, in->a, &m) && !l_lives(l, in->a)) {
        m.disp += (int32_t)(n / 8);
        x_test8_mi(a, m, 1u << n % 8);
        return plain(in->x ? CC_E : CC_NE);
    }
    Reg r = l_reg(l, in->a);
    if (n == (w ? 63 : 31)) {
        x_test_rr(a, w, r, r);
        return plain(in->x ? CC_NS : CC_S);
    }
    if (n < 8) {
        x_test8_ri(a, r, 1u << n);
        return plain(in->x ? CC_E : CC_NE);
    }
    x_bt_i_ri(a, n >= 32, r, n);
    return plain(in->x ? CC_AE : CC_B);
}

CondCode fl_cond(Lower *l, IrRef v)
{
    CondCode c = cond_code(l, v);
    l->hot = true;
    return c;
}

void fl_store(Lower *l)
{
    IrRef f = l->nz;
    if (!f) {
        return;
    }
    const IrIns *in = l_ins(l, f);
    Mem m = l_slot(l, l->e->fe->nzcv_slot);
    if (in->op == OP_fl_const && l->val[f].reg == NOREG) {
        x_mov_mi(&l->a, 0, m, (int32_t)nzcv_pack((unsigned)in->imm));
    } else {
        Reg r = fl_packed(l, f);
        x_store16_rm(&l->a, 0, r, m);
    }
    l->nz = 0;
}

/* -- ops ---------------------------------------------------------------------------------------------------- */

/* A flags op at its own place; the next condition that will be asked is worth a look. */
static void own_flags(Lower *l, IrRef i)
{
    int cond = -1;
    for (IrRef k = i + 1; k < l->r->n && k < i + 8; k++) {
        if (l->ins[k].op == OP_test_flags && l->ins[k].a == i) {
            cond = l->ins[k].x;
            break;
        }
    }
    l_clobber(l);
    fl_issue(l, i, cond);
}

/* Carry in EFLAGS: as Arm has it, or inverted (for sbb). */
static void carry_in(Lower *l, IrRef f, bool inverted)
{
    const uint64_t lock = l->lock;
    FlagForm form = fl_in_eflags(l, f, C_CS);
    if (form == FF_FAB || form == FF_FBA) {
        fl_save(l);
        l->ef = 0;
        l->lock = 0; /* nothing of this op is in a register yet */
        l->val[f].attr &= (uint8_t)~A_REISSUE; /* packed now, and not to be compared again */
        fl_in_eflags(l, f, C_CS);
    }
    if (l_lives(l, f) && !has_packed(l, f) && !(l->val[f].attr & A_REISSUE)) {
        fl_save(l);
    }
    if (inverted != (l->form == FF_SUB)) {
        x_byte(&l->a, X_CMC);
    }
    l->lock = lock; /* what made the flags is not needed any more */
}

static void e_carry(Asm *a, const Sel *s)
{
    enc_rr(a, s->arg, s->w, s->d, s->s[1]);
}

static void own_carry_op(Lower *l, IrRef i)
{
    static const Rule adc = {OP_adc, 0, 0, D_RT, {S_R, S_R, S_NONE}, R_ZX | R_SETS, 0, e_carry, NULL, OPC(0, 0, 0x13)};
    static const Rule sbc = {OP_sbc, 0, 0, D_RT, {S_R, S_R, S_NONE}, R_ZX | R_SETS, 0, e_carry, NULL, OPC(0, 0, 0x1b)};
    const IrIns *in = l_ins(l, i);
    carry_in(l, in->c, in->op == OP_sbc);
    IrRef keep = l->ef; /* nothing before the op itself may change EFLAGS: ef stays set meanwhile */
    l_rule(l, i, in->op == OP_adc ? &adc : &sbc);
    if (l->ef == keep) {
        l->ef = 0;
    }
}

static void own_fl_carry(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    bool sub = in->op == OP_fl_sbc;
    carry_in(l, in->c, sub);
    Reg y = l_reg(l, in->b), t = l_take(l, in->a);
    enc_rr(&l->a, OPC(0, 0, sub ? 0x1bu : 0x13u), in->ty == I64, t, y);
    l->ef = i;
    l->form = sub ? FF_SUB : FF_ADD;
}

static void own_fl_select(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    const IrIns *yes = l_ins(l, in->b), *no = l_ins(l, in->c);
    bool lazy = (l->val[in->b].attr & A_REISSUE) && !has_packed(l, in->b) && l->ef != in->b;
    uint64_t k = yes->b && l_is_const(l, yes->b) ? ir_imm64(l_ins(l, yes->b)) : 0;
    bool simple = lazy && yes->op == OP_fl_sub && no->op == OP_fl_const && (yes->ty == I32 || (int64_t)k == (int32_t)k);
    CondCode c = fl_cond(l, in->a);
    if (l->ef && l_lives(l, l->ef) && !has_packed(l, l->ef) && !(l->val[l->ef].attr & A_REISSUE)) {
        fl_save(l); /* may change the form */
        c = fl_cond(l, in->a);
    }
    l->lock = 0;
    if (simple && !c.and_np && !c.or_p) {
        /* CCMP: compare, or set the constant, by a jump; the result stays in EFLAGS */
        l_fix(l, RAX);
        l_reg(l, yes->a);
        if (!l_is_const(l, yes->b)) {
            l_reg(l, yes->b);
        }
        uint8_t *other = x_jcc8(a, c.cc ^ 1);
        uint64_t busy = l->busy;
        fl_issue(l, in->b, -1);
        ASSERT(busy == l->busy);
        uint8_t *end = x_jmp8(a);
        asm_link8(other, a->p);
        x_mov_ri(a, RAX, nzcv_pack((unsigned)no->imm) ^ PACKED_C);
        x_add_al(a, 0x7f);
        x_byte(a, X_SAHF);
        asm_link8(end, a->p);
        l->ef = i;
        l->form = FF_SUB;
        return;
    }
    /* by packed values; rax stays free, flags are packed there */
    const uint64_t rax = ~l->lock & (uint64_t)1 << RAX;
    l->lock |= rax;
    Reg t = l_temp(l);
    if (c.and_np || c.or_p) {
        Reg one = l_temp(l);
        x_mov_ri(a, t, c.or_p);
        x_mov_ri(a, one, !c.or_p);
        x_cmov_rr(a, 0, CC_E, t, one);
        x_mov_ri(a, one, c.or_p);
        x_cmov_rr(a, 0, CC_P, t, one);
        l->lock &= ~((uint64_t)1 << one);
    } else {
        x_mov_ri(a, t, 0);
        x_setcc(a, c.cc, t);
    }
    l->lock &= ~rax;
    l->hot = false;
    fl_packed(l, in->b);
    l->lock = (uint64_t)1 << t;
    fl_packed(l, in->c);
    l_clobber(l);
    l->ef = 0;
    l->lock = (uint64_t)1 << t;
    Reg y = fl_packed(l, in->b), n = fl_packed(l, in->c), d = l_dst(l, i, true);
    x_mov_rr(a, 0, d, n);
    x_test_rr(a, 0, t, t);
    x_cmov_rr(a, 0, CC_NE, d, y);
    l_def(l, i, d, false);
}

static void own_fl_pack(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Reg s = fl_packed(l, in->a);
    l_clobber(l);
    l->ef = 0;
    Reg d = l_dst(l, i, true);
    x_mov_rr(&l->a, 0, d, s);
    x_alu_ri(&l->a, 0, ALU_AND, d, PACKED_ALL);
    l_def(l, i, d, true);
}

static void own_fl_unpack(Lower *l, IrRef i)
{
    Reg s = l_reg(l, l_ins(l, i)->a), d = l_temp(l);
    x_mov_rr(&l->a, 0, d, s);
    l_def(l, i, d, false);
}

/* A condition as a value 0 or 1. */
static void own_bool(Lower *l, IrRef i)
{
    Asm *a = &l->a;
    l->val[i].attr |= A_LAZY; /* fl_cond looks at the op itself */
    CondCode c = fl_cond(l, i);
    l->val[i].attr &= (uint8_t)~A_LAZY;
    Reg d = l_dst(l, i, true);
    if (c.and_np || c.or_p) {
        Reg t = l_temp(l);
        x_mov_ri(a, d, c.or_p);
        x_mov_ri(a, t, !c.or_p);
        x_cmov_rr(a, 0, CC_E, d, t);
        x_mov_ri(a, t, c.or_p);
        x_cmov_rr(a, 0, CC_P, d, t);
    } else if (l->t->temps >> d & 1) {
        x_setcc(a, c.cc, d);
        x_movzx8_rr(a, d, d);
    } else {
        x_mov_ri(a, d, 0);
        x_setcc(a, c.cc, d);
    }
    l_def(l, i, d, true);
}

static void own_select(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    IrType ty = (IrType)in->ty;
    bool gpr = ty == I32 || ty == I64;
    uint64_t yes = l_is_const(l, in->b) ? ir_imm64(l_ins(l, in->b)) : 2;
    uint64_t no = l_is_const(l, in->c) ? ir_imm64(l_ins(l, in->c)) : 2;
    if (gpr && yes + no == 1 && yes < 2) { /* CSET */
        CondCode c = fl_cond(l, in->a);
        if (!c.and_np && !c.or_p) {
            Reg d = l_dst(l, i, true);
            x_mov_ri(a, d, 0);
            x_setcc(a, no ? c.cc ^ 1 : c.cc, d);
            l_def(l, i, d, true);
            return;
        }
    }
    CondCode c = fl_cond(l, in->a);
    l->lock = 0; /* the condition's operands are done with */
    Reg y = l_reg(l, in->b), n = l_reg(l, in->c);
    if (c.or_p) { /* not equal or unordered: select the other way round */
        Reg t = y;
        y = n;
        n = t;
        c = (CondCode){CC_E, true, false};
    }
    Reg d = l_dst(l, i, true);
    if (!gpr) {
        l_mov(l, ty, d, y);
        if (c.and_np) {
            uint8_t *odd = x_jcc8(a, CC_P), *end = x_jcc8(a, c.cc);
            asm_link8(odd, a->p);
            l_mov(l, ty, d, n);
            asm_link8(end, a->p);
        } else {
            uint8_t *end = x_jcc8(a, c.cc);
            l_mov(l, ty, d, n);
            asm_link8(end, a->p);
        }
        bool zx = (l->val[in->b].attr & l->val[in->c].attr) & A_ZX;
        l_def(l, i, d, zx);
        return;
    }
    int w = ty == I64;
    l_mov(l, ty, d, y);
    x_cmov_rr(a, w, c.cc ^ 1, d, n);
    if (c.and_np) {
        x_cmov_rr(a, w, CC_P, d, n);
    }
    l_def(l, i, d, true);
}

const Rule rules_flags[] = {
    OWN(fl_add, 0, 0, own_flags)
    OWN(fl_sub, 0, 0, own_flags)
    OWN(fl_logic, 0, 0, own_flags)
    OWN(fl_fcmp, TY(F32) | TY(F64), 0, own_flags)
    OWN(fl_adc, 0, 0, own_fl_carry)
    OWN(fl_sbc, 0, 0, own_fl_carry)
    OWN(fl_select, 0, 0, own_fl_select)
    OWN(fl_pack, 0, 0, own_fl_pack)
    OWN(fl_unpack, 0, 0, own_fl_unpack)
    OWN(adc, 0, 0, own_carry_op)
    OWN(sbc, 0, 0, own_carry_op)
    OWN(test_flags, 0, 0, own_bool)
    OWN(cmp, 0, 0, own_bool)
    OWN(is_zero, 0, 0, own_bool)
    OWN(test_bit, 0, 0, own_bool)
    OWN(select, 0, 0, own_select)
};
const unsigned rules_flags_n = LEN(rules_flags);
