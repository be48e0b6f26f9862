/* gicv3_cpuif.c - GICv3's CPU interface by system registers: ICC_* of the CPU, ICV_* of a virtual machine, ICH_* of its
 * hypervisor (IHI 0069 12.2, 12.3).
 *
 * ICV_* have the encodings of ICC_*: at EL1 HCR_EL2.FMO turns Group 0's registers into virtual ones, IMO Group 1's, either of
 * them those of both. One row per register says to which group it belongs and has its functions; traps are the CPU's
 * business. Only system registers are offered (ICC_SRE_ELx.SRE is 1). Five bits of priority, all of them preempt, so the
 * active priorities fit the first register of each kind.
 */
#include "dev/gic_core.h"
#include "sys.h"

enum { CTLR_CBPR = 1 << 0, CTLR_EOIMODE = 1 << 1, CTLR_FIXED = 4 << 8 /* PRIbits */ | 1 << 15 /* A3V */ };
enum { CTLR3_CBPR_S = 1, CTLR3_CBPR_NS = 2, CTLR3_EOI_EL3 = 4, CTLR3_EOI_S = 8, CTLR3_EOI_NS = 16 };
enum { VTR = (GIC_LRS - 1) | 1 << 20 /* nV4 */ | 1 << 21 /* A3V */ | 4 << 26 | 4u << 29 };
enum { ICH_HCR_BITS = 0xff | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 14 };


#define SGI_ALL_BUT_SELF (1ull << 40)
#define LR_BITS (0xf0ffull << 48 | 0x1fffull << 32 | 0xffffffff)

static CpuA64 *cpu_of(const GicCpu *c)
{
    return c->vcpu->cpu;
}

/* Does the CPU act for the Non-secure state while there are two? */
static bool is_ns(const GicCpu *c)
{
    return gic_is_ns(c->gic, cpu_of(c)->sys->secure);
}

/* Group 1 of the Security state whose registers are meant: at EL3 SCR_EL3.NS says so. */
static unsigned group1(const GicCpu *c)
{
    const A64Sys *s = cpu_of(c)->sys;
    bool ns = !s->el3 || s->reg[SR_SCR_EL3] & 1;
    return c->gic->one_world || ns ? G1NS : G1S;
}

static unsigned visible_groups(const GicCpu *c)
{
    return is_ns(c) ? 1u << G1NS : 1u << G0 | 1u << G1S | 1u << G1NS;
}

static uint64_t pmr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return gic_prio_shown(is_ns(c), c->pmr);
}

static void pmr_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    gic_cpu_set_pmr(c, is_ns(c), v & 0xff);
}

/* EL3 asks for Group 0 and hears of the other groups by special numbers. */
static uint32_t special(GicCpu *c, uint32_t intid)
{
    if (intid == GIC_NONE && a64_el(cpu_of(c)) == 3 && !c->gic->one_world) {
        GicBest b = gic_cpu_pending(c);
        return b.intid == GIC_NONE || b.group == G0 ? GIC_NONE : b.group == G1S ? 1020 : 1021;
    }
    return intid;
}

static uint64_t iar_read(GicCpu *c, unsigned n)
{
    if (n) {
        return gic_cpu_ack(c, 1u << group1(c));
    }
    return is_ns(c) ? GIC_NONE : special(c, gic_cpu_ack(c, 1u << G0));
}

static uint64_t hppir_read(GicCpu *c, unsigned n)
{
    GicBest b = gic_cpu_pending(c);
    if (n) {
        return b.group == group1(c) ? b.intid : GIC_NONE;
    }
    return is_ns(c) ? GIC_NONE : special(c, b.group == G0 ? b.intid : GIC_NONE);
}

static bool eoi_split(const GicCpu *c)
{
    if (a64_el(cpu_of(c)) == 3) {
        return c->eoimode_el3;
    }
    return group1(c) == G1S ? c->eoimode_s : c->eoimode_ns;
}

