/* opt_flags.c - condition flags across the edges of a tier-2 region.
 *
 * Most flags are dead soon after the branch that they were made for, but until they are overwritten a fault would show
 * them. Storing them at every jump back costs more than the loop's own compare. So the block at the end of an edge
 * computes them again where that is possible: each edge's flags are those of the same compare (Recipe) of slots and
 * constants, which hold the operands still. The op is put into the block's first nops and is not lowered unless
 * something looks; a fault table can say it (A_REISSUE in the back end). Then no edge to the block stores flags.
 * What holds at a block's begin is found by iteration from the best case. An operand that was counted by a constant
 * meanwhile (subs x2, x2, #1) is the slot's value with that constant taken off again.
 */
#include "iface.h"
#include "region.h"

typedef struct Operand {
    uint8_t kind; /* NONE, CONST, SLOT */
    uint8_t slot;
    uint64_t k;   /* the constant; or what is added to the slot's value */
} Operand;
enum { NONE, CONST, SLOT };

typedef struct Recipe {
    uint8_t state; /* ANY: no edge was seen yet; MADE: by this compare; STORED: in memory */
    uint8_t op, ty;
    bool masked;   /* fl_logic of a & b */
    Operand a, b;
} Recipe;
enum { ANY, MADE, STORED };

typedef struct Pass {
    IrRegion *r;
    const IrHelper *helpers;
    unsigned nslots, nzcv;
    Recipe in[IR_BLOCKS];
    IrRef holds[IR_MAX_SLOTS][2]; /* value of the slot as i64 [1] or narrower [0], in the block being looked at */
    bool changed[IR_MAX_SLOTS];   /* set in this block */
    bool more;
} Pass;

IrFlagsUse ir_flags_use(const IrIns *in, unsigned nzcv, const IrHelper *helpers)
{
    unsigned eff = in->op == OP_call ? helpers[in->imm].effects & (STATE | FAULTS | EXITS) : ir_ops[in->op].effects;
    switch (in->op) {
    case OP_get:
    case OP_set:
        return in->x != nzcv ? FLAGS_UNTOUCHED : in->op == OP_get ? FLAGS_LOOKED_AT : FLAGS_WRITTEN;
    case OP_exit_if:
    case OP_exit_pc:
    case OP_exit_call:
        return in->x & EXIT_SYNC ? FLAGS_LOOKED_AT : FLAGS_HANDED_ON;
    default:
        return (in->op == OP_call && eff) || (eff & (FAULTS | FPX | EXITS)) ? FLAGS_LOOKED_AT : FLAGS_UNTOUCHED;
    }
}

/* Are the flags looked at, from the begin of block b on, before they are written? live: bit per block, at its begin. */
static bool flags_live(const IrRegion *r, unsigned b, uint64_t live, unsigned nzcv, const IrHelper *helpers)
{
    for (IrRef i = r->blocks[b].first; i < r->blocks[b].end; i++) {
        const IrIns *in = &r->ins[i];
        int to;
        switch (ir_flags_use(in, nzcv, helpers)) {
        case FLAGS_LOOKED_AT:
            return true;
        case FLAGS_WRITTEN:
            return false;
        case FLAGS_HANDED_ON:
            to = ir_edge(r, in);
            if (to >= 0 ? live >> to & 1 : !(in->x & EXIT_FLAGS_DEAD)) {
                return true;
            }
            break;
        case FLAGS_UNTOUCHED:
            break;
        }
    }
    return false;
}

/* Bit per block: the flags that it finds are looked at, or perhaps never written. */
static uint64_t live_blocks(const IrRegion *r, unsigned nzcv, const IrHelper *helpers)
{
    uint64_t live = bits_mask(r->nblocks), before;
    do {
        before = live;
        for (unsigned b = r->nblocks; b-- > 0;) {
            live &= ~((uint64_t)!flags_live(r, b, live, nzcv, helpers) << b);
        }
    } while (live != before);
    return live;
}

bool ir_flags_wanted(const IrRegion *r, unsigned b, unsigned nzcv, const IrHelper *helpers)
{
    return live_blocks(r, nzcv, helpers) >> b & 1;
}

static bool is_const(const Pass *p, IrRef v, uint64_t *k)
{
    *k = ir_imm64(&p->r->ins[v]);
    return p->r->ins[v].op == OP_const;
}

