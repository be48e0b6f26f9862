/* t_sys.c - the A64 CPU above EL0 by rows: exception entry and return, routing of interrupts, traps of system registers and
 * instructions, VHE's names, ID registers. What is wanted was read from Arm's specification (DDI 0487 D1, D19), by hand.
 *
 * No engine, no memory: the functions of frontend/aarch64/sys_*.c on a CPU structure.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "helpers.h"
#include "sys_int.h"

#define B(n) ((uint64_t)1 << (n))

static CpuModel model;
static A64Machine machine;
static const A64Hooks no_hooks;

/* Machines of the tests: without EL2, with it, with EL3 too. */
enum { PLAIN, HYP, SECURE };

static CpuA64 *cpu_new(int kind)
{
    memset(&machine, 0, sizeof machine);
    a64_machine_model(a64_model("max"), (A64Options){.el2 = kind >= HYP, .el3 = kind >= SECURE, .gicv3 = true, .pmu = true}, &model);
    CpuA64 *cpu = &machine.cpu;
    cpu->sys = &machine.sys;
    cpu->model = &model;
    cpu->sys->hooks = &no_hooks;
    cpu->sys->el2 = kind >= HYP;
    cpu->sys->el3 = kind >= SECURE;
    a64_reset(cpu);
    cpu->sys->reg[SR_VBAR_EL1] = 0x10000;
    cpu->sys->reg[SR_VBAR_EL2] = 0x20000;
    cpu->sys->reg[SR_VBAR_EL3] = 0x30000;
    if (kind == SECURE) {
        cpu->sys->reg[SR_SCR_EL3] = 0x531 | B(38) | B(27);
        a64_hcr_changed(cpu);
    }
    return cpu;
}

/* -- exceptions ---------------------------------------------------------------------------------------------------------- */

typedef struct ExcRow {
    const char *name;
    int kind;
    unsigned el;
    uint64_t hcr, scr;   /* added to what is there */
    ExcKind exc;
    uint32_t imm;
    uint64_t pc;         /* wanted */
    uint64_t esr;
    uint64_t elr;        /* relative to 0x1000 */
    unsigned to;
} ExcRow;

#define E2H B(HCR_E2H)
#define TGE B(HCR_TGE)
#define ESR(ec, iss) ((uint64_t)(ec) << 26 | B(25) | (iss))

static const ExcRow exc_rows[] = {
    {"svc from EL0", PLAIN, 0, 0, 0, EXC_SVC, 7, 0x10400, ESR(0x15, 7), 0, 1},
    {"svc from EL1", PLAIN, 1, 0, 0, EXC_SVC, 7, 0x10200, ESR(0x15, 7), 0, 1},
    {"svc from EL0, TGE", HYP, 0, TGE, 0, EXC_SVC, 1, 0x20400, ESR(0x15, 1), 0, 2},
    {"svc from EL0 of the host", HYP, 0, E2H | TGE, 0, EXC_SVC, 1, 0x20400, ESR(0x15, 1), 0, 2},
    {"svc from EL2", HYP, 2, 0, 0, EXC_SVC, 0, 0x20200, ESR(0x15, 0), 0, 2},
    {"hvc from EL1", HYP, 1, 0, 0, EXC_HVC, 3, 0x20400, ESR(0x16, 3), 0, 2},
    {"hvc from EL2", HYP, 2, 0, 0, EXC_HVC, 3, 0x20200, ESR(0x16, 3), 0, 2},
    {"hvc without EL2", PLAIN, 1, 0, 0, EXC_HVC, 3, 0x10200, ESR(0, 0), -4, 1},
    {"hvc from EL0", HYP, 0, 0, 0, EXC_HVC, 3, 0x10400, ESR(0, 0), -4, 1},
    {"hvc disabled", HYP, 1, B(HCR_HCD), 0, EXC_HVC, 3, 0x10200, ESR(0, 0), -4, 1},
    {"hvc with EL3", SECURE, 1, 0, 0, EXC_HVC, 3, 0x20400, ESR(0x16, 3), 0, 2},
    {"smc without EL3", PLAIN, 1, 0, 0, EXC_SMC, 3, 0x10200, ESR(0, 0), -4, 1},
    {"smc trapped", HYP, 1, B(HCR_TSC), 0, EXC_SMC, 3, 0x20400, ESR(0x17, 3), -4, 2},
    {"smc", SECURE, 1, 0, 0, EXC_SMC, 9, 0x30400, ESR(0x17, 9), 0, 3},
    {"smc from EL2", SECURE, 2, 0, 0, EXC_SMC, 9, 0x30400, ESR(0x17, 9), 0, 3},
    {"smc from EL3", SECURE, 3, 0, 0, EXC_SMC, 9, 0x30200, ESR(0x17, 9), 0, 3},
    {"smc disabled", SECURE, 2, 0, B(7), EXC_SMC, 9, 0x20200, ESR(0, 0), -4, 2},
    {"undefined at EL0", PLAIN, 0, 0, 0, EXC_UNDEF, 5, 0x10400, ESR(0, 0), 0, 1},
    {"undefined at EL0, TGE", HYP, 0, TGE, 0, EXC_UNDEF, 5, 0x20400, ESR(0, 0), 0, 2},
    {"brk", PLAIN, 1, 0, 0, EXC_BRK, 0x800, 0x10200, ESR(0x3c, 0x800), 0, 1},
    {"misaligned pc", PLAIN, 0, 0, 0, EXC_PC_ALIGN, 0, 0x10400, ESR(0x22, 0), 0, 1},
    {"misaligned sp", PLAIN, 1, 0, 0, EXC_SP_ALIGN, 0, 0x10200, ESR(0x26, 0), 0, 1},
    {"FP trap to EL1", PLAIN, 0, 0, 0, EXC_TRAP, 0x107, 0x10400, ESR(7, 0x1e00000), 0, 1},
    {"FP trap to EL2", HYP, 1, 0, 0, EXC_TRAP, 0x207, 0x20400, ESR(7, 0x1e00000), 0, 2},
    {"wfi trapped to EL2", HYP, 1, B(HCR_TWI), 0, EXC_HINT, 3, 0x20400, ESR(1, 0x1e00000), -4, 2},
    {"wfe trapped to EL2", HYP, 1, B(HCR_TWE), 0, EXC_HINT, 2, 0x20400, ESR(1, 0x1e00001), -4, 2},
    {"wfi at EL0", PLAIN, 0, 0, 0, EXC_HINT, 3, 0x10400, ESR(1, 0x1e00000), -4, 1},
    {"wfit x5 trapped", HYP, 1, B(HCR_TWI), 0, EXC_HINT, 0x50103, 0x20400, ESR(1, 0x1e000a6), -4, 2},
    {"wfi trapped to EL3", SECURE, 2, 0, B(12), EXC_HINT, 3, 0x30400, ESR(1, 0x1e00000), -4, 3},
};

