/* proto.h - what the differential test and its guest program (guest.c) share: addresses, a CPU's state, a batch.
 *
 * Words: a *case* is one block of code with the state that it starts from. A *slot* is the piece of code memory
 * that a case may fill; everything in it that is not the case's is BRK. A *batch* is up to DIFF_BATCH cases that
 * start from the same data memory, the *image*. A *granule* is 16 bytes of data memory.
 * The two sides exchange batches through a file that both map, and one byte each way over pipes: the guest reads
 * the number of a buffer, runs its batch, writes the byte back. At end of file it exits.
 * Data memory, from DIFF_DATA: a hole, two pages read-write, one page read-only, a hole. Code memory is read-execute.
 */
#ifndef ARMX_TESTS_DIFF_PROTO_H
#define ARMX_TESTS_DIFF_PROTO_H

#include <stdint.h>

#define DIFF_CODE 0x1000000000ull
#define DIFF_HOLE (DIFF_CODE + 0x20000)
#define DIFF_DATA (DIFF_CODE + 0x30000)
#define DIFF_RO (DIFF_DATA + DIFF_RW_SIZE)
#define DIFF_DATA_END (DIFF_RO + DIFF_RO_SIZE)

enum {
    DIFF_PAGE = 4096,
    DIFF_CODE_SIZE = 0x20000,
    DIFF_RW_SIZE = 2 * DIFF_PAGE,
    DIFF_RO_SIZE = DIFF_PAGE,
    DIFF_IMAGE_SIZE = DIFF_RW_SIZE + DIFF_RO_SIZE,
    SLOT_WORDS = 80,
    SLOT_BYTES = 4 * SLOT_WORDS, /* no divisor of a page: some slots cross one */
    DIFF_BATCH = 384,
    DIFF_BUFFERS = 3, /* two in turn, one for single cases */
    DIFF_GRANULES = 240, /* of changed memory that a result can hold */
};
#define DIFF_FILLER 0xd43ffbe0u /* BRK #0xffdf */

typedef struct DiffState {
    uint64_t x[31], sp, pc, tpidr;
    uint64_t v[32][2];
    uint32_t nzcv, fpcr, fpsr, unused; /* nzcv: bits 31..28 */
} DiffState;

typedef struct DiffGranule {
    uint64_t at; /* bytes from DIFF_DATA */
    uint64_t d[2];
} DiffGranule;

/* How a case ended: the signal that Linux would send, and the state that its frame would show. */
typedef struct DiffResult {
    DiffState s;
    uint32_t sig;
    int32_t code;
    uint64_t addr;
    uint32_t ngranules, unused;
    DiffGranule mem[DIFF_GRANULES];
} DiffResult;

typedef struct DiffBatch {
    uint32_t count, unused; /* cases */
    DiffState in[DIFF_BATCH];
    DiffResult out[DIFF_BATCH];
    uint8_t code[DIFF_CODE_SIZE] __attribute__((aligned(4096)));
    uint8_t image[DIFF_IMAGE_SIZE] __attribute__((aligned(4096)));
} DiffBatch;

typedef struct DiffShared {
    DiffBatch batch[DIFF_BUFFERS];
} DiffShared;

/* Lists the granules of now[] that differ from image[], and makes them the image's again. */
static inline void diff_collect(DiffResult *r, uint64_t *now, const uint64_t *image)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < DIFF_RW_SIZE / 8; i += 2) {
        if (now[i] != image[i] || now[i + 1] != image[i + 1]) {
            if (n < DIFF_GRANULES) {
                r->mem[n].at = 8 * i;
                r->mem[n].d[0] = now[i];
                r->mem[n].d[1] = now[i + 1];
            }
            n++;
            now[i] = image[i];
            now[i + 1] = image[i + 1];
        }
    }
    r->ngranules = n < DIFF_GRANULES ? n : DIFF_GRANULES;
}

#endif
