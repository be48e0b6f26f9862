/* gdb.c - run control for a debugger: what gdbstub.c asks of the running program.
 *
 * A thread of armx's own (the server) speaks with gdb. Guest threads run through gdb_run() instead
 * of engine_run(); a thread in the engine has debug.running set. To stop the program the server
 * sets `stop`, kicks every thread and waits until none is in the engine; a thread in a system call
 * counts as stopped and parks when it comes back. A thread that has something to report
 * (breakpoint, step, watchpoint, signal, exit) posts it as `event` and waits; events are served one
 * after the other.
 *
 * Breakpoints are known to the translator only (Space.stop_at); guest memory stays untouched. A
 * watchpoint takes access rights from its page while threads are in the engine; an access elsewhere
 * on the page is executed alone with the rights given back, one in the watched range is reported
 * before it happens, as Arm's own watchpoints do. Processes that share memory after vfork run
 * undisturbed; a forked child is let go.
 *
 * Locks: `report` is held by the thread whose event is being served. The tables of break- and
 * watchpoints change only while everything is stopped.
 */
#include <poll.h>

#include "gdbstub.h"
#include "sig.h"
#include "sys.h"
#include "vma.h"

enum { MAX_WATCHES = 16, TRAP = 5, INTERRUPT = 2, ALL = 0x7fffffff };
enum { STEP_NO, STEP_ONE, STEP_CALL /* the instruction was done by the caller of gdb_run */ };

typedef struct Watch {
    uint64_t addr, len;
    GdbBreak kind;
} Watch;

static struct {
    GdbSession session;
    GdbTarget target;
    int pid, wake_fd, mem_fd;
    uint32_t stop;       /* threads must park */
    int only;            /* the one thread that may run, 0 = all */
    uint32_t generation; /* futex: counts changes of stop and only */
    Mutex report;
    uint32_t event_set; /* futex */
    bool event_is_signal;
    Thread *event_thread;
    GdbStop event;
    GdbBreaks breaks;
    Watch watches[MAX_WATCHES];
    unsigned nwatches;
} d;

/* Is t a thread of the process that is debugged, and not of one that shares its memory after vfork?
 */
static bool is_ours(const Thread *t)
{
    return t->tid == d.pid || !(t->leader || t->parent_frees || t->own_process);
}

/* -- breakpoints ------------------------------------------------------------------------------- */

static bool stop_at(const Space *s, Gva pc)
{
    (void)s;
    return gdb_break_at(&d.breaks, pc.v) && !(this_thread && this_thread->debug.bare);
}

static int set_break(bool insert, uint64_t pc)
{
    int r = gdb_break_set(&d.breaks, insert, pc);
    if (r < 0) {
        return r;
    }
    process.space.stop_at = d.breaks.n ? stop_at : NULL;
    engine_invalidate(process.engine, gva(pc), 4);
    return 0;
}

/* -- watchpoints ------------------------------------------------------------------------------- */

/* Takes the rights from the watched pages, or gives back what the guest's mapping says. */
static void watch_pages(bool on)
{
    for (unsigned k = 0; k < d.nwatches; k++) {
        const Watch *w = &d.watches[k];
        for (uint64_t page = PAGE_DOWN(w->addr); page < w->addr + w->len; page += PAGE) {
            VmaInfo v;
            if (!vma_find(page, &v)) {
                continue;
            }
            uint64_t prot = (v.prot & (G_READ | G_EXEC) ? 1 : 0) | (v.prot & G_WRITE ? 2 : 0);
            if (on) {
                prot &= w->kind == GDB_WATCH_WRITE ? 1 : 0;
            }
            raw_call(__NR_mprotect, page, PAGE, prot);
        }
    }
}

static int set_watch(bool insert, GdbBreak kind, uint64_t addr, uint64_t len)
{
    for (unsigned k = 0; k < d.nwatches && !insert; k++) {
        Watch *w = &d.watches[k];
        if (w->addr == addr && w->len == len && w->kind == kind) {
            watch_pages(false);
            *w = d.watches[--d.nwatches];
            break;
        }
    }
    if (insert) {
        if (d.nwatches == MAX_WATCHES || !len || len > PAGE || !vma_covers(addr, len)) {
            return -ENOSPC;
        }
        d.watches[d.nwatches++] = (Watch){addr, len, kind};
    }
    return 0;
}

