/* t_mem_soft.c - guest code in system mode on a CPU without a machine, interpreted and translated: accesses over two pages, devices,
 * faults in the middle of a flags user, code that changes itself, counted instructions, with the MMU off and on.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "mem.h"
#include "space.h"

enum { RAM = 0x40000000, RAM_BYTES = 8 << 20, DEVICE = 0x09000000, CODE = RAM, TABLE = RAM + 0x100000, UNMAPPED = 0x80000000 };

static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));
static uint64_t written, written_at;

static bool dev_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)dev;
    (void)size;
    (void)attrs;
    *value = 0x1000 + offset;
    return true;
}

static bool dev_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    (void)dev;
    (void)size;
    (void)attrs;
    written = value;
    written_at = offset;
    return offset < 0x100;
}

static const uint32_t code[] = {
    /* 0x00 */ 0xf9000001, 0xf9400002, 0x78407003, 0xd503207f, /* str x1,[x0]; ldr x2,[x0]; ldurh w3,[x0,#7]; wfi */
    /* 0x10 */ 0xd2800004, 0x10000049, 0xd503201f,             /* mov x4,#0; again: adr x9,target; nop */
    /* 0x1c */ 0x52800023, 0x8b030084, 0xb9000001, 0xf10004a5, /* target: mov w3,#1; add x4,x4,x3; str w1,[x0]; subs x5,x5,#1 */
    /* 0x2c */ 0x54ffff41, 0xd503207f,                         /* b.ne again; wfi */
    /* 0x34 */ 0xd28000e7, 0xf1001cff, 0xf8008407, 0xd2800107, 0xd503207f, /* mov x7,#7; cmp x7,#7; str x7,[x0],#8; mov x7,#8; wfi */
    /* 0x48 */ 0xb9400002, 0xb9000401, 0xa9409003, 0xd503207f, /* ldr w2,[x0]; str w1,[x0,#4]; ldp x3,x4,[x0,#8]; wfi */
};

typedef struct Guest {
    A64Machine *m;
    CpuA64 *cpu;
    Space *space;
} Guest;

static CpuModel model;

/* One more CPU. */
static Guest join(Engine *e, Space *space)
{
    static A64Hooks hooks;
    Guest g = {aligned_alloc(64, ALIGN_UP(sizeof(A64Machine), 64)), NULL, space};
    cr_assert(g.m);
    memset(g.m, 0, sizeof *g.m);
    g.cpu = &g.m->cpu;
    g.cpu->sys = &g.m->sys;
    g.cpu->model = &model;
    space_hooks(&hooks);
    g.cpu->sys->hooks = &hooks;
    a64_reset(g.cpu);
    cr_assert_eq(engine_cpu_init(e, &g.cpu->h), 0);
    cr_assert_eq(space_cpu_init(space, g.cpu), 0);
    a64_context_changed(g.cpu);
    return g;
}

static Guest make(bool interp)
{
    static const MmioOps ops = {dev_read, dev_write};
    PhysMem *mem = mem_new();
    memset(ram, 0, sizeof ram);
    memcpy(ram, code, sizeof code);
    mem_add_ram(mem, "ram", (Gpa){RAM}, RAM_BYTES, ram, false);
    mem_add_mmio(mem, "dev", (Gpa){DEVICE}, 0x1000, &ops, NULL);
    a64_machine_model(a64_model("max"), (A64Options){.pmu = true}, &model);
    Space *space = space_new(mem);
    Engine *e = engine_new(&(EngineConfig){.fe = &a64_system_frontend, .cpu_model = &model, .space = space, .soft = &space_soft, .interp = interp});
    cr_assert(e);
    space_set_engine(space, e);
    return join(e, space);
}

/* Identity by blocks of 1 GiB: devices, then memory; what lies behind is not mapped. */
static void mmu_on(Guest *g)
{
    uint64_t table[2] = {0 | 1 << 10 | 1 << 2 | 1, RAM | 1 << 10 | 1};
    memcpy(ram + (TABLE - RAM), table, sizeof table);
    a64_set_sysreg(g->cpu, SR_MAIR_EL1, 0x00ff);
    a64_set_sysreg(g->cpu, SR_TCR_EL1, 25 | (uint64_t)1 << 23 | (uint64_t)2 << 32);
    a64_set_sysreg(g->cpu, SR_TTBR0_EL1, TABLE);
    a64_set_sysreg(g->cpu, SR_SCTLR_EL1, a64_sysreg(g->cpu, SR_SCTLR_EL1) | 1);
}

