/* gicv3_redist.c - GICv3's redistributors, GICR_* (IHI 0069 12.11): per CPU a frame for LPIs and one for SGIs and PPIs.
 *
 * GICR_WAKER only reads back: an interrupt for a CPU that is said to sleep wakes it, as the wake request would make the power
 * controller do. Registers that say when an effect has been seen (RWP, SYNCR.Busy) read as done: every write has its
 * effect at once. The SGI frame is gic_bank.c's.
 */
#include "dev/gic_core.h"

enum {
    CTLR_ENABLE_LPIS = 1 << 0,
    CTLR_IR = 1 << 2,
    WAKER_SLEEP = 1 << 1,
    WAKER_CHILDREN = 1 << 2,
    REDIST_PART = 0x93,
    ARCH_GICV3 = 3,
    FRAME = 0x10000,
};

#define PROPBASER_BITS (0x7ull << 56 | 0xffffffffff000ull | 0x7ull << 7 | 0x1f | 0x3ull << 10)
#define PENDBASER_BITS (0x1ull << 62 | 0x7ull << 56 | 0xfffffffff0000ull | 0x7ull << 7 | 0x3ull << 10)

static uint64_t ctlr_read(void *of, unsigned n, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    return __atomic_load_n(&c->ctlr, __ATOMIC_RELAXED) | (c->gic->its ? CTLR_IR : 0);
}

static void ctlr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    pthread_mutex_lock(&c->lock);
    if (c->gic->its && (v ^ c->ctlr) & CTLR_ENABLE_LPIS) {
        __atomic_store_n(&c->ctlr, v & CTLR_ENABLE_LPIS, __ATOMIC_RELAXED);
        gic_lpi_enable(c, v & CTLR_ENABLE_LPIS);
        gic_cpu_update(c);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Is c the last of its range of frames? */
static bool redist_last(const GicCpu *c)
{
    unsigned k = c->vcpu->index;
    return k + 1 == c->gic->ncpus || k + 1 == c->gic->config.redist0;
}

static uint64_t typer_read(void *of, unsigned n, bool ns)
{
    GicCpu *c = of;
    uint64_t aff = c->vcpu->mpidr;
    (void)n, (void)ns;
    return (aff & 0xffffff) << 32 | (aff >> 32 & 0xff) << 56 | (uint64_t)c->vcpu->index << 8 |
           (redist_last(c) ? 1 << 4 : 0) | (c->gic->its ? 1 : 0);
}

static uint64_t waker_read(void *of, unsigned n, bool ns)
{
    GicCpu *c = of;
    (void)n;
    return ns ? 0 : __atomic_load_n(&c->waker, __ATOMIC_RELAXED);
}

static void waker_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n;
    if (!ns) {
        __atomic_store_n(&c->waker, v & WAKER_SLEEP ? WAKER_SLEEP | WAKER_CHILDREN : 0, __ATOMIC_RELAXED);
    }
}

static uint64_t base_read(GicCpu *c, const uint64_t *base)
{
    pthread_mutex_lock(&c->lock);
    uint64_t v = *base;
    pthread_mutex_unlock(&c->lock);
    return v;
}

/* Both bases stand while LPIs are enabled. */
static void base_write(GicCpu *c, uint64_t *base, uint64_t v)
{
    pthread_mutex_lock(&c->lock);
    if (!(c->ctlr & CTLR_ENABLE_LPIS)) {
        *base = v;
    }
    pthread_mutex_unlock(&c->lock);
}

static uint64_t propbaser_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return base_read(of, &((GicCpu *)of)->propbaser);
}

static void propbaser_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)ns;
    base_write(of, &((GicCpu *)of)->propbaser, v & PROPBASER_BITS);
}

static uint64_t pendbaser_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return base_read(of, &((GicCpu *)of)->pendbaser) & ~(1ull << 62); /* PTZ is write-only */
}

static void pendbaser_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)ns;
    base_write(of, &((GicCpu *)of)->pendbaser, v & PENDBASER_BITS);
}

static void invlpir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    uint32_t intid = (uint32_t)v;
    (void)n, (void)ns;
    if (intid >= GIC_LPI && intid < GIC_LPI_END) {
        gic_lpi_invalidate(of, intid);
    }
}

static void invallr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)v, (void)ns;
    gic_lpi_invalidate(of, 0);
}

// clang-format off
static const GicReg regs[] = {
    /* at    size count read            write            reset */
    {0x0000, 4,   1,    ctlr_read,      ctlr_write,      0},     /* GICR_CTLR */
    {0x0004, 4,   1,    NULL,           NULL,            0x43b}, /* GICR_IIDR */
    {0x0008, 8,   1,    typer_read,     NULL,            0},     /* GICR_TYPER */
    {0x0014, 4,   1,    waker_read,     waker_write,     0},     /* GICR_WAKER */
    {0x0070, 8,   1,    propbaser_read, propbaser_write, 0},     /* GICR_PROPBASER */
    {0x0078, 8,   1,    pendbaser_read, pendbaser_write, 0},     /* GICR_PENDBASER */
    {0x00a0, 8,   1,    NULL,           invlpir_write,   0},     /* GICR_INVLPIR */
    {0x00b0, 8,   1,    NULL,           invallr_write,   0},     /* GICR_INVALLR */
    {0x00c0, 4,   1,    NULL,           NULL,            0},     /* GICR_SYNCR */
    {0xffd0, 4,   12,   NULL, NULL, GIC_ID(REDIST_PART, ARCH_GICV3)},
};
// clang-format on

/* LPI registers are there with an ITS only. */
static bool absent(const GicCpu *c, uint64_t offset)
{
    return !c->gic->its && offset >= 0x40 && offset < 0xd0;
}

static bool redist_access(void *of, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns)
{
    GicCpu *c = of;
    if (offset >= FRAME) {
        return gic_bank_access(c, REACH_PRIVATE, offset - FRAME, size, write, value, ns);
    }
    return !absent(c, offset) && gic_reg_access(regs, LEN(regs), c, offset, size, write, value, ns);
}

void gicv3_redist_map(Gic *g)
{
    for (unsigned k = 0; k < g->ncpus; k++) {
        bool far = k >= g->config.redist0;
        uint64_t base = far ? g->config.redist[1].v + (k - g->config.redist0) * 2ull * FRAME
                            : g->config.redist[0].v + k * 2ull * FRAME;
        g->cpus[k].frame = (GicFrame){.of = &g->cpus[k], .access = redist_access};
        gic_frame_map(g, &g->cpus[k].frame, "gicv3-redist", (Gpa){base}, 2 * FRAME);
    }
}
