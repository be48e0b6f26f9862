/* t_gic.c - GICv3 and GICv2 driven as Linux, KVM and firmware drive them, and as nobody should.
 *
 * The scenarios assert what the architecture says (IHI 0069, IHI 0048); the random ones compare each output with a
 * search over the whole state, on one thread, and only look for races and crashes on several.
 */
#include "gic_machine.h"

#include <pthread.h>
#include <sched.h>

enum { GICD_CTLR = 0, IGROUPR = 0x80, ISENABLER = 0x100, ICENABLER = 0x180, ISPENDR = 0x200, ICPENDR = 0x280, ISACTIVER = 0x300,
       ICACTIVER = 0x380, IPRIORITYR = 0x400, ITARGETSR = 0x800, ICFGR = 0xc00, IROUTER = 0x6000 };

static uint64_t redist(unsigned cpu)
{
    return REDIST + (uint64_t)cpu * REDIST_BYTES;
}

/* What drivers/irqchip/irq-gic-v3.c does. */
static void v3_init(unsigned n)
{
    w32(DIST + GICD_CTLR, 0);
    for (unsigned k = 32; k < 288; k += 32) {
        w32(DIST + IGROUPR + k / 8, ~0u);
        w32(DIST + ICENABLER + k / 8, ~0u);
        w32(DIST + ICACTIVER + k / 8, ~0u);
        for (unsigned p = 0; p < 32; p += 4) {
            w32(DIST + IPRIORITYR + k + p, 0xa0a0a0a0);
        }
        wr(DIST + IROUTER + 8 * k, 8, 0);
    }
    w32(DIST + GICD_CTLR, 0x12);
    for (unsigned k = 0; k < n; k++) {
        uint64_t f = redist(k) + SGI_FRAME;
        w32(redist(k) + 0x14, 0);
        w32(f + IGROUPR, ~0u);
        w32(f + ISENABLER, 0xffff);
        for (unsigned p = 0; p < 32; p += 4) {
            w32(f + IPRIORITYR + p, 0xa0a0a0a0);
        }
        sw(k, SR_ICC_PMR_EL1, 0xf0);
        sw(k, SR_ICC_BPR1_EL1, 0);
        sw(k, SR_ICC_CTLR_EL1, 0);
        sw(k, SR_ICC_IGRPEN1_EL1, 1);
    }
}

static Gic *v3(unsigned n)
{
    Gic *g = fake_gic(3, n, false, true);
    v3_init(n);
    return g;
}

static void spi(unsigned intid, bool level)
{
    gic_set_spi(mach.gic, intid, level);
}

static void enable(unsigned intid)
{
    w32(DIST + ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

static void edge(unsigned intid)
{
    uint64_t at = DIST + ICFGR + intid / 16 * 4;
    w32(at, r32(at) | 2u << intid % 16 * 2);
}

Test(gic, identification)
{
    fake_gic(3, 2, false, true);
    cr_assert_eq(r32(DIST + 0xffe8), 0x3b);
    cr_assert_eq(r32(redist(1) + 0xffe8), 0x3b);
    cr_assert_eq(r32(ITS + 0xffe8), 0x3b);
    cr_assert_eq(r32(DIST + 4) & 0x1f, 8);
    cr_assert_eq(r32(DIST), 0x50); /* ARE, DS */
    cr_assert_eq(rd(redist(0) + 8, 8), 1);
    cr_assert_eq(rd(redist(1) + 8, 8), 1ull << 32 | 1 << 8 | 1 << 4 | 1);
    cr_assert_eq(r32(redist(1) + 12), 1);
    cr_assert_eq(r32(redist(1) + 0x14), 6);
    cr_assert_eq(sr(0, SR_ICC_SRE_EL1), 7);
    cr_assert_eq(sr(0, SR_ICC_CTLR_EL1) >> 8 & 7, 4);
    sw(0, SR_ICC_PMR_EL1, 0xff);
    cr_assert_eq(sr(0, SR_ICC_PMR_EL1), 0xf8);
    sw(0, SR_ICC_BPR1_EL1, 0);
    cr_assert_eq(sr(0, SR_ICC_BPR1_EL1), 3);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0xff);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
}

Test(gic, level_interrupt)
{
    v3(1);
    enable(33);
    spi(33, true);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(r32(DIST + ISPENDR + 4), 2);
    cr_assert_eq(sr(0, SR_ICC_HPPIR1_EL1), 33);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 33);
    cr_assert(!line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0xa0);
    cr_assert_eq(r32(DIST + ISACTIVER + 4), 2);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
    sw(0, SR_ICC_EOIR1_EL1, 33); /* still high: again */
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 33);
    spi(33, false);
    sw(0, SR_ICC_EOIR1_EL1, 33);
    cr_assert(!line(0, LINE_IRQ));
    cr_assert_eq(r32(DIST + ISACTIVER + 4), 0);
    cr_assert_eq(r32(DIST + ISPENDR + 4), 0);
    spi(33, true);
    spi(33, false); /* went away before it was taken */
    cr_assert(!line(0, LINE_IRQ));
    w32(DIST + ISPENDR + 4, 2);
    cr_assert(line(0, LINE_IRQ));
    w32(DIST + ICPENDR + 4, 2);
    cr_assert(!line(0, LINE_IRQ));
}

Test(gic, edge_interrupt)
{
    v3(1);
    edge(40);
    enable(40);
    spi(40, true);
    spi(40, false);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 40);
    cr_assert_eq(r32(DIST + ISPENDR + 4), 0);
    spi(40, true); /* another edge while active */
    cr_assert_eq(r32(DIST + ISPENDR + 4), 0x100);
    cr_assert(!line(0, LINE_IRQ));
    sw(0, SR_ICC_EOIR1_EL1, 40);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 40);
    sw(0, SR_ICC_EOIR1_EL1, 40);
    cr_assert(!line(0, LINE_IRQ)); /* high, but no edge */
}

