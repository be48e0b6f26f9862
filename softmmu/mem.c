/* mem.c - the map of physical addresses: regions as they were added, and the flat view that is looked up.
 *
 * Words: a region is what the board adds; a range is a piece of the address space that shows one region. Ranges are sorted and
 * do not overlap. Who changes the map holds `lock`, makes the ranges anew beside the old ones, copies them over those while `seq`
 * is odd, and tells the listener (the vCPUs' TLBs) afterwards. Readers hold nothing: they copy the range they find, and look
 * again when `seq` was odd or is another one then. Guests move PCI BARs as often as they like, so a change must leave nothing behind.
 *
 * Pages of RAM have flags (mem_int.h): PAGE_CODE, some of it was translated; PAGE_WRITABLE, some TLB lets translated code write to it
 * without asking. Who sets one looks at the other afterwards, both sequentially consistent, so that one of the two sees both.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "mem_int.h"

struct PhysMem {
    pthread_mutex_t lock;
    MemRegion *first, **last;
    MemRegion *memories; /* the regions with a host, the newest first; any thread reads */
    uint32_t seq;
    unsigned n, large; /* ranges; the largest memory, which is looked at first */
    unsigned room;     /* of `ranges`, and of each of `next` */
    MemRange *ranges, *next[2];
    MemChangeFn *changed;
    MemCodeFn *code_written;
    void *arg;
};

PhysMem *mem_new(void)
{
    PhysMem *m = calloc(1, sizeof *m);
    if (!m) {
        BUG("no memory for the map of the machine");
    }
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    return m;
}

void mem_listen(PhysMem *m, MemChangeFn *changed, MemCodeFn *code_written, void *arg)
{
    m->changed = changed;
    m->code_written = code_written;
    m->arg = arg;
}

/* -- the flat view ---------------------------------------------------------------------------------------- */

/* to: the n ranges of `from` with region r over them. Returns how many. */
static unsigned overlay(MemRange *to, const MemRange *from, unsigned n, MemRegion *r)
{
    uint64_t base = r->base, last = r->base + (r->size - 1);
    unsigned out = 0;
    bool done = false;
    for (unsigned k = 0; k < n || !done; k++) {
        const MemRange *o = k < n ? &from[k] : NULL;
        if (!done && (!o || o->last >= base)) {
            if (o && o->base < base) {
                to[out++] = (MemRange){o->base, base - 1, o->start, o->region};
            }
            to[out++] = (MemRange){base, last, base, r};
            done = true;
        }
        if (!o) {
            break;
        }
        if (o->last < base) {
            to[out++] = *o;
        } else if (o->last > last) {
            to[out++] = (MemRange){o->base > last ? o->base : last + 1, o->last, o->start, o->region};
        }
    }
    return out;
}

/* Lock held: room for what one more region may bring. A reader may still search the old ranges, so they stay; each is half as
 * large as the next, and regions are only added while the machine is made. */
static void grow(PhysMem *m)
{
    unsigned room = m->room ? 2 * m->room : 64;
    MemRange *ranges = calloc(room, sizeof *ranges);
    for (unsigned k = 0; k < 2; k++) {
        free(m->next[k]);
        m->next[k] = calloc(room, sizeof *ranges);
    }
    if (!ranges || !m->next[0] || !m->next[1]) {
        BUG("no memory for the map of the machine");
    }
    for (unsigned k = 0; k < m->n; k++) {
        ranges[k] = m->ranges[k];
    }
    __atomic_store_n(&m->ranges, ranges, __ATOMIC_RELEASE);
    m->room = room;
}

