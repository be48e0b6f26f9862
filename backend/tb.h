/* tb.h - translated regions, their exits and fault tables, code memory and the engine that owns them all.
 *
 * Words: a Tb is one translated region. An Exit is one jump out of it that can be chained: linked, it goes to
 * another Tb's entry; unlinked, to its stub, which leaves to the dispatcher with the Exit in cpu->last_exit.
 * Code memory is one memory object mapped twice (codebuf.c): rw addresses are written, rx addresses run.
 *
 * Locks: `Engine.lock` guards publishing (hash, lists by place), linking and the list of CPUs. Look-up takes none:
 * hash chains are only extended at the head and unlinked without touching the removed Tb's own pointer, and no
 * memory of a Tb is used again before a full flush, when no thread is in translated code. A thread writes code
 * only into the chunk that it has taken, except for the aligned 4-byte displacement of an Exit, written under the lock.
 */
#ifndef ARMX_BACKEND_TB_H
#define ARMX_BACKEND_TB_H

#include "cache.h"
#include "iface.h"

typedef struct Tb Tb;
typedef struct Exit Exit;
typedef struct Profile Profile;
typedef struct ProfileRegion ProfileRegion;

struct Exit {
    uint64_t pc;      /* guest address that it goes to (first: the stubs read it) */
    uint8_t *at;      /* rw address of the jump's 32-bit displacement */
    uint8_t *stub;    /* rw address of its stub */
    Tb *to;           /* linked to, or NULL */
    Exit *next_in;    /* list of exits linked to the same Tb */
    int32_t via;      /* a jump back in tier 1: from `at`, the code that counts it; 0 = nothing */
    int32_t count; /* jumps back until tier2_hot looks at the loop; negative: it should */
};
enum { COUNTER_JUMP = 10 }; /* where in the code that counts the displacement of its jump is */

/* One host instruction that can fault. Sorted by off. */
typedef struct Fault {
    uint32_t off;  /* from the Tb's first byte */
    int16_t pc;    /* guest instruction: bytes from the Tb's pc, divided by 2 */
    uint8_t flags; /* where NZCV is: FAULT_FL_* or a target's own code above */
    uint8_t reg;   /* host register for it */
} Fault;
enum { FAULT_FL_MEMORY, FAULT_FL_SPILL /* reg: which */, FAULT_FL_RECIPE /* reg: which */, FAULT_FL_TARGET };

/* NZCV that nobody stored, because it can be computed again from what it was computed from. */
typedef struct Recipe {
    uint8_t op;       /* IrOp: fl_add, fl_sub, fl_logic, and (the logic flags of a & b) */
    uint8_t wide;     /* 64 bits */
    uint8_t kind[2];  /* where the operands are: RECIPE_* */
    uint8_t place[2]; /* register, slot, spill place */
    uint64_t k[2];    /* the constant, or what is added */
} Recipe;
enum { RECIPE_CONST, RECIPE_ADDRESS /* a constant that moves with the region's pc */, RECIPE_REG, RECIPE_SLOT, RECIPE_SPILL };

struct Tb {
    /* what look-up, publishing and invalidation touch: one line of the host's caches (TB_ALIGN) */
    uint64_t pc, key;
    uint64_t at;          /* where the code at pc is: pc, or in system mode its host address */
    Tb *hash_next, *place_next;
    uint8_t *entry;       /* rx */
    Exit *in;             /* exits linked to this Tb */
    uint16_t before, nbytes; /* guest bytes [pc - before, pc + nbytes) */
    bool dead;            /* invalidated: in no list any more */
    bool far;             /* has been in a thread's table for far jumps */
    uint8_t tier;
    /* the rest */
    uint32_t size;        /* bytes of host code */
    uint16_t ninsns, nexits, nfaults;
    bool unshared;        /* goes when others see guest memory: engine_share */
    bool no_loop;         /* tier 2 can do nothing for it */
    uint8_t stage, entries; /* how near tier 2 is (LOOP_*), and how often the loop was entered while watched */
    uint64_t since;         /* CPU time of the process when the stage began, in ns */
    const uint8_t *slots; /* tier 2: slot of each general register; NULL: as everywhere */
    Exit *exits;
    Fault *faults;
    Recipe *recipes;
};
enum { TB_ALIGN = 64 };
_Static_assert(offsetof(Tb, size) == TB_ALIGN, "see Tb");

