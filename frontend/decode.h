/* decode.h - the part of the guest decoder that is not generated: its tables' types and the walk
 * through them.
 *
 * isagen turns the .isa tables into data.  A word's row is found in at most three steps:
 * bits 31..21 choose a block, bits 15..10 an entry of it; an entry is a row, or a list of cubes
 * over the remaining bits (20..16 and 9..0) whose last one takes everything.  Predicates, groups
 * and holes are already resolved in those cubes, so the walk is exactly the function that isagen
 * proved to tile the space.  Row 0 is UNALLOCATED.
 *
 * A row's *format* is the function that extracts its fields; rows with the same fields share one.
 */
#ifndef ARMX_FRONTEND_DECODE_H
#define ARMX_FRONTEND_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One alternative of a list: applies when (isa_low(word) & mask) == value. */
typedef struct {
    uint16_t mask, value, row;
} IsaCube;

enum {
    ISA_LIST = 0x8000
}; /* a second-level entry with this bit is the index of a list's first cube */

typedef struct {
    const uint16_t *blocks;      /* [2048]: number of a block */
    const uint16_t (*block)[64]; /* rows, or ISA_LIST + index */
    const IsaCube *cubes;
} IsaTables;

/* What the decoder needs of a row beside its number. */
typedef struct {
    uint8_t format, feats; /* feats: index of a set of features, 0 = none needed */
} IsaKey;

/* A field of a row: `width` bits from bit `pos`; `member` is the offset of its int32_t in the
 * argument struct. */
typedef struct {
    const char *name;
    uint16_t member;
    uint8_t pos, width;
    bool is_signed;
} IsaField;

typedef struct Tr Tr;
typedef struct A64 A64;
typedef void A64TrFn(Tr *t, const A64 *a, int k);

typedef struct {
    const char *name, *mnemonic;
    A64TrFn *tr; /* the translator, to be called with k */
    int k;
    uint32_t mask, value; /* literal bits */
    uint32_t should,
        should_to;     /* should-be bits and what they should be; the decoder ignores them */
    uint64_t feats[2]; /* all of these A64_FEAT_ bits must be set in the CPU model's */
    const IsaField *fields;
    unsigned n_fields;
} A64RowInfo;

/* The bits that the two indices leave: 20..16 above 9..0. */
static inline unsigned isa_low(uint32_t word)
{
    return (word >> 6 & 0x7c00) | (word & 0x3ff);
}

/* Row of a word whatever the CPU's features; 0 = UNALLOCATED. */
static inline unsigned isa_lookup(const IsaTables *t, uint32_t word)
{
    unsigned e = t->block[t->blocks[word >> 21]][word >> 10 & 63];
    if (e & ISA_LIST) {
        const IsaCube *c = &t->cubes[e & ~(unsigned)ISA_LIST];
        unsigned low = isa_low(word);
        while ((low & c->mask) != c->value) {
            c++;
        }
        e = c->row;
    }
    return e;
}

/* memset to 0.  The size is hidden from the compiler: for a known size of a few hundred bytes GCC
 * emits `rep stos`, whose start costs more than the rest of the decoder. */
static inline void isa_zero(void *p, size_t size)
{
    __asm__("" : "+r"(size));
    memset(p, 0, size);
}

/* The immediate of a logical instruction is encodable (DDI 0487, DecodeBitMasks). */
static inline bool isa_bitmask_ok(unsigned n, unsigned imms, unsigned sf)
{
    unsigned v = n << 6 | (~imms & 63);
    unsigned levels = v > 1 ? (1u << (31 - __builtin_clz(v))) - 1 : 0;
    return levels && (sf || !n) && (imms & levels) != levels;
}

#endif
