/* dump.c - host code as text for -d out, by capstone; as bytes where capstone does not know an EVEX instruction. */
#include <capstone/capstone.h>
#include <stdio.h>

#include "sel.h"

/* Bytes of the EVEX instruction at p: four of prefix, opcode, ModRM, then SIB, displacement and immediate. */
static unsigned evex_length(const uint8_t *p)
{
    unsigned map = p[1] & 7, opcode = p[4], mod = p[5] >> 6, rm = p[5] & 7, n = 6;
    if (mod != 3) {
        bool no_base = rm == 4 ? (p[6] & 7) == 5 : rm == 5;
        n += rm == 4;
        n += mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
    }
    bool imm = map == 3 || (map == 1 && ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 || opcode == 0xc6));
    return n + imm;
}

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
            unsigned n = *p == 0x62 ? evex_length(p) : 1;
            fprintf(file, "  %5x  .byte   ", off);
            for (unsigned k = 0; k < n && left; k++, left--) {
                fprintf(file, " %02x", *p++);
            }
            fputc('\n', file);
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