Test(gic, priorities_and_preemption)
{
    v3(1);
    enable(40), enable(41), enable(42);
    wr(DIST + IPRIORITYR + 40, 1, 0x80);
    wr(DIST + IPRIORITYR + 41, 1, 0x40);
    wr(DIST + IPRIORITYR + 42, 1, 0x47); /* priority bits that are not there */
    cr_assert_eq(rd(DIST + IPRIORITYR + 42, 1), 0x40);
    spi(40, true);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 40);
    spi(42, true);
    spi(41, true);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 41); /* lowest INTID of equals */
    cr_assert(!line(0, LINE_IRQ));            /* 42 does not preempt its equal */
    cr_assert_eq(sr(0, SR_ICC_AP1R0_EL1), 1u << 8 | 1u << 16);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0x40);
    spi(41, false);
    sw(0, SR_ICC_EOIR1_EL1, 41);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 42);
    spi(42, false);
    sw(0, SR_ICC_EOIR1_EL1, 42);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0x80);
    spi(40, false);
    sw(0, SR_ICC_EOIR1_EL1, 40);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0xff);
    /* mask */
    spi(40, true);
    sw(0, SR_ICC_PMR_EL1, 0x80);
    cr_assert(!line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
    cr_assert_eq(sr(0, SR_ICC_HPPIR1_EL1), 40);
    sw(0, SR_ICC_PMR_EL1, 0x88);
    cr_assert(line(0, LINE_IRQ));
    /* binary point: bits 7:6 preempt, so 0x40 does, and of 0x80 and 0xa0 none the other */
    sw(0, SR_ICC_PMR_EL1, 0xff);
    sw(0, SR_ICC_BPR1_EL1, 6);
    wr(DIST + IPRIORITYR + 41, 1, 0xa0);
    spi(40, false);
    spi(41, true);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 41);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0x80);
    spi(40, true);
    cr_assert(!line(0, LINE_IRQ));
    spi(42, true);
    cr_assert(line(0, LINE_IRQ));
}

Test(gic, split_end_of_interrupt)
{
    v3(1);
    sw(0, SR_ICC_CTLR_EL1, 2);
    enable(33);
    spi(33, true);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 33);
    sw(0, SR_ICC_EOIR1_EL1, 33);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0xff);
    cr_assert(!line(0, LINE_IRQ)); /* active still */
    cr_assert_eq(r32(DIST + ISACTIVER + 4), 2);
    sw(0, SR_ICC_DIR_EL1, 33);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(r32(DIST + ISACTIVER + 4), 0);
    /* deactivation by the distributor */
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 33);
    sw(0, SR_ICC_EOIR1_EL1, 33);
    w32(DIST + ICACTIVER + 4, 2);
    cr_assert(line(0, LINE_IRQ));
    /* and activation: KVM does so for the timer that its guest has */
    w32(DIST + ISACTIVER + 4, 2);
    cr_assert(!line(0, LINE_IRQ));
}

