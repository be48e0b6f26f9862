/* simd_consts.c - the values of simd_consts.h, byte by byte from macros. */
#include "simd_consts.h"

// clang-format off
#define B16(m, p, q, r) {m(0, p, q, r), m(1, p, q, r), m(2, p, q, r), m(3, p, q, r), m(4, p, q, r), m(5, p, q, r), \
    m(6, p, q, r), m(7, p, q, r), m(8, p, q, r), m(9, p, q, r), m(10, p, q, r), m(11, p, q, r), m(12, p, q, r), \
    m(13, p, q, r), m(14, p, q, r), m(15, p, q, r)}

/* Byte i of a lane of 1 << e bytes: first, last, low half, in the lowest lane. */
#define FIRST(i, e) (((i) & ((1 << (e)) - 1)) == 0)
#define LAST(i, e) (((i) & ((1 << (e)) - 1)) == (1 << (e)) - 1)
#define ONE(i, e, q, r) FIRST(i, e)
#define BYTE(i, e, q, r) (FIRST(i, e) ? 0xff : 0)
#define SIGN(i, e, q, r) (LAST(i, e) ? 0x80 : 0)
#define MAX(i, e, q, r) (LAST(i, e) ? 0x7f : 0xff)
#define LOW(i, e, q, r) (((i) & ((1 << (e)) - 1)) < (1 << (e)) / 2 ? 0xff : 0)
#define LANE0(i, e, q, r) ((i) < 1 << (e) ? 0xff : 0)
#define LANE0_SIGN(i, e, q, r) ((i) < 1 << (e) ? SIGN(i, e, q, r) : 0)
#define LANE0_MAX(i, e, q, r) ((i) < 1 << (e) ? MAX(i, e, q, r) : 0)
#define ALL(i, v, q, r) (v)
#define ODD(i, v, q, r) ((i) & 1 ? (v) : 0)
#define COUNT(i, p, q, r) (((i) & 1) + ((i) >> 1 & 1) + ((i) >> 2 & 1) + ((i) >> 3 & 1))
#define REV(i, shift, q, r) ((((i) & 1) << 3 | ((i) & 2) << 1 | ((i) & 4) >> 1 | ((i) & 8) >> 3) << (shift))
#define REV_IN(i, c, e, r) ((i) ^ ((c) > (e) ? (1 << (c)) - (1 << (e)) : 0))
#define DUP(i, e, n, r) ((n) << (e) | ((i) & ((1 << (e)) - 1)))
#define ONLY(i, n, q, r) ((i) == (n) ? 0xff : 0)
#define NARROW(i, e, q, r) ((i) < 8 ? ((i) >> ((e) - 1)) << (e) | ((i) & ((1 << ((e) - 1)) - 1)) : 0x80)
/* Byte of 48 that byte i of result k comes from; and where result byte 16 * k + i of the interleaving comes from. */
#define DE3(i, e, k) ((3 * ((i) >> (e)) + (k)) << (e) | ((i) & ((1 << (e)) - 1)))
#define DEINT(i, e, k, src) (DE3(i, e, k) >> 4 == (src) ? DE3(i, e, k) & 15 : 0x80)
#define LANE3(i, e, k) ((16 * (k) + (i)) >> (e))
#define INT(i, e, k, src) (LANE3(i, e, k) % 3 == (src) ? (LANE3(i, e, k) / 3) << (e) | ((i) & ((1 << (e)) - 1)) : 0x80)
/* A bit matrix: its byte 7 - n selects the source bits whose parity is bit n of the result (GF2P8AFFINEQB). */
#define GF_SHL(i, n, q, r) (0x80 >> (((i) & 7) + (n)))
#define GF_SHR(i, n, q, r) (0x80 << (n) >> ((i) & 7) & 0xff)
#define GF_SAR(i, n, q, r) (GF_SHR(i, n, q, r) | (((i) & 7) < (n) ? 0x80 : 0))
#define GF_RBIT(i, p, q, r) (1 << ((i) & 7))

#define TWICE4(a, b, c, d) a, a, b, b, c, c, d, d
#define TWICE16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
    TWICE4(a, b, c, d), TWICE4(e, f, g, h), TWICE4(i, j, k, l), TWICE4(m, n, o, p)
