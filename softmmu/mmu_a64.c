/* mmu_a64.c - table walks; see mmu_a64.h. Names in brackets are the functions of Arm's specification
 * (aarch64/translation) that a piece implements.
 *
 * Words: IA input address, OA output address, IPA what stage 1 gives and stage 2 takes. Where the architecture leaves a
 * choice: TxSZ out of range faults, the contiguous hint is believed and not used, a walk table outside of memory is an
 * external abort, hardware updates happen only for accesses that are allowed.
 */
#include "mem_int.h"
#include "mmu_a64.h"

static inline bool bit(uint64_t v, unsigned n)
{
    return v >> n & 1;
}

/* -- control registers ----------------------------------------------------------------------------------- */

/* TG0 and VTCR.TG0: 4K 64K 16K; TG1: 16K 4K 64K; reserved values as 4K. */
static uint8_t granule(unsigned tg, bool upper)
{
    static const uint8_t low[4] = {12, 16, 14, 12}, high[4] = {12, 14, 12, 16};
    return upper ? high[tg] : low[tg];
}

static uint8_t output_bits(unsigned ps, unsigned pamax, bool can52)
{
    static const uint8_t bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
    unsigned most = can52 || pamax < 48 ? pamax : 48, n = bits[ps];
    return (uint8_t)(n < most ? n : most);
}

static void range_base(MmuRange *r, uint64_t ttbr)
{
    uint64_t base = ttbr & bits_mask(48) & ~(uint64_t)1;
    if (r->wide) {
        base = (base & ~bits_mask(6)) | bits_get(ttbr, 2, 4) << 48;
    }
    r->base = base & ~bits_mask(r->tsize);
}

/* Start level and table base of a first-stage range [AArch64.S1StartLevel, S1TTBaseAddress]. */
static void range_tables(MmuRange *r, uint64_t ttbr, unsigned txsz, unsigned min, unsigned max)
{
    r->bad = txsz < min || txsz > max;
    r->ia = (uint8_t)(64 - (r->bad ? 25 : txsz));
    unsigned stride = r->granule - 3u;
    r->start = (int8_t)(3 - (r->ia - 1 - r->granule) / (int)stride);
    r->tsize = (uint8_t)(r->ia - ((3 - r->start) * stride + r->granule) + 3);
    r->tsize = r->wide && r->tsize < 6 ? 6 : r->tsize;
    range_base(r, ttbr);
}

static void load_range(MmuRegime *r, const CpuA64 *cpu, unsigned n, uint64_t ttbr, unsigned txsz, unsigned tg, bool ds)
{
    MmuRange *g = &r->range[n];
    g->granule = granule(tg, n == 1);
    g->lpa = g->granule == 16 && a64_has(cpu, A64_FEAT_lpa);
    g->ds = ds && g->granule != 16;
    g->wide = g->ds || (g->lpa && r->ps == 52);
    bool va52 = (g->granule == 16 && a64_has(cpu, A64_FEAT_lva)) || g->ds;
    range_tables(g, ttbr, txsz, va52 ? 12 : 16, a64_has(cpu, A64_FEAT_ttst) ? (g->granule == 16 ? 47 : 48) : 39);
}

