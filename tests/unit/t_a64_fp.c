/* t_a64_fp.c - scalar and vector floating-point instructions, one row each: operands, FPCR, result, FPSR, NZCV.
 *
 * V1 V2 V3 hold in[0] in[1] in[2] in both halves, X1 X2 in[0] in[1]; NZCV is 0, V0 is OLD. The result is V0 (low, high
 * half), or X0 when the instruction names x0 or w0. The rows show what hosts do differently: which NaN comes out, its
 * default, signed zeros, saturation, flushing, underflow before rounding. What each function does with ordinary
 * numbers, t_softfloat.c and the golden vectors tell.
 */
#include <criterion/criterion.h>

#include "a64_run.h"

enum { RP = 1 << 22, RM = 2 << 22, RZ = 3 << 22, FZ16 = 1 << 19, FZ = 1 << 24, DN = 1 << 25, AHP = 1 << 26 };
enum { IOC = 1, DZC = 2, OFC = 4, UFC = 8, IXC = 16, IDC = 128 };
#define OLD_LO 0x1111111111111111
#define OLD_HI 0x2222222222222222
#define OLD OLD_LO, OLD_HI

typedef struct Row {
    const char *insn;
    uint32_t word, fpcr;
    uint64_t in[3], lo, hi;
    uint32_t fpsr;
    unsigned nzcv;
} Row;

static void run_rows_in(const Row *rows, unsigned n, unsigned modes)
{
    for (unsigned i = 0; i < n; i++) {
        const Row *row = &rows[i];
        for (A64RunMode mode = 0; mode < modes; mode++) {
            CpuA64 *cpu = a64_run_cpu();
            cpu->h.fp.fpcr = row->fpcr;
            cpu->v[0] = (V128){.d = {OLD_LO, OLD_HI}};
            for (unsigned j = 0; j < 3; j++) {
                cpu->v[j + 1] = (V128){.d = {row->in[j], row->in[j]}};
                cpu->x[j + 1] = row->in[j];
            }
            ExcKind e = a64_run(mode, &row->word, 1);
            bool general = strstr(row->insn, " x0") || strstr(row->insn, " w0");
            uint64_t lo = general ? cpu->x[0] : cpu->v[0].d[0], hi = general ? 0 : cpu->v[0].d[1];
            cr_expect(e == EXC_HLT && lo == row->lo && hi == row->hi && cpu->h.fp.fpsr == row->fpsr &&
                          nzcv_nibble(cpu->h.nzcv) == row->nzcv,
                      "%s, row %u, %s: %016lx %016lx fpsr %x nzcv %x kind %d", row->insn, i, a64_run_mode_name(mode), lo,
                      hi, cpu->h.fp.fpsr, nzcv_nibble(cpu->h.nzcv), e);
        }
    }
}

static void run_rows(const Row *rows, unsigned n)
{
    run_rows_in(rows, n, A64_RUN_MODES);
}

