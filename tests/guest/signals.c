// signals.c - delivery, masks, queues, stacks, restart, waiting; all synchronous by construction.
// test: dyn interp
#define _GNU_SOURCE
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t count, depth, deepest;
static char log_text[256];
static char alt[65536];

static void note(char c)
{
    size_t n = strlen(log_text);
    log_text[n] = c;
    log_text[n + 1] = 0;
}
static void on_count(int sig)
{
    (void)sig;
    count++;
}
static void handle(int sig, void (*f)(int), int flags)
{
    struct sigaction sa = {.sa_handler = f, .sa_flags = flags};
    sigemptyset(&sa.sa_mask);
    CHECK(sigaction(sig, &sa, NULL) == 0);
}

static void on_nested(int sig)
{
    depth++;
    if (depth > deepest) {
        deepest = depth;
    }
    if (depth < 4) {
        raise(sig);
    }
    depth--;
}

static void info_handler(int sig, siginfo_t *si, void *uc)
{
    ucontext_t *u = uc;
    CHECK(u != NULL && u->uc_stack.ss_size <= sizeof alt);
    CHECK(si->si_signo == sig);
    if (si->si_code == SI_QUEUE) {
        note((char)('a' + si->si_value.sival_int));
        CHECK(si->si_pid == getpid());
    } else {
        note('k');
        CHECK(si->si_code == SI_USER || si->si_code == SI_TKILL);
    }
}

static void on_alt(int sig)
{
    char here;
    (void)sig;
    note(&here > alt && &here < alt + sizeof alt ? 'A' : 'n');
}

static void queues(void)
{
    struct sigaction sa = {.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO};
    sigset_t set, old;
    sigemptyset(&sa.sa_mask);
    sigaddset(&sa.sa_mask, SIGRTMIN);
    sigaddset(&sa.sa_mask, SIGRTMIN + 3);
    sigaction(SIGRTMIN, &sa, NULL);
    sigaction(SIGRTMIN + 3, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 3);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    log_text[0] = 0;
    for (int i = 0; i < 4; i++) {
        sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i});
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 8 + i});
    }
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    sigset_t pending;
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGRTMIN));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("queue order %s\n", log_text);
    ok("queues");
}

static void waiting(void)
{
    sigset_t set, old;
    siginfo_t si;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
    CHECK(sigwaitinfo(&set, &si) == SIGUSR2 && si.si_value.sival_int == 77);
    struct timespec ts = {0, 1000000};
    errno = 0;
    CHECK(sigtimedwait(&set, &si, &ts) == -1 && errno == EAGAIN);
    handle(SIGUSR2, on_count, 0);
    count = 0;
    raise(SIGUSR2);
    CHECK(count == 0);
    sigset_t none;
    sigemptyset(&none);
    errno = 0;
    CHECK(sigsuspend(&none) == -1 && errno == EINTR && count == 1);
    sigprocmask(SIG_SETMASK, &old, NULL);
    ok("waiting");
}

/* A child signals its parent while the parent is blocked in read(). */
static void restart(int flags)
{
    int p[2];
    CHECK(pipe(p) == 0);
    handle(SIGUSR1, on_count, flags);
    count = 0;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        while (process_waits(parent) < 0) {
            usleep(1000);
        }
        kill(parent, SIGUSR1);
        usleep(60000);
        _exit(write(p[1], "x", 1) == 1 ? 0 : 1);
    }
    char c = 0;
    errno = 0;
    ssize_t n = read(p[0], &c, 1);
    int e = errno;
    if (flags & SA_RESTART) {
        CHECK(n == 1 && c == 'x');
    } else {
        CHECK(n == -1 && e == EINTR);
    }
    CHECK(count == 1);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    CHECK(status == 0);
    close(p[0]);
    close(p[1]);
    ok(flags ? "restart" : "interrupt");
}

static sigjmp_buf env;
static void on_jump(int sig)
{
    siglongjmp(env, sig);
}

static void jumps(void)
{
    handle(SIGUSR1, on_jump, 0);
    volatile int rounds = 0;
    while (rounds < 2000) {
        if (sigsetjmp(env, 1) == 0) {
            raise(SIGUSR1);
            CHECK(0);
        }
        rounds++;
    }
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGUSR1));
    ok("jumps");
}

static void ignored_and_default(void)
{
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, SIG_DFL);
        raise(SIGTERM);
        _exit(9);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(3);
    }
    waitpid(child, &status, WUNTRACED);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    ok("default actions");
}

int main(void)
{
    handle(SIGUSR1, on_count, 0);
    for (int i = 0; i < 1000; i++) {
        raise(SIGUSR1);
    }
    CHECK(count == 1000);
    ok("raise");

    handle(SIGUSR1, on_nested, SA_NODEFER);
    raise(SIGUSR1);
    CHECK(deepest == 4);
    ok("nodefer");

    handle(SIGUSR1, on_count, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    ok("resethand");

    queues();
    waiting();

    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    CHECK(sigaltstack(&ss, NULL) == 0);
    log_text[0] = 0;
    handle(SIGUSR1, on_alt, SA_ONSTACK);
    raise(SIGUSR1);
    handle(SIGUSR1, on_alt, 0);
    raise(SIGUSR1);
    CHECK(strcmp(log_text, "An") == 0);
    ss.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&ss, NULL) == 0);
    ok("altstack");

    restart(SA_RESTART);
    restart(0);
    jumps();
    ignored_and_default();
    struct sigaction bad = {.sa_handler = on_count};
    CHECK(sigaction(SIGKILL, &bad, NULL) == -1 && errno == EINVAL);
    return done();
}
