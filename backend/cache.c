/* cache.c - translations kept on disk, so that a program's next start need not translate again.
 *
 * One file per armx, configuration and kind of processor (their hash is in its name and its head), shared by all programs and
 * by all processes at once: mapped shared, records are appended in place, nothing is written at exit.
 * A record is one region: guest bytes, host code, exits, faults, recipes. It is found by what it was made of, the state
 * key, the place within the page and the guest bytes, which are compared one by one: no name, date or inode of any file matters,
 * and code that has changed is simply not found. The guest's address need not be the same: notes say what moves (cache.h).
 *
 * Room is taken by an atomic addition to Head.used; a record is complete, with a sum, before its number is put into the table, by
 * compare and swap. Nothing in the table changes again. A record whose writer died is not in it; one that never reached the disk has
 * a wrong sum. The file has its disk space before it is used (Head.limit), so that a full disk is no SIGBUS. It grows when
 * it is opened; a full one is replaced by an empty one. Who makes a new one removes those that are old.
 * Not trusted: a file, or a folder, that is not this user's own or that others may write to.
 * What cannot be kept: see may_keep, and BOUND_HOST. Regions of the second tier are not.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "record.h"

enum {
    SLOT_BITS = 18,
    PROBES = 64,             /* slots from its first one on, in one of which a record is */
    NUMBER_BITS = 24,        /* of a record, in units; above it are bits of its hash */
    STEP = 32 << 20,         /* the file grows by this much */
    WINDOW_BITS = 16,        /* the kernel maps so much of a file at once (fault_around_bytes) */
    WINDOWS_MAX = 24,
    AHEAD = 64 * 1024,       /* pages for new records come in runs */
    CACHE_BYTES = 128 << 20  /* of address space, and at most on disk */
};

typedef struct Head {
    char magic[16];
    uint64_t name;           /* what it is for */
    uint64_t used, limit;    /* bytes; records fit below limit */
    uint32_t slots[1 << SLOT_BITS] __attribute__((aligned(4096))); /* by hash; 0 = none */
} Head;
static const char magic[16] = "armx-cache-0005";

struct TbCache {
    Head *head;
    bool writable;
    uint64_t next;     /* where the record after the last one found is: a program's next start asks in the same order */
    uint64_t ready;    /* new records up to there have their pages */
    unsigned nwindows; /* of the file, that were touched since all were given back */
    uint64_t windows[(CACHE_BYTES >> WINDOW_BITS) / 64];
};

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* -- records ------------------------------------------------------------------------------------------------ */

/* Four sums side by side, because a multiplication takes long. */
static uint64_t sum_of(const Record *r)
{
    const uint64_t *p = &r->hash, *end = (const uint64_t *)((const uint8_t *)r + r->bytes);
    uint64_t s[4] = {1, 2, 3, 4};
    for (; p + 4 <= end; p += 4) {
        for (unsigned k = 0; k < 4; k++) {
            s[k] = (s[k] ^ p[k]) * 0x9e3779b97f4a7c15u;
            s[k] ^= s[k] >> 29;
        }
    }
    for (; p < end; p++) {
        s[0] = record_mix(s[0], *p);
    }
    return record_mix(record_mix(record_mix(s[0], s[1]), s[2]), s[3]);
}

/* What a region is found by: its first instructions, where in the page they are, the state. */
static uint64_t hash_of(uint64_t pc, uint64_t key, const uint8_t *code)
{
    uint64_t first = 0;
    memcpy(&first, code, pc % 4096 == 4092 ? 4 : 8);
    return record_mix(record_mix(record_mix(0, pc % 4096), key), first);
}

static uint32_t *slot_of(Head *h, uint64_t hash, unsigned n)
{
    return &h->slots[((hash >> (64 - SLOT_BITS)) + n) % (1u << SLOT_BITS)];
}

/* Tells most other records with the same slot apart, without a look at them. */
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)hash << NUMBER_BITS;
}

static bool may_keep(const Engine *e, uint64_t pc, uint64_t key)
{
    const Space *s = e->cfg.space;
    return s->kept && !s->stop_at && !s->critical && !(pc & 3) && !(key & KEY_ONE_INSN);
}

/* Something at that place of the file will be touched. Pages are given back soon, for they count as this process's memory. Threads
 * that race here count badly, no more. */
