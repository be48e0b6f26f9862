/* rseq.c - restartable sequences: counters and lists per CPU without atomic operations, with more threads than
 * processors, with signals, with the sequence's own CPU number checked against getcpu. */
#define _GNU_SOURCE
#include "t.h"

#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPUS = 1024, THREADS = 12, ROUNDS = 60000, SLOW = 400 };

typedef struct Cell {
    long count, twin[2];
    uint8_t pad[40];
} Cell;

static Cell cells[CPUS] __attribute__((aligned(64)));
static unsigned char small[CPUS];
static volatile sig_atomic_t signals;

static struct rseq *mine(void)
{
    return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Each of these is one sequence; false = aborted. */
#ifdef __aarch64__
#define SEQUENCE(body)                                                                                                 \
    asm goto volatile(".pushsection __rseq_cs, \"aw\"\n.balign 32\n9: .long 0, 0\n.quad 1f, 2f - 1f, 4f\n.popsection\n" \
                      "adrp x9, 9b\nadd x9, x9, :lo12:9b\nstr x9, [%[r], #8]\n1:\n" body                                \
                      "\n2: b 5f\n.inst 0xd428bc00\n4: b %l[aborted]\n5:\n" ::[r] "r"(mine()),                           \
                      [cells] "r"(cells), [small] "r"(small), [n] "r"(n)                                               \
                      : "x9", "x10", "x11", "x12", "x13", "v0", "memory", "cc" : aborted)
#define ADD "ldr w10, [%[r], #4]\nadd x10, %[cells], x10, lsl #6\nldr x11, [x10]\nadd x11, x11, #1\nstr x11, [x10]"
#define ADD_SLOW                                                                                                       \
    "ldr w10, [%[r], #4]\nadd x10, %[cells], x10, lsl #6\nldr x11, [x10]\nmov x12, %[n]\n"                             \
    "3: subs x12, x12, #1\nb.ne 3b\nadd x11, x11, #1\nstr x11, [x10]"
#define ADD_BYTE "ldr w10, [%[r], #4]\nadd x10, %[small], x10\nldrb w11, [x10]\nadd w11, w11, #1\nstrb w11, [x10]"
/* The second store makes the sequence: what the first one left behind alone is overwritten. */
#define ADD_TWIN                                                                                                       \
    "ldr w10, [%[r], #4]\nadd x10, %[cells], x10, lsl #6\nldr x11, [x10, #16]\nadd x11, x11, #1\nstr x11, [x10, #8]\n" \
    "mov x12, %[n]\n3: subs x12, x12, #1\nb.ne 3b\nadd x13, x10, #16\nstlr x11, [x13]"
#define ADD_VECTOR                                                                                                     \
    "ldr w10, [%[r], #4]\nadd x10, %[cells], x10, lsl #6\nadd x10, x10, #32\nldr q0, [x10]\nmov x11, v0.d[1]\n"        \
    "add x11, x11, #1\ndup v0.2d, x11\nmov x12, %[n]\n3: subs x12, x12, #1\nb.ne 3b\nstr q0, [x10]"
#else
#define SEQUENCE(body)                                                                                                 \
    asm goto volatile(".pushsection __rseq_cs, \"aw\"\n.balign 32\n9: .long 0, 0\n.quad 1f, 2f - 1f, 4f\n.popsection\n" \
                      "lea 9b(%%rip), %%rax\nmov %%rax, 8(%[r])\n1:\n" body                                             \
                      "\n2: jmp 5f\n.long 0x53053053\n4: jmp %l[aborted]\n5:\n" ::[r] "r"(mine()),                       \
                      [cells] "r"(cells), [small] "r"(small), [n] "r"(n)                                               \
                      : "rax", "rcx", "rdx", "xmm0", "memory", "cc" : aborted)
#define CELL "mov 4(%[r]), %%eax\nshl $6, %%rax\nadd %[cells], %%rax\n"
#define WAIT "mov %[n], %%rdx\n3: dec %%rdx\njnz 3b\n"
#define ADD CELL "mov (%%rax), %%rcx\ninc %%rcx\nmov %%rcx, (%%rax)"
#define ADD_SLOW CELL "mov (%%rax), %%rcx\n" WAIT "inc %%rcx\nmov %%rcx, (%%rax)"
#define ADD_BYTE "mov 4(%[r]), %%eax\nadd %[small], %%rax\nmovb (%%rax), %%cl\nincb %%cl\nmovb %%cl, (%%rax)"
#define ADD_TWIN CELL "mov 16(%%rax), %%rcx\ninc %%rcx\nmov %%rcx, 8(%%rax)\n" WAIT "mov %%rcx, 16(%%rax)"
#define ADD_VECTOR                                                                                                     \
    CELL "mov 40(%%rax), %%rcx\ninc %%rcx\nmovq %%rcx, %%xmm0\npunpcklqdq %%xmm0, %%xmm0\n" WAIT "movups %%xmm0, 32(%%rax)"
#endif

#define MAKE(name, body)                                                                                               \
    static __attribute__((noinline)) int name(long n)                                                                  \
    {                                                                                                                  \
        SEQUENCE(body);                                                                                                \
        return 1;                                                                                                      \
    aborted:                                                                                                           \
        return 0;                                                                                                      \
    }
MAKE(add, ADD)
MAKE(add_slow, ADD_SLOW)
MAKE(add_byte, ADD_BYTE)
MAKE(add_twin, ADD_TWIN)
MAKE(add_vector, ADD_VECTOR)

static void on_signal(int n)
{
    (void)n;
    signals++;
    while (!add(1)) {
    }
}

static void *work(void *arg)
{
    (void)arg;
    for (int k = 0; k < ROUNDS; k++) {
        while (!add(1)) {
        }
        while (!add_byte(1)) {
        }
        if (k % 64 == 0) {
            while (!add_slow(SLOW)) {
            }
            while (!add_twin(SLOW)) {
            }
            while (!add_vector(SLOW)) {
            }
        }
    }
    return NULL;
}

static void check_cpu_numbers(void)
{
    int bad = 0;
    for (int c = 0; c < CPUS; c++) {
        cpu_set_t set;
        unsigned cpu = ~0u;
        CPU_ZERO(&set);
        CPU_SET(c, &set);
        if (sched_setaffinity(0, sizeof set, &set) == 0) {
            syscall(SYS_getcpu, &cpu, NULL, NULL);
            bad += cpu != (unsigned)c || mine()->cpu_id != cpu || mine()->cpu_id_start != cpu || sched_getcpu() != c;
        }
    }
    CHECK(bad == 0);
    cpu_set_t all;
    memset(&all, 255, sizeof all);
    CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
}

int main(void)
{
    if (!__rseq_size || (int)mine()->cpu_id < 0) {
        printf("no rseq\n");
        return 0;
    }
    check_cpu_numbers();
    CHECK(syscall(SYS_rseq, mine(), 32, 0, 0x12345678) == -1);
    signal(SIGALRM, on_signal);
    struct itimerval every = {{0, 700}, {0, 700}};
    setitimer(ITIMER_REAL, &every, NULL);
    pthread_t t[THREADS];
    for (int k = 0; k < THREADS; k++) {
        pthread_create(&t[k], NULL, work, NULL);
    }
    for (int k = 0; k < THREADS; k++) {
        pthread_join(t[k], NULL);
    }
    memset(&every, 0, sizeof every);
    setitimer(ITIMER_REAL, &every, NULL);
    long sum = 0, twins = 0, vectors = 0;
    unsigned char bytes = 0;
    for (int c = 0; c < CPUS; c++) {
        sum += cells[c].count;
        twins += cells[c].twin[1];
        vectors += ((long *)&cells[c])[5];
        bytes += small[c];
    }
    long slow = THREADS * ((ROUNDS + 63) / 64);
    CHECK(sum == THREADS * ROUNDS + slow + signals);
    CHECK(twins == slow);
    CHECK(vectors == slow);
    CHECK(bytes == (unsigned char)(THREADS * ROUNDS));
    CHECK(signals > 3);
    if (fork() == 0) {
        _exit(add(1) + add(1) >= 1 ? 0 : 1);
    }
    int status = -1;
    wait(&status);
    CHECK(status == 0);
    ok("rseq");
    return done();
}
