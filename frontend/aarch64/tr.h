/* tr.h - what A64 translators share: registers, flags, exits in the manual's words.
 *
 * A translator is  void tr_NAME(Tr *t, const A64 *a, int k)  named by a row of the .isa files. It reads
 * registers, builds values, and then sets registers: all sets stand after the last op that can fault, because
 * a fault must find the state of before the instruction.
 * XZR: reads are the constant 0, writes are dropped. V registers: a scalar or 64-bit result zeroes the rest.
 */
#ifndef ARMX_FRONTEND_AARCH64_TR_H
#define ARMX_FRONTEND_AARCH64_TR_H

#include "cpu.h"
#include "isa_a64.h"
#include "translate.h"

enum {
#define HELPER(name, ret, a, b, c, effects, doc) H_##name,
#include "helpers.def"
#undef HELPER
    HELPER_COUNT
};

static inline IrType tr_ty(int sf)
{
    return sf ? I64 : I32;
}

/* Xn or Wn; n = 31 is zero. */
static inline IrRef tr_reg(Tr *t, int n, IrType ty)
{
    return n == 31 ? ir_iconst(t->b, ty, 0) : ir_get(t->b, (unsigned)(SLOT_x + n), ty);
}

/* Xn or Wn; n = 31 is SP. */
static inline IrRef tr_reg_or_sp(Tr *t, int n, IrType ty)
{
    return ir_get(t->b, (unsigned)(n == 31 ? SLOT_sp : SLOT_x + n), ty);
}

static inline void tr_set_reg(Tr *t, int n, IrRef v)
{
    if (n != 31) {
        ir_set(t->b, (unsigned)(SLOT_x + n), v);
    }
}

static inline void tr_set_reg_or_sp(Tr *t, int n, IrRef v)
{
    ir_set(t->b, (unsigned)(n == 31 ? SLOT_sp : SLOT_x + n), v);
}

static inline IrRef tr_flags(Tr *t)
{
    return ir_get(t->b, SLOT_nzcv, TFLAGS);
}

static inline void tr_set_flags(Tr *t, IrRef f)
{
    ir_set(t->b, SLOT_nzcv, f);
}

/* Condition holds: an i32 of 0 or 1. */
static inline IrRef tr_cond(Tr *t, int cond)
{
    return cond >= C_AL ? ir_iconst(t->b, I32, 1) : ir_test_flags(t->b, (Cond)cond, tr_flags(t));
}

static inline IrRef tr_v(Tr *t, int n)
{
    return ir_get(t->b, (unsigned)(SLOT_v + n), TV128);
}

/* The scalar FP register Hn, Sn or Dn. */
static inline IrRef tr_f(Tr *t, int n, IrType fty)
{
    return ir_get(t->b, (unsigned)(SLOT_v + n), fty);
}

/* V, or a scalar that zeroes the rest of the register. */
static inline void tr_set_v(Tr *t, int n, IrRef v)
{
    ir_set(t->b, (unsigned)(SLOT_v + n), v);
}

/* Vector result of an instruction with the Q bit: Q = 0 zeroes the upper half. */
static inline void tr_set_vq(Tr *t, int n, int Q, IrRef v)
{
    ir_set(t->b, (unsigned)(SLOT_v + n), Q ? v : ir_v_low64(t->b, v));
}

static inline bool tr_has(const Tr *t, unsigned feat)
{
    const CpuModel *m = t->model;
    return m->feats[feat / 64] >> (feat % 64) & 1;
}

/* Ends the region: undefined instruction at t->pc. */
void tr_undef(Tr *t, const A64 *a);
/* Ends the region with a branch to a constant address; the loop decides whether it is a back edge. */
void tr_branch(Tr *t, uint64_t target);
/* Conditional branch: side exit when cond != 0, then goes on with the next instruction. */
void tr_branch_if(Tr *t, IrRef cond, uint64_t target);
/* Ends the region after this instruction and looks the next one up anew (state key or code may have changed). */
void tr_sync(Tr *t);

#endif
