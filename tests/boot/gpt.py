#!/usr/bin/env python3
"""gpt.py OUT ROOT - a disk with a partition table (UEFI 5.3) of two: 128 MiB for the firmware's files, empty, and the file system ROOT."""
import os
import struct
import sys
import uuid
import zlib

out, root = sys.argv[1], sys.argv[2]
SECTOR, MIB = 512, 1 << 20
EFI = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
size = os.path.getsize(root)
parts = [(EFI, MIB, 128 * MIB, "efi"), (LINUX, 129 * MIB, size, "root")]
sectors = (130 * MIB + size) // SECTOR
name = uuid.UUID("6f1b6e60-3a6e-4f1c-9c55-0d7c5d5a0b01")
entries = b""
for n, (kind, start, length, label) in enumerate(parts):
    entries += struct.pack("<16s16sQQQ72s", kind.bytes_le, uuid.uuid5(name, label).bytes_le, start // SECTOR, (start + length) // SECTOR - 1, 0,
                           label.encode("utf-16-le"))
entries = entries.ljust(128 * 128, b"\0")


def header(at, other, table):
    """The table's head at sector `at`; its copy is at `other`, the entries at `table`."""
    def pack(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, at, other, 34, sectors - 34, name.bytes_le, table, 128, 128,
                           zlib.crc32(entries))
    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


with open(out, "wb") as f, open(root, "rb") as r:
    f.truncate(sectors * SECTOR)
    f.seek(446)
    f.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xff\xff\xff", 1, sectors - 1))
    f.seek(510)
    f.write(b"\x55\xaa" + header(1, sectors - 1, 2) + entries)
    f.seek((sectors - 33) * SECTOR)
    f.write(entries + header(sectors - 1, 1, sectors - 33))
    for at in range(0, size, MIB):
        data = r.read(MIB)
        if data.count(0) != len(data):
            f.seek(129 * MIB + at)
            f.write(data)
