/* rules_softmmu.c - guest memory in system mode: every access looks the TLB up inline.
 *
 * The check, for an access of n bytes at va (t1, t2: temporaries):
 *     lea  t1, va
 *     rorx t2, t1, 12 - 4;  and t2, (TLB_SIZE - 1) << 4;  add t2, [cpu.tlb]     the entry
 *     xor  t1, [t2 + tag];  cmp t1, 4096 - n;  ja slow                          offset in the page, if it is the right one
 *     add  t1, [t2 + host]
 * and t1 is the host address. `slow` makes va anew and calls a thunk, which finds or makes the address in another way (the second way of the TLB,
 * SoftMmu.fill, then .access), or leaves with the guest's exception; the fault table has an entry at its return address. Every register survives it.
 * After a slow store, soft_commit is called. Flags are never in EFLAGS here, because the check destroys them.
 * Loops of the lowest level of privilege look at CpuHead.near first (near_address), and do all this out of line. Loads of integers there look at CpuHead.hot before
 * that: a copy of the entry that such a load used last. RNEAR holds its `add` whenever its tag is that of a page, so that the load waits for no other.
 * Stores look there, too, where the page may be written to (hot.write_tag). Only loads change it.
 */
#include "rules_mem.h"

enum { ENTRY_BITS = 4, FRAME_XMM = 64, FRAME_BYTES = FRAME_XMM + 16 * 16 };
/* What follows the call of a thunk for CpuHead.near, as the operand of a `test eax`: the page's size less the access's, its size, its entry. */
enum { X_TEST_EAX = 0xa9, NEAR_SIZE_SHIFT = 12, NEAR_INDEX_SHIFT = 16, NEAR_ENTRY_SHIFT = 5, NEAR_GROUP_SHIFT = 9 };
_Static_assert(sizeof(NearEntry) == 1 << NEAR_ENTRY_SHIFT && NEAR_GROUP << NEAR_ENTRY_SHIFT == 1 << NEAR_GROUP_SHIFT, "the thunks' shifts");
_Static_assert(sizeof(TlbEntry) == 1 << ENTRY_BITS, "the check's shift");

/* Of the use's table; what may be written may be read. */
static int32_t table_offset(unsigned acc)
{
    return (acc & ACC_WRITE ? TLB_WRITE : TLB_READ) << (TLB_BITS + ENTRY_BITS);
}

static void address_to(Asm *a, Reg t, Mem m)
{
    if (m.index == NOREG && !m.disp) {
        x_mov_rr(a, 1, t, m.base);
    } else {
        x_lea(a, 1, t, m);
    }
}

/* Of an address only what was made of its registers (but keep) counts from here on. */
static void unlock(Lower *l, Mem m, Reg keep)
{
    for (unsigned k = 0; k < 2; k++) {
        Reg r = k ? m.index : m.base;
        if (r < 16 && r != keep) {
            l->lock &= ~bit(r);
        }
    }
}

/* The check for an access at m, whose registers (but keep) may be given up afterwards: the host address. *s: the slow path, linked to go on
 * right after the check. */
static Reg host_address(Lower *l, Mem m, unsigned acc, Reg t1, Reg keep, Stub **stub)
{
    Asm *a = &l->a;
    t1 = t1 == NOREG ? l_temp(l) : t1;
    address_to(a, t1, m);
    unlock(l, m, keep);
    uint64_t lock = l->lock;
    Reg t2 = l_temp(l);
    x_rorx_rri(a, 1, t2, t1, TLB_PAGE_BITS - ENTRY_BITS);
    x_alu_ri(a, 0, ALU_AND, t2, ((1 << TLB_BITS) - 1) << ENTRY_BITS);
    x_add_rm(a, 1, t2, l_head(l, acc & ACC_UNPRIV ? offsetof(CpuHead, tlb_unpriv) : offsetof(CpuHead, tlb)));
    x_xor_rm(a, 1, t1, mem(t2, table_offset(acc) + (int32_t)offsetof(TlbEntry, tag)));
    x_alu_ri(a, 1, ALU_CMP, t1, (1 << TLB_PAGE_BITS) - (1 << (acc & ACC_SIZE)));
    l_fault(l);
    Stub *s = l_stub(l, STUB_SOFT);
    s->from = l->r->key & l->e->fe->watch_key ? x_jmp(a) : x_jcc(a, CC_A);
    s->reg = t1;
    s->reg2 = t2;
    s->imm = (int32_t)acc;
    s->fault = l->faults[--l->nfaults];
    x_add_rm(a, 1, t1, mem(t2, table_offset(acc) + (int32_t)offsetof(TlbEntry, host)));
    s->back = a->p;
    l->lock = lock; /* t2 is free again */
    *stub = s;
    return t1;
}

/* Should an access that the program may make often, and in one page, look at CpuHead.near first? Loops of the lowest level of privilege:
 * elsewhere it would miss too often. */
