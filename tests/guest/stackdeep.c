// stackdeep.c - deep recursion, mutual recursion, functions that return through many levels, and
// jumps out of the depth: what a predictor of returns must survive.
// test: dyn interp secs=180
#define _GNU_SOURCE
#include "t.h"
#include <pthread.h>
#include <setjmp.h>

#define NI __attribute__((noinline))
static jmp_buf env[64];
static volatile uint64_t zero;

static NI uint64_t deep(uint64_t n)
{
    return n == 0 ? zero : deep(n - 1) + (n & 3) + zero;
}
static NI uint64_t odd(uint64_t n);
static NI uint64_t even(uint64_t n)
{
    return n == 0 ? 1 : odd(n - 1) + zero;
}
static NI uint64_t odd(uint64_t n)
{
    return n == 0 ? 0 : even(n - 1) + zero;
}
static NI uint64_t leave(uint64_t n)
{
    if (n == 0) {
        longjmp(env[0], 7);
    }
    return leave(n - 1) + 1;
}
/* Saves a place at each of some levels, then jumps outwards one by one. */
static NI uint64_t ladder(int level)
{
    volatile uint64_t sum = 0;
    int r = setjmp(env[level]);
    if (r == 0) {
        if (level < 60) {
            sum += ladder(level + 1);
        } else {
            longjmp(env[level], 100);
        }
    } else {
        sum += (uint64_t)r;
        if (level > 1 && level % 7 == 0) {
            longjmp(env[level - 1], r + level);
        }
    }
    return sum + 1;
}
static NI void tail(uint64_t n, uint64_t *sum)
{
    *sum += n;
    if (n) {
        tail(n - 1, sum);
    }
}
static void *thread(void *arg)
{
    return (void *)deep((uint64_t)arg);
}
static uint64_t tree(int depth, uint64_t (*f)(uint64_t))
{
    return depth == 0 ? f((uint64_t)depth) : tree(depth - 1, f) + tree(depth - 1, depth & 1 ? even : odd);
}

int main(void)
{
    pthread_t t;
    pthread_attr_t attr;
    void *r;
    pthread_attr_init(&attr);
    CHECK(pthread_attr_setstacksize(&attr, 512u << 20) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&t, &attr, thread, (void *)3000000L) == 0);
        pthread_join(t, &r);
        printf("deep %lu\n", (unsigned long)r);
    }
    printf("even %d odd %d\n", (int)even(50000), (int)odd(50000));
    for (int i = 0; i < 300; i++) {
        if (setjmp(env[0]) == 0) {
            leave((uint64_t)(i * 10));
            CHECK(0);
        }
    }
    ok("leave");
    printf("ladder %llu\n", (unsigned long long)ladder(1));
    uint64_t sum = 0;
    tail(100000, &sum);
    printf("tail %llu tree %llu\n", (unsigned long long)sum, (unsigned long long)tree(14, even));
    return done();
}
