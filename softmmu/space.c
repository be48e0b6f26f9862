/* space.c - slow accesses of the vCPUs, TLB maintenance, and code in memory; see space.h and tlb.h.
 *
 * An access that the TLB does not answer goes through soft_access: it walks, raises the guest's exception, or says where the bytes
 * are: in memory, or in the Mmu's buffer, when the access goes to a device or crosses a page. Then soft_commit does what is to be
 * done after a write.
 *
 * Code: when a page is translated for the first time its PAGE_CODE is set, and every TLB drops its right to write there inline. Such
 * writes come here, and after them the translations of those bytes are dropped; when none is left, the page is an ordinary one again.
 * A vCPU that had the right may have used it between the reading of the code and the request: it drops translations itself then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "log.h"
#include "mem_int.h"
#include "space.h"
#include "tlb.h"

typedef struct SoftSpace {
    PhysMem *mem;
    Engine *engine;
    pthread_mutex_t lock; /* of cpus */
    Mmu *cpus[TLB_CPUS];
    unsigned ncpus;
    TlbWatch watch;
    Space space; /* last: large */
} SoftSpace;

/* The page of the last soft_code on this thread: what translators read. */
static __thread struct {
    uint64_t page;
    const uint8_t *host;
    bool guarded;
} fetched;
static __thread Mmu *self; /* of this thread */

static inline Mmu *mmu_of(const CpuHead *h)
{
    return ((const CpuA64 *)h)->sys->mmu;
}

static void soft_commit(CpuHead *h);

/* -- requests ----------------------------------------------------------------------------------------------- */

static void serve(Mmu *m)
{
    if (__atomic_load_n(&m->asked, __ATOMIC_SEQ_CST) == m->served) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    TlbRequest list[LEN(m->queue)];
    unsigned n = m->nqueued;
    uint64_t asked = m->asked;
    memcpy(list, m->queue, sizeof list[0] * (n < LEN(list) ? n : LEN(list)));
    m->nqueued = 0;
    pthread_mutex_unlock(&m->lock);
    if (n > LEN(list)) {
        for (unsigned k = 0; k < LEN(list); k++) {
            if (list[k].what == FORGET_WRITABLE) {
                tlb_forget(m, &list[k]);
            }
        }
        tlb_forget(m, &(TlbRequest){.what = FORGET_ALL, .kinds = (1 << MMU_KINDS) - 1, .any_vmid = true});
    } else {
        for (unsigned k = 0; k < n; k++) {
            tlb_forget(m, &list[k]);
        }
    }
    __atomic_store_n(&m->served, asked, __ATOMIC_SEQ_CST);
}

/* The pages of r right behind those of the last request that waits. Under m->lock. */
static bool merge(Mmu *m, const TlbRequest *r)
{
    if (!m->nqueued || m->nqueued > LEN(m->queue) || r->what != FORGET_PAGES) {
        return false;
    }
    TlbRequest *last = &m->queue[m->nqueued - 1];
    bool same = last->what == r->what && last->kinds == r->kinds && last->any_vmid == r->any_vmid && last->any_asid == r->any_asid &&
                last->vmid == r->vmid && last->asid == r->asid;
    if (!same || r->va != last->va + last->npages * 4096) {
        return false;
    }
    last->npages += r->npages;
    return true;
}

/* False: m has nothing of it in use, and will not have. */
static bool ask(Mmu *m, const TlbRequest *r)
{
    if (tlb_ask_dormant(m, r)) {
        return false;
    }
    for (;;) {
        pthread_mutex_lock(&m->lock);
        if (merge(m, r)) {
            __atomic_add_fetch(&m->asked, 1, __ATOMIC_SEQ_CST);
            pthread_mutex_unlock(&m->lock);
            break;
        }
        /* what is about code must not be lost: it waits for room */
        bool room = m->nqueued < LEN(m->queue);
        if (room || r->what != FORGET_WRITABLE) {
            if (room) {
                m->queue[m->nqueued] = *r;
            }
            m->nqueued = room ? m->nqueued + 1 : (unsigned)LEN(m->queue) + 1;
            __atomic_add_fetch(&m->asked, 1, __ATOMIC_SEQ_CST);
            pthread_mutex_unlock(&m->lock);
            break;
        }
        pthread_mutex_unlock(&m->lock);
        if (!engine_inside(&m->cpu->h)) { /* it holds no right that matters before it has served the queue */
            break;
        }
        if (self) {
            serve(self);
        }
        sched_yield();
    }
    engine_request(&m->cpu->h);
    return true;
}

