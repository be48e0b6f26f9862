/* gic_virt.c - the virtual CPU interface: what a hypervisor put into list registers, as its guest takes it (IHI 0069 6).
 *
 * Both generations share it: ICH_* and ICV_* (gicv3_cpuif.c), GICH and GICV (gicv2_virt.c). List registers have the layout of
 * ICH_LR<n>_EL2; of a GICv2 software interrupt the sender is in bits 34:32. All of it belongs to the vCPU's thread.
 *
 * LPIs have no active state: acknowledged they leave their list register, and their end only drops the priority.
 */
#include "dev/gic_core.h"

enum { HCR_EN = 1 << 0, HCR_UIE = 1 << 1, HCR_LRENPIE = 1 << 2, HCR_NPIE = 1 << 3, HCR_GROUPS = 4, HCR_EOICOUNT = 27 };
enum { MISR_EOI = 1 << 0, MISR_U = 1 << 1, MISR_LRENP = 1 << 2, MISR_NP = 1 << 3 };

#define LR_PENDING (1ull << 62)
#define LR_ACTIVE (1ull << 63)
#define LR_HW (1ull << 61)
#define LR_GROUP1 (1ull << 60)
#define LR_EOI (1ull << 41)

static unsigned lr_prio(uint64_t lr)
{
    return lr >> 48 & GIC_PRIO_MASK;
}

/* As ICV_IAR and GICV_IAR name it. */
static uint32_t lr_intid(const GicCpu *c, uint64_t lr)
{
    uint32_t id = (uint32_t)lr;
    if (c->gic->config.version == 2 && id < 16 && !(lr & LR_HW)) {
        id |= (uint32_t)(lr >> 32 & 7) << 10;
    }
    return id;
}

unsigned gic_virt_bpr(const GicCpu *c, unsigned group)
{
    unsigned b0 = c->virt.vmcr >> VMCR_BPR0 & 7;
    if (group && c->virt.vmcr & VMCR_CBPR) {
        return b0 < 7 ? b0 + 1 : 7;
    }
    return group ? c->virt.vmcr >> VMCR_BPR1 & 7 : b0;
}

static uint32_t vmcr_with_bpr(uint32_t vmcr, unsigned group, unsigned value)
{
    unsigned at = group ? VMCR_BPR1 : VMCR_BPR0, least = group ? 3 : 2;
    return (vmcr & ~(7u << at)) | (value < least ? least : value) << at;
}

void gic_virt_set_bpr(GicCpu *c, unsigned group, unsigned value)
{
    if (!(group && c->virt.vmcr & VMCR_CBPR)) {
        c->virt.vmcr = vmcr_with_bpr(c->virt.vmcr, group, value & 7);
        gic_virt_update(c);
    }
}

void gic_virt_set_vmcr(GicCpu *c, uint32_t value)
{
    bool v2 = c->gic->config.version == 2;
    uint32_t v = value & (VMCR_ENG0 | VMCR_ENG1 | VMCR_CBPR | VMCR_EOIM | (uint32_t)GIC_PRIO_MASK << VMCR_PMR);
    v |= v2 ? value & (VMCR_ACK_CTL | VMCR_FIQ_EN) : VMCR_FIQ_EN;
    v = vmcr_with_bpr(v, 0, value >> VMCR_BPR0 & 7);
    c->virt.vmcr = vmcr_with_bpr(v, 1, value >> VMCR_BPR1 & 7);
    gic_virt_update(c);
}

static unsigned preempt_mask(const GicCpu *c, unsigned group)
{
    bool own = group && !(c->virt.vmcr & VMCR_CBPR);
    return 0xffu << (own ? gic_virt_bpr(c, 1) : gic_virt_bpr(c, 0) + 1) & 0xff;
}

unsigned gic_virt_running(const GicCpu *c)
{
    uint32_t all = c->virt.apr[0] | c->virt.apr[1];
    return all ? (unsigned)__builtin_ctz(all) << 3 : GIC_PRIO_IDLE;
}

/* Index of the best pending list register of an enabled group, -1 = none. */
static int virt_best(const GicCpu *c)
{
    unsigned prio = GIC_PRIO_IDLE;
    int best = -1;
    if (!(c->virt.hcr & HCR_EN)) {
        return -1;
    }
    for (int k = 0; k < GIC_LRS; k++) {
        uint64_t lr = c->virt.lr[k];
        bool enabled = c->virt.vmcr & (lr & LR_GROUP1 ? VMCR_ENG1 : VMCR_ENG0);
        if ((lr & (LR_PENDING | LR_ACTIVE)) == LR_PENDING && enabled && lr_prio(lr) < prio) {
            prio = lr_prio(lr);
            best = k;
        }
    }
    return best;
}

/* The best one if it may preempt. */
static int virt_signalled(const GicCpu *c)
{
    int k = virt_best(c);
    if (k < 0) {
        return -1;
    }
    unsigned prio = lr_prio(c->virt.lr[k]), mask = preempt_mask(c, (c->virt.lr[k] & LR_GROUP1) != 0);
    return prio < c->virt.vmcr >> VMCR_PMR && (prio & mask) < gic_virt_running(c) ? k : -1;
}

