/* mandel.c - the Mandelbrot set, doubles, scalar. */
#include "k.h"

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    for (long r = 0; r < n; r++) {
        for (int py = 0; py < 200; py++) {
            for (int px = 0; px < 300; px++) {
                double cx = px / 100.0 - 2, cy = py / 100.0 - 1, x = 0, y = 0;
                int i = 0;
                while (i < 200 && x * x + y * y <= 4) {
                    double t = x * x - y * y + cx;
                    y = 2 * x * y + cy;
                    x = t;
                    i++;
                }
                h = h * 31 + (uint64_t)i;
            }
        }
    }
    return h;
}