/* Lock held: makes the view anew from all regions, in the order in which they were added. */
static void rebuild(PhysMem *m)
{
    unsigned n = 0, which = 0, large = 0;
    for (const MemRegion *r = m->first; r; r = r->next) {
        n += 2;
    }
    while (n + 2 > m->room) {
        grow(m);
    }
    n = 0;
    for (MemRegion *r = m->first; r; r = r->next) {
        if (r->enabled) {
            n = overlay(m->next[which ^ 1], m->next[which], n, r);
            which ^= 1;
        }
    }
    const MemRange *v = m->next[which];
    for (unsigned k = 0; k < n; k++) {
        const MemRange *g = &v[k], *best = &v[large];
        if (g->region->host && (!best->region->host || g->last - g->base > best->last - best->base)) {
            large = k;
        }
    }
    __atomic_store_n(&m->seq, m->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned k = 0; k < n; k++) {
        __atomic_store_n(&m->ranges[k].base, v[k].base, __ATOMIC_RELAXED);
        __atomic_store_n(&m->ranges[k].last, v[k].last, __ATOMIC_RELAXED);
        __atomic_store_n(&m->ranges[k].start, v[k].start, __ATOMIC_RELAXED);
        __atomic_store_n(&m->ranges[k].region, v[k].region, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&m->n, n, __ATOMIC_RELEASE);
    __atomic_store_n(&m->large, large, __ATOMIC_RELEASE);
    __atomic_store_n(&m->seq, m->seq + 1, __ATOMIC_RELEASE);
}

static void change(PhysMem *m)
{
    if (m->changed) {
        m->changed(m->arg);
    }
}

static MemRegion *add(PhysMem *m, MemRegion r)
{
    MemRegion *p = malloc(sizeof *p);
    if (!p || !r.size || r.base + (r.size - 1) < r.base) {
        BUG("region %s of the machine's map", r.name);
    }
    *p = r;
    p->enabled = true;
    if (p->host) {
        p->flags = calloc((p->size + 4095) >> 12, 1);
        ASSERT(p->flags && !((uintptr_t)p->host & 4095) && !(p->base & 4095));
    }
    pthread_mutex_lock(&m->lock);
    *m->last = p;
    m->last = &p->next;
    if (p->host) {
        p->next_memory = m->memories;
        __atomic_store_n(&m->memories, p, __ATOMIC_RELEASE);
    }
    rebuild(m);
    pthread_mutex_unlock(&m->lock);
    change(m);
    return p;
}

MemRegion *mem_add_ram(PhysMem *m, const char *name, Gpa base, uint64_t size, void *host, bool readonly)
{
    return add(m, (MemRegion){.name = name, .base = base.v, .size = size, .host = host, .kind = readonly ? MEM_ROM : MEM_RAM});
}

MemRegion *mem_add_mmio(PhysMem *m, const char *name, Gpa base, uint64_t size, const MmioOps *ops, void *dev)
{
    return add(m, (MemRegion){.name = name, .base = base.v, .size = size, .ops = ops, .dev = dev, .kind = MEM_MMIO});
}

MemRegion *mem_add_flash(PhysMem *m, const char *name, Gpa base, uint64_t size, void *host, const MmioOps *ops, void *dev)
{
    return add(m, (MemRegion){.name = name, .base = base.v, .size = size, .host = host, .ops = ops, .dev = dev,
                              .kind = MEM_FLASH, .direct = true});
}

void mem_secure(PhysMem *m, Gpa base)
{
    for (MemRegion *r = m->first; r; r = r->next) {
        r->secure |= r->base == base.v;
    }
}

void mem_flash_direct(PhysMem *m, MemRegion *r, bool direct)
{
    if (__atomic_exchange_n(&r->direct, direct, __ATOMIC_SEQ_CST) != direct) {
        if (direct && m->code_written) { /* its contents may be others */
            m->code_written(m->arg, r->host, r->size);
        }
        change(m);
    }
}

void mem_move(PhysMem *m, MemRegion *r, Gpa base, bool enabled)
{
    pthread_mutex_lock(&m->lock);
    bool wraps = base.v + (r->size - 1) < base.v, moved = !wraps && base.v != r->base;
    enabled = enabled && !wraps;
    bool other = enabled != r->enabled || (enabled && moved);
    r->base = moved ? base.v : r->base;
    r->enabled = enabled;
    if (other) {
        rebuild(m);
    }
    pthread_mutex_unlock(&m->lock);
    if (other) {
        change(m);
    }
}

/* Range k as it stands, which may be between two changes. */
static MemRange range_at(const MemRange *ranges, unsigned k)
{
    const MemRange *g = &ranges[k];
    return (MemRange){__atomic_load_n(&g->base, __ATOMIC_RELAXED), __atomic_load_n(&g->last, __ATOMIC_RELAXED),
                      __atomic_load_n(&g->start, __ATOMIC_RELAXED), __atomic_load_n(&g->region, __ATOMIC_RELAXED)};
}

static bool search(PhysMem *m, uint64_t at, MemRange *to)
{
    unsigned lo = 0, hi = __atomic_load_n(&m->n, __ATOMIC_ACQUIRE), n = hi; /* before `ranges`: they have room for as many */
    unsigned large = __atomic_load_n(&m->large, __ATOMIC_ACQUIRE);
    const MemRange *ranges = __atomic_load_n(&m->ranges, __ATOMIC_ACQUIRE);
    if (n) {
        *to = range_at(ranges, large);
        if (at >= to->base && at <= to->last) {
            return true;
        }
    }
    while (lo < hi) { /* the first with last >= at */
        unsigned mid = (lo + hi) / 2;
        if (__atomic_load_n(&ranges[mid].last, __ATOMIC_RELAXED) < at) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo >= n) {
        return false;
    }
    *to = range_at(ranges, lo);
    return to->base <= at;
}

bool mem_range(PhysMem *m, uint64_t at, MemRange *to)
{
    for (;;) {
        uint32_t seq = __atomic_load_n(&m->seq, __ATOMIC_ACQUIRE);
        bool found = search(m, at, to);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (LIKELY(!(seq & 1) && __atomic_load_n(&m->seq, __ATOMIC_RELAXED) == seq)) {
            return found;
        }
        sched_yield();
    }
}

void *mem_direct(PhysMem *m, uint64_t at, bool write, bool ns, uint8_t **flags)
{
    MemRange g;
    if (!mem_range(m, at, &g) || (ns && g.region->secure) || g.base > (at & ~(uint64_t)4095) || g.last < (at | 4095) || !mem_shows_host(g.region, write)) {
        return NULL;
    }
    uint64_t off = at - g.start;
    *flags = &g.region->flags[off >> 12];
    return (uint8_t *)g.region->host + off;
}

uint8_t *mem_flags(PhysMem *m, const void *host)
{
    for (const MemRegion *r = __atomic_load_n(&m->memories, __ATOMIC_ACQUIRE); r; r = r->next_memory) {
        uint64_t off = (uint64_t)((const uint8_t *)host - (const uint8_t *)r->host);
        if (off < r->size) {
            return &r->flags[off >> 12];
        }
    }
    return NULL;
}

/* -- copies ------------------------------------------------------------------------------------------------- */

void *mem_ptr(PhysMem *m, Gpa at, uint64_t len, bool write)
{
    MemRange g;
    if (!mem_range(m, at.v, &g) || g.region->secure || g.last - at.v < len - 1 || !len || !mem_shows_host(g.region, write) || g.region->kind == MEM_FLASH) {
        return NULL;
    }
    return (uint8_t *)g.region->host + (at.v - g.start);
}

void *mem_contents(PhysMem *m, Gpa at, uint64_t len)
{
    MemRange g;
    bool there = len && mem_range(m, at.v, &g) && g.last - at.v >= len - 1 && g.region->host;
    return there ? (uint8_t *)g.region->host + (at.v - g.start) : NULL;
}

void mem_wrote(PhysMem *m, Gpa at, uint64_t len)
{
    while (len) {
        MemRange g;
        if (!mem_range(m, at.v, &g) || !g.region->host) {
            return;
        }
        uint64_t n = g.last - at.v + 1;
        n = n && n < len ? n : len;
        MemRegion *r = g.region;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (uint64_t off = at.v - g.start, end = off + n; off < end; off = (off | 4095) + 1) {
            uint64_t stop = (off | 4095) + 1 < end ? (off | 4095) + 1 : end;
            if ((__atomic_load_n(&r->flags[off >> 12], __ATOMIC_RELAXED) & PAGE_CODE) && m->code_written) {
                m->code_written(m->arg, (uint8_t *)r->host + off, stop - off);
            }
        }
        at.v += n;
        len -= n;
    }
}

static int copy(PhysMem *m, Gpa at, uint8_t *to, const uint8_t *from, uint64_t len)
{
    while (len) {
        MemRange g;
        if (!mem_range(m, at.v, &g) || g.region->secure || !mem_shows_host(g.region, from != NULL)) {
            return -EFAULT;
        }
        uint64_t rest = g.last - at.v, n = rest < len - 1 ? rest + 1 : len;
        uint8_t *p = (uint8_t *)g.region->host + (at.v - g.start);
        if (from) {
            memcpy(p, from, n);
            mem_wrote(m, at, n);
            from += n;
        } else {
            memcpy(to, p, n);
            to += n;
        }
        at.v += n;
        len -= n;
    }
    return 0;
}

int mem_read(PhysMem *m, Gpa at, void *to, uint64_t len)
{
    return copy(m, at, to, NULL, len);
}

int mem_write(PhysMem *m, Gpa at, const void *from, uint64_t len)
{
    return copy(m, at, NULL, from, len);
}

/* -- single accesses ------------------------------------------------------------------------------------------ */

static void access_host(void *p, unsigned size, bool write, uint64_t *value)
{
    if (write) {
        memcpy(p, value, size);
    } else {
        *value = 0;
        memcpy(value, p, size);
    }
}

bool mem_access(PhysMem *m, Gpa at, unsigned size, bool write, uint64_t *value, MemAttrs attrs)
{
    MemRange g;
    if (!mem_range(m, at.v, &g) || g.last - at.v < size - 1 || (g.region->secure && !attrs.secure)) {
        return false;
    }
    MemRegion *r = g.region;
    uint64_t off = at.v - g.start;
    if (mem_shows_host(r, write)) {
        access_host((uint8_t *)r->host + off, size, write, value);
        if (write) {
            mem_wrote(m, at, size);
        }
        return true;
    }
    if (!r->ops) {
        return r->kind == MEM_ROM; /* writes to ROM are lost */
    }
    if (write) {
        return r->ops->write && r->ops->write(r->dev, off, size, *value & bits_mask(8 * size), attrs);
    }
    *value = 0;
    return r->ops->read && r->ops->read(r->dev, off, size, value, attrs);
}

void mem_each(PhysMem *m, void (*fn)(void *arg, const char *name, Gpa base, uint64_t size, const char *kind), void *arg)
{
    static const char *const kinds[] = {[MEM_RAM] = "ram", [MEM_ROM] = "rom", [MEM_MMIO] = "i/o", [MEM_FLASH] = "flash"};
    pthread_mutex_lock(&m->lock);
    unsigned n = m->n;
    MemRange *v = calloc(n + 1, sizeof *v); /* fn may wait for somebody who changes the map */
    for (unsigned k = 0; v && k < n; k++) {
        v[k] = m->ranges[k];
    }
    pthread_mutex_unlock(&m->lock);
    for (unsigned k = 0; v && k < n; k++) {
        fn(arg, v[k].region->name, (Gpa){v[k].base}, v[k].last - v[k].base + 1, kinds[v[k].region->kind]);
    }
    free(v);
}
