/* sha256.c - rotations and additions: SHA-256 in plain C (its constants are derived, not listed). */
#include "k.h"
#include <math.h>

static uint32_t ror(uint32_t x, int r)
{
    return x >> r | x << (32 - r);
}

static uint64_t kernel(long n)
{
    uint32_t k[64], h[8] = {0}, w[64];
    uint64_t seed = 1;
    for (int p = 2, c = 0; c < 64; p++) {
        int prime = 1;
        for (int d = 2; d * d <= p; d++) {
            prime &= p % d != 0;
        }
        if (prime) {
            double root = cbrt(p), square = sqrt(p);
            h[c & 7] = c < 8 ? (uint32_t)((square - floor(square)) * 4294967296.0) : h[c & 7];
            k[c++] = (uint32_t)((root - floor(root)) * 4294967296.0);
        }
    }
    for (long block = 0; block < n * 200000; block++) {
        uint32_t s[8];
        for (int i = 0; i < 16; i++) {
            w[i] = (uint32_t)k_rand(&seed);
        }
        for (int i = 16; i < 64; i++) {
            w[i] = w[i - 16] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
                   (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
        }
        memcpy(s, h, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
            uint32_t t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            s[7] = s[6]; s[6] = s[5]; s[5] = s[4]; s[4] = s[3] + t1;
            s[3] = s[2]; s[2] = s[1]; s[1] = s[0]; s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) {
            h[i] += s[i];
        }
    }
    return (uint64_t)h[0] << 32 | h[7];
}
