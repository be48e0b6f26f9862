/* disas_archs.c - keeps capstone's other architectures out of armx-user.
 *
 * capstone's table of architectures names every one's set-up functions, so a static link takes all of their tables
 * with it: 70 000 pointers that have to be relocated, and 1 MB that has to be copied, each time that a program starts.
 * armx disassembles AArch64 and x86 only; the functions of the others are defined here, before the linker looks
 * into libcapstone.a, and refuse. To add an architecture: remove its line.
 */
#include <capstone/capstone.h>

#define WITHOUT(arch)                                                                             \
    cs_err arch##_global_init(void *handle);                                                      \
    cs_err arch##_option(void *handle, cs_opt_type type, size_t value);                           \
    cs_err arch##_global_init(void *handle)                                                       \
    {                                                                                             \
        (void)handle;                                                                             \
        return CS_ERR_ARCH;                                                                       \
    }                                                                                             \
    cs_err arch##_option(void *handle, cs_opt_type type, size_t value)                            \
    {                                                                                             \
        (void)handle;                                                                             \
        (void)type;                                                                               \
        (void)value;                                                                              \
        return CS_ERR_ARCH;                                                                       \
    }

WITHOUT(ARM)
WITHOUT(EVM)
WITHOUT(M680X)
WITHOUT(M68K)
WITHOUT(Mips)
WITHOUT(PPC)
WITHOUT(Sparc)
WITHOUT(SystemZ)
WITHOUT(TMS320C64x)
WITHOUT(XCore)
