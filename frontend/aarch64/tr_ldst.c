/* tr_ldst.c - A64 loads and stores of general registers (rows of a64_ldst.isa; DDI 0487 C4.1.88); tags.
 *
 * k is the MemType. The address goes to the load or store op as base + index << scale + displacement; registers
 * are set after the last access, so that a fault finds the state of before.
 * CONSTRAINED UNPREDICTABLE: loads whose write-back or second register overlaps the loaded one are UNDEFINED;
 * stores with such an overlap store the old value.
 */
#include "sys.h"
#include "tr.h"

/* Type of the register that a load writes: W is written as zero-extended, so only X needs 64 bits. */
static IrType load_type(const A64 *a, int k)
{
    return k == M64 || (k & MEM_SIGNED && !a->w) ? I64 : I32;
}

static IrRef store_value(Tr *t, int n, int k)
{
    return tr_reg(t, n, tr_ty(k == M64));
}

static IrRef add_disp(Tr *t, IrRef base, int64_t disp)
{
    return ir_add(t->b, I64, base, ir_iconst(t->b, I64, (uint64_t)disp));
}

/* One register: access at base + disp; then base + wback is written back if wb. */
static void load(Tr *t, const A64 *a, int k, int64_t disp, bool wb, int64_t wback)
{
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    IrRef base = tr_base(t, a->rn);
    IrRef v = ir_load(t->b, load_type(a, k), (MemType)k, 0, base, 0, 0, (int32_t)disp);
    if (wb) {
        tr_set_reg_or_sp(t, a->rn, add_disp(t, base, wback));
    }
    tr_set_reg(t, a->rt, v);
}

static void store(Tr *t, const A64 *a, int k, int64_t disp, bool wb, int64_t wback)
{
    IrRef v = store_value(t, a->rt, k), base = tr_base(t, a->rn);
    ir_store(t->b, (MemType)k, 0, base, 0, 0, (int32_t)disp, v);
    if (wb) {
        tr_set_reg_or_sp(t, a->rn, add_disp(t, base, wback));
    }
}

/* LDTR, STTR: with EL0's rights, above EL0. */
static unsigned unprivileged(const Tr *t)
{
    return t->key >> KEY_EL_SHIFT & 3 ? MEM_UNPRIV : 0;
}

void tr_ldtr(Tr *t, const A64 *a, int k)
{
    IrRef base = tr_base(t, a->rn);
    tr_set_reg(t, a->rt, ir_load(t->b, load_type(a, k), (MemType)k, unprivileged(t), base, 0, 0, a->imm9));
}

void tr_sttr(Tr *t, const A64 *a, int k)
{
    IrRef v = store_value(t, a->rt, k), base = tr_base(t, a->rn);
    ir_store(t->b, (MemType)k, unprivileged(t), base, 0, 0, a->imm9, v);
}

void tr_ldr_unscaled(Tr *t, const A64 *a, int k)
{
    load(t, a, k, a->imm9, false, 0);
}

void tr_str_unscaled(Tr *t, const A64 *a, int k)
{
    store(t, a, k, a->imm9, false, 0);
}

void tr_ldr_post(Tr *t, const A64 *a, int k)
{
    load(t, a, k, 0, true, a->imm9);
}

void tr_str_post(Tr *t, const A64 *a, int k)
{
    store(t, a, k, 0, true, a->imm9);
}

void tr_ldr_pre(Tr *t, const A64 *a, int k)
{
    load(t, a, k, a->imm9, true, a->imm9);
}

void tr_str_pre(Tr *t, const A64 *a, int k)
{
    store(t, a, k, a->imm9, true, a->imm9);
}

void tr_ldr_ui(Tr *t, const A64 *a, int k)
{
    load(t, a, k, (int64_t)a->imm12 << (k & 3), false, 0);
}

void tr_str_ui(Tr *t, const A64 *a, int k)
{
    store(t, a, k, (int64_t)a->imm12 << (k & 3), false, 0);
}

/* Index register: option 2 UXTW, 3 LSL, 6 SXTW, 7 SXTX. */
static IrRef index_reg(Tr *t, const A64 *a)
{
    if (a->option & 1) {
        return tr_reg(t, a->rm, I64);
    }
    IrRef m = tr_reg(t, a->rm, I32);
    return a->option & 4 ? ir_sext32(t->b, m) : ir_zext32(t->b, m);
}

