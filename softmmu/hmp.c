/* hmp.c - the monitor's commands for people, by a table; names and arguments as in QEMU's monitor. `info` is in hmp_info.c, what is
 * about memory in hmp_memory.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dev/virtio_balloon.h"
#include "gdbserver.h"
#include "hmp_int.h"
#include "log.h"
#include "net.h"

static void cmd_help(Monitor *m, char *args);
unsigned hmp_cpu;

/* -- words --------------------------------------------------------------------------------------------------------- */

bool hmp_run_from(Monitor *m, const Command *table, unsigned n, char *line)
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

char *hmp_word(char **args)
{
    char *word = *args;
    size_t n = strcspn(word, " ");
    *args = word + n + strspn(word + n, " ");
    if (word[n]) {
        word[n] = 0;
    }
    return n ? word : NULL;
}

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
        hmp_cpu = (unsigned)n;
    } else {
        monitor_printf(m, "there are %u CPUs\n", m->machine->nvcpus);
    }
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

/* -- back ends ----------------------------------------------------------------------------------------------------- */

/* "[ID] RULE" */
static void forward(Monitor *m, char *args, bool add)
{
    char *first = hmp_word(&args), *second = hmp_word(&args), why[300];
    if (!first) {
        monitor_printf(m, "expected [ID] [tcp|udp]:[ADDRESS]:PORT%s\n", add ? "-[ADDRESS]:PORT" : "");
    } else if (!net_forward(second ? first : NULL, second ? second : first, add, why, sizeof why)) {
        monitor_printf(m, "%s\n", why);
    } else if (!add) {
        monitor_printf(m, "host forwarding rule for %s removed\n", second ? second : first);
    }
}

static void cmd_hostfwd_add(Monitor *m, char *args)
{
    forward(m, args, true);
}

static void cmd_hostfwd_remove(Monitor *m, char *args)
{
    forward(m, args, false);
}

static void memory_failed(Monitor *m, const char *id, int error)
{
    monitor_printf(m, error == -ENOENT ? "Error: Device '%s' not found\n" : "Error: %s is not a ringbuf device\n", id);
}

static void cmd_ringbuf_read(Monitor *m, char *args)
{
    char *id = hmp_word(&args), *size = hmp_word(&args);
    uint8_t text[4096];
    uint64_t n;
    if (!id || !size || !opt_number(size, false, 1, &n)) {
        monitor_printf(m, "expected DEVICE SIZE\n");
        return;
    }
    for (int r = 1; n && r; n -= (unsigned)r) {
        r = chardev_memory_read(id, text, n < sizeof text - 1 ? n : sizeof text - 1);
        if (r < 0) {
            memory_failed(m, id, r);
            return;
        }
        monitor_printf(m, "%.*s", r, text);
    }
    monitor_printf(m, "\n");
}

static void cmd_ringbuf_write(Monitor *m, char *args)
{
    char *id = hmp_word(&args);
    int r = id ? chardev_memory_write(id, (uint8_t *)args, strlen(args)) : 0;
    if (!id) {
        monitor_printf(m, "expected DEVICE TEXT\n");
    } else if (r < 0) {
        memory_failed(m, id, r);
    }
}

static void cmd_send_break(Monitor *m, char *args)
{
    if (chardev_send_break(args) < 0) {
        monitor_printf(m, "Error: Chardev '%s' not found\n", args);
    }
}

/* -- looking inside ------------------------------------------------------------------------------------------------ */

static void cmd_gdbserver(Monitor *m, char *args)
{
    char why[400];
    const char *where = *args ? args : "tcp::1234";
    if (!strcmp(where, "none") || !gdbserver_start(m->machine, where, why, sizeof why)) {
        monitor_printf(m, "%s\n", strcmp(where, "none") ? why : "gdb's detach lets the machine go");
    } else {
        monitor_printf(m, "Waiting for gdb connection on device '%s'\n", where);
    }
}

/* Code that was translated while other items were wanted is translated again. */
static void cmd_log(Monitor *m, char *args)
{
    const char *bad = NULL;
    uint32_t before = log_mask, known = log_known;
    machine_pause(m->machine);
    log_mask &= LOG_stats | LOG_profile;
    log_known &= ~(uint32_t)(LOG_stats | LOG_profile); /* counted from the start, or never */
    if (log_parse(args, &bad) < 0 || !*args) {
        log_mask = before;
        monitor_printf(m, "unknown log items: '%s' (-d help lists them, none switches all off)\n", *args ? bad : args);
    } else {
        engine_invalidate(m->machine->engine, gva(0), ~(uint64_t)0);
    }
    log_known = known;
    machine_resume(m->machine);
}

static void cmd_logfile(Monitor *m, char *args)
{
    machine_pause(m->machine);
    int fd = *args ? log_open(args, false) : -EINVAL;
    machine_resume(m->machine);
    if (fd < 0) {
        monitor_printf(m, "Error opening logfile %s: %s\n", args, strerror(-fd));
    }
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
    {"memsave", "ADDR SIZE FILE", "memory at a virtual address into a file", cmd_memsave},
    {"pmemsave", "ADDR SIZE FILE", "memory at a physical address into a file", cmd_pmemsave},
    {"gva2gpa", "ADDRESS", "where the chosen CPU has this virtual address", cmd_gva2gpa},
    {"sum", "ADDRESS SIZE", "checksum of physical memory, as BSD's sum has it", cmd_sum},
    {"hostfwd_add", "[ID] RULE", "forwards a port of the host: [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT", cmd_hostfwd_add},
    {"hostfwd_remove", "[ID] RULE", "no more: [tcp|udp]:[ADDRESS]:PORT", cmd_hostfwd_remove},
    {"ringbuf_read", "DEVICE SIZE", "what a ringbuf has kept, and takes it out", cmd_ringbuf_read},
    {"ringbuf_write", "DEVICE TEXT", "puts TEXT into a ringbuf", cmd_ringbuf_write},
    {"chardev-send-break", "DEVICE", "a break, as if the other side had sent it", cmd_send_break},
    {"gdbserver", "[DEVICE]", "waits for gdb, as -gdb does", cmd_gdbserver},
    {"log", "ITEM[,...]", "as -d; none switches all off", cmd_log},
    {"logfile", "FILE", "as -D", cmd_logfile},
    {"balloon", "MiB", "asks the guest to give back all memory but that", cmd_balloon},
};

static void cmd_help(Monitor *m, char *args)
{
    (void)args;
    for (unsigned k = 0; k < LEN(commands); k++) {
        if (*commands[k].doc) {
            monitor_printf(m, "%-18s %-14s %s\n", commands[k].name, commands[k].args, commands[k].doc);
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
    if (*line && !hmp_run_from(m, commands, LEN(commands), line)) {
        monitor_printf(m, "unknown command: '%s' (help lists them)\n", line);
    }
}
