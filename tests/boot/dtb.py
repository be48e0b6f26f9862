#!/usr/bin/env python3
"""dtb.py A B - compares two device trees in meaning: node by node, property by property, with references resolved.

The order of nodes and the numbers of phandles do not count. DIFFERENCES lists what may differ, each with its reason.
One line per difference; fails when there is one.
"""
import struct
import sys

# (node, property) that may differ.
DIFFERENCES = {
    ("/chosen", "kaslr-seed"): "random",
    ("/chosen", "rng-seed"): "random",
    ("/secure-chosen", "kaslr-seed"): "random",
    ("/secure-chosen", "rng-seed"): "random",
}
# What older QEMUs do not have: node, property (None: the whole node).
NEWER = {("/", "dma-coherent"): "7.2", ("/aliases", None): "7.2"}
# Properties with references to other nodes: (cells of one entry, cells of it that are references).
REFERENCES = {
    "interrupt-parent": (1, (0,)),
    "clocks": (1, (0,)),
    "gpios": (3, (0,)),
    "msi-map": (4, (1,)),
    "interrupt-map": (10, (4,)),
    "cpu": (1, (0,)),
}


def parse(path):
    """{node path: {property: bytes}}"""
    data = open(path, "rb").read()
    _, _, at, strings = struct.unpack(">4I", data[:16])
    nodes, stack = {}, []
    while True:
        token, = struct.unpack_from(">I", data, at)
        at += 4
        if token == 1:
            end = data.index(b"\0", at)
            stack.append(data[at:end].decode())
            nodes["/".join(stack) or "/"] = {}
            at = (end + 4) & ~3
        elif token == 2:
            stack.pop()
        elif token == 3:
            size, name = struct.unpack_from(">II", data, at)
            at += 8
            end = data.index(b"\0", strings + name)
            nodes["/".join(stack) or "/"][data[strings + name:end].decode()] = data[at:at + size]
            at = (at + size + 3) & ~3
        elif token == 9:
            return nodes


def resolved(nodes):
    """The same with references as (cells and) paths, without phandles."""
    names = {p["phandle"]: n for n, p in nodes.items() if "phandle" in p}
    out = {}
    for node, props in nodes.items():
        out[node] = {}
        for name, value in props.items():
            if name in ("phandle", "linux,phandle"):
                continue
            if name in REFERENCES:
                entry, which = REFERENCES[name]
                cells = [value[k:k + 4] for k in range(0, len(value), 4)]
                value = tuple(names.get(c, c) if k % entry in which else c.hex() for k, c in enumerate(cells))
            out[node][name] = value
    return out


a, b = resolved(parse(sys.argv[1])), resolved(parse(sys.argv[2]))
wrong = 0


def say(text):
    global wrong
    wrong += 1
    print(text)


for node in sorted(a.keys() | b.keys()):
    if node not in b and (node, None) in NEWER:
        continue
    if node not in a or node not in b:
        say("%s: only in %s" % (node, sys.argv[1 if node in a else 2]))
        continue
    for name in sorted(a[node].keys() | b[node].keys()):
        if (node, name) in DIFFERENCES and name in a[node] and name in b[node]:
            continue
        if name not in b[node] and (node, name) in NEWER:
            continue
        if a[node].get(name) != b[node].get(name):
            say("%s: %s is %r and %r" % (node, name, a[node].get(name), b[node].get(name)))
print("%d nodes, %d differences" % (len(a), wrong))
sys.exit(wrong != 0)
