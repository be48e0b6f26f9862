/* mmu_a64.h - AArch64 address translation: both stages, all regimes, as table walks (DDI 0487 D8).
 *
 * A regime's control registers are decoded once into an MmuRegime (mmu_load) whenever they change; walks then look at
 * that alone. Walks run on the CPU's thread and use general registers only (translated code may be around them).
 */
#ifndef ARMX_SOFTMMU_MMU_A64_H
#define ARMX_SOFTMMU_MMU_A64_H

#include "mem.h"
#include "sys.h"

typedef enum MmuKind { MMU_EL10, MMU_EL20, MMU_EL2, MMU_EL3, MMU_KINDS } MmuKind;

/* One half of the address space, or a second stage. */
typedef struct MmuRange {
    uint64_t base;    /* of the first table */
    uint8_t ia;       /* bits of input address */
    uint8_t granule;  /* log2 of the page's size */
    int8_t start;     /* level of the first table */
    uint8_t tsize;    /* log2 of the first table's size */
    uint8_t sh;       /* TCR.SH, which counts where descriptors have no room for it (ds) */
    bool bad;         /* sizes that the architecture does not have: all accesses fault */
    bool epd, hpd, e0pd, tbi, tbid;
    bool ds;          /* 52-bit addresses with small granules */
    bool lpa;         /* descriptors of the 64 KiB granule have room for 52 bits of address */
    bool wide;        /* so has TTBR */
} MmuRange;

typedef struct MmuStage2 {
    MmuRange r;
    bool on, ha, hd, ee, fwb, ptw, xnx, cd, id;
    uint8_t ps; /* bits of output address */
} MmuStage2;

typedef struct MmuRegime {
    MmuKind kind;
    bool two;         /* two halves, and rights of their own for EL0 */
    bool on, ee, wxn, ha, hd, epan, dc, icache, nv1;
    bool a1, as16;    /* TCR.A1: TTBR1 has the ASID; 16 bits of it count */
    uint8_t ps, pamax; /* bits of output address, of all addresses */
    bool secure;
    uint16_t asid, vmid;
    uint64_t mair;
    MmuRange range[2];
    MmuStage2 s2;
} MmuRegime;

/* What an access does and with whose rights. */
enum {
    MMU_READ = 1, MMU_WRITE = 2, MMU_FETCH = 4, MMU_USER = 8 /* rights of EL0 */, MMU_PAN = 16 /* PSTATE.PAN counts and is 1 */,
    MMU_AT = 32 /* address translation instruction: nothing becomes dirty */, MMU_STAGE1 = 64 /* only the first stage */,
    MMU_WALK = 128 /* of a first-stage table */
};

typedef struct MmuPage {
    uint64_t pa;
    uint8_t log2size;   /* of the piece around pa that is mapped alike */
    uint8_t attr;       /* memory attributes as in MAIR_ELx */
    uint8_t sh;         /* shareability, 0 2 3 */
    uint8_t rights;     /* MMU_READ, MMU_WRITE, MMU_FETCH with the rights that were asked for */
    bool clean;         /* MMU_WRITE is allowed, but writing has to mark the descriptor first */
    bool device;
    bool global;        /* in all address spaces (ASIDs) */
    bool ns;            /* not secure */
    bool guarded;       /* BTI applies */
} MmuPage;

/* Decodes the registers of a regime. *r is all 0, or of an earlier load. */
void mmu_load(CpuA64 *cpu, MmuKind kind, MmuRegime *r);
/* Takes over new values of TTBR0_ELx and TTBR1_ELx alone. */
void mmu_load_ttbr(CpuA64 *cpu, MmuRegime *r);
/* The regime that translates for an exception level. */
MmuKind mmu_kind(CpuA64 *cpu, unsigned el);
/* Translates va for an access (MMU_*). False: *f says why (all but what the caller knows: cache). */
bool mmu_walk(PhysMem *m, const MmuRegime *r, uint64_t va, unsigned access, MmuPage *page, A64Fault *f);
/* PAR_EL1 after a translation (result of mmu_walk). */
uint64_t mmu_par(bool ok, const MmuPage *page, const A64Fault *f);

#endif
