/* tlb.c - filling, emptying and choosing a vCPU's TLB tables; see tlb.h. General registers only. */
#include <inttypes.h>
#include <sched.h>

#include "log.h"
#include "mem_int.h"
#include "tlb.h"

/* -- tables --------------------------------------------------------------------------------------------------- */

/* Entry n for all uses. */
static void empty_entry(Tlb *t, unsigned n)
{
    for (unsigned use = 0; use < TLB_PARTS; use++) {
        t->e[(use << TLB_BITS) + n].tag = tlb_none(n);
    }
}

static void set_entry(Tlb *t, TlbUse use, uint64_t page, bool allowed, const uint8_t *host)
{
    unsigned n = tlb_index(page);
    TlbEntry *e = tlb_entry(t->e, use, page), *second = use == TLB_EXEC ? NULL : tlb_entry(t->e, use + TLB_USES, page);
    if (second && second->tag == page) {
        second->tag = tlb_none(n);
    }
    if (allowed) {
        if (second && e->tag != page && e->tag != tlb_none(n)) {
            *second = *e;
        }
        *e = (TlbEntry){page, (uintptr_t)host};
    } else if (e->tag == page) {
        e->tag = tlb_none(n);
    }
}

/* The host address by the second way, exchanged with the first; or NULL. */
static uint8_t *second_way(Tlb *t, TlbUse use, uint64_t va, unsigned bytes)
{
    TlbEntry *e = tlb_entry(t->e, use, va), *second = tlb_entry(t->e, use + TLB_USES, va), found = *second;
    if (!tlb_hit(found.tag, va, bytes)) {
        return NULL;
    }
    *second = *e;
    *e = found;
    return (uint8_t *)(uintptr_t)found.host + (va & 4095);
}

void tlb_clear(Tlb *t)
{
    if (t->nused <= TLB_USED) {
        for (unsigned k = 0; k < t->nused; k++) {
            empty_entry(t, t->used[k]);
        }
    } else {
        for (unsigned k = 0; k < TLB_SIZE; k++) {
            empty_entry(t, k);
        }
    }
    t->nused = t->nown = 0;
    t->halves = 0;
    t->own_code = t->large.any = t->global = false;
}

static void empty_near(CpuHead *h)
{
    h->hot.tag = h->hot.write_tag = NEAR_EMPTY;
    for (unsigned write = 0; write < 2; write++) {
        for (unsigned k = 0; k < NEAR_ENTRIES; k++) {
            if (k % NEAR_GROUP == 0 && !h->near_used[write][k / NEAR_GROUP]) {
                k += NEAR_GROUP - 1;
            } else {
                h->near[write][k].tag = NEAR_EMPTY;
            }
        }
    }
    memset(h->near_used, 0, sizeof h->near_used);
}

/* Something in t may be wrong from now on, or all of it. */
static void touch(Mmu *m, const Tlb *t)
{
    if (t == m->near_of) {
        empty_near(&m->cpu->h);
    }
}

static uint64_t table_tag(const Mmu *m, const MmuRegime *r, unsigned level)
{
    uint64_t asid = (level == LEVEL_USER || m->split[r->kind]) && r->two ? r->asid : 0;
    return (uint64_t)r->kind | level << 2 | (uint64_t)r->s2.on << 4 | (uint64_t)r->secure << 5 | asid << 8 |
           (uint64_t)r->vmid << 24;
}

static void tell_current(Mmu *m, MmuKind kind)
{
    uint64_t now = (uint64_t)m->regime[kind].vmid << 16 | m->regime[kind].asid;
    if (m->current[kind] != now) {
        __atomic_exchange_n(&m->current[kind], now, __ATOMIC_SEQ_CST);
    }
}

const MmuRegime *tlb_regime(Mmu *m, MmuKind kind)
{
    if (!m->loaded[kind]) {
        mmu_load(m->cpu, kind, &m->regime[kind]);
        m->loaded[kind] = true;
        tell_current(m, kind);
    }
    return &m->regime[kind];
}

void tlb_unload(Mmu *m, unsigned kinds)
{
    m->chosen = 0;
    for (unsigned k = 0; k < MMU_KINDS; k++) {
        if (kinds >> k & 1) {
            __atomic_store_n(&m->current[k], SPACE_UNKNOWN, __ATOMIC_SEQ_CST);
            m->loaded[k] = false;
            memset(m->active[k], 0, sizeof m->active[k]);
        }
    }
}

