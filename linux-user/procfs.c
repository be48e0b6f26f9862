/* procfs.c - files under /proc that would show armx: /proc/cpuinfo, and of the guest's own processes exe, maps and
 * smaps; cmdline, environ and auxv too where the kernel does not know them (main.c, tell_kernel).
 *
 * Names are recognised by their last component only; then the directory is opened and asked whether it lies in procfs
 * and whose it is, so any spelling, working directory or directory descriptor leads to the same file. A process of
 * another pid counts as the guest's when its executable is armx's own file. Contents are made once, at open, in a
 * memory file.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sys.h"
#include "vma.h"

enum { AT_FDCWD_ = -100, PATH_FD = 010000000 | 02000000 | 0200000, O_CLOEXEC_ = 02000000, PROC_MAGIC = 0x9fa0,
       O_NOFOLLOW_ = 0400000, O_PATH_ = 010000000, MFD_CLOEXEC_ = 1, PATH_SIZE = 4096, NAME_COLUMN = 73 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool proc_maybe(const char *path)
{
    static const char *const names[] = {"exe", "maps", "smaps", "cpuinfo", "auxv", "cmdline", "environ"};
    const char *base = base_name(path);
    if (*path == '/' && strncmp(path, "/proc/", 6)) {
        return false;
    }
    for (unsigned k = 0; k < LEN(names); k++) {
        if (!strcmp(base, names[k])) {
            return true;
        }
    }
    return false;
}

/* -- whose file it is ------------------------------------------------------------------------------------ */

typedef enum ProcWhose { PROC_NONE, PROC_ROOT, PROC_SELF, PROC_OTHER } ProcWhose;

static bool is_own_task(int pid)
{
    char link[64];
    uint8_t st[144];
    if (pid == (int)raw_call(__NR_getpid) || pid == this_thread->tid) {
        return true;
    }
    snprintf(link, sizeof link, "/proc/self/task/%d", pid);
    return raw_call(__NR_stat, link, st) == 0;
}

/* Is the executable of pid armx's own file? */
static bool is_armx(int pid)
{
    uint64_t own[18], other[18];
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/exe", pid);
    return raw_call(__NR_stat, "/proc/self/exe", own) == 0 && raw_call(__NR_stat, name, other) == 0 &&
           own[0] == other[0] && own[1] == other[1];
}

/* The directory of path: in procfs? of whom? */
static ProcWhose whose(int dirfd, const char *path, int *pid)
{
    char dir[PATH_SIZE], link[64];
    uint64_t fs[15];
    size_t n = (size_t)(base_name(path) - path);
    if (n >= sizeof dir) {
        return PROC_NONE;
    }
    memcpy(dir, path, n);
    dir[n] = 0;
    int64_t fd = raw_call(__NR_openat, dirfd, n ? dir : ".", PATH_FD, 0);
    if (fd < 0) {
        return PROC_NONE;
    }
    ProcWhose w = PROC_NONE;
    if (raw_call(__NR_fstatfs, fd, fs) == 0 && fs[0] == PROC_MAGIC) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", (int)fd);
        int64_t len = raw_call(__NR_readlink, link, dir, sizeof dir - 1);
        dir[len > 0 ? len : 0] = 0;
        /* .../PID or .../PID/task/TID, or the root of procfs */
        char *task = strstr(dir, "/task/");
        if (task) {
            *task = 0;
        }
        const char *last = base_name(dir);
        *pid = atoi(last);
        w = *last >= '1' && *last <= '9' ? is_own_task(*pid) ? PROC_SELF : is_armx(*pid) ? PROC_OTHER : PROC_NONE
                                         : !strcmp(base_name(path), "cpuinfo") ? PROC_ROOT : PROC_NONE;
    }
    raw_call(__NR_close, fd);
    return w;
}

/* -- making files ------------------------------------------------------------------------------------------- */

typedef struct Out {
    int fd;
    size_t n;
    char text[16384];
} Out;

static void out_flush(Out *o)
{
    write_all(o->fd, o->text, o->n);
    o->n = 0;
}

static void out_bytes(Out *o, const char *s, size_t n)
{
    if (n > sizeof o->text - o->n) {
        out_flush(o);
    }
    if (n > sizeof o->text) {
        write_all(o->fd, s, n);
        return;
    }
    memcpy(o->text + o->n, s, n);
    o->n += n;
}

