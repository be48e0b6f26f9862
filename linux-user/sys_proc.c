/* sys_proc.c - processes and what the guest may learn of the machine: clone, exit, exec, uname, prctl. */
#include <stdio.h>
#include <sys/utsname.h>

#include "exec.h"
#include "log.h"
#include "seccomp.h"
#include "sys.h"
#include "vma.h"

int64_t sys_clone(Thread *t, uint64_t a[6])
{
    return thread_clone(t, a[0], a[1], a[2], a[3], a[4]);
}

int64_t sys_clone3(Thread *t, uint64_t a[6])
{
    return thread_clone3(t, a[0], a[1]);
}

int64_t sys_exit(Thread *t, uint64_t a[6])
{
    thread_exit(t, (int)a[0]);
}

int64_t sys_exit_group(Thread *t, uint64_t a[6])
{
    process_exit(t, (int)a[0]);
}

int64_t sys_execve(Thread *t, uint64_t a[6])
{
    enum { AT_FDCWD_ = -100 };
    return exec_guest(t, AT_FDCWD_, a[0], a[1], a[2], 0);
}

int64_t sys_execveat(Thread *t, uint64_t a[6])
{
    return exec_guest(t, (int)a[0], a[1], a[2], a[3], (int)a[4]);
}

int64_t sys_uname(Thread *t, uint64_t a[6])
{
    struct utsname u;
    memset(&u, 0, sizeof u);
    int64_t r = sys_host(t, __NR_uname, (uint64_t)&u);
    if (r < 0) {
        return r;
    }
    memset(u.machine, 0, sizeof u.machine);
    strcpy(u.machine, "aarch64");
    if (process.opt.release) {
        memset(u.release, 0, sizeof u.release);
        snprintf(u.release, sizeof u.release, "%s", process.opt.release);
    }
    return put_user(a[0], &u, sizeof u) < 0 ? -EFAULT : 0;
}

/* -- prctl: what belongs to the CPU is answered for the model, the rest is the kernel's ------------------------ */

enum {
    P_GET_UNALIGN = 5, P_SET_UNALIGN = 6, P_GET_FPEMU = 9, P_SET_FPEMU = 10, P_GET_FPEXC = 11, P_SET_FPEXC = 12,
    P_SET_NAME = 15, P_GET_ENDIAN = 19, P_SET_ENDIAN = 20, P_GET_SECCOMP = 21, P_SET_SECCOMP = 22, P_GET_TSC = 25, P_SET_TSC = 26,
    P_SET_MM = 35, P_MPX_ENABLE = 43, P_MPX_DISABLE = 44, P_SVE_SET_VL = 50, P_SVE_GET_VL = 51, P_PAC_RESET_KEYS = 54,
    P_SET_TAGGED = 55, P_GET_TAGGED = 56, P_SET_DISPATCH = 59, P_PAC_SET_ENABLED = 60, P_PAC_GET_ENABLED = 61,
    P_SME_SET_VL = 63, P_SME_GET_VL = 64, P_SET_MDWE = 65, P_GET_MDWE = 66,
};
enum { MDWE_REFUSE_EXEC_GAIN = 1, MDWE_NO_INHERIT = 2 };
enum { HWCAP_PACA = 30, TAGGED_ENABLE = 1 };

static int64_t reset_pac_keys(Thread *t, uint64_t keys)
{
    uint64_t *k = cpu_a64(t)->pac_key;
    if (!(a64_hwcap(process.model, 0) >> HWCAP_PACA & 1) || keys & ~bits_mask(PAC_KEYS)) {
        return -EINVAL;
    }
    for (unsigned n = 0; n < PAC_KEYS; n++) {
        if (!keys || keys >> n & 1) {
            raw_call(__NR_getrandom, &k[2 * n], 16, 0);
        }
    }
    return 0;
}

/* Memory-deny-write-execute, of kernels that have it. */
static int64_t mdwe(Thread *t, const uint64_t a[6])
{
    bool get = (int)a[0] == P_GET_MDWE;
    int64_t r = sys_host(t, __NR_prctl, P_GET_MDWE, get ? a[1] : 0, a[2], a[3], a[4]);
    if (r < 0 || get) {
        return r < 0 ? r : (int64_t)process.mdwe;
    }
    if (a[1] & ~(uint64_t)(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT) || a[1] == MDWE_NO_INHERIT) {
        return -EINVAL;
    }
    if (process.mdwe && process.mdwe != a[1]) {
        return -EPERM;
    }
    process.mdwe = a[1];
    process.opt.exec_mdwe = a[1] & MDWE_NO_INHERIT ? 0 : a[1];
    return 0;
}