Test(gic, groups)
{
    v3(1);
    w32(DIST + GICD_CTLR, 0x13);
    sw(0, SR_ICC_IGRPEN0_EL1, 1);
    w32(DIST + IGROUPR + 4, ~2u); /* 33 in Group 0 */
    enable(33), enable(34);
    spi(33, true);
    cr_assert(line(0, LINE_FIQ) && !line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
    cr_assert_eq(sr(0, SR_ICC_HPPIR1_EL1), 1023);
    cr_assert_eq(sr(0, SR_ICC_IAR0_EL1), 33);
    spi(33, false);
    sw(0, SR_ICC_EOIR1_EL1, 33); /* of the wrong group: no effect */
    cr_assert_eq(r32(DIST + ISACTIVER + 4), 2);
    sw(0, SR_ICC_EOIR0_EL1, 33);
    cr_assert_eq(r32(DIST + ISACTIVER + 4), 0);
    spi(34, true);
    cr_assert(line(0, LINE_IRQ) && !line(0, LINE_FIQ));
    sw(0, SR_ICC_IGRPEN1_EL1, 0);
    cr_assert(!line(0, LINE_IRQ));
    sw(0, SR_ICC_IGRPEN1_EL1, 1);
    cr_assert(line(0, LINE_IRQ));
    w32(DIST + GICD_CTLR, 0x11);
    cr_assert(!line(0, LINE_IRQ));
}

Test(gic, software_interrupts)
{
    v3(4);
    sw(0, SR_ICC_SGI1R_EL1, 5ull << 24 | 0xa); /* CPUs 1 and 3 */
    cr_assert(!line(0, LINE_IRQ) && line(1, LINE_IRQ) && !line(2, LINE_IRQ) && line(3, LINE_IRQ));
    cr_assert_eq(sr(1, SR_ICC_IAR1_EL1), 5);
    sw(1, SR_ICC_SGI1R_EL1, 5ull << 24 | 2); /* to itself while active */
    cr_assert(!line(1, LINE_IRQ));
    sw(1, SR_ICC_EOIR1_EL1, 5);
    cr_assert_eq(sr(1, SR_ICC_IAR1_EL1), 5);
    sw(1, SR_ICC_EOIR1_EL1, 5);
    sw(2, SR_ICC_SGI1R_EL1, 1ull << 40 | 7ull << 24); /* all but itself */
    cr_assert(line(0, LINE_IRQ) && line(1, LINE_IRQ) && !line(2, LINE_IRQ));
    cr_assert_eq(sr(3, SR_ICC_IAR1_EL1), 5);
    sw(3, SR_ICC_EOIR1_EL1, 5);
    cr_assert_eq(sr(3, SR_ICC_IAR1_EL1), 7);
    sw(2, SR_ICC_SGI1R_EL1, 1ull << 16 | 7ull << 24 | 0xf); /* another cluster */
    cr_assert(!line(2, LINE_IRQ));
    sw(0, SR_ICC_SGI0R_EL1, 8ull << 24 | 4); /* of Group 1: not sent */
    cr_assert(!line(2, LINE_IRQ));
    w32(redist(2) + SGI_FRAME + ISPENDR, 1 << 9);
    cr_assert_eq(sr(2, SR_ICC_IAR1_EL1), 9);
}

Test(gic, private_and_routed)
{
    Gic *g = v3(4);
    Irq timer = gic_ppi(g, 2, 11);
    irq_set(&timer, true);
    cr_assert(!line(2, LINE_IRQ));
    w32(redist(2) + SGI_FRAME + ISENABLER, 1 << 27);
    cr_assert(line(2, LINE_IRQ));
    cr_assert_eq(sr(2, SR_ICC_IAR1_EL1), 27);
    irq_set(&timer, false);
    sw(2, SR_ICC_EOIR1_EL1, 27);
    cr_assert(!line(2, LINE_IRQ));
    enable(50);
    wr(DIST + IROUTER + 8 * 50, 8, 3);
    cr_assert_eq(rd(DIST + IROUTER + 8 * 50, 8), 3);
    spi(50, true);
    cr_assert(line(3, LINE_IRQ) && !line(0, LINE_IRQ));
    w32(DIST + IROUTER + 8 * 50, 1); /* moves while pending, by halves */
    cr_assert(!line(3, LINE_IRQ) && line(1, LINE_IRQ));
    wr(DIST + IROUTER + 8 * 50, 8, 0x700); /* to nobody */
    cr_assert(!line(1, LINE_IRQ));
    wr(DIST + IROUTER + 8 * 50, 8, 0);
    cr_assert(line(0, LINE_IRQ));
    w32(DIST + ICENABLER + 4, 1u << 18);
    cr_assert(!line(0, LINE_IRQ));
    gic_reset(g);
    cr_assert_eq(r32(DIST + ISENABLER + 4), 0);
}

/* -- ITS -- */

enum { PROP = RAM + 0x10000, PEND = RAM + 0x20000, QUEUE = RAM + 0x40000, DEVS = RAM + 0x50000, COLLS = RAM + 0x60000,
       ITT = RAM + 0x70000, LEVEL2 = RAM + 0x80000 };
static uint64_t cwriter;

static void put64(uint64_t at, uint64_t v)
{
    memcpy(ram + (at - RAM), &v, 8);
}

static void command(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    put64(QUEUE + cwriter, a), put64(QUEUE + cwriter + 8, b), put64(QUEUE + cwriter + 16, c), put64(QUEUE + cwriter + 24, d);
    cwriter = (cwriter + 32) % 0x1000;
    wr(ITS + 0x88, 8, cwriter);
    cr_assert_eq(rd(ITS + 0x90, 8), cwriter);
}

static void mapd(uint32_t dev, unsigned bits, uint64_t itt) { command((uint64_t)dev << 32 | 8, bits - 1, 1ull << 63 | itt, 0); }
static void mapc(unsigned coll, unsigned cpu) { command(9, 0, 1ull << 63 | (uint64_t)cpu << 16 | coll, 0); }
static void mapti(uint32_t dev, uint32_t ev, uint32_t lpi, unsigned coll)
{
    command((uint64_t)dev << 32 | 0xa, (uint64_t)lpi << 32 | ev, coll, 0);
}

static void msi(uint16_t dev, uint32_t ev)
{
    uint64_t v = ev;
    cr_assert(mem_access(mach.mem, (Gpa){ITS + 0x10040}, 4, true, &v, (MemAttrs){.requester = dev}));
}

static void its_init(unsigned n, bool indirect)
{
    memset(ram, 0, sizeof(ram));
    memset(ram + (PROP - RAM), 0xa1, 8192); /* priority a0, enabled */
    for (unsigned k = 0; k < n; k++) {
        wr(redist(k) + 0x70, 8, PROP | 15);
        wr(redist(k) + 0x78, 8, (PEND + 0x10000ull * k) | 1ull << 62);
        w32(redist(k), 1);
    }
    wr(ITS + 0x80, 8, 1ull << 63 | QUEUE);
    cr_assert_eq(rd(ITS + 0x100, 8) >> 56 & 7, 1);
    cr_assert_eq(rd(ITS + 0x108, 8) >> 56 & 7, 4);
    wr(ITS + 0x100, 8, 1ull << 63 | (uint64_t)indirect << 62 | DEVS);
    if (indirect) {
        put64(DEVS + 8, 1ull << 63 | LEVEL2); /* devices 512.. */
    }
    wr(ITS + 0x108, 8, 1ull << 63 | COLLS);
    cwriter = 0;
    wr(ITS + 0x88, 8, 0);
    w32(ITS, 1);
    for (unsigned k = 0; k < n; k++) {
        mapc(k, k);
    }
}

Test(gic, translation)
{
    v3(3);
    its_init(3, false);
    mapd(0x10, 5, ITT);
    mapti(0x10, 0, 8192, 0);
    mapti(0x10, 31, 8200, 1);
    mapti(0x10, 32, 8201, 1); /* beyond the device's events */
    command(5, 0, 0, 0);      /* SYNC */
    msi(0x10, 0);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 8192);
    cr_assert(!line(0, LINE_IRQ));
    msi(0x10, 0); /* again while it runs: LPIs have no active state */
    cr_assert(!line(0, LINE_IRQ));
    sw(0, SR_ICC_EOIR1_EL1, 8192);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 8192);
    sw(0, SR_ICC_EOIR1_EL1, 8192);
    msi(0x10, 31);
    cr_assert_eq(sr(1, SR_ICC_IAR1_EL1), 8200);
    sw(1, SR_ICC_EOIR1_EL1, 8200);
    msi(0x10, 32), msi(0x11, 0), msi(0x10, 1);
    cr_assert(!line(0, LINE_IRQ) && !line(1, LINE_IRQ) && !line(2, LINE_IRQ));
    /* disabled, pending, then enabled with INV */
    ram[PROP - RAM + 8] = 0xa0;
    msi(0x10, 31);
    cr_assert(!line(1, LINE_IRQ));
    ram[PROP - RAM + 8] = 0xa1;
    command(0x10ull << 32 | 0xc, 31, 0, 0);
    cr_assert(line(1, LINE_IRQ));
    /* MOVI takes the pending state along */
    command(0x10ull << 32 | 1, 31, 2, 0);
    cr_assert(!line(1, LINE_IRQ) && line(2, LINE_IRQ));
    command(0xe, 0, 2ull << 16, 1ull << 16); /* MOVALL from 2 to 1 */
    cr_assert(line(1, LINE_IRQ) && !line(2, LINE_IRQ));
    command(0x10ull << 32 | 1, 31, 1, 0);
    command(0x10ull << 32 | 4, 31, 0, 0); /* CLEAR, of the collection that it is in */
    cr_assert(!line(1, LINE_IRQ));
    command(0x10ull << 32 | 3, 31, 0, 0); /* INT */
    cr_assert(line(1, LINE_IRQ));
    command(0x10ull << 32 | 0xf, 31, 0, 0); /* DISCARD */
    cr_assert(!line(1, LINE_IRQ));
    msi(0x10, 31);
    cr_assert(!line(1, LINE_IRQ));
    /* INVALL, priorities among LPIs */
    mapti(0x10, 2, 8202, 0), mapti(0x10, 3, 8203, 0);
    ram[PROP - RAM + 11] = 0x41;
    command(0xd, 0, 0, 0);
    msi(0x10, 2), msi(0x10, 3);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 8203);
    sw(0, SR_ICC_EOIR1_EL1, 8203);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 8202);
    sw(0, SR_ICC_EOIR1_EL1, 8202);
    command(0x10ull << 32 | 8, 0, 0, 0); /* MAPD without V */
    msi(0x10, 2);
    cr_assert(!line(0, LINE_IRQ));
}