/* Asks all vCPUs but `mine` to do r. */
static void ask_all(SoftSpace *s, Mmu *mine, const TlbRequest *r)
{
    unsigned n = __atomic_load_n(&s->ncpus, __ATOMIC_ACQUIRE);
    for (unsigned k = 0; k < n; k++) {
        if (s->cpus[k] != mine && ask(s->cpus[k], r) && mine) {
            mine->waits[k / 64] |= (uint64_t)1 << k % 64;
        }
    }
}

static void await(Mmu *mine, const Mmu *other)
{
    uint64_t until = __atomic_load_n(&other->asked, __ATOMIC_SEQ_CST);
    for (unsigned spins = 0; engine_inside(&other->cpu->h) && __atomic_load_n(&other->served, __ATOMIC_SEQ_CST) < until; spins++) {
        serve(mine);
        if (spins > 200) {
            sched_yield();
        } else {
            __builtin_ia32_pause();
        }
    }
}

/* Until those that this CPU asked have done it, or are out of translated code. */
static void tlbi_done(CpuA64 *cpu)
{
    Mmu *m = cpu->sys->mmu;
    for (unsigned w = 0; w < LEN(m->waits); w++) {
        for (; m->waits[w]; m->waits[w] &= m->waits[w] - 1) {
            await(m, m->space->cpus[w * 64 + (unsigned)__builtin_ctzll(m->waits[w])]);
        }
    }
}

static void soft_requests(CpuHead *h)
{
    Mmu *m = mmu_of(h);
    if (m->deferred) {
        m->deferred = false;
        soft_commit(h);
    }
    serve(m);
}

/* -- code ------------------------------------------------------------------------------------------------------ */

/* The entry of the page of code at pc, or NULL: *f. */
static const TlbEntry *code_entry(Mmu *m, Tlb *t, Gva pc, A64Fault *f)
{
    const TlbEntry *e = tlb_entry(t->e, TLB_EXEC, pc.v);
    if (!tlb_hit(e->tag, pc.v, 4)) {
        MmuPage page;
        if (!tlb_walk(m, t, pc.v, MMU_FETCH, &page, f)) {
            return NULL;
        }
        if (!tlb_hit(e->tag, pc.v, 4)) {
            *f = (A64Fault){.va = pc.v, .type = FAULT_EXTERNAL, .fetch = true};
            return NULL;
        }
    }
    return e;
}

static const uint8_t *soft_code(CpuHead *h, Gva pc)
{
    static uint8_t nothing[4096] __attribute__((aligned(4096)));
    Mmu *m = mmu_of(h);
    Tlb *t = tlb_table(m, false);
    self = m;
    if (pc.v & 3) { /* the translator sees that first */
        fetched.page = pc.v >> 12;
        fetched.host = nothing;
        return nothing + (pc.v & 4095);
    }
    const TlbEntry *e = code_entry(m, t, pc, &m->cpu->sys->fault);
    if (!e) {
        return NULL;
    }
    fetched.page = pc.v >> 12;
    fetched.host = (const uint8_t *)(uintptr_t)e->host;
    fetched.guarded = t->guarded[tlb_index(pc.v)];
    return fetched.host + (pc.v & 4095);
}

/* Translators look into the next page too, for what follows a load-exclusive. */
static const uint8_t *space_fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    *avail = 0;
    const uint8_t *host = fetched.host;
    if (host && self && pc.v >> 12 == fetched.page + 1 && !(pc.v & 3)) {
        A64Fault ignored;
        const TlbEntry *e = code_entry(self, tlb_table(self, false), pc, &ignored);
        host = e ? (const uint8_t *)(uintptr_t)e->host : NULL;
    } else if (pc.v >> 12 != fetched.page) {
        return NULL;
    }
    if (!host) {
        return NULL;
    }
    *avail = 4096 - (uint32_t)(pc.v & 4095);
    return host + (pc.v & 4095);
}

static bool space_guarded(Space *s, Gva pc)
{
    (void)s;
    return pc.v >> 12 == fetched.page && fetched.guarded;
}

/* The page of memory with this host address: its flags, or NULL. */
static uint8_t *flags_of(PhysMem *mem, const void *host)
{
    return mem_flags(mem, host);
}

static void soft_translating(CpuHead *h, const uint8_t *code)
{
    Mmu *m = mmu_of(h);
    uint8_t *flags = flags_of(m->mem, code);
    if (!flags || __atomic_load_n(flags, __ATOMIC_SEQ_CST) == PAGE_CODE) {
        return;
    }
    uint8_t old = __atomic_exchange_n(flags, PAGE_CODE, __ATOMIC_SEQ_CST);
    if (old & PAGE_WRITABLE) {
        TlbRequest r = {.what = FORGET_WRITABLE, .host = (uintptr_t)code & ~(uintptr_t)4095};
        ask_all(m->space, m, &r);
        tlb_forget(m, &r);
    }
}

