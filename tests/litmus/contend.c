/* contend.c - atomics that several threads fight for:  contend [-n ROUNDS] [NAME...]
 *
 * Every LSE operation and every exclusive, in all sizes and pairs, on one location, with an invariant that a lost
 * update, a torn access or a wrong old value breaks. `aba`: a store-exclusive after another thread's stores to the
 * granule must fail, also when they left the old value there; `race`: also when they come just when it is made; `kernel`: after
 * those of its system calls; `wait`: with WFE and a branch in between. Where a load-exclusive and its store-exclusive have other accesses between them, the
 * architecture promises no progress; here they must make some.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "../parts.h"
#include "place.h"

enum { THREADS = 4, HWCAP_USCAT_BIT = 25, HWCAP_ATOMICS_BIT = 8 };

static _Alignas(128) uint8_t cell[128];
static _Alignas(128) volatile uint64_t aside[16]; /* what is accessed between the two halves of a pair */

static uint64_t mask_of(unsigned size)
{
    return size == 8 ? ~0ull : (1ull << (8 * size)) - 1;
}

static uint64_t read_cell(unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, cell, size);
    return v;
}

/* -- operations by size ------------------------------------------------------------------------------------ */

typedef uint64_t Rmw(void *p, uint64_t v);
typedef uint64_t Cas(void *p, uint64_t expected, uint64_t v);
typedef bool Try(void *p, uint64_t *old, uint64_t add); /* one attempt of an exclusive pair: p += add */

#define RMW_FN(op, tail, size, w)                                                                            \
    static uint64_t op##_##size(void *p, uint64_t v)                                                         \
    {                                                                                                        \
        uint64_t old;                                                                                        \
        __asm__ volatile(#op tail " %" w "[v], %" w "[old], [%[p]]"                                          \
                         : [old] "=&r"(old) : [v] "r"(v), [p] "r"(p) : "memory");                            \
        return old;                                                                                          \
    }
#define RMW_SIZES(op) RMW_FN(op, "b", 1, "w") RMW_FN(op, "h", 2, "w") RMW_FN(op, "", 4, "w") RMW_FN(op, "", 8, "x")
#define RMW_ROW(op) {op##_1, op##_2, op##_4, op##_8}
#define ALL_RMW(_) _(ldadd) _(ldaddal) _(ldset) _(ldsetal) _(ldclr) _(ldclral) _(ldeor) _(ldeoral) _(ldsmax) _(ldsmaxal) \
    _(ldsmin) _(ldsminal) _(ldumax) _(ldumaxal) _(ldumin) _(lduminal) _(swp) _(swpal)
ALL_RMW(RMW_SIZES)

enum {
#define ENUM(op) OP_##op,
    ALL_RMW(ENUM)
#undef ENUM
};
static Rmw *const rmw_fns[][4] = {
#define ROW(op) RMW_ROW(op),
    ALL_RMW(ROW)
#undef ROW
};

#define CAS_FN(op, tail, size, w)                                                                            \
    static uint64_t op##_##size(void *p, uint64_t expected, uint64_t v)                                      \
    {                                                                                                        \
        __asm__ volatile(#op tail " %" w "[e], %" w "[v], [%[p]]"                                            \
                         : [e] "+&r"(expected) : [v] "r"(v), [p] "r"(p) : "memory");                         \
        return expected;                                                                                     \
    }
#define CAS_SIZES(op) CAS_FN(op, "b", 1, "w") CAS_FN(op, "h", 2, "w") CAS_FN(op, "", 4, "w") CAS_FN(op, "", 8, "x")
CAS_SIZES(cas)
CAS_SIZES(casal)
static Cas *const cas_fns[2][4] = {{cas_1, cas_2, cas_4, cas_8}, {casal_1, casal_2, casal_4, casal_8}};

/* between: nothing, or accesses that take the pair off the simple path. */
#define TRY_FN(name, ld, st, tail, size, w, between)                                                         \
    static bool name##_##size(void *p, uint64_t *old, uint64_t add)                                          \
    {                                                                                                        \
        uint64_t v, n, fail;                                                                                 \
        __asm__ volatile(ld tail " %" w "[v], [%[p]]\n" between "add %[n], %[v], %[add]\n"                   \
                         st tail " %w[fail], %" w "[n], [%[p]]"                                              \
                         : [v] "=&r"(v), [n] "=&r"(n), [fail] "=&r"(fail)                                    \
                         : [p] "r"(p), [add] "r"(add), [aside] "r"(aside)                                    \
                         : "x9", "memory");                                                                  \
        *old = v;                                                                                            \
        return !(uint32_t)fail;                                                                              \
    }
