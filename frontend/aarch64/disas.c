/* disas.c - guest instructions as text, for dumps: capstone's, or our row's name where capstone is too old.
 *
 * One capstone handle per thread, opened on first use and kept: dumps come from any guest thread.
 */
#include "disas.h"

#include <capstone/capstone.h>
#include <stdio.h>

#include "isa_a64.h"

void a64_disas(Gva pc, uint32_t word, char *buf, size_t size)
{
    static __thread csh handle;
    static const uint64_t all[2] = {~(uint64_t)0, ~(uint64_t)0};
    cs_insn *in = NULL;
    A64 a;
    if (!handle && cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle) != CS_ERR_OK) {
        handle = 0;
    }
    bool known = a64_decode(word, all, &a);
    if (known && handle && cs_disasm(handle, (const uint8_t *)&word, 4, pc.v, 1, &in) == 1) {
        snprintf(buf, size, "%s %s", in->mnemonic, in->op_str);
        cs_free(in, 1);
    } else {
        snprintf(buf, size, "%s", known ? a64_rows[a.row].name : "unallocated");
    }
}
