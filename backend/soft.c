/* soft.c - the engine in system mode (EngineConfig.soft): code behind a translation of addresses.
 *
 * A Tb is found by the host address of its code (Tb.at), by pc and by key: the same code at two guest addresses, or for two levels,
 * is translated twice, and a page that is mapped in many address spaces is translated once. A thread's jump cache leads from pc to
 * host code without looking at the page tables, so there is one for each context (whatever tells address spaces apart) and key
 * that the thread was in lately; changing among them is changing CpuHead.jumps. A cache forgets a page when told to
 * (engine_forget_pages). Exits are linked inside a page only; all others go through the jump cache.
 *
 * Return stack: its entries are told by guest address alone, so it is emptied when the context or the key changes.
 * Compiled for general registers only (CMakeLists.txt): parts run while vector registers hold guest state.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "tb.h"

static unsigned page_bit(uint64_t pc)
{
    return (unsigned)(pc >> TLB_PAGE_BITS) % (64 * JUMP_PAGE_WORDS);
}

static void cache_clear(JumpCache *c)
{
    if (c->nlisted > JUMP_LISTED) {
        madvise(c->entries, sizeof(JumpEntry) << JUMP_CACHE_BITS, MADV_DONTNEED);
        __atomic_store_n(&c->entries[0].pc, jump_none(0), __ATOMIC_RELAXED);
    }
    for (unsigned k = 0; k < c->nlisted && c->nlisted <= JUMP_LISTED; k++) {
        __atomic_store_n(&c->entries[c->listed[k]].pc, jump_none(c->listed[k]), __ATOMIC_RELAXED);
    }
    c->nlisted = 0;
    memset(c->pages, 0, sizeof c->pages);
    c->halves = 0;
}

int soft_cpu_init(Engine *e, CpuHead *cpu)
{
    size_t one = sizeof(JumpEntry) << JUMP_CACHE_BITS, size = ALIGN_UP(sizeof(SoftThread), 4096);
    size_t total = size + one * JUMP_CACHES + 4096 /* what a probe for an odd address may touch */;
    uint8_t *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return -ENOMEM;
    }
    SoftThread *t = (SoftThread *)p;
    for (unsigned k = 0; k < JUMP_CACHES; k++) {
        t->caches[k].entries = (JumpEntry *)(p + size + one * k);
        t->caches[k].entries[0].pc = jump_none(0);
    }
    *(SoftThread **)cpu->code_chunk = t;
    cpu->soft = e->cfg.soft;
    cpu->jumps = t->caches[0].entries;
    soft_jumps(cpu);
    return 0;
}

void soft_cpu_free(CpuHead *cpu)
{
    munmap(soft_of(cpu), ALIGN_UP(sizeof(SoftThread), 4096) + (sizeof(JumpEntry) << JUMP_CACHE_BITS) * JUMP_CACHES + 4096);
}

void soft_jumps(CpuHead *cpu)
{
    SoftThread *t = soft_of(cpu);
    JumpCache *oldest = &t->caches[0], *last = t->previous;
    t->previous = t->current;
    if (LIKELY(last && last->context == cpu->context && last->key == cpu->key)) { /* to and fro between two levels */
        last->used = ++t->clock;
        t->current = last;
        cpu->jumps = last->entries;
        return;
    }
    for (unsigned k = 0; k < JUMP_CACHES; k++) {
        JumpCache *c = &t->caches[k];
        if (c->context == cpu->context && c->key == cpu->key && c->used) {
            oldest = c;
            break;
        }
        if (c->used < oldest->used) {
            oldest = c;
        }
    }
    if (oldest->context != cpu->context || oldest->key != cpu->key) {
        if (oldest->halves) {
            cache_clear(oldest);
        }
        oldest->context = cpu->context;
        oldest->key = cpu->key;
    }
    oldest->used = ++t->clock;
    t->current = oldest;
    cpu->jumps = oldest->entries;
}

void soft_remembered(CpuHead *cpu, uint64_t pc)
{
    JumpCache *c = soft_of(cpu)->current;
    unsigned n = page_bit(pc);
    c->pages[n / 64] |= (uint64_t)1 << n % 64;
    c->halves |= (uint8_t)address_halves(pc, 1);
    if (c->nlisted < JUMP_LISTED) {
        c->listed[c->nlisted] = (uint16_t)jump_hash(pc);
    }
    c->nlisted += c->nlisted <= JUMP_LISTED;
}

void soft_clear_jumps(CpuHead *cpu)
{
    for (unsigned k = 0; k < JUMP_CACHES; k++) {
        if (soft_of(cpu)->caches[k].halves) {
            cache_clear(&soft_of(cpu)->caches[k]);
        }
    }
}

void soft_drop_jump(CpuHead *cpu, uint64_t pc)
{
    unsigned n = jump_hash(pc);
    for (unsigned k = 0; k < JUMP_CACHES; k++) {
        JumpEntry *j = &soft_of(cpu)->caches[k].entries[n];
        if (__atomic_load_n(&j->pc, __ATOMIC_SEQ_CST) == pc) {
            __atomic_store_n(&j->pc, jump_none(n), __ATOMIC_RELEASE);
        }
    }
}

static void drop_returns(CpuHead *cpu)
{
    if (!cpu->engine->cfg.interp) {
        target_ret_drop(cpu->engine, cpu);
    }
    cpu->last_exit = NULL;
}

void engine_switch(CpuHead *cpu, uint64_t context, uint64_t key)
{
    key |= engine_added_key(cpu->engine);
    if (cpu->key != key || cpu->context != context) {
        cpu->context = context;
        cpu->key = key;
        soft_jumps(cpu);
        drop_returns(cpu);
    }
}

