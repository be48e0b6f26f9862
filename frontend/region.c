/* region.c - which code a tier-2 region is made of, and its translation block by block.
 *
 * The shape: from the head, code is followed along static control flow, nearest first, not behind calls, within
 * a window of addresses and up to a number of instructions. Of what was seen, only what lies between the head and the last
 * jump back to it and can come to that jump is kept: a loop with the diamonds and loops in it, without the rarely run
 * code that compilers put elsewhere, and without the loop around it. Inner loops that are regions already stay those. A block
 * begins at the head, where two ways meet and after a taken conditional branch; what follows a conditional
 * branch, or is jumped to from one place, belongs to the block before it.
 * A translator that ends its block where the shape went on just leaves the region there: the shape is a plan, and the
 * addresses of the blocks that there are in the end decide what an exit is (ir/region.h).
 */
#include "region.h"
#include "translate.h"

enum { WINDOW = 2048, /* instructions on either side of the head */
       SEEN_MAX = 1024 };
enum { SEEN = 1, LEADER = 2, INSIDE = 4, JOINED = 8 /* by one forward jump */ };

typedef struct Seen {
    int16_t succ[2]; /* places in the window, -1 = none */
    uint16_t place;
    bool back; /* comes to the head again */
    TrFlow flow;
} Seen;

struct TrShape {
    uint64_t low; /* address of place 0 */
    unsigned step, n;
    int first, end; /* places that are looked at: [first, end) */
    uint8_t mark[2 * WINDOW];
    uint16_t at[2 * WINDOW]; /* place -> index in seen */
    Seen seen[SEEN_MAX];
};

static int place(const TrShape *s, uint64_t pc)
{
    uint64_t off = pc - s->low;
    return off < (uint64_t)2 * WINDOW * s->step && off % s->step == 0 ? (int)(off / s->step) : -1;
}

/* Follows straight-line code from place p; what it branches to is added to the queue. */
static unsigned follow(TrShape *s, const TrGuest *g, Space *space, const TrStop *stop, int p, unsigned max, int16_t *queue,
                       unsigned tail)
{
    const uint8_t *code = NULL;
    uint32_t avail = 0;
    for (; p >= s->first && p < s->end && !(s->mark[p] & SEEN) && s->n < max; p++) {
        uint64_t pc = s->low + (uint64_t)p * s->step, target = 0;
        if (stop && p != WINDOW && stop->at(stop->arg, pc)) {
            break;
        }
        if (avail < s->step) {
            code = space->fetch(space, gva(pc), &avail);
            if (!code || avail < s->step) {
                break;
            }
        }
        Seen *x = &s->seen[s->n];
        *x = (Seen){.succ = {-1, -1}, .place = (uint16_t)p, .flow = g->flow(code, pc, &target)};
        s->mark[p] |= SEEN;
        s->at[p] = (uint16_t)s->n++;
        if ((x->flow == FLOW_NEXT || x->flow == FLOW_COND) && p + 1 < 2 * WINDOW) {
            x->succ[0] = (int16_t)(p + 1);
        }
        if (x->flow == FLOW_JUMP || x->flow == FLOW_COND) {
            x->succ[1] = (int16_t)place(s, target);
            if (x->succ[1] >= 0) {
                queue[tail++] = x->succ[1];
            }
        }
        if (x->succ[0] < 0) {
            break;
        }
        code += s->step;
        avail -= s->step;
    }
    return tail;
}

static bool leads_back(const TrShape *s, const Seen *x, int last)
{
    for (unsigned k = 0; k < 2 && x->place >= WINDOW && x->place <= last; k++) {
        int p = x->succ[k];
        if (p == WINDOW || (p >= 0 && (s->mark[p] & SEEN) && s->seen[s->at[p]].back)) {
            return true;
        }
    }
    return false;
}

/* Marks what lies on a way from the head to the head; false when there is none. */
static bool keep_loop(TrShape *s)
{
    int last = -1;
    for (unsigned k = 0; k < s->n; k++) {
        const Seen *x = &s->seen[k];
        last = x->succ[1] == WINDOW && x->place > last ? x->place : last;
    }
    for (bool more = true; more;) {
        more = false;
        for (unsigned k = s->n; k-- > 0;) {
            Seen *x = &s->seen[k];
            if (!x->back && leads_back(s, x, last)) {
                x->back = more = true;
            }
        }
    }
    for (unsigned k = 0; k < s->n; k++) {
        s->mark[s->seen[k].place] |= s->seen[k].back ? INSIDE : 0;
    }
    return s->mark[WINDOW] & INSIDE;
}

static void find_leaders(TrShape *s)
{
    static const uint8_t inside = INSIDE;
    s->mark[WINDOW] |= LEADER;
    for (unsigned k = 0; k < s->n; k++) {
        const Seen *x = &s->seen[k];
        if (!x->back) {
            continue;
        }
        int to = x->succ[1];
        if (to >= 0 && (s->mark[to] & inside)) {
            bool first = x->flow == FLOW_JUMP && to > x->place && !(s->mark[to] & (JOINED | LEADER));
            s->mark[to] |= first ? JOINED : LEADER;
        }
    }
    for (unsigned k = 0; k < s->n; k++) { /* the other way to what a jump joins is falling into it */
        const Seen *x = &s->seen[k];
        if (x->back && x->succ[0] >= 0 && (s->mark[x->succ[0]] & JOINED)) {
            s->mark[x->succ[0]] |= LEADER;
        }
    }
}

