/* helpers.c - C functions that translated A64 code calls; their rows, with effects, are in helpers.def.
 *
 * A helper runs on the C stack with all slots of its row's effects in the CPU structure. It reaches guest memory
 * through guest_ptr(), where a fault is the guest's and is raised at the instruction that called.
 */
#include "helpers.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

/* Host address of a guest address for an access (ACC_*); the top byte is ignored (TBI). The host does not say where an access
 * beyond its address space went: exit_addr does (engine_tbi_trap). After writing there: guest_wrote. */
static void *guest_ptr(CpuA64 *cpu, uint64_t address, uint32_t acc)
{
    if (cpu->h.soft) {
        return cpu->h.soft->access(&cpu->h, address, acc);
    }
    cpu->h.exit_addr = address;
    return (void *)(uintptr_t)(address & bits_mask(56));
}

static void guest_wrote(CpuA64 *cpu)
{
    if (cpu->h.soft) {
        cpu->h.soft->commit(&cpu->h);
    }
}

enum { ACC_RMW = ACC_READ | ACC_WRITE | ACC_ATOMIC };

/* -- caches ----------------------------------------------------------------------- */

void h_ic_ivau(CpuA64 *cpu, uint64_t address, uint64_t space)
{
    const Space *s = (const Space *)(uintptr_t)space;
    if (s->code_changed) {
        s->code_changed(&cpu->h, gva(address & bits_mask(56)));
    }
}

/* -- restartable sequences (tr_critical.c) ----------------------------------------------------------------- */

static uint32_t critical_store(CpuA64 *cpu, uint64_t address, const uint64_t value[2], uint64_t critical_and_size)
{
    const Critical *c = (const Critical *)(uintptr_t)(critical_and_size & ~(uint64_t)7);
    return !c->store(&cpu->h, c, (uintptr_t)guest_ptr(cpu, address, (critical_and_size & 7) | ACC_WRITE), value, critical_and_size & 7);
}

uint32_t h_critical_store(CpuA64 *cpu, uint64_t address, uint64_t value, uint64_t critical_and_size)
{
    const uint64_t v[2] = {value, 0};
    return critical_store(cpu, address, v, critical_and_size);
}

uint32_t h_critical_store_v(CpuA64 *cpu, uint64_t address, const V128 *value, uint64_t critical_and_size)
{
    return critical_store(cpu, address, value->d, critical_and_size);
}

/* -- time, random numbers ------------------------------------------------------------------------------------ */

