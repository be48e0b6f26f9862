/* hmp.c - the monitor's commands for people, by a table; names and arguments as in QEMU's monitor. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dev/gic.h"
#include "dev/virtio_balloon.h"
#include "disas.h"
#include "inspect.h"
#include "monitor_int.h"
#include "sys.h"
#include "tlb.h"

typedef struct Command {
    const char *name, *args, *doc;
    void (*run)(Monitor *m, char *args);
} Command;

static void cmd_help(Monitor *m, char *args);
static unsigned chosen_cpu;

/* -- control ------------------------------------------------------------------------------------------------------- */

static void cmd_quit(Monitor *m, char *args)
{
    (void)args;
    machine_quit(m->machine, 0);
}

static void cmd_stop(Monitor *m, char *args)
{
    (void)args;
    machine_stop(m->machine);
}

static void cmd_cont(Monitor *m, char *args)
{
    (void)args;
    machine_cont(m->machine);
}

static void cmd_reset(Monitor *m, char *args)
{
    (void)args;
    machine_request(m->machine, END_HOST_RESET);
}

static void cmd_powerdown(Monitor *m, char *args)
{
    (void)args;
    machine_powerdown(m->machine);
}

static void cmd_cpu(Monitor *m, char *args)
{
    unsigned long n = strtoul(args, NULL, 0);
    if (n < m->machine->nvcpus) {
        chosen_cpu = (unsigned)n;
    } else {
        monitor_printf(m, "there are %u CPUs\n", m->machine->nvcpus);
    }
}

/* -- info ---------------------------------------------------------------------------------------------------------- */

static void print_registers(Monitor *m, const Vcpu *v)
{
    const CpuA64 *c = v->cpu;
    monitor_printf(m, "CPU#%u\n PC=%016" PRIx64 " ", v->index, c->pc);
    for (unsigned k = 0; k < 31; k++) {
        monitor_printf(m, "X%02u=%016" PRIx64 "%s", k, c->x[k], k % 3 == 1 ? "\n" : " ");
    }
    uint32_t nzcv = a64_nzcv(c);
    monitor_printf(m, " SP=%016" PRIx64 "\nPSTATE=%08x %c%c%c%c EL%u\n", c->sp, nzcv | (uint32_t)c->pstate_misc,
                   nzcv >> 31 & 1 ? 'N' : '-', nzcv >> 30 & 1 ? 'Z' : '-', nzcv >> 29 & 1 ? 'C' : '-', nzcv >> 28 & 1 ? 'V' : '-',
                   a64_el(c));
}

static void info_registers(Monitor *m, char *args)
{
    Machine *k = m->machine;
    machine_pause(k);
    if (!strcmp(args, "-a")) {
        for (unsigned n = 0; n < k->nvcpus; n++) {
            print_registers(m, &k->vcpus[n]);
        }
    } else {
        print_registers(m, &k->vcpus[chosen_cpu]);
    }
    machine_resume(k);
}

static void info_cpus(Monitor *m, char *args)
{
    Machine *k = m->machine;
    (void)args;
    machine_pause(k);
    for (unsigned n = 0; n < k->nvcpus; n++) {
        const Vcpu *v = &k->vcpus[n];
        monitor_printf(m, "%c CPU #%u: %s pc=0x%016" PRIx64 " mpidr=0x%" PRIx64 "\n", n == chosen_cpu ? '*' : ' ', n,
                       vcpu_is_on(v) ? "on " : "off", v->cpu->pc, v->mpidr);
    }
    machine_resume(k);
}

static void print_region(void *arg, const char *name, Gpa base, uint64_t size, const char *kind)
{
    monitor_printf(arg, "%016" PRIx64 "-%016" PRIx64 " %-6s %s\n", base.v, base.v + size - 1, kind, name);
}

static void info_mtree(Monitor *m, char *args)
{
    (void)args;
    mem_each(m->machine->mem, print_region, m);
}

static void print_line(void *arg, const char *line)
{
    monitor_printf(arg, "%s\n", line);
}

static void info_irq(Monitor *m, char *args)
{
    (void)args;
    machine_pause(m->machine);
    gic_describe(m->machine->gic, print_line, m);
    machine_resume(m->machine);
}

static void print_entry(Monitor *m, const Tlb *t, unsigned n)
{
    for (unsigned use = 0; use < TLB_PARTS; use++) {
        const TlbEntry *e = &t->e[(use << TLB_BITS) + n];
        if (e->tag != tlb_none(n)) {
            monitor_printf(m, "  %016" PRIx64 " %c\n", e->tag, "rwxrw"[use]);
        }
    }
}

/* The chosen CPU's tables; with -a what is in them. */
static void info_tlb(Monitor *m, char *args)
{
    static const char *const levels[] = {"user", "privileged", "with PAN"};
    Machine *k = m->machine;
    machine_pause(k);
    const Mmu *mmu = k->vcpus[chosen_cpu].cpu->sys->mmu;
    monitor_printf(m, "%" PRIu64 " fills, %" PRIu64 " walks, %" PRIu64 " slow accesses, %" PRIu64 " tables emptied\n",
                   mmu->stat_fills, mmu->stat_walks, mmu->stat_slow, mmu->stat_clears);
    for (unsigned i = 0; i < TLB_TABLES; i++) {
        const Tlb *t = &mmu->tables[i];
        if (t->age) {
            monitor_printf(m, "%s %s, space %" PRIx64 "%s\n", tlb_kind_names[t->kind], levels[t->level], t->tag,
                           mmu->active[t->kind][t->level] == t ? " (now)" : "");
            for (unsigned n = 0; n < TLB_SIZE && !strcmp(args, "-a"); n++) {
                print_entry(m, t, n);
            }
        }
    }
    machine_resume(k);
}