void tr_ldr_reg(Tr *t, const A64 *a, int k)
{
    IrRef base = tr_base(t, a->rn), index = index_reg(t, a);
    tr_set_reg(t, a->rt, ir_load(t->b, load_type(a, k), (MemType)k, 0, base, index, a->S ? (unsigned)k & 3 : 0, 0));
}

void tr_str_reg(Tr *t, const A64 *a, int k)
{
    IrRef v = store_value(t, a->rt, k), base = tr_base(t, a->rn), index = index_reg(t, a);
    ir_store(t->b, (MemType)k, 0, base, index, a->S ? (unsigned)k & 3 : 0, 0, v);
}

void tr_ldr_lit(Tr *t, const A64 *a, int k)
{
    IrRef address = ir_pconst(t->b, t->pc + ((uint64_t)(int64_t)a->imm19 << 2));
    tr_set_reg(t, a->rt, ir_load(t->b, load_type(a, k), (MemType)k, 0, address, 0, 0, 0));
}

/* PRFM, PRFUM: the hint in rt, type 4:3, level 2:1, streaming 0. Instructions are not fetched ahead, and SP need not
 * be aligned. */
static void prefetch(Tr *t, const A64 *a, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    unsigned type = (unsigned)a->rt >> 3, level = (unsigned)a->rt >> 1 & 3;
    if ((type == 0 || type == 2) && level < 3) {
        unsigned kind = type == 2 ? PREFETCH_STORE : a->rt & 1 ? PREFETCH_STREAM : PREFETCH_L1 + level;
        ir_prefetch(t->b, kind, base, index, scale, disp);
    }
}

void tr_prfm_ui(Tr *t, const A64 *a, int k)
{
    (void)k;
    prefetch(t, a, tr_reg_or_sp(t, a->rn, I64), 0, 0, (int32_t)a->imm12 << 3);
}

void tr_prfm_unscaled(Tr *t, const A64 *a, int k)
{
    (void)k;
    prefetch(t, a, tr_reg_or_sp(t, a->rn, I64), 0, 0, (int32_t)a->imm9);
}

void tr_prfm_reg(Tr *t, const A64 *a, int k)
{
    (void)k;
    prefetch(t, a, tr_reg_or_sp(t, a->rn, I64), index_reg(t, a), a->S ? 3 : 0, 0);
}

void tr_prfm_lit(Tr *t, const A64 *a, int k)
{
    (void)k;
    prefetch(t, a, ir_pconst(t->b, t->pc + ((uint64_t)(int64_t)a->imm19 << 2)), 0, 0, 0);
}

/* LDRAA, LDRAB: the base authenticated with key A or B of data and modifier 0. */
void tr_ldra(Tr *t, const A64 *a, int k)
{
    (void)k;
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    int64_t offset = bits_sext((uint64_t)(a->s << 9 | a->imm9), 10) << 3;
    IrRef base = tr_base(t, a->rn), zero = ir_iconst(t->b, I64, 0);
    base = tr_pac_value(t, PAC_AUT | (a->m ? PAC_DB : PAC_DA), base, zero);
    IrRef v = ir_load(t->b, I64, M64, 0, base, 0, 0, (int32_t)offset);
    if (a->w) {
        tr_set_reg_or_sp(t, a->rn, add_disp(t, base, offset));
    }
    tr_set_reg(t, a->rt, v);
}

/* -- pairs ------------------------------------------------------------------------------------------------ */

/* FEAT_LSE2 makes a pair of X registers in 16 aligned bytes one access, which only others can tell. In system mode one access is
 * cheaper than two, too. */
static bool pair_is_atomic(Tr *t, int k)
{
    if (t->key & KEY_SYSTEM) {
        return k == M64;
    }
    bool one = k == M64 && tr_has(t, A64_FEAT_lse2);
    t->b->r->unshared |= one && !(t->key & KEY_SHARED);
    return one && t->key & KEY_SHARED;
}

