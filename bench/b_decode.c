/* b_decode.c - what decoding one A64 word costs.
 *
 *   b_decode [FILE]      FILE: raw A64 code to decode in its order, as objcopy -O binary writes it
 *
 * random: uniform 32-bit words.  samples: words of random rows, the worst case for branch prediction and
 * caches.  code: consecutive instructions, the case that matters; without FILE a short function.
 */
#include "isa_a64.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORDS = 1 << 16, ROUNDS = 64 };

static const uint64_t all_feats[2] = {UINT64_MAX, UINT64_MAX};

/* A loop over a string: what compilers make of small C functions. */
static const uint32_t function[] = {
    0xa9bd7bfd, 0x910003fd, 0xa90153f3, 0xf90013f5, 0xaa0003f3, 0xaa0103f4, 0x39400000, 0x340001e0,
    0x52800015, 0x51010401, 0x12001c21, 0x7100643f, 0x54000068, 0x321b0000, 0x39000260, 0x0b0002b5,
    0x91000673, 0x39400260, 0x35fffee0, 0xb9000295, 0xd2800000, 0xf94013f5, 0xa94153f3, 0xa8c37bfd,
    0xd65f03c0, 0x1e602821, 0x4ea18400, 0x9b027c20, 0x8b214c00, 0x97fffff0, 0x54000040, 0xd503201f,
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t random_word(void)
{
    static uint64_t s = 88172645463325252u;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return (uint32_t)(s >> 20);
}

static void measure(const char *what, const uint32_t *word, size_t n)
{
    size_t rounds = (size_t)ROUNDS * WORDS / n + 1, found = 0;
    A64 a;
    double start = now_ns();
    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < n; i++) {
            found += a64_decode(word[i], all_feats, &a);
        }
    }
    printf("decode %-8s %6.2f ns/word  %5.1f %% allocated\n", what,
           (now_ns() - start) / (double)(rounds * n), 100.0 * (double)found / (double)(rounds * n));
}

int main(int argc, char **argv)
{
    static uint32_t word[WORDS];
    for (size_t i = 0; i < WORDS; i++) {
        word[i] = random_word();
    }
    measure("random", word, WORDS);
    for (size_t i = 0; i < WORDS;) {
        i += a64_sample(1 + random_word() % (A64_ROW_COUNT - 1), random_word() % 16, &word[i]);
    }
    measure("samples", word, WORDS);
    if (argc > 1) {
        FILE *f = fopen(argv[1], "rb");
        size_t n = f ? fread(word, 4, WORDS, f) : 0;
        if (!n) {
            perror(argv[1]);
            return 1;
        }
        fclose(f);
        measure("code", word, n);
    } else {
        measure("code", function, sizeof function / sizeof *function);
    }
    return 0;
}