Test(gic, translation_tables)
{
    v3(1);
    its_init(1, true);
    mapd(512 + 7, 16, ITT);
    mapti(512 + 7, 3, 9000, 0);
    msi(512 + 7, 3);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 9000);
    sw(0, SR_ICC_EOIR1_EL1, 9000);
    mapd(7, 16, ITT); /* level 1 entry not valid */
    mapti(7, 3, 9000, 0);
    msi(7, 3);
    cr_assert(!line(0, LINE_IRQ));
    /* pending tables: stored when LPIs are switched off, loaded when they come on */
    sw(0, SR_ICC_PMR_EL1, 0);
    msi(512 + 7, 3);
    w32(redist(0), 0);
    cr_assert_eq(ram[PEND - RAM + 9000 / 8], 1u << 9000 % 8);
    wr(redist(0) + 0x78, 8, PEND);
    w32(redist(0), 1);
    sw(0, SR_ICC_PMR_EL1, 0xf0);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 9000);
    /* a queue that is nowhere */
    w32(ITS, 0);
    wr(ITS + 0x80, 8, 1ull << 63 | 0xf0000000);
    w32(ITS, 1);
    wr(ITS + 0x88, 8, 0x40);
    cr_assert_eq(rd(ITS + 0x90, 8), 1); /* Stalled */
}

/* Commands that look at every pending LPI do not hold a CPU for long: the queue goes on when it is polled. */
Test(gic, translation_takes_turns, .timeout = 60)
{
    v3(1);
    its_init(1, false);
    memset(ram + (PEND - RAM) + GIC_LPI / 8, 0xff, (GIC_LPI_END - GIC_LPI) / 8);
    w32(redist(0), 0);
    memset(ram + (PEND - RAM) + GIC_LPI / 8, 0xff, (GIC_LPI_END - GIC_LPI) / 8);
    wr(redist(0) + 0x78, 8, PEND);
    w32(redist(0), 1);
    for (unsigned k = 0; k < 100; k++) {
        put64(QUEUE + 32 * (cwriter / 32 + k), 0xd); /* INVALL of collection 0 */
    }
    wr(ITS + 0x88, 8, cwriter + 32 * 100);
    unsigned polls = 0;
    while (rd(ITS + 0x90, 8) != cwriter + 32 * 100) {
        polls++;
    }
    cr_assert_gt(polls, 10);
    cr_assert_lt(polls, 200);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 8192);
}

/* -- virtual CPU interface -- */

#define LR(state, group, prio, intid) ((uint64_t)(state) << 62 | (uint64_t)(group) << 60 | (uint64_t)(prio) << 48 | (intid))

static void hyp(uint64_t hcr)
{
    fake_el(0, 2);
    sw(0, SR_ICH_HCR_EL2, hcr);
    fake_hcr(0, 1 << HCR_IMO | 1 << HCR_FMO);
}

