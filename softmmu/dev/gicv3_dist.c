/* gicv3_dist.c - GICv3's distributor, GICD_* (IHI 0069 12.9): SPIs and where each goes.
 *
 * Affinity routing is always on, for both Security states. The 1 of N model and message-based SPIs are not offered
 * (GICD_TYPER.No1N, MBIS). Arrays of registers are gic_bank.c's.
 */
#include "dev/gic_core.h"

enum {
    CTLR_EN0 = 1 << 0,
    CTLR_EN1NS = 1 << 1, /* Non-secure view: EnableGrp1A */
    CTLR_EN1S = 1 << 2,
    CTLR_ARE = 1 << 4, /* Non-secure view: ARE_NS; Secure: ARE_S, then ARE_NS */
    CTLR_ARE_NS = 1 << 5,
    CTLR_DS = 1 << 6,
    DIST_PART = 0x92,
    ARCH_GICV3 = 3,
};

static uint64_t ctlr_read(void *of, unsigned n, bool ns)
{
    Gic *g = of;
    unsigned groups = __atomic_load_n(&g->groups, __ATOMIC_RELAXED);
    uint64_t v = 0;
    (void)n;
    if (ns) {
        return CTLR_ARE | (groups >> G1NS & 1 ? CTLR_EN1NS : 0);
    }
    v |= groups >> G0 & 1 ? CTLR_EN0 : 0;
    v |= groups >> G1NS & 1 ? CTLR_EN1NS : 0;
    v |= groups >> G1S & 1 ? CTLR_EN1S : 0;
    return v | (g->one_world ? CTLR_ARE | CTLR_DS : CTLR_ARE | CTLR_ARE_NS);
}

static void ctlr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gic *g = of;
    (void)n;
    pthread_mutex_lock(&g->lock);
    unsigned groups = g->groups;
    if (!ns && v & CTLR_DS && !g->one_world) {
        g->one_world = true; /* until reset */
    }
    groups = (groups & ~(1u << G1NS)) | (v & CTLR_EN1NS ? 1u << G1NS : 0);
    if (!ns) {
        groups = (groups & 1u << G1NS) | (v & CTLR_EN0 ? 1u << G0 : 0);
        groups |= v & CTLR_EN1S && !g->one_world ? 1u << G1S : 0;
    }
    __atomic_store_n(&g->groups, groups, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&g->lock);
    gic_update_all(g);
}

static uint64_t typer_read(void *of, unsigned n, bool ns)
{
    Gic *g = of;
    (void)n, (void)ns;
    uint64_t v = g->words - 1;            /* ITLinesNumber */
    v |= g->one_world ? 0 : 1u << 10;     /* SecurityExtn */
    v |= g->its ? 1u << 17 : 0;           /* LPIS */
    v |= (GIC_LPI_BITS - 1) << 19;        /* IDbits */
    return v | 1u << 24 | 1u << 25;       /* A3V, No1N */
}

static uint64_t route_read(void *of, unsigned n, bool ns)
{
    Gic *g = of;
    if (n < GIC_PRIVATE || n / 32 >= g->words || n >= GIC_SPI_END) {
        return 0;
    }
    pthread_mutex_lock(&g->lock);
    uint64_t v = ns && gic_group(g, &g->word[n / 32], n % 32) != G1NS ? 0 : g->route[n];
    pthread_mutex_unlock(&g->lock);
    return v;
}

/* Index of the CPU with these affinity fields (as MPIDR_EL1 has them), or 0xffff. */
static uint16_t cpu_by_affinity(const Gic *g, uint64_t aff)
{
    for (unsigned k = 0; k < g->ncpus; k++) {
        if ((g->cpus[k].vcpu->mpidr & 0xff00ffffffu) == aff) {
            return (uint16_t)k;
        }
    }
    return 0xffff;
}

static void route_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gic *g = of;
    if (n < GIC_PRIVATE || n / 32 >= g->words || n >= GIC_SPI_END) {
        return;
    }
    pthread_mutex_lock(&g->lock);
    if (!ns || gic_group(g, &g->word[n / 32], n % 32) == G1NS) {
        g->route[n] = v & 0xff00ffffffu;
        g->target[n] = cpu_by_affinity(g, g->route[n]);
        gic_spi_update(g);
    }
    pthread_mutex_unlock(&g->lock);
}

// clang-format off
static const GicReg regs[] = {
    /* at     size count read       write       reset */
    {0x0000,  4,   1,    ctlr_read, ctlr_write, 0},       /* GICD_CTLR */
    {0x0004,  4,   1,    typer_read, NULL,      0},       /* GICD_TYPER */
    {0x0008,  4,   1,    NULL,      NULL,       0x43b},   /* GICD_IIDR */
    {0x6000,  8,   1020, route_read, route_write, 0},     /* GICD_IROUTER<n> */
    {0xffd0, 4,   12,   NULL, NULL, GIC_ID(DIST_PART, ARCH_GICV3)},
};
// clang-format on

static bool dist_access(void *of, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns)
{
    Gic *g = of;
    if (offset >= 0x80 && offset < 0xf00) {
        return gic_bank_access(&g->cpus[0], REACH_SPI, offset, size, write, value, ns);
    }
    return gic_reg_access(regs, LEN(regs), g, offset, size, write, value, ns);
}

void gicv3_map(Gic *g)
{
    g->frame_dist = (GicFrame){.of = g, .access = dist_access};
    gic_frame_map(g, &g->frame_dist, "gicv3-dist", g->config.dist, 0x10000);
}
