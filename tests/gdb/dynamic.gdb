# dynamic
# args sum
# status 7
# want ^Breakpoint 1, sum \(n=4\)
# want libc.so.6
# want hit Breakpoint 2|^Breakpoint 2, 
# want ^#1 .* in main
# want exited with code 07
break sum
continue
info sharedlibrary
delete
break printf
continue
bt
delete
continue
