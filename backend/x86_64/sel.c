/* sel.c - one region from IR to x86-64: the local allocator, the choice of rules; the backward sweep is
 * sel_sweep.c, addresses and faults are sel_fault.c.
 *
 * The words are explained in sel.h. What must hold at an op that can fault or leave: every slot is in its home
 * (pinned register or memory), except nzcv, which may be in EFLAGS or a register, as the fault table says.
 * So a value may be computed in a pinned register ahead of its `set` only when nothing between can observe it.
 * Register pressure is low by construction: guest state has homes, so temporaries hold only the values of the
 * current instruction and cached copies of slots in memory.
 */

#include "sel.h"

static inline bool is_int(IrType ty)
{
    return ty == I32 || ty == I64;
}

static inline IrType type_of(const Lower *l, IrRef v)
{
    return ir_result_type(&l->ins[v]);
}

/* General registers hold integers and packed flags. */
static inline bool in_gpr(IrType ty)
{
    return is_int(ty) || ty == TFLAGS;
}

Mem l_slot(const Lower *l, unsigned slot)
{
    return mem(RSTATE, l->t->slot_disp[slot]);
}

Mem l_head(const Lower *l, size_t offset)
{
    (void)l;
    return mem(RSTATE, (int32_t)offset - STATE_BIAS);
}

static Mem spill_place(const Lower *l, unsigned n)
{
    return l_head(l, offsetof(CpuHead, spill) + 16 * n);
}

/* -- registers ----------------------------------------------------------------------------------------- */

static void free_reg(Lower *l, Reg r)
{
    l->reg_val[r] = 0;
    l->busy &= ~bit(r);
}

static void forget(Lower *l, IrRef v)
{
    Val *p = &l->val[v];
    if (p->reg != NOREG && (l->t->temps & bit(p->reg)) && l->reg_val[p->reg] == v) {
        free_reg(l, p->reg);
    }
    p->reg = NOREG;
    if (p->spill != NOSPILL) {
        l->spills &= ~((uint64_t)1 << p->spill);
        p->spill = NOSPILL;
    }
}

static void hold(Lower *l, IrRef v, Reg r)
{
    l->val[v].reg = r;
    if (l->t->temps & bit(r)) {
        l->reg_val[r] = v;
        l->busy |= bit(r);
    }
}

void l_mov(Lower *l, IrType ty, Reg d, Reg s)
{
    if (d == s) {
        return;
    }
    if (!reg_is_xmm(d)) {
        x_mov_rr(&l->a, 1, d, s);
    } else {
        x_vmovaps_rr(&l->a, d, s);
    }
    (void)ty;
}

static void store_spill(Lower *l, IrRef v, Mem m)
{
    l_memory(l);
    Reg r = l->val[v].reg;
    if (reg_is_xmm(r)) {
        x_vmovups_to_rm(&l->a, r, m);
    } else {
        x_store_rm(&l->a, 1, r, m);
    }
}

void l_spill(Lower *l, IrRef v)
{
    Val *p = &l->val[v];
    if (p->spill != NOSPILL || l_is_const(l, v) || l->ins[v].op == OP_v_const || l->ins[v].op == OP_fl_const) {
        return;
    }
    if (p->reg == NOREG && l->ef == v) {
        fl_save(l);
    }
    if (p->reg == NOREG) {
        l_reg(l, v);
    }
    unsigned n = (unsigned)__builtin_ctzll(~l->spills);
    if (n >= NSPILLS) {
        BUG("more than %d values to spill", NSPILLS);
    }
    l->spills |= (uint64_t)1 << n;
    l->spill_val[n] = v;
    p->spill = (uint8_t)n;
    store_spill(l, v, spill_place(l, n));
}

static bool has_other_place(const Lower *l, IrRef v)
{
    const Val *p = &l->val[v];
    return p->spill != NOSPILL || p->home != NOSLOT || l_is_const(l, v) || l->ins[v].op == OP_v_const ||
           l->ins[v].op == OP_fl_const;
}

/* Empties temporary r. */
static void evict(Lower *l, Reg r)
{
    IrRef v = l->reg_val[r];
    if (!v) {
        return;
    }
    if (l->val[v].last >= l->pos && !has_other_place(l, v)) {
        l_spill(l, v);
    }
    if (l->val[v].home != NOSLOT && l->t->pin[l->val[v].home] != NOREG) {
        l->val[v].reg = l->t->pin[l->val[v].home];
    } else {
        l->val[v].reg = NOREG;
    }
    free_reg(l, r);
}

void l_evict(Lower *l, uint64_t regs)
{
    for (uint64_t m = regs & l->busy & l->t->temps; m; m &= m - 1) {
        evict(l, (Reg)__builtin_ctzll(m));
    }
}

enum { GPRS = 0xffff };
#define XMMS 0xffffffff00000000ull