#define TRY_SIZES(name, ld, st, between)                                                                     \
    TRY_FN(name, ld, st, "b", 1, "w", between) TRY_FN(name, ld, st, "h", 2, "w", between)                    \
    TRY_FN(name, ld, st, "", 4, "w", between) TRY_FN(name, ld, st, "", 8, "x", between)
#define BETWEEN_LOAD "ldr x9, [%[aside]]\n"
#define BETWEEN_STORE "str xzr, [%[aside], #8]\n"
#define BETWEEN_OWN "ldr x9, [%[p], #8]\n str x9, [%[p], #8]\n"
#define BETWEEN_WAIT "wfe\n adr x9, 1f\n br x9\n 1:\n"
TRY_SIZES(excl, "ldxr", "stxr", "")
TRY_SIZES(exclal, "ldaxr", "stlxr", "")
TRY_SIZES(excl_load, "ldaxr", "stlxr", BETWEEN_LOAD)
TRY_SIZES(excl_store, "ldxr", "stxr", BETWEEN_STORE)
TRY_SIZES(excl_own, "ldaxr", "stxr", BETWEEN_OWN)
TRY_SIZES(excl_wait, "ldxr", "stxr", BETWEEN_WAIT)
enum { TRY_WAIT = 5, TRIES };
static Try *const try_fns[TRIES][4] = {{excl_1, excl_2, excl_4, excl_8},
                                   {exclal_1, exclal_2, exclal_4, exclal_8},
                                   {excl_load_1, excl_load_2, excl_load_4, excl_load_8},
                                   {excl_store_1, excl_store_2, excl_store_4, excl_store_8},
                                   {excl_own_1, excl_own_2, excl_own_4, excl_own_8},
                                   {excl_wait_1, excl_wait_2, excl_wait_4, excl_wait_8}};
static const char *const try_names[TRIES] = {"ldxr stxr", "ldaxr stlxr", "ldaxr, a load, stlxr", "ldxr, a store, stxr",
                                             "ldaxr, a store to the granule, stxr", "ldxr, wfe and br, stxr"};

/* -- threads -------------------------------------------------------------------------------------------------- */

typedef struct Job {
    unsigned id, op, order;     /* order: log2 of the size */
    void *(*fn)(void *);
    uint64_t sum, best;
} Job;

static Job jobs[THREADS];

static unsigned ready;

static void *start(void *arg)
{
    Job *j = arg;
    take_processor(j->id);
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < THREADS) {
        sched_yield();
    }
    return j->fn(j);
}

/* Runs fn in all threads on the same op and size, and waits for them. */
static void fight(void *(*fn)(void *), unsigned op, unsigned order)
{
    pthread_t t[THREADS];
    ready = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        jobs[i] = (Job){.id = i, .op = op, .order = order, .fn = fn};
        if (pthread_create(&t[i], NULL, start, &jobs[i])) {
            printf("FAILED: no thread\n");
            exit(1);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
}

static uint64_t total_sum(void)
{
    uint64_t s = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        s += jobs[i].sum;
    }
    return s;
}

static void fill(uint64_t v)
{
    memset(cell, 0x5a, sizeof cell);
    memcpy(cell, &v, 8);
}

/* Bytes behind the location are nobody's business. */
static void check_rest(const char *what, unsigned size, unsigned used)
{
    for (unsigned i = used; i < sizeof cell; i++) {
        if (i >= 8 && cell[i] != 0x5a) {
            FAIL("%s, %u bytes: byte %u was written", what, size, i);
        }
    }
}

/* -- LSE ------------------------------------------------------------------------------------------------------- */

static void *adder(void *arg)
{
    Job *j = arg;
    Rmw *add = rmw_fns[j->op][j->order];
    for (unsigned i = 0; i < rounds; i++) {
        add(cell, 2 * j->id + 1);
        j->sum += 2 * j->id + 1;
    }
    return NULL;
}

/* Each thread owns a bit and knows what it has made of it. */
static void *bitter(void *arg)
{
    Job *j = arg;
    uint64_t bit = 1ull << (j->id + (j->order ? 3 : 0)), mine = 0;
    for (unsigned i = 0; i < rounds; i++) {
        unsigned flavour = i >> 2 & 1;
        unsigned kind = i % 3;
        Rmw *fn = rmw_fns[(kind == 0 ? OP_ldset : kind == 1 ? OP_ldclr : OP_ldeor) + flavour][j->order];
        uint64_t old = fn(cell, bit);
        if ((old & bit) != mine) {
            FAIL("bit operations, size %u: own bit changed", 1u << j->order);
        }
        mine = kind == 0 ? bit : kind == 1 ? 0 : mine ^ bit;
        if (old & ~mask_of(1u << j->order)) {
            FAIL("old value %llx is wider than %u bytes", (unsigned long long)old, 1u << j->order);
        }
    }
    rmw_fns[OP_ldclr][j->order](cell, bit);
    return NULL;
}

