/* dump.c - host code as text for -d out, by capstone; as bytes where capstone does not know an instruction. */
#include <capstone/capstone.h>
#include <stdio.h>

#include "sel.h"

/* Bytes of the VEX or EVEX instruction at p: prefix, opcode, ModRM, then SIB, displacement and immediate; 1 when it is neither.
 * *rip = where its displacement from rip is, or 0. */
static unsigned vector_length(const uint8_t *p, unsigned *rip)
{
    unsigned prefix = *p == 0x62 ? 4 : *p == 0xc4 ? 3 : *p == 0xc5 ? 2 : 0;
    *rip = 0;
    if (!prefix) {
        return 1;
    }
    unsigned map = *p == 0x62 ? p[1] & 7 : *p == 0xc4 ? p[1] & 31 : 1, opcode = p[prefix];
    unsigned mod = p[prefix + 1] >> 6, rm = p[prefix + 1] & 7, n = prefix + 2;
    if (mod != 3) {
        bool no_base = rm == 4 ? (p[n] & 7) == 5 : rm == 5;
        *rip = mod == 0 && rm == 5 ? n : 0;
        n += rm == 4;
        n += mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
    }
    bool imm = map == 3 || (map == 1 && ((opcode >= 0x70 && opcode <= 0x73) || (opcode >= 0xc2 && opcode <= 0xc6)));
    return n + imm;
}

unsigned dump_count(const uint8_t *code, size_t size)
{
    csh cs;
    unsigned n = 0;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK) {
        return 0;
    }
    for (size_t at = 0; at < size; n++) {
        cs_insn *in;
        unsigned rip;
        bool known = cs_disasm(cs, code + at, size - at, 0, 1, &in) == 1;
        at += known ? in->size : vector_length(code + at, &rip);
        if (known) {
            cs_free(in, 1);
        }
    }
    cs_close(&cs);
    return n;
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
            unsigned rip, n = vector_length(p, &rip);
            fprintf(file, "  %5x  .byte   ", off);
            for (unsigned k = 0; k < n && left; k++, left--, p++) {
                bool place = rip && k >= rip && k < rip + 4; /* different in every build */
                fprintf(file, place ? " .." : " %02x", *p);
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
