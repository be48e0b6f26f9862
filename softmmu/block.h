/* block.h - disk images: raw files and block devices, qcow2 with backing files, throw-away overlays.
 *
 * All calls block and return 0 or -errno; they are made by the devices' worker threads, by several at once (each format
 * says how it locks). Offsets and lengths are bytes, of any alignment, inside of block_size (else -EINVAL).
 * A write that has returned survives the end of this process; one that was flushed survives the machine's.
 */
#ifndef ARMX_SOFTMMU_BLOCK_H
#define ARMX_SOFTMMU_BLOCK_H

#include "base.h"

typedef struct Block Block;

typedef enum BlockFormat { BLOCK_PROBE, BLOCK_RAW, BLOCK_QCOW2 } BlockFormat;

typedef struct BlockOptions {
    BlockFormat format;
    bool readonly;
    bool snapshot;   /* writes go to an unlinked file in $TMPDIR */
    bool unsafe;     /* cache=unsafe: flushing does nothing */
    bool writethrough; /* cache=writethrough, directsync: each write is flushed */
    bool unmap;      /* discard=unmap: discarded ranges are given back to the file system */
} BlockOptions;

/* What was asked of an image since it was opened. */
typedef struct BlockStats {
    uint64_t reads, read_bytes, writes, written_bytes, flushes;
} BlockStats;

/* NULL, with one line in err (which names the file and what is wrong with it), when the image cannot be used. */
Block *block_open(const char *path, const BlockOptions *o, char *err, size_t errsize);
void block_close(Block *b);
uint64_t block_size(const Block *b);
bool block_readonly(const Block *b);
bool block_is_qcow2(const Block *b);
BlockStats block_stats(const Block *b);
int block_read(Block *b, uint64_t offset, void *to, uint64_t len);
int block_write(Block *b, uint64_t offset, const void *from, uint64_t len);
int block_flush(Block *b);
/* Reads as zeros afterwards; with unmap the space may be given back. */
int block_zero(Block *b, uint64_t offset, uint64_t len, bool unmap);
/* A hint, reads as anything afterwards; does nothing unless the image was opened with unmap. */
int block_discard(Block *b, uint64_t offset, uint64_t len);

#endif
