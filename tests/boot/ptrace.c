/* ptrace.c - the debug registers as a guest's debugger uses them: a hardware breakpoint, watchpoints for stores and loads, of a word and
 * of one byte in it, and software step, on a child that walks through known places.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <asm/ptrace.h>
#include <unistd.h>

#ifndef NT_ARM_HW_BREAK
enum { NT_ARM_HW_BREAK = 0x402, NT_ARM_HW_WATCH = 0x403 };
#endif
enum { STORES = 2, LOADS = 1, BOTH = 3 };

static volatile uint64_t cell;
static pid_t child;

__attribute__((noinline)) static uint64_t place(uint64_t n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static _Noreturn void child_main(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    for (uint64_t n = 0;; n++) {
        cell = place(n);                       /* stores of 8 bytes */
        ((volatile uint8_t *)&cell)[5] = 1;    /* and of 1 */
        n += ((volatile uint8_t *)&cell)[2];   /* loads */
    }
}

static uint64_t pc(void);

static void check(int good, const char *what)
{
    if (!good) {
        printf("ptrace: %s at %#lx: %s\n", what, (unsigned long)pc(), strerror(errno));
        kill(child, SIGKILL);
        exit(1);
    }
}

static void set(int type, const void *at, uint32_t control)
{
    struct user_hwdebug_state s = {0};
    s.dbg_regs[0].addr = (uint64_t)(uintptr_t)at;
    s.dbg_regs[0].ctrl = control;
    struct iovec v = {&s, offsetof(struct user_hwdebug_state, dbg_regs) + sizeof s.dbg_regs[0]};
    check(ptrace(PTRACE_SETREGSET, child, (void *)(long)type, &v) == 0, "PTRACE_SETREGSET");
}

static unsigned slots(int type)
{
    struct user_hwdebug_state s = {0};
    struct iovec v = {&s, sizeof s};
    check(ptrace(PTRACE_GETREGSET, child, (void *)(long)type, &v) == 0, "PTRACE_GETREGSET");
    return s.dbg_info & 0xff;
}

static uint64_t pc(void)
{
    struct user_pt_regs r;
    struct iovec v = {&r, sizeof r};
    check(ptrace(PTRACE_GETREGSET, child, (void *)(long)NT_PRSTATUS, &v) == 0, "registers");
    return r.pc;
}

/* Goes on; the address that the trap is about. */
static uint64_t go(int request)
{
    int status;
    siginfo_t info;
    check(ptrace(request, child, NULL, NULL) == 0, "go on");
    check(waitpid(child, &status, 0) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "SIGTRAP");
    check(ptrace(PTRACE_GETSIGINFO, child, NULL, &info) == 0, "siginfo");
    return (uint64_t)(uintptr_t)info.si_addr;
}

/* Both trap before the instruction: past it, with the breakpoint or watchpoint taken away for that long. */
static void past(int type)
{
    set(type, NULL, 0);
    go(PTRACE_SINGLESTEP);
}

/* Where the next access of such bytes of cell is. */
static uint64_t watched(uint32_t bytes, uint32_t accesses)
{
    set(NT_ARM_HW_WATCH, (const void *)&cell, bytes << 5 | accesses << 3 | 2 << 1 | 1);
    uint64_t at = go(PTRACE_CONT);
    past(NT_ARM_HW_WATCH);
    return at;
}

int main(void)
{
    int status;
    child = fork();
    if (child == 0) {
        child_main();
    }
    check(waitpid(child, &status, 0) == child, "wait");
    printf("%u breakpoints, %u watchpoints\n", slots(NT_ARM_HW_BREAK), slots(NT_ARM_HW_WATCH));
    uint64_t entry = (uint64_t)(uintptr_t)place, at = (uint64_t)(uintptr_t)&cell;
    for (unsigned n = 0; n < 3; n++) {
        set(NT_ARM_HW_BREAK, (void *)place, 0xf << 5 | 2 << 1 | 1);
        check(go(PTRACE_CONT) == entry && pc() == entry, "breakpoint");
        past(NT_ARM_HW_BREAK);
        check(pc() == entry + 4, "step");
        go(PTRACE_SINGLESTEP);
        check(pc() < entry || pc() > entry + 4, "step out");
    }
    check(watched(0xff, STORES) == at, "store");
    check(watched(0xff, STORES) == at + 5, "store of a byte");
    check(watched(0xff, STORES) == at, "store again");
    check(watched(1 << 2, LOADS) == at + 2, "load of a byte");
    uint64_t word = watched(1 << 5, BOTH);
    check(word == at || word == at + 5, "store of a word with that byte"); /* FAR is anywhere in what both have */
    check(watched(1 << 5, BOTH) == at + 5, "store of that byte");
    kill(child, SIGKILL);
    puts("ptrace: all traps came");
    return 0;
}
