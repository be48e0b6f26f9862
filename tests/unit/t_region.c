/* t_region.c - tier-2 regions: which code a loop's region is made of, its edges, and what the passes note about them. */
#include <criterion/criterion.h>

#include "frontend/aarch64/cpu.h"
#include "region.h"

enum { PC = 0x10000, CAP = 12 * 1024 };

static uint32_t code[64];
static unsigned ncode;
static IrIns ins[CAP];

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    uint64_t at = pc.v - PC, end = 4 * ncode;
    *avail = at < end ? (uint32_t)(end - at) : 0;
    return *avail ? (const uint8_t *)code + at : NULL;
}

static bool nowhere(const void *arg, uint64_t pc)
{
    return arg && pc == *(const uint64_t *)arg;
}

/* The region of the loop at word `head`; `other` = where a region is already, or NULL. */
static bool region(IrRegion *r, const uint32_t *words, unsigned n, unsigned head, const uint64_t *other)
{
    static Space space = {.fetch = fetch};
    const TrStop stop = {nowhere, other, 0};
    ncode = n;
    memcpy(code, words, 4 * n);
    return a64_frontend.translate_loop(a64_model("max"), &space, &stop, gva(PC + 4 * head), KEY_SHARED, 512, r, ins, CAP);
}

static const IrIns *find(const IrRegion *r, unsigned block, unsigned op)
{
    for (IrRef i = r->blocks[block].first; i < r->blocks[block].end; i++) {
        if (r->ins[i].op == op) {
            return &r->ins[i];
        }
    }
    return NULL;
}

Test(region, no_loop)
{
    static const uint32_t words[] = {0x91000400, 0x91000421, 0xd65f03c0}; /* add; add; ret */
    IrRegion r;
    cr_assert(!region(&r, words, LEN(words), 0, NULL));
    cr_assert_eq(r.nblocks, 0);
}

/* ldr x1, [x0], #8; add x2, x2, x1; cmp x0, x3; b.ne: a fault of the load shows the flags, which nobody stores. */
Test(region, flags_made_again)
{
    static const uint32_t words[] = {0xf8408401, 0x8b010042, 0xeb03001f, 0x54ffffa1, 0xd65f03c0};
    IrRegion r;
    cr_assert(region(&r, words, LEN(words), 0, NULL));
    cr_assert_eq(r.nblocks, 2, "the loop, and its copy where it is entered");
    cr_assert_eq(r.entry, 1);
    cr_assert_eq(r.flags[1], 0, "from outside they come in memory");
    cr_assert_neq(r.flags[0], 0);
    cr_assert_eq(ins[r.flags[0]].op, OP_fl_sub);
    cr_assert_eq(ins[r.flags[0]].imm, IR_ON_DEMAND);
    IrFlow f;
    ir_flow(&r, &f);
    cr_assert_eq(f.succ[0], 1);
    cr_assert_eq(f.succ[1], 1);
    cr_assert_eq(f.depth[0], 1);
    for (IrRef i = 1; i < r.n; i++) {
        if (ins[i].op == OP_exit_if && ir_edge(&r, &ins[i]) == 0) {
            cr_assert(ins[i].x & EXIT_FLAGS_DEAD);
            cr_assert(ins[i].x & EXIT_POLL);
        }
    }
}

/* head: cbz x0, out; tbz w0, #0, else; add; b join; else: sub; join: subs x3, x3, #1; b.ne head; out: ret */
static const uint32_t diamond[] = {0xb40000e0, 0x36000060, 0x91000421, 0x14000002, 0xd1000421, 0xf1000463, 0x54ffff41, 0xd65f03c0};

Test(region, diamond)
{
    IrRegion r;
    cr_assert(region(&r, diamond, LEN(diamond), 0, NULL));
    IrFlow f;
    ir_flow(&r, &f);
    cr_assert_geq(ir_block_at(&r, PC), 0);
    cr_assert_geq(ir_block_at(&r, PC + 16), 0, "else");
    cr_assert_geq(ir_block_at(&r, PC + 20), 0, "join");
    cr_assert_lt(ir_block_at(&r, PC + 28), 0, "what follows the loop is not in it");
    cr_assert(f.succ[ir_block_at(&r, PC + 20)] & 1);
    cr_assert_eq(r.nbytes, 28);
}

Test(region, ends_at_another)
{
    const uint64_t other = PC + 20;
    IrRegion r;
    cr_assert(!region(&r, diamond, LEN(diamond), 0, &other), "without its join the loop is none");
}

/* fadd d0, d0, d1; subs x2, x2, #1; b.ne: from the second round on the upper half of V0 is zero. */
Test(region, narrow)
{
    static const uint32_t words[] = {0x1e612800, 0xf1000442, 0x54ffffc1, 0xd65f03c0};
    IrRegion r;
    cr_assert(region(&r, words, LEN(words), 0, NULL));
    cr_assert_neq(r.entry, 0);
    const IrIns *inside = find(&r, 0, OP_f_add), *entered = find(&r, r.entry, OP_f_add);
    cr_assert_eq(ins[inside->a].y, 1, "V0");
    cr_assert_eq(ins[inside->b].y, 0, "V1 is as it came");
    cr_assert_eq(ins[entered->a].y, 0);
}
