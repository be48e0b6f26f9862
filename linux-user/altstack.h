/* altstack.h - what signal.c offers frame_*.c: the alternate stack of the guest. */
#ifndef ARMX_USER_ALTSTACK_H
#define ARMX_USER_ALTSTACK_H

#include "sig.h"

/* The stack pointer that a frame for sa starts from; what goes into uc_stack (and disarms the stack). */
uint64_t altstack_for(Thread *t, const GuestAction *sa, uint64_t sp);
void altstack_save(Thread *t, AltStack *out);
void altstack_restore(Thread *t, const AltStack *ss);

#endif
