/* mutate.c - planted errors: what the front end makes is changed by one small mistake, in every engine of this
 * process. The test must find each; that is how we know that it looks where it should.
 *
 * A mistake is a function that looks at one op and may spoil it; those of tier 2 come after its passes. To add one: a function
 * and its row.
 */
#include "diff.h"
#include "region.h"

static bool first_of_insn(const IrRegion *r, IrRef at, unsigned op)
{
    for (IrRef i = at; i-- > 0 && r->ins[i].op != OP_insn;) {
        if (r->ins[i].op == op) {
            return false;
        }
    }
    return true;
}

static bool accesses_before(const IrRegion *r, IrRef at, unsigned op)
{
    for (IrRef i = at; i-- > 0 && r->ins[i].op != OP_insn;) {
        if (r->ins[i].op == op) {
            return true;
        }
    }
    return false;
}

static void sub_operands(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_v_sub && i->x == E_H) {
        IrRef a = i->a;
        i->a = i->b;
        i->b = a;
    }
}

static void carry_of_sub(IrRegion *r, IrRef at)
{
    if (r->ins[at].op == OP_fl_sbc) {
        r->ins[at].op = OP_fl_sub;
    }
}

static void dropped_flags(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_set && i->x == SLOT_nzcv && r->ins[i->a].op == OP_fl_logic && r->ins[i->a].ty == I32) {
        *i = (IrIns){.op = OP_nop};
    }
}

static void nan_rule(IrRegion *r, IrRef at)
{
    if (r->ins[at].op == OP_f_minnm) {
        r->ins[at].op = OP_f_min;
    }
}

static void width(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_set && i->x < SLOT_pc && i->ty == I32 && r->ins[i->a].op == OP_cls) {
        i->ty = I64;
    }
    if (i->op == OP_sbfx && i->y == 8) {
        i->op = OP_ubfx;
    }
}

/* The write-back of a load: the first register set after it, when two are. */
static void write_back(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_set && r->ins[i->a].op == OP_add && accesses_before(r, at, OP_load) && first_of_insn(r, at, OP_set)) {
        *i = (IrIns){.op = OP_nop};
    }
}

static void sign_of_load(IrRegion *r, IrRef at)
{
    if (r->ins[at].op == OP_load && r->ins[at].x == MS16) {
        r->ins[at].x = M16;
    }
}

static void rounding(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_f_to_i && (i->y & FPR_MASK) == FPR_TIEAWAY) {
        i->y = (uint8_t)(i->y & ~FPR_MASK) | FPR_TIEEVEN;
    }
}

static void quiet_compare(IrRegion *r, IrRef at)
{
    if (r->ins[at].op == OP_fl_fcmp || r->ins[at].op == OP_f_compare) {
        r->ins[at].y = 0;
    }
}

static void saturation(IrRegion *r, IrRef at)
{
    if (r->ins[at].op == OP_v_qadd && r->ins[at].x == E_S) {
        r->ins[at].op = OP_v_add;
        r->ins[at].y = 0;
    }
}

static void link_register(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_const && i->ty == I64 && at + 1 < r->n && r->ins[at + 1].op == OP_set && r->ins[at + 1].x == SLOT_x + 30) {
        i->b += 4;
    }
}

/* What a block computes the flags of its edges from */
static void recipe(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_fl_sub && i->imm == IR_ON_DEMAND && r->ins[i->b].op == OP_const) {
        r->ins[i->b].b ^= 1;
    }
}

static void edge_flags(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if ((i->op == OP_exit_if || i->op == OP_exit_pc) && ir_edge(r, i) >= 0) {
        i->x |= EXIT_FLAGS_DEAD;
    }
}

static void upper_part(IrRegion *r, IrRef at)
{
    IrIns *i = &r->ins[at];
    if (i->op == OP_get && (i->ty == F32 || i->ty == F64)) {
        i->y = 1;
    }
}

static const struct {
    const char *name;
    void (*spoil)(IrRegion *r, IrRef at);
    bool loop; /* in tier 2 only */
} table[] = {
    {"operands of a 16-bit lane subtraction swapped", sub_operands, false},
    {"SBCS ignores the carry", carry_of_sub, false},
    {"ANDS of W registers leaves the flags", dropped_flags, false},
    {"FMINNM treats quiet NaNs as FMIN does", nan_rule, false},
    {"SXTB zero-extends", width, false},
    {"a load forgets its write-back", write_back, false},
    {"LDRSH does not extend the sign", sign_of_load, false},
    {"FCVTA rounds ties to even", rounding, false},
    {"FCMPE does not signal quiet NaNs", quiet_compare, false},
    {"32-bit saturating additions wrap", saturation, false},
    {"the link register is one instruction off", link_register, false},
    {"tier 2 compares with the wrong constant again", recipe, true},
    {"tier 2 forgets the flags at its edges", edge_flags, true},
    {"tier 2 takes all vectors for scalars", upper_part, true},
};

static unsigned planted;

static void translate(const void *cpu_model, Space *s, Gva pc, uint64_t key, unsigned max_insns, IrRegion *r, IrIns *ins,
                      uint32_t cap)
{
    a64_frontend.translate(cpu_model, s, pc, key, max_insns, r, ins, cap);
    for (IrRef i = 1; i < r->n; i++) {
        table[planted - 1].spoil(r, i);
    }
}

static bool translate_loop(const void *cpu_model, Space *s, const TrStop *stop, Gva pc, uint64_t key, unsigned max_insns, IrRegion *r,
                           IrIns *ins, uint32_t cap)
{
    bool made = a64_frontend.translate_loop(cpu_model, s, stop, pc, key, max_insns, r, ins, cap);
    for (IrRef i = 1; made && i < r->n; i++) {
        table[planted - 1].spoil(r, i);
    }
    return made;
}

unsigned mutations(void)
{
    return LEN(table);
}

const char *mutation_name(unsigned n)
{
    return table[n - 1].name;
}

void mutation_set(unsigned n)
{
    planted = n;
    bool loop = n && table[n - 1].loop;
    the_frontend.translate = n && !loop ? translate : a64_frontend.translate;
    the_frontend.translate_loop = n ? translate_loop : a64_frontend.translate_loop;
}
