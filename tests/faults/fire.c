/* fire.c - state under fire:  fire [-n ROUNDS] [PART...]
 *
 *   regs     asynchronous signals from a timer into a loop that holds known values in all registers (X0 to X30 but the
 *            pointer to them and the platform register, V0 to V31, NZCV, FPCR, FPSR) and checks them all the time; the
 *            handler spoils every one of them
 *   flags    the same into loops whose flags are mostly overwritten unread: those in the frame are the architecture's for its pc
 *   modify   threads run code that other threads rewrite and make visible as the architecture wants (DC CVAU, IC IVAU,
 *            barriers): each sees the old or the new function, and after it was told, the new one only
 *   remap    the same by mmap over the code
 *   fork     fork while other threads run, allocate and take signals; the child runs code, fresh code too, and exits
 *   pages    threads write to pages that another thread takes away; the handler gives them back, while timers tick
 *   pipes    bytes through pipes, sleeps and futexes under a hail of signals: nothing is lost, doubled or stuck
 *   jump     the handler leaves by siglongjmp, out of loops and deep recursion; what is not in its way is kept
 *   threads  threads come and go under signals to the whole process and to each of them
 *   churn    so much code that code memory runs full again and again, by several threads
 * A round is a hundred or so of these; all must end well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "../parts.h"

static uint64_t random_of(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s ^ *s >> 29;
}

/* -- registers ------------------------------------------------------------------------------------------------- */

typedef struct State {
    uint64_t x[31], nzcv, fpcr, fpsr;
    uint64_t v[64];
} State;

static volatile sig_atomic_t ticks;

