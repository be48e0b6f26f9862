/* vma.c - the guest's mappings and the system calls that change them (vma.h says what must hold).
 *
 * How one of the guest's calls is kept off armx's own memory: a range that it names is compared with the table;
 * parts that are not the guest's are first claimed with MAP_FIXED_NOREPLACE, which fails where armx has something.
 * The guest then sees ENOMEM, as if the address space were full there.
 */
#include "vma.h"

#include <inttypes.h>

#include "image.h"
#include "log.h"
#include "vma_tree.h"

enum { MAP_SHARED_ = 1, MAP_PRIVATE_ = 2, MAP_TYPE_VALIDATE = 3, MAP_TYPE_ = 15, MAP_FIXED_ = 0x10, MAP_ANON_ = 0x20, MAP_32BIT_ = 0x40,
       MAP_ABOVE4G_ = 0x80, MAP_GROWSDOWN_ = 0x100, MAP_LOCKED_ = 0x2000, MAP_NORESERVE_ = 0x4000, MAP_HUGETLB_ = 0x40000,
       MAP_NOREPLACE_ = 0x100000 };
enum { PROT_DOWN = 0x01000000, PROT_UP = 0x02000000 };
enum { MREMAP_MAYMOVE_ = 1, MREMAP_FIXED_ = 2, MREMAP_DONTUNMAP_ = 4 };
enum { SHM_RND_ = 020000, SHM_REMAP_ = 040000, SHM_EXEC_ = 0100000, IPC_STAT_ = 2 };
enum { ADVICE_DONTNEED = 4, ADVICE_FREE = 8, ADVICE_REMOVE = 9, ADVICE_DONTFORK = 10, ADVICE_DOFORK = 11, ADVICE_WIPEONFORK = 18,
       ADVICE_KEEPONFORK = 19, ADVICE_DONTNEED_LOCKED = 24 };
/* Where the guest's mappings go when it does not say: downwards from an address well below everything of armx's, so
 * that a guest which maps over or beside its own memory without asking does not meet armx. */
#define ZONE_GAP (256ull << 30)
#define HUGE_PAGE (2ull << 20)
/* Objects that are not files. */
#define DEV_ANON_SHARED (~0ull)
#define DEV_SYSV (~1ull)

static VmaTree tree;
static RwLock tree_lock;
static uint64_t tree_version; /* counts changes */
static Mutex mm_mutex;
static uint64_t brk_start, brk_now;
static uint64_t next_object = 1;
static uint64_t zone_top, zone_next; /* the next mapping ends here at most */
static bool fork_advised; /* has a mapping ever been VMA_DONTFORK or VMA_WIPEONFORK? */
static bool lock_future; /* mlockall(MCL_FUTURE): later mappings are locked */
static uint64_t as_limit = ~(uint64_t)0; /* RLIMIT_AS, of the guest's own */
static bool exec_objects[4096]; /* by a hash: has the object ever had an executable mapping? */

static bool failed(int64_t r)
{
    return r < 0 && r > -4096;
}

void mm_lock(void)
{
    mutex_lock(&mm_mutex);
}

void mm_unlock(void)
{
    mutex_unlock(&mm_mutex);
}

void mm_fork_prepare(void)
{
    write_lock(&tree_lock);
}

void mm_fork_done(bool child)
{
    if (child) {
        tree_lock = (RwLock){0, 0};
    } else {
        write_unlock(&tree_lock);
    }
}

void mm_limit(uint32_t resource, uint64_t bytes)
{
    if (resource == RLIM_AS) {
        mm_lock();
        as_limit = bytes;
        mm_unlock();
    }
}

static bool too_much(uint64_t more)
{
    return more > as_limit || tree.bytes > as_limit - more;
}

void vma_init(void)
{
    uint64_t as[2];
    raw_call(__NR_prlimit64, 0, RLIM_AS, NULL, as);
    as_limit = as[0] == ~(uint64_t)0 || as[0] < OWN_MEMORY ? as_limit : as[0] - OWN_MEMORY;
    tree.seed = (uint32_t)(uintptr_t)&tree | 1;
    process.space.fetch = space_fetch;
    process.space.kept = space_kept;
    process.space.guarded = space_guarded;
    process.space.code_changed = mm_code_changed;
    process.space.base = 0;
    int64_t own = raw_call(__NR_mmap, 0, PAGE, 0, 0x22, -1, 0);
    raw_call(__NR_munmap, own, PAGE);
    zone_top = ALIGN_DOWN((uint64_t)own - ZONE_GAP, HUGE_PAGE) - (random_below(1 << 24) << 12);
    if (process.opt.reserved_va < 1ull << 30 || process.opt.reserved_va >= zone_top) {
        process.opt.reserved_va = 0;
    } else {
        zone_top = ALIGN_DOWN(process.opt.reserved_va, HUGE_PAGE) - HUGE_PAGE - (random_below(1 << 16) << 12);
    }
    zone_next = zone_top;
}

