// newcalls.c - system calls that emulators tend not to know: io_uring, pidfd, clone3, futex_waitv, epoll_pwait2, ...
// test: dyn
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/membarrier.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"

static void ring(void)
{
    struct io_uring_params p = {0};
    int fd = (int)syscall(SYS_io_uring_setup, 8, &p);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        ok("io_uring");
        return;
    }
    CHECK(fd >= 0);
    size_t size = p.sq_off.array + p.sq_entries * 4, csize = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *sq = mmap(NULL, size > csize ? size : csize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
    CHECK(sq != MAP_FAILED);
    char *cq = p.features & IORING_FEAT_SINGLE_MMAP
                   ? sq
                   : mmap(NULL, csize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqe = mmap(NULL, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
    CHECK(sqe != MAP_FAILED);
    char buf[16] = "";
    int zero = open("/dev/zero", O_RDONLY);
    memset(&sqe[0], 0, sizeof *sqe);
    sqe[0].opcode = IORING_OP_NOP;
    sqe[0].user_data = 77;
    memset(&sqe[1], 0, sizeof *sqe);
    memset(buf, 1, sizeof buf);
    sqe[1].opcode = IORING_OP_READ;
    sqe[1].fd = zero;
    sqe[1].addr = (uintptr_t)buf;
    sqe[1].len = sizeof buf;
    sqe[1].user_data = 78;
    unsigned *array = (unsigned *)(sq + p.sq_off.array);
    array[0] = 0;
    array[1] = 1;
    __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 2, __ATOMIC_RELEASE);
    CHECK(syscall(SYS_io_uring_enter, fd, 2, 2, IORING_ENTER_GETEVENTS, NULL, 0) == 2);
    struct io_uring_cqe *c = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
    CHECK(c[0].user_data + c[1].user_data == 155);
    CHECK(buf[0] == 0 && buf[15] == 0);
    close(fd);
    ok("io_uring");
}

static void pidfds(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(1);
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    CHECK(fd >= 0);
    CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
    siginfo_t si;
    memset(&si, 0, sizeof si);
    CHECK(waitid((idtype_t)3, (id_t)fd, &si, WEXITED) == 0);
    CHECK(si.si_code == CLD_KILLED && si.si_status == SIGTERM && si.si_pid == pid);
    close(fd);
    ok("pidfd");
}

static void clone3s(void)
{
    int pidfd = -1, ptid = 0;
    struct clone_args a = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND,
                           .pidfd = (uintptr_t)&pidfd,
                           .parent_tid = (uintptr_t)&ptid,
                           .exit_signal = SIGCHLD};
    signal(SIGUSR1, SIG_IGN);
    long pid = syscall(SYS_clone3, &a, sizeof a);
    if (pid == 0) {
        _exit(21);
    }
    CHECK(pid > 0 && ptid == pid && pidfd >= 0);
    int status;
    CHECK(waitpid((pid_t)pid, &status, 0) == pid && WEXITSTATUS(status) == 21);
    close(pidfd);
    a.flags = 1ull << 62;
    CHECK(syscall(SYS_clone3, &a, sizeof a) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_clone3, &a, 8) == -1 && errno == EINVAL);
    ok("clone3");
}

static void namespaces(void)
{
    /* A user namespace, in it a pid namespace: needs no rights where the kernel allows it at all. */
    int status = 0;
    long pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(getpid() == 1 ? 5 : 6);
    }
    if (pid > 0) {
        waitpid((pid_t)pid, &status, 0);
        CHECK(WEXITSTATUS(status) == 5);
    } else {
        CHECK(errno == EPERM || errno == ENOSPC || errno == EINVAL);
    }
    ok("namespaces");
}

static void events(void)
{
    int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_NONBLOCK);
    struct epoll_event e[4] = {{.events = EPOLLIN, .data.u64 = 0x1122334455667788}};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, ev, e) == 0);
    int t = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec its = {.it_value = {0, 1000000}};
    timerfd_settime(t, 0, &its, NULL);
    e[0].data.u64 = 0x99;
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, t, e) == 0);
    eventfd_write(ev, 3);
    usleep(20000);
    struct timespec ts = {1, 0};
    memset(e, 0, sizeof e);
    int n = (int)syscall(SYS_epoll_pwait2, ep, e, 4, &ts, NULL, 8);
    CHECK(n == 2);
    CHECK(e[0].data.u64 + e[1].data.u64 == 0x1122334455667788 + 0x99);
    CHECK(syscall(SYS_epoll_pwait2, ep, e, 0, &ts, NULL, 8) == -1 && errno == EINVAL);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL) == 0);
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &s, NULL);
    int sf = signalfd(-1, &s, 0);
    union sigval v = {.sival_int = 4711};
    sigqueue(getpid(), SIGRTMIN + 3, v);
    struct signalfd_siginfo si;
    CHECK(read(sf, &si, sizeof si) == sizeof si);
    CHECK(si.ssi_signo == (unsigned)SIGRTMIN + 3 && si.ssi_int == 4711);
    close(ep), close(ev), close(t), close(sf);
    ok("events");
}

