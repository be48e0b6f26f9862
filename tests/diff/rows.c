/* rows.c - cases as lines of text, comparison of results, waivers.
 *
 * A row:  pc=HEX mem=HEX code=FIRST:WORD,WORD,... [xN=HEX] [sp=HEX] [vN=HEX] [n=HEX] [c=HEX] [s=HEX] [t=HEX] [own=1] [> ITEMS]
 * pc names the slot, mem the image, FIRST is the first word's index in the slot, n is NZCV as four bits, c FPCR,
 * s FPSR, t TPIDR_EL0. What is not named is 0. own=1: not for oracles. After `>` stand items that the result must
 * have, as known from the manual: the same names, and sig=DECIMAL addr=HEX mOFFSET=HEX (16 bytes, most significant first).
 *
 * A waiver:  KIND WHAT REASON...   (waivers.txt says which kinds there are)
 */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>

#include "diff.h"

typedef unsigned long long ull;

static void print_state(FILE *f, const DiffState *s)
{
    for (unsigned i = 0; i < 31; i++) {
        if (s->x[i]) {
            fprintf(f, " x%u=%llx", i, (ull)s->x[i]);
        }
    }
    if (s->sp) {
        fprintf(f, " sp=%llx", (ull)s->sp);
    }
    for (unsigned i = 0; i < 32; i++) {
        if (s->v[i][1]) {
            fprintf(f, " v%u=%llx%016llx", i, (ull)s->v[i][1], (ull)s->v[i][0]);
        } else if (s->v[i][0]) {
            fprintf(f, " v%u=%llx", i, (ull)s->v[i][0]);
        }
    }
    const struct {
        char name;
        uint64_t v;
    } rest[] = {{'n', s->nzcv >> 28}, {'c', s->fpcr}, {'s', s->fpsr}, {'t', s->tpidr}};
    for (unsigned i = 0; i < LEN(rest); i++) {
        if (rest[i].v) {
            fprintf(f, " %c=%llx", rest[i].name, (ull)rest[i].v);
        }
    }
}

void row_print(FILE *f, const Case *c, const DiffState *want)
{
    unsigned first = SLOT_WORDS, last = 0;
    for (unsigned i = 0; i < SLOT_WORDS; i++) {
        if (c->words[i] != DIFF_FILLER) {
            first = first == SLOT_WORDS ? i : first;
            last = i;
        }
    }
    first = first == SLOT_WORDS ? 0 : first;
    fprintf(f, "pc=%llx mem=%llx code=%u:", (ull)c->in.pc, (ull)c->memseed, first);
    for (unsigned i = first; i <= last; i++) {
        fprintf(f, "%s%08x", i == first ? "" : ",", c->words[i]);
    }
    print_state(f, &c->in);
    if (!c->oracle) {
        fprintf(f, " own=1");
    }
    if (want) {
        fprintf(f, " >");
        print_state(f, want);
    }
    fprintf(f, "\n");
}

/* A hexadecimal number of up to 32 digits. */
static const char *number(const char *p, uint64_t v[2])
{
    v[0] = v[1] = 0;
    for (; strspn(p, "0123456789abcdef"); p++) {
        v[1] = v[1] << 4 | v[0] >> 60;
        v[0] = v[0] << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    }
    return p;
}

static const char *parse_code(const char *p, Case *c)
{
    char *end;
    unsigned long at = strtoul(p, &end, 10);
    for (p = end; *p == ':' || *p == ','; at++) {
        uint64_t v[2];
        p = number(p + 1, v);
        if (at < SLOT_WORDS) {
            c->words[at] = (uint32_t)v[0];
        }
    }
    return p;
}

