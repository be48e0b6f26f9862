/* console.h - which character devices the serial ports and the monitor get: -serial, -monitor, -nographic, -chardev. */
#ifndef ARMX_SOFTMMU_CONSOLE_H
#define ARMX_SOFTMMU_CONSOLE_H

#include "chardev.h"
#include "machine.h"

/* Makes the -chardev devices, and those of the serial ports into serial (NULL = none). */
void console_new(Machine *m, Chardev *serial[2]);
/* Monitors where they are wanted; after the serial ports, which come first on a shared terminal. */
void console_monitors(Machine *m, Chardev *serial[2]);

#endif
