/* net.c - backends of network cards: the user-mode network (libslirp) and tap devices; see net.h for the threads.
 *
 * libslirp is used by the backend's thread alone, and before that starts; the monitors' questions are answered there.
 */
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"

enum { FDS_MAX = 4096, TIMERS_MAX = 16, SEARCH_MAX = 32 };

typedef struct Timer {
    SlirpTimerCb fn;
    void *arg;
    uint64_t at; /* ns, 0 = off */
    bool used;
} Timer;

struct Net {
    char *id;
    Net *next;
    NetClient client;
    bool taken;
    int wake;       /* eventfd */
    int tap;        /* -1: user mode */
    Slirp *slirp;
    char what[128]; /* for `info network` */
    struct {
        void (*fn)(Net *n, void *arg); /* NULL: nothing is asked; atomic */
        void *arg;
        sem_t done;
    } asked;
    struct pollfd fds[FDS_MAX];
    unsigned nfds;
    Timer timers[TIMERS_MAX];
    pthread_t thread;
};

static Net *nets;

/* -- libslirp's callbacks ------------------------------------------------------------------------------------------ */

static ssize_t to_guest(const void *frame, size_t len, void *arg)
{
    Net *n = arg;
    n->client.receive(n->client.arg, frame, len);
    return (ssize_t)len;
}

static void guest_error(const char *text, void *arg)
{
    (void)arg;
    if (log_on(LOG_guest)) {
        log_printf("network: %s\n", text);
    }
}

static int64_t clock_ns(void *arg)
{
    (void)arg;
    return (int64_t)event_now();
}

static void *timer_new_(SlirpTimerCb fn, void *fn_arg, void *arg)
{
    Net *n = arg;
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        if (!n->timers[i].used) {
            n->timers[i] = (Timer){fn, fn_arg, 0, true};
            return &n->timers[i];
        }
    }
    BUG("libslirp wants more than %d timers", TIMERS_MAX);
}

static void timer_free_(void *timer, void *arg)
{
    (void)arg;
    *(Timer *)timer = (Timer){0};
}

static void timer_mod_(void *timer, int64_t ms, void *arg)
{
    (void)arg;
    ((Timer *)timer)->at = (uint64_t)ms * 1000000;
}

static void fd_nothing(int fd, void *arg)
{
    (void)fd;
    (void)arg;
}

static void notify(void *arg)
{
    net_wake(arg);
}

static const SlirpCb slirp_calls = {.send_packet = to_guest, .guest_error = guest_error, .clock_get_ns = clock_ns,
                                    .timer_new = timer_new_, .timer_free = timer_free_, .timer_mod = timer_mod_,
                                    .register_poll_fd = fd_nothing, .unregister_poll_fd = fd_nothing, .notify = notify};

static const struct {
    int slirp;
    short poll;
} poll_bits[] = {{SLIRP_POLL_IN, POLLIN}, {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI}, {SLIRP_POLL_ERR, POLLERR},
                 {SLIRP_POLL_HUP, POLLHUP}};

static int add_poll(int fd, int events, void *arg)
{
    Net *n = arg;
    if (n->nfds == FDS_MAX) {
        return -1;
    }
    struct pollfd *p = &n->fds[n->nfds];
    *p = (struct pollfd){.fd = fd};
    for (unsigned i = 0; i < LEN(poll_bits); i++) {
        p->events |= events & poll_bits[i].slirp ? poll_bits[i].poll : 0;
    }
    return (int)n->nfds++;
}

static int revents(int index, void *arg)
{
    Net *n = arg;
    int r = 0;
    for (unsigned i = 0; index >= 0 && i < LEN(poll_bits); i++) {
        r |= n->fds[index].revents & poll_bits[i].poll ? poll_bits[i].slirp : 0;
    }
    return r;
}

/* -- the thread ------------------------------------------------------------------------------------------------------ */

static void run_timers(Net *n, uint32_t *timeout)
{
    uint64_t now = event_now();
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        Timer *t = &n->timers[i];
        if (t->used && t->at && t->at <= now) {
            t->at = 0;
            t->fn(t->arg);
        }
        if (t->used && t->at) {
            uint64_t ms = t->at > now ? (t->at - now) / 1000000 + 1 : 0;
            *timeout = ms < *timeout ? (uint32_t)ms : *timeout;
        }
    }
}

static void read_tap(Net *n)
{
    static _Thread_local uint8_t frame[NET_FRAME_MAX];
    for (unsigned i = 0; i < 64; i++) {
        ssize_t len = read(n->tap, frame, sizeof frame);
        if (len <= 0) {
            return;
        }
        n->client.receive(n->client.arg, frame, (size_t)len);
    }
}

