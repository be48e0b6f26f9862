/* gic_core.h - the state behind both generations of interrupt controller, and what one may do with it.
 *
 * Words. A *word* is 32 interrupts: a CPU's SGIs and PPIs, or a run of SPIs. An interrupt is *pending* by its latch (an
 * edge, a write to GICD_ISPENDR) or, level-sensitive, by its input; *ready* when pending, enabled, not active and in a
 * group that the distributor and the CPU interface let through. A CPU's *best* is the ready interrupt of the lowest
 * priority value; it is *signalled* when it may preempt what runs.
 *
 * Locks. Gic.lock (the distributor's): words of SPIs, their routes, GICD_CTLR. GicCpu.lock: the CPU's private word, CPU
 * interface, LPIs, outputs. GicCpu.spi, the best SPI, is written with both. Order: ITS, distributor, CPU; of CPUs one at a
 * time. So an SGI, a PPI and an acknowledge of either take one CPU's lock. The virtual CPU interface (GicVirt) belongs to
 * the vCPU's thread.
 */
#ifndef ARMX_SOFTMMU_DEV_GIC_CORE_H
#define ARMX_SOFTMMU_DEV_GIC_CORE_H

#include <pthread.h>

#include "dev/gic.h"
#include "machine.h"

/* Groups of interrupts (IHI 0069 4.6). With one Security state G0 and G1NS are Group 0 and Group 1. */
enum { G0, G1S, G1NS, GROUP_COUNT };

enum {
    GIC_NONE = 1023,          /* no interrupt: the special INTID of a spurious acknowledge */
    GIC_PRIVATE = 32,         /* INTIDs below are a CPU's own */
    GIC_SPI_END = 1020,
    GIC_LPI = 8192,
    GIC_LPI_BITS = 16,        /* GICD_TYPER.IDbits + 1 */
    GIC_LPI_END = 1 << GIC_LPI_BITS,
    GIC_WORDS = 32,           /* words of 32 interrupts below 1024 */
    GIC_PRIO_MASK = 0xf8,     /* 32 priorities; the same bits preempt */
    GIC_PRIO_IDLE = 0x100,    /* behind every priority */
    GIC_LRS = 4,
    GIC_PPI_MAINTENANCE = 25,
};

typedef struct GicWord {
    uint32_t group, grpmod, enable, latch, level, edge, active;
    uint64_t nsacr; /* two bits for each */
    uint8_t prio[32];
    uint8_t target[32]; /* version 2: CPUs */
} GicWord;

typedef struct GicBest {
    uint32_t intid; /* GIC_NONE: none */
    uint16_t prio;
    uint8_t group;
} GicBest;

/* CPU interface of the virtual machine that runs on this vCPU. */
typedef struct GicVirt {
    uint64_t lr[GIC_LRS]; /* as ICH_LR<n>_EL2 */
    uint32_t hcr, vmcr;   /* as ICH_HCR_EL2, ICH_VMCR_EL2 */
    uint32_t apr[2];      /* Group 0, Group 1 */
} GicVirt;

/* A register of a frame that is not one of the arrays; `size` bytes at `at`, or `count` of them in a row. Functions get the
 * offset into the row; NULL: reads as `reset`, ignores writes. Nothing is locked. `of` is the frame's. */
typedef struct GicReg {
    uint32_t at;
    uint16_t size, count;
    uint64_t (*read)(void *of, unsigned n, bool ns);
    void (*write)(void *of, unsigned n, uint64_t value, bool ns);
    uint64_t reset; /* or GIC_ID */
} GicReg;
/* The twelve identification registers at the end of a frame: part number and the architecture's revision. */
#define GIC_ID(part, revision) (1ull << 32 | (revision) << 8 | (part))
/* A frame of registers. `of` is whose they are, NULL: the CPU's that accesses them. `access` does more than rows, false =
 * nothing is there; NULL: the frame is all rows. */
typedef struct GicFrame {
    Gic *gic;
    void *of;
    const GicReg *regs;
    size_t count;
    bool (*access)(void *of, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns);
} GicFrame;