static bool is_in_use(const Mmu *m, const Tlb *t)
{
    return t->e == m->cpu->h.tlb || t->e == m->cpu->h.tlb_unpriv;
}

static Tlb *choose(Mmu *m, MmuKind kind, unsigned level)
{
    uint64_t tag = table_tag(m, tlb_regime(m, kind), level);
    Tlb *oldest = NULL;
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        Tlb *t = &m->tables[k];
        if (t->age && t->tag == tag) {
            return t;
        }
        if (!is_in_use(m, t) && (!oldest || t->age < oldest->age)) {
            oldest = t;
        }
    }
    for (unsigned k = 0; k < MMU_KINDS * LEVELS; k++) {
        if (m->active[k / LEVELS][k % LEVELS] == oldest) {
            m->active[k / LEVELS][k % LEVELS] = NULL;
        }
    }
    m->chosen = 0;
    touch(m, oldest);
    tlb_clear(oldest);
    oldest->tag = tag;
    oldest->kind = kind;
    oldest->level = level;
    return oldest;
}

static Tlb *active(Mmu *m, MmuKind kind, unsigned level)
{
    Tlb **t = &m->active[kind][level];
    if (!*t) {
        *t = choose(m, kind, level);
        (*t)->age = ++m->clock;
    }
    return *t;
}

/* May LDTR and STTR act as EL0 does? (AArch64.IsUnprivilegedAccess) */
static bool unprivileged(CpuA64 *cpu, unsigned el)
{
    if (cpu->pstate_misc & PS_UAO) {
        return false;
    }
    return el == 1 ? !(a64_hcr_bit(cpu, HCR_NV) && a64_hcr_bit(cpu, HCR_NV1)) : el == 2 && a64_in_host(cpu, 0) && a64_in_host(cpu, 2);
}

static unsigned choice_index(const CpuA64 *cpu)
{
    return a64_el(cpu) | (cpu->pstate_misc & PS_PAN ? 4 : 0) | (cpu->pstate_misc & PS_UAO ? 8 : 0);
}

/* The choice for the current level, made anew. */
static void choose_level(Mmu *m, struct TlbChoice *c)
{
    CpuA64 *cpu = m->cpu;
    unsigned el = a64_el(cpu);
    MmuKind kind = mmu_kind(cpu, el);
    bool two = kind == MMU_EL10 || kind == MMU_EL20;
    unsigned level = el == 0 ? LEVEL_USER : two && cpu->pstate_misc & PS_PAN ? LEVEL_PAN : LEVEL_PRIV;
    tlb_regime(m, kind); /* tlb_fill finds it ready */
    Tlb *t = active(m, kind, level);
    cpu->h.tlb = t->e; /* it is in use: unpriv is another one */
    c->table = t;
    c->unpriv = el && two && unprivileged(cpu, el) ? active(m, kind, LEVEL_USER)->e : t->e;
    c->context = level == LEVEL_PAN ? (t->tag & ~(uint64_t)(3 << 2)) | LEVEL_PRIV << 2 : t->tag; /* PAN is not about code */
}

static void select_with(Mmu *m, uint64_t key)
{
    CpuA64 *cpu = m->cpu;
    unsigned n = choice_index(cpu);
    struct TlbChoice *c = &m->choices[n];
    if (UNLIKELY(!(m->chosen >> n & 1) || m->chosen_hcr != a64_hcr(cpu))) {
        m->chosen &= m->chosen_hcr == a64_hcr(cpu) ? ~0u : 0;
        m->chosen_hcr = a64_hcr(cpu);
        choose_level(m, c);
        m->chosen |= 1u << n;
    }
    Tlb *t = c->table;
    t->age = ++m->clock;
    cpu->h.tlb = t->e;
    if (t->level == LEVEL_USER && m->near_of != t) {
        m->near_of = t;
        empty_near(&cpu->h);
    }
    cpu->h.tlb_unpriv = c->unpriv;
    engine_switch(&cpu->h, c->context, key);
    if (UNLIKELY(__atomic_load_n(&m->dormant_asked, __ATOMIC_SEQ_CST) != m->dormant_served)) {
        tlb_serve_dormant(m);
    }
}

