/* stack.c - the first thread's guest stack: memory, strings, auxiliary vector, exactly as Linux lays them out
 * (fs/binfmt_elf.c's documented result, arm64's ARCH_DLINFO): from the top: a null word, the file name, the environment's and
 * the arguments' strings; then platform name and random bytes; then auxv, envp, argv, argc at a 16-byte boundary.
 */
#include <elf.h>
#include <sys/auxv.h>

#include "image.h"
#include "vma.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
enum { AT_RSEQ_FEATURE_SIZE_ = 27, AT_RSEQ_ALIGN_ = 28, AT_HWCAP3_ = 29, STACK_MIN = 128 * 1024, GUARD = 1 << 20, RLIMIT_STACK_ = 3,
       M_NORESERVE = 0x4000, M_STACK = 0x20000,
       MINSIGSTKSZ_A64 = 4720 }; /* what Linux says for a CPU without SVE */
#define STACK_DEFAULT (8ull << 20)
#define STACK_MAX (256ull << 20)

static uint64_t stack_size(void)
{
    uint64_t lim[2] = {STACK_DEFAULT, 0}, n;
    raw_call(__NR_prlimit64, 0, RLIMIT_STACK_, 0, lim);
    n = process.opt.stack_size ? process.opt.stack_size : lim[0];
    if (n > STACK_MAX) {
        n = process.opt.stack_size ? n : lim[0] == ~0ull ? STACK_DEFAULT : STACK_MAX;
    }
    return PAGE_UP(n < STACK_MIN ? STACK_MIN : n);
}

static uint64_t strings_size(char **v)
{
    uint64_t n = 0;
    for (; *v; v++) {
        n += strlen(*v) + 1;
    }
    return n;
}

/* Copies the strings upwards from at and their addresses to *word; returns the end. */
static uint64_t put_strings(char **v, uint64_t at, uint64_t **word)
{
    for (; *v; v++) {
        size_t n = strlen(*v) + 1;
        memcpy((void *)at, *v, n);
        *(*word)++ = at;
        at += n;
    }
    *(*word)++ = 0;
    return at;
}

static void put_aux(uint64_t tag, uint64_t value)
{
    if (process.nauxv + 2 <= LEN(process.auxv)) {
        process.auxv[process.nauxv++] = tag;
        process.auxv[process.nauxv++] = value;
    }
}

static void fill_auxv(const Image *im, uint64_t random, uint64_t platform, uint64_t execfn)
{
    process.nauxv = 0;
    if (process.vdso) {
        put_aux(AT_SYSINFO_EHDR, process.vdso);
    }
    put_aux(AT_MINSIGSTKSZ, MINSIGSTKSZ_A64);
    put_aux(AT_HWCAP, a64_hwcap(process.model, 0));
    put_aux(AT_PAGESZ, PAGE);
    put_aux(AT_CLKTCK, 100);
    put_aux(AT_PHDR, im->phdr);
    put_aux(AT_PHENT, im->phent);
    put_aux(AT_PHNUM, im->phnum);
    put_aux(AT_BASE, im->base);
    put_aux(AT_FLAGS, 0);
    put_aux(AT_ENTRY, im->entry);
    put_aux(AT_UID, (uint64_t)raw_call(__NR_getuid));
    put_aux(AT_EUID, (uint64_t)raw_call(__NR_geteuid));
    put_aux(AT_GID, (uint64_t)raw_call(__NR_getgid));
    put_aux(AT_EGID, (uint64_t)raw_call(__NR_getegid));
    put_aux(AT_SECURE, getauxval(AT_SECURE));
    put_aux(AT_RANDOM, random);
    put_aux(AT_HWCAP2, a64_hwcap(process.model, 1));
    put_aux(AT_HWCAP3_, a64_hwcap(process.model, 2));
    if (getauxval(AT_RSEQ_FEATURE_SIZE_) && !process.opt.gdb) {
        put_aux(AT_RSEQ_FEATURE_SIZE_, getauxval(AT_RSEQ_FEATURE_SIZE_));
        put_aux(AT_RSEQ_ALIGN_, getauxval(AT_RSEQ_ALIGN_));
    }
    put_aux(AT_EXECFN, execfn);
    put_aux(AT_PLATFORM, platform);
    put_aux(AT_NULL, 0);
}

static void random_bytes(uint8_t *to)
{
    if (process.opt.seed) {
        uint64_t s = process.opt.seed;
        for (int k = 0; k < 16; k++) {
            s = s * 6364136223846793005ull + 1442695040888963407ull;
            to[k] = (uint8_t)(s >> 56);
        }
    } else {
        raw_call(__NR_getrandom, to, 16, 0);
    }
}

int stack_build(Thread *t, const Image *im, const char *execfn, uint64_t *sp)
{
    uint64_t size = stack_size();
    uint64_t strings = strings_size(process.argv) + strings_size(process.envp) + strlen(execfn) + 1 + 8;
    unsigned nenv = 0;
    (void)t;
    while (process.envp[nenv]) {
        nenv++;
    }
    size += PAGE_UP(strings + 8 * (uint64_t)(process.argc + (int)nenv));
    int64_t base = mm_map_special(0, size + GUARD, G_READ | G_WRITE | (im->exec_stack ? G_EXEC : 0),
                                  M_NORESERVE | M_STACK, VMA_STACK);
    if (base < 0) {
        return (int)base;
    }
    mm_hide((uint64_t)base, GUARD);
    uint64_t top = (uint64_t)base + GUARD + size - (random_below(1 << 8) << 4);
    uint64_t args = (top - strings) & ~15ull;
    uint64_t platform = args - 16, random = platform - 16;
    memcpy((void *)platform, "aarch64", 8);
    random_bytes((uint8_t *)random);
    uint64_t words = 1 + (uint64_t)process.argc + 1 + nenv + 1 + LEN(process.auxv);
    *sp = (random - 8 * words) & ~15ull;
    uint64_t *w = (uint64_t *)*sp;
    *w++ = (uint64_t)process.argc;
    process.arg_start = args;
    process.env_start = process.arg_end = put_strings(process.argv, args, &w);
    process.env_end = put_strings(process.envp, process.env_start, &w);
    memcpy((void *)process.env_end, execfn, strlen(execfn) + 1);
    fill_auxv(im, random, platform, process.env_end);
    memcpy(w, process.auxv, 8 * process.nauxv);
    process.start_stack = *sp;
    return 0;
}
