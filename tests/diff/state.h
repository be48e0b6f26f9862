/* state.h - random CPU states for the differential test (state.c). */
#ifndef ARMX_TESTS_DIFF_STATE_H
#define ARMX_TESTS_DIFF_STATE_H

#include "proto.h"
#include "rng.h"

/* Everything but pc: integers with edges; vectors whose lanes are floating-point numbers of all kinds, or bytes;
 * FPCR with rounding modes and modes other than trapped ones. */
void state_draw(Rng *g, DiffState *s);

#endif
