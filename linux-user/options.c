/* options.c - command line and environment into Options, by the table in options.def.
 *
 * Errors are one line on stderr and status 126, as a shell says "found, but cannot be run". In a set-user-ID start
 * (AT_SECURE) the environment is not looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "log.h"
#include "user.h"

enum { TIER_DEFAULT = 2 };

typedef enum OptKind { STR, NUM, SIZE, FLAG, ENVSET, ENVUNSET, HELP, VERSION } OptKind;

typedef struct OptRow {
    const char *name, *metavar, *env;
    OptKind kind;
    size_t offset;
    bool follow;
    const char *doc;
} OptRow;

static const OptRow rows[] = {
#define OPT(name, metavar, env, kind, field, follow, doc)                                          \
    {name, metavar, env, kind, offsetof(Options, field), follow, doc},
#include "options.def"
#undef OPT
};

static void say(const char *s)
{
    write_all(1, s, strlen(s));
}

static NORETURN void help(void)
{
    char line[256];
    say("usage: armx-user [options] program [arguments...]\n"
        "Runs an AArch64 Linux program on this machine.\n\n"
        "Option               Environment           Meaning\n");
    for (unsigned k = 0; k < LEN(rows); k++) {
        const OptRow *r = &rows[k];
        if (*r->doc) {
            char opt[64], env[64] = "";
            snprintf(opt, sizeof opt, "-%s%s%s", r->name, *r->metavar ? " " : "", r->metavar);
            if (*r->env) {
                snprintf(env, sizeof env, "ARMX_%s", r->env);
            }
            snprintf(line, sizeof line, "%-20s %-21s %s\n", opt, env, r->doc);
            say(line);
        }
    }
    say("\nEvery ARMX_ variable has a twin that begins with QEMU_. -E and -U take one or more names, separated by "
        "commas.\n");
    exit(0);
}

static NORETURN void version(void)
{
    say("armx-user version " ARMX_VERSION "\n");
    exit(0);
}

static NORETURN void cpu_help(void)
{
    char line[160];
    const CpuModel *m;
    for (unsigned n = 0; (m = a64_model_nth(n)); n++) {
        snprintf(line, sizeof line, "%-16s %s\n", m->name, m->doc);
        say(line);
    }
    exit(0);
}

/* A number with 0x, and k, m, g behind it when size; false when it is none. */
static bool number(const char *s, bool size, uint64_t *out)
{
    char *end;
    errno = 0;
    if (*s < '0' || *s > '9') {
        return false;
    }
    *out = strtoull(s, &end, 0);
    if (size && *end) {
        static const char units[] = "kmgKMG";
        const char *u = strchr(units, *end);
        unsigned shift = u ? 10 * (unsigned)((u - units) % 3 + 1) : 0;
        if (!u || *out > UINT64_MAX >> shift) {
            return false;
        }
        *out <<= shift;
        end++;
    }
    return *end == 0 && errno == 0;
}

/* "A=1,B=2": the strings stay where they are, split at commas that a name and '=' follow. */
static void env_list(char *s, const char **list, unsigned *n, bool set)
{
    while (*s) {
        if (set && !strchr(s, '=')) {
            die(126, "-E %s: expected NAME=VALUE", s);
        }
        if (*n == 64) {
            die(126, "too many -E or -U options");
        }
        list[(*n)++] = s;
        char *comma = strchr(s, ',');
        if (!comma) {
            break;
        }
        *comma = 0;
        s = comma + 1;
    }
}

static void apply(Options *o, const OptRow *r, const char *shown, char *value)
{
    void *field = (char *)o + r->offset;
    switch (r->kind) {
    case HELP:
        help();
    case VERSION:
        version();
    case STR:
        *(const char **)field = value;
        break;
    case FLAG:
        *(bool *)field = true;
        break;
    case NUM:
    case SIZE:
        if (!number(value, r->kind == SIZE, field)) {
            die(126, "%s %s: not a %s", shown, value, r->kind == SIZE ? "size" : "number");
        }
        break;
    case ENVSET:
        env_list(value, o->env_set, &o->nset, true);
        break;
    case ENVUNSET:
        env_list(value, o->env_unset, &o->nunset, false);
        break;
    }
}

static const char *env_get(char **envp, const char *prefix, const char *name)
{
    size_t np = strlen(prefix), nn = strlen(name);
    for (; *envp; envp++) {
        if (!strncmp(*envp, prefix, np) && !strncmp(*envp + np, name, nn) && (*envp)[np + nn] == '=') {
            return *envp + np + nn + 1;
        }
    }
    return NULL;
}

