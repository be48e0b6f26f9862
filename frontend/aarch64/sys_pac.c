/* sys_pac.c - pointer authentication by the translation regime's address sizes (DDI 0487 D8.10; aarch64/functions/pac).
 *
 * The algorithm is that of helpers.c; here the place of the PAC follows TCR_ELx.TxSZ, TBI and TBID instead of what Linux sets up.
 */
#include "sys_int.h"

#include "helpers.h"
#include "tr.h"

typedef struct PacShape {
    unsigned low; /* lowest bit of the PAC (CalculateBottomPACBit) */
    bool tbi;     /* bits 63:56 are a tag */
} PacShape;

static PacShape shape(const CpuA64 *cpu, uint64_t ptr, bool data)
{
    unsigned el = a64_el(cpu);
    bool high = ptr >> 55 & 1, two = el < 2 || a64_in_host(cpu, el);
    uint64_t tcr = sys_tcr(cpu, el);
    unsigned size = (unsigned)(two && high ? tcr >> 16 : tcr) & 63;
    unsigned tbi_bit = !two ? 20 : high ? 38 : 37, tbid_bit = !two ? 29 : high ? 52 : 51;
    bool tbi = tcr >> tbi_bit & 1 && (data || !(tcr >> tbid_bit & 1));
    size = size > 48 ? 48 : size < 12 ? 12 : size;
    return (PacShape){64 - size, tbi};
}

static uint64_t field(PacShape s)
{
    uint64_t low = bits_mask(55) & ~bits_mask(s.low);
    return s.tbi ? low : low | (uint64_t)255 << 56;
}

static uint64_t stripped(uint64_t ptr, PacShape s)
{
    return ptr >> 55 & 1 ? ptr | field(s) : ptr & ~field(s);
}

static uint64_t hash(const CpuA64 *cpu, unsigned key, uint64_t value, uint64_t modifier)
{
    const uint64_t *keys[4] = {cpu->pac_keys.ia, cpu->pac_keys.ib, cpu->pac_keys.da, cpu->pac_keys.db};
    return pac_hash(keys[key], value, modifier);
}

uint64_t h_sys_pac(CpuA64 *cpu, uint64_t ptr, uint64_t modifier, uint32_t k)
{
    unsigned key = k & PAC_KEY;
    PacShape s = shape(cpu, ptr, key >= PAC_DA);
    uint64_t plain = stripped(ptr, s), pac = hash(cpu, key, plain, modifier) & field(s);
    if (!(k & PAC_AUT)) {
        if (plain != ptr) {
            pac ^= (uint64_t)1 << (s.tbi ? 54 : 62); /* not a canonical address: its PAC must not authenticate */
        }
        return (ptr & ~field(s)) | pac;
    }
    if (pac == (ptr & field(s))) {
        return plain;
    }
    unsigned at = s.tbi ? 53 : 61;
    return (plain & ~((uint64_t)3 << at)) | ((uint64_t)1 + (key & 1)) << at;
}

uint64_t h_sys_xpac(CpuA64 *cpu, uint64_t ptr)
{
    return stripped(ptr, shape(cpu, ptr, true));
}
