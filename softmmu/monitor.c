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

/* One byte more of the object that is coming; true at its end. */
static bool object_grows(Monitor *m, char c)
{
    if (m->n + 1 < sizeof m->line) {
        m->line[m->n++] = c;
    } else {
        m->skip = true;
    }
    if (m->string) {
        m->string = m->escape || c != '"';
        m->escape = !m->escape && c == '\\';
    } else if (c == '"') {
        m->string = true;
    } else {
        m->depth += c == '{' || c == '[';
        m->depth -= c == '}' || c == ']';
    }
    return m->depth == 0;
}

static void objects_begin(Monitor *m)
{
    m->n = m->depth = 0;
    m->string = m->escape = m->skip = false;
}

/* Requests are told apart by their brackets, outside of strings. What is neither is refused, once up to the next bracket or the line's
 * end; byte 255, which no text has, gives up the request that is coming. */
static void qmp_receive(void *dev, const uint8_t *at, unsigned n)
{
    Monitor *m = dev;
    for (; n; n--, at++) {
        bool begins = *at == '{' || *at == '[', blank = *at == ' ' || *at == '\t' || *at == '\r' || *at == '\n';
        if (*at == 255) {
            objects_begin(m);
        } else if (m->depth == 0 && !begins) {
            if (!blank && !m->skip) {
                qmp_run(m, NULL);
            }
            m->skip = (m->skip || !blank) && *at != '\n';
        } else {
            if (m->depth == 0) {
                objects_begin(m);
            }
            if (object_grows(m, (char)*at)) {
                m->line[m->n] = 0;
                qmp_run(m, m->skip ? NULL : m->line);
                objects_begin(m);
            }
        }
    }
}

static void qmp_char_event(void *dev, CharEvent what)
{
    Monitor *m = dev;
    objects_begin(m);
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