void tlb_select(Mmu *m)
{
    m->chosen = 0;
    select_with(m, m->cpu->h.key);
}

void tlb_level_changed(CpuA64 *cpu, uint64_t key)
{
    Mmu *m = cpu->sys->mmu;
    if (cpu->sys->el3) {
        tlb_unload(m, 1 << MMU_EL10); /* the security state may be another one */
    }
    select_with(m, key);
}

Tlb *tlb_table(Mmu *m, bool unpriv)
{
    const TlbEntry *e = unpriv ? m->cpu->h.tlb_unpriv : m->cpu->h.tlb;
    return (Tlb *)((char *)(uintptr_t)e - offsetof(Tlb, e));
}

/* -- filling ---------------------------------------------------------------------------------------------------- */

unsigned tlb_access_bits(uint32_t acc)
{
    return (acc & ACC_READ ? MMU_READ : 0) | (acc & ACC_WRITE ? MMU_WRITE : 0);
}

static void note_large(TlbHull *h, uint64_t va, unsigned log2size)
{
    uint64_t mask = log2size >= 56 ? 0 : ~bits_mask(log2size) & ADDRESS_MASK;
    if (!h->any) {
        h->any = true;
        h->mask = mask;
    } else { /* one that holds both */
        mask &= h->mask;
        while ((h->base ^ va) & mask & ADDRESS_MASK) {
            mask <<= 1;
        }
        h->mask = mask & ADDRESS_MASK;
    }
    h->base = va & h->mask;
}

static void note_entry(Mmu *m, Tlb *t, uint64_t va, bool own, bool code)
{
    unsigned n = tlb_index(va);
    t->halves |= (uint8_t)address_halves(va, 1);
    t->global |= !own;
    if (t->nused < TLB_USED) {
        t->used[t->nused++] = (uint16_t)n;
    } else {
        t->nused = TLB_USED + 1;
    }
    if (own && t->level != LEVEL_USER && !m->split[t->kind]) {
        if (t->nown < TLB_OWN) {
            t->own[t->nown] = (uint16_t)n;
        }
        t->nown = (uint16_t)(t->nown < TLB_OWN ? t->nown + 1 : TLB_OWN + 1);
        t->own_code |= code;
    }
}

/* May translated code write to this page without asking? Once it may, whoever translates code there finds out. */
static bool may_write_inline(uint8_t *flags)
{
    if (__atomic_load_n(flags, __ATOMIC_RELAXED) != PAGE_WRITABLE) {
        __atomic_or_fetch(flags, PAGE_WRITABLE, __ATOMIC_SEQ_CST);
    }
    return !(__atomic_load_n(flags, __ATOMIC_SEQ_CST) & PAGE_CODE);
}

int tlb_watched(const TlbWatch *w, uint64_t va, uint64_t bytes, uint32_t acc)
{
    for (unsigned k = 0; k < w->n; k++) {
        uint64_t from = (va - w->at[k].va) & ADDRESS_MASK, back = (w->at[k].va - va) & ADDRESS_MASK;
        if (w->at[k].acc & acc && (from < w->at[k].len || back < bytes)) {
            return (int)k;
        }
    }
    return -1;
}

static void remember(Mmu *m, Tlb *t, uint64_t va, unsigned access, const MmuPage *p)
{
    uint8_t *flags;
    uint64_t page = va & ~(uint64_t)4095;
    unsigned n = tlb_index(va);
    const uint8_t *host = mem_direct(m->mem, p->pa & ~(uint64_t)4095, false, p->ns, &flags);
    if (!host || p->device) {
        return;
    }
    if (access & MMU_FETCH) {
        set_entry(t, TLB_EXEC, page, p->rights & MMU_FETCH, host);
        t->guarded[n] = p->guarded;
    } else if (UNLIKELY(m->watch->n) && tlb_watched(m->watch, page, 4096, ACC_READ | ACC_WRITE) >= 0) {
        return;
    } else {
        bool read = p->rights & MMU_READ;
        uint8_t *wflags;
        bool write = read && p->rights & MMU_WRITE && !p->clean && mem_direct(m->mem, p->pa, true, p->ns, &wflags) && may_write_inline(wflags);
        set_entry(t, TLB_READ, page, read, host);
        set_entry(t, TLB_WRITE, page, write, host);
    }
    note_entry(m, t, va, !p->global, access & MMU_FETCH);
    if (p->log2size > m->regime[t->kind].range[0].granule && p->log2size > 12) {
        note_large(&t->large, va, p->log2size);
        if (access & MMU_FETCH) {
            note_large(&m->code[t->kind][va >> 55 & 1], va, p->log2size);
        }
    }
    m->stat_fills++;
}

