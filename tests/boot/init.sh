#!/bin/sh
# init - the first program of the guests of tests/boot: mounts, loads the modules there are, gives a shell on the console.
# When the shell ends the machine is switched off. With root=DEVICE, the system there is started instead;
# load=MODULE,... loads more of what the initial RAM disk has.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root PS1='guest# '
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /tmp
while read -r module; do
    modprobe "$module" || echo "init: $module did not load"
done </modules.list
for word in $(cat /proc/cmdline); do
    case $word in
    root=*) root=${word#root=} ;;
    init=*) next=${word#init=} ;;
    load=*) modprobe -a $(echo "${word#load=}" | tr , ' ') ;;
    esac
done
if [ -n "$root" ]; then
    while [ ! -e "$root" ]; do sleep 0.1; done
    mount -t ext4 "$root" /mnt
    mount --move /dev /mnt/dev
    umount /proc
    umount /sys
    exec switch_root /mnt "${next:-/sbin/init}"
fi
cd /root
# What is no warning does not come into the middle of the shell's lines.
dmesg -n 5
echo "init: Linux $(uname -r) is up, $(nproc) CPUs"
setsid cttyhack sh
echo "init: switching off"
poweroff -f
