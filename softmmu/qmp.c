/* qmp.c - the monitor for programs: QEMU's machine protocol, the commands of the table below.
 *
 * A request is one JSON object {"execute": NAME, "arguments": {...}, "id": ANY}; its answer carries "return" or "error" and
 * the id. Before qmp_capabilities nothing else is answered, and no event is sent. Errors have QEMU's classes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dev/virtio_balloon.h"
#include "json.h"
#include "monitor_int.h"
#include "sys.h"

/* An answer being written. */
typedef struct Answer {
    Monitor *m;
    JsonPart id;
    bool done;
} Answer;

typedef struct QmpCommand {
    const char *name;
    void (*run)(Answer *a, JsonPart args);
} QmpCommand;

static void put(Monitor *m, const char *s, size_t n)
{
    chardev_write(&m->end, s, n);
}

static void finish(Answer *a, const char *kind, const char *text)
{
    char head[32];
    int n = snprintf(head, sizeof head, "{\"%s\": ", kind);
    put(a->m, head, (size_t)n);
    put(a->m, text, strlen(text));
    if (a->id.at) {
        put(a->m, ", \"id\": ", 8);
        put(a->m, a->id.at, a->id.n);
    }
    put(a->m, "}\r\n", 3);
    a->done = true;
}

static void answer(Answer *a, const char *text)
{
    finish(a, "return", text);
}

static void failed(Answer *a, const char *class, const char *text)
{
    char quoted[600], body[800];
    json_quote(text, quoted, sizeof quoted);
    snprintf(body, sizeof body, "{\"class\": \"%s\", \"desc\": %s}", class, quoted);
    finish(a, "error", body);
}

/* -- commands ------------------------------------------------------------------------------------------------------ */

static void run_capabilities(Answer *a, JsonPart args)
{
    (void)args;
    a->m->ready = true;
    answer(a, "{}");
}

static const char version[] = "{\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}, \"package\": \"armx " ARMX_VERSION "\"}";

static void run_version(Answer *a, JsonPart args)
{
    (void)args;
    answer(a, version);
}

static void run_status(Answer *a, JsonPart args)
{
    char text[128];
    (void)args;
    snprintf(text, sizeof text, "{\"running\": %s, \"singlestep\": false, \"status\": \"%s\"}",
             machine_stopped(a->m->machine) ? "false" : "true", machine_status(a->m->machine));
    answer(a, text);
}

static void run_quit(Answer *a, JsonPart args)
{
    (void)args;
    answer(a, "{}");
    qmp_event(a->m, "SHUTDOWN", false);
    machine_quit(a->m->machine, 0);
}

static void run_stop(Answer *a, JsonPart args)
{
    (void)args;
    machine_stop(a->m->machine);
    answer(a, "{}");
}

static void run_cont(Answer *a, JsonPart args)
{
    (void)args;
    machine_cont(a->m->machine);
    answer(a, "{}");
}

static void run_reset(Answer *a, JsonPart args)
{
    (void)args;
    machine_request(a->m->machine, END_HOST_RESET);
    answer(a, "{}");
}

static void run_powerdown(Answer *a, JsonPart args)
{
    (void)args;
    machine_powerdown(a->m->machine);
    answer(a, "{}");
    qmp_event(a->m, "POWERDOWN", false);
}

static void run_cpus(Answer *a, JsonPart args)
{
    const Machine *m = a->m->machine;
    size_t size = 300 * (size_t)m->nvcpus + 16, n = 0;
    char *text = malloc(size);
    (void)args;
    if (!text) {
        failed(a, "GenericError", "no memory");
        return;
    }
    n += (size_t)snprintf(text, size, "[");
    for (unsigned k = 0; k < m->nvcpus; k++) {
        n += (size_t)snprintf(text + n, size - n,
                              "%s{\"cpu-index\": %u, \"qom-path\": \"/machine/unattached/device[%u]\", \"thread-id\": %d, "
                              "\"target\": \"aarch64\", \"props\": {\"core-id\": %u, \"cluster-id\": 0, \"socket-id\": 0, "
                              "\"thread-id\": 0}}",
                              k ? ", " : "", k, k, vcpu_thread_id(&m->vcpus[k]), k);
    }
    snprintf(text + n, size - n, "]");
    answer(a, text);
    free(text);
}

