/* virtio_balloon.h - how the monitor talks to the balloon. */
#ifndef ARMX_SOFTMMU_DEV_VIRTIO_BALLOON_H
#define ARMX_SOFTMMU_DEV_VIRTIO_BALLOON_H

#include "base.h"

/* Asks the guest to use only `bytes` of its memory; false when the machine has no balloon. Any thread. */
bool balloon_set(uint64_t bytes);
/* What the guest says it uses now, in bytes; 0 = no balloon. */
uint64_t balloon_actual(void);

#endif