/* A slot that holds v, of type ty, or that plus a constant. */
static Operand operand(const Pass *p, IrRef v, IrType ty)
{
    uint64_t k;
    if (is_const(p, v, &k)) {
        return (Operand){CONST, 0, k};
    }
    for (unsigned s = 0; s < p->nslots; s++) {
        IrRef h = p->holds[s][ty == I64];
        const IrIns *in = &p->r->ins[h];
        if (!h) {
            continue;
        }
        if (h == v) {
            return (Operand){SLOT, (uint8_t)s, 0};
        }
        if ((in->op == OP_add || in->op == OP_sub) && in->a == v && in->ty == ty && is_const(p, in->b, &k)) {
            return (Operand){SLOT, (uint8_t)s, in->op == OP_add ? 0 - k : k};
        }
    }
    return (Operand){NONE, 0, 0};
}

/* Operand v of a floating-point compare is all of a slot, or its low part. */
static Operand fp_operand(const Pass *p, IrRef v)
{
    for (unsigned s = 0; s < p->nslots; s++) {
        if (p->holds[s][0] == v) {
            return (Operand){SLOT, (uint8_t)s, 0};
        }
    }
    return (Operand){NONE, 0, 0};
}

/* How flags value f can be computed again here. */
static Recipe recipe(const Pass *p, IrRef f)
{
    const IrIns *in = &p->r->ins[f];
    IrType ty = (IrType)in->ty;
    Recipe x = {.state = MADE, .op = in->op, .ty = in->ty};
    bool good = false;
    if (in->op == OP_fl_add || in->op == OP_fl_sub) {
        x.a = operand(p, in->a, ty);
        x.b = operand(p, in->b, ty);
        good = x.a.kind == SLOT && (x.b.kind == CONST || (x.b.kind == SLOT && !x.b.k));
    } else if (in->op == OP_fl_fcmp) {
        x.a = fp_operand(p, in->a);
        x.b = fp_operand(p, in->b);
        good = x.a.kind == SLOT && x.b.kind == SLOT && ty != F16 && !(p->r->key & (KEY_FP_SLOW | KEY_FP_FZ));
    } else if (in->op == OP_fl_logic) {
        x.a = operand(p, in->a, ty);
        good = x.a.kind == SLOT;
        if (!good && p->r->ins[in->a].op == OP_and && p->r->ins[in->a].ty == ty) {
            x.masked = true;
            x.a = operand(p, p->r->ins[in->a].a, ty);
            x.b = operand(p, p->r->ins[in->a].b, ty);
            good = x.a.kind == SLOT && !x.a.k && (x.b.kind == CONST || (x.b.kind == SLOT && !x.b.k));
        }
    }
    return good ? x : (Recipe){.state = STORED};
}

static bool same_operand(const Operand *x, const Operand *y)
{
    return x->kind == y->kind && x->slot == y->slot && x->k == y->k;
}

/* One more edge to block `to` has flags x. */
static void meet(Pass *p, int to, const Recipe *x)
{
    Recipe *in = &p->in[to];
    if (in->state == STORED || x->state == ANY) {
        return;
    }
    if (in->state == ANY) {
        *in = *x;
        p->more = true;
    } else if (x->state == STORED || x->op != in->op || x->ty != in->ty || x->masked != in->masked ||
               !same_operand(&x->a, &in->a) || !same_operand(&x->b, &in->b)) {
        *in = (Recipe){.state = STORED};
        p->more = true;
    }
}

/* The flags at an edge from b that has not set them: those at its begin. */
static Recipe unchanged(const Pass *p, unsigned b)
{
    const Recipe *x = &p->in[b];
    bool lost = x->state == MADE && (p->changed[x->a.slot] || (x->b.kind == SLOT && p->changed[x->b.slot]));
    return lost ? (Recipe){.state = STORED} : *x;
}

/* Slot s has value v, or an unknown one. */
static void note(Pass *p, unsigned s, IrRef v)
{
    IrType ty = v ? ir_result_type(&p->r->ins[v]) : TY_NONE;
    p->holds[s][0] = ty == I32 || ty == F32 || ty == F64 ? v : 0;
    p->holds[s][1] = ty == I64 ? v : 0;
    p->changed[s] = true;
}

static void look_at_block(Pass *p, unsigned b)
{
    const IrRegion *r = p->r;
    IrRef f = 0;
    bool stored = false; /* by a helper */
    memset(p->holds, 0, sizeof p->holds);
    memset(p->changed, 0, sizeof p->changed);
    for (IrRef i = r->blocks[b].first; i < r->blocks[b].end; i++) {
        const IrIns *in = &r->ins[i];
        if (in->op == OP_set && in->x == p->nzcv) {
            f = in->a;
            stored = false;
        } else if (in->op == OP_set) {
            note(p, in->x, in->a);
        } else if (in->op == OP_get && in->ty != TFLAGS && in->ty != TV128) {
            p->holds[in->x][in->ty == I64] = i;
        } else if (in->op == OP_call && (p->helpers[in->imm].effects & STATE)) {
            stored = true;
            for (unsigned s = 0; s < p->nslots; s++) {
                note(p, s, 0);
            }
        } else {
            int to = ir_edge(r, in);
            if (to >= 0) {
                Recipe x = stored ? (Recipe){.state = STORED} : f ? recipe(p, f) : unchanged(p, b);
                meet(p, to, &x);
            }
        }
    }
}

