/* sel_sweep.c - the backward sweep over a region: what each value is used for, before anything is emitted.
 *
 * It fills Lower.val (sel.h): last use, uses, the slot that a later set gives a value to, and what needs no code of its own:
 * dead, lazy (computed where it is used), re-issued (flags whose compare is repeated there).
 * One thread compiles a region; the sweep's tables are per thread.
 */
#include "sel.h"

/* What later ops do with a slot; entries of another generation mean nothing. */
typedef struct SlotSweep {
    IrRef hint;        /* value that a later set gives the slot, if nothing observes it before */
    uint32_t hint_gen;
    uint32_t over_gen; /* == gen: overwritten later before anybody looks */
} SlotSweep;

typedef struct SlotTable {
    SlotSweep slot[IR_MAX_SLOTS];
    uint32_t gen; /* grows from region to region, so that old entries mean nothing */
} SlotTable;

/* In locals of its own: what is written to Lower.val could be anywhere, as far as the compiler knows. */
typedef struct Sweep {
    Lower *l;
    const IrIns *ins;
    Val *val;
    SlotSweep *slot;
    uint32_t gen;
    bool soft, off; /* EngineConfig's */
    IrRef nz_need;  /* last place that needs the nzcv slot */
    IrRef clob;     /* nearest op after this one that changes EFLAGS */
} Sweep;

enum { U_PLAIN, U_FUSE, U_SET };

static inline __attribute__((always_inline)) void use(Val *v, IrRef pos, int kind)
{
    if (v->last < pos) {
        v->last = pos;
    }
    v->uses = (uint8_t)(v->uses + (v->uses < 255));
    v->fuse = (uint8_t)(v->fuse + (kind == U_FUSE));
    if (kind == U_SET) {
        v->sets++;
        v->next = pos; /* the sweep goes backward: in the end, the first one */
    }
}

static bool may_clobber(const Sweep *s, const IrIns *i)
{
    switch (i->op) {
    case OP_load: case OP_store:
        return s->soft; /* they look the TLB up */
    case OP_sub:
        return s->ins[i->b].op != OP_const;
    case OP_ubfx: case OP_sbfx:
        return i->x != 0 || !(i->y == 8 || i->y == 16 || i->y == 32);
    default: /* by a condition */
        return s->ins[i->a].op != OP_test_flags;
    }
}

/* Does op i change EFLAGS before it shows the flags, by a fault? */
static inline unsigned shows_after(const Sweep *s, IrRef i)
{
    return s->soft && (s->ins[i].op == OP_load || s->ins[i].op == OP_store);
}

/* Is v used so that it need not be computed on its own? */
static bool is_lazy(const Sweep *s, const IrIns *i, const Val *v)
{
    if (UNLIKELY(s->off)) {
        return false;
    }
    if (i->op == OP_add) {
        const IrIns *b = &s->ins[i->b];
        uint64_t k = b->op == OP_const ? ir_imm64(b) : 1ull << 40;
        return i->ty == I64 && (v->attr & A_ADDR) && v->fuse + v->sets == v->uses && (int64_t)k == (int32_t)k;
    }
    if (v->uses != 1 || v->fuse != 1) {
        return false;
    }
    return i->op == OP_shl ? s->ins[v->last].op == OP_add : !(v->attr & A_ADDR);
}

/* Do flags i come with a result that is needed as well? Then no compare is issued again for them, as long as nothing changes them,
 * and the result can take the place of an operand. */
static bool with_result(const Sweep *s, IrRef i)
{
    const IrIns *in = &s->ins[i];
    return (i + 1 < s->l->r->n && sel_pairs(in + 1, in) && !(s->val[i + 1].attr & (A_DEAD | A_LAZY))) ||
           (sel_pairs(in - 1, in) && s->val[i - 1].uses);
}

/* Is load i the second of a pair that lies in one 16-byte granule, so that it cannot fault when the first did not? */
static bool shares_granule(const Sweep *s, IrRef i)
{
    const IrIns *second = &s->ins[i], *first = second - 1;
    if (first->op != OP_load || second->op != OP_load || second->a != first->a || s->soft) {
        return false;
    }
    const IrIns *base = &s->ins[second->a];
    return !second->b && !first->b && base->op == OP_get && base->x == s->l->e->fe->sp_slot && first->imm % 16 == 0 &&
           second->imm > first->imm && second->imm + (1 << (second->x & MEM_SIZE_MASK)) <= first->imm + 16;
}