static void load_stage2(CpuA64 *cpu, MmuRegime *r, uint64_t hcr)
{
    MmuStage2 *s = &r->s2;
    uint64_t vtcr = cpu->sys->reg[SR_VTCR_EL2], vttbr = cpu->sys->reg[SR_VTTBR_EL2];
    s->on = bit(hcr, HCR_VM) || bit(hcr, HCR_DC);
    r->vmid = (uint16_t)(vttbr >> 48);
    if (!bit(vtcr, 19)) { /* VTCR_EL2.VS */
        r->vmid &= 0xff;
    }
    if (!s->on) {
        return;
    }
    MmuRange *g = &s->r;
    s->fwb = bit(hcr, HCR_FWB) && a64_has(cpu, A64_FEAT_s2fwb);
    s->ptw = bit(hcr, HCR_PTW);
    s->cd = bit(hcr, HCR_CD);
    s->id = bit(hcr, HCR_ID);
    s->ee = bit(cpu->sys->reg[SR_SCTLR_EL2], 25);
    s->ha = bit(vtcr, 21) && a64_has(cpu, A64_FEAT_haf);
    s->hd = s->ha && bit(vtcr, 22) && a64_has(cpu, A64_FEAT_hafdbs);
    s->xnx = a64_has(cpu, A64_FEAT_xnx);
    g->granule = granule(vtcr >> 14 & 3, false);
    g->ds = bit(vtcr, 32) && a64_has(cpu, A64_FEAT_lpa2) && g->granule != 16;
    s->ps = output_bits(vtcr >> 16 & 7, r->pamax, a64_has(cpu, g->granule == 16 ? A64_FEAT_lpa : A64_FEAT_lpa2));
    g->lpa = g->granule == 16 && a64_has(cpu, A64_FEAT_lpa);
    g->wide = g->ds || (g->lpa && s->ps == 52);
    g->sh = vtcr >> 12 & 3;
    unsigned txsz = vtcr & 63, sl0 = vtcr >> 6 & 3, sl2 = bit(vtcr, 33) && g->ds && g->granule == 12;
    unsigned stride = g->granule - 3u, most = g->granule == 16 || g->ds ? r->pamax : r->pamax < 48 ? r->pamax : 48;
    static const int8_t start4k[4] = {2, 1, 0, 3};
    g->start = (int8_t)(sl2 ? -1 : g->granule == 12 ? start4k[sl0] : 3 - (int)sl0);
    g->ia = (uint8_t)(64 - txsz);
    /* [AArch64.S2InvalidSL, S2InconsistentSL, S2TxSZFaults] */
    bool invalid = g->granule == 12   ? (sl2 && sl0) || (sl0 == 3 && !a64_has(cpu, A64_FEAT_ttst)) || (sl0 == 2 && r->pamax < 44)
                   : g->granule == 14 ? (sl0 == 3 && !g->ds) || (sl0 == 2 && r->pamax < 42)
                                      : sl0 == 3 || (sl0 == 2 && r->pamax < 44);
    int least = (3 - g->start) * (int)stride + g->granule + 1;
    g->bad = invalid || txsz > 48 || g->ia > most || g->ia < least || g->ia > least + (int)stride - 1 + 4;
    g->tsize = (uint8_t)(g->bad ? 12 : g->ia - (unsigned)((3 - g->start) * (int)stride + g->granule) + 3);
    g->tsize = g->wide && g->tsize < 6 ? 6 : g->tsize;
    range_base(g, vttbr);
}

MmuKind mmu_kind(CpuA64 *cpu, unsigned el)
{
    return el == 3 ? MMU_EL3 : a64_in_host(cpu, el) ? MMU_EL20 : el == 2 ? MMU_EL2 : MMU_EL10;
}

static unsigned pa_bits(CpuA64 *cpu)
{
    static const uint8_t bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
    return bits[a64_sysreg(cpu, SR_ID_AA64MMFR0_EL1) & 7];
}

static void load_asid(MmuRegime *r, uint64_t ttbr0, uint64_t ttbr1)
{
    r->asid = (uint16_t)((r->a1 ? ttbr1 : ttbr0) >> 48);
    r->asid &= r->as16 ? 0xffff : 0xff;
}