/* -- looking -------------------------------------------------------------------------------------- */

bool vma_find(uint64_t addr, VmaInfo *out)
{
    read_lock(&tree_lock);
    Vma *v = vma_tree_find(&tree, addr);
    if (v) {
        *out = v->i;
    }
    read_unlock(&tree_lock);
    return v != NULL;
}

bool vma_next(uint64_t addr, VmaInfo *out)
{
    read_lock(&tree_lock);
    Vma *v = vma_tree_first(&tree, addr);
    if (v) {
        *out = v->i;
    }
    read_unlock(&tree_lock);
    return v != NULL;
}

unsigned vma_count(void)
{
    return tree.count;
}

uint64_t vma_total(void)
{
    return tree.bytes;
}

void vma_log(void)
{
    VmaInfo v;
    log_printf("start            end              size             prot\n");
    for (uint64_t at = 0; vma_next(at, &v); at = v.end) {
        log_printf("%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %c%c%c\n", v.start, v.end, v.end - v.start, v.prot & G_READ ? 'r' : '-',
                   v.prot & G_WRITE ? 'w' : '-', v.prot & G_EXEC ? 'x' : '-');
    }
    log_printf("start_code  0x%016" PRIx64 "\nend_code    0x%016" PRIx64 "\nstart_data  0x%016" PRIx64 "\nend_data    0x%016" PRIx64
               "\nstart_brk   0x%016" PRIx64 "\nentry       0x%016" PRIx64 "\nstart_stack 0x%016" PRIx64 "\nvdso        0x%016" PRIx64 "\n",
               process.start_code, process.end_code, process.start_data, process.end_data, brk_start, process.entry,
               process.start_stack, process.vdso);
}

bool vma_covers(uint64_t addr, uint64_t len)
{
    VmaInfo v;
    for (uint64_t at = addr; at < addr + len; at = v.end) {
        if (!vma_find(at, &v)) {
            return false;
        }
    }
    return true;
}

enum { RUN_SHARED = 1 << 8 };
static uint32_t prot_of(const VmaInfo *v)
{
    return v->prot | (v->flags & VMA_SHARED ? RUN_SHARED : 0);
}

/* The next run of touching mappings in [*at, end): its bounds, clipped; what of G_* and RUN_SHARED any of them has. False when there
 * is none. */
static bool next_run(uint64_t at, uint64_t end, uint64_t *run_start, uint64_t *run_end, uint32_t *prots)
{
    VmaInfo v;
    if (at >= end || !vma_next(at, &v) || v.start >= end) {
        return false;
    }
    *run_start = v.start > at ? v.start : at;
    *prots = prot_of(&v);
    for (*run_end = v.end; *run_end < end && vma_find(*run_end, &v); *run_end = v.end) {
        *prots |= prot_of(&v);
    }
    *run_end = *run_end < end ? *run_end : end;
    return true;
}

static bool has_exec(uint64_t start, uint64_t end)
{
    uint64_t s, e;
    uint32_t prots, all = 0;
    for (uint64_t at = start; next_run(at, end, &s, &e, &prots); at = e) {
        all |= prots;
    }
    return all & G_EXEC;
}

/* Code at [start, end) is gone or may no longer be executed. */
static void forget_code(uint64_t start, uint64_t end)
{
    if (process.engine) {
        engine_invalidate(process.engine, gva(start), end - start);
    }
}

/* Other processes see what the guest may write to from now on. Before it can. */
static void now_shared(uint64_t prot)
{
    if (prot & G_WRITE && process.engine) {
        engine_share(process.engine);
    }
}

static uint64_t host_prot(uint64_t prot)
{
    return (prot & (G_READ | G_WRITE)) | (prot & G_EXEC ? G_READ : 0);
}

static uint32_t guest_prot(uint64_t prot)
{
    return (uint32_t)(prot & (G_READ | G_WRITE | G_EXEC | G_BTI | G_MTE));
}

/* -- changing the table ----------------------------------------------------------------------------- */

static bool *exec_object(const VmaInfo *v)
{
    return &exec_objects[((v->dev * 31 + v->ino) * 0x9e3779b97f4a7c15ull) >> 52];
}

static void note_exec(const VmaInfo *v)
{
    if (v->prot & G_EXEC && v->ino) {
        *exec_object(v) = true;
    }
}

