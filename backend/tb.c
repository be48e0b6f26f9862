/* tb.c - the table of translated regions: look-up, publishing, removal, host address to region.
 *
 * Compiled for general registers only (CMakeLists.txt): tb_lookup runs while vector registers hold guest state. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "log.h"
#include "tb.h"

static TbTable *table_new(unsigned bits)
{
    size_t size = sizeof(TbTable) + (sizeof(Tb *) << bits);
    TbTable *h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (h == MAP_FAILED) {
        return NULL;
    }
    h->bits = bits;
    return h;
}

static void table_clear(TbTable *h)
{
    memset(h->lists, 0, sizeof(Tb *) << h->bits);
}

int tb_init(Engine *e)
{
    e->hash = table_new(HASH_BITS);
    e->places = table_new(HASH_BITS - PLACES_BITS);
    e->lines = mmap(NULL, LINES * sizeof *e->lines, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return e->hash && e->places && e->lines != MAP_FAILED ? 0 : -ENOMEM;
}

/* Counts a region of the tables, or no longer. */
static void count_lines(Engine *e, const Tb *tb, int n)
{
    for (uint64_t line = tb_first(tb) >> LINE_BITS; line <= tb_last(tb) >> LINE_BITS; line++) {
        uint16_t *l = &e->lines[line % LINES];
        if (*l != UINT16_MAX) {
            __atomic_store_n(l, (uint16_t)(*l + n), __ATOMIC_RELAXED);
        }
    }
}

