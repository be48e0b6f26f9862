/* half2.c - all pairs of halves: softfloat.c against integers.
 *
 * A half is n * 2^-24 with an integer n = sig << shift below 2^40, so sums are exact in 64 bits and products in 128, and a
 * quotient of the significands with a sticky bit rounds as the exact one does. What NaNs, infinities and zeros give is
 * written out.
 */
#include "own_soft.h"
#include "exhaust.h"

typedef struct Half {
    uint64_t n;          /* magnitude in units of 2^-24 */
    uint16_t v, sig;
    uint8_t shift;
    bool sign, nan, snan, inf;
} Half;

enum { H_INF = 0x7c00, H_MAX = 0x7bff, QUIET = 0x200, DEFAULT_NAN = 0x7e00, MIN_UNIT = -24 };

static Half half_of(uint16_t v)
{
    unsigned exp = v >> 10 & 31, frac = v & 0x3ff;
    Half h = {.v = v, .sign = v >> 15, .nan = exp == 31 && frac, .inf = exp == 31 && !frac};
    h.snan = h.nan && !(frac & QUIET);
    h.sig = (uint16_t)(exp == 31 ? 0 : exp ? frac | 0x400 : frac);
    h.shift = (uint8_t)(exp ? exp - 1 : 0);
    h.n = (uint64_t)h.sig << h.shift;
    return h;
}

ALWAYS bool zero(Half h)
{
    return !h.n && !h.nan && !h.inf;
}

ALWAYS Result plain(bool sign, unsigned bits, uint32_t flags)
{
    return (Result){(unsigned)sign << 15 | bits, flags};
}

/* mag * 2^unit, with a magnitude whose leading bit is 2^top; it is not 0. */
#define ROUND_HALF(name, Mag)                                                                                          \
    ALWAYS Result name(bool sign, Mag mag, int top, int unit, unsigned mode)                                           \
    {                                                                                                                  \
        int e = top + unit < -14 ? -14 : top + unit, shift = e - 10 - unit;                                            \
        Mag whole = shift > 0 ? mag >> shift : mag << -shift, rest = shift > 0 ? mag - (whole << shift) : 0;           \
        Mag middle = shift > 0 ? (Mag)1 << (shift - 1) : 1;                                                            \
        bool up = mode == FPR_TIEEVEN  ? rest > middle || (rest == middle && (whole & 1))                              \
                  : mode == FPR_POSINF ? !sign && rest                                                                 \
                  : mode == FPR_NEGINF ? sign && rest                                                                  \
                                       : false;                                                                        \
        uint64_t bits = ((uint64_t)(e + 14) << 10) + (uint64_t)whole + up;                                             \
        if (bits >= H_INF) {                                                                                             \
            bool inf = mode == FPR_TIEEVEN || mode == (sign ? FPR_NEGINF : FPR_POSINF);                                \
            return plain(sign, inf ? H_INF : H_MAX, FPSR_OFC | FPSR_IXC);                                                  \
        }                                                                                                              \
        return plain(sign, (unsigned)bits, !rest ? 0 : top + unit < -14 ? FPSR_IXC | FPSR_UFC : FPSR_IXC);             \
    }
ROUND_HALF(round_narrow, uint64_t)
ROUND_HALF(round_wide, U128)

ALWAYS Result round_half(bool sign, uint64_t mag, int unit, unsigned mode)
{
    return round_narrow(sign, mag, 63 - __builtin_clzll(mag), unit, mode);
}

ALWAYS Result round_half_wide(bool sign, U128 mag, int unit, unsigned mode)
{
    uint64_t high = (uint64_t)(mag >> 64);
    return high ? round_wide(sign, mag, 127 - __builtin_clzll(high), unit, mode) : round_half(sign, (uint64_t)mag, unit, mode);
}

ALWAYS Result nan_of(Half a, Half b)
{
    Half n = a.snan ? a : b.snan ? b : a.nan ? a : b;
    return (Result){n.v | QUIET, a.snan || b.snan ? FPSR_IOC : 0};
}

/* (+-a +-b) * 2^unit */
#define TOTAL(name, Mag, round)                                                                                        \
    ALWAYS Result name(bool as, Mag a, bool bs, Mag b, int unit, unsigned mode)                                        \
    {                                                                                                                  \
        if (as == bs) {                                                                                                \
            return a + b ? round(as, a + b, unit, mode) : plain(as, 0, 0);                                             \
        }                                                                                                              \
        if (a == b) {                                                                                                  \
            return plain(mode == FPR_NEGINF, 0, 0);                                                                    \
        }                                                                                                              \
        return a > b ? round(as, a - b, unit, mode) : round(bs, b - a, unit, mode);                                    \
    }
