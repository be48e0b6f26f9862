/* tr_simd_ldst.c - loads and stores of vector registers and structures (DDI 0487 C7.2, LDR (SIMD&FP) to STUR).
 *
 * All accesses of an instruction stand before its first set, so a fault leaves the registers as they were.
 * Structures of 2, 3, 4 elements are whole-register accesses plus shuffles; with Q = 0 the memory of two registers
 * is one 16-byte access.
 */
#include "tr.h"

/* -- one and two registers --------------------------------------------------------------------------------- */

/* Loads 1 << scale bytes as a value that zero-extends to a vector register. */
static IrRef load_reg(Tr *t, int scale, unsigned flags, IrRef base, IrRef index, unsigned shift, int disp)
{
    static const IrType types[] = {I32, F16, F32, F64, TV128};
    IrRef v = ir_load(t->b, types[scale], (MemType)scale, flags, base, index, shift, disp);
    return scale == 0 ? ir_bits_to_f(t->b, F16, v) : v;
}

static void store_reg(Tr *t, int scale, unsigned flags, IrRef base, IrRef index, unsigned shift, int disp, int rt)
{
    IrRef v = scale == 4   ? tr_v(t, rt)
              : scale == 0 ? ir_v_get(t->b, I32, E_B, 0, false, tr_v(t, rt))
                           : tr_f(t, rt, ir_fp_type((IrElem)scale));
    ir_store(t->b, (MemType)scale, flags, base, index, shift, disp, v);
}

/* Displacement of the access and write-back of the base register, by addressing mode. */
static int mode_disp(int mode, int imm)
{
    return mode == AM_POST ? 0 : imm;
}

static void mode_writeback(Tr *t, const A64 *a, int mode, IrRef base, int imm)
{
    if (mode != AM_OFFSET) {
        tr_set_reg_or_sp(t, a->rn, ir_add(t->b, I64, base, ir_iconst(t->b, I64, (uint64_t)(int64_t)imm)));
    }
}

void tr_v_ldr(Tr *t, const A64 *a, int mode)
{
    IrRef base = tr_base(t, a->rn);
    IrRef v = load_reg(t, a->scale, 0, base, 0, 0, mode_disp(mode, a->imm9));
    tr_set_v(t, a->rt, v);
    mode_writeback(t, a, mode, base, a->imm9);
}

void tr_v_str(Tr *t, const A64 *a, int mode)
{
    IrRef base = tr_base(t, a->rn);
    store_reg(t, a->scale, 0, base, 0, 0, mode_disp(mode, a->imm9), a->rt);
    mode_writeback(t, a, mode, base, a->imm9);
}

void tr_v_ldr_uimm(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_v(t, a->rt, load_reg(t, a->scale, 0, tr_base(t, a->rn), 0, 0, a->imm12 << a->scale));
}

void tr_v_str_uimm(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    store_reg(t, a->scale, 0, tr_base(t, a->rn), 0, 0, a->imm12 << a->scale, a->rt);
}

/* ExtendReg of the index; option<1> is set. The shift is left to the access when a host can scale by it. */
static IrRef index_reg(Tr *t, const A64 *a, unsigned *shift)
{
    IrRef m = tr_reg(t, a->rm, a->option & 1 ? I64 : I32);
    if (!(a->option & 1)) {
        m = a->option & 4 ? ir_sext32(t->b, m) : ir_zext32(t->b, m);
    }
    *shift = a->S ? (unsigned)a->scale : 0;
    if (*shift > 3) {
        m = ir_shl(t->b, I64, m, ir_iconst(t->b, I32, *shift));
        *shift = 0;
    }
    return m;
}

void tr_v_ldr_reg(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    unsigned shift;
    IrRef index = index_reg(t, a, &shift);
    tr_set_v(t, a->rt, load_reg(t, a->scale, 0, tr_base(t, a->rn), index, shift, 0));
}

void tr_v_str_reg(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    unsigned shift;
    IrRef index = index_reg(t, a, &shift);
    store_reg(t, a->scale, 0, tr_base(t, a->rn), index, shift, 0, a->rt);
}

void tr_v_ldr_lit(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    IrRef base = ir_pconst(t->b, t->pc + (uint64_t)((int64_t)a->imm19 * 4));
    tr_set_v(t, a->rt, load_reg(t, a->scale, 0, base, 0, 0, 0));
}

void tr_v_ldp(Tr *t, const A64 *a, int mode)
{
    const int imm = a->imm7 * (1 << a->scale), disp = mode_disp(mode, imm);
    IrRef base = tr_base(t, a->rn);
    IrRef first = load_reg(t, a->scale, 0, base, 0, 0, disp);
    IrRef second = load_reg(t, a->scale, 0, base, 0, 0, disp + (1 << a->scale));
    tr_set_v(t, a->rt, first);
    tr_set_v(t, a->rt2, second);
    mode_writeback(t, a, mode, base, imm);
}

