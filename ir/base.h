/* base.h - the ground that every file stands on: integers, address types, vectors, bit helpers, BUG().
 *
 * Three kinds of failure, never mixed: the guest's fault is an exit of the IR; the host's refusal is a
 * negative errno; a mistake of ours is BUG(), which says where and dumps core.
 */
#ifndef ARMX_IR_BASE_H
#define ARMX_IR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, n) (((x) + (n) - 1) & ~((uint64_t)(n) - 1))
#define ALIGN_DOWN(x, n) ((x) & ~((uint64_t)(n) - 1))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* A guest's virtual and physical address: different addresses are different types. */
typedef struct {
    uint64_t v;
} Gva;
typedef struct {
    uint64_t v;
} Gpa;

static inline Gva gva(uint64_t v)
{
    return (Gva){v};
}

static inline Gva gva_add(Gva a, int64_t n)
{
    return (Gva){a.v + (uint64_t)n};
}

/* 128 bits of vector register, lane 0 in the lowest bits. */
typedef union __attribute__((aligned(16))) V128 {
    uint8_t b[16];
    uint16_t h[8];
    uint32_t s[4];
    uint64_t d[2];
    int8_t sb[16];
    int16_t sh[8];
    int32_t ss[4];
    int64_t sd[2];
} V128;

/* FPCR and FPSR as the Arm manual lays them out (DDI 0487 C5.2). */
typedef struct FpEnv {
    uint32_t fpcr;
    uint32_t fpsr;
} FpEnv;

/* The packed form of the condition flags in the nzcv slot and in fl_pack / fl_unpack. The bits lie where
 * LAHF and SETO put them on x86, so that the hot paths need no shuffling; C has Arm's sense (after a
 * subtraction: no borrow). */
enum { PACKED_N = 1 << 15, PACKED_Z = 1 << 14, PACKED_C = 1 << 8, PACKED_V = 1 << 0 };

/* Packed flags from an Arm NZCV nibble (N = 8, Z = 4, C = 2, V = 1), and back. */
static inline uint32_t nzcv_pack(unsigned nibble)
{
    return ((nibble & 8) << 12) | ((nibble & 4) << 12) | ((nibble & 2) << 7) | (nibble & 1);
}

static inline unsigned nzcv_nibble(uint32_t packed)
{
    return ((packed >> 12) & 8) | ((packed >> 12) & 4) | ((packed >> 7) & 2) | (packed & 1);
}

static inline uint64_t bits_mask(unsigned n)
{
    return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

static inline uint64_t bits_get(uint64_t v, unsigned lo, unsigned n)
{
    return (v >> lo) & bits_mask(n);
}

static inline int64_t bits_sext(uint64_t v, unsigned n)
{
    return (int64_t)(v << (64 - n)) >> (64 - n);
}

static inline uint64_t bits_ror(uint64_t v, unsigned r, unsigned width)
{
    r %= width;
    v &= bits_mask(width);
    return r ? ((v >> r) | (v << (width - r))) & bits_mask(width) : v;
}

/* memset to 0 by the C library. The size is hidden from the compiler: for one of a few hundred bytes that it knows GCC emits `rep stos`,
 * whose start costs more than all of the rest. */
static inline void clear_bytes(void *p, size_t size)
{
    __asm__("" : "+r"(size));
    memset(p, 0, size);
}

/* Says what is broken and where, then aborts. */
NORETURN void bug(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Says more, before the abort; NULL = nobody knows more. Set once at start. */
extern void (*bug_report)(void);
#define BUG(...) bug(__FILE__, __LINE__, __VA_ARGS__)
/* Tell ThreadSanitizer of a release at p that translated code is going to do, and of an acquire there that it has done. */
#ifdef __SANITIZE_THREAD__
void __tsan_release(void *p);
void __tsan_acquire(void *p);
#define sync_released(p) __tsan_release(p)
#define sync_acquired(p) __tsan_acquire(p)
/* The guest's own memory: what its programs do there is their affair, and its barriers are not seen. */
void AnnotateBenignRaceSized(const char *file, int line, const volatile void *p, size_t size, const char *text);
#define races_are_the_guests(p, size) AnnotateBenignRaceSized(__FILE__, __LINE__, p, size, "guest memory")
/* C code changes vector registers anywhere: ThreadSanitizer's runtime, which it calls, does. */
enum { C_SPOILS_VECTORS = 1 };
#else
#define sync_released(p) ((void)(p))
#define sync_acquired(p) ((void)(p))
#define races_are_the_guests(p, size) ((void)(p), (void)(size))
enum { C_SPOILS_VECTORS = 0 };
#endif

/* Tells AddressSanitizer that a jump has left the frames below the caller's. */
#ifdef __SANITIZE_ADDRESS__
void __asan_unpoison_memory_region(const volatile void *at, size_t n);
#define frames_left() __asan_unpoison_memory_region((uint8_t *)__builtin_frame_address(0) - (64 << 10), 64 << 10)
#else
#define frames_left() ((void)0)
#endif

#define ASSERT(c)                                                                                  \
    do {                                                                                           \
        if (UNLIKELY(!(c))) {                                                                      \
            BUG("assertion failed: %s", #c);                                                       \
        }                                                                                          \
    } while (0)

#endif
