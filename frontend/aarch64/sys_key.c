/* sys_key.c - what of the system state a translation depends on, and reset.
 *
 * The key holds everything that translators ask for (KEY_* of sys.h): a state in which they would write other code has another
 * key. Whatever changes one of its sources ends in a64_context_changed.
 */
#include "sys_int.h"

#include "tr.h"

uint64_t sys_tcr(const CpuA64 *cpu, unsigned el)
{
    static const uint16_t tcr[4] = {0, SR_TCR_EL1, SR_TCR_EL2, SR_TCR_EL3};
    return cpu->sys->reg[tcr[a64_regime(cpu, el)]];
}

static bool bit(uint64_t v, unsigned n)
{
    return v >> n & 1;
}

enum { SCTLR_M = 0, SCTLR_A = 1, SCTLR_SA = 3, SCTLR_SA0 = 4, SCTLR_ENDB = 13, SCTLR_ENDA = 27, SCTLR_ENIB = 30, SCTLR_ENIA = 31, SCTLR_BT0 = 35,
       SCTLR_BT1 = 36, MDSCR_MDE = 15 };

static uint64_t tbi_key(const CpuA64 *cpu, unsigned el)
{
    uint64_t tcr = sys_tcr(cpu, el), key = 0;
    bool pauth = a64_has(cpu, A64_FEAT_pauth);
    if (el < 2 || a64_in_host(cpu, el)) {
        key |= bit(tcr, 37) ? KEY_TBI0 | (pauth && bit(tcr, 51) ? 0 : KEY_TBII0) : 0;
        key |= bit(tcr, 38) ? KEY_TBI1 | (pauth && bit(tcr, 52) ? 0 : KEY_TBII1) : 0;
    } else if (bit(tcr, 20)) {
        key |= KEY_TBI0 | KEY_TBI1 | (pauth && bit(tcr, 29) ? 0 : KEY_TBII0 | KEY_TBII1);
    }
    return key;
}

/* Lowest bit of a PAC, by TCR_ELx.TxSZ. */
static uint64_t pac_low(uint64_t tcr)
{
    uint64_t size = tcr & 63;
    return 64 - (size > 48 ? 48 : size < 12 ? 12 : size);
}

static uint64_t pac_key(const CpuA64 *cpu, unsigned el, bool guest, uint64_t sctlr)
{
    const A64Sys *s = cpu->sys;
    uint64_t on = (uint64_t)(bit(sctlr, SCTLR_ENIA) << PAC_IA | bit(sctlr, SCTLR_ENIB) << PAC_IB | bit(sctlr, SCTLR_ENDA) << PAC_DA |
                             bit(sctlr, SCTLR_ENDB) << PAC_DB);
    bool two = el < 2 || a64_in_host(cpu, el);
    uint64_t tcr = sys_tcr(cpu, el), keys = sys_check(cpu, &sys_rows[SR_APIAKeyLo_EL1], true).level ? 0 : KEY_PAC_KEYS;
    uint64_t trap = guest && !bit(s->reg[SR_HCR_EL2], HCR_API) ? 2 : el < 3 && s->el3 && !bit(s->reg[SR_SCR_EL3], 17) ? 3 : 0;
    return on << KEY_PAC_SHIFT | trap << KEY_PAC_TRAP_SHIFT | keys | pac_low(tcr) << KEY_PAC_LOW0_SHIFT |
           pac_low(two ? tcr >> 16 : tcr) << KEY_PAC_LOW1_SHIFT;
}

/* What follows from the level and from registers. */
static uint64_t level_key(const CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu);
    uint64_t sctlr = a64_sctlr(cpu, el), hcr = a64_hcr(cpu);
    uint64_t key = KEY_SYSTEM | (uint64_t)el << KEY_EL_SHIFT;
    bool host = a64_in_host(cpu, el), guest = el < 2 && a64_el2_enabled(cpu) && !host;
    key |= host ? KEY_E2H : 0;
    key |= cpu->pstate_misc & PS_SPSEL ? KEY_SPSEL : 0;
    key |= (uint64_t)sys_fp_level(cpu) << KEY_FP_SHIFT;
    key |= bit(sctlr, el ? SCTLR_SA : SCTLR_SA0) ? KEY_SP_CHECK : 0;
    key |= bit(sctlr, SCTLR_A) ? KEY_ALIGN_CHECK : 0;
    key |= bit(sctlr, SCTLR_M) ? KEY_MMU_ON : 0;
    key |= tbi_key(cpu, el);
    if (a64_has(cpu, A64_FEAT_pauth)) {
        key |= pac_key(cpu, el, guest, sctlr);
    }
    if (a64_has(cpu, A64_FEAT_bti)) {
        key |= bit(sctlr, el ? SCTLR_BT1 : SCTLR_BT0) ? KEY_BT : 0;
    }
    bool nv = el == 1 && a64_nv(cpu);
    key |= nv ? KEY_NV : 0;
    if (guest && (nv || hcr & ((uint64_t)1 << HCR_TVM | (uint64_t)1 << HCR_TRVM) || s->reg[SR_HFGRTR_EL2] ||
                  s->reg[SR_HFGWTR_EL2] || s->reg[SR_HFGITR_EL2])) {
        key |= KEY_SLOW_SYS;
    }
    key |= sys_check(cpu, &sys_rows[SR_CNTVCT_EL0], false).level ? 0 : KEY_EL0_COUNTER;
    key |= sys_check(cpu, &sys_op_rows[SO_DC_ZVA], true).level ? 0 : KEY_ZVA;
    key |= sys_debug_watches(cpu) ? KEY_WATCH : 0;
    key |= (sys_pmu_levels(cpu) >> el & 1 ? KEY_COUNT : 0) | (sys_pmu_levels(cpu) >> (4 + el) & 1 ? KEY_LIMIT : 0);
    key |= s->reg[SR_MDSCR_EL1] & (1 | 1 << MDSCR_MDE) ? KEY_D_ACTS : 0;
    return key;
}

