/* tr_sys.c - A64 hints, barriers, PSTATE fields, system registers and instructions in IR
 * (rows of a64_branch.isa; DDI 0487 C4.1.87, C5).
 *
 * System registers and maintenance operations are rows of sysregs.def; here are the few that are code (HOOK rows).
 * What EL0 may not do ends in EXC_UNDEF or, where EL1 could have allowed it, in EXC_SYSTRAP.
 */
#include "sys.h"
#include "tr.h"

/* -- hints ------------------------------------------------------------------------------------------------ */

void tr_nop(Tr *t, const A64 *a, int k)
{
    (void)t;
    (void)a;
    (void)k;
}

/* YIELD, WFE, WFI and the two with a time limit: k = hint number; the engine's caller may give up the processor. */
void tr_hint_wait(Tr *t, const A64 *a, int k)
{
    (void)a;
    tr_exc(t, EXC_HINT, k, t->next);
}

/* The hints of FEAT_PAuth: k = key and PAC_* bits; PAC_LR acts on X30 with SP or 0, else on X17 with X16. */
void tr_pac_hint(Tr *t, const A64 *a, int k)
{
    (void)a;
    if (!tr_has(t, A64_FEAT_pauth)) {
        return;
    }
    int rd = k & PAC_LR ? 30 : 17;
    IrRef mod = k & PAC_ZERO ? ir_iconst(t->b, I64, 0) : k & PAC_LR ? tr_reg_or_sp(t, 31, I64) : tr_reg(t, 16, I64);
    tr_set_reg(t, rd, tr_pac_value(t, k, tr_reg(t, rd, I64), mod));
}

void tr_xpaclri(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    if (tr_has(t, A64_FEAT_pauth)) {
        tr_set_reg(t, 30, tr_pac_strip(t, tr_reg(t, 30, I64), false));
    }
}

/* -- barriers ------------------------------------------------------------------------------------------------- */

void tr_clrex(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    ir_set(t->b, SLOT_excl_addr, ir_iconst(t->b, I64, ~(uint64_t)0));
}

/* DMB, DSB: CRm<1:0> says which accesses are ordered. DSB with 0b0x00 is SSBB or PSSBB, about speculation only. */
void tr_barrier(Tr *t, const A64 *a, int k)
{
    (void)k;
    static const FenceOp kind[4] = {FENCE_FULL, FENCE_LD, FENCE_ST, FENCE_FULL};
    ir_fence(t->b, kind[a->crm & 3]);
}

void tr_barrier_nxs(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    ir_fence(t->b, FENCE_FULL);
}

/* ISB: code after it is looked at anew; links into dropped code are already cut. */
void tr_isb(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    tr_branch(t, t->next);
}

/* -- PSTATE ------------------------------------------------------------------------------------------------------ */

static IrRef packed_flags(Tr *t)
{
    return ir_fl_pack(t->b, tr_flags(t));
}

void tr_cfinv(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    IrRef f = ir_xor(t->b, I32, packed_flags(t), ir_iconst(t->b, I32, PACKED_C));
    tr_set_flags(t, ir_fl_unpack(t->b, f));
}

/* Bit `from` of v, moved to bit `to`. */
static IrRef bit_to(Tr *t, IrType ty, IrRef v, unsigned from, unsigned to)
{
    IrRef bit = ir_ubfx(t->b, ty, v, from, 1);
    return to ? ir_shl(t->b, ty, bit, ir_iconst(t->b, I32, to)) : bit;
}

/* XAFLAG: N = !C & !Z, Z = Z & C, C = C | Z, V = !C & Z. */
void tr_xaflag(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    IrBuild *b = t->b;
    IrRef f = packed_flags(t), c = ir_test_bit(b, I32, f, 8, false), z = ir_test_bit(b, I32, f, 14, false);
    IrRef one = ir_iconst(b, I32, 1), n = ir_xor(b, I32, ir_or(b, I32, c, z), one);
    IrRef r = ir_andn(b, I32, z, c);
    r = ir_bfi(b, I32, r, ir_or(b, I32, c, z), 8, 1);
    r = ir_bfi(b, I32, r, ir_and(b, I32, z, c), 14, 1);
    r = ir_bfi(b, I32, r, n, 15, 1);
    tr_set_flags(t, ir_fl_unpack(b, r));
}

/* AXFLAG: Z = Z | V, C = C & !V, N = V = 0. */
void tr_axflag(Tr *t, const A64 *a, int k)
{
    (void)a;
    (void)k;
    IrBuild *b = t->b;
    IrRef f = packed_flags(t), v = ir_test_bit(b, I32, f, 0, false);
    IrRef z = ir_or(b, I32, bit_to(t, I32, f, 14, 14), ir_shl(b, I32, v, ir_iconst(b, I32, 14)));
    IrRef c = ir_andn(b, I32, ir_and(b, I32, f, ir_iconst(b, I32, PACKED_C)), ir_shl(b, I32, v, ir_iconst(b, I32, 8)));
    tr_set_flags(t, ir_fl_unpack(b, ir_or(b, I32, z, c)));
}

