// procself.c - what a process finds about itself: /proc/self, the auxiliary vector, argv, names.
// test: dyn args=first,second
#define _GNU_SOURCE
#include "t.h"
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *slurp(const char *path, size_t *n)
{
    static char buffer[1 << 20];
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    *n = 0;
    for (ssize_t k; fd >= 0 && (k = read(fd, buffer + *n, sizeof buffer - 1 - *n)) > 0;) {
        *n += (size_t)k;
    }
    close(fd);
    buffer[*n] = 0;
    return buffer;
}

/* Permissions of the mapping that holds p according to /proc/self/maps ("" when there is none). */
static const char *permissions(const void *p, char *name, size_t size)
{
    static char perm[8];
    FILE *f = fopen("/proc/self/maps", "r");
    char line[4400];
    perm[0] = 0;
    while (f && fgets(line, sizeof line, f)) {
        unsigned long a, b, offset, inode;
        char q[8], dev[16], file[4200] = "";
        CHECK(sscanf(line, "%lx-%lx %7s %lx %15s %lu %4199s", &a, &b, q, &offset, dev, &inode, file) >= 6);
        if ((uintptr_t)p >= a && (uintptr_t)p < b) {
            strcpy(perm, q);
            snprintf(name, size, "%s", file);
        }
    }
    if (f) {
        fclose(f);
    }
    return perm;
}

static int segments;
static int count_objects(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        segments += info->dlpi_phdr[i].p_type == PT_LOAD;
    }
    return 0;
}

static void *in_thread(void *arg)
{
    char name[16] = "";
    pthread_setname_np(pthread_self(), "worker");
    pthread_getname_np(pthread_self(), name, sizeof name);
    CHECK(strcmp(name, "worker") == 0);
    return arg;
}

/* A copy of the program in memory that runs: only /proc/self/exe still leads to it. */
static int from_memory(void)
{
    struct stat own, given;
    char name[64] = "";
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &own) == 0 && stat("/proc/self/fd/9", &given) == 0 && own.st_ino == given.st_ino);
    CHECK(stat("/proc/self/exe", &own) == 0 && own.st_ino == given.st_ino && own.st_dev == given.st_dev);
    CHECK(readlink("/proc/self/exe", name, sizeof name - 1) > 0 && strcmp(name, "/memfd:copy (deleted)") == 0);
    return done();
}

static void run_from_memory(void)
{
    char *args[] = {(char *)"in memory", NULL}, *env[] = {NULL};
    struct stat st;
    int status = -1, from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fstat(from, &st) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = memfd_create("copy", 0);
        CHECK(sendfile(fd, from, NULL, (size_t)st.st_size) == st.st_size && dup2(fd, 9) == 9 && close(fd) == 0);
        fexecve(9, args, env);
        _exit(99);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(from);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        return from_memory();
    }
    char exe[4096] = "", name[4200] = "";
    size_t n;
    CHECK(argc == 3);
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    struct stat a, b;
    CHECK(len > 0 && stat(exe, &a) == 0 && stat(argv[0], &b) == 0 && a.st_ino == b.st_ino);
    char by_pid[64], again[4096] = "";
    snprintf(by_pid, sizeof by_pid, "/proc/%d/exe", getpid());
    CHECK(readlink(by_pid, again, sizeof again - 1) == len && strcmp(again, exe) == 0);
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    memset(again, 0, sizeof again);
    CHECK(readlinkat(dir, "exe", again, sizeof again - 1) == len && strcmp(again, exe) == 0);
    int elf = open("/proc/self/exe", O_RDONLY);
    ElfW(Ehdr) eh;
    CHECK(read(elf, &eh, sizeof eh) == sizeof eh && memcmp(eh.e_ident, ELFMAG, 4) == 0);
#ifdef __aarch64__
    CHECK(eh.e_machine == EM_AARCH64);
