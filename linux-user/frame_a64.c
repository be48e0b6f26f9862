/* frame_a64.c - signal frames of AArch64 as Linux lays them out (arch/arm64, uapi sigcontext.h), for a CPU without SVE.
 *
 *   sp + 0      siginfo, 128 bytes
 *   sp + 128    ucontext: flags, link, stack, mask; at +176 sigcontext: fault address, X0-X30, SP, PC, PSTATE;
 *               at +464 4096 bytes of records: fpsimd, esr (when a fault was ever taken), end
 *   above       frame record {X29, X30}, so that unwinding by frame pointer goes on in the interrupted code
 * The handler returns to the vDSO's __kernel_rt_sigreturn unless the guest gave a restorer of its own.
 */
#include "sig.h"
#include "altstack.h"

enum { FPSIMD_MAGIC = 0x46508001, ESR_MAGIC = 0x45535201, EXTRA_MAGIC = 0x45585401, RESERVED = 4096 };

typedef struct Record {
    uint32_t magic, size;
} Record;

typedef struct FpsimdRecord {
    Record head;
    uint32_t fpsr, fpcr;
    V128 v[32];
} FpsimdRecord;
_Static_assert(sizeof(FpsimdRecord) == 528, "fpsimd_context");

typedef struct Frame {
    SigInfo info;
    uint64_t uc_flags, uc_link;
    AltStack uc_stack;
    uint64_t uc_mask;
    uint8_t unused[128];
    uint64_t fault_address __attribute__((aligned(16)));
    uint64_t regs[31], sp, pc, pstate;
    uint8_t reserved[RESERVED] __attribute__((aligned(16)));
} Frame;
_Static_assert(offsetof(Frame, fault_address) == 128 + 176 && offsetof(Frame, reserved) == 128 + 464, "rt_sigframe");
_Static_assert(sizeof(Frame) == 4688, "rt_sigframe");

/* Bits of PSTATE that EL0 may have. */
#define PSTATE_NZCV 0xf0000000u
#define PSTATE_BTYPE 0x00000c00u
enum { PSTATE_MISC = 1 << 25 | 1 << 24 | 1 << 12 }; /* TCO, DIT, SSBS */

static uint64_t get_pstate(const CpuA64 *c)
{
    return a64_nzcv(c) | (c->pstate_misc & PSTATE_MISC) | (uint64_t)a64_btype(c) << 10;
}

static void set_pstate(CpuA64 *c, uint64_t pstate)
{
    a64_set_nzcv(c, (uint32_t)pstate & PSTATE_NZCV);
    c->pstate_misc = (uint32_t)pstate & PSTATE_MISC;
    a64_set_btype(c, (uint32_t)pstate >> 10 & 3);
}

static void put_records(Thread *t, Frame *f)
{
    CpuA64 *c = cpu_a64(t);
    uint8_t *at = f->reserved;
    FpsimdRecord fp = {.head = {FPSIMD_MAGIC, sizeof fp}};
    fp.fpsr = engine_fpsr(&c->h);
    fp.fpcr = c->h.fp.fpcr;
    memcpy(fp.v, c->v, sizeof fp.v);
    memcpy(at, &fp, sizeof fp);
    at += sizeof fp;
    if (t->fault_esr) {
        Record r = {ESR_MAGIC, 16};
        memcpy(at, &r, sizeof r);
        memcpy(at + 8, &t->fault_esr, 8);
        at += 16;
    }
}

int frame_enter(Thread *t, const GuestAction *sa, const SigInfo *info, uint64_t saved_mask)
{
    CpuA64 *c = cpu_a64(t);
    Frame f;
    memset(&f, 0, offsetof(Frame, reserved) + 1024);
    uint64_t record = (altstack_for(t, sa, c->sp) - 16) & ~15ull;
    uint64_t sp = record - sizeof f;
    uint64_t link[2] = {c->x[29], c->x[30]};
    AltStack before = t->alt;
    f.info = *info;
    altstack_save(t, &f.uc_stack);
    f.uc_mask = saved_mask;
    f.fault_address = t->fault_address;
    memcpy(f.regs, c->x, sizeof f.regs);
    f.sp = c->sp;
    f.pc = c->pc;
    f.pstate = get_pstate(c);
    put_records(t, &f);
    if (put_user(sp, &f, offsetof(Frame, reserved) + 1024) < 0 || put_user(record, link, sizeof link) < 0) {
        t->alt = before;
        return -EFAULT;
    }
    c->x[0] = (uint64_t)info->signo;
    if (sa->flags & SA_SIGINFO_) {
        c->x[1] = sp;
        c->x[2] = sp + offsetof(Frame, uc_flags);
    }
    c->x[29] = record;
    c->x[30] = sa->flags & SA_RESTORER_ ? sa->restorer : process.sigtramp;
    c->sp = sp;
    engine_fpcr_changed(&c->h); /* the key depends on SP's alignment too */
    c->pc = sa->handler;
    a64_set_btype(c, a64_hwcap(process.model, 1) >> 17 & 1 ? 2 : 0);
    c->excl_addr = ~0ull;
    return 0;
}

/* Finds the fpsimd record in the frame's records and takes it back. */
static int take_records(CpuA64 *c, const Frame *f)
{
    size_t at = 0;
    bool found = false;
    while (at + sizeof(Record) <= RESERVED) {
        Record r;
        memcpy(&r, f->reserved + at, sizeof r);
        if (r.magic == 0) {
            return r.size == 0 && found ? 0 : -EFAULT;
        }
        if (r.size < sizeof r || r.size % 16 || r.size > RESERVED - at) {
            return -EFAULT;
        }
        if (r.magic == FPSIMD_MAGIC) {
            FpsimdRecord fp;
            if (found || r.size != sizeof fp) {
                return -EFAULT;
            }
            memcpy(&fp, f->reserved + at, sizeof fp);
            memcpy(c->v, fp.v, sizeof fp.v);
            c->h.fp.fpcr = fp.fpcr;
            engine_set_fpsr(&c->h, fp.fpsr);
            engine_fpcr_changed(&c->h);
            found = true;
        } else if (r.magic != ESR_MAGIC && r.magic != EXTRA_MAGIC) {
            return -EFAULT;
        }
        at += r.size;
    }
    return -EFAULT;
}

int frame_leave(Thread *t, uint64_t *mask)
{
    CpuA64 *c = cpu_a64(t);
    Frame f;
    if (c->sp & 15 || get_user(&f, c->sp, sizeof f) < 0) {
        return -EFAULT;
    }
    if (f.pstate & 0x1f || take_records(c, &f) < 0) {
        return -EFAULT;
    }
    memcpy(c->x, f.regs, sizeof f.regs);
    c->sp = f.sp;
    engine_fpcr_changed(&c->h);
    c->pc = f.pc;
    set_pstate(c, f.pstate);
    c->excl_addr = ~0ull;
    *mask = f.uc_mask;
    altstack_restore(t, &f.uc_stack);
    return 0;
}