static void set_misc(Tr *t, unsigned lsb, IrRef bit)
{
    ir_set(t->b, SLOT_pstate_misc, ir_bfi(t->b, I64, ir_get(t->b, SLOT_pstate_misc, I64), bit, lsb, 1));
}

/* MSR (immediate): the value is CRm<0>. */
void tr_msr_ssbs(Tr *t, const A64 *a, int k)
{
    (void)k;
    set_misc(t, 12, ir_iconst(t->b, I64, a->crm & 1));
}

void tr_msr_dit(Tr *t, const A64 *a, int k)
{
    (void)k;
    set_misc(t, 24, ir_iconst(t->b, I64, a->crm & 1));
}

void tr_msr_tco(Tr *t, const A64 *a, int k)
{
    (void)k;
    set_misc(t, 25, ir_iconst(t->b, I64, a->crm & 1));
}

/* MSR DAIFSet, DAIFClr: trapped by SCTLR_EL1.UMA. */
void tr_priv_trap(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_exc(t, EXC_SYSTRAP, (int32_t)a->word, t->pc);
}

/* -- system registers that are code ------------------------------------------------------------------------------- */

static IrRef mrs_nzcv(Tr *t)
{
    IrBuild *b = t->b;
    IrRef f = packed_flags(t);
    IrRef nz = ir_shl(b, I32, ir_and(b, I32, f, ir_iconst(b, I32, PACKED_N | PACKED_Z)), ir_iconst(b, I32, 16));
    return ir_or(b, I32, nz, ir_or(b, I32, bit_to(t, I32, f, 8, 29), bit_to(t, I32, f, 0, 28)));
}

static void msr_nzcv(Tr *t, IrRef v)
{
    IrBuild *b = t->b;
    v = ir_trunc(b, v);
    IrRef nz = ir_and(b, I32, ir_lshr(b, I32, v, ir_iconst(b, I32, 16)), ir_iconst(b, I32, PACKED_N | PACKED_Z));
    IrRef f = ir_or(b, I32, nz, ir_or(b, I32, bit_to(t, I32, v, 29, 8), bit_to(t, I32, v, 28, 0)));
    tr_set_flags(t, ir_fl_unpack(b, f));
}

static IrRef mrs_fpcr(Tr *t)
{
    return ir_get(t->b, SLOT_fpcr, I32);
}

static void msr_fpcr(Tr *t, IrRef v)
{
    ir_call(t->b, H_fpcr_write, ir_trunc(t->b, v), 0, 0);
    tr_sync(t);
}

static IrRef mrs_fpsr(Tr *t)
{
    return ir_call(t->b, H_fpsr_read, 0, 0, 0);
}

/* The first access brings another key (engine_fpsr_watched). */
static void sync_fpsr(Tr *t)
{
    if (!(t->key & KEY_FP_UFC)) {
        tr_sync(t);
    }
}

static void msr_fpsr(Tr *t, IrRef v)
{
    ir_call(t->b, H_fpsr_write, ir_trunc(t->b, v), 0, 0);
    sync_fpsr(t);
}

static IrRef mrs_cntvct(Tr *t)
{
    return ir_call(t->b, H_cntvct, 0, 0, 0);
}

/* RNDR, RNDRRS: never short of entropy, NZCV = 0000. */
static IrRef mrs_rndr(Tr *t)
{
    IrRef r = ir_call(t->b, H_rndr, 0, 0, 0);
    tr_set_flags(t, ir_fl_const(t->b, 0));
    return r;
}

/* Read-only hooks. */
#define msr_cntvct NULL
#define msr_rndr NULL

/* -- system instructions that are code ------------------------------------------------------------------------------ */

static void sys_NOP_AT(Tr *t, IrRef address)
{
    ir_load(t->b, I32, M8, 0, address, 0, 0, 0);
}

static void sys_dc_zva(Tr *t, IrRef address)
{
    IrRef block = ir_and(t->b, I64, address, ir_iconst(t->b, I64, ~(uint64_t)63)), zero = ir_vconst(t->b, 0, 0);
    for (int i = 0; i < 64 && !(t->key & KEY_SYSTEM); i += 16) {
        ir_store(t->b, M128, 0, block, 0, 0, i, zero);
    }
    if (t->key & KEY_SYSTEM) { /* one access */
        for (int i = 16; t->b->on_store && i < 64; i += 16) {
            t->b->on_store(t->b, block, 0, 0, i);
        }
        ir_store(t->b, M512, 0, block, 0, 0, 0, zero);
    }
}

static void sys_ic_ivau(Tr *t, IrRef address)
{
    ir_call(t->b, H_ic_ivau, address, ir_hconst(t->b, t->space), 0);
}

