/* vcpu.h - one virtual CPU: its thread, its interrupt inputs, power, and requests to it.
 *
 * A vCPU's registers belong to its thread while it runs. Others set lines, kick it, or ask for a function to be run
 * on its thread between two instructions (vcpu_call).
 */
#ifndef ARMX_SOFTMMU_VCPU_H
#define ARMX_SOFTMMU_VCPU_H

#include "cpu.h"

typedef struct Machine Machine;
typedef struct Vcpu Vcpu;

/* Interrupt inputs of the core. */
enum { LINE_IRQ, LINE_FIQ, LINE_VIRQ, LINE_VFIQ, LINE_SERROR, LINE_VSERROR, LINE_COUNT };

struct Vcpu {
    CpuA64 *cpu;
    Machine *machine;
    unsigned index;
    uint64_t mpidr;           /* affinity fields as the board numbers them */
    struct VcpuPrivate *priv; /* thread, wait state, requests (vcpu.c) */
    struct GicCpu *gic;       /* the interrupt controller's part of this CPU */
    struct TimerCpu *timer;   /* the generic timers of this CPU */
};

/* Level of an input; wakes and kicks the vCPU when it rises. Any thread. */
void vcpu_set_line(Vcpu *v, unsigned line, bool level);
/* Out of translated code soon, or out of WFI/WFE's sleep. Any thread. */
void vcpu_kick(Vcpu *v);
/* SEV: sets the event register of all vCPUs. */
void vcpu_send_event(Machine *m);
/* Runs fn(v, arg) on v's thread between two instructions; with wait, returns after that. A vCPU thread that waits runs
 * requests to itself meanwhile, so two may ask one another. On v's own thread fn is called at once. */
void vcpu_call(Vcpu *v, void (*fn)(Vcpu *v, void *arg), void *arg, bool wait);
/* PSCI: starts an off vCPU at entry in the highest implemented EL below what firmware keeps, x0 = context.
 * 0, -EALREADY (on), -EINPROGRESS (being started). */
int vcpu_power_on(Vcpu *v, uint64_t entry, uint64_t context);
/* On its own thread, from a helper or the loop: the vCPU sleeps until vcpu_power_on. */
void vcpu_power_off(Vcpu *v);
bool vcpu_is_on(const Vcpu *v);
/* For a debugger: one instruction, with the exceptions that it raises but no interrupt. On its own thread (vcpu_call). */
void vcpu_step(Vcpu *v);
/* The vCPU whose thread this is, NULL on other threads: registers that are banked by who accesses them. */
Vcpu *vcpu_self(void);

/* Thread number of v's thread for the host, 0 before there is one. */
int vcpu_thread_id(const Vcpu *v);

/* Makes m->vcpus: n of them, off, registers as after a reset; 0 or -ENOMEM. The board sets mpidr. m->engine and m->model are there. */
int machine_vcpus_new(Machine *m, unsigned n);
/* Makes the threads and waits until each has its number; they stand while the machine is paused. */
void machine_vcpus_start(Machine *m);
/* Registers to their reset values, off. While all stand. */
void vcpu_reset(Vcpu *v);

/* Stops all vCPUs between two instructions (returns when they stand), and lets them go. The guest's clock stands meanwhile.
 * Calls nest. Not from a vCPU's thread, where machine_request_* are to be used. */
void machine_pause(Machine *m);
void machine_resume(Machine *m);

#endif
