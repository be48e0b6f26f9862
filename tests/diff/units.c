/* units.c - the engines in this process: the interpreter as reference, and engine_run() in several configurations.
 *
 * Code memory is one memory object seen twice: read-only at DIFF_CODE, where guest loads find it, and writable
 * elsewhere. The reference does not use engine_run(): it translates and interprets region by region here, so that
 * it can count steps and the generator can look into every instruction.
 * A fault inside the reference leaves by siglongjmp, one in translated code by engine_leave().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "diff.h"
#include "interp.h"

enum { IR_ROOM = 8192, REGION_MAX = 24 };

Unit *units;
unsigned nunits;
const CpuModel *the_model;
Frontend the_frontend;
const Case *running;
void (*unit_broke)(Unit *u);

static uint8_t *code_rw, *ro_rw;
static uint8_t image_now[DIFF_IMAGE_SIZE] __attribute__((aligned(16)));
static sigjmp_buf fault_exit;
static volatile bool in_reference;
static Unit *volatile in_engine;
static volatile unsigned long runs, run_at_alarm, run_kicked; /* an alarm that finds the run of the one before: it hangs */
static int fault_code;
static bool fault_hidden; /* the host does not say where */
static uint64_t fault_address;
static IrIns ir_buffer[IR_ROOM];
static V128 *scratch;

/* -- memory ------------------------------------------------------------------------------------------------- */

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    (void)s;
    if (pc.v >= DIFF_CODE && pc.v < DIFF_CODE + DIFF_CODE_SIZE) {
        *avail = (uint32_t)(DIFF_CODE + DIFF_CODE_SIZE - pc.v);
        return (const uint8_t *)(uintptr_t)pc.v;
    }
    *avail = pc.v >= DIFF_DATA && pc.v < DIFF_DATA_END;
    return NULL;
}
static Space space = {.fetch = fetch};

