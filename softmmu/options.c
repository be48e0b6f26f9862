/* options.c - the command line by the table in options.def, and lists of key=value pairs.
 *
 * Errors are one line on stderr and status 1. Nothing that is parsed is freed: it lives as long as the machine.
 */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "chardev.h"
#include "devices.h"
#include "json.h"
#include "log.h"
#include "machine.h"

typedef enum OptKind { STR, NUM, FLAG, OFF, LIST, WORDS, HELP, VERSION, DISK } OptKind;

typedef struct OptRow {
    const char *name, *metavar, *first, *doc;
    OptKind kind;
    size_t offset;
} OptRow;

static const OptRow rows[] = {
#define OPT(name, metavar, kind, field, first, doc) {name, metavar, first, doc, kind, offsetof(Options, field)},
#include "options.def"
#undef OPT
};

/* Rows whose argument has no name in --help take one all the same. */
static bool takes_argument(const OptRow *r)
{
    return r->kind != FLAG && r->kind != OFF && r->kind != HELP && r->kind != VERSION;
}

/* -msg: what is in front of messages. */
static struct {
    bool timestamp;
    const char *guest;
} msg;

static void complain_v(const char *fmt, va_list ap)
{
    char line[1200], when[40] = "";
    vsnprintf(line, sizeof line, fmt, ap);
    if (msg.timestamp) {
        struct timespec t;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &t);
        size_t n = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t.tv_sec, &tm));
        snprintf(when + n, sizeof when - n, ".%06uZ ", (unsigned)(t.tv_nsec / 1000));
    }
    fprintf(stderr, "%s%s%sarmx-system: %s\n", when, msg.guest ? msg.guest : "", msg.guest ? " " : "", line);
}

void complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain_v(fmt, ap);
    va_end(ap);
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain_v(fmt, ap);
    va_end(ap);
    exit(1);
}

static void *more(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p) {
        die("no memory");
    }
    return p;
}

/* -- lists ----------------------------------------------------------------------------------------------------- */

void opt_add(OptList *o, const char *key, const char *value)
{
    o->pairs = more(o->pairs, (o->n + 1) * sizeof *o->pairs);
    o->pairs[o->n++] = (OptPair){.key = (char *)key, .value = (char *)value};
}

static char *word_end(char *s, char **next)
{
    char *to = s;
    for (; *s && !(*s == ',' && s[1] != ','); s++) {
        s += *s == ',';
        *to++ = *s;
    }
    *next = *s ? s + 1 : NULL;
    *to = 0;
    return to;
}

/* What is in an object of JSON as pairs: "a": {"b": 1} is a.b=1, and each string of a list "a" is an a=. */
static void json_list(OptList *o, const char *prefix, JsonPart value)
{
    JsonPart key, part;
    char *text = more(NULL, value.n + 1);
    if (value.n && *value.at == '{') {
        for (unsigned k = 0; json_pair(value, k, &key, &part); k++) {
            size_t len = strlen(prefix);
            char *name = more(NULL, len + key.n + 2);
            snprintf(name, len + key.n + 2, "%s%s%.*s", prefix, len ? "." : "", (int)key.n - 2, key.at + 1);
            size_t end = strlen(name); /* the strings of -netdev's lists are objects {"str": TEXT} */
            if (end > 4 && !strcmp(name + end - 4, ".str")) {
                name[end - 4] = 0;
            }
            json_list(o, name, part);
        }
    } else if (value.n && *value.at == '[') {
        for (unsigned k = 0; (part = json_element(value, k)).at; k++) {
            json_list(o, prefix, part);
        }
    } else if (json_string(value, text, value.n + 1)) {
        opt_add(o, prefix, text);
    } else if (value.n != 4 || memcmp(value.at, "null", 4)) {
        snprintf(text, value.n + 1, "%.*s", (int)value.n, value.at);
        opt_add(o, prefix, !strcmp(text, "true") ? "on" : !strcmp(text, "false") ? "off" : text);
    }
}

static void list_parse(OptList *o, const char *option, const char *text, const char *first)
{
    char *s = strdup(text), *next;
    *o = (OptList){.option = option, .text = text};
    if (*text == '{') {
        if (!json_valid(text, strlen(text))) {
            die("%s %s: this is no JSON", option, text);
        }
        json_list(o, "", (JsonPart){text, strlen(text)});
        return;
    }
    for (bool begin = true; s && *s; s = next, begin = false) {
        word_end(s, &next);
        char *eq = strchr(s, '=');
        OptPair p = {.key = s};
        if (begin && first && !eq) {
            p = (OptPair){.key = (char *)first, .value = s};
        } else if (eq) {
            *eq = 0;
            p.value = eq + 1;
        }
        o->pairs = more(o->pairs, (o->n + 1) * sizeof *o->pairs);
        o->pairs[o->n++] = p;
    }
}

