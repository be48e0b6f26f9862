/* a64_vectors.h - runs A64 vectors in this process: front end and IR interpreter, neither engine nor system around them.
 *
 * The text form is that of tests/vectors (its README says where those came from). Lines:
 *   B n x=.. sp=.. v=.. m=..     a base state: X0-X30, SP, V0-V31, 256 bytes of memory (hexadecimal)
 *   C n NAME FEATURE DECODER     a class: names for the report
 *   V class WORD[,WORD..] base IN > OUT     changes to the base: what goes in, then what changes by the words
 *   P ...                        the same, depends on the code's address
 *   U class WORD                 must be UNDEFINED
 * Items of IN and OUT: xN= sp= vN= mOFFSET= n= (NZCV) c= (FPCR) s= (FPSR) p=1 (branches to the taken place). # ends
 * them.
 *
 * The machine is the vectors' own: words at 0x50000104, X28 = 0x50020000, memory window at 0x50031000, with guard bytes.
 * Everything that the words do not reach is BRK, which ends the run and shows where it went.
 */
#ifndef ARMX_TESTS_UNIT_A64_VECTORS_H
#define ARMX_TESTS_UNIT_A64_VECTORS_H

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cpu.h"
#include "interp.h"
#include "isa_a64.h"

enum { VEC_REGION = 0x50000000, VEC_SIZE = 0x40000, VEC_SLOT = 0x100, VEC_CTX = 0x20000, VEC_MEM = 0x31000 };
enum { VEC_MEM_LEN = 256, VEC_GUARD = 64, VEC_WORDS = 6, VEC_TAKEN = 9, VEC_SLOT_WORDS = 16, VEC_SHOW = 3 };

typedef struct VecState {
    uint64_t x[31], sp, nzcv, fpcr, fpsr;
    V128 v[32];
    uint8_t m[VEC_MEM_LEN];
} VecState;

typedef struct VecClass {
    char name[32], decoder[160];
    unsigned failed;
} VecClass;

typedef struct VecMachine {
    CpuA64 *cpu;
    VecState bases[32];
    VecClass *classes;
    unsigned nbases, nclasses;
    unsigned long passed, failed;
    unsigned line;
    uint64_t key; /* state key bits of all runs */
    Space space;
    IrIns ins[2048];
    V128 scratch[4096];
} VecMachine;

/* What the engine does for FPCR and FPSR, when there is none: the interpreter keeps both in the CPU structure. */
__attribute__((weak)) void engine_fpcr_changed(CpuHead *cpu)
{
    (void)cpu;
}
__attribute__((weak)) uint32_t engine_fpsr(CpuHead *cpu)
{
    return cpu->fp.fpsr;
}
__attribute__((weak)) void engine_fpsr_watched(Engine *e)
{
    (void)e;
}
__attribute__((weak)) void engine_set_fpsr(CpuHead *cpu, uint32_t fpsr)
{
    cpu->fp.fpsr = fpsr;
}

__attribute__((weak)) void engine_add_key(Engine *e, uint64_t bits)
{
    (void)e;
    (void)bits;
}

__attribute__((weak)) bool engine_key_everywhere(Engine *e, uint64_t bits)
{
    (void)e;
    (void)bits;
    return true;
}

static sigjmp_buf vec_fault;

static void vec_on_fault(int signal)
{
    siglongjmp(vec_fault, signal);
}

static const uint8_t *vec_fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    uint64_t end = VEC_REGION + VEC_SLOT + 4 * VEC_SLOT_WORDS;
    bool inside = pc.v >= VEC_REGION && pc.v < end;
    *avail = inside ? (uint32_t)(end - pc.v) : 0;
    return inside ? (const uint8_t *)(uintptr_t)pc.v : NULL;
}

