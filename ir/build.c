/* build.c - the builder behind build.h: appending, constant folding, slot forwarding.
 *
 * What is folded: integer ops with constant operands, identities (x + 0, x & -1, ...), selections with a known
 * condition, width changes of width changes, a get after a set or another get of the same slot.
 * What is not: common subexpressions and anything across blocks (those are passes of tier 2).
 * To add a folding rule: a case in fold_const, fold_identity or fold_convert; it must hold for every type that
 * the op takes.
 */
#include "build.h"

static const IrIns *at(const IrBuild *b, IrRef r)
{
    return &b->r->ins[r];
}

static IrType type_of(const IrBuild *b, IrRef r)
{
    return ir_result_type(at(b, r));
}

/* Inline, so that the fields go to their places one by one: read back in one piece from a copy they would stall. */
static inline __attribute__((always_inline)) IrRef append(IrBuild *b, IrIns i)
{
    IrRegion *r = b->r;
    if (UNLIKELY(r->n >= r->cap)) {
        BUG("IR region of %u ops is full", r->cap);
    }
    r->ins[r->n] = i;
    return r->n++;
}

void ir_begin(IrBuild *b, IrRegion *r, IrIns *ins, uint32_t cap, const IrSlot *slots, const IrHelper *helpers)
{
    b->r = r;
    b->slots = slots;
    b->helpers = helpers;
    b->overflow = false;
    b->alone = false;
    b->on_store = NULL;
    b->store_by = NULL;
    r->ins = ins;
    r->cap = cap;
    r->n = 0;
    r->nblocks = 0;
    r->tier = 1;
    r->entry = 0;
    r->before = 0;
    r->unshared = false;
    r->bound = r->ndescribed = r->nwords = 0;
    append(b, (IrIns){.op = OP_nop});
    ir_new_block(b);
}

unsigned ir_new_block(IrBuild *b)
{
    IrRegion *r = b->r;
    ir_end(b);
    ASSERT(r->nblocks < LEN(r->blocks));
    clear_bytes(b->known, sizeof b->known);
    memset(b->const_cache, 0, sizeof b->const_cache);
    r->blocks[r->nblocks].first = r->n;
    r->blocks[r->nblocks].end = r->n;
    return r->nblocks++;
}

void ir_end(IrBuild *b)
{
    IrRegion *r = b->r;
    if (r->nblocks) {
        r->blocks[r->nblocks - 1].end = r->n;
    }
}

/* -- constants -------------------------------------------------------------------------------------- */

static uint64_t type_mask(IrType ty)
{
    return bits_mask(8 * ir_type_bytes(ty));
}

static inline IrRef constant(IrBuild *b, IrType ty, uint64_t v, unsigned moves)
{
    v &= type_mask(ty);
    IrRef *cached = &b->const_cache[(v ^ (v >> 16) ^ ty) % LEN(b->const_cache)];
    if (*cached) {
        const IrIns *i = at(b, *cached);
        if (i->ty == ty && i->x == moves && ir_imm64(i) == v) {
            return *cached;
        }
    }
    return *cached = append(b, (IrIns){.op = OP_const, .ty = (uint8_t)ty, .x = (uint8_t)moves, .b = (uint32_t)v, .c = (uint32_t)(v >> 32)});
}

IrRef ir_iconst(IrBuild *b, IrType ty, uint64_t v)
{
    return constant(b, ty, v, CONST_PLAIN);
}

IrRef ir_pconst(IrBuild *b, uint64_t address)
{
    return constant(b, I64, address, CONST_PC);
}

IrRef ir_hconst(IrBuild *b, const void *p)
{
    return constant(b, I64, (uintptr_t)p, CONST_HOST);
}

IrRef ir_vconst(IrBuild *b, uint64_t lo, uint64_t hi)
{
    IrRef r = append(b, (IrIns){.op = OP_v_const, .ty = TV128, .b = (uint32_t)lo, .c = (uint32_t)(lo >> 32)});
    append(b, (IrIns){.op = OP_v_const_hi, .b = (uint32_t)hi, .c = (uint32_t)(hi >> 32)});
    return r;
}

static inline bool is_const(const IrBuild *b, IrRef a, uint64_t *v)
{
    const IrIns *i = at(b, a);
    if (i->op != OP_const || (i->ty != I32 && i->ty != I64)) {
        return false;
    }
    *v = ir_imm64(i);
    return true;
}

