/* sys_pmu.c - performance monitors, PMUv3: six event counters and the cycle counter (DDI 0487 D13).
 *
 * Events: SW_INCR (0), INST_RETIRED (8), CPU_CYCLES (0x11), CHAIN (0x1e). A cycle is a nanosecond in which the CPU does not wait.
 * Instructions are counted by translated code under KEY_COUNT, where they cost what an addition to memory does, and only there; one
 * that faults counts, too. Counters are brought up to date where levels change and registers are read. The interrupt follows overflow
 * flags that are enabled. Who calls a64_pmu_poll before the time that a64_pmu_next gives finds overflows of cycles in time; those of
 * instructions end translated code at its next poll (KEY_LIMIT).
 */
#include <time.h>

#include "helpers.h"
#include "sys_int.h"

enum { COUNTERS = 6, CYCLES = 31, PMCR_E = 1, PMCR_P = 2, PMCR_C = 4, PMCR_DP = 32, PMCR_LC = 64, PMCR_LP = 128 };
enum { MDCR_HPME = 7, MDCR_HPMD = 17, MDCR_HCCD = 23, MDCR_HLP = 26, MDCR3_SPME = 17, MDCR3_SCCD = 23 };
enum { EV_SW_INCR = 0, EV_INSTRUCTIONS = 8, EV_CYCLES = 0x11, EV_CHAIN = 0x1e };

static uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t *counter(CpuA64 *cpu, unsigned n)
{
    return &cpu->sys->reg[n == CYCLES ? SR_PMCCNTR_EL0 : SR_PMEVCNTR0_EL0 + n];
}

static uint64_t type_of(const CpuA64 *cpu, unsigned n)
{
    return cpu->sys->reg[n == CYCLES ? SR_PMCCFILTR_EL0 : SR_PMEVTYPER0_EL0 + n];
}

static unsigned first_of_el2(const CpuA64 *cpu)
{
    unsigned n = (unsigned)cpu->sys->reg[SR_MDCR_EL2] & 31;
    return cpu->sys->el2 && n < COUNTERS && (n || a64_has(cpu, A64_FEAT_hpmn0)) ? n : COUNTERS;
}

static unsigned event_of(const CpuA64 *cpu, unsigned n)
{
    return n == CYCLES ? EV_CYCLES : (unsigned)type_of(cpu, n) & 0xffff;
}

static bool bit(uint64_t v, unsigned n)
{
    return v >> n & 1;
}

/* PMEVTYPERn_EL0, PMCCFILTR_EL0: P (31) U (30) NSK (29) NSU (28) NSH (27) M (26) SH (24). */
static bool filtered(const CpuA64 *cpu, uint64_t type, unsigned el)
{
    bool el3 = cpu->sys->el3, secure = el == 3 || (el3 && !bit(cpu->sys->reg[SR_SCR_EL3], 0));
    switch (el) {
    case 0: return el3 && !secure ? bit(type, 30) != bit(type, 28) : bit(type, 30);
    case 1: return el3 && !secure ? bit(type, 31) != bit(type, 29) : bit(type, 31);
    case 2: return !bit(type, 27);
    default: return bit(type, 31) != bit(type, 26);
    }
}

/* MDCR_EL2, MDCR_EL3 that forbid levels (CountPMUEvents). */
static bool prohibited(const CpuA64 *cpu, unsigned n, unsigned el, bool high)
{
    const uint64_t *reg = cpu->sys->reg;
    bool secure = cpu->sys->el3 && (el == 3 || !bit(reg[SR_SCR_EL3], 0)), v3p5 = a64_has(cpu, A64_FEAT_pmuv3p5);
    bool no = (secure && !bit(reg[SR_MDCR_EL3], MDCR3_SPME)) ||
              (el == 2 && !high && a64_has(cpu, A64_FEAT_pmuv3p1) && bit(reg[SR_MDCR_EL2], MDCR_HPMD));
    if (n != CYCLES) {
        return no;
    }
    return (no && reg[SR_PMCR_EL0] & PMCR_DP) ||
           (v3p5 && ((secure && bit(reg[SR_MDCR_EL3], MDCR3_SCCD)) || (el == 2 && bit(reg[SR_MDCR_EL2], MDCR_HCCD))));
}