Test(gic, virtual_interface)
{
    v3(1);
    hyp(1);
    cr_assert_eq(sr(0, SR_ICH_VTR_EL2) & 31, GIC_LRS - 1);
    sw(0, SR_ICH_VMCR_EL2, 0xf0000002);
    sw(0, SR_ICH_LR0_EL2, LR(1, 1, 0xa0, 27) | 1ull << 61 | 27ull << 32);
    sw(0, SR_ICH_LR1_EL2, LR(1, 1, 0x80, 40));
    cr_assert(line(0, LINE_VIRQ) && !line(0, LINE_IRQ));
    w32(redist(0) + SGI_FRAME + ISACTIVER, 1 << 27);
    fake_el(0, 1);
    cr_assert_eq(sr(0, SR_ICC_PMR_EL1), 0xf0);
    cr_assert_eq(sr(0, SR_ICC_HPPIR1_EL1), 40);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 40);
    cr_assert(!line(0, LINE_VIRQ));
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0x80);
    sw(0, SR_ICC_EOIR1_EL1, 40);
    cr_assert(line(0, LINE_VIRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 27);
    sw(0, SR_ICC_EOIR1_EL1, 27); /* deactivates the physical one */
    cr_assert_eq(r32(redist(0) + SGI_FRAME + ISACTIVER), 0);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0xff);
    fake_el(0, 2);
    cr_assert_eq(sr(0, SR_ICH_LR1_EL2) >> 62, 0);
    cr_assert_eq(sr(0, SR_ICH_ELRSR_EL2), 15);
    /* maintenance: none pending, end of interrupt, underflow */
    w32(redist(0) + SGI_FRAME + ISENABLER, 1 << 25);
    sw(0, SR_ICH_HCR_EL2, 1 | 8);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICH_MISR_EL2), 8);
    sw(0, SR_ICH_LR0_EL2, LR(1, 1, 0xa0, 44) | 1ull << 41);
    cr_assert(!line(0, LINE_IRQ));
    sw(0, SR_ICH_HCR_EL2, 1);
    fake_el(0, 1);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 44);
    sw(0, SR_ICC_EOIR1_EL1, 44);
    fake_el(0, 2);
    cr_assert_eq(sr(0, SR_ICH_EISR_EL2), 1);
    cr_assert_eq(sr(0, SR_ICH_MISR_EL2), 1);
    cr_assert_eq(sr(0, SR_ICH_ELRSR_EL2), 14);
    cr_assert(line(0, LINE_IRQ));
    sw(0, SR_ICH_LR0_EL2, 0);
    cr_assert(!line(0, LINE_IRQ));
    /* an active one that was swapped out: its end is counted */
    sw(0, SR_ICH_AP1R0_EL2, 1u << 20);
    fake_el(0, 1);
    sw(0, SR_ICC_EOIR1_EL1, 50);
    fake_el(0, 2);
    cr_assert_eq(sr(0, SR_ICH_HCR_EL2) >> 27, 1);
    /* Group 0 is FIQ; the virtual machine's own switches */
    sw(0, SR_ICH_LR0_EL2, LR(1, 0, 0xa0, 33));
    cr_assert(!line(0, LINE_VFIQ));
    fake_el(0, 1);
    sw(0, SR_ICC_IGRPEN0_EL1, 1);
    cr_assert(line(0, LINE_VFIQ) && !line(0, LINE_VIRQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
    cr_assert_eq(sr(0, SR_ICC_IAR0_EL1), 33);
    sw(0, SR_ICC_CTLR_EL1, 2); /* EOImode */
    sw(0, SR_ICC_EOIR0_EL1, 33);
    fake_el(0, 2);
    cr_assert_eq(sr(0, SR_ICH_LR0_EL2) >> 62, 2);
    fake_el(0, 1);
    sw(0, SR_ICC_DIR_EL1, 33);
    fake_el(0, 2);
    cr_assert_eq(sr(0, SR_ICH_LR0_EL2) >> 62, 0);
}

/* -- version 2 -- */

static void as(unsigned cpu)
{
    self = &vcpus[cpu];
}

static Gic *v2(unsigned n)
{
    Gic *g = fake_gic(2, n, false, false);
    for (unsigned k = 32; k < 288; k += 4) {
        w32(DIST + IPRIORITYR + k, 0xa0a0a0a0);
        w32(DIST + ITARGETSR + k, 0x01010101);
    }
    w32(DIST + GICD_CTLR, 1);
    for (unsigned k = 0; k < n; k++) {
        as(k);
        for (unsigned p = 0; p < 32; p += 4) {
            w32(DIST + IPRIORITYR + p, 0xa0a0a0a0);
        }
        w32(GICC + 4, 0xf0);
        w32(GICC, 1);
    }
    as(0);
    return g;
}

Test(gicv2, interrupts)
{
    v2(4);
    cr_assert_eq(r32(DIST + 0xfe8), 0x2b);
    cr_assert_eq(r32(DIST + 4), 8 | 3 << 5);
    as(2);
    cr_assert_eq(r32(DIST + ITARGETSR), 0x04040404);
    as(0);
    enable(33);
    spi(33, true);
    cr_assert(line(0, LINE_IRQ) && !line(1, LINE_IRQ));
    cr_assert_eq(r32(GICC + 0x18), 33);
    cr_assert_eq(r32(GICC + 0xc), 33);
    cr_assert_eq(r32(GICC + 0x14), 0xa0);
    spi(33, false);
    w32(GICC + 0x10, 33);
    cr_assert_eq(r32(GICC + 0xc), 1023);
    /* two targets: the first that takes it has it */
    wr(DIST + ITARGETSR + 33, 1, 6);
    spi(33, true);
    cr_assert(!line(0, LINE_IRQ) && line(1, LINE_IRQ) && line(2, LINE_IRQ));
    as(2);
    cr_assert_eq(r32(GICC + 0xc), 33);
    cr_assert(!line(1, LINE_IRQ));
    as(1);
    cr_assert_eq(r32(GICC + 0xc), 1023);
    as(2);
    spi(33, false);
    w32(GICC, 0x201); /* split end */
    w32(GICC + 0x10, 33);
    spi(33, true);
    cr_assert(!line(2, LINE_IRQ));
    w32(GICC + 0x1000, 33);
    cr_assert(line(2, LINE_IRQ));
}

Test(gicv2, software_interrupts)
{
    v2(4);
    as(0), w32(DIST + 0xf00, 2 << 16 | 3); /* from 0 to 1 */
    as(2), w32(DIST + 0xf00, 2 << 16 | 3); /* from 2 to 1 */
    as(1);
    cr_assert_eq(rd(DIST + 0xf20 + 3, 1), 5);
    cr_assert_eq(r32(GICC + 0xc), 3);
    cr_assert(!line(1, LINE_IRQ)); /* the other one pends behind its active state */
    w32(GICC + 0x10, 3);
    cr_assert(line(1, LINE_IRQ));
    cr_assert_eq(r32(GICC + 0xc), 3 | 2 << 10);
    w32(GICC + 0x10, 3 | 2 << 10);
    cr_assert(!line(1, LINE_IRQ));
    w32(DIST + 0xf00, 1 << 24 | 4);
    cr_assert(line(0, LINE_IRQ) && !line(1, LINE_IRQ) && line(2, LINE_IRQ) && line(3, LINE_IRQ));
    w32(DIST + 0xf00, 2 << 24 | 4);
    cr_assert(line(1, LINE_IRQ));
    wr(DIST + 0xf10 + 4, 1, 2);
    cr_assert(!line(1, LINE_IRQ));
}

Test(gicv2, groups_and_messages)
{
    v2(1);
    w32(DIST, 3);
    w32(GICC, 0xb); /* both groups, Group 0 as FIQ */
    w32(DIST + IGROUPR + 4, 2);
    enable(33), enable(34);
    spi(33, true);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(r32(GICC + 0xc), 1022); /* AckCtl is 0 */
    cr_assert_eq(r32(GICC + 0x18), 1022);
    cr_assert_eq(r32(GICC + 0x20), 33); /* GICC_AIAR */
    spi(33, false);
    w32(GICC + 0x24, 33);
    spi(34, true);
    cr_assert(line(0, LINE_FIQ) && !line(0, LINE_IRQ));
    cr_assert_eq(r32(GICC + 0x20), 1023);
    cr_assert_eq(r32(GICC + 0xc), 34);
    spi(34, false);
    w32(GICC + 0x10, 34);
    /* GICv2m */
    cr_assert_eq(r32(V2M + 8), 112 << 16 | 64);
    edge(113), enable(113);
    w32(V2M + 0x40, 113);
    cr_assert_eq(r32(GICC + 0xc), 113);
    w32(GICC + 0x10, 113);
    w32(V2M + 0x40, 33); /* none of the frame's */
    cr_assert(!line(0, LINE_IRQ));
}

Test(gicv2, virtual_interface)
{
    v2(2);
    w32(GICH + 8, 0xf8000001); /* Group 0 enabled, nothing masked */
    w32(GICH, 1);
    w32(GICH + 0x100, 1u << 28 | 20u << 23 | 2u << 10 | 5); /* SGI 5 from virtual CPU 2 */
    w32(GICH + 0x104, 1u << 31 | 1u << 28 | 16u << 23 | 27u << 10 | 27);
    cr_assert_eq(r32(GICH + 0x104), 1u << 31 | 1u << 28 | 16u << 23 | 27u << 10 | 27);
    cr_assert(line(0, LINE_VIRQ));
    w32(DIST + ISACTIVER, 1 << 27);
    cr_assert_eq(r32(GICV + 0xc), 27);
    w32(GICV + 0x10, 27);
    cr_assert_eq(r32(DIST + ISACTIVER), 0);
    cr_assert_eq(r32(GICV + 0x18), 5 | 2 << 10);
    cr_assert_eq(r32(GICV + 0xc), 5 | 2 << 10);
    cr_assert_eq(r32(GICV + 0x14), 0xa0);
    w32(GICV + 0x10, 5 | 2 << 10);
    cr_assert_eq(r32(GICH + 0x30), 15);
    cr_assert(!line(0, LINE_VIRQ));
    as(1);
    cr_assert_eq(r32(GICH), 0); /* banked */
}

/* -- two Security states -- */

static uint64_t ns_rd(uint64_t at, bool secure)
{
    uint64_t v;
    mem_access(mach.mem, (Gpa){at}, 4, false, &v, (MemAttrs){.secure = secure});
    return v;
}

static void ns_wr(uint64_t at, uint64_t v, bool secure)
{
    mem_access(mach.mem, (Gpa){at}, 4, true, &v, (MemAttrs){.secure = secure});
}

Test(gic, security)
{
    fake_gic(3, 1, true, false);
    cpus[0].sys.el3 = true;
    cpus[0].sys.secure = true;
    fake_el(0, 3);
    ns_wr(DIST, 0x37, true);
    cr_assert_eq(ns_rd(DIST, true), 0x37);
    cr_assert_eq(ns_rd(DIST, false), 0x12);
    ns_wr(DIST + IGROUPR + 4, 2, true);
    ns_wr(DIST + ISENABLER + 4, 6, true);
    cr_assert_eq(ns_rd(DIST + ISENABLER + 4, false), 2); /* 34 is Secure */
    ns_wr(DIST + IPRIORITYR + 32, 0x4040, false);
    cr_assert_eq(ns_rd(DIST + IPRIORITYR + 32, true), 0xa000);
    cr_assert_eq(ns_rd(DIST + IPRIORITYR + 32, false), 0x4000);
    sw(0, SR_ICC_IGRPEN1_EL3, 3);
    sw(0, SR_ICC_IGRPEN0_EL1, 1);
    sw(0, SR_ICC_PMR_EL1, 0xf8);
    gic_world_changed(&vcpus[0]);
    spi(33, true);
    cr_assert(line(0, LINE_FIQ)); /* at EL3 */
    cr_assert_eq(sr(0, SR_ICC_IAR0_EL1), 1021);
    cpus[0].sys.secure = false;
    cpus[0].sys.reg[SR_SCR_EL3] = 1;
    fake_el(0, 1);
    fake_hcr(0, 0);
    gic_world_changed(&vcpus[0]);
    cr_assert(line(0, LINE_IRQ) && !line(0, LINE_FIQ));
    cr_assert_eq(sr(0, SR_ICC_IAR0_EL1), 1023);
    cr_assert_eq(sr(0, SR_ICC_PMR_EL1), 0xf0);
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 33);
    cr_assert_eq(sr(0, SR_ICC_RPR_EL1), 0x40);
    spi(34, true);
    cr_assert(line(0, LINE_FIQ));
    cr_assert_eq(sr(0, SR_ICC_IAR1_EL1), 1023);
}

