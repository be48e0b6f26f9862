/* truth.c - what the instructions of rows.c give, computed without ir/softfloat.c.
 *
 * Halves and singles are exact as doubles, and so is all that is done to them here: multiplying by powers of two,
 * squares of 26 bits, parts behind the point. No host instruction rounds. The estimates are the published formulas
 * in doubles (DDI 0406, recip_estimate and recip_sqrt_estimate), which the newer manual gives in integers.
 */
#include <math.h>

#include "exhaust.h"

typedef struct Fmt {
    int prec, emin, emax, width; /* precision with the leading bit; exponents of normal numbers */
} Fmt;

static const Fmt fmts[] = {[E_H] = {11, -14, 15, 16}, [E_S] = {24, -126, 127, 32}, [E_D] = {53, -1022, 1023, 64}};
static const Fmt bf16 = {8, -126, 127, 16};

ALWAYS uint64_t inf_of(const Fmt *f)
{
    return bits_mask((unsigned)(f->width - f->prec)) << (f->prec - 1);
}

ALWAYS double power(int n)
{
    uint64_t bits = (uint64_t)(1023 + n) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

ALWAYS int exponent(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int)(bits >> 52 & 0x7ff) - 1023;
}

/* An operand taken apart. Facts are wide, for else the compiler writes single bytes and reads several at once. */
typedef struct Arg {
    double x; /* its value; not for NaNs */
    uint64_t sign, nan, snan, inf, zero;
    uint64_t frac; /* without the leading bit */
    int exp;       /* as it stands in the pattern */
} Arg;

ALWAYS Arg arg_of(IrElem e, uint32_t v)
{
    const Fmt *f = &fmts[e];
    Arg a = {.sign = v >> (f->width - 1) & 1, .frac = v & bits_mask((unsigned)f->prec - 1)};
    a.exp = (int)(v >> (f->prec - 1) & bits_mask((unsigned)(f->width - f->prec)));
    bool top = a.exp > f->emax - f->emin + 1;
    a.nan = top && a.frac;
    a.snan = a.nan && !(a.frac >> (f->prec - 2));
    a.inf = top && !a.frac;
    a.zero = !a.exp && !a.frac;
    uint64_t sig = a.frac | (uint64_t)(a.exp != 0) << (f->prec - 1);
    a.x = a.inf ? HUGE_VAL : (double)sig * power((a.exp ? a.exp : 1) + f->emin - f->prec);
    a.x = a.sign ? -a.x : a.x;
    return a;
}

ALWAYS Result quiet(const Fmt *from, const Fmt *to, const Arg *a)
{
    int shift = to->prec - from->prec;
    uint64_t frac = shift >= 0 ? a->frac << shift : a->frac >> -shift;
    frac |= (uint64_t)1 << (to->prec - 2);
    return (Result){(uint64_t)a->sign << (to->width - 1) | inf_of(to) | frac, a->snan ? FPSR_IOC : 0};
}

ALWAYS Result invalid(const Fmt *f)
{
    return (Result){inf_of(f) | (uint64_t)1 << (f->prec - 2), FPSR_IOC};
}

/* Does whole + rest, 0 < rest < 1, with this sign round away from zero? Without branches, which nobody could foresee. */
ALWAYS bool goes_up(unsigned round, bool sign, double whole, double rest)
{
    switch (round) {
    case FPR_TIEEVEN: return (rest > 0.5) | ((rest == 0.5) & (floor(whole / 2) * 2 != whole));
    case FPR_TIEAWAY: return rest >= 0.5;
    case FPR_POSINF: return !sign & (rest > 0);
    case FPR_NEGINF: return sign & (rest > 0);
    default: return false;
    }
}

/* x as an integer; the sign of x stays. */
ALWAYS double integral(double x, unsigned round)
{
    double a = fabs(x), whole = floor(a);
    return copysign(whole + goes_up(round, signbit(x), whole, a - whole), x);
}

ALWAYS Result overflows(const Fmt *f, bool sign, unsigned round)
{
    bool inf = round == FPR_TIEEVEN || round == (sign ? FPR_NEGINF : FPR_POSINF);
    return (Result){(uint64_t)sign << (f->width - 1) | (inf_of(f) - !inf), FPSR_OFC | FPSR_IXC};
}

ALWAYS Result rounded(const Fmt *f, double x, unsigned round)
{
    bool sign = signbit(x);
    double a = fabs(x);
    Result r = {(uint64_t)sign << (f->width - 1), 0};
    if (a == 0) {
        return r;
    }
    int e = exponent(a) < f->emin ? f->emin : exponent(a);
    double n = a * power(f->prec - 1 - e), whole = floor(n), rest = n - whole;
    double v = whole + goes_up(round, sign, whole, rest);
    uint64_t bits = ((uint64_t)(e - f->emin) << (f->prec - 1)) + (uint64_t)(int64_t)v;
    if (bits >= inf_of(f)) {
        return overflows(f, sign, round);
    }
    r.bits |= bits;
    r.flags = (rest != 0) * (FPSR_IXC | (a < power(f->emin)) * FPSR_UFC);
    return r;
}