/* Does counter n run at level el? */
static bool runs(const CpuA64 *cpu, unsigned n, unsigned el)
{
    const A64Sys *s = cpu->sys;
    uint64_t type = type_of(cpu, n);
    unsigned event = event_of(cpu, n);
    bool high = n != CYCLES && n >= first_of_el2(cpu);
    bool on = high ? bit(s->reg[SR_MDCR_EL2], MDCR_HPME) : s->reg[SR_PMCR_EL0] & PMCR_E;
    if (!on || !(s->reg[SR_PMCNTENSET_EL0] >> n & 1) || (event != EV_CYCLES && event != EV_INSTRUCTIONS)) {
        return false;
    }
    return !prohibited(cpu, n, el, high) && !filtered(cpu, type, el);
}

unsigned sys_pmu_levels(const CpuA64 *cpu)
{
    unsigned levels = 0;
    for (unsigned n = 0; cpu->sys->reg[SR_PMCNTENSET_EL0] & bits_mask(COUNTERS) && n < COUNTERS; n++) {
        for (unsigned el = 0; el < 4 && event_of(cpu, n) == EV_INSTRUCTIONS; el++) {
            levels |= (cpu->sys->reg[SR_PMINTENSET_EL1] >> n & 1 ? 0x11u : 1u) * (unsigned)runs(cpu, n, el) << el;
        }
    }
    return levels;
}

static void update_line(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    uint64_t high = bits_mask(COUNTERS) & ~bits_mask(first_of_el2(cpu));
    uint64_t live = (s->reg[SR_PMCR_EL0] & PMCR_E ? ~high : 0) | (bit(s->reg[SR_MDCR_EL2], MDCR_HPME) ? high : 0);
    bool level = s->reg[SR_PMOVSSET_EL0] & s->reg[SR_PMINTENSET_EL1] & live;
    if (level != s->pmu.line && s->hooks->pmu_line) {
        s->pmu.line = level;
        s->hooks->pmu_line(cpu, level);
    }
}

/* Do 64 bits of a counter carry, not 32? Cycles with LC, events with LP, those of EL2 with MDCR_EL2.HLP. */
static bool is_wide(const CpuA64 *cpu, unsigned n)
{
    const uint64_t *reg = cpu->sys->reg;
    if (n == CYCLES) {
        return reg[SR_PMCR_EL0] & PMCR_LC;
    }
    return a64_has(cpu, A64_FEAT_pmuv3p5) && (n >= first_of_el2(cpu) ? bit(reg[SR_MDCR_EL2], MDCR_HLP) : reg[SR_PMCR_EL0] & PMCR_LP);
}

/* Adds to a counter, which has 64 bits since PMUv3p5; a carry sets the overflow flag and feeds CHAIN. */
static void count(CpuA64 *cpu, unsigned n, uint64_t by)
{
    A64Sys *s = cpu->sys;
    uint64_t *c = counter(cpu, n), old = *c;
    bool wide = is_wide(cpu, n), keeps_64 = n == CYCLES || a64_has(cpu, A64_FEAT_pmuv3p5);
    *c = keeps_64 ? old + by : (uint32_t)(old + by);
    if (wide ? *c < old : (old & 0xffffffff) + by > 0xffffffff) {
        s->reg[SR_PMOVSSET_EL0] |= (uint64_t)1 << n;
        if (!wide && n + 1 < COUNTERS && !(n & 1) && (type_of(cpu, n + 1) & 0xffff) == EV_CHAIN && s->reg[SR_PMCNTENSET_EL0] >> (n + 1) & 1) {
            count(cpu, n + 1, 1);
        }
    }
}

void a64_pmu_skip(CpuA64 *cpu)
{
    cpu->sys->pmu.last = clock_now();
}