static void touch(TbCache *c, uint64_t at)
{
    uint64_t window = at >> WINDOW_BITS, *word = &c->windows[window / 64], was = __atomic_load_n(word, __ATOMIC_RELAXED);
    if (was >> window % 64 & 1) {
        return;
    }
    unsigned n = __atomic_load_n(&c->nwindows, __ATOMIC_RELAXED) + 1;
    if (n > WINDOWS_MAX) {
        madvise(c->head + 1, CACHE_BYTES - sizeof(Head), MADV_DONTNEED); /* what was written stays written */
        memset(c->windows, 0, sizeof c->windows);
        c->ready = 0;
        was = 0;
        n = 1;
    }
    __atomic_store_n(word, was | (uint64_t)1 << window % 64, __ATOMIC_RELAXED);
    __atomic_store_n(&c->nwindows, n, __ATOMIC_RELAXED);
}

/* -- keeping --------------------------------------------------------------------------------------------------- */

static Record *take_room(TbCache *c, size_t bytes)
{
    Head *h = c->head;
    uint64_t used = __atomic_load_n(&h->used, __ATOMIC_RELAXED);
    do {
        if (used + bytes > h->limit) {
            return NULL;
        }
    } while (!__atomic_compare_exchange_n(&h->used, &used, used + bytes, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    touch(c, used);
    uint8_t *r = (uint8_t *)h + used;
    if (used + bytes > c->ready || used + AHEAD < c->ready) { /* in one piece is cheaper than page by page */
        uint64_t end = used + AHEAD < h->limit ? used + AHEAD : h->limit;
        c->ready = end;
        madvise((void *)ALIGN_DOWN((uintptr_t)r, 4096), (size_t)(end - ALIGN_DOWN(used, 4096)), MADV_POPULATE_WRITE);
    }
    return (Record *)r;
}

void *cache_record(Engine *e, const CodeChunk *ch, Made *m)
{
    TbCache *c = e->cache;
    const Tb *tb = m->tb;
    if (!c->writable || m->nnotes > NOTES || m->bound & BOUND_HOST || (m->bound && tb->pc >= MOVABLE) || !may_keep(e, tb->pc, m->key)) {
        return NULL;
    }
    m->guest = ch->kept == tb->pc ? e->cfg.space->kept(e->cfg.space, gva(tb->pc)) : NULL;
    if (!m->guest) {
        return NULL;
    }
    Record r = record_head(e, m);
    r.hash = hash_of(tb->pc, m->key, m->guest);
    Record *to = take_room(c, r.bytes);
    if (to) {
        record_fill(e, to, &r, m);
        to->sum = sum_of(to);
    }
    return to;
}

void cache_commit(Engine *e, void *record)
{
    const Record *r = record;
    Head *h = e->cache->head;
    uint32_t value = (uint32_t)(((const uint8_t *)r - (const uint8_t *)h) / RECORD_UNIT) | tag_of(r->hash);
    for (unsigned n = 0; n < PROBES; n++) {
        uint32_t *slot = slot_of(h, r->hash, n), none = 0;
        if (!__atomic_load_n(slot, __ATOMIC_RELAXED) &&
            __atomic_compare_exchange_n(slot, &none, value, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            return;
        }
    }
}

/* -- using ----------------------------------------------------------------------------------------------------- */

static Record *record_at(TbCache *c, uint64_t at, uint64_t limit)
{
    Record *r = (Record *)((uint8_t *)c->head + at);
    if (at < sizeof(Head) || at + sizeof *r > limit) {
        return NULL;
    }
    touch(c, at);
    return r->bytes >= sizeof *r && at + r->bytes <= limit ? r : NULL;
}

/* Is r, whose hash fits, what a translation of the code at pc would make? */
static bool same(Record *r, uint64_t pc, uint64_t key, const uint8_t *guest, uint8_t page)
{
    uint64_t in_page = pc % 4096;
    if (r->key != key || r->pc % 4096 != in_page || r->page != page || (r->bound && r->pc != pc) || (!r->bound && pc < MOVABLE) ||
        r->before > in_page || r->nbytes > 4096 - in_page || record_parts(r).end != (uint8_t *)r + r->bytes) {
        return false;
    }
    return memcmp(r + 1, guest - r->before, r->before + r->nbytes) == 0 && sum_of(r) == r->sum;
}

static Record *find(Engine *e, uint64_t pc, uint64_t key, const uint8_t *guest)
{
    TbCache *c = e->cache;
    uint64_t h = hash_of(pc, key, guest), limit = c->head->limit < CACHE_BYTES ? c->head->limit : CACHE_BYTES;
    uint64_t at = __atomic_load_n(&c->next, __ATOMIC_RELAXED);
    Record *r = record_at(c, at, limit);
    uint8_t page = record_page(e, pc);
    bool found = r && r->hash == h && same(r, pc, key, guest, page);
    for (unsigned n = 0; !found && n < PROBES; n++) {
        uint32_t value = __atomic_load_n(slot_of(c->head, h, n), __ATOMIC_ACQUIRE);
        if (!value) {
            break;
        }
        if ((value ^ tag_of(h)) >> NUMBER_BITS == 0) {
            at = (uint64_t)(value & ((1u << NUMBER_BITS) - 1)) * RECORD_UNIT;
            r = record_at(c, at, limit);
            found = r && r->hash == h && same(r, pc, key, guest, page);
        }
    }
    if (!found) {
        return NULL;
    }
    __atomic_store_n(&c->next, at + r->bytes, __ATOMIC_RELAXED);
    return r;
}

Tb *cache_load(Engine *e, CodeChunk *ch, uint64_t pc, uint64_t key)
{
    Space *s = e->cfg.space;
    uint64_t whole = record_key(e, key);
    const uint8_t *guest = may_keep(e, pc, whole) ? s->kept(s, gva(pc)) : NULL;
    Record *r = guest ? find(e, pc, whole, guest) : NULL;
    ch->kept = guest ? pc : 0;
    if (!r || record_marked(e, r, pc)) {
        return NULL;
    }
    const uint64_t *described = record_parts(r).described;
    for (unsigned k = 0; k < r->ndescribed && s->described; k++) {
        s->described(s, gva(pc + described[k]));
    }
    return s->critical ? NULL : record_place(e, ch, r, pc, key);
}

/* -- the file -------------------------------------------------------------------------------------------------- */

/* The linker's number of this armx, mixed into h; 0 when it has none. */
static uint64_t build_id(uint64_t h)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)__ehdr_start;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(__ehdr_start + eh->e_phoff);
    for (unsigned k = 0; k < eh->e_phnum; k++) {
        const uint8_t *p = (const uint8_t *)__ehdr_start + ph[k].p_vaddr, *end = p + ph[k].p_memsz;
        while (ph[k].p_type == PT_NOTE && p + sizeof(Elf64_Nhdr) < end) {
            const Elf64_Nhdr *n = (const Elf64_Nhdr *)p;
            const uint8_t *desc = p + sizeof *n + ALIGN_UP(n->n_namesz, 4);
            if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && n->n_descsz >= 16) {
                for (unsigned b = 0; b < n->n_descsz; b++) {
                    h = record_mix(h, desc[b]);
                }
                return h ? h : 1;
            }
            p = desc + ALIGN_UP(n->n_descsz, 4);
        }
    }
    return 0;
}

