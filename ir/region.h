/* region.h - control flow of a tier-2 region, and what its passes find out about slots.
 *
 * A tier-2 region is made of blocks as tier 1 makes regions: straight-line code with side exits, values local to the
 * block, guest state in slots between blocks. What links them is addresses: an exit_pc or exit_if to the address of a
 * block is an edge inside the region. Block 0 is the head; where the region is entered (r->entry) may be a copy of it, which no edge goes to.
 */
#ifndef ARMX_IR_REGION_H
#define ARMX_IR_REGION_H

#include "build.h"

typedef struct IrFlow {
    uint64_t succ[IR_BLOCKS]; /* bit per block */
    uint8_t depth[IR_BLOCKS]; /* loops around the block */
} IrFlow;

/* The block that begins at pc; -1 = none, or a tier-1 region, where every exit leaves. */
int ir_block_at(const IrRegion *r, uint64_t pc);
/* The block that exit op i goes to, -1 = it leaves the region. */
int ir_edge(const IrRegion *r, const IrIns *i);
void ir_flow(const IrRegion *r, IrFlow *f);

/* Flags across edges (opt_flags.c). An edge is marked EXIT_FLAGS_DEAD when no path from its end looks at the flags before
 * it overwrites them, or when the block there computes them again: r->flags[block] is the op, or 0. */
void ir_opt_flags(IrRegion *r, unsigned nslots, unsigned nzcv, const IrHelper *helpers);
/* What an op does to the flags slot. Who leaves at an edge whose flags are dead finds them a few instructions on. */
typedef enum IrFlagsUse {
    FLAGS_UNTOUCHED,
    FLAGS_WRITTEN,
    FLAGS_LOOKED_AT, /* or may be, by whoever sees a fault */
    FLAGS_HANDED_ON  /* a jump or call to a known place */
} IrFlagsUse;
IrFlagsUse ir_flags_use(const IrIns *in, unsigned nzcv, const IrHelper *helpers);
/* Are the flags that block b finds looked at? */
bool ir_flags_wanted(const IrRegion *r, unsigned b, unsigned nzcv, const IrHelper *helpers);

/* Marks gets (.y = 1) of slots that hold nothing above the get's type (opt_narrow.c). May there be any worth it? */
void ir_opt_narrow(IrRegion *r, const IrSlot *slots, unsigned nslots, const IrHelper *helpers);
bool ir_narrows(const IrRegion *r);

/* What each slot gains by a register of its own, in loads and stores weighted by loop depth. */
typedef struct IrSlotUse {
    uint32_t weight[IR_MAX_SLOTS];
} IrSlotUse;
void ir_slot_use(const IrRegion *r, const IrFlow *f, const IrHelper *helpers, IrSlotUse *u);
/* How often code within that many loops is run, against code in none. */
uint32_t ir_depth_weight(unsigned depth);

#endif
