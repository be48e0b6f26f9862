// sigfault.c - faults of memory and code, seen and repaired by handlers.
// test: dyn interp
#define _GNU_SOURCE
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf env;
static volatile int last_sig, last_code;
static char *volatile last_addr;
static volatile int repairs;
static char *repair_base;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    (void)uc;
    last_sig = sig;
    last_code = si->si_code;
    last_addr = si->si_addr;
    if (repair_base) {
        repairs++;
        mprotect((char *)((uintptr_t)si->si_addr & -4096ul), 4096, PROT_READ | PROT_WRITE);
        return;
    }
    siglongjmp(env, 1);
}

#define FAULTS(statement, sig, code, addr)                                                         \
    do {                                                                                           \
        if (sigsetjmp(env, 1) == 0) {                                                              \
            statement;                                                                             \
            printf("no fault: %s\n", #statement);                                                  \
            CHECK(0);                                                                              \
        } else {                                                                                   \
            CHECK(last_sig == (sig));                                                              \
            CHECK(last_code == (code));                                                            \
            CHECK(last_addr == (char *)(addr));                                                    \
        }                                                                                          \
    } while (0)

static volatile char sink;

static void kinds(void)
{
    char *none = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile char *null = NULL;
    FAULTS(sink = null[8], SIGSEGV, SEGV_MAPERR, 8);
    FAULTS(null[0] = 1, SIGSEGV, SEGV_MAPERR, 0);
    FAULTS(sink = *(volatile char *)(none + 5000), SIGSEGV, SEGV_ACCERR, none + 5000);
    FAULTS(*(volatile int *)(none + 4096) = 1, SIGSEGV, SEGV_ACCERR, none + 4096);
    FAULTS(*(volatile char *)(ro + 77) = 1, SIGSEGV, SEGV_ACCERR, ro + 77);
    munmap(none, 3 * 4096);
    FAULTS(sink = *(volatile char *)(none + 1), SIGSEGV, SEGV_MAPERR, none + 1);
    void (*code)(void) = (void (*)(void))ro;
    FAULTS(code(), SIGSEGV, SEGV_ACCERR, ro);
    code = (void (*)(void))16;
    FAULTS(code(), SIGSEGV, SEGV_MAPERR, 16);
    ok("kinds");
}

static void beyond_file(void)
{
    int fd = memfd_create("file", 0);
    CHECK(ftruncate(fd, 100) == 0);
    char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    m[4000] = 1;
    FAULTS(sink = *(volatile char *)(m + 4096 + 3), SIGBUS, BUS_ADRERR, m + 4096 + 3);
    FAULTS(*(volatile long *)(m + 4096 + 8) = 1, SIGBUS, BUS_ADRERR, m + 4096 + 8);
    munmap(m, 8192);
    close(fd);
    ok("beyond the file");
}

/* The faulting instruction runs again after the handler has made its page accessible. */
static void repair(void)
{
    enum { PAGES = 64 };
    unsigned char *m =
        mmap(NULL, PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    repair_base = (char *)m;
    repairs = 0;
    uint64_t sum = 0;
    for (int i = 0; i < PAGES * 4096; i += 4) {
        *(volatile uint32_t *)(m + i) = (uint32_t)i * 2654435761u;
    }
    CHECK(repairs == PAGES);
    for (int i = 0; i < PAGES; i++) {
        mprotect(m + i * 4096, 4096, i & 1 ? PROT_NONE : PROT_READ);
    }
    for (int i = 0; i < PAGES * 4096; i += 4) {
        sum = sum * 31 + *(volatile uint32_t *)(m + i);
    }
    CHECK(repairs == PAGES + PAGES / 2);
    /* Copies across a border that faults in the middle. */
    mprotect(m + 4096, 4096, PROT_NONE);
    memcpy(m + 4090, m + 9000, 20);
    CHECK(memcmp(m + 4090, m + 9000, 20) == 0);
    repair_base = NULL;
    printf("sum %016llx\n", (unsigned long long)sum);
    ok("repair");
}

static int recurse(int n)
{
    volatile char frame[512];
    frame[n & 511] = (char)n;
    return recurse(n + 1) + frame[n & 511];
}

static void overflow(void)
{
    static char alt[65536];
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    struct rlimit small = {1 << 20, RLIM_INFINITY};
    CHECK(sigaltstack(&ss, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            setrlimit(RLIMIT_STACK, &small);
            if (sigsetjmp(env, 1) == 0) {
                sink = (char)recurse(0);
            }
            _exit(last_sig == SIGSEGV ? 5 : 6);
        }
        int status;
        waitpid(child, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    }
    ok("stack overflow");
}

static void deaths(void)
{
    for (int kind = 0; kind < 5; kind++) {
        pid_t child = fork();
        if (child == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            signal(SIGSEGV, SIG_DFL);
            signal(SIGBUS, SIG_DFL);
            volatile char *p = NULL;
            sigset_t all;
            switch (kind) {
            case 0: sink = *p; break;
            case 1: *p = 1; break;
            case 2: ((void (*)(void))32)(); break;
            case 3: abort(); break;
            case 4:
                /* A blocked fault kills as well. */
                sigfillset(&all);
                sigprocmask(SIG_SETMASK, &all, NULL);
                sink = *p;
                break;
            }
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        printf("death %d: signal %d\n", kind, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    }
    ok("deaths");
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    kinds();
    beyond_file();
    repair();
    overflow();
    deaths();
    return done();
}
