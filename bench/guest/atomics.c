/* atomics.c - atomic operations of one thread: add, or, exchange, compare and swap, of 32 and 64 bits. Built with the
 * LSE instructions and with exclusive loads and stores. */
#include "k.h"

static uint64_t kernel(long n)
{
    static uint64_t a, b, c;
    static uint32_t d;
    for (long i = 0; i < n * 1000000; i++) {
        uint64_t old = __atomic_fetch_add(&a, (uint64_t)i, __ATOMIC_SEQ_CST);
        __atomic_fetch_or(&d, (uint32_t)1 << (i & 31), __ATOMIC_RELAXED);
        b += __atomic_exchange_n(&c, old, __ATOMIC_ACQ_REL);
        __atomic_compare_exchange_n(&c, &old, old + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
        __atomic_fetch_xor(&d, (uint32_t)old, __ATOMIC_RELEASE);
    }
    return a ^ b ^ c ^ d;
}