static void load_two(CpuA64 *cpu, MmuRegime *r, uint64_t tcr, uint64_t ttbr0, uint64_t ttbr1)
{
    bool ds = bit(tcr, 59) && a64_has(cpu, A64_FEAT_lpa2), hpds = a64_has(cpu, A64_FEAT_hpds), e0pd = a64_has(cpu, A64_FEAT_e0pd);
    r->a1 = bit(tcr, 22);
    r->as16 = bit(tcr, 36);
    load_asid(r, ttbr0, ttbr1);
    r->ha = bit(tcr, 39) && a64_has(cpu, A64_FEAT_haf);
    r->hd = r->ha && bit(tcr, 40) && a64_has(cpu, A64_FEAT_hafdbs);
    r->ps = output_bits(tcr >> 32 & 7, r->pamax, ds || a64_has(cpu, A64_FEAT_lpa));
    for (unsigned n = 0; n < 2; n++) {
        MmuRange *g = &r->range[n];
        load_range(r, cpu, n, n ? ttbr1 : ttbr0, tcr >> 16 * n & 63, n ? tcr >> 30 & 3 : tcr >> 14 & 3, ds);
        g->epd = bit(tcr, 7 + 16 * n);
        g->sh = tcr >> (12 + 16 * n) & 3;
        g->tbi = bit(tcr, 37 + n);
        g->tbid = bit(tcr, 51 + n) && a64_has(cpu, A64_FEAT_pauth);
        g->hpd = bit(tcr, 41 + n) && hpds;
        g->e0pd = bit(tcr, 55 + n) && e0pd;
    }
}

static void load_one(CpuA64 *cpu, MmuRegime *r, uint64_t tcr, uint64_t ttbr0)
{
    bool ds = bit(tcr, 32) && a64_has(cpu, A64_FEAT_lpa2);
    MmuRange *g = &r->range[0];
    r->ha = bit(tcr, 21) && a64_has(cpu, A64_FEAT_haf);
    r->hd = r->ha && bit(tcr, 22) && a64_has(cpu, A64_FEAT_hafdbs);
    r->ps = output_bits(tcr >> 16 & 7, r->pamax, ds || a64_has(cpu, A64_FEAT_lpa));
    load_range(r, cpu, 0, ttbr0, tcr & 63, tcr >> 14 & 3, ds);
    g->sh = tcr >> 12 & 3;
    g->tbi = bit(tcr, 20);
    g->tbid = bit(tcr, 29) && a64_has(cpu, A64_FEAT_pauth);
    g->hpd = bit(tcr, 24) && a64_has(cpu, A64_FEAT_hpds);
}

void mmu_load_ttbr(CpuA64 *cpu, MmuRegime *r)
{
    const uint64_t *reg = cpu->sys->reg;
    uint64_t ttbr0 = reg[r->kind == MMU_EL10 ? SR_TTBR0_EL1 : r->kind == MMU_EL3 ? SR_TTBR0_EL3 : SR_TTBR0_EL2];
    uint64_t ttbr1 = reg[r->kind == MMU_EL10 ? SR_TTBR1_EL1 : SR_TTBR1_EL2];
    range_base(&r->range[0], ttbr0);
    if (r->two) {
        range_base(&r->range[1], ttbr1);
        load_asid(r, ttbr0, ttbr1);
    }
}

void mmu_load(CpuA64 *cpu, MmuKind kind, MmuRegime *r)
{
    const uint64_t *reg = cpu->sys->reg;
    static const A64Sr sctlrs[MMU_KINDS] = {SR_SCTLR_EL1, SR_SCTLR_EL2, SR_SCTLR_EL2, SR_SCTLR_EL3};
    static const A64Sr mairs[MMU_KINDS] = {SR_MAIR_EL1, SR_MAIR_EL2, SR_MAIR_EL2, SR_MAIR_EL3};
    uint8_t pamax = r->pamax; /* an earlier load's: it never changes */
    memset(r, 0, sizeof *r);
    uint64_t sctlr = reg[sctlrs[kind]], hcr = kind == MMU_EL10 ? a64_hcr(cpu) : 0;
    r->kind = kind;
    r->two = kind == MMU_EL10 || kind == MMU_EL20;
    r->pamax = pamax ? pamax : (uint8_t)pa_bits(cpu);
    r->secure = kind == MMU_EL3 || cpu->sys->secure;
    r->mair = reg[mairs[kind]];
    r->on = bit(sctlr, 0);
    r->icache = bit(sctlr, 12);
    r->wxn = bit(sctlr, 19);
    r->ee = bit(sctlr, 25);
    r->epan = r->two && bit(sctlr, 57) && a64_has(cpu, A64_FEAT_epan);
    switch (kind) {
    case MMU_EL10:
        r->dc = bit(hcr, HCR_DC);
        r->nv1 = bit(hcr, HCR_NV) && bit(hcr, HCR_NV1) && a64_has(cpu, A64_FEAT_nv);
        r->on = r->on && !r->dc && !bit(hcr, HCR_TGE);
        load_two(cpu, r, reg[SR_TCR_EL1], reg[SR_TTBR0_EL1], reg[SR_TTBR1_EL1]);
        if (a64_el2_enabled(cpu)) {
            load_stage2(cpu, r, hcr);
        }
        break;
    case MMU_EL20:
        load_two(cpu, r, reg[SR_TCR_EL2], reg[SR_TTBR0_EL2], reg[SR_TTBR1_EL2]);
        break;
    case MMU_EL2:
        load_one(cpu, r, reg[SR_TCR_EL2], reg[SR_TTBR0_EL2]);
        break;
    default:
        load_one(cpu, r, reg[SR_TCR_EL3], reg[SR_TTBR0_EL3]);
    }
}

