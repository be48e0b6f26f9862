/* alloc.c - malloc for armx: libc's keeps per-thread caches and assumes that it made every thread; guest threads are
 * raw clones, and fork happens behind its back. This one has one lock, no thread-local state, and takes memory from
 * mmap only, so that the guest's brk area stays its own.
 *
 * Sizes up to 64 KiB come from power-of-two-and-a-half classes (16, 32, 48, 64, 96, 128, ...), cut from 256 KiB chunks and
 * kept on a free list per class; larger ones are mappings of their own. A 16-byte head before each block says which.
 */
#include "alloc.h"

#include "lock.h"

enum { HEAD = 16, CHUNK = 256 * 1024, CLASSES = 24, BIG = 255 };

typedef struct Head {
    uint64_t size;   /* usable bytes; of a big one: of its whole mapping, less what lies before the block */
    uint32_t before; /* bytes between the mapping's start and the block, big ones only */
    uint32_t class_;
} Head;
_Static_assert(sizeof(Head) == HEAD, "alignment");

static Mutex lock;
static void *free_list[CLASSES];
static uint8_t *chunk, *chunk_end;

void alloc_fork_prepare(void)
{
    mutex_lock(&lock);
}

void alloc_fork_done(void)
{
    mutex_unlock(&lock);
}

/* 0: 16, 1: 32, 2: 48, 3: 64, 4: 96, 5: 128, 6: 192 ... */
static size_t class_size(unsigned c)
{
    if (c < 2) {
        return 16u << c;
    }
    return c & 1 ? (size_t)32 << ((c - 1) / 2) : (size_t)48 << ((c - 2) / 2);
}

static unsigned class_of(size_t n)
{
    unsigned c = 0;
    while (c < CLASSES && class_size(c) < n) {
        c++;
    }
    return c;
}

static void *map(size_t n)
{
    int64_t m = raw_call(__NR_mmap, 0, n, 3, 0x22, -1, 0);
    return m < 0 && m > -4096 ? NULL : (void *)m;
}

static Head *head_of(void *p)
{
    return (Head *)((uint8_t *)p - HEAD);
}

static void *big_new(size_t n, size_t align)
{
    if (n > SIZE_MAX / 4 || align > SIZE_MAX / 4) {
        return NULL;
    }
    size_t total = ALIGN_UP(n + HEAD + (align > HEAD ? align : 0), 4096);
    uint8_t *m = map(total);
    if (!m) {
        return NULL;
    }
    uint8_t *p = (uint8_t *)ALIGN_UP((uint64_t)m + HEAD, align);
    *head_of(p) = (Head){total - (size_t)(p - m), (uint32_t)(p - m), BIG};
    return p;
}

static void *small_new(unsigned c)
{
    size_t n = class_size(c) + HEAD;
    mutex_lock(&lock);
    uint8_t *p = free_list[c];
    if (p) {
        free_list[c] = *(void **)p;
    } else {
        if ((size_t)(chunk_end - chunk) < n) {
            uint8_t *m = map(CHUNK);
            if (m) {
                chunk = m;
                chunk_end = m + CHUNK;
            }
        }
        if ((size_t)(chunk_end - chunk) >= n) {
            p = chunk + HEAD;
            chunk += n;
            *head_of(p) = (Head){n - HEAD, 0, c};
        }
    }
    mutex_unlock(&lock);
    return p;
}

void *malloc(size_t n)
{
    unsigned c = class_of(n);
    void *p = c < CLASSES ? small_new(c) : big_new(n, HEAD);
    if (!p) {
        errno = ENOMEM;
    }
    return p;
}

void free(void *p)
{
    if (!p) {
        return;
    }
    Head *h = head_of(p);
    if (h->class_ == BIG) {
        raw_call(__NR_munmap, (uint8_t *)p - h->before, h->before + h->size);
        return;
    }
    mutex_lock(&lock);
    *(void **)p = free_list[h->class_];
    free_list[h->class_] = p;
    mutex_unlock(&lock);
}

void *calloc(size_t a, size_t b)
{
    size_t n;
    if (__builtin_mul_overflow(a, b, &n)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = malloc(n);
    if (p && head_of(p)->class_ != BIG) {
        memset(p, 0, n);
    }
    return p;
}

void *realloc(void *p, size_t n)
{
    if (!p) {
        return malloc(n);
    }
    if (n <= head_of(p)->size) {
        return p;
    }
    void *q = malloc(n + n / 4);
    if (q) {
        memcpy(q, p, head_of(p)->size);
        free(p);
    }
    return q;
}

void *memalign(size_t align, size_t n)
{
    void *p = align <= HEAD ? malloc(n) : big_new(n, align);
    if (!p) {
        errno = ENOMEM;
    }
    return p;
}

void *aligned_alloc(size_t align, size_t n)
{
    return memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    void *p = memalign(align, n);
    *out = p;
    return p ? 0 : ENOMEM;
}

size_t malloc_usable_size(void *p)
{
    return p ? head_of(p)->size : 0;
}