static ExcKind run(Guest *g, uint64_t at)
{
    g->cpu->pc = at;
    g->cpu->h.pending = 0;
    return engine_run(&g->cpu->h);
}

Test(mem_soft, two_pages)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        mmu_on(&g);
        g.cpu->x[0] = RAM + 0x200ffc;
        g.cpu->x[1] = 0x1122334455667788;
        cr_assert_eq(run(&g, CODE), EXC_HINT);
        cr_expect_eq(g.cpu->x[2], 0x1122334455667788);
        cr_expect_eq(g.cpu->x[3], 0x11);
        uint64_t v;
        memcpy(&v, ram + 0x200ffc, 8);
        cr_expect_eq(v, 0x1122334455667788);
    }
}

/* What follows a load-exclusive is seen in the next page, too: no need for a strict monitor, which would cost all stores of all CPUs. */
Test(mem_soft, exclusive_pair_in_two_pages)
{
    /* ldxr x1,[x0]; add x2,x1,#1; stxr w3,x2,[x0]; wfi */
    static const uint32_t pair[] = {0xc85f7c01, 0x91000422, 0xc8037c02, 0xd503207f};
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned words = 1; words < 3; words++) {
            Guest g = make(k);
            uint64_t at = CODE + 0x2000 - 4 * words;
            memcpy(ram + (at - RAM), pair, sizeof pair);
            engine_share(g.cpu->h.engine);
            mmu_on(&g);
            g.cpu->x[0] = RAM + 0x200000;
            g.cpu->x[3] = 7;
            cr_assert_eq(run(&g, at), EXC_HINT);
            cr_expect_eq(g.cpu->x[3], 0);
            cr_expect_eq(ram[0x200000], 1);
            cr_expect_eq(run(&g, CODE + 0x48), EXC_HINT);
            cr_expect(!(g.cpu->h.key & KEY_STRICT));
        }
    }
}

/* All memory is a device's while the MMU is off. */
Test(mem_soft, pair_on_two_pages_while_off)
{
    for (unsigned k = 0; k < 4; k++) {
        Guest g = make(k & 1);
        if (k & 2) {
            engine_share(g.cpu->h.engine);
        }
        g.cpu->x[0] = RAM + 0x200ff0;
        ram[0x200ff8] = 3;
        ram[0x201000] = 4;
        cr_expect_eq(run(&g, CODE + 0x48), EXC_HINT);
        cr_expect(g.cpu->x[3] == 3 && g.cpu->x[4] == 4);
    }
}

Test(mem_soft, aligned_while_off)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        g.cpu->x[0] = RAM + 0x200004;
        cr_assert_eq(run(&g, CODE), EXC_DATA);
        cr_expect_eq(g.cpu->sys->fault.type, FAULT_ALIGNMENT);
        cr_expect(g.cpu->sys->fault.write);
        g.cpu->x[0] = RAM + 0x200000;
        cr_expect_eq(run(&g, CODE), EXC_DATA, "ldurh at 7");
        cr_expect_eq(g.cpu->pc, CODE + 8);
    }
}

Test(mem_soft, changes_itself)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        mmu_on(&g);
        g.cpu->x[0] = CODE + 0x1c;
        g.cpu->x[1] = 0x52800143; /* mov w3, #10 */
        g.cpu->x[5] = 5;
        cr_assert_eq(run(&g, CODE + 0x10), EXC_HINT);
        /* the first round has the old word, all that begin after a look-up the new one */
        cr_expect_geq(g.cpu->x[4], 1 + 10);
        g.cpu->x[5] = 1;
        cr_assert_eq(run(&g, CODE + 0x10), EXC_HINT);
        cr_expect_eq(g.cpu->x[4], 10);
    }
}

Test(mem_soft, fault_is_precise)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        mmu_on(&g);
        g.cpu->x[0] = UNMAPPED;
        for (unsigned round = 0; round < 3; round++) {
            cr_assert_eq(run(&g, CODE + 0x34), EXC_DATA);
            const A64Fault *f = &g.cpu->sys->fault;
            cr_expect(f->type == FAULT_TRANSLATION && f->level == 1 && f->va == UNMAPPED && f->write && !f->fetch);
            cr_expect_eq(g.cpu->pc, CODE + 0x3c);
            cr_expect_eq(g.cpu->x[0], UNMAPPED);
            cr_expect_eq(g.cpu->x[7], 7);
            cr_expect_eq(a64_nzcv(g.cpu) >> 28, 6, "equal: Z and C");
        }
        cr_expect_eq(run(&g, UNMAPPED), EXC_FETCH);
        cr_expect(g.cpu->sys->fault.fetch && g.cpu->sys->fault.type == FAULT_TRANSLATION);
    }
}

