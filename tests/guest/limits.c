// limits.c - what gives out: mappings, address space, memory, threads; and wild pointers given to the kernel.
// A program that meets a limit gets the kernel's error, goes on, and has everything back once it has let go.
// test: dyn interp secs=180
#define _GNU_SOURCE
#include "t.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P = 4096, THREADS = 10000, STACK = 131072 };

// Functions that nobody has called before: an emulator has to translate them now.
#define FRESH(n)                                                                                                       \
    __attribute__((noinline)) static uint64_t fresh##n(uint64_t x)                                                     \
    {                                                                                                                  \
        for (int i = 0; i < 10; i++) {                                                                                 \
            x = (x ^ x >> (n + 7)) * (2654435761u + n);                                                                \
        }                                                                                                              \
        return x;                                                                                                      \
    }
FRESH(0) FRESH(1) FRESH(2) FRESH(3) FRESH(4) FRESH(5)
static uint64_t (*const fresh[])(uint64_t) = {fresh0, fresh1, fresh2, fresh3, fresh4, fresh5};

static volatile sig_atomic_t seen;
static void on_signal(int sig)
{
    seen = sig;
}

static void *nothing(void *arg)
{
    return arg;
}

// A thread with a stack of its own, so that the C library needs none: the limit is met in clone or not at all.
static int start_thread(pthread_t *t)
{
    static char stack[STACK] __attribute__((aligned(P)));
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, stack, sizeof stack);
    return pthread_create(t, &attr, nothing, NULL);
}

// While nothing more is to be had.
static void at_the_limit(int part)
{
    pthread_t t;
    printf("new code %016llx\n", (unsigned long long)fresh[2 * part](part + 1));
    seen = 0;
    raise(SIGUSR1);
    CHECK(seen == SIGUSR1);
    int e = start_thread(&t);
    CHECK(e == 0 || e == EAGAIN);
    if (e == 0) {
        CHECK(pthread_join(t, NULL) == 0);
    }
}

static void after_the_limit(int part)
{
    pthread_t t;
    char *m = mmap(NULL, 64 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED);
    memset(m, 1, 64 * P);
    CHECK(munmap(m, 64 * P) == 0);
    CHECK(start_thread(&t) == 0);
    CHECK(pthread_join(t, NULL) == 0);
    printf("new code %016llx\n", (unsigned long long)fresh[2 * part + 1](part + 1));
}

