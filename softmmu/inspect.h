/* inspect.h - how monitor and debugger look at a vCPU that stands. */
#ifndef ARMX_SOFTMMU_INSPECT_H
#define ARMX_SOFTMMU_INSPECT_H

#include "machine.h"

/* Where the vCPU's current regime has this address; false: nowhere. Changes nothing in the guest. */
bool inspect_translate(const Vcpu *v, Gva at, Gpa *pa);
/* Copies n bytes at a virtual address, whatever its rights; 0 or -EFAULT. */
int inspect_memory(const Vcpu *v, Gva at, void *buf, size_t n, bool write);

#endif
