/* exec.c - execve. A program for AArch64, or a #! script whose interpreter is one, is run by executing armx again with
 * the options of this run, the program as an open descriptor and its names in options (options.def: armx-exec-*); no
 * binfmt_misc and no privilege is needed, and the guest's environment stays as it is. Anything else goes to the kernel.
 *
 * Everything that execve may report is looked for before, because afterwards there is nobody left to report to.
 * Set-user-ID bits of guest programs have no effect this way (binfmt_misc with the C flag does that).
 */
#include "exec.h"

#include <stdio.h>
#include <sys/auxv.h>

#include "image.h"
#include "seccomp.h"
#include "sig.h"
#include "sys.h"

enum { AT_FDCWD_ = -100, AT_EMPTY = 0x1000, NOFOLLOW = 0x100, EACCESS = 0x200, X_OK_ = 1, O_CLOEXEC_ = 02000000,
       O_NOFOLLOW_ = 0400000, F_SETFD_ = 2, FD_CLOEXEC_ = 1, F_DUPFD_CLOEXEC_ = 1030, O_PATH_CLOEXEC = 012000000, S_IFMT_ = 0170000, S_IFREG_ = 0100000, MAX_WORDS = 96, ST_NOEXEC_ = 8 };

static bool is_program(int fd)
{
    uint64_t st[18];
    return raw_call(__NR_fstat, fd, st) == 0 && st[0] == process.exe_dev && st[1] == process.exe_ino;
}

void exec_keep_self(void)
{
    static Mutex lock;
    mutex_lock(&lock);
    if (process.self_fd < 0) {
        int64_t fd = raw_call(__NR_open, "/proc/self/exe", O_CLOEXEC_, 0);
        if (fd < 0) {
            fd = raw_call(__NR_open, getauxval(AT_EXECFN), O_CLOEXEC_, 0);
        }
        process.self_fd = fd >= 0 ? fd_hide((int)fd) : -1;
    }
    if (process.exe_fd < 0) {
        int64_t fd = raw_call(__NR_open, process.exe_path, O_PATH_CLOEXEC, 0);
        if (fd >= 0 && is_program((int)fd)) {
            process.exe_fd = fd_hide((int)fd);
        } else if (fd >= 0) {
            raw_call(__NR_close, fd);
        }
    }
    mutex_unlock(&lock);
}

void exec_note_program(int fd)
{
    char link[64];
    uint64_t st[18];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int64_t n = raw_call(__NR_readlink, link, process.exe_path, sizeof process.exe_path - 1);
    process.exe_path[n > 0 ? n : 0] = 0;
    if (raw_call(__NR_fstat, fd, st) == 0) {
        process.exe_dev = st[0];
        process.exe_ino = st[1];
    }
    if (raw_call(__NR_stat, process.exe_path, st) < 0 || st[0] != process.exe_dev || st[1] != process.exe_ino) {
        fd = (int)raw_call(__NR_fcntl, fd, F_DUPFD_CLOEXEC_, 0); /* in memory, deleted, of another mount */
        process.exe_fd = fd < 0 ? -1 : fd_hide(fd);
    }
}

void exec_find_self(void)
{
    process.exe_fd = -1;
    if (process.opt.exec_self) {
        process.self_fd = fd_hide((int)process.opt.exec_self - 1);
        process.opt.exec_self = 0;
    } else if (raw_call(__NR_access, "/proc/self/exe", 0) < 0) {
        exec_keep_self();
    }
}

int exec_allowed(int fd)
{
    uint32_t st[36];
    uint64_t fs[15];
    if (raw_call(__NR_fstat, fd, st) < 0 || (st[6] & S_IFMT_) != S_IFREG_) {
        return -EACCES;
    }
    if (raw_call(__NR_fstatfs, fd, fs) == 0 && fs[10] & ST_NOEXEC_) {
        return -EACCES;
    }
    int64_t r = raw_call(__NR_faccessat2, fd, "", X_OK_, AT_EMPTY | EACCESS);
    return r == -EACCES ? -EACCES : st[6] & 0111 ? 0 : -EACCES;
}

