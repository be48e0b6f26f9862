/* t_softfloat.c - Arm's floating point against MPFR, against the host's SSE unit, and by rows.
 *
 * MPFR judges values and flags of finite results in every rounding mode: its exponent range and precision
 * are set to the format's, mpfr_subnormalize() does the denormals. Arm detects underflow before rounding, so
 * UFC is expected when the result truncated without a lower limit is below the normal range and inexact.
 * The host judges independently, flags included, except where it detects tininess after rounding. NaNs,
 * flushing, half precision's alternative format and the estimates are checked by rows.
 */
#include <criterion/criterion.h>
#include <fenv.h>
#include <gmp.h>
#include <math.h>
#include <mpfr.h>

#include "softfloat.h"

enum { RANDOM_ROUNDS = 20000 };

typedef struct Format {
    IrElem fmt;
    const char *name;
    int width, prec, emin, emax; /* precision with the leading bit; normal exponents emin .. emax */
} Format;

static const Format formats[] = {
    {E_H, "half", 16, 11, -14, 15},
    {E_S, "single", 32, 24, -126, 127},
    {E_D, "double", 64, 53, -1022, 1023},
};

static uint64_t rng_state = 88172645463325252ull;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * 0x2545f4914f6cdd1dull;
}

static uint64_t inf_bits(const Format *f)
{
    return bits_mask((unsigned)(f->width - f->prec)) << (f->prec - 1);
}

/* Random operands crowd where rounding is hard: exponents near each other and near the limits, fractions
 * with long runs of equal bits. Never a NaN. */
static uint64_t operand(const Format *f)
{
    unsigned fbits = (unsigned)f->prec - 1, ebits = (unsigned)(f->width - f->prec);
    uint64_t r = rng(), frac = rng() & bits_mask(fbits), e = rng() & bits_mask(ebits);
    uint64_t bias = bits_mask(ebits - 1);
    switch (r & 7) {
    case 0:
        e = bias + (r >> 8 & 7) - 4;
        break;
    case 1:
        e = r >> 8 & 3;
        break;
    case 2:
        e = bits_mask(ebits) - (r >> 8 & 3);
        break;
    case 3:
        e = bias / 2 + (r >> 8 & 7) - 3;
        break;
    default:
        break;
    }
    switch (r >> 4 & 7) {
    case 0:
        frac = 0;
        break;
    case 1:
        frac = bits_mask(fbits);
        break;
    case 2:
        frac = (uint64_t)1 << ((r >> 16) % fbits);
        break;
    case 3:
        frac = bits_mask(fbits) << ((r >> 16) % fbits) & bits_mask(fbits);
        break;
    default:
        break;
    }
    if (e == bits_mask(ebits)) {
        frac = 0;
    }
    return (r >> 63) << (f->width - 1) | e << fbits | frac;
}

static void wide_range(void)
{
    mpfr_set_emin(-100000);
    mpfr_set_emax(100000);
}

static void to_mpfr(const Format *f, mpfr_t out, uint64_t v)
{
    uint64_t mag = v & bits_mask((unsigned)f->width - 1), frac = mag & bits_mask((unsigned)f->prec - 1);
    int e = (int)(mag >> (f->prec - 1));
    bool negative = v >> (f->width - 1) & 1;
    mpfr_set_prec(out, 64);
    if (mag >= inf_bits(f)) {
        mpfr_set_inf(out, 1);
    } else if (mag == 0) {
        mpfr_set_zero(out, 1);
    } else {
        frac |= e ? (uint64_t)1 << (f->prec - 1) : 0;
        mpfr_set_ui_2exp(out, frac, (e ? e : 1) + f->emin - 1 - (f->prec - 1), MPFR_RNDN);
    }
    mpfr_setsign(out, out, negative, MPFR_RNDN);
}

static uint64_t from_mpfr(const Format *f, mpfr_t v)
{
    uint64_t sign = (uint64_t)(mpfr_signbit(v) != 0) << (f->width - 1);
    if (mpfr_inf_p(v)) {
        return sign | inf_bits(f);
    }
    if (mpfr_zero_p(v)) {
        return sign;
    }
    int e = (int)mpfr_get_exp(v) - 1;
    e = e < f->emin ? f->emin : e;
    mpfr_t scaled;
    mpfr_init2(scaled, 64);
    mpfr_mul_2si(scaled, v, f->prec - 1 - e, MPFR_RNDN);
    mpfr_abs(scaled, scaled, MPFR_RNDN);
    uint64_t frac = mpfr_get_ui(scaled, MPFR_RNDN);
    mpfr_clear(scaled);
    return sign | (((uint64_t)(e - f->emin) << (f->prec - 1)) + frac);
}

typedef enum Op { ADD, SUB, MUL, DIV, SQRT, FMA, CVT, OPS } Op;
static const char *const op_names[] = {"add", "sub", "mul", "div", "sqrt", "fma", "cvt"};