uint64_t sys_key(const CpuHead *head, uint64_t added)
{
    (void)added;
    const CpuA64 *cpu = (const CpuA64 *)head;
    A64Sys *s = cpu->sys;
    unsigned n = (unsigned)cpu->pstate_misc >> 1 & 6, known;
    n |= cpu->pstate_misc & PS_SPSEL;
    known = 1u << n;
    if (!(s->keys_known & known)) {
        s->keys[n] = level_key(cpu);
        s->keys_known |= (uint8_t)known;
    }
    return s->keys[n] | a64_fp_key(head->fp.fpcr);
}

void a64_level_changed(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    if (s->el3) {
        s->secure = a64_el(cpu) == 3 || !(s->reg[SR_SCR_EL3] & 1);
    }
    if (UNLIKELY(s->reg[SR_PMCNTENSET_EL0])) {
        a64_pmu_poll(cpu);
    }
    if (UNLIKELY(s->reg[SR_MDSCR_EL1] & 1 << MDSCR_MDE)) { /* PSTATE.D counts */
        s->keys_known = 0;
    }
    if (cpu->h.soft) {
        uint64_t key = sys_key(&cpu->h, 0);
        if (s->mmu) {
            s->hooks->level_changed(cpu, key);
        } else {
            engine_switch(&cpu->h, cpu->h.context, key);
        }
    }
}

void a64_context_changed(CpuA64 *cpu)
{
    cpu->sys->keys_known = 0;
    a64_level_changed(cpu);
}

enum { SCTLR_RES1_EL1 = 0x30d00800, SCTLR_RES1_EL2 = 0x30c50830 };

void a64_reset(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    unsigned el = s->el3 ? 3 : s->el2 ? 2 : 1;
    if (s->pmu.line && s->hooks->pmu_line) {
        s->hooks->pmu_line(cpu, false);
    }
    memset(&s->pmu, 0, sizeof s->pmu);
    memset(s->reg, 0, sizeof s->reg);
    memset(cpu->x, 0, sizeof cpu->x);
    memset(cpu->v, 0, sizeof cpu->v);
    cpu->sp = cpu->h.nzcv = 0;
    cpu->btype = 0;
    cpu->tpidr = cpu->tpidrro = 0;
    cpu->excl_addr = ~(uint64_t)0;
    s->sp_el3 = 0;
    __atomic_store_n(&s->event, false, __ATOMIC_RELAXED);
    s->os_lock = false;
    s->claim = 0;
    s->secure = s->el3;
    s->reg[SR_SCTLR_EL1] = SCTLR_RES1_EL1;
    s->reg[SR_SCTLR_EL2] = s->reg[SR_SCTLR_EL3] = SCTLR_RES1_EL2;
    s->reg[SR_HCR_EL2] = (uint64_t)1 << HCR_RW;
    s->reg[SR_CPTR_EL2] = 0x33ff;
    s->reg[SR_VPIDR_EL2] = cpu->model->midr;
    s->reg[SR_VMPIDR_EL2] = s->mpidr;
    s->reg[SR_MDCR_EL2] = 6; /* HPMN: all counters */
    s->reg[SR_SCR_EL3] = s->el3 ? 0x430 : 0x431; /* RW, RES1; without EL3 all is Non-secure */
    a64_hcr_changed(cpu);
    cpu->pstate_misc = el << PS_EL_SHIFT | PS_SPSEL | PS_DAIF;
    cpu->pc = s->reset_pc;
    cpu->h.fp.fpcr = cpu->h.fp.fpsr = 0;
    a64_context_changed(cpu);
}