/* Spoils everything that a function may spoil, and what it may not by way of saved registers. */
static void spoil(void)
{
    __asm__ volatile("mov x0, #-1\n mov x1, x0\n mov x2, x0\n mov x3, x0\n mov x4, x0\n mov x5, x0\n mov x6, x0\n mov x7, x0\n"
                     "mov x8, x0\n mov x9, x0\n mov x10, x0\n mov x11, x0\n mov x12, x0\n mov x13, x0\n mov x14, x0\n mov x15, x0\n"
                     "mov x16, x0\n mov x17, x0\n mov x19, x0\n mov x20, x0\n mov x21, x0\n mov x22, x0\n mov x23, x0\n"
                     "mov x24, x0\n mov x25, x0\n mov x26, x0\n mov x27, x0\n mov x28, x0\n"
                     "cmp x0, #0\n msr fpcr, x0\n msr fpsr, x0\n"
                     "movi v0.16b, #0xa5\n mov v1.16b, v0.16b\n mov v2.16b, v0.16b\n mov v3.16b, v0.16b\n mov v4.16b, v0.16b\n"
                     "mov v5.16b, v0.16b\n mov v6.16b, v0.16b\n mov v7.16b, v0.16b\n mov v8.16b, v0.16b\n mov v9.16b, v0.16b\n"
                     "mov v10.16b, v0.16b\n mov v11.16b, v0.16b\n mov v12.16b, v0.16b\n mov v13.16b, v0.16b\n mov v14.16b, v0.16b\n"
                     "mov v15.16b, v0.16b\n mov v16.16b, v0.16b\n mov v17.16b, v0.16b\n mov v18.16b, v0.16b\n mov v19.16b, v0.16b\n"
                     "mov v20.16b, v0.16b\n mov v21.16b, v0.16b\n mov v22.16b, v0.16b\n mov v23.16b, v0.16b\n mov v24.16b, v0.16b\n"
                     "mov v25.16b, v0.16b\n mov v26.16b, v0.16b\n mov v27.16b, v0.16b\n mov v28.16b, v0.16b\n mov v29.16b, v0.16b\n"
                     "mov v30.16b, v0.16b\n mov v31.16b, v0.16b\n"
                     :
                     :
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "cc", "memory", "v0", "v1",
                       "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

static void on_tick(int sig)
{
    (void)sig;
    ticks = ticks + 1;
    spoil();
}

/* Loads all registers from `want`, keeps them through `spins` turns of a loop with some work that uses and restores
 * them, then writes them to `got`. X18 and X29 belong to others, X0 points to the states. */
void hold_registers(const State *want, State *got, uint64_t spins);
__asm__(".text\n .balign 16\n .globl hold_registers\nhold_registers:\n"
        "stp x29, x30, [sp, #-192]!\n mov x29, sp\n"
        "stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n"
        "stp x27, x28, [sp, #80]\n stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n stp x0, x1, [sp, #160]\n str x2, [sp, #176]\n"
        "ldr x3, [x0, #248]\n msr nzcv, x3\n ldr x3, [x0, #256]\n msr fpcr, x3\n ldr x3, [x0, #264]\n msr fpsr, x3\n"
        "add x3, x0, #272\n"
        "ldp q0, q1, [x3]\n ldp q2, q3, [x3, #32]\n ldp q4, q5, [x3, #64]\n ldp q6, q7, [x3, #96]\n"
        "ldp q8, q9, [x3, #128]\n ldp q10, q11, [x3, #160]\n ldp q12, q13, [x3, #192]\n ldp q14, q15, [x3, #224]\n"
        "ldp q16, q17, [x3, #256]\n ldp q18, q19, [x3, #288]\n ldp q20, q21, [x3, #320]\n ldp q22, q23, [x3, #352]\n"
        "ldp q24, q25, [x3, #384]\n ldp q26, q27, [x3, #416]\n ldp q28, q29, [x3, #448]\n ldp q30, q31, [x3, #480]\n"
        "ldp x2, x3, [x0, #16]\n ldp x4, x5, [x0, #32]\n ldp x6, x7, [x0, #48]\n ldp x8, x9, [x0, #64]\n"
        "ldp x10, x11, [x0, #80]\n ldp x12, x13, [x0, #96]\n ldp x14, x15, [x0, #112]\n ldp x16, x17, [x0, #128]\n"
        "ldp x19, x20, [x0, #152]\n ldp x21, x22, [x0, #168]\n ldp x23, x24, [x0, #184]\n ldp x25, x26, [x0, #200]\n"
        "ldp x27, x28, [x0, #216]\n ldr x30, [x0, #240]\n ldr x1, [x0, #8]\n"
        /* the loop: the count is on the stack, so no register is free of its value for long; no flag is touched */
        "1: ldr x0, [x29, #176]\n sub x0, x0, #1\n str x0, [x29, #176]\n"
        "eor x5, x5, x6\n eor x6, x6, x5\n eor x5, x5, x6\n"      /* x5 x6 change places, */
        "eor x5, x5, x6\n eor x6, x6, x5\n eor x5, x5, x6\n"      /* and back */
        "add x7, x7, #33\n sub x7, x7, #33\n mvn x8, x8\n mvn x8, x8\n ror x9, x9, #17\n ror x9, x9, #47\n"
        "eor v3.16b, v3.16b, v4.16b\n eor v4.16b, v4.16b, v3.16b\n eor v3.16b, v3.16b, v4.16b\n"
        "eor v3.16b, v3.16b, v4.16b\n eor v4.16b, v4.16b, v3.16b\n eor v3.16b, v3.16b, v4.16b\n"
        "not v9.16b, v9.16b\n not v9.16b, v9.16b\n ext v10.16b, v10.16b, v10.16b, #5\n ext v10.16b, v10.16b, v10.16b, #11\n"
        "mrs x0, nzcv\n adds xzr, x0, x0\n msr nzcv, x0\n"
        "ldr x0, [x29, #176]\n cbnz x0, 1b\n"
        "ldr x0, [x29, #168]\n"
        "str x1, [x0, #8]\n stp x2, x3, [x0, #16]\n stp x4, x5, [x0, #32]\n stp x6, x7, [x0, #48]\n stp x8, x9, [x0, #64]\n"
        "stp x10, x11, [x0, #80]\n stp x12, x13, [x0, #96]\n stp x14, x15, [x0, #112]\n stp x16, x17, [x0, #128]\n"
        "stp x19, x20, [x0, #152]\n stp x21, x22, [x0, #168]\n stp x23, x24, [x0, #184]\n stp x25, x26, [x0, #200]\n"
        "stp x27, x28, [x0, #216]\n str x30, [x0, #240]\n"
        "mrs x3, nzcv\n str x3, [x0, #248]\n mrs x3, fpcr\n str x3, [x0, #256]\n mrs x3, fpsr\n str x3, [x0, #264]\n"
        "add x3, x0, #272\n"
        "stp q0, q1, [x3]\n stp q2, q3, [x3, #32]\n stp q4, q5, [x3, #64]\n stp q6, q7, [x3, #96]\n"
        "stp q8, q9, [x3, #128]\n stp q10, q11, [x3, #160]\n stp q12, q13, [x3, #192]\n stp q14, q15, [x3, #224]\n"
        "stp q16, q17, [x3, #256]\n stp q18, q19, [x3, #288]\n stp q20, q21, [x3, #320]\n stp q22, q23, [x3, #352]\n"
        "stp q24, q25, [x3, #384]\n stp q26, q27, [x3, #416]\n stp q28, q29, [x3, #448]\n stp q30, q31, [x3, #480]\n"
        "msr fpcr, xzr\n msr fpsr, xzr\n"
        "ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n ldp x25, x26, [sp, #64]\n"
        "ldp x27, x28, [sp, #80]\n ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n ldp x29, x30, [sp], #192\n ret\n");
_Static_assert(offsetof(State, nzcv) == 248 && offsetof(State, fpsr) == 264 && offsetof(State, v) == 272, "used by the code");

static void compare_states(const State *want, const State *got)
{
    for (unsigned i = 1; i < 31; i++) {
        if (i != 18 && i != 29 && want->x[i] != got->x[i]) {
            FAIL("x%u is %llx, not %llx", i, (unsigned long long)got->x[i], (unsigned long long)want->x[i]);
        }
    }
    for (unsigned i = 0; i < 64; i++) {
        if (want->v[i] != got->v[i]) {
            FAIL("v%u is %llx, not %llx", i / 2, (unsigned long long)got->v[i], (unsigned long long)want->v[i]);
        }
    }
    if (want->nzcv != got->nzcv || want->fpcr != got->fpcr || want->fpsr != got->fpsr) {
        FAIL("nzcv fpcr fpsr are %llx %llx %llx, not %llx %llx %llx", (unsigned long long)got->nzcv,
             (unsigned long long)got->fpcr, (unsigned long long)got->fpsr, (unsigned long long)want->nzcv,
             (unsigned long long)want->fpcr, (unsigned long long)want->fpsr);
    }
}

static void hold_once(uint64_t *rng, unsigned spins)
{
    State want, got;
    for (unsigned i = 0; i < sizeof want / 8; i++) {
        ((uint64_t *)&want)[i] = random_of(rng);
    }
    memset(&got, 0, sizeof got);
    want.nzcv = (random_of(rng) & 15) << 28;
    want.fpcr = random_of(rng) & 3 << 22;
    want.fpsr = random_of(rng) & 0x0800009f;
    hold_registers(&want, &got, spins);
    compare_states(&want, &got);
}

static void start_timer(long us)
{
    struct itimerval it = {{0, us}, {0, us}};
    struct sigaction sa = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
}

static volatile bool stop;
static pthread_t victim;

/* Signals at moments that no timer has. */
static void *sniper(void *arg)
{
    uint64_t rng = 9;
    while (!stop) {
        pthread_kill(victim, SIGUSR1);
        for (volatile unsigned n = random_of(&rng) & 0xfff; n; n--) {
        }
    }
    return arg;
}

static void part_regs(void)
{
    pthread_t t;
    uint64_t rng = 1;
    stop = false;
    victim = pthread_self();
    start_timer(311);
    for (unsigned i = 0; i < rounds * 20; i++) {
        hold_once(&rng, 1 + (random_of(&rng) & 4095));
    }
    pthread_create(&t, NULL, sniper, NULL);
    for (unsigned i = 0; i < rounds * 20; i++) {
        hold_once(&rng, 1 + (random_of(&rng) & 4095));
    }
    stop = true;
    pthread_join(t, NULL);
    start_timer(0);
    if (ticks < 10) {
        FAIL("%d signals only", (int)ticks);
    }
}

/* -- flags in the frame --------------------------------------------------------------------------------------------- */

/* Functions of a number of turns, each with one loop; in each the flags are the same whenever an instruction is reached, except behind
 * SUBS of X0, the counter. flags[] has them by instruction, as hexadecimal NZCV, s = by X0. */
#define FLAG_LOOP(name, before, loop)                                                                        \
    void name(uint64_t turns);                                                                               \
    extern const uint32_t name##_loop[], name##_end[];                                                       \
    __asm__(".text\n .balign 64\n" #name ":\n mov x7, x30\n mov x3, #5\n mov x5, #1\n mov x6, #1\n" before "\n"     \
            #name "_loop:\n" loop "\n" #name "_end: mov x30, x7\n ret\n")
FLAG_LOOP(flags_jump, "cmp x3, #5", "mov x4, #7\n cmp x3, #9\n add x5, x5, #1\n b.lt 1f\n nop\n 1: adds x4, x3, #1\n cmp x3, #5\n"
          "sub x0, x0, #1\n cbnz x0, flags_jump_loop");
FLAG_LOOP(flags_count, "cmp x3, #4", "mov x4, #7\n cmp x4, #7\n cinc x5, x5, eq\n subs x0, x0, #1\n b.ne flags_count_loop");
FLAG_LOOP(flags_call, "cmp x3, #5", "b 2f\n 1: cmp x3, #9\n ret\n 2: bl 1b\n mov x4, #3\n cmp x3, #5\n bl 1b\n eor x4, x4, x4\n"
          "cmp x3, #5\n sub x0, x0, #1\n cbnz x0, flags_call_loop");
FLAG_LOOP(flags_paths, "cmp x3, #5", "and x4, x0, #1\n cbz x4, 1f\n add x5, x5, #3\n b 2f\n 1: eor x5, x5, x0\n 2: add x6, x6, #1\n"
          "tbnz x0, #1, 3f\n add x6, x6, x5\n 3: cmp x3, #9\n sub x0, x0, #1\n cmp x3, #5\n cbnz x0, flags_paths_loop");
FLAG_LOOP(flags_inner, "cmp x3, #5", "mov x4, #100\n cmp x3, #9\n 1: eor x5, x5, x4\n sub x4, x4, #1\n cbnz x4, 1b\n"
          "cmp x3, #5\n sub x0, x0, #1\n cbnz x0, flags_inner_loop");
FLAG_LOOP(flags_fp, "fmov d0, #1.0\n fmov d1, #2.0\n fcmp d0, d1", "tst x3, #1\n add x5, x5, #1\n fcmp d1, d0\n sub x0, x0, #1\n"
          "fcmp d0, d1\n cbnz x0, flags_fp_loop");

static const struct FlagLoop {
    const char *name;
    void (*run)(uint64_t turns);
    const uint32_t *loop, *end;
    const char *flags;
} flag_loops[] = {
#define ROW(name, flags) {#name, name, name##_loop, name##_end, flags}
    ROW(flags_jump, "668888066"), ROW(flags_count, "2266s"), ROW(flags_call, "66868868866"), ROW(flags_paths, "666666666886"),
    ROW(flags_inner, "66888866"), ROW(flags_fp, "800228"),
#undef ROW
};
enum { FLAG_LOOPS = sizeof flag_loops / sizeof *flag_loops };

static volatile unsigned flags_seen[FLAG_LOOPS];

static void on_flags(int sig, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    (void)sig;
    (void)info;
    for (unsigned i = 0; i < FLAG_LOOPS; i++) {
        const struct FlagLoop *l = &flag_loops[i];
        const uint32_t *pc = (const uint32_t *)uc->uc_mcontext.pc;
        if (pc >= l->loop && pc < l->end) {
            char c = l->flags[pc - l->loop];
            unsigned want = c == 's' ? (uc->uc_mcontext.regs[0] ? 2 : 6) : (unsigned)(c - '0'), got = uc->uc_mcontext.pstate >> 28;
            if (got != want) {
                FAIL("%s, instruction %u: NZCV in the frame is %x, not %x", l->name, (unsigned)(pc - l->loop), got, want);
            }
            flags_seen[i]++;
        }
    }
    spoil();
}

static void part_flags(void)
{
    pthread_t t;
    struct sigaction sa = {.sa_sigaction = on_flags, .sa_flags = SA_RESTART | SA_SIGINFO};
    stop = false;
    victim = pthread_self();
    start_timer(211);
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    pthread_create(&t, NULL, sniper, NULL);
    for (unsigned i = 0; i < rounds * 2; i++) {
        for (unsigned k = 0; k < FLAG_LOOPS; k++) {
            flag_loops[k].run(20000);
        }
    }
    for (unsigned k = 0; k < FLAG_LOOPS; k++) { /* until each was hit */
        for (unsigned i = 0; i < 100000 && flags_seen[k] < 10; i++) {
            flag_loops[k].run(20000);
        }
        if (flags_seen[k] < 10) {
            FAIL("%s: %u signals only", flag_loops[k].name, flags_seen[k]);
        }
    }
    stop = true;
    pthread_join(t, NULL);
    start_timer(0);
}

/* -- code that changes ------------------------------------------------------------------------------------------- */

enum { RET = 0xd65f03c0, NOP = 0xd503201f, MOVZ_X0 = 0xd2800000, ADD_X0 = 0x91000000, B = 0x14000000 };
static uint32_t *code_page;
static volatile unsigned generation;

static uint32_t *map_code(size_t size)
{
    uint32_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        printf("FAILED: no memory\n");
        exit(1);
    }
    return p;
}

/* A function that returns value (and can be changed): MOVZ, two words, RET. */
static void write_function(uint32_t *at, unsigned value, uint32_t second)
{
    at[0] = MOVZ_X0 | (value & 0xffff) << 5;
    at[1] = second;
    at[2] = NOP;
    at[3] = RET;
    __builtin___clear_cache((char *)at, (char *)at + 16);
}

static void *runner(void *arg)
{
    uint64_t (*fn)(void) = (uint64_t(*)(void))(uintptr_t)arg;
    while (!stop) {
        unsigned before = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
        __asm__ volatile("isb" ::: "memory");
        unsigned seen = (unsigned)fn();
        unsigned after = __atomic_load_n(&generation, __ATOMIC_ACQUIRE) + 1; /* being written now */
        if (seen < before || seen > after) {
            FAIL("code of generation %u ran, between %u and %u", seen, before, after);
            break;
        }
    }
    return NULL;
}

/* The first word is a branch to one of many functions: a branch may be replaced by another while others run it
 * (DDI 0487 B2.2.5); which of both they take is open until the barriers are over. */
static void part_modify(void)
{
    pthread_t t[3];
    unsigned last = rounds * 40 < 0xfff0 ? rounds * 40 : 0xfff0;
    size_t size = (size_t)(last + 2) * 16;
    code_page = map_code(size);
    for (unsigned g = 0; g <= last; g++) {
        write_function(code_page + 4 * (g + 1), g, NOP);
    }
    generation = 0;
    code_page[0] = B | 4;
    __builtin___clear_cache((char *)code_page, (char *)code_page + 4);
    stop = false;
    for (unsigned i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, runner, code_page);
    }
    for (unsigned g = 1; g <= last; g++) {
        __atomic_store_n(code_page, B | 4 * (g + 1), __ATOMIC_RELAXED);
        __builtin___clear_cache((char *)code_page, (char *)code_page + 4);
        __atomic_store_n(&generation, g, __ATOMIC_RELEASE);
        if (g % 8 == 0) {
            sched_yield();
        }
    }
    stop = true;
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    munmap(code_page, size);
}

/* A fresh page with the function is put over the old one. */
static void part_remap(void)
{
    pthread_t t[2];
    code_page = map_code(4096);
    generation = 0;
    write_function(code_page, 0, NOP);
    stop = false;
    for (unsigned i = 0; i < 2; i++) {
        pthread_create(&t[i], NULL, runner, code_page);
    }
    for (unsigned g = 1; g <= rounds * 10; g++) {
        uint32_t *fresh = map_code(4096);
        write_function(fresh, g, NOP);
        if (mremap(fresh, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, code_page) != code_page) {
            FAIL("mremap: errno %d", errno);
        }
        __builtin___clear_cache((char *)code_page, (char *)code_page + 16);
        __atomic_store_n(&generation, g, __ATOMIC_RELEASE);
        sched_yield();
    }
    stop = true;
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
    }
    munmap(code_page, 4096);
}