static bool is_near(Lower *l, const IrIns *in, unsigned acc)
{
    const Frontend *fe = l->e->fe;
    return fe->level_key && !(l->r->key & (fe->level_key | fe->watch_key)) && (acc & ACC_SIZE) <= M128 && !(acc & ACC_UNPRIV) &&
           in->ty != F16 && l->r->loops && !soft_is_far(l->e, NEAR_MISSED, l->guest_pc);
}

static bool of_stack(const Lower *l, const IrIns *in)
{
    const IrIns *base = l_ins(l, in->a);
    return base->op == OP_get && base->x == l->e->fe->sp_slot;
}

/* Should it look at CpuHead.hot before that? Loads of integers, on which branches depend; not those of the stack, which would take turns with
 * all others. */
static bool is_hot_load(const Lower *l, const IrIns *in)
{
    return (in->ty == I32 || in->ty == I64) && !of_stack(l, in) && !soft_is_far(l->e, NEAR_TURNED, l->guest_pc);
}

/* Stores beside such loads, which have made `hot` the page of something. */
static bool is_hot_store(const Lower *l, const IrIns *in)
{
    for (IrRef i = 0; i < l->r->n && !of_stack(l, in); i++) {
        if (l_ins(l, i)->op == OP_load && is_hot_load(l, l_ins(l, i))) {
            return true;
        }
    }
    return false;
}

static Mem near_field(const Lower *l, unsigned acc, unsigned k, size_t field)
{
    return l_head(l, offsetof(CpuHead, near) + sizeof(NearEntry) * ((acc & ACC_WRITE ? NEAR_ENTRIES : 0) + k) + field);
}

/* The check by an entry of CpuHead.near, or by CpuHead.hot: where the bytes are. */
static Mem near_address(Lower *l, Mem m, unsigned acc, bool hot, Reg keep, Stub **stub)
{
    Asm *a = &l->a;
    Reg t = l_temp(l);
    bool indexed = m.index != NOREG;
    address_to(a, t, m);
    if (indexed) {
        unlock(l, m, keep);
    }
    uint64_t lock = l->lock;
    Reg t2 = l_temp(l);
    if (indexed) {
        x_mov_rr(a, 1, t2, t);
    }
    x_alu_ri(a, 1, ALU_AND, indexed ? t2 : t, NEAR_TAG_MASK(1 << (acc & ACC_SIZE)));
    Mem shared = l_head(l, acc & ACC_WRITE ? offsetof(CpuHead, hot.write_tag) : offsetof(CpuHead, hot.tag));
    x_cmp_rm(a, 1, indexed ? t2 : t, hot ? shared : near_field(l, acc, near_index(l->guest_pc), offsetof(NearEntry, tag)));
    l_fault(l);
    Stub *s = l_stub(l, STUB_SOFT);
    s->from = x_jcc(a, CC_NE);
    s->near = true;
    s->hot = hot;
    s->reg = t;
    s->reg2 = t2;
    s->m = m;
    s->imm = (int32_t)acc;
    s->k = (int32_t)near_index(l->guest_pc);
    s->fault = l->faults[--l->nfaults];
    Mem add = near_field(l, acc, near_index(l->guest_pc), offsetof(NearEntry, add));
    if (hot && indexed) {
        m = mem(t, 0);
        m.index = RNEAR;
    } else if (hot) {
        m.index = RNEAR;
        m.scale = 0;
    } else if (indexed) {
        x_add_rm(a, 1, t, add);
        m = mem(t, 0);
    } else {
        x_mov_rm(a, 1, t, add);
        m.index = t;
        m.scale = 0;
    }
    s->access = s->back = a->p;
    l->lock = lock; /* t2 is free again */
    *stub = s;
    return m;
}

static unsigned access_of(const IrIns *in, unsigned what)
{
    return (in->x & MEM_SIZE_MASK) | what | (in->y & MEM_UNPRIV ? ACC_UNPRIV : 0) | (in->x == M512 ? ACC_CACHE : 0);
}

static void begin(Lower *l)
{
    l_clobber(l);
    l->ef = 0;
}

static void soft_load(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    if (in->y & MEM_HOST) {
        mem_load(l, i);
        return;
    }
    begin(l);
    Stub *s;
    Mem m = l_addr(l, in);
    IrType ty = (IrType)in->ty;
    if (is_near(l, in, access_of(in, ACC_READ))) {
        m = near_address(l, m, access_of(in, ACC_READ), is_hot_load(l, in), NOREG, &s);
        Reg d = l_dst(l, i, false);
        mem_load_from(l, in, d, m);
        l_def(l, i, d, true);
        return;
    }
    Reg t = host_address(l, m, access_of(in, ACC_READ), NOREG, NOREG, &s);
    if (ty == F16) {
        Reg d = l_dst(l, i, true);
        x_movzx16_rm(a, 0, t, mem(t, 0));
        x_vmovd_rr(a, d, t);
        l_def(l, i, d, true);
        return;
    }
    Reg d = l->val[i].hint == NOSLOT && ty != F32 && ty != F64 && ty != TV128 ? t : l_dst(l, i, false);
    mem_load_from(l, in, d, mem(t, 0));
    l_def(l, i, d, true);
}