static uint64_t name_of(const Engine *e)
{
    uint64_t h = build_id(0);
    return h ? record_mix(record_mix(record_mix(record_mix(record_mix(h, e->cfg.cache_model), e->cfg.no_opt), e->cfg.loops), e->code.size), target_kind(e)) : 0;
}

/* This user's, and nobody else writes there. */
static bool ours(int fd, mode_t type, struct stat *st)
{
    return fstat(fd, st) == 0 && (st->st_mode & S_IFMT) == type && st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Has the file `bytes` bytes of disk space, from `from` on? */
static bool extend(int fd, uint64_t from, uint64_t bytes)
{
    struct rlimit lim;
    return bytes <= CACHE_BYTES && getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur >= bytes &&
           fallocate(fd, 0, (off_t)from, (off_t)(bytes - from)) == 0;
}

/* Removes files that nobody has written to for a month: most are another armx's, which is not there any more. */
static void clean(int dir)
{
    enum { MONTH = 30 * 24 * 3600 };
    DIR *d = fdopendir(dup(dir));
    struct stat st;
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
        if (!strncmp(entry->d_name, "tb-", 3) && fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            st.st_mtime < time(NULL) - MONTH) {
            unlinkat(dir, entry->d_name, 0);
        }
    }
    if (d) {
        closedir(d);
    }
}

