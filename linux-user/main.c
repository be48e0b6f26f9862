/* main.c - armx-user: the order in which everything starts.
 *
 * options, prefix, log -> tables of mappings -> the first thread's memory -> engine -> program -> signals -> run.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/single_threaded.h>

#include "exec.h"
#include "log.h"
#include "seccomp.h"
#include "perf.h"
#include "rseq.h"
#include "sig.h"
#include "sys.h"
#include "vma.h"

enum { AT_EXECFD_ = 2, FLAG_PRESERVE_ARGV0 = 1, PR_SET_MM_ = 35, PR_SET_MM_MAP_ = 14, PR_SET_NAME_ = 15 };

void write_all(int fd, const char *s, size_t n)
{
    while (n) {
        int64_t r = raw_call(__NR_write, fd, s, n);
        if (r == -EINTR) {
            continue;
        }
        if (r <= 0) {
            return;
        }
        s += r;
        n -= (size_t)r;
    }
}

static void complain_v(const char *fmt, va_list ap)
{
    char line[1200];
    int n = snprintf(line, sizeof line, "armx-user: ");
    n += vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    n = n < (int)sizeof line - 2 ? n : (int)sizeof line - 2;
    line[n++] = '\n';
    write_all(2, line, (size_t)n);
}

void complain(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain_v(fmt, ap);
    va_end(ap);
}

void die(int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain_v(fmt, ap);
    va_end(ap);
    exit(status);
}

/* -- environment and arguments of the guest --------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return !strncmp(a, b, n) && b[n] == '=';
}

/* The environment with -U and -E applied. */
static char **guest_environment(const Options *o, char **envp)
{
    unsigned n = 0;
    while (envp[n]) {
        n++;
    }
    char **out = calloc(n + o->nset + 1, sizeof *out);
    if (!out) {
        die(126, "no memory");
    }
    unsigned m = 0;
    for (unsigned k = 0; k < n; k++) {
        bool drop = false;
        for (unsigned u = 0; u < o->nunset; u++) {
            drop |= same_name(o->env_unset[u], envp[k]);
        }
        for (unsigned s = 0; s < o->nset; s++) {
            drop |= same_name(o->env_set[s], envp[k]);
        }
        if (!drop) {
            out[m++] = envp[k];
        }
    }
    for (unsigned s = 0; s < o->nset; s++) {
        out[m++] = (char *)o->env_set[s];
    }
    return out;
}

/* argv of the guest from what follows the program's name and what #! lines put before it. */
static void guest_arguments(const ExecPlan *plan, const char *argv0, int argc, char **argv)
{
    char **out = calloc((size_t)argc + LEN(plan->pre) + 1, sizeof *out);
    int n = 0;
    if (!out) {
        die(126, "no memory");
    }
    for (unsigned k = 0; k < plan->npre; k++) {
        out[n++] = (char *)plan->pre[k];
    }
    if (!n) {
        out[n++] = (char *)argv0;
    }
    for (int k = 1; k < argc; k++) {
        out[n++] = argv[k];
    }
    process.argv = out;
    process.argc = n;
}

/* -- what others see of the process --------------------------------------------------------------------------- */

static void set_comm(const char *execfn)
{
    const char *slash = strrchr(execfn, '/');
    char comm[16];
    snprintf(comm, sizeof comm, "%s", slash ? slash + 1 : execfn);
    raw_call(__NR_prctl, PR_SET_NAME_, comm, 0, 0, 0);
}

/* Has the kernel show the guest's cmdline, environ, auxv and addresses in /proc; not every kernel can. */
static void tell_kernel(void)
{
    struct {
        uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end,
            env_start, env_end, auxv;
        uint32_t auxv_size, exe_fd;
    } m = {process.start_code, process.end_code, process.start_data, process.end_data, mm_brk_start(), mm_brk_start(),
           process.start_stack, process.arg_start, process.arg_end, process.env_start, process.env_end,
           (uint64_t)process.auxv, (uint32_t)(8 * process.nauxv), ~0u};
    if (m.auxv_size > 46 * 8) {
        m.auxv_size = 46 * 8;
    }
    process.mm_known = raw_call(__NR_prctl, PR_SET_MM_, PR_SET_MM_MAP_, &m, sizeof m, 0) == 0;
}

/* -- start --------------------------------------------------------------------------------------------------------- */

/* As a shell: 127 when it is not there, 126 when it is but cannot be run. */
static int exit_status(int err)
{
    return err == -ENOENT || err == -ENOTDIR ? 127 : 126;
}

