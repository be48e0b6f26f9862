/* loop.c - registers of a tier-2 region that are not what they are at the edges of regions.
 *
 * By convention most general registers hold guest registers (abi.c), and few are temporaries. Inside a region some more may be
 * temporaries: the guest registers that gain least by a register of their own live in memory there. So faults find the state
 * by one table of the region (Tb.slots), and an edge of the region is a few moves: out to memory, and back.
 * Other guest registers do not move in: in loops as well as elsewhere their accesses to memory through the state pointer are
 * forwarded by the host without delay, and what the moves at the edges cost was more than what they saved (adr/0007).
 */
#include "sel.h"

void loop_pins(Lower *l, unsigned n)
{
    IrSlotUse use;
    Target *t = &l->own;
    *t = *(const Target *)l->e->target;
    l->t = t;
    ir_slot_use(l->r, &l->flow, l->e->fe->helpers, &use);
    for (l->nfreed = 0; l->nfreed < n; l->nfreed++) {
        Reg least = NOREG;
        for (Reg r = 0; r < XMM0; r++) {
            if (t->slot_of[r] != NOSLOT && (least == NOREG || use.weight[t->slot_of[r]] < use.weight[t->slot_of[least]])) {
                least = r;
            }
        }
        l->freed[l->nfreed] = least;
        t->pin[t->slot_of[least]] = NOREG;
        t->slot_of[least] = NOSLOT;
        t->temps |= (uint64_t)1 << least;
        t->pins &= ~((uint64_t)1 << least);
    }
}

static Mem place(const Lower *l, Reg r)
{
    const Target *common = l->e->target;
    return l_slot(l, common->slot_of[r]);
}

void loop_enter(Lower *l)
{
    for (unsigned k = 0; k < l->nfreed; k++) {
        x_store_rm(&l->a, 1, l->freed[k], place(l, l->freed[k]));
    }
}

void loop_leave(Lower *l)
{
    for (unsigned k = 0; k < l->nfreed; k++) {
        x_mov_rm(&l->a, 1, l->freed[k], place(l, l->freed[k]));
    }
}
