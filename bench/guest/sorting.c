/* sorting.c - qsort with a comparison by pointer: the C library, indirect calls, memory. */
#include "k.h"

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t kernel(long n)
{
    enum { N = 200000 };
    static uint32_t v[N];
    uint64_t seed = 88172645463325252u, sum = 0;
    for (long r = 0; r < n * 5; r++) {
        for (int i = 0; i < N; i++) {
            v[i] = (uint32_t)k_rand(&seed);
        }
        qsort(v, N, sizeof v[0], by_value);
        sum = sum * 31 + v[N / 2] + v[17];
    }
    return sum;
}
