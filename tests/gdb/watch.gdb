# args watch
# status 7
# want ^Breakpoint 1, touch
# want Hardware watchpoint 2: row.watched
# want ^Hardware watchpoint 2: row.watched
# want ^Old value = 0
# want ^New value = 42
# want row.before = row.watched
# want ^Hardware read watchpoint 3: row.watched
# want ^Hardware read watchpoint 3: row.watched
# want ^Value = 42
# want ^Hardware access \(read/write\) watchpoint 4: row.after
# want ^Old value = 2
# want ^New value = 3
# want exited with code 07
break touch
continue
watch row.watched
continue
delete 2
rwatch row.watched
continue
delete 3
awatch row.after
continue
delete 4
continue