static inline void bind(const IrBuild *b, unsigned moves)
{
    b->r->bound |= moves == CONST_PC ? BOUND_PC : moves == CONST_HOST ? BOUND_HOST : 0;
}

bool ir_is_const(const IrBuild *b, IrRef a, uint64_t *v)
{
    bool is = is_const(b, a, v);
    if (is) {
        bind(b, at(b, a)->x);
    }
    return is;
}

/* -- folding ------------------------------------------------------------------------------------------ */

/* Value of a binary integer op on constants of type ty; false when the op is not folded. */
static bool fold_binary(unsigned op, IrType ty, uint64_t a, uint64_t c, uint64_t *v)
{
    unsigned w = 8 * ir_type_bytes(ty), s = (unsigned)c & (w - 1);
    switch (op) {
    case OP_add: *v = a + c; return true;
    case OP_sub: *v = a - c; return true;
    case OP_mul: *v = a * c; return true;
    case OP_and: *v = a & c; return true;
    case OP_or: *v = a | c; return true;
    case OP_xor: *v = a ^ c; return true;
    case OP_andn: *v = a & ~c; return true;
    case OP_shl: *v = a << s; return true;
    case OP_lshr: *v = a >> s; return true;
    case OP_ashr: *v = (uint64_t)(bits_sext(a, w) >> s); return true;
    case OP_ror: *v = bits_ror(a, s, w); return true;
    default: return false;
    }
}

static bool fold_unary(const IrIns *i, uint64_t a, uint64_t *v)
{
    unsigned w = 8 * ir_type_bytes(i->ty);
    switch (i->op) {
    case OP_neg: *v = 0 - a; return true;
    case OP_not: *v = ~a; return true;
    case OP_ubfx: *v = bits_get(a, i->x, i->y); return true;
    case OP_sbfx: *v = (uint64_t)bits_sext(bits_get(a, i->x, i->y), i->y); return true;
    case OP_sext32: *v = (uint64_t)(int64_t)(int32_t)a; return true;
    case OP_zext32:
    case OP_trunc: *v = (uint32_t)a; return true;
    case OP_is_zero: *v = (uint64_t)((a == 0) != i->x); return true;
    case OP_test_bit: *v = (bits_get(a, (unsigned)i->imm, 1)) != i->x; return true;
    case OP_clz: *v = a ? (uint64_t)__builtin_clzll(a) - (64 - w) : w; return true;
    case OP_bswap: *v = w == 64 ? __builtin_bswap64(a) : __builtin_bswap32((uint32_t)a); return true;
    default: return false;
    }
}

/* The value of i, whose operands are constants. An address and a distance are an address, two addresses a distance;
 * whatever else is made of an address does not move as it does. */
static IrRef folded_const(IrBuild *b, const IrIns *i, IrType ty, uint64_t v)
{
    unsigned ma = at(b, i->a)->x, mb = i->b ? at(b, i->b)->x : CONST_PLAIN;
    if (LIKELY(!(ma | mb))) {
        return constant(b, ty, v, CONST_PLAIN);
    }
    bool looks = v >> 32 && !(v >> 47); /* as an address: the back end sees only those to have notes */
    if (i->op == OP_add && (!ma || !mb) && looks) {
        return constant(b, ty, v, ma | mb);
    }
    if (i->op == OP_sub && (mb ? ma == mb : looks)) {
        return constant(b, ty, v, mb ? CONST_PLAIN : ma);
    }
    bind(b, ma);
    bind(b, mb);
    return constant(b, ty, v, CONST_PLAIN);
}

/* x op constant (or x op x) that is one of its operands or 0; 0 = no. */
static inline IrRef fold_identity(IrBuild *b, const IrIns *i)
{
    uint64_t c;
    if (i->a == i->b && (i->op == OP_and || i->op == OP_or)) {
        return i->a;
    }
    if (i->a == i->b && (i->op == OP_xor || i->op == OP_sub || i->op == OP_andn)) {
        return ir_iconst(b, i->ty, 0);
    }
    if (!is_const(b, i->b, &c)) {
        return 0;
    }
    bool ones = (c & type_mask(i->ty)) == type_mask(i->ty);
    switch (i->op) {
    case OP_add:
    case OP_sub:
    case OP_or:
    case OP_xor:
    case OP_andn: return c == 0 ? i->a : 0;
    case OP_shl:
    case OP_lshr:
    case OP_ashr:
    case OP_ror: return (c & (8 * ir_type_bytes(i->ty) - 1)) == 0 ? i->a : 0;
    case OP_and: return ones ? i->a : c == 0 ? i->b : 0;
    case OP_mul: return c == 1 ? i->a : c == 0 ? i->b : 0;
    default: return 0;
    }
}

