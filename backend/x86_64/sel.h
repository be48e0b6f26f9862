/* sel.h - selection and allocation of one region for x86-64: the words that rules and emitters share.
 *
 * How an op becomes code (sel.c): a backward sweep has found last uses, dead ops, what folds into its user
 * (LAZY) and which value may be computed in its register's home (hint). The forward pass takes the ops in order;
 * for each it picks the first row of the op's rules whose types, shapes and features fit, brings the operands
 * where the row wants them, gives the emitter a Sel, and frees what died.
 *
 * How to add a lowering: one row in a rules_*.c table and one 2-6 line emitter in emit_*.c.
 *   RULE(op, types, x, dst, src0, src1, src2, flags, emitter, arg)
 * types: TY(I32) | TY(I64), 0 = any, matched with .ty; x: X(E_S) | X(E_D), 0 = any, matched with .x.
 * src: S_R general register, S_RM that or the home of a slot in memory, S_I a constant that fits a sign-extended
 * 32-bit immediate (any constant for i32), S_SHL a scaled index (a shift that was left to its user), S_FF S_FFFF S_FFFFFFFF that constant, S_X / S_XM the same for vector registers, S_NONE.
 * dst: D_R / D_X any register (it may be one of the sources'), D_RT / D_XT the emitter finds source 0 in it and
 * overwrites it, D_RE / D_XE different from every source, D_NONE.
 * flags: R_CLOB changes EFLAGS; R_COMM sources 0 and 1 may be swapped; R_T1 R_T2 scratch general registers in
 * s->t[0], t[1]; R_TX1 R_TX2 R_TX3 scratch vector registers in s->tx; R_FAULT the FIRST instruction of the emitter may
 * fault; R_ZX the result's upper bits (above 32 of an i32, above the scalar of an FP value) are zero; R_ZXA they
 * are zero when those of source 0 are; R_AVX512 needs AVX-512 VL BW DQ; R_SETS leaves the flags of an fl_ op
 * with the same operands in EFLAGS.
 * Rows are tried in order: specific first, the last takes anything. Later files only see what earlier files
 * (the order is rule_tables[] in target.c) did not take; ops with EVAL always end in the evaluation function.
 * An op that no row can say has an `OWN` row: its function does everything with the l_* functions below.
 *
 * Values: an i32 in a register has undefined upper bits unless A_ZX; an FP scalar's register likewise.
 * A slot's home is its pinned register or its place in the CPU structure; values that are equal to a slot are
 * its residents until it is overwritten.
 */
#ifndef ARMX_BACKEND_X86_64_SEL_H
#define ARMX_BACKEND_X86_64_SEL_H

#include "../tb.h"
#include "build.h"
#include "enc.h"
#include "region.h"

enum { NOSLOT = 255, NOSPILL = 255, NSPILLS = 48, VALS_AT_ONCE = 4 /* are set up */ };
enum { A_ZX = 1, A_LAZY = 2, A_DEAD = 4, A_REISSUE = 8, A_DONE = 16, A_ADDR = 32, A_TARGET = 64 /* of an indirect jump */ };

typedef struct Val {
    IrRef last;   /* position of the last use */
    IrRef next;   /* next resident of the same slot; in the sweep: position of the first `set` of it */
    Reg reg;      /* register that holds it, or NOREG */
    uint8_t home; /* slot that it is equal to, or NOSLOT */
    uint8_t spill;
    uint8_t hint; /* slot whose pin it may be computed in, or NOSLOT */
    uint8_t uses, fuse, sets, attr;
} Val;

/* What the flags in EFLAGS look like. */
typedef enum FlagForm { FF_ADD, FF_SUB /* carry inverted */, FF_FAB /* ucomis a, b */, FF_FBA /* ucomis b, a */ } FlagForm;

typedef struct Feat {
    bool avx512; /* F VL BW DQ */
    bool vbmi, gfni, vaes, sha, avx2;
    bool aes; /* AES and PCLMULQDQ */
    bool vnni, bitalg; /* AVX512_VNNI, AVX512_BITALG */
} Feat;