// clang-format off
/* arith: which NaN, default NaN, flushing, rounding */
static const Row arith_rows[] = {
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x7ff8000000000033, 0xfff8000000000044}, 0x7ff8000000000033, 0, 0, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x7ff8000000000033, 0x7ff0000000000011}, 0x7ff8000000000011, 0, IOC, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0xfff0000000000022, 0x7ff8000000000033}, 0xfff8000000000022, 0, IOC, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x7ff0000000000011, 0xfff0000000000022}, 0x7ff8000000000011, 0, IOC, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x7ff0000000000000, 0xfff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"fadd d0, d1, d2", 0x1e622820, DN, {0x7ff8000000000033, 0x3ff0000000000000}, 0x7ff8000000000000, 0, 0, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x3ff0000000000000, 1}, 0x3ff0000000000000, 0, IXC, 0},
    {"fadd d0, d1, d2", 0x1e622820, RP, {0x3ff0000000000000, 1}, 0x3ff0000000000001, 0, IXC, 0},
    {"fadd d0, d1, d2", 0x1e622820, FZ, {0x3ff0000000000000, 1}, 0x3ff0000000000000, 0, IDC, 0},
    {"fadd d0, d1, d2", 0x1e622820, FZ, {1, 1}, 0, 0, IDC, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x7fefffffffffffff, 0x7fefffffffffffff}, 0x7ff0000000000000, 0, OFC | IXC, 0},
    {"fadd d0, d1, d2", 0x1e622820, RZ, {0x7fefffffffffffff, 0x7fefffffffffffff}, 0x7fefffffffffffff, 0, OFC | IXC, 0},
    {"fadd d0, d1, d2", 0x1e622820, 0, {0x3ff0000000000000, 0xbff0000000000000}, 0, 0, 0, 0},
    {"fadd d0, d1, d2", 0x1e622820, RM, {0x3ff0000000000000, 0xbff0000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fsub d0, d1, d2", 0x1e623820, 0, {0x7ff0000000000000, 0x7ff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"fmul d0, d1, d2", 0x1e620820, 0, {0x7ff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"fmul d0, d1, d2", 0x1e620820, 0, {0x10000000000000, 0x3fe0000000000000}, 0x8000000000000, 0, 0, 0},
    {"fmul d0, d1, d2", 0x1e620820, FZ, {0x10000000000000, 0x3fe0000000000000}, 0, 0, UFC, 0},
    {"fmul d0, d1, d2", 0x1e620820, 0, {0xfffffffffffff, 0x3ff8000000000000}, 0x17fffffffffffe, 0, IXC, 0},
    {"fmul d0, d1, d2", 0x1e620820, 0, {0x10000000000000, 0x3fefffffffffffff}, 0x10000000000000, 0, UFC | IXC, 0},
    {"fmul d0, d1, d2", 0x1e620820, FZ, {0x10000000000000, 0x3fefffffffffffff}, 0, 0, UFC, 0},
    {"fnmul d0, d1, d2", 0x1e628820, 0, {0x7ff8000000000033, 0x3ff0000000000000}, 0xfff8000000000033, 0, 0, 0},
    {"fnmul d0, d1, d2", 0x1e628820, 0, {0x4000000000000000, 0x4008000000000000}, 0xc018000000000000, 0, 0, 0},
    {"fdiv d0, d1, d2", 0x1e621820, 0, {0x3ff0000000000000}, 0x7ff0000000000000, 0, DZC, 0},
    {"fdiv d0, d1, d2", 0x1e621820, 0, {0}, 0x7ff8000000000000, 0, IOC, 0},
    {"fdiv d0, d1, d2", 0x1e621820, 0, {0x3ff0000000000000, 0x4008000000000000}, 0x3fd5555555555555, 0, IXC, 0},
    {"fdiv s0, s1, s2", 0x1e221820, 0, {0x3f800000, 0x40400000}, 0x3eaaaaab, 0, IXC, 0},
    {"fdiv s0, s1, s2", 0x1e221820, 0, {0x800000, 0x40400000}, 0x2aaaab, 0, UFC | IXC, 0},
    {"fsqrt d0, d1", 0x1e61c020, 0, {0xbff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"fsqrt d0, d1", 0x1e61c020, 0, {0x8000000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fsqrt d0, d1", 0x1e61c020, 0, {0x4000000000000000}, 0x3ff6a09e667f3bcd, 0, IXC, 0},
    {"fsqrt d0, d1", 0x1e61c020, 0, {0xfff8000000000044}, 0xfff8000000000044, 0, 0, 0},
    {"fabs d0, d1", 0x1e60c020, 0, {0xfff0000000000022}, 0x7ff0000000000022, 0, 0, 0},
    {"fneg d0, d1", 0x1e614020, 0, {0x7ff8000000000033}, 0xfff8000000000033, 0, 0, 0},
    {"fadd h0, h1, h2", 0x1ee22820, 0, {0x7bff, 0x7bff}, 0x7c00, 0, OFC | IXC, 0},
    {"fadd h0, h1, h2", 0x1ee22820, 0, {0x3c00, 1}, 0x3c00, 0, IXC, 0},
    {"fadd h0, h1, h2", 0x1ee22820, FZ16, {1, 1}, 0, 0, 0, 0},
    {"fadd h0, h1, h2", 0x1ee22820, 0, {0x7e33, 0x7c11}, 0x7e11, 0, IOC, 0},
};

/* fma: 0 * inf with a NaN addend, order of NaNs, one rounding */
static const Row fma_rows[] = {
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0, 0x7ff0000000000000, 0x7ff8000000000033}, 0x7ff8000000000000, 0, IOC, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0x7ff0000000000000, 0, 0x7ff0000000000011}, 0x7ff8000000000011, 0, IOC, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0, 0x7ff0000000000000, 0x3ff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0x7ff8000000000033, 0xfff8000000000044, 0x7ff0000000000011}, 0x7ff8000000000011, 0, IOC, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0x7ff8000000000033, 0x3ff0000000000000, 0xfff8000000000044}, 0xfff8000000000044, 0, 0, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0x3ff0000000000000, 0x7ff8000000000033, 0x3ff0000000000000}, 0x7ff8000000000033, 0, 0, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0x3ff0000000000001, 0x3ff0000000000001, 0xbff0000000000000}, 0x3cc0000000000000, 0, IXC, 0},
    {"fmadd d0, d1, d2, d3", 0x1f420c20, 0, {0x7ff0000000000000, 0x3ff0000000000000, 0xfff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"fmsub d0, d1, d2, d3", 0x1f428c20, 0, {0x7ff8000000000033, 0x3ff0000000000000, 0x3ff0000000000000}, 0xfff8000000000033, 0, 0, 0},
    {"fmsub d0, d1, d2, d3", 0x1f428c20, 0, {0x4000000000000000, 0x4008000000000000, 0x3ff0000000000000}, 0xc014000000000000, 0, 0, 0},
    {"fnmadd d0, d1, d2, d3", 0x1f620c20, 0, {0x3ff0000000000000, 0x3ff0000000000000, 0x7ff8000000000033}, 0xfff8000000000033, 0, 0, 0},
    {"fnmadd d0, d1, d2, d3", 0x1f620c20, 0, {0x4000000000000000, 0x4008000000000000, 0x3ff0000000000000}, 0xc01c000000000000, 0, 0, 0},
    {"fnmsub d0, d1, d2, d3", 0x1f628c20, 0, {0x4000000000000000, 0x4008000000000000, 0x3ff0000000000000}, 0x4014000000000000, 0, 0, 0},
    {"fnmsub d0, d1, d2, d3", 0x1f628c20, RM, {0x3ff0000000000000, 0x3ff0000000000000, 0x3ff0000000000000}, 0x8000000000000000, 0, 0, 0},
};

