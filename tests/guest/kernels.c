// kernels.c - whole small algorithms with a checksum each: sorting, hashing, an interpreter,
// matrices, n bodies, strings, a sieve, big numbers, compression.
// test: interp libs=-lm secs=60
#include "t.h"
#include <math.h>

static void show(const char *name, uint64_t h)
{
    printf("%-10s %016llx\n", name, (unsigned long long)h);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sorting(void)
{
    static uint32_t a[5000];
    uint64_t seed = 5;
    for (int i = 0; i < 5000; i++) {
        a[i] = (uint32_t)t_rand(&seed);
    }
    qsort(a, 5000, 4, by_value);
    for (int i = 1; i < 5000; i++) {
        CHECK(a[i - 1] <= a[i]);
    }
    show("qsort", t_hash(T_HASH, a, sizeof a));
}

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* SHA-256's round constants are the fractions of cube roots; computed here, not listed. */
static void sha256(const uint8_t *msg, size_t n, uint32_t h[8])
{
    static uint32_t k[64];
    int primes = 0;
    for (int p = 2; primes < 64; p++) {
        int prime = 1;
        for (int d = 2; d * d <= p; d++) {
            prime &= p % d != 0;
        }
        if (prime) {
            double root = cbrt(p), square = sqrt(p);
            k[primes] = (uint32_t)((root - floor(root)) * 4294967296.0);
            if (primes < 8) {
                h[primes] = (uint32_t)((square - floor(square)) * 4294967296.0);
            }
            primes++;
        }
    }
    for (size_t at = 0; at + 64 <= n; at += 64) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++) {
            uint32_t v;
            memcpy(&v, msg + at + 4 * i, 4);
            w[i] = __builtin_bswap32(v);
        }
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] +
                   (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
        }
        memcpy(s, h, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
            uint32_t t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 28);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) {
            h[i] += s[i];
        }
    }
}

static void hashing(void)
{
    static uint8_t msg[6400];
    uint32_t h[8];
    for (size_t i = 0; i < sizeof msg; i++) {
        msg[i] = (uint8_t)(i * i + 3 * i);
    }
    sha256(msg, sizeof msg, h);
    show("sha256", t_hash(T_HASH, h, sizeof h));
    uint32_t crc = ~0u;
    for (size_t i = 0; i < sizeof msg; i++) {
        crc ^= msg[i];
        for (int b = 0; b < 8; b++) {
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
        }
    }
    show("crc32", ~crc);
}

/* A byte-code machine, dispatched by switch and by computed goto. */
static uint64_t machine(int steps, int by_goto)
{
    static const uint8_t code[] = {0, 3, 1, 5, 2, 4, 3, 6, 0, 1, 7, 2, 5, 4, 8, 3};
    static void *const labels[] = {&&l0, &&l1, &&l2, &&l3, &&l4, &&l5, &&l6, &&l7, &&l8};
    uint64_t a = 1, b = 2, s[8] = {0};
    unsigned sp = 0, pc = 0;
#define NEXT goto next
    for (;;) {
        uint8_t op;
    next:
        if (steps-- <= 0) {
            break;
        }
        op = code[pc++ % sizeof code];
        if (by_goto) {
            goto *labels[op];
        }
        switch (op) {
        case 0: l0: a += b; NEXT;
        case 1: l1: b ^= a << 3; NEXT;
        case 2: l2: s[sp++ & 7] = a; NEXT;
        case 3: l3: a = a * 31 + 7; NEXT;
        case 4: l4: b += s[--sp & 7]; NEXT;
        case 5: l5: a = a >> 5 | a << 59; NEXT;
        case 6: l6: pc += a & 1; NEXT;
        case 7: l7: a -= b >> 1; NEXT;
        case 8: l8: b = ~b; NEXT;
        }
    }
    return a ^ b;
}