/* Tokens change hands; none may be lost or doubled. */
static void *swapper(void *arg)
{
    Job *j = arg;
    Rmw *swp = rmw_fns[j->op][j->order];
    uint64_t token = (j->id + 1) * 7;
    for (unsigned i = 0; i < rounds; i++) {
        token = swp(cell, token);
    }
    j->sum = token;
    return NULL;
}

static void *limiter(void *arg)
{
    Job *j = arg;
    uint64_t mask = mask_of(1u << j->order), last = read_cell(1u << j->order);
    bool sign = j->op <= OP_ldsminal, max = j->op == OP_ldsmax || j->op == OP_ldsmaxal || j->op == OP_ldumax || j->op == OP_ldumaxal;
    uint64_t rng = j->id + 1, best = last;
    unsigned shift = 64 - 8 * (1u << j->order);
    for (unsigned i = 0; i < rounds; i++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        uint64_t v = rng >> 11 & mask, old = rmw_fns[j->op][j->order](cell, v);
        int64_t so = (int64_t)(old << shift), sl = (int64_t)(last << shift), sv = (int64_t)(v << shift), sb = (int64_t)(best << shift);
        bool back = sign ? (max ? so < sl : so > sl) : (max ? old < last : old > last);
        if (back) {
            FAIL("limits, op %u size %u: went back from %llx to %llx", j->op, 1u << j->order, (unsigned long long)last,
                 (unsigned long long)old);
        }
        last = old;
        best = (sign ? (max ? sv > sb : sv < sb) : (max ? v > best : v < best)) ? v : best;
    }
    j->best = best;
    return NULL;
}

static void test_lse(void)
{
    for (unsigned order = 0; order < 4; order++) {
        unsigned size = 1u << order;
        for (unsigned flavour = 0; flavour < 2; flavour++) {
            fill(0);
            fight(adder, OP_ldadd + flavour, order);
            if (read_cell(size) != (total_sum() & mask_of(size))) {
                FAIL("ldadd, %u bytes: sum is wrong", size);
            }
            check_rest("ldadd", size, size);
            fill(0);
            fight(swapper, OP_swp + flavour, order);
            if (total_sum() + read_cell(size) != 7 * (1 + 2 + 3 + 4)) {
                FAIL("swp, %u bytes: a token is lost", size);
            }
        }
        fill(0);
        fight(bitter, 0, order);
        if (read_cell(size) != 0) {
            FAIL("bits, %u bytes: %llx is left", size, (unsigned long long)read_cell(size));
        }
        for (unsigned op = OP_ldsmax; op <= OP_lduminal; op++) {
            bool max = op == OP_ldsmax || op == OP_ldsmaxal || op == OP_ldumax || op == OP_ldumaxal, sign = op <= OP_ldsminal;
            uint64_t worst = sign ? (mask_of(size) >> 1) + max : max ? 0 : mask_of(size);
            unsigned shift = 64 - 8 * size;
            fill(worst & mask_of(size));
            fight(limiter, op, order);
            uint64_t want = worst & mask_of(size);
            for (unsigned i = 0; i < THREADS; i++) {
                uint64_t v = jobs[i].best;
                int64_t sv = (int64_t)(v << shift), sw = (int64_t)(want << shift);
                want = (sign ? (max ? sv > sw : sv < sw) : (max ? v > want : v < want)) ? v : want;
            }
            if (read_cell(size) != want) {
                FAIL("limits, op %u, %u bytes: %llx, not %llx", op, size, (unsigned long long)read_cell(size), (unsigned long long)want);
            }
        }
    }
}

static void *cas_adder(void *arg)
{
    Job *j = arg;
    uint64_t mask = mask_of(1u << j->order);
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t seen = read_cell(1u << j->order) & mask, old;
        /* Bits above the size are ignored in the operands, and zero in the result. */
        while ((old = cas_fns[j->op][j->order](cell, seen | (~mask & 0x1234567800000000), (seen + 3) & mask)) != seen) {
            if (old & ~mask) {
                FAIL("cas, %u bytes: old value %llx", 1u << j->order, (unsigned long long)old);
                break;
            }
            seen = old;
        }
        j->sum += 3;
    }
    return NULL;
}

