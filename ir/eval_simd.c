/* eval_simd.c - what the integer vector ops (v_* of ops.def and ops_simd.def) mean.
 *
 * Words: a lane is an element of size 1 << e bytes; U(x) and S(x) are lane i of x without and with sign; EACH runs
 * its statement for every lane i and stores what it leaves in `v`.  Results are made in a local `t`, so r may be one
 * of the operands.  Saturation goes through sat_s and sat_u, which set FPSR.QC.
 * To add an op: a row in ops_simd.def, a function here.  Citations: DDI 0487, the instruction of the same name.
 */
#include "eval.h"

typedef __int128 Wide;
typedef unsigned __int128 UWide;

enum { FPSR_QC = 1 << 27 };

static inline uint64_t lane_u(const V128 *v, unsigned e, unsigned i)
{
    switch (e) {
    case E_B: return v->b[i];
    case E_H: return v->h[i];
    case E_S: return v->s[i];
    default: return v->d[i];
    }
}

static inline int64_t lane_s(const V128 *v, unsigned e, unsigned i)
{
    switch (e) {
    case E_B: return v->sb[i];
    case E_H: return v->sh[i];
    case E_S: return v->ss[i];
    default: return v->sd[i];
    }
}

static inline void lane_put(V128 *v, unsigned e, unsigned i, uint64_t x)
{
    switch (e) {
    case E_B: v->b[i] = (uint8_t)x; break;
    case E_H: v->h[i] = (uint16_t)x; break;
    case E_S: v->s[i] = (uint32_t)x; break;
    default: v->d[i] = x; break;
    }
}

static inline uint64_t sat_s(FpEnv *env, Wide x, unsigned width)
{
    const Wide max = ((Wide)1 << (width - 1)) - 1, min = -max - 1;
    if (x > max || x < min) {
        env->fpsr |= FPSR_QC;
        x = x > max ? max : min;
    }
    return (uint64_t)x;
}

static inline uint64_t sat_u(FpEnv *env, Wide x, unsigned width)
{
    const Wide max = ((Wide)1 << width) - 1;
    if (x > max || x < 0) {
        env->fpsr |= FPSR_QC;
        x = x > max ? max : 0;
    }
    return (uint64_t)x;
}

static inline uint64_t sat(FpEnv *env, Wide x, unsigned width, bool is_unsigned)
{
    return is_unsigned ? sat_u(env, x, width) : sat_s(env, x, width);
}

#define WIDTH (8u << e)
#define UNS (EV_Y(k) & VS_UNSIGNED)
#define U(x) lane_u(x, e, i)
#define S(x) lane_s(x, e, i)
#define X(x) (UNS ? (Wide)U(x) : (Wide)S(x))
#define EACH(...)                                                                                  \
    do {                                                                                           \
        const unsigned e = EV_X(k);                                                                \
        V128 t;                                                                                    \
        for (unsigned i = 0; i < 16u >> e; i++) {                                                  \
            uint64_t v;                                                                            \
            __VA_ARGS__;                                                                           \
            lane_put(&t, e, i, v);                                                                 \
        }                                                                                          \
        *r = t;                                                                                    \
    } while (0)

/* -- moves and bits ---------------------------------------------------------------------------------- */

EVALUATE(v_dup)
{
    const uint64_t x = a->d[0];
    EACH(v = x);
}

EVALUATE(v_dup_lane)
{
    const uint64_t x = lane_u(a, EV_X(k), (unsigned)EV_IMM(k));
    EACH(v = x);
}

EVALUATE(v_get)
{
    const unsigned e = EV_X(k), i = (unsigned)EV_IMM(k);
    const uint64_t x = EV_Y(k) ? (uint64_t)S(a) : U(a);
    *r = (V128){.d = {x, 0}};
}

EVALUATE(v_put)
{
    const uint64_t x = b->d[0];
    V128 t = *a;
    lane_put(&t, EV_X(k), (unsigned)EV_IMM(k), x);
    *r = t;
}

EVALUATE(v_put_lane)
{
    V128 t = *a;
    lane_put(&t, EV_X(k), (unsigned)EV_IMM(k), lane_u(b, EV_X(k), EV_Y(k)));
    *r = t;
}

