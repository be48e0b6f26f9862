/* log.c - parsing and writing behind log.h. */
#define _GNU_SOURCE
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

uint32_t log_mask, log_known;

static FILE *stream;
static struct {
    uint64_t first, last;
} ranges[16];
static unsigned nranges;

static const struct {
    const char *name, *alias, *doc;
} items[] = {
#define ITEM(name, alias, doc) {#name, alias, doc},
    LOG_ITEMS(ITEM)
#undef ITEM
};

bool log_on_at(uint32_t item, Gva pc)
{
    if (!log_on(item)) {
        return false;
    }
    for (unsigned i = 0; i < nranges; i++) {
        if (pc.v >= ranges[i].first && pc.v <= ranges[i].last) {
            return true;
        }
    }
    return nranges == 0;
}

static bool known(size_t item)
{
    return !log_known || log_known >> item & 1;
}

static bool word_is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(s, word, n) == 0;
}

/* QEMU's item that nothing here answers to? Scripts that name one still run. */
static bool is_empty_item(const char *s, size_t n)
{
    static const char *const words[] = {"op_opt", "op_ind", "op_plugin", "fpu", "pcall", "cpu_reset", "nochain", "plugin",
                                        "tid", "vpu", "invalid_mem", "none", "guest_errors", "mmu", "unimp", "page"};
    for (unsigned i = 0; i < LEN(words); i++) {
        if (word_is(s, n, words[i])) {
            return true;
        }
    }
    return n > 6 && !memcmp(s, "trace:", 6);
}

int log_parse(const char *s, const char **bad)
{
    while (*s) {
        size_t n = strcspn(s, ","), i = 0;
        bool all = word_is(s, n, "all");
        while (i < LEN(items) && !word_is(s, n, items[i].name) && !word_is(s, n, items[i].alias)) {
            i++;
        }
        bool found = i < LEN(items) && known(i);
        if (!found && !all && !is_empty_item(s, n)) {
            *bad = s;
            return -1;
        }
        for (size_t k = 0; k < LEN(items); k++) {
            log_mask |= (found && k == i) || (all && known(k)) ? 1u << k : 0;
        }
        s += n + (s[n] == ',');
    }
    return 0;
}

int log_parse_ranges(const char *s)
{
    nranges = 0;
    while (*s) {
        char *end;
        uint64_t a = strtoull(s, &end, 0), b;
        if (end == s || nranges == LEN(ranges)) {
            return -1;
        }
        char how = *end;
        s = end + (how == '.' ? 2 : 1);
        if ((how != '.' && how != '+' && how != '-') || (how == '.' && end[1] != '.')) {
            return -1;
        }
        b = strtoull(s, &end, 0);
        if (end == s || (*end && *end != ',')) {
            return -1;
        }
        ranges[nranges].first = how == '-' ? a - (b - 1) : a;
        ranges[nranges].last = how == '+' ? a + (b - 1) : how == '-' ? a : b;
        nranges++;
        s = end + (*end == ',');
    }
    return 0;
}

int log_open(const char *path, bool append)
{
    char buf[4096];
    const char *d = strstr(path, "%d");
    if (d) {
        snprintf(buf, sizeof buf, "%.*s%d%s", (int)(d - path), path, (int)getpid(), d + 2);
        path = buf;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (append ? 0 : O_TRUNC), 0666);
    if (fd < 0) {
        return -errno;
    }
    /* the low numbers are the program's */
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    if (high >= 0) {
        close(fd);
        fd = high;
    }
    FILE *f = fdopen(fd, "a");
    if (!f) {
        return -errno;
    }
    setvbuf(f, NULL, _IOLBF, 0);
    stream = f;
    return fd;
}

void *log_stream(void)
{
    return stream ? stream : stderr;
}

void log_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(log_stream(), fmt, ap);
    va_end(ap);
}

void log_help(void *file)
{
    for (size_t i = 0; i < LEN(items); i++) {
        if (known(i)) {
            fprintf(file, "%-8s %-12s  %s\n", items[i].name, items[i].alias, items[i].doc);
        }
    }
}
