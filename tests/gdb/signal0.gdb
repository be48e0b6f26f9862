# args signal
# status 0
# want received signal SIGUSR1
# want exited normally
continue
signal 0
