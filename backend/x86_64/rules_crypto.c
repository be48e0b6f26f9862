/* rules_crypto.c - AES, SHA-1, SHA-256, rotations and CRC32 on x86-64 by the host's instructions for them.
 *
 * "low" registers are xmm0..15: AES without VAES and all SHA instructions reach no others. x86 keeps SHA-1's words in
 * reverse order and adds the round constant itself.
 * SHA-512 is made of vector instructions, one round after the other.
 * Left to the evaluation functions: SM3, SM4.
 */
#include "sel.h"
#include "simd_consts.h"

enum { REVERSE = 0x1b };
#define LOW_XMMS 0xffff00000000ull

static Mem const_at(const Lower *l, const Const128 *field)
{
    return mem_rip(l->t->consts + ((const uint8_t *)field - (const uint8_t *)&simd_consts));
}

static bool is_low(Reg r)
{
    return r < XMM0 + 16;
}

static Reg low_temp(Lower *l)
{
    uint64_t can = l->t->temps & LOW_XMMS & ~l->lock, empty = can & ~l->busy;
    ASSERT(can);
    Reg r = (Reg)__builtin_ctzll(empty ? empty : can);
    l_fix(l, r);
    return r;
}

/* What the op needs no more may leave its register. */
static void unlock(Lower *l, Reg r)
{
    l->lock &= ~bit(r);
}

/* v in a low register that is only read. */
static Reg low_reg(Lower *l, IrRef v)
{
    Reg r = l_reg(l, v);
    if (is_low(r)) {
        return r;
    }
    Reg t = low_temp(l);
    x_vmovaps_rr(&l->a, t, r);
    return t;
}

/* -- AES ------------------------------------------------------------------------------------------------- */

#define BIN(n)                                                                                     \
    static void e_##n(Asm *a, const Sel *s)                                                        \
    {                                                                                              \
        if (s->mi == 1) {                                                                          \
            x_##n##_rrm(a, s->d, s->s[0], s->m);                                                   \
        } else {                                                                                   \
            x_##n##_rrr(a, s->d, s->s[0], s->s[1]);                                                \
        }                                                                                          \
    }
BIN(vaesenc) BIN(vaesenclast) BIN(vaesdec) BIN(vaesdeclast)

/* MixColumns: a round undoes the other steps of an inverse round before it. tx[0] is 0. */
static void e_aes_mc(Asm *a, const Sel *s)
{
    x_vpxor_rrr(a, s->tx[0], s->tx[0], s->tx[0]);
    x_vaesdeclast_rrr(a, s->d, s->s[0], s->tx[0]);
    x_vaesenc_rrr(a, s->d, s->d, s->tx[0]);
}

static void e_aes_imc(Asm *a, const Sel *s)
{
    x_vpxor_rrr(a, s->tx[0], s->tx[0], s->tx[0]);
    x_vaesenclast_rrr(a, s->d, s->s[0], s->tx[0]);
    x_vaesdec_rrr(a, s->d, s->d, s->tx[0]);
}

static void own_aes(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg x = low_reg(l, in->a), key = low_reg(l, in->b), d = l_dst(l, i, false), t = is_low(d) ? d : low_temp(l);
    switch (in->op) {
    case OP_v_aes_enc: x_vaesenc_rrr(a, t, x, key); break;
    case OP_v_aes_last: x_vaesenclast_rrr(a, t, x, key); break;
    case OP_v_aes_dec: x_vaesdec_rrr(a, t, x, key); break;
    default: x_vaesdeclast_rrr(a, t, x, key); break;
    }
    l_mov(l, TV128, d, t);
    l_def(l, i, d, true);
}

static void own_aes_mix(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg x = low_reg(l, in->a), zero = low_temp(l), d = l_dst(l, i, false), t = is_low(d) ? d : low_temp(l);
    if (in->op == OP_v_aes_imc) {
        x_vaesimc_rr(a, t, x);
    } else {
        x_vpxor_rrr(a, zero, zero, zero);
        x_vaesdeclast_rrr(a, t, x, zero);
        x_vaesenc_rrr(a, t, t, zero);
    }
    l_mov(l, TV128, d, t);
    l_def(l, i, d, true);
}

