// futex.c - the futex system call, robust and priority-inheriting mutexes, raw clone.
// test: dyn interp secs=60
#define _GNU_SOURCE
#include "t.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long futex(volatile int *w, int op, int val, const struct timespec *ts, volatile int *w2, int val3)
{
    return syscall(SYS_futex, w, op, val, ts, w2, val3);
}

static volatile int word, other_word, woken;

static void *waiter(void *arg)
{
    long bits = (long)arg;
    long r = bits ? futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, (int)bits)
                  : futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    CHECK(r == 0);
    __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Wakes until n threads have come back; returns how many calls said they woke. */
static long wake(volatile int *w, int op, int n, int bits)
{
    long total = 0;
    while (total < n) {
        long r = futex(w, op, n - (int)total, NULL, NULL, bits);
        CHECK(r >= 0);
        total += r;
        usleep(200);
    }
    return total;
}

static void plain(void)
{
    pthread_t t[4];
    struct timespec ts = {0, 2000000};
    word = 1;
    CHECK(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EAGAIN);
    CHECK(futex(&word, FUTEX_WAIT_PRIVATE, 1, &ts, NULL, 0) == -1 && errno == ETIMEDOUT);
    CHECK(futex((int *)8, FUTEX_WAIT_PRIVATE, 1, &ts, NULL, 0) == -1 && errno == EFAULT);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, waiter, NULL);
    }
    CHECK(wake(&word, FUTEX_WAKE_PRIVATE, 4, 0) == 4);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    CHECK(woken == 4);
    for (long i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, waiter, (void *)(i < 2 ? 1L : 2L));
    }
    woken = 0;
    CHECK(wake(&word, FUTEX_WAKE_BITSET_PRIVATE, 2, 2) == 2);
    pthread_join(t[2], NULL);
    pthread_join(t[3], NULL);
    CHECK(woken == 2);
    CHECK(wake(&word, FUTEX_WAKE_BITSET_PRIVATE, 2, 1) == 2);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, waiter, NULL);
    }
    long moved = 0;
    while (moved < 4) {
        /* Woken or moved are both counted; here none is woken. */
        moved += syscall(SYS_futex, &word, FUTEX_REQUEUE_PRIVATE, 0, 4L, &other_word);
        usleep(200);
    }
    CHECK(moved == 4);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 0);
    CHECK(wake(&other_word, FUTEX_WAKE_PRIVATE, 4, 0) == 4);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    ok("futex");
}

static void *dies_holding(void *arg)
{
    pthread_mutex_lock(arg);
    return NULL;
}

static void robust(void)
{
    pthread_mutexattr_t a;
    pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t t;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(m, &a);
    for (int i = 0; i < 5; i++) {
        pthread_create(&t, NULL, dies_holding, m);
        pthread_join(t, NULL);
        CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
        CHECK(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0);
        pid_t pid = fork();
        if (pid == 0) {
            pthread_mutex_lock(m);
            if (i & 1) {
                kill(getpid(), SIGKILL);
            }
            _exit(0);
        }
        waitpid(pid, NULL, 0);
        CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
        CHECK(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0);
    }
    ok("robust");
}

static long pi_count;
static void *pi_user(void *arg)
{
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(arg);
        pi_count++;
        if (i % 100 == 0) {
            sched_yield();
        }
        pthread_mutex_unlock(arg);
    }
    return NULL;
}

static void inheriting(void)
{
    pthread_mutexattr_t a;
    pthread_mutex_t m;
    pthread_t t[4];
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&m, &a);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, pi_user, &m);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    CHECK(pi_count == 12000);
    struct timespec past = {1, 0};
    pthread_mutex_lock(&m);
    CHECK(pthread_mutex_timedlock(&m, &past) == ETIMEDOUT);
    ok("inheriting");
}

static volatile int clone_ran;
static int clone_body(void *arg)
{
    clone_ran = *(int *)arg;
    syscall(SYS_exit, 5);
    return 0;
}

static void clones(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    static int arg = 12, ptid, ctid;
    int status;
    pid_t pid = clone(clone_body, stack + sizeof stack, CLONE_VM | SIGCHLD, &arg);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5 && clone_ran == 12);
    clone_ran = 0;
    arg = 13;
    pid = clone(clone_body, stack + sizeof stack, SIGCHLD, &arg);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5 && clone_ran == 0);
    /* A thread by hand: the kernel clears ctid and wakes its futex. */
    ctid = 1;
    arg = 14;
    pid = clone(clone_body, stack + sizeof stack,
                CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
                &arg, &ptid, NULL, &ctid);
    while (__atomic_load_n(&ctid, __ATOMIC_ACQUIRE)) {
        futex(&ctid, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
    CHECK(pid == ptid && clone_ran == 14);
    CHECK(waitpid(pid, &status, __WALL) == -1 && errno == ECHILD);
    CHECK(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_set_tid_address, &ctid) == getpid());
    ok("clones");
}

int main(void)
{
    plain();
    robust();
    inheriting();
    clones();
    return done();
}
