/* core.c - the guest's ELF core dump, as the kernel of an Arm machine would have written it, for
 * gdb and others.
 *
 * The kernel's own dump of this process would show armx instead of the guest. So when RLIMIT_CORE
 * allows dumps and the system's core_pattern is a plain file name, or when the option -core names
 * one, the guest's is written first and the kernel's suppressed. Contents as with the kernel's
 * default filter: anonymous and changed private memory, the first page of mapped ELF files. Threads
 * are held (core_hold) while it is written. System calls only.
 *
 * Layout: ELF header, program headers (one PT_NOTE, a PT_LOAD per mapping), notes, pages.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "crash.h"
#include "sig.h"
#include "vma.h"

enum {
    RLIMIT_CORE_ = 4,
    MAX_FILES = 512,
    CHUNK = 64 * 1024,
    NT_SIGINFO_ = 0x53494749,
    NT_FILE_ = 0x46494c45,
    NT_ARM_TLS_ = 0x401,
    WAIT_MS = 200
};

/* struct elf_prstatus and elf_prpsinfo of arm64, user_fpsimd_state. */
typedef struct PrStatus {
    int32_t signo, code, err;
    int16_t cursig, pad;
    uint64_t pending, held;
    int32_t pid, ppid, pgrp, sid;
    uint64_t times[8];
    uint64_t x[31], sp, pc, pstate;
    int32_t fpvalid, pad2;
} PrStatus;
_Static_assert(sizeof(PrStatus) == 392 && offsetof(PrStatus, x) == 112, "elf_prstatus");
typedef struct PrPsInfo {
    char state, sname, zombie, nice;
    uint64_t flags;
    uint32_t uid, gid;
    int32_t pid, ppid, pgrp, sid;
    char name[16], args[80];
} PrPsInfo;
_Static_assert(sizeof(PrPsInfo) == 136, "elf_prpsinfo");
typedef struct FpRegs {
    V128 v[32];
    uint32_t fpsr, fpcr, pad[2];
} FpRegs;
_Static_assert(sizeof(FpRegs) == 528, "user_fpsimd_state");

typedef struct Core {
    int fd, pagemap;
    uint64_t limit;
    uint8_t *notes; /* buffer */
    size_t n, room;
} Core;

static uint8_t chunk[CHUNK];

/* -- whether and where ------------------------------------------------------------------------- */

static uint64_t core_limit(void)
{
    uint64_t lim[2] = {0, 0};
    raw_call(__NR_prlimit64, 0, RLIMIT_CORE_, 0, lim);
    return process.opt.core ? ~0ull : lim[0];
}

