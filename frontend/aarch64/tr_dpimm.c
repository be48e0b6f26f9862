/* tr_dpimm.c - A64 data processing with an immediate operand (rows of a64_dpimm.isa; DDI 0487 C4.1.86).
 *
 * Constants fold in the builder: MOVZ, ADR and a MOVK after a MOVZ become one constant.
 */
#include "tr.h"

/* ADR, ADRP: k = log2 of the unit. */
void tr_adr(Tr *t, const A64 *a, int k)
{
    uint64_t base = t->pc & ~bits_mask((unsigned)k);
    uint64_t address = base + ((uint64_t)(int64_t)a->imm << k);
    tr_set_reg(t, a->rd, ir_pconst(t->b, address));
    tr_critical_address(t, a->rd, address, k != 0);
}

static IrRef addsub_imm(Tr *t, const A64 *a, IrType ty)
{
    return ir_iconst(t->b, ty, (uint64_t)a->imm12 << (a->sh ? 12 : 0));
}

/* ADD, SUB (immediate) */
void tr_addsub_i(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    tr_set_reg_or_sp(t, a->rd, tr_alu(t, k, ty, tr_reg_or_sp(t, a->rn, ty), addsub_imm(t, a, ty)));
}

/* ADDS, SUBS (immediate) */
void tr_addsubs_i(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    tr_alu_flags(t, k, ty, a->rd, tr_reg_or_sp(t, a->rn, ty), addsub_imm(t, a, ty));
}

/* ADDG, SUBG. No thread turns tagging on (GCR_EL1.Exclude is all ones), so the chosen tag is 0. */
void tr_addg(Tr *t, const A64 *a, int k)
{
    IrRef sum = tr_alu(t, k, I64, tr_reg_or_sp(t, a->rn, I64), ir_iconst(t->b, I64, (uint64_t)a->uimm6 << 4));
    tr_set_reg_or_sp(t, a->rd, tr_address_untagged(t, sum));
}

/* SMAX, SMIN, UMAX, UMIN (immediate) */
void tr_minmax_i(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    IrRef n = tr_reg(t, a->rn, ty), m = ir_iconst(t->b, ty, (uint64_t)(int64_t)a->imm8);
    tr_set_reg(t, a->rd, ir_select(t->b, ty, ir_cmp(t->b, ty, (CmpOp)k, n, m), n, m));
}

/* DecodeBitMasks: the element (2 to 64 bits, imms + 1 ones rotated right by immr), replicated. */
static uint64_t bitmask(const A64 *a)
{
    unsigned e = 1u << (31 - __builtin_clz((unsigned)a->N << 6 | (~(unsigned)a->imms & 63)));
    uint64_t m = bits_ror(bits_mask(((unsigned)a->imms & (e - 1)) + 1), (unsigned)a->immr & (e - 1), e);
    for (; e < 64; e *= 2) {
        m |= m << e;
    }
    return m;
}

/* AND, ORR, EOR (immediate) */
void tr_logic_i(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->sf);
    tr_set_reg_or_sp(t, a->rd, tr_alu(t, k, ty, tr_reg(t, a->rn, ty), ir_iconst(t->b, ty, bitmask(a))));
}

void tr_ands_i(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    IrRef r = ir_and(t->b, ty, tr_reg(t, a->rn, ty), ir_iconst(t->b, ty, bitmask(a)));
    tr_set_flags(t, ir_fl_logic(t->b, ty, r));
    tr_set_reg(t, a->rd, r);
}

void tr_movz(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_reg(t, a->rd, ir_iconst(t->b, tr_ty(a->sf), (uint64_t)a->imm16 << (16 * a->hw)));
}

void tr_movn(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_set_reg(t, a->rd, ir_iconst(t->b, tr_ty(a->sf), ~((uint64_t)a->imm16 << (16 * a->hw))));
}

void tr_movk(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    unsigned lsb = 16 * (unsigned)a->hw;
    uint64_t v;
    IrRef d = tr_reg(t, a->rd, ty);
    if (ir_is_const(t->b, d, &v)) {
        d = ir_iconst(t->b, ty, (v & ~((uint64_t)0xffff << lsb)) | (uint64_t)a->imm16 << lsb);
    } else {
        d = ir_bfi(t->b, ty, d, ir_iconst(t->b, ty, (uint64_t)a->imm16), lsb, 16);
    }
    tr_set_reg(t, a->rd, d);
}

/* SBFM, UBFM, BFM: k = the op that extracts, or OP_bfi.
 * imms >= immr takes a field down to bit 0; otherwise the low bits go up to width - immr. */
void tr_bfm(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    IrType ty = tr_ty(a->sf);
    unsigned w = a->sf ? 64 : 32, r = (unsigned)a->immr, s = (unsigned)a->imms;
    bool down = s >= r;
    unsigned from = down ? r : 0, to = down ? 0 : w - r, n = down ? s - r + 1 : s + 1;
    IrRef v = tr_reg(t, a->rn, ty);
    if (k == OP_bfi) {
        if (from) {
            v = ir_lshr(b, ty, v, ir_iconst(b, I32, from));
        }
        v = n == w ? v : ir_bfi(b, ty, tr_reg(t, a->rd, ty), v, to, n);
    } else if (n == 32 && to == 0 && from == 0 && a->sf) {
        v = tr_reg(t, a->rn, I32);
        v = k == OP_sbfx ? ir_sext32(b, v) : ir_zext32(b, v);
    } else {
        if (n < w && to + n < w) {
            v = k == OP_sbfx ? ir_sbfx(b, ty, v, from, n) : ir_ubfx(b, ty, v, from, n);
        }
        v = to ? ir_shl(b, ty, v, ir_iconst(b, I32, to)) : v;
    }
    tr_set_reg(t, a->rd, v);
}

void tr_extr(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrType ty = tr_ty(a->sf);
    tr_set_reg(t, a->rd, ir_extr(t->b, ty, tr_reg(t, a->rn, ty), tr_reg(t, a->rm, ty), (unsigned)a->imms));
}