/* last: 0, or the last byte of what is looked at; then nothing in front of the head is, either. */
static bool make_shape(TrShape *s, const TrGuest *g, Space *space, const TrStop *stop, Gva pc, uint64_t last, unsigned max)
{
    int16_t queue[SEEN_MAX + 1] = {WINDOW};
    unsigned head = 0, tail = 1;
    memset(s->mark, 0, sizeof s->mark);
    s->step = g->min_bytes;
    s->n = 0;
    s->low = pc.v - (uint64_t)WINDOW * s->step;
    s->first = last ? WINDOW : 0;
    s->end = last && last - s->low < (uint64_t)2 * WINDOW * s->step ? (int)((last - s->low) / s->step) + 1 : 2 * WINDOW;
    while (head < tail && s->n < max) {
        tail = follow(s, g, space, stop, queue[head++], max, queue, tail);
    }
    if (!keep_loop(s)) {
        return false;
    }
    find_leaders(s);
    return true;
}

bool tr_shape_joins(const TrShape *s, uint64_t target)
{
    int p = place(s, target);
    return p >= 0 && (s->mark[p] & (JOINED | LEADER)) == JOINED;
}

bool tr_shape_ends(const TrShape *s, uint64_t pc)
{
    int p = place(s, pc);
    return p < 0 || (s->mark[p] & LEADER) || !(s->mark[p] & INSIDE);
}

/* One block, at pc; false when the region is full. */
static bool block(Tr *t, uint64_t pc)
{
    IrRegion *r = t->b->r;
    if (r->nblocks == IR_BLOCKS) {
        return false;
    }
    if (t->ninsns) {
        ir_new_block(t->b);
    }
    r->block_pc[r->nblocks - 1] = t->pc = pc;
    t->low = pc < t->low ? pc : t->low;
    t->start = pc;
    t->before = t->ninsns;
    t->body = 0;
    t->ended = false;
    t->unsettled = 0;
    t->checked = false;
    for (unsigned k = 0; k < IR_BLOCK_ROOM; k++) {
        ir_emit(t->b, (IrIns){.op = OP_nop});
    }
    bool going = tr_fetch(t);
    while (going) {
        if (r->n + TR_INSN_IR_MAX > r->cap) {
            return false;
        }
        uint64_t page = t->pc & -(uint64_t)TR_PAGE;
        t->repeats = false;
        going = tr_one(t);
        if (going && !t->repeats && tr_shape_ends(t->shape, t->pc)) {
            bool known = (t->pc & -(uint64_t)TR_PAGE) == page;
            ir_exit_pc(t->b, known ? tr_exit_flags(t, t->pc) & ~EXIT_POLL : 0, t->pc);
            going = false;
        } else if (going && ((t->pc & -(uint64_t)TR_PAGE) != page || t->avail < t->guest->min_bytes)) {
            going = tr_fetch(t);
        }
    }
    return true;
}

static TrShape *shape_at_end(IrIns *ins, uint32_t cap, uint32_t *taken)
{
    *taken = sizeof(TrShape) / sizeof *ins + 1;
    return (TrShape *)ALIGN_DOWN((uintptr_t)(ins + cap - *taken), sizeof(uint64_t));
}

bool tr_is_loop(const TrGuest *g, Space *s, Gva pc, Gva last, unsigned max_insns, IrIns *ins, uint32_t cap)
{
    uint32_t taken;
    TrShape *shape = shape_at_end(ins, cap, &taken);
    return !s->stop_at && make_shape(shape, g, s, NULL, pc, last.v, max_insns < SEEN_MAX ? max_insns : SEEN_MAX);
}

bool tr_region_loop(const Frontend *fe, const TrGuest *g, const void *model, Space *s, const TrStop *stop, Gva pc, uint64_t key,
                    unsigned max_insns, IrRegion *r, IrIns *ins, uint32_t cap)
{
    uint32_t taken; /* of the ops' memory, at its end */
    TrShape *shape = shape_at_end(ins, cap, &taken);
    Tr tr, *t = &tr;
    cap -= taken + 1;
    r->nblocks = 0;
    if (s->stop_at || !make_shape(shape, g, s, stop, pc, 0, max_insns < SEEN_MAX ? max_insns : SEEN_MAX)) {
        return false;
    }
    tr_begin(t, fe, g, model, s, pc, key, r, ins, cap);
    t->max_insns = max_insns;
    t->shape = shape;
    r->tier = 2;
    for (unsigned k = 0; k < shape->n; k++) {
        unsigned p = shape->seen[k].place;
        if ((shape->mark[p] & (LEADER | INSIDE)) != (LEADER | INSIDE)) {
            continue;
        }
        if (!block(t, shape->low + (uint64_t)p * shape->step)) {
            return false;
        }
    }
    ir_end(t->b);
    if (ir_flags_wanted(r, 0, fe->nzcv_slot, fe->helpers) || ir_narrows(r)) { /* from outside comes what no pass knows */
        r->entry = r->nblocks;
        if (!block(t, pc.v)) {
            return false;
        }
        ir_end(t->b);
    }
    if (!(stop->no_opt & OFF_LOOP_FLAGS)) {
        ir_opt_flags(r, fe->nslots, fe->nzcv_slot, fe->helpers);
    }
    if (!(stop->no_opt & OFF_LOOP_NARROW)) {
        ir_opt_narrow(r, fe->slots, fe->nslots, fe->helpers);
    }
    r->ninsns = t->ninsns;
    r->before = (uint32_t)(pc.v - t->low);
    r->nbytes = (uint32_t)(t->top - pc.v);
    return true;
}
