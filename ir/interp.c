/* interp.c - the reference interpreter of IR regions: the oracle, the host without a JIT, and what redoes an
 * instruction after an FP trap.
 *
 * Every op's result is a V128 in scratch[ref]: integers zero-extended to 64 bits, FP scalars as bits, flags in
 * packed form (base.h). Scratch 0 is zero, so an absent operand reads as 0. Ops with EVAL go to their
 * evaluation function, everything else is in the switch of its group below. Only integer instructions are
 * used, and no memory but the CPU structure, the guest's and scratch (ir/interp.h says what callers rely on).
 * To add an op without EVAL: a case in the group's switch.
 */
#include <ffi.h>

#include "interp.h"
#include "softfloat.h"

__extension__ typedef unsigned __int128 U128;

typedef struct Run {
    const Frontend *fe;
    const IrRegion *r;
    CpuHead *cpu;
    V128 *v;
    uint64_t base; /* guest address + base = host address */
    uint64_t pc;   /* of the current guest instruction */
} Run;

size_t ir_interp_bytes(uint32_t n)
{
    return sizeof(V128) * (size_t)n;
}

static inline unsigned width_of(IrType ty)
{
    return 8 * ir_type_bytes(ty);
}

/* -- integers ----------------------------------------------------------------------------------------- */

static uint64_t divide_signed(uint64_t a, uint64_t b, unsigned w)
{
    int64_t n = bits_sext(a, w), d = bits_sext(b, w);
    return d == 0 ? 0 : d == -1 ? 0 - (uint64_t)n : (uint64_t)(n / d);
}

static uint64_t leading_zeros(uint64_t a, unsigned w)
{
    return a ? (unsigned)__builtin_clzll(a) - (64 - w) : w;
}

static uint64_t reverse_bits(uint64_t a, unsigned w)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < w; i++) {
        r |= (a >> i & 1) << (w - 1 - i);
    }
    return r;
}

static uint64_t swap_bytes16(uint64_t a)
{
    return (a & 0x00ff00ff00ff00ff) << 8 | (a >> 8 & 0x00ff00ff00ff00ff);
}

static bool compare(unsigned relation, uint64_t a, uint64_t b, unsigned w)
{
    int64_t sa = bits_sext(a, w), sb = bits_sext(b, w);
    switch (relation) {
    case CMP_EQ:
        return a == b;
    case CMP_NE:
        return a != b;
    case CMP_ULT:
        return a < b;
    case CMP_ULE:
        return a <= b;
    case CMP_UGT:
        return a > b;
    case CMP_UGE:
        return a >= b;
    case CMP_SLT:
        return sa < sb;
    case CMP_SLE:
        return sa <= sb;
    case CMP_SGT:
        return sa > sb;
    case CMP_SGE:
        return sa >= sb;
    default:
        BUG("relation %u", relation);
    }
}

