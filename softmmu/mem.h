/* mem.h - the machine's physical address space: RAM, ROM, flash and devices' registers.
 *
 * The map is made by the board before the first vCPU runs; after that only PCI BARs, flash modes and hot-plugged regions
 * change it, under PhysMem's lock, and every vCPU's TLB forgets the region at its next poll. Look-up takes no lock.
 * Overlaps: the region that was added last wins.
 *
 * Devices reach memory by mem_read and mem_write (copies) or mem_ptr (RAM only). Whoever writes by mem_ptr says so
 * afterwards by mem_wrote: translations of code that lay there are dropped, and exclusive monitors broken.
 */
#ifndef ARMX_SOFTMMU_MEM_H
#define ARMX_SOFTMMU_MEM_H

#include "base.h"

typedef struct PhysMem PhysMem;
typedef struct MemRegion MemRegion;

/* Who accesses: the world, and for PCI and the ITS the requester's id (bus << 8 | devfn). */
typedef struct MemAttrs {
    bool secure;
    uint16_t requester;
} MemAttrs;

/* A device's registers. size is 1, 2, 4 or 8, and the access lies in the region; false = external abort. Called on vCPU
 * threads, by several at once: the device has its own lock. value is zero-extended. */
typedef struct MmioOps {
    bool (*read)(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs);
    bool (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs);
} MmioOps;

PhysMem *mem_new(void);
/* size bytes at host (page-aligned, lives as long as the map) become RAM or, readonly, ROM. Names show in `info mtree`. */
MemRegion *mem_add_ram(PhysMem *m, const char *name, Gpa base, uint64_t size, void *host, bool readonly);
MemRegion *mem_add_mmio(PhysMem *m, const char *name, Gpa base, uint64_t size, const MmioOps *ops, void *dev);
/* Flash: reads and fetches see `host` while direct is true, else go to ops as writes always do. */
MemRegion *mem_add_flash(PhysMem *m, const char *name, Gpa base, uint64_t size, void *host, const MmioOps *ops, void *dev);
/* The region that begins at base is there for Secure accesses only; before vCPUs run. Copies by mem_read and mem_write, and mem_ptr, are Non-secure. */
void mem_secure(PhysMem *m, Gpa base);
void mem_flash_direct(PhysMem *m, MemRegion *r, bool direct);
/* Moves a region (PCI BAR); enabled = false takes it out of the map. */
void mem_move(PhysMem *m, MemRegion *r, Gpa base, bool enabled);

/* Host address of [at, at + len) if all of it is one piece of RAM (of ROM too when !write), else NULL. */
void *mem_ptr(PhysMem *m, Gpa at, uint64_t len, bool write);
/* The same of flash and Secure memory as well, for who lays contents down before a guest runs. */
void *mem_contents(PhysMem *m, Gpa at, uint64_t len);
void mem_wrote(PhysMem *m, Gpa at, uint64_t len);
/* 0, or -EFAULT when some of it is no RAM: then what lies before it was done. Writing calls mem_wrote itself. */
int mem_read(PhysMem *m, Gpa at, void *to, uint64_t len);
int mem_write(PhysMem *m, Gpa at, const void *from, uint64_t len);
/* One access as a vCPU or a device makes it, registers included (MSI writes); false = external abort. */
bool mem_access(PhysMem *m, Gpa at, unsigned size, bool write, uint64_t *value, MemAttrs attrs);
/* Calls fn for each region in order of address (`info mtree`). */
void mem_each(PhysMem *m, void (*fn)(void *arg, const char *name, Gpa base, uint64_t size, const char *kind), void *arg);

#endif
