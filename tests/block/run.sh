#!/usr/bin/env bash
# run.sh - one case of the disk image tests.
#
# usage: run.sh HOW IMAGE N
# qemu-img (Debian's qemu-utils, unpacked in the cache) makes images, checks them and compares what they hold.
set -eu
. "$(dirname "$0")/../tools/common.sh"

root=$(bash "$TOP/tests/tools/sysroot.sh" -a amd64 qemu-tools qemu-utils)
img() { LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu "$root/usr/bin/qemu-img" "$@" >/dev/null 2>&1; }
ours=$BUILD/tests/block/blocktest
how=$1 image=$2 n=$3
[ -n "${LONG:-}" ] || RANDOM=1 # the same each time, but in `make test-long`

# options IMAGE: what `qemu-img create -o` is told.
options()
{
    case $1 in
    v2) echo compat=0.10 ;;
    v3-zstd) echo compression_type=zstd ;;
    tiny) echo cluster_size=512 ;;
    huge) echo cluster_size=2M ;;
    refcount1) echo refcount_bits=1 ;;
    refcount64) echo refcount_bits=64 ;;
    lazy) echo lazy_refcounts=on ;;
    *) echo compat=1.1 ;;
    esac
}

# same IMAGE FORMAT RAW: the image is sound and holds RAW.
same()
{
    [ "$2" = raw ] || img check "$1"
    img compare -f "$2" -F raw "$1" "$3"
}

size=$((24 * 1024 * 1024 + 512))
truncate -s $size want.raw
case $how in
random)
    if [ "$image" = raw ]; then
        truncate -s $size disk
    else
        img create -f qcow2 -o "$(options "$image")" disk $size
    fi
    format=$([ "$image" = raw ] && echo raw || echo qcow2)
    "$ours" disk "$format" want.raw 1 "$n"
    same disk "$format" want.raw
    "$ours" disk "$format" want.raw 2 "$n" unmap
    same disk "$format" want.raw
    "$ours" disk "$format" want.raw 3 100 writethrough
    "$ours" disk "$format" want.raw 3 100 readonly
    same disk "$format" want.raw
    ;;
backing | backing-raw | backing-short)
    head -c $size /dev/urandom >base.raw
    [ "$how" != backing-short ] || truncate -s 10000384 base.raw
    cp base.raw base
    format=raw
    [ "$how" != backing ] || { img convert -f raw -O qcow2 base.raw base; format=qcow2; }
    cp base.raw want.raw
    truncate -s $size want.raw
    img create -f qcow2 -b base -F $format disk $size
    before=$(sha256sum <base)
    "$ours" disk qcow2 want.raw 1 "$n"
    "$ours" disk qcow2 want.raw 2 "$n" unmap
    same disk qcow2 want.raw
    [ "$before" = "$(sha256sum <base)" ] || die "the backing file was changed"
    ;;
compressed | compressed-zstd)
    yes 'a line of text, again and again' | head -c $size >want.raw
    img convert -c -f raw -O qcow2 -o "$(options v3${how#compressed})" want.raw disk
    "$ours" disk qcow2 want.raw 1 "$n"
    same disk qcow2 want.raw
    ;;
snapshots)
    img create -f qcow2 disk $size
    "$ours" disk qcow2 want.raw 1 "$n"
    img snapshot -c one disk
    cp want.raw one.raw
    "$ours" disk qcow2 want.raw 2 "$n"
    same disk qcow2 want.raw
    img snapshot -a one disk
    same disk qcow2 one.raw
    ;;
throw-away)
    head -c $size /dev/urandom >want.raw
    for format in raw qcow2; do
        img convert -f raw -O $format want.raw disk
        before=$(sha256sum <disk)
        "$ours" disk $format want.raw 1 "$n" snapshot
        [ "$before" = "$(sha256sum <disk)" ] || die "snapshot=on wrote to the image"
    done
    ;;
killed)
    img create -f qcow2 disk 64M
    for ((i = 0; i < n; i++)); do
        "$ours" -k disk qcow2 $((i * 65536)) >log &
        sleep 0.0$((RANDOM % 90 + 10))
        kill -9 $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        last=$(tail -n 1 log)
        [ -n "$last" ] || continue
        "$ours" -c disk qcow2 $((i * 65536)) "$last"
        status=0
        img check disk || status=$?
        [ $status = 0 ] || [ $status = 3 ] || die "image is corrupt after a kill: qemu-img check says $status"
    done
    echo "$n kills, nothing lost"
    ;;
bad)
    img create -f qcow2 -b none -F raw -u nobase 1M
    img create -f qcow2 loop 1M
    img rebase -u -b loop -F qcow2 loop
    img create -f qcow2 -o extended_l2=on ext 1M
    img create -f qcow2 good 64M
    "$ours" good qcow2 - 1 200
    head -c 100000 good >short
    head -c 50 good >tiny
    for file in nobase loop ext tiny absent /dev/null .; do
        status=0
        timeout 10 "$ours" -o $file qcow2 >out || status=$?
        [ $status = 3 ] && [ "$(wc -l <out)" = 1 ] || { cat out; die "$file: status $status"; }
    done
    timeout 10 "$ours" -o short qcow2 >out || [ $? -ge 3 ]
    # a bit flipped anywhere in the tables: an error or wrong data, but no crash and no hang
    for ((i = 0; i < n; i++)); do
        cp good flipped
        at=$((i % 2 ? i / 2 % 112 : RANDOM * 8 % 400000))
        printf "\\x$(printf %x $((RANDOM % 256)))" | dd of=flipped bs=1 seek=$at conv=notrunc status=none
        status=0
        timeout 20 "$ours" flipped qcow2 - $i 50 >out 2>&1 || status=$?
        [ $status -le 4 ] || { cat out; cp flipped "$BUILD/tests/block/"; die "byte $at flipped (kept in $BUILD/tests/block): status $status"; }
    done
    echo "all refused or survived"
    ;;
esac
