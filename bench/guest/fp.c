/* fp.c - scalar floating point: chains of double and single operations, division, square root, conversions. Built as
 * the rows fp-double and fp-single. */
#include "k.h"
#ifndef REAL
#define REAL double
#endif

static uint64_t kernel(long n)
{
    REAL x = 1, y = (REAL)0.5, z = (REAL)0.25, s = 0;
    int64_t k = 0;
    for (long i = 0; i < n * 1000000; i++) {
        REAL u = x * y + z, v = y - z * (REAL)0.999, w = u / (v + 2);
        x = w < 4 ? w + (REAL)0.125 : w - 3;
        y = u > 1 ? u - (REAL)0.75 : u + (REAL)0.25;
        z = (REAL)(i & 255) * (REAL)0.00390625;
        s += x - y;
        k += (int64_t)(s * 16);
    }
    return (uint64_t)k + (uint64_t)(int64_t)(s * 1000);
}
