/* block_qcow2.c - the qcow2 format, versions 2 and 3 (public specification: "Qcow2 Image File Format").
 *
 * Words: a cluster is 1 << bits bytes, the unit of mapping. The L1 table, held in memory, names L2 tables, whose entries
 * say where each cluster of the disk lies in the file. Refcounts, one per cluster of the file, say how many refer to it: a
 * mapped cluster may be written in place only if the COPIED bit says that its refcount is 1.
 *
 * Order of writes, so that a kill or a loss of power between any two leaves a consistent image: clusters are given out
 * from a reserve whose refcounts are on the disk already (flushed, `reserve`); data is written before the L2 entry that names
 * it; a cluster is given up after nothing names it. What a kill can leave is a reserve that nobody uses.
 *
 * Locks: Q.lock; shared for reading and for writing in place, exclusive for everything that changes a table.
 * L2 tables are cached whole; they are written through at each change, entry by entry.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "block_int.h"

enum { L2_CACHED = 256, RESERVE = 256 /* clusters */, L1_MAX = 32 << 20 /* bytes */, EXTENSIONS_MAX = 1 << 16 };
#define ENTRY_COPIED ((uint64_t)1 << 63)
#define ENTRY_COMPRESSED ((uint64_t)1 << 62)
#define ENTRY_ZERO ((uint64_t)1)
#define ENTRY_OFFSET 0x00fffffffffffe00u
enum { INCOMPAT_DIRTY = 1, INCOMPAT_CORRUPT = 2, INCOMPAT_EXTERNAL = 4, INCOMPAT_COMPRESSION = 8, INCOMPAT_L2 = 16 };
enum { EXT_BACKING_FORMAT = (int)0xe2792aca };

/* The header as it lies in the file, big-endian. */
typedef struct Header {
    uint32_t magic, version;
    uint64_t backing_offset;
    uint32_t backing_size, cluster_bits;
    uint64_t size;
    uint32_t crypt, l1_size;
    uint64_t l1_offset, rt_offset;
    uint32_t rt_clusters, nb_snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear; /* version 3 from here on */
    uint32_t refcount_order, header_length;
    uint8_t compression, pad[7];
} Header;
_Static_assert(sizeof(Header) == 112, "no padding");
enum { HEADER_V2 = 72, MAGIC = 0x514649fb };

typedef struct L2 {
    uint64_t at;   /* in the file, 0 = free place */
    uint64_t used; /* when */
    uint64_t *e;   /* host-endian */
} L2;

typedef struct Q {
    pthread_rwlock_t lock;
    unsigned bits, order;       /* log2 of the cluster's bytes, of a refcount's bits */
    unsigned version, compression;
    uint64_t cluster;           /* bytes */
    uint64_t *l1;               /* host-endian */
    uint32_t l1_size;
    uint64_t l1_at;
    uint64_t *rt;               /* refcount table, host-endian */
    uint64_t rt_at, rt_n;       /* entries */
    uint64_t file_end;          /* first cluster number that nobody uses, and none above */
    uint64_t hint;              /* no free cluster lies below */
    uint64_t reserve, reserve_n; /* clusters counted as used already, to be given out next */
    L2 l2[L2_CACHED];
    uint64_t clock;
    pthread_mutex_t cache_lock; /* l2[] and clock, for readers that share Q.lock */
    uint8_t *buf;               /* a cluster; under the exclusive lock */
} Q;

static int put64(Block *b, uint64_t at, uint64_t v)
{
    v = htobe64(v);
    return block_pwrite(b->fd, at, &v, sizeof v);
}

static int barrier(Block *b)
{
    return b->o.unsafe || !fdatasync(b->fd) ? 0 : -errno;
}

/* -- refcounts; exclusive lock ------------------------------------------------------------------------------------ */

/* Is there such a cluster in the file? A broken image may name any. */
static bool in_file(const Q *q, uint64_t at)
{
    return !(at & (q->cluster - 1)) && at >> q->bits < q->file_end;
}

static uint64_t per_block(const Q *q)
{
    return q->cluster * 8 >> q->order;
}

