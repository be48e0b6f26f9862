/* softfloat.h - Arm's floating point in integer arithmetic: the reference of the interpreter, of the FP trap
 * handler and of the back ends' slow paths.
 *
 * Values are bit patterns in the low bits of a uint64_t; bits above the format's width are ignored on input
 * and zero on output. fmt is an IrElem that names a format: E_H, E_S, E_D, or E_BF (bfloat16; conversions
 * and rounding only). Rounding is an FpRound; where none is given it is FPCR.RMode. Every function obeys
 * FPCR.{RMode, FZ, FZ16, DN, AHP} as its counterpart in the manual's shared/functions/float does, and adds
 * FPSR.{IOC, DZC, OFC, UFC, IXC, IDC}. Trap enables, AH, FIZ and NEP are taken as zero (they are RES0 on the
 * CPU models that we have). Underflow is detected before rounding. No function touches the host's FP state.
 */
#ifndef ARMX_IR_SOFTFLOAT_H
#define ARMX_IR_SOFTFLOAT_H

#include "ir.h"

/* A rounding that no instruction can choose by itself: FCVTXN's, to odd. Extends FpRound. */
enum { FPR_ODD = 6 };

/* FPCR and FPSR fields (DDI 0487 C5.2.7, C5.2.8). */
enum {
    FPCR_FZ16 = 1 << 19,
    FPCR_RMODE_SHIFT = 22,
    FPCR_FZ = 1 << 24,
    FPCR_DN = 1 << 25,
    FPCR_AHP = 1 << 26,
    FPSR_IOC = 1 << 0,
    FPSR_DZC = 1 << 1,
    FPSR_OFC = 1 << 2,
    FPSR_UFC = 1 << 3,
    FPSR_IXC = 1 << 4,
    FPSR_IDC = 1 << 7,
    FPSR_QC = 1 << 27,
};

/* How the functions are linked: a test has copies of its own, made for each instruction. */
#ifndef SF_API
#define SF_API
#endif

SF_API uint64_t sf_add(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);  /* FPAdd */
SF_API uint64_t sf_sub(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);  /* FPSub */
SF_API uint64_t sf_mul(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);  /* FPMul */
SF_API uint64_t sf_mulx(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env); /* FPMulX */
SF_API uint64_t sf_div(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);  /* FPDiv */
SF_API uint64_t sf_sqrt(IrElem fmt, uint64_t a, FpEnv *env);             /* FPSqrt */
/* FPMulAdd: c + a * b with one rounding. */
SF_API uint64_t sf_fma(IrElem fmt, uint64_t a, uint64_t b, uint64_t c, FpEnv *env);
/* FPMulAddH: the same with a, b halves and c, result singles (FMLAL). */
SF_API uint64_t sf_fma_half(uint64_t a, uint64_t b, uint64_t c, FpEnv *env);

SF_API uint64_t sf_max(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);   /* FPMax */
SF_API uint64_t sf_min(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);   /* FPMin */
SF_API uint64_t sf_maxnm(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env); /* FPMaxNum */
SF_API uint64_t sf_minnm(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env); /* FPMinNum */
SF_API uint64_t sf_abs(IrElem fmt, uint64_t a);                           /* FPAbs */
SF_API uint64_t sf_neg(IrElem fmt, uint64_t a);                           /* FPNeg */

SF_API uint64_t sf_recpe(IrElem fmt, uint64_t a, FpEnv *env);             /* FPRecipEstimate */
SF_API uint64_t sf_rsqrte(IrElem fmt, uint64_t a, FpEnv *env);            /* FPRSqrtEstimate */
SF_API uint64_t sf_recpx(IrElem fmt, uint64_t a, FpEnv *env);             /* FPRecpX */
SF_API uint64_t sf_recps(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env); /* FPRecipStepFused: 2 - a * b */
SF_API uint64_t sf_rsqrts(IrElem fmt, uint64_t a, uint64_t b,
                   FpEnv *env);     /* FPRSqrtStepFused: (3 - a * b) / 2 */
SF_API uint32_t sf_u32_recpe(uint32_t a);  /* UnsignedRecipEstimate */
SF_API uint32_t sf_u32_rsqrte(uint32_t a); /* UnsignedRSqrtEstimate */

/* FPCompare: the NZCV nibble; with signal_qnan any NaN raises IOC, else only a signalling one. */
SF_API unsigned sf_compare(IrElem fmt, uint64_t a, uint64_t b, bool signal_qnan, FpEnv *env);
/* FPCompareEQ, FPCompareGE, FPCompareGT; GE and GT raise IOC on quiet NaNs too. */
SF_API bool sf_cmp(IrElem fmt, FcmpOp op, uint64_t a, uint64_t b, FpEnv *env);

/* FPConvert between two formats; FPCR.AHP applies to halves, FZ16 does not. */
SF_API uint64_t sf_cvt(IrElem from, IrElem to, uint64_t a, unsigned round, FpEnv *env);
/* FPConvertBF: single to bfloat16. */
SF_API uint64_t sf_to_bf16(uint64_t a, FpEnv *env);
/* FPRoundInt; exact raises IXC when the value changes (FRINTX). */
SF_API uint64_t sf_rint(IrElem fmt, uint64_t a, unsigned round, bool exact, FpEnv *env);
/* FPRoundIntN: bits is 32 or 64 (FRINT32x, FRINT64x). */
SF_API uint64_t sf_rint_n(IrElem fmt, uint64_t a, unsigned round, unsigned bits, FpEnv *env);
/* FPToFixed: a * 2^fbits as a saturated integer of 16, 32 or 64 bits, zero-extended. */
SF_API uint64_t sf_to_int(IrElem fmt, uint64_t a, unsigned bits, bool is_unsigned, unsigned fbits,
                   unsigned round, FpEnv *env);
/* FixedToFP: integer v of 16, 32 or 64 bits, divided by 2^fbits. */
SF_API uint64_t sf_from_int(IrElem fmt, uint64_t v, unsigned bits, bool is_unsigned, unsigned fbits,
                     unsigned round, FpEnv *env);
/* FPToFixedJS: FJCVTZS of a double; *z = the instruction's Z flag. */
SF_API uint32_t sf_jcvt(uint64_t a, bool *z, FpEnv *env);

/* BFDotAdd with FPCR.EBF = 0: c + a0 * b0 + a1 * b1, c and result singles, the rest bfloat16. Rounds every
 * step to odd, flushes denormals, ignores FPCR and raises nothing. */
SF_API uint32_t sf_bfdot(uint32_t c, uint16_t a0, uint16_t a1, uint16_t b0, uint16_t b1);

#endif
