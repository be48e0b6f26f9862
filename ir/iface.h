/* iface.h - the only seam between the halves: front end, engine (back end), guest memory, and whoever runs them.
 *
 * Threads: an Engine is shared by all threads of a process; a CpuHead belongs to one thread, except `pending`,
 * which any thread (and any signal handler) may set. Look-up of translated code takes no lock; see backend/tb.h.
 *
 * How a thread runs: engine_run(cpu) executes translated code from *pc until something needs the caller, and
 * returns an ExcKind with all guest state in the CPU structure. Host signals: the caller's handler asks
 * engine_sync() whether the interrupted host pc lies in translated code or in a helper called by it; if so,
 * the guest state is written to the CPU structure, and engine_leave() makes the return from the handler end
 * engine_run() with the given kind.
 */
#ifndef ARMX_IR_IFACE_H
#define ARMX_IR_IFACE_H

#include "ir.h"

typedef struct Engine Engine;
typedef struct CpuHead CpuHead;

/* State key: what a translation depends on besides the bytes. */
enum {
    KEY_FP_SLOW = 1,  /* FPCR has more than RMode, FZ and DN set: FP by evaluation functions */
    KEY_ONE_INSN = 2, /* translate one instruction only (stepping; redoing after an FP trap) */
    KEY_SHARED = 4,   /* others see guest memory, threads or processes: barriers and locks are real */
    KEY_USER = 8,     /* first bit free for the front end */
};
/* Above what front ends use. */
#define KEY_FP_FZ (UINT64_C(1) << 32)  /* FPCR.FZ: denormals are flushed to zero */
#define KEY_FP_DN (UINT64_C(1) << 33)  /* FPCR.DN: results that are NaNs are the default NaN */
#define KEY_FP_UFC (UINT64_C(1) << 34) /* the guest looks at FPSR: underflow is detected before rounding */

typedef struct JumpEntry {
    uint64_t pc; /* guest address; empty: jump_none() */
    void *host;  /* entry point */
} JumpEntry;
enum { JUMP_CACHE_BITS = 14 };
static inline unsigned jump_hash(uint64_t pc)
{
    return (unsigned)(pc >> 2) & ((1u << JUMP_CACHE_BITS) - 1);
}
/* The entry for what has to share its place in the jump cache: one of those behind it. What lies at the same place of neighbouring
 * blocks of code is in neighbouring entries, as functions that a JIT makes are. */
enum { FAR_JUMP_BITS = 14, FAR_BLOCK_BITS = 7, FAR_LOW_BITS = FAR_BLOCK_BITS - 2 };
static inline unsigned jump_far(uint64_t pc)
{
    unsigned low = (unsigned)pc >> 2 & ((1u << FAR_LOW_BITS) - 1);
    return ((unsigned)(pc >> FAR_BLOCK_BITS) ^ low << (FAR_JUMP_BITS - FAR_LOW_BITS)) & ((1u << FAR_JUMP_BITS) - 1);
}
/* An address that is never looked up in entry n of either. */
static inline uint64_t jump_none(unsigned n)
{
    return n ? 0 : ~(uint64_t)0;
}

/* A guest access as SoftMmu sees it: log2 of its bytes (0..6), what it does, for whom. */
enum { ACC_SIZE = 7, ACC_READ = 8, ACC_WRITE = 16, ACC_UNPRIV = 32 /* as EL0 */, ACC_ATOMIC = 64, ACC_CACHE = 128 /* DC ZVA */,
       ACC_DEFER = 256 /* nobody calls commit: it is to be done at the next poll */ };

