/* enc.h - the assembler: enc.def's rows as inline emitters, and the few forms that are no rows.
 *
 * An Asm writes through the writable view of code memory; `rx` is the distance to the view that runs, which
 * matters only for targets outside (mem_rip, x_jmp_abs). Emitters never check for room: the lowering asks
 * asm_room() once per op (an op's code is far below ASM_MARGIN bytes), and after an overflow writes into the
 * same bytes again until the caller sees the flag.
 * Immediate shifts and the like take the hardware's operand order: destination first.
 */
#ifndef ARMX_BACKEND_X86_64_ENC_H
#define ARMX_BACKEND_X86_64_ENC_H

#include "../cache.h"
#include "regs.h"

typedef struct Asm {
    uint8_t *p, *base, *end;
    ptrdiff_t rx;
    bool overflow;
    uint32_t *notes;  /* what to change when the code moves: offset << NOTE_BITS | NOTE_*; NULL = nobody wants to know */
    unsigned nnotes;  /* more than NOTES: they are incomplete */
} Asm;
enum { ASM_MARGIN = 2048 };

/* The last `bytes` bytes are one. */
static inline void asm_note(Asm *a, unsigned kind, unsigned bytes)
{
    if (UNLIKELY(a->notes != NULL) && a->nnotes++ < NOTES) {
        a->notes[a->nnotes - 1] = (uint32_t)(a->p - a->base - bytes) << NOTE_BITS | kind;
    }
}

static inline void asm_room(Asm *a)
{
    if (UNLIKELY(a->end - a->p < ASM_MARGIN)) {
        a->overflow = true;
        a->p = a->base;
    }
}

static inline void *asm_rx(const Asm *a, const uint8_t *p)
{
    return (void *)(p + a->rx);
}

static inline void put8(Asm *a, unsigned v)
{
    *a->p++ = (uint8_t)v;
}

static inline void put32(Asm *a, uint32_t v)
{
    memcpy(a->p, &v, 4);
    a->p += 4;
}

static inline void put64(Asm *a, uint64_t v)
{
    memcpy(a->p, &v, 8);
    a->p += 8;
}

/* Packed opcode of integer rows: byte, map << 8, pp << 12; OPC_R8: 8-bit register operands (REX for sil..). */
#define OPC(pp, map, byte) ((byte) | (map) << 8 | (pp) << 12)
enum { OPC_R8 = 1 << 16, OPC_RM8 = 1 << 17 };

/* Up to 8 bytes at once, of which n count: what is written next overwrites the others. */
static inline void put_word(Asm *a, uint64_t w, unsigned n)
{
    memcpy(a->p, &w, 8);
    a->p += n;
}

/* Prefixes and opcode in the low bytes of *w; returns how many. */
static inline __attribute__((always_inline)) unsigned enc_opcode(uint64_t *w, unsigned opc, unsigned rex, bool force)
{
    static const uint8_t pps[4] = {0, 0x66, 0xf3, 0xf2};
    unsigned pp = opc >> 12 & 3, map = opc >> 8 & 3, n = 1;
    uint64_t v = opc & 255;
    if (map) {
        v = map == 1 ? v << 8 | 0x0f : v << 16 | (map == 2 ? 0x380f : 0x3a0f);
        n += map == 1 ? 1 : 2;
    }
    bool has = rex || force;
    v = has ? v << 8 | 0x40 | rex : v;
    n += has;
    if (pp) {
        v = v << 8 | pps[pp];
        n++;
    }
    *w = v;
    return n;
}

/* ModRM, SIB and displacement at p; returns their end. tail = bytes of immediate that follow (for RIP). wide = no 8-bit
 * displacement (EVEX scales it). */
uint8_t *enc_modrm_mem(Asm *a, uint8_t *p, unsigned reg, Mem m, unsigned tail, bool wide);