/* Maps a new memory object at `at`, readable, and returns its writable view. */
static uint8_t *map_twice(uint64_t at, size_t size)
{
    int fd = memfd_create("diff", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
        BUG("memfd_create: %d", errno);
    }
    void *fixed = mmap((void *)(uintptr_t)at, size, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    uint8_t *rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if ((uintptr_t)fixed != at || rw == MAP_FAILED) {
        BUG("mmap at %llx: %d", (unsigned long long)at, errno);
    }
    close(fd);
    return rw;
}

uint8_t *code_alias(uint64_t pc)
{
    return code_rw + (pc - DIFF_CODE);
}

const uint64_t *current_image(void)
{
    return (const uint64_t *)image_now;
}

static uint64_t *data(void)
{
    return (uint64_t *)(uintptr_t)DIFF_DATA;
}

void units_batch(const uint8_t *code, const uint8_t *image)
{
    if (code) {
        memcpy(code_rw, code, DIFF_CODE_SIZE);
    }
    memcpy(image_now, image, DIFF_IMAGE_SIZE);
    memcpy(data(), image, DIFF_RW_SIZE);
    memcpy(ro_rw, image + DIFF_RW_SIZE, DIFF_RO_SIZE);
    for (unsigned i = 0; i < nunits; i++) {
        engine_invalidate(units[i].engine, gva(DIFF_CODE), DIFF_CODE_SIZE);
    }
}

/* -- state ---------------------------------------------------------------------------------------------------- */

static void load_state(CpuA64 *cpu, const DiffState *s)
{
    memcpy(cpu->x, s->x, sizeof cpu->x);
    memcpy(cpu->v, s->v, sizeof cpu->v);
    cpu->sp = s->sp;
    cpu->pc = s->pc;
    cpu->tpidr = s->tpidr;
    cpu->h.nzcv = nzcv_pack(s->nzcv >> 28);
    cpu->excl_addr = ~(uint64_t)0;
    cpu->pstate_misc = 0;
    cpu->btype = 0;
    cpu->h.exit_imm = 0;
    cpu->h.exit_addr = 0;
    cpu->h.pending = 0;
    cpu->h.in_helper = 0;
    cpu->h.fp.fpcr = s->fpcr;
    engine_fpcr_changed(&cpu->h);
    engine_set_fpsr(&cpu->h, s->fpsr);
}

static void save_state(CpuA64 *cpu, DiffState *s)
{
    memcpy(s->x, cpu->x, sizeof cpu->x);
    memcpy(s->v, cpu->v, sizeof cpu->v);
    s->sp = cpu->sp;
    s->pc = cpu->pc;
    s->tpidr = cpu->tpidr;
    s->nzcv = nzcv_nibble(cpu->h.nzcv) << 28;
    s->fpcr = cpu->h.fp.fpcr;
    s->fpsr = engine_fpsr(&cpu->h);
    s->unused = 0;
}

/* As si_addr shows it: bits 63 to 56 are copies of bit 55 (untagged_addr). */
static uint64_t untagged(uint64_t a)
{
    return (uint64_t)((int64_t)(a << 8) >> 8);
}

/* The signal that Linux sends for an exception (arch/arm64: traps.c, fault.c, debug-monitors.c). */
static void set_signal(DiffResult *r, const CpuA64 *cpu, ExcKind kind)
{
    r->addr = cpu->pc;
    switch (kind) {
    case EXC_BRK:
        r->sig = SIGTRAP;
        r->code = TRAP_BRKPT;
        break;
    case EXC_UNDEF:
    case EXC_HLT:
    case EXC_SYSTRAP:
    case EXC_BTI:
        r->sig = SIGILL;
        r->code = ILL_ILLOPC;
        break;
    case EXC_FPAC:
        r->sig = SIGILL;
        r->code = ILL_ILLOPN;
        break;
    case EXC_PC_ALIGN:
    case EXC_SP_ALIGN:
    case EXC_ALIGN:
        r->sig = SIGBUS;
        r->code = BUS_ADRALN;
        r->addr = kind == EXC_ALIGN ? untagged(cpu->h.exit_addr) : kind == EXC_SP_ALIGN ? cpu->sp : cpu->pc;
        break;
    case EXC_FETCH:
        r->sig = SIGSEGV;
        r->code = cpu->h.exit_imm ? SEGV_ACCERR : SEGV_MAPERR;
        break;
    case EXC_DATA:
        r->sig = SIGSEGV;
        r->code = fault_code;
        r->addr = untagged(fault_address);
        break;
    case EXC_SVC:
        r->sig = SIG_SVC;
        r->code = cpu->h.exit_imm;
        break;
    default:
        r->sig = SIG_ENDLESS;
        r->code = (int)kind;
    }
}

static void save_result(CpuA64 *cpu, ExcKind kind, DiffResult *r)
{
    r->unused = 0;
    save_state(cpu, &r->s);
    set_signal(r, cpu, kind);
    diff_collect(r, data(), (const uint64_t *)image_now);
}

static bool goes_on(ExcKind kind)
{
    return kind == EXC_NONE || kind == EXC_HINT;
}

/* -- the reference ---------------------------------------------------------------------------------------------- */

static void set_fault(const siginfo_t *info)
{
    fault_code = info->si_code == SEGV_ACCERR ? SEGV_ACCERR : SEGV_MAPERR;
    fault_hidden = info->si_code == SI_KERNEL;
    fault_address = (uint64_t)(uintptr_t)info->si_addr;
}

static ExcKind interpret(const IrRegion *r, CpuA64 *cpu)
{
    if (sigsetjmp(fault_exit, 0)) {
        in_reference = false;
        cpu->h.in_helper = 0;
        return EXC_DATA;
    }
    in_reference = true;
    ExcKind kind = ir_interp_run(&the_frontend, r, &cpu->h, 0, scratch);
    in_reference = false;
    return kind;
}

static bool is_access(const IrIns *i)
{
    unsigned effects = i->op == OP_call ? the_frontend.helpers[i->imm].effects : ir_ops[i->op].effects;
    return effects & FAULTS && effects & (READS | WRITES);
}

/* Address of the access at op `at` of the one-instruction region: runs what stands before it, on the CPU as it is. */
static uint64_t access_address(const IrRegion *r, IrRef at, const CpuA64 *cpu)
{
    static CpuA64 copy;
    static IrIns ins[IR_ROOM];
    const IrIns *i = &r->ins[at];
    IrRegion cut = *r;
    memcpy(ins, r->ins, at * sizeof *ins);
    ins[at] = (IrIns){.op = OP_exit_exc, .x = EXC_HLT};
    cut.ins = ins;
    cut.n = at + 1;
    cut.blocks[0].end = at + 1;
    memcpy(&copy, cpu, sizeof copy);
    if (ir_interp_run(&the_frontend, &cut, &copy.h, 0, scratch) == EXC_ALIGN) {
        return copy.h.exit_addr;
    }
    uint64_t a = scratch[i->a].d[0];
    if (i->op == OP_load || i->op == OP_store) {
        a += (scratch[i->b].d[0] << (i->y & MEM_SCALE)) + (uint64_t)(int64_t)i->imm;
    }
    return a;
}

/* The host gives no address for one that is not canonical: it is that of the first access which is not. */
static uint64_t find_fault(const CpuA64 *cpu)
{
    static IrIns ins[IR_ROOM];
    IrRegion r = {.ins = ins};
    the_frontend.translate(the_model, &space, gva(cpu->pc), the_frontend.key(&cpu->h, 0) | KEY_ONE_INSN, 1, &r, ins, IR_ROOM);
    for (IrRef i = 0; i < r.n; i++) {
        if (r.nblocks == 1 && is_access(&r.ins[i])) {
            uint64_t a = untagged(access_address(&r, i, cpu));
            if (a >> 47 || (a + 15) >> 47) { /* it, or its last byte */
                return a;
            }
        }
    }
    return 0;
}

static void run_reference(Unit *u, const Case *c, DiffResult *r)
{
    ExcKind kind = EXC_NONE;
    IrRegion reg = {.ins = ir_buffer};
    for (unsigned steps = 0; goes_on(kind); steps++) {
        uint64_t at = u->cpu->pc & bits_mask(56);
        bool astray = at - DIFF_CODE < DIFF_CODE_SIZE && slot_address(at) != slot_address(c->in.pc);
        if (steps == (u->one_insn ? MAX_STEPS * REGION_MAX : MAX_STEPS) || astray) {
            kind = EXC_STEP;
            break;
        }
        uint64_t key = the_frontend.key(&u->cpu->h, 0) | (u->one_insn ? KEY_ONE_INSN : 0);
        the_frontend.translate(the_model, &space, gva(u->cpu->pc), key, REGION_MAX, &reg, ir_buffer, IR_ROOM);
        kind = interpret(&reg, u->cpu);
    }
    if (kind == EXC_DATA && fault_hidden) {
        fault_address = find_fault(u->cpu);
    }
    save_result(u->cpu, kind, r);
}

CpuA64 *ref_cpu(void)
{
    return units[0].cpu;
}

void ref_load(const DiffState *s)
{
    load_state(units[0].cpu, s);
}

void ref_translate(Step *s)
{
    CpuA64 *cpu = units[0].cpu;
    s->region.ins = ir_buffer;
    the_frontend.translate(the_model, &space, gva(cpu->pc), the_frontend.key(&cpu->h, 0) | KEY_ONE_INSN, 1, &s->region, ir_buffer, IR_ROOM);
}

bool ref_address(Step *s, uint64_t *addr, unsigned *log2size)
{
    const IrRegion *r = &s->region;
    for (IrRef i = 0; i < r->n && r->nblocks == 1; i++) {
        const IrIns *ins = &r->ins[i];
        if (is_access(ins)) {
            *addr = access_address(r, i, units[0].cpu);
            *log2size = ins->op == OP_load || ins->op == OP_store || ins->op == OP_rmw || ins->op == OP_cas
                            ? ins->x & MEM_SIZE_MASK
                            : 4;
            return true;
        }
    }
    return false;
}

void ref_run(Step *s)
{
    CpuA64 *cpu = units[0].cpu;
    s->kind = interpret(&s->region, cpu);
    if (s->kind == EXC_DATA) {
        s->fault_addr = fault_address;
    }
}

void ref_result(const Step *s, DiffResult *r)
{
    if (s->kind == EXC_DATA && fault_hidden) {
        fault_address = find_fault(units[0].cpu);
    }
    save_result(units[0].cpu, s->kind, r);
}

/* -- engine_run ---------------------------------------------------------------------------------------------------- */

static void run_engine(Unit *u, DiffResult *r)
{
    ExcKind kind;
    unsigned steps = 0;
    in_engine = u;
    do {
        kind = engine_run(&u->cpu->h);
    } while (goes_on(kind) && ++steps < MAX_STEPS);
    in_engine = NULL;
    if (kind == EXC_DATA && fault_hidden) {
        fault_address = find_fault(u->cpu);
    }
    save_result(u->cpu, kind, r);
}

void unit_run(Unit *u, const Case *c, DiffResult *r)
{
    running = c;
    runs++;
    load_state(u->cpu, &c->in);
    if (u->jit) {
        run_engine(u, r);
    } else {
        run_reference(u, c, r);
    }
}

/* -- host signals ------------------------------------------------------------------------------------------------------ */

NORETURN static void die(const char *what, int sig)
{
    Unit *u = in_engine ? in_engine : &units[0];
    signal(SIGABRT, SIG_DFL);
    in_engine = NULL;
    in_reference = false;
    if (!unit_broke) {
        _exit(3);
    }
    fprintf(stderr, "diff: %s (signal %d) in engine %s\n", what, sig, u->name);
    unit_broke(u);
    _exit(3);
}

void unit_renew(Unit *u)
{
    EngineConfig cfg = {.fe = &the_frontend, .cpu_model = the_model, .space = &space, .interp = !u->jit || u->interp,
                        .one_insn = u->one_insn, .loops = u->loops, .loop_hot = u->loops, .no_opt = u->no_opt | (u->no_ufc ? OFF_UFC : 0), .cache_bytes = 16 << 20};
    u->engine = engine_new(&cfg);
    u->cpu = aligned_alloc(64, ALIGN_UP(sizeof *u->cpu, 64));
    memset(u->cpu, 0, sizeof *u->cpu);
    u->cpu->model = the_model;
    for (unsigned i = 0; i < LEN(u->cpu->pac_key); i++) {
        u->cpu->pac_key[i] = rng_mix(i);
    }
    int err = u->engine ? engine_cpu_init(u->engine, &u->cpu->h) : -ENOMEM;
    if (err < 0) {
        BUG("engine %s: %d", u->name, err);
    }
    if (!u->no_ufc) {
        engine_fpsr_watched(u->engine);
    }
    if (u->threads) {
        engine_share(u->engine);
        engine_add_key(u->engine, KEY_STRICT);
    }
}

/* A fault in translated code or in the engine's own interpreter; false: neither. */
static bool in_engine_fault(CpuHead *cpu, int sig, const siginfo_t *info, void *uc)
{
    SyncResult r = engine_sync(cpu, uc);
    if (r == SYNC_RETRY) {
        return true;
    }
    if (r != SYNC_PRECISE) {
        return false;
    }
    if (sig == SIGFPE) {
        engine_fp_trap(cpu, uc);
        return true;
    }
    if (sig == SIGSEGV && info->si_code == SI_KERNEL && engine_tbi_trap(cpu, uc)) {
        return true;
    }
    set_fault(info);
    engine_leave(cpu, uc, EXC_DATA);
    return true;
}

/* Has the process got its processor for half a second since this last said so? On a busy machine an alarm tells nothing. */
static bool has_worked(void)
{
    static int64_t since;
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    int64_t now = t.tv_sec * 1000 + t.tv_nsec / 1000000;
    bool worked = now - since > 500;
    since = worked ? now : since;
    return worked;
}

static void on_signal(int sig, siginfo_t *info, void *uc)
{
    if (sig == SIGALRM) {
        if (!has_worked()) {
            return;
        }
        if (in_engine && run_kicked == runs) {
            die("endless loop that does not poll", sig);
        } else if (in_engine && run_at_alarm == runs) {
            engine_kick(&in_engine->cpu->h);
            run_kicked = runs;
        }
        run_at_alarm = runs;
        return;
    }
    if (in_reference && sig != SIGFPE) {
        set_fault(info);
        siglongjmp(fault_exit, 1);
    }
    if (in_engine && in_engine_fault(&in_engine->cpu->h, sig, info, uc)) {
        return;
    }
    die("host signal", sig);
}

static void on_abort(int sig)
{
    die("assertion", sig);
}

void units_watch(void)
{
    struct itimerval each = {{2, 0}, {2, 0}};
    setitimer(ITIMER_REAL, &each, NULL);
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    stack_t ss = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
    sigaltstack(&ss, NULL);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGALRM};
    for (unsigned i = 0; i < LEN(faults); i++) {
        sigaction(faults[i], &sa, NULL);
    }
    signal(SIGABRT, on_abort);
    units_watch();
}

