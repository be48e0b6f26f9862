/* sys.c - the dispatcher: finds the row, drops tags, redirects paths, makes the host call or calls the handler, and
 * keeps the ring of last calls.
 */
#include "sys.h"

#include "log.h"
#include "seccomp.h"
#include "sig.h"

static const SysRow table[SYS_MAX] = {
#define SYS(name, nr, host, kind, args, fn) [nr] = {#name, host, kind, args, fn},
#include "syscalls.def"
#undef SYS
};

const SysRow *sys_row(uint64_t nr)
{
    return nr < SYS_MAX && table[nr].name ? &table[nr] : NULL;
}

int64_t user_strnlen(uint64_t s, uint64_t max)
{
    uint8_t part[256];
    for (uint64_t n = 0; n < max;) {
        uint64_t k = PAGE - (s + n) % PAGE;
        k = k < sizeof part ? k : sizeof part;
        k = k < max - n ? k : max - n;
        if (get_user(part, s + n, k) < 0) {
            return -EFAULT;
        }
        const uint8_t *end = memchr(part, 0, k);
        if (end) {
            return (int64_t)(n + (uint64_t)(end - part));
        }
        n += k;
    }
    return (int64_t)max;
}

int64_t get_user_string(char *dst, uint64_t s, size_t size)
{
    int64_t n = user_strnlen(s, size);
    if (n < 0 || n == (int64_t)size) {
        return n < 0 ? n : -ENAMETOOLONG;
    }
    return get_user(dst, s, (size_t)n + 1) < 0 ? -EFAULT : n;
}

int sys_path(uint64_t *arg, char buf[4096])
{
    char path[4096];
    if (!prefix_on() || !*arg) {
        return 0;
    }
    int64_t n = get_user_string(path, *arg, sizeof path);
    if (n < 0) {
        return 0; /* the kernel will say what is wrong with it */
    }
    const char *p = prefix_path(path, buf);
    if (p != path) {
        *arg = (uint64_t)p;
    }
    return 0;
}

void sys_path_followed(uint64_t *arg, int dirfd, char buf[4096])
{
    char name[4096];
    if (get_user_string(name, *arg, sizeof name) > 0 && proc_maybe(name)) {
        const char *p = proc_follow(dirfd, name, buf);
        if (p != name) {
            *arg = (uint64_t)p;
            return;
        }
    }
    sys_path(arg, buf);
}

/* With paths: redirected by -L, and of those that are followed, what /proc/self/exe means. */
static int64_t pass(Thread *t, const SysRow *r, uint64_t a[6])
{
    enum { AT_FDCWD_ = -100, NOFOLLOW = 0x100 };
    char buf[2][4096];
    unsigned used = 0;
    const char *at = strchr(r->args, 'a');
    bool follow = !at || !(a[at - r->args] & NOFOLLOW);
    for (unsigned k = 0; r->args[k] && k < 6; k++) {
        if (r->args[k] == 's' && follow && used < 2) {
            sys_path_followed(&a[k], k && r->args[k - 1] == 'D' ? (int)a[k - 1] : AT_FDCWD_, buf[used++]);
        } else if ((r->args[k] == 's' || r->args[k] == 'L') && used < 2) {
            sys_path(&a[k], buf[used++]);
        }
    }
    return sys_host6(t, r->host, a);
}

static void untag(const SysRow *r, uint64_t a[6])
{
    for (unsigned k = 0; r->args[k] && k < 6; k++) {
        if (strchr("sLnbpv", r->args[k])) {
            a[k] = (uint64_t)bits_sext(a[k], 56);
        }
    }
}

static int64_t call(Thread *t, const SysRow *r, uint64_t nr, uint64_t a[6])
{
    if (!r) {
        return nr >= SYS_SHARED && nr < SYS_MAX ? sys_host6(t, (int)nr, a) : -ENOSYS;
    }
    if (t->tagged_addr & 1) {
        untag(r, a);
    }
    if (r->fn) {
        return r->fn(t, a);
    }
    return strpbrk(r->args, "sL") ? pass(t, r, a) : sys_host6(t, r->host, a);
}

int64_t sys_dispatch(Thread *t, uint64_t nr, const uint64_t args[6])
{
    uint64_t a[6];
    char line[1024];
    const SysRow *r = sys_row(nr);
    bool log = log_on(LOG_strace);
    memcpy(a, args, sizeof a);
    RingEntry *e = &t->ring[t->ring_pos++ % RING];
    e->pc = guest_pc(t) - 4;
    e->nr = (uint32_t)nr;
    e->done = false;
    memcpy(e->args, args, sizeof e->args);
    if (log) {
        strace_enter(t, nr, a, line, sizeof line);
    }
    int64_t ret;
    if (LIKELY(!t->seccomp_mode) || seccomp_allows(t, nr, a, &ret)) {
        ret = call(t, r, nr, a);
    }
    t->has_call_mask = t->has_call_mask && (ret == NOT_MADE || ret == -EINTR);
    e->ret = ret;
    e->done = true;
    if (UNLIKELY(ret == -ENOSYS) && log_on(LOG_unimp)) {
        log_printf("unimplemented system call %llu (%s) at pc %llx\n", (unsigned long long)nr, r ? r->name : "?", (unsigned long long)e->pc);
    }
    if (log) {
        strace_leave(t, nr, ret, line);
    }
    return ret;
}
