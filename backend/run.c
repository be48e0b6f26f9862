/* run.c - the engine: set-up, the dispatcher loop, translation, invalidation, flush, fork.
 *
 * A thread alternates between translated code and engine_run(), which finds or makes the region for the current
 * pc, links the exit that led there, and fills the thread's jump cache. With EngineConfig.interp every region is
 * translated to IR each time and interpreted instead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "interp.h"
#include "log.h"
#include "region.h"
#include "tb.h"

/* -- lock ---------------------------------------------------------------------------------------------- */

void engine_lock(Engine *e)
{
    uint32_t zero = 0;
    if (engine_alone(e) || __atomic_compare_exchange_n(&e->lock.v, &zero, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return;
    }
    while (__atomic_exchange_n(&e->lock.v, 2, __ATOMIC_ACQUIRE)) {
        syscall(SYS_futex, &e->lock.v, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    }
}

void engine_unlock(Engine *e)
{
    if (!engine_alone(e) && __atomic_exchange_n(&e->lock.v, 0, __ATOMIC_RELEASE) == 2) {
        syscall(SYS_futex, &e->lock.v, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

/* -- set-up ----------------------------------------------------------------------------------------------- */

static void *pages_of_zero(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

Engine *engine_new(const EngineConfig *cfg)
{
    Engine *e = calloc(1, sizeof *e);
    if (!e) {
        return NULL;
    }
    e->cfg = *cfg;
    e->fe = cfg->fe;
    e->cfg.loops = cfg->loops && !cfg->one_insn && !cfg->max_insns;
    e->loops_first = cfg->loop_hot != 0;
    e->alone = !cfg->soft;
    e->cfg.loop_hot = cfg->loop_hot && cfg->loop_hot < INT32_MAX ? cfg->loop_hot : LOOP_LOOK;
    if (tb_init(e) < 0) {
        return NULL;
    }
    size_t size = cfg->cache_bytes ? cfg->cache_bytes : (size_t)256 << 20;
    if (!cfg->interp && (codebuf_init(&e->code, size) < 0 || target_init(e) < 0)) {
        return NULL;
    }
    profile_init(e);
    e->cache = cfg->interp || e->profile ? NULL : cache_open(e);
    return e;
}

/* What a thread owns besides its CPU structure; CpuHead.code_chunk. */
typedef struct Thread {
    SoftThread *soft;   /* first: soft_of */
    jmp_buf interp_out; /* where engine_leave goes while the interpreter runs */
    bool interp_runs;
    void *work;       /* WORK_BYTES */
    void *ret_map;
} Thread;

enum { JUMPS_BYTES = sizeof(JumpEntry) * ((1 << JUMP_CACHE_BITS) + (1 << FAR_JUMP_BITS)) };

/* A new cache is zero: that is empty (jump_none), except in entry 0, and 0 of the far ones. */
static void first_jumps(CpuHead *cpu)
{
    cpu->jumps[0].pc = cpu->jumps[1 << JUMP_CACHE_BITS].pc = jump_none(0);
}

static void clear_jumps(CpuHead *cpu)
{
    if (cpu->soft) {
        soft_clear_jumps(cpu);
        return;
    }
    madvise(cpu->jumps, JUMPS_BYTES, MADV_DONTNEED); /* few of its pages were ever touched */
    first_jumps(cpu);
}

int engine_cpu_init(Engine *e, CpuHead *cpu)
{
    size_t jumps = JUMPS_BYTES, page = 4096;
    size_t total = page + RET_STACK + jumps + WORK_BYTES + page;
    uint8_t *p = pages_of_zero(total);
    if (!p) {
        return -ENOMEM;
    }
    mprotect(p, page, PROT_NONE);
    cpu->engine = e;
    cpu->ret_base = p + page + RET_STACK - 16;
    cpu->jumps = (JumpEntry *)(p + page + RET_STACK);
    Thread *t = (Thread *)(p + page + RET_STACK + jumps);
    t->work = p + page + RET_STACK + jumps + page;
    t->ret_map = p;
    cpu->code_chunk = t;
    cpu->host_sp = NULL;
    cpu->last_exit = NULL;
    cpu->in_helper = 0;
    cpu->guest_mxcsr = 0;
    target_fp_control(cpu);
    cpu->key = e->fe->key(cpu, engine_added_key(e)) | engine_added_key(e);
    first_jumps(cpu);
    if (!e->cfg.interp) {
        target_ret_reset(e, cpu);
    }
    if (e->cfg.soft && soft_cpu_init(e, cpu) < 0) {
        munmap(p, total);
        return -ENOMEM;
    }
    engine_lock(e);
    if (e->ncpus == e->cpus_cap) {
        unsigned cap = e->cpus_cap ? 2 * e->cpus_cap : 64;
        CpuHead **more = pages_of_zero(cap * sizeof *more);
        if (!more) {
            engine_unlock(e);
            return -ENOMEM;
        }
        if (e->cpus) {
            memcpy(more, e->cpus, e->ncpus * sizeof *more);
            munmap(e->cpus, e->cpus_cap * sizeof *more);
        }
        e->cpus = more;
        e->cpus_cap = cap;
    }
    e->cpus[e->ncpus++] = cpu;
    if (e->ncpus > 1) {
        __atomic_store_n(&e->alone, false, __ATOMIC_RELEASE);
    }
    engine_unlock(e);
    return 0;
}

void engine_cpu_free(CpuHead *cpu)
{
    Engine *e = cpu->engine;
    engine_lock(e);
    for (unsigned k = 0; k < e->ncpus; k++) {
        if (e->cpus[k] == cpu) {
            e->cpus[k] = e->cpus[--e->ncpus];
            break;
        }
    }
    engine_unlock(e);
    Thread *t = cpu->code_chunk;
    if (e->cfg.soft) {
        soft_cpu_free(cpu);
    }
    munmap(t->ret_map, 4096 + RET_STACK + JUMPS_BYTES + WORK_BYTES + 4096);
    cpu->code_chunk = NULL;
}

/* -- translation ---------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t *pc_of(CpuHead *cpu)
{
    const Frontend *fe = cpu->engine->fe;
    return (uint64_t *)((uint8_t *)cpu + fe->slots[fe->pc_slot].offset);
}

static unsigned max_insns(const Engine *e, uint64_t key)
{
    if (e->cfg.one_insn || (key & KEY_ONE_INSN)) {
        return 1;
    }
    return e->cfg.max_insns ? e->cfg.max_insns : REGION_INSNS;
}

void engine_dump_ir(Engine *e, const IrRegion *r)
{
    if (log_on(LOG_in) && log_on_at(LOG_in, r->pc)) {
        uint32_t avail;
        for (int64_t off = -(int64_t)r->before; off + 4 <= (int64_t)r->nbytes; off += 4) {
            const uint8_t *p = e->cfg.space->fetch(e->cfg.space, gva_add(r->pc, off), &avail);
            uint32_t word;
            char text[128];
            if (!p) {
                break;
            }
            memcpy(&word, p, 4);
            e->fe->disas(gva_add(r->pc, off), word, text, sizeof text);
            log_printf("0x%llx:  %08x  %s\n", (unsigned long long)(r->pc.v + (uint64_t)off), word, text);
        }
    }
    if (log_on(LOG_ir) && log_on_at(LOG_ir, r->pc)) {
        ir_print(r, e->fe->slots, e->fe->helpers, log_stream());
    }
}

static void make_ir(Engine *e, void *work, uint64_t pc, uint64_t key, unsigned max, IrRegion *r)
{
    /* KEY_SHARED is no part of a Tb's key: what depends on it says so, and goes when it changes. */
    e->fe->translate(e->cfg.cpu_model, e->cfg.space, gva(pc), key | (__atomic_load_n(&e->shared, __ATOMIC_RELAXED) ? KEY_SHARED : 0), max, r, work, IR_CAP);
    r->key = key;
}

CodeChunk *engine_take_chunk(Engine *e, CpuHead *cpu)
{
    for (;;) {
        CodeChunk *ch = codebuf_take(e);
        if (ch) {
            return ch;
        }
        engine_flush(e, cpu);
    }
}

/* Publishes tb, made from r or, r being NULL, taken from the cache on disk or the pool, unless the code changed meanwhile (NULL: again) or another thread was faster. */
static Tb *publish(Engine *e, CodeChunk *ch, Tb *tb, uint32_t seq, const IrRegion *r, const uint64_t times[3])
{
    engine_lock(e);
    Tb *other = e->seq == seq ? tb_find(e, tb->pc, tb->key, tb->at) : NULL;
    bool good = e->seq == seq && !other;
    if (good) {
        ch->tbs[-1 - (int)ch->ntbs] = tb;
        __atomic_store_n(&ch->ntbs, ch->ntbs + 1, __ATOMIC_RELEASE);
        tb_publish(e, tb);
        sync_released(&e->seq);
    }
    void *record = ch->record;
    ch->record = NULL;
    if (good && !r) {
        e->stats.kept++;
        e->stats.kept_insns += tb->ninsns;
    } else if (good) {
        e->stats.tbs++;
        e->stats.guest_insns += tb->ninsns;
        e->stats.host_bytes += tb->size;
        e->stats.ir_ops += r->n;
        e->stats.frontend_ns += times[1] - times[0];
        e->stats.backend_ns += times[2] - times[1];
    }
    codebuf_give(&e->code, ch, false);
    engine_unlock(e);
    if (good && record) {
        cache_commit(e, record);
    }
    return good ? tb : other;
}

void engine_tell_made(Engine *e, const Tb *tb, bool dump)
{
    if (dump && log_on(LOG_out) && log_on_at(LOG_out, gva(tb->pc))) {
        target_dump(e, tb, log_stream());
    }
    if (UNLIKELY(e->cfg.code_made)) {
        e->cfg.code_made(gva(tb->pc), tb->entry, tb->size);
    }
}

Tb *engine_translate(Engine *e, CpuHead *cpu, uint64_t pc, uint64_t key, uint64_t at)
{
    Thread *t = cpu->code_chunk;
    bool timed = log_on(LOG_stats);
    uint64_t times[3] = {0};
    unsigned max = max_insns(e, key);
    uint8_t *rest = (uint8_t *)t->work + ALIGN_UP(sizeof(IrIns) * IR_CAP, 64);
    IrRegion r;
    CodeChunk *ch = engine_take_chunk(e, cpu);
    for (;;) {
        uint32_t seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
        bool kept = !(log_mask & (LOG_in | LOG_ir | LOG_out | LOG_profile));
        TbPool *pool = engine_pool(e);
        Tb *tb = kept && e->cache ? cache_load(e, ch, pc, key) : NULL;
        if (!tb && kept && pool) {
            tb = pool_load(e, pool, ch, pc, key);
        }
        if (tb) {
            Tb *mine = tb;
            tb = publish(e, ch, tb, seq, NULL, NULL);
            if (tb == mine) {
                engine_tell_made(e, tb, false);
            }
            if (tb) {
                return tb;
            }
            ch = engine_take_chunk(e, cpu);
            continue;
        }
        times[0] = timed ? now_ns() : 0;
        tb_expect(e, pc, key, at);
        if (e->cfg.soft) {
            e->cfg.soft->translating(cpu, (const uint8_t *)(uintptr_t)at);
        }
        make_ir(e, t->work, pc, key, max, &r);
        times[1] = timed ? now_ns() : 0;
        if (UNLIKELY(log_mask)) {
            engine_dump_ir(e, &r);
        }
        tb = target_compile(e, ch, &r, rest, WORK_BYTES - (size_t)(rest - (uint8_t *)t->work));
        times[2] = timed ? now_ns() : 0;
        if (tb == TB_TOO_BIG) {
            if (r.ninsns <= 1) {
                BUG("the instruction at %#llx needs more code than a region may have", (unsigned long long)pc);
            }
            max = r.ninsns / 2;
            continue;
        }
        if (!tb) {
            engine_lock(e);
            codebuf_give(&e->code, ch, true);
            engine_unlock(e);
            codebuf_reuse(e, cpu);
            ch = engine_take_chunk(e, cpu);
            continue;
        }
        Tb *mine = tb;
        tb->at = at;
        tb = publish(e, ch, tb, seq, &r, times);
        if (!tb) {
            ch = engine_take_chunk(e, cpu);
            continue;
        }
        if (tb == mine) {
            engine_tell_made(e, tb, true);
        }
        return tb;
    }
}

/* -d exec and -d cpu: a region is entered through the look-up. */
static void dump_entry(const Engine *e, const CpuHead *cpu, uint64_t pc)
{
    if (log_on_at(LOG_exec, gva(pc))) {
        log_printf("Trace %#llx\n", (unsigned long long)pc);
    }
    for (unsigned k = 0, n = 0; log_on_at(LOG_cpu, gva(pc)) && k < e->fe->nslots; k++) {
        const IrSlot *slot = &e->fe->slots[k];
        uint64_t value;
        if (slot->type == I64 && slot->offset >= sizeof *cpu) {
            memcpy(&value, (const uint8_t *)cpu + slot->offset, sizeof value);
            log_printf("%-9s %016llx%s", slot->name, (unsigned long long)value, ++n % 4 ? "  " : "\n");
        }
    }
    if (log_on_at(LOG_cpu, gva(pc))) {
        log_printf("\n");
    }
}

/* -- the loop -------------------------------------------------------------------------------------------------- */

enum { REKEYS = 64 /* so many need no key bit of their own: each costs some microseconds */ };

/* The exits that the engine sees to itself; true = go on. */
static bool engines_own(CpuHead *cpu, ExcKind k)
{
    if (k == EXC_REKEY) {
        if (__atomic_fetch_add(&cpu->engine->rekeys, 1, __ATOMIC_RELAXED) == REKEYS) {
            engine_add_key(cpu->engine, cpu->engine->fe->rekey_often);
        }
        engine_fpcr_changed(cpu);
        return true;
    }
    return false;
}

/* Finds where the code at pc is; false: it cannot be fetched, exit_kind says so. Without translation of addresses the
 * front end looks, for it has to say more. */
static inline bool code_at(const Engine *e, CpuHead *cpu, uint64_t pc, uint64_t *at)
{
    *at = pc;
    if (LIKELY(!e->cfg.soft)) {
        return true;
    }
    *at = (uint64_t)(uintptr_t)e->cfg.soft->code(cpu, gva(pc));
    if (!*at) {
        cpu->exit_kind = EXC_FETCH;
    }
    return *at != 0;
}

/* Between two instructions: what the engine itself and other CPUs asked for. True: somebody else wants the thread out. */
static bool serve_pending(CpuHead *cpu)
{
    uint64_t had = __atomic_fetch_and((uint64_t *)&cpu->pending, ~(uint64_t)(PENDING_ENGINE | PENDING_SOFT), __ATOMIC_ACQ_REL);
    if (had & PENDING_SOFT) {
        cpu->soft->requests(cpu);
    }
    return engine_pending(cpu);
}

/* One guest instruction from its own region in the interpreter; EXC_NONE when it is done. */
static ExcKind interpret_one(Engine *e, CpuHead *cpu, uint64_t key)
{
    Thread *t = cpu->code_chunk;
    IrRegion r;
    uint64_t at;
    if (!code_at(e, cpu, *pc_of(cpu), &at)) {
        return EXC_FETCH;
    }
    make_ir(e, t->work, *pc_of(cpu), key, 1, &r);
    if (!e->cfg.interp) {
        if (_setjmp(t->interp_out)) {
            frames_left();
            t->interp_runs = false;
            return (ExcKind)cpu->exit_kind;
        }
        t->interp_runs = true;
    }
    ExcKind k = ir_interp_run(e->fe, &r, cpu, e->cfg.space->base, (uint8_t *)t->work + ALIGN_UP(sizeof(IrIns) * IR_CAP, 64));
    t->interp_runs = e->cfg.interp;
    return k;
}

static ExcKind run_interp(Engine *e, CpuHead *cpu)
{
    Thread *t = cpu->code_chunk;
    if (_setjmp(t->interp_out)) {
        frames_left();
        return (ExcKind)cpu->exit_kind;
    }
    t->interp_runs = true;
    for (;;) {
        if (serve_pending(cpu)) {
            return (ExcKind)(cpu->exit_kind = EXC_PENDING);
        }
        IrRegion r;
        uint64_t at;
        cpu->key |= engine_added_key(e);
        if (!code_at(e, cpu, *pc_of(cpu), &at)) {
            return EXC_FETCH;
        }
        make_ir(e, t->work, *pc_of(cpu), cpu->key, max_insns(e, cpu->key), &r);
        if (UNLIKELY(log_mask)) {
            engine_dump_ir(e, &r);
        }
        uint8_t *rest = (uint8_t *)t->work + ALIGN_UP(sizeof(IrIns) * IR_CAP, 64);
        ExcKind k = ir_interp_run(e->fe, &r, cpu, e->cfg.space->base, rest);
        if (UNLIKELY(k == EXC_MARKED)) {
            k = interpret_one(e, cpu, cpu->key | KEY_ONE_INSN);
        }
        cpu->exit_kind = k;
        if (engines_own(cpu, k)) {
            k = EXC_NONE;
        }
        if (k != EXC_NONE || (cpu->key & KEY_ONE_INSN)) {
            return k == EXC_NONE ? (ExcKind)(cpu->exit_kind = EXC_STEP) : k;
        }
    }
}

static IrFlagsUse flags_use(const Engine *e, const IrRegion *r)
{
    IrFlagsUse use = FLAGS_UNTOUCHED;
    for (IrRef i = r->blocks[0].first; i < r->n && (use == FLAGS_UNTOUCHED || use == FLAGS_HANDED_ON); i++) {
        use = ir_flags_use(&r->ins[i], e->fe->nzcv_slot, e->fe->helpers);
    }
    return use;
}

/* A jump to where the flags are overwritten unread has not stored them. For who looks at a thread that left translated code for that,
 * it goes on until they are written, or somebody could look at them, who would find them. Tier 1 leaves out what four instructions overwrite,
 * tier 2 what is overwritten on all ways, so not where a loop never does. */
static void settle_flags(Engine *e, CpuHead *cpu)
{
    Thread *t = cpu->code_chunk;
    IrFlagsUse use = FLAGS_UNTOUCHED;
    const uint64_t *pc = pc_of(cpu);
    uint64_t before = 0; /* the pc after the last power of two of instructions */
    for (unsigned n = 0, most = e->cfg.loops ? LOOP_INSNS : 4; n < most && use != FLAGS_WRITTEN && *pc != before; n++) {
        before = n & (n - 1) ? before : *pc;
        IrRegion r;
        uint64_t at;
        if (!code_at(e, cpu, *pc, &at)) {
            break;
        }
        make_ir(e, t->work, *pc, cpu->key | KEY_ONE_INSN, 1, &r);
        use = flags_use(e, &r);
        if (use == FLAGS_LOOKED_AT) {
            break;
        }
        ir_interp_run(e->fe, &r, cpu, e->cfg.space->base, (uint8_t *)t->work + ALIGN_UP(sizeof(IrIns) * IR_CAP, 64));
    }
}

bool engine_in_interp(const CpuHead *cpu)
{
    const Thread *t = cpu->code_chunk;
    return t->interp_runs;
}

void engine_raise(CpuHead *cpu, ExcKind kind)
{
    cpu->exit_kind = kind;
    if (cpu->in_helper == IN_SOFT) {
        target_soft_state(cpu->engine, cpu);
    }
    cpu->in_helper = 0;
    if (engine_in_interp(cpu)) {
        engine_interp_out(cpu);
    }
    cpu->last_exit = NULL;
    cpu->ret_sp = (uint8_t *)cpu->ret_sp + 8; /* the helper's return address */
    target_raise(cpu->engine, cpu);
}

void engine_interp_out(CpuHead *cpu)
{
    Thread *t = cpu->code_chunk;
    _longjmp(t->interp_out, 1);
}

ExcKind engine_step(CpuHead *cpu)
{
    Engine *e = cpu->engine;
    Thread *t = cpu->code_chunk;
    if (e->cfg.interp) {
        if (_setjmp(t->interp_out)) {
            frames_left();
            return (ExcKind)cpu->exit_kind;
        }
        t->interp_runs = true;
    }
    ExcKind k = interpret_one(e, cpu, cpu->key | KEY_ONE_INSN);
    return (ExcKind)(cpu->exit_kind = k == EXC_NONE || engines_own(cpu, k) ? EXC_STEP : k);
}

/* -- marked instructions --------------------------------------------------------------------------------- */

/* The mark of a guest instruction; with `make`, a new one if there is room. Lock held when make. */
static Mark *mark_of(Engine *e, uint64_t pc, bool make)
{
    for (unsigned k = 0; k < 16; k++) {
        Mark *m = &e->marks[(jump_hash(pc) + k) % MARKS];
        uint64_t have = __atomic_load_n(&m->pc, __ATOMIC_ACQUIRE);
        if (have == pc) {
            return m;
        }
        if (!have) {
            if (make) {
                __atomic_store_n(&m->pc, pc, __ATOMIC_RELEASE);
                __atomic_fetch_add(&e->nmarks, 1, __ATOMIC_RELEASE);
            }
            return make ? m : NULL;
        }
    }
    return NULL;
}

unsigned engine_marks(Engine *e, uint64_t pc)
{
    const Mark *m = mark_of(e, pc, false);
    return m ? __atomic_load_n(&m->bits, __ATOMIC_RELAXED) : 0;
}

/* An instruction that a signal handler could not let pass: marks its place and does it in the interpreter. */
static ExcKind redo(Engine *e, CpuHead *cpu, unsigned why)
{
    uint64_t pc = *pc_of(cpu);
    bool again = false;
    engine_lock(e);
    Mark *m = mark_of(e, pc, true);
    if (m && !(m->bits & why) && (why == MARK_TBI || ++m->traps == FP_TRAPS_MAX)) {
        __atomic_or_fetch(&m->bits, (uint16_t)why, __ATOMIC_RELAXED);
        again = true;
    }
    e->stats.fp_traps += why == MARK_FP;
    engine_unlock(e);
    uint64_t at;
    if (again && code_at(e, cpu, pc, &at)) {
        engine_invalidate(e, gva(at), 4);
    }
    ExcKind k = interpret_one(e, cpu, cpu->key | KEY_ONE_INSN | (why == MARK_FP ? KEY_FP_SLOW : 0));
    if (why == MARK_FP) {
        target_fp_control(cpu);
    }
    return k;
}

/* Waits until a flush by another thread is over. */
static void wait_flush(Engine *e)
{
    while (__atomic_load_n(&e->flushing, __ATOMIC_ACQUIRE)) {
        syscall(SYS_futex, &e->flushing, FUTEX_WAIT_PRIVATE, 1, NULL, &(struct timespec){0, 1000000}, 0);
    }
}

#define ENTERING ((void *)1) /* CpuHead.host_sp of a thread that is about to enter */

/* Somebody wants the thread out; ran: since engine_run was called it has run translated code. */
static ExcKind leave_pending(Engine *e, CpuHead *cpu, bool ran)
{
    if (ran && !(cpu->key & KEY_ONE_INSN)) {
        (void)__atomic_exchange_n(&cpu->host_sp, ENTERING, __ATOMIC_SEQ_CST);
        serve_pending(cpu);
        settle_flags(e, cpu);
        __atomic_store_n(&cpu->host_sp, NULL, __ATOMIC_RELEASE);
    }
    return (ExcKind)(cpu->exit_kind = EXC_PENDING);
}

static void change_key(Engine *e, CpuHead *cpu, uint64_t key)
{
    cpu->key = key;
    cpu->last_exit = NULL;
    if (!e->cfg.interp) {
        engine_lock(e); /* a flush does the same */
        if (!cpu->soft) {
            clear_jumps(cpu);
        }
        target_ret_drop(e, cpu);
        engine_unlock(e);
    }
    if (cpu->soft) {
        soft_jumps(cpu);
    }
}

static void enter(const Engine *e, CpuHead *cpu)
{
    if (engine_alone(e)) {
        __atomic_store_n(&cpu->host_sp, ENTERING, __ATOMIC_RELAXED);
    } else {
        (void)__atomic_exchange_n(&cpu->host_sp, ENTERING, __ATOMIC_SEQ_CST);
    }
}

ExcKind engine_run(CpuHead *cpu)
{
    Engine *e = cpu->engine;
    if (e->cfg.interp) {
        if (e->cfg.soft) {
            (void)__atomic_exchange_n(&cpu->host_sp, ENTERING, __ATOMIC_SEQ_CST);
        }
        ExcKind k = run_interp(e, cpu);
        __atomic_store_n(&cpu->host_sp, NULL, __ATOMIC_RELEASE);
        return k;
    }
    uint64_t *pc = pc_of(cpu), flushes = engine_flushes(e);
    Exit *from = NULL;
    bool resync = false; /* a return went to an unexpected place */
    for (bool ran = false;; ran = true) {
        /* From here on a flush waits for this thread. */
        enter(e, cpu);
        if (UNLIKELY(engine_pending(cpu) || __atomic_load_n(&e->flushing, __ATOMIC_SEQ_CST))) {
            __atomic_store_n(&cpu->host_sp, NULL, __ATOMIC_RELEASE);
            bool out = serve_pending(cpu);
            wait_flush(e);
            from = NULL;
            if (out || engine_pending(cpu)) {
                return leave_pending(e, cpu, ran);
            }
            continue;
        }
        if (UNLIKELY(~cpu->key & engine_added_key(e))) {
            change_key(e, cpu, cpu->key | engine_added_key(e));
            from = NULL;
        }
        if (resync) {
            target_ret_resync(e, cpu, *pc);
            resync = false;
        }
        if (e->cfg.soft && !from && LIKELY(!log_mask)) { /* after an exception: where the last one of its kind went */
            const JumpEntry *j = &cpu->jumps[jump_hash(*pc)];
            if (__atomic_load_n(&j->pc, __ATOMIC_RELAXED) == *pc && !(cpu->key & KEY_ONE_INSN)) {
                cpu->last_exit = NULL;
                target_enter(e, cpu, j->host);
                goto left;
            }
        }
        uint64_t at;
        if (UNLIKELY(!code_at(e, cpu, *pc, &at))) {
            __atomic_store_n(&cpu->host_sp, NULL, __ATOMIC_RELEASE);
            return EXC_FETCH;
        }
        Tb *tb = tb_find(e, *pc, cpu->key, at);
        if (UNLIKELY(log_mask & LOG_stats)) {
            __atomic_add_fetch(&e->stats.lookups, 1, __ATOMIC_RELAXED);
        }
        if (!tb) {
            cpu->doing = DOING_TRANSLATE;
            tb = engine_translate(e, cpu, *pc, cpu->key, at);
            cpu->doing = DOING_RUN;
        }
        if (UNLIKELY(engine_flushes(e) != flushes)) { /* the exit's memory may be another's by now */
            from = NULL;
            flushes = engine_flushes(e);
        }
        if (UNLIKELY(from && from->count < 0)) {
            cpu->doing = DOING_TRANSLATE;
            tb = tier2_hot(e, cpu, from, tb);
            cpu->doing = DOING_RUN;
            if (engine_flushes(e) != flushes) {
                continue;
            }
        }
        if (from && !(e->cfg.no_opt & OFF_CHAIN) && (!e->cfg.soft || soft_may_link(e, from, tb))) {
            tb_link(e, from, tb);
        }
        if (!from || e->cfg.soft) { /* else it is linked, or will be, and an entry would only cost a page of the jump cache */
            tb_remember(cpu, tb);
        }
        if (UNLIKELY(log_mask & (LOG_exec | LOG_cpu))) {
            dump_entry(e, cpu, *pc);
        }
        cpu->last_exit = NULL;
        target_enter(e, cpu, tb->entry);
    left:
        frames_left(); /* of a helper that faulted */
        from = cpu->last_exit;
        sync_acquired(&e->seq); /* what led to the exit were jumps, by whoever linked them */
        if (UNLIKELY(cpu->exit_kind >= EXC_COUNT)) {
            uint32_t kind = cpu->exit_kind;
            cpu->exit_kind = EXC_NONE;
            if (kind == EXIT_RET_MISMATCH) {
                resync = true; /* not now: a flush may be under way */
            } else {
                cpu->exit_kind = redo(e, cpu, kind == EXIT_REDO_FP ? MARK_FP : MARK_TBI);
            }
        }
        if (UNLIKELY(cpu->exit_kind == EXC_MARKED)) {
            from = NULL;
            cpu->exit_kind = interpret_one(e, cpu, cpu->key | KEY_ONE_INSN);
        }
        if (cpu->exit_kind == EXC_PENDING) {
            uint64_t pending = engine_pending(cpu);
            if (pending & ~(uint64_t)(PENDING_ENGINE | PENDING_SOFT) || !pending) {
                return leave_pending(e, cpu, true);
            }
            from = NULL;
            continue;
        }
        if (UNLIKELY(engines_own(cpu, (ExcKind)cpu->exit_kind))) {
            cpu->exit_kind = EXC_NONE;
            from = NULL;
        }
        if (cpu->exit_kind != EXC_NONE) {
            return (ExcKind)cpu->exit_kind;
        }
        if (UNLIKELY(cpu->key & KEY_ONE_INSN)) {
            return (ExcKind)(cpu->exit_kind = EXC_STEP);
        }
    }
}

/* -- invalidation, flush, keys ------------------------------------------------------------------------------- */

static bool overlaps(const Tb *tb, uint64_t start, uint64_t last)
{
    return tb_first(tb) <= last && tb_last(tb) >= start;
}

static void invalidate_list(Engine *e, Tb *tb, uint64_t start, uint64_t last)
{
    while (tb) {
        Tb *next = tb->place_next;
        if (overlaps(tb, start, last)) {
            tb_remove(e, tb);
            e->rewritten++;
        }
        tb = next;
    }
}

void engine_invalidate(Engine *e, Gva start, uint64_t len)
{
    if (!len || e->cfg.interp) {
        return;
    }
    uint64_t last = start.v + len - 1;
    if (len <= 4096 && !tb_is_near(e, start.v, last)) {
        return;
    }
    engine_lock(e);
    __atomic_add_fetch(&e->seq, 1, __ATOMIC_RELEASE);
    /* a region is in the list of its first byte: look as far back as the longest one reaches */
    uint64_t first = start.v > e->longest ? (start.v - e->longest) >> PLACE_BITS : 0, n = (last >> PLACE_BITS) - first + 1;
    bool all = n > 1u << e->places->bits;
    for (uint64_t k = 0; k < (all ? 1u << e->places->bits : n); k++) {
        invalidate_list(e, all ? e->places->lists[k] : *place_list(e->places, (first + k) << PLACE_BITS), start.v, last);
    }
    if (UNLIKELY(!e->pool && e->rewritten >= POOL_AFTER)) {
        __atomic_store_n(&e->pool, pool_open(e), __ATOMIC_RELEASE);
        e->rewritten = 0;
    }
    engine_unlock(e);
}

/* Forgets all translations. Every other thread is brought out of translated code first; the caller is out. */
void engine_flush(Engine *e, CpuHead *cpu)
{
    uint64_t before = engine_flushes(e);
    while (__atomic_exchange_n(&e->flushing, 1, __ATOMIC_SEQ_CST)) {
        do { /* the other one waits for this thread; and so must the next one */
            __atomic_store_n(&cpu->host_sp, NULL, __ATOMIC_RELEASE);
            wait_flush(e);
            (void)__atomic_exchange_n(&cpu->host_sp, ENTERING, __ATOMIC_SEQ_CST);
        } while (__atomic_load_n(&e->flushing, __ATOMIC_SEQ_CST));
        if (engine_flushes(e) != before) {
            return; /* somebody else did it */
        }
    }
    for (;;) {
        bool inside = false;
        engine_lock(e);
        for (unsigned k = 0; k < e->ncpus; k++) {
            CpuHead *c = e->cpus[k];
            if (c != cpu && __atomic_load_n(&c->host_sp, __ATOMIC_SEQ_CST)) {
                __atomic_or_fetch((uint64_t *)&c->pending, PENDING_ENGINE, __ATOMIC_ACQ_REL);
                inside = true;
            }
        }
        if (!inside) {
            break;
        }
        engine_unlock(e);
        if (cpu->soft) { /* one of them may wait for this thread */
            cpu->soft->requests(cpu);
        }
        usleep(50);
    }
    tb_forget_all(e);
    for (unsigned k = 0; k < e->ncpus; k++) {
        clear_jumps(e->cpus[k]);
        target_ret_reset(e, e->cpus[k]);
    }
    codebuf_reset(&e->code);
    __atomic_add_fetch(&e->stats.flushes, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&e->seq, 1, __ATOMIC_RELEASE);
    engine_unlock(e);
    __atomic_store_n(&e->flushing, 0, __ATOMIC_RELEASE);
    syscall(SYS_futex, &e->flushing, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

void engine_fpcr_changed(CpuHead *cpu)
{
    Engine *e = cpu->engine;
    uint64_t key = e->fe->key(cpu, engine_added_key(e)) | engine_added_key(e);
    target_fp_control(cpu);
    if (key != cpu->key) {
        change_key(e, cpu, key);
    }
}

void engine_add_key(Engine *e, uint64_t bits)
{
    engine_lock(e);
    __atomic_or_fetch(&e->add_key, bits, __ATOMIC_RELEASE);
    for (unsigned k = 0; k < e->ncpus; k++) {
        __atomic_or_fetch((uint64_t *)&e->cpus[k]->pending, PENDING_ENGINE, __ATOMIC_ACQ_REL);
    }
    engine_unlock(e);
}

bool engine_key_everywhere(Engine *e, uint64_t bits)
{
    if (LIKELY(!(~__atomic_load_n(&e->key_everywhere, __ATOMIC_RELAXED) & bits))) {
        return true;
    }
    bool all = true;
    engine_lock(e);
    for (unsigned k = 0; k < e->ncpus; k++) {
        CpuHead *c = e->cpus[k];
        all = all && (!__atomic_load_n(&c->host_sp, __ATOMIC_SEQ_CST) || !(~__atomic_load_n(&c->key, __ATOMIC_ACQUIRE) & bits));
    }
    if (all) {
        __atomic_or_fetch(&e->key_everywhere, bits, __ATOMIC_RELAXED);
    }
    engine_unlock(e);
    return all;
}

void engine_fpsr_watched(Engine *e)
{
    if (!e->cfg.interp && !(e->cfg.no_opt & OFF_UFC) && !(engine_added_key(e) & KEY_FP_UFC)) {
        engine_add_key(e, KEY_FP_UFC);
    }
}

uint32_t engine_fpsr(CpuHead *cpu)
{
    return target_fpsr(cpu);
}

void engine_set_fpsr(CpuHead *cpu, uint32_t fpsr)
{
    target_set_fpsr(cpu, fpsr);
}

void engine_share(Engine *e)
{
    if (__atomic_load_n(&e->shared, __ATOMIC_RELAXED)) {
        return;
    }
    engine_lock(e);
    __atomic_store_n(&e->shared, true, __ATOMIC_RELEASE);
    __atomic_add_fetch(&e->seq, 1, __ATOMIC_RELEASE);
    for (unsigned k = 0; k < 1u << e->places->bits; k++) {
        for (Tb *tb = e->places->lists[k], *next; tb; tb = next) {
            next = tb->place_next;
            if (tb->unshared) {
                tb_remove(e, tb); /* returns go on by exits, too: all ways into it are cut */
            }
        }
    }
    engine_unlock(e);
}

void engine_log_stats(const Engine *e)
{
    const EngineStats *s = &e->stats;
    profile_log(e);
    if (!log_on(LOG_stats)) {
        return;
    }
    double insns = s->guest_insns ? (double)s->guest_insns : 1;
    log_printf("regions %llu, guest instructions %llu, IR ops %.2f and host bytes %.1f each\n", (unsigned long long)s->tbs,
               (unsigned long long)s->guest_insns, (double)s->ir_ops / insns, (double)s->host_bytes / insns);
    if (e->cache || e->pool) {
        log_printf("from the cache: regions %llu, guest instructions %llu; of the regions, %llu from the pool\n", (unsigned long long)s->kept,
                   (unsigned long long)s->kept_insns, (unsigned long long)s->again);
    }
    log_printf("translation %.3f ms: front end %.3f, back end %.3f us per guest instruction\n",
               (double)(s->frontend_ns + s->backend_ns) / 1e6, (double)s->frontend_ns / 1e3 / insns,
               (double)s->backend_ns / 1e3 / insns);
    if (s->loops + s->not_loops) {
        insns = s->loop_insns ? (double)s->loop_insns : 1;
        log_printf("loops %llu (refused %llu), guest instructions %llu, host bytes %.1f and %.3f us each, %.3f ms\n",
                   (unsigned long long)s->loops, (unsigned long long)s->not_loops, (unsigned long long)s->loop_insns,
                   (double)s->loop_bytes / insns, (double)s->loop_ns / 1e3 / insns, (double)s->loop_ns / 1e6);
    }
    log_printf("links %llu, look-ups %llu, flushes %llu, FP traps %llu\n", (unsigned long long)s->links,
               (unsigned long long)s->lookups, (unsigned long long)s->flushes, (unsigned long long)s->fp_traps);
}

bool engine_owns(const Engine *e, const void *addr)
{
    const uint8_t *p = addr;
    return (p >= e->code.rx && p < e->code.rx + 2 * e->code.size) || (p >= e->code.rw && p < e->code.rw + e->code.size);
}

/* -- fork ------------------------------------------------------------------------------------------------------- */

void engine_fork_prepare(Engine *e)
{
    engine_lock(e);
    while (e->code.taken) { /* a copy of half-written code would be wrong */
        engine_unlock(e);
        usleep(20);
        engine_lock(e);
    }
    if (!e->cfg.interp) {
        codebuf_forked(&e->code);
    }
}

void engine_fork_parent(Engine *e)
{
    engine_unlock(e);
}

int engine_fork_child(Engine *e, CpuHead *cpu)
{
    e->cpus[0] = cpu; /* the other threads are gone */
    e->ncpus = 1;
    e->flushing = 0;
    e->loop_busy = false; /* a thread that is gone may have been about to begin */
    engine_unlock(e);
    return 0;
}