/* The store itself, from register r (a general one, a vector, or none: the constant k). */
static void store_to(Asm *a, unsigned size, Reg r, int32_t k, Mem m)
{
    if (r == NOREG) {
        switch (size) {
        case M8: x_mov_mi8(a, m, (uint8_t)k); break;
        case M16: x_mov_mi16(a, m, (uint16_t)k); break;
        case M32: x_mov_mi(a, 0, m, k); break;
        default: x_mov_mi(a, 1, m, k); break;
        }
    } else if (reg_is_xmm(r)) {
        switch (size) {
        case M32: x_vmovss_st_rm(a, r, m); break;
        case M64: x_vmovsd_st_rm(a, r, m); break;
        case M128: x_vmovups_to_rm(a, r, m); break;
        default:
            for (int k = 0; k < 64; k += 16) {
                x_vmovups_to_rm(a, r, mem(m.base, m.disp + k));
            }
        }
    } else {
        switch (size) {
        case M8: x_store8(a, r, m); break;
        case M16: x_store16_rm(a, 0, r, m); break;
        case M32: x_store_rm(a, 0, r, m); break;
        default: x_store_rm(a, 1, r, m); break;
        }
    }
}

static void store_at(Lower *l, Mem m, unsigned acc, Reg r, int32_t k, bool near, bool hot)
{
    Stub *s;
    Mem to = near ? near_address(l, m, acc, hot, r, &s) : mem(host_address(l, m, acc, NOREG, r, &s), 0);
    s->store = true;
    s->data = r;
    s->value = k;
    store_to(&l->a, acc & ACC_SIZE, r, k, to);
    s->back = l->a.p; /* the slow path has its own store */
}

static void soft_store(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Asm *a = &l->a;
    if (in->y & MEM_HOST) {
        mem_store(l, i);
        return;
    }
    IrType ty = ir_result_type(l_ins(l, in->c));
    unsigned size = in->x & MEM_SIZE_MASK;
    begin(l);
    Reg r = NOREG;
    int32_t k = 0;
    uint64_t v = l_is_const(l, in->c) ? ir_imm64(l_ins(l, in->c)) : 0;
    if (l_is_const(l, in->c) && l->val[in->c].reg == NOREG && (ty == I32 || ty == I64) && (size != M64 || (int64_t)v == (int32_t)v)) {
        k = (int32_t)v;
    } else {
        r = l_reg(l, in->c);
    }
    if (size == M16 && reg_is_xmm(r)) {
        Reg t = l_temp(l);
        x_vpextrw_rri(a, r, t, 0);
        r = t;
    }
    unsigned acc = access_of(in, ACC_WRITE);
    bool near = is_near(l, in, acc);
    store_at(l, l_addr(l, in), acc, r, k, near, near && is_hot_store(l, in));
    if (in->y & MEM_RELEASE) {
        mem_fence(l);
    }
}

static void soft_prefetch(Lower *l, IrRef i)
{
    (void)l;
    (void)i;
}

static void soft_cas(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    Stub *s;
    begin(l);
    l_fix(l, RAX);
    Reg t = host_address(l, mem(l_reg(l, in->a), 0), access_of(in, ACC_READ | ACC_WRITE | ACC_ATOMIC), NOREG, NOREG, &s);
    mem_cas_at(l, i, mem(t, 0));
}

static void soft_rmw(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    unsigned acc = (in->x & MEM_SIZE_MASK) | ACC_READ | ACC_WRITE | ACC_ATOMIC; /* .y is the operation */
    Stub *s;
    begin(l);
    if (mem_rmw_loops(in)) {
        l_fix(l, RAX);
    }
    Reg t = host_address(l, mem(l_reg(l, in->a), 0), acc, NOREG, NOREG, &s);
    mem_rmw_at(l, i, mem(t, 0));
}

static void soft_cas128(Lower *l, IrRef i)
{
    Stub *s;
    begin(l);
    l_fix(l, RSI);
    host_address(l, mem(l_reg(l, l_ins(l, i)->a), 0), M128 | ACC_READ | ACC_WRITE | ACC_ATOMIC, RSI, NOREG, &s);
    mem_cas128_at(l, i, RSI);
}

static void soft_load128(Lower *l, IrRef i)
{
    Stub *s;
    begin(l);
    Reg t = host_address(l, mem(l_reg(l, l_ins(l, i)->a), 0), M128 | ACC_READ, NOREG, NOREG, &s), d = l_dst(l, i, false);
    x_vmovdqa_rm(&l->a, d, mem(t, 0));
    l_def(l, i, d, true);
}

static void soft_store128(Lower *l, IrRef i)
{
    const IrIns *in = l_ins(l, i);
    begin(l);
    Reg r = l_reg(l, in->b);
    store_at(l, mem(l_reg(l, in->a), 0), M128 | ACC_WRITE, r, 0, false, false);
}

