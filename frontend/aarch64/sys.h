/* sys.h - the AArch64 CPU above EL0: system registers, exception levels, exceptions, what softmmu hangs into it.
 *
 * A64Sys exists in system mode only (CpuA64.sys; NULL in armx-user). Registers of sysregs.def have their storage in reg[],
 * by SR_name; those of kind DEV belong to devices (timers, GIC), which may use reg[] or not. Of the stack pointers, the
 * current one is in the slot sp and the others in reg[SR_SP_EL0] .. and sp_el3.
 *
 * PSTATE without NZCV and BTYPE is the slot pstate_misc, its bits where SPSR_ELx has them: M[3:0] (EL, SPSel), DAIF 9:6, SSBS 12,
 * IL 20, SS 21, PAN 22, UAO 23, DIT 24, TCO 25. Whoever changes M, PAN or UAO, or a register that translation or the key depends on,
 * calls a64_context_changed afterwards (all of the functions here do).
 *
 * A CPU belongs to its thread; others write `lines` (vcpu_set_line) and `event` (vcpu_send_event), atomically, as it reads them.
 */
#ifndef ARMX_FRONTEND_AARCH64_SYS_H
#define ARMX_FRONTEND_AARCH64_SYS_H

#include "cpu.h"
#include "sysregs.h"

enum {
    PS_SPSEL = 1 << 0, PS_EL_SHIFT = 2, PS_M = 31, PS_F = 1 << 6, PS_I = 1 << 7, PS_A = 1 << 8, PS_D = 1 << 9, PS_DAIF = 15 << 6,
    PS_SSBS = 1 << 12, PS_ALLINT = 1 << 13, PS_IL = 1 << 20, PS_SS = 1 << 21, PS_PAN = 1 << 22, PS_UAO = 1 << 23, PS_DIT = 1 << 24,
    PS_TCO = 1 << 25
};

/* State key above KEY_SP_ODD: what a translation depends on. */
enum {
    KEY_EL_SHIFT = 8,           /* two bits: PSTATE.EL */
    KEY_E2H = 1 << 10,          /* EL2 with HCR_EL2.E2H, or EL0 of that regime (E2H and TGE) */
    KEY_SPSEL = 1 << 11,
    KEY_FP_SHIFT = 12,          /* two bits: level that FP and SIMD instructions trap to, 0 = they do not */
    KEY_SLOW_SYS = 1 << 14,     /* some trap may hit a SLOT register, SVC or ERET: all go through the helper */
    KEY_TBI0 = 1 << 15,         /* top byte ignored for data addresses with bit 55 clear, set; TBID: for instructions */
    KEY_TBI1 = 1 << 16,
    KEY_TBII0 = 1 << 17,
    KEY_TBII1 = 1 << 18,
    KEY_PAC_SHIFT = 19,         /* four bits: keys PAC_IA .. PAC_DB that are enabled at this level */
    KEY_PAC_TRAP_SHIFT = 23,    /* two bits: level that instructions with an enabled key trap to */
    KEY_BT = 1 << 25,           /* SCTLR_ELx.BT: PACIASP is no landing pad for BTYPE 3 */
    /* 1 << 26 is KEY_SP_CHECK: SCTLR_ELx.SA */
    KEY_ALIGN_CHECK = 1 << 27,  /* SCTLR_ELx.A */
    KEY_EL0_COUNTER = 1 << 28,  /* CNTVCT_EL0 can be read at this level */
    KEY_MMU_ON = 1 << 29,       /* stage 1 is on */
    KEY_WATCH = 1 << 30         /* breakpoints or watchpoints are enabled: none of the short cuts */
};
#define KEY_ZVA ((uint64_t)1 << 31) /* DC ZVA may be executed at this level */
/* Above the engine's own (ir/iface.h). */
enum {
    KEY_PAC_LOW0_SHIFT = 35, KEY_PAC_LOW1_SHIFT = 41 /* six bits each: lowest bit of a PAC in the lower, in the upper half of addresses */
};
#define KEY_COUNT ((uint64_t)1 << 49)    /* a performance counter counts instructions at this level: A64Sys.pmu.insns does */
#define KEY_LIMIT ((uint64_t)1 << 51)    /* such a counter interrupts when it overflows: A64Sys.pmu.limit */
#define KEY_D_ACTS ((uint64_t)1 << 47)   /* MDSCR_EL1.SS or MDE: PSTATE.D counts */
#define KEY_PAC_ANY ((uint64_t)1 << 50)  /* pointers may be of either half, not canonical, or wrong (tr_pac.c) */
#define KEY_NV ((uint64_t)1 << 52)       /* EL1 with HCR_EL2.NV */
#define KEY_PAC_KEYS ((uint64_t)1 << 48) /* the keys of pointer authentication can be accessed at this level */

