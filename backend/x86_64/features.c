/* features.c - what this host can do. The base is x86-64-v3 (AVX2, BMI2, FMA, F16C, LZCNT) with cmpxchg16b. */
#include <cpuid.h>
#include <sys/platform/x86.h>

#include "sel.h"

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* The C library asked the processor at its start: the instruction leaves a virtual machine, which takes up to 25 us. */
static bool has(unsigned leaf, unsigned reg, unsigned bit)
{
    return __x86_get_cpuid_feature_leaf(leaf)->cpuid_array[reg] >> bit & 1;
}
#define HAS(feature) has(x86_cpu_##feature / (8 * 4 * 4), x86_cpu_##feature % (8 * 4 * 4) / (8 * 4), x86_cpu_##feature % (8 * 4))

uint32_t features_hi16_zmm(void)
{
    uint32_t size, offset, c, d;
    __cpuid_count(13, 7, size, offset, c, d);
    return offset;
}

const char *features_get(Feat *f, uint32_t off)
{
    *f = (Feat){0};
    if (!HAS(OSXSAVE) || !HAS(AVX) || (xcr0() & 6) != 6) {
        return "AVX";
    }
    if (!HAS(CMPXCHG16B)) {
        return "cmpxchg16b";
    }
    if (!HAS(FMA) || !HAS(F16C) || !HAS(POPCNT)) {
        return "FMA, F16C and POPCNT";
    }
    if (!HAS(AVX2) || !HAS(BMI1) || !HAS(BMI2)) {
        return "AVX2, BMI1 and BMI2";
    }
    if (!HAS(LZCNT) || !HAS(LAHF64_SAHF64)) {
        return "LZCNT and LAHF";
    }
    f->avx2 = true;
    f->sha = HAS(SHA);
    f->aes = HAS(AES) && HAS(PCLMULQDQ);
    f->avx512 = (xcr0() & 0xe6) == 0xe6 && HAS(AVX512F) && HAS(AVX512VL) && HAS(AVX512BW) && HAS(AVX512DQ);
    f->vbmi = f->avx512 && HAS(AVX512_VBMI);
    f->gfni = HAS(GFNI);
    f->vaes = f->avx512 && HAS(VAES);
    f->vnni = f->avx512 && HAS(AVX512_VNNI);
    f->bitalg = f->avx512 && HAS(AVX512_BITALG);
    if (off & ALL_FEATURES) {
        f->avx512 = f->vbmi = f->gfni = f->vaes = f->sha = f->aes = f->vnni = f->bitalg = true;
    }
    if (off & OFF_AVX512) {
        f->avx512 = f->vbmi = f->vaes = f->vnni = f->bitalg = false;
    }
    if (off & OFF_CRYPTO) {
        f->aes = f->sha = f->gfni = f->vaes = false;
    }
    return NULL;
}