/* A futex lock: threads of the guest are raw clones, so nothing of libpthread is used. */
typedef struct EngineLock {
    uint32_t v;
} EngineLock;
void engine_lock(Engine *e);
void engine_unlock(Engine *e);

/* A piece of code memory; belongs to the thread that is compiling into it, between compilations to nobody. Tbs are allocated upwards; `tbs` grows downwards from the end of data, so
 * tbs[-1] is the oldest: addresses ascend with age. */
typedef struct CodeChunk {
    uint8_t *code, *code_end; /* rw, next free byte */
    uint8_t *data, *data_end;
    Tb **tbs;                 /* end of the array of Tbs, one past the oldest */
    uint32_t ntbs;
    uint32_t live;            /* Tbs of it in the tables */
    bool full;                /* no more will be compiled into it */
    uint8_t *code_ready, *data_ready; /* the kernel has been asked for the pages up to here */
    uint64_t kept;            /* pc of the region that cache_load looked for last, if code there is kept at all */
    void *record;             /* of the last region, to be committed to the cache on disk; or NULL */
    struct CodeChunk *next;   /* list of those that nobody has and that are not full */
} CodeChunk;

enum {
    STUB_BYTES = 32 * 1024,  /* at the start of code memory and of data */
    CODE_CHUNK = 256 * 1024, /* bytes of code per chunk; the same of data */
    CODE_BLOCK = 16 * 1024,  /* what is copied at once after a fork */
    CODE_AHEAD = 32 * 1024,  /* pages come from the kernel in runs of this size, cheaper than one by one */
    HASH_BITS = 11,          /* of the table of Tbs at first; it grows fourfold when it is full */
    PLACE_BITS = 8,          /* guest bytes whose regions share a list for invalidation, a power of 2 */
    LINE_BITS = 6,           /* guest bytes whose regions are counted together (Engine.lines), a power of 2 */
    LINES = 1 << 16,         /* counters; addresses that far apart share one */
    PLACES_BITS = 1,         /* the table of these lists is that much smaller (a power of 2) */
    IR_CAP = 4096,           /* IR ops per region */
    REGION_INSNS = 48,       /* guest instructions per tier-1 region */
    LOOP_IR_CAP = 12 * 1024, /* the same for a tier-2 region */
    LOOP_INSNS = 512,
    LOOP_LOOK = 500,         /* jumps back until a loop's shape is looked at; then as many and more in each LOOP_COUNTED */
    LOOP_REGIONS = 4096,     /* as long as there are no more of tier 1, loops are looked for */
    LOOP_SHARE = 64,         /* what takes less of the time than 1 / that is not hot */
    LOOP_WORTH = 250000,     /* ns in the last of these stages: what the translation takes should come back */
    WATCH_ENTRIES = 32,      /* a loop that is entered that often within so many rounds stays in tier 1: what a region's */
    WATCH_ROUNDS = 8 * WATCH_ENTRIES, /* edges cost would not come back */
    RET_STACK = 256 * 1024,  /* bytes of a host return stack */
    RESYNC_DEPTH = 64,       /* entries looked at after a return to an unexpected place */
    WORK_BYTES = 512 * 1024, /* IR and tables of one compilation */
    LOOP_WORK_BYTES = 1024 * 1024,
    POOL_AFTER = 64,         /* regions invalidated until rewritten code is expected to come again */
    PENDING_ENGINE = 2       /* bit of CpuHead.pending: the engine itself wants the thread out */
};

/* Tb.stage */
enum { LOOP_NEW, LOOP_COUNTED /* its shape is good */, LOOP_WATCHED = LOOP_COUNTED + 8, LOOP_NOW };

