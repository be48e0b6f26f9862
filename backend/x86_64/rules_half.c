/* rules_half.c - arithmetic of half precision on x86-64: halves become singles, exactly, and results halves again, rounded by
 * MXCSR. The rules of the game are in rules_fp.c.
 *
 * Two roundings are one here. A single has 24 bits, two more than twice a half's 11: sums, products, quotients and square roots
 * of halves rounded to single never lie where the second rounding would go another way (in directed modes they never do). A
 * fused sum needs more: it is made in double, where a half's addend or the product is exact as far as it matters, and becomes
 * single by rounding to odd: bits that are cut off stay as the last bit. Overflow, underflow and inexact are raised by the last
 * conversion, inexact perhaps before it, too. Quiet NaNs keep what they carry; others trap when they are converted.
 *
 * Vectors are made in two parts. With FZ, DN or KEY_FP_UFC the evaluation functions do these ops (rules_fpmode.c): MXCSR would
 * not know halves from singles.
 * Left to the evaluation functions: conversions of vectors to integers, fixed point, ties away from zero, estimates.
 */
#include "fp_lower.h"

enum { HIGH = 0xee };

static bool is_packed(const IrIns *in)
{
    return in->op >= OP_vf_add;
}

/* A temporary with the singles of four halves of v, or of one; nothing else stays locked. */
static Reg widened(Lower *l, IrRef v, bool packed, unsigned part)
{
    Asm *a = &l->a;
    uint64_t lock = l->lock;
    Reg s = packed ? l_reg(l, v) : fp_clean(l, v, F16), t = l_temp_x(l);
    if (part) {
        x_vpshufd_rri(a, t, s, HIGH);
        s = t;
    }
    l_fault(l);
    x_vcvtph2ps_rr(a, t, s);
    l->lock = lock | bit(t);
    return t;
}

/* x = greater (or lesser) of x and y; the zeros' signs as in rules_fp.c */
static void extreme(Lower *l, bool max, bool packed, Reg x, Reg y)
{
    Asm *a = &l->a;
    uint64_t lock = l->lock;
    Reg t = l_temp_x(l);
    l->lock = lock;
    l_fault(l);
    if (packed) {
        (max ? x_vmaxps_rrr : x_vminps_rrr)(a, t, x, y);
        (max ? x_vmaxps_rrr : x_vminps_rrr)(a, x, y, x);
    } else {
        (max ? x_vmaxss_rrr : x_vminss_rrr)(a, t, x, y);
        (max ? x_vmaxss_rrr : x_vminss_rrr)(a, x, y, x);
    }
    (max ? x_vpand_rrr : x_vpor_rrr)(a, x, x, t);
}

static void extreme_number(Lower *l, bool max, bool packed, Reg x, Reg y)
{
    if (!l->t->feat.avx512) {
        extreme(l, max, packed, x, y);
        return;
    }
    l_fault(l);
    (packed ? x_vrangeps_rrri : x_vrangess_rrri)(&l->a, x, x, y, max ? 5 : 4);
}

/* x = the op on singles */
static void compute(Lower *l, const IrIns *in, bool packed, Reg x, Reg y)
{
    Asm *a = &l->a;
    switch (in->op) {
    case OP_f_max: case OP_vf_max: extreme(l, true, packed, x, y); return;
    case OP_f_min: case OP_vf_min: extreme(l, false, packed, x, y); return;
    case OP_f_maxnm: case OP_vf_maxnm: extreme_number(l, true, packed, x, y); return;
    case OP_f_minnm: case OP_vf_minnm: extreme_number(l, false, packed, x, y); return;
    default: break;
    }
    l_fault(l);
    switch (in->op) {
    case OP_f_add: case OP_vf_add: (packed ? x_vaddps_rrr : x_vaddss_rrr)(a, x, x, y); break;
    case OP_f_sub: case OP_vf_sub: (packed ? x_vsubps_rrr : x_vsubss_rrr)(a, x, x, y); break;
    case OP_f_div: case OP_vf_div: (packed ? x_vdivps_rrr : x_vdivss_rrr)(a, x, x, y); break;
    default: (packed ? x_vmulps_rrr : x_vmulss_rrr)(a, x, x, y); break;
    }
}

