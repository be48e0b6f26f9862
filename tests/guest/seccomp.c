// seccomp.c - filters on system calls: numbers and architecture that they see, every action, fork, exec, threads.
// test: dyn interp
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"

#ifdef __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH AUDIT_ARCH_X86_64
#endif

/* For call nr the action; all else is allowed; another architecture dies. */
static int filter(long nr, unsigned action, unsigned flags)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = {sizeof f / sizeof *f, f};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static volatile int trapped;
static volatile siginfo_t seen;
static void on_sys(int sig, siginfo_t *si, void *context)
{
    (void)context;
    trapped = sig;
    memcpy((void *)&seen, si, sizeof seen);
}

static void *ask(void *arg)
{
    errno = 0;
    *(long *)arg = syscall(SYS_getpgid, 0) == -1 ? errno : 0;
    return NULL;
}

/* Status of a child that does what fn says. */
static int child(void (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void dies(void)
{
    filter(SYS_getsid, SECCOMP_RET_KILL_PROCESS, 0);
    syscall(SYS_getsid, 0);
}

static void strict(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    if (write(1, "", 0) == 0) {
        syscall(SYS_getpid);
    }
}

static char *self;
static void executes(void)
{
    execl(self, self, "child", (char *)NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        /* The filter is still there after exec. */
        return syscall(SYS_getppid) == -1 && errno == 77 ? 23 : 24;
    }
    self = argv[0];
    struct sock_filter bad[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_fprog p = {2, bad};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT);
    p.len = 0;
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == -1 && errno == EINVAL);
    unsigned action = SECCOMP_RET_ERRNO;
    CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    CHECK(prctl(PR_GET_SECCOMP) == 0);
    ok("refused programs");

    CHECK(filter(SYS_getppid, SECCOMP_RET_ERRNO | 77, 0) == 0);
    CHECK(prctl(PR_GET_SECCOMP) == 2);
    CHECK(syscall(SYS_getppid) == -1 && errno == 77);
    CHECK(syscall(SYS_getpid) == getpid());
    ok("errno");

    struct sigaction sa = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &sa, NULL);
    CHECK(filter(SYS_getuid, SECCOMP_RET_TRAP | 5, 0) == 0);
    syscall(SYS_getuid);
    CHECK(trapped == SIGSYS && seen.si_code == 1 && seen.si_errno == 5);
    CHECK(seen.si_syscall == SYS_getuid && seen.si_arch == ARCH && seen.si_call_addr);
    ok("trap");

    long error = 0;
    pthread_t t;
    CHECK(filter(SYS_getpgid, SECCOMP_RET_ERRNO | 55, SECCOMP_FILTER_FLAG_TSYNC) == 0);
    pthread_create(&t, NULL, ask, &error);
    pthread_join(t, NULL);
    CHECK(error == 55);
    ok("threads");

    int status = child(dies);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    status = child(executes);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 23);
    ok("children");
    status = child(strict);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || WIFEXITED(status));
    ok("strict");
    return done();
}