int exec_resolve(ExecPlan *plan, const char *name, char *why, size_t size)
{
    char buf[4096], *interp, *arg;
    snprintf(plan->path, sizeof plan->path, "%s", name);
    plan->npre = 0;
    for (unsigned depth = 0;; depth++) {
        int r = image_check(plan->fd, &plan->kind, why, size);
        if (r < 0 || plan->kind != FILE_SCRIPT) {
            return r;
        }
        if (depth == SCRIPT_DEPTH) {
            snprintf(why, size, "too many levels of scripts");
            return -ELOOP;
        }
        r = image_script(plan->fd, plan->lines[depth], SCRIPT_LINE, &interp, &arg);
        if (r < 0) {
            snprintf(why, size, "its #! line names no interpreter");
            return r;
        }
        unsigned put = arg ? 3 : 2;
        unsigned rest = plan->npre ? plan->npre - 1 : 0;
        memmove(&plan->pre[put], &plan->pre[1], rest * sizeof plan->pre[0]);
        plan->pre[0] = interp;
        plan->pre[1] = arg;
        plan->pre[put - 1] = name;
        plan->npre = put + rest;
        name = interp;
        const char *host = prefix_path(interp, buf);
        int64_t fd = raw_call(__NR_open, host, O_CLOEXEC_, 0);
        r = fd < 0 ? (int)fd : exec_allowed((int)fd);
        if (r < 0) {
            snprintf(why, size, "its interpreter %.200s %s", interp,
                     r == -ENOENT ? "is missing" : "cannot be executed");
            if (fd >= 0) {
                raw_call(__NR_close, fd);
            }
            return r;
        }
        raw_call(__NR_close, plan->fd);
        plan->fd = (int)fd;
        snprintf(plan->path, sizeof plan->path, "%s", host);
    }
}

/* -- building the new command line ---------------------------------------------------------------------------- */

/* Number of words of the guest's array at v, which may be NULL; -EFAULT. */
static int64_t count_words(uint64_t v)
{
    int64_t n = 0;
    for (uint64_t word; v; n++) {
        if (get_user(&word, v + 8 * (uint64_t)n, 8) < 0) {
            return -EFAULT;
        }
        if (!word) {
            break;
        }
        if (n > 0x7fffff) {
            return -E2BIG;
        }
    }
    return n;
}

typedef struct Words {
    const char **w;
    unsigned n;
    char text[1024], fd[16], mask[24], filters[16], self[16];
    int filters_fd;
} Words;

static void add(Words *s, const char *word)
{
    s->w[s->n++] = word;
}

/* armx's own command line: options, names, program, then the guest's arguments (their addresses serve the kernel
 * as they are). */
static int build(Thread *t, Words *s, const ExecPlan *plan, const char *execfn, uint64_t argv)
{
    int64_t argc = count_words(argv);
    if (argc < 0) {
        return (int)argc;
    }
    size_t bytes = PAGE_UP(((size_t)argc + MAX_WORDS) * sizeof(char *));
    int64_t m = raw_call(__NR_mmap, 0, bytes, 3, 0x22, -1, 0);
    if (m < 0) {
        return -ENOMEM;
    }
    t->scratch = (void *)m;
    t->scratch_size = bytes;
    s->w = (const char **)m;
    add(s, "armx-user");
    options_again(&process.opt, s->w, &s->n, 64, s->text, sizeof s->text);
    snprintf(s->fd, sizeof s->fd, "%d", plan->fd + 1);
    add(s, "-armx-exec-fd");
    add(s, s->fd);
    if (process.self_fd >= 0) {
        snprintf(s->self, sizeof s->self, "%d", process.self_fd + 1);
        add(s, "-armx-exec-self");
        add(s, s->self);
    }
    add(s, "-armx-exec-mask");
    snprintf(s->mask, sizeof s->mask, "%llu", (unsigned long long)t->mask);
    add(s, s->mask);
    if (t->seccomp) {
        s->filters_fd = seccomp_save(t);
        snprintf(s->filters, sizeof s->filters, "%d", s->filters_fd + 1);
        add(s, "-armx-exec-seccomp");
        add(s, s->filters);
    }
    add(s, "-armx-exec-name");
    add(s, execfn);
    uint64_t argv0 = 0;
    if (argc && get_user(&argv0, argv, 8) < 0) {
        return -EFAULT;
    }
    add(s, "-0");
    add(s, plan->npre ? plan->pre[0] : argv0 ? (const char *)argv0 : "");
    add(s, "--");
    add(s, plan->path);
    for (unsigned k = 1; k < plan->npre; k++) {
        add(s, plan->pre[k]);
    }
    if (argc > 1 && get_user(&s->w[s->n], argv + 8, 8 * ((size_t)argc - 1)) < 0) {
        return -EFAULT;
    }
    s->n += argc > 1 ? (unsigned)argc - 1 : 0;
    s->w[s->n] = NULL;
    return 0;
}

