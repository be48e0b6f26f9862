/* locks.c - two threads with a mutex, a spin lock and atomic counters. */
#include "k.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static uint64_t under_mutex, under_spin, atomic, cas;
static long rounds;

static void *work(void *arg)
{
    for (long i = 0; i < rounds; i++) {
        __atomic_fetch_add(&atomic, (uint64_t)i, __ATOMIC_SEQ_CST);
        if (i % 8 == 0) {
            pthread_mutex_lock(&mutex);
            under_mutex += 3;
            pthread_mutex_unlock(&mutex);
            pthread_spin_lock(&spin);
            under_spin += 5;
            pthread_spin_unlock(&spin);
        }
        uint64_t old = __atomic_load_n(&cas, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&cas, &old, old + 7, 1, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        }
    }
    return arg;
}

static uint64_t kernel(long n)
{
    pthread_t t[2];
    rounds = n * 2000000;
    pthread_spin_init(&spin, 0);
    for (int i = 0; i < 2; i++) {
        pthread_create(&t[i], NULL, work, NULL);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
    }
    return under_mutex * 31 + under_spin * 7 + atomic + cas;
}
