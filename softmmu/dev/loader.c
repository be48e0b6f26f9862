/* loader.c - the device `loader`: an ELF file, any other file as it is, or up to 8 bytes into memory; and a CPU's program counter.
 *
 * It has no registers; what it says is done by the loader, at the start and after each reset (boots as QEMU's generic loader does).
 * The list is made before any CPU runs and only read after that, while all CPUs stand still.
 */
#include "../loader.h"

#include <stdio.h>
#include <stdlib.h>

#include "../devices.h"
#include "../elfimage.h"

enum { WORD = 8 };

typedef struct Config {
    const char *file, *addr, *data;
    uint32_t data_len;
    int32_t cpu;
    bool raw, big;
} Config;

typedef struct Load {
    struct Load *next;
    const char *name;
    ElfImage image;   /* a raw file is one part; a value is none */
    uint8_t word[WORD];
    unsigned word_len;
    Gpa at;           /* of the value */
    int32_t cpu;      /* that begins at image.entry, or -1 */
} Load;

typedef struct Piece {
    const char *name;
    uint64_t at, size;
} Piece;

typedef struct Pieces {
    Piece *p;
    unsigned n;
} Pieces;

static Load *loads;

bool loader_any(void)
{
    return loads != NULL;
}

static void add_piece(void *arg, const char *name, uint64_t at, uint64_t size)
{
    Pieces *a = arg;
    a->p = realloc(a->p, (a->n + 1) * sizeof *a->p);
    if (!a->p) {
        die("no memory");
    }
    a->p[a->n++] = (Piece){name, at, size};
}

static int by_place(const void *a, const void *b)
{
    const Piece *p = a, *q = b;
    return p->at < q->at ? -1 : p->at > q->at;
}

static void there(void *arg, const char *name, uint64_t at, uint64_t size)
{
    if (size && !mem_contents(arg, (Gpa){at}, size)) {
        die("-device loader,file=%s: no memory for %llu bytes at 0x%llx", name, (unsigned long long)size, (unsigned long long)at);
    }
}

void loader_check(const Machine *m)
{
    Pieces a = {NULL, 0};
    if (!loads) {
        return;
    }
    loader_each(there, m->mem);
    board_each_placed(m, add_piece, &a);
    qsort(a.p, a.n, sizeof *a.p, by_place);
    for (unsigned k = 1; k < a.n; k++) {
        if (a.p[k].at - a.p[k - 1].at < a.p[k - 1].size) {
            die("-device loader: %s and %s overlap at 0x%llx", a.p[k - 1].name, a.p[k].name, (unsigned long long)a.p[k].at);
        }
    }
    free(a.p);
}

void loader_each(void (*fn)(void *arg, const char *name, uint64_t at, uint64_t size), void *arg)
{
    for (Load *l = loads; l; l = l->next) {
        for (unsigned k = 0; k < l->image.n; k++) {
            fn(arg, l->name, l->image.parts[k].at.v, l->image.parts[k].size);
        }
    }
}

/* Flash as well, which the guest itself cannot write so. */
static void place_part(PhysMem *mem, const ElfPart *p)
{
    uint8_t *to = mem_contents(mem, p->at, p->size);
    if (to) {
        memcpy(to, p->from, p->filled);
        memset(to + p->filled, 0, p->size - p->filled);
        mem_wrote(mem, p->at, p->size);
    }
}

/* A value may go to a register of a device as well. */
static void place_word(PhysMem *mem, const Load *l)
{
    uint64_t v = 0;
    memcpy(&v, l->word, l->word_len);
    if (mem_write(mem, l->at, l->word, l->word_len) < 0 && !(l->word_len & (l->word_len - 1))) {
        mem_access(mem, l->at, l->word_len, true, &v, (MemAttrs){.secure = true});
    }
}

void loader_place(Machine *m)
{
    for (Load *l = loads; l; l = l->next) {
        for (unsigned k = 0; k < l->image.n; k++) {
            place_part(m->mem, &l->image.parts[k]);
        }
        if (l->word_len) {
            place_word(m->mem, l);
        }
    }
}