void a64_pmu_poll(CpuA64 *cpu)
{
    A64Sys *s = cpu->sys;
    if (!(s->reg[SR_PMCNTENSET_EL0])) {
        return;
    }
    uint64_t now = clock_now(), by = now - s->pmu.last, insns = s->pmu.insns - s->pmu.counted;
    s->pmu.last = now;
    s->pmu.counted = s->pmu.insns;
    for (unsigned n = 0; n < COUNTERS; n++) {
        if (s->pmu.running >> n & 1) {
            count(cpu, n, event_of(cpu, n) == EV_CYCLES ? by : insns);
        }
    }
    if (s->pmu.running >> CYCLES & 1) {
        count(cpu, CYCLES, by);
    }
    a64_pmu_state(cpu);
    update_line(cpu);
}

/* Instructions or nanoseconds until a counter carries. */
static uint64_t left_of(const CpuA64 *cpu, unsigned n)
{
    uint64_t c = cpu->sys->reg[n == CYCLES ? SR_PMCCNTR_EL0 : SR_PMEVCNTR0_EL0 + n];
    return is_wide(cpu, n) ? 0 - c : ((uint64_t)1 << 32) - (uint32_t)c;
}

static uint64_t limit(const CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    uint64_t least = ~(uint64_t)0;
    for (unsigned n = 0; n < COUNTERS; n++) {
        if (s->pmu.running >> n & 1 && s->reg[SR_PMINTENSET_EL1] >> n & 1 && event_of(cpu, n) == EV_INSTRUCTIONS) {
            uint64_t at = s->pmu.counted + left_of(cpu, n);
            least = at < least ? at : least;
        }
    }
    return least;
}

void h_sys_count(CpuA64 *cpu)
{
    if (cpu->sys->pmu.insns >= cpu->sys->pmu.limit) {
        engine_kick(&cpu->h);
    }
}

/* Which counters run from now on, and up to where: level, configuration or values changed. */
void a64_pmu_state(CpuA64 *cpu)
{
    uint32_t running = 0;
    if (cpu->sys->reg[SR_PMCNTENSET_EL0]) {
        unsigned el = a64_el(cpu);
        for (unsigned n = 0; n < COUNTERS; n++) {
            running |= (uint32_t)runs(cpu, n, el) << n;
        }
        running |= (uint32_t)runs(cpu, CYCLES, el) << CYCLES;
    }
    cpu->sys->pmu.running = running;
    cpu->sys->pmu.limit = limit(cpu);
}

uint64_t a64_pmu_next(const CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    uint64_t least = ~(uint64_t)0;
    for (unsigned n = 0; n <= CYCLES; n = n == COUNTERS - 1 ? CYCLES : n + 1) {
        if (s->pmu.running >> n & 1 && s->reg[SR_PMINTENSET_EL1] >> n & 1 && event_of(cpu, n) == EV_CYCLES) {
            least = left_of(cpu, n) < least ? left_of(cpu, n) : least;
        }
    }
    return least;
}

static void software_increment(CpuA64 *cpu, uint64_t mask)
{
    A64Sys *s = cpu->sys;
    for (unsigned n = 0; n < COUNTERS; n++) {
        if (mask >> n & 1 && s->reg[SR_PMCNTENSET_EL0] >> n & 1 && s->reg[SR_PMCR_EL0] & PMCR_E && (type_of(cpu, n) & 0xffff) == EV_SW_INCR) {
            count(cpu, n, 1);
        }
    }
}

static void write_control(CpuA64 *cpu, uint64_t v)
{
    A64Sys *s = cpu->sys;
    unsigned shown = a64_el(cpu) < 2 && a64_el2_enabled(cpu) ? first_of_el2(cpu) : COUNTERS;
    for (unsigned n = 0; v & PMCR_P && n < shown; n++) {
        *counter(cpu, n) = 0;
    }
    if (v & PMCR_C) {
        *counter(cpu, CYCLES) = 0;
    }
    s->reg[SR_PMCR_EL0] = v & (PMCR_E | 0x78 | (a64_has(cpu, A64_FEAT_pmuv3p5) ? PMCR_LP : 0));
}