static int table_set(const VmaInfo *i)
{
    write_lock(&tree_lock);
    int r = vma_tree_remove(&tree, i->start, i->end);
    if (r == 0) {
        r = vma_tree_insert(&tree, i);
    }
    note_exec(i);
    tree_version++;
    write_unlock(&tree_lock);
    return r;
}

static int table_remove(uint64_t start, uint64_t end)
{
    write_lock(&tree_lock);
    int r = vma_tree_remove(&tree, start, end);
    tree_version++;
    write_unlock(&tree_lock);
    return r;
}

static int table_change(uint64_t start, uint64_t end, uint32_t prot, uint32_t set, uint32_t clear)
{
    write_lock(&tree_lock);
    int r = vma_tree_change(&tree, start, end, prot, set, clear);
    tree_version++;
    write_unlock(&tree_lock);
    return r;
}

/* Claims every part of [start, end) that is not the guest's; -ENOMEM when armx has something there (then nothing
 * stays claimed). */
static int claim_holes(uint64_t start, uint64_t end, bool release)
{
    uint64_t at = start;
    while (at < end) {
        VmaInfo v;
        bool any = vma_next(at, &v) && v.start < end;
        uint64_t hole_end = any ? v.start : end;
        if (hole_end > at) {
            if (release) {
                raw_call(__NR_munmap, at, hole_end - at);
            } else {
                int64_t r = raw_call(__NR_mmap, at, hole_end - at, 0,
                                     MAP_PRIVATE_ | MAP_ANON_ | MAP_NORESERVE_ | MAP_NOREPLACE_, -1, 0);
                if (failed(r) || (uint64_t)r != at) {
                    if (!failed(r)) {
                        raw_call(__NR_munmap, r, hole_end - at);
                    }
                    if (at > start) {
                        claim_holes(start, at, true);
                    }
                    return r == -EPERM ? -EPERM : -ENOMEM;
                }
            }
        }
        at = any ? v.end : end;
    }
    return 0;
}

/* -- mmap ------------------------------------------------------------------------------------------- */

typedef struct FileId {
    uint64_t dev, ino;
    bool noexec;
} FileId;

/* Which object a descriptor is; noexec when it lies on a file system mounted so. False: it is no descriptor. */
static bool file_id(int fd, bool want_exec, FileId *id)
{
    uint64_t st[18], fs[15];
    id->dev = id->ino = 0;
    id->noexec = false;
    int64_t r = raw_call(__NR_fstat, fd, st);
    if (r == 0) {
        id->dev = st[0] + 1;
        id->ino = st[1];
    }
    if (want_exec && raw_call(__NR_fstatfs, fd, fs) == 0) {
        id->noexec = fs[10] & 8; /* f_flags, ST_NOEXEC */
    }
    return r != -EBADF;
}

/* mmap with a free address in the guest's zone; the kernel's choice when there is none. */
static int64_t zone_mmap(uint64_t len, uint64_t prot, uint64_t flags, int64_t fd, uint64_t off)
{
    bool validated = (flags & MAP_TYPE_) == MAP_TYPE_VALIDATE; /* refuses MAP_FIXED_NOREPLACE */
    for (unsigned tries = 0; tries < 8 && len < zone_next / 2 && !validated; tries++) {
        uint64_t at = zone_next - len;
        at = len >= HUGE_PAGE ? ALIGN_DOWN(at, HUGE_PAGE) : at;
        int64_t r = raw_call(__NR_mmap, at, len, prot, flags | MAP_NOREPLACE_, fd, off);
        if (r == -EINVAL) {
            break; /* perhaps its alignment: hugetlbfs, devices */
        }
        if (r != -EEXIST) {
            zone_next = failed(r) ? zone_next : at;
            return r;
        }
        uint64_t step = HUGE_PAGE << 2 * tries;
        zone_next = tries == 7 || at <= step ? zone_top : at - step;
    }
    return raw_call(__NR_mmap, 0, len, prot, flags, fd, off);
}

/* [start, end) is free again: when it was the lowest, the next mapping may take its place. */
static void zone_freed(uint64_t start, uint64_t end)
{
    if (start == zone_next && end <= zone_top) {
        VmaInfo v;
        zone_next = vma_next(end, &v) && v.start < zone_top ? v.start : zone_top;
    }
}

