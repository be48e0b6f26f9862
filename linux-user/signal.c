/* signal.c - host handlers and delivery (sig.h says how the two sides fit together).
 *
 * Restarting: a host handler is installed with SA_RESTART exactly when the guest's action has it, so the kernel itself
 * decides between -EINTR and making the call again; the latter shows as a pc inside safe_call's window, which
 * becomes NOT_MADE and thus a second execution of the guest's SVC after the handler.
 */
#define _GNU_SOURCE
#include "sig.h"

#include <stdlib.h>
#include <ucontext.h>

#include "log.h"
#include "rseq.h"
#include "sample.h"
#include "sys.h"
#include "altstack.h"
#include "vma.h"

enum { SIGILL_ = 4, SIGTRAP_ = 5, SIGBUS_ = 7, SIGFPE_ = 8, SIGKILL_ = 9, SIGSEGV_ = 11, SIGCHLD_ = 17, SIGCONT_ = 18,
       SIGSTOP_ = 19, SIGURG_ = 23, SIGWINCH_ = 28, SI_KERNEL_ = 0x80, SIG_SETMASK_ = 2, HANDLER_DFL = 0, HANDLER_IGN = 1,
       MIN_ALT = 5120, PF_WRITE = 2 };
#define SA_GUEST_FLAGS                                                                             \
    (SA_NOCLDSTOP_ | SA_NOCLDWAIT_ | SA_SIGINFO_ | SA_EXPOSE_TAGBITS_ | SA_RESTORER_ | SA_ONSTACK_ | \
     SA_RESTART_ | SA_NODEFER_ | SA_RESETHAND_)

/* What dumps core by default, besides the sync signals. */
#define CORES (SIG_BIT(3) | SIG_BIT(6) | SIG_BIT(24) | SIG_BIT(25) | SIG_BIT(31))
#define STOPS (SIG_BIT(SIGSTOP_) | SIG_BIT(20) | SIG_BIT(21) | SIG_BIT(22))

static const uint8_t sync_numbers[NSYNC] = {SIGILL_, SIGTRAP_, SIGBUS_, SIGFPE_, SIGSEGV_};

static void on_signal(int signo, SigInfo *info, void *context);

static bool is_sync(int signo)
{
    return SIG_BIT(signo) & SYNC_SIGNALS;
}

/* -- masks --------------------------------------------------------------------------------------------- */

uint64_t signals_block_all(void)
{
    uint64_t all = ~SYNC_SIGNALS, old = 0;
    raw_call(__NR_rt_sigprocmask, SIG_SETMASK_, &all, &old, 8);
    return old;
}

void signals_restore(uint64_t host_mask)
{
    raw_call(__NR_rt_sigprocmask, SIG_SETMASK_, &host_mask, 0, 8);
}

void signals_set_host_mask(Thread *t)
{
    uint64_t want = t->mask & ~SYNC_SIGNALS;
    if (t->host_mask != want) {
        t->host_mask = want;
        raw_call(__NR_rt_sigprocmask, SIG_SETMASK_, &want, 0, 8);
    }
}

/* -- host actions ------------------------------------------------------------------------------------------ */

static bool dies_by_default(int signo)
{
    return signo != SIGCHLD_ && signo != SIGCONT_ && signo != SIGURG_ && signo != SIGWINCH_;
}

static void host_action(int signo, const GuestAction *g)
{
    GuestAction h = {.restorer = (uint64_t)host_sigreturn, .mask = ~SYNC_SIGNALS};
    h.flags = SA_SIGINFO_ | SA_ONSTACK_ | SA_RESTORER_ |
              (g->flags & (SA_NOCLDSTOP_ | SA_NOCLDWAIT_ | SA_RESTART_));
    bool asked = g->handler == HANDLER_DFL &&
                 ((process.cores && CORES & SIG_BIT(signo)) ||
                  (process.debugged && dies_by_default(signo) && !(STOPS & SIG_BIT(signo))));
    if (signo == SAMPLE_SIGNAL && sample_on()) {
        asked = true;
        h.flags |= SA_RESTART_;
    }
    h.handler = is_sync(signo) || g->handler > HANDLER_IGN || asked ? (uint64_t)on_signal : g->handler;
    raw_call(__NR_rt_sigaction, signo, &h, 0, 8);
}