/* The two parts' results, in temporaries, become the op's. */
static void finish(Lower *l, IrRef i, bool packed, Reg low, Reg high)
{
    Asm *a = &l->a;
    x_vcvtps2ph_rri(a, low, low, ROUND_MXCSR);
    if (packed) {
        x_vcvtps2ph_rri(a, high, high, ROUND_MXCSR);
    }
    Reg d = l_dst(l, i, false);
    if (packed) {
        x_vpunpcklqdq_rrr(a, d, low, high);
    } else {
        l_mov(l, TV128, d, low);
    }
    l_def(l, i, d, true);
}

static void own_binary(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    bool packed = is_packed(in);
    Reg r[2] = {NOREG, NOREG};
    for (unsigned part = 0; part < 1u + packed; part++) {
        r[part] = widened(l, in->a, packed, part);
        uint64_t lock = l->lock;
        compute(l, in, packed, r[part], widened(l, in->b, packed, part));
        l->lock = lock;
    }
    finish(l, i, packed, r[0], r[1]);
}

static void own_sqrt(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    bool packed = is_packed(in);
    Reg r[2] = {NOREG, NOREG};
    for (unsigned part = 0; part < 1u + packed; part++) {
        Reg x = r[part] = widened(l, in->a, packed, part);
        l_fault(l);
        if (packed) {
            x_vsqrtps_rr(a, x, x);
        } else {
            x_vsqrtss_rrr(a, x, x, x);
        }
    }
    finish(l, i, packed, r[0], r[1]);
}

static void own_rint(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    bool packed = is_packed(in);
    if (in->y == FPR_TIEAWAY) {
        l_eval(l, i);
        return;
    }
    unsigned imm = fp_round_imm(in->y) | (in->imm ? 0 : ROUND_QUIET);
    Reg r[2] = {NOREG, NOREG};
    for (unsigned part = 0; part < 1u + packed; part++) {
        Reg x = r[part] = widened(l, in->a, packed, part);
        if (packed) {
            x_vroundps_rri(a, x, x, imm);
        } else {
            x_vroundss_rrri(a, x, x, x, imm);
        }
    }
    finish(l, i, packed, r[0], r[1]);
}

static void own_cmp(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    unsigned predicate = in->y == FCMP_EQ ? CMP_EQ_Q : in->y == FCMP_GE ? CMP_GE_S : CMP_GT_S;
    Reg r[2];
    for (unsigned part = 0; part < 2; part++) {
        r[part] = widened(l, in->a, true, part);
        uint64_t lock = l->lock;
        Reg y = widened(l, in->b, true, part);
        l_fault(l);
        x_vcmpps_rrri(a, r[part], r[part], y, predicate);
        l->lock = lock;
    }
    Reg d = l_dst(l, i, false);
    x_vpackssdw_rrr(a, d, r[0], r[1]);
    l_def(l, i, d, true);
}

/* From 16 bits, which a single has exactly. */
static void own_from_i(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    if (in->imm) {
        l_eval(l, i);
        return;
    }
    Reg s = l_reg(l, in->a), r[2] = {l_temp_x(l), l_temp_x(l)};
    x_vpshufd_rri(a, r[1], s, HIGH);
    for (unsigned part = 0; part < 2; part++) {
        (in->y & FPI_UNSIGNED ? x_vpmovzxwd_rr : x_vpmovsxwd_rr)(a, r[part], part ? r[1] : s);
        x_vcvtdq2ps_rr(a, r[part], r[part]);
    }
    finish(l, i, true, r[0], r[1]);
}

/* -- fused sums ------------------------------------------------------------------------------------------------- */

/* z = z + x * y in doubles, then in singles by rounding to odd; x is destroyed */
static void fuse(Lower *l, Reg x, Reg y, Reg z)
{
    Asm *a = &l->a;
    const Mem cut = fp_const(l, &simd_consts.cut);
    x_vcvtps2pd_rr(a, x, x);
    x_vcvtps2pd_rr(a, y, y);
    x_vcvtps2pd_rr(a, z, z);
    l_fault(l);
    x_vfmadd231pd_rrr(a, z, x, y);
    x_vpand_rrm(a, x, z, cut);
    x_vpaddq_rrm(a, x, x, cut);
    x_vpor_rrr(a, x, x, z);
    x_vmovaps_rm(a, z, cut);
    x_vpandn_rrr(a, x, z, x);
    x_vcvtpd2ps_rr(a, z, x);
}