static int64_t map_locked(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, int64_t fd, uint64_t off)
{
    VmaInfo v = {.prot = guest_prot(prot)};
    bool fixed = flags & (MAP_FIXED_ | MAP_NOREPLACE_), replace = flags & MAP_FIXED_ && !(flags & MAP_NOREPLACE_);
    FileId id = {0, 0, false};
    if (off % PAGE || (!(flags & MAP_ANON_) && !file_id((int)fd, prot & G_EXEC, &id))) {
        return off % PAGE ? -EINVAL : -EBADF;
    }
    if (len == 0 || (fixed && addr % PAGE)) {
        return -EINVAL;
    }
    if (len > VA_END || (len = PAGE_UP(len)) == 0 || (fixed && addr > VA_END - len)) {
        return -ENOMEM;
    }
    if (too_much(len) && !(replace && vma_covers(addr, len))) {
        return -ENOMEM;
    }
    if (id.noexec) {
        return -EPERM;
    }
    flags &= ~(uint64_t)(MAP_32BIT_ | MAP_ABOVE4G_ | MAP_GROWSDOWN_);
    flags |= lock_future && prot ? MAP_LOCKED_ : 0;
    if (!fixed && addr > VA_END - len) {
        addr = 0;
    }
    bool holes = replace && !vma_covers(addr, len);
    if (holes) {
        int e = claim_holes(addr, addr + len, false);
        if (e < 0) {
            return e;
        }
    }
    bool choose = !addr && !fixed && !(flags & MAP_HUGETLB_);
    int64_t r = choose ? zone_mmap(len, host_prot(prot), flags, fd, off)
                       : raw_call(__NR_mmap, addr, len, host_prot(prot), flags, fd, off);
    if (failed(r) || (flags & MAP_NOREPLACE_ && (uint64_t)r != addr)) {
        if (holes) {
            claim_holes(addr, addr + len, true);
        }
        if (!failed(r)) {
            raw_call(__NR_munmap, r, len);
            r = -EEXIST;
        }
        return r;
    }
    bool code = replace && has_exec((uint64_t)r, (uint64_t)r + len);
    v.start = (uint64_t)r;
    v.end = v.start + len;
    v.offset = off;
    uint64_t type = flags & MAP_TYPE_;
    v.flags = type == MAP_PRIVATE_ ? 0 : VMA_SHARED;
    if (!(flags & MAP_ANON_)) {
        v.flags |= VMA_FILE;
        v.dev = id.dev;
        v.ino = id.ino;
    } else if (v.flags & VMA_SHARED) {
        v.dev = DEV_ANON_SHARED;
        v.ino = next_object++;
        v.offset = 0;
    } else {
        v.offset = 0;
    }
    if (table_set(&v) < 0) {
        raw_call(__NR_munmap, v.start, len);
        return -ENOMEM;
    }
    if (code) {
        forget_code(v.start, v.end);
    }
    if (v.flags & VMA_SHARED) {
        now_shared(prot);
    }
    return r;
}

int64_t mm_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, int64_t fd, uint64_t off)
{
    mm_lock();
    int64_t r = map_locked(addr, len, prot, flags, fd, off);
    mm_unlock();
    return r;
}

int64_t mm_map_special(uint64_t addr, uint64_t len, uint64_t prot, uint64_t map_flags, uint32_t vma_flags)
{
    mm_lock();
    int64_t r = map_locked(addr, len, prot, MAP_PRIVATE_ | MAP_ANON_ | map_flags, -1, 0);
    if (!failed(r)) {
        table_change((uint64_t)r, (uint64_t)r + PAGE_UP(len), ~0u, vma_flags, 0);
    }
    mm_unlock();
    return r;
}

int mm_hide(uint64_t addr, uint64_t len)
{
    mm_lock();
    int64_t r = raw_call(__NR_mmap, addr, len, 0, MAP_PRIVATE_ | MAP_ANON_ | MAP_NORESERVE_ | MAP_FIXED_, -1, 0);
    if (!failed(r)) {
        table_remove(addr, addr + len);
    }
    mm_unlock();
    return failed(r) ? (int)r : 0;
}

/* -- munmap, mprotect, madvise ------------------------------------------------------------------------ */

static int64_t unmap_locked(uint64_t addr, uint64_t len)
{
    if (addr % PAGE || len == 0 || len > VA_END || addr > VA_END - PAGE_UP(len)) {
        return -EINVAL;
    }
    uint64_t end = addr + PAGE_UP(len), s, e;
    uint32_t prots;
    bool code = has_exec(addr, end);
    for (uint64_t at = addr; next_run(at, end, &s, &e, &prots); at = e) {
        int64_t r = raw_call(__NR_munmap, s, e - s);
        if (r < 0) {
            return r;
        }
    }
    int r = table_remove(addr, end);
    zone_freed(addr, end);
    if (code) {
        forget_code(addr, end);
    }
    return r;
}

int64_t mm_munmap(uint64_t addr, uint64_t len)
{
    mm_lock();
    int64_t r = unmap_locked(addr, len);
    mm_unlock();
    return r;
}

