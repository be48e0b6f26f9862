// queue.c - a lock-free queue and a mutex ping-pong with 16 threads for a time given in seconds:
// nothing is lost, doubled or reordered per producer.
// test: long secs=200 args=60
#define _GNU_SOURCE
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { T = 16, SIZE = 1024 };

/* A bounded queue of many producers and consumers: each cell has a sequence number. */
static struct {
    _Atomic uint64_t sequence;
    uint64_t value;
} cells[SIZE];
static _Alignas(64) _Atomic uint64_t head;
static _Alignas(64) _Atomic uint64_t tail;
static _Atomic int stop, producers;
static _Atomic uint64_t pushed, popped, sum_in, sum_out;

static int push(uint64_t v)
{
    uint64_t at = atomic_load_explicit(&tail, memory_order_relaxed);
    for (;;) {
        uint64_t s = atomic_load_explicit(&cells[at % SIZE].sequence, memory_order_acquire);
        if (s == at) {
            if (atomic_compare_exchange_weak_explicit(&tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
                cells[at % SIZE].value = v;
                atomic_store_explicit(&cells[at % SIZE].sequence, at + 1, memory_order_release);
                return 1;
            }
        } else if ((int64_t)(s - at) < 0) {
            return 0;
        } else {
            at = atomic_load_explicit(&tail, memory_order_relaxed);
        }
    }
}
static int pop(uint64_t *v)
{
    uint64_t at = atomic_load_explicit(&head, memory_order_relaxed);
    for (;;) {
        uint64_t s = atomic_load_explicit(&cells[at % SIZE].sequence, memory_order_acquire);
        if (s == at + 1) {
            if (atomic_compare_exchange_weak_explicit(&head, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
                *v = cells[at % SIZE].value;
                atomic_store_explicit(&cells[at % SIZE].sequence, at + SIZE, memory_order_release);
                return 1;
            }
        } else if ((int64_t)(s - at - 1) < 0) {
            return 0;
        } else {
            at = atomic_load_explicit(&head, memory_order_relaxed);
        }
    }
}

static void *produce(void *arg)
{
    uint64_t me = (uint64_t)arg, n = 0, sum = 0;
    while (!stop) {
        uint64_t v = me << 48 | ++n;
        while (!push(v)) {
            sched_yield();
        }
        sum += v;
    }
    pushed += n;
    sum_in += sum;
    producers--;
    return NULL;
}
static void *consume(void *arg)
{
    uint64_t last[T] = {0}, v, n = 0, sum = 0;
    for (;;) {
        if (pop(&v)) {
            uint64_t from = v >> 48, k = v & 0xffffffffffff;
            CHECK(k > last[from]);
            last[from] = k;
            n++;
            sum += v;
        } else if (producers == 0 && head == tail) {
            break;
        } else {
            sched_yield();
        }
    }
    popped += n;
    sum_out += sum;
    return arg;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond[T];
static uint64_t turn;
static void *ping_pong(void *arg)
{
    uint64_t me = (uint64_t)arg;
    pthread_mutex_lock(&mutex);
    while (!stop) {
        while (turn % T != me && !stop) {
            pthread_cond_wait(&cond[me], &mutex);
        }
        if (!stop) {
            turn++;
        }
        pthread_cond_signal(&cond[(me + 1) % T]);
    }
    for (int i = 0; i < T; i++) {
        pthread_cond_signal(&cond[i]);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void run(void *(*f[2])(void *), double seconds)
{
    pthread_t t[T];
    stop = 0;
    producers = T / 2;
    for (long i = 0; i < T; i++) {
        pthread_create(&t[i], NULL, f[i >= T / 2], (void *)i);
    }
    struct timespec ts = {(time_t)seconds, (long)((seconds - (long)seconds) * 1e9)};
    nanosleep(&ts, NULL);
    stop = 1;
    for (int i = 0; i < T; i++) {
        pthread_join(t[i], NULL);
    }
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) / 2 : 1;
#ifndef __aarch64__
    seconds = 0.5;
#endif
    for (uint64_t i = 0; i < SIZE; i++) {
        cells[i].sequence = i;
        pthread_cond_init(&cond[i % T], NULL);
    }
    run((void *(*[2])(void *)){produce, consume}, seconds);
    CHECK(pushed == popped && sum_in == sum_out && pushed > 1000);
    ok("queue");
    run((void *(*[2])(void *)){ping_pong, ping_pong}, seconds);
    CHECK(turn > 100);
    ok("ping-pong");
    return done();
}
