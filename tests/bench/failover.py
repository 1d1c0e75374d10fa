# SPDX-License-Identifier: GPL-2.0-or-later
"""How long nobody is served when the active node changes: in a cluster of
three with the fast profile of corosync, beside what would be built without
Claviger (promotable ocf:pacemaker:Stateful and IPaddr2)."""
import os
import re
import statistics
import tempfile
import time

from labctl import (ADDRESS, NODES, RSC, YARD, YARD_ADDRESS, Failed, Lab,
                    wait_until)

PART = "Failover"
WITHOUT = "Stateful, IPaddr2"
MEMBERSHIP = r"A new membership .* was formed\. Members left"
STALL = r"Re-asking for the CIB"
FENCE_BEGIN = r"Operation '(?:off|reboot)' .* now running"
KILLED = (("keeper", ["claviger"]), ("supervisor", ["root"]),
          ("keeper, front, supervisor",
           ["root", "claviger", "claviger-front"]))
FENCE_END = r"Operation '(?:off|reboot)' .* using \S+ returned 0"


class Probe:
    """Asks the service from the client host all the time: for a key, or the
    yardstick's address for an echo."""

    def __init__(self, lab, rsc):
        self.lab = lab
        self.out = tempfile.TemporaryFile(mode="w+")
        self.pattern = (r"^(\d+\.\d+) (\S+) \d+$" if rsc == RSC else
                        r"^\[(\d+\.\d+)\] \d+ bytes from (\S+):")
        command = (["/root/bench-keyprobe", ADDRESS, "60"] if rsc == RSC else
                   ["ping", "-D", "-n", "-i", "0.005", "-w", "60",
                    YARD_ADDRESS])
        self.name = os.path.basename(command[0])
        self.process = lab.start("client", *command, stdout=self.out)
        wait_until(10, "an answer to the probe", self.answers)
        time.sleep(0.5)

    def answers(self):
        """[(time, server)]; of an echo nobody is known."""
        self.out.seek(0)
        return [(float(m.group(1)), m.group(2)) for m in re.finditer(
            self.pattern, self.out.read(), re.M)]

    def gap(self, since):
        """The longest time without an answer: from, to."""
        times = [t for t, _ in self.answers() if t > since - 0.2]
        return max(zip(times, times[1:]), key=lambda g: g[1] - g[0],
                   default=(0, 0))

    def wait_for_outage(self, since, least, seconds):
        """Until answers come again after an outage of `least` seconds."""
        wait_until(seconds, "an outage and its end", lambda: (
            self.gap(since)[1] - self.gap(since)[0] >= least))
        time.sleep(0.5)
        return self.gap(since)

    def stop(self):
        """The program itself: the process that entered the node for it is
        another, and a probe that is left weighs on the next figure."""
        self.lab.on("client", "pkill", "-x", self.name, check=False)
        self.process.wait()
        self.out.close()


def first(lab, name, since, until, pattern):
    """Earliest such line of any node that lives."""
    times = [when for node in lab.up_nodes()
             for when, _ in lab.lines(node, name, since, pattern)
             if when <= until]
    return min(times, default=None)


def dissect(lab, began, gap):
    """What of an outage was corosync's, pacemaker's sleep, and fencing."""
    lost, back = gap
    log = "pacemaker/pacemaker.log"
    member = first(lab, "corosync/corosync.log", began - 0.1, back,
                   MEMBERSHIP)
    if member is None:
        raise Failed("corosync's log tells of no new membership")
    stalls = sum(1 for node in lab.up_nodes() for when, _ in
                 lab.lines(node, log, member, STALL) if when <= back)
    begin = first(lab, log, member, back, FENCE_BEGIN)
    end = first(lab, log, member, back, FENCE_END)
    fence = end - begin if begin and end else 0
    return {"outage": back - lost, "membership": member - lost,
            "stalls": stalls, "fence": fence,
            "above": back - member - stalls - fence}


def promotes(lab, rsc, since):
    """Execution times of promote in ms, as the executor has logged them."""
    return [int(m.group(1)) for node in lab.up_nodes() for _, m in lab.lines(
        node, "pacemaker/pacemaker.log", since,
        r"%s promote .* exited with status 0 \(execution time (\d+)ms" % rsc)]


