/* eval.h - the evaluation functions: ev_NAME is the meaning of the EVAL op NAME (ops.def), over all 128 bits.
 *
 * Interpreter and back ends call them through ir_evals[]. They do integer work only (soft-float for FP), so they
 * may run under any host FP mode, from a signal handler too. Files: eval_fp.c, eval_simd.c, eval_crypto.c.
 */
#ifndef ARMX_IR_EVAL_H
#define ARMX_IR_EVAL_H

#include "ir.h"

#define OP(name, shape, sig, effects, doc) IrEval ev_##name;
#include "ops.def"
#undef OP

/* Header of an evaluation function's definition; unused parameters are fine. */
#define EVALUATE(name)                                                                             \
    void ev_##name(FpEnv *env __attribute__((unused)), V128 *r, const V128 *a __attribute__((unused)),   \
                   const V128 *b __attribute__((unused)), const V128 *c __attribute__((unused)),       \
                   uint32_t k __attribute__((unused)))

#endif
