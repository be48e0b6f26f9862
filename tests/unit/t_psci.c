/* t_psci.c - PSCI and SMCCC calls, their arguments' widths, their errors. */
#include "gic_machine.h"

#include "psci.h"

static int64_t call(unsigned cpu, uint64_t id, uint64_t a, uint64_t b, uint64_t c)
{
    CpuA64 *p = &cpus[cpu].cpu;
    p->x[0] = id, p->x[1] = a, p->x[2] = b, p->x[3] = c;
    cr_assert(psci_call(&vcpus[cpu], mach.psci_conduit == PSCI_SMC));
    return (int64_t)p->x[0];
}

static unsigned waits;

static void wait_hook(CpuA64 *cpu, bool wfi, uint64_t until)
{
    waits += cpu && wfi && until == UINT64_MAX;
}

static const A64Hooks hooks = {.wait = wait_hook};

static void start(void)
{
    fake_machine(4);
    mach.psci_conduit = PSCI_HVC;
    vcpus[3].mpidr = 0x80000100;
    for (unsigned k = 0; k < 4; k++) {
        cpus[k].sys.hooks = &hooks;
    }
    power[0] = true;
}

Test(psci, calls)
{
    start();
    static const struct {
        uint64_t id, a, b, c;
        int64_t want;
    } rows[] = {
        {0x84000000, 0, 0, 0, 0x10001},          /* PSCI_VERSION */
        {0x80000000, 0, 0, 0, 0x10001},          /* SMCCC_VERSION */
        {0x80000001, 0x80000000, 0, 0, 0},       /* SMCCC_ARCH_FEATURES */
        {0x80000001, 0x80008000, 0, 0, -1},      /* workaround 1: not needed, not known */
        {0x8400000a, 0xc4000003, 0, 0, 0},       /* PSCI_FEATURES: CPU_ON */
        {0x8400000a, 0x84000002, 0, 0, 0},
        {0x8400000a, 0x80000000, 0, 0, 0},
        {0x8400000a, 0xc4000012, 0, 0, 0},
        {0x8400000a, 0xc4000002, 0, 0, -1},      /* CPU_OFF has no 64-bit form */
        {0x8400000a, 0x8400000e, 0, 0, -1},      /* SYSTEM_SUSPEND */
        {0x84000006, 0, 0, 0, 2},                /* MIGRATE_INFO_TYPE */
        {0xc4000005, 0, 0, 0, -1},               /* MIGRATE */
        {0xc4000004, 1, 0, 0, 1},                /* AFFINITY_INFO: off */
        {0xc4000004, 0, 0, 0, 0},                /* on */
        {0xc4000004, 0x100, 0, 0, 1},
        {0xc4000004, 7, 0, 0, -2},
        {0xc4000004, 7, 1, 0, 0},
        {0xc4000004, 0, 4, 0, -2},
        {0xc4000003, 9, 0x40000000, 0, -2},      /* CPU_ON: who? */
        {0xc4000003, 1, 0x40000001, 0, -9},      /* where? */
        {0xc4000003, 0x100, 0x140000000, 0x123456789a, 0},
        {0xc4000003, 0x100, 0x40000000, 0, -4},  /* already */
        {0x84000003, 0xf00000001, 0xf40000000, 0xf00000007, 0}, /* 32-bit arguments */
        {0xc4000004, 1, 0, 0, 0},
        {0xc4000001, 0, 0, 0, 0},                /* CPU_SUSPEND */
        {0xc4000012, 5, 0, 0, -2},               /* SYSTEM_RESET2: no such type */
        {0x84000050, 0, 0, 0, -1},               /* TRNG_VERSION */
        {0, 0, 0, 0, -1},
        {~0ull, 0, 0, 0, -1},
    };
    for (unsigned k = 0; k < LEN(rows); k++) {
        int64_t got = call(0, rows[k].id, rows[k].a, rows[k].b, rows[k].c);
        cr_assert_eq(got, rows[k].want, "row %u: %ld", k, (long)got);
    }
    cr_assert_eq(entry_of[3], 0x140000000);
    cr_assert_eq(context_of[3], 0x123456789a);
    cr_assert_eq(entry_of[1], 0x40000000);
    cr_assert_eq(context_of[1], 7);
    cr_assert_eq(waits, 1);
    call(3, 0x84000002, 0, 0, 0);
    cr_assert(!power[3]);
    cr_assert_eq(asked, END_NONE);
    call(0, 0xc4000012, 0, 0, 0);
    cr_assert_eq(asked, END_RESET);
    call(0, 0x84000008, 0, 0, 0);
    cr_assert_eq(asked, END_POWEROFF);
}

Test(psci, conduit)
{
    start();
    cpus[0].cpu.x[0] = 0x84000000;
    cr_assert(!psci_call(&vcpus[0], true));
    cr_assert_eq(cpus[0].cpu.x[0], 0x84000000);
    mach.psci_conduit = PSCI_SMC;
    cr_assert(!psci_call(&vcpus[0], false));
    cr_assert(psci_call(&vcpus[0], true));
    mach.psci_conduit = PSCI_OFF;
    cr_assert(!psci_call(&vcpus[0], true));
}