/* Others are to know of global pages before one is used: true when they did not, and what was read may be old. */
static bool tell_global(Mmu *m, MmuKind kind, uint64_t va)
{
    uint8_t half = (uint8_t)address_halves(va, 1);
    if (m->global_halves[kind] & half) {
        return false;
    }
    __atomic_or_fetch(&m->global_halves[kind], half, __ATOMIC_SEQ_CST);
    return true;
}

const char *const tlb_kind_names[] = {"EL1&0", "EL2&0", "EL2", "EL3"};

/* Vector registers, which translated code has in use when it comes here and the library's printing destroys. */
typedef struct Vectors {
    _Alignas(64) uint8_t area[4096];
} Vectors;

enum { VECTORS = 0xe7 /* XCR0: x87, SSE, AVX, AVX-512 */ };

static void vectors_save(Vectors *v)
{
    memset(v->area + 512, 0, 64);
    __asm__ volatile("xsave64 %0" : "+m"(*v) : "a"(VECTORS), "d"(0));
}

static void vectors_restore(const Vectors *v)
{
    __asm__ volatile("xrstor64 %0" ::"m"(*v), "a"(VECTORS), "d"(0) : "memory");
}

/* -d mmu: a walk, with the page or why there is none. */
static void log_walk(const Tlb *t, uint64_t va, unsigned access, const MmuPage *page, const A64Fault *f)
{
    const char *kind = tlb_kind_names[t->kind], *what = access & MMU_FETCH ? "fetch" : access & MMU_WRITE ? "write" : "read";
    const char *user = access & MMU_USER ? " as EL0" : "";
    Vectors v;
    vectors_save(&v);
    if (page) {
        log_printf("walk %s %#" PRIx64 " %s%s: %#" PRIx64 ", piece of %u bits, %s%s%s%s\n", kind, va, what, user, page->pa, page->log2size,
                   page->rights & MMU_READ ? "r" : "-", page->rights & MMU_WRITE ? "w" : "-", page->rights & MMU_FETCH ? "x" : "-",
                   page->device ? ", device" : "");
    } else {
        log_printf("walk %s %#" PRIx64 " %s%s: fault %u at level %d of stage %d\n", kind, va, what, user, f->type, f->level, f->stage2 ? 2 : 1);
    }
    vectors_restore(&v);
}

/* -d mmu: what is forgotten. */
static void log_forget(const TlbRequest *r)
{
    static const char *const whats[] = {"all", "an ASID", "pages"};
    Vectors v;
    vectors_save(&v);
    for (unsigned k = 0; k < MMU_KINDS && r->what <= FORGET_PAGES; k++) {
        if (r->kinds >> k & 1) {
            log_printf("forget %s of %s, VMID %#x%s, ASID %#x%s, %#" PRIx64 " and %" PRIu64 " pages\n", whats[r->what], tlb_kind_names[k], r->vmid,
                       r->any_vmid ? " (any)" : "", r->asid, r->any_asid ? " (any)" : "", r->va, r->npages);
        }
    }
    vectors_restore(&v);
}

bool tlb_walk(Mmu *m, Tlb *t, uint64_t va, unsigned access, MmuPage *page, A64Fault *f)
{
    access |= (t->level == LEVEL_USER ? MMU_USER : 0) | (t->level == LEVEL_PAN ? MMU_PAN : 0);
    for (bool again = true; again;) {
        m->stat_walks++;
        bool good = mmu_walk(m->mem, tlb_regime(m, t->kind), va, access, page, f);
        if (UNLIKELY(log_on(LOG_mmu))) {
            log_walk(t, va, access, good ? page : NULL, f);
        }
        if (!good) {
            return false;
        }
        again = page->global && tell_global(m, t->kind, va);
    }
    remember(m, t, va, access, page);
    return true;
}

