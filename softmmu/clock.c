/* clock.c - the guest's time: the host's monotonic clock less the time that the machine stood.
 *
 * Reading takes no lock: vCPUs do not read while they stand, and a device that does sees the time of the stop.
 */
#include "machine.h"

void machine_clock_init(Machine *m)
{
    m->clock_base = event_now();
}

uint64_t machine_clock(const Machine *m)
{
    uint64_t stood = __atomic_load_n(&m->clock_stood, __ATOMIC_ACQUIRE);
    return stood ? stood - 1 : event_now() - __atomic_load_n(&m->clock_base, __ATOMIC_RELAXED);
}

void machine_clock_stop(Machine *m)
{
    __atomic_store_n(&m->clock_stood, machine_clock(m) + 1, __ATOMIC_RELEASE);
}

void machine_clock_start(Machine *m)
{
    __atomic_store_n(&m->clock_base, event_now() - machine_clock(m), __ATOMIC_RELAXED);
    __atomic_store_n(&m->clock_stood, 0, __ATOMIC_RELEASE);
}

uint64_t machine_clock_host(const Machine *m, uint64_t at)
{
    return at + __atomic_load_n(&m->clock_base, __ATOMIC_RELAXED);
}
