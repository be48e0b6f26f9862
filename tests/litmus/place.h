/* place.h - threads of litmus tests on different processors: left to themselves, short-lived threads often share one,
 * and then never meet. Include after defining _GNU_SOURCE.
 */
#ifndef TESTS_LITMUS_PLACE_H
#define TESTS_LITMUS_PLACE_H
#include <sched.h>

/* Neighbours on different processors, if there are several. */
static inline void take_processor(unsigned id)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) < 0) {
        return;
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