/* Integer ops; a, b, c are the operands' low 64 bits. The caller masks the result to its type. */
static uint64_t integer_op(const IrIns *i, uint64_t a, uint64_t b, uint64_t c)
{
    unsigned w = width_of((IrType)i->ty), s = (unsigned)b & (w - 1), lsb = i->x, n = i->y;
    switch (i->op) {
    case OP_add:
        return a + b;
    case OP_sub:
        return a - b;
    case OP_mul:
        return a * b;
    case OP_mulh_s:
        return (uint64_t)((U128)((__int128)(int64_t)a * (int64_t)b) >> 64);
    case OP_mulh_u:
        return (uint64_t)((U128)a * b >> 64);
    case OP_sdiv:
        return divide_signed(a, b, w);
    case OP_udiv:
        return b ? a / b : 0;
    case OP_neg:
        return 0 - a;
    case OP_not:
        return ~a;
    case OP_and:
        return a & b;
    case OP_or:
        return a | b;
    case OP_xor:
        return a ^ b;
    case OP_andn:
        return a & ~b;
    case OP_shl:
        return a << s;
    case OP_lshr:
        return a >> s;
    case OP_ashr:
        return (uint64_t)(bits_sext(a, w) >> s);
    case OP_ror:
        return bits_ror(a, s, w);
    case OP_extr:
        return i->imm ? a << (w - (unsigned)i->imm) | b >> i->imm : b;
    case OP_ubfx:
        return bits_get(a, lsb, n);
    case OP_sbfx:
        return (uint64_t)bits_sext(bits_get(a, lsb, n), n);
    case OP_bfi:
        return (a & ~(bits_mask(n) << lsb)) | (b & bits_mask(n)) << lsb;
    case OP_clz:
        return leading_zeros(a, w);
    case OP_cls:
        return leading_zeros((a ^ (uint64_t)(bits_sext(a, w) >> 1)) & bits_mask(w), w) - 1;
    case OP_ctz:
        return a ? (unsigned)__builtin_ctzll(a) : w;
    case OP_popcnt:
        return (unsigned)__builtin_popcountll(a);
    case OP_rbit:
        return reverse_bits(a, w);
    case OP_bswap:
        return __builtin_bswap64(a) >> (64 - w);
    case OP_rev16:
        return swap_bytes16(a);
    case OP_rev32:
        return bits_ror(__builtin_bswap64(a), 32, 64);
    case OP_sext32:
        return (uint64_t)bits_sext(a, 32);
    case OP_zext32:
    case OP_trunc:
    case OP_bits_to_f:
    case OP_f_to_bits:
    case OP_v_to_s:
        return a;
    case OP_is_zero:
        return (a == 0) != (i->x != 0);
    case OP_test_bit:
        return (a >> i->imm & 1) != i->x;
    case OP_cmp:
        return compare(i->x, a, b, w);
    case OP_adc:
        return a + b + (c & PACKED_C ? 1 : 0);
    case OP_sbc:
        return a - b - (c & PACKED_C ? 0 : 1);
    default:
        BUG("op %s has no meaning here", ir_ops[i->op].name);
    }
}

/* -- flags -------------------------------------------------------------------------------------------- */

/* NZCV of a + b + carry in w bits (AddWithCarry). */
static uint32_t flags_of_sum(uint64_t a, uint64_t b, unsigned carry, unsigned w)
{
    uint64_t m = bits_mask(w), sign = (uint64_t)1 << (w - 1);
    a &= m;
    b &= m;
    U128 wide = (U128)a + b + carry;
    uint64_t r = (uint64_t)wide & m;
    bool v = (a ^ r) & (b ^ r) & sign;
    return (r & sign ? PACKED_N : 0) | (r == 0 ? PACKED_Z : 0) | (wide >> w ? PACKED_C : 0) |
           (v ? PACKED_V : 0);
}

/* ConditionHolds. */
static bool condition(unsigned cond, uint32_t f)
{
    bool n = f & PACKED_N, z = f & PACKED_Z, c = f & PACKED_C, v = f & PACKED_V, r;
    switch (cond >> 1) {
    case C_EQ >> 1:
        r = z;
        break;
    case C_CS >> 1:
        r = c;
        break;
    case C_MI >> 1:
        r = n;
        break;
    case C_VS >> 1:
        r = v;
        break;
    case C_HI >> 1:
        r = c && !z;
        break;
    case C_GE >> 1:
        r = n == v;
        break;
    case C_GT >> 1:
        r = n == v && !z;
        break;
    default:
        return true;
    }
    return r != (cond & 1);
}

static uint64_t flags_op(const Run *x, const IrIns *i, uint64_t a, uint64_t b, uint64_t c)
{
    unsigned w = width_of((IrType)i->ty), carry = c & PACKED_C ? 1 : 0;
    switch (i->op) {
    case OP_fl_add:
        return flags_of_sum(a, b, 0, w);
    case OP_fl_sub:
        return flags_of_sum(a, ~b, 1, w);
    case OP_fl_adc:
        return flags_of_sum(a, b, carry, w);
    case OP_fl_sbc:
        return flags_of_sum(a, ~b, carry, w);
    case OP_fl_logic:
        return (a >> (w - 1) & 1 ? PACKED_N : 0) | (a == 0 ? PACKED_Z : 0);
    case OP_fl_fcmp:
        return nzcv_pack(sf_compare(ir_fp_elem((IrType)i->ty), a, b, i->y, &x->cpu->fp));
    case OP_fl_select:
        return a ? b : c;
    case OP_fl_const:
        return nzcv_pack((unsigned)i->imm);
    case OP_fl_pack:
    case OP_fl_unpack:
        return a & (PACKED_N | PACKED_Z | PACKED_C | PACKED_V);
    default: /* test_flags */
        return condition(i->x, (uint32_t)a);
    }
}