/* -- SHA ------------------------------------------------------------------------------------------------- */

static void own_sha1_hash(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg abcd = l_reg(l, in->a), e = l_reg(l, in->b), w = l_reg(l, in->c), state = low_temp(l), t = low_temp(l);
    x_vpshufd_rri(a, t, w, REVERSE);
    x_vpsubd_rrm(a, t, t, const_at(l, &simd_consts.sha1_k[in->imm]));
    x_vinsertps_rrri(a, state, e, e, 0x37); /* lane 3 = E, the others 0 */
    x_vpaddd_rrr(a, t, t, state);
    x_vpshufd_rri(a, state, abcd, REVERSE);
    unlock(l, abcd);
    unlock(l, e);
    unlock(l, w);
    x_sha1rnds4_rri(a, 0, t, state, (unsigned)in->imm);
    Reg d = l_dst(l, i, false);
    x_vpshufd_rri(a, d, state, REVERSE);
    l_def(l, i, d, true);
}

static void own_sha1_su1(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg x = l_reg(l, in->a), n = l_reg(l, in->b), t = low_temp(l), u = low_temp(l);
    x_vpshufd_rri(a, t, x, REVERSE);
    x_vpshufd_rri(a, u, n, REVERSE);
    x_sha1msg2_rr(a, 0, t, u);
    Reg d = l_dst(l, i, false);
    x_vpshufd_rri(a, d, t, REVERSE);
    l_def(l, i, d, true);
}

/* Makes xmm0 free; a value in it that lives on moves to another register. */
static void take_xmm0(Lower *l)
{
    IrRef v = l->reg_val[XMM0];
    bool move = v && l->val[v].reg == XMM0 && l_lives(l, v), had = l->lock >> XMM0 & 1;
    if (move) {
        l->lock |= (uint64_t)1 << XMM0;
    }
    l_fix(l, XMM0);
    if (move && !had && l->val[v].reg != NOREG) {
        unlock(l, l->val[v].reg);
    }
}

static void own_sha256_rnds2(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    l_reg(l, in->b);
    l_reg(l, in->c);
    take_xmm0(l); /* may move them */
    Reg abef = low_reg(l, in->b), words = l_reg(l, in->c);
    x_vmovaps_rr(a, XMM0, words);
    if (words != l->val[in->b].reg) {
        unlock(l, words);
    }
    Reg cdgh = l_take(l, in->a);
    ASSERT(is_low(cdgh));
    x_sha256rnds2_rr(a, 0, cdgh, abef);
    l_def(l, i, cdgh, true);
}

static void own_sha256_msg(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg x = l_reg(l, in->a), y = low_reg(l, in->b), d = l_dst(l, i, true), t = is_low(d) ? d : low_temp(l);
    l_mov(l, TV128, t, x);
    if (in->op == OP_v_sha256_su0) {
        x_sha256msg1_rr(a, 0, t, y);
    } else {
        x_sha256msg2_rr(a, 0, t, y);
    }
    l_mov(l, TV128, d, t);
    l_def(l, i, d, true);
}

/* d = v rotated right by n; it may be v, tmp not. */
static void rotate(Asm *a, const Sel *s, Reg d, Reg v, unsigned n, Reg tmp)
{
    if (s->l->t->feat.avx512) {
        x_vprorq_rri(a, d, v, n);
    } else {
        x_vpsllq_rri(a, tmp, v, 64 - n);
        x_vpsrlq_rri(a, d, v, n);
        x_vpor_rrr(a, d, d, tmp);
    }
}

/* d = v rotated by c, by b + c and by a + b + c, all exclusively or'ed: SHA-512's functions of one word. d is not v. */
static void sigma(Asm *a, const Sel *s, Reg d, Reg v, const uint8_t by[3], Reg tmp)
{
    rotate(a, s, d, v, by[0], tmp);
    x_vpxor_rrr(a, d, d, v);
    rotate(a, s, d, d, by[1], tmp);
    x_vpxor_rrr(a, d, d, v);
    rotate(a, s, d, d, by[2], tmp);
}