void signals_install_sync(void)
{
    GuestAction none = {0};
    for (unsigned k = 0; k < NSYNC; k++) {
        host_action(sync_numbers[k], &none);
    }
    if (sample_on()) {
        host_action(SAMPLE_SIGNAL, &none);
    }
}

void signals_reinstall(void)
{
    const SigHand *h = process.threads->sighand;
    for (int n = 1; n <= NSIG_; n++) {
        if (!(UNBLOCKABLE & SIG_BIT(n))) {
            host_action(n, &h->action[n]);
        }
    }
}

void signals_thread_init(Thread *t)
{
    AltStack ss = {.sp = (uint64_t)t->host_alt, .size = thread_alt_size()};
    raw_call(__NR_sigaltstack, &ss, 0);
    t->host_mask = ~0ull; /* unknown */
}

void signals_init(Thread *t)
{
    SigHand *s = calloc(1, sizeof *s);
    if (!s) {
        die(126, "no memory");
    }
    s->refs = 1;
    for (int n = 1; n <= NSIG_; n++) {
        GuestAction a = {0};
        raw_call(__NR_rt_sigaction, n, 0, &a, 8);
        s->action[n].handler = a.handler == HANDLER_IGN ? HANDLER_IGN : HANDLER_DFL;
    }
    t->sighand = s;
    t->alt.flags = SS_DISABLE_;
    raw_call(__NR_rt_sigprocmask, 0, 0, &t->mask, 8);
    t->mask = process.opt.exec_fd ? process.opt.exec_mask : t->mask;
    process.opt.exec_fd = 0;
    signals_thread_init(t);
    signals_install_sync();
    if (sample_on()) {
        sample_start();
    }
    process.cores = core_wanted();
    if (process.cores) {
        signals_reinstall();
    }
    signals_set_host_mask(t);
}

SigHand *sighand_copy(SigHand *from, bool clear)
{
    SigHand *s = malloc(sizeof *s);
    if (!s) {
        __atomic_add_fetch(&from->refs, 1, __ATOMIC_RELAXED);
        return from;
    }
    mutex_lock(&from->lock);
    *s = *from;
    mutex_unlock(&from->lock);
    s->lock = (Mutex){0};
    s->refs = 1;
    for (int n = 1; clear && n <= NSIG_; n++) {
        if (s->action[n].handler > HANDLER_IGN) {
            s->action[n] = (GuestAction){0};
        }
    }
    return s;
}

void sighand_drop(SigHand *s)
{
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        free(s);
    }
}

/* -- the host handler ----------------------------------------------------------------------------------------- */

static void hold(Thread *t, int signo, const SigInfo *info, ucontext_t *uc)
{
    uint64_t *mask = (uint64_t *)&uc->uc_sigmask;
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    uint64_t guest_blocks = t->has_call_mask ? t->call_mask : t->mask;
    if (t->has_held && !is_sync(signo)) {
        /* came while a mask call was opening the mask again: back into the kernel's queue until this one is through */
        *mask = t->host_mask = ~SYNC_SIGNALS;
        raw_call(__NR_rt_tgsigqueueinfo, raw_call(__NR_getpid), t->tid, signo, info);
        return;
    }
    if (is_sync(signo) && (guest_blocks & SIG_BIT(signo) || t->has_held)) {
        for (unsigned k = 0; k < NSYNC; k++) {
            if (sync_numbers[k] == signo && !(t->kept_set & 1u << k)) {
                t->kept[k] = *info;
                t->kept_set |= 1u << k;
            }
        }
        if (guest_blocks & SIG_BIT(signo)) {
            return;
        }
    } else {
        t->held = *info;
        t->held.signo = signo;
        t->has_held = 1;
        *mask = t->host_mask = ~SYNC_SIGNALS;
    }
    engine_kick(&t->cpu.head);
    if (*rip >= (greg_t)safe_call_start && *rip < (greg_t)safe_call_end) {
        *rip = (greg_t)safe_call_interrupted;
    }
}

