/* pl061.h - eight general-purpose lines, PL061 (Arm DDI 0190). */
#ifndef ARMX_SOFTMMU_DEV_PL061_H
#define ARMX_SOFTMMU_DEV_PL061_H

#include "machine.h"

typedef struct Pl061 Pl061;

/* out(arg, line, level) is told of lines that the guest drives; NULL = nobody listens. */
Pl061 *pl061_new(Machine *m, const char *name, Gpa base, Irq irq, void (*out)(void *arg, unsigned line, bool level), void *arg);
/* Drives a line from outside. */
void pl061_drive(Pl061 *p, unsigned line, bool level);

#endif
