#!/usr/bin/env python3
"""seeds.py - writes the corpora's seeds anew (they are kept in the repository; findings are added by hand)."""
import os
import struct

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(folder, name, data):
    os.makedirs(os.path.join(here, folder), exist_ok=True)
    with open(os.path.join(here, folder, name), "wb") as f:
        f.write(data)


def code_seeds(rows=1200):
    """Every row, a few to an input, with three settings of the other bits."""
    for first in range(0, rows, 40):
        head = bytes([first // 40 % 16, first % 64, 60, first % 251])
        units = b""
        for row in range(first, first + 40):
            for bits in (0x00020041, 0xffffffff, 0x5a5a1863 ^ row * 0x9e3779b1 & 0xffffffff):
                units += struct.pack("<HI", row, bits)
        write("code", "rows%02d" % (first // 40), head + units)
    atomics = [0xC85FFC20, 0x91000400, 0xC802FC20, 0x35FFFFA2, 0xD65F03C0]
    write("code", "llsc", bytes([4, 8, 9, 1]) + b"".join(struct.pack("<HI", 0, w) for w in atomics))
    strict = [0xC87F0820, 0xF9400043, 0xC8240C22, 0xD5033BBF, 0xD503305F, 0xF8200041]
    write("code", "strict", bytes([14, 8, 9, 1]) + b"".join(struct.pack("<HI", 0, w) for w in strict))


GDB = ["?", "g", "p20", "p21", "P0=0011223344556677", "m10000,40", "M10000,4:01020304", "X10010,4:}\x03ab}\x04",
       "Z0,10000,4", "z0,10000,4", "Z1,10004,4", "Z2,10008,8", "Hg64", "Hc-1", "T65", "qfThreadInfo", "qsThreadInfo", "qC",
       "qSupported:multiprocess+;xmlRegisters=i386", "QStartNoAckMode", "qAttached", "qSymbol::",
       "qXfer:features:read:target.xml:0,fff", "qXfer:auxv:read::0,1000", "qXfer:exec-file:read:64:0,fff",
       "vFile:setfs:0", "vFile:open:2f62696e2f7368,0,0", "vFile:pread:0,100,0", "vFile:close:0", "vCont?"]
GO = ["vCont;c", "vCont;s:64;c", "vCont;C05:65", "c", "s10000", "C05", "S0b;10000"]


def device_seeds():
    """Each virtio device brought to life, some chains offered to each of its queues."""
    def start(k, q):
        return bytes([4, k, q])

    def desc(n, page, length, flags, following=0, first=None):
        d = bytes([6, n]) + struct.pack("<HHBB", page, length, flags, following)
        return d if flags & 1 else d + bytes([n if first is None else first])

    def memory(at, data):
        return bytes([3]) + struct.pack("<I", at)[:3] + bytes([len(data)]) + data

    blk = memory(0x10000, struct.pack("<IIQ", 0, 0, 3)) + memory(0x10100, struct.pack("<IIQ", 1, 0, 3))
    version = memory(0x10200, struct.pack("<IBHIH", 21, 100, 0xffff, 8192, 8) + b"9P2000.L")
    attach = memory(0x10300, struct.pack("<IBHIIHHI", 23, 104, 1, 0, 0xffffffff, 0, 0, 0))
    for k in range(6):
        data = blk + version + attach
        for q in range(4):
            data += start(k, q)
            for page in (0, 0x10, 0x20, 0x30):
                data += desc(0, page, 16 if page < 0x20 else 23, 1, 1) + desc(1, 0x100, 512, 3, 2) + desc(2, 0x200, 64, 2, 0, 0)
            data += desc(3, 0x80, 100, 2)
        write("devices", "virtio%d" % k, data)
    write("devices", "pci", b"".join(bytes([5, s, s]) for s in range(6)))


def gdb_seeds():
    for n in range(0, len(GDB), 6):
        write("gdb", "packets%d" % (n // 6), b"\1" + "\0".join(GDB[n:n + 6] + [GO[n // 6]]).encode("latin1"))
    write("gdb", "resume", b"\1" + "\0".join(GO + ["G" + "00" * 788, "D"]).encode())
    raw = b"+$qSupported#37+$g#67\x03-$m10000,4*\"#00+$k#6b"
    write("gdb", "raw", b"\0" + raw)


def elf(phdrs, kind=2, entry=0x400078, phnum=None, tail=b"", phentsize=56):
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", kind, 183, 1, entry, 64, 0, 0, 64, phentsize,
                                                       len(phdrs) if phnum is None else phnum, 64, 0, 0)
    body = b"".join(struct.pack("<IIQQQQQQ", *p) for p in phdrs)
    return head + body + tail


def elf_seeds():
    text = (1, 5, 0, 0x400000, 0x400000, 0x200, 0x200, 0x10000)
    data = (1, 6, 0x200, 0x411200, 0x411200, 0x80, 0x3000, 0x10000)
    pad = bytes(0x400)
    write("elf", "static", b"\0" + elf([text, data, (0x6474e551, 6, 0, 0, 0, 0, 0, 16)], tail=pad))
    at = 64 + 4 * 56
    pie = [(6, 4, 64, 64, 64, 4 * 56, 4 * 56, 8), (3, 4, at, at, at, 15, 15, 1), (1, 5, 0, 0, 0, 0x200, 0x200, 0x10000),
           (1, 6, 0x200, 0x11200, 0x11200, 0x80, 0x3000, 0x10000)]
    write("elf", "pie", b"\2" + elf(pie, kind=3, entry=0x180, tail=b"/lib/ld-elf.so\0" + pad))
    note = struct.pack("<III4sIIII", 4, 16, 5, b"GNU\0", 0xC0000000, 4, 1, 0)
    at = 64 + 2 * 56
    prop = [(0x6474e553, 4, at, at, at, 32, 32, 8), (1, 5, 0, 0, 0, 0x200, 0x200, 0x1000)]
    write("elf", "bti", b"\0" + elf(prop, kind=3, entry=0x180, tail=note + pad))
    write("elf", "busy", b"\4" + elf([text, data], tail=pad))
    write("elf", "bss", b"\0" + elf([(1, 6, 0, 0x400000, 0, 0, 0x5000, 0x1000), (1, 6, 0x10, 0x406010, 0, 0x20, 0x9000, 0x1000)],
                                    tail=pad))
    write("elf", "script", b"\1#!/bin/sh -e\necho\n")
    write("elf", "script_long", b"\1#! " + b"x" * 300)
    write("elf", "arm32", b"\0\x7fELF\1\1\1" + bytes(9) + struct.pack("<HH", 2, 40) + bytes(40))


IR = {
    "ints": """region pc=0x4000 key=0x0 bytes=8 insns=2
insn 0x4000
%3 = get.i64 x1
%4 = const.i64 0x10
%5 = add.i64 %3, %4
%6 = fl_sub.i64 %3, %4
set nzcv %6
set x2 %5
insn 0x4004
%7 = load.i64 %5, - x=u64 imm=8
store %5, %3, %7 x=u32 y=2
exit_pc 0x4008
""",
    "vectors": """%1 = get.v128 v0
%2 = get.v128 v31
%3 = v_add.s %1, %2
%4 = vf_fma.d %3, %1, %2
%5 = v_to_s.f64 %4
%6 = f_add.f64 %5, %5
%7 = s_to_v %6
set v3 %7
%8 = v_get.i32 %7 x=s imm=1
exit_if %8 0x5000
exit_ret %9
""",
    "blocks": """block 0
%1 = get.i32 x0
%2 = is_zero.i32 %1
branch %2, @1, @2
block 1
%3 = call.i32 fpsr_read
exit_exc x=undef imm=3 0x4000
block 2
fence x=full
exit_pc 0x4004
""",
}


def ir_seeds():
    for name, text in IR.items():
        write("ir", name, text.encode())


code_seeds()
device_seeds()
gdb_seeds()
elf_seeds()
ir_seeds()
