/* isagen_set.c - isagen's sets of words: the decision diagram, predicates as sets, tiling, gaps.
 *
 * A Node is an index into nodes[]; equal functions have equal nodes.  isagen.c's head comment says
 * what a terminal is. Errors are found by overlay(): it sees each word that a row wants and
 * somebody else has.
 */
#include "isagen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENUM_BITS = 20 };

/* ---- the decision diagram -------------------------------------------------------------------- */

typedef struct {
    uint32_t level, lo, hi; /* a terminal: level LEVELS, lo = its number */
} NodeData;

typedef struct {
    uint32_t op, a, b;
    Node r;
} OpMemo;

enum {
    T_FALSE,
    T_TRUE,
    T_OUTSIDE,
    T_FIXED
};                               /* then one per file (not covered yet), then one per row */
enum { OP_AND = 1, OP_OVERLAY }; /* OP_OVERLAY + terminal */
enum { MEMO_SIZE = 1 << 18 };

static NodeData *nodes;
static uint32_t n_nodes;
static uint32_t *node_hash;
static uint32_t node_hash_size;
static OpMemo *memo;
static Node FALSE_, TRUE_;

static int level_bit(int level)
{
    if (level < LEVEL_L1) {
        return 31 - level;
    }
    if (level < LEVEL_L2) {
        return 15 - (level - LEVEL_L1);
    }
    if (level < LEVEL_L2 + 5) {
        return 20 - (level - LEVEL_L2);
    }
    return 9 - (level - LEVEL_L2 - 5);
}

static uint32_t hash3(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t h =
        (a * 0x9e3779b97f4a7c15u) ^ ((uint64_t)b * 0xc2b2ae3d27d4eb4fu + c * 0x165667b19e3779f9u);
    return (uint32_t)((h ^ h >> 29) * 0xbf58476d1ce4e5b9u >> 32);
}

static void node_rehash(void)
{
    node_hash_size = node_hash_size ? 2 * node_hash_size : 1 << 16;
    free(node_hash);
    node_hash = zalloc(node_hash_size * sizeof *node_hash);
    for (uint32_t n = 1; n < n_nodes; n++) {
        uint32_t h = hash3(nodes[n].level, nodes[n].lo, nodes[n].hi) & (node_hash_size - 1);
        while (node_hash[h]) {
            h = (h + 1) & (node_hash_size - 1);
        }
        node_hash[h] = n;
    }
}

static Node mk(uint32_t level, uint32_t lo, uint32_t hi)
{
    if (lo == hi && level < LEVELS) {
        return lo;
    }
    if (2 * n_nodes >= node_hash_size) {
        node_rehash();
    }
    uint32_t h = hash3(level, lo, hi) & (node_hash_size - 1);
    for (; node_hash[h]; h = (h + 1) & (node_hash_size - 1)) {
        const NodeData *d = &nodes[node_hash[h]];
        if (d->level == level && d->lo == lo && d->hi == hi) {
            return node_hash[h];
        }
    }
    nodes = grow(nodes, n_nodes, sizeof *nodes);
    nodes[n_nodes] = (NodeData){level, lo, hi};
    node_hash[h] = n_nodes;
    return n_nodes++;
}

static Node terminal(uint32_t number)
{
    return mk(LEVELS, number, number);
}

void diagram_init(void)
{
    memo = zalloc(MEMO_SIZE * sizeof *memo);
    nodes = grow(nodes, 0, sizeof *nodes);
    nodes[0] = (NodeData){LEVELS, UINT32_MAX, UINT32_MAX}; /* number 0 is no node */
    n_nodes = 1;
    FALSE_ = terminal(T_FALSE);
    TRUE_ = terminal(T_TRUE);
}

static bool is_terminal(Node n)
{
    return nodes[n].level == LEVELS;
}

static Node child(Node n, uint32_t level, int bit)
{
    return nodes[n].level != level ? n : bit ? nodes[n].hi : nodes[n].lo;
}

static OpMemo *memo_slot(uint32_t op, Node a, Node b)
{
    return &memo[hash3(op, a, b) & (MEMO_SIZE - 1)];
}

