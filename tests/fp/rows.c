/* rows.c - the instructions of the exhaustive test, and what they are in softfloat.c. */
#include "own_soft.h"
#include "exhaust.h"

const Row rows[] = {
#define ROW(name, ...) {#name, __VA_ARGS__, truth_##name, soft_##name},
#include "rows.def"
};
const unsigned nrows = LEN(rows);

ALWAYS uint64_t soft_mask(const Row *r, uint32_t v, FpEnv *env)
{
    static const FcmpOp op[] = {FCMP_EQ, FCMP_GE, FCMP_GT, FCMP_GE, FCMP_GT};
    bool swapped = r->round >= CMP_LE0;
    return sf_cmp(r->in, op[r->round], swapped ? 0 : v, swapped ? v : 0, env) ? bits_mask(8u << r->out) : 0;
}

ALWAYS Result soft(const Row *r, uint32_t v, unsigned mode)
{
    FpEnv env = {mode << FPCR_RMODE_SHIFT, 0};
    uint64_t out = 0;
    switch (r->kind) {
    case K_SQRT: out = sf_sqrt(r->in, v, &env); break;
    case K_RINT: out = sf_rint(r->in, v, r->round, false, &env); break;
    case K_RINTX: out = sf_rint(r->in, v, r->round, true, &env); break;
    case K_RINTN: out = sf_rint_n(r->in, v, r->round, r->bits, &env); break;
    case K_CVT: out = sf_cvt(r->in, r->out, v, r->round, &env); break;
    case K_BF: out = sf_to_bf16(v, &env); break;
    case K_TOI: out = sf_to_int(r->in, v, r->bits, r->is_unsigned, r->fbits, r->round, &env); break;
    case K_FROMI: out = sf_from_int(r->out, v, r->bits, r->is_unsigned, r->fbits, r->round, &env); break;
    case K_RECPE: out = sf_recpe(r->in, v, &env); break;
    case K_RSQRTE: out = sf_rsqrte(r->in, v, &env); break;
    case K_RECPX: out = sf_recpx(r->in, v, &env); break;
    case K_URECPE: out = sf_u32_recpe(v); break;
    case K_URSQRTE: out = sf_u32_rsqrte(v); break;
    case K_ABS: out = sf_abs(r->in, v); break;
    case K_NEG: out = sf_neg(r->in, v); break;
    case K_CMP0: out = (uint64_t)sf_compare(r->in, v, 0, r->round, &env) << 28; break;
    case K_MASK0: out = soft_mask(r, v, &env); break;
    }
    return (Result){out, env.fpsr};
}

#define ROW(name, ...) ROW_FN(soft, name, __VA_ARGS__)
#include "rows.def"
