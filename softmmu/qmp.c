/* qmp.c - the monitor for programs: QEMU's machine protocol: requests, answers and events, and the commands of qmp.def that control;
 * those that ask are in qmp_query.c.
 *
 * A request is one JSON object {"execute": NAME, "arguments": {...}, "id": ANY}; its answer carries "return" or "error" and
 * the id. Before qmp_capabilities nothing else is answered, and no event is sent. Errors have QEMU's classes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dev/virtio_balloon.h"
#include "inspect.h"
#include "qmp_int.h"

static const struct {
    const char *name, *says; /* says NULL: run */
    void (*run)(Answer *a, JsonPart args);
} commands[] = {
#define QMP(name, function) {name, NULL, qmp_##function},
#define QMP_SAYS(name, text) {name, text, NULL},
#include "qmp.def"
};

static const char version[] = "{\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}, \"package\": \"armx " ARMX_VERSION "\"}";

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

void qmp_answer(Answer *a, const char *text)
{
    finish(a, "return", text);
}

void qmp_failed(Answer *a, const char *class, const char *text)
{
    char quoted[600], body[800];
    json_quote(text, quoted, sizeof quoted);
    snprintf(body, sizeof body, "{\"class\": \"%s\", \"desc\": %s}", class, quoted);
    finish(a, "error", body);
}

void qmp_finish(Answer *a, JsonText *t)
{
    qmp_answer(a, t->at ? t->at : "[]");
    free(t->at);
}

/* -- base64 (RFC 4648) --------------------------------------------------------------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_encode(const uint8_t *from, size_t n, char *to)
{
    for (size_t k = 0; k < n; k += 3) {
        uint32_t v = (uint32_t)from[k] << 16 | (k + 1 < n ? (uint32_t)from[k + 1] << 8 : 0) | (k + 2 < n ? from[k + 2] : 0);
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = k + 1 < n ? digits[v >> 6 & 63] : '=';
        *to++ = k + 2 < n ? digits[v & 63] : '=';
    }
    *to = 0;
}

/* In place; the bytes, or -1. */
static ssize_t base64_decode(char *text)
{
    uint8_t *to = (uint8_t *)text;
    uint32_t v = 0;
    unsigned bits = 0;
    size_t n = strcspn(text, "=");
    if (strspn(text + n, "=") != strlen(text + n) || strlen(text) % 4) {
        return -1;
    }
    for (size_t k = 0; k < n; k++) {
        const char *digit = strchr(digits, text[k]);
        if (!digit) {
            return -1;
        }
        v = v << 6 | (uint32_t)(digit - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (uint8_t)(v >> bits);
        }
    }
    return to - (uint8_t *)text;
}

/* -- commands ------------------------------------------------------------------------------------------------------ */

void qmp_capabilities(Answer *a, JsonPart args)
{
    (void)args;
    a->m->ready = true;
    qmp_answer(a, "{}");
}

void qmp_status(Answer *a, JsonPart args)
{
    char text[128];
    (void)args;
    snprintf(text, sizeof text, "{\"running\": %s, \"singlestep\": false, \"status\": \"%s\"}",
             machine_stopped(a->m->machine) ? "false" : "true", machine_status(a->m->machine));
    qmp_answer(a, text);
}

void qmp_quit(Answer *a, JsonPart args)
{
    (void)args;
    qmp_answer(a, "{}");
    qmp_event(a->m, "SHUTDOWN", false);
    machine_quit(a->m->machine, 0);
}

void qmp_stop(Answer *a, JsonPart args)
{
    (void)args;
    machine_stop(a->m->machine);
    qmp_answer(a, "{}");
}

void qmp_cont(Answer *a, JsonPart args)
{
    (void)args;
    machine_cont(a->m->machine);
    qmp_answer(a, "{}");
}

void qmp_reset(Answer *a, JsonPart args)
{
    (void)args;
    machine_request(a->m->machine, END_HOST_RESET);
    qmp_answer(a, "{}");
}

