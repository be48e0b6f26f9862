/* sys_pac.c - authentication of an address outside of translated code: what ERETAA and ERETAB do (tr_pac.c has all the rest). */
#include "sys_int.h"

#include "helpers.h"
#include "tr.h"

uint64_t sys_pac_auth(const CpuA64 *cpu, uint64_t ptr, uint64_t modifier, unsigned key)
{
    uint64_t k = cpu->h.key;
    bool high = ptr >> 55 & 1, tbi = k & (high ? KEY_TBII1 : KEY_TBII0);
    uint64_t field = a64_pac_field(k >> (high ? KEY_PAC_LOW1_SHIFT : KEY_PAC_LOW0_SHIFT) & 63, tbi);
    uint64_t plain = high ? ptr | field : ptr & ~field;
    if ((plain ^ (pac_hash(&cpu->pac_key[2 * key], plain, modifier) & field)) == ptr) {
        return plain;
    }
    unsigned at = tbi ? 53 : 61;
    return (plain & ~((uint64_t)3 << at)) | ((uint64_t)1 + (key & 1)) << at;
}
