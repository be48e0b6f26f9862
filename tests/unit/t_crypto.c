/* t_crypto.c - the cryptographic evaluation functions against published examples.
 *
 * Each test runs a whole algorithm the way a guest's library does, with one evaluation function per instruction:
 * FIPS 197 C.1 and C.3 (AES), the "abc" of FIPS 180-4 (SHA), GB/T 32905 A.1 (SM3), GB/T 32907 A.1 (SM4), the
 * usual check value (CRC32). Round constants of SHA-2 are computed: roots of primes.
 */
#include <criterion/criterion.h>
#include <gmp.h>
#include <stdio.h>

#include "eval.h"

#define EV_K(x, y, imm) ((uint32_t)(x) | (uint32_t)(y) << 8 | (uint32_t)(imm) << 16)

static V128 ev(IrEval *f, V128 a, V128 b, V128 c, uint32_t k)
{
    FpEnv env = {0, 0};
    V128 r;
    f(&env, &r, &a, &b, &c, k);
    return r;
}

static V128 ev2(IrEval *f, V128 a, V128 b)
{
    return ev(f, a, b, (V128){.d = {0, 0}}, 0);
}

static V128 hex128(const char *s)
{
    V128 v;
    for (unsigned i = 0; i < 16; i++) {
        unsigned byte = 0;
        sscanf(s + 2 * i, "%2x", &byte);
        v.b[i] = (uint8_t)byte;
    }
    return v;
}

static bool same(V128 a, V128 b)
{
    return a.d[0] == b.d[0] && a.d[1] == b.d[1];
}

static uint32_t rol(uint32_t v, unsigned n)
{
    n %= 32;
    return n ? v << n | v >> (32 - n) : v;
}

/* Low 64 fraction bits of the square (n = 2) or cube (n = 3) root of the i-th prime. */
static uint64_t prime_root(unsigned i, unsigned n)
{
    unsigned p = 1;
    for (unsigned seen = 0; seen <= i;) {
        p++;
        bool prime = true;
        for (unsigned d = 2; d * d <= p; d++) {
            prime = prime && p % d;
        }
        seen += prime;
    }
    mpz_t z;
    mpz_init_set_ui(z, p);
    mpz_mul_2exp(z, z, 64 * n);
    mpz_root(z, z, n);
    uint64_t v = mpz_get_ui(z);
    mpz_clear(z);
    return v;
}

/* -- AES ---------------------------------------------------------------------------------------------- */

static uint32_t aes_sub_word(uint32_t w)
{
    return ev2(ev_v_aes_last, (V128){.s = {w, w, w, w}}, (V128){.d = {0, 0}}).s[0];
}

/* Expands a key of nk words; returns the number of rounds. */
static unsigned aes_expand(const V128 *key, unsigned nk, V128 *round_key)
{
    uint32_t *w = round_key->s, rcon = 1;
    unsigned rounds = nk + 6;
    memcpy(w, key, 4 * nk);
    for (unsigned i = nk; i < 4 * (rounds + 1); i++) {
        uint32_t t = w[i - 1];
        if (i % nk == 0) {
            t = aes_sub_word(t >> 8 | t << 24) ^ rcon;
            rcon = rcon << 1 ^ (rcon & 0x80 ? 0x11b : 0);
        } else if (nk > 6 && i % nk == 4) {
            t = aes_sub_word(t);
        }
        w[i] = w[i - nk] ^ t;
    }
    return rounds;
}

