/* gicv2_virt.c - GICv2's virtualisation: the hypervisor's GICH_* and the guest's CPU interface GICV_* (IHI 0048 5).
 *
 * Views of gic_virt.c, whose list registers have GICv3's layout. Both frames belong to the CPU that accesses them.
 */
#include "dev/gic_core.h"

enum { VTR = (GIC_LRS - 1) | 4 << 26 | 4u << 29, OTHER_GROUP = 1022 };

/* GICH_LR<n> */
#define V2_EOI (1u << 19) /* with HW = 0; else part of the physical INTID */
#define V2_HW (1u << 31)
#define LR_EOI (1ull << 41)
#define LR_HW (1ull << 61)

static uint64_t hcr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((GicCpu *)of)->virt.hcr;
}

static void hcr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    c->virt.hcr = (uint32_t)v & (0xff | 0x1fu << 27);
    gic_virt_update(c);
}

static uint64_t vmcr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((GicCpu *)of)->virt.vmcr;
}

static void vmcr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)ns;
    gic_virt_set_vmcr(of, (uint32_t)v);
}

static uint64_t misr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return gic_virt_misr(of);
}

static uint64_t eisr_read(void *of, unsigned n, bool ns)
{
    (void)ns;
    return n ? 0 : gic_virt_eisr(of);
}

static uint64_t elrsr_read(void *of, unsigned n, bool ns)
{
    (void)ns;
    return n ? 0 : gic_virt_elrsr(of);
}

static uint64_t apr_read(void *of, unsigned n, bool ns)
{
    const GicCpu *c = of;
    (void)ns;
    return n ? 0 : c->virt.apr[0] | c->virt.apr[1];
}

static void apr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)ns;
    if (!n) {
        c->virt.apr[0] = (uint32_t)v;
        c->virt.apr[1] = 0;
        gic_virt_update(c);
    }
}

static uint64_t lr_read(void *of, unsigned n, bool ns)
{
    uint64_t lr = ((GicCpu *)of)->virt.lr[n];
    (void)ns;
    uint32_t v = (uint32_t)(lr & 0x3ff) | (uint32_t)(lr >> 62) << 28 | (uint32_t)(lr >> 60 & 1) << 30 | (uint32_t)(lr >> 51 & 31) << 23;
    return v | (lr & LR_HW ? V2_HW | (uint32_t)(lr >> 32 & 0x3ff) << 10 : (uint32_t)(lr >> 32 & 7) << 10 | (lr & LR_EOI ? V2_EOI : 0));
}

static void lr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)ns;
    uint64_t lr = (v & 0x3ff) | (v >> 28 & 3) << 62 | (v >> 30 & 1) << 60 | (v >> 23 & 31) << 51;
    lr |= v & V2_HW ? LR_HW | (v >> 10 & 0x3ff) << 32 : (v >> 10 & 7) << 32 | (v & V2_EOI ? LR_EOI : 0);
    c->virt.lr[n] = lr;
    gic_virt_update(c);
}

// clang-format off
static const GicReg hyp_regs[] = {
    /* at   size count    read        write       reset */
    {0x000, 4,   1,       hcr_read,   hcr_write,  0},   /* GICH_HCR */
    {0x004, 4,   1,       NULL,       NULL,       VTR}, /* GICH_VTR */
    {0x008, 4,   1,       vmcr_read,  vmcr_write, 0},   /* GICH_VMCR */
    {0x010, 4,   1,       misr_read,  NULL,       0},   /* GICH_MISR */
    {0x020, 4,   2,       eisr_read,  NULL,       0},   /* GICH_EISR<n> */
    {0x030, 4,   2,       elrsr_read, NULL,       0},   /* GICH_ELRSR<n> */
    {0x0f0, 4,   1,       apr_read,   apr_write,  0},   /* GICH_APR */
    {0x100, 4,   GIC_LRS, lr_read,    lr_write,   0},   /* GICH_LR<n> */
};
// clang-format on

enum { CTLR_BITS = VMCR_ENG0 | VMCR_ENG1 | VMCR_ACK_CTL | VMCR_FIQ_EN | VMCR_CBPR | VMCR_EOIM };

static uint64_t vctlr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((GicCpu *)of)->virt.vmcr & CTLR_BITS;
}

static void vctlr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    gic_virt_set_vmcr(c, (c->virt.vmcr & ~(uint32_t)CTLR_BITS) | ((uint32_t)v & CTLR_BITS));
}

