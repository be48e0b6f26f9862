#!/usr/bin/env bash
# sanitize.sh asan|tsan - asan: unit tests, decoder, bad input, golden vectors and guest programs with AddressSanitizer and
# UndefinedBehaviorSanitizer; tsan: the engine under threads with ThreadSanitizer. The suite `sanitize` runs both.
# What is left out: of guests, those that limit the address space (AddressSanitizer's shadow is far beyond any limit)
# or that fork while threads allocate (its lock stays taken), and most under the interpreter, which is slow.
# ThreadSanitizer knows no threads but pthreads, and its runtime changes vector registers, which translated code keeps
# across calls: so no guest programs.
set -eu
. "$(dirname "$0")/common.sh"
cd "$TOP"
unset ARMX BUILD WORK LONG # of a tests/run around this one
status=0

# built PRESET [TARGET]
built()
{
    cmake --preset "$1" >/dev/null
    cmake --build --preset "$1" ${2:+--target "$2"} >"build-$1/log" || { tail -n 40 "build-$1/log"; die "build-$1 does not build"; }
    note "== $1"
}

if [ "$1" = tsan ]; then
    built tsan t_engine_threads
    TSAN_OPTIONS=halt_on_error=1 exec bash tests/run -b build-tsan unit/engine_threads
fi
built asan
reports=$TOP/build-asan/reports
rm -rf "$reports"
mkdir -p "$reports"
# Of guest programs standard error is looked at: what sanitizers say goes elsewhere.
common=log_path=$reports/r:print_stacktrace=1
export ASAN_OPTIONS=$common:detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:allocator_may_return_null=1
export UBSAN_OPTIONS=$common:halt_on_error=1
suites=(unit decode bad vectors)
for name in $(bash tests/run -n -b build-asan guest); do
    case $name in
    */limits-* | */newcalls-* | */process-*) ;;
    *-static | */hello-interp | */intops-interp | */fpops-interp | */neonk-interp | */kernels-interp) suites+=("$name") ;;
    esac
done
bash tests/run -b build-asan "${suites[@]}" || status=1
if grep -l -e 'ERROR: AddressSanitizer' -e 'runtime error' "$reports"/* 2>/dev/null; then
    status=1
fi
exit $status
