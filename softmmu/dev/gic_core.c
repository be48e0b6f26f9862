/* gic_core.c - which interrupt goes to which CPU: pending state, priorities, acknowledge, end of interrupt.
 *
 * Both generations are views of this: registers in gicv2.c, gicv3_*.c, arrays of bits in gic_bank.c. Words, locks and their
 * order are in gic_core.h. Nothing here is called back by a device, and of the outside it calls vcpu_set_line only.
 *
 * The best SPI of each CPU is found by one pass over the words whenever an SPI changes (gic_spi_update); a CPU then
 * compares it with its private word and its best LPI, which costs no search. What is not pending costs nothing.
 */
#include "dev/gic_core.h"

#include <stdio.h>
#include <stdlib.h>

#include "sys.h"

static const GicBest best_none = {GIC_NONE, GIC_PRIO_IDLE, G0};

unsigned gic_group(const Gic *g, const GicWord *w, unsigned bit)
{
    if (w->group >> bit & 1) {
        return G1NS;
    }
    return !g->one_world && (w->grpmod >> bit & 1) ? G1S : G0;
}

/* Interrupts of w in one of the groups. */
static uint32_t word_in(const Gic *g, const GicWord *w, unsigned groups)
{
    uint32_t s = g->one_world ? 0 : w->grpmod & ~w->group;
    return (groups & 1 << G1NS ? w->group : 0) | (groups & 1 << G1S ? s : 0) |
           (groups & 1 << G0 ? ~(w->group | s) : 0);
}

static uint32_t word_ready(const Gic *g, const GicWord *w, unsigned groups)
{
    uint32_t r = gic_word_pending(w) & w->enable & ~w->active;
    return r ? r & word_in(g, w, groups) : 0;
}

/* The best of the interrupts `ready` of w, which starts at INTID `first`. */
static GicBest word_best(const Gic *g, const GicWord *w, unsigned first, uint32_t ready)
{
    GicBest b = best_none;
    for (; ready; ready &= ready - 1) {
        unsigned n = (unsigned)__builtin_ctz(ready);
        if (w->prio[n] < b.prio) {
            b = (GicBest){first + n, w->prio[n], (uint8_t)gic_group(g, w, n)};
        }
    }
    return b;
}

/* GICD_CTLR as seen by a CPU; the distributor changes it with every CPU's lock taken once afterwards (gic_update_all). */
static unsigned groups_of(const GicCpu *c)
{
    return __atomic_load_n(&c->gic->groups, __ATOMIC_RELAXED) & __atomic_load_n(&c->groups, __ATOMIC_RELAXED);
}

static GicBest cpu_best(const GicCpu *c)
{
    const Gic *g = c->gic;
    unsigned groups = groups_of(c);
    uint32_t ready = word_ready(g, &c->priv, groups);
    GicBest b = ready ? word_best(g, &c->priv, 0, ready) : best_none;
    if (c->spi.prio < b.prio) {
        b = c->spi;
    }
    return c->lpi.prio < b.prio && groups & 1 << G1NS ? c->lpi : b;
}

/* The group whose binary point acts for `group`. */
static unsigned bpr_group(const GicCpu *c, unsigned group)
{
    return (group == G1NS && c->cbpr_ns) || (group == G1S && c->cbpr_s) ? G0 : group;
}

/* Bits of a priority that preempt, for a group (IHI 0069 4.8.3): Non-secure binary points count from one bit further. */
static unsigned preempt_mask(const GicCpu *c, unsigned group)
{
    unsigned from = bpr_group(c, group);
    return 0xffu << (from == G1NS ? c->bpr[from] : c->bpr[from] + 1) & 0xff;
}

unsigned gic_cpu_running(const GicCpu *c)
{
    uint32_t all = c->apr[G0] | c->apr[G1S] | c->apr[G1NS];
    return all ? (unsigned)__builtin_ctz(all) << 3 : GIC_PRIO_IDLE;
}