EVALUATE(v_low)
{
    V128 t = {.d = {0, 0}};
    lane_put(&t, EV_X(k), 0, lane_u(a, EV_X(k), 0));
    *r = t;
}

EVALUATE(v_low64)
{
    *r = (V128){.d = {a->d[0], 0}};
}

EVALUATE(v_pair64)
{
    *r = (V128){.d = {a->d[0], b->d[0]}};
}

EVALUATE(v_and)
{
    *r = (V128){.d = {a->d[0] & b->d[0], a->d[1] & b->d[1]}};
}

EVALUATE(v_or)
{
    *r = (V128){.d = {a->d[0] | b->d[0], a->d[1] | b->d[1]}};
}

EVALUATE(v_xor)
{
    *r = (V128){.d = {a->d[0] ^ b->d[0], a->d[1] ^ b->d[1]}};
}

EVALUATE(v_andn)
{
    *r = (V128){.d = {a->d[0] & ~b->d[0], a->d[1] & ~b->d[1]}};
}

EVALUATE(v_orn)
{
    *r = (V128){.d = {a->d[0] | ~b->d[0], a->d[1] | ~b->d[1]}};
}

EVALUATE(v_not)
{
    *r = (V128){.d = {~a->d[0], ~a->d[1]}};
}

EVALUATE(v_bsl)
{
    *r = (V128){.d = {(a->d[0] & b->d[0]) | (~a->d[0] & c->d[0]), (a->d[1] & b->d[1]) | (~a->d[1] & c->d[1])}};
}

EVALUATE(v_rev)
{
    const unsigned lanes = 1u << ((unsigned)EV_IMM(k) - EV_X(k));
    EACH(v = lane_u(a, e, i ^ (lanes - 1)));
}

EVALUATE(v_rbit)
{
    EACH(uint64_t x = U(a); v = 0; for (unsigned j = 0; j < 8; j++) { v |= (x >> j & 1) << (7 - j); });
}

EVALUATE(v_cnt)
{
    EACH(v = (uint64_t)__builtin_popcountll(U(a)));
}

EVALUATE(v_clz)
{
    EACH(v = U(a) ? (uint64_t)__builtin_clzll(U(a)) - (64 - WIDTH) : WIDTH);
}

EVALUATE(v_cls)
{
    EACH(v = (uint64_t)__builtin_clrsbll(S(a)) - (64 - WIDTH));
}

/* -- sums, differences, comparisons -------------------------------------------------------------------- */

EVALUATE(v_add)
{
    EACH(v = U(a) + U(b));
}

EVALUATE(v_sub)
{
    EACH(v = U(a) - U(b));
}

EVALUATE(v_neg)
{
    EACH(v = 0 - U(a));
}

EVALUATE(v_abs)
{
    EACH(v = S(a) < 0 ? 0 - U(a) : U(a));
}

EVALUATE(v_max)
{
    EACH(v = X(a) > X(b) ? U(a) : U(b));
}

EVALUATE(v_min)
{
    EACH(v = X(a) < X(b) ? U(a) : U(b));
}

EVALUATE(v_abd)
{
    EACH(Wide d = X(a) - X(b); v = (uint64_t)(d < 0 ? -d : d));
}

EVALUATE(v_hadd)
{
    EACH(v = (uint64_t)((X(a) + X(b) + (EV_Y(k) & VS_ROUND ? 1 : 0)) >> 1));
}

EVALUATE(v_hsub)
{
    EACH(v = (uint64_t)((X(a) - X(b)) >> 1));
}

EVALUATE(v_qadd)
{
    EACH(v = sat(env, X(a) + X(b), WIDTH, UNS));
}

EVALUATE(v_qsub)
{
    EACH(v = sat(env, X(a) - X(b), WIDTH, UNS));
}

EVALUATE(v_suqadd)
{
    EACH(v = UNS ? sat_u(env, (Wide)U(a) + S(b), WIDTH) : sat_s(env, (Wide)S(a) + U(b), WIDTH));
}

