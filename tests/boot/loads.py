#!/usr/bin/env python3
"""loads.py SYSTEM ELF RAW - -device loader: files of both kinds, values, program counters; the guest is echo.S, which runs anywhere."""
import os
import sys

from machines import Machine, check

system, elf, raw = sys.argv[1:]
text = open(raw, "rb").read()
OTHER = 0x46000000


def loads(expected, *options):
    """Memory at each address is as expected, at the start and after a reset, and the program runs."""
    machine = Machine([system, "-M", "virt", "-cpu", "max", "-smp", "2", "-m", "128", "-S", "-chardev", "ringbuf,id=r", "-serial", "chardev:r"] +
                      [o for option in options for o in (option if option.startswith("-") else "-device loader," + option).split(" ")])
    qmp = machine.qmp
    for again in (False, True):
        if again:
            qmp.get("stop")
            qmp.get("system_reset")
            qmp.event("RESET")
        for at, data in expected.items():
            qmp.get("pmemsave", val=at, size=len(data), filename=os.path.abspath("memory"))
            got = open("memory", "rb").read()
            check(got == data, "%s: at %x is %r, not %r" % (options, at, got, data))
        qmp.get("cont")
        said = ""
        while said != "up\n":
            said += qmp.get("ringbuf-read", device="r", size=10)
            check("up\n".startswith(said), "%s: it says %r" % (options, said))
    qmp.get("quit")
    machine.ends()


loads({0x40200000: text}, "file=%s,cpu-num=0" % elf)
loads({OTHER: text, OTHER + len(text): b"\0"}, "file=%s,addr=0x%x,cpu-num=0" % (raw, OTHER))
loads({OTHER: text, OTHER + 0x1000: b"\x44\x33\x22\x11", OTHER + 0x1004: b"\x11\x22\x33\x44\x55\x66\x77\x88", OTHER + 0x100c: b"\x02\x01\0"},
      "file=%s,addr=0x%x" % (raw, OTHER), "addr=0x%x,cpu-num=0" % OTHER, "data=0x11223344,data-len=4,addr=0x%x" % (OTHER + 0x1000),
      "data=0x1122334455667788,data-len=8,data-be=on,addr=0x%x" % (OTHER + 0x1004), "data=258,data-len=2,addr=0x%x" % (OTHER + 0x100c))
loads({OTHER: open(elf, "rb").read()}, "file=%s,addr=0x%x,force-raw=on" % (elf, OTHER), "-kernel " + elf, "addr=0x%x,cpu-num=0" % (OTHER + 8))
loads({0: text}, "file=%s,addr=0" % raw)
print("everything is where it should be")
