/* lock.h - locks of linux-user: futex words in plain memory, no libc, usable on any thread and around fork.
 *
 * Mutex: 0 free, 1 held, 2 held with waiters. RwLock: the count of readers, or RW_WRITER; a writer announces
 * itself so that readers cannot starve it. Neither is recursive. Lock order: mm (vma.c), then threads, then
 * sighand, then the vma tree, then alloc. A handler of an asynchronous signal takes none of them.
 */
#ifndef ARMX_USER_LOCK_H
#define ARMX_USER_LOCK_H

#include "raw.h"

typedef struct Mutex {
    uint32_t word;
} Mutex;

typedef struct RwLock {
    uint32_t word;    /* readers, or RW_WRITER */
    uint32_t writers; /* that wait or hold */
} RwLock;
#define RW_WRITER 0x80000000u

enum { FUTEX_WAIT_P = 128, FUTEX_WAKE_P = 129 };

static inline void futex_wait(uint32_t *word, uint32_t value)
{
    raw_call(__NR_futex, word, FUTEX_WAIT_P, value, 0, 0, 0);
}

static inline void futex_wake(uint32_t *word, int n)
{
    raw_call(__NR_futex, word, FUTEX_WAKE_P, n, 0, 0, 0);
}

static inline void mutex_lock(Mutex *m)
{
    uint32_t was = 0;
    if (__atomic_compare_exchange_n(&m->word, &was, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    while (__atomic_exchange_n(&m->word, 2, __ATOMIC_ACQUIRE) != 0) {
        futex_wait(&m->word, 2);
    }
}

static inline void mutex_unlock(Mutex *m)
{
    if (__atomic_exchange_n(&m->word, 0, __ATOMIC_RELEASE) == 2) {
        futex_wake(&m->word, 1);
    }
}

static inline void read_lock(RwLock *l)
{
    for (;;) {
        uint32_t w = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
        if (!(w & RW_WRITER) && !__atomic_load_n(&l->writers, __ATOMIC_RELAXED)) {
            if (__atomic_compare_exchange_n(&l->word, &w, w + 1, false, __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED)) {
                return;
            }
        } else {
            raw_call(__NR_sched_yield);
        }
    }
}

static inline void read_unlock(RwLock *l)
{
    if (__atomic_sub_fetch(&l->word, 1, __ATOMIC_RELEASE) == 0 &&
        __atomic_load_n(&l->writers, __ATOMIC_RELAXED)) {
        futex_wake(&l->word, 1);
    }
}

static inline void write_lock(RwLock *l)
{
    __atomic_add_fetch(&l->writers, 1, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t w = 0;
        if (__atomic_compare_exchange_n(&l->word, &w, RW_WRITER, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return;
        }
        futex_wait(&l->word, w);
    }
}

static inline void write_unlock(RwLock *l)
{
    __atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
    if (__atomic_sub_fetch(&l->writers, 1, __ATOMIC_RELAXED) != 0) {
        futex_wake(&l->word, 1);
    }
}

#endif
