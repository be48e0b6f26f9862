/* diff.c - the differential test: random blocks in every engine and under oracles, compared bit for bit.
 *
 *     diff [-s SEED] [-n BLOCKS] [-e SHARE] [-g GUEST] [-o NAME=COMMAND]... [-r ROWS] [-w WAIVERS] [-m N|all] [-k N]
 *          [-R ROW] [-d ITEMS] [-c CPU] [-i] [-v]
 *
 * -e: engines that are variants of another run one batch in SHARE only, in turns. -o adds an oracle: COMMAND runs the
 * guest program GUEST (guest.c). -r runs the fixed rows first. -m plants error N in the front end and expects to find it.
 * -k stops after N differences (default 5). -R runs one row and shows what every engine makes of it; -d dumps as
 * armx-user -d does. -i uses the interpreter only; -c takes another CPU model than max.
 * A run depends on nothing but its arguments and the engines. Differences are printed as rows (rows.c) that can be
 * added to rows.txt as they are. The last line counts; the status is 1 when anything differed, 0 with -m when found.
 *
 * A batch is made and run here while the oracles run the one before.
 */
#include <getopt.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "diff.h"
#include "log.h"

typedef unsigned long long ull;

static struct {
    uint64_t seed;
    unsigned long blocks;
    const char *guest, *rows, *waivers, *row, *cpu;
    unsigned mutation, stop, share;
    bool all_mutations, interp_only, verbose;
} opt = {.seed = 1, .blocks = 20000, .stop = 5, .share = 1, .cpu = "max"};

static Oracle oracles[4];
static unsigned noracles;
static const char *oracle_commands[4];

/* A batch under way: its cases, the reference's results, and which of them the oracles have. */
typedef struct Work {
    Case cases[DIFF_BATCH];
    DiffResult ref[DIFF_BATCH];
    uint8_t code[DIFF_CODE_SIZE], image[DIFF_IMAGE_SIZE];
    unsigned n;
    bool sent;
} Work;
static Work work[2];

static struct {
    unsigned long blocks, compared, discarded, differences, fixed;
    uint64_t insns;
} count;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* -- one case --------------------------------------------------------------------------------------------------------- */

/* Makes memory what the case needs, when it is not part of the current batch. */
static void set_up(const Case *c)
{
    static uint8_t image[DIFF_IMAGE_SIZE];
    static uint64_t made;
    if (made != c->memseed) {
        image_make(c->memseed, image);
        made = c->memseed;
    }
    memcpy(code_alias(slot_address(c->in.pc)), c->words, SLOT_BYTES);
    units_batch(NULL, image);
}

static bool unit_differs(const Unit *u, const Case *c, const DiffResult *ref, const DiffResult *other)
{
    return result_compare(ref, other, NULL, "", "") && !waived_ours(c, ref, other, u->no_ufc);
}

/* What is waived for a foreign oracle is not for armx-user. */
static bool oracle_differs(const Oracle *o, const Case *c, const DiffResult *ref, const DiffResult *other)
{
    bool ours = strncmp(o->name, "armx", 4) == 0;
    return result_compare(ref, other, NULL, "", "") && !(ours ? waived_ours(c, ref, other, true) : waived_result(c, ref, other));
}

static bool run_times(Unit *u, const Case *c, const DiffResult *ref, DiffResult *other, unsigned times)
{
    while (times--) {
        unit_run(u, c, other);
        if (unit_differs(u, c, ref, other)) {
            return true;
        }
    }
    return false;
}

typedef struct Pair {
    Unit *unit;
    Oracle *oracle; /* one of the two */
    unsigned kind;  /* of the difference; 0: any */
} Pair;

/* What kind of difference it is: a case must not become another while it is made small. */
static unsigned kind_of(const DiffResult *a, const DiffResult *b)
{
    unsigned kind = 1;
    kind |= memcmp(a->s.x, b->s.x, sizeof a->s.x) ? 2 : 0;
    kind |= memcmp(a->s.v, b->s.v, sizeof a->s.v) ? 4 : 0;
    kind |= a->s.nzcv != b->s.nzcv ? 8 : 0;
    kind |= a->s.fpsr != b->s.fpsr ? 16 : 0;
    kind |= a->addr != b->addr ? 32 : 0;
    return a->sig != b->sig ? kind | a->sig << 8 | b->sig << 16 : kind;
}

