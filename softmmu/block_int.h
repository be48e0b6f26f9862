/* block_int.h - what block.c and the formats share. */
#ifndef ARMX_SOFTMMU_BLOCK_INT_H
#define ARMX_SOFTMMU_BLOCK_INT_H

#include "block.h"

typedef struct BlockOps {
    int (*read)(Block *b, uint64_t offset, void *to, uint64_t len);
    int (*write)(Block *b, uint64_t offset, const void *from, uint64_t len);
    int (*zero)(Block *b, uint64_t offset, uint64_t len, bool unmap);
    int (*flush)(Block *b);
    void (*close)(Block *b);
} BlockOps;

struct Block {
    const BlockOps *ops;
    BlockOptions o;
    int fd;
    uint64_t size;
    char *path;     /* for messages */
    Block *backing; /* owned; its size may differ */
    void *format;   /* the format's own */
    BlockStats stats; /* what was asked of this level; atomic */
};

/* Whole transfers at a place of the file; what lies behind its end reads as zeros. */
int block_pread(int fd, uint64_t at, void *to, uint64_t len);
int block_pwrite(int fd, uint64_t at, const void *from, uint64_t len);
/* Opens one level of a chain of images; depth counts them. */
Block *block_open_level(const char *path, const BlockOptions *o, unsigned depth, char *err, size_t errsize);
/* b has path, options, fd; false with err when the image is unusable. */
bool qcow2_open(Block *b, unsigned depth, char *err, size_t errsize);
/* Makes an empty image for `size` bytes in an open file. */
int qcow2_create(int fd, uint64_t size);

#endif