const Rule rules_softmmu[] = {
    OWN(load, 0, 0, soft_load)
    OWN(store, 0, 0, soft_store)
    OWN(prefetch, 0, 0, soft_prefetch)
    OWN(cas, 0, 0, soft_cas)
    OWN(rmw, 0, 0, soft_rmw)
    OWN(cas128, 0, 0, soft_cas128)
    OWN(load128_atomic, 0, 0, soft_load128)
    OWN(store128_atomic, 0, 0, soft_store128)
};
const unsigned rules_softmmu_n = LEN(rules_softmmu);

/* -- slow paths ------------------------------------------------------------------------------------------------- */

/* Who leaves from here finds the access's fault at this address. */
static void enter_fault(Lower *l, const Stub *s)
{
    if (l->nfaults >= LEN(l->faults)) {
        l->too_big = true;
        return;
    }
    Fault *f = &l->faults[l->nfaults++];
    *f = s->fault;
    f->off = (uint32_t)(l->a.p - l->a.base);
}

static void call_slow(Lower *l, const Stub *s, const void *thunk)
{
    x_call_abs(&l->a, thunk);
    enter_fault(l, s);
}

/* The store, to where scratch[0] says, and its commit if it wants one. From `found`: to s->reg. */
static void slow_store(Lower *l, const Stub *s, uint8_t *found)
{
    Asm *a = &l->a;
    x_mov_rm(a, 1, s->reg, l_head(l, offsetof(CpuHead, scratch)));
    if (found) {
        asm_link(found, a->p);
    }
    store_to(a, (unsigned)s->imm & ACC_SIZE, s->data, s->value, mem(s->reg, 0));
    call_slow(l, s, l->t->soft_commit);
    asm_link(x_jmp(a), s->back);
}

/* The call of a thunk, and the jump to where to go on when it found the page; otherwise it goes on behind that, with scratch[0]. */
static uint8_t *call_near(Lower *l, const Stub *s, NearKind kind)
{
    Asm *a = &l->a;
    unsigned size = (unsigned)s->imm & ACC_SIZE;
    x_call_abs(a, l->t->soft_near[s->reg][kind]);
    x_byte(a, X_TEST_EAX);
    put32(a, (4096u - (1u << size)) | size << NEAR_SIZE_SHIFT | (uint32_t)s->k << NEAR_INDEX_SHIFT);
    uint8_t *found = x_jmp(a);
    enter_fault(l, s);
    return found;
}

/* The page is another one than that of CpuHead.hot: `hot` becomes the access's entry, if that is of the page. The tag is in `tested`.
 * Else goes to what is returned. */
static void near_turn(Lower *l, const Stub *s, Reg tested, uint8_t *miss[2])
{
    Asm *a = &l->a;
    unsigned acc = (unsigned)s->imm, k = (unsigned)s->k;
    x_cmp_rm(a, 1, tested, near_field(l, acc, k, offsetof(NearEntry, tag)));
    miss[0] = x_jcc8(a, CC_NE);
    x_alu_mi(a, 0, ALU_SUB, near_field(l, acc, k, offsetof(NearEntry, left[NEAR_TURNED])), 1);
    miss[1] = x_jcc8(a, CC_S);
    x_store_rm(a, 1, tested, l_head(l, offsetof(CpuHead, hot.tag)));
    x_mov_rm(a, 1, RNEAR, near_field(l, acc, k, offsetof(NearEntry, add)));
    x_mov_rm(a, 1, tested, near_field(l, acc, k, offsetof(NearEntry, write_tag)));
    x_store_rm(a, 1, tested, l_head(l, offsetof(CpuHead, hot.write_tag)));
    asm_link(x_jmp(a), s->access);
}

/* The same for a store, which leaves `hot` as it is. */
static void near_store(Lower *l, const Stub *s, Reg tested)
{
    Asm *a = &l->a;
    unsigned acc = (unsigned)s->imm, k = (unsigned)s->k;
    Mem m = s->m.index != NOREG ? mem(s->reg, 0) : s->m;
    x_cmp_rm(a, 1, tested, near_field(l, acc, k, offsetof(NearEntry, tag)));
    uint8_t *miss = x_jcc8(a, CC_NE);
    x_mov_rm(a, 1, tested, near_field(l, acc, k, offsetof(NearEntry, add)));
    m.index = tested;
    m.scale = 0;
    store_to(a, acc & ACC_SIZE, s->data, s->value, m);
    asm_link(x_jmp(a), s->back);
    asm_link8(miss, a->p);
}