/* Accesses by CpuHead.near: what translated code adds to, and what a miss leaves in the register that had the address. */
typedef enum NearKind { NEAR_ADD /* what is to be added */, NEAR_HOST /* the host address */, NEAR_WRITE_ADD, NEAR_WRITE_HOST,
                        NEAR_HOT /* the address still; CpuHead.hot is the page's */, NEAR_KINDS } NearKind;

struct Lower;
typedef struct Target {
    Feat feat;
    Reg pin[IR_MAX_SLOTS];        /* slot -> register, or NOREG */
    uint8_t slot_of[REG_COUNT];   /* register -> slot, or NOSLOT */
    int32_t slot_disp[IR_MAX_SLOTS]; /* from the state pointer */
    uint64_t temps, pins;         /* bit per register */
    struct Rule const *first[OP_COUNT];
    void (*alone[OP_COUNT])(struct Lower *l, IrRef i); /* the OWN row that takes every op of the kind, or NULL */
    uint16_t nrules[OP_COUNT];
    struct Rule *rules;
    /* stubs, rx */
    uint8_t *enter, *leave, *leave_saved, *unlinked, *pending, *pending_indirect, *indirect_miss, *ret_mismatch,
        *ret_bottom, *helper, *helper_plain, *helper_general, *eval, *resume;
    uint8_t *soft_slow, *soft_commit, *soft_far; /* system mode */
    uint8_t *soft_second[2][2];                  /* by privilege and use: the TLB's second way, then soft_slow */
    uint8_t *soft_missed;                        /* an access that missed in CpuHead.near too often, perhaps */
    uint8_t *soft_near[16][NEAR_KINDS], *soft_near_done[16][NEAR_KINDS]; /* by the register with the address: fill an entry of it; what follows a slow path */
    size_t stub_bytes;
    const uint8_t *consts; /* rx copy of simd_consts (simd_consts.h) */
    JumpEntry *miss_entry; /* an entry whose host is indirect_miss */
} Target;

/* Out-of-line code after the region. */
typedef enum StubKind {
    STUB_EXIT,    /* an Exit's unlinked stub (from: none); every Exit gets one by itself */
    STUB_PENDING, /* leave with EXC_PENDING at exit->pc */
    STUB_FLAGS,   /* store the flags from EFLAGS, then go to the exit */
    STUB_JUMP,    /* go to the exit */
    STUB_EXC,     /* leave with an exception */
    STUB_SOFT,    /* slow path of an access (rules_softmmu.c) */
    STUB_MISS,    /* indirect call, to reg, that missed: the entry that leads to the look-up */
    STUB_TARGET,  /* the target of an indirect jump, reg, to RTARGET; then to `to` */
} StubKind;
typedef struct Stub {
    StubKind kind;
    FlagForm form;
    bool poll;
    Reg reg;       /* STUB_EXC: faulting address or NOREG */
    uint8_t *from; /* displacement to link to the stub */
    uint8_t *back; /* STUB_MISS, STUB_SOFT: where to go on */
    uint8_t *to;   /* STUB_TARGET, rx */
    int block;     /* of the region, where STUB_FLAGS and STUB_JUMP go; -1: to the exit */
    Exit *exit;
    ExcKind exc;
    int32_t imm;
    uint64_t pc;
    /* STUB_SOFT: reg is t1, imm the access */
    Reg reg2, data; /* t2; what is stored, or NOREG: `value` */
    bool store, near, hot; /* hot: the access adds RNEAR */
    int32_t value, k; /* k: which near entry */
    Mem m;          /* near: the address; where the access is, once it has what to add in reg */
    uint8_t *access;
    Fault fault;    /* to be entered at the call */
} Stub;

