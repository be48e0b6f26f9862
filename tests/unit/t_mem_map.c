/* t_mem_map.c - the map of physical addresses: overlaps, moves, flash, copies across regions, single accesses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>

#include "mem_int.h"

static uint8_t ram[0x20000] __attribute__((aligned(4096))), rom[0x4000] __attribute__((aligned(4096)));
static uint64_t last_offset, last_value;
static unsigned last_size, changes, codes;

static bool dev_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)attrs;
    last_offset = offset;
    last_size = size;
    *value = (uintptr_t)dev;
    return offset != 0x10;
}

static bool dev_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    (void)dev;
    (void)attrs;
    last_offset = offset;
    last_size = size;
    last_value = value;
    return true;
}

static const MmioOps ops = {dev_read, dev_write};

static void changed(void *arg)
{
    (void)arg;
    changes++;
}

static void code(void *arg, void *host, uint64_t len)
{
    (void)arg;
    (void)host;
    (void)len;
    codes++;
}

static uint64_t get(PhysMem *m, uint64_t at, unsigned size, bool *ok)
{
    uint64_t v = ~(uint64_t)0;
    *ok = mem_access(m, (Gpa){at}, size, false, &v, (MemAttrs){false, 0});
    return v;
}

static unsigned pieces;
static uint64_t covered;
static void count(void *arg, const char *name, Gpa base, uint64_t size, const char *kind)
{
    uint64_t *end = arg;
    (void)name;
    (void)kind;
    cr_expect_geq(base.v, *end);
    *end = base.v + size - 1;
    pieces++;
    covered += size;
}

Test(mem_map, overlaps_and_moves)
{
    PhysMem *m = mem_new();
    bool ok;
    mem_listen(m, changed, code, NULL);
    mem_add_ram(m, "ram", (Gpa){0x10000}, sizeof ram, ram, false);
    MemRegion *d = mem_add_mmio(m, "dev", (Gpa){0x14000}, 0x100, &ops, (void *)5);
    cr_expect_eq(get(m, 0x14008, 4, &ok), 5);
    cr_expect(ok && last_offset == 8 && last_size == 4);
    get(m, 0x14010, 4, &ok);
    cr_expect_not(ok, "the device's error");
    get(m, 0x140fc, 8, &ok);
    cr_expect_not(ok, "beyond the region");
    ram[0x4100] = 77;
    cr_expect_eq(get(m, 0x14100, 1, &ok), 77);
    uint64_t end = 0;
    mem_each(m, count, &end);
    cr_expect_eq(pieces, 3);
    cr_expect_eq(covered, sizeof ram);
    unsigned before = changes;
    mem_move(m, d, (Gpa){0x50000}, true);
    cr_expect_eq(changes, before + 1);
    ram[0x4008] = 9;
    cr_expect_eq(get(m, 0x14008, 1, &ok), 9);
    cr_expect_eq(get(m, 0x50008, 8, &ok), 5);
    mem_move(m, d, (Gpa){0x50000}, false);
    get(m, 0x50008, 8, &ok);
    cr_expect_not(ok);
    get(m, 0x0, 8, &ok);
    cr_expect_not(ok);
    mem_move(m, d, (Gpa){~(uint64_t)0xff}, true); /* the last bytes there are */
    cr_expect_eq(get(m, ~(uint64_t)7, 8, &ok), 5);
    cr_expect(ok);
}

enum { MOVES = 200000 };
static uint64_t outside;

static bool moving_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    (void)dev;
    (void)attrs;
    outside += offset + size > 0x100;
    *value = 6;
    return true;
}

typedef struct Mover {
    PhysMem *m;
    MemRegion *region;
    uint32_t done;
} Mover;

