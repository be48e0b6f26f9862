// forklimit.c - new code in forked processes that have no mapping left: more of it than an emulator can have room for
// without a new piece of memory. Both processes go on, and their children, whether the limit is met before or after the fork.
// test: dyn interp cflags=-O0,-g0 secs=360
#define _GNU_SOURCE
#include "t.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P = 4096, FUNCTIONS = 4096, GENERATIONS = 4 };

// 4096 functions that nobody has called before, alike but for a number: f<0> to f<4095>.
#define F1(n)                                                                                                          \
    __attribute__((noinline)) static uint64_t f##n(uint64_t x)                                                         \
    {                                                                                                                  \
        x = (x ^ x >> 7) * (2654435761u + 0x##n);                                                                      \
        return x & 1 ? x * 5 + 0x##n : x ^ x >> 11;                                                                    \
    }
#define F16(n) F1(n##0) F1(n##1) F1(n##2) F1(n##3) F1(n##4) F1(n##5) F1(n##6) F1(n##7)                                 \
    F1(n##8) F1(n##9) F1(n##a) F1(n##b) F1(n##c) F1(n##d) F1(n##e) F1(n##f)
#define F256(n) F16(n##0) F16(n##1) F16(n##2) F16(n##3) F16(n##4) F16(n##5) F16(n##6) F16(n##7)                        \
    F16(n##8) F16(n##9) F16(n##a) F16(n##b) F16(n##c) F16(n##d) F16(n##e) F16(n##f)
F256(0) F256(1) F256(2) F256(3) F256(4) F256(5) F256(6) F256(7)
F256(8) F256(9) F256(a) F256(b) F256(c) F256(d) F256(e) F256(f)
#define N1(n) f##n,
#define N16(n) N1(n##0) N1(n##1) N1(n##2) N1(n##3) N1(n##4) N1(n##5) N1(n##6) N1(n##7)                                 \
    N1(n##8) N1(n##9) N1(n##a) N1(n##b) N1(n##c) N1(n##d) N1(n##e) N1(n##f)
#define N256(n) N16(n##0) N16(n##1) N16(n##2) N16(n##3) N16(n##4) N16(n##5) N16(n##6) N16(n##7)                        \
    N16(n##8) N16(n##9) N16(n##a) N16(n##b) N16(n##c) N16(n##d) N16(n##e) N16(n##f)
static uint64_t (*const functions[])(uint64_t) = {
    N256(0) N256(1) N256(2) N256(3) N256(4) N256(5) N256(6) N256(7)
    N256(8) N256(9) N256(a) N256(b) N256(c) N256(d) N256(e) N256(f)};

static uint64_t calls(int from, int to)
{
    uint64_t x = 1;
    while (from < to) {
        x = functions[from++](x);
    }
    return x;
}

static char *area;
enum { AREA = 100000 };

static void use_up(void)
{
    area = mmap(NULL, (size_t)AREA * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(area != MAP_FAILED);
    for (size_t n = 0; n < AREA && mprotect(area + n * P, P, PROT_READ | PROT_WRITE) == 0; n += 2) {
        area[n * P] = 1;
    }
    // The last ones: what mprotect must split, mmap need not.
    while (mmap(NULL, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED &&
           mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
    }
}

// A generation calls its part of the functions, then its child's, then some more.
static void generation(int n)
{
    int from = FUNCTIONS / GENERATIONS * n, half = FUNCTIONS / GENERATIONS / 2, status;
    if (n == GENERATIONS) {
        return;
    }
    printf("%d: %016llx\n", n, (unsigned long long)calls(from, from + half));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        generation(n + 1);
        _exit(done());
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
    printf("%d: %016llx\n", n, (unsigned long long)calls(from, from + 2 * half));
    fflush(stdout);
}

static void after(void)
{
    use_up();
    printf("after: %016llx\n", (unsigned long long)calls(0, FUNCTIONS));
    fflush(stdout);
}

static void before(void)
{
    use_up();
    generation(0);
}

int main(void)
{
    static char buffer[4096];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); // the library has no memory for one at the limit
    apart(after);
    apart(before);
    return done();
}
