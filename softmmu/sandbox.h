/* sandbox.h - -sandbox: system calls that this process and its threads give up for good. */
#ifndef ARMX_SOFTMMU_SANDBOX_H
#define ARMX_SOFTMMU_SANDBOX_H

#include "options.h"

/* Before the guest runs, all threads included; ends the process with a message when the options or the kernel do not fit. */
void sandbox_enter(const OptLists *sandbox);

#endif
