/* vcpu.c - the vCPUs' threads: the loop around engine_run, sleeping and waking, power, requests from other threads, pausing.
 *
 * A vCPU thread is in one of: translated code (engine_run), the loop, asleep. Who wants something of it writes down what, then
 * kicks: `bell` rises, which ends a sleep that was begun before or is about to begin (futex), and `pending` ends translated code.
 * The thread clears `pending` before it looks at what is wanted, so no kick is lost.
 *
 * Locks: VcpuAll.lock guards pausing, power and the queues of requests of all vCPUs of a machine; nothing else is taken under it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "chardev.h"
#include "dev/gic.h"
#include "gdbserver.h"
#include "log.h"
#include "machine.h"
#include "psci.h"
#include "space.h"
#include "timer.h"

typedef enum Power { POWER_OFF, POWER_PENDING, POWER_ON } Power;

typedef struct Request {
    struct Request *next;
    void (*fn)(Vcpu *v, void *arg);
    void *arg;
    bool waited, done; /* waited: it lies on the asker's stack */
} Request;

struct VcpuPrivate {
    A64Machine *state;
    pthread_t thread;
    int tid;
    uint32_t bell;      /* futex */
    uint32_t asleep;
    uint64_t spin;      /* ns that a wait looks at the bell before it sleeps */
    Power power;
    uint64_t entry, context;
    Request *first, **last;
    bool standing;
    EventTimer pmu; /* the next overflow of a performance counter may be due */
};

struct VcpuAll {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* tid, standing, done, paused */
    bool spins;             /* no more vCPUs than the host has CPUs */
    unsigned paused, standing;
    bool started;
    A64Hooks hooks;
};

static _Thread_local Vcpu *self;

Vcpu *vcpu_self(void)
{
    return self;
}

int vcpu_thread_id(const Vcpu *v)
{
    return v->priv->tid;
}

/* -- sleeping and waking ------------------------------------------------------------------------------------------------ */

