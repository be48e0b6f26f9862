# args loop
# status 10
# want received signal SIGINT
# want ^#0 .* loop
# want ^\$1 = 1
# want exited with code 012
python
import os, threading, time
def interrupt():
    while not os.path.exists("looping"):
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(os.getpid(), 2)
threading.Thread(target=interrupt, daemon=True).start()
end
continue
bt
print n > 1000
signal SIGUSR1
