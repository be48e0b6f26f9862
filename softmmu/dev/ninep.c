/* ninep.c - a file server for one folder of the host: 9P2000.L as Linux's client speaks it.
 *
 * A fid is a number of the client's for a file: here an O_PATH descriptor, so that renames do not change what it means, and
 * an open one once it is opened. Names are resolved one component at a time without following symbolic links, and ".." of the
 * root is the root: nothing outside the folder is reached.
 * Security models: passthrough and none use the host's owners and modes (none ignores that owners cannot be set);
 * mapped-xattr keeps the guest's owner, mode and device number in extended attributes user.virtfs.*, little-endian, with
 * symbolic links and devices as plain files.
 * Used by one thread at a time.
 */
#define _GNU_SOURCE
#include "ninep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { BUCKETS = 1024, HEADER = 7, WALK_MAX = 16, XATTR_MAX = 65536, NAME_BYTES = 256, FIDS_MAX = 65536 };
enum { QT_DIR = 0x80, QT_LINK = 0x02, QT_FILE = 0 };
enum { RLERROR = 7 };

typedef struct Fid {
    uint32_t id;
    int fd;        /* O_PATH */
    int io;        /* opened, or -1 */
    DIR *dir;      /* opened directory */
    uint8_t *xattr; /* value, while the fid is one of an attribute */
    uint64_t xattr_len;
    bool xattr_write;
    uint32_t xattr_flags;
    char xattr_name[NAME_BYTES];
    struct Fid *next;
} Fid;

struct Ninep {
    const Folder *f;
    struct stat root;
    uint32_t msize;
    Fid *fids[BUCKETS];
    unsigned nfids;
};

/* A message: read from and written to with a cursor; `bad` once something did not fit. */
typedef struct Msg {
    const uint8_t *in;
    size_t in_at, in_len;
    uint8_t *out;
    size_t out_at, out_max;
    bool bad;
} Msg;

/* -- fields ------------------------------------------------------------------------------------------------------- */

static uint64_t get(Msg *m, unsigned size)
{
    uint64_t v = 0;
    if (m->in_len - m->in_at < size) {
        m->bad = true;
        return 0;
    }
    memcpy(&v, m->in + m->in_at, size);
    m->in_at += size;
    return v;
}

/* A string into buf of NAME_BYTES; too long or with a zero byte: bad. */
static const char *get_string(Msg *m, char *buf)
{
    size_t n = get(m, 2);
    buf[0] = 0;
    if (n >= NAME_BYTES || m->in_len - m->in_at < n || memchr(m->in + m->in_at, 0, n)) {
        m->bad = true;
        return buf;
    }
    memcpy(buf, m->in + m->in_at, n);
    buf[n] = 0;
    m->in_at += n;
    return buf;
}

static void put(Msg *m, unsigned size, uint64_t v)
{
    if (m->out_max - m->out_at < size) {
        m->bad = true;
        return;
    }
    memcpy(m->out + m->out_at, &v, size);
    m->out_at += size;
}

static void put_string(Msg *m, const char *s)
{
    size_t n = strlen(s);
    put(m, 2, n);
    if (m->out_max - m->out_at < n) {
        m->bad = true;
        return;
    }
    memcpy(m->out + m->out_at, s, n);
    m->out_at += n;
}

static void put_qid(Msg *m, const struct stat *st)
{
    put(m, 1, S_ISDIR(st->st_mode) ? QT_DIR : S_ISLNK(st->st_mode) ? QT_LINK : QT_FILE);
    put(m, 4, (uint64_t)st->st_mtim.tv_sec ^ (uint64_t)st->st_mtim.tv_nsec);
    put(m, 8, st->st_ino ^ (uint64_t)st->st_dev << 48);
}

/* A file name that is one component, and not . or .. */
static int check_name(const char *s)
{
    return !*s || strchr(s, '/') || !strcmp(s, ".") || !strcmp(s, "..") ? -EINVAL : 0;
}