TOTAL(total, uint64_t, round_half)
TOTAL(total_wide, U128, round_half_wide)

ALWAYS Result add(Half a, Half b, unsigned mode)
{
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if (a.inf || b.inf) {
        return a.inf && b.inf && a.sign != b.sign ? plain(0, DEFAULT_NAN, FPSR_IOC) : plain(a.inf ? a.sign : b.sign, H_INF, 0);
    }
    return total(a.sign, a.n, b.sign, b.n, MIN_UNIT, mode);
}

ALWAYS Result sub(Half a, Half b, unsigned mode)
{
    b.sign ^= !b.nan;
    return add(a, b, mode);
}

ALWAYS Result mul(Half a, Half b, unsigned mode)
{
    bool sign = a.sign ^ b.sign;
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if (a.inf || b.inf) {
        return zero(a) || zero(b) ? plain(0, DEFAULT_NAN, FPSR_IOC) : plain(sign, H_INF, 0);
    }
    return a.n && b.n ? round_half(sign, (uint64_t)a.sig * b.sig, a.shift + b.shift + 2 * MIN_UNIT, mode) : plain(sign, 0, 0);
}

ALWAYS Result mulx(Half a, Half b, unsigned mode)
{
    bool odd = (a.inf && zero(b)) || (zero(a) && b.inf);
    return odd ? plain(a.sign ^ b.sign, 0x4000, 0) : mul(a, b, mode);
}

ALWAYS Result divide(Half a, Half b, unsigned mode)
{
    bool sign = a.sign ^ b.sign;
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if ((a.inf && b.inf) || (zero(a) && zero(b))) {
        return plain(0, DEFAULT_NAN, FPSR_IOC);
    }
    if (a.inf || zero(b)) {
        return plain(sign, H_INF, a.inf ? 0 : FPSR_DZC);
    }
    if (b.inf || zero(a)) {
        return plain(sign, 0, 0);
    }
    enum { UP = 40 }; /* a quotient of 30 bits and more */
    uint64_t n = (uint64_t)a.sig << UP;
    return round_half(sign, n / b.sig << 1 | (n % b.sig != 0), a.shift - b.shift - UP - 1, mode);
}

/* (k - a * b) * 2^-halved */
ALWAYS Result step(Half a, Half b, unsigned k, int halved, unsigned mode)
{
    a.sign ^= !a.nan;
    a.v ^= a.nan ? 0x8000 : 0; /* FPNeg of the first operand comes first */
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if ((a.inf && zero(b)) || (zero(a) && b.inf)) {
        return plain(0, k == 2 ? 0x4000 : 0x3e00, 0);
    }
    if (a.inf || b.inf) {
        return plain(a.sign ^ b.sign, H_INF, 0);
    }
    return total_wide(0, (U128)k << 48, a.sign ^ b.sign, (U128)a.n * b.n, 2 * MIN_UNIT - halved, mode);
}

/* -1, 0, 1 */
ALWAYS int order(Half a, Half b)
{
    int64_t x = a.inf ? INT64_MAX : (int64_t)a.n, y = b.inf ? INT64_MAX : (int64_t)b.n;
    x = a.sign ? -x : x;
    y = b.sign ? -y : y;
    return (x > y) - (x < y);
}

ALWAYS Result extreme(Half a, Half b, bool max)
{
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if (zero(a) && zero(b)) {
        return plain(max ? a.sign && b.sign : a.sign || b.sign, 0, 0);
    }
    return (Result){(order(a, b) > 0) == max ? a.v : b.v, 0};
}

ALWAYS Result extreme_number(Half a, Half b, bool max)
{
    Half other = half_of(max ? 0xfc00 : 0x7c00);
    bool qa = a.nan && !a.snan, qb = b.nan && !b.snan;
    if (qa != qb) {
        *(qa ? &a : &b) = other;
    }
    return extreme(a, b, max);
}

ALWAYS Result order_of(Half a, Half b, int kind)
{
    if (a.nan || b.nan) {
        return (Result){kind == 3 ? 3 : 0, a.snan || b.snan || kind == 1 || kind == 2 ? FPSR_IOC : 0};
    }
    int o = order(a, b);
    return (Result){kind == 3 ? (o ? o < 0 ? 8 : 2 : 6) : kind == 0 ? o == 0 : kind == 1 ? o >= 0 : o > 0, 0};
}

/* Operations: name; by mode; PairOp's nan_traps, mask, scalar, vector; in each mode, what is right for a and b, and what
 * softfloat.c makes of x and y. */
