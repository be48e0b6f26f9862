/* rules_mem.c - guest memory: loads, stores, atomics, barriers, alignment checks.
 *
 * Guest address = host address, so an access is one instruction; it is entered in the fault table by l_fault()
 * right before it. x86 is TSO: acquire loads and release stores of ordinary kind are plain moves, except that
 * STLR must not pass a later LDAR, so it is an xchg. Atomics lock, unless nobody else sees the memory (.imm): then each is still one
 * instruction that reads and writes, so that nothing comes in between when the thread is interrupted, or stopped by a debugger
 * that writes there.
 */
#include "rules_mem.h"

void mem_load_from(Lower *l, const IrIns *in, Reg d, Mem m)
{
    Asm *a = &l->a;
    IrType ty = (IrType)in->ty;
    int w = ty == I64;
    if (ty == F32) {
        x_vmovss_ld_rm(a, d, m);
    } else if (ty == F64) {
        x_vmovsd_ld_rm(a, d, m);
    } else if (ty == TV128) {
        switch (in->x & MEM_SIZE_MASK) {
        case M32: x_vmovss_ld_rm(a, d, m); break;
        case M64: x_vmovsd_ld_rm(a, d, m); break;
        default: x_vmovups_rm(a, d, m); break;
        }
    } else {
        switch (in->x) {
        case M8: x_movzx8_rm(a, d, m); break;
        case M16: x_movzx16_rm(a, 0, d, m); break;
        case M32: x_mov_rm(a, 0, d, m); break;
        case M64: x_mov_rm(a, 1, d, m); break;
        case MS8: x_movsx8_rm(a, w, d, m); break;
        case MS16: x_movsx16_rm(a, w, d, m); break;
        default: x_movsxd_rm(a, 1, d, m); break;
        }
    }
}

void mem_load(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Mem m = l_addr(l, in);
    if (in->ty == F16) {
        Reg t = l_temp(l), d = l_dst(l, i, false);
        l_fault(l);
        x_movzx16_rm(a, 0, t, m);
        x_vmovd_rr(a, d, t);
        l_def(l, i, d, true);
        return;
    }
    Reg d = l_dst(l, i, false);
    l_fault(l);
    mem_load_from(l, in, d, m);
    l_def(l, i, d, true);
}

static void store_const(Lower *l, const IrIns *in, Mem m, uint64_t k)
{
    Asm *a = &l->a;
    l_fault(l);
    switch (in->x & MEM_SIZE_MASK) {
    case M8: x_mov_mi8(a, m, (uint8_t)k); break;
    case M16: x_mov_mi16(a, m, (uint16_t)k); break;
    case M32: x_mov_mi(a, 0, m, (int32_t)k); break;
    default: x_mov_mi(a, 1, m, (int32_t)k); break;
    }
}

void mem_fence(Lower *l)
{
    l_clobber(l);
    l->ef = 0;
    put8(&l->a, X_LOCK);
    x_alu_mi(&l->a, 1, ALU_OR, mem(RSP, -8), 0);
}

void mem_store(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    IrType ty = ir_result_type(l_ins(l, in->c));
    unsigned size = in->x & MEM_SIZE_MASK;
    bool fp = ty == F16 || ty == F32 || ty == F64 || ty == TV128;
    Mem m = l_addr(l, in);
    if (fp) {
        Reg s = l_reg(l, in->c);
        if (size == M16) {
            Reg t = l_temp(l);
            x_vpextrw_rri(a, s, t, 0);
            l_fault(l);
            x_store16_rm(a, 0, t, m);
            return;
        }
        l_fault(l);
        switch (size) {
        case M32: x_vmovss_st_rm(a, s, m); break;
        case M64: x_vmovsd_st_rm(a, s, m); break;
        default: x_vmovups_to_rm(a, s, m); break;
        }
        if (in->y & MEM_RELEASE) {
            mem_fence(l);
        }
        return;
    }
    if (l_is_const(l, in->c) && l->val[in->c].reg == NOREG && !(in->y & MEM_RELEASE)) {
        uint64_t k = ir_imm64(l_ins(l, in->c));
        if (size != M64 || (int64_t)k == (int32_t)k) {
            store_const(l, in, m, k);
            return;
        }
    }
    if (in->y & MEM_RELEASE) {
        Reg t = l_take(l, in->c);
        l_fault(l);
        switch (size) {
        case M8: x_xchg8(a, t, m); break;
        case M16: x_xchg16_rm(a, 0, t, m); break;
        case M32: x_xchg_rm(a, 0, t, m); break;
        default: x_xchg_rm(a, 1, t, m); break;
        }
        return;
    }
    Reg s = l_reg(l, in->c);
    l_fault(l);
    switch (size) {
    case M8: x_store8(a, s, m); break;
    case M16: x_store16_rm(a, 0, s, m); break;
    case M32: x_store_rm(a, 0, s, m); break;
    default: x_store_rm(a, 1, s, m); break;
    }
}

