/* k.h - the frame of a benchmark kernel: `kernel(n)` does n units of work and returns a checksum;
 * main takes n from the command line and prints the checksum, which has to be the same on every
 * machine. */
#ifndef BENCH_GUEST_K_H
#define BENCH_GUEST_K_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t kernel(long n);

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1;
    printf("%016llx\n", (unsigned long long)kernel(n));
    return 0;
}

/* A xorshift generator. */
static inline uint64_t k_rand(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

#endif
