/* rng.h - random numbers of the differential test: one 64-bit seed, the same sequence everywhere. */
#ifndef ARMX_TESTS_DIFF_RNG_H
#define ARMX_TESTS_DIFF_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Rng {
    uint64_t s[2];
} Rng;

/* Mixes a counter into 64 good bits (splitmix64's finisher). */
static inline uint64_t rng_mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static inline void rng_seed(Rng *g, uint64_t seed)
{
    g->s[0] = rng_mix(seed);
    g->s[1] = rng_mix(g->s[0] ^ 0x5851f42d4c957f2d) | 1;
}

/* xoroshiro128+ */
static inline uint64_t rng(Rng *g)
{
    uint64_t a = g->s[0], b = g->s[1], r = a + b;
    b ^= a;
    g->s[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
    g->s[1] = b << 37 | b >> 27;
    return r;
}

/* 0 .. n - 1 */
static inline unsigned rng_below(Rng *g, unsigned n)
{
    return (unsigned)(((rng(g) >> 32) * n) >> 32);
}

/* True once in n times. */
static inline bool rng_one_in(Rng *g, unsigned n)
{
    return rng_below(g, n) == 0;
}

#endif
