/* share.c - a process that was alone with its memory gets company:  share [-n ROUNDS] [WAY...]
 *
 * While nobody else sees a process's memory, its atomics and barriers may be translated in cheaper forms. Each way here starts
 * with a process of its own that is alone, and runs every row of `rows` there until its code is as good as it gets. Then the
 * memory becomes another thread's or process's too, and both run the same code on it. A lost update, a lock that two have at
 * once or a wrong old value shows a form that outlived its time.
 * To add a way: a function that makes the memory and the other side, and a line in `tests`. To add an operation: a row.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "../parts.h"
#include "place.h"

enum { BASE = 0, ATOMICS = 8 /* bits of HWCAP */, USCAT = 25, PAGE = 4096, STACK = 65536 };

/* What both sides fight for. Each row has its own cell of 128 bytes: the contended location, then what it protects. */
typedef struct Cell {
    _Alignas(128) uint64_t at[2];
    uint64_t guarded;       /* changed by plain accesses, under a lock */
    uint32_t flag[2], turn; /* Peterson's lock */
} Cell;

#define ROWS_MAX 40
typedef struct Arena {
    Cell cells[ROWS_MAX];
    uint32_t arrived[2], done[2]; /* by each side: at so many meetings, with so many rows */
} Arena;
_Static_assert(sizeof(Arena) <= 4 * PAGE, "");
enum { ARENA = 4 * PAGE };

/* One step of side 0 or 1 on its row's cell; the number that it counts for. own: what the side remembers, at first 0. */
typedef unsigned Step(Cell *c, unsigned side, uint64_t *own);

/* A lock that is lost would be waited for without end. */
static void limit(void)
{
    alarm(30 + rounds / 5000);
}

/* -- read, modify, write ------------------------------------------------------------------------------------- */

#define ADD_FN(size, tail, w)                                                                                \
    static unsigned add_##size(Cell *c, unsigned side, uint64_t *own)                                        \
    {                                                                                                        \
        uint64_t old;                                                                                        \
        __asm__ volatile("ldaddal" tail " %" w "2, %" w "0, [%1]"                                            \
                         : "=r"(old) : "r"(c->at), "r"(1ull) : "memory");                                    \
        (void)side;                                                                                          \
        (void)own;                                                                                           \
        return 1;                                                                                            \
    }
ADD_FN(1, "b", "w") ADD_FN(2, "h", "w") ADD_FN(4, "", "w") ADD_FN(8, "", "x")

