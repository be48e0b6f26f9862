/* scale.c - the same work by one thread or, with a second argument, by more: how threads scale. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static long rounds, threads = 1;
static uint64_t result[64];

static void *work(void *arg)
{
    long me = (long)arg;
    for (long u = me; u < rounds; u += threads) {
        uint64_t h = (uint64_t)u;
        for (int i = 0; i < 2000000; i++) {
            h ^= h << 13;
            h ^= h >> 7;
            h ^= h << 17;
        }
        __atomic_fetch_add(&result[u % 64], h, __ATOMIC_RELAXED);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t[64];
    uint64_t h = 0;
    rounds = argc > 1 ? atol(argv[1]) * 16 : 16;
    threads = argc > 2 ? atol(argv[2]) : 1;
    for (long i = 0; i < threads; i++) {
        pthread_create(&t[i], NULL, work, (void *)i);
    }
    for (long i = 0; i < threads; i++) {
        pthread_join(t[i], NULL);
    }
    for (int i = 0; i < 64; i++) {
        h = h * 31 + result[i];
    }
    printf("%llx\n", (unsigned long long)h);
    return 0;
}
