/* t_cache.c - translations from the cache on disk are, byte by byte, what a translation made there would be; and what is no
 * longer right is not taken.
 *
 * The guest code is a library's: that of the cross compiler's libc, mapped at one address, kept, and taken again by another
 * engine at another address. What is taken is compared with a new translation made in the same place of code memory.
 */
#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/tb.h"
#include "cpu.h"

static const char libc[] = "/usr/aarch64-linux-gnu/lib/libc.so.6";
enum { FAR = 64 << 20 /* least distance of the two places */, TABLES = 256 * 1024 /* and headers, before the code */ };

static uint8_t *code, *end, *hole, *hole_end; /* no code in the hole */
static char folder[64], file[128];

static const uint8_t *fetch(Space *s, Gva pc, uint32_t *avail)
{
    const uint8_t *p = (const uint8_t *)pc.v;
    (void)s;
    *avail = p >= code && p < end && (p < hole || p >= hole_end) ? 4096 - (uint32_t)(pc.v % 4096) : 0;
    return *avail ? p : NULL;
}

static const uint8_t *kept(Space *s, Gva pc)
{
    uint32_t avail;
    return fetch(s, pc, &avail);
}

static Space space = {.fetch = fetch, .kept = kept};

/* Maps the executable part of the library; false when there is no such library here. */
static bool map_code(void)
{
    int fd = open(libc, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        return false;
    }
    uint8_t *p = mmap(NULL, (size_t)st.st_size + FAR, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    cr_assert_neq(p, MAP_FAILED);
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)p;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(p + eh->e_phoff);
    for (unsigned k = 0; k < eh->e_phnum; k++) {
        if (ph[k].p_type == PT_LOAD && ph[k].p_flags & PF_X) {
            code = p + ALIGN_UP(ph[k].p_offset, 4096) + TABLES;
            end = p + ALIGN_DOWN(ph[k].p_offset + ph[k].p_filesz, 4096);
        }
    }
    return code < end;
}

static Engine *engine(const char *model)
{
    EngineConfig cfg = {.fe = &a64_frontend, .cpu_model = a64_model(model), .space = &space, .cache_dir = folder, .loops = true,
                        .cache_model = (uint64_t)(a64_model(model) == a64_model(NULL))};
    Engine *e = engine_new(&cfg);
    cr_assert(e);
    return e;
}

static CpuA64 *cpu(Engine *e)
{
    CpuA64 *c = aligned_alloc(64, ALIGN_UP(sizeof *c, 64));
    memset(c, 0, sizeof *c);
    cr_assert_eq(engine_cpu_init(e, &c->h), 0);
    return c;
}

static void begin(void)
{
    strcpy(folder, "/tmp/armx-t_cache-XXXXXX");
    cr_assert(mkdtemp(folder));
    if (!map_code()) {
        cr_skip_test("no cross libc");
    }
}

/* The one file in the folder. */
static void name_file(void)
{
    char command[128];
    snprintf(command, sizeof command, "ls %s/tb-*", folder);
    FILE *f = popen(command, "r");
    cr_assert(f && fgets(file, sizeof file, f));
    pclose(f);
    file[strcspn(file, "\n")] = 0;
}

static void finish(void)
{
    if (*folder) {
        char command[128];
        snprintf(command, sizeof command, "rm -rf %s", folder);
        cr_assert_eq(system(command), 0);
    }
}

/* Translates everything from start to `to`; each region begins where the one before ended. */
static void translate(Engine *e, CpuA64 *c, const uint8_t *start, const uint8_t *to)
{
    for (uint64_t pc = (uint64_t)start; pc < (uint64_t)to;) {
        Tb *tb = engine_translate(e, &c->h, pc, c->h.key, pc);
        pc += tb->nbytes ? tb->nbytes : 4;
    }
}