// 100 000 mappings, of which the kernel allows 65 530 unless told.
static void mappings(void)
{
    enum { N = 50000 };
    char *m = mmap(NULL, 2ul * N * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int n = 0;
    CHECK(m != MAP_FAILED);
    while (n < N && mprotect(m + 2l * n * P, P, PROT_READ | PROT_WRITE) == 0) {
        m[2l * n * P] = (char)n;
        n++;
    }
    CHECK(n == N || errno == ENOMEM);
    CHECK(n > 30000);
    at_the_limit(0);
    for (int k = 0; k < n; k++) {
        CHECK(m[2l * k * P] == (char)k);
    }
    CHECK(munmap(m, 2ul * N * P) == 0);
    after_the_limit(0);
    ok("mappings");
}

// All of the address space.
static void everything(void)
{
    enum { MOST = 4096 };
    static struct {
        char *at;
        size_t size;
    } got[MOST];
    int n = 0;
    for (size_t size = 1ul << 46; size >= P; size /= 2) {
        while (n < MOST) {
            char *m = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (m == MAP_FAILED) {
                CHECK(errno == ENOMEM);
                break;
            }
            got[n].at = m;
            got[n++].size = size;
        }
    }
    CHECK(n < MOST);
    CHECK(mmap(NULL, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    at_the_limit(1);
    while (n--) {
        CHECK(munmap(got[n].at, got[n].size) == 0);
    }
    after_the_limit(1);
    ok("everything");
}

// As much memory as RLIMIT_AS gives.
static void memory(void)
{
    struct rlimit r;
    void *blocks[4096], **p = blocks;
    getrlimit(RLIMIT_AS, &r);
    r.rlim_cur = 300 << 20;
    CHECK(setrlimit(RLIMIT_AS, &r) == 0);
    while (p < blocks + 301 && (*p = malloc(1 << 20))) {
        memset(*p++, 1, 64);
    }
    CHECK(p > blocks + 100 && p < blocks + 301 && errno == ENOMEM);
    while (p < blocks + 301 && (*p = malloc(1000))) {
        p++;
    }
    at_the_limit(2);
    while (p > blocks) {
        free(*--p);
    }
    after_the_limit(2);
    ok("memory");
}

static int started, go;

static void *waiter(void *arg)
{
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&go, __ATOMIC_SEQ_CST)) {
        syscall(SYS_futex, &go, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
    }
    return arg;
}

static void threads(void)
{
    static pthread_t t[THREADS];
    pthread_attr_t attr;
    int n = 0, e = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    while (n < THREADS && (e = pthread_create(&t[n], &attr, waiter, (void *)(intptr_t)n)) == 0) {
        n++;
    }
    CHECK(n == THREADS || e == EAGAIN);
    CHECK(n > 1000);
    go = 1;
    syscall(SYS_futex, &go, 1 /* FUTEX_WAKE */, INT_MAX, NULL, NULL, 0);
    for (int k = 0; k < n; k++) {
        void *r;
        CHECK(pthread_join(t[k], &r) == 0 && (intptr_t)r == k);
    }
    CHECK(started == n);
    ok("threads");
}

// The error of each call for each kind of address that is none.
#define WILD(name, ...)                                                                                                \
    do {                                                                                                               \
        printf("%-18s", #name);                                                                                        \
        for (unsigned k = 0; k < sizeof wild / sizeof *wild; k++) {                                                    \
            long w = wild[k];                                                                                          \
            printf(" %d", syscall(SYS_##name, __VA_ARGS__) == -1 ? errno : 0);                                         \
            (void)w;                                                                                                   \
        }                                                                                                              \
        printf("\n");                                                                                                  \
    } while (0)

static void wild_pointers(void)
{
    char *none = mmap(NULL, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const long wild[] = {8, 0x7ff7fffff000, (long)none, 1l << 48, (long)0xffff800000000000, -8};
    int fds[2], ep = epoll_create1(0), zero = open("/dev/zero", O_RDONLY);
    struct iovec iov = {none, 10};
    struct timespec soon = {0, 1};
    char byte = 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    WILD(write, fds[0], w, 100);
    WILD(read, zero, w, 100);
    WILD(pread64, zero, w, 100, 0l);
    WILD(readv, zero, w, 1);
    WILD(writev, fds[0], w, 2);
    WILD(readv, zero, &iov, 1);
    WILD(openat, AT_FDCWD, w, O_RDONLY);
    WILD(faccessat, AT_FDCWD, w, 0);
    WILD(readlinkat, AT_FDCWD, w, &byte, 1);
    WILD(readlinkat, AT_FDCWD, "/proc/self/exe", w, 100);
    WILD(newfstatat, AT_FDCWD, "/", w, 0);
    WILD(newfstatat, AT_FDCWD, w, &byte, 0);
    WILD(fstat, 0, w);
    WILD(statfs, "/", w);
    WILD(statx, AT_FDCWD, "/", 0, 0x7ff, w);
    WILD(getcwd, w, 100);
    WILD(getdents64, open("/", O_RDONLY | O_DIRECTORY), w, 1000);
    WILD(pipe2, w, 0);
    WILD(execve, w, NULL, NULL);
    WILD(execve, "/nonexistent", w, NULL);
    WILD(execve, "/bin/true", w, NULL);
    WILD(execve, "/bin/true", &(char *){NULL}, w);
    WILD(uname, w);
    WILD(sysinfo, w);
    WILD(times, w);
    WILD(getrusage, RUSAGE_SELF, w);
    WILD(getrlimit, RLIMIT_NOFILE, w);
    WILD(prlimit64, 0, RLIMIT_AS, w, NULL);
    WILD(prlimit64, 0, RLIMIT_AS, NULL, w);
    WILD(clock_gettime, CLOCK_MONOTONIC, w);
    WILD(clock_getres, CLOCK_MONOTONIC, w);
    WILD(nanosleep, w, NULL);
    WILD(nanosleep, &soon, w);
    WILD(rt_sigaction, SIGUSR2, w, NULL, 8);
    WILD(rt_sigaction, SIGUSR2, NULL, w, 8);
    WILD(rt_sigprocmask, SIG_BLOCK, w, NULL, 8);
    WILD(rt_sigprocmask, SIG_BLOCK, NULL, w, 8);
    WILD(rt_sigpending, w, 8);
    WILD(rt_sigtimedwait, w, NULL, NULL, 8);
    WILD(rt_sigsuspend, w, 8);
    WILD(rt_sigqueueinfo, getpid(), 0, w);
    WILD(sigaltstack, w, NULL);
    WILD(sigaltstack, NULL, w);
    WILD(futex, w & ~3l, 0, 0, NULL, NULL, 0);
    WILD(futex, w & ~3l, 1, 1, NULL, NULL, 0);
    WILD(futex, &byte, 128, 0, w, NULL, 0);
    WILD(ppoll, w, 1, NULL, NULL, 0);
    WILD(ppoll, NULL, 0, w, NULL, 0);
    WILD(ppoll, NULL, 0, &soon, w, 8);
    WILD(pselect6, 1, w, NULL, NULL, &soon, NULL);
    WILD(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], w);
    WILD(epoll_pwait, ep, w, 1, 0, NULL, 8);
    WILD(getrandom, w, 8, 0);
    WILD(sendmsg, fds[0], w, 0);
    WILD(recvmsg, fds[0], w, MSG_DONTWAIT);
    WILD(socketpair, AF_UNIX, SOCK_STREAM, 0, w);
    WILD(bind, fds[0], w, 16);
    WILD(getsockname, fds[0], w, w);
    WILD(sched_getaffinity, 0, 128, w);
    WILD(sched_setaffinity, 0, 128, w);
    WILD(timer_create, CLOCK_MONOTONIC, w, &byte);
    WILD(timer_create, CLOCK_MONOTONIC, NULL, w);
    WILD(wait4, -1, w, WNOHANG, NULL);
    WILD(waitid, P_ALL, 0, w, WEXITED, NULL);
    WILD(mincore, none, P, w);
    WILD(clone3, w, 64);
    WILD(prctl, 15 /* PR_SET_NAME */, w);
    WILD(prctl, 16 /* PR_GET_NAME */, w);
    WILD(ioctl, fds[0], 0x541b /* FIONREAD */, w);
    WILD(memfd_create, w, 0);
    WILD(set_robust_list, w, 24);
    WILD(set_robust_list, NULL, 24);
    ok("wild pointers");
}

int main(void)
{
    signal(SIGUSR1, on_signal);
    wild_pointers();
    apart(mappings);
    apart(everything);
    apart(memory);
    threads();
    return done();
}
