/* ir.h - the intermediate representation: types, operations, regions.
 *
 * A region is an array of instructions in SSA form; an IrRef is an index into it, 0 = none (instruction 0
 * is a nop). Blocks are runs of that array. A tier-1 region is one block with side exits; a tier-2 region
 * has several, linked by jump and branch. There are no pointers between instructions, so a region can be
 * copied, printed and re-read.
 *
 * Guest state is slots. `get` and `set` are the only ops that touch them besides calls with STATE effect.
 * A region is owned by one thread while it is built and compiled; nothing here is shared or locked.
 */
#ifndef ARMX_IR_IR_H
#define ARMX_IR_IR_H

#include "base.h"

typedef uint32_t IrRef;

typedef enum IrType { TY_NONE, I32, I64, F16, F32, F64, TV128, TFLAGS, TY_COUNT } IrType;

/* Element of a vector, and format of an FP value: the log2 of its bytes. E_BF is bfloat16 (formats only). */
typedef enum IrElem { E_B, E_H, E_S, E_D, E_Q, E_BF } IrElem;

/* What load and store move: the low two or three bits are the log2 of the size; MEM_SIGNED extends. */
typedef enum MemType { M8, M16, M32, M64, M128, M512 = 6 /* store: a v128 four times, as DC ZVA */, MEM_SIGNED = 8, MS8 = M8 | 8, MS16 = M16 | 8, MS32 = M32 | 8 } MemType;
enum { MEM_SIZE_MASK = 7 };
/* .y of load and store */
enum { MEM_SCALE = 7, MEM_ACQUIRE = 8, MEM_RELEASE = 16, MEM_UNPRIV = 32 /* LDTR, STTR: with EL0's rights */,
       MEM_HOST = 64 /* not the guest's: the address is the host's in any mode */ };

typedef enum RmwOp { RMW_ADD, RMW_CLR, RMW_EOR, RMW_SET, RMW_SMAX, RMW_SMIN, RMW_UMAX, RMW_UMIN, RMW_SWP } RmwOp;
typedef enum CmpOp { CMP_EQ, CMP_NE, CMP_ULT, CMP_ULE, CMP_SLT, CMP_SLE, CMP_UGT, CMP_UGE, CMP_SGT, CMP_SGE } CmpOp;
typedef enum FcmpOp { FCMP_EQ, FCMP_GE, FCMP_GT } FcmpOp;
enum { PREFETCH_L1, PREFETCH_L2, PREFETCH_L3, PREFETCH_STREAM, PREFETCH_STORE };
typedef enum FenceOp { FENCE_LD, FENCE_ST, FENCE_FULL } FenceOp;

/* Rounding of conversions (.y), with FPI_UNSIGNED for integers without sign; f_to_i and i_to_f also carry FPI_64
 * when the integer is an i64, which ir_emit sets from the types. */
typedef enum FpRound { FPR_TIEEVEN, FPR_POSINF, FPR_NEGINF, FPR_ZERO, FPR_TIEAWAY, FPR_CURRENT, FPR_MASK = 7 } FpRound;
enum { FPI_UNSIGNED = 8, FPI_64 = 16 };

/* Kinds of integer vector ops (ops_simd.def): .y bits, .y of v_narrow_sat, .imm of v_dot. */
enum { VS_UNSIGNED = 1, VS_ROUND = 2 };
enum { NARROW_SS, NARROW_UU, NARROW_SU }; /* signed to signed, unsigned to unsigned, signed to unsigned */
enum { DOT_SS, DOT_UU, DOT_US, DOT_SU };  /* signs of a and of b */

/* .imm of v_sha1_hash and v_sm3_tt. */
enum { SHA1_CHOOSE, SHA1_PARITY, SHA1_MAJORITY };
enum { SM3TT_1A, SM3TT_1B, SM3TT_2A, SM3TT_2B, SM3TT_LANE = 4 };

/* Arm's condition codes (DDI 0487 C1.2.4). */
typedef enum Cond { C_EQ, C_NE, C_CS, C_CC, C_MI, C_PL, C_VS, C_VC, C_HI, C_LS, C_GE, C_LT, C_GT, C_LE, C_AL, C_NV } Cond;

