/* hmp_memory.c - the monitor's commands for people about memory and values: print, x, xp, memsave and the like. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "disas.h"
#include "hmp_int.h"
#include "inspect.h"
#include "sys.h"

/* A register of the chosen CPU by gdb's name. */
static bool register_value(const Monitor *m, const char *name, size_t len, uint64_t *v)
{
    const CpuA64 *c = m->machine->vcpus[hmp_cpu].cpu;
    char text[8], *end;
    if (len >= sizeof text) {
        return false;
    }
    memcpy(text, name, len);
    text[len] = 0;
    unsigned long n = strtoul(text + 1, &end, 10);
    bool numbered = text[0] == 'x' && text[1] && !*end && n < 31;
    *v = numbered ? c->x[n] : !strcmp(text, "sp") ? c->sp : !strcmp(text, "lr") ? c->x[30] : c->pc;
    return numbered || !strcmp(text, "sp") || !strcmp(text, "lr") || !strcmp(text, "pc");
}

/* A sum of numbers and registers ("$x19 + 0x10"); false, with a word, when it is none. */
static bool value_of(Monitor *m, const char *s, uint64_t *sum)
{
    bool minus = false;
    *sum = 0;
    for (;;) {
        uint64_t v;
        s += strspn(s, " ");
        size_t len = strcspn(s + 1, " +-") + 1;
        char *end = (char *)s + len;
        if (*s == '$') {
            if (!register_value(m, s + 1, len - 1, &v)) {
                monitor_printf(m, "no register %.*s: $pc, $sp, $lr, $x0 to $x30\n", (int)len, s);
                return false;
            }
        } else if (v = strtoull(s, &end, 0), end == s) {
            monitor_printf(m, "no number: '%s'\n", s);
            return false;
        }
        *sum += minus ? -v : v;
        s = end + strspn(end, " ");
        if (!*s) {
            return true;
        }
        if (*s != '+' && *s != '-') {
            monitor_printf(m, "no number: '%s'\n", s);
            return false;
        }
        minus = *s++ == '-';
    }
}

void cmd_print(Monitor *m, char *args)
{
    uint64_t v;
    char format = 'd';
    if (*args == '/' && args[1]) {
        format = args[1];
        args += strcspn(args, " ");
    }
    machine_pause(m->machine);
    bool good = value_of(m, args, &v);
    machine_resume(m->machine);
    if (good) {
        monitor_printf(m, format == 'x' ? "0x%" PRIx64 "\n" : format == 'u' ? "%" PRIu64 "\n" : "%" PRId64 "\n", v);
    }
}

/* "/4xg 0x40000000": count, format x d u c i, unit b h w g. */
static void dump_memory(Monitor *m, char *args, bool virtual)
{
    unsigned long count = 1, unit = 4;
    char format = 'x';
    if (*args == '/') {
        char *end;
        count = strtoul(args + 1, &end, 10);
        count = count ? count : 1;
        for (; *end && *end != ' '; end++) {
            const char *u = strchr("bhwg", *end);
            unit = u ? 1ul << (u - "bhwg") : unit;
            format = u ? format : *end;
        }
        args = end;
    }
    unit = format == 'i' ? 4 : unit;
    uint64_t at;
    if (!value_of(m, args, &at)) {
        return;
    }
    unsigned per_line = format == 'i' ? 1 : 16 / (unsigned)unit;
    for (unsigned long k = 0; k < count && k < 65536; k++, at += unit) {
        uint64_t v = 0;
        Gpa pa = {at};
        bool there = !virtual || inspect_translate(&m->machine->vcpus[hmp_cpu], gva(at), &pa);
        if (k % per_line == 0) {
            monitor_printf(m, "%s%016" PRIx64 ":", k ? "\n" : "", at);
        }
        /* registers of devices too, with what reading does to them */
        if (!there || !mem_access(m->machine->mem, pa, (unsigned)unit, false, &v, (MemAttrs){.secure = false})) {
            monitor_printf(m, "\ncannot read memory at 0x%" PRIx64 "\n", at);
            return;
        }
        if (format == 'i') {
            char text[160];
            a64_disas(gva(at), (uint32_t)v, text, sizeof text);
            monitor_printf(m, " %08" PRIx64 "  %s", v, text);
        } else if (format == 'c') {
            monitor_printf(m, " '%c'", v >= ' ' && v < 127 ? (char)v : '.');
        } else if (format == 'd' || format == 'u') {
            monitor_printf(m, format == 'd' ? " %" PRId64 : " %" PRIu64, format == 'd' ? bits_sext(v, 8 * (unsigned)unit) : (int64_t)v);
        } else {
            monitor_printf(m, " 0x%0*" PRIx64, (int)unit * 2, v);
        }
    }
    monitor_printf(m, "\n");
}

void cmd_x(Monitor *m, char *args)
{
    machine_pause(m->machine);
    dump_memory(m, args, true);
    machine_resume(m->machine);
}

void cmd_xp(Monitor *m, char *args)
{
    machine_pause(m->machine);
    dump_memory(m, args, false);
    machine_resume(m->machine);
}

/* "ADDRESS SIZE FILE": size bytes of guest memory into a file. */
static void save(Monitor *m, char *args, bool virtual)
{
    char *at = hmp_word(&args), *size = hmp_word(&args), *file = args, why[300];
    uint64_t from, n;
    if (!at || !size || !*file) {
        monitor_printf(m, "expected ADDRESS SIZE FILE\n");
        return;
    }
    size_t len = strlen(file);
    if (len > 1 && *file == '"' && file[len - 1] == '"') {
        file[len - 1] = 0;
        file++;
    }
    machine_pause(m->machine);
    if (value_of(m, at, &from) && value_of(m, size, &n) && !inspect_save(&m->machine->vcpus[hmp_cpu], virtual, from, n, file, why, sizeof why)) {
        monitor_printf(m, "%s\n", why);
    }
    machine_resume(m->machine);
}

void cmd_memsave(Monitor *m, char *args)
{
    save(m, args, true);
}

void cmd_pmemsave(Monitor *m, char *args)
{
    save(m, args, false);
}

void cmd_gva2gpa(Monitor *m, char *args)
{
    uint64_t at;
    Gpa pa;
    machine_pause(m->machine);
    if (value_of(m, args, &at)) {
        if (inspect_translate(&m->machine->vcpus[hmp_cpu], gva(at), &pa)) {
            monitor_printf(m, "gpa: 0x%" PRIx64 "\n", pa.v);
        } else {
            monitor_printf(m, "Unmapped\n");
        }
    }
    machine_resume(m->machine);
}

/* The sum of BSD's `sum`, as QEMU has it. */
void cmd_sum(Monitor *m, char *args)
{
    char *first = hmp_word(&args), *second = hmp_word(&args);
    uint64_t at, n;
    uint16_t sum = 0;
    if (!first || !second || !value_of(m, first, &at) || !value_of(m, second, &n)) {
        monitor_printf(m, "expected ADDRESS SIZE\n");
        return;
    }
    machine_pause(m->machine);
    for (uint8_t byte; n && mem_read(m->machine->mem, (Gpa){at}, &byte, 1) == 0; n--, at++) {
        sum = (uint16_t)((sum >> 1 | sum << 15) + byte);
    }
    machine_resume(m->machine);
    monitor_printf(m, "%05u\n", sum);
}
