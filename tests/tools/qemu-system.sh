#!/usr/bin/env bash
# qemu-system.sh - prints a script that runs Debian's QEMU system emulator for AArch64, unpacked in the cache.
#
# It is an oracle and a yardstick only, and is not installed on the machine. ARMX_QEMU_SYSTEM=PATH overrides it.
set -eu
. "$(dirname "$0")/common.sh"

[ -z "${ARMX_QEMU_SYSTEM:-}" ] || { echo "$ARMX_QEMU_SYSTEM"; exit 0; }
root=$(bash "$TOP/tests/tools/sysroot.sh" -a amd64 qemu-system qemu-system-arm)
run=$root/run-qemu-system-aarch64
[ -x "$run" ] || {
    libs=$(find "$root/usr/lib" -name '*.so.*' -printf '%h\n' | sort -u | tr '\n' ':')
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s -L %s -L %s "$@"\n' "$libs" "$root/usr/bin/qemu-system-aarch64" \
        "$root/usr/share/qemu" "$root/usr/lib/ipxe/qemu" >"$run.$$"
    chmod +x "$run.$$"
    mv "$run.$$" "$run"
}
echo "$run"