/* .x bits of exit_pc, exit_if, exit_call */
enum { EXIT_FLAGS_DEAD = 1, /* the target overwrites nzcv before it reads it */
       EXIT_POLL = 2,       /* look at `pending` first (backward branches) */
       EXIT_SYNC = 4 };     /* not chainable: look the target up (state key or code may have changed) */

/* Effects (ops.def, helpers.def). */
enum { GENERAL = 1 /* of a helper: it and what it calls use general registers only */, EVAL = 1, FPX = 2, QC = 4, READS = 8, WRITES = 16, FAULTS = 32, EXITS = 64, STATE = 128 };

typedef enum IrOp {
#define OP(name, shape, sig, effects, doc) OP_##name,
#include "ops.def"
#undef OP
    OP_COUNT
} IrOp;

typedef struct IrOpInfo {
    const char *name;
    char sig[6]; /* "R=ABC" */
    uint8_t effects;
    const char *doc;
} IrOpInfo;
extern const IrOpInfo ir_ops[OP_COUNT];

typedef struct IrIns {
    uint8_t op;    /* IrOp */
    uint8_t ty;    /* IrType: of the result, or of the operands where the row says so */
    uint8_t x, y;  /* small operands, see the row */
    IrRef a, b, c; /* operands; .b .c hold 64-bit constants where the row says so */
    int32_t imm;
} IrIns;

static inline uint64_t ir_imm64(const IrIns *i)
{
    return (uint64_t)i->c << 32 | i->b;
}

typedef struct IrBlock {
    IrRef first, end; /* instructions [first, end) */
} IrBlock;

/* Kinds of guest exception that a region can leave with (.x of exit_exc). */
typedef enum ExcKind {
    EXC_NONE,
    EXC_SVC,       /* .imm = imm16; pc = the next instruction */
    EXC_UNDEF,     /* .imm = the word */
    EXC_BRK,       /* .imm = imm16; pc = the instruction itself */
    EXC_HLT,       /* .imm = imm16 */
    EXC_BTI,       /* branch target exception */
    EXC_PC_ALIGN,  /* misaligned pc */
    EXC_SP_ALIGN,  /* misaligned SP-based access */
    EXC_REKEY,     /* the state key is to be computed anew; the engine does and goes on, its callers never see it */
    EXC_ALIGN,     /* misaligned atomic or exclusive access; cpu head's fault address */
    EXC_FETCH,     /* instruction fetch fault; .imm = 1 mapped without execute permission */
    EXC_DATA,      /* data access fault (reported by the engine, never by exit_exc) */
    EXC_SYSTRAP,   /* trapped MRS / MSR / SYS; .imm = the word */
    EXC_HINT,      /* WFI WFE YIELD: .imm = hint number; pc = next instruction */
    EXC_PENDING,   /* a poll saw `pending` */
    EXC_STEP,      /* one instruction done (debugger) */
    EXC_FPAC,      /* failed pointer authentication, CPU with FEAT_FPAC */
    EXC_DEBUG,     /* a debugger's breakpoint; pc = the instruction, not executed */
    EXC_HVC,       /* system mode: .imm = imm16; pc = next instruction */
    EXC_SMC,       /* the same */
    EXC_ERET,      /* exception return; .imm = 0, or 2 and 3 for the forms that authenticate */
    EXC_TRAP,      /* to a higher level; .imm = class | level << 8; pc = the instruction */
    EXC_UNMASK,    /* interrupts may have been unmasked; pc = next instruction */
    EXC_MARKED,    /* a store to a granule with a mark: the engine does the instruction under KEY_ONE_INSN and goes on, its callers never see it */
    EXC_PAC,       /* a pointer that the short form of its authentication is not for; pc = the instruction */
    EXC_COUNT
} ExcKind;

/* .imm of an op that a pass of tier 2 added: it is computed only where its value is looked at. */
enum { IR_ON_DEMAND = 1 };

/* .x of const: what its value moves with. */
enum { CONST_PLAIN, CONST_PC /* the region's pc */, CONST_HOST /* armx itself */ };
/* IrRegion.bound */
enum { BOUND_PC = 1, BOUND_HOST = 2 };

enum { IR_BLOCKS = 64, IR_BLOCK_ROOM = 6 /* nops at the begin of a tier-2 block, for passes */, IR_DESCRIBED = 16, IR_WORDS = 16 };