static inline void observe(Sweep *s, IrRef i)
{
    s->gen++;
    if (shares_granule(s, i)) { /* the first one's result may be in its register already */
        const Val *v = &s->val[i - 1];
        SlotSweep *slot = &s->slot[v->hint];
        if (v->hint != NOSLOT && slot->hint == i - 1 && slot->hint_gen == s->gen - 1) {
            slot->hint_gen = s->gen;
        }
    }
}

/* False: needs no code. */
static inline __attribute__((always_inline)) bool sweep_set(Sweep *s, IrRef i, const IrIns *in, unsigned nzcv)
{
    unsigned n = in->x;
    Val *v = &s->val[in->a];
    if (n == nzcv) {
        if (!s->nz_need) {
            s->val[i].attr |= A_DEAD;
            return false;
        }
        use(v, s->nz_need, U_PLAIN);
        s->nz_need = 0;
        return true;
    }
    SlotSweep *slot = &s->slot[n];
    if (UNLIKELY(s->off)) {
        use(v, i, U_SET);
        return true;
    }
    if (slot->over_gen == s->gen) {
        s->val[i].attr |= A_DEAD;
        return false;
    }
    slot->over_gen = s->gen;
    use(v, i, U_SET);
    slot->hint = 0;
    if (s->l->t->pin[n] != NOREG && in->a < i) { /* the set nearest to the definition decides */
        if (v->hint != NOSLOT && s->slot[v->hint].hint == in->a) {
            s->slot[v->hint].hint = 0;
        }
        slot->hint = in->a;
        slot->hint_gen = s->gen;
        v->hint = (uint8_t)n;
    }
    return true;
}

SelOp sel_ops[OP_COUNT];

static unsigned kind_of(unsigned op)
{
    switch (op) {
    case OP_nop: case OP_insn: case OP_const: case OP_v_const: case OP_v_const_hi:
        return K_NOTHING;
    case OP_get:
        return K_GET;
    case OP_set:
        return K_SET;
    case OP_call: case OP_exit_pc: case OP_exit_call: case OP_exit_if: case OP_exit_ind: case OP_exit_ret: case OP_exit_call_ind:
    case OP_exit_exc: case OP_jump: case OP_branch: case OP_exit_exc_if:
        return K_LEAVES;
    default:
        return 0;
    }
}

static unsigned clobbers(unsigned op)
{
    switch (op) {
    case OP_nop: case OP_insn: case OP_const: case OP_get: case OP_set: case OP_prefetch:
    case OP_add: case OP_not: case OP_shl: case OP_lshr: case OP_ashr: case OP_ror: case OP_mulh_u: case OP_bswap:
    case OP_sext32: case OP_zext32: case OP_trunc: case OP_test_flags: case OP_fl_const: case OP_fl_unpack:
    case OP_bits_to_f: case OP_f_to_bits: case OP_s_to_v: case OP_v_to_s: case OP_v_const: case OP_v_const_hi:
    case OP_f_add: case OP_f_sub: case OP_f_mul: case OP_f_div: case OP_f_sqrt: case OP_f_neg: case OP_f_abs:
    case OP_exit_pc: case OP_exit_call: case OP_exit_exc: case OP_jump:
        return 0;
    case OP_load: case OP_store: case OP_sub: case OP_ubfx: case OP_sbfx:
    case OP_select: case OP_exit_if: case OP_branch: case OP_exit_exc_if:
        return W_MAY_CLOBBER;
    default:
        return op < OP_f_add ? W_CLOBBERS : 0; /* vector instructions leave EFLAGS alone */
    }
}

