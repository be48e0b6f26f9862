/* gic_machine.h - a machine without CPUs' threads, for tests of interrupt controllers, timers and firmware: RAM, MMIO, and
 * vCPUs whose lines, power and exception level the test sees and sets.
 *
 * It stands in for vcpu.c, machine.c, clock.c and the CPU's view of EL2; each test program includes it once.
 */
#ifndef ARMX_TESTS_UNIT_GIC_MACHINE_H
#define ARMX_TESTS_UNIT_GIC_MACHINE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "dev/gic_core.h"
#include "sys.h"

enum { FAKE_CPUS = 8, RAM_BYTES = 1 << 20 };
enum {
    DIST = 0x08000000, GICC = 0x08010000, V2M = 0x08020000, GICH = 0x08030000, GICV = 0x08040000, ITS = 0x08080000,
    REDIST = 0x080a0000, REDIST_BYTES = 0x20000, SGI_FRAME = 0x10000, RAM = 0x40000000
};

static Machine mach;
static Vcpu vcpus[FAKE_CPUS];
static A64Machine cpus[FAKE_CPUS];
static CpuModel model;
static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));
static uint32_t lines[FAKE_CPUS];
static bool power[FAKE_CPUS];
static _Thread_local Vcpu *self;
static EventFn *resets[8];
static void *reset_args[8];
static unsigned nresets;
static MachineEnd asked;
static uint64_t entry_of[FAKE_CPUS], context_of[FAKE_CPUS];

void vcpu_set_line(Vcpu *v, unsigned line, bool level)
{
    if (level) {
        __atomic_fetch_or(&lines[v->index], 1u << line, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_and(&lines[v->index], ~(1u << line), __ATOMIC_RELAXED);
    }
}

Vcpu *vcpu_self(void)
{
    return self;
}

int vcpu_power_on(Vcpu *v, uint64_t entry, uint64_t context)
{
    if (power[v->index]) {
        return -EALREADY;
    }
    power[v->index] = true;
    entry_of[v->index] = entry;
    context_of[v->index] = context;
    return 0;
}

void vcpu_power_off(Vcpu *v)
{
    power[v->index] = false;
}

bool vcpu_is_on(const Vcpu *v)
{
    return power[v->index];
}

void machine_request(Machine *m, MachineEnd what)
{
    (void)m;
    asked = what;
}

void machine_on_reset(Machine *m, EventFn *fn, void *arg)
{
    (void)m;
    resets[nresets] = fn;
    reset_args[nresets++] = arg;
}

static inline void fake_hcr(unsigned cpu, uint64_t v)
{
    A64Sys *sys = &cpus[cpu].sys;
    sys->reg[SR_HCR_EL2] = v;
    sys->el2_on = sys->el2;
    sys->hcr = sys->el2 ? v : 0;
}

static inline void fake_el(unsigned cpu, unsigned el)
{
    cpus[cpu].cpu.pstate_misc = el << PS_EL_SHIFT | 1;
}

/* A machine with n CPUs, of 16 in a cluster, at EL1. */
static void fake_machine(unsigned n)
{
    mach.mem = mem_new();
    mach.vcpus = vcpus;
    mach.nvcpus = n;
    mach.model = &model;
    mach.loop = event_loop_new();
    mem_add_ram(mach.mem, "ram", (Gpa){RAM}, RAM_BYTES, ram, false);
    for (unsigned k = 0; k < n; k++) {
        cpus[k].cpu.sys = &cpus[k].sys;
        cpus[k].cpu.model = &model;
        vcpus[k] = (Vcpu){.cpu = &cpus[k].cpu, .machine = &mach, .index = k, .mpidr = 0x80000000u | k};
        cpus[k].sys.vcpu = &vcpus[k];
        cpus[k].sys.el2 = true;
        fake_el(k, 1);
    }
    self = &vcpus[0];
}

static inline Gic *fake_gic(unsigned version, unsigned n, bool security, bool its)
{
    fake_machine(n);
    GicConfig c = {
        .version = version, .spis = 256, .security = security, .virt = true, .its = its, .dist = {DIST}, .cpu = {GICC},
        .gich = {GICH}, .gicv = {GICV}, .redist = {{REDIST}, {0}}, .redist0 = 100, .its_base = {ITS}, .v2m = {V2M},
        .v2m_spi = 80, .v2m_count = version == 2 ? 64 : 0,
    };
    mach.gic = gic_new(&mach, &c);
    cr_assert_not_null(mach.gic);
    return mach.gic;
}

static inline uint64_t rd(uint64_t at, unsigned size)
{
    uint64_t v = ~0ull;
    cr_assert(mem_access(mach.mem, (Gpa){at}, size, false, &v, (MemAttrs){0}));
    return v;
}

static inline void wr(uint64_t at, unsigned size, uint64_t v)
{
    cr_assert(mem_access(mach.mem, (Gpa){at}, size, true, &v, (MemAttrs){0}));
}

static inline uint32_t r32(uint64_t at)
{
    return (uint32_t)rd(at, 4);
}

static inline void w32(uint64_t at, uint32_t v)
{
    wr(at, 4, v);
}

static inline uint64_t sr(unsigned cpu, unsigned reg)
{
    return gic_sr_read(&vcpus[cpu], reg);
}

static inline void sw(unsigned cpu, unsigned reg, uint64_t v)
{
    gic_sr_write(&vcpus[cpu], reg, v);
}

static inline bool line(unsigned cpu, unsigned n)
{
    return __atomic_load_n(&lines[cpu], __ATOMIC_RELAXED) >> n & 1;
}

#endif