/* Is the instruction one that reads and then writes the same place: LSE's LD<op>, SWP, CAS, CASP? */
static bool reads_first(uint32_t word)
{
    return (word & 0x3f200c00) == 0x38200000 || (word & 0x3fa07c00) == 0x08a07c00 || (word & 0xbfa07c00) == 0x08207c00;
}

/* ESR_EL1 of a data abort as arm64 Linux shows it: WnR is 0 for an atomic that could not even read (DDI 0487 ESR_ELx,
 * ISS of a Data Abort); what has no access at all has no valid translation, level 3; else permission fault, level 3. */
static uint64_t data_abort_esr(uint64_t pc, bool write, bool readable)
{
    uint32_t word;
    if (write && !readable && get_user(&word, pc, 4) == 0 && reads_first(word)) {
        write = false;
    }
    return 0x92000000 | (write ? 0x40 : 0) | (readable ? 0x0f : 0x07);
}

/* A fault of translated code at guest instruction guest_pc(t). */
static void guest_fault(Thread *t, int signo, const SigInfo *info, ucontext_t *uc)
{
    uint64_t addr = info->addr;
    bool write = uc->uc_mcontext.gregs[REG_ERR] & PF_WRITE;
    VmaInfo v;
    int code = info->code;
    uint64_t esr = 0x92000010 | (write ? 0x40 : 0);
    if (signo == SIGSEGV_) {
        bool mapped = vma_find(addr, &v);
        code = mapped ? 2 : 1; /* SEGV_ACCERR, SEGV_MAPERR */
        esr = data_abort_esr(guest_pc(t), write, mapped && v.prot & (G_READ | G_EXEC));
    }
    signal_fault(t, signo, code, addr, esr);
}

/* A write to a page that armx has write-protected: the page is opened; true when the access is simply to be redone. */
static bool watched_write(Thread *t, const SigInfo *info, ucontext_t *uc)
{
    bool code;
    if (!(uc->uc_mcontext.gregs[REG_ERR] & PF_WRITE) || !mm_unwatch_fault(info->addr, &code)) {
        return false;
    }
    if (code && process.opt.smc) {
        t->smc_page = PAGE_DOWN(info->addr) | 1;
    }
    return true;
}

static NORETURN void armx_fault(Thread *t, int signo, const SigInfo *info, void *context)
{
    GuestAction dfl = {0};
    uint64_t none = 0;
    raw_call(__NR_rt_sigaction, signo, &dfl, 0, 8);
    if (t) {
        crash_report(t, info, true, context);
    } else {
        complain("fault (signal %d) in armx outside of any guest thread", signo);
    }
    raw_call(__NR_rt_sigprocmask, SIG_SETMASK_, &none, 0, 8);
    raw_call(__NR_tgkill, raw_call(__NR_getpid), raw_call(__NR_gettid), signo);
    for (;;) {
        raw_call(__NR_exit_group, 128 + signo);
    }
}

static void on_fault(Thread *t, int signo, SigInfo *info, ucontext_t *uc)
{
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    if (*rip >= (greg_t)user_copy_start && *rip < (greg_t)user_copy_end) {
        bool code;
        bool opened = uc->uc_mcontext.gregs[REG_ERR] & PF_WRITE && t && signo == SIGSEGV_ &&
                      mm_unwatch_fault(info->addr, &code);
        if (!opened) {
            *rip = (greg_t)user_copy_fault;
        }
        return;
    }
    SyncResult s = t && t->cpu.head.engine ? engine_sync(&t->cpu.head, uc) : SYNC_OUTSIDE;
    if (s == SYNC_RETRY) {
        return;
    }
    if (s != SYNC_PRECISE || signo == SIGILL_ || signo == SIGTRAP_) {
        armx_fault(t, signo, info, uc);
    }
    if (signo == SIGFPE_) {
        engine_fp_trap(&t->cpu.head, uc);
        return;
    }
    if (signo == SIGSEGV_ && info->code == SI_KERNEL_) {
        if (engine_tbi_trap(&t->cpu.head, uc)) {
            return;
        }
        info->addr = (uint64_t)bits_sext(t->cpu.head.exit_addr, 56); /* Linux: untagged_addr() */
    } else if (signo == SIGSEGV_ && watched_write(t, info, uc)) {
        if (t->smc_page) {
            engine_leave(&t->cpu.head, uc, EXC_DATA);
        }
        return;
    }
    guest_fault(t, signo, info, uc);
    engine_leave(&t->cpu.head, uc, EXC_DATA);
}