struct GicCpu {
    Gic *gic;
    Vcpu *vcpu;
    pthread_mutex_t lock;
    GicWord priv;
    uint8_t sgi_from[16]; /* version 2: CPUs that sent it */
    GicBest spi;
    /* physical CPU interface */
    uint32_t groups;  /* enabled ones: bits 1 << G0... */
    uint8_t pmr;
    uint8_t bpr[GROUP_COUNT];
    uint32_t apr[GROUP_COUNT];
    /* Version 3 with one Security state: the _ns ones; version 2: cbpr_ns and, for Secure accesses, eoimode_s. */
    bool cbpr_s, cbpr_ns, eoimode_s, eoimode_ns, eoimode_el3;
    bool fiq_en, ack_ctl;                        /* GICC_CTLR */
    bool irq, fiq;    /* outputs */
    bool secure, el3; /* where the vCPU is */
    GicVirt virt;
    bool virq, vfiq, maintenance;
    /* redistributor, version 3 */
    GicFrame frame;
    uint32_t ctlr, waker;
    uint64_t propbaser, pendbaser;
    GicBest lpi;
    uint64_t *lpi_pending; /* a bit for each LPI, and one for each 64 of them */
    uint64_t lpi_some[(GIC_LPI_END - GIC_LPI) / 64 / 64 + 1];
};

struct Gic {
    Machine *machine;
    GicConfig config;
    unsigned ncpus;
    GicCpu *cpus;
    struct Gits *its;
    pthread_mutex_t lock;
    uint32_t groups; /* enabled in GICD_CTLR, bits 1 << G0... */
    bool one_world;  /* GICD_CTLR.DS */
    unsigned words;  /* in use, the private one included */
    GicWord word[GIC_WORDS];       /* [0] is unused */
    uint64_t route[GIC_SPI_END];   /* GICD_IROUTER */
    uint16_t target[GIC_SPI_END];  /* version 3: index of the CPU routed to, 0xffff = none */
    GicBest *scratch;              /* one for each CPU */
    GicFrame frame_dist, frame_cpu, frame_hyp, frame_guest, frame_v2m; /* version 3: the first alone */
};

/* The CPU whose thread this is; devices and debuggers are taken for CPU 0. */
static inline GicCpu *gic_cpu_here(Gic *g)
{
    const Vcpu *v = vcpu_self();
    return v ? v->gic : &g->cpus[0];
}

/* True when accesses of this Security state see less than everything. */
static inline bool gic_is_ns(const Gic *g, bool secure)
{
    return !secure && !g->one_world;
}

/* A priority as Non-secure software sees it: theirs are the lower half, shifted (IHI 0069 4.8.1); and as it is stored. */
static inline unsigned gic_prio_shown(bool ns, unsigned prio)
{
    return !ns ? prio : prio & 0x80 ? prio << 1 & 0xff : 0;
}

static inline unsigned gic_prio_stored(bool ns, unsigned value)
{
    return (ns ? 0x80 | (value & 0xff) >> 1 : value) & GIC_PRIO_MASK;
}

static inline GicWord *gic_word(GicCpu *c, unsigned intid)
{
    return intid < GIC_PRIVATE ? &c->priv : &c->gic->word[intid / 32];
}

static inline uint32_t gic_word_pending(const GicWord *w)
{
    return w->latch | (w->level & ~w->edge);
}

unsigned gic_group(const Gic *g, const GicWord *w, unsigned bit);
/* The interrupts of w in Non-secure Group 1. */
static inline uint32_t gic_word_ns(const GicWord *w)
{
    return w->group;
}

/* After a change: of c's own interrupts or interface (c locked), or of SPIs (distributor locked, no CPU locked). */
void gic_cpu_update(GicCpu *c);
void gic_spi_update(Gic *g);
/* Both, for whatever changed; nothing locked. */
void gic_update_all(Gic *g);
/* Takes the distributor's lock too when intid is an SPI's; undone by gic_unlock. */
void gic_lock(GicCpu *c, unsigned intid);
void gic_unlock(GicCpu *c, unsigned intid);

/* Changes what the CPU interface holds and looks what that does; not locked before. */
#define GIC_LOCKED(c, change)                                                                      \
    do {                                                                                           \
        pthread_mutex_lock(&(c)->lock);                                                            \
        change;                                                                                    \
        gic_cpu_update(c);                                                                         \
        pthread_mutex_unlock(&(c)->lock);                                                          \
    } while (0)
/* Enables `on` of the groups `mask` at the CPU interface, which also decides which SPIs come to it. */
void gic_cpu_set_groups(GicCpu *c, uint32_t mask, uint32_t on);
/* GICC_PMR, ICC_PMR_EL1; binary point of a group; nothing locked. */
void gic_cpu_set_pmr(GicCpu *c, bool ns, unsigned value);
unsigned gic_cpu_bpr(const GicCpu *c, unsigned group);
void gic_cpu_set_bpr(GicCpu *c, unsigned group, unsigned value);

/* Physical CPU interface; nothing locked. Groups are bits 1 << G0... */
/* The signalled interrupt's INTID if it is of one of the groups, then active; else GIC_NONE. Version 2: with the sender of
 * an SGI in bits 12:10. */