Test(mem_soft, device)
{
    for (unsigned k = 0; k < 4; k++) {
        Guest g = make(k & 1);
        if (k & 2) {
            mmu_on(&g);
        }
        g.cpu->x[0] = DEVICE;
        g.cpu->x[1] = 0x12345678;
        cr_assert_eq(run(&g, CODE + 0x48), EXC_HINT);
        cr_expect_eq(g.cpu->x[2], 0x1000);
        cr_expect(written == 0x12345678 && written_at == 4);
        cr_expect(g.cpu->x[3] == 0x1008 && g.cpu->x[4] == 0x1010);
        g.cpu->x[0] = DEVICE + 0x200;
        cr_assert_eq(run(&g, CODE + 0x48), EXC_DATA, "the device refuses");
        cr_expect(g.cpu->sys->fault.type == FAULT_EXTERNAL && g.cpu->sys->fault.write);
        cr_expect_eq(g.cpu->pc, CODE + 0x4c);
    }
}

Test(mem_soft, instructions_are_counted)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        mmu_on(&g);
        a64_set_sysreg(g.cpu, SR_PMEVTYPER0_EL0, 8);
        a64_set_sysreg(g.cpu, SR_PMEVTYPER0_EL0 + 1, 8 | (uint64_t)1 << 31); /* not at EL1 */
        a64_set_sysreg(g.cpu, SR_PMCNTENSET_EL0, 3);
        g.cpu->x[0] = RAM + 0x200000;
        g.cpu->x[5] = 1000;
        cr_assert_eq(run(&g, CODE + 0x10), EXC_HINT, "stopped");
        cr_expect_eq(a64_sysreg(g.cpu, SR_PMEVCNTR0_EL0), 0);
        a64_set_sysreg(g.cpu, SR_PMCR_EL0, 1);
        g.cpu->x[5] = 1000;
        cr_assert_eq(run(&g, CODE + 0x10), EXC_HINT);
        cr_expect_eq(a64_sysreg(g.cpu, SR_PMEVCNTR0_EL0), 1 + 7 * 1000 + 1);
        cr_expect_eq(a64_sysreg(g.cpu, SR_PMEVCNTR0_EL0 + 1), 0);
        g.cpu->x[0] = UNMAPPED;
        cr_assert_eq(run(&g, CODE + 0x34), EXC_DATA);
        cr_expect_eq(a64_sysreg(g.cpu, SR_PMEVCNTR0_EL0), 1 + 7 * 1000 + 1 + 3, "the one that faults counts");
        a64_set_sysreg(g.cpu, SR_PMINTENSET_EL1, 1);
        a64_set_sysreg(g.cpu, SR_PMEVCNTR0_EL0, 0xffffffff - 3500);
        g.cpu->x[0] = RAM + 0x200000;
        g.cpu->x[5] = 1000;
        cr_assert_eq(run(&g, CODE + 0x10), EXC_PENDING, "the overflow");
        uint64_t late = a64_sysreg(g.cpu, SR_PMEVCNTR0_EL0) - ((uint64_t)1 << 32);
        cr_expect_lt(late, 100, "%lu instructions late", late);
        cr_expect_eq(a64_sysreg(g.cpu, SR_PMOVSCLR_EL0), 1);
    }
}

/* TLBI of one address space, broadcast: a CPU in that space is asked, and its answer waited for; one in another space is not, and drops
 * what it has before it enters that space. Global pages are of every space. */
