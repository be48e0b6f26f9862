/* exhaust.c - every input of every unary FP instruction and conversion on halves and singles, every pair of halves.
 *
 *     exhaust [-d DIR] [-j] [-J N] [-k N] [-l] [-p] [-s SHARE] [-t SECONDS] [-w WIDTH] [GLOB]...
 *
 * Each row of rows.def that a GLOB names (all) is run for all 2^16 or 2^32 inputs, in each rounding mode that matters,
 * through softfloat.c and, as scalar and as vector instruction, through translated code with and without AVX-512, and
 * compared with truth.c: results; FPSR of groups of inputs that should raise the same; FPSR of each input for all halves
 * and for a 64th of the singles. Where both engines have made the same host code (jit_same), the second one has run it
 * only until that was known; singles that trap it runs in an eighth of the chunks. -p does the operations of half2.c on all pairs instead:
 * softfloat.c's, and translated code's where it does not call that.
 * -d keeps a file for each row that passed, which is then not run again: so a run can be stopped. -J: so many processes.
 * -s takes every SHARE-th chunk of inputs only, -j no translated code; -k stops after N differences (20); -l lists; -w
 * takes rows with inputs of 16 or 32 bits only; -t ends after the row during which the time was up. Prints a line for each
 * row; the last line counts; the status is 1 when anything differed.
 */
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exhaust.h"

typedef unsigned long long ull;
static const char *const modes[] = {"RN", "RP", "RM", "RZ"};

static struct {
    const char *dir;
    bool no_jit, pairs, list;
    unsigned share, stop, width, jobs;
    double seconds;
    char **globs;
    int nglobs;
} opt = {.share = 1, .stop = 20, .jobs = 1, .seconds = 1e9};

/* Of all processes. */
static struct Shared {
    uint64_t differences, inputs, passed, skipped, failed;
    unsigned next; /* row or operation that nobody has begun */
} *shared;

static void count(uint64_t *n, uint64_t more)
{
    __atomic_add_fetch(n, more, __ATOMIC_RELAXED);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void differs(const char *what, const char *row, unsigned mode, uint64_t a, uint64_t b, Result got, Result want)
{
    if (__atomic_fetch_add(&shared->differences, 1, __ATOMIC_RELAXED) < opt.stop) {
        fprintf(stderr, "%s %s %s %llx %llx: %llx flags %x, not %llx flags %x\n", row, modes[mode], what, (ull)a, (ull)b,
                (ull)got.bits, got.flags, (ull)want.bits, want.flags);
    }
}

static bool enough(void)
{
    return __atomic_load_n(&shared->differences, __ATOMIC_RELAXED) >= opt.stop;
}

/* n results of a row against what is right for them. */
static void compare(const char *what, const Row *r, unsigned mode, const uint32_t *in, unsigned n, const uint8_t *bits,
                    const uint8_t *flags, const uint8_t *want, const uint8_t *want_flags)
{
    if (LIKELY(!memcmp(bits, want, (size_t)n << r->out) && !memcmp(flags, want_flags, n))) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        Result got = {pattern(r->out, bits, i), flags[i]}, right = {pattern(r->out, want, i), want_flags[i]};
        if (got.bits != right.bits || got.flags != right.flags) {
            differs(what, r->name, mode, in[i], 0, got, right);
        }
    }
}

/* -- a chunk ------------------------------------------------------------------------------------------------------------ */

/* Inputs and what is right for them, in units: one input, or those of a vector. Units have the flags that their inputs
 * raise together. */
typedef struct Units {
    unsigned n, lanes;
    uint32_t in[CHUNK];
    uint8_t want[8 * CHUNK] __attribute__((aligned(64)));
    uint8_t flags[CHUNK];
} Units;

/* What a function does for each shape of a unit: its lanes and the width of their results are constants there. */
#define FOR_SHAPE(lanes, width, fn, ...)                                                                               \
    switch ((lanes)*4u + (width)) {                                                                                    \
    case 1 * 4 + E_H: fn(__VA_ARGS__, 1, E_H); break;                                                                  \
    case 1 * 4 + E_S: fn(__VA_ARGS__, 1, E_S); break;                                                                  \
    case 1 * 4 + E_D: fn(__VA_ARGS__, 1, E_D); break;                                                                  \
    case 2 * 4 + E_D: fn(__VA_ARGS__, 2, E_D); break;                                                                  \
    case 4 * 4 + E_H: fn(__VA_ARGS__, 4, E_H); break;                                                                  \
    case 4 * 4 + E_S: fn(__VA_ARGS__, 4, E_S); break;                                                                  \
    case 8 * 4 + E_H: fn(__VA_ARGS__, 8, E_H); break;                                                                  \
    default: BUG("a vector of %u lanes", lanes);                                                                       \
    }