static bool cpu_signals(const GicCpu *c, const GicBest *b)
{
    return b->prio < c->pmr && (b->prio & preempt_mask(c, b->group)) < gic_cpu_running(c);
}

/* IHI 0069 4.6.2, IHI 0048 2.3. */
static bool cpu_takes_as_fiq(const GicCpu *c, unsigned group)
{
    if (c->gic->config.version == 2) {
        return group == G0 && c->fiq_en;
    }
    if (c->gic->one_world || !c->gic->config.security) {
        return group == G0;
    }
    switch (group) {
    case G0:
        return true;
    case G1S:
        return c->el3 || !c->secure;
    default:
        return c->el3 || c->secure;
    }
}

void gic_cpu_update(GicCpu *c)
{
    GicBest b = cpu_best(c);
    bool on = b.intid != GIC_NONE && cpu_signals(c, &b);
    bool fiq = on && cpu_takes_as_fiq(c, b.group), irq = on && !fiq;
    if (irq != c->irq) {
        c->irq = irq;
        vcpu_set_line(c->vcpu, LINE_IRQ, irq);
    }
    if (fiq != c->fiq) {
        c->fiq = fiq;
        vcpu_set_line(c->vcpu, LINE_FIQ, fiq);
    }
}

/* Notes a ready SPI for the CPUs that it goes to. */
static void spi_offer(Gic *g, unsigned intid, const GicBest *b)
{
    const GicWord *w = &g->word[intid / 32];
    if (g->config.version == 2) {
        unsigned to = g->ncpus == 1 ? 1 : w->target[intid % 32];
        for (unsigned k = 0; k < g->ncpus && to >> k; k++) {
            if (to >> k & 1 && b->prio < g->scratch[k].prio &&
                __atomic_load_n(&g->cpus[k].groups, __ATOMIC_RELAXED) >> b->group & 1) {
                g->scratch[k] = *b;
            }
        }
        return;
    }
    unsigned k = g->target[intid];
    if (k < g->ncpus && b->prio < g->scratch[k].prio &&
        __atomic_load_n(&g->cpus[k].groups, __ATOMIC_RELAXED) >> b->group & 1) {
        g->scratch[k] = *b;
    }
}

void gic_spi_update(Gic *g)
{
    for (unsigned k = 0; k < g->ncpus; k++) {
        g->scratch[k] = best_none;
    }
    for (unsigned n = 1; n < g->words; n++) {
        const GicWord *w = &g->word[n];
        for (uint32_t ready = word_ready(g, w, g->groups); ready; ready &= ready - 1) {
            unsigned bit = (unsigned)__builtin_ctz(ready);
            GicBest b = {n * 32 + bit, w->prio[bit], (uint8_t)gic_group(g, w, bit)};
            spi_offer(g, b.intid, &b);
        }
    }
    for (unsigned k = 0; k < g->ncpus; k++) {
        GicCpu *c = &g->cpus[k];
        const GicBest *b = &g->scratch[k];
        if (b->intid != c->spi.intid || b->prio != c->spi.prio || b->group != c->spi.group) {
            pthread_mutex_lock(&c->lock);
            c->spi = *b;
            gic_cpu_update(c);
            pthread_mutex_unlock(&c->lock);
        }
    }
}

void gic_update_all(Gic *g)
{
    pthread_mutex_lock(&g->lock);
    gic_spi_update(g);
    pthread_mutex_unlock(&g->lock);
    for (unsigned k = 0; k < g->ncpus; k++) {
        GicCpu *c = &g->cpus[k];
        pthread_mutex_lock(&c->lock);
        gic_cpu_update(c);
        pthread_mutex_unlock(&c->lock);
    }
}

void gic_lock(GicCpu *c, unsigned intid)
{
    pthread_mutex_lock(intid >= GIC_PRIVATE && intid < GIC_SPI_END ? &c->gic->lock : &c->lock);
}