/* True: something was there. */
static bool forget_page(JumpCache *c, uint64_t pc)
{
    unsigned n = page_bit(pc), first = jump_hash(pc & -(uint64_t)4096), count = 4096 / 4;
    if (!(c->pages[n / 64] >> n % 64 & 1)) {
        return false;
    }
    for (unsigned j = first; j < first + count; j++) {
        if (((__atomic_load_n(&c->entries[j].pc, __ATOMIC_RELAXED) ^ pc) & ADDRESS_MASK) >> TLB_PAGE_BITS == 0) {
            __atomic_store_n(&c->entries[j].pc, jump_none(j), __ATOMIC_RELAXED);
        }
    }
    return true;
}

static bool forget_many(JumpCache *c, uint64_t pc, uint64_t n)
{
    if (c->nlisted > JUMP_LISTED) {
        cache_clear(c);
        return true;
    }
    bool any = false;
    for (unsigned k = 0; k < c->nlisted; k++) {
        unsigned j = c->listed[k];
        if (((__atomic_load_n(&c->entries[j].pc, __ATOMIC_RELAXED) - pc) & ADDRESS_MASK) >> TLB_PAGE_BITS < n) {
            __atomic_store_n(&c->entries[j].pc, jump_none(j), __ATOMIC_RELAXED);
        }
    }
    for (uint64_t p = 0; p < n && p < 64 * JUMP_PAGE_WORDS && !any; p++) { /* an entry may have given way to another */
        unsigned b = page_bit(pc + (p << TLB_PAGE_BITS));
        any = c->pages[b / 64] >> b % 64 & 1;
    }
    return any;
}

void engine_forget_pages(CpuHead *cpu, Gva pc, uint64_t n)
{
    SoftThread *t = soft_of(cpu);
    unsigned halves = address_halves(pc.v, n);
    bool any = false;
    for (unsigned k = 0; k < JUMP_CACHES; k++) {
        JumpCache *c = &t->caches[k];
        if (!(c->halves & halves)) {
            continue;
        }
        if (n > 64) {
            any |= forget_many(c, pc.v, n);
            continue;
        }
        for (uint64_t p = 0; p < n; p++) {
            any |= forget_page(c, pc.v + (p << TLB_PAGE_BITS));
        }
    }
    if (any) {
        drop_returns(cpu);
    }
}

void engine_forget_context(CpuHead *cpu, uint64_t context, uint64_t mask)
{
    for (unsigned k = 0; k < JUMP_CACHES; k++) {
        JumpCache *c = &soft_of(cpu)->caches[k];
        if (c->halves && !((c->context ^ context) & mask)) {
            cache_clear(c);
        }
    }
    drop_returns(cpu);
}

bool engine_code_written(Engine *e, const void *host, uint64_t len)
{
    uint64_t at = (uint64_t)(uintptr_t)host, page = at & -(uint64_t)4096;
    if (e->cfg.interp) {
        return true;
    }
    engine_invalidate(e, gva(at), len);
    engine_lock(e);
    bool left = e->code.taken; /* whoever compiles may have read there */
    for (uint64_t a = page; a < page + 4096 && !left; a += 1u << PLACE_BITS) {
        for (const Tb *tb = *place_list(e->places, a); tb && !left; tb = tb->place_next) {
            left = tb_last(tb) >= page && tb_first(tb) < page + 4096;
        }
    }
    engine_unlock(e);
    return !left;
}

/* Misses cost more than what hits save: an access that misses often is translated anew without. */
void *soft_near_missed(CpuHead *cpu)
{
    static const struct {
        int32_t times, cycles; /* so many, on average so many cycles apart, are too often */
    } limits[NEAR_COUNTS] = {[NEAR_MISSED] = {128, 2048}, [NEAR_TURNED] = {1024, 24}};
    Engine *e = cpu->engine;
    uint64_t now = __builtin_ia32_rdtsc();
    unsigned write = cpu->scratch[1] & ACC_WRITE ? 1 : 0, k = cpu->near_slot % NEAR_ENTRIES;
    unsigned why = cpu->near[write][k].left[NEAR_MISSED] < 0 ? NEAR_MISSED : NEAR_TURNED;
    bool often = now - cpu->near_since[write][k][why] < (uint64_t)limits[why].times * limits[why].cycles;
    cpu->near_since[write][k][why] = now;
    cpu->near[write][k].left[why] = limits[why].times;
    if (often) {
        const uint8_t *ret = *(const uint8_t **)cpu->ret_sp;
        const Tb *tb = tb_of_host(e, ret);
        const Fault *f = tb ? tb_fault(tb, (uint32_t)(ret - tb->entry)) : NULL;
        ASSERT(f);
        int64_t at = (int64_t)f->pc * 2;
        unsigned bit = far_bit(tb->pc + (uint64_t)at);
        __atomic_or_fetch(&e->far[why][bit / 64], (uint64_t)1 << bit % 64, __ATOMIC_RELAXED);
        engine_invalidate(e, gva(tb->at + (uint64_t)at), 4);
    }
    return cpu->soft->access(cpu, cpu->scratch[0], (uint32_t)cpu->scratch[1]);
}

Tb *soft_find(CpuHead *cpu, uint64_t pc)
{
    const TlbEntry *t = tlb_entry(cpu->tlb, TLB_EXEC, pc);
    if (!tlb_hit(t->tag, pc, 4)) {
        return NULL;
    }
    return tb_find(cpu->engine, pc, cpu->key, t->host + (pc & 4095));
}

bool soft_may_link(Engine *e, const Exit *x, const Tb *to)
{
    const Tb *from = tb_of_host(e, codebuf_rx(&e->code, x->stub));
    return from && (from->at ^ to->at) >> TLB_PAGE_BITS == 0;
}