static Reg alloc(Lower *l, uint64_t cls)
{
    uint64_t can = l->t->temps & cls & ~l->lock;
    uint64_t free = can & ~l->busy;
    if (LIKELY(free)) { /* rax last: flags are packed there */
        return (Reg)(cls == GPRS ? 63 - __builtin_clzll(free) : __builtin_ctzll(free));
    }
    /* a dead value, then one that costs nothing to drop, then any */
    Reg best = NOREG;
    for (uint64_t m = can; m; m &= m - 1) {
        Reg r = (Reg)__builtin_ctzll(m);
        IrRef v = l->reg_val[r];
        if (l->val[v].last < l->pos) {
            best = r;
            break;
        }
        if (best == NOREG || (has_other_place(l, v) && !has_other_place(l, l->reg_val[best]))) {
            best = r;
        }
    }
    if (best == NOREG) {
        BUG("no register for op %%%u %s", l->pos, ir_ops[l->ins[l->pos].op].name);
    }
    evict(l, best);
    return best;
}

Reg l_temp(Lower *l)
{
    Reg r = alloc(l, GPRS);
    l->lock |= bit(r);
    return r;
}

Reg l_temp_x(Lower *l)
{
    Reg r = alloc(l, XMMS);
    l->lock |= bit(r);
    return r;
}

void l_fix(Lower *l, Reg r)
{
    IrRef v = l->reg_val[r];
    ASSERT(v || !(l->lock & bit(r)));
    uint64_t others = l->t->temps & (reg_is_xmm(r) ? XMMS : GPRS) & ~(l->busy | l->lock | bit(r));
    if (v && l->val[v].last >= l->pos && others) {
        Reg to = (Reg)__builtin_ctzll(others);
        l_mov(l, I64, to, r);
        free_reg(l, r);
        hold(l, v, to);
    } else {
        evict(l, r);
    }
    l->lock |= bit(r);
}

void l_const(Lower *l, Reg d, IrType ty, uint64_t v)
{
    Asm *a = &l->a;
    if (in_gpr(ty)) {
        if (v == 0 && !l->ef && !l->hot) {
            x_xor_rr(a, 0, d, d);
        } else {
            x_mov_ri(a, d, v);
        }
        return;
    }
    if (v == 0) {
        x_vpxor_rrr(a, d, d, d);
        return;
    }
    Reg t = l_temp(l);
    x_mov_ri(a, t, v);
    x_vmovq_r_rr(a, d, t);
    if (ty == TV128) {
        x_vpunpcklqdq_rrr(a, d, d, d);
    }
}

void l_address(Lower *l, Reg d, uint64_t v, unsigned moves)
{
    x_mov_ri(&l->a, d, v);
    if (v >> 32) { /* else the form is shorter; such code stays where it is (cache.c) */
        asm_note(&l->a, moves == CONST_PC ? NOTE_PC : NOTE_HOST, 8);
    }
}

/* The constant v of the region in d. */
static void load_const(Lower *l, Reg d, IrRef v)
{
    const IrIns *in = &l->ins[v];
    if (UNLIKELY(in->x != CONST_PLAIN)) {
        l_address(l, d, ir_imm64(in), in->x);
    } else {
        l_const(l, d, (IrType)in->ty, ir_imm64(in));
    }
}

static void load_vconst(Lower *l, Reg d, IrRef v)
{
    uint64_t lo = ir_imm64(l_ins(l, v)), hi = ir_imm64(l_ins(l, v + 1));
    Asm *a = &l->a;
    if (lo == hi) {
        if (lo == ~0ull && d < XMM0 + 16) {
            x_vpcmpeqd_rrr(a, d, d, d);
            return;
        }
        l_const(l, d, TV128, lo);
        return;
    }
    l_const(l, d, F64, lo);
    if (hi) {
        Reg t = l_temp(l);
        x_mov_ri(a, t, hi);
        x_vpinsrq_rrri(a, d, d, t, 1);
    }
}

/* Loads v from its place in memory into d; sets A_ZX: a spill place may be older than that mark. */
static void reload(Lower *l, IrRef v, Reg d)
{
    Val *p = &l->val[v];
    IrType ty = type_of(l, v);
    Asm *a = &l->a;
    ASSERT(p->spill != NOSPILL || p->home != NOSLOT);
    Mem m = p->spill != NOSPILL ? spill_place(l, p->spill) : l_slot(l, p->home);
    l_memory(l);
    p->attr |= A_ZX;
    switch (ty) {
    case I32: x_mov_rm(a, 0, d, m); break;
    case TFLAGS: x_movzx16_rm(a, 0, d, m); break;
    case I64: x_mov_rm(a, 1, d, m); break;
    case F16:
        x_vmovss_ld_rm(a, d, m);
        p->attr &= (uint8_t)~A_ZX;
        break;
    case F32: x_vmovss_ld_rm(a, d, m); break;
    case F64: x_vmovsd_ld_rm(a, d, m); break;
    default: x_vmovups_rm(a, d, m); break;
    }
}

static void materialize(Lower *l, IrRef v);

/* v, which no register holds, in one, locked. */
static __attribute__((noinline)) Reg fetch(Lower *l, IrRef v)
{
    Val *p = &l->val[v];
    const IrIns *in = &l->ins[v];
    IrType ty = type_of(l, v);
    if ((p->attr & A_LAZY) && !(p->attr & A_DONE)) {
        materialize(l, v);
    } else if (ty == TFLAGS && p->spill == NOSPILL && p->home == NOSLOT) {
        return fl_packed(l, v);
    } else {
        Reg r = alloc(l, in_gpr(ty) ? GPRS : XMMS);
        l->lock |= bit(r);
        if (in->op == OP_const) {
            load_const(l, r, v);
            p->attr |= A_ZX;
        } else if (in->op == OP_v_const) {
            load_vconst(l, r, v);
        } else {
            reload(l, v, r);
        }
        hold(l, v, r);
    }
    l->lock |= bit(p->reg);
    return p->reg;
}

