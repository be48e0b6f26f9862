/* perf.c - names for translated code: /tmp/perf-PID.map and jit-PID.dump, as perf(1) reads them.
 *
 * A region is named after the guest function that it begins in, "strlen+0x10 [arm]", or by its guest address.
 * The map has one line per region (perf: tools/perf/Documentation/jit-interface.txt), the dump one JIT_CODE_LOAD
 * record with the code's bytes (jitdump-specification.txt); perf finds the dump because its first page is mapped
 * executable.
 *
 * Lock: `lock` guards both files and crash.h's buffers. Written with raw system calls: any guest thread may come.
 */
#include "perf.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "crash.h"

typedef struct DumpHeader {
    uint32_t magic, version, size, machine, pad, pid;
    uint64_t time, flags;
} DumpHeader;

typedef struct CodeLoad {
    uint32_t id, size;
    uint64_t time;
    uint32_t pid, tid;
    uint64_t vma, address, code_size, index;
} CodeLoad;

static Mutex lock;
static int map_fd = -1, dump_fd = -1;
static char map_path[64], dump_path[64];
static uint64_t dump_index;

static uint64_t now(void)
{
    struct timespec ts;
    raw_call(__NR_clock_gettime, CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int open_map(int pid)
{
    snprintf(map_path, sizeof map_path, "/tmp/perf-%d.map", pid);
    return (int)raw_call(__NR_open, map_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
}

static int open_dump(int pid)
{
    snprintf(dump_path, sizeof dump_path, "jit-%d.dump", pid);
    int fd = (int)raw_call(__NR_open, dump_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        DumpHeader h = {.magic = 0x4a695444, .version = 1, .size = sizeof h, .machine = 62 /* EM_X86_64 */,
                        .pid = (uint32_t)pid, .time = now()};
        write_all(fd, (const char *)&h, sizeof h);
        raw_call(__NR_mmap, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    }
    return fd;
}

int perf_open(const Options *o, const char **path)
{
    int pid = (int)raw_call(__NR_getpid);
    if (o->perfmap && (map_fd = open_map(pid)) < 0) {
        *path = map_path;
        return map_fd;
    }
    if (o->jitdump && (dump_fd = open_dump(pid)) < 0) {
        *path = dump_path;
        return dump_fd;
    }
    return 0;
}

static int region_name(uint64_t pc, char *buf, size_t size)
{
    Where w;
    char function[160];
    uint64_t distance;
    if (crash_where(pc, &w) && crash_symbol(&w, pc, function, sizeof function, &distance)) {
        return snprintf(buf, size, "%s+0x%llx [arm]", function, (unsigned long long)distance);
    }
    return snprintf(buf, size, "0x%llx [arm]", (unsigned long long)pc);
}

void perf_code_made(Gva pc, const void *host, size_t size)
{
    char name[256], line[320];
    mutex_lock(&lock);
    int n = region_name(pc.v, name, sizeof name);
    if (process.opt.gdbjit) {
        gdbjit_add(name, host, size);
    }
    if (map_fd >= 0) {
        int len = snprintf(line, sizeof line, "%llx %zx %s\n", (unsigned long long)(uintptr_t)host, size, name);
        write_all(map_fd, line, (size_t)len);
    }
    if (dump_fd >= 0) {
        CodeLoad r = {.size = (uint32_t)(sizeof r + (size_t)n + 1 + size), .time = now(),
                      .pid = (uint32_t)raw_call(__NR_getpid), .tid = (uint32_t)raw_call(__NR_gettid),
                      .vma = (uintptr_t)host, .address = (uintptr_t)host, .code_size = size, .index = dump_index++};
        write_all(dump_fd, (const char *)&r, sizeof r);
        write_all(dump_fd, name, (size_t)n + 1);
        write_all(dump_fd, host, size);
    }
    mutex_unlock(&lock);
}

/* Copies what was written to `from` so far. */
static void take_over(int from, int to)
{
    char buf[PAGE];
    int64_t n;
    for (int64_t at = 0; (n = raw_call(__NR_pread64, from, buf, sizeof buf, at)) > 0; at += n) {
        write_all(to, buf, (size_t)n);
    }
}

void perf_forked(void)
{
    int pid = (int)raw_call(__NR_getpid);
    lock.word = 0; /* another thread of the parent may have held it */
    if (map_fd >= 0) {
        int parent = map_fd;
        map_fd = open_map(pid);
        if (map_fd >= 0) {
            take_over(parent, map_fd);
        }
        raw_call(__NR_close, parent);
    }
    if (dump_fd >= 0) { /* its records name the parent: begin anew */
        raw_call(__NR_close, dump_fd);
        dump_fd = open_dump(pid);
    }
}
