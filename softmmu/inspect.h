/* inspect.h - how monitor and debugger look at a vCPU that stands. */
#ifndef ARMX_SOFTMMU_INSPECT_H
#define ARMX_SOFTMMU_INSPECT_H

#include "machine.h"

/* Where the vCPU's current regime has this address; false: nowhere. Changes nothing in the guest. */
bool inspect_translate(const Vcpu *v, Gva at, Gpa *pa);
/* Copies n bytes at a virtual address, whatever its rights; 0 or -EFAULT. */
int inspect_memory(const Vcpu *v, Gva at, void *buf, size_t n, bool write);
/* Writes n bytes of guest memory from a virtual or physical address into a file; false with a line. */
bool inspect_save(const Vcpu *v, bool virtual, uint64_t at, uint64_t n, const char *file, char *why, size_t size);

#endif