/* A pair whose halves belong together: hi = ~lo. */
static bool casp64(uint64_t *p, uint64_t *lo, uint64_t *hi, uint64_t new_lo, uint64_t new_hi)
{
    register uint64_t e0 __asm__("x4") = *lo, e1 __asm__("x5") = *hi, n0 __asm__("x6") = new_lo, n1 __asm__("x7") = new_hi;
    __asm__ volatile("caspal x4, x5, x6, x7, [%[p]]" : "+r"(e0), "+r"(e1) : "r"(n0), "r"(n1), [p] "r"(p) : "memory");
    bool won = e0 == *lo && e1 == *hi;
    *lo = e0;
    *hi = e1;
    return won;
}

static bool casp32(uint32_t *p, uint32_t *lo, uint32_t *hi, uint32_t new_lo, uint32_t new_hi)
{
    register uint64_t e0 __asm__("x4") = *lo, e1 __asm__("x5") = *hi, n0 __asm__("x6") = new_lo, n1 __asm__("x7") = new_hi;
    __asm__ volatile("casp w4, w5, w6, w7, [%[p]]" : "+r"(e0), "+r"(e1) : "r"(n0), "r"(n1), [p] "r"(p) : "memory");
    bool won = e0 == *lo && e1 == *hi;
    *lo = (uint32_t)e0;
    *hi = (uint32_t)e1;
    return won;
}

static void *pair_adder64(void *arg)
{
    (void)arg;
    uint64_t lo = 0, hi = 0;
    for (unsigned i = 0; i < rounds; i++) {
        while (!casp64((uint64_t *)cell, &lo, &hi, lo + 1, ~(lo + 1))) {
            if (lo != ~hi) {
                FAIL("casp of 16 bytes: torn, %llx %llx", (unsigned long long)lo, (unsigned long long)hi);
                return NULL;
            }
        }
    }
    return NULL;
}

static void *pair_adder32(void *arg)
{
    (void)arg;
    uint32_t lo = 0, hi = 0;
    for (unsigned i = 0; i < rounds; i++) {
        while (!casp32((uint32_t *)cell, &lo, &hi, lo + 1, ~(lo + 1))) {
            if (lo != ~hi) {
                FAIL("casp of 8 bytes: torn, %x %x", lo, hi);
                return NULL;
            }
        }
    }
    return NULL;
}

static void start_pair(unsigned half)
{
    memset(cell, 0x5a, sizeof cell);
    memset(cell, 0, half);
    memset(cell + half, 0xff, half);
}

static void check_pair(const char *what, unsigned half)
{
    uint64_t lo = 0, hi = 0;
    memcpy(&lo, cell, half);
    memcpy(&hi, cell + half, half);
    if (lo != (uint64_t)rounds * THREADS || hi != (~lo & mask_of(half))) {
        FAIL("%s of 2 x %u bytes: %llx %llx at the end", what, half, (unsigned long long)lo, (unsigned long long)hi);
    }
}

static void test_cas(void)
{
    for (unsigned order = 0; order < 4; order++) {
        for (unsigned flavour = 0; flavour < 2; flavour++) {
            fill(0);
            fight(cas_adder, flavour, order);
            if (read_cell(1u << order) != (total_sum() & mask_of(1u << order))) {
                FAIL("cas, %u bytes: sum is wrong", 1u << order);
            }
            check_rest("cas", 1u << order, 1u << order);
        }
    }
    start_pair(8);
    fight(pair_adder64, 0, 0);
    check_pair("casp", 8);
    start_pair(4);
    fight(pair_adder32, 0, 0);
    check_pair("casp", 4);
}

/* -- exclusives -------------------------------------------------------------------------------------------------- */

static void *excl_adder(void *arg)
{
    Job *j = arg;
    Try *try = try_fns[j->op][j->order];
    uint64_t old, tries = 0;
    for (unsigned i = 0; i < rounds; i++) {
        while (!try(cell, &old, 5)) {
            if (++tries > 2000ull * rounds) {
                FAIL("%s, %u bytes: no progress", try_names[j->op], 1u << j->order);
                return NULL;
            }
        }
        if (old & ~mask_of(1u << j->order)) {
            FAIL("%s, %u bytes: old value %llx", try_names[j->op], 1u << j->order, (unsigned long long)old);
        }
        j->sum += 5;
    }
    return NULL;
}