/* The result's upper half, which waits in memory, comes first; the lower one continues with it. Everything is done in lower
 * halves. */
static void e_sha512_hash(Asm *a, const Sel *s)
{
    static const uint8_t sigma0[] = {5, 6, 28}, sigma1[] = {23, 4, 14};
    const bool second = s->i->imm;
    const uint8_t *by = second ? sigma0 : sigma1;
    const Reg w = s->s[0], x = s->s[1], y = s->s[2], d = s->d, u = s->tx[0], v = s->tx[1];
    const bool ternary = s->l->t->feat.avx512;
    const Mem half = mem(RSTATE, (int)offsetof(CpuHead, ev) - (int)STATE_BIAS);
    enum { HIGH = 0xee, MAJORITY = 0xe8, CHOICE_BY_SECOND = 0xb8 /* third, else first */, CHOICE_OF_FIRST = 0xe2 };
    x_vpshufd_rri(a, u, y, HIGH);
    sigma(a, s, v, second ? y : u, by, d);
    if (second && ternary) { /* majority */
        x_vmovdqa_rr(a, d, u);
        x_vpternlog_rrri(a, d, x, y, MAJORITY);
    } else if (second) { /* both bits, or one of them and the third */
        x_vpor_rrr(a, d, u, y);
        x_vpand_rrr(a, d, d, x);
        x_vpand_rrr(a, u, u, y);
        x_vpor_rrr(a, d, d, u);
    } else if (ternary) {
        x_vpshufd_rri(a, d, x, HIGH);
        x_vpternlog_rrri(a, d, u, x, CHOICE_BY_SECOND);
    } else { /* choice */
        x_vpand_rrr(a, d, u, x);
        x_vpandn_rrr(a, u, y, x);
        x_vpshufd_rri(a, u, u, HIGH);
        x_vpor_rrr(a, d, d, u);
    }
    x_vpaddq_rrr(a, d, d, v);
    x_vpshufd_rri(a, u, w, HIGH);
    x_vpaddq_rrr(a, v, d, u);
    x_vmovq_to_rm(a, v, half);
    if (!second) {
        x_vpaddq_rrr(a, v, v, y);
    }
    sigma(a, s, u, v, by, d);
    x_vpaddq_rrr(a, u, u, w);
    x_vpshufd_rri(a, d, y, HIGH);
    if (ternary && second) {
        x_vpternlog_rrri(a, d, y, v, MAJORITY);
    } else if (ternary) {
        x_vpternlog_rrri(a, d, v, x, CHOICE_OF_FIRST);
    } else if (second) { /* the majority in two parts that have no bit in common */
        x_vpxor_rrr(a, d, d, y);
        x_vpand_rrr(a, d, d, v);
        x_vpaddq_rrr(a, u, u, d);
        x_vpshufd_rri(a, d, y, HIGH);
        x_vpand_rrr(a, d, d, y);
    } else {
        x_vpand_rrr(a, d, d, v);
        x_vpandn_rrr(a, v, v, x);
        x_vpor_rrr(a, d, d, v);
    }
    x_vpaddq_rrr(a, u, u, d);
    x_vmovhpd_rrm(a, d, u, half);
}

/* -- rotations, CRC32 -------------------------------------------------------------------------------------- */

static void e_ror_evex(Asm *a, const Sel *s)
{
    (s->i->x == E_D ? x_vprorq_rri : x_vprord_rri)(a, s->d, s->s[0], (unsigned)s->i->imm);
}

static void e_ror(Asm *a, const Sel *s)
{
    unsigned n = (unsigned)s->i->imm;
    if (s->i->x == E_D) {
        x_vpsrlq_rri(a, s->tx[0], s->s[0], n);
        x_vpsllq_rri(a, s->d, s->s[0], 64 - n);
    } else {
        x_vpsrld_rri(a, s->tx[0], s->s[0], n);
        x_vpslld_rri(a, s->d, s->s[0], 32 - n);
    }
    x_vpor_rrr(a, s->d, s->d, s->tx[0]);
}