static bool pair_fails(const Case *c, void *arg)
{
    static DiffResult ref, other;
    const Pair *p = arg;
    set_up(c);
    unit_run(&units[0], c, &ref);
    if (ref.sig == SIG_ENDLESS) {
        return false;
    }
    if (p->oracle) {
        return !oracle_one(p->oracle, c, &other) ||
               (oracle_differs(p->oracle, c, &ref, &other) && (!p->kind || p->kind == kind_of(&ref, &other)));
    }
    return run_times(p->unit, c, &ref, &other, p->unit->jit ? 60 : 1);
}

static void disassemble(const Case *c)
{
    char text[200];
    for (unsigned i = 0; i < SLOT_WORDS; i++) {
        if (c->words[i] != DIFF_FILLER) {
            the_frontend.disas(gva(slot_address(c->in.pc) + 4 * i), c->words[i], text, sizeof text);
            fprintf(stderr, "    %s\n", text);
        }
    }
}

/* was: what the batch gave, where it can be said. */
static void report_pair(const Case *found, Pair p, const DiffResult *was_ref, const DiffResult *was)
{
    static DiffResult ref, other;
    const char *name = p.oracle ? p.oracle->name : p.unit->name;
    Case c = *found;
    count.differences++;
    if (opt.all_mutations) {
        return;
    }
    bool again = pair_fails(&c, &p);
    if (again) {
        p.kind = was_ref && was ? kind_of(was_ref, was) : 0;
        shrink(&c, pair_fails, &p);
    }
    fprintf(stderr, "difference %lu, interp and %s, seed %llu%s:\n", count.differences, name, (ull)opt.seed,
            again ? "" : " (only in its batch)");
    row_print(stderr, &c, NULL);
    disassemble(&c);
    set_up(&c);
    if (!again && was) {
        result_compare(was_ref, was, stderr, "interp", name);
    }
    unit_run(&units[0], &c, &ref);
    bool ran = true;
    if (p.oracle) {
        ran = oracle_one(p.oracle, &c, &other);
    } else {
        unit_run(p.unit, &c, &other);
    }
    if (ran) {
        result_compare(&ref, &other, stderr, "interp", name);
    } else {
        fprintf(stderr, "    %s does not answer\n", name);
    }
}

/* Does the unit break down? In a process of its own, with a fresh engine. */
static bool breaks(const Case *c, void *arg)
{
    static DiffResult r;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        unit_broke = NULL;
        close(2);
        units_watch();
        unit_renew(arg);
        set_up(c);
        unit_run(arg, c, &r);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status != 0;
}

static void broke(Unit *u)
{
    Case c = *running;
    unit_broke = NULL;
    if (breaks(&c, u)) {
        shrink(&c, breaks, u);
        fprintf(stderr, "shrunk:\n");
    }
    row_print(stderr, &c, NULL);
    disassemble(&c);
}

/* -- batches ----------------------------------------------------------------------------------------------------------- */

static void batch_begin(Work *w, uint64_t memseed)
{
    w->n = 0;
    image_make(memseed, w->image);
    for (unsigned i = 0; i < DIFF_CODE_SIZE / 4; i++) {
        ((uint32_t *)(void *)w->code)[i] = DIFF_FILLER;
    }
    units_batch(w->code, w->image);
}

/* Runs the reference, when all code is there, and drops cases that do not end. */
static void batch_reference(Work *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n; i++) {
        unit_run(&units[0], &w->cases[i], &w->ref[n]);
        if (w->ref[n].sig == SIG_ENDLESS) {
            count.discarded++;
            continue;
        }
        if (n != i) {
            w->cases[n] = w->cases[i];
        }
        count.insns += w->cases[n++].nrows;
    }
    w->n = n;
}

static void batch_generate(Work *w, Rng *g, uint64_t memseed, unsigned long want)
{
    batch_begin(w, memseed);
    for (unsigned slot = 0; slot < DIFF_BATCH && w->n < want; slot++) {
        Case *c = &w->cases[w->n];
        bool oracle = noracles && !rng_one_in(g, 5);
        if (!gen_case(g, slot, oracle, memseed, c)) {
            count.discarded++;
            continue;
        }
        c->seed = opt.seed;
        w->n++;
    }
    batch_reference(w);
    memcpy(w->code, code_alias(DIFF_CODE), DIFF_CODE_SIZE);
}

