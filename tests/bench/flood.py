# SPDX-License-Identifier: GPL-2.0-or-later
"""A handshake flood of strangers, and how long members wait meanwhile."""
import tempfile

from server import MEMBERS_MAX, Server

PART = "Handshake flood on an active server with 10,000 connected members"
RATE, SECONDS = 2000, 12
BOUND_MS = 500
# So many addresses that no bound for a single one helps; and a single one.
FLOODS = (("250 addresses", 250), ("one address", 1))
COUNTS = ("offered", "served", "refused", "shut", "late")


def flood(server, rate, hosts):
    v = server.order("flood", str(rate), str(hosts), str(SECONDS))
    found = dict(zip(COUNTS, v[1:6]), cpu=v[0])
    for i, name in enumerate(("kept", "new")):
        found[name] = dict(zip(("p50", "p99", "worst", "n"),
                               v[6 + 4 * i:10 + 4 * i]))
    found["losses"], found["unanswered"], found["held_lost"] = v[14:17]
    return found


def rows(table, name, found, idle):
    table.add(PART, "strangers from %s, offered" % name, found["offered"],
              "/s", bound=0.99 * RATE, bound_of="value", least=True,
              note="of them %.0f handshakes served, %.0f refused after it, "
              "%.0f shut before it, %.0f gave up after 1 s; server's CPU "
              "%.2f of its core" % (*(found[c] for c in COUNTS[1:]),
                                    found["cpu"]))
    for kind in ("kept", "new"):
        w = found[kind]
        note = "p50 %.1f ms, worst %.1f ms of %d" % (
            w["p50"], w["worst"], w["n"])
        if kind == "new":
            note += "; %d attempts lost, %d unanswered" % (
                found["losses"], found["unanswered"])
        else:
            note += "; %d idle members put out" % found["held_lost"]
        table.add(PART, "  refresh on a %s connection, p99" % kind, w["p99"],
                  "ms", idle[kind]["p99"], "no flood", BOUND_MS, "value",
                  note)


def measure(table, build):
    with tempfile.TemporaryDirectory() as tmp:
        server = Server(build, tmp)
        try:
            server.create()
            server.enrol(MEMBERS_MAX)
            server.serve()
            server.order("hold")
            idle = flood(server, 0, 1)
            for name, hosts in FLOODS:
                rows(table, name, flood(server, RATE, hosts), idle)
        finally:
            server.end()
