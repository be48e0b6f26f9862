/* build.h - the builder: appends instructions to a region and folds while doing so.
 *
 * Folding: constants, identities, a get of a slot whose value is known (forwarding), width changes that
 * cost nothing. So a translator may write the plain thing. Slot knowledge ends at calls with STATE effect.
 * Values may be used only inside their block (tier-2 passes promote slots across blocks).
 */
#ifndef ARMX_IR_BUILD_H
#define ARMX_IR_BUILD_H

#include "ir.h"

enum { IR_MAX_SLOTS = 160 };

typedef struct IrBuild {
    IrRegion *r;
    const IrSlot *slots;
    const IrHelper *helpers;
    IrRef known[IR_MAX_SLOTS]; /* the slot's value in this block, or 0 */
    IrRef const_cache[16];     /* recent constants, by hash */
    bool alone;                /* nobody else sees guest memory: atomics and barriers are not for others; then r->unshared */
    bool overflow;             /* the region is full: the translator stops after this instruction */
    /* Called before each op that writes guest memory, with the op's address (base + index << scale + disp), to add
     * ops of its own; NULL = nothing. */
    void (*on_store)(struct IrBuild *b, IrRef base, IrRef index, unsigned scale, int32_t disp);
    const void *on_store_arg;
    /* Called instead of appending a plain store; NULL = appends it. */
    void (*store_by)(struct IrBuild *b, MemType m, IrRef base, IrRef index, unsigned scale, int32_t disp, IrRef v);
    const void *store_by_arg;
} IrBuild;

/* Starts a region in memory given by the caller (ins[cap]); opens block 0. */
void ir_begin(IrBuild *b, IrRegion *r, IrIns *ins, uint32_t cap, const IrSlot *slots, const IrHelper *helpers);
unsigned ir_new_block(IrBuild *b); /* opens the next block (ends the current one), returns its number */
void ir_end(IrBuild *b);           /* closes the last block */

/* The general form that all others end in; folds. The op in registers: op, ty, x, y from the low byte up, then the rest. */
IrRef ir_emit_words(IrBuild *b, uint32_t head, IrRef a, IrRef c, IrRef d, int32_t imm);
static inline IrRef ir_emit(IrBuild *b, IrIns i)
{
    return ir_emit_words(b, i.op | (uint32_t)i.ty << 8 | (uint32_t)i.x << 16 | (uint32_t)i.y << 24, i.a, i.b, i.c, i.imm);
}

IrRef ir_iconst(IrBuild *b, IrType ty, uint64_t v); /* I32, I64, F16, F32, F64 (bits) */
IrRef ir_pconst(IrBuild *b, uint64_t address);   /* an I64 that moves with the region's pc */
IrRef ir_hconst(IrBuild *b, const void *p);      /* the address of something of armx's */
IrRef ir_vconst(IrBuild *b, uint64_t lo, uint64_t hi);
bool ir_is_const(const IrBuild *b, IrRef a, uint64_t *v); /* integer constant? The region depends on its value then. */

IrRef ir_get(IrBuild *b, unsigned slot, IrType ty);
void ir_set(IrBuild *b, unsigned slot, IrRef v);
void ir_insn(IrBuild *b, uint64_t pc);
IrRef ir_call(IrBuild *b, unsigned helper, IrRef a, IrRef c, IrRef d); /* unused args 0 */

IrRef ir_load(IrBuild *b, IrType ty, MemType m, unsigned flags, IrRef base, IrRef index, unsigned scale, int32_t disp);
void ir_store(IrBuild *b, MemType m, unsigned flags, IrRef base, IrRef index, unsigned scale, int32_t disp, IrRef v);
void ir_check_align(IrBuild *b, IrRef addr, unsigned log2size, bool lse2);
IrRef ir_rmw(IrBuild *b, IrType ty, MemType m, RmwOp op, IrRef addr, IrRef v);
IrRef ir_cas(IrBuild *b, IrType ty, MemType m, IrRef addr, IrRef expected, IrRef v);
IrRef ir_cas128(IrBuild *b, IrRef addr, IrRef expected, IrRef v);
IrRef ir_load128_atomic(IrBuild *b, IrRef addr);
void ir_store128_atomic(IrBuild *b, IrRef addr, IrRef v);
void ir_prefetch(IrBuild *b, unsigned kind, IrRef base, IrRef index, unsigned scale, int32_t disp);
void ir_fence(IrBuild *b, FenceOp f);

