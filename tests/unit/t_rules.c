/* t_rules.c - the lowering tables are complete: every op with every type that it takes ends in a row that needs
 * nothing but registers (or in its evaluation function), whatever the host's optional features; and no row stands
 * behind one that takes everything.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "backend/x86_64/sel.h"

static const struct {
    const char *name;
    const Rule *rules;
    const unsigned *n;
} tables[] = {
    {"exit", rules_exit, &rules_exit_n}, {"int", rules_int, &rules_int_n}, {"flags", rules_flags, &rules_flags_n},
    {"mem", rules_mem, &rules_mem_n},    {"fp", rules_fp, &rules_fp_n},    {"vfp", rules_vfp, &rules_vfp_n},
    {"half", rules_half, &rules_half_n}, {"recip", rules_recip, &rules_recip_n}, {"simd", rules_simd, &rules_simd_n}, {"saturate", rules_saturate, &rules_saturate_n}, {"crypto", rules_crypto, &rules_crypto_n},
};
enum { FEATURES = R_AVX512 | R_VBMI | R_GFNI | R_VAES | R_SHA | R_AES };

/* Ops that sel.c does itself or that make no code. */
static bool without_rule(unsigned op)
{
    switch (op) {
    case OP_nop: case OP_insn: case OP_const: case OP_get: case OP_set: case OP_v_const: case OP_v_const_hi:
    case OP_fl_const:
        return true;
    default:
        return false;
    }
}

/* Takes the row any operands of this type, on any host? */
static bool takes_all(const Rule *r, IrType ty)
{
    if (r->types && !(r->types >> ty & 1)) {
        return false;
    }
    if (r->x || (r->flags & FEATURES)) {
        return false;
    }
    for (unsigned k = 0; k < 3 && !r->own; k++) {
        if (r->src[k] >= S_SHL && r->src[k] < S_X) {
            return false;
        }
    }
    return true;
}

static bool op_takes(unsigned op, IrType ty)
{
    switch (op) {
    case OP_mulh_s: case OP_mulh_u: case OP_rev32:
        return ty == I64;
    case OP_fl_select: case OP_fl_const: case OP_fl_unpack:
        return ty == TFLAGS;
    default:
        break;
    }
    switch (ir_ops[op].sig[0]) {
    case 'W': case 'N': case 'T': case 'I':
        return ty == I32 || ty == I64;
    default:
        return ty == I64;
    }
}

Test(rules, complete)
{
    unsigned bad = 0;
    for (unsigned op = 0; op < OP_COUNT; op++) {
        if (without_rule(op) || ir_evals[op]) {
            continue;
        }
        for (IrType ty = I32; ty <= I64; ty++) {
            bool found = false;
            for (unsigned k = 0; k < LEN(tables) && !found; k++) {
                for (unsigned j = 0; j < *tables[k].n && !found; j++) {
                    found = tables[k].rules[j].op == op && takes_all(&tables[k].rules[j], ty);
                }
            }
            if (!found && op_takes(op, ty) && ir_ops[op].sig[2] != 'F') {
                fprintf(stderr, "%s.%u: no row takes any operands\n", ir_ops[op].name, ty);
                bad++;
            }
        }
    }
    cr_assert_eq(bad, 0);
}

Test(rules, none_in_the_shadow)
{
    unsigned bad = 0;
    for (unsigned k = 0; k < LEN(tables); k++) {
        for (unsigned j = 0; j < *tables[k].n; j++) {
            const Rule *r = &tables[k].rules[j];
            if (r->op >= OP_COUNT) {
                continue;
            }
            for (unsigned i = 0; i < j; i++) {
                const Rule *q = &tables[k].rules[i];
                /* a row that makes the flags is for where the one before may not be used */
                bool other_flags = !q->own && ((q->flags ^ r->flags) & (R_SETS | R_CLOB));
                if (q->op == r->op && !q->types && !q->x && takes_all(q, I64) && !other_flags) {
                    fprintf(stderr, "rules_%s: row %u of %s is behind one that takes everything\n", tables[k].name, j,
                            ir_ops[r->op].name);
                    bad++;
                    break;
                }
            }
        }
    }
    cr_assert_eq(bad, 0);
}

Test(rules, emitters)
{
    for (unsigned k = 0; k < LEN(tables); k++) {
        for (unsigned j = 0; j < *tables[k].n; j++) {
            const Rule *r = &tables[k].rules[j];
            if (r->op < OP_COUNT) {
                cr_assert(r->own ? r->f != NULL && r->emit == NULL : r->emit != NULL);
            }
        }
    }
}

/* Operations of two halves have rows in rules_half.c only: tests/fp/half2.c, which puts all pairs through them, names the
 * same. Whoever adds one adds it there. */
Test(rules, pairs_of_halves)
{
    static const uint16_t tested[] = {
        OP_f_add, OP_f_sub, OP_f_mul, OP_f_mulx, OP_f_div, OP_f_max, OP_f_min, OP_f_maxnm, OP_f_minnm, OP_vf_add, OP_vf_sub, OP_vf_mul,
        OP_vf_mulx, OP_vf_div, OP_vf_max, OP_vf_min, OP_vf_maxnm, OP_vf_minnm, OP_vf_cmp,
    };
    unsigned seen = 0;
    for (unsigned k = 0; k < LEN(tables); k++) {
        for (unsigned j = 0; j < *tables[k].n; j++) {
            const Rule *r = &tables[k].rules[j];
            bool two = r->op < OP_COUNT && ir_ops[r->op].effects & FPX && ir_ops[r->op].sig[3] != '.' && ir_ops[r->op].sig[4] == '.';
            bool vector = two && ir_ops[r->op].sig[0] == 'V';
            if (!two || (vector ? r->x && !(r->x & X(E_H)) : r->types && !(r->types & TY(F16)))) {
                continue;
            }
            bool known = false;
            for (unsigned t = 0; t < LEN(tested); t++) {
                known |= tested[t] == r->op;
            }
            cr_expect(known, "%s, row %u", ir_ops[r->op].name, j);
            seen++;
        }
    }
    cr_assert_eq(seen, LEN(tested));
}
