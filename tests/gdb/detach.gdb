# args sum
# status 7
# want ^Breakpoint 1, leaf
# want detached
break leaf
continue
detach