static void batch_send(Work *w, unsigned buffer)
{
    for (unsigned i = 0; i < noracles; i++) {
        oracle_send(&oracles[i], buffer, w->cases, w->n, w->code, w->image);
    }
    w->sent = true;
}

static bool enough(void)
{
    return count.differences >= opt.stop;
}

/* How often unit u runs case i: again over the code that it has, and at times so often that sites where FP traps are
 * translated anew. */
static unsigned times_of(unsigned u, unsigned i)
{
    if (units[u].interp) {
        return i % 4 == 0;
    }
    return !units[u].jit ? 1 : i % 64 == u ? 60 : 1 + (i + u) % 2;
}

/* The other engines of this process. Differences are collected first: making one small spoils the batch's memory. */
static void batch_engines(Work *w)
{
    static DiffResult other;
    static struct {
        unsigned unit, at;
        DiffResult other;
    } found[16];
    static unsigned batch;
    unsigned n = 0;
    units_batch(NULL, w->image);
    batch++;
    for (unsigned u = 1; u < nunits; u++) {
        for (unsigned i = 0; i < w->n && !(units[u].variant && (batch + u) % opt.share); i++) {
            if (run_times(&units[u], &w->cases[i], &w->ref[i], &other, times_of(u, i)) && n < LEN(found)) {
                found[n].unit = u;
                found[n].other = other;
                found[n++].at = i;
            }
        }
    }
    for (unsigned i = 0; i < n && !enough(); i++) {
        report_pair(&w->cases[found[i].at], (Pair){.unit = &units[found[i].unit]}, &w->ref[found[i].at], &found[i].other);
    }
    count.blocks += w->n;
}

/* The oracle died or hung, in this batch or in the one before: runs the cases one by one. */
static void run_singly(const Work *w, Oracle *o)
{
    static DiffResult r;
    for (unsigned i = 0; i < w->n && !enough(); i++) {
        const Case *c = &w->cases[i];
        if (c->oracle && (!oracle_one(o, c, &r) || oracle_differs(o, c, &w->ref[i], &r))) {
            report_pair(c, (Pair){.oracle = o}, NULL, NULL);
        }
        count.compared += c->oracle;
    }
}

static void batch_oracles(Work *w, unsigned buffer)
{
    if (!w->sent) {
        return;
    }
    w->sent = false;
    for (unsigned k = 0; k < noracles; k++) {
        Oracle *o = &oracles[k];
        if (!oracle_wait(o, buffer)) {
            run_singly(w, o);
            continue;
        }
        const DiffResult *out = o->shared->batch[buffer].out;
        unsigned sent = 0;
        for (unsigned i = 0; i < w->n && !enough(); i++) {
            if (!w->cases[i].oracle) {
                continue;
            }
            unsigned n = sent++;
            count.compared++;
            if (oracle_differs(o, &w->cases[i], &w->ref[i], &out[n])) {
                report_pair(&w->cases[i], (Pair){.oracle = o}, &w->ref[i], &out[n]);
            }
        }
    }
}

static void run_random(unsigned long blocks)
{
    unsigned long begin = count.blocks;
    for (unsigned long k = 0; count.blocks - begin < blocks && !enough(); k++) {
        unsigned buffer = k & 1;
        uint64_t memseed = rng_mix(opt.seed ^ rng_mix(k));
        Rng g;
        rng_seed(&g, memseed);
        batch_generate(&work[buffer], &g, memseed, blocks - (count.blocks - begin));
        batch_send(&work[buffer], buffer);
        batch_engines(&work[buffer]);
        batch_oracles(&work[!buffer], !buffer);
        if (opt.verbose && k % 16 == 15) {
            fprintf(stderr, "%lu blocks\n", count.blocks);
        }
    }
    batch_oracles(&work[0], 0);
    batch_oracles(&work[1], 1);
}

/* -- what the oracles have ---------------------------------------------------------------------------------------------- */

