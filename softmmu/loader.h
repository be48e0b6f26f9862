/* loader.h - -device loader: files and values that are put into memory, and CPUs that begin there (dev/loader.c). */
#ifndef ARMX_SOFTMMU_LOADER_H
#define ARMX_SOFTMMU_LOADER_H

#include "machine.h"

/* Are there any? */
bool loader_any(void);
/* Once everything has its place (board_each_placed): ends the process with a message when some of it overlaps or lies in no memory. */
void loader_check(const Machine *m);
/* Calls fn for each piece of a file. */
void loader_each(void (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg);
/* Puts all into memory; at the start and after each reset, nobody running. */
void loader_place(Machine *m);
/* Where this CPU is to begin; false: nobody said. */
bool loader_pc(unsigned cpu, uint64_t *pc);

#endif