static bool commutes(unsigned op)
{
    return op == OP_add || op == OP_mul || op == OP_and || op == OP_or || op == OP_xor;
}

/* Conversions that undo one another; 0 = no. */
static IrRef fold_convert(IrBuild *b, const IrIns *i)
{
    const IrIns *s = at(b, i->a);
    switch (i->op) {
    case OP_trunc: return s->op == OP_zext32 || s->op == OP_sext32 ? s->a : 0;
    case OP_v_low64:
        return s->op == OP_v_low64 || s->op == OP_s_to_v ? i->a : 0;
    case OP_v_to_s: return s->op == OP_s_to_v && type_of(b, s->a) == i->ty ? s->a : 0;
    case OP_fl_unpack: return s->op == OP_fl_pack ? s->a : 0;
    case OP_fl_pack: return s->op == OP_fl_unpack ? s->a : 0;
    default: return 0;
    }
}

IrRef ir_emit_words(IrBuild *b, uint32_t head, IrRef a, IrRef c, IrRef d, int32_t imm)
{
    IrIns i = {.op = (uint8_t)head, .ty = (uint8_t)(head >> 8), .x = (uint8_t)(head >> 16), .y = (uint8_t)(head >> 24), .a = a,
               .b = c, .c = d, .imm = imm};
    uint64_t x, y, v;
    if ((i.op == OP_f_to_i && i.ty == I64) || (i.op == OP_i_to_f && type_of(b, i.a) == I64)) {
        i.y |= FPI_64;
    }
    if (i.op >= OP_add && i.op <= OP_test_bit) {
        bool ca = is_const(b, i.a, &x);
        bool negated = i.op == OP_sub && at(b, i.b)->x == CONST_PC && !at(b, i.a)->x; /* an address; moves the other way */
        if (ca && i.b && is_const(b, i.b, &y) && !negated && fold_binary(i.op, i.ty, x, y, &v)) {
            return folded_const(b, &i, i.ty, v);
        }
        if (ca && fold_unary(&i, x, &v)) {
            bool small = i.op == OP_is_zero || i.op == OP_test_bit || i.op == OP_trunc;
            bool wide = i.op == OP_sext32 || i.op == OP_zext32;
            return folded_const(b, &i, small ? I32 : wide ? I64 : i.ty, v);
        }
        if (ca && i.b && commutes(i.op)) {
            IrRef swap = i.a;
            i.a = i.b;
            i.b = swap;
        }
        IrRef same = i.b && ir_ops[i.op].sig[4] == '.' ? fold_identity(b, &i) : 0;
        if (same) {
            return same;
        }
    }
    if (i.op == OP_clz && at(b, i.a)->op == OP_rbit) { /* how A64 counts trailing zeros */
        i.op = OP_ctz;
        i.a = at(b, i.a)->a;
    }
    IrRef folded = fold_convert(b, &i);
    return folded ? folded : append(b, i);
}

/* -- slots, calls, structure ---------------------------------------------------------------------------- */

/* The value v, as type ty, after it went through a slot: widening zero-extends, narrowing takes the low part. */
static IrRef slot_convert(IrBuild *b, IrRef v, IrType ty)
{
    IrType from = type_of(b, v);
    if (from == ty) {
        return v;
    }
    if (ty == I64) {
        return ir_zext32(b, v);
    }
    if (ty == I32) {
        return ir_trunc(b, v);
    }
    IrRef wide = from == TV128 ? v : ir_s_to_v(b, v);
    return ty == TV128 ? wide : ir_v_to_s(b, ty, wide);
}

IrRef ir_get(IrBuild *b, unsigned slot, IrType ty)
{
    IrRef k = b->known[slot];
    if (k && at(b, k)->op == OP_get && at(b, k)->x == slot) {
        if (at(b, k)->ty == ty) {
            return k;
        }
    } else if (k) {
        return slot_convert(b, k, ty);
    }
    IrRef r = append(b, (IrIns){.op = OP_get, .ty = (uint8_t)ty, .x = (uint8_t)slot});
    b->known[slot] = r;
    return r;
}