/* -- fork ------------------------------------------------------------------------------------------------------------ */

static void *busy(void *arg)
{
    uint64_t rng = (uintptr_t)arg;
    while (!stop) {
        void *p = malloc(1 + (random_of(&rng) & 0xffff));
        memset(p, 1, 16);
        hold_once(&rng, 200);
        free(p);
    }
    return NULL;
}

/* Code that this process has never run. */
static unsigned fresh_code(unsigned value)
{
    uint32_t *p = map_code(4096);
    write_function(p, value, ADD_X0 | 1 << 10);
    unsigned got = (unsigned)((uint64_t(*)(void))(uintptr_t)p)();
    munmap(p, 4096);
    return got;
}

static void part_fork(void)
{
    pthread_t t[3];
    stop = false;
    start_timer(1777);
    for (uintptr_t i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, busy, (void *)(i + 1));
    }
    for (unsigned i = 0; i < rounds; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            FAIL("fork: errno %d", errno);
            break;
        }
        if (pid == 0) {
            uint64_t rng = i;
            bool good = fresh_code(i & 0xfff) == (i & 0xfff) + 1;
            hold_once(&rng, 500);
            pid_t again = fork();
            if (again == 0) {
                _exit(fresh_code(7) == 8 ? 11 : 12);
            }
            int status;
            good &= again > 0 && waitpid(again, &status, 0) == again && WIFEXITED(status) && WEXITSTATUS(status) == 11;
            _exit(good && !failures ? 42 : 43);
        }
        int status = 0;
        pid_t r;
        do {
            r = waitpid(pid, &status, 0);
        } while (r < 0 && errno == EINTR);
        if (r != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 42) {
            FAIL("round %u: the child ended with %#x", i, status);
        }
        if (fresh_code(i & 0xfff) != (i & 0xfff) + 1) {
            FAIL("round %u: code of the parent", i);
        }
    }
    stop = true;
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    start_timer(0);
}

