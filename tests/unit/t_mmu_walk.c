/* t_mmu_walk.c - table walks: rows of registers, descriptors and an access, with what Arm's specification says of it
 * (aarch64/translation). Tables are built in RAM at RAM; a row's walk goes through tables of TABLE bits to one leaf.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "mem_int.h"
#include "mmu_a64.h"

enum { RAM = 0x40000000, RAM_BYTES = 4 << 20, ROOT = RAM, TABLES = RAM + 0x80000, S2_ROOT = RAM + 0x200000 };
#define OA 0x40300000ull /* where leaves go, as far as their size allows */

static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));
static PhysMem *mem;
static A64Machine *machine;
static A64Hooks hooks;

static void setup(void)
{
    if (!mem) {
        mem = mem_new();
        mem_add_ram(mem, "ram", (Gpa){RAM}, RAM_BYTES, ram, false);
        machine = aligned_alloc(64, ALIGN_UP(sizeof *machine, 64));
    }
    memset(ram, 0, sizeof ram);
    memset(machine, 0, sizeof *machine);
    machine->cpu.sys = &machine->sys;
    static CpuModel model;
    a64_machine_model(a64_model("max"), (A64Options){.el2 = true, .el3 = true}, &model);
    machine->cpu.model = &model;
    machine->sys.hooks = &hooks;
    machine->sys.el2 = machine->sys.el3 = true;
    machine->sys.reg[SR_SCR_EL3] = 1 | 1 << 10; /* NS, RW */
    a64_hcr_changed(&machine->cpu);
    machine->cpu.pstate_misc = 1 << PS_EL_SHIFT | 1;
}

static uint64_t *word(uint64_t pa)
{
    cr_assert(pa >= RAM && pa + 8 <= RAM + RAM_BYTES, "table at %#llx", (unsigned long long)pa);
    return (uint64_t *)(ram + (pa - RAM));
}

/* Builds a walk from the table at root: links with `table` bits, and at level `leaf` a descriptor to oa with `bits`. */
static uint64_t build(uint64_t root, uint64_t next, unsigned granule, int start, unsigned ia, int leaf, uint64_t in, uint64_t table,
                      uint64_t oa, uint64_t bits)
{
    for (int level = start;; level++) {
        unsigned low = granule + (unsigned)(3 - level) * (granule - 3), high = level == start ? ia : low + granule - 3;
        uint64_t *e = word(root + bits_get(in, low, high - low) * 8);
        if (level == leaf) {
            *e = oa | bits;
            return root + bits_get(in, low, high - low) * 8;
        }
        *e = next | table | 3;
        root = next;
        next += (uint64_t)1 << granule;
    }
}

enum { RD = MMU_READ, WR = MMU_WRITE, EX = MMU_FETCH, US = MMU_USER, PAN = MMU_PAN };
enum { AF = 1 << 10, NG = 1 << 11, AP_USER = 1 << 6, AP_RO = 1 << 7, PAGE = 3, BLOCK = 1, DEV = 1 << 2 /* AttrIndx 1 */ };
#define PXN ((uint64_t)1 << 53)
#define UXN ((uint64_t)1 << 54)
#define DBM ((uint64_t)1 << 51)
#define APT_NOUSER ((uint64_t)1 << 61)
#define APT_RO ((uint64_t)1 << 62)
#define UXNT ((uint64_t)1 << 60)
#define PXNT ((uint64_t)1 << 59)
#define TCR_BIT(n) ((uint64_t)1 << (n))
#define UP(va) (0xffff000000000000ull | (va))

typedef struct Row {
    const char *what;
    MmuKind kind;
    unsigned granule, txsz;
    uint64_t tcr, sctlr, va;
    int leaf;
    uint64_t table, bits;
    unsigned access;
    int type, level;  /* FAULT_NONE: rights */
    unsigned rights;
} Row;

