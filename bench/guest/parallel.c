/* parallel.c - four threads count primes, hash their results under a mutex and meet at barriers. */
#include "k.h"
#include <pthread.h>

enum { T = 4 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static uint64_t found, digest, rounds;
static long units;

static void *work(void *arg)
{
    long me = (long)arg;
    for (long r = 0; r < units; r++) {
        uint64_t mine = 0;
        for (long i = me * 2 + 1 + r * 200000; i < (r + 1) * 200000; i += 2 * T) {
            int prime = i > 1;
            for (long d = 3; d * d <= i && prime; d += 2) {
                prime = i % d != 0;
            }
            mine += (uint64_t)prime;
        }
        pthread_mutex_lock(&mutex);
        found += mine;
        digest ^= mine * 0x9e3779b97f4a7c15u * (uint64_t)(me + 1);
        pthread_mutex_unlock(&mutex);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            rounds++;
        }
    }
    return NULL;
}

static uint64_t kernel(long n)
{
    pthread_t t[T];
    units = n * 5;
    pthread_barrier_init(&barrier, NULL, T);
    for (long i = 0; i < T; i++) {
        pthread_create(&t[i], NULL, work, (void *)i);
    }
    for (int i = 0; i < T; i++) {
        pthread_join(t[i], NULL);
    }
    printf("%llu primes in %llu rounds by %d threads\n", (unsigned long long)found + 1,
           (unsigned long long)rounds, T);
    return digest;
}