/* -- much code ---------------------------------------------------------------------------------------------------------- */

enum { FUNCTIONS = 4096, WORDS = 16 };

static void *churner(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    size_t size = FUNCTIONS * WORDS * 4;
    uint32_t *p = map_code(size);
    for (unsigned round = 0; round < (rounds + 9) / 10; round++) {
        uint64_t want[8] = {0};
        for (unsigned f = 0; f < FUNCTIONS; f++) {
            uint32_t *w = p + f * WORDS;
            unsigned v = (f * 7 + seed + round) & 0xfff;
            w[0] = MOVZ_X0 | v << 5;
            for (unsigned k = 1; k < WORDS - 1; k++) {
                w[k] = ADD_X0 | (k & 7) << 10;
            }
            w[WORDS - 1] = RET;
        }
        __builtin___clear_cache((char *)p, (char *)p + size);
        for (unsigned k = 1; k < WORDS - 1; k++) {
            want[0] += k & 7;
        }
        for (unsigned f = 0; f < FUNCTIONS; f++) {
            uint64_t got = ((uint64_t(*)(void))(uintptr_t)(p + f * WORDS))();
            if (got != want[0] + ((f * 7 + seed + round) & 0xfff)) {
                FAIL("function %u of round %u gave %llu", f, round, (unsigned long long)got);
                return NULL;
            }
        }
    }
    munmap(p, size);
    return NULL;
}

