/* simd_consts.h - the constants of the vector lowerings (rules_simd.c). Translated code reads a copy that lies
 * within reach of it; Target.consts is its address.
 */
#ifndef ARMX_BACKEND_X86_64_SIMD_CONSTS_H
#define ARMX_BACKEND_X86_64_SIMD_CONSTS_H

#include "iface.h"

typedef uint8_t Const128[16] __attribute__((aligned(16)));

typedef struct SimdConsts {
    Const128 one[4];                 /* 1 in each lane, by element */
    Const128 byte[4];                /* 0xff in the low byte of each lane */
    Const128 sign[4], max[4];        /* the sign bit of each lane; all others */
    Const128 low_half[4];            /* low half of each lane of H, S, D */
    Const128 high_byte;              /* 0xff00 in each lane of H */
    Const128 ones;
    Const128 lane0[4], lane0_sign[4], lane0_max[4]; /* the lowest lane only: all bits, the sign bit, all others */
    Const128 b_0f, b_70, b_10;       /* these in every byte */
    Const128 nibble_count, nibble_rev_low, nibble_rev_high; /* by nibble: ones in it; its reverse, in bits 7..4; 3..0 */
    Const128 shl_mask[8], shr_mask[8], sar_sign[8]; /* byte shifts: what stays after a shift of words; moved sign */
    Const128 gf_shl[8], gf_shr[8], gf_sar[8], gf_rbit; /* the same as bit matrices (GFNI) */
    Const128 rev[4][4];              /* shuffle: lanes of [..][e] reversed inside each [c] */
    Const128 dup_b[16], dup_h[8];    /* shuffle: every lane = this one */
    Const128 only_b[16];             /* 0xff in this byte */
    Const128 narrow[4];              /* shuffle: low halves of H, S, D lanes to the bottom, zeros above */
    Const128 deint3[4][3][3];        /* shuffle: [element][result][source], 0x80 where another source has it */
    Const128 int3[4][3][3];
    Const128 crc32;                  /* reflected polynomial P of CRC32: low half 1 / P modulo x^64, high half P */
    Const128 sha1_k[3];              /* SHA-1's additive constants, by round function (SHA1_*) */
    Const128 half[4];                /* 0.5 in each lane of S, D */
    Const128 cut;                    /* bits of a double that a single has not */
    /* For shifts by register, in lanes of S: 31; the width, least and greatest number of B, H */
    Const128 s_31, s_width[2], s_min[2], s_max[2];
    Const128 nibble_clz_low, nibble_clz_high; /* leading zeros of a byte whose other nibble is 0; of one by its high nibble */
    Const128 half_width[4];          /* half of the width of H, S, D, in lanes of these */
    /* For reciprocals (rules_recip.c), in lanes of S, D */
    Const128 two[4], one_half[4], inf[4]; /* 2.0, 1.5, infinity */
    Const128 halvable[4];            /* the first 2 * |x| - 1, signs flipped, of which half is exact */
    Const128 recip_from[4], recip_last[4], recip_exp[4]; /* what makes the range that is no trap end with the greatest numbers */
    Const128 rsqrt_from[4], rsqrt_last[4], rsqrt_exp[4];
    uint8_t recip[256];              /* RecipEstimate without its leading one, by eight bits of fraction */
    uint8_t rsqrt[512];              /* RecipSqrtEstimate, by the exponent's last bit and eight bits of fraction */
} SimdConsts;
extern const SimdConsts simd_consts;

/* Where saturating ops collect lanes that saturated: 16 bytes of the CPU head, nonzero = FPSR.QC. */
enum { HEAD_QC = offsetof(CpuHead, scratch) + 48 };

#endif
