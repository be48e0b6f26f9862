/* pl061.c - eight general-purpose lines, PL061 (Arm DDI 0190): direction, data masked by address bits 9:2, interrupts by
 * level or edge. A line that nobody drives reads 0.
 */
#include "dev/pl061.h"

#include <stdlib.h>

#include "dev/regs.h"

enum {
    DIR = 0x400, IS = 0x404, IBE = 0x408, IEV = 0x40c, IE = 0x410, RIS = 0x414, MIS = 0x418, IC = 0x41c, AFSEL = 0x420,
    PART = 0x00041061
};

struct Pl061 {
    pthread_mutex_t lock;
    Irq irq;
    void (*out)(void *arg, unsigned line, bool level);
    void *arg;
    uint8_t data;   /* levels: what the guest drives, and of inputs what comes from outside */
    uint8_t driven; /* from outside */
    uint8_t dir, is, ibe, iev, ie, ris, afsel;
};

/* New levels: edges are remembered, levels are as they are. */
static void update(Pl061 *p, uint8_t data)
{
    uint8_t changed = p->data ^ data, edges = changed & (p->ibe | (uint8_t)~(data ^ p->iev));
    for (unsigned line = 0; p->out && line < 8; line++) {
        if (changed & p->dir & 1u << line) {
            p->out(p->arg, line, data >> line & 1);
        }
    }
    p->data = data;
    uint8_t levels = (uint8_t)~(data ^ p->iev);
    p->ris = (uint8_t)((p->ris | (edges & ~p->dir)) & ~p->is) | (levels & p->is & ~p->dir);
    irq_set(&p->irq, (p->ris & p->ie) != 0);
}

static uint8_t *plain(Pl061 *p, uint64_t offset)
{
    switch (offset) {
    case DIR:
        return &p->dir;
    case IS:
        return &p->is;
    case IBE:
        return &p->ibe;
    case IEV:
        return &p->iev;
    case IE:
        return &p->ie;
    case AFSEL:
        return &p->afsel;
    default:
        return NULL;
    }
}

static bool pl061_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    Pl061 *p = dev;
    uint32_t v = 0;
    (void)attrs;
    uint64_t at = offset & ~(uint64_t)3;
    pthread_mutex_lock(&p->lock);
    if (at < 0x400) {
        v = p->data & at >> 2;
    } else if (at == RIS || at == MIS) {
        v = p->ris & (at == MIS ? p->ie : 0xff);
    } else if (plain(p, at)) {
        v = *plain(p, at);
    } else if (at >= 0xfe0) {
        v = primecell_id(at, PART);
    }
    pthread_mutex_unlock(&p->lock);
    *value = reg_part(v, offset, size);
    return true;
}

static bool pl061_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Pl061 *p = dev;
    uint8_t v = (uint8_t)value;
    (void)attrs;
    (void)size;
    pthread_mutex_lock(&p->lock);
    if (offset < 0x400) {
        uint8_t mask = (uint8_t)(offset >> 2 & p->dir);
        update(p, (uint8_t)((p->data & ~mask) | (v & mask)));
    } else if (offset == IC) {
        p->ris &= (uint8_t)~(v & ~p->is);
        update(p, p->data);
    } else if (plain(p, offset)) {
        *plain(p, offset) = v;
        update(p, (uint8_t)((p->data & p->dir) | (p->driven & ~p->dir)));
    }
    pthread_mutex_unlock(&p->lock);
    return true;
}

static const MmioOps pl061_ops = {pl061_read, pl061_write};

void pl061_drive(Pl061 *p, unsigned line, bool level)
{
    pthread_mutex_lock(&p->lock);
    p->driven = (uint8_t)((p->driven & ~(1u << line)) | (unsigned)level << line);
    update(p, (uint8_t)((p->data & p->dir) | (p->driven & ~p->dir)));
    pthread_mutex_unlock(&p->lock);
}

static void pl061_reset(void *dev)
{
    Pl061 *p = dev;
    pthread_mutex_lock(&p->lock);
    p->dir = p->is = p->ibe = p->iev = p->ie = p->ris = p->afsel = p->driven = p->data = 0;
    irq_set(&p->irq, false);
    pthread_mutex_unlock(&p->lock);
}

Pl061 *pl061_new(Machine *m, const char *name, Gpa base, Irq irq, void (*out)(void *arg, unsigned line, bool level), void *arg)
{
    Pl061 *p = calloc(1, sizeof *p);
    if (!p) {
        BUG("out of memory");
    }
    pthread_mutex_init(&p->lock, NULL);
    p->irq = irq;
    p->out = out;
    p->arg = arg;
    mem_add_mmio(m->mem, name, base, 0x1000, &pl061_ops, p);
    machine_on_reset(m, pl061_reset, p);
    return p;
}