/* Never faults, not even at a tagged or unmapped address. */
static void own_prefetch(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    Mem m = l_addr(l, in);
    switch (in->x) {
    case PREFETCH_L1: x_prefetcht0_m(a, 0, m); break;
    case PREFETCH_L2: x_prefetcht1_m(a, 0, m); break;
    case PREFETCH_L3: x_prefetcht2_m(a, 0, m); break;
    case PREFETCH_STREAM: x_prefetchnta_m(a, 0, m); break;
    default: x_prefetchw_m(a, 0, m); break;
    }
}

static void own_fence(Lower *l, IrRef i)
{
    if (l_ins(l, i)->x == FENCE_FULL) {
        mem_fence(l);
    }
}

static void own_check_align(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    unsigned mask = bits_mask(in->x) & 255;
    if (!mask) {
        return;
    }
    if (l->nz) {
        fl_store(l);
        l->lock = 0;
    }
    l_clobber(l);
    l->ef = 0;
    Reg r = l_reg(l, in->a);
    Reg t = in->y ? l_temp(l) : NOREG;
    x_test8_ri(a, r, mask);
    uint8_t *ok = in->y ? x_jcc8(a, CC_E) : NULL;
    if (ok) { /* LSE2: fine as long as it stays in 16 bytes */
        x_mov_rr(a, 0, t, r);
        x_alu_ri(a, 0, ALU_AND, t, 15);
        x_alu_ri(a, 0, ALU_CMP, t, 16 - (1 << in->x));
    }
    Stub *s = l_stub(l, STUB_EXC);
    s->from = x_jcc(a, in->y ? CC_A : CC_NE);
    s->reg = r;
    s->imm = 0;
    s->exc = EXC_ALIGN;
    s->pc = l->guest_pc;
    if (ok) {
        asm_link8(ok, a->p);
    }
}

static Mem at(Lower *l, Reg p)
{
    return l_untag(l, mem(p, 0));
}

/* d = low bits of s of MemType x, as .ty wants them */
static void extend(Asm *a, unsigned x, int w, Reg d, Reg s)
{
    switch (x) {
    case M8: x_movzx8_rr(a, d, s); break;
    case M16: x_movzx16_rr(a, 0, d, s); break;
    case M32: x_mov_rr(a, 0, d, s); break;
    case MS8: x_movsx8_rr(a, w, d, s); break;
    case MS16: x_movsx16_rr(a, w, d, s); break;
    case MS32: x_movsxd_rr(a, 1, d, s); break;
    default:
        if (d != s) {
            x_mov_rr(a, 1, d, s);
        }
        break;
    }
}

static void load_for(Lower *l, unsigned x, Reg d, Mem m)
{
    Asm *a = &l->a;
    l_fault(l);
    switch (x & MEM_SIZE_MASK) {
    case M8: x_movzx8_rm(a, d, m); break;
    case M16: x_movzx16_rm(a, 0, d, m); break;
    case M32: x_mov_rm(a, 0, d, m); break;
    default: x_mov_rm(a, 1, d, m); break;
    }
}

