/* sys_mem.c - the memory calls: argument words to the functions of vma.c. */
#include "sys.h"
#include "vma.h"

/* PR_SET_MDWE: nothing is writable and executable, and what was not executable does not become so. */
static bool refused(uint64_t start, uint64_t len, uint64_t prot, bool there)
{
    VmaInfo v;
    if (LIKELY(!process.mdwe) || !(prot & G_EXEC)) {
        return false;
    }
    bool gains = false;
    for (uint64_t at = start; there && !gains && vma_next(at, &v) && v.start < start + len; at = v.end) {
        gains = !(v.prot & G_EXEC);
    }
    return gains || prot & G_WRITE;
}

int64_t sys_mmap(Thread *t, uint64_t a[6])
{
    (void)t;
    if (refused(a[0], a[1], a[2], false)) {
        return -EACCES;
    }
    return mm_mmap(a[0], a[1], a[2], a[3], (int32_t)a[4], a[5]);
}

int64_t sys_munmap(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_munmap(a[0], a[1]);
}

int64_t sys_mprotect(Thread *t, uint64_t a[6])
{
    (void)t;
    return refused(a[0], a[1], a[2], true) ? -EACCES : mm_mprotect(a[0], a[1], a[2]);
}

int64_t sys_mremap(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_mremap(a[0], a[1], a[2], a[3], a[4]);
}

int64_t sys_madvise(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_madvise(a[0], a[1], (int)a[2]);
}

int64_t sys_brk(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_brk(a[0]);
}

int64_t sys_shmat(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_shmat((int)a[0], a[1], (int)a[2]);
}

/* The kernel writes to buffers and to its ring whenever it likes. */
int64_t sys_io_setup(Thread *t, uint64_t a[6])
{
    engine_share(process.engine);
    return sys_host6(t, __NR_io_setup, a);
}

int64_t sys_shmdt(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_shmdt(a[0]);
}

int64_t sys_remap_file_pages(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_remap_file_pages(a[0], a[1], a[2], a[3], a[4]);
}

/* A CPU without FEAT_S1POE has no protection keys: Linux then says what these say. */
int64_t sys_pkey_mprotect(Thread *t, uint64_t a[6])
{
    return (int)a[3] == -1 || !a[3] ? sys_mprotect(t, a) : -EINVAL;
}

int64_t sys_pkey_alloc(Thread *t, uint64_t a[6])
{
    (void)t;
    return a[0] || a[1] & ~3ull ? -EINVAL : -ENOSPC;
}

int64_t sys_pkey_free(Thread *t, uint64_t a[6])
{
    (void)t;
    (void)a;
    return -EINVAL;
}

/* Without FEAT_GCS. */
int64_t sys_map_shadow_stack(Thread *t, uint64_t a[6])
{
    (void)t;
    (void)a;
    return -EOPNOTSUPP;
}

/* The host would lock armx's memory too, all of the reserved code memory with it. */
int64_t sys_mlockall(Thread *t, uint64_t a[6])
{
    (void)t;
    return mm_lock_all((unsigned)a[0]);
}

int64_t sys_munlockall(Thread *t, uint64_t a[6])
{
    (void)t;
    (void)a;
    return mm_unlock_all();
}