void tr_v_stp(Tr *t, const A64 *a, int mode)
{
    const int imm = a->imm7 * (1 << a->scale), disp = mode_disp(mode, imm);
    IrRef base = tr_base(t, a->rn);
    store_reg(t, a->scale, 0, base, 0, 0, disp, a->rt);
    store_reg(t, a->scale, 0, base, 0, 0, disp + (1 << a->scale), a->rt2);
    mode_writeback(t, a, mode, base, imm);
}

/* Address of an ordered access, after its alignment check. */
static IrRef ordered_address(Tr *t, const A64 *a)
{
    IrRef addr = ir_add(t->b, I64, tr_base(t, a->rn), ir_iconst(t->b, I64, (uint64_t)(int64_t)a->imm9));
    if (a->scale) {
        ir_check_align(t->b, addr, (unsigned)a->scale, true);
    }
    return addr;
}

void tr_v_ldapur(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    tr_set_v(t, a->rt, load_reg(t, a->scale, MEM_ACQUIRE, ordered_address(t, a), 0, 0, 0));
}

void tr_v_stlur(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    store_reg(t, a->scale, MEM_RELEASE, ordered_address(t, a), 0, 0, 0, a->rt);
}

/* -- structures ---------------------------------------------------------------------------------------------- */

static int reg_next(const A64 *a, int i)
{
    return (a->rt + i) & 31;
}

/* Post-index: by the register, or by the bytes moved. */
static void post_writeback(Tr *t, const A64 *a, IrRef base, int bytes)
{
    if (a->post) {
        IrRef by = a->rm == 31 ? ir_iconst(t->b, I64, (uint64_t)bytes) : tr_reg(t, a->rm, I64);
        tr_set_reg_or_sp(t, a->rn, ir_add(t->b, I64, base, by));
    }
}

/* LD1 of n registers */
void tr_v_ld1(Tr *t, const A64 *a, int n)
{
    const int scale = 3 + a->Q;
    IrRef base = tr_base(t, a->rn), v[4];
    for (int i = 0; i < n; i++) {
        v[i] = load_reg(t, scale, 0, base, 0, 0, i << scale);
    }
    post_writeback(t, a, base, n << scale);
    for (int i = 0; i < n; i++) {
        tr_set_v(t, reg_next(a, i), v[i]);
    }
}

void tr_v_st1(Tr *t, const A64 *a, int n)
{
    const int scale = 3 + a->Q;
    IrRef base = tr_base(t, a->rn);
    for (int i = 0; i < n; i++) {
        store_reg(t, scale, 0, base, 0, 0, i << scale, reg_next(a, i));
    }
    post_writeback(t, a, base, n << scale);
}

/* The memory of n registers in 16-byte pieces; a last piece of 8 bytes is zero-extended, missing ones are zero. */
static void load_pieces(Tr *t, IrRef base, int bytes, IrRef q[4])
{
    for (int i = 0; i < 4; i++) {
        int left = bytes - 16 * i;
        q[i] = left >= 16  ? load_reg(t, 4, 0, base, 0, 0, 16 * i)
               : left == 8 ? ir_s_to_v(t->b, load_reg(t, 3, 0, base, 0, 0, 16 * i))
                           : 0;
    }
    for (int i = 0; i < 4; i++) {
        q[i] = q[i] ? q[i] : simd_zero(t);
    }
}

/* Even and odd lanes of two registers that follow one another in memory. */
static void split2(Tr *t, IrElem e, IrRef lo, IrRef hi, IrRef *even, IrRef *odd)
{
    *even = ir_v_uzp1(t->b, e, lo, hi);
    *odd = ir_v_uzp2(t->b, e, lo, hi);
}

/* LD2, LD3, LD4 */
void tr_v_ldn(Tr *t, const A64 *a, int n)
{
    const IrElem e = (IrElem)a->size;
    const int bytes = n * (8 << a->Q);
    IrRef base = tr_base(t, a->rn), q[4], v[4], even[2], odd[2];
    load_pieces(t, base, bytes, q);
    if (n == 2) {
        split2(t, e, q[0], q[1], &v[0], &v[1]);
    } else if (n == 3) {
        for (int i = 0; i < 3; i++) {
            v[i] = ir_v_deint3(t->b, e, q[0], q[1], q[2], i);
        }
    } else {
        split2(t, e, q[0], q[1], &even[0], &odd[0]);
        split2(t, e, q[2], q[3], &even[1], &odd[1]);
        split2(t, e, even[0], even[1], &v[0], &v[2]);
        split2(t, e, odd[0], odd[1], &v[1], &v[3]);
    }
    post_writeback(t, a, base, bytes);
    for (int i = 0; i < n; i++) {
        tr_set_v(t, reg_next(a, i), v[i]);
    }
}