/* Guest memory behind a translation (system mode). The functions run on the CPU's thread. */
typedef struct SoftMmu {
    /* Host address of the instruction at pc, as the CPU would fetch it now, or NULL: EXC_FETCH, described in the CPU. */
    const uint8_t *(*code)(CpuHead *cpu, Gva pc);
    /* Code at this host address is about to be translated: from now on who writes there calls engine_code_written. */
    void (*translating)(CpuHead *cpu, const uint8_t *code);
    /* Where to access address: the memory itself, or a buffer that holds what was read, or takes what is written until
     * `commit` is called. Does not return when the access faults (engine_raise). Aligned accesses of up to 16 bytes are as
     * atomic as the host's; ACC_ATOMIC with ACC_WRITE is never a buffer. */
    void *(*access)(CpuHead *cpu, uint64_t address, uint32_t acc);
    void (*commit)(CpuHead *cpu);
    /* The same without leaving, when it is memory that needs no commit, or NULL; the next access to the page will find it in the TLB.
     * General registers only. */
    void *(*fill)(CpuHead *cpu, uint64_t address, uint32_t acc);
    /* pending had PENDING_SOFT: requests of other CPUs are to be served, between two instructions. */
    void (*requests)(CpuHead *cpu);
} SoftMmu;

/* What translated code looks up: [use][address >> 12 modulo the size]. The tag is the page's address, or tlb_none; when
 * address ^ tag is less than the page's size, `host` + that is where it is. A table belongs to its CPU's thread. Behind the uses'
 * entries are as many for data again, the second way: what gave way to another page of the same index. Translated code looks there
 * when the first way fails, and exchanges the two. */
typedef struct TlbEntry {
    uint64_t tag;
    uint64_t host; /* host address of the page */
} TlbEntry;
typedef enum TlbUse { TLB_READ, TLB_WRITE, TLB_EXEC, TLB_USES, TLB_SECOND_READ = TLB_USES, TLB_SECOND_WRITE, TLB_PARTS } TlbUse;
enum { TLB_PAGE_BITS = 12, TLB_BITS = 10 };
static inline unsigned tlb_index(uint64_t address)
{
    return (unsigned)(address >> TLB_PAGE_BITS) & ((1u << TLB_BITS) - 1);
}
static inline TlbEntry *tlb_entry(TlbEntry *table, TlbUse use, uint64_t address)
{
    return &table[((unsigned)use << TLB_BITS) + tlb_index(address)];
}
/* A tag that no address in entry n has. */
static inline uint64_t tlb_none(unsigned n)
{
    return n ? 0 : (uint64_t)1 << TLB_PAGE_BITS;
}
static inline bool tlb_hit(uint64_t tag, uint64_t address, unsigned bytes)
{
    return (address ^ tag) <= (1u << TLB_PAGE_BITS) - bytes;
}

/* The page that an access in a loop found last, by where the access is in the code (near_index): the lowest privilege's own short way,
 * in front of the TLB. `tag` = the page's address, `add` + guest address = host address. A thread's entries are of
 * one table, and go when that one, or something of it, does. */
enum { NEAR_MISSED /* another page than this access's last one */, NEAR_TURNED /* another page than the last one of CpuHead.hot */, NEAR_COUNTS };
typedef struct NearEntry {
    uint64_t tag, add;
    uint64_t write_tag; /* to read: the same as tag where the TLB had an entry to write there as well, else empty */
    int32_t left[NEAR_COUNTS]; /* until soft_near_missed looks at what happens */
} NearEntry;
enum { NEAR_ENTRIES = 256, NEAR_GROUP = 16 /* entries that are emptied together */ };
/* What of an address is compared when n bytes are accessed: the page, and the bits that are 0 when the access is aligned. Bit 11 is
 * none of them: an entry with it is empty. */
#define NEAR_TAG_MASK(n) (-4096 | ((n) - 1))
enum { NEAR_EMPTY = 1 << 11 };
static inline unsigned near_index(uint64_t pc)
{
    return (unsigned)(pc >> 2) % NEAR_ENTRIES;
}

/* What of an address tells pages apart; the rest may be a tag. Bit 55 says which half of the address space. */
#define ADDRESS_MASK bits_mask(56)
enum { ADDRESS_LOWER = 1, ADDRESS_UPPER = 2 };
/* The halves that n pages from an address on lie in. */
static inline unsigned address_halves(uint64_t address, uint64_t n)
{
    uint64_t last = address + (n * 4096 - 1);
    return n >> 43 ? ADDRESS_LOWER | ADDRESS_UPPER : 1u << (address >> 55 & 1) | 1u << (last >> 55 & 1);
}