/* -- start ---------------------------------------------------------------------------------------------------------- */

void image_make(uint64_t memseed, uint8_t image[DIFF_IMAGE_SIZE])
{
    Rng g;
    rng_seed(&g, memseed);
    uint64_t *w = (uint64_t *)(void *)image;
    for (unsigned i = 0; i < DIFF_IMAGE_SIZE / 8; i++) {
        uint64_t r = rng(&g);
        w[i] = r & 7 ? rng(&g) : r & 8 ? DIFF_DATA + (r >> 40) % DIFF_IMAGE_SIZE : 0;
    }
}

static void unit_add(Unit as)
{
    Unit *u = &units[nunits++];
    *u = as;
    unit_renew(u);
}

void units_init(bool jit, const char *cpu)
{
    the_frontend = a64_frontend;
    the_model = a64_model(cpu);
    if (!the_model) {
        BUG("no CPU model %s", cpu);
    }
    units = calloc(MAX_TARGETS, sizeof *units);
    scratch = aligned_alloc(64, ALIGN_UP(ir_interp_bytes(IR_ROOM), 64));
    code_rw = map_twice(DIFF_CODE, DIFF_CODE_SIZE);
    ro_rw = map_twice(DIFF_RO, DIFF_RO_SIZE);
    void *rw = mmap((void *)(uintptr_t)DIFF_DATA, DIFF_RW_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if ((uintptr_t)rw != DIFF_DATA) {
        BUG("mmap: %d", errno);
    }
    catch_signals();
    unit_add((Unit){.name = "interp"});
    unit_add((Unit){.name = "interp-one", .variant = true, .one_insn = true});
    if (jit) {
        unit_add((Unit){.name = "jit", .jit = true, .no_ufc = true});
        unit_add((Unit){.name = "tier2", .jit = true, .no_ufc = true, .loops = true});
        unit_add((Unit){.name = "jit-one", .variant = true, .jit = true, .one_insn = true});
        unit_add((Unit){.name = "jit-ufc", .variant = true, .jit = true});
        unit_add((Unit){.name = "jit-avx2", .variant = true, .jit = true, .no_opt = OFF_AVX512});
        unit_add((Unit){.name = "jit-nocrypto", .variant = true, .jit = true, .no_opt = OFF_CRYPTO});
        unit_add((Unit){.name = "jit-nochain", .variant = true, .jit = true, .no_opt = OFF_CHAIN});
        unit_add((Unit){.name = "engine-interp", .variant = true, .jit = true, .interp = true});
        unit_add((Unit){.name = "jit-nosweep", .variant = true, .jit = true, .no_opt = OFF_SWEEP});
        static const struct {
            const char *name;
            uint32_t off;
        } passes[] = {{"tier2-noflags", OFF_LOOP_FLAGS}, {"tier2-nonarrow", OFF_LOOP_NARROW}, {"tier2-notemps", OFF_LOOP_TEMPS}};
        for (unsigned k = 0; k < LEN(passes); k++) {
            unit_add((Unit){.name = passes[k].name, .variant = true, .jit = true, .no_ufc = true, .loops = true, .no_opt = passes[k].off});
        }
        unit_add((Unit){.name = "jit-threads", .jit = true, .threads = true, .no_ufc = true});
    }
}
