/* litmus.c - Arm's memory model, as a program can see it:  litmus [-n ITERATIONS] [NAME...]
 *
 * Every row of litmus.def is run by its threads over arrays of fresh locations; what the threads read and what the
 * locations end as is an outcome. A weak outcome of a row that forbids it, or a value that nobody wrote, is a failure.
 * The threads meet before and after each batch; inside it each waits a moment for another to come along, so that they
 * run into each other in many ways.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"

enum { THREADS = 4, BATCH = 1024, FORBIDDEN = 0, ALLOWED = 1 };

typedef struct Slot {
    uint32_t x, x_[15], y, y_[15], z, z_[15];
} Slot;
static _Alignas(128) Slot slots[BATCH];
static uint32_t results[THREADS][BATCH][2];

typedef void Code(Slot *s, uint32_t *out);

/* -- what a thread can do ------------------------------------------------------------------------------- */

#define AT(p) "[%[" #p "]]"
#define OUT(r) "%w[" #r "]"
#define ST(v, p) "mov w9, #" #v "\n str w9, " AT(p) "\n"
#define STL(v, p) "mov w9, #" #v "\n stlr w9, " AT(p) "\n"
#define STLB(v, p) "mov w9, #" #v "\n stlrb w9, " AT(p) "\n"
#define STV(v, p) "movi v16.4s, #" #v "\n str s16, " AT(p) "\n"
#define LD(r, p) "ldr " OUT(r) ", " AT(p) "\n"
#define LDA(r, p) "ldar " OUT(r) ", " AT(p) "\n"
#define LDAB(r, p) "ldarb " OUT(r) ", " AT(p) "\n"
#define LDAP(r, p) "ldapr " OUT(r) ", " AT(p) "\n"
#define LDV(r, p) "ldr s16, " AT(p) "\n fmov " OUT(r) ", s16\n"
#define LD_ADDR(r, p) "eor w9, %w[a], %w[a]\n ldr " OUT(r) ", [%[" #p "], w9, uxtw]\n"
#define ST_DATA(p) "eor w9, %w[a], %w[a]\n add w9, w9, #1\n str w9, " AT(p) "\n"
#define CTRL "cbz %w[a], 3f\n3:\n"
#define ISB "isb\n"
#define DMB(kind) "dmb " #kind "\n"
#define SWP(v, p) "mov w9, #" #v "\n swp w9, w10, " AT(p) "\n"
#define SWPL(v, p) "mov w9, #" #v "\n swpl w9, w10, " AT(p) "\n"
#define SWPAL(v, p) "mov w9, #" #v "\n swpal w9, w10, " AT(p) "\n"
#define LDADD(r, p) "mov w9, #0\n ldadd w9, " OUT(r) ", " AT(p) "\n"
#define LDADDA(r, p) "mov w9, #0\n ldadda w9, " OUT(r) ", " AT(p) "\n"
#define LDADDAL(r, p) "mov w9, #0\n ldaddal w9, " OUT(r) ", " AT(p) "\n"
#define CASL(v, p) "mov w9, #" #v "\n mov w10, #0\n casl w10, w9, " AT(p) "\n"
#define CASA(r, p) "mov w9, #1\n mov " OUT(r) ", #1\n casa " OUT(r) ", w9, " AT(p) "\n"
#define XST(v, p) "mov w9, #" #v "\n1: ldxr w10, " AT(p) "\n stxr w11, w9, " AT(p) "\n cbnz w11, 1b\n"
#define XSTL(v, p) "mov w9, #" #v "\n1: ldxr w10, " AT(p) "\n stlxr w11, w9, " AT(p) "\n cbnz w11, 1b\n"
#define XLD(r, p) "2: ldxr " OUT(r) ", " AT(p) "\n stxr w11, " OUT(r) ", " AT(p) "\n cbnz w11, 2b\n"
#define XLDA(r, p) "2: ldaxr " OUT(r) ", " AT(p) "\n stxr w11, " OUT(r) ", " AT(p) "\n cbnz w11, 2b\n"

