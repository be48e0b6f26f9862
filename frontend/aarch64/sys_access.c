/* sys_access.c - MRS, MSR, SYS: which row an encoding is, what traps the access, where the value is.
 *
 * The tables are the rows of sysregs.def. An access is checked in the order of the manual's pseudocode (DDI 0487 D19): level, then
 * traps to EL1 (from EL0), to EL2 (HCR_EL2 and its kin, then fine-grained), to EL3. A trap of EL0 to EL1 goes to EL2 under TGE.
 * Adding a trap: a name in sys_int.h, a case here.
 */
#include "sys_int.h"

#include "helpers.h"

const SysRow sys_rows[SR_COUNT] = {
#define SYSREG(name, op0, op1, crn, crm, op2, feat, access, kind, trap, fgt)                        \
    {#name, SYS_ID(op0, op1, crn, crm, op2), feat, access, KIND_##kind, trap, fgt},
#include "sysregs.def"
};

const SysRow sys_op_rows[SO_COUNT] = {
#define SYSOP(name, op1, crn, crm, op2, feat, access, what, trap, fgt)                              \
    {#name, SYS_ID(1, op1, crn, crm, op2), feat, access, KIND_##what, trap, fgt},
#include "sysregs.def"
};

static const struct {
    uint16_t id, el1, el2;
} aliases[] = {
#define ALIAS(name, op0, op1, crn, crm, op2, el1, el2) {SYS_ID(op0, op1, crn, crm, op2), SR_##el1, SR_##el2},
#include "sysregs.def"
};

const char *a64_sysreg_name(unsigned sr)
{
    return sr < SR_COUNT ? sys_rows[sr].name : "?";
}

/* -- look-up ------------------------------------------------------------------------------------------------------------ */

static bool present(const CpuModel *m, int feat)
{
    return feat == ALWAYS || (m->feats[feat / 64] >> (feat % 64) & 1);
}

int sys_find(const CpuModel *m, unsigned id, unsigned el, bool host)
{
    for (unsigned i = 0; i < LEN(aliases); i++) {
        if (aliases[i].id == id) {
            return host && present(m, sys_rows[aliases[i].el1].feat) ? aliases[i].el1 : -1;
        }
    }
    for (unsigned i = 0; i < SR_COUNT; i++) {
        if (sys_rows[i].id != id || !present(m, sys_rows[i].feat)) {
            continue;
        }
        for (unsigned k = 0; el == 2 && host && k < LEN(aliases); k++) {
            if (aliases[k].el1 == i) {
                return aliases[k].el2;
            }
        }
        return (int)i;
    }
    return -1;
}

int sys_find_op(const CpuModel *m, unsigned id)
{
    for (unsigned i = 0; i < SO_COUNT; i++) {
        if (sys_op_rows[i].id == id && present(m, sys_op_rows[i].feat)) {
            return (int)i;
        }
    }
    return -1;
}

/* -- traps -------------------------------------------------------------------------------------------------------------- */

typedef struct Access {
    const CpuA64 *cpu;
    const uint64_t *reg;
    uint64_t hcr, mdcr;
    unsigned el;
    bool write, guest; /* guest: EL1, or EL0 below it, with EL2 above that is not the host */
} Access;

static const SysCheck fine = {0, 0};

static bool bit(uint64_t v, unsigned n)
{
    return v >> n & 1;
}

static SysCheck undefined(void)
{
    return (SysCheck){1, EC_UNKNOWN};
}

static SysCheck to_el1(const Access *a)
{
    return (SysCheck){(uint8_t)sys_default_level(a->cpu), EC_SYS};
}

static SysCheck to(unsigned level)
{
    return (SysCheck){(uint8_t)level, EC_SYS};
}

static SysCheck to_el2_if(const Access *a, bool trapped)
{
    return a->guest && trapped ? to(2) : fine;
}

static SysCheck hcr_trap(const Access *a, unsigned n)
{
    return to_el2_if(a, a->el == 1 && bit(a->hcr, n));
}

/* An EL0 access that bit n of v must allow; then what hypervisors trap. */
static SysCheck el0_needs(const Access *a, bool allowed, bool el2_traps)
{
    if (a->el == 0 && !allowed) {
        return to_el1(a);
    }
    return to_el2_if(a, el2_traps);
}

enum { MDCR_TPMCR = 1 << 5, MDCR_TPM = 1 << 6, MDCR_TDE = 1 << 8, MDCR_TDA = 1 << 9, MDCR_TDOSA = 1 << 10, MDCR_TDRA = 1 << 11, MDCR_TDCC = 1 << 27 };

/* Bits of MDCR_EL2, for programs of the host too, and of MDCR_EL3. */
static SysCheck mdcr_trap(const Access *a, uint64_t el2_bits, uint64_t el3_bits)
{
    if (a->el < 2 && a64_el2_enabled(a->cpu) && a->mdcr & el2_bits) {
        return to(2);
    }
    return a->cpu->sys->el3 && a->el < 3 && a->reg[SR_MDCR_EL3] & el3_bits ? to(3) : fine;
}

/* The debug communications channel: as debug registers, and by a bit of its own. */
static SysCheck dcc_trap(const Access *a)
{
    uint64_t tdcc = a64_has(a->cpu, A64_FEAT_fgt) ? MDCR_TDCC : 0;
    return mdcr_trap(a, MDCR_TDE | MDCR_TDA | tdcc, MDCR_TDA | tdcc);
}

/* PMUSERENR_EL0: EN, or the bit n that suffices for this kind of access; also: of MDCR_EL2. */
static SysCheck pmu_trap(const Access *a, bool suffices, unsigned n, uint64_t also)
{
    uint64_t e = a->reg[SR_PMUSERENR_EL0];
    if (a->el == 0 && !bit(e, 0) && !(suffices && bit(e, n))) {
        return to_el1(a);
    }
    return mdcr_trap(a, MDCR_TPM | also, MDCR_TPM);
}

/* Generic timers: CNTKCTL_EL1 for EL0 (CNTHCTL_EL2 in the host), CNTHCTL_EL2 for guests. el2_* = bit that must be 1, by E2H; 99 none. */
static SysCheck timer_trap(const Access *a, unsigned el0_bit, unsigned el2_bit, unsigned e2h_bit, unsigned ecv_bit)
{
    bool host = a->el == 0 && !a->guest && a64_in_host(a->cpu, 0);
    uint64_t h = a->reg[SR_CNTHCTL_EL2];
    if (a->el == 0 && !bit(host ? h : a->reg[SR_CNTKCTL_EL1], el0_bit)) {
        return to_el1(a);
    }
    if (!a->guest) {
        return fine;
    }
    unsigned n = bit(a->hcr, HCR_E2H) ? e2h_bit : el2_bit;
    return to_el2_if(a, (n != 99 && !bit(h, n)) || (ecv_bit != 99 && a64_has(a->cpu, A64_FEAT_ecv) && bit(h, ecv_bit)));
}

/* Of EL1 by a hypervisor, of all below EL3 by EL3. */
static SysCheck by_both(const Access *a, bool el2_traps, bool el3_traps)
{
    SysCheck c = to_el2_if(a, a->el == 1 && el2_traps);
    return c.level || !(a->cpu->sys->el3 && a->el < 3 && el3_traps) ? c : to(3);
}

/* Interrupt controller: ICH_HCR_EL2's bit, SCR_EL3 routing that keeps it from lower levels. */
static SysCheck icc_trap(const Access *a, unsigned ich_bit, bool irq, bool fiq)
{
    if (to_el2_if(a, a->el == 1 && bit(a->reg[SR_ICH_HCR_EL2], ich_bit)).level) {
        return to(2);
    }
    uint64_t scr = a->reg[SR_SCR_EL3];
    bool irq3 = bit(scr, 1) && !(a->el == 1 && bit(a->hcr, HCR_IMO)), fiq3 = bit(scr, 2) && !(a->el == 1 && bit(a->hcr, HCR_FMO));
    if (a->cpu->sys->el3 && a->el < 3 && ((irq && fiq) ? irq3 && fiq3 : irq ? irq3 : fiq3)) {
        return to(3);
    }
    return fine;
}

/* FEAT_NV without FEAT_NV2: registers of EL1 that a hypervisor without VHE believes to be its guest's. */
static SysCheck nv1_trap(const Access *a)
{
    return to_el2_if(a, a->el == 1 && bit(a->hcr, HCR_NV1) && !bit(a->hcr, HCR_NV2));
}

/* FP and SIMD: CPACR_EL1.FPEN, CPTR_EL2, CPTR_EL3.TFP (AArch64.CheckFPEnabled). */
unsigned sys_fp_level(const CpuA64 *cpu)
{
    const uint64_t *reg = cpu->sys->reg;
    unsigned el = a64_el(cpu), fpen;
    bool host = a64_in_host(cpu, el);
    if (el < 2 && !host) {
        fpen = reg[SR_CPACR_EL1] >> 20 & 3;
        if (!(fpen & 1) || (fpen == 1 && el == 0)) {
            return sys_default_level(cpu);
        }
    }
    if (el < 3 && a64_el2_enabled(cpu)) {
        if (bit(reg[SR_HCR_EL2], HCR_E2H)) {
            fpen = reg[SR_CPTR_EL2] >> 20 & 3;
            if (!(fpen & 1) || (fpen == 1 && el == 0 && bit(reg[SR_HCR_EL2], HCR_TGE))) {
                return 2;
            }
        } else if (bit(reg[SR_CPTR_EL2], 10)) {
            return 2;
        }
    }
    return cpu->sys->el3 && bit(reg[SR_CPTR_EL3], 10) ? 3 : 0;
}

enum { SCTLR_UMA = 9, SCTLR_DZE = 14, SCTLR_UCT = 15, SCTLR_UCI = 26, SCTLR_TSCXT = 20, SCTLR_ENRCTX = 10 };

static SysCheck trap_by(const Access *a, SysTrap trap)
{
    const uint64_t *reg = a->reg;
    uint64_t sctlr = a64_sctlr(a->cpu, a->el);
    bool el3 = a->cpu->sys->el3, el1 = a->el == 1;
    uint64_t hcr = a->hcr;
    switch (trap) {
    case T_VM: return hcr_trap(a, a->write ? HCR_TVM : HCR_TRVM);
    case T_TID1: return hcr_trap(a, HCR_TID1);
    case T_TID2: return to_el2_if(a, el1 && (bit(hcr, HCR_TID2) || (a64_has(a->cpu, A64_FEAT_evt) && bit(hcr, HCR_TID4))));
    case T_TID3: return hcr_trap(a, HCR_TID3);
    case T_CTR: return el0_needs(a, bit(sctlr, SCTLR_UCT), bit(hcr, HCR_TID2));
    case T_ACR: return hcr_trap(a, HCR_TACR);
    case T_CPACR: return by_both(a, bit(reg[SR_CPTR_EL2], 31), bit(reg[SR_CPTR_EL3], 31));
    case T_CPTR3: return el3 && a->el == 2 && bit(reg[SR_CPTR_EL3], 31) ? to(3) : fine;
    case T_TDA: return mdcr_trap(a, MDCR_TDE | MDCR_TDA, MDCR_TDA);
    case T_TDA3: return el3 && a->el == 2 && bit(reg[SR_MDCR_EL3], 9) ? to(3) : fine;
    case T_TDRA: return mdcr_trap(a, MDCR_TDE | MDCR_TDRA, MDCR_TDA);
    case T_TDOSA: return mdcr_trap(a, MDCR_TDE | MDCR_TDOSA, MDCR_TDOSA);
    case T_TDCC0:
        if (a->el == 0 && bit(reg[SR_MDSCR_EL1], 12)) {
            return to_el1(a);
        }
        return dcc_trap(a);
    case T_TDCC: return dcc_trap(a);
    case T_TRF: return to_el2_if(a, el1 && bit(a->mdcr, 19));
    case T_FGT3: return el3 && a->el == 2 && !bit(reg[SR_SCR_EL3], 27) ? to(3) : fine;
    case T_HXEN3: return el3 && a->el == 2 && !bit(reg[SR_SCR_EL3], 38) ? to(3) : fine;
    case T_SEL2: return a->el == 2 && !a->cpu->sys->secure ? undefined() : fine;
    case T_LOR:
        if (el3 && !bit(reg[SR_SCR_EL3], 0)) {
            return undefined(); /* Secure state has no regions */
        }
        return by_both(a, bit(hcr, HCR_TLOR), bit(reg[SR_SCR_EL3], 14));
    case T_APK: return by_both(a, !bit(hcr, HCR_APK), !bit(reg[SR_SCR_EL3], 16));
    case T_NV1: return nv1_trap(a);
    case T_SPSEL: return !(a->cpu->pstate_misc & PS_SPSEL) ? undefined() : fine;
    case T_RVBAR1: return el3 || a->cpu->sys->el2 ? undefined() : fine;
    case T_RVBAR2: return el3 ? undefined() : fine;
    case T_ERR: return by_both(a, bit(hcr, HCR_TERR), bit(reg[SR_SCR_EL3], 15));
    case T_ERRFI: return by_both(a, !bit(hcr, HCR_FIEN) || bit(hcr, HCR_TERR), !bit(reg[SR_SCR_EL3], 21) || bit(reg[SR_SCR_EL3], 15));
    case T_RNDR: return el3 && a64_has(a->cpu, A64_FEAT_rng_trap) && a->el < 3 && bit(reg[SR_SCR_EL3], 40) ? to(3) : fine;
    case T_FP: return sys_fp_level(a->cpu) ? (SysCheck){(uint8_t)sys_fp_level(a->cpu), EC_FP} : fine;
    case T_UMA: return a->el == 0 && (a64_in_host(a->cpu, 0) || !bit(sctlr, SCTLR_UMA)) ? to_el1(a) : fine;
    case T_SCXT1:
        if (nv1_trap(a).level) {
            return to(2);
        } /* fallthrough */
    case T_SCXT: {
        SysCheck c = el0_needs(a, !bit(sctlr, SCTLR_TSCXT), !bit(hcr, HCR_ENSCXT));
        return c.level || !el3 || a->el == 3 || bit(reg[SR_SCR_EL3], 25) ? c : to(3);
    }
    case T_PM: return pmu_trap(a, false, 0, 0);
    case T_PMCR: return pmu_trap(a, false, 0, MDCR_TPMCR);
    case T_PMSW: return pmu_trap(a, true, 1, 0);
    case T_PMCC: return pmu_trap(a, !a->write, 2, 0);
    case T_PMER: return pmu_trap(a, !a->write, 3, 0);
    case T_PMSELR: return pmu_trap(a, true, 3, 0);
    case T_PMU: return mdcr_trap(a, MDCR_TPM, MDCR_TPM);
    case T_CNTFRQ: {
        uint64_t k = a64_in_host(a->cpu, 0) ? reg[SR_CNTHCTL_EL2] : reg[SR_CNTKCTL_EL1];
        return a->el == 0 && !(k & 3) ? to_el1(a) : fine;
    }
    case T_CNTPCT: return timer_trap(a, 0, 0, 10, 99);
    case T_CNTVCT: return timer_trap(a, 1, 99, 99, 14);
    case T_CNTP: return timer_trap(a, 9, 1, 11, 99);
    case T_CNTV: return timer_trap(a, 8, 99, 99, 13);
    case T_CNTPS:
        if (a->el == 2 || (el1 && !a->cpu->sys->secure)) {
            return undefined();
        }
        return el1 && !bit(reg[SR_SCR_EL3], 11) ? to(3) : fine;
    case T_CNTPOFF3: return el3 && a->el == 2 && !bit(reg[SR_SCR_EL3], 28) ? to(3) : fine;
    case T_ICC0: return icc_trap(a, 11, false, true);
    case T_ICC1: return icc_trap(a, 12, true, false);
    case T_ICCC: return icc_trap(a, 10, true, true);
    case T_ICCDIR: return to_el2_if(a, el1 && bit(reg[SR_ICH_HCR_EL2], 14)).level ? to(2) : icc_trap(a, 10, true, true);
    case T_ICCSGI:
        if (to_el2_if(a, el1 && (bit(hcr, HCR_IMO) || bit(hcr, HCR_FMO) || bit(reg[SR_ICH_HCR_EL2], 10))).level) {
            return to(2);
        }
        return icc_trap(a, 10, true, true);
    case T_TICAB: return to_el2_if(a, el1 && (bit(hcr, HCR_TPU) || bit(hcr, HCR_TICAB)));
    case T_TOCU: return el0_needs(a, bit(sctlr, SCTLR_UCI), bit(hcr, HCR_TPU) || bit(hcr, HCR_TOCU));
    case T_TPC: return el0_needs(a, bit(sctlr, SCTLR_UCI), bit(hcr, HCR_TPC));
    case T_TSW: return hcr_trap(a, HCR_TSW);
    case T_DZE: return el0_needs(a, bit(sctlr, SCTLR_DZE), bit(hcr, HCR_TDZ));
    case T_RCTX: return el0_needs(a, bit(sctlr, SCTLR_ENRCTX), bit(hcr, HCR_NV) && el1);
    case T_AT: return hcr_trap(a, HCR_AT);
    case T_TTLB: return hcr_trap(a, HCR_TTLB);
    case T_TTLBIS: return to_el2_if(a, el1 && (bit(hcr, HCR_TTLB) || bit(hcr, HCR_TTLBIS)));
    case T_TTLBOS: return to_el2_if(a, el1 && (bit(hcr, HCR_TTLB) || bit(hcr, HCR_TTLBOS)));
    default: return fine;
    }
}

static bool fine_grained(const Access *a, const SysRow *row)
{
    const A64Sys *s = a->cpu->sys;
    unsigned table = row->fgt >> 8, n = row->fgt & 255;
    if (!row->fgt || !a->guest || !a64_has(a->cpu, A64_FEAT_fgt) || (s->el3 && !bit(s->reg[SR_SCR_EL3], 27))) {
        return false;
    }
    if (table == FG_I) {
        return bit(s->reg[SR_HFGITR_EL2], n);
    }
    if (!(table & (a->write ? FG_W : FG_R))) {
        return false;
    }
    A64Sr which = table & FG_DEBUG ? a->write ? SR_HDFGWTR_EL2 : SR_HDFGRTR_EL2 : a->write ? SR_HFGWTR_EL2 : SR_HFGRTR_EL2;
    return bit(s->reg[which], n);
}

SysCheck sys_check(const CpuA64 *cpu, const SysRow *row, bool write)
{
    const A64Sys *s = cpu->sys;
    Access a = {.cpu = cpu, .reg = s->reg, .hcr = a64_hcr(cpu), .el = a64_el(cpu), .write = write};
    a.guest = a.el < 2 && a64_el2_enabled(cpu) && !a64_in_host(cpu, a.el);
    a.mdcr = s->reg[SR_MDCR_EL2];
    unsigned need = write ? row->access & 7 : row->access >> 4;
    if (need == LV_HIGHEST) {
        need = s->el3 ? 3 : s->el2 ? 2 : 1;
    }
    if (a.el < need || (need == 2 && !s->el2) || (need == 2 && a.el == 2 && !a64_el2_enabled(cpu))) {
        bool id = a.el == 0 && row->trap == T_TID3 && a64_has(cpu, A64_FEAT_idst) && !write;
        return id ? to_el1(&a) : undefined();
    }
    SysCheck c = trap_by(&a, (SysTrap)row->trap);
    return (!c.level || c.level == 3) && fine_grained(&a, row) ? to(2) : c; /* hypervisors before EL3 */
}

enum { SCTLR_TIDCP = 63 };

SysCheck sys_check_reserved(const CpuA64 *cpu, uint32_t word)
{
    bool space = (word & 0xffd00000) == 0xd5100000 || (word & 0xffd80000) == 0xd5080000; /* op0 = 3; SYS, SYSL */
    unsigned crn = word >> 12 & 15;
    Access a = {.cpu = cpu, .reg = cpu->sys->reg, .hcr = a64_hcr(cpu), .el = a64_el(cpu)};
    a.guest = a.el < 2 && a64_el2_enabled(cpu) && !a64_in_host(cpu, a.el);
    if (!space || (crn != 11 && crn != 15)) {
        return fine;
    }
    if (a.el == 0 && a64_has(cpu, A64_FEAT_tidcp1) && bit(a64_sctlr(cpu, 0), SCTLR_TIDCP)) {
        return to_el1(&a);
    }
    return hcr_trap(&a, HCR_TIDCP);
}

uint32_t sys_syndrome(uint32_t word)
{
    return (word >> 19 & 3) << 20 | (word >> 5 & 7) << 17 | (word >> 16 & 7) << 14 | (word >> 12 & 15) << 10 | (word & 31) << 5 |
           (word >> 8 & 15) << 1 | (word >> 21 & 1);
}

void sys_trap(CpuA64 *cpu, SysCheck c, uint32_t word)
{
    A64Sys *s = cpu->sys;
    s->trap_ec = c.ec;
    s->trap_level = c.ec == EC_UNKNOWN ? (uint8_t)sys_default_level(cpu) : c.level;
    s->trap_iss = 0;
    if (c.ec == EC_SYS) {
        s->trap_iss = sys_syndrome(word);
    } else if (c.ec == EC_FP) {
        s->trap_iss = 0x1eu << 20;
    }
    engine_raise(&cpu->h, EXC_SYSTRAP);
}

/* -- values ---------------------------------------------------------------------------------------------------------------- */

uint64_t *sys_place(CpuA64 *cpu, A64Sr sr)
{
    switch (sr) {
    case SR_TPIDR_EL0: return &cpu->tpidr;
    case SR_TPIDRRO_EL0: return &cpu->tpidrro;
    default:
        if (sr >= SR_APIAKeyLo_EL1 && sr <= SR_APGAKeyHi_EL1) {
            return &cpu->pac_key[sr - SR_APIAKeyLo_EL1];
        }
        return &cpu->sys->reg[sr];
    }
}

uint64_t a64_sysreg(CpuA64 *cpu, A64Sr sr)
{
    const A64Hooks *h = cpu->sys->hooks;
    switch ((SysKind)sys_rows[sr].kind) {
    case KIND_ID: return sys_id_value(cpu, sr);
    case KIND_HOOK: return sys_hook_read(cpu, sr);
    case KIND_DEV: return h->read ? h->read(cpu, sr) : 0;
    case KIND_RAZ: return 0;
    default: return *sys_place(cpu, sr);
    }
}

/* Of the registers that translation depends on, those that the key depends on too. */
static bool is_control(A64Sr sr)
{
    return sr == SR_SCTLR_EL1 || sr == SR_SCTLR_EL2 || sr == SR_SCTLR_EL3 || sr == SR_TCR_EL1 || sr == SR_TCR_EL2 || sr == SR_TCR_EL3;
}

void a64_set_sysreg(CpuA64 *cpu, A64Sr sr, uint64_t value)
{
    const A64Hooks *h = cpu->sys->hooks;
    uint64_t *place = sys_place(cpu, sr), old = *place;
    switch ((SysKind)sys_rows[sr].kind) {
    case KIND_HOOK: sys_hook_write(cpu, sr, value); break;
    case KIND_DEV:
        if (h->write) {
            h->write(cpu, sr, value);
        }
        break;
    case KIND_R32: *place = (uint32_t)value; break;
    case KIND_KEY:
        *place = value;
        if (sr == SR_CNTHCTL_EL2 && h->told) {
            h->told(cpu, sr, value);
        }
        a64_context_changed(cpu);
        break;
    case KIND_VM:
        *place = value;
        if (old != value) {
            if (h->mmu_changed && cpu->sys->mmu) {
                h->mmu_changed(cpu, sr, old);
            }
            if (is_control(sr)) {
                a64_context_changed(cpu);
            }
        }
        break;
    case KIND_ID:
    case KIND_RAZ: break;
    default: *place = value; break;
    }
}

/* -- helpers ------------------------------------------------------------------------------------------------------------------ */

static void check_or_trap(CpuA64 *cpu, const SysRow *row, bool write, uint32_t word)
{
    SysCheck c = sys_check(cpu, row, write);
    if (c.level) {
        sys_trap(cpu, c, word);
    }
}

/* Under HCR_EL2.NV: does the access, or leaves; false: it is as any other. Traps of EL1's own names come first. */
static bool nested(CpuA64 *cpu, uint32_t word, A64Sr sr, bool write, uint64_t *value)
{
    bool alias = (word >> 16 & 7) == 5;
    if (a64_el(cpu) != 1) {
        return false;
    }
    NvPlace place = sys_nv_place(cpu, sr, alias, write);
    if (place == NV_TRAP) {
        sys_trap(cpu, to(2), word);
    }
    if (place == NV_MEMORY) {
        if (!alias && (write ? sys_rows[sr].access & 7 : sys_rows[sr].access >> 4) < 2) {
            check_or_trap(cpu, &sys_rows[sr], write, word);
        }
        sys_nv_memory(cpu, sr, write, value);
    } else if (place == NV_REGISTER && write) {
        a64_set_sysreg(cpu, sys_nv_register(sr), *value);
    } else if (place == NV_REGISTER) {
        *value = a64_sysreg(cpu, sys_nv_register(sr));
    }
    return place != NV_HERE;
}

uint64_t h_sys_read(CpuA64 *cpu, uint32_t word, uint32_t sr)
{
    uint64_t v;
    if (UNLIKELY(a64_nv(cpu)) && nested(cpu, word, (A64Sr)sr, false, &v)) {
        return v;
    }
    check_or_trap(cpu, &sys_rows[sr], false, word);
    return a64_sysreg(cpu, (A64Sr)sr);
}

void h_sys_write(CpuA64 *cpu, uint32_t word, uint32_t sr, uint64_t value)
{
    if (UNLIKELY(a64_nv(cpu)) && nested(cpu, word, (A64Sr)sr, true, &value)) {
        return;
    }
    check_or_trap(cpu, &sys_rows[sr], true, word);
    a64_set_sysreg(cpu, (A64Sr)sr, value);
}

enum { HCRX_FGTNXS = 4 };

/* HCRX_EL2.FGTnXS: fine-grained traps of TLB maintenance spare the nXS forms. */
static bool nxs_is_exempt(const CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    bool on = !s->el3 || bit(s->reg[SR_SCR_EL3], 38);
    return on && a64_has(cpu, A64_FEAT_hcx) && bit(s->reg[SR_HCRX_EL2], HCRX_FGTNXS);
}

void h_sys_op(CpuA64 *cpu, uint32_t word, uint32_t so, uint64_t arg)
{
    const A64Hooks *h = cpu->sys->hooks;
    SysRow row = sys_op_rows[so];
    if ((word >> 12 & 15) == 9 && row.kind == KIND_TLBI && nxs_is_exempt(cpu)) {
        row.fgt = 0;
    }
    if (UNLIKELY(a64_nv(cpu)) && a64_el(cpu) == 1 && (row.access & 7) == 2) {
        sys_trap(cpu, to(2), word);
    }
    check_or_trap(cpu, &row, true, word);
    switch ((SysKind)sys_op_rows[so].kind) {
    case KIND_TLBI:
        if (h->tlbi) {
            h->tlbi(cpu, (A64So)so, arg);
        }
        break;
    case KIND_AT:
        if (h->at) {
            h->at(cpu, (A64So)so, arg);
        }
        break;
    case KIND_CACHE:
    case KIND_CACHE_U:
    case KIND_CACHE_W:
        if (h->cache) {
            h->cache(cpu, (A64So)so, arg);
        }
        break;
    default: break;
    }
}

void h_sys_zva_check(CpuA64 *cpu, uint32_t word)
{
    check_or_trap(cpu, &sys_op_rows[SO_DC_ZVA], true, word);
}

/* MSR (immediate) by op1:op2; CRm is the value (DDI 0487 C6.2.229). */
void h_sys_msr_imm(CpuA64 *cpu, uint32_t word)
{
    unsigned field = (word >> 16 & 7) << 3 | (word >> 5 & 7), imm = word >> 8 & 15;
    static const SysRow uma = {.access = WO0, .trap = T_UMA};
    uint64_t p = cpu->pstate_misc;
    if (field >= 036 && a64_el(cpu) == 0) {
        check_or_trap(cpu, &uma, true, word);
    } else if (field < 010 && a64_el(cpu) == 0) {
        sys_trap(cpu, (SysCheck){1, EC_UNKNOWN}, word);
    }
    switch (field) {
    case 003: p = (p & ~(uint64_t)PS_UAO) | (imm & 1 ? PS_UAO : 0); break;
    case 004: p = (p & ~(uint64_t)PS_PAN) | (imm & 1 ? PS_PAN : 0); break;
    case 005: a64_set_el(cpu, a64_el(cpu), imm & 1); return;
    case 036: p |= (uint64_t)imm << 6; break;
    case 037: p &= ~((uint64_t)imm << 6); break;
    default: break;
    }
    cpu->pstate_misc = p;
    a64_level_changed(cpu);
}

void h_sys_dsb(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    if (s->tlbi_open) {
        s->tlbi_open = false;
        s->hooks->tlbi_done(cpu);
    }
}

void h_sys_event(CpuA64 *cpu, uint32_t all)
{
    const A64Hooks *h = cpu->sys->hooks;
    __atomic_store_n(&cpu->sys->event, true, __ATOMIC_SEQ_CST);
    if (all && h->send_event) {
        h->send_event(cpu);
    }
}