typedef struct CodeBuf {
    int fd;
    uint8_t *rx, *rw;      /* the two views of code */
    uint8_t *data;         /* private memory within 2 GiB of rx */
    size_t size;           /* of each of the three */
    uint32_t nchunks, used; /* chunks there are, handed out */
    CodeChunk *chunks, *idle;
    unsigned taken;        /* chunks that are being written */
    unsigned dead;         /* full ones without a live Tb */
    uint64_t reused;       /* times that one of those became a new one */
    bool shared;           /* with a forked process, in blocks that are not `own` */
    bool old_rw;           /* nothing was written since the fork */
    uint64_t *own;         /* bit per block: in this process's newest object */
    unsigned pieces;       /* of rx, from different objects */
    unsigned links_skipped;
    uint8_t *reserve;      /* of mappings */
} CodeBuf;

typedef struct EngineStats {
    uint64_t tbs, guest_insns, host_bytes, ir_ops, frontend_ns, backend_ns, flushes, links, lookups, fp_traps;
    uint64_t kept, kept_insns;   /* taken from the cache on disk, or from the pool */
    uint64_t again;              /* found in the pool */
    uint64_t loops, loop_insns, loop_bytes, loop_ns, not_loops; /* tier 2 */
} EngineStats;

/* A guest instruction that is translated in another way from its next translation on. */
typedef struct Mark {
    uint64_t pc;    /* 0 = free */
    uint16_t bits;  /* MARK_* */
    uint16_t traps;
} Mark;
enum {
    MARK_FP = 1,    /* FP traps often: by evaluation functions */
    MARK_TBI = 2,   /* was given a tagged address: mask */
    MARKS = 4096,
    FP_TRAPS_MAX = 50
};

/* cpu->exit_kind above the guest's own: the dispatcher's business. */
enum { EXIT_RET_MISMATCH = EXC_COUNT, EXIT_REDO_FP, EXIT_REDO_TBI };

/* A hash table of lists. The one of Tbs is read without a lock: a larger one replaces it whole, and the old one stays
 * where it is, for those who still stand on it: they can miss a Tb, never meet a wrong one. */
typedef struct TbTable {
    unsigned bits;
    Tb *lists[] __attribute__((aligned(64))); /* of Engine.hash: tagged (tb.c) */
} TbTable;

enum { FAR_BITS = 1 << 16 };

struct Engine {
    EngineConfig cfg;
    const Frontend *fe;
    CodeBuf code;
    EngineLock lock;
    uint32_t seq;           /* invalidations so far */
    uint32_t flushing;      /* a full flush is under way: nobody may enter translated code */
    TbTable *hash, *places;
    unsigned ntbs;          /* in the tables */
    uint16_t *lines;        /* regions in the tables by lines of guest code; one that was full stays so: tb_is_near */
    uint32_t longest;       /* guest bytes of the longest region so far */
    CpuHead **cpus;
    unsigned ncpus, cpus_cap;
    uint64_t add_key;       /* key bits that all threads run under */
    uint64_t key_everywhere; /* those of them that no thread is without any more */
    unsigned rekeys;        /* EXC_REKEY so far */
    bool shared;            /* others see guest memory: engine_share */
    bool alone;             /* there has been no second CPU structure, in user mode: engine_alone */
    unsigned nmarks;
    Mark marks[MARKS];
    uint64_t far[NEAR_COUNTS][FAR_BITS / 64]; /* system mode, by pc: accesses that find another page too often for CpuHead.near, for .hot */
    TbCache *cache;         /* on disk, or NULL */
    TbPool *pool;           /* or NULL, until code was rewritten POOL_AFTER times */
    uint64_t rewritten;     /* regions that were invalidated */
    void *target;           /* the target's own: stubs, pins, rule index */
    void *loop_work;        /* LOOP_WORK_BYTES, or NULL until the first hot loop */
    bool loop_busy;         /* a thread translates a loop there */
    bool loops_first;       /* whatever time they take */
    Profile *profile;       /* or NULL */
    EngineStats stats;
};

/* 1 KiB of code has eight lines of the host's caches, side by side: code that is run for the first time asks for all of them soon. Eight
 * places that are STRIDE bytes apart share a line: functions that a JIT makes one after the other, and that it invalidates so. One piece of
 * code at many addresses (a library in each process, behind a machine's MMU) is in as many lists. */
