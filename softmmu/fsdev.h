/* fsdev.h - -fsdev: host folders that a guest may mount (dev/virtio_9p.c). */
#ifndef ARMX_SOFTMMU_FSDEV_H
#define ARMX_SOFTMMU_FSDEV_H

#include "machine.h"
#include "options.h"

/* Opens the folder that a -fsdev list describes (local,id=,path=,security_model=none|passthrough|mapped-xattr,readonly=) under
 * its id, or a made-up one, which is returned; ends the process with a message when it is wrong. */
const char *fsdev_open(OptList *o);

#endif
