#!/usr/bin/env bash
# sysroot.sh [-a ARCH] [-r RELEASE] [-n] NAME PKG... - prints the path of a folder that holds Debian's
# packages PKG... of ARCH (arm64 unless told) with all they depend on, unpacked; makes it when it is not
# in the cache yet.
#   -r  of another release than the machine's      -n  without what they depend on; PKG is then a regular
#                                                       expression, of which the newest match counts
#
# apt runs on a state of its own in the cache, so nothing on the machine changes and no rights are
# needed.  Sources are the machine's own.  No maintainer script runs: what those would have made,
# and programs need, is made here (merged /usr, alternatives).  Absolute symbolic links become
# relative, so that they stay inside the folder.  A folder is keyed by its list of packages and the
# Debian release; once complete it is used as it is, without a network.
set -eu
. "$(dirname "$0")/common.sh"

arch=arm64 release=$(codename) alone=
while getopts a:nr: opt; do
    case $opt in
    a) arch=$OPTARG ;;
    n) alone=" alone" ;;
    r) release=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || die "usage: sysroot.sh [-a ARCH] [-r RELEASE] [-n] NAME PKG..."
name=$1
shift
key=$(printf '%s\n' "2 $release $arch$alone" "$@" | sha256sum | cut -c1-12)
root=$CACHE/sysroot/$name-$arch-$key
state=$CACHE/apt-$arch-$release

apt_private()
{
    local cmd=$1
    shift
    "$cmd" -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3 \
        -o Dir::State="$state" -o Dir::State::Lists="$state/lists" \
        -o Dir::State::status="$state/status" -o Dir::State::extended_states="$state/ext" \
        -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Debug::NoLocking=1 "$@"
}

# The machine's own Debian sources, one line each; of another release when that is wanted.
apt_sources()
{
    local uri suite component own
    own=$(codename)
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' | sort -u |
        while read -r uri suite component; do
            echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri ${suite/#$own/$release} $component"
        done
}

apt_update()
{
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    apt_sources >"$state/sources.list.new"
    if [ ! -s "$state/sources.list.new" ]; then
        note "refreshing the machine's package lists (none are there)"
        as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >&2
        apt_sources >"$state/sources.list.new"
    fi
    [ -s "$state/sources.list.new" ] || die "apt knows no Debian source on this machine"
    mv "$state/sources.list.new" "$state/sources.list"
    apt_private apt-get update >&2
}

# As apt_fetch, of the newest package that each expression names and nothing else.
apt_fetch_alone()
{
    local expression package file
    for expression in "$@"; do
        package=$(apt_private apt-cache pkgnames | grep -xE "$expression" | sort -V | tail -n 1)
        [ -n "$package" ] || return 1
        file=$(apt_private apt-get download --print-uris "$package" | awk '{ print $2 }') || return 1
        (cd "$state/cache/archives" && apt_private apt-get download "$package" >&2) || return 1
        echo "$state/cache/archives/$file"
    done
}

# Prints the files of all packages wanted, downloaded.
apt_fetch()
{
    local list file
    if [ -n "$alone" ]; then
        apt_fetch_alone "$@"
        return
    fi
    rm -rf "$state/none"
    mkdir -p "$state/none/partial"
    # An empty archive folder makes --print-uris name all files, also those at hand.
    list=$(apt_private apt-get install --no-install-recommends --print-uris \
        -o Dir::Cache::archives="$state/none" "$@") || return 1
    apt_private apt-get install -y --no-install-recommends --download-only "$@" >&2 || return 1
    while read -r _ file _; do
        echo "$state/cache/archives/$file"
    done <<<"$list"
}

# Links that maintainer scripts would make: /usr/bin/LINK -> the first TARGET there is.
alternatives()
{
    local link target
    while read -r link targets; do
        [ ! -e "$1/usr/bin/$link" ] || continue
        for target in $targets; do
            if [ -e "$1/usr/bin/$target" ]; then
                ln -sf "$target" "$1/usr/bin/$link"
                break
            fi
        done
    done <<EOF
awk gawk mawk
cc gcc clang
c++ g++ clang++
lua lua5.4
luac luac5.4
node nodejs
which which.debianutils
EOF
    for target in "$1"/usr/lib/*-linux-gnu/{blas,lapack}/lib*.so.3; do
        link=${target%/*}/../${target##*/}
        [ -e "$link" ] || [ ! -e "$target" ] || ln -s "${target#"${target%/*/*}/"}" "$link"
    done
    for target in "$1"/usr/lib/jvm/*/bin/*; do
        link=$1/usr/bin/${target##*/}
        [ -e "$link" ] || [ ! -e "$target" ] || ln -s "${target/#$1/../..}" "$link"
    done
}

# Absolute symbolic links become relative ones.
relative_links()
{
    local link target up
    find "$1" -type l -lname '/*' -printf '%P\t%l\n' |
        while IFS=$'\t' read -r link target; do
            case $target in /proc/* | /dev/*) continue ;; esac
            up=$(sed 's,[^/]*/,../,g; s,[^/]*$,,' <<<"$link")
            ln -sfn "$up${target#/}" "$1/$link"
        done
}

make_root()
{
    [ ! -e "$root/.complete" ] || return 0
    local tmp=$root.new debs deb dir
    note "sysroot $name ($arch): $*"
    if [ ! -s "$state/sources.list" ] || [ -z "$(ls "$state/lists" 2>/dev/null | grep Packages)" ]; then
        apt_update
    fi
    debs=$(apt_fetch "$@") || { apt_update; debs=$(apt_fetch "$@"); }
    rm -rf "$tmp"
    mkdir -p "$tmp/usr"
    for dir in bin sbin lib lib64; do
        mkdir -p "$tmp/usr/$dir"
        ln -s "usr/$dir" "$tmp/$dir"
    done
    for deb in $debs; do
        dpkg-deb --fsys-tarfile "$deb" |
            tar -x --no-same-owner --keep-directory-symlink -C "$tmp"
    done
    chmod -R u+rwX "$tmp"
    mkdir -p "$tmp/tmp"
    relative_links "$tmp"
    alternatives "$tmp"
    printf '%s\n' $debs >"$tmp/.debs"
    rm -rf "$root"
    : >"$tmp/.complete"
    mv "$tmp" "$root"
}

mkdir -p "$CACHE/sysroot"
[ -e "$root/.complete" ] || locked "$CACHE/sysroot/.lock" make_root "$@"
# Programs in it find "localhost", whatever the machine's own /etc/hosts says.
if [ ! -e "$root/etc/hosts" ]; then
    mkdir -p "$root/etc"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts.$$"
    mv "$root/etc/hosts.$$" "$root/etc/hosts"
fi
echo "$root"