static void on_signal(int signo, SigInfo *info, void *context)
{
    Thread *t = this_thread;
    if (is_sync(signo) && info->code > 0) {
        on_fault(t, signo, info, context);
    } else if (!sample_take(t, signo, info, context) && t) {
        hold(t, signo, info, context);
    }
}

/* -- delivery ---------------------------------------------------------------------------------------------------- */

void signal_fault(Thread *t, int signo, int code, uint64_t addr, uint64_t esr)
{
    memset(&t->fault, 0, sizeof t->fault);
    t->fault.signo = signo;
    t->fault.code = code;
    t->fault.addr = addr;
    t->fault_esr = esr;
    t->fault_address = addr;
    t->has_fault = 1;
}

void signal_die(Thread *t, const SigInfo *info)
{
    GuestAction dfl = {0};
    uint64_t none = 0;
    int signo = info->signo;
    gdb_exiting(t, 0, signo);
    if (is_sync(signo) && info->code > 0) { /* what others send is no riddle */
        crash_report(t, info, false, NULL);
    }
    if ((SYNC_SIGNALS | CORES) & SIG_BIT(signo)) {
        core_dump(t, info);
    }
    signals_block_all();
    raw_call(__NR_rt_sigaction, signo, &dfl, 0, 8);
    raw_call(__NR_tgkill, raw_call(__NR_getpid), t->tid, signo);
    raw_call(__NR_rt_sigprocmask, SIG_SETMASK_, &none, 0, 8);
    for (;;) {
        raw_call(__NR_exit_group, 128 + signo);
    }
}

/* Lets the kernel do what it does by default: the host's action is the default one by now. */
static void redo_default(Thread *t, const SigInfo *info)
{
    if (dies_by_default(info->signo)) {
        if (is_sync(info->signo) || process.debugged || (process.cores && CORES & SIG_BIT(info->signo)) ||
            (sample_on() && info->signo == SAMPLE_SIGNAL)) {
            signal_die(t, info);
        }
        raw_call(__NR_rt_tgsigqueueinfo, raw_call(__NR_getpid), t->tid, info->signo, info);
    }
}

/* Enters the guest's handler; forced: a fault that may be neither blocked nor ignored. */
static void deliver(Thread *t, const SigInfo *info, bool forced)
{
    SigInfo other = *info;
    int signo = UNLIKELY(process.debugged) ? gdb_signal(t, info->signo) : info->signo;
    SigHand *s = t->sighand;
    if (!signo) {
        return;
    }
    if (signo != info->signo) {
        other = (SigInfo){.signo = signo};
        info = &other;
        forced = false;
    }
    mutex_lock(&s->lock);
    GuestAction sa = s->action[signo];
    if (forced && (t->mask & SIG_BIT(signo) || sa.handler == HANDLER_IGN)) {
        sa.handler = HANDLER_DFL;
    } else if (sa.handler > HANDLER_IGN && sa.flags & SA_RESETHAND_) {
        s->action[signo].handler = HANDLER_DFL;
        host_action(signo, &s->action[signo]);
    }
    mutex_unlock(&s->lock);
    if (log_on(LOG_int)) {
        log_printf("signal %d code %d to handler %llx at pc %llx\n", signo, info->code,
                   (unsigned long long)sa.handler, (unsigned long long)guest_pc(t));
    }
    if (sa.handler == HANDLER_IGN) {
        return;
    }
    if (sa.handler == HANDLER_DFL) {
        if (forced) {
            signal_die(t, info);
        }
        redo_default(t, info);
        return;
    }
    uint64_t now = t->has_call_mask ? t->call_mask : t->mask;
    rseq_signal(t);
    if (frame_enter(t, &sa, info, t->mask) < 0) {
        SigInfo segv = {.signo = SIGSEGV_, .code = SI_KERNEL_};
        if (signo == SIGSEGV_) {
            signal_die(t, &segv);
        }
        deliver(t, &segv, true);
        return;
    }
    t->has_call_mask = false;
    t->mask = (now | sa.mask | (sa.flags & SA_NODEFER_ ? 0 : SIG_BIT(signo))) & ~UNBLOCKABLE;
}