void ir_set(IrBuild *b, unsigned slot, IrRef v)
{
    /* Writing back what was read is nothing, unless a narrower read must zero the rest. */
    const IrIns *i = at(b, v);
    IrType ty = ir_result_type(i);
    if (b->known[slot] == v && ty == b->slots[slot].type) {
        return;
    }
    append(b, (IrIns){.op = OP_set, .ty = (uint8_t)ty, .x = (uint8_t)slot, .a = v});
    b->known[slot] = v;
    if (i->op == OP_get && i->x == slot) {
        b->known[slot] = 0; /* a narrow get is no longer the whole of the slot */
    }
}

void ir_insn(IrBuild *b, uint64_t pc)
{
    append(b, (IrIns){.op = OP_insn, .b = (uint32_t)pc, .c = (uint32_t)(pc >> 32)});
}

IrRef ir_call(IrBuild *b, unsigned helper, IrRef a, IrRef c, IrRef d)
{
    const IrHelper *h = &b->helpers[helper];
    IrRef r = append(b, (IrIns){.op = OP_call, .ty = h->ret, .a = a, .b = c, .c = d, .imm = (int32_t)helper});
    if (h->effects & STATE) {
        memset(b->known, 0, sizeof b->known);
    }
    return r;
}

/* -- memory ------------------------------------------------------------------------------------------------- */

IrRef ir_load(IrBuild *b, IrType ty, MemType m, unsigned flags, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    return append(b, (IrIns){.op = OP_load, .ty = (uint8_t)ty, .x = (uint8_t)m, .y = (uint8_t)(flags | scale),
                             .a = base, .b = index, .imm = disp});
}

static void before_store(IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    if (b->on_store) {
        b->on_store(b, base, index, scale, disp);
    }
}

/* 1 when the op need not be atomic, the region being right only as long. */
static int32_t alone(IrBuild *b)
{
    b->r->unshared |= b->alone;
    return b->alone;
}

void ir_store(IrBuild *b, MemType m, unsigned flags, IrRef base, IrRef index, unsigned scale, int32_t disp, IrRef v)
{
    before_store(b, base, index, scale, disp);
    if (UNLIKELY(b->store_by != NULL)) {
        b->store_by(b, m, base, index, scale, disp, v);
        return;
    }
    if (flags & MEM_RELEASE && alone(b)) {
        flags &= ~(unsigned)MEM_RELEASE;
    }
    append(b, (IrIns){.op = OP_store, .ty = (uint8_t)type_of(b, v), .x = (uint8_t)m, .y = (uint8_t)(flags | scale), .a = base,
                      .b = index, .c = v, .imm = disp});
}

void ir_check_align(IrBuild *b, IrRef addr, unsigned log2size, bool lse2)
{
    append(b, (IrIns){.op = OP_check_align, .x = (uint8_t)log2size, .y = lse2, .a = addr});
}

IrRef ir_rmw(IrBuild *b, IrType ty, MemType m, RmwOp op, IrRef addr, IrRef v)
{
    before_store(b, addr, 0, 0, 0);
    return append(b, (IrIns){.op = OP_rmw, .ty = (uint8_t)ty, .x = (uint8_t)m, .y = (uint8_t)op, .a = addr, .b = v,
                             .imm = alone(b)});
}

IrRef ir_cas(IrBuild *b, IrType ty, MemType m, IrRef addr, IrRef expected, IrRef v)
{
    before_store(b, addr, 0, 0, 0);
    return append(b, (IrIns){.op = OP_cas, .ty = (uint8_t)ty, .x = (uint8_t)m, .a = addr, .b = expected, .c = v,
                             .imm = alone(b)});
}

IrRef ir_cas128(IrBuild *b, IrRef addr, IrRef expected, IrRef v)
{
    before_store(b, addr, 0, 0, 0);
    return append(b, (IrIns){.op = OP_cas128, .ty = TV128, .a = addr, .b = expected, .c = v, .imm = alone(b)});
}

IrRef ir_load128_atomic(IrBuild *b, IrRef addr)
{
    return append(b, (IrIns){.op = OP_load128_atomic, .ty = TV128, .a = addr});
}

