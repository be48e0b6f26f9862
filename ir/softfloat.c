/* softfloat.c - Arm's floating point in integer arithmetic (see softfloat.h for the contract).
 *
 * Words. A Num is an unpacked operand: for a finite number value = sig * 2^(exp - 63) with bit 63 of sig set
 * (denormals are normalized); for a NaN sig holds the fraction, the quiet bit at bit 62, so that a NaN can be
 * packed into any format. A Wide is an exact intermediate: value = sig * 2^(exp - 126), sig < 2^127, zero
 * allowed. "Jam": to shift right and keep in bit 0 whether anything was lost; a jammed significand rounds as
 * the exact one does, because every format leaves spare bits below its last place.
 * FPCR is passed as `fpcr` after the masking that the manual does: AHP is cleared for arithmetic, FZ16 for
 * conversions. All results are finished by num_round() or are exact.
 * To add a format: a row in fmts[]. Source: DDI 0487 shared/functions/float, checked against Arm's published
 * specification; the order in which operands raise IDC, NaNs are chosen and exceptions are raised is theirs.
 */
#include "softfloat.h"

__extension__ typedef unsigned __int128 U128;

typedef struct Fmt {
    uint8_t width, fbits, ebits;
    int16_t bias;
    uint32_t flush; /* the FPCR bit that flushes its denormals */
    uint32_t idc;   /* what flushing an operand raises */
    uint32_t alt;   /* the FPCR bit that trades infinity and NaN for one more exponent */
} Fmt;

static const Fmt fmts[] = {
    [E_H] = {16, 10, 5, 15, FPCR_FZ16, 0, FPCR_AHP},
    [E_S] = {32, 23, 8, 127, FPCR_FZ, FPSR_IDC, 0},
    [E_D] = {64, 52, 11, 1023, FPCR_FZ, FPSR_IDC, 0},
    [E_BF] = {16, 7, 8, 127, FPCR_FZ, FPSR_IDC, 0},
};

typedef enum Class { ZERO, FINITE, INF, QNAN, SNAN } Class;

typedef struct Num {
    uint64_t sig;
    int32_t exp;
    uint8_t cls, sign;
} Num;

typedef struct Wide {
    U128 sig;
    int32_t exp;
    unsigned sign;
} Wide;

/* -- unpacking, packing, NaNs --------------------------------------------------------------------- */

static inline bool is_nan(Num n)
{
    return n.cls >= QNAN;
}

static inline void raise(FpEnv *env, uint32_t bits)
{
    env->fpsr |= bits;
}

static inline uint32_t fpcr_arith(const FpEnv *env)
{
    return env->fpcr & ~(uint32_t)FPCR_AHP;
}

static inline uint32_t fpcr_convert(const FpEnv *env)
{
    return env->fpcr & ~(uint32_t)FPCR_FZ16;
}

static inline unsigned round_of(uint32_t fpcr, unsigned round)
{
    return round == FPR_CURRENT ? (fpcr >> FPCR_RMODE_SHIFT) & 3 : round;
}

static inline uint64_t shift_jam(uint64_t v, unsigned n)
{
    return n == 0 ? v : n < 64 ? v >> n | (v << (64 - n) != 0) : v != 0;
}

static inline U128 shift_jam_wide(U128 v, unsigned n)
{
    return n == 0 ? v : n < 128 ? v >> n | (v << (128 - n) != 0) : v != 0;
}

static inline uint64_t pack_sign(const Fmt *f, unsigned sign)
{
    return (uint64_t)sign << (f->width - 1);
}

static inline uint64_t pack_inf(const Fmt *f, unsigned sign)
{
    return pack_sign(f, sign) | bits_mask(f->ebits) << f->fbits;
}

static inline uint64_t pack_max(const Fmt *f, unsigned sign)
{
    return pack_inf(f, sign) - 1;
}

static inline uint64_t default_nan(const Fmt *f)
{
    return pack_inf(f, 0) | (uint64_t)1 << (f->fbits - 1);
}