void signals_deliver(Thread *t)
{
    if (UNLIKELY(process.cores)) {
        core_hold(t);
    }
    t->cpu.head.pending = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (t->smc_page) {
        uint64_t page = t->smc_page & ~1ull;
        t->smc_page = 0;
        engine_invalidate(process.engine, gva(page), PAGE);
    }
    if (t->has_fault) {
        SigInfo info = t->fault;
        t->has_fault = 0;
        deliver(t, &info, true);
    }
    if (t->has_held) {
        SigInfo info = t->held;
        uint64_t blocked = t->has_call_mask ? t->call_mask : t->mask;
        t->has_held = 0;
        if (blocked & SIG_BIT(info.signo)) {
            /* a handler that was entered just now blocks it: back into the kernel's queue */
            raw_call(__NR_rt_tgsigqueueinfo, raw_call(__NR_getpid), t->tid, info.signo, &info);
        } else {
            deliver(t, &info, false);
        }
    }
    for (unsigned k = 0; k < NSYNC && t->kept_set; k++) {
        uint64_t blocked = t->has_call_mask ? t->call_mask : t->mask;
        if (t->kept_set & 1u << k && !(blocked & SIG_BIT(sync_numbers[k]))) {
            SigInfo info = t->kept[k];
            t->kept_set &= ~(1u << k);
            deliver(t, &info, false);
        }
    }
    t->has_call_mask = false;
    signals_set_host_mask(t);
}

/* -- the guest's calls ---------------------------------------------------------------------------------------------- */

int64_t sys_rt_sigaction(Thread *t, uint64_t a[6])
{
    int signo = (int)a[0];
    GuestAction g;
    SigHand *s = t->sighand;
    if (a[3] != 8 || signo < 1 || signo > NSIG_) {
        return -EINVAL;
    }
    if (a[1]) {
        if (get_user(&g, a[1], sizeof g) < 0) {
            return -EFAULT;
        }
        if (UNBLOCKABLE & SIG_BIT(signo)) {
            return -EINVAL;
        }
    }
    mutex_lock(&s->lock);
    GuestAction old = s->action[signo];
    if (a[1]) {
        g.mask &= ~UNBLOCKABLE;
        g.flags &= (uint64_t)SA_GUEST_FLAGS;
        s->action[signo] = g;
        host_action(signo, &g);
    }
    mutex_unlock(&s->lock);
    return a[2] && put_user(a[2], &old, sizeof old) < 0 ? -EFAULT : 0;
}

int64_t sys_rt_sigprocmask(Thread *t, uint64_t a[6])
{
    uint64_t set = 0, old = t->mask;
    if (a[3] != 8) {
        return -EINVAL;
    }
    if (a[1]) {
        if (get_user(&set, a[1], 8) < 0) {
            return -EFAULT;
        }
        if (a[0] > 2) {
            return -EINVAL;
        }
        set = a[0] == 0 ? old | set : a[0] == 1 ? old & ~set : set;
        t->mask = set & ~UNBLOCKABLE;
        signals_set_host_mask(t);
        if (t->kept_set) {
            engine_kick(&t->cpu.head);
        }
    }
    return a[2] && put_user(a[2], &old, 8) < 0 ? -EFAULT : 0;
}

static uint64_t kept_bits(const Thread *t)
{
    uint64_t bits = 0;
    for (unsigned k = 0; k < NSYNC; k++) {
        bits |= t->kept_set & 1u << k ? SIG_BIT(sync_numbers[k]) : 0;
    }
    return bits;
}