Reg l_reg(Lower *l, IrRef v)
{
    Reg r = l->val[v].reg;
    if (UNLIKELY(r == NOREG)) {
        return fetch(l, v);
    }
    l->lock |= bit(r);
    return r;
}

/* A LAZY add that is needed in a register after all. */
static void materialize(Lower *l, IrRef v)
{
    const IrIns *in = &l->ins[v];
    l->val[v].attr |= A_DONE;
    ASSERT(in->op == OP_add);
    Reg s = l_reg(l, in->a), d = NOREG;
    unsigned slot = l->val[v].hint;
    if (l->ins[l->pos].op == OP_set && slot == l->ins[l->pos].x) {
        l_evict_slot(l, slot, in->a);
        bool needed = l->val[in->a].last > l->pos && l->val[in->a].home == slot;
        if (needed) {
            l_evict_slot(l, slot, 0);
            s = l_reg(l, in->a);
        }
        d = l->t->pin[slot];
        l->slot_head[slot] = 0;
        l->slot_cur[slot] = 0;
    }
    if (d == NOREG) {
        d = l_temp(l);
    }
    x_lea(&l->a, 1, d, mem(s, (int32_t)ir_imm64(l_ins(l, in->b))));
    l->val[v].attr |= in->ty == I64 ? A_ZX : 0;
    hold(l, v, d);
}

Reg l_reg_zx(Lower *l, IrRef v)
{
    Reg r = l_reg(l, v);
    Val *p = &l->val[v];
    if (type_of(l, v) != I32 || (p->attr & A_ZX)) {
        return r;
    }
    if ((l->t->temps & bit(r)) && l->reg_val[r] == v) {
        x_mov_rr(&l->a, 0, r, r);
        p->attr |= A_ZX;
        return r;
    }
    Reg t = l_temp(l);
    x_mov_rr(&l->a, 0, t, r);
    return t;
}

Reg l_take(Lower *l, IrRef v)
{
    Val *p = &l->val[v];
    const IrIns *in = &l->ins[l->pos];
    bool twice = (in->a == v) + (in->b == v) + (in->c == v) > 1;
    if (p->reg != NOREG && (l->t->temps & bit(p->reg)) && !l_lives(l, v) && !twice) {
        Reg r = p->reg;
        free_reg(l, r);
        p->reg = NOREG;
        l->lock |= bit(r);
        return r;
    }
    bool gpr = in_gpr(type_of(l, v));
    if (p->reg == NOREG && l_is_const(l, v)) {
        Reg t = gpr ? l_temp(l) : l_temp_x(l);
        load_const(l, t, v);
        return t;
    }
    uint64_t lock = l->lock;
    Reg s = l_reg(l, v), t = gpr ? l_temp(l) : l_temp_x(l);
    l_mov(l, type_of(l, v), t, s);
    l->lock = lock | bit(t);
    return t;
}

/* Another slot with a pin that was set to u and still is; NOSLOT = none. */
static unsigned other_home(const Lower *l, IrRef u, unsigned slot)
{
    for (uint64_t m = l->t->pins; m; m &= m - 1) {
        unsigned q = l->t->slot_of[__builtin_ctzll(m)];
        if (q != slot && l->slot_cur[q] == u) {
            return q;
        }
    }
    return NOSLOT;
}

/* u, out of its old home's list already, lives in pinned slot q from now on. */
static void move_home(Lower *l, IrRef u, unsigned q)
{
    Val *p = &l->val[u];
    p->home = (uint8_t)q;
    p->reg = l->t->pin[q];
    p->next = l->slot_head[q];
    l->slot_head[q] = u;
}

/* May slot's pin be overwritten? What lives there and was copied to another slot (MOV) moves its home there. */
static bool free_pin(Lower *l, unsigned slot)
{
    IrRef *link = &l->slot_head[slot];
    while (*link) {
        IrRef u = *link;
        Val *p = &l->val[u];
        if (p->last > l->pos && p->home == slot) {
            unsigned q = p->reg == l->t->pin[slot] && p->spill == NOSPILL ? other_home(l, u, slot) : NOSLOT;
            if (q == NOSLOT) {
                return false;
            }
            *link = p->next;
            move_home(l, u, q);
        } else {
            link = &p->next;
        }
    }
    return true;
}

/* Is one of the op's operands in r? */
static inline bool reads(const Lower *l, const IrIns *in, SelOp o, Reg r)
{
    return ((o & HAS_A) && l->val[in->a].reg == r) || ((o & HAS_B) && l->val[in->b].reg == r) ||
           ((o & HAS_C) && l->val[in->c].reg == r);
}

/* Can the register of operand u, which dies here, hold the result? */
static inline bool can_take(const Lower *l, IrRef u, uint64_t cls)
{
    const Val *p = &l->val[u];
    return u && p->reg != NOREG && (l->t->temps & cls & bit(p->reg)) && p->last <= l->pos;
}

