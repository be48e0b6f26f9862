/* pl011.h - serial port PL011 (Arm DDI 0183). */
#ifndef ARMX_SOFTMMU_DEV_PL011_H
#define ARMX_SOFTMMU_DEV_PL011_H

#include "chardev.h"
#include "irq.h"
#include "machine.h"

/* Its registers at base, characters to and from c (NULL: nobody). False: c has a user already. */
bool pl011_new(Machine *m, const char *name, Gpa base, Irq irq, Chardev *c);

#endif
