/* pl011.c - serial port PL011 (Arm DDI 0183): FIFOs, interrupts, loopback; baud rate and parity are only stored.
 *
 * Characters leave at once, so the transmit FIFO is empty but when the other side does not keep up: then it counts as full
 * until the queue of the character device has drained. Received ones wait in a FIFO of 16 (1 when FEN is off).
 * The receive time-out is immediate: what is in the FIFO below its trigger level raises RT, not RX.
 */
#include "dev/pl011.h"

#include <stdlib.h>

#include "dev/regs.h"

/* name, offset, value after reset, bits that can be written */
#define PL011_REGS(_)                                                                              \
    _(DR, 0x000, 0, 0)                                                                             \
    _(RSR, 0x004, 0, 0)                                                                            \
    _(FR, 0x018, 0, 0)                                                                             \
    _(ILPR, 0x020, 0, 0xff)                                                                        \
    _(IBRD, 0x024, 0, 0xffff)                                                                      \
    _(FBRD, 0x028, 0, 0x3f)                                                                        \
    _(LCRH, 0x02c, 0, 0xff)                                                                        \
    _(CR, 0x030, 0x300, 0xff87)                                                                    \
    _(IFLS, 0x034, 0x12, 0x3f)                                                                     \
    _(IMSC, 0x038, 0, 0x7ff)                                                                       \
    _(RIS, 0x03c, 0, 0)                                                                            \
    _(MIS, 0x040, 0, 0)                                                                            \
    _(ICR, 0x044, 0, 0)                                                                            \
    _(DMACR, 0x048, 0, 0x7)

enum {
#define ENUM(name, offset, reset, mask) name,
    PL011_REGS(ENUM)
#undef ENUM
    REG_COUNT
};

static const struct {
    uint16_t offset;
    uint32_t reset, mask;
} rows[] = {
#define ROW(name, offset, reset, mask) {offset, reset, mask},
    PL011_REGS(ROW)
#undef ROW
};

enum {
    PART = 0x00341011,
    FR_CTS = 1 << 0, FR_DSR = 1 << 1, FR_DCD = 1 << 2, FR_BUSY = 1 << 3, FR_RXFE = 1 << 4, FR_TXFF = 1 << 5,
    FR_RXFF = 1 << 6, FR_TXFE = 1 << 7,
    LCRH_BRK = 1 << 0, LCRH_FEN = 1 << 4,
    CR_UARTEN = 1 << 0, CR_LBE = 1 << 7, CR_TXE = 1 << 8, CR_RXE = 1 << 9,
    INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6, INT_FE = 1 << 7, INT_PE = 1 << 8, INT_BE = 1 << 9, INT_OE = 1 << 10,
    DATA_BE = 1 << 10, DATA_OE = 1 << 11,
    FIFO = 16,
};

typedef struct Pl011 {
    pthread_mutex_t lock;
    Irq irq;
    CharEnd end;
    uint32_t reg[REG_COUNT];
    uint16_t fifo[FIFO]; /* character and error bits 11:8 */
    unsigned at, n;
    bool overrun;
} Pl011;

static unsigned depth(const Pl011 *p)
{
    return p->reg[LCRH] & LCRH_FEN ? FIFO : 1;
}

/* Characters in the receive FIFO at which RX is raised (IFLS.RXIFLSEL). */
static unsigned trigger(const Pl011 *p)
{
    static const uint8_t levels[8] = {2, 4, 8, 12, 14, 14, 14, 14};
    return p->reg[LCRH] & LCRH_FEN ? levels[p->reg[IFLS] >> 3 & 7] : 1;
}

static void update(Pl011 *p)
{
    irq_set(&p->irq, (p->reg[RIS] & p->reg[IMSC]) != 0);
}

static void receive(Pl011 *p, unsigned value)
{
    if (p->n == depth(p)) {
        p->overrun = true;
        p->reg[RIS] |= INT_OE;
        return;
    }
    p->fifo[(p->at + p->n++) % FIFO] = (uint16_t)value;
    p->reg[RIS] |= (p->n >= trigger(p) ? INT_RX : INT_RT) | (value & DATA_BE ? INT_BE : 0);
}

static uint32_t data_read(Pl011 *p)
{
    uint32_t v = 0;
    if (p->n) {
        v = p->fifo[p->at];
        p->at = (p->at + 1) % FIFO;
        p->n--;
    }
    if (p->overrun) {
        v |= DATA_OE;
        p->overrun = false;
    }
    p->reg[RSR] = v >> 8 & 0xf;
    if (p->n < trigger(p)) {
        p->reg[RIS] &= ~(uint32_t)INT_RX;
    }
    p->reg[RIS] = p->n ? p->reg[RIS] | INT_RT : p->reg[RIS] & ~(uint32_t)INT_RT;
    chardev_accept(&p->end);
    return v;
}

/* The other side takes it as soon as it can. */
static void data_write(Pl011 *p, uint8_t c)
{
    if (p->reg[CR] & CR_LBE) {
        receive(p, c);
    } else {
        chardev_write(&p->end, &c, 1);
    }
    if (chardev_full(&p->end)) {
        p->reg[RIS] &= ~(uint32_t)INT_TX;
    } else {
        p->reg[RIS] |= INT_TX;
    }
}