/* -- fids --------------------------------------------------------------------------------------------------------- */

static Fid *find(Ninep *s, uint32_t id)
{
    Fid *f = s->fids[id % BUCKETS];
    while (f && f->id != id) {
        f = f->next;
    }
    return f;
}

static Fid *add(Ninep *s, uint32_t id, int fd)
{
    Fid *f = s->nfids < FIDS_MAX ? calloc(1, sizeof *f) : NULL;
    if (!f) {
        close(fd);
        return NULL;
    }
    *f = (Fid){.id = id, .fd = fd, .io = -1, .next = s->fids[id % BUCKETS]};
    s->fids[id % BUCKETS] = f;
    s->nfids++;
    return f;
}

static void proc_path(char *buf, int fd)
{
    snprintf(buf, 32, "/proc/self/fd/%d", fd);
}

static int drop(Ninep *s, uint32_t id)
{
    Fid **p = &s->fids[id % BUCKETS], *f;
    while ((f = *p) && f->id != id) {
        p = &f->next;
    }
    if (!f) {
        return -EBADF;
    }
    int err = 0;
    if (f->xattr_write) {
        char path[32];
        proc_path(path, f->fd);
        if (f->xattr_len ? setxattr(path, f->xattr_name, f->xattr, f->xattr_len, (int)f->xattr_flags)
                         : removexattr(path, f->xattr_name)) {
            err = -errno;
        }
    }
    *p = f->next;
    s->nfids--;
    if (f->dir) {
        closedir(f->dir);
    } else if (f->io >= 0) {
        close(f->io);
    }
    close(f->fd);
    free(f->xattr);
    free(f);
    return err;
}

void ninep_reset(Ninep *s)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (s->fids[i]) {
            s->fids[i]->xattr_write = false;
            drop(s, s->fids[i]->id);
        }
    }
}

Ninep *ninep_new(const Folder *f)
{
    Ninep *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->f = f;
    s->msize = NINEP_MSIZE_MAX;
    fstat(f->root, &s->root);
    return s;
}

/* -- the guest's attributes --------------------------------------------------------------------------------------------- */

static bool mapped(const Ninep *s)
{
    return s->f->model == NINEP_MAPPED;
}

static void attr_get(int fd, const char *name, void *to, size_t size)
{
    char path[32];
    uint64_t v;
    proc_path(path, fd);
    if (getxattr(path, name, &v, sizeof v) == (ssize_t)size) {
        memcpy(to, &v, size);
    }
}

static int attr_set(int fd, const char *name, const void *from, size_t size)
{
    char path[32];
    proc_path(path, fd);
    return setxattr(path, name, from, size, 0) ? -errno : 0;
}

static int status(const Ninep *s, int fd, struct stat *st)
{
    if (fstat(fd, st)) {
        return -errno;
    }
    if (mapped(s) && !S_ISLNK(st->st_mode)) {
        uint32_t uid = st->st_uid, gid = st->st_gid, mode = st->st_mode;
        uint64_t rdev = st->st_rdev;
        attr_get(fd, "user.virtfs.uid", &uid, 4);
        attr_get(fd, "user.virtfs.gid", &gid, 4);
        attr_get(fd, "user.virtfs.mode", &mode, 4);
        attr_get(fd, "user.virtfs.rdev", &rdev, 8);
        st->st_uid = uid;
        st->st_gid = gid;
        st->st_mode = mode;
        st->st_rdev = rdev;
    }
    return 0;
}