int64_t sys_prctl(Thread *t, uint64_t a[6])
{
    switch ((int)a[0]) {
    case P_GET_UNALIGN:
    case P_SET_UNALIGN:
    case P_GET_FPEMU:
    case P_SET_FPEMU:
    case P_GET_FPEXC:
    case P_SET_FPEXC:
    case P_GET_ENDIAN:
    case P_SET_ENDIAN:
    case P_GET_TSC:
    case P_SET_TSC:
    case P_MPX_ENABLE:
    case P_MPX_DISABLE:
    case P_SVE_SET_VL:
    case P_SVE_GET_VL:
    case P_SME_SET_VL:
    case P_SME_GET_VL:
    case P_SET_DISPATCH:
        return -EINVAL;
    case P_GET_SECCOMP:
        return t->seccomp_mode;
    case P_SET_SECCOMP:
        return seccomp_prctl(t, a[1], a[2]);
    case P_SET_MM:
        return -EPERM;
    case P_SET_MDWE:
    case P_GET_MDWE:
        return mdwe(t, a);
    case P_PAC_RESET_KEYS:
        return a[2] || a[3] || a[4] ? -EINVAL : reset_pac_keys(t, a[1]);
    case P_PAC_SET_ENABLED:
        return a[3] || a[4] || !(a64_hwcap(process.model, 0) >> HWCAP_PACA & 1) || a[2] & ~a[1] || a[1] & ~15ull ? -EINVAL
                                                                                                               : 0;
    case P_PAC_GET_ENABLED:
        return a[1] || a[2] || a[3] || a[4] || !(a64_hwcap(process.model, 0) >> HWCAP_PACA & 1) ? -EINVAL : 15;
    case P_SET_TAGGED:
        if (a[1] & ~(uint64_t)TAGGED_ENABLE || a[2] || a[3] || a[4]) {
            return -EINVAL;
        }
        t->tagged_addr = a[1];
        return 0;
    case P_GET_TAGGED:
        return a[1] || a[2] || a[3] || a[4] ? -EINVAL : (int64_t)t->tagged_addr;
    default:
        return sys_host6(t, __NR_prctl, a);
    }
}

/* -- resource limits: armx's own memory counts on the host, the guest does not see it ---------------------------- */

enum { RLIM_DATA = 2, RLIM_COUNT = 16 };

static bool limits_memory(uint64_t resource)
{
    return resource == RLIM_DATA || resource == RLIM_AS;
}

static void to_host(uint64_t lim[2])
{
    for (unsigned k = 0; k < 2; k++) {
        lim[k] = lim[k] > ~0ull - 1 - OWN_MEMORY ? lim[k] : lim[k] + OWN_MEMORY;
    }
}

static void to_guest(uint64_t lim[2])
{
    for (unsigned k = 0; k < 2; k++) {
        lim[k] = lim[k] == ~0ull || lim[k] < OWN_MEMORY ? lim[k] : lim[k] - OWN_MEMORY;
    }
}

int64_t sys_prlimit64(Thread *t, uint64_t a[6])
{
    uint64_t set[2] = {0, 0}, old[2];
    bool own = (int)a[0] == 0 || (int)a[0] == (int)raw_call(__NR_getpid);
    if (!own || !limits_memory((uint32_t)a[1])) {
        return sys_host6(t, __NR_prlimit64, a);
    }
    if (a[2] && get_user(set, a[2], sizeof set) < 0) {
        return -EFAULT;
    }
    if (a[2]) {
        if (set[0] > set[1]) {
            return -EINVAL;
        }
        to_host(set);
    }
    int64_t r = sys_host(t, __NR_prlimit64, 0, a[1], a[2] ? (uint64_t)set : 0, a[3] ? (uint64_t)old : 0);
    if (r == 0 && a[2]) {
        to_guest(set);
        mm_limit((uint32_t)a[1], set[0]);
    }
    if (r == 0 && a[3]) {
        to_guest(old);
        return put_user(a[3], old, sizeof old) < 0 ? -EFAULT : 0;
    }
    return r;
}

int64_t sys_getrlimit(Thread *t, uint64_t a[6])
{
    uint64_t b[6] = {0, a[0], 0, a[1]};
    if ((uint32_t)a[0] >= RLIM_COUNT) {
        return -EINVAL;
    }
    return a[1] ? sys_prlimit64(t, b) : -EFAULT;
}

int64_t sys_setrlimit(Thread *t, uint64_t a[6])
{
    uint64_t b[6] = {0, a[0], a[1], 0};
    return a[1] ? sys_prlimit64(t, b) : -EFAULT;
}

/* -- what armx does not let through -------------------------------------------------------------------------------- */

/* Tracing. What a parent does with a child that asked to be traced is let through: stops, signals and memory are the same
 * on both sides. Registers, and so attaching, only work towards a task that shares our memory (LeakSanitizer's helper
 * looks at its parent's threads so): of others a tracer would see armx's registers. */
static Thread *task_here(uint64_t tid)
{
    mutex_lock(&process.threads_lock);
    Thread *o = process.threads;
    while (o && o->tid != (int)tid) {
        o = o->next;
    }
    mutex_unlock(&process.threads_lock);
    return o;
}

