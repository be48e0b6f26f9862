/* crash.h - looking at a process from inside when nothing may be trusted: safe reads, what lies
 * where (crash_where.c).
 *
 * No locks, no allocation, no stdio: usable in signal handlers and on the way to a core dump. The
 * buffers are static; one thread at a time uses them (crash_report sees to that).
 */
#ifndef ARMX_USER_CRASH_H
#define ARMX_USER_CRASH_H

#include "user.h"

/* One line of /proc/self/maps. */
typedef struct Where {
    uint64_t start, end, offset; /* offset in the file */
    uint64_t base;               /* start of the same file's mapping at offset 0, or start */
    bool read, write, shared;
    char path[160];
} Where;

/* Reads memory of this process; false when any byte cannot be read. */
bool crash_read(uint64_t addr, void *buf, size_t n);
/* The mapping that holds addr; false when there is none. */
bool crash_where(uint64_t addr, Where *w);
/* Name of the function at addr in w's file, from its symbol tables, and the distance from its
 * start; false when unknown. */
bool crash_symbol(const Where *w, uint64_t addr, char *name, size_t size, uint64_t *distance);

#endif
