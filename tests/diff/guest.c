/* guest.c - the AArch64 side of the differential test: a program without a C library that runs batches of cases
 * (proto.h) on whatever runs it, QEMU, armx-user or a machine.
 *
 *     guest FD        FD: the shared file; batches come over standard input, answers go to standard output
 *
 * It lives in its signal handler. Every case ends with a signal; the handler takes the result out of the signal
 * frame, writes the next case's state into it, and returns into that case. What the frame does not hold, TPIDR_EL0
 * and the exclusive monitor, it sets itself.
 * tests/diff/run builds it.
 */
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/mman.h>

#include "proto.h"

static DiffShared *shared;
static DiffBatch *batch;
static int fd;
static uint32_t at, count;
static uint8_t alt_stack[65536] __attribute__((aligned(16)));

static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

static void leave(int status)
{
    sys6(__NR_exit_group, status, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

static void map(uint64_t address, uint64_t size, int prot, int flags, int file, uint64_t offset)
{
    if (sys6(__NR_mmap, (long)address, (long)size, prot, flags | MAP_FIXED, file, (long)offset) != (long)address) {
        leave(4);
    }
}

static void copy(void *to, const void *from, uint64_t bytes)
{
    uint64_t *t = to;
    const uint64_t *f = from;
    for (uint64_t i = 0; i < bytes / 8; i++) {
        t[i] = f[i];
    }
}

/* Reports the batch that is done, waits for the next, and maps its code and read-only data. */
static void next_batch(int answer)
{
    uint8_t which = batch ? (uint8_t)(batch - shared->batch) : 0;
    if (answer && sys6(__NR_write, 1, (long)&which, 1, 0, 0, 0) != 1) {
        leave(2);
    }
    if (sys6(__NR_read, 0, (long)&which, 1, 0, 0, 0) != 1 || which >= DIFF_BUFFERS) {
        leave(0);
    }
    batch = &shared->batch[which];
    count = batch->count;
    at = 0;
    uint64_t base = (uint64_t)((uint8_t *)batch - (uint8_t *)shared);
    map(DIFF_CODE, DIFF_CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, base + __builtin_offsetof(DiffBatch, code));
    map(DIFF_RO, DIFF_RO_SIZE, PROT_READ, MAP_SHARED, fd, base + __builtin_offsetof(DiffBatch, image) + DIFF_RW_SIZE);
    copy((void *)DIFF_DATA, batch->image, DIFF_RW_SIZE);
}

static struct fpsimd_context *fpsimd(struct ucontext *uc)
{
    struct _aarch64_ctx *c = (void *)uc->uc_mcontext.__reserved;
    while (c->magic != FPSIMD_MAGIC) {
        if (c->magic == 0) {
            leave(3);
        }
        c = (void *)((uint8_t *)c + c->size);
    }
    return (void *)c;
}

static void save(DiffResult *r, int sig, const siginfo_t *info, struct ucontext *uc)
{
    struct fpsimd_context *f = fpsimd(uc);
    copy(r->s.x, uc->uc_mcontext.regs, sizeof r->s.x);
    copy(r->s.v, f->vregs, sizeof r->s.v);
    r->s.sp = uc->uc_mcontext.sp;
    r->s.pc = uc->uc_mcontext.pc;
    r->s.nzcv = (uint32_t)uc->uc_mcontext.pstate & 0xf0000000u;
    r->s.fpcr = f->fpcr;
    r->s.fpsr = f->fpsr;
    r->s.unused = 0;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(r->s.tpidr));
    r->sig = (uint32_t)sig;
    r->code = info->si_code;
    r->addr = (uint64_t)info->si_addr;
    diff_collect(r, (uint64_t *)DIFF_DATA, (const uint64_t *)batch->image);
}

static void load(const DiffState *s, struct ucontext *uc)
{
    struct fpsimd_context *f = fpsimd(uc);
    copy(uc->uc_mcontext.regs, s->x, sizeof s->x);
    copy(f->vregs, s->v, sizeof s->v);
    uc->uc_mcontext.sp = s->sp;
    uc->uc_mcontext.pc = s->pc;
    uc->uc_mcontext.pstate = s->nzcv;
    f->fpcr = s->fpcr;
    f->fpsr = s->fpsr;
    __asm__ volatile("msr tpidr_el0, %0\n\tclrex" : : "r"(s->tpidr) : "memory");
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
    if (batch) {
        save(&batch->out[at], sig, info, uc);
        at++;
    }
    while (at >= count) {
        next_batch(batch != 0);
    }
    load(&batch->in[at], uc);
}

__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl start\n"
        "restorer:\n\tmov x8, #139\n\tsvc 0\n");
extern void restorer(void);

/* The kernel's struct sigaction. */
struct action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

void start(long *stack)
{
    static const int signals[] = {SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    if (stack[0] != 2) {
        leave(5);
    }
    for (const char *p = (const char *)stack[2]; *p; p++) {
        fd = 10 * fd + *p - '0';
    }
    shared = (void *)sys6(__NR_mmap, 0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if ((uint64_t)shared > (uint64_t)-4096) {
        leave(4);
    }
    map(DIFF_DATA, DIFF_RW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t alt = {.ss_sp = alt_stack, .ss_size = sizeof alt_stack};
    sys6(__NR_sigaltstack, (long)&alt, 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct action sa = {on_signal, SA_SIGINFO | SA_ONSTACK | SA_RESTORER, restorer, ~0ul};
        sys6(__NR_rt_sigaction, signals[i], (long)&sa, 0, 8, 0, 0);
    }
    __asm__ volatile("brk 0");
    leave(6);
}