static unsigned sweep_of(unsigned op)
{
    unsigned w = clobbers(op);
    switch (op) {
    case OP_test_flags: case OP_cmp: case OP_is_zero: case OP_test_bit: case OP_and: case OP_shl:
        return w | W_MAY_LAZY;
    case OP_add:
        return w | W_MAY_LAZY | W_ON_DEMAND | W_FUSES;
    case OP_fl_sub: case OP_fl_add: case OP_fl_fcmp:
        return w | W_REISSUE | W_ON_DEMAND;
    case OP_fl_logic:
        return w | W_REISSUE | W_ON_DEMAND | W_FUSES;
    case OP_fl_adc: case OP_fl_sbc:
        return w | W_ON_DEMAND;
    case OP_exit_if: case OP_select: case OP_branch: case OP_exit_exc_if: case OP_fl_select: case OP_load: case OP_store:
        return w | W_FUSES;
    default:
        return w;
    }
}

static unsigned lower_of(unsigned op)
{
    unsigned l = (ir_ops[op].effects & (EVAL | FPX)) == (EVAL | FPX) ? L_FP : 0;
    switch (op) {
    case OP_nop: case OP_const: case OP_v_const: case OP_v_const_hi: case OP_fl_const:
        return L_NOTHING;
    case OP_insn:
        return L_INSN;
    case OP_fl_add: case OP_fl_sub: case OP_fl_adc: case OP_fl_sbc: case OP_fl_logic:
        return l | L_FLAGS;
    case OP_add: case OP_sub: case OP_adc: case OP_sbc: case OP_and: case OP_andn:
        return l | L_PAIRS;
    case OP_rmw: case OP_cas: case OP_cas128:
        return l | L_CROWDED;
    default:
        return l;
    }
}

void sel_init(void)
{
    for (unsigned op = 0; op < OP_COUNT; op++) {
        SelOp o = ir_ops[op].effects | kind_of(op) | sweep_of(op) | lower_of(op);
        for (unsigned k = 0; k < 3; k++) {
            o |= ir_ops[op].sig[2 + k] != '.' ? HAS_A << k : 0;
        }
        sel_ops[op] = o;
    }
}

/* The operand of an add that a scaled index can be; 3 = none. */
static unsigned scaled_operand(const Sweep *s, const IrIns *in)
{
    for (unsigned k = 0; k < 2; k++) {
        IrRef u = sel_operand(in, k);
        const IrIns *x = &s->ins[u];
        if (x->op == OP_shl && x->ty == in->ty && s->ins[x->b].op == OP_const && ir_imm64(&s->ins[x->b]) <= 3 && !s->val[u].uses) {
            return k;
        }
    }
    return 3;
}

/* Bit per operand that the op can take in. */
static unsigned fused_operands(const Sweep *s, IrRef i, const IrIns *in)
{
    switch (in->op) {
    case OP_add:
        return s->val[i].attr & A_LAZY ? 0 : 1u << scaled_operand(s, in);
    case OP_fl_logic:
        return i == in->a + 1 && s->ins[in->a].op == OP_and;
    case OP_fl_select:
        return 3;
    case OP_load: case OP_store:
        s->val[in->a].attr |= A_ADDR;
        return 1;
    default:
        return 1;
    }
}

static inline __attribute__((always_inline)) void sweep_operands(Sweep *s, IrRef i, const IrIns *in, SelOp o, IrRef pos)
{
    unsigned fused = o & W_FUSES ? fused_operands(s, i, in) : 0;
    if ((o & HAS_A) && in->a) {
        use(&s->val[in->a], pos, fused & 1);
    }
    if ((o & HAS_B) && in->b) {
        use(&s->val[in->b], pos, fused >> 1 & 1);
    }
    if ((o & HAS_C) && in->c) {
        use(&s->val[in->c], pos, U_PLAIN);
    }
}

/* An op that leaves, or a call: who needs the nzcv slot, and what is between here and the next change of EFLAGS. Returns its effects. */
static unsigned sweep_leaving(Sweep *s, IrRef i, const IrIns *in)
{
    unsigned eff = ir_ops[in->op].effects;
    switch (in->op) {
    case OP_call:
        eff = s->l->e->fe->helpers[in->imm].effects;
        if (eff & (STATE | FAULTS | EXITS)) {
            s->nz_need = s->nz_need ? s->nz_need : i;
        }
        break;
    case OP_exit_pc: case OP_exit_call:
        s->nz_need = 0; /* what comes behind is another block */
        s->clob = s->l->r->n;
        /* fall through */
    case OP_exit_if:
        if (!(in->x & EXIT_FLAGS_DEAD) && !s->nz_need) {
            s->nz_need = i;
        }
        break;
    case OP_exit_ind: case OP_exit_ret: case OP_exit_call_ind:
        s->val[in->a].attr |= A_TARGET;
        /* fall through */
    case OP_exit_exc: case OP_jump: case OP_branch:
        s->nz_need = i;
        s->clob = s->l->r->n;
        break;
    default: /* exit_exc_if */
        s->nz_need = s->nz_need ? s->nz_need : i;
        break;
    }
    return eff;
}

