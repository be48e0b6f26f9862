/* fib.c - calls and returns. */
#include "k.h"

static __attribute__((noinline)) uint64_t fib(unsigned m)
{
    return m < 2 ? m : fib(m - 1) + fib(m - 2);
}

static uint64_t kernel(long n)
{
    uint64_t sum = 0;
    for (long i = 0; i < n; i++) {
        sum = sum * 3 + fib(32);
    }
    return sum;
}