static uint64_t vpmr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return ((GicCpu *)of)->virt.vmcr >> VMCR_PMR;
}

static void vpmr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    gic_virt_set_vmcr(c, (c->virt.vmcr & (uint32_t)bits_mask(VMCR_PMR)) | (uint32_t)v << VMCR_PMR);
}

static uint64_t vbpr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return gic_virt_bpr(of, 0);
}

static void vbpr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)ns;
    gic_virt_set_bpr(of, 0, v & 7);
}

static uint64_t vabpr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return gic_virt_bpr(of, 1);
}

static void vabpr_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)ns;
    gic_virt_set_bpr(of, 1, v & 7);
}

static uint64_t viar_read(void *of, unsigned n, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    bool both = c->virt.vmcr & VMCR_ACK_CTL, signalled = c->virq || c->vfiq;
    uint32_t intid = gic_virt_ack(c, both ? 3 : 1);
    return intid == GIC_NONE && signalled && !both ? OTHER_GROUP : intid;
}

static uint64_t vaiar_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return gic_virt_ack(of, 2);
}

static uint64_t vhppir_read(void *of, unsigned n, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    bool both = c->virt.vmcr & VMCR_ACK_CTL;
    uint32_t intid = gic_virt_pending(c, both ? 3 : 1);
    return intid == GIC_NONE && !both && gic_virt_pending(c, 2) != GIC_NONE ? OTHER_GROUP : intid;
}

static uint64_t vahppir_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    return gic_virt_pending(of, 2);
}

static void veoir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    (void)n, (void)ns;
    if ((v & 0x3ff) < GIC_SPI_END) {
        gic_virt_eoi(of, v & 0x1fff);
    }
}

static void vdir_write(void *of, unsigned n, uint64_t v, bool ns)
{
    GicCpu *c = of;
    (void)n, (void)ns;
    if (c->virt.vmcr & VMCR_EOIM && (v & 0x3ff) < GIC_SPI_END) {
        gic_virt_deactivate(c, v & 0x1fff);
    }
}

static uint64_t vrpr_read(void *of, unsigned n, bool ns)
{
    (void)n, (void)ns;
    unsigned running = gic_virt_running(of);
    return running == GIC_PRIO_IDLE ? 0xff : running;
}

// clang-format off
static const GicReg guest_regs[] = {
    /* at    size count read          write        reset */
    {0x0000, 4,   1,    vctlr_read,   vctlr_write, 0},          /* GICV_CTLR */
    {0x0004, 4,   1,    vpmr_read,    vpmr_write,  0},          /* GICV_PMR */
    {0x0008, 4,   1,    vbpr_read,    vbpr_write,  0},          /* GICV_BPR */
    {0x000c, 4,   1,    viar_read,    NULL,        0},          /* GICV_IAR */
    {0x0010, 4,   1,    NULL,         veoir_write, 0},          /* GICV_EOIR */
    {0x0014, 4,   1,    vrpr_read,    NULL,        0},          /* GICV_RPR */
    {0x0018, 4,   1,    vhppir_read,  NULL,        0},          /* GICV_HPPIR */
    {0x001c, 4,   1,    vabpr_read,   vabpr_write, 0},          /* GICV_ABPR */
    {0x0020, 4,   1,    vaiar_read,   NULL,        0},          /* GICV_AIAR */
    {0x0024, 4,   1,    NULL,         veoir_write, 0},          /* GICV_AEOIR */
    {0x0028, 4,   1,    vahppir_read, NULL,        0},          /* GICV_AHPPIR */
    {0x00d0, 4,   4,    apr_read,     apr_write,   0},          /* GICV_APR<n> */
    {0x00fc, 4,   1,    NULL,         NULL,        0x0202143b}, /* GICV_IIDR */
    {0x1000, 4,   1,    NULL,         vdir_write,  0},          /* GICV_DIR */
};
// clang-format on

void gicv2_virt_map(Gic *g)
{
    g->frame_hyp = (GicFrame){.regs = hyp_regs, .count = LEN(hyp_regs)};
    g->frame_guest = (GicFrame){.regs = guest_regs, .count = LEN(guest_regs)};
    gic_frame_map(g, &g->frame_hyp, "gicv2-hyp", g->config.gich, 0x1000);
    gic_frame_map(g, &g->frame_guest, "gicv2-vcpu", g->config.gicv, 0x2000);
}
