/* tr_atomic.c - A64 exclusive, acquire and release, and atomic accesses (rows of a64_ldst.isa; DDI 0487 B2.9, C3.2).
 *
 * Alignment: these accesses fault when misaligned; with FEAT_LSE2 only when they leave 16 bytes
 * (AArch64.UnalignedAccessFaults: exclusives and atomics too).
 *
 * Exclusives. Between a load-exclusive and its store-exclusive with no other memory access, a compare-and-swap with the
 * loaded value cannot be told from a monitor, because the program saw nothing of memory in between: that is what every
 * compiler-made loop becomes. Looking ahead from the load-exclusive (what_follows) tells these cases:
 *   silent  the store follows in this region, in a straight line, and does not look at marks (see strict): only the builder knows of
 *           the monitor
 *   fold    the store follows by plain instructions, perhaps after branches: the slots excl_* describe the monitor;
 *           a store-exclusive that finds it open in its own block becomes a compare-and-swap, any other calls a helper
 *   wait    WFE follows, and no store-exclusive is seen: most likely a monitor that only tells WFE to look again. As strict,
 *           but it does not turn KEY_STRICT on: that does the first store-exclusive that comes for it all the same, and fails
 *   strict  anything else. While the process has one thread, as fold. With more, the monitor must break when another
 *           thread stores. A strict monitor has a ticket of its own, which it writes to the marks of its 16-byte granule and of
 *           the one before, from where a store may reach over (Space.store_marks); it is open while both show it. Code is
 *           translated under KEY_STRICT, where every store first looks at the mark of its granule. Is there one (EXC_MARKED), the
 *           instruction is done by itself, and h_excl_break takes the mark away, unless it is the thread's own.
 * Marks are set, taken away, and compared together with the exclusive store itself, under the granule's lock; so what is left
 * is a store that saw no mark just before there was one. It is one per thread, and alone it cannot restore a value.
 * The first strict load-exclusive turns KEY_STRICT on for the process, its own monitor stays closed. A thread that has not
 * changed over yet misses marks until its next exit; as long as there is one, no store-exclusive succeeds by a strict monitor.
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
    IrRef base = tr_base(t, a->rn);
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

/* Bits found along a path: */
enum {
    PATH_STORE = 1,  /* the store-exclusive that fits, by plain instructions only */
    PATH_STRICT = 2, /* a store-exclusive after something else */
    PATH_SPLIT = 4,  /* not one straight line within this region */
    PATH_WAIT = 8    /* WFE: what was loaded is waited for */
};

enum { EXCL_KIND = 0xffe00000, EXCL_LOAD = 1 << 22 }; /* size, o2, L, o1 of the exclusives' encodings */

static bool code_at(const Tr *t, uint64_t pc, uint32_t *word)
{
    uint32_t avail;
    const uint8_t *code = t->code + (int64_t)(pc - t->pc);
    tr_looked(t);
    if ((pc ^ t->pc) & -(uint64_t)TR_PAGE) {
        code = t->space->fetch(t->space, gva(pc), &avail);
        if (!code || avail < 4) {
            return false;
        }
    }
    memcpy(word, code, 4);
    return true;
}

/* What the code from pc on, after a load-exclusive, does in at most `steps` instructions: PATH_* bits; *line = number of
 * the store-exclusive, counted from 1. plain: nothing but plain instructions so far. */