EVALUATE(v_qabs)
{
    EACH(v = sat_s(env, S(a) < 0 ? -(Wide)S(a) : S(a), WIDTH));
}

EVALUATE(v_qneg)
{
    EACH(v = sat_s(env, -(Wide)S(a), WIDTH));
}

static bool compare(unsigned op, uint64_t ua, uint64_t ub, int64_t sa, int64_t sb)
{
    switch (op) {
    case CMP_EQ: return ua == ub;
    case CMP_NE: return ua != ub;
    case CMP_ULT: return ua < ub;
    case CMP_ULE: return ua <= ub;
    case CMP_UGT: return ua > ub;
    case CMP_UGE: return ua >= ub;
    case CMP_SLT: return sa < sb;
    case CMP_SLE: return sa <= sb;
    case CMP_SGT: return sa > sb;
    default: return sa >= sb;
    }
}

EVALUATE(v_cmp)
{
    EACH(v = compare(EV_Y(k), U(a), U(b), S(a), S(b)) ? ~(uint64_t)0 : 0);
}

EVALUATE(v_addp)
{
    const unsigned half = 8u >> EV_X(k);
    EACH(const V128 *s = i < half ? a : b; unsigned j = 2 * (i % half); v = lane_u(s, e, j) + lane_u(s, e, j + 1));
}

EVALUATE(v_addlp)
{
    const unsigned e = EV_X(k);
    V128 t;
    for (unsigned j = 0; j < 8u >> e; j++) {
        unsigned i = 2 * j;
        Wide x = X(a);
        i++;
        lane_put(&t, e + 1, j, (uint64_t)(x + X(a)));
    }
    *r = t;
}

EVALUATE(v_addv)
{
    const unsigned e = EV_X(k);
    uint64_t sum = 0;
    for (unsigned i = 0; i < 16u >> e; i++) {
        sum += U(a);
    }
    *r = (V128){.d = {sum & bits_mask(WIDTH), 0}};
}

EVALUATE(v_maxv)
{
    const unsigned e = EV_X(k);
    unsigned i = 0;
    Wide m = X(a);
    for (i = 1; i < 16u >> e; i++) {
        m = X(a) > m ? X(a) : m;
    }
    *r = (V128){.d = {(uint64_t)m & bits_mask(WIDTH), 0}};
}

EVALUATE(v_minv)
{
    const unsigned e = EV_X(k);
    unsigned i = 0;
    Wide m = X(a);
    for (i = 1; i < 16u >> e; i++) {
        m = X(a) < m ? X(a) : m;
    }
    *r = (V128){.d = {(uint64_t)m & bits_mask(WIDTH), 0}};
}

/* -- products ------------------------------------------------------------------------------------------ */

EVALUATE(v_mul)
{
    EACH(v = U(a) * U(b));
}


EVALUATE(v_mull)
{
    const unsigned e = EV_X(k);
    V128 t;
    for (unsigned j = 0; j < 8u >> e; j++) {
        unsigned i = j + (EV_IMM(k) ? 8u >> e : 0);
        lane_put(&t, e + 1, j, (uint64_t)(X(a) * X(b)));
    }
    *r = t;
}

EVALUATE(v_qdmull)
{
    const unsigned e = EV_X(k);
    V128 t;
    for (unsigned j = 0; j < 8u >> e; j++) {
        unsigned i = j + (EV_IMM(k) ? 8u >> e : 0);
        lane_put(&t, e + 1, j, sat_s(env, 2 * (Wide)S(a) * S(b), 2 * WIDTH));
    }
    *r = t;
}

EVALUATE(v_qdmulh)
{
    const Wide round = EV_Y(k) & VS_ROUND ? (Wide)1 << ((8u << EV_X(k)) - 1) : 0;
    EACH(v = sat_s(env, (2 * (Wide)S(a) * S(b) + round) >> WIDTH, WIDTH));
}

EVALUATE(v_qrdmlah)
{
    EACH(Wide p = 2 * (Wide)S(a) * S(b); p = EV_IMM(k) ? -p : p;
         v = sat_s(env, ((Wide)S(c) * ((Wide)1 << WIDTH) + p + ((Wide)1 << (WIDTH - 1))) >> WIDTH, WIDTH));
}