typedef struct Chardevs {
    char text[8192];
    size_t n;
} Chardevs;

static void add_chardev(void *arg, const char *id, const char *where, bool open)
{
    Chardevs *c = arg;
    char qid[300], qwhere[600];
    json_quote(id, qid, sizeof qid);
    json_quote(where, qwhere, sizeof qwhere);
    if (c->n + 1000 < sizeof c->text) {
        c->n += (size_t)snprintf(c->text + c->n, sizeof c->text - c->n, "%s{\"label\": %s, \"filename\": %s, \"frontend-open\": %s}",
                                 c->n > 1 ? ", " : "", qid, qwhere, open ? "true" : "false");
    }
}

static void run_chardev(Answer *a, JsonPart args)
{
    Chardevs c = {"[", 1};
    (void)args;
    chardev_each(add_chardev, &c);
    snprintf(c.text + c.n, sizeof c.text - c.n, "]");
    answer(a, c.text);
}

static void run_name(Answer *a, JsonPart args)
{
    const struct Options *o = a->m->machine->options;
    const char *name = NULL;
    char quoted[300], text[400];
    (void)args;
    for (unsigned k = 0; k < o->name.n; k++) {
        name = opt_look(&o->name.at[k], "guest");
    }
    json_quote(name ? name : "", quoted, sizeof quoted);
    snprintf(text, sizeof text, name ? "{\"name\": %s}" : "{}", quoted);
    answer(a, text);
}

static void run_kvm(Answer *a, JsonPart args)
{
    (void)args;
    answer(a, "{\"enabled\": false, \"present\": false}");
}

static void run_target(Answer *a, JsonPart args)
{
    (void)args;
    answer(a, "{\"arch\": \"aarch64\"}");
}

static void run_uuid(Answer *a, JsonPart args)
{
    const char *uuid = a->m->machine->options->uuid;
    char text[100];
    (void)args;
    snprintf(text, sizeof text, "{\"UUID\": \"%.36s\"}", uuid ? uuid : "00000000-0000-0000-0000-000000000000");
    answer(a, text);
}

static void run_balloon(Answer *a, JsonPart args)
{
    int64_t bytes;
    if (!json_number(json_member(args, "value"), &bytes) || bytes <= 0) {
        failed(a, "GenericError", "Parameter 'value' expects a size");
    } else if (!balloon_set((uint64_t)bytes)) {
        failed(a, "DeviceNotActive", "No balloon device has been activated");
    } else {
        answer(a, "{}");
    }
}

static void run_query_balloon(Answer *a, JsonPart args)
{
    uint64_t bytes = balloon_actual();
    char text[60];
    (void)args;
    if (!bytes) {
        failed(a, "DeviceNotActive", "No balloon device has been activated");
        return;
    }
    snprintf(text, sizeof text, "{\"actual\": %llu}", (unsigned long long)bytes);
    answer(a, text);
}

static void run_human(Answer *a, JsonPart args);
static void run_commands(Answer *a, JsonPart args);

static const QmpCommand qmp_commands[] = {
    {"qmp_capabilities", run_capabilities},
    {"query-version", run_version},
    {"query-status", run_status},
    {"query-cpus-fast", run_cpus},
    {"query-chardev", run_chardev},
    {"query-name", run_name},
    {"query-kvm", run_kvm},
    {"query-target", run_target},
    {"query-uuid", run_uuid},
    {"query-balloon", run_query_balloon},
    {"balloon", run_balloon},
    {"query-commands", run_commands},
    {"human-monitor-command", run_human},
    {"quit", run_quit},
    {"stop", run_stop},
    {"cont", run_cont},
    {"system_reset", run_reset},
    {"system_powerdown", run_powerdown},
};

static void run_commands(Answer *a, JsonPart args)
{
    char text[2048];
    size_t n = (size_t)snprintf(text, sizeof text, "[");
    (void)args;
    for (unsigned k = 0; k < LEN(qmp_commands); k++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s{\"name\": \"%s\"}", k ? ", " : "", qmp_commands[k].name);
    }
    snprintf(text + n, sizeof text - n, "]");
    answer(a, text);
}