void qmp_powerdown(Answer *a, JsonPart args)
{
    (void)args;
    machine_powerdown(a->m->machine);
    qmp_answer(a, "{}");
    qmp_event(a->m, "POWERDOWN", false);
}

void qmp_balloon(Answer *a, JsonPart args)
{
    int64_t bytes;
    if (!json_number(json_member(args, "value"), &bytes) || bytes <= 0) {
        qmp_failed(a, "GenericError", "Parameter 'value' expects a size");
    } else if (!balloon_set((uint64_t)bytes)) {
        qmp_failed(a, "DeviceNotActive", "No balloon device has been activated");
    } else {
        qmp_answer(a, "{}");
    }
}

void qmp_query_balloon(Answer *a, JsonPart args)
{
    uint64_t bytes = balloon_actual();
    char text[60];
    (void)args;
    if (!bytes) {
        qmp_failed(a, "DeviceNotActive", "No balloon device has been activated");
        return;
    }
    snprintf(text, sizeof text, "{\"actual\": %llu}", (unsigned long long)bytes);
    qmp_answer(a, text);
}

void qmp_version(Answer *a, JsonPart args)
{
    (void)args;
    qmp_answer(a, version);
}

void qmp_commands(Answer *a, JsonPart args)
{
    JsonText t = {0};
    (void)args;
    json_add(&t, "[");
    for (unsigned k = 0; k < LEN(commands); k++) {
        json_add(&t, "%s{\"name\": \"%s\"}", k ? ", " : "", commands[k].name);
    }
    json_add(&t, "]");
    qmp_finish(a, &t);
}

/* -- memory and characters ----------------------------------------------------------------------------------------- */

static void save(Answer *a, JsonPart args, bool virtual)
{
    const Machine *m = a->m->machine;
    int64_t at, n, cpu = 0;
    char file[4096], why[300];
    if (!json_number(json_member(args, "val"), &at) || !json_number(json_member(args, "size"), &n) || n < 0 ||
        !json_string(json_member(args, "filename"), file, sizeof file)) {
        qmp_failed(a, "GenericError", "Parameters 'val', 'size' and 'filename' are needed");
        return;
    }
    if (json_number(json_member(args, "cpu-index"), &cpu) && (cpu < 0 || cpu >= m->nvcpus)) {
        qmp_failed(a, "GenericError", "Parameter 'cpu-index' expects a CPU number");
        return;
    }
    machine_pause(a->m->machine);
    bool good = inspect_save(&m->vcpus[cpu], virtual, (uint64_t)at, (uint64_t)n, file, why, sizeof why);
    machine_resume(a->m->machine);
    good ? qmp_answer(a, "{}") : qmp_failed(a, "GenericError", why);
}

void qmp_memsave(Answer *a, JsonPart args)
{
    save(a, args, true);
}

void qmp_pmemsave(Answer *a, JsonPart args)
{
    save(a, args, false);
}

/* Whether "format" asks for base64; false with the answer given when it asks for something else. */
static bool format_of(Answer *a, JsonPart args, bool *base64)
{
    char format[16] = "utf8";
    json_string(json_member(args, "format"), format, sizeof format);
    *base64 = !strcmp(format, "base64");
    if (!*base64 && strcmp(format, "utf8")) {
        qmp_failed(a, "GenericError", "Parameter 'format' does not accept this value");
        return false;
    }
    return true;
}

/* The answer when r says that there is no such ringbuf. */
static bool no_ringbuf(Answer *a, const char *id, int r)
{
    char why[200];
    if (r < 0) {
        snprintf(why, sizeof why, r == -ENOENT ? "Device '%s' not found" : "%s is not a ringbuf device", id);
        qmp_failed(a, "GenericError", why);
    }
    return r < 0;
}

