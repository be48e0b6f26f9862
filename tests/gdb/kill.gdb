# args loop
# status 137
# want Temporary breakpoint 1, loop
# want \[Inferior 1 .* killed\]
tbreak loop
continue
kill