ALWAYS Result root(const Fmt *f, const Arg *a, unsigned round)
{
    if (a->zero || (a->inf && !a->sign)) {
        return (Result){(uint64_t)a->sign << (f->width - 1) | (a->inf ? inf_of(f) : 0), 0};
    }
    if (a->sign) {
        return invalid(f);
    }
    double s = sqrt(a->x), ulp = power(exponent(s) - f->prec + 1), low = floor(s / ulp) * ulp;
    while (low * low > a->x) {
        low -= ulp;
    }
    while ((low + ulp) * (low + ulp) <= a->x) {
        low += ulp;
    }
    double half = low + ulp / 2;
    bool inexact = low * low != a->x;
    low += ulp * (inexact & ((round == FPR_POSINF) | ((round == FPR_TIEEVEN) & (half * half < a->x))));
    return (Result){rounded(f, low, 0).bits, inexact * FPSR_IXC};
}

ALWAYS Result round_int(const Row *r, const Fmt *f, const Arg *a, uint32_t v, unsigned round)
{
    if (a->inf || a->zero) {
        return (Result){v, 0};
    }
    double i = integral(a->x, round);
    return (Result){rounded(f, i, 0).bits, (r->kind == K_RINTX) * (i != a->x) * FPSR_IXC};
}

ALWAYS Result round_int_n(const Row *r, const Fmt *f, const Arg *a, unsigned round)
{
    double limit = power(r->bits - 1), i = a->nan || a->inf ? limit : integral(a->x, round);
    if (i >= limit || i < -limit) {
        return (Result){rounded(f, -limit, 0).bits, FPSR_IOC};
    }
    return (Result){rounded(f, i, 0).bits, (i != a->x) * FPSR_IXC};
}

ALWAYS Result to_int(const Row *r, const Arg *a, unsigned round)
{
    if (a->nan) {
        return (Result){0, FPSR_IOC};
    }
    double x = a->x * power(r->fbits), i = a->inf ? x : integral(x, round);
    double top = power(r->is_unsigned ? r->bits : r->bits - 1), bottom = r->is_unsigned ? 0 : -top;
    uint64_t max = bits_mask(r->is_unsigned ? r->bits : r->bits - 1u);
    if (i >= top) {
        return (Result){max, FPSR_IOC};
    }
    if (i < bottom) {
        return (Result){r->is_unsigned ? 0 : max + 1, FPSR_IOC};
    }
    uint64_t n = r->is_unsigned && r->bits == 64 ? (uint64_t)i : (uint64_t)(int64_t)i;
    return (Result){n & bits_mask(r->bits), (i != x) * FPSR_IXC};
}

ALWAYS Result from_int(const Row *r, uint32_t v, unsigned round)
{
    int32_t s = r->bits == 16 ? (int16_t)v : (int32_t)v;
    double x = r->is_unsigned ? (double)(v & (uint32_t)bits_mask(r->bits)) : (double)s;
    return rounded(&fmts[r->out], x * power(-r->fbits), round);
}

/* -- estimates ------------------------------------------------------------------------------------------------------ */

static unsigned recip(unsigned scaled)
{
    static uint16_t table[512];
    if (!table[scaled]) {
        double a = scaled / 512.0, q = floor(a * 512);
        table[scaled] = (uint16_t)(256 * (1 / ((q + 0.5) / 512)) + 0.5);
    }
    return table[scaled];
}

static unsigned recip_root(unsigned scaled)
{
    static uint16_t table[512];
    if (!table[scaled]) {
        double a = scaled / 512.0, unit = a < 0.5 ? 512 : 256;
        table[scaled] = (uint16_t)(256 * (1 / sqrt((floor(a * unit) + 0.5) / unit)) + 0.5);
    }
    return table[scaled];
}