/* What a new file gets: owner gid (its user is who makes it: unknown in the message, so 0 or the host's), mode with its type. */
static int own(const Ninep *s, int dir, const char *name, uint32_t mode, uint32_t gid, uint64_t rdev)
{
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
    if (fd < 0) {
        return -errno;
    }
    if (mapped(s)) {
        uint32_t uid = 0;
        (void)((err = attr_set(fd, "user.virtfs.uid", &uid, 4)) || (err = attr_set(fd, "user.virtfs.gid", &gid, 4)) ||
               (err = attr_set(fd, "user.virtfs.mode", &mode, 4)) ||
               (err = rdev ? attr_set(fd, "user.virtfs.rdev", &rdev, 8) : 0));
    } else if (fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) && s->f->model == NINEP_PASSTHROUGH) {
        err = -errno;
    } else if (!S_ISLNK(mode)) {
        char path[32];
        proc_path(path, fd);
        err = chmod(path, mode & 07777) ? -errno : 0;
    }
    close(fd);
    return err;
}

/* -- walking -------------------------------------------------------------------------------------------------------------- */

static int step(const Ninep *s, int fd, const char *name)
{
    struct stat st;
    if (!strcmp(name, "..") && !fstat(fd, &st) && st.st_ino == s->root.st_ino && st.st_dev == s->root.st_dev) {
        name = ".";
    } else if (strcmp(name, "..") && check_name(name)) {
        return -ENOENT;
    }
    int r = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return r < 0 ? -errno : r;
}

static int t_version(Ninep *s, Msg *m)
{
    char version[NAME_BYTES];
    uint32_t msize = (uint32_t)get(m, 4);
    bool ours = !strcmp(get_string(m, version), "9P2000.L");
    if (m->bad || msize < 4096) {
        return -EINVAL;
    }
    ninep_reset(s);
    s->msize = msize < NINEP_MSIZE_MAX ? msize : NINEP_MSIZE_MAX;
    put(m, 4, s->msize);
    put_string(m, ours ? "9P2000.L" : "unknown");
    return 0;
}

static int t_attach(Ninep *s, Msg *m)
{
    uint32_t fid = (uint32_t)get(m, 4);
    struct stat st;
    if (m->bad || find(s, fid)) {
        return -EINVAL;
    }
    int fd = openat(s->f->root, ".", O_PATH | O_CLOEXEC), err = fd < 0 ? -errno : status(s, fd, &st);
    if (err) {
        return err;
    }
    if (!add(s, fid, fd)) {
        return -ENOMEM;
    }
    put_qid(m, &st);
    return 0;
}

static int t_walk(Ninep *s, Msg *m)
{
    Fid *from = find(s, (uint32_t)get(m, 4));
    uint32_t to = (uint32_t)get(m, 4);
    unsigned n = (unsigned)get(m, 2), done = 0;
    size_t count = m->out_at;
    if (m->bad || !from || n > WALK_MAX || (find(s, to) && find(s, to) != from)) {
        return from ? -EINVAL : -EBADF;
    }
    int fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0), err = fd < 0 ? -errno : 0;
    put(m, 2, 0);
    for (; done < n && !err; done++) {
        char name[NAME_BYTES];
        struct stat st;
        get_string(m, name);
        int next = m->bad ? -EINVAL : step(s, fd, name);
        if (next < 0 || (err = status(s, next, &st))) {
            err = next < 0 ? next : err;
            break;
        }
        close(fd);
        fd = next;
        put_qid(m, &st);
    }
    memcpy(m->out + count, &(uint16_t){(uint16_t)done}, 2);
    if (done < n) {
        if (fd >= 0) {
            close(fd);
        }
        return done ? 0 : err;
    }
    if (from->id == to) {
        drop(s, to);
    }
    return err ? err : add(s, to, fd) ? 0 : -ENOMEM;
}

static int t_clunk(Ninep *s, Msg *m)
{
    return drop(s, (uint32_t)get(m, 4));
}

/* -- opening and data --------------------------------------------------------------------------------------------------------- */

/* Linux's open flags as 9P2000.L numbers them, which are x86's; what a server must not take over is left out. */
static int open_flags(uint32_t f)
{
    return (int)(f & (O_ACCMODE | O_TRUNC | O_APPEND | O_DSYNC | O_SYNC | O_EXCL | O_CREAT | O_DIRECTORY)) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
}

