# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of the daemon that serves, and the time that one takes to start."""
import re
import statistics

from agents import TRUE, actions, spawn

PART = "Footprint"
ARENA_KIB = 128
USERS = {"claviger": "keeper", "claviger-front": "front"}


def status(lab, node, pid):
    text = lab.on(node, "cat", "/proc/%s/status" % pid)
    return {m.group(1): int(m.group(2)) for m in
            re.finditer(r"^(\w+):\s+(\d+) kB$", text, re.M)}


def memory(table, lab):
    node = lab.active()
    found = {}
    for user, name in USERS.items():
        pid = lab.on(node, "pgrep", "-x", "clavigerd", "-u", user).split()[0]
        found[name] = status(lab, node, pid)
    corosync = status(lab, node, lab.on(node, "pgrep", "-x",
                                        "corosync").split()[0])
    rss = {name: s["VmRSS"] for name, s in found.items()}
    table.add(PART, "keeper and front, RSS, while serving",
              sum(rss.values()), "KiB", corosync["VmRSS"], "corosync",
              16 * 1024, "value",
              "keeper %(keeper)d, front %(front)d" % rss)
    table.add(PART, "keeper, locked memory", found["keeper"]["VmLck"], "KiB",
              ARENA_KIB, "the arena", 1)
    table.add(PART, "front, locked memory", found["front"]["VmLck"], "KiB",
              bound=0, bound_of="value")


def ready(table, lab, rounds):
    """On a node that does not take part for the time being: nothing of the
    cluster's is disturbed."""
    node = [n for n in ("n3", "n2") if n != lab.active()][0]
    for program in ("bench-ready", "bench-spawn"):
        lab.push(node, program)
    lab.tool("stop", node)
    try:
        lab.on(node, "sh", "-c", "! pgrep -x clavigerd")
        out = lab.on(node, "/root/bench-ready", str(rounds),
                     "/usr/sbin/clavigerd")
        load = spawn(actions("/root/bench-spawn", rounds, TRUE, (
            "load", "0", "/usr/sbin/clavigerd", "--version")),
            lambda c: lab.on(node, *c))["load"][0]
    finally:
        lab.tool("start", node)
    took = [float(line) / 1000 for line in out.split()]
    table.add(PART, "clavigerd, exec to ready", statistics.median(took), "ms",
              load / 1000, "clavigerd --version", 20, "value",
              "%.1f to %.1f" % (min(took), max(took)))