Test(mem_soft, maintenance_of_one_space)
{
    enum { ASID = 5, OTHER = 8 };
    static const struct {
        const char *what;
        uint64_t bits;  /* of the descriptor */
        uint64_t now;   /* the other CPU's ASID when the page goes */
        A64So op;
        bool asked, gone;
    } rows[] = {
        {"in the space", 1 << 11, ASID, SO_TLBI_VAE1IS, true, true},
        {"in another space", 1 << 11, OTHER, SO_TLBI_VAE1IS, false, true},
        {"in another space, all of one", 1 << 11, OTHER, SO_TLBI_ASIDE1IS, false, true},
        {"another one's page", 1 << 11, OTHER, SO_TLBI_VAAE1IS, true, true},
        {"a global page", 0, OTHER, SO_TLBI_VAE1IS, true, true},
        {"a global page, all of one space", 0, OTHER, SO_TLBI_ASIDE1IS, false, false},
    };
    for (unsigned k = 0; k < 2 * LEN(rows); k++) {
        Guest a = make(k & 1);
        Guest b = join(a.cpu->h.engine, a.space);
        uint64_t arg = (uint64_t)ASID << 48 | (RAM + 0x200000) >> 12, *pte = (uint64_t *)(ram + (TABLE - RAM)) + 1;
        mmu_on(&a);
        mmu_on(&b);
        *pte = RAM | 1 << 10 | 1 | rows[k / 2].bits;
        a64_set_sysreg(b.cpu, SR_TTBR0_EL1, TABLE | (uint64_t)ASID << 48);
        b.cpu->x[0] = RAM + 0x200000;
        cr_assert_eq(run(&b, CODE + 0x48), EXC_HINT);
        a64_set_sysreg(b.cpu, SR_TTBR0_EL1, TABLE | rows[k / 2].now << 48);
        cr_assert_eq(run(&b, CODE + 0x48), EXC_HINT);
        *pte = 0;
        a.cpu->sys->hooks->tlbi(a.cpu, rows[k / 2].op, arg);
        cr_expect_eq(!!(engine_pending(&b.cpu->h) & PENDING_SOFT), rows[k / 2].asked, "%s", rows[k / 2].what);
        a.cpu->sys->hooks->tlbi_done(a.cpu); /* nobody runs */
        if (rows[k / 2].now != ASID) {
            a64_set_sysreg(b.cpu, SR_TTBR0_EL1, TABLE | (uint64_t)ASID << 48);
        }
        uint64_t asked = engine_pending(&b.cpu->h);
        b.cpu->pc = CODE + 0x48;
        b.cpu->h.pending = asked & PENDING_SOFT;
        ExcKind kind = engine_run(&b.cpu->h);
        cr_expect_eq(kind, rows[k / 2].gone ? EXC_FETCH : EXC_HINT, "%s: %u", rows[k / 2].what, kind);
    }
}

/* -- loops of EL0, whose accesses look at CpuHead.near and .hot first ---------------------------------------------------------- */

enum { USER = 0x80000000, PAGES = 32, TABLE2 = TABLE + 0x1000, TABLE3 = TABLE + 0x2000, OTHER3 = TABLE + 0x3000, FRAMES = RAM + 0x300000,
       ASID_OF_OTHER = 7, WALK = USER + 0x100, SWAP = USER + 0x140, SUM = USER + 0x180, JUMPS = USER + 0x1c0, MIX = USER + 0x200 };

static const uint32_t walk[] = { /* again: ldr x3,[x0],#8; str x3,[x1,#8]!; ldrb w4,[x0,x2]; add x6,x6,x3; add x6,x6,x4; subs x5,x5,#1 */
    0xf8408403, 0xf8008c23, 0x38626804, 0x8b0300c6, 0x8b0400c6, 0xf10004a5, 0x54ffff41, 0xd4400000}; /* b.ne again; hlt #0 */
static const uint32_t swap[] = { /* again: ldr x3,[x0]; str x5,[x0]; eor x0,x0,x2; add x6,x6,x3; subs x5,x5,#1; b.ne again; hlt #0 */
    0xf9400003, 0xf9000005, 0xca020000, 0x8b0300c6, 0xf10004a5, 0x54ffff61, 0xd4400000};
static const uint32_t sum[] = { /* again: ldr x3,[x0]; ldr w4,[x1,x2]; add x6,x6,x3; add x6,x6,x4; subs x5,x5,#1; b.ne again; hlt #0 */
    0xf9400003, 0xb8626824, 0x8b0300c6, 0x8b0400c6, 0xf10004a5, 0x54ffff61, 0xd4400000};
static const uint32_t jumps[] = { /* again: ldr x3,[x0]; b on; nop; on: add x6,x6,x3; subs x5,x5,#1; b.ne again; hlt #0 */
    0xf9400003, 0x14000002, 0xd503201f, 0x8b0300c6, 0xf10004a5, 0x54ffff61, 0xd4400000};
static const uint32_t mix[] = { /* again: ldr x3,[sp,#8]; ldr q0,[x0]; str q0,[x1,x2]; ldr d1,[x0,x2]; str d1,[x1]; ldr w4,[x0],#4; strb w4,[x1],#1 */
    0xf94007e3, 0x3dc00000, 0x3ca26820, 0xfc626801, 0xfd000021, 0xb8404404, 0x38001424, /* add x6,x6,x3; add x6,x6,x4; subs x5,x5,#1; b.ne again; hlt #0 */
    0x8b0300c6, 0x8b0400c6, 0xf10004a5, 0x54fffec1, 0xd4400000};

