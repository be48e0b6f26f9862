/* exhaust.c - every input of every unary FP instruction and conversion on halves and singles, every pair of halves.
 *
 *     exhaust [-d DIR] [-j] [-k N] [-l] [-m MODE] [-p] [-s SHARE] [-t SECONDS] [-w WIDTH] [GLOB]...
 *
 * Each row of rows.c that a GLOB names (all) is run for all 2^16 or 2^32 inputs, in each rounding mode that matters,
 * through softfloat.c and, as scalar and as vector instruction, through translated code with and without AVX-512, and
 * compared with truth.c: results; FPSR of groups of inputs that should raise the same; FPSR of each input for all halves
 * and for a 64th of the singles. -p does the operations of half2.c on all pairs instead.
 * -d keeps a file for each row and mode that passed, which is then not run again: so a run can be stopped.
 * -s takes every SHARE-th chunk of inputs only, -m one mode, -j no translated code; -k stops after N differences (20);
 * -l lists; -w takes rows with inputs of 16 or 32 bits only. -t ends after the row and mode during which the time was up. Prints a line for each row and mode; the last
 * line counts; the status is 1 when anything differed.
 */
#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "exhaust.h"

typedef unsigned long long ull;
static const char *const modes[] = {"RN", "RP", "RM", "RZ"};

static struct {
    const char *dir;
    bool no_jit, pairs, list;
    unsigned share, stop, width;
    int mode;
    double seconds;
    char **globs;
    int nglobs;
} opt = {.share = 1, .stop = 20, .mode = -1, .seconds = 1e9};

static uint64_t differences, inputs, passed, skipped;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void differs(const char *what, const char *row, unsigned mode, uint64_t a, uint64_t b, Result got, Result want)
{
    if (differences++ < opt.stop) {
        fprintf(stderr, "%s %s %s %llx %llx: %llx flags %x, not %llx flags %x\n", row, modes[mode], what, (ull)a, (ull)b,
                (ull)got.bits, got.flags, (ull)want.bits, want.flags);
    }
}

static bool enough(void)
{
    return differences >= opt.stop;
}

static void compare(const char *what, const Row *r, unsigned mode, const uint32_t *in, unsigned n, const Result *got, const Result *want)
{
    for (unsigned i = 0; i < n; i++) {
        if (got[i].bits != want[i].bits || got[i].flags != want[i].flags) {
            differs(what, r->name, mode, in[i], 0, got[i], want[i]);
        }
    }
}

/* -- a chunk ------------------------------------------------------------------------------------------------------------ */

/* Inputs with what is right for them, in groups whose flags are the same: FPSR behind a loop over a group says of all
 * that they raise no more than they should. */
enum { FLAG_SETS = 64 };
typedef struct Groups {
    uint32_t in[CHUNK];
    Result want[CHUNK];
    unsigned begin[FLAG_SETS + 1];
} Groups;

static unsigned flag_set(uint32_t flags)
{
    return (flags & 31) | (flags >> 2 & 32);
}

/* Sorts units of `lanes` inputs by the flags that they raise together; lane k takes its inputs from the k-th part of the
 * chunk, so that lanes are of different kinds. */
static void group(Groups *g, unsigned lanes, const uint32_t *in, const Result *want)
{
    static uint32_t flags[CHUNK];
    unsigned units = CHUNK / lanes, at[FLAG_SETS + 1] = {0};
    for (unsigned u = 0; u < units; u++) {
        flags[u] = 0;
        for (unsigned k = 0; k < lanes; k++) {
            flags[u] |= want[u + k * units].flags;
        }
        at[flag_set(flags[u]) + 1] += lanes;
    }
    for (unsigned s = 0; s < FLAG_SETS; s++) {
        at[s + 1] += at[s];
    }
    memcpy(g->begin, at, sizeof at);
    for (unsigned u = 0; u < units; u++) {
        for (unsigned k = 0; k < lanes; k++) {
            unsigned to = at[flag_set(flags[u])]++;
            g->in[to] = in[u + k * units];
            g->want[to] = (Result){want[u + k * units].bits, flags[u]};
        }
    }
}

static void translated(const Row *r, unsigned mode, bool vector, bool each, const uint32_t *in, const Result *want)
{
    static Groups g;
    static Result got[CHUNK];
    group(&g, vector ? jit_lanes(r) : 1, in, want);
    for (unsigned s = 0; s < FLAG_SETS; s++) {
        unsigned from = g.begin[s], n = g.begin[s + 1] - from;
        for (unsigned e = 0; e < ENGINES && n; e++) {
            Loop l = {.row = r, .engine = e, .mode = mode, .trapping = s & FPSR_IOC, .vector = vector, .each = each};
            jit_run(&l, g.in + from, n, got);
            compare(vector ? jit_vectors[e] : jit_names[e], r, mode, g.in + from, n, got, g.want + from);
        }
    }
}