/* -- descriptors -------------------------------------------------------------------------------------------- */

static bool fail(A64Fault *f, A64FaultType type, int level)
{
    f->type = (uint8_t)type;
    f->level = (int8_t)level;
    return false;
}

static bool read_descriptor(PhysMem *m, uint64_t pa, bool ns, bool big, uint64_t *d)
{
    uint8_t *flags;
    const uint64_t *p = mem_direct(m, pa, false, ns, &flags);
    if (!p) {
        return false;
    }
    uint64_t v = __atomic_load_n(p, __ATOMIC_ACQUIRE);
    *d = big ? __builtin_bswap64(v) : v;
    return true;
}

/* Replaces a descriptor that still is `old`; *done = it was. False: no memory there. */
static bool update_descriptor(PhysMem *m, uint64_t pa, bool ns, bool big, uint64_t old, uint64_t new, bool *done)
{
    uint8_t *flags;
    uint64_t *p = mem_direct(m, pa, true, ns, &flags);
    if (!p) {
        return false;
    }
    if (big) {
        old = __builtin_bswap64(old);
        new = __builtin_bswap64(new);
    }
    *done = __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return true;
}

/* Does a block descriptor exist at this level? [AArch64.DecodeDescriptorType] */
static bool block_level(const MmuRange *g, int level)
{
    switch (g->granule) {
    case 12: return level == 1 || level == 2 || (level == 0 && g->ds);
    case 14: return level == 2 || (level == 1 && g->ds);
    default: return level == 2 || (level == 1 && g->lpa);
    }
}

/* Address in a table or leaf descriptor, low bits below `low` dropped. */
static uint64_t descriptor_address(const MmuRange *g, uint64_t d, unsigned low)
{
    uint64_t a;
    if (g->ds) {
        a = (d & bits_mask(50)) | bits_get(d, 8, 2) << 50;
    } else {
        a = d & bits_mask(48);
        if (g->lpa) {
            a |= bits_get(d, 12, 4) << 48;
        }
    }
    return a & ~bits_mask(low);
}

static unsigned index_low(const MmuRange *g, int level)
{
    return g->granule + (unsigned)(3 - level) * (g->granule - 3u);
}

/* Position in the table at level; the first table of a second stage may be several in a row. */
static uint64_t table_entry(const MmuRange *g, int level, uint64_t base, uint64_t ia)
{
    unsigned low = index_low(g, level), high = level == g->start ? g->ia : low + g->granule - 3u;
    return base + bits_get(ia, low, high - low) * 8;
}

/* -- stage 2 -------------------------------------------------------------------------------------------------- */

/* Memory attributes by which stage 2 shows itself, in MAIR's form [S2DecodeMemAttrs]. */
static uint8_t stage2_attr(unsigned memattr)
{
    static const uint8_t inner[4] = {0, 0x4, 0xa, 0xf}; /* NC, WT, WB */
    if (!(memattr >> 2)) {
        return (uint8_t)(memattr << 2); /* Device */
    }
    return (uint8_t)(inner[memattr >> 2] << 4 | inner[memattr & 3]);
}