static unsigned path(const Tr *t, const A64 *a, uint64_t pc, unsigned steps, bool plain, unsigned depth, unsigned *line)
{
    const uint32_t store = (a->word & EXCL_KIND) ^ EXCL_LOAD;
    unsigned found = 0;
    for (unsigned n = 1; steps; steps--, n++, pc += 4) {
        uint32_t w;
        if (!code_at(t, pc, &w)) {
            return found | PATH_SPLIT;
        }
        int64_t words = 0;
        bool branch = false;
        if ((w & EXCL_KIND) == store) {
            *line = n;
            return found | (plain && (w >> 5 & 31) == (uint32_t)a->rn ? PATH_STORE : PATH_STRICT);
        }
        if ((w & 0x3f800000) == 0x08000000 && (w >> 31 || !(w >> 21 & 1))) { /* another exclusive, not CASP */
            return w & EXCL_LOAD ? found : found | PATH_STRICT;
        }
        found |= w == 0xd503205f ? PATH_WAIT : 0; /* WFE; a store-exclusive behind it may still fit */
        if ((w & 0xfffff0ff) == 0xd503305f || (w & 0xff000000) == 0xd4000000) { /* CLREX, exceptions */
            return found;
        }
        if ((w & 0xff000000) == 0x54000000 || (w & 0x7e000000) == 0x34000000) { /* B.cond, CBZ */
            branch = true;
            words = bits_sext(w >> 5, 19);
        } else if ((w & 0x7e000000) == 0x36000000) { /* TBZ */
            branch = true;
            words = bits_sext(w >> 5, 14);
        } else if ((w & 0xfc000000) == 0x14000000) { /* B */
            found |= PATH_SPLIT;
            pc += (uint64_t)bits_sext(w, 26) * 4 - 4;
            continue;
        } else if ((w & 0xfe000000) == 0xd6000000 && (w >> 21 & 7) != 1) { /* BR, RET; not BLR */
            return found;
        } else {
            bool fp = (w & 0x0e000000) == 0x0e000000; /* may trap: not in a silent pair */
            found |= fp ? PATH_SPLIT : 0;
            plain = plain && (fp || (is_plain(w) && (w & 31) != (uint32_t)a->rn));
        }
        if (branch) {
            unsigned ignored;
            found |= PATH_SPLIT;
            found |= depth ? path(t, a, pc + (uint64_t)words * 4, steps - 1, plain, depth - 1, &ignored) : 0;
        }
    }
    return found;
}

typedef enum Follow { FOLLOW_SILENT, FOLLOW_FOLD, FOLLOW_STRICT, FOLLOW_WAIT } Follow;

static Follow what_follows(const Tr *t, const A64 *a)
{
    enum { REACH = 16, DEPTH = 3 };
    bool pair = a->word >> 21 & 1, base_lost = a->rt == a->rn || (pair && a->rt2 == a->rn);
    unsigned line = 0, found = path(t, a, t->pc + 4, REACH, !base_lost, DEPTH, &line);
    if (found & PATH_STRICT || !(found & PATH_STORE)) {
        return (found & (PATH_STRICT | PATH_WAIT)) == PATH_WAIT ? FOLLOW_WAIT : FOLLOW_STRICT;
    }
    bool here = t->ninsns + line < t->max_insns && (t->pc & (TR_PAGE - 1)) + 4 * line < TR_PAGE;
    for (unsigned n = 1; t->shape && n <= line; n++) {
        here = here && !tr_shape_ends(t->shape, t->pc + 4 * n);
    }
    return here && !(found & PATH_SPLIT) && !(t->key & KEY_STRICT) ? FOLLOW_SILENT : FOLLOW_FOLD;
}

/* Before the load of a load-exclusive: decides how its monitor works. */
static Follow monitor_begin(Tr *t, const A64 *a, IrRef address)
{
    Follow f = what_follows(t, a);
    if (f == FOLLOW_WAIT && (t->key & (KEY_SHARED | KEY_STRICT)) != KEY_SHARED) {
        f = FOLLOW_STRICT;
    }
    t->b->r->unshared |= f == FOLLOW_STRICT && !(t->key & KEY_SHARED);
    if (f == FOLLOW_STRICT && t->key & KEY_STRICT) {
        ir_call(t->b, H_excl_open, address, ir_hconst(t->b, t->space), 0);
    }
    return f;
}