/* minmax: zeros and NaNs */
static const Row minmax_rows[] = {
    {"fmax d0, d1, d2", 0x1e624820, 0, {0, 0x8000000000000000}, 0, 0, 0, 0},
    {"fmax d0, d1, d2", 0x1e624820, 0, {0x8000000000000000}, 0, 0, 0, 0},
    {"fmax d0, d1, d2", 0x1e624820, 0, {0x3ff0000000000000, 0x7ff8000000000033}, 0x7ff8000000000033, 0, 0, 0},
    {"fmax d0, d1, d2", 0x1e624820, 0, {0x7ff0000000000011, 0x3ff0000000000000}, 0x7ff8000000000011, 0, IOC, 0},
    {"fmax d0, d1, d2", 0x1e624820, 0, {0x3ff0000000000000, 0x4000000000000000}, 0x4000000000000000, 0, 0, 0},
    {"fmin d0, d1, d2", 0x1e625820, 0, {0, 0x8000000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fmin d0, d1, d2", 0x1e625820, 0, {0x8000000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fmin d0, d1, d2", 0x1e625820, 0, {0x3ff0000000000000, 0x7ff8000000000033}, 0x7ff8000000000033, 0, 0, 0},
    {"fmin d0, d1, d2", 0x1e625820, 0, {0x7ff0000000000011, 0x3ff0000000000000}, 0x7ff8000000000011, 0, IOC, 0},
    {"fmin d0, d1, d2", 0x1e625820, 0, {0x3ff0000000000000, 0x4000000000000000}, 0x3ff0000000000000, 0, 0, 0},
    {"fmaxnm d0, d1, d2", 0x1e626820, 0, {0, 0x8000000000000000}, 0, 0, 0, 0},
    {"fmaxnm d0, d1, d2", 0x1e626820, 0, {0x8000000000000000}, 0, 0, 0, 0},
    {"fmaxnm d0, d1, d2", 0x1e626820, 0, {0x3ff0000000000000, 0x7ff8000000000033}, 0x3ff0000000000000, 0, 0, 0},
    {"fmaxnm d0, d1, d2", 0x1e626820, 0, {0x7ff0000000000011, 0x3ff0000000000000}, 0x7ff8000000000011, 0, IOC, 0},
    {"fmaxnm d0, d1, d2", 0x1e626820, 0, {0x3ff0000000000000, 0x4000000000000000}, 0x4000000000000000, 0, 0, 0},
    {"fminnm d0, d1, d2", 0x1e627820, 0, {0, 0x8000000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fminnm d0, d1, d2", 0x1e627820, 0, {0x8000000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fminnm d0, d1, d2", 0x1e627820, 0, {0x3ff0000000000000, 0x7ff8000000000033}, 0x3ff0000000000000, 0, 0, 0},
    {"fminnm d0, d1, d2", 0x1e627820, 0, {0x7ff0000000000011, 0x3ff0000000000000}, 0x7ff8000000000011, 0, IOC, 0},
    {"fminnm d0, d1, d2", 0x1e627820, 0, {0x3ff0000000000000, 0x4000000000000000}, 0x3ff0000000000000, 0, 0, 0},
    {"fmax d0, d1, d2", 0x1e624820, FZ, {1}, 0, 0, IDC, 0},
};

/* compare: flags, and FPSR by kind of NaN */
static const Row compare_rows[] = {
    {"fcmp d1, d2", 0x1e622020, 0, {0x3ff0000000000000, 0x4000000000000000}, OLD, 0, 8},
    {"fcmp d1, d2", 0x1e622020, 0, {0x4000000000000000, 0x3ff0000000000000}, OLD, 0, 2},
    {"fcmp d1, d2", 0x1e622020, 0, {0, 0x8000000000000000}, OLD, 0, 6},
    {"fcmp d1, d2", 0x1e622020, 0, {0x3ff0000000000000, 0x7ff8000000000033}, OLD, 0, 3},
    {"fcmp d1, d2", 0x1e622020, 0, {0x7ff0000000000011, 0x3ff0000000000000}, OLD, IOC, 3},
    {"fcmp d1, d2", 0x1e622020, 0, {1}, OLD, 0, 2},
    {"fcmpe d1, d2", 0x1e622030, 0, {0x3ff0000000000000, 0x4000000000000000}, OLD, 0, 8},
    {"fcmpe d1, d2", 0x1e622030, 0, {0x4000000000000000, 0x3ff0000000000000}, OLD, 0, 2},
    {"fcmpe d1, d2", 0x1e622030, 0, {0, 0x8000000000000000}, OLD, 0, 6},
    {"fcmpe d1, d2", 0x1e622030, 0, {0x3ff0000000000000, 0x7ff8000000000033}, OLD, IOC, 3},
    {"fcmpe d1, d2", 0x1e622030, 0, {0x7ff0000000000011, 0x3ff0000000000000}, OLD, IOC, 3},
    {"fcmpe d1, d2", 0x1e622030, 0, {1}, OLD, 0, 2},
    {"fcmp d1, d2", 0x1e622020, FZ, {1}, OLD, IDC, 6},
    {"fcmp d1, #0.0", 0x1e602028, 0, {0x8000000000000000}, OLD, 0, 6},
    {"fcmpe d1, #0.0", 0x1e602038, 0, {0x7ff8000000000033}, OLD, IOC, 3},
    {"fcmp h1, h2", 0x1ee22020, 0, {0x3c00, 0x4200}, OLD, 0, 8},
    {"fccmp d1, d2, #4, ne", 0x1e621424, 0, {0x3ff0000000000000, 0x4000000000000000}, OLD, 0, 8},
    {"fccmp d1, d2, #4, eq", 0x1e620424, 0, {0x3ff0000000000000, 0x4000000000000000}, OLD, 0, 4},
    {"fccmpe d1, d2, #9, eq", 0x1e620439, 0, {0x7ff0000000000011, 0x7ff0000000000011}, OLD, 0, 9},
    {"fccmpe d1, d2, #9, ne", 0x1e621439, 0, {0x7ff8000000000033, 0x3ff0000000000000}, OLD, IOC, 3},
    {"fcsel d0, d1, d2, ne", 0x1e621c20, 0, {0x7ff0000000000011, 0x4000000000000000}, 0x7ff0000000000011, 0, 0, 0},
    {"fcsel s0, s1, s2, eq", 0x1e220c20, 0, {0x123456783f800000, 0x9abcdef040000000}, 0x40000000, 0, 0, 0},
};

/* rint: rounding to integral */
static const Row rint_rows[] = {
    {"frintn d0, d1", 0x1e644020, 0, {0x4004000000000000}, 0x4000000000000000, 0, 0, 0},
    {"frintn d0, d1", 0x1e644020, 0, {0xc004000000000000}, 0xc000000000000000, 0, 0, 0},
    {"frintm d0, d1", 0x1e654020, 0, {0x4004000000000000}, 0x4000000000000000, 0, 0, 0},
    {"frintm d0, d1", 0x1e654020, 0, {0xc004000000000000}, 0xc008000000000000, 0, 0, 0},
    {"frintp d0, d1", 0x1e64c020, 0, {0x4004000000000000}, 0x4008000000000000, 0, 0, 0},
    {"frintp d0, d1", 0x1e64c020, 0, {0xc004000000000000}, 0xc000000000000000, 0, 0, 0},
    {"frintz d0, d1", 0x1e65c020, 0, {0x4004000000000000}, 0x4000000000000000, 0, 0, 0},
    {"frintz d0, d1", 0x1e65c020, 0, {0xc004000000000000}, 0xc000000000000000, 0, 0, 0},
    {"frinta d0, d1", 0x1e664020, 0, {0x4004000000000000}, 0x4008000000000000, 0, 0, 0},
    {"frinta d0, d1", 0x1e664020, 0, {0xc004000000000000}, 0xc008000000000000, 0, 0, 0},
    {"frinti d0, d1", 0x1e67c020, 0, {0x4004000000000000}, 0x4000000000000000, 0, 0, 0},
    {"frinti d0, d1", 0x1e67c020, 0, {0xc004000000000000}, 0xc000000000000000, 0, 0, 0},
    {"frintx d0, d1", 0x1e674020, 0, {0x4004000000000000}, 0x4000000000000000, 0, IXC, 0},
    {"frintx d0, d1", 0x1e674020, 0, {0xc004000000000000}, 0xc000000000000000, 0, IXC, 0},
    {"frintn d0, d1", 0x1e644020, 0, {0xbfe0000000000000}, 0x8000000000000000, 0, 0, 0},
    {"frintx d0, d1", 0x1e674020, RP, {0x4004000000000000}, 0x4008000000000000, 0, IXC, 0},
    {"frinti d0, d1", 0x1e67c020, RP, {0x4004000000000000}, 0x4008000000000000, 0, 0, 0},
    {"frintz d0, d1", 0x1e65c020, 0, {0x7ff0000000000011}, 0x7ff8000000000011, 0, IOC, 0},
    {"frinta d0, d1", 0x1e664020, 0, {0x3fdfffffffffffff}, 0, 0, 0, 0},
    {"frint32z d0, d1", 0x1e684020, 0, {0x41e0000000000000}, 0xc1e0000000000000, 0, IOC, 0},
    {"frint32z d0, d1", 0x1e684020, 0, {0xc004000000000000}, 0xc000000000000000, 0, IXC, 0},
    {"frint64x d0, d1", 0x1e69c020, 0, {0x43e0000000000000}, 0xc3e0000000000000, 0, IOC, 0},
    {"frint64x d0, d1", 0x1e69c020, 0, {0x4004000000000000}, 0x4000000000000000, 0, IXC, 0},
    {"frint32x s0, s1", 0x1e28c020, 0, {0x7fc00033}, 0xcf000000, 0, IOC, 0},
};

/* convert: to integer, saturating */
static const Row convert_rows[] = {
    {"fcvtns w0, d1", 0x1e600020, 0, {0x4004000000000000}, 2, 0, IXC, 0},
    {"fcvtns x0, d1", 0x9e600020, 0, {0xc004000000000000}, 0xfffffffffffffffe, 0, IXC, 0},
    {"fcvtas w0, d1", 0x1e640020, 0, {0x4004000000000000}, 3, 0, IXC, 0},
    {"fcvtas x0, d1", 0x9e640020, 0, {0xc004000000000000}, 0xfffffffffffffffd, 0, IXC, 0},
    {"fcvtms w0, d1", 0x1e700020, 0, {0x4004000000000000}, 2, 0, IXC, 0},
    {"fcvtms x0, d1", 0x9e700020, 0, {0xc004000000000000}, 0xfffffffffffffffd, 0, IXC, 0},
    {"fcvtps w0, d1", 0x1e680020, 0, {0x4004000000000000}, 3, 0, IXC, 0},
    {"fcvtps x0, d1", 0x9e680020, 0, {0xc004000000000000}, 0xfffffffffffffffe, 0, IXC, 0},
    {"fcvtzs w0, d1", 0x1e780020, 0, {0x4004000000000000}, 2, 0, IXC, 0},
    {"fcvtzs x0, d1", 0x9e780020, 0, {0xc004000000000000}, 0xfffffffffffffffe, 0, IXC, 0},
    {"fcvtzu w0, d1", 0x1e790020, 0, {0x4004000000000000}, 2, 0, IXC, 0},
    {"fcvtzu x0, d1", 0x9e790020, 0, {0xc004000000000000}, 0, 0, IOC, 0},
    {"fcvtzs w0, d1", 0x1e780020, 0, {0x41e0000000000000}, 0x7fffffff, 0, IOC, 0},
    {"fcvtzs w0, d1", 0x1e780020, 0, {0xc1e0000000200000}, 0x80000000, 0, IOC, 0},
    {"fcvtzs x0, d1", 0x9e780020, 0, {0x43e0000000000000}, 0x7fffffffffffffff, 0, IOC, 0},
    {"fcvtzs x0, d1", 0x9e780020, 0, {0xc3e0000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fcvtzu w0, d1", 0x1e790020, 0, {0xbff0000000000000}, 0, 0, IOC, 0},
    {"fcvtzu w0, d1", 0x1e790020, 0, {0xbfe0000000000000}, 0, 0, IXC, 0},
    {"fcvtzu x0, d1", 0x9e790020, 0, {0x43e0000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fcvtzs w0, d1", 0x1e780020, 0, {0x7ff8000000000033}, 0, 0, IOC, 0},
    {"fcvtzs x0, d1", 0x9e780020, 0, {0x7ff0000000000000}, 0x7fffffffffffffff, 0, IOC, 0},
    {"fcvtzs w0, d1", 0x1e780020, FZ, {1}, 0, 0, IDC, 0},
    {"fcvtzs w0, s1, #8", 0x1e18e020, 0, {0x3eaaaaab}, 0x55, 0, IXC, 0},
    {"fcvtzu x0, d1, #64", 0x9e590020, 0, {0x3fe0000000000000}, 0x8000000000000000, 0, 0, 0},
    {"fcvtzs w0, h1", 0x1ef80020, 0, {0x7bff}, 0xffe0, 0, 0, 0},
    {"scvtf d0, x1", 0x9e620020, 0, {0x20000000000001}, 0x4340000000000000, 0, IXC, 0},
    {"scvtf d0, x1", 0x9e620020, RP, {0x20000000000001}, 0x4340000000000001, 0, IXC, 0},
    {"scvtf d0, w1", 0x1e620020, 0, {0xffffffff}, 0xbff0000000000000, 0, 0, 0},
    {"ucvtf d0, w1", 0x1e630020, 0, {0xffffffff}, 0x41efffffffe00000, 0, 0, 0},
    {"ucvtf d0, x1", 0x9e630020, 0, {0xffffffffffffffff}, 0x43f0000000000000, 0, IXC, 0},
    {"scvtf s0, x1", 0x9e220020, RZ, {0x7fffffffffffffff}, 0x5effffff, 0, IXC, 0},
    {"scvtf d0, x1, #16", 0x9e42c020, 0, {0xffffffffffff8000}, 0xbfe0000000000000, 0, 0, 0},
    {"ucvtf h0, x1", 0x9ee30020, 0, {0x10000}, 0x7c00, 0, OFC | IXC, 0},
    {"scvtf h0, w1, #4", 0x1ec2f020, 0, {0x18}, 0x3e00, 0, 0, 0},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0x400d99999999999a}, 3, 0, IXC, 0},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0x41f0000000000000}, 0, 0, IOC, 0},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0x4008000000000000}, 3, 0, 0, 4},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0x8000000000000000}, 0, 0, 0, 0},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0xc1e0000000200000}, 0x7fffffff, 0, IOC, 0},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0x7ff8000000000033}, 0, 0, IOC, 0},
    {"fjcvtzs w0, d1", 0x1e7e0020, 0, {0x4330000000000001}, 1, 0, IOC, 0},
};

