# stress.sh - stress-ng with --verify, every stressor of five classes that passes natively for a
# second; those that the native program cannot run here are left out.
# test: long guest secs=3600 packages=stress-ng,libc-bin parts=cpu,memory,vm,scheduler,interrupt

scenario()
{
    local s bad=0 n=0
    for s in $(stress-ng --class "$PART?" 2>&1 | sed 's/.*stressors: //'); do
        # These need rights or devices that a container lacks, or last by design.
        case $s in oom-pipe | bad-altstack | bigheap | brk | resources | stack | cyclic | sleep | sysbadaddr) continue ;; esac
        timeout 60 stress-ng --$s 1 --$s-ops 50 --timeout 3 --verify -q </dev/null >/dev/null 2>&1 || continue
        n=$((n + 1))
        timeout 120 env -i PATH=/usr/bin $ARMX -L "$ROOT" "$ROOT/usr/bin/stress-ng" --$s 1 --$s-ops 50 --timeout 5 --verify -q \
            </dev/null >out 2>&1 || { echo "FAILED $s (status $?)"; tail -n 4 out; bad=$((bad + 1)); }
    done
    echo "$n stressors, $bad failed"
    [ $bad = 0 ] && [ $n -gt 0 ]
}
