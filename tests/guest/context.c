// context.c - makecontext and swapcontext: coroutines, nested, with floating-point state, in
// threads, and signals taken on their stacks.
// test: dyn interp
#define _GNU_SOURCE
#include "t.h"
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

enum { N = 100 };
struct coroutine {
    ucontext_t self, back;
    char *stack;
    uint64_t sum;
    int id, over;
};

static __thread struct coroutine *current;

static void yield(void)
{
    struct coroutine *c = current;
    swapcontext(&c->self, &c->back);
}

static void body(int id, int rounds)
{
    struct coroutine *c = current;
    double x = id;
    CHECK(c->id == id);
    for (int i = 0; i < rounds; i++) {
        x = x * 1.25 + i;
        c->sum += (uint64_t)x + (uint64_t)id * 1000;
        yield();
        CHECK(current == c);
    }
    c->over = 1;
}

static uint64_t run(int n)
{
    struct coroutine *c = calloc((size_t)n, sizeof *c);
    for (int i = 0; i < n; i++) {
        getcontext(&c[i].self);
        c[i].stack = malloc(65536);
        c[i].id = i;
        c[i].self.uc_stack.ss_sp = c[i].stack;
        c[i].self.uc_stack.ss_size = 65536;
        c[i].self.uc_link = &c[i].back;
        makecontext(&c[i].self, (void (*)(void))body, 2, i, 10 + i % 7);
    }
    uint64_t sum = 0;
    for (int alive = 1; alive;) {
        alive = 0;
        for (int i = 0; i < n; i++) {
            if (!c[i].over) {
                alive = 1;
                current = &c[i];
                swapcontext(&c[i].back, &c[i].self);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        sum = sum * 31 + c[i].sum;
        free(c[i].stack);
    }
    free(c);
    return sum;
}

static void *thread(void *arg)
{
    return (void *)(uintptr_t)run((int)(long)arg);
}

static volatile int signals;
static void on_signal(int sig)
{
    (void)sig;
    signals++;
}
static ucontext_t main_context, other;
static volatile int stage;
static void raises(void)
{
    for (int i = 0; i < 10; i++) {
        raise(SIGUSR1);
    }
    stage = 1;
}

int main(void)
{
    uint64_t want = run(N);
    printf("coroutines %016llx\n", (unsigned long long)want);
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, thread, (void *)(long)N);
    }
    for (int i = 0; i < 4; i++) {
        void *r;
        pthread_join(t[i], &r);
        CHECK((uintptr_t)r == want);
    }
    ok("threads");

    static char stack[65536];
    signal(SIGUSR1, on_signal);
    getcontext(&other);
    other.uc_stack.ss_sp = stack;
    other.uc_stack.ss_size = sizeof stack;
    other.uc_link = &main_context;
    makecontext(&other, raises, 0);
    swapcontext(&main_context, &other);
    CHECK(stage == 1 && signals == 10);
    ok("signals");

    volatile int again = 0;
    ucontext_t here;
    getcontext(&here);
    if (again++ < 5) {
        setcontext(&here);
    }
    CHECK(again == 6);
    ok("setcontext");
    return done();
}
