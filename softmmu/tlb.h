/* tlb.h - a vCPU's MMU: its TLBs, one table per address space and privilege, and what fills and empties them.
 *
 * Words: a table (Tlb) serves accesses of one regime, privilege and, for EL0, address space (ASID and VMID); for the privileged
 * levels all ASIDs share one, whose few entries that belong to an ASID are listed and dropped when that changes. CpuHead.tlb points
 * to the entries of the current one, so that a switch of level or address space moves a pointer. A kernel whose own pages are not
 * global (Linux's page table isolation) gets privileged tables by ASID too (Mmu.split).
 *
 * All of an Mmu belongs to its vCPU's thread, except the queue of requests (its own lock). tlb.c is compiled for general registers only.
 */
#ifndef ARMX_SOFTMMU_TLB_H
#define ARMX_SOFTMMU_TLB_H

#include <pthread.h>

#include "mmu_a64.h"

enum { TLB_CPUS = 512, TLB_SIZE = 1 << TLB_BITS, TLB_TABLES = 32, TLB_USED = 96, TLB_OWN = 64, TLB_CHOICES = 16 };
enum { LEVEL_USER, LEVEL_PRIV, LEVEL_PAN, LEVELS };

/* Where pieces larger than the granule lie: (va & mask) == base. */
typedef struct TlbHull {
    uint64_t base, mask;
    bool any;
} TlbHull;

typedef struct Tlb {
    TlbEntry e[TLB_PARTS << TLB_BITS];
    uint8_t guarded[TLB_SIZE];
    uint64_t tag;                    /* TABLE_TAG */
    MmuKind kind;
    unsigned level;
    uint64_t age;                    /* when it was selected last; 0 = free */
    uint16_t used[TLB_USED], nused;  /* entries filled since it was empty; TLB_USED + 1 = too many */
    uint16_t own[TLB_OWN], nown;     /* entries of the current ASID in a table of all */
    bool own_code;                   /* such an entry was for code */
    bool global;                     /* there was an entry that is of no ASID */
    uint8_t halves;                  /* ADDRESS_LOWER, ADDRESS_UPPER: where entries are */
    TlbHull large;
} Tlb;

/* An address space of a regime, ASID and VMID, for all that is remembered of it; see Mmu.current. */
typedef struct TlbSpace {
    uint8_t kind;
    bool any_vmid;
    uint16_t vmid, asid;
} TlbSpace;
enum { TLB_DORMANT = 16 };
#define SPACE_UNKNOWN (~(uint64_t)0)

/* Of each MmuKind, for people. */
extern const char *const tlb_kind_names[];

/* What is to be forgotten. */
typedef enum TlbWhat { FORGET_ALL, FORGET_ASID, FORGET_PAGES, FORGET_WRITABLE /* of a page of memory that has code now */ } TlbWhat;
typedef struct TlbRequest {
    TlbWhat what;
    uint8_t kinds;     /* bit per MmuKind */
    bool any_vmid, any_asid;
    uint16_t vmid, asid;
    uint64_t va, npages; /* 4 KiB pages from va on */
    uint64_t host;
} TlbRequest;

/* A debugger's watchpoints: accesses of such bytes, in all address spaces. Changes only while all vCPUs stand; no table has entries of
 * their pages. */
enum { TLB_WATCHES = 16 };
typedef struct TlbWatch {
    unsigned n;
    struct {
        uint64_t va, len;
        uint32_t acc; /* ACC_READ, ACC_WRITE: which accesses */
    } at[TLB_WATCHES];
    bool (*hit)(CpuA64 *cpu, uint64_t va, uint32_t acc); /* on the vCPU's thread; true: the access is not made, EXC_DEBUG */
} TlbWatch;
/* The watchpoint that bytes from va on belong to, or -1. */
int tlb_watched(const TlbWatch *w, uint64_t va, uint64_t bytes, uint32_t acc);

