#!/usr/bin/env bash
# sanitize.sh asan|tsan - asan: unit tests, decoder, bad input, golden vectors and guest programs with AddressSanitizer and
# UndefinedBehaviorSanitizer; tsan: the engine under threads, and machines, with ThreadSanitizer. The suite
# `sanitize` runs both.
# What is left out: of guests, those that limit the address space (AddressSanitizer's shadow is far beyond any limit)
# or that fork while threads allocate (its lock stays taken), and most under the interpreter, which is slow.
# ThreadSanitizer knows no threads but pthreads: so no programs of armx-user. What translated code does it does not see, and the guest's
# memory is none of its business (races_are_the_guests): it looks at vCPUs, devices, the I/O thread, monitors and the debugger.
set -eu
. "$(dirname "$0")/common.sh"
cd "$TOP"
unset ARMX BUILD WORK LONG # of a tests/run around this one
status=0
reports=$TOP/build-$1/reports
rm -rf "$reports"
mkdir -p "$reports"

# built PRESET [TARGET]
built()
{
    cmake --preset "$1" >/dev/null
    cmake --build --preset "$1" ${2:+--target "$2"} >"build-$1/log" || { tail -n 40 "build-$1/log"; die "build-$1 does not build"; }
    note "== $1"
}

if [ "$1" = tsan ]; then
    built tsan t_engine_threads
    built tsan armx-system
    TSAN_OPTIONS=halt_on_error=1 bash tests/run -b build-tsan unit/engine_threads || status=1
    export TSAN_OPTIONS=log_path=$reports/r:exitcode=0:history_size=4
    bash tests/run -j 1 -b build-tsan boot/shell-smp boot/reboot boot/hotplug boot/devices-mmio boot/devices-pci boot/resets boot/controlled \
        boot/debugged boot/kvm-6.12 || status=1
    if grep -h -A 12 'WARNING: ThreadSanitizer' "$reports"/* 2>/dev/null; then
        status=1
    fi
    exit $status
fi
built asan
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
