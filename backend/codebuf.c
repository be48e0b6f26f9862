/* codebuf.c - code memory: one memory object mapped twice, lent to compiling threads in chunks.
 *
 * Layout of the reservation:  [ code, rx | data, private rw ]  and, elsewhere, [ code, rw ]. Translated code
 * reaches its data (Exits) relative to rip. No page is ever writable and executable in the same mapping.
 * A full chunk whose regions have all been removed is used again (codebuf_reuse).
 * fork: the memory object is shared by both processes from then on, and neither writes to it any more. At its first write
 * a process maps a new object as its rw view; a block is copied there, and rx remapped, when something in it is to be
 * written (codebuf_writable). Threads that run there meanwhile see the same bytes under the same addresses. So rx
 * becomes a mosaic of objects; when it has many pieces, or no mapping is left for one more, all is copied into one again.
 * For the latter there is the reserve: pages that the kernel counts as mappings of their own, given up when the guest has
 * used up all the others, and taken again as soon as the mosaic is one piece.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tb.h"

/* A memory object, mapped rw at `at` or anywhere; MAP_FAILED. It has a name for /proc and perf, unless the limit on file
 * sizes (ulimit -f) forbids: then a shared mapping without a file does. */
static void *object(void *at, size_t size)
{
    struct rlimit lim;
    bool named = getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur >= size;
    int fd = named ? memfd_create("armx-code", MFD_CLOEXEC) : -1;
    if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
        close(fd);
        fd = -1;
    }
    void *p = mmap(at, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | (at ? MAP_FIXED : 0) | (fd < 0 ? MAP_ANONYMOUS | MAP_NORESERVE : 0), fd, 0);
    if (fd >= 0) {
        close(fd);
    }
    return p;
}

/* More than what mremap wants to be free (6 in Linux 6.18), one that mmap may go beyond the limit, and the copy. */
enum { RESERVE_PAGES = 12, RESERVE_BYTES = RESERVE_PAGES * 4096 };

/* As far as mappings are left. */
static void reserve(CodeBuf *c)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (c->reserve ? MAP_FIXED_NOREPLACE : 0);
    uint8_t *p = mmap(c->reserve, RESERVE_BYTES, PROT_NONE, flags, -1, 0);
    if (p != MAP_FAILED) {
        c->reserve = p;
        for (unsigned k = 1; k < RESERVE_PAGES && mprotect(p + 4096 * k, 4096, PROT_READ) == 0; k += 2) {
        }
    }
}

