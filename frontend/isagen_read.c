/* isagen_read.c - isagen's reader: .isa text to rows.
 *
 * One line is one Lex: errors set its `bad`, the rest of the line is then read without further
 * messages and the row is dropped.  Expressions are read by descent, loosest first: or, and,
 * comparison, << &, + -, concatenation, primary. Each expression knows the range of its values, so
 * that `let` can refuse what does not fit an int32_t.
 */
#define _POSIX_C_SOURCE 200809L
#include "isagen.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The source line being read. */
typedef struct {
    int file, line;
    const char *p;
    bool bad;
    Row *row;
    bool lets_ok; /* names of derived fields may stand in this expression */
} Lex;

/* ---- expressions ----------------------------------------------------------------------------- */

static void lex_error(Lex *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void lex_error(Lex *x, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    if (!x->bad) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        error_at(x->file, x->line, "%s", text);
    }
    x->bad = true;
}

static void skip_blanks(Lex *x)
{
    while (*x->p == ' ' || *x->p == '\t') {
        x->p++;
    }
}

static bool at_end(Lex *x)
{
    skip_blanks(x);
    return *x->p == '\0';
}

static size_t ident_len(const char *p)
{
    size_t n = 0;
    if (isalpha((unsigned char)*p) || *p == '_') {
        while (isalnum((unsigned char)p[n]) || p[n] == '_') {
            n++;
        }
    }
    return n;
}

static bool next_is(Lex *x, const char *s)
{
    skip_blanks(x);
    size_t n = strlen(s);
    return strncmp(x->p, s, n) == 0 && (!ident_len(s) || ident_len(x->p) == n);
}

/* Takes the symbol or the word `s` if it comes next. */
static bool take(Lex *x, const char *s)
{
    bool ok = next_is(x, s);
    x->p += ok ? strlen(s) : 0;
    return ok;
}

static void want(Lex *x, const char *s)
{
    if (!take(x, s)) {
        lex_error(x, "'%s' wanted at '%.20s'", s, x->p);
    }
}

static char *take_ident(Lex *x)
{
    skip_blanks(x);
    size_t n = ident_len(x->p);
    if (!n) {
        lex_error(x, "name wanted at '%.20s'", x->p);
        return text_dup("", 0);
    }
    x->p += n;
    return text_dup(x->p - n, n);
}

static int64_t take_int(Lex *x, int *width)
{
    bool minus = take(x, "-");
    int base = take(x, "0b") ? 2 : strncmp(x->p, "0x", 2) == 0 ? 16 : 10;
    const char *start = x->p;
    char *end;
    int64_t v = strtoll(start, &end, base);
    skip_blanks(x);
    if (end == start || !isdigit((unsigned char)(base == 2 ? '0' : *start))) {
        lex_error(x, "number wanted at '%.20s'", start);
    }
    if (width) {
        *width = base == 2 ? (int)(end - start) : base == 16 ? 4 * (int)(end - start - 2) : 0;
    }
    x->p = end;
    return minus ? -v : v;
}

static Expr *expr_new(ExprOp op, Expr *a, Expr *b, Expr *c)
{
    Expr *e = zalloc(sizeof *e);
    e->op = op, e->a = a, e->b = b, e->c = c;
    e->hi = 1;
    return e;
}