static int64_t protect_locked(uint64_t addr, uint64_t len, uint64_t prot)
{
    VmaInfo v;
    uint64_t known = G_READ | G_WRITE | G_EXEC | 8 | (a64_hwcap(process.model, 1) >> 17 & 1 ? G_BTI : 0);
    if (addr % PAGE || (prot & (PROT_DOWN | PROT_UP)) == (PROT_DOWN | PROT_UP)) {
        return -EINVAL;
    }
    if (len == 0) {
        return 0;
    }
    len = PAGE_UP(len);
    if (len == 0 || addr + len <= addr) {
        return -ENOMEM;
    }
    if (prot & ~(known | PROT_DOWN | PROT_UP)) {
        return -EINVAL;
    }
    if (prot & (PROT_DOWN | PROT_UP)) {
        if (prot & PROT_UP || !vma_find(addr, &v) || !(v.flags & VMA_STACK)) {
            return -EINVAL;
        }
        len += addr - v.start;
        addr = v.start;
    }
    uint64_t at = addr, end = addr + len, s, e;
    uint32_t prots;
    while (at < end) {
        if (!next_run(at, end, &s, &e, &prots) || s > at) {
            return -ENOMEM;
        }
        if (prots & RUN_SHARED) {
            now_shared(prot);
        }
        int64_t r = raw_call(__NR_mprotect, s, e - s, host_prot(prot));
        if (r < 0) {
            return r;
        }
        if (table_change(s, e, guest_prot(prot), 0, VMA_WATCHED) < 0) {
            return -ENOMEM;
        }
        VmaInfo part;
        for (uint64_t p = s; prot & G_EXEC && p < e && vma_next(p, &part); p = part.end) {
            note_exec(&part);
        }
        if (prots & G_EXEC && !(prot & G_EXEC)) {
            forget_code(s, e);
        }
        at = e;
    }
    return 0;
}

int64_t mm_mprotect(uint64_t addr, uint64_t len, uint64_t prot)
{
    mm_lock();
    int64_t r = protect_locked(addr, len, prot);
    mm_unlock();
    return r;
}

/* What fork makes of a range is noted in the table, for mm_forked. */
static void advise_fork(uint64_t start, uint64_t end, int advice)
{
    switch (advice) {
    case ADVICE_DONTFORK: table_change(start, end, ~0u, VMA_DONTFORK, 0); break;
    case ADVICE_DOFORK: table_change(start, end, ~0u, 0, VMA_DONTFORK); break;
    case ADVICE_WIPEONFORK: table_change(start, end, ~0u, VMA_WIPEONFORK, 0); break;
    case ADVICE_KEEPONFORK: table_change(start, end, ~0u, 0, VMA_WIPEONFORK); break;
    default: return;
    }
    fork_advised = true;
}

void mm_forked(void)
{
    VmaInfo v;
    if (!fork_advised) {
        return;
    }
    mm_lock();
    for (uint64_t at = 0; vma_next(at, &v); at = v.end) {
        if (v.flags & VMA_DONTFORK) {
            table_remove(v.start, v.end);
        }
        if (v.flags & (VMA_DONTFORK | VMA_WIPEONFORK) && v.prot & G_EXEC) {
            forget_code(v.start, v.end);
        }
    }
    mm_unlock();
}

int64_t mm_madvise(uint64_t addr, uint64_t len, int advice)
{
    if (addr % PAGE || len > VA_END || addr > VA_END - PAGE_UP(len)) {
        int64_t r = raw_call(__NR_madvise, addr, 0, advice); /* a bad advice comes first */
        return r < 0 || len > VA_END ? -EINVAL : -ENOMEM;
    }
    mm_lock();
    uint64_t end = addr + PAGE_UP(len), s, e, at = addr;
    uint32_t prots;
    int64_t result = 0;
    if (addr == end) {
        result = raw_call(__NR_madvise, addr, len, advice);
    }
    while (at < end) {
        if (!next_run(at, end, &s, &e, &prots)) {
            int64_t r = raw_call(__NR_madvise, addr, 0, advice);
            result = result ? result : r < 0 ? r : -ENOMEM;
            break;
        }
        int64_t r = raw_call(__NR_madvise, s, e - s, advice);
        bool empties = advice == ADVICE_DONTNEED || advice == ADVICE_FREE || advice == ADVICE_REMOVE ||
                       advice == ADVICE_DONTNEED_LOCKED;
        if (prots & G_EXEC && empties) {
            forget_code(s, e);
        }
        if (r == 0) {
            advise_fork(s, e, advice);
        }
        if (r < 0 && r != -ENOMEM) {
            result = r;
            break;
        }
        result = r < 0 || s > at ? -ENOMEM : result;
        at = e;
    }
    mm_unlock();
    return result;
}

