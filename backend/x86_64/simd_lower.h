/* simd_lower.h - what the emitters of integer vector ops (rules_simd.c, rules_saturate.c) share.
 *
 * Words: `e` the element, C(field) the memory operand of a constant (simd_consts.h), CE(field) that of the op's element, t0 t1
 * t2 the scratch registers, which are among xmm0..15.
 */
#ifndef ARMX_BACKEND_X86_64_SIMD_LOWER_H
#define ARMX_BACKEND_X86_64_SIMD_LOWER_H

#include "sel.h"
#include "simd_consts.h"

#define C(field) mem_rip(s->l->t->consts + offsetof(SimdConsts, field))
#define t0 (s->tx[0])
#define t1 (s->tx[1])
#define t2 (s->tx[2])

static inline IrElem elem(const Sel *s)
{
    return (IrElem)s->i->x;
}

static inline bool is_unsigned(const Sel *s)
{
    return s->i->y & VS_UNSIGNED;
}

static inline bool avx512(const Sel *s)
{
    return s->l->t->feat.avx512;
}

static inline Mem const_at(const Sel *s, size_t field, unsigned index)
{
    return mem_rip(s->l->t->consts + field + 16 * index);
}
#define CE(field) const_at(s, offsetof(SimdConsts, field), elem(s))
#define CI(field, index) const_at(s, offsetof(SimdConsts, field), (unsigned)(index))

/* -- tables: what differs only by element ----------------------------------------------------------------------- */

enum {
    T_ADD, T_SUB, T_MUL, T_CMPEQ, T_CMPGT, T_ZIP1, T_ZIP2,
    T_MAX, T_MAX_U, T_MIN, T_MIN_U, T_QADD, T_QADD_U, T_QSUB, T_QSUB_U, /* unsigned follows signed */
    T_COUNT
};
static const uint32_t by_elem[T_COUNT][4] = {
    [T_ADD] = {X_vpaddb, X_vpaddw, X_vpaddd, X_vpaddq},
    [T_SUB] = {X_vpsubb, X_vpsubw, X_vpsubd, X_vpsubq},
    [T_MUL] = {0, X_vpmullw, X_vpmulld, 0},
    [T_CMPEQ] = {X_vpcmpeqb, X_vpcmpeqw, X_vpcmpeqd, X_vpcmpeqq},
    [T_CMPGT] = {X_vpcmpgtb, X_vpcmpgtw, X_vpcmpgtd, X_vpcmpgtq},
    [T_ZIP1] = {X_vpunpcklbw, X_vpunpcklwd, X_vpunpckldq, X_vpunpcklqdq},
    [T_ZIP2] = {X_vpunpckhbw, X_vpunpckhwd, X_vpunpckhdq, X_vpunpckhqdq},
    [T_MAX] = {X_vpmaxsb, X_vpmaxsw, X_vpmaxsd, 0},
    [T_MAX_U] = {X_vpmaxub, X_vpmaxuw, X_vpmaxud, 0},
    [T_MIN] = {X_vpminsb, X_vpminsw, X_vpminsd, 0},
    [T_MIN_U] = {X_vpminub, X_vpminuw, X_vpminud, 0},
    [T_QADD] = {X_vpaddsb, X_vpaddsw, 0, 0},
    [T_QADD_U] = {X_vpaddusb, X_vpaddusw, 0, 0},
    [T_QSUB] = {X_vpsubsb, X_vpsubsw, 0, 0},
    [T_QSUB_U] = {X_vpsubusb, X_vpsubusw, 0, 0},
};

static inline void lanes(Asm *a, unsigned table, unsigned e, Reg d, Reg x, Reg y)
{
    enc_v_rr(a, by_elem[table][e], d, x, y);
}

static inline void zero(Asm *a, Reg d)
{
    x_vpxor_rrr(a, d, d, d);
}

static inline void ones(Asm *a, const Sel *s, Reg d)
{
    if (avx512(s)) {
        x_vpternlog_rrri(a, d, d, d, 0xff);
    } else {
        x_vpcmpeqd_rrr(a, d, d, d);
    }
}

static inline void move(Asm *a, Reg d, Reg x)
{
    if (d != x) {
        x_vmovdqa_rr(a, d, x);
    }
}

/* Keeps lanes of x that are not zero for FPSR.QC; x is destroyed. */
static inline void collect(Asm *a, Reg x)
{
    const Mem qc = mem(RSTATE, (int)HEAD_QC - (int)STATE_BIAS);
    x_vpor_rrm(a, x, x, qc);
    x_vmovdqu_to_rm(a, x, qc);
}

/* Shifts of every lane by a constant; n may be the full width. op: 0 left, 1 logical right, 2 arithmetic right. */
enum { SHL, SHR, SAR };
static inline void shift(Asm *a, const Sel *s, unsigned op, unsigned e, Reg d, Reg x, int n)
{
    static const uint32_t table[3][4] = {{0, X_vpsllw, X_vpslld, X_vpsllq}, {0, X_vpsrlw, X_vpsrld, X_vpsrlq}, {0, X_vpsraw, X_vpsrad, X_vpsraq}};
    static const uint8_t digit[3] = {6, 2, 4};
    const int width = 8 << e;
    if (n >= width) {
        if (op != SAR) {
            zero(a, d);
            return;
        }
        n = width - 1;
    }
    if (e != E_B) {
        enc_v_rr(a, table[op][e], digit[op], d, x);
        put8(a, (unsigned)n);
        return;
    }
    if (s->l->t->feat.gfni) {
        size_t matrix = op == SHL ? offsetof(SimdConsts, gf_shl) : op == SHR ? offsetof(SimdConsts, gf_shr) : offsetof(SimdConsts, gf_sar);
        x_vgf2p8affineqb_rrmi(a, d, x, const_at(s, matrix, (unsigned)n), 0);
        return;
    }
    enc_v_rr(a, table[op == SHL ? SHL : SHR][E_H], digit[op == SHL ? SHL : SHR], d, x);
    put8(a, (unsigned)n);
    x_vpand_rrm(a, d, d, op == SHL ? CI(shl_mask, n) : CI(shr_mask, n));
    if (op == SAR) {
        x_vpxor_rrm(a, d, d, CI(sar_sign, n));
        x_vpsubb_rrm(a, d, d, CI(sar_sign, n));
    }
}

/* The products of the first two operands' lanes of 32 bits, doubled: of the even ones in t0, of the odd ones in the
 * destination, which is no source. */
static inline void doubled32(Asm *a, const Sel *s)
{
    x_vpmuldq_rrr(a, t0, s->s[0], s->s[1]);
    x_vpsrlq_rri(a, s->d, s->s[0], 32);
    x_vpsrlq_rri(a, t1, s->s[1], 32);
    x_vpmuldq_rrr(a, s->d, s->d, t1);
    x_vpaddq_rrr(a, t0, t0, t0);
    x_vpaddq_rrr(a, s->d, s->d, s->d);
}

/* t0 = their high halves put together again */
static inline void high_halves(Asm *a, const Sel *s)
{
    x_vpsrlq_rri(a, t0, t0, 32);
    x_vpsrlq_rri(a, s->d, s->d, 32);
    x_vpsllq_rri(a, s->d, s->d, 32);
    x_vpor_rrr(a, t0, t0, s->d);
}

#define BH (X(E_B) | X(E_H))
#define HS (X(E_H) | X(E_S))
#define SD (X(E_S) | X(E_D))
#define BHS (BH | X(E_S))
#define T2 (R_TX1 | R_TX2)
#define T3 (T2 | R_TX3)

#endif
