/* sel_fault.c - what a memory access needs of the register allocator: its address, and the entry of the fault table
 * that says where the guest's flags are when it faults.
 *
 * Flags that no register holds are found again by a recipe (tb.h): the compare's operands and how to repeat it.
 * One thread compiles a region; nothing here is shared.
 */
#include "sel.h"

/* At a place that was given a tagged pointer before: the address sign-extended from bit 55. */
Mem l_untag(Lower *l, Mem m)
{
    if (LIKELY(!(l->marks & MARK_TBI))) {
        return m;
    }
    Reg t = l_temp(l), k = l_temp(l);
    x_lea(&l->a, 1, t, m);
    x_mov_ri(&l->a, k, 8);
    x_shlx_rrr(&l->a, 1, t, k, t);
    x_sarx_rrr(&l->a, 1, t, k, t);
    l->lock &= ~(bit(k) | (m.base < 16 ? bit(m.base) : 0)); /* only the result counts from here on */
    return mem(t, 0);
}

Mem l_addr(Lower *l, const IrIns *i)
{
    Mem m = {NOREG, NOREG, 0, i->imm, 0};
    const IrIns *a = &l->ins[i->a];
    const Val *v = &l->val[i->a];
    if ((v->attr & A_LAZY) && !(v->attr & A_DONE)) {
        int64_t k = (int64_t)ir_imm64(l_ins(l, a->b)) + i->imm;
        if (k == (int32_t)k) {
            m.disp = (int32_t)k;
            m.base = l_reg(l, a->a);
        } else {
            m.base = l_reg(l, i->a);
        }
    } else {
        m.base = l_reg(l, i->a);
    }
    if (i->b) {
        m.index = l_reg(l, i->b);
        m.scale = i->y & MEM_SCALE;
        if (m.scale > 3) {
            Reg t = l_take(l, i->b);
            Reg k = l_temp(l);
            x_mov_ri(&l->a, k, m.scale);
            x_shlx_rrr(&l->a, 1, t, k, t);
            m.index = t;
            m.scale = 0;
        }
    }
    return l_untag(l, m);
}

/* Where a recipe finds operand n; false when it is nowhere. */
static bool recipe_place(const Lower *l, IrRef v, Recipe *r, unsigned n)
{
    const Val *p = &l->val[v];
    if (l_is_const(l, v)) {
        r->kind[n] = l_ins(l, v)->x == CONST_PC ? RECIPE_ADDRESS : RECIPE_CONST;
        r->k[n] = ir_imm64(l_ins(l, v));
        return l_ins(l, v)->x != CONST_HOST;
    }
    if ((p->attr & (A_LAZY | A_DONE)) == A_LAZY) {
        const IrIns *in = l_ins(l, v);
        if (in->op != OP_add || !l_is_const(l, in->b) || !recipe_place(l, in->a, r, n)) {
            return false;
        }
        r->k[n] = ir_imm64(l_ins(l, in->b));
        return true;
    }
    r->kind[n] = p->reg != NOREG ? RECIPE_REG : p->spill != NOSPILL ? RECIPE_SPILL : RECIPE_SLOT;
    r->place[n] = p->reg != NOREG ? p->reg : p->spill != NOSPILL ? p->spill : p->home;
    return r->place[n] != NOSLOT;
}

bool l_recipe(const Lower *l, IrRef f, Recipe *r)
{
    const IrIns *in = l_ins(l, f);
    if (!(l->val[f].attr & A_REISSUE) || l->val[f].last < l->pos) {
        return false;
    }
    if (in->op == OP_fl_logic && l->ins[in->a].op == OP_and && (l->val[in->a].attr & A_LAZY)) {
        in = l_ins(l, in->a);
    }
    memset(r, 0, sizeof *r);
    r->op = in->op;
    r->wide = in->ty == I64 || in->ty == F64;
    switch (in->op) {
    case OP_fl_fcmp:
        if (l->e->cfg.soft || (l->r->key & (KEY_FP_SLOW | KEY_FP_FZ))) {
            return false;
        }
        /* fall through */
    case OP_fl_add: case OP_fl_sub: case OP_and:
        return recipe_place(l, in->a, r, 0) && recipe_place(l, in->b, r, 1);
    case OP_fl_logic:
        return recipe_place(l, in->a, r, 0);
    default:
        return false;
    }
}

static unsigned recipe_number(Lower *l, const Recipe *r)
{
    for (unsigned k = l->nrecipes; k; k--) {
        if (memcmp(&l->recipes[k - 1], r, sizeof *r) == 0) {
            return k - 1;
        }
    }
    if (l->nrecipes == LEN(l->recipes)) {
        l->too_big = true;
        return 0;
    }
    l->recipes[l->nrecipes] = *r;
    return l->nrecipes++;
}

void l_fault(Lower *l)
{
    Recipe r;
    if (l->nfaults >= LEN(l->faults)) {
        l->too_big = true;
        return;
    }
    Fault *f = &l->faults[l->nfaults++];
    f->off = (uint32_t)(l->a.p - l->a.base);
    f->pc = (int16_t)((int64_t)(l->guest_pc - l->r->pc.v) / 2);
    f->flags = FAULT_FL_MEMORY;
    f->reg = NOREG;
    if (l->nz) {
        if (l->ef == l->nz) {
            f->flags = (uint8_t)(FAULT_FL_TARGET + 1 + l->form);
        } else if (l->val[l->nz].reg != NOREG) {
            f->flags = FAULT_FL_TARGET;
            f->reg = l->val[l->nz].reg;
        } else if (l->val[l->nz].spill != NOSPILL) {
            f->flags = FAULT_FL_SPILL;
            f->reg = l->val[l->nz].spill;
        } else { /* l_op and l_clobber see to it that there is a place or a recipe */
            bool can = l_recipe(l, l->nz, &r);
            ASSERT(can);
            f->flags = FAULT_FL_RECIPE;
            f->reg = (uint8_t)recipe_number(l, &r);
        }
    }
}

bool l_shows_flags(const Lower *l, IrRef i)
{
    return ir_ops[l->ins[i].op].effects & (FAULTS | FPX);
}

void l_clobber(Lower *l)
{
    if (!l->ef) {
        return;
    }
    const Val *v = &l->val[l->ef];
    bool fault = l->ef == l->nz && l_shows_flags(l, l->pos);
    bool wanted = v->last > l->pos || (v->last == l->pos && fault);
    if (v->attr & A_REISSUE) {
        Recipe r;
        wanted = wanted && fault && !l_recipe(l, l->ef, &r);
    }
    if (wanted && v->reg == NOREG && v->spill == NOSPILL) {
        uint64_t lock = l->lock;
        fl_save(l);
        l->lock = lock; /* may be spilled again */
    }
    l->ef = 0;
}
