/* tr_atomic.c - A64 exclusive, acquire and release, and atomic accesses (rows of a64_ldst.isa; DDI 0487 B2.9, C3.2).
 *
 * Alignment: these accesses fault when misaligned; with FEAT_LSE2 (single registers) only when they leave 16 bytes.
 *
 * Exclusives. LDXR opens the monitor: slots excl_addr, excl_lo, excl_hi, excl_size. A STXR finds its LDXR by looking
 * back in the block: same address value, same size, and between them no op that touches memory, calls or leaves
 * unconditionally. Then a compare-and-swap with the loaded value cannot be told from a monitor, because the program
 * saw nothing of memory in between; that is what every compiler-made loop becomes. Any other STXR goes to the helper
 * excl_store, which looks at the slots.
 */
#include "tr.h"

static void check_align(Tr *t, IrRef address, int k)
{
    if (k & MEM_SIZE_MASK) {
        ir_check_align(t->b, address, (unsigned)(k & MEM_SIZE_MASK), tr_has(t, A64_FEAT_lse2));
    }
}

static IrRef address_of(Tr *t, const A64 *a, int64_t disp)
{
    IrRef base = tr_reg_or_sp(t, a->rn, I64);
    return disp ? ir_add(t->b, I64, base, ir_iconst(t->b, I64, (uint64_t)disp)) : base;
}

/* -- acquire and release ------------------------------------------------------------------------------------ */

/* LDAR, LDLAR (o0 = 0), LDAPR: a->size */
void tr_ldar(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef address = address_of(t, a, 0);
    check_align(t, address, a->size);
    tr_set_reg(t, a->rt, ir_load(t->b, tr_ty(a->size == M64), (MemType)a->size, MEM_ACQUIRE, address, 0, 0, 0));
}

void tr_ldapr(Tr *t, const A64 *a, int k)
{
    tr_ldar(t, a, k);
}

/* STLR, STLLR (o0 = 0) */
void tr_stlr(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef v = tr_reg(t, a->rt, tr_ty(a->size == M64)), address = address_of(t, a, 0);
    check_align(t, address, a->size);
    ir_store(t->b, (MemType)a->size, MEM_RELEASE, address, 0, 0, 0, v);
}

/* LDAPUR and its sign-extending forms: k = MemType */
void tr_ldapur(Tr *t, const A64 *a, int k)
{
    IrRef address = address_of(t, a, a->imm9);
    IrType ty = tr_ty(k == M64 || (k & MEM_SIGNED && !a->w));
    check_align(t, address, k & 3);
    tr_set_reg(t, a->rt, ir_load(t->b, ty, (MemType)k, MEM_ACQUIRE, address, 0, 0, 0));
}

void tr_stlur(Tr *t, const A64 *a, int k)
{
    IrRef v = tr_reg(t, a->rt, tr_ty(k == M64)), address = address_of(t, a, a->imm9);
    check_align(t, address, k);
    ir_store(t->b, (MemType)k, MEM_RELEASE, address, 0, 0, 0, v);
}

/* STLR with pre-decrement, LDAPR with post-increment */
void tr_stlr_pre(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef v = tr_reg(t, a->rt, tr_ty(a->size == M64)), address = address_of(t, a, -(1 << a->size));
    check_align(t, address, a->size);
    ir_store(t->b, (MemType)a->size, MEM_RELEASE, address, 0, 0, 0, v);
    tr_set_reg_or_sp(t, a->rn, address);
}

void tr_ldapr_post(Tr *t, const A64 *a, int k)
{
    (void)k;
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    IrRef address = address_of(t, a, 0);
    check_align(t, address, a->size);
    IrRef v = ir_load(t->b, tr_ty(a->size == M64), (MemType)a->size, MEM_ACQUIRE, address, 0, 0, 0);
    tr_set_reg_or_sp(t, a->rn, address_of(t, a, 1 << a->size));
    tr_set_reg(t, a->rt, v);
}

/* STILP, LDIAPP: ordered pairs; k = MODE_OFF, or MODE_PRE and MODE_POST with write-back of the pair's size. Each
 * register is one access; the pair is one access of 16 bytes where FEAT_LSE2 says so. */