Test(sys, exceptions)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < LEN(exc_rows); i++) {
        const ExcRow *r = &exc_rows[i];
        static const uint16_t esr[] = {0, SR_ESR_EL1, SR_ESR_EL2, SR_ESR_EL3}, elr[] = {0, SR_ELR_EL1, SR_ELR_EL2, SR_ELR_EL3},
                              spsr[] = {0, SR_SPSR_EL1, SR_SPSR_EL2, SR_SPSR_EL3};
        CpuA64 *cpu = cpu_new(r->kind);
        A64Sys *s = cpu->sys;
        s->reg[SR_HCR_EL2] |= r->hcr;
        s->reg[SR_SCR_EL3] |= r->scr;
        a64_hcr_changed(cpu);
        a64_set_el(cpu, r->el, r->el);
        cpu->pstate_misc &= ~(uint64_t)PS_DAIF;
        a64_set_nzcv(cpu, 0x60000000);
        cpu->pc = 0x1000;
        cpu->h.exit_imm = (int32_t)r->imm;
        bool taken = a64_exception(cpu, r->exc);
        bool good = taken && cpu->pc == r->pc && a64_el(cpu) == r->to && s->reg[esr[r->to]] == r->esr && s->reg[elr[r->to]] == 0x1000 + r->elr &&
                    s->reg[spsr[r->to]] == (0x60000000 | r->el << 2 | (r->el != 0)) && (cpu->pstate_misc & PS_DAIF) == PS_DAIF;
        if (!good) {
            cr_log_error("%s: pc %#lx EL%u esr %#lx elr %#lx spsr %#lx", r->name, cpu->pc, a64_el(cpu), s->reg[esr[r->to]], s->reg[elr[r->to]],
                         s->reg[spsr[r->to]]);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

typedef struct AbortRow {
    const char *name;
    int kind;
    unsigned el;
    uint64_t hcr, scr;
    A64Fault f;
    unsigned to;
    uint64_t esr;
} AbortRow;

static const AbortRow abort_rows[] = {
    {"translation, level 3, read", PLAIN, 0, 0, 0, {.type = FAULT_TRANSLATION, .level = 3}, 1, ESR(0x24, 7)},
    {"same level, write", PLAIN, 1, 0, 0, {.type = FAULT_PERMISSION, .level = 2, .write = true}, 1, ESR(0x25, 0x4e)},
    {"level 0", PLAIN, 1, 0, 0, {.type = FAULT_TRANSLATION, .level = 0}, 1, ESR(0x25, 4)},
    {"level -1", PLAIN, 1, 0, 0, {.type = FAULT_TRANSLATION, .level = -1}, 1, ESR(0x25, 0x2b)},
    {"access flag", PLAIN, 0, 0, 0, {.type = FAULT_ACCESS_FLAG, .level = 3, .write = true}, 1, ESR(0x24, 0x4b)},
    {"fetch", PLAIN, 0, 0, 0, {.type = FAULT_PERMISSION, .level = 3, .fetch = true}, 1, ESR(0x20, 15)},
    {"fetch at EL1", PLAIN, 1, 0, 0, {.type = FAULT_TRANSLATION, .level = 1, .fetch = true}, 1, ESR(0x21, 5)},
    {"alignment", PLAIN, 0, 0, 0, {.type = FAULT_ALIGNMENT}, 1, ESR(0x24, 0x21)},
    {"cache maintenance", PLAIN, 0, 0, 0, {.type = FAULT_TRANSLATION, .level = 3, .cache = true}, 1, ESR(0x24, 0x147)},
    {"external", PLAIN, 1, 0, 0, {.type = FAULT_EXTERNAL}, 1, ESR(0x25, 0x10)},
    {"stage 2", HYP, 1, B(HCR_VM), 0, {.type = FAULT_TRANSLATION, .level = 2, .stage2 = true, .ipa = 0x45678000}, 2, ESR(0x24, 6)},
    {"stage 2 of a walk", HYP, 0, B(HCR_VM), 0, {.type = FAULT_PERMISSION, .level = 3, .stage2 = true, .s1ptw = true, .ipa = 0x45678000}, 2,
     ESR(0x24, 0x8f)},
    {"EL0 under TGE", HYP, 0, TGE, 0, {.type = FAULT_TRANSLATION, .level = 3}, 2, ESR(0x24, 7)},
    {"EL2", HYP, 2, 0, 0, {.type = FAULT_TRANSLATION, .level = 3}, 2, ESR(0x25, 7)},
    {"external to EL2", HYP, 1, B(HCR_TEA), 0, {.type = FAULT_EXTERNAL}, 2, ESR(0x24, 0x10)},
    {"external to EL3", SECURE, 1, 0, B(3), {.type = FAULT_EXTERNAL}, 3, ESR(0x24, 0x10)},
};

Test(sys, aborts)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < LEN(abort_rows); i++) {
        const AbortRow *r = &abort_rows[i];
        static const uint16_t esr[] = {0, SR_ESR_EL1, SR_ESR_EL2, SR_ESR_EL3}, far[] = {0, SR_FAR_EL1, SR_FAR_EL2, SR_FAR_EL3};
        CpuA64 *cpu = cpu_new(r->kind);
        A64Sys *s = cpu->sys;
        A64Fault f = r->f;
        f.va = 0x123456789;
        s->reg[SR_HCR_EL2] |= r->hcr;
        s->reg[SR_SCR_EL3] |= r->scr;
        a64_hcr_changed(cpu);
        a64_set_el(cpu, r->el, r->el);
        a64_abort(cpu, &f);
        if (a64_el(cpu) != r->to || s->reg[esr[r->to]] != r->esr || s->reg[far[r->to]] != f.va || (f.stage2 && s->reg[SR_HPFAR_EL2] != f.ipa >> 8)) {
            cr_log_error("%s: EL%u esr %#lx", r->name, a64_el(cpu), s->reg[esr[r->to]]);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

/* -- interrupts ---------------------------------------------------------------------------------------------------------- */

typedef struct IrqRow {
    const char *name;
    int kind;
    unsigned el;
    uint64_t hcr, scr;
    unsigned lines, daif; /* daif as in MSR DAIFSet */
    uint64_t pc;          /* 0: not taken */
} IrqRow;

static const IrqRow irq_rows[] = {
    {"irq at EL0", PLAIN, 0, 0, 0, 1, 0, 0x10480},
    {"irq at EL1", PLAIN, 1, 0, 0, 1, 0, 0x10280},
    {"masked", PLAIN, 1, 0, 0, 1, 2, 0},
    {"fiq masked, irq too", PLAIN, 1, 0, 0, 3, 3, 0},
    {"fiq first", PLAIN, 1, 0, 0, 3, 0, 0x10300},
    {"serror", PLAIN, 0, 0, 0, 16, 0, 0x10580},
    {"to EL2 by IMO, though masked", HYP, 1, B(HCR_IMO), 0, 1, 15, 0x20480},
    {"not to EL1 from EL2", HYP, 2, 0, 0, 1, 0, 0},
    {"at EL2 by IMO", HYP, 2, B(HCR_IMO), 0, 1, 0, 0x20280},
    {"at EL2 by IMO, masked", HYP, 2, B(HCR_IMO), 0, 1, 2, 0},
    {"EL0 under TGE", HYP, 0, TGE, 0, 1, 15, 0x20480},
    {"EL0 of the host", HYP, 0, E2H | TGE, 0, 1, 0, 0x20480},
    {"EL0 of the host, masked", HYP, 0, E2H | TGE, 0, 1, 2, 0},
    {"host at EL2", HYP, 2, E2H | TGE, 0, 1, 0, 0x20280},
    {"virtual irq", HYP, 1, B(HCR_IMO), 0, 4, 0, 0x10280},
    {"virtual irq by VI", HYP, 0, B(HCR_IMO) | B(HCR_VI), 0, 0, 0, 0x10480},
    {"virtual irq masked", HYP, 1, B(HCR_IMO), 0, 4, 2, 0},
    {"virtual irq without IMO", HYP, 1, 0, 0, 4, 0, 0},
    {"no virtual irq at EL2", HYP, 2, B(HCR_IMO), 0, 4, 0, 0},
    {"irq to EL3, though masked", SECURE, 1, 0, B(1), 1, 15, 0x30480},
    {"EL3 without routing", SECURE, 3, 0, 0, 1, 0, 0},
    {"EL3 with routing", SECURE, 3, 0, B(1), 1, 0, 0x30280},
    {"fiq to EL3, irq to EL1", SECURE, 1, 0, B(2), 1, 0, 0x10280},
};

Test(sys, interrupts)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < LEN(irq_rows); i++) {
        const IrqRow *r = &irq_rows[i];
        CpuA64 *cpu = cpu_new(r->kind);
        A64Sys *s = cpu->sys;
        s->reg[SR_HCR_EL2] |= r->hcr;
        s->reg[SR_SCR_EL3] |= r->scr;
        a64_hcr_changed(cpu);
        a64_set_el(cpu, r->el, r->el);
        cpu->pstate_misc = (cpu->pstate_misc & ~(uint64_t)PS_DAIF) | r->daif << 6;
        cpu->pc = 0x1000;
        s->lines = r->lines;
        bool taken = a64_interrupt(cpu);
        if (taken != (r->pc != 0) || (taken && cpu->pc != r->pc)) {
            cr_log_error("%s: %s, pc %#lx", r->name, taken ? "taken" : "not taken", cpu->pc);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

/* -- return -------------------------------------------------------------------------------------------------------------- */

typedef struct EretRow {
    const char *name;
    int kind;
    unsigned from;
    uint64_t hcr, spsr;
    unsigned to;
    bool illegal;
} EretRow;

static const EretRow eret_rows[] = {
    {"EL1 to EL0", PLAIN, 1, 0, 0, 0, false},
    {"EL1 to EL1t", PLAIN, 1, 0, 4, 1, false},
    {"EL1 to EL2", HYP, 1, 0, 9, 1, true},
    {"EL2 to EL1", HYP, 2, 0, 5, 1, false},
    {"EL2 to EL1 under TGE", HYP, 2, TGE, 5, 2, true},
    {"EL2 to EL0 under TGE", HYP, 2, TGE, 0, 0, false},
    {"EL0 with SPSel", PLAIN, 1, 0, 1, 1, true},
    {"AArch32", PLAIN, 1, 0, 0x10, 1, true},
    {"EL3 to EL2", SECURE, 3, 0, 9, 2, false},
};

Test(sys, eret)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < LEN(eret_rows); i++) {
        const EretRow *r = &eret_rows[i];
        static const uint16_t elr[] = {0, SR_ELR_EL1, SR_ELR_EL2, SR_ELR_EL3}, spsr[] = {0, SR_SPSR_EL1, SR_SPSR_EL2, SR_SPSR_EL3};
        CpuA64 *cpu = cpu_new(r->kind);
        A64Sys *s = cpu->sys;
        s->reg[SR_HCR_EL2] |= r->hcr;
        a64_hcr_changed(cpu);
        a64_set_el(cpu, r->from, true);
        cpu->sp = 0x5000;
        s->reg[SR_SP_EL0] = 0x4000;
        s->reg[elr[r->from]] = 0x7000;
        s->reg[spsr[r->from]] = r->spsr | 0x80000000;
        a64_eret(cpu);
        bool illegal = cpu->pstate_misc & PS_IL;
        bool sp = r->to != 0 || cpu->sp == 0x4000;
        if (a64_el(cpu) != r->to || illegal != r->illegal || cpu->pc != 0x7000 || a64_nzcv(cpu) != 0x80000000 || !sp || !s->event) {
            cr_log_error("%s: EL%u %s pc %#lx", r->name, a64_el(cpu), illegal ? "illegal" : "legal", cpu->pc);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

/* ERET in translated code: an illegal return's exception comes before the first instruction there. */
Test(sys, illegal_return_of_translated_code)
{
    CpuA64 *cpu = cpu_new(PLAIN);
    A64Sys *s = cpu->sys;
    a64_set_el(cpu, 1, true);
    s->reg[SR_ELR_EL1] = 0x7000;
    s->reg[SR_SPSR_EL1] = 1 | 0x80000000; /* EL0 with SPSel */
    h_sys_eret(cpu);
    cr_assert_eq(cpu->pc, 0x10200);
    cr_assert_eq(a64_el(cpu), 1);
    cr_assert_eq(s->reg[SR_ELR_EL1], 0x7000);
    cr_assert_eq(s->reg[SR_ESR_EL1] >> 26, EC_ILLEGAL);
    cr_assert_eq(s->reg[SR_SPSR_EL1] & (1 << 20 | 0x8000000f), 1 << 20 | 0x80000005, "IL, N, from EL1h");
    cr_assert(!(cpu->pstate_misc & PS_IL));
}

/* -- traps ---------------------------------------------------------------------------------------------------------------- */

typedef struct TrapRow {
    int kind;
    unsigned el;
    A64Sr sr;
    bool write;
    A64Sr control; /* register that gets the bits, SR_COUNT = none */
    uint64_t bits;
    int level; /* 0 = allowed, -1 = UNDEFINED */
} TrapRow;

enum { RD, WR };
static const TrapRow trap_rows[] = {
    {PLAIN, 0, SR_SCTLR_EL1, RD, SR_COUNT, 0, -1},
    {PLAIN, 1, SR_SCTLR_EL1, WR, SR_COUNT, 0, 0},
    {PLAIN, 1, SR_HCR_EL2, RD, SR_COUNT, 0, -1},
    {HYP, 1, SR_HCR_EL2, RD, SR_COUNT, 0, -1},
    {HYP, 2, SR_HCR_EL2, WR, SR_COUNT, 0, 0},
    {HYP, 2, SR_SCR_EL3, RD, SR_COUNT, 0, -1},
    {SECURE, 3, SR_SCR_EL3, WR, SR_COUNT, 0, 0},
    {HYP, 1, SR_TTBR0_EL1, WR, SR_HCR_EL2, B(HCR_TVM), 2},
    {HYP, 1, SR_TTBR0_EL1, RD, SR_HCR_EL2, B(HCR_TVM), 0},
    {HYP, 1, SR_ESR_EL1, RD, SR_HCR_EL2, B(HCR_TRVM), 2},
    {HYP, 1, SR_VBAR_EL1, RD, SR_HCR_EL2, B(HCR_TRVM), 0},
    {HYP, 1, SR_ACTLR_EL1, WR, SR_HCR_EL2, B(HCR_TACR), 2},
    {HYP, 1, SR_ID_AA64MMFR0_EL1, RD, SR_HCR_EL2, B(HCR_TID3), 2},
    {HYP, 1, SR_ID_AA64MMFR0_EL1, RD, SR_COUNT, 0, 0},
    {PLAIN, 0, SR_ID_AA64MMFR0_EL1, RD, SR_COUNT, 0, 1},
    {HYP, 1, SR_CCSIDR_EL1, RD, SR_HCR_EL2, B(HCR_TID2), 2},
    {HYP, 1, SR_CLIDR_EL1, RD, SR_HCR_EL2, B(HCR_TID4), 2},
    {HYP, 1, SR_REVIDR_EL1, RD, SR_HCR_EL2, B(HCR_TID1), 2},
    {PLAIN, 0, SR_CTR_EL0, RD, SR_COUNT, 0, 1},
    {PLAIN, 0, SR_CTR_EL0, RD, SR_SCTLR_EL1, B(15), 0},
    {HYP, 1, SR_CTR_EL0, RD, SR_HCR_EL2, B(HCR_TID2), 2},
    {HYP, 1, SR_CPACR_EL1, RD, SR_CPTR_EL2, B(31), 2},
    {HYP, 1, SR_APIAKeyLo_EL1, RD, SR_COUNT, 0, 2},
    {HYP, 1, SR_APIAKeyLo_EL1, RD, SR_HCR_EL2, B(HCR_APK), 0},
    {HYP, 1, SR_LORC_EL1, RD, SR_HCR_EL2, B(HCR_TLOR), 2},
    {HYP, 1, SR_MDSCR_EL1, RD, SR_MDCR_EL2, B(9), 2},
    {HYP, 1, SR_MDSCR_EL1, RD, SR_MDCR_EL2, B(8), 2},
    {HYP, 1, SR_OSLAR_EL1, WR, SR_MDCR_EL2, B(10), 2},
    {HYP, 1, SR_OSLAR_EL1, RD, SR_COUNT, 0, -1},
    {HYP, 1, SR_PMCCNTR_EL0, RD, SR_MDCR_EL2, B(6), 2},
    {HYP, 1, SR_PMCR_EL0, RD, SR_MDCR_EL2, B(5), 2},
    {HYP, 1, SR_PMCCNTR_EL0, RD, SR_MDCR_EL2, B(5), 0},
    {PLAIN, 0, SR_PMCCNTR_EL0, RD, SR_COUNT, 0, 1},
    {PLAIN, 0, SR_PMCCNTR_EL0, RD, SR_PMUSERENR_EL0, 4, 0},
    {PLAIN, 0, SR_PMCCNTR_EL0, WR, SR_PMUSERENR_EL0, 4, 1},
    {PLAIN, 0, SR_PMEVCNTR0_EL0, RD, SR_PMUSERENR_EL0, 8, 0},
    {PLAIN, 0, SR_PMEVCNTR0_EL0, WR, SR_PMUSERENR_EL0, 8, 1},
    {PLAIN, 0, SR_PMSELR_EL0, WR, SR_PMUSERENR_EL0, 8, 0},
    {PLAIN, 0, SR_PMSWINC_EL0, WR, SR_PMUSERENR_EL0, 2, 0},
    {HYP, 1, SR_MDCCSR_EL0, RD, SR_MDCR_EL2, B(27), 2},
    {HYP, 1, SR_MDSCR_EL1, RD, SR_MDCR_EL2, B(27), 0},
    {SECURE, 2, SR_MDCCINT_EL1, RD, SR_MDCR_EL3, B(27), 3},
    {PLAIN, 0, SR_CNTVCT_EL0, RD, SR_COUNT, 0, 1},
    {PLAIN, 0, SR_CNTVCT_EL0, RD, SR_CNTKCTL_EL1, 2, 0},
    {PLAIN, 0, SR_CNTPCT_EL0, RD, SR_CNTKCTL_EL1, 2, 1},
    {PLAIN, 0, SR_CNTFRQ_EL0, RD, SR_CNTKCTL_EL1, 1, 0},
    {PLAIN, 1, SR_CNTPCT_EL0, RD, SR_COUNT, 0, 0},
    {HYP, 1, SR_CNTPCT_EL0, RD, SR_COUNT, 0, 2},
    {HYP, 1, SR_CNTPCT_EL0, RD, SR_CNTHCTL_EL2, 1, 0},
    {HYP, 1, SR_CNTP_CTL_EL0, WR, SR_CNTHCTL_EL2, 1, 2},
    {HYP, 1, SR_CNTP_CTL_EL0, WR, SR_CNTHCTL_EL2, 2, 0},
    {HYP, 1, SR_CNTVCT_EL0, RD, SR_CNTHCTL_EL2, B(14), 2},
    {HYP, 1, SR_CNTV_CTL_EL0, RD, SR_CNTHCTL_EL2, B(13), 2},
    {PLAIN, 1, SR_CNTFRQ_EL0, WR, SR_COUNT, 0, 0},
    {HYP, 1, SR_CNTFRQ_EL0, WR, SR_COUNT, 0, -1},
    {PLAIN, 0, SR_DAIF, RD, SR_COUNT, 0, 1},
    {PLAIN, 0, SR_DAIF, RD, SR_SCTLR_EL1, B(9), 0},
    {PLAIN, 0, SR_TPIDRRO_EL0, WR, SR_COUNT, 0, -1},
    {PLAIN, 0, SR_TPIDR_EL0, WR, SR_COUNT, 0, 0},
    {HYP, 0, SR_TPIDR_EL0, WR, SR_HFGWTR_EL2, B(35), 2},
    {HYP, 0, SR_TPIDR_EL0, RD, SR_HFGWTR_EL2, B(35), 0},
    {HYP, 1, SR_SCTLR_EL1, RD, SR_HFGRTR_EL2, B(29), 2},
    {HYP, 2, SR_SCTLR_EL1, RD, SR_HFGRTR_EL2, B(29), 0},
    {HYP, 1, SR_DBGBVR0_EL1, WR, SR_HDFGWTR_EL2, B(1), 2},
    {HYP, 1, SR_MIDR_EL1, RD, SR_HFGRTR_EL2, B(25), 2},
    {PLAIN, 0, SR_FPCR, RD, SR_COUNT, 0, 1},
    {PLAIN, 0, SR_FPCR, RD, SR_CPACR_EL1, B(20) | B(21), 0},
    {PLAIN, 1, SR_FPCR, RD, SR_CPACR_EL1, B(20), 0},
    {HYP, 1, SR_ICC_IAR1_EL1, RD, SR_ICH_HCR_EL2, B(12), 2},
    {HYP, 1, SR_ICC_IAR0_EL1, RD, SR_ICH_HCR_EL2, B(12), 0},
    {HYP, 1, SR_ICC_PMR_EL1, RD, SR_ICH_HCR_EL2, B(10), 2},
    {HYP, 1, SR_ICC_SGI1R_EL1, WR, SR_HCR_EL2, B(HCR_IMO), 2},
    {HYP, 1, SR_ICC_DIR_EL1, WR, SR_ICH_HCR_EL2, B(14), 2},
    {SECURE, 1, SR_ICC_IAR1_EL1, RD, SR_SCR_EL3, B(1), 3},
    {SECURE, 2, SR_HFGRTR_EL2, RD, SR_COUNT, 0, 0},
    {SECURE, 2, SR_CPACR_EL1, RD, SR_CPTR_EL3, B(31), 3},
    {SECURE, 1, SR_MDSCR_EL1, RD, SR_MDCR_EL3, B(9), 3},
    {SECURE, 1, SR_ERRSELR_EL1, RD, SR_SCR_EL3, B(15), 3},
    /* by Arm's specification, compared by program (docs/machine-report.md) */
    {HYP, 0, SR_PMCCNTR_EL0, RD, SR_MDCR_EL2, B(6), 1},
    {SECURE, 1, SR_MDRAR_EL1, RD, SR_MDCR_EL3, B(9), 3},
    {SECURE, 2, SR_MDRAR_EL1, RD, SR_MDCR_EL3, B(9), 3},
    {SECURE, 2, SR_SCXTNUM_EL2, RD, SR_COUNT, 0, 3},
    {SECURE, 2, SR_SCXTNUM_EL1, WR, SR_SCR_EL3, B(25), 0},
    {SECURE, 2, SR_LORC_EL1, RD, SR_SCR_EL3, B(14), 3},
    {HYP, 1, SR_ERXPFGF_EL1, RD, SR_COUNT, 0, 2},
    {HYP, 1, SR_ERXPFGF_EL1, RD, SR_HCR_EL2, B(HCR_FIEN), 0},
    {HYP, 2, SR_ERXPFGF_EL1, RD, SR_COUNT, 0, 0},
    {SECURE, 2, SR_ERXPFGF_EL1, RD, SR_SCR_EL3, B(21), 0},
    {SECURE, 0, SR_RNDR, RD, SR_SCR_EL3, B(40), 3},
    {SECURE, 3, SR_RNDR, RD, SR_SCR_EL3, B(40), 0},
    {HYP, 1, SR_CCSIDR2_EL1, RD, SR_HFGRTR_EL2, B(9), 0},
    {HYP, 1, SR_CCSIDR_EL1, RD, SR_HFGRTR_EL2, B(9), 2},
};

Test(sys, traps)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < LEN(trap_rows); i++) {
        const TrapRow *r = &trap_rows[i];
        CpuA64 *cpu = cpu_new(r->kind);
        cpu->sys->reg[SR_CPTR_EL2] = 0;
        a64_set_el(cpu, r->el, r->el);
        if (r->control != SR_COUNT) {
            cpu->sys->reg[r->control] |= r->bits;
            a64_hcr_changed(cpu);
        }
        SysCheck c = sys_check(cpu, &sys_rows[r->sr], r->write);
        int got = !c.level ? 0 : c.ec == EC_UNKNOWN ? -1 : c.level;
        if (got != r->level) {
            cr_log_error("%s of %s at EL%u with %s %#lx: %d, not %d", r->write ? "write" : "read", sys_rows[r->sr].name, r->el,
                         a64_sysreg_name(r->control), r->bits, got, r->level);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

/* Two controls at once: which one decides. */
Test(sys, traps_together)
{
    static const struct {
        int kind;
        unsigned el;
        uint64_t hcr;
        A64Sr sr, one, two;
        uint64_t one_bits, two_bits;
        int level;
    } rows[] = {
        {HYP, 0, E2H | TGE, SR_PMCCNTR_EL0, SR_PMUSERENR_EL0, SR_MDCR_EL2, 1, B(6), 2},   /* MDCR_EL2 counts for the host's programs */
        {HYP, 0, E2H | TGE, SR_MDCCSR_EL0, SR_MDCR_EL2, SR_MDCR_EL2, B(9), 0, 2},
        {SECURE, 1, 0, SR_PMCR_EL0, SR_MDCR_EL2, SR_MDCR_EL3, B(5), B(6), 2},             /* EL2 before EL3 */
        {SECURE, 1, B(HCR_FIEN), SR_ERRSELR_EL1, SR_HFGRTR_EL2, SR_SCR_EL3, B(41), B(15), 2}, /* fine-grained ones too */
        {SECURE, 1, 0, SR_ERRSELR_EL1, SR_HCR_EL2, SR_SCR_EL3, B(HCR_TERR), B(15), 2},
    };
    for (unsigned i = 0; i < LEN(rows); i++) {
        CpuA64 *cpu = cpu_new(rows[i].kind);
        cpu->sys->reg[SR_HCR_EL2] |= rows[i].hcr;
        cpu->sys->reg[rows[i].one] |= rows[i].one_bits;
        cpu->sys->reg[rows[i].two] |= rows[i].two_bits;
        a64_hcr_changed(cpu);
        a64_set_el(cpu, rows[i].el, rows[i].el);
        cr_expect_eq(sys_check(cpu, &sys_rows[rows[i].sr], false).level, rows[i].level, "row %u", i);
    }
    CpuA64 *cpu = cpu_new(SECURE); /* regions are not for Secure state */
    cpu->sys->reg[SR_SCR_EL3] &= ~B(0);
    a64_hcr_changed(cpu);
    a64_set_el(cpu, 1, true);
    cr_expect_eq(sys_check(cpu, &sys_rows[SR_LORC_EL1], false).ec, EC_UNKNOWN);
}

/* Instructions that are nobody's: UNDEFINED, or trapped before that (HCR_EL2.TIDCP, SCTLR_EL1.TIDCP). */
Test(sys, reserved_space)
{
    static const struct {
        const char *what;
        unsigned el;
        uint64_t hcr, sctlr;
        uint32_t word;
        unsigned to;
        uint64_t esr;
    } rows[] = {
        {"MRS x3, S3_0_C15_C2_1", 1, 0, 0, 0xd538f223, 1, ESR(0, 0)},
        {"trapped", 1, B(HCR_TIDCP), 0, 0xd538f223, 2, ESR(0x18, 0x323c65)},
        {"SYS #1, C11, C0, #0, x2", 1, B(HCR_TIDCP), 0, 0xd509b002, 2, ESR(0x18, 0x106c40)},
        {"of another space", 1, B(HCR_TIDCP), 0, 0xd538e223, 1, ESR(0, 0)},
        {"EL0", 0, 0, 0, 0xd53bf223, 1, ESR(0, 0)},
        {"EL0, trapped", 0, 0, B(63), 0xd53bf223, 1, ESR(0x18, 0x32fc65)},
        {"no system instruction", 1, B(HCR_TIDCP), 0, 0x0000f223, 1, ESR(0, 0)},
    };
    for (unsigned i = 0; i < LEN(rows); i++) {
        CpuA64 *cpu = cpu_new(HYP);
        cpu->sys->reg[SR_HCR_EL2] |= rows[i].hcr;
        cpu->sys->reg[SR_SCTLR_EL1] |= rows[i].sctlr;
        a64_hcr_changed(cpu);
        a64_set_el(cpu, rows[i].el, rows[i].el);
        cpu->h.exit_imm = (int32_t)rows[i].word;
        cr_expect(a64_exception(cpu, EXC_UNDEF));
        cr_expect_eq(a64_el(cpu), rows[i].to, "%s: EL%u", rows[i].what, a64_el(cpu));
        cr_expect_eq(cpu->sys->reg[rows[i].to == 2 ? SR_ESR_EL2 : SR_ESR_EL1], rows[i].esr, "%s: %#lx", rows[i].what,
                     cpu->sys->reg[rows[i].to == 2 ? SR_ESR_EL2 : SR_ESR_EL1]);
    }
}

/* ESB defers a masked virtual SError; an unmasked one is taken. */
Test(sys, error_barrier)
{
    CpuA64 *cpu = cpu_new(HYP);
    A64Sys *s = cpu->sys;
    s->reg[SR_HCR_EL2] |= B(HCR_AMO) | B(HCR_VSE);
    s->reg[SR_VSESR_EL2] = B(24) | 0x1234;
    a64_hcr_changed(cpu);
    a64_set_el(cpu, 1, true);
    cpu->pstate_misc |= PS_A;
    cpu->h.exit_imm = HINT_ESB;
    cr_expect(a64_exception(cpu, EXC_HINT));
    cr_expect_eq(s->reg[SR_VDISR_EL2], B(31) | B(24) | 0x1234);
    cr_expect_eq(a64_sysreg(cpu, SR_DISR_EL1), B(31) | B(24) | 0x1234);
    cr_expect_not(s->reg[SR_HCR_EL2] & B(HCR_VSE));
    s->reg[SR_HCR_EL2] |= B(HCR_VSE);
    a64_hcr_changed(cpu);
    cpu->pstate_misc &= ~(uint64_t)PS_A;
    cr_expect(a64_interrupt(cpu));
    cr_expect_eq(s->reg[SR_ESR_EL1], ESR(0x2f, B(24) | 0x1234));
}

/* FEAT_DoubleFault: SCR_EL3.EASE moves external aborts to SError's vector, NMEA lets SErrors through at EL3. */
Test(sys, double_fault)
{
    CpuA64 *cpu = cpu_new(SECURE);
    cpu->sys->reg[SR_SCR_EL3] |= B(3) | B(19);
    a64_set_el(cpu, 1, true);
    A64Fault f = {.type = FAULT_EXTERNAL};
    a64_abort(cpu, &f);
    cr_expect_eq(cpu->pc, 0x30580);
    cr_expect_eq(cpu->sys->reg[SR_ESR_EL3], ESR(0x24, 0x10));
    cpu->sys->lines = 16;
    cpu->pstate_misc |= PS_A;
    cr_expect_not(a64_interrupt(cpu));
    cpu->sys->reg[SR_SCR_EL3] |= B(20);
    cr_expect(a64_interrupt(cpu));
}

typedef struct OpRow {
    int kind;
    unsigned el;
    A64So so;
    A64Sr control;
    uint64_t bits;
    int level;
} OpRow;

static const OpRow op_rows[] = {
    {PLAIN, 0, SO_TLBI_VMALLE1, SR_COUNT, 0, -1},
    {HYP, 1, SO_TLBI_VMALLE1, SR_HCR_EL2, B(HCR_TTLB), 2},
    {HYP, 1, SO_TLBI_VMALLE1, SR_HCR_EL2, B(HCR_TTLBIS), 0},
    {HYP, 1, SO_TLBI_VAE1IS, SR_HCR_EL2, B(HCR_TTLBIS), 2},
    {HYP, 1, SO_TLBI_VAE1OS, SR_HCR_EL2, B(HCR_TTLBOS), 2},
    {HYP, 1, SO_TLBI_VAE1IS, SR_HFGITR_EL2, B(29), 2},
    {HYP, 1, SO_TLBI_ALLE2, SR_COUNT, 0, -1},
    {HYP, 2, SO_TLBI_ALLE2, SR_COUNT, 0, 0},
    {HYP, 1, SO_DC_CISW, SR_HCR_EL2, B(HCR_TSW), 2},
    {PLAIN, 0, SO_DC_CIVAC, SR_COUNT, 0, 1},
    {PLAIN, 0, SO_DC_CIVAC, SR_SCTLR_EL1, B(26), 0},
    {HYP, 1, SO_DC_CIVAC, SR_HCR_EL2, B(HCR_TPC), 2},
    {HYP, 1, SO_IC_IVAU, SR_HCR_EL2, B(HCR_TPU), 2},
    {HYP, 1, SO_IC_IVAU, SR_HCR_EL2, B(HCR_TOCU), 2},
    {HYP, 1, SO_IC_IALLUIS, SR_HCR_EL2, B(HCR_TICAB), 2},
    {PLAIN, 0, SO_DC_ZVA, SR_COUNT, 0, 1},
    {PLAIN, 0, SO_DC_ZVA, SR_SCTLR_EL1, B(14), 0},
    {HYP, 1, SO_DC_ZVA, SR_HCR_EL2, B(HCR_TDZ), 2},
    {HYP, 1, SO_AT_S1E1R, SR_HFGITR_EL2, B(12), 2},
    {HYP, 1, SO_AT_S12E1R, SR_COUNT, 0, -1},
};

Test(sys, instructions)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < LEN(op_rows); i++) {
        const OpRow *r = &op_rows[i];
        CpuA64 *cpu = cpu_new(r->kind);
        a64_set_el(cpu, r->el, r->el);
        if (r->control != SR_COUNT) {
            cpu->sys->reg[r->control] |= r->bits;
            a64_hcr_changed(cpu);
        }
        SysCheck c = sys_check(cpu, &sys_op_rows[r->so], true);
        int got = !c.level ? 0 : c.ec == EC_UNKNOWN ? -1 : c.level;
        if (got != r->level) {
            cr_log_error("%s at EL%u with %s %#lx: %d, not %d", sys_op_rows[r->so].name, r->el, a64_sysreg_name(r->control), r->bits, got, r->level);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

/* Encodings that VHE turns into others: op1, crn, crm, op2 at EL2 with E2H, and at other levels. */
Test(sys, vhe_names)
{
    static const struct {
        unsigned id;
        int at_el1, at_el2, at_host;
    } rows[] = {
        {SYSID_SCTLR_EL1, SR_SCTLR_EL1, SR_SCTLR_EL1, SR_SCTLR_EL2},
        {SYSID_CPACR_EL1, SR_CPACR_EL1, SR_CPACR_EL1, SR_CPTR_EL2},
        {SYSID_CNTP_CTL_EL0, SR_CNTP_CTL_EL0, SR_CNTP_CTL_EL0, SR_CNTHP_CTL_EL2},
        {SYSID_CNTV_CVAL_EL0, SR_CNTV_CVAL_EL0, SR_CNTV_CVAL_EL0, SR_CNTHV_CVAL_EL2},
        {SYSID_TPIDR_EL1, SR_TPIDR_EL1, SR_TPIDR_EL1, SR_TPIDR_EL1},
        {SYS_ID(3, 5, 1, 0, 0), -1, -1, SR_SCTLR_EL1},
        {SYS_ID(3, 5, 4, 0, 1), -1, -1, SR_ELR_EL1},
        {SYS_ID(3, 5, 14, 3, 1), -1, -1, SR_CNTV_CTL_EL0},
        {SYSID_SCTLR_EL2, SR_SCTLR_EL2, SR_SCTLR_EL2, SR_SCTLR_EL2},
    };
    cpu_new(HYP);
    for (unsigned i = 0; i < LEN(rows); i++) {
        cr_expect_eq(sys_find(&model, rows[i].id, 1, false), rows[i].at_el1, "row %u", i);
        cr_expect_eq(sys_find(&model, rows[i].id, 2, false), rows[i].at_el2, "row %u", i);
        cr_expect_eq(sys_find(&model, rows[i].id, 2, true), rows[i].at_host, "row %u", i);
    }
}

/* Where EL1's accesses end under HCR_EL2.NV; tests/boot/nv.S has the instructions. */
Test(sys, nested_places)
{
    enum { N = 1, N1 = 2, N2 = 4, READ = 0, WRITE = 1, ALIAS = 2 };
    static const struct {
        A64Sr sr;
        unsigned how, bits;
        NvPlace place;
    } rows[] = {
        {SR_HCR_EL2, READ, N, NV_TRAP}, {SR_HCR_EL2, WRITE, N | N2, NV_MEMORY}, {SR_HCR_EL2, READ, N | N1 | N2, NV_MEMORY},
        {SR_VBAR_EL2, READ, N | N2, NV_TRAP}, {SR_SCTLR_EL2, WRITE, N | N1 | N2, NV_TRAP}, {SR_SP_EL1, READ, N, NV_TRAP},
        {SR_SP_EL1, WRITE, N | N2, NV_MEMORY}, {SR_ELR_EL2, READ, N, NV_TRAP}, {SR_ELR_EL2, READ, N | N2, NV_REGISTER},
        {SR_ESR_EL2, WRITE, N | N1 | N2, NV_REGISTER}, {SR_ICH_VTR_EL2, READ, N | N2, NV_TRAP}, {SR_ICH_VTR_EL2, WRITE, N | N2, NV_HERE},
        {SR_ICH_LR3_EL2, WRITE, N | N2, NV_MEMORY}, {SR_SCR_EL3, READ, N | N2, NV_HERE}, {SR_SCTLR_EL1, READ, N, NV_HERE},
        {SR_SCTLR_EL1, READ, N | N1, NV_HERE}, {SR_SCTLR_EL1, READ, N | N2, NV_HERE}, {SR_SCTLR_EL1, WRITE, N | N1 | N2, NV_MEMORY},
        {SR_SCTLR_EL1, ALIAS, N, NV_TRAP}, {SR_SCTLR_EL1, ALIAS, N | N2, NV_MEMORY}, {SR_SCTLR_EL1, ALIAS, N | N1 | N2, NV_TRAP},
        {SR_CNTKCTL_EL1, ALIAS, N | N2, NV_TRAP}, {SR_CNTV_CTL_EL0, ALIAS, N | N2, NV_MEMORY}, {SR_CNTV_TVAL_EL0, ALIAS, N | N2, NV_TRAP},
        {SR_CNTP_CVAL_EL0, READ, N | N1 | N2, NV_MEMORY}, {SR_CNTP_CVAL_EL0, READ, N | N2, NV_HERE}, {SR_MDSCR_EL1, READ, N | N2, NV_MEMORY},
        {SR_MDSCR_EL1, READ, N, NV_HERE}, {SR_TPIDR_EL1, WRITE, N | N1 | N2, NV_HERE}, {SR_CNTFRQ_EL0, WRITE, N | N2, NV_HERE},
    };
    CpuA64 *cpu = cpu_new(HYP);
    a64_set_el(cpu, 1, true);
    for (unsigned i = 0; i < LEN(rows); i++) {
        unsigned b = rows[i].bits;
        a64_set_sysreg(cpu, SR_HCR_EL2, (b & N ? B(HCR_NV) : 0) | (b & N1 ? B(HCR_NV1) : 0) | (b & N2 ? B(HCR_NV2) : 0));
        cr_expect_eq(sys_nv_place(cpu, rows[i].sr, rows[i].how & ALIAS, rows[i].how & WRITE), rows[i].place, "row %u, %s", i,
                     a64_sysreg_name(rows[i].sr));
    }
    cr_expect_eq(sys_nv_register(SR_ELR_EL2), SR_ELR_EL1);
    cr_expect_eq(sys_nv_register(SR_FAR_EL2), SR_FAR_EL1);
    cr_expect_eq(sys_find(&model, SYS_ID(3, 5, 1, 0, 0), 1, true), SR_SCTLR_EL1);
    cr_expect_eq(sys_find(&model, SYSID_SCTLR_EL1, 1, true), SR_SCTLR_EL1);
}

static uint64_t nv_va, nv_value;

static void nv_record(CpuA64 *cpu, uint64_t va, bool write, uint64_t *value)
{
    (void)cpu;
    nv_va = va;
    if (write) {
        nv_value = *value;
    } else {
        *value = 0x77;
    }
}

/* Places in memory are each register's own; what exceptions to EL1 and ERET do; a CPU without NV has none of its bits. */
Test(sys, nested_state)
{
    static const A64Hooks hooks = {.nv2_memory = nv_record};
    uint64_t seen[0x200] = {0};
    CpuA64 *cpu = cpu_new(HYP);
    A64Sys *s = cpu->sys;
    s->hooks = &hooks;
    a64_set_sysreg(cpu, SR_VNCR_EL2, B(56) | 0x12345fff);
    cr_expect_eq(a64_sysreg(cpu, SR_VNCR_EL2), B(56) | 0x12345000);
    a64_set_sysreg(cpu, SR_HCR_EL2, B(HCR_NV) | B(HCR_NV1) | B(HCR_NV2));
    a64_set_el(cpu, 1, true);
    for (unsigned sr = 0; sr < SR_COUNT; sr++) {
        uint64_t v = 5;
        if (sys_nv_place(cpu, (A64Sr)sr, false, true) == NV_MEMORY) {
            sys_nv_memory(cpu, (A64Sr)sr, true, &v);
            cr_expect_eq(nv_va & ~(uint64_t)0xfff, 0xff00000012345000, "%s", a64_sysreg_name(sr));
            cr_expect(!(nv_va & 7) && !seen[(nv_va & 0xfff) / 8]++, "%s", a64_sysreg_name(sr));
            cr_expect_eq(nv_value, 5);
        }
    }
    cr_expect_eq(a64_sysreg(cpu, SR_CurrentEL), 8);
    s->reg[SR_SCTLR_EL1] = 3;
    cr_expect_eq(h_sys_read(cpu, 0xd5381000, SR_SCTLR_EL1), 0x77); /* MRS X0, SCTLR_EL1 */
    h_sys_write(cpu, 0xd51c4020, SR_ELR_EL2, 0x88);                /* MSR ELR_EL2, X0 */
    cr_expect_eq(s->reg[SR_ELR_EL1], 0x88);
    static const struct {
        uint64_t hcr, m;
    } rows[] = {
        {0, 5}, {B(HCR_NV), 9}, {B(HCR_NV) | B(HCR_NV1), 5}, {B(HCR_NV) | B(HCR_NV2), 9}, {B(HCR_NV) | B(HCR_NV1) | B(HCR_NV2), 9},
        {B(HCR_NV1) | B(HCR_NV2), 5},
    };
    for (unsigned i = 0; i < LEN(rows); i++) {
        a64_set_sysreg(cpu, SR_HCR_EL2, rows[i].hcr);
        a64_set_el(cpu, 1, true);
        a64_take(cpu, 1, VEC_SYNC, EC_SVC, 0, 0x1000);
        cr_expect_eq(s->reg[SR_SPSR_EL1] & 15, rows[i].m, "row %u", i);
        a64_set_el(cpu, 0, false);
        a64_take(cpu, 1, VEC_SYNC, EC_SVC, 0, 0x1000);
        cr_expect_eq(s->reg[SR_SPSR_EL1] & 15, 0, "row %u", i);
        a64_exception(cpu, EXC_ERET);
        cr_expect_eq(a64_el(cpu), rows[i].hcr & B(HCR_NV) ? 2 : 0, "row %u", i);
        cr_expect(!(rows[i].hcr & B(HCR_NV)) || s->reg[SR_ESR_EL2] == ESR(0x1a, 0), "row %u", i);
    }
    A64Fault f = {.va = 0x2078, .type = FAULT_TRANSLATION, .level = 1, .write = true, .nv2 = true};
    a64_set_el(cpu, 1, true);
    a64_abort(cpu, &f);
    cr_expect_eq(a64_el(cpu), 2);
    cr_expect_eq(s->reg[SR_ESR_EL2], ESR(0x25, B(13) | B(6) | 5));
    cr_expect_eq(s->reg[SR_FAR_EL2], 0x2078);
    cr_expect_eq(cpu->pc, 0x20400);
    uint64_t bits = B(HCR_NV) | B(HCR_NV1) | B(HCR_NV2) | B(HCR_AT);
    a64_machine_model(a64_model("neoverse-n1"), (A64Options){.el2 = true}, &model);
    a64_set_sysreg(cpu, SR_HCR_EL2, bits);
    cr_expect_eq(a64_sysreg(cpu, SR_HCR_EL2) & bits, 0);
    a64_machine_model(a64_model("max"), (A64Options){.el2 = false}, &model);
    cr_expect_eq(sys_id_value(cpu, SR_ID_AA64MMFR2_EL1) >> 24 & 15, 0);
}

/* No two rows have one encoding, none is used twice as an alias. */
Test(sys, encodings)
{
    for (unsigned i = 0; i < SR_COUNT; i++) {
        for (unsigned k = i + 1; k < SR_COUNT; k++) {
            cr_expect_neq(sys_rows[i].id, sys_rows[k].id, "%s and %s", sys_rows[i].name, sys_rows[k].name);
        }
    }
    for (unsigned i = 0; i < SO_COUNT; i++) {
        for (unsigned k = i + 1; k < SO_COUNT; k++) {
            cr_expect_neq(sys_op_rows[i].id, sys_op_rows[k].id, "%s and %s", sys_op_rows[i].name, sys_op_rows[k].name);
        }
    }
}

Test(sys, id_registers)
{
    static const struct {
        const char *model;
        A64Sr sr;
        uint64_t want;
    } rows[] = {
        {"cortex-a57", SR_ID_AA64PFR0_EL1, 0x01000111},
        {"cortex-a57", SR_ID_AA64MMFR1_EL1, 0},
        {"cortex-a57", SR_ID_AA64DFR0_EL1, 0x10305106},
        {"neoverse-n1", SR_ID_AA64MMFR1_EL1, 0x10211122},
        {"neoverse-n1", SR_ID_AA64MMFR2_EL1, 0x11},
        {"neoverse-n1", SR_ID_AA64PFR0_EL1, 0x1100000011110111},
        {"neoverse-n1", SR_ID_AA64ZFR0_EL1, 0},
        {"neoverse-n1", SR_ID_AA64DFR0_EL1, 0x10305408},
        {"max", SR_ID_AA64DFR0_EL1, 0x100000f010305609},
        {"max", SR_ID_AA64PFR0_EL1, 0x1301000021110111},
        {"max", SR_ID_AA64PFR1_EL1, 0x21},
        {"max", SR_ID_AA64MMFR0_EL1, 0x2100032310200026},
        {"max", SR_ID_AA64MMFR1_EL1, 0x0010012010312122},
        {"max", SR_ID_AA64MMFR2_EL1, 0x1221011112111011},
    };
    for (unsigned i = 0; i < LEN(rows); i++) {
        CpuA64 *cpu = cpu_new(HYP);
        a64_machine_model(a64_model(rows[i].model), (A64Options){.el2 = true, .gicv3 = true, .pmu = true}, &model);
        cr_expect_eq(sys_id_value(cpu, rows[i].sr), rows[i].want, "%s of %s: %#lx", sys_rows[rows[i].sr].name, rows[i].model,
                     sys_id_value(cpu, rows[i].sr));
    }
}

/* What -cpu max has above EL0: Arm's name, the field of four bits that says so, its value at least. The other features of the
 * architecture are not there, and their fields are 0 (models.def has what each model has). */
Test(sys, features_of_max)
{
    static const struct {
        const char *name;
        A64Sr sr;
        unsigned lsb, least;
    } rows[] = {
        {"AA64EL1", SR_ID_AA64PFR0_EL1, 4, 1}, {"AA64EL2", SR_ID_AA64PFR0_EL1, 8, 1}, {"AA64EL3", SR_ID_AA64PFR0_EL1, 12, 1},
        {"GICv3", SR_ID_AA64PFR0_EL1, 24, 1}, {"RAS", SR_ID_AA64PFR0_EL1, 28, 1}, {"RASv1p1, DoubleFault", SR_ID_AA64PFR0_EL1, 28, 2},
        {"DIT", SR_ID_AA64PFR0_EL1, 48, 1}, {"CSV2_2", SR_ID_AA64PFR0_EL1, 56, 2}, {"CSV2_3", SR_ID_AA64PFR0_EL1, 56, 3},
        {"CSV3", SR_ID_AA64PFR0_EL1, 60, 1}, {"BTI", SR_ID_AA64PFR1_EL1, 0, 1}, {"SSBS2", SR_ID_AA64PFR1_EL1, 4, 2},
        {"RNG_TRAP", SR_ID_AA64PFR1_EL1, 28, 1}, {"Debugv8p1", SR_ID_AA64DFR0_EL1, 0, 7}, {"Debugv8p2", SR_ID_AA64DFR0_EL1, 0, 8},
        {"Debugv8p4", SR_ID_AA64DFR0_EL1, 0, 9}, {"PMUv3", SR_ID_AA64DFR0_EL1, 8, 1}, {"PMUv3p1", SR_ID_AA64DFR0_EL1, 8, 4},
        {"PMUv3p4", SR_ID_AA64DFR0_EL1, 8, 5}, {"PMUv3p5", SR_ID_AA64DFR0_EL1, 8, 6}, {"HPMN0", SR_ID_AA64DFR0_EL1, 60, 1},
        {"TLBIOS", SR_ID_AA64ISAR0_EL1, 56, 1}, {"TLBIRANGE", SR_ID_AA64ISAR0_EL1, 56, 2}, {"SPECRES", SR_ID_AA64ISAR1_EL1, 40, 1},
        {"DGH", SR_ID_AA64ISAR1_EL1, 48, 1}, {"XS", SR_ID_AA64ISAR1_EL1, 56, 1}, {"WFxT", SR_ID_AA64ISAR2_EL1, 0, 2},
        {"ATS1A", SR_ID_AA64ISAR2_EL1, 60, 1}, {"LPA", SR_ID_AA64MMFR0_EL1, 0, 6}, {"ASID16", SR_ID_AA64MMFR0_EL1, 4, 2},
        {"TGran16K", SR_ID_AA64MMFR0_EL1, 20, 1}, {"LPA2, 16K", SR_ID_AA64MMFR0_EL1, 20, 2}, {"TGran64K", SR_ID_AA64MMFR0_EL1, 24, 0},
        {"TGran4K", SR_ID_AA64MMFR0_EL1, 28, 0}, {"LPA2, 4K", SR_ID_AA64MMFR0_EL1, 28, 1}, {"GTG, S2TGran16K", SR_ID_AA64MMFR0_EL1, 32, 2},
        {"GTG, S2TGran64K", SR_ID_AA64MMFR0_EL1, 36, 2}, {"GTG, S2TGran4K", SR_ID_AA64MMFR0_EL1, 40, 2}, {"FGT", SR_ID_AA64MMFR0_EL1, 56, 1},
        {"ECV", SR_ID_AA64MMFR0_EL1, 60, 1}, {"ECV_POFF", SR_ID_AA64MMFR0_EL1, 60, 2}, {"HAF", SR_ID_AA64MMFR1_EL1, 0, 1},
        {"HAFDBS", SR_ID_AA64MMFR1_EL1, 0, 2}, {"VMID16", SR_ID_AA64MMFR1_EL1, 4, 2}, {"VHE", SR_ID_AA64MMFR1_EL1, 8, 1},
        {"HPDS", SR_ID_AA64MMFR1_EL1, 12, 1}, {"HPDS2", SR_ID_AA64MMFR1_EL1, 12, 2}, {"LOR", SR_ID_AA64MMFR1_EL1, 16, 1},
        {"PAN", SR_ID_AA64MMFR1_EL1, 20, 1}, {"PAN2", SR_ID_AA64MMFR1_EL1, 20, 2}, {"PAN3", SR_ID_AA64MMFR1_EL1, 20, 3},
        {"XNX", SR_ID_AA64MMFR1_EL1, 28, 1}, {"ETS2", SR_ID_AA64MMFR1_EL1, 36, 2}, {"HCX", SR_ID_AA64MMFR1_EL1, 40, 1},
        {"TIDCP1", SR_ID_AA64MMFR1_EL1, 52, 1}, {"TTCNP", SR_ID_AA64MMFR2_EL1, 0, 1}, {"UAO", SR_ID_AA64MMFR2_EL1, 4, 1},
        {"IESB", SR_ID_AA64MMFR2_EL1, 12, 1}, {"LVA", SR_ID_AA64MMFR2_EL1, 16, 1}, {"CCIDX", SR_ID_AA64MMFR2_EL1, 20, 1},
        {"NV", SR_ID_AA64MMFR2_EL1, 24, 1}, {"NV2", SR_ID_AA64MMFR2_EL1, 24, 2}, {"TTST", SR_ID_AA64MMFR2_EL1, 28, 1}, {"LSE2", SR_ID_AA64MMFR2_EL1, 32, 1}, {"IDST", SR_ID_AA64MMFR2_EL1, 36, 1},
        {"S2FWB", SR_ID_AA64MMFR2_EL1, 40, 1}, {"TTL", SR_ID_AA64MMFR2_EL1, 48, 1}, {"BBML1", SR_ID_AA64MMFR2_EL1, 52, 1},
        {"BBML2", SR_ID_AA64MMFR2_EL1, 52, 2}, {"EVT", SR_ID_AA64MMFR2_EL1, 56, 1}, {"EVT with TTLBIS", SR_ID_AA64MMFR2_EL1, 56, 2},
        {"E0PD", SR_ID_AA64MMFR2_EL1, 60, 1},
    };
    CpuA64 *cpu = cpu_new(SECURE);
    for (unsigned i = 0; i < LEN(rows); i++) {
        uint64_t have = sys_id_value(cpu, rows[i].sr) >> rows[i].lsb & 15;
        cr_expect_geq(have, rows[i].least, "%s: %s is %#lx", rows[i].name, a64_sysreg_name(rows[i].sr), sys_id_value(cpu, rows[i].sr));
    }
    static const A64Sr nothing[] = {SR_ID_AA64PFR2_EL1, SR_ID_AA64ZFR0_EL1, SR_ID_AA64SMFR0_EL1, SR_ID_AA64FPFR0_EL1, SR_ID_AA64DFR1_EL1,
                                    SR_ID_AA64DFR2_EL1, SR_ID_AA64AFR0_EL1, SR_ID_AA64AFR1_EL1, SR_ID_AA64ISAR3_EL1, SR_ID_AA64MMFR3_EL1,
                                    SR_ID_AA64MMFR4_EL1, SR_ID_PFR0_EL1, SR_ID_ISAR0_EL1, SR_MVFR0_EL1};
    for (unsigned i = 0; i < LEN(nothing); i++) {
        cr_expect_eq(sys_id_value(cpu, nothing[i]), 0, "%s", a64_sysreg_name(nothing[i]));
    }
}

/* -- debug ----------------------------------------------------------------------------------------------------------------- */

Test(sys, breakpoints)
{
    CpuA64 *cpu = cpu_new(PLAIN);
    A64Sys *s = cpu->sys;
    a64_set_el(cpu, 0, false);
    s->reg[SR_MDSCR_EL1] = B(15);
    s->reg[SR_DBGBVR0_EL1 + 1] = 0x4000;
    s->reg[SR_DBGBCR0_EL1 + 1] = 0xf << 5 | 2 << 1 | 1; /* EL0 */
    cr_expect(a64_breakpoint(cpu, 0x4000));
    cr_expect_not(a64_breakpoint(cpu, 0x4004));
    a64_set_el(cpu, 1, true);
    cr_expect_not(a64_breakpoint(cpu, 0x4000));
    a64_set_el(cpu, 0, false);
    s->reg[SR_DBGWVR0_EL1] = 0x8000;
    s->reg[SR_DBGWCR0_EL1] = 0x0c << 5 | 2 << 3 | 2 << 1 | 1; /* bytes 2 and 3, stores, EL0 */
    cr_expect(a64_watchpoint(cpu, 0x8002, 1, true, false));
    cr_expect(a64_watchpoint(cpu, 0x8000, 4, true, false));
    cr_expect_not(a64_watchpoint(cpu, 0x8000, 4, false, false));
    cr_expect_not(a64_watchpoint(cpu, 0x8004, 8, true, false));
    cr_expect_not(a64_watchpoint(cpu, 0x8000, 2, true, false));
}

Test(sys, software_step)
{
    CpuA64 *cpu = cpu_new(PLAIN);
    A64Sys *s = cpu->sys;
    a64_set_el(cpu, 1, true);
    s->reg[SR_MDSCR_EL1] = 1;
    s->reg[SR_SPSR_EL1] = PS_SS;
    s->reg[SR_ELR_EL1] = 0x5000;
    cr_expect_not(a64_step_active(cpu));
    a64_eret(cpu);
    cr_expect(a64_step_active(cpu));
    cr_expect(cpu->pstate_misc & PS_SS);
    cpu->pstate_misc &= ~(uint64_t)PS_SS;
    a64_step_exception(cpu, false);
    cr_expect_eq(s->reg[SR_ESR_EL1], ESR(0x32, B(24) | 0x22));
    cr_expect_eq(cpu->pc, 0x10400);
    cr_expect_eq(s->reg[SR_ELR_EL1], 0x5000);
}

Test(sys, performance_monitors)
{
    CpuA64 *cpu = cpu_new(PLAIN);
    A64Sys *s = cpu->sys;
    a64_set_el(cpu, 1, true);
    a64_set_sysreg(cpu, SR_PMCR_EL0, 1 | 2 | 4);
    cr_expect_eq(a64_sysreg(cpu, SR_PMCR_EL0) >> 11 & 31, 6);
    a64_set_sysreg(cpu, SR_PMSELR_EL0, 2);
    a64_set_sysreg(cpu, SR_PMXEVTYPER_EL0, 0);
    a64_set_sysreg(cpu, SR_PMXEVCNTR_EL0, 0xffffffff);
    a64_set_sysreg(cpu, SR_PMCNTENSET_EL0, 4);
    a64_set_sysreg(cpu, SR_PMSWINC_EL0, 4);
    cr_expect_eq(s->reg[SR_PMEVCNTR0_EL0 + 2], B(32)); /* 64 bits since PMUv3p5 */
    cr_expect_eq(a64_sysreg(cpu, SR_PMOVSCLR_EL0), 4);
    a64_set_sysreg(cpu, SR_PMOVSCLR_EL0, 4);
    cr_expect_eq(a64_sysreg(cpu, SR_PMOVSSET_EL0), 0);
    a64_set_sysreg(cpu, SR_PMCNTENSET_EL0, B(31));
    uint64_t before = a64_sysreg(cpu, SR_PMCCNTR_EL0);
    for (volatile unsigned i = 0; i < 100000; i++) {
    }
    cr_expect_gt(a64_sysreg(cpu, SR_PMCCNTR_EL0), before);
    a64_set_sysreg(cpu, SR_PMCCFILTR_EL0, B(31)); /* not at EL1 */
    before = a64_sysreg(cpu, SR_PMCCNTR_EL0);
    cr_expect_eq(a64_sysreg(cpu, SR_PMCCNTR_EL0), before);
}

static bool pmu_line;

static void on_pmu_line(CpuA64 *cpu, bool level)
{
    (void)cpu;
    pmu_line = level;
}

Test(sys, performance_monitors_after_reset)
{
    CpuA64 *cpu = cpu_new(PLAIN);
    A64Hooks hooks = *cpu->sys->hooks;
    hooks.pmu_line = on_pmu_line;
    cpu->sys->hooks = &hooks;
    a64_set_el(cpu, 1, true);
    a64_set_sysreg(cpu, SR_PMCR_EL0, 1);
    a64_set_sysreg(cpu, SR_PMINTENSET_EL1, 4);
    a64_set_sysreg(cpu, SR_PMEVCNTR0_EL0 + 2, 0xffffffff);
    a64_set_sysreg(cpu, SR_PMCNTENSET_EL0, 4);
    a64_set_sysreg(cpu, SR_PMSWINC_EL0, 4);
    cr_expect(pmu_line);
    a64_reset(cpu);
    cr_expect_not(pmu_line);
}

/* Five bits of priority need one register of active priorities, and ICH_VTR_EL2 says that there are four list registers. */
Test(sys, interrupt_registers_that_are_there)
{
    CpuModel model;
    a64_machine_model(a64_model("max"), (A64Options){.el2 = true, .gicv3 = true}, &model);
    for (unsigned n = 0; n < 16; n++) {
        cr_expect_eq(sys_find(&model, SYS_ID(3, 4, 12, 12 + n / 8, n % 8), 2, false) >= 0, n < 4, "ICH_LR%u_EL2", n);
        cr_expect_eq(sys_find(&model, SYS_ID(3, 4, 12, 8 + n / 8, n % 4), 2, false) >= 0, n % 4 == 0, "ICH_AP%uR%u_EL2", n / 8, n % 4);
    }
}
