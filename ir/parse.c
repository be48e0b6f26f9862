/* parse.c - regions from text (text.h describes the form).
 *
 * Tests and bisected regions are written in it. The parser checks form and names; whether the region makes
 * sense is ir_verify()'s question. The caller gives r->ins and r->cap. Labels are numbers below MAX_LABEL.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

enum { MAX_LABEL = 8192, MAX_TOKEN = 64 };

typedef struct Parse {
    const char *p;   /* where the text is read */
    const char *end; /* end of the line */
    unsigned line;
    IrRegion *r;
    const IrSlot *slots;
    const IrHelper *helpers;
    unsigned nslots, nhelpers;
    IrRef labels[MAX_LABEL]; /* 0 = not made */
    char token[MAX_TOKEN];
    char *err;
    size_t errsize;
} Parse;

static bool PRINTF_LIKE(2, 3) fail(Parse *p, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(p->err, p->errsize, "line %u: ", p->line);
    va_start(ap, fmt);
    if (n >= 0 && (size_t)n < p->errsize) {
        vsnprintf(p->err + n, p->errsize - (size_t)n, fmt, ap);
    }
    va_end(ap);
    return false;
}

static void skip_blanks(Parse *p)
{
    while (p->p < p->end && isspace((unsigned char)*p->p)) {
        p->p++;
    }
}

static bool accept(Parse *p, char c)
{
    skip_blanks(p);
    if (p->p < p->end && *p->p == c) {
        p->p++;
        return true;
    }
    return false;
}

/* A word of letters, digits and underscores in p->token; "" when there is none. */
static const char *word(Parse *p)
{
    unsigned n = 0;
    skip_blanks(p);
    while (p->p < p->end && (isalnum((unsigned char)*p->p) || *p->p == '_') && n + 1 < MAX_TOKEN) {
        p->token[n++] = *p->p++;
    }
    p->token[n] = 0;
    return p->token;
}

static bool number(Parse *p, uint64_t *v)
{
    bool minus = accept(p, '-');
    const char *w = word(p);
    char *stop;
    *v = strtoull(w, &stop, 0);
    if (!*w || *stop) {
        return fail(p, "a number is missing at '%s'", w);
    }
    *v = minus ? 0 - *v : *v;
    return true;
}

static int find(const char *const *names, const char *w)
{
    for (int i = 0; names && names[i]; i++) {
        if (!strcmp(names[i], w)) {
            return i;
        }
    }
    return -1;
}

static int find_op(const char *w)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (!strcmp(ir_ops[i].name, w)) {
            return i;
        }
    }
    return -1;
}

/* %label, or - for none. */
static bool parse_ref(Parse *p, IrRef *r)
{
    uint64_t n;
    *r = 0;
    if (accept(p, '-')) {
        return true;
    }
    if (!accept(p, '%') || !number(p, &n)) {
        return fail(p, "an operand is missing");
    }
    if (n >= MAX_LABEL || !p->labels[n]) {
        return fail(p, "%%%u is not made before", (unsigned)n);
    }
    *r = p->labels[n];
    return true;
}

static bool parse_const(Parse *p, IrIns *i)
{
    uint64_t v;
    if (!number(p, &v)) {
        return false;
    }
    i->b = (IrRef)v;
    i->c = (IrRef)(v >> 32);
    return true;
}

static bool parse_block(Parse *p, IrRef *block)
{
    uint64_t n;
    if (!accept(p, '@') || !number(p, &n)) {
        return fail(p, "a block is missing");
    }
    *block = (IrRef)n;
    return true;
}

static bool parse_suffixes(Parse *p, IrIns *i)
{
    i->ty = (uint8_t)text_default_type(i->op);
    while (accept(p, '.')) {
        const char *w = word(p);
        int ty = find(text_types, w), elem = text_x_is_elem(i->op) ? find(text_elems, w) : -1;
        if (elem >= 0) {
            i->x = (uint8_t)elem;
        } else if (ty >= 0) {
            i->ty = (uint8_t)ty;
        } else {
            return fail(p, "'%s' is neither type nor element", w);
        }
    }
    if (text_x_follows_type(i->op)) {
        i->x = (uint8_t)ir_fp_elem((IrType)i->ty);
    }
    return true;
}

static bool parse_name(Parse *p, IrIns *i)
{
    const char *w = word(p);
    if (text_form(i->op) == FORM_SLOT) {
        for (unsigned s = 0; s < p->nslots; s++) {
            if (!strcmp(p->slots[s].name, w)) {
                i->x = (uint8_t)s;
                return true;
            }
        }
        return fail(p, "there is no slot '%s'", w);
    }
    for (unsigned h = 0; h < p->nhelpers; h++) {
        if (!strcmp(p->helpers[h].name, w)) {
            i->imm = (int32_t)h;
            return true;
        }
    }
    return fail(p, "there is no helper '%s'", w);
}

