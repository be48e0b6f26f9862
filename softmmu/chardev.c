/* chardev.c - character devices: the queues on both sides, the multiplexer with its Ctrl-A keys, the backends' descriptors.
 *
 * A device has up to two descriptors (terminal: 0 and 1). Output goes into a queue that the I/O thread writes; so a byte
 * costs a vCPU no system call. A descriptor is only written when poll says so, and then so little that it cannot block:
 * the terminal is shared with others, who would be surprised to find it non-blocking.
 * Input, Ctrl-A's keys taken out, is read into the ring of the user that has the focus, and waits there until that user has room.
 * Lock: one per device, for its queue of output. The rings of input and everything else belong to the I/O thread.
 */
#define _GNU_SOURCE
#include "chardev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { RING = 4096, FULL = 64 << 10, CHUNK = 256, MAX_USERS = 4, CTRL_A = 1 };

typedef struct Ring {
    uint8_t bytes[RING];
    unsigned at, n;
} Ring;

struct Chardev {
    Chardev *next;
    EventLoop *loop;
    const char *id, *where;
    int in, out, listener, log; /* -1 = none; log: logfile=, gets all output */
    bool mux, terminal, escape;
    const CharUser *users[MAX_USERS];
    void *devs[MAX_USERS];
    unsigned nusers, focus;
    Ring rings[MAX_USERS];
    uint32_t watched_in;
    pthread_mutex_t lock; /* of what follows */
    uint8_t *queue;
    size_t queue_at, queue_n, queue_size;
    bool flushing, was_full, alone;
};

static Chardev *all;
void (*chardev_on_quit)(void);

/* -- the terminal -------------------------------------------------------------------------------------------------- */

static struct termios terminal_before;
static volatile bool terminal_raw;

void chardev_restore_terminal(void)
{
    if (terminal_raw) {
        tcsetattr(0, TCSANOW, &terminal_before);
    }
}

/* Ctrl-C and Ctrl-Z are the guest's when there is another way out (Ctrl-A x). */
static bool terminal_signals;

static void terminal_set_raw(void)
{
    struct termios t = terminal_before;
    t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | (terminal_signals ? 0 : ISIG));
    t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tcsetattr(0, TCSANOW, &t);
}

void chardev_continued(void)
{
    if (terminal_raw) {
        terminal_set_raw();
    }
}

static void terminal_take(bool signals)
{
    terminal_signals = signals;
    if (!terminal_raw && tcgetattr(0, &terminal_before) == 0) {
        terminal_raw = true;
        atexit(chardev_restore_terminal);
        terminal_set_raw();
    }
}

/* -- output -------------------------------------------------------------------------------------------------------- */

static void closed(Chardev *c);
static void on_ready(void *arg, uint32_t events);

static void watch(Chardev *c, bool output)
{
    if (c->in == c->out) {
        uint32_t e = c->watched_in | (output ? EPOLLOUT : 0);
        if (c->in >= 0) {
            event_fd(c->loop, c->in, e, on_ready, c);
        }
        return;
    }
    if (c->in >= 0) {
        event_fd(c->loop, c->in, c->watched_in, on_ready, c);
    }
    if (c->out >= 0) {
        event_fd(c->loop, c->out, output ? EPOLLOUT : 0, on_ready, c);
    }
}

/* Under the lock: writes what goes without blocking; false when the other side is gone. */
static bool write_some(Chardev *c)
{
    while (c->queue_n && c->out >= 0) {
        struct pollfd p = {.fd = c->out, .events = POLLOUT};
        size_t n = c->queue_n < CHUNK ? c->queue_n : CHUNK;
        if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) {
            return !(p.revents & (POLLERR | POLLHUP | POLLNVAL));
        }
        ssize_t r = write(c->out, c->queue + c->queue_at, n);
        if (r < 0) {
            return errno == EINTR || errno == EAGAIN;
        }
        c->queue_at += (size_t)r;
        c->queue_n -= (size_t)r;
    }
    if (!c->queue_n) {
        c->queue_at = 0;
    }
    return true;
}

static void flush(void *arg)
{
    Chardev *c = arg;
    pthread_mutex_lock(&c->lock);
    bool alive = write_some(c), left = c->queue_n != 0 && c->out >= 0, drained = c->was_full && c->queue_n < FULL;
    if (!alive) {
        c->queue_n = c->queue_at = 0;
        left = false;
        drained = c->was_full;
    }
    c->flushing = left;
    c->was_full &= !drained;
    pthread_mutex_unlock(&c->lock);
    watch(c, left);
    for (unsigned k = 0; drained && k < c->nusers; k++) {
        if (c->users[k]->drained) {
            c->users[k]->drained(c->devs[k]);
        }
    }
    if (!alive) {
        closed(c);
    }
}