/* -- guest memory --------------------------------------------------------------------------------------- */

typedef uint16_t __attribute__((aligned(1), may_alias)) Mem16;
typedef uint32_t __attribute__((aligned(1), may_alias)) Mem32;
typedef uint64_t __attribute__((aligned(1), may_alias)) Mem64;
typedef long long Mem128 __attribute__((vector_size(16), may_alias));
typedef Mem128 Mem128u __attribute__((aligned(1), may_alias));

/* The access itself; one host instruction each, so that it is as atomic as the host's. */
static V128 read_memory(const void *p, unsigned log2size)
{
    V128 v = {.d = {0, 0}};
    switch (log2size) {
    case M8:
        v.d[0] = *(const volatile uint8_t *)p;
        break;
    case M16:
        v.d[0] = *(const volatile Mem16 *)p;
        break;
    case M32:
        v.d[0] = *(const volatile Mem32 *)p;
        break;
    case M64:
        v.d[0] = *(const volatile Mem64 *)p;
        break;
    default: {
        Mem128 m = *(const volatile Mem128u *)p;
        memcpy(&v, &m, sizeof v);
    }
    }
    return v;
}

static void write_memory(void *p, unsigned log2size, const V128 *v)
{
    switch (log2size) {
    case M8:
        *(volatile uint8_t *)p = v->b[0];
        break;
    case M16:
        *(volatile Mem16 *)p = v->h[0];
        break;
    case M32:
        *(volatile Mem32 *)p = v->s[0];
        break;
    case M64:
        *(volatile Mem64 *)p = v->d[0];
        break;
    default: {
        Mem128 m;
        memcpy(&m, v, sizeof m);
        *(volatile Mem128u *)p = m;
    }
    }
}

/* Stores `new` where *p still equals old; either way *p's former value. */
static uint64_t exchange_if(void *p, unsigned log2size, uint64_t old, uint64_t new)
{
    switch (log2size) {
    case M8:
        return __sync_val_compare_and_swap((uint8_t *)p, (uint8_t)old, (uint8_t) new);
    case M16:
        return __sync_val_compare_and_swap((Mem16 *)p, (uint16_t)old, (uint16_t) new);
    case M32:
        return __sync_val_compare_and_swap((Mem32 *)p, (uint32_t)old, (uint32_t) new);
    default:
        return __sync_val_compare_and_swap((Mem64 *)p, old, new);
    }
}

#if defined(__x86_64__)
__attribute__((target("cx16"), noinline)) /* clang 14 would inline it into a function without cx16 */
#endif
static V128
exchange128_if(void *p, const V128 *old, const V128 *new)
{
    U128 o, n;
    V128 was;
    memcpy(&o, old, sizeof o);
    memcpy(&n, new, sizeof n);
    o = __sync_val_compare_and_swap((U128 *)p, o, n);
    memcpy(&was, &o, sizeof was);
    return was;
}

static uint64_t rmw_result(unsigned op, uint64_t old, uint64_t v, unsigned w)
{
    int64_t so = bits_sext(old, w), sv = bits_sext(v, w);
    switch (op) {
    case RMW_ADD:
        return old + v;
    case RMW_CLR:
        return old & ~v;
    case RMW_EOR:
        return old ^ v;
    case RMW_SET:
        return old | v;
    case RMW_SMAX:
        return so > sv ? old : v;
    case RMW_SMIN:
        return so < sv ? old : v;
    case RMW_UMAX:
        return old > v ? old : v;
    case RMW_UMIN:
        return old < v ? old : v;
    case RMW_SWP:
        return v;
    default:
        BUG("rmw %u", op);
    }
}