void *tlb_fill(CpuHead *h, uint64_t va, uint32_t acc)
{
    const CpuA64 *cpu = (const CpuA64 *)h;
    Mmu *m = cpu->sys->mmu;
    Tlb *t = tlb_table(m, acc & ACC_UNPRIV);
    TlbUse use = acc & ACC_WRITE ? TLB_WRITE : TLB_READ;
    unsigned bytes = 1u << (acc & ACC_SIZE);
    MmuPage page;
    m->failed_acc = 0;
    if (h->key & KEY_WATCH || (va & 4095) + bytes > 4096) {
        return NULL;
    }
    uint8_t *host = second_way(t, use, va, bytes);
    if (host) {
        return host;
    }
    if (!tlb_walk(m, t, va, tlb_access_bits(acc), &page, &m->failed)) {
        m->failed_va = va;
        m->failed_acc = acc;
        return NULL;
    }
    const TlbEntry *e = tlb_entry(t->e, use, va);
    bool hit = tlb_hit(e->tag, va, bytes);
    return hit ? (uint8_t *)(uintptr_t)e->host + (va & 4095) : NULL;
}

/* -- forgetting --------------------------------------------------------------------------------------------------- */

void tlb_clear_kinds(Mmu *m, unsigned kinds)
{
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        Tlb *t = &m->tables[k];
        if (t->age && kinds >> t->kind & 1) {
            touch(m, t);
            tlb_clear(t);
        }
    }
    for (unsigned k = 0; k < MMU_KINDS; k++) {
        if (kinds >> k & 1) {
            __atomic_store_n(&m->global_halves[k], 0, __ATOMIC_SEQ_CST);
            m->code[k][0].any = m->code[k][1].any = false;
            engine_forget_context(&m->cpu->h, k, 3);
        }
    }
}

static void forget_own(Mmu *m, Tlb *t)
{
    if (t->nown > TLB_OWN) {
        m->split[t->kind] = true; /* such a table is worth keeping */
        memset(m->active[t->kind], 0, sizeof m->active[t->kind]);
        m->chosen = 0;
        tlb_clear(t);
        t->age = 0;
    }
    for (unsigned k = 0; k < t->nown; k++) {
        empty_entry(t, t->own[k]);
    }
    if (t->own_code) {
        engine_forget_context(&m->cpu->h, LEVEL_PRIV << 2 | t->kind, 0xf);
    }
    t->nown = 0;
    t->own_code = false;
}

void tlb_asid_changed(Mmu *m, MmuKind kind)
{
    m->chosen = 0;
    m->active[kind][LEVEL_USER] = NULL;
    if (m->loaded[kind]) {
        tell_current(m, kind);
    }
    if (m->split[kind]) {
        memset(m->active[kind], 0, sizeof m->active[kind]);
        return;
    }
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        Tlb *t = &m->tables[k];
        if (t->age && t->kind == kind && t->level != LEVEL_USER && t->nown) {
            forget_own(m, t);
        }
    }
}

static void forget_page(Tlb *t, uint64_t va)
{
    unsigned n = tlb_index(va);
    for (unsigned use = 0; use < TLB_PARTS; use++) {
        TlbEntry *e = tlb_entry(t->e, (TlbUse)use, va);
        if (!((e->tag ^ va) & ADDRESS_MASK & ~(uint64_t)4095)) {
            e->tag = tlb_none(n);
        }
    }
}

/* All entries for addresses in the request's pages. */
static void forget_range(Tlb *t, const TlbRequest *r)
{
    bool listed = t->nused <= TLB_USED;
    for (unsigned k = 0; k < (listed ? t->nused : TLB_SIZE); k++) {
        unsigned n = listed ? t->used[k] : k;
        for (unsigned use = 0; use < TLB_PARTS; use++) {
            TlbEntry *e = &t->e[(use << TLB_BITS) + n];
            if (((e->tag - r->va) & ADDRESS_MASK) >> 12 < r->npages) {
                e->tag = tlb_none(n);
            }
        }
    }
}

/* Is a piece larger than a granule, of which entries may be, in the request's pages? */
static bool touches_large(const TlbHull *h, const TlbRequest *r)
{
    uint64_t first = r->va & ADDRESS_MASK & h->mask, last = (r->va + r->npages * 4096 - 1) & ADDRESS_MASK & h->mask;
    return h->any && (first <= last ? first <= h->base && h->base <= last : first <= h->base || h->base <= last);
}