static int t_lopen(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    int flags = open_flags((uint32_t)get(m, 4)) & ~(O_CREAT | O_EXCL);
    struct stat st;
    char path[32];
    if (!f || m->bad || f->io >= 0 || f->xattr) {
        return f ? -EINVAL : -EBADF;
    }
    int err = status(s, f->fd, &st);
    if (err) {
        return err;
    }
    if (s->f->readonly && ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC)) {
        return -EROFS;
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return -ENXIO; /* devices are the guest's own */
    }
    proc_path(path, f->fd);
    f->io = open(path, flags);
    if (f->io < 0) {
        return -errno;
    }
    if (S_ISDIR(st.st_mode) && !(f->dir = fdopendir(f->io))) {
        return -errno;
    }
    put_qid(m, &st);
    put(m, 4, 0);
    return 0;
}

static int t_lcreate(Ninep *s, Msg *m)
{
    char name[NAME_BYTES];
    Fid *f = find(s, (uint32_t)get(m, 4));
    get_string(m, name);
    int flags = open_flags((uint32_t)get(m, 4)) | O_CREAT | O_NOFOLLOW;
    uint32_t mode = (uint32_t)get(m, 4), gid = (uint32_t)get(m, 4);
    struct stat st;
    if (!f || m->bad || f->io >= 0) {
        return f ? -EINVAL : -EBADF;
    }
    int err = s->f->readonly ? -EROFS : check_name(name);
    if (err) {
        return err;
    }
    bool was = !faccessat(f->fd, name, F_OK, AT_SYMLINK_NOFOLLOW);
    int io = openat(f->fd, name, flags & ~O_DIRECTORY, mapped(s) ? 0600 : mode & 07777);
    if (io < 0) {
        return -errno;
    }
    int fd = openat(f->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    err = fd < 0 ? -errno : was ? 0 : own(s, f->fd, name, (mode & 07777) | S_IFREG, gid, 0);
    if (err || (err = status(s, fd, &st))) {
        close(io);
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    close(f->fd);
    f->fd = fd;
    f->io = io;
    put_qid(m, &st);
    put(m, 4, 0);
    return 0;
}

static int t_read(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    uint64_t at = get(m, 8), n = get(m, 4), most = s->msize - HEADER - 4;
    if (!f || m->bad || (f->io < 0 && !f->xattr)) {
        return -EBADF;
    }
    n = n < most ? n : most;
    ssize_t r;
    if (f->xattr) {
        uint64_t left = at < f->xattr_len ? f->xattr_len - at : 0;
        r = (ssize_t)(n < left ? n : left);
        memcpy(m->out + m->out_at + 4, f->xattr + (r ? at : 0), (size_t)r);
    } else {
        r = pread(f->io, m->out + m->out_at + 4, n, (off_t)at);
    }
    if (r < 0) {
        return -errno;
    }
    put(m, 4, (uint64_t)r);
    m->out_at += (size_t)r;
    return 0;
}

static int t_write(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    uint64_t at = get(m, 8), n = get(m, 4);
    if (!f || m->bad || n > m->in_len - m->in_at) {
        return f ? -EINVAL : -EBADF;
    }
    if (f->xattr_write) {
        if (at > f->xattr_len || n > f->xattr_len - at) {
            return -ENOSPC;
        }
        memcpy(f->xattr + at, m->in + m->in_at, n);
    } else {
        ssize_t r = f->io < 0 ? -1 : pwrite(f->io, m->in + m->in_at, n, (off_t)at);
        if (r < 0) {
            return f->io < 0 ? -EBADF : -errno;
        }
        n = (uint64_t)r;
    }
    put(m, 4, n);
    return 0;
}

static int t_readdir(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    uint64_t at = get(m, 8), n = get(m, 4);
    if (!f || !f->dir || m->bad) {
        return -EBADF;
    }
    size_t start = m->out_at, top = s->msize - HEADER - 4;
    top = start + 4 + (n < top ? n : top);
    m->out_at += 4;
    at ? seekdir(f->dir, (long)at) : rewinddir(f->dir);
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(f->dir);
        if (!e) {
            if (errno) {
                return -errno;
            }
            break;
        }
        if (m->out_at + 24 + strlen(e->d_name) > top) {
            break;
        }
        put(m, 1, e->d_type == DT_DIR ? QT_DIR : e->d_type == DT_LNK ? QT_LINK : QT_FILE);
        put(m, 4, 0);
        put(m, 8, e->d_ino ^ (uint64_t)s->root.st_dev << 48);
        put(m, 8, (uint64_t)telldir(f->dir));
        put(m, 1, e->d_type);
        put_string(m, e->d_name);
    }
    memcpy(m->out + start, &(uint32_t){(uint32_t)(m->out_at - start - 4)}, 4);
    return 0;
}

static int t_fsync(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    bool data = m->in_len - m->in_at >= 4 && get(m, 4);
    if (!f || f->io < 0) {
        return -EBADF;
    }
    return (data ? fdatasync(f->io) : fsync(f->io)) ? -errno : 0;
}

/* -- attributes ------------------------------------------------------------------------------------------------------------------ */

static int t_getattr(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    struct stat st;
    if (!f || m->bad) {
        return -EBADF;
    }
    int err = status(s, f->fd, &st);
    if (err) {
        return err;
    }
    put(m, 8, 0x7ff); /* all of stat's */
    put_qid(m, &st);
    put(m, 4, st.st_mode);
    put(m, 4, st.st_uid);
    put(m, 4, st.st_gid);
    put(m, 8, st.st_nlink);
    put(m, 8, st.st_rdev);
    put(m, 8, (uint64_t)st.st_size);
    put(m, 8, (uint64_t)st.st_blksize);
    put(m, 8, (uint64_t)st.st_blocks);
    const struct timespec times[] = {st.st_atim, st.st_mtim, st.st_ctim, {0, 0}};
    for (unsigned i = 0; i < LEN(times); i++) {
        put(m, 8, (uint64_t)times[i].tv_sec);
        put(m, 8, (uint64_t)times[i].tv_nsec);
    }
    put(m, 8, 0); /* generation, data version */
    put(m, 8, 0);
    return 0;
}

enum { SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 16, SET_MTIME = 32, SET_CTIME = 64, SET_ATIME_NOW = 128,
       SET_MTIME_NOW = 256 };

static int set_owner(const Ninep *s, Fid *f, uint32_t valid, uint32_t uid, uint32_t gid)
{
    if (mapped(s)) {
        int err = valid & SET_UID ? attr_set(f->fd, "user.virtfs.uid", &uid, 4) : 0;
        return err ? err : valid & SET_GID ? attr_set(f->fd, "user.virtfs.gid", &gid, 4) : 0;
    }
    int r = fchownat(f->fd, "", valid & SET_UID ? uid : (uid_t)-1, valid & SET_GID ? gid : (gid_t)-1, AT_EMPTY_PATH);
    return r && s->f->model == NINEP_PASSTHROUGH ? -errno : 0;
}

static int set_mode(const Ninep *s, Fid *f, const char *path, uint32_t mode)
{
    if (mapped(s)) {
        struct stat st;
        int err = status(s, f->fd, &st);
        mode = (mode & 07777) | (st.st_mode & S_IFMT);
        return err ? err : attr_set(f->fd, "user.virtfs.mode", &mode, 4);
    }
    return chmod(path, mode & 07777) ? -errno : 0;
}

static struct timespec time_of(uint32_t valid, uint32_t now, uint32_t given, uint64_t sec, uint64_t nsec)
{
    return given & valid ? (struct timespec){(time_t)sec, (long)nsec}
                         : (struct timespec){0, valid & now ? UTIME_NOW : UTIME_OMIT};
}

static int t_setattr(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    uint32_t valid = (uint32_t)get(m, 4), mode = (uint32_t)get(m, 4), uid = (uint32_t)get(m, 4), gid = (uint32_t)get(m, 4);
    uint64_t size = get(m, 8), asec = get(m, 8), ansec = get(m, 8), msec = get(m, 8), mnsec = get(m, 8);
    char path[32];
    if (!f || m->bad) {
        return f ? -EINVAL : -EBADF;
    }
    if (s->f->readonly) {
        return -EROFS;
    }
    proc_path(path, f->fd);
    int err = 0;
    if (valid & (SET_UID | SET_GID)) {
        err = set_owner(s, f, valid, uid, gid);
    }
    if (!err && valid & SET_MODE) {
        err = set_mode(s, f, path, mode);
    }
    if (!err && valid & SET_SIZE && (f->io >= 0 && !f->dir ? ftruncate(f->io, (off_t)size) : truncate(path, (off_t)size))) {
        err = f->io >= 0 && !truncate(path, (off_t)size) ? 0 : -errno;
    }
    if (!err && valid & (SET_ATIME | SET_MTIME)) {
        struct timespec t[2] = {time_of(valid, SET_ATIME, SET_ATIME_NOW, asec, ansec), time_of(valid, SET_MTIME, SET_MTIME_NOW, msec, mnsec)};
        err = utimensat(AT_FDCWD, path, t, 0) ? -errno : 0;
    }
    return err;
}

static int t_statfs(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    struct statfs st;
    if (!f || fstatfs(f->fd, &st)) {
        return f ? -errno : -EBADF;
    }
    put(m, 4, (uint32_t)st.f_type);
    put(m, 4, (uint32_t)st.f_bsize);
    put(m, 8, st.f_blocks);
    put(m, 8, st.f_bfree);
    put(m, 8, st.f_bavail);
    put(m, 8, st.f_files);
    put(m, 8, st.f_ffree);
    put(m, 8, 0);
    put(m, 4, (uint32_t)st.f_namelen);
    return 0;
}

/* -- making and removing -------------------------------------------------------------------------------------------------------- */

/* After a new name in f: its qid. */
static int made(Ninep *s, Msg *m, Fid *f, const char *name, int err)
{
    struct stat st;
    int fd = err ? -1 : openat(f->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return err ? err : -errno;
    }
    err = status(s, fd, &st);
    close(fd);
    put_qid(m, &st);
    return err;
}

/* The folder's fid and a new name in it; NULL with *err. */
static Fid *parent(Ninep *s, Msg *m, char *name, int *err)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    get_string(m, name);
    *err = !f ? -EBADF : m->bad ? -EINVAL : s->f->readonly ? -EROFS : check_name(name);
    return *err ? NULL : f;
}

