#!/usr/bin/env python3
"""asked.py SYSTEM KERNEL INITRD DISK - what the monitors say of the machine's parts, while a guest uses them; ports of the host that are
forwarded while it runs.
"""
import os
import re
import socket
import sys

from machines import PATIENCE, Machine, Stream, check, dial

system, kernel, initrd, disk = sys.argv[1:]
machine = Machine([system, "-M", "virt", "-smp", "2", "-m", "256", "-name", "under-test", "-kernel", kernel, "-initrd", initrd,
                   "-append", "console=ttyAMA0", "-blockdev", '{"driver": "file", "filename": "%s", "node-name": "f"}' % disk,
                   "-blockdev", "driver=raw,file=f,node-name=r", "-device", '{"driver": "virtio-blk-pci", "drive": "r", "id": "disk0"}',
                   "-drive", "if=none,id=d,format=raw,readonly=on,file=other", "-netdev", '{"type": "user", "id": "n", "hostfwd": [{"str": "tcp:127.0.0.1:0-:81"}]}',
                   "-device", "virtio-net-pci,netdev=n,mac=52:54:00:00:00:01,romfile="], serial=True)
qmp, serial = machine.qmp, machine.serial


def run(line, answer):
    """A line for the guest's shell."""
    serial.send(line + "\n")
    return serial.wait("\n" + answer)


# What is so from the start
check(qmp.get("query-memory-size-summary") == {"base-memory": 256 << 20, "plugged-memory": 0}, "memory")
check(qmp.get("query-kvm") == {"enabled": False, "present": False}, "kvm")
check([m["name"] for m in qmp.get("query-machines") if m["name"] == "virt"], "machines")
check({"max", "cortex-a57", "neoverse-n1"} <= {m["name"] for m in qmp.get("query-cpu-definitions")}, "cpu models")
check({"socket", "udp", "ringbuf", "pty"} <= {b["name"] for b in qmp.get("query-chardev-backends")}, "backends")
check("virtio-rng-pci" in {t["name"] for t in qmp.get("qom-list-types")}, "types")
check("netdev" in {p["name"] for p in qmp.get("device-list-properties", typename="virtio-net-pci")}, "properties")
check(qmp.ask("device-list-properties", typename="flux-capacitor")["error"]["class"] == "DeviceNotFound", "no such type")
check(qmp.get("query-named-block-nodes")[0]["image"]["virtual-size"] == os.path.getsize(disk), "nodes")
blocks = {b.get("qdev"): b for b in qmp.get("query-block")}
check(blocks["disk0"]["inserted"]["node-name"] == "r" and blocks["disk0"]["inserted"]["drv"] == "raw" and not blocks["disk0"]["inserted"]["ro"], blocks)
check(blocks[None]["device"] == "d" and blocks[None]["inserted"]["ro"], blocks)
for line, answer in (("info name", "under-test\n"), ("info uuid", "00000000-0000-"), ("info kvm", "kvm support: "), ("info block", "disk0"),
                     ("info network", "virtio-net-pci.*macaddr=52:54:00:00:00:01\n .* n: index=0,type=user,net=10.0.2.0,restrict=off"),
                     ("info pci", "device   1, function 0:"), ("info qtree", 'dev: virtio-blk-pci, id "disk0"'), ("info roms", "addr=0000000040000000|initrd"),
                     ("info cpus", r"\* CPU #0: .*thread_id=\d+"), ("info blockstats", "rd_bytes=0"), ("sum 0x40000000 0", "00000"), ("info usernet", "TCP.HOST_FORWARD"),
                     ("hostfwd_add n nonsense", "(?i)invalid host forwarding rule"), ("hostfwd_add x tcp::1-:1", "netdev"), ("hostfwd_remove tcp::1", "not found"),
                     ("memsave", "expected"), ("logfile /nonexistent/log", "No such file")):
    text = qmp.human(line).replace("\r", "")
    check(re.search(answer, text), (line, text))

# The guest uses them
serial.wait("guest# ")
run("dd if=/dev/vda of=/dev/null bs=64k count=16; echo something | dd of=/dev/vda bs=512 count=1 conv=fsync,sync; echo done", "done")
stats = {s["qdev"]: s["stats"] for s in qmp.get("query-blockstats") if "qdev" in s}["disk0"]
check(stats["rd_bytes"] >= 1 << 20 and stats["rd_operations"] and stats["wr_bytes"] >= 512 and stats["flush_operations"], stats)
check("rd_bytes=%d " % stats["rd_bytes"] in qmp.human("info blockstats"), "as people see it")
devices = {d["id"]["device"]: d for d in qmp.get("query-pci")[0]["devices"]}
bars = [r for d in devices.values() if d["id"]["vendor"] == 0x1af4 for r in d["regions"] if r["type"] == "memory" and r["mem_type_64"]]
check(len(bars) == 2 and all(r["address"] > 1 << 32 and r["size"] >= 4096 for r in bars), bars)
run("ip link set eth0 up; udhcpc -i eth0 -q -n -f -s /bin/true; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2; echo up", "up")


def through(port, guest_port):
    """A word each way."""
    peer = Stream(socket.create_connection(("127.0.0.1", port), PATIENCE))
    peer.send("from the host\n")
    peer.wait("from the guest")
    serial.wait("from the host")


def forwarded(guest_port):
    """The host's port that is forwarded there."""
    return int(re.search(r"127\.0\.0\.1 +(\d+) +10\.0\.2\.15 +%d " % guest_port, qmp.human("info usernet")).group(1))


for guest_port in (80, 81):
    if guest_port == 80:
        check(qmp.human("hostfwd_add n tcp:127.0.0.1:0-10.0.2.15:80").strip() == "", "added")
    run("echo from the guest | nc -l -p %d & while ! netstat -ltn | grep -q :%d; do :; done; echo listens" % (guest_port, guest_port), "listens")
    through(forwarded(guest_port), guest_port)
port = forwarded(80)
check("removed" in qmp.human("hostfwd_remove n tcp:127.0.0.1:%d" % port), "removed")
check(not re.search("HOST_FORWARD.* %d " % port, qmp.human("info usernet")), "and gone")
try:
    socket.create_connection(("127.0.0.1", port), PATIENCE)
    check(False, "port %d is still forwarded" % port)
except ConnectionRefusedError:
    pass

# Memory, and what is logged from now on
qmp.get("stop")
check(qmp.get("memsave", val=int(re.search(r"PC=([0-9a-f]+)", qmp.human("info registers")).group(1), 16), size=4, filename=os.path.abspath("code")) == {}, "memsave")
check(os.path.getsize("code") == 4 and "0x" in qmp.human("gva2gpa $pc" if "armx" in qmp.human("info version") else "gva2gpa 0xffff800008000000"), "gva2gpa")
check("error" in qmp.ask("pmemsave", val=0x30000000, size=4, filename=os.path.abspath("nothing")), "no memory there")
check("log" not in qmp.human("logfile int.log") and qmp.human("log int") == "", "log")
qmp.get("cont")
run("echo logged", "logged")
check(qmp.human("log none") == "" and os.path.getsize("int.log") > 0, "exceptions are in the log")
gdb = qmp.human("gdbserver unix:gdb" if "armx" in qmp.human("info version") else "gdbserver unix:gdb,server=on,wait=off")
check("Waiting for gdb connection" in gdb, gdb)
gdb = Stream(dial("gdb"))
gdb.send("$?#3f")
gdb.wait("T05thread:")
gdb.send("+$D#44")
gdb.wait("OK")
gdb.send("+")
run("echo let go of", "let go of")
qmp.get("quit")
machine.ends()
print("all answers were right")
