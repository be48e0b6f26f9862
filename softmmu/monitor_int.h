/* monitor_int.h - what the two kinds of monitor share: a line editor's worth of state for people, a buffer of JSON for
 * programs.
 */
#ifndef ARMX_SOFTMMU_MONITOR_INT_H
#define ARMX_SOFTMMU_MONITOR_INT_H

#include "chardev.h"
#include "machine.h"

typedef struct Monitor {
    Machine *machine;
    CharEnd end;
    char line[64 << 10]; /* what has been typed or sent of the next command */
    unsigned n;
    unsigned depth;      /* QMP: brackets that are open */
    bool string, escape; /* in a string; behind a backslash */
    bool skip;           /* the request is too long, or what comes is none and was refused */
    bool ready;          /* QMP: qmp_capabilities was given */
    char *collect;       /* output goes here instead, when it is not NULL */
    size_t collected, collect_room;
} Monitor;

void monitor_printf(Monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Runs one command line for people; its output goes to m. */
void hmp_run(Monitor *m, char *line);
/* Runs one request for programs; NULL: what came was none. */
void qmp_run(Monitor *m, char *text);
void qmp_greet(Monitor *m);
void qmp_event(void *monitor, const char *name, bool guest);

#endif
