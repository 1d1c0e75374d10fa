# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a recovery takes, on a bare node, until the system serves; and how
fast an age file is read."""
import glob
import os
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from labctl import Failed, wait_until
from server import CONFIG, Server, run
from values import ahead

PART = "Recovery"
CTL_START, CTL_PROMOTE, CTL_DEMOTE = 2, 4, 5  # agents/control.h
STREAM, TURNS = 1 << 30, 5


def order(path, op, body=b""):
    """One control operation, as the agent asks for it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(30)
        s.connect(path)
        s.send(struct.pack("=IHHiI", 0x434c5631, op, 0, 0, len(body)) + body)
        result = struct.unpack("=IHHiI", s.recv(65536)[:16])[3]
    if result != 0:
        raise Failed("control operation %d: result %d" % (op, result))


class Node(Server):
    """One whose commands may start a daemon for themselves."""

    def claviger(self, *args):
        return super().claviger("--clavigerd", self.build + "/clavigerd",
                                *args)


class Bare(Node):
    """A machine of no system, beside the database of one."""

    def __init__(self, first, name):
        self.build, self.space = first.build, first.space
        self.tmp, self.name = first.path(name), name
        self.conf = self.path("claviger.conf")
        self.daemon = self.load = self.database = None
        os.makedirs(self.path("run"))
        with open(self.conf, "w") as f:
            f.write(CONFIG.format(self.tmp))

    def serve(self):
        self.daemon = subprocess.Popen(
            self.inside(self.build + "/clavigerd", "--config", self.conf),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.path("log"), "ab"))
        wait_until(30, self.name + " has the master secret",
                   lambda: self.status().get("proven"))
        control = self.path("run/control.sock")
        order(control, CTL_START, bytes(72))
        order(control, CTL_PROMOTE)
        self.claviger("fetch", "--check")

    def end(self):
        order(self.path("run/control.sock"), CTL_DEMOTE)
        self.stop()


def lease_is_over(first):
    """Until then nobody but the holder enrols a node."""
    return first.database.sql("SELECT holder = 0 OR lease_expires < "
                              "clock_timestamp() FROM claviger.system") == "t"


def timed(what, *args):
    began = time.monotonic()
    what(*args)
    return time.monotonic() - began


def hashing(first, identity):
    """What the passphrase costs: the same keyring opened without one."""
    backup = first.path("backup/second")
    with_it = timed(first.claviger, "backup", "verify", backup,
                    "--passphrase-file", first.path("pass"))
    without = timed(first.claviger, "backup", "verify", backup + ".recovery",
                    "--identity", identity)
    return max(with_it - without, 0)


def prepare(first):
    """A recovery recipient, and a backup that has a copy for it."""
    os.mkdir(first.path("shares"), 0o700)
    first.claviger("recovery", "create", "--shares", "2/3", "--directory",
                   first.path("shares"))
    first.claviger("backup", first.path("backup/second"), "--passphrase-file",
                   first.path("pass"))
    shares = ",".join(sorted(glob.glob(first.path("shares/*")))[:2])
    first.claviger("recovery", "combine", "--share-file", shares, "--identity",
                   first.path("backup/identity"))
    shutil.copy(first.path("state/identity"), first.path("backup/n1"))
    os.chown(first.path("backup/n1"), 0, 0)
    return shares


def setting(first, name):
    with open(first.conf) as f:
        for line in f:
            if line.startswith(name + " ="):
                return line.partition("=")[2].strip()
    raise Failed("no %s in %s" % (name, first.conf))


def recoveries(first, shares):
    system = ("--system", setting(first, "system"))
    yield ("a passphrase and a backup",
           ("restore", first.path("backup/second"), "--passphrase-file",
            first.path("pass")))
    yield ("2 of 3 shares and the database",
           ("recovery", "combine", "--share-file", shares) + system)
    yield ("one node's identity and the database",
           ("restore", "--identity", first.path("backup/n1")) + system)


def recover(table, first):
    shares = prepare(first)
    database = ("--database", setting(first, "database"))
    for number, (what, command) in enumerate(recoveries(first, shares), 2):
        bare = Bare(first, "n%d" % number)
        wait_until(30, "nobody is active", lambda: lease_is_over(first))
        restored = timed(bare.claviger, *command, *database, "--node",
                         bare.name)
        hashed = 0
        if "--passphrase-file" in command:
            hashed = hashing(first, first.path("backup/identity"))
        served = timed(bare.serve)
        bare.end()
        table.add(PART, what, restored - hashed + served, "s", bound=5,
                  bound_of="value", note="restored after %.2f s%s" % (
                      restored, ", of which %.2f s for the passphrase"
                      % hashed if hashed else ""))


def stream(table, build, tmp):
    """1 GiB in memory, read by the library and by age(1) in turn."""
    identity, sealed = tmp + "/identity", tmp + "/sealed"
    run("age-keygen", "-o", identity)
    recipient = run("age-keygen", "-y", identity).strip()
    run("sh", "-c", "head -c %d /dev/zero | age -r %s -o %s"
        % (STREAM, recipient, sealed))

    def read(*command):
        with open(sealed, "rb") as f:
            return timed(lambda: subprocess.run(
                command, stdin=f, stdout=subprocess.DEVNULL, check=True,
                preexec_fn=ahead))
    ours, theirs = [], []
    for _ in range(TURNS):
        ours.append(read(build + "/bench-age", identity))
        theirs.append(read("age", "-d", "-i", identity))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    took = statistics.median(ours)
    table.add(PART, "an age file of 1 GiB, read", took, "s", took / ratio,
              "age -d", 1 / 0.8)


def measure(table, build):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as tmp:
        stream(table, build, tmp)
    with tempfile.TemporaryDirectory() as tmp:
        first = Node(build, tmp)
        try:
            first.create()
            recover(table, first)
        finally:
            first.end()