void gic_unlock(GicCpu *c, unsigned intid)
{
    pthread_mutex_unlock(intid >= GIC_PRIVATE && intid < GIC_SPI_END ? &c->gic->lock : &c->lock);
}

/* Makes b active on c (locked; an SPI's distributor too). What an acknowledge returns. */
static uint32_t cpu_activate(GicCpu *c, const GicBest *b)
{
    unsigned gp = b->prio & preempt_mask(c, b->group);
    uint32_t from = 0;
    c->apr[b->group] |= 1u << (gp >> 3);
    if (b->intid >= GIC_LPI) {
        gic_lpi_acked(c, b->intid);
        return b->intid;
    }
    GicWord *w = gic_word(c, b->intid);
    uint32_t bit = 1u << b->intid % 32;
    w->active |= bit;
    if (c->gic->config.version == 2 && b->intid < 16) {
        uint8_t *senders = &c->sgi_from[b->intid];
        from = *senders ? (uint32_t)__builtin_ctz(*senders) : 0;
        *senders &= (uint8_t)(*senders - 1);
        if (*senders) {
            return b->intid | from << 10;
        }
    }
    w->latch &= ~bit;
    return b->intid | from << 10;
}

/* One attempt, c locked; true when it is settled, false when the distributor's lock is needed. */
static bool cpu_ack_try(GicCpu *c, unsigned groups, bool have_dist, uint32_t *intid, bool *spi)
{
    GicBest b = cpu_best(c);
    *intid = GIC_NONE;
    *spi = false;
    if (b.intid == GIC_NONE || !cpu_signals(c, &b) || !(groups >> b.group & 1)) {
        return true;
    }
    *spi = b.intid >= GIC_PRIVATE && b.intid < GIC_SPI_END;
    if (*spi && !have_dist) {
        return false;
    }
    *intid = cpu_activate(c, &b);
    if (*spi) {
        c->spi = best_none;
    }
    gic_cpu_update(c);
    return true;
}

uint32_t gic_cpu_ack(GicCpu *c, unsigned groups)
{
    uint32_t intid;
    bool spi;
    pthread_mutex_lock(&c->lock);
    bool done = cpu_ack_try(c, groups, false, &intid, &spi);
    pthread_mutex_unlock(&c->lock);
    if (!done) {
        Gic *g = c->gic;
        pthread_mutex_lock(&g->lock);
        pthread_mutex_lock(&c->lock);
        cpu_ack_try(c, groups, true, &intid, &spi);
        pthread_mutex_unlock(&c->lock);
        if (spi) {
            gic_spi_update(g);
        }
        pthread_mutex_unlock(&g->lock);
    }
    return intid;
}

void gic_cpu_set_groups(GicCpu *c, uint32_t mask, uint32_t on)
{
    uint32_t groups = (c->groups & ~mask) | on;
    if (groups != c->groups) {
        GIC_LOCKED(c, __atomic_store_n(&c->groups, groups, __ATOMIC_RELAXED));
        pthread_mutex_lock(&c->gic->lock);
        gic_spi_update(c->gic);
        pthread_mutex_unlock(&c->gic->lock);
    }
}

void gic_cpu_set_pmr(GicCpu *c, bool ns, unsigned value)
{
    if (!ns || c->pmr & 0x80) { /* Non-secure software does not change a Secure mask */
        GIC_LOCKED(c, c->pmr = (uint8_t)gic_prio_stored(ns, value));
    }
}

unsigned gic_cpu_bpr(const GicCpu *c, unsigned group)
{
    unsigned bpr = c->bpr[bpr_group(c, group)];
    return group == G1NS && c->cbpr_ns && bpr < 7 ? bpr + 1 : bpr;
}

void gic_cpu_set_bpr(GicCpu *c, unsigned group, unsigned value)
{
    unsigned least = group == G1NS ? 3 : 2;
    if (!(group == G1NS && c->cbpr_ns)) {
        GIC_LOCKED(c, c->bpr[bpr_group(c, group)] = (uint8_t)(value < least ? least : value));
    }
}

