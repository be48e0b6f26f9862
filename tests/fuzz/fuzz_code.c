/* fuzz_code.c - any words as guest code: decoder, translators, verifier, interpreter and code generator.
 *
 * Input: byte 0 model (bit 0: every feature) and state key (bits 1..3: KEY_FP_SLOW, KEY_SHARED, KEY_STRICT); byte 1
 * instructions per region (bits 0..5), guarded page (6), misaligned SP (7); byte 2 where in the page the code lies
 * (words before its end); byte 3 a seed for registers and memory; then units of 6 bytes: a row number and a word. The
 * word's literal bits are replaced by the row's, so that every unit is an instruction or nearly one; numbers beyond the
 * last row leave the word as it is.
 *
 * The code is translated as regions and run by the interpreter, at most RUNS of them; everything is verified. The
 * guest's memory is an arena: sandbox() rewrites each region so that no address leaves it, so nothing can be hurt.
 * Each region is compiled too, as it was translated, and not run: that is the differential tester's.
 * With FUZZ_PRINT in the environment every region is printed first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "backend/tb.h"
#include "build.h"
#include "cpu.h"
#include "fuzz.h"
#include "interp.h"
#include "isa_a64.h"

enum { CODE_PC = 0x400000, PAGE_BYTES = 4096, CAP = 4096, RUNS = 12, ARENA = 1 << 16, WORK = 4 << 20 };

static uint8_t page[PAGE_BYTES] __attribute__((aligned(4096)));
static uint8_t *arena;
static IrIns ins_a[CAP], ins_b[2 * CAP];
static void *scratch, *work;
static Engine *engine;
static CpuA64 cpu;

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    uint64_t at = pc.v - CODE_PC;
    *avail = at < PAGE_BYTES ? (uint32_t)(PAGE_BYTES - at) : at < 2 * PAGE_BYTES;
    return at < PAGE_BYTES ? page + at : NULL;
}

static bool page_guarded;

static bool guarded(Space *s, Gva pc)
{
    (void)s;
    (void)pc;
    return page_guarded;
}

static Space space = {.fetch = fetch, .guarded = guarded};

/* -- keeping the guest in the arena ------------------------------------------------------------------------ */

typedef struct Rewrite {
    IrRegion *to;
    IrRef map[CAP]; /* by old index */
} Rewrite;

static IrRef put(Rewrite *w, IrIns i)
{
    if (w->to->n == w->to->cap) {
        BUG("the sandbox's region is full");
    }
    w->to->ins[w->to->n] = i;
    return w->to->n++;
}

static IrRef number(Rewrite *w, uint64_t v)
{
    return put(w, (IrIns){.op = OP_const, .ty = I64, .b = (uint32_t)v, .c = (uint32_t)(v >> 32)});
}

static IrRef int_op(Rewrite *w, IrOp op, IrRef a, IrRef b)
{
    return put(w, (IrIns){.op = (uint8_t)op, .ty = I64, .a = a, .b = b});
}

/* arena | (address modulo its size); the last 64 bytes behind the arena may be touched too. */
static IrRef inside(Rewrite *w, IrRef address)
{
    return int_op(w, OP_or, int_op(w, OP_and, address, number(w, ARENA - 1)), number(w, (uintptr_t)arena));
}

/* Does the helper take a guest address as its first argument? */
static bool takes_address(const IrIns *i)
{
    const IrHelper *h = &a64_frontend.helpers[i->imm];
    return i->op == OP_call && h->args[0] == I64 && h->effects & (WRITES | FAULTS);
}

static void rewrite_op(Rewrite *w, IrIns i)
{
    if (i.op == OP_load || i.op == OP_store) {
        IrRef at = i.a;
        if (i.b) {
            at = int_op(w, OP_add, at, int_op(w, OP_shl, i.b, number(w, i.y & MEM_SCALE)));
        }
        i.a = inside(w, int_op(w, OP_add, at, number(w, (uint64_t)(int64_t)i.imm)));
        i.b = 0;
        i.imm = 0;
        i.y &= (uint8_t)~MEM_SCALE;
    } else if ((ir_ops[i.op].effects & (READS | WRITES) && i.op != OP_fence) || takes_address(&i)) {
        i.a = inside(w, i.a);
    }
    put(w, i);
}

static void sandbox(const IrRegion *from, IrRegion *to)
{
    static Rewrite w;
    w.to = to;
    *to = *from;
    to->ins = ins_b;
    to->cap = LEN(ins_b);
    to->n = 0;
    for (IrRef k = 0; k < from->n; k++) {
        IrIns i = from->ins[k];
        const char *sig = ir_ops[i.op].sig;
        i.a = sig[2] != '.' ? w.map[i.a] : i.a;
        i.b = sig[3] != '.' ? w.map[i.b] : i.b;
        i.c = sig[4] != '.' ? w.map[i.c] : i.c;
        for (unsigned b = 0; b < from->nblocks; b++) {
            to->blocks[b].first = from->blocks[b].first == k ? to->n : to->blocks[b].first;
        }
        rewrite_op(&w, i);
        w.map[k] = to->n - 1;
        for (unsigned b = 0; b < from->nblocks; b++) {
            to->blocks[b].end = from->blocks[b].end == k + 1 ? to->n : to->blocks[b].end;
        }
    }
}

/* -- one input ------------------------------------------------------------------------------------------------ */

