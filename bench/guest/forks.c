/* forks.c - makes processes that end at once, with fork. */
#include "k.h"
#include <sys/wait.h>
#include <unistd.h>

static uint64_t kernel(long n)
{
    uint64_t h = 0;
    for (long i = 0; i < n * 100; i++) {
        int status;
        pid_t p = fork();
        if (p == 0) {
            _exit((int)(i & 127));
        }
        if (waitpid(p, &status, 0) != p) {
            return 0;
        }
        h = h * 31 + (uint64_t)WEXITSTATUS(status);
    }
    return h;
}