typedef struct Lower {
    Asm a;
    Engine *e;
    const Target *t;
    const IrRegion *r;
    const IrIns *ins;
    CodeChunk *ch;
    Val *val;
    IrRef *todo;          /* what the sweep found to need code, and where its guest instructions begin; the last op first */
    unsigned ntodo;
    IrRef pos;            /* op being lowered */
    IrRef want_flags;     /* flags op that this arithmetic should make too, or 0 */
    uint64_t guest_pc;    /* of the current guest instruction */
    unsigned marks;       /* its MARK_* bits */
    uint64_t busy, lock;  /* registers: hold a value; in use by this op */
    IrRef reg_val[REG_COUNT];
    IrRef slot_head[IR_MAX_SLOTS];
    IrRef slot_cur[IR_MAX_SLOTS]; /* the value that the slot was set to last */
    IrRef ef;             /* flags value in EFLAGS, or 0 */
    FlagForm form;
    enum { EXACT_NO, EXACT_TIED } exact; /* may an FP op's result be made in its pin? no limit; only in the place of
                             a source (the copy of the source would be written before the op may trap) */
    bool hot;             /* a condition is in EFLAGS for the rest of this op */
    IrRef nz;             /* flags value of the nzcv slot that memory does not have yet, or 0 */
    uint64_t spills;      /* bit per spill slot in use */
    IrRef spill_val[NSPILLS];
    Fault faults[1024];
    unsigned nfaults;
    Recipe recipes[255];
    unsigned nrecipes;
    Exit *exits;          /* in data memory, growing */
    unsigned nexits;
    Stub stubs[512];
    unsigned nstubs;
    uint8_t *block_at[IR_BLOCKS];
    struct { uint8_t *at; uint32_t block; } fix[512];
    unsigned nfix;
    unsigned block;
    bool too_big;
    unsigned bound; /* BOUND_*, besides the region's own */
    uint32_t notes[NOTES];
    /* Tier 2: general registers that hold a slot at the region's edges, and are temporaries inside. */
    IrFlow flow;
    uint64_t cost; /* accesses to slots and spill places in memory, by depth */
    uint32_t weight; /* of one in this block */
    unsigned nfreed;
    Reg freed[8];
    Target own; /* tier 2: *t, with pins of the region's own */
    ProfileBlock *profile; /* of the region, or NULL */
} Lower;

typedef struct Sel {
    Reg d, s[3];
    Reg t[2], tx[3];
    int8_t mi;      /* which source is in memory, or -1 */
    Mem m;
    int64_t k;      /* the S_I operand */
    unsigned scale; /* of the S_SHL operand */
    int w;          /* 1 for i64 */
    const IrIns *i;
    uint32_t arg;
    const Lower *l;
} Sel;
typedef void Emit(Asm *a, const Sel *s);
typedef void Own(Lower *l, IrRef i);

typedef enum Shape { S_NONE, S_R, S_RM, S_SHL, S_I, S_FF, S_FFFF, S_FFFFFFFF, S_X, S_XM } Shape;
typedef enum Dst { D_NONE, D_R, D_RT, D_RE, D_X, D_XT, D_XE } Dst;
enum { R_CLOB = 1, R_COMM = 2, R_T1 = 4, R_T2 = 8, R_TX1 = 16, R_TX2 = 32, R_FAULT = 64, R_ZX = 128, R_ZXA = 256,
       R_AVX512 = 512, R_SETS = 1024, R_VBMI = 2048, R_GFNI = 4096, R_VAES = 8192, R_SHA = 16384, R_AES = 32768, R_TX3 = 65536 };

typedef struct Rule {
    uint16_t op;
    uint16_t types, x;
    uint8_t dst, src[3];
    uint32_t flags;
    uint16_t own;   /* `f` is an Own */
    Emit *emit;
    Own *f;
    uint32_t arg;
} Rule;
#define TY(t) (1u << (t))
#define X(x) (1u << (x))
#define RULE(op, types, x, dst, s0, s1, s2, flags, emit, arg) {OP_##op, types, x, dst, {s0, s1, s2}, flags, 0, emit, NULL, arg},
#define OWN(op, types, x, f) {OP_##op, types, x, 0, {0, 0, 0}, 0, 1, NULL, f, 0},

typedef struct RuleTable {
    const Rule *rules;
    unsigned n;
} RuleTable;
extern const Rule rules_softmmu[];
extern const unsigned rules_softmmu_n;
extern const Rule rules_exit[], rules_int[], rules_flags[], rules_mem[], rules_fp[], rules_vfp[], rules_half[], rules_recip[], rules_simd[], rules_saturate[],
    rules_crypto[];
