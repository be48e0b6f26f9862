#!/usr/bin/env python3
"""append.py INITRD OUT NAME FILE [NAME FILE...] - INITRD with programs added, as NAME in the guest.

They are a second archive behind the first: the kernel unpacks both.
"""
import gzip
import sys


def entry(name, mode, data):
    fields = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


initrd, out, added = sys.argv[1], sys.argv[2], sys.argv[3:]
data = b"".join(entry(name, 0o100755, open(path, "rb").read()) for name, path in zip(added[::2], added[1::2]))
data += entry("TRAILER!!!", 0, b"")
open(out, "wb").write(open(initrd, "rb").read() + gzip.compress(data, 6, mtime=0))
