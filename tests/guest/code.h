/* code.h - the smallest function that a test of code made at run time needs, for both architectures. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Writes "return a + imm" (imm < 4096) to p; returns the size. */
static size_t make_add(void *p, unsigned imm)
{
#ifdef __aarch64__
    uint32_t code[] = {0x91000000u | imm << 10, 0xd65f03c0u};
#else
    uint8_t code[8] = {0x48, 0x8d, 0x87, 0, 0, 0, 0, 0xc3};
    memcpy(code + 3, &imm, 4);
#endif
    memcpy(p, code, sizeof code);
    return sizeof code;
}