static void ring(Vcpu *v)
{
    struct VcpuPrivate *p = v->priv;
    __atomic_add_fetch(&p->bell, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&p->asleep, __ATOMIC_SEQ_CST)) {
        syscall(SYS_futex, &p->bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

void vcpu_kick(Vcpu *v)
{
    engine_kick(&v->cpu->h);
    ring(v);
}

void vcpu_set_line(Vcpu *v, unsigned line, bool level)
{
    A64Sys *s = v->cpu->sys;
    uint64_t bit = (uint64_t)1 << line;
    if (!level) {
        __atomic_and_fetch(&s->lines, ~bit, __ATOMIC_SEQ_CST);
    } else if (!(__atomic_fetch_or(&s->lines, bit, __ATOMIC_SEQ_CST) & bit)) {
        vcpu_kick(v);
    }
}

/* Sleeps until the bell is not `seen` any more, at most ns (~0: no limit). */
static void sleep_bell(Vcpu *v, uint32_t seen, uint64_t ns)
{
    struct VcpuPrivate *p = v->priv;
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    __atomic_store_n(&p->asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&p->bell, __ATOMIC_SEQ_CST) == seen) {
        syscall(SYS_futex, &p->bell, FUTEX_WAIT_PRIVATE, seen, ns == ~(uint64_t)0 ? NULL : &t, NULL, 0);
    }
    __atomic_store_n(&p->asleep, 0, __ATOMIC_SEQ_CST);
}

/* As sleep_bell, but a wait that may be short begins with looking: a host thread that sleeps takes 20 us to wake up, and two vCPUs that
 * take turns wait for each other each time. For how long follows from how long the last waits took. */
static void await_bell(Vcpu *v, uint32_t seen, uint64_t ns)
{
    enum { SPIN_FIRST = 5000, SPIN_MAX = 50000 };
    struct VcpuPrivate *p = v->priv;
    if (!v->machine->all->spins) {
        sleep_bell(v, seen, ns);
        return;
    }
    uint64_t start = event_now(), spent = 0, limit = p->spin < ns ? p->spin : ns;
    while (spent < limit && __atomic_load_n(&p->bell, __ATOMIC_SEQ_CST) == seen) {
        for (unsigned k = 0; k < 8; k++) {
            __builtin_ia32_pause();
        }
        spent = event_now() - start;
    }
    if (spent < ns) {
        sleep_bell(v, seen, ns == ~(uint64_t)0 ? ns : ns - spent); /* not when the bell has risen */
    }
    spent = event_now() - start;
    if (spent > SPIN_MAX) {
        p->spin /= 2;
    } else if (spent > p->spin) {
        p->spin = p->spin < SPIN_FIRST ? SPIN_FIRST : p->spin < SPIN_MAX / 2 ? 2 * p->spin : SPIN_MAX;
    }
}

static bool attention(const Vcpu *v)
{
    const struct VcpuPrivate *p = v->priv;
    return __atomic_load_n(&p->first, __ATOMIC_ACQUIRE) || __atomic_load_n(&v->machine->all->paused, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&p->power, __ATOMIC_ACQUIRE) != POWER_ON;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* WFI, WFE with an event register of 0. until: virtual count. */
static void wait(CpuA64 *cpu, bool wfi, uint64_t until)
{
    Vcpu *v = cpu->sys->vcpu;
    uint32_t seen = __atomic_load_n(&v->priv->bell, __ATOMIC_SEQ_CST);
    uint64_t ns = ~(uint64_t)0;
    if (until != ns) {
        uint64_t now = timer_sr_read(v, SR_CNTVCT_EL0);
        ns = until > now ? (until - now) * TIMER_NS : 0;
    }
    if (!wfi) {
        ns = least(ns, timer_event_wait(v));
        if (__atomic_exchange_n(&cpu->sys->event, false, __ATOMIC_SEQ_CST)) {
            return;
        }
    }
    if (ns && !attention(v) && !a64_wakes(cpu) && !(engine_pending(&cpu->h) & 1)) {
        bool counts = cpu->sys->pmu.running;
        if (counts) {
            a64_pmu_poll(cpu);
        }
        await_bell(v, seen, ns);
        if (counts) {
            a64_pmu_skip(cpu);
        }
    }
    if (!wfi) {
        __atomic_store_n(&cpu->sys->event, false, __ATOMIC_SEQ_CST);
    }
}

void vcpu_send_event(Machine *m)
{
    for (unsigned k = 0; k < m->nvcpus; k++) {
        __atomic_store_n(&m->vcpus[k].cpu->sys->event, true, __ATOMIC_SEQ_CST);
        ring(&m->vcpus[k]);
    }
}

/* -- requests ---------------------------------------------------------------------------------------------------------- */

static void serve(Vcpu *v)
{
    struct VcpuAll *all = v->machine->all;
    struct VcpuPrivate *p = v->priv;
    pthread_mutex_lock(&all->lock);
    for (Request *r; (r = p->first);) {
        __atomic_store_n(&p->first, r->next, __ATOMIC_RELEASE);
        p->last = p->first ? p->last : &p->first;
        pthread_mutex_unlock(&all->lock);
        r->fn(v, r->arg);
        pthread_mutex_lock(&all->lock);
        if (r->waited) {
            r->done = true;
            pthread_cond_broadcast(&all->changed);
        } else {
            free(r);
        }
    }
    pthread_mutex_unlock(&all->lock);
}

void vcpu_call(Vcpu *v, void (*fn)(Vcpu *v, void *arg), void *arg, bool wait_done)
{
    struct VcpuAll *all = v->machine->all;
    struct VcpuPrivate *p = v->priv;
    Request mine = {.fn = fn, .arg = arg, .waited = true}, *r = &mine;
    if (v == self || !all->started) {
        fn(v, arg);
        return;
    }
    if (!wait_done) {
        r = calloc(1, sizeof *r);
        if (!r) {
            BUG("no memory for a request to a vCPU");
        }
        *r = (Request){.fn = fn, .arg = arg};
    }
    pthread_mutex_lock(&all->lock);
    __atomic_store_n(p->last, r, __ATOMIC_RELEASE); /* attention() looks without the lock */
    p->last = &r->next;
    pthread_mutex_unlock(&all->lock);
    vcpu_kick(v);
    if (!wait_done) {
        return;
    }
    pthread_mutex_lock(&all->lock);
    pthread_cond_broadcast(&all->changed); /* v may stand */
    while (!r->done) {
        if (self && self->priv->first) {
            pthread_mutex_unlock(&all->lock);
            serve(self);
            pthread_mutex_lock(&all->lock);
            continue;
        }
        pthread_cond_wait(&all->changed, &all->lock);
    }
    pthread_mutex_unlock(&all->lock);
}

/* -- power ------------------------------------------------------------------------------------------------------------- */

static unsigned entry_level(const Machine *m)
{
    return m->el3 && m->psci_conduit == PSCI_OFF ? 3 : m->el2 ? 2 : 1;
}

/* Registers of a CPU that firmware starts at entry (DEN 0022 5.6: MMU off, interrupts masked). */
static void enter_at(Vcpu *v)
{
    struct VcpuPrivate *p = v->priv;
    CpuA64 *cpu = v->cpu;
    unsigned el = entry_level(v->machine);
    a64_reset(cpu);
    if (v->machine->el3 && el < 3) { /* firmware that is not there would have allowed all this */
        a64_set_sysreg(cpu, SR_SCR_EL3, 0x431 | 1u << 8 | 3u << 16 | 1u << 21 | 1u << 25 | (uint64_t)1 << 27 | (uint64_t)1 << 28 | (uint64_t)1 << 38);
    }
    a64_set_el(cpu, el, true);
    space_cpu_reset(cpu);
    if (v->gic) {
        gic_cpu_started(v);
    }
    cpu->pc = p->entry;
    cpu->x[0] = p->context;
}

int vcpu_power_on(Vcpu *v, uint64_t entry, uint64_t context)
{
    struct VcpuAll *all = v->machine->all;
    struct VcpuPrivate *p = v->priv;
    pthread_mutex_lock(&all->lock);
    int n = p->power == POWER_ON ? -EALREADY : p->power == POWER_PENDING ? -EINPROGRESS : 0;
    if (!n) {
        p->entry = entry;
        p->context = context;
        __atomic_store_n(&p->power, POWER_PENDING, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&all->lock);
    if (!n) {
        vcpu_kick(v);
    }
    return n;
}

bool vcpu_is_on(const Vcpu *v)
{
    return __atomic_load_n(&v->priv->power, __ATOMIC_ACQUIRE) == POWER_ON;
}

/* Stands while the machine is paused. Called and left with the lock held. */
static void stand(Vcpu *v)
{
    struct VcpuAll *all = v->machine->all;
    struct VcpuPrivate *p = v->priv;
    p->standing = true;
    all->standing++;
    pthread_cond_broadcast(&all->changed);
    while (all->paused) {
        if (p->first) {
            pthread_mutex_unlock(&all->lock);
            serve(v);
            pthread_mutex_lock(&all->lock);
            continue;
        }
        pthread_cond_wait(&all->changed, &all->lock);
    }
    p->standing = false;
    all->standing--;
}

/* Does what others want of this vCPU; returns when it is on and may run. */
static void attend(Vcpu *v)
{
    struct VcpuAll *all = v->machine->all;
    struct VcpuPrivate *p = v->priv;
    while (attention(v)) {
        uint32_t seen = __atomic_load_n(&p->bell, __ATOMIC_SEQ_CST);
        serve(v);
        pthread_mutex_lock(&all->lock);
        if (p->power == POWER_PENDING) { /* before it stands: a debugger looks at where it begins */
            __atomic_store_n(&p->power, POWER_ON, __ATOMIC_RELEASE);
            enter_at(v);
        }
        if (all->paused) {
            stand(v);
        }
        bool off = p->power == POWER_OFF;
        pthread_mutex_unlock(&all->lock);
        if (off) {
            sleep_bell(v, seen, ~(uint64_t)0);
        }
    }
}

void vcpu_power_off(Vcpu *v)
{
    struct VcpuAll *all = v->machine->all;
    pthread_mutex_lock(&all->lock);
    __atomic_store_n(&v->priv->power, POWER_OFF, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&all->lock);
    attend(v);
}

void vcpu_reset(Vcpu *v)
{
    v->priv->power = POWER_OFF;
    v->cpu->sys->mpidr = v->mpidr | 1u << 31;
    __atomic_store_n(&v->cpu->sys->lines, 0, __ATOMIC_SEQ_CST);
    a64_reset(v->cpu);
    if (v->cpu->sys->mmu) {
        space_cpu_reset(v->cpu);
    }
}

/* -- pausing ------------------------------------------------------------------------------------------------------------ */

void machine_pause(Machine *m)
{
    struct VcpuAll *all = m->all;
    pthread_mutex_lock(&all->lock);
    bool first = __atomic_fetch_add(&all->paused, 1, __ATOMIC_ACQ_REL) == 0; /* vCPUs look without the lock */
    pthread_mutex_unlock(&all->lock);
    if (!first) {
        return;
    }
    for (unsigned k = 0; k < m->nvcpus; k++) {
        vcpu_kick(&m->vcpus[k]);
    }
    pthread_mutex_lock(&all->lock);
    while (all->started && all->standing < m->nvcpus) {
        pthread_cond_wait(&all->changed, &all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    machine_clock_stop(m);
}

void machine_resume(Machine *m)
{
    struct VcpuAll *all = m->all;
    pthread_mutex_lock(&all->lock);
    if (all->paused == 1) {
        machine_clock_start(m);
    }
    if (all->paused) {
        __atomic_fetch_sub(&all->paused, 1, __ATOMIC_ACQ_REL);
    }
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

/* -- the loop ------------------------------------------------------------------------------------------------------------ */

static void on_fault(int signo, siginfo_t *info, void *context)
{
    Vcpu *v = self;
    SyncResult r = v ? engine_sync(&v->cpu->h, context) : SYNC_OUTSIDE;
    if (r == SYNC_RETRY) {
        return;
    }
    if (r == SYNC_PRECISE && signo == SIGFPE) {
        engine_fp_trap(&v->cpu->h, context);
        return;
    }
    const char text[] = "armx-system: fault in armx\n";
    chardev_restore_terminal();
    (void)!write(2, text, sizeof text - 1);
    (void)info;
    signal(signo, SIG_DFL); /* the instruction faults again: a core of where it was */
}

static void catch_faults(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaction(SIGFPE, &a, NULL);
    sigaction(SIGSEGV, &a, NULL);
}

/* What of a host thread a vCPU needs: a stack for signals, and none but its own faults. */
static void host_thread_init(void)
{
    size_t size = 64 << 10;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t s = {.ss_sp = p, .ss_size = size};
    sigset_t most;
    if (p != MAP_FAILED) {
        sigaltstack(&s, NULL);
    }
    sigfillset(&most);
    sigdelset(&most, SIGFPE);
    sigdelset(&most, SIGSEGV);
    sigdelset(&most, SIGBUS);
    sigdelset(&most, SIGILL);
    sigdelset(&most, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &most, NULL);
}

static void log_exception(const CpuA64 *cpu, ExcKind kind, uint64_t pc, unsigned from)
{
    static const uint16_t esr[4] = {SR_ESR_EL1, SR_ESR_EL1, SR_ESR_EL2, SR_ESR_EL3};
    const A64Sys *s = cpu->sys;
    unsigned el = a64_el(cpu);
    log_printf("exception %u at %#llx EL%u -> EL%u %#llx, ESR %#llx FAR %#llx\n", kind, (unsigned long long)pc, from, el,
               (unsigned long long)cpu->pc, (unsigned long long)s->reg[esr[el]], (unsigned long long)s->reg[el == 2 ? SR_FAR_EL2 : SR_FAR_EL1]);
}

/* One instruction with the checks that debug registers ask for: breakpoints, software step. */
static ExcKind step(CpuA64 *cpu)
{
    bool stepping = a64_step_active(cpu);
    if (stepping && !(cpu->pstate_misc & PS_SS)) {
        a64_step_exception(cpu, false);
        return EXC_NONE;
    }
    if (a64_breakpoint(cpu, cpu->pc)) {
        a64_breakpoint_exception(cpu);
        return EXC_NONE;
    }
    unsigned el = a64_el(cpu);
    ExcKind k = engine_step(&cpu->h);
    if (stepping && k != EXC_PENDING && a64_el(cpu) == el) {
        cpu->pstate_misc &= ~(uint64_t)PS_SS;
    }
    return k;
}

void vcpu_step(Vcpu *v)
{
    ExcKind k = EXC_PENDING;
    while (vcpu_is_on(v) && k == EXC_PENDING) {
        __atomic_and_fetch((uint64_t *)&v->cpu->h.pending, ~(uint64_t)1, __ATOMIC_ACQ_REL);
        k = step(v->cpu);
        if (k != EXC_DEBUG) { /* a watchpoint of gdb's */
            a64_exception(v->cpu, k);
        }
    }
}

static void on_pmu_timer(void *arg)
{
    vcpu_kick(arg);
}

/* Looks for overflows of performance counters, and when to look again. */
static void count(Vcpu *v)
{
    a64_pmu_poll(v->cpu);
    uint64_t next = a64_pmu_next(v->cpu);
    event_timer_set(&v->priv->pmu, next == ~(uint64_t)0 ? 0 : event_now() + next);
}

static void run(Vcpu *v)
{
    CpuA64 *cpu = v->cpu;
    A64Sys *s = cpu->sys;
    for (;;) {
        if (engine_pending(&cpu->h)) {
            __atomic_and_fetch((uint64_t *)&cpu->h.pending, ~(uint64_t)1, __ATOMIC_ACQ_REL);
            attend(v);
            if (UNLIKELY(s->reg[SR_PMCNTENSET_EL0])) {
                count(v);
            }
        }
        if (__atomic_load_n(&s->lines, __ATOMIC_ACQUIRE) || s->reg[SR_HCR_EL2] >> HCR_VF & 7) {
            unsigned from = a64_el(cpu);
            uint64_t pc = cpu->pc;
            if (s->el3 && v->gic) {
                gic_world_changed(v);
            }
            if (a64_interrupt(cpu) && UNLIKELY(log_on(LOG_int))) {
                log_exception(cpu, EXC_UNMASK, pc, from);
            }
        }
        if (UNLIKELY(cpu->pstate_misc & PS_IL)) {
            a64_take_sync(cpu, EC_ILLEGAL, 0);
        }
        bool slow = cpu->h.key & KEY_WATCH || (s->reg[SR_MDSCR_EL1] & 1 && a64_step_active(cpu));
        ExcKind k = UNLIKELY(slow) ? step(cpu) : engine_run(&cpu->h);
        uint64_t pc = cpu->pc;
        unsigned from = a64_el(cpu);
        if (UNLIKELY(k == EXC_DEBUG)) {
            gdbserver_hit(v);
            continue;
        }
        if (a64_exception(cpu, k) && UNLIKELY(log_on(LOG_int))) {
            log_exception(cpu, k, pc, from);
        }
    }
}

static void *thread_main(void *arg)
{
    Vcpu *v = arg;
    struct VcpuAll *all = v->machine->all;
    self = v;
    host_thread_init();
    pthread_mutex_lock(&all->lock);
    v->priv->tid = (int)syscall(SYS_gettid);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    attend(v);
    run(v);
    return NULL;
}

void machine_vcpus_start(Machine *m)
{
    pthread_mutex_lock(&m->all->lock);
    m->all->started = true;
    pthread_mutex_unlock(&m->all->lock);
    catch_faults();
    for (unsigned k = 0; k < m->nvcpus; k++) {
        struct VcpuPrivate *p = m->vcpus[k].priv;
        if (pthread_create(&p->thread, NULL, thread_main, &m->vcpus[k])) {
            BUG("the host makes no thread for vCPU %u", k);
        }
        char name[24];
        snprintf(name, sizeof name, "CPU %u/TCG", k); /* as QEMU's with debug-threads=on */
        pthread_setname_np(p->thread, name);
    }
    pthread_mutex_lock(&m->all->lock);
    for (unsigned k = 0; k < m->nvcpus; k++) {
        while (!m->vcpus[k].priv->tid) {
            pthread_cond_wait(&m->all->changed, &m->all->lock);
        }
    }
    pthread_mutex_unlock(&m->all->lock);
}

/* -- making -------------------------------------------------------------------------------------------------------------- */

static bool is_timer(A64Sr sr)
{
    return sr >= SR_CNTFRQ_EL0 && sr <= SR_CNTPS_CVAL_EL1;
}

static uint64_t device_read(CpuA64 *cpu, A64Sr sr)
{
    return is_timer(sr) ? timer_sr_read(cpu->sys->vcpu, sr) : gic_sr_read(cpu->sys->vcpu, sr);
}

static void device_write(CpuA64 *cpu, A64Sr sr, uint64_t value)
{
    if (is_timer(sr)) {
        timer_sr_write(cpu->sys->vcpu, sr, value);
    } else {
        gic_sr_write(cpu->sys->vcpu, sr, value);
    }
}

static void told(CpuA64 *cpu, A64Sr sr, uint64_t value)
{
    Vcpu *v = cpu->sys->vcpu;
    if (v->timer) {
        timer_sr_write(v, sr, value);
    }
}

static bool firmware(CpuA64 *cpu, bool is_smc)
{
    return psci_call(cpu->sys->vcpu, is_smc);
}

static void send_event(CpuA64 *cpu)
{
    const Vcpu *v = cpu->sys->vcpu;
    vcpu_send_event(v->machine);
}

static void pmu_line(CpuA64 *cpu, bool level)
{
    const Vcpu *v = cpu->sys->vcpu;
    if (v->machine->gic) {
        Irq irq = gic_ppi(v->machine->gic, v->index, 7);
        irq_set(&irq, level);
    }
}

static int vcpu_init(Machine *m, Vcpu *v, unsigned index)
{
    A64Machine *a = aligned_alloc(64, ALIGN_UP(sizeof *a, 64));
    struct VcpuPrivate *p = calloc(1, sizeof *p);
    if (!a || !p) {
        return -ENOMEM;
    }
    memset(a, 0, sizeof *a);
    *v = (Vcpu){.cpu = &a->cpu, .machine = m, .index = index, .mpidr = index, .priv = p};
    p->state = a;
    p->last = &p->first;
    event_timer_init(&p->pmu, m->loop, on_pmu_timer, v);
    a->cpu.sys = &a->sys;
    a->cpu.model = m->model;
    a->cpu.h.user = v;
    a->sys.vcpu = v;
    a->sys.hooks = &m->all->hooks;
    a->sys.el2 = m->el2;
    a->sys.el3 = m->el3;
    a64_reset(&a->cpu);
    return engine_cpu_init(m->engine, &a->cpu.h);
}

int machine_vcpus_new(Machine *m, unsigned n)
{
    m->all = calloc(1, sizeof *m->all);
    m->vcpus = calloc(n, sizeof *m->vcpus);
    if (!m->all || !m->vcpus) {
        return -ENOMEM;
    }
    pthread_mutex_init(&m->all->lock, NULL);
    pthread_cond_init(&m->all->changed, NULL);
    m->all->hooks = (A64Hooks){.read = device_read, .write = device_write, .told = told, .firmware = firmware, .wait = wait,
                               .send_event = send_event, .pmu_line = pmu_line};
    space_hooks(&m->all->hooks);
    m->nvcpus = n;
    cpu_set_t host;
    m->all->spins = sched_getaffinity(0, sizeof host, &host) == 0 && (unsigned)CPU_COUNT(&host) >= n && n > 1;
    for (unsigned k = 0; k < n; k++) {
        int r = vcpu_init(m, &m->vcpus[k], k);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