static void lock(Lower *l, const IrIns *in)
{
    if (!in->imm) {
        put8(&l->a, X_LOCK);
    }
}

static void cmpxchg(Lower *l, const IrIns *in, Reg s, Mem m)
{
    Asm *a = &l->a;
    l_fault(l);
    lock(l, in);
    switch (in->x & MEM_SIZE_MASK) {
    case M8: x_cmpxchg8(a, s, m); break;
    case M16: /* the operand size prefix may follow the lock prefix */
        x_cmpxchg16_rm(a, 0, s, m); break;
    case M32: x_cmpxchg_rm(a, 0, s, m); break;
    default: x_cmpxchg_rm(a, 1, s, m); break;
    }
}

void mem_cas_at(Lower *l, IrRef i, Mem m)
{
    const IrIns *in = l_ins(l, i);
    Reg v = l_reg(l, in->c), e = l_reg(l, in->b);
    l_mov(l, I64, RAX, e);
    cmpxchg(l, in, v, m);
    extend(&l->a, in->x, in->ty == I64, RAX, RAX);
    l_def(l, i, RAX, true);
}

static void own_cas(Lower *l, IrRef i)
{
    l_clobber(l);
    l->ef = 0;
    l_fix(l, RAX);
    mem_cas_at(l, i, at(l, l_reg(l, l_ins(l, i)->a)));
}

static void xadd_or_xchg(Lower *l, const IrIns *in, Reg t, Mem m)
{
    Asm *a = &l->a;
    bool add = in->y == RMW_ADD;
    l_fault(l);
    if (add) {
        lock(l, in);
    }
    switch (in->x & MEM_SIZE_MASK) {
    case M8: add ? x_xadd8(a, t, m) : x_xchg8(a, t, m); break;
    case M16: add ? x_xadd16_rm(a, 0, t, m) : x_xchg16_rm(a, 0, t, m); break;
    case M32: add ? x_xadd_rm(a, 0, t, m) : x_xchg_rm(a, 0, t, m); break;
    default: add ? x_xadd_rm(a, 1, t, m) : x_xchg_rm(a, 1, t, m); break;
    }
}

/* An exchange with memory always locks: another way is faster where nobody needs that. */
bool mem_rmw_loops(const IrIns *in)
{
    return in->y != RMW_ADD && (in->y != RMW_SWP || in->imm);
}

void mem_rmw_at(Lower *l, IrRef i, Mem m)
{
    static const uint8_t cc[] = {[RMW_SMAX] = CC_L, [RMW_SMIN] = CC_G, [RMW_UMAX] = CC_B, [RMW_UMIN] = CC_A};
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    unsigned size = in->x & MEM_SIZE_MASK;
    if (!mem_rmw_loops(in)) {
        Reg t = l_take(l, in->b);
        xadd_or_xchg(l, in, t, m);
        extend(a, in->x, in->ty == I64, t, t);
        l_def(l, i, t, true);
        return;
    }
    Reg v = l_reg(l, in->b), t = l_temp(l);
    bool sign = in->y == RMW_SMAX || in->y == RMW_SMIN;
    int w = size == M64;
    load_for(l, in->x, RAX, m);
    uint8_t *again = a->p;
    switch (in->y) {
    case RMW_CLR:
        x_mov_rr(a, 1, t, v);
        x_not_r(a, 1, t);
        x_and_rr(a, 1, t, RAX);
        break;
    case RMW_EOR:
        x_mov_rr(a, 1, t, RAX);
        x_xor_rr(a, 1, t, v);
        break;
    case RMW_SWP:
        x_mov_rr(a, 1, t, v);
        break;
    case RMW_SET:
        x_mov_rr(a, 1, t, RAX);
        x_or_rr(a, 1, t, v);
        break;
    default: /* compare in 32 or 64 bits: extend both first */
        if (size < M32) {
            extend(a, sign ? size | MEM_SIGNED : size, 0, t, v);
            extend(a, sign ? size | MEM_SIGNED : size, 0, RAX, RAX);
        } else {
            x_mov_rr(a, 1, t, v);
        }
        x_cmp_rr(a, w, RAX, t);
        x_cmov_rr(a, w, (X86Cond)(cc[in->y] ^ 1), t, RAX);
        break;
    }
    cmpxchg(l, in, t, m);
    put8(a, 0x75); /* jne again */
    put8(a, (unsigned)(again - (a->p + 1)));
    extend(a, in->x, in->ty == I64, RAX, RAX);
    l_def(l, i, RAX, true);
}

