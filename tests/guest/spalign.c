// spalign.c - a memory access with a misaligned SP as its base raises SIGBUS with BUS_ADRALN at the
// address in SP (DDI 0487 D1.8.2); prefetches and arithmetic on SP do not.
// test: arm interp
#include "t.h"
#include <signal.h>
#include <string.h>
#include <ucontext.h>

static volatile int code, hits;
static volatile unsigned long addr, pc;

static void on_bus(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)sig;
    hits++;
    code = info->si_code;
    addr = (unsigned long)info->si_addr;
    pc = uc->uc_mcontext.pc;
    uc->uc_mcontext.pc += 4; /* over the access */
}

#define WITH_SP(offset, insn)                                                                      \
    ({                                                                                             \
        unsigned long sp_then, pc_then;                                                            \
        hits = 0;                                                                                  \
        __asm__ volatile("mov x9, sp\n sub x10, x9, #256\n add sp, x10, #" #offset "\n"             \
                         "mov %0, sp\n adr %1, 1f\n 1: " insn "\n mov sp, x9"                       \
                         : "=&r"(sp_then), "=&r"(pc_then)                                          \
                         :                                                                         \
                         : "x9", "x10", "x11", "x12", "v0", "memory");                             \
        if (hits) {                                                                                \
            printf("%-24s offset " #offset ": SIGBUS code %d, si_addr %s, pc %s\n", insn, code,     \
                   addr == sp_then ? "is sp" : "differs", pc == pc_then ? "right" : "wrong");      \
        } else {                                                                                   \
            printf("%-24s offset " #offset ": no signal\n", insn);                                  \
        }                                                                                          \
    })

/* SP as a second stack pointer that follows the code's own, as SpiderMonkey's JIT has it. */
static void follow(unsigned long n)
{
    __asm__ volatile("mov x9, sp\n sub x10, x9, #256\n"
                     "1: add x11, x10, #8\n mov sp, x11\n mov sp, x10\n str x9, [sp]\n subs %0, %0, #1\n b.ne 1b\n"
                     "mov sp, x9" : "+r"(n) : : "x9", "x10", "x11", "cc", "memory");
}

static void all(void);

int main(void)
{
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&ss, NULL);
    sigaction(SIGBUS, &sa, NULL);
    all();
    follow(5000000);
    puts("followed");
    all();
    return 0;
}

static void all(void)
{
    WITH_SP(0, "ldr x11, [sp]");
    WITH_SP(8, "ldr x11, [sp]");
    WITH_SP(4, "str w11, [sp, #4]");
    WITH_SP(8, "ldp x11, x12, [sp, #8]");
    WITH_SP(1, "ldr q0, [sp]");
    WITH_SP(8, "ldrb w11, [sp, x12]");
    WITH_SP(8, "prfm pldl1keep, [sp]");
    WITH_SP(8, "add x11, sp, #8");
    WITH_SP(16, "ldp x11, x12, [sp], #16");
}