static uint32_t flags(Pl011 *p)
{
    uint32_t f = chardev_full(&p->end) ? FR_TXFF | FR_BUSY : FR_TXFE;
    f |= p->end.chardev ? FR_CTS | FR_DSR | FR_DCD : 0;
    return f | (p->n == 0 ? FR_RXFE : 0) | (p->n == depth(p) ? FR_RXFF : 0);
}

static uint32_t read_reg(Pl011 *p, unsigned r)
{
    switch (r) {
    case DR:
        return data_read(p);
    case FR:
        return flags(p);
    case MIS:
        return p->reg[RIS] & p->reg[IMSC];
    case ICR:
        return 0;
    default:
        return p->reg[r];
    }
}

static void write_reg(Pl011 *p, unsigned r, uint32_t v)
{
    uint32_t old = p->reg[r];
    p->reg[r] = (old & ~rows[r].mask) | (v & rows[r].mask);
    switch (r) {
    case DR:
        data_write(p, (uint8_t)v);
        break;
    case RSR:
        p->reg[RSR] = 0;
        break;
    case LCRH:
        if ((old ^ v) & LCRH_FEN) {
            p->n = p->at = 0;
        }
        if ((old ^ v) & v & LCRH_BRK && p->reg[CR] & CR_LBE) {
            receive(p, DATA_BE);
        }
        break;
    case ICR:
        p->reg[RIS] &= ~v;
        break;
    default:
        break;
    }
}

static int reg_at(uint64_t offset)
{
    for (unsigned r = 0; r < REG_COUNT; r++) {
        if (rows[r].offset == (offset & ~(uint64_t)3)) {
            return (int)r;
        }
    }
    return -1;
}

static bool pl011_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    Pl011 *p = dev;
    (void)attrs;
    int r = reg_at(offset);
    uint32_t v = 0;
    if (offset >= 0xfe0 && offset < 0x1000) {
        v = primecell_id(offset, PART);
    } else if (r >= 0) {
        pthread_mutex_lock(&p->lock);
        v = read_reg(p, (unsigned)r);
        update(p);
        pthread_mutex_unlock(&p->lock);
    }
    *value = reg_part(v, offset, size);
    return true;
}

static bool pl011_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Pl011 *p = dev;
    (void)attrs;
    int r = reg_at(offset);
    if (r >= 0 && !(offset & 3)) {
        pthread_mutex_lock(&p->lock);
        write_reg(p, (unsigned)r, (uint32_t)(size >= 4 ? value : value & bits_mask(8 * size)));
        update(p);
        pthread_mutex_unlock(&p->lock);
    }
    return true;
}

static const MmioOps pl011_ops = {pl011_read, pl011_write};

/* -- the character device's side -------------------------------------------------------------------------------------- */

static unsigned on_room(void *dev)
{
    Pl011 *p = dev;
    pthread_mutex_lock(&p->lock);
    unsigned room = p->reg[CR] & CR_LBE ? 0 : depth(p) - p->n;
    pthread_mutex_unlock(&p->lock);
    return room;
}

static void on_receive(void *dev, const uint8_t *at, unsigned n)
{
    Pl011 *p = dev;
    pthread_mutex_lock(&p->lock);
    for (; n; n--) {
        receive(p, *at++);
    }
    update(p);
    pthread_mutex_unlock(&p->lock);
}

static void on_drained(void *dev)
{
    Pl011 *p = dev;
    pthread_mutex_lock(&p->lock);
    p->reg[RIS] |= INT_TX;
    update(p);
    pthread_mutex_unlock(&p->lock);
}

static void on_event(void *dev, CharEvent what)
{
    Pl011 *p = dev;
    if (what == CHAR_BREAK) {
        pthread_mutex_lock(&p->lock);
        receive(p, DATA_BE);
        update(p);
        pthread_mutex_unlock(&p->lock);
    }
}

static const CharUser pl011_user = {on_room, on_receive, on_drained, on_event};

static void pl011_reset(void *dev)
{
    Pl011 *p = dev;
    pthread_mutex_lock(&p->lock);
    for (unsigned r = 0; r < REG_COUNT; r++) {
        p->reg[r] = rows[r].reset;
    }
    p->n = p->at = 0;
    p->overrun = false;
    update(p);
    pthread_mutex_unlock(&p->lock);
    chardev_accept(&p->end);
}

bool pl011_new(Machine *m, const char *name, Gpa base, Irq irq, Chardev *c)
{
    Pl011 *p = calloc(1, sizeof *p);
    if (!p) {
        BUG("out of memory");
    }
    pthread_mutex_init(&p->lock, NULL);
    p->irq = irq;
    pl011_reset(p);
    if (!chardev_attach(c, &pl011_user, p, &p->end)) {
        return false;
    }
    mem_add_mmio(m->mem, name, base, 0x1000, &pl011_ops, p);
    machine_on_reset(m, pl011_reset, p);
    return true;
}