static void own_crc32c(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg acc = l_reg(l, in->a), data = l_reg(l, in->b), d = l_dst(l, i, false);
    if (d == data && d != acc) {
        d = l_temp(l);
    }
    l_mov(l, I32, d, acc);
    switch (in->x) {
    case 0: x_crc32_8(a, d, data); break;
    case 1: x_crc32_16(a, d, data); break;
    default: x_crc32_rr(a, in->x == 3, d, data); break;
    }
    l_def(l, i, d, true);
}

/* Reflected: the low n bits of acc ^ data are cancelled by a multiple q * P; what q * P has above them is the result.
 * q = (bits << (64 - n)) / P modulo x^64. */
static void own_crc32(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    if (in->y) {
        own_crc32c(l, i);
        return;
    }
    if (!l->t->feat.aes) {
        l_eval(l, i);
        return;
    }
    Asm *a = &l->a;
    unsigned n = 8u << in->x;
    l_clobber(l);
    Reg acc = l_reg_zx(l, in->a), data = l_reg(l, in->b), t = l_temp(l), k = low_temp(l), x = low_temp(l);
    x_mov_rr(a, n == 64, t, data);
    x_xor_rr(a, n == 64, t, acc);
    if (n < 64) {
        x_shl_ri(a, 1, t, 64 - n);
    }
    x_vmovq_r_rr(a, x, t);
    x_vmovaps_rm(a, k, const_at(l, &simd_consts.crc32));
    x_vpclmulqdq_rrri(a, x, x, k, 0x00);
    x_vpclmulqdq_rrri(a, x, x, k, 0x10);
    if (n < 32) {
        x_mov_rr(a, 0, t, acc);
        x_shr_ri(a, 0, t, n);
    }
    Reg d = l_dst(l, i, n < 32);
    x_vpextrd_rri(a, x, d, 2);
    if (n < 32) {
        x_xor_rr(a, 0, d, t);
    }
    l_def(l, i, d, true);
}

#define OWN_IF(op, flags, f) {OP_##op, 0, 0, 0, {0, 0, 0}, flags, 1, NULL, f, 0},
#define AES(op, e)                                                                                 \
    RULE(op, 0, 0, D_X, S_X, S_XM, S_NONE, R_ZX | R_VAES, e, 0)                                    \
    OWN_IF(op, R_AES, own_aes)
#define MIX(op, e)                                                                                 \
    RULE(op, 0, 0, D_X, S_X, S_NONE, S_NONE, R_ZX | R_VAES | R_TX1, e, 0)                          \
    OWN_IF(op, R_AES, own_aes_mix)

// clang-format off
const Rule rules_crypto[] = {
    AES(v_aes_enc, e_vaesenc)
    AES(v_aes_last, e_vaesenclast)
    AES(v_aes_dec, e_vaesdec)
    AES(v_aes_ilast, e_vaesdeclast)
    MIX(v_aes_mc, e_aes_mc)
    MIX(v_aes_imc, e_aes_imc)
    OWN_IF(v_sha1_hash, R_SHA, own_sha1_hash)
    OWN_IF(v_sha1_su1, R_SHA, own_sha1_su1)
    OWN_IF(v_sha256_rnds2, R_SHA, own_sha256_rnds2)
    OWN_IF(v_sha256_su0, R_SHA, own_sha256_msg)
    OWN_IF(v_sha256_msg2, R_SHA, own_sha256_msg)
    RULE(v_sha512_hash, 0, 0, D_XE, S_X, S_X, S_X, R_ZX | R_TX1 | R_TX2, e_sha512_hash, 0)
    RULE(v_ror_i, 0, X(E_S) | X(E_D), D_X, S_X, S_NONE, S_NONE, R_ZX | R_AVX512, e_ror_evex, 0)
    RULE(v_ror_i, 0, X(E_S) | X(E_D), D_X, S_X, S_NONE, S_NONE, R_ZX | R_TX1, e_ror, 0)
    OWN(crc32, 0, 0, own_crc32)
};
// clang-format on
const unsigned rules_crypto_n = LEN(rules_crypto);