static void verify(const IrRegion *r, const char *when)
{
    char msg[200];
    const Frontend *fe = &a64_frontend;
    if (ir_verify(r, fe->slots, fe->nslots, fe->helpers, fe->nhelpers, msg, sizeof msg)) {
        ir_print(r, fe->slots, fe->helpers, stderr);
        BUG("%s: %s", when, msg);
    }
}

/* Compiles into code memory that the next region uses again. */
static void compile(const IrRegion *r)
{
    static CodeChunk chunk;
    if (!chunk.code) {
        chunk = *codebuf_take(engine);
    }
    CodeChunk fresh = chunk;
    Tb *tb = target_compile(engine, &fresh, r, work, WORK);
    if (tb == TB_TOO_BIG && r->ninsns == 1) {
        BUG("one instruction is too big");
    }
    if (!tb) {
        BUG("an empty chunk has no room");
    }
}

static void random_state(uint64_t seed)
{
    static const uint64_t edges[] = {0, 1, 0x7f, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                     0x8000000000000000, ~0ull, 0x7ff0000000000001, 0x7fc00001, 0x3c007c01};
    const CpuModel *model = cpu.model;
    uint64_t rng = seed;
    uint8_t *from = (uint8_t *)cpu.x, *end = (uint8_t *)&cpu + sizeof cpu;
    memset(from, 0, (size_t)(end - from));
    cpu.model = model;
    for (unsigned i = 0; i < 31; i++) {
        uint64_t v = fuzz_random(&rng);
        cpu.x[i] = v & 3 ? (uintptr_t)arena + (v >> 40) % ARENA : v & 4 ? edges[(v >> 8) % LEN(edges)] : v;
    }
    for (unsigned i = 0; i < 64; i++) {
        uint64_t v = fuzz_random(&rng);
        cpu.v[i / 2].d[i % 2] = v & 1 ? v : edges[(v >> 8) % LEN(edges)];
    }
    cpu.sp = (uintptr_t)arena + ARENA / 2;
    cpu.h.nzcv = nzcv_pack(fuzz_random(&rng) & 15);
    cpu.excl_addr = ~(uint64_t)0;
    for (unsigned i = 0; i < ARENA / 8; i++) {
        ((uint64_t *)arena)[i] = fuzz_random(&rng);
    }
}

static unsigned write_code(FuzzInput *in, unsigned words)
{
    unsigned first = PAGE_BYTES / 4 - words, n = 0;
    memset(page, 0, sizeof page);
    while (in->size && n < words) {
        uint64_t unit = fuzz_number(in, 6);
        unsigned row = (unsigned)(unit & 0xffff);
        uint32_t word = (uint32_t)(unit >> 16);
        if (row && row < A64_ROW_COUNT) {
            word = (word & ~a64_rows[row].mask) | a64_rows[row].value;
        }
        memcpy(page + 4 * (first + n++), &word, 4);
    }
    return first;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    arena = aligned_alloc(ARENA, 2 * ARENA);
    EngineConfig cfg = {.fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space, .cache_bytes = 8 << 20};
    engine = engine_new(&cfg);
    scratch = aligned_alloc(64, ALIGN_UP(ir_interp_bytes(2 * CAP), 64));
    work = aligned_alloc(4096, WORK);
    if (!arena || !engine || !scratch || !work || engine_cpu_init(engine, &cpu.h) < 0) {
        BUG("cannot set up");
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, size};
    uint64_t head = fuzz_number(&in, 4);
    uint64_t key = (head & 2 ? KEY_FP_SLOW : 0) | (head & 4 ? KEY_SHARED : 0) | (head & 8 ? KEY_STRICT : 0);
    unsigned max_insns = 1 + (head >> 8 & 63), words = 4 + 4 * (head >> 16 & 63);
    cpu.model = a64_model(head & 1 ? "max" : NULL);
    random_state(head >> 24 & 255);
    page_guarded = head >> 14 & 1;
    cpu.sp += head >> 12 & 8;
    cpu.h.fp.fpcr = head & 2 ? (uint32_t)(head & 0xf0) << 20 : 0;
    cpu.pc = CODE_PC + 4ull * write_code(&in, words);
    for (unsigned run = 0; run < RUNS && cpu.pc - CODE_PC < PAGE_BYTES; run++) {
        IrRegion r = {0}, boxed;
        uint64_t at = cpu.pc;
        a64_frontend.translate(cpu.model, &space, gva(at), key | a64_frontend.key(&cpu.h, 0), max_insns, &r, ins_a, CAP);
        if (getenv("FUZZ_PRINT")) {
            ir_print(&r, a64_frontend.slots, a64_frontend.helpers, stderr);
        }
        verify(&r, "translated");
        if (r.ninsns > max_insns || (at & (PAGE_BYTES - 1)) + r.nbytes > PAGE_BYTES || r.before > (at & (PAGE_BYTES - 1))) {
            BUG("%u instructions, asked for %u; %u bytes before and %u from %llx", r.ninsns, max_insns, r.before, r.nbytes,
                (unsigned long long)at);
        }
        compile(&r);
        sandbox(&r, &boxed);
        verify(&boxed, "in the sandbox");
        ExcKind kind = ir_interp_run(&a64_frontend, &boxed, &cpu.h, 0, scratch);
        if (kind >= EXC_COUNT) {
            BUG("left with exception %d", (int)kind);
        }
        if (kind != EXC_NONE && cpu.pc == at) {
            cpu.pc += 4; /* go on behind what cannot be executed */
        }
    }
    return 0;
}