/* formats: between half, single, double, bfloat16 */
static const Row formats_rows[] = {
    {"fcvt s0, d1", 0x1e624020, 0, {0x3ff0000000000000}, 0x3f800000, 0, 0, 0},
    {"fcvt s0, d1", 0x1e624020, 0, {0x7ff0000000000011}, 0x7fc00000, 0, IOC, 0},
    {"fcvt s0, d1", 0x1e624020, 0, {0xfff8000000000044}, 0xffc00000, 0, 0, 0},
    {"fcvt s0, d1", 0x1e624020, 0, {0x7e37e43c8800759c}, 0x7f800000, 0, OFC | IXC, 0},
    {"fcvt s0, d1", 0x1e624020, RZ, {0x7e37e43c8800759c}, 0x7f7fffff, 0, OFC | IXC, 0},
    {"fcvt s0, d1", 0x1e624020, 0, {0x3ff0000010000000}, 0x3f800000, 0, IXC, 0},
    {"fcvt s0, d1", 0x1e624020, 0, {0x3ff0000010000001}, 0x3f800001, 0, IXC, 0},
    {"fcvt s0, d1", 0x1e624020, 0, {0x36a0000000000000}, 1, 0, 0, 0},
    {"fcvt s0, d1", 0x1e624020, FZ, {0x36a0000000000000}, 0, 0, UFC, 0},
    {"fcvt d0, s1", 0x1e22c020, 0, {1}, 0x36a0000000000000, 0, 0, 0},
    {"fcvt d0, s1", 0x1e22c020, 0, {0x7f800011}, 0x7ff8000220000000, 0, IOC, 0},
    {"fcvt d0, s1", 0x1e22c020, 0, {0xffc00044}, 0xfff8000880000000, 0, 0, 0},
    {"fcvt d0, s1", 0x1e22c020, FZ, {1}, 0, 0, IDC, 0},
    {"fcvt h0, d1", 0x1e63c020, 0, {0x7e37e43c8800759c}, 0x7c00, 0, OFC | IXC, 0},
    {"fcvt h0, d1", 0x1e63c020, AHP, {0x7e37e43c8800759c}, 0x7fff, 0, IOC, 0},
    {"fcvt h0, d1", 0x1e63c020, AHP, {0x7ff0000000000000}, 0x7fff, 0, IOC, 0},
    {"fcvt h0, s1", 0x1e23c020, AHP, {0x7fc00033}, 0, 0, IOC, 0},
    {"fcvt h0, s1", 0x1e23c020, 0, {0x387fe000}, 0x400, 0, UFC | IXC, 0},
    {"fcvt s0, h1", 0x1ee24020, 0, {1}, 0x33800000, 0, 0, 0},
    {"fcvt d0, h1", 0x1ee2c020, AHP, {0x7fff}, 0x40fffc0000000000, 0, 0, 0},
    {"fcvt d0, h1", 0x1ee2c020, 0, {0x7c11}, 0x7ff8440000000000, 0, IOC, 0},
    {"bfcvt h0, s1", 0x1e634020, 0, {0x3f808000}, 0x3f80, 0, IXC, 0},
    {"bfcvt h0, s1", 0x1e634020, 0, {0x3f818000}, 0x3f82, 0, IXC, 0},
    {"bfcvt h0, s1", 0x1e634020, 0, {0x7f800011}, 0x7fc0, 0, IOC, 0},
    {"bfcvt h0, s1", 0x1e634020, 0, {0x7f7fffff}, 0x7f80, 0, OFC | IXC, 0},
};

