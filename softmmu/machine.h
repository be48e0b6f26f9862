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

typedef enum MachineEnd { END_NONE, END_POWEROFF, END_RESET, END_HOST_RESET /* by a monitor */, END_PANIC } MachineEnd;

struct Machine {
    PhysMem *mem;
    EventLoop *loop;
    Engine *engine;
    Space *space;
    const struct CpuModel *model;
    Vcpu *vcpus;
    struct VcpuAll *all;  /* vcpu.c's own */
    unsigned nvcpus;
    bool el2, el3;        /* -M virtualization=on, secure=on */
    int psci_conduit;     /* PSCI_OFF, PSCI_HVC, PSCI_SMC */
    struct Gic *gic;
    void *board;          /* boards/virt.c's own */
    const struct Options *options;
    uint64_t clock_base;  /* clock.c: host time at which the guest's was 0 */
    uint64_t clock_stood; /* guest time + 1 while the machine stands, else 0 */
    struct MachineControl *control; /* machine.c's own */
};
enum { PSCI_OFF, PSCI_HVC, PSCI_SMC };

/* Guest time in ns: stands while the machine is paused. The generic timers count it at 62.5 MHz, the PL031 adds it to the epoch. */
uint64_t machine_clock(const Machine *m);
/* Host time (event_now) at which the guest's will be `at` if the machine does not stand meanwhile, for EventTimers. */
uint64_t machine_clock_host(const Machine *m, uint64_t at);
/* For machine_pause and machine_resume, when the last vCPU stands and before the first goes. */
void machine_clock_init(Machine *m);
void machine_clock_stop(Machine *m);
void machine_clock_start(Machine *m);

/* Asks for the end or a reset; any thread, returns at once. The I/O thread does it (machine.c). */
void machine_request(Machine *m, MachineEnd what);

/* A device that wants to be reset with the machine: called with all vCPUs stopped, in the order of registration. */
void machine_on_reset(Machine *m, EventFn *fn, void *arg);
/* Calls them all: nobody runs. */
void machine_reset_devices(Machine *m);

/* -- for who controls the machine, on the I/O thread -- */

/* Stands by the user's will (-S, `stop`)? */
bool machine_stopped(const Machine *m);
void machine_stop(Machine *m);
void machine_cont(Machine *m);
/* "running", "paused", "prelaunch", "shutdown", "guest-panicked", as QMP's query-status says it. */
const char *machine_status(const Machine *m);
/* -name (NULL: none), -uuid. */
const char *machine_name(const Machine *m);
const char *machine_uuid(const Machine *m);
/* Presses the power button (boards/virt.c). */
void machine_powerdown(Machine *m);
/* Ends the process with status. */
void machine_quit(Machine *m, int status);
/* Told of what happens, by its name as a QMP event ("STOP", "RESUME", "RESET", "SHUTDOWN", "POWERDOWN", "GUEST_PANICKED");
 * `guest`: it was the guest's own doing. */
void machine_on_event(Machine *m, void (*fn)(void *arg, const char *name, bool guest), void *arg);

/* Made by main: loop, control, clock. */
void machine_init(Machine *m, const struct Options *o);
/* Resets everything and starts the first vCPU, unless -S says not to; afterwards event_run. */
void machine_start(Machine *m);
/* The board's: puts the guest's files into RAM and powers the first vCPU on. */
void board_boot(Machine *m);
/* Bytes of RAM; and what the board puts into it when it starts: calls fn for each piece. */
uint64_t machine_memory(const Machine *m);
void board_each_placed(const Machine *m, void (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg);
/* Is there a kernel or firmware? */
bool board_has_start(const Machine *m);
/* Makes the board of -M with all its devices (boards/virt.c); ends the process when that cannot be. */
void board_new(Machine *m);

#endif