int64_t sys_rt_sigpending(Thread *t, uint64_t a[6])
{
    uint64_t set = 0;
    if (a[1] > 8) {
        return -EINVAL;
    }
    raw_call(__NR_rt_sigpending, &set, 8);
    set |= kept_bits(t) & t->mask;
    return put_user(a[0], &set, a[1]) < 0 ? -EFAULT : 0;
}

/* Notes the mask that a call puts in place while it waits; true when a kept signal ends the wait at once. */
static bool call_mask(Thread *t, uint64_t set)
{
    uint64_t mask;
    if (!set || get_user(&mask, set, 8) < 0) {
        return false;
    }
    t->call_mask = mask & ~UNBLOCKABLE;
    t->has_call_mask = true;
    if (kept_bits(t) & ~mask) {
        engine_kick(&t->cpu.head);
        return true;
    }
    return false;
}

int64_t sys_rt_sigsuspend(Thread *t, uint64_t a[6])
{
    return a[1] == 8 && call_mask(t, a[0]) ? -EINTR : sys_host6(t, __NR_rt_sigsuspend, a);
}

int64_t sys_ppoll(Thread *t, uint64_t a[6])
{
    return a[4] == 8 && call_mask(t, a[3]) ? -EINTR : sys_host6(t, __NR_ppoll, a);
}

int64_t sys_pselect6(Thread *t, uint64_t a[6])
{
    uint64_t set[2];
    if (a[5] && get_user(set, a[5], sizeof set) == 0 && set[1] == 8 && call_mask(t, set[0])) {
        return -EINTR;
    }
    return sys_host6(t, __NR_pselect6, a);
}

int64_t sys_io_pgetevents(Thread *t, uint64_t a[6])
{
    uint64_t set[2];
    if (a[5] && get_user(set, a[5], sizeof set) == 0 && set[1] == 8 && call_mask(t, set[0])) {
        return -EINTR;
    }
    return sys_host6(t, __NR_io_pgetevents, a);
}

/* The guest's array holds 16 bytes an event, the host's 12: the host fills the first three quarters, then each is moved
 * to its place, the last first. */
static int64_t spread_events(uint64_t events, int64_t n)
{
    for (int64_t k = n - 1; k >= 0; k--) {
        uint8_t in[12], out[16] = {0};
        if (get_user(in, events + 12 * (uint64_t)k, 12) < 0) {
            return -EFAULT;
        }
        memcpy(out, in, 4);
        memcpy(out + 8, in + 4, 8);
        if (put_user(events + 16 * (uint64_t)k, out, 16) < 0) {
            return -EFAULT;
        }
    }
    return n;
}

static int64_t epoll_wait(Thread *t, int nr, uint64_t a[6])
{
    if (a[4] && a[5] == 8 && call_mask(t, a[4])) {
        return -EINTR;
    }
    int64_t n = sys_host6(t, nr, a);
    return n > 0 ? spread_events(a[1], n) : n;
}

int64_t sys_epoll_pwait(Thread *t, uint64_t a[6])
{
    return epoll_wait(t, __NR_epoll_pwait, a);
}

int64_t sys_epoll_pwait2(Thread *t, uint64_t a[6])
{
    return epoll_wait(t, __NR_epoll_pwait2, a);
}

int64_t sys_rt_sigtimedwait(Thread *t, uint64_t a[6])
{
    uint64_t set;
    if (t->kept_set && a[3] == 8 && get_user(&set, a[0], 8) == 0) {
        for (unsigned k = 0; k < NSYNC; k++) {
            if (t->kept_set & 1u << k && set & SIG_BIT(sync_numbers[k])) {
                t->kept_set &= ~(1u << k);
                bool bad = a[1] && put_user(a[1], &t->kept[k], sizeof(SigInfo)) < 0;
                return bad ? -EFAULT : sync_numbers[k];
            }
        }
    }
    return sys_host6(t, __NR_rt_sigtimedwait, a);
}

int64_t sys_signalfd4(Thread *t, uint64_t a[6])
{
    return sys_host6(t, __NR_signalfd4, a);
}

/* -- sigaltstack, sigreturn --------------------------------------------------------------------------------------------- */