static Node bdd_and(Node a, Node b)
{
    if (a == FALSE_ || b == FALSE_) {
        return FALSE_;
    }
    if (a == TRUE_ || a == b) {
        return b;
    }
    if (b == TRUE_) {
        return a;
    }
    OpMemo *m = memo_slot(OP_AND, a, b);
    if (m->op == OP_AND && m->a == a && m->b == b) {
        return m->r;
    }
    uint32_t level = nodes[a].level < nodes[b].level ? nodes[a].level : nodes[b].level;
    Node lo = bdd_and(child(a, level, 0), child(b, level, 0));
    Node hi = bdd_and(child(a, level, 1), child(b, level, 1));
    Node r = mk(level, lo, hi);
    *m = (OpMemo){OP_AND, a, b, r};
    return r;
}

static Node bdd_not(Node a)
{
    if (is_terminal(a)) {
        return a == FALSE_ ? TRUE_ : FALSE_;
    }
    NodeData d = nodes[a];
    Node lo = bdd_not(d.lo);
    return mk(d.level, lo, bdd_not(d.hi));
}

static Node bdd_cube(uint32_t mask, uint32_t value)
{
    Node n = TRUE_;
    for (int level = LEVELS - 1; level >= 0; level--) {
        int bit = level_bit(level);
        if (mask >> bit & 1) {
            n = value >> bit & 1 ? mk(level, FALSE_, n) : mk(level, n, FALSE_);
        }
    }
    return n;
}

uint32_t set_word(Node n, uint32_t open)
{
    while (!is_terminal(n)) {
        uint32_t bit = 1u << level_bit(nodes[n].level);
        Node want = open & bit ? nodes[n].hi : nodes[n].lo;
        if (want == FALSE_) {
            open ^= bit;
            want = open & bit ? nodes[n].hi : nodes[n].lo;
        }
        n = want;
    }
    return open;
}

/* ---- sets of words --------------------------------------------------------------------------- */

static bool bitmask_ok(int64_t n, int64_t imms, int64_t sf)
{
    int64_t v = n << 6 | (~imms & 63);
    int len = 6;
    while (len >= 0 && !(v >> len & 1)) {
        len--;
    }
    int64_t levels = ((int64_t)1 << (len < 0 ? 0 : len)) - 1;
    return len >= 1 && (sf || !n) && (imms & levels) != levels;
}

/* v[i] = raw bits of field i */
static int64_t eval(const Expr *e, const Row *r, const uint32_t *v)
{
    int64_t a = e->a ? eval(e->a, r, v) : 0, b = e->b ? eval(e->b, r, v) : 0;
    switch (e->op) {
    case E_INT:
        return e->value;
    case E_FIELD: {
        const Field *f = &r->field[e->value];
        int64_t raw = v[e->value];
        return f->is_signed && raw >> (f->width - 1) & 1 ? raw - ((int64_t)1 << f->width) : raw;
    }
    case E_LET:
        return eval(r->let[e->value].e, r, v);
    case E_NOT:
        return !a;
    case E_AND:
        return a && b;
    case E_OR:
        return a || b;
    case E_EQ:
        return a == b;
    case E_NE:
        return a != b;
    case E_LT:
        return a < b;
    case E_LE:
        return a <= b;
    case E_GT:
        return a > b;
    case E_GE:
        return a >= b;
    case E_BITAND:
        return a & b;
    case E_SHL:
        return a * ((int64_t)1 << b);
    case E_ADD:
        return a + b;
    case E_SUB:
        return a - b;
    case E_CONCAT:
        return a << e->b->width | b;
    case E_SX:
        return a >> (e->a->width - 1) & 1 ? a - ((int64_t)1 << e->a->width) : a;
    case E_BITMASK_OK:
        return bitmask_ok(a, b, eval(e->c, r, v));
    }
    return 0;
}

static uint32_t expr_bits(const Expr *e, const Row *r)
{
    if (!e) {
        return 0;
    }
    if (e->op == E_FIELD) {
        const Field *f = &r->field[e->value];
        return ((1u << f->width) - 1) << f->pos;
    }
    return expr_bits(e->a, r) | expr_bits(e->b, r) | expr_bits(e->c, r);
}