bool loader_pc(unsigned cpu, uint64_t *pc)
{
    bool found = false;
    for (Load *l = loads; l; l = l->next) {
        if (l->cpu == (int32_t)cpu) {
            *pc = l->image.entry.v;
            found = true;
        }
    }
    return found;
}

/* -- the device ---------------------------------------------------------------------------------------------------- */

static void load_file(Load *l, const Config *c, uint64_t at)
{
    BootFile f = boot_file("-device loader,file", c->file);
    l->name = c->file;
    if (!c->raw && elf_is(&f)) {
        l->image = elf_image("-device loader,file", &f);
        return;
    }
    ElfPart *part = calloc(1, sizeof *part);
    if (!part) {
        die("no memory");
    }
    *part = (ElfPart){{at}, f.at, f.size, f.size};
    l->image = (ElfImage){.parts = part, .n = f.size ? 1 : 0, .entry = {at}};
}

/* data= in data-len= bytes; little-endian, or not. */
static void load_word(Load *l, const Config *c, uint64_t value, uint64_t at)
{
    l->at.v = at;
    l->word_len = c->data_len;
    for (unsigned k = 0; k < c->data_len; k++) {
        l->word[c->big ? c->data_len - 1 - k : k] = (uint8_t)(value >> 8 * k);
    }
    l->image.entry.v = at;
}

/* What is wrong with it, or NULL. */
static const char *wrong(const Machine *m, const Config *c)
{
    bool word = c->data || c->data_len || c->big;
    return word && c->file                      ? "a file, or data=, not both"
         : word && (!c->data || !c->data_len)   ? "both data= and data-len= are needed"
         : word && c->data_len > WORD           ? "data-len= is at most 8 bytes"
         : word && !c->addr                     ? "data= needs addr="
         : word && c->cpu >= 0                  ? "cpu-num= is for a file, or for addr= alone"
         : !c->file && c->raw                   ? "force-raw= is for a file"
         : !c->file && !word && !c->addr        ? "needs file=, data= or cpu-num="
         : !c->file && !word && c->cpu < 0      ? "addr= alone is for a program counter: cpu-num= is missing"
         : c->cpu >= (int32_t)m->nvcpus         ? "there is no such cpu-num"
                                                : NULL;
}

static int create(Machine *m, const DeviceType *t, const char *id, void *config, char *why, size_t n)
{
    const Config *c = config;
    uint64_t at = 0, value = 0;
    const char *error = wrong(m, c);
    (void)t;
    (void)id;
    if (!error && ((c->addr && !opt_number(c->addr, false, 1, &at)) || (c->data && !opt_number(c->data, false, 1, &value)))) {
        error = "addr= and data= are numbers";
    }
    if (error) {
        snprintf(why, n, "%s", error);
        return -1;
    }
    Load *l = calloc(1, sizeof *l), **end = &loads;
    if (!l) {
        die("no memory");
    }
    l->cpu = c->cpu;
    if (c->file) {
        load_file(l, c, at);
    } else {
        load_word(l, c, value, at);
    }
    while (*end) {
        end = &(*end)->next;
    }
    *end = l;
    return 0;
}

static const DeviceProp props[] = {
    {"file", PROP_STR, offsetof(Config, file), NULL, "ELF for AArch64, or anything else to be put at addr= as it is"},
    {"addr", PROP_STR, offsetof(Config, addr), NULL, "where it goes; with cpu-num= alone where that CPU begins"},
    {"cpu-num", PROP_INDEX, offsetof(Config, cpu), NULL, "CPU that begins at the entry, or at addr=; -kernel comes before that"},
    {"force-raw", PROP_BOOL, offsetof(Config, raw), "off", "an ELF file as it is, too"},
    {"data", PROP_STR, offsetof(Config, data), NULL, "value to put at addr="},
    {"data-len", PROP_U32, offsetof(Config, data_len), NULL, "its bytes, 1 to 8"},
    {"data-be", PROP_BOOL, offsetof(Config, big), "off", "the first byte is the highest"},
    {NULL, PROP_STR, 0, NULL, NULL},
};
const DeviceType loader = {.name = "loader", .bus = "system", .doc = "puts a file or a value into memory, or a CPU there", .props = props,
                           .config_size = sizeof(Config), .create = create};
