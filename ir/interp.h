/* interp.h - the reference interpreter of IR regions (interp.c). */
#ifndef ARMX_IR_INTERP_H
#define ARMX_IR_INTERP_H

#include "iface.h"

/* Bytes of scratch memory that ir_interp_run needs for a region of n ops. */
size_t ir_interp_bytes(uint32_t n);

/* Runs a region on the CPU's slots until it exits. The guest pc slot is set (to the next instruction's address,
 * or what exit_exc says); returns EXC_NONE after a branch, else the exception's kind with cpu->exit_imm and
 * exit_addr. Guest memory is accessed at address + base. A host fault inside a guest access is precise: pc and
 * all slots are those of before the instruction (sets are done in order, and an instruction's sets follow its
 * last access); `cpu->in_helper` is 1 meanwhile so that the signal handler can tell. scratch: ir_interp_bytes(r->n),
 * 16-aligned. No allocation, no locks: callable from a signal handler. */
ExcKind ir_interp_run(const Frontend *fe, const IrRegion *r, CpuHead *cpu, uint64_t base, void *scratch);

#endif
