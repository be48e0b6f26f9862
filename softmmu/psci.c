/* psci.c - PSCI and SMCCC calls as rows: number, whether there is a form with 64-bit arguments, function.
 *
 * Calls with bit 30 set have 64-bit arguments, the same call without it 32-bit ones. What has no row is NOT_SUPPORTED, as
 * SMCCC wants it, so a kernel may ask for anything. Adding a call? Its row; PSCI_FEATURES then knows it.
 */
#include "psci.h"

#include <errno.h>

#include "sys.h"

enum {
    SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, ALREADY_ON = -4, ON_PENDING = -5, INVALID_ADDRESS = -9
};
enum { AFFINITY_ON, AFFINITY_OFF };
enum { WIDE = 1u << 30, TOS_NOT_PRESENT = 2, VERSION_1_1 = 1 << 16 | 1 };

/* X1 to X3. */
typedef struct Args {
    uint64_t x[3];
} Args;

/* Instead of an answer: the vCPU slept and was started anew, its registers are not the caller's. */
#define GONE INT64_MIN
typedef int64_t CallFn(Vcpu *v, const Args *a);

static Vcpu *vcpu_by_affinity(Machine *m, uint64_t aff)
{
    for (unsigned k = 0; k < m->nvcpus; k++) {
        if ((m->vcpus[k].mpidr & 0xff00ffffffu) == aff) {
            return &m->vcpus[k];
        }
    }
    return NULL;
}

static int64_t version(Vcpu *v, const Args *a)
{
    (void)v, (void)a;
    return VERSION_1_1;
}

static int64_t cpu_suspend(Vcpu *v, const Args *a)
{
    (void)a;
    /* Every state is treated as standby: shallower than asked for is always allowed. */
    v->cpu->x[0] = SUCCESS;
    if (v->cpu->sys->hooks->wait) {
        v->cpu->sys->hooks->wait(v->cpu, true, UINT64_MAX);
    }
    return SUCCESS;
}

static int64_t cpu_off(Vcpu *v, const Args *a)
{
    (void)a;
    vcpu_power_off(v);
    return GONE;
}

static int64_t cpu_on(Vcpu *v, const Args *a)
{
    Vcpu *target = vcpu_by_affinity(v->machine, a->x[0]);
    if (!target) {
        return INVALID_PARAMETERS;
    }
    if (a->x[1] & 3) {
        return INVALID_ADDRESS;
    }
    int n = vcpu_power_on(target, a->x[1], a->x[2]);
    return n == -EALREADY ? ALREADY_ON : n == -EINPROGRESS ? ON_PENDING : SUCCESS;
}

static int64_t affinity_info(Vcpu *v, const Args *a)
{
    if (a->x[1] > 3) {
        return INVALID_PARAMETERS;
    }
    if (a->x[1]) {
        return AFFINITY_ON; /* levels above CPUs have no power of their own */
    }
    const Vcpu *target = vcpu_by_affinity(v->machine, a->x[0]);
    return !target ? INVALID_PARAMETERS : vcpu_is_on(target) ? AFFINITY_ON : AFFINITY_OFF;
}

static int64_t migrate_info_type(Vcpu *v, const Args *a)
{
    (void)v, (void)a;
    return TOS_NOT_PRESENT;
}

static int64_t system_off(Vcpu *v, const Args *a)
{
    (void)a;
    machine_request(v->machine, END_POWEROFF);
    vcpu_power_off(v);
    return GONE;
}

static int64_t system_reset(Vcpu *v, const Args *a)
{
    (void)a;
    machine_request(v->machine, END_RESET);
    vcpu_power_off(v);
    return GONE;
}

static int64_t system_reset2(Vcpu *v, const Args *a)
{
    return (uint32_t)a->x[0] ? INVALID_PARAMETERS : system_reset(v, a); /* 0: warm reset */
}

static int64_t features(Vcpu *v, const Args *a);

// clang-format off
static const struct {
    uint32_t id;
    bool wide; /* also with 64-bit arguments */
    CallFn *fn;
} calls[] = {
    {0x80000000, false, version},           /* SMCCC_VERSION */
    {0x80000001, false, features},          /* SMCCC_ARCH_FEATURES */
    {0x84000000, false, version},           /* PSCI_VERSION */
    {0x84000001, true,  cpu_suspend},
    {0x84000002, false, cpu_off},
    {0x84000003, true,  cpu_on},
    {0x84000004, true,  affinity_info},
    {0x84000006, false, migrate_info_type},
    {0x84000008, false, system_off},
    {0x84000009, false, system_reset},
    {0x8400000a, false, features},          /* PSCI_FEATURES */
    {0x84000012, true,  system_reset2},
};
// clang-format on

static CallFn *call_find(uint32_t id)
{
    for (unsigned k = 0; k < LEN(calls); k++) {
        if (calls[k].id == id || (calls[k].wide && (calls[k].id | WIDE) == id)) {
            return calls[k].fn;
        }
    }
    return NULL;
}

static int64_t features(Vcpu *v, const Args *a)
{
    (void)v;
    return call_find((uint32_t)a->x[0]) ? SUCCESS : NOT_SUPPORTED;
}

bool psci_call(Vcpu *v, bool smc)
{
    CpuA64 *cpu = v->cpu;
    if (v->machine->psci_conduit != (smc ? PSCI_SMC : PSCI_HVC)) {
        return false;
    }
    uint32_t id = (uint32_t)cpu->x[0];
    uint64_t mask = id & WIDE ? UINT64_MAX : UINT32_MAX;
    Args a = {{cpu->x[1] & mask, cpu->x[2] & mask, cpu->x[3] & mask}};
    CallFn *fn = call_find(id);
    int64_t r = fn ? fn(v, &a) : NOT_SUPPORTED;
    if (r != GONE) {
        cpu->x[0] = (uint64_t)r;
    }
    return true;
}