/* -- random programming -- */

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1d;
}

/* Best of everything for CPU k, found by looking at everything. */
static bool slow_signals(Gic *g, GicCpu *c)
{
    unsigned best = GIC_PRIO_IDLE, group = G0, groups = g->groups & c->groups;
    for (unsigned id = 0; id < g->words * 32; id++) {
        GicWord *w = gic_word(c, id);
        unsigned b = id % 32, gr = gic_group(g, w, b);
        bool here = id < 32 || (g->config.version == 2 ? (g->ncpus == 1 ? 1 : w->target[b]) >> c->vcpu->index & 1
                                                       : (g->route[id] & 0xff00ffffffu) == (c->vcpu->mpidr & 0xff00ffffffu));
        if (here && (gic_word_pending(w) & w->enable & ~w->active) >> b & 1 && groups >> gr & 1 && w->prio[b] < best) {
            best = w->prio[b];
            group = gr;
        }
    }
    if (c->lpi.prio < best && groups >> G1NS & 1) {
        best = c->lpi.prio;
        group = G1NS;
    }
    unsigned bpr = group == G1NS && !c->cbpr_ns ? c->bpr[G1NS] : c->bpr[group == G1S && !c->cbpr_s ? G1S : G0] + 1u;
    return best < c->pmr && (best & 0xffu << bpr) < gic_cpu_running(c);
}