/* Weaker of two cacheability nibbles: non-cacheable, write-through, write-back. */
static uint8_t weaker(uint8_t a, uint8_t b)
{
    bool nc = a == 4 || b == 4, wt = !(a & 4) || !(b & 4);
    return nc ? 4 : wt ? (uint8_t)(a & ~4u) : a;
}

static uint8_t combine(uint8_t s1, uint8_t s2)
{
    if (!(s1 & 0xf0) || !(s2 & 0xf0)) {
        return s1 & 0xf0 ? s2 : s2 & 0xf0 ? s1 : s1 < s2 ? s1 : s2;
    }
    return (uint8_t)(weaker(s1 >> 4, s2 >> 4) << 4 | weaker(s1 & 15, s2 & 15));
}

static uint8_t combine_fwb(uint8_t s1, unsigned memattr)
{
    if (!(memattr & 4)) {
        return combine(s1 & 0xf0 ? 0xff : s1, (uint8_t)((memattr & 3) << 2));
    }
    return (memattr & 3) == 3 ? s1 : (memattr & 3) == 2 ? 0xff : s1 & 0xf0 ? 0x44 : s1;
}

/* [AArch64.S2CheckPermissions]: what is missing, as MMU_* bits. */
static unsigned stage2_lacks(const MmuStage2 *s, uint64_t d, unsigned access, unsigned *rights, bool device)
{
    bool r = bit(d, 6), w = bit(d, 7) || (s->hd && bit(d, 51));
    unsigned xn = s->xnx ? d >> 53 & 3 : bit(d, 54) ? 2 : 0;
    bool x = access & MMU_USER ? xn == 0 || xn == 1 : xn == 0 || xn == 3;
    *rights = (r ? MMU_READ : 0) | (w ? MMU_WRITE : 0) | (x && !device ? MMU_FETCH : 0);
    unsigned need = access & MMU_WALK ? MMU_READ | (access & MMU_WRITE) : access & (MMU_READ | MMU_WRITE | MMU_FETCH);
    return need & ~*rights;
}

/* Translates p->pa, an IPA, in place [AArch64.S2Translate, S2Walk]. */
static bool stage2(PhysMem *m, const MmuRegime *r, unsigned access, MmuPage *p, A64Fault *f)
{
    const MmuStage2 *s = &r->s2;
    const MmuRange *g = &s->r;
    uint64_t ipa = p->pa, d, at;
    f->stage2 = true;
    f->s1ptw = access & MMU_WALK;
    f->ipa = ipa;
    if (g->bad || ipa >> g->ia) {
        return fail(f, FAULT_TRANSLATION, 0);
    }
again:;
    uint64_t base = g->base;
    int level = g->start;
    if (base >> s->ps) {
        return fail(f, FAULT_ADDRESS_SIZE, 0);
    }
    for (;; level++) {
        at = table_entry(g, level, base, ipa);
        if (!read_descriptor(m, at, !r->secure, s->ee, &d)) {
            return fail(f, FAULT_EXTERNAL_WALK, level);
        }
        if (!bit(d, 0) || (!bit(d, 1) && (level == 3 || !block_level(g, level)))) {
            return fail(f, FAULT_TRANSLATION, level);
        }
        if (level == 3 || !bit(d, 1)) {
            break;
        }
        base = descriptor_address(g, d, g->granule);
        if (base >> s->ps) {
            return fail(f, FAULT_ADDRESS_SIZE, level + 1);
        }
    }
    unsigned low = index_low(g, level), rights;
    uint64_t pa = descriptor_address(g, d, low) | (ipa & bits_mask(low));
    if (pa >> s->ps) {
        return fail(f, FAULT_ADDRESS_SIZE, level);
    }
    if (!bit(d, 10) && !s->ha) {
        return fail(f, FAULT_ACCESS_FLAG, level);
    }
    unsigned memattr = d >> 2 & 15;
    uint8_t attr = s->fwb ? combine_fwb(p->attr, memattr) : stage2_attr(memattr);
    bool device = !(attr & 0xf0);
    unsigned lacks = stage2_lacks(s, d, access, &rights, device);
    if (lacks || (access & MMU_WALK && s->ptw && device)) {
        f->write = lacks ? !(lacks & MMU_READ) && (lacks & MMU_WRITE) : f->write;
        return fail(f, FAULT_PERMISSION, level);
    }
    bool dirty = s->hd && bit(d, 51) && access & MMU_WRITE && !(access & MMU_AT);
    uint64_t new = d | (s->ha ? 1u << 10 : 0) | (dirty ? 1u << 7 : 0);
    bool done = true;
    if (new != d && !update_descriptor(m, at, !r->secure, s->ee, d, new, &done)) {
        return fail(f, FAULT_EXTERNAL_WALK, level);
    }
    if (!done) {
        goto again;
    }
    p->pa = pa;
    p->log2size = (uint8_t)(low < p->log2size ? low : p->log2size);
    p->clean |= !bit(new, 7);
    p->rights &= (uint8_t)rights;
    p->sh = p->sh > (g->ds ? g->sh : (d >> 8 & 3)) ? p->sh : (uint8_t)(g->ds ? g->sh : (d >> 8 & 3));
    p->attr = s->fwb ? attr : combine(p->attr, attr);
    if (!(access & MMU_FETCH) && s->cd && p->attr & 0xf0) {
        p->attr = 0x44;
    }
    p->device = !(p->attr & 0xf0);
    p->sh = p->device || p->attr == 0x44 ? 2 : p->sh;
    f->stage2 = f->s1ptw = false;
    return true;
}

