/* chardev_socket.c - character devices on sockets: one that listens, one that connects (again and again with reconnect=), and UDP.
 *
 * A server has one client at a time; others wait in the kernel's queue until that one is gone. Names are resolved once, at the
 * start. Everything here is on the I/O thread, or before it runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev_int.h"

typedef struct CharSocket {
    struct sockaddr_storage to; /* of a client with reconnect */
    socklen_t to_len;
    uint64_t again;             /* ns until the next attempt, 0 = none */
    EventTimer timer;
    int trying;                 /* is being connected, or -1 */
    bool nodelay;
} CharSocket;

/* What a socket is to be. */
typedef struct Wish {
    const char *path, *host, *port;
    uint64_t to; /* the last port to try, 0 = only that one */
    bool server, wait, telnet, abstract, nodelay;
    int fd;      /* inherited, or -1 */
    int family;
    uint64_t again;
} Wish;

/* -- addresses ----------------------------------------------------------------------------------------------------- */

static int family_of(OptList *o)
{
    bool four = opt_take_bool(o, "ipv4", true), six = opt_take_bool(o, "ipv6", true);
    return four && !six ? AF_INET : six && !four ? AF_INET6 : AF_UNSPEC;
}

/* "[::1]" without its brackets. */
static const char *bare(const char *host)
{
    size_t n = host ? strlen(host) : 0;
    return n > 2 && host[0] == '[' && host[n - 1] == ']' ? strndup(host + 1, n - 2) : host;
}

/* The addresses of host, of this machine when there is none; false with a line. */
static bool resolve(const char *host, const char *port, const char *otherwise, struct addrinfo hints, struct addrinfo **list,
                    char *why, size_t n)
{
    int r = getaddrinfo(host && *host ? bare(host) : otherwise, port, &hints, list);
    if (r != 0) {
        snprintf(why, n, "%s:%s: %s", host ? host : "", port, gai_strerror(r));
    }
    return r == 0;
}

