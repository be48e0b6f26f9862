// files.c - files, directories, links, locks, sockets and descriptor passing: flags and layouts
// that differ between architectures must arrive right.
// test: dyn interp
#define _GNU_SOURCE
#include "t.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void flags(void)
{
    mkdir("dir", 0755);
    int fd = open("dir/file", O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0);
    CHECK(open("dir/file", O_RDWR | O_CREAT | O_EXCL, 0640) == -1 && errno == EEXIST);
    CHECK(open("dir/file", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK(symlink("file", "dir/link") == 0);
    CHECK(open("dir/link", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
    int d = open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(d >= 0 && (fcntl(d, F_GETFL) & O_DIRECTORY) && fcntl(d, F_GETFD) == FD_CLOEXEC);
    int path = openat(d, "link", O_PATH | O_NOFOLLOW);
    struct stat st;
    CHECK(path >= 0 && fstat(path, &st) == 0 && S_ISLNK(st.st_mode));
    int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
    CHECK(tmp >= 0 || errno == EOPNOTSUPP || errno == EISDIR);
    int a = openat(d, "file", O_WRONLY | O_APPEND | O_NONBLOCK);
    int fl = fcntl(a, F_GETFL);
    CHECK((fl & O_ACCMODE) == O_WRONLY && (fl & O_APPEND) && (fl & O_NONBLOCK) && !(fl & O_DIRECT));
    CHECK(write(a, "abc", 3) == 3 && pwrite(fd, "X", 1, 1) == 1);
    char b[8] = "";
    CHECK(pread(fd, b, 8, 0) == 3 && strcmp(b, "aXc") == 0);
    close(a);
    close(path);
    close(d);
    close(fd);
    ok("flags");
}

static void attributes(void)
{
    struct stat st, ls;
    struct statx sx;
    struct timespec ts[2] = {{1000000000, 123}, {1234567890, 456}};
    CHECK(utimensat(AT_FDCWD, "dir/file", ts, 0) == 0 && chmod("dir/file", 0604) == 0);
    CHECK(stat("dir/link", &st) == 0 && lstat("dir/link", &ls) == 0);
    CHECK(S_ISREG(st.st_mode) && S_ISLNK(ls.st_mode) && ls.st_size == 4 && st.st_size == 3);
    CHECK((st.st_mode & 07777) == 0604 && st.st_nlink == 1 && st.st_uid == getuid());
    CHECK(st.st_mtim.tv_sec == 1234567890 && st.st_mtim.tv_nsec == 456 && st.st_atim.tv_nsec == 123);
    CHECK(st.st_blksize >= 512 && st.st_ino != 0);
    CHECK(statx(AT_FDCWD, "dir/file", 0, STATX_ALL, &sx) == 0);
    CHECK(sx.stx_size == 3 && sx.stx_ino == st.st_ino && sx.stx_mtime.tv_sec == 1234567890);
    CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
    struct statvfs sv;
    CHECK(statvfs(".", &sv) == 0 && sv.f_bsize > 0 && sv.f_namemax == 255);
    CHECK(link("dir/file", "dir/hard") == 0 && stat("dir/hard", &st) == 0 && st.st_nlink == 2);
    CHECK(rename("dir/hard", "dir/renamed") == 0 && access("dir/hard", F_OK) == -1);
    CHECK(renameat2(AT_FDCWD, "dir/renamed", AT_FDCWD, "dir/file", RENAME_NOREPLACE) == -1 && errno == EEXIST);
    CHECK(truncate("dir/renamed", 100000) == 0 && stat("dir/file", &st) == 0 && st.st_size == 100000);
    CHECK(faccessat(AT_FDCWD, "dir/file", R_OK, AT_EACCESS) == 0);
    char link_to[16] = "";
    CHECK(readlink("dir/link", link_to, 16) == 4 && strcmp(link_to, "file") == 0);
    ok("attributes");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void directories(void)
{
    char name[64];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "dir/entry-%03d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    struct dirent **list;
    int n = scandir("dir", &list, NULL, by_name);
    printf("entries %d, first %s, last %s\n", n, list[2]->d_name, list[n - 1]->d_name);
    for (int i = 0; i < n; i++) {
        free(list[i]);
    }
    free(list);
    DIR *d = opendir("dir");
    long at = 0;
    for (int i = 0; i < 50; i++) {
        CHECK(readdir(d) != NULL);
    }
    at = telldir(d);
    struct dirent *e = readdir(d);
    snprintf(name, sizeof name, "%s", e->d_name);
    seekdir(d, at);
    CHECK(strcmp(readdir(d)->d_name, name) == 0);
    closedir(d);
    char cwd[4096], *was = getcwd(NULL, 0);
    CHECK(chdir("dir") == 0 && getcwd(cwd, sizeof cwd) && strcmp(cwd + strlen(was), "/dir") == 0);
    CHECK(chdir("..") == 0);
    /* A folder of the host's is not left for one of the same name below -L, where files made by name are not. */
    CHECK(chdir("/tmp") == 0 && getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/tmp"));
    CHECK(chdir(was) == 0);
    free(was);
    CHECK(rmdir("dir") == -1 && errno == ENOTEMPTY);
    ok("directories");
}

static void locks(void)
{
    int fd = open("dir/file", O_RDWR), p[2];
    CHECK(pipe(p) == 0);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
    CHECK(fcntl(fd, F_SETLK, &fl) == 0);
    pid_t me = getpid(), pid = fork();
    if (pid == 0) {
        struct flock q = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
        CHECK(fcntl(fd, F_GETLK, &q) == 0);
        CHECK(q.l_type == F_WRLCK && q.l_pid == me && q.l_start == 10 && q.l_len == 20);
        q = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 29, .l_len = 1};
        CHECK(fcntl(fd, F_SETLK, &q) == -1 && (errno == EAGAIN || errno == EACCES));
        q.l_start = 30;
        CHECK(fcntl(fd, F_SETLK, &q) == 0);
        int own = open("dir/file", O_RDWR);
        CHECK(flock(own, LOCK_EX | LOCK_NB) == 0);
        fflush(stdout);
        _exit(done());
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(fd);
    ok("locks");
}

static void vectors(void)
{
    char a[3] = "", b[5] = "";
    int p[2];
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    struct iovec out[3] = {{(void *)"he", 2}, {NULL, 0}, {(void *)"llo", 3}}, in[2] = {{a, 2}, {b, 4}};
    CHECK(writev(p[1], out, 3) == 5 && readv(p[0], in, 2) == 5);
    CHECK(strcmp(a, "he") == 0 && strcmp(b, "llo") == 0);
    CHECK(writev(p[1], out, -1) == -1 && errno == EINVAL);
    int avail = -1;
    CHECK(write(p[1], "1234567", 7) == 7 && ioctl(p[0], FIONREAD, &avail) == 0 && avail == 7);
    CHECK(write(p[1], (void *)16, 5) == -1 && errno == EFAULT);
    CHECK(read(p[0], (void *)16, 5) == -1 && errno == EFAULT);
    int fd = open("dir/copy", O_RDWR | O_CREAT, 0600), src = open("dir/file", O_RDWR);
    loff_t zero = 0;
    CHECK(pwrite(src, "0123456789", 10, 0) == 10);
    CHECK(copy_file_range(src, &zero, fd, NULL, 5, 0) == 5 && lseek(fd, 0, SEEK_END) == 5);
    CHECK(fallocate(fd, 0, 0, 9000) == 0 && lseek(fd, 0, SEEK_END) == 9000);
    CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
    close(fd);
    close(src);
    ok("vectors");
}

static void sockets(void)
{
    int s[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    int fd = open("dir/file", O_RDONLY);
    char data = 'd', ctl[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec io = {&data, 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    CHECK(sendmsg(s[0], &m, 0) == 1);
    memset(ctl, 0, sizeof ctl);
    CHECK(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 1);
    c = CMSG_FIRSTHDR(&m);
    int got = -1;
    memcpy(&got, CMSG_DATA(c), sizeof got);
    char text[4] = "";
    CHECK(c->cmsg_type == SCM_RIGHTS && got != fd && pread(got, text, 3, 0) == 3 && !strcmp(text, "012"));
    close(fd);
    close(got);

    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof in;
    CHECK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    CHECK(bind(l, (struct sockaddr *)&in, sizeof in) == 0 && listen(l, 5) == 0);
    CHECK(getsockname(l, (struct sockaddr *)&in, &len) == 0 && in.sin_port != 0);
    pid_t pid = fork();
    if (pid == 0) {
        int k = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect(k, (struct sockaddr *)&in, sizeof in) == 0);
        char big[50000];
        memset(big, 'b', sizeof big);
        for (size_t n = 0; n < sizeof big;) {
            ssize_t w = send(k, big + n, sizeof big - n, MSG_NOSIGNAL);
            CHECK(w > 0);
            n += (size_t)w;
        }
        _exit(done());
    }
    int k = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    size_t total = 0;
    char buffer[4096];
    for (ssize_t n; (n = recv(k, buffer, sizeof buffer, 0)) > 0;) {
        total += (size_t)n;
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(total == 50000 && status == 0);
    struct timeval tv = {0, 10000};
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0);
    CHECK(recv(s[0], buffer, 1, 0) == -1 && errno == EAGAIN);
    CHECK(shutdown(s[1], SHUT_WR) == 0 && recv(s[0], buffer, 1, 0) == 0);
    ok("sockets");
}

static void ipc(void)
{
    int shm = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
    if (shm >= 0) {
        char *m = shmat(shm, NULL, 0);
        struct shmid_ds ds;
        CHECK(m != (void *)-1 && shmctl(shm, IPC_STAT, &ds) == 0 && ds.shm_segsz == 8192 && ds.shm_nattch == 1);
        m[8191] = 1;
        CHECK(shmctl(shm, IPC_RMID, NULL) == 0 && shmdt(m) == 0);
    }
    int sem = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
    if (sem >= 0) {
        union { int val; struct semid_ds *ds; } u = {.val = 3};
        struct semid_ds ds;
        CHECK(semctl(sem, 1, SETVAL, u) == 0 && semctl(sem, 1, GETVAL) == 3);
        u.ds = &ds;
        CHECK(semctl(sem, 0, IPC_STAT, u) == 0 && ds.sem_nsems == 2);
        struct sembuf op = {1, -2, IPC_NOWAIT};
        CHECK(semop(sem, &op, 1) == 0 && semctl(sem, 1, GETVAL) == 1);
        CHECK(semop(sem, &op, 1) == -1 && errno == EAGAIN);
        CHECK(semctl(sem, 0, IPC_RMID) == 0);
    }
    ok("ipc");
}

static void odds(void)
{
    struct utsname u;
    struct sysinfo si;
    unsigned char r[32];
    CHECK(uname(&u) == 0 && strcmp(u.sysname, "Linux") == 0);
    CHECK(sysinfo(&si) == 0 && si.totalram > 0);
    CHECK(getrandom(r, sizeof r, 0) == sizeof r);
    CHECK(close(1000) == -1 && errno == EBADF);
    CHECK(syscall(9999) == -1 && errno == ENOSYS);
    CHECK(getppid() > 0 && getpgrp() > 0 && sysconf(_SC_NPROCESSORS_ONLN) > 0);
    CHECK(umask(022) >= 0 && umask(077) == 022);
    ok("odds");
}

int main(void)
{
    flags();
    attributes();
    directories();
    locks();
    vectors();
    sockets();
    ipc();
    odds();
    return done();
}
