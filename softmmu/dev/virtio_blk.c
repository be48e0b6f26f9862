/* virtio_blk.c - block device (Virtio 1.2, 5.2) over an image (softmmu/block.h).
 *
 * Requests are done one after the other on the device's own thread. A write has reached the image's file when the guest
 * hears of it, a flush has reached the disk. Errors of the image become S_IOERR for that request; a full disk of the host too,
 * said once on stderr.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../block.h"
#include "../drive.h"
#include "virtio.h"

enum { F_SEG_MAX = 2, F_GEOMETRY = 4, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_CONFIG_WCE = 11, F_DISCARD = 13,
       F_WRITE_ZEROES = 14 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { SECTOR = 512, QUEUE = 256, RANGE_MAX = 0x3fffff /* sectors of one discard */, RANGES_MAX = 32, ID_BYTES = 20 };

/* The configuration as the driver sees it (5.2.4). */
typedef struct __attribute__((packed)) BlkConfig {
    uint64_t capacity;
    uint32_t size_max, seg_max;
    struct __attribute__((packed)) {
        uint16_t cylinders;
        uint8_t heads, sectors;
    } geometry;
    uint32_t blk_size;
    uint8_t physical_exp, alignment;
    uint16_t min_io;
    uint32_t opt_io;
    uint8_t writeback, unused0;
    uint16_t num_queues;
    uint32_t max_discard, max_discard_seg, discard_align, max_zeroes, max_zeroes_seg;
    uint8_t zeroes_unmap, unused1[3];
} BlkConfig;

typedef struct Blk {
    Block *block;
    char serial[ID_BYTES];
    bool complained;
    VirtElem e;
} Blk;

typedef struct __attribute__((packed)) Request {
    uint32_t type, reserved;
    uint64_t sector;
} Request;

/* Reads into, or writes from, the guest's pieces: `skip` bytes of the out part are the header, the last byte of the in part is the
 * status. */
static int transfer(Blk *d, const Request *r, bool write, uint32_t *done)
{
    const VirtElem *e = &d->e;
    uint64_t at = r->sector * SECTOR, skip = write ? sizeof *r : 0, len = write ? e->out_len - sizeof *r : e->in_len - 1;
    if (r->sector > block_size(d->block) / SECTOR || len % SECTOR) {
        return -EINVAL;
    }
    for (unsigned i = write ? 0 : e->nout; len; i++) {
        uint64_t n = e->v[i].iov_len;
        if (skip >= n) {
            skip -= n;
            continue;
        }
        uint8_t *p = (uint8_t *)e->v[i].iov_base + skip;
        n = n - skip < len ? n - skip : len;
        skip = 0;
        int err = write ? block_write(d->block, at, p, n) : block_read(d->block, at, p, n);
        if (err) {
            return err;
        }
        at += n;
        len -= n;
        *done += write ? 0 : (uint32_t)n;
    }
    return 0;
}

static int discard(Blk *d, bool zeroes)
{
    struct {
        uint64_t sector;
        uint32_t n, flags;
    } range;
    uint64_t have = d->e.out_len - sizeof(Request), total = block_size(d->block) / SECTOR;
    if (!have || have % sizeof range || have / sizeof range > RANGES_MAX) {
        return -EINVAL;
    }
    for (uint64_t at = 0; at < have; at += sizeof range) {
        virtio_get(&d->e, sizeof(Request) + at, &range, sizeof range);
        if (range.n > RANGE_MAX || range.sector > total || range.n > total - range.sector) {
            return -EINVAL;
        }
        if (range.flags & ~(uint32_t)(zeroes ? 1 : 0)) {
            return -ENOTSUP;
        }
        int err = zeroes ? block_zero(d->block, range.sector * SECTOR, (uint64_t)range.n * SECTOR, range.flags & 1)
                         : block_discard(d->block, range.sector * SECTOR, (uint64_t)range.n * SECTOR);
        if (err) {
            return err;
        }
    }
    return 0;
}

static int request(Virtio *v, Blk *d, uint32_t *done)
{
    Request r;
    virtio_get(&d->e, 0, &r, sizeof r);
    switch (r.type) {
    case T_IN: return transfer(d, &r, false, done);
    case T_OUT: {
        int err = transfer(d, &r, true, done);
        return err || v->config[offsetof(BlkConfig, writeback)] ? err : block_flush(d->block);
    }
    case T_FLUSH: return block_flush(d->block);
    case T_GET_ID:
        *done = (uint32_t)virtio_put(&d->e, 0, d->serial, d->e.in_len - 1 < ID_BYTES ? d->e.in_len - 1 : ID_BYTES);
        return 0;
    case T_DISCARD: return virtio_has(v, F_DISCARD) ? discard(d, false) : -ENOTSUP;
    case T_WRITE_ZEROES: return virtio_has(v, F_WRITE_ZEROES) ? discard(d, true) : -ENOTSUP;
    default: return -ENOTSUP;
    }
}