static void from_environment(Options *o, char **envp)
{
    for (unsigned k = 0; k < LEN(rows); k++) {
        const char *v = NULL;
        if (*rows[k].env) {
            v = env_get(envp, "ARMX_", rows[k].env);
            v = v ? v : env_get(envp, "QEMU_", rows[k].env);
        }
        if (v && !(rows[k].kind == FLAG && !strcmp(v, "0"))) {
            char name[64];
            snprintf(name, sizeof name, "ARMX_%s", rows[k].env);
            apply(o, &rows[k], name, strdup(v));
        }
    }
}

static void check(Options *o)
{
    const char *bad = NULL;
    if (o->cpu && (!strcmp(o->cpu, "help") || !strcmp(o->cpu, "?"))) {
        cpu_help();
    }
    if (o->cpu && !a64_model(o->cpu)) {
        die(126, "-cpu %s: unknown model (-cpu help lists them)", o->cpu);
    }
    if (o->guest_base) {
        die(126, "-B: only 0 is possible, guest and host addresses are equal");
    }
    if (o->page_size && o->page_size != PAGE) {
        die(126, "-p: only 4096 is possible");
    }
    if (o->trace) {
        die(126, "-trace %s: armx has no trace events; see -strace and -d help", o->trace);
    }
    if (o->plugin) {
        die(126, "-plugin %s: armx loads no TCG plugins; see -d help, -perfmap and -g", o->plugin);
    }
    if (o->smc && strcmp(o->smc, "protect")) {
        die(126, "--smc %s: expected \"protect\"", o->smc);
    }
    if (o->tier > 2) {
        die(126, "--tier: 0, 1 or 2");
    }
    log_known = ~(uint32_t)(LOG_guest | LOG_mmu);
    if (o->log_items && (!strcmp(o->log_items, "help") || !strcmp(o->log_items, "?"))) {
        log_help(stdout);
        exit(0);
    }
    if (o->log_items && log_parse(o->log_items, &bad) < 0) {
        die(126, "-d: unknown item %s (-d help lists them)", bad);
    }
    if (o->log_filter && log_parse_ranges(o->log_filter) < 0) {
        die(126, "-dfilter %s: expected START..END, START+SIZE or START-SIZE", o->log_filter);
    }
}

static const OptRow *row_by_name(const char *name, size_t n)
{
    for (unsigned k = 0; k < LEN(rows); k++) {
        if (!strncmp(rows[k].name, name, n) && rows[k].name[n] == 0) {
            return &rows[k];
        }
    }
    return NULL;
}

int options_parse(Options *o, int argc, char **argv, char **envp)
{
    int k = 1;
    o->tier = TIER_DEFAULT;
    if (!getauxval(AT_SECURE)) {
        from_environment(o, envp);
    }
    for (; k < argc && argv[k][0] == '-' && argv[k][1]; k++) {
        const char *shown = argv[k], *name = shown + 1 + (shown[1] == '-');
        if (!*name) {
            k++;
            break;
        }
        const char *eq = strchr(name, '=');
        const OptRow *r = row_by_name(name, strlen(name));
        char *value = NULL;
        if (!r && eq && (r = row_by_name(name, (size_t)(eq - name))) && *r->metavar) {
            value = argv[k] + (eq + 1 - argv[k]);
        } else if (r && *r->metavar) {
            if (k + 1 >= argc) {
                die(126, "%s: needs an argument (%s)", argv[k], r->metavar);
            }
            value = argv[++k];
        } else if (!r || eq) {
            die(126, "%s: unknown option (-h lists them)", argv[k]);
        }
        apply(o, r, shown, value);
    }
    check(o);
    if (o->tier == 0) {
        o->interp = true;
    }
    if (k >= argc) {
        die(126, "no program to run (-h for help)");
    }
    return k;
}

void options_again(const Options *o, const char **argv, unsigned *n, unsigned max, char *buf, size_t size)
{
    static Options defaults = {.tier = TIER_DEFAULT};
    for (unsigned k = 0; k < LEN(rows) && *n + 2 < max; k++) {
        const OptRow *r = &rows[k];
        const char *field = (const char *)o + r->offset, *def = (const char *)&defaults + r->offset;
        bool again = r->follow && (r->kind == FLAG ? *(const bool *)field : memcmp(field, def, 8) != 0);
        if (!again || (r->kind == FLAG && !*r->doc)) {
            continue;
        }
        int len = snprintf(buf, size, "-%s", r->name);
        argv[(*n)++] = buf;
        buf += len + 1;
        size -= (size_t)len + 1;
        if (r->kind == STR) {
            argv[(*n)++] = *(const char *const *)field;
        } else if (r->kind != FLAG) {
            len = snprintf(buf, size, "%llu", (unsigned long long)*(const uint64_t *)field);
            argv[(*n)++] = buf;
            buf += len + 1;
            size -= (size_t)len + 1;
        }
    }
}