IrRef ir_extr(IrBuild *b, IrType ty, IrRef a, IrRef c, unsigned lsb);
IrRef ir_ubfx(IrBuild *b, IrType ty, IrRef a, unsigned lsb, unsigned width);
IrRef ir_sbfx(IrBuild *b, IrType ty, IrRef a, unsigned lsb, unsigned width);
IrRef ir_bfi(IrBuild *b, IrType ty, IrRef a, IrRef field, unsigned lsb, unsigned width);
IrRef ir_sext32(IrBuild *b, IrRef a);
IrRef ir_zext32(IrBuild *b, IrRef a);
IrRef ir_trunc(IrBuild *b, IrRef a);
IrRef ir_select(IrBuild *b, IrType ty, IrRef cond, IrRef yes, IrRef no);
IrRef ir_adc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags);
IrRef ir_sbc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags);
IrRef ir_is_zero(IrBuild *b, IrType ty, IrRef a, bool invert);
IrRef ir_test_bit(IrBuild *b, IrType ty, IrRef a, unsigned bit, bool invert);
IrRef ir_cmp(IrBuild *b, IrType ty, CmpOp op, IrRef a, IrRef c);
IrRef ir_invert(IrBuild *b, IrRef cond); /* cond is an i32 of 0 or 1: the other one */
IrRef ir_crc32(IrBuild *b, bool castagnoli, unsigned log2size, IrRef acc, IrRef data);

IrRef ir_fl_add(IrBuild *b, IrType ty, IrRef a, IrRef c);
IrRef ir_fl_sub(IrBuild *b, IrType ty, IrRef a, IrRef c);
IrRef ir_fl_adc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags);
IrRef ir_fl_sbc(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef flags);
IrRef ir_fl_logic(IrBuild *b, IrType ty, IrRef a);
IrRef ir_fl_fcmp(IrBuild *b, IrType fty, IrRef a, IrRef c, bool signal_qnan);
IrRef ir_f_compare(IrBuild *b, IrType fty, IrRef a, IrRef c, bool signal_qnan);
IrRef ir_fl_select(IrBuild *b, IrRef cond, IrRef yes, IrRef no);
IrRef ir_fl_const(IrBuild *b, unsigned nibble);
IrRef ir_fl_pack(IrBuild *b, IrRef flags);
IrRef ir_fl_unpack(IrBuild *b, IrRef packed);
IrRef ir_test_flags(IrBuild *b, Cond c, IrRef flags); /* AL and NV fold to 1 */

IrRef ir_bits_to_f(IrBuild *b, IrType fty, IrRef a);
IrRef ir_f_to_bits(IrBuild *b, IrType ity, IrRef a);
IrRef ir_s_to_v(IrBuild *b, IrRef a);
IrRef ir_v_to_s(IrBuild *b, IrType fty, IrRef a);
IrRef ir_v_dup(IrBuild *b, IrElem e, IrRef a);
IrRef ir_v_get(IrBuild *b, IrType ty, IrElem e, unsigned lane, bool sign, IrRef a);
IrRef ir_v_put(IrBuild *b, IrElem e, unsigned lane, IrRef a, IrRef v);
IrRef ir_v_pair64(IrBuild *b, IrRef lo, IrRef hi);

void ir_exit_pc(IrBuild *b, unsigned flags, uint64_t pc);
void ir_exit_if(IrBuild *b, unsigned flags, IrRef cond, uint64_t pc);
void ir_exit_call(IrBuild *b, unsigned flags, uint64_t pc);       /* returns to the next instruction */
void ir_exit_call_ind(IrBuild *b, IrRef target);
void ir_exit_ind(IrBuild *b, IrRef target);
void ir_exit_ret(IrBuild *b, IrRef target);
void ir_exit_exc(IrBuild *b, ExcKind k, int32_t imm, uint64_t pc);
void ir_exit_exc_if(IrBuild *b, IrRef cond, ExcKind k, int32_t imm);
void ir_jump(IrBuild *b, unsigned block);
void ir_branch(IrBuild *b, IrRef cond, unsigned yes, unsigned no);

