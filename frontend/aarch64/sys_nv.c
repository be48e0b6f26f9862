/* sys_nv.c - nested virtualization (FEAT_NV, FEAT_NV2): what EL1 finds under the names of EL2's registers while HCR_EL2.NV says that it
 * believes to be EL2 (DDI 0487 D8, enhanced support for nested virtualization; the accessors of D19).
 *
 * With NV alone all of them trap to EL2, and so does ERET (sys_exc.c). With NV2 most are memory in a page that VNCR_EL2 names: the rows
 * NV2MEM of sysregs.def; four are EL1's own (NV2REG); the rest trap. HCR_EL2.NV1 tells what EL1's own names mean: 0, the hypervisor uses
 * VHE, so they are what it runs with, and _EL12 and _EL02 name its guest's; 1, they are its guest's.
 * A64Sys.hcr has NV1 and NV2 only with NV. Adding a register: a row. Tests: nested_* in tests/unit/t_sys.c, tests/boot/nv.S.
 */
#include "sys_int.h"

enum { ANY, NV1 };

static const struct {
    uint16_t offset, forms, el1;
} rows[SR_COUNT] = {
#define NV2MEM(name, offset, forms) [SR_##name] = {offset, forms, 0},
#define NV2REG(name, el1) [SR_##name] = {0, ANY, SR_##el1},
#include "sysregs.def"
};

enum { CNTHCTL_EL1NVPCT = 15, CNTHCTL_EL1NVVCT = 16 };

/* Does CNTHCTL_EL2 keep EL1 from a guest's timer (FEAT_ECV)? */
static bool timer_traps(const CpuA64 *cpu, A64Sr sr)
{
    bool phys = sr == SR_CNTP_CTL_EL0 || sr == SR_CNTP_CVAL_EL0, virt = sr == SR_CNTV_CTL_EL0 || sr == SR_CNTV_CVAL_EL0;
    uint64_t h = cpu->sys->reg[SR_CNTHCTL_EL2];
    return a64_has(cpu, A64_FEAT_ecv) && ((phys && h >> CNTHCTL_EL1NVPCT & 1) || (virt && h >> CNTHCTL_EL1NVVCT & 1));
}

NvPlace sys_nv_place(const CpuA64 *cpu, A64Sr sr, bool alias, bool write)
{
    unsigned access = sys_rows[sr].access, need = write ? access & 7 : access >> 4;
    bool memory = a64_nv2(cpu) && rows[sr].offset;
    if (alias) {
        return memory && rows[sr].forms == NV1 && !a64_nv1(cpu) && !timer_traps(cpu, sr) ? NV_MEMORY : NV_TRAP;
    }
    if (need == 2) {
        return a64_nv2(cpu) && rows[sr].el1 ? NV_REGISTER : memory ? NV_MEMORY : NV_TRAP;
    }
    return need < 2 && memory && (rows[sr].forms == ANY || a64_nv1(cpu)) ? NV_MEMORY : NV_HERE;
}

A64Sr sys_nv_register(A64Sr sr)
{
    return (A64Sr)rows[sr].el1;
}

void sys_nv_memory(CpuA64 *cpu, A64Sr sr, bool write, uint64_t *value)
{
    const A64Hooks *h = cpu->sys->hooks;
    uint64_t base = (uint64_t)bits_sext(cpu->sys->reg[SR_VNCR_EL2], 57);
    if (!write) {
        *value = 0;
    }
    if (h->nv2_memory) {
        h->nv2_memory(cpu, base + rows[sr].offset, write, value);
    }
}
