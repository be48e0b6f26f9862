/* pmu.c - in the guest: performance counters by perf_event_open count what was executed, and tell of overflows.
 *
 * User instructions of a loop whose length is known are counted to within what the system calls around it take; kernel
 * instructions and cycles count; a counter with a period sends a signal each time it is over.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 10000000, CALLS = 10000, PERIOD = 1000000 };
static volatile sig_atomic_t overflows;

static int counter(uint64_t event, int user, int kernel, uint64_t period)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE, .size = sizeof a, .config = event, .disabled = 1};
    a.exclude_kernel = !kernel;
    a.exclude_user = !user;
    a.exclude_hv = 1;
    a.sample_period = period;
    a.wakeup_events = 1;
    int fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
    if (fd < 0) {
        perror("perf_event_open");
        exit(1);
    }
    return fd;
}

static uint64_t stop(int fd)
{
    uint64_t n = 0;
    ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
    if (read(fd, &n, sizeof n) != sizeof n) {
        exit(1);
    }
    close(fd);
    return n;
}

static void loop(uint64_t rounds)
{
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(rounds)::"cc");
}

static void expect(const char *what, uint64_t n, uint64_t least, uint64_t most)
{
    int good = n >= least && n <= most;
    printf("pmu: %s %llu%s\n", what, (unsigned long long)n, good ? "" : " is WRONG");
    if (!good) {
        exit(1);
    }
}

static void on_overflow(int signal)
{
    (void)signal;
    overflows++;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(void)
{
    int user = counter(PERF_COUNT_HW_INSTRUCTIONS, 1, 0, 0), both = counter(PERF_COUNT_HW_INSTRUCTIONS, 1, 1, 0);
    ioctl(both, PERF_EVENT_IOC_ENABLE, 0);
    ioctl(user, PERF_EVENT_IOC_ENABLE, 0);
    loop(ROUNDS);
    expect("user instructions", stop(user), 2 * ROUNDS, 2 * ROUNDS + 1000);
    expect("all instructions", stop(both), 2 * ROUNDS, 3 * ROUNDS);

    int kernel = counter(PERF_COUNT_HW_INSTRUCTIONS, 0, 1, 0);
    ioctl(kernel, PERF_EVENT_IOC_ENABLE, 0);
    for (int k = 0; k < CALLS; k++) {
        syscall(SYS_getppid);
    }
    expect("kernel instructions", stop(kernel), 30 * CALLS, 3000 * CALLS);

    int cycles = counter(PERF_COUNT_HW_CPU_CYCLES, 1, 1, 0);
    uint64_t from = now();
    ioctl(cycles, PERF_EVENT_IOC_ENABLE, 0);
    loop(ROUNDS);
    uint64_t n = stop(cycles), took = now() - from;
    expect("cycles", n, 1000000, took);

    struct sigaction act = {.sa_handler = on_overflow, .sa_flags = SA_RESTART};
    sigaction(SIGIO, &act, NULL);
    int sample = counter(PERF_COUNT_HW_INSTRUCTIONS, 1, 0, PERIOD);
    fcntl(sample, F_SETFL, O_ASYNC);
    fcntl(sample, F_SETOWN, getpid());
    ioctl(sample, PERF_EVENT_IOC_ENABLE, 0);
    loop(5 * ROUNDS);
    stop(sample);
    expect("overflows", (uint64_t)overflows, 5, 2 * 5 * ROUNDS / PERIOD);
    puts("pmu: all is counted");
    return 0;
}