static void load_pair(Tr *t, const A64 *a, int k, int64_t disp, bool wb, int64_t wback)
{
    IrBuild *b = t->b;
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    IrRef base = tr_base(t, a->rn), lo, hi;
    if (pair_is_atomic(t, k)) {
        IrRef v = ir_load(b, TV128, M128, 0, base, 0, 0, (int32_t)disp);
        lo = ir_v_get(b, I64, E_D, 0, false, v);
        hi = ir_v_get(b, I64, E_D, 1, false, v);
    } else {
        IrType ty = load_type(a, k);
        lo = ir_load(b, ty, (MemType)k, 0, base, 0, 0, (int32_t)disp);
        hi = ir_load(b, ty, (MemType)k, 0, base, 0, 0, (int32_t)disp + (1 << (k & 3)));
    }
    if (wb) {
        tr_set_reg_or_sp(t, a->rn, add_disp(t, base, wback));
    }
    tr_set_reg(t, a->rt, lo);
    tr_set_reg(t, a->rt2, hi);
}

static void store_pair(Tr *t, const A64 *a, int k, int64_t disp, bool wb, int64_t wback)
{
    IrBuild *b = t->b;
    IrRef lo = store_value(t, a->rt, k), hi = store_value(t, a->rt2, k), base = tr_base(t, a->rn);
    if (pair_is_atomic(t, k)) {
        ir_store(b, M128, 0, base, 0, 0, (int32_t)disp, ir_v_pair64(b, lo, hi));
    } else {
        ir_store(b, (MemType)k, 0, base, 0, 0, (int32_t)disp, lo);
        ir_store(b, (MemType)k, 0, base, 0, 0, (int32_t)disp + (1 << (k & 3)), hi);
    }
    if (wb) {
        tr_set_reg_or_sp(t, a->rn, add_disp(t, base, wback));
    }
}

static int64_t pair_offset(const A64 *a, int k)
{
    return (int64_t)a->imm7 * (1 << (k & 3));
}

void tr_ldp_off(Tr *t, const A64 *a, int k)
{
    load_pair(t, a, k, pair_offset(a, k), false, 0);
}

void tr_stp_off(Tr *t, const A64 *a, int k)
{
    store_pair(t, a, k, pair_offset(a, k), false, 0);
}

void tr_ldp_post(Tr *t, const A64 *a, int k)
{
    load_pair(t, a, k, 0, true, pair_offset(a, k));
}

void tr_stp_post(Tr *t, const A64 *a, int k)
{
    store_pair(t, a, k, 0, true, pair_offset(a, k));
}

void tr_ldp_pre(Tr *t, const A64 *a, int k)
{
    load_pair(t, a, k, pair_offset(a, k), true, pair_offset(a, k));
}

void tr_stp_pre(Tr *t, const A64 *a, int k)
{
    store_pair(t, a, k, pair_offset(a, k), true, pair_offset(a, k));
}

/* -- memory tags: no page is tagged, so tags read as 0 and writing one only checks the address ----------------- */

/* STGP: STP of X registers in units of 16 bytes, aligned. */
void tr_stgp(Tr *t, const A64 *a, int k)
{
    int64_t offset = (int64_t)a->imm7 * 16, disp = k == MODE_POST ? 0 : offset;
    ir_check_align(t->b, add_disp(t, tr_base(t, a->rn), disp), 4, false);
    store_pair(t, a, M64, disp, k != MODE_OFF, offset);
}

/* STG, ST2G; TAG_ZERO: STZG, STZ2G, which zero the data too. k & 3 = granules of 16 bytes; a->mode 1 post, 3 pre. */
void tr_stg(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    int64_t offset = (int64_t)a->imm9 * 16;
    IrRef base = tr_base(t, a->rn), address = a->mode == 1 ? base : add_disp(t, base, offset);
    IrRef zero = ir_iconst(b, I64, 0);
    ir_check_align(b, address, 4, false);
    for (int i = 0; i < 2 * (k & 3); i++) {
        if (k & TAG_ZERO) {
            ir_store(b, M64, 0, address, 0, 0, 8 * i, zero);
        } else if (!(i & 1)) {
            ir_load(b, I64, M64, 0, address, 0, 0, 8 * i);
        }
    }
    if (a->mode != 2) {
        tr_set_reg_or_sp(t, a->rn, add_disp(t, base, offset));
    }
}

/* LDG: the tag of the granule into bits 59:56 of Xt. */
void tr_ldg(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef base = tr_base(t, a->rn);
    IrRef granule = ir_and(t->b, I64, add_disp(t, base, (int64_t)a->imm9 * 16), ir_iconst(t->b, I64, ~(uint64_t)15));
    ir_load(t->b, I64, M64, 0, granule, 0, 0, 0);
    tr_set_reg(t, a->rt, tr_address_untagged(t, tr_reg(t, a->rt, I64)));
}