/* Any other op; false: it needs no code. */
static inline __attribute__((always_inline)) bool sweep_op(Sweep *s, IrRef i, const IrIns *in, SelOp o)
{
    Val *v = &s->val[i];
    bool on_demand = in->imm == IR_ON_DEMAND && (o & W_ON_DEMAND);
    unsigned eff = on_demand ? 0 : o;
    if (o & K_LEAVES) {
        eff = sweep_leaving(s, i, in);
    } else if (!(eff & (WRITES | FAULTS | EXITS | FPX | QC)) && !v->uses) {
        v->attr |= A_DEAD;
        return false;
    }
    if (v->hint != NOSLOT && (s->slot[v->hint].hint != i || s->slot[v->hint].hint_gen != s->gen)) {
        v->hint = NOSLOT;
    }
    if (eff & (FAULTS | EXITS | STATE | FPX)) {
        observe(s, i);
        if (eff & (FAULTS | FPX) && !s->nz_need) {
            s->nz_need = i;
        }
    }
    IrRef pos = i;
    if (o & (W_MAY_LAZY | W_REISSUE)) {
        if (((o & W_MAY_LAZY) && is_lazy(s, in, v)) || (on_demand && in->op == OP_add)) {
            v->attr |= A_LAZY;
            pos = v->sets && in->op == OP_add ? v->next : v->last; /* a set computes it */
        } else if ((o & W_REISSUE) && (on_demand || s->clob < v->last + shows_after(s, v->last) ||
                                           (v->fuse && v->uses == 1 && !with_result(s, i)) || in->op == OP_fl_fcmp)) {
            v->attr |= A_REISSUE;
            pos = v->last > i ? v->last : i;
        }
    }
    sweep_operands(s, i, in, o, pos);
    if (o & (W_CLOBBERS | W_MAY_CLOBBER) && !(v->attr & (A_LAZY | A_REISSUE)) && ((o & W_CLOBBERS) || may_clobber(s, in))) {
        s->clob = i;
    }
    return !(v->attr & A_LAZY);
}

/* This thread's, too large to be cleared for every region. */
static __attribute__((noinline)) SlotTable *slot_table(void)
{
    static __thread SlotTable table;
    if (table.gen > UINT32_MAX / 2) {
        memset(&table, 0, sizeof table);
    }
    return &table;
}

void sel_sweep(Lower *l)
{
    SlotTable *table = slot_table();
    unsigned nzcv = l->e->fe->nzcv_slot;
    Sweep sweep = {.l = l, .ins = l->ins, .val = l->val, .slot = table->slot, .gen = table->gen + 1, .soft = l->e->cfg.soft,
                   .off = l->e->cfg.no_opt & OFF_SWEEP, .clob = l->r->n}, *s = &sweep;
    IrRef *todo = l->todo;
    unsigned begun = 0; /* L_INSN: what was entered last still lacks the begin of its guest instruction */
    for (IrRef i = l->r->n - 1; i > 0; i--) {
        const IrIns *in = &s->ins[i];
        SelOp o = sel_ops[in->op];
        bool code;
        if (o & K_NOTHING) {
            if (o & begun) {
                *todo++ = i;
                begun = 0;
            }
            continue;
        }
        if (o & K_SET) {
            code = sweep_set(s, i, in, nzcv);
        } else if (o & K_GET) {
            s->slot[in->x].over_gen = 0;
            s->slot[in->x].hint = 0;
            code = s->val[i].uses;
            s->val[i].attr |= code ? 0 : A_DEAD;
        } else {
            code = sweep_op(s, i, in, o) && !(o & L_NOTHING);
        }
        *todo = i;
        todo += code;
        begun = code ? L_INSN : begun;
    }
    l->ntodo = (unsigned)(todo - l->todo);
    table->gen = s->gen;
}
