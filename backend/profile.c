/* profile.c - -d profile: how often the blocks of translated code run, and which C functions they call.
 *
 * Each block of a region begins with an instruction that counts it, and each call of an evaluation function or a helper counts by
 * what is called; translations are neither kept on disk nor taken from there. Threads count without a lock, so a few
 * counts may get lost. A block that is left in its middle counts as a whole, for the guest's instructions and the host's alike.
 * Records of regions live as long as the engine: what was invalidated counts, too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "tb.h"

enum { SHOWN = 24, HELPERS_MAX = 256 };

struct ProfileRegion {
    ProfileRegion *next;
    uint64_t pc;
    unsigned tier, nblocks;
    ProfileBlock blocks[];
};

struct Profile {
    ProfileRegion *regions;
    unsigned nregions;
    uint64_t evals[OP_COUNT], helpers[HELPERS_MAX];
};

void profile_init(Engine *e)
{
    ASSERT(e->fe->nhelpers <= HELPERS_MAX);
    e->profile = log_on(LOG_profile) && !e->cfg.interp ? calloc(1, sizeof *e->profile) : NULL;
}

ProfileBlock *profile_region(Engine *e, const IrRegion *r)
{
    ProfileRegion *p = calloc(1, sizeof *p + sizeof *p->blocks * r->nblocks);
    if (!p) {
        return NULL;
    }
    p->pc = r->pc.v;
    p->tier = r->tier;
    p->nblocks = r->nblocks;
    for (unsigned k = 0; k < r->nblocks; k++) {
        for (IrRef i = r->blocks[k].first; i < r->blocks[k].end; i++) {
            p->blocks[k].guest += r->ins[i].op == OP_insn;
        }
    }
    engine_lock(e);
    p->next = e->profile->regions;
    e->profile->regions = p;
    e->profile->nregions++;
    engine_unlock(e);
    return p->blocks;
}

uint64_t *profile_call(Profile *p, const IrIns *in)
{
    return in->op == OP_call ? &p->helpers[in->imm] : &p->evals[in->op];
}

/* -- report ----------------------------------------------------------------------------------------------------- */

typedef struct Line {
    const char *name; /* NULL: r */
    const ProfileRegion *r;
    uint64_t runs, guest, host;
} Line;

static int by_runs(const void *a, const void *b)
{
    const Line *x = a, *y = b;
    return x->runs < y->runs ? 1 : x->runs > y->runs ? -1 : 0;
}

static int by_guest(const void *a, const void *b)
{
    const Line *x = a, *y = b;
    return x->guest < y->guest ? 1 : x->guest > y->guest ? -1 : 0;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static uint64_t log_regions(const Profile *p)
{
    Line *lines = calloc(p->nregions + 1, sizeof *lines), sum = {0};
    unsigned n = 0;
    for (const ProfileRegion *r = p->regions; r && lines; r = r->next, n++) {
        lines[n] = (Line){.r = r, .runs = r->blocks[0].runs};
        for (unsigned k = 0; k < r->nblocks; k++) {
            lines[n].guest += r->blocks[k].runs * r->blocks[k].guest;
            lines[n].host += r->blocks[k].runs * r->blocks[k].host;
        }
        sum.guest += lines[n].guest;
        sum.host += lines[n].host;
    }
    log_printf("profile: %llu guest instructions ran, host instructions per guest instruction %.2f\n", (unsigned long long)sum.guest,
               ratio(sum.host, sum.guest));
    if (!lines) {
        return sum.guest;
    }
    qsort(lines, n, sizeof *lines, by_guest);
    for (unsigned k = 0; k < n && k < SHOWN && lines[k].guest; k++) {
        const Line *l = &lines[k];
        log_printf("profile: region %#llx, tier %u: %5.2f %% of them in %llu entries, host per guest %.2f\n", (unsigned long long)l->r->pc,
                   l->r->tier, 100 * ratio(l->guest, sum.guest), (unsigned long long)l->runs, ratio(l->host, l->guest));
    }
    free(lines);
    return sum.guest;
}

static void log_calls(const char *what, Line *lines, unsigned n, uint64_t guest)
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < n; k++) {
        sum += lines[k].runs;
    }
    log_printf("profile: calls of %s: %llu, %.4f %% of guest instructions\n", what, (unsigned long long)sum, 100 * ratio(sum, guest));
    qsort(lines, n, sizeof *lines, by_runs);
    for (unsigned k = 0; k < n && k < SHOWN && lines[k].runs; k++) {
        log_printf("profile:   %s %llu\n", lines[k].name, (unsigned long long)lines[k].runs);
    }
}

void profile_log(const Engine *e)
{
    const Profile *p = e->profile;
    Line lines[(unsigned)OP_COUNT + HELPERS_MAX]; /* one after the other */
    if (!p) {
        return;
    }
    uint64_t guest = log_regions(p);
    for (unsigned k = 0; k < OP_COUNT; k++) {
        lines[k] = (Line){.name = ir_ops[k].name, .runs = p->evals[k]};
    }
    log_calls("evaluation functions", lines, OP_COUNT, guest);
    for (unsigned k = 0; k < e->fe->nhelpers; k++) {
        lines[k] = (Line){.name = e->fe->helpers[k].name, .runs = p->helpers[k]};
    }
    log_calls("helpers", lines, e->fe->nhelpers, guest);
}
