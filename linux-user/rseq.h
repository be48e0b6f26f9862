/* rseq.h - the guest's restartable sequences. */
#ifndef ARMX_USER_RSEQ_H
#define ARMX_USER_RSEQ_H

#include "user.h"

/* Takes libc's own registration of the first thread away. */
void rseq_init(void);
/* A signal is about to be delivered: a sequence that the thread is in is aborted. */
void rseq_signal(Thread *t);

#endif
