/* half2.c - all pairs of halves: softfloat.c against integers.
 *
 * A half is n * 2^-24 with an integer n below 2^40, so sums and products are exact in 128 bits, and a quotient of the
 * significands with a sticky bit rounds as the exact one does. What NaNs, infinities and zeros give is written out.
 */
#include "exhaust.h"

typedef unsigned __int128 U128;

typedef struct Half {
    uint64_t n;          /* magnitude in units of 2^-24 */
    uint16_t v;
    bool sign, nan, snan, inf;
} Half;

enum { INF = 0x7c00, MAX = 0x7bff, QUIET = 0x200, DEFAULT_NAN = 0x7e00, MIN_UNIT = -24 };

static Half half_of(uint16_t v)
{
    unsigned exp = v >> 10 & 31, frac = v & 0x3ff;
    Half h = {.v = v, .sign = v >> 15, .nan = exp == 31 && frac, .inf = exp == 31 && !frac};
    h.snan = h.nan && !(frac & QUIET);
    h.n = exp == 31 ? 0 : exp ? (uint64_t)(frac | 0x400) << (exp - 1) : frac;
    return h;
}

static bool zero(Half h)
{
    return !h.n && !h.nan && !h.inf;
}

static Result plain(bool sign, unsigned bits, uint32_t flags)
{
    return (Result){(unsigned)sign << 15 | bits, flags};
}

/* mag * 2^unit; mag is not 0. */
static Result round_half(bool sign, U128 mag, int unit, unsigned mode)
{
    uint64_t high = (uint64_t)(mag >> 64);
    int top = high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll((uint64_t)mag);
    int e = top + unit < -14 ? -14 : top + unit, shift = e - 10 - unit;
    U128 whole = shift > 0 ? mag >> shift : mag << -shift, rest = shift > 0 ? mag - (whole << shift) : 0;
    U128 middle = shift > 0 ? (U128)1 << (shift - 1) : 1;
    bool up = mode == FPR_TIEEVEN  ? rest > middle || (rest == middle && (whole & 1))
              : mode == FPR_POSINF ? !sign && rest
              : mode == FPR_NEGINF ? sign && rest
                                   : false;
    uint64_t bits = ((uint64_t)(e + 14) << 10) + (uint64_t)whole + up;
    if (bits >= INF) {
        bool inf = mode == FPR_TIEEVEN || mode == (sign ? FPR_NEGINF : FPR_POSINF);
        return plain(sign, inf ? INF : MAX, FPSR_OFC | FPSR_IXC);
    }
    return plain(sign, (unsigned)bits, !rest ? 0 : top + unit < -14 ? FPSR_IXC | FPSR_UFC : FPSR_IXC);
}

static Result nan_of(Half a, Half b)
{
    Half n = a.snan ? a : b.snan ? b : a.nan ? a : b;
    return (Result){n.v | QUIET, a.snan || b.snan ? FPSR_IOC : 0};
}

/* (+-a +-b) * 2^unit */
static Result total(bool as, U128 a, bool bs, U128 b, int unit, unsigned mode)
{
    if (as == bs) {
        return a + b ? round_half(as, a + b, unit, mode) : plain(as, 0, 0);
    }
    if (a == b) {
        return plain(mode == FPR_NEGINF, 0, 0);
    }
    return a > b ? round_half(as, a - b, unit, mode) : round_half(bs, b - a, unit, mode);
}

static Result add(Half a, Half b, unsigned mode)
{
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if (a.inf || b.inf) {
        return a.inf && b.inf && a.sign != b.sign ? plain(0, DEFAULT_NAN, FPSR_IOC) : plain(a.inf ? a.sign : b.sign, INF, 0);
    }
    return total(a.sign, a.n, b.sign, b.n, MIN_UNIT, mode);
}

static Result sub(Half a, Half b, unsigned mode)
{
    b.sign ^= !b.nan;
    return add(a, b, mode);
}

static Result mul(Half a, Half b, unsigned mode)
{
    bool sign = a.sign ^ b.sign;
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if (a.inf || b.inf) {
        return zero(a) || zero(b) ? plain(0, DEFAULT_NAN, FPSR_IOC) : plain(sign, INF, 0);
    }
    return a.n && b.n ? round_half(sign, (U128)a.n * b.n, 2 * MIN_UNIT, mode) : plain(sign, 0, 0);
}

static Result mulx(Half a, Half b, unsigned mode)
{
    bool odd = (a.inf && zero(b)) || (zero(a) && b.inf);
    return odd ? plain(a.sign ^ b.sign, 0x4000, 0) : mul(a, b, mode);
}

