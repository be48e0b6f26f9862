#!/bin/sh
# second-stage - first program of a guest whose disk holds Debian's unpacked packages: configures them, then makes a system that
# starts by itself: a name, a root without password, who is logged in on the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
# On a disk with partitions: firmware finds GRUB, and GRUB the kernel.
with_grub()
{
    [ -e /dev/vda2 ] || return 0
    mkdir -p /boot/efi
    mkfs.vfat -F 32 /dev/vda1 >/dev/null && mount -t vfat /dev/vda1 /boot/efi &&
        printf 'GRUB_TIMEOUT=2\nGRUB_CMDLINE_LINUX="console=ttyAMA0"\nGRUB_DISABLE_OS_PROBER=true\n' >/etc/default/grub &&
        grub-install --target=arm64-efi --efi-directory=/boot/efi --removable --no-nvram && update-grub && umount /boot/efi
}

if /debootstrap/debootstrap --second-stage && with_grub; then
    echo guest >/etc/hostname
    echo 'LABEL=debian / ext4 defaults 0 1' >/etc/fstab
    passwd -d root
    mkdir -p /etc/systemd/system/serial-getty@ttyAMA0.service.d
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 ttyAMA0 vt220\n' \
        >/etc/systemd/system/serial-getty@ttyAMA0.service.d/login.conf
    echo "second stage is done"
else
    tail -n 20 /debootstrap/debootstrap.log
    echo "second stage failed"
fi
sync
exec systemctl poweroff -ff
