/* mem.c - the map of physical addresses: regions as they were added, and the flat view that is looked up.
 *
 * Words: a region is what the board adds; a range is a piece of the address space that shows one region. Ranges are sorted and
 * do not overlap. Each change makes a new view; readers take whichever they find, and old views are never freed (changes are few:
 * a PCI BAR, a flash mode). Whoever changes the map holds `lock`, and tells the listener (the vCPUs' TLBs) afterwards.
 *
 * Pages of RAM have flags (mem_int.h): PAGE_CODE, some of it was translated; PAGE_WRITABLE, some TLB lets translated code write to it
 * without asking. Who sets one looks at the other afterwards, both sequentially consistent, so that one of the two sees both.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "mem_int.h"

struct PhysMem {
    pthread_mutex_t lock;
    MemRegion *first, **last;
    MemView *view;
    MemChangeFn *changed;
    MemCodeFn *code_written;
    void *arg;
};

PhysMem *mem_new(void)
{
    PhysMem *m = calloc(1, sizeof *m);
    MemView *v = calloc(1, sizeof *v);
    if (!m || !v) {
        BUG("no memory for the map of the machine");
    }
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    m->view = v;
    return m;
}

void mem_listen(PhysMem *m, MemChangeFn *changed, MemCodeFn *code_written, void *arg)
{
    m->changed = changed;
    m->code_written = code_written;
    m->arg = arg;
}

/* -- the flat view ---------------------------------------------------------------------------------------- */

/* v with [base, last] showing region r. */
static MemView *overlay(const MemView *v, MemRegion *r)
{
    MemView *n = malloc(sizeof *n + sizeof(MemRange) * (v->n + 2));
    if (!n) {
        BUG("no memory for the map of the machine");
    }
    uint64_t base = r->base, last = r->base + (r->size - 1);
    unsigned k = 0;
    bool done = false;
    n->n = n->large = 0;
    for (; k < v->n || !done; k++) {
        const MemRange *o = k < v->n ? &v->ranges[k] : NULL;
        if (!done && (!o || o->last >= base)) {
            if (o && o->base < base) {
                n->ranges[n->n++] = (MemRange){o->base, base - 1, o->region};
            }
            n->ranges[n->n++] = (MemRange){base, last, r};
            done = true;
        }
        if (!o) {
            break;
        }
        if (o->last < base) {
            n->ranges[n->n++] = *o;
        } else if (o->last > last) {
            n->ranges[n->n++] = (MemRange){o->base > last ? o->base : last + 1, o->last, o->region};
        }
    }
    return n;
}

/* Lock held: makes the view anew from all regions, in the order in which they were added. */
static void rebuild(PhysMem *m)
{
    MemView *v = calloc(1, sizeof *v);
    if (!v) {
        BUG("no memory for the map of the machine");
    }
    for (MemRegion *r = m->first; r; r = r->next) {
        if (r->enabled) {
            MemView *n = overlay(v, r);
            free(v);
            v = n;
        }
    }
    for (unsigned k = v->large = 0; k < v->n; k++) {
        const MemRange *g = &v->ranges[k], *best = &v->ranges[v->large];
        if (g->region->host && (!best->region->host || g->last - g->base > best->last - best->base)) {
            v->large = k;
        }
    }
    v->older = m->view;
    __atomic_store_n(&m->view, v, __ATOMIC_RELEASE);
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
    if (base.v + (r->size - 1) < base.v) {
        enabled = false; /* it would wrap */
    } else {
        r->base = base.v;
    }
    r->enabled = enabled;
    rebuild(m);
    pthread_mutex_unlock(&m->lock);
    change(m);
}

const MemRange *mem_range(PhysMem *m, uint64_t at)
{
    const MemView *v = __atomic_load_n(&m->view, __ATOMIC_ACQUIRE);
    if (v->n && at >= v->ranges[v->large].base && at <= v->ranges[v->large].last) {
        return &v->ranges[v->large];
    }
    unsigned lo = 0, hi = v->n; /* the first with last >= at */
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (v->ranges[mid].last < at) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < v->n && v->ranges[lo].base <= at ? &v->ranges[lo] : NULL;
}

void *mem_direct(PhysMem *m, uint64_t at, bool write, uint8_t **flags)
{
    const MemRange *g = mem_range(m, at);
    if (!g || g->base > (at & ~(uint64_t)4095) || g->last < (at | 4095)) {
        return NULL;
    }
    MemRegion *r = g->region;
    if (!mem_shows_host(r, write)) {
        return NULL;
    }
    uint64_t off = at - r->base;
    *flags = &r->flags[off >> 12];
    return (uint8_t *)r->host + off;
}

uint8_t *mem_flags(PhysMem *m, const void *host)
{
    const MemView *v = __atomic_load_n(&m->view, __ATOMIC_ACQUIRE);
    for (unsigned k = 0; k < v->n; k++) {
        const MemRegion *r = v->ranges[k].region;
        uint64_t off = (uint64_t)((const uint8_t *)host - (const uint8_t *)r->host);
        if (r->host && off < r->size) {
            return &r->flags[off >> 12];
        }
    }
    return NULL;
}

/* -- copies ------------------------------------------------------------------------------------------------- */

void *mem_ptr(PhysMem *m, Gpa at, uint64_t len, bool write)
{
    const MemRange *g = mem_range(m, at.v);
    if (!g || g->last - at.v < len - 1 || !len || !mem_shows_host(g->region, write) || g->region->kind == MEM_FLASH) {
        return NULL;
    }
    return (uint8_t *)g->region->host + (at.v - g->region->base);
}

void mem_wrote(PhysMem *m, Gpa at, uint64_t len)
{
    while (len) {
        const MemRange *g = mem_range(m, at.v);
        uint64_t n = g ? g->last - at.v + 1 : 0;
        if (!g || !g->region->host) {
            return;
        }
        n = n && n < len ? n : len;
        MemRegion *r = g->region;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (uint64_t off = at.v - r->base, end = off + n; off < end; off = (off | 4095) + 1) {
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
        const MemRange *g = mem_range(m, at.v);
        if (!g || !mem_shows_host(g->region, from != NULL)) {
            return -EFAULT;
        }
        uint64_t rest = g->last - at.v, n = rest < len - 1 ? rest + 1 : len;
        uint8_t *p = (uint8_t *)g->region->host + (at.v - g->region->base);
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
    const MemRange *g = mem_range(m, at.v);
    if (!g || g->last - at.v < size - 1) {
        return false;
    }
    MemRegion *r = g->region;
    uint64_t off = at.v - r->base;
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
    const MemView *v = __atomic_load_n(&m->view, __ATOMIC_ACQUIRE);
    for (unsigned k = 0; k < v->n; k++) {
        const MemRange *g = &v->ranges[k];
        fn(arg, g->region->name, (Gpa){g->base}, g->last - g->base + 1, kinds[g->region->kind]);
    }
}