/* Lane k takes its inputs from the k-th part of the chunk, so that lanes are of different kinds. */
ALWAYS void make_units(Units *u, const uint32_t *in, const uint8_t *want, const uint8_t *flags, unsigned lanes, IrElem width)
{
    u->n = CHUNK / lanes;
    u->lanes = lanes;
    for (unsigned i = 0; i < CHUNK / lanes; i++) {
        uint8_t all = 0;
        for (unsigned k = 0; k < lanes; k++) {
            unsigned from = i + k * (CHUNK / lanes), to = i * lanes + k;
            u->in[to] = in[from];
            memcpy(u->want + (to << width), want + (from << width), (size_t)1 << width);
            all |= flags[from];
        }
        u->flags[i] = all;
    }
}

/* Sorts units by their flags: FPSR behind a loop over such a group says of all that they raise no more than they should.
 * begin: of each group, by flag_set(). */
enum { FLAG_SETS = 64, RUN = 32 };

static unsigned flag_set(unsigned flags)
{
    return (flags & 31) | (flags >> 2 & 32);
}

ALWAYS void move(Units *to, unsigned at, const Units *from, unsigned i, unsigned n, unsigned lanes, IrElem width)
{
    memcpy(to->in + (size_t)at * lanes, from->in + (size_t)i * lanes, n * lanes * sizeof *to->in);
    memcpy(to->want + ((size_t)at * lanes << width), from->want + ((size_t)i * lanes << width), (size_t)n * lanes << width);
}

ALWAYS void sort_units(Units *to, const Units *from, unsigned *begin, unsigned lanes, IrElem width)
{
    bool run[CHUNK / RUN];
    unsigned at[FLAG_SETS + 1] = {0};
    for (unsigned i = 0; i < from->n; i += RUN) {
        uint8_t other = 0;
        for (unsigned k = 0; k < RUN; k++) {
            other |= from->flags[i + k] ^ from->flags[i];
        }
        run[i / RUN] = !other;
        for (unsigned k = 0; k < (other ? RUN : 1); k++) {
            at[flag_set(from->flags[i + k]) + 1] += other ? 1 : RUN;
        }
    }
    for (unsigned s = 0; s < FLAG_SETS; s++) {
        at[s + 1] += at[s];
    }
    memcpy(begin, at, sizeof at);
    for (unsigned i = 0; i < from->n; i += RUN) {
        if (run[i / RUN]) {
            unsigned s = flag_set(from->flags[i]);
            move(to, at[s], from, i, RUN, lanes, width);
            at[s] += RUN;
            continue;
        }
        for (unsigned k = 0; k < RUN; k++) {
            move(to, at[flag_set(from->flags[i + k])]++, from, i + k, 1, lanes, width);
        }
    }
    for (unsigned s = 0; s < FLAG_SETS; s++) {
        memset(to->flags + begin[s], (int)((s & 31) | (s & 32) << 2), begin[s + 1] - begin[s]);
    }
}

/* How a chunk goes through translated code. traps: also the second engine runs inputs that trap, which in both goes the
 * way through the evaluation function. */
typedef struct Pass {
    unsigned mode;
    bool vector, each, traps;
} Pass;

/* Units [from, from + n) of u, which raise the same, in every engine whose code is its own. */
static void run_group(const Row *r, const Pass *p, const Units *u, unsigned from, unsigned n)
{
    static uint8_t bits[8 * CHUNK] __attribute__((aligned(64))), flags[CHUNK];
    static uint32_t fpsr[CHUNK];
    unsigned first = from * u->lanes, inputs_n = n * u->lanes;
    uint8_t right[CHUNK];
    memset(right, u->flags[from], inputs_n);
    for (unsigned e = 0; e < ENGINES; e++) {
        Loop l = {.row = r, .engine = e, .mode = p->mode, .trapping = right[0] & FPSR_IOC, .vector = p->vector, .each = p->each};
        if (e && ((l.trapping && !p->traps) || jit_same(&l, inputs_n))) {
            continue;
        }
        uint32_t all = jit_run(&l, u->in + first, inputs_n, bits, fpsr);
        memset(flags, (int)all, inputs_n);
        for (unsigned i = 0; p->each && i < inputs_n; i++) {
            flags[i] = (uint8_t)fpsr[i / u->lanes];
        }
        compare(p->vector ? jit_vectors[e] : jit_names[e], r, p->mode, u->in + first, inputs_n, bits, flags,
                u->want + ((size_t)first << r->out), right);
    }
}