void qmp_ringbuf_read(Answer *a, JsonPart args)
{
    char id[100];
    int64_t size;
    bool base64;
    if (!json_string(json_member(args, "device"), id, sizeof id) || !json_number(json_member(args, "size"), &size) || size <= 0) {
        qmp_failed(a, "GenericError", "Parameters 'device' and 'size' (more than 0) are needed");
        return;
    }
    if (!format_of(a, args, &base64)) {
        return;
    }
    size = size < CHAR_MEMORY_MAX ? size : CHAR_MEMORY_MAX;
    uint8_t *bytes = malloc((size_t)size + 1);
    char *text = bytes ? malloc((size_t)size * 4 / 3 + 8) : NULL;
    JsonText t = {0};
    int r = text ? chardev_memory_read(id, bytes, (size_t)size) : -ENOENT;
    if (!no_ringbuf(a, id, r)) {
        bytes[r] = 0;
        base64 ? base64_encode(bytes, (size_t)r, text) : (void)0;
        json_add_string(&t, base64 ? text : (char *)bytes);
        qmp_finish(a, &t);
    }
    free(text);
    free(bytes);
}

void qmp_ringbuf_write(Answer *a, JsonPart args)
{
    char id[100], *data = malloc(sizeof a->m->line);
    bool base64;
    if (!data || !json_string(json_member(args, "device"), id, sizeof id) ||
        !json_string(json_member(args, "data"), data, sizeof a->m->line)) {
        qmp_failed(a, "GenericError", "Parameters 'device' and 'data' are needed");
    } else if (format_of(a, args, &base64)) {
        ssize_t n = base64 ? base64_decode(data) : (ssize_t)strlen(data);
        if (n < 0) {
            qmp_failed(a, "GenericError", "Parameter 'data' is no base64");
        } else if (!no_ringbuf(a, id, chardev_memory_write(id, (uint8_t *)data, (size_t)n))) {
            qmp_answer(a, "{}");
        }
    }
    free(data);
}

void qmp_send_break(Answer *a, JsonPart args)
{
    char id[100];
    if (!json_string(json_member(args, "id"), id, sizeof id)) {
        qmp_failed(a, "GenericError", "Parameter 'id' is missing");
    } else if (chardev_send_break(id) < 0) {
        qmp_failed(a, "GenericError", "Chardev not found");
    } else {
        qmp_answer(a, "{}");
    }
}

void qmp_human(Answer *a, JsonPart args)
{
    char line[1000];
    if (!json_string(json_member(args, "command-line"), line, sizeof line)) {
        qmp_failed(a, "GenericError", "Parameter 'command-line' is missing");
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
        qmp_answer(a, quoted);
    } else {
        qmp_failed(a, "GenericError", "no memory");
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
        qmp_failed(&a, "GenericError", "JSON parse error");
        return;
    }
    if (*text != '{') {
        qmp_failed(&a, "GenericError", "QMP input must be a JSON object");
        return;
    }
    a.id = json_member(request, "id");
    if (!json_string(json_member(request, "execute"), name, sizeof name)) {
        qmp_failed(&a, "GenericError", "QMP input lacks member 'execute'");
        return;
    }
    if ((other = json_other(request, members)).at) {
        snprintf(why, sizeof why, "QMP input member '%.*s' is unexpected", (int)(other.n < 60 ? other.n - 2 : 58), other.at + 1);
        qmp_failed(&a, "GenericError", why);
        return;
    }
    JsonPart args = json_member(request, "arguments");
    if (args.at && *args.at != '{') {
        qmp_failed(&a, "GenericError", "QMP input member 'arguments' must be an object");
        return;
    }
    if (!m->ready && strcmp(name, "qmp_capabilities")) {
        qmp_failed(&a, "CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
        return;
    }
    for (unsigned k = 0; k < LEN(commands); k++) {
        if (!strcmp(commands[k].name, name)) {
            commands[k].says ? qmp_answer(&a, commands[k].says) : commands[k].run(&a, args);
            return;
        }
    }
    snprintf(why, sizeof why, "The command %s has not been found", name);
    qmp_failed(&a, "CommandNotFound", why);
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