typedef struct IrRegion {
    IrIns *ins; /* [0] is a nop */
    uint32_t n, cap;
    IrBlock blocks[IR_BLOCKS];
    uint64_t block_pc[IR_BLOCKS]; /* tier 2: guest address where the block begins */
    IrRef flags[IR_BLOCKS];       /* tier 2: flags op at its begin that is lowered only where it is wanted, or 0 */
    unsigned nblocks, entry;
    unsigned tier;   /* 1; 2: an exit to the address of a block stays in the region (region.h) */
    Gva pc;          /* guest address of the first instruction */
    uint64_t key;    /* state key: KEY_* bits (iface.h) */
    uint32_t nbytes; /* guest bytes [pc - before, pc + nbytes) were read */
    uint32_t before;
    uint32_t ninsns; /* guest instructions */
    bool loops;      /* system mode, lowest level: part of a loop, as far as can be seen from here */
    bool unshared;   /* right only while nobody else sees guest memory */
    uint8_t bound;   /* a constant was made of one that moves: right only at this pc, in this process */
    uint8_t ndescribed;
    uint8_t nwords;  /* how many there are of the following; more than IR_WORDS: that is not all that was looked at */
    uint32_t words[IR_WORDS]; /* the guest instructions, as they were read */
    uint64_t described[IR_DESCRIBED]; /* addresses that Space.described is to be told of, whoever translates this code */
} IrRegion;

/* What the middle and the back ends know of a slot; the front end owns the table. */
typedef struct IrSlot {
    const char *name;
    uint16_t offset; /* in the CPU structure, bytes */
    uint8_t type;    /* full type */
} IrSlot;

/* What the middle and the back ends know of a helper; the front end owns the table (helpers.def).
 * The C function is  RET fn(cpu, args...)  with i32/i64 by value; v128 arguments and results go by pointer:
 * a v128 result is an extra first pointer after cpu. Up to three arguments. */
typedef struct IrHelper {
    const char *name;
    void *fn;
    uint8_t ret;     /* IrType or TY_NONE */
    uint8_t args[3]; /* IrType or TY_NONE */
    uint8_t effects;
} IrHelper;

/* Evaluation function of an EVAL op: operands and result in the low bits of V128s (higher bits of scalar
 * operands are undefined, of a scalar result ignored); k = .x | .y << 8 | .imm << 16 (low 16 bits). */
typedef void IrEval(FpEnv *env, V128 *r, const V128 *a, const V128 *b, const V128 *c, uint32_t k);
extern IrEval *const ir_evals[OP_COUNT]; /* NULL for ops without EVAL */
#define EV_X(k) ((k)&255)
#define EV_Y(k) (((k) >> 8) & 255)
#define EV_IMM(k) ((int)((k) >> 16))

static inline unsigned ir_type_bytes(IrType t)
{
    static const uint8_t bytes[TY_COUNT] = {0, 4, 8, 2, 4, 8, 16, 4};
    return bytes[t];
}

static inline IrElem ir_fp_elem(IrType t)
{
    return t == F16 ? E_H : t == F32 ? E_S : E_D;
}

static inline IrType ir_fp_type(IrElem e)
{
    return e == E_H ? F16 : e == E_S ? F32 : F64;
}

/* Type of the value that i makes (.ty may be the operands' type), TY_NONE for none. */
static inline IrType ir_result_type(const IrIns *i)
{
    switch (ir_ops[i->op].sig[0]) {
    case 'W': return I32;
    case 'X': return I64;
    case 'V': return TV128;
    case 'N': return TFLAGS;
    case '.': return TY_NONE;
    default: return (IrType)i->ty;
    }
}

/* Text form (print.c, parse.c) and check (verify.c). ir_verify returns NULL or what is wrong, in buf. */
void ir_print(const IrRegion *r, const IrSlot *slots, const IrHelper *helpers, void *file);
const char *ir_verify(const IrRegion *r, const IrSlot *slots, unsigned nslots, const IrHelper *helpers, unsigned nhelpers,
                      char *buf, size_t size);
int ir_parse(const char *text, IrRegion *r, const IrSlot *slots, unsigned nslots, const IrHelper *helpers,
             unsigned nhelpers, char *err, size_t errsize);

#endif
