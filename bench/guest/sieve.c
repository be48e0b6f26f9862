/* sieve.c - the sieve of Eratosthenes, bytes and bits. */
#include "k.h"

enum { N = 1 << 20 };
static uint8_t mark[N];
static uint64_t bit[N / 64];

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    for (long r = 0; r < n * 10; r++) {
        memset(mark, 1, sizeof mark);
        for (unsigned i = 2; i * i < N; i++) {
            for (unsigned j = i * i; mark[i] && j < N; j += i) {
                mark[j] = 0;
            }
        }
        memset(bit, 0, sizeof bit);
        for (unsigned i = 3; i < N; i += 2) {
            if (!(bit[i / 64] >> i % 64 & 1)) {
                for (unsigned j = 3 * i; j < N; j += 2 * i) {
                    bit[j / 64] |= (uint64_t)1 << j % 64;
                }
                h += i ^ (uint64_t)r;
            }
        }
        for (unsigned i = 2; i < N; i++) {
            h += mark[i];
        }
    }
    return h;
}
