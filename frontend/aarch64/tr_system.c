/* tr_system.c - the system-mode front end: the rows and translators of armx-user, and others where levels above EL0 matter.
 *
 * A row of the .isa tables whose meaning depends on the level has its system translator in `overrides`; all others, and EL0's own
 * PSTATE fields, FPCR, NZCV, are the user translators. What a translation depends on is in the key (sys.h). Registers of kind SLOT and
 * CPU are read and written inline unless KEY_SLOW_SYS; all other accesses are calls, which may trap. After writes that may change the
 * key the region ends.
 */
#include "disas.h"
#include "helpers.h"
#include "log.h"
#include "sys_int.h"
#include "tr.h"

static const IrSlot slots[SYSLOT_COUNT] = {
#include "slots.def"
    [SYSLOT_lines] = {"lines", offsetof(A64Machine, sys.lines), I64},
    [SYSLOT_insns] = {"insns", offsetof(A64Machine, sys.pmu.insns), I64},
#define SYSROW_REG(name)
#define SYSROW_R32(name)
#define SYSROW_SLOT(name) [SYSLOT_##name] = {#name, offsetof(A64Machine, sys.reg[SR_##name]), I64},
#define SYSROW_CPU(name)
#define SYSROW_VM(name)
#define SYSROW_KEY(name)
#define SYSROW_ID(name)
#define SYSROW_HOOK(name)
#define SYSROW_DEV(name)
#define SYSROW_RAZ(name)
#define SYSREG(name, op0, op1, crn, crm, op2, feat, access, kind, trap, fgt) SYSROW_##kind(name)
#include "sysregs.def"
};

static const IrHelper helpers[HELPER_COUNT] = {
#define HELPER(name, ret, a, b, c, effects, doc) {#name, (void *)h_##name, ret, {a, b, c}, effects},
#include "helpers.def"
#undef HELPER
};

static unsigned level(const Tr *t)
{
    return t->key >> KEY_EL_SHIFT & 3;
}

static IrRef word_const(Tr *t, const A64 *a)
{
    return ir_iconst(t->b, I32, a->word);
}

/* -- system registers ------------------------------------------------------------------------------------------------------ */

/* Slot of a register that can be accessed inline here, or -1. */
static int inline_slot(const Tr *t, A64Sr sr, bool write)
{
    static const uint8_t places[SR_COUNT] = {
#undef SYSROW_SLOT
#define SYSROW_SLOT(name) [SR_##name] = SYSLOT_##name,
#define SYSREG(name, op0, op1, crn, crm, op2, feat, access, kind, trap, fgt) SYSROW_##kind(name)
#include "sysregs.def"
        [SR_TPIDR_EL0] = SLOT_tpidr, [SR_TPIDRRO_EL0] = SLOT_tpidrro,
    };
    if (sr >= SR_APIAKeyLo_EL1 && sr <= SR_APGAKeyHi_EL1) {
        return t->key & KEY_PAC_KEYS ? SLOT_pac_key + (int)(sr - SR_APIAKeyLo_EL1) : -1;
    }
    const SysRow *r = &sys_rows[sr];
    unsigned need = write ? r->access & 7 : r->access >> 4;
    bool banked = r->trap != T_SPSEL || t->key & KEY_SPSEL;
    return places[sr] && level(t) >= need && banked && !(t->key & KEY_SLOW_SYS) ? places[sr] : -1;
}

static int find(const Tr *t, const A64 *a)
{
    return sys_find(t->model, SYS_ID(2u | (unsigned)a->o0, (unsigned)a->op1, (unsigned)a->crn, (unsigned)a->crm, (unsigned)a->op2), level(t), t->key & (KEY_E2H | KEY_NV));
}

/* Reserved encodings of the ID space read as zero (DDI 0487 D19.3.1). */
static bool is_id_space(const A64 *a)
{
    return a->o0 && a->op1 == 0 && a->crn == 0 && a->crm >= 1 && a->crm <= 7;
}

/* Registers that the user translators do just as well. */
static bool is_plain(A64Sr sr)
{
    return sr == SR_NZCV || sr == SR_DIT || sr == SR_SSBS || sr == SR_TCO || sr == SR_FPCR || sr == SR_FPSR;
}