/* moves: the rest of the register becomes zero */
static const Row moves_rows[] = {
    {"fmov d0, d1", 0x1e604020, 0, {0x7ff0000000000011}, 0x7ff0000000000011, 0, 0, 0},
    {"fmov s0, s1", 0x1e204020, 0, {0x123456789abcdef0}, 0x9abcdef0, 0, 0, 0},
    {"fmov h0, h1", 0x1ee04020, 0, {0x123456789abcdef0}, 0xdef0, 0, 0, 0},
    {"fmov d0, #-0.125", 0x1e781000, 0, {0}, 0xbfc0000000000000, 0, 0, 0},
    {"fmov s0, #31.0", 0x1e27f000, 0, {0}, 0x41f80000, 0, 0, 0},
    {"fmov h0, #1.9375", 0x1eeff000, 0, {0}, 0x3fc0, 0, 0, 0},
    {"fmov d0, x1", 0x9e670020, 0, {0x123456789abcdef0}, 0x123456789abcdef0, 0, 0, 0},
    {"fmov s0, w1", 0x1e270020, 0, {0x123456789abcdef0}, 0x9abcdef0, 0, 0, 0},
    {"fmov h0, w1", 0x1ee70020, 0, {0x123456789abcdef0}, 0xdef0, 0, 0, 0},
    {"fmov x0, d1", 0x9e660020, 0, {0x123456789abcdef0}, 0x123456789abcdef0, 0, 0, 0},
    {"fmov w0, s1", 0x1e260020, 0, {0x123456789abcdef0}, 0x9abcdef0, 0, 0, 0},
    {"fmov w0, h1", 0x1ee60020, 0, {0x123456789abcdef0}, 0xdef0, 0, 0, 0},
    {"fmov x0, v1.d[1]", 0x9eae0020, 0, {1}, 1, 0, 0, 0},
    {"fmov v0.d[1], x1", 0x9eaf0020, 0, {0x123456789abcdef0}, 0x1111111111111111, 0x123456789abcdef0, 0, 0},
};

