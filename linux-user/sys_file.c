/* sys_file.c - files: open flags, struct stat, fcntl, epoll_event, semid_ds and loop_info, in which the two
 * architectures differ; armx's own descriptors, which the guest must not close.
 */
#include <stdlib.h>

#include "sys.h"

/* Four flags have other bits on arm64 (asm/fcntl.h of both). */
static const struct {
    uint32_t guest, host;
} open_bits[] = {
    {0x4000, 0x10000},  /* O_DIRECTORY */
    {0x8000, 0x20000},  /* O_NOFOLLOW */
    {0x10000, 0x4000},  /* O_DIRECT */
    {0x20000, 0x8000},  /* O_LARGEFILE */
};

uint64_t open_flags_to_host(uint64_t flags)
{
    uint64_t r = flags & ~0x3c000ull;
    for (unsigned k = 0; k < LEN(open_bits); k++) {
        r |= flags & open_bits[k].guest ? open_bits[k].host : 0;
    }
    return r;
}

uint64_t open_flags_to_guest(uint64_t flags)
{
    uint64_t r = flags & ~0x3c000ull;
    for (unsigned k = 0; k < LEN(open_bits); k++) {
        r |= flags & open_bits[k].host ? open_bits[k].guest : 0;
    }
    return r;
}

/* -- opening --------------------------------------------------------------------------------------------- */

enum { PATH_SIZE = 4096 };

/* Files of /proc that are armx's business; true when *ret is the result. */
static bool open_special(Thread *t, int dirfd, uint64_t path, uint64_t flags, int64_t *ret)
{
    char name[PATH_SIZE];
    return get_user_string(name, path, sizeof name) > 0 && proc_maybe(name) && proc_open(t, dirfd, name, flags, ret);
}

int64_t sys_openat(Thread *t, uint64_t a[6])
{
    char buf[PATH_SIZE];
    int64_t r;
    uint64_t flags = open_flags_to_host((uint32_t)a[2]);
    if (open_special(t, (int)a[0], a[1], flags, &r)) {
        return r;
    }
    sys_path(&a[1], buf);
    return sys_host(t, __NR_openat, a[0], a[1], flags, a[3]);
}

int64_t sys_openat2(Thread *t, uint64_t a[6])
{
    struct {
        uint64_t flags, mode, resolve, later[5];
    } how = {0};
    char buf[PATH_SIZE];
    int64_t r;
    if (a[3] < 24 || a[3] > sizeof how) {
        return a[3] < 24 ? -EINVAL : sys_host6(t, __NR_openat2, a);
    }
    if (get_user(&how, a[2], a[3]) < 0) {
        return -EFAULT;
    }
    how.flags = open_flags_to_host(how.flags);
    if (!how.resolve && open_special(t, (int)a[0], a[1], how.flags, &r)) {
        return r;
    }
    if (!how.resolve) {
        sys_path(&a[1], buf);
    }
    return sys_host(t, __NR_openat2, a[0], a[1], (uint64_t)&how, a[3]);
}

int64_t sys_open_by_handle_at(Thread *t, uint64_t a[6])
{
    return sys_host(t, __NR_open_by_handle_at, a[0], a[1], open_flags_to_host((uint32_t)a[2]));
}

int64_t sys_pipe2(Thread *t, uint64_t a[6])
{
    return sys_host(t, __NR_pipe2, a[0], open_flags_to_host((uint32_t)a[1]));
}

int64_t sys_mq_open(Thread *t, uint64_t a[6])
{
    return sys_host(t, __NR_mq_open, a[0], open_flags_to_host((uint32_t)a[1]), a[2], a[3]);
}

int64_t sys_fanotify_init(Thread *t, uint64_t a[6])
{
    return sys_host(t, __NR_fanotify_init, a[0], open_flags_to_host((uint32_t)a[1]));
}

int64_t sys_fcntl(Thread *t, uint64_t a[6])
{
    enum { GETFL = 3, SETFL = 4 };
    if ((int)a[1] == GETFL) {
        int64_t r = sys_host6(t, __NR_fcntl, a);
        return r < 0 ? r : (int64_t)open_flags_to_guest((uint64_t)r);
    }
    if ((int)a[1] == SETFL) {
        return sys_host(t, __NR_fcntl, a[0], a[1], open_flags_to_host((uint32_t)a[2]));
    }
    return sys_host6(t, __NR_fcntl, a);
}

/* -- armx's own descriptors -------------------------------------------------------------------------------- */

enum { MAX_HIDDEN = 16 };
static int hidden[MAX_HIDDEN];
static unsigned nhidden;