/* The system's pattern; false when it is a program to pipe into. */
static bool read_pattern(char *buf, size_t size)
{
    int64_t fd = raw_call(__NR_open, "/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC, 0);
    int64_t n = fd < 0 ? -1 : raw_call(__NR_read, fd, buf, size - 1);
    raw_call(__NR_close, fd);
    buf[n > 0 ? n : 0] = 0;
    buf[strcspn(buf, "\n")] = 0;
    return buf[0] && buf[0] != '|';
}

bool core_wanted(void)
{
    char pattern[128];
    return core_limit() && (process.opt.core || read_pattern(pattern, sizeof pattern));
}

/* Expands the % letters of core(5) that a plain file name can have; the rest stay out. */
static void core_name(const Thread *t, int signo, char *out, size_t size)
{
    char pattern[128], item[64], comm[16] = "";
    size_t n = 0;
    if (process.opt.core) {
        snprintf(out, size, "%s", process.opt.core);
        return;
    }
    read_pattern(pattern, sizeof pattern);
    raw_call(__NR_prctl, PR_GET_NAME, comm, 0, 0, 0);
    for (const char *p = pattern; *p && n + 1 < size; p++) {
        item[0] = *p;
        item[1] = 0;
        if (*p == '%') {
            uint64_t v = 0;
            bool number = true;
            switch (*++p) {
            case 'p':
            case 'P':
                v = (uint64_t)raw_call(__NR_getpid);
                break;
            case 'i':
            case 'I':
                v = (uint64_t)t->tid;
                break;
            case 'u':
                v = (uint64_t)raw_call(__NR_getuid);
                break;
            case 'g':
                v = (uint64_t)raw_call(__NR_getgid);
                break;
            case 's':
                v = (uint64_t)signo;
                break;
            case 't':
                v = (uint64_t)raw_call(__NR_time, 0);
                break;
            default:
                number = false;
                break;
            }
            item[0] = *p == '%' ? '%' : 0;
            if (number) {
                snprintf(item, sizeof item, "%llu", (unsigned long long)v);
            } else if (*p == 'e') {
                snprintf(item, sizeof item, "%s", comm);
            }
            p -= !*p;
        }
        n += (size_t)snprintf(out + n, size - n, "%s", item);
        n = n < size ? n : size - 1;
    }
}

/* -- notes ------------------------------------------------------------------------------------- */

static void note_begin(Core *c, const char *owner, uint32_t type, size_t bytes)
{
    Elf64_Nhdr h = {(uint32_t)strlen(owner) + 1, (uint32_t)bytes, type};
    memcpy(c->notes + c->n, &h, sizeof h);
    memcpy(c->notes + c->n + sizeof h, owner, h.n_namesz);
    c->n += sizeof h + ALIGN_UP(h.n_namesz, 4);
}

static void note(Core *c, const char *owner, uint32_t type, const void *data, size_t bytes)
{
    note_begin(c, owner, type, bytes);
    memcpy(c->notes + c->n, data, bytes);
    c->n += ALIGN_UP(bytes, 4);
}

static void note_thread(Core *c, const Thread *t, int signo)
{
    const CpuA64 *cpu = &t->cpu.a64;
    PrStatus s = {
        .signo = signo, .cursig = (int16_t)signo, .held = t->mask, .pid = t->tid, .fpvalid = 1};
    FpRegs fp = {.fpsr = engine_fpsr((CpuHead *)&t->cpu.head), .fpcr = cpu->h.fp.fpcr};
    s.ppid = (int32_t)raw_call(__NR_getppid);
    s.pgrp = (int32_t)raw_call(__NR_getpgid, 0);
    s.sid = (int32_t)raw_call(__NR_getsid, 0);
    memcpy(s.x, cpu->x, sizeof s.x);
    s.sp = cpu->sp;
    s.pc = cpu->pc;
    s.pstate = a64_nzcv(cpu);
    memcpy(fp.v, cpu->v, sizeof fp.v);
    note(c, "CORE", NT_PRSTATUS, &s, sizeof s);
    note(c, "CORE", NT_FPREGSET, &fp, sizeof fp);
    note(c, "LINUX", NT_ARM_TLS_, &cpu->tpidr, sizeof cpu->tpidr);
}

static void note_process(Core *c, const Thread *t)
{
    PrPsInfo p = {.sname = 'R',
                  .pid = (int32_t)raw_call(__NR_getpid),
                  .ppid = (int32_t)raw_call(__NR_getppid)};
    (void)t;
    p.uid = (uint32_t)raw_call(__NR_getuid);
    p.gid = (uint32_t)raw_call(__NR_getgid);
    raw_call(__NR_prctl, PR_GET_NAME, p.name, 0, 0, 0);
    uint64_t n = process.arg_end - process.arg_start;
    crash_read(process.arg_start, p.args, n < sizeof p.args - 1 ? n : sizeof p.args - 1);
    for (unsigned k = 0; k + 1 < sizeof p.args && k + 1 < n; k++) {
        p.args[k] = p.args[k] ? p.args[k] : ' ';
    }
    note(c, "CORE", NT_PRPSINFO, &p, sizeof p);
    note(c, "CORE", NT_AUXV, process.auxv, 8 * process.nauxv);
}

/* Which files are mapped where: count, page size; start, end, page offset of each; names. */
static void note_files(Core *c)
{
    static uint64_t words[2 + 3 * MAX_FILES];
    static char names[64 * 1024];
    size_t count = 0, length = 0;
    VmaInfo v;
    Where w;
    for (uint64_t at = 0; count < MAX_FILES && vma_next(at, &v); at = v.end) {
        if (v.flags & VMA_FILE && crash_where(v.start, &w) && w.path[0] == '/' &&
            length + strlen(w.path) + 1 < sizeof names) {
            words[2 + 3 * count] = v.start;
            words[3 + 3 * count] = v.end;
            words[4 + 3 * count] = w.offset / PAGE;
            memcpy(names + length, w.path, strlen(w.path) + 1);
            length += strlen(w.path) + 1;
            count++;
        }
    }
    words[0] = count;
    words[1] = PAGE;
    size_t bytes = 8 * (2 + 3 * count);
    note_begin(c, "CORE", NT_FILE_, bytes + length);
    memcpy(c->notes + c->n, words, bytes);
    memcpy(c->notes + c->n + bytes, names, length);
    c->n += ALIGN_UP(bytes + length, 4);
}

static bool make_notes(Core *c, const Thread *t, const SigInfo *info)
{
    c->room = (size_t)PAGE_UP(256 * 1024 + 2048 * (uint64_t)process.nthreads);
    int64_t m = raw_call(__NR_mmap, 0, c->room, 3, 0x22, -1, 0);
    if (m < 0 && m > -4096) {
        return false;
    }
    c->notes = (uint8_t *)m;
    note_thread(c, t, info->signo);
    note_process(c, t);
    note(c, "CORE", NT_SIGINFO_, info, sizeof *info);
    note_files(c);
    for (const Thread *o = process.threads; o && c->n + 2048 < c->room; o = o->next) {
        if (o != t) {
            note_thread(c, o, 0);
        }
    }
    return true;
}

/* -- memory ------------------------------------------------------------------------------------ */

/* How many bytes of the mapping go into the file. */
static uint64_t dumped_bytes(const VmaInfo *v)
{
    uint32_t magic = 0;
    if (v->flags & VMA_VVAR || !(v->prot & (G_READ | G_WRITE | G_EXEC))) {
        return 0;
    }
    if (!(v->flags & VMA_FILE) || (v->prot & G_WRITE && !(v->flags & VMA_SHARED))) {
        return v->end - v->start;
    }
    return crash_read(v->start, &magic, 4) && magic == 0x464c457f /* ELF */ ? PAGE : 0;
}

/* Has the page contents of its own? Untouched anonymous memory stays a hole. */
static bool page_used(const Core *c, uint64_t page)
{
    uint64_t entry;
    return c->pagemap < 0 || raw_call(__NR_pread64, c->pagemap, &entry, 8, page / PAGE * 8) != 8 ||
           entry >> 62;
}

static bool put(const Core *c, const void *data, size_t n, uint64_t at)
{
    return at + n <= c->limit && raw_call(__NR_pwrite64, c->fd, data, n, at) == (int64_t)n;
}

static bool put_memory(const Core *c, const VmaInfo *v, uint64_t bytes, uint64_t at)
{
    bool anonymous = !(v->flags & VMA_FILE);
    for (uint64_t done = 0, n; done < bytes; done += n) {
        n = PAGE;
        if (anonymous && !page_used(c, v->start + done)) {
            continue;
        }
        while (n < CHUNK && done + n < bytes && (!anonymous || page_used(c, v->start + done + n))) {
            n += PAGE;
        }
        if (crash_read(v->start + done, chunk, n) && !put(c, chunk, n, at + done)) {
            return false;
        }
    }
    return true;
}

static bool write_core(Core *c)
{
    Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                     .e_type = ET_CORE,
                     .e_machine = EM_AARCH64,
                     .e_version = EV_CURRENT,
                     .e_phoff = sizeof eh,
                     .e_ehsize = sizeof eh,
                     .e_phentsize = sizeof(Elf64_Phdr)};
    VmaInfo v;
    uint64_t count = vma_count();
    eh.e_phnum = (uint16_t)(count < 60000 ? count + 1 : 60001);
    uint64_t table = sizeof eh + eh.e_phnum * sizeof(Elf64_Phdr), at = PAGE_UP(table + c->n);
    Elf64_Phdr ph = {.p_type = PT_NOTE, .p_offset = table, .p_filesz = c->n, .p_align = 4};
    if (!put(c, &eh, sizeof eh, 0) || !put(c, &ph, sizeof ph, sizeof eh) ||
        !put(c, c->notes, c->n, table)) {
        return false;
    }
    uint64_t next = 0, where = at;
    for (unsigned k = 1; k < eh.e_phnum && vma_next(next, &v); k++, next = v.end) {
        uint32_t flags = (v.prot & G_READ ? PF_R : 0) | (v.prot & G_WRITE ? PF_W : 0) |
                         (v.prot & G_EXEC ? PF_X : 0);
        ph = (Elf64_Phdr){PT_LOAD,          flags,           where, v.start, 0,
                          dumped_bytes(&v), v.end - v.start, PAGE};
        where += ph.p_filesz;
        if (!put(c, &ph, sizeof ph, sizeof eh + k * sizeof ph)) {
            return false;
        }
    }
    next = 0;
    for (unsigned k = 1; k < eh.e_phnum && vma_next(next, &v); k++, next = v.end) {
        uint64_t bytes = dumped_bytes(&v);
        if (!put_memory(c, &v, bytes, at)) {
            return false;
        }
        at += bytes;
    }
    raw_call(__NR_ftruncate, c->fd, at < c->limit ? at : c->limit);
    return true;
}