/* estimates and steps */
static const Row estimates_rows[] = {
    {"frecpe d0, d1", 0x5ee1d820, 0, {0x4008000000000000}, 0x3fd5500000000000, 0, 0, 0},
    {"frecpe d0, d1", 0x5ee1d820, 0, {0}, 0x7ff0000000000000, 0, DZC, 0},
    {"frecpe d0, d1", 0x5ee1d820, 0, {1}, 0x7ff0000000000000, 0, OFC | IXC, 0},
    {"frecpe d0, d1", 0x5ee1d820, 0, {0x7fefffffffffffff}, 0x4000000000000, 0, 0, 0},
    {"frecpe d0, d1", 0x5ee1d820, FZ, {0x7fefffffffffffff}, 0, 0, UFC, 0},
    {"frecpe s0, s1", 0x5ea1d820, 0, {0x40400000}, 0x3eaa8000, 0, 0, 0},
    {"frsqrte d0, d1", 0x7ee1d820, 0, {0x4008000000000000}, 0x3fe2700000000000, 0, 0, 0},
    {"frsqrte d0, d1", 0x7ee1d820, 0, {0xbff0000000000000}, 0x7ff8000000000000, 0, IOC, 0},
    {"frsqrte d0, d1", 0x7ee1d820, 0, {1}, 0x617ff00000000000, 0, 0, 0},
    {"frecpx d0, d1", 0x5ee1f820, 0, {0x4008000000000000}, 0x3ff0000000000000, 0, 0, 0},
    {"frecpx d0, d1", 0x5ee1f820, 0, {1}, 0x7fe0000000000000, 0, 0, 0},
    {"frecps d0, d1, d2", 0x5e62fc20, 0, {0, 0x7ff0000000000000}, 0x4000000000000000, 0, 0, 0},
    {"frecps d0, d1, d2", 0x5e62fc20, 0, {0x4008000000000000, 0x3fe0000000000000}, 0x3fe0000000000000, 0, 0, 0},
    {"frsqrts d0, d1, d2", 0x5ee2fc20, 0, {0x7ff0000000000000, 0x8000000000000000}, 0x3ff8000000000000, 0, 0, 0},
    {"frsqrts d0, d1, d2", 0x5ee2fc20, 0, {0x4000000000000000, 0x3fe0000000000000}, 0x3ff0000000000000, 0, 0, 0},
    {"fmulx d0, d1, d2", 0x5e62dc20, 0, {0x8000000000000000, 0x7ff0000000000000}, 0xc000000000000000, 0, 0, 0},
    {"fabd d0, d1, d2", 0x7ee2d420, 0, {0x3ff0000000000000, 0x4008000000000000}, 0x4000000000000000, 0, 0, 0},
};