static VecMachine *vec_machine(const CpuModel *model)
{
    void *want = (void *)(uintptr_t)VEC_REGION;
    void *got = mmap(want, VEC_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    VecMachine *m = aligned_alloc(64, ALIGN_UP(sizeof *m, 64));
    if (got != want || !m) {
        abort();
    }
    memset(m, 0, sizeof *m);
    m->cpu = aligned_alloc(64, ALIGN_UP(sizeof *m->cpu, 64));
    memset(m->cpu, 0, sizeof *m->cpu);
    m->cpu->model = model;
    m->space.fetch = vec_fetch;
    struct sigaction act = {.sa_handler = vec_on_fault, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &act, NULL);
    sigaction(SIGBUS, &act, NULL);
    return m;
}

/* -- text ---------------------------------------------------------------------------------------------------- */

static int vec_digit(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A hexadecimal number of any length, most significant digit first, into n bytes. */
static char *vec_number(char *p, void *to, int n)
{
    uint8_t *d = to;
    char *end = p;
    memset(d, 0, (size_t)n);
    while (vec_digit(*end) >= 0) {
        end++;
    }
    for (int i = 0; i < 2 * n && end - 1 - i >= p; i++) {
        d[i / 2] |= (uint8_t)(vec_digit(end[-1 - i]) << (4 * (i & 1)));
    }
    return end;
}

static char *vec_bytes(char *p, uint8_t *to, int max)
{
    for (int n = 0; n < max && vec_digit(p[0]) >= 0 && vec_digit(p[1]) >= 0; n++, p += 2) {
        to[n] = (uint8_t)(vec_digit(p[0]) * 16 + vec_digit(p[1]));
    }
    return p;
}

static char *vec_items(char *p, VecState *s, int *taken)
{
    for (;;) {
        while (*p == ' ') {
            p++;
        }
        char kind = *p;
        uint64_t v;
        if (!kind || kind == '\n' || kind == '>' || kind == '#') {
            return p;
        }
        if (!strncmp(p, "sp=", 3)) {
            p = vec_number(p + 3, &s->sp, 8);
        } else if (kind == 'x' || kind == 'v') {
            long n = strtol(p + 1, &p, 10) & 31;
            p = kind == 'x' ? vec_number(p + 1, &s->x[n % 31], 8) : vec_number(p + 1, &s->v[n], 16);
        } else if (kind == 'm') {
            long at = strtol(p + 1, &p, 16) & (VEC_MEM_LEN - 1);
            p = vec_bytes(p + 1, s->m + at, VEC_MEM_LEN - (int)at);
        } else {
            v = strtoul(p + 2, &p, 16);
            switch (kind) {
            case 'n': s->nzcv = v << 28; break;
            case 'c': s->fpcr = v; break;
            case 's': s->fpsr = v; break;
            default: *taken = (int)v; break;
            }
        }
    }
}

static void vec_base(VecMachine *m, char *p)
{
    VecState *s = &m->bases[m->nbases++ % LEN(m->bases)];
    p = strchr(p, 'x') + 2;
    for (int i = 0; i < 31; i++, p++) {
        p = vec_number(p, &s->x[i], 8);
    }
    vec_number(strstr(p, "sp=") + 3, &s->sp, 8);
    p = strstr(p, "v=") + 2;
    for (int i = 0; i < 32; i++, p++) {
        p = vec_number(p, &s->v[i], 16);
    }
    vec_bytes(strstr(p, "m=") + 2, s->m, VEC_MEM_LEN);
}

/* -- running ----------------------------------------------------------------------------------------------------- */

static void vec_prepare(VecMachine *m, const VecState *in, const uint32_t *words, int n)
{
    CpuA64 *cpu = m->cpu;
    uint32_t *code = (uint32_t *)(uintptr_t)(VEC_REGION + VEC_SLOT);
    uint8_t *mem = (uint8_t *)(uintptr_t)(VEC_REGION + VEC_MEM);
    for (int i = 0; i < VEC_SLOT_WORDS; i++) {
        code[i] = i >= 1 && i <= n ? words[i - 1] : 0xd4200000;
    }
    memset(mem - VEC_GUARD, 0xa5, VEC_MEM_LEN + 2 * VEC_GUARD);
    memcpy(mem, in->m, VEC_MEM_LEN);
    memcpy(cpu->x, in->x, sizeof cpu->x);
    memcpy(cpu->v, in->v, sizeof cpu->v);
    cpu->x[28] = VEC_REGION + VEC_CTX;
    cpu->sp = in->sp;
    cpu->pc = VEC_REGION + VEC_SLOT + 4;
    cpu->excl_addr = ~(uint64_t)0;
    cpu->h.fp = (FpEnv){.fpcr = (uint32_t)in->fpcr, .fpsr = (uint32_t)in->fpsr};
    a64_set_nzcv(cpu, (uint32_t)in->nzcv);
}

/* Runs until an exception; a host fault of the interpreter is EXC_DATA. */
/* One region at the CPU's pc. */
static ExcKind vec_region(VecMachine *m, CpuA64 *cpu, uint64_t key, unsigned max_insns)
{
    IrRegion r;
    a64_frontend.translate(cpu->model, &m->space, gva(cpu->pc), key, max_insns, &r, m->ins, LEN(m->ins));
    if (sizeof m->scratch < ir_interp_bytes(r.n)) {
        abort();
    }
    ExcKind kind = ir_interp_run(&a64_frontend, &r, &cpu->h, 0, m->scratch);
    return kind == EXC_MARKED ? vec_region(m, cpu, key | KEY_ONE_INSN, 1) : kind;
}

static ExcKind vec_run(VecMachine *m)
{
    volatile int steps = 0;
    if (sigsetjmp(vec_fault, 1)) {
        return EXC_DATA;
    }
    for (;;) {
        CpuHead *h = &m->cpu->h;
        h->key = a64_frontend.key(h, 0) | m->key;
        ExcKind kind = vec_region(m, m->cpu, h->key, 64);
        if ((kind != EXC_NONE && kind != EXC_HINT) || steps++ > 32) {
            return kind;
        }
    }
}

#define VEC_DIFF(...) (bad++, show ? printf(__VA_ARGS__) : 0)

/* Number of differences from what was wanted; prints them if show. */
static int vec_compare(const VecMachine *m, const VecState *out, int taken, bool show)
{
    const CpuA64 *cpu = m->cpu;
    const uint8_t *mem = (const uint8_t *)(uintptr_t)(VEC_REGION + VEC_MEM);
    int bad = 0, went = (cpu->pc - VEC_REGION - VEC_SLOT) / 4 >= VEC_TAKEN;
    if (went != taken) {
        VEC_DIFF("  pc: got %llx, branch should %sbe taken\n", (unsigned long long)cpu->pc, taken ? "" : "not ");
    }
    for (int i = 0; i < 31; i++) {
        if (i != 28 && cpu->x[i] != out->x[i]) {
            VEC_DIFF("  x%d: got %016llx want %016llx\n", i, (unsigned long long)cpu->x[i], (unsigned long long)out->x[i]);
        }
    }
    if (cpu->sp != out->sp) {
        VEC_DIFF("  sp: got %016llx want %016llx\n", (unsigned long long)cpu->sp, (unsigned long long)out->sp);
    }
    for (int i = 0; i < 32; i++) {
        const uint64_t *g = cpu->v[i].d, *w = out->v[i].d;
        if (g[0] != w[0] || g[1] != w[1]) {
            VEC_DIFF("  v%d: got %016llx%016llx want %016llx%016llx\n", i, (unsigned long long)g[1],
                     (unsigned long long)g[0], (unsigned long long)w[1], (unsigned long long)w[0]);
        }
    }
    if ((a64_nzcv(cpu) ^ out->nzcv) & 0xf0000000) {
        VEC_DIFF("  nzcv: got %x want %x\n", a64_nzcv(cpu) >> 28, (unsigned)(out->nzcv >> 28));
    }
    if ((cpu->h.fp.fpcr ^ out->fpcr) & 0x07c80000) {
        VEC_DIFF("  fpcr: got %08x want %08x\n", cpu->h.fp.fpcr, (unsigned)out->fpcr);
    }
    if ((cpu->h.fp.fpsr ^ out->fpsr) & 0x0800009f) {
        VEC_DIFF("  fpsr: got %08x want %08x\n", cpu->h.fp.fpsr, (unsigned)out->fpsr);
    }
    for (int i = -VEC_GUARD; i < VEC_MEM_LEN + VEC_GUARD; i++) {
        uint8_t want = i >= 0 && i < VEC_MEM_LEN ? out->m[i] : 0xa5;
        if (mem[i] != want) {
            VEC_DIFF("  mem[%d]: got %02x want %02x\n", i, mem[i], want);
        }
    }
    return bad;
}

static void vec_vector(VecMachine *m, char *p)
{
    VecState in = m->bases[0], out;
    uint32_t words[VEC_WORDS];
    int n = 0, taken = 0;
    bool undef = *p == 'U';
    VecClass *c = &m->classes[strtol(p + 2, &p, 10)];
    words[n++] = (uint32_t)strtoul(p, &p, 16);
    while (*p == ',' && n < VEC_WORDS) {
        words[n++] = (uint32_t)strtoul(p + 1, &p, 16);
    }
    if (!undef) {
        in = m->bases[strtol(p, &p, 10)];
        p = vec_items(p, &in, &taken);
        out = in;
        vec_items(p + 1, &out, &taken);
    }
    vec_prepare(m, &in, words, n);
    ExcKind kind = vec_run(m);
    bool ok = undef ? kind == EXC_UNDEF : kind == EXC_BRK && !vec_compare(m, &out, taken, false);
    m->passed += ok;
    m->failed += !ok;
    if (!ok && c->failed++ < VEC_SHOW) {
        printf("line %u: %s (%s) %08x%s: exit %d\n", m->line, c->name, c->decoder, words[0], n > 1 ? ",.." : "", kind);
        if (!undef && kind == EXC_BRK) {
            vec_compare(m, &out, taken, true);
        }
    }
}

/* Runs all vectors of an open file. */
static void vec_file(VecMachine *m, FILE *f)
{
    static char line[1 << 14];
    for (m->line = 1; fgets(line, sizeof line, f); m->line++) {
        switch (line[0]) {
        case 'B':
            vec_base(m, line);
            break;
        case 'C':
            m->classes = realloc(m->classes, (m->nclasses + 1) * sizeof *m->classes);
            VecClass *c = &m->classes[m->nclasses++];
            memset(c, 0, sizeof *c);
            sscanf(line, "C %*d %31s %*s %159s", c->name, c->decoder);
            break;
        case 'V':
        case 'U':
        case 'P':
            vec_vector(m, line);
            break;
        default: /* # comment, version */
            break;
        }
    }
}

#endif