static void eoir_write(GicCpu *c, unsigned n, uint64_t v)
{
    uint32_t intid = v & 0xffffff;
    if (intid >= GIC_SPI_END && intid < GIC_LPI) {
        return;
    }
    if (gic_cpu_drop(c, 1u << (n ? group1(c) : G0)) && !eoi_split(c) && intid < GIC_SPI_END) {
        gic_cpu_deactivate(c, intid, visible_groups(c));
    }
}

static void dir_write(GicCpu *c, unsigned n, uint64_t v)
{
    uint32_t intid = v & 0xffffff;
    (void)n;
    if (eoi_split(c) && intid < GIC_SPI_END) {
        gic_cpu_deactivate(c, intid, visible_groups(c));
    }
}

static uint64_t rpr_read(GicCpu *c, unsigned n)
{
    (void)n;
    unsigned running = gic_cpu_running(c);
    return running == GIC_PRIO_IDLE ? 0xff : gic_prio_shown(is_ns(c), running);
}

static uint64_t bpr_read(GicCpu *c, unsigned n)
{
    return gic_cpu_bpr(c, n ? group1(c) : G0);
}

static void bpr_write(GicCpu *c, unsigned n, uint64_t v)
{
    gic_cpu_set_bpr(c, n ? group1(c) : G0, v & 7);
}

/* n: group and number of the register. Non-secure priorities are the upper half: so are their bits. */
static uint64_t apr_read(GicCpu *c, unsigned n)
{
    bool ns = is_ns(c);
    if (n) {
        return ns ? c->apr[G1NS] >> 16 : c->apr[group1(c)];
    }
    return ns ? 0 : c->apr[G0];
}

static void apr_write(GicCpu *c, unsigned n, uint64_t v)
{
    bool ns = is_ns(c);
    if (n) {
        GIC_LOCKED(c, c->apr[group1(c)] = ns ? (uint32_t)v << 16 : (uint32_t)v);
    } else if (!ns) {
        GIC_LOCKED(c, c->apr[G0] = (uint32_t)v);
    }
}

static uint64_t ctlr_read(GicCpu *c, unsigned n)
{
    bool s = group1(c) == G1S;
    (void)n;
    return CTLR_FIXED | ((s ? c->cbpr_s : c->cbpr_ns) ? CTLR_CBPR : 0) | ((s ? c->eoimode_s : c->eoimode_ns) ? CTLR_EOIMODE : 0);
}

static void ctlr_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    pthread_mutex_lock(&c->lock);
    if (group1(c) == G1S) {
        c->cbpr_s = v & CTLR_CBPR;
        c->eoimode_s = v & CTLR_EOIMODE;
    } else {
        c->cbpr_ns = is_ns(c) ? c->cbpr_ns : v & CTLR_CBPR;
        c->eoimode_ns = v & CTLR_EOIMODE;
    }
    gic_cpu_update(c);
    pthread_mutex_unlock(&c->lock);
}

static uint64_t ctlr3_read(GicCpu *c, unsigned n)
{
    (void)n;
    return CTLR_FIXED | (c->cbpr_s ? CTLR3_CBPR_S : 0) | (c->cbpr_ns ? CTLR3_CBPR_NS : 0) |
           (c->eoimode_el3 ? CTLR3_EOI_EL3 : 0) | (c->eoimode_s ? CTLR3_EOI_S : 0) | (c->eoimode_ns ? CTLR3_EOI_NS : 0);
}

static void ctlr3_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    pthread_mutex_lock(&c->lock);
    c->cbpr_s = v & CTLR3_CBPR_S;
    c->cbpr_ns = v & CTLR3_CBPR_NS;
    c->eoimode_el3 = v & CTLR3_EOI_EL3;
    c->eoimode_s = v & CTLR3_EOI_S;
    c->eoimode_ns = v & CTLR3_EOI_NS;
    gic_cpu_update(c);
    pthread_mutex_unlock(&c->lock);
}

static uint64_t igrpen_read(GicCpu *c, unsigned n)
{
    return !n && is_ns(c) ? 0 : c->groups >> (n ? group1(c) : G0) & 1;
}

static void igrpen_write(GicCpu *c, unsigned n, uint64_t v)
{
    if (n || !is_ns(c)) {
        unsigned group = n ? group1(c) : G0;
        gic_cpu_set_groups(c, 1u << group, (uint32_t)(v & 1) << group);
    }
}

