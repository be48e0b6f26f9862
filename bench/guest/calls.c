/* calls.c - calls and returns: chains of small functions that are not inlined, with many arguments. */
#include "k.h"

#define NOINLINE __attribute__((noinline, noclone))

static NOINLINE uint64_t leaf(uint64_t a, uint64_t b) { return (a ^ b) * 3 + (a >> 5); }
static NOINLINE uint64_t six(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    return leaf(a + d, b ^ e) + leaf(c, f);
}
static NOINLINE uint64_t mid(uint64_t a, uint64_t b) { return six(a, b, a + 1, b + 1, a ^ b, a & b) + leaf(b, a); }
static NOINLINE uint64_t top(uint64_t a, uint64_t b) { return mid(a, b) ^ mid(b, a + 7); }

static uint64_t kernel(long n)
{
    uint64_t h = 1;
    for (long i = 0; i < n * 1000000; i++) {
        h = top(h, (uint64_t)i);
    }
    return h;
}
