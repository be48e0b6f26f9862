/* chardev_open.c - what -chardev, -serial and -monitor name: the table of backends, and words ("tcp:HOST:PORT,server") in its terms.
 *
 * To add a backend: a row, and a function that takes its properties from the list and opens it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "chardev_int.h"

enum { MEMORY = 64 << 10 };

typedef Chardev *OpenFn(EventLoop *l, OptList *o, const char *id, char *why, size_t n);

static Chardev *open_stdio(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    static bool taken;
    if (chardev_no_terminal || taken) {
        snprintf(why, n, taken ? "stdio: in use already" : "stdio: cannot use stdio with -daemonize");
        return NULL;
    }
    taken = true;
    bool mux = opt_look(o, "mux") && !strcmp(opt_look(o, "mux"), "on");
    Chardev *c = chardev_new(l, id, "stdio");
    chardev_terminal_take(opt_take_bool(o, "signal", !mux));
    c->terminal = true;
    c->in = 0;
    c->out = 1;
    return c;
}

static Chardev *open_null(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    (void)o;
    (void)why;
    (void)n;
    return chardev_new(l, id, "null");
}

static Chardev *open_pty(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[128] = "";
    (void)o;
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

static const char *take_path(OptList *o, char *why, size_t n)
{
    const char *path = opt_take(o, "path");
    if (!path) {
        snprintf(why, n, "path= is missing");
    }
    return path;
}

static Chardev *open_file(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    const char *path = take_path(o, why, n), *input = opt_take(o, "input-path");
    bool append = opt_take_bool(o, "append", false);
    int in = -1, fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666) : -1;
    if (fd >= 0 && input) {
        in = open(input, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (path && (fd < 0 || (input && in < 0))) {
        snprintf(why, n, "%s: %s", fd < 0 ? path : input, strerror(errno));
    }
    if (fd < 0 || (input && in < 0)) {
        return NULL;
    }
    Chardev *c = chardev_new(l, id, "file");
    c->out = fd;
    c->in = in;
    return c;
}

/* A device of the host, or a named pipe: PATH, or PATH.in (what the guest gets) and PATH.out when they are there. */
static Chardev *open_device(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    enum { FLAGS = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK };
    const char *path = take_path(o, why, n);
    char name[4096];
    if (!path) {
        return NULL;
    }
    snprintf(name, sizeof name, "%s.in", path);
    int in = open(name, FLAGS), out = -1;
    snprintf(name, sizeof name, "%s.out", path);
    if (in >= 0 && (out = open(name, FLAGS)) < 0) {
        snprintf(why, n, "%s: %s", name, strerror(errno));
        close(in);
        return NULL;
    }
    in = in < 0 ? out = open(path, FLAGS) : in;
    if (in < 0) {
        snprintf(why, n, "%s: %s", path, strerror(errno));
        return NULL;
    }
    Chardev *c = chardev_new(l, id, path);
    c->in = in;
    c->out = out;
    return c;
}

static Chardev *open_memory(EventLoop *l, OptList *o, const char *id, char *why, size_t n)
{
    uint64_t size = opt_take_size(o, "size", 1, MEMORY);
    if (!size || (size & (size - 1)) || size > CHAR_MEMORY_MAX) {
        snprintf(why, n, "size= is a power of two, at most 1 GiB");
        return NULL;
    }
    Chardev *c = chardev_new(l, id, "ringbuf");
    c->memory = (CharMemory){.bytes = malloc(size), .size = (uint32_t)size};
    if (!c->memory.bytes) {
        die("no memory");
    }
    return c;
}

static const struct Backend {
    const char *name;
    OpenFn *open;
} backends[] = {
    {"stdio", open_stdio},     {"null", open_null},   {"vc", open_null},       {"pty", open_pty},
    {"file", open_file},       {"pipe", open_device}, {"serial", open_device}, {"tty", open_device},
    {"ringbuf", open_memory},  {"memory", open_memory}, {"socket", chardev_open_socket}, {"udp", chardev_open_udp},
};

void chardev_each_backend(void (*fn)(void *arg, const char *name), void *arg)
{
    for (unsigned k = 0; k < LEN(backends); k++) {
        fn(arg, backends[k].name);
    }
}

