/* print.c - regions as text (text.h describes the form), and the names that the form uses.
 *
 * To give the small operands of an op names: a case in text_names(); the parser follows.
 */
#include <inttypes.h>
#include <stdio.h>

#include "text.h"

const char *const text_types[] = {"none", "i32", "i64", "f16", "f32", "f64", "v128", "flags", NULL};
const char *const text_elems[] = {"b", "h", "s", "d", "q", "bf", NULL};

static const char *const mem_names[] = {"u8", "u16", "u32", "u64", "u128", "?",
                                        "u512", "?",   "s8",  "s16", "s32",  NULL};
static const char *const rmw_names[] = {"add",  "clr",  "eor",  "set", "smax",
                                        "smin", "umax", "umin", "swp", NULL};
static const char *const cmp_names[] = {"eq",  "ne",  "ult", "ule", "slt", "sle",
                                        "ugt", "uge", "sgt", "sge", NULL};
static const char *const fcmp_names[] = {"eq", "ge", "gt", NULL};
static const char *const fence_names[] = {"ld", "st", "full", NULL};
static const char *const prefetch_names[] = {"l1", "l2", "l3", "stream", "store", NULL};
static const char *const cond_names[] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi",
                                         "ls", "ge", "lt", "gt", "le", "al", "nv", NULL};
static const char *const exc_names[] = {
    "none",  "svc",  "undef",   "brk",  "hlt",    "bti",     "pc_align", "sp_align", "rekey", "align",
    "fetch", "data", "systrap", "hint", "pending", "step",     "fpac",     "debug",
    "hvc",   "smc",  "eret",    "trap", "unmask", "pac", NULL};

/* Shapes of ops.def (build.h): does .x hold an elem, and is it the one that .ty implies? */
enum { X_PLAIN, X_ELEM, X_FORMAT };
enum {
    X_OF_OWN = X_PLAIN,
    X_OF_UN = X_PLAIN,
    X_OF_BIN = X_PLAIN,
    X_OF_TRI = X_PLAIN,
    X_OF_LUN = X_PLAIN,
    X_OF_LBIN = X_PLAIN,
    X_OF_LTRI = X_PLAIN,
    X_OF_FXUN = X_PLAIN,
    X_OF_VUN = X_ELEM,
    X_OF_VBIN = X_ELEM,
    X_OF_VTRI = X_ELEM,
    X_OF_VUNI = X_ELEM,
    X_OF_VBINI = X_ELEM,
    X_OF_VTRII = X_ELEM,
    X_OF_VXUN = X_ELEM,
    X_OF_VXBIN = X_ELEM,
    X_OF_FUN = X_FORMAT,
    X_OF_FBIN = X_FORMAT,
    X_OF_FTRI = X_FORMAT,
};

static const uint8_t x_kind[OP_COUNT] = {
#define OP(name, shape, sig, effects, doc) X_OF_##shape,
#include "ops.def"
#undef OP
};

bool text_x_is_elem(unsigned op)
{
    return x_kind[op] == X_ELEM || op == OP_v_dup || op == OP_v_get || op == OP_v_put;
}

bool text_x_follows_type(unsigned op)
{
    return x_kind[op] == X_FORMAT || op == OP_fl_fcmp;
}

TextForm text_form(unsigned op)
{
    switch (op) {
    case OP_insn:
    case OP_const:
    case OP_v_const:
    case OP_v_const_hi:
    case OP_exit_pc:
    case OP_exit_if:
    case OP_exit_call:
    case OP_exit_exc:
        return FORM_CONST;
    case OP_get:
    case OP_set:
        return FORM_SLOT;
    case OP_call:
        return FORM_CALL;
    case OP_jump:
        return FORM_JUMP;
    case OP_branch:
        return FORM_BRANCH;
    default:
        return FORM_PLAIN;
    }
}

IrType text_default_type(unsigned op)
{
    switch (ir_ops[op].sig[0]) {
    case 'W':
        return I32;
    case 'X':
        return I64;
    case 'V':
        return TV128;
    case 'N':
        return TFLAGS;
    default:
        return TY_NONE;
    }
}

const char *const *text_names(unsigned op, char field)
{
    if (field == 'y') {
        return op == OP_rmw      ? rmw_names
               : op == OP_v_cmp  ? cmp_names
               : op == OP_vf_cmp ? fcmp_names
                                 : NULL;
    }
    switch (field == 'x' ? op : OP_nop) {
    case OP_load:
    case OP_store:
    case OP_rmw:
    case OP_cas:
        return mem_names;
    case OP_cmp:
        return cmp_names;
    case OP_test_flags:
        return cond_names;
    case OP_prefetch:
        return prefetch_names;
    case OP_fence:
        return fence_names;
    case OP_exit_exc:
    case OP_exit_exc_if:
        return exc_names;
    default:
        return NULL;
    }
}

