#!/bin/sh
# init - the first program of the guests of tests/boot: mounts, loads the modules there are, gives a shell on the console.
# When the shell ends the machine is switched off.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root PS1='guest# '
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /tmp
while read -r module; do
    insmod "$module" || echo "init: $module did not load"
done </modules.list
cd /root
echo "init: Linux $(uname -r) is up, $(nproc) CPUs"
setsid cttyhack sh
echo "init: switching off"
poweroff -f
