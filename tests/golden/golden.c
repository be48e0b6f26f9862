/* golden.c - what guest instructions become: for each row of rows.txt the instructions, the IR and the host code as text.
 *
 * usage: golden ROWS base|full
 * `base` is a host with x86-64-v3 and nothing more, `full` one with every extension that the back end knows, whatever this
 * host has: nothing is run. The text is the same everywhere: places in the region are offsets, stubs, functions and fields of
 * the CPU structure have names, data is [rip + data]. Every row starts with empty code memory, because padding depends on addresses. The stubs of
 * direct exits, two instructions each, are left out; a jump to one reads exit PC. The first line says whose text it is.
 */
#include <capstone/capstone.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/x86_64/sel.h"
#include "frontend/aarch64/cpu.h"
#include "frontend/aarch64/disas.h"
#include "ir/interp.h"

enum { PC = 0x400000, WORDS = 64, FPCR_FZ_BIT = 1 << 24 };

static uint32_t words[WORDS];
static unsigned nwords;
static Engine *engine;
static uint64_t shared; /* KEY_SHARED, or 0 */

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    *avail = 0;
    if (pc.v - PC >= 4096) {
        return NULL;
    }
    static uint8_t page[4096];
    memset(page, 0, sizeof page);
    memcpy(page, words, 4 * nwords);
    *avail = (uint32_t)(4096 - (pc.v - PC));
    return page + (pc.v - PC);
}

static const char *stub_name(uint64_t at)
{
    const Target *t = engine->target;
    const struct {
        const uint8_t *at;
        const char *name;
    } stubs[] = {{t->unlinked, "unlinked"}, {t->pending, "pending"}, {t->pending_indirect, "pending_indirect"},
                 {t->indirect_miss, "indirect_miss"}, {t->ret_mismatch, "ret_mismatch"}, {t->leave, "leave"},
                 {t->helper, "helper"}, {t->helper_plain, "helper_plain"}, {t->eval, "eval"}};
    for (unsigned k = 0; k < LEN(stubs); k++) {
        if ((uint64_t)(uintptr_t)stubs[k].at == at) {
            return stubs[k].name;
        }
    }
    return NULL;
}

static const char *function_name(uint64_t at, char *buf, size_t size)
{
    for (unsigned op = 0; op < OP_COUNT; op++) {
        if (ir_evals[op] && (uint64_t)(uintptr_t)ir_evals[op] == at) {
            snprintf(buf, size, "ev_%s", ir_ops[op].name);
            return buf;
        }
    }
    for (unsigned h = 0; h < a64_frontend.nhelpers; h++) {
        if ((uint64_t)(uintptr_t)a64_frontend.helpers[h].fn == at) {
            snprintf(buf, size, "h_%s", a64_frontend.helpers[h].name);
            return buf;
        }
    }
    return NULL;
}

/* Prints the operand that is a number of the host. */
static void put_number(const Tb *tb, uint64_t v)
{
    char buf[64];
    const char *name = stub_name(v);
    name = name ? name : function_name(v, buf, sizeof buf);
    for (unsigned k = 0; !name && k < tb->nexits; k++) {
        if ((uint64_t)(uintptr_t)codebuf_rx(&engine->code, tb->exits[k].stub) == v) {
            snprintf(buf, sizeof buf, "exit %#llx", (unsigned long long)tb->exits[k].pc);
            name = buf;
        }
    }
    if (name) {
        printf("%s", name);
    } else if (v - (uint64_t)(uintptr_t)tb->entry < tb->size) {
        printf("+%llx", (unsigned long long)(v - (uint64_t)(uintptr_t)tb->entry));
    } else if (v - (uint64_t)(uintptr_t)engine->code.rx < 2 * engine->code.size) {
        printf("data");
    } else {
        printf("%#llx", (unsigned long long)v);
    }
}

/* [rbp + d], the state pointer: a slot, or a field of the head. */
static void put_state(int64_t d)
{
    const Target *t = engine->target;
    const struct {
        const char *name;
        size_t at, size, each;
    } fields[] = {{"pending", offsetof(CpuHead, pending), 8, 8}, {"jumps", offsetof(CpuHead, jumps), 8, 8},
                  {"fp", offsetof(CpuHead, fp), sizeof(FpEnv), 4}, {"scratch", offsetof(CpuHead, scratch), 64, 8},
                  {"spill", offsetof(CpuHead, spill), sizeof engine->cpus[0]->spill, 16},
                  {"ev", offsetof(CpuHead, ev), sizeof engine->cpus[0]->ev, 16}};
    for (unsigned k = 0; k < LEN(fields); k++) {
        uint64_t in = (uint64_t)(d + STATE_BIAS - (int64_t)fields[k].at);
        if (in < fields[k].size) {
            printf(in % fields[k].each ? "[%s%u + %u]" : "[%s%u]", fields[k].name, (unsigned)(in / fields[k].each),
                   (unsigned)(in % fields[k].each));
            return;
        }
    }
    for (unsigned s = 0; s < a64_frontend.nslots; s++) {
        const IrSlot *slot = &a64_frontend.slots[s];
        uint64_t in = (uint64_t)(d - t->slot_disp[s]);
        if (in < ir_type_bytes((IrType)slot->type)) {
            printf(in ? "[%s + %u]" : "[%s]", slot->name, (unsigned)in);
            return;
        }
    }
    printf("[head]");
}