/* Bytes with PAGE_CODE were written to. */
static void code_written(SoftSpace *s, uint8_t *flags, void *host, uint64_t len)
{
    if (s->engine && engine_code_written(s->engine, host, len)) {
        __atomic_and_fetch(flags, (uint8_t)~PAGE_CODE, __ATOMIC_SEQ_CST);
    }
}

static void memory_code_written(void *arg, void *host, uint64_t len)
{
    SoftSpace *s = arg;
    for (uint8_t *p = host, *end = p + len; p < end; p = (uint8_t *)(((uintptr_t)p | 4095) + 1)) {
        uint8_t *stop = (uint8_t *)(((uintptr_t)p | 4095) + 1);
        uint8_t *flags = flags_of(s->mem, p);
        if (flags && *flags & PAGE_CODE) {
            code_written(s, flags, p, (uint64_t)((stop < end ? stop : end) - p));
        }
    }
}

static void memory_changed(void *arg)
{
    SoftSpace *s = arg;
    TlbRequest r = {.what = FORGET_ALL, .kinds = (1 << MMU_KINDS) - 1, .any_vmid = true};
    if (self && self->space == s) {
        tlb_forget(self, &r);
        ask_all(s, self, &r);
    } else {
        ask_all(s, NULL, &r);
    }
}

/* -- slow accesses ----------------------------------------------------------------------------------------------- */

static NORETURN void raise_abort(Mmu *m, const A64Fault *f, uint32_t acc)
{
    A64Fault *to = &m->cpu->sys->fault;
    *to = *f;
    to->cache = (acc & (ACC_CACHE | ACC_WRITE)) == ACC_CACHE; /* DC ZVA is a store (ESR_ELx.CM) */
    to->write |= to->cache;
    m->commit.what = COMMIT_NOTHING;
    engine_raise(&m->cpu->h, EXC_DATA);
}

static NORETURN void raise_type(Mmu *m, uint64_t va, uint32_t acc, A64FaultType type)
{
    A64Fault f = {.va = va, .type = (uint8_t)type, .write = (acc & (ACC_READ | ACC_WRITE)) == ACC_WRITE};
    if (log_on(LOG_guest) && type == FAULT_EXTERNAL) {
        log_printf("%s of %#llx: no memory and no device\n", f.write ? "write" : "read", (unsigned long long)va);
    }
    raise_abort(m, &f, acc);
}

/* One access to what is no memory, in pieces that devices know. */
static bool device_access(Mmu *m, uint64_t pa, bool ns, unsigned bytes, bool write, uint8_t *data)
{
    unsigned step = bytes < 8 ? bytes : 8;
    while (step > 1 && (pa & (step - 1) || bytes % step)) {
        step /= 2;
    }
    for (unsigned k = 0; k < bytes; k += step) {
        uint64_t v = 0;
        memcpy(&v, data + k, step);
        if (!mem_access(m->mem, (Gpa){pa + k}, step, write, &v, (MemAttrs){.secure = !ns})) {
            return false;
        }
        memcpy(data + k, &v, step);
    }
    return true;
}

/* After translation succeeded (DDI 0487 D2.10.5). */
static void check_watchpoints(Mmu *m, uint64_t va, uint32_t acc)
{
    unsigned bytes = 1u << (acc & ACC_SIZE);
    bool unpriv = acc & ACC_UNPRIV && tlb_table(m, true)->level == LEVEL_USER;
    if ((acc & ACC_READ && a64_watchpoint(m->cpu, va, bytes, false, unpriv)) ||
        (acc & ACC_WRITE && a64_watchpoint(m->cpu, va, bytes, true, unpriv))) {
        raise_type(m, va, acc, FAULT_DEBUG);
    }
}

/* The same for a debugger's. */
static void check_debugger(Mmu *m, uint64_t va, uint32_t acc)
{
    const TlbWatch *w = m->watch;
    unsigned bytes = 1u << (acc & ACC_SIZE);
    int k = tlb_watched(w, va, bytes, acc);
    if (k < 0) {
        return;
    }
    bool before = ((w->at[k].va - va) & ADDRESS_MASK) < bytes;
    if (w->hit(m->cpu, before ? w->at[k].va : va, w->at[k].acc)) {
        engine_raise(&m->cpu->h, EXC_DEBUG);
    }
}

