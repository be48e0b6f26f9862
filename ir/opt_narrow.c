/* opt_narrow.c - slots of a tier-2 region whose upper part is zero, because a narrower value was written last.
 *
 * Writing Wn, Sn or Dn zeroes the rest of the register. A block of tier 1 does not know who wrote what it finds; so an
 * operation that hands the upper part of its source on has to clear it each time, in the middle of the loop's longest
 * chain. Here the widest value that any edge may bring is found for each slot and block, and a `get` of a type
 * that holds all of it is marked (.y = 1).
 */
#include "region.h"

typedef struct Pass {
    const IrRegion *r;
    const IrSlot *slots;
    unsigned nslots;
    uint8_t in[IR_BLOCKS][IR_MAX_SLOTS]; /* bytes that may be other than zero; 0: no edge was seen yet */
    uint8_t now[IR_MAX_SLOTS];
    bool more;
} Pass;

static unsigned value_bytes(const Pass *p, const IrIns *v)
{
    const IrIns *ins = p->r->ins;
    switch (v->op) {
    case OP_const: return v->ty == I64 && ir_imm64(v) >> 32 == 0 ? 4 : ir_type_bytes((IrType)v->ty);
    case OP_zext32: return 4;
    case OP_s_to_v: return ir_type_bytes(ir_result_type(&ins[v->a]));
    case OP_v_low64: return 8;
    case OP_get:
        if (v->ty == p->slots[v->x].type) {
            return p->now[v->x];
        }
    }
    return ir_type_bytes(ir_result_type(v));
}

static void all_wide(const Pass *p, uint8_t *bytes)
{
    for (unsigned s = 0; s < p->nslots; s++) {
        bytes[s] = (uint8_t)ir_type_bytes((IrType)p->slots[s].type);
    }
}

static void edge(Pass *p, int to, const uint8_t *bytes)
{
    for (unsigned s = 0; s < p->nslots; s++) {
        if (bytes[s] > p->in[to][s]) {
            p->in[to][s] = bytes[s];
            p->more = true;
        }
    }
}

static void walk(Pass *p, unsigned b, const IrHelper *helpers, IrIns *mark)
{
    const IrRegion *r = p->r;
    uint8_t wide[IR_MAX_SLOTS];
    memcpy(p->now, p->in[b], sizeof p->now);
    all_wide(p, wide);
    for (IrRef i = r->blocks[b].first; i < r->blocks[b].end; i++) {
        const IrIns *in = &r->ins[i];
        if (in->op == OP_get) {
            if (mark && ir_type_bytes((IrType)in->ty) >= p->now[in->x]) {
                mark[i].y = 1;
            }
        } else if (in->op == OP_set) {
            p->now[in->x] = (uint8_t)value_bytes(p, &r->ins[in->a]);
        } else if (in->op == OP_call && (helpers[in->imm].effects & STATE)) {
            memcpy(p->now, wide, sizeof wide);
        } else if (!mark) {
            int to = ir_edge(r, in);
            if (to >= 0) {
                edge(p, to, p->now);
            }
        }
    }
}

bool ir_narrows(const IrRegion *r)
{
    for (IrRef i = 1; i < r->n; i++) {
        IrType ty = r->ins[i].op == OP_set ? ir_result_type(&r->ins[r->ins[i].a]) : TY_NONE;
        if (ty == F32 || ty == F64) {
            return true;
        }
    }
    return false;
}

void ir_opt_narrow(IrRegion *r, const IrSlot *slots, unsigned nslots, const IrHelper *helpers)
{
    Pass pass = {.r = r, .slots = slots, .nslots = nslots, .more = true}, *p = &pass;
    all_wide(p, p->in[r->entry]);
    while (p->more) {
        p->more = false;
        for (unsigned b = r->nblocks; b-- > 0;) {
            walk(p, b, helpers, NULL);
        }
    }
    for (unsigned b = 0; b < r->nblocks; b++) {
        walk(p, b, helpers, r->ins);
    }
}