struct SoftSpace;
typedef struct Mmu {
    CpuA64 *cpu;
    struct SoftSpace *space;
    const TlbWatch *watch;
    PhysMem *mem;
    MmuRegime regime[MMU_KINDS];
    bool loaded[MMU_KINDS];
    bool split[MMU_KINDS];           /* privileged tables belong to one ASID each */
    Tlb *active[MMU_KINDS][LEVELS];  /* for the current ASIDs and VMID, or NULL */
    Tlb *tables;                     /* TLB_TABLES */
    TlbHull code[MMU_KINDS][2];      /* by half: large pieces with code, of which jump caches may know any page */
    const Tlb *near_of;              /* whose entries CpuHead.near has copies of */
    /* What was chosen for a level and PSTATE.PAN, UAO (choice_index); those in `chosen`, a bit each, are still right while HCR_EL2
     * acts as in chosen_hcr. */
    struct TlbChoice {
        Tlb *table;
        TlbEntry *unpriv;
        uint64_t context;
    } choices[TLB_CHOICES];
    uint32_t chosen;
    uint64_t chosen_hcr;
    /* Why the last tlb_fill came to nothing, for the access that follows it; failed_acc 0: it did not fail. */
    A64Fault failed;
    uint64_t failed_va;
    uint32_t failed_acc;
    uint64_t clock;
    /* the access under way (space.c) */
    struct {
        enum { COMMIT_NOTHING, COMMIT_CODE, COMMIT_DEVICE, COMMIT_PARTS } what;
        uint64_t pa[2];
        bool ns[2];
        unsigned bytes[2];
        uint64_t va;
        uint32_t acc;
        void *host;
        uint8_t *flags;
    } commit;
    bool deferred; /* the commit waits for the next poll */
    uint8_t buffer[64] __attribute__((aligned(64)));
    /* requests of others */
    pthread_mutex_t lock;
    TlbRequest queue[16];
    unsigned nqueued;        /* more than there is room for: everything is forgotten */
    uint64_t asked, served;  /* requests so far */
    uint64_t waits[TLB_CPUS / 64]; /* CPUs that a DSB waits for: they were asked since the last one */
    /* Address spaces that this vCPU is not in, of which it drops everything before it enters one: nobody waits for that.
     * current: of each regime, vmid << 16 | asid, told before the first walk in it; SPACE_UNKNOWN: any. global_halves: where global pages
     * were found since the regime's tables were emptied, told before one is used. */
    uint64_t current[MMU_KINDS];
    uint8_t global_halves[MMU_KINDS];
    uint32_t dormant_lock;
    uint32_t dormant_asked, dormant_served, ndormant;
    TlbSpace dormant[TLB_DORMANT];
    bool serving;
    uint64_t stat_fills, stat_walks, stat_slow, stat_clears;
} Mmu;

/* The regime's registers, decoded. */
const MmuRegime *tlb_regime(Mmu *m, MmuKind kind);
/* The regimes' registers (bit per MmuKind) are others now. */
void tlb_unload(Mmu *m, unsigned kinds);
/* Asks m to drop r before it next enters r's address space. False: it may be in it now, or have entries that r means and that belong
 * to no address space. Any thread. */
bool tlb_ask_dormant(Mmu *m, const TlbRequest *r);
/* Does what tlb_ask_dormant asked for. */
void tlb_serve_dormant(Mmu *m);
/* Points CpuHead's tables at the current level's, and the engine at its context. */
void tlb_select(Mmu *m);
void tlb_level_changed(CpuA64 *cpu, uint64_t key);
/* Walks for the table's privilege and remembers what may be used inline. False: *f. */
bool tlb_walk(Mmu *m, Tlb *t, uint64_t va, unsigned access, MmuPage *page, A64Fault *f);
void *tlb_fill(CpuHead *h, uint64_t va, uint32_t acc);
Tlb *tlb_table(Mmu *m, bool unpriv);
unsigned tlb_access_bits(uint32_t acc); /* MMU_READ, MMU_WRITE of ACC_* */
void tlb_clear(Tlb *t);
void tlb_clear_kinds(Mmu *m, unsigned kinds);
void tlb_forget(Mmu *m, const TlbRequest *r);
/* The ASID of a regime is another one: entries that belong to the old one leave the tables of all. */
void tlb_asid_changed(Mmu *m, MmuKind kind);

#endif
