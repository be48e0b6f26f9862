/* inspect.c - see inspect.h. */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>

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

bool inspect_save(const Vcpu *v, bool virtual, uint64_t at, uint64_t n, const char *file, char *why, size_t size)
{
    uint8_t piece[4096];
    FILE *f = fopen(file, "wb");
    bool good = f != NULL;
    *why = 0;
    for (uint64_t part; good && n; at += part, n -= part) {
        part = n < sizeof piece ? n : sizeof piece;
        int r = virtual ? inspect_memory(v, gva(at), piece, part, false) : mem_read(v->machine->mem, (Gpa){at}, piece, part);
        if (r < 0) {
            snprintf(why, size, "Invalid addr 0x%016llx/size %llu specified", (unsigned long long)at, (unsigned long long)n);
        }
        good = r == 0 && fwrite(piece, 1, part, f) == part;
    }
    if (f && fclose(f) != 0) {
        good = false;
    }
    if (!good && !*why) {
        snprintf(why, size, "%s: %s", file, strerror(errno));
    }
    return good;
}
