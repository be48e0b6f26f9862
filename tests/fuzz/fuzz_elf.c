/* fuzz_elf.c - any bytes as a program: linux-user/image.c with the rest of linux-user replaced by fakes that map
 * nothing and check what the loader asks for.
 *
 * Input: the file, from byte 1 on; byte 0: bit 0 a #! line is read too, bit 1 an interpreter (the same file) exists,
 * bit 2 addresses cannot be had (MAP_FIXED_NOREPLACE fails).
 * Holds: every MAP_FIXED mapping and every unmapping lies inside what the loader has reserved before, every byte that
 * it writes inside a mapping, everything in the 47-bit space.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"
#include "linux-user/image.h"
#include "linux-user/raw.h"
#include "linux-user/vma.h"

enum { MAP_FIXED_BIT = 0x10, MAP_NOREPLACE_BIT = 0x100000, MAX_AREAS = 8 };

typedef struct Area {
    uint64_t start, end;
} Area;
static Area areas[MAX_AREAS]; /* reserved by the loader */
static unsigned nareas;
static uint64_t next_free;
static bool have_interp, no_room;
static int file_fd;

Process process;

static bool reserved(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < nareas; i++) {
        if (start >= areas[i].start && end <= areas[i].end) {
            return true;
        }
    }
    return false;
}

int64_t mm_mmap(uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags, int64_t fd, uint64_t off)
{
    uint64_t bytes = PAGE_UP(len);
    (void)prot;
    if (len == 0 || bytes < len) {
        return -EINVAL;
    }
    if (off % PAGE) {
        return -EINVAL;
    }
    if (flags & MAP_FIXED_BIT) {
        if (addr % PAGE || !reserved(addr, addr + bytes) || addr + bytes < addr) {
            BUG("MAP_FIXED at %llx, %llx bytes: not reserved", (unsigned long long)addr, (unsigned long long)bytes);
        }
        return (int64_t)addr;
    }
    if (fd >= 0 || nareas == MAX_AREAS) {
        BUG("a file is mapped without MAP_FIXED, or too much is reserved");
    }
    if (flags & MAP_NOREPLACE_BIT) {
        if (no_room || addr % PAGE) {
            return addr % PAGE ? -EINVAL : -EEXIST;
        }
    } else {
        addr = next_free;
    }
    if (bytes > VA_END || addr > VA_END - bytes) {
        return -ENOMEM;
    }
    next_free = flags & MAP_NOREPLACE_BIT ? next_free : addr + bytes;
    areas[nareas++] = (Area){addr, addr + bytes};
    return (int64_t)addr;
}

int64_t mm_munmap(uint64_t addr, uint64_t len)
{
    if (addr % PAGE || len == 0 || !reserved(addr, addr + PAGE_UP(len))) {
        BUG("munmap of %llx, %llx bytes", (unsigned long long)addr, (unsigned long long)len);
    }
    return 0;
}

int user_copy(void *dst, const void *src, size_t n)
{
    uint64_t at = (uint64_t)dst;
    (void)src;
    if (!reserved(at, at + n) || n > PAGE) {
        BUG("writes %zu bytes at %llx", n, (unsigned long long)at);
    }
    return 0;
}

void mm_brk_init(uint64_t start)
{
    if (start > VA_END) {
        BUG("brk at %llx", (unsigned long long)start);
    }
}

const char *prefix_path(const char *path, char *buf)
{
    size_t n = strlen(path);
    if (n >= 4096) {
        BUG("interpreter's name of %zu bytes", n);
    }
    snprintf(buf, 4096, have_interp ? "/proc/self/fd/%d" : "/nonexistent", file_fd);
    return buf;
}

bool prefix_on(void)
{
    return true;
}

int vdso_map(void)
{
    return 0;
}

int stack_build(Thread *t, const Image *im, const char *execfn, uint64_t *sp)
{
    (void)t;
    (void)execfn;
    if (memchr(im->interp, 0, sizeof im->interp) == NULL) {
        BUG("interpreter's name has no end");
    }
    *sp = 0;
    return 0;
}

void guest_start(Thread *t, uint64_t pc, uint64_t sp)
{
    (void)t;
    (void)pc;
    (void)sp;
}

uint64_t a64_hwcap(const CpuModel *m, unsigned n)
{
    (void)m;
    return n ? 0 : 0x119ffb;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    file_fd = (int)syscall(SYS_memfd_create, "fuzz", 0);
    if (file_fd < 0) {
        BUG("no memfd");
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[600] = "", line[256], *interp, *arg;
    FileKind kind;
    Thread *t = NULL;
    if (size < 1) {
        return 0;
    }
    have_interp = data[0] & 2;
    no_room = data[0] & 4;
    if (ftruncate(file_fd, 0) < 0 || pwrite(file_fd, data + 1, size - 1, 0) != (ssize_t)size - 1) {
        BUG("cannot write the file");
    }
    nareas = 0;
    next_free = 0x7f0000000000;
    if (image_check(file_fd, &kind, why, sizeof why) < 0 && !why[0]) {
        BUG("refused without a reason");
    }
    if (data[0] & 1 && image_script(file_fd, line, sizeof line, &interp, &arg) == 0) {
        bool ok = interp >= line && interp + strlen(interp) < line + sizeof line && interp[0];
        if (!ok || (arg && (arg <= interp || arg + strlen(arg) >= line + sizeof line))) {
            BUG("strings of the script's first line");
        }
    }
    image_precheck(file_fd);
    why[0] = 0;
    if (image_load(t, dup(file_fd), "fuzzed", why, sizeof why) < 0 && !why[0]) {
        BUG("not loaded, without a reason");
    }
    return 0;
}