static int refcount_get(Block *b, uint64_t n, uint64_t *count)
{
    Q *q = b->format;
    uint64_t block = n / per_block(q), k = n % per_block(q), at = block < q->rt_n ? q->rt[block] & ~(uint64_t)511 : 0;
    *count = 0;
    if (!at) {
        return 0;
    }
    if (!in_file(q, at)) {
        return -EUCLEAN;
    }
    uint8_t raw[8] = {0};
    unsigned bits = 1u << q->order;
    uint64_t byte = k * bits / 8;
    int err = block_pread(b->fd, at + byte, raw, bits < 8 ? 1 : bits / 8);
    if (err) {
        return err;
    }
    if (bits < 8) {
        *count = raw[0] >> (k * bits % 8) & ((1u << bits) - 1);
    } else {
        for (unsigned i = 0; i < bits / 8; i++) {
            *count = *count << 8 | raw[i];
        }
    }
    return 0;
}

static int refcount_set(Block *b, uint64_t n, uint64_t count)
{
    Q *q = b->format;
    uint64_t k = n % per_block(q), at = q->rt[n / per_block(q)] & ~(uint64_t)511;
    uint8_t raw[8] = {0};
    unsigned bits = 1u << q->order;
    uint64_t byte = k * bits / 8;
    if (bits < 64 && count >> bits) {
        return -EOVERFLOW;
    }
    if (bits < 8) {
        int err = block_pread(b->fd, at + byte, raw, 1);
        if (err) {
            return err;
        }
        unsigned shift = (unsigned)(k * bits % 8), mask = ((1u << bits) - 1) << shift;
        raw[0] = (uint8_t)((raw[0] & ~mask) | (unsigned)count << shift);
        return block_pwrite(b->fd, at + byte, raw, 1);
    }
    for (unsigned i = bits / 8; i--; count >>= 8) {
        raw[i] = (uint8_t)count;
    }
    return block_pwrite(b->fd, at + byte, raw, bits / 8);
}

static int zero_cluster(Block *b, uint64_t n)
{
    Q *q = b->format;
    uint8_t *z = calloc(1, q->cluster);
    int err = z ? block_pwrite(b->fd, n << q->bits, z, q->cluster) : -ENOMEM;
    free(z);
    return err;
}

/* A larger refcount table, behind all that the present one can count. Its first new block counts itself and the table. */
static int grow_table(Block *b)
{
    Q *q = b->format;
    uint64_t first = q->rt_n * per_block(q), n = q->rt_n * 2, clusters;
    for (;; n *= 2) {
        clusters = (n * 8 + q->cluster - 1) >> q->bits;
        if (n >= q->rt_n + 1 + (clusters + 1) / per_block(q) && clusters + 1 <= per_block(q)) {
            break;
        }
        if (n > (uint64_t)1 << 40 >> q->bits) {
            return -EFBIG;
        }
    }
    uint64_t *rt = calloc(clusters, q->cluster), *disk = calloc(clusters, q->cluster);
    if (!rt || !disk) {
        free(rt);
        free(disk);
        return -ENOMEM;
    }
    uint64_t old_at = q->rt_at, old_n = q->rt_n, *old = q->rt;
    memcpy(rt, q->rt, q->rt_n * 8);
    rt[old_n] = first << q->bits;
    n = clusters * q->cluster / 8;
    for (uint64_t i = 0; i < n; i++) {
        disk[i] = htobe64(rt[i]);
    }
    q->rt = rt;
    q->rt_n = n;
    int err = zero_cluster(b, first);
    for (uint64_t i = 0; i <= clusters && !err; i++) {
        err = refcount_set(b, first + i, 1);
    }
    if (!err) {
        err = block_pwrite(b->fd, (first + 1) << q->bits, disk, clusters << q->bits);
    }
    struct __attribute__((packed)) {
        uint64_t at;
        uint32_t clusters;
    } where = {htobe64((first + 1) << q->bits), htobe32((uint32_t)clusters)};
    if (!err && !(err = barrier(b)) && !(err = block_pwrite(b->fd, offsetof(Header, rt_offset), &where, sizeof where))) {
        err = barrier(b);
    }
    free(disk);
    if (err) {
        q->rt = old;
        q->rt_n = old_n;
        free(rt);
        return err;
    }
    free(old);
    q->rt_at = (first + 1) << q->bits;
    if (q->file_end < first + 1 + clusters) {
        q->file_end = first + 1 + clusters;
    }
    for (uint64_t i = 0, had = (old_n * 8 + q->cluster - 1) >> q->bits; i < had && !err; i++) {
        err = refcount_set(b, (old_at >> q->bits) + i, 0);
    }
    return err;
}