static void part_churn(void)
{
    pthread_t t[3];
    start_timer(997);
    for (uintptr_t i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, churner, (void *)(i * 100));
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    start_timer(0);
}

/* -- pages that go and come ------------------------------------------------------------------------------------------- */

enum { PAGES = 16, WRITERS = 3 };
static uint8_t *pages;
static uint64_t written[WRITERS];
static unsigned faults;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    uint8_t *at = info->si_addr;
    (void)sig;
    (void)context;
    if (at < pages || at >= pages + PAGES * 4096) {
        static const char msg[] = "FAILED: a fault elsewhere\n";
        ssize_t n = write(1, msg, sizeof msg - 1);
        _exit(n < 0 ? 3 : 2);
    }
    __atomic_add_fetch(&faults, 1, __ATOMIC_RELAXED);
    mprotect((void *)((uintptr_t)at & ~4095ul), 4096, PROT_READ | PROT_WRITE);
    spoil();
}

/* Plain stores with write-back, pairs, vectors and atomics; each thread has words of its own. */
static void *writer(void *arg)
{
    unsigned id = (unsigned)(uintptr_t)arg;
    uint64_t rng = id + 1, sum = 0;
    while (!stop) {
        uint64_t r = random_of(&rng);
        uint64_t *at = (uint64_t *)(pages + (r >> 20) % PAGES * 4096 + 1024 * id), one = 1, old;
        switch (r >> 60) {
        case 0: case 1: case 2: __atomic_fetch_add(at, 1, __ATOMIC_SEQ_CST); break;
        case 3: case 4: __asm__ volatile("ldadd %1, %0, [%2]" : "=&r"(old) : "r"(one), "r"(at) : "memory"); break;
        case 5: case 6: {
            uint64_t *p = at;
            __asm__ volatile("ldr %0, [%1]\n add %0, %0, #1\n str %0, [%1], #8" : "=&r"(old), "+r"(p) : : "memory");
            if (p != at + 1) {
                FAIL("write-back happened twice, or not");
            }
            break;
        }
        case 7: case 8: {
            uint64_t *p = at + 2;
            __asm__ volatile("ldr x9, [%0, #-16]\n ldr x10, [%0, #-8]\n add x9, x9, #1\n stp x9, x10, [%0, #-16]!"
                             : "+r"(p) : : "x9", "x10", "memory");
            if (p != at) {
                FAIL("write-back of a pair happened twice, or not");
            }
            break;
        }
        case 9: case 10:
            __asm__ volatile("ldr q16, [%0]\n fmov x9, d16\n add x9, x9, #1\n mov v16.d[0], x9\n st1 {v16.2d}, [%0]"
                             : : "r"(at) : "x9", "v16", "memory");
            break;
        default:
            __asm__ volatile("1: ldaxr %0, [%2]\n add %0, %0, %1\n stlxr w9, %0, [%2]\n cbnz w9, 1b"
                             : "=&r"(old) : "r"(one), "r"(at) : "x9", "memory");
        }
        sum++;
    }
    written[id] = sum;
    return NULL;
}

