// memory.c - mmap and its relatives: placement, protection, remapping, files, brk, many mappings.
// test: dyn interp secs=60
#define _GNU_SOURCE
#include "t.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P = 4096 };

static char *map(size_t n, int prot)
{
    return mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static int mapped(void *p)
{
    unsigned char vec;
    return mincore(p, P, &vec) == 0;
}

static void basics(void)
{
    char *m = map(16 * P, PROT_READ | PROT_WRITE);
    CHECK(((uintptr_t)m & (P - 1)) == 0);
    for (int i = 0; i < 16 * P; i++) {
        CHECK(m[i] == 0);
    }
    memset(m, 7, 16 * P);
    CHECK(munmap(m + 4 * P, 2 * P) == 0);
    CHECK(mapped(m + 3 * P) && !mapped(m + 4 * P) && !mapped(m + 5 * P) && mapped(m + 6 * P));
    char *f = mmap(m + 4 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(f == m + 4 * P && f[0] == 0);
    CHECK(mmap(m + 3 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    CHECK(errno == EEXIST);
    CHECK(madvise(m, P, MADV_DONTNEED) == 0 && m[0] == 0 && m[P] == 7);
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(m + 1, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(munmap(m + 1, P) == -1 && errno == EINVAL);
    CHECK(mprotect(m + 5 * P, P, PROT_READ) == -1 && errno == ENOMEM);
    CHECK(mmap(NULL, 1ul << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(mmap((void *)(1ul << 50), P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    CHECK(munmap(m, 16 * P) == 0 && !mapped(m));
    ok("basics");
}

static void remaps(void)
{
    char *m = map(4 * P, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 4; i++) {
        memset(m + i * P, 'a' + i, P);
    }
    char *big = mremap(m, 4 * P, 64 * P, MREMAP_MAYMOVE);
    CHECK(big != MAP_FAILED && big[0] == 'a' && big[3 * P] == 'd' && big[63 * P] == 0);
    CHECK(mremap(big, 64 * P, 2 * P, 0) == big && !mapped(big + 2 * P));
    char *target = map(8 * P, PROT_NONE);
    char *moved = mremap(big, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, target + P);
    CHECK(moved == target + P && moved[0] == 'a' && moved[P] == 'b' && !mapped(big));
    CHECK(mremap(moved, 2 * P, 2 * P, MREMAP_FIXED, target) == MAP_FAILED && errno == EINVAL);
    munmap(target, 8 * P);
    ok("remaps");
}

static void files(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char data[3 * P];
    for (int i = 0; i < 3 * P; i++) {
        data[i] = (char)(i * 7);
    }
    CHECK(write(fd, data, 10000) == 10000);
    char *shared = mmap(NULL, 3 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 3 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *tail = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 2 * P);
    CHECK(memcmp(shared, data, 10000) == 0 && shared[10001] == 0 && tail[0] == data[2 * P]);
    private[5] = 'P';
    shared[6] = 'S';
    char c[2];
    CHECK(pread(fd, c, 2, 5) == 2 && c[0] == data[5] && c[1] == 'S');
    CHECK(pwrite(fd, "W", 1, 2 * P + 3) == 1 && tail[3] == 'W');
    CHECK(msync(shared, 3 * P, MS_SYNC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        shared[100] = 'C';
        private[100] = 'D';
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    CHECK(shared[100] == 'C' && private[100] != 'D');
    CHECK(mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 5) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, P, PROT_READ, MAP_SHARED, 999, 0) == MAP_FAILED && errno == EBADF);
    int ro = open("file", O_RDONLY);
    CHECK(mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
    close(ro);
    close(fd);
    shared[7] = 'x';
    munmap(shared, 3 * P);
    munmap(private, 3 * P);
    munmap(tail, P);
    ok("files");
}

static void brk_grows(void)
{
    char *start = sbrk(0);
    for (int i = 0; i < 200; i++) {
        CHECK(sbrk(P * 16) != (void *)-1);
    }
    char *end = sbrk(0);
    CHECK(end - start == 200 * 16 * P);
    memset(start, 1, (size_t)(end - start));
    CHECK(brk(start) == 0 && sbrk(0) == start);
    CHECK(sbrk(P) == start && start[0] == 0);
    ok("brk");
}

static void many(void)
{
    enum { N = 2000 };
    static char *m[N];
    for (int i = 0; i < N; i++) {
        m[i] = map(3 * P, PROT_READ | PROT_WRITE);
        CHECK(m[i] != MAP_FAILED);
        CHECK(mprotect(m[i] + P, P, PROT_NONE) == 0);
        m[i][0] = (char)i;
        m[i][2 * P] = (char)(i >> 8);
    }
    for (int i = 0; i < N; i += 2) {
        munmap(m[i], 3 * P);
    }
    for (int i = 1; i < N; i += 2) {
        CHECK(m[i][0] == (char)i && m[i][2 * P] == (char)(i >> 8));
        munmap(m[i], 3 * P);
    }
    void *blocks[500];
    uint64_t seed = 9;
    memset(blocks, 0, sizeof blocks);
    for (int i = 0; i < 20000; i++) {
        int k = (int)(t_rand(&seed) % 500);
        free(blocks[k]);
        size_t n = t_rand(&seed) % (i % 50 == 0 ? 1000000 : 2000) + 1;
        blocks[k] = malloc(n);
        memset(blocks[k], i, n);
    }
    for (int i = 0; i < 500; i++) {
        free(blocks[i]);
    }
    ok("many");
}

static void limits(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit r;
        CHECK(getrlimit(RLIMIT_DATA, &r) == 0);
        char *big = malloc(1ul << 50);
        CHECK(big == NULL && errno == ENOMEM);
        _exit(done());
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(status == 0);
    CHECK(sysconf(_SC_PAGESIZE) == P);
    ok("limits");
}

static void shared_memory(void)
{
    volatile int *m = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            for (int k = 0; k < 10000; k++) {
                __atomic_fetch_add(m, 1, __ATOMIC_SEQ_CST);
            }
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
    CHECK(*m == 40000);
    int fd = memfd_create("m", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(ftruncate(fd, P) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
    CHECK(ftruncate(fd, 2 * P) == -1 && errno == EPERM);
    close(fd);
    ok("shared");
}

/* What a forked child does not inherit, or as zeros. */
static void fork_advice(void)
{
    char *m = map(4 * P, PROT_READ | PROT_WRITE);
    memset(m, 7, 4 * P);
    CHECK(madvise(m, 2 * P, MADV_DONTFORK) == 0 && madvise(m + P, P, MADV_DOFORK) == 0);
    CHECK(madvise(m + 3 * P, P, MADV_WIPEONFORK) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(!mapped(m) && mapped(m + P) && mapped(m + 3 * P));
        CHECK(mmap(m, P, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == m);
        CHECK(m[0] == 0 && m[P] == 7 && m[2 * P] == 7 && m[3 * P] == 0);
        CHECK(mprotect(m, 4 * P, PROT_READ) == 0 && munmap(m, 4 * P) == 0);
        _exit(done());
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(m[0] == 7 && m[3 * P] == 7 && munmap(m, 4 * P) == 0);
    ok("fork advice");
}

int main(void)
{
    basics();
    fork_advice();
    remaps();
    files();
    brk_grows();
    many();
    limits();
    shared_memory();
    return done();
}
