/* t_engine_threads.c - the engine under threads: some run guest code all the time while one changes that code,
 * invalidates, kicks, adds key bits and does what fork does, with code memory so small that it is flushed often.
 * The sanitizers' test of the engine's own concurrency, too: guest code touches no memory.
 *
 * The guest: a loop that calls, through registers and directly, functions of two areas. Those at COLD are many and
 * long, and their effect on x6..x8 can be computed: that finds code of one region run as another's. Those at VERSIONED
 * return a number, which goes up: each version is another image of that area, as if another file were mapped there.
 * A thread that starts after engine_invalidate() has returned must not see the number from before.
 * A program without Criterion, whose processes ThreadSanitizer does not bear.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/tb.h"
#include "cpu.h"

enum {
    LOOP = 0x400000,
    VERSIONED = 0x500000,
    COLD = 0x600000,
    NVERSIONED = 64,   /* functions; each has VERSIONED_WORDS */
    VERSIONED_WORDS = 4,
    NCOLD = 1024,      /* functions; each has COLD_WORDS */
    COLD_WORDS = 64,
    VERSIONS = 400,
    RUNNERS = 5,
    ITERATIONS = 40,   /* of the guest's loop, per run */
    RUNS = 30,         /* of a CPU structure, before the thread "ends" */
};
#define MULTIPLIER 6364136223846793005u
#define INCREMENT 1442695040888963407u

static uint32_t loop_code[32], cold_code[NCOLD * COLD_WORDS];
static uint32_t versioned_code[VERSIONS + 1][NVERSIONED * VERSIONED_WORDS];
static uint32_t version, published; /* of VERSIONED: mapped, and known to everyone */
static bool stop;
static CpuA64 cpus[RUNNERS];
static Engine *engine;

/* -- guest code -------------------------------------------------------------------------------------------- */

enum { MOVZ = 0xd2800000, ADD = 0x8b000000, ADD_IMM = 0x91000000, SUBS_IMM = 0xf1000000, EOR = 0xca000000,
       CMP = 0xeb00001f, MADD = 0x9b000000, LSR = 0xd340fc00, CINC_LO = 0x9a802400, BLR = 0xd63f0000, BL = 0x94000000,
       B_NE = 0x54000001, RET = 0xd65f03c0, HLT = 0xd4400000, DMB_ISH = 0xd5033bbf };

static uint32_t reg3(uint32_t op, unsigned rd, unsigned rn, unsigned rm)
{
    return op | rm << 16 | rn << 5 | rd;
}

static uint32_t call(uint64_t from, uint64_t to)
{
    return BL | ((uint32_t)((int64_t)(to - from) >> 2) & 0x3ffffff);
}

/* x3 += x0 < x2 */
static uint32_t *check_version(uint32_t *p)
{
    *p++ = reg3(CMP, 0, 0, 2);
    *p++ = reg3(CINC_LO, 3, 3, 3);
    return p;
}

/* x20 random, x21 iterations left, x22 multiplier, x23 increment, x24 VERSIONED, x25 COLD */
static void make_loop(void)
{
    uint32_t *p = loop_code;
    *p++ = reg3(MADD, 20, 20, 22) | 23 << 10;
    *p++ = reg3(LSR, 5, 20, 58);
    *p++ = reg3(ADD, 5, 24, 5) | 4 << 10;
    *p++ = reg3(BLR, 0, 5, 0);
    p = check_version(p);
    for (unsigned k = 1; k <= 2; k++) {
        *p = call(LOOP + 4 * (uint64_t)(p - loop_code), VERSIONED + 4 * k * VERSIONED_WORDS);
        p = check_version(p + 1);
    }
    *p++ = DMB_ISH;
    *p++ = reg3(LSR, 5, 20, 54);
    *p++ = reg3(ADD, 5, 25, 5) | 8 << 10;
    *p++ = reg3(BLR, 0, 5, 0);
    *p++ = SUBS_IMM | 1 << 10 | 21 << 5 | 21;
    *p = B_NE | ((uint32_t)(loop_code - p) & 0x7ffff) << 5;
    p[1] = HLT;
    ASSERT(p + 2 <= loop_code + LEN(loop_code));
}

static void make_code(void)
{
    make_loop();
    for (unsigned k = 0; k < NCOLD; k++) {
        uint32_t *p = &cold_code[k * COLD_WORDS];
        for (unsigned i = 0; i + 3 < COLD_WORDS; i += 3) {
            p[i] = ADD_IMM | k << 10 | 6 << 5 | 6;
            p[i + 1] = reg3(EOR, 7, 7, 6);
            p[i + 2] = reg3(ADD, 8, 8, 7);
        }
        p[COLD_WORDS - 1] = RET;
    }
    for (unsigned v = 0; v <= VERSIONS; v++) {
        for (unsigned k = 0; k < NVERSIONED; k++) {
            versioned_code[v][k * VERSIONED_WORDS] = MOVZ | v << 5;
            versioned_code[v][k * VERSIONED_WORDS + 1] = RET;
        }
    }
}

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    const struct {
        uint64_t start, size;
        const void *code;
    } areas[] = {
        {LOOP, sizeof loop_code, loop_code},
        {VERSIONED, sizeof versioned_code[0], versioned_code[__atomic_load_n(&version, __ATOMIC_ACQUIRE)]},
        {COLD, sizeof cold_code, cold_code},
    };
    (void)s;
    for (unsigned k = 0; k < LEN(areas); k++) {
        uint64_t at = pc.v - areas[k].start;
        if (at < areas[k].size) {
            *avail = (uint32_t)(areas[k].size - at);
            return (const uint8_t *)areas[k].code + at;
        }
    }
    *avail = 0;
    return NULL;
}