/* -- stage 1 -------------------------------------------------------------------------------------------------- */

typedef struct Walk {
    PhysMem *m;
    const MmuRegime *r;
    const MmuRange *g;
    unsigned access;
    unsigned table; /* what tables took away: APTable 1:0, PXNTable 2, UXNTable (XNTable) 3 */
    bool ns;
    uint64_t at;    /* physical address of the leaf */
    uint64_t ipa;   /* the same before stage 2 */
    uint64_t d;     /* leaf */
    int level;
} Walk;

/* The physical address of a descriptor at IPA `at`, which is read, or written too. */
static bool walk_address(const Walk *w, uint64_t at, bool write, uint64_t *pa, A64Fault *f)
{
    *pa = at;
    if (w->r->s2.on) {
        MmuPage p = {.pa = at, .log2size = 64, .attr = 0xff, .rights = 7};
        unsigned access = MMU_READ | MMU_WALK | (write ? MMU_WRITE : 0);
        A64Fault g = *f;
        if (!stage2(w->m, w->r, access, &p, &g)) {
            *f = g;
            return false;
        }
        *pa = p.pa;
    }
    return true;
}

/* [AArch64.S1Walk] to the leaf, which may be one that faults. */
static bool find_leaf(Walk *w, uint64_t va, A64Fault *f)
{
    const MmuRange *g = w->g;
    const MmuRegime *r = w->r;
    uint64_t base = g->base, d;
    w->table = 0;
    w->ns = !r->secure;
    for (w->level = g->start;; w->level++) {
        w->ipa = table_entry(g, w->level, base, va);
        if (w->ipa >> r->ps) {
            return fail(f, FAULT_ADDRESS_SIZE, w->level == g->start ? 0 : w->level);
        }
        f->level = (int8_t)w->level;
        if (!walk_address(w, w->ipa, false, &w->at, f)) {
            return false;
        }
        if (!read_descriptor(w->m, w->at, w->ns, r->ee, &d)) {
            return fail(f, FAULT_EXTERNAL_WALK, w->level);
        }
        if (!bit(d, 0) || (!bit(d, 1) && (w->level == 3 || !block_level(g, w->level)))) {
            return fail(f, FAULT_TRANSLATION, w->level);
        }
        if (w->level == 3 || !bit(d, 1)) {
            break;
        }
        base = descriptor_address(g, d, g->granule);
        w->ns |= bit(d, 63);
        if (!g->hpd) {
            w->table |= (d >> 61 & 3) | (r->nv1 ? (bit(d, 60) ? 4u : 0) : (d >> 59 & 3) << 2);
        }
    }
    w->d = d;
    return true;
}