static uint64_t igrpen3_read(GicCpu *c, unsigned n)
{
    (void)n;
    return (c->groups >> G1NS & 1) | (c->groups >> G1S & 1) << 1;
}

static void igrpen3_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    gic_cpu_set_groups(c, 1u << G1NS | 1u << G1S, (uint32_t)(v & 1) << G1NS | (uint32_t)(v >> 1 & 1) << G1S);
}

/* n: how many bits of the register are 1 (IHI 0069 12.2.20: DIB, DFB, SRE, and above EL1 Enable). */
static uint64_t sre_read(GicCpu *c, unsigned n)
{
    (void)c;
    return n;
}

static void sgi_send(GicCpu *c, unsigned group, uint64_t v)
{
    const Gic *g = c->gic;
    bool secure = cpu_of(c)->sys->secure;
    unsigned intid = v >> 24 & 15;
    uint64_t cluster = (v >> 16 & 0xff) << 8 | (v >> 32 & 0xff) << 16 | (v >> 48 & 0xff) << 32;
    if (!(v & SGI_ALL_BUT_SELF) && v >> 44 & 15) {
        return; /* range selector: ICC_CTLR_EL1.RSS is 0 */
    }
    for (unsigned k = 0; k < g->ncpus; k++) {
        GicCpu *to = &g->cpus[k];
        uint64_t aff = to->vcpu->mpidr;
        if (v & SGI_ALL_BUT_SELF ? to != c
                                 : (aff & 0xff00ffff00u) == cluster && (aff & 0xff) < 16 && v >> (aff & 0xff) & 1) {
            gic_sgi(to, intid, group, secure);
        }
    }
}

static void sgir_write(GicCpu *c, unsigned n, uint64_t v)
{
    sgi_send(c, n ? group1(c) : G0, v);
}

static void asgir_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    sgi_send(c, group1(c) == G1S ? G1NS : G1S, v);
}

/* ICV_*, same order. */
static uint64_t vpmr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return c->virt.vmcr >> VMCR_PMR;
}

static void vpmr_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    gic_virt_set_vmcr(c, (c->virt.vmcr & bits_mask(VMCR_PMR)) | (uint32_t)v << VMCR_PMR);
}

static uint64_t viar_read(GicCpu *c, unsigned n)
{
    return gic_virt_ack(c, 1u << n);
}

static uint64_t vhppir_read(GicCpu *c, unsigned n)
{
    return gic_virt_pending(c, 1u << n);
}

static void veoir_write(GicCpu *c, unsigned n, uint64_t v)
{
    uint32_t intid = v & 0xffffff;
    (void)n;
    if (intid < GIC_SPI_END || intid >= GIC_LPI) {
        gic_virt_eoi(c, intid);
    }
}

static void vdir_write(GicCpu *c, unsigned n, uint64_t v)
{
    uint32_t intid = v & 0xffffff;
    (void)n;
    if (c->virt.vmcr & VMCR_EOIM && intid < GIC_SPI_END) {
        gic_virt_deactivate(c, intid);
    }
}

static uint64_t vrpr_read(GicCpu *c, unsigned n)
{
    (void)n;
    unsigned running = gic_virt_running(c);
    return running == GIC_PRIO_IDLE ? 0xff : running;
}

static uint64_t vbpr_read(GicCpu *c, unsigned n)
{
    return gic_virt_bpr(c, n);
}

static void vbpr_write(GicCpu *c, unsigned n, uint64_t v)
{
    gic_virt_set_bpr(c, n, v & 7);
}

/* ICV_AP<group>R0, ICH_AP<group>R0_EL2; of five bits of priority there are no others. */
static uint64_t vapr_read(GicCpu *c, unsigned n)
{
    return c->virt.apr[n];
}

static void vapr_write(GicCpu *c, unsigned n, uint64_t v)
{
    c->virt.apr[n] = (uint32_t)v;
    gic_virt_update(c);
}