/* Tries both values of every bit of `bits` from `level` on. */
static Node expr_enumerate(const Expr *e, const Row *r, uint32_t bits, uint32_t *v, int level)
{
    while (level < LEVELS && !(bits >> level_bit(level) & 1)) {
        level++;
    }
    if (level == LEVELS) {
        return eval(e, r, v) ? TRUE_ : FALSE_;
    }
    int bit = level_bit(level), i = 0;
    while (bit < r->field[i].pos || bit >= r->field[i].pos + r->field[i].width) {
        i++;
    }
    Node lo = expr_enumerate(e, r, bits, v, level + 1);
    v[i] ^= 1u << (bit - r->field[i].pos);
    Node hi = expr_enumerate(e, r, bits, v, level + 1);
    v[i] ^= 1u << (bit - r->field[i].pos);
    return mk(level, lo, hi);
}

static Node expr_set(const Expr *e, const Row *r)
{
    if (e->op == E_AND) {
        return bdd_and(expr_set(e->a, r), expr_set(e->b, r));
    }
    if (e->op == E_OR) {
        return bdd_not(bdd_and(bdd_not(expr_set(e->a, r)), bdd_not(expr_set(e->b, r))));
    }
    if (e->op == E_NOT) {
        return bdd_not(expr_set(e->a, r));
    }
    uint32_t v[MAX_FIELDS] = {0}, bits = expr_bits(e, r);
    if (__builtin_popcount(bits) > ENUM_BITS) {
        error_at(r->file, r->line, "comparison over more than %d bits", ENUM_BITS);
        return TRUE_;
    }
    return expr_enumerate(e, r, bits, v, 0);
}

static void row_set(Row *r)
{
    r->set = bdd_cube(r->mask, r->value);
    if (r->cond) {
        Node c = expr_set(r->cond, r);
        if (c == TRUE_ || c == FALSE_) {
            error_at(r->file, r->line, "the predicate is %s true", c == TRUE_ ? "always" : "never");
        }
        r->set = bdd_and(r->set, c);
    }
}

/* ---- laying rows over the diagram of all words ----------------------------------------------- */

static uint32_t file_terminal(int file)
{
    return T_FIXED + (uint32_t)file;
}

static uint32_t row_terminal(const Row *r)
{
    return T_FIXED + (uint32_t)n_files + (uint32_t)(r - rows);
}

static const Row *terminal_row(uint32_t t)
{
    return t >= T_FIXED + (uint32_t)n_files ? &rows[t - T_FIXED - (uint32_t)n_files] : NULL;
}

typedef struct {
    uint32_t to; /* the terminal that the words get */
    int file, line;
    const Row *row; /* NULL: a space */
    uint32_t clash; /* last terminal complained about */
    bool outside;   /* words outside the space were complained about */
} Layer;

/* What becomes of words that are `t` now; complains about `word`. */
static uint32_t overlay_terminal(Layer *l, uint32_t t, uint32_t word)
{
    const Row *other = terminal_row(t);
    if (!l->row) {
        if (t != T_OUTSIDE && t != l->clash) {
            int f = (int)(t - T_FIXED);
            error_at(l->file, l->line, "space overlaps one of %s, e.g. 0x%08" PRIx32, files[f].path,
                     word);
            l->clash = t;
        }
        return t == T_OUTSIDE ? l->to : t;
    }
    if (t == file_terminal(l->file)) {
        return l->to;
    }
    if (!other) {
        if (!l->outside) {
            error_at(l->file, l->line, "'%s' lies outside the file's space, e.g. 0x%08" PRIx32,
                     l->row->name, word);
            l->outside = true;
        }
    } else if (!(other->group && other->group == l->row->group) && t != l->clash) {
        error_at(l->file, l->line, "'%s' overlaps '%s' at %s:%d, e.g. 0x%08" PRIx32, l->row->name,
                 other->name, files[other->file].path, other->line, word);
        l->clash = t;
    }
    return t;
}

