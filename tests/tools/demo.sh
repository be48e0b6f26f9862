#!/usr/bin/env bash
# demo.sh - the main job, shown: Debian's own arm64 programs and a program of ours with threads, run
# by build/armx-user, and the time they take natively, under QEMU when it is installed, and here.
set -eu
. "$(dirname "$0")/common.sh"
armx=$TOP/build/armx-user
root=$(bash "$TOP/tests/tools/sysroot.sh" demo bash coreutils python3 perl sqlite3 gcc libc6-dev)
work=$TOP/build/demo
mkdir -p "$work"
cd "$work"

# show PROGRAM ARG...: runs Debian's arm64 program.
show()
{
    local name=$1
    shift
    echo "\$ $name $(tr '\n' ' ' <<<"$*" | cut -c1-110)"
    env -i PATH="$root/usr/bin" HOME="$work" LC_ALL=C.UTF-8 "$armx" -L "$root" -0 "$name" "$root/usr/bin/$name" "$@"
    echo
}

echo "== Debian's arm64 programs, run by $("$armx" -version | head -n 1)"
show uname -m
show bash -c 'for i in 1 2 3; do echo "shell $i"; done | sort -r; echo "$(ls / | wc -l) names in /"'
show python3 -c 'import platform, math; print(platform.machine(), math.factorial(25), sum(i * i for i in range(100000)))'
show perl -e 'my %h; $h{length $_}++ for qw(the quick brown fox jumps over the lazy dog); print "$_ => $h{$_}\n" for sort keys %h'
show sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select count(*), sum(i * i), group_concat(i) filter (where i < 6) from n'

cat >hello.c <<'S'
#include <stdio.h>
int main(void)
{
    printf("compiled by the arm64 gcc, run by armx\n");
    return 0;
}
S
show gcc -O2 --sysroot="$root" -o hello hello.c
echo "\$ ./hello"
"$armx" -L "$root" ./hello
echo

echo "== a program of ours with four threads"
source=$TOP/bench/guest/parallel.c
aarch64-linux-gnu-gcc -O2 -static -pthread -o parallel-arm64 "$source"
gcc -O2 -pthread -o parallel-native "$source"
TIMEFORMAT='%R s elapsed, %U s CPU'
# timed NAME CMD...: one line with the time; the output goes to NAME.out.
timed()
{
    local name=$1 t
    shift
    t=$({ time "$@" >"$name.out"; } 2>&1)
    printf '%-8s %s\n' "$name" "$t"
}
timed armx "$armx" ./parallel-arm64 4 >times
timed native ./parallel-native 4 >>times
for qemu in qemu-aarch64-static qemu-aarch64; do
    if command -v $qemu >/dev/null; then
        timed QEMU $qemu ./parallel-arm64 4 >>times
        break
    fi
done
echo "\$ ./parallel-arm64 4"
cat armx.out
cmp armx.out native.out && echo "(the same as natively)"
echo
cat times
grep -q '^QEMU' times || echo "QEMU     is not installed"
