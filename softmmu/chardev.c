/* chardev.c - character devices: the queues on both sides, the multiplexer with its Ctrl-A keys, the backends' descriptors.
 *
 * A device has up to two descriptors (terminal: 0 and 1). Output goes into a queue that the I/O thread writes; so a byte
 * costs a vCPU no system call. A descriptor is only written when poll says so, and then so little that it cannot block:
 * the terminal is shared with others, who would be surprised to find it non-blocking.
 * Input, Ctrl-A's keys taken out, is read into the ring of the user that has the focus, and waits there until that user has room.
 * Lock: one per device, for its queue of output. The rings of input and everything else belong to the I/O thread.
 */
#define _GNU_SOURCE
#include "chardev_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

enum { FULL = 64 << 10, CHUNK = 256 };

static Chardev *all;
void (*chardev_on_quit)(void);
uint8_t chardev_escape = 1;
bool chardev_no_terminal;

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

void chardev_terminal_take(bool signals)
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
static void keep(CharMemory *m, const uint8_t *from, size_t n);
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
            return c->datagram || !(p.revents & (POLLERR | POLLHUP | POLLNVAL));
        }
        ssize_t r = write(c->out, c->queue + c->queue_at, n);
        if (r < 0 && c->datagram && errno != EINTR && errno != EAGAIN) {
            r = (ssize_t)n; /* lost: nobody is there, yet */
        }
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

