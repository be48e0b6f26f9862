/* t_timer.c - generic timers: counts, conditions, offsets, and that a deadline is met on time and never lost. */
#include "gic_machine.h"

#include <pthread.h>
#include <time.h>

#include "timer.h"

enum { GICR_ISENABLER = REDIST + SGI_FRAME + 0x100, GICR_IGROUPR = REDIST + SGI_FRAME + 0x80 };
enum { ENABLE = 1, IMASK = 2, ISTATUS = 4, MS = TIMER_HZ / 1000 };
static const uint64_t SECOND = TIMER_HZ;

static pthread_t loop_thread;

static void *run_loop(void *arg)
{
    event_run(arg);
    return NULL;
}

static uint64_t tr(unsigned reg)
{
    return timer_sr_read(&vcpus[0], reg);
}

static void tw(unsigned reg, uint64_t v)
{
    timer_sr_write(&vcpus[0], reg, v);
}

static void start(unsigned n)
{
    fake_gic(3, n, false, false);
    machine_clock_init(&mach);
    timer_new(&mach);
    wr(DIST, 4, 2);
    for (unsigned k = 0; k < n; k++) {
        wr(GICR_IGROUPR + k * REDIST_BYTES, 4, ~0u);
        wr(GICR_ISENABLER + k * REDIST_BYTES, 4, ~0u);
        sw(k, SR_ICC_PMR_EL1, 0xf0);
        sw(k, SR_ICC_IGRPEN1_EL1, 1);
    }
    pthread_create(&loop_thread, NULL, run_loop, mach.loop);
}

static void stop(void)
{
    event_quit(mach.loop, 0);
    pthread_join(loop_thread, NULL);
}

/* Waits until the line has the level; false after ms. */
static bool line_within(unsigned ms, bool level)
{
    for (uint64_t end = event_now() + ms * 1000000ull; event_now() < end;) {
        if (line(0, LINE_IRQ) == level) {
            return true;
        }
        nanosleep(&(struct timespec){0, 20000}, NULL);
    }
    return line(0, LINE_IRQ) == level;
}

Test(timer, counts)
{
    start(1);
    cr_assert_eq(tr(SR_CNTFRQ_EL0), TIMER_HZ);
    uint64_t a = event_now(), c = tr(SR_CNTPCT_EL0);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    uint64_t d = tr(SR_CNTPCT_EL0) - c, b = event_now() - a;
    cr_assert_leq(d, b / TIMER_NS + 1);
    cr_assert_geq(d, 20000000 / TIMER_NS);
    tw(SR_CNTVOFF_EL2, 1000 * SECOND);
    c = tr(SR_CNTPCT_EL0);
    d = tr(SR_CNTVCT_EL0) - (c - 1000 * SECOND);
    cr_assert_lt(d, 500 * SECOND);
    fake_el(0, 2);
    fake_hcr(0, 1ull << HCR_E2H);
    cr_assert_geq(tr(SR_CNTVCT_EL0), c); /* the host's virtual count has no offset */
    fake_el(0, 1);
    fake_hcr(0, 0);
    /* CNTPOFF_EL2 acts below EL2 when CNTHCTL_EL2.ECV says so */
    model.feats[A64_FEAT_ecv_poff / 64] |= 1ull << A64_FEAT_ecv_poff % 64;
    tw(SR_CNTPOFF_EL2, 5000 * SECOND);
    cr_assert_lt(tr(SR_CNTPCT_EL0) - c, 500 * SECOND);
    cpus[0].sys.reg[SR_CNTHCTL_EL2] = 1 << 12;
    tw(SR_CNTHCTL_EL2, 1 << 12);
    cr_assert_lt(tr(SR_CNTPCT_EL0) + 5000 * SECOND - c, 500 * SECOND);
    fake_el(0, 2);
    cr_assert_lt(tr(SR_CNTPCT_EL0) - c, 500 * SECOND);
    stop();
}

Test(timer, conditions)
{
    start(1);
    tw(SR_CNTV_CVAL_EL0, tr(SR_CNTVCT_EL0) + 100000 * (uint64_t)MS);
    cr_assert_eq(tr(SR_CNTV_CTL_EL0), 0);
    tw(SR_CNTV_CTL_EL0, ENABLE);
    cr_assert_eq(tr(SR_CNTV_CTL_EL0), ENABLE);
    cr_assert(!line(0, LINE_IRQ));
    tw(SR_CNTV_CVAL_EL0, 0);
    cr_assert_eq(tr(SR_CNTV_CTL_EL0), ENABLE | ISTATUS);
    cr_assert(line(0, LINE_IRQ));
    cr_assert_eq(sr(0, SR_ICC_HPPIR1_EL1), 27);
    tw(SR_CNTV_CTL_EL0, ENABLE | IMASK);
    cr_assert_eq(tr(SR_CNTV_CTL_EL0), ENABLE | IMASK | ISTATUS);
    cr_assert(!line(0, LINE_IRQ));
    tw(SR_CNTV_CTL_EL0, ENABLE);
    cr_assert(line(0, LINE_IRQ));
    tw(SR_CNTV_TVAL_EL0, 0x7fffffff);
    cr_assert(!line(0, LINE_IRQ));
    cr_assert_gt(tr(SR_CNTV_TVAL_EL0), 0x70000000);
    tw(SR_CNTV_TVAL_EL0, 0xffffffff); /* -1: in the past */
    cr_assert(line(0, LINE_IRQ));
    cr_assert_gt(tr(SR_CNTV_TVAL_EL0), 0x80000000);
    tw(SR_CNTV_CTL_EL0, 0);
    cr_assert(!line(0, LINE_IRQ));
    tw(SR_CNTV_CVAL_EL0, ~0ull); /* never */
    tw(SR_CNTV_CTL_EL0, ENABLE);
    cr_assert(!line(0, LINE_IRQ));
    tw(SR_CNTV_CTL_EL0, 0);
    static const struct {
        unsigned ctl, cval, intid;
    } all[] = {
        {SR_CNTP_CTL_EL0, SR_CNTP_CVAL_EL0, 30},  {SR_CNTV_CTL_EL0, SR_CNTV_CVAL_EL0, 27},   {SR_CNTHP_CTL_EL2, SR_CNTHP_CVAL_EL2, 26},
        {SR_CNTHV_CTL_EL2, SR_CNTHV_CVAL_EL2, 28}, {SR_CNTPS_CTL_EL1, SR_CNTPS_CVAL_EL1, 29},
    };
    for (unsigned k = 0; k < LEN(all); k++) {
        tw(all[k].cval, 0);
        tw(all[k].ctl, ENABLE);
        cr_assert_eq(sr(0, SR_ICC_HPPIR1_EL1), all[k].intid);
        tw(all[k].ctl, 0);
    }
    /* an offset moves the condition */
    tw(SR_CNTV_CVAL_EL0, tr(SR_CNTVCT_EL0) + 100000 * (uint64_t)MS);
    tw(SR_CNTV_CTL_EL0, ENABLE);
    tw(SR_CNTVOFF_EL2, -(200000 * (uint64_t)MS));
    cr_assert(line(0, LINE_IRQ));
    tw(SR_CNTVOFF_EL2, 0);
    cr_assert(!line(0, LINE_IRQ));
    stop();
}

