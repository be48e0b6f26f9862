/* user.h - what the files of linux-user share: the process, its threads, the options.
 *
 * Words: a *task* is one guest thread (Thread); the *process* is what shares memory (Process): a child made with
 * CLONE_VM but without CLONE_THREAD (vfork) uses its parent's Process. Everything that depends on the guest
 * architecture is in guest_a64.c, frame_a64.c and vdso_a64.c, behind the functions declared at the end of this file.
 *
 * Locks: process.threads under threads_lock; SigHand has its own lock (sig.h); the mappings have theirs (vma.h).
 */
#ifndef ARMX_USER_USER_H
#define ARMX_USER_USER_H

#include "cpu.h"
#include "lock.h"

typedef struct Thread Thread;
typedef struct SigHand SigHand;

enum { PAGE = 4096 };
#define PAGE_UP(x) ALIGN_UP(x, PAGE)
#define PAGE_DOWN(x) ALIGN_DOWN(x, PAGE)
/* First address that no 47-bit process has. */
#define VA_END 0x7ffffffff000ull

/* What the command line and the environment say (options.def). Strings belong to argv or the environment. */
typedef struct Options {
    const char *prefix;     /* -L */
    const char *argv0;      /* -0 */
    const char *cpu;        /* -cpu */
    const char *log_items;  /* -d */
    const char *log_file;   /* -D */
    const char *log_filter; /* -dfilter */
    const char *release;    /* -r */
    const char *gdb;        /* -g */
    const char *trace, *plugin; /* QEMU's own ways of looking on: refused, with what to use instead */
    const char *rtsig_map;  /* -t: nothing to do */
    const char *exec_name;  /* AT_EXECFN of a followed exec */
    const char *smc;        /* --smc */
    const char *report;     /* file of crash reports (crash.c) */
    const char *core;       /* file of the guest's core dump (core.c) */
    const char *env_set[64], *env_unset[64];
    unsigned nset, nunset;
    uint64_t stack_size;    /* -s */
    uint64_t guest_base;    /* -B, must be 0 */
    uint64_t reserved_va;   /* -R: where the guest's mappings end, 0 = where armx likes */
    uint64_t page_size;     /* -p, accepted */
    uint64_t tb_size;       /* -tb-size, in MiB */
    const char *tb_cache;   /* -tb-cache */
    uint64_t tier;          /* --tier */
    uint64_t hot;           /* --hot */
    uint64_t seed;          /* -seed */
    uint64_t exec_self;     /* armx's own file as a descriptor, plus one; 0 = none */
    uint64_t exec_mdwe;     /* PR_SET_MDWE, as far as processes and programs inherit it */
    uint64_t exec_seccomp;  /* descriptor of its filters, plus one; 0 = none */
    uint64_t exec_mask;     /* signals that the program before a followed exec had blocked */
    uint64_t exec_fd;       /* program given as an open descriptor, plus one; 0 = none */
    bool strace, one_insn, interp, perfmap, jitdump, gdbjit, rtsig, have_seed;
} Options;

/* One entry of the ring of last system calls, for crash reports. */
typedef struct RingEntry {
    uint64_t pc, args[6];
    int64_t ret;
    uint32_t nr;
    bool done;
} RingEntry;
enum { RING = 8 };

/* A siginfo as the kernel gives it: 128 bytes, the same for both architectures. */
typedef union SigInfo {
    struct {
        int32_t signo, err, code, pad;
        uint64_t addr; /* or pid and uid */
        uint64_t value;
    };
    uint8_t bytes[128];
    uint64_t words[16];
} SigInfo;
_Static_assert(sizeof(SigInfo) == 128, "kernel's siginfo_t");

typedef struct AltStack {
    uint64_t sp;
    int32_t flags, pad;
    uint64_t size;
} AltStack;

/* Signals that armx needs itself: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV. */
enum { NSYNC = 5 };

/* What has to be done for IC IVAU in [start, start + size), as long as the table of mappings is of that version: code
 * is executed at address + delta[k]. */
typedef struct CodeWindow {
    uint64_t start, size, version;
    uint64_t delta[4];
    unsigned n;
} CodeWindow;