void chardev_write(const CharEnd *e, const void *from, size_t n)
{
    Chardev *c = e->chardev;
    if (!c || !n) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (c->log >= 0 && write(c->log, from, n) < 0) { /* its disk is full: the port works on */
        close(c->log);
        c->log = -1;
    }
    if (c->out >= 0) {
        if (c->queue_at + c->queue_n + n > c->queue_size) {
            if (c->queue_n) {
                memmove(c->queue, c->queue + c->queue_at, c->queue_n);
            }
            c->queue_at = 0;
            if (c->queue_n + n > c->queue_size) {
                c->queue_size = ALIGN_UP(2 * (c->queue_n + n), 4096);
                c->queue = realloc(c->queue, c->queue_size);
                if (!c->queue) {
                    BUG("out of memory");
                }
            }
        }
        memcpy(c->queue + c->queue_at + c->queue_n, from, n);
        c->queue_n += n;
        if (!c->flushing) {
            c->flushing = true;
            event_call(c->loop, flush, c);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

bool chardev_full(const CharEnd *e)
{
    Chardev *c = e->chardev;
    if (!c) {
        return false;
    }
    pthread_mutex_lock(&c->lock);
    bool full = c->queue_n >= FULL;
    c->was_full |= full;
    pthread_mutex_unlock(&c->lock);
    return full;
}

void chardev_finish(void)
{
    uint64_t end = event_now() + 1000000000;
    for (Chardev *c = all; c; c = c->next) {
        pthread_mutex_lock(&c->lock);
        while (c->queue_n && c->out >= 0 && write_some(c) && c->queue_n && event_now() < end) {
            struct pollfd p = {.fd = c->out, .events = POLLOUT};
            poll(&p, 1, 100);
        }
        pthread_mutex_unlock(&c->lock);
    }
    chardev_restore_terminal();
}

/* -- input --------------------------------------------------------------------------------------------------------- */

static void tell(Chardev *c, CharEvent what)
{
    for (unsigned k = 0; k < c->nusers; k++) {
        if (c->users[k]->event) {
            c->users[k]->event(c->devs[k], what);
        }
    }
}

static void deliver_to(Chardev *c, unsigned user)
{
    Ring *r = &c->rings[user];
    const CharUser *u = c->users[user];
    while (r->n) {
        unsigned n = r->n, room = u->room ? u->room(c->devs[user]) : RING;
        n = n < RING - r->at ? n : RING - r->at;
        n = n < room ? n : room;
        if (!n) {
            break;
        }
        unsigned at = r->at;
        r->at = (at + n) % RING;
        r->n -= n;
        if (u->receive) {
            u->receive(c->devs[user], r->bytes + at, n);
        }
    }
}

static void deliver(void *arg)
{
    Chardev *c = arg;
    for (unsigned user = 0; user < c->nusers; user++) {
        deliver_to(c, user);
    }
    uint32_t want = c->in >= 0 && c->rings[c->focus].n < RING / 2 ? EPOLLIN : 0;
    if (want != c->watched_in) {
        c->watched_in = want;
        pthread_mutex_lock(&c->lock);
        bool output = c->flushing;
        pthread_mutex_unlock(&c->lock);
        watch(c, output);
    }
}

void chardev_accept(const CharEnd *e)
{
    if (e->chardev) {
        event_call(e->chardev->loop, deliver, e->chardev);
    }
}

static void say(Chardev *c, const char *text)
{
    CharEnd e = {c, 0};
    chardev_write(&e, text, strlen(text));
}

/* The key after Ctrl-A. */
static bool escape_key(Chardev *c, uint8_t key)
{
    switch (key) {
    case 'h':
    case '?':
        say(c, "\r\nCtrl-A h    this help\r\nCtrl-A x    end armx-system\r\nCtrl-A c    change between console and monitor\r\n"
               "Ctrl-A b    send a break\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n");
        return true;
    case 'x':
        say(c, "armx-system: ended by Ctrl-A x\r\n");
        if (chardev_on_quit) {
            chardev_on_quit();
        }
        return true;
    case 'c':
        c->focus = c->nusers ? (c->focus + 1) % c->nusers : 0;
        if (c->nusers && c->users[c->focus]->event) {
            c->users[c->focus]->event(c->devs[c->focus], CHAR_FOCUS);
        }
        return true;
    case 'b':
        if (c->nusers && c->users[c->focus]->event) {
            c->users[c->focus]->event(c->devs[c->focus], CHAR_BREAK);
        }
        return true;
    default:
        return key != CTRL_A;
    }
}

static void received(Chardev *c, const uint8_t *at, unsigned n)
{
    for (; n; n--, at++) {
        if (c->mux && c->escape) {
            c->escape = false;
            if (*at == 'c') {
                deliver(c); /* what was typed before comes before */
            }
            if (escape_key(c, *at)) {
                continue;
            }
        } else if (c->mux && *at == CTRL_A) {
            c->escape = true;
            continue;
        }
        Ring *r = &c->rings[c->focus];
        if (r->n < RING) {
            r->bytes[(r->at + r->n++) % RING] = *at;
        }
    }
    deliver(c);
}

static void opened(Chardev *c, int fd)
{
    c->in = c->out = fd;
    c->watched_in = EPOLLIN;
    watch(c, false);
    tell(c, CHAR_OPENED);
    deliver(c);
}

static void on_connection(void *arg, uint32_t events)
{
    Chardev *c = arg;
    (void)events;
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    if (c->in >= 0) { /* one at a time */
        close(fd);
        return;
    }
    opened(c, fd);
}

/* The other side is gone. */
static void closed(Chardev *c)
{
    pthread_mutex_lock(&c->lock);
    int in = c->in, out = c->out;
    c->in = -1;
    if (in == out || c->listener >= 0) {
        c->out = -1;
        c->queue_n = c->queue_at = 0;
        c->flushing = false;
    }
    pthread_mutex_unlock(&c->lock);
    if (in < 0) {
        return;
    }
    event_fd(c->loop, in, 0, NULL, NULL);
    c->watched_in = 0;
    if (in == out) {
        close(in);
    }
    tell(c, CHAR_CLOSED);
}

static void on_ready(void *arg, uint32_t events)
{
    Chardev *c = arg;
    uint8_t buf[RING / 2];
    if (events & EPOLLOUT) {
        flush(c);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || c->in < 0 || !c->watched_in) {
        if (events & (EPOLLHUP | EPOLLERR) && c->in == c->out && c->in >= 0) {
            closed(c);
        }
        return;
    }
    ssize_t n = read(c->in, buf, sizeof buf);
    if (n > 0) {
        received(c, buf, (unsigned)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        closed(c);
    }
}

/* -- backends ------------------------------------------------------------------------------------------------------ */

static Chardev *chardev_new(EventLoop *l, const char *id, const char *where)
{
    Chardev *c = calloc(1, sizeof *c);
    if (!c) {
        die("no memory");
    }
    c->loop = l;
    c->id = strdup(id);
    c->where = strdup(where);
    c->in = c->out = c->listener = c->log = -1;
    pthread_mutex_init(&c->lock, NULL);
    Chardev **end = &all;
    while (*end) {
        end = &(*end)->next;
    }
    *end = c;
    return c;
}

Chardev *chardev_find(const char *id)
{
    Chardev *c = all;
    while (c && strcmp(c->id, id)) {
        c = c->next;
    }
    return c;
}

void chardev_each(void (*fn)(void *arg, const char *id, const char *where, bool open), void *arg)
{
    for (Chardev *c = all; c; c = c->next) {
        fn(arg, c->id, c->where, c->in >= 0 || c->out >= 0);
    }
}

static Chardev *open_stdio(EventLoop *l, const char *id, bool signals)
{
    Chardev *c = chardev_new(l, id, "stdio");
    terminal_take(signals);
    c->terminal = true;
    c->in = 0;
    c->out = 1;
    return c;
}

static Chardev *open_pty(EventLoop *l, const char *id, char *why, size_t n)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[128] = "";
    if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, name, sizeof name) != 0) {
        snprintf(why, n, "pty: %s", strerror(errno));
        return NULL;
    }
    struct termios t;
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    char where[160];
    snprintf(where, sizeof where, "pty:%s", name);
    Chardev *c = chardev_new(l, id, where);
    c->in = c->out = fd;
    /* held open so that the other side may come and go without a hang-up here */
    int keep = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    (void)keep;
    fprintf(stderr, "char device redirected to %s (label %s)\n", name, id);
    return c;
}

static Chardev *open_file(EventLoop *l, const char *id, const char *path, bool append, const char *input, char *why, size_t n)
{
    int in = -1, fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
    if (fd >= 0 && input) {
        in = open(input, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0 || (input && in < 0)) {
        snprintf(why, n, "%s: %s", fd < 0 ? path : input, strerror(errno));
        return NULL;
    }
    Chardev *c = chardev_new(l, id, path);
    c->out = fd;
    c->in = in;
    return c;
}

/* What a socket is to be. */
typedef struct SocketWish {
    const char *path, *host, *port;
    bool server, wait, telnet;
    int fd; /* inherited, or -1 */
} SocketWish;

/* A socket that listens or is connected, or -errno; *err: from getaddrinfo. */
static int socket_unix(const SocketWish *w)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(w->path) >= sizeof a.sun_path) {
        return -ENAMETOOLONG;
    }
    strcpy(a.sun_path, w->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->server) {
        unlink(w->path);
    }
    if (fd >= 0 && (w->server ? bind(fd, (void *)&a, sizeof a) < 0 || listen(fd, 1) < 0
                              : connect(fd, (void *)&a, sizeof a) < 0)) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd < 0 ? -errno : fd;
}