void ir_store128_atomic(IrBuild *b, IrRef addr, IrRef v)
{
    before_store(b, addr, 0, 0, 0);
    if (UNLIKELY(b->store_by != NULL)) {
        b->store_by(b, M128, addr, 0, 0, 0, v);
        return;
    }
    append(b, (IrIns){.op = OP_store128_atomic, .ty = TV128, .a = addr, .b = v});
}

void ir_prefetch(IrBuild *b, unsigned kind, IrRef base, IrRef index, unsigned scale, int32_t disp)
{
    append(b, (IrIns){.op = OP_prefetch, .x = (uint8_t)kind, .y = (uint8_t)scale, .a = base, .b = index, .imm = disp});
}

void ir_fence(IrBuild *b, FenceOp f)
{
    if (f != FENCE_FULL || !alone(b)) {
        append(b, (IrIns){.op = OP_fence, .x = (uint8_t)f});
    }
}

/* -- integers ------------------------------------------------------------------------------------------------- */

IrRef ir_extr(IrBuild *b, IrType ty, IrRef a, IrRef c, unsigned lsb)
{
    if (a == c) {
        return ir_ror(b, ty, a, ir_iconst(b, I32, lsb));
    }
    return lsb ? append(b, (IrIns){.op = OP_extr, .ty = (uint8_t)ty, .a = a, .b = c, .imm = (int32_t)lsb}) : c;
}

IrRef ir_ubfx(IrBuild *b, IrType ty, IrRef a, unsigned lsb, unsigned width)
{
    if (lsb + width == 8 * ir_type_bytes(ty)) {
        return ir_lshr(b, ty, a, ir_iconst(b, I32, lsb));
    }
    return ir_emit(b, (IrIns){.op = OP_ubfx, .ty = (uint8_t)ty, .x = (uint8_t)lsb, .y = (uint8_t)width, .a = a});
}

IrRef ir_sbfx(IrBuild *b, IrType ty, IrRef a, unsigned lsb, unsigned width)
{
    if (lsb + width == 8 * ir_type_bytes(ty)) {
        return ir_ashr(b, ty, a, ir_iconst(b, I32, lsb));
    }
    return ir_emit(b, (IrIns){.op = OP_sbfx, .ty = (uint8_t)ty, .x = (uint8_t)lsb, .y = (uint8_t)width, .a = a});
}

IrRef ir_bfi(IrBuild *b, IrType ty, IrRef a, IrRef field, unsigned lsb, unsigned width)
{
    return append(b, (IrIns){.op = OP_bfi, .ty = (uint8_t)ty, .x = (uint8_t)lsb, .y = (uint8_t)width, .a = a, .b = field});
}

IrRef ir_sext32(IrBuild *b, IrRef a)
{
    return ir_emit(b, (IrIns){.op = OP_sext32, .ty = I64, .a = a});
}

IrRef ir_zext32(IrBuild *b, IrRef a)
{
    return ir_emit(b, (IrIns){.op = OP_zext32, .ty = I64, .a = a});
}

IrRef ir_trunc(IrBuild *b, IrRef a)
{
    return ir_emit(b, (IrIns){.op = OP_trunc, .ty = I32, .a = a});
}

IrRef ir_select(IrBuild *b, IrType ty, IrRef cond, IrRef yes, IrRef no)
{
    uint64_t v;
    if (yes == no) {
        return yes;
    }
    if (ir_is_const(b, cond, &v)) {
        return v ? yes : no;
    }
    return append(b, (IrIns){.op = OP_select, .ty = (uint8_t)ty, .a = cond, .b = yes, .c = no});
}

IrRef ir_adc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags)
{
    return append(b, (IrIns){.op = OP_adc, .ty = (uint8_t)ty, .a = a, .b = c, .c = flags});
}

IrRef ir_sbc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags)
{
    return append(b, (IrIns){.op = OP_sbc, .ty = (uint8_t)ty, .a = a, .b = c, .c = flags});
}

IrRef ir_is_zero(IrBuild *b, IrType ty, IrRef a, bool invert)
{
    return ir_emit(b, (IrIns){.op = OP_is_zero, .ty = (uint8_t)ty, .x = invert, .a = a});
}

IrRef ir_test_bit(IrBuild *b, IrType ty, IrRef a, unsigned bit, bool invert)
{
    return ir_emit(b, (IrIns){.op = OP_test_bit, .ty = (uint8_t)ty, .x = invert, .a = a, .imm = (int32_t)bit});
}