static void memory(void)
{
    int fd = (int)syscall(SYS_memfd_create, "x", 2 /* MFD_ALLOW_SEALING */);
    CHECK(ftruncate(fd, 8192) == 0);
    CHECK(fcntl(fd, 1033 /* F_ADD_SEALS */, 2 /* F_SEAL_SHRINK */) == 0);
    CHECK(ftruncate(fd, 4096) == -1 && errno == EPERM);
    close(fd);
    char from[5] = "abcd", to[5] = "";
    struct iovec l = {to, 5}, r = {from, 5};
    CHECK(process_vm_readv(getpid(), &l, 1, &r, 1, 0) == 5 && !strcmp(to, "abcd"));
    int id = shmget(IPC_PRIVATE, 8192, 0600);
    char *m = shmat(id, NULL, 0);
    strcpy(m, "shared");
    char *n = shmat(id, NULL, SHM_RDONLY);
    CHECK(!strcmp(n, "shared"));
    struct shmid_ds ds;
    CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2 && ds.shm_segsz == 8192);
    CHECK(shmdt(m) == 0 && shmdt(n) == 0 && shmdt(n) == -1 && errno == EINVAL);
    shmctl(id, IPC_RMID, NULL);
    int sem = semget(IPC_PRIVATE, 3, 0600);
    union semun {
        int val;
        struct semid_ds *buf;
    } arg;
    struct semid_ds sd;
    arg.buf = &sd;
    CHECK(semctl(sem, 0, IPC_STAT, arg) == 0 && sd.sem_nsems == 3 && sd.sem_ctime > 1000000000 && sd.sem_otime == 0);
    semctl(sem, 0, IPC_RMID);
    CHECK(mlockall(MCL_CURRENT) == 0 || errno == ENOMEM || errno == EPERM);
    CHECK(munlockall() == 0);
    struct rlimit rl = {1ul << 40, 1ul << 41}, got;
    CHECK(setrlimit(RLIMIT_AS, &rl) == 0 && getrlimit(RLIMIT_AS, &got) == 0);
    CHECK(got.rlim_cur == 1ul << 40 && got.rlim_max == 1ul << 41);
    rl.rlim_cur = 1ul << 42;
    CHECK(setrlimit(RLIMIT_AS, &rl) == -1 && errno == EINVAL);
    ok("memory");
}

static void files(void)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW};
    int d = (int)syscall(SYS_openat2, AT_FDCWD, "/proc", &how, sizeof how);
    CHECK(d >= 0);
    CHECK((fcntl(d, F_GETFL) & (O_DIRECTORY | O_NOFOLLOW)) == (O_DIRECTORY | O_NOFOLLOW));
    how.flags |= 1ull << 40;
    CHECK(syscall(SYS_openat2, AT_FDCWD, "/proc", &how, sizeof how) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_faccessat2, d, "self", R_OK, AT_EACCESS) == 0);
    close(d);
    int a = dup(0), b = dup(0);
    CHECK(syscall(SYS_close_range, a, b, 0) == 0 && fcntl(a, F_GETFD) == -1 && fcntl(b, F_GETFD) == -1);
    CHECK(open("/dev/null", O_DIRECTORY) == -1 && errno == ENOTDIR);
    int p[2];
    CHECK(pipe2(p, O_DIRECT | O_NONBLOCK) == 0);
    CHECK((fcntl(p[1], F_GETFL) & (O_DIRECT | O_NONBLOCK)) == (O_DIRECT | O_NONBLOCK));
    CHECK(write(p[1], "abc", 3) == 3 && write(p[1], "de", 2) == 2);
    char buf[10];
    CHECK(read(p[0], buf, 10) == 3);
    ok("files");
}

static void misc(void)
{
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    uint32_t word = 5;
    struct {
        uint64_t val, uaddr;
        uint32_t flags, reserved;
    } w = {4, (uintptr_t)&word, 2 | 128, 0};
    CHECK(syscall(449 /* futex_waitv */, &w, 1, 0, NULL, 0) == -1 && errno == EAGAIN);
    CHECK(syscall(1000) == -1 && errno == ENOSYS);
    CHECK(syscall(-1L) == -1 && errno == ENOSYS);
    errno = 0;
    CHECK(syscall(SYS_getpriority, PRIO_PROCESS, 0) == 20 - getpriority(PRIO_PROCESS, 0));
    ok("misc");
}

int main(void)
{
    ring();
    pidfds();
    clone3s();
    namespaces();
    events();
    memory();
    files();
    misc();
    return done();
}