/* A normal access that lies on two pages; only memory may be reached so. */
static void *crossing(Mmu *m, Tlb *t, uint64_t va, uint32_t acc)
{
    unsigned bytes = 1u << (acc & ACC_SIZE), first = 4096 - (unsigned)(va & 4095);
    for (unsigned k = 0; k < 2; k++) {
        MmuPage page;
        A64Fault f;
        uint64_t at = k ? va + first : va;
        if (!tlb_walk(m, t, at, tlb_access_bits(acc), &page, &f)) {
            raise_abort(m, &f, acc);
        }
        if (page.device && (bytes < 16 || va & 7)) { /* a pair of X registers may lie on two */
            raise_type(m, at, acc, FAULT_ALIGNMENT);
        }
        m->commit.pa[k] = page.pa;
        m->commit.ns[k] = page.ns;
        m->commit.bytes[k] = k ? bytes - first : first;
    }
    if (m->cpu->h.key & KEY_WATCH) {
        check_watchpoints(m, va, acc);
    }
    if (UNLIKELY(m->watch->n)) {
        check_debugger(m, va, acc);
    }
    if (acc & ACC_READ) {
        if (!device_access(m, m->commit.pa[0], m->commit.ns[0], first, false, m->buffer) ||
            !device_access(m, m->commit.pa[1], m->commit.ns[1], bytes - first, false, m->buffer + first)) {
            raise_type(m, va, acc, FAULT_EXTERNAL);
        }
    }
    if (acc & ACC_WRITE) {
        m->commit.what = COMMIT_PARTS;
        m->commit.va = va;
        m->commit.acc = acc;
    }
    return m->buffer;
}

static void *soft_access(CpuHead *h, uint64_t va, uint32_t acc)
{
    Mmu *m = mmu_of(h);
    Tlb *t = tlb_table(m, acc & ACC_UNPRIV);
    const TlbEntry *e = tlb_entry(t->e, acc & ACC_WRITE ? TLB_WRITE : TLB_READ, va);
    unsigned bytes = 1u << (acc & ACC_SIZE);
    if (m->deferred) {
        m->deferred = false;
        soft_commit(h);
    }
    m->commit.what = COMMIT_NOTHING;
    bool watched = h->key & KEY_WATCH;
    if (!watched && tlb_hit(e->tag, va, bytes)) {
        return (uint8_t *)(uintptr_t)e->host + (va & 4095);
    }
    m->stat_slow++;
    if (m->failed_acc == acc && m->failed_va == va) { /* tlb_fill has walked just now */
        m->failed_acc = 0;
        raise_abort(m, &m->failed, acc);
    }
    m->failed_acc = 0;
    if ((va & 4095) + bytes > 4096) {
        return crossing(m, t, va, acc);
    }
    MmuPage page;
    A64Fault f;
    if (!tlb_walk(m, t, va, tlb_access_bits(acc), &page, &f)) {
        raise_abort(m, &f, acc);
    }
    unsigned align = bytes == 16 ? 8 : bytes; /* FEAT_LSE2: a pair of X registers is one access */
    if (page.device && (va & (align - 1) || acc & ACC_CACHE)) {
        raise_type(m, va, acc, FAULT_ALIGNMENT);
    }
    uint8_t *flags;
    uint8_t *host = mem_direct(m->mem, page.pa, acc & ACC_WRITE, page.ns, &flags);
    if (watched) {
        check_watchpoints(m, va, acc);
    }
    if (UNLIKELY(m->watch->n)) {
        check_debugger(m, va, acc);
    }
    if (host) {
        if (acc & ACC_WRITE && __atomic_load_n(flags, __ATOMIC_RELAXED) & PAGE_CODE) {
            m->commit.what = COMMIT_CODE;
            m->commit.host = host;
            m->commit.bytes[0] = bytes;
            m->commit.flags = flags;
            if (acc & ACC_DEFER) {
                m->deferred = true;
                engine_request(h);
            }
        }
        return host;
    }
    if (acc & ACC_ATOMIC) {
        raise_type(m, va, acc, FAULT_UNSUPPORTED_ATOMIC);
    }
    if (acc & ACC_READ && !device_access(m, page.pa, page.ns, bytes, false, m->buffer)) {
        raise_type(m, va, acc, FAULT_EXTERNAL);
    }
    if (acc & ACC_WRITE) {
        m->commit.what = COMMIT_DEVICE;
        m->commit.pa[0] = page.pa;
        m->commit.ns[0] = page.ns;
        m->commit.bytes[0] = bytes;
        m->commit.va = va;
        m->commit.acc = acc;
    }
    return m->buffer;
}

static void soft_commit(CpuHead *h)
{
    Mmu *m = mmu_of(h);
    unsigned what = m->commit.what;
    bool good = true;
    m->commit.what = COMMIT_NOTHING;
    switch (what) {
    case COMMIT_CODE:
        code_written(m->space, m->commit.flags, m->commit.host, m->commit.bytes[0]);
        break;
    case COMMIT_DEVICE:
        good = device_access(m, m->commit.pa[0], m->commit.ns[0], m->commit.bytes[0], true, m->buffer);
        break;
    case COMMIT_PARTS:
        good = device_access(m, m->commit.pa[0], m->commit.ns[0], m->commit.bytes[0], true, m->buffer) &&
               device_access(m, m->commit.pa[1], m->commit.ns[1], m->commit.bytes[1], true, m->buffer + m->commit.bytes[0]);
        break;
    default:
        break;
    }
    if (!good) {
        raise_type(m, m->commit.va, m->commit.acc, FAULT_EXTERNAL);
    }
}