/* Makes sure that cluster n can be counted. true in *taken: n itself became the block that counts it. */
static int countable(Block *b, uint64_t n, bool *taken)
{
    Q *q = b->format;
    *taken = false;
    while (n / per_block(q) >= q->rt_n) {
        int err = grow_table(b);
        if (err) {
            return err;
        }
    }
    uint64_t block = n / per_block(q);
    if (q->rt[block]) {
        return 0;
    }
    int err = zero_cluster(b, n);
    q->rt[block] = n << q->bits;
    if (err || (err = refcount_set(b, n, 1)) || (err = barrier(b)) ||
        (err = put64(b, q->rt_at + block * 8, n << q->bits))) {
        q->rt[block] = 0;
        return err;
    }
    *taken = true;
    if (q->file_end <= n) {
        q->file_end = n + 1;
    }
    return 0;
}

/* Fills the reserve: a run of free clusters, counted on the disk before one of them is used. */
static int fill_reserve(Block *b)
{
    Q *q = b->format;
    uint64_t n = q->hint;
    q->reserve_n = 0;
    while (q->reserve_n < RESERVE) {
        bool taken;
        uint64_t count;
        int err = countable(b, n, &taken);
        if (!err) {
            err = refcount_get(b, n, &count);
        }
        if (err) {
            return q->reserve_n ? 0 : err;
        }
        if (taken || count) {
            if (q->reserve_n) {
                break;
            }
            q->hint = ++n;
            continue;
        }
        if ((err = refcount_set(b, n, 1))) {
            return err;
        }
        if (!q->reserve_n) {
            q->reserve = n;
        }
        q->reserve_n++;
        n++;
    }
    q->hint = n;
    if (q->file_end < n) {
        q->file_end = n;
    }
    return barrier(b);
}

static int take_cluster(Block *b, uint64_t *at)
{
    Q *q = b->format;
    if (!q->reserve_n) {
        int err = fill_reserve(b);
        if (err) {
            return err;
        }
    }
    *at = q->reserve++ << q->bits;
    q->reserve_n--;
    return 0;
}

/* One reference less to the cluster at `at`. */
static int drop_cluster(Block *b, uint64_t at)
{
    Q *q = b->format;
    uint64_t n = at >> q->bits, count;
    int err = refcount_get(b, n, &count);
    if (err || !count) {
        return err ? err : -EUCLEAN;
    }
    if (!(err = refcount_set(b, n, count - 1)) && count == 1) {
        if (n < q->hint) {
            q->hint = n;
        }
        if (b->o.unmap) {
            (void)!fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)q->cluster);
        }
    }
    return err;
}

/* Place and bytes in the file of what a compressed entry names. */
static uint64_t packed_place(const Q *q, uint64_t entry, uint64_t *len)
{
    unsigned x = 62 - (q->bits - 8);
    uint64_t at = entry & bits_mask(x);
    *len = (((entry >> x) & bits_mask(62 - x)) + 1) * 512 - (at & 511);
    return at;
}

/* Gives up what an L2 entry named. */
static int drop_entry(Block *b, uint64_t entry)
{
    Q *q = b->format;
    if (entry & ENTRY_COMPRESSED) {
        uint64_t len, at = packed_place(q, entry, &len);
        int err = 0;
        for (uint64_t n = at >> q->bits; n <= (at + len - 1) >> q->bits && !err; n++) {
            err = drop_cluster(b, n << q->bits);
        }
        return err;
    }
    return entry & ENTRY_OFFSET ? drop_cluster(b, entry & ENTRY_OFFSET) : 0;
}

/* -- L2 tables ------------------------------------------------------------------------------------------------------- */

static unsigned l2_bits(const Q *q)
{
    return q->bits - 3;
}

/* A place in the cache for the table at `at`; cache lock held. */
static L2 *l2_place(Q *q)
{
    L2 *old = &q->l2[0];
    for (unsigned i = 0; i < L2_CACHED; i++) {
        if (!q->l2[i].at) {
            old = &q->l2[i];
            break;
        }
        if (q->l2[i].used < old->used) {
            old = &q->l2[i];
        }
    }
    if (!old->e && !(old->e = malloc(q->cluster))) {
        return NULL;
    }
    old->at = 0;
    old->used = ++q->clock;
    return old;
}