static void forget_pages(const Mmu *m, Tlb *t, const TlbRequest *r)
{
    bool one_space = t->level == LEVEL_USER || m->split[t->kind];
    if (!(address_halves(r->va, r->npages) & t->halves) ||
        (one_space && !t->global && !r->any_asid && (uint16_t)(t->tag >> 8) != r->asid)) {
        return;
    }
    if (touches_large(&t->large, r)) {
        tlb_clear(t);
    } else if (r->npages > 64) {
        forget_range(t, r);
    } else {
        for (uint64_t p = 0; p < r->npages; p++) {
            forget_page(t, r->va + p * 4096);
        }
    }
}

static bool matches(const Tlb *t, const TlbRequest *r)
{
    return t->age && r->kinds >> t->kind & 1 && (r->any_vmid || (uint16_t)(t->tag >> 24) == r->vmid);
}

static void forget_writable(Mmu *m, const TlbRequest *r)
{
    bool had = false;
    for (unsigned k = 0; k < 2 * NEAR_ENTRIES; k++) {
        NearEntry *n = &m->cpu->h.near[k % 2][k / 2];
        uint64_t *tag = k % 2 ? &n->tag : &n->write_tag;
        if ((*tag & ~(uint64_t)4095) + n->add == r->host) {
            *tag = NEAR_EMPTY;
            had = true;
        }
    }
    m->cpu->h.hot.tag = m->cpu->h.hot.write_tag = NEAR_EMPTY;
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        Tlb *t = &m->tables[k];
        bool listed = t->nused <= TLB_USED;
        for (unsigned i = 0; i < (listed ? t->nused : TLB_SIZE); i++) {
            unsigned n = listed ? t->used[i] : i;
            for (unsigned use = TLB_WRITE; use <= TLB_SECOND_WRITE; use += TLB_SECOND_WRITE - TLB_WRITE) {
                TlbEntry *e = &t->e[(use << TLB_BITS) + n];
                if (e->host == r->host && e->tag != tlb_none(n)) {
                    e->tag = tlb_none(n);
                    had = true;
                }
            }
        }
    }
    if (had) { /* it may have been written to after it was read */
        engine_code_written(m->cpu->h.engine, (void *)(uintptr_t)r->host, 4096);
    }
}

/* Of a piece with code that is larger than a granule all pages go, where jump caches know none but single ones. */
static bool touches_code(const Mmu *m, const TlbRequest *r)
{
    bool touches = false;
    for (unsigned k = 0; k < MMU_KINDS; k++) {
        touches |= r->kinds >> k & 1 && (touches_large(&m->code[k][0], r) || touches_large(&m->code[k][1], r));
    }
    return touches;
}

static void tell_globals_left(Mmu *m, unsigned kinds)
{
    uint8_t left[MMU_KINDS] = {0};
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        const Tlb *t = &m->tables[k];
        left[t->kind] |= t->age && t->global ? t->halves : 0;
    }
    for (unsigned k = 0; k < MMU_KINDS; k++) {
        if (kinds >> k & 1) {
            __atomic_store_n(&m->global_halves[k], left[k], __ATOMIC_SEQ_CST);
        }
    }
}

void tlb_forget(Mmu *m, const TlbRequest *r)
{
    if (UNLIKELY(log_on(LOG_mmu))) {
        log_forget(r);
    }
    if (r->what == FORGET_WRITABLE) {
        forget_writable(m, r);
        return;
    }
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        Tlb *t = &m->tables[k];
        if (!matches(t, r)) {
            continue;
        }
        touch(m, t);
        if (r->what == FORGET_ALL) {
            tlb_clear(t);
        } else if (r->what == FORGET_ASID) {
            if (t->level != LEVEL_USER && !m->split[t->kind]) {
                if (!m->loaded[t->kind] || m->regime[t->kind].asid == r->asid) {
                    forget_own(m, t);
                }
            } else if ((uint16_t)(t->tag >> 8) == r->asid) {
                tlb_clear(t);
            }
        } else {
            forget_pages(m, t, r);
        }
    }
    if (r->what == FORGET_ALL) {
        tell_globals_left(m, r->kinds);
    }
    m->stat_clears++;
    if (!tlb_table(m, false)->age || !tlb_table(m, true)->age) { /* split */
        tlb_select(m);
    }
    if (r->what == FORGET_PAGES && !touches_code(m, r)) {
        engine_forget_pages(&m->cpu->h, gva(r->va), r->npages);
        return;
    }
    for (unsigned k = 0; k < MMU_KINDS; k++) {
        if (r->kinds >> k & 1) {
            if (r->what == FORGET_ASID) { /* that address space's, of EL0 */
                engine_forget_context(&m->cpu->h, (uint64_t)r->asid << 8 | LEVEL_USER << 2 | k, 0xffff0f);
                if (m->split[k]) {
                    engine_forget_context(&m->cpu->h, (uint64_t)r->asid << 8 | LEVEL_PRIV << 2 | k, 0xffff0f);
                }
            } else {
                engine_forget_context(&m->cpu->h, k, 3);
            }
        }
    }
}