/* PTRACE_GETREGSET of a stopped task: what its last exit from translated code left. */
static int64_t get_registers(const Thread *o, uint64_t kind, uint64_t where)
{
    enum { PRSTATUS = 1 };
    uint64_t iov[2], regs[34];
    const CpuA64 *c = &o->cpu.a64;
    if (kind != PRSTATUS) {
        return -EINVAL;
    }
    if (get_user(iov, where, sizeof iov) < 0) {
        return -EFAULT;
    }
    memcpy(regs, c->x, sizeof c->x);
    regs[31] = c->sp;
    regs[32] = c->pc;
    regs[33] = a64_nzcv(c);
    iov[1] = iov[1] < sizeof regs ? iov[1] : sizeof regs;
    return put_user(iov[0], regs, iov[1]) < 0 || put_user(where, iov, sizeof iov) < 0 ? -EFAULT : 0;
}

static void refused(uint64_t request, const char *why)
{
    if (log_on(LOG_unimp)) {
        log_printf("ptrace request 0x%llx refused: %s\n", (unsigned long long)request, why);
    }
}

int64_t sys_ptrace(Thread *t, uint64_t a[6])
{
    enum { TRACEME, PEEKTEXT, PEEKDATA, POKETEXT = 4, POKEDATA, CONT = 7, KILL, ATTACH = 16, DETACH,
           SYSCALL = 24, SETOPTIONS = 0x4200, GETEVENTMSG, GETSIGINFO, SETSIGINFO, GETREGSET,
           SEIZE = 0x4206, INTERRUPT, LISTEN, PEEKSIGINFO, GETSIGMASK, SETSIGMASK, ARCHES_END = 64 /* of what architectures have for themselves */ };
    switch (a[0]) {
    case TRACEME:
    case PEEKTEXT:
    case PEEKDATA:
    case POKETEXT:
    case POKEDATA:
    case CONT:
    case KILL:
    case DETACH:
    case SETOPTIONS:
    case GETEVENTMSG:
    case GETSIGINFO:
    case SETSIGINFO:
    case LISTEN:
    case PEEKSIGINFO:
    case GETSIGMASK:
    case SETSIGMASK:
        return sys_host6(t, __NR_ptrace, a);
    case SYSCALL:
        if (raw_call(__NR_kill, (int)a[1], 0) == -ESRCH) {
            return -ESRCH;
        }
        refused(a[0], "the stops would be at armx's calls");
        return -EIO;
    default:
        if (a[0] >= ARCHES_END && (a[0] < SETOPTIONS || a[0] > SETSIGMASK)) {
            return sys_host6(t, __NR_ptrace, a); /* no such request */
        }
        break;
    }
    const Thread *o = task_here(a[1]);
    if (!o) {
        if ((int)a[1] <= 0 || raw_call(__NR_kill, a[1], 0) == -ESRCH) {
            return -ESRCH;
        }
        refused(a[0], "registers of another process would be armx's");
        return -EPERM;
    }
    if (a[0] == GETREGSET) {
        return get_registers(o, a[2], a[3]);
    }
    return a[0] == ATTACH || a[0] == SEIZE || a[0] == INTERRUPT ? sys_host6(t, __NR_ptrace, a) : -EIO;
}

int64_t sys_nfsservctl(Thread *t, uint64_t a[6])
{
    (void)t;
    (void)a;
    return -ENOSYS;
}

/* Only the kernel makes this one, and then armx repeats the original call instead. */
int64_t sys_restart_syscall(Thread *t, uint64_t a[6])
{
    (void)t;
    (void)a;
    return -EINTR;
}

/* -- calls after which /proc may no longer show armx's own file ------------------------------------------------------ */

static int64_t keep_self(Thread *t, int nr, const uint64_t a[6])
{
    exec_keep_self();
    return sys_host6(t, nr, a);
}

#define KEEP_SELF(name)                                                                            \
    int64_t sys_##name(Thread *t, uint64_t a[6])                                                   \
    {                                                                                              \
        return keep_self(t, __NR_##name, a);                                                       \
    }
KEEP_SELF(chroot)
KEEP_SELF(pivot_root)
KEEP_SELF(setns)
KEEP_SELF(unshare)
KEEP_SELF(umount2)
KEEP_SELF(move_mount)

int64_t sys_mount(Thread *t, uint64_t a[6])
{
    enum { AT_FDCWD_ = -100, BIND = 0x1000 };
    char name[4096], buf[4096];
    exec_keep_self();
    if (a[3] & BIND && get_user_string(name, a[0], sizeof name) > 0 && proc_maybe(name)) {
        const char *p = proc_follow(AT_FDCWD_, name, buf);
        a[0] = p == name ? a[0] : (uint64_t)p;
    }
    return sys_host6(t, __NR_mount, a);
}