static bool set_item(Case *c, const char *name, const uint64_t v[2])
{
    DiffState *s = &c->in;
    unsigned n = (unsigned)atoi(name + 1);
    if (strcmp(name, "pc") == 0) {
        s->pc = v[0];
    } else if (strcmp(name, "sp") == 0) {
        s->sp = v[0];
    } else if (strcmp(name, "mem") == 0) {
        c->memseed = v[0];
    } else if (strcmp(name, "own") == 0) {
        c->oracle = v[0] == 0;
    } else if (name[0] == 'x' && n < 31) {
        s->x[n] = v[0];
    } else if (name[0] == 'v' && n < 32) {
        memcpy(s->v[n], v, 16);
    } else if (strcmp(name, "n") == 0) {
        s->nzcv = (uint32_t)v[0] << 28;
    } else if (strcmp(name, "c") == 0) {
        s->fpcr = (uint32_t)v[0];
    } else if (strcmp(name, "s") == 0) {
        s->fpsr = (uint32_t)v[0];
    } else if (strcmp(name, "t") == 0) {
        s->tpidr = v[0];
    } else {
        return false;
    }
    return true;
}

/* The next NAME=: its name, and what follows the sign; NULL at the end. */
static const char *next_item(const char *p, char name[8])
{
    p += strspn(p, " ");
    size_t n = strcspn(p, "=");
    if (*p == 0 || *p == '>' || *p == '\n' || p[n] != '=' || n > 7) {
        return NULL;
    }
    memcpy(name, p, n);
    name[n] = 0;
    return p + n + 1;
}

bool row_parse(const char *line, Case *c)
{
    char name[8];
    uint64_t v[2];
    memset(c, 0, sizeof *c);
    c->oracle = true;
    for (unsigned i = 0; i < SLOT_WORDS; i++) {
        c->words[i] = DIFF_FILLER;
    }
    const char *p = line, *q;
    while ((q = next_item(p, name))) {
        if (strcmp(name, "code") == 0) {
            p = parse_code(q, c);
            continue;
        }
        p = number(q, v);
        if (!set_item(c, name, v)) {
            return false;
        }
    }
    p += strspn(p, " ");
    c->items = *p == '>' ? strdup(p + 1) : NULL;
    return (*p == '>' || *p == '\n' || *p == 0) && c->in.pc >= DIFF_CODE && c->in.pc < DIFF_CODE + DIFF_CODE_SIZE;
}

static bool item_holds(const char *name, const uint64_t v[2], const DiffResult *got)
{
    Case c = {.in = got->s};
    if (strcmp(name, "sig") == 0) {
        return (unsigned)(v[0] / 16 * 10 + v[0] % 16) == got->sig;
    }
    if (strcmp(name, "addr") == 0) {
        return v[0] == got->addr;
    }
    if (name[0] == 'm') {
        uint64_t at = strtoull(name + 1, NULL, 16);
        for (unsigned i = 0; i < got->ngranules; i++) {
            if (got->mem[i].at == at) {
                return memcmp(got->mem[i].d, v, 16) == 0;
            }
        }
        return memcmp(current_image() + at / 8, v, 16) == 0;
    }
    return set_item(&c, name, v) && memcmp(&c.in, &got->s, sizeof c.in) == 0;
}

bool row_expected(const Case *c, const DiffResult *got, char *why, size_t size)
{
    const char *p = c->items, *q;
    char name[8];
    uint64_t v[2];
    while (p && (q = next_item(p, name))) {
        p = number(q, v);
        if (!item_holds(name, v, got)) {
            snprintf(why, size, "%s is not %.*s", name, (int)(p - q), q);
            return false;
        }
    }
    return true;
}

/* -- comparison ------------------------------------------------------------------------------------------------------ */

#define SAY(...)                                                                                   \
    do {                                                                                           \
        differs = true;                                                                            \
        if (f) {                                                                                   \
            fprintf(f, "    " __VA_ARGS__);                                                        \
        }                                                                                          \
    } while (0)

