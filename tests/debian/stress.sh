# stress.sh - stress-ng with --verify, every stressor of five classes that passes natively; one that
# fails under armx is run natively, too, and left out when it fails there as well.
# test: long guest secs=3600 packages=stress-ng,libc-bin parts=cpu,memory,vm,scheduler,interrupt

scenario()
{
    local s bad=0 n=0 without=0
    local options=(--timeout 4 --verify -q)
    for s in $(p stress-ng --class "$PART?" 2>&1 | sed 's/.*stressors: //'); do
        [ $s != vm-segv ] || continue # stops itself unless ptrace attaches its parent
        n=$((n + 1))
        timeout -k 2 120 env -i PATH=/usr/bin $ARMX -L "$ROOT" "$ROOT/usr/bin/stress-ng" "--$s" 1 "--$s-ops" 50 \
            "${options[@]}" </dev/null >out 2>&1
        status=$?
        [ $status != 0 ] || continue
        if timeout -k 2 60 stress-ng "--$s" 1 "--$s-ops" 50 "${options[@]}" </dev/null >native 2>&1; then
            echo "FAILED $s (status $status)"
            tail -n 4 out
            bad=$((bad + 1))
        else
            echo "without $s: fails natively, too"
            without=$((without + 1))
        fi
    done
    echo "$n stressors, $without of them without a native result, $bad failed"
    [ $bad = 0 ] && [ $n -gt 20 ]
}