/* Builders of the regular shapes, made from the table: ir_add(b, ty, a, c), ir_v_add(b, elem, a, c), ... */
#define IR_FORM(name) static inline IrRef ir_##name
#define IR_INS(...) ir_emit(b, (IrIns){__VA_ARGS__})
#define SHAPE_OWN(n)
#define SHAPE_UN(n) IR_FORM(n)(IrBuild *b, IrType ty, IrRef a) { return IR_INS(OP_##n, (uint8_t)ty, 0, 0, a, 0, 0, 0); }
#define SHAPE_BIN(n) IR_FORM(n)(IrBuild *b, IrType ty, IrRef a, IrRef c) { return IR_INS(OP_##n, (uint8_t)ty, 0, 0, a, c, 0, 0); }
#define SHAPE_TRI(n) IR_FORM(n)(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef d) { return IR_INS(OP_##n, (uint8_t)ty, 0, 0, a, c, d, 0); }
#define SHAPE_VUN(n) IR_FORM(n)(IrBuild *b, IrElem e, IrRef a) { return IR_INS(OP_##n, TV128, (uint8_t)e, 0, a, 0, 0, 0); }
#define SHAPE_VBIN(n) IR_FORM(n)(IrBuild *b, IrElem e, IrRef a, IrRef c) { return IR_INS(OP_##n, TV128, (uint8_t)e, 0, a, c, 0, 0); }
#define SHAPE_VTRI(n) IR_FORM(n)(IrBuild *b, IrElem e, IrRef a, IrRef c, IrRef d) { return IR_INS(OP_##n, TV128, (uint8_t)e, 0, a, c, d, 0); }
#define SHAPE_VUNI(n) IR_FORM(n)(IrBuild *b, IrElem e, IrRef a, int imm) { return IR_INS(OP_##n, TV128, (uint8_t)e, 0, a, 0, 0, imm); }
#define SHAPE_VBINI(n) IR_FORM(n)(IrBuild *b, IrElem e, IrRef a, IrRef c, int imm) { return IR_INS(OP_##n, TV128, (uint8_t)e, 0, a, c, 0, imm); }
#define SHAPE_VTRII(n) IR_FORM(n)(IrBuild *b, IrElem e, IrRef a, IrRef c, IrRef d, int imm) { return IR_INS(OP_##n, TV128, (uint8_t)e, 0, a, c, d, imm); }
#define SHAPE_VXUN(n) IR_FORM(n)(IrBuild *b, IrElem e, unsigned y, int imm, IrRef a) { return IR_INS(OP_##n, TV128, (uint8_t)e, (uint8_t)y, a, 0, 0, imm); }
#define SHAPE_VXBIN(n) IR_FORM(n)(IrBuild *b, IrElem e, unsigned y, int imm, IrRef a, IrRef c) { return IR_INS(OP_##n, TV128, (uint8_t)e, (uint8_t)y, a, c, 0, imm); }
#define SHAPE_LUN(n) IR_FORM(n)(IrBuild *b, IrRef a) { return IR_INS(OP_##n, TV128, 0, 0, a, 0, 0, 0); }
#define SHAPE_LBIN(n) IR_FORM(n)(IrBuild *b, IrRef a, IrRef c) { return IR_INS(OP_##n, TV128, 0, 0, a, c, 0, 0); }
#define SHAPE_LTRI(n) IR_FORM(n)(IrBuild *b, IrRef a, IrRef c, IrRef d) { return IR_INS(OP_##n, TV128, 0, 0, a, c, d, 0); }
#define SHAPE_FUN(n) IR_FORM(n)(IrBuild *b, IrType ty, IrRef a) { return IR_INS(OP_##n, (uint8_t)ty, (uint8_t)ir_fp_elem(ty), 0, a, 0, 0, 0); }
#define SHAPE_FBIN(n) IR_FORM(n)(IrBuild *b, IrType ty, IrRef a, IrRef c) { return IR_INS(OP_##n, (uint8_t)ty, (uint8_t)ir_fp_elem(ty), 0, a, c, 0, 0); }
#define SHAPE_FTRI(n) IR_FORM(n)(IrBuild *b, IrType ty, IrRef a, IrRef c, IrRef d) { return IR_INS(OP_##n, (uint8_t)ty, (uint8_t)ir_fp_elem(ty), 0, a, c, d, 0); }
#define SHAPE_FXUN(n) IR_FORM(n)(IrBuild *b, IrType ty, unsigned x, unsigned y, int imm, IrRef a) { return IR_INS(OP_##n, (uint8_t)ty, (uint8_t)x, (uint8_t)y, a, 0, 0, imm); }
#define OP(name, shape, sig, effects, doc) SHAPE_##shape(name)
#include "ops.def"
#undef OP

#endif
