/* space.h - guest memory of a machine as the engine sees it: the vCPUs' MMUs and what connects them.
 *
 * The board makes one Space, gives it and space_soft to engine_new, and calls space_cpu_init for each vCPU after engine_cpu_init.
 * TLB maintenance that other vCPUs take part in is a request in each one's queue; who sent it waits until those that are in
 * translated code have served it (between two instructions). Who waits serves its own queue meanwhile.
 */
#ifndef ARMX_SOFTMMU_SPACE_H
#define ARMX_SOFTMMU_SPACE_H

#include "mem.h"
#include "sys.h"

extern const SoftMmu space_soft;

/* For EngineConfig.space; the map may still grow. */
Space *space_new(PhysMem *m);
/* The engine that runs the vCPUs, once it is there: writes of devices drop translations of code. */
void space_set_engine(Space *s, Engine *e);
/* Gives a vCPU its MMU (sys->mmu), which begins with the CPU's state. 0 or -ENOMEM. */
int space_cpu_init(Space *s, CpuA64 *cpu);
void space_cpu_free(CpuA64 *cpu);
/* After a reset from outside: everything is forgotten. On the vCPU's thread, or while it stands. */
void space_cpu_reset(CpuA64 *cpu);
/* Fills mmu_changed, tlbi, at, cache. */
void space_hooks(A64Hooks *h);

/* A debugger's view: host address of the byte at va for the CPU's current regime, with the rights of its level or any; NULL =
 * not mapped to memory. *rest: bytes to the end of the page. */
void *space_peek(CpuA64 *cpu, uint64_t va, bool write, uint32_t *rest);
/* Physical address of va (`info`, gva2gpa); false = not mapped. */
bool space_physical(CpuA64 *cpu, uint64_t va, uint64_t *pa);

/* A debugger's watchpoints (tlb.h), changed while all vCPUs stand: accesses (acc: ACC_READ, ACC_WRITE) of len bytes from va on (removed
 * with len 0: all); -ENOSPC when there are enough. Before each such access `hit` is asked, on the vCPU's thread, with the first watched byte and the watchpoint's acc;
 * true: engine_run ends with EXC_DEBUG instead. */
int space_watch(Space *s, bool insert, uint64_t va, uint64_t len, uint32_t acc, bool (*hit)(CpuA64 *cpu, uint64_t va, uint32_t acc));

#endif