/* Lanes of S and of D */
#define S4(v) {(v) & 255, (v) >> 8 & 255, (v) >> 16 & 255, (v) >> 24 & 255, (v) & 255, (v) >> 8 & 255, (v) >> 16 & 255, (v) >> 24 & 255, \
    (v) & 255, (v) >> 8 & 255, (v) >> 16 & 255, (v) >> 24 & 255, (v) & 255, (v) >> 8 & 255, (v) >> 16 & 255, (v) >> 24 & 255}
#define BYTES8(v) (v) & 255, (v) >> 8 & 255, (v) >> 16 & 255, (v) >> 24 & 255, (v) >> 32 & 255, (v) >> 40 & 255, (v) >> 48 & 255, (v) >> 56 & 255
#define D2(v) {BYTES8(v), BYTES8(v)}
#define SD(s, d) {[E_S] = S4(s), [E_D] = D2(d)}
#define CLZ4(i) ((i) >> 3 ? 0 : (i) >> 2 ? 1 : (i) >> 1 ? 2 : (i) ? 3 : 4)
#define CLZ_LOW(i, p, q, r) (4 + CLZ4(i))
#define CLZ_HIGH(i, p, q, r) ((i) ? CLZ4(i) : 8)
#define HALF_WIDTH(i, e, q, r) (FIRST(i, e) ? 4 << (e) : 0)
#define PER_ELEM(m) {B16(m, 0, 0, 0), B16(m, 1, 0, 0), B16(m, 2, 0, 0), B16(m, 3, 0, 0)}
#define EIGHT(m) {B16(m, 0, 0, 0), B16(m, 1, 0, 0), B16(m, 2, 0, 0), B16(m, 3, 0, 0), B16(m, 4, 0, 0), B16(m, 5, 0, 0), \
    B16(m, 6, 0, 0), B16(m, 7, 0, 0)}
#define SHL_MASK(i, n, q, r) (0xff << (n) & 0xff)
#define SHR_MASK(i, n, q, r) (0xff >> (n))
#define SAR_SIGN(i, n, q, r) (0x80 >> (n))
#define REV_ROW(c) {B16(REV_IN, c, 0, 0), B16(REV_IN, c, 1, 0), B16(REV_IN, c, 2, 0), B16(REV_IN, c, 3, 0)}
#define SOURCES(m, e, k) {B16(m, e, k, 0), B16(m, e, k, 1), B16(m, e, k, 2)}
#define RESULTS(m, e) {SOURCES(m, e, 0), SOURCES(m, e, 1), SOURCES(m, e, 2)}

