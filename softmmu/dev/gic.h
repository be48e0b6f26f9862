/* gic.h - the interrupt controller as the rest of the machine sees it: GICv2 (IHI 0048) or GICv3 with ITS (IHI 0069).
 *
 * An interrupt is named by its INTID: 0-15 SGI (between CPUs), 16-31 PPI (of one CPU), 32-1019 SPI, from 8192 LPI.
 * gic_spi and gic_ppi take the numbers as device trees write them: SPI n is INTID 32 + n, PPI n is INTID 16 + n.
 */
#ifndef ARMX_SOFTMMU_DEV_GIC_H
#define ARMX_SOFTMMU_DEV_GIC_H

#include "irq.h"
#include "mem.h"
#include "vcpu.h"

typedef struct Gic Gic;
typedef struct GicCpu GicCpu;

typedef struct GicConfig {
    unsigned version;    /* 2 or 3 */
    unsigned spis;       /* how many, a multiple of 32, at most 960 */
    bool security;       /* two Security states: GICD_CTLR.DS is 0 at reset */
    bool all_nonsecure;  /* with security: interrupts are reset to Non-secure Group 1, because a kernel starts without firmware */
    bool virt;           /* has the virtual CPU interface (EL2) */
    bool its;            /* version 3: has an ITS */
    Gpa dist;            /* GICD: 4K (version 2), 64K (3) */
    Gpa cpu, gich, gicv; /* version 2: GICC 8K, GICH 4K, GICV 8K */
    Gpa redist[2];       /* version 3: 128K for each CPU, the first redist0 of them in the first range */
    unsigned redist0;
    Gpa its_base;           /* 128K */
    Gpa v2m;                /* 4K, with v2m_count SPIs from number v2m_spi; v2m_count = 0: no such frame */
    unsigned v2m_spi, v2m_count;
} GicConfig;

/* Makes the controller of m, whose vcpus and mem exist, maps its registers and sets each vCPU's `gic`. It is reset by
 * gic_reset, which it registers with machine_on_reset. NULL: no memory. */
Gic *gic_new(Machine *m, const GicConfig *config);
void gic_reset(void *gic);

/* Inputs. SPIs and PPIs are level-sensitive or edge-triggered as the guest configures them. */
Irq gic_spi(Gic *g, unsigned n);
Irq gic_ppi(Gic *g, unsigned cpu, unsigned n);

/* System registers ICC_*, ICV_* and ICH_* of GICv3, by enum A64Sr; traps are decided already. On v's thread. */
uint64_t gic_sr_read(Vcpu *v, unsigned sr);
void gic_sr_write(Vcpu *v, unsigned sr, uint64_t value);
/* v comes out of its reset: so does the CPU interface that is part of it (version 3). On v's thread. */
void gic_cpu_started(Vcpu *v);
/* To be called before the outputs are looked at when there is EL3: which of them an interrupt raises depends on exception
 * level and Security state. On v's thread. */
void gic_world_changed(Vcpu *v);

/* Lines of text for `info irq`: fn gets each without its newline. */
void gic_describe(Gic *g, void (*fn)(void *arg, const char *line), void *arg);

#endif