static inline Tb **tb_list(TbTable *h, uint64_t pc, uint64_t at, uint64_t key)
{
    enum { STRIDE_BITS = 7, LISTS_BITS = 3 /* in a line */, LINES_BITS = 3 /* side by side */, BITS = LISTS_BITS + LINES_BITS };
    uint64_t n = (at >> (STRIDE_BITS + LISTS_BITS)) * 0x9e3779b97f4a7c15u + key * 0x85ebca6bu + (pc - at) * 0xc2b2ae3d27d4eb4fu;
    uint64_t line = at >> (STRIDE_BITS - LINES_BITS) & bits_mask(LINES_BITS), list = at >> STRIDE_BITS & bits_mask(LISTS_BITS);
    return &h->lists[n >> (64 - h->bits + BITS) << BITS | line << LISTS_BITS | list];
}

/* First and last byte of a region's guest code. */
static inline uint64_t tb_first(const Tb *tb)
{
    return tb->at - tb->before;
}
static inline uint64_t tb_last(const Tb *tb)
{
    return tb->at + (tb->nbytes ? tb->nbytes - 1 : 0);
}

/* The list of the regions whose first byte is near pc. */
static inline Tb **place_list(TbTable *h, uint64_t pc)
{
    uint64_t place = pc >> PLACE_BITS; /* neighbours' lists are neighbours: code is made, and forgotten, in order of addresses */
    return &h->lists[(place ^ place >> h->bits) & bits_mask(h->bits)];
}

/* What changes under the lock and is read without it. */
static inline uint64_t engine_added_key(const Engine *e)
{
    return __atomic_load_n(&e->add_key, __ATOMIC_RELAXED);
}
/* Are jumps back counted to regions that are made now? Not those of a program that is large already: it has thousands of loops that
 * take no time, and counting takes more than the few regions among them give back. */
static inline bool engine_counts(const Engine *e)
{
    return e->cfg.loops && (e->loops_first || e->ntbs < LOOP_REGIONS);
}
/* What Exit.count begins with. */
static inline int32_t engine_first_count(const Engine *e)
{
    return e->loops_first ? (int32_t)e->cfg.loop_hot : LOOP_LOOK;
}
/* Has there been no other thread so far? Then nothing of the engine's needs to be atomic. Who makes the second one says so first. */
static inline bool engine_alone(const Engine *e)
{
    return __atomic_load_n(&e->alone, __ATOMIC_RELAXED);
}
static inline TbPool *engine_pool(const Engine *e)
{
    return __atomic_load_n(&e->pool, __ATOMIC_ACQUIRE);
}
static inline uint64_t engine_flushes(const Engine *e)
{
    return __atomic_load_n(&e->stats.flushes, __ATOMIC_RELAXED) + __atomic_load_n(&e->code.reused, __ATOMIC_RELAXED);
}

/* tb.c */
int tb_init(Engine *e);                                      /* the tables; 0 or -ENOMEM */
void tb_forget_all(Engine *e);                               /* lock held, nobody in translated code: empty tables */
Tb *tb_find(Engine *e, uint64_t pc, uint64_t key, uint64_t at); /* lock-free */
void tb_expect(Engine *e, uint64_t pc, uint64_t key, uint64_t at); /* a region for that will be published: fetches lines of the tables */
/* What an indirect jump that missed its caches calls from translated code: the entry to go on at, now in the jump cache
 * too, or NULL: leave. Uses general registers only. */
const void *tb_lookup(CpuHead *cpu, uint64_t pc);
void tb_remember(CpuHead *cpu, Tb *tb);                    /* puts it into the thread's jump cache */
void tb_publish(Engine *e, Tb *tb);                         /* lock held */
/* May there be a region of guest code at [start, last], or one be made from what stood there before the caller's
 * last store? Lock-free. */
bool tb_is_near(Engine *e, uint64_t start, uint64_t last);
void tb_remove(Engine *e, Tb *tb);                          /* lock held: from lists, links, jump caches */
Tb *tb_of_host(Engine *e, const void *rx);                  /* the Tb whose code holds rx, or NULL; signal-safe */
const Fault *tb_fault(const Tb *tb, uint32_t off);          /* the entry exactly at off, or NULL */

/* tier2.c */
/* The loop that exit x jumped back to in tb is hot: what to run instead of tb, perhaps tb itself. */
Tb *tier2_hot(Engine *e, CpuHead *cpu, Exit *x, Tb *tb);

