/* monitor.c - the two monitors' input: lines with a little editing for people, whole JSON objects for programs. */
#include "monitor_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor.h"

static const char prompt[] = "(armx) ";

void monitor_printf(Monitor *m, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    n = n < (int)sizeof text ? n : (int)sizeof text - 1;
    if (m->collect) {
        size_t room = m->collect_room - m->collected - 1;
        memcpy(m->collect + m->collected, text, (size_t)n < room ? (size_t)n : room);
        m->collected += (size_t)n < room ? (size_t)n : room;
        return;
    }
    for (char *s = text, *end; s < text + n; s = end + 1) { /* the terminal is raw */
        end = memchr(s, '\n', (size_t)(text + n - s));
        if (!end) {
            chardev_write(&m->end, s, (size_t)(text + n - s));
            break;
        }
        chardev_write(&m->end, s, (size_t)(end - s));
        chardev_write(&m->end, "\r\n", 2);
    }
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

static void hmp_key(Monitor *m, uint8_t key)
{
    enum { BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };
    if (key == '\r' || key == '\n') {
        monitor_printf(m, "\n");
        m->line[m->n] = 0;
        m->n = 0;
        hmp_run(m, m->line);
        monitor_printf(m, "%s", prompt);
    } else if ((key == BACKSPACE || key == DELETE) && m->n) {
        m->n--;
        monitor_printf(m, "\b \b");
    } else if (key == CTRL_U) {
        for (; m->n; m->n--) {
            monitor_printf(m, "\b \b");
        }
    } else if (key >= ' ' && key < DELETE && m->n + 1 < 1000) {
        m->line[m->n++] = (char)key;
        monitor_printf(m, "%c", key);
    }
}

static void hmp_receive(void *dev, const uint8_t *at, unsigned n)
{
    for (; n; n--) {
        hmp_key(dev, *at++);
    }
}

static void hmp_event(void *dev, CharEvent what)
{
    Monitor *m = dev;
    bool shared = m->end.chardev && chardev_is_mux(m->end.chardev);
    if (what == CHAR_FOCUS || (what == CHAR_OPENED && !shared)) {
        monitor_printf(m, "%sarmx-system " ARMX_VERSION " monitor - type 'help' for the commands\n%s", shared ? "\n" : "", prompt);
        m->n = 0;
    }
}

static const CharUser hmp_user = {NULL, hmp_receive, NULL, hmp_event};

/* -- objects ------------------------------------------------------------------------------------------------------- */

/* Requests are told apart by their braces, outside of strings. */
static void qmp_receive(void *dev, const uint8_t *at, unsigned n)
{
    Monitor *m = dev;
    for (; n; n--, at++) {
        if (m->n == 0 && *at != '{') {
            continue;
        }
        if (m->n + 1 == sizeof m->line) {
            m->skip = true;
            m->n = 1;
        }
        m->line[m->n++] = (char)*at;
        if (*at != '}') {
            continue;
        }
        unsigned depth = 0;
        bool string = false;
        for (unsigned k = 0; k < m->n; k++) {
            char c = m->line[k];
            if (string && c == '\\') {
                k++;
            } else if (c == '"') {
                string = !string;
            } else if (!string) {
                depth += c == '{';
                depth -= c == '}' && depth;
            }
        }
        if (depth == 0 && !string) {
            m->line[m->n] = 0;
            m->n = 0;
            qmp_run(m, m->line);
        }
    }
}

static void qmp_char_event(void *dev, CharEvent what)
{
    Monitor *m = dev;
    m->n = 0;
    m->ready = false;
    if (what == CHAR_OPENED) {
        qmp_greet(m);
    }
}

static const CharUser qmp_user = {NULL, qmp_receive, NULL, qmp_char_event};

bool monitor_new(Machine *m, Chardev *c, bool qmp)
{
    Monitor *mon = calloc(1, sizeof *mon);
    if (!mon) {
        BUG("out of memory");
    }
    mon->machine = m;
    if (!chardev_attach(c, qmp ? &qmp_user : &hmp_user, mon, &mon->end)) {
        free(mon);
        return false;
    }
    if (qmp) {
        machine_on_event(m, qmp_event, mon);
    }
    return true;
}