#endif
    struct statfs of_exe, of_file;
    CHECK(statfs("/proc/self/exe", &of_exe) == 0 && fstatfs(elf, &of_file) == 0 && of_exe.f_type == of_file.f_type);
    int tree = (int)syscall(SYS_open_tree, -1, "/proc/self/exe", O_CLOEXEC); /* crun begins so */
    CHECK(tree >= 0 && fstat(tree, &b) == 0 && a.st_ino == b.st_ino);
    close(tree);
    run_from_memory();
    ok("exe");

    char *text = slurp("/proc/self/cmdline", &n);
    CHECK(n == strlen(argv[0]) + 1 + sizeof "first" + sizeof "second");
    CHECK(strcmp(text, argv[0]) == 0 && strcmp(text + n - sizeof "second", "second") == 0);
    const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    text = slurp("/proc/self/comm", &n);
    CHECK(strncmp(text, base, strlen(base) < 15 ? strlen(base) : 15) == 0);
    text = slurp("/proc/self/stat", &n);
    int pid = 0;
    char comm[64] = "", state = 0;
    CHECK(sscanf(text, "%d (%63[^)]) %c", &pid, comm, &state) == 3 && pid == getpid() && state == 'R');
    CHECK(strncmp(comm, base, 15) == 0);
    text = slurp("/proc/self/status", &n);
    CHECK(strstr(text, "Threads:\t1\n") != NULL);
    text = slurp("/proc/self/environ", &n);
    CHECK(n > 0);
    ok("names");

    int local = 0;
    static int writable = 1;
    static const int constant = 2;
    CHECK(strcmp(permissions(&local, name, sizeof name), "rw-p") == 0 && strcmp(name, "[stack]") == 0);
    CHECK(strcmp(permissions(&writable, name, sizeof name), "rw-p") == 0);
    CHECK(permissions(&constant, name, sizeof name)[0] == 'r');
    const char *perm = permissions((void *)main, name, sizeof name);
    CHECK(strncmp(perm, "r-x", 3) == 0 && strcmp(name, exe) == 0);
    char *heap = malloc(100);
    CHECK(strcmp(permissions(heap, name, sizeof name), "rw-p") == 0 && strcmp(name, "[heap]") == 0);
    CHECK(strcmp(permissions((void *)64, name, sizeof name), "") == 0);
    free(heap);
    ok("maps");

    CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
    CHECK(getauxval(AT_CLKTCK) == 100 && getauxval(AT_SECURE) == 0 && getauxval(AT_PHNUM) > 2);
    CHECK(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
    ElfW(Phdr) *ph = (ElfW(Phdr) *)getauxval(AT_PHDR);
    int loads = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
        loads += ph[i].p_type == PT_LOAD;
    }
    CHECK(loads >= 2 && getauxval(AT_PHENT) == sizeof *ph && getauxval(AT_ENTRY) != 0);
    uint8_t *random = (uint8_t *)getauxval(AT_RANDOM), sum = 0;
    for (int i = 0; i < 16; i++) {
        sum |= random[i];
    }
    CHECK(sum != 0);
#ifdef __aarch64__
    CHECK(getauxval(AT_HWCAP) & 3 && strcmp((char *)getauxval(AT_PLATFORM), "aarch64") == 0);
    CHECK(getauxval(AT_MINSIGSTKSZ) >= 4560);
#endif
    text = slurp("/proc/self/auxv", &n);
    int pairs = 0;
    for (size_t i = 0; i + 16 <= n; i += 16) {
        unsigned long key, value;
        memcpy(&key, text + i, 8);
        memcpy(&value, text + i + 8, 8);
        pairs += key != 0;
        /* glibc for x86 replaces two of them by its own. */
        CHECK(key == 0 || key == AT_HWCAP || key == AT_PLATFORM || getauxval(key) == value);
    }
    CHECK(pairs > 15);
    ok("auxiliary vector");

    dl_iterate_phdr(count_objects, NULL);
    CHECK(segments >= loads);
    pthread_t t;
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
    prctl(PR_SET_NAME, "renamed");
    text = slurp("/proc/self/comm", &n);
    CHECK(strcmp(text, "renamed\n") == 0);
    CHECK(access("/proc/self/fd/0", F_OK) == 0);
    ok("threads");
    return done();
}
