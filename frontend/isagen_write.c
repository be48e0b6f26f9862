/* isagen_write.c - isagen's output: the generated header, the decoder's tables, sample words, the
 * coverage page.
 *
 * Nothing is decided here.  The tables are read off the decision diagram: a block is a node at
 * level 11, an entry a node at level 17, a list of cubes the paths below it; equal nodes give
 * shared blocks and lists for free.
 */
#define _POSIX_C_SOURCE 200809L
#include "isagen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, LIST = 0x8000 };

static FILE *open_out(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        die("cannot write", path);
    }
    fprintf(f, "/* %s - written by isagen from the .isa tables. */\n", name);
    return f;
}

static void close_out(FILE *f)
{
    if (ferror(f) | fclose(f)) {
        die("error while writing", NULL);
    }
}

/* Rows that are not holes get numbers from 1 in the order of the files. */
static int *row_number;

static void number_rows(void)
{
    row_number = zalloc((size_t)(n_rows + 1) * sizeof *row_number);
    for (int i = 0, n = 1; i < n_rows; i++) {
        row_number[i] = rows[i].hole ? 0 : n++;
    }
}

static int node_number(Node terminal)
{
    const Row *r = node_row(terminal);
    return r ? row_number[r - rows] : 0;
}

static const char *row_tr(const Row *r)
{
    return r->tr ? r->tr : r->name;
}

/* ---- sets of strings ------------------------------------------------------------------------- */

typedef struct {
    char **text;
    int n;
} Texts;

static int text_index(Texts *t, const char *s)
{
    for (int i = 0; i < t->n; i++) {
        if (strcmp(t->text[i], s) == 0) {
            return i;
        }
    }
    t->text = grow(t->text, (size_t)t->n, sizeof *t->text);
    t->text[t->n] = text_dup(s, strlen(s));
    return t->n++;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void texts_sort(Texts *t)
{
    if (t->n) {
        qsort(t->text, (size_t)t->n, sizeof *t->text, by_text);
    }
}

/* ---- expressions and formats in C ------------------------------------------------------------ */

static void put_expr(FILE *f, const Expr *e, const Row *r);

static void put_binary(FILE *f, const Expr *e, const Row *r, const char *op)
{
    fputc('(', f);
    put_expr(f, e->a, r);
    fprintf(f, " %s ", op);
    put_expr(f, e->b, r);
    fputc(')', f);
}

static void put_expr(FILE *f, const Expr *e, const Row *r)
{
    static const char *const ops[] = {
        [E_AND] = "&&", [E_OR] = "||", [E_EQ] = "==",    [E_NE] = "!=", [E_LT] = "<", [E_LE] = "<=",
        [E_GT] = ">",   [E_GE] = ">=", [E_BITAND] = "&", [E_ADD] = "+", [E_SUB] = "-"};
    switch (e->op) {
    case E_INT:
        fprintf(f, "%" PRId64, e->value);
        break;
    case E_FIELD:
        fprintf(f, "a->%s", r->field[e->value].name);
        break;
    case E_LET:
        fprintf(f, "a->%s", r->let[e->value].name);
        break;
    case E_NOT:
        fputs("!(", f);
        put_expr(f, e->a, r);
        fputc(')', f);
        break;
    case E_SHL:
        fputs("(int32_t)((uint32_t)", f);
        put_binary(f, e, r, "<<");
        fputc(')', f);
        break;
    case E_CONCAT:
        fputc('(', f);
        put_expr(f, e->a, r);
        fprintf(f, " << %d | ", e->b->width);
        put_expr(f, e->b, r);
        fputc(')', f);
        break;
    case E_SX:
        fputs("(int32_t)((uint32_t)(", f);
        put_expr(f, e->a, r);
        fprintf(f, ") << %d) >> %d", 32 - e->a->width, 32 - e->a->width);
        break;
    case E_BITMASK_OK:
        fputs("isa_bitmask_ok((unsigned)", f);
        put_expr(f, e->a, r);
        fputs(", (unsigned)", f);
        put_expr(f, e->b, r);
        fputs(", (unsigned)", f);
        put_expr(f, e->c, r);
        fputc(')', f);
        break;
    default:
        put_binary(f, e, r, ops[e->op]);
    }
}

/* The body of the function that extracts a row's fields. */
static char *format_body(const Row *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f) {
        die("out of memory", NULL);
    }
    for (int i = 0; i < r->fields; i++) {
        const Field *d = &r->field[i];
        if (d->is_signed) {
            fprintf(f, "    a->%s = (int32_t)(w << %d) >> %d;\n", d->name, 32 - d->pos - d->width,
                    32 - d->width);
        } else {
            fprintf(f, "    a->%s = (int32_t)(w >> %d & 0x%x);\n", d->name, d->pos,
                    (1u << d->width) - 1);
        }
    }
    for (int i = 0; i < r->lets; i++) {
        fprintf(f, "    a->%s = ", r->let[i].name);
        put_expr(f, r->let[i].e, r);
        fputs(";\n", f);
    }
    if (r->unpred) {
        fputs("    a->unpred = ", f);
        put_expr(f, r->unpred, r);
        fputs(";\n", f);
    }
    fclose(f);
    return text;
}