/* What the access's privilege may do with the leaf [AArch64.S1DirectBasePermissions]. */
static unsigned stage1_rights(const Walk *w)
{
    const MmuRegime *r = w->r;
    uint64_t d = w->d;
    bool ro = bit(d, 7) && !(r->hd && bit(d, 51)), ro_table = w->table & 2;
    bool pr = true, pw = !ro && !ro_table, px, ur = false, uw = false, ux = false;
    if (r->two) {
        bool user = !r->nv1 && bit(d, 6) && !(w->table & 1);
        ur = user;
        uw = user && pw;
        bool pxn = r->nv1 ? bit(d, 54) : bit(d, 53);
        px = !(pxn || w->table & 4 || uw);
        ux = !(!r->nv1 && bit(d, 54)) && !(w->table & 8);
        if (w->access & MMU_PAN && !r->nv1 && (ur || uw || (r->epan && ux))) {
            pr = pw = false;
        }
    } else {
        px = !bit(d, 54) && !(w->table & 8);
    }
    bool user = w->access & MMU_USER, rd = user ? ur : pr, wr = user ? uw : pw, x = user ? ux : px;
    if (r->wxn && wr) {
        x = false;
    }
    return (rd ? MMU_READ : 0) | (wr ? MMU_WRITE : 0) | (x ? MMU_FETCH : 0);
}

/* Marks the leaf as accessed and, when written to, dirty. *again: it changed meanwhile. */
static bool mark_leaf(Walk *w, bool *again, A64Fault *f)
{
    const MmuRegime *r = w->r;
    uint64_t new = w->d | (r->ha ? 1u << 10 : 0);
    if (r->hd && bit(w->d, 51) && w->access & MMU_WRITE && !(w->access & MMU_AT)) {
        new &= ~(uint64_t)(1 << 7);
    }
    *again = false;
    if (new == w->d) {
        return true;
    }
    uint64_t pa;
    bool done;
    if (!walk_address(w, w->ipa, true, &pa, f)) {
        return false;
    }
    if (!update_descriptor(w->m, pa, w->ns, r->ee, w->d, new, &done)) {
        return fail(f, FAULT_EXTERNAL_WALK, w->level);
    }
    *again = !done;
    w->d = new;
    return true;
}

/* Stage 1 off [AArch64.S1DisabledOutput]. */
static bool stage1_off(const MmuRegime *r, uint64_t va, unsigned access, unsigned top, MmuPage *p, A64Fault *f)
{
    if (bits_get(va, r->pamax, top + 1 - r->pamax)) {
        return fail(f, FAULT_ADDRESS_SIZE, 0);
    }
    *p = (MmuPage){.pa = va & bits_mask(56), .log2size = 64, .rights = MMU_READ | MMU_WRITE | MMU_FETCH, .global = true, .ns = !r->secure,
                   .attr = r->dc ? 0xff : !(access & MMU_FETCH) ? 0 : r->icache ? 0xaa : 0x44, .sh = r->dc ? 0 : 2};
    p->device = !(p->attr & 0xf0);
    return true;
}

static void fill_page(const Walk *w, uint64_t va, unsigned rights, MmuPage *p)
{
    unsigned low = index_low(w->g, w->level);
    uint8_t attr = (uint8_t)(w->r->mair >> 8 * (w->d >> 2 & 7));
    uint8_t sh = w->g->ds ? w->g->sh : w->d >> 8 & 3;
    bool device = !(attr & 0xf0);
    *p = (MmuPage){.pa = descriptor_address(w->g, w->d, low) | (va & bits_mask(low)), .log2size = (uint8_t)low, .attr = attr,
                   .sh = device || attr == 0x44 ? 2 : sh, .rights = (uint8_t)rights, .device = device,
                   .clean = bit(w->d, 7), .global = !w->r->two || !bit(w->d, 11), .ns = w->ns || (w->r->secure && bit(w->d, 5)),
                   .guarded = bit(w->d, 50)};
}

