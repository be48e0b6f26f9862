# chroot.sh - a Debian system made as debootstrap does: packages unpacked, then installed and
# configured by the arm64 dpkg in a chroot with nothing but armx in it; ldconfig, apt, passwd, su.
# Root only. Programs start programs there without binfmt_misc.
# test: long guest secs=1800 packages=apt,dpkg,base-files,base-passwd,libc-bin,dash,bash,coreutils,perl-base,debconf,mawk,sed,grep,findutils,tar,gzip,diffutils,util-linux,login,passwd,hostname,init-system-helpers,sysvinit-utils,ncurses-bin,ncurses-base,bsdutils,debianutils,mount,debian-archive-keyring

inside()
{
    local prog=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive \
        DEBCONF_NONINTERACTIVE_SEEN=true unshare -m bash -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
        "$PWD/t" /armx-user "$prog" "$@"
}

scenario()
{
    [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || { echo "needs root and mount namespaces"; exit 77; }
    set -e
    mkdir t
    while read -r deb; do
        [ -e "$deb" ] || { echo "the packages themselves are gone from the cache"; exit 77; }
        dpkg-deb --fsys-tarfile "$deb" | tar -x -p --keep-directory-symlink -C t
    done <"$ROOT/.debs"
    for dir in bin sbin lib; do
        if [ ! -L t/$dir ]; then
            cp -a t/$dir/. t/usr/$dir/
            rm -rf "t/${dir:?}"
            ln -s usr/$dir t/$dir
        fi
    done
    mkdir -p t/var/lib/dpkg/info t/debs t/proc t/dev
    : >t/var/lib/dpkg/status
    : >t/var/lib/dpkg/available
    mknod -m 666 t/dev/null c 1 3
    mknod -m 666 t/dev/urandom c 1 9
    xargs -a "$ROOT/.debs" cp -t t/debs
    cp "${ARMX%% *}" t/armx-user
    echo 'nameserver 127.0.0.1' >t/etc/resolv.conf
    inside /bin/sh -c 'dpkg --force-depends --install /debs/base-passwd_*.deb /debs/base-files_*.deb /debs/dpkg_*.deb' >log 2>&1 ||
        { cat log; exit 1; }
    # The rest in one go, as debootstrap's second stage.
    inside /bin/sh -c 'dpkg --force-overwrite --force-confold --force-depends --unpack /debs/*.deb && dpkg --configure -a' >log 2>&1 ||
        { tail -n 40 log; exit 1; }
    [ -z "$(inside /usr/bin/dpkg --audit)" ]
    inside /usr/bin/dpkg-query -W -f '${db:Status-Abbrev}\n' | sort | uniq -c
    inside /sbin/ldconfig
    inside /sbin/ldconfig -p | head -n 1
    [ "$(inside /usr/bin/dpkg --print-architecture)" = arm64 ]
    inside /usr/bin/apt-get check
    inside /usr/bin/apt-cache policy bash | head -n 2 | tail -n 1
    inside /usr/sbin/useradd -m -u 1234 guest
    inside /bin/su guest -c 'id; echo $HOME; readlink /proc/self/exe; tr "\0" " " </proc/self/cmdline; echo'
    inside /bin/sh -c 'dpkg --remove --force-all debian-archive-keyring && dpkg -i /debs/debian-archive-keyring_*.deb' | tail -n 1
    echo chroot done
}