const SoftMmu space_soft = {
    .code = soft_code,
    .translating = soft_translating,
    .access = soft_access,
    .commit = soft_commit,
    .fill = tlb_fill,
    .requests = soft_requests,
};

/* -- changes of registers ------------------------------------------------------------------------------------------- */

enum { KIND_EL10 = 1 << MMU_EL10, KIND_EL20 = 1 << MMU_EL20, KIND_EL2 = 1 << MMU_EL2, KIND_EL3 = 1 << MMU_EL3, KIND_ALL = 15 };

/* The registers of these regimes are others now: what was remembered under the old ones is worth nothing. */
static void changed_all(Mmu *m, unsigned kinds)
{
    tlb_unload(m, kinds);
    tlb_clear_kinds(m, kinds);
}

/* TTBRs only say where tables are and the ASID. */
static void changed_ttbr(Mmu *m, MmuKind kind)
{
    if (!m->loaded[kind]) {
        tlb_asid_changed(m, kind); /* for all that is known */
        return;
    }
    uint16_t old = m->regime[kind].asid;
    mmu_load_ttbr(m->cpu, &m->regime[kind]);
    if (m->regime[kind].asid != old) {
        tlb_asid_changed(m, kind);
    }
}

/* SCTLR_ELx bits that translation depends on: M C I WXN EE EPAN. */
static const uint64_t sctlr_bits = 1 << 0 | 1 << 2 | 1 << 12 | 1 << 19 | 1 << 25 | (uint64_t)1 << 57;

static void mmu_changed(CpuA64 *cpu, A64Sr sr, uint64_t old)
{
    Mmu *m = cpu->sys->mmu;
    if (!m) {
        return;
    }
    uint64_t diff = sr < SR_COUNT ? cpu->sys->reg[sr] ^ old : 0;
    switch ((unsigned)sr) {
    case SR_COUNT:
        if (cpu->sys->el3) {
            tlb_unload(m, KIND_EL10); /* the security state may be another one */
        }
        break;
    case SR_TTBR0_EL1: case SR_TTBR1_EL1:
        changed_ttbr(m, MMU_EL10);
        break;
    case SR_TTBR0_EL2: case SR_TTBR1_EL2:
        changed_ttbr(m, MMU_EL20);
        m->loaded[MMU_EL2] = false;
        break;
    case SR_TTBR0_EL3:
        m->loaded[MMU_EL3] = false;
        break;
    case SR_SCTLR_EL1: case SR_SCTLR_EL2: case SR_SCTLR_EL3:
        if (diff & sctlr_bits) {
            changed_all(m, sr == SR_SCTLR_EL1 ? KIND_EL10 : sr == SR_SCTLR_EL2 ? KIND_ALL : KIND_EL3);
        }
        break;
    case SR_TCR_EL1: case SR_MAIR_EL1:
        if (diff) {
            changed_all(m, KIND_EL10);
        }
        break;
    case SR_TCR_EL2: case SR_MAIR_EL2:
        if (diff) {
            changed_all(m, KIND_EL2 | KIND_EL20);
        }
        break;
    case SR_TCR_EL3: case SR_MAIR_EL3:
        if (diff) {
            changed_all(m, KIND_EL3);
        }
        break;
    case SR_VTTBR_EL2: case SR_VSTTBR_EL2:
        tlb_unload(m, KIND_EL10);
        break;
    case SR_HCR_EL2: {
        uint64_t other = (uint64_t)1 << HCR_PTW | (uint64_t)1 << HCR_DC | (uint64_t)1 << HCR_CD | (uint64_t)1 << HCR_ID |
                         (uint64_t)1 << HCR_FWB | (uint64_t)1 << HCR_E2H, new = old ^ diff;
        bool nv1 = ((old & old >> 1) ^ (new & new >> 1)) >> HCR_NV & 1; /* NV and NV1 */
        if (diff & other || nv1) {
            changed_all(m, KIND_EL10 | KIND_EL2 | KIND_EL20);
        } else if (diff & ((uint64_t)1 << HCR_VM | (uint64_t)1 << HCR_TGE)) {
            tlb_unload(m, KIND_EL10);
        }
        break;
    }
    default: /* VTCR_EL2, SCR_EL3, ... */
        changed_all(m, KIND_ALL);
    }
    tlb_select(m);
}

/* -- TLB maintenance -------------------------------------------------------------------------------------------------- */

