# SPDX-License-Identifier: GPL-2.0-or-later
"""What a rotation costs: by the real daemons of a lab, beside bare loops on the
same database and over connections as theirs."""
import statistics
import subprocess
import tempfile
import time

from labctl import CONNINFO, NODES, RSC, wait_until

PART = "Rotation, by the active server (rates of 0.85 and 0.5 of the yardstick)"
OWNER = CONNINFO % "claviger_owner" + " passfile=/etc/claviger/owner.pass"
KEYS = 100000
ROWS = (1000, 1000000)
RECORDS = 20000
ROUNDS = 3
PASS = "/root/pass"
IDLE = 4  # seconds


class Rotation:
    def __init__(self, lab):
        self.lab = lab
        self.backup = "/root/backup.age"
        self.number = 1

    def tool(self, verb, number, *more):
        return self.lab.on("n1", "/root/bench-rotate", verb, OWNER,
                           self.backup, PASS, str(number), *more)

    def bare(self, *args):
        rows, took = self.tool(*args).split()
        return float(took) / int(rows)

    def rotate(self, *more):
        since = time.time()
        self.number += 1
        self.backup = "/root/backup-%d.age" % self.number
        self.lab.on("n1", "claviger", "rotate", "--backup", self.backup,
                    "--passphrase-file", PASS, *more)
        return self.lab.active(), since

    def window(self, node, since, begins, ends):
        """How much there was, and when it began and ended, by the log."""
        first = self.lab.lines(node, "syslog", since, begins)[0]
        last = self.lab.lines(node, "syslog", since, ends)[-1]
        return int(first[1].group(1)), first[0], last[0]


def unbounded(lab):
    """Without the bound to the rate of re-encryption."""
    for node in NODES:
        lab.on(node, "sed", "-i", "$areencrypt_rate = 0",
               "/etc/claviger/claviger.conf")
    lab.on("n1", "pcs", "resource", "disable", RSC + "-clone", "--wait=60")
    lab.on("n1", "pcs", "resource", "enable", RSC + "-clone")
    wait_until(60, "the servers are back", lab.ready)


class Member:
    """Works on the client, and notes when each request began and how long it
    took."""

    def __init__(self, lab, app):
        self.lab = lab
        self.out = tempfile.TemporaryFile("w+")
        self.process = lab.start("client", "/root/bench-rotate", "load", app,
                                 stdout=self.out)
        self.idle, self.busy = [], []

    def rest(self):
        began = time.time()
        time.sleep(IDLE)
        self.idle.append((began, time.time()))

    def end(self):
        failed = self.process.poll() is not None
        self.lab.on("client", "pkill", "-x", "bench-rotate", check=False)
        self.process.wait()
        self.out.seek(0)
        self.requests = [(what, float(began), float(took)) for
                         what, began, took in map(str.split, self.out)
                         if took.count(".") == 1]
        return failed

    def p99(self, what, windows):
        """Of all requests that overlap with one of the windows."""
        took = sorted(t for w, began, t in self.requests if w == what and any(
            began < end and began + t > start for start, end in windows))
        return took[len(took) * 99 // 100] * 1e3


def tidy(lab, table):
    """Of what the last round has left."""
    lab.sql("VACUUM claviger." + table)
    lab.sql("CHECKPOINT")


def rewrap(rotation, member, rows):
    """Seconds a key of each round, ours and the bare loop's."""
    rotation.tool("rows", rows)
    ours, bare = [], []
    for _ in range(ROUNDS):
        tidy(rotation.lab, "data_key")
        member.rest()
        node, since = rotation.rotate()
        n, began, ended = rotation.window(
            node, since, r"rewrapping (\d+) keys",
            r"every key is wrapped under generation")
        member.busy.append((began, ended))
        ours.append((ended - began) / n)
        bare.append(rotation.bare("rewrap", 0))
        rotation.lab.say("%d rows: %.1f us a key, bare %.1f us" % (
            rows, ours[-1] * 1e6, bare[-1] * 1e6))
    return ours, bare


def reencrypt(rotation):
    rotation.tool("records", RECORDS, "records")
    ours, bare = [], []
    for _ in range(ROUNDS):
        tidy(rotation.lab, "secret")
        node, since = rotation.rotate("--reencrypt")
        n, began, ended = rotation.window(
            node, since, r"re-encrypting (\d+) secrets",
            r"every record is under a new data key")
        ours.append((ended - began) / n)
        bare.append(rotation.bare("update", RECORDS, "records"))
        rotation.lab.say("%.1f us a record, bare %.1f us" % (
            ours[-1] * 1e6, bare[-1] * 1e6))
    return ours, bare


def paired(ours, bare):
    return statistics.median(a / b for a, b in zip(ours, bare))


def add(table, what, ours, bare, yard, bound):
    value = statistics.median(ours) * 1e6
    # the median of the pairs, not the quotient of two medians
    table.add(PART, what, value, "us", value / paired(ours, bare), yard, bound)


def measure(table, lab):
    for host in ("n1", "client"):
        lab.push(host, "bench-rotate")
    unbounded(lab)
    lab.member_daemon()
    for app in ("bench", "records"):
        lab.application(app)
    rotation = Rotation(lab)
    rotation.tool("keys", KEYS)
    member = Member(lab, "bench")
    few = rewrap(rotation, member, ROWS[0])
    many = rewrap(rotation, member, ROWS[1])
    if member.end():
        lab.say("the member was refused")
    add(table, "rewrap of a data key, %d records" % ROWS[0], *few,
        "the same loop", 1 / 0.85)
    add(table, "rewrap of a data key, %d records" % ROWS[1], *many,
        "the same loop", 1 / 0.85)
    table.add(PART, "  with so many records more", statistics.median(
        many[0]) * 1e6, "us", statistics.median(few[0]) * 1e6, "with few", 1.2)
    for what in ("get", "decrypt"):
        table.add(PART, "member's %s meanwhile, p99" % what,
                  member.p99(what, member.busy), "ms",
                  member.p99(what, member.idle), "idle", 3)
    add(table, "re-encryption of a record", *reencrypt(rotation),
        "UPDATE", 1 / 0.5)
    lab.member_stop()