/* pc without the tag that branches drop under this key (AArch64.BranchAddr). */
static inline uint64_t a64_branch_address(uint64_t pc, uint64_t key)
{
    bool two = (key >> KEY_EL_SHIFT & 3) < 2 || key & KEY_E2H;
    if (!(key & (pc >> 55 & 1 ? KEY_TBII1 : KEY_TBII0))) {
        return pc;
    }
    return two ? (uint64_t)bits_sext(pc, 56) : pc & bits_mask(56);
}

/* Fault of a memory access: what ESR_ELx.ISS is made of (DDI 0487 D17.2.37, aarch64/exceptions/aborts). */
typedef enum A64FaultType {
    FAULT_NONE, FAULT_ADDRESS_SIZE, FAULT_TRANSLATION, FAULT_ACCESS_FLAG, FAULT_PERMISSION, FAULT_ALIGNMENT, FAULT_EXTERNAL,
    FAULT_EXTERNAL_WALK, FAULT_TLB_CONFLICT, FAULT_UNSUPPORTED_ATOMIC, FAULT_DEBUG, FAULT_TAG_CHECK
} A64FaultType;

typedef struct A64Fault {
    uint64_t va;       /* FAR_ELx */
    uint64_t ipa;      /* HPFAR_EL2 when stage2 */
    uint8_t type;      /* A64FaultType */
    int8_t level;      /* -1 .. 3 */
    bool stage2;       /* found at stage 2: goes to EL2 */
    bool s1ptw;        /* on a stage 2 walk for a stage 1 table */
    bool write;        /* ESR.WnR; cache maintenance and AT say true too */
    bool fetch;        /* instruction abort */
    bool cache;        /* by a cache maintenance instruction, AT or DC ZVA-like: ESR.CM */
    bool nv2;          /* for a register that FEAT_NV2 keeps in memory: an access of EL2, ESR.VNCR */
    bool assured;      /* AssuredOnly, TopLevel...: not used yet by any feature: 0 */
    bool secure_ipa;   /* HPFAR_EL2.NS = !secure_ipa in Secure state */
} A64Fault;

/* Exception classes (ESR_ELx.EC). */
enum {
    EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_FP = 0x07, EC_PAC = 0x09, EC_BTI = 0x0d, EC_ILLEGAL = 0x0e, EC_SVC = 0x15, EC_HVC = 0x16, EC_SMC = 0x17,
    EC_SYS = 0x18, EC_SVE = 0x19, EC_ERET = 0x1a, EC_FPAC = 0x1c, EC_INSN_LOWER = 0x20, EC_INSN_SAME = 0x21, EC_PC_ALIGN = 0x22,
    EC_DATA_LOWER = 0x24, EC_DATA_SAME = 0x25, EC_SP_ALIGN = 0x26, EC_FP_TRAP = 0x2c, EC_SERROR = 0x2f, EC_BREAK_LOWER = 0x30,
    EC_BREAK_SAME = 0x31, EC_STEP_LOWER = 0x32, EC_STEP_SAME = 0x33, EC_WATCH_LOWER = 0x34, EC_WATCH_SAME = 0x35, EC_BRK = 0x3c
};
enum { VEC_SYNC = 0, VEC_IRQ = 0x80, VEC_FIQ = 0x100, VEC_SERROR = 0x180 };

