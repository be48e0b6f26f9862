/* pl031.h - real-time clock PL031 (Arm DDI 0224). */
#ifndef ARMX_SOFTMMU_DEV_PL031_H
#define ARMX_SOFTMMU_DEV_PL031_H

#include "machine.h"

/* It shows epoch (seconds since 1970) now. */
void pl031_new(Machine *m, const char *name, Gpa base, Irq irq, int64_t epoch);

#endif