#define PAIR_TRY(name, ld, st, w, type, between)                                                             \
    static bool name(void *p, type *lo, type *hi)                                                            \
    {                                                                                                        \
        uint64_t a, b, c, d, fail;                                                                           \
        __asm__ volatile(ld " %" w "[a], %" w "[b], [%[p]]\n" between "add %[c], %[a], #1\n mvn %[d], %[c]\n" \
                         st " %w[fail], %" w "[c], %" w "[d], [%[p]]"                                        \
                         : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [fail] "=&r"(fail)        \
                         : [p] "r"(p), [aside] "r"(aside) : "x9", "memory");                                 \
        *lo = (type)a;                                                                                       \
        *hi = (type)b;                                                                                       \
        return !(uint32_t)fail;                                                                              \
    }
PAIR_TRY(pair64, "ldxp", "stxp", "x", uint64_t, "")
PAIR_TRY(pair32, "ldxp", "stxp", "w", uint32_t, "")
PAIR_TRY(pair64al, "ldaxp", "stlxp", "x", uint64_t, "")
PAIR_TRY(pair32al, "ldaxp", "stlxp", "w", uint32_t, "")
PAIR_TRY(pair64_load, "ldaxp", "stlxp", "x", uint64_t, BETWEEN_LOAD)
PAIR_TRY(pair32_load, "ldxp", "stxp", "w", uint32_t, BETWEEN_LOAD)

static void *excl_pair(void *arg)
{
    Job *j = arg;
    uint64_t tries = 0;
    for (unsigned i = 0; i < rounds; i++) {
        bool won = false;
        while (!won) {
            uint64_t lo, hi;
            uint32_t lo32, hi32;
            if (j->order) {
                won = j->op == 0 ? pair64(cell, &lo, &hi) : j->op == 1 ? pair64al(cell, &lo, &hi) : pair64_load(cell, &lo, &hi);
            } else {
                won = j->op == 0 ? pair32(cell, &lo32, &hi32) : j->op == 1 ? pair32al(cell, &lo32, &hi32) : pair32_load(cell, &lo32, &hi32);
                lo = lo32;
                hi = ~(uint64_t)(uint32_t)~hi32;
            }
            /* Only what a successful store confirms is known to be one value. */
            if (won && lo != ~hi) {
                FAIL("ldxp stxp %u: torn, %llx %llx", j->order, (unsigned long long)lo, (unsigned long long)hi);
            }
            if (++tries > 2000ull * rounds) {
                FAIL("ldxp stxp %u.%u: no progress", j->op, j->order);
                return NULL;
            }
        }
    }
    return NULL;
}

static void test_excl(void)
{
    for (unsigned order = 0; order < 4; order++) {
        for (unsigned kind = 0; kind < TRY_WAIT; kind++) {
            fill(0);
            fight(excl_adder, kind, order);
            if (read_cell(1u << order) != (total_sum() & mask_of(1u << order))) {
                FAIL("%s, %u bytes: sum is wrong", try_names[kind], 1u << order);
            }
            check_rest(try_names[kind], 1u << order, 1u << order);
        }
    }
    for (unsigned order = 0; order < 2; order++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            start_pair(order ? 8 : 4);
            fight(excl_pair, kind, order);
            check_pair("ldxp stxp", order ? 8 : 4);
        }
    }
}

/* -- 16 bytes at once ----------------------------------------------------------------------------------------------- */

static volatile unsigned writers;