uint32_t gic_cpu_ack(GicCpu *c, unsigned groups);
/* Best interrupt, priorities and what runs left aside (HPPIR). */
GicBest gic_cpu_pending(GicCpu *c);
/* Priority drop of the innermost active interrupt if it is of the groups; false: not so. */
bool gic_cpu_drop(GicCpu *c, unsigned groups);
/* `visible`: groups that the writer may deactivate. */
void gic_cpu_deactivate(GicCpu *c, unsigned intid, unsigned visible);
/* Running priority, GIC_PRIO_IDLE for none; c locked. */
unsigned gic_cpu_running(const GicCpu *c);

/* SGI `intid` to c, as from a write of Group `group` in the given Security state (version 3). */
void gic_sgi(GicCpu *c, unsigned intid, unsigned group, bool secure);
/* PPI input; the rest of the lock discipline is its own. */
void gic_set_ppi(void *cpu, unsigned intid, bool level);
void gic_set_spi(void *gic, unsigned intid, bool level);
/* Edge on an SPI (message-signalled). */
void gic_pulse_spi(Gic *g, unsigned intid);

/* Arrays of registers with some bits for each interrupt (GICD_I*, GICR_I*): see gic_bank.c. */
enum { REACH_PRIVATE = 1, REACH_SPI = 2 }; /* interrupts that a frame shows */
/* False: offset is none of theirs. Nothing locked. */
bool gic_bank_access(GicCpu *c, unsigned reach, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns);

/* Virtual CPU interface, on the vCPU's thread (gic_virt.c). Groups are bits 1 << 0, 1 << 1. Binary points, running priority
 * and acknowledge work as the physical one's do. */
enum {
    VMCR_ENG0 = 1 << 0, VMCR_ENG1 = 1 << 1, VMCR_ACK_CTL = 1 << 2, VMCR_FIQ_EN = 1 << 3, VMCR_CBPR = 1 << 4, VMCR_EOIM = 1 << 9,
    VMCR_BPR1 = 18, VMCR_BPR0 = 21, VMCR_PMR = 24 /* lowest bits of fields */
};
void gic_virt_update(GicCpu *c);
uint32_t gic_virt_ack(GicCpu *c, unsigned groups);
uint32_t gic_virt_pending(const GicCpu *c, unsigned groups);
void gic_virt_eoi(GicCpu *c, uint32_t intid);
void gic_virt_deactivate(GicCpu *c, uint32_t intid);
unsigned gic_virt_running(const GicCpu *c);
/* Binary point of Group 0 or 1 as read; written values are raised to the least one. */
unsigned gic_virt_bpr(const GicCpu *c, unsigned group);
void gic_virt_set_bpr(GicCpu *c, unsigned group, unsigned value);
void gic_virt_set_vmcr(GicCpu *c, uint32_t value);
uint32_t gic_virt_misr(const GicCpu *c);
uint32_t gic_virt_eisr(const GicCpu *c);
uint32_t gic_virt_elrsr(const GicCpu *c);

/* An access of 4 or 8 bytes to a table of them; two halves make a register of 8. False: no register there, or no such size. */
bool gic_reg_access(const GicReg *regs, size_t count, void *of, uint64_t offset, unsigned size, bool write, uint64_t *value,
                    bool ns);
void gic_frame_map(Gic *g, GicFrame *f, const char *name, Gpa base, uint64_t size);

/* Makers of register frames. */
void gicv2_map(Gic *g);
void gicv2_virt_map(Gic *g);
void gicv3_map(Gic *g);
void gicv3_redist_map(Gic *g);
int gits_new(Gic *g);
void gits_reset(struct Gits *its);
void gicv2m_map(Gic *g);

/* LPIs of a redistributor (gicv3_lpi.c); intid in [GIC_LPI, GIC_LPI_END). Take c's lock. What it cost: LPIs looked at. */
unsigned gic_lpi_set(GicCpu *c, unsigned intid, bool pending);
/* Takes it away from `from` if pending there, and gives it to `to`. */
unsigned gic_lpi_move(GicCpu *from, GicCpu *to, unsigned intid);
unsigned gic_lpi_move_all(GicCpu *from, GicCpu *to);
/* The configuration of intid, or with 0 of all, may have changed. */
unsigned gic_lpi_invalidate(GicCpu *c, unsigned intid);
/* GICR_CTLR.EnableLPIs; c locked. */
void gic_lpi_enable(GicCpu *c, bool on);
void gic_lpi_acked(GicCpu *c, unsigned intid); /* c locked */
/* Looks for c's best LPI again; c locked. */
unsigned gic_lpi_scan(GicCpu *c);

#endif