Reg l_dst(Lower *l, IrRef i, bool early)
{
    const Val *v = &l->val[i];
    const IrIns *in = &l->ins[i];
    uint64_t cls = in_gpr(ir_result_type(in)) ? GPRS : XMMS;
    SelOp o = sel_ops[in->op];
    if (v->hint != NOSLOT && free_pin(l, v->hint)) {
        Reg pin = l->t->pin[v->hint];
        bool source = reads(l, in, o, pin);
        if (l->exact == EXACT_TIED ? source : !early || (!source && !(l->lock & bit(pin)))) {
            return pin;
        }
    }
    bool target = (v->attr & A_TARGET) && !((l->busy | l->lock) & bit(RTARGET));
    if (!early && !target) {
        if ((o & HAS_A) && can_take(l, in->a, cls)) {
            return l->val[in->a].reg;
        }
        if ((o & HAS_B) && can_take(l, in->b, cls)) {
            return l->val[in->b].reg;
        }
        if ((o & HAS_C) && can_take(l, in->c, cls)) {
            return l->val[in->c].reg;
        }
    }
    Reg r = target ? RTARGET : alloc(l, cls);
    l->lock |= bit(r);
    return r;
}

void l_def(Lower *l, IrRef i, Reg r, bool zx)
{
    Val *v = &l->val[i];
    IrRef old = l->reg_val[r];
    if (old && old != i && (l->t->temps & bit(r))) {
        l->val[old].reg = NOREG;
    }
    if (!(l->t->temps & bit(r)) && v->hint != NOSLOT && l->t->pin[v->hint] == r) {
        l->slot_head[v->hint] = 0; /* computed ahead of its set: what was there is dead */
        l->slot_cur[v->hint] = 0;
    }
    v->attr = (uint8_t)((v->attr & ~A_ZX) | (zx ? A_ZX : 0));
    hold(l, i, r);
    l->lock |= bit(r);
}

Reg l_dst_fixed(Lower *l, IrRef i, Reg r)
{
    (void)i;
    l_fix(l, r);
    return r;
}

bool l_in_memory(const Lower *l, IrRef v, Mem *m)
{
    const Val *p = &l->val[v];
    if (p->reg != NOREG || p->home == NOSLOT || p->spill != NOSPILL || l->t->pin[p->home] != NOREG ||
        (p->attr & A_LAZY)) {
        return false;
    }
    *m = l_slot(l, p->home);
    return true;
}

void l_evict_slot(Lower *l, unsigned slot, IrRef keep)
{
    IrRef u = l->slot_head[slot], kept = 0;
    Reg pin = l->t->pin[slot];
    while (u) {
        Val *p = &l->val[u];
        IrRef next = p->next;
        if (p->home == slot && u == keep) {
            p->next = kept;
            kept = u;
        } else if (p->home == slot) {
            p->home = NOSLOT;
            if (p->last > l->pos && p->spill == NOSPILL) {
                unsigned other = other_home(l, u, slot);
                if (other != NOSLOT && p->reg == pin) {
                    move_home(l, u, other);
                } else if (pin != NOREG && p->reg == pin) {
                    Reg t = alloc(l, reg_is_xmm(pin) ? XMMS : GPRS);
                    l->lock |= bit(t);
                    l_mov(l, type_of(l, u), t, pin);
                    hold(l, u, t);
                } else if (p->reg == NOREG) {
                    Reg t = alloc(l, in_gpr(type_of(l, u)) ? GPRS : XMMS);
                    l->lock |= bit(t);
                    p->home = (uint8_t)slot;
                    reload(l, u, t);
                    p->home = NOSLOT;
                    hold(l, u, t);
                }
            } else if (pin != NOREG && p->reg == pin) {
                p->reg = NOREG;
            }
        }
        u = next;
    }
    l->slot_head[slot] = kept;
}

static inline void evict_slot(Lower *l, unsigned slot, IrRef keep)
{
    if (l->slot_head[slot]) {
        l_evict_slot(l, slot, keep);
    }
}

static void make_resident(Lower *l, IrRef v, unsigned slot)
{
    Val *p = &l->val[v];
    p->home = (uint8_t)slot;
    p->next = l->slot_head[slot];
    l->slot_head[slot] = v;
}

/* The value i is v seen as another type: same register or place. */
void l_alias(Lower *l, IrRef i, IrRef v, bool zx)
{
    Val *p = &l->val[v];
    if (p->reg == NOREG && p->spill == NOSPILL && p->home != NOSLOT && !zx) {
        make_resident(l, i, p->home);
        return;
    }
    Reg r = l_reg(l, v);
    if (!(l->t->temps & bit(r))) {
        if (p->home != NOSLOT && l->t->pin[p->home] == r) {
            make_resident(l, i, p->home);
            l->val[i].reg = r;
            l->val[i].attr = (uint8_t)((l->val[i].attr & ~A_ZX) | (zx ? A_ZX : 0));
            return;
        }
    } else if (!l_lives(l, v)) {
        free_reg(l, r);
        p->reg = NOREG;
        l_def(l, i, r, zx);
        return;
    }
    Reg d = l_dst(l, i, true);
    l_mov(l, type_of(l, i), d, r);
    l_def(l, i, d, zx);
}