/* The slow path of a check by CpuHead.near. */
static void near_stub(Lower *l, const Stub *s)
{
    Asm *a = &l->a;
    bool indexed = s->m.index != NOREG;
    NearKind kind = s->store ? indexed || s->hot ? NEAR_WRITE_HOST : NEAR_WRITE_ADD : s->hot ? NEAR_HOT : indexed ? NEAR_HOST : NEAR_ADD;
    if (s->hot && s->store) {
        near_store(l, s, indexed ? s->reg2 : s->reg);
    } else if (s->hot) {
        uint8_t *miss[2];
        near_turn(l, s, indexed ? s->reg2 : s->reg, miss);
        asm_link8(miss[0], a->p);
        asm_link8(miss[1], a->p);
    }
    if (!indexed) {
        address_to(a, s->reg, s->m);
    }
    uint8_t *found = call_near(l, s, kind);
    if (s->hot && s->store) {
        slow_store(l, s, found);
        return;
    }
    asm_link(found, s->access);
    if (s->store) {
        slow_store(l, s, NULL);
    } else {
        x_call_abs(a, l->t->soft_near_done[s->reg][kind]);
        asm_link(x_jmp(a), s->access);
    }
}

void soft_stub(Lower *l, const Stub *s)
{
    Asm *a = &l->a;
    if (s->near) {
        near_stub(l, s);
        return;
    }
    x_xor_rm(a, 1, s->reg, mem(s->reg2, table_offset((unsigned)s->imm) + (int32_t)offsetof(TlbEntry, tag)));
    x_store_rm(a, 1, s->reg, l_head(l, offsetof(CpuHead, scratch)));
    x_mov_mi(a, 0, l_head(l, offsetof(CpuHead, scratch) + 8), s->imm | (s->imm & ACC_WRITE && !s->store ? ACC_DEFER : 0));
    bool watched = l->r->key & l->e->fe->watch_key;
    call_slow(l, s, watched ? l->t->soft_slow : l->t->soft_second[!!(s->imm & ACC_UNPRIV)][!!(s->imm & ACC_WRITE)]);
    if (s->store) {
        slow_store(l, s, NULL);
    } else {
        x_mov_rm(a, 1, s->reg, l_head(l, offsetof(CpuHead, scratch)));
        asm_link(x_jmp(a), s->back);
    }
}

/* What the thunks call with all state saved. scratch[1] = 1 afterwards: a store wants its commit. */
static void *slow(CpuHead *cpu)
{
    void *p = cpu->soft->access(cpu, cpu->scratch[0], (uint32_t)cpu->scratch[1]);
    cpu->scratch[1] = 1;
    return p;
}

static void *near_missed(CpuHead *cpu)
{
    void *p = soft_near_missed(cpu);
    cpu->scratch[1] = 1;
    return p;
}

static void *commit(CpuHead *cpu)
{
    cpu->soft->commit(cpu);
    return NULL;
}

/* Temporaries, which no slot holds: on the C stack meanwhile. */
static void move_temps(Asm *a, const Target *t, bool save)
{
    unsigned n = 0, x = 0;
    for (uint64_t m = t->temps; m; m &= m - 1) {
        Reg r = (Reg)__builtin_ctzll(m);
        Mem p = reg_is_xmm(r) ? mem(RSP, FRAME_XMM + 16 * (int32_t)x++) : mem(RSP, 8 * (int32_t)n++);
        if (reg_is_xmm(r)) {
            save ? x_vmovups_to_rm(a, r, p) : x_vmovups_rm(a, r, p);
        } else {
            save ? x_store_rm(a, 1, r, p) : x_mov_rm(a, 1, r, p);
        }
    }
}

static Mem head(size_t offset)
{
    return mem(RSTATE, (int32_t)offset - STATE_BIAS);
}
#define HEAD(field) head(offsetof(CpuHead, field))

/* Calls fn(cpu), which may be any C code, from the return stack; every register survives. scratch[0] = its result. */
static void full_call(Asm *a, const Target *t, void *(*fn)(CpuHead *))
{
    abi_move_pins(a, t, true);
    x_store_rm(a, 1, RSP, HEAD(ret_sp));
    x_mov_rm(a, 1, RSP, HEAD(host_sp));
    x_alu_ri(a, 1, ALU_SUB, RSP, FRAME_BYTES);
    move_temps(a, t, true);
    x_store_rm(a, 1, RSP, head(offsetof(CpuHead, scratch) + 16));
    x_stmxcsr_m(a, 0, HEAD(guest_mxcsr));
    x_ldmxcsr_m(a, 0, HEAD(host_mxcsr));
    x_mov_mi(a, 0, HEAD(in_helper), IN_SOFT);
    x_lea(a, 1, RDI, head(0));
    x_mov_ri(a, RAX, (uint64_t)(uintptr_t)fn);
    x_call_r(a, 0, RAX);
    x_mov_mi(a, 0, HEAD(in_helper), 0);
    x_ldmxcsr_m(a, 0, HEAD(guest_mxcsr));
    x_store_rm(a, 1, RAX, HEAD(scratch));
    move_temps(a, t, false);
    x_mov_rm(a, 1, RSP, HEAD(ret_sp));
    abi_move_pins(a, t, false);
    x_byte(a, X_RET);
}

