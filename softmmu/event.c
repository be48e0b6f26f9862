/* event.c - the I/O loop of event.h: epoll, a heap of timers, a queue of calls.
 *
 * One mutex guards all three; callbacks run without it. The loop sleeps in epoll; who adds something that it must see
 * writes to an eventfd. A timer that becomes the earliest sets a timerfd instead, which wakes nobody before its time: vCPUs
 * set timers at every tick. A descriptor that epoll refuses (a file, /dev/null) is always ready.
 * Numbers of descriptors are reused, so each watch has a generation: an event that was fetched for an older one is
 * dropped.
 */
#define _GNU_SOURCE
#include "event.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef struct Watch {
    EventFdFn *fn;
    void *arg;
    uint32_t events; /* 0 = not watched */
    uint32_t generation;
    bool always; /* epoll does not take it */
} Watch;

typedef struct Call {
    EventFn *fn;
    void *arg;
} Call;

struct EventLoop {
    pthread_mutex_t lock;
    int epoll, wake, timer;
    uint64_t armed; /* when `timer` expires, 0 = not any more */
    Watch *watches; /* by descriptor */
    unsigned nwatches, nalways;
    EventTimer **heap; /* earliest first; place = index + 1 */
    unsigned ntimers, max_timers;
    Call *calls;
    unsigned ncalls, max_calls;
    bool woken, asleep, quit;
    int status;
};

enum { EVENTS_AT_ONCE = 64 };

static void *grown(void *p, size_t n, size_t each)
{
    p = realloc(p, n * each);
    if (!p) {
        BUG("out of memory");
    }
    return p;
}

EventLoop *event_loop_new(void)
{
    EventLoop *l = calloc(1, sizeof *l);
    if (!l) {
        BUG("out of memory");
    }
    pthread_mutex_init(&l->lock, NULL);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)(uint32_t)l->wake};
    struct epoll_event expiry = {.events = EPOLLIN | EPOLLET, .data.u64 = (uint64_t)(uint32_t)l->timer}; /* never read */
    if (l->epoll < 0 || l->wake < 0 || l->timer < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &e) < 0 ||
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &expiry) < 0) {
        BUG("no epoll: %s", strerror(errno));
    }
    return l;
}

uint64_t event_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Under the lock: the loop must look again. */
static void wake(EventLoop *l)
{
    if (l->asleep && !l->woken) {
        uint64_t one = 1;
        l->woken = true;
        ssize_t n = write(l->wake, &one, sizeof one);
        (void)n;
    }
}

int event_fd(EventLoop *l, int fd, uint32_t events, EventFdFn *fn, void *arg)
{
    int r = 0;
    pthread_mutex_lock(&l->lock);
    if ((unsigned)fd >= l->nwatches) {
        unsigned n = (unsigned)fd + 16;
        l->watches = grown(l->watches, n, sizeof *l->watches);
        memset(l->watches + l->nwatches, 0, (n - l->nwatches) * sizeof *l->watches);
        l->nwatches = n;
    }
    Watch *w = &l->watches[fd];
    bool was = w->events != 0;
    if (was && w->always) {
        l->nalways -= !events;
    } else if (was || events) {
        w->generation += !was;
        struct epoll_event e = {.events = events, .data.u64 = (uint64_t)w->generation << 32 | (uint32_t)fd};
        r = epoll_ctl(l->epoll, !events ? EPOLL_CTL_DEL : was ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
        w->always = r == -EPERM;
        if (w->always) {
            l->nalways++;
            r = 0;
        }
    }
    if (!events || r == 0) {
        w->events = events;
        w->fn = fn;
        w->arg = arg;
        r = events ? r : 0;
    }
    wake(l);
    pthread_mutex_unlock(&l->lock);
    return r;
}

void event_call(EventLoop *l, EventFn *fn, void *arg)
{
    pthread_mutex_lock(&l->lock);
    if (l->ncalls == l->max_calls) {
        l->max_calls = l->max_calls ? 2 * l->max_calls : 64;
        l->calls = grown(l->calls, l->max_calls, sizeof *l->calls);
    }
    l->calls[l->ncalls++] = (Call){fn, arg};
    wake(l);
    pthread_mutex_unlock(&l->lock);
}

/* -- timers ---------------------------------------------------------------------------------------------------- */

void event_timer_init(EventTimer *t, EventLoop *l, EventFn *fn, void *arg)
{
    *t = (EventTimer){.loop = l, .fn = fn, .arg = arg};
}

static void heap_put(EventLoop *l, unsigned n, EventTimer *t)
{
    l->heap[n] = t;
    t->place = n + 1;
}

/* Timer t belongs at or above, or at or below place n, which is free. */
static void heap_sift(EventLoop *l, unsigned n, EventTimer *t)
{
    for (; n && l->heap[(n - 1) / 2]->at > t->at; n = (n - 1) / 2) {
        heap_put(l, n, l->heap[(n - 1) / 2]);
    }
    for (unsigned child; (child = 2 * n + 1) < l->ntimers; n = child) {
        child += child + 1 < l->ntimers && l->heap[child + 1]->at < l->heap[child]->at;
        if (l->heap[child]->at >= t->at) {
            break;
        }
        heap_put(l, n, l->heap[child]);
    }
    heap_put(l, n, t);
}

static void heap_remove(EventLoop *l, EventTimer *t)
{
    unsigned n = t->place - 1;
    EventTimer *last = l->heap[--l->ntimers];
    t->place = 0;
    if (last != t) {
        heap_sift(l, n, last);
    }
}

/* Under the lock: the timerfd is to expire at the earliest timer's time, or at a time before. */
static void arm(EventLoop *l)
{
    if (!l->ntimers || (l->armed && l->armed <= l->heap[0]->at)) {
        return;
    }
    l->armed = l->heap[0]->at;
    struct itimerspec s = {.it_value = {(time_t)(l->armed / 1000000000), (long)(l->armed % 1000000000)}};
    timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &s, NULL);
}

