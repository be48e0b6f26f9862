/* exceptions.cc - C++ exceptions thrown through several frames with destructors. */
#include "k.h"
#include <stdexcept>

static uint64_t dropped;
struct Guard {
    ~Guard() { dropped++; }
};

__attribute__((noinline)) static uint64_t deep(unsigned depth, unsigned i)
{
    Guard g;
    if (depth == 0) {
        if (i % 3 == 0) {
            throw i;
        }
        if (i % 3 == 1) {
            throw std::runtime_error("x");
        }
        return i;
    }
    return deep(depth - 1, i) + 1;
}

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    for (unsigned i = 0; i < n * 10000; i++) {
        try {
            h += deep(i % 7, i);
        } catch (unsigned v) {
            h = h * 3 + v;
        } catch (const std::exception &e) {
            h ^= (uint64_t)e.what()[0] << i % 16;
        }
    }
    return h + dropped;
}
