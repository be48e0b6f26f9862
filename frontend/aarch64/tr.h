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

/* K of rows: what a branch is, how an address is formed, what a pointer authentication does, memory tags. */
enum { BR_JUMP, BR_CALL, BR_RET };
enum { MODE_OFF, MODE_POST, MODE_PRE };
enum { PAC_KEY = 3, PAC_AUT = 4, PAC_LR = 8, PAC_ZERO = 16 };
enum { TAG_ZERO = 8 };
/* K of FCMP and FCCMP: quiet NaNs signal, the second operand is 0. K of FMADD and friends: what is negated. */
enum { FC_SIGNAL = 1, FC_ZERO = 2 };
enum { FMA_NEG_N = 1, FMA_NEG_A = 2 };

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

/* Raises EXC_SP_ALIGN unless sp is a multiple of 16. In system mode the key does not say whether it is, as kernels use SP for arithmetic
 * at each exception: a block looks before its first access by SP; under KEY_SP_CHECK so in user mode, for code generators whose SP
 * follows a stack pointer of their own (SpiderMonkey's). */
void tr_check_sp(Tr *t, IrRef sp);

/* Xn or SP as the base of a memory access: SP must be a multiple of 16 (DDI 0487 D1.8.2; Linux sets SCTLR_EL1.SA0). */
static inline IrRef tr_base(Tr *t, int n)
{
    IrRef base = tr_reg_or_sp(t, n, I64);
    if (n == 31 && t->key & (KEY_SP_ODD | KEY_SP_CHECK)) {
        tr_check_sp(t, base);
    }
    return base;
}

/* Writes SP; when it may leave or enter alignment, what comes next is translated under another key. */
void tr_set_sp(Tr *t, IrRef v);

static inline void tr_set_reg_or_sp(Tr *t, int n, IrRef v)
{
    if (n == 31) {
        tr_set_sp(t, v);
    } else {
        ir_set(t->b, (unsigned)(SLOT_x + n), v);
    }
}

static inline IrRef tr_flags(Tr *t)
{
    return ir_get(t->b, SLOT_nzcv, TFLAGS);
}

static inline void tr_set_flags(Tr *t, IrRef f)
{
    ir_set(t->b, SLOT_nzcv, f);
}

/* The integer op `op` (OP_add, OP_clz, ...; c = 0 for one operand). */
static inline IrRef tr_alu(Tr *t, int op, IrType ty, IrRef a, IrRef c)
{
    return ir_emit(t->b, (IrIns){.op = (uint8_t)op, .ty = (uint8_t)ty, .a = a, .b = c});
}

/* Rd = n + m or n - m (op = OP_add, OP_sub) with NZCV. */
static inline void tr_alu_flags(Tr *t, int op, IrType ty, int rd, IrRef n, IrRef m)
{
    IrRef r = rd == 31 ? 0 : tr_alu(t, op, ty, n, m);
    tr_set_flags(t, op == OP_add ? ir_fl_add(t->b, ty, n, m) : ir_fl_sub(t->b, ty, n, m));
    if (r) {
        tr_set_reg(t, rd, r);
    }
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

/* Allocation tag (bits 59:56) zeroed. */
static inline IrRef tr_address_untagged(Tr *t, IrRef address)
{
    return ir_and(t->b, I64, address, ir_iconst(t->b, I64, ~((uint64_t)15 << 56)));
}

/* Has the stores of the instruction at t->pc guarded when it belongs to a restartable sequence (tr_critical.c). */
void tr_critical(Tr *t);
/* ADR, or ADRP (page), made this constant: that, or with an ADD behind it, it may be a descriptor's address. */
void tr_critical_address(Tr *t, int rd, uint64_t address, bool page);

/* What a store does first under KEY_STRICT, for IrBuild.on_store; under KEY_ONE_INSN, too (tr_atomic.c). */
void tr_look_at_mark(IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp);
void tr_break_mark(IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp);

/* Pointer with its PAC added or, with PAC_AUT in k, authenticated; without PAC, as an address of data or of code (tr_pac.c). */
IrRef tr_pac_value(Tr *t, int k, IrRef ptr, IrRef modifier);
IrRef tr_pac_strip(Tr *t, IrRef ptr, bool data);

/* Ends the region with a guest exception; pc is what the CPU's pc will be. */
static inline void tr_exc(Tr *t, ExcKind kind, int32_t imm, uint64_t pc)
{
    ir_exit_exc(t->b, kind, imm, pc);
    t->ended = true;
}

/* A region begins with this word: checks it as a landing pad, if its page is guarded (tr_branch.c). */
void tr_landing(Tr *t, uint32_t word);

/* At an address that is no instruction's, makes a region of the one exit that is right there: one with a tag (plain = without it)
 * goes on without, which a branch drops (DDI 0487 AArch64.BranchAddr; done here because branches stay cheap so), a misaligned one is
 * the guest's fault. */
bool tr_odd_address(const Frontend *fe, Gva pc, uint64_t plain, uint64_t key, IrRegion *r, IrIns *ins, uint32_t cap);

/* What armx-user's front end gives to the loop; system mode takes most of it. */
extern const TrGuest a64_guest;

/* Ends the region: undefined instruction at t->pc. */
void tr_undef(Tr *t, const A64 *a);
/* Ends the region with a branch to a constant address; the loop decides whether it is a back edge. */
void tr_branch(Tr *t, uint64_t target);
/* Conditional branch: side exit when cond != 0, then goes on with the next instruction. */
void tr_branch_if(Tr *t, IrRef cond, uint64_t target);
/* Ends the region after this instruction and looks the next one up anew (state key or code may have changed). */
void tr_sync(Tr *t);

#include "tr_simd.h"

#endif
