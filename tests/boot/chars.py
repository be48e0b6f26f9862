#!/usr/bin/env python3
"""chars.py SYSTEM PROGRAM - where a serial port can lead: telnet, UDP, a server that comes and goes, memory; the guest is echo.S.
The kernel chooses all ports.
"""
import base64
import os
import re
import socket
import subprocess
import sys
import time

from machines import PATIENCE, Machine, Stream, check

system, program = sys.argv[1:]
command = [system, "-M", "virt", "-m", "16", "-kernel", program]
IAC, BREAK, SB, SE, WILL, WONT, DO, DONT = 255, 243, 250, 240, 251, 252, 253, 254


def connect(address):
    return Stream(socket.create_connection(address, PATIENCE))


def telnet(word):
    """The protocol around what the guest says, and clients one after the other."""
    machine = Machine(command + ["-S"] + word)
    where = machine.qmp.address("serial0")
    first = connect(where)
    first.is_exactly(bytes([IAC, WILL, 1, IAC, WILL, 3, IAC, WILL, 0, IAC, DO, 0]))
    machine.qmp.get("cont")
    first.wait("up\n")
    first.send(bytes([IAC, DO, 1, IAC, DO, 3, IAC, WONT, 0]) + b"a" + bytes([IAC, IAC]) + b"b\r\0c")
    first.is_exactly(b"a" + bytes([IAC, IAC]) + b"b\rc")
    first.send(bytes([IAC, BREAK]) + b"d")
    first.is_exactly(b"<break>d")
    first.send(bytes([IAC, WILL, 24, IAC, SB, 24, 0, IAC, IAC, 1, IAC, SE, IAC, DO, 31]) + b"e")
    first.is_exactly(bytes([IAC, DONT, 24]))
    rest = first.wait(b"(?s)^.{4}").group(0)
    check(rest.replace(bytes([IAC, WONT, 31]), b"") == b"e", rest)
    first.send(bytes([IAC, WILL, 0]) + b"\r\0")
    first.is_exactly(b"\r\0")
    second = connect(where)  # and waits
    first.socket.close()
    second.is_exactly(bytes([IAC, WILL, 1, IAC, WILL, 3, IAC, WILL, 0, IAC, DO, 0]))
    second.send("f")
    second.is_exactly(b"f")
    check(machine.qmp.ask("chardev-send-break", id="serial0")["return"] == {}, "send-break")
    second.is_exactly(b"<break>")
    second.send(b"\4")
    machine.ends()


def udp(options):
    """Datagrams both ways; an empty one is no end."""
    ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ours.bind(("127.0.0.1", 0))
    ours.settimeout(PATIENCE)
    machine = Machine(command + ["-S"] + [o.replace("PORT", str(ours.getsockname()[1])) for o in options])
    where = machine.qmp.address("serial0")
    machine.qmp.get("cont")
    got = b""
    while got != b"up\n":
        got += ours.recv(100)
    for text in (b"word", b"\xff\x00", b"x" * 100):
        ours.sendto(text, where)
        got = b""
        while len(got) < len(text):
            got += ours.recv(65536)
        check(got == text, "sent %r, got %r" % (text, got))
    ours.sendto(b"", where)
    ours.sendto(b"\4", where)
    machine.ends()


def reconnects(server, option):
    """A client whose server is not there yet, and goes away."""
    machine = Machine(command + ["-S", "-chardev", option + ",reconnect-ms=20,id=c", "-serial", "chardev:c"])
    def disconnected():
        return any(c["filename"].startswith("disconnected:") for c in machine.qmp.get("query-chardev"))

    check(disconnected(), "is disconnected")
    server.listen(1)
    peer = Stream(server.accept()[0])
    while disconnected():  # the kernel connects first; what the guest says before the emulator knows is nobody's
        pass
    machine.qmp.get("cont")
    peer.wait("up\n")
    for text in (b"first", b"second"):
        peer.socket.close()
        peer = Stream(server.accept()[0])
        peer.send(text)
        peer.wait(text)
    peer.send(b"\4")
    machine.ends()