/* Page k of EL0 is a frame far from its neighbours' ones. */
static uint64_t frame_of(unsigned k, bool other)
{
    return FRAMES + 4096 * ((k * 11 + (other ? 5 : 0)) % PAGES);
}

static void user_pages(Guest *g)
{
    enum { OWN = 1 << 11 | 1 << 10 | 1 << 6 | 3 }; /* not global, of EL0 */
    mmu_on(g);
    uint64_t *table = (uint64_t *)(ram + (TABLE - RAM));
    table[2] = TABLE2 | 3;
    table[512] = TABLE3 | 3;
    for (unsigned k = 0; k < PAGES; k++) {
        table[1024 + k] = frame_of(k, false) | OWN;
        table[1536 + k] = frame_of(k, true) | OWN;
    }
    for (unsigned k = 0; k < PAGES * 512; k++) {
        uint64_t v = k * 0x9e3779b97f4a7c15;
        memcpy(ram + (FRAMES - RAM) + 8 * k, &v, 8);
    }
    for (unsigned other = 0; other < 2; other++) {
        uint8_t *page = ram + (frame_of(0, other) - RAM);
        memcpy(page + (WALK - USER), walk, sizeof walk);
        memcpy(page + (SWAP - USER), swap, sizeof swap);
        memcpy(page + (SUM - USER), sum, sizeof sum);
        memcpy(page + (JUMPS - USER), jumps, sizeof jumps);
        memcpy(page + (MIX - USER), mix, sizeof mix);
    }
    a64_set_el(g->cpu, 0, false);
}

/* What walk does, by bytes. */
static uint64_t walked(uint64_t from, uint64_t to, uint64_t index, unsigned n, bool other)
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < n; k++) {
        uint64_t v = 0;
        for (unsigned b = 0; b < 8; b++) {
            uint64_t at = from - USER + b;
            v |= (uint64_t)ram[frame_of((unsigned)(at >> 12), other) - RAM + (at & 4095)] << 8 * b;
        }
        from += 8;
        to += 8;
        for (unsigned b = 0; b < 8; b++) {
            uint64_t at = to - USER + b;
            ram[frame_of((unsigned)(at >> 12), other) - RAM + (at & 4095)] = (uint8_t)(v >> 8 * b);
        }
        uint64_t at = from + index - USER;
        sum += v + ram[frame_of((unsigned)(at >> 12), other) - RAM + (at & 4095)];
    }
    return sum;
}

static void walks(Guest *g, uint64_t from, uint64_t to, uint64_t index, unsigned n, bool other)
{
    static uint8_t before[RAM_BYTES], after[RAM_BYTES];
    memcpy(before, ram, RAM_BYTES);
    uint64_t sum = walked(from, to, index, n, other);
    memcpy(after, ram, RAM_BYTES);
    memcpy(ram, before, RAM_BYTES);
    g->cpu->x[0] = from;
    g->cpu->x[1] = to;
    g->cpu->x[2] = index;
    g->cpu->x[5] = n;
    g->cpu->x[6] = 0;
    cr_assert_eq(run(g, WALK), EXC_UNDEF);
    cr_expect_eq(g->cpu->x[6], sum);
    cr_expect(memcmp(ram, after, RAM_BYTES) == 0);
}

static void map(Guest *g, unsigned k, uint64_t descriptor)
{
    ((uint64_t *)(ram + (TABLE3 - RAM)))[k] = descriptor;
    a64_set_el(g->cpu, 1, true);
    g->cpu->sys->hooks->tlbi(g->cpu, SO_TLBI_VAE1, (USER >> 12) + k);
    a64_set_el(g->cpu, 0, false);
}

Test(mem_soft, loops_of_el0)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        user_pages(&g);
        for (unsigned turn = 0; turn < 5; turn++) { /* another address space at the same addresses, and back */
            a64_set_sysreg(g.cpu, SR_TTBR0_EL1, TABLE | (uint64_t)(turn & 1 ? ASID_OF_OTHER : 0) << 48);
            ((uint64_t *)(ram + (TABLE2 - RAM)))[0] = (turn & 1 ? OTHER3 : TABLE3) | 3;
            walks(&g, USER + 0x2000, USER + 0x8ee0, 0x10, 16, turn & 1);
        }
        for (unsigned odd = 0; odd < 16; odd += 3) {
            walks(&g, USER + 0x1f00 + odd, USER + 0x8ee0 + odd * 5, 0x3004, 1500, false);
        }
    }
}