static void sys_mrs(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    int sr = find(t, a);
    if (sr < 0) {
        if (is_id_space(a) && level(t)) {
            tr_set_reg(t, a->rt, ir_call(b, H_sys_read, word_const(t, a), ir_iconst(b, I32, SR_ID_AA64PFR2_EL1), 0));
        } else {
            tr_undef(t, a);
        }
        return;
    }
    int slot = inline_slot(t, (A64Sr)sr, false);
    if (is_plain((A64Sr)sr)) {
        tr_mrs(t, a, k);
    } else if (slot >= 0) {
        tr_set_reg(t, a->rt, ir_get(b, (unsigned)slot, I64));
    } else if (sr == SR_DCZID_EL0 && t->key & KEY_ZVA && !(t->key & KEY_SLOW_SYS)) {
        tr_set_reg(t, a->rt, ir_iconst(b, I64, A64_DCZID));
    } else if (sr == SR_CurrentEL && level(t)) {
        tr_set_reg(t, a->rt, ir_iconst(b, I64, (t->key & KEY_NV ? 2 : level(t)) << 2));
    } else if (sr == SR_DAIF && level(t)) {
        tr_set_reg(t, a->rt, ir_and(b, I64, ir_get(b, SLOT_pstate_misc, I64), ir_iconst(b, I64, PS_DAIF)));
    } else if ((sr == SR_CNTVCT_EL0 || sr == SR_CNTVCTSS_EL0) && t->key & KEY_EL0_COUNTER) {
        tr_set_reg(t, a->rt, ir_call(b, H_cntvct, 0, 0, 0));
    } else {
        tr_set_reg(t, a->rt, ir_call(b, H_sys_read, word_const(t, a), ir_iconst(b, I32, (uint64_t)sr), 0));
    }
}

/* Ends the region behind an instruction that may have unmasked interrupts: on with the next one if no line is up. */
static void unmasked(Tr *t)
{
    IrRef none = ir_is_zero(t->b, I64, ir_get(t->b, SYSLOT_lines, I64), false);
    ir_exit_if(t->b, 0, none, t->next);
    tr_exc(t, EXC_UNMASK, 0, t->next);
}

/* No region end is needed where nothing that a translation depends on can change. */
static bool is_quiet(A64Sr sr)
{
    SysKind k = (SysKind)sys_rows[sr].kind;
    return k == KIND_REG || k == KIND_R32 || k == KIND_SLOT || k == KIND_CPU || k == KIND_RAZ || k == KIND_DEV;
}

/* On at an address by way of the jump cache: level, key or address space may be others now. */
static void go_on(Tr *t, IrRef pc)
{
    ir_exit_ind(t->b, pc);
    t->ended = true;
}

/* May exceptions be entered and left without leaving translated code? Not while debug events may be due at the first instruction there:
 * who leaves for what is pending may go on a little (engine_run settles flags). */
static bool is_direct(const Tr *t)
{
    return !(t->key & (KEY_SLOW_SYS | KEY_WATCH | KEY_D_ACTS | KEY_ONE_INSN)) && !tr_has(t, A64_FEAT_el3) && !log_on(LOG_int);
}

/* Translation registers that change with address spaces. */
static bool is_base(A64Sr sr)
{
    return sr == SR_TTBR0_EL1 || sr == SR_TTBR1_EL1 || sr == SR_TTBR0_EL2 || sr == SR_TTBR1_EL2;
}

static void sys_msr(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    int sr = find(t, a);
    if (sr < 0) {
        tr_undef(t, a);
        return;
    }
    int slot = inline_slot(t, (A64Sr)sr, true);
    if (is_plain((A64Sr)sr)) {
        tr_msr(t, a, k);
    } else if (slot >= 0) {
        ir_set(b, (unsigned)slot, tr_reg(t, a->rt, I64));
    } else if (sr == SR_DAIF && level(t) && !(t->key & (KEY_WATCH | KEY_D_ACTS))) {
        IrRef bits = ir_and(b, I64, tr_reg(t, a->rt, I64), ir_iconst(b, I64, PS_DAIF));
        IrRef rest = ir_and(b, I64, ir_get(b, SLOT_pstate_misc, I64), ir_iconst(b, I64, ~(uint64_t)PS_DAIF));
        ir_set(b, SLOT_pstate_misc, ir_or(b, I64, rest, bits));
        unmasked(t);
    } else if (is_base((A64Sr)sr) && is_direct(t) && level(t) >= (sys_rows[sr].access & 7u)) {
        ir_call(b, H_sys_vm, ir_iconst(b, I32, (uint64_t)sr), tr_reg(t, a->rt, I64), 0);
        go_on(t, ir_pconst(b, t->next));
    } else {
        ir_call(b, H_sys_write, word_const(t, a), ir_iconst(b, I32, (uint64_t)sr), tr_reg(t, a->rt, I64));
        if (!is_quiet((A64Sr)sr)) {
            tr_sync(t);
        }
    }
}

