/* helpers.h - the C functions behind the rows of helpers.def; what each does is said there. */
#ifndef ARMX_FRONTEND_AARCH64_HELPERS_H
#define ARMX_FRONTEND_AARCH64_HELPERS_H

#include "cpu.h"

void h_ic_ivau(CpuA64 *cpu, uint64_t address, uint64_t space);
uint64_t h_cntvct(CpuA64 *cpu);
uint32_t h_critical_store(CpuA64 *cpu, uint64_t address, uint64_t value, uint64_t critical_and_size);
uint32_t h_critical_store_v(CpuA64 *cpu, uint64_t address, const V128 *value, uint64_t critical_and_size);
void h_space_call(CpuA64 *cpu, uint64_t space, uint32_t imm);
uint64_t h_rndr(CpuA64 *cpu);
void h_fpcr_write(CpuA64 *cpu, uint32_t fpcr);
uint32_t h_fpsr_read(CpuA64 *cpu);
void h_fpsr_write(CpuA64 *cpu, uint32_t fpsr);
uint64_t h_pac_generic(CpuA64 *cpu, uint64_t value, uint64_t modifier);
void h_excl_strict(CpuA64 *cpu);
void h_excl_open(CpuA64 *cpu, uint64_t address, uint64_t space);
void h_excl_break(CpuA64 *cpu, uint64_t address, uint64_t space);
uint32_t h_excl_store(CpuA64 *cpu, uint64_t address, uint64_t value, uint64_t marks_and_size);
uint32_t h_excl_store_pair(CpuA64 *cpu, uint64_t address, const V128 *value, uint64_t marks);
void h_rmw128(CpuA64 *cpu, V128 *old, uint64_t address, const V128 *value, uint32_t op);

/* The MAC of pointer authentication; tr_pac.c has it in IR. Its upper half is what counts. */
#define PAC_FACTOR1 UINT64_C(0x9e3779b97f4a7c15)
#define PAC_FACTOR2 UINT64_C(0xc2b2ae3d27d4eb4f)
uint64_t pac_hash(const uint64_t key[2], uint64_t value, uint64_t modifier);

/* System mode only (sys_*.c). */
uint64_t h_sys_read(CpuA64 *cpu, uint32_t word, uint32_t sr);
void h_sys_write(CpuA64 *cpu, uint32_t word, uint32_t sr, uint64_t value);
void h_sys_op(CpuA64 *cpu, uint32_t word, uint32_t so, uint64_t arg);
void h_sys_msr_imm(CpuA64 *cpu, uint32_t word);
void h_sys_zva_check(CpuA64 *cpu, uint32_t word);
void h_sys_event(CpuA64 *cpu, uint32_t all);
void h_sys_dsb(CpuA64 *cpu);
void h_sys_svc(CpuA64 *cpu, uint32_t imm, uint64_t next);
void h_sys_eret(CpuA64 *cpu);
void h_sys_vm(CpuA64 *cpu, uint32_t sr, uint64_t value);
void h_sys_count(CpuA64 *cpu);
void h_sys_pan(CpuA64 *cpu, uint32_t pan);

#endif