GicBest gic_cpu_pending(GicCpu *c)
{
    pthread_mutex_lock(&c->lock);
    GicBest b = cpu_best(c);
    pthread_mutex_unlock(&c->lock);
    return b;
}

bool gic_cpu_drop(GicCpu *c, unsigned groups)
{
    bool done = false;
    pthread_mutex_lock(&c->lock);
    uint32_t all = c->apr[G0] | c->apr[G1S] | c->apr[G1NS], bit = all & -all;
    for (unsigned k = 0; k < GROUP_COUNT && bit; k++) {
        if (c->apr[k] & bit && groups >> k & 1) {
            c->apr[k] &= ~bit;
            done = true;
            gic_cpu_update(c);
            break;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return done;
}

void gic_cpu_deactivate(GicCpu *c, unsigned intid, unsigned visible)
{
    if (intid / 32 >= c->gic->words) {
        return;
    }
    gic_lock(c, intid);
    GicWord *w = gic_word(c, intid);
    uint32_t bit = 1u << intid % 32;
    if (w->active & bit && visible >> gic_group(c->gic, w, intid % 32) & 1) {
        w->active &= ~bit;
        if (!(gic_word_pending(w) & bit)) {
            /* nothing becomes ready */
        } else if (intid < GIC_PRIVATE) {
            gic_cpu_update(c);
        } else {
            gic_spi_update(c->gic);
        }
    }
    gic_unlock(c, intid);
}

void gic_sgi(GicCpu *c, unsigned intid, unsigned group, bool secure)
{
    const Gic *g = c->gic;
    pthread_mutex_lock(&c->lock);
    unsigned is = gic_group(g, &c->priv, intid);
    bool sent = is == group || (is == G0 && group == G1S);
    if (sent && gic_is_ns(g, secure) && is != G1NS) {
        /* GICR_NSACR: 1 lets Non-secure software make Secure Group 0 pending, 2 Group 1 too. */
        sent = (c->priv.nsacr >> (2 * intid) & 3) >= (is == G0 ? 1 : 2);
    }
    if (sent && !(c->priv.latch >> intid & 1)) {
        c->priv.latch |= 1u << intid;
        gic_cpu_update(c);
    }
    pthread_mutex_unlock(&c->lock);
}

/* The input of interrupt bit of w; true when something may be ready now, or not any more. */
static bool word_set_level(GicWord *w, uint32_t bit, bool level)
{
    if (!(w->level & bit) == !level) {
        return false;
    }
    w->level ^= bit;
    if (w->edge & bit) {
        if (!level) {
            return false;
        }
        w->latch |= bit;
    }
    return w->enable & bit && !(w->active & bit);
}

void gic_set_ppi(void *cpu, unsigned intid, bool level)
{
    GicCpu *c = cpu;
    pthread_mutex_lock(&c->lock);
    if (word_set_level(&c->priv, 1u << intid, level)) {
        gic_cpu_update(c);
    }
    pthread_mutex_unlock(&c->lock);
}

void gic_set_spi(void *gic, unsigned intid, bool level)
{
    Gic *g = gic;
    pthread_mutex_lock(&g->lock);
    if (word_set_level(&g->word[intid / 32], 1u << intid % 32, level)) {
        gic_spi_update(g);
    }
    pthread_mutex_unlock(&g->lock);
}

void gic_pulse_spi(Gic *g, unsigned intid)
{
    pthread_mutex_lock(&g->lock);
    g->word[intid / 32].latch |= 1u << intid % 32;
    gic_spi_update(g);
    pthread_mutex_unlock(&g->lock);
}

Irq gic_spi(Gic *g, unsigned n)
{
    ASSERT(n < g->config.spis);
    return (Irq){gic_set_spi, g, GIC_PRIVATE + n};
}

Irq gic_ppi(Gic *g, unsigned cpu, unsigned n)
{
    ASSERT(cpu < g->ncpus && n < 16);
    return (Irq){gic_set_ppi, &g->cpus[cpu], 16 + n};
}

void gic_world_changed(Vcpu *v)
{
    GicCpu *c = v->gic;
    bool secure = v->cpu->sys->secure, el3 = a64_el(v->cpu) == 3;
    if (c->secure != secure || c->el3 != el3) {
        GIC_LOCKED(c, (c->secure = secure, c->el3 = el3));
    }
}

/* Does Non-secure software find what Secure firmware would have left to it? */
static bool starts_nonsecure(const Gic *g)
{
    return g->config.security && g->config.all_nonsecure;
}

static void word_reset(const Gic *g, GicWord *w)
{
    uint32_t level = w->level; /* devices reset their lines themselves */
    memset(w, 0, sizeof(*w));
    w->level = level;
    if (starts_nonsecure(g)) {
        w->group = ~0u;
        memset(w->prio, 0x80, sizeof(w->prio));
    }
}

/* CPU interfaces, physical and virtual; c locked. */
static void interface_reset(GicCpu *c)
{
    __atomic_store_n(&c->groups, 0, __ATOMIC_RELAXED);
    c->pmr = starts_nonsecure(c->gic) ? 0x80 : 0; /* a Non-secure write leaves a mask below alone */
    c->bpr[G0] = c->bpr[G1S] = 2;
    c->bpr[G1NS] = 3;
    memset(c->apr, 0, sizeof(c->apr));
    c->cbpr_s = c->cbpr_ns = c->eoimode_s = c->eoimode_ns = c->eoimode_el3 = c->fiq_en = c->ack_ctl = false;
    memset(&c->virt, 0, sizeof(c->virt));
    c->virt.vmcr = 2u << VMCR_BPR0 | 3u << VMCR_BPR1 | (c->gic->config.version == 2 ? 0 : VMCR_FIQ_EN);
}

static void cpu_reset(GicCpu *c)
{
    const Gic *g = c->gic;
    bool v2 = g->config.version == 2;
    pthread_mutex_lock(&c->lock);
    word_reset(g, &c->priv);
    c->priv.edge = 0xffff; /* SGIs */
    c->priv.enable = v2 ? 0xffff : 0;
    memset(c->sgi_from, 0, sizeof(c->sgi_from));
    c->spi = c->lpi = best_none;
    interface_reset(c);
    c->ctlr = 0;
    c->waker = 6; /* asleep */
    c->propbaser = c->pendbaser = 0;
    if (c->lpi_pending) {
        memset(c->lpi_pending, 0, (GIC_LPI_END - GIC_LPI) / 8);
        memset(c->lpi_some, 0, sizeof(c->lpi_some));
    }
    c->irq = c->fiq = c->virq = c->vfiq = c->maintenance = false;
    c->priv.level &= ~(1u << GIC_PPI_MAINTENANCE);
    for (unsigned line = LINE_IRQ; line <= LINE_VFIQ; line++) {
        vcpu_set_line(c->vcpu, line, false);
    }
    pthread_mutex_unlock(&c->lock);
}

void gic_cpu_started(Vcpu *v)
{
    GicCpu *c = v->gic;
    if (c->gic->config.version == 2) {
        return;
    }
    GIC_LOCKED(c, interface_reset(c));
    gic_virt_update(c);
    gic_update_all(c->gic);
}

void gic_reset(void *gic)
{
    Gic *g = gic;
    pthread_mutex_lock(&g->lock);
    __atomic_store_n(&g->groups, 0, __ATOMIC_RELAXED);
    if (g->one_world == g->config.security) {
        g->one_world = !g->config.security;
    }
    for (unsigned k = 1; k < g->words; k++) {
        word_reset(g, &g->word[k]);
    }
    memset(g->route, 0, sizeof(g->route));
    memset(g->target, 0, sizeof(g->target));
    pthread_mutex_unlock(&g->lock);
    for (unsigned k = 0; k < g->ncpus; k++) {
        cpu_reset(&g->cpus[k]);
    }
    if (g->its) {
        gits_reset(g->its);
    }
}

Gic *gic_new(Machine *m, const GicConfig *config)
{
    Gic *g = calloc(1, sizeof(*g));
    ASSERT(config->spis % 32 == 0 && config->spis <= 960 && (config->version == 2 || config->version == 3));
    if (!g) {
        return NULL;
    }
    g->machine = m;
    g->config = *config;
    g->ncpus = m->nvcpus;
    g->words = 1 + config->spis / 32;
    g->cpus = calloc(g->ncpus, sizeof(*g->cpus));
    g->scratch = calloc(g->ncpus, sizeof(*g->scratch));
    pthread_mutex_init(&g->lock, NULL);
    for (unsigned k = 0; g->cpus && k < g->ncpus; k++) {
        GicCpu *c = &g->cpus[k];
        c->gic = g;
        c->vcpu = &m->vcpus[k];
        c->vcpu->gic = c;
        pthread_mutex_init(&c->lock, NULL);
        if (config->its && !(c->lpi_pending = calloc((GIC_LPI_END - GIC_LPI) / 64, 8))) {
            return NULL;
        }
    }
    if (!g->cpus || !g->scratch || (config->its && gits_new(g) < 0)) {
        return NULL;
    }
    if (config->version == 2) {
        gicv2_map(g);
    } else {
        gicv3_map(g);
        gicv3_redist_map(g);
    }
    if (config->v2m_count) {
        gicv2m_map(g);
    }
    gic_reset(g);
    machine_on_reset(m, gic_reset, g);
    return g;
}

static void describe_word(GicCpu *c, const GicWord *w, unsigned first, void (*fn)(void *, const char *), void *arg)
{
    char line[160];
    for (uint32_t some = gic_word_pending(w) | w->enable | w->active; some; some &= some - 1) {
        unsigned n = (unsigned)__builtin_ctz(some);
        snprintf(line, sizeof(line), "  %4u: group %u priority %02x%s%s%s%s%s", first + n, w->group >> n & 1, w->prio[n],
                 w->enable >> n & 1 ? " enabled" : "", gic_word_pending(w) >> n & 1 ? " pending" : "",
                 w->active >> n & 1 ? " active" : "", w->level >> n & 1 ? " high" : "", w->edge >> n & 1 ? " edge" : "");
        size_t at = strlen(line);
        if (first && c->gic->config.version == 2) {
            snprintf(line + at, sizeof(line) - at, " CPUs %02x", w->target[n]);
        } else if (first) {
            snprintf(line + at, sizeof(line) - at, " CPU %d", (int16_t)c->gic->target[first + n]);
        }
        fn(arg, line);
    }
}

void gic_describe(Gic *g, void (*fn)(void *arg, const char *line), void *arg)
{
    char line[160];
    pthread_mutex_lock(&g->lock);
    snprintf(line, sizeof(line), "GICv%u, %u SPIs, groups enabled %x", g->config.version, g->config.spis, g->groups);
    fn(arg, line);
    for (unsigned k = 1; k < g->words; k++) {
        describe_word(&g->cpus[0], &g->word[k], k * 32, fn, arg);
    }
    pthread_mutex_unlock(&g->lock);
    for (unsigned k = 0; k < g->ncpus; k++) {
        GicCpu *c = &g->cpus[k];
        pthread_mutex_lock(&c->lock);
        GicBest b = cpu_best(c);
        unsigned running = gic_cpu_running(c);
        snprintf(line, sizeof(line), "CPU %u: groups %x PMR %02x running %02x best %u%s%s", k, c->groups, c->pmr,
                 running == GIC_PRIO_IDLE ? 0xff : running, b.intid, c->irq ? " IRQ" : "", c->fiq ? " FIQ" : "");
        fn(arg, line);
        describe_word(c, &c->priv, 0, fn, arg);
        pthread_mutex_unlock(&c->lock);
    }
}