static Mem ev(const Lower *l, unsigned k, unsigned offset)
{
    return l_head(l, offsetof(CpuHead, ev) + sizeof(V128) * k + offset);
}

/* Four halves at ev k, or one, as singles */
static Reg load(Lower *l, unsigned k, bool packed, unsigned offset)
{
    Asm *a = &l->a;
    Reg t = l_temp_x(l);
    if (packed) {
        l_fault(l);
        x_vcvtph2ps_rm(a, t, ev(l, k, offset));
    } else {
        x_vpxor_rrr(a, t, t, t);
        x_vpinsrw_rrmi(a, t, t, ev(l, k, 0), 0);
        l_fault(l);
        x_vcvtph2ps_rr(a, t, t);
    }
    return t;
}

/* The first or second two of the singles in t */
static Reg two_of(Lower *l, Reg t, bool second)
{
    if (second) {
        x_vpshufd_rri(&l->a, t, t, HIGH);
    }
    return t;
}

/* Operands go to memory: there are not enough registers for their parts. A NaN of the addend traps (rules_fp.c). */
static void own_fma(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    bool packed = is_packed(in);
    const IrRef operands[3] = {in->a, in->b, in->c};
    for (unsigned k = 0; k < 3; k++) {
        x_vmovups_to_rm(a, l_reg(l, operands[k]), ev(l, k, 0));
        l->lock = 0;
    }
    Reg r[2] = {NOREG, NOREG};
    for (unsigned n = 0; n < (packed ? 4 : 1); n++) {
        unsigned part = n / 2, at = 8 * part;
        bool second = n & 1;
        uint64_t lock = l->lock;
        Reg z = load(l, 2, packed, at);
        uint64_t with_z = l->lock;
        if (!second) {
            fp_compare_for_trap(l, packed, false, z, z, CMP_ORD_S);
        }
        l->lock = with_z;
        two_of(l, z, second);
        Reg x = two_of(l, load(l, 0, packed, at), second), y = two_of(l, load(l, 1, packed, at), second);
        fuse(l, x, y, z);
        if (second) {
            x_vpunpcklqdq_rrr(a, r[part], r[part], z);
            l->lock = lock;
        } else {
            r[part] = z;
            l->lock = with_z;
        }
    }
    finish(l, i, packed, r[0], r[1]);
}

/* FMLAL: halves' product added to singles; it is exact. */
static void own_mlal(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Reg z = l_reg(l, in->c);
    uint64_t lock = l->lock;
    fp_compare_for_trap(l, true, false, z, z, CMP_ORD_S);
    l->lock = lock;
    Reg x = widened(l, in->a, true, 0), y = widened(l, in->b, true, 0), d;
    if (in->imm) {
        x_vpxor_rrm(a, x, x, fp_const(l, &simd_consts.sign[E_S]));
    }
    FmaForm form = fp_fma_form(l, i, &d, x, y, z);
    l_fault(l);
    switch (form) {
    case FMA_Z: x_vfmadd231ps_rrr(a, d, x, y); break;
    case FMA_N: x_vfmadd132ps_rrr(a, d, z, y); break;
    case FMA_M: x_vfmadd213ps_rrr(a, d, x, z); break;
    }
    l_def(l, i, d, true);
}

#define HALF(name, f) OWN(f_##name, TY(F16), 0, f) OWN(vf_##name, 0, X(E_H), f)

// clang-format off
const Rule rules_half[] = {
    HALF(add, own_binary)
    HALF(sub, own_binary)
    HALF(mul, own_binary)
    HALF(mulx, own_binary)
    HALF(div, own_binary)
    HALF(max, own_binary)
    HALF(min, own_binary)
    HALF(maxnm, own_binary)
    HALF(minnm, own_binary)
    HALF(sqrt, own_sqrt)
    HALF(fma, own_fma)
    HALF(rint, own_rint)
    OWN(vf_cmp, 0, X(E_H), own_cmp)
    OWN(vf_from_i, 0, X(E_H), own_from_i)
    OWN(vf_mlal, 0, 0, own_mlal)
};
// clang-format on
const unsigned rules_half_n = LEN(rules_half);
