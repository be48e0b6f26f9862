/* psci.h - the firmware that a kernel finds on the board when it is entered directly: PSCI 1.1 (DEN 0022), SMCCC 1.1. */
#ifndef ARMX_SOFTMMU_PSCI_H
#define ARMX_SOFTMMU_PSCI_H

#include "machine.h"

/* A call by SMC, else by HVC, with its arguments in X0 to X3. False: that instruction is not the machine's way to firmware
 * (Machine.psci_conduit), nothing was done. Else X0 has the answer, unless v was switched off and on meanwhile. On v's
 * thread; switching off, suspending and resetting do not return before the vCPU goes on. */
bool psci_call(Vcpu *v, bool smc);

#endif