/* FPUnpackBase. */
static inline Num unpack(const Fmt *f, uint64_t v, uint32_t fpcr, FpEnv *env)
{
    uint64_t frac = bits_get(v, 0, f->fbits);
    int e = (int)bits_get(v, f->fbits, f->ebits);
    Num n = {frac << (63 - f->fbits), e - f->bias, FINITE, (uint8_t)((v >> (f->width - 1)) & 1)};
    if (e == 0) {
        if (frac == 0) {
            n.cls = ZERO;
        } else if (fpcr & f->flush) {
            raise(env, f->idc);
            n.cls = ZERO;
        } else {
            int lead = __builtin_clzll(n.sig);
            n.sig <<= lead;
            n.exp = 1 - f->bias - lead;
        }
    } else if (e == (int)bits_mask(f->ebits) && !(fpcr & f->alt)) {
        n.cls = frac == 0 ? INF : n.sig >> 62 ? QNAN : SNAN;
    } else {
        n.sig |= (uint64_t)1 << 63;
    }
    return n;
}

/* FPProcessNaN, with the result in format f (FPConvertNaN). */
static uint64_t nan_result(const Fmt *f, Num n, uint32_t fpcr, FpEnv *env)
{
    if (n.cls == SNAN) {
        raise(env, FPSR_IOC);
    }
    if (fpcr & FPCR_DN) {
        return default_nan(f);
    }
    return default_nan(f) | pack_sign(f, n.sign) | n.sig >> (63 - f->fbits);
}

static uint64_t invalid(const Fmt *f, FpEnv *env)
{
    raise(env, FPSR_IOC);
    return default_nan(f);
}

/* FPProcessNaNs: the first signalling operand, else the first quiet one. At least one is a NaN. */
static uint64_t nan_result2(const Fmt *f, Num a, Num b, uint32_t fpcr, FpEnv *env)
{
    bool first = a.cls == SNAN || (b.cls != SNAN && a.cls == QNAN);
    return nan_result(f, first ? a : b, fpcr, env);
}

/* -- rounding ------------------------------------------------------------------------------------- */

/* Does a magnitude with the given last bit and remainder round away from zero? Nobody could foresee a branch. */
static inline bool rounds_up(unsigned round, unsigned sign, bool odd, uint64_t rem, uint64_t half)
{
    switch (round) {
    case FPR_TIEEVEN:
        return (rem > half) | ((rem == half) & odd);
    case FPR_POSINF:
        return (rem != 0) & !sign;
    case FPR_NEGINF:
        return (rem != 0) & sign;
    case FPR_TIEAWAY:
        return rem >= half;
    default:
        return false;
    }
}

static uint64_t overflow(const Fmt *f, unsigned sign, unsigned round, uint32_t fpcr, FpEnv *env)
{
    if (fpcr & f->alt) {
        raise(env, FPSR_IOC);
        return pack_sign(f, sign) | bits_mask(f->width - 1);
    }
    raise(env, FPSR_OFC | FPSR_IXC);
    bool to_inf = round == FPR_TIEEVEN || round == (sign ? FPR_NEGINF : FPR_POSINF);
    return to_inf ? pack_inf(f, sign) : pack_max(f, sign);
}

/* FPRoundBase: the number sig * 2^(exp - 63), bit 63 of sig set, bit 0 jammed. */
static uint64_t num_round(const Fmt *f, unsigned sign, int exp, uint64_t sig, unsigned round,
                          uint32_t fpcr, FpEnv *env)
{
    int biased = exp + f->bias;
    unsigned drop = 63 - f->fbits;
    if (UNLIKELY(biased <= 0)) {
        if (fpcr & f->flush) {
            raise(env, FPSR_UFC);
            return pack_sign(f, sign);
        }
        sig = shift_jam(sig, (unsigned)(1 - biased));
        biased = 1; /* without the leading bit this packs as exponent 0 */
        raise(env, ((sig & bits_mask(drop)) != 0) * FPSR_UFC);
    }
    uint64_t mant = sig >> drop, rem = sig & bits_mask(drop);
    mant += rounds_up(round, sign, mant & 1, rem, (uint64_t)1 << (drop - 1));
    if (round == FPR_ODD && rem) {
        mant |= 1;
    }
    uint64_t max = bits_mask(f->ebits) + ((fpcr & f->alt) != 0);
    uint64_t lead = mant >> f->fbits; /* 0: denormal; 2: carried into the next power of two */
    if (UNLIKELY((uint64_t)biased - 1 + lead >= max)) {
        return overflow(f, sign, round, fpcr, env);
    }
    raise(env, (rem != 0) * FPSR_IXC);
    return pack_sign(f, sign) | (((uint64_t)(biased - 1) << f->fbits) + mant);
}