static Texts formats;

static void find_formats(void)
{
    text_index(&formats, "    (void)w;\n    (void)a;\n");
    for (int i = 0; i < n_rows; i++) {
        if (!rows[i].hole) {
            char *body = format_body(&rows[i]);
            rows[i].format = *body ? text_index(&formats, body) : 0;
            free(body);
        }
    }
    if (formats.n > 256) {
        die("more than 256 formats", NULL);
    }
}

/* ---- the lookup tables ----------------------------------------------------------------------- */

typedef struct {
    uint16_t mask, value;
    int row;
} LowCube;

static Node *block_node; /* at level LEVEL_L1 */
static size_t n_blocks;
static LowCube *cubes;
static size_t n_cubes;
static Node *list_node; /* nodes at level LEVEL_L2 that have a list, and its first cube */
static size_t *list_first;
static size_t n_lists;

static Node descend(Node n, int below, uint32_t word)
{
    while (!node_is_terminal(n) && node_level(n) < below) {
        n = node_child(n, word >> node_bit(n) & 1);
    }
    return n;
}

static void count_paths(Node n, int *paths)
{
    if (node_is_terminal(n)) {
        paths[node_number(n)]++;
    } else {
        count_paths(node_child(n, 0), paths);
        count_paths(node_child(n, 1), paths);
    }
}

static void list_paths(Node n, int last, LowCube c)
{
    if (!node_is_terminal(n)) {
        int bit = node_bit(n);
        uint16_t low = (uint16_t)(1u << (bit < 16 ? bit : bit - 6));
        c.mask |= low;
        list_paths(node_child(n, 0), last, c);
        c.value |= low;
        list_paths(node_child(n, 1), last, c);
    } else if (node_number(n) != last) {
        c.row = node_number(n);
        cubes = grow(cubes, n_cubes, sizeof *cubes);
        cubes[n_cubes++] = c;
    }
}

/* The row with most paths comes last and takes what is left; the others are their paths. */
static size_t list_of(Node n)
{
    for (size_t i = 0; i < n_lists; i++) {
        if (list_node[i] == n) {
            return list_first[i];
        }
    }
    int *paths = zalloc((size_t)(n_rows + 1) * sizeof *paths), last = 0;
    count_paths(n, paths);
    for (int i = 0; i <= n_rows; i++) {
        last = paths[i] > paths[last] ? i : last;
    }
    free(paths);
    list_node = grow(list_node, n_lists, sizeof *list_node);
    list_first = grow(list_first, n_lists, sizeof *list_first);
    list_node[n_lists] = n;
    size_t first = list_first[n_lists++] = n_cubes;
    list_paths(n, last, (LowCube){0, 0, 0});
    cubes = grow(cubes, n_cubes, sizeof *cubes);
    cubes[n_cubes++] = (LowCube){0, 0, last};
    if (n_cubes >= LIST) {
        die("too many cubes in the decoder's lists", NULL);
    }
    return first;
}

