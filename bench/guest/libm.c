/* libm.c - the mathematical library: exp, log, pow, sin, cos, atan2, cbrt, and their single versions. */
#include "k.h"
#include <math.h>

static uint64_t kernel(long n)
{
    double s = 0;
    float f = 0;
    for (long i = 1; i <= n * 100000; i++) {
        double x = (double)(i % 1000) * 0.01 + 0.001;
        s += exp(-x) + log(x) + pow(x, 1.5) + sin(x) * cos(x) + atan2(x, 2) + cbrt(x);
        f += expf(-(float)x) + logf((float)x) + sinf((float)x);
    }
    return (uint64_t)(s * 4096) + (uint64_t)(int64_t)f; /* the libraries of both machines agree to more than that */
}