/* A command for people, whose output is the answer. */
static void run_human(Answer *a, JsonPart args)
{
    char line[1000];
    if (!json_string(json_member(args, "command-line"), line, sizeof line)) {
        failed(a, "GenericError", "Parameter 'command-line' is missing");
        return;
    }
    enum { ROOM = 256 << 10, QUOTED = 6 * ROOM + 16 };
    Monitor *people = calloc(1, sizeof *people);
    char *text = malloc(ROOM), *quoted = malloc(QUOTED);
    if (people && text && quoted) {
        people->machine = a->m->machine;
        people->collect = text;
        people->collect_room = ROOM;
        hmp_run(people, line);
        text[people->collected] = 0;
        json_quote(text, quoted, QUOTED);
        answer(a, quoted);
    } else {
        failed(a, "GenericError", "no memory");
    }
    free(quoted);
    free(text);
    free(people);
}

/* -- requests and events ------------------------------------------------------------------------------------------- */

void qmp_run(Monitor *m, char *text)
{
    static const char *const members[] = {"execute", "arguments", "id", NULL};
    JsonPart request = {text, text ? strlen(text) : 0}, other;
    Answer a = {.m = m, .id = {0}};
    char name[100], why[160];
    if (!text || !json_valid(text, request.n)) {
        failed(&a, "GenericError", "JSON parse error");
        return;
    }
    if (*text != '{') {
        failed(&a, "GenericError", "QMP input must be a JSON object");
        return;
    }
    a.id = json_member(request, "id");
    if (!json_string(json_member(request, "execute"), name, sizeof name)) {
        failed(&a, "GenericError", "QMP input lacks member 'execute'");
        return;
    }
    if ((other = json_other(request, members)).at) {
        snprintf(why, sizeof why, "QMP input member '%.*s' is unexpected", (int)(other.n < 60 ? other.n - 2 : 58), other.at + 1);
        failed(&a, "GenericError", why);
        return;
    }
    JsonPart args = json_member(request, "arguments");
    if (args.at && *args.at != '{') {
        failed(&a, "GenericError", "QMP input member 'arguments' must be an object");
        return;
    }
    if (!m->ready && strcmp(name, "qmp_capabilities")) {
        failed(&a, "CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
        return;
    }
    for (unsigned k = 0; k < LEN(qmp_commands); k++) {
        if (!strcmp(qmp_commands[k].name, name)) {
            qmp_commands[k].run(&a, args);
            return;
        }
    }
    snprintf(why, sizeof why, "The command %s has not been found", name);
    failed(&a, "CommandNotFound", why);
}

void qmp_greet(Monitor *m)
{
    char text[300];
    int n = snprintf(text, sizeof text, "{\"QMP\": {\"version\": %s, \"capabilities\": []}}\r\n", version);
    put(m, text, (size_t)n);
}

void qmp_event(void *monitor, const char *name, bool guest)
{
    Monitor *m = monitor;
    char text[400], data[100] = "";
    struct timespec t;
    if (!m->ready) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    if (!strcmp(name, "SHUTDOWN") || !strcmp(name, "RESET")) {
        snprintf(data, sizeof data, ", \"data\": {\"guest\": %s, \"reason\": \"%s\"}", guest ? "true" : "false",
                 !guest ? (*name == 'S' ? "host-qmp-quit" : "host-qmp-system-reset") : *name == 'S' ? "guest-shutdown" : "guest-reset");
    } else if (!strcmp(name, "GUEST_PANICKED")) {
        snprintf(data, sizeof data, ", \"data\": {\"action\": \"shutdown\"}");
    }
    int n = snprintf(text, sizeof text, "{\"timestamp\": {\"seconds\": %" PRId64 ", \"microseconds\": %ld}, \"event\": \"%s\"%s}\r\n",
                     (int64_t)t.tv_sec, t.tv_nsec / 1000, name, data);
    put(m, text, (size_t)n);
}
