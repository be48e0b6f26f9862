/* diff.h - the parts of the differential test, on the host's side (words in proto.h).
 *
 *   rng.h      random numbers             gen.c      makes cases, one instruction at a time, by running them
 *                                         plan.c     control flow of cases with several blocks
 *   units.c    engines in this process    oracle.c   guest programs under QEMU or armx-user
 *   rows.c     cases as text, waivers     shrink.c   a failing case made small
 *   mutate.c   planted errors             diff.c     main: batches, comparison, report
 *
 * One thread. The in-process engines take turns on the same guest addresses.
 */
#ifndef ARMX_TESTS_DIFF_DIFF_H
#define ARMX_TESTS_DIFF_DIFF_H

#include <stdio.h>

#include "cpu.h"
#include "isa_a64.h"
#include "proto.h"
#include "rng.h"

enum {
    MAX_TARGETS = 24, /* in-process units and oracles */
    MAX_STEPS = 2000, /* regions that a case may run through */
    SIG_SVC = 100,    /* pseudo-signals of results: SVC; gave up */
    SIG_ENDLESS = 101,
};

typedef struct Case {
    uint64_t seed;    /* of the run, for the report */
    uint64_t memseed; /* the image is made of it */
    DiffState in;     /* in.pc names the slot */
    uint32_t words[SLOT_WORDS];
    bool oracle;      /* made for the oracle: no instruction that it lacks or that is not comparable */
    const char *items; /* what the result must be, as text, or NULL (rows.c) */
    unsigned nrows;
    uint16_t rows[64]; /* rows of executed instructions, ROW_UNALLOCATED too */
} Case;

static inline uint64_t slot_address(uint64_t pc)
{
    return DIFF_CODE + (pc - DIFF_CODE) / SLOT_BYTES * SLOT_BYTES;
}

/* -- units.c -------------------------------------------------------------------------------------------------- */

typedef struct Unit {
    const char *name;
    bool one_insn, jit; /* jit: by engine_run(), */
    bool interp;        /* which interprets */
    bool variant;       /* one of which a share of the blocks is enough (diff -e) */
    bool threads; /* barriers, locks and monitors as with several threads */
    bool loops;   /* tier 2, every loop hot at once */
    bool no_ufc;  /* as before the guest looks at FPSR for the first time */
    uint32_t no_opt;
    Engine *engine;
    CpuA64 *cpu;
} Unit;

extern Unit *units; /* [0] is the interpreter, the reference */
extern unsigned nunits;
extern const CpuModel *the_model;
extern Frontend the_frontend; /* a64_frontend; mutate.c may change what it makes */
extern const Case *running;
/* Called, in a signal handler, when a unit breaks down in case `running`; NULL: just leave with status 3. */
extern void (*unit_broke)(Unit *u);

void units_init(bool jit, const char *cpu);
/* The image of a seed. */
void image_make(uint64_t memseed, uint8_t image[DIFF_IMAGE_SIZE]);
/* From here on cases start from this image and find this code. */
void units_batch(const uint8_t *code, const uint8_t *image);
/* Another engine and CPU for the unit, in place of ones that broke. */
void unit_renew(Unit *u);
void units_watch(void); /* starts the timer that finds endless loops */
void unit_run(Unit *u, const Case *c, DiffResult *r);

/* For the generator: the reference's CPU, one instruction at a time. */
typedef struct Step {
    ExcKind kind;
    uint64_t fault_addr;
    IrRegion region; /* of the instruction */
} Step;
CpuA64 *ref_cpu(void);
void ref_load(const DiffState *s);
void ref_translate(Step *s);              /* the instruction at cpu->pc */
bool ref_address(Step *s, uint64_t *addr, unsigned *log2size); /* of its first memory access, if it has one */
void ref_run(Step *s);
void ref_result(const Step *s, DiffResult *r);
uint8_t *code_alias(uint64_t pc);         /* writable view of code memory */
const uint64_t *current_image(void);

/* -- gen.c ---------------------------------------------------------------------------------------------------- */

extern uint64_t row_runs[A64_ROW_COUNT]; /* instructions executed without exception, by row */
extern uint64_t row_faults[A64_ROW_COUNT];
extern bool row_oracle[A64_ROW_COUNT];   /* the oracle has it and it can be compared */
bool row_allocated(unsigned row);        /* by the CPU model */
void gen_init(void);
/* A case in the given slot. False: none came of it this time. */
bool gen_case(Rng *g, unsigned slot, bool oracle, uint64_t memseed, Case *c);
/* A case of one instruction that is a sample of the row. */
bool gen_sample(unsigned row, unsigned n, unsigned slot, uint64_t memseed, Case *c);

/* -- oracle.c --------------------------------------------------------------------------------------------------- */

typedef struct Oracle {
    const char *name;
    int pid, to, from, fd;
    DiffShared *shared;
    char **argv;
    unsigned busy[DIFF_BUFFERS];
} Oracle;

bool oracle_start(Oracle *o, const char *name, const char *command, const char *guest);
void oracle_stop(Oracle *o);
void oracle_send(Oracle *o, unsigned buffer, const Case *cases, unsigned n, const uint8_t *code, const uint8_t *image);
/* Waits for the batch; false: the oracle died or hung in it or in one before, and has been started again. */
bool oracle_wait(Oracle *o, unsigned buffer);
bool oracle_one(Oracle *o, const Case *c, DiffResult *r);

/* -- rows.c ----------------------------------------------------------------------------------------------------- */

void row_print(FILE *f, const Case *c, const DiffState *want);
bool row_parse(const char *line, Case *c);
bool row_expected(const Case *c, const DiffResult *got, char *why, size_t size);
/* Prints what differs; returns false when nothing does. */
bool result_compare(const DiffResult *a, const DiffResult *b, FILE *f, const char *an, const char *bn);
int waivers_read(const char *path);
/* A waiver of this kind ("skip", "never") for the row, or NULL; "word" waivers go by the word. */
bool waived_name(const char *kind, const char *name);
bool waived_row(const char *kind, unsigned row);
bool waived_word(const char *kind, uint32_t word);
/* May this difference between the reference and the oracle stand? Counts it. */
bool waived_result(const Case *c, const DiffResult *ref, const DiffResult *oracle);
/* The same between the reference and another engine of ours; no_ufc as in Unit. */
bool waived_ours(const Case *c, const DiffResult *ref, const DiffResult *other, bool no_ufc);
uint64_t waivers_report(FILE *f); /* how often each was used; the sum */

/* -- shrink.c ---------------------------------------------------------------------------------------------------- */

typedef bool Fails(const Case *c, void *arg);
void shrink(Case *c, Fails *fails, void *arg);

/* -- mutate.c ---------------------------------------------------------------------------------------------------- */

unsigned mutations(void);
const char *mutation_name(unsigned n);
/* Plants error n (1 ..) in what the_frontend makes; 0 takes it out. */
void mutation_set(unsigned n);

#endif