static uint64_t wide_round(const Fmt *f, Wide w, unsigned round, uint32_t fpcr, FpEnv *env)
{
    uint64_t hi = (uint64_t)(w.sig >> 64);
    unsigned lead =
        hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((uint64_t)w.sig);
    w.sig <<= lead;
    uint64_t sig = (uint64_t)(w.sig >> 64) | ((uint64_t)w.sig != 0);
    return num_round(f, w.sign, w.exp + 1 - (int)lead, sig, round, fpcr, env);
}

/* -- sums and products ---------------------------------------------------------------------------- */

static inline Wide wide_of(Num n)
{
    return (Wide){n.cls == ZERO ? 0 : (U128)n.sig << 63, n.exp, n.sign};
}

static inline Wide wide_product(Num a, Num b)
{
    Wide w = {(U128)a.sig * b.sig >> 1, a.exp + b.exp + 1, a.sign ^ b.sign};
    if (a.cls == ZERO || b.cls == ZERO) {
        w.sig = 0;
    }
    return w;
}

/* Rounds (a + b) * 2^scale. The sum of two zeros of one sign keeps the sign. */
static uint64_t wide_sum(const Fmt *f, Wide a, Wide b, int scale, unsigned round, uint32_t fpcr,
                         FpEnv *env)
{
    if (a.sig == 0 || (b.sig != 0 && a.exp < b.exp)) {
        Wide t = a;
        a = b;
        b = t;
    }
    b.sig = b.sig ? shift_jam_wide(b.sig, (unsigned)(a.exp - b.exp)) : 0;
    if (a.sign == b.sign) {
        a.sig += b.sig;
    } else if (a.sig >= b.sig) {
        a.sig -= b.sig;
    } else {
        a.sig = b.sig - a.sig;
        a.sign = b.sign;
    }
    if (a.sig == 0) {
        return pack_sign(f, a.sign == b.sign ? a.sign : round == FPR_NEGINF);
    }
    a.exp += scale;
    return wide_round(f, a, round, fpcr, env);
}

static uint64_t add_sub(IrElem fmt, uint64_t va, uint64_t vb, unsigned negate, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env), b = unpack(f, vb, fpcr, env);
    if (UNLIKELY(is_nan(a) || is_nan(b))) {
        return nan_result2(f, a, b, fpcr, env);
    }
    b.sign ^= negate;
    if (UNLIKELY(a.cls == INF || b.cls == INF)) {
        if (a.cls == b.cls && a.sign != b.sign) {
            return invalid(f, env);
        }
        return pack_inf(f, a.cls == INF ? a.sign : b.sign);
    }
    return wide_sum(f, wide_of(a), wide_of(b), 0, round_of(fpcr, FPR_CURRENT), fpcr, env);
}

uint64_t sf_add(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return add_sub(fmt, a, b, 0, env);
}

uint64_t sf_sub(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return add_sub(fmt, a, b, 1, env);
}

/* A product whose operands are infinity and zero has no value. */
static inline bool inf_by_zero(Num a, Num b)
{
    return (a.cls == INF && b.cls == ZERO) || (a.cls == ZERO && b.cls == INF);
}

static uint64_t multiply(IrElem fmt, uint64_t va, uint64_t vb, bool extended, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env), b = unpack(f, vb, fpcr, env);
    unsigned sign = a.sign ^ b.sign;
    if (LIKELY(a.cls == FINITE && b.cls == FINITE)) {
        return wide_round(f, wide_product(a, b), round_of(fpcr, FPR_CURRENT), fpcr, env);
    }
    if (is_nan(a) || is_nan(b)) {
        return nan_result2(f, a, b, fpcr, env);
    }
    if (inf_by_zero(a, b)) {
        return extended ? pack_sign(f, sign) | (uint64_t)(f->bias + 1) << f->fbits
                        : invalid(f, env);
    }
    return a.cls == INF || b.cls == INF ? pack_inf(f, sign) : pack_sign(f, sign);
}

uint64_t sf_mul(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return multiply(fmt, a, b, false, env);
}

uint64_t sf_mulx(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return multiply(fmt, a, b, true, env);
}

