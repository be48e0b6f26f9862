# lib.sh - what the scripts of test cases share; sourced, never run.  See tests/run for the
# environment that a case finds.
. "$TOP/tests/tools/common.sh"

skip() { echo "$*"; exit 77; }
fail() { echo "$*"; exit 1; }

# same WHAT A B: fails, showing the difference, unless the files A and B are equal.
same()
{
    cmp -s "$2" "$3" && return 0
    diff -a -u --label "$2" --label "$3" "$2" "$3" | head -30
    fail "$1 differs"
}

sysroot() { bash "$TOP/tests/tools/sysroot.sh" "$@"; }

# until_listens PID PATH: waits until somebody listens at that socket (it has its name before that), or process PID is gone.
until_listens()
{
    until grep -q " 00010000 .* $2\$" /proc/net/unix || ! kill -0 "$1" 2>/dev/null; do
        sleep 0.02
    done
}

# arm_program FOLDER NAME [FLAG...]: builds tests/FOLDER/NAME.c for Arm, unless that is done, and prints
# the program's path.
arm_program()
{
    local from=$TOP/tests/$1 to=$WORK/$1/$2 name=$2
    shift 2
    mkdir -p "${to%/*}"
    locked "$to.lock" arm_program_build "$from" "$name" "$to" "$@" >&2 || return 1
    echo "$to"
}

arm_program_build()
{
    local from=$1 name=$2 to=$3
    shift 3
    [ ! -e "$to" ] || [ -n "$(find "$from" "$TOP"/tests/*.h -name '*.[chd]*' -newer "$to")" ] || return 0
    aarch64-linux-gnu-gcc -std=gnu11 -O2 -g -static -pthread "$@" -o "$to.$$" "$from/$name.c" && mv "$to.$$" "$to"
}