/* profile.c */
typedef struct ProfileBlock {
    uint64_t runs;
    uint32_t guest, host; /* instructions in it */
} ProfileBlock;
void profile_init(Engine *e);
/* A record of the region, with its blocks; NULL: no memory. */
ProfileBlock *profile_region(Engine *e, const IrRegion *r);
uint64_t *profile_call(Profile *p, const IrIns *in); /* what counts the calls for that op */
void profile_log(const Engine *e);

/* link.c */
void tb_unlink(Engine *e, Exit *x);        /* lock held */
void tb_link(Engine *e, Exit *x, Tb *to);  /* takes the lock */
void tb_unlink_in(Engine *e, Tb *tb);      /* lock held: all exits that go to tb back to their stubs */

/* codebuf.c */
int codebuf_init(CodeBuf *c, size_t size);
CodeChunk *codebuf_take(Engine *e);        /* an idle chunk, or NULL when the memory is full; takes the lock */
void codebuf_give(CodeBuf *c, CodeChunk *ch, bool full); /* lock held: back to the idle ones, or to nobody */
/* Makes a dead chunk idle when there is no idle one, and this is the only thread, which is in engine_run: JITs' code comes and goes. */
void codebuf_reuse(Engine *e, const CpuHead *cpu);
void codebuf_ahead(CodeChunk *ch);         /* there are pages for what is written next */
void codebuf_reset(CodeBuf *c);            /* all chunks are free again */
/* Lock held. After a fork: the block of `at` (rw) may be written. */
void codebuf_writable(CodeBuf *c, const uint8_t *at);
/* Is a link worth the copy of a block? A forked process often runs another program before it has repeated anything. */
bool codebuf_links(CodeBuf *c, const uint8_t *at);
void codebuf_forked(CodeBuf *c);           /* lock held, in both processes */
/* The chunk of code at rx. */
static inline CodeChunk *codebuf_chunk(const CodeBuf *c, const uint8_t *rx)
{
    return &c->chunks[(size_t)(rx - c->rx - STUB_BYTES) / CODE_CHUNK];
}
static inline uint8_t *codebuf_rx(const CodeBuf *c, const uint8_t *rw)
{
    return c->rx + (rw - c->rw);
}

/* target.h's functions, implemented once per host */
int target_init(Engine *e);
uint64_t target_kind(const Engine *e); /* a number for the features of the processor that code is made for */
/* Compiles r into the chunk, with `bytes` of work memory. Returns NULL when the chunk has no room, TB_TOO_BIG when
 * the region is too large for the tables (translate fewer instructions). Does not publish. */
#define TB_TOO_BIG ((Tb *)1)
Tb *target_compile(Engine *e, CodeChunk *ch, const IrRegion *r, void *work, size_t bytes);
/* Runs translated code from entry (rx) until it leaves; cpu->exit_kind says why. */
void target_enter(Engine *e, CpuHead *cpu, const uint8_t *entry);
void target_link_at(uint8_t *at, const uint8_t *to_rw); /* one 4-byte store within a cache line */
static inline void target_link(Exit *x, const uint8_t *to_rw)
{
    target_link_at(x->at, to_rw);
}
/* The host pc of an interrupted thread, and its state written to *cpu as the fault entry says (f = NULL: in the
 * dispatcher's stubs). */
