# SPDX-License-Identifier: GPL-2.0-or-later
"""A handshake flood of strangers, and how long members wait meanwhile."""
import tempfile

from server import MEMBERS_MAX, Server

PART = "Handshake flood, an active server with 10,000 connected members"
RATE, BOUND_MS = 2000, 500
IDLE_S, FLOOD_S = 4, 10
# Rate, addresses. The last one leaves a backlog behind.
FLOODS = ((RATE, 1), (500, 250), (RATE, 250))
COUNTS = ("offered", "served", "refused", "shut", "late")
KINDS = ("kept", "new")


def flood(server, rate, hosts, seconds):
    """What bench-server says, by names."""
    v = server.order("flood", str(rate), str(hosts), str(seconds))
    found = dict(zip(("cpu", "crowd_cpu", *COUNTS), v))
    for i, kind in enumerate(KINDS):
        found[kind] = dict(zip(("p50", "p99", "worst", "n"), v[7 + 4 * i:]))
    found["lost"], found["unanswered"], found["put_out"] = v[15:]
    return found


def rows(table, rate, hosts, found, idle):
    bound = {RATE: BOUND_MS}.get(rate)
    table.add(PART, "strangers from %d address%s, offered" % (
        hosts, "es" if hosts > 1 else ""), found["offered"], "/s",
        bound=0.99 * RATE if bound else None, bound_of="value", least=True,
        note="%.0f served and %.0f refused then, %.0f shut before, %.0f gave "
        "up; server %.2f of its core, strangers %.2f of theirs" % (
            *(found[c] for c in COUNTS[1:]), found["cpu"],
            found["crowd_cpu"]))
    notes = ("%d members put out" % found["put_out"],
             "%d attempts lost, %d unanswered" % (
                 found["lost"], found["unanswered"]))
    for kind, note in zip(KINDS, notes):
        w = found[kind]
        table.add(PART, "  refresh, %s connection, p99" % kind, w["p99"], "ms",
                  idle[kind]["p99"], "no flood", bound, "value",
                  "p50 %.1f ms, worst of %d %.1f ms; %s" % (
                      w["p50"], w["n"], w["worst"], note))


def measure(table, build):
    with tempfile.TemporaryDirectory() as tmp:
        server = Server(build, tmp)
        try:
            server.create()
            server.enrol(MEMBERS_MAX)
            server.serve()
            server.order("hold")
            idle = flood(server, 0, 1, IDLE_S)
            for rate, hosts in FLOODS:
                rows(table, rate, hosts, flood(server, rate, hosts, FLOOD_S),
                     idle)
        finally:
            server.end()
