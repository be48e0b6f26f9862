/* tr_pac.c - pointer authentication in IR: AddPAC, Auth, Strip (DDI 0487 D8.10, aarch64/functions/pac).
 *
 * The algorithm is IMPLEMENTATION DEFINED: two rounds of multiply and fold (pac_hash), and the PAC is that exclusive-or
 * the canonical bits of its place. The PAC's field in a pointer goes from the lowest
 * bit that addresses leave free up to bit 54 and, where the top byte is no tag, takes bits 63 to 56; bit 55 says which half of the
 * address space. What the two halves' fields are is known when code is translated: from the key in system mode; Linux's programs have
 * 48 bits of address in both halves and tags in the lower one (TCR_EL1.TBI0 = 1, TBI1 = 0). Which half a pointer is in is known when it
 * is used: by_half chooses without a branch. System mode, where each function of a kernel does this twice, has a shorter form for
 * what is usual, and leaves for the rest: then the one instruction is interpreted under KEY_PAC_ANY.
 */
#include "helpers.h"
#include "sys.h"
#include "tr.h"

typedef struct PacShape {
    unsigned low[2]; /* lowest bit of the PAC (CalculateBottomPACBit), for the lower and the upper half */
    bool tbi[2];     /* bits 63:56 are a tag */
} PacShape;

static PacShape shape(const Tr *t, bool data)
{
    uint64_t k = t->key;
    if (!(k & KEY_SYSTEM)) {
        return (PacShape){{A64_VA_BITS, A64_VA_BITS}, {true, false}};
    }
    return (PacShape){{k >> KEY_PAC_LOW0_SHIFT & 63, k >> KEY_PAC_LOW1_SHIFT & 63},
                      {k & (data ? KEY_TBI0 : KEY_TBII0), k & (data ? KEY_TBI1 : KEY_TBII1)}};
}

/* A constant for pointers of the lower half, another for those of the upper; half = bit 55 in all bits. */
static IrRef by_half(Tr *t, IrRef half, uint64_t lower, uint64_t upper)
{
    IrRef change = ir_and(t->b, I64, half, ir_iconst(t->b, I64, lower ^ upper));
    return ir_xor(t->b, I64, change, ir_iconst(t->b, I64, lower));
}

typedef struct Pointer {
    PacShape s;
    IrRef half, field, plain; /* plain: the field a copy of bit 55 */
} Pointer;

static Pointer take_apart(Tr *t, IrRef ptr, bool data)
{
    IrBuild *b = t->b;
    Pointer p = {.s = shape(t, data), .half = ir_sbfx(b, I64, ptr, 55, 1)};
    p.field = by_half(t, p.half, a64_pac_field(p.s.low[0], p.s.tbi[0]), a64_pac_field(p.s.low[1], p.s.tbi[1]));
    p.plain = ir_xor(b, I64, ir_andn(b, I64, ir_xor(b, I64, ptr, p.half), p.field), p.half);
    return p;
}

IrRef tr_pac_strip(Tr *t, IrRef ptr, bool data)
{
    return take_apart(t, ptr, data).plain;
}

/* What the PAC changes in the field of an address that has none: pac_hash there. */
static IrRef code(Tr *t, int key, IrRef address, IrRef modifier, IrRef field)
{
    IrBuild *b = t->b;
    unsigned words = SLOT_pac_key + 2 * (unsigned)key;
    IrRef h = ir_mul(b, I64, ir_xor(b, I64, address, ir_get(b, words, I64)), ir_iconst(b, I64, PAC_FACTOR1));
    h = ir_xor(b, I64, h, ir_lshr(b, I64, h, ir_iconst(b, I32, 32)));
    h = ir_add(b, I64, h, ir_xor(b, I64, modifier, ir_get(b, words + 1, I64)));
    return ir_and(b, I64, ir_mul(b, I64, h, ir_iconst(b, I64, PAC_FACTOR2)), field);
}

/* `value` where cond holds, else 0. */
static IrRef if_so(Tr *t, IrRef cond, IrRef value)
{
    return ir_select(t->b, I64, cond, value, ir_iconst(t->b, I64, 0));
}

