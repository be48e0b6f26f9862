/* codebuf.c - code memory: one memory object mapped twice, lent to compiling threads in chunks.
 *
 * Layout of the reservation:  [ code, rx | data, private rw ]  and, elsewhere, [ code, rw ]. Translated code
 * reaches its data (Exits) relative to rip. No page is ever writable and executable in the same mapping.
 * fork: the memory object is shared by both processes, so each copies it before its first write (the lock is
 * held); threads that run there meanwhile see the same bytes under the same addresses.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tb.h"

static int object(size_t size)
{
    int fd = memfd_create("armx-code", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (ftruncate(fd, (off_t)size) < 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

static int map_views(CodeBuf *c, int fd, int fixed)
{
    void *rx = mmap(c->rx, c->size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
    void *rw = mmap(c->rw, c->size, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, fd, 0);
    if (rx == MAP_FAILED || rw == MAP_FAILED) {
        return -errno;
    }
    c->rw = rw;
    return 0;
}

int codebuf_init(CodeBuf *c, size_t size)
{
    c->size = ALIGN_UP(size, CODE_CHUNK) + STUB_BYTES;
    c->rx = mmap(NULL, 2 * c->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->rx == MAP_FAILED) {
        return -errno;
    }
    c->data = c->rx + c->size;
    c->rw = NULL;
    int fd = object(c->size);
    if (fd < 0) {
        return fd;
    }
    int r = map_views(c, fd, 0);
    close(fd);
    if (r < 0) {
        return r;
    }
    if (mmap(c->data, c->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED) {
        return -errno;
    }
    c->nchunks = (uint32_t)((c->size - STUB_BYTES) / CODE_CHUNK);
    c->used = 0;
    c->chunks = calloc(c->nchunks, sizeof *c->chunks);
    return c->chunks ? 0 : -ENOMEM;
}

CodeChunk *codebuf_take(Engine *e)
{
    CodeBuf *c = &e->code;
    engine_lock(e);
    codebuf_writable(c);
    CodeChunk *ch = c->idle;
    if (ch) {
        c->idle = ch->next;
    } else if (c->used < c->nchunks) {
        size_t off = STUB_BYTES + (size_t)c->used * CODE_CHUNK;
        ch = &c->chunks[c->used];
        *ch = (CodeChunk){.code = c->rw + off, .code_end = c->rw + off + CODE_CHUNK, .data = c->data + off,
                          .data_end = c->data + off + CODE_CHUNK, .tbs = (Tb **)(c->data + off + CODE_CHUNK),
                          .code_ready = c->rw + off, .data_ready = c->data + off};
        __atomic_store_n(&c->used, c->used + 1, __ATOMIC_RELEASE);
    }
    c->taken += ch != NULL;
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
    c->taken--;
    if (!full) {
        ch->next = c->idle;
        c->idle = ch;
    }
}

void codebuf_reset(CodeBuf *c)
{
    c->used = 0;
    c->idle = NULL;
}

void codebuf_writable(CodeBuf *c)
{
    if (LIKELY(!c->shared)) {
        return;
    }
    int fd = object(c->size);
    if (fd < 0) {
        BUG("no memory for a copy of the code after fork");
    }
    size_t used = STUB_BYTES + (size_t)c->used * CODE_CHUNK, done = 0;
    while (done < used) { /* write, not a third mapping; only what is in use */
        ssize_t n = pwrite(fd, c->rw + done, used - done, (off_t)done);
        if (n <= 0) {
            BUG("cannot copy the code after fork: %d", errno);
        }
        done += (size_t)n;
    }
    if (map_views(c, fd, MAP_FIXED) < 0) {
        BUG("cannot map the copy of the code after fork: %d", errno);
    }
    close(fd);
    c->shared = false;
}
