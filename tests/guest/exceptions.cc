// exceptions.cc - C++ exceptions: nested, rethrown, through destructors, across threads, deep, and
// thrown out of signal handlers through the kernel's frame.
// test: dyn cflags=-fnon-call-exceptions,-fasynchronous-unwind-tables secs=180
#include "t.h"
#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

static int alive;
struct Guard {
    int id;
    explicit Guard(int i) : id(i) { alive++; }
    ~Guard() { alive--; }
};

__attribute__((noinline)) static int deep(int n)
{
    Guard g(n);
    if (n == 0) {
        throw std::runtime_error("bottom");
    }
    return deep(n - 1) + g.id;
}

static void nested()
{
    std::string trail;
    for (int i = 0; i < 200; i++) {
        try {
            try {
                deep(i);
            } catch (const std::runtime_error &e) {
                trail = e.what();
                if (i % 3 == 0) {
                    throw;
                }
                throw std::logic_error(trail + "+" + std::to_string(i));
            }
        } catch (const std::logic_error &e) {
            trail = e.what();
        } catch (...) {
            trail += "!";
        }
        CHECK(alive == 0);
    }
    printf("trail %s\n", trail.c_str());
    ok("nested");
}

struct Fault {
    int sig;
};
static void on_fault(int sig, siginfo_t *, void *)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    throw Fault{sig};
}

__attribute__((noinline)) static int reads(volatile int *p)
{
    Guard g(1);
    return *p + g.id;
}

static void through_frames()
{
    struct sigaction sa = {};
    sa.sa_sigaction = on_fault;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &sa, nullptr);
    auto *none = static_cast<volatile int *>(
        mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    int caught = 0, sum = 0;
    for (int i = 0; i < 300; i++) {
        try {
            sum += reads(i % 2 ? none : nullptr);
        } catch (const Fault &f) {
            caught += f.sig == SIGSEGV;
        }
        CHECK(alive == 0);
    }
    CHECK(caught == 300 && sum == 0);
    ok("through frames");
}

static void across_threads()
{
    std::vector<std::thread> threads;
    std::vector<std::exception_ptr> errors(8);
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([i, &errors] {
            try {
                for (int k = 0; k < 50; k++) {
                    try {
                        throw k;
                    } catch (int v) {
                        CHECK(v == k);
                    }
                }
                throw std::out_of_range("thread " + std::to_string(i));
            } catch (...) {
                errors[static_cast<size_t>(i)] = std::current_exception();
            }
        });
    }
    for (auto &t : threads) {
        t.join();
    }
    for (auto &e : errors) {
        try {
            std::rethrow_exception(e);
        } catch (const std::exception &x) {
            printf("%s\n", x.what());
        }
    }
    ok("across threads");
}

struct Base {
    virtual ~Base() = default;
    virtual int value() const { return 1; }
};
struct Left : virtual Base {
    int value() const override { return 2; }
};
struct Right : virtual Base {};
struct Both : Left, Right {};

int main()
{
    nested();
    through_frames();
    across_threads();
    try {
        throw Both();
    } catch (const Right &r) {
        printf("caught by base, value %d\n", r.value());
    }
    std::function<int(int)> fib = [&](int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); };
    printf("fib %d\n", fib(15));
    std::unique_ptr<Base> p(new Both);
    CHECK(dynamic_cast<Right *>(p.get()) != nullptr);
    try {
        std::vector<int>().at(3);
    } catch (const std::out_of_range &) {
        ok("library");
    }
    return done();
}