static bool compare_memory(const DiffResult *a, const DiffResult *b, FILE *f, const char *an, const char *bn)
{
    bool differs = false;
    unsigned i = 0, j = 0;
    while (i < a->ngranules || j < b->ngranules) {
        uint64_t ai = i < a->ngranules ? a->mem[i].at : ~(uint64_t)0, bj = j < b->ngranules ? b->mem[j].at : ~(uint64_t)0;
        uint64_t at = ai < bj ? ai : bj;
        const uint64_t *old = current_image() + at / 8;
        const uint64_t *x = ai == at ? a->mem[i++].d : old, *y = bj == at ? b->mem[j++].d : old;
        if (memcmp(x, y, 16) && differs && f) {
            fprintf(f, "    ...\n");
            break;
        }
        if (memcmp(x, y, 16)) {
            SAY("memory %llx: %s %016llx:%016llx, %s %016llx:%016llx\n", (ull)(DIFF_DATA + at), an, (ull)x[1], (ull)x[0], bn,
                (ull)y[1], (ull)y[0]);
        }
    }
    return differs;
}

static bool compare_all(const DiffResult *a, const DiffResult *b, FILE *f, const char *an, const char *bn)
{
    bool differs = false;
    for (unsigned i = 0; i < 31; i++) {
        if (a->s.x[i] != b->s.x[i]) {
            SAY("x%u: %s %llx, %s %llx\n", i, an, (ull)a->s.x[i], bn, (ull)b->s.x[i]);
        }
    }
    for (unsigned i = 0; i < 32; i++) {
        if (memcmp(a->s.v[i], b->s.v[i], 16)) {
            SAY("v%u: %s %016llx:%016llx, %s %016llx:%016llx\n", i, an, (ull)a->s.v[i][1], (ull)a->s.v[i][0], bn,
                (ull)b->s.v[i][1], (ull)b->s.v[i][0]);
        }
    }
    const struct {
        const char *name;
        uint64_t a, b;
    } rest[] = {
        {"sp", a->s.sp, b->s.sp},       {"pc", a->s.pc, b->s.pc},       {"tpidr", a->s.tpidr, b->s.tpidr},
        {"nzcv", a->s.nzcv, b->s.nzcv}, {"fpcr", a->s.fpcr, b->s.fpcr}, {"fpsr", a->s.fpsr, b->s.fpsr},
        {"signal", a->sig, b->sig},     {"addr", a->addr, b->addr},     {"code", (uint32_t)a->code, (uint32_t)b->code},
    };
    for (unsigned i = 0; i < LEN(rest); i++) {
        if (rest[i].a != rest[i].b) {
            SAY("%s: %s %llx, %s %llx\n", rest[i].name, an, (ull)rest[i].a, bn, (ull)rest[i].b);
        }
    }
    return compare_memory(a, b, f, an, bn) || differs;
}

bool result_compare(const DiffResult *a, const DiffResult *b, FILE *f, const char *an, const char *bn)
{
    if (!f && memcmp(&a->s, &b->s, sizeof a->s) == 0 && a->sig == b->sig && a->code == b->code && a->addr == b->addr &&
        a->ngranules == b->ngranules && memcmp(a->mem, b->mem, a->ngranules * sizeof a->mem[0]) == 0) {
        return false;
    }
    return compare_all(a, b, f, an, bn);
}

/* -- waivers ---------------------------------------------------------------------------------------------------------- */

typedef struct Waiver {
    char kind[12], what[40];
    uint32_t word, mask;
    uint64_t used;
} Waiver;
static Waiver waivers[200];
static unsigned nwaivers;

int waivers_read(const char *path)
{
    char line[400];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        Waiver *w = &waivers[nwaivers];
        if (line[0] != '#' && nwaivers < LEN(waivers) && sscanf(line, "%11s %39s", w->kind, w->what) == 2) {
            sscanf(w->what, "%x/%x", &w->word, &w->mask);
            nwaivers++;
        }
    }
    return file ? fclose(file) : -1;
}

bool waived_name(const char *kind, const char *name)
{
    for (unsigned i = 0; i < nwaivers; i++) {
        if (strcmp(waivers[i].kind, kind) == 0 && fnmatch(waivers[i].what, name, 0) == 0) {
            waivers[i].used++;
            return true;
        }
    }
    return false;
}