static const uint16_t op_ids[SO_COUNT] = {
#define SYSOP(name, op1, crn, crm, op2, feat, access, what, trap, fgt) [SO_##name] = SYSOPID_##name,
#include "sysregs.def"
};

/* Base and number of pages of the range forms (DDI 0487 C5.5, TLBI RVAE1); ds: TCR_ELx.DS, under which the base counts 64 KiB. */
static void range(TlbRequest *r, uint64_t arg, bool ds)
{
    static const uint8_t granules[4] = {12, 12, 14, 16};
    unsigned g = granules[arg >> 46 & 3], scale = arg >> 44 & 3, num = arg >> 39 & 31;
    unsigned unit = ds ? 16 : g;
    r->va = (uint64_t)bits_sext(arg << unit, 37 + unit);
    r->npages = ((uint64_t)(num + 1) << (5 * scale + 1)) << (g - 12);
}

/* The request of a TLBI; *local: it is about this CPU alone. */
static TlbRequest decode(Mmu *m, A64So op, uint64_t arg, bool *local)
{
    unsigned id = op_ids[op], op1 = id >> 11 & 7, crm = id >> 3 & 15, op2 = id & 7;
    CpuA64 *cpu = m->cpu;
    bool ipa = op1 == 4 && (crm == 0 || crm == 4), ranged = crm == 2 || crm == 5 || crm == 6;
    bool host = a64_el(cpu) == 2 && a64_in_host(cpu, 2), host0 = host && a64_in_host(cpu, 0);
    TlbRequest r = {.what = FORGET_PAGES, .any_asid = true, .asid = (uint16_t)(arg >> 48), .vmid = tlb_regime(m, MMU_EL10)->vmid};
    *local = ipa ? crm == 4 && (op2 == 1 || op2 == 2 || op2 == 5 || op2 == 6) : crm == 6 || crm == 7;
    if (*local && a64_el(cpu) == 1 && a64_hcr_bit(cpu, HCR_FB)) {
        *local = false;
    }
    unsigned granule = 12;
    const MmuRange *in = &tlb_regime(m, MMU_EL10)->range[0];
    if (op1 == 0) {
        r.kinds = host0 ? KIND_EL20 : KIND_EL10;
        r.any_vmid = host0;
        const MmuRegime *g = tlb_regime(m, host0 ? MMU_EL20 : MMU_EL10);
        r.what = op2 == 0 ? FORGET_ALL : op2 == 2 ? FORGET_ASID : FORGET_PAGES;
        r.any_asid = op2 != 1 && op2 != 5;
        r.asid &= g->as16 ? 0xffff : 0xff;
        in = &g->range[bits_get(arg, ranged ? 36 : 43, 1)];
        granule = in->granule;
    } else if (ipa) { /* entries know no IPA */
        r.kinds = KIND_EL10;
        r.what = FORGET_ALL;
    } else if (op1 == 4 && !ranged && (op2 == 0 || op2 == 4 || op2 == 6)) {
        r.kinds = op2 == 0 ? KIND_EL2 | KIND_EL20 : KIND_EL10;
        r.any_vmid = op2 != 6;
        r.what = FORGET_ALL;
    } else if (op1 == 4) {
        r.kinds = a64_in_host(cpu, 2) ? KIND_EL20 : KIND_EL2;
        r.any_vmid = true;
        in = &tlb_regime(m, a64_in_host(cpu, 2) ? MMU_EL20 : MMU_EL2)->range[a64_in_host(cpu, 2) ? bits_get(arg, ranged ? 36 : 43, 1) : 0];
        granule = in->granule;
    } else {
        r.kinds = KIND_EL3;
        r.any_vmid = true;
        r.what = !ranged && op2 == 0 ? FORGET_ALL : FORGET_PAGES;
        in = &tlb_regime(m, MMU_EL3)->range[0];
        granule = in->granule;
    }
    if (r.what == FORGET_PAGES && ranged) {
        range(&r, arg, in->ds);
    } else if (r.what == FORGET_PAGES) {
        granule = granule < 12 ? 12 : granule;
        r.va = (uint64_t)bits_sext(arg << 12, 56) & ~bits_mask(granule);
        r.npages = (uint64_t)1 << (granule - 12);
    }
    return r;
}

static void tlbi(CpuA64 *cpu, A64So op, uint64_t arg)
{
    Mmu *m = cpu->sys->mmu;
    bool local;
    TlbRequest r = decode(m, op, arg, &local);
    tlb_forget(m, &r);
    if (!local) {
        ask_all(m->space, m, &r);
        cpu->sys->tlbi_open = true;
    }
}

/* -- address translation and cache instructions ------------------------------------------------------------------------- */

