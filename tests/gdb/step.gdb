# args sum
# status 7
# want ^Breakpoint 1, sum
# want ^\$1 = 60
# want ^\$2 = 30
# want exited with code 07
break sum
continue
set $steps = 0
while $steps < 60
  stepi
  set $steps = $steps + 1
end
print $steps
tbreak @after@
continue
print r
continue
