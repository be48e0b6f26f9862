/* sys.h - system calls: the table's form, the dispatcher, the handlers by topic (sys_*.c).
 *
 * A handler gets the six argument words and returns what the kernel would return. It makes its one blocking host
 * call through sys_host(), whose result NOT_MADE it must pass on at once: the guest's SVC is then executed again.
 */
#ifndef ARMX_USER_SYS_H
#define ARMX_USER_SYS_H

#include "user.h"

/* The registers are already as they must be; nothing is to be written to X0. */
enum { NO_RESULT = -513 };

typedef enum SysKind { PASS, CONV, OWN } SysKind;
typedef int64_t SysHandler(Thread *t, uint64_t a[6]);

typedef struct SysRow {
    const char *name;
    int host;
    SysKind kind;
    const char *args;
    SysHandler *fn;
} SysRow;

enum { SYS_MAX = 512, SYS_SHARED = 424 };
/* NULL when the number is not in the table. */
const SysRow *sys_row(uint64_t nr);
int64_t sys_dispatch(Thread *t, uint64_t nr, const uint64_t args[6]);

/* The host call, interruptible without losing a signal. */
static inline int64_t sys_host6(Thread *t, int nr, const uint64_t a[6])
{
    return safe_call(&t->cpu.head.pending, (uint64_t)nr, a);
}
#define sys_host(t, nr, ...) sys_host6(t, nr, (const uint64_t[6]){__VA_ARGS__})

/* Reads the guest path at *arg; when -L redirects it, *arg becomes the host's name in buf. 0 or -errno. */
int sys_path(uint64_t *arg, char buf[4096]);
/* The same, and resolves /proc/self/exe, in a call that follows a link at the end of the path. */
void sys_path_followed(uint64_t *arg, int dirfd, char buf[4096]);

/* open flags between the architectures */
uint64_t open_flags_to_host(uint64_t flags);
uint64_t open_flags_to_guest(uint64_t flags);

/* Takes armx's own descriptors out of the guest's reach. */
bool sys_fd_is_ours(uint64_t fd);
/* A descriptor of armx's own: noted; moved high, close-on-exec, and noted. */
void fd_own(int fd);
int fd_hide(int fd);

#define SYS(name, nr, host, kind, args, fn) SYS_DECL_##kind(fn)
#define SYS_DECL_PASS(fn)
#define SYS_DECL_CONV(fn) SysHandler fn;
#define SYS_DECL_OWN(fn) SysHandler fn;
#include "syscalls.def"
#undef SYS
#undef SYS_DECL_PASS
#undef SYS_DECL_CONV
#undef SYS_DECL_OWN

/* procfs.c: files that must show the guest instead of armx. Each returns true when the name was one of them and the
 * result is in *ret. */
bool proc_open(Thread *t, int dirfd, const char *path, uint64_t flags, int64_t *ret);
bool proc_readlink(Thread *t, int dirfd, const char *path, uint64_t buf, uint64_t size, int64_t *ret);
/* The name that a stat, access or exec of this name really means (/proc/self/exe): path itself or text in buf. */
const char *proc_follow(int dirfd, const char *path, char buf[4096]);
bool proc_maybe(const char *path);

/* strace.c */
void strace_enter(Thread *t, uint64_t nr, const uint64_t a[6], char *line, size_t size);
void strace_leave(Thread *t, uint64_t nr, int64_t ret, const char *line);

uint64_t thread_alt_size(void);

#endif