static void *torn_writer(void *arg)
{
    Job *j = arg;
    for (uint64_t i = 1; i <= rounds; i++) {
        uint64_t lo = i << 2 | j->id, hi = ~lo, old_lo, old_hi;
        if (j->op) { /* one STP: atomic with FEAT_LSE2 */
            __asm__ volatile("stp %0, %1, [%2]" : : "r"(lo), "r"(hi), "r"(cell) : "memory");
        } else {
            unsigned fail;
            do {
                __asm__ volatile("ldxp %0, %1, [%5]\n stxp %w2, %3, %4, [%5]"
                                 : "=&r"(old_lo), "=&r"(old_hi), "=&r"(fail) : "r"(lo), "r"(hi), "r"(cell) : "memory");
            } while (fail);
        }
    }
    __atomic_sub_fetch(&writers, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *torn_reader(void *arg)
{
    Job *j = arg;
    while (writers) {
        uint64_t lo = 0, hi = 0;
        if (j->op) {
            __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(lo), "=&r"(hi) : "r"(cell) : "memory");
        } else if (j->id & 1) { /* a CASP that never stores anything new */
            casp64((uint64_t *)cell, &lo, &hi, 0, 0);
        } else {
            unsigned fail;
            do {
                __asm__ volatile("ldaxp %0, %1, [%3]\n stlxp %w2, %0, %1, [%3]" : "=&r"(lo), "=&r"(hi), "=&r"(fail)
                                 : "r"(cell) : "memory");
            } while (fail);
        }
        if (lo != ~hi) {
            FAIL("16 bytes (%s): torn, %llx %llx", j->op ? "LDP, STP" : "exclusives, CASP", (unsigned long long)lo,
                 (unsigned long long)hi);
            break;
        }
    }
    return NULL;
}

static void *torn(void *arg)
{
    Job *j = arg;
    return j->id < 2 ? torn_writer(arg) : torn_reader(arg);
}

static void test_torn(void)
{
    bool lse2 = getauxval(AT_HWCAP) >> HWCAP_USCAT_BIT & 1;
    for (unsigned op = 0; op <= lse2; op++) {
        start_pair(8);
        writers = 2;
        fight(torn, op, 0);
    }
    if (lse2) { /* misaligned, but within 16 bytes: atomic too */
        for (unsigned at = 1; at < 15; at++) {
            unsigned order = at <= 8 ? 3 : at <= 12 ? 2 : 1;
            uint64_t before = 0, after = 0;
            memset(cell, 0, sizeof cell);
            memcpy(&before, cell + at, 1u << order);
            for (unsigned i = 0; i < 100; i++) {
                rmw_fns[OP_ldaddal][order](cell + at, 3);
            }
            memcpy(&after, cell + at, 1u << order);
            if (after != before + 300) {
                FAIL("misaligned ldadd at %u", at);
            }
        }
    }
}

/* -- A-B-A ------------------------------------------------------------------------------------------------------------ */

static volatile unsigned step;
static unsigned aba_rounds;

/* Ways of another thread to store to the granule; the value at the end is what was there before. */
static void store_way(unsigned way, uint64_t v)
{
    uint64_t other = v + 1, junk;
    switch (way) {
    case 0: __asm__ volatile("str %0, [%2]\n str %1, [%2]" : : "r"(other), "r"(v), "r"(cell) : "memory"); break;
    case 1: __asm__ volatile("stlr %0, [%2]\n stlr %1, [%2]" : : "r"(other), "r"(v), "r"(cell) : "memory"); break;
    case 2: __asm__ volatile("swpal %1, %0, [%3]\n swpal %2, %0, [%3]" : "=&r"(junk) : "r"(other), "r"(v), "r"(cell) : "memory"); break;
    case 3: __asm__ volatile("str %0, [%1]" : : "r"(v), "r"(cell) : "memory"); break; /* the same value: still a store */
    case 4: __asm__ volatile("strb %w0, [%1]" : : "r"(v), "r"(cell) : "memory"); break;
    case 5: { /* all 16 bytes, by a vector register */
        __asm__ volatile("ldr q16, [%0]\n str q16, [%0]" : : "r"(cell) : "v16", "memory");
        break;
    }
    case 6: {
        unsigned fail;
        do {
            __asm__ volatile("ldxr %0, [%2]\n stxr %w1, %0, [%2]" : "=&r"(junk), "=&r"(fail) : "r"(cell) : "memory");
        } while (fail);
        break;
    }
    case 7: __asm__ volatile("ldadd xzr, %0, [%1]" : "=&r"(junk) : "r"(cell) : "memory"); break; /* adds nothing */
    case 8: __asm__ volatile("ldp x9, x10, [%0]\n stp x9, x10, [%0]" : : "r"(cell) : "x9", "x10", "memory"); break;
    case 9: __asm__ volatile("ldr q16, [%0]\n st1 {v16.16b}, [%0]" : : "r"(cell) : "v16", "memory"); break;
    case 10: __asm__ volatile("ldp q16, q17, [%0]\n stp q16, q17, [%0]" : : "r"(cell) : "v16", "v17", "memory"); break;
    case 11: { /* by the kernel */
        int p[2];
        if (pipe(p) || write(p[1], &v, 8) != 8 || read(p[0], cell, 8) != 8) {
            FAIL("pipe");
        }
        close(p[0]);
        close(p[1]);
        break;
    }
    case 12: { /* by the kernel, for a futex: 1 more, 1 less; the low 12 bits are a signed number */
        static uint32_t none;
        if (syscall(SYS_futex, &none, FUTEX_WAKE_OP_PRIVATE, 0, 0, cell, FUTEX_OP_ADD << 28 | 1) < 0 ||
            syscall(SYS_futex, &none, FUTEX_WAKE_OP_PRIVATE, 0, 0, cell, FUTEX_OP_ADD << 28 | 0xfff) < 0) {
            FAIL("futex");
        }
        break;
    }
    case 13: __asm__ volatile("dc zva, %0\n str %1, [%0]" : : "r"(cell), "r"(v) : "memory"); break;
    case 14: __asm__ volatile("dc zva, %0" : : "r"(cell) : "memory"); break; /* zero it was: aba_value() */
    default: {
        uint64_t lo = v, hi;
        memcpy(&hi, cell + 8, 8);
        casp64((uint64_t *)cell, &lo, &hi, lo, hi);
        break;
    }
    }
}
enum { WAYS = 16, WAY_KERNEL = 11, WAY_KERNELS = 2, WAY_ZERO = 14 };
static const char *const way_names[WAYS] = {"STR B, STR A", "STLR B, STLR A", "SWPAL B, SWPAL A", "STR A", "STRB", "STR Q",
                                            "LDXR, STXR", "LDADD 0", "STP", "ST1", "STP Q", "read(2)", "FUTEX_WAKE_OP",
                                            "DC ZVA, STR", "DC ZVA of zeros", "CASP"};

static uint64_t aba_value(unsigned way)
{
    return way == WAY_ZERO ? 0 : 0x1111;
}
static unsigned current_way;

static void *aba_other(void *arg)
{
    for (unsigned i = 0; i < aba_rounds; i++) {
        while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) != 2 * i + 1) {
            sched_yield();
        }
        store_way(current_way, aba_value(current_way));
        __atomic_store_n(&step, 2 * i + 2, __ATOMIC_RELEASE);
    }
    return arg;
}

