/* rules_mem.h - pieces of rules_mem.c that system mode's rules (rules_softmmu.c) share, and what sel.c and abi.c call there. */
#ifndef ARMX_BACKEND_X86_64_RULES_MEM_H
#define ARMX_BACKEND_X86_64_RULES_MEM_H

#include "sel.h"

void mem_load(Lower *l, IrRef i);                                  /* the op, at a host address */
void mem_store(Lower *l, IrRef i);
void mem_load_from(Lower *l, const IrIns *in, Reg d, Mem m);       /* the instruction of a load into d, but for F16 */
void mem_fence(Lower *l);                                          /* orders stores before it with loads after it */
/* The ops from where their address is known on; rax is fixed already where the op needs it first. */
void mem_cas_at(Lower *l, IrRef i, Mem m);
bool mem_rmw_loops(const IrIns *in);                               /* by compare and exchange, which needs rax? */
void mem_rmw_at(Lower *l, IrRef i, Mem m);
void mem_cas128_at(Lower *l, IrRef i, Reg p);                      /* p: address, NOREG = operand a */

#endif
