/* path.c - -L: absolute names are looked for under a prefix first, as QEMU does.
 *
 * Only names that exist there are redirected, so the guest still sees the host's /tmp, and never the root itself, since
 * who opens that goes down from there by descriptors, perhaps to a file of the host. For the same reason an empty folder
 * under the prefix (/tmp, /run, /home in a copied system) does not hide the host's folder of that name. /proc, /sys and
 * /dev are the host's in any case. A symbolic link under
 * the prefix that leads to an absolute name is followed inside the prefix (Debian's /usr/bin/awk needs that).
 */
#include <stdio.h>

#include "user.h"

enum { AT_FDCWD_ = -100, F_OK_ = 0, AT_SYMLINK_NOFOLLOW_ = 0x100, S_IFMT_ = 0170000,
       S_IFLNK_ = 0120000, S_IFDIR_ = 040000, O_PATH_CLOEXEC = 010000000 | 02000000,
       O_DIR = 0200000, RESOLVE_IN_ROOT_ = 0x10, PATH_SIZE = 4096 };

static char prefix[PATH_SIZE];
static size_t prefix_len;

void prefix_init(const char *p)
{
    uint8_t st[144];
    size_t n = p ? strlen(p) : 0;
    while (n && p[n - 1] == '/') {
        n--;
    }
    if (n == 0 || n >= sizeof prefix) {
        return;
    }
    if (*p != '/') {
        int64_t r = raw_call(__NR_getcwd, prefix, sizeof prefix - 1 - n);
        if (r > 0) {
            size_t cwd = strlen(prefix);
            prefix[cwd++] = '/';
            memcpy(prefix + cwd, p, n);
            prefix_len = cwd + n;
        }
    } else {
        memcpy(prefix, p, n);
        prefix_len = n;
    }
    prefix[prefix_len] = 0;
    if (raw_call(__NR_stat, prefix, st) < 0) {
        prefix_len = 0;
    }
}

bool prefix_on(void)
{
    return prefix_len != 0;
}

/* The name of what path means when the prefix is the root; false when there is nothing. */
static bool in_root(const char *path, char *buf)
{
    uint64_t how[3] = {O_PATH_CLOEXEC, 0, RESOLVE_IN_ROOT_};
    char link[64];
    int64_t root = raw_call(__NR_open, prefix, O_PATH_CLOEXEC | O_DIR, 0);
    if (root < 0) {
        return false;
    }
    int64_t fd = raw_call(__NR_openat2, root, path, how, sizeof how), n = -1;
    if (fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", (int)fd);
        n = raw_call(__NR_readlink, link, buf, PATH_SIZE - 1);
        raw_call(__NR_close, fd);
    }
    raw_call(__NR_close, root);
    if (n > 0) {
        buf[n] = 0;
    }
    return n > 0;
}

static bool is_kernels(const char *path)
{
    static const char *const dirs[] = {"/proc", "/sys", "/dev"};
    for (unsigned k = 0; k < LEN(dirs); k++) {
        size_t n = strlen(dirs[k]);
        if (!strncmp(path, dirs[k], n) && (path[n] == '/' || !path[n])) {
            return true;
        }
    }
    return false;
}

/* Is dir, with that many links, a folder without entries? */
static bool is_empty(const char *dir, uint64_t links)
{
    uint8_t entries[1024];
    if (links > 2) { /* folders in it */
        return false;
    }
    int64_t fd = raw_call(__NR_open, dir, 02000000 /* O_CLOEXEC */ | O_DIR, 0), n = -1;
    if (fd >= 0) {
        n = raw_call(__NR_getdents64, fd, entries, sizeof entries);
        raw_call(__NR_close, fd);
    }
    return n >= 0 && n <= 48; /* . and .. have 24 bytes each */
}

static bool is_folder(const char *path)
{
    uint32_t st[36];
    return raw_call(__NR_newfstatat, AT_FDCWD_, path, st, 0) == 0 && (st[6] & S_IFMT_) == S_IFDIR_;
}

const char *prefix_path(const char *path, char *buf)
{
    size_t n = strlen(path);
    if (!prefix_len || path[0] != '/' || strspn(path, "/.") == n || prefix_len + n >= PATH_SIZE || is_kernels(path)) {
        return path;
    }
    if (!strncmp(path, prefix, prefix_len) && (path[prefix_len] == '/' || !path[prefix_len])) {
        return path;
    }
    memcpy(buf, prefix, prefix_len);
    memcpy(buf + prefix_len, path, n + 1);
    uint32_t st[36];
    if (raw_call(__NR_newfstatat, AT_FDCWD_, buf, st, AT_SYMLINK_NOFOLLOW_) < 0) {
        return path; /* most names that are asked for do not exist: one call for those */
    }
    if ((st[6] & S_IFMT_) == S_IFDIR_ && is_empty(buf, st[4] | (uint64_t)st[5] << 32) && is_folder(path)) {
        return path;
    }
    bool link = (st[6] & S_IFMT_) == S_IFLNK_;
    if (!link || raw_call(__NR_faccessat, AT_FDCWD_, buf, F_OK_) == 0) {
        return buf;
    }
    return in_root(path, buf) ? buf : path;
}