/* -- instructions ---------------------------------------------------------------------------------------------------------- */

static void sys_sys(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    unsigned crn = a->crn == 9 && tr_has(t, A64_FEAT_xs) ? 8 : (unsigned)a->crn; /* TLBI with nXS */
    int so = sys_find_op(t->model, SYS_ID(1u, (unsigned)a->op1, crn, (unsigned)a->crm, (unsigned)a->op2));
    if (so < 0) {
        tr_undef(t, a);
        return;
    }
    SysKind kind = (SysKind)sys_op_rows[so].kind;
    if (kind == KIND_ZVA && t->key & KEY_ZVA) {
        tr_sys(t, a, k);
        return;
    }
    ir_call(b, H_sys_op, word_const(t, a), ir_iconst(b, I32, (uint64_t)so), tr_reg(t, a->rt, I64));
    if (kind == KIND_TLBI || kind == KIND_AT) {
        tr_sync(t);
    }
}

static void sys_daif(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    uint64_t bits = (uint64_t)a->crm << 6;
    if (!level(t) || t->key & KEY_WATCH || (bits & PS_D && t->key & KEY_D_ACTS)) { /* a debugger's D may let software step begin */
        ir_call(b, H_sys_msr_imm, word_const(t, a), 0, 0);
        tr_sync(t);
        return;
    }
    IrRef p = ir_get(b, SLOT_pstate_misc, I64);
    if (k) {
        ir_set(b, SLOT_pstate_misc, ir_or(b, I64, p, ir_iconst(b, I64, bits)));
    } else {
        ir_set(b, SLOT_pstate_misc, ir_and(b, I64, p, ir_iconst(b, I64, ~bits)));
        unmasked(t);
    }
}

static void sys_msr_imm(Tr *t, const A64 *a, int k)
{
    (void)k;
    ir_call(t->b, H_sys_msr_imm, word_const(t, a), 0, 0);
    tr_sync(t);
}

static void sys_hvc(Tr *t, const A64 *a, int k)
{
    tr_exc(t, (ExcKind)k, a->imm16, t->next);
}

static void sys_pan(Tr *t, const A64 *a, int k)
{
    if (!level(t) || t->key & KEY_ONE_INSN) {
        sys_msr_imm(t, a, k);
        return;
    }
    ir_call(t->b, H_sys_pan, ir_iconst(t->b, I32, a->crm & 1), 0, 0);
    go_on(t, ir_pconst(t->b, t->next));
}

static void sys_svc(Tr *t, const A64 *a, int k)
{
    if (!is_direct(t)) {
        tr_svc(t, a, k);
        return;
    }
    ir_call(t->b, H_sys_svc, ir_iconst(t->b, I32, a->imm16), ir_pconst(t->b, t->next), 0);
    go_on(t, ir_get(t->b, SLOT_pc, I64));
}

static void sys_eret(Tr *t, const A64 *a, int k)
{
    if (!k && level(t) && is_direct(t)) {
        ir_call(t->b, H_sys_eret, 0, 0, 0);
        go_on(t, ir_get(t->b, SLOT_pc, I64));
        return;
    }
    tr_exc(t, EXC_ERET, k ? 2 | a->m : 0, t->pc);
}

static void sys_wait(Tr *t, const A64 *a, int k)
{
    tr_exc(t, EXC_HINT, k & 0x100 ? k | a->rd << 16 : k, t->next);
}

static void sys_esb(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    if (tr_has(t, A64_FEAT_ras)) {
        tr_exc(t, EXC_HINT, HINT_ESB, t->next);
    }
}

static void sys_event(Tr *t, const A64 *a, int k)
{
    (void)a;
    ir_call(t->b, H_sys_event, ir_iconst(t->b, I32, (uint64_t)k), 0, 0);
}

/* A DSB of loads and stores completes TLB maintenance. */
static void sys_dsb(Tr *t, const A64 *a, int k)
{
    tr_barrier(t, a, 0);
    if (t->key & KEY_SHARED && (k || (a->crm & 3) == 3)) {
        ir_call(t->b, H_sys_dsb, 0, 0, 0);
    }
}

static void sys_undef(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_undef(t, a);
}

typedef struct Override {
    void (*tr)(Tr *t, const A64 *a, int k);
    int k;
} Override;