Test(crypto, aes)
{
    static const struct {
        unsigned nk;
        const char *key[2], *cipher;
    } rows[] = {
        {4, {"000102030405060708090a0b0c0d0e0f", "00000000000000000000000000000000"}, "69c4e0d86a7b0430d8cdb78070b4c55a"},
        {8, {"000102030405060708090a0b0c0d0e0f", "101112131415161718191a1b1c1d1e1f"}, "8ea2b7ca516745bfeafc49904b496089"},
    };
    const V128 plain = hex128("00112233445566778899aabbccddeeff"), zero = {.d = {0, 0}};
    for (unsigned i = 0; i < LEN(rows); i++) {
        V128 key[2] = {hex128(rows[i].key[0]), hex128(rows[i].key[1])}, rk[15];
        unsigned n = aes_expand(key, rows[i].nk, rk);
        V128 s = ev2(ev_v_xor, plain, rk[0]), u = s;
        for (unsigned r = 1; r < n; r++) {
            s = ev2(ev_v_aes_enc, s, rk[r]);
            u = ev2(ev_v_aes_mc, ev2(ev_v_aes_last, u, zero), zero);
            u = ev2(ev_v_xor, u, rk[r]);
        }
        s = ev2(ev_v_aes_last, s, rk[n]);
        cr_expect(same(s, hex128(rows[i].cipher)), "row %u", i);
        cr_expect(same(ev2(ev_v_aes_last, u, rk[n]), s), "row %u, mixing apart", i);

        V128 d = ev2(ev_v_xor, s, rk[n]);
        u = d;
        for (unsigned r = n - 1; r > 0; r--) {
            V128 k = ev2(ev_v_aes_imc, rk[r], zero);
            d = ev2(ev_v_aes_dec, d, k);
            u = ev2(ev_v_xor, ev2(ev_v_aes_imc, ev2(ev_v_aes_ilast, u, zero), zero), k);
        }
        cr_expect(same(ev2(ev_v_aes_ilast, d, rk[0]), plain), "row %u, decryption", i);
        cr_expect(same(ev2(ev_v_aes_ilast, u, rk[0]), plain), "row %u, decryption, mixing apart", i);
    }
}

/* -- SHA ---------------------------------------------------------------------------------------------- */

/* The one block of the message "abc": big-endian words of 32 bits, padded. */
static const uint32_t abc_block[16] = {[0] = 0x61626380, [15] = 24};

Test(crypto, sha1)
{
    static const uint32_t constant[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    static const int kind[4] = {SHA1_CHOOSE, SHA1_PARITY, SHA1_MAJORITY, SHA1_PARITY};
    static const uint32_t want[5] = {0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c, 0x9cd0d89d};
    V128 h = {.s = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}}, abcd = h, w[20];
    uint32_t h4 = 0xc3d2e1f0, e = h4;
    memcpy(w, abc_block, sizeof abc_block);
    for (unsigned i = 0; i < 20; i++) {
        if (i >= 4) {
            V128 su0 = ev(ev_v_ext, w[i - 4], w[i - 3], w[i - 2], EV_K(E_B, 0, 8));
            su0 = ev2(ev_v_xor, ev2(ev_v_xor, su0, w[i - 4]), w[i - 2]);
            w[i] = ev2(ev_v_sha1_su1, su0, w[i - 1]);
        }
        V128 m = w[i];
        for (unsigned j = 0; j < 4; j++) {
            m.s[j] += constant[i / 5];
        }
        uint32_t next_e = rol(abcd.s[0], 30);
        abcd = ev(ev_v_sha1_hash, abcd, (V128){.s = {e, 1, 2, 3}}, m, EV_K(E_S, 0, kind[i / 5]));
        e = next_e;
    }
    for (unsigned j = 0; j < 4; j++) {
        cr_expect_eq(abcd.s[j] + h.s[j], want[j]);
    }
    cr_expect_eq(e + h4, want[4]);
}

