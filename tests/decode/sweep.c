/* sweep.c - the decoder against LLVM's on all words, 2^32 or a part:  sweep [-f FROM] [-t TO] [-s STEP] [-l] SWEEP.TXT
 *
 * Both must say "unallocated", or both give an instruction, with the mnemonic of our row or one that SWEEP.TXT lists for
 * the row. Other words fall into classes: our row, LLVM's mnemonic; a class needs a waiver in SWEEP.TXT. The words that
 * are in no waived class are printed by class: how many, the bits that all have in common, an example, and what
 * capstone, a third vote, says to that. -f and -t are the first word and the one behind the last, in hex; -s takes
 * every STEP-th; -l writes lines for SWEEP.TXT instead. LLVM is a library loaded at run time; without it: status 77.
 *
 * SWEEP.TXT:   ROW MNEMONIC...                     the row's other names
 *              WORD/MASK OURS LLVM REASON          words with (word & MASK) == WORD may differ so; "-" unallocated, "*" any
 */
#include <capstone/capstone.h>
#include <dlfcn.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa_a64.h"

enum { NAME = 32, MAX_WAIVERS = 256, MAX_NAMES = 4096, MAX_CLASSES = 4096 };

/* -- LLVM's C interface (llvm-c/Disassembler.h), which does not change between versions ---------------------------- */

static size_t (*llvm_disasm)(void *dc, uint8_t *bytes, uint64_t size, uint64_t pc, char *out, size_t outsize);
static void *llvm_context;

static void *symbol(void *lib, const char *name)
{
    void *s = dlsym(lib, name);
    if (!s) {
        fprintf(stderr, "sweep: %s\n", dlerror());
        exit(77);
    }
    return s;
}

static void llvm_open(void)
{
    static const char *const parts[] = {"LLVMInitializeAArch64TargetInfo", "LLVMInitializeAArch64TargetMC",
                                        "LLVMInitializeAArch64Disassembler"};
    static const char features[] = "+v8.8a,+fullfp16,+fp16fml,+bf16,+i8mm,+aes,+sha2,+sha3,+sm4,+mte,+rand,+sb,+ssbs,+predres";
    char name[40];
    void *lib = NULL;
    for (int version = 14; version < 30 && !lib; version++) {
        snprintf(name, sizeof name, version < 18 ? "libLLVM-%d.so.1" : "libLLVM.so.%d.1", version);
        lib = dlopen(name, RTLD_NOW);
    }
    if (!lib) {
        fprintf(stderr, "sweep: no LLVM\n");
        exit(77);
    }
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        ((void (*)(void))symbol(lib, parts[i]))();
    }
    void *(*create)(const char *, const char *, const char *, void *, int, void *, void *) =
        (void *(*)(const char *, const char *, const char *, void *, int, void *, void *))symbol(lib, "LLVMCreateDisasmCPUFeatures");
    llvm_disasm = (size_t(*)(void *, uint8_t *, uint64_t, uint64_t, char *, size_t))symbol(lib, "LLVMDisasmInstruction");
    llvm_context = create("aarch64-linux-gnu", "", features, NULL, 0, NULL, NULL);
    if (!llvm_context) {
        fprintf(stderr, "sweep: %s has no AArch64\n", name);
        exit(77);
    }
}

/* The mnemonic, "" when unallocated. */
static void ask_llvm(uint32_t word, char name[NAME])
{
    char text[200], *p = text;
    name[0] = '\0';
    if (llvm_disasm(llvm_context, (uint8_t *)&word, 4, 0, text, sizeof text)) {
        p += strspn(p, " \t");
        snprintf(name, NAME, "%.*s", (int)strcspn(p, " \t\n."), p);
    }
}

/* -- SWEEP.TXT -------------------------------------------------------------------------------------------------------- */

typedef struct Waiver {
    uint32_t word, mask;
    char ours[NAME], llvm[NAME];
    uint64_t used;
} Waiver;
static Waiver waivers[MAX_WAIVERS];
static unsigned nwaivers;

typedef struct Name {
    unsigned row;
    char name[NAME];
} Name;
static Name names[MAX_NAMES];
static unsigned nnames, first_name[A64_ROW_COUNT + 1];

static unsigned row_named(const char *name)
{
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        if (!strcmp(a64_rows[row].name, name)) {
            return row;
        }
    }
    fprintf(stderr, "sweep: no row %s\n", name);
    exit(2);
}

static int by_row(const void *a, const void *b)
{
    return (int)((const Name *)a)->row - (int)((const Name *)b)->row;
}

static void read_table(const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof line, f)) {
        Waiver *v = &waivers[nwaivers];
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        if (sscanf(line, "%" SCNx32 "/%" SCNx32 " %31s %31s", &v->word, &v->mask, v->ours, v->llvm) == 4) {
            nwaivers += nwaivers < MAX_WAIVERS - 1;
            continue;
        }
        unsigned row = row_named(strtok(line, " \t\n"));
        for (char *m; (m = strtok(NULL, " \t\n")) && nnames < MAX_NAMES;) {
            names[nnames].row = row;
            snprintf(names[nnames++].name, NAME, "%s", m);
        }
    }
    fclose(f);
    qsort(names, nnames, sizeof *names, by_row);
    for (unsigned row = 0, i = 0; row <= A64_ROW_COUNT; row++) {
        while (i < nnames && names[i].row < row) {
            i++;
        }
        first_name[row] = i;
    }
}

