// sigstorm.c - asynchronous signals at a high rate into code that keeps much state in registers:
// integer, floating-point and vector loops, calls, atomics.  Nothing may be lost.
// test: secs=60 libs=-lm
#define _GNU_SOURCE
#include "t.h"
#include <fenv.h>
#include <math.h>
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static volatile double junk;
static volatile uint64_t junk_int;

static void on_tick(int sig)
{
    (void)sig;
    ticks++;
    double d = 1.0 / 3.0;
    uint64_t u = 1;
    for (int i = 1; i < 30; i++) {
        d = d * i + sqrt(d);
        u = u * 77 + (uint64_t)i;
    }
    junk = d;
    junk_int = u;
    fesetround(FE_UPWARD);
}

static __attribute__((noinline)) uint64_t leaf(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return (a ^ b << 3) + (c | d >> 5);
}

static uint64_t work(int rounds)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, atomic = 0;
    double x = 1.5, y = 2.5, z = 3.5;
    float v[16];
    uint32_t w[16];
    for (int i = 0; i < 16; i++) {
        v[i] = (float)i;
        w[i] = (uint32_t)i * 77;
    }
    for (int i = 0; i < rounds; i++) {
        a += b ^ c; b = b * 3 + d; c -= e; d ^= f << 1; e += g >> 3; f = f * 5 + 1; g ^= h; h += a;
        if ((a & 7) < 3) {
            a = leaf(a, b, c, d);
        }
        x = x * 0.999 + y; y = y - x / 1000.25; z = sqrt(z * z + 1.0);
        for (int k = 0; k < 16; k++) {
            v[k] = v[k] * 0.5f + (float)k;
            w[k] = w[k] * 3 + (w[k] >> 7);
        }
        __atomic_fetch_add(&atomic, 3, __ATOMIC_SEQ_CST);
    }
    uint64_t s = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ atomic;
    s = t_hash(s, &x, 8);
    s = t_hash(s, &y, 8);
    s = t_hash(s, &z, 8);
    s = t_hash(s, v, sizeof v);
    return t_hash(s, w, sizeof w);
}

int main(void)
{
    uint64_t want = work(3000);
    struct sigaction sa = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    struct itimerval it = {{0, 500}, {0, 500}}, off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &it, NULL);
    int wrong = 0, rounds = 0;
    while (ticks < 800) {
        wrong += work(3000) != want;
        rounds++;
        CHECK(fegetround() == FE_TONEAREST);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    CHECK(rounds > 0 && wrong == 0);
    printf("work %016llx\n", (unsigned long long)want);

    /* A loop without calls ends only by the handler. */
    ticks = 0;
    it.it_interval.tv_usec = 0;
    it.it_value.tv_usec = 20000;
    setitimer(ITIMER_REAL, &it, NULL);
    while (!ticks) {
    }
    ok("tight loop");
    ticks = 0;
    setitimer(ITIMER_REAL, &it, NULL);
    volatile uint64_t n = 0;
    do {
        n++;
    } while (ticks == 0 && n < 1ull << 62);
    ok("counting loop");
    return done();
}