static uint64_t read_modify_write(void *p, const IrIns *i, uint64_t v)
{
    unsigned size = i->x & MEM_SIZE_MASK, w = 8u << size;
    v &= bits_mask(w);
    for (uint64_t old = read_memory(p, size).d[0];;) {
        uint64_t was = exchange_if(p, size, old, rmw_result(i->y, old, v, w));
        if (was == old) {
            return was;
        }
        old = was;
    }
}

static uint64_t extend(uint64_t v, unsigned memtype, IrType ty)
{
    unsigned w = 8u << (memtype & MEM_SIZE_MASK);
    if (memtype & MEM_SIGNED) {
        v = (uint64_t)bits_sext(v, w) & bits_mask(width_of(ty));
    }
    return v;
}

/* ACC_* of a memory op. */
static uint32_t access_kind(const IrIns *i)
{
    uint32_t size = i->x & MEM_SIZE_MASK, user = i->y & MEM_UNPRIV ? ACC_UNPRIV : 0;
    switch (i->op) {
    case OP_load:
        return size | ACC_READ | user;
    case OP_store:
        return size | ACC_WRITE | user | (size == M512 ? ACC_CACHE : 0);
    case OP_load128_atomic:
        return M128 | ACC_READ;
    case OP_store128_atomic:
        return M128 | ACC_WRITE;
    case OP_cas128:
        return M128 | ACC_READ | ACC_WRITE | ACC_ATOMIC;
    default: /* rmw, cas */
        return size | ACC_READ | ACC_WRITE | ACC_ATOMIC;
    }
}

