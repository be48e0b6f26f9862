/* gic_bank.c - the arrays of registers that hold some bits for each interrupt: GICD_ISENABLER<n> and its like, which
 * GICv3's redistributors repeat for SGIs and PPIs at the same offsets.
 *
 * One row per array: offset, bits for each interrupt, the field of GicWord, what a write does with it, what Non-secure
 * software sees (IHI 0048 4.3, IHI 0069 12.9). An access of any size is a slice of one word; 8 bytes are two of them.
 * Adding an array? Its row, and for more than one bit each a case in slice_read and slice_write.
 */
#include "dev/gic_core.h"

/* Writes: PLAIN stores, SET and CLEAR change bits that are written as 1. */
enum { PLAIN, SET, CLEAR };
/* Interrupts that Non-secure accesses reach. */
enum { ALL, GROUP1, NOBODY };

// clang-format off
#define BANK_REGS(_) \
    /* name       at     bits field   write  Non-secure */ \
    _(IGROUPR,    0x080, 1,   group,  PLAIN, NOBODY) \
    _(ISENABLER,  0x100, 1,   enable, SET,   GROUP1) \
    _(ICENABLER,  0x180, 1,   enable, CLEAR, GROUP1) \
    _(ISPENDR,    0x200, 1,   latch,  SET,   GROUP1) \
    _(ICPENDR,    0x280, 1,   latch,  CLEAR, GROUP1) \
    _(ISACTIVER,  0x300, 1,   active, SET,   GROUP1) \
    _(ICACTIVER,  0x380, 1,   active, CLEAR, GROUP1) \
    _(IPRIORITYR, 0x400, 8,   prio,   PLAIN, GROUP1) \
    _(ITARGETSR,  0x800, 8,   target, PLAIN, GROUP1) \
    _(ICFGR,      0xc00, 2,   edge,   PLAIN, GROUP1) \
    _(IGRPMODR,   0xd00, 1,   grpmod, PLAIN, NOBODY) \
    _(NSACR,      0xe00, 2,   nsacr,  PLAIN, NOBODY)
// clang-format on

typedef enum BankReg {
#define ENUM(name, at, bits, field, write, ns) R_##name,
    BANK_REGS(ENUM) R_COUNT
} BankReg;

static const struct {
    uint16_t at;
    uint8_t bits, field, write, ns;
} rows[] = {
#define ROW(name, at, bits, field, write, ns) {at, bits, offsetof(GicWord, field), write, ns},
    BANK_REGS(ROW)};
_Static_assert(sizeof(GicWord) < 256, "fields' offsets fit");

/* Interrupts `bit`, `bit + 1`... of w: as many as there are in size bytes. */
typedef struct Slice {
    GicCpu *c;
    GicWord *w;
    BankReg reg;
    unsigned first; /* INTID of w's bit 0 */
    unsigned bit, count;
    uint32_t visible; /* of w's interrupts */
    bool ns;
} Slice;

/* Odd bits of the low half of v, packed. */
static uint32_t bits_odd(uint64_t v)
{
    uint32_t r = 0;
    for (unsigned k = 0; k < 16; k++) {
        r |= (uint32_t)(v >> (2 * k + 1) & 1) << k;
    }
    return r;
}

static unsigned targets_read(const Slice *s, unsigned bit)
{
    const Gic *g = s->c->gic;
    if (g->config.version != 2 || g->ncpus == 1) {
        return 0;
    }
    return s->first ? s->w->target[bit] : 1u << s->c->vcpu->index;
}

static uint64_t slice_read(const Slice *s)
{
    uint64_t v = 0;
    switch (s->reg) {
    case R_IPRIORITYR:
    case R_ITARGETSR:
        for (unsigned k = 0; k < s->count; k++) {
            unsigned bit = s->bit + k;
            unsigned b = s->reg == R_ITARGETSR ? targets_read(s, bit) : gic_prio_shown(s->ns, s->w->prio[bit]);
            v |= (uint64_t)(s->visible >> bit & 1 ? b : 0) << (8 * k);
        }
        return v;
    case R_ICFGR:
        for (unsigned k = 0; k < s->count; k++) {
            v |= (uint64_t)((s->w->edge & s->visible) >> (s->bit + k) & 1) << (2 * k + 1);
        }
        return v;
    case R_NSACR:
        return s->visible ? s->w->nsacr >> (2 * s->bit) & bits_mask(2 * s->count) : 0;
    case R_ISPENDR:
    case R_ICPENDR:
        return (gic_word_pending(s->w) & s->visible) >> s->bit & bits_mask(s->count);
    default:
        v = *(const uint32_t *)((const uint8_t *)s->w + rows[s->reg].field);
        return (v & s->visible) >> s->bit & bits_mask(s->count);
    }
}

