/* dump.c - host code as text for -d out, by capstone. */
#include <capstone/capstone.h>
#include <stdio.h>

#include "sel.h"

void target_dump(Engine *e, const Tb *tb, void *file)
{
    csh cs;
    (void)e;
    fprintf(file, "OUT: %#llx, %u insns, %u bytes at %p\n", (unsigned long long)tb->pc, tb->ninsns, tb->size,
            (const void *)tb->entry);
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK) {
        return;
    }
    const uint8_t *p = tb->entry;
    size_t left = tb->size;
    while (left) {
        cs_insn *in;
        uint32_t off = (uint32_t)(p - tb->entry);
        const Fault *f = tb_fault(tb, off);
        if (cs_disasm(cs, p, left, (uintptr_t)p, 1, &in) != 1) {
            fprintf(file, "  %5x  .byte %#x\n", off, *p);
            p++;
            left--;
            continue;
        }
        fprintf(file, "  %5x  %-8s %s", off, in->mnemonic, in->op_str);
        if (f) {
            fprintf(file, "    ; fault %#llx flags %u", (unsigned long long)(tb->pc + (uint64_t)(2 * f->pc)), f->flags);
        }
        fputc('\n', file);
        p += in->size;
        left -= in->size;
        cs_free(in, 1);
    }
    cs_close(&cs);
}