static int mpfr_do(Op op, mpfr_t r, mpfr_t v[3], mpfr_rnd_t rnd)
{
    switch (op) {
    case ADD:
        return mpfr_add(r, v[0], v[1], rnd);
    case SUB:
        return mpfr_sub(r, v[0], v[1], rnd);
    case MUL:
        return mpfr_mul(r, v[0], v[1], rnd);
    case DIV:
        return mpfr_div(r, v[0], v[1], rnd);
    case SQRT:
        return mpfr_sqrt(r, v[0], rnd);
    case FMA:
        return mpfr_fma(r, v[0], v[1], v[2], rnd);
    default:
        return mpfr_set(r, v[0], rnd);
    }
}

static uint64_t soft_do(Op op, const Format *from, const Format *f, const uint64_t v[3], FpEnv *env)
{
    switch (op) {
    case ADD:
        return sf_add(f->fmt, v[0], v[1], env);
    case SUB:
        return sf_sub(f->fmt, v[0], v[1], env);
    case MUL:
        return sf_mul(f->fmt, v[0], v[1], env);
    case DIV:
        return sf_div(f->fmt, v[0], v[1], env);
    case SQRT:
        return sf_sqrt(f->fmt, v[0], env);
    case FMA:
        return sf_fma(f->fmt, v[0], v[1], v[2], env);
    default:
        return sf_cvt(from->fmt, f->fmt, v[0], FPR_CURRENT, env);
    }
}

static bool is_nan(const Format *f, uint64_t v)
{
    return (v & bits_mask((unsigned)f->width - 1)) > inf_bits(f);
}

/* What MPFR says the result and the flags are; false when the result is a NaN. */
static bool mpfr_judge(Op op, const Format *from, const Format *f, const uint64_t v[3], mpfr_rnd_t rnd,
                       uint64_t *want, uint32_t *flags)
{
    static mpfr_t arg[3], r, limit;
    static bool ready;
    if (!ready) {
        mpfr_inits2(64, arg[0], arg[1], arg[2], r, limit, (mpfr_ptr)0);
        ready = true;
    }
    wide_range();
    for (int i = 0; i < 3; i++) {
        to_mpfr(from, arg[i], v[i]);
    }
    mpfr_set_prec(r, f->prec);
    mpfr_do(op, r, arg, MPFR_RNDZ);
    if (mpfr_nan_p(r)) {
        return false;
    }
    mpfr_set_ui_2exp(limit, 1, f->emin, MPFR_RNDN);
    bool tiny = mpfr_cmpabs(r, limit) < 0;
    mpfr_set_emin(f->emin - f->prec + 2);
    mpfr_set_emax(f->emax + 1);
    mpfr_clear_flags();
    int inexact = mpfr_check_range(r, mpfr_do(op, r, arg, rnd), rnd);
    bool over = mpfr_overflow_p();
    inexact = mpfr_subnormalize(r, inexact, rnd);
    wide_range();
    *want = from_mpfr(f, r);
    *flags = (over ? FPSR_OFC : 0) | (inexact ? FPSR_IXC : 0) | (tiny && inexact ? FPSR_UFC : 0);
    if (op == DIV && mpfr_zero_p(arg[1]) && mpfr_regular_p(arg[0])) {
        *flags |= FPSR_DZC;
    }
    return true;
}

static unsigned mismatches;

static void report(const char *what, const Format *f, const uint64_t v[3], unsigned round, uint64_t got,
                   uint32_t flags, uint64_t want, uint32_t want_flags)
{
    if (mismatches++ < 20) {
        cr_log_error("%s %s %llx %llx %llx round %u: %llx flags %x, not %llx flags %x", what, f->name,
                     (unsigned long long)v[0], (unsigned long long)v[1], (unsigned long long)v[2], round,
                     (unsigned long long)want, want_flags, (unsigned long long)got, flags);
    }
}

static void against_mpfr(Op op, const Format *from, const Format *f, const uint64_t v[3])
{
    static const mpfr_rnd_t rnds[] = {MPFR_RNDN, MPFR_RNDU, MPFR_RNDD, MPFR_RNDZ};
    for (unsigned round = 0; round < LEN(rnds); round++) {
        FpEnv env = {round << FPCR_RMODE_SHIFT, 0};
        uint64_t got = soft_do(op, from, f, v, &env), want;
        uint32_t flags;
        if (!mpfr_judge(op, from, f, v, rnds[round], &want, &flags)) {
            flags = FPSR_IOC;
            want = inf_bits(f) | (uint64_t)1 << (f->prec - 2);
        }
        if (got != want || env.fpsr != flags) {
            report(op_names[op], f, v, round, want, flags, got, env.fpsr);
        }
    }
}

Test(softfloat, mpfr_random)
{
    mismatches = 0;
    for (unsigned k = 0; k < LEN(formats); k++) {
        const Format *f = &formats[k];
        for (int n = 0; n < RANDOM_ROUNDS; n++) {
            uint64_t v[3] = {operand(f), operand(f), operand(f)};
            if (n % 4 == 0) {
                v[1] = v[0] ^ (rng() & 3) ^ (uint64_t)(n / 4 & 1) << (f->width - 1);
                v[1] = is_nan(f, v[1]) ? v[0] : v[1];
            }
            for (int op = ADD; op < CVT; op++) {
                against_mpfr((Op)op, f, f, v);
            }
            for (unsigned from = 0; from < LEN(formats); from++) {
                uint64_t a[3] = {operand(&formats[from]), 0, 0};
                if (from != k) {
                    against_mpfr(CVT, &formats[from], f, a);
                }
            }
        }
    }
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}

