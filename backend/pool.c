/* pool.c - translations of code that programs make at run time, found again by its bytes.
 *
 * Programs that make code make much of it from the same templates: stubs, trampolines, caches of one call that are switched
 * back and forth. Invalidation is by lines, so that code beside what was changed is lost, too. A region that stands where an
 * earlier one stood, or anywhere else, with the same bytes is put into code memory from the copy here, at a tenth of what its
 * translation takes.
 * Only short regions without a look at any other code (IrRegion.words), of processes that rewrite code (POOL_AFTER). What was read
 * while it was translated is what it is known by, not what stands in memory then: another thread may write there.
 * Two places per hash. Nobody waits for the lock: who does not get it translates.
 */
#include <sys/mman.h>

#include "record.h"

enum { POOL_BITS = 12, POOL_SLOT = 512 /* bytes of a record and its parts */ };

typedef union Slot {
    Record record;
    uint8_t bytes[POOL_SLOT];
} Slot;

struct TbPool {
    Slot slots[1 << POOL_BITS];
    uint32_t tags[1 << POOL_BITS]; /* of the hashes of what is there */
    uint32_t busy, turn;
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

enum { NO_SLOT = 1 << POOL_BITS };

/* Of the pair of slots for this hash, the one with such a region; or NO_SLOT. */
static unsigned slot_of(const TbPool *p, uint64_t hash)
{
    unsigned n = (unsigned)(hash >> (64 - POOL_BITS)) & ~1u;
    return p->tags[n] == (uint32_t)hash ? n : p->tags[n + 1] == (uint32_t)hash ? n + 1 : NO_SLOT;
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
    unsigned n = slot_of(p, hash);
    Record *r = n == NO_SLOT ? NULL : &p->slots[n].record;
    bool same = r && r->hash == hash && r->key == whole && r->nbytes && r->nbytes <= avail && memcmp(r + 1, code, r->nbytes) == 0 &&
                (r->bound ? r->pc == pc : pc >= MOVABLE) && r->page == record_page(e, pc) && !record_marked(e, r, pc);
    Tb *tb = same ? record_place(e, ch, r, pc, key) : NULL;
    e->stats.again += tb != NULL;
    give(p);
    return tb;
}

void pool_keep(const Engine *e, TbPool *p, Made *m)
{
    const IrRegion *ir = m->ir;
    if (ir->nwords < 2 || ir->nwords > IR_WORDS || ir->nwords != ir->ninsns || ir->before || ir->nbytes != 4u * ir->nwords || ir->ndescribed ||
        m->bound & BOUND_HOST || m->nnotes > NOTES || ir->key & KEY_ONE_INSN) {
        return;
    }
    Record r = record_head(e, m);
    if (r.bytes > POOL_SLOT || !take(p)) {
        return;
    }
    m->guest = (const uint8_t *)ir->words;
    r.hash = hash_of(m->key, ir->words);
    unsigned n = slot_of(p, r.hash);
    if (n == NO_SLOT) {
        n = (unsigned)(r.hash >> (64 - POOL_BITS)) ^ (p->turn++ & 1);
    }
    record_fill(e, &p->slots[n].record, &r, m);
    p->tags[n] = (uint32_t)r.hash;
    give(p);
}
