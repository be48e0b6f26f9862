/* jit.c - makes small functions at run time and calls each a few times: translation of new code. */
#include "k.h"
#include <sys/mman.h>

typedef uint64_t (*Fn)(uint64_t);

static uint64_t kernel(long n)
{
    enum { SIZE = 1 << 20, FUNCTION = 128 };
    unsigned char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t h = 1;
    for (long r = 0; r < n * 10; r++) {
        for (unsigned i = 0; i < SIZE / FUNCTION; i++) {
            unsigned char *p = m + i * FUNCTION;
            unsigned k = (unsigned)(r * 7 + i) & 1023;
#ifdef __aarch64__
            uint32_t code[] = {0x91000000u | k << 10,           /* add x0, x0, #k */
                               0xca401c00u,                     /* eor x0, x0, x0, lsr #7 */
                               0x8b000c00u,                     /* add x0, x0, x0, lsl #3 */
                               0xd65f03c0u};
#else
            unsigned char code[] = {0x48, 0x8d, 0x87, 0, 0, 0, 0,          /* lea k(%rdi),%rax */
                                    0x48, 0x89, 0xc1, 0x48, 0xc1, 0xe9, 7, /* mov, shr $7,%rcx */
                                    0x48, 0x31, 0xc8,                      /* xor %rcx,%rax */
                                    0x48, 0x8d, 0x04, 0xc0, 0xc3};         /* lea (%rax,%rax,8) */
            memcpy(code + 3, &k, 4);
#endif
            memcpy(p, code, sizeof code);
            __builtin___clear_cache((char *)p, (char *)p + sizeof code);
        }
        for (int pass = 0; pass < 3; pass++) {
            for (unsigned i = 0; i < SIZE / FUNCTION; i++) {
                h = ((Fn)(m + i * FUNCTION))(h);
            }
        }
    }
    return h;
}
