# args loop
# status 10
# want received signal SIGINT
# want ^#0 .* loop
# want ^\$1 = 1
# want exited with code 012
python import os, threading
python threading.Timer(0.7, lambda: os.kill(os.getpid(), 2)).start()
continue
bt
print n > 1000
signal SIGUSR1