static bool agree(unsigned row, const char *llvm)
{
    if (!row || !*llvm) {
        return !row && !*llvm;
    }
    const char *ours = a64_rows[row].mnemonic;
    if (!strcmp(ours, llvm)) {
        return true;
    }
    for (unsigned i = first_name[row]; i < first_name[row + 1]; i++) {
        if (!strcmp(names[i].name, llvm)) {
            return true;
        }
    }
    return false;
}

static bool says(const char *pattern, const char *name)
{
    return !strcmp(pattern, "*") || !strcmp(pattern, *name ? name : "-");
}

static bool waived(uint32_t word, unsigned row, const char *llvm)
{
    for (unsigned i = 0; i < nwaivers; i++) {
        Waiver *v = &waivers[i];
        if ((word & v->mask) == v->word && says(v->ours, row ? a64_rows[row].name : "") && says(v->llvm, llvm)) {
            v->used++;
            return true;
        }
    }
    return false;
}

/* -- classes ---------------------------------------------------------------------------------------------------------------- */

typedef struct Class {
    unsigned row;
    char llvm[NAME];
    uint64_t count;
    uint32_t all, any, example; /* and, or of its words */
} Class;
static Class classes[MAX_CLASSES];
static unsigned nclasses;

static void classify(uint32_t word, unsigned row, const char *llvm)
{
    Class *c = classes;
    while (c < classes + nclasses && (c->row != row || strcmp(c->llvm, llvm))) {
        c++;
    }
    if (c == classes + nclasses) {
        if (nclasses == MAX_CLASSES) {
            return;
        }
        *c = (Class){.row = row, .all = word, .any = word, .example = word};
        snprintf(c->llvm, NAME, "%s", llvm);
        nclasses++;
    }
    c->count++;
    c->all &= word;
    c->any |= word;
}

static void ask_capstone(uint32_t word, char name[NAME])
{
    static csh cs;
    cs_insn *insn;
    name[0] = '\0';
    if (cs || cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &cs) == CS_ERR_OK) {
        size_t n = cs_disasm(cs, (const uint8_t *)&word, 4, 0, 1, &insn);
        if (n) {
            snprintf(name, NAME, "%s", insn->mnemonic);
            cs_free(insn, n);
        }
    }
}

static void print_class(const Class *c, bool lines)
{
    const char *ours = c->row ? a64_rows[c->row].name : "-", *llvm = *c->llvm ? c->llvm : "-";
    uint32_t mask = c->all | ~c->any;
    char capstone[NAME];
    if (lines && c->row && *c->llvm) {
        printf("%s %s\n", ours, llvm);
    } else if (lines) {
        printf("%08" PRIx32 "/%08" PRIx32 " %s %s\n", c->all, mask, ours, llvm);
    } else {
        ask_capstone(c->example, capstone);
        printf("%" PRIu64 " words like %08" PRIx32 "/%08" PRIx32 ", for example %08" PRIx32 ": ours %s, LLVM %s, capstone %s\n",
               c->count, c->all, mask, c->example, ours, llvm, *capstone ? capstone : "-");
    }
}

int main(int argc, char **argv)
{
    static const uint64_t feats[2] = {UINT64_MAX, UINT64_MAX};
    uint64_t from = 0, to = (uint64_t)1 << 32, step = 1, done = 0, allocated = 0, excused = 0, bad = 0;
    bool lines = false;
    int c;
    while ((c = getopt(argc, argv, "f:t:s:l")) >= 0) {
        switch (c) {
        case 'f': from = strtoull(optarg, NULL, 16); break;
        case 't': to = strtoull(optarg, NULL, 16); break;
        case 's': step = strtoull(optarg, NULL, 0); break;
        case 'l': lines = true; break;
        default: optind = argc;
        }
    }
    if (optind != argc - 1) {
        fprintf(stderr, "usage: see the head of tests/decode/sweep.c\n");
        return 2;
    }
    read_table(argv[optind]);
    llvm_open();
    for (uint64_t w = from; w < to; w += step) {
        uint32_t word = (uint32_t)w;
        char llvm[NAME];
        A64 a;
        unsigned row = a64_decode(word, feats, &a) ? a.row : 0;
        ask_llvm(word, llvm);
        done++;
        allocated += row != 0;
        if (agree(row, llvm)) {
            continue;
        }
        if (waived(word, row, llvm)) {
            excused++;
        } else {
            bad++;
            classify(word, row, llvm);
        }
    }
    for (unsigned i = 0; i < nclasses; i++) {
        print_class(&classes[i], lines);
    }
    for (unsigned i = 0; i < nwaivers && !lines && step == 1; i++) {
        printf("waiver %08" PRIx32 "/%08" PRIx32 " %s %s: %" PRIu64 " words\n", waivers[i].word, waivers[i].mask, waivers[i].ours,
               waivers[i].llvm, waivers[i].used);
    }
    printf("%s%" PRIu64 " words, %" PRIu64 " allocated, %" PRIu64 " waived, %" PRIu64 " unexplained in %u classes\n", lines ? "# " : "",
           done, allocated, excused, bad, nclasses);
    return bad != 0;
}