/* -- the whole --------------------------------------------------------------------------------- */

static uint32_t dumping; /* thread that dumps */

void core_hold(const Thread *t)
{
    static const uint64_t second[2] = {1, 0};
    while (__atomic_load_n(&dumping, __ATOMIC_SEQ_CST) && dumping != (uint32_t)t->tid) {
        raw_call(__NR_nanosleep, second, 0);
    }
}

/* Brings the other threads out of the engine, so that their registers are in their structures. */
static void hold_others(const Thread *t)
{
    static const uint64_t millisecond[2] = {0, 1000000};
    for (unsigned k = 0; k < WAIT_MS; k++) {
        bool inside = false;
        mutex_lock(&process.threads_lock);
        for (Thread *o = process.threads; o; o = o->next) {
            if (o != t) {
                engine_kick(&o->cpu.head);
                inside |= __atomic_load_n(&o->cpu.head.host_sp, __ATOMIC_SEQ_CST) != NULL;
            }
        }
        mutex_unlock(&process.threads_lock);
        if (!inside) {
            break;
        }
        raw_call(__NR_nanosleep, millisecond, 0);
    }
}

void core_dump(Thread *t, const SigInfo *info)
{
    static Core core;
    char name[512];
    uint32_t nobody = 0;
    core.limit = core_limit();
    if (!core_wanted() || !__atomic_compare_exchange_n(&dumping, &nobody, (uint32_t)t->tid, false,
                                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        return;
    }
    hold_others(t);
    core_name(t, info->signo, name, sizeof name);
    core.fd =
        (int)raw_call(__NR_open, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    core.pagemap = (int)raw_call(__NR_open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
    if (core.fd >= 0 && make_notes(&core, t, info)) {
        write_core(&core);
        raw_call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0,
                 0); /* else the kernel's dump of armx would replace it */
    }
}