static void print_field(FILE *f, unsigned op, char field, int64_t v)
{
    const char *const *names = text_names(op, field);
    if (names) {
        unsigned n = 0;
        while (names[n]) {
            n++;
        }
        if (v >= 0 && v < n) {
            fprintf(f, " %c=%s", field, names[v]);
            return;
        }
    }
    if (v) {
        fprintf(f, " %s=%" PRId64, field == 'i' ? "imm" : field == 'x' ? "x" : "y", v);
    }
}

static void print_ref(FILE *f, const char **sep, IrRef r)
{
    if (r) {
        fprintf(f, "%s%%%u", *sep, r);
    } else {
        fprintf(f, "%s-", *sep);
    }
    *sep = ", ";
}

/* Number of ref operands on the line. */
static unsigned ref_count(const IrIns *i, const IrHelper *helpers)
{
    unsigned n = 0;
    for (unsigned k = 0; k < 3; k++) {
        if (i->op == OP_call ? helpers[i->imm].args[k] != TY_NONE
                             : ir_ops[i->op].sig[2 + k] != '.') {
            n = k + 1;
        }
    }
    return n;
}

static void print_ins(FILE *f, const IrRegion *r, IrRef at, const IrSlot *slots,
                      const IrHelper *helpers)
{
    const IrIns *i = &r->ins[at];
    const IrRef refs[3] = {i->a, i->b, i->c};
    const char *sep = " ";
    TextForm form = text_form(i->op);
    if (i->op == OP_insn) {
        fprintf(f, "insn 0x%" PRIx64 "\n", ir_imm64(i));
        return;
    }
    fprintf(f, "  ");
    if (ir_result_type(i) != TY_NONE && i->op != OP_set && i->op != OP_store) {
        fprintf(f, "%%%u = ", at);
    }
    fprintf(f, "%s", ir_ops[i->op].name);
    if (i->ty != text_default_type(i->op)) {
        fprintf(f, ".%s", text_types[i->ty]);
    }
    if (text_x_is_elem(i->op)) {
        fprintf(f, ".%s", text_elems[i->x]);
    }
    if (form == FORM_SLOT) {
        fprintf(f, " %s", slots[i->x].name);
        sep = ", ";
    } else if (form == FORM_CALL) {
        fprintf(f, " %s", helpers[i->imm].name);
    }
    for (unsigned k = 0, n = ref_count(i, helpers); k < n; k++) {
        print_ref(f, &sep, refs[k]);
    }
    if (form == FORM_CONST) {
        fprintf(f, "%s0x%" PRIx64, sep, ir_imm64(i));
    }
    if (i->op == OP_v_const) {
        fprintf(f, ", 0x%" PRIx64, ir_imm64(i + 1));
    }
    if (form == FORM_BRANCH) {
        fprintf(f, ", @%u, @%u", i->b, i->c);
    } else if (form == FORM_JUMP) {
        fprintf(f, " @%d", i->imm);
    }
    if (!text_x_is_elem(i->op) && form != FORM_SLOT && i->op != OP_const &&
        !(text_x_follows_type(i->op) && i->x == ir_fp_elem((IrType)i->ty))) {
        print_field(f, i->op, 'x', i->x);
    }
    print_field(f, i->op, 'y', i->y);
    if (form != FORM_CALL && form != FORM_JUMP) {
        print_field(f, i->op, 'i', i->imm);
    }
    fputc('\n', f);
}

void ir_print(const IrRegion *r, const IrSlot *slots, const IrHelper *helpers, void *file)
{
    FILE *f = file;
    fprintf(f, "region pc=0x%" PRIx64 " key=0x%" PRIx64 " bytes=%u insns=%u\n", r->pc.v, r->key,
            r->nbytes, r->ninsns);
    for (unsigned b = 0; b < r->nblocks; b++) {
        fprintf(f, "block %u\n", b);
        for (IrRef at = r->blocks[b].first; at < r->blocks[b].end; at++) {
            if (r->ins[at].op != OP_nop && r->ins[at].op != OP_v_const_hi) {
                print_ins(f, r, at, slots, helpers);
            }
        }
    }
}
