// jitchurn.c - much code made at run time, each piece run a few times and then replaced, also while calls from
// replaced code wait for their return.
// test: dyn secs=60
#define _GNU_SOURCE
#include "code.h"
#include "t.h"
#include <sys/mman.h>

typedef uint64_t (*Fn)(uint64_t);
enum { SLOT = 128, SLOTS = 4096, CHAIN = 40 };

static char *slots, *chain;
static uint64_t seed = 1;

static void make_leaf(char *p, unsigned imm)
{
    size_t n = make_add(p, imm);
    __builtin___clear_cache(p, p + n);
}

/* Writes "return fn(a) + imm" to p. */
static void make_caller(char *p, Fn fn, unsigned imm)
{
    uint64_t to = (uint64_t)fn;
#ifdef __aarch64__
    uint32_t code[] = {0xa9bf7bfdu,                                 /* stp x29, x30, [sp, -16]! */
                       0xd2800010u | (uint32_t)(to & 0xffff) << 5,  /* movz x16, and three movk */
                       0xf2a00010u | (uint32_t)(to >> 16 & 0xffff) << 5,
                       0xf2c00010u | (uint32_t)(to >> 32 & 0xffff) << 5,
                       0xf2e00010u | (uint32_t)(to >> 48 & 0xffff) << 5,
                       0xd63f0200u,                                 /* blr x16 */
                       0x91000000u | imm << 10,                     /* add x0, x0, #imm */
                       0xa8c17bfdu,                                 /* ldp x29, x30, [sp], 16 */
                       0xd65f03c0u};
#else
    uint8_t code[] = {0x48, 0x83, 0xec, 8, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, /* sub rsp, 8; mov rax, to */
                      0xff, 0xd0, 0x48, 0x8d, 0x80, 0, 0, 0, 0,                /* call rax; lea rax, [rax + imm] */
                      0x48, 0x83, 0xc4, 8, 0xc3};                              /* add rsp, 8; ret */
    memcpy(code + 6, &to, 8);
    memcpy(code + 19, &imm, 4);
#endif
    memcpy(p, code, sizeof code);
    __builtin___clear_cache(p, p + sizeof code);
}

static unsigned number(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) & 1023;
}

static char *slot(unsigned k)
{
    return slots + k * SLOT;
}

/* New code in every slot, run twice. */
static uint64_t churn(unsigned rounds)
{
    uint64_t h = 0;
    for (unsigned r = 0; r < rounds; r++) {
        static unsigned sum[SLOTS];
        for (unsigned k = 0; k < SLOTS; k++) {
            unsigned n = number(), other = k ? n % k : 0;
            if (k % 3 == 2) {
                make_caller(slot(k), (Fn)slot(other), n);
            } else {
                make_leaf(slot(k), n);
            }
            sum[k] = k % 3 == 2 ? n + sum[other] : n;
        }
        for (unsigned k = 0; k < 2 * SLOTS; k++) {
            uint64_t v = ((Fn)slot(k % SLOTS))(r);
            CHECK(v == r + sum[k % SLOTS]);
            h = h * 31 + v;
        }
    }
    return h;
}

static char *link_of(unsigned k)
{
    return chain + k * SLOT;
}

static uint64_t bottom(uint64_t a);

static void make_chain(void)
{
    for (unsigned k = 0; k < CHAIN; k++) {
        make_caller(link_of(k), k ? (Fn)link_of(k - 1) : bottom, k + 1);
    }
}

/* Called by the chain: its code is replaced, by the same, and much other code is made and run. */
static uint64_t bottom(uint64_t a)
{
    make_chain();
    uint64_t h = churn(6);
    make_chain();
    return a + (h & 0xffff);
}

int main(void)
{
    enum { SIZE = SLOT * (SLOTS + CHAIN), PROT = PROT_READ | PROT_WRITE | PROT_EXEC };
    slots = mmap(NULL, SIZE, PROT, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(slots != MAP_FAILED);
    chain = slots + SLOT * SLOTS;
    printf("churn %llx\n", (unsigned long long)churn(30));
    for (unsigned n = 0; n < 4; n++) {
        make_chain();
        printf("chain %llx\n", (unsigned long long)((Fn)link_of(CHAIN - 1))(n));
    }
    return 0;
}
