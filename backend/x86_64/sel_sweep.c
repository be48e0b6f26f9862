/* sel_sweep.c - the backward sweep over a region: what each value is used for, before anything is emitted.
 *
 * It fills Lower.val (sel.h): last use, uses, the slot that a later set gives a value to, and what needs no code of its own:
 * dead, lazy (computed where it is used), re-issued (flags whose compare is repeated there).
 * One thread compiles a region; the sweep's tables are per thread.
 */
#include "sel.h"

typedef struct Sweep {
    IrRef slot_hint[IR_MAX_SLOTS];  /* value that a later set gives the slot, if nothing observes it before */
    uint32_t hint_gen[IR_MAX_SLOTS];
    uint32_t over_gen[IR_MAX_SLOTS]; /* == gen: overwritten later before anybody looks */
    uint32_t gen;                   /* grows from region to region, so that old entries mean nothing */
    IrRef nz_need;  /* last place that needs the nzcv slot */
    IrRef clob;     /* nearest op after this one that changes EFLAGS */
} Sweep;

enum { U_PLAIN, U_FUSE, U_SET };

static inline void use(Lower *l, IrRef u, IrRef pos, int kind)
{
    Val *v = &l->val[u];
    if (v->last < pos) {
        v->last = pos;
    }
    if (v->uses < 255) {
        v->uses++;
    }
    v->fuse = (uint8_t)(v->fuse + (kind == U_FUSE));
    if (kind == U_SET) {
        v->sets++;
        v->next = pos; /* the sweep goes backward: in the end, the first one */
    }
}

/* Does the op change EFLAGS in its usual lowering? A guess that costs only speed when wrong. */
static bool clobbers(const Lower *l, const IrIns *i)
{
    switch (i->op) {
    case OP_load: case OP_store:
        return l->e->cfg.soft; /* they look the TLB up */
    case OP_nop: case OP_insn: case OP_const: case OP_get: case OP_set: case OP_prefetch:
    case OP_add: case OP_not: case OP_shl: case OP_lshr: case OP_ashr: case OP_ror: case OP_mulh_u: case OP_bswap:
    case OP_sext32: case OP_zext32: case OP_trunc: case OP_test_flags: case OP_fl_const: case OP_fl_unpack:
    case OP_bits_to_f: case OP_f_to_bits: case OP_s_to_v: case OP_v_to_s: case OP_v_const: case OP_v_const_hi:
    case OP_f_add: case OP_f_sub: case OP_f_mul: case OP_f_div: case OP_f_sqrt: case OP_f_neg: case OP_f_abs:
    case OP_exit_pc: case OP_exit_call: case OP_exit_exc: case OP_jump:
        return false;
    case OP_sub:
        return !l_is_const(l, i->b);
    case OP_ubfx: case OP_sbfx:
        return i->x != 0 || !(i->y == 8 || i->y == 16 || i->y == 32);
    case OP_select: case OP_exit_if: case OP_branch: case OP_exit_exc_if:
        return l->ins[i->a].op != OP_test_flags;
    default:
        return i->op < OP_f_add; /* vector instructions leave EFLAGS alone */
    }
}

/* Does op i change EFLAGS before it shows the flags, by a fault? */
static inline unsigned shows_after(const Lower *l, IrRef i)
{
    return l->e->cfg.soft && (l->ins[i].op == OP_load || l->ins[i].op == OP_store);
}

static inline bool can_reissue(unsigned op)
{
    return op == OP_fl_sub || op == OP_fl_add || op == OP_fl_logic || op == OP_fl_fcmp;
}

/* Is v used so that it need not be computed on its own? */
static bool is_lazy(const Lower *l, const IrIns *i, const Val *v)
{
    if (UNLIKELY(l->e->cfg.no_opt & OFF_SWEEP)) {
        return false;
    }
    switch (i->op) {
    case OP_test_flags: case OP_cmp: case OP_is_zero: case OP_test_bit:
        return v->uses == 1 && v->fuse == 1 && !(v->attr & A_ADDR);
    case OP_add: {
        uint64_t k = l_is_const(l, i->b) ? ir_imm64(l_ins(l, i->b)) : 1ull << 40;
        return i->ty == I64 && (v->attr & A_ADDR) && v->fuse + v->sets == v->uses && (int64_t)k == (int32_t)k;
    }
    case OP_and:
        return v->uses == 1 && v->fuse == 1 && !(v->attr & A_ADDR);
    case OP_shl:
        return v->uses == 1 && v->fuse == 1 && l->ins[v->last].op == OP_add;
    default:
        return false;
    }
}