static size_t block_of(Node n)
{
    size_t i = 0;
    while (i < n_blocks && block_node[i] != n) {
        i++;
    }
    if (i == n_blocks) {
        block_node = grow(block_node, n_blocks, sizeof *block_node);
        block_node[n_blocks++] = n;
    }
    return i;
}

static void write_tables(FILE *f, Node all)
{
    fputs("\nstatic const uint16_t blocks[2048] = {\n", f);
    for (uint32_t i = 0; i < 2048; i++) {
        fprintf(f, "%zu,%s", block_of(descend(all, LEVEL_L1, i << 21)), i % 16 == 15 ? "\n" : " ");
    }
    fputs("};\n", f);
    fputs("\nstatic const uint16_t block[][64] = {\n", f);
    for (size_t b = 0; b < n_blocks; b++) {
        fputs("{ ", f);
        for (uint32_t i = 0; i < BLOCK; i++) {
            Node n = descend(block_node[b], LEVEL_L2, i << 10);
            unsigned e =
                node_is_terminal(n) ? (unsigned)node_number(n) : LIST + (unsigned)list_of(n);
            fprintf(f, "%u, ", e);
        }
        fputs("},\n", f);
    }
    fputs("};\n", f);
    fputs("\nstatic const IsaCube cubes[] = {\n", f);
    for (size_t i = 0; i < n_cubes; i++) {
        fprintf(f, "{ 0x%04x, 0x%04x, %d },%s", cubes[i].mask, cubes[i].value, cubes[i].row,
                !cubes[i].mask || i % 8 == 7 ? "\n" : " ");
    }
    fputs("};\n\nstatic const IsaTables tables = { blocks, block, cubes };\n", f);
}

/* ---- isa_a64.h ------------------------------------------------------------------------------- */

static void write_header(const char *dir)
{
    FILE *f = open_out(dir, "isa_a64.h");
    Texts members = {0}, trs = {0};
    fputs("#ifndef ISA_A64_H\n#define ISA_A64_H\n\n#include \"decode.h\"\n\nenum A64Row {\n    "
          "ROW_UNALLOCATED,\n",
          f);
    for (int i = 0; i < n_rows; i++) {
        for (int k = 0; k < rows[i].fields; k++) {
            text_index(&members, rows[i].field[k].name);
        }
        for (int k = 0; k < rows[i].lets; k++) {
            text_index(&members, rows[i].let[k].name);
        }
        if (!rows[i].hole) {
            text_index(&trs, row_tr(&rows[i]));
            fprintf(f, "    ROW_%s,\n", rows[i].name);
        }
    }
    fputs("    A64_ROW_COUNT\n};\n\nenum A64Feat {\n", f);
    for (int i = 0; i < n_feats; i++) {
        fprintf(f, "    A64_FEAT_%s,\n", feats[i]);
    }
    fputs("    A64_FEAT_COUNT\n};\n\n/* A decoded word: all fields of all rows; a field that the "
          "row does not have is 0. */\n"
          "struct A64 {\n    uint32_t word;\n    uint16_t row;\n    uint8_t unpred;\n",
          f);
    texts_sort(&members);
    texts_sort(&trs);
    for (int i = 0; i < members.n; i++) {
        fprintf(f, "    int32_t %s;\n", members.text[i]);
    }
    fputs("};\n\nextern const A64RowInfo a64_rows[A64_ROW_COUNT];\nextern const char *const "
          "a64_feat_names[A64_FEAT_COUNT + 1];\n\n"
          "/* False: UNALLOCATED for a CPU with these features; then only out->word is valid. */\n"
          "bool a64_decode(uint32_t word, const uint64_t feats[2], A64 *out);\n"
          "bool a64_is_allocated(uint32_t word, const uint64_t feats[2]);\n"
          "/* The word of a row with these fields (in the order of its IsaFields); should-be bits "
          "as they should be. */\n"
          "uint32_t a64_encode(unsigned row, const int32_t fields[]);\n"
          "/* The n-th word that belongs to the row; false: there are no more.  In "
          "isa_a64_samples.c, for tests. */\n"
          "bool a64_sample(unsigned row, unsigned n, uint32_t *word);\n"
          "/* The n-th word that differs from the row's first sample in one literal bit. */\n"
          "bool a64_near_miss(unsigned row, unsigned n, uint32_t *word);\n\n",
          f);
    for (int i = 0; i < trs.n; i++) {
        fprintf(f, "void tr_%s(Tr *t, const A64 *a, int k);\n", trs.text[i]);
    }
    fputs("\n#endif\n", f);
    close_out(f);
}

