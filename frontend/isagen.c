/* isagen.c - reads *.isa instruction tables, proves that they tile the encoding space, writes the
 * decoder.
 *
 *   isagen [--check] [--whole] [--word HEX] [--coverage FILE] [-o DIR] FILE.isa...
 *
 * A host tool: plain C11, no dependencies, memory is never given back.  The text's grammar is in
 * docs/isa-text.md.
 *
 * Words.  A *row* is one line of a table: literal bits, fields, a predicate.  A *hole* is a row for
 * words that are UNALLOCATED.  A *space* is the slice of the 2^32 words that one file must tile:
 * every word of it belongs to exactly one row or hole.  A *terminal* is what the decision diagram
 * says about a word: outside all spaces, not covered yet, row n.
 *
 * How.  Everything is one hash-consed decision diagram (ordered, reduced, many terminals).  The
 * order of its variables is the order in which the decoder looks at them: bits 31..21, 15..10,
 * 20..16, 9..0.  A row becomes a diagram of true and false; overlay() lays it
 * over the diagram of all words and sees every overlap as it does so.  Counting words, finding
 * examples, and the decoder's tables are then walks over that one diagram, so the decoder is the
 * thing that was checked: first index = node after 11 bits, second index = node after 17 bits, the
 * rest a short list of cubes.
 *
 * Invariants.  A node's children have smaller numbers than the node.  Terminals have level 32.
 *
 * To add an attribute line: a case in parse_attr(), a member of Row, its use in the writers,
 * docs/isa-text.md, and a file for each new message in tests/decode/bad.
 */
#include "isagen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

File *files;
int n_files;
Row *rows;
int n_rows;
char *feats[MAX_FEATS];
int n_feats;
int n_errors;

void error_at(int file, int line, const char *fmt, ...)
{
    va_list ap;
    if (n_errors++ < MAX_ERRORS) {
        fprintf(stderr, "%s:%d: ", files[file].path, line);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
    }
}

_Noreturn void die(const char *what, const char *name)
{
    fprintf(stderr, "isagen: %s%s%s\n", what, name ? " " : "", name ? name : "");
    exit(1);
}

void *grow(void *p, size_t n, size_t size)
{
    if ((n & (n - 1)) == 0) { /* full at each power of two */
        p = realloc(p, (n ? 2 * n : 1) * size);
        if (!p) {
            die("out of memory", NULL);
        }
    }
    return p;
}

void *zalloc(size_t n)
{
    void *p = calloc(1, n);
    if (!p) {
        die("out of memory", NULL);
    }
    return p;
}

char *text_dup(const char *s, size_t n)
{
    char *d = zalloc(n + 1);
    memcpy(d, s, n);
    return d;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Features get their bits in alphabetical order, whatever the order of files. */
static void sort_feats(void)
{
    char *old[MAX_FEATS];
    int to[MAX_FEATS];
    memcpy(old, feats, sizeof old);
    qsort(feats, (size_t)n_feats, sizeof *feats, by_name);
    for (int i = 0; i < n_feats; i++) {
        for (to[i] = 0; feats[to[i]] != old[i];) {
            to[i]++;
        }
    }
    for (int r = 0; r < n_rows; r++) {
        uint64_t was[2] = {rows[r].feat[0], rows[r].feat[1]};
        rows[r].feat[0] = rows[r].feat[1] = 0;
        for (int i = 0; i < n_feats; i++) {
            rows[r].feat[to[i] / 64] |= (was[i / 64] >> i % 64 & 1) << to[i] % 64;
        }
    }
}

static void report(void)
{
    int holes = 0, total = 0;
    for (int f = 0; f < n_files; f++) {
        printf("%s: %d rows, %" PRIu64 " words allocated, %" PRIu64 " in holes", files[f].path,
               files[f].rows, files[f].allocated, files[f].holes);
        if (files[f].rest_line) {
            printf(", %" PRIu64 " swallowed by 'hole rest'", files[f].swallowed);
        }
        printf("\n");
        total += files[f].rows;
    }
    for (int i = 0; i < n_rows; i++) {
        holes += rows[i].hole;
    }
    printf("isagen: %d rows, %d holes, %d features, %d errors\n", total, holes, n_feats, n_errors);
}

static int usage(void)
{
    fputs("usage: isagen [--check] [--whole] [--word HEX] [--coverage FILE] [-o DIR] FILE.isa...\n"
          "  --check          only check; also what happens without -o and --coverage\n"
          "  --whole          the files together must cover all 2^32 words\n"
          "  --word HEX       say what the tables make of one word\n"
          "  --coverage FILE  write the list of rows as markdown\n"
          "  -o DIR           write isa_a64.h, isa_a64.c and isa_a64_samples.c\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const char *dir = NULL, *coverage = NULL, *word = NULL;
    bool whole = false, check = false;
    files = zalloc((size_t)argc * sizeof *files);
    for (int i = 1; i < argc; i++) {
        const char **arg = !strcmp(argv[i], "-o")           ? &dir
                           : !strcmp(argv[i], "--coverage") ? &coverage
                           : !strcmp(argv[i], "--word")     ? &word
                                                            : NULL;
        if (arg && i + 1 < argc) {
            *arg = argv[++i];
        } else if (!strcmp(argv[i], "--whole")) {
            whole = true;
        } else if (!strcmp(argv[i], "--check")) {
            check = true;
        } else if (argv[i][0] == '-') {
            return usage();
        } else {
            files[n_files++].path = argv[i];
        }
    }
    if (!n_files) {
        return usage();
    }
    diagram_init();
    Node all = diagram_outside();
    int groups = 0;
    for (int i = 0; i < n_files; i++) {
        all = read_file(i, all, &groups);
    }
    sort_feats();
    if (!n_errors) { /* what could not be read would be missed everywhere */
        all = overlay_rows(all);
        check_cover(all, whole);
    }
    if (word) {
        word_report(all, (uint32_t)strtoul(word, NULL, 16));
    }
    if (n_errors > MAX_ERRORS) {
        fprintf(stderr, "isagen: and %d more errors\n", n_errors - MAX_ERRORS);
    }
    if (check || !n_errors) {
        report();
    }
    if (!n_errors && !check) {
        write_outputs(all, dir, coverage);
    }
    return n_errors != 0;
}