static bool on_alt(const Thread *t, uint64_t sp)
{
    return !(t->alt.flags & (int32_t)SS_AUTODISARM_) && t->alt.size && sp > t->alt.sp && sp - t->alt.sp <= t->alt.size;
}

static int64_t alt_set(Thread *t, const AltStack *ss)
{
    uint32_t mode = (uint32_t)ss->flags & ~SS_AUTODISARM_;
    if (on_alt(t, guest_sp(t))) {
        return -EPERM;
    }
    if (mode != 0 && mode != SS_ONSTACK_ && mode != SS_DISABLE_) {
        return -EINVAL;
    }
    if (mode == SS_DISABLE_) {
        t->alt = (AltStack){.flags = ss->flags};
        return 0;
    }
    if (ss->size < MIN_ALT) {
        return -ENOMEM;
    }
    t->alt = *ss;
    return 0;
}

int64_t sys_sigaltstack(Thread *t, uint64_t a[6])
{
    AltStack ss, old = t->alt;
    int64_t r = 0;
    if (a[0] && get_user(&ss, a[0], sizeof ss) < 0) {
        return -EFAULT;
    }
    uint32_t mode = on_alt(t, guest_sp(t)) ? SS_ONSTACK_ : t->alt.size ? 0 : SS_DISABLE_;
    old.flags = (int32_t)(mode | ((uint32_t)t->alt.flags & SS_AUTODISARM_));
    old.pad = 0;
    if (a[0]) {
        r = alt_set(t, &ss);
    }
    return r == 0 && a[1] && put_user(a[1], &old, sizeof old) < 0 ? -EFAULT : r;
}

void altstack_restore(Thread *t, const AltStack *ss)
{
    alt_set(t, ss);
}

uint64_t altstack_for(Thread *t, const GuestAction *sa, uint64_t sp)
{
    bool usable = t->alt.size && !(t->alt.flags & SS_DISABLE_);
    return sa->flags & SA_ONSTACK_ && usable && !on_alt(t, sp) ? t->alt.sp + t->alt.size : sp;
}

void altstack_save(Thread *t, AltStack *out)
{
    *out = t->alt;
    out->pad = 0;
    if (!t->alt.size) {
        out->flags |= SS_DISABLE_;
    }
    if (t->alt.flags & (int32_t)SS_AUTODISARM_) {
        t->alt = (AltStack){.flags = SS_DISABLE_};
    }
}

int64_t sys_rt_sigreturn(Thread *t, uint64_t a[6])
{
    uint64_t mask, sp = guest_sp(t);
    (void)a;
    if (frame_leave(t, &mask) < 0) {
        signal_fault(t, SIGSEGV_, 1, sp, t->fault_esr);
        engine_kick(&t->cpu.head);
        return NO_RESULT;
    }
    t->mask = mask & ~UNBLOCKABLE;
    signals_set_host_mask(t);
    if (t->kept_set) {
        engine_kick(&t->cpu.head);
    }
    return NO_RESULT;
}

/* -- exec ------------------------------------------------------------------------------------------------------------------ */

void signals_for_exec(Thread *t, bool set_mask)
{
    if (t->has_held) {
        t->has_held = 0; /* stays pending across exec, as all others do */
        raw_call(__NR_rt_tgsigqueueinfo, raw_call(__NR_getpid), t->tid, t->held.signo, &t->held);
    }
    for (unsigned k = 0; k < NSYNC; k++) {
        int n = sync_numbers[k];
        GuestAction h = {0};
        h.handler = t->sighand->action[n].handler == HANDLER_IGN ? HANDLER_IGN : HANDLER_DFL;
        raw_call(__NR_rt_sigaction, n, &h, 0, 8);
    }
    if (sample_on() && !t->own_process) {
        sample_pause();
    }
    if (set_mask) {
        raw_call(__NR_rt_sigprocmask, SIG_SETMASK_, &t->mask, 0, 8);
    }
}

void signals_exec_failed(Thread *t)
{
    signals_install_sync();
    if (sample_on() && !t->own_process) {
        sample_resume();
    }
    t->host_mask = ~0ull;
    signals_set_host_mask(t);
}