/* vectors: Q = 0 ignores the upper half, pairs, across, widening */
static const Row vectors_rows[] = {
    {"fadd v0.2s, v1.2s, v2.2s", 0x0e22d420, 0, {0x400000003f800000, 0x7fc0003340000000}, 0x7fc0003340400000, 0, 0, 0},
    {"fadd v0.4s, v1.4s, v2.4s", 0x4e22d420, 0, {0x400000003f800000, 0x7fc0003340000000}, 0x7fc0003340400000, 0x7fc0003340400000, 0, 0},
    {"fdiv v0.2s, v1.2s, v2.2s", 0x2e22fc20, 0, {0x400000003f800000, 0x4000000040000000}, 0x3f8000003f000000, 0, 0, 0},
    {"fmul v0.2d, v1.2d, v2.2d", 0x6e62dc20, 0, {0x4000000000000000, 0x4008000000000000}, 0x4018000000000000, 0x4018000000000000, 0, 0},
    {"fmla v0.2d, v1.2d, v2.d[1]", 0x4fc21820, 0, {0x4000000000000000, 0x4008000000000000}, 0x4018000000000000, 0x4018000000000000, IXC, 0},
    {"fmls v0.2s, v1.2s, v2.s[1]", 0x0fa25020, 0, {0x400000003f800000, 0x404000007f800000}, 0xc0c00000c0400000, 0, IXC, 0},
    {"fmulx v0.2d, v1.2d, v2.2d", 0x4e62dc20, 0, {0, 0xfff0000000000000}, 0xc000000000000000, 0xc000000000000000, 0, 0},
    {"faddp v0.4s, v1.4s, v2.4s", 0x6e22d420, 0, {0x400000003f800000, 0x4040000040400000}, 0x4040000040400000, 0x40c0000040c00000, 0, 0},
    {"faddp v0.2s, v1.2s, v2.2s", 0x2e22d420, 0, {0x400000003f800000, 0x4040000040400000}, 0x40c0000040400000, 0, 0, 0},
    {"faddp d0, v1.2d", 0x7e70d820, 0, {0x4008000000000000}, 0x4018000000000000, 0, 0, 0},
    {"fmaxv s0, v1.4s", 0x6e30f820, 0, {0x400000003f800000}, 0x40000000, 0, 0, 0},
    {"fminnmv s0, v1.4s", 0x6eb0c820, 0, {0x400000007fc00033}, 0x40000000, 0, 0, 0},
    {"fmaxv s0, v1.4s", 0x6e30f820, 0, {0x400000007f800011}, 0x7fc00011, 0, IOC, 0},
    {"fcmeq v0.2d, v1.2d, v2.2d", 0x4e62e420, 0, {0x3ff0000000000000, 0x7ff8000000000033}, 0, 0, 0, 0},
    {"fcmgt v0.2d, v1.2d, v2.2d", 0x6ee2e420, 0, {0x3ff0000000000000, 0x7ff8000000000033}, 0, 0, IOC, 0},
    {"facge v0.2d, v1.2d, v2.2d", 0x6e62ec20, 0, {0xbff0000000000000, 0x3ff0000000000000}, 0xffffffffffffffff, 0xffffffffffffffff, 0, 0},
    {"fcmle v0.2d, v1.2d, #0.0", 0x6ee0d820, 0, {0xbff0000000000000}, 0xffffffffffffffff, 0xffffffffffffffff, 0, 0},
    {"fcmlt d0, d1, #0.0", 0x5ee0e820, 0, {0xbff0000000000000}, 0xffffffffffffffff, 0, 0, 0},
    {"fcmeq v0.2s, v1.2s, #0.0", 0x0ea0d820, 0, {0x3f80000080000000}, 0xffffffff, 0, 0, 0},
    {"fcvtl v0.2d, v1.2s", 0x0e617820, 0, {0x13f800000}, 0x3ff0000000000000, 0x36a0000000000000, 0, 0},
    {"fcvtn v0.2s, v1.2d", 0x0e616820, 0, {0x400d99999999999a}, 0x406ccccd406ccccd, 0, IXC, 0},
    {"fcvtn2 v0.4s, v1.2d", 0x4e616820, 0, {0x400d99999999999a}, 0x1111111111111111, 0x406ccccd406ccccd, IXC, 0},
    {"fcvtxn v0.2s, v1.2d", 0x2e616820, 0, {0x3ff0000000000001}, 0x3f8000013f800001, 0, IXC, 0},
    {"fcvtl2 v0.4s, v1.8h", 0x4e217820, 0, {0x3c0000017c117bff}, 0x7fc22000477fe000, 0x3f80000033800000, IOC, 0},
    {"fcvtzs v0.4s, v1.4s", 0x4ea1b820, 0, {0x3eaaaaab7f7fffff}, 0x7fffffff, 0x7fffffff, IOC | IXC, 0},
    {"fcvtzs v0.2d, v1.2d, #4", 0x4f7cfc20, 0, {0x400d99999999999a}, 0x3b, 0x3b, IXC, 0},
    {"ucvtf v0.4s, v1.4s, #1", 0x6f3fe420, 0, {0xffffffff00000003}, 0x4f0000003fc00000, 0x4f0000003fc00000, IXC, 0},
    {"fcvtzu v0.4h, v1.4h", 0x2ef9b820, 0, {0xbc003c007bff7e00}, 0x1ffe00000, 0, IOC, 0},
    {"frintp v0.2d, v1.2d", 0x4ee18820, 0, {0x4004000000000000}, 0x4008000000000000, 0x4008000000000000, 0, 0},
    {"fsqrt v0.2d, v1.2d", 0x6ee1f820, 0, {0x4000000000000000}, 0x3ff6a09e667f3bcd, 0x3ff6a09e667f3bcd, IXC, 0},
    {"frecpe v0.2s, v1.2s", 0x0ea1d820, 0, {0x4040000040400000}, 0x3eaa80003eaa8000, 0, 0, 0},
    {"fadd v0.4h, v1.4h, v2.4h", 0x0e421420, 0, {0x3c003c0000017bff, 0x3c00000100017bff}, 0x40003c0000027c00, 0, OFC | IXC, 0},
    {"fcadd v0.4s, v1.4s, v2.4s, #90", 0x6e82e420, 0, {0x400000003f800000, 0x3f80000040400000}, 0x40a0000000000000, 0x40a0000000000000, 0, 0},
    {"fcmla v0.4s, v1.4s, v2.4s, #180", 0x6e82d420, 0, {0x400000003f800000, 0x3f80000040400000}, 0xbf800000c0400000, 0xbf800000c0400000, IXC, 0},
    {"fmlal v0.4s, v1.4h, v2.4h", 0x4e22ec20, 0, {0x3c00420042003c00, 0x3c00420042003c00}, 0x411000003f800000, 0x3f80000041100000, IXC, 0},
    {"bfdot v0.4s, v1.8h, v2.8h", 0x6e42fc20, 0, {0x3f8040003f804000, 0x3f8040003f804000}, 0x40a0000140a00001, 0x40a0000140a00001, 0, 0},
};