/* FPMulAdd and FPMulAddH: fp is the format of the factors, f that of addend and result. */
static uint64_t mul_add(const Fmt *f, const Fmt *fp, uint64_t va, uint64_t vb, uint64_t vc,
                        FpEnv *env)
{
    uint32_t fpcr = fpcr_arith(env);
    Num c = unpack(f, vc, fpcr, env), a = unpack(fp, va, fpcr, env), b = unpack(fp, vb, fpcr, env);
    bool no_product = inf_by_zero(a, b);
    if (UNLIKELY(is_nan(a) || is_nan(b) || is_nan(c))) {
        if (c.cls == QNAN && no_product) {
            return invalid(f, env);
        }
        Num ab = a.cls == SNAN || (b.cls != SNAN && a.cls == QNAN) ? a : b;
        return nan_result2(f, c, ab, fpcr, env);
    }
    bool inf = a.cls == INF || b.cls == INF;
    unsigned sign = a.sign ^ b.sign;
    if (UNLIKELY(inf || c.cls == INF)) {
        if (no_product || (inf && c.cls == INF && c.sign != sign)) {
            return invalid(f, env);
        }
        return pack_inf(f, inf ? sign : c.sign);
    }
    return wide_sum(f, wide_of(c), wide_product(a, b), 0, round_of(fpcr, FPR_CURRENT), fpcr, env);
}

uint64_t sf_fma(IrElem fmt, uint64_t a, uint64_t b, uint64_t c, FpEnv *env)
{
    return mul_add(&fmts[fmt], &fmts[fmt], a, b, c, env);
}

uint64_t sf_fma_half(uint64_t a, uint64_t b, uint64_t c, FpEnv *env)
{
    return mul_add(&fmts[E_S], &fmts[E_H], a, b, c, env);
}

/* (k - a * b) * 2^scale for the Newton steps; unit is the result when a * b is infinity by zero. */
static uint64_t newton_step(IrElem fmt, uint64_t va, uint64_t vb, Num k, int scale, uint64_t unit,
                            FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, sf_neg(fmt, va), fpcr, env), b = unpack(f, vb, fpcr, env);
    if (UNLIKELY(is_nan(a) || is_nan(b))) {
        return nan_result2(f, a, b, fpcr, env);
    }
    if (inf_by_zero(a, b)) {
        return unit;
    }
    if (a.cls == INF || b.cls == INF) {
        return pack_inf(f, a.sign ^ b.sign);
    }
    return wide_sum(f, wide_of(k), wide_product(a, b), scale, round_of(fpcr, FPR_CURRENT), fpcr,
                    env);
}

uint64_t sf_recps(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    Num two = {(uint64_t)1 << 63, 1, FINITE, 0};
    return newton_step(fmt, a, b, two, 0, (uint64_t)(f->bias + 1) << f->fbits, env);
}

uint64_t sf_rsqrts(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    Num three = {(uint64_t)3 << 62, 1, FINITE, 0};
    uint64_t one_and_half = (uint64_t)f->bias << f->fbits | (uint64_t)1 << (f->fbits - 1);
    return newton_step(fmt, a, b, three, -1, one_and_half, env);
}

/* -- quotient and square root --------------------------------------------------------------------- */

uint64_t sf_div(IrElem fmt, uint64_t va, uint64_t vb, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env), b = unpack(f, vb, fpcr, env);
    unsigned sign = a.sign ^ b.sign;
    if (LIKELY(a.cls == FINITE && b.cls == FINITE)) {
        U128 n = (U128)a.sig << 63;
        uint64_t q = (uint64_t)(n / b.sig);
        q |= n != (U128)q * b.sig;
        unsigned lead = (unsigned)__builtin_clzll(q);
        return num_round(f, sign, a.exp - b.exp - (int)lead, q << lead, round_of(fpcr, FPR_CURRENT),
                         fpcr, env);
    }
    if (is_nan(a) || is_nan(b)) {
        return nan_result2(f, a, b, fpcr, env);
    }
    if (a.cls == b.cls) {
        return invalid(f, env);
    }
    if (a.cls == INF) {
        return pack_inf(f, sign);
    }
    if (b.cls == ZERO) {
        raise(env, FPSR_DZC);
        return pack_inf(f, sign);
    }
    return pack_sign(f, sign);
}