static const unsigned ic_regs[] = {
    SR_ICC_PMR_EL1, SR_ICC_IAR0_EL1, SR_ICC_EOIR0_EL1, SR_ICC_HPPIR0_EL1, SR_ICC_BPR0_EL1, SR_ICC_AP0R0_EL1, SR_ICC_AP1R0_EL1,
    SR_ICC_DIR_EL1, SR_ICC_RPR_EL1, SR_ICC_SGI1R_EL1, SR_ICC_ASGI1R_EL1, SR_ICC_SGI0R_EL1, SR_ICC_IAR1_EL1, SR_ICC_IAR1_EL1,
    SR_ICC_EOIR1_EL1, SR_ICC_HPPIR1_EL1, SR_ICC_BPR1_EL1, SR_ICC_CTLR_EL1, SR_ICC_IGRPEN0_EL1, SR_ICC_IGRPEN1_EL1,
    SR_ICH_AP0R0_EL2, SR_ICH_AP1R0_EL2, SR_ICH_HCR_EL2, SR_ICH_MISR_EL2, SR_ICH_EISR_EL2, SR_ICH_ELRSR_EL2, SR_ICH_VMCR_EL2,
    SR_ICH_LR0_EL2, SR_ICH_LR1_EL2, SR_ICH_LR2_EL2, SR_ICH_LR3_EL2, SR_ICC_IAR1_EL1, SR_ICC_CTLR_EL3, SR_ICC_IGRPEN1_EL3,
};

static void random_register(unsigned n)
{
    static const uint64_t bases[] = {DIST, REDIST, ITS, GICC, GICH, GICV, V2M};
    unsigned k = rnd() % n, size = 1u << rnd() % 4;
    uint64_t v = rnd() & rnd(), r = rnd() % 100;
    as(k);
    if (r < 30 && mach.gic->config.version == 3) {
        unsigned s = ic_regs[rnd() % LEN(ic_regs)];
        fake_el(k, 1 + rnd() % 2);
        fake_hcr(k, rnd() & (1 << HCR_IMO | 1 << HCR_FMO));
        if (rnd() & 1) {
            sw(k, s, rnd() & 3 ? v & 0xfff : v);
        } else {
            sr(k, s);
        }
        return;
    }
    if (r < 60) {
        gic_set_spi(mach.gic, 32 + rnd() % 256, rnd() & 1);
        return;
    }
    if (r < 65) {
        gic_set_ppi(&mach.gic->cpus[k], 16 + rnd() % 16, rnd() & 1);
        return;
    }
    if (r < 67 && mach.gic->its) {
        msi((uint16_t)(rnd() % 64), (uint32_t)rnd() % 64);
        return;
    }
    uint64_t base = bases[rnd() % LEN(bases)], at = base + (rnd() & 3 ? rnd() % 0x1100 : rnd() % 0x20000);
    if (base == REDIST) {
        at += rnd() % n * REDIST_BYTES + (rnd() & 1 ? SGI_FRAME : 0);
    }
    at &= ~(uint64_t)(size - 1);
    if (base == ITS && rnd() & 1) {
        v = 1ull << 63 | (RAM + (rnd() % RAM_BYTES & ~0xfffull)) | rnd() % 4; /* tables that are somewhere */
    }
    if (rnd() % 3) {
        mem_access(mach.mem, (Gpa){at}, size, true, &v, (MemAttrs){.secure = rnd() & 1});
    } else {
        mem_access(mach.mem, (Gpa){at}, size, false, &v, (MemAttrs){.secure = rnd() & 1});
    }
}