static void part_pages(void)
{
    pthread_t t[WRITERS];
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGSEGV, &sa, NULL);
    pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stop = false;
    faults = 0;
    start_timer(701);
    for (uintptr_t i = 0; i < WRITERS; i++) {
        pthread_create(&t[i], NULL, writer, (void *)i);
    }
    uint64_t rng = 5;
    for (unsigned i = 0; i < rounds * 30; i++) {
        uint64_t r = random_of(&rng);
        mprotect(pages + (r >> 20) % PAGES * 4096, 4096, r >> 63 ? PROT_NONE : PROT_READ);
        if (i % 4 == 0) {
            sched_yield();
        }
    }
    stop = true;
    uint64_t want = 0, got = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(t[i], NULL);
        want += written[i];
    }
    start_timer(0);
    mprotect(pages, PAGES * 4096, PROT_READ);
    for (unsigned i = 0; i < PAGES * 4; i++) {
        got += *(uint64_t *)(pages + 1024 * i);
    }
    if (want != got) {
        FAIL("%llu additions, %llu made", (unsigned long long)want, (unsigned long long)got);
    }
    if (!faults) {
        FAIL("no fault happened");
    }
    munmap(pages, PAGES * 4096);
    signal(SIGSEGV, SIG_DFL);
}

/* -- system calls under signals ------------------------------------------------------------------------------------------ */