enum { LOCK_CURRENT = 1, LOCK_FUTURE = 2, LOCK_ONFAULT = 4 };

int64_t mm_lock_all(unsigned flags)
{
    VmaInfo v;
    int64_t r = 0;
    if (!flags || flags & ~(unsigned)(LOCK_CURRENT | LOCK_FUTURE | LOCK_ONFAULT) || flags == LOCK_ONFAULT) {
        return -EINVAL;
    }
    mm_lock();
    for (uint64_t at = 0; flags & LOCK_CURRENT && r >= 0 && vma_next(at, &v); at = v.end) {
        if (v.prot) {
            r = raw_call(__NR_mlock2, v.start, v.end - v.start, flags & LOCK_ONFAULT ? 1 : 0);
        }
    }
    lock_future = r >= 0 && flags & LOCK_FUTURE;
    mm_unlock();
    return r == -ENOMEM || r == -EPERM ? r : 0;
}

int64_t mm_unlock_all(void)
{
    VmaInfo v;
    mm_lock();
    lock_future = false;
    for (uint64_t at = 0; vma_next(at, &v); at = v.end) {
        raw_call(__NR_munlock, v.start, v.end - v.start);
    }
    mm_unlock();
    return 0;
}

/* -- mremap --------------------------------------------------------------------------------------------- */

/* The host's mremap; a mapping that moves freely moves inside the guest's zone. */
static int64_t remap_host(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags, uint64_t new_addr)
{
    if ((flags & (MREMAP_MAYMOVE_ | MREMAP_FIXED_ | MREMAP_DONTUNMAP_)) != MREMAP_MAYMOVE_ || !old_len) {
        return raw_call(__NR_mremap, old, old_len, new_len, flags, new_addr);
    }
    int64_t r = raw_call(__NR_mremap, old, old_len, new_len, 0, 0);
    if (r != -ENOMEM) {
        return r;
    }
    int64_t room = zone_mmap(new_len, 0, MAP_PRIVATE_ | MAP_ANON_ | MAP_NORESERVE_, -1, 0);
    if (failed(room)) {
        return room;
    }
    r = raw_call(__NR_mremap, old, old_len, new_len, MREMAP_MAYMOVE_ | MREMAP_FIXED_, room);
    if (failed(r)) {
        raw_call(__NR_munmap, room, new_len);
        zone_freed((uint64_t)room, (uint64_t)room + new_len);
    }
    return r;
}

static int64_t remap_locked(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags, uint64_t new_addr)
{
    VmaInfo v;
    if (old % PAGE || flags & ~(uint64_t)7 || new_len == 0) {
        return -EINVAL;
    }
    if (old_len > VA_END || new_len > VA_END) {
        return old_len > VA_END ? -EINVAL : -ENOMEM;
    }
    old_len = PAGE_UP(old_len);
    new_len = PAGE_UP(new_len);
    if (!vma_find(old, &v)) {
        return -EFAULT;
    }
    if (new_len > old_len && too_much(new_len - old_len)) {
        return -ENOMEM;
    }
    bool holes = false;
    if (flags & MREMAP_FIXED_) {
        if (new_addr % PAGE || !(flags & MREMAP_MAYMOVE_) || new_addr > VA_END - new_len) {
            return -EINVAL;
        }
        holes = !vma_covers(new_addr, new_len);
        int e = holes ? claim_holes(new_addr, new_addr + new_len, false) : 0;
        if (e < 0) {
            return e;
        }
    }
    int64_t r = remap_host(old, old_len, new_len, flags, new_addr);
    if (failed(r)) {
        if (holes) {
            claim_holes(new_addr, new_addr + new_len, true);
        }
        return r;
    }
    uint64_t now = (uint64_t)r;
    bool code = v.prot & G_EXEC || has_exec(now, now + new_len);
    VmaInfo n = v;
    n.start = now;
    n.end = now + new_len;
    n.offset = v.ino ? v.offset + (old - v.start) : 0;
    n.flags &= ~(uint32_t)VMA_WATCHED;
    if (old_len && !(flags & MREMAP_DONTUNMAP_)) {
        table_remove(old, old + old_len);
    }
    if (code) {
        forget_code(old, old + old_len + !old_len);
        forget_code(now, now + new_len);
    }
    return table_set(&n) < 0 ? -ENOMEM : r;
}

int64_t mm_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags, uint64_t new_addr)
{
    mm_lock();
    int64_t r = remap_locked(old, old_len, new_len, flags, new_addr);
    mm_unlock();
    return r;
}

