/* fuzz_options.c - command lines and environments to linux-user/options.c.
 *
 * Input: strings, each ended by a zero byte; the first `n` of them (n = byte 0, modulo 8) are the environment, the others
 * arguments; a string that is "@" and a letter stands for an option's name, so that guessing is easier. The parser
 * must return or leave by one line and a status. What it hands on to a followed program (options_again) must be
 * accepted, and be the same options again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "linux-user/user.h"

enum { MAX_STRINGS = 64 };

static jmp_buf left;
static int status;

/* options.c is compiled with exit = fuzz_exit. */
NORETURN void fuzz_exit(int code);
void fuzz_exit(int code)
{
    status = code;
    longjmp(left, 1);
}

void die(int code, const char *fmt, ...)
{
    char line[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n <= 0 || code != 126) {
        BUG("leaves with %d and \"%s\"", code, line);
    }
    fuzz_exit(code);
}

void write_all(int fd, const char *s, size_t n)
{
    if (fd != 1 || memchr(s, 0, n)) {
        BUG("writes %zu bytes to %d", n, fd);
    }
}

/* The options that follow to another program, as text; the length. */
static size_t handed_on(const Options *o, char *text, size_t size)
{
    const char *argv[MAX_STRINGS];
    char buf[2048];
    unsigned n = 0;
    size_t at = 0;
    options_again(o, argv, &n, MAX_STRINGS, buf, sizeof buf);
    for (unsigned i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s\n", argv[i]);
        ASSERT(at < size);
    }
    return at;
}

static bool parse(Options *o, unsigned n, char **argv, char **envp)
{
    memset(o, 0, sizeof *o);
    if (setjmp(left)) {
        return false;
    }
    int k = options_parse(o, (int)n, argv, envp);
    if (k < 1 || (unsigned)k >= n) {
        BUG("program is argument %d of %u", k, n);
    }
    return true;
}

static void again(const Options *o)
{
    static char first[1 << 17], second[1 << 17];
    const char *argv[MAX_STRINGS];
    char buf[2048], *none = NULL;
    Options twice;
    unsigned n = 1;
    argv[0] = "armx-user";
    options_again(o, argv, &n, MAX_STRINGS - 1, buf, sizeof buf);
    argv[n++] = "program";
    size_t a = handed_on(o, first, sizeof first);
    if (!parse(&twice, n, (char **)argv, &none)) {
        BUG("options that it accepted once are refused:\n%s", first);
    }
    size_t b = handed_on(&twice, second, sizeof second);
    if (a != b || memcmp(first, second, a)) {
        BUG("options\n%sbecome\n%s", first, second);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

static const char *expanded(const char *s)
{
    static const char *const names[] = {
#define OPT(name, metavar, env, kind, field, follow, doc) "-" name,
#include "linux-user/options.def"
#undef OPT
    };
    return s[0] == '@' && s[1] && !s[2] ? names[(uint8_t)s[1] % LEN(names)] : s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *envp[MAX_STRINGS + 1], *argv[MAX_STRINGS + 2];
    unsigned nenv = 0, narg = 1, wanted = size ? data[0] % 8 : 0;
    memcpy(text, data, size);
    text[size] = 0;
    argv[0] = "armx-user";
    for (size_t at = 1; at < size && narg + nenv < MAX_STRINGS; at += strlen(text + at) + 1) {
        if (nenv < wanted) {
            envp[nenv++] = text + at;
        } else {
            const char *s = expanded(text + at);
            argv[narg++] = strdup(s);
        }
    }
    envp[nenv] = argv[narg] = NULL;
    Options o;
    status = 0;
    if (parse(&o, narg, argv, envp)) {
        again(&o);
    } else if (status != 0 && status != 126) {
        BUG("status %d", status);
    }
    while (narg > 1) {
        free(argv[--narg]);
    }
    free(text);
    return 0;
}
