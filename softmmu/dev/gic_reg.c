/* gic_reg.c - single registers of the interrupt controllers' frames, by tables of GicReg rows.
 *
 * What a table does not name reads as zero and ignores writes, as the architecture says of reserved offsets; no access to a
 * frame is an external abort (IHI 0069 12.1.1).
 */
#include "dev/gic_core.h"

static uint64_t reg_read(const GicReg *r, void *of, unsigned n, bool ns)
{
    return r->read ? r->read(of, n, ns) : r->reset;
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

uint64_t gic_id_read(unsigned part, unsigned revision, unsigned n)
{
    /* PIDR4..7, PIDR0..3, CIDR0..3 (IHI 0069 12.1.15): designer Arm. */
    const uint8_t id[12] = {0x44, 0, 0, 0, (uint8_t)part, 0xb4, (uint8_t)(revision << 4 | 0xb), 0, 0x0d, 0xf0, 0x05, 0xb1};
    return n < LEN(id) ? id[n] : 0;
}