int codebuf_init(CodeBuf *c, size_t size)
{
    c->size = ALIGN_UP(size, CODE_CHUNK) + STUB_BYTES;
    c->rx = mmap(NULL, 2 * c->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->rx == MAP_FAILED) {
        return -errno;
    }
    c->data = c->rx + c->size;
    void *rw = object(NULL, c->size);
    if (rw == MAP_FAILED || mremap(rw, 0, c->size, MREMAP_MAYMOVE | MREMAP_FIXED, c->rx) == MAP_FAILED ||
        mprotect(c->rx, c->size, PROT_READ | PROT_EXEC) < 0) {
        return -errno;
    }
    c->rw = rw;
    if (mmap(c->data, c->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED) {
        return -errno;
    }
    reserve(c);
    c->nchunks = (uint32_t)((c->size - STUB_BYTES) / CODE_CHUNK);
    c->used = 0;
    c->chunks = calloc(c->nchunks, sizeof *c->chunks);
    c->own = calloc(c->size / CODE_BLOCK / 64 + 1, sizeof *c->own);
    return c->chunks && c->own ? 0 : -ENOMEM;
}

static void take_blocks(CodeBuf *c, const uint8_t *at, size_t len, bool keep);

static bool owned(const CodeBuf *c, size_t block)
{
    return c->own[block / 64] >> block % 64 & 1;
}

/* Where a chunk goes on after a fork: not in a block that would have to be copied. */
static uint8_t *new_block(const CodeBuf *c, uint8_t *code)
{
    size_t off = (size_t)(code - c->rw);
    return off % CODE_BLOCK && (c->old_rw || !owned(c, off / CODE_BLOCK)) ? c->rw + ALIGN_UP(off, CODE_BLOCK) : code;
}

CodeChunk *codebuf_take(Engine *e)
{
    CodeBuf *c = &e->code;
    engine_lock(e);
    CodeChunk *ch = c->idle;
    if (ch) {
        c->idle = ch->next;
    } else if (c->used < c->nchunks) {
        size_t off = STUB_BYTES + (size_t)c->used * CODE_CHUNK;
        ch = &c->chunks[c->used];
        uint8_t *code_ready = ch->code_ready, *data_ready = ch->data_ready; /* of before a flush: its pages stay */
        *ch = (CodeChunk){.code = c->rw + off, .code_end = c->rw + off + CODE_CHUNK, .data = c->data + off,
                          .data_end = c->data + off + CODE_CHUNK, .tbs = (Tb **)(c->data + off + CODE_CHUNK),
                          .code_ready = code_ready ? code_ready : c->rw + off, .data_ready = data_ready ? data_ready : c->data + off};
        __atomic_store_n(&c->used, c->used + 1, __ATOMIC_RELEASE);
    }
    if (engine_alone(e)) {
        c->taken += ch != NULL;
    } else {
        __atomic_store_n(&c->taken, c->taken + (ch != NULL), __ATOMIC_SEQ_CST);
    }
    if (ch && UNLIKELY(c->shared)) {
        ch->code = new_block(c, ch->code);
        take_blocks(c, ch->code, (size_t)(ch->code_end - ch->code), false);
    }
    engine_unlock(e);
    return ch;
}

static uint8_t *ahead(const uint8_t *next, uint8_t *ready, uint8_t *end)
{
    while (next + CODE_AHEAD / 4 > ready && ready < end) {
        size_t n = (size_t)(end - ready) < CODE_AHEAD ? (size_t)(end - ready) : CODE_AHEAD;
        madvise(ready, n, MADV_POPULATE_WRITE); /* an old kernel refuses: then they come one by one */
        ready += n;
    }
    return ready;
}

void codebuf_ahead(CodeChunk *ch)
{
    ch->code_ready = ahead(ch->code, ch->code_ready, ch->code_end);
    ch->data_ready = ahead(ch->data, ch->data_ready, ch->data_end);
}

void codebuf_give(CodeBuf *c, CodeChunk *ch, bool full)
{
    __atomic_store_n(&c->taken, c->taken - 1, __ATOMIC_RELEASE);
    ch->full = full;
    if (!full) {
        ch->next = c->idle;
        c->idle = ch;
    } else {
        c->dead += ch->live == 0;
    }
}

/* Does the return stack lead into the chunk's code? */
static bool returns_to(const CodeBuf *c, const CodeChunk *ch, const CpuHead *cpu)
{
    const uint8_t *start = c->rx + STUB_BYTES + (size_t)(ch - c->chunks) * CODE_CHUNK;
    for (const uint8_t *const *sp = cpu->ret_sp; (const void *)sp < cpu->ret_base; sp++) {
        if (*sp >= start && *sp < start + CODE_CHUNK) {
            return true;
        }
    }
    return false;
}

/* Empties a dead chunk. Whoever holds an Exit sees engine_flushes change. */
static void reuse(Engine *e, CodeChunk *ch)
{
    CodeBuf *c = &e->code;
    size_t off = STUB_BYTES + (size_t)(ch - c->chunks) * CODE_CHUNK;
    for (uint32_t k = 0; k < ch->ntbs; k++) {
        Tb *tb = ch->tbs[-1 - (int)k];
        for (unsigned n = 0; n < tb->nexits; n++) {
            if (tb->exits[n].to) {
                tb_unlink(e, &tb->exits[n]);
            }
        }
    }
    __atomic_store_n(&ch->ntbs, 0, __ATOMIC_RELEASE);
    ch->code = c->rw + off;
    ch->data = c->data + off;
    ch->full = false;
    ch->next = c->idle;
    c->idle = ch;
    c->dead--;
    __atomic_store_n(&c->reused, c->reused + 1, __ATOMIC_RELAXED);
}

void codebuf_reuse(Engine *e, const CpuHead *cpu)
{
    CodeBuf *c = &e->code;
    engine_lock(e);
    bool may = c->dead && !c->idle && !c->shared && !e->cfg.soft && e->ncpus == 1 && e->cpus[0] == cpu;
    for (uint32_t k = 0; may && k < c->used; k++) {
        CodeChunk *ch = &c->chunks[k];
        if (ch->full && !ch->live && !returns_to(c, ch, cpu)) {
            reuse(e, ch);
            break;
        }
    }
    engine_unlock(e);
}

void codebuf_reset(CodeBuf *c)
{
    c->used = c->dead = 0;
    c->idle = NULL;
    if (c->shared) {
        take_blocks(c, c->rw, STUB_BYTES, true);
        take_blocks(c, c->rw + STUB_BYTES, c->size - STUB_BYTES, false);
        c->shared = false;
        c->pieces = 0;
    }
}

/* -- after a fork ------------------------------------------------------------------------------------------- */

enum { PIECES_MAX = 64, /* of the mosaic */ LINKS_SKIPPED = 128 };

void codebuf_forked(CodeBuf *c)
{
    c->shared = c->old_rw = true;
    c->links_skipped = 0;
    memset(c->own, 0, sizeof(uint64_t) * (c->size / CODE_BLOCK / 64 + 1));
}

/* No memory, whose limits only bind the guest, or another thread was faster to take what the reserve gave up. */
static NORETURN void cannot_go_on(void)
{
    static const char line[] = "armx-user: after fork: no memory, or no mapping left, for translated code\n";
    ssize_t n = write(STDERR_FILENO, line, sizeof line - 1);
    (void)n;
    _exit(126);
}

/* The rx view of [off, off + len) becomes that of the new object. Duplicated elsewhere and moved there in one step. */
static bool show(CodeBuf *c, size_t off, size_t len)
{
    void *p = mremap(c->rw + off, 0, len, MREMAP_MAYMOVE);
    if (p == MAP_FAILED) {
        return false;
    }
    if (mprotect(p, len, PROT_READ | PROT_EXEC) < 0 ||
        mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, c->rx + off) == MAP_FAILED) {
        munmap(p, len);
        return false;
    }
    for (size_t b = off / CODE_BLOCK; b < (off + len) / CODE_BLOCK; b++) {
        c->own[b / 64] |= (uint64_t)1 << b % 64;
    }
    c->pieces++;
    return true;
}