/* Chunk c: a quarter from each quarter of all inputs. FPSR of each single input in one chunk of 64. */
static void chunk(const Row *r, unsigned mode, unsigned c)
{
    static uint32_t in[CHUNK];
    static Result want[CHUNK], got[CHUNK];
    for (unsigned i = 0; i < CHUNK; i++) {
        uint32_t quarter = i / (CHUNK / 4), at = c * (CHUNK / 4) + i % (CHUNK / 4);
        in[i] = quarter << (r->in == E_H ? 14 : 30) | at;
    }
    r->truth(in, CHUNK, mode, want);
    row_soft(r, in, CHUNK, mode, got);
    compare("softfloat", r, mode, in, CHUNK, got, want);
    inputs += CHUNK;
    if (!opt.no_jit && r->scalar) {
        translated(r, mode, false, r->in == E_H || c % 64 == 0, in, want);
    }
    if (!opt.no_jit && r->vector) {
        translated(r, mode, true, r->in == E_H || c % 64 == 0, in, want);
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

/* Runs one row or operation in one mode, unless it is done already. */
static void one(const char *name, unsigned mode, const Row *r, unsigned op)
{
    char path[300];
    double begin = now();
    uint64_t had = differences, did = inputs, traps = jit_traps;
    struct stat st;
    snprintf(path, sizeof path, "%s/%s.%s", opt.dir ? opt.dir : "", name, modes[mode]);
    if (opt.dir && stat(path, &st) == 0) {
        skipped++;
        return;
    }
    unsigned chunks = r ? (r->in == E_H ? 1u << 16 : 1ull << 32) / CHUNK : 256;
    unsigned first = opt.share > 1 ? (unsigned)name[0] * 31 + (unsigned)name[1] * 7 + mode : 0; /* not always the same */
    for (unsigned c = first % opt.share % chunks; c < chunks && !enough(); c += opt.share) {
        if (r) {
            chunk(r, mode, c);
        } else {
            half_pairs(op, mode, 256 * c, 256 * c + 256);
            inputs += 1 << 24;
        }
    }
    printf("%s %s: %llu inputs, %llu differences, %llu needless traps, %.1f s\n", name, modes[mode], (ull)(inputs - did),
           (ull)(differences - had), (ull)(jit_traps - traps), now() - begin);
    fflush(stdout);
    passed += differences == had;
    if (opt.dir && differences == had && opt.share == 1) {
        FILE *f = fopen(path, "w");
        if (f) {
            fclose(f);
        }
    }
}

static void all(const char *name, bool by_mode, const Row *r, unsigned op, double until)
{
    for (unsigned mode = 0; mode < (by_mode ? 4 : 1) && wanted(name) && !enough() && now() < until; mode++) {
        if (opt.list) {
            printf("%s %s\n", name, modes[mode]);
        } else if (opt.mode < 0 || (unsigned)opt.mode == mode) {
            one(name, mode, r, op);
        }
    }
}

int main(int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "d:jk:lm:ps:t:w:")) >= 0) {
        switch (c) {
        case 'd': opt.dir = optarg; break;
        case 'j': opt.no_jit = true; break;
        case 'k': opt.stop = (unsigned)atoi(optarg); break;
        case 'l': opt.list = true; break;
        case 'm': opt.mode = atoi(optarg); break;
        case 'p': opt.pairs = true; break;
        case 's': opt.share = (unsigned)atoi(optarg); break;
        case 'w': opt.width = (unsigned)atoi(optarg); break;
        case 't': opt.seconds = atof(optarg); break;
        default: fprintf(stderr, "usage: see the head of tests/fp/exhaust.c\n"); return 2;
        }
    }
    opt.globs = argv + optind;
    opt.nglobs = argc - optind;
    double until = now() + opt.seconds;
    jit_init();
    for (unsigned k = 0; k < (opt.pairs ? half_nops : nrows); k++) {
        if (opt.pairs) {
            all(half_ops[k], k < 5 || k == 9 || k == 10, NULL, k, until);
        } else if (!opt.width || opt.width == 8u << rows[k].in) {
            all(rows[k].name, rows[k].by_mode, &rows[k], 0, until);
        }
    }
    printf("%llu rows and modes passed, %llu done before, %llu inputs, %llu differences\n", (ull)passed, (ull)skipped,
           (ull)inputs, (ull)differences);
    return differences != 0;
}