struct Thread {
    union {
        CpuHead head;
        CpuA64 a64;
    } cpu;
    Thread *next, *prev; /* process.threads */
    SigHand *sighand;
    int tid;
    bool leader;           /* first of its process: its memory stays until the process ends */
    bool parent_frees;     /* vfork child: its memory is unmapped by the parent */
    bool own_process;      /* CLONE_VM without CLONE_THREAD or CLONE_VFORK */
    bool exiting;
    uint64_t mask;         /* the guest's blocked signals, bit n-1 */
    uint64_t call_mask;    /* mask that the running system call has put in place (sigsuspend, ppoll, ...) */
    bool has_call_mask;
    AltStack alt;
    SigInfo held;          /* an asynchronous signal on its way from the host handler to the guest */
    volatile uint32_t has_held;
    SigInfo fault;         /* a synchronous one, made by the handler or the exit of the engine */
    volatile uint32_t has_fault;
    uint64_t fault_esr;    /* ESR_EL1 as Linux would show it, of the last fault */
    uint64_t fault_address;
    uint64_t smc_page;     /* --smc=protect: a page whose translations are to be dropped, | 1 */
    SigInfo kept[NSYNC];   /* SIGSEGV etc. that somebody sent while the guest blocks them */
    uint32_t kept_set;     /* bit per entry */
    uint64_t host_mask;    /* what the host has blocked for us now */
    const void *seccomp;   /* newest filter (seccomp.c) */
    int seccomp_mode;
    uint64_t tagged_addr;  /* PR_SET_TAGGED_ADDR_CTRL */
    uint64_t rseq;         /* address of the guest's struct rseq, 0 = not registered */
    uint64_t uring[16];    /* inodes of the rings registered by the thread (uring.c) */
    uint64_t clear_tid;    /* for /proc and debuggers only, the kernel has its own */
    RingEntry ring[RING];
    unsigned ring_pos;
    CodeWindow code_window; /* where IC IVAU was used last */
    unsigned strace_open;  /* a line of -strace without its result is out */
    uint8_t *block;        /* mapping with stack, TLS and this structure; NULL for the first thread */
    size_t block_size;
    void *stack_top;       /* C stack */
    void *host_alt;        /* alternate stack of the host handlers */
    void *tls;             /* thread pointer */
    struct {
        uint32_t running;  /* in the engine */
        int step;          /* a single step is wanted, or made */
        bool bare;         /* one instruction alone: breakpoints do not count */
        int pass, signal;  /* to be delivered without asking; the debugger's answer */
    } debug;               /* gdb.c */
    void *scratch;         /* exec's word list, to be unmapped by a vfork child's parent */
    size_t scratch_size;
};

typedef struct Process {
    Engine *engine;
    const CpuModel *model;
    Space space;
    Options opt;
    Thread *threads;
    Mutex threads_lock;
    unsigned nthreads;
    bool debugged;         /* gdb is attached */
    bool cores;            /* signals that dump core are armx's to carry out (core.c) */
    const char *self_path; /* armx's own file, absolute, as opened for a followed exec */
    int self_fd;           /* the same, held open once the guest may lose sight of /proc; -1 before */
    char exe_path[4096];   /* the guest program's, what /proc/self/exe shows */
    int exe_fd;            /* its file, held open when that name leads elsewhere or may soon; -1 before */
    uint64_t exe_dev, exe_ino;
    char **argv, **envp;   /* the guest's at start */
    int argc;
    uint64_t start_code, end_code, start_data, end_data, entry, start_stack;
    uint64_t arg_start, arg_end, env_start, env_end; /* strings on the guest's stack */
    uint64_t auxv[2 * 32];
    unsigned nauxv;        /* words */
    uint64_t vdso, sigtramp; /* the guest's vDSO and its __kernel_rt_sigreturn */
    uint64_t mdwe;         /* PR_SET_MDWE: sys_mem.c refuses new executable memory; the host's would hit translated code */
    bool mm_known;         /* the kernel shows the guest's cmdline, environ, auxv and stat (PR_SET_MM_MAP) */
} Process;

extern Process process;
extern __thread Thread *this_thread;

static inline CpuA64 *cpu_a64(Thread *t)
{
    return &t->cpu.a64;
}

