/* timer.c - generic timers: a row per timer says whose count it compares with and which PPI it drives.
 *
 * A timer's condition is met while its view of the count is at or beyond CVAL (DDI 0487 D11.2.4); its output is a level:
 * met, enabled, not masked. Nothing ticks. A timer that waits has one EventTimer on the I/O loop, no later than its
 * condition; firing early only means to look again, so moving a deadline away, the usual case, costs no system call. While the
 * machine stands the count stands too, and a timer that fires then looks again later.
 *
 * Locks: TimerCpu.lock, below it the interrupt controller's. Counters are read without one.
 */
#include "timer.h"

#include <pthread.h>
#include <stdlib.h>

#include "dev/gic.h"
#include "sys.h"

/* What is taken off the physical count: nothing, CNTVOFF_EL2, CNTPOFF_EL2 if that is on. */
enum { OFF_NONE, OFF_VIRT, OFF_PHYS };

// clang-format off
#define TIMERS(_) \
    /* registers     level PPI offset */ \
    _(CNTP,   _EL0,  14,  OFF_PHYS) \
    _(CNTV,   _EL0,  11,  OFF_VIRT) \
    _(CNTHP,  _EL2,  10,  OFF_NONE) \
    _(CNTHV,  _EL2,  12,  OFF_NONE) \
    _(CNTPS,  _EL1,  13,  OFF_PHYS) \
    _(CNTHPS, _EL2,  4,   OFF_NONE) \
    _(CNTHVS, _EL2,  3,   OFF_NONE)
// clang-format on

enum {
#define ENUM(name, level, ppi, offset) T_##name,
    TIMERS(ENUM) TIMER_COUNT
};

enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };
enum { CNTHCTL_ECV = 12, SCR_ECVEN = 28 };
enum { EVENT_EN = 2, EVENT_DIR = 3, EVENT_BIT = 4, EVENT_IS = 17 };
enum { RETRY_NS = 5000000 };

typedef struct TimerCpu TimerCpu;
typedef struct Timer {
    TimerCpu *of;
    EventTimer event;
    Irq out;
    uint64_t cval;
    uint64_t armed; /* host time at which event fires, 0 = off */
    uint8_t ctl, offset;
    bool level;
} Timer;

struct TimerCpu {
    Vcpu *vcpu;
    pthread_mutex_t lock;
    uint64_t voff, poff; /* CNTVOFF_EL2, CNTPOFF_EL2 */
    uint64_t offset_phys; /* CNTPOFF_EL2 as it acts */
    uint32_t frq;         /* CNTFRQ_EL0: what software is told, whatever TIMER_HZ is */
    Timer timer[TIMER_COUNT];
};

static const struct {
    uint8_t ppi, offset;
} rows[] = {
#define ROW(name, level, ppi, offset) {ppi, offset},
    TIMERS(ROW)};

enum { F_TVAL = 1, F_CTL, F_CVAL };

