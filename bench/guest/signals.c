/* signals.c - signals that a thread sends to itself and handles. */
#include "k.h"
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static void on_signal(int signo)
{
    seen += signo;
}

static uint64_t kernel(long n)
{
    signal(SIGUSR1, on_signal);
    for (long i = 0; i < n * 10000; i++) {
        raise(SIGUSR1);
    }
    return (uint64_t)seen / SIGUSR1;
}