static void translated(const Row *r, const Pass *p, const uint32_t *in, const Results *want)
{
    static Units u, sorted;
    unsigned lanes = p->vector ? jit_lanes(r) : 1, begin[FLAG_SETS + 1];
    FOR_SHAPE(lanes, r->out, make_units, &u, in, want->bits[p->mode], want->flags[p->mode])
    if (!memcmp(u.flags, u.flags + 1, u.n - 1)) {
        run_group(r, p, &u, 0, u.n);
        return;
    }
    FOR_SHAPE(lanes, r->out, sort_units, &sorted, &u, begin)
    sorted.lanes = lanes;
    for (unsigned s = 0; s < FLAG_SETS; s++) {
        if (begin[s + 1] > begin[s]) {
            run_group(r, p, &sorted, begin[s], begin[s + 1] - begin[s]);
        }
    }
}

/* v with n bits put in at `at`. */
static uint32_t insert(uint32_t v, unsigned at, unsigned n, uint32_t bits)
{
    return (v & (uint32_t)bits_mask(at)) | bits << at | v >> at << (at + n);
}

/* The inputs of chunk c, in four parts, from which the lanes of vectors come: of one sign, for else most vectors would hold
 * an invalid operation. Where one bit is set, parts differ in the bits above it and are near each other; else they differ
 * in the highest bits of the exponent. */
static void make_inputs(const Row *r, unsigned c, uint32_t *in)
{
    enum { PART = CHUNK / 4 };
    bool half = r->in == E_H;
    unsigned top = half ? 15 : 31, near = c >> 1 & 1, bit = half ? 7 : 20, part_at = near ? bit + 1 : top - 2;
    for (unsigned i = 0; i < CHUNK; i++) {
        uint32_t v = insert((c >> 2) * PART + i % PART, bit, 1, near);
        in[i] = (c & 1) << top | insert(v, part_at, 2, i / PART);
    }
}

/* FPSR of each single input in 4 chunks of 256. */
static void chunk(const Row *r, unsigned c)
{
    static uint32_t in[CHUNK];
    static Results want, got;
    Pass p = {.each = r->in == E_H || c % 256 < 4, .traps = r->in == E_H || c % 32 < 4};
    make_inputs(r, c, in);
    r->truth(in, &want);
    r->soft(in, &got);
    for (p.mode = 0; p.mode < (r->by_mode ? MODES : 1u); p.mode++) {
        compare("softfloat", r, p.mode, in, CHUNK, got.bits[p.mode], got.flags[p.mode], want.bits[p.mode], want.flags[p.mode]);
        for (unsigned k = 0; k < 2 && !opt.no_jit; k++) {
            p.vector = k;
            if (k ? r->vector : r->scalar) {
                translated(r, &p, in, &want);
            }
        }
    }
}

/* One first half with CHUNK second ones in translated code. Left out: NaNs where each of them would trap, and what
 * rounds up to the smallest normal number, because FPSR.UFC depends on the host then (docs/floating-point.md). */
static void pair_chunk(const PairOp *op, uint16_t x, unsigned c)
{
    static Row op_rows[32]; /* a loop is known by its row */
    static uint32_t in[CHUNK];
    static Results want;
    enum { ONE = 0x3c00, NORMAL = 0x400, INFINITE = 0x7c00 };
    Row *r = &op_rows[op - half_ops];
    *r = (Row){.name = op->name, .kind = K_SQRT, .in = E_H, .out = E_H, .by_mode = op->by_mode, .scalar = op->scalar, .vector = op->vector};
    jit_second = x;
    for (Pass p = {.traps = true}; p.mode < (op->by_mode ? MODES : 1u); p.mode++) {
        for (unsigned k = 0; k < 2; k++) {
            p.vector = k;
            if (!(k ? op->vector : op->scalar)) {
                continue;
            }
            for (unsigned i = 0; i < CHUNK; i++) {
                uint16_t y = (uint16_t)(c * CHUNK + i);
                Result one = op->right(x, y, p.mode);
                bool edge = (one.bits & 0x7fff) == NORMAL && one.flags & FPSR_UFC;
                if ((op->nan_traps && (y & 0x7fff) > INFINITE) || edge) {
                    y = ONE;
                    one = op->right(x, y, p.mode);
                }
                one.bits = op->mask && one.bits ? 0xffff : one.bits;
                in[i] = y;
                put_result(r, one, p.mode, &want, i);
            }
            translated(r, &p, in, &want);
        }
    }
}