OptList *opt_list(const char *option, const char *text, const char *first)
{
    OptList *o = more(NULL, sizeof *o);
    list_parse(o, option, text, first);
    return o;
}

/* The value that a pair gives key, or NULL. */
static const char *pair_value(const OptPair *p, const char *key)
{
    if (p->value) {
        return strcmp(p->key, key) ? NULL : p->value;
    }
    return !strcmp(p->key, key) ? "on" : !strncmp(p->key, "no", 2) && !strcmp(p->key + 2, key) ? "off" : NULL;
}

const char *opt_take(OptList *o, const char *key)
{
    const char *found = NULL;
    for (unsigned k = 0; k < o->n; k++) {
        const char *v = pair_value(&o->pairs[k], key);
        if (v) {
            o->pairs[k].taken = true;
            found = v;
        }
    }
    return found;
}

const char *opt_look(const OptList *o, const char *key)
{
    const char *found = NULL;
    for (unsigned k = 0; k < o->n; k++) {
        const char *v = pair_value(&o->pairs[k], key);
        found = v ? v : found;
    }
    return found;
}

static bool word_in(const char *s, const char *const *words)
{
    for (; *words; words++) {
        if (!strcmp(s, *words)) {
            return true;
        }
    }
    return false;
}

bool opt_take_bool(OptList *o, const char *key, bool otherwise)
{
    static const char *const yes[] = {"on", "yes", "true", "y", NULL}, *const no[] = {"off", "no", "false", "n", NULL};
    const char *v = opt_take(o, key);
    if (!v) {
        return otherwise;
    }
    if (!word_in(v, yes) && !word_in(v, no)) {
        die("%s %s: %s is on or off, not \"%s\"", o->option, o->text, key, v);
    }
    return word_in(v, yes);
}

bool opt_number(const char *s, bool size, uint64_t unit, uint64_t *out)
{
    char *end;
    errno = 0;
    if (*s < '0' || *s > '9') {
        return false;
    }
    uint64_t n = strtoull(s, &end, 0);
    uint64_t scale = size ? unit : 1;
    if (size && *end) {
        static const char units[] = "bkmgtBKMGT";
        const char *u = strchr(units, *end++);
        if (!u) {
            return false;
        }
        scale = (uint64_t)1 << 10 * ((u - units) % 5);
        end += (*end == 'i' || *end == 'B') && scale > 1; /* MiB */
        end += *end == 'B' && scale > 1;
    }
    if (*end || errno || n > UINT64_MAX / scale) {
        return false;
    }
    *out = n * scale;
    return true;
}

static uint64_t take_number(OptList *o, const char *key, bool size, uint64_t unit, uint64_t otherwise)
{
    const char *v = opt_take(o, key);
    uint64_t n = otherwise;
    if (v && !opt_number(v, size, unit, &n)) {
        die("%s %s: %s=%s is no %s", o->option, o->text, key, v, size ? "size" : "number");
    }
    return n;
}

uint64_t opt_take_number(OptList *o, const char *key, uint64_t otherwise)
{
    return take_number(o, key, false, 1, otherwise);
}

uint64_t opt_take_size(OptList *o, const char *key, uint64_t unit, uint64_t otherwise)
{
    return take_number(o, key, true, unit, otherwise);
}

void opt_rest(OptList *o)
{
    for (unsigned k = 0; k < o->n; k++) {
        if (!o->pairs[k].taken) {
            die("%s %s: unknown property \"%s\"", o->option, o->text, o->pairs[k].key);
        }
    }
}

/* -- the command line -------------------------------------------------------------------------------------------- */

static NORETURN void help(void)
{
    printf("usage: armx-system [options]\nRuns an AArch64 machine on this one.\n\n");
    for (unsigned k = 0; k < LEN(rows); k++) {
        const OptRow *r = &rows[k];
        if (*r->doc) {
            char opt[64];
            snprintf(opt, sizeof opt, "-%s%s%s", r->name, *r->metavar ? " " : "", r->metavar);
            printf("%-36s %s\n", opt, r->doc);
        }
    }
    printf("\nOptions are named and written as QEMU's. Ending: status 0 after power-off or quit, 1 after an error.\n");
    exit(0);
}

