/* region.c - control flow, loop depth and slot use of a tier-2 region; see region.h.
 *
 * Loop depth decides nothing but speed, so it may be a guess: an edge to a lower address closes a loop, whose body is
 * what reaches the edge without passing the loop's head. Numbers of blocks are small enough for sets in one word.
 */
#include "region.h"

int ir_block_at(const IrRegion *r, uint64_t pc)
{
    for (unsigned b = 0; r->tier == 2 && b < r->nblocks; b++) { /* a copy of the head comes later */
        if (r->block_pc[b] == pc) {
            return (int)b;
        }
    }
    return -1;
}

int ir_edge(const IrRegion *r, const IrIns *i)
{
    bool jump = i->op == OP_exit_pc || i->op == OP_exit_if;
    return jump && !(i->x & EXIT_SYNC) ? ir_block_at(r, ir_imm64(i)) : -1;
}

/* Everything that reaches `from` without passing `head`. */
static uint64_t loop_body(const uint64_t *pred, unsigned head, unsigned from)
{
    uint64_t body = (uint64_t)1 << head | (uint64_t)1 << from, todo = body & ~((uint64_t)1 << head);
    while (todo) {
        unsigned b = (unsigned)__builtin_ctzll(todo);
        uint64_t more = pred[b] & ~body;
        todo = (todo & (todo - 1)) | more;
        body |= more;
    }
    return body;
}

void ir_flow(const IrRegion *r, IrFlow *f)
{
    uint64_t pred[IR_BLOCKS] = {0}, body[IR_BLOCKS] = {0};
    memset(f, 0, sizeof *f);
    for (unsigned b = 0; b < r->nblocks; b++) {
        for (IrRef i = r->blocks[b].first; i < r->blocks[b].end; i++) {
            int to = ir_edge(r, &r->ins[i]);
            if (to >= 0) {
                f->succ[b] |= (uint64_t)1 << to;
                pred[to] |= (uint64_t)1 << b;
            }
        }
    }
    for (unsigned b = 0; b < r->nblocks; b++) {
        for (uint64_t m = b && b == r->entry ? 0 : f->succ[b]; m; m &= m - 1) {
            unsigned h = (unsigned)__builtin_ctzll(m);
            if (r->block_pc[h] <= r->block_pc[b]) {
                body[h] |= loop_body(pred, h, b);
            }
        }
    }
    for (unsigned h = 0; h < r->nblocks; h++) {
        for (uint64_t m = body[h]; m; m &= m - 1) {
            f->depth[__builtin_ctzll(m)]++;
        }
    }
}

/* -- slots -------------------------------------------------------------------------------------------------- */

uint32_t ir_depth_weight(unsigned depth)
{
    return depth < 4 ? 1u << 3 * depth : 1u << 12;
}

/* Does the op show all slots to somebody? */
static bool observes(const IrIns *i, const IrHelper *helpers)
{
    unsigned eff = i->op == OP_call ? helpers[i->imm].effects : i->op == OP_get || i->op == OP_set ? 0 : ir_ops[i->op].effects;
    return eff & (FAULTS | EXITS | STATE | FPX);
}

void ir_slot_use(const IrRegion *r, const IrFlow *f, const IrHelper *helpers, IrSlotUse *u)
{
    uint32_t seen[IR_MAX_SLOTS] = {0}, epoch = 1; /* a set that is overwritten before anybody looks costs nothing */
    memset(u, 0, sizeof *u);
    for (unsigned b = 0; b < r->nblocks; b++) {
        uint32_t w = ir_depth_weight(f->depth[b]);
        for (IrRef i = r->blocks[b].first; i < r->blocks[b].end; i++) {
            const IrIns *in = &r->ins[i];
            if (in->op == OP_set) {
                u->weight[in->x] += seen[in->x] == epoch ? 0 : w;
                seen[in->x] = epoch;
            } else if (in->op == OP_get) {
                u->weight[in->x] += 2 * w; /* a load is in somebody's way, a store is not */
            } else if (observes(in, helpers)) {
                epoch++;
            }
        }
    }
}
