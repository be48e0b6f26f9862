/* exhaust.h - the parts of the exhaustive FP test.
 *
 *   rows.def   what is tested: one row for each instruction
 *   rows.c     which function of ir/softfloat.h each is
 *   truth.c    what is right, without softfloat.c: exact arithmetic in doubles and 128-bit integers
 *   jit.c      guest loops that run an instruction over many inputs in translated code
 *   half2.c    all pairs of halves
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

/* What is right for n inputs. */
typedef void Truth(const uint32_t *in, unsigned n, unsigned mode, Result *out);

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
    Truth *truth;
} Row;

#define ROW(name, ...) Truth truth_##name;
#include "rows.def"

extern const Row rows[];
extern const unsigned nrows;

void row_soft(const Row *r, const uint32_t *in, unsigned n, unsigned mode, Result *out);

/* What a loop in translated code gave. */
enum { CHUNK = 1 << 14, ENGINES = 2 };
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
/* n inputs, of the vector form a multiple of jit_lanes(). Returns FPSR at the end. */
uint32_t jit_run(const Loop *l, const uint32_t *in, unsigned n, Result *out);
extern uint64_t jit_traps; /* in loops that should not trap */

/* All pairs of halves whose first is in [from, to): returns the number of differences. */
uint64_t half_pairs(unsigned op, unsigned mode, unsigned from, unsigned to);
extern const char *const half_ops[];
extern const unsigned half_nops;
/* Prints a difference, up to a limit. */
void differs(const char *what, const char *row, unsigned mode, uint64_t a, uint64_t b, Result got, Result want);

#endif