/* One line on stderr, "armx-user: ..."; the process goes on. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same, then exit. */
NORETURN void die(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Text to a descriptor without stdio. */
void write_all(int fd, const char *s, size_t n);

/* options.c: fills *o; returns the index of the program in argv, or exits (help, version, errors). */
int options_parse(Options *o, int argc, char **argv, char **envp);
/* The words of a followed exec that say the same options again, into argv[*n...]; storage in buf. */
void options_again(const Options *o, const char **argv, unsigned *n, unsigned max, char *buf, size_t size);

/* image.c: what is in a file that is to be executed. */
typedef enum FileKind { FILE_ARM64, FILE_HOST, FILE_SCRIPT, FILE_OTHER } FileKind;
/* One-line reason in why (for humans) and 0, or -errno as execve would say. */
int image_check(int fd, FileKind *kind, char *why, size_t size);
/* Would image_load find the headers and the interpreter in order? 0 or -errno. */
int image_precheck(int fd);
/* Loads the program open at fd (closes it), maps interpreter, vDSO, stack; sets the thread's registers. 0 or -errno
 * with the reason in why. */
int image_load(Thread *t, int fd, const char *name, char *why, size_t size);

/* stack.c */
typedef struct Image {
    uint64_t bias, entry, phdr, base; /* base: of the interpreter, 0 without */
    uint64_t interp_entry, brk;
    uint32_t phnum, phent;
    bool exec_stack, bti, pie;
    char interp[4096];
} Image;
int stack_build(Thread *t, const Image *im, const char *execfn, uint64_t *sp);

/* path.c: -L */
void prefix_init(const char *prefix);
/* The path that the host is to be given for guest path; path itself or text in buf (size PATH_MAX). */
const char *prefix_path(const char *path, char *buf);
bool prefix_on(void);

/* thread.c */
void thread_first(Thread *t, void (*fn)(void *), void *arg); /* runs fn on a stack of its own */
Thread *thread_new(void);
int64_t thread_clone(Thread *t, uint64_t flags, uint64_t stack, uint64_t ptid, uint64_t tls, uint64_t ctid);
int64_t thread_clone3(Thread *t, uint64_t args, uint64_t size);
NORETURN void thread_exit(Thread *t, int status);
NORETURN void process_exit(Thread *t, int status);
/* A thread of armx's own, with all signals blocked and no guest in it; 0 or -errno. fn does not return. */
int thread_helper(void (*fn)(void *), void *arg);
void thread_lock_all(void); /* around fork */
void thread_unlock_all(bool child);

/* exec.c */
int64_t exec_guest(Thread *t, int dirfd, uint64_t path, uint64_t argv, uint64_t envp, int flags);

/* gdb.c: waits for a debugger at "PORT" or "unix:PATH"; the calling thread has not run yet. */
void gdb_start(Thread *t, const char *where);
/* While process.debugged: engine_run, stopping when the debugger wants it. */
ExcKind gdb_run(Thread *t);
/* Asks the debugger about a signal that is to be delivered; the number to deliver, 0 = none. */
int gdb_signal(Thread *t, int signo);
/* The process is about to end. */
void gdb_exiting(Thread *t, int status, int signo);
/* In a forked child, which is not debugged. */
void gdb_forked(void);

/* crash.c: readable report of a guest that dies by a signal, or of armx's own fault. */
void crash_init(void);
void crash_report(Thread *t, const SigInfo *info, bool armx_at_fault, void *ucontext);

/* core.c: the guest's core dump, when limits and settings want one. */
bool core_wanted(void);
void core_dump(Thread *t, const SigInfo *info);
/* Holds t for ever when another thread is dumping core. */
void core_hold(const Thread *t);

/* guest_a64.c */
NORETURN void guest_loop(Thread *t);
void guest_start(Thread *t, uint64_t pc, uint64_t sp);
/* Registers of a new task from its parent's; stack 0 = the same. */
void guest_clone_regs(Thread *child, const Thread *parent, uint64_t stack, bool set_tls, uint64_t tls);
uint64_t guest_pc(const Thread *t);
uint64_t guest_sp(const Thread *t);
void guest_print_regs(const Thread *t, int (*print)(void *, const char *, ...), void *to);
void guest_frame(const Thread *t, uint64_t *fp, uint64_t *lr);
int guest_cpuinfo(char *buf, size_t size);

/* frame_a64.c: builds a signal frame and enters the handler; 0 or -EFAULT. */
struct GuestAction;
int frame_enter(Thread *t, const struct GuestAction *sa, const SigInfo *info, uint64_t saved_mask);
/* rt_sigreturn: takes everything back; -EFAULT when the frame is bad. *mask = the mask to set. */
int frame_leave(Thread *t, uint64_t *mask);

/* vdso_a64.c: maps the guest's vDSO and fills process.vdso and sigtramp. */
int vdso_map(void);

#endif