static inline void enc_rr(Asm *a, unsigned opc, int w, Reg reg, Reg rm)
{
    bool force = ((opc & OPC_R8) && reg >= 4) || ((opc & OPC_RM8) && rm >= 4);
    uint64_t v;
    unsigned n = enc_opcode(&v, opc, (unsigned)(w << 3 | (reg & 8) >> 1 | (rm & 8) >> 3), force);
    put_word(a, v | (uint64_t)(0xc0 | (reg & 7u) << 3 | (rm & 7u)) << 8 * n, n + 1);
}

static inline void enc_rm(Asm *a, unsigned opc, int w, Reg reg, Mem m, unsigned tail)
{
    unsigned b = m.base < 16 ? m.base >> 3 : 0, x = m.index < 16 ? m.index >> 3 : 0;
    uint64_t v;
    unsigned n = enc_opcode(&v, opc, (unsigned)w << 3 | (reg & 8u) >> 1 | x << 1 | b, (opc & OPC_R8) && reg >= 4);
    uint8_t *p = a->p;
    memcpy(p, &v, 8);
    a->p = enc_modrm_mem(a, p + n, reg & 7, m, tail, false);
}

/* Packed opcode of VEX/EVEX rows: byte, map << 8, pp << 12, W << 14, EVEX.W << 15, kind. */
#define VOPC(pp, map, byte, W, EW, kind) ((byte) | (map) << 8 | (pp) << 12 | (W) << 14 | (EW) << 15 | VEX_##kind)
enum { VEX_A = 0, VEX_E = 1 << 16, VEX_N = 1 << 17 };
void enc_v_rr(Asm *a, unsigned vopc, Reg reg, Reg vvvv, Reg rm);
void enc_v_rm(Asm *a, unsigned vopc, Reg reg, Reg vvvv, Mem m, unsigned tail);

#define EMITTER __attribute__((unused)) static inline void
#define RM(n, pp, map, o)                                                                          \
    EMITTER x_##n##_rr(Asm *a, int w, Reg d, Reg s) { enc_rr(a, OPC(pp, map, o), w, d, s); }             \
    EMITTER x_##n##_rm(Asm *a, int w, Reg d, Mem s) { enc_rm(a, OPC(pp, map, o), w, d, s, 0); }
#define EXT(n, pp, map, o, digit)                                                                  \
    EMITTER x_##n##_r(Asm *a, int w, Reg d) { enc_rr(a, OPC(pp, map, o), w, digit, d); }                 \
    EMITTER x_##n##_m(Asm *a, int w, Mem d) { enc_rm(a, OPC(pp, map, o), w, digit, d, 0); }
#define RMI(n, pp, map, o)                                                                         \
    EMITTER x_##n##_rri(Asm *a, int w, Reg rm, Reg reg, unsigned k)                                      \
    {                                                                                              \
        enc_rr(a, OPC(pp, map, o), w, reg, rm);                                                    \
        put8(a, k);                                                                                \
    }
#define EXTI(n, pp, map, o, digit)                                                                 \
    EMITTER x_##n##_ri(Asm *a, int w, Reg d, unsigned k)                                                 \
    {                                                                                              \
        enc_rr(a, OPC(pp, map, o), w, digit, d);                                                   \
        put8(a, k);                                                                                \
    }                                                                                              \
    EMITTER x_##n##_mi(Asm *a, int w, Mem d, unsigned k)                                                 \
    {                                                                                              \
        enc_rm(a, OPC(pp, map, o), w, digit, d, 1);                                                \
        put8(a, k);                                                                                \
    }
#define GV(n, pp, map, o)                                                                          \
    EMITTER x_##n##_rrr(Asm *a, int w, Reg d, Reg v, Reg m) { enc_v_rr(a, VOPC(pp, map, o, 0, 0, N) | (unsigned)w << 14, d, v, m); }
#define GVI(n, pp, map, o)                                                                         \
    EMITTER x_##n##_rri(Asm *a, int w, Reg d, Reg m, unsigned k)                                         \
    {                                                                                              \
        enc_v_rr(a, VOPC(pp, map, o, 0, 0, N) | (unsigned)w << 14, d, 0, m);                       \
        put8(a, k);                                                                                \
    }