/* CpuHead.doing */
enum { DOING_RUN, DOING_TRANSLATE, DOING_SERVICE /* of a system call, signal or fault: its caller's */ };

/* Common head of every CPU structure. The guest's general registers follow directly: `nzcv`, `pending` and the first
 * 31 words after the head are within a byte's displacement of the state pointer (&head + sizeof head + 116). */
struct CpuHead {
    const SoftMmu *soft; /* system mode, or NULL */
    TlbEntry *tlb;       /* of the current context */
    TlbEntry *tlb_unpriv;/* for MEM_UNPRIV */
    uint64_t context;    /* translations of guest addresses of code are the same while it is (engine_switch) */
    Engine *engine;
    void *user;          /* the caller's per-thread structure */
    JumpEntry *jumps;    /* this thread's jump cache, 1 << JUMP_CACHE_BITS entries, owned by the engine; in user mode, behind it
                          * 1 << FAR_JUMP_BITS more (jump_far) */
    void *code_chunk;    /* this thread's piece of code memory, owned by the engine */
    void *host_sp;       /* C stack of engine_run while translated code runs; 0 outside */
    void *ret_sp;        /* host return stack, when not running */
    void *ret_base;      /* its bottom (highest address) */
    void *last_exit;     /* exit site to be chained by the engine, or NULL */
    uint64_t key;        /* current state key */
    uint64_t exit_addr;  /* address operand of the last exit (EXC_ALIGN, EXC_DATA) */
    int32_t exit_imm;    /* .imm of the last exit_exc */
    uint32_t exit_kind;  /* ExcKind of the last exit */
    uint32_t in_helper;  /* translated code is inside a C helper that may fault; state is in the structure */
    uint32_t host_mxcsr; /* the host's own MXCSR while translated code runs */
    uint32_t guest_mxcsr;/* MXCSR for translated code: rounding, exceptions, sticky bits */
    uint32_t doing;      /* DOING_*: what -d stats takes the time for; translated code's and what it calls outside of these */
    FpEnv fp;            /* FPCR, FPSR; sticky bits of guest_mxcsr are merged by engine_fpsr() */
    uint64_t scratch[8]; /* the back end's own */
    V128 spill[48];      /* temporaries of a region that found no register */
    V128 ev[4];          /* operands and result of evaluation functions and helpers */
    uint64_t stat[8];    /* the back end's counters (-d stats) */
    NearEntry near[2][NEAR_ENTRIES]; /* to read, to write */
    uint64_t near_since[2][NEAR_ENTRIES][NEAR_COUNTS]; /* when it looked last, in cycles */
    uint8_t near_used[2][NEAR_ENTRIES / NEAR_GROUP]; /* an entry of the group may not be empty */
    struct {
        uint64_t tag, write_tag; /* of the entry of `near` that a load of an integer used last, whose `add` a register holds; or empty. While
                                  * write_tag is not empty, that entry is as it was. */
    } hot;
    uint64_t near_address; /* of an access that missed there */
    uint64_t near_slot;  /* and its entry, for soft_near_missed */
    uint8_t apart[2016]; /* of the guest's registers from its stack, modulo the size of a page, by which a host tells loads from stores */
    uint32_t pad;
    uint32_t nzcv;       /* condition flags, packed form of ir/base.h */
    volatile uint64_t pending; /* nonzero: leave translated code at the next poll */
} __attribute__((aligned(16)));
_Static_assert(sizeof(CpuHead) % 16 == 0, "general registers follow directly");

enum { STORE_MARK_BITS = 12, STORE_MARK_LOCKS = 1024 };

/* Guest code that must be begun anew at `abort` when the thread was interrupted in it: a restartable sequence. */
typedef struct Critical Critical;
struct Critical {
    uint64_t start, end, abort; /* guest addresses */
    uint64_t descriptor;        /* address of what describes it */
    /* A store of 1 << log2size bytes in it: false = not made, the sequence was interrupted. May fault. */
    bool (*store)(CpuHead *cpu, const Critical *c, uint64_t address, const uint64_t value[2], unsigned log2size);
};