/* PMXEVTYPER_EL0, PMXEVCNTR_EL0 mean the counter that PMSELR_EL0 names; -1: there is none. */
static int selected(CpuA64 *cpu, A64Sr sr)
{
    unsigned n = (unsigned)cpu->sys->reg[SR_PMSELR_EL0] & 31;
    if (sr == SR_PMXEVTYPER_EL0 && n == CYCLES) {
        return SR_PMCCFILTR_EL0;
    }
    return n < COUNTERS ? (int)((sr == SR_PMXEVTYPER_EL0 ? SR_PMEVTYPER0_EL0 : SR_PMEVCNTR0_EL0) + n) : -1;
}

bool sys_pmu_read(CpuA64 *cpu, A64Sr sr, uint64_t *v)
{
    A64Sys *s = cpu->sys;
    unsigned shown = a64_el(cpu) < 2 && a64_el2_enabled(cpu) ? first_of_el2(cpu) : COUNTERS;
    int n;
    a64_pmu_poll(cpu);
    switch (sr) {
    case SR_PMCR_EL0: *v = s->reg[sr] | shown << 11 | (cpu->model->midr >> 24) << 24; return true;
    case SR_PMCNTENCLR_EL0: *v = s->reg[SR_PMCNTENSET_EL0]; return true;
    case SR_PMOVSCLR_EL0: *v = s->reg[SR_PMOVSSET_EL0]; return true;
    case SR_PMINTENCLR_EL1: *v = s->reg[SR_PMINTENSET_EL1]; return true;
    case SR_PMCEID0_EL0: *v = 1u << EV_SW_INCR | 1u << EV_INSTRUCTIONS | 1u << EV_CYCLES | 1u << EV_CHAIN; return true;
    case SR_PMCEID1_EL0:
    case SR_PMSWINC_EL0: *v = 0; return true;
    case SR_PMXEVTYPER_EL0:
    case SR_PMXEVCNTR_EL0:
        n = selected(cpu, sr);
        *v = n < 0 ? 0 : s->reg[n];
        return true;
    default: return false;
    }
}

bool sys_pmu_write(CpuA64 *cpu, A64Sr sr, uint64_t v)
{
    A64Sys *s = cpu->sys;
    const uint64_t all = bits_mask(COUNTERS) | (uint64_t)1 << CYCLES;
    int n;
    if (sr < SR_PMCR_EL0 || sr > SR_PMCCFILTR_EL0) {
        return false;
    }
    unsigned levels = sys_pmu_levels(cpu);
    a64_pmu_poll(cpu);
    if (!s->pmu.running) {
        s->pmu.last = clock_now();
        s->pmu.counted = s->pmu.insns;
    }
    switch (sr) {
    case SR_PMCR_EL0: write_control(cpu, v); break;
    case SR_PMCNTENSET_EL0: s->reg[SR_PMCNTENSET_EL0] |= v & all; break;
    case SR_PMCNTENCLR_EL0: s->reg[SR_PMCNTENSET_EL0] &= ~v; break;
    case SR_PMOVSSET_EL0: s->reg[SR_PMOVSSET_EL0] |= v & all; break;
    case SR_PMOVSCLR_EL0: s->reg[SR_PMOVSSET_EL0] &= ~v; break;
    case SR_PMINTENSET_EL1: s->reg[SR_PMINTENSET_EL1] |= v & all; break;
    case SR_PMINTENCLR_EL1: s->reg[SR_PMINTENSET_EL1] &= ~v; break;
    case SR_PMSWINC_EL0: software_increment(cpu, v); break;
    case SR_PMXEVTYPER_EL0:
    case SR_PMXEVCNTR_EL0:
        n = selected(cpu, sr);
        if (n >= 0) {
            s->reg[n] = v;
        }
        break;
    case SR_PMSELR_EL0:
    case SR_PMUSERENR_EL0: s->reg[sr] = v & 31; break;
    default: s->reg[sr] = v; break;
    }
    a64_pmu_state(cpu);
    update_line(cpu);
    if (levels != sys_pmu_levels(cpu)) {
        a64_context_changed(cpu);
    }
    if (s->pmu.running) {
        engine_kick(&cpu->h); /* the loop looks when the next overflow is due */
    }
    return true;
}