static void pairs(const PairOp *op, unsigned from, unsigned to)
{
    op->run(op->name, from, to);
    for (unsigned x = from; x < to && !opt.no_jit; x++) {
        for (unsigned c = 0; c < (1 << 16) / CHUNK && !(op->nan_traps && (x & 0x7fff) > 0x7c00); c++) {
            pair_chunk(op, (uint16_t)x, c);
        }
    }
}

/* -- rows ------------------------------------------------------------------------------------------------------------------ */

static bool wanted(const char *name)
{
    for (int i = 0; i < opt.nglobs; i++) {
        if (fnmatch(opt.globs[i], name, 0) == 0) {
            return true;
        }
    }
    return opt.nglobs == 0;
}

/* Runs one row or operation, unless it is done already. */
static void one(const char *name, bool by_mode, const Row *r, const PairOp *op)
{
    char path[300];
    double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t had = shared->differences, did = 0, traps = jit_traps;
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", opt.dir ? opt.dir : "", name);
    if (opt.dir && stat(path, &st) == 0) {
        count(&shared->skipped, 1);
        return;
    }
    enum { PAIR_ROWS = 16 };
    unsigned chunks = r ? (r->in == E_H ? 1u << 16 : 1ull << 32) / CHUNK : (1 << 16) / PAIR_ROWS;
    unsigned first = opt.share > 1 ? (unsigned)name[0] * 31 + (unsigned)name[1] * 7 : 0; /* not always the same */
    for (unsigned c = first % opt.share % chunks; c < chunks && !enough(); c += opt.share) {
        if (r) {
            chunk(r, c);
        } else {
            pairs(op, PAIR_ROWS * c, PAIR_ROWS * c + PAIR_ROWS);
        }
        did += (r ? CHUNK : PAIR_ROWS << 16) * (by_mode ? MODES : 1ull);
    }
    bool good = shared->differences == had; /* of any process: what passed for certain */
    printf("%s, %s: %llu inputs, %llu differences, %llu needless traps, %.1f s of CPU\n", name, by_mode ? "4 modes" : "1 mode",
           (ull)did, (ull)(shared->differences - had), (ull)(jit_traps - traps), seconds(CLOCK_PROCESS_CPUTIME_ID) - begin);
    fflush(stdout);
    count(&shared->inputs, did);
    count(&shared->passed, good);
    FILE *f = opt.dir && good && opt.share == 1 ? fopen(path, "w") : NULL;
    if (f) {
        fclose(f);
    }
}

/* One process: takes what nobody has begun. */
static void work(double until)
{
    unsigned n = opt.pairs ? half_nops : nrows;
    jit_init();
    for (unsigned k; (k = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED)) < n && !enough() && seconds(CLOCK_MONOTONIC) < until;) {
        const Row *r = opt.pairs ? NULL : &rows[k];
        const char *name = r ? r->name : half_ops[k].name;
        bool by_mode = r ? r->by_mode : half_ops[k].by_mode;
        if (!wanted(name) || (r && opt.width && opt.width != 8u << r->in)) {
            continue;
        }
        if (opt.list) {
            printf("%s, %s\n", name, by_mode ? "4 modes" : "1 mode");
        } else {
            one(name, by_mode, r, &half_ops[k]);
        }
    }
}

int main(int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "d:jJ:k:lps:t:w:")) >= 0) {
        switch (c) {
        case 'd': opt.dir = optarg; break;
        case 'j': opt.no_jit = true; break;
        case 'J': opt.jobs = (unsigned)atoi(optarg); break;
        case 'k': opt.stop = (unsigned)atoi(optarg); break;
        case 'l': opt.list = true; break;
        case 'p': opt.pairs = true; break;
        case 's': opt.share = (unsigned)atoi(optarg); break;
        case 'w': opt.width = (unsigned)atoi(optarg); break;
        case 't': opt.seconds = atof(optarg); break;
        default: fprintf(stderr, "usage: see the head of tests/fp/exhaust.c\n"); return 2;
        }
    }
    opt.globs = argv + optind;
    opt.nglobs = argc - optind;
    double until = seconds(CLOCK_MONOTONIC) + opt.seconds;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(shared != MAP_FAILED);
    for (unsigned k = 1; k < opt.jobs; k++) {
        pid_t pid = fork();
        ASSERT(pid >= 0);
        if (pid == 0) {
            work(until);
            exit(0);
        }
    }
    work(until);
    for (int status; wait(&status) > 0;) {
        shared->failed += status != 0;
    }
    printf("%llu rows passed, %llu done before, %llu inputs, %llu differences%s\n", (ull)shared->passed, (ull)shared->skipped,
           (ull)shared->inputs, (ull)shared->differences, shared->failed ? ", a process FAILED" : "");
    return shared->differences || shared->failed;
}
