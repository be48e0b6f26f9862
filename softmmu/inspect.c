/* inspect.c - see inspect.h. */
#include "inspect.h"

#include <errno.h>

#include "mmu_a64.h"

bool inspect_translate(const Vcpu *v, Gva at, Gpa *pa)
{
    MmuRegime r = {.pamax = 0};
    MmuPage page;
    A64Fault f;
    mmu_load(v->cpu, mmu_kind(v->cpu, a64_el(v->cpu)), &r);
    if (!mmu_walk(v->machine->mem, &r, at.v, MMU_READ | MMU_AT, &page, &f)) {
        return false;
    }
    pa->v = page.pa;
    return true;
}

int inspect_memory(const Vcpu *v, Gva at, void *buf, size_t n, bool write)
{
    enum { PIECE = 4096 };
    for (size_t done = 0, part; done < n; done += part) {
        Gpa pa;
        uint64_t va = at.v + done;
        part = PIECE - va % PIECE;
        part = part < n - done ? part : n - done;
        if (!inspect_translate(v, gva(va), &pa)) {
            return -EFAULT;
        }
        int r = write ? mem_write(v->machine->mem, pa, (char *)buf + done, part)
                      : mem_read(v->machine->mem, pa, (char *)buf + done, part);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