/* Floor of the square root, by Zimmermann's recursion on the upper half: n >= 2^62. */
static uint32_t isqrt64(uint64_t n)
{
    uint32_t top = (uint32_t)(n >> 32), s = 0;
    for (uint32_t bit = 1u << 15; bit; bit >>= 1) {
        uint32_t t = s | bit;
        s = t * t <= top ? t : s;
    }
    uint64_t part = (uint64_t)(top - s * s) << 16 | ((n >> 16) & 0xffff);
    uint64_t r = ((uint64_t)s << 16) + part / (2 * s);
    while (r > 0xffffffff || r * r > n) {
        r--;
    }
    return (uint32_t)r;
}

static uint64_t isqrt128(U128 n)
{
    uint64_t top = (uint64_t)(n >> 64), s = isqrt64(top);
    U128 part = (U128)(top - s * s) << 32 | (uint32_t)(n >> 32);
    U128 r = ((U128)s << 32) + (part >> 64 ? part / (2 * s) : (uint64_t)part / (2 * s));
    while (r >> 64 || r * r > n) {
        r--;
    }
    return (uint64_t)r;
}

uint64_t sf_sqrt(IrElem fmt, uint64_t va, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env);
    if (is_nan(a)) {
        return nan_result(f, a, fpcr, env);
    }
    if (a.cls == ZERO) {
        return pack_sign(f, a.sign);
    }
    if (a.sign) {
        return invalid(f, env);
    }
    if (a.cls == INF) {
        return pack_inf(f, 0);
    }
    /* An even exponent: sig * 2^(exp - 63) = n * 2^(2 * (half - 63)) with n = sig << 63 or << 64. */
    U128 n = (U128)a.sig << (63 + (a.exp & 1));
    int half = (a.exp - (a.exp & 1)) / 2;
    uint64_t r = isqrt128(n);
    r |= (U128)r * r != n;
    return num_round(f, 0, half, r, round_of(fpcr, FPR_CURRENT), fpcr, env);
}

/* -- estimates ------------------------------------------------------------------------------------ */

/* RecipEstimate: 256 <= a < 512, as does the result. */
static unsigned recip_estimate(unsigned a)
{
    return ((1u << 19) / (2 * a + 1) + 1) / 2;
}

/* RecipSqrtEstimate: 128 <= a < 512, 256 <= result < 512. The largest b with a' * b * b < 2^28. */
static unsigned rsqrt_estimate(unsigned a)
{
    a = a < 256 ? 2 * a + 1 : 2 * (a | 1);
    uint64_t limit = ((1u << 28) - 1) / a;
    unsigned b = isqrt64(limit << 44) >> 22;
    return (b + 1) / 2;
}

uint64_t sf_recpe(IrElem fmt, uint64_t va, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env);
    if (is_nan(a)) {
        return nan_result(f, a, fpcr, env);
    }
    if (a.cls == INF) {
        return pack_sign(f, a.sign);
    }
    if (a.cls == ZERO) {
        raise(env, FPSR_DZC);
        return pack_inf(f, a.sign);
    }
    if (a.exp < -f->bias - 1) {
        return overflow(f, a.sign, round_of(fpcr, FPR_CURRENT), fpcr, env);
    }
    if (fpcr & f->flush && a.exp >= f->bias - 1) {
        raise(env, FPSR_UFC);
        return pack_sign(f, a.sign);
    }
    int e = f->bias - 1 - a.exp; /* biased, of a number whose fraction is the estimate */
    uint64_t mant = (uint64_t)recip_estimate((unsigned)(a.sig >> 55)) << (f->fbits - 8);
    if (e <= 0) {
        mant >>= 1 - e;
        e = 1;
    }
    return pack_sign(f, a.sign) | (((uint64_t)(e - 1) << f->fbits) + mant);
}

uint64_t sf_rsqrte(IrElem fmt, uint64_t va, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env);
    if (is_nan(a)) {
        return nan_result(f, a, fpcr, env);
    }
    if (a.cls == ZERO) {
        raise(env, FPSR_DZC);
        return pack_inf(f, a.sign);
    }
    if (a.sign) {
        return invalid(f, env);
    }
    if (a.cls == INF) {
        return 0;
    }
    int e = a.exp + f->bias;
    uint64_t est = rsqrt_estimate((unsigned)(a.sig >> (e & 1 ? 56 : 55)));
    return ((uint64_t)((3 * f->bias - 1 - e) / 2 - 1) << f->fbits) + (est << (f->fbits - 8));
}

