/* disas.h - guest instructions as text, for dumps. */
#ifndef ARMX_FRONTEND_AARCH64_DISAS_H
#define ARMX_FRONTEND_AARCH64_DISAS_H

#include "base.h"

/* "add x0, x1, #0x10" into buf; pc makes branch targets absolute. Allocates on a thread's first call. */
void a64_disas(Gva pc, uint32_t word, char *buf, size_t size);

#endif