/* First SoftMmu.fill, for which only the general registers that C may change are saved. */
static void make_slow(Asm *a, Target *t, const SoftMmu *soft)
{
    static const Reg list[] = {RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11, RBX}; /* the last one for the stack's alignment */
    if (C_SPOILS_VECTORS) {
        full_call(a, t, slow);
        return;
    }
    x_store_rm(a, 1, RSP, HEAD(ret_sp));
    x_mov_rm(a, 1, RSP, HEAD(host_sp));
    for (unsigned k = 0; k < LEN(list); k++) {
        x_push_r(a, 0, list[k]);
    }
    x_lea(a, 1, RDI, head(0));
    x_mov_rm(a, 1, RSI, HEAD(scratch));
    x_mov_rm(a, 0, RDX, head(offsetof(CpuHead, scratch) + 8));
    x_mov_ri(a, RAX, (uint64_t)(uintptr_t)soft->fill);
    x_call_r(a, 0, RAX);
    x_test_rr(a, 1, RAX, RAX);
    uint8_t *full = x_jcc(a, CC_E);
    x_store_rm(a, 1, RAX, HEAD(scratch));
    x_mov_mi(a, 0, head(offsetof(CpuHead, scratch) + 8), 0);
    for (unsigned k = LEN(list); k--;) {
        x_pop_r(a, 0, list[k]);
    }
    x_mov_rm(a, 1, RSP, HEAD(ret_sp));
    x_byte(a, X_RET);
    asm_link(full, a->p);
    for (unsigned k = LEN(list); k--;) {
        x_pop_r(a, 0, list[k]);
    }
    x_mov_rm(a, 1, RSP, HEAD(ret_sp));
    full_call(a, t, slow);
}

/* The same after a look at the TLB's second way; a hit there is exchanged with the first. Accesses to the page's end are left to
 * SoftMmu.fill, which looks there too. */
static void make_second(Asm *a, const Target *t, uint32_t acc)
{
    static const Reg saved[] = {RAX, RCX, RDX};
    Mem address = HEAD(scratch);
    int32_t tag = table_offset(acc) + (int32_t)offsetof(TlbEntry, tag), host = table_offset(acc) + (int32_t)offsetof(TlbEntry, host);
    int32_t way = TLB_USES << (TLB_BITS + ENTRY_BITS);
    for (size_t k = 0; k < LEN(saved); k++) {
        x_store_rm(a, 1, saved[k], head(offsetof(CpuHead, scratch[3]) + 8 * k));
    }
    x_mov_rm(a, 1, RAX, address);
    x_rorx_rri(a, 1, RCX, RAX, TLB_PAGE_BITS - ENTRY_BITS);
    x_alu_ri(a, 0, ALU_AND, RCX, ((1 << TLB_BITS) - 1) << ENTRY_BITS);
    x_add_rm(a, 1, RCX, acc & ACC_UNPRIV ? HEAD(tlb_unpriv) : HEAD(tlb));
    x_mov_rm(a, 1, RDX, mem(RCX, way + tag));
    x_xor_rr(a, 1, RAX, RDX);
    x_alu_ri(a, 1, ALU_CMP, RAX, (1 << TLB_PAGE_BITS) - 64);
    uint8_t *other = x_jcc(a, CC_A);
    x_add_rm(a, 1, RAX, mem(RCX, way + host));
    x_store_rm(a, 1, RAX, address);
    x_mov_mi(a, 0, head(offsetof(CpuHead, scratch[1])), 0);
    x_mov_rm(a, 1, RAX, mem(RCX, tag));
    x_store_rm(a, 1, RAX, mem(RCX, way + tag));
    x_store_rm(a, 1, RDX, mem(RCX, tag));
    x_mov_rm(a, 1, RAX, mem(RCX, host));
    x_mov_rm(a, 1, RDX, mem(RCX, way + host));
    x_store_rm(a, 1, RAX, mem(RCX, way + host));
    x_store_rm(a, 1, RDX, mem(RCX, host));
    for (int hit = 1; hit >= 0; hit--) {
        for (size_t k = 0; k < LEN(saved); k++) {
            x_mov_rm(a, 1, saved[k], head(offsetof(CpuHead, scratch[3]) + 8 * k));
        }
        if (hit) {
            x_byte(a, X_RET);
            asm_link(other, a->p);
        }
    }
    x_jmp_abs(a, t->soft_slow);
}

/* CpuHead.near missed: fills the access's entry by the TLB's first way and returns, or goes to a slow path that returns behind the jump
 * that follows the call. Between the two are five bytes of which four say what is accessed (call_near). The address is in r, and what
 * the kind says afterwards; all other registers stay. */
typedef struct NearThunk {
    Asm *a;
    const Target *t;
    Reg r, u, v, w;
    NearKind kind;
    bool write;
} NearThunk;

static void near_save(const NearThunk *n, bool save)
{
    Reg list[] = {n->u, n->v, n->w};
    for (size_t k = 0; k < LEN(list); k++) {
        Mem m = head(offsetof(CpuHead, scratch[3]) + 8 * k);
        save ? x_store_rm(n->a, 1, list[k], m) : x_mov_rm(n->a, 1, list[k], m);
    }
}