static int socket_tcp(const SocketWish *w)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = w->server ? AI_PASSIVE : 0}, *list;
    if (getaddrinfo(w->host && *w->host ? w->host : w->server ? "0.0.0.0" : "localhost", w->port, &hints, &list) != 0) {
        return -EHOSTUNREACH;
    }
    int fd = -1, one = 1, e = EHOSTUNREACH;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (fd >= 0 && (w->server ? bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1) < 0
                                  : connect(fd, a->ai_addr, a->ai_addrlen) < 0)) {
            e = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd < 0 ? -e : fd;
}

static Chardev *open_socket(EventLoop *l, const char *id, const SocketWish *w, char *why, size_t n)
{
    char where[256];
    if (w->path) {
        snprintf(where, sizeof where, "unix:%s", w->path);
    } else {
        snprintf(where, sizeof where, "tcp:%s:%s", w->host ? w->host : "", w->port ? w->port : "");
    }
    int fd = w->fd >= 0 ? w->fd : w->path ? socket_unix(w) : w->port ? socket_tcp(w) : -EINVAL;
    if (fd < 0) {
        snprintf(why, n, "%s: %s", where, strerror(-fd));
        return NULL;
    }
    Chardev *c = chardev_new(l, id, where);
    if (!w->server) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        c->in = c->out = fd;
        return c;
    }
    c->listener = fd;
    if (w->wait) {
        fprintf(stderr, "armx-system: waiting for a connection on %s\n", where);
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        c->in = c->out = peer;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    event_fd(l, fd, EPOLLIN, on_connection, c);
    return c;
}

