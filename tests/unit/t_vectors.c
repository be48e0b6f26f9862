/* t_vectors.c - the golden vectors (tests/vectors) in this process, one engine after the other.
 *
 * The same data as tests/vectors/run feeds to armx-user, but without a guest program around it: each vector's
 * instructions are put into a slot of code memory, followed by HLT #0 (fell through) and, from word 9 on, HLT #1
 * (branch taken), and run by engine_run() from the given state. Every register bit, NZCV, FPSR and the memory
 * window are compared. X28 is not: the vectors leave it to the runner.
 * ARMX_VECTORS_ONLY=MNEMONIC runs one mnemonic, ARMX_VECTORS_SHOW=N shows N failures of each class.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zstd.h>

#include "cpu.h"
#include "isa_a64.h"

enum {
    REGION = 0x50000000, /* where the model ran them: PC-relative results depend on it */
    SLOT0 = 0x100,
    SLOT_SIZE = 64,
    NSLOTS = 900,
    CTX = 0x20000,
    MEM = 0x31000,
    REGION_SIZE = 0x40000,
    WINDOW = 256,
    SLACK = 64,
    MAX_OPS = 6,
    TAKEN_WORD = 9,
    FPSR_BITS = 0x0800009f,
    FPCR_BITS = 0x07c80000,
};
#define HLT(n) (0xd4400000u | (unsigned)(n) << 5)

typedef struct State {
    uint64_t x[31], sp;
    V128 v[32];
    uint32_t nzcv, fpcr, fpsr; /* nzcv: nibble */
    uint8_t m[WINDOW];
} State;

typedef struct Vector {
    int class, line, base, nops;
    bool undef, fixed, taken;
    uint32_t op[MAX_OPS];
    const char *items;
} Vector;

typedef struct Class {
    char name[64], feat[64], decoder[200];
    bool enabled;
    unsigned failed;
} Class;

static struct {
    Class *classes;
    unsigned nclasses;
    State bases[64];
    unsigned nbases;
    Vector *vectors;
    size_t nvectors;
    unsigned long passed, failed, skipped;
    unsigned show;
} t;

static Engine *engine;
static CpuA64 *cpu;
static uint8_t *window;

/* -- reading the data ------------------------------------------------------------------------------------ */

/* A hexadecimal number of any length, most significant digit first, into n bytes; returns what follows it. */
static const char *big(const char *p, void *dst, unsigned n)
{
    uint8_t *d = dst;
    size_t len = strspn(p, "0123456789abcdef");
    memset(d, 0, n);
    for (size_t i = 0; i < len && i < 2 * n; i++) {
        char c = p[len - 1 - i];
        d[i / 2] |= (uint8_t)((c <= '9' ? c - '0' : c - 'a' + 10) << 4 * (i & 1));
    }
    return p + len;
}