/* Runs samples of each row: a row that needs a feature and is undefined there is one that the oracle lacks. */
static unsigned probe(FILE *lacks)
{
    unsigned missing = 0;
    Work *w = &work[0];
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        row_oracle[row] = row_allocated(row) && !waived_row("never", row) && !waived_row("skip", row);
    }
    for (unsigned row = 1; row < A64_ROW_COUNT && noracles;) {
        batch_begin(w, 1);
        for (; row < A64_ROW_COUNT && w->n < DIFF_BATCH - 4; row++) {
            for (unsigned n = 0; n < 4 && row_oracle[row]; n++) {
                Case *c = &w->cases[w->n];
                if (gen_sample(row, n, w->n, 1, c)) {
                    unit_run(&units[0], c, &w->ref[w->n]);
                    w->n += w->ref[w->n].sig != SIG_ENDLESS;
                }
            }
        }
        memcpy(w->code, code_alias(DIFF_CODE), DIFF_CODE_SIZE);
        for (unsigned k = 0; k < noracles; k++) {
            Oracle *o = &oracles[k];
            oracle_send(o, 0, w->cases, w->n, w->code, w->image);
            if (!oracle_wait(o, 0)) {
                fprintf(stderr, "diff: %s does not answer\n", o->name);
                exit(2);
            }
            for (unsigned i = 0; i < w->n; i++) {
                unsigned r = w->cases[i].rows[0];
                const DiffResult *out = &o->shared->batch[0].out[i];
                if (row_oracle[r] && w->ref[i].sig != 4 && out->sig == 4 && out->s.pc == w->cases[i].in.pc) {
                    row_oracle[r] = false;
                    missing++;
                    fprintf(lacks, " %s", a64_rows[r].name);
                }
            }
        }
    }
    return missing;
}

/* -- fixed rows ------------------------------------------------------------------------------------------------------------- */

static void run_row(const Case *c, const char *line, bool show)
{
    static DiffResult ref, other;
    char why[80];
    set_up(c);
    unit_run(&units[0], c, &ref);
    if (!row_expected(c, &ref, why, sizeof why)) {
        count.differences++;
        fprintf(stderr, "row: %s\n    interp: %s\n", line, why);
    }
    if (show) {
        row_print(stderr, c, &ref.s);
        fprintf(stderr, "    signal %u code %d addr %llx\n", ref.sig, ref.code, (ull)ref.addr);
        disassemble(c);
    }
    for (unsigned i = 1; i < nunits + noracles; i++) {
        Oracle *o = i < nunits ? NULL : &oracles[i - nunits];
        bool ran = true;
        if (o && !c->oracle) {
            continue;
        }
        if (o) {
            ran = oracle_one(o, c, &other);
        } else {
            unit_run(&units[i], c, &other);
        }
        const char *name = o ? o->name : units[i].name;
        if (!ran || (o ? oracle_differs(o, c, &ref, &other) : unit_differs(&units[i], c, &ref, &other))) {
            count.differences++;
            fprintf(stderr, "row: %s\n", line);
            result_compare(&ref, &other, stderr, "interp", name);
        }
    }
    count.fixed++;
}

static int run_rows(const char *path)
{
    static char line[8192];
    Case c;
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return -1;
    }
    for (unsigned n = 1; fgets(line, sizeof line, f); n++) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || line[0] == 0) {
            continue;
        }
        if (!row_parse(line, &c)) {
            fprintf(stderr, "%s:%u: not a row\n", path, n);
            return -1;
        }
        run_row(&c, line, false);
    }
    return fclose(f);
}

/* -- the report ---------------------------------------------------------------------------------------------------------------- */

static void report(double seconds, unsigned missing)
{
    unsigned allocated = 0, ran = 0, compared = 0;
    for (unsigned row = 1; row < A64_ROW_COUNT; row++) {
        if (!row_allocated(row)) {
            continue;
        }
        allocated++;
        compared += row_oracle[row];
        if (row_runs[row] + row_faults[row]) {
            ran++;
        } else {
            printf("never run: %s\n", a64_rows[row].name);
        }
        if (opt.verbose && row_runs[row] < 20) {
            printf("%s: %llu times, %llu exceptions\n", a64_rows[row].name, (ull)row_runs[row], (ull)row_faults[row]);
        }
    }
    uint64_t waived = waivers_report(stdout);
    printf("engines:");
    for (unsigned i = 0; i < nunits; i++) {
        printf(" %s", units[i].name);
    }
    for (unsigned i = 0; i < noracles; i++) {
        printf(" %s", oracles[i].name);
    }
    printf("\n%u rows comparable with the oracles, which lack %u; %lu cases compared there; %lu discarded; %llu instructions\n",
           compared, missing, count.compared, count.discarded, (ull)count.insns);
    printf("%u of %u rows, %u engines, %lu blocks, %lu fixed rows, seed %llu, %llu waived, %lu differences, %.0f blocks/s\n", ran,
           allocated, nunits + noracles, count.blocks, count.fixed, (ull)opt.seed, (ull)waived, count.differences,
           (double)count.blocks / (seconds > 0 ? seconds : 1));
}

