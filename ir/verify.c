/* verify.c - is a region well formed? Types, operands, blocks, order of effects, from the signatures of ops.def.
 *
 * Checked: every operand is a value of an accepted type, made earlier in the same block or in block 0; slots,
 * helpers, blocks and small constants are in range; each block ends with its only terminator; within a guest
 * instruction no op that can fault follows a `set`, so that a fault finds the state of before it.
 * To add a check for an op: a case in check_special(); what its signature says needs nothing.
 */
#include <stdarg.h>
#include <stdio.h>

#include "text.h"

typedef struct Verify {
    const IrRegion *r;
    const IrSlot *slots;
    const IrHelper *helpers;
    unsigned nslots, nhelpers;
    IrRef at;      /* the instruction looked at */
    IrBlock block; /* its block */
    bool was_set;  /* this guest instruction has set a slot */
    char *buf;
    size_t size;
} Verify;

static bool PRINTF_LIKE(2, 3) fail(const Verify *v, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(v->buf, v->size, "%%%u %s: ", v->at,
                     ir_ops[v->r->ins[v->at].op < OP_COUNT ? v->r->ins[v->at].op : 0].name);
    va_start(ap, fmt);
    if (n >= 0 && (size_t)n < v->size) {
        vsnprintf(v->buf + n, v->size - (size_t)n, fmt, ap);
    }
    va_end(ap);
    return false;
}

static bool is_fp(IrType ty)
{
    return ty == F16 || ty == F32 || ty == F64;
}

static bool is_int(IrType ty)
{
    return ty == I32 || ty == I64;
}

/* Ops of class I whose operands have the width that .ty says. */
static bool operand_width_is_ty(unsigned op)
{
    return (op >= OP_fl_add && op <= OP_fl_fcmp) || op == OP_is_zero || op == OP_test_bit ||
           op == OP_cmp;
}

static bool type_fits(char letter, IrType ty, const IrIns *i)
{
    switch (letter) {
    case 'T':
        return ty == i->ty;
    case 'W':
        return ty == I32;
    case 'X':
        return ty == I64;
    case 'V':
        return ty == TV128;
    case 'N':
        return ty == TFLAGS;
    case 'I':
        return is_int(ty) && (!operand_width_is_ty(i->op) || ty == i->ty);
    case 'F':
        return is_fp(ty) && (!operand_width_is_ty(i->op) || ty == i->ty);
    default:
        return ty != TY_NONE;
    }
}

static bool is_optional(const IrIns *i, unsigned k)
{
    return (i->op == OP_load || i->op == OP_store || i->op == OP_prefetch) && k == 1;
}

static bool check_ref(const Verify *v, char letter, IrRef ref, unsigned k)
{
    const IrRegion *r = v->r;
    const IrIns *i = &r->ins[v->at];
    bool here = ref >= v->block.first && ref < v->at;
    bool first = ref >= r->blocks[0].first && ref < r->blocks[0].end && ref < v->at;
    if (!here && !first) {
        return fail(v, "operand %u, %%%u, is not made before in this block", k, ref);
    }
    IrType ty = ir_result_type(&r->ins[ref]);
    if (!type_fits(letter, ty, i)) {
        return fail(v, "operand %u, %%%u, is %s", k, ref, text_types[ty]);
    }
    return true;
}

static bool check_operands(const Verify *v)
{
    const IrIns *i = &v->r->ins[v->at];
    const IrRef refs[3] = {i->a, i->b, i->c};
    for (unsigned k = 0; k < 3; k++) {
        char letter = ir_ops[i->op].sig[2 + k];
        if (i->op == OP_call) {
            IrType want = (IrType)v->helpers[i->imm].args[k];
            if (want == TY_NONE ? refs[k] != 0 : refs[k] == 0) {
                return fail(v, "helper %s has another number of arguments",
                            v->helpers[i->imm].name);
            }
            if (want != TY_NONE &&
                (!check_ref(v, '*', refs[k], k) || ir_result_type(&v->r->ins[refs[k]]) != want)) {
                return fail(v, "argument %u of helper %s is not %s", k, v->helpers[i->imm].name,
                            text_types[want]);
            }
        } else if (letter == '.') {
            if (refs[k] != 0 &&
                !(k > 0 && (text_form(i->op) == FORM_CONST || text_form(i->op) == FORM_BRANCH))) {
                return fail(v, "has an operand %u", k);
            }
        } else if (!(refs[k] == 0 && is_optional(i, k)) && !check_ref(v, letter, refs[k], k)) {
            return false;
        }
    }
    return true;
}

static bool check_result_type(const Verify *v)
{
    const IrIns *i = &v->r->ins[v->at];
    if (i->ty >= TY_COUNT) {
        return fail(v, "type %u", i->ty);
    }
    char letter = ir_ops[i->op].sig[0];
    if ((letter == 'T' || letter == 'I') && i->op != OP_call && i->ty == TY_NONE) {
        return fail(v, "has no type");
    }
    bool integer = i->op >= OP_add && i->op <= OP_rev32;
    if ((integer && !is_int((IrType)i->ty)) || (letter == 'I' && !is_int((IrType)i->ty))) {
        return fail(v, "is no operation on %s", text_types[i->ty]);
    }
    return true;
}

