#!/usr/bin/env python3
"""initramfs.py OUT BUSYBOX MODULES [[+]MODULE...] - writes an initial RAM disk for arm64 kernels, packed by gzip.

In it: Debian's static busybox, our init (init.sh), and the named modules of the folder MODULES (lib/modules/VERSION) with
all that they need, unpacked, with the tables by which modprobe finds them by name or alias. init loads those without a + (/modules.list).
A file's owner is root, and device nodes are there, without anybody's being root here: the archive is written by hand.
"""
import gzip
import io
import lzma
import os
import sys

out, busybox, modules, wanted = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
here = os.path.dirname(os.path.abspath(__file__))
archive = io.BytesIO()
count = 0


def entry(name, mode, data=b"", rdev=(0, 0)):
    """One file in the format "newc"."""
    global count
    count += 1
    fields = [count, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
    archive.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))


def module_files():
    """Path of each module by its name."""
    found = {}
    for folder, _, files in os.walk(modules):
        for f in files:
            if ".ko" in f:
                found[f.split(".ko")[0].replace("-", "_")] = os.path.join(folder, f)
    return found


def module_read(path):
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as f:
        return f.read()


def info(data, key):
    """What .modinfo has behind "key="."""
    found, at, word = [], 0, b"\0" + key + b"="
    while (at := data.find(word, at)) >= 0:
        at += len(word)
        found.append(data[at:data.index(b"\0", at)].decode())
    return found


def depends(data):
    """The names of the modules that this one needs."""
    return [n.replace("-", "_") for text in info(data, b"depends") for n in text.split(",") if n]


files = module_files()
order = []
loaded = {}


def add_module(name):
    if name in loaded or name not in files:
        return  # not there: built in
    loaded[name] = module_read(files[name])
    for other in depends(loaded[name]):
        add_module(other)
    order.append(name)


for name in wanted:
    add_module(name.lstrip("+").replace("-", "_"))
where = "lib/modules/%s/kernel" % os.path.basename(os.path.normpath(modules))


def needed(name):
    """All modules that this one needs."""
    own = [n for n in depends(loaded[name]) if n in loaded]
    return set(own).union(*[needed(n) for n in own])


for folder in ("bin dev etc lib lib/modules mnt proc root run sbin sys tmp usr usr/bin usr/sbin " + where[:-7] + " " + where).split():
    entry(folder, 0o40755)
entry("dev/console", 0o20600, rdev=(5, 1))
entry("dev/null", 0o20666, rdev=(1, 3))
with open(busybox, "rb") as f:
    entry("bin/busybox", 0o100755, f.read())
entry("bin/sh", 0o120777, b"busybox")
with open(os.path.join(here, "init.sh"), "rb") as f:
    entry("init", 0o100755, f.read())
for name in order:
    entry("%s/%s.ko" % (where, name), 0o100644, loaded[name])
tables = {
    # what is to be loaded first stands last
    "dep": ["kernel/%s.ko: %s" % (name, " ".join("kernel/%s.ko" % n for n in reversed(order) if n in needed(name))) for name in order],
    "alias": ["alias %s %s" % (alias, name) for name in order for alias in info(loaded[name], b"alias")],
    "symbols": [],
}
for name, lines in tables.items():
    entry("%s/modules.%s" % (where[:-7], name), 0o100644, "".join(line + "\n" for line in lines).encode())
entry("modules.list", 0o100644, "".join(n + "\n" for n in wanted if n[0] != "+" and n.replace("-", "_") in loaded).encode())
entry("TRAILER!!!", 0)
with open(out, "wb") as f:
    f.write(gzip.compress(archive.getvalue(), 6, mtime=0))
