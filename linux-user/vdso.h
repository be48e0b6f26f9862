/* vdso.h - the guest's vDSO: its image (vdso_image.c) and what its HLT instructions ask for
 * (vdso_a64.c). */
#ifndef ARMX_USER_VDSO_H
#define ARMX_USER_VDSO_H

#include "base.h"

enum { VDSO_BYTES = 4096 };

/* Immediates of the vDSO's HLT instructions. Each sets W2 = 0 when it has answered, else the
 * function makes the system call; answers in X3, X4 (seconds and fraction) and X5 (time zone). */
enum { VDSO_CLOCK_GETTIME = 0xa100, VDSO_GETTIMEOFDAY = 0xa101, VDSO_CLOCK_GETRES = 0xa102 };

/* Builds the whole image, position-independent, into page (zeroed by this function). */
void vdso_image(uint8_t page[VDSO_BYTES]);
/* Offset of the symbol in such an image, 0 when it has none. */
uint64_t vdso_symbol(const uint8_t page[VDSO_BYTES], const char *name);

#endif