/* A new, empty file under that name, in one step. */
static int create(int dir, const char *name, uint64_t id)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, "%s.%d", name, (int)getpid());
    clean(dir);
    int fd = openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    Head h = {.name = id, .used = ALIGN_UP(sizeof h, RECORD_UNIT), .limit = ALIGN_UP(sizeof h, STEP)};
    memcpy(h.magic, magic, sizeof magic);
    if (!extend(fd, 0, h.limit) || pwrite(fd, &h, offsetof(Head, slots), 0) != (ssize_t)offsetof(Head, slots) ||
        renameat(dir, temporary, dir, name) < 0) {
        unlinkat(dir, temporary, 0);
        close(fd);
        return -1;
    }
    return fd;
}

static Head *map(int fd, bool writable)
{
    struct stat st;
    if (!ours(fd, S_IFREG, &st) || (uint64_t)st.st_size < sizeof(Head)) {
        return NULL;
    }
    Head *h = mmap(NULL, CACHE_BYTES, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (h == MAP_FAILED) {
        return NULL;
    }
    if (memcmp(h->magic, magic, sizeof magic) || h->limit > (uint64_t)st.st_size || h->used > h->limit || h->used < sizeof(Head)) {
        munmap(h, CACHE_BYTES);
        return NULL;
    }
    madvise(h, CACHE_BYTES, MADV_DONTDUMP);
    return h;
}

/* More room when little is left. False: the file is full. */
static bool grow(int fd, Head *h)
{
    uint64_t limit = __atomic_load_n(&h->limit, __ATOMIC_RELAXED), more = limit + STEP;
    if (limit - __atomic_load_n(&h->used, __ATOMIC_RELAXED) > STEP / 2) {
        return true;
    }
    if (more > CACHE_BYTES) {
        return false;
    }
    if (extend(fd, limit, more)) {
        while (limit < more && !__atomic_compare_exchange_n(&h->limit, &limit, more, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        }
    }
    return true;
}

static Head *open_in(int dir, uint64_t id, bool *writable)
{
    char name[32];
    struct rlimit lim;
    snprintf(name, sizeof name, "tb-%016llx", (unsigned long long)id);
    if (getrlimit(RLIMIT_AS, &lim) < 0 || lim.rlim_cur != RLIM_INFINITY) {
        return NULL; /* the address space is scarce */
    }
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *writable = fd >= 0;
    if (fd < 0) {
        fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    }
    Head *h = fd < 0 ? NULL : map(fd, *writable);
    bool good = h && h->name == id && (!*writable || grow(fd, h));
    if (!good && (fd < 0 ? errno == ENOENT : *writable)) { /* none, or of no use any more */
        if (h) {
            munmap(h, CACHE_BYTES);
        }
        close(fd);
        fd = create(dir, name, id);
        h = fd < 0 ? NULL : map(fd, true);
        *writable = good = h != NULL;
    }
    close(fd);
    return good ? h : NULL;
}

/* The folder; made when there is the one that it or its parent is to be in. */
static int open_folder(const char *path)
{
    enum { HOW = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
    int fd = open(path, HOW);
    const char *last = strrchr(path, '/');
    if (fd < 0 && errno == ENOENT) {
        char parent[4096];
        if (last && last > path && last - path < (ptrdiff_t)sizeof parent) {
            memcpy(parent, path, (size_t)(last - path));
            parent[last - path] = 0;
            mkdir(parent, 0700);
        }
        mkdir(path, 0700);
        fd = open(path, HOW);
    }
    return fd;
}

TbCache *cache_open(const Engine *e)
{
    uint64_t id = e->cfg.cache_dir && !e->cfg.soft && !e->cfg.max_insns && !e->cfg.one_insn ? name_of(e) : 0;
    if (!id || (uintptr_t)__ehdr_start < MOVABLE) {
        return NULL;
    }
    struct stat st;
    int dir = open_folder(e->cfg.cache_dir);
    TbCache *c = dir >= 0 && ours(dir, S_IFDIR, &st) ? calloc(1, sizeof *c) : NULL;
    if (c) {
        c->head = open_in(dir, id, &c->writable);
    }
    close(dir);
    if (c && !c->head) {
        free(c);
        c = NULL;
    }
    return c;
}
