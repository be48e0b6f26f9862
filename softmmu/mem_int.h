/* mem_int.h - regions, ranges and page flags, for mem.c and the vCPUs' MMU (space.c, mmu_a64.c). */
#ifndef ARMX_SOFTMMU_MEM_INT_H
#define ARMX_SOFTMMU_MEM_INT_H

#include "mem.h"

typedef enum MemKind { MEM_RAM, MEM_ROM, MEM_MMIO, MEM_FLASH } MemKind;

enum { PAGE_CODE = 1, PAGE_WRITABLE = 2 };

struct MemRegion {
    MemRegion *next; /* in the order of addition */
    MemRegion *next_memory;
    const char *name;
    uint64_t base, size;
    void *host;      /* NULL: registers only */
    uint8_t *flags;  /* PAGE_* of each 4 KiB, when there is a host */
    const MmioOps *ops;
    void *dev;
    MemKind kind;
    bool direct;     /* flash shows its contents */
    bool enabled;
    bool secure;     /* for Secure accesses only */
};

typedef struct MemRange {
    uint64_t base, last;
    uint64_t start; /* where the region begins: a region's own base may change meanwhile */
    MemRegion *region;
} MemRange;

static inline bool mem_shows_host(const MemRegion *r, bool write)
{
    return r->host && (r->kind == MEM_RAM || (!write && (r->kind == MEM_ROM || __atomic_load_n(&r->direct, __ATOMIC_RELAXED))));
}

/* *to: what lies at an address; false: nothing. Any thread, but not one that holds the map's lock (MemChangeFn does not). */
bool mem_range(PhysMem *m, uint64_t at, MemRange *to);
/* Host address of a byte whose whole 4 KiB page is one region's memory that can be read (written) there, else NULL. General
 * registers only. *flags: of the page. ns: the access is Non-secure. */
void *mem_direct(PhysMem *m, uint64_t at, bool write, bool ns, uint8_t **flags);

/* Flags of the page with this host address, or NULL. Any thread. */
uint8_t *mem_flags(PhysMem *m, const void *host);

/* changed: the map is another one. The caller may hold a device's lock: does not wait for vCPUs. code_written: bytes with PAGE_CODE changed. */
typedef void MemChangeFn(void *arg);
typedef void MemCodeFn(void *arg, void *host, uint64_t len);
void mem_listen(PhysMem *m, MemChangeFn *changed, MemCodeFn *code_written, void *arg);

#endif
