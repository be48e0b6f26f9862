/* driver.c - runs a harness without libFuzzer:  fuzz_NAME [-t SECONDS] [-s SEED] FILE|FOLDER...
 *
 * Replays all files, then mutates them (bits, bytes, words, pieces of others) until the time is over. When the
 * harness aborts, the input is left in ./crash-NAME; give it as FILE to repeat.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { MAX_SEEDS = 4096, SEED_BYTES = 4096 };

typedef struct Seed {
    uint8_t *data;
    size_t size;
} Seed;
static Seed seeds[MAX_SEEDS];
static unsigned nseeds;
static uint8_t input[SEED_BYTES];
static size_t input_size;
static char crash_name[256];

static void on_crash(int sig)
{
    int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    bool kept = write(fd, input, input_size) == (ssize_t)input_size;
    dprintf(2, "signal %d: the input is%s in %s\n", sig, kept ? "" : " not", crash_name);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void read_seed(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(path);
        exit(2);
    }
    if (S_ISDIR(st.st_mode)) {
        struct dirent **names;
        int n = scandir(path, &names, NULL, alphasort);
        for (int i = 0; i < n; i++) {
            char sub[1024];
            snprintf(sub, sizeof sub, "%s/%s", path, names[i]->d_name);
            if (names[i]->d_name[0] != '.') {
                read_seed(sub);
            }
            free(names[i]);
        }
        free(names);
    } else if (nseeds < MAX_SEEDS) {
        Seed *s = &seeds[nseeds++];
        s->data = malloc(SEED_BYTES);
        ssize_t got = read(fd, s->data, SEED_BYTES);
        s->size = got < 0 ? 0 : (size_t)got;
    }
    close(fd);
}

static void mutate(uint64_t *rng)
{
    static const uint8_t edge[] = {0, 1, 2, 4, 8, 16, 31, 32, 63, 64, 127, 128, 0x80, 0xc0, 0xfe, 0xff};
    unsigned steps = 1 + (unsigned)(fuzz_random(rng) % 8);
    while (steps--) {
        size_t at = input_size ? fuzz_random(rng) % input_size : 0;
        uint64_t v = fuzz_random(rng);
        const Seed *other = &seeds[v % nseeds];
        switch (fuzz_random(rng) % 8) {
        case 0: input[at] ^= (uint8_t)(1u << (v & 7)); break;
        case 1: input[at] = (uint8_t)v; break;
        case 2: input[at] = edge[v % LEN(edge)]; break;
        case 3: memcpy(input + (at & ~(size_t)3), &v, at + 8 <= SEED_BYTES ? 4 : 0); break;
        case 4: input_size = at; break;
        case 5: input_size = input_size + 8 < SEED_BYTES ? input_size + v % 8 : input_size; break;
        case 6: /* a piece of another seed */
            if (other->size) {
                size_t from = (v >> 16) % other->size, n = (v >> 40) % (other->size - from) + 1;
                n = at + n < SEED_BYTES ? n : SEED_BYTES - at;
                memcpy(input + at, other->data + from, n);
                input_size = input_size > at + n ? input_size : at + n;
            }
            break;
        default: /* one byte out */
            if (input_size) {
                memmove(input + at, input + at + 1, input_size - at - 1);
                input_size--;
            }
        }
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    double seconds = 0;
    uint64_t rng = 1;
    int opt;
    while ((opt = getopt(argc, argv, "t:s:")) > 0) {
        if (opt == 't') {
            seconds = atof(optarg);
        } else if (opt == 's') {
            rng = strtoull(optarg, NULL, 0);
        } else {
            return 2;
        }
    }
    const char *name = strrchr(argv[0], '/');
    snprintf(crash_name, sizeof crash_name, "crash-%s", name ? name + 1 : argv[0]);
    for (int i = optind; i < argc; i++) {
        read_seed(argv[i]);
    }
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (unsigned i = 0; i < LEN(signals); i++) {
        signal(signals[i], on_crash);
    }
    LLVMFuzzerInitialize(&argc, &argv);
    for (unsigned i = 0; i < nseeds; i++) {
        input_size = seeds[i].size;
        memcpy(input, seeds[i].data, input_size);
        LLVMFuzzerTestOneInput(input, input_size);
    }
    unsigned long runs = 0;
    for (double end = now() + seconds; nseeds && seconds > 0 && now() < end; runs++) {
        const Seed *s = &seeds[fuzz_random(&rng) % nseeds];
        input_size = s->size;
        memcpy(input, s->data, s->size);
        mutate(&rng);
        LLVMFuzzerTestOneInput(input, input_size);
    }
    printf("%u seeds, %lu mutated inputs\n", nseeds, runs);
    return 0;
}