/* Between the halves of a pair: let the other thread store, and wait for it without a system call. */
#define HANDSHAKE                                                                                            \
    "stlr %w[go], [%[step]]\n"                                                                               \
    "1: yield\n ldar w9, [%[step]]\n cmp w9, %w[go]\n b.eq 1b\n"
#define ABA_FN(name, ld, st)                                                                                 \
    static bool name(unsigned go)                                                                            \
    {                                                                                                        \
        uint64_t fail;                                                                                       \
        __asm__ volatile(ld "\n" HANDSHAKE st                                                                \
                         : [fail] "=&r"(fail)                                                                \
                         : [p] "r"(cell), [go] "r"(go), [step] "r"(&step)                                    \
                         : "x9", "x10", "x11", "cc", "memory");                                              \
        return !(uint32_t)fail;                                                                              \
    }
ABA_FN(aba_1, "ldxrb w10, [%[p]]", "stxrb %w[fail], w10, [%[p]]")
ABA_FN(aba_2, "ldxrh w10, [%[p]]", "stxrh %w[fail], w10, [%[p]]")
ABA_FN(aba_4, "ldaxr w10, [%[p]]", "stlxr %w[fail], w10, [%[p]]")
ABA_FN(aba_8, "ldxr x10, [%[p]]", "stxr %w[fail], x10, [%[p]]")
ABA_FN(aba_pair4, "ldxp w10, w11, [%[p]]", "stxp %w[fail], w10, w11, [%[p]]")
ABA_FN(aba_pair8, "ldaxp x10, x11, [%[p]]", "stlxp %w[fail], x10, x11, [%[p]]")
ABA_FN(aba_wait, "ldxr x10, [%[p]]\n wfe\n adr x9, 2f\n br x9\n 2:", "stxr %w[fail], x10, [%[p]]")
/* with own stores to the granule after the other thread's */
ABA_FN(aba_own, "ldxr x10, [%[p]]", "str x10, [%[p]]\n stxr %w[fail], x10, [%[p]]")
ABA_FN(aba_beside, "ldxr x10, [%[p]]", "ldr x9, [%[p], #8]\n str x9, [%[p], #8]\n stxr %w[fail], x10, [%[p]]")
static bool (*const aba_fns[])(unsigned) = {aba_wait, aba_1, aba_2, aba_4, aba_8, aba_pair4, aba_pair8, aba_own, aba_beside};
static const char *const aba_names[] = {"LDXR X, WFE", "LDXRB", "LDXRH", "LDAXR W", "LDXR X", "LDXP W", "LDAXP X",
                                        "LDXR X, own STR", "LDXR X, own STR beside"};
enum { KINDS = sizeof aba_fns / sizeof aba_fns[0] };