static Node overlay(Layer *l, Node all, Node set, uint32_t word)
{
    if (set == FALSE_) {
        return all;
    }
    if (is_terminal(all) && set == TRUE_) {
        return terminal(overlay_terminal(l, nodes[all].lo, word));
    }
    OpMemo *m = memo_slot(OP_OVERLAY + l->to, all, set);
    if (m->op == OP_OVERLAY + l->to && m->a == all && m->b == set) {
        return m->r;
    }
    uint32_t level = nodes[all].level < nodes[set].level ? nodes[all].level : nodes[set].level;
    Node lo = overlay(l, child(all, level, 0), child(set, level, 0), word);
    Node hi =
        overlay(l, child(all, level, 1), child(set, level, 1), word | 1u << level_bit((int)level));
    Node r = mk(level, lo, hi);
    *m = (OpMemo){OP_OVERLAY + l->to, all, set, r};
    return r;
}

/* In a group an earlier row takes the words from a later one. */
static void group_cut(int first, int end)
{
    Node before = FALSE_;
    for (int i = first; i < end; i++) {
        Node mine = rows[i].set;
        rows[i].set = bdd_and(mine, bdd_not(before));
        before = bdd_not(bdd_and(bdd_not(before), bdd_not(mine)));
        if (rows[i].set == FALSE_ && mine != FALSE_) {
            error_at(rows[i].file, rows[i].line, "'%s' is never reached in its group",
                     rows[i].name);
        }
    }
}

Node overlay_rows(Node all)
{
    for (int i = 0; i < n_rows; i++) {
        row_set(&rows[i]);
        Layer l = {row_terminal(&rows[i]), rows[i].file, rows[i].line, &rows[i], 0, false};
        all = overlay(&l, all, rows[i].set, 0);
    }
    for (int i = 0, end; i < n_rows; i = end) {
        for (end = i + 1; end < n_rows && rows[i].group && rows[end].group == rows[i].group;) {
            end++;
        }
        group_cut(i, end);
    }
    return all;
}

/* The number of words under each terminal: every node gets half of its parents' words. */
static uint64_t *count_words(Node all)
{
    uint64_t *weight = zalloc((size_t)n_nodes * sizeof *weight);
    uint64_t *words = zalloc((size_t)(T_FIXED + n_files + n_rows) * sizeof *words);
    weight[all] = (uint64_t)1 << 32;
    for (Node n = n_nodes - 1; n > 0; n--) {
        if (weight[n] && is_terminal(n)) {
            words[nodes[n].lo] = weight[n];
        } else if (weight[n]) {
            weight[nodes[n].lo] += weight[n] / 2;
            weight[nodes[n].hi] += weight[n] / 2;
        }
    }
    free(weight);
    return words;
}

/* ---- gaps ------------------------------------------------------------------------------------ */

typedef struct {
    uint32_t mask, value;
} Cube;

static Cube *gap;
static size_t n_gaps;

static void gap_find(Node n, uint32_t t, Cube c)
{
    if (n_gaps > 4096) {
        return;
    }
    if (is_terminal(n)) {
        if (nodes[n].lo == t) {
            gap = grow(gap, n_gaps, sizeof *gap);
            gap[n_gaps++] = c;
        }
        return;
    }
    uint32_t bit = 1u << level_bit((int)nodes[n].level);
    gap_find(nodes[n].lo, t, (Cube){c.mask | bit, c.value});
    gap_find(nodes[n].hi, t, (Cube){c.mask | bit, c.value | bit});
}

static int gap_order(const void *a, const void *b)
{
    const Cube *x = a, *y = b;
    int d = __builtin_popcount(x->mask) - __builtin_popcount(y->mask);
    return d ? d : x->value < y->value ? -1 : x->value > y->value;
}

