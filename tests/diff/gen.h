/* gen.h - what the parts of the generator share (gen.c, plan.c). */
#ifndef ARMX_TESTS_DIFF_GEN_H
#define ARMX_TESTS_DIFF_GEN_H

#include "diff.h"

typedef struct Plan {
    uint32_t words[SLOT_WORDS]; /* 0: to be drawn */
    uint32_t keep;              /* general registers that only the plan writes */
} Plan;

/* Control flow for words first .. last of a slot. */
void plan_make(Rng *g, Plan *p, unsigned first, unsigned last);

#endif
