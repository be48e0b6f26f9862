/* enc.c - the parts of the assembler that are too long to be inline: memory operands, VEX and EVEX. */
#include "enc.h"

void enc_modrm_mem(Asm *a, unsigned reg, Mem m, unsigned tail, bool wide)
{
    reg <<= 3;
    if (m.base == RIP) {
        put8(a, reg | 5);
        put32(a, (uint32_t)((int64_t)m.abs - (int64_t)(uintptr_t)asm_rx(a, a->p + 4 + tail) + m.disp));
        asm_note(a, NOTE_NEAR, 4);
        return;
    }
    if (m.base == NOREG) { /* index or nothing, and a 32-bit displacement */
        put8(a, reg | 4);
        put8(a, (unsigned)m.scale << 6 | (m.index == NOREG ? 4u : (m.index & 7u)) << 3 | 5);
        put32(a, (uint32_t)m.disp);
        return;
    }
    unsigned mod = m.disp == 0 && (m.base & 7) != 5 ? 0 : m.disp == (int8_t)m.disp && !wide ? 1 : 2;
    if (m.index != NOREG || (m.base & 7) == 4) {
        put8(a, mod << 6 | reg | 4);
        put8(a, (unsigned)m.scale << 6 | (m.index == NOREG ? 4u : (m.index & 7u)) << 3 | (m.base & 7u));
    } else {
        put8(a, mod << 6 | reg | (m.base & 7u));
    }
    if (mod == 1) {
        put8(a, (uint8_t)m.disp);
    } else if (mod == 2) {
        put32(a, (uint32_t)m.disp);
    }
}

/* The prefix and opcode; b and x extend base (or r/m) and index, x4 = bit 4 of a register r/m. */
static bool enc_v_prefix(Asm *a, unsigned vopc, unsigned reg, unsigned v, unsigned b, unsigned x, unsigned rm4)
{
    unsigned pp = vopc >> 12 & 3, map = vopc >> 8 & 3;
    reg &= 31;
    v &= 31;
    bool evex = (vopc & VEX_E) || ((reg | v) & 16) || rm4;
    if (evex) {
        ASSERT(!(vopc & VEX_N));
        put8(a, 0x62);
        put8(a, (~reg & 8) << 4 | ((x | rm4) ? 0 : 0x40) | (b ? 0 : 0x20) | (~reg & 16) | map);
        put8(a, (vopc >> 15 & 1) << 7 | (~v & 15) << 3 | 4 | pp);
        put8(a, (~v & 16) >> 1);
    } else if (map == 1 && !x && !b && !(vopc >> 14 & 1)) {
        put8(a, 0xc5);
        put8(a, (~reg & 8) << 4 | (~v & 15) << 3 | pp);
    } else {
        put8(a, 0xc4);
        put8(a, (~reg & 8) << 4 | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map);
        put8(a, (vopc >> 14 & 1) << 7 | (~v & 15) << 3 | pp);
    }
    put8(a, vopc & 255);
    return evex;
}

void enc_v_rr(Asm *a, unsigned vopc, Reg reg, Reg vvvv, Reg rm)
{
    unsigned m = rm & 31;
    enc_v_prefix(a, vopc, reg, vvvv, m >> 3 & 1, 0, m >> 4 & 1);
    put8(a, 0xc0 | (reg & 7u) << 3 | (m & 7u));
}

void enc_v_rm(Asm *a, unsigned vopc, Reg reg, Reg vvvv, Mem m, unsigned tail)
{
    unsigned b = m.base < 16 ? m.base >> 3 : 0, x = m.index < 16 ? m.index >> 3 : 0;
    bool evex = enc_v_prefix(a, vopc, reg, vvvv, b, x, 0);
    enc_modrm_mem(a, reg & 7, m, tail, evex);
}
