/* pixels.c - integer loops that compilers make vectors of: blending, a box filter, a histogram of differences. */
#include "k.h"

enum { W = 512, H = 256 };
static uint8_t a[H][W], b[H][W], c[H][W];
static int16_t t[H][W];

static uint64_t kernel(long n)
{
    uint64_t seed = 3, h = 0;
    for (int i = 0; i < W * H; i++) {
        a[i / W][i % W] = (uint8_t)k_rand(&seed);
        b[i / W][i % W] = (uint8_t)k_rand(&seed);
    }
    for (long r = 0; r < n * 100; r++) {
        unsigned k = (unsigned)r & 255;
        for (int y = 0; y < H; y++) {
            for (int x = 0; x < W; x++) {
                c[y][x] = (uint8_t)((a[y][x] * k + b[y][x] * (255 - k) + 128) >> 8);
            }
        }
        for (int y = 1; y < H - 1; y++) {
            for (int x = 0; x < W; x++) {
                t[y][x] = (int16_t)(c[y - 1][x] + 2 * c[y][x] + c[y + 1][x]);
            }
        }
        uint32_t sum = 0;
        for (int y = 0; y < H; y++) {
            for (int x = 0; x < W; x++) {
                int d = a[y][x] - c[y][x];
                sum += (uint32_t)(d < 0 ? -d : d) + (uint32_t)(t[y][x] > 500);
                b[y][x] = c[y][x] > 200 ? 200 : c[y][x];
            }
        }
        h = h * 31 + sum;
    }
    return h;
}
