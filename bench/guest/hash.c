/* hash.c - a hash table with open addressing: insert, look up, delete; a chase through memory. */
#include "k.h"

enum { BITS = 17, SIZE = 1 << BITS };
static uint64_t key[SIZE], value[SIZE];

static unsigned place(uint64_t k)
{
    unsigned i = (unsigned)((k * 0x9e3779b97f4a7c15u) >> (64 - BITS));
    while (key[i] && key[i] != k) {
        i = (i + 1) & (SIZE - 1);
    }
    return i;
}

static uint64_t kernel(long n)
{
    uint64_t seed = 99, h = 0;
    for (long r = 0; r < n * 10; r++) {
        memset(key, 0, sizeof key);
        for (int i = 0; i < SIZE / 2; i++) {
            uint64_t k = (k_rand(&seed) & 0xfffff) + 1;
            unsigned p = place(k);
            key[p] = k;
            value[p] += (uint64_t)i;
        }
        for (int i = 0; i < SIZE; i++) {
            unsigned p = place((uint64_t)i * 7 + 1);
            h += key[p] ? value[p] : 1;
        }
    }
    return h;
}