static void run(Virtio *v, unsigned n)
{
    VirtQueue *q = &v->queue[n];
    Blk *d = v->dev;
    while (virtio_pop(v, q, &d->e)) {
        if (d->e.out_len < sizeof(Request) || !d->e.in_len) {
            virtio_broken(v, "a request without header or status");
            return;
        }
        uint32_t done = 0;
        int err = request(v, d, &done);
        if (err && err != -ENOTSUP && err != -EINVAL && err != -EROFS && !d->complained) {
            d->complained = true;
            fprintf(stderr, "armx-system: disk image: %s; the guest is told of an I/O error\n", strerror(-err));
        }
        uint8_t status = !err ? S_OK : err == -ENOTSUP ? S_UNSUPP : S_IOERR;
        virtio_put(&d->e, d->e.in_len - 1, &status, 1);
        virtio_push(v, q, &d->e, err ? (uint32_t)d->e.in_len : done + 1);
        virtio_signal(v, q);
    }
}

static const VirtioOps ops = {.id = VIRTIO_BLK, .name = "blk", .threaded = true, .run = run,
                              .features = VIRTIO_F(F_SEG_MAX) | VIRTIO_F(F_GEOMETRY) | VIRTIO_F(F_BLK_SIZE) | VIRTIO_F(F_FLUSH) |
                                          VIRTIO_F(F_TOPOLOGY) | VIRTIO_F(F_CONFIG_WCE)};

typedef struct Config {
    VirtioProps common;
    const char *drive, *serial;
    bool write_cache, discard, write_zeroes;
    uint32_t logical, physical;
    int32_t bootindex;
} Config;

static void fill_config(Virtio *v, Blk *d, const Config *c)
{
    uint64_t sectors = block_size(d->block) / SECTOR, cylinders = sectors / (16 * 63);
    BlkConfig k = {.capacity = sectors, .seg_max = QUEUE - 2, .blk_size = c->logical, .writeback = c->write_cache, .num_queues = 1,
                   .geometry = {(uint16_t)(cylinders < 65535 ? cylinders : 65535), 16, 63},
                   .max_discard = RANGE_MAX, .max_discard_seg = 1, .discard_align = c->logical / SECTOR,
                   .max_zeroes = RANGE_MAX, .max_zeroes_seg = 1, .zeroes_unmap = 1};
    for (uint32_t n = c->physical / c->logical; n > 1; n >>= 1) {
        k.physical_exp++;
    }
    memcpy(v->config, &k, sizeof k);
    v->config_writable[offsetof(BlkConfig, writeback) / 8] |= 1 << offsetof(BlkConfig, writeback) % 8;
    v->offered |= block_readonly(d->block) ? VIRTIO_F(F_RO) : 0;
    v->offered |= !block_readonly(d->block) && c->discard ? VIRTIO_F(F_DISCARD) : 0;
    v->offered |= !block_readonly(d->block) && c->write_zeroes ? VIRTIO_F(F_WRITE_ZEROES) : 0;
}

static bool power_of_2(uint32_t n)
{
    return n >= SECTOR && n <= 32768 && !(n & (n - 1));
}

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    (void)id;
    Config *c = config;
    if (!c->drive) {
        snprintf(why, n, "drive=ID is missing: which -drive?");
        return -1;
    }
    if (!power_of_2(c->logical) || !power_of_2(c->physical) || c->physical < c->logical) {
        snprintf(why, n, "logical_block_size, physical_block_size: powers of 2 from 512 to 32768");
        return -1;
    }
    Blk *d = calloc(1, sizeof *d);
    ASSERT(d);
    d->block = drive_take(m, c->drive, id ? id : t->name, why, n);
    if (!d->block) {
        return -1;
    }
    strncpy(d->serial, c->serial ? c->serial : "", ID_BYTES);
    Virtio *v = virtio_new(m, &ops, d, 1, QUEUE, sizeof(BlkConfig));
    ASSERT(v);
    fill_config(v, d, c);
    int r = virtio_attach(v, t, &c->common, why, n);
    return r ? r : virtio_boot_index(v, c->bootindex, "/disk@0,0", why, n);
}

static const DeviceProp props[] = {
    VIRTIO_PROPS,
    {"drive", PROP_STR, offsetof(Config, drive), NULL, "id of the -drive"},
    {"bootindex", PROP_INDEX, offsetof(Config, bootindex), NULL, "its place in the order in which firmware starts from disks and networks"},
    {"serial", PROP_STR, offsetof(Config, serial), NULL, "at most 20 characters"},
    {"write-cache", PROP_BOOL, offsetof(Config, write_cache), "on", "the guest has to flush"},
    {"discard", PROP_BOOL, offsetof(Config, discard), "on", "the guest may discard"},
    {"write-zeroes", PROP_BOOL, offsetof(Config, write_zeroes), "on", "the guest may write zeros without data"},
    {"logical_block_size", PROP_U32, offsetof(Config, logical), "512", "bytes"},
    {"physical_block_size", PROP_U32, offsetof(Config, physical), "512", "bytes"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
VIRTIO_DEVICE_TYPES(virtio_blk, "virtio-blk", "disk", props, Config, create)
