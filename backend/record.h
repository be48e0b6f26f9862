/* record.h - a translated region in a form that can be put into code memory again, at another address: what the cache on disk
 * (cache.c) and the pool (pool.c) keep.
 *
 * A Record is followed by its parts (record_parts). Notes (cache.h) say what of its code moves; what of it that does not
 * move ties it to its address (bound).
 */
#ifndef ARMX_BACKEND_RECORD_H
#define ARMX_BACKEND_RECORD_H

#include "tb.h"

#define MOVABLE ((uint64_t)1 << 34) /* addresses above have the same form in code, wherever it is */

typedef struct Record {
    uint32_t bytes, zero;
    uint64_t sum;            /* of all that follows: on disk */
    uint64_t hash, key, pc, image; /* image: where armx was */
    uint32_t code, data;     /* where the region was, from the begin of the code buffer; of data */
    uint32_t size, nbytes;
    uint16_t before, ninsns, nexits, nfaults, nrecipes, nnotes;
    uint8_t ndescribed, page, bound, unshared;
} __attribute__((aligned(16))) Record;

typedef struct KeptExit {
    int64_t pc;              /* from the region's */
    uint32_t at, stub;       /* from the begin of the code; 0 = none */
    int32_t via;
    uint32_t zero;
} KeptExit;

_Static_assert(sizeof(Record) % 16 == 0 && sizeof(Fault) == 8 && sizeof(Recipe) % 8 == 0, "parts are aligned");

enum { RECORD_UNIT = 16 /* records begin at multiples of it, and have a multiple of it in bytes */ };
/* The parts behind a record, in this order. */
typedef struct Parts {
    uint8_t *guest, *code;
    KeptExit *exits;
    Fault *faults;
    Recipe *recipes;
    uint32_t *notes;
    uint64_t *described;
    uint8_t *end;
} Parts;

/* A region just made, not linked yet. */
typedef struct Made {
    const Tb *tb;
    const IrRegion *ir;
    const uint8_t *guest;    /* the code at tb->pc */
    uint64_t key;            /* record_key */
    unsigned bound, nrecipes, nnotes;
    const uint32_t *notes;
} Made;

/* KEY_SHARED is no part of a Tb's key, but of what its code depends on. */
static inline uint64_t record_key(const Engine *e, uint64_t key)
{
    return key | (__atomic_load_n(&e->shared, __ATOMIC_RELAXED) ? KEY_SHARED : 0);
}

static inline uint64_t record_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

Parts record_parts(Record *r);
uint8_t record_page(const Engine *e, uint64_t pc);  /* what the page of pc is, for translation */
Record record_head(const Engine *e, const Made *m); /* all but hash and sum */
void record_fill(const Engine *e, Record *to, const Record *head, const Made *m);
/* Has translation at pc other means than the code itself (marks)? */
bool record_marked(Engine *e, const Record *r, uint64_t pc);
/* The region in the chunk, as target_compile leaves it, or NULL: no room, or its notes make no sense. */
Tb *record_place(Engine *e, CodeChunk *ch, Record *r, uint64_t pc, uint64_t key);

#endif