/* Opens the program, directly or as the descriptor that a followed exec or binfmt_misc gives. */
static int open_program(const Options *o, const char *name)
{
    uint64_t given = getauxval(AT_EXECFD_);
    if (o->exec_fd) {
        return (int)o->exec_fd - 1;
    }
    if (given) {
        return (int)given;
    }
    int64_t fd = raw_call(__NR_open, name, 02000000, 0);
    int r = fd < 0 ? (int)fd : exec_allowed((int)fd);
    if (r < 0) {
        die(exit_status(r), "%s: %s", name, strerror(-r));
    }
    return (int)fd;
}

/* Where translations are kept, or NULL. Whose start was set-user-ID, armx or a program that executed it, has no say in that. */
static const char *cache_dir(const Options *o)
{
    static char path[4096];
    const char *base = getenv("XDG_CACHE_HOME"), *tail = "";
    if (getauxval(AT_SECURE) || (o->tb_cache && !strcmp(o->tb_cache, "off"))) {
        return NULL;
    }
    if (o->tb_cache) {
        return o->tb_cache;
    }
    if (!base || *base != '/') {
        base = getenv("HOME");
        tail = "/.cache";
    }
    int n = base && *base == '/' ? snprintf(path, sizeof path, "%s%s/armx/tb", base, tail) : 0;
    return n > 0 && n < (int)sizeof path ? path : NULL;
}

static void start_engine(Thread *t)
{
    const Options *o = &process.opt;
    EngineConfig cfg = {.fe = &a64_frontend, .cpu_model = process.model, .space = &process.space,
                        .cache_bytes = o->tb_size << 20, .interp = o->interp, .one_insn = o->one_insn,
                        .cache_dir = cache_dir(o),
                        .cache_model = process.model->feats[0] ^ process.model->feats[1] * 3 ^ process.model->midr << 32,
                        .loops = o->tier >= 2, .loop_hot = (unsigned)o->hot,
                        .code_made = o->perfmap || o->jitdump || o->gdbjit ? perf_code_made : NULL};
    const char *path;
    int r = perf_open(o, &path);
    if (r < 0) {
        die(126, "%s: %s", path, strerror(-r));
    }
    process.engine = engine_new(&cfg);
    for (unsigned mib = 64; !process.engine && !o->tb_size && mib >= 4; mib /= 4) { /* under ulimit -v */
        cfg.cache_bytes = (size_t)mib << 20;
        process.engine = engine_new(&cfg);
    }
    if (!process.engine || engine_cpu_init(process.engine, &t->cpu.head) < 0) {
        die(126, "no memory for translated code");
    }
}

static void run(void *arg)
{
    Thread *t = arg;
    if (process.opt.gdb) {
        gdb_start(t, process.opt.gdb);
    }
    guest_loop(t);
}

static void load_program(Thread *t, ExecPlan *plan, const char *name)
{
    char why[1000] = "";
    int r = exec_resolve(plan, name, why, sizeof why);
    if (r == 0 && plan->kind != FILE_ARM64) {
        r = -ENOEXEC;
    }
    if (r < 0) {
        die(exit_status(r), "%s: %s", plan->path, why);
    }
    exec_note_program(plan->fd);
    process.opt.exec_name = process.opt.exec_name ? process.opt.exec_name : name;
    start_engine(t);
}

int main(int argc, char **argv, char **envp)
{
    static ExecPlan plan;
    char why[1000] = "";
    Options *o = &process.opt;
    int first = options_parse(o, argc, argv, envp);
    const char *name = argv[first];
    if (getauxval(AT_FLAGS) & FLAG_PRESERVE_ARGV0 && !o->exec_fd && first + 1 < argc) {
        o->argv0 = argv[++first]; /* binfmt_misc with the P flag */
    }
    __libc_single_threaded = 0;
    rseq_init();
    process.model = a64_model(o->cpu);
    prefix_init(o->prefix);
    vma_init();
    if (o->log_file) {
        int fd = log_open(o->log_file, o->exec_fd != 0);
        if (fd < 0) {
            die(126, "-D %s: %s", o->log_file, strerror(-fd));
        }
        fd_own(fd);
    }
    log_mask |= o->strace ? LOG_strace : 0;
    exec_find_self();
    process.mdwe = o->exec_mdwe;
    Thread *t = thread_new();
    plan.fd = open_program(o, name);
    load_program(t, &plan, name);
    guest_arguments(&plan, o->argv0 ? o->argv0 : name, argc - first, argv + first);
    process.envp = guest_environment(o, envp);
    int r = image_load(t, plan.fd, plan.path, why, sizeof why);
    if (r < 0) {
        die(exit_status(r), "%s", why);
    }
    if (log_on(LOG_page)) {
        vma_log();
    }
    set_comm(o->exec_name);
    tell_kernel();
    o->exec_name = NULL;
    if (o->exec_seccomp && seccomp_load(t, (int)o->exec_seccomp - 1) < 0) {
        die(126, "filters of system calls were lost");
    }
    signals_init(t);
    thread_first(t, run, t);
    return 0;
}