extern const unsigned rules_exit_n, rules_int_n, rules_flags_n, rules_mem_n, rules_fp_n, rules_vfp_n, rules_half_n, rules_recip_n, rules_simd_n, rules_saturate_n,
    rules_crypto_n;

/* -- sel.c: what OWN functions use ------------------------------------------------------------------ */
static inline const IrIns *l_ins(const Lower *l, IrRef r)
{
    return &l->ins[r];
}
static inline bool l_is_const(const Lower *l, IrRef r)
{
    return l->ins[r].op == OP_const;
}
static inline bool l_lives(const Lower *l, IrRef r) /* needed after the current op? */
{
    return l->val[r].last > l->pos;
}
Reg l_reg(Lower *l, IrRef v);                 /* v in a register (of its class), locked until the op ends */
Reg l_reg_zx(Lower *l, IrRef v);              /* the same with zero upper bits (i32) */
Reg l_take(Lower *l, IrRef v);                /* a register with a copy of v that the op may destroy; locked */
Reg l_temp(Lower *l);                         /* a free general register, locked */
Reg l_temp_x(Lower *l);
void l_fix(Lower *l, Reg r);                  /* empties this temporary and locks it */
Reg l_dst(Lower *l, IrRef i, bool early);     /* where the result goes: hinted pin, a dying source, a temporary */
void l_def(Lower *l, IrRef i, Reg r, bool zx);/* the result of i is in r */
Reg l_dst_fixed(Lower *l, IrRef i, Reg r);    /* the result is made in r, a fixed temporary */
void l_mov(Lower *l, IrType ty, Reg d, Reg s);
void l_const(Lower *l, Reg d, IrType ty, uint64_t v);
void l_address(Lower *l, Reg d, uint64_t v, unsigned moves); /* d = v, which is CONST_PC or CONST_HOST; EFLAGS stay */
Mem l_addr(Lower *l, const IrIns *i);         /* the address of a load or store */
Mem l_untag(Lower *l, Mem m);                 /* without the tag, where tags were seen */
Mem l_slot(const Lower *l, unsigned slot);
Mem l_head(const Lower *l, size_t offset);    /* a field of the CPU head */
bool l_in_memory(const Lower *l, IrRef v, Mem *m); /* only in memory: where */
void l_fault(Lower *l);                       /* the next instruction may fault */
void l_clobber(Lower *l);                     /* EFLAGS are about to change: saves them if needed */
bool l_shows_flags(const Lower *l, IrRef i);  /* may op i raise something, so that the guest's flags must be found there? */
bool l_recipe(const Lower *l, IrRef f, Recipe *r); /* how to compute flags f again at the op being lowered; false: no way */
void l_evict(Lower *l, uint64_t regs);        /* empties these temporaries */
void l_evict_slot(Lower *l, unsigned slot, IrRef keep); /* moves live residents elsewhere */
void l_spill(Lower *l, IrRef v);              /* makes sure that v has a copy in its spill place */
void l_op(Lower *l, IrRef i);                 /* lowers one op by the rules */
void l_rule(Lower *l, IrRef i, const Rule *r);/* lowers one op by this rule, which fits */
void l_alias(Lower *l, IrRef i, IrRef v, bool zx); /* i is v seen as another type */
void l_eval(Lower *l, IrRef i);               /* calls the evaluation function of an EVAL op */
void l_sync_block_end(Lower *l);              /* values that other blocks use go to spill places */
Stub *l_stub(Lower *l, unsigned kind);

/* rules_flags.c */
typedef struct CondCode {
    X86Cond cc;
    bool and_np; /* the condition is cc and not parity (ordered equal) */
    bool or_p;   /* the condition is cc or parity */
} CondCode;
FlagForm fl_in_eflags(Lower *l, IrRef f, int cond); /* brings f into EFLAGS for condition cond, or -1 for any form but FF_F* */
CondCode fl_cond(Lower *l, IrRef v);             /* EFLAGS tell whether v != 0; may emit a compare */
void fl_save(Lower *l);                          /* EFLAGS' value into a register, packed */
void fl_store(Lower *l);                         /* the nzcv slot's memory up to date */
void fl_store_form(Asm *a, FlagForm form, Mem m);/* rax destroyed */
Reg fl_packed(Lower *l, IrRef f);                /* f packed in a register */
bool fl_issue(Lower *l, IrRef f, int cond);      /* emits the compare of f, if its kind has one */

