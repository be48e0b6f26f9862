# build.sh - make, gcc, g++ and binutils: compile, link, inspect and run.  The compilers of both
# sides make arm64 code: the native side uses the cross compiler of the same version.
# test: secs=180 guest

scenario()
{
    set -e
    cat >sum.c <<'S'
#include <stdio.h>
#include <stdlib.h>
#include "sum.h"
int sum(const int *v, int n) { int s = 0; for (int i = 0; i < n; i++) s += v[i] * i; return s; }
double poly(double x) { return ((3.5 * x - 2.25) * x + 0.125) * x - 1e-3; }
S
    cat >sum.h <<'S'
int sum(const int *v, int n);
double poly(double x);
S
    cat >main.cc <<'S'
#include <algorithm>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
extern "C" {
#include "sum.h"
}
int main(int argc, char **)
{
    std::vector<int> v{5, 3, 9, 1};
    std::sort(v.begin(), v.end());
    std::map<std::string, int> m{{"sum", sum(v.data(), 4)}, {"size", int(v.size())}};
    for (auto &[k, n] : m) std::cout << k << ' ' << n << '\n';
    std::cout << poly(1.5) << '\n';
    try {
        if (argc > 0) throw std::runtime_error("thrown");
    } catch (const std::exception &e) {
        std::cout << e.what() << '\n';
    }
}
S
    cat >Makefile <<'S'
prog: sum.o main.o
	$(CXX) -o $@ $^
%.o: %.c
	$(CC) -O2 -c -o $@ $<
%.o: %.cc
	$(CXX) -std=c++17 -O2 -c -o $@ $<
clean:
	rm -f *.o prog
S
    gpp=$ROOT/usr/bin/g++ gc=$ROOT/usr/bin/gcc
    p make CC="$gc --sysroot=$ROOT" CXX="$gpp --sysroot=$ROOT" SHELL="$ROOT/usr/bin/sh"
    env -i $ARMX -L "$ROOT" ./prog >out
    cat out
    printf 'size 4\nsum 40\n8.43775\nthrown\n' | sed "s/8.43775/$(gcc -x c - -o poly <<<'#include <stdio.h>
int main(void) { double x = 1.5; printf("%g", ((3.5 * x - 2.25) * x + 0.125) * x - 1e-3); }' && ./poly)/" >want
    cmp out want
    # The same assembly as from a compiler that runs natively.
    p gcc -O2 -S -o arm.s sum.c
    aarch64-linux-gnu-gcc -O2 -S -o cross.s sum.c
    cmp <(grep -v '\.ident' arm.s) <(grep -v '\.ident' cross.s)
    aarch64-linux-gnu-objdump -d sum.o >objdump.cross
    p objdump -d sum.o >objdump.arm
    cmp objdump.arm objdump.cross
    p nm sum.o | cmp - <(aarch64-linux-gnu-nm sum.o)
    p readelf -hlS prog | cmp - <(aarch64-linux-gnu-readelf -hlS prog)
    p strip -o stripped prog
    p size prog | tail -n 1 | awk '{ print ($4 > 0) }'
    p ar rcs lib.a sum.o
    p ranlib lib.a
    p gcc --sysroot="$ROOT" -static -o static main.o lib.a -lstdc++ -lm
    env -i $ARMX ./static | cmp - want
    # Optimised, with link-time optimisation, by threads.
    p g++ --sysroot="$ROOT" -std=c++17 -O3 -flto=2 -o lto main.o sum.o 2>lto.err || { cat lto.err; false; }
    echo "int f( {" >bad.c
    ! p gcc -c bad.c 2>err
    grep -q 'error: expected' err
    echo built, linked, ran
}