/* The same when no gap in the address space is as large; what the reserve leaves is enough for blocks. */
static bool show_halves(CodeBuf *c, size_t off, size_t len)
{
    if (show(c, off, len)) {
        return true;
    }
    size_t half = ALIGN_UP(len / 2, CODE_BLOCK);
    return len > CODE_BLOCK && show_halves(c, off, half) && show_halves(c, off + half, len - half);
}

static void copy(CodeBuf *c, size_t off, size_t len)
{
    size_t used = STUB_BYTES + (size_t)c->used * CODE_CHUNK, n = off < used ? used - off : 0;
    n = n < len ? n : len;
    if (n) {
        madvise(c->rw + off, n, MADV_POPULATE_WRITE);
        memcpy(c->rw + off, c->rx + off, n);
    }
}

/* The mosaic becomes one piece, which takes fewer mappings; nobody writes to blocks that are not our own. */
static void unite(CodeBuf *c)
{
    munmap(c->reserve, RESERVE_BYTES);
    for (size_t b = 0; b < c->size / CODE_BLOCK; b++) {
        if (!owned(c, b)) {
            copy(c, b * CODE_BLOCK, CODE_BLOCK);
        }
    }
    if (!show_halves(c, 0, c->size)) {
        cannot_go_on();
    }
    reserve(c);
    c->pieces = 0;
    c->shared = false;
}

/* A new object under rw; nothing of it is shown yet. */
static void begin(CodeBuf *c)
{
    if (object(c->rw, c->size) == MAP_FAILED) {
        munmap(c->reserve, RESERVE_BYTES);
        if (object(c->rw, c->size) == MAP_FAILED) {
            cannot_go_on();
        }
    }
    c->old_rw = false;
    if (c->pieces > PIECES_MAX) {
        unite(c);
    }
}

/* The blocks of [at, at + len); keep = false: what is in them is of no use. */
static void take_blocks(CodeBuf *c, const uint8_t *at, size_t len, bool keep)
{
    if (c->old_rw) {
        begin(c);
    }
    size_t b = (size_t)(at - c->rw) / CODE_BLOCK, end = ((size_t)(at - c->rw) + len - 1) / CODE_BLOCK + 1;
    while (c->shared && b < end) {
        size_t n = 0;
        while (b + n < end && !owned(c, b + n)) {
            n++;
        }
        if (n && keep) {
            copy(c, b * CODE_BLOCK, n * CODE_BLOCK);
        }
        if (n && !show(c, b * CODE_BLOCK, n * CODE_BLOCK)) {
            unite(c);
        }
        b += n + 1;
    }
}

void codebuf_writable(CodeBuf *c, const uint8_t *at)
{
    if (UNLIKELY(c->shared)) {
        take_blocks(c, at, 4, true);
    }
}

bool codebuf_links(CodeBuf *c, const uint8_t *at)
{
    if (LIKELY(!c->shared) || (!c->old_rw && owned(c, (size_t)(at - c->rw) / CODE_BLOCK))) {
        return true;
    }
    return ++c->links_skipped > LINKS_SKIPPED;
}
