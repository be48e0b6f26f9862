/* tier2.c - hot loops: counted in tier 1, translated as a whole, put in the place of the region at their head.
 *
 * A jump back in tier 1 (an exit_pc or exit_if to a lower address) is linked by way of its stub, which counts. Below zero the
 * stub leaves to the dispatcher, which comes here: first, soon, for the shape; then a few times to see whether it takes much
 * of the time; at last, to watch how often the loop is entered for so many rounds. Counting has its price in programs
 * with thousands of loops, so that most are not counted for long. What remains is translated.
 * That is done by the thread that found it hot, for no
 * longer than a share of the time that the program has run: a thread of its own would be seen by the guest (unshare,
 * setns, /proc, the end of the last task), and CPU time counts the same.
 * Publishing puts the new region under the same pc and key and removes the tier-1 region from the tables; exits to that
 * one go to the dispatcher once and are linked to the new one there. Threads inside the old one stay correct.
 * One thread at a time does that (Engine.loop_busy); others go on and count again.
 * What is not translated so, because it is no loop or too much code, is not tried again: Tb.no_loop.
 */
#include <sys/mman.h>
#include <time.h>

#include "log.h"
#include "tb.h"

enum { SHARE = 16, START_NS = 2000000 /* that much at once */ };

/* CPU time of the thread or of the process. */
static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool affordable(const Engine *e)
{
    uint64_t spent = __atomic_load_n(&e->stats.loop_ns, __ATOMIC_RELAXED);
    return e->loops_first || spent < START_NS || spent < cpu_ns(CLOCK_PROCESS_CPUTIME_ID) / SHARE;
}

/* In the place of what is there, unless another thread was faster. NULL: the code has changed meanwhile. */
static Tb *publish(Engine *e, CodeChunk *ch, Tb *tb, uint32_t seq)
{
    engine_lock(e);
    Tb *old = tb_find(e, tb->pc, tb->key, tb->at);
    bool good = e->seq == seq, late = good && old && old->tier == 2;
    if (good && !late) {
        ch->tbs[-1 - (int)ch->ntbs] = tb;
        __atomic_store_n(&ch->ntbs, ch->ntbs + 1, __ATOMIC_RELEASE);
        tb_publish(e, tb);
        if (old) {
            tb_remove(e, old);
        }
        e->stats.loops++;
        e->stats.loop_insns += tb->ninsns;
        e->stats.loop_bytes += tb->size;
    }
    codebuf_give(&e->code, ch, false);
    engine_unlock(e);
    return late ? old : good ? tb : NULL;
}

typedef struct Loops {
    Engine *e;
    uint64_t key;
} Loops;

static bool is_loop(const void *arg, uint64_t pc)
{
    const Loops *l = arg;
    const Tb *tb = tb_find(l->e, pc, l->key, pc);
    return tb && tb->tier == 2;
}

static void give(Engine *e, CodeChunk *ch, bool full)
{
    engine_lock(e);
    codebuf_give(&e->code, ch, full);
    engine_unlock(e);
}

