#!/usr/bin/env bash
# qemu.sh - prints the path of Debian's QEMU user emulator for AArch64, unpacked in the cache.
#
# It is an oracle and a yardstick only.  It is not installed on the machine, because the package
# would register itself for Arm programs and then run what armx should have run.
# ARMX_QEMU=PATH overrides it.
set -eu
. "$(dirname "$0")/common.sh"

[ -z "${ARMX_QEMU:-}" ] || { echo "$ARMX_QEMU"; exit 0; }
# From Debian 13 on the static build is qemu-user; before, qemu-user-static.
case $(codename) in
bookworm) package=qemu-user-static ;;
*) package=qemu-user ;;
esac
root=$(bash "$TOP/tests/tools/sysroot.sh" -a amd64 qemu "$package")
for file in "$root/usr/bin/qemu-aarch64-static" "$root/usr/bin/qemu-aarch64"; do
    [ ! -x "$file" ] || { echo "$file"; exit 0; }
done
die "no qemu-aarch64 in $root"