/* Guest memory, as translators and helpers see it. */
typedef struct Space Space;
struct Space {
    /* Host address of guest code at pc and, in *avail, how many bytes from there may be executed (to the end
     * of the page at least). NULL: fetch fault; *avail = 1 when the page is mapped but not executable. */
    const uint8_t *(*fetch)(Space *s, Gva pc, uint32_t *avail);
    /* A debugger's breakpoint at pc? NULL = there are none. Who changes the answer calls engine_invalidate. */
    bool (*stop_at)(const Space *s, Gva pc);
    /* Code in the page at call_page belongs to whoever runs the guest (a vDSO): its HLT instructions call this with
     * their immediate. It may read and write slots, but not pc, and must not fault. NULL = no such page. */
    void (*call)(CpuHead *cpu, uint32_t imm);
    uint64_t call_page;
    /* IC IVAU for the line of addr: the code there may have changed. Runs inside of translated code, which it does not
     * leave (ISB does), and must not fault. NULL = code never changes. */
    void (*code_changed)(CpuHead *cpu, Gva addr);
    /* The restartable sequence at pc, or NULL; NULL = there are none. */
    const Critical *(*critical)(const Space *s, Gva pc);
    /* Told of each constant address in code, which may be that of a descriptor; NULL = nobody asked. */
    void (*described)(Space *s, Gva address);
    /* The code at pc, when it is a file's or the vDSO's and not writable, so that its translation is worth keeping on disk; else NULL.
     * NULL = nothing is. */
    const uint8_t *(*kept)(Space *s, Gva pc);
    /* Is the page guarded: may indirect branches enter it only at landing pads? NULL = no page is. */
    bool (*guarded)(Space *s, Gva pc);
    /* Guest address + base = host address on the fast path. */
    uint64_t base;
    /* Strict exclusive monitors, see frontend/aarch64/tr_atomic.c: the last number given out, and by granule of
     * 16 bytes (address >> 4, modulo the size) the number of who opened a monitor there last, 0 after a store. */
    uint64_t last_ticket;
    uint64_t kernel_writes; /* system calls so far that may have written to guest memory, once there was a ticket */
    unsigned mark_bits; /* granules with marks of their own, as bits of their number; 0 = STORE_MARK_BITS. System mode has as many as a
                         * page, so that all addresses of a granule share one. */
    uint64_t store_marks[1 << STORE_MARK_BITS];
    uint32_t mark_locks[STORE_MARK_LOCKS]; /* 1 = taken; nobody has one in a forked child */
};

/* Where a tier-2 region ends: code that is better run as it is translated already. */
typedef struct TrStop {
    bool (*at)(const void *arg, uint64_t pc);
    const void *arg;
    uint32_t no_opt; /* OFF_LOOP_FLAGS, OFF_LOOP_NARROW */
} TrStop;

/* A front end: one guest architecture. */
typedef struct Frontend {
    const char *name;
    const IrSlot *slots;
    unsigned nslots;
    const IrHelper *helpers;
    unsigned nhelpers;
    unsigned cpu_size;
    uint16_t pc_slot, nzcv_slot; /* slot numbers */
    uint64_t watch_key;          /* key bits under which no access of memory may go unseen by SoftMmu.access */
    uint64_t level_key;          /* key bits that are 0 at the lowest level of privilege; 0: there are none */
    uint16_t sp_slot;            /* a multiple of 16 whenever it is the base of an access */
    /* Translates from pc under key into r (buffers inside are given), at most max_insns guest instructions.
     * cpu_model is the front end's own. Never fails: what cannot be fetched or decoded becomes an exit. */
    void (*translate)(const void *cpu_model, Space *s, Gva pc, uint64_t key, unsigned max_insns, IrRegion *r,
                      IrIns *ins, uint32_t cap);
    /* The same for tier 2: the loop around pc (region.h). False when there is none, r->nblocks is 0 then, or too little room. */
    bool (*translate_loop)(const void *cpu_model, Space *s, const TrStop *stop, Gva pc, uint64_t key, unsigned max_insns,
                           IrRegion *r, IrIns *ins, uint32_t cap);
    /* Is there one, between pc and last, when inner loops belong to it? `ins` is memory for the work. */
    bool (*is_loop)(Space *s, Gva pc, Gva last, unsigned max_insns, IrIns *ins, uint32_t cap);
    /* Key from the CPU's state (FPCR etc.), where `added` holds anyway. */
    uint64_t (*key)(const CpuHead *cpu, uint64_t added);
    uint64_t rekey_often; /* added when EXC_REKEY comes often: less depends on the state under it */
    /* Guest disassembly of one instruction for dumps. */
    void (*disas)(Gva pc, uint32_t word, char *buf, size_t size);
} Frontend;