/* ---- isa_a64.c ------------------------------------------------------------------------------- */

static int feat_set(Texts *sets, const Row *r)
{
    char text[64];
    snprintf(text, sizeof text, "0x%" PRIx64 ", 0x%" PRIx64, r->feat[0], r->feat[1]);
    return text_index(sets, text);
}

static void write_formats(FILE *f)
{
    for (int i = 0; i < formats.n; i++) {
        fprintf(f, "\nstatic void format_%d(uint32_t w, A64 *a)\n{\n%s}\n", i, formats.text[i]);
    }
    fputs("\nstatic void (*const format[])(uint32_t w, A64 *a) = {\n", f);
    for (int i = 0; i < formats.n; i++) {
        fprintf(f, "    format_%d,\n", i);
    }
    fputs("};\n", f);
}

static void write_keys(FILE *f)
{
    Texts sets = {0};
    text_index(&sets, "0x0, 0x0");
    fputs("\nstatic const IsaKey keys[A64_ROW_COUNT] = {\n    { 0, 0 },\n", f);
    for (int i = 0; i < n_rows; i++) {
        if (!rows[i].hole) {
            fprintf(f, "    { %d, %d },\n", rows[i].format, feat_set(&sets, &rows[i]));
        }
    }
    fputs("};\n\nstatic const uint64_t feat_sets[][2] = {\n", f);
    for (int i = 0; i < sets.n; i++) {
        fprintf(f, "    { %s },\n", sets.text[i]);
    }
    fputs("};\n", f);
    if (sets.n > 256) {
        die("more than 256 sets of features", NULL);
    }
}

static void write_rows(FILE *f)
{
    int first = 0;
    fputs("\nstatic const IsaField fields[] = {\n", f);
    for (int i = 0; i < n_rows; i++) {
        for (int k = 0; k < rows[i].fields && !rows[i].hole; k++) {
            const Field *d = &rows[i].field[k];
            fprintf(f, "    { \"%s\", offsetof(A64, %s), %d, %d, %d },\n", d->name, d->name, d->pos,
                    d->width, d->is_signed);
        }
    }
    fputs("    { 0 },\n};\n\nconst A64RowInfo a64_rows[A64_ROW_COUNT] = {\n"
          "    { .name = \"unallocated\", .mnemonic = \"unallocated\" },\n",
          f);
    for (int i = 0; i < n_rows; i++) {
        const Row *r = &rows[i];
        if (!r->hole) {
            fprintf(f,
                    "    { \"%s\", \"%s\", A64_TR(%s, %s), 0x%08" PRIx32 ", 0x%08" PRIx32
                    ", 0x%08" PRIx32 ", 0x%08" PRIx32 ", { 0x%" PRIx64 ", 0x%" PRIx64
                    " }, fields + %d, %d },\n",
                    r->name, r->mnem, row_tr(r), r->k ? r->k : "0", r->mask, r->value, r->should,
                    r->should_to, r->feat[0], r->feat[1], first, r->fields);
            first += r->fields;
        }
    }
    fputs("};\n\nconst char *const a64_feat_names[A64_FEAT_COUNT + 1] = {\n", f);
    for (int i = 0; i < n_feats; i++) {
        fprintf(f, "    \"%s\",\n", feats[i]);
    }
    fputs("    0,\n};\n", f);
}

