"""machines.py - for tests that control machines as programs do: a running emulator, streams of bytes, QMP.

Whoever waits does so for minutes: a busy host is no failure.
"""
import json
import os
import re
import select
import socket
import subprocess
import sys
import time

PATIENCE = 180
running = []


def check(condition, what):
    if not condition:
        print("failed: %s" % (what,))
        for machine in running:
            machine.kill()
        sys.exit(1)


def dial(path):
    """Connected to the socket of that name, once it is there."""
    end = time.monotonic() + PATIENCE
    s = socket.socket(socket.AF_UNIX)
    while True:
        try:
            s.connect(path)
            return s
        except OSError:
            check(time.monotonic() < end, "no socket " + path)
            time.sleep(0.05)


class Stream:
    """A socket, or a descriptor, and what has been read of it."""

    def __init__(self, connected=None, fd=None):
        self.socket = connected
        self.fd = fd if connected is None else connected.fileno()
        self.seen = b""

    def send(self, data):
        os.write(self.fd, data if isinstance(data, bytes) else data.encode())

    def wait(self, regex):
        """The match, behind which reading goes on."""
        regex = regex if isinstance(regex, bytes) else regex.encode()
        end = time.monotonic() + PATIENCE
        while True:
            m = re.search(regex, self.seen)
            if m:
                self.seen = self.seen[m.end():]
                return m
            check(time.monotonic() < end, "%s did not come, but %r" % (regex, self.seen[-300:]))
            if select.select([self.fd], [], [], 0.5)[0]:
                data = os.read(self.fd, 65536)
                check(data, "the other side is gone before %s, and had said %r" % (regex, self.seen[-300:]))
                self.seen += data

    def is_exactly(self, data):
        got = self.wait(b"(?s)^.{%d}" % len(data)).group(0)
        check(got == data, "expected %r, and %r came" % (data, got))

    def ends(self):
        """Waits until the other side has closed."""
        check(select.select([self.fd], [], [], PATIENCE)[0] and not os.read(self.fd, 65536), "the other side did not close")


class Qmp(Stream):
    """Requests and answers; events are kept."""

    def __init__(self, connected):
        super().__init__(connected)
        self.events = []
        self.data = {}
        greeting = self.line()
        check("QMP" in greeting and "version" in greeting["QMP"], greeting)

    def line(self):
        return json.loads(self.wait(r"(\{.*\})\r\n").group(1))

    def ask(self, name, **arguments):
        """The whole answer."""
        self.send(json.dumps({"execute": name, "arguments": arguments, "id": name}))
        while True:
            answer = self.line()
            if "event" in answer:
                self.keep(answer)
            else:
                check(answer.get("id") == name, answer)
                return answer

    def get(self, name, **arguments):
        """What it returns."""
        answer = self.ask(name, **arguments)
        check("return" in answer, answer)
        return answer["return"]

    def human(self, line):
        return self.get("human-monitor-command", **{"command-line": line})

    def keep(self, event):
        self.events.append(event["event"])
        self.data[event["event"]] = event.get("data")

    def event(self, name):
        while name not in self.events:
            self.keep(self.line())
        self.events.remove(name)

    def address(self, label):
        """Where the character device listens: HOST, PORT (its own, for UDP)."""
        names = {c["label"]: c["filename"] for c in self.get("query-chardev")}
        m = re.search(r"(\[[^@]*\]|[^:@]*):(\d+)(,server=on|$)", names[label])
        check(m, names)
        return m.group(1).strip("[]"), int(m.group(2))


class Machine:
    """An emulator with QMP on a socket of its own, .qmp, ready for commands; and with .serial on another, if it is wanted."""

    def __init__(self, command, serial=False):
        pairs = [socket.socketpair() for _ in range(1 + serial)]
        fds = [theirs.fileno() for _, theirs in pairs]
        command = command + ["-display", "none", "-nodefaults", "-chardev", "socket,id=qmp,fd=%d" % fds[0], "-mon", "chardev=qmp,mode=control"]
        if serial:
            command += ["-chardev", "socket,id=serial,fd=%d" % fds[1], "-serial", "chardev:serial"]
        self.process = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL)
        for _, theirs in pairs:
            theirs.close()
        running.append(self.process)
        self.qmp = Qmp(pairs[0][0])
        self.qmp.get("qmp_capabilities")
        self.serial = Stream(pairs[-1][0]) if serial else None

    def ends(self, status=0):
        self.process.wait(PATIENCE)
        check(self.process.returncode == status, "status %s" % self.process.returncode)
        running.remove(self.process)