static uint64_t vctlr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return CTLR_FIXED | (c->virt.vmcr & VMCR_CBPR ? CTLR_CBPR : 0) | (c->virt.vmcr & VMCR_EOIM ? CTLR_EOIMODE : 0);
}

static void vctlr_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    gic_virt_set_vmcr(c, (c->virt.vmcr & ~(uint32_t)(VMCR_CBPR | VMCR_EOIM)) | (v & CTLR_CBPR ? VMCR_CBPR : 0) |
                             (v & CTLR_EOIMODE ? VMCR_EOIM : 0));
}

static uint64_t vigrpen_read(GicCpu *c, unsigned n)
{
    return c->virt.vmcr >> n & 1;
}

static void vigrpen_write(GicCpu *c, unsigned n, uint64_t v)
{
    gic_virt_set_vmcr(c, (c->virt.vmcr & ~(1u << n)) | (uint32_t)(v & 1) << n);
}

static uint64_t hcr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return c->virt.hcr;
}

static void hcr_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    c->virt.hcr = (uint32_t)v & (ICH_HCR_BITS | 0x1fu << 27);
    gic_virt_update(c);
}

static uint64_t vtr_read(GicCpu *c, unsigned n)
{
    (void)c, (void)n;
    return (uint32_t)VTR;
}

static uint64_t misr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return gic_virt_misr(c);
}

static uint64_t eisr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return gic_virt_eisr(c);
}

static uint64_t elrsr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return gic_virt_elrsr(c);
}

static uint64_t vmcr_read(GicCpu *c, unsigned n)
{
    (void)n;
    return c->virt.vmcr;
}

static void vmcr_write(GicCpu *c, unsigned n, uint64_t v)
{
    (void)n;
    gic_virt_set_vmcr(c, (uint32_t)v);
}

static uint64_t lr_read(GicCpu *c, unsigned n)
{
    return c->virt.lr[n];
}

static void lr_write(GicCpu *c, unsigned n, uint64_t v)
{
    c->virt.lr[n] = v & LR_BITS;
    gic_virt_update(c);
}

typedef uint64_t ReadFn(GicCpu *c, unsigned n);
typedef void WriteFn(GicCpu *c, unsigned n, uint64_t value);

/* Which bits of HCR_EL2 make a register of EL1 virtual. */
enum { FMO = 1 << HCR_FMO, IMO = 1 << HCR_IMO };

typedef struct IcReg {
    uint32_t virtual_if;
    unsigned n; /* for the functions: group, or which register of a row */
    ReadFn *read;
    WriteFn *write;
    ReadFn *vread;
    WriteFn *vwrite;
} IcReg;

#define LR(n) [SR_ICH_LR##n##_EL2] = {0, n, lr_read, lr_write, NULL, NULL}

