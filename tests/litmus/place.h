/* place.h - threads of litmus tests on different processors: left to themselves, short-lived threads often share one,
 * and then never meet. Include after defining _GNU_SOURCE. What a placed thread makes is placed like it, so the first call
 * remembers which processors there were.
 */
#ifndef TESTS_LITMUS_PLACE_H
#define TESTS_LITMUS_PLACE_H
#include <sched.h>

/* Neighbours on different processors, if there are several. */
static inline void take_processor(unsigned id)
{
    static cpu_set_t all;
    cpu_set_t now, one;
    CPU_ZERO(&one);
    if (CPU_COUNT(&all) == 0) {
        if (sched_getaffinity(0, sizeof now, &now) < 0) {
            return;
        }
        all = now;
    }
    unsigned n = id % (unsigned)CPU_COUNT(&all);
    for (unsigned c = 0; c < CPU_SETSIZE; c++) {
        if (CPU_ISSET(c, &all) && n-- == 0) {
            CPU_SET(c, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

#endif
