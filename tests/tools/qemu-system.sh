#!/usr/bin/env bash
# qemu-system.sh [RELEASE] - prints a script that runs Debian's QEMU system emulator for AArch64, unpacked in the cache; that of another
# release of Debian (trixie) runs with that one's libraries.
#
# It is an oracle and a yardstick only, and is not installed on the machine. ARMX_QEMU_SYSTEM=PATH overrides the one of this release.
set -eu
. "$(dirname "$0")/common.sh"

[ $# -gt 0 ] || [ -z "${ARMX_QEMU_SYSTEM:-}" ] || { echo "$ARMX_QEMU_SYSTEM"; exit 0; }
root=$(bash "$TOP/tests/tools/sysroot.sh" -a amd64 ${1:+-r "$1"} "qemu-system${1:+-$1}" qemu-system-arm)
run=$root/run-qemu-system-aarch64
[ -x "$run" ] || {
    libs=$(find "$root/usr/lib" -name '*.so.*' -printf '%h\n' | sort -u | tr '\n' ':')
    emulator="$root/usr/bin/qemu-system-aarch64 -L $root/usr/share/qemu -L $root/usr/lib/ipxe/qemu"
    if [ $# -gt 0 ]; then
        echo "exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $libs $emulator \"\$@\""
    else
        echo "LD_LIBRARY_PATH=$libs exec $emulator \"\$@\""
    fi | sed '1i #!/bin/sh' >"$run.$$"
    chmod +x "$run.$$"
    mv "$run.$$" "$run"
}
echo "$run"