/* "HOST:PORT" in numbers. */
static void address_text(const struct sockaddr_storage *a, socklen_t len, char *to, size_t n)
{
    char host[128] = "", port[16] = "";
    getnameinfo((const void *)a, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(to, n, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void local_text(int fd, char *to, size_t n)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    getsockname(fd, (void *)&a, &len);
    address_text(&a, len, to, n);
}

/* -- one socket ---------------------------------------------------------------------------------------------------- */

static void unblock(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* A socket that listens at, or is connected to, the address; -errno. With `again` it may still be connecting. */
static int socket_at(const struct sockaddr *a, socklen_t len, const Wish *w)
{
    int one = 1, fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | (w->again ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0) {
        return -errno;
    }
    if (a->sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    bool good = w->server ? bind(fd, a, len) == 0 && listen(fd, 1) == 0 : connect(fd, a, len) == 0 || errno == EINPROGRESS;
    if (!good) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

static int open_unix(const Wish *w, CharSocket *s)
{
    struct sockaddr_un *a = (void *)&s->to;
    size_t n = strlen(w->path);
    if (n + w->abstract >= sizeof a->sun_path) {
        return -ENAMETOOLONG;
    }
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(a->sun_path + w->abstract, w->path, n);
    s->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (w->server && !w->abstract) {
        unlink(w->path);
    }
    return socket_at((void *)a, s->to_len, w);
}

static int open_tcp(const Wish *w, CharSocket *s, char *why, size_t n)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = w->family, .ai_flags = w->server ? AI_PASSIVE : 0}, *list;
    uint64_t port = 0;
    int fd = -EHOSTUNREACH;
    if (!opt_number(w->port, false, 1, &port) || port > 65535 || w->to > 65535) {
        snprintf(why, n, "%s is no port", w->port);
        return -EINVAL;
    }
    for (uint64_t last = w->to > port ? w->to : port; port <= last && (fd == -EHOSTUNREACH || fd == -EADDRINUSE); port++) {
        char text[24];
        snprintf(text, sizeof text, "%u", (unsigned)port);
        if (!resolve(w->host, text, w->server ? NULL : "localhost", hints, &list, why, n)) {
            return -EHOSTUNREACH;
        }
        for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
            fd = socket_at(a->ai_addr, a->ai_addrlen, w);
            memcpy(&s->to, a->ai_addr, a->ai_addrlen);
            s->to_len = a->ai_addrlen;
        }
        freeaddrinfo(list);
    }
    return fd;
}

/* What is written to TCP goes at once, also while the other side has not acknowledged what went before; other sockets know no delay. */
static void set_nodelay(const CharSocket *s, int fd)
{
    int one = 1;
    if (s->nodelay && fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
}

/* -- connecting again ---------------------------------------------------------------------------------------------- */

static void later(Chardev *c)
{
    event_timer_set(&c->socket->timer, event_now() + c->socket->again);
}

static void on_connect(void *arg, uint32_t events)
{
    Chardev *c = arg;
    int fd = c->socket->trying, e = 0;
    socklen_t len = sizeof e;
    (void)events;
    event_fd(c->loop, fd, 0, NULL, NULL);
    c->socket->trying = -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0 || e) {
        close(fd);
        later(c);
    } else {
        set_nodelay(c->socket, fd);
        chardev_connected(c, fd);
    }
}

/* fd is a socket that may still be connecting, or -errno. */
static void await(Chardev *c, int fd)
{
    c->socket->trying = fd;
    if (fd < 0 || event_fd(c->loop, fd, EPOLLOUT, on_connect, c) < 0) {
        later(c);
    }
}

static void try_again(void *arg)
{
    Chardev *c = arg;
    Wish w = {.again = c->socket->again};
    await(c, socket_at((void *)&c->socket->to, c->socket->to_len, &w));
}

static void on_connection(void *arg, uint32_t events)
{
    Chardev *c = arg;
    (void)events;
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        event_fd(c->loop, c->listener, 0, NULL, NULL);
        set_nodelay(c->socket, fd);
        chardev_connected(c, fd);
    }
}

void chardev_socket_closed(Chardev *c)
{
    if (c->listener >= 0) {
        event_fd(c->loop, c->listener, EPOLLIN, on_connection, c);
    } else if (c->socket->again) {
        later(c);
    }
}

void chardev_socket_name(const Chardev *c, char *to, size_t n)
{
    snprintf(to, n, "%s%s", c->socket && c->in < 0 ? "disconnected:" : "", c->where);
}

/* -- backends ------------------------------------------------------------------------------------------------------ */

static void name(const Wish *w, int fd, char *to, size_t n)
{
    char at[200];
    snprintf(at, sizeof at, "%s:%s", w->host ? w->host : "", w->port ? w->port : "");
    if (fd >= 0 && w->server && !w->path) { /* the port may be the kernel's choice */
        local_text(fd, at, sizeof at);
    }
    snprintf(to, n, "%s:%s%s", w->path ? "unix" : w->telnet ? "telnet" : "tcp", w->path ? w->path : at, w->server ? ",server=on" : "");
}

static Chardev *open_wish(EventLoop *l, const char *id, const Wish *w, char *why, size_t n)
{
    CharSocket *s = calloc(1, sizeof *s);
    char where[400];
    if (!s) {
        die("no memory");
    }
    *why = 0;
    int fd = w->fd >= 0 ? w->fd : w->path ? open_unix(w, s) : open_tcp(w, s, why, n);
    name(w, fd, where, sizeof where);
    if (fd < 0 && (!w->again || *why)) {
        if (!*why) {
            snprintf(why, n, "%s: %s", where, strerror(-fd));
        }
        free(s);
        return NULL;
    }
    Chardev *c = chardev_new(l, id, where);
    c->socket = s;
    c->speaks_telnet = w->telnet;
    s->again = w->again;
    s->trying = -1;
    s->nodelay = w->nodelay;
    event_timer_init(&s->timer, l, try_again, c);
    if (w->again) {
        await(c, fd);
        return c;
    }
    if (!w->server) {
        unblock(fd);
        set_nodelay(s, fd);
        c->in = c->out = fd;
        chardev_greet(c);
        return c;
    }
    c->listener = fd;
    if (w->wait) {
        fprintf(stderr, "armx-system: waiting for a connection on %s\n", where);
        c->in = c->out = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        set_nodelay(s, c->in);
        chardev_greet(c);
    }
    unblock(fd);
    event_fd(l, fd, c->in < 0 ? EPOLLIN : 0, on_connection, c);
    return c;
}

/* reconnect= in seconds, reconnect-ms=. */
static uint64_t take_again(OptList *o)
{
    uint64_t ms = opt_take_number(o, "reconnect-ms", 0), s = opt_take_number(o, "reconnect", 0);
    return (s ? s * 1000 : ms) * 1000000;
}

Chardev *chardev_open_socket(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    const char *fd = opt_take(o, "fd");
    uint64_t number = 0;
    Wish w = {.path = opt_take(o, "path"), .host = opt_take(o, "host"), .port = opt_take(o, "port"), .to = opt_take_number(o, "to", 0),
              .server = opt_take_bool(o, "server", false), .telnet = opt_take_bool(o, "telnet", false),
              .abstract = opt_take_bool(o, "abstract", false), .fd = -1, .family = family_of(o), .again = take_again(o)};
    w.wait = opt_take_bool(o, "wait", true) && w.server;
    w.nodelay = opt_take_bool(o, "nodelay", false) | !opt_take_bool(o, "delay", true);
    if (!opt_take_bool(o, "tight", true)) {
        snprintf(why, n, "tight=off: names in the abstract name space end where their text ends");
        return NULL;
    }
    if (fd && (!opt_number(fd, false, 1, &number) || number > INT32_MAX || fcntl((int)number, F_GETFD) < 0)) {
        snprintf(why, n, "fd=%s: %s", fd, strerror(EBADF));
        return NULL;
    }
    w.fd = fd ? (int)number : -1;
    if (!w.path && !w.port && !fd) {
        snprintf(why, n, "socket: needs path= or port=");
        return NULL;
    }
    if (w.again && (w.server || fd)) {
        snprintf(why, n, "reconnect= is for a socket that connects");
        return NULL;
    }
    return open_wish(l, id, &w, why, n);
}

/* Bound to local (port 0: the kernel's choice) and connected to the other side; -errno, or with a line. */
static int open_udp(const Wish *to, const Wish *local, char *why, size_t n)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_family = to->family}, *peer, *here;
    int fd = -1, e = 0;
    if (!resolve(to->host, to->port, "localhost", hints, &peer, why, n)) {
        return -EHOSTUNREACH;
    }
    hints.ai_family = peer->ai_family;
    hints.ai_flags = AI_PASSIVE;
    if (resolve(local->host, local->port ? local->port : "0", NULL, hints, &here, why, n)) {
        fd = socket(peer->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, here->ai_addr, here->ai_addrlen) < 0 || connect(fd, peer->ai_addr, peer->ai_addrlen) < 0) {
            e = errno;
            snprintf(why, n, "udp:%s:%s: %s", to->host ? to->host : "", to->port, strerror(e));
            close(fd);
            fd = -e;
        }
        freeaddrinfo(here);
    }
    freeaddrinfo(peer);
    return fd;
}

Chardev *chardev_open_udp(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    Wish to = {.host = opt_take(o, "host"), .port = opt_take(o, "port"), .family = family_of(o)};
    Wish local = {.host = opt_take(o, "localaddr"), .port = opt_take(o, "localport")};
    char at[200], where[400];
    if (!to.port) {
        snprintf(why, n, "udp: needs port=");
        return NULL;
    }
    int fd = open_udp(&to, &local, why, n);
    if (fd < 0) {
        return NULL;
    }
    local_text(fd, at, sizeof at);
    snprintf(where, sizeof where, "udp:%s:%s@%s", to.host ? to.host : "", to.port, at);
    Chardev *c = chardev_new(l, id, where);
    c->datagram = true;
    c->in = c->out = fd;
    return c;
}