static void store_pieces(Tr *t, IrRef base, int bytes, const IrRef q[4])
{
    for (int i = 0; 16 * i < bytes; i++) {
        if (bytes - 16 * i >= 16) {
            ir_store(t->b, M128, 0, base, 0, 0, 16 * i, q[i]);
        } else {
            ir_store(t->b, M64, 0, base, 0, 0, 16 * i, ir_v_to_s(t->b, F64, q[i]));
        }
    }
}

/* Lanes of two registers interleaved: the register that comes first in memory, and the second. */
static void join2(Tr *t, IrElem e, IrRef even, IrRef odd, IrRef *lo, IrRef *hi)
{
    *lo = ir_v_zip1(t->b, e, even, odd);
    *hi = ir_v_zip2(t->b, e, even, odd);
}

/* ST2, ST3, ST4. With Q = 0 all that counts comes out in the first half of the pieces. */
void tr_v_stn(Tr *t, const A64 *a, int n)
{
    const IrElem e = (IrElem)a->size;
    const int bytes = n * (8 << a->Q);
    IrRef base = tr_base(t, a->rn), q[4], v[4], even[2], odd[2];
    for (int i = 0; i < n; i++) {
        v[i] = tr_v(t, reg_next(a, i));
    }
    if (n == 2) {
        join2(t, e, v[0], v[1], &q[0], &q[1]);
    } else if (n == 3) {
        for (int i = 0; i < 3; i++) {
            q[i] = ir_v_int3(t->b, e, v[0], v[1], v[2], i);
        }
    } else {
        join2(t, e, v[0], v[2], &even[0], &even[1]);
        join2(t, e, v[1], v[3], &odd[0], &odd[1]);
        join2(t, e, even[0], odd[0], &q[0], &q[1]);
        join2(t, e, even[1], odd[1], &q[2], &q[3]);
    }
    store_pieces(t, base, bytes, q);
    post_writeback(t, a, base, bytes);
}

/* Element and lane of the one-lane forms. */
static IrElem lane_elem(const A64 *a)
{
    return a->opc < 2 ? (IrElem)a->opc : a->size ? E_D : E_S;
}

static unsigned lane_index(const A64 *a)
{
    return (unsigned)(a->Q << 3 | a->S << 2 | a->size) >> lane_elem(a);
}

static IrRef load_elem(Tr *t, IrElem e, IrRef base, int disp)
{
    return ir_load(t->b, e == E_D ? I64 : I32, (MemType)e, 0, base, 0, 0, disp);
}

void tr_v_ld_lane(Tr *t, const A64 *a, int n)
{
    const IrElem e = lane_elem(a);
    IrRef base = tr_base(t, a->rn), x[4];
    for (int i = 0; i < n; i++) {
        x[i] = load_elem(t, e, base, i << e);
    }
    post_writeback(t, a, base, n << e);
    for (int i = 0; i < n; i++) {
        tr_set_v(t, reg_next(a, i), ir_v_put(t->b, e, lane_index(a), tr_v(t, reg_next(a, i)), x[i]));
    }
}

void tr_v_st_lane(Tr *t, const A64 *a, int n)
{
    const IrElem e = lane_elem(a);
    IrRef base = tr_base(t, a->rn);
    for (int i = 0; i < n; i++) {
        IrRef x = ir_v_get(t->b, e == E_D ? I64 : I32, e, lane_index(a), false, tr_v(t, reg_next(a, i)));
        ir_store(t->b, (MemType)e, 0, base, 0, 0, i << e, x);
    }
    post_writeback(t, a, base, n << e);
}

/* LD1R to LD4R */
void tr_v_ld_all(Tr *t, const A64 *a, int n)
{
    const IrElem e = (IrElem)a->size;
    IrRef base = tr_base(t, a->rn), x[4];
    for (int i = 0; i < n; i++) {
        x[i] = load_elem(t, e, base, i << e);
    }
    post_writeback(t, a, base, n << e);
    for (int i = 0; i < n; i++) {
        tr_set_vq(t, reg_next(a, i), a->Q, ir_v_dup(t->b, e, x[i]));
    }
}

/* LDAP1, STL1: one ordered 64-bit lane */
void tr_v_ldap1(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    IrRef base = tr_base(t, a->rn);
    ir_check_align(t->b, base, 3, true);
    IrRef x = ir_load(t->b, I64, M64, MEM_ACQUIRE, base, 0, 0, 0);
    tr_set_v(t, a->rt, ir_v_put(t->b, E_D, (unsigned)a->Q, tr_v(t, a->rt), x));
}

void tr_v_stl1(Tr *t, const A64 *a, int k __attribute__((unused)))
{
    IrRef base = tr_base(t, a->rn);
    ir_check_align(t->b, base, 3, true);
    IrRef x = ir_v_get(t->b, I64, E_D, (unsigned)a->Q, false, tr_v(t, a->rt));
    ir_store(t->b, M64, MEM_RELEASE, base, 0, 0, 0, x);
}
