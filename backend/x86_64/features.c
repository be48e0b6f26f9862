/* features.c - what this host can do. The base is x86-64-v3 (AVX2, BMI2, FMA, F16C, LZCNT) with cmpxchg16b. */
#include <cpuid.h>

#include "sel.h"

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

const char *features_get(Feat *f, uint32_t off)
{
    uint32_t a, b, c, d, b7, c7, d7, ax, bx, cx, dx;
    *f = (Feat){0};
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || (xcr0() & 6) != 6) {
        return "AVX";
    }
    if (!(c & bit_CMPXCHG16B)) {
        return "cmpxchg16b";
    }
    if (!(c & bit_FMA) || !(c & bit_F16C) || !(c & bit_POPCNT)) {
        return "FMA, F16C and POPCNT";
    }
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) || !(b7 & bit_AVX2) || !(b7 & bit_BMI) || !(b7 & bit_BMI2)) {
        return "AVX2, BMI1 and BMI2";
    }
    if (!__get_cpuid(0x80000001, &ax, &bx, &cx, &dx) || !(cx & bit_ABM) || !(cx & bit_LAHF_LM)) {
        return "LZCNT and LAHF";
    }
    f->avx2 = true;
    f->sha = b7 & bit_SHA;
    f->aes = (c & bit_AES) && (c & bit_PCLMUL);
    bool zmm = (xcr0() & 0xe6) == 0xe6;
    if (zmm) {
        __cpuid_count(13, 7, ax, bx, cx, dx);
        f->hi16_zmm = bx;
    }
    f->avx512 = zmm && (b7 & bit_AVX512F) && (b7 & bit_AVX512VL) && (b7 & bit_AVX512BW) && (b7 & bit_AVX512DQ);
    f->vbmi = f->avx512 && (c7 & bit_AVX512VBMI);
    f->gfni = c7 & bit_GFNI;
    f->vaes = f->avx512 && (c7 & bit_VAES);
    f->vnni = f->avx512 && (c7 & bit_AVX512VNNI);
    f->bitalg = f->avx512 && (c7 & bit_AVX512BITALG);
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