static Space space = {.fetch = fetch};

/* -- threads ------------------------------------------------------------------------------------------------ */

/* What ITERATIONS of the loop do to the random state and x6..x8. */
static void expect(uint64_t *random, uint64_t x[3])
{
    for (unsigned n = 0; n < ITERATIONS; n++) {
        *random = *random * MULTIPLIER + INCREMENT;
        for (unsigned i = 0; i + 3 < COLD_WORDS; i += 3) {
            x[0] += *random >> 54;
            x[1] ^= x[0];
            x[2] += x[1];
        }
    }
}

/* Runs to the HLT; returns how many functions were out of date or did the wrong thing. */
static uint64_t run_once(CpuA64 *cpu, uint64_t *random)
{
    uint64_t x[3] = {cpu->x[6], cpu->x[7], cpu->x[8]};
    cpu->x[20] = *random;
    cpu->x[21] = ITERATIONS;
    cpu->x[3] = 0;
    cpu->pc = LOOP;
    cpu->x[2] = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
    ExcKind kind = engine_run(&cpu->h);
    while (kind == EXC_PENDING) {
        __atomic_store_n(&cpu->h.pending, 0, __ATOMIC_RELAXED);
        kind = engine_run(&cpu->h);
    }
    expect(random, x);
    uint64_t wrong = kind != EXC_HLT || x[0] != cpu->x[6] || x[1] != cpu->x[7] || x[2] != cpu->x[8];
    return wrong + cpu->x[3] + (cpu->x[0] > __atomic_load_n(&version, __ATOMIC_ACQUIRE));
}

static void *runner(void *arg)
{
    CpuA64 *cpu = arg;
    uint64_t random = (uint64_t)(cpu - cpus), bad = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        if (engine_cpu_init(engine, &cpu->h) < 0) {
            return (void *)1;
        }
        cpu->x[22] = MULTIPLIER;
        cpu->x[23] = INCREMENT;
        cpu->x[24] = VERSIONED;
        cpu->x[25] = COLD;
        for (unsigned n = 0; n < RUNS && !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); n++) {
            cpu->h.fp.fpcr = n % 8 == 7 ? 1u << 24 : 0; /* FZ: another key */
            engine_fpcr_changed(&cpu->h);
            bad += run_once(cpu, &random);
        }
        engine_cpu_free(&cpu->h);
    }
    return (void *)(uintptr_t)bad;
}

/* New versions of the code, one after the other, and whatever else may happen to running threads. */
static void change(void)
{
    for (uint32_t v = 1; v <= VERSIONS; v++) {
        __atomic_store_n(&version, v, __ATOMIC_RELEASE);
        engine_invalidate(engine, gva(VERSIONED), sizeof versioned_code[0]);
        __atomic_store_n(&published, v, __ATOMIC_RELEASE);
        if (v % 4 == 0) {
            engine_invalidate(engine, gva(COLD + v * 512), 8192);
            engine_kick(&cpus[v / 4 % RUNNERS].h);
        }
        if (v % 32 == 0) { /* code memory is shared with a child, then copied */
            engine_fork_prepare(engine);
            engine_fork_parent(engine);
        }
        if (v == VERSIONS / 2) {
            engine_add_key(engine, KEY_STRICT);
        }
        usleep(1000);
    }
}

typedef struct Case {
    const char *name;
    bool interp;
    size_t cache_bytes;
    unsigned flushes; /* at least */
} Case;

static bool run_case(const Case *c)
{
    pthread_t threads[RUNNERS];
    uint64_t bad = 0;
    version = published = 0;
    stop = false;
    engine = engine_new(&(EngineConfig){.fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space,
                                        .cache_bytes = c->cache_bytes, .interp = c->interp});
    ASSERT(engine);
    engine->alone = false; /* each thread makes its own CPU structure */
    engine_share(engine);
    for (unsigned k = 0; k < RUNNERS; k++) {
        memset(&cpus[k], 0, sizeof cpus[k]);
        cpus[k].model = a64_model("max");
        ASSERT(pthread_create(&threads[k], NULL, runner, &cpus[k]) == 0);
    }
    change();
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    for (unsigned k = 0; k < RUNNERS; k++) {
        void *r;
        pthread_join(threads[k], &r);
        bad += (uintptr_t)r;
    }
    const EngineStats *s = &engine->stats;
    printf("%s: wrong results %llu, regions %llu, links %llu, flushes %llu\n", c->name, (unsigned long long)bad,
           (unsigned long long)s->tbs, (unsigned long long)s->links, (unsigned long long)s->flushes);
    return !bad && s->flushes >= c->flushes;
}

int main(void)
{
    static const Case cases[] = {
        {"small cache", false, 3 * CODE_CHUNK, 2},
        {"one chunk", false, CODE_CHUNK, 2},
        {"large cache", false, 64 << 20, 0},
        {"interpreter", true, 0, 0},
    };
    bool good = true;
    make_code();
    for (unsigned k = 0; k < LEN(cases); k++) {
        good &= run_case(&cases[k]);
    }
    return !good;
}