Chardev *chardev_from_options(EventLoop *l, OptList *o, char *why, size_t n)
{
    const char *backend = opt_take(o, "backend"), *id = opt_take(o, "id"), *log = opt_take(o, "logfile");
    bool log_append = opt_take_bool(o, "logappend", false), mux = opt_take_bool(o, "mux", false);
    unsigned k = 0;
    *why = 0;
    id = id ? id : "char0";
    while (k < LEN(backends) && (!backend || strcmp(backend, backends[k].name))) {
        k++;
    }
    if (k == LEN(backends)) {
        snprintf(why, n, backend ? "%s: unknown backend (-chardev help lists them)" : "which kind? (-chardev help lists them)", backend);
        return NULL;
    }
    if (chardev_find(id)) {
        snprintf(why, n, "id %s is taken", id);
        return NULL;
    }
    Chardev *c = backends[k].open(l, o, id, why, n);
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

/* -- words --------------------------------------------------------------------------------------------------------- */

/* HOST:PORT of text into two properties of o; false when it is none. */
static bool split_address(OptList *o, const char *text, const char *host, const char *port)
{
    char *copy = strdup(text), *colon = copy ? strrchr(copy, ':') : NULL;
    if (colon) {
        *colon = 0;
        opt_add(o, host, copy);
        opt_add(o, port, colon + 1);
    }
    return colon != NULL;
}

static bool word_path(OptList *o, const char *rest)
{
    opt_add(o, "path", rest);
    return *rest != 0;
}

static bool word_tcp(OptList *o, const char *rest)
{
    return split_address(o, rest, "host", "port");
}

static bool word_telnet(OptList *o, const char *rest)
{
    opt_add(o, "telnet", "on");
    return word_tcp(o, rest);
}

/* HOST:PORT or HOST:PORT@LOCALHOST:LOCALPORT */
static bool word_udp(OptList *o, const char *rest)
{
    const char *at = strchr(rest, '@');
    char *peer = at ? strndup(rest, (size_t)(at - rest)) : strdup(rest);
    return peer && split_address(o, peer, "host", "port") && (!at || split_address(o, at + 1, "localaddr", "localport"));
}

/* What -serial and -monitor say for a backend: PREFIX and the rest up to a comma, with properties behind it where there are some. */
static const struct Word {
    const char *prefix, *backend;
    bool (*rest)(OptList *o, const char *rest); /* NULL: there is none */
    bool properties;
} words[] = {
    {"stdio", "stdio", NULL, false},      {"null", "null", NULL, false},         {"pty", "pty", NULL, false},
    {"vc", "vc", NULL, false},            {"file:", "file", word_path, false},   {"pipe:", "pipe", word_path, false},
    {"tcp:", "socket", word_tcp, true},   {"telnet:", "socket", word_telnet, true}, {"unix:", "socket", word_path, true},
    {"udp:", "udp", word_udp, false},     {"ringbuf", "ringbuf", NULL, false},
};

/* The list that a word stands for, or NULL with a line. */
static OptList *list_of(const char *option, const char *word, char *why, size_t n)
{
    for (unsigned k = 0; k < LEN(words); k++) {
        const struct Word *w = &words[k];
        size_t len = strlen(w->prefix);
        if (w->rest ? strncmp(word, w->prefix, len) : strcmp(word, w->prefix)) {
            continue;
        }
        OptList *o = opt_list(option, w->properties ? word + len : "", "rest");
        const char *rest = w->properties ? opt_take(o, "rest") : word + len;
        o->text = word;
        opt_add(o, "backend", w->backend);
        if (w->rest && (!rest || !w->rest(o, rest))) {
            snprintf(why, n, "%s: expected %s%s", word, w->prefix, w->rest == word_path ? "PATH" : "HOST:PORT");
            return NULL;
        }
        return o;
    }
    if (!strncmp(word, "/dev/", 5)) {
        OptList *o = opt_list(option, "serial", "backend");
        opt_add(o, "path", word);
        return o;
    }
    int at = snprintf(why, n, "%s: unknown backend (none, chardev:ID, /dev/...", word);
    for (unsigned k = 0; k < LEN(words) && at >= 0 && (size_t)at < n; k++) {
        at += snprintf(why + at, n - (size_t)at, ", %s", words[k].prefix);
    }
    snprintf(why + strlen(why), n - strlen(why), "; mon: before one adds the monitor)");
    return NULL;
}

Chardev *chardev_from_word(EventLoop *l, const char *option, const char *word, const char *id, char *why, size_t n)
{
    bool mon = !strncmp(word, "mon:", 4);
    *why = 0;
    word += mon ? 4 : 0;
    if (!strcmp(word, "none")) {
        return NULL;
    }
    if (!strncmp(word, "chardev:", 8)) {
        Chardev *c = chardev_find(word + 8);
        if (!c) {
            snprintf(why, n, "%s: there is no -chardev with this id", word);
        }
        return c;
    }
    OptList *o = list_of(option, word, why, n);
    if (!o) {
        return NULL;
    }
    opt_add(o, "id", id);
    if (mon) {
        opt_add(o, "mux", "on");
    }
    return chardev_from_options(l, o, why, n);
}