/* What softmmu gives. All run on the CPU's thread; NULL = nothing to do, reads as 0. */
typedef struct A64Hooks {
    /* Registers of kind DEV; traps are decided, VHE redirection is done. */
    uint64_t (*read)(CpuA64 *cpu, A64Sr sr);
    void (*write)(CpuA64 *cpu, A64Sr sr, uint64_t value);
    /* A register of kind VM, HCR_EL2 or SCR_EL3 was written (old: before); EL, SPSel, PAN or UAO changed. Vector registers hold
     * guest state. */
    void (*mmu_changed)(CpuA64 *cpu, A64Sr sr, uint64_t old);
    void (*level_changed)(CpuA64 *cpu, uint64_t key); /* ends in engine_switch */
    /* CNTHCTL_EL2, HCR_EL2 or SCR_EL3 was written. */
    void (*told)(CpuA64 *cpu, A64Sr sr, uint64_t value);
    /* Instructions with the value of Xt. May raise a data abort. */
    void (*tlbi)(CpuA64 *cpu, A64So op, uint64_t arg); /* sets A64Sys.tlbi_open when others have to take part */
    void (*tlbi_done)(CpuA64 *cpu);                    /* DSB after that: returns when they have */
    void (*at)(CpuA64 *cpu, A64So op, uint64_t arg); /* leaves PAR_EL1 in reg[] */
    void (*cache)(CpuA64 *cpu, A64So op, uint64_t arg);
    /* FEAT_NV2: eight bytes at va as EL2 reads or writes them. May raise a data abort. */
    void (*nv2_memory)(CpuA64 *cpu, uint64_t va, bool write, uint64_t *value);
    /* HVC or SMC that firmware takes (PSCI conduit): true = done, X0.. hold the answer. */
    bool (*firmware)(CpuA64 *cpu, bool smc);
    /* WFE, WFI: sleeps; until = value of the virtual counter at the latest, ~0 = no limit. SEV. */
    void (*wait)(CpuA64 *cpu, bool wfi, uint64_t until);
    void (*send_event)(CpuA64 *cpu);
    /* Level of the PMU's interrupt. */
    void (*pmu_line)(CpuA64 *cpu, bool level);
} A64Hooks;

typedef struct A64Sys {
    uint64_t reg[SR_COUNT];
    uint64_t sp_el3;
    uint64_t hcr;              /* HCR_EL2 as it acts, see a64_hcr */
    bool el2_on;               /* see a64_el2_enabled */
    uint8_t keys_known;        /* bit EL << 1 | SPSel: keys[] is right */
    uint64_t keys[8];          /* part of the state key that follows from level and registers (sys_key.c) */
    volatile uint64_t lines;   /* interrupt inputs, bit LINE_x (softmmu/vcpu.h); nonzero makes unmasking leave translated code */
    const A64Hooks *hooks;
    void *vcpu;                /* struct Vcpu of softmmu */
    void *mmu;                 /* softmmu's own */
    void *gic, *timer;         /* the same as in Vcpu, for hooks */
    A64Fault fault;            /* of the last EXC_DATA or EXC_FETCH */
    uint8_t trap_level, trap_ec; /* of the last EXC_SYSTRAP */
    uint32_t trap_iss;
    uint64_t mpidr;
    uint64_t reset_pc;         /* RVBAR */
    bool el2, el3;             /* implemented */
    bool secure;               /* current security state */
    uint8_t vtimer_ctl;        /* generic timers' own */
    bool event;                /* event register of WFE */
    bool os_lock;
    bool tlbi_open;            /* broadcast TLB maintenance that no DSB has waited for */
    uint8_t claim;             /* DBGCLAIM tags */
    struct {
        uint64_t last;         /* thread time up to which counters are right */
        uint64_t insns;        /* instructions executed under KEY_COUNT; how many of them counters have */
        uint64_t counted;
        uint64_t limit;        /* insns at which a counter overflows whose interrupt is on */
        uint32_t running;      /* counters that run in the current state, bit 31 = cycles */
        bool line;
    } pmu;
} A64Sys;

/* A CPU structure with its system part behind it: what system mode allocates. */
typedef struct A64Machine {
    CpuA64 cpu;
    A64Sys sys;
} A64Machine;

extern const Frontend a64_system_frontend;

