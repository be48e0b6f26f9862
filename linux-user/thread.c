/* thread.c - guest threads and processes: clone, clone3, exit; the memory of a thread.
 *
 * Every thread of the guest is one raw clone of the host's with the guest's own flags, so namespaces, vfork, exit
 * signals, pidfds and cleared thread ids are the kernel's. What a thread needs of armx lies in one mapping:
 *   guard | C stack | stack of signal handlers | Thread | thread-local storage, thread control block
 * (docs/adr/0101-raw-threads.md says why that is safe with libc). The mapping is unmapped by the thread itself in its
 * last two instructions, or, for a vfork child, by its parent.
 *
 * Fork: all locks are taken in the order mm, threads, sighand, engine, tree, alloc, so that the child finds every
 * structure at rest.
 */
#include <elf.h>
#include <sys/auxv.h>

#include "alloc.h"
#include "perf.h"
#include "sample.h"
#include "sig.h"
#include "sys.h"
#include "vma.h"

enum { CLONE_VM_ = 0x100, CLONE_FS_ = 0x200, CLONE_FILES_ = 0x400, CLONE_SIGHAND_ = 0x800, CLONE_VFORK_ = 0x4000,
       CLONE_THREAD_ = 0x10000, CLONE_SETTLS_ = 0x80000, CLONE_UNTRACED = 0x800000 };
#define CLONE_CLEAR_SIGHAND_ 0x100000000ull
enum { GUARD = PAGE, C_STACK = 256 * 1024, ALT_STACK = 96 * 1024, TCB_ROOM = 8192, TCB_ALIGN = 64 };

Process process = {.self_fd = -1};
__thread Thread *this_thread;
extern void __ctype_init(void);
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

/* -- thread-local storage of armx on a raw thread ------------------------------------------------------- */

static struct {
    const uint8_t *image;
    size_t file_size, mem_size, align;
    size_t tid_offset; /* of the thread id in libc's thread descriptor, 0 = unknown */
} tls;

static void tls_init(void)
{
    const Elf64_Phdr *ph = (const void *)getauxval(AT_PHDR);
    uint64_t n = getauxval(AT_PHNUM), bias = (uint64_t)&__ehdr_start; /* linked at 0 */
    tls.align = 1;
    for (uint64_t k = 0; k < n; k++) {
        if (ph[k].p_type == PT_TLS) {
            tls.image = (const uint8_t *)(bias + ph[k].p_vaddr);
            tls.file_size = ph[k].p_filesz;
            tls.mem_size = ph[k].p_memsz;
            tls.align = ph[k].p_align ? ph[k].p_align : 1;
        }
    }
    const int32_t *tp = __builtin_thread_pointer();
    int32_t tid = (int32_t)raw_call(__NR_gettid);
    for (unsigned k = 0x200 / 4; k < 0x400 / 4 && !tls.tid_offset; k++) {
        tls.tid_offset = tp[k] == tid ? 4 * k : 0;
    }
}

static size_t tls_room(void)
{
    return ALIGN_UP(tls.mem_size, tls.align) + tls.align + TCB_ALIGN + TCB_ROOM;
}

#ifdef ARMX_FOREIGN_MALLOC
/* With the sanitizers' libraries armx is linked dynamically, and the block is the dynamic linker's. */
extern void *_dl_allocate_tls(void *);
static uint64_t *tls_block(uint8_t *room)
{
    (void)room;
    return _dl_allocate_tls(NULL);
}
#else
static uint64_t *tls_block(uint8_t *room)
{
    static uint64_t no_vectors[4];
    uint64_t before = ALIGN_UP(tls.mem_size, tls.align);
    uint64_t tp = ALIGN_UP((uint64_t)room + before, tls.align > TCB_ALIGN ? tls.align : TCB_ALIGN);
    memcpy((void *)(tp - before), tls.image, tls.file_size);
    ((uint64_t *)tp)[1] = (uint64_t)&no_vectors[1];
    return (uint64_t *)tp;
}
#endif

/* Builds the block at room (zeroed) as the x86-64 ABI's variant II wants it; returns the thread pointer. The fields
 * of the control block that code of the compiler and of libc reads are copied or set. */
static void *tls_build(uint8_t *room)
{
    const uint64_t *own = __builtin_thread_pointer();
    uint64_t *w = tls_block(room);
    w[0] = w[2] = (uint64_t)w;     /* tcb, self */
    w[3] = 1;                      /* multiple threads */
    w[5] = own[5];                 /* stack guard */
    w[6] = own[6];                 /* pointer guard */
    return w;
}