def memory():
    """The last bytes are kept, until they are read."""
    machine = Machine(command + ["-chardev", "ringbuf,id=m,size=8", "-serial", "chardev:m", "-chardev", "null,id=n"])
    qmp = machine.qmp
    text = ""
    while text != "up\n":
        text += qmp.get("ringbuf-read", device="m", size=5)
    check(qmp.get("ringbuf-write", device="m", data="0123456789") == {}, "write")
    check(qmp.human("ringbuf_read m 3") == "234\n", "the oldest made room")
    qmp.get("ringbuf-write", device="m", data=base64.b64encode(b"\x00\xff").decode(), format="base64")
    check(base64.b64decode(qmp.get("ringbuf-read", device="m", size=100, format="base64")) == b"56789\x00\xff", "base64")
    check(qmp.human("ringbuf_write m words and words") == "" and qmp.human("ringbuf_read m 99") == "nd words\n", "human")
    for device, why in (("n", "is not a ringbuf"), ("nobody", "not found")):
        check(why in qmp.ask("ringbuf-read", device=device, size=1)["error"]["desc"], why)
        check(why in qmp.human("ringbuf_read %s 1" % device), why)
    qmp.get("quit")
    machine.ends()


def words():
    """What -serial and -monitor accept is what -chardev does."""
    machine = Machine(command + ["-S", "-serial", "tcp:127.0.0.1:0,server=on,wait=off,telnet=on", "-serial", "vc", "-monitor", "telnet:localhost:0,server,nowait",
                                 "-chardev", '{"backend": "file", "id": "j", "path": "a,b", "logfile": "both"}', "-parallel", "none"])
    names = {c["label"]: c["filename"] for c in machine.qmp.get("query-chardev")}
    check(re.fullmatch(r"disconnected:telnet:127\.0\.0\.1:\d+,server=on", names["serial0"]) and os.path.exists("a,b"), names)
    monitor = connect(machine.qmp.address("compat_monitor0"))
    monitor.wait(r"\(armx\) ")
    monitor.send("info name\r\n")
    monitor.wait("info name.*\n")
    monitor.send("quit\r\n")
    machine.ends()


def background():
    """-daemonize: all that can go wrong is said before; then the machine runs without us."""
    for options, why in ((["-serial", "stdio"], "cannot use stdio with -daemonize"), (["-serial", "chardev:nobody"], "no -chardev")):
        r = subprocess.run(command + ["-daemonize", "-display", "none"] + options, stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=PATIENCE)
        check(r.returncode == 1 and why in r.stderr.decode() and not r.stdout, r)
    r = subprocess.run(command + ["-S", "-daemonize", "-display", "none", "-pidfile", "pid", "-serial", "unix:serial,server,nowait",
                                  "-monitor", "unix:monitor,server,nowait"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=PATIENCE)
    check(r.returncode == 0 and not r.stderr and not r.stdout, r)
    pid = int(open("pid").read())
    check(os.getsid(pid) not in (pid, os.getsid(0)), "a session of its own, which it does not lead")
    check(os.readlink("/proc/%d/cwd" % pid) == "/" and os.readlink("/proc/%d/fd/2" % pid) == "/dev/null", "nothing is kept")
    streams = []
    for name in ("serial", "monitor"):
        s = socket.socket(socket.AF_UNIX)
        s.connect(name)  # it listens already
        streams.append(Stream(s))
    streams[1].wait(r"\(armx\) ")
    streams[1].send("cont\n")
    streams[0].wait("up\n")
    streams[0].send("word")
    streams[0].wait("word")
    streams[1].send("quit\n")
    streams[0].ends()
    end = time.monotonic() + PATIENCE
    while os.path.exists("pid"):
        check(time.monotonic() < end, "the pid file is still there")
        time.sleep(0.01)


telnet(["-serial", "telnet:127.0.0.1:0,server,nowait"])
udp(["-serial", "udp:127.0.0.1:PORT@127.0.0.1:0"])
udp(["-chardev", "udp,id=serial0,host=127.0.0.1,port=PORT,localaddr=127.0.0.1,localport=0,ipv4=on", "-serial", "chardev:serial0"])
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
reconnects(tcp, "socket,host=127.0.0.1,port=%d" % tcp.getsockname()[1])
local = socket.socket(socket.AF_UNIX)
local.bind("late")
reconnects(local, "socket,path=late")
memory()
words()
background()
print("all characters went where they should")