/* -- address spaces that nobody is in ---------------------------------------------------------------------------------- */

/* A list that is locked for a few stores at a time; not a mutex, for translated code may be around (select_with). */
static void dormant_lock(Mmu *m)
{
    while (__atomic_exchange_n(&m->dormant_lock, 1, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
}

static void dormant_unlock(Mmu *m)
{
    __atomic_store_n(&m->dormant_lock, 0, __ATOMIC_RELEASE);
}

/* May m have something of r in use? Kernels with page table isolation have ASIDs in pairs, between which they change all the time. */
static bool may_use(Mmu *m, const TlbRequest *r, MmuKind kind)
{
    uint64_t now = __atomic_load_n(&m->current[kind], __ATOMIC_SEQ_CST);
    uint8_t global = __atomic_load_n(&m->global_halves[kind], __ATOMIC_SEQ_CST);
    if (now == SPACE_UNKNOWN || (r->what == FORGET_PAGES && address_halves(r->va, r->npages) & global)) {
        return true;
    }
    return ((now ^ r->asid) & 0xfffe) == 0 && (r->any_vmid || now >> 16 == r->vmid);
}

static bool dormant_add(Mmu *m, const TlbSpace *s)
{
    unsigned n = 0;
    dormant_lock(m);
    while (n < m->ndormant && (m->dormant[n].kind != s->kind || m->dormant[n].any_vmid != s->any_vmid || m->dormant[n].vmid != s->vmid ||
                               m->dormant[n].asid != s->asid)) {
        n++;
    }
    if (n == m->ndormant && n < TLB_DORMANT) {
        m->dormant[n] = *s;
        m->ndormant++;
        __atomic_add_fetch(&m->dormant_asked, 1, __ATOMIC_SEQ_CST);
    }
    dormant_unlock(m);
    return n < TLB_DORMANT;
}

bool tlb_ask_dormant(Mmu *m, const TlbRequest *r)
{
    bool of_one = r->what == FORGET_ASID || (r->what == FORGET_PAGES && !r->any_asid), one_kind = !(r->kinds & (r->kinds - 1));
    if (!of_one || !one_kind) {
        return false;
    }
    MmuKind kind = (MmuKind)__builtin_ctz(r->kinds);
    TlbSpace s = {.kind = (uint8_t)kind, .any_vmid = r->any_vmid, .vmid = r->vmid, .asid = r->asid};
    /* m tells where it is, then looks at the list; here the other way round */
    return !may_use(m, r, kind) && dormant_add(m, &s) && !may_use(m, r, kind);
}

void tlb_serve_dormant(Mmu *m)
{
    TlbSpace list[TLB_DORMANT];
    if (m->serving) {
        return;
    }
    m->serving = true;
    dormant_lock(m);
    unsigned n = m->ndormant;
    for (unsigned k = 0; k < n; k++) {
        list[k] = m->dormant[k];
    }
    m->ndormant = 0;
    m->dormant_served = m->dormant_asked;
    dormant_unlock(m);
    for (unsigned k = 0; k < n; k++) {
        tlb_forget(m, &(TlbRequest){.what = FORGET_ASID, .kinds = (uint8_t)(1 << list[k].kind), .any_vmid = list[k].any_vmid, .vmid = list[k].vmid,
                                    .asid = list[k].asid});
    }
    m->serving = false;
}
