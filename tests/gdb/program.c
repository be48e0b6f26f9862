/* program.c - what the scripts of this suite debug. The argument chooses what happens; scripts name
 * functions and lines by the MARK comments. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int counter;
double ratio = 1.5;
char text[32] = "before";
volatile int caught, go_on;
static struct {
    int before, watched, after;
} row;

static void on_signal(int s)
{
    caught = s; /* MARK handler */
}

__attribute__((noinline)) int leaf(int n)
{
    return n * n; /* MARK leaf */
}

__attribute__((noinline)) int sum(int n)
{
    int total = 0;
    for (int i = 1; i <= n; i++) {
        total += leaf(i); /* MARK loop */
    }
    counter = total;
    return total; /* MARK summed */
}

__attribute__((noinline)) static void touch(void)
{
    row.before = 1;
    row.after = 2;
    row.watched = 42; /* MARK written */
    row.before = row.watched + 1;
    row.after = 3;
}

static void *worker(void *arg)
{
    int id = (int)(long)arg;
    __atomic_add_fetch(&counter, id, __ATOMIC_SEQ_CST); /* MARK worker */
    while (!go_on) {
        usleep(1000);
    }
    return arg;
}

static int threads(void)
{
    pthread_t t[3];
    long back, all = 0;
    for (long k = 0; k < 3; k++) {
        pthread_create(&t[k], NULL, worker, (void *)(k + 1));
    }
    while (__atomic_load_n(&counter, __ATOMIC_SEQ_CST) != 6) {
        usleep(1000);
    }
    go_on = 1; /* MARK started */
    for (int k = 0; k < 3; k++) {
        pthread_join(t[k], (void **)&back);
        all += back;
    }
    return (int)all;
}

static int loop(void)
{
    for (volatile unsigned long n = 0; !caught; n++) {
        if (n == 2000) {
            close(creat("looping", 0600));
        }
    }
    return caught;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "sum";
    signal(SIGUSR1, on_signal);
    if (strcmp(what, "sum") == 0) {
        int r = sum(4);
        ratio *= 2; /* MARK after */
        strcpy(text, "after");
        printf("%d %g %s\n", r, ratio, text);
    } else if (strcmp(what, "watch") == 0) {
        touch();
    } else if (strcmp(what, "threads") == 0) {
        return threads();
    } else if (strcmp(what, "signal") == 0) {
        raise(SIGUSR1);
        printf("caught %d\n", caught); /* MARK raised */
        return caught;
    } else if (strcmp(what, "crash") == 0) {
        *(volatile int *)8 = 1; /* MARK crash */
    } else if (strcmp(what, "loop") == 0) {
        return loop();
    } else if (strcmp(what, "abort") == 0) {
        abort();
    }
    return 7;
}
