// neonk.c - loops that the compiler turns into vector code, and vectors of GCC's own type, in all
// element sizes: arithmetic, saturation, shifts, compares, shuffles, reductions, conversions.
// test: interp cflags=-O3 libs=-lm armflags=-fno-trapping-math
#include "t.h"

enum { N = 509 };
#define NI __attribute__((noinline))

static uint8_t u8[4][N];
static int16_t s16[4][N];
static uint32_t u32[4][N];
static int64_t s64[4][N];
static float f32[4][N];
static double f64[4][N];

static void fill(uint64_t seed)
{
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < N; i++) {
            uint64_t r = t_rand(&seed);
            u8[k][i] = (uint8_t)r;
            s16[k][i] = (int16_t)(r >> 8);
            u32[k][i] = (uint32_t)(r >> 16);
            s64[k][i] = (int64_t)(r ^ r << 31);
            f32[k][i] = (float)(int32_t)(r >> 20) / 4096.0f;
            f64[k][i] = (double)(int64_t)r / 1e9;
        }
    }
}

#define LOOP(name, array, expr)                                                                    \
    static NI void name(void)                                                                      \
    {                                                                                              \
        for (int i = 0; i < N; i++) {                                                              \
            expr;                                                                                  \
        }                                                                                          \
        report(#name, array, sizeof array);                                                        \
    }

static void report(const char *name, const void *p, size_t n)
{
    printf("%-14s %016llx\n", name, (unsigned long long)t_hash(T_HASH, p, n));
}

static NI uint8_t sat8(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}
static inline int16_t clip16(int v)
{
    return (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
}

LOOP(add8, u8[0], u8[0][i] = (uint8_t)(u8[1][i] + u8[2][i]))
LOOP(avg8, u8[0], u8[0][i] = (uint8_t)((u8[1][i] + u8[2][i] + 1) >> 1))
LOOP(absd8, u8[0], u8[0][i] = (uint8_t)(u8[1][i] > u8[2][i] ? u8[1][i] - u8[2][i] : u8[2][i] - u8[1][i]))
LOOP(sat8s, u8[0], u8[0][i] = sat8(u8[1][i] + u8[2][i] - 100))
LOOP(mul16, s16[0], s16[0][i] = (int16_t)(s16[1][i] * s16[2][i]))
LOOP(clip16s, s16[0], s16[0][i] = clip16(s16[1][i] + s16[2][i]))
LOOP(mulh16, s16[0], s16[0][i] = (int16_t)((s16[1][i] * s16[2][i]) >> 16))
LOOP(widen8, s16[0], s16[0][i] = (int16_t)(s16[3][i] + u8[1][i] * u8[2][i]))
LOOP(narrow16, u8[0], u8[0][i] = (uint8_t)(s16[1][i] >> 5))
LOOP(shift32, u32[0], u32[0][i] = u32[1][i] << (u32[2][i] & 31) ^ u32[3][i] >> (u32[1][i] & 31))
LOOP(sel32, u32[0], u32[0][i] = u32[1][i] > u32[2][i] ? u32[3][i] : u32[1][i] ^ 0x55)
LOOP(mla32, u32[0], u32[0][i] += u32[1][i] * u32[2][i])
LOOP(popc, u32[0], u32[0][i] = (uint32_t)__builtin_popcount(u32[1][i]))
LOOP(clz, u32[0], u32[0][i] = u32[1][i] ? (uint32_t)__builtin_clz(u32[1][i]) : 32)
LOOP(bswap, u32[0], u32[0][i] = __builtin_bswap32(u32[1][i]))
LOOP(add64, s64[0], s64[0][i] = (int64_t)((uint64_t)s64[1][i] + (uint64_t)s64[2][i]) >> 7)
LOOP(cmp64, s64[0], s64[0][i] = s64[1][i] < s64[2][i] ? -1 : s64[1][i] == s64[3][i])
LOOP(addf, f32[0], f32[0][i] = f32[1][i] + f32[2][i] * f32[3][i])
LOOP(maxf, f32[0], f32[0][i] = f32[1][i] > f32[2][i] ? f32[1][i] : f32[2][i])
LOOP(divf, f32[0], f32[0][i] = f32[1][i] / (f32[2][i] == 0 ? 1.0f : f32[2][i]))
LOOP(sqrtf_, f32[0], f32[0][i] = __builtin_sqrtf(__builtin_fabsf(f32[1][i])))
LOOP(addd, f64[0], f64[0][i] = f64[1][i] - f64[2][i] * f64[3][i])
LOOP(roundd, f64[0], f64[0][i] = __builtin_floor(f64[1][i]) + __builtin_trunc(f64[2][i]))
LOOP(f2i, u32[0], u32[0][i] = (uint32_t)(int32_t)(f32[1][i] / 1024.0f))
LOOP(i2f, f32[0], f32[0][i] = (float)(int32_t)u32[1][i] + (float)s16[2][i])
LOOP(f2d, f64[0], f64[0][i] = f32[1][i] * 3.0)
LOOP(d2f, f32[0], f32[0][i] = (float)f64[1][i])
LOOP(d2i, s64[0], s64[0][i] = (int64_t)f64[1][i])
LOOP(inter2, u8[0], u8[0][i & ~1] = u8[1][i]; u8[0][i | (i + 1 < N)] = u8[2][i])

static NI void planes(void)
{
    static uint8_t rgb[3 * 200], y[200], rgba[4 * 200];
    for (int i = 0; i < 600; i++) {
        rgb[i] = u8[i / N][i % N];
    }
    for (int i = 0; i < 200; i++) {
        y[i] = (uint8_t)((66 * rgb[3 * i] + 129 * rgb[3 * i + 1] + 25 * rgb[3 * i + 2] + 128) >> 8);
        rgba[4 * i] = rgb[3 * i + 2];
        rgba[4 * i + 1] = rgb[3 * i + 1];
        rgba[4 * i + 2] = rgb[3 * i];
        rgba[4 * i + 3] = y[i];
    }
    report("planes", rgba, sizeof rgba);
}

static NI void reduce(void)
{
    uint32_t sum8 = 0, max32 = 0, dot = 0;
    int64_t sum16 = 0, min64 = INT64_MAX;
    for (int i = 0; i < N; i++) {
        sum8 += u8[1][i];
        dot += (uint32_t)u8[1][i] * u8[2][i];
        sum16 += s16[1][i];
        max32 = u32[1][i] > max32 ? u32[1][i] : max32;
        min64 = s64[1][i] < min64 ? s64[1][i] : min64;
    }
    printf("reduce %u %u %lld %u %lld\n", sum8, dot, (long long)sum16, max32, (long long)min64);
}

typedef uint8_t V8 __attribute__((vector_size(16)));
typedef int32_t V32 __attribute__((vector_size(16)));
typedef uint64_t V64 __attribute__((vector_size(16)));
typedef float F32 __attribute__((vector_size(16)));

static NI void vectors(void)
{
    V8 a, b;
    memcpy(&a, u8[1], 16);
    memcpy(&b, u8[2], 16);
    V8 idx = a & 15;
    V8 out[6];
    out[0] = __builtin_shuffle(a, b, a & 31);
    out[1] = __builtin_shuffle(b, idx);
    out[2] = (V8)(((V32)a * (V32)b) - ((V32)a >> 3));
    out[3] = (V8)(((V64)a << 13) ^ ((V64)b >> 51));
    out[4] = (V8)((V32)a > (V32)b) | (V8)(a == (b & 0xf0));
    F32 f = __builtin_convertvector((V32)a >> 8, F32) * 0.5f;
    out[5] = (V8)(f + __builtin_convertvector((V32)b >> 4, F32));
    report("vectors", out, sizeof out);
}

int main(void)
{
    for (uint64_t round = 1; round <= 3; round++) {
        fill(round);
        add8(); avg8(); absd8(); sat8s(); mul16(); clip16s(); mulh16(); widen8(); narrow16();
        shift32(); sel32(); mla32(); popc(); clz(); bswap(); add64(); cmp64();
        addf(); maxf(); divf(); sqrtf_(); addd(); roundd(); f2i(); i2f(); f2d(); d2f(); d2i();
        inter2(); planes(); reduce(); vectors();
    }
    return done();
}