uint64_t sf_recpx(IrElem fmt, uint64_t va, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env);
    if (is_nan(a)) {
        return nan_result(f, a, fpcr, env);
    }
    uint64_t e = bits_get(va, f->fbits, f->ebits), ones = bits_mask(f->ebits);
    return pack_sign(f, a.sign) | (e == 0 ? ones - 1 : ones ^ e) << f->fbits;
}

uint32_t sf_u32_recpe(uint32_t a)
{
    return a >> 31 ? recip_estimate(a >> 23) << 23 : ~(uint32_t)0;
}

uint32_t sf_u32_rsqrte(uint32_t a)
{
    return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : ~(uint32_t)0;
}

/* -- order ---------------------------------------------------------------------------------------- */

/* -1, 0, 1 for a < b, a = b, a > b; neither is a NaN. */
static int num_order(Num a, Num b)
{
    if (a.cls == ZERO && b.cls == ZERO) {
        return 0;
    }
    if (a.cls == ZERO || b.cls == ZERO || a.sign != b.sign) {
        bool less = a.cls == ZERO ? !b.sign : a.sign;
        return less ? -1 : 1;
    }
    int mag; /* of the magnitudes */
    if (a.cls == INF || b.cls == INF) {
        mag = (a.cls == INF) - (b.cls == INF);
    } else if (a.exp != b.exp) {
        mag = a.exp > b.exp ? 1 : -1;
    } else {
        mag = (a.sig > b.sig) - (a.sig < b.sig);
    }
    return a.sign ? -mag : mag;
}

static uint64_t min_max(IrElem fmt, uint64_t va, uint64_t vb, bool max, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env), b = unpack(f, vb, fpcr, env);
    if (is_nan(a) || is_nan(b)) {
        return nan_result2(f, a, b, fpcr, env);
    }
    int order = num_order(a, b);
    bool first = max ? order > 0 : order < 0;
    if ((first ? a : b).cls == ZERO) {
        return pack_sign(f, max ? a.sign & b.sign : a.sign | b.sign);
    }
    return (first ? va : vb) & bits_mask(f->width);
}

/* FPMaxNum, FPMinNum: a quiet NaN loses against anything but another one. */
static uint64_t min_max_num(IrElem fmt, uint64_t va, uint64_t vb, bool max, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    bool qa = unpack(f, va, fpcr, env).cls == QNAN, qb = unpack(f, vb, fpcr, env).cls == QNAN;
    if (qa != qb) {
        *(qa ? &va : &vb) = pack_inf(f, max);
    }
    return min_max(fmt, va, vb, max, env);
}

uint64_t sf_max(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return min_max(fmt, a, b, true, env);
}

uint64_t sf_min(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return min_max(fmt, a, b, false, env);
}

uint64_t sf_maxnm(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return min_max_num(fmt, a, b, true, env);
}

uint64_t sf_minnm(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env)
{
    return min_max_num(fmt, a, b, false, env);
}

uint64_t sf_abs(IrElem fmt, uint64_t a)
{
    return a & bits_mask(fmts[fmt].width - 1);
}

uint64_t sf_neg(IrElem fmt, uint64_t a)
{
    return (a & bits_mask(fmts[fmt].width)) ^ pack_sign(&fmts[fmt], 1);
}

/* -1, 0, 1, or 2 for unordered, which raises IOC for quiet NaNs only when told to. */
static int compare(IrElem fmt, uint64_t va, uint64_t vb, bool signal_qnan, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env), b = unpack(f, vb, fpcr, env);
    if (is_nan(a) || is_nan(b)) {
        if (signal_qnan || a.cls == SNAN || b.cls == SNAN) {
            raise(env, FPSR_IOC);
        }
        return 2;
    }
    return num_order(a, b);
}

unsigned sf_compare(IrElem fmt, uint64_t a, uint64_t b, bool signal_qnan, FpEnv *env)
{
    static const uint8_t nzcv[] = {8, 6, 2, 3};
    return nzcv[compare(fmt, a, b, signal_qnan, env) + 1];
}

bool sf_cmp(IrElem fmt, FcmpOp op, uint64_t a, uint64_t b, FpEnv *env)
{
    int order = compare(fmt, a, b, op != FCMP_EQ, env);
    return order == 2 ? false : op == FCMP_EQ ? order == 0 : op == FCMP_GE ? order >= 0 : order > 0;
}

/* -- conversions ---------------------------------------------------------------------------------- */

