/* gicv2.c - GICv2: the distributor GICD_* and the CPU interface GICC_* (IHI 0048), as of a GIC-400.
 *
 * Both are banked by the CPU that accesses them, vcpu_self(); other masters are taken for CPU 0. A software interrupt is
 * pending once for each CPU that sent it. With one Security state every access sees what Secure ones do.
 */
#include "dev/gic_core.h"

enum { GICC_EN0 = 1, GICC_EN1 = 2, GICC_ACKCTL = 4, GICC_FIQEN = 8, GICC_CBPR = 16, GICC_EOI_S = 1 << 9, GICC_EOI_NS = 1 << 10 };
enum { OTHER_GROUP = 1022, DIST_PART = 0x90, ARCH_GICV2 = 2 };

/* -- distributor -- */

static uint64_t ctlr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    unsigned groups = __atomic_load_n(&c->gic->groups, __ATOMIC_RELAXED);
    (void)n;
    return ns ? groups >> G1NS & 1 : (groups >> G0 & 1) | (groups >> G1NS & 1) << 1;
}

static void ctlr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gic *g = ((GicCpu *)of)->gic;
    (void)n;
    pthread_mutex_lock(&g->lock);
    unsigned groups = ns ? (g->groups & 1u << G0) | (v & 1 ? 1u << G1NS : 0)
                         : (v & 1 ? 1u << G0 : 0) | (v & 2 ? 1u << G1NS : 0);
    __atomic_store_n(&g->groups, groups, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&g->lock);
    gic_update_all(g);
}

static uint64_t typer_read(void *of, unsigned n, bool ns)
{
    const Gic *g = ((GicCpu *)of)->gic;
    (void)n, (void)ns;
    return (g->words - 1) | (g->ncpus - 1) << 5 | (g->config.security ? 1u << 10 : 0);
}

/* Sends SGI intid to c from CPU `from`; nsatt: asked for Group 1. */
static void sgi_to(GicCpu *c, unsigned intid, unsigned from, bool ns, bool nsatt)
{
    const Gic *g = c->gic;
    pthread_mutex_lock(&c->lock);
    unsigned group = gic_group(g, &c->priv, intid);
    bool allowed = !g->config.security || (ns ? group == G1NS || c->priv.nsacr >> (2 * intid) & 3
                                              : (group == G1NS) == nsatt);
    if (allowed) {
        c->sgi_from[intid] |= (uint8_t)(1u << from);
        c->priv.latch |= 1u << intid;
        gic_cpu_update(c);
    }
    pthread_mutex_unlock(&c->lock);
}

static void sgir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    unsigned me = c->vcpu->index, intid = v & 15, to = v >> 16 & 0xff;
    (void)n;
    switch (v >> 24 & 3) {
    case 1:
        to = ~(1u << me);
        break;
    case 2:
        to = 1u << me;
        break;
    case 3:
        return;
    }
    for (unsigned k = 0; k < c->gic->ncpus; k++) {
        if (to >> k & 1) {
            sgi_to(&c->gic->cpus[k], intid, me, ns, v >> 15 & 1);
        }
    }
}

/* GICD_CPENDSGIR<n>, GICD_SPENDSGIR<n>: a byte of senders for each SGI. */
static bool sgi_access(GicCpu *c, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns)
{
    bool set = offset & 0x20;
    uint64_t v = 0;
    pthread_mutex_lock(&c->lock);
    for (unsigned k = 0; k < size; k++) {
        unsigned intid = (offset + k) & 15;
        uint8_t *from = &c->sgi_from[intid], b = (uint8_t)(*value >> (8 * k));
        if (ns && gic_group(c->gic, &c->priv, intid) != G1NS) {
            continue;
        }
        if (write) {
            *from = set ? (uint8_t)(*from | (b & bits_mask(c->gic->ncpus))) : (uint8_t)(*from & ~b);
            c->priv.latch = (c->priv.latch & ~(1u << intid)) | (uint32_t)(*from != 0) << intid;
        }
        v |= (uint64_t)*from << (8 * k);
    }
    gic_cpu_update(c);
    pthread_mutex_unlock(&c->lock);
    *value = v;
    return true;
}

// clang-format off
static const GicReg dist_regs[] = {
    /* at   size count read          write       reset */
    {0x000, 4,   1,    ctlr_read,    ctlr_write, 0},          /* GICD_CTLR */
    {0x004, 4,   1,    typer_read,   NULL,       0},          /* GICD_TYPER */
    {0x008, 4,   1,    NULL,         NULL,       0x0200143b}, /* GICD_IIDR */
    {0xf00, 4,   1,    NULL,         sgir_write, 0},          /* GICD_SGIR */
    {0xfd0, 4,   12,   NULL,         NULL,       GIC_ID(DIST_PART, ARCH_GICV2)},
};
// clang-format on

