/* seccomp.h - the guest's system call filters (seccomp.c). */
#ifndef ARMX_USER_SECCOMP_H
#define ARMX_USER_SECCOMP_H

#include "user.h"

/* May this call be made? True; or false, with what it gives instead in *ret (NO_RESULT when a signal was raised). */
bool seccomp_allows(Thread *t, uint64_t nr, const uint64_t args[6], int64_t *ret);
/* prctl(PR_SET_SECCOMP, mode, filter) */
int64_t seccomp_prctl(Thread *t, uint64_t mode, uint64_t filter);
/* Filters of this thread in an open descriptor, for a followed exec, and back; -errno. */
int seccomp_save(Thread *t);
int seccomp_load(Thread *t, int fd);

#endif