static void compare(const Tb *a, const Tb *b, const uint8_t *code_a)
{
    cr_assert(a->pc == b->pc && a->key == b->key && a->at == b->at && a->nbytes == b->nbytes && a->size == b->size &&
              a->ninsns == b->ninsns && a->nexits == b->nexits && a->nfaults == b->nfaults && a->before == b->before &&
              a->unshared == b->unshared && a->tier == b->tier, "at %#lx", (long)(a->pc - (uint64_t)code));
    cr_assert_eq(memcmp(code_a, b->entry, a->size), 0, "host code at %#lx", (long)(a->pc - (uint64_t)code));
}

TestSuite(cache, .init = begin, .fini = finish, .timeout = 120);

/* A chunk whose next region begins with a line of the host's: no exit needs other padding than elsewhere. */
static CodeChunk *chunk(Engine *e, CpuA64 *c)
{
    CodeChunk *ch = engine_take_chunk(e, &c->h);
    ch->code = (uint8_t *)ALIGN_UP((uintptr_t)ch->code, 64);
    return ch;
}

/* A new translation, or NULL: the chunk is full. */
static Tb *compile(Engine *e, CodeChunk *ch, uint64_t pc, uint64_t key)
{
    static uint8_t work[WORK_BYTES] __attribute__((aligned(64)));
    const size_t ir = ALIGN_UP(sizeof(IrIns) * IR_CAP, 64);
    IrRegion r;
    e->fe->translate(e->cfg.cpu_model, &space, gva(pc), key, REGION_INSNS, &r, (IrIns *)work, IR_CAP);
    r.key = key;
    Tb *tb = target_compile(e, ch, &r, work + ir, WORK_BYTES - ir);
    cr_assert_neq(tb, TB_TOO_BIG);
    if (tb) {
        tb->at = pc;
    }
    return tb;
}

static unsigned keep_all(const char *model)
{
    Engine *e = engine(model);
    CpuA64 *c = cpu(e);
    unsigned n = 0;
    for (uint64_t pc = (uint64_t)code; pc < (uint64_t)end;) {
        CodeChunk *ch = chunk(e, c);
        Tb *tb = cache_load(e, ch, pc, c->h.key);
        tb = tb ? tb : compile(e, ch, pc, c->h.key);
        if (tb && ch->record) {
            cache_commit(e, ch->record);
        }
        ch->record = NULL;
        n += tb != NULL;
        pc += !tb ? 0 : tb->nbytes ? tb->nbytes : 4;
        codebuf_give(&e->code, ch, !tb);
    }
    return n;
}