void event_timer_set(EventTimer *t, uint64_t at)
{
    EventLoop *l = t->loop;
    pthread_mutex_lock(&l->lock);
    t->at = at;
    if (at && t->place) {
        heap_sift(l, t->place - 1, t);
    } else if (at) {
        if (l->ntimers == l->max_timers) {
            l->max_timers = l->max_timers ? 2 * l->max_timers : 64;
            l->heap = grown(l->heap, l->max_timers, sizeof *l->heap);
        }
        l->ntimers++;
        heap_sift(l, l->ntimers - 1, t);
    } else if (t->place) {
        heap_remove(l, t);
    }
    if (at && t->place == 1 && l->asleep) {
        arm(l);
    }
    pthread_mutex_unlock(&l->lock);
}

/* -- the loop ---------------------------------------------------------------------------------------------------- */

/* Both run with the lock held, and let it go around each callback. */
static void run_calls(EventLoop *l)
{
    Call *calls = l->calls;
    unsigned n = l->ncalls;
    l->calls = NULL;
    l->ncalls = l->max_calls = 0;
    pthread_mutex_unlock(&l->lock);
    for (unsigned k = 0; k < n; k++) {
        calls[k].fn(calls[k].arg);
    }
    free(calls);
    pthread_mutex_lock(&l->lock);
}

static void run_timers(EventLoop *l)
{
    uint64_t now = event_now();
    while (l->ntimers && l->heap[0]->at <= now) {
        EventTimer *t = l->heap[0];
        heap_remove(l, t);
        t->at = 0;
        pthread_mutex_unlock(&l->lock);
        t->fn(t->arg);
        pthread_mutex_lock(&l->lock);
    }
}

static void run_watch(EventLoop *l, unsigned fd, uint32_t generation, uint32_t events)
{
    Watch w = fd < l->nwatches ? l->watches[fd] : (Watch){0};
    if (!w.events || w.generation != generation) {
        return;
    }
    pthread_mutex_unlock(&l->lock);
    w.fn(w.arg, events);
    pthread_mutex_lock(&l->lock);
}

/* Sleeps until the next timer or event; how many events there are. */
static int sleep_until_next(EventLoop *l, struct epoll_event *events)
{
    bool at_once = l->ncalls || l->nalways || l->quit;
    if (l->armed <= event_now()) {
        l->armed = 0;
    }
    arm(l);
    l->asleep = true;
    l->woken = false;
    pthread_mutex_unlock(&l->lock);
    int n = epoll_wait(l->epoll, events, EVENTS_AT_ONCE, at_once ? 0 : -1);
    pthread_mutex_lock(&l->lock);
    l->asleep = false;
    return n;
}

int event_run(EventLoop *l)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        int n = sleep_until_next(l, events);
        for (int k = 0; k < n; k++) {
            uint32_t fd = (uint32_t)events[k].data.u64;
            if ((int)fd == l->wake) {
                uint64_t count;
                ssize_t got = read(l->wake, &count, sizeof count);
                (void)got;
            } else if ((int)fd != l->timer) {
                run_watch(l, fd, (uint32_t)(events[k].data.u64 >> 32), events[k].events);
            }
        }
        for (unsigned fd = 0; l->nalways && fd < l->nwatches; fd++) {
            if (l->watches[fd].events && l->watches[fd].always) {
                run_watch(l, fd, l->watches[fd].generation, l->watches[fd].events & (EPOLLIN | EPOLLOUT));
            }
        }
        run_timers(l);
        run_calls(l);
    }
    l->quit = false;
    pthread_mutex_unlock(&l->lock);
    return l->status;
}

void event_quit(EventLoop *l, int status)
{
    pthread_mutex_lock(&l->lock);
    l->status = status;
    l->quit = true;
    wake(l);
    pthread_mutex_unlock(&l->lock);
}