/* After the load: opens the monitor with the loaded values; hi = 0 for a single access. */
static void monitor_open(Tr *t, Follow f, IrRef address, IrRef lo, IrRef hi, unsigned bytes)
{
    IrBuild *b = t->b;
    IrRef size = ir_iconst(b, I64, f == FOLLOW_WAIT ? bytes | EXCL_WAIT : bytes);
    if (f == FOLLOW_SILENT) {
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
    if (f != FOLLOW_STRICT || !(t->key & KEY_STRICT)) {
        ir_set(b, SLOT_excl_ticket, ir_iconst(b, I64, 0));
    }
}

/* After the registers are set: the end of a load-exclusive. */
static void monitor_end(Tr *t, Follow f)
{
    IrBuild *b = t->b;
    if (f == FOLLOW_STRICT && t->key & KEY_SHARED && !(t->key & KEY_STRICT)) {
        ir_set(b, SLOT_excl_addr, ir_iconst(b, I64, ~(uint64_t)0));
        ir_call(b, H_excl_strict, 0, 0, 0);
        tr_sync(t);
    }
}

static IrRef store_address(IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    IrRef at = base;
    if (index) {
        at = ir_add(b, I64, at, ir_shl(b, I64, index, ir_iconst(b, I32, scale)));
    }
    return ir_add(b, I64, at, ir_iconst(b, I64, (uint64_t)(int64_t)disp));
}

void tr_look_at_mark(IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    const Space *s = b->on_store_arg;
    IrRef granule = ir_ubfx(b, I64, store_address(b, base, index, scale, disp), 4, s->mark_bits ? s->mark_bits : STORE_MARK_BITS);
    ir_exit_exc_if(b, ir_load(b, I64, M64, MEM_HOST, ir_hconst(b, s->store_marks), granule, 3, 0), EXC_MARKED, 0);
}

void tr_break_mark(IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    ir_call(b, H_excl_break, store_address(b, base, index, scale, disp), ir_hconst(b, b->on_store_arg), 0);
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
    *address = opened; /* not written: what_follows() has seen this very instruction */
    return true;
}

/* LDXR, LDAXR */
void tr_ldxr(Tr *t, const A64 *a, int k)
{
    (void)k;
    IrRef address = address_of(t, a, 0);
    check_align(t, address, a->size);
    Follow f = monitor_begin(t, a, address);
    unsigned flags = a->o0 ? MEM_ACQUIRE : 0;
    IrRef v = ir_load(t->b, tr_ty(a->size == M64), (MemType)a->size, flags, address, 0, 0, 0);
    monitor_open(t, f, address, v, 0, 1u << a->size);
    tr_set_reg(t, a->rt, v);
    monitor_end(t, f);
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
    check_align(t, address, a->sf ? M128 : M64);
    Follow f = monitor_begin(t, a, address);
    if (a->sf) {
        IrRef v = ir_load(b, TV128, M128, flags, address, 0, 0, 0);
        lo = ir_v_get(b, I64, E_D, 0, false, v);
        hi = ir_v_get(b, I64, E_D, 1, false, v);
        monitor_open(t, f, address, lo, hi, 16);
    } else {
        IrRef v = ir_load(b, I64, M64, flags, address, 0, 0, 0);
        lo = ir_trunc(b, v);
        hi = ir_trunc(b, ir_lshr(b, I64, v, ir_iconst(b, I32, 32)));
        monitor_open(t, f, address, v, 0, 8);
    }
    tr_set_reg(t, a->rt, lo);
    tr_set_reg(t, a->rt2, hi);
    monitor_end(t, f);
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
        check_align(t, address, k);
        const uint8_t *marks = (const uint8_t *)t->space->store_marks; /* a multiple of 8 */
        failed = ir_call(b, H_excl_store, address, wide, ir_hconst(b, marks + k));
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
        failed = ir_call(b, H_excl_store_pair, address, v, ir_hconst(b, t->space->store_marks));
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
        check_align(t, address, M64);
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
    if (b->on_store) {
        b->on_store(b, address, 0, 0, 0);
    }
    IrRef old = ir_call(b, H_rmw128, address, v, ir_iconst(b, I32, (uint64_t)k));
    IrRef lo = ir_v_get(b, I64, E_D, 0, false, old), hi = ir_v_get(b, I64, E_D, 1, false, old);
    tr_set_reg(t, a->rt, lo);
    tr_set_reg(t, a->rt2, hi);
}
