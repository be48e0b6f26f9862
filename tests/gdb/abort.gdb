# args abort
# status 134
# want received signal SIGABRT
# want ^#[0-9]+ .* in abort
# want Program terminated with signal SIGABRT
continue
bt
continue