static void own_rmw(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    l_clobber(l);
    l->ef = 0;
    if (mem_rmw_loops(in)) {
        l_fix(l, RAX);
    }
    mem_rmw_at(l, i, at(l, l_reg(l, in->a)));
}

/* cmpxchg16b wants rdx:rax and rcx:rbx; rbx is a pin and is kept in a temporary meanwhile. The fault table
 * cannot say so: the access is probed by a load of both ends first, with rbx in place. */
void mem_cas128_at(Lower *l, IrRef i, Reg p)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    l_fix(l, RAX);
    l_fix(l, RCX);
    l_fix(l, RDX);
    Reg e = l_reg(l, in->b), v = l_reg(l, in->c);
    p = p == NOREG ? l_reg(l, in->a) : p;
    Reg d = l_dst(l, i, true);
    Mem m = mem(p, 0);
    x_vmovq_r_to_rr(a, e, RAX);
    x_vpextrq_rri(a, e, RDX, 1);
    x_vpextrq_rri(a, v, RCX, 1);
    x_store_rm(a, 1, RBX, l_head(l, offsetof(CpuHead, scratch)));
    if (p == RBX || (l->marks & MARK_TBI)) {
        l_evict(l, 1u << RSI);
        x_mov_rr(a, 1, RSI, p);
        if (l->marks & MARK_TBI) {
            x_shl_ri(a, 1, RSI, 8);
            x_sar_ri(a, 1, RSI, 8);
        }
        m = mem(RSI, 0);
    }
    l_fault(l); /* lock or [p], 0 faults as the write will; nothing is moved yet */
    lock(l, in);
    x_alu_mi(a, 1, ALU_OR, m, 0);
    x_vmovq_r_to_rr(a, v, RBX);
    lock(l, in);
    x_cmpxchgb_m(a, 1, m);
    x_mov_rm(a, 1, RBX, l_head(l, offsetof(CpuHead, scratch)));
    x_vmovq_r_rr(a, d, RAX);
    x_vpinsrq_rrri(a, d, d, RDX, 1);
    l_def(l, i, d, true);
}

static void own_cas128(Lower *l, IrRef i)
{
    l_clobber(l);
    l->ef = 0;
    mem_cas128_at(l, i, NOREG);
}

/* With AVX, aligned 16-byte moves are single-copy atomic. */
static void own_load128(Lower *l, IrRef i)
{
    Reg p = l_reg(l, l_ins(l, i)->a), d = l_dst(l, i, false);
    l_fault(l);
    x_vmovdqa_rm(&l->a, d, at(l, p));
    l_def(l, i, d, true);
}

static void own_store128(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Reg p = l_reg(l, in->a), s = l_reg(l, in->b);
    l_fault(l);
    x_vmovdqa_to_rm(&l->a, s, at(l, p));
}

const Rule rules_mem[] = {
    OWN(load, 0, 0, mem_load)
    OWN(store, 0, 0, mem_store)
    OWN(fence, 0, 0, own_fence)
    OWN(prefetch, 0, 0, own_prefetch)
    OWN(check_align, 0, 0, own_check_align)
    OWN(cas, 0, 0, own_cas)
    OWN(rmw, 0, 0, own_rmw)
    OWN(cas128, 0, 0, own_cas128)
    OWN(load128_atomic, 0, 0, own_load128)
    OWN(store128_atomic, 0, 0, own_store128)
};
const unsigned rules_mem_n = LEN(rules_mem);