bool sys_fd_is_ours(uint64_t fd)
{
    for (unsigned k = 0; k < nhidden; k++) {
        if (hidden[k] == (int)fd) {
            return true;
        }
    }
    return false;
}

void fd_own(int fd)
{
    if (nhidden < MAX_HIDDEN) {
        hidden[nhidden++] = fd;
    }
}

int fd_hide(int fd)
{
    enum { RLIMIT_NOFILE_ = 7, DUPFD_CLOEXEC = 1030 };
    uint64_t lim[2] = {1024, 1024};
    raw_call(__NR_prlimit64, 0, RLIMIT_NOFILE_, 0, lim);
    uint64_t high = lim[0] > 65536 ? 65536 : lim[0];
    int64_t n = raw_call(__NR_fcntl, fd, DUPFD_CLOEXEC, high > 64 ? high - 32 : 3);
    if (n >= 0) {
        raw_call(__NR_close, fd);
        fd = (int)n;
    }
    fd_own(fd);
    return fd;
}

int64_t sys_close(Thread *t, uint64_t a[6])
{
    return nhidden && sys_fd_is_ours(a[0]) ? -EBADF : sys_host6(t, __NR_close, a);
}

int64_t sys_dup3(Thread *t, uint64_t a[6])
{
    if (nhidden && (sys_fd_is_ours(a[0]) || sys_fd_is_ours(a[1]))) {
        return -EBADF;
    }
    return sys_host(t, __NR_dup3, a[0], a[1], open_flags_to_host((uint32_t)a[2]));
}

int64_t sys_close_range(Thread *t, uint64_t a[6])
{
    uint64_t first = (uint32_t)a[0], last = (uint32_t)a[1];
    while (nhidden && first <= last) {
        uint64_t stop = last + 1;
        for (unsigned k = 0; k < nhidden; k++) {
            if ((uint64_t)hidden[k] >= first && (uint64_t)hidden[k] < stop) {
                stop = (uint64_t)hidden[k];
            }
        }
        if (stop > last) {
            break;
        }
        if (stop > first) {
            int64_t r = raw_call(__NR_close_range, first, stop - 1, a[2]);
            if (r < 0) {
                return r;
            }
        }
        first = stop + 1;
        if (first > last) {
            return 0;
        }
    }
    return sys_host(t, __NR_close_range, first, a[1], a[2]);
}

/* -- stat ---------------------------------------------------------------------------------------------------- */

typedef struct HostStat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    uint64_t times[6];
    int64_t unused[3];
} HostStat;
_Static_assert(sizeof(HostStat) == 144, "struct stat, x86-64");

typedef struct GuestStat {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, pad1;
    int64_t size;
    int32_t blksize, pad2;
    int64_t blocks;
    uint64_t times[6];
    uint32_t unused[2];
} GuestStat;
_Static_assert(sizeof(GuestStat) == 128, "struct stat, arm64");

static int64_t put_stat(uint64_t to, const HostStat *h)
{
    GuestStat g = {.dev = h->dev, .ino = h->ino, .mode = h->mode, .nlink = (uint32_t)h->nlink, .uid = h->uid,
                   .gid = h->gid, .rdev = h->rdev, .size = h->size, .blksize = (int32_t)h->blksize,
                   .blocks = h->blocks};
    memcpy(g.times, h->times, sizeof g.times);
    return put_user(to, &g, sizeof g) < 0 ? -EFAULT : 0;
}

/* The host's folder first: names of files to be made there are the host's, too. */
int64_t sys_chdir(Thread *t, uint64_t a[6])
{
    char buf[PATH_SIZE];
    int64_t r = sys_host(t, __NR_chdir, a[0]);
    if (r == -ENOENT) {
        sys_path(&a[0], buf);
        r = sys_host(t, __NR_chdir, a[0]);
    }
    return r;
}

int64_t sys_newfstatat(Thread *t, uint64_t a[6])
{
    enum { NOFOLLOW = 0x100 };
    char buf[PATH_SIZE];
    HostStat st;
    if (a[3] & NOFOLLOW) {
        sys_path(&a[1], buf);
    } else {
        sys_path_followed(&a[1], (int)a[0], buf);
    }
    int64_t r = sys_host(t, __NR_newfstatat, a[0], a[1], (uint64_t)&st, a[3]);
    return r < 0 ? r : put_stat(a[2], &st);
}

int64_t sys_fstat(Thread *t, uint64_t a[6])
{
    HostStat st;
    int64_t r = sys_host(t, __NR_fstat, a[0], (uint64_t)&st);
    return r < 0 ? r : put_stat(a[1], &st);
}

