# SPDX-License-Identifier: GPL-2.0-or-later
"""What the statements of secrets cost beside bare libpq."""
import os
import subprocess

PART = "Secrets in PostgreSQL: time a row (rates of 0.9 and 0.7 of the yardstick)"


def measure(table, build):
    out = subprocess.run([os.path.join(build, "bench-store")], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    got = {}
    for line in out.splitlines()[1:]:
        what, ours, _, _, _, ratio = line.split("\t")
        got[what] = 1e6 / float(ours), float(ratio)
    for what, yard, bound in (
            ("put, 8 lanes", "INSERT", 1 / 0.9),
            ("put 8 at once, 1 lane", "INSERT", 1 / 0.9),
            ("put a version, 8 lanes", "INSERT", None),
            ("get, 8 lanes", "SELECT", 1 / 0.7),
            ("rewrap, 1000 at once", "UPDATE", 1 / 0.85)):
        value, ratio = got[what]
        # the median of the pairs, not the quotient of two medians
        table.add(PART, what, value, "us", value * ratio, yard, bound)