/* Does what the I/O thread asked for. */
static void answer(Net *n)
{
    if (__atomic_load_n(&n->asked.fn, __ATOMIC_ACQUIRE)) {
        n->asked.fn(n, n->asked.arg);
        __atomic_store_n(&n->asked.fn, NULL, __ATOMIC_RELEASE);
        sem_post(&n->asked.done);
    }
}

static void *thread(void *arg)
{
    Net *n = arg;
    for (;;) {
        uint32_t timeout = 3600 * 1000;
        n->fds[0] = (struct pollfd){.fd = n->wake, .events = POLLIN};
        n->nfds = 1;
        if (n->slirp) {
            slirp_pollfds_fill(n->slirp, &timeout, add_poll, n);
        } else {
            n->fds[n->nfds++] = (struct pollfd){.fd = n->tap, .events = POLLIN};
        }
        run_timers(n, &timeout);
        int r = poll(n->fds, n->nfds, (int)timeout);
        uint64_t count;
        if (n->fds[0].revents && read(n->wake, &count, sizeof count) > 0) {
            n->client.work(n->client.arg);
            answer(n);
        }
        if (n->slirp) {
            slirp_pollfds_poll(n->slirp, r < 0, revents, n);
        } else if (r > 0 && n->fds[1].revents) {
            read_tap(n);
        }
    }
    return NULL;
}

void net_send(Net *n, const uint8_t *frame, size_t len)
{
    if (n->slirp) {
        slirp_input(n->slirp, frame, (int)len);
    } else if (write(n->tap, frame, len) < 0 && errno != EAGAIN && errno != ENOBUFS && log_on(LOG_guest)) {
        log_printf("tap: %s\n", strerror(errno));
    }
}

void net_wake(Net *n)
{
    uint64_t one = 1;
    ssize_t r = write(n->wake, &one, sizeof one); /* a full counter has woken it already */
    (void)r;
}

/* -- -netdev ------------------------------------------------------------------------------------------------------------ */

static struct in_addr address(OptList *o, const char *key, const char *text)
{
    struct in_addr a = {0};
    if (text && inet_pton(AF_INET, text, &a) != 1) {
        die("-netdev %s: %s=%s is not an IPv4 address", o->text, key, text);
    }
    return a;
}

typedef struct Forward {
    bool udp;
    struct in_addr host, guest;
    int host_port, guest_port;
} Forward;

/* [ADDRESS]:PORT, n bytes of it; false when it is none. */
static bool end_point(const char *text, size_t n, struct in_addr *a, int *port)
{
    char copy[64];
    uint64_t number;
    snprintf(copy, sizeof copy, "%.*s", (int)n, text);
    char *colon = strrchr(copy, ':');
    if (!colon || n >= sizeof copy || !opt_number(colon + 1, false, 1, &number) || number > 65535) {
        return false;
    }
    *colon = 0;
    *port = (int)number;
    *a = (struct in_addr){0};
    return !*copy || inet_pton(AF_INET, copy, a) == 1;
}

/* [tcp|udp]:[ADDRESS]:PORT and, when both, -[ADDRESS]:PORT */
static bool forward_parse(const char *text, bool both, Forward *f)
{
    f->udp = !strncmp(text, "udp:", 4);
    text += f->udp || !strncmp(text, "tcp:", 4) ? 4 : *text == ':' && strchr(text + 1, ':') ? 1 : 0;
    size_t n = strcspn(text, "-");
    return end_point(text, n, &f->host, &f->host_port) &&
           (both ? text[n] && end_point(text + n + 1, strlen(text + n + 1), &f->guest, &f->guest_port) : !text[n]);
}

static void host_forward(Net *n, OptList *o, const char *text)
{
    Forward f;
    if (!forward_parse(text, true, &f)) {
        die("-netdev %s: hostfwd=%s: expected [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT", o->text, text);
    }
    if (slirp_add_hostfwd(n->slirp, f.udp, f.host, f.host_port, f.guest, f.guest_port) < 0) {
        die("-netdev %s: hostfwd=%s: %s (is the port in use?)", o->text, text, strerror(errno));
    }
}

/* tcp:ADDRESS:PORT-cmd:COMMAND, or -unix:PATH */
static void guest_forward(Net *n, OptList *o, const char *text)
{
    char ip[64];
    unsigned port;
    int used = 0;
    if (sscanf(text, "tcp:%63[0-9.]:%u-%n", ip, &port, &used) < 2 || !used || port > 65535) {
        die("-netdev %s: guestfwd=%s: expected tcp:ADDRESS:PORT-cmd:COMMAND or -unix:PATH", o->text, text);
    }
    struct in_addr a = address(o, "guestfwd", ip);
    const char *to = text + used;
    int r = !strncmp(to, "cmd:", 4) ? slirp_add_exec(n->slirp, strdup(to + 4), &a, (int)port)
            : !strncmp(to, "unix:", 5) ? slirp_add_unix(n->slirp, strdup(to + 5), &a, (int)port) : -1;
    if (r < 0) {
        die("-netdev %s: guestfwd=%s: the address must lie in the guest's network and be free", o->text, text);
    }
}

