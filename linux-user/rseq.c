/* rseq.c - restartable sequences: the host's kernel serves the guest's registration.
 *
 * The guest's struct rseq is registered with the host as it is, so the kernel keeps its CPU numbers fresh. In its field
 * rseq_cs the guest announces a descriptor with guest addresses. The host's pc is never between those; so at
 * each preemption, migration or signal the kernel finds the thread outside of the sequence and clears the field: that is
 * how armx learns of it. What is left to do is to let no store of a sequence happen after that, not even when the
 * thread loses its processor between the look at the field and the store. So each of these stores (tr_critical.c finds
 * them) is a sequence of the host's own, three instructions with a descriptor of their own in the same field
 * (rseq_store_* in safe_call.S): put that there if the guest's is still in the field; store; put the guest's back.
 *
 * A sequence is known from when code that forms its descriptor's address was first translated. Entries are never taken
 * out, since translated code refers to them; one whose descriptor is gone counts for nothing.
 *
 * Locks: `lock` for adding. Readers see `count` entries.
 */
#include "rseq.h"

#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/rseq.h>

#include "sys.h"

enum { SEQUENCES = 1024, UNREGISTER = 1, AT_RSEQ_FEATURE_SIZE_ = 27, RSEQ_CS = 8 /* offset of the field */ };
#define SIGNATURE_A64 0xd428bc00u /* RSEQ_SIG of arm64; safe_call.S has it, too */

typedef struct Descriptor {
    uint32_t version, flags;
    uint64_t start, length, abort;
} Descriptor;

static Critical known[SEQUENCES];
static uint32_t count;
static Mutex lock;

/* Store of 1, 2, 4, 8, 16 bytes if the field holds `armed`; 0, or 1 when it does not, or no longer. */
typedef int StoreFn(uint64_t *field, uint64_t armed, uint64_t address, uint64_t low, uint64_t high);
StoreFn rseq_store_0, rseq_store_1, rseq_store_2, rseq_store_3, rseq_store_4;

static bool read_descriptor(uint64_t address, Descriptor *d)
{
    uint32_t signature;
    return address % 32 == 0 && address >= PAGE && get_user(d, address, sizeof *d) == 0 && !d->version && d->length - 1 < 1 << 16 &&
           (d->start & 3) == 0 && d->start >= PAGE && d->start < VA_END && d->abort >= PAGE + 4 && d->abort < VA_END && d->abort - d->start >= d->length &&
           get_user(&signature, d->abort - 4, 4) == 0 && signature == SIGNATURE_A64;
}

static const Critical *find(uint64_t pc)
{
    uint32_t n = __atomic_load_n(&count, __ATOMIC_ACQUIRE);
    Descriptor d;
    for (const Critical *c = known; c < known + n; c++) {
        if (pc >= c->start && pc < c->end && read_descriptor(c->descriptor, &d) && d.start == c->start) {
            return c;
        }
    }
    return NULL;
}

static const Critical *critical(const Space *s, Gva pc)
{
    (void)s;
    return find(pc.v);
}

static bool plain_store(uint64_t address, const uint64_t value[2], unsigned log2size)
{
    switch (log2size) {
    case 0: *(volatile uint8_t *)address = (uint8_t)value[0]; break;
    case 1: *(volatile uint16_t *)address = (uint16_t)value[0]; break;
    case 2: *(volatile uint32_t *)address = (uint32_t)value[0]; break;
    case 3: *(volatile uint64_t *)address = value[0]; break;
    default: memcpy((void *)address, value, 16); break;
    }
    return true;
}

static bool store(CpuHead *cpu, const Critical *c, uint64_t address, const uint64_t value[2], unsigned log2size)
{
    static StoreFn *const by_size[] = {rseq_store_0, rseq_store_1, rseq_store_2, rseq_store_3, rseq_store_4};
    const Thread *t = cpu->user;
    Descriptor d;
    if (!t->rseq) {
        return plain_store(address, value, log2size);
    }
    uint64_t *field = (uint64_t *)(t->rseq + RSEQ_CS), armed = __atomic_load_n(field, __ATOMIC_RELAXED);
    if (!armed) {
        return false;
    }
    if (armed != c->descriptor && !(read_descriptor(armed, &d) && d.start == c->start)) {
        return plain_store(address, value, log2size); /* the guest itself has put another there */
    }
    return by_size[log2size](field, armed, address, value[0], value[1]) == 0;
}

static void described(Space *s, Gva address)
{
    Descriptor d;
    if (!read_descriptor(address.v, &d) || find(d.start)) {
        return;
    }
    mutex_lock(&lock);
    bool room = count < SEQUENCES;
    if (room) {
        known[count] = (Critical){.start = d.start, .end = d.start + d.length, .abort = d.abort, .descriptor = address.v, .store = store};
        __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
        s->critical = critical;
    }
    mutex_unlock(&lock);
    if (room) {
        engine_invalidate(process.engine, gva(d.start), d.length);
    }
}

void rseq_signal(Thread *t)
{
    const Critical *c = UNLIKELY(t->rseq != 0) && count ? find(guest_pc(t)) : NULL;
    uint64_t none = 0;
    if (c && put_user(t->rseq + RSEQ_CS, &none, sizeof none) == 0) {
        cpu_a64(t)->pc = c->abort;
    }
}

void rseq_init(void)
{
    uint64_t size = getauxval(AT_RSEQ_FEATURE_SIZE_);
    uint8_t *area = (uint8_t *)__builtin_thread_pointer() + __rseq_offset;
    if (__rseq_size) {
        raw_call(__NR_rseq, area, size > 32 ? ALIGN_UP(size, 32) : 32, UNREGISTER, RSEQ_SIG);
    }
}

int64_t sys_rseq(Thread *t, uint64_t a[6])
{
    bool off = a[2] & UNREGISTER;
    if (process.opt.gdb) {
        return -ENOSYS; /* a watchpoint on the page would keep the kernel from writing there */
    }
    if (!off && (uint32_t)a[3] != SIGNATURE_A64) {
        return -EINVAL;
    }
    int64_t r = sys_host6(t, __NR_rseq, a);
    if (r == 0) {
        t->rseq = off ? 0 : a[0];
        process.space.described = described;
    }
    return r;
}
