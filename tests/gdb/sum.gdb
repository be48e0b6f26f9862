# args sum
# status 7
# want ^Breakpoint 1, main
# want ^#0  main \(argc=2,
# want ^[0-9]+.*int r = sum
# want ^sum \(n=4\)
# want ^Breakpoint 2, leaf \(n=1\)
# want ^#0  leaf \(n=1\)
# want ^#1  0x[0-9a-f]+ in sum \(n=4\)
# want ^#2  0x[0-9a-f]+ in main
# want ^\$1 = 1$
# want ^\$2 = 1.5$
# want ^\$3 = "before"
# want ^pc +0x[0-9a-f]+ .*<leaf
# want <leaf
# want ^Value returned is \$5 = 1$
# want ^Breakpoint 3, leaf \(n=3\)
# want ^\$6 = 49$
# want ^Temporary breakpoint 4, sum
# want ^\$7 = 30$
# want ^\$8 = 34$
# want ^Value returned is \$9 = 31
# want ^Temporary breakpoint 5, main
# want ^\[Inferior 1 .* exited with code 07\]
break main
continue
bt
next
next
next
step
break leaf
continue
bt
print n
print ratio
print text
info registers pc
print $pc
delete 2
finish
break leaf if n == 3
continue
print leaf(7)
delete 3
tbreak @summed@
continue
print total
print leaf(2) + total
set var total = 31
finish
tbreak @after@
continue
continue