/* Refs, constant or blocks, as the op's form says. */
static bool parse_operands(Parse *p, IrIns *i)
{
    TextForm form = text_form(i->op);
    IrRef *refs[3] = {&i->a, &i->b, &i->c}, block = 0;
    bool comma = form == FORM_SLOT;
    if ((form == FORM_SLOT || form == FORM_CALL) && !parse_name(p, i)) {
        return false;
    }
    for (unsigned k = 0; k < 3; k++) {
        bool has = i->op == OP_call ? p->helpers[i->imm].args[k] != TY_NONE
                                    : ir_ops[i->op].sig[2 + k] != '.';
        if (!has) {
            continue;
        }
        if ((comma && !accept(p, ',')) || !parse_ref(p, refs[k])) {
            return fail(p, "%s has more operands", ir_ops[i->op].name);
        }
        comma = true;
    }
    switch (form) {
    case FORM_CONST:
        return (!comma || accept(p, ',')) ? parse_const(p, i) : fail(p, "a constant is missing");
    case FORM_JUMP:
        if (!parse_block(p, &block)) {
            return false;
        }
        i->imm = (int32_t)block;
        return true;
    case FORM_BRANCH:
        return accept(p, ',') && parse_block(p, &i->b) && accept(p, ',') && parse_block(p, &i->c);
    default:
        return true;
    }
}

static bool parse_fields(Parse *p, IrIns *i)
{
    for (skip_blanks(p); p->p < p->end; skip_blanks(p)) {
        char field = *word(p);
        uint64_t v;
        if (!field || !strchr("xyi", field) || !accept(p, '=')) {
            return fail(p, "more than an operation");
        }
        const char *before = p->p;
        int named = find(text_names(i->op, field), word(p));
        if (named >= 0) {
            v = (uint64_t)named;
        } else {
            p->p = before;
            if (!number(p, &v)) {
                return false;
            }
        }
        if (field == 'i') {
            i->imm = (int32_t)v;
        } else {
            *(field == 'x' ? &i->x : &i->y) = (uint8_t)v;
        }
    }
    return true;
}

static bool append(Parse *p, IrIns i)
{
    if (p->r->n >= p->r->cap) {
        return fail(p, "the region is full");
    }
    if (!p->r->nblocks) {
        p->r->blocks[0].first = p->r->n;
        p->r->nblocks = 1;
    }
    p->r->ins[p->r->n++] = i;
    p->r->blocks[p->r->nblocks - 1].end = p->r->n;
    return true;
}

/* [%label =] op[.suffix] operands fields */
static bool parse_op(Parse *p)
{
    IrIns i = {0}, hi = {.op = OP_v_const_hi};
    uint64_t label = 0;
    if (accept(p, '%') && (!number(p, &label) || label >= MAX_LABEL || !accept(p, '='))) {
        return fail(p, "no label before '='");
    }
    int op = find_op(word(p));
    if (op < 0) {
        return fail(p, "there is no operation '%s'", p->token);
    }
    i.op = (uint8_t)op;
    if (!parse_suffixes(p, &i) || !parse_operands(p, &i)) {
        return false;
    }
    if (op == OP_v_const && (!accept(p, ',') || !parse_const(p, &hi))) {
        return fail(p, "v_const has two halves");
    }
    IrRef at = p->r->n;
    if (!parse_fields(p, &i) || !append(p, i) || (op == OP_v_const && !append(p, hi))) {
        return false;
    }
    if (label) {
        p->labels[label] = at;
    }
    return true;
}

static bool parse_header(Parse *p)
{
    for (skip_blanks(p); p->p < p->end; skip_blanks(p)) {
        uint64_t v;
        char which = *word(p);
        if (!which || !strchr("pkbi", which) || !accept(p, '=') || !number(p, &v)) {
            return fail(p, "a region has pc=, key=, bytes=, insns=");
        }
        switch (which) {
        case 'p':
            p->r->pc = gva(v);
            break;
        case 'k':
            p->r->key = v;
            break;
        case 'b':
            p->r->nbytes = (uint32_t)v;
            break;
        default:
            p->r->ninsns = (uint32_t)v;
        }
    }
    return true;
}

static bool parse_line(Parse *p)
{
    const char *start = p->p;
    uint64_t n;
    const char *w = word(p);
    if (!strcmp(w, "region")) {
        return parse_header(p);
    }
    if (!strcmp(w, "block")) {
        if (!number(p, &n) || n != p->r->nblocks || n >= LEN(p->r->blocks)) {
            return fail(p, "blocks are numbered from 0");
        }
        p->r->blocks[n] = (IrBlock){p->r->n, p->r->n};
        p->r->nblocks++;
        return true;
    }
    p->p = start;
    return parse_op(p);
}

int ir_parse(const char *text, IrRegion *r, const IrSlot *slots, unsigned nslots,
             const IrHelper *helpers, unsigned nhelpers, char *err, size_t errsize)
{
    Parse p = {.p = text,
               .r = r,
               .slots = slots,
               .helpers = helpers,
               .nslots = nslots,
               .nhelpers = nhelpers,
               .err = err,
               .errsize = errsize};
    r->n = 0;
    r->nblocks = 0;
    r->pc = gva(0);
    r->key = 0;
    r->nbytes = r->ninsns = 0;
    if (r->cap == 0) {
        fail(&p, "no room");
        return -1;
    }
    r->ins[r->n++] = (IrIns){.op = OP_nop};
    while (*p.p) {
        const char *eol = p.p + strcspn(p.p, "\n");
        p.end = p.p + strcspn(p.p, "#\n");
        p.line++;
        skip_blanks(&p);
        if (p.p < p.end && !parse_line(&p)) {
            return -1;
        }
        p.p = *eol ? eol + 1 : eol;
    }
    return 0;
}