static V128 memory_op(Run *x, const IrIns *i)
{
    const V128 *v = x->v;
    V128 r = {.d = {0, 0}};
    unsigned size = i->x & MEM_SIZE_MASK;
    uint64_t address = v[i->a].d[0];
    if (i->op == OP_load || i->op == OP_store) {
        address += (v[i->b].d[0] << (i->y & MEM_SCALE)) + (uint64_t)(int64_t)i->imm;
    }
    x->cpu->exit_addr = address; /* where the host does not say where a fault was */
    if (!(address >> 55 & 1) && !x->cpu->soft) {
        address &=
            bits_mask(56); /* the tag of a 64-bit user address is ignored; others have none */
    }
    bool soft = x->cpu->soft && i->op != OP_fence && !((i->op == OP_load || i->op == OP_store) && i->y & MEM_HOST);
    x->cpu->in_helper = 1;
    void *p = soft ? x->cpu->soft->access(x->cpu, address, access_kind(i)) : (void *)(uintptr_t)(address + x->base);
    switch (i->op) {
    case OP_load:
        r = read_memory(p, size);
        if (size < M128) {
            r.d[0] = extend(r.d[0], i->x, (IrType)i->ty);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        break;
    case OP_store:
        __atomic_thread_fence(__ATOMIC_RELEASE);
        for (unsigned k = 0; k < (size == M512 ? 4 : 1); k++) {
            write_memory((uint8_t *)p + 16 * k, size, &v[i->c]);
        }
        if (i->y & MEM_RELEASE) {
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
        }
        break;
    case OP_rmw:
        r.d[0] = extend(read_modify_write(p, i, v[i->b].d[0]), i->x, (IrType)i->ty);
        break;
    case OP_cas:
        r.d[0] = extend(exchange_if(p, size, v[i->b].d[0], v[i->c].d[0]), i->x, (IrType)i->ty);
        break;
    case OP_cas128:
        r = exchange128_if(p, &v[i->b], &v[i->c]);
        break;
    case OP_load128_atomic:
        r = read_memory(p, M128);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        break;
    case OP_store128_atomic:
        __atomic_thread_fence(__ATOMIC_RELEASE);
        write_memory(p, M128, &v[i->b]);
        break;
    default: /* fence */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    if (soft && access_kind(i) & ACC_WRITE) {
        x->cpu->soft->commit(x->cpu);
    }
    x->cpu->in_helper = 0;
    return r;
}

static bool misaligned(const IrIns *i, uint64_t address)
{
    uint64_t size = (uint64_t)1 << i->x;
    return (address & (size - 1)) && !(i->y && (address & 15) + size <= 16);
}

/* -- slots and helpers ------------------------------------------------------------------------------------ */

static void *slot_address(const Run *x, unsigned slot)
{
    return (char *)x->cpu + x->fe->slots[slot].offset;
}

static void set_slot(const Run *x, const IrIns *i)
{
    V128 v = {.d = {0, 0}};
    memcpy(&v, &x->v[i->a], ir_type_bytes((IrType)i->ty));
    memcpy(slot_address(x, i->x), &v, ir_type_bytes((IrType)x->fe->slots[i->x].type));
}

static V128 get_slot(const Run *x, const IrIns *i)
{
    V128 v = {.d = {0, 0}};
    memcpy(&v, slot_address(x, i->x), ir_type_bytes((IrType)i->ty));
    return v;
}

static void set_pc(const Run *x, uint64_t pc)
{
    memcpy(slot_address(x, x->fe->pc_slot), &pc, sizeof pc);
}

static ffi_type *ffi_type_of(IrType ty)
{
    return ty == TY_NONE ? &ffi_type_void
           : ty == TV128 ? &ffi_type_pointer
           : ty == I64   ? &ffi_type_uint64
                         : &ffi_type_uint32;
}

static V128 call_helper(Run *x, const IrIns *i)
{
    const IrHelper *h = &x->fe->helpers[i->imm];
    const IrRef operands[3] = {i->a, i->b, i->c};
    V128 result = {.d = {0, 0}}, *result_at = &result, *pointers[3];
    ffi_type *types[5] = {&ffi_type_pointer};
    void *args[5] = {&x->cpu};
    unsigned n = 1;
    if (h->ret == TV128) {
        types[n] = &ffi_type_pointer;
        args[n++] = &result_at;
    }
    for (unsigned k = 0; k < 3 && h->args[k] != TY_NONE; k++) {
        pointers[k] = &x->v[operands[k]];
        types[n] = ffi_type_of((IrType)h->args[k]);
        args[n++] = h->args[k] == TV128 ? (void *)&pointers[k] : (void *)pointers[k];
    }
    ffi_cif cif;
    ffi_arg ret = 0;
    ffi_type *rtype = h->ret == TV128 ? &ffi_type_void : ffi_type_of((IrType)h->ret);
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, n, rtype, types) != FFI_OK) {
        BUG("helper %s cannot be called", h->name);
    }
    x->cpu->in_helper = 1;
    ffi_call(&cif, FFI_FN(h->fn), h->ret == TV128 ? NULL : (void *)&ret, args);
    x->cpu->in_helper = 0;
    if (h->ret != TV128) {
        result.d[0] = ret & bits_mask(width_of((IrType)h->ret));
    }
    return result;
}

/* -- running ------------------------------------------------------------------------------------------------ */

/* A value of any op that makes one and does not exit. */
static V128 value_op(Run *x, const IrIns *i)
{
    const V128 *v = x->v, *a = &v[i->a];
    V128 r = {.d = {0, 0}};
    IrType ty = ir_result_type(i);
    switch (i->op) {
    case OP_const:
        r.d[0] = ir_imm64(i);
        r.d[1] = i->ty == TV128 ? r.d[0] : 0;
        return r;
    case OP_v_const:
        r.d[0] = ir_imm64(i);
        r.d[1] = ir_imm64(i + 1);
        return r;
    case OP_get:
        return get_slot(x, i);
    case OP_call:
        return call_helper(x, i);
    case OP_select:
        return a->d[0] ? v[i->b] : v[i->c];
    case OP_s_to_v:
        memcpy(&r, a, ir_type_bytes(ir_result_type(&x->r->ins[i->a])));
        return r;
    case OP_load:
    case OP_rmw:
    case OP_cas:
    case OP_cas128:
    case OP_load128_atomic:
        return memory_op(x, i);
    default:
        break;
    }
    if (ir_ops[i->op].effects & EVAL) {
        uint32_t k = i->x | (uint32_t)i->y << 8 | (uint32_t)i->imm << 16;
        ir_evals[i->op](&x->cpu->fp, &r, a, &v[i->b], &v[i->c], k);
    } else if ((i->op >= OP_fl_add && i->op <= OP_test_flags)) {
        r.d[0] = flags_op(x, i, a->d[0], v[i->b].d[0], v[i->c].d[0]);
    } else {
        r.d[0] = integer_op(i, a->d[0], v[i->b].d[0], v[i->c].d[0]);
    }
    if (ty != TV128) {
        r.d[0] &= bits_mask(width_of(ty));
        r.d[1] = 0;
    }
    return r;
}

