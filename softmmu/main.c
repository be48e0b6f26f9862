/* main.c - armx-system: the order in which everything starts, and all ways out.
 *
 * options -> a process of its own (-daemonize) -> log, machine (loop, clock) -> board (memory, CPUs, devices) -> monitor -> signals -> run.
 * The terminal is given back on every way out: at exit, and by handlers of signals that kill.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chardev.h"
#include "dev/virtio.h"
#include "drive.h"
#include "gdbserver.h"
#include "log.h"
#include "machine.h"
#include "options.h"
#include "sandbox.h"

static Machine machine;
static Options options;

static void on_quit(void)
{
    machine_quit(&machine, 0);
}

static void on_signal(void *arg, uint32_t events)
{
    struct signalfd_siginfo s;
    int fd = *(int *)arg;
    (void)events;
    if (read(fd, &s, sizeof s) != sizeof s) {
        return;
    }
    if (s.ssi_signo == SIGCONT) {
        chardev_continued();
    } else {
        chardev_restore_terminal();
        complain("ended by signal %u from process %u", s.ssi_signo, s.ssi_pid);
        machine_quit(&machine, 0);
    }
}

/* Signals that end us come as a descriptor of the loop; all threads are started with them blocked. */
static void watch_signals(EventLoop *l)
{
    static int fd;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* an image may grow no more: an error of the disk */
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    event_fd(l, fd, EPOLLIN, on_signal, &fd);
}

/* A mistake of ours: the terminal first, so that its message can be read. */
static void on_crash(int sig)
{
    chardev_restore_terminal();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void watch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGQUIT};
    struct sigaction a = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};
    for (unsigned k = 0; k < LEN(signals); k++) {
        sigaction(signals[k], &a, NULL);
    }
}

/* Its name from the root, to be deleted by. */
static char *write_pidfile(const char *path)
{
    FILE *f = path ? fopen(path, "w") : NULL;
    if (path && (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0)) {
        die("-pidfile %s: %s", path, strerror(errno));
    }
    return path ? realpath(path, NULL) : NULL;
}

/* -overcommit */
static void lock_memory(const Options *o)
{
    bool lock = false;
    for (unsigned n = 0; n < o->overcommit.n; n++) {
        OptList *l = &o->overcommit.at[n];
        lock = opt_take_bool(l, "mem-lock", lock);
        if (opt_take_bool(l, "cpu-pm", false)) {
            die("-overcommit %s: cpu-pm is off", l->text);
        }
        opt_rest(l);
    }
    if (lock && mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
        die("-overcommit mem-lock=on: %s", strerror(errno));
    }
}

/* -daemonize: a process without a terminal goes on; the one that was called waits for a byte that says that all went well, and
 * ends with status 1 when there is none. */
static int detach_begin(void)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        die("-daemonize: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child > 0) {
        close(ends[1]);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
        _exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
    }
    if (child < 0 || setsid() < 0 || (child = fork()) < 0) {
        die("-daemonize: %s", strerror(errno));
    }
    if (child > 0) { /* the leader of the session: without it nobody gets a terminal */
        _exit(0);
    }
    close(ends[0]);
    return ends[1];
}

/* Everything is made: folder and terminal of the caller are let go of. */
static void detach_end(int caller)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || chdir("/") < 0) {
        die("-daemonize: %s", strerror(errno));
    }
    fflush(NULL);
    for (int fd = 0; fd <= 2; fd++) {
        dup2(null, fd);
    }
    if (write(caller, "", 1) != 1) {
        _exit(1); /* the caller is gone, and was not told */
    }
    close(caller);
}

int main(int argc, char **argv)
{
    options_parse(&options, argc, argv);
    int caller = options.daemonize ? detach_begin() : -1;
    if (options.log_file) {
        int fd = log_open(options.log_file, false);
        if (fd < 0) {
            die("-D %s: %s", options.log_file, strerror(-fd));
        }
    }
    for (unsigned k = 0; k < options.name.n; k++) {
        const char *name = opt_look(&options.name.at[k], "guest");
        if (name) {
            prctl(PR_SET_NAME, name);
        }
    }
    machine_init(&machine, &options);
    watch_signals(machine.loop);
    watch_crashes();
    bug_report = chardev_restore_terminal;
    chardev_on_quit = on_quit;
    board_new(&machine);
    bool debugger = options.gdb || options.gdb_default;
    if (!board_has_start(&machine) && !debugger && !options.stopped) {
        die("nothing to start: give -kernel, -bios, -pflash or -device loader");
    }
    char why[400];
    if (debugger && !gdbserver_start(&machine, options.gdb ? options.gdb : "tcp::1234", why, sizeof why)) {
        die("-gdb %s", why);
    }
    char *pidfile = write_pidfile(options.pidfile);
    lock_memory(&options);
    if (caller >= 0) {
        detach_end(caller);
    }
    sandbox_enter(&options.sandbox);
    machine_start(&machine);
    int status = event_run(machine.loop);
    machine_pause(&machine);
    virtio_halt_all();
    drive_close_all();
    chardev_finish();
    engine_log_stats(machine.engine);
    if (pidfile) {
        unlink(pidfile);
    }
    fflush(NULL);
    _exit(status);
}
