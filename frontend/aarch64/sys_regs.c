/* sys_regs.c - the system registers that are code: HOOK rows of sysregs.def (PSTATE, caches, configuration with side effects).
 *
 * Traps are decided before. Registers of the performance monitors are in sys_pmu.c.
 */
#include "sys_int.h"

#include "helpers.h"

/* -- identification and caches ------------------------------------------------------------------------------------------- */

/* 64 KiB of L1 each, 4 ways; 1 MiB of L2, 8 ways; lines of 64 bytes. */
static uint64_t cache_size(const CpuA64 *cpu, unsigned select)
{
    static const struct { uint16_t sets, ways; } caches[] = {{256, 4}, {256, 4}, {2048, 8}};
    if (select >= LEN(caches)) {
        return 0;
    }
    unsigned sets = caches[select].sets - 1u, ways = caches[select].ways - 1u;
    return a64_has(cpu, A64_FEAT_ccidx) ? (uint64_t)sets << 32 | ways << 3 | 2 : sets << 13 | ways << 3 | 2;
}

static bool virtual_ids(const CpuA64 *cpu)
{
    return a64_el(cpu) == 1 && a64_el2_enabled(cpu);
}

static uint64_t isr(const CpuA64 *cpu)
{
    uint64_t hcr = a64_hcr(cpu);
    unsigned lines = (unsigned)__atomic_load_n(&cpu->sys->lines, __ATOMIC_ACQUIRE);
    bool guest = a64_el(cpu) == 1;
    bool irq = guest && hcr >> HCR_IMO & 1 ? lines & 4 || hcr >> HCR_VI & 1 : lines & 1;
    bool fiq = guest && hcr >> HCR_FMO & 1 ? lines & 8 || hcr >> HCR_VF & 1 : lines & 2;
    bool err = guest && hcr >> HCR_AMO & 1 ? lines & 32 || hcr >> HCR_VSE & 1 : lines & 16;
    return (uint64_t)err << 8 | (uint64_t)irq << 7 | (uint64_t)fiq << 6;
}

/* DCZID_EL0.DZP: may DC ZVA be executed here? */
static bool zva_prohibited(const CpuA64 *cpu)
{
    return sys_check(cpu, &sys_op_rows[SO_DC_ZVA], true).level != 0;
}

/* -- configuration --------------------------------------------------------------------------------------------------------- */

static uint64_t hcr_mask(const CpuA64 *cpu)
{
    uint64_t m = bits_mask(31) & ~((uint64_t)7 << 59);
    m |= (uint64_t)1 << HCR_CD | (uint64_t)1 << HCR_ID;
    m |= a64_has(cpu, A64_FEAT_vhe) ? (uint64_t)1 << HCR_E2H : 0;
    m |= a64_has(cpu, A64_FEAT_lor) ? (uint64_t)1 << HCR_TLOR : 0;
    m |= a64_has(cpu, A64_FEAT_ras) ? (uint64_t)1 << HCR_TERR | (uint64_t)1 << HCR_TEA : 0;
    m |= a64_has(cpu, A64_FEAT_rasv1p1) ? (uint64_t)1 << HCR_FIEN : 0;
    m |= a64_has(cpu, A64_FEAT_pauth) ? (uint64_t)1 << HCR_APK | (uint64_t)1 << HCR_API : 0;
    m |= a64_has(cpu, A64_FEAT_s2fwb) ? (uint64_t)1 << HCR_FWB : 0;
    m |= a64_has(cpu, A64_FEAT_scxtnum) ? (uint64_t)1 << HCR_ENSCXT : 0;
    m |= a64_has(cpu, A64_FEAT_evt) ? (uint64_t)1 << HCR_TID4 | (uint64_t)1 << HCR_TICAB | (uint64_t)1 << HCR_TOCU | (uint64_t)1 << HCR_TTLBIS |
                                          (uint64_t)1 << HCR_TTLBOS : 0;
    m |= a64_has(cpu, A64_FEAT_nv) ? (uint64_t)1 << HCR_NV | (uint64_t)1 << HCR_NV1 | (uint64_t)1 << HCR_AT : 0;
    m |= a64_has(cpu, A64_FEAT_nv2) ? (uint64_t)1 << HCR_NV2 : 0;
    m |= a64_has(cpu, A64_FEAT_mte) ? (uint64_t)1 << HCR_ATA | (uint64_t)1 << HCR_DCT | (uint64_t)1 << HCR_TID5 : 0;
    return m;
}

static void write_routing(CpuA64 *cpu, A64Sr sr, uint64_t v)
{
    A64Sys *s = cpu->sys;
    uint64_t old = s->reg[sr];
    s->reg[sr] = v;
    a64_hcr_changed(cpu);
    if (sr == SR_SCR_EL3) {
        s->secure = s->el3 && (a64_el(cpu) == 3 || !(v & 1));
    }
    if (s->hooks->mmu_changed && s->mmu && old != v) {
        s->hooks->mmu_changed(cpu, sr, old);
    }
    if (s->hooks->told) {
        s->hooks->told(cpu, sr, v);
    }
    a64_context_changed(cpu);
    engine_kick(&cpu->h); /* an interrupt may be routed here now */
}

static void set_bit(CpuA64 *cpu, uint64_t bit, uint64_t v)
{
    cpu->pstate_misc = (cpu->pstate_misc & ~bit) | (v & bit);
    if (bit & (PS_PAN | PS_UAO)) {
        a64_level_changed(cpu);
    }
}