/* Bytes that the load or store w touches (DDI 0487 C4.1.94); 16 for what is not decoded here. */
static unsigned access_size(uint32_t w)
{
    unsigned size = w >> 30, vector = w >> 26 & 1;
    if ((w & 0x3a000000) == 0x28000000) {
        return 2 * (vector ? 4u << size : size & 2 ? 8u : 4u);
    }
    if ((w & 0x3a000000) == 0x38000000) {
        return vector && w >> 23 & 1 ? 16 : 1u << size;
    }
    return 16;
}

/* Was t's fault an access that the guest may make, on a watched page? *hit = the watchpoint, NULL
 * for its neighbours. */
static bool watch_fault(const Thread *t, const Watch **hit)
{
    enum { SEGV = 11, ESR_WRITE = 0x40 };
    uint64_t addr = t->fault_address;
    bool write = t->fault_esr & ESR_WRITE, page = false;
    uint32_t word = 0;
    VmaInfo v;
    if (!d.nwatches || !t->has_fault || t->fault.signo != SEGV || !vma_find(addr, &v) ||
        !(v.prot & (write ? G_WRITE : G_READ))) {
        return false;
    }
    get_user(&word, guest_pc(t), 4);
    *hit = NULL;
    for (unsigned k = 0; k < d.nwatches; k++) {
        const Watch *w = &d.watches[k];
        page |= addr >= PAGE_DOWN(w->addr) && addr < PAGE_UP(w->addr + w->len);
        bool kind = w->kind == GDB_WATCH_ACCESS || (w->kind == GDB_WATCH_WRITE) == write;
        if (kind && addr < w->addr + w->len && addr + access_size(word) > w->addr) {
            *hit = w;
        }
    }
    return page;
}

/* -- guest threads ----------------------------------------------------------------------------- */

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(uint32_t *word, uint32_t v)
{
    __atomic_store_n(word, v, __ATOMIC_SEQ_CST);
}

static bool must_wait(const Thread *t)
{
    int only = __atomic_load_n(&d.only, __ATOMIC_SEQ_CST);
    return load(&d.stop) || (only && only != t->tid);
}

static void wait_turn(Thread *t)
{
    for (;;) {
        uint32_t g = load(&d.generation);
        if (!must_wait(t)) {
            return;
        }
        futex_wait(&d.generation, g);
    }
}

/* Parks until t may run, then marks it as running. */
static void enter(Thread *t)
{
    for (;;) {
        wait_turn(t);
        store(&t->debug.running, 1);
        if (!must_wait(t)) {
            break;
        }
        store(&t->debug.running, 0);
    }
    if (d.nwatches) {
        watch_pages(true);
    }
}

static void leave(Thread *t)
{
    if (d.nwatches) {
        watch_pages(false);
    }
    store(&t->debug.running, 0);
    if (d.nwatches && process.nthreads > 1) {
        mutex_lock(
            &process.threads_lock); /* the others shall come round and take the rights again */
        for (Thread *o = process.threads; o; o = o->next) {
            engine_kick(&o->cpu.head);
        }
        mutex_unlock(&process.threads_lock);
    }
}

/* Posts an event and waits until gdb lets the program go on. A breakpoint that is gone meanwhile is
 * no event. */
static void post(Thread *t, const GdbStop *stop, bool is_signal, bool is_break)
{
    uint64_t one = 1;
    for (;;) {
        wait_turn(t);
        mutex_lock(&d.report);
        if (!must_wait(t) || !process.debugged) {
            break;
        }
        mutex_unlock(&d.report);
    }
    if (process.debugged && !(is_break && !gdb_break_at(&d.breaks, guest_pc(t)))) {
        t->debug.step = STEP_NO;
        d.event = *stop;
        d.event.tid = t->tid;
        d.event_is_signal = is_signal;
        d.event_thread = t;
        store(&d.event_set, 1);
        raw_call(__NR_write, d.wake_fd, &one, 8);
        while (load(&d.event_set)) {
            futex_wait(&d.event_set, 1);
        }
    }
    mutex_unlock(&d.report);
}

static ExcKind step_alone(Thread *t)
{
    t->debug.bare = true;
    ExcKind k = engine_step(&t->cpu.head);
    t->debug.bare = false;
    return k;
}

/* After EXC_DATA: true when the fault was a watchpoint's doing; *k = how the thread goes on. */
static bool handle_watch(Thread *t, ExcKind *k)
{
    const Watch *hit;
    if (!watch_fault(t, &hit)) {
        return false;
    }
    t->has_fault = 0;
    if (hit) {
        GdbStop stop = {.signal = TRAP, .watch = hit->kind, .watch_addr = hit->addr};
        post(t, &stop, false, false);
        *k = EXC_PENDING;
    } else {
        *k = step_alone(t);
    }
    return true;
}

