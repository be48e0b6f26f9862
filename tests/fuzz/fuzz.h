/* fuzz.h - what the fuzz harnesses share.
 *
 * A harness is one file fuzz_NAME.c with the two functions below. In the `fuzz` preset (clang) libFuzzer drives
 * it, guided by coverage; in every other build driver.c does, which replays the corpus and then mutates it
 * blindly for some seconds. A harness never returns anything but 0; what it finds, it reports by abort().
 * To add one: write the file, put seeds (small ones) into corpus/NAME, name it in CMakeLists.txt.
 */
#ifndef ARMX_TESTS_FUZZ_H
#define ARMX_TESTS_FUZZ_H

#include "base.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes bytes from the input; zeros when it is used up. */
typedef struct FuzzInput {
    const uint8_t *data;
    size_t size;
} FuzzInput;

static inline void fuzz_take(FuzzInput *in, void *out, size_t n)
{
    size_t have = n < in->size ? n : in->size;
    memset(out, 0, n);
    memcpy(out, in->data, have);
    in->data += have;
    in->size -= have;
}

static inline uint64_t fuzz_number(FuzzInput *in, unsigned bytes)
{
    uint64_t v = 0;
    fuzz_take(in, &v, bytes);
    return v;
}

/* splitmix64 */
static inline uint64_t fuzz_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

#endif
