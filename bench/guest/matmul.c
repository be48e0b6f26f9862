/* matmul.c - single-precision matrices: loops that the compiler makes vector code from. */
#include "k.h"

enum { M = 256 };
static float a[M][M], b[M][M], c[M][M];

static uint64_t kernel(long n)
{
    for (int i = 0; i < M * M; i++) {
        a[i / M][i % M] = (float)(i % 17) - 8;
        b[i / M][i % M] = (float)(i % 13) / 4;
    }
    for (long r = 0; r < n * 10; r++) {
        for (int i = 0; i < M; i++) {
            for (int k = 0; k < M; k++) {
                for (int j = 0; j < M; j++) {
                    c[i][j] += a[i][k] * b[k][j];
                }
            }
        }
        for (int i = 0; i < M * M; i++) {
            c[i / M][i % M] *= 0.5f;
        }
    }
    uint64_t h = 0;
    for (int i = 0; i < M * M; i++) {
        uint32_t u;
        memcpy(&u, &c[i / M][i % M], 4);
        h = h * 31 + u;
    }
    return h;
}