/* What an engine can do without, for tests: host features that not every host has, jumps between regions, passes. */
enum { OFF_AVX512 = 1, OFF_CRYPTO = 2, OFF_CHAIN = 4, OFF_UFC = 8 /* never KEY_FP_UFC */,
       OFF_FP_TRAPS = 32, /* bench/b_fp.c: FP without traps and the checks for them, wrong where those matter */
       OFF_LOOP_FLAGS = 64, OFF_LOOP_NARROW = 128, OFF_LOOP_TEMPS = 256, /* what tier 2 does to loops (adr/0007) */
       OFF_SWEEP = 512, /* values computed where they are used, stores to slots that are overwritten left out, registers chosen ahead */
       ALL_FEATURES = 16 /* code for a host that has everything: to be looked at, not to be run */ };

typedef struct EngineConfig {
    const Frontend *fe;
    const void *cpu_model;
    Space *space;
    const SoftMmu *soft;  /* system mode: guest addresses are translated; else NULL. Space.fetch then only knows the page of the
                           * last call of soft->code on that thread, and the next. */
    size_t cache_bytes;   /* code memory, 0 = default */
    const char *cache_dir;/* translations are kept there (backend/cache.c), or NULL */
    uint64_t cache_model; /* a number for what the front end's CPU model is */
    bool interp;          /* run in the IR interpreter */
    bool loops;           /* tier 2: translate hot loops anew, as a whole */
    unsigned loop_hot;    /* jumps back until a loop is hot; 0 = default, and tier 2 takes no more than a share of the time */
    bool one_insn;        /* one guest instruction per region */
    unsigned max_insns;   /* per tier-1 region, 0 = default */
    uint32_t no_opt;      /* OFF_* */
    /* Told of each region's host code after it was made (perf maps), or NULL; by any thread. */
    void (*code_made)(Gva pc, const void *host, size_t size);
} EngineConfig;

Engine *engine_new(const EngineConfig *cfg);
/* Gives a thread's CPU structure its engine parts (jump cache, return stack); 0 or -errno. */
int engine_cpu_init(Engine *e, CpuHead *cpu);
void engine_cpu_free(CpuHead *cpu);

/* Runs until an exit; guest state is in *cpu afterwards, the slot pc says where. */
ExcKind engine_run(CpuHead *cpu);

/* Executes one guest instruction in the interpreter, from an uncached translation of that instruction alone under
 * KEY_ONE_INSN: EXC_STEP when it is done, else the exception it raised, as engine_run. */
ExcKind engine_step(CpuHead *cpu);

/* FPCR was written (by a helper, ptrace, signal frame): recomputes key and MXCSR. */
void engine_fpcr_changed(CpuHead *cpu);
/* FPSR with the host's sticky bits merged; and the other way round. */
uint32_t engine_fpsr(CpuHead *cpu);
void engine_set_fpsr(CpuHead *cpu, uint32_t fpsr);
/* The guest reads or writes FPSR: from its next exit on, KEY_FP_UFC. */
void engine_fpsr_watched(Engine *e);

/* Drops translations of guest code in [start, start + len); running threads leave them at their next exit.
 * Any thread may call it, not from a signal handler. */
void engine_invalidate(Engine *e, Gva start, uint64_t len);
/* From now on KEY_SHARED: another thread is about to run, or memory that this process may write to is another one's, or the
 * kernel's, too. No thread is in translated code; once is enough. */