/* -- the rows ---------------------------------------------------------------------------------------------------------------- */

uint64_t sys_hook_read(CpuA64 *cpu, A64Sr sr)
{
    A64Sys *s = cpu->sys;
    uint64_t v;
    switch (sr) {
    case SR_MIDR_EL1: return virtual_ids(cpu) ? s->reg[SR_VPIDR_EL2] : cpu->model->midr;
    case SR_MPIDR_EL1: return virtual_ids(cpu) ? s->reg[SR_VMPIDR_EL2] : s->mpidr;
    case SR_CCSIDR_EL1: return cache_size(cpu, (unsigned)s->reg[SR_CSSELR_EL1] & 15);
    case SR_CLIDR_EL1: return 2 << 24 | 4 << 3 | 3;
    case SR_CTR_EL0: return 0x9444c004;
    case SR_DCZID_EL0: return A64_DCZID | (zva_prohibited(cpu) ? 16 : 0);
    case SR_SPSel: return cpu->pstate_misc & PS_SPSEL;
    case SR_CurrentEL: return (uint64_t)(a64_el(cpu) == 1 && a64_nv(cpu) ? 2 : a64_el(cpu)) << 2;
    case SR_PAN: return cpu->pstate_misc & PS_PAN;
    case SR_UAO: return cpu->pstate_misc & PS_UAO;
    case SR_DAIF: return cpu->pstate_misc & PS_DAIF;
    case SR_DIT: return cpu->pstate_misc & PS_DIT;
    case SR_SSBS: return cpu->pstate_misc & PS_SSBS;
    case SR_TCO: return cpu->pstate_misc & PS_TCO;
    case SR_NZCV: return a64_nzcv(cpu);
    case SR_FPCR: return cpu->h.fp.fpcr;
    case SR_FPSR: return h_fpsr_read(cpu);
    case SR_RNDR:
    case SR_RNDRRS:
        a64_set_nzcv(cpu, 0);
        return h_rndr(cpu);
    case SR_RVBAR_EL1:
    case SR_RVBAR_EL2:
    case SR_RVBAR_EL3: return s->reset_pc;
    case SR_ISR_EL1: return isr(cpu);
    case SR_DISR_EL1: return virtual_ids(cpu) && a64_hcr(cpu) >> HCR_AMO & 1 ? s->reg[SR_VDISR_EL2] : s->reg[SR_DISR_EL1];
    case SR_OSLSR_EL1: return 8 | (uint64_t)s->os_lock << 1;
    case SR_DBGCLAIMSET_EL1: return 255;
    case SR_DBGCLAIMCLR_EL1: return s->claim;
    default:
        return sys_pmu_read(cpu, sr, &v) ? v : s->reg[sr];
    }
}

void sys_hook_write(CpuA64 *cpu, A64Sr sr, uint64_t v)
{
    A64Sys *s = cpu->sys;
    switch (sr) {
    case SR_CSSELR_EL1: s->reg[sr] = v & 15; break;
    case SR_HCR_EL2: write_routing(cpu, sr, (v & hcr_mask(cpu)) | (uint64_t)1 << HCR_RW); break;
    case SR_SCR_EL3: write_routing(cpu, sr, v | 0x430); break;
    case SR_CPTR_EL2:
        s->reg[sr] = s->reg[SR_HCR_EL2] >> HCR_E2H & 1 ? v : v | 0x33ff;
        a64_context_changed(cpu);
        break;
    case SR_VBAR_EL1:
    case SR_VBAR_EL2:
    case SR_VBAR_EL3: s->reg[sr] = v & ~(uint64_t)0x7ff; break;
    case SR_VNCR_EL2: s->reg[sr] = v & ~(uint64_t)0xfff; break;
    case SR_SPSel: a64_set_el(cpu, a64_el(cpu), v & 1); break;
    case SR_PAN: set_bit(cpu, PS_PAN, v); break;
    case SR_UAO: set_bit(cpu, PS_UAO, v); break;
    case SR_DIT: set_bit(cpu, PS_DIT, v); break;
    case SR_SSBS: set_bit(cpu, PS_SSBS, v); break;
    case SR_TCO: set_bit(cpu, PS_TCO, v); break;
    case SR_DAIF:
        set_bit(cpu, PS_DAIF, v);
        a64_level_changed(cpu);
        break;
    case SR_NZCV: a64_set_nzcv(cpu, (uint32_t)v & 0xf0000000); break;
    case SR_FPCR: h_fpcr_write(cpu, (uint32_t)v); break;
    case SR_FPSR: h_fpsr_write(cpu, (uint32_t)v); break;
    case SR_DISR_EL1: s->reg[virtual_ids(cpu) && a64_hcr(cpu) >> HCR_AMO & 1 ? SR_VDISR_EL2 : SR_DISR_EL1] = v; break;
    case SR_OSLAR_EL1:
        s->os_lock = v & 1;
        a64_context_changed(cpu);
        break;
    case SR_OSDLR_EL1:
        s->reg[sr] = a64_has(cpu, A64_FEAT_nodoublelock) ? 0 : v & 1;
        a64_context_changed(cpu);
        break;
    case SR_DBGCLAIMSET_EL1: s->claim |= (uint8_t)v; break;
    case SR_DBGCLAIMCLR_EL1: s->claim &= (uint8_t)~v; break;
    default:
        if (!sys_pmu_write(cpu, sr, v)) {
            s->reg[sr] = v;
        }
        break;
    }
}