ExcKind gdb_run(Thread *t)
{
    const GdbStop trap = {.signal = TRAP};
    if (!is_ours(t)) {
        ExcKind k = engine_run(&t->cpu.head);
        return k == EXC_DEBUG ? step_alone(t) : k;
    }
    if (t->debug.step == STEP_CALL) {
        post(t, &trap, false, false);
        return EXC_PENDING;
    }
    enter(t);
    bool step = t->debug.step == STEP_ONE;
    ExcKind k = step ? step_alone(t) : engine_run(&t->cpu.head);
    leave(t);
    if (k == EXC_DATA && handle_watch(t, &k) && k == EXC_PENDING) {
        return k;
    }
    if (k == EXC_DEBUG || (step && k == EXC_STEP)) {
        post(t, &trap, false, k == EXC_DEBUG);
        return EXC_PENDING;
    }
    if (step) {
        t->debug.step = STEP_CALL;
    }
    return k;
}

int gdb_signal(Thread *t, int signo)
{
    if (!process.debugged || !is_ours(t) || t->debug.pass == signo) {
        t->debug.pass = 0;
        return signo;
    }
    GdbStop stop = {.signal = signo};
    t->debug.signal = signo;
    post(t, &stop, true, false);
    return t->debug.signal;
}

void gdb_exiting(Thread *t, int status, int signo)
{
    GdbStop stop = {.exited = true, .status = status, .signal = signo};
    if (process.debugged && is_ours(t) && raw_call(__NR_getpid) == d.pid) {
        post(t, &stop, false, false);
    }
}

void gdb_forked(void)
{
    if (process.debugged) {
        process.debugged = false;
        process.opt.gdb = NULL;
        process.space.stop_at = NULL;
        watch_pages(false);
        signals_reinstall();
        while (d.breaks.n) {
            engine_invalidate(process.engine, gva(d.breaks.at[--d.breaks.n]), 4);
        }
    }
}

/* -- what gdbstub.c asks ----------------------------------------------------------------------- */

static int target_read(GdbTarget *g, uint64_t addr, void *buf, size_t n)
{
    (void)g;
    return vma_covers(addr, n) && raw_call(__NR_pread64, d.mem_fd, buf, n, addr) == (int64_t)n
               ? 0
               : -EFAULT;
}

static int target_write(GdbTarget *g, uint64_t addr, const void *buf, size_t n)
{
    (void)g;
    if (!vma_covers(addr, n) || raw_call(__NR_pwrite64, d.mem_fd, buf, n, addr) != (int64_t)n) {
        return -EFAULT;
    }
    engine_invalidate(process.engine, gva(addr), n);
    return 0;
}

static unsigned target_threads(GdbTarget *g, pid_t *out, unsigned max)
{
    unsigned n = 0;
    (void)g;
    mutex_lock(&process.threads_lock);
    for (Thread *t = process.threads; t && n < max; t = t->next) {
        if (t->tid && is_ours(t)) { /* else it has not begun */
            out[n++] = t->tid;
        }
    }
    mutex_unlock(&process.threads_lock);
    return n;
}

static Thread *find_thread(int tid)
{
    mutex_lock(&process.threads_lock);
    Thread *t = process.threads;
    while (t && (t->tid != tid || !is_ours(t))) {
        t = t->next;
    }
    mutex_unlock(&process.threads_lock);
    return t;
}

static CpuA64 *target_cpu(GdbTarget *g, pid_t tid)
{
    Thread *t = find_thread(tid);
    (void)g;
    return t ? cpu_a64(t) : NULL;
}

static int target_breakpoint(GdbTarget *g, bool insert, GdbBreak kind, uint64_t addr, uint64_t len)
{
    (void)g;
    return kind <= GDB_BREAK_HARD ? set_break(insert, addr) : set_watch(insert, kind, addr, len);
}

static size_t target_auxv(GdbTarget *g, void *buf, size_t max)
{
    size_t n = 8 * process.nauxv < max ? 8 * process.nauxv : max;
    (void)g;
    memcpy(buf, process.auxv, n);
    return n;
}

static const char *target_exec_file(GdbTarget *g)
{
    (void)g;
    return process.exe_path;
}

static const char *target_path(GdbTarget *g, const char *path, char *buf)
{
    (void)g;
    return prefix_path(path, buf);
}

static void target_kill(GdbTarget *g)
{
    (void)g;
    raw_call(__NR_kill, raw_call(__NR_getpid), 9);
}

/* -- the server -------------------------------------------------------------------------------- */