/* -- get, set -------------------------------------------------------------------------------------------- */

static void lower_get(Lower *l, IrRef i)
{
    unsigned slot = l->ins[i].x;
    make_resident(l, i, slot);
    Val *v = &l->val[i];
    v->reg = l->t->pin[slot];
    IrType ty = type_of(l, i), full = (IrType)l->e->fe->slots[slot].type;
    v->attr = (uint8_t)((v->attr & ~A_ZX) | (ty == full || l->ins[i].y ? A_ZX : 0));
    if (slot == l->e->fe->nzcv_slot) {
        v->reg = NOREG;
    }
}

/* Zero-extended copy of scalar s of type ty in all 128 bits of d. */
static void extend_scalar(Lower *l, IrType ty, Reg d, Reg s)
{
    Asm *a = &l->a;
    if (ty == F64) {
        x_vmovq_rr(a, d, s);
    } else if (ty == F32) {
        x_vinsertps_rrri(a, d, s, s, 0x0e);
    } else {
        Reg t = l_temp(l);
        x_vpextrw_rri(a, s, t, 0);
        x_vmovd_rr(a, d, t);
    }
}

static void set_pinned(Lower *l, IrRef v, IrType ty, unsigned slot)
{
    Val *p = &l->val[v];
    Reg pin = l->t->pin[slot];
    Asm *a = &l->a;
    bool gpr = in_gpr(ty), narrow = ty != I64 && ty != TV128;
    if (p->reg == pin && p->home == NOSLOT) { /* computed in place */
        if (narrow && !(p->attr & A_ZX)) {
            if (gpr) {
                x_mov_rr(a, 0, pin, pin);
            } else {
                extend_scalar(l, ty, pin, pin);
            }
            p->attr |= A_ZX;
        }
        evict_slot(l, slot, v);
        make_resident(l, v, slot);
        return;
    }
    bool was_resident = p->home == slot && p->reg == pin;
    evict_slot(l, slot, v);
    if (was_resident) { /* only its upper part changes, if that */
        if (!narrow) {
            /* a set in between was dead */
        } else if (gpr) {
            x_mov_rr(a, 0, pin, pin);
        } else {
            extend_scalar(l, ty, pin, pin);
        }
        p->attr |= A_ZX;
        return;
    }
    Mem m;
    if (p->reg == NOREG && l_is_const(l, v) && gpr) {
        load_const(l, pin, v);
    } else if (gpr && l_in_memory(l, v, &m)) {
        x_mov_rm(a, ty == I64, pin, m);
    } else {
        Reg s = l_reg(l, v);
        if (!narrow || (p->attr & A_ZX)) {
            if (s != pin) { /* else it was made in place */
                l_mov(l, ty, pin, s);
            }
        } else if (gpr) {
            x_mov_rr(a, 0, pin, s);
        } else {
            extend_scalar(l, ty, pin, s);
        }
    }
    l->slot_cur[slot] = v;
    if (p->home == NOSLOT || l->t->pin[p->home] == NOREG) { /* the pin becomes its place */
        if (p->reg != NOREG && p->reg != pin && (l->t->temps & bit(p->reg)) && l->reg_val[p->reg] == v) {
            free_reg(l, p->reg);
        }
        if (p->home != NOSLOT) { /* leave the other slot's list by renaming: lists check .home */
            IrRef *q = &l->slot_head[p->home];
            while (*q && *q != v) {
                q = &l->val[*q].next;
            }
            if (*q) {
                *q = p->next;
            }
        }
        p->reg = pin;
        p->attr |= A_ZX;
        make_resident(l, v, slot);
    }
}

static void set_memory(Lower *l, IrRef v, IrType ty, unsigned slot)
{
    Val *p = &l->val[v];
    Asm *a = &l->a;
    Mem m = l_slot(l, slot);
    IrType full = (IrType)l->e->fe->slots[slot].type;
    l_memory(l);
    evict_slot(l, slot, v);
    if (is_int(full)) {
        uint64_t k = l_is_const(l, v) ? ir_imm64(l_ins(l, v)) : 0;
        if (p->reg == NOREG && l_is_const(l, v) && (int64_t)k == (int32_t)k) {
            x_mov_mi(a, full == I64, m, (int32_t)k);
        } else {
            Reg s = full == I64 ? l_reg_zx(l, v) : l_reg(l, v);
            x_store_rm(a, full == I64, s, m);
        }
    } else {
        Reg s = l_reg(l, v);
        if (ty != TV128 && !(p->attr & A_ZX)) {
            if ((l->t->temps & bit(s)) && l->reg_val[s] == v) {
                extend_scalar(l, ty, s, s);
                p->attr |= A_ZX;
            } else {
                Reg t = l_temp_x(l);
                extend_scalar(l, ty, t, s);
                s = t;
            }
        }
        x_vmovups_to_rm(a, s, m);
    }
    l->slot_cur[slot] = v;
    if (p->home == NOSLOT && !l_is_const(l, v)) {
        make_resident(l, v, slot);
    }
}

