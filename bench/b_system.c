/* b_system.c - host instructions that guest instructions of whole machines cost, counted.
 *
 * A guest without a machine (as in tests/unit/t_mem_soft.c) runs each row's loop in a child process, for some rounds and for more; this
 * one steps it instruction by instruction. The difference, less that of an empty loop, is what the row's instructions cost, the C code
 * that they call included. Exact, and the same on every host with the same features.
 *
 * Memory: 0x40000000 is RAM for EL1 by 1 GiB, 0x80000000 the same for EL0; what follows is not mapped. x0, x1, x2 point to three pages that
 * share an entry of the TLB, x3 to nothing, x4 to EL0's page. A row is a list of words; a row for EL0 takes exceptions at the vector, which skips what faulted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem.h"
#include "space.h"

enum { RAM = 0x40000000, RAM_BYTES = 16 << 20, USER = 0x40000000, CODE = RAM, TABLE = RAM + 0x100000, VECTORS = RAM + 0x200000,
       DATA = RAM + 0x300000, WORDS = 8, ROUNDS = 20 };

static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));

static const struct {
    const char *name;
    bool user;
    unsigned n; /* guest instructions that count as one */
    uint32_t words[WORDS];
} rows[] = {
    {"load (LDR)", false, 4, {0xf9400003, 0xf9400403, 0xf9400803, 0xf9400c03}},
    {"store (STR)", false, 4, {0xf9000003, 0xf9000403, 0xf9000803, 0xf9000c03}},
    {"load in a loop of EL0", true, 4, {0xf9400003, 0xf9400403, 0xf9400803, 0xf9400c03}},
    {"store in a loop of EL0", true, 4, {0xf9000003, 0xf9000403, 0xf9000803, 0xf9000c03}},
    {"load of a pair (LDP)", false, 2, {0xa9400c04, 0xa9410c04}},
    {"load as EL0 (LDTR)", false, 2, {0xf8400883, 0xf8408883}},
    {"64 zero bytes (DC ZVA)", false, 1, {0xd50b7420}},
    {"load, second way of the TLB", false, 2, {0xf9400003, 0xf9400023}},
    {"load, walk of the tables", false, 3, {0xf9400003, 0xf9400023, 0xf9400043}},
    {"return address signed and checked (PACIASP, AUTIASP)", false, 1, {0xd503233f, 0xd50323bf}},
    {"exception round trip (SVC, ERET)", true, 1, {0xd4000001}},
    {"page fault round trip (abort, ESR, ELR, ERET)", true, 1, {0xf9400463}},
};

/* At EL0's synchronous vector: mrs x6, esr_el1; lsr x6, x6, #26; cmp x6, #0x15; b.eq 1f; mrs x6, elr_el1; add x6, x6, #4;
 * msr elr_el1, x6; 1: eret */
static const uint32_t handler[] = {0xd5385206, 0xd35afcc6, 0xf10054df, 0x54000080, 0xd5384026, 0x910010c6, 0xd5184026, 0xd69f03e0};
static const uint32_t returns[] = {0xd69f03e0};

static CpuA64 *make(void)
{
    static A64Hooks hooks;
    static CpuModel model;
    PhysMem *mem = mem_new();
    mem_add_ram(mem, "ram", (Gpa){RAM}, RAM_BYTES, ram, false);
    a64_machine_model(a64_model("max"), (A64Options){.pmu = false}, &model);
    Space *space = space_new(mem);
    Engine *e = engine_new(&(EngineConfig){.fe = &a64_system_frontend, .cpu_model = &model, .space = space, .soft = &space_soft});
    A64Machine *m = aligned_alloc(64, ALIGN_UP(sizeof *m, 64));
    if (!e || !m) {
        BUG("no memory");
    }
    memset(m, 0, sizeof *m);
    CpuA64 *cpu = &m->cpu;
    cpu->sys = &m->sys;
    cpu->model = &model;
    space_hooks(&hooks);
    cpu->sys->hooks = &hooks;
    space_set_engine(space, e);
    a64_reset(cpu);
    if (engine_cpu_init(e, &cpu->h) < 0 || space_cpu_init(space, cpu) < 0) {
        BUG("no memory");
    }
    uint64_t table[3] = {0, RAM | 1 << 10 | 1, RAM | 1 << 10 | 1 << 6 | 1};
    memcpy(ram + (TABLE - RAM), table, sizeof table);
    a64_set_sysreg(cpu, SR_MAIR_EL1, 0xff);
    a64_set_sysreg(cpu, SR_TCR_EL1, 25 | (uint64_t)1 << 23 | (uint64_t)2 << 32);
    a64_set_sysreg(cpu, SR_TTBR0_EL1, TABLE);
    a64_set_sysreg(cpu, SR_VBAR_EL1, VECTORS);
    a64_set_sysreg(cpu, SR_SCTLR_EL1, a64_sysreg(cpu, SR_SCTLR_EL1) | 1 | (uint64_t)1 << 31);
    return cpu;
}

