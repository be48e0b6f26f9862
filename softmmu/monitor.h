/* monitor.h - looking at the machine and controlling it: commands for people (HMP), and JSON for programs (QMP). */
#ifndef ARMX_SOFTMMU_MONITOR_H
#define ARMX_SOFTMMU_MONITOR_H

#include "chardev.h"
#include "machine.h"

/* A monitor on c; false when c is in use. */
bool monitor_new(Machine *m, Chardev *c, bool qmp);

#endif