/* A tick as a kernel makes it: the next deadline from the interrupt handler; and deadlines moved before they come. */
Test(timer, deadlines, .timeout = 60)
{
    start(1);
    tw(SR_CNTV_CTL_EL0, ENABLE | IMASK);
    uint64_t worst = 0;
    for (unsigned k = 0; k < 300; k++) {
        uint64_t due = tr(SR_CNTVCT_EL0) + MS / 5 + k * 37 % MS;
        tw(SR_CNTV_CVAL_EL0, due + (k % 3 ? 50 * MS : 0)); /* later first, then earlier */
        tw(SR_CNTV_CTL_EL0, ENABLE);
        tw(SR_CNTV_CVAL_EL0, due);
        cr_assert(line_within(20000, true), "tick %u was lost", k);
        uint64_t late = tr(SR_CNTVCT_EL0) - due;
        cr_assert_lt(late, 20 * SECOND); /* not early, which would be huge */
        worst = late > worst ? late : worst;
        tw(SR_CNTV_CVAL_EL0, due + 100 * SECOND);
        cr_assert(!line(0, LINE_IRQ));
    }
    stop();
}

Test(timer, stands_with_the_machine, .timeout = 60)
{
    start(1);
    tw(SR_CNTV_CVAL_EL0, tr(SR_CNTVCT_EL0) + 400 * MS);
    tw(SR_CNTV_CTL_EL0, ENABLE);
    machine_clock_stop(&mach);
    uint64_t c = tr(SR_CNTPCT_EL0);
    cr_assert(!line_within(500, true));
    cr_assert_eq(tr(SR_CNTPCT_EL0), c);
    uint64_t begun = event_now();
    machine_clock_start(&mach);
    c = tr(SR_CNTPCT_EL0) - c;
    cr_assert_leq(c, (event_now() - begun) / TIMER_NS + 1);
    cr_assert(line_within(20000, true));
    for (unsigned k = 0; k < nresets; k++) {
        resets[k](reset_args[k]);
    }
    cr_assert(!line(0, LINE_IRQ));
    cr_assert_eq(tr(SR_CNTV_CTL_EL0), 0);
    stop();
}

Test(timer, events)
{
    start(1);
    cr_assert_eq(timer_event_wait(&vcpus[0]), UINT64_MAX);
    cpus[0].sys.reg[SR_CNTKCTL_EL1] = 1 << 2 | 12 << 4; /* when bit 12 becomes 1: every 8192 counts */
    for (unsigned k = 0; k < 1000; k++) {
        uint64_t before = tr(SR_CNTVCT_EL0), wait = timer_event_wait(&vcpus[0]) / TIMER_NS, after = tr(SR_CNTVCT_EL0);
        cr_assert(wait > 0 && wait <= 8192);
        /* the count at which it comes, seen from before and from after */
        uint64_t lo = before + wait, hi = after + wait;
        cr_assert_neq((lo - 1 - 4096) / 8192, (hi - 4096) / 8192);
    }
    cpus[0].sys.reg[SR_CNTKCTL_EL1] |= 1 << 3;
    cr_assert_leq(timer_event_wait(&vcpus[0]), 8192 * TIMER_NS);
    stop();
}

static void *ticker(void *arg)
{
    Vcpu *v = arg;
    for (unsigned k = 0; k < 300; k++) {
        timer_sr_write(v, SR_CNTV_TVAL_EL0, MS / 10 + k % 7 * 1000);
        timer_sr_write(v, SR_CNTV_CTL_EL0, ENABLE);
        while (!line(v->index, LINE_IRQ)) {
            nanosleep(&(struct timespec){0, 10000}, NULL);
        }
        timer_sr_write(v, SR_CNTV_CTL_EL0, IMASK);
        cr_assert(!line(v->index, LINE_IRQ));
    }
    return NULL;
}

Test(timer, threads, .timeout = 60)
{
    pthread_t t[4];
    start(4);
    for (unsigned k = 0; k < 4; k++) {
        pthread_create(&t[k], NULL, ticker, &vcpus[k]);
    }
    for (unsigned k = 0; k < 4; k++) {
        pthread_join(t[k], NULL);
    }
    stop();
}