static const char *bytes(const char *p, uint8_t *dst, unsigned max)
{
    for (unsigned n = 0; n < max && strspn(p, "0123456789abcdef") >= 2; n++, p += 2) {
        char pair[3] = {p[0], p[1], 0};
        dst[n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return p;
}

/* Items of a state (x3=... v1=... n= c= s= p= m10=...) up to '>' or the end of the line. */
static const char *items(const char *p, State *s, bool *taken)
{
    char *end;
    for (;;) {
        p += strspn(p, " ");
        if (*p == '\n' || *p == '>' || *p == 0) {
            return p;
        }
        if (strncmp(p, "sp=", 3) == 0) {
            p = big(p + 3, &s->sp, 8);
        } else if (*p == 'x') {
            unsigned long r = strtoul(p + 1, &end, 10);
            p = big(end + 1, &s->x[r], 8);
        } else if (*p == 'v') {
            unsigned long r = strtoul(p + 1, &end, 10);
            p = big(end + 1, &s->v[r], 16);
        } else if (*p == 'm') {
            unsigned long o = strtoul(p + 1, &end, 16);
            p = bytes(end + 1, s->m + o, (unsigned)(WINDOW - o));
        } else {
            char k = *p;
            uint32_t n = (uint32_t)strtoul(p + 2, &end, 16);
            p = end;
            *(k == 'n' ? &s->nzcv : k == 'c' ? &s->fpcr : &s->fpsr) = k == 'p' ? s->fpsr : n;
            *taken = k == 'p' ? n : *taken;
        }
    }
}

static void read_base(const char *p)
{
    State *s = &t.bases[t.nbases++];
    p = strchr(p, 'x') + 2;
    for (int i = 0; i < 31; i++) {
        p = big(p, &s->x[i], 8) + 1;
    }
    p = big(strstr(p, "sp=") + 3, &s->sp, 8);
    p = strstr(p, "v=") + 2;
    for (int i = 0; i < 32; i++) {
        p = big(p, &s->v[i], 16) + 1;
    }
    bytes(strstr(p, "m=") + 2, s->m, WINDOW);
}

static void read_vector(const char *p, int line)
{
    Vector *v = &t.vectors[t.nvectors++];
    char *end;
    *v = (Vector){.line = line, .undef = *p == 'U', .fixed = *p == 'P'};
    v->class = (int)strtol(p + 2, &end, 10);
    v->op[v->nops++] = (uint32_t)strtoul(end, &end, 16);
    while (*end == ',') {
        v->op[v->nops++] = (uint32_t)strtoul(end + 1, &end, 16);
    }
    v->base = v->undef ? 0 : (int)strtol(end, &end, 10);
    v->items = v->undef ? "\n>" : end;
}

/* Feature names of the data that are spelled otherwise in the .isa files. */
static bool has_feature(const CpuModel *m, const char *list)
{
    char buf[64], *save;
    snprintf(buf, sizeof buf, "%s", list);
    for (char *f = strtok_r(buf, "+", &save); f; f = strtok_r(NULL, "+", &save)) {
        bool found = strcmp(f, "base") == 0;
        for (unsigned i = 0; i < A64_FEAT_COUNT; i++) {
            found |= strcasecmp(a64_feat_names[i], f) == 0 && (m->feats[i / 64] >> (i % 64) & 1);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static char *load(void)
{
    FILE *f = fopen(ARMX_SOURCE_DIR "/tests/vectors/a64-vectors.txt.zst", "rb");
    cr_assert(f, "tests/vectors/a64-vectors.txt.zst is missing");
    fseek(f, 0, SEEK_END);
    size_t packed = (size_t)ftell(f);
    rewind(f);
    char *in = malloc(packed);
    cr_assert_eq(fread(in, 1, packed, f), packed);
    fclose(f);
    size_t size = ZSTD_getFrameContentSize(in, packed);
    size = size < (size_t)1 << 30 ? size : (size_t)1 << 27;
    char *text = malloc(size + 1);
    size = ZSTD_decompress(text, size, in, packed);
    cr_assert(!ZSTD_isError(size));
    text[size] = 0;
    free(in);
    return text;
}

static void read_all(const CpuModel *m)
{
    const char *only = getenv("ARMX_VECTORS_ONLY");
    int line = 0;
    t.vectors = calloc(250000, sizeof *t.vectors);
    t.classes = calloc(4000, sizeof *t.classes);
    for (const char *p = load(); p && *p; p = strchr(p, '\n'), p += p != NULL) {
        line++;
        if (*p == 'B') {
            read_base(p);
        } else if (*p == 'C') {
            Class *c = &t.classes[t.nclasses++];
            sscanf(p, "C %*d %63s %63s %199s", c->name, c->feat, c->decoder);
            c->enabled = has_feature(m, c->feat) && (!only || strcmp(only, c->name) == 0);
        } else if (strchr("VUP", *p)) {
            read_vector(p, line);
        }
    }
}

/* -- running --------------------------------------------------------------------------------------------------- */

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    *avail = (uint32_t)(REGION + CTX - pc.v);
    return pc.v >= REGION && pc.v < REGION + CTX ? (const uint8_t *)(uintptr_t)pc.v : (*avail = 0, NULL);
}

static void put_slot(unsigned slot, const Vector *v)
{
    uint32_t *w = (uint32_t *)(uintptr_t)(REGION + SLOT0 + slot * SLOT_SIZE);
    for (unsigned i = 0; i < SLOT_SIZE / 4; i++) {
        w[i] = i >= 1 && (int)i <= v->nops ? v->op[i - 1] : HLT(i >= TAKEN_WORD);
    }
}

static void set_state(const State *s, unsigned slot)
{
    memcpy(cpu->x, s->x, sizeof cpu->x);
    memcpy(cpu->v, s->v, sizeof cpu->v);
    cpu->sp = s->sp;
    cpu->h.nzcv = nzcv_pack(s->nzcv);
    cpu->h.fp.fpcr = s->fpcr;
    engine_fpcr_changed(&cpu->h);
    engine_set_fpsr(&cpu->h, s->fpsr);
    cpu->pc = REGION + SLOT0 + slot * SLOT_SIZE + 4;
    memcpy(window, s->m, WINDOW);
}

#define DIFFERS(what, ...)                                                                         \
    do {                                                                                           \
        if (what) {                                                                                \
            bad = true;                                                                            \
            if (show) {                                                                            \
                fprintf(stderr, "      " __VA_ARGS__);                                             \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static bool compare(const State *in, const State *want, const Vector *v, bool want_taken, bool show)
{
    bool bad = false;
    typedef unsigned long long ull;
    for (int i = 0; i < 31; i++) {
        DIFFERS(i != 28 && cpu->x[i] != want->x[i], "x%d: got %016llx, not %016llx (was %016llx)\n", i, (ull)cpu->x[i],
                (ull)want->x[i], (ull)in->x[i]);
    }
    DIFFERS(cpu->sp != want->sp, "sp: got %llx, not %llx\n", (ull)cpu->sp, (ull)want->sp);
    for (int i = 0; i < 32; i++) {
        DIFFERS(memcmp(&cpu->v[i], &want->v[i], 16), "v%d: got %016llx:%016llx, not %016llx:%016llx (was %016llx:%016llx)\n", i,
                (ull)cpu->v[i].d[1], (ull)cpu->v[i].d[0], (ull)want->v[i].d[1], (ull)want->v[i].d[0], (ull)in->v[i].d[1],
                (ull)in->v[i].d[0]);
    }
    DIFFERS(nzcv_nibble(cpu->h.nzcv) != want->nzcv, "nzcv: got %x, not %x\n", nzcv_nibble(cpu->h.nzcv), want->nzcv);
    DIFFERS((cpu->h.fp.fpcr ^ want->fpcr) & FPCR_BITS, "fpcr: got %x, not %x\n", cpu->h.fp.fpcr, want->fpcr);
    uint32_t fpsr = engine_fpsr(&cpu->h);
    DIFFERS((fpsr ^ want->fpsr) & FPSR_BITS, "fpsr: got %08x, not %08x (was %08x, fpcr %x)\n", fpsr, want->fpsr, in->fpsr, in->fpcr);
    for (int i = 0; i < WINDOW; i++) {
        DIFFERS(window[i] != want->m[i], "mem[%02x]: got %02x, not %02x\n", i, window[i], want->m[i]);
    }
    for (int i = 0; i < SLACK; i++) {
        DIFFERS(window[-1 - i] != 0xa5 || window[WINDOW + i] != 0xa5, "a write outside the window\n");
    }
    DIFFERS((cpu->h.exit_imm == 1) != want_taken, "branch: %s\n", want_taken ? "not taken" : "taken");
    (void)v;
    return !bad;
}

static void run_one(const Vector *v, unsigned slot)
{
    State in = t.bases[v->base], want;
    bool taken = false;
    const char *p = items(v->items, &in, &taken);
    want = in;
    items(*p == '>' ? p + 1 : p, &want, &taken);
    set_state(&in, slot);
    ExcKind got = engine_run(&cpu->h);
    while (got == EXC_HINT) { /* YIELD, WFE: the caller's business, and here nothing */
        got = engine_run(&cpu->h);
    }
    bool good = v->undef ? got == EXC_UNDEF : got == EXC_HLT && compare(&in, &want, v, taken, false);
    good ? t.passed++ : t.failed++;
    Class *c = &t.classes[v->class];
    if (!good && c->failed++ < t.show) {
        fprintf(stderr, "FAIL line %d: %s (%s) %08x%s, exit %d; inputs%.*s\n", v->line, c->name, c->decoder, v->op[0],
                v->nops > 1 ? " ..." : "", (int)got, (int)strcspn(v->items, ">\n"), v->items);
        if (!v->undef && got == EXC_HLT) {
            compare(&in, &want, v, taken, true);
        }
        memset(window - SLACK, 0xa5, WINDOW + 2 * SLACK);
    }
}

static void run_all(void)
{
    unsigned n = 0;
    const Vector *slots[NSLOTS];
    for (size_t i = 0; i <= t.nvectors; i++) {
        const Vector *v = &t.vectors[i];
        if (i == t.nvectors || n == NSLOTS || (n && v->fixed)) {
            engine_invalidate(engine, gva(REGION), CTX);
            for (unsigned s = 0; s < n; s++) {
                run_one(slots[s], s);
            }
            n = 0;
        }
        if (i < t.nvectors && !t.classes[v->class].enabled) {
            t.skipped++;
        } else if (i < t.nvectors) {
            put_slot(n, v);
            slots[n++] = v;
            if (v->fixed) { /* these must lie in the first slot */
                engine_invalidate(engine, gva(REGION), CTX);
                run_one(v, 0);
                n = 0;
            }
        }
    }
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
    (void)info;
    if (sig == SIGFPE && engine_sync(&cpu->h, uc) == SYNC_PRECISE) {
        engine_fp_trap(&cpu->h, uc);
        return;
    }
    if (sig == SIGSEGV && engine_sync(&cpu->h, uc) == SYNC_PRECISE && engine_tbi_trap(&cpu->h, uc)) {
        return;
    }
    fprintf(stderr, "signal %d at guest pc %llx\n", sig, (unsigned long long)cpu->pc);
    _exit(1);
}

static void vectors(bool interp, bool shared)
{
    static Space space = {.fetch = fetch};
    const CpuModel *m = a64_model("max");
    const char *show = getenv("ARMX_VECTORS_SHOW");
    t.show = show ? (unsigned)atoi(show) : 2;
    void *r = mmap((void *)(uintptr_t)REGION, REGION_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    cr_assert_eq((uintptr_t)r, REGION);
    window = (uint8_t *)r + MEM;
    memset(window - SLACK, 0xa5, WINDOW + 2 * SLACK);
    read_all(m);
    engine = engine_new(&(EngineConfig){.fe = &a64_frontend, .cpu_model = m, .space = &space, .interp = interp});
    cpu = aligned_alloc(64, ALIGN_UP(sizeof *cpu, 64));
    memset(cpu, 0, sizeof *cpu);
    cpu->model = m;
    cr_assert_eq(engine_cpu_init(engine, &cpu->h), 0);
    if (shared) {
        engine_share(engine);
    }
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t ss = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
    sigaltstack(&ss, NULL);
    sigaction(SIGFPE, &sa, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    run_all();
    for (unsigned i = 0; i < t.nclasses; i++) {
        if (t.classes[i].failed) {
            fprintf(stderr, "%-12s %-10s %u failed (%s)\n", t.classes[i].name, t.classes[i].feat, t.classes[i].failed,
                    t.classes[i].decoder);
        }
    }
    fprintf(stderr, "%s: %lu vectors right, %lu wrong, %lu without the feature\n", interp ? "interpreter" : "jit", t.passed,
            t.failed, t.skipped);
    cr_assert_eq(t.failed, 0);
    cr_assert_gt(t.passed, 100000);
}

Test(vectors, interp, .timeout = 300)
{
    vectors(true, false);
}

Test(vectors, jit, .timeout = 300)
{
    vectors(false, false);
}

Test(vectors, jit_shared, .timeout = 300)
{
    vectors(false, true);
}