/* A whole file into memory of malloc; NULL when it cannot be read. */
static char *read_file(const char *name, size_t *size)
{
    size_t cap = 1 << 16, n = 0;
    int64_t fd = raw_call(__NR_open, name, O_CLOEXEC_, 0);
    char *text = fd < 0 ? NULL : malloc(cap);
    while (text) {
        if (n + 1 >= cap) {
            char *more = realloc(text, cap *= 2);
            if (!more) {
                free(text);
                text = NULL;
                break;
            }
            text = more;
        }
        int64_t r = raw_call(__NR_read, fd, text + n, cap - n - 1);
        if (r <= 0) {
            break;
        }
        n += (size_t)r;
    }
    if (fd >= 0) {
        raw_call(__NR_close, fd);
    }
    if (text) {
        text[n] = 0;
        *size = n;
    }
    return text;
}

/* -- maps and smaps: the host's lines, cut to the guest's mappings -------------------------------------------- */

typedef struct HostLine {
    uint64_t start, end, offset;
    char shared;
    const char *dev_ino; /* "08:01 1234" */
    int dev_ino_len;
    const char *name;    /* to the end of the line, "" for none */
    int name_len;
    const char *details, *details_end; /* lines of smaps that follow */
} HostLine;

/* Parses the line at p; returns the start of what follows it and its details. */
static const char *parse_line(const char *p, HostLine *l)
{
    char *q;
    l->start = strtoull(p, &q, 16);
    l->end = strtoull(q + 1, &q, 16);
    l->shared = q[4];
    l->offset = strtoull(q + 6, &q, 16);
    l->dev_ino = q + 1;
    const char *eol = strchr(q, '\n');
    eol = eol ? eol : q + strlen(q);
    const char *s = q + 1;
    s += strcspn(s, " ") + 1;
    s += strcspn(s, " \n");
    l->dev_ino_len = (int)(s - l->dev_ino);
    s += strspn(s, " ");
    l->name = s;
    l->name_len = (int)(eol - s);
    p = *eol ? eol + 1 : eol;
    l->details = p;
    while (*p && !(*p >= '0' && *p <= '9') && !(*p >= 'a' && *p <= 'f')) {
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    l->details_end = p;
    return p;
}

static void put_map(Out *o, const HostLine *l, const VmaInfo *v, uint64_t start, uint64_t end, bool details)
{
    char line[256];
    const char *name = l->name;
    int name_len = l->name_len;
    static const struct {
        uint32_t flag;
        const char *name;
    } special[] = {{VMA_STACK, "[stack]"}, {VMA_HEAP, "[heap]"}, {VMA_VDSO, "[vdso]"}, {VMA_VVAR, "[vvar]"}};
    if (name_len && *name == '[' && strncmp(name, "[anon", 5)) {
        name_len = 0;
    }
    for (unsigned k = 0; k < LEN(special); k++) {
        if (v->flags & special[k].flag) {
            name = special[k].name;
            name_len = (int)strlen(name);
        }
    }
    int n = snprintf(line, sizeof line, "%08llx-%08llx %c%c%c%c %08llx %.*s", (unsigned long long)start,
                     (unsigned long long)end, v->prot & G_READ ? 'r' : '-', v->prot & G_WRITE ? 'w' : '-',
                     v->prot & G_EXEC ? 'x' : '-', l->shared,
                     (unsigned long long)(l->offset + (l->offset || name_len ? start - l->start : 0)), l->dev_ino_len,
                     l->dev_ino);
    if (name_len) {
        n += snprintf(line + n, sizeof line - (size_t)n, "%*s", n < NAME_COLUMN ? NAME_COLUMN - n : 1, "");
    } else {
        line[n++] = ' ';
    }
    out_bytes(o, line, (size_t)n);
    out_bytes(o, name, (size_t)name_len);
    out_bytes(o, "\n", 1);
    if (details) {
        out_bytes(o, l->details, (size_t)(l->details_end - l->details));
    }
}

static bool make_maps(Out *o, bool details)
{
    size_t size;
    char *text = read_file(details ? "/proc/self/smaps" : "/proc/self/maps", &size);
    if (!text) {
        return false;
    }
    const char *p = text;
    while (*p) {
        HostLine l;
        VmaInfo v;
        p = parse_line(p, &l);
        for (uint64_t at = l.start; at < l.end && vma_next(at, &v) && v.start < l.end; at = v.end) {
            uint64_t start = v.start > l.start ? v.start : l.start, end = v.end < l.end ? v.end : l.end;
            put_map(o, &l, &v, start, end, details);
        }
    }
    free(text);
    return true;
}

static void put_strings(Out *o, uint64_t start, uint64_t end)
{
    char part[512];
    for (uint64_t at = start; at < end;) {
        uint64_t n = end - at < sizeof part ? end - at : sizeof part;
        if (get_user(part, at, n) < 0) {
            break;
        }
        out_bytes(o, part, n);
        at += n;
    }
}

static bool make(Out *o, const char *base)
{
    if (!strcmp(base, "cpuinfo")) {
        char *text = malloc(1 << 18);
        if (!text) {
            return false;
        }
        out_bytes(o, text, (size_t)guest_cpuinfo(text, 1 << 18));
        free(text);
    } else if (!strcmp(base, "maps") || !strcmp(base, "smaps")) {
        return make_maps(o, *base == 's');
    } else if (!strcmp(base, "auxv")) {
        out_bytes(o, (const char *)process.auxv, 8 * process.nauxv);
    } else if (!strcmp(base, "cmdline")) {
        put_strings(o, process.arg_start, process.arg_end);
    } else {
        put_strings(o, process.env_start, process.env_end);
    }
    return true;
}

static int64_t open_made(const char *base, uint64_t flags)
{
    Out *o = malloc(sizeof *o);
    if (!o) {
        return -ENOMEM;
    }
    o->n = 0;
    o->fd = (int)raw_call(__NR_memfd_create, base, flags & O_CLOEXEC_ ? MFD_CLOEXEC_ : 0);
    int64_t r = o->fd;
    if (r >= 0) {
        bool ok = make(o, base);
        out_flush(o);
        raw_call(__NR_lseek, r, 0, 0);
        if (!ok) {
            raw_call(__NR_close, r);
            r = -EIO;
        }
    }
    free(o);
    return r;
}

/* -- exe -------------------------------------------------------------------------------------------------------- */

/* The program of another guest process: the file that its AT_PHDR lies in. */
static bool other_exe(int pid, char buf[PATH_SIZE])
{
    char name[64];
    size_t size;
    uint64_t phdr = 0;
    bool found = false;
    snprintf(name, sizeof name, "/proc/%d/auxv", pid);
    char *text = read_file(name, &size);
    for (size_t k = 0; text && k + 16 <= size; k += 16) {
        uint64_t pair[2];
        memcpy(pair, text + k, 16);
        phdr = pair[0] == 3 ? pair[1] : phdr;
    }
    free(text);
    snprintf(name, sizeof name, "/proc/%d/maps", pid);
    text = read_file(name, &size);
    for (const char *p = text; p && *p && !found;) {
        HostLine l;
        p = parse_line(p, &l);
        if (phdr >= l.start && phdr < l.end && l.name_len > 0 && l.name_len < PATH_SIZE) {
            memcpy(buf, l.name, (size_t)l.name_len);
            buf[l.name_len] = 0;
            found = *buf == '/';
        }
    }
    free(text);
    return found;
}

/* What exe in this directory leads to; NULL when it is not a guest's. */
static const char *exe_target(int dirfd, const char *path, char buf[PATH_SIZE])
{
    int pid = 0;
    if (strcmp(base_name(path), "exe")) {
        return NULL;
    }
    ProcWhose w = whose(dirfd, path, &pid);
    if (w == PROC_SELF) {
        return process.exe_path;
    }
    return w == PROC_OTHER && other_exe(pid, buf) ? buf : NULL;
}

/* A name that leads to the file of that target. */
static const char *exe_file(const char *target, char buf[PATH_SIZE])
{
    if (target == process.exe_path && process.exe_fd >= 0) {
        snprintf(buf, PATH_SIZE, "/proc/self/fd/%d", process.exe_fd);
        return buf;
    }
    return target;
}

const char *proc_follow(int dirfd, const char *path, char buf[4096])
{
    const char *target = exe_target(dirfd, path, buf);
    return target ? exe_file(target, buf) : path;
}

bool proc_readlink(Thread *t, int dirfd, const char *path, uint64_t to, uint64_t size, int64_t *ret)
{
    char buf[PATH_SIZE];
    const char *target = exe_target(dirfd, path, buf);
    (void)t;
    if (!target) {
        return false;
    }
    size_t n = strlen(target);
    n = n < size ? n : size;
    *ret = put_user(to, target, n) < 0 ? -EFAULT : (int64_t)n;
    return true;
}

bool proc_open(Thread *t, int dirfd, const char *path, uint64_t flags, int64_t *ret)
{
    char buf[PATH_SIZE];
    int pid;
    const char *base = base_name(path);
    if (!strcmp(base, "exe")) {
        const char *target = flags & O_NOFOLLOW_ ? NULL : exe_target(dirfd, path, buf);
        if (target) {
            *ret = sys_host(t, __NR_openat, (uint64_t)AT_FDCWD_, (uint64_t)exe_file(target, buf), flags, 0);
        }
        return target != NULL;
    }
    bool kernel_knows = process.mm_known && (*base == 'a' || !strcmp(base, "cmdline") || *base == 'e');
    if (flags & (3 | O_PATH_) || kernel_knows) {
        return false;
    }
    ProcWhose w = whose(dirfd, path, &pid);
    if (w != PROC_SELF && !(w == PROC_ROOT && !strcmp(base, "cpuinfo"))) {
        return false;
    }
    *ret = open_made(base, flags);
    return true;
}
