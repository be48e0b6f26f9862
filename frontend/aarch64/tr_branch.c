/* tr_branch.c - A64 branches and exception generation (rows of a64_branch.isa; DDI 0487 C4.1.87).
 *
 * Every translator here ends the region, but for conditional branches, whose other way goes on.
 * BTI (DDI 0487 D8.4.6): an indirect branch leaves where it goes and its BTYPE in the slot btype; a region that begins in
 * a guarded page compares that with its own address (tr_landing). What the slot says of another address is the past.
 */
#include "sys.h"
#include "tr.h"

static uint64_t target(const Tr *t, int words)
{
    return t->pc + ((uint64_t)(int64_t)words << 2);
}

void tr_b(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_branch(t, target(t, a->imm26));
}

void tr_bl(Tr *t, const A64 *a, int k)
{
    (void)k;
    uint64_t to = target(t, a->imm26);
    tr_set_reg(t, 30, ir_pconst(t->b, t->next));
    ir_exit_call(t->b, tr_exit_flags(t, to), to);
    t->ended = true;
}

/* CBZ; CBNZ with k = 1 */
void tr_cbz(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    tr_branch_if(t, ir_is_zero(t->b, ty, tr_reg(t, a->rt, ty), k), target(t, a->imm19));
}

/* TBZ; TBNZ with k = 1 */
void tr_tbz(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->b5);
    tr_branch_if(t, ir_test_bit(t->b, ty, tr_reg(t, a->rt, ty), (unsigned)(a->b5 << 5 | a->b40), !k), target(t, a->imm14));
}

void tr_b_cond(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_branch_if(t, tr_cond(t, a->cond), target(t, a->imm19));
}

static bool guarded(const Tr *t)
{
    return t->space->guarded && t->space->guarded(t->space, gva(t->pc));
}

/* BTYPE by BR and BLR (AArch64 BTypeNext): a jump by X16 or X17 may be a call's. */
static unsigned btype_of(const Tr *t, int rn, int kind)
{
    return kind == BR_CALL ? 2 : rn == 16 || rn == 17 || !guarded(t) ? 1 : 3;
}

void tr_landing(Tr *t, uint32_t word)
{
    enum { BTI = 0xd503241f, BTI_C = BTI | 1 << 6, BTI_J = BTI | 2 << 6, BTI_JC = BTI | 3 << 6, PACIASP = 0xd503233f,
           PACIBSP = 0xd503237f, BRK = 0xd4200000, HLT = 0xd4400000 };
    uint32_t trap = word & 0xffe0001f;
    if (!guarded(t) || word == BTI_JC || trap == BRK || trap == HLT) {
        return;
    }
    if ((word == PACIASP || word == PACIBSP) && t->key & KEY_SYSTEM && !(t->key & KEY_BT)) {
        return;
    }
    IrRef type = ir_xor(t->b, I64, ir_get(t->b, SLOT_btype, I64), ir_pconst(t->b, t->pc));
    IrRef bad;
    if (word == BTI_C || word == PACIASP || word == PACIBSP || word == BTI_J) { /* SCTLR_EL1.BT0 is 1 under Linux */
        bad = ir_cmp(t->b, I64, CMP_EQ, type, ir_iconst(t->b, I64, word == BTI_J ? 2 : 3));
    } else {
        bad = ir_cmp(t->b, I64, CMP_ULT, ir_sub(t->b, I64, type, ir_iconst(t->b, I64, 1)), ir_iconst(t->b, I64, 3));
    }
    ir_exit_exc_if(t->b, bad, EXC_BTI, 0);
}

/* The end of every branch to register rn, whose value, perhaps authenticated, is `to`. */
static void branch_to(Tr *t, IrRef to, int rn, int kind)
{
    if (kind != BR_RET && tr_has(t, A64_FEAT_bti)) {
        ir_set(t->b, SLOT_btype, ir_or(t->b, I64, to, ir_iconst(t->b, I64, btype_of(t, rn, kind))));
    }
    if (kind == BR_CALL) {
        tr_set_reg(t, 30, ir_pconst(t->b, t->next));
        ir_exit_call_ind(t->b, to);
    } else if (kind == BR_RET) {
        ir_exit_ret(t->b, to);
    } else {
        ir_exit_ind(t->b, to);
    }
    t->ended = true;
}

/* BR, BLR, RET: k = BR_* */
void tr_br(Tr *t, const A64 *a, int k)
{
    branch_to(t, tr_reg(t, a->rn, I64), a->rn, k);
}

static int inst_key(const A64 *a)
{
    return PAC_AUT | (a->m ? PAC_IB : PAC_IA);
}

/* BRAAZ, BRABZ, BLRAAZ, BLRABZ */
void tr_br_pac_z(Tr *t, const A64 *a, int k)
{
    branch_to(t, tr_pac_value(t, inst_key(a), tr_reg(t, a->rn, I64), ir_iconst(t->b, I64, 0)), a->rn, k);
}

/* BRAA, BRAB, BLRAA, BLRAB */
void tr_br_pac(Tr *t, const A64 *a, int k)
{
    IrRef n = tr_reg(t, a->rn, I64);
    branch_to(t, tr_pac_value(t, inst_key(a), n, tr_reg_or_sp(t, a->rm, I64)), a->rn, k);
}

/* RETAA, RETAB */
void tr_retaa(Tr *t, const A64 *a, int k)
{
    (void)k;
    branch_to(t, tr_pac_value(t, inst_key(a), tr_reg(t, 30, I64), tr_reg_or_sp(t, 31, I64)), 30, BR_RET);
}

void tr_svc(Tr *t, const A64 *a, int k)
{
    (void)k;
    /* the kernel's exception return clears the exclusive monitor (DDI 0487 B2.12.2) */
    ir_set(t->b, SLOT_excl_addr, ir_iconst(t->b, I64, ~(uint64_t)0));
    tr_exc(t, EXC_SVC, a->imm16, t->next);
}

void tr_brk(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_exc(t, EXC_BRK, a->imm16, t->pc);
}

void tr_hlt(Tr *t, const A64 *a, int k)
{
    (void)k;
    const Space *s = t->space;
    if (s->call && (t->pc & -(uint64_t)TR_PAGE) == s->call_page) {
        ir_call(t->b, H_space_call, ir_hconst(t->b, s), ir_iconst(t->b, I32, a->imm16), 0);
        return;
    }
    tr_exc(t, EXC_HLT, a->imm16, t->pc);
}

/* Allocated, but UNDEFINED at EL0: HVC SMC DCPS ERET DRPS, PSTATE fields and tag stores of EL1. */
void tr_priv_undef(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_undef(t, a);
}
