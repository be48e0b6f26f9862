// timers.c - clocks, sleeps, POSIX timers, timerfd, signalfd, eventfd, epoll, poll, select.
// test: dyn interp secs=60
#define _GNU_SOURCE
#include "t.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t c)
{
    struct timespec ts;
    CHECK(clock_gettime(c, &ts) == 0 && ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static volatile sig_atomic_t fired, value;
static void on_timer(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)uc;
    fired++;
    if (si->si_code == SI_TIMER) {
        value = si->si_value.sival_int;
    }
}
static volatile int thread_fired;
static void on_thread(union sigval v)
{
    thread_fired = v.sival_int;
}

static void clocks(void)
{
    int64_t last = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t t = now(CLOCK_MONOTONIC);
        CHECK(t >= last);
        last = t;
    }
    int64_t a = now(CLOCK_REALTIME);
    struct timeval tv;
    gettimeofday(&tv, NULL);
    time_t t = time(NULL);
    CHECK(tv.tv_sec - a / 1000000000 <= 1 && t - a / 1000000000 <= 1);
    static const clockid_t all[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_BOOTTIME,
                                    CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_TAI};
    for (int i = 0; i < 6; i++) {
        CHECK(now(all[i]) > 0);
        struct timespec res;
        CHECK(clock_getres(all[i], &res) == 0 && res.tv_nsec > 0);
    }
    struct timespec ts;
    CHECK(clock_gettime(1234, &ts) == -1 && errno == EINVAL);
    a = now(CLOCK_MONOTONIC);
    ts = (struct timespec){0, 20000000};
    CHECK(nanosleep(&ts, NULL) == 0 && now(CLOCK_MONOTONIC) - a >= 20000000);
    a = now(CLOCK_MONOTONIC) + 10000000;
    ts = (struct timespec){a / 1000000000, a % 1000000000};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0 && now(CLOCK_MONOTONIC) >= a);
    ok("clocks");
}

static void posix_timers(void)
{
    struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGRTMIN + 2, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);
    timer_t t;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value = {.sival_int = 42}};
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
    struct itimerspec it = {{0, 1000000}, {0, 1000000}}, left;
    fired = 0;
    CHECK(timer_settime(t, 0, &it, NULL) == 0);
    while (fired < 5) {
        pause();
    }
    CHECK(timer_gettime(t, &left) == 0 && left.it_interval.tv_nsec == 1000000);
    CHECK(timer_delete(t) == 0 && value == 42);
    struct sigevent tev = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value = {.sival_int = 9}};
    CHECK(timer_create(CLOCK_REALTIME, &tev, &t) == 0);
    it = (struct itimerspec){{0, 0}, {0, 1000000}};
    CHECK(timer_settime(t, 0, &it, NULL) == 0);
    while (thread_fired != 9) {
        usleep(500);
    }
    timer_delete(t);
    fired = 0;
    struct itimerval iv = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}}, old;
    setitimer(ITIMER_REAL, &iv, NULL);
    while (fired < 3) {
        pause();
    }
    setitimer(ITIMER_REAL, &off, &old);
    CHECK(old.it_interval.tv_usec == 2000);
    /* The first one may come before the sleep begins. */
    struct timespec ts = {500, 0}, rem = {0, 0};
    iv = (struct itimerval){{0, 10000}, {0, 10000}};
    setitimer(ITIMER_REAL, &iv, NULL);
    CHECK(nanosleep(&ts, &rem) == -1 && errno == EINTR && rem.tv_sec < 500 && rem.tv_sec > 400);
    setitimer(ITIMER_REAL, &off, NULL);
    ok("timers");
}

static void descriptors(void)
{
    uint64_t n = 0;
    int tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    CHECK(read(tfd, &n, 8) == -1 && errno == EAGAIN);
    struct itimerspec it = {{0, 1000000}, {0, 1000000}};
    timerfd_settime(tfd, 0, &it, NULL);
    usleep(20000);
    CHECK(read(tfd, &n, 8) == 8 && n >= 5);

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int sfd = signalfd(-1, &set, SFD_NONBLOCK);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1234});
    struct signalfd_siginfo si;
    CHECK(read(sfd, &si, sizeof si) == sizeof si);
    CHECK(si.ssi_signo == SIGUSR1 && si.ssi_int == 1234 && si.ssi_pid == (uint32_t)getpid());
    CHECK(read(sfd, &si, sizeof si) == -1 && errno == EAGAIN);

    int efd = eventfd(3, EFD_SEMAPHORE), ep = epoll_create1(EPOLL_CLOEXEC), p[2];
    CHECK(pipe(p) == 0);
    CHECK(read(efd, &n, 8) == 8 && n == 1);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev) == 0);
    ev.data.u64 = 0xfedcba9876543210;
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == -1 && errno == EEXIST);
    struct epoll_event got[4];
    CHECK(epoll_wait(ep, got, 4, 0) == 1 && got[0].data.u64 == 0x1122334455667788);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(epoll_wait(ep, got, 4, 1000) == 2 && (got[0].data.u64 ^ got[1].data.u64) == (0x1122334455667788 ^ 0xfedcba9876543210));
    CHECK(epoll_pwait(ep, got, 1, 1000, &set) == 1);
    ev.events = EPOLLIN | EPOLLONESHOT;
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, efd, NULL) == 0);
    CHECK(epoll_wait(ep, got, 4, 1000) == 1 && epoll_wait(ep, got, 4, 5) == 0);

    struct pollfd pf[2] = {{.fd = p[0], .events = POLLIN}, {.fd = p[1], .events = POLLOUT}};
    CHECK(poll(pf, 2, 1000) == 2 && pf[0].revents == POLLIN && pf[1].revents == POLLOUT);
    fd_set r, w;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(p[0], &r);
    FD_SET(p[1], &w);
    struct timeval tv = {1, 0};
    CHECK(select(p[1] + 1, &r, &w, NULL, &tv) == 2 && FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
    char c;
    CHECK(read(p[0], &c, 1) == 1 && c == 'x');
    close(p[1]);
    pf[0].revents = 0;
    CHECK(poll(pf, 1, 1000) == 1 && (pf[0].revents & POLLHUP));
    struct timespec ts = {0, 1000000};
    CHECK(ppoll(NULL, 0, &ts, NULL) == 0);
    ok("descriptors");
}

int main(void)
{
    clocks();
    posix_timers();
    descriptors();
    return done();
}