static bool is_exit_stub(const Tb *tb, unsigned off)
{
    for (unsigned k = 0; k < tb->nexits; k++) {
        const uint8_t *at = codebuf_rx(&engine->code, tb->exits[k].stub);
        if (off - (unsigned)(at - tb->entry) < 12) { /* lea rax, [rip + ...]; jmp unlinked */
            return true;
        }
    }
    return false;
}

static void put_line(const Tb *tb, char *line)
{
    char *fault = strstr(line, "    ; fault");
    char *at;
    unsigned off = (unsigned)strtoul(line, &at, 16);
    if (is_exit_stub(tb, off)) {
        return;
    }
    if (fault) {
        *fault = 0;
    }
    printf("    %4x ", off);
    while (*at == ' ') {
        at++;
    }
    while (*at) {
        char *rip = strncmp(at, "[rip ", 5) == 0 ? strchr(at, ']') : NULL;
        char *state = strncmp(at, "[rbp", 4) == 0 ? strchr(at, ']') : NULL, *end;
        int64_t d = state && state > at + 4 ? (int64_t)strtoull(at + 7, &end, 16) : 0;
        if (state && (state == at + 4 || end == state)) {
            put_state(at[5] == '-' ? -d : d);
            at = state + 1;
        } else if (rip) {
            printf("[rip + data]");
            at = rip + 1;
        } else if (at[0] == '0' && at[1] == 'x') {
            put_number(tb, strtoull(at, &at, 16));
        } else {
            putchar(*at++);
        }
    }
    printf("%s\n", fault ? " !" : "");
}

static void host_code(const Tb *tb)
{
    char *text = NULL, *rest = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    target_dump(engine, tb, f);
    fclose(f);
    char *line = strtok_r(text, "\n", &rest);
    while ((line = strtok_r(NULL, "\n", &rest))) {
        put_line(tb, line);
    }
    free(text);
}

static void row(CpuA64 *cpu)
{
    IrRegion r;
    static IrIns ins[IR_CAP];
    engine_flush(engine, &cpu->h);
    a64_frontend.translate(engine->cfg.cpu_model, engine->cfg.space, gva(PC), cpu->h.key | shared, nwords, &r, ins, IR_CAP);
    for (unsigned k = 0; k < nwords; k++) {
        char text[128];
        a64_disas(gva(PC + 4 * k), words[k], text, sizeof text);
        printf("%s\n", text);
    }
    char *text = NULL, *rest = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    ir_print(&r, a64_frontend.slots, a64_frontend.helpers, f);
    fclose(f);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        while (*line == ' ') {
            line++;
        }
        bool frame = strncmp(line, "region ", 7) == 0 || strncmp(line, "block ", 6) == 0 || strncmp(line, "insn ", 5) == 0;
        if (!frame && (*line == '%' || isalpha((unsigned char)*line))) {
            printf("  %s\n", line);
        }
    }
    free(text);
    unsigned max = engine->cfg.max_insns;
    engine->cfg.max_insns = nwords;
    host_code(engine_translate(engine, &cpu->h, PC, cpu->h.key, PC));
    engine->cfg.max_insns = max;
    printf("\n");
}

int main(int argc, char **argv)
{
    FILE *rows = argc == 3 ? fopen(argv[1], "r") : NULL;
    if (!rows) {
        fprintf(stderr, "usage: golden ROWS base|full\n");
        return 2;
    }
    Space space = {.fetch = fetch};
    bool full = strcmp(argv[2], "full") == 0;
    EngineConfig config = {.fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space,
                           .no_opt = full ? ALL_FEATURES : OFF_AVX512 | OFF_CRYPTO};
    engine = engine_new(&config);
    CpuA64 *cpu = aligned_alloc(64, ALIGN_UP(sizeof *cpu, 64));
    memset(cpu, 0, sizeof *cpu);
    cpu->model = config.cpu_model;
    if (!engine || engine_cpu_init(engine, &cpu->h) < 0) {
        return 1;
    }
    int major, minor;
    cs_version(&major, &minor);
    printf("capstone %d\n\n", major);
    char line[1024];
    while (fgets(line, sizeof line, rows)) {
        if (line[0] == '#') {
            cpu->h.fp.fpcr = strncmp(line, "# FZ", 4) == 0 ? FPCR_FZ_BIT : 0;
            engine_fpcr_changed(&cpu->h);
            if (strncmp(line, "# SHARED", 8) == 0) {
                engine_share(engine);
                shared = KEY_SHARED;
            }
        }
        char *at = line, *end;
        for (nwords = 0; line[0] != '#' && nwords < WORDS; nwords++, at = end) {
            words[nwords] = (uint32_t)strtoul(at, &end, 16);
            if (end == at) {
                break;
            }
        }
        if (nwords) {
            row(cpu);
        } else if (line[0] == '#' && strlen(line) < 40) {
            printf("%s\n", line);
        }
    }
    return 0;
}