static const Row rows[] = {
    /* sizes and levels */
    {"4K page, 48 bits", MMU_EL10, 12, 16, 0, 0, 0x123456789abc, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"4K page, 39 bits", MMU_EL10, 12, 25, 0, 0, 0x3456789abc, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"4K page, 25 bits", MMU_EL10, 12, 39, 0, 0, 0x1abcdef, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"4K, 2 MiB block", MMU_EL10, 12, 16, 0, 0, 0x123456789abc, 2, 0, AF | BLOCK, RD, 0, 0, RD | WR | EX},
    {"4K, 1 GiB block", MMU_EL10, 12, 16, 0, 0, 0x123456789abc, 1, 0, AF | BLOCK, RD, 0, 0, RD | WR | EX},
    {"4K, no block at level 0", MMU_EL10, 12, 16, 0, 0, 0x123456789abc, 0, 0, AF | BLOCK, RD, FAULT_TRANSLATION, 0, 0},
    {"4K, block's encoding at level 3", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | BLOCK, RD, FAULT_TRANSLATION, 3, 0},
    {"16K page, 47 bits", MMU_EL10, 14, 17, 0, 0, 0x123456789abc, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"16K, 32 MiB block", MMU_EL10, 14, 17, 0, 0, 0x123456789abc, 2, 0, AF | BLOCK, RD, 0, 0, RD | WR | EX},
    {"16K, no block at level 1", MMU_EL10, 14, 17, 0, 0, 0x123456789abc, 1, 0, AF | BLOCK, RD, FAULT_TRANSLATION, 1, 0},
    {"64K page, 48 bits", MMU_EL10, 16, 16, 0, 0, 0x123456789abc, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"64K page, 42 bits", MMU_EL10, 16, 22, 0, 0, 0x23456789abc, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"64K, 512 MiB block", MMU_EL10, 16, 16, 0, 0, 0x123456789abc, 2, 0, AF | BLOCK, RD, 0, 0, RD | WR | EX},
    {"upper half", MMU_EL10, 12, 16, 0, 0, UP(0x123456789abc), 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"upper half, 16K", MMU_EL10, 14, 17, 0, 0, 0xffff923456789abc, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"invalid at level 2", MMU_EL10, 12, 16, 0, 0, 0x1000, 2, 0, AF, RD, FAULT_TRANSLATION, 2, 0},
    {"invalid at level 0", MMU_EL10, 12, 16, 0, 0, 0x1000, 0, 0, 0, RD, FAULT_TRANSLATION, 0, 0},
    /* range of the input address */
    {"beyond 48 bits", MMU_EL10, 12, 16, 0, 0, 0x1000000001000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"beyond 39 bits", MMU_EL10, 12, 25, 0, 0, 0x8000001000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"tag without TBI", MMU_EL10, 12, 16, 0, 0, 0x0500000000001000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"tag with TBI0", MMU_EL10, 12, 16, TCR_BIT(37), 0, 0x0500000000001000, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"TBI0 does not free bit 54", MMU_EL10, 12, 16, TCR_BIT(37), 0, 0x0540000000001000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"TBID0: fetches have no tag", MMU_EL10, 12, 16, TCR_BIT(37) | TCR_BIT(51), 0, 0x0500000000001000, 3, 0, AF | PAGE, EX, FAULT_TRANSLATION, 0, 0},
    {"TBI1 is of the other half", MMU_EL10, 12, 16, TCR_BIT(38), 0, 0x0500000000001000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"EPD0", MMU_EL10, 12, 16, TCR_BIT(7), 0, 0x1000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"E0PD0, EL0", MMU_EL10, 12, 16, TCR_BIT(55), 0, 0x1000, 3, 0, AF | PAGE | AP_USER, RD | US, FAULT_TRANSLATION, 0, 0},
    {"E0PD0, EL1", MMU_EL10, 12, 16, TCR_BIT(55), 0, 0x1000, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"T0SZ too small", MMU_EL10, 12, 10, 0, 0, 0x1000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    /* 52 bits: always with 64K, by TCR.DS with the others, whose tables then may begin at level -1 */
    {"52 bits, 64K", MMU_EL10, 16, 12, 0, 0, 0x000c234567891234, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"52 bits, 64K, upper half", MMU_EL10, 16, 12, 0, 0, 0xfff4234567891234, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"52 bits, 4K without DS", MMU_EL10, 12, 12, 0, 0, 0x1000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"52 bits, 4K", MMU_EL10, 12, 12, TCR_BIT(59), 0, 0x000c234567891234, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"52 bits, 4K, upper half", MMU_EL10, 12, 12, TCR_BIT(59), 0, 0xfff4234567891234, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"52 bits, 16K", MMU_EL10, 14, 12, TCR_BIT(59), 0, 0x000c234567891234, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"beyond 52 bits", MMU_EL10, 12, 12, TCR_BIT(59), 0, 0x0010000000000000, 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"invalid at level -1", MMU_EL10, 12, 12, TCR_BIT(59), 0, 0x1000, -1, 0, 0, RD, FAULT_TRANSLATION, -1, 0},
    {"no block at level 0 without DS", MMU_EL10, 12, 16, 0, 0, 0x1000, 0, 0, AF | BLOCK, RD, FAULT_TRANSLATION, 0, 0},
    {"64K: address bits 51:48 are 15:12", MMU_EL10, 16, 22, (uint64_t)5 << 32, 0, 0x1000, 3, 0, AF | PAGE | 0x1000, RD, FAULT_ADDRESS_SIZE, 3, 0},
    {"DS: address bits 51:50 are 9:8", MMU_EL10, 12, 16, TCR_BIT(59) | (uint64_t)5 << 32, 0, 0x1000, 3, 0, AF | PAGE | 0x100, RD, FAULT_ADDRESS_SIZE, 3, 0},
    /* output address */
    {"output beyond IPS of 32 bits", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | 0x100000000, RD, FAULT_ADDRESS_SIZE, 3, 0},
    {"output within IPS of 40 bits", MMU_EL10, 12, 16, TCR_BIT(33), 0, 0x1000, 3, 0, AF | PAGE | 0x100000000, RD, 0, 0, RD | WR | EX},
    /* access flag */
    {"AF clear", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, PAGE, RD, FAULT_ACCESS_FLAG, 3, 0},
    {"AF clear in a block", MMU_EL10, 12, 16, 0, 0, 0x1000, 2, 0, BLOCK, RD, FAULT_ACCESS_FLAG, 2, 0},
    {"AF before permission", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, PAGE | AP_RO, WR, FAULT_ACCESS_FLAG, 3, 0},
    {"HA sets AF", MMU_EL10, 12, 16, TCR_BIT(39), 0, 0x1000, 3, 0, PAGE, RD, 0, 0, RD | WR | EX},
    /* permissions of data */
    {"EL0 reads kernel's", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE, RD | US, FAULT_PERMISSION, 3, 0},
    {"EL0 reads user's", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER, RD | US, 0, 0, RD | WR | EX},
    {"EL0 writes read-only", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER | AP_RO, WR | US, FAULT_PERMISSION, 3, 0},
    {"EL1 writes read-only", MMU_EL10, 12, 16, 0, 0, 0x1000, 2, 0, AF | BLOCK | AP_RO, WR, FAULT_PERMISSION, 2, 0},
    {"EL1 on user's, PAN", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER, RD | PAN, FAULT_PERMISSION, 3, 0},
    {"EL1 on its own, PAN", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE, RD | PAN, 0, 0, RD | WR | EX},
    {"execute-only, PAN without EPAN", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE, RD | PAN, 0, 0, RD | WR | EX},
    {"execute-only, EPAN", MMU_EL10, 12, 16, 0, TCR_BIT(57), 0x1000, 3, 0, AF | PAGE, RD | PAN, FAULT_PERMISSION, 3, 0},
    {"APTable: no user", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, APT_NOUSER, AF | PAGE | AP_USER, RD | US, FAULT_PERMISSION, 3, 0},
    {"APTable: read-only", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, APT_RO, AF | PAGE, WR, FAULT_PERMISSION, 3, 0},
    {"HPD0: tables do not count", MMU_EL10, 12, 16, TCR_BIT(41), 0, 0x1000, 3, APT_RO | APT_NOUSER, AF | PAGE | AP_USER, WR | US, 0, 0, RD | WR | EX},
    {"read-modify-write of unreadable", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE, RD | WR | US, FAULT_PERMISSION, 3, 0},
    /* permissions of code */
    {"UXN at EL0", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER | UXN, EX | US, FAULT_PERMISSION, 3, 0},
    {"UXN at EL1", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | UXN, EX, 0, 0, RD | WR | EX},
    {"PXN at EL1", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | PXN, EX, FAULT_PERMISSION, 3, 0},
    {"EL1 and what EL0 writes", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER, EX, FAULT_PERMISSION, 3, 0},
    {"EL1 and what EL0 reads", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER | AP_RO, EX, 0, 0, RD | EX},
    {"WXN", MMU_EL10, 12, 16, 0, TCR_BIT(19), 0x1000, 3, 0, AF | PAGE, EX, FAULT_PERMISSION, 3, 0},
    {"WXN, read-only", MMU_EL10, 12, 16, 0, TCR_BIT(19), 0x1000, 3, 0, AF | PAGE | AP_RO, EX, 0, 0, RD | EX},
    {"UXNTable", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, UXNT, AF | PAGE | AP_USER, EX | US, FAULT_PERMISSION, 3, 0},
    {"PXNTable", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, PXNT, AF | PAGE, EX, FAULT_PERMISSION, 3, 0},
    {"fetch from a device", MMU_EL10, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | DEV, EX, FAULT_PERMISSION, 3, 0},
    /* dirty state */
    {"DBM, clean, read", MMU_EL10, 12, 16, TCR_BIT(39) | TCR_BIT(40), 0, 0x1000, 3, 0, AF | PAGE | AP_RO | DBM, RD, 0, 0, RD | WR | EX},
    {"DBM, clean, write", MMU_EL10, 12, 16, TCR_BIT(39) | TCR_BIT(40), 0, 0x1000, 3, 0, AF | PAGE | AP_RO | DBM, WR, 0, 0, RD | WR | EX},
    {"DBM without HD", MMU_EL10, 12, 16, TCR_BIT(39), 0, 0x1000, 3, 0, AF | PAGE | AP_RO | DBM, WR, FAULT_PERMISSION, 3, 0},
    /* the other regimes */
    {"EL2: one half", MMU_EL2, 12, 16, 0, 0, UP(0x1000), 3, 0, AF | PAGE, RD, FAULT_TRANSLATION, 0, 0},
    {"EL2", MMU_EL2, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER, RD, 0, 0, RD | WR | EX},
    {"EL2: XN", MMU_EL2, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | UXN, EX, FAULT_PERMISSION, 3, 0},
    {"EL2: PXN is nothing", MMU_EL2, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | PXN, EX, 0, 0, RD | WR | EX},
    {"EL2: PAN is nothing", MMU_EL2, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER, RD, 0, 0, RD | WR | EX},
    {"EL2&0: PAN", MMU_EL20, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE | AP_USER, RD | PAN, FAULT_PERMISSION, 3, 0},
    {"EL2&0: upper half", MMU_EL20, 12, 16, 0, 0, UP(0x1000), 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"EL3", MMU_EL3, 12, 16, 0, 0, 0x1000, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
    {"EL3: TBI", MMU_EL3, 12, 16, TCR_BIT(20), 0, 0x0500000000001000, 3, 0, AF | PAGE, RD, 0, 0, RD | WR | EX},
};

static uint64_t tg_bits(const Row *r)
{
    static const uint8_t low[] = {[12] = 0, [14] = 2, [16] = 1}, high[] = {[12] = 2, [14] = 1, [16] = 3};
    return (uint64_t)low[r->granule] << 14 | (r->kind <= MMU_EL20 ? (uint64_t)high[r->granule] << 30 : 0);
}

static void configure(const Row *r)
{
    uint64_t *reg = machine->sys.reg;
    uint64_t tcr = r->tcr | tg_bits(r) | r->txsz | (r->kind <= MMU_EL20 ? (uint64_t)r->txsz << 16 : 0);
    uint64_t sctlr = r->sctlr | 1;
    switch (r->kind) {
    case MMU_EL10:
        reg[SR_TCR_EL1] = tcr;
        reg[SR_SCTLR_EL1] = sctlr;
        reg[SR_MAIR_EL1] = 0x00ff; /* 0: normal, 1: device */
        reg[SR_TTBR0_EL1] = reg[SR_TTBR1_EL1] = ROOT;
        break;
    case MMU_EL3:
        reg[SR_TCR_EL3] = tcr;
        reg[SR_SCTLR_EL3] = sctlr;
        reg[SR_MAIR_EL3] = 0x00ff;
        reg[SR_TTBR0_EL3] = ROOT;
        break;
    default:
        reg[SR_HCR_EL2] |= r->kind == MMU_EL20 ? (uint64_t)1 << HCR_E2H | (uint64_t)1 << HCR_TGE : 0;
        a64_hcr_changed(&machine->cpu);
        reg[SR_TCR_EL2] = tcr;
        reg[SR_SCTLR_EL2] = sctlr;
        reg[SR_MAIR_EL2] = 0x00ff;
        reg[SR_TTBR0_EL2] = reg[SR_TTBR1_EL2] = ROOT;
    }
}

static int start_level(unsigned granule, unsigned ia)
{
    return 3 - ((int)ia - 1 - (int)granule) / ((int)granule - 3);
}

/* Size of what a leaf at this level maps. */
static unsigned leaf_bits(unsigned granule, int level)
{
    return granule + (unsigned)(3 - level) * (granule - 3);
}

Test(mmu_walk, stage1)
{
    unsigned bad = 0;
    for (unsigned k = 0; k < LEN(rows); k++) {
        const Row *r = &rows[k];
        setup();
        configure(r);
        unsigned ia = 64 - (r->txsz < 12 ? 16 : r->txsz), size = leaf_bits(r->granule, r->leaf);
        uint64_t oa = OA & ~bits_mask(size), in = r->va & bits_mask(ia);
        build(ROOT, TABLES, r->granule, start_level(r->granule, ia), ia, r->leaf, in, r->table, oa, r->bits);
        MmuRegime regime = {.pamax = 0};
        MmuPage page = {.pa = 1};
        A64Fault f = {.type = 0};
        mmu_load(&machine->cpu, r->kind, &regime);
        bool ok = mmu_walk(mem, &regime, r->va, r->access, &page, &f);
        uint64_t pa = oa | (r->bits & 0x100000000) | (r->va & bits_mask(size));
        bool write = (r->access & (RD | WR)) == WR;
        bool right = r->type ? !ok && f.type == r->type && f.level == r->level && f.va == r->va && !f.stage2 && f.write == write &&
                                   f.fetch == !!(r->access & EX)
                             : ok && page.pa == pa && page.rights == r->rights && page.log2size == size && page.global == !(r->bits & NG);
        if (!right) {
            cr_log_error("%s: %s pa %#llx (%#llx) rights %u size %u; fault %u level %d write %u", r->what, ok ? "fine" : "fault",
                         (unsigned long long)page.pa, (unsigned long long)pa, page.rights, page.log2size, f.type, f.level, f.write);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

Test(mmu_walk, flags_in_memory)
{
    static const struct {
        const char *what;
        uint64_t tcr, before, after;
        unsigned access;
    } cases[] = {
        {"a read marks AF", TCR_BIT(39), PAGE, PAGE | AF, RD},
        {"a write to a clean page", TCR_BIT(39) | TCR_BIT(40), PAGE | AP_RO | DBM, PAGE | AF | DBM, WR},
        {"a read leaves it clean", TCR_BIT(39) | TCR_BIT(40), PAGE | AP_RO | DBM, PAGE | AP_RO | AF | DBM, RD},
        {"AT leaves it clean", TCR_BIT(39) | TCR_BIT(40), PAGE | AP_RO | DBM, PAGE | AP_RO | AF | DBM, WR | MMU_AT},
        {"no rights, no marks", TCR_BIT(39) | TCR_BIT(40), PAGE | AP_RO, PAGE | AP_RO, WR},
        {"no HA", 0, PAGE, PAGE, RD},
    };
    for (unsigned k = 0; k < LEN(cases); k++) {
        Row r = {cases[k].what, MMU_EL10, 12, 16, cases[k].tcr, 0, 0x1000, 3, 0, cases[k].before, cases[k].access, 0, 0, 0};
        setup();
        configure(&r);
        uint64_t at = build(ROOT, TABLES, 12, 0, 48, 3, r.va, 0, OA, r.bits);
        MmuRegime regime = {.pamax = 0};
        MmuPage page;
        A64Fault f;
        mmu_load(&machine->cpu, MMU_EL10, &regime);
        mmu_walk(mem, &regime, r.va, r.access, &page, &f);
        cr_expect_eq(*word(at), OA | cases[k].after, "%s: %#llx", r.what, (unsigned long long)*word(at));
    }
}

Test(mmu_walk, off)
{
    setup();
    MmuRegime r = {.pamax = 0};
    MmuPage page;
    A64Fault f;
    mmu_load(&machine->cpu, MMU_EL10, &r);
    cr_assert(mmu_walk(mem, &r, 0x40001234, RD, &page, &f));
    cr_expect_eq(page.pa, 0x40001234);
    cr_expect(page.device && page.attr == 0);
    cr_assert(mmu_walk(mem, &r, 0x40001234, EX, &page, &f));
    cr_expect_eq(page.attr, 0x44);
    cr_expect_not(mmu_walk(mem, &r, 0x0010000000000000, RD, &page, &f));
    cr_expect(f.type == FAULT_ADDRESS_SIZE && f.level == 0);
    machine->sys.reg[SR_HCR_EL2] = (uint64_t)1 << HCR_DC;
    a64_hcr_changed(&machine->cpu);
    mmu_load(&machine->cpu, MMU_EL10, &r);
    cr_expect(r.dc && r.s2.on);
}

/* -- stage 2 ------------------------------------------------------------------------------------------------------ */

enum { S2_R = 1 << 6, S2_W = 1 << 7, S2_NORMAL = 15 << 2, S2_DEVICE = 0 };
#define VTCR_40 (24u | 1u << 6 /* SL0: level 1 */ | 2u << 16 /* 40 bits out */)

typedef struct Row2 {
    const char *what;
    uint64_t vtcr;
    uint64_t tables;  /* second-stage bits of the page with first-stage tables */
    uint64_t leaf;    /* and of the page that the access goes to */
    uint64_t hcr;
    unsigned access;
    int type, level;
    bool s1ptw, write;
    unsigned rights;
} Row2;

static const Row2 rows2[] = {
    {"through both", 0, S2_R | S2_W | S2_NORMAL | AF | PAGE, S2_R | S2_W | S2_NORMAL | AF | PAGE, 0, RD, 0, 0, false, false, RD | WR | EX},
    {"read-only", 0, S2_R | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE, 0, WR, FAULT_PERMISSION, 3, false, true, 0},
    {"write-only", 0, S2_R | S2_NORMAL | AF | PAGE, S2_W | S2_NORMAL | AF | PAGE, 0, RD, FAULT_PERMISSION, 3, false, false, 0},
    {"not mapped", 0, S2_R | S2_NORMAL | AF | PAGE, 0, 0, WR, FAULT_TRANSLATION, 3, false, true, 0},
    {"no access flag", 0, S2_R | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | PAGE, 0, RD, FAULT_ACCESS_FLAG, 3, false, false, 0},
    {"tables not mapped", 0, 0, S2_R | S2_NORMAL | AF | PAGE, 0, RD, FAULT_TRANSLATION, 3, true, false, 0},
    {"tables not readable", 0, S2_W | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE, 0, RD, FAULT_PERMISSION, 3, true, false, 0},
    {"tables in a device", 0, S2_R | S2_DEVICE | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE, (uint64_t)1 << HCR_PTW, RD, FAULT_PERMISSION, 3, true, false, 0},
    {"XN", 0, S2_R | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE | UXN, 0, EX, FAULT_PERMISSION, 3, false, false, 0},
    {"XNX: not at EL1", 0, S2_R | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE | PXN, 0, EX, FAULT_PERMISSION, 3, false, false, 0},
    {"XNX: at EL1 only", 0, S2_R | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE | PXN | UXN, 0, EX, 0, 0, false, false, RD | EX},
    {"HA", 1 << 21, S2_R | S2_NORMAL | PAGE, S2_R | S2_NORMAL | PAGE, 0, RD, 0, 0, false, false, RD | EX},
    {"DBM", 1 << 21 | 1 << 22, S2_R | S2_NORMAL | PAGE, S2_R | S2_NORMAL | PAGE | DBM, 0, WR, 0, 0, false, false, RD | WR | EX},
    {"SL0 does not fit", 3 << 6, S2_R | S2_NORMAL | AF | PAGE, S2_R | S2_NORMAL | AF | PAGE, 0, RD, FAULT_TRANSLATION, 0, true, false, 0},
};

Test(mmu_walk, stage2)
{
    unsigned bad = 0;
    for (unsigned k = 0; k < LEN(rows2); k++) {
        const Row2 *r = &rows2[k];
        Row one = {r->what, MMU_EL10, 12, 25, 0, 0, 0x5000, 3, 0, AF | PAGE, r->access, 0, 0, 0};
        setup();
        configure(&one);
        uint64_t *reg = machine->sys.reg;
        reg[SR_HCR_EL2] = 1 << HCR_VM | (uint64_t)1 << HCR_RW | r->hcr;
        a64_hcr_changed(&machine->cpu);
        reg[SR_VTCR_EL2] = VTCR_40 | r->vtcr;
        reg[SR_VTTBR_EL2] = S2_ROOT | (uint64_t)7 << 48;
        build(ROOT, TABLES, 12, 1, 39, 3, one.va, 0, OA, one.bits);
        /* all tables of stage 1: identity; they lie in two 2 MiB pieces that share second-stage tables */
        uint64_t next = S2_ROOT + 0x10000;
        for (uint64_t p = 0; p < RAM_BYTES; p += 4096) {
            uint64_t ipa = RAM + p, bits = ipa == (OA & ~4095ull) ? r->leaf : r->tables;
            uint64_t *l1 = word(S2_ROOT + bits_get(ipa, 30, 10) * 8);
            *l1 = next | 3;
            uint64_t *l2 = word(next + bits_get(ipa, 21, 9) * 8), l3 = next + 0x1000 * (1 + bits_get(ipa, 21, 1));
            *l2 = l3 | 3;
            *word(l3 + bits_get(ipa, 12, 9) * 8) = bits ? ipa | bits : 0;
        }
        MmuRegime regime = {.pamax = 0};
        MmuPage page = {.pa = 1};
        A64Fault f;
        mmu_load(&machine->cpu, MMU_EL10, &regime);
        bool ok = mmu_walk(mem, &regime, one.va, r->access, &page, &f);
        bool right = regime.vmid == 7 &&
                     (r->type ? !ok && f.type == r->type && f.level == r->level && f.stage2 && f.s1ptw == r->s1ptw && f.write == r->write &&
                                    (r->s1ptw ? f.ipa < OA : f.ipa == OA)
                              : ok && page.pa == OA && page.rights == r->rights && page.log2size == 12);
        if (!right) {
            cr_log_error("%s: %s pa %#llx rights %u; fault %u level %d stage2 %u s1ptw %u write %u ipa %#llx", r->what, ok ? "fine" : "fault",
                         (unsigned long long)page.pa, page.rights, f.type, f.level, f.stage2, f.s1ptw, f.write, (unsigned long long)f.ipa);
            bad++;
        }
    }
    cr_assert_eq(bad, 0);
}

/* -- PAR_EL1 ------------------------------------------------------------------------------------------------------- */

Test(mmu_walk, par)
{
    MmuPage p = {.pa = 0x123456789, .attr = 0xff, .sh = 3, .ns = true};
    A64Fault f = {.type = FAULT_TRANSLATION, .level = 2, .stage2 = true, .s1ptw = true};
    cr_expect_eq(mmu_par(true, &p, &f), 0xff00000123456000 | 1 << 11 | 1 << 9 | 3 << 7);
    cr_expect_eq(mmu_par(false, &p, &f), 1u | 6 << 1 | 1 << 8 | 1 << 9 | 1 << 11);
    f = (A64Fault){.type = FAULT_PERMISSION, .level = 3};
    cr_expect_eq(mmu_par(false, &p, &f), 1u | 15 << 1 | 1 << 11);
}
