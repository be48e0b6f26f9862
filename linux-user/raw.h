/* raw.h - system calls without libc, for the guest and for armx itself.
 *
 * raw_call() returns what the kernel returns (a negative errno on failure) and touches no errno, so it may be
 * used from handlers and from threads that libc does not know. safe_call() (safe_call.S) is for calls made on
 * behalf of the guest that can block: when a signal arrived before the host's syscall instruction, it returns
 * NOT_MADE without having made the call, so no wake-up is lost.
 *
 * user_copy() (safe_call.S) copies between armx and guest memory; an unreadable or unwritable byte gives -EFAULT
 * (the SIGSEGV handler knows its pc range). Everything in linux-user that reads or writes through a guest pointer
 * itself, instead of handing it to the kernel, uses it.
 */
#ifndef ARMX_USER_RAW_H
#define ARMX_USER_RAW_H

#include <asm/unistd_64.h>
#include <errno.h>

#include "base.h"

/* Returned by safe_call: not made because a signal is pending. Never a value of the kernel's. */
enum { NOT_MADE = -512 };

static inline int64_t raw_call6(uint64_t n, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    int64_t ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#define RAW_ARG(x) ((uint64_t)(x))
#define RAW_1(n) raw_call6(n, 0, 0, 0, 0, 0, 0)
#define RAW_2(n, a) raw_call6(n, RAW_ARG(a), 0, 0, 0, 0, 0)
#define RAW_3(n, a, b) raw_call6(n, RAW_ARG(a), RAW_ARG(b), 0, 0, 0, 0)
#define RAW_4(n, a, b, c) raw_call6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), 0, 0, 0)
#define RAW_5(n, a, b, c, d) raw_call6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), 0, 0)
#define RAW_6(n, a, b, c, d, e)                                                                    \
    raw_call6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e), 0)
#define RAW_7(n, a, b, c, d, e, f)                                                                 \
    raw_call6(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e), RAW_ARG(f))
#define RAW_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
/* raw_call(number, up to six arguments) */
#define raw_call(...)                                                                              \
    RAW_PICK(__VA_ARGS__, RAW_7, RAW_6, RAW_5, RAW_4, RAW_3, RAW_2, RAW_1, )(__VA_ARGS__)

int64_t safe_call(volatile uint64_t *pending, uint64_t nr, const uint64_t args[6]);
int user_copy(void *dst, const void *src, size_t n);
/* pc ranges that the handlers look at */
extern const char safe_call_start[], safe_call_end[], safe_call_interrupted[];
extern const char user_copy_start[], user_copy_end[], user_copy_fault[];

/* From and to guest memory: 0 or -EFAULT. */
static inline int get_user(void *dst, uint64_t src, size_t n)
{
    return user_copy(dst, (const void *)src, n);
}

static inline int put_user(uint64_t dst, const void *src, size_t n)
{
    return user_copy((void *)dst, src, n);
}

/* Length of the guest string at s without its end, at most max; -EFAULT. max when there is no end. */
int64_t user_strnlen(uint64_t s, uint64_t max);
/* Copies a guest string with its end; its length, -EFAULT, or -ENAMETOOLONG when it does not fit size. */
int64_t get_user_string(char *dst, uint64_t s, size_t size);

/* A thread of the same process as raw clone makes it: runs fn(arg) on stack; returns what clone returns. */
int64_t raw_thread(uint64_t flags, void *stack_top, uint64_t ptid, uint64_t ctid, uint64_t tls,
                   void (*fn)(void *), void *arg);
int64_t raw_thread3(void *clone_args, size_t size, void (*fn)(void *), void *arg);
/* Unmaps [base, base + size), on which the caller's own stack may lie, and ends the thread. */
NORETURN void raw_unmap_and_exit(void *base, size_t size, int status);
/* Calls fn(arg) on another stack. */
void call_on_stack(void *stack_top, void (*fn)(void *), void *arg);
/* Return path of host signal handlers. */
void host_sigreturn(void);

#endif