/* One count is a nanosecond: CNTFRQ_EL0 in sysregs.def. */
uint64_t h_cntvct(CpuA64 *cpu)
{
    struct timespec now;
    if (cpu->sys) {
        return cpu->sys->hooks->read(cpu, SR_CNTVCT_EL0);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void h_space_call(CpuA64 *cpu, uint64_t space, uint32_t imm)
{
    ((const Space *)(uintptr_t)space)->call(&cpu->h, imm);
}

uint64_t h_rndr(CpuA64 *cpu)
{
    (void)cpu;
    uint64_t v = 0;
    while (syscall(SYS_getrandom, &v, sizeof v, 0) != (long)sizeof v) {
    }
    return v;
}

/* -- floating-point control and status (DDI 0487 C5.2.8, C5.2.10) -------------------------------------------- */

enum { FPCR_BITS = 0x07c00000, FPCR_FZ16 = 1 << 19, FPSR_BITS = 0x0800009f };

void h_fpcr_write(CpuA64 *cpu, uint32_t fpcr)
{
    bool fp16 = cpu->model->feats[A64_FEAT_fp16 / 64] >> (A64_FEAT_fp16 % 64) & 1;
    cpu->h.fp.fpcr = fpcr & (FPCR_BITS | (fp16 ? FPCR_FZ16 : 0));
    engine_fpcr_changed(&cpu->h);
}

/* A kernel that switches tasks accesses it without interest. */
static void fpsr_watched(CpuA64 *cpu)
{
    if (!cpu->sys || a64_el(cpu) == 0) {
        engine_fpsr_watched(cpu->h.engine);
    }
}

uint32_t h_fpsr_read(CpuA64 *cpu)
{
    fpsr_watched(cpu);
    return engine_fpsr(&cpu->h);
}

void h_fpsr_write(CpuA64 *cpu, uint32_t fpsr)
{
    fpsr_watched(cpu);
    engine_set_fpsr(&cpu->h, fpsr & FPSR_BITS);
}

/* -- pointer authentication ------------------------------------------------------------------------------------ */

uint64_t pac_hash(const uint64_t key[2], uint64_t value, uint64_t modifier)
{
    uint64_t h = (value ^ key[0]) * PAC_FACTOR1;
    return ((h ^ h >> 32) + (modifier ^ key[1])) * PAC_FACTOR2;
}

uint64_t h_pac_generic(CpuA64 *cpu, uint64_t value, uint64_t modifier)
{
    return pac_hash(&cpu->pac_key[2 * PAC_GA], value, modifier) & ~bits_mask(32);
}

/* -- exclusives and wide atomics ------------------------------------------------------------------------------- */

static uint64_t granule_of(const Space *s, uint64_t address)
{
    return address >> 4 & bits_mask(s->mark_bits ? s->mark_bits : STORE_MARK_BITS);
}

static Space *space_of(uint64_t *marks)
{
    return (Space *)((uint8_t *)marks - offsetof(Space, store_marks));
}

static uint32_t *lock_granule(Space *s, uint64_t granule)
{
    uint32_t *l = &s->mark_locks[granule % LEN(s->mark_locks)];
    while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
    return l;
}

static void unlock(uint32_t *l)
{
    __atomic_store_n(l, 0, __ATOMIC_RELEASE);
}

/* The marks that a monitor needs: those of its granule and of the one before. Locked in the order of their locks. */
typedef struct Marks {
    uint64_t *own, *before;
    uint32_t *lock[2];
    bool breaks; /* a store-exclusive ends the monitors of the granule */
} Marks;

static Marks lock_marks(Space *s, uint64_t address)
{
    uint64_t own = granule_of(s, address), before = granule_of(s, address - 16);
    bool later = before % LEN(s->mark_locks) > own % LEN(s->mark_locks);
    Marks m = {.own = &s->store_marks[own], .before = &s->store_marks[before]};
    m.lock[0] = lock_granule(s, later ? own : before);
    m.lock[1] = lock_granule(s, later ? before : own);
    return m;
}

static void unlock_marks(const Marks *m)
{
    if (m->breaks) {
        __atomic_store_n(m->own, 0, __ATOMIC_RELEASE);
    }
    unlock(m->lock[1]);
    unlock(m->lock[0]);
}

void h_excl_strict(CpuA64 *cpu)
{
    engine_add_key(cpu->h.engine, KEY_STRICT);
}

/* A store of up to 16 bytes that reaches the granule begins in it or in the one before. While another thread may still be in
 * code that does not look at marks, the monitor is one that no store-exclusive finds open. The marks are seen by all before the load. */
void h_excl_open(CpuA64 *cpu, uint64_t address, uint64_t space)
{
    Space *s = (Space *)(uintptr_t)space;
    Marks m = lock_marks(s, address);
    cpu->excl_ticket = __atomic_add_fetch(&s->last_ticket, 1, __ATOMIC_SEQ_CST);
    cpu->excl_writes = __atomic_load_n(&s->kernel_writes, __ATOMIC_SEQ_CST) - !engine_key_everywhere(cpu->h.engine, KEY_STRICT);
    __atomic_store_n(m.own, cpu->excl_ticket, __ATOMIC_RELAXED);
    __atomic_store_n(m.before, cpu->excl_ticket, __ATOMIC_SEQ_CST);
    unlock_marks(&m);
}

void h_excl_break(CpuA64 *cpu, uint64_t address, uint64_t space)
{
    Space *s = (Space *)(uintptr_t)space;
    uint64_t granule = granule_of(s, address), *mark = &s->store_marks[granule];
    uint32_t *l = lock_granule(s, granule);
    if (cpu->excl_addr == ~(uint64_t)0 || *mark != cpu->excl_ticket) {
        __atomic_store_n(mark, 0, __ATOMIC_RELEASE);
    }
    unlock(l);
}

/* Takes the monitor, under the lock of its marks, which is kept until the store is made or not: was it open for this access? Then *p is
 * where to store, in a page that was written to before, so that the store does not fault. The monitor is closed afterwards in any
 * case. The store breaks those of others, but not before it is made: a mark keeps plain stores waiting. Without a monitor the attempt breaks
 * them, too, lest a mark that nobody waits for is in the way for ever. */
static bool monitor_take(CpuA64 *cpu, uint64_t address, unsigned log2size, Space *s, Marks *m, void **p)
{
    uint64_t bytes = UINT64_C(1) << log2size;
    bool fits = cpu->excl_addr == address && cpu->excl_size == bytes, open = fits;
    if (cpu->excl_addr == address && cpu->excl_size == (bytes | EXCL_WAIT)) {
        h_excl_strict(cpu);
    }
    *p = open ? guest_ptr(cpu, address, ACC_RMW | log2size) : NULL; /* the last thing that can leave in system mode */
    if (open) {
        __atomic_fetch_or((uint8_t *)*p, 0, __ATOMIC_RELAXED);
    }
    *m = lock_marks(s, address);
    if (open && cpu->excl_ticket) {
        open = __atomic_load_n(m->own, __ATOMIC_SEQ_CST) == cpu->excl_ticket &&
               __atomic_load_n(m->before, __ATOMIC_SEQ_CST) == cpu->excl_ticket &&
               __atomic_load_n(&s->kernel_writes, __ATOMIC_SEQ_CST) == cpu->excl_writes;
    }
    m->breaks = open || !fits;
    cpu->excl_addr = ~(uint64_t)0;
    return open;
}

static bool store_if(void *p, uint64_t old, uint64_t value, unsigned log2size)
{
    switch (log2size) {
    case 0: return __sync_bool_compare_and_swap((uint8_t *)p, (uint8_t)old, (uint8_t)value);
    case 1: return __sync_bool_compare_and_swap((uint16_t *)p, (uint16_t)old, (uint16_t)value);
    case 2: return __sync_bool_compare_and_swap((uint32_t *)p, (uint32_t)old, (uint32_t)value);
    default: return __sync_bool_compare_and_swap((uint64_t *)p, old, value);
    }
}

uint32_t h_excl_store(CpuA64 *cpu, uint64_t address, uint64_t value, uint64_t marks_and_size)
{
    unsigned log2size = marks_and_size & 7;
    Marks m;
    void *p;
    bool open = monitor_take(cpu, address, log2size, space_of((uint64_t *)(uintptr_t)(marks_and_size & ~(uint64_t)7)), &m, &p);
    bool stored = open && store_if(p, cpu->excl_lo, value, log2size);
    unlock_marks(&m);
    guest_wrote(cpu);
    return !stored;
}

#ifdef __x86_64__
#define WITH_CAS16 __attribute__((target("cx16")))
#else
#define WITH_CAS16
#endif

typedef unsigned __int128 Wide;

static Wide wide(const V128 *v)
{
    return (Wide)v->d[1] << 64 | v->d[0];
}

WITH_CAS16 uint32_t h_excl_store_pair(CpuA64 *cpu, uint64_t address, const V128 *value, uint64_t marks)
{
    Marks m;
    void *p;
    bool open = monitor_take(cpu, address, M128, space_of((uint64_t *)(uintptr_t)marks), &m, &p);
    Wide old = (Wide)cpu->excl_hi << 64 | cpu->excl_lo;
    bool stored = open && __sync_bool_compare_and_swap((Wide *)p, old, wide(value));
    unlock_marks(&m);
    guest_wrote(cpu);
    return !stored;
}

WITH_CAS16 void h_rmw128(CpuA64 *cpu, V128 *old, uint64_t address, const V128 *value, uint32_t op)
{
    Wide *p = guest_ptr(cpu, address, ACC_RMW | M128), seen = 0, v = wide(value), was;
    for (;;) {
        Wide next = op == RMW_SWP ? v : op == RMW_SET ? seen | v : seen & ~v;
        was = __sync_val_compare_and_swap(p, seen, next);
        if (was == seen) {
            break;
        }
        seen = was;
    }
    guest_wrote(cpu);
    old->d[0] = (uint64_t)was;
    old->d[1] = (uint64_t)(was >> 64);
}