static UWide poly_mul(uint64_t x, uint64_t y)
{
    UWide p = 0;
    for (unsigned i = 0; i < 64; i++) {
        p ^= y >> i & 1 ? (UWide)x << i : 0;
    }
    return p;
}

EVALUATE(v_pmul)
{
    EACH(v = (uint64_t)poly_mul(U(a), U(b)));
}

EVALUATE(v_pmull)
{
    const unsigned hi = EV_IMM(k) != 0;
    V128 t;
    if (EV_X(k) == E_D) {
        UWide p = poly_mul(a->d[hi], b->d[hi]);
        t = (V128){.d = {(uint64_t)p, (uint64_t)(p >> 64)}};
    } else {
        for (unsigned j = 0; j < 8; j++) {
            t.h[j] = (uint16_t)poly_mul(a->b[j + 8 * hi], b->b[j + 8 * hi]);
        }
    }
    *r = t;
}

/* Product of two bytes with the signs that DOT_* gives. */
static int32_t dot_product(int kind, const V128 *a, unsigned i, const V128 *b, unsigned j)
{
    int32_t x = kind == DOT_SS || kind == DOT_SU ? a->sb[i] : a->b[i];
    int32_t y = kind == DOT_SS || kind == DOT_US ? b->sb[j] : b->b[j];
    return x * y;
}

EVALUATE(v_dot)
{
    V128 t = *c;
    for (unsigned i = 0; i < 16; i++) {
        t.s[i / 4] += (uint32_t)dot_product(EV_IMM(k), a, i, b, i);
    }
    *r = t;
}

/* -- widths -------------------------------------------------------------------------------------------- */

EVALUATE(v_widen)
{
    const unsigned e = EV_X(k);
    V128 t;
    for (unsigned j = 0; j < 8u >> e; j++) {
        unsigned i = j + (EV_IMM(k) ? 8u >> e : 0);
        lane_put(&t, e + 1, j, UNS ? U(a) : (uint64_t)S(a));
    }
    *r = t;
}

EVALUATE(v_narrow)
{
    const unsigned e = EV_X(k);
    V128 t = {.d = {0, 0}};
    for (unsigned i = 0; i < 16u >> e; i++) {
        lane_put(&t, e - 1, i, U(a));
    }
    *r = t;
}

EVALUATE(v_narrow_sat)
{
    const unsigned e = EV_X(k), y = EV_Y(k), w = WIDTH / 2;
    V128 t = {.d = {0, 0}};
    for (unsigned i = 0; i < 16u >> e; i++) {
        lane_put(&t, e - 1, i, sat(env, y == NARROW_UU ? (Wide)U(a) : (Wide)S(a), w, y != NARROW_SS));
    }
    *r = t;
}

/* -- shifts -------------------------------------------------------------------------------------------- */

EVALUATE(v_shl_i)
{
    EACH(v = U(a) << EV_IMM(k));
}

EVALUATE(v_lshr_i)
{
    EACH(v = EV_IMM(k) >= 64 ? 0 : U(a) >> EV_IMM(k));
}

EVALUATE(v_ashr_i)
{
    EACH(v = (uint64_t)(S(a) >> (EV_IMM(k) >= 64 ? 63 : EV_IMM(k))));
}

EVALUATE(v_rshr_i)
{
    EACH(v = (uint64_t)((X(a) + ((Wide)1 << (EV_IMM(k) - 1))) >> EV_IMM(k)));
}

/* x * 2^-n for n > 0, rounded down or to nearest; x is a lane of width bits, with or without sign. */
static uint64_t shift_right(Wide x, unsigned n, unsigned width, bool round)
{
    if (n > width) { /* all bits lie below the rounding bit, or only signs are left */
        return round ? 0 : x < 0 ? ~(uint64_t)0 : 0;
    }
    return (uint64_t)((x + (round ? (Wide)1 << (n - 1) : 0)) >> n);
}