/* The table at `at`, in the cache; cache lock held, as long as it is used. */
static int l2_get(Block *b, uint64_t at, L2 **found)
{
    Q *q = b->format;
    for (unsigned i = 0; i < L2_CACHED; i++) {
        if (q->l2[i].at == at) {
            q->l2[i].used = ++q->clock;
            *found = &q->l2[i];
            return 0;
        }
    }
    L2 *l = l2_place(q);
    if (!l) {
        return -ENOMEM;
    }
    int err = block_pread(b->fd, at, l->e, q->cluster);
    if (err) {
        return err;
    }
    for (uint64_t i = 0; i < q->cluster / 8; i++) {
        l->e[i] = be64toh(l->e[i]);
    }
    l->at = at;
    *found = l;
    return 0;
}

/* The L2 entry for disk cluster n, 0 when there is none. Either lock. */
static int entry_get(Block *b, uint64_t n, uint64_t *entry)
{
    Q *q = b->format;
    uint64_t at = q->l1[n >> l2_bits(q)] & ENTRY_OFFSET;
    *entry = 0;
    if (!at) {
        return 0;
    }
    if (!in_file(q, at)) {
        return -EUCLEAN;
    }
    pthread_mutex_lock(&q->cache_lock);
    L2 *l;
    int err = l2_get(b, at, &l);
    if (!err) {
        *entry = l->e[n & bits_mask(l2_bits(q))];
    }
    pthread_mutex_unlock(&q->cache_lock);
    if (*entry & ENTRY_COMPRESSED) {
        return err;
    }
    if (q->version < 3) {
        *entry &= ~ENTRY_ZERO;
    }
    return err ? err : in_file(q, *entry & ENTRY_OFFSET) ? 0 : -EUCLEAN;
}

/* Makes the L2 table of disk cluster n this image's alone. Exclusive lock. */
static int l2_own(Block *b, uint64_t n)
{
    Q *q = b->format;
    uint64_t k = n >> l2_bits(q), old = q->l1[k], at;
    if (old & ENTRY_COPIED) {
        return 0;
    }
    int err = take_cluster(b, &at);
    if (err) {
        return err;
    }
    pthread_mutex_lock(&q->cache_lock);
    L2 *l = NULL, *from = NULL;
    uint64_t *copy = calloc(1, q->cluster);
    if (!copy) {
        err = -ENOMEM;
    } else if (old & ENTRY_OFFSET) {
        err = l2_get(b, old & ENTRY_OFFSET, &from);
        for (uint64_t i = 0; !err && i < q->cluster / 8; i++) {
            copy[i] = htobe64(from->e[i]);
        }
    }
    if (!err && !(l = l2_place(q))) {
        err = -ENOMEM;
    }
    if (!err) {
        err = block_pwrite(b->fd, at, copy, q->cluster);
    }
    if (!err) {
        for (uint64_t i = 0; i < q->cluster / 8; i++) {
            l->e[i] = be64toh(copy[i]);
        }
        l->at = at;
    }
    pthread_mutex_unlock(&q->cache_lock);
    free(copy);
    if (!err && (old & ENTRY_OFFSET)) {
        err = barrier(b); /* the table is on the disk before the old one may be used for something else */
    }
    if (err || (err = put64(b, q->l1_at + k * 8, at | ENTRY_COPIED))) {
        return err;
    }
    q->l1[k] = at | ENTRY_COPIED;
    return old & ENTRY_OFFSET ? drop_cluster(b, old & ENTRY_OFFSET) : 0;
}

/* Exclusive lock; the table is this image's alone. */
static int entry_set(Block *b, uint64_t n, uint64_t entry)
{
    Q *q = b->format;
    uint64_t at = q->l1[n >> l2_bits(q)] & ENTRY_OFFSET, k = n & bits_mask(l2_bits(q));
    int err = put64(b, at + k * 8, entry);
    if (err) {
        return err;
    }
    pthread_mutex_lock(&q->cache_lock);
    L2 *l;
    if (!(err = l2_get(b, at, &l))) {
        l->e[k] = entry;
    }
    pthread_mutex_unlock(&q->cache_lock);
    return err;
}

/* -- clusters -------------------------------------------------------------------------------------------------------- */

static int inflate_zlib(Q *q, uint8_t *to, const uint8_t *from, uint64_t len)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)from, .avail_in = (uInt)len, .next_out = to, .avail_out = (uInt)q->cluster};
    if (inflateInit2(&z, -12) != Z_OK) {
        return -ENOMEM;
    }
    int r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    /* the input is longer than the stream: what follows in its last sector is somebody else's */
    return (r == Z_STREAM_END || r == Z_BUF_ERROR) && z.avail_out == 0 ? 0 : -EIO;
}