static void random_run(unsigned version, bool security, uint64_t s, unsigned steps)
{
    Gic *g = fake_gic(version, 3, security, version == 3);
    seed = s;
    if (version == 3) {
        v3_init(3);
        its_init(3, false);
    }
    for (unsigned k = 0; k < RAM_BYTES / 8; k++) {
        put64(RAM + 8 * k, rnd() & 1 ? 1ull << 63 | (rnd() & 0xffff0fff0fff) : rnd());
    }
    for (unsigned k = 0; k < steps; k++) {
        random_register(3);
        for (unsigned n = 0; n < 3; n++) {
            GicCpu *c = &g->cpus[n];
            cr_assert_eq(c->irq || c->fiq, slow_signals(g, c), "version %u, seed %lu, step %u, CPU %u", version, (long)s, k, n);
            cr_assert_eq(c->irq, line(n, LINE_IRQ));
            cr_assert_eq(c->virq, line(n, LINE_VIRQ));
        }
    }
}

Test(gic, random_v3, .timeout = 120)
{
    random_run(3, false, 0x1234567, 40000);
}

Test(gic, random_v3_secure, .timeout = 120)
{
    random_run(3, true, 0x7654321, 40000);
}

Test(gicv2, random, .timeout = 120)
{
    random_run(2, false, 0xabcdef, 40000);
}

/* -- threads: CPUs that send to one another and take what comes, a device, a programmer -- */

enum { PINGS = 2000 };
static uint32_t got[FAKE_CPUS], spis_got, lpis_got, stop_threads, spi_acks;

static void take_all(unsigned k)
{
    while (line(k, LINE_IRQ)) {
        uint64_t id = sr(k, SR_ICC_IAR1_EL1);
        if (id == 1023) {
            continue;
        }
        if (id == 60) {
            gic_set_spi(mach.gic, 60, false);
            __atomic_fetch_add(&spis_got, 1, __ATOMIC_RELAXED);
            __atomic_store_n(&spi_acks, 1, __ATOMIC_RELEASE);
        }
        if (id >= GIC_LPI) {
            __atomic_fetch_add(&lpis_got, 1, __ATOMIC_RELAXED);
        }
        if (id == 1) {
            __atomic_fetch_add(&got[k], 1, __ATOMIC_RELEASE);
        }
        sw(k, SR_ICC_EOIR1_EL1, id);
    }
}

/* CPU k sends SGI 1 to the next one and waits until it was taken: none may be lost. */
static void *cpu_thread(void *arg)
{
    unsigned k = (unsigned)(uintptr_t)arg, to = (k + 1) % 4;
    for (unsigned n = 1; n <= PINGS; n++) {
        sw(k, SR_ICC_SGI1R_EL1, 1ull << 24 | 1u << to);
        while (__atomic_load_n(&got[to], __ATOMIC_ACQUIRE) < n) {
            take_all(k);
            sched_yield();
        }
    }
    while (!__atomic_load_n(&stop_threads, __ATOMIC_ACQUIRE)) {
        take_all(k);
        sched_yield();
    }
    return NULL;
}

static void *device_thread(void *arg)
{
    (void)arg;
    for (unsigned n = 0; n < PINGS; n++) {
        __atomic_store_n(&spi_acks, 0, __ATOMIC_RELEASE);
        gic_set_spi(mach.gic, 60, true);
        msi(0x10, n % 4);
        if (n % 16 == 0) {
            wr(DIST + IROUTER + 8 * 60, 8, n / 16 % 4);
        }
        while (!__atomic_load_n(&spi_acks, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
    }
    return NULL;
}

Test(gic, threads, .timeout = 120)
{
    pthread_t t[4], d;
    v3(4);
    its_init(4, false);
    mapd(0x10, 5, ITT);
    for (unsigned k = 0; k < 4; k++) {
        mapti(0x10, k, 8192 + k, k);
    }
    enable(60);
    for (uintptr_t k = 0; k < 4; k++) {
        pthread_create(&t[k], NULL, cpu_thread, (void *)k);
    }
    pthread_create(&d, NULL, device_thread, NULL);
    pthread_join(d, NULL);
    for (unsigned k = 0; k < 4; k++) {
        while (__atomic_load_n(&got[k], __ATOMIC_ACQUIRE) < PINGS) {
            sched_yield();
        }
    }
    __atomic_store_n(&stop_threads, 1, __ATOMIC_RELEASE);
    for (unsigned k = 0; k < 4; k++) {
        pthread_join(t[k], NULL);
        cr_assert(!line(k, LINE_IRQ));
    }
    cr_assert_eq(spis_got, PINGS);
    cr_assert_gt(lpis_got, 0);
}
