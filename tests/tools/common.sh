# common.sh - what the scripts of tests/ and bench/ share; sourced, never run.
#
# Words: TOP is the clone, CACHE the only folder outside it that we write to: downloads and
# unpacked Debian packages, kept between runs and safe to delete at any time.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${ARMX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/armx}
export TOP CACHE LC_ALL=C.UTF-8
mkdir -p "$CACHE"

note() { printf '%s\n' "$*" >&2; }
die() { note "${0##*/}: $*"; exit 1; }

# as_root CMD...: runs CMD with root's rights, by sudo when needed.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root or sudo for: $*"
    fi
}

# locked FILE CMD...: runs CMD while holding the lock FILE, so that parallel jobs do not meet.
locked()
{
    local file=$1
    shift
    ( flock 9 && "$@" ) 9>"$file"
}

codename() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }
