/* machine.h - what the parts of a machine share. The board (boards/virt.c) makes it; nothing in it moves afterwards.
 *
 * Locks: each device has one of its own. Order: device, interrupt controller, vCPU. Nobody holds a lock over a call of
 * machine_pause or vcpu_call with wait.
 */
#ifndef ARMX_SOFTMMU_MACHINE_H
#define ARMX_SOFTMMU_MACHINE_H

#include "event.h"
#include "irq.h"
#include "mem.h"
#include "vcpu.h"

typedef enum MachineEnd { END_NONE, END_POWEROFF, END_RESET, END_PANIC } MachineEnd;

struct Machine {
    PhysMem *mem;
    EventLoop *loop;
    Engine *engine;
    const struct CpuModel *model;
    Vcpu *vcpus;
    unsigned nvcpus;
    bool el2, el3;        /* -M virtualization=on, secure=on */
    int psci_conduit;     /* PSCI_OFF, PSCI_HVC, PSCI_SMC */
    struct Gic *gic;
    void *board;          /* boards/virt.c's own */
};
enum { PSCI_OFF, PSCI_HVC, PSCI_SMC };

/* Guest time in ns: stands while the machine is paused. The generic timers count it at 62.5 MHz, the PL031 adds it to the epoch. */
uint64_t machine_clock(const Machine *m);
/* Asks for the end or a reset; any thread, returns at once. The I/O thread does it (main.c). */
void machine_request(Machine *m, MachineEnd what);

/* A device that wants to be reset with the machine: called with all vCPUs stopped, in the order of registration. */
void machine_on_reset(Machine *m, EventFn *fn, void *arg);

#endif