Test(mem_soft, loops_after_maintenance)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        user_pages(&g);
        walks(&g, USER + 0x2000, USER + 0x4000, 0, 100, false);
        uint64_t old = ((uint64_t *)(ram + (TABLE3 - RAM)))[2];
        map(&g, 2, 0);
        g.cpu->x[0] = USER + 0x2000;
        g.cpu->x[3] = 1;
        g.cpu->x[5] = 4;
        cr_expect_eq(run(&g, WALK), EXC_DATA);
        cr_expect_eq(g.cpu->sys->fault.va, USER + 0x2000);
        cr_expect(g.cpu->pc == WALK && g.cpu->x[0] == USER + 0x2000 && g.cpu->x[3] == 1, "precise");
        map(&g, 2, old);
        walks(&g, USER + 0x2000, USER + 0x4000, 0, 100, false);
        map(&g, 4, ((uint64_t *)(ram + (TABLE3 - RAM)))[4] | 1 << 7); /* read-only */
        g.cpu->x[0] = USER + 0x2000;
        g.cpu->x[1] = USER + 0x4000;
        g.cpu->x[5] = 4;
        cr_expect_eq(run(&g, WALK), EXC_DATA);
        cr_expect(g.cpu->pc == WALK + 4 && g.cpu->x[1] == USER + 0x4000 && g.cpu->sys->fault.write);
    }
}

/* Pages in turns: the loop is translated anew, by the TLB alone. */
Test(mem_soft, loops_between_pages)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        user_pages(&g);
        g.cpu->x[0] = USER + 0x6010;
        g.cpu->x[2] = 0x1000;
        g.cpu->x[5] = 5000;
        g.cpu->x[6] = 0;
        uint64_t sum = 0, v;
        for (unsigned page = 6; page < 8; page++) {
            memcpy(&v, ram + (frame_of(page, false) - RAM) + 0x10, 8);
            sum += v;
        }
        for (unsigned n = 5000; n > 2; n--) {
            sum += n;
        }
        cr_assert_eq(run(&g, SWAP), EXC_UNDEF);
        cr_expect_eq(g.cpu->x[6], sum);
    }
}

/* A loop writes into a page, which becomes code, and into that. */
Test(mem_soft, loops_write_code)
{
    static const uint32_t first[] = {0xd2800027, 0xd4400000}, second[] = {0xd2800047, 0xd4400000}; /* mov x7, #1 or #2; hlt #0 */
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        user_pages(&g);
        memcpy(ram + (frame_of(9, false) - RAM), first, sizeof first);
        memcpy(ram + (frame_of(10, false) - RAM), second, sizeof second);
        walks(&g, USER + 0x2000, USER + 0x9100, 0, 8, false);
        cr_assert_eq(run(&g, USER + 0x9000), EXC_UNDEF);
        cr_expect_eq(g.cpu->x[7], 1);
        walks(&g, USER + 0xa000, USER + 0x9000 - 8, 0, 1, false);
        cr_assert_eq(run(&g, USER + 0x9000), EXC_UNDEF);
        cr_expect_eq(g.cpu->x[7], 2);
    }
}

static void sums(Guest *g, uint64_t a, uint64_t b, unsigned n, bool other)
{
    uint8_t x[8], y[4];
    for (unsigned k = 0; k < 8; k++) {
        x[k] = ram[frame_of((unsigned)((a + k - USER) >> 12), other) - RAM + ((a + k) & 4095)];
        y[k % 4] = ram[frame_of((unsigned)((b + k % 4 - USER) >> 12), other) - RAM + ((b + k % 4) & 4095)];
    }
    uint64_t first, second = 0;
    memcpy(&first, x, 8);
    memcpy(&second, y, 4);
    g->cpu->x[0] = a;
    g->cpu->x[1] = b - 0x30;
    g->cpu->x[2] = 0x30;
    g->cpu->x[5] = n;
    g->cpu->x[6] = 0;
    g->cpu->x[22] = a; /* has no register here */
    cr_assert_eq(run(g, SUM), EXC_UNDEF);
    cr_expect_eq(g->cpu->x[6], n * (first + second), "%llx %llx", (unsigned long long)a, (unsigned long long)b);
    cr_expect_eq(g->cpu->x[22], a);
}

/* CpuHead.hot: one page again and again, also by the next run; two pages in turns, few times and so often that the loop is translated anew;
 * addresses that no entry is for in between; other address spaces; pages that are code. */
