// fpops.c - scalar floating point: arithmetic, fused, conversions, comparisons, rounding modes and
// exception flags, on edge and random values.  NaN results are made canonical before hashing,
// since their sign and payload are the architecture's own.
// test: interp libs=-lm cflags=-frounding-math,-fno-builtin armflags=-fno-trapping-math secs=90
#include "t.h"
#include <fenv.h>
#include <math.h>

static uint64_t canon(double d)
{
    uint64_t u;
    memcpy(&u, &d, 8);
    return d != d ? 0x7ff8000000000000u : u;
}
static uint64_t canonf(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return f != f ? 0x7fc00000u : u;
}

static double dval(int i, uint64_t *seed)
{
    static const double edge[] = {0.0,      -0.0,     1.0,        -1.0,      0.5,       1.5,
                                  2.5,      -2.5,     1e308,      -1e308,    1e-308,    4.9e-324,
                                  INFINITY, -INFINITY, 4294967296.0, 9223372036854775807.0,
                                  -9223372036854775808.0, 2147483647.5, 0.1, 3.0, 1e16, 1.7e-160};
    if (i < (int)(sizeof edge / sizeof edge[0])) {
        return edge[i];
    }
    uint64_t u = t_rand(seed);
    if (i & 1) {
        u = (u & 0x800fffffffffffffu) | (uint64_t)(1023 - 20 + t_rand(seed) % 40) << 52;
    }
    double d;
    memcpy(&d, &u, 8);
    return d != d ? 1.0 : d;
}
static float fval(int i, uint64_t *seed)
{
    float f = (float)dval(i, seed);
    return f;
}

#define NI __attribute__((noinline))
static NI double d_add(double a, double b) { return a + b; }
static NI double d_sub(double a, double b) { return a - b; }
static NI double d_mul(double a, double b) { return a * b; }
static NI double d_div(double a, double b) { return a / b; }
static NI double d_sqrt(double a, double b) { (void)b; return sqrt(fabs(a)); }
static NI double d_fma(double a, double b) { return fma(a, b, -a); }
static NI double d_fnma(double a, double b) { return -fma(a, a, b); }
static NI double d_rint(double a, double b) { (void)b; return rint(a); }
static NI double d_floor(double a, double b) { return floor(a) + ceil(b); }
static NI double d_trunc(double a, double b) { return trunc(a) - round(b); }
static NI double d_max(double a, double b) { return a == b ? a : fmax(a, b) + fmin(a, 1.0); }
static NI double d_narrow(double a, double b) { return (double)(float)a + (float)b; }
static NI float f_add(float a, float b) { return a + b; }
static NI float f_mul(float a, float b) { return a * b; }
static NI float f_div(float a, float b) { return a / b; }
static NI float f_sqrt(float a, float b) { (void)b; return sqrtf(fabsf(a)); }
static NI float f_fma(float a, float b) { return fmaf(a, b, b); }
static NI int cmp(double a, double b)
{
    return (a < b) | (a <= b) << 1 | (a > b) << 2 | (a >= b) << 3 | (a == b) << 4 | (a != b) << 5 |
           !!isunordered(a, b) << 6 | !!isgreater(a, b) << 7;
}
static NI uint64_t convert(double a)
{
    uint64_t h = 0;
    if (a > -2e9 && a < 2e9) {
        h = (uint64_t)(int32_t)a * 3 + (uint64_t)lrint(a) * 5;
    }
    if (a > -9e18 && a < 9e18) {
        h += (uint64_t)(int64_t)a * 7 + (uint64_t)llrint(a);
    }
    if (a > -0.5 && a < 1.8e19) {
        h += (uint64_t)a * 11;
    }
    return h;
}
static NI uint64_t from_int(uint64_t u)
{
    return canon((double)u) + canon((double)(int64_t)u) * 3 + canonf((float)u) * 5 +
           canonf((float)(int64_t)u) * 7 + canon((double)(uint32_t)u) + canonf((float)(int32_t)u);
}

typedef double (*Fn)(double, double);
typedef float (*Ff)(float, float);
static const struct {
    const char *name;
    Fn d;
    Ff f;
} ops[] = {
    {"add", d_add, f_add},   {"sub", d_sub, NULL},     {"mul", d_mul, f_mul},
    {"div", d_div, f_div},   {"sqrt", d_sqrt, f_sqrt}, {"fma", d_fma, f_fma},
    {"fnma", d_fnma, NULL},  {"rint", d_rint, NULL},   {"floor", d_floor, NULL},
    {"trunc", d_trunc, NULL}, {"max", d_max, NULL},    {"narrow", d_narrow, NULL},
};
/* Flags that both architectures raise alike: underflow differs in when tininess is seen. */
enum { FLAGS = FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_INEXACT };

static unsigned flags(void)
{
    int e = fetestexcept(FLAGS);
    return !!(e & FE_INVALID) | !!(e & FE_DIVBYZERO) << 1 | !!(e & FE_OVERFLOW) << 2 |
           !!(e & FE_INEXACT) << 3;
}

static void run_op(int k, int mode)
{
    uint64_t h = T_HASH, hf = T_HASH, fl = T_HASH, seed = 7;
    for (int i = 0; i < 40; i++) {
        double a = dval(i, &seed);
        float af = fval(i, &seed);
        for (int j = 0; j < 40; j++) {
            double b = dval(j, &seed);
            float bf = fval(j, &seed);
            fesetround(mode);
            feclearexcept(FE_ALL_EXCEPT);
            double r = ops[k].d(a, b);
            unsigned e = flags();
            float rf = 0;
            if (ops[k].f) {
                feclearexcept(FE_ALL_EXCEPT);
                rf = ops[k].f(af, bf);
                e |= flags() << 8;
            }
            fesetround(FE_TONEAREST);
            uint64_t c = canon(r), cf = canonf(rf);
            h = t_hash(h, &c, 8);
            hf = t_hash(hf, &cf, 8);
            fl = t_hash(fl, &e, 4);
        }
    }
    printf("  %-7s %016llx %016llx flags %08llx\n", ops[k].name, (unsigned long long)h,
           (unsigned long long)hf, (unsigned long long)fl >> 32);
}

int main(void)
{
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    static const char *const names[] = {"nearest", "upward", "downward", "zero"};
    for (int m = 0; m < 4; m++) {
        printf("%s\n", names[m]);
        for (unsigned k = 0; k < sizeof ops / sizeof ops[0]; k++) {
            run_op((int)k, modes[m]);
        }
        uint64_t h = T_HASH, seed = 3;
        for (int i = 0; i < 400; i++) {
            double a = dval(i % 80, &seed), b = dval((i * 7) % 80, &seed);
            uint64_t u = t_rand(&seed) >> (i & 63);
            fesetround(modes[m]);
            uint64_t r[3] = {convert(a), from_int(u), (uint64_t)cmp(a, b)};
            fesetround(FE_TONEAREST);
            h = t_hash(h, r, sizeof r);
        }
        printf("  convert %016llx\n", (unsigned long long)h);
    }
    volatile double nan = NAN, zero = 0;
    printf("nan compares %d %d, inf %d\n", cmp(nan, 1), cmp(nan, nan), cmp(1 / zero, -1 / zero));
    return done();
}