/* Stops every thread that is in the engine and waits for them. */
static void stop_all(void)
{
    static const uint64_t pause[2] = {0, 100000};
    store(&d.stop, 1);
    for (bool running = true; running;) {
        running = false;
        mutex_lock(&process.threads_lock);
        for (Thread *t = process.threads; t; t = t->next) {
            if (load(&t->debug.running)) {
                running = true;
                engine_kick(&t->cpu.head);
            }
        }
        mutex_unlock(&process.threads_lock);
        if (running) {
            raw_call(__NR_nanosleep, pause, 0);
        }
    }
}

static void go_on(int only)
{
    __atomic_store_n(&d.only, only, __ATOMIC_SEQ_CST);
    store(&d.stop, 0);
    __atomic_add_fetch(&d.generation, 1, __ATOMIC_SEQ_CST);
    futex_wake(&d.generation, ALL);
}

/* Ends the served event, if there is one. */
static void event_done(void)
{
    store(&d.event_set, 0);
    futex_wake(&d.event_set, ALL);
}

static void resume(const GdbAction *a)
{
    Thread *t = find_thread(a->tid);
    bool served = load(&d.event_set);
    if (served && d.event_is_signal) {
        d.event_thread->debug.signal = a->tid == d.event.tid ? a->signal : 0;
    }
    if (t && a->signal && !(served && d.event_is_signal && a->tid == d.event.tid)) {
        t->debug.pass = a->signal;
        raw_call(__NR_tgkill, d.pid, t->tid, a->signal);
    }
    if (t && a->how == GDB_STEP) {
        t->debug.step = STEP_ONE;
    }
    if (served) {
        event_done(); /* before anybody can post the next one */
    }
    go_on(a->only_tid ? a->tid : 0);
}

/* The debugger is gone: everything runs on as if there had never been one. */
static void let_go(void)
{
    while (d.breaks.n) {
        set_break(false, d.breaks.at[0]);
    }
    watch_pages(false);
    d.nwatches = 0;
    process.debugged = false;
    signals_reinstall();
    event_done();
    go_on(0);
    gdb_session_end(&d.session);
}

/* Waits for an event of the program, or an interrupt or hang-up of the debugger; stops everything.
 */
static void wait_event(GdbStop *stop)
{
    struct pollfd fds[2] = {{.fd = d.session.fd, .events = POLLIN},
                            {.fd = d.wake_fd, .events = POLLIN}};
    bool interrupted = false;
    while (!interrupted && !load(&d.event_set)) {
        uint64_t count;
        raw_call(__NR_poll, fds, 2, -1);
        if (fds[1].revents) {
            raw_call(__NR_read, d.wake_fd, &count, 8);
        }
        interrupted = fds[0].revents && gdb_interrupted(&d.session);
    }
    stop_all();
    if (load(&d.event_set)) {
        *stop = d.event;
    } else {
        pid_t first;
        target_threads(&d.target, &first, 1);
        *stop = (GdbStop){.tid = first, .signal = INTERRUPT};
    }
}

static void serve(void *arg)
{
    GdbStop stop = {.tid = d.pid, .signal = TRAP};
    (void)arg;
    for (bool report = false;; report = true) {
        GdbAction a = gdb_serve(&d.session, &stop, report);
        if (a.how == GDB_DETACH || a.how == GDB_GONE || a.how == GDB_KILL) {
            break;
        }
        resume(&a);
        wait_event(&stop);
        if (stop.exited) {
            gdb_report_exit(&d.session, stop.status, stop.signal);
            break;
        }
    }
    let_go();
    for (;;) {
        raw_call(__NR_exit, 0);
    }
}

void gdb_start(Thread *t, const char *where)
{
    int fd = gdb_listen(where);
    if (fd < 0) {
        die(126, "-g %s: %s", where, strerror(-fd));
    }
    d.pid = t->tid;
    d.wake_fd = fd_hide((int)raw_call(__NR_eventfd2, 0, 02000000));
    d.mem_fd = fd_hide((int)raw_call(__NR_open, "/proc/self/mem", 02000002, 0));
    d.target = (GdbTarget){.read = target_read,
                           .write = target_write,
                           .threads = target_threads,
                           .cpu = target_cpu,
                           .breakpoint = target_breakpoint,
                           .auxv = target_auxv,
                           .exec_file = target_exec_file,
                           .kill = target_kill,
                           .path = target_path};
    gdb_session_init(&d.session, fd_hide(fd), &d.target);
    d.stop = 1;
    process.debugged = true;
    signals_reinstall();
    if (thread_helper(serve, NULL) < 0) {
        die(126, "-g: no memory for another thread");
    }
}