/* Slots of system mode behind those of cpu.def: registers of kind SLOT, and A64Sys.lines. */
#define SYSSLOT_REG(name)
#define SYSSLOT_R32(name)
#define SYSSLOT_SLOT(name) SYSLOT_##name,
#define SYSSLOT_CPU(name)
#define SYSSLOT_VM(name)
#define SYSSLOT_KEY(name)
#define SYSSLOT_ID(name)
#define SYSSLOT_HOOK(name)
#define SYSSLOT_DEV(name)
#define SYSSLOT_RAZ(name)
enum {
    SYSLOT_lines = SLOT_COUNT,
    SYSLOT_insns,
#define SYSREG(name, op0, op1, crn, crm, op2, feat, access, kind, trap, fgt) SYSSLOT_##kind(name)
#include "sysregs.def"
    SYSLOT_COUNT
};
_Static_assert(SYSLOT_COUNT <= 160, "IR_MAX_SLOTS");

static inline unsigned a64_el(const CpuA64 *cpu)
{
    return (unsigned)cpu->pstate_misc >> PS_EL_SHIFT & 3;
}

static inline bool a64_has(const CpuA64 *cpu, unsigned feat)
{
    return cpu->model->feats[feat / 64] >> (feat % 64) & 1;
}

/* Is EL2 there for the current security state (EL2Enabled)? HCR_EL2 as it acts there, 0 without EL2 (E2H, TGE, ...: bits below). */
static inline bool a64_el2_enabled(const CpuA64 *cpu)
{
    return cpu->sys->el2_on;
}
static inline uint64_t a64_hcr(const CpuA64 *cpu)
{
    return cpu->sys->hcr;
}
/* The two follow from HCR_EL2, SCR_EL3 and the level; after raw writes of those. */
void a64_hcr_changed(CpuA64 *cpu);
enum {
    HCR_VM = 0, HCR_SWIO = 1, HCR_PTW = 2, HCR_FMO = 3, HCR_IMO = 4, HCR_AMO = 5, HCR_VF = 6, HCR_VI = 7, HCR_VSE = 8, HCR_FB = 9, HCR_DC = 12,
    HCR_TWI = 13, HCR_TWE = 14, HCR_TID0 = 15, HCR_TID1 = 16, HCR_TID2 = 17, HCR_TID3 = 18, HCR_TSC = 19, HCR_TIDCP = 20, HCR_TACR = 21,
    HCR_TSW = 22, HCR_TPC = 23, HCR_TPU = 24, HCR_TTLB = 25, HCR_TVM = 26, HCR_TGE = 27, HCR_TDZ = 28, HCR_HCD = 29, HCR_TRVM = 30, HCR_RW = 31,
    HCR_CD = 32, HCR_ID = 33, HCR_E2H = 34, HCR_TLOR = 35, HCR_TERR = 36, HCR_TEA = 37, HCR_APK = 40, HCR_API = 41, HCR_NV = 42, HCR_NV1 = 43,
    HCR_AT = 44, HCR_NV2 = 45, HCR_FWB = 46, HCR_FIEN = 47, HCR_TID4 = 49, HCR_TICAB = 50, HCR_AMVOFFEN = 51, HCR_TOCU = 52,
    HCR_ENSCXT = 53, HCR_TTLBIS = 54, HCR_TTLBOS = 55, HCR_ATA = 56, HCR_DCT = 57, HCR_TID5 = 58
}; /* bit numbers */
static inline bool a64_hcr_bit(const CpuA64 *cpu, unsigned bit)
{
    return a64_hcr(cpu) >> bit & 1;
}
/* Is EL1 a hypervisor's view of EL2, and is its stage 1 that of a hypervisor without VHE (EffectiveHCR_EL2_NVx)? */
static inline bool a64_nv(const CpuA64 *cpu)
{
    return a64_hcr_bit(cpu, HCR_NV);
}
static inline bool a64_nv1(const CpuA64 *cpu)
{
    return a64_hcr_bit(cpu, HCR_NV1);
}
static inline bool a64_nv2(const CpuA64 *cpu)
{
    return a64_hcr_bit(cpu, HCR_NV2);
}
/* The EL1&0 regime's place is taken by EL2&0: HCR_EL2.E2H, and TGE at EL0 (ELIsInHost). */
static inline bool a64_in_host(const CpuA64 *cpu, unsigned el)
{
    uint64_t h = cpu->sys->hcr;
    return h >> HCR_E2H & 1 && (el == 2 || (el == 0 && h >> HCR_TGE & 1));
}
/* Level whose registers translate for el: 1, 2 or 3 (S1TranslationRegime). */
static inline unsigned a64_regime(const CpuA64 *cpu, unsigned el)
{
    return el ? el : a64_in_host(cpu, 0) ? 2 : 1;
}
/* SCTLR_ELx of the regime. */
uint64_t a64_sctlr(const CpuA64 *cpu, unsigned el);

