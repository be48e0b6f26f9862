/* enc.c - the parts of the assembler that are too long to be inline: memory operands, VEX and EVEX. */
#include "enc.h"

static uint8_t *store(uint8_t *p, uint64_t w, unsigned n)
{
    memcpy(p, &w, 8);
    return p + n;
}

uint8_t *enc_modrm_mem(Asm *a, uint8_t *p, unsigned reg, Mem m, unsigned tail, bool wide)
{
    static const uint8_t disp_bytes[3] = {0, 1, 4};
    reg <<= 3;
    if (UNLIKELY(m.base == RIP)) {
        int64_t to = (int64_t)m.abs - (int64_t)(uintptr_t)asm_rx(a, p + 5 + tail) + m.disp;
        a->p = store(p, reg | 5 | (uint64_t)(uint32_t)to << 8, 5);
        asm_note(a, NOTE_NEAR, 4);
        return a->p;
    }
    unsigned sib = (unsigned)m.scale << 6 | (m.index == NOREG ? 4u : (m.index & 7u)) << 3;
    uint64_t disp = (uint32_t)m.disp;
    if (UNLIKELY(m.base == NOREG)) { /* index or nothing, and a 32-bit displacement */
        return store(p, reg | 4 | (sib | 5) << 8 | disp << 16, 6);
    }
    unsigned base = m.base & 7u;
    unsigned mod = m.disp == 0 && base != 5 ? 0 : m.disp == (int8_t)m.disp && !wide ? 1 : 2;
    if (m.index != NOREG || base == 4) {
        return store(p, mod << 6 | reg | 4 | (sib | base) << 8 | disp << 16, 2u + disp_bytes[mod]);
    }
    return store(p, mod << 6 | reg | base | disp << 8, 1u + disp_bytes[mod]);
}

/* The prefix and opcode; b and x extend base (or r/m) and index, x4 = bit 4 of a register r/m. */
static uint8_t *enc_v_prefix(uint8_t *p, unsigned vopc, unsigned reg, unsigned v, unsigned b, unsigned x, unsigned rm4, bool *evex)
{
    unsigned pp = vopc >> 12 & 3, map = vopc >> 8 & 3;
    reg &= 31;
    v &= 31;
    *evex = (vopc & VEX_E) || ((reg | v) & 16) || rm4;
    if (*evex) {
        ASSERT(!(vopc & VEX_N));
        unsigned p0 = (~reg & 8) << 4 | ((x | rm4) ? 0 : 0x40) | (b ? 0 : 0x20) | (~reg & 16) | map;
        unsigned p1 = (vopc >> 15 & 1) << 7 | (~v & 15) << 3 | 4 | pp, p2 = (~v & 16) >> 1;
        return store(p, 0x62 | p0 << 8 | p1 << 16 | p2 << 24 | (uint64_t)(vopc & 255) << 32, 5);
    }
    if (map == 1 && !x && !b && !(vopc >> 14 & 1)) {
        return store(p, 0xc5 | ((~reg & 8) << 4 | (~v & 15) << 3 | pp) << 8 | (vopc & 255) << 16, 3);
    }
    unsigned p0 = (~reg & 8) << 4 | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map, p1 = (vopc >> 14 & 1) << 7 | (~v & 15) << 3 | pp;
    return store(p, 0xc4 | p0 << 8 | p1 << 16 | (vopc & 255) << 24, 4);
}

void enc_v_rr(Asm *a, unsigned vopc, Reg reg, Reg vvvv, Reg rm)
{
    unsigned m = rm & 31;
    bool evex;
    uint8_t *p = enc_v_prefix(a->p, vopc, reg, vvvv, m >> 3 & 1, 0, m >> 4 & 1, &evex);
    *p = (uint8_t)(0xc0 | (reg & 7u) << 3 | (m & 7u));
    a->p = p + 1;
}

void enc_v_rm(Asm *a, unsigned vopc, Reg reg, Reg vvvv, Mem m, unsigned tail)
{
    unsigned b = m.base < 16 ? m.base >> 3 : 0, x = m.index < 16 ? m.index >> 3 : 0;
    bool evex;
    uint8_t *p = enc_v_prefix(a->p, vopc, reg, vvvv, b, x, 0, &evex);
    a->p = enc_modrm_mem(a, p, reg & 7, m, tail, evex);
}
