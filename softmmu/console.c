/* console.c - see console.h.
 *
 * Without -serial the first port is on the terminal with the monitor behind Ctrl-A c. QEMU has that for -nographic only,
 * and a window else; there are no windows here.
 */
#include "console.h"

#include <stdio.h>

#include "monitor.h"

static Chardev *backend(Machine *m, const char *option, const char *word, const char *id)
{
    char why[1000];
    Chardev *c = chardev_from_word(m->loop, option, word, id, why, sizeof why);
    if (!c && *why) {
        die("%s %s", option, why);
    }
    return c;
}

void console_monitors(Machine *m, Chardev *serial[2])
{
    const Options *o = m->options;
    Chardev *first = serial[0];
    for (unsigned k = 0; k < o->monitor.n; k++) {
        char id[32];
        snprintf(id, sizeof id, "compat_monitor%u", k);
        Chardev *c = backend(m, "-monitor", o->monitor.at[k].text, id);
        if (c && !monitor_new(m, c, false)) {
            die("-monitor %s: the character device is in use", o->monitor.at[k].text);
        }
    }
    for (unsigned k = 0; k < o->qmp.n; k++) {
        char id[32];
        snprintf(id, sizeof id, "compat_qmp%u", k);
        Chardev *c = backend(m, "-qmp", o->qmp.at[k].text, id);
        if (c && !monitor_new(m, c, true)) {
            die("-qmp %s: the character device is in use", o->qmp.at[k].text);
        }
    }
    for (unsigned k = 0; k < o->mon.n; k++) {
        OptList *l = &o->mon.at[k];
        const char *id = opt_take(l, "chardev"), *mode = opt_take(l, "mode");
        bool control = mode && !strcmp(mode, "control");
        opt_take(l, "id");
        opt_take(l, "pretty");
        opt_rest(l);
        Chardev *c = id ? chardev_find(id) : NULL;
        if (!c || (mode && !control && strcmp(mode, "readline"))) {
            die("-mon %s: chardev=ID of a -chardev, mode=readline or control", l->text);
        }
        if (!monitor_new(m, c, control)) {
            die("-mon %s: the character device is in use", l->text);
        }
    }
    if (first && chardev_is_mux(first) && !o->monitor.n && !o->mon.n) {
        monitor_new(m, first, false);
    }
}

void console_new(Machine *m, Chardev *serial[2])
{
    const Options *o = m->options;
    char why[1000];
    for (unsigned k = 0; k < o->chardev.n; k++) {
        if (!chardev_from_options(m->loop, &o->chardev.at[k], why, sizeof why)) {
            die("-chardev %s: %s", o->chardev.at[k].text, why);
        }
    }
    if (o->serial.n > 2) {
        die("-serial: at most 2 serial ports");
    }
    for (unsigned k = 0; k < o->serial.n; k++) {
        char id[32];
        snprintf(id, sizeof id, "serial%u", k);
        serial[k] = backend(m, "-serial", o->serial.at[k].text, id);
    }
    /* A monitor that was asked for on the terminal leaves the port nothing, and -daemonize leaves no terminal */
    bool taken = (o->monitor.n && !strcmp(o->monitor.at[0].text, "stdio")) || o->daemonize;
    if (!o->serial.n && !o->no_defaults && !taken) {
        serial[0] = backend(m, "-serial", o->monitor.n ? "stdio" : "mon:stdio", "serial0");
    }
}