void tr_stilp(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    IrType ty = tr_ty(a->sf);
    int size = a->sf ? 8 : 4;
    IrRef lo = tr_reg(t, a->rt, ty), hi = tr_reg(t, a->rt2, ty), address = address_of(t, a, k == MODE_PRE ? -2 * size : 0);
    check_align(t, address, a->sf ? M64 : M32);
    if (a->sf) {
        ir_store(b, M128, MEM_RELEASE, address, 0, 0, 0, ir_v_pair64(b, lo, hi));
    } else {
        IrRef v = ir_or(b, I64, ir_zext32(b, lo), ir_shl(b, I64, ir_zext32(b, hi), ir_iconst(b, I32, 32)));
        ir_store(b, M64, MEM_RELEASE, address, 0, 0, 0, v);
    }
    if (k != MODE_OFF) {
        tr_set_reg_or_sp(t, a->rn, address);
    }
}

void tr_ldiapp(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    IrRef address = address_of(t, a, 0), lo, hi;
    check_align(t, address, a->sf ? M64 : M32);
    if (a->sf) {
        IrRef v = ir_load(b, TV128, M128, MEM_ACQUIRE, address, 0, 0, 0);
        lo = ir_v_get(b, I64, E_D, 0, false, v);
        hi = ir_v_get(b, I64, E_D, 1, false, v);
    } else {
        IrRef v = ir_load(b, I64, M64, MEM_ACQUIRE, address, 0, 0, 0);
        lo = ir_trunc(b, v);
        hi = ir_trunc(b, ir_lshr(b, I64, v, ir_iconst(b, I32, 32)));
    }
    if (k != MODE_OFF) {
        tr_set_reg_or_sp(t, a->rn, address_of(t, a, a->sf ? 16 : 8));
    }
    tr_set_reg(t, a->rt, lo);
    tr_set_reg(t, a->rt2, hi);
}

/* -- exclusives ------------------------------------------------------------------------------------------------ */

/* Integer data processing: neither memory, nor branch, nor system instruction (DDI 0487 C4.1, bits 28:25). */
static bool is_plain(uint32_t word)
{
    return (word & 0x1c000000) == 0x10000000 || (word & 0x0e000000) == 0x0a000000;
}

/* Does the code after this load-exclusive reach, in this region and by plain instructions that leave the base register
 * alone, the store-exclusive that fits? Then nobody can see the monitor, and the slots need not be written. */
static bool store_follows(const Tr *t, const A64 *a)
{
    const CpuModel *m = t->model;
    enum { REACH = 12 };
    const uint32_t kind = 0xffe00000, load = 1 << 22; /* size, L, o1 */
    uint32_t store = (a->word & kind) ^ load;
    if (a->rt == a->rn || (a->word >> 21 & 1 && a->rt2 == a->rn)) {
        return false;
    }
    for (unsigned i = 1; i < REACH && t->ninsns + i < t->max_insns && t->avail >= 4 * (i + 1); i++) {
        uint32_t word;
        A64 n;
        memcpy(&word, t->code + 4 * i, 4);
        if (!a64_decode(word, m->feats, &n)) {
            return false;
        }
        if ((word & kind) == store) {
            return n.rn == a->rn && (t->pc & (TR_PAGE - 1)) + 4 * i < TR_PAGE;
        }
        if (!is_plain(word) || n.rd == a->rn) {
            return false;
        }
    }
    return false;
}

/* Opens the monitor with the loaded values; hi = 0 for a single access. */
static void monitor_open(Tr *t, const A64 *a, IrRef address, IrRef lo, IrRef hi, unsigned bytes)
{
    IrBuild *b = t->b;
    IrRef size = ir_iconst(b, I64, bytes);
    if (store_follows(t, a)) {
        /* only the builder is told, for the store-exclusive to find */
        b->known[SLOT_excl_addr] = address;
        b->known[SLOT_excl_lo] = lo;
        b->known[SLOT_excl_hi] = hi;
        b->known[SLOT_excl_size] = size;
        return;
    }
    ir_set(b, SLOT_excl_addr, address);
    ir_set(b, SLOT_excl_lo, lo);
    if (hi) {
        ir_set(b, SLOT_excl_hi, hi);
    }
    ir_set(b, SLOT_excl_size, size);
}

static void monitor_close(Tr *t)
{
    IrBuild *b = t->b;
    ir_set(b, SLOT_excl_addr, ir_iconst(b, I64, ~(uint64_t)0));
    b->known[SLOT_excl_lo] = b->known[SLOT_excl_hi] = b->known[SLOT_excl_size] = 0; /* perhaps never written */
}

/* Was the monitor opened in this block for this access, and has nothing touched memory since? Then what the builder
 * knows of the slots is what was loaded. *address becomes the load's. */
