/* mutate.c - planted errors: what the front end makes is changed by one small mistake, in every engine of this
 * process. The test must find each; that is how we know that it looks where it should.
 *
 * A mistake is a function that looks at one op and may spoil it. To add one: a function and its row.
 */
#include "diff.h"

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

static const struct {
    const char *name;
    void (*spoil)(IrRegion *r, IrRef at);
} table[] = {
    {"operands of a 16-bit lane subtraction swapped", sub_operands},
    {"SBCS ignores the carry", carry_of_sub},
    {"ANDS of W registers leaves the flags", dropped_flags},
    {"FMINNM treats quiet NaNs as FMIN does", nan_rule},
    {"SXTB zero-extends", width},
    {"a load forgets its write-back", write_back},
    {"LDRSH does not extend the sign", sign_of_load},
    {"FCVTA rounds ties to even", rounding},
    {"FCMPE does not signal quiet NaNs", quiet_compare},
    {"32-bit saturating additions wrap", saturation},
    {"the link register is one instruction off", link_register},
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
    the_frontend.translate = n ? translate : a64_frontend.translate;
}