/* -- the tables -------------------------------------------------------------------------------------------------------- */

enum { NO, RO, RW };
enum { KIND_SLOT, KIND_FIELD, KIND_CONST, KIND_HOOK };

typedef struct SysReg {
    uint16_t id;
    uint8_t access, kind;
    int16_t feat;
    uint64_t where;
    IrRef (*mrs)(Tr *t);
    void (*msr)(Tr *t, IrRef v);
} SysReg;

typedef struct SysOp {
    uint16_t id;
    int16_t feat;
    void (*tr)(Tr *t, IrRef address);
} SysOp;

#define WHERE_SLOT(w) w, NULL, NULL
#define WHERE_FIELD(w) w, NULL, NULL
#define WHERE_CONST(w) w, NULL, NULL
#define WHERE_HOOK(w) 0, mrs_##w, msr_##w

/* Features that only exist above EL0 (sysregs.h) take nothing from programs. */
#define USER_FEAT(feat) ((feat) < A64_FEAT_COUNT ? (feat) : ALWAYS)

static const SysReg sysregs[] = {
#define USERREG(name, access, kind, where)                                                          \
    {SYSID_##name, access, KIND_##kind, USER_FEAT((int)SYSFEAT_##name), WHERE_##kind(where)},
#include "sysregs.def"
};

static const SysOp sysops[] = {
#define USEROP(name, what) {SYSOPID_##name, SYSOPFEAT_##name, sys_##what},
#include "sysregs.def"
};

static bool present(const Tr *t, int feat)
{
    return feat == ALWAYS || tr_has(t, (unsigned)feat);
}

static const SysReg *find_reg(const Tr *t, const A64 *a)
{
    int id = SYS_ID(2 | a->o0, a->op1, a->crn, a->crm, a->op2);
    for (unsigned i = 0; i < LEN(sysregs); i++) {
        if (sysregs[i].id == id && present(t, sysregs[i].feat)) {
            return &sysregs[i];
        }
    }
    return NULL;
}

/* ID registers that the kernel emulates: op0=3 op1=0 crn=0; of crm 0 MIDR, MPIDR, REVIDR; crm 1 is AArch32's. */
static bool is_id_register(const A64 *a)
{
    bool known = a->crm == 0 ? a->op2 == 0 || a->op2 == 5 || a->op2 == 6 : a->crm >= 2 && a->crm <= 7;
    return a->o0 && a->op1 == 0 && a->crn == 0 && known;
}

void tr_mrs(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    const SysReg *r = find_reg(t, a);
    IrRef v;
    if (is_id_register(a)) {
        v = ir_iconst(b, I64, a64_id_register(t->model, (unsigned)a->crm, (unsigned)a->op2));
    } else if (!r) {
        tr_undef(t, a);
        return;
    } else if (r->access == NO) {
        tr_priv_trap(t, a, k);
        return;
    } else if (r->kind == KIND_SLOT) {
        v = ir_get(b, (unsigned)r->where, I64);
    } else if (r->kind == KIND_FIELD) {
        v = ir_and(b, I64, ir_get(b, SLOT_pstate_misc, I64), ir_iconst(b, I64, (uint64_t)1 << r->where));
    } else if (r->kind == KIND_CONST) {
        v = ir_iconst(b, I64, r->where);
    } else {
        v = r->mrs(t);
    }
    tr_set_reg(t, a->rt, v);
    if (r && r->kind == KIND_HOOK && r->mrs == mrs_fpsr) {
        sync_fpsr(t);
    }
}

void tr_msr(Tr *t, const A64 *a, int k)
{
    IrBuild *b = t->b;
    const SysReg *r = find_reg(t, a);
    if (!r || r->access == RO) {
        tr_undef(t, a);
        return;
    }
    if (r->access == NO) {
        tr_priv_trap(t, a, k);
        return;
    }
    IrRef v = tr_reg(t, a->rt, I64);
    if (r->kind == KIND_SLOT) {
        ir_set(b, (unsigned)r->where, v);
    } else if (r->kind == KIND_FIELD) {
        set_misc(t, (unsigned)r->where, ir_ubfx(b, I64, v, (unsigned)r->where, 1));
    } else {
        r->msr(t, v);
    }
}

void tr_sys(Tr *t, const A64 *a, int k)
{
    (void)k;
    int id = SYS_ID(1, a->op1, a->crn, a->crm, a->op2);
    for (unsigned i = 0; i < LEN(sysops); i++) {
        if (sysops[i].id == id && present(t, sysops[i].feat)) {
            sysops[i].tr(t, tr_reg(t, a->rt, I64));
            return;
        }
    }
    tr_undef(t, a);
}

/* SYSL: none that EL0 may execute. */
void tr_sysl(Tr *t, const A64 *a, int k)
{
    (void)k;
    tr_undef(t, a);
}