static void write_source(const char *dir, Node all)
{
    FILE *f = open_out(dir, "isa_a64.c");
    fputs("/* With A64_DECODE_ONLY the rows name no translators, so that tests can link the "
          "decoder alone. */\n"
          "#ifdef A64_DECODE_ONLY\n#include \"isa_a64.h\"\n#define A64_TR(f, k) 0, "
          "0\n#else\n#include \"tr.h\"\n"
          "#define A64_TR(f, k) tr_##f, k\n#endif\n",
          f);
    write_tables(f, all);
    write_formats(f);
    write_keys(f);
    write_rows(f);
    fputs("\nstatic inline unsigned row_of(uint32_t word, const uint64_t feats[2])\n{\n"
          "    unsigned row = isa_lookup(&tables, word), set = keys[row].feats;\n"
          "    bool lacks = set && ((feat_sets[set][0] & ~feats[0]) | (feat_sets[set][1] & "
          "~feats[1]));\n    return lacks ? 0 : row;\n}\n\n"
          "bool a64_is_allocated(uint32_t word, const uint64_t feats[2])\n{\n"
          "    return row_of(word, feats);\n}\n\n"
          "bool a64_decode(uint32_t word, const uint64_t feats[2], A64 *out)\n{\n"
          "    isa_zero(out, sizeof *out);\n    out->word = word;\n"
          "    unsigned row = row_of(word, feats);\n    if (!row) {\n        return false;\n    }\n"
          "    out->row = (uint16_t)row;\n    format[keys[row].format](word, out);\n    return "
          "true;\n}\n\n"
          "uint32_t a64_encode(unsigned row, const int32_t values[])\n{\n    const A64RowInfo *r = "
          "&a64_rows[row];\n"
          "    uint32_t w = r->value | r->should_to;\n    for (unsigned i = 0; i < r->n_fields; "
          "i++) {\n"
          "        const IsaField *d = &r->fields[i];\n"
          "        w |= ((uint32_t)values[i] & ((1u << d->width) - 1)) << d->pos;\n    }\n    "
          "return w;\n}\n",
          f);
    close_out(f);
}

/* ---- isa_a64_samples.c ----------------------------------------------------------------------- */

static uint32_t random_word(void)
{
    static uint64_t s = 0x9e3779b97f4a7c15u; /* xorshift64: the same samples in every build */
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return (uint32_t)(s >> 16);
}

typedef struct {
    uint32_t *word;
    size_t n;
} Words;

static void add_word(Words *w, uint32_t word)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->word[i] == word) {
            return;
        }
    }
    w->word = grow(w->word, w->n, sizeof *w->word);
    w->word[w->n++] = word;
}

/* A word of the row with these field bits, the rest like `open`. */
static void add_sample(Words *w, const Row *r, const Field *d, uint32_t value, uint32_t open)
{
    uint32_t mask = d ? ((1u << d->width) - 1) << d->pos : 0;
    Node s = set_limit(r->set, mask, d ? value << d->pos & mask : 0);
    if (!set_empty(s)) {
        add_word(w, set_word(s, (open & ~r->should) | r->should_to));
    }
}

static Words row_samples(const Row *r)
{
    enum { RANDOM = 6 };
    Words w = {0};
    uint32_t low = r->should_to, fields = 0;
    for (int i = 0; i < r->fields; i++) {
        fields |= ((1u << r->field[i].width) - 1) << r->field[i].pos;
        low |= (i + 1 < 1 << r->field[i].width ? (uint32_t)i + 1 : 1) << r->field[i].pos;
    }
    add_sample(&w, r, NULL, 0, low);
    for (int i = 0; i < r->fields; i++) {
        const Field *d = &r->field[i];
        uint32_t most = (1u << d->width) - 1;
        const uint32_t values[] = {0, 1, most, most >> 1, most ^ most >> 1, most - 1};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            add_sample(&w, r, d, values[k] & most, low);
        }
    }
    for (int i = 0; i < r->samples; i++) {
        add_sample(&w, r, &r->field[r->sample[i].field], (uint32_t)r->sample[i].value, low);
    }
    for (int i = 0; i < RANDOM && fields; i++) {
        add_sample(&w, r, NULL, 0, random_word() & fields);
    }
    return w;
}