static NORETURN void cpu_help(void)
{
    const CpuModel *m;
    for (unsigned n = 0; (m = a64_model_nth(n)); n++) {
        printf("%-16s %s\n", m->name, m->doc);
    }
    exit(0);
}

static void add_list(OptLists *l, const OptRow *r, const char *value)
{
    static char names[LEN(rows)][24];
    char *name = names[r - rows];
    snprintf(name, sizeof names[0], "-%s", r->name);
    l->at = more(l->at, (l->n + 1) * sizeof *l->at);
    if (r->kind == WORDS) {
        l->at[l->n++] = (OptList){.option = name, .text = value};
    } else {
        list_parse(&l->at[l->n++], name, value, r->first);
    }
}

/* -pflash and -hda...: DISK counts in its field, the names go to the array that belongs to it. */
static void add_disk(Options *o, unsigned *count, const char *shown, const char *value)
{
    const char **names = count == &o->npflash ? o->pflash : o->disk;
    unsigned max = count == &o->npflash ? LEN(o->pflash) : LEN(o->disk);
    if (*count == max) {
        die("%s: at most %u times", shown, max);
    }
    names[(*count)++] = value;
}

static void apply(Options *o, const OptRow *r, const char *shown, const char *value)
{
    void *field = (char *)o + r->offset;
    switch (r->kind) {
    case HELP:
        help();
    case VERSION:
        printf("armx-system version " ARMX_VERSION "\n");
        exit(0);
    case STR:
        *(const char **)field = value;
        break;
    case FLAG:
        *(bool *)field = true;
        break;
    case OFF:
        break;
    case NUM:
        if (!opt_number(value, false, 1, field)) {
            die("%s %s: not a number", shown, value);
        }
        break;
    case LIST:
    case WORDS:
        add_list(field, r, value);
        break;
    case DISK:
        add_disk(o, field, shown, value);
        break;
    }
}

static bool is_help(const char *s)
{
    return s && (!strcmp(s, "help") || !strcmp(s, "?"));
}

/* -action reboot=shutdown and the like: words of -no-reboot and -no-shutdown. */
static void actions(Options *o)
{
    static const struct {
        const char *key, *yes, *no;
        size_t offset;
    } words[] = {{"reboot", "shutdown", "reset", offsetof(Options, no_reboot)},
                 {"shutdown", "pause", "poweroff", offsetof(Options, no_shutdown)}};
    for (unsigned n = 0; n < o->action.n; n++) {
        OptList *l = &o->action.at[n];
        for (unsigned k = 0; k < LEN(words); k++) {
            const char *v = opt_take(l, words[k].key);
            if (v && strcmp(v, words[k].yes) && strcmp(v, words[k].no)) {
                die("-action %s: %s is %s or %s", l->text, words[k].key, words[k].no, words[k].yes);
            }
            if (v) {
                *(bool *)((char *)o + words[k].offset) = !strcmp(v, words[k].yes);
            }
        }
        opt_take(l, "panic");
        opt_take(l, "watchdog");
        opt_rest(l);
    }
}

static void messages(Options *o)
{
    const char *name = NULL;
    bool guest = false;
    for (unsigned k = 0; k < o->name.n; k++) {
        OptList *l = &o->name.at[k];
        const char *given = opt_take(l, "guest");
        name = given ? given : name;
        opt_take_bool(l, "debug-threads", true);
        opt_rest(l);
    }
    for (unsigned n = 0; n < o->msg.n; n++) {
        OptList *l = &o->msg.at[n];
        msg.timestamp = opt_take_bool(l, "timestamp", msg.timestamp);
        guest = opt_take_bool(l, "guest-name", guest);
        opt_rest(l);
    }
    msg.guest = guest ? name : NULL;
}

/* What there is none of here, and what each option may say of it. */
static void absent(Options *o)
{
    if (o->display && strcmp(o->display, "none")) {
        die("-display %s: only none, there is no graphics", o->display);
    }
    if (o->vga && strcmp(o->vga, "none")) {
        die("-vga %s: only none, there is no graphics", o->vga);
    }
    for (unsigned n = 0; n < o->audiodev.n; n++) {
        const char *driver = opt_look(&o->audiodev.at[n], "driver");
        if (!driver || strcmp(driver, "none")) {
            die("-audiodev %s: only none, there is no sound", o->audiodev.at[n].text);
        }
    }
    for (unsigned n = 0; n < o->parallel.n; n++) {
        const char *word = o->parallel.at[n].text;
        if (strcmp(word, "none") && strcmp(word, "null")) {
            die("-parallel %s: only none, there is no parallel port", word);
        }
    }
    if (o->smbios.n) {
        die("-smbios %s: there are no SMBIOS tables", o->smbios.at[0].text);
    }
}

