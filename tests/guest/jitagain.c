// jitagain.c - the same few templates made again and again, at other addresses and with other data beside them: code that
// finds its place by itself (ADR, literals, branches, calls) and a fault, whose address must be right wherever it is.
// test: dyn interp secs=60
#define _GNU_SOURCE
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { KINDS = 8, SLOT = 64, SLOTS = 256, ROUNDS = 60 };
typedef uint64_t (*Fn)(uint64_t);

static uint64_t page_of(const char *p)
{
    return (uint64_t)p & -(uint64_t)4096;
}

#ifdef __aarch64__
static sigjmp_buf out;
static uint64_t fault_pc, fault_address;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    fault_pc = ((ucontext_t *)context)->uc_mcontext.pc;
    fault_address = (uint64_t)info->si_addr;
    siglongjmp(out, sig);
}

static void make(char *p, unsigned kind, uint64_t value)
{
    static const uint32_t templates[KINDS][8] = {
        {0x91000c00, 0x9ac00800 /* add x0, x0, #3; udiv x0, x0, x0 */, 0x91001c00, 0xd65f03c0 /* add x0, x0, #7; ret */},
        {0x10000000, 0xd65f03c0 /* adr x0, . */},
        {0x58000060, 0x91000400, 0xd65f03c0 /* ldr x0, . + 12; add x0, x0, #1 */},
        {0xa9bf7bfd, 0x94000003, 0xa8c17bfd, 0xd65f03c0, 0x91000400, 0xd65f03c0 /* calls add x0, x0, #1 */},
        {0xb4000060, 0xd1000400, 0x17fffffe, 0xd65f03c0 /* cbz x0, . + 12; sub x0, x0, #1; b . - 8 */},
        {0xd503201f, 0x14000002, 0x00000000, 0x91000c00, 0xd65f03c0 /* nop; b . + 8; udf; add x0, x0, #3 */},
        {0x90000000, 0xd503201f, 0xd65f03c0 /* adrp x0, . */},
        {0xd503201f, 0xf9400001, 0xd65f03c0 /* nop; ldr x1, [x0] */},
    };
    memcpy(p, templates[kind], sizeof templates[kind]);
    if (kind == 2) {
        memcpy(p + 12, &value, 8);
    }
    __builtin___clear_cache(p, p + 32);
}

static uint64_t call(char *p, unsigned kind, uint64_t a)
{
    if (kind != 7) {
        return ((Fn)p)(a);
    }
    if (!sigsetjmp(out, 1)) {
        ((Fn)p)(16);
        return 0;
    }
    CHECK(fault_address == 16);
    return fault_pc - (uint64_t)p;
}
#endif

static uint64_t expected(const char *p, unsigned kind, uint64_t value, uint64_t a)
{
    switch (kind) {
    case 0: return 8;
    case 1: return (uint64_t)p;
    case 2: return value + 1;
    case 3: return a + 1;
    case 4: return 0;
    case 5: return a + 3;
    case 6: return page_of(p);
    default: return 4;
    }
}

int main(void)
{
    char *m = mmap(NULL, SLOT * SLOTS, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t h = 0;
    CHECK(m != MAP_FAILED);
#ifdef __aarch64__
    CHECK(sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, NULL) == 0);
#endif
    for (unsigned r = 0; r < ROUNDS; r++) {
        for (unsigned k = 0; k < SLOTS; k++) {
            unsigned kind = (k * 5 + r * 3) % KINDS;
            uint64_t value = (uint64_t)r * 1000003 + k;
            char *p = m + SLOT * k + 4 * ((k + r) % 8);
#ifdef __aarch64__
            make(p, kind, value);
            for (unsigned n = 0; n < 2; n++) {
                CHECK(call(p, kind, k + n) == expected(p, kind, value, k + n));
            }
#endif
            h = h * 31 + (kind == 1 || kind == 6 ? kind : expected(p, kind, value, k));
        }
    }
    printf("%llx\n", (unsigned long long)h);
    return done();
}