Test(crypto, sha256)
{
    static const uint32_t want[8] = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                     0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
    V128 state[2], h[2], w[16];
    for (unsigned i = 0; i < 8; i++) {
        h[i / 4].s[i % 4] = (uint32_t)(prime_root(i, 2) >> 32);
    }
    memcpy(state, h, sizeof h);
    memcpy(w, abc_block, sizeof abc_block);
    for (unsigned i = 0; i < 16; i++) {
        if (i >= 4) {
            V128 t = ev2(ev_v_sha256_su0, w[i - 4], w[i - 3]);
            V128 mid = ev(ev_v_ext, w[i - 2], w[i - 1], t, EV_K(E_B, 0, 4));
            w[i] = ev2(ev_v_sha256_msg2, ev(ev_v_add, t, mid, t, EV_K(E_S, 0, 0)), w[i - 1]);
        }
        V128 m = w[i];
        for (unsigned j = 0; j < 4; j++) {
            m.s[j] += (uint32_t)(prime_root(4 * i + j, 3) >> 32);
        }
        V128 abef = {.s = {state[1].s[1], state[1].s[0], state[0].s[1], state[0].s[0]}};
        V128 cdgh = {.s = {state[1].s[3], state[1].s[2], state[0].s[3], state[0].s[2]}};
        V128 high = {.d = {m.d[1], m.d[0]}};
        cdgh = ev(ev_v_sha256_rnds2, cdgh, abef, m, 0);
        abef = ev(ev_v_sha256_rnds2, abef, cdgh, high, 0);
        state[0] = (V128){.s = {abef.s[3], abef.s[2], cdgh.s[3], cdgh.s[2]}};
        state[1] = (V128){.s = {abef.s[1], abef.s[0], cdgh.s[1], cdgh.s[0]}};
    }
    for (unsigned i = 0; i < 8; i++) {
        cr_expect_eq(state[i / 4].s[i % 4] + h[i / 4].s[i % 4], want[i], "word %u", i);
    }
}

static uint64_t sha512_s(uint64_t v, unsigned a, unsigned b, unsigned c)
{
    return bits_ror(v, a, 64) ^ bits_ror(v, b, 64) ^ v >> c;
}

Test(crypto, sha512)
{
    static const uint64_t want[8] = {0xddaf35a193617aba, 0xcc417349ae204131, 0x12e6fa4e89a97ea2, 0x0a9eeee64b55d39a,
                                     0x2192992a274fc1a8, 0x36ba3c23a3feebbd, 0x454d4423643ce80e, 0x2a9ac94fa54ca49f};
    uint64_t w[80] = {[0] = 0x6162638000000000, [15] = 24};
    V128 h[4], s[4];
    for (unsigned i = 0; i < 8; i++) {
        h[i / 2].d[i % 2] = prime_root(i, 2);
    }
    memcpy(s, h, sizeof h);
    for (unsigned i = 0; i < 80; i += 2) {
        uint64_t kw[2];
        for (unsigned j = i; j < i + 2; j++) {
            if (j >= 16) {
                w[j] = sha512_s(w[j - 2], 19, 61, 6) + w[j - 7] + sha512_s(w[j - 15], 1, 8, 7) + w[j - 16];
            }
            kw[j - i] = w[j] + prime_root(j, 3);
        }
        V128 gh = {.d = {s[3].d[0] + kw[1], s[3].d[1] + kw[0]}}, fg = {.d = {s[2].d[1], s[3].d[0]}};
        V128 de = {.d = {s[1].d[1], s[2].d[0]}}, cd = s[1];
        gh = ev(ev_v_sha512_hash, gh, fg, de, EV_K(E_D, 0, 0));
        V128 ef = {.d = {cd.d[0] + gh.d[0], cd.d[1] + gh.d[1]}};
        gh = ev(ev_v_sha512_hash, gh, cd, s[0], EV_K(E_D, 0, 1));
        s[3] = s[2];
        s[2] = ef;
        s[1] = s[0];
        s[0] = gh;
    }
    for (unsigned i = 0; i < 8; i++) {
        cr_expect_eq(s[i / 2].d[i % 2] + h[i / 2].d[i % 2], want[i], "word %u", i);
    }
}

/* -- SM3, SM4 ----------------------------------------------------------------------------------------- */

