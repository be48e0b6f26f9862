/* intloop.c - integer arithmetic in a loop, with a few predictable branches. */
#include "k.h"

static uint64_t kernel(long n)
{
    uint64_t a = 1, b = 0x9e3779b97f4a7c15, c = 7;
    for (long i = 0; i < n * 10000000; i++) {
        a = a * 31 + (b >> 3);
        b ^= a << 5;
        c += (a & 1) ? b : (uint64_t)i;
        if ((c & 0xff) == 7) {
            a += c >> 8;
        }
    }
    return a ^ b ^ c;
}
