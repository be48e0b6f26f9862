/* pool.c - translations of code that programs make at run time, found again by its bytes.
 *
 * Programs that make code make much of it from the same templates: stubs, trampolines, caches of one call that are switched
 * back and forth. Invalidation is by lines, so that code beside what was changed is lost, too. A region that stands where an
 * earlier one stood, or anywhere else, with the same bytes is put into code memory from the copy here, at a tenth of what its
 * translation takes.
 * Only short regions without a look at any other code (IrRegion.words), of processes that rewrite code (POOL_AFTER). What was read
 * while it was translated is what it is known by, not what stands in memory then: another thread may write there.
 * Records are written one behind the other, over the oldest ones in the end. Nobody waits for the lock: who does not get it translates.
 */
#include <sys/mman.h>

#include "record.h"

enum { POOL_BYTES = 1 << 20, POOL_RECORD = 1024 /* bytes, at most */, INDEX_BITS = 13, WAYS = 4, PLACE_MASK_BITS = 48 };

struct TbPool {
    uint32_t busy;
    uint64_t kept, found, left_out; /* regions: copied, taken, neither */
    uint64_t end;                     /* of the newest record; bytes are counted on, and lie at the count modulo POOL_BYTES */
    uint64_t index[1 << INDEX_BITS];  /* by hash, in sets of WAYS: where a record begins, and bits of its hash above */
    uint8_t records[POOL_BYTES + POOL_RECORD] __attribute__((aligned(64)));
};

TbPool *pool_open(const Engine *e)
{
    if (e->cfg.soft || e->cfg.max_insns || e->cfg.one_insn) {
        return NULL;
    }
    void *p = mmap(NULL, sizeof(TbPool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool take(TbPool *p)
{
    return !__atomic_exchange_n(&p->busy, 1, __ATOMIC_ACQUIRE);
}

static void give(TbPool *p)
{
    __atomic_store_n(&p->busy, 0, __ATOMIC_RELEASE);
}

/* By the first two instructions. */
static uint64_t hash_of(uint64_t key, const void *code)
{
    uint64_t first;
    memcpy(&first, code, sizeof first);
    return record_mix(record_mix(0, first), key);
}

static uint64_t *set_of(TbPool *p, uint64_t hash)
{
    return &p->index[hash >> (64 - INDEX_BITS) & ~(uint64_t)(WAYS - 1)];
}

static uint64_t begin_of(uint64_t entry)
{
    return entry & bits_mask(PLACE_MASK_BITS);
}

/* Is what the entry says still there? */
static bool lives(const TbPool *p, uint64_t entry)
{
    return entry && begin_of(entry) + POOL_BYTES >= p->end;
}

static Record *record_at(TbPool *p, uint64_t begin)
{
    return (Record *)&p->records[begin % POOL_BYTES];
}

/* The region for the code at pc, of which `avail` bytes are there; or NULL. */
static Record *find(Engine *e, TbPool *p, uint64_t hash, uint64_t key, const uint8_t *code, uint32_t avail, uint64_t pc)
{
    const uint64_t *set = set_of(p, hash);
    for (unsigned k = 0; k < WAYS; k++) {
        if ((set[k] ^ hash << PLACE_MASK_BITS) >> PLACE_MASK_BITS || !lives(p, set[k])) {
            continue;
        }
        Record *r = record_at(p, begin_of(set[k]));
        if (r->hash == hash && r->key == key && r->nbytes <= avail && memcmp(r + 1, code, r->nbytes) == 0 &&
            (r->bound ? r->pc == pc : pc >= MOVABLE) && r->page == record_page(e, pc) && !record_marked(e, r, pc)) {
            return r;
        }
    }
    return NULL;
}

Tb *pool_load(Engine *e, TbPool *p, CodeChunk *ch, uint64_t pc, uint64_t key)
{
    Space *s = e->cfg.space;
    uint64_t whole = record_key(e, key);
    uint32_t avail;
    if (pc & 3 || s->stop_at || s->critical || key & KEY_ONE_INSN) {
        return NULL;
    }
    const uint8_t *code = s->fetch(s, gva(pc), &avail);
    if (!code || avail < 8) {
        return NULL;
    }
    uint64_t hash = hash_of(whole, code);
    if (!take(p)) {
        return NULL;
    }
    Record *r = find(e, p, hash, whole, code, avail, pc);
    Tb *tb = r ? record_place(e, ch, r, pc, key) : NULL;
    e->stats.again += tb != NULL;
    p->found += tb != NULL;
    give(p);
    return tb;
}

/* Code that never comes again is not worth its copies: then only a few are made, to see when that changes. */
static bool worth(TbPool *p)
{
    enum { FIRST = 2048, PER_FOUND = 8, FEW = 16 };
    return p->kept < FIRST + PER_FOUND * p->found || p->left_out++ % FEW == 0;
}

void pool_keep(const Engine *e, TbPool *p, Made *m)
{
    const IrRegion *ir = m->ir;
    if (ir->nwords < 2 || ir->nwords > IR_WORDS || ir->nwords != ir->ninsns || ir->before || ir->nbytes != 4u * ir->nwords || ir->ndescribed ||
        m->bound & BOUND_HOST || m->nnotes > NOTES || ir->key & KEY_ONE_INSN) {
        return;
    }
    if (!take(p)) {
        return;
    }
    Record r = {0};
    if (worth(p)) {
        r = record_head(e, m);
    }
    if (!r.bytes || r.bytes > POOL_RECORD) {
        give(p);
        return;
    }
    m->guest = (const uint8_t *)ir->words;
    r.hash = hash_of(m->key, ir->words);
    uint64_t *set = set_of(p, r.hash), *to = set;
    for (unsigned k = 1; k < WAYS; k++) {
        to = begin_of(set[k]) < begin_of(*to) ? &set[k] : to;
    }
    uint64_t begin = p->end ? p->end : RECORD_UNIT; /* an entry of 0 is none */
    p->end = begin + r.bytes;
    p->kept++;
    *to = r.hash << PLACE_MASK_BITS | begin;
    record_fill(e, record_at(p, begin), &r, m);
    give(p);
}
