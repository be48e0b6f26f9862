/* rules_fp.c - lowering of scalar and vector floating point. */
#include "sel.h"

const Rule rules_fp[] = {
    {.op = OP_COUNT},
};
const unsigned rules_fp_n = LEN(rules_fp);
