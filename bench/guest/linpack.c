/* linpack.c - a dense system of equations by Gaussian elimination with pivoting, doubles. */
#include "k.h"
#include <math.h>

enum { N = 200 };
static double a[N][N + 1];

static uint64_t kernel(long n)
{
    double sum = 0;
    for (long r = 0; r < n * 10; r++) {
        uint64_t seed = (uint64_t)r + 17;
        for (int i = 0; i < N; i++) {
            for (int j = 0; j <= N; j++) {
                a[i][j] = (double)(k_rand(&seed) & 0xffff) / 65536 - 0.5;
            }
        }
        for (int c = 0; c < N; c++) {
            int p = c;
            for (int i = c + 1; i < N; i++) {
                p = fabs(a[i][c]) > fabs(a[p][c]) ? i : p;
            }
            for (int j = c; j <= N; j++) {
                double t = a[c][j];
                a[c][j] = a[p][j];
                a[p][j] = t;
            }
            for (int i = c + 1; i < N; i++) {
                double m = a[i][c] / a[c][c];
                for (int j = c; j <= N; j++) {
                    a[i][j] -= m * a[c][j];
                }
            }
        }
        for (int i = N - 1; i >= 0; i--) {
            double x = a[i][N];
            for (int j = i + 1; j < N; j++) {
                x -= a[i][j] * a[j][N];
            }
            a[i][N] = x / a[i][i];
        }
        sum += a[0][N];
    }
    return (uint64_t)(int64_t)(sum * 1e6);
}
