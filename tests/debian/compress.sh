# compress.sh - gzip, bzip2, xz, zstd and tar with them: equal streams, round trips, bad input.
# test: secs=120 parts=gzip,bzip2,xz,zstd

scenario()
{
    # Text, zeros, noise and a program, in one file.
    { cat $GPL; head -c 100000 /dev/zero; sha512sum $GPL | head -c 100; cat "$ROOT/usr/bin/grep"; } >in
    case $PART in
    zstd) levels="1 3 10" suffix=zst quiet=-q ;;
    xz) levels="0 6" suffix=xz quiet=-q ;;
    bzip2) levels="1 9" suffix=bz2 quiet=-q ;;
    gzip) levels="1 6 9" suffix=gz quiet=-n ;;
    esac
    for level in $levels; do
        p "$PART" $quiet -$level -c <in >in.$level.$suffix
        sha256sum in.$level.$suffix
        p "$PART" -dc <in.$level.$suffix | cmp - in && echo "round trip at $level"
    done
    p "$PART" -t in.$level.$suffix
    echo "test $?"
    head -c 5000 in.$level.$suffix >broken.$suffix
    p "$PART" -t broken.$suffix
    echo "broken $?"
    cp in kept
    p "$PART" $quiet -k kept
    mkdir tree
    cp $GPL tree/
    p tar --mtime=@0 --owner=0 --group=0 --numeric-owner --use-compress-program="$PART $quiet" -cf tree.tar.$suffix tree
    p tar -tf tree.tar.$suffix
    [ "$PART" != zstd ] || p zstd -q -T2 -b1 -i0 in >/dev/null 2>&1
    [ "$PART" != xz ] || p xz -T2 --block-size=100000 -c <in | p xz -dc | sha256sum
}
