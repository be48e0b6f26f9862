// intops.c - integer arithmetic of all widths on edge and random values; the output is checksums.
// test: interp
#include "t.h"

static const uint64_t edge[] = {
    0,          1,          2,           3,           0x7f,        0x80,
    0xff,       0x100,      0x7fff,      0x8000,      0xffff,      0x10000,
    0x7fffffff, 0x80000000, 0xffffffff,  0x100000000, 1ull << 62,  0x7fffffffffffffff,
    1ull << 63, ~0ull,      ~0ull - 1,   0x5555555555555555,       0xaaaaaaaaaaaaaaaa,
};
enum { N_EDGE = sizeof edge / sizeof edge[0], N = 64 };

static uint64_t pick(int i, uint64_t *seed)
{
    return i < N_EDGE ? edge[i] : t_rand(seed) >> (t_rand(seed) & 63);
}

#define OPS(_)                                                                                     \
    _(add, x + y)                                                                                  \
    _(sub, x - y)                                                                                  \
    _(mul, x * y)                                                                                  \
    _(div, y ? x / y : 0)                                                                          \
    _(rem, y ? x % y : 0)                                                                          \
    _(and, x & y)                                                                                  \
    _(or, x | y)                                                                                   \
    _(bic, x & ~y)                                                                                 \
    _(eon, x ^ ~y)                                                                                 \
    _(shl, x << (y & (8 * sizeof x - 1)))                                                          \
    _(shr, x >> (y & (8 * sizeof x - 1)))                                                          \
    _(lt, x < y)                                                                                   \
    _(ge, x >= y)                                                                                  \
    _(max, x > y ? x : y)                                                                          \
    _(madd, x * y + x)                                                                             \
    _(msub, y - x * y)                                                                             \
    _(neg, -x)                                                                                     \
    _(ubfx, (x >> 3) & 31)                                                                         \
    _(sel, (x & 1) ? y : x + 1)

#define FUN(name, expr, type)                                                                      \
    static uint64_t name##_##type(uint64_t a, uint64_t b)                                          \
    {                                                                                              \
        type x = (type)a, y = (type)b;                                                             \
        return (type)(expr);                                                                       \
    }
#define ALL(name, expr)                                                                            \
    FUN(name, expr, uint8_t)                                                                       \
    FUN(name, expr, uint16_t)                                                                      \
    FUN(name, expr, uint32_t)                                                                      \
    FUN(name, expr, uint64_t)
OPS(ALL)

#define SDIV(type)                                                                                 \
    FUN(sdiv, y == 0 || (y == -1 && x < -100) ? 0 : x / y, type)                                   \
    FUN(srem, y == 0 || (y == -1 && x < -100) ? 0 : x % y, type)                                   \
    FUN(asr, x >> (y & (8 * sizeof x - 1)), type)
SDIV(int8_t)
SDIV(int16_t)
SDIV(int32_t)
SDIV(int64_t)

static void sum(const char *name, uint64_t (*f)(uint64_t, uint64_t))
{
    uint64_t h = T_HASH, seed = 1;
    for (int i = 0; i < N; i++) {
        uint64_t a = pick(i, &seed);
        for (int j = 0; j < N; j++) {
            h = (h ^ f(a, pick(j, &seed))) * 0x100000001b3u;
        }
    }
    printf("%-16s %016llx\n", name, (unsigned long long)h);
}
#define SUM(f) sum(#f, f)
#define ROW(name, expr)                                                                            \
    SUM(name##_uint8_t);                                                                           \
    SUM(name##_uint16_t);                                                                          \
    SUM(name##_uint32_t);                                                                          \
    SUM(name##_uint64_t);

static uint64_t umulh(uint64_t a, uint64_t b)
{
    return (uint64_t)(((unsigned __int128)a * b) >> 64);
}
static uint64_t smulh(uint64_t a, uint64_t b)
{
    return (uint64_t)(((__int128)(int64_t)a * (int64_t)b) >> 64);
}
static uint64_t add128(uint64_t a, uint64_t b)
{
    unsigned __int128 s = ((unsigned __int128)a << 64 | b) + ((unsigned __int128)b << 64 | a);
    return (uint64_t)(s >> 64) ^ (uint64_t)s;
}
static uint64_t div128(uint64_t a, uint64_t b)
{
    unsigned __int128 n = (unsigned __int128)a << 64 | b, d = (unsigned __int128)b << 7 | 1;
    return (uint64_t)(n / d) ^ (uint64_t)(n % d);
}
static uint64_t bits(uint64_t a, uint64_t b)
{
    uint64_t r = (uint64_t)__builtin_popcountll(a) + ((uint64_t)__builtin_bswap32((uint32_t)b) << 8);
    r ^= __builtin_bswap64(a) + __builtin_bswap16((uint16_t)b);
    r += a ? (uint64_t)__builtin_clzll(a) * 3 + (uint64_t)__builtin_ctzll(a) * 7 : 99;
    r += (uint32_t)b ? (uint64_t)__builtin_clz((uint32_t)b) * 11 : 5;
    return r + (uint64_t)__builtin_clrsbll((long long)a) * 1000;
}
static uint64_t overflow(uint64_t a, uint64_t b)
{
    int64_t s;
    int32_t w;
    uint64_t u;
    uint64_t r = __builtin_add_overflow((int64_t)a, (int64_t)b, &s);
    r = r * 2 + __builtin_sub_overflow((int64_t)a, (int64_t)b, &s);
    r = r * 2 + __builtin_mul_overflow((int64_t)a, (int64_t)b, &s);
    r = r * 2 + __builtin_add_overflow((int32_t)a, (int32_t)b, &w);
    r = r * 2 + __builtin_mul_overflow((int32_t)a, (int32_t)b, &w);
    r = r * 2 + __builtin_add_overflow(a, b, &u);
    return r * 2 + __builtin_sub_overflow(a, b, &u) + (uint64_t)s + (uint64_t)w + u;
}
static uint64_t widen(uint64_t a, uint64_t b)
{
    return (uint64_t)((int64_t)(int32_t)a * (int32_t)b) + (uint64_t)(uint32_t)a * (uint32_t)b +
           (uint64_t)(int8_t)a + (uint64_t)(int16_t)b + (uint8_t)b;
}
static uint64_t rotate(uint64_t a, uint64_t b)
{
    unsigned n = b & 63, m = b & 31;
    uint32_t w = (uint32_t)a;
    return (n ? a >> n | a << (64 - n) : a) ^ (m ? w >> m | w << (32 - m) : w) ^ (a >> 17 | b << 47);
}

int main(void)
{
    OPS(ROW)
    SUM(sdiv_int8_t);
    SUM(sdiv_int16_t);
    SUM(sdiv_int32_t);
    SUM(sdiv_int64_t);
    SUM(srem_int8_t);
    SUM(srem_int32_t);
    SUM(srem_int64_t);
    SUM(asr_int8_t);
    SUM(asr_int16_t);
    SUM(asr_int32_t);
    SUM(asr_int64_t);
    SUM(umulh);
    SUM(smulh);
    SUM(add128);
    SUM(div128);
    SUM(bits);
    SUM(overflow);
    SUM(widen);
    SUM(rotate);
    return done();
}