static void lower_set(Lower *l, IrRef i)
{
    const IrIns *in = &l->ins[i];
    unsigned slot = in->x;
    if (slot == l->e->fe->nzcv_slot) {
        l->nz = in->a;
        const Val *v = &l->val[in->a];
        if (v->home == slot && v->reg == NOREG) {
            l->nz = 0; /* what memory holds already */
        } else {
            /* the old value of the slot, if still needed, must leave memory before a store */
            evict_slot(l, slot, in->a);
        }
        return;
    }
    const Val *v = &l->val[in->a];
    if ((v->attr & A_LAZY) && !(v->attr & A_DONE)) {
        l_reg(l, in->a); /* while what it is computed from is still in the slot */
    }
    if (l->t->pin[slot] != NOREG) {
        set_pinned(l, in->a, (IrType)in->ty, slot);
    } else {
        set_memory(l, in->a, (IrType)in->ty, slot);
    }
}

/* -- rules ------------------------------------------------------------------------------------------------ */

static bool fits(const Lower *l, const IrIns *in, const Rule *r)
{
    if ((r->types && !(r->types >> in->ty & 1)) || (r->x && !(r->x >> in->x & 1))) {
        return false;
    }
    if (UNLIKELY(r->flags & (R_AVX512 | R_VBMI | R_GFNI | R_VAES | R_SHA | R_AES))) {
        const Feat *f = &l->t->feat;
        if (((r->flags & R_AVX512) && !f->avx512) || ((r->flags & R_VBMI) && !f->vbmi) ||
            ((r->flags & R_GFNI) && !f->gfni) || ((r->flags & R_VAES) && !f->vaes) || ((r->flags & R_SHA) && !f->sha) ||
            ((r->flags & R_AES) && !f->aes)) {
            return false;
        }
    }
    if (r->own) {
        return true;
    }
    if (l->want_flags) {
        if (!(r->flags & R_SETS)) {
            return false;
        }
    } else if ((r->flags & R_CLOB) && l->ef && l_lives(l, l->ef) && !(l->val[l->ef].attr & A_REISSUE)) {
        /* EFLAGS are needed later: a neutral row further down is better, if there is one */
        for (const Rule *q = r + 1; q->op == r->op; q++) {
            if (!q->own && !(q->flags & R_CLOB) && (!q->types || (q->types >> in->ty & 1)) && (!q->x || (q->x >> in->x & 1)) &&
                (q->src[1] != S_I || l_is_const(l, in->b))) {
                return false;
            }
        }
    }
    for (unsigned k = 0; k < 3; k++) {
        if (r->src[k] == S_SHL) {
            IrRef u = sel_operand(in, k);
            if (l->ins[u].op != OP_shl || (l->val[u].attr & (A_LAZY | A_DONE)) != A_LAZY) {
                return false;
            }
        } else if (r->src[k] >= S_I && r->src[k] < S_X) {
            IrRef u = sel_operand(in, k);
            if (!l_is_const(l, u)) {
                return false;
            }
            int64_t c = (int64_t)ir_imm64(l_ins(l, u));
            if (r->src[k] == S_I ? c != (int32_t)c && l->ins[u].ty != I32
                                 : c != (r->src[k] == S_FF ? 0xff : r->src[k] == S_FFFF ? 0xffff : 0xffffffff)) {
                return false;
            }
        }
    }
    return true;
}

