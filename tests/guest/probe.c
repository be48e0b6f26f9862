// probe.c - every system call with arguments that mean little: what it returns is what it returns natively. Left out is what
// does not return, touches the whole machine, or leaves something behind.
// test: secs=300
#define _GNU_SOURCE
#include "t.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS \
    P(accept) P(accept4) P(bind) P(bpf) P(brk) P(capget) P(capset) P(chdir) P(chroot) \
    P(clock_getres) P(clock_gettime) P(clock_nanosleep) P(close) P(close_range) P(connect) \
    P(copy_file_range) P(delete_module) P(dup) P(dup3) P(epoll_create1) P(epoll_ctl) \
    P(epoll_pwait) P(epoll_pwait2) P(eventfd2) P(execve) P(execveat) P(faccessat) P(faccessat2) \
    P(fadvise64) P(fanotify_init) P(fanotify_mark) P(fchdir) P(fchmod) P(fchmodat) \
    P(fchown) P(fchownat) P(fcntl) P(fdatasync) P(fgetxattr) P(finit_module) P(flistxattr) \
    P(flock) P(fremovexattr) P(fsconfig) P(fsetxattr) P(fsmount) P(fsopen) P(fspick) P(fstat) \
    P(fstatfs) P(fsync) P(ftruncate) P(futex) P(futex_waitv) P(get_mempolicy) P(get_robust_list) \
    P(getcpu) P(getcwd) P(getdents64) P(getegid) P(geteuid) P(getgid) P(getgroups) P(getitimer) \
    P(getpeername) P(getpgid) P(getpid) P(getppid) P(getpriority) P(getrandom) P(getresgid) \
    P(getresuid) P(getrlimit) P(getrusage) P(getsid) P(getsockname) P(getsockopt) P(gettid) \
    P(gettimeofday) P(getuid) P(getxattr) P(init_module) P(inotify_add_watch) P(inotify_init1) \
    P(inotify_rm_watch) P(io_cancel) P(io_destroy) P(io_getevents) P(io_pgetevents) P(io_setup) \
    P(io_submit) P(io_uring_enter) P(io_uring_register) P(io_uring_setup) P(ioctl) P(ioprio_get) \
    P(kcmp) P(landlock_add_rule) P(landlock_create_ruleset) \
    P(landlock_restrict_self) P(lgetxattr) P(linkat) P(listen) P(listxattr) P(llistxattr) \
    P(lookup_dcookie) P(lremovexattr) P(lseek) P(lsetxattr) P(madvise) P(mbind) P(membarrier) \
    P(memfd_create) P(memfd_secret) P(migrate_pages) P(mincore) P(mkdirat) P(mknodat) P(mlock) \
    P(mlock2) P(mlockall) P(mmap) P(mount) P(mount_setattr) P(move_mount) P(move_pages) \
    P(mprotect) P(mq_getsetattr) P(mq_notify) P(mq_open) P(mq_timedreceive) P(mq_timedsend) \
    P(mq_unlink) P(mremap) P(msync) P(munlock) P(munlockall) P(munmap) P(name_to_handle_at) \
    P(nanosleep) P(newfstatat) P(nfsservctl) P(open_by_handle_at) P(open_tree) P(openat) \
    P(openat2) P(personality) P(pidfd_getfd) P(pidfd_open) P(pidfd_send_signal) P(pipe2) \
    P(pivot_root) P(ppoll) P(prctl) P(pread64) \
    P(preadv) P(preadv2) P(prlimit64) P(process_madvise) P(process_mrelease) P(process_vm_readv) \
    P(process_vm_writev) P(pselect6) P(ptrace) P(pwrite64) P(pwritev) P(pwritev2) P(quotactl) \
    P(read) P(readahead) P(readlinkat) P(readv) P(recvfrom) P(recvmmsg) P(recvmsg) \
    P(remap_file_pages) P(removexattr) P(renameat) P(renameat2) P(rseq) \
    P(rt_sigaction) P(rt_sigpending) P(rt_sigprocmask) P(rt_sigsuspend) \
    P(rt_sigtimedwait) P(sched_get_priority_max) P(sched_get_priority_min) \
    P(sched_getaffinity) P(sched_getattr) P(sched_getparam) P(sched_getscheduler) \
    P(sched_rr_get_interval) P(sched_setaffinity) P(sched_setattr) P(sched_setparam) \
    P(sched_setscheduler) P(sched_yield) P(seccomp) P(sendfile) P(sendmmsg) P(sendmsg) P(sendto) \
    P(set_mempolicy_home_node) P(set_robust_list) P(set_tid_address) P(setfsgid) P(setfsuid) \
    P(setgid) P(setgroups) P(setitimer) P(setns) P(setpgid) P(setregid) \
    P(setresgid) P(setresuid) P(setreuid) P(setrlimit) P(setsid) P(setsockopt) P(setuid) \
    P(setxattr) P(shmdt) P(shutdown) P(sigaltstack) P(signalfd4) P(socket) P(socketpair) P(splice) \
    P(statfs) P(statx) P(symlinkat) P(sync) P(sync_file_range) P(syncfs) P(sysinfo) P(tee) \
    P(timer_create) P(timer_delete) P(timer_getoverrun) P(timer_gettime) \
    P(timer_settime) P(timerfd_create) P(timerfd_gettime) P(timerfd_settime) P(times) \
    P(truncate) P(umask) P(umount2) P(uname) P(unlinkat) P(unshare) P(userfaultfd) P(utimensat) \
    P(vmsplice) P(wait4) P(waitid) P(write) P(writev)

