/* t_decode.c - the A64 decoder against itself and against two disassemblers.
 *
 * Words.  A *sample* is a word that isagen chose for a row, a *near miss* one that differs from it
 * in one literal bit. The *oracles* are objdump (aarch64-linux-gnu-objdump, a process fed with all
 * words at once) and capstone (in here).
 *
 * What counts as agreement with objdump: both say "unallocated", or both say "instruction" and
 * objdump's mnemonic is the row's or one of those that tests/decode/mnemonics.txt lists for the
 * row.  Any other word needs a line in tests/decode/waivers.txt: WORD/MASK  OURS  OBJDUMP  CAPSTONE
 * REASON      a mnemonic, "-" = unallocated, "*" = whatever Capstone is years behind in features,
 * so it is asked only about words where it has an opinion, and a difference counts only when
 * objdump does not side with us.
 *
 * ARMX_LONG=1 adds random words.  ARMX_DECODE_LEARN=FILE writes what mnemonics.txt would have to
 * hold.
 */
#include "isa_a64.h"

#include <capstone/capstone.h>
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN = 60, NAME = 20 };

static const uint64_t all_feats[2] = {UINT64_MAX, UINT64_MAX};

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct {
    uint32_t word;
    unsigned row;       /* ours; 0 = unallocated */
    char objdump[NAME]; /* mnemonic; empty = unallocated */
} Word;

typedef struct {
    Word *at;
    size_t n, room;
} Words;

static void add_word(Words *w, uint32_t word)
{
    A64 a;
    if (w->n == w->room) {
        w->room = w->room ? 2 * w->room : 1024;
        w->at = realloc(w->at, w->room * sizeof *w->at);
        cr_assert(w->at);
    }
    w->at[w->n++] = (Word){.word = word, .row = a64_decode(word, all_feats, &a) ? a.row : 0};
}

static uint32_t random_word(void)
{
    static uint64_t s = 0x2545f4914f6cdd1du;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return (uint32_t)(s >> 20);
}

/* ---- the decoder against itself -------------------------------------------------------------- */

Test(decode, samples_belong_to_their_row)
{
    int bad = 0;
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        uint32_t word;
        unsigned n = 0;
        for (; a64_sample(row, n, &word); n++) {
            A64 a;
            bool ok = a64_decode(word, all_feats, &a);
            if ((!ok || a.row != row) && bad++ < SHOWN) {
                fprintf(stderr, "%08" PRIx32 ": sample of %s is %s\n", word, a64_rows[row].name,
                        a64_rows[a.row].name);
            }
        }
        if (!n && bad++ < SHOWN) {
            fprintf(stderr, "%s has no sample\n", a64_rows[row].name);
        }
    }
    cr_assert_eq(bad, 0);
}

Test(decode, near_misses_lead_elsewhere)
{
    int bad = 0;
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        uint32_t word;
        for (unsigned n = 0; a64_near_miss(row, n, &word); n++) {
            A64 a;
            if (a64_decode(word, all_feats, &a) && a.row == row && bad++ < SHOWN) {
                fprintf(stderr, "%08" PRIx32 ": near miss of %s is %s\n", word, a64_rows[row].name,
                        a64_rows[row].name);
            }
        }
    }
    cr_assert_eq(bad, 0);
}

static uint32_t reencode(const A64 *a, uint32_t *known)
{
    const A64RowInfo *r = &a64_rows[a->row];
    int32_t v[16];
    *known = r->mask;
    for (unsigned i = 0; i < r->n_fields && i < sizeof v / sizeof *v; i++) {
        const IsaField *f = &r->fields[i];
        memcpy(&v[i], (const char *)a + f->member, sizeof *v);
        *known |= ((1u << f->width) - 1) << f->pos;
    }
    return a64_encode(a->row, v);
}

/* encode(decode(word)) == word, but for should-be and don't-care bits. */
static bool survives(uint32_t word)
{
    A64 a;
    uint32_t known;
    return !a64_decode(word, all_feats, &a) || ((reencode(&a, &known) ^ word) & known) == 0;
}