/* Each side owns a bit and knows what it has made of it. */
#define BIT_FN(op, now)                                                                                      \
    static unsigned op(Cell *c, unsigned side, uint64_t *own)                                                \
    {                                                                                                        \
        uint64_t bit = 1ull << (side ? 5 : 2), old;                                                          \
        __asm__ volatile(#op " %2, %0, [%1]" : "=r"(old) : "r"(c->at), "r"(bit) : "memory");                 \
        unsigned bad = (old & bit) != *own;                                                                  \
        *own = now;                                                                                          \
        return bad;                                                                                          \
    }
BIT_FN(ldset, bit) BIT_FN(ldclr, 0) BIT_FN(ldeor, *own ^ bit)
static unsigned bits(Cell *c, unsigned side, uint64_t *own)
{
    unsigned bad = ldset(c, side, own);
    bad += ldclr(c, side, own);
    return bad + ldeor(c, side, own);
}

/* A side's value goes up, and what it finds is never below what it wrote before. */
static unsigned limits(Cell *c, unsigned side, uint64_t *own)
{
    uint64_t v = *own + 1 + side, old, low = -v;
    __asm__ volatile("ldumax %2, %0, [%1]" : "=r"(old) : "r"(c->at), "r"(v) : "memory");
    unsigned bad = old < *own;
    __asm__ volatile("ldsmin %2, %0, [%1]" : "=r"(old) : "r"(c->at + 1), "r"(low) : "memory");
    bad += (int64_t)old > -(int64_t)*own;
    *own = v;
    return bad;
}

/* -- compare and swap, exclusives ---------------------------------------------------------------------------- */

#define CAS_FN(size, tail, w)                                                                                \
    static unsigned cas_##size(Cell *c, unsigned side, uint64_t *own)                                        \
    {                                                                                                        \
        uint64_t old, seen;                                                                                  \
        (void)side;                                                                                          \
        (void)own;                                                                                           \
        do {                                                                                                 \
            __asm__ volatile("ldr" tail " %" w "0, [%1]" : "=r"(seen) : "r"(c->at) : "memory");               \
            old = seen;                                                                                      \
            __asm__ volatile("casal" tail " %" w "0, %" w "2, [%1]"                                          \
                             : "+&r"(old) : "r"(c->at), "r"(seen + 1) : "memory");                           \
        } while (old != seen);                                                                               \
        return 1;                                                                                            \
    }
CAS_FN(1, "b", "w") CAS_FN(2, "h", "w") CAS_FN(4, "", "w") CAS_FN(8, "", "x")

static unsigned casp(Cell *c, unsigned side, uint64_t *own)
{
    register uint64_t lo __asm__("x4") = c->at[0], hi __asm__("x5") = ~lo, was = lo;
    register uint64_t new_lo __asm__("x6") = lo + 1, new_hi __asm__("x7") = ~new_lo;
    __asm__ volatile("caspal x4, x5, x6, x7, [%4]" : "+r"(lo), "+r"(hi) : "r"(new_lo), "r"(new_hi), "r"(c->at) : "memory");
    (void)side;
    (void)own;
    return lo == was;
}

#define EXCL_FN(size, ld, st, w)                                                                             \
    static unsigned excl_##size(Cell *c, unsigned side, uint64_t *own)                                       \
    {                                                                                                        \
        uint64_t v, fail;                                                                                    \
        __asm__ volatile("1: " ld " %" w "0, [%2]\n add %" w "0, %" w "0, #1\n"                              \
                         st " %w1, %" w "0, [%2]\n cbnz %w1, 1b"                                             \
                         : "=&r"(v), "=&r"(fail) : "r"(c->at) : "memory");                                   \
        (void)side;                                                                                          \
        (void)own;                                                                                           \
        return 1;                                                                                            \
    }
EXCL_FN(1, "ldxrb", "stxrb", "w") EXCL_FN(2, "ldaxrh", "stlxrh", "w") EXCL_FN(4, "ldxr", "stlxr", "w") EXCL_FN(8, "ldaxr", "stxr", "x")

static unsigned excl_pair(Cell *c, unsigned side, uint64_t *own)
{
    uint64_t lo, hi, fail;
    __asm__ volatile("1: ldxp %0, %1, [%3]\n add %0, %0, #1\n sub %1, %1, #1\n stxp %w2, %0, %1, [%3]\n cbnz %w2, 1b"
                     : "=&r"(lo), "=&r"(hi), "=&r"(fail) : "r"(c->at) : "memory");
    (void)side;
    (void)own;
    return 1;
}

/* With FEAT_LSE2 a pair of registers is one access: both sides write pairs of equal values. */
static unsigned pair(Cell *c, unsigned side, uint64_t *own)
{
    uint64_t lo, hi;
    *own += 2;
    __asm__ volatile("stp %0, %0, [%1]" : : "r"(*own + side), "r"(c->at) : "memory");
    __asm__ volatile("ldp %0, %1, [%2]" : "=r"(lo), "=r"(hi) : "r"(c->at) : "memory");
    return lo != hi;
}

/* -- locks ------------------------------------------------------------------------------------------------------ */

/* In the nth round of waiting. */
static void relax(unsigned n)
{
    if (n > 10000) {
        sched_yield();
    }
}

static unsigned guarded(Cell *c)
{
    uint64_t v = *(volatile uint64_t *)&c->guarded;
    for (unsigned k = 0; k < 8; k++) {
        __asm__ volatile("" : "+r"(v));
    }
    *(volatile uint64_t *)&c->guarded = v + 1;
    return 1;
}

#define LOCK_FN(name, take)                                                                                  \
    static unsigned name(Cell *c, unsigned side, uint64_t *own)                                              \
    {                                                                                                        \
        uint64_t old = 1;                                                                                    \
        for (unsigned n = 0; old; n++) {                                                                     \
            __asm__ volatile(take : "=&r"(old) : "r"(c->at), "r"(1ull) : "x9", "memory");                    \
            relax(n);                                                                                        \
        }                                                                                                    \
        unsigned r = guarded(c);                                                                             \
        __asm__ volatile("stlr xzr, [%0]" : : "r"(c->at) : "memory");                                        \
        (void)side;                                                                                          \
        (void)own;                                                                                           \
        return r;                                                                                            \
    }
LOCK_FN(swap_8, "swpa %2, %0, [%1]")
LOCK_FN(swap_1, "swpab %w2, %w0, [%1]")
LOCK_FN(swap_excl, "1: ldaxr %0, [%1]\n stxr w9, %2, [%1]\n cbnz w9, 1b")

/* Peterson's lock is right when each side's store to its flag comes before its loads of the other's. */
#define PETERSON_FN(name, store, fence, load)                                                                \
    static unsigned name(Cell *c, unsigned side, uint64_t *own)                                              \
    {                                                                                                        \
        uint32_t other, turn;                                                                                \
        unsigned n = 0;                                                                                      \
        __asm__ volatile(store " %w1, [%0]" : : "r"(&c->flag[side]), "r"(1) : "memory");                     \
        __asm__ volatile(store " %w1, [%0]\n " fence : : "r"(&c->turn), "r"(!side) : "memory");              \
        do {                                                                                                 \
            __asm__ volatile(load " %w0, [%1]" : "=r"(other) : "r"(&c->flag[!side]) : "memory");             \
            __asm__ volatile(load " %w0, [%1]" : "=r"(turn) : "r"(&c->turn) : "memory");                     \
            relax(n++);                                                                                      \
        } while (other && turn == !side);                                                                    \
        unsigned r = guarded(c);                                                                             \
        __asm__ volatile("stlr wzr, [%0]" : : "r"(&c->flag[side]) : "memory");                               \
        (void)own;                                                                                           \
        return r;                                                                                            \
    }
PETERSON_FN(fences, "str", "dmb ish", "ldr")
PETERSON_FN(fences_dsb, "str", "dsb sy", "ldr")
PETERSON_FN(releases, "stlr", "", "ldar")

/* -- rows --------------------------------------------------------------------------------------------------------- */

/* Where the sum of all steps' results is found, modulo 1 << 8 * bytes; NONE: a result is a number of errors. */
typedef enum Where { CONTENDED, GUARDED, NONE } Where;
typedef struct Row {
    const char *name;
    Step *step;
    unsigned needs;
    Where where;
    unsigned bytes;
} Row;
static const Row rows[] = {
    {"ldaddb", add_1, ATOMICS, CONTENDED, 1}, {"ldaddh", add_2, ATOMICS, CONTENDED, 2},
    {"ldadd w", add_4, ATOMICS, CONTENDED, 4}, {"ldadd x", add_8, ATOMICS, CONTENDED, 8},
    {"ldset, ldclr, ldeor", bits, ATOMICS, NONE, 0}, {"ldumax, ldsmin", limits, ATOMICS, NONE, 0},
    {"casb", cas_1, ATOMICS, CONTENDED, 1}, {"cash", cas_2, ATOMICS, CONTENDED, 2},
    {"cas w", cas_4, ATOMICS, CONTENDED, 4}, {"cas x", cas_8, ATOMICS, CONTENDED, 8},
    {"casp", casp, ATOMICS, CONTENDED, 8}, {"ldxrb, stxrb", excl_1, BASE, CONTENDED, 1},
    {"ldaxrh, stlxrh", excl_2, BASE, CONTENDED, 2}, {"ldxr, stlxr w", excl_4, BASE, CONTENDED, 4},
    {"ldaxr, stxr x", excl_8, BASE, CONTENDED, 8}, {"ldxp, stxp", excl_pair, BASE, CONTENDED, 8},
    {"stp, ldp", pair, USCAT, NONE, 0}, {"lock by swpa", swap_8, ATOMICS, GUARDED, 8},
    {"lock by swpab", swap_1, ATOMICS, GUARDED, 8}, {"lock by ldaxr, stxr", swap_excl, BASE, GUARDED, 8},
    {"dmb", fences, BASE, GUARDED, 8}, {"dsb", fences_dsb, BASE, GUARDED, 8},
    {"stlr, ldar", releases, BASE, GUARDED, 8},
};
enum { NROWS = sizeof rows / sizeof rows[0] };
_Static_assert(NROWS <= ROWS_MAX, "");

static bool runs(const Row *r)
{
    return r->needs == BASE || getauxval(AT_HWCAP) >> r->needs & 1;
}

/* The sides wait for each other, without atomics. */
static void meet(Arena *a, unsigned side)
{
    uint32_t n = a->arrived[side] + 1;
    __atomic_store_n(&a->arrived[side], n, __ATOMIC_SEQ_CST);
    for (unsigned k = 0; __atomic_load_n(&a->arrived[!side], __ATOMIC_SEQ_CST) < n; k++) {
        relax(k);
    }
}

/* One side's part of a row, and more of it until the other has done its own: so they do meet. */
static uint64_t fight(Arena *a, unsigned k, unsigned side, bool alone, unsigned n)
{
    uint64_t own = 0, sum = 0;
    if (!alone) {
        meet(a, side);
    }
    if (rows[k].step == casp && a->cells[k].at[0] == 0) {
        a->cells[k].at[1] = ~0ull;
    }
    for (unsigned i = 0; i < n; i++) {
        sum += rows[k].step(&a->cells[k], side, &own);
    }
    __atomic_store_n(&a->done[side], k + 1, __ATOMIC_SEQ_CST);
    while (!alone && __atomic_load_n(&a->done[!side], __ATOMIC_RELAXED) <= k) {
        sum += rows[k].step(&a->cells[k], side, &own);
    }
    return sum;
}

/* All rows; sums[] = what this side has counted. alone: there is no other. */
static void hammer(Arena *a, unsigned side, bool alone, unsigned n, uint64_t sums[NROWS])
{
    for (unsigned k = 0; k < NROWS; k++) {
        if (runs(&rows[k])) {
            sums[k] = fight(a, k, side, alone, rows[k].where == GUARDED ? n / 10 : n);
        }
    }
    if (!alone) {
        meet(a, side);
    }
}

static void check(const char *way, const Arena *a, const uint64_t mine[NROWS], const uint64_t others[NROWS])
{
    for (unsigned k = 0; k < NROWS; k++) {
        uint64_t sum = mine[k] + others[k], mask = rows[k].bytes % 8 ? (1ull << 8 * rows[k].bytes) - 1 : ~0ull;
        uint64_t there = rows[k].where == CONTENDED ? a->cells[k].at[0] : rows[k].where == GUARDED ? a->cells[k].guarded : 0;
        if (runs(&rows[k]) && (sum ^ there) & mask) {
            FAIL("%s: %s counts %llu, %llu are there", way, rows[k].name, (unsigned long long)sum, (unsigned long long)(there & mask));
        }
    }
}

/* -- company ------------------------------------------------------------------------------------------------------- */

static Arena *private_arena(void)
{
    return mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* All code, as it is made for a process that is alone, and hot. */
static void warm(void)
{
    uint64_t sums[NROWS] = {0}, none[NROWS] = {0};
    Arena *a = private_arena();
    take_processor(0);
    hammer(a, 0, true, rounds / 10 + 100, sums);
    check("alone", a, sums, none);
    munmap(a, ARENA);
}

static uint64_t other_sums[NROWS];

/* The other side is a process; its sums come by a pipe. map: where it finds the memory, NULL: as the caller does. */
static void with_child(const char *way, Arena *a, Arena *(*map)(void))
{
    uint64_t sums[NROWS] = {0};
    int p[2];
    if (pipe(p)) {
        FAIL("%s: pipe", way);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        limit();
        take_processor(1);
        hammer(map ? map() : a, 1, false, rounds, sums);
        _exit(write(p[1], sums, sizeof sums) != sizeof sums);
    }
    close(p[1]);
    a = map ? map() : a;
    hammer(a, 0, false, rounds, sums);
    if (read(p[0], other_sums, sizeof other_sums) != sizeof other_sums || waitpid(pid, NULL, 0) != pid) {
        FAIL("%s: the other process", way);
    }
    close(p[0]);
    check(way, a, sums, other_sums);
}

static int other_task(void *arg)
{
    limit();
    take_processor(1);
    hammer(arg, 1, false, rounds, other_sums);
    return 0;
}

static void *other_thread(void *arg)
{
    other_task(arg);
    return NULL;
}

static void way_thread(void)
{
    uint64_t sums[NROWS] = {0};
    Arena *a = private_arena();
    pthread_t t;
    if (pthread_create(&t, NULL, other_thread, a)) {
        FAIL("thread: pthread_create");
        return;
    }
    hammer(a, 0, false, rounds, sums);
    pthread_join(t, NULL);
    check("thread", a, sums, other_sums);
}

/* A process of its own that shares all memory. */
static void way_vm(void)
{
    uint64_t sums[NROWS] = {0};
    Arena *a = private_arena();
    static _Alignas(16) char stack[STACK];
    pid_t pid = clone(other_task, stack + STACK, CLONE_VM | SIGCHLD, a);
    if (pid < 0) {
        FAIL("vm: clone");
        return;
    }
    hammer(a, 0, false, rounds, sums);
    waitpid(pid, NULL, 0);
    check("vm", a, sums, other_sums);
}

static Arena *shared_anon(void)
{
    return mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void way_shared(void)
{
    with_child("shared", shared_anon(), NULL);
}

static void way_protect(void)
{
    Arena *a = mmap(NULL, ARENA, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    warm();
    if (mprotect(a, ARENA, PROT_READ | PROT_WRITE)) {
        FAIL("protect: mprotect");
        return;
    }
    with_child("protect", a, NULL);
}

/* Each process makes it writable for itself. */
static Arena *later;
static Arena *unlock_later(void)
{
    return mprotect(later, ARENA, PROT_READ | PROT_WRITE) ? NULL : later;
}

static void way_protect_both(void)
{
    later = mmap(NULL, ARENA, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    with_child("protect-both", NULL, unlock_later);
}

static void way_shmat(void)
{
    int id = shmget(IPC_PRIVATE, ARENA, IPC_CREAT | 0600);
    if (id < 0) {
        printf("shmat: none here\n");
        return;
    }
    void *a = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    if (a == (void *)-1) {
        FAIL("shmat");
        return;
    }
    with_child("shmat", a, NULL);
}

static int memory_fd;
static Arena *map_fd(void)
{
    return mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
}

/* Two processes, each alone until it has mapped the same file. */
static void way_memfd(void)
{
    memory_fd = memfd_create("arena", 0);
    if (memory_fd < 0 || ftruncate(memory_fd, ARENA)) {
        FAIL("memfd: memfd_create");
        return;
    }
    with_child("memfd", NULL, map_fd);
}

/* A vfork child, which is alone while its parent waits, maps memory for both, and has a child itself. */
static void way_vfork(void)
{
    static Arena *volatile a, *volatile b;
    pid_t pid = vfork();
    if (pid == 0) {
        a = shared_anon();
        b = shared_anon();
        with_child("vfork", a, NULL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    with_child("after vfork", b, NULL);
}

/* A signal handler makes the memory, and the code that it interrupted goes on with that. */
static Arena *volatile current;
static volatile bool made;
static volatile pid_t child;
static void on_alarm(int sig)
{
    (void)sig;
    Arena *a = shared_anon();
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t own = 0, sum = 0;
        signal(SIGALRM, SIG_DFL);
        limit();
        take_processor(1);
        meet(a, 1);
        for (unsigned i = 0; i < rounds; i++) {
            sum += excl_8(&a->cells[0], 1, &own);
        }
        _exit(sum != rounds);
    }
    child = pid;
    current = a;
    made = true;
}

static void way_signal(void)
{
    Arena *a = private_arena();
    uint64_t own = 0, n = 0;
    current = a;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 20000}, NULL);
    while (!made) {
        excl_8(&current->cells[0], 0, &own);
    }
    signal(SIGALRM, SIG_DFL);
    limit();
    uint64_t begun = current->cells[0].at[0]; /* the handler came between the two loads, perhaps */
    meet(current, 0);
    for (; n < rounds; n++) {
        excl_8(&current->cells[0], 0, &own);
    }
    int status = 1;
    if (waitpid(child, &status, 0) != child || status || current->cells[0].at[0] != begun + 2ull * rounds) {
        FAIL("signal: %llu of %u", (unsigned long long)(current->cells[0].at[0] - begun), 2 * rounds);
    }
}

/* Each way in a process that is alone and has run all the code. */
static void apart(void (*way)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        limit();
        warm();
        way();
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status) {
        FAIL("status %x", (unsigned)status);
    }
}

#define WAY(name)                                                                                            \
    static void test_##name(void)                                                                            \
    {                                                                                                        \
        apart(way_##name);                                                                                   \
    }
WAY(thread) WAY(vm) WAY(shared) WAY(protect) WAY(protect_both) WAY(shmat) WAY(memfd) WAY(vfork) WAY(signal)

static const Part tests[] = {{"thread", test_thread}, {"vm", test_vm}, {"shared", test_shared}, {"protect", test_protect},
                             {"protect-both", test_protect_both}, {"shmat", test_shmat}, {"memfd", test_memfd},
                             {"vfork", test_vfork}, {"signal", test_signal}};

PARTS_MAIN(tests, 100000)