static void *mover(void *arg)
{
    Mover *v = arg;
    for (unsigned k = 0; k < MOVES; k++) {
        mem_move(v->m, v->region, (Gpa){0x50000 + (uint64_t)(k % 1000) * 0x80}, k % 7 != 0);
    }
    __atomic_store_n(&v->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* A guest may move a BAR for ever, while another of its CPUs reads there: nothing is left behind, no offset is wrong. */
Test(mem_map, moved_for_ever)
{
    static const MmioOps moving = {moving_read, NULL};
    PhysMem *m = mem_new();
    mem_add_ram(m, "ram", (Gpa){0x10000}, sizeof ram, ram, false);
    for (unsigned k = 0; k < 40; k++) { /* more than there was room for at first */
        mem_add_mmio(m, "dev", (Gpa){0x100000 + k * 0x1000}, 0x100, &ops, (void *)5);
    }
    Mover v = {m, mem_add_mmio(m, "bar", (Gpa){0x50000}, 0x100, &moving, NULL), 0};
    pthread_t thread;
    size_t before = mallinfo2().uordblks;
    cr_assert_eq(pthread_create(&thread, NULL, mover, &v), 0);
    uint64_t found = 0, wrong = 0;
    for (uint64_t n = 0; !__atomic_load_n(&v.done, __ATOMIC_ACQUIRE); n++) {
        bool ok;
        found += get(m, 0x50000 + n % 1000 * 0x80 + 0xf8, 8, &ok) == 6 && ok;
        wrong += get(m, 0x110008, 4, &ok) != 5;
    }
    pthread_join(thread, NULL);
    cr_expect_gt(found, 0);
    cr_expect_eq(wrong, 0);
    cr_expect_eq(outside, 0);
    cr_expect_lt(mallinfo2().uordblks, before + 100000);
}

Test(mem_map, copies)
{
    PhysMem *m = mem_new();
    uint8_t buf[64];
    mem_listen(m, changed, code, NULL);
    mem_add_ram(m, "one", (Gpa){0x10000}, 0x1000, ram, false);
    mem_add_ram(m, "two", (Gpa){0x11000}, 0x1000, ram + 0x3000, false);
    mem_add_ram(m, "rom", (Gpa){0x12000}, 0x1000, rom, true);
    memset(ram, 1, 0x1000);
    memset(ram + 0x3000, 2, 0x1000);
    memset(rom, 3, sizeof rom);
    cr_expect_eq(mem_read(m, (Gpa){0x10fe0}, buf, 64), 0);
    cr_expect(buf[31] == 1 && buf[32] == 2);
    cr_expect_eq(mem_write(m, (Gpa){0x10ff0}, buf, 32), 0);
    cr_expect_eq(mem_write(m, (Gpa){0x11ff0}, buf, 32), -EFAULT, "into ROM");
    cr_expect_eq(mem_read(m, (Gpa){0x12ff0}, buf, 32), -EFAULT, "beyond");
    cr_expect_eq(buf[15], 3, "what lies before is done");
    cr_expect_null(mem_ptr(m, (Gpa){0x10fe0}, 64, false), "two pieces");
    cr_expect_eq(mem_ptr(m, (Gpa){0x10fe0}, 32, true), ram + 0xfe0);
    cr_expect_null(mem_ptr(m, (Gpa){0x12000}, 4, true));
    cr_expect_not_null(mem_ptr(m, (Gpa){0x12000}, 4, false));
    uint8_t *flags;
    cr_expect_eq(mem_direct(m, 0x11008, true, false, &flags), ram + 0x3008);
    *flags = PAGE_CODE;
    cr_expect_eq(mem_flags(m, ram + 0x3ff0), flags);
    unsigned before = codes;
    mem_wrote(m, (Gpa){0x10000}, 0x1000);
    cr_expect_eq(codes, before);
    mem_wrote(m, (Gpa){0x10ff0}, 32);
    cr_expect_eq(codes, before + 1);
}

/* Secure memory and Secure devices: external aborts, or nothing, for others. */
Test(mem_map, secure)
{
    PhysMem *m = mem_new();
    uint64_t v = 7;
    uint8_t *flags;
    mem_add_ram(m, "ram", (Gpa){0x10000}, 0x2000, ram, false);
    mem_add_mmio(m, "dev", (Gpa){0x20000}, 0x1000, &ops, (void *)6);
    mem_secure(m, (Gpa){0x10000});
    mem_secure(m, (Gpa){0x20000});
    cr_expect_not_null(mem_direct(m, 0x10000, true, false, &flags));
    cr_expect_null(mem_direct(m, 0x10000, false, true, &flags));
    for (uint64_t at = 0x10000; at <= 0x20000; at += 0x10000) {
        cr_expect(mem_access(m, (Gpa){at}, 4, true, &v, (MemAttrs){true, 0}));
        cr_expect_not(mem_access(m, (Gpa){at}, 4, true, &v, (MemAttrs){false, 0}));
        cr_expect_not(mem_access(m, (Gpa){at}, 4, false, &v, (MemAttrs){false, 0}));
    }
    cr_expect_null(mem_ptr(m, (Gpa){0x10000}, 4, false));
    cr_expect_eq(mem_read(m, (Gpa){0x10000}, &v, 4), -EFAULT);
}

Test(mem_map, flash)
{
    PhysMem *m = mem_new();
    bool ok;
    uint64_t v = 0x1234;
    MemRegion *f = mem_add_flash(m, "flash", (Gpa){0}, sizeof rom, rom, &ops, (void *)6);
    rom[8] = 55;
    cr_expect_eq(get(m, 8, 1, &ok), 55);
    cr_expect(mem_access(m, (Gpa){0x20}, 2, true, &v, (MemAttrs){false, 0}));
    cr_expect(last_value == 0x1234 && last_offset == 0x20);
    mem_flash_direct(m, f, false);
    cr_expect_eq(get(m, 8, 1, &ok), 6);
    cr_expect_null(mem_ptr(m, (Gpa){0}, 4, false));
}