const SimdConsts simd_consts = {
    .one = PER_ELEM(ONE), .byte = PER_ELEM(BYTE), .sign = PER_ELEM(SIGN), .max = PER_ELEM(MAX),
    .low_half = {[E_H] = B16(LOW, 1, 0, 0), [E_S] = B16(LOW, 2, 0, 0), [E_D] = B16(LOW, 3, 0, 0)},
    .high_byte = B16(ODD, 0xff, 0, 0), .ones = B16(ALL, 0xff, 0, 0),
    .lane0 = PER_ELEM(LANE0), .lane0_sign = PER_ELEM(LANE0_SIGN), .lane0_max = PER_ELEM(LANE0_MAX),
    .b_0f = B16(ALL, 0x0f, 0, 0), .b_70 = B16(ALL, 0x70, 0, 0), .b_10 = B16(ALL, 0x10, 0, 0),
    .nibble_count = B16(COUNT, 0, 0, 0), .nibble_rev_low = B16(REV, 4, 0, 0), .nibble_rev_high = B16(REV, 0, 0, 0),
    .shl_mask = EIGHT(SHL_MASK), .shr_mask = EIGHT(SHR_MASK), .sar_sign = EIGHT(SAR_SIGN),
    .gf_shl = EIGHT(GF_SHL), .gf_shr = EIGHT(GF_SHR), .gf_sar = EIGHT(GF_SAR), .gf_rbit = B16(GF_RBIT, 0, 0, 0),
    .rev = {REV_ROW(0), REV_ROW(1), REV_ROW(2), REV_ROW(3)},
    .dup_b = {B16(DUP, 0, 0, 0), B16(DUP, 0, 1, 0), B16(DUP, 0, 2, 0), B16(DUP, 0, 3, 0), B16(DUP, 0, 4, 0), B16(DUP, 0, 5, 0),
              B16(DUP, 0, 6, 0), B16(DUP, 0, 7, 0), B16(DUP, 0, 8, 0), B16(DUP, 0, 9, 0), B16(DUP, 0, 10, 0), B16(DUP, 0, 11, 0),
              B16(DUP, 0, 12, 0), B16(DUP, 0, 13, 0), B16(DUP, 0, 14, 0), B16(DUP, 0, 15, 0)},
    .dup_h = {B16(DUP, 1, 0, 0), B16(DUP, 1, 1, 0), B16(DUP, 1, 2, 0), B16(DUP, 1, 3, 0), B16(DUP, 1, 4, 0), B16(DUP, 1, 5, 0),
              B16(DUP, 1, 6, 0), B16(DUP, 1, 7, 0)},
    .only_b = {B16(ONLY, 0, 0, 0), B16(ONLY, 1, 0, 0), B16(ONLY, 2, 0, 0), B16(ONLY, 3, 0, 0), B16(ONLY, 4, 0, 0), B16(ONLY, 5, 0, 0),
               B16(ONLY, 6, 0, 0), B16(ONLY, 7, 0, 0), B16(ONLY, 8, 0, 0), B16(ONLY, 9, 0, 0), B16(ONLY, 10, 0, 0),
               B16(ONLY, 11, 0, 0), B16(ONLY, 12, 0, 0), B16(ONLY, 13, 0, 0), B16(ONLY, 14, 0, 0), B16(ONLY, 15, 0, 0)},
    .narrow = {[E_H] = B16(NARROW, 1, 0, 0), [E_S] = B16(NARROW, 2, 0, 0), [E_D] = B16(NARROW, 3, 0, 0)},
    .deint3 = {RESULTS(DEINT, 0), RESULTS(DEINT, 1), RESULTS(DEINT, 2), RESULTS(DEINT, 3)},
    .int3 = {RESULTS(INT, 0), RESULTS(INT, 1), RESULTS(INT, 2), RESULTS(INT, 3)},
    .crc32 = {0x41, 0x16, 0x01, 0xf7, 0x25, 0xb0, 0xe5, 0xb4, 0x41, 0x06, 0x71, 0xdb, 0x01, 0x00, 0x00, 0x00},
    .sha1_k = {{0x99, 0x79, 0x82, 0x5a, 0x99, 0x79, 0x82, 0x5a, 0x99, 0x79, 0x82, 0x5a, 0x99, 0x79, 0x82, 0x5a},
               {0xa1, 0xeb, 0xd9, 0x6e, 0xa1, 0xeb, 0xd9, 0x6e, 0xa1, 0xeb, 0xd9, 0x6e, 0xa1, 0xeb, 0xd9, 0x6e},
               {0xdc, 0xbc, 0x1b, 0x8f, 0xdc, 0xbc, 0x1b, 0x8f, 0xdc, 0xbc, 0x1b, 0x8f, 0xdc, 0xbc, 0x1b, 0x8f}},
    .half = {[E_S] = {0, 0, 0, 0x3f, 0, 0, 0, 0x3f, 0, 0, 0, 0x3f, 0, 0, 0, 0x3f},
             [E_D] = {0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f}},
    .cut = D2(0x1fffffffull),
    .s_31 = S4(31), .s_width = {S4(8), S4(16)}, .s_min = {S4(0xffffff80u), S4(0xffff8000u)}, .s_max = {S4(0x7f), S4(0x7fff)},
    .nibble_clz_low = B16(CLZ_LOW, 0, 0, 0), .nibble_clz_high = B16(CLZ_HIGH, 0, 0, 0), .half_width = PER_ELEM(HALF_WIDTH),
    .two = SD(0x40000000u, 0x4000000000000000u), .one_half = SD(0x3fc00000u, 0x3ff8000000000000u),
    .inf = SD(0x7f800000u, 0x7ff0000000000000u),
    .halvable = SD(0x81ffffffu, 0x803fffffffffffffu),
    .recip_from = SD(0x7f000000u, 0x7fe0000000000000u), .recip_last = SD(0x7bffffffu, 0x7f7fffffffffffffu),
    .recip_exp = SD(253u << 23, 2045ull << 52),
    .rsqrt_from = SD(0x7f800000u, 0x7ff0000000000000u), .rsqrt_last = SD(0xfeffffffu, 0xffdfffffffffffffu),
    .rsqrt_exp = SD(380u, 3068ull),
    .recip = {
        255, 253, 251, 249, 247, 245, 243, 241, 240, 238, 236, 234, 232, 230, 229, 227,
        225, 223, 221, 220, 218, 216, 215, 213, 211, 210, 208, 206, 205, 203, 201, 200,
        198, 197, 195, 194, 192, 191, 189, 188, 186, 185, 183, 182, 180, 179, 177, 176,
        174, 173, 172, 170, 169, 167, 166, 165, 163, 162, 161, 159, 158, 157, 156, 154,
        153, 152, 150, 149, 148, 147, 145, 144, 143, 142, 141, 139, 138, 137, 136, 135,
        134, 132, 131, 130, 129, 128, 127, 126, 124, 123, 122, 121, 120, 119, 118, 117,
        116, 115, 114, 113, 112, 111, 110, 109, 108, 107, 106, 105, 104, 103, 102, 101,
        100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 88, 88, 87, 86,
        85, 84, 83, 82, 81, 81, 80, 79, 78, 77, 76, 75, 75, 74, 73, 72,
        71, 70, 70, 69, 68, 67, 66, 66, 65, 64, 63, 63, 62, 61, 60, 59,
        59, 58, 57, 56, 56, 55, 54, 53, 53, 52, 51, 51, 50, 49, 48, 48,
        47, 46, 46, 45, 44, 44, 43, 42, 42, 41, 40, 40, 39, 38, 38, 37,
        36, 36, 35, 34, 34, 33, 32, 32, 31, 30, 30, 29, 29, 28, 27, 27,
        26, 26, 25, 24, 24, 23, 23, 22, 21, 21, 20, 20, 19, 18, 18, 17,
        17, 16, 16, 15, 15, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9,
        8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0},
    .rsqrt = {
        TWICE16(105, 104, 103, 101, 100, 99, 97, 96, 95, 93, 92, 91, 90, 88, 87, 86),
        TWICE16(85, 84, 82, 81, 80, 79, 78, 77, 76, 75, 74, 72, 71, 70, 69, 68),
        TWICE16(67, 66, 65, 64, 63, 62, 61, 60, 60, 59, 58, 57, 56, 55, 54, 53),
        TWICE16(52, 51, 51, 50, 49, 48, 47, 46, 46, 45, 44, 43, 42, 42, 41, 40),
        TWICE16(39, 38, 38, 37, 36, 35, 35, 34, 33, 33, 32, 31, 30, 30, 29, 28),
        TWICE16(28, 27, 26, 26, 25, 24, 24, 23, 22, 22, 21, 20, 20, 19, 19, 18),
        TWICE16(17, 17, 16, 16, 15, 14, 14, 13, 13, 12, 11, 11, 10, 10, 9, 9),
        TWICE16(8, 8, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0),
        TWICE16(255, 253, 251, 249, 247, 245, 243, 242, 240, 238, 236, 234, 233, 231, 229, 228),
        TWICE16(226, 224, 223, 221, 219, 218, 216, 215, 213, 212, 210, 209, 207, 206, 204, 203),
        TWICE16(201, 200, 198, 197, 196, 194, 193, 192, 190, 189, 188, 186, 185, 184, 183, 181),
        TWICE16(180, 179, 178, 176, 175, 174, 173, 172, 170, 169, 168, 167, 166, 165, 164, 163),
        TWICE16(162, 160, 159, 158, 157, 156, 155, 154, 153, 152, 151, 150, 149, 148, 147, 146),
        TWICE16(145, 144, 143, 142, 141, 140, 140, 139, 138, 137, 136, 135, 134, 133, 132, 131),
        TWICE16(131, 130, 129, 128, 127, 126, 126, 125, 124, 123, 122, 121, 121, 120, 119, 118),
        TWICE16(118, 117, 116, 115, 114, 114, 113, 112, 111, 111, 110, 109, 109, 108, 107, 106)},
};
// clang-format on