/* Reads and writes register sr without looking for traps, side effects included (debugger, firmware, tests). */
uint64_t a64_sysreg(CpuA64 *cpu, A64Sr sr);
void a64_set_sysreg(CpuA64 *cpu, A64Sr sr, uint64_t value);
const char *a64_sysreg_name(unsigned sr);

/* Architected reset of a zeroed structure whose model, sys, hooks are set: highest implemented level, MMU off, pc = reset_pc. */
void a64_reset(CpuA64 *cpu);
/* PSTATE as SPSR_ELx would hold it. */
uint64_t a64_spsr(const CpuA64 *cpu);
/* Switches to level el with SPSel = sp, banks SP; for resets, firmware and kernels that are entered directly. */
void a64_set_el(CpuA64 *cpu, unsigned el, bool sp);
/* Key and hooks after a change of what they depend on: any register; the level, SPSel, PAN or UAO alone. */
void a64_context_changed(CpuA64 *cpu);
void a64_level_changed(CpuA64 *cpu);

/* Takes an exception: ESR_ELx = ec, iss; ELR_ELx = pc; vector offset VEC_*. target: 1, 2 or 3. */
void a64_take(CpuA64 *cpu, unsigned target, unsigned vector, unsigned ec, uint32_t iss, uint64_t ret);
/* The same to where synchronous exceptions of the current level go (AArch64.UndefinedFault's routing). */
void a64_take_sync(CpuA64 *cpu, unsigned ec, uint32_t iss);
/* Data or instruction abort by sys->fault; pc = the instruction. */
void a64_abort(CpuA64 *cpu, const A64Fault *f);
/* From inside a helper or a hook that translated code called: leaves it with the abort, precisely. */
NORETURN void a64_raise_abort(CpuA64 *cpu, const A64Fault *f);
/* Exception return (ERET) to ELR and SPSR of the current level. */
void a64_eret(CpuA64 *cpu);
/* Takes a pending interrupt if lines, PSTATE and HCR_EL2, SCR_EL3 let it; true = pc is the vector now. */
bool a64_interrupt(CpuA64 *cpu);
/* Would an interrupt that is pending end WFI (masked or not)? */
bool a64_wakes(const CpuA64 *cpu);
/* What engine_run returned as the guest's exception: takes it. False: not the CPU's business (EXC_PENDING, ...). */
bool a64_exception(CpuA64 *cpu, ExcKind kind);
/* Is software step active: is the next instruction to be executed alone? With PSTATE.SS clear its exception is taken instead. */
bool a64_step_active(const CpuA64 *cpu);
/* Software step's exception; ex: an exclusive load was stepped over. */
void a64_step_exception(CpuA64 *cpu, bool ex);
/* Under KEY_WATCH: does a breakpoint match the instruction at pc (then a64_breakpoint_exception), a watchpoint this access
 * (then an abort of type FAULT_DEBUG)? */
bool a64_breakpoint(const CpuA64 *cpu, uint64_t pc);
void a64_breakpoint_exception(CpuA64 *cpu);
bool a64_watchpoint(const CpuA64 *cpu, uint64_t address, unsigned bytes, bool write, bool unprivileged);

/* Performance monitors: brings counters up to date and sets the line; recomputes which ones run (done by a64_context_changed); ns until
 * an overflow that interrupts, ~0 = none. */
void a64_pmu_poll(CpuA64 *cpu);
void a64_pmu_skip(CpuA64 *cpu); /* the time since the last poll was spent waiting */
void a64_pmu_state(CpuA64 *cpu);
uint64_t a64_pmu_next(const CpuA64 *cpu);

/* The model of a machine: base with what -cpu and -M add. out lives as long as the machine. */
typedef struct A64Options {
    bool el2, el3, gicv3, pmu, no_pauth, no_lpa2;
} A64Options;
void a64_machine_model(const CpuModel *base, A64Options with, CpuModel *out);

#endif