/* By whole MiB: which constants the builder finds again depends on the bits below. */
static void move_code(void)
{
    size_t size = (size_t)(end - code);
    uint8_t *copy = mmap(code + ALIGN_UP(size, 1 << 20) + FAR / 2, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    cr_assert_neq(copy, MAP_FAILED);
    memcpy(copy, code, size);
    code = copy;
    end = copy + size;
}

static void moved(const char *model)
{
    enum { DATA = 64 * 1024 };
    uint8_t *data = malloc(DATA), *host = malloc(CODE_CHUNK);
    unsigned kept = keep_all(model), compared = 0;
    move_code();
    Engine *e = engine(model);
    CpuA64 *c = cpu(e);
    for (uint64_t pc = (uint64_t)code; pc < (uint64_t)end;) {
        CodeChunk *ch = chunk(e, c), was = *ch;
        Tb *tb = cache_load(e, ch, pc, c->h.key), a = {0};
        uint8_t *data_end = ch->data;
        if (tb) {
            cr_assert(data_end - (uint8_t *)tb <= DATA);
            a = *tb;
            memcpy(data, tb, (size_t)(data_end - (uint8_t *)tb));
            memcpy(host, tb->entry, tb->size);
            memset(tb, 0, (size_t)(data_end - (uint8_t *)tb));
        }
        ch->code = was.code;
        ch->data = was.data;
        Tb *made = compile(e, ch, pc, c->h.key);
        if (tb && made) {
            compare(&a, made, host);
            cr_assert_eq(memcmp(data + sizeof(Tb), made + 1, (size_t)(data_end - (uint8_t *)(made + 1))), 0, "exits or faults at %#lx",
                         (long)(pc - (uint64_t)code));
            cr_assert_eq(data_end, ch->data);
            compared++;
        }
        pc += !made ? 0 : made->nbytes ? made->nbytes : 4;
        codebuf_give(&e->code, ch, !made);
    }
    cr_assert(kept > 10000 && compared > kept - kept / 50, "%u of %u", compared, kept);
}

Test(cache, moved_code)
{
    moved(NULL);
}

Test(cache, moved_code_of_all_features)
{
    moved("max");
}

/* What the pool has is, at another address, what a translation made there would be. */
Test(cache, pool)
{
    uint8_t *data = malloc(CODE_CHUNK), *host = malloc(CODE_CHUNK);
    EngineConfig cfg = {.fe = &a64_frontend, .cpu_model = a64_model("max"), .space = &space, .loops = true};
    Engine *e = engine_new(&cfg);
    CpuA64 *c = cpu(e);
    uint8_t *first = code, *last = end;
    unsigned all = 0, found = 0, twins = 0;
    move_code();
    end = code + (last - first);
    hole = last;
    hole_end = code;
    code = first; /* both places are there */
    e->pool = pool_open(e);
    cr_assert(e->pool);
    uint64_t by = (uint64_t)(end - last);
    for (uint64_t pc = (uint64_t)first; pc < (uint64_t)last; all++) {
        CodeChunk *ch = chunk(e, c);
        Tb *tb = compile(e, ch, pc, c->h.key), a = {0};
        pc += !tb ? 0 : tb->nbytes ? tb->nbytes : 4;
        ch->code = (uint8_t *)ALIGN_UP((uintptr_t)ch->code, 64);
        CodeChunk was = *ch;
        Tb *again = tb ? pool_load(e, e->pool, ch, tb->pc + by, c->h.key) : NULL;
        size_t bytes = again ? (size_t)(ch->data - (uint8_t *)again) : 0;
        if (again) {
            a = *again;
            memcpy(data, again, bytes);
            memcpy(host, again->entry, again->size);
            memset(again, 0, bytes);
            ch->code = was.code;
            ch->data = was.data;
            Tb *made = compile(e, ch, a.pc, c->h.key);
            bool same = made && made->size == a.size && made->before == a.before && made->nbytes == a.nbytes;
            twins += made && !same; /* the same bytes, but they jump to others: what is known of flags there differs */
            if (same) {
                compare(&a, made, host);
                cr_assert_eq(memcmp(data + sizeof(Tb), made + 1, bytes - sizeof(Tb)), 0, "exits or faults");
                found++;
            }
        }
        codebuf_give(&e->code, ch, !tb);
    }
    cr_assert(found > all / 8 && twins < found / 20, "%u of %u, %u twins", found, all, twins);
}

/* How many regions of the code's begin an engine takes from the cache. */
static unsigned taken(const char *model, size_t bytes)
{
    Engine *e = engine(model);
    translate(e, cpu(e), code, code + bytes);
    return e->cache ? (unsigned)e->stats.kept : 0;
}

Test(cache, changed_code)
{
    enum { BYTES = 64 * 1024 };
    cr_assert_lt(taken(NULL, BYTES), 10); /* there are twins */
    unsigned all = taken(NULL, BYTES);
    cr_assert_gt(all, 100);
    memcpy(code + 4096, (uint32_t[]){0xd503201f, 0xd503201f}, 8);
    unsigned now = taken(NULL, BYTES);
    cr_assert(now < all && now + 8 > all);
    cr_assert_eq(taken("max", BYTES), 0, "another CPU has another file");
}

Test(cache, shared_memory)
{
    taken(NULL, 4096);
    Engine *e = engine(NULL);
    CpuA64 *c = cpu(e);
    engine_share(e); /* is part of the key */
    translate(e, c, code, code + 4096);
    cr_assert_eq(e->stats.kept, 0);
}

Test(cache, bad_files)
{
    enum { BYTES = 16 * 1024 };
    taken(NULL, BYTES);
    cr_assert_gt(taken(NULL, BYTES), 10);
    name_file();
    /* each byte of the first records changed: they are not taken, or changed where it does not matter */
    int fd = open(file, O_RDWR);
    struct stat st;
    cr_assert(fstat(fd, &st) == 0);
    size_t size = (size_t)st.st_size;
    uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq(p, MAP_FAILED);
    size_t records = 4096 + (4u << 18);
    unsigned before = taken(NULL, BYTES);
    uint32_t bytes; /* of the first record; its last are compared with nothing */
    memcpy(&bytes, p + records, sizeof bytes);
    p[records + bytes - 20] ^= 1;
    cr_assert_eq(taken(NULL, BYTES), before - 1, "a wrong sum");
    for (size_t k = 4096; k < records; k++) {
        p[k] ^= (uint8_t)(k * 37 >> 3); /* numbers of anything */
    }
    taken(NULL, BYTES);
    memset(p + 4096, 0xff, records - 4096);
    cr_assert(taken(NULL, BYTES) < before);
    munmap(p, size);
    /* shorter than its head says: replaced */
    cr_assert_eq(ftruncate(fd, (off_t)size / 2), 0);
    cr_assert_eq(taken(NULL, BYTES), 0);
    cr_assert_gt(taken(NULL, BYTES), 10);
    close(fd);
    cr_assert_eq(truncate(file, 100), 0);
    cr_assert_eq(taken(NULL, BYTES), 0);
    cr_assert_gt(taken(NULL, BYTES), 10);
    /* others may write to it: replaced; to the folder: not used */
    cr_assert_eq(chmod(file, 0666), 0);
    cr_assert_eq(taken(NULL, BYTES), 0);
    cr_assert_gt(taken(NULL, BYTES), 10);
    cr_assert_eq(chmod(folder, 0777), 0);
    cr_assert_eq(taken(NULL, BYTES), 0);
    cr_assert_eq(taken(NULL, BYTES), 0);
    cr_assert_eq(chmod(folder, 0700), 0);
    cr_assert_gt(taken(NULL, BYTES), 10);
    /* a link to elsewhere is not followed */
    char other[160];
    snprintf(other, sizeof other, "%s-", file);
    cr_assert_eq(rename(file, other), 0);
    cr_assert_eq(symlink(other, file), 0);
    cr_assert_eq(taken(NULL, BYTES), 0);
}

Test(cache, old_files)
{
    char old[128], recent[128];
    snprintf(old, sizeof old, "%s/tb-1", folder);
    snprintf(recent, sizeof recent, "%s/tb-2", folder);
    close(open(old, O_CREAT | O_WRONLY, 0600));
    close(open(recent, O_CREAT | O_WRONLY, 0600));
    const struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    cr_assert_eq(utimensat(AT_FDCWD, old, times, 0), 0);
    engine(NULL);
    cr_assert_neq(access(old, F_OK), 0);
    cr_assert_eq(access(recent, F_OK), 0);
}

Test(cache, two_writers)
{
    enum { BYTES = 256 * 1024, WRITERS = 4 };
    pid_t pids[WRITERS];
    engine(NULL); /* makes the file */
    for (unsigned k = 0; k < WRITERS; k++) {
        pids[k] = fork();
        if (!pids[k]) {
            taken(NULL, BYTES);
            _exit(0);
        }
    }
    for (unsigned k = 0; k < WRITERS; k++) {
        int status;
        cr_assert(waitpid(pids[k], &status, 0) == pids[k] && status == 0);
    }
    unsigned now = taken(NULL, BYTES), again = taken(NULL, BYTES);
    cr_assert_gt(now, 1000);
    cr_assert_eq(now, again);
}
