/* translate.h - one translation in progress, common to all guests: the block loop lives in translate.c.
 *
 * The loop fetches, decodes and translates instructions from pc until a translator ends the region, the
 * instruction limit or the page end is reached, or the IR buffer is nearly full; then it adds the exit to
 * the next instruction.
 */
#ifndef ARMX_FRONTEND_TRANSLATE_H
#define ARMX_FRONTEND_TRANSLATE_H

#include "build.h"
#include "iface.h"

typedef struct Tr Tr;
typedef struct TrGuest TrGuest;
typedef struct TrShape TrShape; /* of a tier-2 region: region.c */
struct Tr {
    IrBuild *b;
    const TrGuest *guest;
    const void *model;
    Space *space;
    uint64_t key;
    uint64_t pc;   /* of the instruction being translated */
    uint64_t next; /* of the one after it */
    uint64_t start;
    const uint8_t *code; /* host address of the bytes at t->pc */
    uint32_t avail;      /* bytes from there that can be read without another fetch */
    unsigned ninsns, max_insns;
    uint64_t top, low; /* end and begin of the code that the region depends on */
    const TrShape *shape; /* tier 2, else NULL */
    unsigned before; /* instructions before the block; 0 in tier 1 */
    unsigned body; /* instructions of the loop that is the block, once its end was reached; else 0 */
    bool repeats; /* the loop that is the block is repeated in it: at its begin again */
    bool followed; /* a branch to another place was followed (tr_follow) */
    bool ended; /* the translator has written an exit that nothing may follow */
    bool checked;    /* the guest's own: something holds from here on to the block's end */
    IrRef unsettled; /* the guest's own: a value that `settle` has to look at once the instruction is done */
    IrBuild b_; /* the builder; translators use t->b. Last: ir_begin clears what is to be cleared */
};

/* Where control goes after an instruction: on; to the target only; to either; to a subroutine that comes back; not
 * where static code tells. */
typedef enum TrFlow { FLOW_NEXT, FLOW_JUMP, FLOW_COND, FLOW_CALL, FLOW_END } TrFlow;

/* What a guest gives to the loop. */
struct TrGuest {
    unsigned min_bytes; /* shortest instruction */
    void (*begin)(Tr *t); /* before the first instruction; may be NULL */
    /* Translates the instruction at t->pc, of which at least min_bytes can be read; sets t->next. */
    void (*one)(Tr *t);
    /* Called at the next instruction's address when t->unsettled is set; clears it. */
    void (*settle)(Tr *t);
    /* Does code at pc, in the page of t->pc, jump by a register after few instructions? NULL = not looked for. */
    bool (*dispatches)(const Tr *t, uint64_t pc);
    /* How many bytes of code it takes to see that the code overwrites the flags before anything can see them; 0: it
     * does not, or that is not soon clear. */
    unsigned (*flags_dead)(const uint8_t *code, uint32_t avail);
    /* Where control goes after the instruction at `code`, whose address is pc. A guess is good enough. */
    TrFlow (*flow)(const uint8_t *code, uint64_t pc, uint64_t *target);
};

enum { TR_PAGE = 4096,       /* a region never crosses a page */
       TR_INSN_IR_MAX = 400, /* IR ops that one instruction may need */
       TR_LOOK_BYTES = 256,  /* how far from a region code may be that it depends on */
       TR_FOLLOW_INSNS = 16, /* an indirect jump is near when it is no farther than this */
       TR_LOOP_INSNS = 36 /* a loop shorter than half of it is repeated up to that length */ };

/* Runs the loop; arguments as Frontend.translate. */
void tr_region(const Frontend *fe, const TrGuest *g, const void *model, Space *s, Gva pc, uint64_t key, unsigned max_insns, IrRegion *r,
               IrIns *ins, uint32_t cap);

/* A tier-2 region: the loop at r->pc's address with what belongs to it, at most max_insns instructions. False: there is no
 * loop, or no room for it. */
bool tr_region_loop(const Frontend *fe, const TrGuest *g, const void *model, Space *s, const TrStop *stop, Gva pc, uint64_t key,
                    unsigned max_insns, IrRegion *r, IrIns *ins, uint32_t cap);
/* Is there a loop, of code between pc and last? Its memory is what tr_region_loop has for ops. */
bool tr_is_loop(const TrGuest *g, Space *s, Gva pc, Gva last, unsigned max_insns, IrIns *ins, uint32_t cap);

/* Code was read that is no instruction of the region's: IrRegion.words is not all. */
static inline void tr_looked(const Tr *t)
{
    t->b->r->nwords = IR_WORDS + 1;
}

/* At a jump to target: true when its code follows in the same block of the tier-2 region. */
bool tr_shape_joins(const TrShape *s, uint64_t target);
/* Does the block end before pc: another block begins there, or the code is not in the region? */
bool tr_shape_ends(const TrShape *s, uint64_t pc);

/* Begins a translation at pc. */
void tr_begin(Tr *t, const Frontend *fe, const TrGuest *g, const void *model, Space *s, Gva pc, uint64_t key,
              IrRegion *r, IrIns *ins, uint32_t cap);
/* Makes t->code and t->avail describe t->pc; false ends the region with the fetch fault. */
bool tr_fetch(Tr *t);
/* One instruction, and on to the next; false when it ended the region. */
bool tr_one(Tr *t);

/* At a branch back to where the region began: true when the loop is short enough for another copy of it. Then
 * translation goes on at the target, and what the branch does otherwise is a side exit. */
bool tr_repeat_loop(Tr *t, uint64_t target);

/* At a branch, once per region: true when a jump by a register is near the target, as where an interpreter fetches its
 * next operation. Then translation goes on at the target: each way there gets a copy of the jump, which the host
 * predicts better, and does without a jump to it. */
bool tr_follow(Tr *t, uint64_t target);

/* Exit to a constant address: EXIT_POLL on back edges, EXIT_FLAGS_DEAD by looking at the target's code. */
unsigned tr_exit_flags(Tr *t, uint64_t target);

#endif