/* fma with an addend that nearly cancels the product, or that lies just beyond its last place. */
Test(softfloat, mpfr_fma_cancels)
{
    mismatches = 0;
    for (unsigned k = 0; k < LEN(formats); k++) {
        const Format *f = &formats[k];
        for (int n = 0; n < RANDOM_ROUNDS; n++) {
            uint64_t v[3] = {operand(f), operand(f), 0};
            FpEnv env = {0, 0};
            v[2] = sf_mul(f->fmt, v[0], v[1], &env) ^ (uint64_t)1 << (f->width - 1);
            if (is_nan(f, v[2])) {
                continue;
            }
            v[2] += (rng() & 3) - 1;
            if (n & 1) {
                v[2] ^= (rng() % (unsigned)(2 * f->prec)) << (f->prec - 1);
            }
            if (!is_nan(f, v[2])) {
                against_mpfr(FMA, f, f, v);
            }
        }
    }
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}

Test(softfloat, mpfr_half_exhaustive)
{
    mismatches = 0;
    const Format *h = &formats[0];
    for (uint32_t a = 0; a < 0x10000; a++) {
        uint64_t v[3] = {a, 0, 0};
        if (!is_nan(h, a)) {
            against_mpfr(SQRT, h, h, v);
            against_mpfr(CVT, h, &formats[1], v);
            against_mpfr(CVT, h, &formats[2], v);
        }
    }
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}

/* -- integers ------------------------------------------------------------------------------------- */

/* MPFR's rounding to an integral value, Arm's names. */
static int mpfr_integral(mpfr_t r, mpfr_t a, unsigned round)
{
    switch (round) {
    case FPR_TIEEVEN:
        return mpfr_roundeven(r, a);
    case FPR_POSINF:
        return mpfr_ceil(r, a);
    case FPR_NEGINF:
        return mpfr_floor(r, a);
    case FPR_ZERO:
        return mpfr_trunc(r, a);
    default:
        return mpfr_round(r, a);
    }
}

static void to_int_against_mpfr(const Format *f, uint64_t a, unsigned bits, bool is_unsigned, unsigned fbits,
                                unsigned round)
{
    mpfr_t v, lim;
    mpfr_inits2(256, v, lim, (mpfr_ptr)0);
    wide_range();
    to_mpfr(f, v, a);
    mpfr_prec_round(v, 256, MPFR_RNDN);
    mpfr_mul_2ui(v, v, fbits, MPFR_RNDN);
    bool inexact = !mpfr_integer_p(v) && !mpfr_inf_p(v), over = false;
    uint64_t want, max = is_unsigned ? bits_mask(bits) : bits_mask(bits - 1), min = is_unsigned ? 0 : max + 1;
    mpfr_integral(v, v, round);
    mpfr_set_ui(lim, max, MPFR_RNDN);
    if (mpfr_cmp(v, lim) > 0) {
        over = true;
        want = max;
    } else {
        mpfr_set_ui(lim, min, MPFR_RNDN);
        mpfr_neg(lim, lim, MPFR_RNDN);
        over = mpfr_cmp(v, lim) < 0;
        mpfr_t mag;
        mpfr_init2(mag, 256);
        mpfr_abs(mag, v, MPFR_RNDN);
        want = over ? min : mpfr_get_ui(mag, MPFR_RNDN);
        want = (mpfr_sgn(v) < 0 ? -want : want) & bits_mask(bits);
        mpfr_clear(mag);
    }
    FpEnv env = {0, 0};
    uint64_t got = sf_to_int(f->fmt, a, bits, is_unsigned, fbits, round, &env);
    uint32_t flags = over ? FPSR_IOC : inexact ? FPSR_IXC : 0;
    if (got != want || env.fpsr != flags) {
        uint64_t args[3] = {a, bits | (unsigned)is_unsigned << 8, fbits};
        report("to_int", f, args, round, want, flags, got, env.fpsr);
    }
    mpfr_clears(v, lim, (mpfr_ptr)0);
}

Test(softfloat, to_int)
{
    mismatches = 0;
    for (unsigned k = 0; k < LEN(formats); k++) {
        const Format *f = &formats[k];
        for (int n = 0; n < RANDOM_ROUNDS; n++) {
            uint64_t a = operand(f), r = rng();
            if (n & 1 && k) { /* around the limits of the integers */
                a = (a & ~((uint64_t)bits_mask((unsigned)(f->width - f->prec)) << (f->prec - 1))) |
                    (uint64_t)((unsigned)f->emax + r % 70 - 3) << (f->prec - 1);
            }
            unsigned bits = 16u << (r >> 8) % 3, fbits = r >> 16 & 1 ? 0 : (unsigned)(r >> 20) % bits;
            to_int_against_mpfr(f, a, bits, r >> 17 & 1, fbits, (unsigned)(r >> 32) % 5);
        }
    }
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}