EVALUATE(v_shl_v)
{
    EACH(int n = (int8_t)U(b);
         v = n < 0 ? shift_right(X(a), (unsigned)-n, WIDTH, EV_Y(k) & VS_ROUND)
                   : n >= (int)WIDTH ? 0 : U(a) << n);
}

EVALUATE(v_qshl_v)
{
    const Wide huge = (Wide)1 << 100;
    EACH(int n = (int8_t)U(b); Wide x = X(a);
         if (n < 0) { v = shift_right(x, (unsigned)-n, WIDTH, EV_Y(k) & VS_ROUND); }
         else { v = sat(env, n < (int)WIDTH ? x * ((Wide)1 << n) : x > 0 ? huge : x < 0 ? -huge : 0, WIDTH, UNS); });
}

EVALUATE(v_qshlu_i)
{
    EACH(v = sat_u(env, (Wide)S(a) * ((Wide)1 << EV_IMM(k)), WIDTH));
}

/* -- permutations -------------------------------------------------------------------------------------- */

EVALUATE(v_zip1)
{
    EACH(v = lane_u(i & 1 ? b : a, e, i / 2));
}

EVALUATE(v_zip2)
{
    EACH(v = lane_u(i & 1 ? b : a, e, i / 2 + (8u >> e)));
}

EVALUATE(v_uzp1)
{
    EACH(unsigned n = 8u >> e; v = lane_u(i < n ? a : b, e, 2 * (i % n)));
}

EVALUATE(v_uzp2)
{
    EACH(unsigned n = 8u >> e; v = lane_u(i < n ? a : b, e, 2 * (i % n) + 1));
}

EVALUATE(v_trn1)
{
    EACH(v = lane_u(i & 1 ? b : a, e, i & ~1u));
}

EVALUATE(v_trn2)
{
    EACH(v = lane_u(i & 1 ? b : a, e, i | 1));
}

EVALUATE(v_ext)
{
    uint8_t all[32];
    memcpy(all, a, 16);
    memcpy(all + 16, b, 16);
    memcpy(r, all + EV_IMM(k), 16);
}

EVALUATE(v_tbl1)
{
    V128 t;
    for (unsigned i = 0; i < 16; i++) {
        t.b[i] = b->b[i] < 16 ? a->b[b->b[i]] : 0;
    }
    *r = t;
}

EVALUATE(v_tbl2)
{
    V128 t;
    for (unsigned i = 0; i < 16; i++) {
        unsigned n = c->b[i];
        t.b[i] = n < 16 ? a->b[n] : n < 32 ? b->b[n - 16] : 0;
    }
    *r = t;
}

EVALUATE(v_deint3)
{
    const V128 all[3] = {*a, *b, *c};
    EACH(unsigned n = 16u >> e; unsigned j = 3 * i + (unsigned)EV_IMM(k); v = lane_u(&all[j / n], e, j % n));
}

EVALUATE(v_int3)
{
    const V128 all[3] = {*a, *b, *c};
    EACH(unsigned j = i + (unsigned)EV_IMM(k) * (16u >> e); v = lane_u(&all[j % 3], e, j / 3));
}

/* -- estimates (shared/functions/float, RecipEstimate and RecipSqrtEstimate) ------------------------------- */

static uint32_t recip_estimate(uint32_t x)
{
    uint32_t m = (1u << 19) / (2 * x + 1);
    return (m + 1) / 2;
}

static uint32_t rsqrt_estimate(uint32_t x)
{
    uint32_t m = 512;
    x = x < 256 ? 2 * x + 1 : 2 * ((x & ~1u) + 1);
    while ((uint64_t)x * (m + 1) * (m + 1) < 1u << 28) {
        m++;
    }
    return (m + 1) / 2;
}

EVALUATE(v_urecpe)
{
    EACH(uint32_t x = (uint32_t)U(a); v = x >> 31 ? recip_estimate(x >> 23) << 23 : ~0u);
}

EVALUATE(v_ursqrte)
{
    EACH(uint32_t x = (uint32_t)U(a); v = x >> 30 ? rsqrt_estimate(x >> 23) << 23 : ~0u);
}