static void aba_ways(unsigned kinds, unsigned first, unsigned end)
{
    aba_rounds = rounds / 1000 < 50 ? 50 : rounds / 1000;
    for (unsigned kind = 0; kind < kinds; kind++) {
        for (current_way = first; current_way < end; current_way++) {
            pthread_t t;
            unsigned won = 0;
            fill(aba_value(current_way));
            if (current_way == WAY_ZERO) {
                memset(cell, 0, sizeof cell);
            }
            step = 0;
            pthread_create(&t, NULL, aba_other, NULL);
            for (unsigned i = 0; i < aba_rounds; i++) {
                won += aba_fns[kind](2 * i + 1);
            }
            pthread_join(t, NULL);
            if (won) {
                FAIL("A-B-A: %s succeeded %u times of %u after another thread's %s", aba_names[kind], won, aba_rounds,
                     way_names[current_way]);
            }
        }
    }
}

static void test_aba(void)
{
    aba_ways(KINDS, 0, WAY_KERNEL);
    aba_ways(KINDS, WAY_KERNEL + WAY_KERNELS, WAYS);
}

enum { RACE_OLD = 0x1111, RACE_NEW = 0x3333 };

/* Stores another value and the old one, at once, when it is told to. */
static void *race_other(void *arg)
{
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned n = 0; __atomic_load_n(&step, __ATOMIC_ACQUIRE) != 2 * i + 1; n++) {
            if (n > 1000) {
                sched_yield();
            }
        }
        __asm__ volatile("str %0, [%2]\n str %1, [%2]" : : "r"(0x2222ull), "r"((uint64_t)RACE_OLD), "r"(cell) : "memory");
        __atomic_store_n(&step, 2 * i + 2, __ATOMIC_RELEASE);
    }
    return arg;
}

/* The other thread begins after the load-exclusive. So either the store-exclusive fails, or it comes before those stores. */
static void test_race(void)
{
    pthread_t t;
    unsigned lost = 0;
    step = 0;
    fill(RACE_OLD);
    pthread_create(&t, NULL, race_other, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t fail, wait = i % 61 + 1;
        memcpy(cell, &(uint64_t){RACE_OLD}, 8);
        __asm__ volatile("ldxr x10, [%[p]]\n stlr %w[go], [%[step]]\n 1: subs %[wait], %[wait], #1\n b.ne 1b\n"
                         "stxr %w[fail], %[v], [%[p]]"
                         : [fail] "=&r"(fail), [wait] "+r"(wait)
                         : [p] "r"(cell), [go] "r"(2 * i + 1), [step] "r"(&step), [v] "r"((uint64_t)RACE_NEW)
                         : "x10", "cc", "memory");
        for (unsigned n = 0; __atomic_load_n(&step, __ATOMIC_ACQUIRE) != 2 * i + 2; n++) {
            if (n > 1000) {
                sched_yield();
            }
        }
        lost += !(uint32_t)fail && read_cell(8) == RACE_NEW;
    }
    pthread_join(t, NULL);
    if (lost) {
        FAIL("STXR behind two stores of another thread succeeded %u times of %u", lost, rounds);
    }
}

/* Exclusives of which only their store tells that they are more than a WFE's: first in a process of its own. While
 * nobody else stores to the granule, one attempt may fail, not all. */
static void test_wait(void)
{
    pthread_t t;
    aba_rounds = 1;
    current_way = 0;
    step = 0;
    pthread_create(&t, NULL, aba_other, NULL);
    for (unsigned order = 0; order < 4; order++) {
        uint64_t old;
        unsigned won = 0;
        fill(0);
        for (unsigned i = 0; i < 50; i++) {
            won += try_fns[TRY_WAIT][order](cell, &old, 5);
        }
        if (won < 40 || read_cell(1) != 5 * won) {
            FAIL("%s, %u bytes: %u of 50 succeeded, %llx is stored", try_names[TRY_WAIT], 1u << order, won,
                 (unsigned long long)read_cell(1));
        }
        check_rest(try_names[TRY_WAIT], 1u << order, 1u << order);
    }
    step = 1;
    pthread_join(t, NULL);
    aba_ways(1, 0, WAY_KERNEL);
}

static void test_kernel(void)
{
    aba_ways(KINDS, WAY_KERNEL, WAY_KERNEL + WAY_KERNELS);
}

static const Part tests[] = {{"lse", test_lse}, {"cas", test_cas}, {"excl", test_excl},
                             {"torn", test_torn}, {"aba", test_aba}, {"race", test_race}, {"kernel", test_kernel},
                             {"wait", test_wait}};

PARTS_MAIN(tests, 100000)
