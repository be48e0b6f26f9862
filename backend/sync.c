/* sync.c - host signals that arrive in translated code: precise guest state, leaving, FP traps.
 *
 * Everything here runs in signal handlers: no locks, no allocation. The fault table says for each host
 * instruction that can fault which guest instruction it belongs to; at those places all slots are in their homes.
 */
#include "tb.h"

SyncResult engine_sync(CpuHead *cpu, void *ucontext)
{
    Engine *e = cpu->engine;
    const uint8_t *pc = target_uc_pc(ucontext);
    if (cpu->in_helper) {
        return SYNC_PRECISE; /* state was written before the call */
    }
    if (pc < e->code.rx || pc >= e->code.rx + e->code.size) {
        return SYNC_OUTSIDE;
    }
    const Tb *tb = tb_of_host(e, pc);
    const Fault *f = tb ? tb_fault(tb, (uint32_t)(pc - tb->entry)) : NULL;
    if (f) {
        target_uc_save(e, cpu, ucontext, tb, f);
        return SYNC_PRECISE;
    }
    return target_uc_ret_overflow(e, cpu, ucontext) ? SYNC_RETRY : SYNC_IMPRECISE;
}

void engine_leave(CpuHead *cpu, void *ucontext, ExcKind kind)
{
    Engine *e = cpu->engine;
    cpu->exit_kind = kind;
    if (engine_in_interp(cpu)) {
        cpu->in_helper = 0;
        target_uc_call(cpu, ucontext, engine_interp_out);
        return;
    }
    if (cpu->in_helper) {
        cpu->ret_sp = (uint8_t *)cpu->ret_sp + 8; /* the helper's return address */
    }
    cpu->in_helper = 0;
    cpu->last_exit = NULL;
    target_uc_leave(e, cpu, ucontext);
}

void engine_fp_trap(CpuHead *cpu, void *ucontext)
{
    target_fp_trapped(cpu);
    engine_leave(cpu, ucontext, (ExcKind)EXIT_REDO_FP);
}

bool engine_tbi_trap(CpuHead *cpu, void *ucontext)
{
    uint64_t addr;
    if (cpu->in_helper || !target_uc_address(ucontext, &addr)) {
        return false;
    }
    int64_t plain = bits_sext(addr, 56);
    if (plain == (int64_t)addr || plain >> 47) {
        cpu->exit_addr = addr;
        return false;
    }
    engine_leave(cpu, ucontext, (ExcKind)EXIT_REDO_TBI);
    return true;
}