/* Objects are descriptions that devices need no more than by name. Memory is anonymous, so a file for it would stay as it is. */
static void objects(const Options *o)
{
    static const char *const random_files[] = {"/dev/urandom", "/dev/random", "/dev/hwrng", NULL};
    static const struct {
        const char *type, *keys[8];
    } known[] = {{"rng-random", {"filename"}}, {"rng-builtin", {NULL}}, {"iothread", {NULL}},
                 {"memory-backend-ram", {"size", "share", "prealloc", "merge", "dump", "reserve"}},
                 {"memory-backend-memfd", {"size", "share", "prealloc", "merge", "dump", "reserve", "seal"}}};
    for (unsigned n = 0; n < o->object.n; n++) {
        OptList *l = &o->object.at[n];
        const char *type = opt_take(l, "qom-type"), *file = opt_look(l, "filename");
        unsigned k = 0;
        while (k < LEN(known) && (!type || strcmp(type, known[k].type))) {
            k++;
        }
        if (k == LEN(known)) {
            die("-object %s: unknown kind of object", l->text);
        }
        if (!opt_take(l, "id")) {
            die("-object %s: id= is missing", l->text);
        }
        if (file && !word_in(file, random_files)) {
            die("-object %s: filename is /dev/urandom, /dev/random or /dev/hwrng", l->text);
        }
        for (unsigned i = 0; known[k].keys[i]; i++) {
            opt_take(l, known[k].keys[i]);
        }
        opt_rest(l);
    }
}

/* -daemonize leaves nothing to be typed at. */
static void daemon_check(const Options *o)
{
    chardev_no_terminal = o->daemonize;
    if (o->daemonize && o->nographic) {
        die("-nographic cannot be used with -daemonize");
    }
}

static void escape_key(const Options *o)
{
    uint64_t key = chardev_escape;
    if (o->escape && (!opt_number(o->escape, false, 1, &key) || !key || key > 31)) {
        die("-echr %s: the number of a control character, 1 to 31", o->escape);
    }
    chardev_escape = (uint8_t)key;
}

static void print_name(void *arg, const char *name)
{
    (void)arg;
    printf("%s\n", name);
}

static void check(Options *o)
{
    daemon_check(o);
    escape_key(o);
    messages(o);
    actions(o);
    absent(o);
    objects(o);
    const char *bad = NULL;
    if (is_help(o->cpu)) {
        cpu_help();
    }
    log_known = ~(uint32_t)(LOG_strace | LOG_page | LOG_unimp);
    if (is_help(o->log_items)) {
        log_help(stdout);
        exit(0);
    }
    if (o->log_items && log_parse(o->log_items, &bad) < 0) {
        die("-d: unknown item %s (-d help lists them)", bad);
    }
    if (o->log_filter && log_parse_ranges(o->log_filter) < 0) {
        die("-dfilter %s: expected START..END, START+SIZE or START-SIZE", o->log_filter);
    }
    for (unsigned k = 0; k < o->chardev.n; k++) {
        if (is_help(opt_look(&o->chardev.at[k], "backend"))) {
            chardev_each_backend(print_name, NULL);
            exit(0);
        }
    }
    for (unsigned k = 0; k < o->device.n; k++) {
        OptList *d = &o->device.at[k];
        if (is_help(opt_look(d, "driver"))) {
            devices_help(NULL);
        } else if (opt_look(d, "help")) {
            devices_help(opt_look(d, "driver"));
        }
    }
}

static const OptRow *row_by_name(const char *name)
{
    for (unsigned k = 0; k < LEN(rows); k++) {
        if (!strcmp(rows[k].name, name)) {
            return &rows[k];
        }
    }
    return NULL;
}

void options_parse(Options *o, int argc, char **argv)
{
    for (int k = 1; k < argc; k++) {
        const char *shown = argv[k];
        if (*shown != '-' || !shown[1]) { /* QEMU takes a bare word as the first disk */
            add_disk(o, &o->ndisk, shown, shown);
            continue;
        }
        const OptRow *r = row_by_name(shown + 1 + (shown[1] == '-'));
        const char *value = NULL;
        if (!r) {
            die("%s: unknown option (-h lists them)", shown);
        }
        if (takes_argument(r)) {
            if (k + 1 >= argc) {
                die("%s: needs an argument%s%s", shown, *r->metavar ? ": " : "", r->metavar);
            }
            value = argv[++k];
        }
        apply(o, r, shown, value);
    }
    check(o);
}
