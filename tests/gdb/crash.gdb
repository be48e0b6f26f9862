# args crash
# status 139
# want received signal SIGSEGV
# want MARK crash
# want ^#0 .* in main
# want Program terminated with signal SIGSEGV
continue
bt
continue