/* The loop around a row's words, or around none. */
static void write_code(const uint32_t *words, unsigned vector)
{
    uint32_t *p = (uint32_t *)(ram + (CODE - RAM));
    unsigned n = 0;
    while (words && n < WORDS && words[n]) {
        p[n] = words[n];
        n++;
    }
    p[n] = 0xf10004a5;                                 /* subs x5, x5, #1 */
    p[n + 1] = 0x54000001 | (-n - 1u) % (1u << 19) << 5; /* b.ne back */
    p[n + 2] = 0xd4400000;                             /* hlt #0 */
    memcpy(ram + (VECTORS - RAM) + 0x400, vector ? handler : returns, vector ? sizeof handler : sizeof returns);
}

static void run(CpuA64 *cpu, bool user, unsigned rounds)
{
    uint64_t add = user ? USER : 0;
    a64_set_el(cpu, user ? 0 : 1, !user);
    cpu->pc = CODE + add;
    for (unsigned k = 0; k < 3; k++) {
        cpu->x[k] = DATA + add + k * ((uint64_t)4096 << TLB_BITS);
    }
    cpu->x[3] = RAM + 2 * (uint64_t)USER;
    cpu->x[4] = DATA + (uint64_t)USER;
    cpu->x[5] = rounds;
    cpu->x[30] = CODE;
    cpu->sp = DATA;
    cpu->h.pending = 0;
    for (ExcKind k = EXC_NONE; k != EXC_UNDEF;) { /* by the HLT */
        k = engine_run(&cpu->h);
        if (k != EXC_UNDEF) {
            a64_exception(cpu, k);
        }
    }
}

/* In the child: each raised signal is a mark for who counts. */
static void child(const uint32_t *words, bool user, bool faults)
{
    CpuA64 *cpu = make();
    write_code(words, faults);
    run(cpu, user, ROUNDS); /* warm */
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    for (unsigned k = 1; k <= 2; k++) {
        raise(SIGUSR1);
        run(cpu, user, k * ROUNDS);
        raise(SIGUSR2);
    }
    _exit(0);
}

/* Host instructions per round. */
static double count(const uint32_t *words, bool user, bool faults)
{
    pid_t pid = fork();
    if (pid == 0) {
        child(words, user, faults);
    }
    long n[2] = {0}, part = -1;
    int status;
    bool on = false;
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        int signo = WSTOPSIG(status);
        part += signo == SIGUSR1;
        on = signo == SIGUSR1 ? true : signo == SIGUSR2 ? false : on;
        if (on) {
            n[part]++;
        }
        ptrace(on ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, (void *)(uintptr_t)(signo == SIGTRAP || signo == SIGUSR1 || signo == SIGUSR2 ? 0 : signo));
    }
    return (double)(n[1] - n[0]) / ROUNDS;
}

int main(void)
{
    puts("| guest instruction | host instructions |\n|---|---|");
    for (unsigned k = 0; k < LEN(rows); k++) {
        bool faults = rows[k].words[0] == 0xf9400463;
        double empty = count(NULL, rows[k].user, faults), all = count(rows[k].words, rows[k].user, faults);
        printf("| %s | %.1f |\n", rows[k].name, (all - empty) / rows[k].n);
        fflush(stdout);
    }
    return 0;
}
