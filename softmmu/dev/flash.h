/* flash.h - parallel NOR flash with Intel's command set (CFI 0001): two chips of 16 bits side by side. */
#ifndef ARMX_SOFTMMU_DEV_FLASH_H
#define ARMX_SOFTMMU_DEV_FLASH_H

#include "block.h"
#include "machine.h"

/* A bank of `size` bytes in sectors of 256 KiB. Its content comes from image (NULL: zeros), whose writes go there too;
 * or from data, which a write changes until the end only. 0 or -errno (reading the image). */
int flash_new(Machine *m, const char *name, Gpa base, uint64_t size, Block *image, const void *data, size_t n);

#endif
