/* gdbserver.c - run control of a whole machine for gdb: what gdb/gdbstub.c asks.
 *
 * gdb's threads are the vCPUs (index + 1). While gdb looks, the machine is stopped as by the monitor's `stop`; a step is
 * made by the vCPU's thread while all stand, so nothing else moves. Breakpoints are addresses that the translator knows
 * (Space.stop_at): the guest's memory stays as it is. They hold in all address spaces, as gdb knows only one.
 * Watchpoints (space_watch) stop a vCPU before the access, as gdb expects it of AArch64.
 *
 * Threads: everything here is on the server's own thread, but gdbserver_hit (vCPUs) and stop_at (while translating).
 * `breaks` changes only while all vCPUs stand.
 */
#include "gdbserver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gdbstub.h"
#include "inspect.h"
#include "monitor_int.h"
#include "options.h"
#include "space.h"

static struct {
    Machine *machine;
    const char *where;
    GdbTarget target;
    GdbSession session;
    GdbBreaks breaks;
    int hit_fd;       /* eventfd: a vCPU came to a breakpoint */
    int volatile hit; /* its index + 1 */
    GdbBreak watch;   /* what was hit, if it was a watchpoint: its kind and the address, written before hit_fd */
    uint64_t watch_addr;
} d;

/* What this thread does: one step, in which breakpoints do not count, or one past a breakpoint, in which watchpoints do not either. */
static _Thread_local enum { RUNS, STEPS, PASSES } pace;
/* The watchpoint that ended this thread's engine_run. */
static _Thread_local uint64_t watched_addr;
static _Thread_local uint32_t watched_acc;

static Vcpu *vcpu_of(pid_t tid)
{
    return tid >= 1 && (unsigned)tid <= d.machine->nvcpus ? &d.machine->vcpus[tid - 1] : NULL;
}

/* -- the machine, asked on the I/O thread -------------------------------------------------------------------------- */

typedef struct Asked {
    void (*fn)(Machine *m);
    sem_t done;
} Asked;

static void asked_run(void *arg)
{
    Asked *a = arg;
    a->fn(d.machine);
    sem_post(&a->done);
}

static void ask(void (*fn)(Machine *m))
{
    Asked a = {.fn = fn};
    sem_init(&a.done, 0, 0);
    event_call(d.machine->loop, asked_run, &a);
    while (sem_wait(&a.done) < 0) {
    }
    sem_destroy(&a.done);
}

/* -- breakpoints --------------------------------------------------------------------------------------------------- */

static bool stop_at(const Space *s, Gva pc)
{
    (void)s;
    return !pace && gdb_break_at(&d.breaks, pc.v);
}

/* What was translated without knowing of the breakpoint: in the kernel's half one page; else any process may have it. */
static void forget(uint64_t pc)
{
    Machine *m = d.machine;
    Gpa pa;
    bool known = pc >> 63;
    for (unsigned k = 0; known && k < m->nvcpus; k++) {
        known = inspect_translate(&m->vcpus[k], gva(pc), &pa);
        const void *host = known ? mem_ptr(m->mem, (Gpa){pa.v & ~(uint64_t)3}, 4, false) : NULL;
        known = host != NULL;
        if (host) {
            engine_invalidate(m->engine, gva((uintptr_t)host), 4);
        }
    }
    if (!known) {
        engine_invalidate(m->engine, gva(0), ~(uint64_t)0);
    }
}

static bool on_watched(CpuA64 *cpu, uint64_t va, uint32_t acc)
{
    (void)cpu;
    watched_addr = va;
    watched_acc = acc;
    return pace != PASSES;
}