Test(softfloat, rint_half_exhaustive)
{
    mismatches = 0;
    mpfr_t v;
    mpfr_init2(v, 64);
    const Format *h = &formats[0];
    for (uint32_t a = 0; a < 0x10000; a++) {
        for (unsigned round = FPR_TIEEVEN; round <= FPR_TIEAWAY && !is_nan(h, a); round++) {
            FpEnv env = {0, 0};
            wide_range();
            to_mpfr(h, v, a);
            uint32_t flags = mpfr_inf_p(v) || mpfr_integer_p(v) ? 0 : FPSR_IXC;
            mpfr_integral(v, v, round);
            uint64_t want = from_mpfr(h, v), got = sf_rint(E_H, a, round, true, &env), args[3] = {a, 0, 0};
            if (got != want || env.fpsr != flags) {
                report("rint", h, args, round, want, flags, got, env.fpsr);
            }
        }
    }
    mpfr_clear(v);
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}

Test(softfloat, from_int)
{
    static const mpfr_rnd_t rnds[] = {MPFR_RNDN, MPFR_RNDU, MPFR_RNDD, MPFR_RNDZ};
    mismatches = 0;
    mpfr_t v, r;
    mpfr_init2(v, 64);
    mpfr_init2(r, 64);
    for (int n = 0; n < RANDOM_ROUNDS; n++) {
        const Format *f = &formats[(unsigned)n % LEN(formats)];
        uint64_t x = rng() >> (rng() & 63), k = rng();
        unsigned bits = k & 1 ? 32 : 64, fbits = k & 2 ? 0 : (unsigned)(k >> 8) % bits, round = k >> 16 & 3;
        bool is_unsigned = k & 4;
        x = k & 8 ? -x : x;
        x &= bits_mask(bits);
        int64_t sx = bits_sext(x, bits);
        wide_range();
        if (is_unsigned) {
            mpfr_set_ui_2exp(v, x, -(long)fbits, MPFR_RNDN);
        } else {
            mpfr_set_si_2exp(v, sx, -(long)fbits, MPFR_RNDN);
        }
        mpfr_set_prec(r, f->prec);
        mpfr_set_emin(f->emin - f->prec + 2);
        mpfr_set_emax(f->emax + 1);
        mpfr_clear_flags();
        int inexact = mpfr_check_range(r, mpfr_set(r, v, rnds[round]), rnds[round]);
        bool over = mpfr_overflow_p();
        inexact = mpfr_subnormalize(r, inexact, rnds[round]);
        wide_range();
        mpfr_abs(v, v, MPFR_RNDN);
        bool tiny = mpfr_regular_p(v) && mpfr_get_exp(v) - 1 < f->emin;
        uint32_t flags = (over ? FPSR_OFC : 0) | (inexact ? FPSR_IXC : 0) | (tiny && inexact ? FPSR_UFC : 0);
        FpEnv env = {0, 0};
        uint64_t got = sf_from_int(f->fmt, x, bits, is_unsigned, fbits, round, &env), want = from_mpfr(f, r);
        if (got != want || env.fpsr != flags) {
            uint64_t args[3] = {x, bits | (unsigned)is_unsigned << 8, fbits};
            report("from_int", f, args, round, want, flags, got, env.fpsr);
        }
    }
    mpfr_clears(v, r, (mpfr_ptr)0);
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}

/* -- the host's own arithmetic -------------------------------------------------------------------- */

#if defined(__x86_64__)
static uint32_t host_flags(void)
{
    int e = fetestexcept(FE_ALL_EXCEPT);
    return (e & FE_INVALID ? FPSR_IOC : 0) | (e & FE_DIVBYZERO ? FPSR_DZC : 0) | (e & FE_OVERFLOW ? FPSR_OFC : 0) |
           (e & FE_UNDERFLOW ? FPSR_UFC : 0) | (e & FE_INEXACT ? FPSR_IXC : 0);
}

static uint64_t host_double(Op op, uint64_t va, uint64_t vb)
{
    volatile double a, b, r;
    double t;
    memcpy(&t, &va, 8);
    a = t;
    memcpy(&t, &vb, 8);
    b = t;
    feclearexcept(FE_ALL_EXCEPT);
    r = op == ADD ? a + b : op == SUB ? a - b : op == MUL ? a * b : a / b;
    t = r;
    memcpy(&va, &t, 8);
    return va;
}

static uint64_t host_single(Op op, uint64_t va, uint64_t vb)
{
    volatile float a, b, r;
    float t;
    uint32_t w = (uint32_t)va;
    memcpy(&t, &w, 4);
    a = t;
    w = (uint32_t)vb;
    memcpy(&t, &w, 4);
    b = t;
    feclearexcept(FE_ALL_EXCEPT);
    r = op == ADD ? a + b : op == SUB ? a - b : op == MUL ? a * b : a / b;
    t = r;
    memcpy(&w, &t, 4);
    return w;
}