Test(mem_soft, loops_by_the_page_before)
{
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned often = 0; often < 2; often++) {
            Guest g = make(k);
            user_pages(&g);
            for (unsigned turn = 0; turn < 6; turn++) {
                bool other = turn & 1;
                a64_set_sysreg(g.cpu, SR_TTBR0_EL1, TABLE | (uint64_t)(other ? ASID_OF_OTHER : 0) << 48);
                ((uint64_t *)(ram + (TABLE2 - RAM)))[0] = (other ? OTHER3 : TABLE3) | 3;
                sums(&g, USER + 0x2000, USER + 0x2ffc, 5, other);
                sums(&g, USER + 0x2008, USER + 0x2f00, 5, other);
                sums(&g, USER + 0x2008, USER + 0x5f00, often ? 5000 : 3, other);
                sums(&g, USER + 0x5001, USER + 0x5f00, 3, other);
                sums(&g, USER + 0x5008, USER + 0x5f01, 3, other);
                sums(&g, USER + 0x5ffd, USER + 0x5f00, 3, other);
                sums(&g, USER + 0x5000, USER + 0x5ffe, 3, other);
                sums(&g, USER + 0x188, USER + 0x1c4, 3, other); /* where the code is */
            }
        }
    }
}

Test(mem_soft, loops_by_the_page_before_maintenance)
{
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        user_pages(&g);
        uint64_t old = ((uint64_t *)(ram + (TABLE3 - RAM)))[2];
        for (unsigned both = 0; both < 2; both++) { /* the page that is dropped is the one before, or its loads' own */
            sums(&g, USER + 0x2000, USER + (both ? 0x2100 : 0x6100), 5, false);
            map(&g, 2, 0);
            g.cpu->x[0] = USER + 0x2010;
            g.cpu->x[5] = 4;
            cr_expect_eq(run(&g, SUM), EXC_DATA);
            cr_expect_eq(g.cpu->sys->fault.va, USER + 0x2010);
            cr_expect(g.cpu->pc == SUM && g.cpu->x[5] == 4, "precise");
            map(&g, 2, old);
        }
        sums(&g, USER + 0x2000, USER + 0x2100, 5, false);
        map(&g, 2, (frame_of(7, false) & ~(uint64_t)4095) | (old & 4095)); /* another frame */
        uint64_t v;
        memcpy(&v, ram + (frame_of(7, false) - RAM) + 0x20, 8);
        g.cpu->x[0] = g.cpu->x[1] = USER + 0x2020;
        g.cpu->x[2] = 0;
        g.cpu->x[5] = 1;
        g.cpu->x[6] = 0;
        cr_assert_eq(run(&g, SUM), EXC_UNDEF);
        cr_expect_eq(g.cpu->x[6], v + (uint32_t)v);
    }
}

static ExcKind swaps(Guest *g, unsigned page, uint64_t offset, unsigned n)
{
    g->cpu->x[0] = USER + page * 0x1000 + offset;
    g->cpu->x[2] = 0;
    g->cpu->x[5] = n;
    g->cpu->x[6] = 0;
    return run(g, SWAP);
}

/* A store whose page a load found before it: it may be written to only as long as the TLB says so. */
Test(mem_soft, loops_store_where_they_load)
{
    static const uint32_t code_there[] = {0xd2800027, 0xd4400000}; /* mov x7, #1; hlt #0 */
    for (unsigned k = 0; k < 2; k++) {
        Guest g = make(k);
        user_pages(&g);
        uint64_t *table = (uint64_t *)(ram + (TABLE3 - RAM)), *frame = (uint64_t *)(ram + (frame_of(4, false) - RAM)), old = frame[2];
        table[4] |= 1 << 7; /* read-only */
        for (unsigned turn = 0; turn < 3; turn++) {
            cr_assert_eq(swaps(&g, 2, 0x10, 6), EXC_UNDEF);
            cr_expect_eq(swaps(&g, 4, 0x10, 6), EXC_DATA, "the page before was another one");
            cr_expect(g.cpu->pc == SWAP + 4 && g.cpu->sys->fault.write && g.cpu->sys->fault.va == USER + 0x4010 && frame[2] == old);
        }
        map(&g, 2, table[2] | 1 << 7);
        cr_expect_eq(swaps(&g, 2, 0x10, 6), EXC_DATA, "it was writable");
        cr_expect(g.cpu->pc == SWAP + 4 && g.cpu->sys->fault.write);
        memcpy(ram + (frame_of(9, false) - RAM), code_there, sizeof code_there);
        cr_assert_eq(swaps(&g, 9, 0x100, 6), EXC_UNDEF);
        g.cpu->x[7] = 0;
        cr_assert_eq(run(&g, USER + 0x9000), EXC_UNDEF);
        cr_expect_eq(g.cpu->x[7], 1);
        cr_assert_eq(swaps(&g, 9, 0x100, 6), EXC_UNDEF, "the page has code");
        cr_assert_eq(swaps(&g, 9, 0, 6), EXC_UNDEF);
        g.cpu->x[7] = 0;
        cr_assert_eq(run(&g, USER + 0x9000), EXC_UNDEF, "udf");
        cr_expect_eq(g.cpu->x[7], 0);
    }
}