static int inflate_zstd(Q *q, uint8_t *to, const uint8_t *from, uint64_t len)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    ZSTD_inBuffer in = {from, len, 0};
    ZSTD_outBuffer out = {to, q->cluster, 0};
    if (!z) {
        return -ENOMEM;
    }
    size_t r = 1;
    while (r && out.pos < out.size && !ZSTD_isError(r)) {
        size_t before = in.pos + out.pos;
        r = ZSTD_decompressStream(z, &out, &in);
        if (in.pos + out.pos == before) {
            break;
        }
    }
    ZSTD_freeDStream(z);
    return !ZSTD_isError(r) && out.pos == out.size ? 0 : -EIO;
}

static int read_packed(Block *b, uint64_t entry, uint8_t *to)
{
    Q *q = b->format;
    uint64_t len, at = packed_place(q, entry, &len);
    uint8_t *raw = malloc(len);
    if (!raw) {
        return -ENOMEM;
    }
    int err = block_pread(b->fd, at, raw, len);
    if (!err) {
        err = q->compression ? inflate_zstd(q, to, raw, len) : inflate_zlib(q, to, raw, len);
    }
    free(raw);
    return err;
}

/* What lies behind: the backing image where it reaches, else zeros. */
static int read_behind(Block *b, uint64_t offset, void *to, uint64_t len)
{
    uint64_t have = b->backing && offset < b->backing->size ? b->backing->size - offset : 0;
    have = have < len ? have : len;
    int err = have ? b->backing->ops->read(b->backing, offset, to, have) : 0;
    memset((uint8_t *)to + have, 0, len - have);
    return err;
}

/* A piece of one disk cluster, whose entry this is. */
static int read_entry(Block *b, uint64_t entry, uint64_t offset, void *to, uint64_t len)
{
    Q *q = b->format;
    uint64_t in = offset & (q->cluster - 1);
    if (entry & ENTRY_COMPRESSED) {
        uint8_t *whole = malloc(q->cluster);
        int err = whole ? read_packed(b, entry, whole) : -ENOMEM;
        if (!err) {
            memcpy(to, whole + in, len);
        }
        free(whole);
        return err;
    }
    if (entry & ENTRY_ZERO) {
        memset(to, 0, len);
        return 0;
    }
    if (entry & ENTRY_OFFSET) {
        return block_pread(b->fd, (entry & ENTRY_OFFSET) + in, to, len);
    }
    return read_behind(b, offset, to, len);
}

static bool in_place(uint64_t entry)
{
    return (entry & ENTRY_COPIED) && !(entry & (ENTRY_COMPRESSED | ENTRY_ZERO)) && (entry & ENTRY_OFFSET);
}

/* Writes a piece of one disk cluster that cannot be written in place. Exclusive lock. */
static int write_new(Block *b, uint64_t offset, const void *from, uint64_t len)
{
    Q *q = b->format;
    uint64_t n = offset >> q->bits, entry, at;
    int err = l2_own(b, n);
    if (err || (err = entry_get(b, n, &entry))) {
        return err;
    }
    if (in_place(entry)) { /* another thread was here first */
        return block_pwrite(b->fd, (entry & ENTRY_OFFSET) + (offset & (q->cluster - 1)), from, len);
    }
    if (len < q->cluster) {
        uint64_t start = n << q->bits;
        if ((err = read_entry(b, entry, start, q->buf, q->cluster))) {
            return err;
        }
        memcpy(q->buf + (offset - start), from, len);
        from = q->buf;
    }
    bool keep = !(entry & ENTRY_COMPRESSED) && (entry & ENTRY_COPIED) && (entry & ENTRY_OFFSET); /* zeros with a place of their own */
    if (keep) {
        at = entry & ENTRY_OFFSET;
    } else if ((err = take_cluster(b, &at))) {
        return err;
    }
    if ((err = block_pwrite(b->fd, at, from, q->cluster)) || (err = entry_set(b, n, at | ENTRY_COPIED))) {
        return err;
    }
    return keep || !entry ? 0 : drop_entry(b, entry);
}

/* -- the calls --------------------------------------------------------------------------------------------------------- */

static uint64_t piece(const Q *q, uint64_t offset, uint64_t len)
{
    uint64_t left = q->cluster - (offset & (q->cluster - 1));
    return left < len ? left : len;
}

