/* irq.h - an interrupt line as a value: a device is given one and raises or lowers it, whoever is at the other end.
 *
 * Any thread may call irq_set; the receiver has its own lock. A device calls it with its own lock held, so a receiver
 * never calls back into a device.
 */
#ifndef ARMX_SOFTMMU_IRQ_H
#define ARMX_SOFTMMU_IRQ_H

#include "base.h"

typedef struct Irq {
    void (*set)(void *opaque, unsigned line, bool level); /* NULL = not connected */
    void *opaque;
    unsigned line;
} Irq;

static inline void irq_set(const Irq *irq, bool level)
{
    if (irq->set) {
        irq->set(irq->opaque, irq->line, level);
    }
}

#endif