static bool dist_access(void *of, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns)
{
    if (offset >= 0x80 && offset < 0xf00) {
        return gic_bank_access(of, REACH_PRIVATE | REACH_SPI, offset, size, write, value, ns);
    }
    if (offset >= 0xf10 && offset < 0xf30) {
        return sgi_access(of, offset, size, write, value, ns);
    }
    return gic_reg_access(dist_regs, LEN(dist_regs), of, offset, size, write, value, ns);
}

/* -- CPU interface -- */

static uint64_t cctlr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    (void)n;
    if (ns) {
        return (c->groups >> G1NS & 1) | (c->eoimode_ns ? GICC_EOI_S : 0);
    }
    return (c->groups >> G0 & 1 ? GICC_EN0 : 0) | (c->groups >> G1NS & 1 ? GICC_EN1 : 0) | (c->ack_ctl ? GICC_ACKCTL : 0) |
           (c->fiq_en ? GICC_FIQEN : 0) | (c->cbpr_ns ? GICC_CBPR : 0) | (c->eoimode_s ? GICC_EOI_S : 0) |
           (c->eoimode_ns ? GICC_EOI_NS : 0);
}

static void cctlr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n;
    if (ns) {
        c->eoimode_ns = v & GICC_EOI_S;
        gic_cpu_set_groups(c, 1u << G1NS, v & 1 ? 1u << G1NS : 0);
        return;
    }
    c->ack_ctl = v & GICC_ACKCTL;
    c->eoimode_s = v & GICC_EOI_S;
    c->eoimode_ns = v & GICC_EOI_NS;
    GIC_LOCKED(c, (c->fiq_en = v & GICC_FIQEN, c->cbpr_ns = v & GICC_CBPR));
    gic_cpu_set_groups(c, 1u << G0 | 1u << G1NS, (v & GICC_EN0 ? 1u << G0 : 0) | (v & GICC_EN1 ? 1u << G1NS : 0));
}

static uint64_t pmr_read(void *of, unsigned n, bool ns)
{
    (void)n;
    return gic_prio_shown(ns, ((GicCpu *)of)->pmr);
}

static void pmr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n;
    gic_cpu_set_pmr(of, ns, v & 0xff);
}

static uint64_t bpr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    (void)n;
    return gic_cpu_bpr(c, ns ? G1NS : G0);
}

static void bpr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n;
    gic_cpu_set_bpr(of, ns ? G1NS : G0, v & 7);
}

static uint64_t abpr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    (void)n;
    return ns ? 0 : c->bpr[G1NS];
}

static void abpr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n;
    if (!ns) {
        GIC_LOCKED(c, c->bpr[G1NS] = (v & 7) < 3 ? 3 : v & 7);
    }
}

/* Groups that GICC_IAR, GICC_HPPIR take; the other one is told of by INTID 1022. */
static unsigned own_groups(const GicCpu *c, bool ns)
{
    return ns ? 1u << G1NS : 1u << G0 | (c->ack_ctl ? 1u << G1NS : 0);
}

static uint64_t iar_read(void *of, unsigned n, bool ns)
{
    GicCpu *c = of;
    (void)n;
    uint32_t intid = gic_cpu_ack(c, own_groups(c, ns));
    if (intid == GIC_NONE && !ns && !c->ack_ctl) {
        pthread_mutex_lock(&c->lock);
        bool signalled = c->irq || c->fiq;
        pthread_mutex_unlock(&c->lock);
        intid = signalled && gic_cpu_pending(c).group == G1NS ? OTHER_GROUP : GIC_NONE;
    }
    return intid;
}

static uint64_t aiar_read(void *of, unsigned n, bool ns)
{
    (void)n;
    return ns ? GIC_NONE : gic_cpu_ack(of, 1u << G1NS);
}

/* As GICC_IAR would name it. */
static uint64_t pending_of(GicCpu *c, unsigned groups, bool tell)
{
    GicBest b = gic_cpu_pending(c);
    if (b.intid == GIC_NONE || !(groups >> b.group & 1)) {
        return b.intid != GIC_NONE && tell && b.group == G1NS ? OTHER_GROUP : GIC_NONE;
    }
    pthread_mutex_lock(&c->lock);
    unsigned from = b.intid < 16 && c->sgi_from[b.intid] ? (unsigned)__builtin_ctz(c->sgi_from[b.intid]) : 0;
    pthread_mutex_unlock(&c->lock);
    return b.intid | from << 10;
}

