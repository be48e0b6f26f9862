// process.c - fork, vfork, posix_spawn, exec of this program and of scripts, wait in all forms,
// exit codes, descriptors and environment across exec.
// test: dyn interp secs=60
#define _GNU_SOURCE
#include "t.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char self[4096];

static int reap(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int child_main(int argc, char **argv)
{
    if (!strcmp(argv[1], "exit")) {
        return atoi(argv[2]);
    }
    if (!strcmp(argv[1], "args")) {
        for (int i = 2; i < argc; i++) {
            printf("[%s]", argv[i]);
        }
        printf(" FOO=%s\n", getenv("FOO") ? getenv("FOO") : "unset");
        return 0;
    }
    if (!strcmp(argv[1], "chain")) {
        int n = atoi(argv[2]);
        if (n == 0) {
            printf("end of chain, pid kept: %d\n", atoi(argv[3]) == getpid());
            return 17;
        }
        char less[16];
        sprintf(less, "%d", n - 1);
        execl(self, self, "chain", less, argv[3], NULL);
        return 99;
    }
    if (!strcmp(argv[1], "fd")) {
        printf("fd 60 %s, fd 61 %s\n", fcntl(60, F_GETFD) < 0 ? "closed" : "open",
               fcntl(61, F_GETFD) < 0 ? "closed" : "open");
        return 0;
    }
    if (!strcmp(argv[1], "mask")) {
        sigset_t set;
        struct sigaction sa;
        sigprocmask(SIG_BLOCK, NULL, &set);
        sigaction(SIGUSR2, NULL, &sa);
        printf("blocked %d ignored %d ", sigismember(&set, SIGUSR1), sa.sa_handler == SIG_IGN);
        sigaction(SIGHUP, NULL, &sa);
        printf("reset %d\n", sa.sa_handler == SIG_DFL);
        return 0;
    }
    return 98;
}

static void nothing(int sig)
{
    (void)sig;
}

static void forks(void)
{
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(i);
        }
        CHECK(reap(pid) == i);
    }
    /* Fifty at once, in a pipe. */
    int p[2];
    CHECK(pipe(p) == 0);
    for (int i = 0; i < 50; i++) {
        if (fork() == 0) {
            unsigned char c = (unsigned char)i;
            _exit(write(p[1], &c, 1) != 1);
        }
    }
    int sum = 0;
    for (int i = 0; i < 50; i++) {
        unsigned char c;
        CHECK(read(p[0], &c, 1) == 1);
        sum += c;
    }
    int status, ended = 0;
    while (wait(&status) > 0) {
        ended += status == 0;
    }
    CHECK(ended == 50 && sum == 1225 && errno == ECHILD);
    close(p[0]);
    close(p[1]);
    ok("forks");
}

static void vforks(void)
{
    volatile int shared = 0;
    for (int i = 0; i < 30; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            shared++;
            if (i & 1) {
                execl(self, self, "exit", "5", NULL);
            }
            _exit(6);
        }
        CHECK(shared == i + 1);
        CHECK(reap(pid) == (i & 1 ? 5 : 6));
    }
    ok("vforks");
}

static void spawns(void)
{
    pid_t pid;
    char *argv[] = {self, (char *)"args", (char *)"a b", (char *)"", (char *)"c", NULL};
    char *envp[] = {(char *)"FOO=bar", NULL};
    fflush(stdout);
    CHECK(posix_spawn(&pid, self, NULL, NULL, argv, envp) == 0);
    CHECK(reap(pid) == 0);
    CHECK(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, envp) == ENOENT);
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 1, "spawned.txt", O_CREAT | O_WRONLY | O_TRUNC, 0600);
    CHECK(posix_spawn(&pid, self, &fa, NULL, argv, environ) == 0);
    CHECK(reap(pid) == 0);
    struct stat st;
    CHECK(stat("spawned.txt", &st) == 0 && st.st_size > 20);
    ok("spawns");
}

static void execs(void)
{
    char pid_text[16];
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        sprintf(pid_text, "%d", getpid());
        execl(self, self, "chain", "5", pid_text, NULL);
        _exit(99);
    }
    CHECK(reap(pid) == 17);
    pid = fork();
    if (pid == 0) {
        CHECK(dup2(1, 60) == 60 && dup2(1, 61) == 61);
        fcntl(60, F_SETFD, FD_CLOEXEC);
        execl(self, self, "fd", NULL);
        _exit(99);
    }
    CHECK(reap(pid) == 0);
    pid = fork();
    if (pid == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGUSR2, SIG_IGN);
        signal(SIGHUP, nothing);
        execl(self, self, "mask", NULL);
        _exit(99);
    }
    CHECK(reap(pid) == 0);
    /* By descriptor, with and without AT_EMPTY_PATH. */
    char *argv[] = {(char *)"by-fd", (char *)"exit", (char *)"33", NULL};
    pid = fork();
    if (pid == 0) {
        fexecve(open(self, O_RDONLY), argv, environ);
        _exit(99);
    }
    CHECK(reap(pid) == 33);
    pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, AT_FDCWD, self, argv, environ, 0);
        _exit(99);
    }
    CHECK(reap(pid) == 33);
    ok("execs");
}

static void scripts(void)
{
    FILE *f = fopen("script", "w");
    fprintf(f, "#!%s args  \nrest\n", self);
    fclose(f);
    chmod("script", 0755);
    setenv("FOO", "script", 1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./script", "ignored", "x", "y z", NULL);
        _exit(99);
    }
    CHECK(reap(pid) == 0);
    f = fopen("shell", "w");
    fprintf(f, "#!/bin/sh\nexit $1\n");
    fclose(f);
    chmod("shell", 0755);
    pid = fork();
    if (pid == 0) {
        execl("./shell", "./shell", "44", NULL);
        _exit(99);
    }
    CHECK(reap(pid) == 44);
    CHECK(WEXITSTATUS(system("exit 7")) == 7);
    ok("scripts");
}

static int exec_errno(const char *path)
{
    char *argv[] = {(char *)path, NULL};
    execve(path, argv, environ);
    return errno;
}

static void errors(void)
{
    FILE *f = fopen("text", "w");
    fprintf(f, "neither script nor program\n");
    fclose(f);
    printf("missing %d, directory %d", exec_errno("./missing") == ENOENT, exec_errno("/") == EACCES);
    chmod("text", 0644);
    printf(", no permission %d", exec_errno("./text") == EACCES);
    chmod("text", 0755);
    printf(", no format %d", exec_errno("./text") == ENOEXEC);
    f = fopen("badscript", "w");
    fprintf(f, "#!/nonexistent/interpreter\n");
    fclose(f);
    chmod("badscript", 0755);
    printf(", no interpreter %d", exec_errno("./badscript") == ENOENT);
    printf(", not a directory %d", exec_errno("./text/x") == ENOTDIR);
    int r = (int)syscall(SYS_execve, (char *)8, NULL, NULL);
    printf(", bad pointer %d\n", r == -1 && errno == EFAULT);
    ok("errors");
}

static void waits(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(21);
    }
    siginfo_t si = {0};
    CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
    CHECK(si.si_pid == pid && si.si_code == CLD_EXITED && si.si_status == 21);
    CHECK(reap(pid) == 21);
    pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    int status;
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGKILL);
    CHECK(reap(pid) == -SIGKILL);
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    CHECK(fd >= 0);
    close(fd);
    ok("waits");
}

int main(int argc, char **argv)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    if (argc > 1) {
        return child_main(argc, argv);
    }
    unsetenv("FOO");
    forks();
    vforks();
    spawns();
    execs();
    scripts();
    errors();
    waits();
    return done();
}