static int qcow2_read(Block *b, uint64_t offset, void *to, uint64_t len)
{
    Q *q = b->format;
    int err = 0;
    pthread_rwlock_rdlock(&q->lock);
    for (uint8_t *p = to; len && !err;) {
        uint64_t n = piece(q, offset, len), entry;
        if (!(err = entry_get(b, offset >> q->bits, &entry))) {
            err = read_entry(b, entry, offset, p, n);
        }
        p += n;
        offset += n;
        len -= n;
    }
    pthread_rwlock_unlock(&q->lock);
    return err;
}

static int qcow2_write(Block *b, uint64_t offset, const void *from, uint64_t len)
{
    Q *q = b->format;
    int err = 0;
    for (const uint8_t *p = from; len && !err;) {
        uint64_t n = piece(q, offset, len), entry;
        pthread_rwlock_rdlock(&q->lock);
        err = entry_get(b, offset >> q->bits, &entry);
        bool here = !err && in_place(entry) && (q->l1[offset >> q->bits >> l2_bits(q)] & ENTRY_COPIED);
        if (here) {
            err = block_pwrite(b->fd, (entry & ENTRY_OFFSET) + (offset & (q->cluster - 1)), p, n);
        }
        pthread_rwlock_unlock(&q->lock);
        if (!err && !here) {
            pthread_rwlock_wrlock(&q->lock);
            err = write_new(b, offset, p, n);
            pthread_rwlock_unlock(&q->lock);
        }
        p += n;
        offset += n;
        len -= n;
    }
    return err;
}

/* A whole cluster becomes zeros. Exclusive lock. */
static int zero_whole(Block *b, uint64_t n, bool unmap)
{
    Q *q = b->format;
    uint64_t entry;
    int err = entry_get(b, n, &entry);
    if (err || (!entry && !b->backing)) {
        return err;
    }
    if (q->version < 3 && b->backing) {
        uint8_t *z = calloc(1, q->cluster);
        err = z ? write_new(b, n << q->bits, z, q->cluster) : -ENOMEM;
        free(z);
        return err;
    }
    if ((err = l2_own(b, n)) || (err = entry_get(b, n, &entry))) {
        return err;
    }
    bool keep = !unmap && q->version >= 3 && !(entry & ENTRY_COMPRESSED) && (entry & ENTRY_COPIED) && (entry & ENTRY_OFFSET);
    uint64_t now = q->version < 3 ? 0 : keep ? entry | ENTRY_ZERO : ENTRY_ZERO;
    if ((err = entry_set(b, n, now))) {
        return err;
    }
    return keep ? 0 : drop_entry(b, entry);
}

static int qcow2_zero(Block *b, uint64_t offset, uint64_t len, bool unmap)
{
    Q *q = b->format;
    uint8_t *zeros = calloc(1, q->cluster);
    int err = zeros ? 0 : -ENOMEM;
    while (len && !err) {
        uint64_t n = piece(q, offset, len);
        if (n == q->cluster) {
            pthread_rwlock_wrlock(&q->lock);
            err = zero_whole(b, offset >> q->bits, unmap);
            pthread_rwlock_unlock(&q->lock);
        } else {
            err = qcow2_write(b, offset, zeros, n);
        }
        offset += n;
        len -= n;
    }
    free(zeros);
    return err;
}

static int qcow2_flush(Block *b)
{
    return fdatasync(b->fd) ? -errno : 0;
}

static void qcow2_close(Block *b)
{
    Q *q = b->format;
    for (; q->reserve_n; q->reserve_n--) { /* nobody needed them */
        drop_cluster(b, q->reserve++ << q->bits);
    }
    for (unsigned i = 0; i < L2_CACHED; i++) {
        free(q->l2[i].e);
    }
    pthread_rwlock_destroy(&q->lock);
    pthread_mutex_destroy(&q->cache_lock);
    free(q->l1);
    free(q->rt);
    free(q->buf);
    free(q);
}

static const BlockOps qcow2_ops = {qcow2_read, qcow2_write, qcow2_zero, qcow2_flush, qcow2_close};

/* -- opening -------------------------------------------------------------------------------------------------------------- */