static uint64_t hppir_read(void *of, unsigned n, bool ns)
{
    (void)n;
    return pending_of(of, own_groups(of, ns), !ns);
}

static uint64_t ahppir_read(void *of, unsigned n, bool ns)
{
    (void)n;
    return ns ? GIC_NONE : pending_of(of, 1u << G1NS, false);
}

static void end_of(GicCpu *c, unsigned groups, uint64_t v, bool ns)
{
    unsigned intid = v & 0x3ff;
    if (intid < GIC_SPI_END && gic_cpu_drop(c, groups) && !(ns ? c->eoimode_ns : c->eoimode_s)) {
        gic_cpu_deactivate(c, intid, groups);
    }
}

static void eoir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n;
    end_of(of, ns ? 1u << G1NS : 1u << G0 | 1u << G1NS, v, ns);
}

static void aeoir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n;
    if (!ns) {
        end_of(of, 1u << G1NS, v, ns);
    }
}

static void dir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    unsigned intid = v & 0x3ff;
    (void)n;
    if (intid < GIC_SPI_END && (ns ? c->eoimode_ns : c->eoimode_s)) {
        gic_cpu_deactivate(c, intid, ns ? 1u << G1NS : 1u << G0 | 1u << G1NS);
    }
}

static uint64_t rpr_read(void *of, unsigned n, bool ns)
{
    (void)n;
    unsigned running = gic_cpu_running(of);
    return running == GIC_PRIO_IDLE ? 0xff : gic_prio_shown(ns, running);
}

/* Five bits of priority fit the first of four. Non-secure software sees its half. */
static uint64_t apr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    return n ? 0 : ns ? c->apr[G1NS] >> 16 : c->apr[G0];
}

static void apr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    if (!n) {
        GIC_LOCKED(c, c->apr[ns ? G1NS : G0] = ns ? (uint32_t)v << 16 : (uint32_t)v);
    }
}

static uint64_t nsapr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    return n || ns ? 0 : c->apr[G1NS];
}

static void nsapr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    if (!n && !ns) {
        GIC_LOCKED(c, c->apr[G1NS] = (uint32_t)v);
    }
}

// clang-format off
static const GicReg cpu_regs[] = {
    /* at    size count read         write         reset */
    {0x0000, 4,   1,    cctlr_read,  cctlr_write,  0},          /* GICC_CTLR */
    {0x0004, 4,   1,    pmr_read,    pmr_write,    0},          /* GICC_PMR */
    {0x0008, 4,   1,    bpr_read,    bpr_write,    0},          /* GICC_BPR */
    {0x000c, 4,   1,    iar_read,    NULL,         0},          /* GICC_IAR */
    {0x0010, 4,   1,    NULL,        eoir_write,   0},          /* GICC_EOIR */
    {0x0014, 4,   1,    rpr_read,    NULL,         0},          /* GICC_RPR */
    {0x0018, 4,   1,    hppir_read,  NULL,         0},          /* GICC_HPPIR */
    {0x001c, 4,   1,    abpr_read,   abpr_write,   0},          /* GICC_ABPR */
    {0x0020, 4,   1,    aiar_read,   NULL,         0},          /* GICC_AIAR */
    {0x0024, 4,   1,    NULL,        aeoir_write,  0},          /* GICC_AEOIR */
    {0x0028, 4,   1,    ahppir_read, NULL,         0},          /* GICC_AHPPIR */
    {0x00d0, 4,   4,    apr_read,    apr_write,    0},          /* GICC_APR<n> */
    {0x00e0, 4,   4,    nsapr_read,  nsapr_write,  0},          /* GICC_NSAPR<n> */
    {0x00fc, 4,   1,    NULL,        NULL,         0x0202143b}, /* GICC_IIDR */
    {0x1000, 4,   1,    NULL,        dir_write,    0},          /* GICC_DIR */
};
// clang-format on

void gicv2_map(Gic *g)
{
    ASSERT(g->ncpus <= 8);
    g->frame_dist = (GicFrame){.access = dist_access};
    g->frame_cpu = (GicFrame){.regs = cpu_regs, .count = LEN(cpu_regs)};
    gic_frame_map(g, &g->frame_dist, "gicv2-dist", g->config.dist, 0x1000);
    gic_frame_map(g, &g->frame_cpu, "gicv2-cpu", g->config.cpu, 0x2000);
    if (g->config.virt) {
        gicv2_virt_map(g);
    }
}