/* NET[/BITS or /MASK] */
static void network(OptList *o, SlirpConfig *c, const char *text)
{
    char ip[64], rest[64] = "";
    if (sscanf(text, "%63[0-9.]/%63s", ip, rest) < 1) {
        die("-netdev %s: net=%s is not a network", o->text, text);
    }
    c->vnetwork = address(o, "net", ip);
    uint64_t bits = 24;
    if (strchr(rest, '.')) {
        c->vnetmask = address(o, "net", rest);
    } else {
        if ((*rest && !opt_number(rest, false, 1, &bits)) || bits < 4 || bits > 30) {
            die("-netdev %s: net=%s: expected ADDRESS/BITS", o->text, text);
        }
        c->vnetmask.s_addr = htonl(~0u << (32 - bits));
    }
    uint32_t base = ntohl(c->vnetwork.s_addr & c->vnetmask.s_addr);
    c->vnetwork.s_addr = htonl(base);
    c->vhost.s_addr = htonl(base + 2);
    c->vdhcp_start.s_addr = htonl(base + 15);
    c->vnameserver.s_addr = htonl(base + 3);
}

static void take_address(OptList *o, const char *key, struct in_addr *to)
{
    const char *v = opt_take(o, key);
    if (v) {
        *to = address(o, key, v);
    }
}

static void user_new(Net *n, OptList *o)
{
    SlirpConfig c = {.version = 4, .in_enabled = opt_take_bool(o, "ipv4", true), .in6_enabled = opt_take_bool(o, "ipv6", true),
                     .vprefix_len = 64, .restricted = opt_take_bool(o, "restrict", false)};
    const char *net = opt_take(o, "net"), *search[SEARCH_MAX + 1] = {NULL};
    unsigned nsearch = 0;
    network(o, &c, net ? net : "10.0.2.0/24");
    take_address(o, "host", &c.vhost);
    take_address(o, "dhcpstart", &c.vdhcp_start);
    take_address(o, "dns", &c.vnameserver);
    inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &c.vhost6);
    inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
    c.vhostname = opt_take(o, "hostname");
    c.vdomainname = opt_take(o, "domainname");
    c.tftp_path = opt_take(o, "tftp");
    c.tftp_server_name = opt_take(o, "tftp-server-name");
    c.bootfile = opt_take(o, "bootfile");
    for (unsigned i = 0; i < o->n; i++) {
        if (!strcmp(o->pairs[i].key, "dnssearch") && o->pairs[i].value && nsearch < SEARCH_MAX) {
            o->pairs[i].taken = true;
            search[nsearch++] = o->pairs[i].value;
        }
    }
    c.vdnssearch = nsearch ? search : NULL;
    char at[INET_ADDRSTRLEN];
    snprintf(n->what, sizeof n->what, "type=user,net=%s,restrict=%s", inet_ntop(AF_INET, &c.vnetwork, at, sizeof at),
             c.restricted ? "on" : "off");
    n->slirp = slirp_new(&c, &slirp_calls, n);
    if (!n->slirp) {
        die("-netdev %s: libslirp refuses these addresses", o->text);
    }
    for (unsigned i = 0; i < o->n; i++) {
        OptPair *p = &o->pairs[i];
        bool host = !strcmp(p->key, "hostfwd"), guest = !strcmp(p->key, "guestfwd");
        if (p->value && (host || guest)) {
            p->taken = true;
            host ? host_forward(n, o, p->value) : guest_forward(n, o, p->value);
        }
    }
}

static void tap_new(Net *n, OptList *o)
{
    const char *name = opt_take(o, "ifname"), *fd = opt_take(o, "fd"), *script = opt_take(o, "script");
    const char *down = opt_take(o, "downscript");
    uint64_t number;
    if ((script && strcmp(script, "no")) || (down && strcmp(down, "no"))) {
        die("-netdev %s: scripts are not run (script=no,downscript=no): set the interface up beforehand", o->text);
    }
    if (fd) {
        if (!opt_number(fd, false, 1, &number) || number > 1 << 20) {
            die("-netdev %s: fd=%s is no number", o->text, fd);
        }
        n->tap = (int)number;
        snprintf(n->what, sizeof n->what, "type=tap,fd=%d", n->tap);
        if (fcntl(n->tap, F_GETFD) < 0) {
            die("-netdev %s: fd=%s: %s", o->text, fd, strerror(errno));
        }
    } else {
        struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
        n->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name ? name : "tap%d");
        if (n->tap < 0 || ioctl(n->tap, TUNSETIFF, &r)) {
            die("-netdev %s: %s: %s", o->text, n->tap < 0 ? "/dev/net/tun" : r.ifr_name, strerror(errno));
        }
        snprintf(n->what, sizeof n->what, "type=tap,ifname=%s,script=no,downscript=no", r.ifr_name);
    }
    fcntl(n->tap, F_SETFL, fcntl(n->tap, F_GETFL) | O_NONBLOCK);
}