static int plain_file(int dir, const char *name, const char *content)
{
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    size_t n = strlen(content);
    int err = write(fd, content, n) == (ssize_t)n ? 0 : -EIO;
    close(fd);
    return err;
}

static int t_symlink(Ninep *s, Msg *m)
{
    char name[NAME_BYTES];
    static _Thread_local char target[65536];
    int err;
    Fid *f = parent(s, m, name, &err);
    if (!f) {
        return err;
    }
    size_t n = get(m, 2);
    if (m->bad || m->in_len - m->in_at < n || memchr(m->in + m->in_at, 0, n)) {
        return -EINVAL;
    }
    memcpy(target, m->in + m->in_at, n);
    target[n] = 0;
    m->in_at += n;
    uint32_t gid = (uint32_t)get(m, 4);
    err = mapped(s) ? plain_file(f->fd, name, target) : symlinkat(target, f->fd, name) ? -errno : 0;
    if (!err) {
        err = own(s, f->fd, name, S_IFLNK | 0777, gid, 0);
    }
    return made(s, m, f, name, err);
}

static int t_mknod(Ninep *s, Msg *m)
{
    char name[NAME_BYTES];
    int err;
    Fid *f = parent(s, m, name, &err);
    uint32_t mode = (uint32_t)get(m, 4), major_ = (uint32_t)get(m, 4), minor_ = (uint32_t)get(m, 4), gid = (uint32_t)get(m, 4);
    if (!f || m->bad) {
        return f ? -EINVAL : err;
    }
    dev_t rdev = makedev(major_, minor_);
    err = mapped(s) ? plain_file(f->fd, name, "") : mknodat(f->fd, name, mode, rdev) ? -errno : 0;
    if (!err) {
        err = own(s, f->fd, name, mode, gid, rdev);
    }
    return made(s, m, f, name, err);
}