int64_t mm_remap_file_pages(uint64_t addr, uint64_t size, uint64_t prot, uint64_t pgoff, uint64_t flags)
{
    VmaInfo v;
    addr = PAGE_DOWN(addr);
    size = PAGE_DOWN(size);
    mm_lock();
    int64_t r = -EINVAL;
    if (vma_find(addr, &v) && vma_covers(addr, size)) {
        r = raw_call(__NR_remap_file_pages, addr, size, prot, pgoff, flags);
        if (r == 0) {
            VmaInfo n = v;
            n.start = addr;
            n.end = addr + size;
            n.offset = pgoff * PAGE;
            table_set(&n);
            forget_code(addr, addr + size);
        }
    }
    mm_unlock();
    return r;
}

/* -- brk -------------------------------------------------------------------------------------------------- */

void mm_brk_init(uint64_t start)
{
    brk_start = brk_now = start;
}

uint64_t mm_brk_start(void)
{
    return brk_start;
}

int64_t mm_brk(uint64_t addr)
{
    mm_lock();
    uint64_t have = PAGE_UP(brk_now), want = PAGE_UP(addr);
    if (addr >= brk_start && addr < VA_END) {
        if (want > have) {
            int64_t r = map_locked(have, want - have, G_READ | G_WRITE, MAP_PRIVATE_ | MAP_ANON_ | MAP_NOREPLACE_,
                                   -1, 0);
            if (!failed(r)) {
                table_change(have, want, ~0u, VMA_HEAP, 0);
                brk_now = addr;
            }
        } else if (want == have || unmap_locked(want, have - want) == 0) {
            brk_now = addr;
        }
    }
    int64_t r = (int64_t)brk_now;
    mm_unlock();
    return r;
}

/* -- System V shared memory --------------------------------------------------------------------------------- */

int64_t mm_shmat(int id, uint64_t addr, int flags)
{
    uint64_t ds[16]; /* shmid64_ds: the size is its seventh word */
    int64_t r = raw_call(__NR_shmctl, id, IPC_STAT_, ds);
    if (r < 0) {
        /* readable by others only: let the kernel say what is wrong */
        return r == -EACCES ? -EACCES : r;
    }
    uint64_t len = PAGE_UP(ds[6]), at = addr;
    if (addr && flags & SHM_RND_) {
        at = PAGE_DOWN(addr);
    }
    mm_lock();
    bool holes = at && flags & SHM_REMAP_ && !vma_covers(at, len);
    if (too_much(len) && !(at && flags & SHM_REMAP_ && !holes)) {
        mm_unlock();
        return -ENOMEM;
    }
    if (holes && (r = claim_holes(at, at + len, false)) < 0) {
        mm_unlock();
        return -EINVAL;
    }
    r = raw_call(__NR_shmat, id, addr, flags & ~SHM_EXEC_);
    if (failed(r)) {
        if (holes) {
            claim_holes(at, at + len, true);
        }
    } else {
        VmaInfo v = {.start = (uint64_t)r, .end = (uint64_t)r + len, .flags = VMA_SHARED, .dev = DEV_SYSV,
                     .ino = (uint64_t)(uint32_t)id + 1};
        v.prot = G_READ | (flags & 010000 ? 0 : G_WRITE) | (flags & SHM_EXEC_ ? G_EXEC : 0);
        bool code = has_exec(v.start, v.end);
        table_set(&v);
        if (code) {
            forget_code(v.start, v.end);
        }
        now_shared(v.prot);
    }
    mm_unlock();
    return r;
}

int64_t mm_shmdt(uint64_t addr)
{
    VmaInfo v, n;
    mm_lock();
    int64_t r = -EINVAL;
    if (vma_find(addr, &v) && v.dev == DEV_SYSV) {
        r = raw_call(__NR_shmdt, addr);
        uint64_t base = addr;
        for (uint64_t at = addr; r == 0 && vma_find(at, &n) && n.dev == v.dev && n.ino == v.ino;) {
            uint64_t from = at;
            if (n.offset + (from - n.start) != from - base) {
                break;
            }
            at = n.end;
            table_remove(from, n.end);
            if (n.prot & G_EXEC) {
                forget_code(from, n.end);
            }
        }
    }
    mm_unlock();
    return r;
}

/* -- code --------------------------------------------------------------------------------------------------- */

enum { ICACHE_LINE = 64 };

/* Fills w for the stretch around addr in which the same mappings show the same memory: programs clean whole buffers
 * line by line. False when nothing is mapped there. */