static const struct {
    uint8_t timer, field;
} registers[SR_COUNT] = {
#define REGS(name, level, ppi, offset)                                                             \
    [SR_##name##_TVAL##level] = {T_##name, F_TVAL},                                                \
    [SR_##name##_CTL##level] = {T_##name, F_CTL},                                                  \
    [SR_##name##_CVAL##level] = {T_##name, F_CVAL},
    TIMERS(REGS)};

static uint64_t view(const Timer *t, uint64_t count)
{
    const TimerCpu *c = t->of;
    return count - (t->offset == OFF_VIRT ? c->voff : t->offset == OFF_PHYS ? c->offset_phys : 0);
}

/* Fires when the count reaches view's `cval`, or earlier. */
static void timer_arm(Timer *t, uint64_t count, uint64_t left)
{
    Machine *m = t->of->vcpu->machine;
    if (left > UINT64_MAX / TIMER_NS / 4) {
        return; /* centuries away */
    }
    uint64_t at = machine_clock_host(m, (count + left) * TIMER_NS);
    if (__atomic_load_n(&m->clock_stood, __ATOMIC_RELAXED)) {
        at = event_now() + RETRY_NS;
    }
    if (!t->armed || at < t->armed) {
        t->armed = at;
        event_timer_set(&t->event, at);
    }
}

/* Looks again at what t's output should be; its CPU's lock is held. */
static void timer_update(Timer *t)
{
    uint64_t count = timer_count(t->of->vcpu->machine), now = view(t, count);
    bool waits = (t->ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE, met = now >= t->cval;
    if ((waits && met) != t->level) {
        t->level = !t->level;
        irq_set(&t->out, t->level);
    }
    if (waits && !met) {
        timer_arm(t, count, t->cval - now);
    }
}

static void timer_fired(void *arg)
{
    Timer *t = arg;
    pthread_mutex_lock(&t->of->lock);
    t->armed = 0;
    timer_update(t);
    pthread_mutex_unlock(&t->of->lock);
}

static uint64_t timer_read(Timer *t, unsigned field)
{
    uint64_t now = view(t, timer_count(t->of->vcpu->machine));
    switch (field) {
    case F_CVAL:
        return t->cval;
    case F_TVAL:
        return (uint32_t)(t->cval - now);
    default:
        return t->ctl | (t->ctl & CTL_ENABLE && now >= t->cval ? CTL_ISTATUS : 0);
    }
}

static void timer_write(Timer *t, unsigned field, uint64_t v)
{
    pthread_mutex_lock(&t->of->lock);
    switch (field) {
    case F_CVAL:
        t->cval = v;
        break;
    case F_TVAL:
        t->cval = view(t, timer_count(t->of->vcpu->machine)) + (uint64_t)(int64_t)(int32_t)v;
        break;
    default:
        t->ctl = v & (CTL_ENABLE | CTL_IMASK);
    }
    timer_update(t);
    pthread_mutex_unlock(&t->of->lock);
}

/* PhysicalOffsetIsValid. */
static bool physical_offset(CpuA64 *cpu)
{
    const A64Sys *s = cpu->sys;
    return s->el2 && a64_has(cpu, A64_FEAT_ecv_poff) && s->reg[SR_CNTHCTL_EL2] >> CNTHCTL_ECV & 1 &&
           (!s->el3 || s->reg[SR_SCR_EL3] >> SCR_ECVEN & 1) && a64_el2_enabled(cpu);
}

/* An offset changed: so may what the timers that use it see. */
static void offsets_changed(TimerCpu *c)
{
    pthread_mutex_lock(&c->lock);
    c->offset_phys = physical_offset(c->vcpu->cpu) ? c->poff : 0;
    for (unsigned k = 0; k < TIMER_COUNT; k++) {
        if (c->timer[k].offset != OFF_NONE) {
            timer_update(&c->timer[k]);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

/* Is the level in the host's regime, where the counters have no offset? */
static bool without_offset(const CpuA64 *cpu)
{
    unsigned el = a64_el(cpu);
    return el == 2 ? a64_hcr_bit(cpu, HCR_E2H) : el == 0 && a64_in_host(cpu, 0);
}

uint64_t timer_sr_read(Vcpu *v, unsigned sr)
{
    TimerCpu *c = v->timer;
    CpuA64 *cpu = v->cpu;
    switch (sr) {
    case SR_CNTVCT_EL0:
    case SR_CNTVCTSS_EL0:
        return timer_count(v->machine) - (without_offset(cpu) ? 0 : c->voff);
    case SR_CNTPCT_EL0:
    case SR_CNTPCTSS_EL0:
        return timer_count(v->machine) - (a64_el(cpu) > 1 || without_offset(cpu) ? 0 : c->offset_phys);
    case SR_CNTFRQ_EL0:
        return c->frq;
    case SR_CNTVOFF_EL2:
        return c->voff;
    case SR_CNTPOFF_EL2:
        return c->poff;
    default:
        return registers[sr].field ? timer_read(&c->timer[registers[sr].timer], registers[sr].field) : 0;
    }
}

void timer_sr_write(Vcpu *v, unsigned sr, uint64_t value)
{
    TimerCpu *c = v->timer;
    if (registers[sr].field) {
        timer_write(&c->timer[registers[sr].timer], registers[sr].field, value);
        return;
    }
    switch (sr) {
    case SR_CNTVOFF_EL2:
    case SR_CNTPOFF_EL2:
        pthread_mutex_lock(&c->lock);
        *(sr == SR_CNTVOFF_EL2 ? &c->voff : &c->poff) = value;
        pthread_mutex_unlock(&c->lock);
        offsets_changed(c);
        return;
    case SR_CNTHCTL_EL2:
    case SR_SCR_EL3:
    case SR_HCR_EL2:
        if (c->offset_phys != (physical_offset(v->cpu) ? c->poff : 0)) {
            offsets_changed(c);
        }
        return;
    case SR_CNTFRQ_EL0:
        c->frq = (uint32_t)value;
        return;
    }
}

/* ns until bit `bit` of count next changes to `to`. */
static uint64_t event_wait(uint64_t count, unsigned bit, bool to)
{
    uint64_t period = 2ull << bit, edge = to ? period / 2 : 0; /* the change is where count modulo period is edge */
    uint64_t left = (edge - count) & (period - 1);
    return (left ? left : period) * TIMER_NS;
}

uint64_t timer_event_wait(Vcpu *v)
{
    CpuA64 *cpu = v->cpu;
    const A64Sys *s = cpu->sys;
    const TimerCpu *c = v->timer;
    uint64_t count = timer_count(v->machine), k = s->reg[SR_CNTKCTL_EL1], h = s->reg[SR_CNTHCTL_EL2], wait = UINT64_MAX;
    bool scaled = a64_has(cpu, A64_FEAT_ecv);
    if (k >> EVENT_EN & 1 && !a64_in_host(cpu, 0)) {
        unsigned bit = (unsigned)(k >> EVENT_BIT & 15) + (scaled && k >> EVENT_IS & 1 ? 8 : 0);
        wait = event_wait(count - c->voff, bit, !(k >> EVENT_DIR & 1));
    }
    if (s->el2 && h >> EVENT_EN & 1) {
        unsigned bit = (unsigned)(h >> EVENT_BIT & 15) + (scaled && h >> EVENT_IS & 1 ? 8 : 0);
        uint64_t w = event_wait(count - c->offset_phys, bit, !(h >> EVENT_DIR & 1));
        wait = w < wait ? w : wait;
    }
    return wait;
}

static void timer_reset(void *arg)
{
    Machine *m = arg;
    for (unsigned n = 0; n < m->nvcpus; n++) {
        TimerCpu *c = m->vcpus[n].timer;
        pthread_mutex_lock(&c->lock);
        c->voff = c->poff = c->offset_phys = 0;
        c->frq = TIMER_HZ;
        for (unsigned k = 0; k < TIMER_COUNT; k++) {
            Timer *t = &c->timer[k];
            t->ctl = 0;
            t->cval = 0;
            timer_update(t);
        }
        pthread_mutex_unlock(&c->lock);
    }
}

void timer_new(Machine *m)
{
    TimerCpu *all = calloc(m->nvcpus, sizeof(*all));
    if (!all) {
        BUG("out of memory");
    }
    for (unsigned n = 0; n < m->nvcpus; n++) {
        TimerCpu *c = &all[n];
        c->vcpu = &m->vcpus[n];
        c->vcpu->timer = c;
        pthread_mutex_init(&c->lock, NULL);
        for (unsigned k = 0; k < TIMER_COUNT; k++) {
            Timer *t = &c->timer[k];
            t->of = c;
            t->out = gic_ppi(m->gic, n, rows[k].ppi);
            t->offset = rows[k].offset;
            event_timer_init(&t->event, m->loop, timer_fired, t);
        }
    }
    timer_reset(m);
    machine_on_reset(m, timer_reset, m);
}