Test(decode, encode_undoes_decode)
{
    int bad = 0;
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        uint32_t word;
        for (unsigned n = 0; a64_sample(row, n, &word); n++) {
            bad += !survives(word);
        }
    }
    for (int i = 0; i < 1000000; i++) {
        bad += !survives(random_word());
    }
    cr_assert_eq(bad, 0);
}

Test(decode, a_row_needs_all_its_features)
{
    int bad = 0;
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        const A64RowInfo *r = &a64_rows[row];
        uint32_t word;
        A64 a;
        bad += !a64_sample(row, 0, &word) || !a64_decode(word, r->feats, &a) || a.row != row;
        for (unsigned f = 0; f < A64_FEAT_COUNT; f++) {
            uint64_t feats[2] = {UINT64_MAX, UINT64_MAX};
            feats[f / 64] &= ~((uint64_t)1 << f % 64);
            bad += a64_decode(word, feats, &a) == (r->feats[f / 64] >> f % 64 & 1);
        }
    }
    cr_assert_eq(bad, 0);
}

Test(decode, split_immediates_and_signs)
{
    static const struct {
        uint32_t word;
        unsigned row;
        size_t member;
        int32_t want;
    } rows[] = {
        {0x91004020, ROW_add_i, offsetof(A64, imm12), 16}, /* add x0, x1, #16 */
        {0x17ffffff, ROW_b, offsetof(A64, imm26), -1},     /* b .-4 */
        {0xb7f80000, ROW_tbnz, offsetof(A64, bit), 63},    /* tbnz x0, #63, . */
        {0x36080000, ROW_tbz, offsetof(A64, bit), 1},      /* tbz w0, #1, . */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        A64 a;
        int32_t v;
        cr_assert(a64_decode(rows[i].word, all_feats, &a), "%08" PRIx32, rows[i].word);
        memcpy(&v, (char *)&a + rows[i].member, sizeof v);
        cr_assert(a.row == rows[i].row && v == rows[i].want, "%08" PRIx32 ": %s, %d", rows[i].word,
                  a64_rows[a.row].name, (int)v);
    }
}

/* ---- the oracles ----------------------------------------------------------------------------- */

/* Fills in objdump's opinion of each word; false: there is no objdump here. */
static bool ask_objdump(Words *w)
{
    char path[] = "/tmp/t_decode.XXXXXX", command[200], line[512];
    if (system("aarch64-linux-gnu-objdump --version >/dev/null 2>&1") != 0) {
        return false;
    }
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "wb");
    cr_assert(f);
    for (size_t i = 0; i < w->n; i++) {
        fwrite(&w->at[i].word, 4, 1, f);
    }
    fclose(f);
    snprintf(command, sizeof command,
             "aarch64-linux-gnu-objdump -b binary -m aarch64 -M no-aliases -z -D %s", path);
    FILE *p = popen(command, "r");
    cr_assert(p);
    size_t seen = 0;
    while (fgets(line, sizeof line, p)) {
        unsigned long at;
        uint32_t word;
        char text[64];
        if (sscanf(line, " %lx: %8" SCNx32 " %63s", &at, &word, text) == 3 && at / 4 < w->n &&
            at % 4 == 0) {
            Word *d = &w->at[at / 4];
            bool undef = text[0] == '.' || !strcmp(text, "udf") || strstr(line, "; undefined") ||
                         strstr(line, "; NYI");
            cr_assert_eq(d->word, word);
            snprintf(d->objdump, sizeof d->objdump, "%.*s", NAME - 1, undef ? "" : text);
            seen++;
        }
    }
    pclose(p);
    unlink(path);
    cr_assert_eq(seen, w->n);
    return true;
}

static void ask_capstone(csh cs, uint32_t word, char name[NAME])
{
    cs_insn *insn;
    size_t n = cs_disasm(cs, (const uint8_t *)&word, 4, 0, 1, &insn);
    name[0] = '\0';
    if (n) {
        snprintf(name, NAME, "%.*s", NAME - 1, insn->mnemonic);
        cs_free(insn, n);
    }
}