/* Do flags i come with a result that is needed as well? Then no compare is issued again for them, as long as nothing changes them,
 * and the result can take the place of an operand. */
static bool with_result(const Lower *l, IrRef i)
{
    const IrIns *in = &l->ins[i];
    return (i + 1 < l->r->n && sel_pairs(in + 1, in) && !(l->val[i + 1].attr & (A_DEAD | A_LAZY))) ||
           (sel_pairs(in - 1, in) && l->val[i - 1].uses);
}

/* Is load i the second of a pair that lies in one 16-byte granule, so that it cannot fault when the first did not? */
static bool shares_granule(const Lower *l, IrRef i)
{
    const IrIns *second = &l->ins[i], *first = &l->ins[i - 1], *base = &l->ins[second->a];
    return !l->e->cfg.soft && second->op == OP_load && first->op == OP_load && second->a == first->a && !second->b && !first->b &&
           base->op == OP_get && base->x == l->e->fe->sp_slot && first->imm % 16 == 0 && second->imm > first->imm &&
           second->imm + (1 << (second->x & MEM_SIZE_MASK)) <= first->imm + 16;
}

static void observe(Lower *l, Sweep *s, IrRef i)
{
    s->gen++;
    if (shares_granule(l, i)) { /* the first one's result may be in its register already */
        Val *v = &l->val[i - 1];
        if (v->hint != NOSLOT && s->slot_hint[v->hint] == i - 1 && s->hint_gen[v->hint] == s->gen - 1) {
            s->hint_gen[v->hint] = s->gen;
        }
    }
}

static void sweep_set(Lower *l, Sweep *s, IrRef i, const IrIns *in, unsigned nzcv)
{
    unsigned slot = in->x;
    if (slot == nzcv) {
        if (s->nz_need) {
            use(l, in->a, s->nz_need, U_PLAIN);
            s->nz_need = 0;
        } else {
            l->val[i].attr |= A_DEAD;
        }
        return;
    }
    if (UNLIKELY(l->e->cfg.no_opt & OFF_SWEEP)) {
        use(l, in->a, i, U_SET);
        return;
    }
    if (s->over_gen[slot] == s->gen) {
        l->val[i].attr |= A_DEAD;
        return;
    }
    s->over_gen[slot] = s->gen;
    use(l, in->a, i, U_SET);
    s->slot_hint[slot] = 0;
    Val *v = &l->val[in->a];
    if (l->t->pin[slot] != NOREG && in->a < i) { /* the set nearest to the definition decides */
        if (v->hint != NOSLOT && s->slot_hint[v->hint] == in->a) {
            s->slot_hint[v->hint] = 0;
        }
        s->slot_hint[slot] = in->a;
        s->hint_gen[slot] = s->gen;
        v->hint = (uint8_t)slot;
    }
}

uint8_t sel_operands[OP_COUNT];

void sel_init(void)
{
    for (unsigned op = 0; op < OP_COUNT; op++) {
        for (unsigned k = 0; k < 3; k++) {
            sel_operands[op] |= (uint8_t)((ir_ops[op].sig[2 + k] != '.') << k);
        }
    }
}

/* The operand of an add that a scaled index can be; 3 = none. */
static unsigned scaled_operand(const Lower *l, const IrIns *in)
{
    for (unsigned k = 0; k < 2; k++) {
        IrRef u = sel_operand(in, k);
        const IrIns *x = &l->ins[u];
        if (x->op == OP_shl && x->ty == in->ty && l_is_const(l, x->b) && ir_imm64(l_ins(l, x->b)) <= 3 && !l->val[u].uses) {
            return k;
        }
    }
    return 3;
}

