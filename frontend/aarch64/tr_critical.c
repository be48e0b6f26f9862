/* tr_critical.c - restartable sequences (Linux: rseq) of the guest.
 *
 * What a thread stores inside of one must not become visible when it was interrupted since the sequence began. Only the
 * owner of the Space can know that: each store of such code is its Critical.store, by a helper, and when that was refused
 * the region is left for the sequence's abort address. Code is recognised by the address of the descriptor, which a
 * program forms by ADRP and ADD right before the sequence and then stores for the kernel.
 * Atomic read-modify-write instructions, of which none of these sequences is made, are left as they are.
 */
#include "tr.h"

static void guard(IrBuild *b, MemType m, IrRef base, IrRef index, unsigned scale, int32_t disp, IrRef v)
{
    const Critical *c = b->store_by_arg;
    IrRef how = ir_hconst(b, (const uint8_t *)c + (m & 7)), at = base;
    IrType ty = (IrType)b->r->ins[v].ty;
    if (index) {
        at = ir_add(b, I64, at, ir_shl(b, I64, index, ir_iconst(b, I32, scale)));
    }
    at = ir_add(b, I64, at, ir_iconst(b, I64, (uint64_t)(int64_t)disp));
    if (ty == F16 || ty == F32 || ty == F64) {
        v = ir_f_to_bits(b, ty == F64 ? I64 : I32, v);
    }
    if (ty == I32 || ty == F16 || ty == F32) {
        v = ir_zext32(b, v);
    }
    IrRef lost = ir_call(b, ty == TV128 ? H_critical_store_v : H_critical_store, at, v, how);
    ir_exit_if(b, 0, lost, c->abort);
}

void tr_critical(Tr *t)
{
    const Critical *c = t->space->critical(t->space, gva(t->pc));
    t->b->store_by = c ? guard : NULL;
    t->b->store_by_arg = c;
}

void tr_critical_address(Tr *t, int rd, uint64_t address, bool page)
{
    uint32_t avail = t->avail, word;
    const uint8_t *code = t->code + 4;
    tr_looked(t);
    if (avail < 8) {
        code = t->space->fetch(t->space, gva(t->pc + 4), &avail);
        if (!code || avail < 4) {
            return;
        }
    }
    memcpy(&word, code, 4);
    if ((word & 0xffc00000) == 0x91000000 && (int)(word >> 5 & 31) == rd) { /* ADD Xd, Xn, #imm12 */
        address += word >> 10 & 0xfff;
    } else if (page) {
        return;
    }
    IrRegion *r = t->b->r;
    if (address % 32) { /* aligned as descriptors must be */
        return;
    }
    if (r->ndescribed == IR_DESCRIBED) {
        r->bound |= BOUND_HOST;
    } else {
        r->described[r->ndescribed++] = address;
    }
    if (t->space->described) {
        t->space->described(t->space, gva(address));
    }
}
