/* regs.h - devices' registers as rows.
 *
 * A device has its registers in an X-macro of rows _(name, offset, value after reset, bits that can be written): storage
 * in an array that the name indexes; what is more than storage is in the functions that read and write one.
 */
#ifndef ARMX_SOFTMMU_DEV_REGS_H
#define ARMX_SOFTMMU_DEV_REGS_H

#include <pthread.h>

#include "irq.h"
#include "mem.h"

/* The part of a 32-bit register that a narrower access at `offset` sees, and a write's value merged into it. */
static inline uint64_t reg_part(uint32_t reg, uint64_t offset, unsigned size)
{
    return bits_get(reg, (unsigned)(offset & 3) * 8, size >= 4 ? 32 : size * 8);
}

static inline uint32_t reg_merged(uint32_t old, uint64_t offset, unsigned size, uint64_t value)
{
    unsigned shift = (unsigned)(offset & 3) * 8;
    uint32_t mask = (uint32_t)(bits_mask(size >= 4 ? 32 : size * 8) << shift);
    return (old & ~mask) | ((uint32_t)(value << shift) & mask);
}

/* PrimeCell identification: four bytes of part at 0xfe0, four of 0xb105f00d at 0xff0. */
static inline uint32_t primecell_id(uint64_t offset, uint32_t part)
{
    uint32_t word = offset >= 0xff0 ? 0xb105f00d : part;
    return word >> 8 * ((offset >> 2) & 3) & 0xff;
}

#endif