static bool check_slot(const Verify *v)
{
    const IrIns *i = &v->r->ins[v->at];
    if (i->x >= v->nslots) {
        return fail(v, "slot %u", i->x);
    }
    IrType slot = (IrType)v->slots[i->x].type,
           ty = i->op == OP_set ? ir_result_type(&v->r->ins[i->a]) : (IrType)i->ty;
    bool same_kind = slot == TV128    ? is_fp(ty) || ty == TV128
                     : slot == TFLAGS ? ty == TFLAGS
                                      : is_int(ty);
    if (!same_kind || ir_type_bytes(ty) > ir_type_bytes(slot)) {
        return fail(v, "%s in slot %s of %s", text_types[ty], v->slots[i->x].name,
                    text_types[slot]);
    }
    return i->op != OP_set || ty == i->ty || fail(v, "type differs from the value's");
}

/* What the signature cannot say. */
static bool check_special(const Verify *v)
{
    const IrIns *i = &v->r->ins[v->at];
    unsigned w = 8 * ir_type_bytes((IrType)i->ty);
    switch (i->op) {
    case OP_get:
    case OP_set:
        return check_slot(v);
    case OP_call:
        return i->ty == v->helpers[i->imm].ret || fail(v, "result is not the helper's");
    case OP_ubfx:
    case OP_sbfx:
    case OP_bfi:
        return (i->y > 0 && i->x + i->y <= (int)w) || fail(v, "bits %u, %u of them", i->x, i->y);
    case OP_test_bit:
    case OP_extr:
        return (unsigned)i->imm < w || fail(v, "bit %d", i->imm);
    case OP_test_flags:
        return i->x <= C_NV || fail(v, "condition %u", i->x);
    case OP_cmp:
        return i->x <= CMP_SGE || fail(v, "relation %u", i->x);
    case OP_load:
    case OP_store:
    case OP_rmw:
    case OP_cas: {
        unsigned size = i->x & MEM_SIZE_MASK, max = i->op == OP_rmw || i->op == OP_cas ? M64 : M128;
        if (i->op == OP_store && i->x == M512) {
            return i->ty == TV128 || fail(v, "block of type %u", i->ty);
        }
        return (size <= max && 1u << size <= ir_type_bytes((IrType)i->ty)) ||
               fail(v, "memory type %u", i->x);
    }
    case OP_v_const:
        return (v->at + 1 < v->block.end && v->r->ins[v->at + 1].op == OP_v_const_hi) ||
               fail(v, "lacks its second half");
    case OP_jump:
        return (unsigned)i->imm < v->r->nblocks || fail(v, "block %d", i->imm);
    case OP_branch:
        return (i->b < v->r->nblocks && i->c < v->r->nblocks) ||
               fail(v, "blocks %u, %u", i->b, i->c);
    default:
        return true;
    }
}

static bool is_terminator(unsigned op)
{
    return ir_ops[op].effects & EXITS && op != OP_exit_if && op != OP_exit_exc_if;
}

static bool check_order(Verify *v)
{
    const IrIns *i = &v->r->ins[v->at];
    unsigned effects = i->op == OP_call ? v->helpers[i->imm].effects : ir_ops[i->op].effects;
    bool last = v->at + 1 == v->block.end;
    if (is_terminator(i->op) != last) {
        return fail(v, last ? "ends a block" : "inside a block");
    }
    if (i->op == OP_insn) {
        v->was_set = false;
    } else if (i->op == OP_set) {
        v->was_set = true;
    } else if (v->was_set && effects & (FAULTS | FPX)) {
        return fail(v, "can fault after a set of the same instruction");
    }
    return true;
}

static bool check_ins(Verify *v)
{
    const IrIns *i = &v->r->ins[v->at];
    if (i->op >= OP_COUNT) {
        return fail(v, "op %u", i->op);
    }
    if (i->op == OP_call && (unsigned)i->imm >= v->nhelpers) {
        return fail(v, "helper %d", i->imm);
    }
    return check_result_type(v) && check_operands(v) && check_special(v) && check_order(v);
}

const char *ir_verify(const IrRegion *r, const IrSlot *slots, unsigned nslots,
                      const IrHelper *helpers, unsigned nhelpers, char *buf, size_t size)
{
    Verify v = {.r = r,
                .slots = slots,
                .helpers = helpers,
                .nslots = nslots,
                .nhelpers = nhelpers,
                .buf = buf,
                .size = size};
    IrRef expected = 1;
    if (r->nblocks == 0 || r->nblocks > LEN(r->blocks)) {
        snprintf(buf, size, "%u blocks", r->nblocks);
        return buf;
    }
    for (unsigned b = 0; b < r->nblocks; b++) {
        v.block = r->blocks[b];
        v.was_set = false;
        if (v.block.first < expected || v.block.end <= v.block.first || v.block.end > r->n) {
            snprintf(buf, size, "block %u is [%u, %u) of %u", b, v.block.first, v.block.end, r->n);
            return buf;
        }
        expected = v.block.end;
        for (v.at = v.block.first; v.at < v.block.end; v.at++) {
            if (!check_ins(&v)) {
                return buf;
            }
        }
    }
    return NULL;
}
