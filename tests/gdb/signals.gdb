# args signal
# status 10
# want received signal SIGUSR1
# want ^#[0-9] .* raise
# want Breakpoint 1, on_signal \(s=10\)
# want <signal handler called>
# want ^#[0-9] .* in main
# want Temporary breakpoint 2, main
# want ^\$1 = 10
# want exited with code 012
handle SIGUSR1 stop print pass
continue
bt
break @handler@
continue
bt
tbreak @raised@
continue
print caught
continue