static void info_status(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "VM status: %s\n", machine_status(m->machine));
}

static void info_version(Monitor *m, char *args)
{
    (void)args;
    monitor_printf(m, "armx " ARMX_VERSION "\n");
}

static void print_chardev(void *arg, const char *id, const char *where, bool used)
{
    (void)used;
    monitor_printf(arg, "%s: filename=%s\n", id, where);
}

static void info_chardev(Monitor *m, char *args)
{
    (void)args;
    chardev_each(print_chardev, m);
}

static void info_balloon(Monitor *m, char *args)
{
    (void)args;
    uint64_t bytes = balloon_actual();
    bytes ? monitor_printf(m, "balloon: actual=%" PRIu64 "\n", bytes >> 20) : monitor_printf(m, "no balloon device\n");
}

static void cmd_balloon(Monitor *m, char *args)
{
    char *end;
    unsigned long long mib = strtoull(args, &end, 0);
    if (end == args || *end || !mib || mib >> 32) {
        monitor_printf(m, "how many MiB is the guest to have?\n");
    } else if (!balloon_set(mib << 20)) {
        monitor_printf(m, "no balloon device\n");
    }
}

static const Command infos[] = {
    {"registers", "[-a]", "registers of the chosen CPU, or of all", info_registers},
    {"cpus", "", "the CPUs", info_cpus},
    {"mtree", "", "the physical address space", info_mtree},
    {"irq", "", "the interrupt controller", info_irq},
    {"tlb", "[-a]", "the chosen CPU's translation tables, and their entries", info_tlb},
    {"status", "", "running or not", info_status},
    {"chardev", "", "character devices", info_chardev},
    {"balloon", "", "how much memory the balloon leaves the guest", info_balloon},
    {"version", "", "armx's version", info_version},
};

static bool run_from(Monitor *m, const Command *table, unsigned n, char *line)
{
    size_t len = strcspn(line, " ");
    for (unsigned k = 0; k < n; k++) {
        if (strlen(table[k].name) == len && !strncmp(table[k].name, line, len)) {
            table[k].run(m, line + len + strspn(line + len, " "));
            return true;
        }
    }
    return false;
}

static void cmd_info(Monitor *m, char *args)
{
    if (!run_from(m, infos, LEN(infos), args)) {
        if (*args) {
            monitor_printf(m, "unknown: info '%s'\n", args);
        }
        for (unsigned k = 0; k < LEN(infos); k++) {
            monitor_printf(m, "info %-9s %-6s %s\n", infos[k].name, infos[k].args, infos[k].doc);
        }
    }
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* A register of the chosen CPU by gdb's name. */
static bool register_value(const Monitor *m, const char *name, size_t len, uint64_t *v)
{
    const CpuA64 *c = m->machine->vcpus[chosen_cpu].cpu;
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

static void cmd_print(Monitor *m, char *args)
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
        bool there = !virtual || inspect_translate(&m->machine->vcpus[chosen_cpu], gva(at), &pa);
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

static void cmd_x(Monitor *m, char *args)
{
    machine_pause(m->machine);
    dump_memory(m, args, true);
    machine_resume(m->machine);
}

static void cmd_xp(Monitor *m, char *args)
{
    machine_pause(m->machine);
    dump_memory(m, args, false);
    machine_resume(m->machine);
}

static const Command commands[] = {
    {"help", "", "this list", cmd_help},
    {"info", "WHAT", "shows something; info alone lists what", cmd_info},
    {"quit", "", "ends armx-system", cmd_quit},
    {"q", "", "", cmd_quit},
    {"stop", "", "stops the machine", cmd_stop},
    {"cont", "", "lets it go on", cmd_cont},
    {"c", "", "", cmd_cont},
    {"system_reset", "", "resets the machine", cmd_reset},
    {"system_powerdown", "", "presses the power button", cmd_powerdown},
    {"cpu", "N", "chooses the CPU that registers and x are about", cmd_cpu},
    {"x", "/FMT ADDRESS", "memory at a virtual address ($pc, $sp, $x0 ... are the chosen CPU's)", cmd_x},
    {"xp", "/FMT ADDRESS", "memory at a physical address; FMT is COUNT, then x d u c i, then b h w g", cmd_xp},
    {"print", "/FMT VALUE", "a sum of numbers and registers; FMT is x d u", cmd_print},
    {"p", "", "", cmd_print},
    {"balloon", "MiB", "asks the guest to give back all memory but that", cmd_balloon},
};

static void cmd_help(Monitor *m, char *args)
{
    (void)args;
    for (unsigned k = 0; k < LEN(commands); k++) {
        if (*commands[k].doc) {
            monitor_printf(m, "%-17s %-13s %s\n", commands[k].name, commands[k].args, commands[k].doc);
        }
    }
}

void hmp_run(Monitor *m, char *line)
{
    line += strspn(line, " ");
    char *slash = strchr(line, '/');
    /* "x/4xg ADDRESS" as well as "x /4xg ADDRESS" */
    char copy[1100];
    if (slash && strcspn(line, " /") == (size_t)(slash - line) && slash != line) {
        snprintf(copy, sizeof copy, "%.*s %s", (int)(slash - line), line, slash);
        line = copy;
    }
    if (*line && !run_from(m, commands, LEN(commands), line)) {
        monitor_printf(m, "unknown command: '%s' (help lists them)\n", line);
    }
}