uint32_t gic_virt_eisr(const GicCpu *c)
{
    uint32_t r = 0;
    for (unsigned k = 0; k < GIC_LRS; k++) {
        uint64_t lr = c->virt.lr[k];
        r |= (uint32_t)(!(lr & (LR_PENDING | LR_ACTIVE | LR_HW)) && lr & LR_EOI) << k;
    }
    return r;
}

uint32_t gic_virt_elrsr(const GicCpu *c)
{
    uint32_t r = 0;
    for (unsigned k = 0; k < GIC_LRS; k++) {
        uint64_t lr = c->virt.lr[k];
        r |= (uint32_t)(!(lr & (LR_PENDING | LR_ACTIVE)) && (lr & LR_HW || !(lr & LR_EOI))) << k;
    }
    return r;
}

uint32_t gic_virt_misr(const GicCpu *c)
{
    const GicVirt *v = &c->virt;
    unsigned valid = 0, pending = 0;
    for (unsigned k = 0; k < GIC_LRS; k++) {
        valid += (v->lr[k] & (LR_PENDING | LR_ACTIVE)) != 0;
        pending += (v->lr[k] & (LR_PENDING | LR_ACTIVE)) == LR_PENDING;
    }
    uint32_t r = gic_virt_eisr(c) ? MISR_EOI : 0;
    r |= v->hcr & HCR_UIE && valid <= 1 ? MISR_U : 0;
    r |= v->hcr & HCR_LRENPIE && v->hcr >> HCR_EOICOUNT ? MISR_LRENP : 0;
    r |= v->hcr & HCR_NPIE && !pending ? MISR_NP : 0;
    /* VGrp0E, VGrp0D, VGrp1E, VGrp1D: the enables have their order in ICH_HCR_EL2 */
    uint32_t now = (v->vmcr & VMCR_ENG0 ? 1 : 2) | (v->vmcr & VMCR_ENG1 ? 4 : 8);
    return r | (v->hcr >> HCR_GROUPS & now) << 4;
}

void gic_virt_update(GicCpu *c)
{
    int k = virt_signalled(c);
    bool group0 = k >= 0 && !(c->virt.lr[k] & LR_GROUP1);
    bool fiq = group0 && c->virt.vmcr & VMCR_FIQ_EN, irq = k >= 0 && !fiq;
    bool maintenance = c->virt.hcr & HCR_EN && gic_virt_misr(c);
    if (irq != c->virq) {
        c->virq = irq;
        vcpu_set_line(c->vcpu, LINE_VIRQ, irq);
    }
    if (fiq != c->vfiq) {
        c->vfiq = fiq;
        vcpu_set_line(c->vcpu, LINE_VFIQ, fiq);
    }
    if (maintenance != c->maintenance) {
        c->maintenance = maintenance;
        gic_set_ppi(c, GIC_PPI_MAINTENANCE, maintenance);
    }
}

uint32_t gic_virt_ack(GicCpu *c, unsigned groups)
{
    int k = virt_signalled(c);
    unsigned group = k >= 0 && c->virt.lr[k] & LR_GROUP1;
    if (k < 0 || !(groups >> group & 1)) {
        return GIC_NONE;
    }
    uint64_t lr = c->virt.lr[k];
    c->virt.apr[group] |= 1u << ((lr_prio(lr) & preempt_mask(c, group)) >> 3);
    c->virt.lr[k] = (lr & ~LR_PENDING) | ((uint32_t)lr < GIC_LPI ? LR_ACTIVE : 0);
    gic_virt_update(c);
    return lr_intid(c, lr);
}

uint32_t gic_virt_pending(const GicCpu *c, unsigned groups)
{
    int k = virt_best(c);
    unsigned group = k >= 0 && c->virt.lr[k] & LR_GROUP1;
    return k >= 0 && groups >> group & 1 ? lr_intid(c, c->virt.lr[k]) : GIC_NONE;
}

void gic_virt_deactivate(GicCpu *c, uint32_t intid)
{
    for (unsigned k = 0; k < GIC_LRS; k++) {
        uint64_t *lr = &c->virt.lr[k];
        if (!(*lr & LR_ACTIVE) || lr_intid(c, *lr) != intid) {
            continue;
        }
        *lr &= ~LR_ACTIVE;
        if (*lr & LR_HW) {
            gic_cpu_deactivate(c, *lr >> 32 & 0x3ff, gic_is_ns(c->gic, false) ? 1u << G1NS : ~0u);
        }
        gic_virt_update(c);
        return;
    }
    /* not in a list register: counted for the hypervisor, which deactivates it */
    c->virt.hcr += 1u << HCR_EOICOUNT;
    gic_virt_update(c);
}

void gic_virt_eoi(GicCpu *c, uint32_t intid)
{
    uint32_t all = c->virt.apr[0] | c->virt.apr[1], bit = all & -all;
    if (!all) {
        return;
    }
    c->virt.apr[c->virt.apr[0] & bit ? 0 : 1] &= ~bit;
    if ((intid & 0xffffff) < GIC_LPI && !(c->virt.vmcr & VMCR_EOIM)) {
        gic_virt_deactivate(c, intid);
    } else {
        gic_virt_update(c);
    }
}