/* An address that is not canonical gets a PAC that does not authenticate: the bit below the highest one is flipped. */
static IrRef sign(Tr *t, const Pointer *p, IrRef ptr, IrRef with)
{
    IrRef flip = by_half(t, p->half, (uint64_t)1 << (p->s.tbi[0] ? 54 : 62), (uint64_t)1 << (p->s.tbi[1] ? 54 : 62));
    return ir_xor(t->b, I64, with, if_so(t, ir_cmp(t->b, I64, CMP_NE, p->plain, ptr), flip));
}

/* The error code goes to bits 54:53, or 62:61 without a tag: 01 for A keys, 10 for B keys. */
static IrRef authenticate(Tr *t, const Pointer *p, IrRef ptr, IrRef with, int key)
{
    uint64_t error = 1 + ((unsigned)key & 1);
    IrRef change = by_half(t, p->half, error << (p->s.tbi[0] ? 53 : 61), (3 ^ error) << (p->s.tbi[1] ? 53 : 61));
    return ir_xor(t->b, I64, p->plain, if_so(t, ir_cmp(t->b, I64, CMP_NE, with, ptr), change));
}

/* For an address of the half where the code is, which is canonical when it is signed, and right when it is authenticated. All others
 * are for KEY_PAC_ANY. */
static IrRef usual(Tr *t, int k, IrRef ptr, IrRef modifier)
{
    IrBuild *b = t->b;
    PacShape s = shape(t, (k & PAC_KEY) >= PAC_DA);
    unsigned upper = t->pc >> 55 & 1;
    uint64_t field = a64_pac_field(s.low[upper], s.tbi[upper]), fixed = field | (uint64_t)1 << 55;
    IrRef mask = ir_iconst(b, I64, fixed), other;
    if (!(k & PAC_AUT)) {
        other = upper ? ir_andn(b, I64, mask, ptr) : ir_and(b, I64, ptr, mask);
        ir_exit_exc_if(b, ir_is_zero(b, I64, other, true), EXC_PAC, 0);
        return ir_xor(b, I64, ptr, code(t, k & PAC_KEY, ptr, modifier, ir_iconst(b, I64, field)));
    }
    IrRef plain = upper ? ir_or(b, I64, ptr, mask) : ir_andn(b, I64, ptr, mask);
    other = ir_xor(b, I64, ptr, code(t, k & PAC_KEY, plain, modifier, ir_iconst(b, I64, field)));
    ir_exit_exc_if(b, ir_cmp(b, I64, CMP_NE, other, plain), EXC_PAC, 0);
    return plain;
}

IrRef tr_pac_value(Tr *t, int k, IrRef ptr, IrRef modifier)
{
    IrBuild *b = t->b;
    int key = k & PAC_KEY;
    if (t->key & KEY_SYSTEM) { /* SCTLR_ELx may switch the key off (the pointer stays), a hypervisor may trap its use */
        uint64_t level = t->key >> KEY_PAC_TRAP_SHIFT & 3;
        if (!(t->key >> (KEY_PAC_SHIFT + key) & 1)) {
            return ptr;
        }
        if (level) {
            ir_exit_exc_if(b, ir_iconst(b, I32, 1), EXC_TRAP, (int32_t)(EC_PAC | level << 8));
        }
        if (!(t->key & KEY_PAC_ANY)) {
            return usual(t, k, ptr, modifier);
        }
    }
    Pointer p = take_apart(t, ptr, key >= PAC_DA);
    IrRef with = ir_xor(b, I64, p.plain, code(t, key, p.plain, modifier, p.field));
    if (!(k & PAC_AUT)) {
        return sign(t, &p, ptr, with);
    }
    IrRef r = authenticate(t, &p, ptr, with, key);
    if (tr_has(t, A64_FEAT_fpac)) {
        ir_exit_exc_if(b, ir_cmp(b, I64, CMP_NE, r, p.plain), EXC_FPAC, key);
    }
    return r;
}
