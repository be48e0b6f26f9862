// tbi.c - top-byte-ignore: tagged addresses in loads, stores, pairs, vectors, atomics, branches;
// the tag stays in write-back results, and system calls refuse or accept tags as Linux does.
// test: arm interp
#define _GNU_SOURCE
#include "t.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static char buffer[256] __attribute__((aligned(64)));

static void *tag(void *p, unsigned t)
{
    return (void *)((uintptr_t)p | (uintptr_t)t << 56);
}
static int twice(int x)
{
    return 2 * x;
}

int main(void)
{
    uint64_t sum = 0;
    for (unsigned t = 0; t < 256; t++) {
        volatile uint64_t *p = tag(buffer, t);
        p[0] = t * 3;
        p[1] = t;
        sum += ((volatile uint64_t *)buffer)[0] + p[1];
        volatile uint8_t *b = tag(buffer + 17, t);
        *b = (uint8_t)t;
        sum += (uint8_t)buffer[17];
        volatile double *d = tag(buffer + 64, t);
        *d = t * 0.5;
        sum += (uint64_t)(*(double *)(buffer + 64) * 2);
        __atomic_fetch_add((uint64_t *)tag(buffer + 128, t), t, __ATOMIC_SEQ_CST);
        memcpy(tag(buffer + 160, t), tag(buffer, 255 - t), 24);
        sum += (uint64_t)memcmp(buffer + 160, buffer, 24);
    }
    printf("sum %llu, atomics %llu\n", (unsigned long long)sum,
           (unsigned long long)*(uint64_t *)(buffer + 128));

    uint64_t *p = tag(buffer, 0x5a), value = 0;
    __asm__ volatile("ldr %0, [%1], #8" : "=r"(value), "+r"(p) : : "memory");
    CHECK((uintptr_t)p == ((uintptr_t)tag(buffer, 0x5a) + 8));
    int (*f)(int) = (int (*)(int))tag((void *)twice, 0x7f);
    printf("call %d\n", f(21));

    int fds[2];
    CHECK(pipe(fds) == 0);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, PR_TAGGED_ADDR_ENABLE, 0, 0, 0) == 0);
    CHECK(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == PR_TAGGED_ADDR_ENABLE);
    errno = 0;
    CHECK(write(fds[1], tag("hello", 0x33), 5) == 5);
    CHECK(read(fds[0], tag(buffer, 0x44), 5) == 5 && memcmp(buffer, "hello", 5) == 0);
    errno = 0;
    CHECK(mmap(tag(buffer, 1), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    ok("tags");
    return done();
}