static void near_return(const NearThunk *n)
{
    if (n->kind == NEAR_WRITE_HOST) {
        x_mov_mi(n->a, 0, head(offsetof(CpuHead, scratch[1])), 0); /* no commit */
    }
    near_save(n, false);
    x_byte(n->a, X_RET);
}

static void near_what(const NearThunk *n)
{
    x_mov_rm(n->a, 1, n->v, mem(RSP, 0));
    x_mov_rm(n->a, 0, n->v, mem(n->v, 1));
}

static void empty_hot(Asm *a)
{
    x_mov_mi(a, 1, HEAD(hot.tag), NEAR_EMPTY);
    x_mov_mi(a, 1, HEAD(hot.write_tag), NEAR_EMPTY);
}

/* With the host address in r: an access whose page no entry has. */
static void near_once(const NearThunk *n)
{
    Asm *a = n->a;
    if (n->kind == NEAR_HOT) {
        x_mov_rr(a, 1, RNEAR, n->r);
        x_mov_rm(a, 1, n->r, HEAD(near_address));
        x_sub_rr(a, 1, RNEAR, n->r);
        empty_hot(a);
    } else if (n->kind == NEAR_ADD || n->kind == NEAR_WRITE_ADD) {
        x_sub_rm(a, 1, n->r, HEAD(near_address));
    }
}

/* To a slow path, with v = what is accessed. */
static void near_slow(const NearThunk *n, const uint8_t *path)
{
    Asm *a = n->a;
    x_mov_rm(a, 1, n->r, HEAD(near_address));
    x_store_rm(a, 1, n->r, HEAD(scratch));
    x_shr_ri(a, 0, n->v, NEAR_SIZE_SHIFT);
    x_alu_ri(a, 0, ALU_AND, n->v, ACC_SIZE);
    x_alu_ri(a, 0, ALU_OR, n->v, n->write ? ACC_WRITE : ACC_READ);
    x_store_rm(a, 0, n->v, head(offsetof(CpuHead, scratch[1])));
    x_alu_mi(a, 1, ALU_ADD, mem(RSP, 0), 10);
    near_save(n, false);
    x_jmp_abs(a, path);
}

/* The entry, at the displacement u, with w = the TLB's, becomes that. */
static void near_fill(const NearThunk *n, int32_t entry, int32_t tag)
{
    Asm *a = n->a;
    Mem to = {RSTATE, n->u, 0, entry - STATE_BIAS, 0}, used = to;
    x_mov_rm(a, 1, n->r, mem(n->w, tag));
    x_store_rm(a, 1, n->r, to);
    if (!n->write) {
        Mem write_tag = to;
        write_tag.disp += (int32_t)offsetof(NearEntry, write_tag);
        x_mov_ri(a, n->v, NEAR_EMPTY);
        x_cmp_rm(a, 1, n->r, mem(n->w, tag + table_offset(ACC_WRITE) - table_offset(ACC_READ)));
        x_cmov_rr(a, 1, CC_E, n->v, n->r);
        x_store_rm(a, 1, n->v, write_tag);
        if (n->kind != NEAR_HOT) { /* it may be a copy of what was there (forget_writable) */
            empty_hot(a);
        }
    }
    x_mov_rm(a, 1, n->w, mem(n->w, tag + (int32_t)offsetof(TlbEntry, host) - (int32_t)offsetof(TlbEntry, tag)));
    if (n->kind == NEAR_HOT) {
        x_store_rm(a, 1, n->r, HEAD(hot.tag));
        x_store_rm(a, 1, n->v, HEAD(hot.write_tag));
    }
    x_sub_rr(a, 1, n->w, n->r);
    to.disp += (int32_t)offsetof(NearEntry, add);
    x_store_rm(a, 1, n->w, to);
    x_shr_ri(a, 0, n->u, NEAR_GROUP_SHIFT);
    used.disp = (int32_t)offsetof(CpuHead, near_used[n->write]) - STATE_BIAS;
    x_mov_mi8(a, used, 1);
    if (n->kind == NEAR_ADD || n->kind == NEAR_WRITE_ADD) {
        x_mov_rr(a, 1, n->r, n->w);
        return;
    }
    x_mov_rm(a, 1, n->r, HEAD(near_address));
    if (n->kind == NEAR_HOT) {
        x_mov_rr(a, 1, RNEAR, n->w);
    } else {
        x_add_rr(a, 1, n->r, n->w);
    }
}