/* Accesses of all kinds, over pages' ends and not aligned: as the interpreter makes them. */
Test(mem_soft, loops_as_interpreted)
{
    static const uint16_t at[][3] = {{0x2000, 0x8000, 0x100}, {0x2fc0, 0x8f80, 0x1010}, {0x2f03, 0x8fe1, 0x7d5}, {0x2ffe, 0x8ff9, 0x2fff}};
    static uint8_t expected[RAM_BYTES];
    for (size_t row = 0; row < LEN(at); row++) {
        uint64_t sum = 0;
        for (unsigned k = 0; k < 2; k++) {
            Guest g = make(!k);
            a64_set_sysreg(g.cpu, SR_CPACR_EL1, 3 << 20);
            user_pages(&g);
            for (unsigned turn = 0; turn < 3; turn++) {
                g.cpu->x[0] = USER + at[row][0];
                g.cpu->x[1] = USER + at[row][1];
                g.cpu->x[2] = at[row][2];
                g.cpu->x[5] = 200;
                g.cpu->x[6] = 0;
                g.cpu->sp = USER + 0x7ff0 - 0x1000 * (turn & 1);
                cr_assert_eq(run(&g, MIX), EXC_UNDEF);
                sum = k ? sum - g.cpu->x[6] : sum + g.cpu->x[6];
                cr_expect(g.cpu->x[0] == USER + at[row][0] + 800u && g.cpu->x[1] == USER + at[row][1] + 200u);
            }
            if (!k) {
                memcpy(expected, ram, RAM_BYTES);
            }
        }
        cr_expect_eq(sum, 0);
        cr_expect(memcmp(expected, ram, RAM_BYTES) == 0, "row %zu", row);
    }
}

/* Whatever is dropped from the TLB, no entry of CpuHead.near is left, wherever in it the access is. */
Test(mem_soft, near_is_emptied)
{
    Guest g = make(false);
    user_pages(&g);
    walks(&g, USER + 0x2000, USER + 0x4000, 0, 8, false);
    CpuHead *h = &g.cpu->h;
    cr_expect_eq(h->near_used[1][near_index(WALK + 4) / NEAR_GROUP], 1);
    for (unsigned k = 0; k < 2 * NEAR_ENTRIES; k++) {
        h->near[k % 2][k / 2].tag = USER + 0x2000;
        h->near_used[k % 2][k / 2 / NEAR_GROUP] = 1;
        map(&g, 9, frame_of(9, false) | 3);
        cr_expect(h->near[k % 2][k / 2].tag == NEAR_EMPTY && !h->near_used[k % 2][k / 2 / NEAR_GROUP], "%u", k);
    }
    for (unsigned k = 0; k < 2 * NEAR_ENTRIES; k++) {
        cr_expect_eq(h->near[k % 2][k / 2].tag, NEAR_EMPTY);
    }
    cr_expect_eq(h->hot.tag, NEAR_EMPTY);
}

/* A loop whose jump back is in another region. */
Test(mem_soft, loops_of_several_regions)
{
    Guest g = make(false);
    user_pages(&g);
    uint64_t v;
    memcpy(&v, ram + (frame_of(2, false) - RAM) + 0x20, 8);
    g.cpu->x[0] = USER + 0x2020;
    g.cpu->x[5] = 4;
    g.cpu->x[6] = 0;
    cr_assert_eq(run(&g, JUMPS), EXC_UNDEF);
    cr_expect_eq(g.cpu->x[6], 4 * v);
    cr_expect_eq(g.cpu->h.near[0][near_index(JUMPS)].tag, USER + 0x2000);
    cr_expect_eq(g.cpu->h.near[0][near_index(JUMPS)].write_tag, USER + 0x2000);
}