static ExcKind leave_with(const Run *x, ExcKind kind, int32_t imm, uint64_t pc)
{
    set_pc(x, pc);
    x->cpu->exit_imm = imm;
    x->cpu->exit_kind = kind;
    return kind;
}

/* Leaves the region at pc; poll says whether `pending` is looked at. */
static ExcKind leave(const Run *x, uint64_t pc, bool poll)
{
    set_pc(x, pc);
    return poll && engine_pending(x->cpu) ? leave_with(x, EXC_PENDING, 0, pc) : EXC_NONE;
}

/* An op of the exits' group. True: the region is left with *kind; else *next is the instruction to go on with. */
static bool exit_op(const Run *x, const IrIns *i, IrRef *next, ExcKind *kind)
{
    uint64_t a = x->v[i->a].d[0];
    switch (i->op) {
    case OP_exit_if:
        if (!a) {
            return false;
        }
        *kind = leave(x, ir_imm64(i), i->x & EXIT_POLL);
        return true;
    case OP_exit_pc:
    case OP_exit_call:
        *kind = leave(x, ir_imm64(i), i->x & EXIT_POLL);
        return true;
    case OP_exit_call_ind:
    case OP_exit_ind:
        *kind = leave(x, a, true);
        return true;
    case OP_exit_ret:
        *kind = leave(x, a, false);
        return true;
    case OP_exit_exc:
        *kind = leave_with(x, (ExcKind)i->x, i->imm, ir_imm64(i));
        return true;
    case OP_exit_exc_if:
        if (a) {
            *kind = leave_with(x, (ExcKind)i->x, i->imm, x->pc);
        }
        return a != 0;
    case OP_jump:
        *next = x->r->blocks[i->imm].first;
        return false;
    case OP_branch:
        *next = x->r->blocks[a ? i->b : i->c].first;
        return false;
    default:
        BUG("exit %s is unknown", ir_ops[i->op].name);
    }
}

ExcKind ir_interp_run(const Frontend *fe, const IrRegion *r, CpuHead *cpu, uint64_t base,
                      void *scratch)
{
    Run x = {fe, r, cpu, scratch, base, r->pc.v};
    ExcKind kind = EXC_NONE;
    x.v[0] = (V128){.d = {0, 0}};
    for (IrRef at = r->blocks[0].first;;) {
        const IrIns *i = &r->ins[at];
        ASSERT(at < r->n);
        IrRef next = at + 1;
        if (ir_ops[i->op].effects & EXITS) {
            if (exit_op(&x, i, &next, &kind)) {
                return kind;
            }
        } else {
            switch (i->op) {
            case OP_nop:
            case OP_v_const_hi:
            case OP_prefetch:
                break;
            case OP_insn:
                x.pc = ir_imm64(i);
                set_pc(&x, x.pc);
                break;
            case OP_set:
                set_slot(&x, i);
                break;
            case OP_store:
            case OP_store128_atomic:
            case OP_fence:
                memory_op(&x, i);
                break;
            case OP_check_align:
                if (misaligned(i, x.v[i->a].d[0])) {
                    cpu->exit_addr = x.v[i->a].d[0];
                    return leave_with(&x, EXC_ALIGN, 0, x.pc);
                }
                break;
            default:
                x.v[at] = value_op(&x, i);
            }
        }
        at = next;
    }
}