static void tls_set_tid(int tid)
{
    if (tls.tid_offset) {
        *(int32_t *)((uint8_t *)__builtin_thread_pointer() + tls.tid_offset) = tid;
    }
}

/* -- the list -------------------------------------------------------------------------------------------- */

static void list_add(Thread *t)
{
    mutex_lock(&process.threads_lock);
    t->prev = NULL;
    t->next = process.threads;
    if (t->next) {
        t->next->prev = t;
    }
    process.threads = t;
    process.nthreads++;
    mutex_unlock(&process.threads_lock);
}

static void list_remove(Thread *t)
{
    mutex_lock(&process.threads_lock);
    if (t->prev) {
        t->prev->next = t->next;
    } else if (process.threads == t) {
        process.threads = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
    process.nthreads--;
    mutex_unlock(&process.threads_lock);
}

/* -- memory of a thread ------------------------------------------------------------------------------------- */

static Thread *block_new(void)
{
    size_t size = PAGE_UP(GUARD + C_STACK + ALT_STACK + ALIGN_UP(sizeof(Thread), 64) + tls_room());
    int64_t m = raw_call(__NR_mmap, 0, size, 3, 0x4022, -1, 0); /* private, anonymous, no reserve */
    if (m < 0 && m > -4096) {
        return NULL;
    }
    raw_call(__NR_mprotect, m, GUARD, 0);
    uint8_t *p = (uint8_t *)m;
    Thread *t = (Thread *)(p + GUARD + C_STACK + ALT_STACK);
    t->block = p;
    t->block_size = size;
    t->stack_top = p + GUARD + C_STACK;
    t->host_alt = t->stack_top;
    t->tls = tls_build((uint8_t *)t + ALIGN_UP(sizeof(Thread), 64));
    t->cpu.head.user = t;
    return t;
}

/* AddressSanitizer is told that nothing of the frames on the C stack is left, for who maps that memory next. */
static void stack_forget(const Thread *t)
{
#ifdef __SANITIZE_ADDRESS__
    extern void __asan_unpoison_memory_region(const volatile void *at, size_t n);
    __asan_unpoison_memory_region(t->block, t->block_size);
#else
    (void)t;
#endif
}

static void block_free(Thread *t)
{
    stack_forget(t);
    raw_call(__NR_munmap, t->block, t->block_size);
}

Thread *thread_new(void)
{
    tls_init();
    Thread *t = block_new();
    if (!t) {
        die(126, "no memory");
    }
    t->leader = true;
    t->tid = (int)raw_call(__NR_gettid);
    this_thread = t;
    list_add(t);
    return t;
}

void thread_first(Thread *t, void (*fn)(void *), void *arg)
{
    call_on_stack(t->stack_top, fn, arg);
}

uint64_t thread_alt_size(void)
{
    return ALT_STACK;
}

/* -- fork ------------------------------------------------------------------------------------------------------ */

void thread_lock_all(void)
{
    mm_lock();
    mutex_lock(&process.threads_lock);
    mutex_lock(&this_thread->sighand->lock);
    engine_fork_prepare(process.engine);
    mm_fork_prepare();
    alloc_fork_prepare();
}

void thread_unlock_all(bool child)
{
    Thread *t = this_thread;
    alloc_fork_done();
    mm_fork_done(child);
    if (child) {
        t->tid = (int)raw_call(__NR_gettid);
        tls_set_tid(t->tid);
        t->next = t->prev = NULL;
        process.threads = t;
        process.nthreads = 1;
        t->sighand->refs = 1;
        t->leader = true;
        t->parent_frees = t->own_process = false;
        int r = engine_fork_child(process.engine, &t->cpu.head);
        if (r < 0) {
            complain("no memory for a forked process");
            raw_call(__NR_exit_group, 126);
        }
    } else {
        engine_fork_parent(process.engine);
    }
    mutex_unlock(&t->sighand->lock);
    mutex_unlock(&process.threads_lock);
    mm_unlock();
}

/* What a child with memory of its own must put right. */
static void after_fork_child(Thread *t, uint64_t flags, uint64_t stack, uint64_t guest_tls)
{
    thread_unlock_all(true);
    memset(process.space.mark_locks, 0, sizeof process.space.mark_locks);
    mm_forked();
    process.mdwe = process.opt.exec_mdwe;
    gdb_forked();
    perf_forked();
    if (flags & CLONE_CLEAR_SIGHAND_) {
        t->sighand = sighand_copy(t->sighand, true);
        signals_install_sync();
    }
    if (sample_on()) {
        sample_start();
    }
    guest_clone_regs(t, t, stack, flags & CLONE_SETTLS_, guest_tls);
}

/* -- a task that shares memory --------------------------------------------------------------------------------- */

static void start(void *arg)
{
    Thread *t = arg;
    this_thread = t;
    t->tid = (int)raw_call(__NR_gettid);
    tls_set_tid(t->tid);
    __ctype_init();
    signals_thread_init(t);
    signals_set_host_mask(t);
    guest_loop(t);
}

static Thread *child_new(Thread *parent, uint64_t flags, uint64_t stack, uint64_t guest_tls)
{
    Thread *c = block_new();
    if (!c) {
        return NULL;
    }
    if (engine_cpu_init(process.engine, &c->cpu.head) < 0) {
        block_free(c);
        return NULL;
    }
    guest_clone_regs(c, parent, stack, flags & CLONE_SETTLS_, guest_tls);
    c->mask = parent->mask;
    c->tagged_addr = parent->tagged_addr;
    c->seccomp = parent->seccomp;
    c->seccomp_mode = parent->seccomp_mode;
    if (!(flags & CLONE_VM_) || flags & CLONE_VFORK_) {
        c->alt = parent->alt;
    } else {
        c->alt.flags = SS_DISABLE_;
    }
    if (flags & CLONE_SIGHAND_) {
        __atomic_add_fetch(&parent->sighand->refs, 1, __ATOMIC_RELAXED);
        c->sighand = parent->sighand;
    } else {
        c->sighand = sighand_copy(parent->sighand, flags & CLONE_CLEAR_SIGHAND_);
    }
    c->parent_frees = flags & CLONE_VFORK_;
    c->own_process = !(flags & (CLONE_THREAD_ | CLONE_VFORK_));
    list_add(c);
    return c;
}

static void child_free(Thread *c)
{
    list_remove(c);
    sighand_drop(c->sighand);
    engine_cpu_free(&c->cpu.head);
    if (c->scratch) {
        raw_call(__NR_munmap, c->scratch, c->scratch_size);
    }
    block_free(c);
}

/* A vfork child's parent waits; so only one of them sees the memory. */
static void note_second_thread(uint64_t flags)
{
    if (!(flags & CLONE_VFORK_)) {
        engine_share(process.engine);
    }
}

int64_t thread_clone(Thread *t, uint64_t flags, uint64_t stack, uint64_t ptid, uint64_t guest_tls, uint64_t ctid)
{
    int64_t r;
    flags &= 0xffffffff;
    if (!(flags & CLONE_VM_)) {
        uint64_t mask = signals_block_all();
        thread_lock_all();
        r = raw_call(__NR_clone, flags & ~(uint64_t)CLONE_SETTLS_, 0, ptid, ctid, 0);
        if (r == 0) {
            after_fork_child(t, flags, stack, guest_tls);
        } else {
            thread_unlock_all(false);
        }
        signals_restore(mask);
        return r;
    }
    Thread *c = child_new(t, flags, stack, guest_tls);
    if (!c) {
        return -ENOMEM;
    }
    note_second_thread(flags);
    uint64_t mask = signals_block_all();
    r = raw_thread(flags | CLONE_SETTLS_, c->stack_top, ptid, ctid, (uint64_t)c->tls, start, c);
    if (r < 0 || flags & CLONE_VFORK_) {
        child_free(c);
    }
    signals_restore(mask);
    return r;
}

/* struct clone_args */
typedef struct CloneArgs {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    uint64_t later[5];
} CloneArgs;

int64_t thread_clone3(Thread *t, uint64_t args, uint64_t size)
{
    CloneArgs a = {0};
    int64_t r;
    if (size > PAGE) {
        return -E2BIG;
    }
    if (size < 64) {
        return -EINVAL;
    }
    for (uint64_t k = sizeof a; k < size; k++) {
        uint8_t byte;
        if (get_user(&byte, args + k, 1) < 0 || byte) {
            return get_user(&byte, args + k, 1) < 0 ? -EFAULT : -E2BIG;
        }
    }
    size = size < sizeof a ? size : sizeof a;
    if (get_user(&a, args, size) < 0) {
        return -EFAULT;
    }
    if (!a.stack != !a.stack_size || a.stack >= VA_END || a.stack_size >= VA_END) {
        return -EINVAL;
    }
    uint64_t sp = a.stack + a.stack_size, flags = a.flags, guest_tls = a.tls;
    a.stack = a.stack_size = a.tls = 0;
    a.flags &= ~(uint64_t)CLONE_SETTLS_;
    if (!(flags & CLONE_VM_)) {
        uint64_t mask = signals_block_all();
        thread_lock_all();
        r = raw_call(__NR_clone3, &a, size);
        if (r == 0) {
            after_fork_child(t, flags, sp, guest_tls);
        } else {
            thread_unlock_all(false);
        }
        signals_restore(mask);
        return r;
    }
    Thread *c = child_new(t, flags, sp, guest_tls);
    if (!c) {
        return -ENOMEM;
    }
    note_second_thread(flags);
    a.flags |= CLONE_SETTLS_;
    a.tls = (uint64_t)c->tls;
    a.stack = (uint64_t)c->block + GUARD;
    a.stack_size = C_STACK;
    uint64_t mask = signals_block_all();
    r = raw_thread3(&a, size, start, c);
    if (r < 0 || flags & CLONE_VFORK_) {
        child_free(c);
    }
    signals_restore(mask);
    return r;
}

typedef struct Helper {
    void (*fn)(void *);
    void *arg;
} Helper;

static void start_helper(void *arg)
{
    Helper h = *(Helper *)arg;
    tls_set_tid((int)raw_call(__NR_gettid));
    __ctype_init();
    h.fn(h.arg);
}

int thread_helper(void (*fn)(void *), void *arg)
{
    enum { CLONE_SYSVSEM_ = 0x40000 };
    uint64_t none[1] = {~0ull}, mask;
    Thread *c = block_new();
    if (!c) {
        return -ENOMEM;
    }
    Helper *h = (Helper *)c->ring; /* the structure serves no guest */
    *h = (Helper){fn, arg};
    raw_call(__NR_rt_sigprocmask, 2, none, &mask, 8);
    int64_t r = raw_thread(CLONE_VM_ | CLONE_FS_ | CLONE_FILES_ | CLONE_SIGHAND_ | CLONE_THREAD_ | CLONE_SYSVSEM_ |
                               CLONE_SETTLS_,
                           c->stack_top, 0, 0, (uint64_t)c->tls, start_helper, h);
    raw_call(__NR_rt_sigprocmask, 2, &mask, 0, 8);
    if (r < 0) {
        block_free(c);
    }
    return r < 0 ? (int)r : 0;
}

/* -- ends ---------------------------------------------------------------------------------------------------------- */

static NORETURN void host_exit(int nr, int status)
{
    for (;;) {
        raw_call((uint64_t)nr, status);
    }
}

/* A signal that was on its way to a thread which ends belongs to the process again, unless it was meant for that
 * thread. */
static void give_back_signal(Thread *t)
{
    enum { SI_TKILL_ = -6 };
    if (t->has_held && t->held.code != SI_TKILL_) {
        raw_call(__NR_rt_sigqueueinfo, raw_call(__NR_getpid), t->held.signo, &t->held);
    }
}

static void log_counters(void)
{
    engine_log_stats(process.engine);
    if (sample_on()) {
        sample_log();
    }
}

void thread_exit(Thread *t, int status)
{
    signals_block_all();
    if (process.nthreads == 1) {
        gdb_exiting(t, status, 0);
        log_counters();
        host_exit(__NR_exit, status); /* the first thread's status counts if it has gone before */
    }
    if (t->parent_frees) {
        host_exit(__NR_exit, status);
    }
    give_back_signal(t);
    t->exiting = true;
    list_remove(t);
    engine_cpu_free(&t->cpu.head);
    if (t->leader) {
        host_exit(__NR_exit, status);
    }
    sighand_drop(t->sighand);
    stack_forget(t);
    raw_unmap_and_exit(t->block, t->block_size, status);
}

void process_exit(Thread *t, int status)
{
    if (t->own_process) {
        thread_exit(t, status); /* shares memory with its parent, but is alone in its group of threads */
    }
    gdb_exiting(t, status, 0);
    log_counters();
    host_exit(__NR_exit_group, status);
}