/* Each planted error must be found. */
static int run_mutations(void)
{
    unsigned missed = 0;
    opt.stop = 1;
    for (unsigned m = 1; m <= mutations(); m++) {
        double begin = now();
        count.differences = 0;
        count.blocks = 0;
        mutation_set(m);
        run_random(opt.blocks);
        mutation_set(0);
        missed += count.differences == 0;
        printf("%s: %s after %lu blocks, %.1f s\n", mutation_name(m), count.differences ? "found" : "MISSED", count.blocks,
               now() - begin);
        fflush(stdout);
    }
    printf("%u errors planted, %u missed\n", mutations(), missed);
    return missed != 0;
}

static void parse(int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "s:n:e:g:o:r:w:m:k:R:d:c:iv")) >= 0) {
        switch (c) {
        case 's': opt.seed = strtoull(optarg, NULL, 0); break;
        case 'n': opt.blocks = strtoul(optarg, NULL, 0); break;
        case 'e': opt.share = (unsigned)atoi(optarg) ? (unsigned)atoi(optarg) : 1; break;
        case 'g': opt.guest = optarg; break;
        case 'r': opt.rows = optarg; break;
        case 'w': opt.waivers = optarg; break;
        case 'k': opt.stop = (unsigned)atoi(optarg); break;
        case 'R': opt.row = optarg; break;
        case 'i': opt.interp_only = true; break;
        case 'v': opt.verbose = true; break;
        case 'c': opt.cpu = optarg; break;
        case 'd':
            if (log_parse(optarg, &(const char *){NULL}) == 0) {
                break;
            }
            exit(2);
        case 'm':
            opt.all_mutations = strcmp(optarg, "all") == 0;
            opt.mutation = (unsigned)atoi(optarg);
            break;
        case 'o':
            if (noracles < LEN(oracles) && strchr(optarg, '=')) {
                oracle_commands[noracles++] = optarg;
                break;
            }
            /* fall through */
        default:
            fprintf(stderr, "usage: see the head of tests/diff/diff.c\n");
            exit(2);
        }
    }
}

static void start_oracles(void)
{
    for (unsigned i = 0; i < noracles; i++) {
        const char *eq = strchr(oracle_commands[i], '=');
        if (!opt.guest || !oracle_start(&oracles[i], strndup(oracle_commands[i], (size_t)(eq - oracle_commands[i])), eq + 1, opt.guest)) {
            fprintf(stderr, "diff: cannot start %s\n", oracle_commands[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    if (opt.waivers && waivers_read(opt.waivers) < 0) {
        perror(opt.waivers);
        return 2;
    }
    start_oracles();
    unit_broke = broke;
    units_init(!opt.interp_only, opt.cpu);
    unsigned missing = probe(opt.verbose ? stderr : fopen("/dev/null", "w"));
    gen_init();
    memset(row_runs, 0, sizeof row_runs);
    int status = 0;
    double begin = now();
    if (opt.row) {
        Case c;
        if (!row_parse(opt.row, &c)) {
            fprintf(stderr, "not a row\n");
            return 2;
        }
        run_row(&c, opt.row, true);
    } else if (opt.all_mutations) {
        status = run_mutations();
    } else {
        mutation_set(opt.mutation);
        if (opt.rows && run_rows(opt.rows) < 0) {
            return 2;
        }
        run_random(opt.blocks);
        report(now() - begin, missing);
    }
    for (unsigned i = 0; i < noracles; i++) {
        oracle_stop(&oracles[i]);
    }
    return status ? status : opt.all_mutations ? 0 : count.differences != 0;
}