uint64_t sf_cvt(IrElem from, IrElem to, uint64_t va, unsigned round, FpEnv *env)
{
    const Fmt *f = &fmts[to];
    uint32_t fpcr = fpcr_convert(env);
    bool alt = to == E_H && fpcr & FPCR_AHP;
    Num a = unpack(&fmts[from], va, fpcr, env);
    if (is_nan(a)) {
        if (alt) {
            raise(env, FPSR_IOC);
            return pack_sign(f, a.sign);
        }
        return nan_result(f, a, fpcr, env);
    }
    if (a.cls == INF) {
        if (alt) {
            raise(env, FPSR_IOC);
            return pack_sign(f, a.sign) | bits_mask(f->width - 1);
        }
        return pack_inf(f, a.sign);
    }
    if (a.cls == ZERO) {
        return pack_sign(f, a.sign);
    }
    return num_round(f, a.sign, a.exp, a.sig, round_of(fpcr, round), fpcr, env);
}

uint64_t sf_to_bf16(uint64_t a, FpEnv *env)
{
    return sf_cvt(E_S, E_BF, a, FPR_CURRENT, env);
}

/* |n| * 2^scale rounded to an integer; false when it is 2^64 or more. */
static bool num_to_int(Num n, int scale, unsigned round, uint64_t *mag, bool *inexact)
{
    int e = n.exp + scale;
    *inexact = false;
    *mag = 0;
    if (n.cls != FINITE) {
        return n.cls != INF;
    }
    if (e > 63) {
        return false;
    }
    U128 w = shift_jam_wide((U128)n.sig << 64, (unsigned)(63 - e));
    uint64_t rem = (uint64_t)w;
    *mag = (uint64_t)(w >> 64);
    *mag += rounds_up(round, n.sign, *mag & 1, rem, (uint64_t)1 << 63);
    *inexact = rem != 0;
    return true;
}

/* An integer as FP; exact unless it has more bits than the format. */
static uint64_t int_round(const Fmt *f, unsigned sign, uint64_t mag, int scale, unsigned round,
                          uint32_t fpcr, FpEnv *env)
{
    int lead = __builtin_clzll(mag);
    return num_round(f, sign, 63 - lead + scale, mag << lead, round, fpcr, env);
}

uint64_t sf_rint(IrElem fmt, uint64_t va, unsigned round, bool exact, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env);
    uint64_t mag;
    bool inexact;
    if (is_nan(a)) {
        return nan_result(f, a, fpcr, env);
    }
    if (a.cls == ZERO) {
        return pack_sign(f, a.sign);
    }
    if (a.cls == INF || a.exp >= f->fbits) {
        return va & bits_mask(f->width);
    }
    num_to_int(a, 0, round_of(fpcr, round), &mag, &inexact);
    if (inexact && exact) {
        raise(env, FPSR_IXC);
    }
    return mag ? int_round(f, a.sign, mag, 0, FPR_ZERO, fpcr, env) : pack_sign(f, a.sign);
}

uint64_t sf_rint_n(IrElem fmt, uint64_t va, unsigned round, unsigned bits, FpEnv *env)
{
    const Fmt *f = &fmts[fmt];
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(f, va, fpcr, env);
    uint64_t mag, limit = (uint64_t)1 << (bits - 1);
    bool inexact, fits = !is_nan(a) && num_to_int(a, 0, round_of(fpcr, round), &mag, &inexact);
    if (!fits || mag > limit - !a.sign) {
        raise(env, FPSR_IOC);
        return int_round(f, 1, limit, 0, FPR_ZERO, fpcr, env);
    }
    if (inexact) {
        raise(env, FPSR_IXC);
    }
    return mag ? int_round(f, a.sign, mag, 0, FPR_ZERO, fpcr, env) : pack_sign(f, a.sign);
}

uint64_t sf_to_int(IrElem fmt, uint64_t va, unsigned bits, bool is_unsigned, unsigned fbits,
                   unsigned round, FpEnv *env)
{
    uint32_t fpcr = fpcr_arith(env);
    Num a = unpack(&fmts[fmt], va, fpcr, env);
    uint64_t mag, max = is_unsigned ? bits_mask(bits) : bits_mask(bits - 1) + a.sign;
    bool inexact;
    if (is_nan(a)) {
        raise(env, FPSR_IOC);
        return 0;
    }
    if (is_unsigned && a.sign) {
        max = 0;
    }
    if (!num_to_int(a, (int)fbits, round_of(fpcr, round), &mag, &inexact) || mag > max) {
        raise(env, FPSR_IOC);
        mag = max;
    } else if (inexact) {
        raise(env, FPSR_IXC);
    }
    return (a.sign ? -mag : mag) & bits_mask(bits);
}

