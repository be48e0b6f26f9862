/* bootorder.h - bootindex= of devices: the list that firmware reads of what to start from, in order. Used by the main thread alone, before
 * the machine runs.
 */
#ifndef ARMX_SOFTMMU_BOOTORDER_H
#define ARMX_SOFTMMU_BOOTORDER_H

#include "base.h"

/* The device at this place of the Open Firmware tree comes at this index (-1: nowhere). False: another has the index. */
bool bootorder_add(int32_t index, const char *place, const char *unit);
/* The places, the lowest index first, a line each, and with `strict` "HALT" at the end; *n bytes, a zero at the end included. NULL: none. */
char *bootorder_text(bool strict, size_t *n);

#endif