int64_t sys_statx(Thread *t, uint64_t a[6])
{
    enum { NOFOLLOW = 0x100 };
    char buf[PATH_SIZE];
    if (a[1] && !(a[2] & NOFOLLOW)) {
        sys_path_followed(&a[1], (int)a[0], buf);
    } else {
        sys_path(&a[1], buf);
    }
    return sys_host6(t, __NR_statx, a);
}

int64_t sys_readlinkat(Thread *t, uint64_t a[6])
{
    char name[PATH_SIZE], buf[PATH_SIZE];
    int64_t r;
    if ((int)a[3] > 0 && get_user_string(name, a[1], sizeof name) > 0 && proc_maybe(name) &&
        proc_readlink(t, (int)a[0], name, a[2], a[3], &r)) {
        return r;
    }
    sys_path(&a[1], buf);
    return sys_host6(t, __NR_readlinkat, a);
}

/* -- epoll, semaphores, loop devices --------------------------------------------------------------------------- */

int64_t sys_epoll_ctl(Thread *t, uint64_t a[6])
{
    uint8_t in[16], out[12];
    enum { CTL_DEL = 2 };
    if ((int)a[1] == CTL_DEL) {
        return sys_host6(t, __NR_epoll_ctl, a);
    }
    if (get_user(in, a[3], sizeof in) < 0) {
        return -EFAULT;
    }
    memcpy(out, in, 4);
    memcpy(out + 4, in + 8, 8);
    return sys_host(t, __NR_epoll_ctl, a[0], a[1], a[2], (uint64_t)out);
}

int64_t sys_semctl(Thread *t, uint64_t a[6])
{
    enum { IPC_SET_ = 1, IPC_STAT_ = 2, SEM_STAT_ = 18, SEM_STAT_ANY_ = 20, PERM = 6 };
    uint64_t h[13] = {0}, g[11] = {0}; /* semid64_ds in words: permissions, then times and count */
    int cmd = (int)a[2];
    if (cmd == IPC_SET_) {
        if (get_user(g, a[3], sizeof g) < 0) {
            return -EFAULT;
        }
        memcpy(h, g, 8 * PERM);
        return sys_host(t, __NR_semctl, a[0], a[1], a[2], (uint64_t)h);
    }
    if (cmd != IPC_STAT_ && cmd != SEM_STAT_ && cmd != SEM_STAT_ANY_) {
        return sys_host6(t, __NR_semctl, a);
    }
    int64_t r = sys_host(t, __NR_semctl, a[0], a[1], a[2], (uint64_t)h);
    if (r < 0) {
        return r;
    }
    memcpy(g, h, 8 * PERM);
    g[6] = h[6];  /* otime */
    g[7] = h[8];  /* ctime */
    g[8] = h[10]; /* nsems */
    return put_user(a[3], g, sizeof g) < 0 ? -EFAULT : r;
}

/* loop_info: the two device numbers are 8 bytes on x86-64, 4 on arm64. */
static void loop_to_host(uint8_t *h, const uint8_t *g)
{
    memset(h, 0, 168);
    memcpy(h, g, 4);
    memcpy(h + 8, g + 4, 4);
    memcpy(h + 16, g + 8, 8);
    memcpy(h + 24, g + 16, 4);
    memcpy(h + 32, g + 20, 16 + 64 + 32);
    memcpy(h + 144, g + 136, 20);
}

static void loop_to_guest(uint8_t *g, const uint8_t *h)
{
    memset(g, 0, 160);
    memcpy(g, h, 4);
    memcpy(g + 4, h + 8, 4);
    memcpy(g + 8, h + 16, 8);
    memcpy(g + 16, h + 24, 4);
    memcpy(g + 20, h + 32, 16 + 64 + 32);
    memcpy(g + 136, h + 144, 20);
}

int64_t sys_ioctl(Thread *t, uint64_t a[6])
{
    enum { LOOP_SET_STATUS_ = 0x4c02, LOOP_GET_STATUS_ = 0x4c03 };
    uint8_t g[160], h[168];
    if ((uint32_t)a[1] == LOOP_SET_STATUS_) {
        if (get_user(g, a[2], sizeof g) < 0) {
            return -EFAULT;
        }
        loop_to_host(h, g);
        return sys_host(t, __NR_ioctl, a[0], a[1], (uint64_t)h);
    }
    if ((uint32_t)a[1] == LOOP_GET_STATUS_) {
        int64_t r = sys_host(t, __NR_ioctl, a[0], a[1], (uint64_t)h);
        loop_to_guest(g, h);
        return r == 0 && put_user(a[2], g, sizeof g) < 0 ? -EFAULT : r;
    }
    return sys_host6(t, __NR_ioctl, a);
}
