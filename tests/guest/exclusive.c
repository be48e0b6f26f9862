// exclusive.c - exclusives as the architecture defines them: a store-exclusive fails after any
// store of another thread to the location, also one that brought the old value back (A-B-A);
// CLREX, sizes, pairs, and code between the two.
// test: arm secs=60
#define _GNU_SOURCE
#include "t.h"
#include <pthread.h>
#include <sched.h>

static _Alignas(64) volatile uint64_t cell = 1;
static volatile int step;

static inline uint64_t ldxr(volatile uint64_t *p)
{
    uint64_t v;
    __asm__ volatile("ldaxr %0, %1" : "=r"(v) : "Q"(*p) : "memory");
    return v;
}
static inline int stxr(volatile uint64_t *p, uint64_t v)
{
    int fail;
    __asm__ volatile("stlxr %w0, %2, %1" : "=&r"(fail), "=Q"(*p) : "r"(v) : "memory");
    return fail;
}

enum { ROUNDS = 1000 };

static void *other(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) != 2 * i + 1) {
            sched_yield();
        }
        __atomic_store_n(&cell, 2, __ATOMIC_RELEASE);
        __atomic_store_n(&cell, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&step, 2 * i + 2, __ATOMIC_RELEASE);
    }
    return arg;
}

static void aba(void)
{
    pthread_t t;
    int succeeded = 0;
    pthread_create(&t, NULL, other, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t v = ldxr(&cell);
        CHECK(v == 1);
        __atomic_store_n(&step, 2 * i + 1, __ATOMIC_RELEASE);
        /* No system call here: its exception return would clear the monitor. */
        while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) != 2 * i + 2) {
            __asm__ volatile("yield");
        }
        succeeded += stxr(&cell, 1) == 0;
    }
    pthread_join(t, NULL);
    printf("A-B-A stores that succeeded: %d\n", succeeded);
}

/* A lock-free stack whose nodes are reused at once: A-B-A would corrupt it. */
struct node {
    struct node *next;
    uint64_t value;
};
static struct node nodes[8];
static struct node *volatile top;

static __attribute__((noinline)) struct node *pop(void)
{
    for (;;) {
        struct node *n = (struct node *)ldxr((volatile uint64_t *)&top);
        if (!n) {
            __asm__ volatile("clrex");
            return NULL;
        }
        struct node *next = *(struct node *volatile *)&n->next;
        if (stxr((volatile uint64_t *)&top, (uint64_t)next) == 0) {
            return n;
        }
    }
}
static __attribute__((noinline)) void push(struct node *n)
{
    for (;;) {
        uint64_t old = ldxr((volatile uint64_t *)&top);
        *(struct node *volatile *)&n->next = (struct node *)old;
        if (stxr((volatile uint64_t *)&top, (uint64_t)n) == 0) {
            return;
        }
    }
}
static int owned[8];
static void *stack_user(void *arg)
{
    uint64_t seed = (uint64_t)arg + 1;
    for (int i = 0; i < 20000; i++) {
        struct node *a = pop(), *b = t_rand(&seed) & 1 ? pop() : NULL;
        if (a) {
            CHECK(__atomic_exchange_n(&owned[a - nodes], 1, __ATOMIC_SEQ_CST) == 0);
        }
        if (b) {
            CHECK(__atomic_exchange_n(&owned[b - nodes], 1, __ATOMIC_SEQ_CST) == 0);
        }
        if (a) {
            __atomic_store_n(&owned[a - nodes], 0, __ATOMIC_SEQ_CST);
            push(a);
        }
        if (b) {
            __atomic_store_n(&owned[b - nodes], 0, __ATOMIC_SEQ_CST);
            push(b);
        }
    }
    return NULL;
}

static void single(void)
{
    uint64_t v = ldxr(&cell);
    __asm__ volatile("clrex");
    CHECK(stxr(&cell, v) == 1);
    /* Without a load-exclusive the store fails. */
    CHECK(stxr(&cell, 9) == 1 && cell == v);
    v = ldxr(&cell);
    CHECK(stxr(&cell, v + 5) == 0 && cell == v + 5);
    /* A second store has no monitor left. */
    CHECK(stxr(&cell, 0) == 1);
    /* Pairs. */
    static _Alignas(16) uint64_t pair[2] = {3, 4};
    uint64_t a, b;
    int fail;
    do {
        __asm__ volatile("ldxp %0, %1, [%2]" : "=&r"(a), "=&r"(b) : "r"(pair) : "memory");
        __asm__ volatile("stxp %w0, %1, %2, [%3]" : "=&r"(fail) : "r"(b), "r"(a), "r"(pair) : "memory");
    } while (fail);
    CHECK(pair[0] == 4 && pair[1] == 3);
    uint32_t half[2] = {0x11111111, 0x22222222}, w0, w1;
    do {
        __asm__ volatile("ldaxp %w0, %w1, [%2]" : "=&r"(w0), "=&r"(w1) : "r"(half) : "memory");
        __asm__ volatile("stlxp %w0, %w1, %w2, [%3]" : "=&r"(fail) : "r"(w1), "r"(w0), "r"(half) : "memory");
    } while (fail);
    CHECK(half[0] == 0x22222222 && half[1] == 0x11111111);
    uint8_t byte = 0xfe;
    uint16_t hw = 0xfffe;
    uint32_t r;
    for (int i = 0; i < 4; i++) {
        do {
            __asm__ volatile("ldxrb %w0, [%1]" : "=r"(r) : "r"(&byte) : "memory");
            __asm__ volatile("stxrb %w0, %w1, [%2]" : "=&r"(fail) : "r"(r + 1), "r"(&byte) : "memory");
        } while (fail);
        do {
            __asm__ volatile("ldaxrh %w0, [%1]" : "=r"(r) : "r"(&hw) : "memory");
            __asm__ volatile("stlxrh %w0, %w1, [%2]" : "=&r"(fail) : "r"(r + 1), "r"(&hw) : "memory");
        } while (fail);
    }
    CHECK(byte == 2 && hw == 2);
    ok("single thread");
}

int main(void)
{
    single();
    cell = 1;
    aba();
    for (int i = 0; i < 8; i++) {
        push(&nodes[i]);
    }
    pthread_t t[4];
    for (long i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, stack_user, (void *)i);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    int left = 0;
    while (pop()) {
        left++;
    }
    CHECK(left == 8);
    ok("stack");
    return done();
}