static int field_find(const Row *r, const char *name)
{
    for (int i = 0; i < r->fields; i++) {
        if (strcmp(r->field[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int let_find(const Row *r, const char *name)
{
    for (int i = 0; i < r->lets; i++) {
        if (strcmp(r->let[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static Expr *expr_name(Lex *x)
{
    char *name = take_ident(x);
    int i = field_find(x->row, name), l = let_find(x->row, name);
    if (i >= 0) {
        const Field *f = &x->row->field[i];
        Expr *e = expr_new(E_FIELD, NULL, NULL, NULL);
        e->value = i;
        e->width = f->is_signed ? 0 : f->width;
        e->lo = f->is_signed ? -((int64_t)1 << (f->width - 1)) : 0;
        e->hi = ((int64_t)1 << (f->width - f->is_signed)) - 1;
        return e;
    }
    if (l >= 0 && x->lets_ok) {
        Expr *e = expr_new(E_LET, NULL, NULL, NULL);
        e->value = l;
        e->lo = x->row->let[l].e->lo;
        e->hi = x->row->let[l].e->hi;
        return e;
    }
    lex_error(x, "'%s' is no field of this row", name);
    return expr_new(E_INT, NULL, NULL, NULL);
}

static Expr *expr_or(Lex *x);

static Expr *expr_primary(Lex *x)
{
    if (take(x, "(")) {
        Expr *e = expr_or(x);
        want(x, ")");
        return e;
    }
    if (take(x, "!")) {
        return expr_new(E_NOT, expr_primary(x), NULL, NULL);
    }
    if (take(x, "bitmask_ok")) {
        Expr *e = expr_new(E_BITMASK_OK, NULL, NULL, NULL);
        want(x, "(");
        e->a = expr_or(x);
        want(x, ",");
        e->b = expr_or(x);
        want(x, ",");
        e->c = expr_or(x);
        want(x, ")");
        return e;
    }
    if (take(x, "sx")) {
        want(x, "(");
        Expr *e = expr_new(E_SX, expr_or(x), NULL, NULL);
        want(x, ")");
        if (!e->a->width) {
            lex_error(x, "sx() of something without a width");
        } else {
            e->hi = ((int64_t)1 << (e->a->width - 1)) - 1;
            e->lo = -e->hi - 1;
        }
        return e;
    }
    skip_blanks(x);
    if (isdigit((unsigned char)*x->p) || *x->p == '-') {
        Expr *e = expr_new(E_INT, NULL, NULL, NULL);
        e->lo = e->hi = e->value = take_int(x, &e->width);
        return e;
    }
    return expr_name(x);
}

static Expr *expr_concat(Lex *x)
{
    Expr *e = expr_primary(x);
    while (take(x, ":")) {
        e = expr_new(E_CONCAT, e, expr_primary(x), NULL);
        if (!e->a->width || !e->b->width) {
            lex_error(x, "concatenation of something without a width");
        }
        e->width = e->a->width + e->b->width;
        e->hi = e->width < 63 ? ((int64_t)1 << e->width) - 1 : INT64_MAX;
    }
    return e;
}

static Expr *expr_sum(Lex *x)
{
    Expr *e = expr_concat(x);
    for (;;) {
        if (take(x, "+")) {
            e = expr_new(E_ADD, e, expr_concat(x), NULL);
            e->lo = e->a->lo + e->b->lo;
            e->hi = e->a->hi + e->b->hi;
        } else if (take(x, "-")) {
            e = expr_new(E_SUB, e, expr_concat(x), NULL);
            e->lo = e->a->lo - e->b->hi;
            e->hi = e->a->hi - e->b->lo;
        } else {
            return e;
        }
    }
}

static Expr *expr_bitand(Lex *x)
{
    Expr *e = expr_sum(x);
    for (;;) {
        if (take(x, "<<")) {
            e = expr_new(E_SHL, e, expr_sum(x), NULL);
            if (e->b->lo < 0 || e->b->hi > 31) {
                lex_error(x, "shift by more than 31");
            } else {
                e->lo = e->a->lo < 0 ? e->a->lo * (1ll << e->b->hi) : 0;
                e->hi = e->a->hi * (1ll << e->b->hi);
            }
        } else if (take(x, "&")) {
            e = expr_new(E_BITAND, e, expr_sum(x), NULL);
            e->hi = e->a->hi > e->b->hi ? e->a->hi : e->b->hi;
            e->lo = e->a->lo < 0 && e->b->lo < 0 ? (e->a->lo < e->b->lo ? e->a->lo : e->b->lo) : 0;
        } else {
            return e;
        }
    }
}

static Expr *expr_compare(Lex *x)
{
    static const struct {
        const char *text;
        ExprOp op;
    } ops[] = {{"==", E_EQ}, {"!=", E_NE}, {"<=", E_LE}, {">=", E_GE}, {"<", E_LT}, {">", E_GT}};
    Expr *e = expr_bitand(x);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (take(x, ops[i].text)) {
            return expr_new(ops[i].op, e, expr_bitand(x), NULL);
        }
    }
    return e;
}

static Expr *expr_and(Lex *x)
{
    Expr *e = expr_compare(x);
    while (take(x, "and")) {
        e = expr_new(E_AND, e, expr_compare(x), NULL);
    }
    return e;
}

static Expr *expr_or(Lex *x)
{
    Expr *e = expr_and(x);
    while (take(x, "or")) {
        e = expr_new(E_OR, e, expr_and(x), NULL);
    }
    return e;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool name_reserved(const char *s)
{
    static const char *const words[] = {
        "word",   "row",     "unpred",     "if",    "feat",   "features", "and",      "or",
        "sx",     "rest",    "bitmask_ok", "int",   "for",    "do",       "long",     "short",
        "case",   "char",    "else",       "enum",  "auto",   "signed",   "unsigned", "static",
        "switch", "default", "register",   "union", "struct", "void",     "while",    "const"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(s, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void piece_field(Lex *x, int *left)
{
    Row *r = x->row;
    Field f = {.name = take_ident(x)};
    want(x, ":");
    f.is_signed = *x->p == 's';
    x->p += f.is_signed;
    f.width = (int)take_int(x, NULL);
    if (x->bad) {
        return;
    }
    if (field_find(r, f.name) >= 0) {
        lex_error(x, "field '%s' occurs twice in the row", f.name);
    } else if (name_reserved(f.name)) {
        lex_error(x, "'%s' cannot be a field's name", f.name);
    } else if (f.width < 1 || f.width > 31) {
        lex_error(x, "field '%s' must be 1 to 31 bits wide", f.name);
    } else if (r->fields == MAX_FIELDS) {
        lex_error(x, "more than %d fields in the row", MAX_FIELDS);
    } else if (f.width <= *left) {
        f.pos = *left - f.width;
        r->field[r->fields++] = f;
    }
    *left -= f.width;
}

/* The 32 bits of a row, a hole or (fields_ok false) a space. */
static void parse_pieces(Lex *x, bool fields_ok)
{
    Row *r = x->row;
    int left = 32;
    while (!x->bad && !at_end(x) && !next_is(x, "if") && !next_is(x, "feat")) {
        char c = *x->p;
        bool should = c == '(' && fields_ok && (x->p[1] == '0' || x->p[1] == '1') && x->p[2] == ')';
        uint32_t bit = left > 0 ? 1u << (left - 1) : 0;
        if (should) {
            r->should |= bit;
            r->should_to |= x->p[1] == '1' ? bit : 0;
            x->p += 3;
            left--;
        } else if (c == '0' || c == '1' || c == '-') {
            r->mask |= c != '-' ? bit : 0;
            r->value |= c == '1' ? bit : 0;
            x->p++;
            left--;
        } else if (fields_ok && ident_len(x->p)) {
            piece_field(x, &left);
        } else {
            lex_error(x, "bits wanted at '%.20s'", x->p);
        }
    }
    if (!x->bad && left != 0) {
        lex_error(x, "%d bits, 32 wanted", 32 - left);
    }
}

static int feat_index(Lex *x, char *name)
{
    for (int i = 0; i < n_feats; i++) {
        if (strcmp(feats[i], name) == 0) {
            return i;
        }
    }
    if (n_feats == MAX_FEATS) {
        lex_error(x, "more than %d features", MAX_FEATS);
        return 0;
    }
    feats[n_feats] = name;
    return n_feats++;
}

static void parse_row(Lex *x, int group)
{
    rows = grow(rows, (size_t)n_rows, sizeof *rows);
    Row *r = x->row = &rows[n_rows];
    *r = (Row){.file = x->file, .line = x->line, .group = group};
    skip_blanks(x);
    size_t n = ident_len(x->p);
    for (size_t i = 0; i < n; i++) {
        n = isupper((unsigned char)x->p[i]) ? 0 : n;
    }
    if (!n || !isblank((unsigned char)x->p[n])) {
        lex_error(x, "a row's name (lower case) wanted at '%.20s'", x->p);
        return;
    }
    r->name = take_ident(x);
    r->hole = strcmp(r->name, "hole") == 0;
    parse_pieces(x, true);
    if (!x->bad && take(x, "if")) {
        r->cond = expr_or(x);
    }
    if (!x->bad && take(x, "feat")) {
        do {
            int i = feat_index(x, take_ident(x));
            r->feat[i / 64] |= (uint64_t)1 << i % 64;
        } while (take(x, ","));
        if (r->hole) {
            lex_error(x, "a hole has no features");
        }
    }
    if (!x->bad && !at_end(x)) {
        lex_error(x, "'%.20s' not understood", x->p);
    }
    for (int i = 0; i < n_rows && !r->hole; i++) {
        if (strcmp(rows[i].name, r->name) == 0) {
            lex_error(x, "row '%s' is already at %s:%d", r->name, files[rows[i].file].path,
                      rows[i].line);
        }
    }
    if (!x->bad) {
        r->mnem = text_dup(r->name, strcspn(r->name, "_"));
        n_rows++;
    }
}

static void attr_tr(Lex *x)
{
    Row *r = x->row;
    if (r->tr) {
        lex_error(x, "second tr line");
    }
    r->tr = take_ident(x);
    if (take(x, "(")) {
        size_t n = strlen(x->p);
        while (n && isblank((unsigned char)x->p[n - 1])) {
            n--;
        }
        if (n < 2 || x->p[n - 1] != ')') {
            lex_error(x, "')' wanted at the end of the tr line");
            return;
        }
        r->k = text_dup(x->p, n - 1);
        x->p += n;
    }
}

static void attr_let(Lex *x)
{
    Row *r = x->row;
    char *name = take_ident(x);
    want(x, "=");
    x->lets_ok = true;
    Expr *e = expr_or(x);
    if (field_find(r, name) >= 0 || let_find(r, name) >= 0 || name_reserved(name)) {
        lex_error(x, "'%s' cannot be a derived field's name here", name);
    } else if (e->lo < INT32_MIN || e->hi > INT32_MAX) {
        lex_error(x, "'%s' does not fit 32 bits", name);
    } else if (r->lets == MAX_LETS) {
        lex_error(x, "more than %d derived fields", MAX_LETS);
    } else if (!x->bad) {
        r->let[r->lets++] = (Let){name, e};
    }
}

static void attr_sample(Lex *x)
{
    Row *r = x->row;
    char *name = take_ident(x);
    int f = field_find(r, name);
    if (f < 0) {
        lex_error(x, "'%s' is no field of this row", name);
    }
    while (!x->bad && !at_end(x)) {
        int64_t v = take_int(x, NULL), most = (int64_t)1 << r->field[f].width;
        if (v >= most || v < -most / 2) {
            lex_error(x, "value does not fit field '%s'", name);
        } else if (r->samples == MAX_SAMPLES) {
            lex_error(x, "more than %d sample values", MAX_SAMPLES);
        } else {
            r->sample[r->samples++] = (Sample){f, v & (most - 1)};
        }
    }
}

static void parse_attr(Lex *x)
{
    if (take(x, "tr")) {
        attr_tr(x);
    } else if (take(x, "unpred")) {
        x->lets_ok = true;
        Expr *e = expr_or(x);
        x->row->unpred = x->row->unpred ? expr_new(E_OR, x->row->unpred, e, NULL) : e;
    } else if (take(x, "let")) {
        attr_let(x);
    } else if (take(x, "mnem")) {
        skip_blanks(x);
        size_t n = strcspn(x->p, " \t");
        x->row->mnem = text_dup(x->p, n);
        x->p += n;
        if (!n) {
            lex_error(x, "mnem line without text");
        }
    } else if (take(x, "sample")) {
        attr_sample(x);
    } else {
        lex_error(x, "attribute '%.20s' not understood", x->p);
    }
    if (!x->bad && !at_end(x)) {
        lex_error(x, "'%.20s' not understood", x->p);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct {
    Lex x;
    int group, groups; /* the open group or 0; how many there were */
    int group_line;
    bool group_done; /* "hole rest" ended the group */
    bool row_open;   /* attributes may follow */
} Reader;

static Node read_space(Reader *rd, Node all)
{
    Row r = {0};
    Lex *x = &rd->x;
    File *f = &files[x->file];
    x->row = &r;
    skip_blanks(x);
    char *name = ident_len(x->p) ? take_ident(x) : NULL;
    parse_pieces(x, false);
    if (!x->bad && !at_end(x)) {
        lex_error(x, "'%.20s' not understood", x->p);
    }
    if (x->bad) {
        return all;
    }
    if (!f->first_line) {
        f->first_line = x->line;
        f->name = name;
    }
    return space_add(all, x->file, x->line, r.mask, r.value);
}

static void read_brace(Reader *rd, bool open)
{
    if (!at_end(&rd->x)) {
        lex_error(&rd->x, "a brace stands alone on its line");
    } else if (open && rd->group) {
        lex_error(&rd->x, "groups do not nest");
    } else if (!open && !rd->group) {
        lex_error(&rd->x, "'}' without '{'");
    }
    rd->group = open ? ++rd->groups : 0;
    rd->group_line = rd->x.line;
    rd->group_done = false;
}

static void read_rest(Reader *rd)
{
    File *f = &files[rd->x.file];
    if (f->rest_line) {
        lex_error(&rd->x, "second 'hole rest' in the file");
    }
    f->rest_line = rd->x.line;
    rd->group_done = true;
}

static Node read_line(Reader *rd, Node all)
{
    Lex *x = &rd->x;
    bool indented = isblank((unsigned char)*x->p);
    if (at_end(x)) {
        return all;
    }
    const char *start = x->p;
    bool brace = *x->p == '{' || *x->p == '}';
    if (indented && !brace) {
        if (!rd->row_open) {
            lex_error(x, "attribute without a row");
        } else {
            x->row = &rows[n_rows - 1];
            parse_attr(x);
        }
        return all;
    }
    rd->row_open = false;
    if (take(x, "space")) {
        return read_space(rd, all);
    }
    if (take(x, "features")) { /* CPU features that no row needs, but that models and translators
                                  name */
        while (!x->bad && !at_end(x)) {
            feat_index(x, take_ident(x));
        }
        return all;
    }
    if (!files[x->file].first_line) {
        lex_error(x, "no space line before this one");
    } else if (take(x, "{")) {
        read_brace(rd, true);
    } else if (take(x, "}")) {
        read_brace(rd, false);
    } else if (rd->group_done) {
        lex_error(x, "'hole rest' must be the last line of its group or file");
    } else if (take(x, "hole") && take(x, "rest") && at_end(x)) {
        read_rest(rd);
    } else {
        x->p = start;
        int before = n_rows;
        parse_row(x, rd->group);
        rd->row_open = n_rows > before && !rows[n_rows - 1].hole;
    }
    return all;
}

Node read_file(int file, Node all, int *groups)
{
    FILE *f = fopen(files[file].path, "r");
    if (!f) {
        error_at(file, 0, "cannot be opened");
        return all;
    }
    Reader rd = {.groups = *groups};
    char *line = NULL;
    size_t size = 0;
    for (int n = 1; getline(&line, &size, f) >= 0; n++) {
        line[strcspn(line, "#\r\n")] = '\0';
        rd.x = (Lex){.file = file, .line = n, .p = line};
        all = read_line(&rd, all);
    }
    if (rd.group) {
        error_at(file, rd.group_line, "group without '}'");
    }
    if (!files[file].first_line) {
        error_at(file, 1, "no space line");
    }
    free(line);
    fclose(f);
    *groups = rd.groups;
    return all;
}