typedef struct {
    uint32_t word, mask;
    char ours[NAME], objdump[NAME], capstone[NAME];
} Waiver;

static Waiver waivers[1024];
static size_t n_waivers;

typedef struct {
    unsigned row;
    char mnem[64];
} Mnemonic;

static Mnemonic mnemonics[4096];
static size_t n_mnemonics;

static unsigned row_named(const char *name)
{
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        if (!strcmp(a64_rows[row].name, name)) {
            return row;
        }
    }
    return 0;
}

static FILE *open_data(const char *name)
{
    static const char here[] = __FILE__; /* tests/unit/t_decode.c; the data is in tests/decode */
    char path[1024];
    snprintf(path, sizeof path, "%.*s../decode/%s", (int)(strrchr(here, '/') + 1 - here), here,
             name);
    FILE *f = fopen(path, "r");
    cr_assert(f, "%s", path);
    return f;
}

static void read_waivers(void)
{
    char line[512];
    FILE *f = open_data("waivers.txt");
    while (fgets(line, sizeof line, f)) {
        Waiver *v = &waivers[n_waivers];
        if (line[0] != '#' && line[0] != '\n') {
            cr_assert(sscanf(line, "%" SCNx32 "/%" SCNx32 " %19s %19s %19s", &v->word, &v->mask,
                             v->ours, v->objdump, v->capstone) == 5,
                      "%s", line);
            cr_assert(++n_waivers < sizeof waivers / sizeof *waivers);
        }
    }
    fclose(f);
}

static void read_mnemonics(void)
{
    char line[1024];
    FILE *f = open_data("mnemonics.txt");
    while (fgets(line, sizeof line, f)) {
        char *name = strtok(line, " \t\n");
        if (name && *name != '#') {
            unsigned row = row_named(name);
            cr_assert(row, "mnemonics.txt: no row %s", name);
            for (char *m; (m = strtok(NULL, " \t\n")); n_mnemonics++) {
                cr_assert(n_mnemonics < sizeof mnemonics / sizeof *mnemonics);
                mnemonics[n_mnemonics].row = row;
                snprintf(mnemonics[n_mnemonics].mnem, sizeof mnemonics->mnem, "%s", m);
            }
        }
    }
    fclose(f);
}

/* A field of a decoded word, by name. */
static int32_t field_value(const A64 *a, const char *name, size_t len)
{
    const A64RowInfo *r = &a64_rows[a->row];
    for (unsigned i = 0; i < r->n_fields; i++) {
        if (strlen(r->fields[i].name) == len && !memcmp(r->fields[i].name, name, len)) {
            int32_t v;
            memcpy(&v, (const char *)a + r->fields[i].member, sizeof v);
            return v;
        }
    }
    cr_assert_fail("mnemonics.txt: row %s has no field %.*s", r->name, (int)len, name);
    return 0;
}

/* Replaces {a|b:field} in `text`. */
static void expand(char out[NAME], const char *text, const A64 *a)
{
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        if (*p != '{') {
            out[n++] = *p;
            continue;
        }
        const char *colon = strchr(p, ':'), *end = strchr(p, '}');
        cr_assert(colon && end, "%s", text);
        for (int32_t v = field_value(a, colon + 1, (size_t)(end - colon - 1)); v > 0; v--) {
            p = strchr(p + 1, '|');
            cr_assert(p && p < colon, "%s", text);
        }
        for (p++; *p != '|' && *p != ':'; p++) {
            out[n++] = *p;
        }
        p = end;
    }
    out[n] = '\0';
}