static void at(CpuA64 *cpu, A64So op, uint64_t va)
{
    Mmu *m = cpu->sys->mmu;
    unsigned id = op_ids[op], op1 = id >> 11 & 7, crm = id >> 3 & 15, op2 = id & 7;
    bool write = op2 & 1, user = false, two_stages = op1 == 4 && op2 >= 4, any = crm == 9 && op2 == 2; /* AT S1ExA asks for no rights */
    unsigned access = (any ? 0 : write ? MMU_WRITE : MMU_READ) | MMU_AT;
    MmuKind kind;
    if (op1 == 6) {
        kind = MMU_EL3;
    } else if (op1 == 4 && !two_stages) {
        kind = a64_in_host(cpu, 2) ? MMU_EL20 : MMU_EL2;
    } else {
        user = op1 == 0 ? crm == 8 && op2 >= 2 : op2 >= 6;
        kind = a64_el(cpu) == 2 && a64_in_host(cpu, 2) && a64_in_host(cpu, 0) ? MMU_EL20 : MMU_EL10;
        access |= op1 == 0 && crm == 9 && !any && cpu->pstate_misc & PS_PAN ? MMU_PAN : 0;
        access |= two_stages ? 0 : MMU_STAGE1;
    }
    MmuPage page;
    A64Fault f;
    bool ok = mmu_walk(m->mem, tlb_regime(m, kind), va, access | (user ? MMU_USER : 0), &page, &f);
    if (!ok && (f.type == FAULT_EXTERNAL_WALK || (f.stage2 && f.s1ptw && a64_el(cpu) == 1))) { /* AArch64.AT: a real abort */
        raise_abort(m, &f, ACC_CACHE);
    }
    cpu->sys->reg[SR_PAR_EL1] = mmu_par(ok, &page, &f);
}

/* By address: faults as an access does; EL0 must be able to read (DC IVAC: to write). */
static bool cache_address(Mmu *m, uint64_t va, bool write, MmuPage *page)
{
    A64Fault f;
    Tlb *t = tlb_table(m, false);
    unsigned access = write ? MMU_WRITE | MMU_AT : t->level == LEVEL_USER ? MMU_READ | MMU_AT : MMU_AT;
    if (!tlb_walk(m, t, va, access, page, &f)) {
        raise_abort(m, &f, ACC_CACHE);
    }
    return true;
}

static void cache(CpuA64 *cpu, A64So op, uint64_t va)
{
    Mmu *m = cpu->sys->mmu;
    unsigned id = op_ids[op], op1 = id >> 11 & 7, crm = id >> 3 & 15, op2 = id & 7;
    MmuPage page;
    uint8_t *flags;
    bool by_address = op1 == 3 || (op1 == 0 && crm == 6 && op2 == 1);
    if (!by_address) {
        return;
    }
    cache_address(m, va, op1 == 0, &page);
    if (op == SO_IC_IVAU) {
        uint8_t *host = mem_direct(m->mem, page.pa & ~(uint64_t)63, false, page.ns, &flags);
        if (host && __atomic_load_n(flags, __ATOMIC_SEQ_CST) & PAGE_CODE && m->space->engine) {
            engine_invalidate(m->space->engine, gva((uintptr_t)host), 64);
        }
    }
}

static void nv2_memory(CpuA64 *cpu, uint64_t va, bool write, uint64_t *value)
{
    Mmu *m = cpu->sys->mmu;
    const MmuRegime *r = tlb_regime(m, mmu_kind(cpu, 2));
    MmuPage page;
    A64Fault f;
    bool good = mmu_walk(m->mem, r, va, write ? MMU_WRITE : MMU_READ, &page, &f);
    if (good) {
        uint64_t v = r->ee ? __builtin_bswap64(*value) : *value;
        good = mem_access(m->mem, (Gpa){page.pa}, 8, write, &v, (MemAttrs){.secure = !page.ns});
        *value = r->ee ? __builtin_bswap64(v) : v;
        f = (A64Fault){.va = va, .type = FAULT_EXTERNAL, .write = write};
    }
    if (!good) {
        f.nv2 = true;
        raise_abort(m, &f, write ? ACC_WRITE : ACC_READ);
    }
}

void space_hooks(A64Hooks *h)
{
    h->nv2_memory = nv2_memory;
    h->mmu_changed = mmu_changed;
    h->level_changed = tlb_level_changed;
    h->tlbi = tlbi;
    h->tlbi_done = tlbi_done;
    h->at = at;
    h->cache = cache;
}

/* -- making ------------------------------------------------------------------------------------------------------------------ */

