#!/usr/bin/env python3
"""control.py SYSTEM KERNEL INITRD - controls a machine as programs do: QMP on one socket, the serial port on another, a second
port on a pty, gdb's packets on a third socket, and checks what each says.
"""
import os
import re
import subprocess
import sys
import termios
import time
import tty

from machines import PATIENCE, Qmp, Stream, check, dial, running

system, kernel, initrd = sys.argv[1:]
machine = subprocess.Popen(
    [system, "-M", "virt", "-smp", "2", "-m", "256", "-display", "none", "-nodefaults", "-S", "-no-shutdown",
     "-name", "guest=under-test", "-uuid", "12345678-1234-1234-1234-123456789abc",
     "-chardev", "socket,id=q,path=qmp,server=on,wait=off,logfile=qmp.log", "-mon", "chardev=q,mode=control",
     "-serial", "unix:serial,server,nowait", "-serial", "pty", "-gdb", "unix:gdb", "-monitor", "unix:hmp,server=on,wait=off",
     "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyAMA0"],
    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
running.append(machine)
pty = Stream(fd=os.open(re.search(r"/dev/\S+", machine.stderr.readline().decode()).group(0), os.O_RDWR | os.O_NOCTTY))
tty.setraw(pty.fd, termios.TCSANOW)
serial = Stream(dial("serial"))
qmp = Qmp(dial("qmp"))
answer = qmp.ask("query-status")
check(answer["error"]["class"] == "CommandNotFound", answer)
check(qmp.ask("qmp_capabilities")["return"] == {}, "qmp_capabilities")
check(qmp.ask("query-status")["return"]["status"] == "prelaunch", "prelaunch")
check(qmp.ask("query-name")["return"] == {"name": "under-test"}, "name")
check(qmp.ask("query-uuid")["return"]["UUID"].startswith("12345678-"), "uuid")
cpus = qmp.ask("query-cpus-fast")["return"]
check([c["cpu-index"] for c in cpus] == [0, 1], cpus)
check(all(os.path.exists("/proc/%d/task/%d" % (machine.pid, c["thread-id"])) for c in cpus), cpus)
check(qmp.ask("nonsense")["error"]["class"] == "CommandNotFound", "nonsense")
check({c["label"] for c in qmp.ask("query-chardev")["return"]} >= {"q", "serial0", "serial1"}, "chardevs")
qmp.send('{"execute": "query-status"')  # in two pieces
time.sleep(0.2)
qmp.send("}")
check(qmp.line()["return"]["running"] is False, "two pieces")
for bad, why in (("nonsense\n", "JSON parse error"), ("[1, 2]", "must be a JSON object"), ('{"execute": 5}', "lacks member"),
                 ('{"execute": "query-status", "extra": 1}', "'extra' is unexpected"), ("{]", "JSON parse error"), ("[" * 5000 + "]" * 5000, "JSON parse error"),
                 ('{"execute": "query-status", "arguments": []}', "must be an object"), ('{"execute": "%s"}' % ("x" * 100000), "JSON parse error")):
    qmp.send(bad)
    answer = qmp.line()
    check(why in answer["error"]["desc"], (bad[:60], answer))
os.write(qmp.fd, b'{"execute": "query-sta\xff')  # given up
check(qmp.ask("query-status")["return"]["running"] is False, "after all that")
check(qmp.ask("cont")["return"] == {}, "cont")
qmp.event("RESUME")
serial.wait("guest# ")
check(qmp.ask("query-status")["return"] == {"running": True, "singlestep": False, "status": "running"}, "running")

qmp.ask("stop")
qmp.event("STOP")
serial.send("echo typed while it stood\n")
time.sleep(0.5)
check(b"it stood" not in serial.seen, "the machine stands")
text = qmp.ask("human-monitor-command", **{"command-line": "info cpus"})["return"]
check("CPU #1" in text, text)
for line, answer in (("info nonsense", "unknown: info 'nonsense'"), ("p /x 2 + 0x10 - 1", "0x11"), ("x/2i $pc", "  "), ("xp/1xw 0x40000038", "0000000040000038: 0x"),
                     ("p $nonsense", "no register"), ("x/4i", "no number"), ("balloon 64", "no balloon"), ("info balloon", "no balloon")):
    text = qmp.ask("human-monitor-command", **{"command-line": line})["return"]
    check(answer in text, (line, text))
check(qmp.ask("query-balloon")["error"]["class"] == "DeviceNotActive", "balloon")
check(qmp.ask("balloon", value=1 << 26)["error"]["class"] == "DeviceNotActive", "balloon")
qmp.ask("cont")
serial.wait(r"\ntyped while it stood")

serial.send("exec 3<>/dev/ttyAMA1; echo to the second port >&3; read answer <&3; echo got $answer\n")
pty.wait("to the second port")
pty.send("an answer\n")
serial.wait("got an answer")

hmp = Stream(dial("hmp"))
hmp.wait(r"\(armx\) ")
hmp.send("info version\n")
hmp.wait("armx ")

gdb = Stream(dial("gdb"))


def packet(text, answer):
    gdb.send("$%s#%02x" % (text, sum(text.encode()) & 255))
    gdb.wait(r"\+\$" + answer + r"#..")
    gdb.send("+")


packet("?", "T05thread:1;")
packet("m0,4", "E..")
packet("qRcmd," + b"info status".hex(), ".*" + b"paused".hex() + "[0-9a-f]*")
packet("D", "OK")
qmp.event("STOP")
qmp.event("RESUME")

serial.send("\nreboot -f\n")
qmp.event("RESET")
check(qmp.data["RESET"] == {"guest": True, "reason": "guest-reset"}, qmp.data)
serial.wait("Linux version")
serial.wait("guest# ")
qmp.ask("system_powerdown")
qmp.event("POWERDOWN")
qmp.ask("system_reset")
qmp.event("RESET")
check(qmp.data["RESET"] == {"guest": False, "reason": "host-qmp-system-reset"}, qmp.data)
serial.wait("Linux version")
serial.wait("guest# ")
serial.send("poweroff -f\n")
qmp.event("SHUTDOWN")
check(qmp.ask("query-status")["return"]["status"] == "shutdown", "shutdown")
qmp.ask("quit")
machine.wait(PATIENCE)
check(machine.returncode == 0, "status %d" % machine.returncode)
check(b'"event": "SHUTDOWN"' in open("qmp.log", "rb").read(), "logfile")
print("all answers were right")
