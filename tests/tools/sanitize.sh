#!/usr/bin/env bash
# sanitize.sh - the unit tests and a part of the suites with AddressSanitizer and
# UndefinedBehaviorSanitizer, the unit tests with ThreadSanitizer.
# A guest shares the address space with armx and owns the low part, where sanitizers keep their
# shadow, so only programs that run in the interpreter's tests are checked that way.
set -eu
. "$(dirname "$0")/common.sh"
cd "$TOP"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
status=0
for preset in asan tsan; do
    cmake --preset $preset >/dev/null
    cmake --build --preset $preset
    note "== $preset"
    bash tests/run -b "build-$preset" unit || status=1
done
exit $status