#define V(n, pp, map, o, W, EW, kind)                                                              \
    enum { X_##n = VOPC(pp, map, o, W, EW, kind) };                                                \
    EMITTER x_##n##_rrr(Asm *a, Reg d, Reg v, Reg m) { enc_v_rr(a, X_##n, d, v, m); }                    \
    EMITTER x_##n##_rrm(Asm *a, Reg d, Reg v, Mem m) { enc_v_rm(a, X_##n, d, v, m, 0); }
#define V2(n, pp, map, o, W, EW, kind)                                                             \
    enum { X_##n = VOPC(pp, map, o, W, EW, kind) };                                                \
    EMITTER x_##n##_rr(Asm *a, Reg d, Reg m) { enc_v_rr(a, X_##n, d, 0, m); }                            \
    EMITTER x_##n##_rm(Asm *a, Reg d, Mem m) { enc_v_rm(a, X_##n, d, 0, m, 0); }
#define VI(n, pp, map, o, W, EW, kind)                                                             \
    enum { X_##n = VOPC(pp, map, o, W, EW, kind) };                                                \
    EMITTER x_##n##_rrri(Asm *a, Reg d, Reg v, Reg m, unsigned k)                                        \
    {                                                                                              \
        enc_v_rr(a, X_##n, d, v, m);                                                               \
        put8(a, k);                                                                                \
    }                                                                                              \
    EMITTER x_##n##_rrmi(Asm *a, Reg d, Reg v, Mem m, unsigned k)                                        \
    {                                                                                              \
        enc_v_rm(a, X_##n, d, v, m, 1);                                                            \
        put8(a, k);                                                                                \
    }
#define V2I(n, pp, map, o, W, EW, kind)                                                            \
    enum { X_##n = VOPC(pp, map, o, W, EW, kind) };                                                \
    EMITTER x_##n##_rri(Asm *a, Reg d, Reg m, unsigned k)                                                \
    {                                                                                              \
        enc_v_rr(a, X_##n, d, 0, m);                                                               \
        put8(a, k);                                                                                \
    }                                                                                              \
    EMITTER x_##n##_rmi(Asm *a, Reg d, Mem m, unsigned k)                                                \
    {                                                                                              \
        enc_v_rm(a, X_##n, d, 0, m, 1);                                                            \
        put8(a, k);                                                                                \
    }
#define VS(n, pp, map, o, W, EW, kind, digit)                                                        \
    enum { X_##n = VOPC(pp, map, o, W, EW, kind) };                                                \
    EMITTER x_##n##_rri(Asm *a, Reg d, Reg m, unsigned k)                                                \
    {                                                                                              \
        enc_v_rr(a, X_##n, digit, d, m);                                                           \
        put8(a, k);                                                                                \
    }
#include "enc.def"

/* 8-bit forms */
EMITTER x_movzx8_rr(Asm *a, Reg d, Reg s) { enc_rr(a, OPC(0, 1, 0xb6) | OPC_RM8, 0, d, s); }
EMITTER x_movzx8_rm(Asm *a, Reg d, Mem m) { enc_rm(a, OPC(0, 1, 0xb6), 0, d, m, 0); }
EMITTER x_movsx8_rr(Asm *a, int w, Reg d, Reg s) { enc_rr(a, OPC(0, 1, 0xbe) | OPC_RM8, w, d, s); }
EMITTER x_movsx8_rm(Asm *a, int w, Reg d, Mem m) { enc_rm(a, OPC(0, 1, 0xbe), w, d, m, 0); }
EMITTER x_store8(Asm *a, Reg s, Mem m) { enc_rm(a, OPC(0, 0, 0x88) | OPC_R8, 0, s, m, 0); }
EMITTER x_xchg8(Asm *a, Reg s, Mem m) { enc_rm(a, OPC(0, 0, 0x86) | OPC_R8, 0, s, m, 0); }
EMITTER x_xadd8(Asm *a, Reg s, Mem m) { enc_rm(a, OPC(0, 1, 0xc0) | OPC_R8, 0, s, m, 0); }
EMITTER x_cmpxchg8(Asm *a, Reg s, Mem m) { enc_rm(a, OPC(0, 1, 0xb0) | OPC_R8, 0, s, m, 0); }
EMITTER x_crc32_8(Asm *a, Reg d, Reg s) { enc_rr(a, OPC(3, 2, 0xf0) | OPC_RM8, 0, d, s); }
EMITTER x_crc32_16(Asm *a, Reg d, Reg s)
{
    put8(a, 0x66);
    enc_rr(a, OPC(3, 2, 0xf1), 0, d, s);
}

EMITTER x_setcc(Asm *a, X86Cond cc, Reg d) { enc_rr(a, OPC(0, 1, 0x90u + cc) | OPC_RM8, 0, 0, d); }
EMITTER x_cmov_rr(Asm *a, int w, X86Cond cc, Reg d, Reg s) { enc_rr(a, OPC(0, 1, 0x40u + cc), w, d, s); }
EMITTER x_cmov_rm(Asm *a, int w, X86Cond cc, Reg d, Mem m) { enc_rm(a, OPC(0, 1, 0x40u + cc), w, d, m, 0); }
EMITTER x_lea(Asm *a, int w, Reg d, Mem m) { enc_rm(a, OPC(0, 0, 0x8d), w, d, m, 0); }
EMITTER x_bswap(Asm *a, int w, Reg d)
{
    uint64_t v;
    unsigned n = enc_opcode(&v, OPC(0, 1, 0xc8u | (d & 7u)), (unsigned)w << 3 | (d & 8u) >> 3, false);
    put_word(a, v, n);
}
EMITTER x_test8_mi(Asm *a, Mem m, unsigned k)
{
    enc_rm(a, OPC(0, 0, 0xf6), 0, 0, m, 1);
    put8(a, k);
}
EMITTER x_test8_ri(Asm *a, Reg d, unsigned k)
{
    enc_rr(a, OPC(0, 0, 0xf6) | OPC_RM8, 0, 0, d);
    put8(a, k);
}
EMITTER x_add_al(Asm *a, unsigned k)
{
    put8(a, 0x04);
    put8(a, k);
}
EMITTER x_byte(Asm *a, unsigned k) { put8(a, k); }
enum { X_LAHF = 0x9f, X_SAHF = 0x9e, X_CMC = 0xf5, X_CLC = 0xf8, X_STC = 0xf9, X_RET = 0xc3, X_CDQ = 0x99, X_INT3 = 0xcc, X_LOCK = 0xf0, X_UD2_0 = 0x0f };

/* op r/m, imm with the digit of the 80/81/83 group */
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
EMITTER x_alu_ri(Asm *a, int w, unsigned digit, Reg d, int32_t k)
{
    bool s = k == (int8_t)k;
    enc_rr(a, OPC(0, 0, s ? 0x83 : 0x81), w, (Reg)digit, d);
    if (s) {
        put8(a, (uint8_t)k);
    } else {
        put32(a, (uint32_t)k);
    }
}
EMITTER x_alu_mi(Asm *a, int w, unsigned digit, Mem m, int32_t k)
{
    bool s = k == (int8_t)k;
    enc_rm(a, OPC(0, 0, s ? 0x83 : 0x81), w, (Reg)digit, m, s ? 1 : 4);
    if (s) {
        put8(a, (uint8_t)k);
    } else {
        put32(a, (uint32_t)k);
    }
}
EMITTER x_test_ri(Asm *a, int w, Reg d, int32_t k)
{
    enc_rr(a, OPC(0, 0, 0xf7), w, 0, d);
    put32(a, (uint32_t)k);
}
EMITTER x_imul_rri(Asm *a, int w, Reg d, Reg s, int32_t k)
{
    bool b = k == (int8_t)k;
    enc_rr(a, OPC(0, 0, b ? 0x6b : 0x69), w, d, s);
    if (b) {
        put8(a, (uint8_t)k);
    } else {
        put32(a, (uint32_t)k);
    }
}
EMITTER x_mov_mi(Asm *a, int w, Mem m, int32_t k)
{
    enc_rm(a, OPC(0, 0, 0xc7), w, 0, m, 4);
    put32(a, (uint32_t)k);
}
EMITTER x_mov_mi8(Asm *a, Mem m, unsigned k)
{
    enc_rm(a, OPC(0, 0, 0xc6), 0, 0, m, 1);
    put8(a, k);
}
EMITTER x_mov_mi16(Asm *a, Mem m, unsigned k)
{
    enc_rm(a, OPC(1, 0, 0xc7), 0, 0, m, 2);
    put8(a, k);
    put8(a, k >> 8);
}
/* Any constant by the shortest form that leaves the flags alone. */
EMITTER x_mov_ri(Asm *a, Reg d, uint64_t k)
{
    uint64_t v;
    if (k == (uint32_t)k) {
        unsigned n = enc_opcode(&v, OPC(0, 0, 0xb8u | (d & 7u)), (d & 8u) >> 3, false);
        put_word(a, v | k << 8 * n, n + 4);
    } else if ((int64_t)k == (int32_t)k) {
        enc_rr(a, OPC(0, 0, 0xc7), 1, 0, d);
        put32(a, (uint32_t)k);
    } else {
        unsigned n = enc_opcode(&v, OPC(0, 0, 0xb8u | (d & 7u)), 8 | (d & 8u) >> 3, false);
        put_word(a, v, n);
        put64(a, k);
    }
}

/* Jumps. The forms without a target return the address of the 32-bit displacement for asm_link(). */
EMITTER x_rel32(Asm *a, const uint8_t *target_rw) { put32(a, (uint32_t)(target_rw - (a->p + 4))); }
EMITTER x_jmp_abs(Asm *a, const void *rx)
{
    put_word(a, 0xe9 | (uint64_t)(uint32_t)((const uint8_t *)rx - (const uint8_t *)asm_rx(a, a->p + 5)) << 8, 5);
    asm_note(a, NOTE_NEAR, 4);
}
EMITTER x_call_abs(Asm *a, const void *rx)
{
    put_word(a, 0xe8 | (uint64_t)(uint32_t)((const uint8_t *)rx - (const uint8_t *)asm_rx(a, a->p + 5)) << 8, 5);
    asm_note(a, NOTE_NEAR, 4);
}
EMITTER x_jcc_abs(Asm *a, X86Cond cc, const void *rx)
{
    put_word(a, 0x800fu + (cc << 8) + ((uint64_t)(uint32_t)((const uint8_t *)rx - (const uint8_t *)asm_rx(a, a->p + 6)) << 16), 6);
    asm_note(a, NOTE_NEAR, 4);
}
__attribute__((unused)) static inline uint8_t *x_jmp(Asm *a)
{
    put_word(a, 0xe9, 5);
    return a->p - 4;
}
__attribute__((unused)) static inline uint8_t *x_call(Asm *a)
{
    put_word(a, 0xe8, 5);
    return a->p - 4;
}
__attribute__((unused)) static inline uint8_t *x_jcc(Asm *a, X86Cond cc)
{
    put_word(a, 0x800fu + (cc << 8), 6);
    return a->p - 4;
}
/* Short forms for jumps over a few bytes; link with asm_link8. */
__attribute__((unused)) static inline uint8_t *x_jcc8(Asm *a, X86Cond cc)
{
    put_word(a, 0x70u + cc, 2);
    return a->p - 1;
}
__attribute__((unused)) static inline uint8_t *x_jmp8(Asm *a)
{
    put_word(a, 0xeb, 2);
    return a->p - 1;
}
/* Makes the jump whose displacement is at `at` go to `to` (both in the writable view). */
EMITTER asm_link(uint8_t *at, const uint8_t *to)
{
    int32_t d = (int32_t)(to - (at + 4));
    memcpy(at, &d, 4);
}
EMITTER asm_link8(uint8_t *at, const uint8_t *to)
{
    ASSERT(to - (at + 1) >= -128 && to - (at + 1) < 128);
    *at = (uint8_t)(to - (at + 1));
}
#undef EMITTER

#endif