void l_rule(Lower *l, IrRef i, const Rule *r)
{
    const IrIns *in = &l->ins[i];
    Sel s = {.d = NOREG, .mi = -1, .i = in, .arg = r->arg, .w = in->ty == I64, .l = l};
    IrRef u[3] = {in->a, in->b, in->c};
    bool tied = r->dst == D_RT || r->dst == D_XT, early = r->dst == D_RE || r->dst == D_XE;
    if (r->flags & R_CLOB) {
        l_clobber(l);
    }
    if (tied && (r->flags & R_COMM) && r->src[1] != S_I) {
        /* the operand that dies or already is in the destination goes first */
        const Val *v = &l->val[i], *v1 = &l->val[u[1]];
        bool in_pin = v->hint != NOSLOT && v1->reg == l->t->pin[v->hint];
        const Val *v0 = &l->val[u[0]];
        bool dies1 = v1->reg != NOREG && (l->t->temps & bit(v1->reg)) && v1->last <= l->pos;
        bool dies0 = v0->reg != NOREG && (l->t->temps & bit(v0->reg)) && v0->last <= l->pos;
        if (in_pin || (v->hint == NOSLOT && dies1 && !dies0)) {
            IrRef t = u[0];
            u[0] = u[1];
            u[1] = t;
        }
    }
    for (unsigned k = 0; k < 3; k++) {
        s.s[k] = NOREG;
        if (r->src[k] == S_NONE) {
            continue;
        }
        if (r->src[k] >= S_I && r->src[k] < S_X) {
            uint64_t c = ir_imm64(l_ins(l, u[k]));
            s.k = l->ins[u[k]].ty == I32 ? (int32_t)c : (int64_t)c;
        } else if (r->src[k] == S_SHL) {
            s.s[k] = l_reg(l, l->ins[u[k]].a);
            s.scale = (unsigned)ir_imm64(l_ins(l, l->ins[u[k]].b));
        } else if ((r->src[k] == S_RM || r->src[k] == S_XM) && s.mi < 0 && !l_lives(l, u[k]) && l_in_memory(l, u[k], &s.m)) {
            s.mi = (int8_t)k;
        } else {
            s.s[k] = l_reg(l, u[k]);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        s.t[k] = r->flags & (R_T1 << k) ? l_temp(l) : NOREG;
        s.tx[k] = r->flags & (R_TX1 << k) ? l_temp_x(l) : NOREG;
    }
    s.tx[2] = r->flags & R_TX3 ? l_temp_x(l) : NOREG;
    bool zxa = (r->flags & R_ZXA) && (l->val[u[0]].attr & A_ZX);
    if (r->dst != D_NONE) {
        s.d = l_dst(l, i, early);
        if (tied && s.s[0] != s.d) {
            /* another source in the destination would be overwritten by the copy */
            if (s.s[1] == s.d || s.s[2] == s.d) {
                s.d = reg_is_xmm(s.d) ? alloc(l, XMMS) : alloc(l, GPRS);
                l->lock |= bit(s.d);
            }
            l_mov(l, (IrType)in->ty, s.d, s.s[0]);
            s.s[0] = s.d;
        }
    }
    if (r->flags & R_FAULT) {
        l_fault(l);
    }
    r->emit(&l->a, &s);
    if (r->dst != D_NONE) {
        l_def(l, i, s.d, (r->flags & R_ZX) || zxa);
    }
    if (l->want_flags && (r->flags & R_SETS)) {
        l->ef = l->want_flags;
        l->form = in->op == OP_sub || in->op == OP_sbc || in->op == OP_neg ? FF_SUB : FF_ADD;
        l->val[l->want_flags].attr |= A_DONE;
    }
}

void l_op(Lower *l, IrRef i)
{
    const IrIns *in = &l->ins[i];
    SelOp o = sel_ops[in->op];
    if ((o & L_FP) && UNLIKELY((l->r->key & KEY_FP_SLOW) || (l->marks & MARK_FP))) {
        l_eval(l, i); /* FPCR says what the host's instructions do not do */
        return;
    }
    Recipe how;
    if (l->nz && (o & (FAULTS | FPX)) &&
        ((o & L_CROWDED) || (in->op == OP_store && (in->y & MEM_RELEASE)) || /* destroys its operand */
         (l->ef != l->nz && l->val[l->nz].reg == NOREG && !l_recipe(l, l->nz, &how)))) {
        fl_store(l);
        l->lock = 0;
    }
    if ((o & L_FP) && UNLIKELY(l->r->key & (KEY_FP_FZ | KEY_FP_DN | KEY_FP_UFC)) && !fpmode_check(l, i)) {
        l_eval(l, i);
        return;
    }
    Own *alone = l->t->alone[in->op];
    if (alone) {
        l->exact = EXACT_NO; /* sees to it itself, as all OWN rows */
        alone(l, i);
        return;
    }
    const Rule *r = l->t->first[in->op];
    for (unsigned n = l->t->nrules[in->op]; n; n--, r++) {
        if (fits(l, in, r)) {
            if (r->own) {
                l->exact = EXACT_NO;
                r->f(l, i);
                return;
            }
            l->exact = (o & FPX) && (r->dst == D_XT || r->dst == D_RT) ? EXACT_TIED : EXACT_NO;
            l_rule(l, i, r);
            l->exact = EXACT_NO;
            return;
        }
    }
    BUG("no rule for %s.%u x=%u", ir_ops[in->op].name, in->ty, in->x);
}

/* -- forward pass -------------------------------------------------------------------------------------------- */

static inline void release(Lower *l)
{
    const IrRef pos = l->pos;
    for (uint64_t m = l->busy; m; m &= m - 1) {
        Reg r = (Reg)__builtin_ctzll(m);
        IrRef v = l->reg_val[r];
        if (l->val[v].last <= pos) {
            forget(l, v);
            free_reg(l, r);
        }
    }
    for (uint64_t m = l->spills; UNLIKELY(m); m &= m - 1) {
        unsigned n = (unsigned)__builtin_ctzll(m);
        if (l->val[l->spill_val[n]].last <= pos) {
            l->spills &= ~((uint64_t)1 << n);
        }
    }
    l->lock = 0;
    l->hot = false;
}

/* The flags op that the arithmetic at i may make along, or the arithmetic that the flags op at i may. */
bool sel_pairs(const IrIns *x, const IrIns *fl)
{
    static const uint8_t of[][2] = {{OP_add, OP_fl_add}, {OP_sub, OP_fl_sub}, {OP_adc, OP_fl_adc}, {OP_sbc, OP_fl_sbc}};
    for (unsigned k = 0; k < LEN(of); k++) {
        if (x->op == of[k][0] && fl->op == of[k][1]) {
            bool carry = x->op == OP_adc || x->op == OP_sbc;
            return x->ty == fl->ty && x->a == fl->a && x->b == fl->b && (!carry || x->c == fl->c);
        }
    }
    return false;
}

static IrRef arithmetic_flags(const Lower *l, IrRef i)
{
    const IrIns *in = &l->ins[i];
    if (i + 1 >= l->r->n || (l->val[i + 1].attr & A_DEAD) || (l->val[i].attr & A_LAZY)) {
        return 0;
    }
    const IrIns *fl = &l->ins[i + 1];
    if (fl->op < OP_fl_add || fl->op > OP_fl_logic || !l->val[i + 1].uses) {
        return 0;
    }
    bool logic = fl->op == OP_fl_logic && fl->a == i && (in->op == OP_and || in->op == OP_andn) && fl->ty == in->ty;
    return sel_pairs(in, fl) || logic ? i + 1 : 0;
}

static void start_block(Lower *l)
{
    l->busy = l->lock = l->spills = 0;
    l->weight = ir_depth_weight(l->flow.depth[l->block]);
    clear_bytes(l->reg_val, sizeof l->reg_val + sizeof l->slot_head + sizeof l->slot_cur); /* which are neighbours */
    l->ef = l->nz = 0;
}

void l_sync_block_end(Lower *l)
{
    if (l->r->nblocks < 2) {
        return;
    }
    const IrBlock *b = &l->r->blocks[l->block];
    for (IrRef i = b->first; i < b->end; i++) {
        Val *v = &l->val[i];
        if (v->last >= b->end && !(v->attr & (A_LAZY | A_DEAD)) && !((v->attr & A_REISSUE) && l->ef != i)) {
            l_spill(l, i);
            l->lock = 0;
        }
    }
}

static void leave_block(Lower *l)
{
    const IrBlock *b = &l->r->blocks[l->block];
    for (IrRef i = b->first; i < b->end; i++) {
        l->val[i].reg = NOREG;
        l->val[i].home = NOSLOT;
    }
}

static void lower_one(Lower *l, IrRef i, const IrIns *in, SelOp o)
{
    unsigned attr = l->val[i].attr;
    l->pos = i;
    if (o & K_GET) {
        lower_get(l, i);
    } else if (o & K_SET) {
        lower_set(l, i);
    } else if ((o & L_FLAGS) && i + 1 < l->r->n && sel_pairs(in + 1, in) && !(l->val[i + 1].attr & (A_DEAD | A_LAZY))) {
        /* flags first: make them by the arithmetic that follows */
        l->pos = i + 1;
        l->want_flags = i;
        l_op(l, i + 1);
        l->want_flags = 0;
        l->val[i + 1].attr |= A_DONE;
    } else if (!(attr & A_REISSUE) || (in->op == OP_fl_fcmp && in->imm != IR_ON_DEMAND)) {
        l->want_flags = o & L_PAIRS ? arithmetic_flags(l, i) : 0;
        l_op(l, i);
        l->want_flags = 0;
    } else {
        return;
    }
    release(l);
}

/* The ops of a block; false: no room. */
static bool lower_block(Lower *l, const IrBlock *b)
{
    const IrIns *ins = l->ins;
    const IrRef *todo = l->todo;
    unsigned n = l->ntodo;
    for (; n && todo[n - 1] < b->end; n--) {
        IrRef i = todo[n - 1];
        const IrIns *in = &ins[i];
        SelOp o = sel_ops[in->op];
        if (o & L_INSN) {
            l->guest_pc = ir_imm64(in);
            l->marks = UNLIKELY(l->e->nmarks) ? engine_marks(l->e, l->guest_pc) : 0;
            l->bound |= l->marks ? BOUND_HOST : 0;
        } else if (!(l->val[i].attr & A_DONE)) {
            asm_room(&l->a);
            lower_one(l, i, in, o);
            if (UNLIKELY(l->a.overflow | l->too_big)) {
                return false;
            }
        }
    }
    l->ntodo = n;
    return true;
}

static bool lower_blocks(Lower *l)
{
    loop_enter(l);
    if (l->r->tier == 2 && l->r->entry) {
        exit_goto(l, x_jmp(&l->a), (int)l->r->entry);
    }
    for (l->block = 0; l->block < l->r->nblocks; l->block++) {
        const IrBlock *b = &l->r->blocks[l->block];
        start_block(l);
        l->block_at[l->block] = l->a.p;
        if (UNLIKELY(l->profile != NULL)) {
            l_count(l, &l->profile[l->block].runs);
        }
        if (!lower_block(l, b)) {
            return false;
        }
        if (l->block + 1 < l->r->nblocks) {
            leave_block(l);
        }
    }
    return true;
}

bool sel_region(Lower *l)
{
    static const Val fresh = {0, 0, NOREG, NOSLOT, NOSPILL, NOSLOT, 0, 0, 0, 0};
    Val *end = l->val + l->r->n;
    for (Val *v = l->val; v < end; v += VALS_AT_ONCE) {
        v[0] = fresh;
        v[1] = fresh;
        v[2] = fresh;
        v[3] = fresh;
    }
    sel_sweep(l);
    if (!lower_blocks(l)) {
        return false;
    }
    for (unsigned k = 0; l->profile && k < l->r->nblocks; k++) {
        const uint8_t *end = k + 1 < l->r->nblocks ? l->block_at[k + 1] : l->a.p;
        l->profile[k].host = dump_count(l->block_at[k], (size_t)(end - l->block_at[k]));
    }
    exit_stubs(l);
    for (unsigned k = 0; k < l->nfix; k++) {
        asm_link(l->fix[k].at, l->block_at[l->fix[k].block]);
    }
    return !l->a.overflow && !l->too_big;
}