static Result divide(Half a, Half b, unsigned mode)
{
    bool sign = a.sign ^ b.sign;
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if ((a.inf && b.inf) || (zero(a) && zero(b))) {
        return plain(0, DEFAULT_NAN, FPSR_IOC);
    }
    if (a.inf || zero(b)) {
        return plain(sign, INF, a.inf ? 0 : FPSR_DZC);
    }
    if (b.inf || zero(a)) {
        return plain(sign, 0, 0);
    }
    int up = __builtin_clzll(a.n) - 1, down = __builtin_ctzll(b.n);
    uint64_t n = a.n << up, d = b.n >> down;
    return round_half(sign, (U128)(n / d) << 1 | (n % d != 0), -up - down - 1, mode);
}

/* (k - a * b) * 2^-halved */
static Result step(Half a, Half b, unsigned k, int halved, unsigned mode)
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
        return plain(a.sign ^ b.sign, INF, 0);
    }
    return total(0, (U128)k << 48, a.sign ^ b.sign, (U128)a.n * b.n, 2 * MIN_UNIT - halved, mode);
}

/* -1, 0, 1 */
static int order(Half a, Half b)
{
    int64_t x = a.inf ? INT64_MAX : (int64_t)a.n, y = b.inf ? INT64_MAX : (int64_t)b.n;
    x = a.sign ? -x : x;
    y = b.sign ? -y : y;
    return (x > y) - (x < y);
}

static Result extreme(Half a, Half b, bool max)
{
    if (a.nan || b.nan) {
        return nan_of(a, b);
    }
    if (zero(a) && zero(b)) {
        return plain(max ? a.sign && b.sign : a.sign || b.sign, 0, 0);
    }
    return (Result){(order(a, b) > 0) == max ? a.v : b.v, 0};
}

static Result extreme_number(Half a, Half b, bool max)
{
    Half other = half_of(max ? 0xfc00 : 0x7c00);
    bool qa = a.nan && !a.snan, qb = b.nan && !b.snan;
    if (qa != qb) {
        *(qa ? &a : &b) = other;
    }
    return extreme(a, b, max);
}

static Result compare(Half a, Half b, int kind)
{
    if (a.nan || b.nan) {
        return (Result){kind == 3 ? 3 : 0, a.snan || b.snan || kind == 1 || kind == 2 ? FPSR_IOC : 0};
    }
    int o = order(a, b);
    return (Result){kind == 3 ? (o ? o < 0 ? 8 : 2 : 6) : kind == 0 ? o == 0 : kind == 1 ? o >= 0 : o > 0, 0};
}

const char *const half_ops[] = {"add", "sub", "mul", "div", "mulx", "max", "min", "maxnm", "minnm", "recps", "rsqrts",
                                "eq", "ge", "gt", "compare"};
const unsigned half_nops = LEN(half_ops);

static Result want(unsigned op, Half a, Half b, unsigned mode)
{
    switch (op) {
    case 0: return add(a, b, mode);
    case 1: return sub(a, b, mode);
    case 2: return mul(a, b, mode);
    case 3: return divide(a, b, mode);
    case 4: return mulx(a, b, mode);
    case 5: return extreme(a, b, true);
    case 6: return extreme(a, b, false);
    case 7: return extreme_number(a, b, true);
    case 8: return extreme_number(a, b, false);
    case 9: return step(a, b, 2, 0, mode);
    case 10: return step(a, b, 3, 1, mode);
    default: return compare(a, b, (int)op - 11);
    }
}

static uint64_t soft(unsigned op, uint16_t a, uint16_t b, FpEnv *env)
{
    typedef uint64_t Fn(IrElem, uint64_t, uint64_t, FpEnv *);
    static Fn *const fns[] = {sf_add, sf_sub, sf_mul, sf_div, sf_mulx, sf_max, sf_min, sf_maxnm, sf_minnm, sf_recps, sf_rsqrts};
    if (op < LEN(fns)) {
        return fns[op](E_H, a, b, env);
    }
    static const FcmpOp ops[] = {FCMP_EQ, FCMP_GE, FCMP_GT};
    return op - LEN(fns) < LEN(ops) ? sf_cmp(E_H, ops[op - LEN(fns)], a, b, env) : sf_compare(E_H, a, b, false, env);
}

uint64_t half_pairs(unsigned op, unsigned mode, unsigned from, unsigned to)
{
    static Half all[0x10000];
    uint64_t bad = 0;
    for (unsigned v = LEN(all); v-- > 0 && !all[1].n;) {
        all[v] = half_of((uint16_t)v);
    }
    for (unsigned a = from; a < to; a++) {
        for (unsigned b = 0; b < LEN(all); b++) {
            FpEnv env = {mode << FPCR_RMODE_SHIFT, 0};
            Result got = {soft(op, (uint16_t)a, (uint16_t)b, &env), 0}, right = want(op, all[a], all[b], mode);
            got.flags = env.fpsr;
            if (got.bits != right.bits || got.flags != right.flags) {
                differs("softfloat", half_ops[op], mode, a, b, got, right);
                bad++;
            }
        }
    }
    return bad;
}
