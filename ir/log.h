/* log.h - the -d switches: what is dumped, for which guest addresses, into which file.
 *
 * Set once at start, before threads exist, and only read afterwards. log_printf may be called by any thread;
 * one call writes one piece (stdio locks the stream).
 */
#ifndef ARMX_IR_LOG_H
#define ARMX_IR_LOG_H

#include "base.h"

#define LOG_ITEMS(_)                                                                               \
    _(in, "in_asm", "guest instructions of each region when it is translated")                    \
    _(ir, "op", "IR of each region as the translators made it")                                   \
    _(out, "out_asm", "host code of each region")                                                 \
    _(exec, "exec", "each region when it is entered through the engine's look-up")                \
    _(cpu, "cpu", "guest registers at the same places")                                           \
    _(int, "int", "guest exceptions and signals")                                                 \
    _(guest, "guest_errors", "what a guest does wrong with a device")                             \
    _(mmu, "mmu", "address translation: walks, faults, TLB maintenance")                          \
    _(strace, "strace", "system calls")                                                           \
    _(page, "page", "the guest's mappings at start")                                              \
    _(unimp, "unimp", "what a guest wants and does not get, because armx or the host has it not")  \
    _(stats, "stats", "counters at exit")                                                          \
    _(profile, "profile", "at exit, how often code ran, and host instructions per guest instruction; slow")

enum {
#define LOG_BIT(name, alias, doc) LOG_##name##_bit,
    LOG_ITEMS(LOG_BIT)
#undef LOG_BIT
};
enum {
#define LOG_MASK(name, alias, doc) LOG_##name = 1 << LOG_##name##_bit,
    LOG_ITEMS(LOG_MASK)
#undef LOG_MASK
};

extern uint32_t log_mask;
/* The items that this program has, set before log_parse and log_help (0 = all). */
extern uint32_t log_known;

/* Is this item wanted (for guest code at pc)? */
static inline bool log_on(uint32_t item)
{
    return UNLIKELY(log_mask & item);
}
bool log_on_at(uint32_t item, Gva pc);

/* Comma-separated items, ours or QEMU's names (of which some do nothing), or "all"; 0, or -1 with the unknown word in *bad. "help" is the caller's. */
int log_parse(const char *items, const char **bad);
/* Comma-separated ranges START..END, START+SIZE, START-SIZE (hex or decimal), in place of those before; 0 or -1. */
int log_parse_ranges(const char *ranges);
/* Where dumps go (default stderr); %d becomes the process id. The descriptor or -errno. append: keep what is there. */
int log_open(const char *path, bool append);
void log_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
void *log_stream(void); /* FILE *, for printers that take one */
void log_help(void *file);

#endif