/* FPRecipEstimate; the fraction is 52 bits wide there. */
ALWAYS Result recip_estimate(const Fmt *f, const Arg *a, unsigned round)
{
    uint64_t sign = (uint64_t)a->sign << (f->width - 1), mask = bits_mask(52);
    if (a->inf) {
        return (Result){sign, 0};
    }
    if (a->zero) {
        return (Result){sign | inf_of(f), FPSR_DZC};
    }
    if (fabs(a->x) < power(f->emin - 2)) {
        return overflows(f, a->sign, round);
    }
    uint64_t frac = a->frac << (53 - f->prec);
    int exp = a->exp;
    if (exp == 0) {
        if (frac >> 51) {
            frac = frac << 1 & mask;
        } else {
            exp = -1;
            frac = frac << 2 & mask;
        }
    }
    int to = (f->emax == 127 ? 253 : 29) - exp;
    frac = (uint64_t)(recip(256 | (unsigned)(frac >> 44)) & 255) << 44;
    if (to == 0) {
        frac = (uint64_t)1 << 51 | frac >> 1;
    } else if (to == -1) {
        frac = (uint64_t)1 << 50 | frac >> 2;
        to = 0;
    }
    return (Result){sign | (uint64_t)to << (f->prec - 1) | frac >> (53 - f->prec), 0};
}

ALWAYS Result root_estimate(const Fmt *f, const Arg *a)
{
    if (a->zero) {
        return (Result){(uint64_t)a->sign << (f->width - 1) | inf_of(f), FPSR_DZC};
    }
    if (a->sign) {
        return invalid(f);
    }
    if (a->inf) {
        return (Result){0, 0};
    }
    uint64_t frac = a->frac << (53 - f->prec);
    int exp = a->exp;
    if (exp == 0) {
        while (!(frac >> 51 & 1)) {
            frac <<= 1;
            exp--;
        }
        frac = frac << 1 & bits_mask(52);
    }
    unsigned scaled = exp & 1 ? 128 | (unsigned)(frac >> 45) : 256 | (unsigned)(frac >> 44);
    uint64_t to = (uint64_t)((f->emax == 127 ? 380 : 44) - exp) / 2;
    return (Result){to << (f->prec - 1) | (uint64_t)(recip_root(scaled) & 255) << (f->prec - 9), 0};
}

/* -- comparisons with zero --------------------------------------------------------------------------------------------- */

ALWAYS Result mask(const Row *r, const Arg *a)
{
    bool is;
    switch (r->round) {
    case CMP_EQ0: is = a->x == 0; break;
    case CMP_GE0: is = a->x >= 0; break;
    case CMP_GT0: is = a->x > 0; break;
    case CMP_LE0: is = a->x <= 0; break;
    default: is = a->x < 0;
    }
    if (a->nan) {
        return (Result){0, a->snan || r->round != CMP_EQ0 ? FPSR_IOC : 0};
    }
    return (Result){is ? bits_mask(8u << r->out) : 0, 0};
}

ALWAYS Result nzcv(const Row *r, const Arg *a)
{
    if (a->nan) {
        return (Result){3u << 28, a->snan || r->round ? FPSR_IOC : 0};
    }
    return (Result){(a->x == 0 ? 6u : a->x < 0 ? 8u : 2u) << 28, 0};
}

ALWAYS Result truth(const Row *r, uint32_t v, unsigned mode)
{
    const Fmt *f = &fmts[r->in], *to = r->kind == K_BF ? &bf16 : &fmts[r->out];
    unsigned round = r->round == FPR_CURRENT ? mode : r->round;
    switch (r->kind) {
    case K_ABS: return (Result){v & bits_mask((unsigned)f->width - 1), 0};
    case K_NEG: return (Result){v ^ (uint64_t)1 << (f->width - 1), 0};
    case K_FROMI: return from_int(r, v, mode);
    case K_URECPE: return (Result){v >> 31 ? recip(v >> 23) << 23 : ~0u, 0};
    case K_URSQRTE: return (Result){v >> 30 ? recip_root(v >> 23) << 23 : ~0u, 0};
    default: break;
    }
    Arg a = arg_of(r->in, v);
    switch (r->kind) {
    case K_TOI: return to_int(r, &a, round);
    case K_RINTN: return round_int_n(r, f, &a, round);
    case K_CMP0: return nzcv(r, &a);
    case K_MASK0: return mask(r, &a);
    default: break;
    }
    if (a.nan) {
        return quiet(f, to, &a);
    }
    switch (r->kind) {
    case K_SQRT: return root(f, &a, mode);
    case K_RINT:
    case K_RINTX: return round_int(r, f, &a, v, round);
    case K_RECPE: return recip_estimate(f, &a, mode);
    case K_RSQRTE: return root_estimate(f, &a);
    case K_RECPX: {
        uint64_t ones = bits_mask((unsigned)(f->width - f->prec)), exp = (uint64_t)a.exp;
        return (Result){(uint64_t)a.sign << (f->width - 1) | (exp ? exp ^ ones : ones - 1) << (f->prec - 1), 0};
    }
    default:
        return a.inf ? (Result){(uint64_t)a.sign << (to->width - 1) | inf_of(to), 0} : rounded(to, a.x, round);
    }
}

#define ROW(name, ...) ROW_FN(truth, name, __VA_ARGS__)
#include "rows.def"