static void make_near(const NearThunk *n)
{
    Asm *a = n->a;
    int32_t tag = table_offset(n->write ? ACC_WRITE : ACC_READ) + (int32_t)offsetof(TlbEntry, tag);
    Mem left = {RSTATE, n->u, 0, (int32_t)offsetof(CpuHead, near[n->write]) - STATE_BIAS, 0};
    left.disp += (int32_t)offsetof(NearEntry, left[NEAR_MISSED]);
    x_store_rm(a, 1, n->r, HEAD(near_address));
    near_save(n, true);
    near_what(n);
    x_mov_rr(a, 0, n->u, n->v);
    x_shr_ri(a, 0, n->u, NEAR_INDEX_SHIFT - NEAR_ENTRY_SHIFT);
    x_alu_ri(a, 0, ALU_AND, n->u, (NEAR_ENTRIES - 1) << NEAR_ENTRY_SHIFT);
    x_alu_mi(a, 0, ALU_SUB, left, 1);
    uint8_t *many[2] = {x_jcc(a, CC_S), NULL};
    if (n->kind == NEAR_HOT) {
        left.disp += (int32_t)sizeof(int32_t) * (NEAR_TURNED - NEAR_MISSED);
        x_alu_mi(a, 0, ALU_CMP, left, 0);
        many[1] = x_jcc(a, CC_S);
    }
    x_rorx_rri(a, 1, n->w, n->r, TLB_PAGE_BITS - ENTRY_BITS);
    x_alu_ri(a, 0, ALU_AND, n->w, ((1 << TLB_BITS) - 1) << ENTRY_BITS);
    x_add_rm(a, 1, n->w, HEAD(tlb));
    x_xor_rm(a, 1, n->r, mem(n->w, tag));
    x_alu_ri(a, 0, ALU_AND, n->v, 4095); /* the page's size less the access's */
    x_cmp_rr(a, 1, n->r, n->v);
    uint8_t *other = x_jcc(a, CC_A);
    x_alu_ri(a, 0, ALU_XOR, n->v, 4095);
    x_test_rr(a, 0, n->r, n->v);
    uint8_t *unaligned = x_jcc(a, CC_NE);
    near_fill(n, (int32_t)offsetof(CpuHead, near[n->write]), tag);
    near_return(n);
    asm_link(unaligned, a->p);
    x_add_rm(a, 1, n->r, mem(n->w, tag + (int32_t)offsetof(TlbEntry, host) - (int32_t)offsetof(TlbEntry, tag)));
    near_once(n);
    near_return(n);
    asm_link(other, a->p);
    near_what(n);
    near_slow(n, n->t->soft_second[0][n->write]);
    asm_link(many[0], a->p);
    if (many[1]) {
        asm_link(many[1], a->p);
    }
    x_shr_ri(a, 0, n->u, NEAR_ENTRY_SHIFT);
    x_store_rm(a, 1, n->u, HEAD(near_slot));
    near_slow(n, n->t->soft_missed);
}

static uint8_t *here(Asm *a)
{
    while ((uintptr_t)a->p & 15) {
        put8(a, X_INT3);
    }
    return asm_rx(a, a->p);
}

static void near_thunks(Asm *a, Target *t)
{
    for (Reg r = 0; r < 16; r++) {
        NearThunk n = {a, t, r, 0, 0, 0, 0, false};
        uint64_t others = t->temps & 0xffff & ~bit(r);
        if (!(t->temps & bit(r))) {
            continue;
        }
        n.u = (Reg)__builtin_ctzll(others);
        others &= others - 1;
        n.v = (Reg)__builtin_ctzll(others);
        others &= others - 1;
        n.w = (Reg)__builtin_ctzll(others);
        for (n.kind = 0; n.kind < NEAR_KINDS; n.kind++) {
            n.write = n.kind == NEAR_WRITE_ADD || n.kind == NEAR_WRITE_HOST;
            t->soft_near[r][n.kind] = here(a);
            make_near(&n);
            if (!n.write) {
                t->soft_near_done[r][n.kind] = here(a);
                x_mov_rm(a, 1, r, HEAD(scratch));
                near_once(&n);
                x_byte(a, X_RET);
            }
        }
    }
}

void soft_thunks(Asm *a, Target *t, const SoftMmu *soft)
{
    t->soft_slow = here(a);
    make_slow(a, t, soft);
    for (unsigned k = 0; k < 4; k++) {
        t->soft_second[k / 2][k % 2] = here(a);
        make_second(a, t, (k / 2 ? ACC_UNPRIV : 0) | (k % 2 ? ACC_WRITE : ACC_READ));
    }
    t->soft_commit = here(a);
    x_alu_mi(a, 0, ALU_CMP, head(offsetof(CpuHead, scratch[1])), 0);
    uint8_t *wanted = x_jcc8(a, CC_NE);
    x_byte(a, X_RET);
    asm_link8(wanted, a->p);
    full_call(a, t, commit);
    t->soft_missed = here(a);
    full_call(a, t, near_missed);
    near_thunks(a, t);
    t->soft_far = here(a);
    exit_probe_jump(a, t);
}

uint64_t soft_saved(const CpuHead *cpu, const Target *t, Reg r)
{
    const uint64_t *frame = (const uint64_t *)(uintptr_t)cpu->scratch[2];
    return frame[__builtin_popcountll(t->temps & (((uint64_t)1 << r) - 1))];
}
