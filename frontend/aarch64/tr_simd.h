/* tr_simd.h - what the Advanced SIMD translators share: the bits of k, operands, results.
 *
 * k of a row: an IR op in bits 7..0 with its .y above (VU, VR), or flags only.
 * Fields that the rows derive: size (esz for floating-point) = log2 of the element's bytes; scalar = 1: only the lowest
 * lane counts and the rest of the destination becomes zero; elem = 1: the second operand is one element (L M H).
 * Q = 0: only the low halves count.  An op works on all 128 bits, so ops with the QC effect get their operands
 * with the other lanes cleared (simd_in), and others have their result cleared (simd_set).
 */
#ifndef ARMX_FRONTEND_AARCH64_TR_SIMD_H
#define ARMX_FRONTEND_AARCH64_TR_SIMD_H

#include "tr.h"

enum {
    VU = VS_UNSIGNED << 8, /* unsigned */
    VR = VS_ROUND << 8,    /* rounding */
    VSUB = 1 << 16,        /* subtract instead of add */
    VHI = 1 << 17,         /* the high-half form of a mnemonic with 2 */
    VACC = 1 << 18,        /* accumulate into the destination */
};
enum { AM_OFFSET, AM_PRE, AM_POST };

/* A vector op from k: op, kind, element, operands (0 = none). */
static inline IrRef simd_op(Tr *t, int k, IrElem e, IrRef n, IrRef m)
{
    return ir_emit(t->b, (IrIns){.op = (uint8_t)k, .ty = TV128, .x = (uint8_t)e, .y = (uint8_t)(k >> 8), .a = n, .b = m});
}

static inline IrRef simd_zero(Tr *t)
{
    return ir_vconst(t->b, 0, 0);
}

/* Constant with the low bits of v in every lane. */
static inline IrRef simd_splat(Tr *t, IrElem e, uint64_t v)
{
    for (unsigned bits = 8u << e; bits < 64; bits *= 2) {
        v &= bits_mask(bits);
        v |= v << bits;
    }
    return ir_vconst(t->b, v, v);
}

/* Keeps the lanes that count for an instruction with the fields scalar and Q; e = element of the lanes. */
static inline IrRef simd_mask(Tr *t, const A64 *a, IrElem e, IrRef v)
{
    if (a->scalar) {
        return e == E_D ? ir_v_low64(t->b, v) : ir_v_low(t->b, e, v);
    }
    return a->Q ? v : ir_v_low64(t->b, v);
}

static inline IrRef simd_in(Tr *t, const A64 *a, IrElem e, int reg)
{
    return simd_mask(t, a, e, tr_v(t, reg));
}

static inline void simd_set(Tr *t, const A64 *a, IrElem e, IrRef v)
{
    tr_set_v(t, a->rd, simd_mask(t, a, e, v));
}

/* The element H:L:M, H:L or H of V(rm) or V(M:rm) in every lane. */
static inline IrRef simd_elem(Tr *t, const A64 *a, IrElem e)
{
    int rm = e == E_H ? a->rm : a->M << 4 | a->rm;
    int index = e == E_H ? a->H << 2 | a->L << 1 | a->M : e == E_S ? a->H << 1 | a->L : a->H;
    return ir_v_dup_lane(t->b, e, tr_v(t, rm), index);
}

/* The second operand: a register, or one element of it. */
static inline IrRef simd_m(Tr *t, const A64 *a)
{
    return a->elem ? simd_elem(t, a, (IrElem)a->size) : tr_v(t, a->rm);
}

/* Result of a narrowing instruction: v has it in its low half and zeros above; Q = 1 (the 2 form) keeps the low half
 * of the destination and puts it above. */
static inline void simd_set_narrow(Tr *t, const A64 *a, IrRef v)
{
    tr_set_v(t, a->rd, a->Q && !a->scalar ? ir_v_zip1(t->b, E_D, tr_v(t, a->rd), v) : v);
}

/* Shift amounts of the immediate forms: element from immh, and immh:immb. */
static inline IrElem simd_immh_elem(const A64 *a)
{
    return (IrElem)(31 - __builtin_clz((unsigned)a->immh));
}

static inline int simd_shift_right(const A64 *a)
{
    return (16 << simd_immh_elem(a)) - (a->immh << 3 | a->immb);
}

static inline int simd_shift_left(const A64 *a)
{
    return (a->immh << 3 | a->immb) - (8 << simd_immh_elem(a));
}

#endif
