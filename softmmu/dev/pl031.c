/* pl031.c - real-time clock PL031 (Arm DDI 0224): seconds since 1970, a match register with an interrupt.
 *
 * The count is the machine's clock plus an offset, which writing LR changes; it goes on over a reset. The alarm is a timer
 * of the I/O loop, set for the moment at which the count becomes MR.
 */
#include "dev/pl031.h"

#include <stdlib.h>
#include <time.h>

#include "dev/regs.h"

enum { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c, PART = 0x00041031 };
enum { SECOND = 1000000000 };

typedef struct Pl031 {
    Machine *machine;
    pthread_mutex_t lock;
    Irq irq;
    EventTimer alarm;
    int64_t offset; /* count = seconds of the machine's clock + offset */
    uint32_t mr, lr, imsc, ris;
} Pl031;

static uint32_t count(const Pl031 *p)
{
    return (uint32_t)((int64_t)(machine_clock(p->machine) / SECOND) + p->offset);
}

static void update(Pl031 *p)
{
    irq_set(&p->irq, (p->ris & p->imsc) != 0);
}

/* The count becomes MR after mr - count seconds, modulo 2^32: 0 means now. */
static void alarm_set(Pl031 *p)
{
    uint64_t now = machine_clock(p->machine), left = p->mr - count(p);
    if (left == 0) {
        p->ris = 1;
        event_timer_set(&p->alarm, 0);
    } else {
        event_timer_set(&p->alarm, machine_clock_host(p->machine, (now / SECOND + left) * SECOND));
    }
}

static void on_alarm(void *arg)
{
    Pl031 *p = arg;
    pthread_mutex_lock(&p->lock);
    alarm_set(p); /* again when the machine stood meanwhile */
    update(p);
    pthread_mutex_unlock(&p->lock);
}

static uint32_t read_reg(Pl031 *p, uint64_t offset)
{
    switch (offset & ~(uint64_t)3) {
    case DR:
        return count(p);
    case MR:
        return p->mr;
    case LR:
        return p->lr;
    case CR:
        return 1;
    case IMSC:
        return p->imsc;
    case RIS:
        return p->ris;
    case MIS:
        return p->ris & p->imsc;
    default:
        return offset >= 0xfe0 ? primecell_id(offset, PART) : 0;
    }
}

static void write_reg(Pl031 *p, uint64_t offset, uint32_t v)
{
    switch (offset) {
    case MR:
        p->mr = v;
        alarm_set(p);
        break;
    case LR:
        p->lr = v;
        p->offset += (int32_t)(v - count(p));
        alarm_set(p);
        break;
    case IMSC:
        p->imsc = v & 1;
        break;
    case ICR:
        p->ris &= ~v;
        break;
    default:
        break;
    }
}

static bool pl031_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    Pl031 *p = dev;
    (void)attrs;
    pthread_mutex_lock(&p->lock);
    *value = reg_part(read_reg(p, offset), offset, size);
    pthread_mutex_unlock(&p->lock);
    return true;
}

static bool pl031_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Pl031 *p = dev;
    (void)attrs;
    if (size >= 4) {
        pthread_mutex_lock(&p->lock);
        write_reg(p, offset, (uint32_t)value);
        update(p);
        pthread_mutex_unlock(&p->lock);
    }
    return true;
}

static const MmioOps pl031_ops = {pl031_read, pl031_write};

static void pl031_reset(void *dev)
{
    Pl031 *p = dev;
    pthread_mutex_lock(&p->lock);
    p->mr = p->lr = p->imsc = p->ris = 0;
    event_timer_set(&p->alarm, 0);
    update(p);
    pthread_mutex_unlock(&p->lock);
}

void pl031_new(Machine *m, const char *name, Gpa base, Irq irq, int64_t epoch)
{
    Pl031 *p = calloc(1, sizeof *p);
    if (!p) {
        BUG("out of memory");
    }
    pthread_mutex_init(&p->lock, NULL);
    p->machine = m;
    p->irq = irq;
    p->offset = epoch - (int64_t)(machine_clock(m) / SECOND);
    event_timer_init(&p->alarm, m->loop, on_alarm, p);
    mem_add_mmio(m->mem, name, base, 0x1000, &pl031_ops, p);
    machine_on_reset(m, pl031_reset, p);
}