Test(crypto, sm3)
{
    static const uint32_t iv[8] = {0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600,
                                   0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e};
    static const uint32_t want[8] = {0x66c7f0f4, 0x62eeedd9, 0xd1f2d46b, 0xdc10e4e2,
                                     0x4167c487, 0x5cf2f7a2, 0x297da02b, 0x8f4ba8e0};
    uint32_t w[68];
    V128 abcd = {.s = {iv[3], iv[2], iv[1], iv[0]}}, efgh = {.s = {iv[7], iv[6], iv[5], iv[4]}};
    memcpy(w, abc_block, sizeof abc_block);
    for (unsigned i = 16; i < 68; i += 4) {
        V128 part[6]; /* from i - 16, - 9, - 4, - 6, - 13 */
        static const unsigned back[5] = {16, 9, 4, 6, 13};
        for (unsigned j = 0; j < 5; j++) {
            memcpy(&part[j], &w[i - back[j]], sizeof part[j]);
        }
        part[5] = ev(ev_v_sm3_partw, part[0], part[1], part[2], EV_K(E_S, 0, 0));
        part[5] = ev(ev_v_sm3_partw, part[5], part[3], part[4], EV_K(E_S, 0, 1));
        memcpy(&w[i], &part[5], sizeof part[5]);
    }
    for (unsigned i = 0; i < 64; i++) {
        uint32_t t = rol(i < 16 ? 0x79cc4519 : 0x7a879d8a, i);
        V128 ss1 = {.s = {0, 0, 0, rol(rol(abcd.s[3], 12) + efgh.s[3] + t, 7)}}, m1 = ss1, m2 = ss1;
        m1.s[i % 4] = w[i] ^ w[i + 4];
        m2.s[i % 4] = w[i];
        int lane = SM3TT_LANE * (int)(i % 4);
        abcd = ev(ev_v_sm3_tt, abcd, ss1, m1, EV_K(E_S, 0, lane | (i < 16 ? SM3TT_1A : SM3TT_1B)));
        efgh = ev(ev_v_sm3_tt, efgh, ss1, m2, EV_K(E_S, 0, lane | (i < 16 ? SM3TT_2A : SM3TT_2B)));
    }
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_eq(abcd.s[3 - i] ^ iv[i], want[i], "word %u", i);
        cr_expect_eq(efgh.s[3 - i] ^ iv[i + 4], want[i + 4], "word %u", i + 4);
    }
}

Test(crypto, sm4)
{
    static const uint32_t fk[4] = {0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc};
    const V128 in = {.s = {0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210}};
    V128 key, x = in;
    for (unsigned i = 0; i < 4; i++) {
        key.s[i] = in.s[i] ^ fk[i];
    }
    for (unsigned i = 0; i < 8; i++) {
        V128 ck = {.d = {0, 0}};
        for (unsigned j = 0; j < 16; j++) {
            ck.s[j / 4] = ck.s[j / 4] << 8 | ((16 * i + j) * 7 & 255);
        }
        key = ev2(ev_v_sm4_key, key, ck);
        x = ev2(ev_v_sm4_enc, x, key);
    }
    cr_expect(same(x, (V128){.s = {0x536e4246, 0x86b3e94f, 0xd206965e, 0x681edf34}}));
}

/* -- rotation, CRC32 ------------------------------------------------------------------------------------ */

Test(crypto, ror)
{
    V128 a = {.d = {0x8000000100000003, 0x0123456789abcdef}}, r;
    r = ev(ev_v_ror_i, a, a, a, EV_K(E_S, 0, 1));
    cr_expect(same(r, (V128){.s = {0x80000001, 0xc0000000, 0xc4d5e6f7, 0x8091a2b3}}));
    r = ev(ev_v_ror_i, a, a, a, EV_K(E_D, 0, 4));
    cr_expect(same(r, (V128){.d = {0x3800000010000000, 0xf0123456789abcde}}));
}

Test(crypto, crc32)
{
    static const char text[] = "123456789";
    static const uint32_t want[2] = {0xcbf43926, 0xe3069283};
    for (unsigned poly = 0; poly < 2; poly++) {
        for (unsigned log2size = 0; log2size < 4; log2size++) {
            uint32_t acc = ~0u;
            for (unsigned i = 0; i < 9;) {
                unsigned step = i + (1u << log2size) <= 9 ? log2size : 0;
                V128 data = {.d = {~0ull, ~0ull}};
                memcpy(&data, &text[i], 1u << step);
                acc = ev(ev_crc32, (V128){.s = {acc}}, data, data, EV_K(step, poly, 0)).s[0];
                i += 1u << step;
            }
            cr_expect_eq(~acc, want[poly], "polynomial %u, steps of %u bytes", poly, 1u << log2size);
        }
    }
}