static int t_mkdir(Ninep *s, Msg *m)
{
    char name[NAME_BYTES];
    int err;
    Fid *f = parent(s, m, name, &err);
    uint32_t mode = (uint32_t)get(m, 4), gid = (uint32_t)get(m, 4);
    if (!f || m->bad) {
        return f ? -EINVAL : err;
    }
    err = mkdirat(f->fd, name, mapped(s) ? 0700 : mode & 07777) ? -errno : own(s, f->fd, name, (mode & 07777) | S_IFDIR, gid, 0);
    return made(s, m, f, name, err);
}

static int t_link(Ninep *s, Msg *m)
{
    Fid *dir = find(s, (uint32_t)get(m, 4)), *f = find(s, (uint32_t)get(m, 4));
    char name[NAME_BYTES], path[32];
    get_string(m, name);
    if (!dir || !f || m->bad) {
        return -EBADF;
    }
    int err = s->f->readonly ? -EROFS : check_name(name);
    proc_path(path, f->fd);
    return err ? err : linkat(AT_FDCWD, path, dir->fd, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

static int t_renameat(Ninep *s, Msg *m)
{
    Fid *from = find(s, (uint32_t)get(m, 4));
    char name[NAME_BYTES], to_name[NAME_BYTES];
    get_string(m, name);
    Fid *to = find(s, (uint32_t)get(m, 4));
    get_string(m, to_name);
    if (!from || !to || m->bad) {
        return -EBADF;
    }
    int err = s->f->readonly ? -EROFS : check_name(name) ? -EINVAL : check_name(to_name);
    return err ? err : renameat(from->fd, name, to->fd, to_name) ? -errno : 0;
}

static int t_unlinkat(Ninep *s, Msg *m)
{
    char name[NAME_BYTES];
    int err;
    Fid *f = parent(s, m, name, &err);
    uint32_t flags = (uint32_t)get(m, 4);
    if (!f || m->bad) {
        return f ? -EINVAL : err;
    }
    return unlinkat(f->fd, name, flags & AT_REMOVEDIR ? AT_REMOVEDIR : 0) ? -errno : 0;
}

static int t_readlink(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    static _Thread_local char target[65536];
    struct stat st;
    if (!f || m->bad) {
        return -EBADF;
    }
    int err = status(s, f->fd, &st);
    if (err || !S_ISLNK(st.st_mode)) {
        return err ? err : -EINVAL;
    }
    ssize_t n = readlinkat(f->fd, "", target, sizeof target - 1);
    if (n < 0 && mapped(s)) {
        char path[32];
        proc_path(path, f->fd);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, target, sizeof target - 1);
        if (fd >= 0) {
            close(fd);
        }
    }
    if (n < 0) {
        return -errno;
    }
    target[n] = 0;
    put_string(m, target);
    return 0;
}

/* -- extended attributes, locks ----------------------------------------------------------------------------------------------------- */

static int t_xattrwalk(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    uint32_t to = (uint32_t)get(m, 4);
    char name[NAME_BYTES], path[32];
    get_string(m, name);
    if (!f || m->bad || find(s, to)) {
        return f ? -EINVAL : -EBADF;
    }
    if (mapped(s) && !strncmp(name, "user.virtfs.", 12)) {
        return -ENODATA;
    }
    uint8_t *value = malloc(XATTR_MAX);
    proc_path(path, f->fd);
    ssize_t n = !value ? -1 : *name ? getxattr(path, name, value, XATTR_MAX) : listxattr(path, (char *)value, XATTR_MAX);
    if (n < 0) {
        int err = value ? -errno : -ENOMEM;
        free(value);
        return err;
    }
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    Fid *x = fd < 0 ? NULL : add(s, to, fd);
    if (!x) {
        free(value);
        return -ENOMEM;
    }
    x->xattr = value;
    x->xattr_len = (uint64_t)n;
    put(m, 8, (uint64_t)n);
    return 0;
}

static int t_xattrcreate(Ninep *s, Msg *m)
{
    Fid *f = find(s, (uint32_t)get(m, 4));
    if (!f || f->xattr || f->io >= 0) {
        return f ? -EINVAL : -EBADF;
    }
    get_string(m, f->xattr_name);
    uint64_t size = get(m, 8);
    f->xattr_flags = (uint32_t)get(m, 4);
    if (m->bad || size > XATTR_MAX) {
        return m->bad ? -EINVAL : -ENOSPC;
    }
    if (s->f->readonly || (mapped(s) && !strncmp(f->xattr_name, "user.virtfs.", 12))) {
        return -EPERM;
    }
    f->xattr = calloc(1, size + 1);
    f->xattr_len = size;
    f->xattr_write = f->xattr != NULL;
    return f->xattr ? 0 : -ENOMEM;
}

/* Locks are kept by the guest's kernel; the server grants them all, as there is one client. */
static int t_lock(Ninep *s, Msg *m)
{
    if (!find(s, (uint32_t)get(m, 4))) {
        return -EBADF;
    }
    put(m, 1, 0);
    return 0;
}

static int t_getlock(Ninep *s, Msg *m)
{
    char owner[NAME_BYTES];
    bool there = find(s, (uint32_t)get(m, 4));
    get(m, 1);
    uint64_t start = get(m, 8), length = get(m, 8), proc = get(m, 4);
    get_string(m, owner);
    if (!there || m->bad) {
        return -EBADF;
    }
    put(m, 1, F_UNLCK);
    put(m, 8, start);
    put(m, 8, length);
    put(m, 4, proc);
    put_string(m, owner);
    return 0;
}

static int t_flush(Ninep *s, Msg *m)
{
    (void)s; /* everything earlier has been answered */
    (void)m;
    return 0;
}

static const struct {
    uint8_t type; /* of the request; the answer's is one more */
    int (*answer)(Ninep *s, Msg *m);
} messages[] = {{8, t_statfs}, {12, t_lopen}, {14, t_lcreate}, {16, t_symlink}, {18, t_mknod}, {22, t_readlink}, {24, t_getattr},
                {26, t_setattr}, {30, t_xattrwalk}, {32, t_xattrcreate}, {40, t_readdir}, {50, t_fsync}, {52, t_lock},
                {54, t_getlock}, {70, t_link}, {72, t_mkdir}, {74, t_renameat}, {76, t_unlinkat}, {100, t_version},
                {104, t_attach}, {108, t_flush}, {110, t_walk}, {116, t_read}, {118, t_write}, {120, t_clunk}};

size_t ninep_answer(Ninep *s, const uint8_t *in, size_t len, uint8_t *out)
{
    if (len < HEADER) {
        return 0;
    }
    Msg m = {.in = in, .in_at = HEADER, .in_len = len, .out = out, .out_at = HEADER, .out_max = NINEP_MSIZE_MAX};
    int err = -EOPNOTSUPP;
    uint8_t type = in[4];
    for (unsigned i = 0; i < LEN(messages); i++) {
        if (messages[i].type == type) {
            err = messages[i].answer(s, &m);
            err = err || !m.bad ? err : -EINVAL;
        }
    }
    if (err) {
        m.out_at = HEADER;
        put(&m, 4, (uint64_t)-err);
    }
    uint32_t size = (uint32_t)m.out_at;
    memcpy(out, &size, 4);
    out[4] = err ? RLERROR : (uint8_t)(type + 1);
    memcpy(out + 5, in + 5, 2);
    return m.out_at;
}