/* Lists what is not covered, in the form in which a hole is written. */
static void gap_report(Node all, uint32_t t, const char *path)
{
    enum { SHOWN = 12 };
    n_gaps = 0;
    gap_find(all, t, (Cube){0, 0});
    qsort(gap, n_gaps, sizeof *gap, gap_order);
    for (size_t i = 0; i < n_gaps && i < SHOWN; i++) {
        char text[33] = {0};
        for (int b = 0; b < 32; b++) {
            uint32_t bit = 0x80000000u >> b;
            text[b] = gap[i].mask & bit ? gap[i].value & bit ? '1' : '0' : '-';
        }
        fprintf(stderr, "%s: not covered: %s\n", path, text);
    }
    if (n_gaps > SHOWN) {
        fprintf(stderr, "%s: not covered: and %zu more\n", path, n_gaps - SHOWN);
    }
}

static Node last_word(Node all, uint32_t t)
{
    n_gaps = 0;
    gap_find(all, t, (Cube){0, 0});
    return n_gaps ? gap[0].value : 0;
}

void check_cover(Node all, bool whole)
{
    uint64_t *words = count_words(all);
    for (int i = 0; i < n_rows; i++) {
        Row *r = &rows[i];
        r->words = words[row_terminal(r)];
        files[r->file].rows += !r->hole;
        *(r->hole ? &files[r->file].holes : &files[r->file].allocated) += r->words;
    }
    for (int f = 0; f < n_files; f++) {
        uint64_t open = words[file_terminal(f)];
        files[f].words = files[f].allocated + files[f].holes + open;
        if (files[f].rest_line) {
            files[f].swallowed = open;
        } else if (open) {
            error_at(f, files[f].first_line,
                     "%" PRIu64 " words of the space are not covered, e.g. 0x%08" PRIx32, open,
                     last_word(all, file_terminal(f)));
            gap_report(all, file_terminal(f), files[f].path);
        }
    }
    if (whole && words[T_OUTSIDE]) {
        fprintf(stderr, "isagen: %" PRIu64 " words are in no space, e.g. 0x%08" PRIx32 "\n",
                words[T_OUTSIDE], last_word(all, T_OUTSIDE));
        gap_report(all, T_OUTSIDE, "isagen");
        n_errors++;
    }
    free(words);
}

/* ---- what the writers see -------------------------------------------------------------------- */

Node diagram_outside(void)
{
    return terminal(T_OUTSIDE);
}

Node space_add(Node all, int file, int line, uint32_t mask, uint32_t value)
{
    Layer l = {.to = file_terminal(file), .file = file, .line = line};
    return overlay(&l, all, bdd_cube(mask, value), 0);
}

bool node_is_terminal(Node n)
{
    return is_terminal(n);
}

int node_bit(Node n)
{
    return level_bit((int)nodes[n].level);
}

int node_level(Node n)
{
    return (int)nodes[n].level;
}

Node node_child(Node n, bool bit)
{
    return bit ? nodes[n].hi : nodes[n].lo;
}

const Row *node_row(Node n)
{
    const Row *r = terminal_row(nodes[n].lo);
    return r && !r->hole ? r : NULL;
}

static Node *plain_memo;

static Node plain(Node n)
{
    if (is_terminal(n)) {
        return node_row(n) ? n : terminal(T_OUTSIDE);
    }
    if (!plain_memo[n]) {
        NodeData d = nodes[n];
        Node lo = plain(d.lo);
        plain_memo[n] = mk(d.level, lo, plain(d.hi));
    }
    return plain_memo[n];
}

Node diagram_plain(Node all)
{
    plain_memo = zalloc((size_t)n_nodes * sizeof *plain_memo);
    Node n = plain(all);
    free(plain_memo);
    return n;
}

Node set_limit(Node set, uint32_t mask, uint32_t value)
{
    return bdd_and(set, bdd_cube(mask, value));
}

bool set_empty(Node set)
{
    return set == FALSE_;
}

void word_report(Node all, uint32_t word)
{
    Node n = all;
    while (!is_terminal(n)) {
        n = node_child(n, word >> node_bit(n) & 1);
    }
    const Row *r = terminal_row(nodes[n].lo);
    if (r) {
        printf("0x%08" PRIx32 ": %s at %s:%d\n", word, r->name, files[r->file].path, r->line);
    } else {
        printf("0x%08" PRIx32 ": %s\n", word,
               nodes[n].lo == T_OUTSIDE ? "in no space" : "not covered by a row");
    }
}