IrRef ir_cmp(IrBuild *b, IrType ty, CmpOp op, IrRef a, IrRef c)
{
    return append(b, (IrIns){.op = OP_cmp, .ty = (uint8_t)ty, .x = (uint8_t)op, .a = a, .b = c});
}

IrRef ir_invert(IrBuild *b, IrRef cond)
{
    static const uint8_t inverse[] = {[CMP_EQ] = CMP_NE, [CMP_NE] = CMP_EQ, [CMP_ULT] = CMP_UGE, [CMP_UGE] = CMP_ULT,
                                      [CMP_ULE] = CMP_UGT, [CMP_UGT] = CMP_ULE, [CMP_SLT] = CMP_SGE, [CMP_SGE] = CMP_SLT,
                                      [CMP_SLE] = CMP_SGT, [CMP_SGT] = CMP_SLE};
    IrIns i = *at(b, cond);
    switch (i.op) {
    case OP_test_flags:
    case OP_is_zero:
    case OP_test_bit: i.x ^= 1; break; /* a condition's last bit inverts it */
    case OP_cmp: i.x = inverse[i.x]; break;
    default: return ir_is_zero(b, I32, cond, false);
    }
    return ir_emit(b, i);
}

IrRef ir_crc32(IrBuild *b, bool castagnoli, unsigned log2size, IrRef acc, IrRef data)
{
    return append(b, (IrIns){.op = OP_crc32, .ty = I32, .x = (uint8_t)log2size, .y = castagnoli, .a = acc, .b = data});
}

/* -- flags ----------------------------------------------------------------------------------------------------- */

static IrRef flags_op(IrBuild *b, IrOp op, IrType ty, IrRef a, IrRef c, IrRef d)
{
    return append(b, (IrIns){.op = (uint8_t)op, .ty = (uint8_t)ty, .a = a, .b = c, .c = d});
}

IrRef ir_fl_add(IrBuild *b, IrType ty, IrRef a, IrRef c)
{
    return flags_op(b, OP_fl_add, ty, a, c, 0);
}

IrRef ir_fl_sub(IrBuild *b, IrType ty, IrRef a, IrRef c)
{
    return flags_op(b, OP_fl_sub, ty, a, c, 0);
}

IrRef ir_fl_adc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags)
{
    return flags_op(b, OP_fl_adc, ty, a, c, flags);
}

IrRef ir_fl_sbc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags)
{
    return flags_op(b, OP_fl_sbc, ty, a, c, flags);
}

IrRef ir_fl_logic(IrBuild *b, IrType ty, IrRef a)
{
    return flags_op(b, OP_fl_logic, ty, a, 0, 0);
}

IrRef ir_fl_fcmp(IrBuild *b, IrType fty, IrRef a, IrRef c, bool signal_qnan)
{
    return append(b, (IrIns){.op = OP_fl_fcmp, .ty = (uint8_t)fty, .x = (uint8_t)ir_fp_elem(fty), .y = signal_qnan,
                             .a = a, .b = c});
}

IrRef ir_f_compare(IrBuild *b, IrType fty, IrRef a, IrRef c, bool signal_qnan)
{
    return append(b, (IrIns){.op = OP_f_compare, .ty = I32, .x = (uint8_t)ir_fp_elem(fty), .y = signal_qnan, .a = a, .b = c});
}

IrRef ir_fl_select(IrBuild *b, IrRef cond, IrRef yes, IrRef no)
{
    uint64_t v;
    if (ir_is_const(b, cond, &v)) {
        return v ? yes : no;
    }
    return flags_op(b, OP_fl_select, TFLAGS, cond, yes, no);
}

IrRef ir_fl_const(IrBuild *b, unsigned nibble)
{
    return append(b, (IrIns){.op = OP_fl_const, .ty = TFLAGS, .imm = (int32_t)nibble});
}

IrRef ir_fl_pack(IrBuild *b, IrRef flags)
{
    return ir_emit(b, (IrIns){.op = OP_fl_pack, .ty = I32, .a = flags});
}

IrRef ir_fl_unpack(IrBuild *b, IrRef packed)
{
    return ir_emit(b, (IrIns){.op = OP_fl_unpack, .ty = TFLAGS, .a = packed});
}