void engine_share(Engine *e);
/* From now on all threads run under these key bits too; each changes over at its next exit. Not from a handler. */
void engine_add_key(Engine *e, uint64_t bits);
/* Have all threads changed over to these bits, which were added before? */
bool engine_key_everywhere(Engine *e, uint64_t bits);

/* From a host signal handler (async-signal-safe), with the ucontext_t of the interrupted code. */
typedef enum SyncResult {
    SYNC_OUTSIDE,  /* not translated code: engine or caller */
    SYNC_PRECISE,  /* state written to *cpu; pc = the guest instruction that was being executed */
    SYNC_IMPRECISE, /* in translated code, but not at an instruction that can fault: use pending */
    SYNC_RETRY /* the engine's own fault (its return stack was full), repaired: just return from the handler */
} SyncResult;
SyncResult engine_sync(CpuHead *cpu, void *ucontext);
/* After SYNC_PRECISE: the handler's return ends engine_run() with this kind. */
void engine_leave(CpuHead *cpu, void *ucontext, ExcKind kind);
/* After SYNC_PRECISE on an FP trap (SIGFPE): redoes the instruction exactly and goes on. */
void engine_fp_trap(CpuHead *cpu, void *ucontext);
/* After SYNC_PRECISE on a SIGSEGV for which the host knows no address (a non-canonical one, so perhaps a pointer with a
 * tag: top byte ignore): marks the site for translation with masked addresses, and arranges that the handler's return
 * does the guest instruction so. False, with exit_addr = the address and nothing arranged, when the address without its tag is
 * outside of the 47-bit space too: then the fault is the guest's. */
bool engine_tbi_trap(CpuHead *cpu, void *ucontext);
/* Asks a thread to come out soon; from any thread or handler. */
static inline void engine_kick(CpuHead *cpu)
{
    __atomic_or_fetch(&cpu->pending, 1, __ATOMIC_ACQ_REL);
}
static inline uint64_t engine_pending(const CpuHead *cpu)
{
    return __atomic_load_n(&cpu->pending, __ATOMIC_RELAXED);
}

/* System mode. From inside SoftMmu.access, or a helper that translated code called: leaves engine_run with this kind,
 * the state being that of before the instruction. */
NORETURN void engine_raise(CpuHead *cpu, ExcKind kind);
/* On the CPU's thread: other translations of addresses apply to code from now on, and another key (the front end's part of it, FPCR
 * being as it was). Contexts with the same number share what the engine remembers of them, until it is told to forget. */
void engine_switch(CpuHead *cpu, uint64_t context, uint64_t key);
/* On the CPU's thread: code of the n pages from pc on, or of all pages, is at another place perhaps, in every context. */
void engine_forget_pages(CpuHead *cpu, Gva pc, uint64_t n); /* of 4 KiB */
void engine_forget_context(CpuHead *cpu, uint64_t context, uint64_t mask); /* those with the same bits in mask */
/* Memory at this host address changed where code was translated: drops what was made of it. True when the 4 KiB page has no
 * translation left. Any thread. */
bool engine_code_written(Engine *e, const void *host, uint64_t len);
/* Is the thread in engine_run? If not, it serves its requests before it runs guest code again. */
static inline bool engine_inside(const CpuHead *cpu)
{
    return __atomic_load_n(&cpu->host_sp, __ATOMIC_SEQ_CST) != NULL;
}
/* Requests for a thread (SoftMmu.requests); any thread. */
enum { PENDING_SOFT = 4 };
static inline void engine_request(CpuHead *cpu)
{
    __atomic_or_fetch(&cpu->pending, PENDING_SOFT, __ATOMIC_SEQ_CST);
}

/* Around fork: before (takes the locks), after in the parent, after in the child (own copy of code memory). */
void engine_fork_prepare(Engine *e);
void engine_fork_parent(Engine *e);
int engine_fork_child(Engine *e, CpuHead *cpu);

/* Writes the counters to the log when -d stats is on; at the process's exit. */
void engine_log_stats(const Engine *e);

/* Is this address armx's own code memory (for hiding it in maps)? */
bool engine_owns(const Engine *e, const void *addr);

#endif