static Tb *translate(Engine *e, CpuHead *cpu, uint64_t pc, uint64_t key)
{
    IrIns *ins = e->loop_work;
    uint8_t *rest = (uint8_t *)ins + ALIGN_UP(sizeof(IrIns) * LOOP_IR_CAP, 64);
    const Loops loops = {e, key};
    const TrStop stop = {is_loop, &loops, e->cfg.no_opt};
    IrRegion r;
    CodeChunk *ch = engine_take_chunk(e, cpu);
    for (unsigned max = LOOP_INSNS; max >= 16;) {
        uint32_t seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
        uint64_t threads = __atomic_load_n(&e->shared, __ATOMIC_RELAXED) ? KEY_SHARED : 0;
        if (!e->fe->translate_loop(e->cfg.cpu_model, e->cfg.space, &stop, gva(pc), key | threads, max, &r, ins, LOOP_IR_CAP)) {
            if (!r.nblocks) {
                break;
            }
            max /= 2;
            continue;
        }
        r.key = key;
        if (UNLIKELY(log_mask)) {
            engine_dump_ir(e, &r);
        }
        Tb *tb = target_compile(e, ch, &r, rest, LOOP_WORK_BYTES - (size_t)(rest - (uint8_t *)ins));
        if (tb == TB_TOO_BIG) {
            max = (r.ninsns < max ? r.ninsns : max) / 2;
        } else if (!tb) {
            give(e, ch, true);
            ch = engine_take_chunk(e, cpu);
        } else {
            tb->at = pc;
            Tb *there = publish(e, ch, tb, seq);
            if (!there) {
                ch = engine_take_chunk(e, cpu);
                continue;
            }
            if (there == tb) {
                engine_tell_made(e, tb, true);
            }
            return there;
        }
    }
    give(e, ch, false);
    __atomic_add_fetch(&e->stats.not_loops, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Takes the work memory; lock held. False: another thread has it, or there is none. */
static bool begin(Engine *e)
{
    if (e->loop_busy) {
        return false;
    }
    if (!e->loop_work) {
        void *p = mmap(NULL, LOOP_WORK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) {
            return false;
        }
        e->loop_work = p;
    }
    return e->loop_busy = true;
}

/* With the work memory: what to do with tb, whose jumps back have been counted. NULL: as before. */
static Tb *look(Engine *e, CpuHead *cpu, const Exit *x, Tb *tb, int stage)
{
    if (stage == LOOP_NOW) {
        tb->no_loop = true; /* whatever comes out, it is not done twice */
        return translate(e, cpu, tb->pc, tb->key);
    }
    const Tb *from = tb_of_host(e, codebuf_rx(&e->code, x->stub)); /* the jump back is in it */
    if (e->fe->is_loop(e->cfg.space, gva(tb->pc), gva(tb_last(from)), LOOP_INSNS, e->loop_work, LOOP_IR_CAP)) {
        tb->since = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
        tb->stage = LOOP_COUNTED;
    } else {
        tb->no_loop = true;
        __atomic_add_fetch(&e->stats.not_loops, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static int32_t rounds_of(int stage)
{
    return LOOP_LOOK << 2 * (stage - LOOP_COUNTED);
}

/* The next stage of a loop of good shape; lock held. A loop is worth a region when it takes its share of the time, again and
 * again, and goes on for some rounds each time. Others, the most of large programs, are not counted any longer. */
static void next_stage(Engine *e, Exit *x, Tb *tb)
{
    uint64_t now = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), work = (uint64_t)rounds_of(tb->stage) * tb->ninsns / 4; /* in ns */
    if (work < (now - tb->since) / LOOP_SHARE) {
        tb->no_loop = true;
        x->via = 0;
        return;
    }
    tb->since = now;
    if (work < LOOP_WORTH && tb->stage + 1 < LOOP_WATCHED) {
        x->count = rounds_of(++tb->stage);
        return;
    }
    tb->stage = LOOP_WATCHED;
    tb_unlink_in(e, tb);
    tb->entries = 0;
    x->count = WATCH_ROUNDS;
}

Tb *tier2_hot(Engine *e, CpuHead *cpu, Exit *x, Tb *tb)
{
    engine_lock(e);
    int stage = e->loops_first || tb->stage == LOOP_WATCHED ? LOOP_NOW : tb->stage;
    bool mine = false;
    x->count = (int32_t)e->cfg.loop_hot;
    if (e->code.shared) { /* a forked process copies no code for this, until it has enough of its own */
        engine_unlock(e);
        return tb;
    }
    tb_unlink(e, x);
    if (tb->tier != 1 || tb->no_loop) {
        x->via = 0;
    } else if (stage == LOOP_NEW || stage == LOOP_NOW) {
        mine = affordable(e) && begin(e);
    } else {
        next_stage(e, x, tb);
    }
    engine_unlock(e);
    if (!mine) {
        return tb;
    }
    uint64_t before = cpu_ns(CLOCK_THREAD_CPUTIME_ID), flushes = engine_flushes(e);
    Tb *loop = look(e, cpu, x, tb, stage);
    __atomic_add_fetch(&e->stats.loop_ns, cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before, __ATOMIC_RELAXED);
    __atomic_store_n(&e->loop_busy, false, __ATOMIC_RELEASE);
    return loop ? loop : engine_flushes(e) == flushes ? tb : NULL;
}