static Chardev *from_socket_options(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    const char *fd = opt_take(o, "fd");
    SocketWish w = {.path = opt_take(o, "path"), .host = opt_take(o, "host"), .port = opt_take(o, "port"),
                    .server = opt_take_bool(o, "server", false), .fd = fd ? atoi(fd) : -1};
    w.wait = opt_take_bool(o, "wait", true) && w.server;
    opt_take(o, "nodelay"); /* what is written goes at once */
    opt_take(o, "delay");
    if (!w.path && !w.port && !fd) {
        snprintf(why, n, "socket: needs path= or port=");
        return NULL;
    }
    return open_socket(l, id, &w, why, n);
}

Chardev *chardev_from_options(EventLoop *l, OptList *o, char *why, size_t n)
{
    const char *backend = opt_take(o, "backend"), *id = opt_take(o, "id"), *log = opt_take(o, "logfile");
    bool mux = opt_take_bool(o, "mux", false);
    Chardev *c = NULL;
    *why = 0;
    id = id ? id : "char0";
    bool log_append = opt_take_bool(o, "logappend", false);
    const char *path = NULL;
    if (!backend) {
        snprintf(why, n, "which kind?");
    } else if (chardev_find(id)) {
        snprintf(why, n, "id %s is taken", id);
    } else if (!strcmp(backend, "stdio")) {
        c = open_stdio(l, id, opt_take_bool(o, "signal", !mux));
    } else if (!strcmp(backend, "null")) {
        c = chardev_new(l, id, "null");
    } else if (!strcmp(backend, "pty")) {
        c = open_pty(l, id, why, n);
    } else if (!strcmp(backend, "file") && (path = opt_take(o, "path"))) {
        c = open_file(l, id, path, opt_take_bool(o, "append", false), opt_take(o, "input-path"), why, n);
    } else if ((!strcmp(backend, "pipe") || !strcmp(backend, "serial") || !strcmp(backend, "tty")) && (path = opt_take(o, "path"))) {
        int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) {
            snprintf(why, n, "%s: %s", path, strerror(errno));
            return NULL;
        }
        c = chardev_new(l, id, path);
        c->in = c->out = fd;
    } else if (!strcmp(backend, "socket")) {
        c = from_socket_options(l, o, id, why, n);
    } else {
        snprintf(why, n, "%s: unknown backend, or path= is missing (stdio, pty, file, pipe, serial, socket, null)", backend);
    }
    if (c) {
        c->mux = mux;
        opt_rest(o);
        c->log = log ? open(log, O_WRONLY | O_CREAT | O_CLOEXEC | (log_append ? O_APPEND : O_TRUNC), 0666) : -1;
        if (log && c->log < 0) {
            snprintf(why, n, "%s: %s", log, strerror(errno));
            return NULL;
        }
    }
    return c;
}

