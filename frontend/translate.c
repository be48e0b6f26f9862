/* translate.c - the loop that turns guest code into one region; see translate.h.
 *
 * A region is straight-line code with side exits. It ends at an unconditional transfer, after a backward
 * conditional branch (what follows a loop is colder), at the end of the page, or at the instruction limit.
 * A short loop whose head is the region's is repeated inside it: its flags, its poll and its jump back then cost only
 * once in several rounds. A branch to a nearby indirect jump is followed. After that the direction of the region's exits
 * says nothing about loops: all of them poll.
 */
#include "translate.h"

/* May the region depend on code at [first, last]? It does from then on: whoever changes that code, or puts a breakpoint
 * there, changes the region's. Not far away, because all in between counts as the region's too. */
static bool depend_on(Tr *t, uint64_t first, uint64_t last)
{
    if (((first ^ t->start) & -(uint64_t)TR_PAGE) != 0 || first + TR_LOOK_BYTES < t->low || last >= t->top + TR_LOOK_BYTES) {
        return false;
    }
    tr_looked(t);
    t->low = first < t->low ? first : t->low;
    t->top = last >= t->top ? last + 1 : t->top;
    return true;
}

unsigned tr_exit_flags(Tr *t, uint64_t target)
{
    unsigned f = target <= t->pc || t->followed ? EXIT_POLL : 0;
    if (((target ^ t->pc) & -(uint64_t)TR_PAGE) != 0 || t->space->stop_at) {
        return f;
    }
    unsigned n = t->guest->flags_dead(t->code + (int64_t)(target - t->pc), (uint32_t)(TR_PAGE - (target & (TR_PAGE - 1))));
    return n && depend_on(t, target, target + n - 1) ? f | EXIT_FLAGS_DEAD : f;
}

bool tr_repeat_loop(Tr *t, uint64_t target)
{
    unsigned done = t->ninsns + 1 - t->before, limit = t->max_insns < TR_LOOP_INSNS ? t->max_insns : TR_LOOP_INSNS;
    if (target != t->start || t->space->stop_at) {
        return false;
    }
    if (!t->body) {
        t->body = done;
    }
    if (done + t->body > limit) {
        return false;
    }
    t->repeats = true;
    t->next = target;
    return true;
}

bool tr_follow(Tr *t, uint64_t target)
{
    bool same_page = ((target ^ t->pc) & -(uint64_t)TR_PAGE) == 0;
    if (t->shape || t->followed || !same_page || !t->guest->dispatches || t->space->stop_at ||
        t->ninsns + TR_FOLLOW_INSNS >= t->max_insns || !t->guest->dispatches(t, target)) {
        return false;
    }
    t->followed = true;
    t->next = target;
    return true;
}

bool tr_fetch(Tr *t)
{
    t->code = t->space->fetch(t->space, gva(t->pc), &t->avail);
    if (t->code && t->avail >= t->guest->min_bytes) {
        return true;
    }
    ir_insn(t->b, t->pc);
    ir_exit_exc(t->b, EXC_FETCH, t->code ? 0 : (int32_t)t->avail, t->pc);
    return false;
}

void tr_begin(Tr *t, const Frontend *fe, const TrGuest *g, const void *model, Space *s, Gva pc, uint64_t key,
              IrRegion *r, IrIns *ins, uint32_t cap)
{
    memset(t, 0, offsetof(Tr, b_));
    t->guest = g;
    t->model = model;
    t->space = s;
    t->key = key;
    t->pc = t->start = t->top = t->low = pc.v;
    t->b = &t->b_;
    ir_begin(t->b, r, ins, cap, fe->slots, fe->helpers);
    if (g->begin) {
        g->begin(t);
    }
    r->pc = pc;
    r->key = key;
}

bool tr_one(Tr *t)
{
    const TrGuest *g = t->guest;
    ir_insn(t->b, t->pc);
    t->next = t->pc + g->min_bytes;
    if (UNLIKELY(t->space->stop_at != NULL) && t->space->stop_at(t->space, gva(t->pc))) {
        ir_exit_exc(t->b, EXC_DEBUG, 0, t->pc);
        t->ended = true;
    } else {
        g->one(t);
    }
    t->ninsns++;
    int64_t size = (int64_t)(t->next - t->pc); /* negative when a loop is repeated */
    uint64_t end = size > 0 ? t->next : t->pc + g->min_bytes;
    t->top = end > t->top ? end : t->top;
    t->pc = t->next;
    if (t->ended) {
        return false;
    }
    t->low = t->pc < t->low ? t->pc : t->low;
    t->code += size;
    t->avail -= (uint32_t)size;
    if (t->unsettled) {
        ir_insn(t->b, t->pc);
        g->settle(t);
    }
    return true;
}

/* Does a branch in the region, or not far behind it, go back into the region or not far before it? `code` is what is at pc. */
static bool is_in_loop(const TrGuest *g, const IrRegion *r, const uint8_t *code, uint32_t avail)
{
    enum { REACH = 512 };
    uint32_t step = g->min_bytes;
    for (uint32_t at = 0; at + step <= avail && at < REACH + r->nbytes; at += step) {
        uint64_t target;
        TrFlow flow = g->flow(code + at, r->pc.v + at, &target);
        if ((flow == FLOW_COND || flow == FLOW_JUMP) && target <= r->pc.v + at && target - (r->pc.v - REACH) < REACH + r->nbytes) {
            return true;
        }
        if (flow == FLOW_END && at >= r->nbytes) {
            return false;
        }
    }
    return false;
}

void tr_region(const Frontend *fe, const TrGuest *g, const void *model, Space *s, Gva pc, uint64_t key,
               unsigned max_insns, IrRegion *r, IrIns *ins, uint32_t cap)
{
    Tr tr, *t = &tr;
    tr_begin(t, fe, g, model, s, pc, key, r, ins, cap);
    t->max_insns = max_insns;
    uint64_t page = pc.v & -(uint64_t)TR_PAGE;
    const uint8_t *code = NULL;
    uint32_t avail = 0;
    if (tr_fetch(t)) {
        code = t->code;
        avail = t->avail;
        while (tr_one(t)) {
            bool leaves = (t->pc & -(uint64_t)TR_PAGE) != page || t->avail < g->min_bytes;
            if (leaves || t->ninsns >= max_insns || r->n + TR_INSN_IR_MAX > cap) {
                ir_exit_pc(t->b, t->followed ? EXIT_POLL : 0, t->pc);
                break;
            }
        }
    }
    ir_end(t->b);
    r->ninsns = t->ninsns;
    r->nbytes = (uint32_t)(t->top - pc.v);
    r->before = (uint32_t)(pc.v - t->low);
    r->loops = fe->level_key && !(key & fe->level_key) && is_in_loop(g, r, code, avail);
}