/* Under the lock: n bytes behind what waits. */
static void enqueue(Chardev *c, const void *from, size_t n)
{
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

void chardev_write(const CharEnd *e, const void *from, size_t n)
{
    Chardev *c = e->chardev;
    const uint8_t *at = from, *end = at + n, *iac;
    if (!c || !n) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (c->log >= 0 && write(c->log, from, n) < 0) { /* its disk is full: the port works on */
        close(c->log);
        c->log = -1;
    }
    if (c->memory.size) {
        keep(&c->memory, from, n);
    }
    while (c->out >= 0 && c->speaks_telnet && (iac = memchr(at, TELNET_IAC, (size_t)(end - at)))) {
        enqueue(c, at, (size_t)(iac - at) + 1);
        enqueue(c, iac, 1);
        at = iac + 1;
    }
    if (c->out >= 0 && at < end) {
        enqueue(c, at, (size_t)(end - at));
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
    CharRing *r = &c->rings[user];
    const CharUser *u = c->users[user];
    while (r->n) {
        unsigned n = r->n, room = u->room ? u->room(c->devs[user]) : CHAR_RING;
        n = n < CHAR_RING - r->at ? n : CHAR_RING - r->at;
        n = n < room ? n : room;
        if (!n) {
            break;
        }
        unsigned at = r->at;
        r->at = (at + n) % CHAR_RING;
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
    unsigned most = c->datagram ? 1 : CHAR_RING / 2; /* a datagram wants the whole ring */
    uint32_t want = c->in >= 0 && c->rings[c->focus].n < most ? EPOLLIN : 0;
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

static void focus_event(Chardev *c, CharEvent what)
{
    if (c->nusers && c->users[c->focus]->event) {
        c->users[c->focus]->event(c->devs[c->focus], what);
    }
}

/* fmt has the key, as many times as it likes. */
static void say_key(Chardev *c, const char *fmt)
{
    char line[80];
    char key = (char)(chardev_escape + '@');
    snprintf(line, sizeof line, fmt, key, key, key);
    say(c, line);
}

static void escape_help(Chardev *c)
{
    static const char *const lines[] = {"\r\nCtrl-%c h    this help\r\n", "Ctrl-%c x    end armx-system\r\n",
                                        "Ctrl-%c c    change between console and monitor\r\n", "Ctrl-%c b    send a break\r\n",
                                        "Ctrl-%c Ctrl-%c  send Ctrl-%c\r\n"};
    for (unsigned k = 0; k < LEN(lines); k++) {
        say_key(c, lines[k]);
    }
}

/* The key after Ctrl-A. */
static bool escape_key(Chardev *c, uint8_t key)
{
    switch (key) {
    case 'h':
    case '?':
        escape_help(c);
        return true;
    case 'x':
        say_key(c, "armx-system: ended by Ctrl-%c x\r\n");
        if (chardev_on_quit) {
            chardev_on_quit();
        }
        return true;
    case 'c':
        c->focus = c->nusers ? (c->focus + 1) % c->nusers : 0;
        focus_event(c, CHAR_FOCUS);
        return true;
    case 'b':
        focus_event(c, CHAR_BREAK);
        return true;
    default:
        return key != chardev_escape;
    }
}

/* Takes the protocol out of what comes: is this byte data? */
static bool telnet_data(Chardev *c, uint8_t byte)
{
    uint8_t answer[TELNET_ANSWER];
    TelnetByte what = telnet_take(&c->telnet, byte, answer);
    if (what == TELNET_BREAK) {
        deliver(c);
        focus_event(c, CHAR_BREAK);
    } else if (what == TELNET_REPLY && c->out >= 0) {
        pthread_mutex_lock(&c->lock);
        enqueue(c, answer, sizeof answer);
        pthread_mutex_unlock(&c->lock);
    }
    return what == TELNET_DATA;
}

void chardev_received(Chardev *c, const uint8_t *at, unsigned n)
{
    for (; n; n--, at++) {
        if (c->speaks_telnet && !telnet_data(c, *at)) {
            continue;
        }
        if (c->mux && c->escape) {
            c->escape = false;
            if (*at == 'c') {
                deliver(c); /* what was typed before comes before */
            }
            if (escape_key(c, *at)) {
                continue;
            }
        } else if (c->mux && *at == chardev_escape) {
            c->escape = true;
            continue;
        }
        CharRing *r = &c->rings[c->focus];
        if (r->n < CHAR_RING) {
            r->bytes[(r->at + r->n++) % CHAR_RING] = *at;
        }
    }
    deliver(c);
}

void chardev_greet(Chardev *c)
{
    if (c->speaks_telnet) {
        pthread_mutex_lock(&c->lock);
        enqueue(c, telnet_begin(&c->telnet), TELNET_GREETING);
        pthread_mutex_unlock(&c->lock);
    }
}

void chardev_connected(Chardev *c, int fd)
{
    pthread_mutex_lock(&c->lock);
    c->in = c->out = fd;
    pthread_mutex_unlock(&c->lock);
    chardev_greet(c);
    c->watched_in = EPOLLIN;
    watch(c, false);
    tell(c, CHAR_OPENED);
    deliver(c);
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
    if (c->socket) {
        chardev_socket_closed(c);
    }
}

static void on_ready(void *arg, uint32_t events)
{
    Chardev *c = arg;
    uint8_t buf[CHAR_RING];
    if (events & EPOLLOUT) {
        flush(c);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || c->in < 0 || !c->watched_in) {
        if (events & (EPOLLHUP | EPOLLERR) && c->in == c->out && c->in >= 0 && !c->datagram) {
            closed(c);
        }
        return;
    }
    ssize_t n = read(c->in, buf, c->datagram ? sizeof buf : sizeof buf / 2);
    if (n > 0) {
        chardev_received(c, buf, (unsigned)n);
    } else if (c->datagram) {
        return; /* an empty one, or word that the last found nobody */
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        closed(c);
    }
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

Chardev *chardev_new(EventLoop *l, const char *id, const char *where)
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

void chardev_each(void (*fn)(void *arg, const char *id, const char *where, bool used), void *arg)
{
    for (Chardev *c = all; c; c = c->next) {
        char name[512];
        chardev_socket_name(c, name, sizeof name);
        fn(arg, c->id, c->socket ? name : c->where, c->nusers != 0);
    }
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* Under the lock: what was kept longest makes room. */
static void keep(CharMemory *m, const uint8_t *from, size_t n)
{
    for (; n; n--) {
        m->bytes[m->put++ & (m->size - 1)] = *from++;
        m->got += m->put - m->got > m->size;
    }
}

int chardev_memory_read(const char *id, uint8_t *to, size_t n)
{
    Chardev *c = chardev_find(id);
    size_t done = 0;
    if (!c || !c->memory.size) {
        return c ? -EINVAL : -ENOENT;
    }
    pthread_mutex_lock(&c->lock);
    for (CharMemory *m = &c->memory; done < n && m->got != m->put; done++) {
        to[done] = m->bytes[m->got++ & (m->size - 1)];
    }
    pthread_mutex_unlock(&c->lock);
    return (int)done;
}

int chardev_memory_write(const char *id, const uint8_t *from, size_t n)
{
    Chardev *c = chardev_find(id);
    if (!c || !c->memory.size) {
        return c ? -EINVAL : -ENOENT;
    }
    pthread_mutex_lock(&c->lock);
    keep(&c->memory, from, n);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

int chardev_send_break(const char *id)
{
    Chardev *c = chardev_find(id);
    if (!c) {
        return -ENOENT;
    }
    focus_event(c, CHAR_BREAK);
    return 0;
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
    if (c->nusers == (c->mux ? CHAR_USERS : 1)) {
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
