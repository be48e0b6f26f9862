// jit.c - code made at run time: fresh, patched in place, written through a second mapping of the
// same file, unmapped and replaced, made by one thread and run by others.
// test: dyn interp secs=60
#define _GNU_SOURCE
#include "code.h"
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t (*Fn)(uint64_t);

static void flush(void *p, size_t n)
{
    __builtin___clear_cache((char *)p, (char *)p + n);
}

static uint64_t patched_in_place(int prot_dance)
{
    char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t h = 0;
    for (unsigned i = 0; i < 2000; i++) {
        if (prot_dance) {
            mprotect(m, 4096, PROT_READ | PROT_WRITE);
        }
        size_t n = make_add(m + 64, i);
        if (prot_dance) {
            mprotect(m, 4096, PROT_READ | PROT_EXEC);
        }
        flush(m + 64, n);
        uint64_t r = ((Fn)(m + 64))(1000);
        CHECK(r == 1000 + i);
        h = h * 31 + r;
    }
    munmap(m, 4096);
    return h;
}

static void dual_mapped(void)
{
    int fd = memfd_create("code", 0);
    CHECK(ftruncate(fd, 8192) == 0);
    char *w = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *x = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    for (unsigned i = 0; i < 1000; i++) {
        size_t n = make_add(w + 128 * (i % 60), i);
        flush(w + 128 * (i % 60), n);
        flush(x + 128 * (i % 60), n);
        CHECK(((Fn)(x + 128 * (i % 60)))(5) == 5 + i);
        /* Its neighbours still are what they were. */
        if (i >= 60) {
            CHECK(((Fn)(x + 128 * ((i + 1) % 60)))(5) == 5 + i - 59);
        }
    }
    /* Written by pwrite(2), without a mapping. */
    char code[16];
    size_t n = make_add(code, 4000);
    CHECK(pwrite(fd, code, n, 128 * 3) == (ssize_t)n);
    flush(x + 128 * 3, n);
    CHECK(((Fn)(x + 128 * 3))(1) == 4001);
    munmap(w, 8192);
    munmap(x, 8192);
    close(fd);
    ok("dual mapping");
}

static void remapped(void)
{
    char *at = mmap(NULL, (1 << 20) + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < 300; i++) {
        char *m = mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(m == at);
        size_t n = make_add(m, i);
        mprotect(m, 4096, PROT_READ | PROT_EXEC);
        flush(m, n);
        CHECK(((Fn)m)(7) == 7 + i);
        if (i % 3 == 0) {
            munmap(m, 4096);
        } else if (i % 3 == 1) {
            /* Moved elsewhere, code runs there. */
            char *moved = mremap(m, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at + (1 << 20));
            CHECK(((Fn)moved)(9) == 9 + i);
        }
    }
    ok("remapped");
}

static char *shared;
static volatile int version, seen[3], stop;
static void *runner(void *arg)
{
    long me = (long)arg;
    while (!stop) {
        int v = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
        __asm__ volatile("" ::: "memory");
#ifdef __aarch64__
        __asm__ volatile("isb");
#endif
        uint64_t r = ((Fn)shared)(100);
        CHECK((int)r - 100 == v || (int)r - 100 == v + 1);
        __atomic_store_n(&seen[me], v, __ATOMIC_RELEASE);
        sched_yield();
    }
    return NULL;
}

/* One thread replaces a function that others keep calling; every caller sees each version. */
static void threaded(void)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t n = make_add(shared, 0);
    flush(shared, n);
    pthread_t t[3];
    for (long i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, runner, (void *)i);
    }
    for (int v = 1; v <= 100; v++) {
        char code[16];
        make_add(code, (unsigned)v);
#ifdef __aarch64__
        __atomic_store_n((uint32_t *)shared, *(uint32_t *)code, __ATOMIC_RELEASE);
#else
        __atomic_store_n((uint64_t *)shared, *(uint64_t *)code, __ATOMIC_RELEASE);
#endif
        flush(shared, n);
        __atomic_store_n(&version, v, __ATOMIC_RELEASE);
        for (int i = 0; i < 3; i++) {
            while (__atomic_load_n(&seen[i], __ATOMIC_ACQUIRE) < v) {
                sched_yield();
            }
        }
    }
    stop = 1;
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    ok("threads");
}

/* Flags that code at L overwrote, until it was replaced by code that reads them: near L, in its page, from another. */
static void flags_read_later(void)
{
#ifdef __aarch64__
    static const unsigned from[] = {4096 + 256, 4096, 8192 - 8, 0, 12288};
    for (unsigned i = 0; i < 2 * sizeof from / sizeof from[0]; i++) {
        char *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        unsigned at = from[i / 2], to = i & 1 ? 4096 + 2048 : 4096 + 320;
        uint32_t begin[] = {0xf100141f, 0x14000000 | (((to - at - 4) / 4) & 0x3ffffff)}; /* cmp x0, #5; b L */
        uint32_t first[] = {0xf1000401, 0xd65f03c0}, then[] = {0x9a9f17e0, 0xd65f03c0};  /* subs x1, x0, #1 | cset x0, eq; ret */
        memcpy(m + at, begin, sizeof begin);
        memcpy(m + to, first, sizeof first);
        flush(m, 16384);
        CHECK(((Fn)(m + at))(7) == 7);
        memcpy(m + to, then, sizeof then);
        flush(m + to, sizeof then);
        CHECK(((Fn)(m + at))(5) == 1);
        CHECK(((Fn)(m + at))(6) == 0);
        munmap(m, 16384);
    }
#endif
    ok("flags");
}

/* Many functions, so that translations pile up; then all again, other code at the same places. */
static void many(void)
{
    enum { N = 20000 };
    char *m = mmap(NULL, N * 16, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned i = 0; i < N; i++) {
            make_add(m + 16 * i, (i * 7 + pass) & 4095);
        }
        flush(m, N * 16);
        for (unsigned i = 0; i < N; i++) {
            sum = ((Fn)(m + 16 * i))(sum);
        }
    }
    munmap(m, N * 16);
    printf("sum %llu\n", (unsigned long long)sum);
    ok("many");
}

int main(void)
{
    printf("in place %016llx\n", (unsigned long long)patched_in_place(0));
    printf("with mprotect %016llx\n", (unsigned long long)patched_in_place(1));
    dual_mapped();
    remapped();
    threaded();
    flags_read_later();
    many();
    return done();
}