enum { VARIANTS = 6, SIZE = 1 << 20 /* no bit of a flag that differs between machines */ };

static const struct {
    const char *name;
    long nr;
} calls[] = {
#define P(name) {#name, SYS_##name},
    CALLS
#undef P
};

/* Waits until something came through fd, or process pid waits: then it is ended. However slow the machine is, and however long a
 * call like sync() takes. */
static void watch(int fd, pid_t pid)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    long last = -1;
    while (poll(&p, 1, 300) == 0) {
        long times = process_waits(pid);
        if (times >= 0 && times == last) {
            kill(pid, SIGALRM);
            return;
        }
        last = times;
    }
}

/* The call in a child of its own; what it returned, or by what it died. */
static void probe(long nr, int variant, char *text, size_t size)
{
    int out[2];
    long answer[2] = {0, 0};
    char *buf = mmap((void *)0x10000000, 4 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (pipe2(out, O_CLOEXEC) < 0) {
        exit(2);
    }
    /* To calls that take a process, fd is one below 300: no new process has such a number once the numbers went round. */
    int keep = fcntl(out[1], F_DUPFD_CLOEXEC, 500), fd = fcntl(0, F_DUPFD, 290);
    strcpy(buf, "/nonexistent/name");
    strcpy(buf + SIZE, "user.name");
    long a = (long)buf, b = a + SIZE, c = b + SIZE;
    const long args[VARIANTS][6] = {{0, 0, 0, 0, 0, 0},    {-1, -1, -1, -1, -1, -1}, {fd, a, 64, b, 64, 0},
                                    {a, b, 64, c, 64, 0}, {-100, a, b, c, 64, 0},   {fd, 1, 2, c, 8, 8}};
    const long *v = args[variant];
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        long r = syscall(nr, v[0], v[1], v[2], v[3], v[4], v[5]);
        answer[0] = r < 0 && r > -4096 ? -errno : 0;
        answer[1] = 1;
        if (write(keep, answer, sizeof answer) < 0) {
            raise(SIGKILL);
        }
        syscall(SYS_exit_group, 0);
    }
    int status = 0;
    close(out[1]);
    close(keep);
    watch(out[0], pid);
    waitpid(pid, &status, 0);
    if (read(out[0], answer, sizeof answer) == sizeof answer && answer[1]) {
        snprintf(text, size, " %ld", -answer[0]);
    } else {
        snprintf(text, size, " %s%d", WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    close(out[0]);
    close(fd);
    munmap(buf, 4 * SIZE);
}

int main(void)
{
    if (dup2((int)syscall(SYS_memfd_create, "probe", 0), 0) != 0) { /* what is changed there is nobody's */
        return 1;
    }
    for (unsigned k = 0; k < sizeof calls / sizeof *calls; k++) {
        char line[256] = "", text[32];
        for (int v = 0; v < VARIANTS; v++) {
            probe(calls[k].nr, v, text, sizeof text);
            strcat(line, text);
        }
        printf("%s%s\n", calls[k].name, line);
        fflush(stdout);
    }
    return 0;
}
