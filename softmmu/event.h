/* event.h - the I/O loop: one thread that waits for file descriptors and timers and runs what was asked of it.
 *
 * Callbacks run on the loop's thread, one after the other, and may call everything here. Any thread may call everything
 * here except event_run. Times are nanoseconds of CLOCK_MONOTONIC, event_now().
 */
#ifndef ARMX_SOFTMMU_EVENT_H
#define ARMX_SOFTMMU_EVENT_H

#include "base.h"

typedef struct EventLoop EventLoop;
typedef void EventFn(void *arg);
typedef void EventFdFn(void *arg, uint32_t events); /* EPOLL* bits */

EventLoop *event_loop_new(void);
uint64_t event_now(void);
/* Watches fd for EPOLL* events (level-triggered); again for the same fd: replaces; events = 0: forgets it. 0 or -errno.
 * Once the forgetting call has returned on the loop's own thread, fn is not called any more. */
int event_fd(EventLoop *l, int fd, uint32_t events, EventFdFn *fn, void *arg);
/* Runs fn(arg) once, soon. */
void event_call(EventLoop *l, EventFn *fn, void *arg);

/* A timer of a device, embedded in it. */
typedef struct EventTimer {
    EventLoop *loop;
    EventFn *fn;
    void *arg;
    uint64_t at;     /* 0 = off */
    unsigned place;  /* the loop's own */
} EventTimer;
void event_timer_init(EventTimer *t, EventLoop *l, EventFn *fn, void *arg);
/* Fires once at `at` (at once when it is past); 0 switches it off. */
void event_timer_set(EventTimer *t, uint64_t at);

/* Runs until event_quit; the exit status given there. */
int event_run(EventLoop *l);
void event_quit(EventLoop *l, int status);

#endif