// clang-format off
static const IcReg rows[SR_COUNT] = {
    /* register              virtual by n  read           write          virtual read    virtual write */
    [SR_ICC_PMR_EL1]      = {FMO | IMO, 0, pmr_read,      pmr_write,     vpmr_read,      vpmr_write},
    [SR_ICC_IAR0_EL1]     = {FMO,       0, iar_read,      NULL,          viar_read,      NULL},
    [SR_ICC_EOIR0_EL1]    = {FMO,       0, NULL,          eoir_write,    NULL,           veoir_write},
    [SR_ICC_HPPIR0_EL1]   = {FMO,       0, hppir_read,    NULL,          vhppir_read,    NULL},
    [SR_ICC_BPR0_EL1]     = {FMO,       0, bpr_read,      bpr_write,     vbpr_read,      vbpr_write},
    [SR_ICC_DIR_EL1]      = {FMO | IMO, 0, NULL,          dir_write,     NULL,           vdir_write},
    [SR_ICC_RPR_EL1]      = {FMO | IMO, 0, rpr_read,      NULL,          vrpr_read,      NULL},
    [SR_ICC_SGI1R_EL1]    = {0,         1, NULL,          sgir_write,    NULL,           NULL},
    [SR_ICC_ASGI1R_EL1]   = {0,         0, NULL,          asgir_write,   NULL,           NULL},
    [SR_ICC_SGI0R_EL1]    = {0,         0, NULL,          sgir_write,    NULL,           NULL},
    [SR_ICC_IAR1_EL1]     = {IMO,       1, iar_read,      NULL,          viar_read,      NULL},
    [SR_ICC_EOIR1_EL1]    = {IMO,       1, NULL,          eoir_write,    NULL,           veoir_write},
    [SR_ICC_HPPIR1_EL1]   = {IMO,       1, hppir_read,    NULL,          vhppir_read,    NULL},
    [SR_ICC_BPR1_EL1]     = {IMO,       1, bpr_read,      bpr_write,     vbpr_read,      vbpr_write},
    [SR_ICC_CTLR_EL1]     = {FMO | IMO, 0, ctlr_read,     ctlr_write,    vctlr_read,     vctlr_write},
    [SR_ICC_SRE_EL1]      = {0,         7, sre_read,      NULL,          NULL,           NULL},
    [SR_ICC_IGRPEN0_EL1]  = {FMO,       0, igrpen_read,   igrpen_write,  vigrpen_read,   vigrpen_write},
    [SR_ICC_IGRPEN1_EL1]  = {IMO,       1, igrpen_read,   igrpen_write,  vigrpen_read,   vigrpen_write},
    [SR_ICC_SRE_EL2]      = {0,        15, sre_read,      NULL,          NULL,           NULL},
    [SR_ICC_CTLR_EL3]     = {0,         0, ctlr3_read,    ctlr3_write,   NULL,           NULL},
    [SR_ICC_SRE_EL3]      = {0,        15, sre_read,      NULL,          NULL,           NULL},
    [SR_ICC_IGRPEN1_EL3]  = {0,         0, igrpen3_read,  igrpen3_write, NULL,           NULL},
    [SR_ICH_HCR_EL2]      = {0,         0, hcr_read,      hcr_write,     NULL,           NULL},
    [SR_ICH_VTR_EL2]      = {0,         0, vtr_read,      NULL,          NULL,           NULL},
    [SR_ICH_MISR_EL2]     = {0,         0, misr_read,     NULL,          NULL,           NULL},
    [SR_ICH_EISR_EL2]     = {0,         0, eisr_read,     NULL,          NULL,           NULL},
    [SR_ICH_ELRSR_EL2]    = {0,         0, elrsr_read,    NULL,          NULL,           NULL},
    [SR_ICH_VMCR_EL2]     = {0,         0, vmcr_read,     vmcr_write,    NULL,           NULL},
    [SR_ICC_AP0R0_EL1]    = {FMO,       0, apr_read,      apr_write,     vapr_read,      vapr_write},
    [SR_ICC_AP1R0_EL1]    = {IMO,       1, apr_read,      apr_write,     vapr_read,      vapr_write},
    [SR_ICH_AP0R0_EL2]    = {0,         0, vapr_read,     vapr_write,    NULL,           NULL},
    [SR_ICH_AP1R0_EL2]    = {0,         1, vapr_read,     vapr_write,    NULL,           NULL},
    LR(0), LR(1), LR(2), LR(3),
};
// clang-format on

static bool is_virtual(const GicCpu *c, const IcReg *r)
{
    const CpuA64 *cpu = cpu_of(c);
    return r->virtual_if && a64_el(cpu) == 1 && a64_el2_enabled(cpu) && a64_hcr(cpu) & r->virtual_if;
}

uint64_t gic_sr_read(Vcpu *v, unsigned sr)
{
    const IcReg *r = &rows[sr];
    ReadFn *fn = is_virtual(v->gic, r) ? r->vread : r->read;
    return fn ? fn(v->gic, r->n) : 0;
}

void gic_sr_write(Vcpu *v, unsigned sr, uint64_t value)
{
    const IcReg *r = &rows[sr];
    WriteFn *fn = is_virtual(v->gic, r) ? r->vwrite : r->write;
    if (fn) {
        fn(v->gic, r->n, value);
    }
    if (sr == SR_ICH_HCR_EL2) {
        v->cpu->sys->reg[sr] = v->gic->virt.hcr; /* its trap bits are the CPU's */
    }
}