static int on_breakpoint(GdbTarget *g, bool insert, GdbBreak kind, uint64_t addr, uint64_t len)
{
    static const uint32_t watches[] = {[GDB_WATCH_WRITE] = ACC_WRITE, [GDB_WATCH_READ] = ACC_READ, [GDB_WATCH_ACCESS] = ACC_READ | ACC_WRITE};
    (void)g;
    if (kind >= GDB_WATCH_WRITE) {
        return len ? space_watch(d.machine->space, insert, addr, len, watches[kind], on_watched) : -EINVAL;
    }
    int r = gdb_break_set(&d.breaks, insert, addr);
    if (r < 0) {
        return r;
    }
    d.machine->space->stop_at = d.breaks.n ? stop_at : NULL;
    forget(addr);
    return 0;
}

/* For the stop that is to be reported; on the vCPU's thread. */
static void note_watched(void)
{
    d.watch = watched_acc == ACC_WRITE ? GDB_WATCH_WRITE : watched_acc == ACC_READ ? GDB_WATCH_READ : GDB_WATCH_ACCESS;
    d.watch_addr = watched_addr;
    watched_addr = 0;
}

void gdbserver_hit(Vcpu *v)
{
    int none = 0;
    uint64_t one = 1;
    if (__atomic_compare_exchange_n(&d.hit, &none, (int)v->index + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        note_watched();
        ssize_t n = write(d.hit_fd, &one, sizeof one);
        (void)n;
    }
    usleep(1000); /* it comes here again and again until the machine stands */
}

/* -- what the stub asks -------------------------------------------------------------------------------------------- */

static int access_memory(GdbTarget *g, uint64_t addr, void *buf, size_t n, bool write)
{
    Vcpu *v = vcpu_of(d.session.g_tid);
    if (g->physical) {
        return write ? mem_write(d.machine->mem, (Gpa){addr}, buf, n) : mem_read(d.machine->mem, (Gpa){addr}, buf, n);
    }
    return inspect_memory(v ? v : &d.machine->vcpus[0], gva(addr), buf, n, write);
}

static int on_read(GdbTarget *g, uint64_t addr, void *buf, size_t n)
{
    return access_memory(g, addr, buf, n, false);
}

static int on_write(GdbTarget *g, uint64_t addr, const void *buf, size_t n)
{
    return access_memory(g, addr, (void *)buf, n, true);
}

static unsigned on_threads(GdbTarget *g, pid_t *out, unsigned max)
{
    unsigned n = d.machine->nvcpus < max ? d.machine->nvcpus : max;
    (void)g;
    for (unsigned k = 0; k < n; k++) {
        out[k] = (pid_t)k + 1;
    }
    return n;
}

static CpuA64 *on_cpu(GdbTarget *g, pid_t tid)
{
    Vcpu *v = vcpu_of(tid);
    (void)g;
    return v ? v->cpu : NULL;
}

static void on_kill(GdbTarget *g)
{
    (void)g;
    machine_quit(d.machine, 0);
}

/* `monitor COMMAND`. */
typedef struct Typed {
    char *line, *buf;
    size_t size;
} Typed;

static Typed typed;

static void run_typed(Machine *m)
{
    Monitor *mon = calloc(1, sizeof *mon);
    if (mon) {
        mon->machine = m;
        mon->collect = typed.buf;
        mon->collect_room = typed.size;
        hmp_run(mon, typed.line);
        typed.buf[mon->collected] = 0;
        free(mon);
    }
}

static void on_command(GdbTarget *g, char *line, char *buf, size_t size)
{
    (void)g;
    typed = (Typed){line, buf, size};
    *buf = 0;
    ask(run_typed);
}

/* -- running ------------------------------------------------------------------------------------------------------- */

/* arg: not NULL = past a breakpoint. */
static void step_once(Vcpu *v, void *arg)
{
    pace = arg ? PASSES : STEPS;
    watched_addr = 0;
    vcpu_step(v);
    pace = RUNS;
    note_watched();
}

/* Lets the machine go until gdb or a breakpoint stops it; false: gdb is gone. */
static bool go(GdbStop *stop)
{
    Machine *m = d.machine;
    uint64_t count;
    bool there = true;
    for (unsigned k = 0; k < m->nvcpus; k++) { /* past the breakpoints where they stand */
        if (vcpu_is_on(&m->vcpus[k]) && gdb_break_at(&d.breaks, m->vcpus[k].cpu->pc)) {
            vcpu_call(&m->vcpus[k], step_once, m, true);
        }
    }
    __atomic_store_n(&d.hit, 0, __ATOMIC_RELEASE);
    ask(machine_cont);
    *stop = (GdbStop){.tid = stop->tid, .signal = SIGINT};
    for (;;) {
        struct pollfd p[2] = {{.fd = d.session.fd, .events = POLLIN}, {.fd = d.hit_fd, .events = POLLIN}};
        if (poll(p, 2, -1) < 0) {
            continue;
        }
        if (p[1].revents && read(d.hit_fd, &count, sizeof count) == sizeof count && d.hit) {
            *stop = (GdbStop){.tid = d.hit, .signal = SIGTRAP, .watch = d.watch, .watch_addr = d.watch_addr};
            break;
        }
        if (p[0].revents) {
            there = !(p[0].revents & (POLLHUP | POLLERR));
            if (!there || gdb_interrupted(&d.session)) {
                break;
            }
        }
    }
    ask(machine_stop);
    return there;
}

static void session(void)
{
    GdbStop stop = {.tid = 1, .signal = SIGTRAP};
    bool report = false, more = true;
    ask(machine_stop);
    while (more) {
        GdbAction a = gdb_serve(&d.session, &stop, report);
        report = true;
        switch (a.how) {
        case GDB_STEP:
            stop = (GdbStop){.tid = a.tid, .signal = SIGTRAP};
            if (vcpu_of(a.tid)) {
                vcpu_call(vcpu_of(a.tid), step_once, NULL, true);
                stop.watch = d.watch;
                stop.watch_addr = d.watch_addr;
            }
            break;
        case GDB_CONTINUE:
            more = go(&stop);
            break;
        default: /* detached, killed, gone */
            more = false;
            break;
        }
    }
    while (d.breaks.n) {
        on_breakpoint(&d.target, false, GDB_BREAK_SOFT, d.breaks.at[0], 4);
    }
    space_watch(d.machine->space, false, 0, 0, 0, NULL);
    ask(machine_cont);
}

/* arg: the socket on which the first debugger comes. */
static void *serve(void *arg)
{
    for (int first = (int)(intptr_t)arg;; first = -1) {
        int fd = first < 0 ? gdb_listen(d.where) : gdb_accept(first);
        if (fd < 0) {
            complain("-gdb %s: %s", d.where, strerror(-fd));
            return NULL;
        }
        gdb_session_init(&d.session, fd, &d.target);
        session();
        gdb_session_end(&d.session);
    }
}

bool gdbserver_start(Machine *m, const char *where, char *why, size_t n)
{
    pthread_t thread;
    if (d.machine) {
        snprintf(why, n, "there is one at %s", d.where);
        return false;
    }
    d.where = !strncmp(where, "tcp:", 4) ? strrchr(where, ':') + 1 : where;
    d.where = strndup(d.where, !strncmp(d.where, "unix:", 5) ? strlen(d.where) : strcspn(d.where, ","));
    d.target = (GdbTarget){.read = on_read, .write = on_write, .threads = on_threads, .cpu = on_cpu, .breakpoint = on_breakpoint,
                           .kill = on_kill, .bare = true, .command = on_command};
    d.hit_fd = eventfd(0, EFD_CLOEXEC);
    int fd = gdb_socket(d.where);
    if (fd < 0) {
        snprintf(why, n, "%s: %s", where, strerror(-fd));
        return false;
    }
    d.machine = m;
    if (d.hit_fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) {
        snprintf(why, n, "%s: the host makes no thread", where);
        d.machine = NULL;
        close(fd);
        return false;
    }
    return true;
}