#define CODE(name, text)                                                                                     \
    static void name(Slot *s, uint32_t *out)                                                                 \
    {                                                                                                        \
        uint32_t a = 0, b = 0;                                                                               \
        __asm__ volatile("" text                                                                             \
                         : [a] "+&r"(a), [b] "+&r"(b)                                                        \
                         : [x] "r"(&s->x), [y] "r"(&s->y), [z] "r"(&s->z)                                    \
                         : "x9", "x10", "x11", "v16", "memory");                                             \
        out[0] = a;                                                                                          \
        out[1] = b;                                                                                          \
    }
#define LITMUS(family, variant, allowed, t0, t1, t2, t3)                                                     \
    CODE(family##_##variant##_0, t0)                                                                         \
    CODE(family##_##variant##_1, t1)                                                                         \
    CODE(family##_##variant##_2, t2)                                                                         \
    CODE(family##_##variant##_3, t3)
#include "litmus.def"
#undef LITMUS

/* -- families: threads, the weak outcome ------------------------------------------------------------------- */

typedef struct Outcome {
    uint32_t r[THREADS][2]; /* a and b of each thread */
    uint32_t x, y, z;       /* at the end */
} Outcome;

static bool weak_mp(const Outcome *o) { return o->r[1][0] == 1 && o->r[1][1] == 0; }
static bool weak_sb(const Outcome *o) { return o->r[0][0] == 0 && o->r[1][0] == 0; }
static bool weak_lb(const Outcome *o) { return o->r[0][0] == 1 && o->r[1][0] == 1; }
static bool weak_iriw(const Outcome *o)
{
    return o->r[2][0] == 1 && o->r[2][1] == 0 && o->r[3][0] == 1 && o->r[3][1] == 0;
}
static bool weak_ww(const Outcome *o) { return o->x == 1 && o->y == 1; }
static bool weak_s(const Outcome *o) { return o->r[1][0] == 1 && o->x == 2; }
static bool weak_r(const Outcome *o) { return o->y == 2 && o->r[1][0] == 0; }
static bool weak_corr(const Outcome *o) { return o->r[1][0] == 1 && o->r[1][1] == 0; }
static bool weak_cowr(const Outcome *o) { return o->r[0][0] == 0 || (o->r[0][0] == 2 && o->x == 1); }
static bool weak_wrc(const Outcome *o) { return o->r[1][0] == 1 && o->r[2][0] == 1 && o->r[2][1] == 0; }
static bool weak_isa2(const Outcome *o) { return o->r[1][0] == 1 && o->r[2][0] == 1 && o->r[2][1] == 0; }

enum { N_mp = 2, N_sb = 2, N_lb = 2, N_iriw = 4, N_ww = 2, N_s = 2, N_r = 2, N_corr = 2, N_cowr = 2, N_wrc = 3, N_isa2 = 3 };

typedef struct Row {
    const char *family, *variant;
    bool allowed;
    unsigned threads;
    bool (*weak)(const Outcome *o);
    Code *code[THREADS];
} Row;

static const Row rows[] = {
#define LITMUS(family, variant, allowed, t0, t1, t2, t3)                                                     \
    {#family, #variant, allowed, N_##family, weak_##family,                                                  \
     {family##_##variant##_0, family##_##variant##_1, family##_##variant##_2, family##_##variant##_3}},
#include "litmus.def"
#undef LITMUS
};

/* -- running ------------------------------------------------------------------------------------------------- */

static const Row *volatile row;
static unsigned arrived, round_no;

/* Sense-reversing barrier; yields, because there may be fewer processors than threads. */
static void meet(unsigned threads)
{
    unsigned now = __atomic_load_n(&round_no, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == threads) {
        __atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&round_no, now + 1, __ATOMIC_RELEASE);
        return;
    }
    for (unsigned spins = 0; __atomic_load_n(&round_no, __ATOMIC_ACQUIRE) == now; spins++) {
        if (spins > 2000) {
            sched_yield();
        }
    }
}

/* Where each thread is in the batch, so that they wait for each other a little: lines of their own. */
static struct {
    _Alignas(128) unsigned slot;
} place[THREADS];

static inline void keep_step(unsigned self, unsigned threads, unsigned slot)
{
    __atomic_store_n(&place[self].slot, slot, __ATOMIC_RELAXED);
    unsigned other = self + 1 < threads ? self + 1 : 0;
    for (unsigned spins = 0; spins < 60 && __atomic_load_n(&place[other].slot, __ATOMIC_RELAXED) < slot; spins++) {
    }
}

static uint32_t random_of(uint32_t *state)
{
    return *state = *state * 1664525 + 1013904223;
}

typedef struct Worker {
    unsigned id, batches;
    const Row *row;
    uint64_t weak, bad, seen[64];
} Worker;

static void collect(Worker *w)
{
    const Row *r = w->row;
    for (unsigned i = 0; i < BATCH; i++) {
        Outcome o = {.x = slots[i].x, .y = slots[i].y, .z = slots[i].z};
        uint32_t all = o.x | o.y | o.z;
        for (unsigned t = 0; t < r->threads; t++) {
            memcpy(o.r[t], results[t][i], sizeof o.r[t]);
            all |= o.r[t][0] | o.r[t][1];
        }
        w->weak += r->weak(&o);
        w->bad += all > 3;
        unsigned key = (o.r[0][0] & 3) ^ (o.r[1][0] & 3) << 2 ^ (o.r[1][1] & 1) << 4 ^ (o.r[2][1] & 1) << 5;
        w->seen[key]++;
    }
    memset(slots, 0, sizeof slots);
}

static void *work(void *arg)
{
    Worker *w = arg;
    take_processor(w->id);
    uint32_t rng = w->id + 1;
    for (unsigned n = 0; n < w->batches; n++) {
        meet(w->row->threads);
        __atomic_store_n(&place[w->id].slot, 0, __ATOMIC_RELAXED);
        for (volatile unsigned wait = random_of(&rng) >> 24; wait; wait--) {
        }
        for (unsigned i = 0; i < BATCH; i++) {
            keep_step(w->id, w->row->threads, i);
            w->row->code[w->id](&slots[i], results[w->id][i]);
        }
        meet(w->row->threads);
        if (w->id == 0) {
            collect(w);
        }
    }
    return NULL;
}

static bool run(const Row *r, unsigned iterations)
{
    pthread_t t[THREADS];
    Worker w[THREADS] = {{0}};
    memset(slots, 0, sizeof slots);
    for (unsigned i = 0; i < r->threads; i++) {
        w[i] = (Worker){.id = i, .batches = (iterations + BATCH - 1) / BATCH, .row = r};
        if (pthread_create(&t[i], NULL, work, &w[i])) {
            printf("FAILED: no thread\n");
            exit(1);
        }
    }
    unsigned outcomes = 0;
    for (unsigned i = 0; i < r->threads; i++) {
        pthread_join(t[i], NULL);
    }
    for (unsigned i = 0; i < 64; i++) {
        outcomes += w[0].seen[i] != 0;
    }
    bool failed = w[0].bad || (w[0].weak && !r->allowed);
    printf("%s %s+%s: %u outcomes, weak %llu (%s)%s\n", failed ? "FAILED" : "ok", r->family, r->variant, outcomes,
           (unsigned long long)w[0].weak, r->allowed ? "allowed" : "forbidden", w[0].bad ? ", values from nowhere" : "");
    fflush(stdout);
    return !failed;
}

int main(int argc, char **argv)
{
    unsigned iterations = 100000, failures = 0, ran = 0;
    int opt;
    while ((opt = getopt(argc, argv, "n:")) > 0) {
        if (opt != 'n') {
            return 2;
        }
        iterations = (unsigned)strtoul(optarg, NULL, 0);
    }
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool wanted = optind == argc;
        for (int k = optind; k < argc; k++) {
            wanted |= strcmp(argv[k], rows[i].family) == 0;
        }
        if (wanted) {
            ran++;
            failures += !run(&rows[i], iterations);
        }
    }
    printf("%u litmus tests, %u iterations each, %u failed\n", ran, iterations, failures);
    return failures != 0;
}
