# guest.sh - the kernels and initial RAM disks of tests/boot; sourced, never run.
. "$TOP/tests/lib.sh"

# What kernels have as modules and tests need; with a +: loaded when somebody asks, by name or by what it is for.
guest_modules="virtio_mmio virtio_pci virtio_blk virtio_net virtio_rng virtio_console virtio_balloon 9pnet_virtio +9p +ext4 crc32c_generic
    gpio_keys evdev rtc_pl031 failover nls_ascii +nls_cp437 +vfat +zram +dm_snapshot +qemu_fw_cfg"

# guest_root NAME: the folder with the kernel's package (6.1 of Debian 12, 6.12 of Debian 13, with pages of 4 or 16 KiB; newer: what the next
# Debian has) unpacked.
guest_root()
{
    case $1 in
    6.1) sysroot -r bookworm -n boot-k61 'linux-image-6\.1\.0-[0-9]+-arm64-unsigned' busybox-static ;;
    6.12) sysroot -r trixie -n boot-k612 'linux-image-6\.12\.[0-9+a-z]+-arm64-unsigned' busybox-static ;;
    6.12-16k) sysroot -r trixie -n boot-k612-16k 'linux-image-6\.12\.[0-9+a-z]+-arm64-16k-unsigned' busybox-static ;;
    newer) sysroot -r forky -n boot-newer 'linux-binary-unsigned-[0-9.]+\+deb[0-9]+-arm64' 'linux-modules-[0-9.]+\+deb[0-9]+-arm64' busybox-static ;;
    *) die "no such kernel: $1" ;;
    esac
}

# guest_kernel NAME: prints the Image.
guest_kernel()
{
    local root
    root=$(guest_root "$1") || return 1
    find "$root/boot" "$root/usr/lib/modules" -maxdepth 2 -name 'vmlinuz*' 2>/dev/null
}

# guest_initrd NAME: prints the initial RAM disk, which is made when it is not there.
guest_initrd()
{
    local root out=$WORK/boot/initrd-$1.gz
    root=$(guest_root "$1") || return 1
    mkdir -p "${out%/*}"
    locked "$out.lock" guest_initrd_make "$root" "$out" >&2 || return 1
    echo "$out"
}

guest_initrd_make()
{
    local root=$1 out=$2
    [ ! -e "$out" ] || [ -n "$(find "$TOP/tests/boot" -name 'init*' -newer "$out")$(find "$TOP/tests/boot/guest.sh" -newer "$out")" ] || return 0
    # shellcheck disable=SC2086
    python3 "$TOP/tests/boot/initramfs.py" "$out.new" "$root/bin/busybox" "$(echo "$root"/usr/lib/modules/*)" $guest_modules &&
        mv "$out.new" "$out"
}

# guest_system: armx-system, or with SYSTEM=qemu Debian's QEMU, to test the tests.
guest_system()
{
    case ${SYSTEM:-} in
    qemu) bash "$TOP/tests/tools/qemu-system.sh" ;;
    ?*) echo "$SYSTEM" ;;
    *) echo "$BUILD/armx-system" ;;
    esac
}

# guest_firmware: the folder with U-Boot and EDK2 unpacked.
guest_firmware()
{
    sysroot -n boot-firmware u-boot-qemu qemu-efi-aarch64
}

# guest_debian [grub]: an image of a Debian 12 for arm64 whose packages are unpacked and not configured yet: the first half of
# debootstrap. Its /second-stage does the rest, in the guest. With grub: a disk with partitions, a kernel and GRUB. 77 when it cannot
# be made here.
guest_debian()
{
    local out=$CACHE/boot/debian-bookworm-4${1:+-$1}.img
    mkdir -p "${out%/*}"
    locked "$out.lock" guest_debian_make "$out" "${1:+linux-image-arm64,grub-efi-arm64,dosfstools,initramfs-tools,zstd}" >&2 || return
    echo "$out"
}

guest_debian_make()
{
    local out=$1 more=$2 tree=$1.tree uri fake=
    [ ! -e "$out" ] || return 0
    [ "$(id -u)" = 0 ] || fake=fakeroot
    command -v debootstrap mke2fs $fake >/dev/null || return 77
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
    rm -rf "$tree"
    cat >"$out.sh" <<S
set -e
debootstrap --foreign --arch=arm64 --variant=minbase --include=systemd-sysv,udev,dbus,gcc,libc6-dev,procps${more:+,$more} bookworm '$tree' '$uri'
install -m 755 '$TOP/tests/boot/second-stage.sh' '$tree/second-stage'
cp '$(sysroot_deb hello)' '$tree/root/hello.deb'
rm -rf '$tree/dev/'* '$tree/proc' # where mknod is not allowed proc is a link
mkdir '$tree/proc'
mke2fs -q -t ext4 -L debian -d '$tree' '$out.new' 3G
S
    $fake bash "$out.sh" && { [ -z "$more" ] || { python3 "$TOP/tests/boot/gpt.py" "$out.disk" "$out.new" && mv "$out.disk" "$out.new"; }; } &&
        mv "$out.new" "$out"
    rm -rf "$tree"
}

# guest_tools: an image with perf, stress-ng and hackbench for Debian 12's kernel.
guest_tools()
{
    local out=$CACHE/boot/tools-1.img
    mkdir -p "${out%/*}"
    locked "$out.lock" guest_tools_make "$out" >&2 || return 1
    echo "$out"
}

guest_tools_make()
{
    local root
    [ ! -e "$1" ] || return 0
    root=$(sysroot -r bookworm tools linux-perf stress-ng rt-tests dash gzip) && mke2fs -q -t ext4 -d "$root" "$1.new" 600M && mv "$1.new" "$1"
}

# sysroot_deb PACKAGE: the file of an arm64 package.
sysroot_deb()
{
    cat "$(sysroot -r bookworm -n "boot-$1" "$1")/.debs"
}
