# SPDX-License-Identifier: GPL-2.0-or-later
"""What applications see of the daemon of a member host: the local API beside a
bare echo over the same kind of socket, and the daemon's memory."""
import os
import re
import subprocess

PART = "Local API, beside an echo with messages as long (SOCK_SEQPACKET, epoll)"
MEMORY = "Memory of a member's daemon"
APP = "bench"
FIGURES = {"decrypt-1": ("decrypt of 256 bytes, 1 client, same core", 0.85),
           "decrypt-8": ("decrypt of 256 bytes, 8 clients", 0.8),
           "get-1": ("get of a cached secret, 1 client, same core", 0.95),
           "get-8": ("get of a cached secret, 8 clients", None)}
PROCESSES = ("supervisor", "front", "keeper", "watcher")


def measure(table, lab):
    keeper = lab.member_daemon()
    lab.application(APP)
    memory(table, lab)
    lab.push("client", "bench-api")
    out = lab.on("client", "/root/bench-api", keeper, APP, "speed")
    for line in out.splitlines():
        name, *values = line.split()
        what, bound = FIGURES[name]
        add(table, what, bound, [float(v) for v in values])


def add(table, what, bound, values):
    rate, echo, ratio, p99, echo_p99, p99_ratio, cpu, echo_cpu = values
    # medians of ratios: a ratio of medians would not be of the same moments
    table.add(PART, what, rate, "/s", rate / ratio, "echo", bound, least=True,
              note="server's CPU %.1f, the echo's %.1f us" % (cpu, echo_cpu))
    table.add(PART, "  p99", p99, "us", p99 / p99_ratio, "echo",
              1.5 if bound else None)


def memory_of(lab, pid):
    """(resident, private dirty) in KiB."""
    text = lab.on("client", "cat", "/proc/%s/smaps_rollup" % pid)
    found = dict(re.findall(r"^(\w+): +(\d+) kB$", text, re.M))
    return int(found["Rss"]), int(found["Private_Dirty"])


def memory(table, lab):
    pids = lab.on("client", "pgrep", "-x", "clavigerd").split()
    ours = dict(zip(PROCESSES, [memory_of(lab, pid) for pid in pids]))
    lab.push("client", "bench-libs")
    yard = lab.start("client", "/root/bench-libs", stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, text=True)
    try:
        empty, _ = memory_of(lab, yard.stdout.readline().strip())
    finally:
        yard.stdin.close()
        yard.wait()
    for process in ("keeper", "front", "supervisor"):
        table.add(MEMORY, "%s, RSS" % process, ours[process][0], "KiB", empty,
                  "the libraries alone", 1.25)
    # What is not private is the same pages in all of them.
    shared = max(rss - dirty for rss, dirty in ours.values())
    table.add(MEMORY, "all four processes", shared + sum(
        dirty for _, dirty in ours.values()), "KiB", empty,
        "the libraries alone", note="what they share counted once")
