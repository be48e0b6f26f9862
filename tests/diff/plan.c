/* plan.c - control flow for cases of several blocks: loops with a counter, nested ones, branches over code, calls.
 *
 * A plan fills some words of a slot; what it leaves at 0 the generator draws, as in any other case. Counters, and the
 * link register where there are calls, are kept from what is drawn, so that loops end and calls return; all else is as
 * random as ever: an access in a loop may walk out of its page in the third round.
 * Layout: the entry, loops one after the other, BRK; functions at the slot's end.
 */
#include "diff.h"
#include "gen.h"

enum { MAX_DEPTH = 2, FUNCTIONS = 2, LINK = 30 };

typedef struct Make {
    Rng *g;
    Plan *p;
    unsigned at, end;              /* the next word; the first of the functions */
    unsigned function[FUNCTIONS], nfunctions;
} Make;

static void put(Make *m, uint32_t word)
{
    m->p->words[m->at++] = word;
}

static void leave_free(Make *m, unsigned n)
{
    m->at += n;
}

static uint32_t offset19(unsigned from, unsigned to)
{
    return (uint32_t)((int)to - (int)from) & 0x7ffff;
}

/* A register that nothing may write but the plan. */
static unsigned own_register(Make *m)
{
    unsigned r;
    do {
        r = rng_below(m->g, LINK);
    } while (m->p->keep >> r & 1);
    m->p->keep |= 1u << r;
    return r;
}

/* A branch from here over n free words: by flags, by a register, by a bit. */
static void branch_over(Make *m, unsigned n)
{
    uint32_t to = offset19(m->at, m->at + n + 1), r = rng_below(m->g, 31);
    switch (rng_below(m->g, 4)) {
    case 0: put(m, 0x34000000 | (rng_below(m->g, 2) << 31) | (rng_below(m->g, 2) << 24) | to << 5 | r); break; /* CB(N)Z */
    case 1: put(m, 0x36000000 | (rng_below(m->g, 2) << 24) | (rng_below(m->g, 32) << 19) | to << 5 | r); break; /* TB(N)Z */
    default: put(m, 0x54000000 | to << 5 | rng_below(m->g, 14)); break;                                       /* B.cond */
    }
    leave_free(m, n);
}

/* Both sides of a condition. */
static void fork_and_join(Make *m, unsigned n)
{
    branch_over(m, n + 1);
    m->at--;
    put(m, 0x14000000 | (n + 1));
    leave_free(m, n);
}

static void piece(Make *m)
{
    unsigned n = 1 + rng_below(m->g, 3);
    switch (rng_below(m->g, 5)) {
    case 0: branch_over(m, n); break;
    case 1: fork_and_join(m, n); break;
    case 2:
        if (m->nfunctions) {
            put(m, 0x94000000 | ((m->function[rng_below(m->g, m->nfunctions)] - m->at) & 0x3ffffff));
            break;
        }
        /* fall through */
    default: leave_free(m, n); break;
    }
}

static bool room(const Make *m, unsigned words)
{
    return m->at + words < m->end;
}

static void loop(Make *m, unsigned depth)
{
    unsigned r = own_register(m), rounds = 2 + rng_below(m->g, depth ? 3 : 8);
    bool up = rng_one_in(m->g, 4);
    if (depth == 0 && rng_one_in(m->g, 8)) {
        rounds = 60;
    }
    put(m, 0xd2800000 | (up ? 0 : rounds) << 5 | r); /* MOVZ */
    unsigned head = m->at;
    for (unsigned n = 1 + rng_below(m->g, 3); n-- && room(m, 24);) {
        piece(m);
    }
    if (depth + 1 < MAX_DEPTH && rounds < 60 && room(m, 30) && rng_one_in(m->g, 2)) {
        loop(m, depth + 1);
    }
    leave_free(m, rng_below(m->g, 3));
    if (up) { /* ADD, CMP, B.LO */
        put(m, 0x91000400 | r << 5 | r);
        put(m, 0xf100001f | rounds << 10 | r << 5);
        put(m, 0x54000003 | offset19(m->at, head) << 5);
    } else if (rng_one_in(m->g, 2)) { /* SUBS, B.NE or B.GT */
        put(m, 0xf1000400 | r << 5 | r);
        put(m, (rng_one_in(m->g, 2) ? 0x54000001 : 0x5400000c) | offset19(m->at, head) << 5);
    } else { /* SUB, CBNZ, with something in between at times */
        put(m, 0xd1000400 | r << 5 | r);
        leave_free(m, rng_below(m->g, 2));
        put(m, 0xb5000000 | offset19(m->at, head) << 5 | r);
    }
}

void plan_make(Rng *g, Plan *p, unsigned first, unsigned last)
{
    Make m = {.g = g, .p = p, .at = first, .end = last + 1};
    memset(p, 0, sizeof *p);
    for (unsigned n = rng_below(g, FUNCTIONS + 1); n--;) {
        unsigned words = 2 + rng_below(g, 5);
        m.end -= words;
        p->words[m.end + words - 1] = 0xd65f03c0; /* RET */
        m.function[m.nfunctions++] = m.end;
        p->keep |= (uint32_t)1 << LINK;
    }
    m.end--;
    do {
        leave_free(&m, rng_below(g, 3));
        loop(&m, 0);
    } while (room(&m, 34) && rng_one_in(g, 2));
    put(&m, DIFF_FILLER);
}