/* `text` is what the word's row says; conditions (b.eq) count as their mnemonic. */
static bool row_prints(uint32_t word, unsigned row, const char *text)
{
    const char *m = a64_rows[row].mnemonic;
    size_t n = strlen(m);
    bool listed = false;
    A64 a;
    if (!row || !*text) {
        return !row && !*text;
    }
    a64_decode(word, all_feats, &a);
    for (size_t i = 0; i < n_mnemonics; i++) {
        char want[NAME];
        if (mnemonics[i].row == row) {
            listed = true;
            expand(want, mnemonics[i].mnem, &a);
            if (!strcmp(want, text)) {
                return true;
            }
        }
    }
    return !listed && !strncmp(text, m, n) && (!text[n] || text[n] == '.');
}

static bool waiver_says(const char *text, const char *name)
{
    size_t n = strlen(text) - 1;
    name = *name ? name : "-";
    return text[n] == '*' ? !strncmp(text, name, n) : !strcmp(text, name);
}

static bool waived(const Word *w, const char *capstone)
{
    for (size_t i = 0; i < n_waivers; i++) {
        const Waiver *v = &waivers[i];
        if ((w->word & v->mask) == v->word &&
            waiver_says(v->ours, w->row ? a64_rows[w->row].mnemonic : "") &&
            waiver_says(v->objdump, w->objdump) && waiver_says(v->capstone, capstone)) {
            return true;
        }
    }
    return false;
}

static void learn(const Word *w)
{
    static FILE *f;
    const char *path = getenv("ARMX_DECODE_LEARN");
    if (path && w->row && *w->objdump) {
        f = f ? f : fopen(path, "a");
        fprintf(f, "%s %s %s %08" PRIx32 "\n", a64_rows[w->row].name, a64_rows[w->row].mnemonic,
                w->objdump, w->word);
        fflush(f);
    }
}

/* Number of words on which we are outvoted without a waiver. */
static int compare(Words *w)
{
    csh cs;
    int bad = 0, alone = 0;
    if (!ask_objdump(w)) {
        cr_skip_test("no aarch64-linux-gnu-objdump");
    }
    cr_assert_eq(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &cs), CS_ERR_OK);
    for (size_t i = 0; i < w->n; i++) {
        char capstone[NAME];
        if (row_prints(w->at[i].word, w->at[i].row, w->at[i].objdump)) {
            continue;
        }
        ask_capstone(cs, w->at[i].word, capstone);
        learn(&w->at[i]);
        if (waived(&w->at[i], capstone)) {
            alone++;
        } else if (bad++ < SHOWN) {
            fprintf(stderr, "%08" PRIx32 ": ours %s (%s), objdump %s, capstone %s\n", w->at[i].word,
                    a64_rows[w->at[i].row].name, a64_rows[w->at[i].row].mnemonic,
                    *w->at[i].objdump ? w->at[i].objdump : "-", *capstone ? capstone : "-");
        }
    }
    cs_close(&cs);
    fprintf(stderr, "%zu words, %d waived, %d unexplained\n", w->n, alone, bad);
    return bad;
}

Test(decode, oracles_agree_on_samples, .timeout = 300)
{
    Words w = {0};
    uint32_t word;
    read_waivers();
    read_mnemonics();
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        for (unsigned n = 0; a64_sample(row, n, &word); n++) {
            add_word(&w, word);
        }
        for (unsigned n = 0; a64_near_miss(row, n, &word); n++) {
            add_word(&w, word);
        }
    }
    cr_assert_eq(compare(&w), 0);
    free(w.at);
}

/* Random words, and random changes of a few bits of samples, which reach the crowded corners. */
Test(decode, oracles_agree_on_random_words, .timeout = 600)
{
    Words w = {0};
    uint32_t word;
    int count = getenv("ARMX_LONG") ? 4000000 : 100000;
    read_waivers();
    read_mnemonics();
    for (int i = 0; i < count; i++) {
        add_word(&w, random_word());
        if (a64_sample(1 + random_word() % (A64_ROW_COUNT - 1), random_word() % 8, &word)) {
            add_word(&w, word ^ (random_word() & random_word() & random_word()));
        }
    }
    cr_assert_eq(compare(&w), 0);
    free(w.at);
}