static const Override overrides[A64_ROW_COUNT] = {
    [ROW_mrs] = {sys_mrs, 0},
    [ROW_msr] = {sys_msr, 0},
    [ROW_sys] = {sys_sys, 0},
    [ROW_msr_daifset] = {sys_daif, 1},
    [ROW_msr_daifclr] = {sys_daif, 0},
    [ROW_msr_uao] = {sys_msr_imm, 0},
    [ROW_msr_pan] = {sys_pan, 0},
    [ROW_svc] = {sys_svc, 0},
    [ROW_msr_spsel] = {sys_msr_imm, 0},
    [ROW_hvc] = {sys_hvc, EXC_HVC},
    [ROW_smc] = {sys_hvc, EXC_SMC},
    [ROW_eret] = {sys_eret, 0},
    [ROW_eretaa] = {sys_eret, 1},
    [ROW_hlt] = {sys_undef, 0},
    [ROW_yield] = {tr_nop, 0},
    [ROW_wfe] = {sys_wait, 2},
    [ROW_wfi] = {sys_wait, 3},
    [ROW_wfet] = {sys_wait, 0x102},
    [ROW_wfit] = {sys_wait, 0x103},
    [ROW_dsb] = {sys_dsb, 0},
    [ROW_dsb_nxs] = {sys_dsb, 1},
    [ROW_sev] = {sys_event, 1},
    [ROW_esb] = {sys_esb, 0},
    [ROW_sevl] = {sys_event, 0},
};

/* -- the loop's parts --------------------------------------------------------------------------------------------------------- */

/* FP and SIMD: data processing op0 = x111, loads and stores with V (DDI 0487 C4.1). */
static bool is_fp(uint32_t w)
{
    return (w >> 25 & 7) == 7 || (w >> 27 & 1 && !(w >> 25 & 1) && w >> 26 & 1);
}

static void one(Tr *t)
{
    const CpuModel *m = t->model;
    unsigned fp = t->key >> KEY_FP_SHIFT & 3;
    uint32_t word;
    memcpy(&word, t->code, 4);
    A64 a;
    if (t->ninsns == 0 && tr_has(t, A64_FEAT_bti)) {
        tr_landing(t, word);
    }
    if (UNLIKELY(t->key & KEY_LIMIT) && t->ninsns == 0) {
        ir_call(t->b, H_sys_count, 0, 0, 0);
    }
    if (UNLIKELY(t->key & KEY_COUNT)) {
        ir_set(t->b, SYSLOT_insns, ir_add(t->b, I64, ir_get(t->b, SYSLOT_insns, I64), ir_iconst(t->b, I64, 1)));
    }
    if (!a64_decode(word, m->feats, &a)) {
        a.word = word;
        tr_undef(t, &a);
        return;
    }
    bool fp_reg = (a.row == ROW_mrs || a.row == ROW_msr) && (word & 0xfff00) == 0xb4400; /* FPCR, FPSR */
    if (fp && (is_fp(word) || fp_reg)) {
        tr_exc(t, EXC_TRAP, (int32_t)(EC_FP | fp << 8), t->pc);
        return;
    }
    const Override *o = &overrides[a.row];
    if (o->tr) {
        o->tr(t, &a, o->k);
    } else {
        a64_rows[a.row].tr(t, &a, a64_rows[a.row].k);
    }
}

static void translate(const void *cpu_model, Space *s, Gva pc, uint64_t key, unsigned max_insns, IrRegion *r,
                      IrIns *ins, uint32_t cap)
{
    TrGuest guest = a64_guest;
    guest.one = one;
    if (!tr_odd_address(&a64_system_frontend, pc, a64_branch_address(pc.v, key), key, r, ins, cap)) {
        tr_region(&a64_system_frontend, &guest, cpu_model, s, pc, key, key & KEY_ONE_INSN ? 1 : max_insns, r, ins, cap);
    }
}

const Frontend a64_system_frontend = {
    .name = "aarch64-system",
    .slots = slots,
    .nslots = SYSLOT_COUNT,
    .helpers = helpers,
    .nhelpers = HELPER_COUNT,
    .cpu_size = sizeof(A64Machine),
    .pc_slot = SLOT_pc,
    .nzcv_slot = SLOT_nzcv,
    .sp_slot = SLOT_sp,
    .watch_key = KEY_WATCH,
    .level_key = 3 << KEY_EL_SHIFT,
    .translate = translate,
    .key = sys_key,
    .disas = a64_disas,
};