class Bench:
    def __init__(self, lab, say):
        self.lab, self.say = lab, say
        self.promote_ms = {RSC: [], YARD: []}

    def wait_ready(self, rsc):
        wait_until(60, "%s in order" % rsc, lambda: self.lab.ready(rsc))

    def unplanned(self, rsc):
        lab = self.lab
        self.wait_ready(rsc)
        node, dc = lab.active(rsc), lab.dc()
        probe = Probe(lab, rsc)
        try:
            began = time.time()
            lab.tool("power-off", node)
            gap = probe.wait_for_outage(began, 0.3, 40)
        finally:
            probe.stop()
        found = dissect(lab, began, gap)
        found["dc"] = node == dc
        self.promote_ms[rsc] += promotes(lab, rsc, began)
        lab.tool("power-on", node)
        self.say("  %s lost%s: %.3f s = membership %.3f + stalls %d + fencing "
                 "%.3f + %.3f" % (
                     node, " (the DC)" if found["dc"] else "",
                     found["outage"], found["membership"], found["stalls"],
                     found["fence"], found["above"]))
        return found

    def planned(self, rsc):
        lab = self.lab
        self.wait_ready(rsc)
        node = lab.active(rsc)
        to = NODES[(NODES.index(node) + 1) % 3]
        probe = Probe(lab, rsc)
        try:
            began = time.time()
            lab.on(to, "crm_resource", "-r", rsc + "-clone", "--move", "-N",
                   to, "--promoted")
            time.sleep(3) # asking the cluster meanwhile would slow it down
            wait_until(20, "the move to " + to,
                       lambda: lab.active(rsc) == to and lab.is_idle())
            gap = probe.gap(began)
        finally:
            probe.stop()
        lab.on(to, "crm_resource", "-r", rsc + "-clone", "--clear")
        self.promote_ms[rsc] += promotes(lab, rsc, began)
        self.say("  moved to %s: %.3f s" % (to, gap[1] - gap[0]))
        return gap[1] - gap[0]

    def killed(self, what, users):
        lab = self.lab
        self.wait_ready(RSC)
        node = lab.active()
        # of root's the older one, as the watcher is root's too
        pids = [lab.on(node, "pgrep", "-o", "-x", "clavigerd", "-u",
                       user).strip() for user in users]
        probe = Probe(lab, RSC)
        try:
            began = time.time()
            lab.on(node, "kill", "-KILL", *pids, check=len(pids) == 1)
            time.sleep(2) # in silence, as above
            served = wait_until(20, "service by a peer", lambda: [
                t for t, server in probe.answers() if server != node])[0]
            gap = probe.gap(began)
        finally:
            probe.stop()
        self.say("  %s of %s killed: %.3f s" % (what, node, gap[1] - gap[0]))
        if served < gap[1]:
            raise Failed("the longest outage was not the one of the kill")
        wait_until(60, "the node to come back", lambda: len(
            lab.roles(RSC)) == 3 and lab.is_idle())
        lab.on(node, "crm_resource", "--cleanup", "-r", RSC)
        return gap[1] - gap[0]


def median(found, what):
    return statistics.median(f[what] for f in found)


def spread(values):
    return "%.3f to %.3f" % (min(values), max(values))


def add_unplanned(table, what, ours, theirs):
    table.add(PART, "%s: above membership, stalls, fencing" % what,
              median(ours, "above"), "s", median(theirs, "above"), WITHOUT,
              0.25, "value", spread([f["above"] for f in ours]))
    table.add(PART, "  outage", median(ours, "outage"), "s",
              median(theirs, "outage"), WITHOUT, note="stalls of controld: "
              + " ".join(str(f["stalls"]) for f in ours) + " | "
              + " ".join(str(f["stalls"]) for f in theirs))
    table.add(PART, "  membership (corosync)", median(ours, "membership"),
              "s", median(theirs, "membership"), WITHOUT)
    if any(f["fence"] for f in ours):
        table.add(PART, "  fence agent", median(ours, "fence"), "s",
                  median(theirs, "fence"), WITHOUT)


def measure_fast(table, lab, runs, say):
    """Returns the outages with fencing."""
    bench = Bench(lab, say)
    lab.push("client", "bench-keyprobe")
    lab.yardstick()
    found = {}
    for rsc in (RSC, YARD):
        lab.only(rsc)
        for fencing in ("true", "false"):
            bench.wait_ready(rsc)
            lab.on("n1", "crm_attribute", "-n", "stonith-enabled", "-v",
                   fencing)
            say("%s, power cut, fencing %s" % (rsc, fencing))
            found[rsc, fencing] = [bench.unplanned(rsc) for _ in range(runs)]
        bench.wait_ready(rsc)
        lab.on("n1", "crm_attribute", "-n", "stonith-enabled", "-v", "true")
        say("%s, planned move" % rsc)
        found[rsc, "move"] = [bench.planned(rsc) for _ in range(runs)]
        if rsc == RSC:
            say("mss, killed daemon")
            for what, users in KILLED:
                found[what] = [bench.killed(what, users)
                               for _ in range(min(runs, 3))]
        bench.wait_ready(rsc)
    add_unplanned(table, "power cut, no fencing", found[RSC, "false"],
                  found[YARD, "false"])
    add_unplanned(table, "power cut, fencing", found[RSC, "true"],
                  found[YARD, "true"])
    table.add(PART, "planned move: no key", statistics.median(
        found[RSC, "move"]), "s", statistics.median(found[YARD, "move"]),
        WITHOUT, 0.2, "value", spread(found[RSC, "move"]))
    ours, theirs = bench.promote_ms[RSC], bench.promote_ms[YARD]
    table.add(PART, "promote of a warm standby", statistics.median(ours), "ms",
              statistics.median(theirs), "Stateful", 1.5,
              note="%d to %d | %d to %d" % (min(ours), max(ours), min(theirs),
                                            max(theirs)))
    for what, _ in KILLED:
        table.add(PART, "%s killed: until a peer serves" % what,
                  statistics.median(found[what]), "s", bound=1,
                  bound_of="value", note=spread(found[what]))
    return found[RSC, "true"]


def measure_default(table, lab, fast, runs, say):
    """The same power cuts with corosync's default profile."""
    lab.up("--profile", "default")
    lab.system()
    lab.push("client", "bench-keyprobe")
    bench = Bench(lab, say)
    say("default profile, power cut, fencing")
    slow = [bench.unplanned(RSC) for _ in range(min(runs, 3))]
    table.add(PART, "fast profile: outage", median(fast, "outage"), "s",
              median(slow, "outage"), "default profile", 0.3)


def measure(table, lab, runs, say, parts):
    fast = measure_fast(table, lab, runs, say)
    if "profile" in parts:
        lab.down()
        measure_default(table, Lab(lab.name, lab.prefix, lab.build, say),
                        fast, runs, say)
