/* vma.h - the guest's mappings: which guest addresses exist, with which guest protection, of which object.
 *
 * Guest address = host address. A guest page is mapped on the host with the guest's protection, except that it is
 * never executable on the host and that executable pages are readable. Everything that is mapped on the host but not
 * listed here belongs to armx: guest calls never replace, change or unmap it.
 *
 * Two locks: the mm lock is held for the whole of one memory call (and by fork), the tree lock only while the table
 * is looked at or changed; fetch and fault handling take only the latter. engine_invalidate is called under the mm
 * lock, never under the tree lock, because the engine calls fetch under its own lock.
 */
#ifndef ARMX_USER_VMA_H
#define ARMX_USER_VMA_H

#include "user.h"

/* Guest protection bits (Linux, arm64). */
enum { G_READ = 1, G_WRITE = 2, G_EXEC = 4, G_BTI = 0x10, G_MTE = 0x20 };
enum {
    VMA_SHARED = 1,
    VMA_FILE = 2,     /* dev, ino say which */
    VMA_STACK = 4,
    VMA_HEAP = 8,
    VMA_VDSO = 16,
    VMA_VVAR = 32,
    VMA_WATCHED = 64, /* armx has taken write permission away (--smc=protect) */
    VMA_DONTFORK = 128, /* as madvise said: a forked child does not have it, or has zeros there */
    VMA_WIPEONFORK = 256,
};

typedef struct VmaInfo {
    uint64_t start, end;
    uint32_t prot, flags;
    uint64_t dev, ino, offset; /* object and offset of start: equal objects are the same memory when shared */
} VmaInfo;

void vma_init(void);
bool vma_find(uint64_t addr, VmaInfo *out);
/* The mapping at or after addr. */
bool vma_next(uint64_t addr, VmaInfo *out);
unsigned vma_count(void);
uint64_t vma_total(void); /* bytes */
void vma_log(void); /* all of them, for -d page */
/* Is every byte of the range mapped for the guest? */
bool vma_covers(uint64_t addr, uint64_t len);

/* The memory calls. Results and errors as the kernel's. */
int64_t mm_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, int64_t fd, uint64_t off);
int64_t mm_munmap(uint64_t addr, uint64_t len);
int64_t mm_mprotect(uint64_t addr, uint64_t len, uint64_t prot);
int64_t mm_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags, uint64_t new_addr);
int64_t mm_madvise(uint64_t addr, uint64_t len, int advice);
int64_t mm_brk(uint64_t addr);
/* armx's own share of limits of memory: more than it maps, which is four times its code memory and what threads need. */
#define OWN_MEMORY (2ull << 30)
enum { RLIM_AS = 9 };
/* The guest's limit of a resource; of RLIM_AS, all mappings together. What armx needs later is beyond it. */
void mm_limit(uint32_t resource, uint64_t bytes);
void mm_brk_init(uint64_t start);
uint64_t mm_brk_start(void);
int64_t mm_shmat(int id, uint64_t addr, int flags);
int64_t mm_shmdt(uint64_t addr);
int64_t mm_lock_all(unsigned flags); /* mlockall */
int64_t mm_unlock_all(void);
int64_t mm_remap_file_pages(uint64_t addr, uint64_t size, uint64_t prot, uint64_t pgoff, uint64_t flags);
/* Maps anonymous memory for the guest and gives it VMA_* flags. */
int64_t mm_map_special(uint64_t addr, uint64_t len, uint64_t prot, uint64_t map_flags, uint32_t vma_flags);

/* Takes a range from the guest that stays taken: nobody can map or touch anything there. */
int mm_hide(uint64_t addr, uint64_t len);

/* IC IVAU: drops translations of the line of addr, through whatever mapping of the same memory (Space.code_changed). */
void mm_code_changed(CpuHead *cpu, Gva where);

/* Changes host protection of one page for armx's own purposes; the guest's protection stays. */
int mm_watch_page(uint64_t page, bool watch);
/* A write fault at addr: when the page was watched, makes it writable again and says so. Called by the handler. */
bool mm_unwatch_fault(uint64_t addr, bool *had_code);

void mm_lock(void);
void mm_unlock(void);
/* The tree lock around fork; the caller has the mm lock. */
void mm_fork_prepare(void);
void mm_fork_done(bool child);
/* In a forked child, once all is unlocked: what the child has not inherited. */
void mm_forked(void);

bool space_guarded(Space *s, Gva pc);
const uint8_t *space_kept(Space *s, Gva pc);
const uint8_t *space_fetch(Space *s, Gva pc, uint32_t *avail);

#endif