Space *space_new(PhysMem *mem)
{
    SoftSpace *s = calloc(1, sizeof *s);
    if (!s) {
        BUG("no memory for the machine's address space");
    }
    s->mem = mem;
    s->space.fetch = space_fetch;
    s->space.guarded = space_guarded;
    s->space.mark_bits = 8;
    pthread_mutex_init(&s->lock, NULL);
    mem_listen(mem, memory_changed, memory_code_written, s);
    return &s->space;
}

static SoftSpace *soft_space(Space *s)
{
    return (SoftSpace *)((char *)s - offsetof(SoftSpace, space));
}

void space_set_engine(Space *s, Engine *e)
{
    soft_space(s)->engine = e;
}

int space_cpu_init(Space *space, CpuA64 *cpu)
{
    SoftSpace *s = soft_space(space);
    size_t size = ALIGN_UP(sizeof(Tlb) * TLB_TABLES, 4096);
    Mmu *m = aligned_alloc(64, ALIGN_UP(sizeof *m, 64));
    Tlb *tables = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!m || tables == MAP_FAILED) {
        return -ENOMEM;
    }
    memset(m, 0, sizeof *m);
    m->cpu = cpu;
    m->space = s;
    m->mem = s->mem;
    m->watch = &s->watch;
    for (unsigned k = 0; k < MMU_KINDS; k++) {
        m->current[k] = SPACE_UNKNOWN;
    }
    m->tables = tables;
    for (unsigned k = 0; k < TLB_TABLES; k++) {
        for (unsigned use = 0; use < TLB_PARTS; use++) {
            tables[k].e[use << TLB_BITS].tag = tlb_none(0);
        }
    }
    pthread_mutex_init(&m->lock, NULL);
    cpu->sys->mmu = m;
    memset(cpu->h.near_used, 1, sizeof cpu->h.near_used);
    s->engine = s->engine ? s->engine : cpu->h.engine;
    tlb_select(m);
    pthread_mutex_lock(&s->lock);
    ASSERT(s->ncpus < TLB_CPUS);
    s->cpus[s->ncpus] = m;
    __atomic_store_n(&s->ncpus, s->ncpus + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

int space_watch(Space *space, bool insert, uint64_t va, uint64_t len, uint32_t acc, bool (*hit)(CpuA64 *cpu, uint64_t va, uint32_t acc))
{
    SoftSpace *s = soft_space(space);
    TlbWatch *w = &s->watch;
    unsigned k = 0;
    while (k < w->n && !(w->at[k].va == va && w->at[k].len == len && w->at[k].acc == acc)) {
        k++;
    }
    if (insert && k == w->n) {
        if (k == TLB_WATCHES) {
            return -ENOSPC;
        }
        w->at[w->n].va = va;
        w->at[w->n].len = len;
        w->at[w->n++].acc = acc;
        w->hit = hit;
    } else if (!insert && k < w->n) {
        w->at[k] = w->at[--w->n];
    }
    w->n = insert || len ? w->n : 0;
    memory_changed(s);
    return 0;
}

void space_cpu_reset(CpuA64 *cpu)
{
    Mmu *m = cpu->sys->mmu;
    changed_all(m, KIND_ALL);
    tlb_select(m);
}

void space_cpu_free(CpuA64 *cpu)
{
    Mmu *m = cpu->sys->mmu;
    SoftSpace *s = m->space;
    pthread_mutex_lock(&s->lock);
    for (unsigned k = 0; k < s->ncpus; k++) {
        if (s->cpus[k] == m) {
            s->cpus[k] = s->cpus[s->ncpus - 1];
            __atomic_store_n(&s->ncpus, s->ncpus - 1, __ATOMIC_RELEASE);
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
    self = self == m ? NULL : self;
    munmap(m->tables, ALIGN_UP(sizeof(Tlb) * TLB_TABLES, 4096));
    pthread_mutex_destroy(&m->lock);
    free(m);
    cpu->sys->mmu = NULL;
}

/* -- looking from outside ------------------------------------------------------------------------------------------------------ */

static bool look(CpuA64 *cpu, uint64_t va, MmuPage *page)
{
    Mmu *m = cpu->sys->mmu;
    A64Fault f;
    unsigned el = a64_el(cpu);
    return mmu_walk(m->mem, tlb_regime(m, mmu_kind(cpu, el)), va, MMU_AT, page, &f);
}

bool space_physical(CpuA64 *cpu, uint64_t va, uint64_t *pa)
{
    MmuPage page;
    bool ok = look(cpu, va, &page);
    *pa = ok ? page.pa : 0;
    return ok;
}

void *space_peek(CpuA64 *cpu, uint64_t va, bool write, uint32_t *rest)
{
    Mmu *m = cpu->sys->mmu;
    uint64_t pa;
    *rest = 4096 - (uint32_t)(va & 4095);
    return space_physical(cpu, va, &pa) ? mem_ptr(m->mem, (Gpa){pa}, *rest, write) : NULL;
}
