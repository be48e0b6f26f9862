/* execs.c - runs itself as a program that ends at once, with fork and exec. */
#include "k.h"
#include <sys/wait.h>
#include <unistd.h>

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    if (n < 0) {
        _exit((int)(-n));
    }
    for (long i = 0; i < n * 20; i++) {
        int status;
        pid_t p = fork();
        if (p == 0) {
            char arg[16];
            snprintf(arg, sizeof arg, "%ld", -1 - (i & 63));
            execl("/proc/self/exe", "execs", arg, (char *)NULL);
            _exit(127);
        }
        if (waitpid(p, &status, 0) != p) {
            return 0;
        }
        h = h * 31 + (uint64_t)WEXITSTATUS(status);
    }
    return h;
}
