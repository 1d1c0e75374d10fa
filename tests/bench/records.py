# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application's keys and index cost beside libsodium alone."""
import os
import subprocess

PART = "Records of 256 bytes, data keys, an index of 1,000,000 entries (CPU)"


def measure(table, build):
    out = subprocess.run([os.path.join(build, "bench-record")], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    got = {name: float(value) for name, value in map(str.split,
                                                     out.splitlines())}
    for what, name, raw, bound in (
            ("record, seal", "record-seal", "raw-seal", 1.5),
            ("record, open", "record-open", "raw-open", 1.75),
            ("data key, rewrap", "datakey-rewrap", "raw-rewrap", 1.3)):
        table.add(PART, what, got[name], "ns", got[raw],
                  "XChaCha20-Poly1305", bound)
    table.add(PART, "index, load of an entry", got["index-load"], "ns",
              bound=3000, bound_of="value")
    table.add(PART, "index, write of an entry", got["index-write"], "ns")
    table.add(PART, "index, listing of an entry", got["index-list"], "ns")
    table.add(PART, "index, heap of an entry", got["index-bytes"], "B",
              bound=128, bound_of="value")
