/* eval_fp.c - evaluation functions of the floating-point ops: f_* on scalars, vf_* lane by lane.
 *
 * All arithmetic is in softfloat.c; here is only which lanes and operands meet. A result may overwrite an
 * operand, so lanes are collected in a copy. Lanes of a format are unsigned bit patterns; e is the format
 * (.x), from E_H to E_D. To add an op: a row in ops.def and an EVALUATE here, mostly by one of the macros.
 */
#include "eval.h"
#include "softfloat.h"

static inline unsigned lanes(IrElem e)
{
    return 16u >> e;
}

static inline uint64_t lane(const V128 *v, IrElem e, unsigned i)
{
    return e == E_H ? v->h[i] : e == E_S ? v->s[i] : v->d[i];
}

static inline void set_lane(V128 *v, IrElem e, unsigned i, uint64_t x)
{
    if (e == E_H) {
        v->h[i] = (uint16_t)x;
    } else if (e == E_S) {
        v->s[i] = (uint32_t)x;
    } else {
        v->d[i] = x;
    }
}

static inline bool is_unsigned(uint32_t k)
{
    return EV_Y(k) & FPI_UNSIGNED;
}

static inline unsigned rounding(uint32_t k)
{
    return EV_Y(k) & FPR_MASK;
}

/* fn is an expression over x, y, z (operands), e (format), k and env. */
#define VECTOR(name, arity, fn)                                                                    \
    EVALUATE(vf_##name)                                                                            \
    {                                                                                              \
        IrElem e = (IrElem)EV_X(k);                                                                \
        V128 t;                                                                                    \
        for (unsigned i = 0; i < lanes(e); i++) {                                                  \
            uint64_t x = lane(a, e, i);                                                            \
            uint64_t y __attribute__((unused)) = arity > 1 ? lane(b, e, i) : 0;                    \
            uint64_t z __attribute__((unused)) = arity > 2 ? lane(c, e, i) : 0;                    \
            set_lane(&t, e, i, fn);                                                                \
        }                                                                                          \
        *r = t;                                                                                    \
    }
#define SCALAR1(name, fn)                                                                          \
    EVALUATE(f_##name)                                                                             \
    {                                                                                              \
        IrElem e = (IrElem)EV_X(k);                                                                \
        uint64_t x = a->d[0];                                                                      \
        r->d[0] = fn;                                                                              \
    }
#define SCALAR2(name, fn)                                                                          \
    EVALUATE(f_##name)                                                                             \
    {                                                                                              \
        IrElem e = (IrElem)EV_X(k);                                                                \
        uint64_t x = a->d[0], y = b->d[0];                                                         \
        r->d[0] = fn;                                                                              \
    }
#define SCALAR3(name, fn)                                                                          \
    EVALUATE(f_##name)                                                                             \
    {                                                                                              \
        IrElem e = (IrElem)EV_X(k);                                                                \
        uint64_t x = a->d[0], y = b->d[0], z = c->d[0];                                            \
        r->d[0] = fn;                                                                              \
    }
#define BOTH(arity, name, fn) SCALAR##arity(name, fn) VECTOR(name, arity, fn)

// clang-format off
BOTH(2, add, sf_add(e, x, y, env))
BOTH(2, sub, sf_sub(e, x, y, env))
BOTH(2, mul, sf_mul(e, x, y, env))
BOTH(2, div, sf_div(e, x, y, env))
BOTH(3, fma, sf_fma(e, x, y, z, env))
BOTH(2, mulx, sf_mulx(e, x, y, env))
BOTH(2, max, sf_max(e, x, y, env))
BOTH(2, min, sf_min(e, x, y, env))
BOTH(2, maxnm, sf_maxnm(e, x, y, env))
BOTH(2, minnm, sf_minnm(e, x, y, env))
BOTH(1, sqrt, sf_sqrt(e, x, env))
BOTH(1, abs, sf_abs(e, x))
BOTH(1, neg, sf_neg(e, x))
BOTH(1, recpe, sf_recpe(e, x, env))
BOTH(1, rsqrte, sf_rsqrte(e, x, env))
BOTH(2, recps, sf_recps(e, x, y, env))
BOTH(2, rsqrts, sf_rsqrts(e, x, y, env))
BOTH(1, rint, sf_rint(e, x, rounding(k), EV_IMM(k), env))
BOTH(1, rint_n, sf_rint_n(e, x, rounding(k), (unsigned)EV_IMM(k), env))

SCALAR1(recpx, sf_recpx(e, x, env))
SCALAR1(cvt, sf_cvt(e, (IrElem)EV_Y(k), x, FPR_CURRENT, env))
SCALAR1(to_i, sf_to_int(e, x, EV_Y(k) & FPI_64 ? 64 : 32, is_unsigned(k), (unsigned)EV_IMM(k), rounding(k), env))

VECTOR(cmp, 2, sf_cmp(e, (FcmpOp)EV_Y(k), x, y, env) ? ~(uint64_t)0 : 0)
VECTOR(to_i, 1, sf_to_int(e, x, 8u << e, is_unsigned(k), (unsigned)EV_IMM(k), rounding(k), env))
VECTOR(from_i, 1, sf_from_int(e, x, 8u << e, is_unsigned(k), (unsigned)EV_IMM(k), FPR_CURRENT, env))
// clang-format on

EVALUATE(i_to_f)
{
    unsigned bits = EV_Y(k) & FPI_64 ? 64 : 32;
    r->d[0] = sf_from_int((IrElem)EV_X(k), a->d[0], bits, is_unsigned(k), (unsigned)EV_IMM(k),
                          FPR_CURRENT, env);
}

EVALUATE(f_to_bf16)
{
    r->d[0] = sf_to_bf16(a->d[0], env);
}

EVALUATE(f_compare)
{
    r->d[0] = nzcv_pack(sf_compare((IrElem)EV_X(k), a->d[0], b->d[0], EV_Y(k), env));
}

EVALUATE(f_jcvt)
{
    bool z;
    r->d[0] = sf_jcvt(a->d[0], &z, env);
}

EVALUATE(f_jcvt_exact)
{
    FpEnv scratch = *env;
    bool z;
    sf_jcvt(a->d[0], &z, &scratch);
    r->d[0] = z;
}

/* -- widths change ----------------------------------------------------------------------------------- */

EVALUATE(vf_widen)
{
    IrElem e = (IrElem)EV_X(k), wide = (IrElem)(e + 1);
    V128 t;
    for (unsigned i = 0; i < lanes(wide); i++) {
        set_lane(&t, wide, i, sf_cvt(e, wide, lane(a, e, i), FPR_CURRENT, env));
    }
    *r = t;
}

EVALUATE(vf_narrow)
{
    IrElem e = (IrElem)EV_X(k), narrow = (IrElem)(e - 1);
    V128 t = {.d = {0, 0}};
    for (unsigned i = 0; i < lanes(e); i++) {
        set_lane(&t, narrow, i,
                 sf_cvt(e, narrow, lane(a, e, i),
                        EV_IMM(k) ? (unsigned)FPR_ODD : (unsigned)FPR_CURRENT, env));
    }
    *r = t;
}

EVALUATE(vf_to_bf16)
{
    V128 t = {.d = {0, 0}};
    for (unsigned i = 0; i < 4; i++) {
        t.h[i] = (uint16_t)sf_to_bf16(a->s[i], env);
    }
    *r = t;
}

EVALUATE(vf_mlal)
{
    V128 t;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t x = EV_IMM(k) ? sf_neg(E_H, a->h[i]) : a->h[i];
        t.s[i] = (uint32_t)sf_fma_half(x, b->h[i], c->s[i], env);
    }
    *r = t;
}

/* -- bfloat16 ----------------------------------------------------------------------------------------- */

EVALUATE(vf_bfdot)
{
    V128 t;
    for (unsigned i = 0; i < 4; i++) {
        t.s[i] = sf_bfdot(c->s[i], a->h[2 * i], a->h[2 * i + 1], b->h[2 * i], b->h[2 * i + 1]);
    }
    *r = t;
}

EVALUATE(vf_bfmmla)
{
    V128 t;
    for (unsigned i = 0; i < 4; i++) {
        const uint16_t *row = a->h + 4 * (i / 2), *col = b->h + 4 * (i % 2);
        uint32_t sum = sf_bfdot(c->s[i], row[0], row[1], col[0], col[1]);
        t.s[i] = sf_bfdot(sum, row[2], row[3], col[2], col[3]);
    }
    *r = t;
}
