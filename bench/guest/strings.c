/* strings.c - the C library's string functions, hashing of words, formatting. */
#include "k.h"

static uint64_t kernel(long n)
{
    static char text[65536], copy[65536];
    uint64_t seed = 99, h = 0;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        uint64_t r = k_rand(&seed);
        text[i] = r % 6 == 0 ? ' ' : (char)('a' + r % 26);
    }
    for (long r = 0; r < n * 60; r++) {
        strcpy(copy, text);
        for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
            size_t len = strlen(w);
            for (size_t i = 0; i < len; i++) {
                h = (h ^ (unsigned char)w[i]) * 0x100000001b3u;
            }
            h += strchr(w, 'q') != NULL;
        }
        h += strstr(text, "zzzq") ? 1 : 2;
        h += memchr(text, '~', sizeof text) ? 1 : 3;
        for (int i = 0; i < 1000; i++) {
            char line[64];
            h += (uint64_t)snprintf(line, sizeof line, "%d %s %x", i * 77, "word", i);
            h = h * 31 + (uint64_t)line[3];
        }
        memmove(copy + 1, copy, sizeof copy - 1);
        h += (uint64_t)memcmp(copy, text, 100) & 1;
    }
    return h;
}
