/* timer.h - the generic timers of all vCPUs (DDI 0487 D11) and the counter that they compare with. */
#ifndef ARMX_SOFTMMU_TIMER_H
#define ARMX_SOFTMMU_TIMER_H

#include "machine.h"

enum { TIMER_HZ = 62500000, TIMER_NS = 1000000000 / TIMER_HZ };

/* Makes the timers of m's vCPUs, off, their outputs at PPIs of m->gic; resets them with the machine. */
void timer_new(Machine *m);

/* System registers CNT*, by enum A64Sr, as v's own exception level sees them; traps and redirections are decided already.
 * On v's thread. Also to be told of writes of CNTHCTL_EL2, SCR_EL3 and HCR_EL2, which the CPU keeps, after them. */
uint64_t timer_sr_read(Vcpu *v, unsigned sr);
void timer_sr_write(Vcpu *v, unsigned sr, uint64_t value);

/* Physical count; any thread, no lock. */
static inline uint64_t timer_count(const Machine *m)
{
    return machine_clock(m) / TIMER_NS;
}

/* ns until the event stream (CNTKCTL_EL1, CNTHCTL_EL2) has its next event for v, ~0 = never. Nobody sends that event: what
 * waits for one asks here how long to sleep. On v's thread. */
uint64_t timer_event_wait(Vcpu *v);

#endif