static Net *find(const char *id)
{
    Net *n = nets;
    while (n && strcmp(n->id, id)) {
        n = n->next;
    }
    return n;
}

const char *net_create(Machine *m, OptList *o)
{
    static unsigned count;
    (void)m;
    char made[24];
    const char *type = opt_take(o, "type"), *id = opt_take(o, "id");
    snprintf(made, sizeof made, "#net%u", count++);
    if (id && find(id)) {
        die("-netdev: there are two with the id %s", id);
    }
    Net *n = calloc(1, sizeof *n);
    ASSERT(n);
    n->id = strdup(id ? id : made);
    n->tap = -1;
    n->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sem_init(&n->asked.done, 0, 0);
    if (type && !strcmp(type, "user")) {
        user_new(n, o);
    } else if (type && !strcmp(type, "tap")) {
        tap_new(n, o);
    } else {
        die("-netdev %s: the type is user or tap", o->text);
    }
    opt_rest(o);
    Net **end = &nets;
    while (*end) {
        end = &(*end)->next;
    }
    *end = n;
    return n->id;
}

Net *net_take(const char *id, const NetClient *c, char *why, size_t size)
{
    Net *n = find(id);
    if (!n || n->taken) {
        snprintf(why, size, n ? "another card has the netdev %s" : "no -netdev has the id %s", id);
        return NULL;
    }
    n->taken = true;
    n->client = *c;
    int e = pthread_create(&n->thread, NULL, thread, n);
    if (e) {
        snprintf(why, size, "thread of netdev %s: %s", id, strerror(e));
        return NULL;
    }
    return n;
}

/* -- for the monitors -------------------------------------------------------------------------------------------------- */

void net_each(void (*fn)(void *arg, const char *id, const char *what, const NetClient *card), void *arg)
{
    for (Net *n = nets; n; n = n->next) {
        fn(arg, n->id, n->what, n->taken ? &n->client : NULL);
    }
}

/* Has the backend's thread do it, and waits; without a card there is no thread. */
static void ask(Net *n, void (*fn)(Net *n, void *arg), void *arg)
{
    if (!n->taken) {
        fn(n, arg);
        return;
    }
    n->asked.arg = arg;
    __atomic_store_n(&n->asked.fn, fn, __ATOMIC_RELEASE);
    net_wake(n);
    while (sem_wait(&n->asked.done) < 0) {
    }
}

typedef struct Asked {
    Forward f;
    bool add;
    int error; /* 0, or of errno */
    char *text;
} Asked;

static void do_forward(Net *n, void *arg)
{
    Asked *a = arg;
    errno = 0;
    int r = a->add ? slirp_add_hostfwd(n->slirp, a->f.udp, a->f.host, a->f.host_port, a->f.guest, a->f.guest_port)
                   : slirp_remove_hostfwd(n->slirp, a->f.udp, a->f.host, a->f.host_port);
    a->error = r < 0 ? (errno ? errno : ENOENT) : 0;
}

bool net_forward(const char *id, const char *rule, bool add, char *why, size_t size)
{
    Net *n = id ? find(id) : nets;
    Asked a = {.add = add};
    while (!id && n && !n->slirp) {
        n = n->next;
    }
    if (!n || !n->slirp) {
        snprintf(why, size, id ? "no user-mode netdev has the id '%s'" : "there is no user-mode network", id);
        return false;
    }
    if (!forward_parse(rule, add, &a.f)) {
        snprintf(why, size, "invalid host forwarding rule '%s': expected [tcp|udp]:[ADDRESS]:PORT%s", rule, add ? "-[ADDRESS]:PORT" : "");
        return false;
    }
    ask(n, do_forward, &a);
    if (a.error) {
        snprintf(why, size, add ? "could not set up host forwarding rule '%s': %s" : "host forwarding rule for %s not found", rule,
                 strerror(a.error));
    }
    return !a.error;
}

static void do_connections(Net *n, void *arg)
{
    Asked *a = arg;
    a->text = slirp_connection_info(n->slirp);
}

void net_connections(void (*fn)(void *arg, const char *id, const char *text), void *arg)
{
    for (Net *n = nets; n; n = n->next) {
        Asked a = {.text = NULL};
        if (n->slirp) {
            ask(n, do_connections, &a);
            fn(arg, n->id, a.text ? a.text : "");
            free(a.text);
        }
    }
}
