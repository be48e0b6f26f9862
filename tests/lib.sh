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
