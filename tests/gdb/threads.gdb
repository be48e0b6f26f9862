# args threads
# status 6
# want Breakpoint 1, main
# want ^Thread .* hit Breakpoint 2, worker
# want ^Thread .* hit Breakpoint 2, worker
# want ^Thread .* hit Breakpoint 2, worker
# want ^Thread .* hit Temporary breakpoint 3, threads
# want ^\* 1 +Thread .* threads
# want ^  2 +Thread
# want ^  3 +Thread
# want ^  4 +Thread
# want ^Thread 4
# want ^#[0-9]+ .* worker \(arg=
# want ^Thread 3
# want ^Thread 2
# want ^Thread 1
# want ^#0 .*threads \(\)
# want ^\$1 = 6
# want exited with code 06
break main
continue
break @worker@
continue
continue
continue
tbreak @started@
continue
info threads
thread apply all bt
print counter
next
next
continue