/* NULL, or why this header cannot be used. */
static const char *bad_header(const Block *b, const Header *h, uint64_t file)
{
    uint32_t bits = h->cluster_bits;
    if (h->version < 2 || h->version > 3) {
        return "an unknown version of qcow2";
    }
    if (bits < 9 || bits > 21) {
        return "a cluster size outside of 512 bytes to 2 MiB";
    }
    uint64_t l2_covers = (uint64_t)1 << (bits - 3) << bits;
    if (h->crypt) {
        return "an encrypted image, which is not supported";
    }
    if (h->incompatible & INCOMPAT_EXTERNAL) {
        return "data in an external file, which is not supported";
    }
    if (h->incompatible & INCOMPAT_L2) {
        return "extended L2 entries, which are not supported (qemu-img convert makes an image without)";
    }
    if (h->incompatible & ~(uint64_t)(INCOMPAT_DIRTY | INCOMPAT_CORRUPT | INCOMPAT_COMPRESSION)) {
        return "an unknown incompatible feature";
    }
    if (!b->o.readonly && (h->incompatible & (INCOMPAT_DIRTY | INCOMPAT_CORRUPT))) {
        return "marked as dirty or corrupt: repair it first (qemu-img check -r all), or open it readonly=on";
    }
    if (h->refcount_order > 6 || h->compression > 1) {
        return "an unknown refcount width or compression type";
    }
    if (h->size > (uint64_t)1 << 62 || h->l1_size > L1_MAX / 8 || h->l1_size < (h->size + l2_covers - 1) / l2_covers) {
        return "an L1 table that does not fit the disk's size";
    }
    if ((h->l1_offset | h->rt_offset) & (((uint64_t)1 << bits) - 1) || h->l1_offset > file || h->rt_offset > file ||
        h->l1_size * 8ull > file - h->l1_offset || (uint64_t)h->rt_clusters << bits > file - h->rt_offset) {
        return "tables outside of the file: it is truncated";
    }
    if (h->rt_clusters == 0 || (uint64_t)h->rt_clusters << bits > L1_MAX) {
        return "an impossible refcount table";
    }
    if (h->backing_size > 1023 || (h->backing_size && (h->backing_offset > file || h->backing_size > file - h->backing_offset))) {
        return "an impossible name of a backing file";
    }
    return NULL;
}

static void header_to_host(Header *h)
{
    uint32_t *w[] = {&h->magic, &h->version, &h->backing_size, &h->cluster_bits, &h->crypt, &h->l1_size,
                     &h->rt_clusters, &h->nb_snapshots, &h->refcount_order, &h->header_length};
    uint64_t *d[] = {&h->backing_offset, &h->size, &h->l1_offset, &h->rt_offset, &h->snapshots_offset,
                     &h->incompatible, &h->compatible, &h->autoclear};
    for (unsigned i = 0; i < LEN(w); i++) {
        *w[i] = be32toh(*w[i]);
    }
    for (unsigned i = 0; i < LEN(d); i++) {
        *d[i] = be64toh(*d[i]);
    }
}

/* Format of the backing file by its header extension; BLOCK_PROBE when it names none. */
static BlockFormat backing_format(Block *b, const Header *h)
{
    uint64_t at = h->header_length;
    while (at < EXTENSIONS_MAX) {
        uint32_t ext[2];
        char name[8] = "";
        if (block_pread(b->fd, at, ext, sizeof ext) || !ext[0]) {
            break;
        }
        uint32_t len = be32toh(ext[1]);
        if ((int)be32toh(ext[0]) == EXT_BACKING_FORMAT && len < sizeof name && !block_pread(b->fd, at + 8, name, len)) {
            return !strcmp(name, "raw") ? BLOCK_RAW : !strcmp(name, "qcow2") ? BLOCK_QCOW2 : BLOCK_PROBE;
        }
        if (len > EXTENSIONS_MAX) {
            break;
        }
        at += 8 + ALIGN_UP(len, 8);
    }
    return BLOCK_PROBE;
}

static bool open_backing(Block *b, const Header *h, unsigned depth, char *err, size_t errsize)
{
    char name[1024] = "", path[PATH_MAX + 1024], dir[PATH_MAX];
    if (!h->backing_size) {
        return true;
    }
    int e = block_pread(b->fd, h->backing_offset, name, h->backing_size);
    if (e) {
        snprintf(err, errsize, "%s: name of its backing file: %s", b->path, strerror(-e));
        return false;
    }
    const char *file = !strncmp(name, "file:", 5) ? name + 5 : name;
    snprintf(dir, sizeof dir, "%s", b->path);
    snprintf(path, sizeof path, file[0] == '/' ? "%.0s%s" : "%s/%s", dirname(dir), file);
    BlockOptions o = {.format = backing_format(b, h), .readonly = true};
    char why[PATH_MAX + 256];
    b->backing = block_open_level(path, &o, depth + 1, why, sizeof why);
    if (!b->backing) {
        snprintf(err, errsize, "%s: its backing file: %s", b->path, why);
    }
    return b->backing != NULL;
}

