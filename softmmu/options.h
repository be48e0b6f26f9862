/* options.h - the command line, parsed: one field per option that takes a word, one list per option of key=value pairs.
 *
 * A list ("virt,gic-version=3") is taken apart once; who understands a key takes it (opt_take...), and what nobody took
 * is an error that names it (opt_rest).
 */
#ifndef ARMX_SOFTMMU_OPTIONS_H
#define ARMX_SOFTMMU_OPTIONS_H

#include "base.h"

typedef struct OptPair {
    char *key, *value; /* value NULL: a bare word */
    bool taken;
} OptPair;

/* One use of an option with pairs. */
typedef struct OptList {
    const char *option; /* "-device", for messages */
    const char *text;   /* as it was typed */
    OptPair *pairs;
    unsigned n;
} OptList;

/* All uses of one option. */
typedef struct OptLists {
    OptList *at;
    unsigned n;
} OptLists;

typedef struct Options {
    const char *cpu, *kernel, *initrd, *append, *dtb, *bios, *gdb, *log_items, *log_file, *log_filter, *uuid, *pidfile, *escape, *ignored;
    const char *pflash[2], *disk[4], *cdrom;
    unsigned npflash, ndisk;
    OptLists machine, smp, memory, accel, boot, rtc, name, global, action;
    OptLists device, drive, blockdev, netdev, nic, net, chardev, object, mon, fw_cfg, virtfs, fsdev, smbios, overcommit, sandbox, msg, audiodev;
    OptLists serial, monitor, qmp, parallel;
    const char *display, *vga;
    bool nographic, no_reboot, no_shutdown, stopped, gdb_default, snapshot, no_defaults, daemonize, interp, one_insn, no_acpi;
    uint64_t tb_size;
    bool virt_help;
} Options;

/* argv into *o; on errors and for help it ends the process. */
void options_parse(Options *o, int argc, char **argv);

/* "a,b=c,,d" (two commas stand for one), or an object of JSON: first is the key of a bare first word, or NULL. The list lives on. */
OptList *opt_list(const char *option, const char *text, const char *first);
/* One pair more, as if it had been typed. */
void opt_add(OptList *o, const char *key, const char *value);
/* The last value of key, which is then taken; NULL: not there. A bare word `key` gives "on", `nokey` gives "off". */
const char *opt_take(OptList *o, const char *key);
/* As opt_take without taking. */
const char *opt_look(const OptList *o, const char *key);
/* on/off, yes/no, true/false; otherwise ends the process with a message. */
bool opt_take_bool(OptList *o, const char *key, bool otherwise);
/* A number; with size, suffixes b k m g t, and `unit` for a bare number (1 = bytes). */
uint64_t opt_take_number(OptList *o, const char *key, uint64_t otherwise);
uint64_t opt_take_size(OptList *o, const char *key, uint64_t unit, uint64_t otherwise);
/* Ends the process with a message when something was not taken. */
void opt_rest(OptList *o);

/* "12", "0x10", with size "4k": false when it is none of these. */
bool opt_number(const char *s, bool size, uint64_t unit, uint64_t *out);

/* One line "armx-system: ..." on stderr; die ends the process with status 1. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
NORETURN void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
