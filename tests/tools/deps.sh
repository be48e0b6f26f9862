#!/usr/bin/env bash
# deps.sh GROUP... - installs the Debian packages that the named groups need and that are missing.
#
# Groups: build, test, long, fuzz, bench, and demo.  Does nothing, and needs no rights and no network,
# when all are there.  To add a package, put it into its group's row; A|B is the first that the release has.
set -eu
. "$(dirname "$0")/common.sh"

declare -A group=(
    [build]="gcc libc6-dev cmake ninja-build pkg-config libcapstone-dev libffi-dev libzstd-dev zlib1g-dev
             libfdt-dev libslirp-dev libglib2.0-dev"
    [cross]="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross binutils-aarch64-linux-gnu binutils g++"
    [apt]="apt dpkg debian-archive-keyring ca-certificates xz-utils zstd"
    # libcriterion's own dependencies come with it; the programs are the native side of tests/debian.
    [unit]="libcriterion-dev libmpfr-dev libcapstone-dev python3-minimal gdb-multiarch
            libllvm14|libllvm19"
    [native]="bash dash coreutils findutils grep sed gawk diffutils tar gzip bzip2 xz-utils zstd git make
              gcc g++ binutils python3 perl lua5.4 sqlite3 openssl bc m4 file"
    [soak]="clang stress-ng ffmpeg default-jdk-headless debootstrap e2fsprogs fakeroot"
)
group[demo]="${group[build]} ${group[cross]} ${group[apt]}"
group[test]="${group[demo]} ${group[unit]} ${group[native]}"
group[long]="${group[test]} ${group[soak]}"
group[fuzz]="${group[build]} clang libclang-rt-dev"
group[bench]="${group[test]}"

want=()
for g in "$@"; do
    [ -n "${group[$g]:-}" ] || die "no such group: $g"
    for p in ${group[$g]}; do
        want+=("$p")
    done
done

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
# missed A|B|...: none of them is installed
missed()
{
    local p
    for p in ${1//|/ }; do
        ! installed "$p" || return
    done
}
missing=()
for p in $(printf '%s\n' "${want[@]}" | sort -u); do
    ! missed "$p" || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

note "installing: ${missing[*]}"
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2; }
# first A|B|...: the first that apt knows, or else A
first()
{
    local p
    for p in ${1//|/ }; do
        ! apt-cache show "$p" >/dev/null 2>&1 || { echo "$p"; return; }
    done
    echo "${1%%|*}"
}
install()
{
    local p names=()
    for p in "${missing[@]}"; do
        names+=("$(first "$p")")
    done
    apt_get install -y --no-install-recommends "${names[@]}"
}
# Lists may be absent or too old to name files that still exist: refresh them once.
apt-cache show "$(first "${missing[0]}")" >/dev/null 2>&1 || apt_get update
install || { apt_get update && install; }