static bool monitor_known(const Tr *t, IrRef *address, unsigned bytes)
{
    const IrBuild *b = t->b;
    uint64_t size;
    IrRef known_size = b->known[SLOT_excl_size], loaded = b->known[SLOT_excl_lo], opened = b->known[SLOT_excl_addr];
    if (!known_size || !loaded || !ir_is_const(b, known_size, &size) || size != bytes) {
        return false;
    }
    bool written = false;
    for (IrRef i = b->r->n - 1; i > loaded; i--) {
        const IrIns *ins = &b->r->ins[i];
        unsigned effects = ins->op == OP_call ? b->helpers[ins->imm].effects : ir_ops[ins->op].effects & ~STATE;
        if (effects & (READS | WRITES | STATE)) {
            return false;
        }
        written |= ins->op == OP_set && ins->x == SLOT_excl_addr;
    }
    if (written && opened != *address) {
        return false;
    }
    *address = opened; /* not written: store_follows() has seen this very instruction */
    return true;
}

/* LDXR, LDAXR */
void tr_ldxr(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef address = address_of(t, a, 0);
    ir_check_align(t->b, address, (unsigned)a->size, false);
    unsigned flags = a->o0 ? MEM_ACQUIRE : 0;
    IrRef v = ir_load(t->b, tr_ty(a->size == M64), (MemType)a->size, flags, address, 0, 0, 0);
    monitor_open(t, a, address, v, 0, 1u << a->size);
    tr_set_reg(t, a->rt, v);
}

/* LDXP, LDAXP: two W registers are one 64-bit access; two X registers one of 16 bytes. */
void tr_ldxp(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrBuild *b = t->b;
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    unsigned flags = a->o0 ? MEM_ACQUIRE : 0;
    IrRef address = address_of(t, a, 0), lo, hi;
    ir_check_align(b, address, a->sf ? 4 : 3, false);
    if (a->sf) {
        IrRef v = ir_load(b, TV128, M128, flags, address, 0, 0, 0);
        lo = ir_v_get(b, I64, E_D, 0, false, v);
        hi = ir_v_get(b, I64, E_D, 1, false, v);
        monitor_open(t, a, address, lo, hi, 16);
    } else {
        IrRef v = ir_load(b, I64, M64, flags, address, 0, 0, 0);
        lo = ir_trunc(b, v);
        hi = ir_trunc(b, ir_lshr(b, I64, v, ir_iconst(b, I32, 32)));
        monitor_open(t, a, address, v, 0, 8);
    }
    tr_set_reg(t, a->rt, lo);
    tr_set_reg(t, a->rt2, hi);
}

/* Stores v (an integer of size k) if the monitor allows; Ws = 0 when stored, 1 when not. */
static void store_exclusive(Tr *t, const A64 *a, int k, IrRef v)
{
    IrBuild *b = t->b;
    IrType ty = tr_ty(k == M64);
    IrRef address = address_of(t, a, 0), failed;
    if (monitor_known(t, &address, 1u << k)) {
        IrRef expected = ir_get(b, SLOT_excl_lo, ty);
        if (k < M32) {
            v = ir_ubfx(b, I32, v, 0, 8u << k);
        }
        failed = ir_cmp(b, ty, CMP_NE, ir_cas(b, ty, (MemType)k, address, expected, v), expected);
        monitor_close(t);
    } else {
        IrRef wide = k == M64 ? v : ir_zext32(b, v);
        ir_check_align(b, address, (unsigned)k, false);
        failed = ir_call(b, H_excl_store, address, wide, ir_iconst(b, I32, (uint64_t)k));
    }
    tr_set_reg(t, a->rs, failed);
}

/* STXR, STLXR */
void tr_stxr(Tr *t, const A64 *a, int k)
{
    (void)k;
    store_exclusive(t, a, a->size, tr_reg(t, a->rt, tr_ty(a->size == M64)));
}