static bool code_window(uint64_t addr, CodeWindow *w)
{
    VmaInfo v, n;
    w->version = __atomic_load_n(&tree_version, __ATOMIC_ACQUIRE);
    w->n = 0;
    if (!vma_find(addr, &v)) {
        return false;
    }
    uint64_t lo = v.offset, hi = v.offset + (v.end - v.start), off = v.offset + (addr - v.start);
    if (v.prot & G_EXEC) {
        w->delta[w->n++] = 0;
    }
    bool aliases = v.ino && *exec_object(&v);
    for (uint64_t at = 0; aliases && vma_next(at, &n); at = n.end) {
        uint64_t from = n.offset, to = n.offset + (n.end - n.start);
        if (n.ino != v.ino || n.dev != v.dev || !(n.prot & G_EXEC) || n.start == v.start) {
            continue;
        }
        if (off < from) {
            hi = from < hi ? from : hi;
        } else if (off >= to) {
            lo = to > lo ? to : lo;
        } else if (w->n < LEN(w->delta)) {
            lo = from > lo ? from : lo;
            hi = to < hi ? to : hi;
            w->delta[w->n++] = n.start - n.offset - (v.start - v.offset);
        } else {
            forget_code(n.start + (off - from), n.start + (off - from) + ICACHE_LINE);
            lo = off; /* too many to remember: this line only */
            hi = off + 1;
        }
    }
    w->start = addr - (off - lo);
    w->size = hi - lo;
    return true;
}

void mm_code_changed(CpuHead *cpu, Gva where)
{
    CodeWindow *w = &((Thread *)cpu->user)->code_window;
    uint64_t addr = ALIGN_DOWN(where.v, ICACHE_LINE);
    uint64_t version = __atomic_load_n(&tree_version, __ATOMIC_ACQUIRE);
    if ((addr - w->start >= w->size || w->version != version) && !code_window(addr, w)) {
        w->size = 0;
        return;
    }
    for (unsigned k = 0; k < w->n; k++) {
        forget_code(addr + w->delta[k], addr + w->delta[k] + ICACHE_LINE);
    }
}

/* The mapping of code that is about to be translated; each thread keeps the last one. Not in signal handlers. */
static const VmaInfo *code_mapping(uint64_t pc)
{
    static __thread uint64_t version;
    static __thread VmaInfo last;
    uint64_t now = __atomic_load_n(&tree_version, __ATOMIC_ACQUIRE);
    if (UNLIKELY(version != now + 1 || pc - last.start >= last.end - last.start)) {
        version = 0;
        if (!vma_find(pc, &last)) {
            return NULL;
        }
        version = now + 1;
    }
    return &last;
}

bool space_guarded(Space *s, Gva pc)
{
    const VmaInfo *v = code_mapping(pc.v);
    (void)s;
    return v && v->prot & G_BTI;
}

const uint8_t *space_kept(Space *s, Gva pc)
{
    const VmaInfo *v = code_mapping(pc.v);
    uint8_t byte;
    (void)s;
    bool is = v && (v->prot & (G_EXEC | G_WRITE)) == G_EXEC && v->flags & (VMA_FILE | VMA_VDSO);
    return is && get_user(&byte, pc.v, 1) == 0 ? (const uint8_t *)pc.v : NULL;
}

const uint8_t *space_fetch(Space *s, Gva pc, uint32_t *avail)
{
    const VmaInfo *v = code_mapping(pc.v);
    uint8_t byte;
    (void)s;
    *avail = 0;
    if (!v) {
        return NULL;
    }
    *avail = 1;
    if (!(v->prot & G_EXEC)) {
        return NULL;
    }
    if (get_user(&byte, pc.v, 1) < 0) {
        *avail = 0; /* beyond the end of the file */
        return NULL;
    }
    if (process.opt.smc && v->prot & G_WRITE && !(v->flags & VMA_WATCHED)) {
        mm_watch_page(PAGE_DOWN(pc.v), true);
    }
    *avail = PAGE - (uint32_t)(pc.v % PAGE);
    return (const uint8_t *)pc.v;
}

int mm_watch_page(uint64_t page, bool watch)
{
    VmaInfo v;
    if (!vma_find(page, &v)) {
        return -EFAULT;
    }
    uint64_t prot = host_prot(v.prot);
    int64_t r = raw_call(__NR_mprotect, page, PAGE, watch ? prot & ~(uint64_t)G_WRITE : prot);
    if (r == 0) {
        table_change(page, page + PAGE, ~0u, watch ? VMA_WATCHED : 0, watch ? 0 : VMA_WATCHED);
    }
    return (int)r;
}

bool mm_unwatch_fault(uint64_t addr, bool *had_code)
{
    VmaInfo v;
    if (!vma_find(addr, &v) || !(v.prot & G_WRITE)) {
        return false;
    }
    *had_code = v.prot & G_EXEC;
    if (v.flags & VMA_WATCHED) {
        return mm_watch_page(PAGE_DOWN(addr), false) == 0;
    }
    return false;
}
