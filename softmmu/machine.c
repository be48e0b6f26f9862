/* machine.c - the machine's life: start, stand and go on, reset, power off, end.
 *
 * Everything here happens on the I/O thread; vCPUs and devices ask for it by machine_request. A stopped machine (-S,
 * `stop`, a debugger) holds one pause; a reset takes another for its time.
 */
#include "machine.h"

#include <stdlib.h>

#include "log.h"
#include "options.h"

typedef struct Handler {
    EventFn *fn;
    void *arg;
} Handler;

typedef struct Listener {
    void (*fn)(void *arg, const char *name, bool guest);
    void *arg;
} Listener;

struct MachineControl {
    Handler *resets;
    Listener listeners[8];
    unsigned nresets, nlisteners;
    volatile int wanted; /* MachineEnd */
    bool stopped, started, shut_down, panicked;
};

void machine_init(Machine *m, const struct Options *o)
{
    m->options = o;
    m->loop = event_loop_new();
    m->control = calloc(1, sizeof *m->control);
    if (!m->control) {
        BUG("out of memory");
    }
    machine_clock_init(m);
}

void machine_on_reset(Machine *m, EventFn *fn, void *arg)
{
    struct MachineControl *c = m->control;
    c->resets = realloc(c->resets, (c->nresets + 1) * sizeof *c->resets);
    if (!c->resets) {
        BUG("out of memory");
    }
    c->resets[c->nresets++] = (Handler){fn, arg};
}

void machine_on_event(Machine *m, void (*fn)(void *arg, const char *name, bool guest), void *arg)
{
    struct MachineControl *c = m->control;
    if (c->nlisteners < LEN(c->listeners)) {
        c->listeners[c->nlisteners++] = (Listener){fn, arg};
    }
}

static void tell(Machine *m, const char *name, bool guest)
{
    for (unsigned k = 0; k < m->control->nlisteners; k++) {
        m->control->listeners[k].fn(m->control->listeners[k].arg, name, guest);
    }
}

void machine_quit(Machine *m, int status)
{
    event_quit(m->loop, status);
}

bool machine_stopped(const Machine *m)
{
    return m->control->stopped;
}

void machine_stop(Machine *m)
{
    if (!m->control->stopped) {
        m->control->stopped = true;
        machine_pause(m);
        tell(m, "STOP", false);
    }
}

void machine_cont(Machine *m)
{
    struct MachineControl *c = m->control;
    if (c->stopped && !c->shut_down) {
        c->stopped = false;
        c->started = true;
        c->panicked = false;
        tell(m, "RESUME", false);
        machine_resume(m);
    }
}

const char *machine_status(const Machine *m)
{
    const struct MachineControl *c = m->control;
    return c->panicked ? "guest-panicked" : c->shut_down ? "shutdown" : !c->stopped ? "running"
         : c->started ? "paused" : "prelaunch";
}

const char *machine_name(const Machine *m)
{
    const char *name = NULL;
    for (unsigned k = 0; k < m->options->name.n; k++) {
        const char *v = opt_look(&m->options->name.at[k], "guest");
        name = v ? v : name;
    }
    return name;
}

const char *machine_uuid(const Machine *m)
{
    return m->options->uuid ? m->options->uuid : "00000000-0000-0000-0000-000000000000";
}

void machine_reset_devices(Machine *m)
{
    for (unsigned k = 0; k < m->control->nresets; k++) {
        m->control->resets[k].fn(m->control->resets[k].arg);
    }
}

static void reset_all(Machine *m)
{
    for (unsigned k = 0; k < m->nvcpus; k++) {
        vcpu_reset(&m->vcpus[k]);
    }
    machine_reset_devices(m);
    board_boot(m);
}

static void do_reset(Machine *m, bool guest)
{
    tell(m, "RESET", guest);
    machine_pause(m);
    reset_all(m);
    m->control->shut_down = m->control->panicked = false;
    machine_resume(m);
}

static void end(Machine *m, bool panic)
{
    tell(m, "SHUTDOWN", true);
    if (m->options->no_shutdown) {
        machine_stop(m);
        m->control->shut_down = true;
    } else {
        machine_quit(m, panic ? 1 : 0);
    }
}

static void on_request(void *arg)
{
    Machine *m = arg;
    MachineEnd what = (MachineEnd)__atomic_exchange_n(&m->control->wanted, END_NONE, __ATOMIC_ACQ_REL);
    switch (what) {
    case END_NONE:
        break;
    case END_RESET:
    case END_HOST_RESET:
        if (m->options->no_reboot) {
            end(m, false);
        } else {
            do_reset(m, what == END_RESET);
        }
        break;
    case END_POWEROFF:
        end(m, false);
        break;
    case END_PANIC:
        tell(m, "GUEST_PANICKED", true);
        m->control->panicked = true;
        end(m, true);
        break;
    }
}

void machine_request(Machine *m, MachineEnd what)
{
    __atomic_store_n(&m->control->wanted, (int)what, __ATOMIC_RELEASE);
    event_call(m->loop, on_request, m);
}

void machine_start(Machine *m)
{
    m->control->stopped = m->options->stopped;
    m->control->started = !m->options->stopped;
    machine_pause(m);
    reset_all(m);
    machine_vcpus_start(m);
    if (!m->options->stopped) {
        machine_resume(m);
    }
}