Test(softfloat, host_sse)
{
    static const int rnds[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    mismatches = 0;
    for (int n = 0; n < 40 * RANDOM_ROUNDS; n++) {
        const Format *f = &formats[1 + (n & 1)];
        uint64_t v[3] = {operand(f), operand(f), 0};
        unsigned round = n >> 1 & 3;
        Op op = (Op)(rng() % 4);
        fesetround(rnds[round]);
        uint64_t want = f->fmt == E_D ? host_double(op, v[0], v[1]) : host_single(op, v[0], v[1]);
        uint32_t flags = host_flags();
        fesetround(FE_TONEAREST);
        FpEnv env = {round << FPCR_RMODE_SHIFT, 0};
        uint64_t got = soft_do(op, f, f, v, &env), normal = (uint64_t)1 << (f->prec - 1);
        if (is_nan(f, want)) {
            want &= bits_mask((unsigned)f->width - 1); /* the host's default NaN is negative */
        }
        uint32_t unsure = (want & bits_mask((unsigned)f->width - 1)) == normal ? FPSR_UFC : 0;
        if (got != want || ((env.fpsr ^ flags) & ~unsure)) {
            report(op_names[op], f, v, round, want, flags, got, env.fpsr);
        }
    }
    cr_assert_eq(mismatches, 0, "%u mismatches", mismatches);
}
#endif

/* -- rows ----------------------------------------------------------------------------------------- */

typedef uint64_t Binary(IrElem fmt, uint64_t a, uint64_t b, FpEnv *env);

typedef struct BinaryRow {
    const char *name;
    Binary *fn;
    IrElem fmt;
    uint64_t a, b;
    uint32_t fpcr;
    uint64_t want;
    uint32_t fpsr;
} BinaryRow;

enum { QN = 0x7fc00001, QN2 = 0x7fc00002, SN = 0x7f800001, SN2 = 0x7f800002, DN = 0x7fc00000, ONE = 0x3f800000,
       TWO = 0x40000000, PINF = 0x7f800000, DENORM = 1 };
#define MINUS 0x80000000u

static const BinaryRow binary_rows[] = {
    {"first qnan", sf_add, E_S, QN, QN2, 0, QN, 0},
    {"second qnan", sf_add, E_S, ONE, QN2, 0, QN2, 0},
    {"snan before qnan", sf_add, E_S, QN, SN2, 0, QN2, FPSR_IOC},
    {"first snan", sf_mul, E_S, SN, SN2, 0, QN, FPSR_IOC},
    {"sign kept", sf_sub, E_S, ONE, QN | MINUS, 0, QN | MINUS, 0},
    {"default nan", sf_div, E_S, QN, ONE, FPCR_DN, DN, 0},
    {"default of snan", sf_div, E_S, SN | MINUS, ONE, FPCR_DN, DN, FPSR_IOC},
    {"inf - inf", sf_sub, E_S, PINF, PINF, 0, DN, FPSR_IOC},
    {"inf * 0", sf_mul, E_S, PINF, MINUS, 0, DN, FPSR_IOC},
    {"mulx inf * -0", sf_mulx, E_S, PINF, MINUS, 0, TWO | MINUS, 0},
    {"0 / 0", sf_div, E_S, 0, MINUS, 0, DN, FPSR_IOC},
    {"1 / -0", sf_div, E_S, ONE, MINUS, 0, PINF | MINUS, FPSR_DZC},
    {"inf / 0", sf_div, E_S, PINF, 0, 0, PINF, 0},
    {"flushed operand", sf_add, E_S, DENORM, ONE, FPCR_FZ, ONE, FPSR_IDC},
    {"flushed before nan", sf_add, E_S, DENORM, SN, FPCR_FZ, QN, FPSR_IDC | FPSR_IOC},
    {"flushed to zero", sf_mul, E_S, 0x00800000, 0xbf000000, FPCR_FZ, MINUS, FPSR_UFC},
    {"rounds up to normal, tiny before", sf_mul, E_S, 0x00ffffff, 0x3f000000, 0, 0x00800000, FPSR_UFC | FPSR_IXC},
    {"the same flushed", sf_mul, E_S, 0x00ffffff, 0x3f000000, FPCR_FZ, 0, FPSR_UFC},
    {"half ignores FZ", sf_add, E_H, 1, 0x3c00, FPCR_FZ, 0x3c00, FPSR_IXC},
    {"half flushed by FZ16 without IDC", sf_add, E_H, 1, 0x3c00, FPCR_FZ16, 0x3c00, 0},
    {"arithmetic ignores AHP", sf_add, E_H, 0x7c00, 0x3c00, FPCR_AHP, 0x7c00, 0},
    {"max of zeros", sf_max, E_S, MINUS, 0, 0, 0, 0},
    {"min of zeros", sf_min, E_S, MINUS, 0, 0, MINUS, 0},
    {"max nan", sf_max, E_S, ONE, QN, 0, QN, 0},
    {"maxnm nan", sf_maxnm, E_S, ONE, QN, 0, ONE, 0},
    {"minnm nan first", sf_minnm, E_S, QN, ONE | MINUS, 0, ONE | MINUS, 0},
    {"maxnm nans", sf_maxnm, E_S, QN, QN2, 0, QN, 0},
    {"maxnm snan", sf_maxnm, E_S, SN, ONE, 0, QN, FPSR_IOC},
    {"maxnm qnan snan", sf_maxnm, E_S, QN, SN2, 0, QN2, FPSR_IOC},
    {"max flushed", sf_max, E_S, DENORM, 0, FPCR_FZ, 0, FPSR_IDC},
    {"recps inf 0", sf_recps, E_S, PINF, 0, 0, TWO, 0},
    {"recps 1 1", sf_recps, E_S, ONE, ONE, 0, ONE, 0},
    {"recps nan negated", sf_recps, E_S, QN, ONE, 0, QN | MINUS, 0},
    {"rsqrts inf 0", sf_rsqrts, E_S, PINF, 0, 0, 0x3fc00000, 0},
    {"rsqrts 1 1", sf_rsqrts, E_S, ONE, ONE, 0, ONE, 0},
    {"rsqrts 1 3", sf_rsqrts, E_S, ONE, 0x40400000, 2u << 22, MINUS, 0},
};

Test(softfloat, binary_rows)
{
    for (unsigned i = 0; i < LEN(binary_rows); i++) {
        const BinaryRow *w = &binary_rows[i];
        FpEnv env = {w->fpcr, 0};
        uint64_t got = w->fn(w->fmt, w->a, w->b, &env);
        cr_expect(got == w->want && env.fpsr == w->fpsr, "%s: %llx flags %x", w->name, (unsigned long long)got, env.fpsr);
    }
}

static const struct {
    const char *name;
    uint64_t a, b, c;
    uint64_t want;
    uint32_t fpsr;
} fma_rows[] = {
    {"addend first", QN, QN2, SN | 4, 0x7fc00005, FPSR_IOC},
    {"addend snan before factors", SN, SN2, 0x7f800003, 0x7fc00003, FPSR_IOC},
    {"qnan addend", QN, ONE, QN2, QN2, 0},
    {"qnan addend, inf * 0", PINF, 0, QN, DN, FPSR_IOC},
    {"snan addend, inf * 0", PINF, 0, SN, QN, FPSR_IOC},
    {"inf * 0", 0, PINF, ONE, DN, FPSR_IOC},
    {"inf - inf", PINF, ONE, PINF | MINUS, DN, FPSR_IOC},
    {"-0 + -0", MINUS, ONE, MINUS, MINUS, 0},
    {"cancels to +0", ONE, ONE, ONE | MINUS, 0, 0},
};

Test(softfloat, fma_rows)
{
    for (unsigned i = 0; i < LEN(fma_rows); i++) {
        FpEnv env = {0, 0};
        uint64_t got = sf_fma(E_S, fma_rows[i].a, fma_rows[i].b, fma_rows[i].c, &env);
        cr_expect(got == fma_rows[i].want && env.fpsr == fma_rows[i].fpsr, "%s: %llx flags %x", fma_rows[i].name,
                  (unsigned long long)got, env.fpsr);
    }
}

static const struct {
    IrElem from, to;
    uint64_t a;
    uint32_t fpcr, round;
    uint64_t want;
    uint32_t fpsr;
} cvt_rows[] = {
    {E_S, E_D, SN, 0, FPR_CURRENT, 0x7ff8000020000000, FPSR_IOC},
    {E_D, E_H, 0xfff8000000000001, 0, FPR_CURRENT, 0xfe00, 0},
    {E_D, E_H, 0x7ff0000000000000, FPCR_AHP, FPR_CURRENT, 0x7fff, FPSR_IOC},
    {E_S, E_H, QN | MINUS, FPCR_AHP, FPR_CURRENT, 0x8000, FPSR_IOC},
    {E_S, E_H, 0x47ffe000, FPCR_AHP, FPR_CURRENT, 0x7fff, 0},
    {E_S, E_H, 0x48000000, FPCR_AHP, FPR_CURRENT, 0x7fff, FPSR_IOC},
    {E_H, E_S, 0x7c00, FPCR_AHP, FPR_CURRENT, 0x47800000, 0},
    {E_H, E_S, 1, FPCR_FZ16 | FPCR_FZ, FPR_CURRENT, 0x33800000, 0},
    {E_S, E_H, 0x33800000, FPCR_FZ16, FPR_CURRENT, 1, 0},
    {E_S, E_D, DENORM, FPCR_FZ, FPR_CURRENT, 0, FPSR_IDC},
    {E_D, E_S, 0x3ff0000000000001, 0, FPR_ODD, 0x3f800001, FPSR_IXC},
    {E_D, E_S, 0x7fefffffffffffff, 0, FPR_ODD, 0x7f7fffff, FPSR_OFC | FPSR_IXC},
    {E_D, E_S, 1, 0, FPR_ODD, 1, FPSR_UFC | FPSR_IXC},
    {E_S, E_BF, 0x3f808000, 0, FPR_CURRENT, 0x3f80, FPSR_IXC},
    {E_S, E_BF, 0x3f818000, 0, FPR_CURRENT, 0x3f82, FPSR_IXC},
    {E_S, E_BF, 0x7f7fffff, 0, FPR_CURRENT, 0x7f80, FPSR_OFC | FPSR_IXC},
    {E_S, E_BF, SN, 0, FPR_CURRENT, 0x7fc0, FPSR_IOC},
};

Test(softfloat, cvt_rows)
{
    for (unsigned i = 0; i < LEN(cvt_rows); i++) {
        FpEnv env = {cvt_rows[i].fpcr, 0};
        uint64_t got = sf_cvt(cvt_rows[i].from, cvt_rows[i].to, cvt_rows[i].a, cvt_rows[i].round, &env);
        cr_expect(got == cvt_rows[i].want && env.fpsr == cvt_rows[i].fpsr, "row %u: %llx flags %x", i,
                  (unsigned long long)got, env.fpsr);
    }
}

static const struct {
    uint64_t a, b;
    unsigned quiet, quiet_fpsr, signal_fpsr;
} compare_rows[] = {
    {ONE, ONE, 6, 0, 0},     {MINUS, 0, 6, 0, 0},        {ONE | MINUS, ONE, 8, 0, 0},   {TWO, ONE, 2, 0, 0},
    {ONE, PINF, 8, 0, 0},    {DENORM, 0, 2, 0, 0},       {PINF | MINUS, 0, 8, 0, 0},    {PINF, PINF, 6, 0, 0},
    {QN, ONE, 3, 0, 1},      {ONE, SN, 3, 1, 1},         {TWO | MINUS, ONE | MINUS, 8, 0, 0},
};

Test(softfloat, compare_rows)
{
    for (unsigned i = 0; i < LEN(compare_rows); i++) {
        FpEnv q = {0, 0}, s = {0, 0};
        uint64_t a = compare_rows[i].a, b = compare_rows[i].b;
        unsigned nq = sf_compare(E_S, a, b, false, &q), ns = sf_compare(E_S, a, b, true, &s);
        cr_expect(nq == compare_rows[i].quiet && ns == nq && q.fpsr == compare_rows[i].quiet_fpsr &&
                      s.fpsr == compare_rows[i].signal_fpsr,
                  "row %u: %x %x", i, nq, ns);
        FpEnv e = {0, 0};
        cr_expect_eq(sf_cmp(E_S, FCMP_EQ, a, b, &e), nq == 6);
        cr_expect_eq(sf_cmp(E_S, FCMP_GE, a, b, &e), nq == 6 || nq == 2);
        cr_expect_eq(sf_cmp(E_S, FCMP_GT, a, b, &e), nq == 2);
    }
}

static const struct {
    uint64_t a;
    uint32_t want, fpsr;
    bool z;
} jcvt_rows[] = {
    {0, 0, 0, true},
    {0x8000000000000000, 0, 0, false},
    {0x3ff0000000000000, 1, 0, true},
    {0xbff8000000000000, 0xffffffff, FPSR_IXC, false},
    {0x41e0000000000000, 0x80000000, FPSR_IOC, false},
    {0xc1e0000000000000, 0x80000000, 0, true},
    {0x41f0000000200000, 2, FPSR_IOC, false},
    {0x4430000000000001, 1u << 16, FPSR_IOC, false},
    {0x7ff0000000000000, 0, FPSR_IOC, false},
    {0x7ff8000000000000, 0, FPSR_IOC, false},
};

Test(softfloat, jcvt_rows)
{
    for (unsigned i = 0; i < LEN(jcvt_rows); i++) {
        FpEnv env = {0, 0};
        bool z;
        uint32_t got = sf_jcvt(jcvt_rows[i].a, &z, &env);
        cr_expect(got == jcvt_rows[i].want && z == jcvt_rows[i].z && env.fpsr == jcvt_rows[i].fpsr,
                  "row %u: %x z %d flags %x", i, got, z, env.fpsr);
    }
}

static const struct {
    uint64_t a;
    unsigned bits;
    uint64_t want;
    uint32_t fpsr;
} rint_n_rows[] = {
    {0x41dfffffffe00000, 32, 0x41dfffffffc00000, FPSR_IXC}, {0x41e0000000000000, 32, 0xc1e0000000000000, FPSR_IOC},
    {0xc1e0000000000000, 32, 0xc1e0000000000000, 0},        {0x7ff8000000000000, 64, 0xc3e0000000000000, FPSR_IOC},
    {0x43e0000000000000, 64, 0xc3e0000000000000, FPSR_IOC}, {0xbfe0000000000000, 64, 0x8000000000000000, FPSR_IXC},
};

Test(softfloat, rint_n_rows)
{
    for (unsigned i = 0; i < LEN(rint_n_rows); i++) {
        FpEnv env = {0, 0};
        uint64_t got = sf_rint_n(E_D, rint_n_rows[i].a, FPR_ZERO, rint_n_rows[i].bits, &env);
        cr_expect(got == rint_n_rows[i].want && env.fpsr == rint_n_rows[i].fpsr, "row %u: %llx flags %x", i,
                  (unsigned long long)got, env.fpsr);
    }
}

typedef uint64_t Unary(IrElem fmt, uint64_t a, FpEnv *env);

static const struct {
    const char *name;
    Unary *fn;
    IrElem fmt;
    uint64_t a;
    uint32_t fpcr;
    uint64_t want;
    uint32_t fpsr;
} unary_rows[] = {
    {"recpe 1", sf_recpe, E_S, ONE, 0, 0x3f7f8000, 0},
    {"recpe half", sf_recpe, E_H, 0x3c00, 0, 0x3bfc, 0},
    {"recpe tiny", sf_recpe, E_S, 0x00100000, 0, PINF, FPSR_OFC | FPSR_IXC},
    {"recpe tiny to zero", sf_recpe, E_S, 0x00100000, 3u << 22, PINF - 1, FPSR_OFC | FPSR_IXC},
    {"recpe smallest that fits", sf_recpe, E_S, 0x00200000, 0, 0x7f7f8000, 0},
    {"recpe huge", sf_recpe, E_S, 0x7f000000, 0, 0x003fe000, 0},
    {"recpe huge flushed", sf_recpe, E_S, 0xff000000, FPCR_FZ, MINUS, FPSR_UFC},
    {"recpe 0", sf_recpe, E_S, MINUS, 0, PINF | MINUS, FPSR_DZC},
    {"rsqrte 1", sf_rsqrte, E_S, ONE, 0, 0x3f7f8000, 0},
    {"rsqrte 4", sf_rsqrte, E_D, 0x4010000000000000, 0, 0x3fdff00000000000, 0},
    {"rsqrte -1", sf_rsqrte, E_S, ONE | MINUS, 0, DN, FPSR_IOC},
    {"rsqrte inf", sf_rsqrte, E_S, PINF, 0, 0, 0},
    {"rsqrte denormal", sf_rsqrte, E_H, 1, 0, 0x6bfc, 0},
    {"recpx 1", sf_recpx, E_S, ONE, 0, TWO, 0},
    {"recpx 0", sf_recpx, E_S, MINUS, 0, 0xff000000, 0},
    {"recpx inf", sf_recpx, E_S, PINF, 0, 0, 0},
    {"sqrt -1", sf_sqrt, E_S, ONE | MINUS, 0, DN, FPSR_IOC},
    {"sqrt -0", sf_sqrt, E_S, MINUS, 0, MINUS, 0},
    {"sqrt snan", sf_sqrt, E_S, SN, 0, QN, FPSR_IOC},
};

Test(softfloat, unary_rows)
{
    for (unsigned i = 0; i < LEN(unary_rows); i++) {
        FpEnv env = {unary_rows[i].fpcr, 0};
        uint64_t got = unary_rows[i].fn(unary_rows[i].fmt, unary_rows[i].a, &env);
        cr_expect(got == unary_rows[i].want && env.fpsr == unary_rows[i].fpsr, "%s: %llx flags %x", unary_rows[i].name,
                  (unsigned long long)got, env.fpsr);
    }
}

/* The definition: the first estimate whose successor is too large (RecipSqrtEstimate). */
Test(softfloat, rsqrt_estimates)
{
    for (uint32_t top = 128; top < 512; top++) {
        unsigned a = top < 256 ? 2 * top + 1 : 2 * (top | 1), b = 512;
        while (a * (b + 1) * (b + 1) < 1u << 28) {
            b++;
        }
        cr_expect_eq(sf_u32_rsqrte(top << 23) >> 23, (b + 1) / 2, "%u", top);
    }
    cr_expect_eq(sf_u32_rsqrte(0x3fffffff), 0xffffffff);
    cr_expect_eq(sf_u32_recpe(0x7fffffff), 0xffffffff);
    cr_expect_eq(sf_u32_recpe(0x80000000), 0xff800000);
}

Test(softfloat, bfdot)
{
    cr_expect_eq(sf_bfdot(ONE, 0x3f80, 0x3f80, 0x4000, 0x3f80), 0x40800000);  /* 1 + 1*2 + 1*1 */
    cr_expect_eq(sf_bfdot(0, 0x7f80, 0, 0, 0), DN);                          /* inf * 0 */
    cr_expect_eq(sf_bfdot(SN, 0, 0, 0, 0), DN);
    cr_expect_eq(sf_bfdot(0, 0x7f7f, 0, 0x7f7f, 0), PINF);                   /* odd rounding still overflows */
    cr_expect_eq(sf_bfdot(DENORM, 0x3f80, 0, 0x0001, 0), 0);                 /* denormals are zeros */
    cr_expect_eq(sf_bfdot(0x4b800000, 0x3f80, 0, 0x3f80, 0), 0x4b800001); /* 2^24 + 1, to odd */
}