static uint64_t *read_table(Block *b, uint64_t at, uint64_t n)
{
    uint64_t *t = malloc(n ? n * 8 : 8);
    if (t && block_pread(b->fd, at, t, n * 8)) {
        free(t);
        return NULL;
    }
    for (uint64_t i = 0; t && i < n; i++) {
        t[i] = be64toh(t[i]);
    }
    return t;
}

bool qcow2_open(Block *b, unsigned depth, char *err, size_t errsize)
{
    Header h = {0};
    off_t file = lseek(b->fd, 0, SEEK_END);
    int e = file < 0 ? -errno : block_pread(b->fd, 0, &h, sizeof h);
    if (e) {
        snprintf(err, errsize, "%s: %s", b->path, strerror(-e));
        return false;
    }
    header_to_host(&h);
    if (h.magic != MAGIC || file < HEADER_V2) {
        snprintf(err, errsize, "%s: not a qcow2 image", b->path);
        return false;
    }
    if (h.version == 2) {
        h.incompatible = h.compatible = h.autoclear = h.compression = 0;
        h.refcount_order = 4;
        h.header_length = HEADER_V2;
    } else if (h.header_length < offsetof(Header, pad)) {
        h.compression = 0;
    }
    const char *bad = bad_header(b, &h, (uint64_t)file);
    if (bad) {
        snprintf(err, errsize, "%s: qcow2: %s", b->path, bad);
        return false;
    }
    Q *q = calloc(1, sizeof *q);
    if (!q) {
        snprintf(err, errsize, "%s: out of memory", b->path);
        return false;
    }
    q->bits = h.cluster_bits;
    q->cluster = (uint64_t)1 << q->bits;
    q->order = h.refcount_order;
    q->version = h.version;
    q->compression = h.compression;
    q->l1_size = h.l1_size;
    q->l1_at = h.l1_offset;
    q->rt_at = h.rt_offset;
    q->rt_n = ((uint64_t)h.rt_clusters << q->bits) / 8;
    q->file_end = ((uint64_t)file + q->cluster - 1) >> q->bits;
    q->buf = malloc(q->cluster);
    q->l1 = read_table(b, q->l1_at, q->l1_size);
    q->rt = read_table(b, q->rt_at, q->rt_n);
    pthread_rwlock_init(&q->lock, NULL);
    pthread_mutex_init(&q->cache_lock, NULL);
    b->format = q;
    b->ops = &qcow2_ops;
    b->size = h.size;
    if (!q->buf || !q->l1 || !q->rt) {
        snprintf(err, errsize, "%s: its tables cannot be read", b->path);
        return false;
    }
    if (h.autoclear && !b->o.readonly && (e = put64(b, offsetof(Header, autoclear), 0))) {
        snprintf(err, errsize, "%s: %s", b->path, strerror(-e));
        return false;
    }
    return open_backing(b, &h, depth, err, errsize);
}

int qcow2_create(int fd, uint64_t size)
{
    enum { BITS = 16 };
    uint64_t cluster = 1 << BITS, covers = cluster / 8 << BITS, l1 = (size + covers - 1) / covers;
    uint64_t l1_clusters = (l1 * 8 + cluster - 1) >> BITS;
    l1_clusters += !l1_clusters;
    if (l1 > L1_MAX / 8) {
        return -EFBIG;
    }
    Header h = {.magic = htobe32(MAGIC), .version = htobe32(3), .cluster_bits = htobe32(BITS), .size = htobe64(size),
                .l1_size = htobe32((uint32_t)l1), .l1_offset = htobe64(3 << BITS), .rt_offset = htobe64(1 << BITS),
                .rt_clusters = htobe32(1), .refcount_order = htobe32(4), .header_length = htobe32(sizeof h)};
    if (ftruncate(fd, (off_t)((3 + l1_clusters) << BITS))) {
        return -errno;
    }
    uint64_t block = htobe64(2 << BITS);
    int err = block_pwrite(fd, 1 << BITS, &block, sizeof block);
    for (uint64_t i = 0; i < 3 + l1_clusters && !err; i++) {
        uint16_t one = htobe16(1);
        err = block_pwrite(fd, (2 << BITS) + i * 2, &one, sizeof one);
    }
    return err ? err : block_pwrite(fd, 0, &h, sizeof h);
}
