#!/usr/bin/env python3
"""console.py SCRIPT COMMAND... - runs an emulator on a terminal of its own and talks to its console as SCRIPT says.

SCRIPT is lines:
    wait SECONDS REGEX     until REGEX (bytes, multi-line) has appeared behind what was matched last; else the case fails.
                           SECONDS below 180 (or what PATIENCE says) are 180: a busy host is no failure, and a hang is one after minutes too
    again SECONDS REGEX    as wait, and what was sent last is sent again every second
    never REGEX            from now on: fails when REGEX appears
    send TEXT              types TEXT and Return; \\xNN escapes, and \\c at the end for no Return
    signal NAME            sends the signal to the emulator
    pause SECONDS
    ends SECONDS [STATUS]  the emulator ends by itself within SECONDS (as for wait), with STATUS (0)
    kill                   ends it
Empty lines and those that begin with # do not count. What the console says goes to standard output.
The terminal must be as it was afterwards, whatever happened.
"""
import codecs
import os
import pty
import re
import select
import signal
import sys
import termios
import time

script = open(sys.argv[1]).read().splitlines()
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.close(master)
    os.setsid()
    import fcntl
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.execvp(sys.argv[2], sys.argv[2:])
PATIENCE = float(os.environ.get("PATIENCE", 180))
seen = b""
at = 0
nevers = []
sent = b""
status = None


def take(timeout):
    """Reads what there is; False at the end."""
    global seen
    if not select.select([master], [], [], max(timeout, 0))[0]:
        return True
    try:
        data = os.read(master, 65536)
    except OSError:
        data = b""
    seen += data
    sys.stdout.buffer.write(data.replace(b"\r", b""))
    sys.stdout.flush()
    for never in nevers:
        m = re.search(never, seen[at:])
        if m:
            fail("said %r" % m.group(0))
    return bool(data)


def reap():
    global status
    if status is None:
        done, st = os.waitpid(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(st)
    return status is not None


def finish():
    global status
    if not reap():
        os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fail(why):
    finish()
    print("\n%s" % why)
    sys.exit(1)


for number, line in enumerate(script, 1):
    word, _, rest = line.strip().partition(" ")
    if not word or word.startswith("#"):
        continue
    if word in ("wait", "again"):
        seconds, _, regex = rest.partition(" ")
        begin = time.monotonic()
        end = begin + max(float(seconds), PATIENCE)
        while True:
            m = re.compile(regex.encode(), re.M).search(seen, at)
            if m:
                at = m.end()
                break
            if time.monotonic() > end:
                fail("line %d: %s did not come within %s s" % (number, regex, seconds))
            if reap():
                while select.select([master], [], [], 0.1)[0] and take(0):
                    pass
                if not re.compile(regex.encode(), re.M).search(seen, at):
                    fail("line %d: ended with status %s before %s came" % (number, status, regex))
            else:
                take(min(0.2, end - time.monotonic()))
                if word == "again" and time.monotonic() > begin + 1:
                    begin = time.monotonic()
                    os.write(master, sent)
    elif word == "never":
        nevers.append(rest.encode())
    elif word == "send":
        text, end = (rest[:-2], "") if rest.endswith("\\c") else (rest, "\r")
        text = (codecs.decode(text, "unicode_escape") if "\\x" in text else text) + end
        sent = text.encode("latin-1")
        os.write(master, sent)
    elif word == "signal":
        os.kill(pid, getattr(signal, rest))
    elif word == "pause":
        end = time.monotonic() + float(rest)
        while time.monotonic() < end:
            take(end - time.monotonic())
    elif word == "ends":
        seconds, _, wanted = rest.partition(" ")
        end = time.monotonic() + max(float(seconds), PATIENCE)
        while not reap():
            if time.monotonic() > end:
                fail("line %d: did not end within %s s" % (number, seconds))
            take(0.1)
        while select.select([master], [], [], 0)[0] and take(0):
            pass
        if status != int(wanted or 0):
            fail("line %d: status %d" % (number, status))
        if termios.tcgetattr(slave) != before:
            fail("the terminal was not given back")
    elif word == "kill":
        finish()
    else:
        fail("line %d: what is %s?" % (number, word))
finish()