static bool permission(unsigned lacks, int level, A64Fault *f)
{
    f->write = !(lacks & MMU_READ) && (lacks & MMU_WRITE);
    return fail(f, FAULT_PERMISSION, level);
}

/* [AArch64.S1Translate] */
static bool stage1(PhysMem *m, const MmuRegime *r, uint64_t va, unsigned access, MmuPage *p, A64Fault *f)
{
    unsigned upper = r->two && bit(va, 55), need = access & (MMU_READ | MMU_WRITE | MMU_FETCH);
    const MmuRange *g = &r->range[upper];
    unsigned top = g->tbi && !(g->tbid && access & MMU_FETCH) ? 55 : 63;
    if (!r->on) {
        return stage1_off(r, va, access, top, p, f);
    }
    uint64_t high = top + 1 > g->ia ? bits_get(va, g->ia, top + 1 - g->ia) : 0;
    if (g->bad || high != (upper ? bits_mask(top + 1 - g->ia) : 0) || (access & MMU_USER && g->e0pd) || g->epd) {
        return fail(f, FAULT_TRANSLATION, 0);
    }
    Walk w = {.m = m, .r = r, .g = g, .access = access};
    for (;;) {
        if (!find_leaf(&w, va, f)) {
            return false;
        }
        unsigned rights = stage1_rights(&w);
        fill_page(&w, va, rights, p);
        if (p->pa >> r->ps) {
            return fail(f, FAULT_ADDRESS_SIZE, w.level);
        }
        if (!bit(w.d, 10) && !r->ha) {
            return fail(f, FAULT_ACCESS_FLAG, w.level);
        }
        if (p->device) {
            rights &= ~(unsigned)MMU_FETCH;
            p->rights = (uint8_t)rights;
        }
        if (need & ~rights) {
            return permission(need & ~rights, w.level, f);
        }
        bool again;
        f->level = (int8_t)w.level;
        if (!mark_leaf(&w, &again, f)) {
            return false;
        }
        if (!again) {
            p->clean = bit(w.d, 7) && rights & MMU_WRITE;
            return true;
        }
    }
}

bool mmu_walk(PhysMem *m, const MmuRegime *r, uint64_t va, unsigned access, MmuPage *page, A64Fault *f)
{
    /* a read-modify-write that may not even read reports a read */
    *f = (A64Fault){.va = va, .write = (access & (MMU_READ | MMU_WRITE)) == MMU_WRITE, .fetch = access & MMU_FETCH};
    if (!stage1(m, r, va, access, page, f)) {
        return false;
    }
    if (r->s2.on && !(access & MMU_STAGE1) && !stage2(m, r, access, page, f)) {
        return false;
    }
    return true;
}

/* DDI 0487 D19.2.101; fault status codes as in ESR_ELx.DFSC. */
uint64_t mmu_par(bool ok, const MmuPage *page, const A64Fault *f)
{
    if (ok) {
        uint64_t attr = page->attr;
        return (page->pa & bits_mask(52) & ~(uint64_t)4095) | attr << 56 | 1u << 11 | (page->ns ? 1u << 9 : 0) | (uint64_t)page->sh << 7;
    }
    unsigned level = (unsigned)f->level & 3, fst;
    switch (f->type) {
    case FAULT_ADDRESS_SIZE: fst = f->level < 0 ? 0x29 : level; break;
    case FAULT_TRANSLATION: fst = f->level < 0 ? 0x2b : 4 + level; break;
    case FAULT_ACCESS_FLAG: fst = 8 + level; break;
    case FAULT_PERMISSION: fst = 12 + level; break;
    case FAULT_EXTERNAL_WALK: fst = f->level < 0 ? 0x13 : 0x14 + level; break;
    default: fst = 0x10; break;
    }
    return 1 | (uint64_t)fst << 1 | (f->s1ptw ? 1u << 8 : 0) | (f->stage2 ? 1u << 9 : 0) | 1u << 11;
}
