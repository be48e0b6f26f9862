/* sig.h - signals: the guest's actions, host handlers, what is on its way, delivery.
 *
 * The host's mask of a thread equals the guest's, except that the signals armx needs (SIGILL SIGTRAP SIGBUS SIGFPE
 * SIGSEGV: "sync") stay open. A handler of ours for an asynchronous signal puts the siginfo into t->held, blocks
 * everything in the interrupted context, sets `pending` and returns; the kernel keeps all further signals, so nothing is
 * lost or reordered. The thread then leaves translated code at its next poll, or its system call at once, and
 * signals_deliver() makes the guest frame and puts the right mask in place. A synchronous fault is put into t->fault
 * and delivered when engine_run returns.
 *
 * Ignored and defaulted signals are ignored and defaulted on the host, so that stopping, continuing and dying are the
 * kernel's own work; of the sync signals only the last step (dying) is: signal_die().
 */
#ifndef ARMX_USER_SIG_H
#define ARMX_USER_SIG_H

#include "user.h"

enum { NSIG_ = 64 };
#define SIG_BIT(n) (1ull << ((n)-1))
#define SYNC_SIGNALS (SIG_BIT(4) | SIG_BIT(5) | SIG_BIT(7) | SIG_BIT(8) | SIG_BIT(11))
#define UNBLOCKABLE (SIG_BIT(9) | SIG_BIT(19))

enum { SA_NOCLDSTOP_ = 1, SA_NOCLDWAIT_ = 2, SA_SIGINFO_ = 4, SA_EXPOSE_TAGBITS_ = 0x800, SA_UNSUPPORTED_ = 0x400,
       SA_RESTORER_ = 0x04000000, SA_ONSTACK_ = 0x08000000, SA_RESTART_ = 0x10000000, SA_NODEFER_ = 0x40000000 };
#define SA_RESETHAND_ 0x80000000u
enum { SS_ONSTACK_ = 1, SS_DISABLE_ = 2 };
#define SS_AUTODISARM_ (1u << 31)

/* struct sigaction of the kernel; the same on both architectures. */
typedef struct GuestAction {
    uint64_t handler, flags, restorer, mask;
} GuestAction;
_Static_assert(sizeof(GuestAction) == 32, "kernel's struct sigaction");

struct SigHand {
    Mutex lock;
    uint32_t refs;
    GuestAction action[NSIG_ + 1];
};

void signals_init(Thread *t);
/* Handlers' alternate stack for this thread, and the sync handlers after a reset. */
void signals_thread_init(Thread *t);
void signals_install_sync(void);
SigHand *sighand_copy(SigHand *from, bool clear);
void sighand_drop(SigHand *s);

/* Delivers what is pending; called with no signal frame of ours on the host stack. */
void signals_deliver(Thread *t);
/* A synchronous fault for the guest: delivered by the next signals_deliver. */
void signal_fault(Thread *t, int signo, int code, uint64_t addr, uint64_t esr);
/* Puts the host's mask in line with t->mask. */
void signals_set_host_mask(Thread *t);
uint64_t signals_block_all(void);
void signals_restore(uint64_t host_mask);
/* Dies as if the guest had by this signal. */
NORETURN void signal_die(Thread *t, const SigInfo *info);
/* Installs all host handlers again: whether armx or the kernel kills (process.debugged, process.cores) has changed. */
void signals_reinstall(void);
/* Before an exec: dispositions of the sync signals as the guest set them, the guest's mask too when set_mask (a
 * followed exec blocks everything until armx has handlers again, options.def: armx-exec-mask); and back. */
void signals_for_exec(Thread *t, bool set_mask);
void signals_exec_failed(Thread *t);


#endif
