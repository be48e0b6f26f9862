/* sample.h - -d stats: where the process's time goes (sample.c). */
#ifndef ARMX_USER_SAMPLE_H
#define ARMX_USER_SAMPLE_H

#include "log.h"
#include "sig.h"

/* Nothing sends it but kill(2): neither the kernel nor a C library. */
enum { SAMPLE_SIGNAL = 16 /* SIGSTKFLT */ };

/* Then the signal's host handler is always ours, with SA_RESTART. */
static inline bool sample_on(void)
{
    return log_on(LOG_stats);
}
void sample_start(void); /* counts from zero */
/* Around an exec that may fail. */
void sample_pause(void);
void sample_resume(void);
/* In the host handler: was the signal a sample? Then it has been counted. t may be NULL. */
bool sample_take(Thread *t, int signo, const SigInfo *info, void *context);
void sample_log(void);

#endif