uint64_t sf_from_int(IrElem fmt, uint64_t v, unsigned bits, bool is_unsigned, unsigned fbits,
                     unsigned round, FpEnv *env)
{
    uint32_t fpcr = fpcr_arith(env);
    v = is_unsigned ? v & bits_mask(bits) : (uint64_t)bits_sext(v, bits);
    unsigned sign = is_unsigned ? 0 : (unsigned)(v >> 63);
    if (v == 0) {
        return 0;
    }
    return int_round(&fmts[fmt], sign, sign ? -v : v, -(int)fbits, round_of(fpcr, round), fpcr,
                     env);
}

uint32_t sf_jcvt(uint64_t va, bool *z, FpEnv *env)
{
    Num a = unpack(&fmts[E_D], va, fpcr_arith(env), env);
    *z = false;
    if (a.cls == ZERO) {
        *z = va == 0;
        return 0;
    }
    uint64_t mag;
    bool inexact;
    if (is_nan(a) || !num_to_int(a, 0, FPR_ZERO, &mag, &inexact)) {
        raise(env, FPSR_IOC);
        mag = a.cls == FINITE && a.exp - 63 < 32 ? a.sig << (a.exp - 63) : 0;
    } else if (mag > bits_mask(31) + a.sign) {
        raise(env, FPSR_IOC);
    } else if (inexact) {
        raise(env, FPSR_IXC);
    } else {
        *z = true;
    }
    return (uint32_t)(a.sign ? -mag : mag);
}

/* -- bfloat16 products ---------------------------------------------------------------------------- */

/* Every step works in an environment of its own: flush (BFUnpack, BFRound), nobody sees what it raises. A
 * NaN result is the default one, so signalling NaNs need no care. */
static const FpEnv bf_env = {FPCR_FZ, 0};

/* BFRound goes to infinity on overflow, where rounding to odd stops at the largest number. */
static uint32_t bf_finish(uint64_t r, const FpEnv *env)
{
    return (uint32_t)(env->fpsr & FPSR_OFC ? pack_inf(&fmts[E_S], (unsigned)(r >> 31)) : r);
}

/* BFMulH. */
static uint32_t bf_mul(uint16_t va, uint16_t vb)
{
    const Fmt *f = &fmts[E_S];
    FpEnv env = bf_env;
    Num a = unpack(&fmts[E_BF], va, env.fpcr, &env), b = unpack(&fmts[E_BF], vb, env.fpcr, &env);
    unsigned sign = a.sign ^ b.sign;
    if (is_nan(a) || is_nan(b) || inf_by_zero(a, b)) {
        return (uint32_t)default_nan(f);
    }
    if (a.cls == INF || b.cls == INF) {
        return (uint32_t)pack_inf(f, sign);
    }
    if (a.cls == ZERO || b.cls == ZERO) {
        return (uint32_t)pack_sign(f, sign);
    }
    return bf_finish(wide_round(f, wide_product(a, b), FPR_ODD, env.fpcr, &env), &env);
}

/* FPAdd_BF16. */
static uint32_t bf_add(uint32_t va, uint32_t vb)
{
    const Fmt *f = &fmts[E_S];
    FpEnv env = bf_env;
    Num a = unpack(f, va, env.fpcr, &env), b = unpack(f, vb, env.fpcr, &env);
    if (is_nan(a) || is_nan(b) || (a.cls == INF && b.cls == INF && a.sign != b.sign)) {
        return (uint32_t)default_nan(f);
    }
    if (a.cls == INF || b.cls == INF) {
        return (uint32_t)pack_inf(f, a.cls == INF ? a.sign : b.sign);
    }
    return bf_finish(wide_sum(f, wide_of(a), wide_of(b), 0, FPR_ODD, env.fpcr, &env), &env);
}

uint32_t sf_bfdot(uint32_t c, uint16_t a0, uint16_t a1, uint16_t b0, uint16_t b1)
{
    return bf_add(c, bf_add(bf_mul(a0, b0), bf_mul(a1, b1)));
}