#define OPS(_)                                                                                                         \
    _(add, true, false, false, 0x1ee02841, 0x4e401441, add(a, b, mode), sf_add(E_H, x, y, env))                        \
    _(sub, true, false, false, 0x1ee03841, 0x4ec01441, sub(a, b, mode), sf_sub(E_H, x, y, env))                        \
    _(mul, true, false, false, 0x1ee00841, 0x6e401c41, mul(a, b, mode), sf_mul(E_H, x, y, env))                        \
    _(div, true, false, false, 0x1ee01841, 0x6e403c41, divide(a, b, mode), sf_div(E_H, x, y, env))                     \
    _(mulx, true, false, false, 0x5e401c41, 0x4e401c41, mulx(a, b, mode), sf_mulx(E_H, x, y, env))                     \
    _(max, false, true, false, 0x1ee04841, 0x4e403441, extreme(a, b, true), sf_max(E_H, x, y, env))                    \
    _(min, false, true, false, 0x1ee05841, 0x4ec03441, extreme(a, b, false), sf_min(E_H, x, y, env))                   \
    _(maxnm, false, true, false, 0x1ee06841, 0x4e400441, extreme_number(a, b, true), sf_maxnm(E_H, x, y, env))         \
    _(minnm, false, true, false, 0x1ee07841, 0x4ec00441, extreme_number(a, b, false), sf_minnm(E_H, x, y, env))        \
    _(recps, true, false, false, 0, 0, step(a, b, 2, 0, mode), sf_recps(E_H, x, y, env))                               \
    _(rsqrts, true, false, false, 0, 0, step(a, b, 3, 1, mode), sf_rsqrts(E_H, x, y, env))                             \
    _(eq, false, false, true, 0, 0x4e402441, order_of(a, b, 0), sf_cmp(E_H, FCMP_EQ, x, y, env))                       \
    _(ge, false, false, true, 0, 0x6e402441, order_of(a, b, 1), sf_cmp(E_H, FCMP_GE, x, y, env))                       \
    _(gt, false, false, true, 0, 0x6ec02441, order_of(a, b, 2), sf_cmp(E_H, FCMP_GT, x, y, env))                       \
    _(compare, false, false, false, 0, 0, order_of(a, b, 3), sf_compare(E_H, x, y, false, env))

static const Half *halves(void)
{
    static Half all[0x10000];
    for (unsigned v = LEN(all); v-- > 0 && !all[1].n;) {
        all[v] = half_of((uint16_t)v);
    }
    return all;
}

/* All pairs, in all modes together: what they have in common the compiler finds. */
#define PAIRS(name, by_mode, nan_traps, mask, scalar, vector, right, got)                                                                               \
    ALWAYS void pair_##name(const char *row, Half a, Half b, unsigned mode)                                            \
    {                                                                                                                  \
        FpEnv start = {mode << FPCR_RMODE_SHIFT, 0}, *env = &start;                                                    \
        uint16_t x = a.v, y = b.v;                                                                                     \
        uint64_t bits = got;                                                                                           \
        Result want = right;                                                                                           \
        if (UNLIKELY(bits != want.bits || env->fpsr != want.flags)) {                                                  \
            differs("softfloat", row, mode, x, y, (Result){bits, env->fpsr}, want);                                    \
        }                                                                                                              \
    }                                                                                                                  \
    static Result right_##name(uint16_t x, uint16_t y, unsigned mode __attribute__((unused)))                          \
    {                                                                                                                  \
        Half a = halves()[x], b = halves()[y];                                                                         \
        return right;                                                                                                  \
    }                                                                                                                  \
    __attribute__((flatten)) static void pairs_##name(const char *row, unsigned from, unsigned to)                     \
    {                                                                                                                  \
        const Half *all = halves();                                                                                    \
        for (unsigned p = from << 16; p != to << 16; p++) {                                                            \
            pair_##name(row, all[p >> 16], all[p & 0xffff], 0);                                                        \
            if (by_mode) {                                                                                             \
                pair_##name(row, all[p >> 16], all[p & 0xffff], 1);                                                    \
                pair_##name(row, all[p >> 16], all[p & 0xffff], 2);                                                    \
                pair_##name(row, all[p >> 16], all[p & 0xffff], 3);                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }
OPS(PAIRS)

const PairOp half_ops[] = {
#define ENTRY(name, by_mode, nan_traps, mask, scalar, vector, right, got)                                              \
    {#name, by_mode, nan_traps, mask, scalar, vector, right_##name, pairs_##name},
    OPS(ENTRY)
#undef ENTRY
};
const unsigned half_nops = LEN(half_ops);