typedef struct Pipe {
    int in[2], out[2];
    uint64_t bytes;
} Pipe;

/* Reads exactly n bytes; the handler restarts, yet short reads happen. */
static bool read_all(int fd, uint8_t *buf, size_t n)
{
    while (n) {
        ssize_t got = read(fd, buf, n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        buf += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *buf, size_t n)
{
    while (n) {
        ssize_t put = write(fd, buf, n);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        buf += put;
        n -= (size_t)put;
    }
    return true;
}

static void *echo(void *arg)
{
    Pipe *p = arg;
    uint8_t buf[512];
    for (uint64_t left = p->bytes; left;) {
        size_t n = left < sizeof buf ? left : sizeof buf;
        if (!read_all(p->in[0], buf, n) || !write_all(p->out[1], buf, n)) {
            FAIL("echo: errno %d", errno);
            break;
        }
        left -= n;
    }
    return NULL;
}

static void *pipe_sniper(void *arg)
{
    const struct timespec pause = {0, 60000};
    while (!stop) {
        pthread_kill(victim, SIGUSR1);
        nanosleep(&pause, NULL);
    }
    return arg;
}

static void part_pipes(void)
{
    pthread_t other, hail;
    Pipe p = {.bytes = (uint64_t)rounds * 20 * 512};
    uint8_t buf[512], back[512];
    if (pipe(p.in) || pipe(p.out)) {
        FAIL("pipe: errno %d", errno);
        return;
    }
    stop = false;
    victim = pthread_self();
    start_timer(401);
    pthread_create(&other, NULL, echo, &p);
    pthread_create(&hail, NULL, pipe_sniper, NULL);
    uint64_t rng = 8;
    for (unsigned i = 0; i < rounds * 20; i++) {
        for (unsigned k = 0; k < sizeof buf; k++) {
            buf[k] = (uint8_t)(random_of(&rng) >> 33);
        }
        if (!write_all(p.in[1], buf, sizeof buf) || !read_all(p.out[0], back, sizeof back)) {
            FAIL("round %u: errno %d", i, errno);
            break;
        }
        if (memcmp(buf, back, sizeof buf)) {
            FAIL("round %u: other bytes came back", i);
        }
        if (i % 16 == 0) { /* a sleep lasts its time, whatever interrupts it */
            struct timespec want = {0, 300000}, rest = want, begin, end;
            clock_gettime(CLOCK_MONOTONIC, &begin);
            while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {
            }
            clock_gettime(CLOCK_MONOTONIC, &end);
            if ((end.tv_sec - begin.tv_sec) * 1000000000ll + end.tv_nsec - begin.tv_nsec < want.tv_nsec) {
                FAIL("round %u: the sleep was too short", i);
            }
        }
    }
    pthread_join(other, NULL);
    stop = true;
    pthread_join(hail, NULL);
    start_timer(0);
    for (unsigned i = 0; i < 2; i++) {
        close(p.in[i]);
        close(p.out[i]);
    }
}

/* -- leaving by a jump ------------------------------------------------------------------------------------------------- */

static sigjmp_buf way_out;
static volatile sig_atomic_t armed;

static void on_jump(int sig)
{
    (void)sig;
    ticks = ticks + 1;
    if (armed) {
        armed = 0;
        spoil();
        siglongjmp(way_out, 1);
    }
}

/* Never comes back by itself: calls, returns and indirect calls at every depth. */
static __attribute__((noinline)) uint64_t deep(uint64_t n, unsigned depth);
static uint64_t (*volatile deep_pointer)(uint64_t, unsigned) = deep;

static uint64_t deep(uint64_t n, unsigned depth)
{
    for (;;) {
        n = n * 3 + depth;
        if (depth < 200 && (n >> 7 & 1 || depth < 2)) {
            n ^= n & 256 ? deep(n, depth + 1) : deep_pointer(n, depth + 1);
        }
        if (depth > 2 && n >> 13 & 1) {
            return n;
        }
    }
}

static void part_jump(void)
{
    uint64_t rng = 3;
    struct itimerval once = {{0, 0}, {0, 0}}, off = {{0, 0}, {0, 0}};
    struct sigaction sa = {.sa_handler = on_jump};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGALRM, &sa, NULL);
    for (volatile unsigned i = 0; i < rounds * 10; i++) {
        volatile uint64_t kept = random_of(&rng);
        uint64_t copy = kept;
        once.it_value.tv_usec = 1 + (long)(random_of(&rng) >> 44 & 511);
        armed = 1;
        if (sigsetjmp(way_out, 1) == 0) {
            setitimer(ITIMER_REAL, &once, NULL);
            if (i & 1) {
                deep(i, 0);
            } else {
                for (;;) {
                    hold_once(&rng, 50);
                }
            }
        }
        if (kept != copy) {
            FAIL("round %u: a variable changed", i);
        }
        hold_once(&rng, 20);
    }
    setitimer(ITIMER_REAL, &off, NULL);
}

/* -- threads that come and go --------------------------------------------------------------------------------------------- */

static __thread uint64_t own[8];

static void *short_life(void *arg)
{
    uint64_t rng = (uintptr_t)arg;
    for (unsigned i = 0; i < 8; i++) {
        if (own[i]) {
            FAIL("a new thread's variable is not zero");
        }
        own[i] = random_of(&rng);
    }
    hold_once(&rng, 100);
    rng = (uintptr_t)arg;
    for (unsigned i = 0; i < 8; i++) {
        if (own[i] != random_of(&rng)) {
            FAIL("a thread's variable changed");
        }
    }
    return (void *)((uintptr_t)arg + 1);
}

static void part_threads(void)
{
    uint64_t rng = 4;
    start_timer(211);
    for (unsigned i = 0; i < rounds * 4; i++) {
        pthread_t t[6];
        for (uintptr_t k = 0; k < 6; k++) {
            if (pthread_create(&t[k], NULL, short_life, (void *)(i * 8 + k + 1))) {
                FAIL("round %u: no thread, errno %d", i, errno);
                return;
            }
            if (random_of(&rng) >> 62 == 0) {
                pthread_kill(t[k], SIGUSR1);
            }
        }
        for (uintptr_t k = 0; k < 6; k++) {
            void *result;
            if (pthread_join(t[k], &result) || (uintptr_t)result != i * 8 + k + 2) {
                FAIL("round %u: a thread's result", i);
            }
        }
    }
    start_timer(0);
}

static const Part parts[] = {{"regs", part_regs}, {"flags", part_flags}, {"modify", part_modify}, {"remap", part_remap}, {"fork", part_fork}, {"pages", part_pages},
                             {"pipes", part_pipes}, {"jump", part_jump}, {"threads", part_threads}, {"churn", part_churn}};

PARTS_MAIN(parts, 30)