/* "tcp:HOST:PORT,server,nowait" and "unix:PATH,...". */
static Chardev *from_socket_word(EventLoop *l, const char *word, const char *id, char *why, size_t n)
{
    bool is_unix = !strncmp(word, "unix:", 5);
    OptList *o = opt_list("-serial", strchr(word, ':') + 1, "address");
    char *address = (char *)opt_take(o, "address");
    SocketWish w = {.fd = -1, .server = opt_take_bool(o, "server", false)};
    w.wait = opt_take_bool(o, "wait", true) && w.server;
    opt_take(o, "nodelay");
    if (address && is_unix) {
        w.path = address;
    } else if (address && strrchr(address, ':')) {
        char *colon = strrchr(address, ':');
        *colon = 0;
        w.host = address;
        w.port = colon + 1;
    } else {
        snprintf(why, n, "%s: expected tcp:HOST:PORT or unix:PATH", word);
        return NULL;
    }
    Chardev *c = open_socket(l, id, &w, why, n);
    opt_rest(o);
    return c;
}

Chardev *chardev_from_word(EventLoop *l, const char *word, const char *id, char *why, size_t n)
{
    bool mon = !strncmp(word, "mon:", 4);
    Chardev *c = NULL;
    *why = 0;
    word += mon ? 4 : 0;
    if (!strcmp(word, "none")) {
        return NULL;
    } else if (!strncmp(word, "chardev:", 8)) {
        c = chardev_find(word + 8);
        if (!c) {
            snprintf(why, n, "%s: there is no -chardev with this id", word);
        }
        return c;
    } else if (!strcmp(word, "stdio")) {
        c = chardev_find(id);
        c = c && c->terminal ? c : open_stdio(l, id, !mon);
    } else if (!strcmp(word, "null")) {
        c = chardev_new(l, id, "null");
    } else if (!strcmp(word, "pty")) {
        c = open_pty(l, id, why, n);
    } else if (!strncmp(word, "file:", 5)) {
        c = open_file(l, id, word + 5, false, NULL, why, n);
    } else if (!strncmp(word, "tcp:", 4) || !strncmp(word, "unix:", 5)) {
        c = from_socket_word(l, word, id, why, n);
    } else {
        snprintf(why, n, "%s: unknown backend (stdio, mon:stdio, pty, file:F, tcp:H:P, unix:F, chardev:N, null, none)", word);
    }
    if (c) {
        c->mux |= mon;
    }
    return c;
}

/* -- users --------------------------------------------------------------------------------------------------------- */

static void begin(void *arg)
{
    Chardev *c = arg;
    if (c->in >= 0 && !c->watched_in) {
        c->watched_in = EPOLLIN;
        watch(c, false);
        tell(c, CHAR_OPENED);
    }
    deliver(c);
}

bool chardev_attach(Chardev *c, const CharUser *u, void *dev, CharEnd *end)
{
    *end = (CharEnd){NULL, 0};
    if (!c) {
        return true;
    }
    if (c->nusers == (c->mux ? MAX_USERS : 1)) {
        return false;
    }
    c->users[c->nusers] = u;
    c->devs[c->nusers] = dev;
    *end = (CharEnd){c, c->nusers++};
    event_call(c->loop, begin, c);
    return true;
}

bool chardev_is_mux(const Chardev *c)
{
    return c->mux;
}
