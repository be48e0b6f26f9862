/* nbody.c - scalar double-precision arithmetic with square roots. */
#include "k.h"
#include <math.h>

static uint64_t kernel(long n)
{
    double p[5][7];
    for (int i = 0; i < 35; i++) {
        p[i / 7][i % 7] = (i % 7 == 6 ? 0.5 : 0.31) * (i + 1) + (i % 3) * 2.5;
    }
    for (long step = 0; step < n * 500000; step++) {
        for (int i = 0; i < 5; i++) {
            for (int j = i + 1; j < 5; j++) {
                double dx = p[i][0] - p[j][0], dy = p[i][1] - p[j][1], dz = p[i][2] - p[j][2];
                double r2 = dx * dx + dy * dy + dz * dz + 0.01;
                double m = 1e-5 / (r2 * sqrt(r2));
                p[i][3] -= dx * p[j][6] * m; p[i][4] -= dy * p[j][6] * m; p[i][5] -= dz * p[j][6] * m;
                p[j][3] += dx * p[i][6] * m; p[j][4] += dy * p[i][6] * m; p[j][5] += dz * p[i][6] * m;
            }
        }
        for (int i = 0; i < 5; i++) {
            p[i][0] += 1e-5 * p[i][3]; p[i][1] += 1e-5 * p[i][4]; p[i][2] += 1e-5 * p[i][5];
        }
    }
    uint64_t h;
    memcpy(&h, &p[0][0], 8);
    return h;
}
