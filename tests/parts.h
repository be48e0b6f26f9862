/* parts.h - what test programs of several parts share: counted failures, a command line, a line for each part.
 *
 *     PROGRAM [-n ROUNDS] [PART...]
 *
 * A program has its table of parts and ends with PARTS_MAIN(parts, default number of rounds). Parts run in the table's
 * order, all or those named; FAIL prints the first 20 failures, from any thread.
 */
#ifndef ARMX_TESTS_PARTS_H
#define ARMX_TESTS_PARTS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned rounds, failures;

#define FAIL(...)                                                                                            \
    do {                                                                                                     \
        if (__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED) < 20) {                                       \
            printf("FAILED " __VA_ARGS__);                                                                   \
            putchar('\n');                                                                                   \
            fflush(stdout);                                                                                  \
        }                                                                                                    \
    } while (0)

typedef struct Part {
    const char *name;
    void (*fn)(void);
} Part;

static inline int parts_run(const Part *parts, unsigned n, int argc, char **argv)
{
    int opt;
    while ((opt = getopt(argc, argv, "n:")) > 0) {
        if (opt != 'n') {
            return 2;
        }
        rounds = (unsigned)strtoul(optarg, NULL, 0);
    }
    for (unsigned i = 0; i < n; i++) {
        bool wanted = optind == argc;
        for (int k = optind; k < argc; k++) {
            wanted |= strcmp(argv[k], parts[i].name) == 0;
        }
        if (wanted) {
            unsigned before = failures;
            parts[i].fn();
            printf("%s %s: %u rounds\n", failures == before ? "ok" : "FAILED", parts[i].name, rounds);
            fflush(stdout);
        }
    }
    return failures != 0;
}

#define PARTS_MAIN(parts, default_rounds)                                                                    \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        rounds = default_rounds;                                                                             \
        return parts_run(parts, sizeof parts / sizeof parts[0], argc, argv);                                 \
    }

#endif
