/* perf.h - translated code for Linux perf: -perfmap and -jitdump; and for gdb: -gdbjit. */
#ifndef ARMX_USER_PERF_H
#define ARMX_USER_PERF_H

#include "user.h"

/* Opens what the options ask for; 0, or -errno with the file's name in *path. */
int perf_open(const Options *o, const char **path);
/* EngineConfig.code_made. Any thread may call it. */
void perf_code_made(Gva pc, const void *host, size_t size);
/* gdbjit.c: tells a debugger of the region; perf.c's lock is held. */
void gdbjit_add(const char *name, const void *host, size_t size);
/* In a forked child: files of its own, which begin with what the parent had. */
void perf_forked(void);

#endif