/* STXP, STLXP */
void tr_stxp(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrBuild *b = t->b;
    IrType ty = tr_ty(a->sf);
    IrRef lo = tr_reg(t, a->rt, ty), hi = tr_reg(t, a->rt2, ty), failed;
    if (!a->sf) {
        lo = ir_or(b, I64, ir_zext32(b, lo), ir_shl(b, I64, ir_zext32(b, hi), ir_iconst(b, I32, 32)));
        store_exclusive(t, a, M64, lo);
        return;
    }
    IrRef address = address_of(t, a, 0), v = ir_v_pair64(b, lo, hi);
    if (monitor_known(t, &address, 16)) {
        IrRef elo = ir_get(b, SLOT_excl_lo, I64), ehi = ir_get(b, SLOT_excl_hi, I64);
        IrRef old = ir_cas128(b, address, ir_v_pair64(b, elo, ehi), v);
        IrRef dlo = ir_xor(b, I64, ir_v_get(b, I64, E_D, 0, false, old), elo);
        IrRef dhi = ir_xor(b, I64, ir_v_get(b, I64, E_D, 1, false, old), ehi);
        failed = ir_is_zero(b, I64, ir_or(b, I64, dlo, dhi), true);
        monitor_close(t);
    } else {
        ir_check_align(b, address, 4, false);
        failed = ir_call(b, H_excl_store_pair, address, v, 0);
    }
    tr_set_reg(t, a->rs, failed);
}

/* -- compare and swap, read-modify-write ---------------------------------------------------------------------------- */

/* CAS: Xs = what was there; Xt is stored if it equalled Xs. */
void tr_cas(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrBuild *b = t->b;
    IrType ty = tr_ty(a->size == M64);
    IrRef expected = tr_reg(t, a->rs, ty), v = tr_reg(t, a->rt, ty), address = address_of(t, a, 0);
    check_align(t, address, a->size);
    if (a->size < M32) {
        expected = ir_ubfx(b, I32, expected, 0, 8u << a->size);
    }
    tr_set_reg(t, a->rs, ir_cas(b, ty, (MemType)a->size, address, expected, v));
}

static IrRef word_pair(Tr *t, int n)
{
    IrBuild *b = t->b;
    IrRef lo = ir_zext32(b, tr_reg(t, n, I32)), hi = ir_zext32(b, tr_reg(t, n + 1, I32));
    return ir_or(b, I64, lo, ir_shl(b, I64, hi, ir_iconst(b, I32, 32)));
}

/* The second register of a pair that begins at X30 is XZR. */
void tr_casp(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrBuild *b = t->b;
    IrRef address = address_of(t, a, 0), lo, hi;
    if (a->sf) {
        IrRef expected = ir_v_pair64(b, tr_reg(t, a->rs, I64), tr_reg(t, a->rs + 1, I64));
        IrRef v = ir_v_pair64(b, tr_reg(t, a->rt, I64), tr_reg(t, a->rt + 1, I64));
        ir_check_align(b, address, 4, false);
        IrRef old = ir_cas128(b, address, expected, v);
        lo = ir_v_get(b, I64, E_D, 0, false, old);
        hi = ir_v_get(b, I64, E_D, 1, false, old);
    } else {
        IrRef expected = word_pair(t, a->rs), v = word_pair(t, a->rt);
        ir_check_align(b, address, 3, false);
        IrRef old = ir_cas(b, I64, M64, address, expected, v);
        lo = ir_trunc(b, old);
        hi = ir_trunc(b, ir_lshr(b, I64, old, ir_iconst(b, I32, 32)));
    }
    tr_set_reg(t, a->rs, lo);
    tr_set_reg(t, a->rs + 1, hi);
}

/* LDADD and its family, SWP: k = RmwOp */
void tr_rmw(Tr *t, const A64 *a, int k)
{
    IrType ty = tr_ty(a->size == M64);
    IrRef v = tr_reg(t, a->rs, ty), address = address_of(t, a, 0);
    check_align(t, address, a->size);
    tr_set_reg(t, a->rt, ir_rmw(t->b, ty, (MemType)a->size, (RmwOp)k, address, v));
}

/* SWPP, LDCLRP, LDSETP: operand and result in Xt (low), Xt2 (high) */
void tr_rmw128(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    if (a->unpred) {
        tr_undef(t, a);
        return;
    }
    IrRef v = ir_v_pair64(b, tr_reg(t, a->rt, I64), tr_reg(t, a->rt2, I64)), address = address_of(t, a, 0);
    ir_check_align(b, address, 4, false);
    IrRef old = ir_call(b, H_rmw128, address, v, ir_iconst(b, I32, (uint64_t)k));
    IrRef lo = ir_v_get(b, I64, E_D, 0, false, old), hi = ir_v_get(b, I64, E_D, 1, false, old);
    tr_set_reg(t, a->rt, lo);
    tr_set_reg(t, a->rt2, hi);
}
