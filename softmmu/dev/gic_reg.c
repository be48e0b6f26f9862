/* gic_reg.c - single registers of the interrupt controllers' frames, by tables of GicReg rows.
 *
 * What a table does not name reads as zero and ignores writes, as the architecture says of reserved offsets; no access to a
 * frame is an external abort (IHI 0069 12.1.1).
 */
#include "dev/gic_core.h"

/* PIDR4..7, PIDR0..3, CIDR0..3 of a part designed by Arm (IHI 0069 12.1.15). */
static uint64_t id_read(const GicReg *r, unsigned n)
{
    const uint8_t id[12] = {0x44, 0, 0, 0, r->reset & 0xff, 0xb4, (r->reset >> 4 & 0xf0) | 0xb, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return id[n];
}

static uint64_t reg_read(const GicReg *r, void *of, unsigned n, bool ns)
{
    return r->reset >> 32 ? id_read(r, n) : r->read ? r->read(of, n, ns) : r->reset;
}

bool gic_reg_access(const GicReg *regs, size_t count, void *of, uint64_t offset, unsigned size, bool write, uint64_t *value,
                    bool ns)
{
    for (const GicReg *r = regs; r < regs + count; r++) {
        if (offset < r->at || offset >= r->at + (uint32_t)r->size * r->count) {
            continue;
        }
        unsigned n = (unsigned)(offset - r->at) / r->size, in = (unsigned)(offset - r->at) % r->size;
        if (size == r->size && in == 0) {
            if (!write) {
                *value = reg_read(r, of, n, ns);
            } else if (r->write) {
                r->write(of, n, *value, ns);
            }
            return true;
        }
        if (size == 8 && r->size == 4 && n + 1 < r->count && in == 0) {
            uint64_t low = *value & 0xffffffff, high = *value >> 32;
            gic_reg_access(r, 1, of, offset, 4, write, &low, ns);
            gic_reg_access(r, 1, of, offset + 4, 4, write, &high, ns);
            *value = write ? *value : low | high << 32;
            return true;
        }
        if (size >= r->size || offset % size) {
            return false;
        }
        /* Part of a register: the rest of it keeps its value. */
        uint64_t all = reg_read(r, of, n, ns), mask = bits_mask(8 * size) << (8 * in);
        if (!write) {
            *value = (all & mask) >> (8 * in);
        } else if (size >= 4 && r->write) {
            r->write(of, n, (all & ~mask) | (*value << (8 * in) & mask), ns);
        }
        return true;
    }
    return false;
}

static void frame_access(GicFrame *f, uint64_t offset, unsigned size, bool write, uint64_t *value, MemAttrs attrs)
{
    void *of = f->of ? f->of : gic_cpu_here(f->gic);
    bool ns = gic_is_ns(f->gic, attrs.secure);
    if (f->access) {
        f->access(of, offset, size, write, value, ns);
    } else {
        gic_reg_access(f->regs, f->count, of, offset, size, write, value, ns);
    }
}

static bool frame_read(void *dev, uint64_t offset, unsigned size, uint64_t *value, MemAttrs attrs)
{
    *value = 0;
    frame_access(dev, offset, size, false, value, attrs);
    return true;
}

static bool frame_write(void *dev, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    frame_access(dev, offset, size, true, &value, attrs);
    return true;
}

static const MmioOps frame_ops = {frame_read, frame_write};

void gic_frame_map(Gic *g, GicFrame *f, const char *name, Gpa base, uint64_t size)
{
    f->gic = g;
    mem_add_mmio(g->machine->mem, name, base, size, &frame_ops, f);
}