static int64_t run(Thread *t, const ExecPlan *plan, const char *execfn, uint64_t argv, uint64_t envp)
{
    Words s = {.filters_fd = -1};
    int64_t r = build(t, &s, plan, execfn, argv);
    if (r == 0) {
        uint64_t mask = signals_block_all();
        raw_call(__NR_fcntl, plan->fd, F_SETFD_, 0);
        raw_call(__NR_fcntl, process.self_fd, F_SETFD_, 0);
        signals_for_exec(t, false);
        r = process.self_fd >= 0 ? raw_call(__NR_execveat, process.self_fd, "", s.w, envp, AT_EMPTY)
                                 : raw_call(__NR_execve, "/proc/self/exe", s.w, envp);
        raw_call(__NR_fcntl, process.self_fd, F_SETFD_, FD_CLOEXEC_);
        signals_exec_failed(t);
        signals_restore(mask);
    }
    if (s.filters_fd >= 0) {
        raw_call(__NR_close, s.filters_fd);
    }
    if (t->scratch) {
        raw_call(__NR_munmap, t->scratch, t->scratch_size);
        t->scratch = NULL;
    }
    return r;
}

/* The kernel's own execve. */
static int64_t run_host(Thread *t, const char *path, uint64_t argv, uint64_t envp)
{
    signals_for_exec(t, true);
    int64_t r = raw_call(__NR_execve, path, argv, envp);
    signals_exec_failed(t);
    return r;
}

/* -- execve ----------------------------------------------------------------------------------------------------- */

/* Opens what (dirfd, path) names for execution; shown = the name for scripts and AT_EXECFN. */
static int64_t open_program(int dirfd, const char *path, int flags, char shown[4160], char host[4096])
{
    char buf[4096];
    const char *p = path;
    snprintf(host, 4096, "%s", path);
    if (!*path) {
        if (!(flags & AT_EMPTY)) {
            return -ENOENT;
        }
        snprintf(shown, 4160, "/dev/fd/%d", dirfd);
        snprintf(host, 4096, "/proc/self/fd/%d", dirfd);
        int64_t fd = raw_call(__NR_open, host, O_CLOEXEC_, 0);
        return fd == -ENOENT ? raw_call(__NR_fcntl, dirfd, F_DUPFD_CLOEXEC_, 0) : fd; /* without /proc */
    }
    if (dirfd != AT_FDCWD_ && *path != '/') {
        snprintf(shown, 4160, "/dev/fd/%d/%s", dirfd, path);
        snprintf(host, 4096, "/proc/self/fd/%d/%.4000s", dirfd, path);
    } else {
        snprintf(shown, 4160, "%s", path);
        p = proc_maybe(path) ? proc_follow(dirfd, path, buf) : path;
        if (p == path) {
            p = prefix_path(path, buf);
        }
        snprintf(host, 4096, "%s", p);
    }
    return raw_call(__NR_openat, dirfd, p, O_CLOEXEC_ | (flags & NOFOLLOW ? O_NOFOLLOW_ : 0), 0);
}

typedef struct ExecNames {
    char path[4096], shown[4160], host[4096], why[600];
    ExecPlan plan;
} ExecNames;

static int64_t exec_with(Thread *t, ExecNames *n, int dirfd, uint64_t path, uint64_t argv, uint64_t envp, int flags)
{
    int64_t r = get_user_string(n->path, path, sizeof n->path);
    if (r < 0) {
        return r;
    }
    if (flags & ~(AT_EMPTY | NOFOLLOW)) {
        return -EINVAL;
    }
    r = open_program(dirfd, n->path, flags, n->shown, n->host);
    if (r < 0) {
        return r;
    }
    n->plan.fd = (int)r;
    r = exec_allowed(n->plan.fd);
    if (r == 0) {
        r = exec_resolve(&n->plan, n->shown, n->why, sizeof n->why);
    }
    if (r == 0 && n->plan.kind == FILE_ARM64) {
        r = image_precheck(n->plan.fd);
    }
    if (r == 0 && n->plan.kind == FILE_HOST && t->seccomp_mode) {
        r = -EACCES; /* the filter knows the guest's numbers only */
    }
    if (r == 0) {
        r = n->plan.kind == FILE_HOST ? run_host(t, n->host, argv, envp) : run(t, &n->plan, n->shown, argv, envp);
    }
    raw_call(__NR_close, n->plan.fd);
    return r;
}

int64_t exec_guest(Thread *t, int dirfd, uint64_t path, uint64_t argv, uint64_t envp, int flags)
{
    ExecNames n;
    return exec_with(t, &n, dirfd, path, argv, envp, flags);
}