bool waived_row(const char *kind, unsigned row)
{
    return waived_name(kind, a64_rows[row].name);
}

bool waived_word(const char *kind, uint32_t word)
{
    for (unsigned i = 0; i < nwaivers; i++) {
        Waiver *w = &waivers[i];
        if (strcmp(w->kind, kind) == 0 && (word & w->mask) == w->word) {
            w->used++;
            return true;
        }
    }
    return false;
}

/* The row that the result stopped at. */
static A64 row_at(const Case *c, const DiffResult *r)
{
    unsigned at = (unsigned)((r->s.pc - slot_address(c->in.pc)) / 4);
    A64 a = {.row = ROW_UNALLOCATED};
    if (at >= SLOT_WORDS || !a64_decode(c->words[at], the_model->feats, &a)) {
        a.row = ROW_UNALLOCATED;
    }
    return a;
}

static void same_vectors(DiffResult *like, const DiffResult *ref, const A64 *a)
{
    for (int i = 0; i < 4; i++) {
        memcpy(like->s.v[(a->rt + i) % 32], ref->s.v[(a->rt + i) % 32], 16);
    }
    memcpy(like->s.v[a->rt2 & 31], ref->s.v[a->rt2 & 31], 16);
}

bool waived_ours(const Case *c, const DiffResult *ref, const DiffResult *other, bool no_ufc)
{
    enum { FPSR_UFC = 8, FPSR_IXC = 16 };
    static DiffResult like;
    like = *other;
    if (no_ufc && ref->s.fpsr & ~like.s.fpsr & FPSR_UFC && like.s.fpsr & FPSR_IXC && waived_name("ufc", "-")) {
        like.s.fpsr |= FPSR_UFC;
    }
    A64 a = row_at(c, ref);
    if (ref->sig == SIGSEGV && like.sig == SIGSEGV && a.row && waived_row("pair", a.row)) {
        like.ngranules = ref->ngranules;
        memcpy(like.mem, ref->mem, sizeof like.mem);
    }
    return !result_compare(ref, &like, NULL, "", "");
}

bool waived_result(const Case *c, const DiffResult *ref, const DiffResult *oracle)
{
    static DiffResult like;
    A64 a = row_at(c, ref);
    like = *oracle;
    char signal[8];
    snprintf(signal, sizeof signal, "%u", ref->sig);
    if (like.code != ref->code && waived_name("code", signal)) {
        like.code = ref->code;
    }
    if ((like.addr == 0 || !((like.addr ^ ref->addr) << 8)) && (ref->addr | (ref->addr + 15)) >> 47 && waived_name("far", "-")) {
        like.addr = ref->addr;
        if (ref->sig == SIGSEGV && like.sig == SIGBUS) {
            like.sig = ref->sig;
            like.code = ref->code;
        }
    }
    if (like.addr < ref->addr && ref->addr - like.addr < 8 && !(like.addr & 1) && waived_name("parts", "-")) {
        like.addr = ref->addr;
    }
    if (ref->s.pc & 3 && ref->sig == SIGBUS && like.sig == SIGSEGV && waived_name("pcalign", "-")) {
        like.sig = ref->sig;
        like.code = ref->code;
    }
    if (like.addr != ref->addr && a.row && waived_row("addr", a.row)) {
        like.addr = ref->addr;
    }
    if (ref->sig == SIGSEGV && oracle->sig == SIGSEGV && a.row && waived_row("partial", a.row)) {
        same_vectors(&like, ref, &a);
        like.ngranules = ref->ngranules;
        memcpy(like.mem, ref->mem, sizeof like.mem);
    }
    return !result_compare(ref, &like, NULL, "", "");
}

uint64_t waivers_report(FILE *f)
{
    uint64_t used = 0;
    for (unsigned i = 0; i < nwaivers; i++) {
        fprintf(f, "waiver %s %s: used %llu times\n", waivers[i].kind, waivers[i].what, (ull)waivers[i].used);
        used += waivers[i].used;
    }
    return used;
}