/* inexact, rounded up to the smallest normal number: tiny before rounding, not after it (docs/floating-point.md) */
static const Row tiny_rows[] = {
    {"fcvt s0, d1", 0x1e624020, 0, {0x380fffffffffffff}, 0x800000, 0, UFC | IXC, 0},
};

// clang-format on

Test(a64_fp, arith)
{
    run_rows(arith_rows, LEN(arith_rows));
}

Test(a64_fp, fma)
{
    run_rows(fma_rows, LEN(fma_rows));
}

Test(a64_fp, minmax)
{
    run_rows(minmax_rows, LEN(minmax_rows));
}

Test(a64_fp, compare)
{
    run_rows(compare_rows, LEN(compare_rows));
}

Test(a64_fp, rint)
{
    run_rows(rint_rows, LEN(rint_rows));
}

Test(a64_fp, convert)
{
    run_rows(convert_rows, LEN(convert_rows));
}

Test(a64_fp, formats)
{
    run_rows(formats_rows, LEN(formats_rows));
}

Test(a64_fp, moves)
{
    run_rows(moves_rows, LEN(moves_rows));
}

Test(a64_fp, estimates)
{
    run_rows(estimates_rows, LEN(estimates_rows));
}

Test(a64_fp, vectors)
{
    run_rows(vectors_rows, LEN(vectors_rows));
}

Test(a64_fp, tiny)
{
    run_rows_in(tiny_rows, LEN(tiny_rows), A64_RUN_INTERP + 1);
}
