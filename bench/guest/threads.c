/* threads.c - makes threads that do next to nothing, one after another. */
#include "k.h"
#include <pthread.h>

static void *work(void *arg)
{
    return (char *)arg + 3;
}

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    for (long i = 0; i < n * 1000; i++) {
        pthread_t t;
        void *r;
        if (pthread_create(&t, NULL, work, (void *)i) != 0 || pthread_join(t, &r) != 0) {
            return 0;
        }
        h = h * 31 + (uint64_t)r;
    }
    return h;
}
