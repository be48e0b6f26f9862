/* own_soft.h - a copy of ir/softfloat.c for the file that includes this, so that each row can have its functions inlined with
 * constant formats, rounding and FPCR: the same statements, several times as fast. */
#ifndef ARMX_TESTS_FP_OWN_SOFT_H
#define ARMX_TESTS_FP_OWN_SOFT_H

#define SF_API static __attribute__((unused))
#include "../../ir/softfloat.c"

#endif
