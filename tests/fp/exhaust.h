/* exhaust.h - the parts of the exhaustive FP test.
 *
 *   rows.def   what is tested: one row for each instruction
 *   rows.c     which function of ir/softfloat.h each is
 *   own_soft.h a copy of ir/softfloat.c that is compiled into each row
 *   truth.c    what is right, without softfloat.c: exact arithmetic in doubles and 128-bit integers
 *   jit.c      guest loops that run an instruction over many inputs in translated code
 *   half2.c    all pairs of halves, for softfloat.c and, with jit.c, for translated code
 *   exhaust.c  main: chunks, comparison, report
 *
 * Words: an input is a pattern of 16 or 32 bits; a result is a pattern of up to 64 bits and the FPSR bits that the
 * instruction raises from zero. A mode is FPCR.RMode.
 */
#ifndef ARMX_TESTS_FP_EXHAUST_H
#define ARMX_TESTS_FP_EXHAUST_H

#include "cpu.h"
#include "softfloat.h"

typedef enum Kind {
    K_SQRT, K_RINT, K_RINTX, K_RINTN, K_CVT, K_BF, K_TOI, K_FROMI, K_RECPE, K_RSQRTE, K_RECPX, K_URECPE, K_URSQRTE,
    K_ABS, K_NEG, K_CMP0, K_MASK0,
} Kind;

enum { CMP_EQ0, CMP_GE0, CMP_GT0, CMP_LE0, CMP_LT0 }; /* .round of K_MASK0 */

typedef struct Result {
    uint64_t bits;
    uint32_t flags;
} Result;

/* One function comes of it for each row, in which the row is known. */
#define ALWAYS static inline __attribute__((always_inline))

enum { CHUNK = 1 << 13, MODES = 4 };

/* Results of a chunk in each mode, in mode 0 alone where they do not depend on it: patterns in the width of Row.out, one
 * behind the other, and FPSR's low bits. */
typedef struct Results {
    uint8_t bits[MODES][8 * CHUNK] __attribute__((aligned(64)));
    uint8_t flags[MODES][CHUNK] __attribute__((aligned(64)));
} Results;
typedef void RowFn(const uint32_t *in, Results *out);

typedef struct Row {
    const char *name;
    Kind kind;
    IrElem in, out;    /* widths; a format unless .in of K_FROMI, .out of K_TOI */
    uint8_t round;     /* FpRound; K_CMP0: signalling */
    uint8_t bits;      /* of integers; of K_RINTN's limit */
    bool is_unsigned;
    uint8_t fbits;
    bool by_mode;      /* the result depends on FPCR.RMode */
    uint32_t scalar, then, vector; /* instructions from register 0 to 1; 0: there is none; then: follows scalar */
    RowFn *truth, *soft;
} Row;

#define ROW(name, ...) RowFn truth_##name, soft_##name;
#include "rows.def"

extern const Row rows[];
extern const unsigned nrows;

ALWAYS void put(IrElem width, void *bits, unsigned i, uint64_t v)
{
    switch (width) {
    case E_H: ((uint16_t *)bits)[i] = (uint16_t)v; break;
    case E_S: ((uint32_t *)bits)[i] = (uint32_t)v; break;
    default: ((uint64_t *)bits)[i] = v;
    }
}

ALWAYS uint64_t pattern(IrElem width, const void *bits, unsigned i)
{
    return width == E_H ? ((const uint16_t *)bits)[i] : width == E_S ? ((const uint32_t *)bits)[i] : ((const uint64_t *)bits)[i];
}

ALWAYS void put_result(const Row *r, Result one, unsigned mode, Results *out, unsigned i)
{
    put(r->out, out->bits[mode], i, one.bits);
    out->flags[mode][i] = (uint8_t)one.flags;
}

/* A row's function with all its results by fn(row, input, mode), whose modes are computed together: what they have in
 * common the compiler finds. */
#define ROW_FN(fn, name, ...)                                                                                          \
    __attribute__((flatten)) void fn##_##name(const uint32_t *in, Results *out)                                        \
    {                                                                                                                  \
        static const Row row = {#name, __VA_ARGS__, NULL, NULL};                                                       \
        for (unsigned i = 0; i < CHUNK; i++) {                                                                         \
            put_result(&row, fn(&row, in[i], 0), 0, out, i);                                                           \
            if (row.by_mode) {                                                                                         \
                put_result(&row, fn(&row, in[i], 1), 1, out, i);                                                       \
                put_result(&row, fn(&row, in[i], 2), 2, out, i);                                                       \
                put_result(&row, fn(&row, in[i], 3), 3, out, i);                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Loops in translated code, by engine. */
enum { ENGINES = 2 };
void jit_init(void);
extern const char *const jit_names[ENGINES], *const jit_vectors[ENGINES];
/* How a loop goes: over inputs that trap or that do not, in its vector form or the scalar one, with FPSR of each input
 * (of each vector) or of all together. */
typedef struct Loop {
    const Row *row;
    unsigned engine, mode;
    bool trapping, vector, each;
} Loop;
unsigned jit_lanes(const Row *r);
/* n inputs, of the vector form a multiple of jit_lanes(); out as in Results; flags: of each, if asked. Returns FPSR at the
 * end. */
uint32_t jit_run(const Loop *l, const uint32_t *in, unsigned n, void *out, uint32_t *flags);
/* Is the code that jit_run() would run that of the engine before, byte for byte, but for distances to constants and
 * functions? Not so when one of them has not run it yet. */
bool jit_same(const Loop *l, unsigned n);
extern uint64_t jit_traps; /* in loops that should not trap */

extern uint16_t jit_second; /* all halves of V2 */

/* All pairs of halves whose first is in [from, to), in each mode or in mode 0 alone. */
typedef struct PairOp {
    const char *name;
    bool by_mode;
    bool nan_traps; /* quiet NaNs trap in translated code, too */
    bool mask;      /* the vector form gives ones for what is true */
    uint32_t scalar, vector; /* from registers 2 and 0 to 1; 0: there is none that is not evaluated */
    Result (*right)(uint16_t a, uint16_t b, unsigned mode);
    void (*run)(const char *name, unsigned from, unsigned to);
} PairOp;
extern const PairOp half_ops[];
extern const unsigned half_nops;
/* Prints a difference, up to a limit. */
void differs(const char *what, const char *row, unsigned mode, uint64_t a, uint64_t b, Result got, Result want);

#endif