static void sweep_operands(Lower *l, IrRef i, const IrIns *in, IrRef pos)
{
    unsigned m = sel_operands[in->op];
    bool cond = in->op == OP_exit_if || in->op == OP_select || in->op == OP_branch || in->op == OP_exit_exc_if;
    bool address = in->op == OP_load || in->op == OP_store;
    unsigned scaled = in->op == OP_add && !(l->val[i].attr & A_LAZY) ? scaled_operand(l, in) : 3;
    for (unsigned k = 0; m >> k; k++) {
        IrRef u = m >> k & 1 ? sel_operand(in, k) : 0;
        if (!u) {
            continue;
        }
        bool fuse = (k == 0 && (cond || address || in->op == OP_fl_select)) || (k == 1 && in->op == OP_fl_select);
        if (in->op == OP_fl_logic && i == u + 1 && l->ins[u].op == OP_and) {
            fuse = true;
        }
        use(l, u, pos, fuse || k == scaled ? U_FUSE : U_PLAIN);
        if (k == 0 && address) {
            l->val[u].attr |= A_ADDR;
        }
    }
}

void sel_sweep(Lower *l)
{
    const Frontend *fe = l->e->fe;
    static __thread Sweep sweep; /* too large to be cleared for every region */
    Sweep *s = &sweep;
    if (s->gen > UINT32_MAX / 2) {
        memset(s, 0, sizeof *s);
    }
    s->gen++;
    s->nz_need = 0;
    s->clob = l->r->n;
    for (IrRef i = l->r->n - 1; i > 0; i--) {
        const IrIns *in = &l->ins[i];
        Val *v = &l->val[i];
        bool on_demand = in->imm == IR_ON_DEMAND && ((in->op >= OP_fl_add && in->op <= OP_fl_fcmp) || in->op == OP_add);
        unsigned eff = on_demand ? 0 : ir_ops[in->op].effects;
        switch (in->op) {
        case OP_nop: case OP_insn: case OP_const: case OP_v_const: case OP_v_const_hi:
            continue;
        case OP_get:
            s->over_gen[in->x] = 0;
            s->slot_hint[in->x] = 0;
            if (!v->uses) {
                v->attr |= A_DEAD;
            }
            continue;
        case OP_set:
            sweep_set(l, s, i, in, fe->nzcv_slot);
            continue;
        case OP_call:
            eff = fe->helpers[in->imm].effects;
            if (eff & (STATE | FAULTS | EXITS)) {
                s->nz_need = s->nz_need ? s->nz_need : i;
            }
            break;
        case OP_exit_pc: case OP_exit_call:
            s->nz_need = 0; /* what comes behind is another block */
            s->clob = l->r->n;
            /* fall through */
        case OP_exit_if:
            if (!(in->x & EXIT_FLAGS_DEAD) && !s->nz_need) {
                s->nz_need = i;
            }
            break;
        case OP_exit_ind: case OP_exit_ret: case OP_exit_call_ind:
            l->val[in->a].attr |= A_TARGET;
            /* fall through */
        case OP_exit_exc: case OP_jump: case OP_branch:
            s->nz_need = i;
            s->clob = l->r->n;
            break;
        case OP_exit_exc_if:
            s->nz_need = s->nz_need ? s->nz_need : i;
            break;
        default:
            if (!(eff & (WRITES | FAULTS | EXITS | FPX | QC)) && !v->uses) {
                v->attr |= A_DEAD;
                continue;
            }
        }
        if (v->hint != NOSLOT && (s->slot_hint[v->hint] != i || s->hint_gen[v->hint] != s->gen)) {
            v->hint = NOSLOT;
        }
        if (eff & (FAULTS | EXITS | STATE | FPX)) {
            observe(l, s, i);
        }
        if (eff & (FAULTS | FPX) && !s->nz_need) {
            s->nz_need = i;
        }
        IrRef pos = i;
        if (is_lazy(l, in, v) || (on_demand && in->op == OP_add)) {
            v->attr |= A_LAZY;
            pos = v->sets && in->op == OP_add ? v->next : v->last; /* a set computes it */
        } else if (can_reissue(in->op) && (on_demand || s->clob < v->last + shows_after(l, v->last) || (v->fuse && v->uses == 1 && !with_result(l, i)) ||
                                             in->op == OP_fl_fcmp)) {
            v->attr |= A_REISSUE;
            pos = v->last > i ? v->last : i;
        }
        sweep_operands(l, i, in, pos);
        if (!(v->attr & (A_LAZY | A_REISSUE)) && clobbers(l, in)) {
            s->clob = i;
        }
    }
}