static void write_samples(const char *dir)
{
    FILE *f = open_out(dir, "isa_a64_samples.c");
    size_t *first = zalloc((size_t)(n_rows + 1) * sizeof *first), total = 0;
    fputs("#include \"isa_a64.h\"\n\nstatic const uint32_t samples[] = {\n", f);
    for (int i = 0; i < n_rows; i++) {
        first[i] = total;
        Words w = {0};
        if (!rows[i].hole) {
            w = row_samples(&rows[i]);
        }
        for (size_t k = 0; k < w.n; k++) {
            fprintf(f, "0x%08" PRIx32 ",%s", w.word[k], k % 8 == 7 || k + 1 == w.n ? "\n" : " ");
        }
        total += w.n;
        free(w.word);
    }
    fputs("0\n};\n\nstatic const uint32_t first[A64_ROW_COUNT + 1] = {\n0,\n", f);
    for (int i = 0; i < n_rows; i++) {
        if (!rows[i].hole) {
            fprintf(f, "%zu,\n", first[i]);
        }
    }
    fprintf(f, "%zu\n};\n", total);
    fputs("\nbool a64_sample(unsigned row, unsigned n, uint32_t *word)\n{\n    if (!row || n >= "
          "first[row + 1] - first[row]) {\n"
          "        return false;\n    }\n    *word = samples[first[row] + n];\n    return "
          "true;\n}\n\n"
          "bool a64_near_miss(unsigned row, unsigned n, uint32_t *word)\n{\n    uint32_t mask = "
          "a64_rows[row].mask;\n"
          "    while (mask && n--) {\n        mask &= mask - 1;\n    }\n    if (!mask || "
          "!a64_sample(row, 0, word)) {\n"
          "        return false;\n    }\n    *word ^= mask & -mask;\n    return true;\n}\n",
          f);
    close_out(f);
}

/* ---- the coverage page ----------------------------------------------------------------------- */

static void put_feats(FILE *f, const Row *r)
{
    const char *comma = "";
    for (int i = 0; i < n_feats; i++) {
        if (r->feat[i / 64] >> i % 64 & 1) {
            fprintf(f, "%s%s", comma, feats[i]);
            comma = ", ";
        }
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void write_coverage(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        die("cannot write", path);
    }
    fputs("# A64 instructions that armx decodes\n\nWritten by `isagen --coverage` from the `.isa` "
          "tables.\n\n"
          "| table | rows | words allocated | words unallocated |\n|---|---:|---:|---:|\n",
          f);
    for (int i = 0; i < n_files; i++) {
        fprintf(f, "| %s | %d | %" PRIu64 " | %" PRIu64 " |\n", base_name(files[i].path),
                files[i].rows, files[i].allocated, files[i].words - files[i].allocated);
    }
    for (int i = 0, file = -1; i < n_rows; i++) {
        const Row *r = &rows[i];
        if (r->file != file) {
            file = r->file;
            fprintf(f,
                    "\n## %s\n\n| row | mnemonic | words | features | translator "
                    "|\n|---|---|---:|---|---|\n",
                    base_name(files[file].path));
        }
        if (!r->hole) {
            fprintf(f, "| %s | %s | %" PRIu64 " | ", r->name, r->mnem, r->words);
            put_feats(f, r);
            fprintf(f, " | tr_%s%s%s%s |\n", row_tr(r), r->k ? "(" : "", r->k ? r->k : "",
                    r->k ? ")" : "");
        }
    }
    close_out(f);
}

void write_outputs(Node all, const char *dir, const char *coverage)
{
    if (coverage) {
        write_coverage(coverage);
    }
    if (dir) {
        number_rows();
        find_formats();
        write_header(dir);
        write_source(dir, diagram_plain(all));
        write_samples(dir);
    }
}