const void *target_uc_pc(const void *ucontext);
void target_uc_save(Engine *e, CpuHead *cpu, const void *ucontext, const Tb *tb, const Fault *f);
/* Makes the handler's return continue at the stub that leaves translated code. */
void target_uc_leave(Engine *e, CpuHead *cpu, void *ucontext);
/* Makes the handler's return call fn(cpu), which does not return, on the interrupted stack. */
void target_uc_call(CpuHead *cpu, void *ucontext, void (*fn)(CpuHead *));
/* The address that the interrupted instruction accesses; false when it has no memory operand. */
bool target_uc_address(const void *ucontext, uint64_t *addr);
/* A fault on the guard page of the return stack: resets it, true. */
bool target_uc_ret_overflow(Engine *e, CpuHead *cpu, void *ucontext);
/* Goes on at the stub that leaves translated code; the state is in the structure, the C stack is left. */
NORETURN void target_raise(Engine *e, CpuHead *cpu);
/* During a slow access (in_helper == IN_SOFT): pc and NZCV written to *cpu, where all else is already. */
void target_soft_state(Engine *e, CpuHead *cpu);
void target_ret_reset(Engine *e, CpuHead *cpu); /* empty return stack */
void target_ret_drop(Engine *e, CpuHead *cpu);  /* the same while a helper called from translated code runs */
void target_fp_control(CpuHead *cpu); /* FPCR or FPSR changed: guest_mxcsr as they say, with its sticky bits */
void target_fp_trapped(CpuHead *cpu); /* the reference decides what the trapping instruction raises */
uint32_t target_fpsr(const CpuHead *cpu);
void target_set_fpsr(CpuHead *cpu, uint32_t fpsr);
void target_dump(Engine *e, const Tb *tb, void *file);
/* Looks for a return site for guest address pc on the return stack after a mismatch; true = ret_sp is adjusted. */
bool target_ret_resync(Engine *e, CpuHead *cpu, uint64_t pc);

/* soft.c: system mode */
enum { IN_SOFT = 2 /* CpuHead.in_helper */ };
static inline unsigned far_bit(uint64_t pc)
{
    return (unsigned)(pc >> 2) % FAR_BITS;
}
/* why: NEAR_MISSED, NEAR_TURNED */
static inline bool soft_is_far(const Engine *e, unsigned why, uint64_t pc)
{
    return __atomic_load_n(&e->far[why][far_bit(pc) / 64], __ATOMIC_RELAXED) >> far_bit(pc) % 64 & 1;
}
void *soft_near_missed(CpuHead *cpu);                /* a slow access, one of whose counts is below 0 */
enum { JUMP_CACHES = 16, JUMP_PAGE_WORDS = 16, JUMP_LISTED = 1024 };
typedef struct JumpCache {
    uint64_t context, key;
    uint64_t used;                   /* when, on SoftThread.clock; 0 = never */
    uint8_t halves;                  /* ADDRESS_*: where entries are; 0 = it is empty */
    uint64_t pages[JUMP_PAGE_WORDS]; /* bit per page, modulo the size, that may have entries */
    JumpEntry *entries;
    uint32_t nlisted;                /* entries that were filled since it was empty, perhaps more than are listed */
    uint16_t listed[JUMP_LISTED];
} JumpCache;
_Static_assert(JUMP_CACHE_BITS <= 16, "JumpCache.listed");
typedef struct SoftThread {
    JumpCache caches[JUMP_CACHES], *current, *previous;
    uint64_t clock;
} SoftThread;
static inline SoftThread *soft_of(const CpuHead *cpu)
{
    return *(SoftThread **)cpu->code_chunk; /* the first member of run.c's Thread */
}
int soft_cpu_init(Engine *e, CpuHead *cpu);
void soft_cpu_free(CpuHead *cpu);
void soft_jumps(CpuHead *cpu);                       /* the jump cache for the CPU's context and key */
void soft_remembered(CpuHead *cpu, uint64_t pc);     /* an entry was made */
void soft_clear_jumps(CpuHead *cpu);                 /* lock held, or its own thread: all caches */
void soft_drop_jump(CpuHead *cpu, uint64_t pc);      /* lock held: from all caches */
Tb *soft_find(CpuHead *cpu, uint64_t pc);      /* by the TLB alone */
bool soft_may_link(Engine *e, const Exit *x, const Tb *to); /* in one page? */

/* run.c */
Tb *engine_translate(Engine *e, CpuHead *cpu, uint64_t pc, uint64_t key, uint64_t at);
void engine_flush(Engine *e, CpuHead *cpu);
/* A region was published: -d out, if asked for, and who listens for code (perf, gdb). */
void engine_tell_made(Engine *e, const Tb *tb, bool dump);
CodeChunk *engine_take_chunk(Engine *e, CpuHead *cpu); /* may flush */
void engine_dump_ir(Engine *e, const IrRegion *r); /* -d in, ir */
bool engine_in_interp(const CpuHead *cpu);
NORETURN void engine_interp_out(CpuHead *cpu); /* ends the interpreter's run with exit_kind */
unsigned engine_marks(Engine *e, uint64_t pc); /* MARK_* bits; lock-free */

#endif
