/* sys_debug.c - self-hosted debug: which level debug exceptions go to, whether they are enabled, software step, breakpoints
 * (DDI 0487 D2; aarch64/debug).
 */
#include "sys_int.h"

enum { MDSCR_SS = 0, MDSCR_KDE = 13, MDSCR_MDE = 15, MDCR_TDE = 8 };

unsigned sys_debug_level(const CpuA64 *cpu)
{
    bool up = a64_el2_enabled(cpu) && (a64_hcr(cpu) >> HCR_TGE & 1 || cpu->sys->reg[SR_MDCR_EL2] >> MDCR_TDE & 1);
    return up ? 2 : 1;
}

/* AArch64.GenerateDebugExceptionsFrom */
bool sys_debug_enabled(const CpuA64 *cpu, unsigned from, bool masked)
{
    const A64Sys *s = cpu->sys;
    unsigned target = sys_debug_level(cpu);
    bool locked = s->os_lock || (s->reg[SR_OSDLR_EL1] & 1 && !(s->reg[SR_DBGPRCR_EL1] & 1)); /* DoubleLockStatus */
    if (locked || from > target || from == 3 || (s->el3 && s->secure && s->reg[SR_MDCR_EL3] >> 16 & 1)) {
        return false;
    }
    return from < target || (s->reg[SR_MDSCR_EL1] >> MDSCR_KDE & 1 && !masked);
}

bool a64_step_active(const CpuA64 *cpu)
{
    return cpu->sys->reg[SR_MDSCR_EL1] & 1 << MDSCR_SS && sys_debug_enabled(cpu, a64_el(cpu), cpu->pstate_misc & PS_D);
}

void a64_step_exception(CpuA64 *cpu, bool ex)
{
    unsigned el = a64_el(cpu), target = sys_debug_level(cpu);
    a64_take(cpu, target, VEC_SYNC, target > el ? EC_STEP_LOWER : EC_STEP_SAME, 1u << 24 | (uint32_t)ex << 6 | 0x22, cpu->pc);
}

/* -- breakpoints and watchpoints ------------------------------------------------------------------------------------------ */

enum { BREAKPOINTS = 6, WATCHPOINTS = 4 };

static bool debug_on(const CpuA64 *cpu)
{
    return cpu->sys->reg[SR_MDSCR_EL1] >> MDSCR_MDE & 1 && sys_debug_enabled(cpu, a64_el(cpu), cpu->pstate_misc & PS_D);
}

bool sys_debug_watches(const CpuA64 *cpu)
{
    const uint64_t *reg = cpu->sys->reg;
    uint64_t any = 0;
    if (!debug_on(cpu)) {
        return false;
    }
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        any |= reg[SR_DBGBCR0_EL1 + i];
    }
    for (unsigned i = 0; i < WATCHPOINTS; i++) {
        any |= reg[SR_DBGWCR0_EL1 + i];
    }
    return any & 1;
}

/* StateMatch: PMC or PAC (bits 2:1), HMC (13), SSC (15:14) against level and security state. */
static bool state_matches(const CpuA64 *cpu, uint64_t control, unsigned el)
{
    unsigned hmc = control >> 13 & 1, ssc = control >> 14 & 3, pxc = control >> 1 & 3;
    bool secure = cpu->sys->secure;
    bool level = el == 3 || el == 2 ? hmc && (el == 3 ? ssc != 1 : !(ssc == 2 && !pxc) && !(pxc == 1 && ssc == 3))
                 : el == 1 ? pxc & 1 : pxc & 2;
    if (el < 2 && hmc && pxc == 0) {
        level = false;
    }
    return level && (ssc == 0 || ssc == 3 || (ssc == 1 ? !secure : secure));
}

static bool context_matches(const CpuA64 *cpu, unsigned n)
{
    const uint64_t *reg = cpu->sys->reg;
    uint64_t control = reg[SR_DBGBCR0_EL1 + n], value = reg[SR_DBGBVR0_EL1 + n];
    unsigned type = control >> 20 & 15;
    if (!(control & 1) || n < BREAKPOINTS - 2) {
        return false;
    }
    uint64_t id = a64_in_host(cpu, a64_el(cpu)) ? reg[SR_CONTEXTIDR_EL2] : reg[SR_CONTEXTIDR_EL1];
    switch (type) {
    case 2:
    case 3: return (uint32_t)id == (uint32_t)value;
    case 8:
    case 9: return a64_el2_enabled(cpu) && (reg[SR_VTTBR_EL2] >> 48) == (value >> 32 & 0xffff);
    case 12:
    case 13: return a64_el2_enabled(cpu) && (uint32_t)reg[SR_CONTEXTIDR_EL2] == (uint32_t)(value >> 32);
    default: return false;
    }
}

bool a64_breakpoint(const CpuA64 *cpu, uint64_t pc)
{
    const uint64_t *reg = cpu->sys->reg;
    for (unsigned i = 0; debug_on(cpu) && i < BREAKPOINTS; i++) {
        uint64_t control = reg[SR_DBGBCR0_EL1 + i];
        unsigned type = control >> 20 & 15;
        if (!(control & 1) || !state_matches(cpu, control, a64_el(cpu))) {
            continue;
        }
        bool address = type <= 1 && (uint64_t)bits_sext(reg[SR_DBGBVR0_EL1 + i] & ~(uint64_t)3, 53) == (uint64_t)bits_sext(pc, 53);
        bool linked = !(type & 1) || context_matches(cpu, control >> 16 & 15);
        if ((address && linked) || (type > 1 && !(type & 1) && context_matches(cpu, i))) {
            return true;
        }
    }
    return false;
}

bool a64_watchpoint(const CpuA64 *cpu, uint64_t address, unsigned bytes, bool write, bool unprivileged)
{
    const uint64_t *reg = cpu->sys->reg;
    for (unsigned i = 0; debug_on(cpu) && i < WATCHPOINTS; i++) {
        uint64_t control = reg[SR_DBGWCR0_EL1 + i], value = reg[SR_DBGWVR0_EL1 + i] & ~(uint64_t)3;
        unsigned kind = control >> 3 & 3, select = control >> 5 & 255, mask = control >> 24 & 31;
        if (!(control & 1) || !(kind & (write ? 2 : 1)) || !state_matches(cpu, control, unprivileged ? 0 : a64_el(cpu)) ||
            (control >> 20 & 1 && !context_matches(cpu, control >> 16 & 15))) {
            continue;
        }
        if (mask >= 3) {
            uint64_t base = value & ~bits_mask(mask);
            if (address <= base + bits_mask(mask) && address + bytes - 1 >= base) {
                return true;
            }
            continue;
        }
        for (unsigned b = 0; b < 8; b++) {
            if (select >> b & 1 && address <= value + b && address + bytes - 1 >= value + b) {
                return true;
            }
        }
    }
    return false;
}

void a64_breakpoint_exception(CpuA64 *cpu)
{
    unsigned target = sys_debug_level(cpu);
    a64_take(cpu, target, VEC_SYNC, target > a64_el(cpu) ? EC_BREAK_LOWER : EC_BREAK_SAME, 0x22, cpu->pc);
}
