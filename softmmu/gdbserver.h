/* gdbserver.h - a debugger on the machine: -gdb, -s. */
#ifndef ARMX_SOFTMMU_GDBSERVER_H
#define ARMX_SOFTMMU_GDBSERVER_H

#include "machine.h"

/* Listens at "tcp:HOST:PORT", "tcp::PORT", "PORT" (loopback whatever HOST says) or "unix:PATH", on a thread of its own.
 * False with a line when it cannot, or does so already. */
bool gdbserver_start(Machine *m, const char *where, char *why, size_t n);
/* v came to a breakpoint (engine_run said EXC_DEBUG). On v's thread; the machine stops soon, and v must not go on until then. */
void gdbserver_hit(Vcpu *v);

#endif