/* Stores `value` into the bits `mask` of a word's field as the row says. */
static void field_write(Slice *s, uint32_t mask, uint32_t value)
{
    uint32_t *f = (uint32_t *)((uint8_t *)s->w + rows[s->reg].field);
    switch (rows[s->reg].write) {
    case SET:
        *f |= value & mask;
        break;
    case CLEAR:
        *f &= ~(value & mask);
        break;
    default:
        *f = (*f & ~mask) | (value & mask);
    }
}

/* Version 2's own SGIs: always enabled, made pending by GICD_SGIR alone. For both versions they are edge-triggered. */
static uint32_t writable(const Slice *s)
{
    bool v2_fixed = s->c->gic->config.version == 2 && (s->reg == R_ISENABLER || s->reg == R_ICENABLER ||
                                                       s->reg == R_ISPENDR || s->reg == R_ICPENDR);
    return s->first == 0 && (v2_fixed || s->reg == R_ICFGR) ? 0xffff0000 : ~0u;
}

static void slice_write(Slice *s, uint64_t value)
{
    uint32_t mask = (uint32_t)bits_mask(s->count) << s->bit & s->visible & writable(s);
    switch (s->reg) {
    case R_IPRIORITYR:
    case R_ITARGETSR:
        for (unsigned k = 0; k < s->count; k++) {
            unsigned bit = s->bit + k, b = value >> (8 * k) & 0xff;
            if (!(mask >> bit & 1)) {
                continue;
            }
            if (s->reg == R_IPRIORITYR) {
                s->w->prio[bit] = (uint8_t)gic_prio_stored(s->ns, b);
            } else if (s->first && s->c->gic->config.version == 2) {
                s->w->target[bit] = (uint8_t)(b & bits_mask(s->c->gic->ncpus));
            }
        }
        break;
    case R_ICFGR:
        field_write(s, mask, bits_odd(value) << s->bit);
        break;
    case R_NSACR:
        if (s->visible) {
            uint64_t m = bits_mask(2 * s->count) << (2 * s->bit);
            s->w->nsacr = (s->w->nsacr & ~m) | (value << (2 * s->bit) & m);
        }
        break;
    default:
        field_write(s, mask, (uint32_t)value << s->bit);
    }
}

static uint32_t visible(const Slice *s)
{
    const Gic *g = s->c->gic;
    if ((s->reg == R_IGRPMODR || s->reg == R_NSACR) && g->one_world) {
        return 0;
    }
    switch (s->ns ? rows[s->reg].ns : ALL) {
    case NOBODY:
        return 0;
    case GROUP1:
        return gic_word_ns(s->w);
    default:
        return ~0u;
    }
}

static uint64_t part_access(GicCpu *c, unsigned reach, BankReg reg, unsigned intid, unsigned count, bool write,
                            uint64_t value, bool ns)
{
    if (intid / 32 >= c->gic->words || !(reach & (intid < GIC_PRIVATE ? REACH_PRIVATE : REACH_SPI))) {
        return 0;
    }
    gic_lock(c, intid);
    Slice s = {c, gic_word(c, intid), reg, intid & ~31u, intid % 32, count, 0, ns};
    s.visible = visible(&s);
    if (!write) {
        value = slice_read(&s);
    } else {
        slice_write(&s, value);
        if (intid < GIC_PRIVATE) {
            gic_cpu_update(c);
        } else {
            gic_spi_update(c->gic);
        }
    }
    gic_unlock(c, intid);
    return value;
}

bool gic_bank_access(GicCpu *c, unsigned reach, uint64_t offset, unsigned size, bool write, uint64_t *value, bool ns)
{
    for (unsigned reg = 0; reg < R_COUNT; reg++) {
        unsigned bits = rows[reg].bits, at = rows[reg].at;
        if (offset < at || offset >= at + 128 * bits) {
            continue;
        }
        if (offset % size) {
            return false;
        }
        unsigned piece = size == 8 ? 4 : size;
        uint64_t v = 0;
        for (unsigned done = 0; done < size; done += piece) {
            unsigned intid = (unsigned)(offset + done - at) * 8 / bits;
            uint64_t part = *value >> (8 * done) & bits_mask(8 * piece);
            v |= part_access(c, reach, reg, intid, piece * 8 / bits, write, part, ns) << (8 * done);
        }
        if (!write) {
            *value = v;
        }
        return true;
    }
    return false;
}
