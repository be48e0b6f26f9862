/* ops.c - the tables that ops.def makes: names, signatures, effects, evaluation functions; and bug(). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval.h"
#include "ir.h"

const IrOpInfo ir_ops[OP_COUNT] = {
#define OP(name, shape, sig, effects, doc) {#name, sig, effects, doc},
#include "ops.def"
#undef OP
};

/* Only rows with EVAL have a function; the others' names are declared but never referred to. */
IrEval *const ir_evals[OP_COUNT] = {
#define OP(name, shape, sig, effects, doc) __builtin_choose_expr(((effects) & EVAL) != 0, ev_##name, NULL),
#include "ops.def"
#undef OP
};

void (*bug_report)(void);

void bug(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "armx: internal error at %s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (bug_report) {
        bug_report();
    }
    abort();
}