/* emit_exit.c */
void exit_stubs(Lower *l);
Exit *exit_new(Lower *l, uint64_t pc);
void exit_jump(Lower *l, Exit *x);               /* patchable jmp */
/* -d profile: adds 1 to the counter; changes RAX and EFLAGS */
void l_count(Lower *l, uint64_t *counter);
unsigned dump_count(const uint8_t *code, size_t size); /* instructions there */
void exit_goto(Lower *l, uint8_t *at, int block);/* the jump whose displacement is at `at` goes to the block */
void exit_probe_jump(Asm *a, const Target *t);   /* to the translation of RTARGET by the jump cache */

/* rules_fpmode.c: before the rule of FP op i in a region with KEY_FP_FZ or KEY_FP_DN, what the rule does not see to; false:
 * there is nothing that would be exact. */
bool fpmode_check(Lower *l, IrRef i);
/* loop.c: a tier-2 region with n more temporaries than the pins of regions' edges leave; the code at its edges. */
void loop_pins(Lower *l, unsigned n);

void loop_enter(Lower *l);
void loop_leave(Lower *l);                       /* EFLAGS stay */

/* features.c: NULL, or the name of what this host lacks; off: OFF_* */
const char *features_get(Feat *f, uint32_t off);
uint32_t features_hi16_zmm(void); /* offset of xmm16-31 in an XSAVE area */

/* abi.c */
int abi_init(Engine *e, Target *t);              /* pins, and the stubs in code memory */
void abi_move_pins(Asm *a, const Target *t, bool save);

/* rules_softmmu.c */
void soft_stub(Lower *l, const Stub *s);
void soft_thunks(Asm *a, Target *t, const SoftMmu *soft);
uint64_t soft_saved(const CpuHead *cpu, const Target *t, Reg r); /* a temporary's value during a slow access */
enum { STATE_BIAS = sizeof(CpuHead) + 116, RSTATE = RBP, RTARGET = RCX, RNEAR = R12 };


void sel_init(void);
/* sel_sweep.c: a word of what depends on the op alone, filled by sel_init, then only read: its effects (ir.h) in the low byte, */
enum { HAS_A = 1 << 8, HAS_B = 1 << 9, HAS_C = 1 << 10, /* operands, */
       /* what the sweep asks, */
       W_CLOBBERS = 1 << 11, /* changes EFLAGS in its usual lowering; a guess that costs only speed when wrong */
       W_MAY_CLOBBER = 1 << 12, W_MAY_LAZY = 1 << 13, W_REISSUE = 1 << 14,
       W_ON_DEMAND = 1 << 15, /* a pass of tier 2 may have added it */
       W_FUSES = 1 << 16,     /* it can take operands in */
       /* what the forward pass asks, */
       L_INSN = 1 << 17, L_FLAGS = 1 << 18 /* of arithmetic that may follow */, L_PAIRS = 1 << 19 /* may make the flags that follow along */,
       L_FP = 1 << 20 /* evaluated by FPCR */, L_CROWDED = 1 << 21 /* uses many registers, and its own flags */,
       L_NOTHING = 1 << 22, /* needs no code where it stands */
       /* and which of these it is. */
       K_NOTHING = 1 << 23, K_GET = 1 << 24, K_SET = 1 << 25, K_LEAVES = 1 << 26 /* or calls */ };
typedef uint32_t SelOp;
extern SelOp sel_ops[OP_COUNT];
static inline IrRef sel_operand(const IrIns *in, unsigned k) /* the k-th */
{
    return k == 0 ? in->a : k == 1 ? in->b : in->c;
}
bool sel_pairs(const IrIns *x, const IrIns *fl); /* does one instruction make both? */
void sel_sweep(Lower *l);
bool sel_region(Lower *l); /* false: no room, or too large for the tables */
static inline void l_memory(Lower *l)             /* counts an access to a slot or a spill place */
{
    l->cost += l->weight;
}

#endif