static IrRef put(IrRegion *r, IrRef *at, IrIns i)
{
    r->ins[*at] = i;
    return (*at)++;
}

static IrRef put_const(IrRegion *r, IrRef *at, IrType ty, uint64_t k)
{
    k &= bits_mask(8 * ir_type_bytes(ty));
    return put(r, at, (IrIns){.op = OP_const, .ty = (uint8_t)ty, .b = (uint32_t)k, .c = (uint32_t)(k >> 32)});
}

static IrRef put_operand(IrRegion *r, IrRef *at, IrType ty, const Operand *o)
{
    if (o->kind != SLOT) {
        return o->kind == CONST ? put_const(r, at, ty, o->k) : 0;
    }
    IrRef v = put(r, at, (IrIns){.op = OP_get, .ty = (uint8_t)ty, .x = o->slot});
    if (o->k) {
        IrRef k = put_const(r, at, ty, o->k);
        v = put(r, at, (IrIns){.op = OP_add, .ty = (uint8_t)ty, .a = v, .b = k, .imm = IR_ON_DEMAND});
    }
    return v;
}

/* What the block gets of the flags slot from `at` on is f. */
static void forward(const Pass *p, unsigned b, IrRef at, IrRef f)
{
    IrRegion *r = p->r;
    IrRef got = 0;
    bool there = true; /* in the slot */
    for (IrRef i = at; i < r->blocks[b].end && (there || got); i++) {
        IrIns *in = &r->ins[i];
        if (in->op == OP_get && in->x == p->nzcv && there) { /* the builder makes one at most */
            got = i;
            in->op = OP_nop;
            continue;
        }
        const char *sig = ir_ops[in->op].sig + 2;
        bool flags = in->op == OP_set && in->x == p->nzcv;
        IrRef *u[3] = {&in->a, &in->b, &in->c};
        for (unsigned k = 0; got && k < 3; k++) {
            if ((sig[k] == 'N' || (flags && k == 0)) && *u[k] == got) {
                *u[k] = f;
            }
        }
        there = there && !flags && !(in->op == OP_call && (p->helpers[in->imm].effects & STATE));
    }
}

/* The compare of p->in[b] into the block's first ops. */
static void make_again(Pass *p, unsigned b)
{
    const Recipe *x = &p->in[b];
    IrRegion *r = p->r;
    IrRef at = r->blocks[b].first, v = put_operand(r, &at, (IrType)x->ty, &x->a), m = put_operand(r, &at, (IrType)x->ty, &x->b);
    if (x->masked) {
        v = put(r, &at, (IrIns){.op = OP_and, .ty = x->ty, .a = v, .b = m});
        m = 0;
    }
    uint8_t elem = x->op == OP_fl_fcmp ? (uint8_t)ir_fp_elem((IrType)x->ty) : 0;
    IrRef f = put(r, &at, (IrIns){.op = x->op, .ty = x->ty, .x = elem, .a = v, .b = m, .imm = IR_ON_DEMAND});
    put(r, &at, (IrIns){.op = OP_set, .ty = TFLAGS, .x = (uint8_t)p->nzcv, .a = f});
    ASSERT(at <= r->blocks[b].first + IR_BLOCK_ROOM);
    r->flags[b] = f;
    forward(p, b, at, f);
}

void ir_opt_flags(IrRegion *r, unsigned nslots, unsigned nzcv, const IrHelper *helpers)
{
    Pass pass = {.r = r, .helpers = helpers, .nslots = nslots, .nzcv = nzcv, .more = true}, *p = &pass;
    uint64_t live = live_blocks(r, nzcv, helpers);
    p->in[r->entry].state = STORED;
    while (p->more) {
        p->more = false;
        for (unsigned b = 0; b < r->nblocks; b++) {
            look_at_block(p, b);
        }
    }
    memset(r->flags, 0, sizeof r->flags);
    for (unsigned b = 0; b < r->nblocks; b++) {
        if (p->in[b].state == MADE && (live >> b & 1)) {
            make_again(p, b);
        }
    }
    for (IrRef i = 1; i < r->n; i++) {
        IrIns *in = &r->ins[i];
        int to = ir_edge(r, in);
        if (to >= 0) {
            bool stored = (live >> to & 1) && !r->flags[to];
            in->x = (uint8_t)((in->x & ~EXIT_FLAGS_DEAD) | (stored ? 0 : EXIT_FLAGS_DEAD));
        }
    }
}
