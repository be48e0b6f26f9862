// threads.c - POSIX threads: mutexes, conditions, barriers, rwlocks, TLS, once, keys, cancel, detach.
// test: dyn secs=60
#define _GNU_SOURCE
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

enum { T = 8 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static long counter, turn, destroyed, inits;
static __thread int tls_value = 5;
static __thread char tls_big[20000];

static void run(void *(*f)(void *), int n, uint64_t *sum)
{
    pthread_t t[32];
    for (long i = 0; i < n; i++) {
        CHECK(pthread_create(&t[i], NULL, f, (void *)i) == 0);
    }
    for (int i = 0; i < n; i++) {
        void *r = NULL;
        CHECK(pthread_join(t[i], &r) == 0);
        if (sum) {
            *sum += (uint64_t)(uintptr_t)r;
        }
    }
}

static void *add_locked(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *take_turns(void *arg)
{
    long me = (long)arg;
    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % T != me) {
            pthread_cond_wait(&cond, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static long phase[T];
static void *meet(void *arg)
{
    long me = (long)arg;
    for (long i = 0; i < 200; i++) {
        phase[me] = i;
        pthread_barrier_wait(&barrier);
        for (int k = 0; k < T; k++) {
            CHECK(phase[k] == i);
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static long pair[2];
static void *read_write(void *arg)
{
    long me = (long)arg;
    for (int i = 0; i < 3000; i++) {
        if (me == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            CHECK(pair[0] == pair[1]);
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void init(void)
{
    inits++;
}
static void destroy(void *p)
{
    CHECK(*(int *)p == 99);
    free(p);
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
}
static void *locals(void *arg)
{
    long me = (long)arg;
    pthread_once(&once, init);
    int *p = malloc(sizeof *p);
    *p = 99;
    pthread_setspecific(key, p);
    CHECK(tls_value == 5);
    tls_value = (int)me;
    memset(tls_big, (int)me, sizeof tls_big);
    for (int i = 0; i < 50; i++) {
        sched_yield();
        CHECK(tls_value == me && tls_big[i * 300] == (char)me);
    }
    return (void *)(me * me);
}

static void *sleeper(void *arg)
{
    pthread_cleanup_push((void (*)(void *))init, NULL);
    for (;;) {
        pause();
    }
    pthread_cleanup_pop(0);
    return arg;
}
static void *spinner(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    __atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
    for (volatile uint64_t n = 0;; n++) {
    }
    return NULL;
}

static sem_t ping, pong;
static void *ponger(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return arg;
}

static void *small_stack(void *arg)
{
    volatile char frame[4096];
    memset((void *)frame, 1, sizeof frame);
    return (char *)arg + frame[17];
}

static volatile sig_atomic_t got;
static pthread_t hit;
static void on_usr(int sig)
{
    (void)sig;
    got = pthread_equal(hit, pthread_self()) ? 1 : 2;
}
static void *target(void *arg)
{
    __atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
    while (!got) {
    }
    return NULL;
}

int main(void)
{
    uint64_t sum = 0;
    run(add_locked, T, &sum);
    CHECK(counter == 20000 * T && sum == T * (T - 1) / 2);
    ok("mutex");
    run(take_turns, T, NULL);
    CHECK(turn == 300 * T);
    ok("condition");
    pthread_barrier_init(&barrier, NULL, T);
    run(meet, T, NULL);
    ok("barrier");
    run(read_write, 4, NULL);
    CHECK(pair[0] == 3000);
    ok("rwlock");
    pthread_key_create(&key, destroy);
    sum = 0;
    run(locals, 16, &sum);
    CHECK(sum == 1240 && destroyed == 16 && inits == 1);
    ok("locals");

    pthread_t t;
    void *r;
    pthread_create(&t, NULL, sleeper, NULL);
    usleep(1000);
    pthread_cancel(t);
    pthread_join(t, &r);
    CHECK(r == PTHREAD_CANCELED && inits == 2);
    int up = 0;
    pthread_create(&t, NULL, spinner, &up);
    while (!__atomic_load_n(&up, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
    pthread_cancel(t);
    pthread_join(t, &r);
    CHECK(r == PTHREAD_CANCELED);
    ok("cancel");

    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    pthread_create(&t, NULL, ponger, NULL);
    for (int i = 0; i < 5000; i++) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    pthread_join(t, NULL);
    ok("semaphores");

    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 131072);
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_create(&t, &attr, small_stack, (void *)(long)i) == 0);
        pthread_join(t, &r);
        CHECK((long)r == i + 1);
    }
    ok("500 threads");

    signal(SIGUSR1, on_usr);
    up = 0;
    pthread_mutex_lock(&mutex);
    pthread_create(&hit, NULL, target, &up);
    pthread_mutex_unlock(&mutex);
    while (!__atomic_load_n(&up, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
    pthread_kill(hit, SIGUSR1);
    pthread_join(hit, NULL);
    CHECK(got == 1);
    ok("directed signal");
    return done();
}