static void matrices(void)
{
    enum { M = 40 };
    static float a[M][M], b[M][M], c[M][M];
    for (int i = 0; i < M * M; i++) {
        a[i / M][i % M] = (float)(i % 17) - 8;
        b[i / M][i % M] = (float)(i % 13) / 4;
        c[i / M][i % M] = 0;
    }
    for (int i = 0; i < M; i++) {
        for (int k = 0; k < M; k++) {
            for (int j = 0; j < M; j++) {
                c[i][j] += a[i][k] * b[k][j];
            }
        }
    }
    show("matmul", t_hash(T_HASH, c, sizeof c));
}

static void bodies(void)
{
    double p[5][7];
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 7; j++) {
            p[i][j] = (i + 1) * 0.37 + j * 1.13 - 0.01 * i * j;
        }
    }
    for (int step = 0; step < 2000; step++) {
        for (int i = 0; i < 5; i++) {
            for (int j = i + 1; j < 5; j++) {
                double d[3], r = 0;
                for (int k = 0; k < 3; k++) {
                    d[k] = p[i][k] - p[j][k];
                    r += d[k] * d[k];
                }
                double m = 1e-4 / (r * sqrt(r));
                for (int k = 0; k < 3; k++) {
                    p[i][3 + k] -= d[k] * p[j][6] * m;
                    p[j][3 + k] += d[k] * p[i][6] * m;
                }
            }
        }
        for (int i = 0; i < 5; i++) {
            for (int k = 0; k < 3; k++) {
                p[i][k] += 1e-4 * p[i][3 + k];
            }
        }
    }
    show("nbody", t_hash(T_HASH, p, sizeof p));
}

static void text(void)
{
    char buffer[4096] = "";
    size_t at = 0;
    for (int i = 0; at < sizeof buffer - 64; i++) {
        at += (size_t)snprintf(buffer + at, 64, "%d:%x:%s:%.3f;", i * 7919, i * 31, i & 1 ? "odd" : "even",
                               i / 7.0);
    }
    uint64_t h = T_HASH, words = 0;
    for (char *w = strtok(buffer, ";"); w; w = strtok(NULL, ";"), words++) {
        char *colon = strchr(w, ':');
        long v = strtol(w, NULL, 10);
        h = t_hash(h, &v, sizeof v);
        h = t_hash(h, colon, strlen(colon));
        h += strstr(w, "odd") ? 1 : 2;
    }
    show("text", h + words);
}

static void big_numbers(void)
{
    /* 300 digits of e by the spigot, then 200! by long multiplication. */
    enum { D = 300 };
    int a[D + 2];
    char digits[D];
    for (int i = 0; i < D + 2; i++) {
        a[i] = 1;
    }
    for (int d = 0; d < D; d++) {
        int carry = 0;
        for (int i = D + 1; i > 0; i--) {
            int v = a[i] * 10 + carry;
            a[i] = v % (i + 1);
            carry = v / (i + 1);
        }
        digits[d] = (char)('0' + carry % 10);
    }
    show("digits", t_hash(T_HASH, digits, sizeof digits));
    uint32_t n[60] = {1};
    for (uint32_t m = 2; m <= 200; m++) {
        uint64_t carry = 0;
        for (int i = 0; i < 60; i++) {
            carry += (uint64_t)n[i] * m;
            n[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    show("factorial", t_hash(T_HASH, n, sizeof n));
}

static void sieve(void)
{
    static uint8_t composite[200000];
    uint64_t sum = 0;
    for (uint32_t i = 2; i < sizeof composite; i++) {
        if (!composite[i]) {
            sum += i;
            for (uint64_t j = (uint64_t)i * i; j < sizeof composite; j += i) {
                composite[j] = 1;
            }
        }
    }
    show("sieve", sum);
}

static unsigned fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static unsigned ackermann(unsigned m, unsigned n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(void)
{
    sorting();
    hashing();
    show("switch", machine(200000, 0));
    show("goto", machine(200000, 1));
    matrices();
    bodies();
    text();
    big_numbers();
    sieve();
    show("fib", fib(22));
    show("ackermann", ackermann(2, 60));
    return done();
}
