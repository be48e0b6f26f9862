/* block.c - opens disk images, checks ranges, and the raw format.
 *
 * The format is probed by the first bytes only when the user names none and the file is not writable raw by accident: a
 * guest that can write its first sector could otherwise turn its raw disk into a qcow2 file with any file of the host
 * behind it. So a raw image without `format=` refuses writes that would put qcow2's magic there.
 * A writable image holds an exclusive lock (open file description lock on its first byte), a read-only one a shared one: two
 * machines never write the same file.
 * Locks: none here; raw files need none, the kernel orders what overlaps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block_int.h"

enum { CHAIN_MAX = 64 /* images behind one another */ };

static const uint8_t qcow2_magic[4] = {'Q', 'F', 'I', 0xfb};

int block_pread(int fd, uint64_t at, void *to, uint64_t len)
{
    uint8_t *p = to;
    while (len) {
        ssize_t n = pread(fd, p, len < 1 << 30 ? len : 1 << 30, (off_t)at);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        if (!n) {
            memset(p, 0, len);
            return 0;
        }
        p += n;
        at += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}

int block_pwrite(int fd, uint64_t at, const void *from, uint64_t len)
{
    const uint8_t *p = from;
    while (len) {
        ssize_t n = pwrite(fd, p, len < 1 << 30 ? len : 1 << 30, (off_t)at);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        p += n;
        at += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}

/* -- raw ---------------------------------------------------------------------------------------------------- */

static int raw_read(Block *b, uint64_t offset, void *to, uint64_t len)
{
    return block_pread(b->fd, offset, to, len);
}

static int raw_write(Block *b, uint64_t offset, const void *from, uint64_t len)
{
    if (b->o.format == BLOCK_PROBE && offset == 0 && len >= 4 && !memcmp(from, qcow2_magic, 4)) {
        return -EPERM;
    }
    return block_pwrite(b->fd, offset, from, len);
}

static int raw_zero(Block *b, uint64_t offset, uint64_t len, bool unmap)
{
    static const uint8_t zeros[65536];
    int mode = unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
    if (!fallocate(b->fd, mode, (off_t)offset, (off_t)len)) {
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
        return -errno;
    }
    while (len) {
        uint64_t n = len < sizeof zeros ? len : sizeof zeros;
        int err = block_pwrite(b->fd, offset, zeros, n);
        if (err) {
            return err;
        }
        offset += n;
        len -= n;
    }
    return 0;
}

static int raw_flush(Block *b)
{
    return fdatasync(b->fd) ? -errno : 0;
}

static const BlockOps raw_ops = {.read = raw_read, .write = raw_write, .zero = raw_zero, .flush = raw_flush};

static bool raw_open(Block *b, char *err, size_t errsize)
{
    struct stat st;
    if (fstat(b->fd, &st)) {
        snprintf(err, errsize, "%s: %s", b->path, strerror(errno));
        return false;
    }
    if (S_ISBLK(st.st_mode)) {
        if (ioctl(b->fd, BLKGETSIZE64, &b->size)) {
            snprintf(err, errsize, "%s: size of the block device: %s", b->path, strerror(errno));
            return false;
        }
    } else if (S_ISREG(st.st_mode)) {
        b->size = (uint64_t)st.st_size;
    } else {
        snprintf(err, errsize, "%s: neither a file nor a block device", b->path);
        return false;
    }
    b->ops = &raw_ops;
    return true;
}

/* -- opening -------------------------------------------------------------------------------------------------- */

static bool lock_image(Block *b, char *err, size_t errsize)
{
    struct flock l = {.l_type = b->o.readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (!fcntl(b->fd, F_OFD_SETLK, &l) || (errno != EAGAIN && errno != EACCES)) {
        return true; /* a file system without locks is no reason to refuse */
    }
    snprintf(err, errsize, "%s: in use by another machine (it is locked)", b->path);
    return false;
}

static bool probe(Block *b, char *err, size_t errsize)
{
    static const struct {
        const char *magic, *name;
    } others[] = {{"KDMV", "vmdk"}, {"COWD", "vmdk"}, {"# Disk DescriptorFile", "vmdk"}, {"QED", "qed"}, {"vhdxfile", "vhdx"},
                  {"conectix", "vpc"}, {"WithoutFreeSpace", "parallels"}, {"WithouFreSpacExt", "parallels"}, {"LUKS\xba\xbe", "luks"},
                  {"<<< Oracle VM", "vdi"}};
    uint8_t head[32];
    int e = block_pread(b->fd, 0, head, sizeof head);
    if (e) {
        snprintf(err, errsize, "%s: %s", b->path, strerror(-e));
        return false;
    }
    if (!memcmp(head, qcow2_magic, 4)) {
        b->o.format = BLOCK_QCOW2;
    }
    for (unsigned k = 0; k < LEN(others); k++) {
        if (!memcmp(head, others[k].magic, strlen(others[k].magic))) {
            snprintf(err, errsize, "%s: looks like a %s image: raw or qcow2 (format=raw if it is raw all the same)", b->path, others[k].name);
            return false;
        }
    }
    return true;
}

Block *block_open_level(const char *path, const BlockOptions *o, unsigned depth, char *err, size_t errsize)
{
    if (depth > CHAIN_MAX) {
        snprintf(err, errsize, "%s: more than %d images behind one another (does one name itself?)", path, CHAIN_MAX);
        return NULL;
    }
    Block *b = calloc(1, sizeof *b);
    if (!b || !(b->path = strdup(path))) {
        snprintf(err, errsize, "%s: out of memory", path);
        free(b);
        return NULL;
    }
    b->o = *o;
    b->fd = open(path, (o->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (b->fd < 0) {
        snprintf(err, errsize, "%s: %s", path, strerror(errno));
        block_close(b);
        return NULL;
    }
    bool ok = lock_image(b, err, errsize) && (b->o.format != BLOCK_PROBE || probe(b, err, errsize)) &&
              (b->o.format == BLOCK_QCOW2 ? qcow2_open(b, depth, err, errsize) : raw_open(b, err, errsize));
    if (!ok) {
        block_close(b);
        return NULL;
    }
    return b;
}

/* An empty qcow2 image in a file without a name, in front of base. */
static Block *overlay(Block *base, char *err, size_t errsize)
{
    const char *dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
    Block *b = calloc(1, sizeof *b);
    if (!b || !(b->path = strdup(base->path))) {
        snprintf(err, errsize, "%s: out of memory", base->path);
        free(b);
        return NULL;
    }
    b->o = base->o;
    b->o.readonly = false;
    b->o.unsafe = true; /* nothing of it is kept */
    b->o.format = BLOCK_QCOW2;
    b->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int e = b->fd < 0 ? -errno : qcow2_create(b->fd, base->size);
    if (e) {
        snprintf(err, errsize, "%s: snapshot=on: temporary file in %s: %s", base->path, dir, strerror(-e));
        block_close(b);
        return NULL;
    }
    if (!qcow2_open(b, 1, err, errsize)) {
        block_close(b);
        return NULL;
    }
    b->backing = base;
    return b;
}

Block *block_open(const char *path, const BlockOptions *o, char *err, size_t errsize)
{
    BlockOptions mine = *o;
    mine.readonly |= o->snapshot;
    Block *b = block_open_level(path, &mine, 0, err, errsize);
    if (b && o->snapshot) {
        Block *front = overlay(b, err, errsize);
        if (!front) {
            block_close(b);
        }
        return front;
    }
    return b;
}

void block_close(Block *b)
{
    if (!b) {
        return;
    }
    if (b->ops && b->ops->close) {
        b->ops->close(b);
    }
    block_close(b->backing);
    if (b->fd >= 0) {
        close(b->fd);
    }
    free(b->path);
    free(b);
}

/* -- the calls -------------------------------------------------------------------------------------------------- */

uint64_t block_size(const Block *b)
{
    return b->size;
}

bool block_readonly(const Block *b)
{
    return b->o.readonly;
}

static bool inside(const Block *b, uint64_t offset, uint64_t len)
{
    return len <= b->size && offset <= b->size - len;
}

bool block_is_qcow2(const Block *b)
{
    return b->format != NULL;
}

static void count(uint64_t *n, uint64_t by)
{
    __atomic_fetch_add(n, by, __ATOMIC_RELAXED);
}

BlockStats block_stats(const Block *b)
{
    const BlockStats *s = &b->stats;
    return (BlockStats){.reads = __atomic_load_n(&s->reads, __ATOMIC_RELAXED), .read_bytes = __atomic_load_n(&s->read_bytes, __ATOMIC_RELAXED),
                        .writes = __atomic_load_n(&s->writes, __ATOMIC_RELAXED),
                        .written_bytes = __atomic_load_n(&s->written_bytes, __ATOMIC_RELAXED),
                        .flushes = __atomic_load_n(&s->flushes, __ATOMIC_RELAXED)};
}

int block_read(Block *b, uint64_t offset, void *to, uint64_t len)
{
    count(&b->stats.reads, 1);
    count(&b->stats.read_bytes, len);
    return !inside(b, offset, len) ? -EINVAL : len ? b->ops->read(b, offset, to, len) : 0;
}

/* What every change ends with. */
static int written(Block *b, int err)
{
    return err || !b->o.writethrough ? err : block_flush(b);
}

int block_write(Block *b, uint64_t offset, const void *from, uint64_t len)
{
    if (b->o.readonly) {
        return -EROFS;
    }
    count(&b->stats.writes, 1);
    count(&b->stats.written_bytes, len);
    return !inside(b, offset, len) ? -EINVAL : len ? written(b, b->ops->write(b, offset, from, len)) : 0;
}

int block_zero(Block *b, uint64_t offset, uint64_t len, bool unmap)
{
    if (b->o.readonly) {
        return -EROFS;
    }
    return !inside(b, offset, len) ? -EINVAL : len ? written(b, b->ops->zero(b, offset, len, unmap && b->o.unmap)) : 0;
}

int block_discard(Block *b, uint64_t offset, uint64_t len)
{
    return b->o.unmap ? block_zero(b, offset, len, true) : b->o.readonly ? -EROFS : inside(b, offset, len) ? 0 : -EINVAL;
}

int block_flush(Block *b)
{
    count(&b->stats.flushes, 1);
    return b->o.readonly || b->o.unsafe ? 0 : b->ops->flush(b);
}
