/* sample.c - -d stats: where the process's time goes, by samples.
 *
 * A timer of the process's CPU time interrupts whichever thread runs, as often as the kernel's clock ticks at most; the host handler looks at
 * what that thread does: in translated code, in the translator, in the service of a system call, signal or fault, or else in
 * C code that translated code called (helpers, evaluation functions, look-ups of jumps). The time that the kernel takes for a
 * system call is the call's; a page fault's is whose access it was. A sample that ended a system call has it made again. Each process
 * samples itself; one that shares its parent's memory (vfork) does not.
 * To add a kind: a row of KINDS and where sample_take recognises it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ucontext.h>

#include "sample.h"

enum { CPUTIME = 2 /* CLOCK_PROCESS_CPUTIME_ID */, TIMER = -2 /* si_code */, PERIOD_NS = 1000000 };
#define KINDS(_)                                                                                                             \
    _(CODE, "translated code")                                                                                               \
    _(CALLED, "helpers")                                                                                                     \
    _(TRANSLATOR, "translator")                                                                                              \
    _(SERVICE, "system calls")

enum {
#define KIND(name, text) name,
    KINDS(KIND)
#undef KIND
    NKINDS
};
static const char *const names[] = {
#define KIND(name, text) text,
    KINDS(KIND)
#undef KIND
};

static uint64_t counts[NKINDS];
static int timer;
static const uint64_t mine = 0x61726d78; /* the timer's value: tells samples from other signals of that number */

void sample_resume(void)
{
    struct {
        uint64_t value;
        int32_t signo, notify;
        uint64_t pad[6];
    } event = {.value = mine, .signo = SAMPLE_SIGNAL};
    struct {
        int64_t interval[2], first[2];
    } when = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    if (raw_call(__NR_timer_create, CPUTIME, &event, &timer) == 0) {
        raw_call(__NR_timer_settime, timer, 0, &when, 0);
    }
}

void sample_start(void)
{
    memset(counts, 0, sizeof counts);
    sample_resume();
}

void sample_pause(void)
{
    GuestAction ignore = {.handler = 1}, now;
    raw_call(__NR_timer_delete, timer);
    raw_call(__NR_rt_sigaction, SAMPLE_SIGNAL, &ignore, &now, 8); /* drops the one that waits */
    raw_call(__NR_rt_sigaction, SAMPLE_SIGNAL, &now, 0, 8);
}

static unsigned kind_of(const Thread *t, const void *pc)
{
    if (engine_owns(process.engine, pc)) {
        return CODE;
    }
    return t->cpu.head.doing == DOING_TRANSLATE ? TRANSLATOR : t->cpu.head.doing == DOING_SERVICE ? SERVICE : CALLED;
}

bool sample_take(Thread *t, int signo, const SigInfo *info, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (signo != SAMPLE_SIGNAL || info->code != TIMER || info->value != mine) {
        return false;
    }
    if (t) {
        __atomic_add_fetch(&counts[kind_of(t, (const void *)g[REG_RIP])], 1, __ATOMIC_RELAXED);
        if (g[REG_RIP] == (greg_t)safe_call_end && g[REG_RAX] == -EINTR && !t->has_held) {
            g[REG_RIP] = (greg_t)safe_call_interrupted;
        }
    }
    return true;
}

void sample_log(void)
{
    uint64_t sum = 0;
    char line[200];
    int n = 0;
    for (unsigned k = 0; k < NKINDS; k++) {
        sum += counts[k];
    }
    for (unsigned k = 0; k < NKINDS; k++) {
        n += snprintf(line + n, sizeof line - (size_t)n, "%s %s %.1f %%", k ? "," : "", names[k], sum ? 100.0 * (double)counts[k] / (double)sum : 0);
    }
    log_printf("time:%s of %llu samples\n", line, (unsigned long long)sum);
}
