/* tb.c - the table of translated regions: look-up, publishing, removal, host address to region. */
#include "tb.h"

Tb *tb_find(Engine *e, uint64_t pc, uint64_t key)
{
    Tb *tb = __atomic_load_n(&e->hash[tb_hash(pc, key)], __ATOMIC_ACQUIRE);
    while (tb && (tb->pc != pc || tb->key != key)) {
        tb = __atomic_load_n(&tb->hash_next, __ATOMIC_ACQUIRE);
    }
    return tb;
}

void tb_publish(Engine *e, Tb *tb)
{
    Tb **h = &e->hash[tb_hash(tb->pc, tb->key)], **p = &e->pages[page_hash(tb->pc)];
    tb->page_next = *p;
    *p = tb;
    tb->hash_next = *h;
    __atomic_store_n(h, tb, __ATOMIC_RELEASE);
}

static void drop(Tb **list, Tb *tb, size_t next)
{
    while (*list && *list != tb) {
        list = (Tb **)((uint8_t *)*list + next);
    }
    if (*list) { /* tb's own pointer stays: a reader may stand on it */
        __atomic_store_n(list, *(Tb **)((uint8_t *)tb + next), __ATOMIC_RELEASE);
    }
}

void tb_remove(Engine *e, Tb *tb)
{
    drop(&e->hash[tb_hash(tb->pc, tb->key)], tb, offsetof(Tb, hash_next));
    drop(&e->pages[page_hash(tb->pc)], tb, offsetof(Tb, page_next));
    tb->dead = true;
    tb_unlink_in(tb);
    for (unsigned k = 0; k < e->ncpus; k++) {
        JumpEntry *j = &e->cpus[k]->jumps[jump_hash(tb->pc)];
        if (__atomic_load_n(&j->pc, __ATOMIC_RELAXED) == tb->pc) {
            __atomic_store_n(&j->pc, ~(uint64_t)0, __ATOMIC_RELEASE);
        }
    }
}

Tb *tb_of_host(Engine *e, const void *rx)
{
    const uint8_t *p = rx;
    if (p < e->code.rx + STUB_BYTES || p >= e->code.rx + e->code.size) {
        return NULL;
    }
    uint32_t n = (uint32_t)((size_t)(p - e->code.rx - STUB_BYTES) / CODE_CHUNK);
    if (n >= __atomic_load_n(&e->code.used, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
    const CodeChunk *ch = &e->code.chunks[n];
    uint32_t lo = 0, hi = __atomic_load_n(&ch->ntbs, __ATOMIC_ACQUIRE); /* the last Tb with entry <= p */
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (ch->tbs[-1 - (int)mid]->entry <= p) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    Tb *tb = lo ? ch->tbs[-(int)lo] : NULL;
    return tb && p < tb->entry + tb->size ? tb : NULL;
}

const Fault *tb_fault(const Tb *tb, uint32_t off)
{
    uint32_t lo = 0, hi = tb->nfaults;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (tb->faults[mid].off < off) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < tb->nfaults && tb->faults[lo].off == off ? &tb->faults[lo] : NULL;
}