IrRef ir_test_flags(IrBuild *b, Cond c, IrRef flags)
{
    if (c >= C_AL) {
        return ir_iconst(b, I32, 1);
    }
    return append(b, (IrIns){.op = OP_test_flags, .ty = I32, .x = (uint8_t)c, .a = flags});
}

/* -- vectors and scalars ----------------------------------------------------------------------------------------- */

IrRef ir_bits_to_f(IrBuild *b, IrType fty, IrRef a)
{
    return append(b, (IrIns){.op = OP_bits_to_f, .ty = (uint8_t)fty, .a = a});
}

IrRef ir_f_to_bits(IrBuild *b, IrType ity, IrRef a)
{
    return append(b, (IrIns){.op = OP_f_to_bits, .ty = (uint8_t)ity, .a = a});
}

IrRef ir_s_to_v(IrBuild *b, IrRef a)
{
    return append(b, (IrIns){.op = OP_s_to_v, .ty = TV128, .a = a});
}

IrRef ir_v_to_s(IrBuild *b, IrType fty, IrRef a)
{
    return ir_emit(b, (IrIns){.op = OP_v_to_s, .ty = (uint8_t)fty, .a = a});
}

IrRef ir_v_dup(IrBuild *b, IrElem e, IrRef a)
{
    return append(b, (IrIns){.op = OP_v_dup, .ty = TV128, .x = (uint8_t)e, .a = a});
}

IrRef ir_v_get(IrBuild *b, IrType ty, IrElem e, unsigned lane, bool sign, IrRef a)
{
    return append(b, (IrIns){.op = OP_v_get, .ty = (uint8_t)ty, .x = (uint8_t)e, .y = sign, .a = a, .imm = (int32_t)lane});
}

IrRef ir_v_put(IrBuild *b, IrElem e, unsigned lane, IrRef a, IrRef v)
{
    return append(b, (IrIns){.op = OP_v_put, .ty = TV128, .x = (uint8_t)e, .a = a, .b = v, .imm = (int32_t)lane});
}

IrRef ir_v_pair64(IrBuild *b, IrRef lo, IrRef hi)
{
    return append(b, (IrIns){.op = OP_v_pair64, .ty = TV128, .a = lo, .b = hi});
}

/* -- exits ------------------------------------------------------------------------------------------------------- */

static IrRef exit_op(IrBuild *b, IrOp op, unsigned x, IrRef a, uint64_t v, int32_t imm)
{
    return append(b, (IrIns){.op = (uint8_t)op, .x = (uint8_t)x, .a = a, .b = (uint32_t)v, .c = (uint32_t)(v >> 32),
                             .imm = imm});
}

void ir_exit_pc(IrBuild *b, unsigned flags, uint64_t pc)
{
    exit_op(b, OP_exit_pc, flags, 0, pc, 0);
}

void ir_exit_if(IrBuild *b, unsigned flags, IrRef cond, uint64_t pc)
{
    uint64_t v;
    if (ir_is_const(b, cond, &v) && !v) {
        return;
    }
    exit_op(b, OP_exit_if, flags, cond, pc, 0);
}

void ir_exit_call(IrBuild *b, unsigned flags, uint64_t pc)
{
    exit_op(b, OP_exit_call, flags, 0, pc, 4);
}

void ir_exit_call_ind(IrBuild *b, IrRef target)
{
    exit_op(b, OP_exit_call_ind, 0, target, 0, 4);
}

void ir_exit_ind(IrBuild *b, IrRef target)
{
    exit_op(b, OP_exit_ind, 0, target, 0, 0);
}

void ir_exit_ret(IrBuild *b, IrRef target)
{
    exit_op(b, OP_exit_ret, 0, target, 0, 0);
}

void ir_exit_exc(IrBuild *b, ExcKind k, int32_t imm, uint64_t pc)
{
    exit_op(b, OP_exit_exc, k, 0, pc, imm);
}

void ir_exit_exc_if(IrBuild *b, IrRef cond, ExcKind k, int32_t imm)
{
    exit_op(b, OP_exit_exc_if, k, cond, 0, imm);
}

void ir_jump(IrBuild *b, unsigned block)
{
    exit_op(b, OP_jump, 0, 0, 0, (int32_t)block);
}

void ir_branch(IrBuild *b, IrRef cond, unsigned yes, unsigned no)
{
    append(b, (IrIns){.op = OP_branch, .a = cond, .b = yes, .c = no});
}