bool tb_is_near(Engine *e, uint64_t start, uint64_t last)
{
    /* A thread that compiles has taken its chunk before it read the code, and gives it back after the region was counted. */
    if (!engine_alone(e)) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    if (__atomic_load_n(&e->code.taken, __ATOMIC_SEQ_CST)) {
        return true;
    }
    for (uint64_t line = start >> LINE_BITS; line <= last >> LINE_BITS; line++) {
        if (__atomic_load_n(&e->lines[line % LINES], __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

void tb_forget_all(Engine *e)
{
    table_clear(e->hash);
    table_clear(e->places);
    for (unsigned k = 0; k < LINES; k++) { /* tb_is_near may look at them meanwhile */
        if (e->lines[k]) {
            __atomic_store_n(&e->lines[k], 0, __ATOMIC_RELAXED);
        }
    }
    e->ntbs = 0;
}

/* The head of a list of the hash table says in its upper bits which of 16 kinds of pc are in the list, and perhaps some more: most
 * look-ups that find nothing, as each before a translation, touch no Tb, which would be in no cache. */
enum { TAGS_AT = 48 };

static inline uintptr_t tag(uint64_t pc)
{
    return (uintptr_t)1 << (TAGS_AT + (pc * 0x9e3779b97f4a7c15u >> 60));
}

static inline Tb *untagged(const Tb *head)
{
    return (Tb *)((uintptr_t)head & bits_mask(TAGS_AT));
}

/* Puts tb at the head of a list of the hash table. */
static void enter(Tb **list, Tb *tb)
{
    uintptr_t head = (uintptr_t)*list;
    __atomic_store_n(&tb->hash_next, untagged(*list), __ATOMIC_RELEASE);
    __atomic_store_n(list, (Tb *)((uintptr_t)tb | (head & ~bits_mask(TAGS_AT)) | tag(tb->pc)), __ATOMIC_RELEASE);
}

/* Moves everything to tables four times as large; lock held. Without memory for them the lists get longer. */
static void grow(Engine *e)
{
    TbTable *old = e->hash, *h = table_new(old->bits + 2), *p = table_new(old->bits + 2 - PLACES_BITS);
    if (!h || !p) {
        return;
    }
    for (unsigned k = 0; k < 1u << old->bits; k++) {
        for (Tb *tb = untagged(old->lists[k]), *next; tb; tb = next) {
            Tb **l = tb_list(h, tb->pc, tb->at, tb->key), **q = place_list(p, tb_first(tb));
            next = tb->hash_next;
            tb->place_next = *q;
            *q = tb;
            enter(l, tb); /* who reads the old list goes on in this one */
        }
    }
    munmap(e->places, sizeof(TbTable) + (sizeof(Tb *) << e->places->bits));
    e->places = p;
    __atomic_store_n(&e->hash, h, __ATOMIC_RELEASE);
}

Tb *tb_find(Engine *e, uint64_t pc, uint64_t key, uint64_t at)
{
    TbTable *h = __atomic_load_n(&e->hash, __ATOMIC_ACQUIRE);
    Tb *head = __atomic_load_n(tb_list(h, pc, at, key), __ATOMIC_ACQUIRE);
    if (!((uintptr_t)head & tag(pc))) {
        return NULL;
    }
    Tb *tb = untagged(head);
    while (tb && (tb->pc != pc || tb->key != key || tb->at != at)) {
        tb = __atomic_load_n(&tb->hash_next, __ATOMIC_ACQUIRE);
    }
    return tb;
}

void tb_expect(Engine *e, uint64_t pc, uint64_t key, uint64_t at)
{
    __builtin_prefetch(tb_list(__atomic_load_n(&e->hash, __ATOMIC_ACQUIRE), pc, at, key), 1);
    __builtin_prefetch(&e->lines[(at >> LINE_BITS) % LINES], 1);
}

/* Entry n of a thread's own jump cache. */
static void fill(const Engine *e, JumpEntry *j, unsigned n, const Tb *tb)
{
    __atomic_store_n(&j->pc, jump_none(n), __ATOMIC_RELAXED);
    __atomic_store_n(&j->host, tb->entry, __ATOMIC_RELEASE);
    if (engine_alone(e)) {
        __atomic_store_n(&j->pc, tb->pc, __ATOMIC_RELEASE);
        return;
    }
    __atomic_store_n(&j->pc, tb->pc, __ATOMIC_SEQ_CST);
    if (UNLIKELY(__atomic_load_n(&tb->dead, __ATOMIC_SEQ_CST))) { /* removed since it was found (tb_remove) */
        __atomic_store_n(&j->pc, jump_none(n), __ATOMIC_RELEASE);
    }
}

static void drop_jump(JumpEntry *j, unsigned n, uint64_t pc)
{
    if (__atomic_load_n(&j->pc, __ATOMIC_SEQ_CST) == pc) {
        __atomic_store_n(&j->pc, jump_none(n), __ATOMIC_RELEASE);
    }
}

static inline JumpEntry *far_jumps(const CpuHead *cpu)
{
    return cpu->jumps + (1u << JUMP_CACHE_BITS);
}

void tb_remember(CpuHead *cpu, Tb *tb)
{
    const Engine *e = cpu->engine;
    unsigned n = jump_hash(tb->pc), far = jump_far(tb->pc);
    uint64_t there = __atomic_load_n(&cpu->jumps[n].pc, __ATOMIC_RELAXED);
    if (!cpu->soft && there != jump_none(n) && there != tb->pc) {
        __atomic_store_n(&tb->far, true, __ATOMIC_RELAXED);
        fill(e, &far_jumps(cpu)[far], far, tb);
    }
    fill(e, &cpu->jumps[n], n, tb);
    if (cpu->soft) {
        soft_remembered(cpu, tb->pc);
    }
}

const void *tb_lookup(CpuHead *cpu, uint64_t pc)
{
    Engine *e = cpu->engine;
    if (engine_pending(cpu) || (log_mask & (LOG_exec | LOG_cpu)) || (cpu->key & KEY_ONE_INSN) || (~cpu->key & engine_added_key(e))) {
        return NULL;
    }
    Tb *tb = cpu->soft ? soft_find(cpu, pc) : tb_find(e, pc, cpu->key, pc);
    if (!tb) {
        return NULL;
    }
    tb_remember(cpu, tb);
    return tb->entry;
}

void tb_publish(Engine *e, Tb *tb)
{
    if (++e->ntbs > 1u << e->hash->bits) {
        grow(e);
    }
    Tb **h = tb_list(e->hash, tb->pc, tb->at, tb->key), **p = place_list(e->places, tb_first(tb));
    uint32_t length = tb->before + tb->nbytes;
    codebuf_chunk(&e->code, tb->entry)->live++;
    tb->no_loop |= !engine_counts(e);
    e->longest = length > e->longest ? length : e->longest;
    tb->place_next = *p;
    *p = tb;
    count_lines(e, tb, 1);
    enter(h, tb);
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

/* The same for a list of the hash table. */
static void drop_tagged(Tb **list, Tb *tb)
{
    Tb *first = untagged(*list);
    if (first == tb) {
        uintptr_t tags = (uintptr_t)*list & ~bits_mask(TAGS_AT);
        __atomic_store_n(list, tb->hash_next ? (Tb *)((uintptr_t)tb->hash_next | tags) : NULL, __ATOMIC_RELEASE);
    } else if (first) {
        drop(&first->hash_next, tb, offsetof(Tb, hash_next));
    }
}

void tb_remove(Engine *e, Tb *tb)
{
    drop_tagged(tb_list(e->hash, tb->pc, tb->at, tb->key), tb);
    drop(place_list(e->places, tb_first(tb)), tb, offsetof(Tb, place_next));
    e->ntbs--;
    CodeChunk *ch = codebuf_chunk(&e->code, tb->entry);
    e->code.dead += --ch->live == 0 && ch->full;
    count_lines(e, tb, -1);
    __atomic_store_n(&tb->dead, true, engine_alone(e) ? __ATOMIC_RELAXED : __ATOMIC_SEQ_CST); /* before the jump caches are looked at: engine_run */
    tb_unlink_in(e, tb);
    if (tb->tier == 2) { /* its own loops end at their next poll */
        for (unsigned k = 0; k < e->ncpus; k++) {
            __atomic_or_fetch((uint64_t *)&e->cpus[k]->pending, PENDING_ENGINE, __ATOMIC_ACQ_REL);
        }
    }
    for (unsigned k = 0; k < e->ncpus; k++) {
        if (e->cfg.soft) {
            soft_drop_jump(e->cpus[k], tb->pc);
            continue;
        }
        drop_jump(&e->cpus[k]->jumps[jump_hash(tb->pc)], jump_hash(tb->pc), tb->pc);
        if (__atomic_load_n(&tb->far, __ATOMIC_RELAXED)) {
            drop_jump(&far_jumps(e->cpus[k])[jump_far(tb->pc)], jump_far(tb->pc), tb->pc);
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
