# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab (tests/lab) with Claviger's first steps done, for the benchmark."""
import datetime
import json
import os
import re
import subprocess
import time

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lab/lab")
NODES = ("n1", "n2", "n3")
ADDRESS = "10.78.0.100"
YARD_ADDRESS = "10.78.0.101"
RSC = "mss"
YARD = "yard"
LAB_ROOT = os.environ.get("CLAVIGER_LAB_DIR", "/run/claviger-lab")
CONNINFO = ("host=db dbname=claviger user=%s sslmode=verify-full "
            "sslrootcert=/etc/claviger/db-ca.crt")
DATABASE = ("--database", CONNINFO % "claviger_node",
            "--database-passfile", "/etc/claviger/db.pass")


class Failed(Exception):
    """Something that the measurement needs does not happen."""


def wait_until(seconds, what, condition):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("not within %d s: %s" % (seconds, what))
        time.sleep(0.1)


def stamp(line):
    """Time of a log line of corosync or pacemaker, as CLOCK_REALTIME."""
    when = datetime.datetime.strptime(
        "%d %s" % (datetime.date.today().year, line[:19]),
        "%Y %b %d %H:%M:%S.%f")
    return when.timestamp()


class Lab:
    def __init__(self, name, prefix, build, say):
        self.name, self.prefix, self.build, self.say = name, prefix, build, say
        self.key = self.thumbprint = None

    def tool(self, *args, check=True, **more):
        done = subprocess.run([TOOL, "-n", self.name, *args], text=True,
                              stdin=more.pop("stdin", subprocess.DEVNULL)
                              if "input" not in more else None,
                              capture_output=True, check=False, **more)
        if check and done.returncode != 0:
            raise Failed("lab %s: %s" % (" ".join(args[:6]),
                                         (done.stderr or done.stdout).strip()))
        return done.stdout

    def on(self, node, *command, **more):
        return self.tool("exec", node, *command, **more)

    def start(self, node, *command, **more):
        """A process on the node that goes on; the caller waits for it."""
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([TOOL, "-n", self.name, "exec", node,
                                 *command], **more)

    def push(self, node, program):
        """A program of the build, to /root of the node."""
        with open(os.path.join(self.build, program), "rb") as f:
            subprocess.run([TOOL, "-n", self.name, "exec", node, "install",
                            "-m", "755", "/dev/stdin", "/root/" + program],
                           stdin=f, check=True)

    def up(self, *options):
        self.say("lab %s: %s" % (self.name, " ".join(options)))
        self.tool("up", "--prefix", self.prefix, "--owner", str(os.getpid()),
                  "--debug", "pacemaker-controld,pacemaker-fenced", *options)

    def down(self):
        self.tool("down", check=False)

    # Claviger's first steps, as README gives them.

    def system(self):
        self.say("creating a system on three nodes, and a member")
        self.on("n1", "install", "-m", "600", "/dev/stdin", "/root/pass",
                input="a passphrase of the benchmark\n")
        out = self.on("n1", "claviger", "init", *DATABASE,
                      "--database-admin", CONNINFO % "claviger_owner",
                      "--database-admin-passfile", "/etc/claviger/owner.pass",
                      "--network-name", "mss", "--ip", ADDRESS,
                      "--backup", "/root/backup.age",
                      "--passphrase-file", "/root/pass")
        self.key = re.search(r"^system +(\S+)$", out, re.M).group(1)
        self.thumbprint = re.search(r"^server thumbprint +(\S+)$", out,
                                    re.M).group(1)
        for node in NODES[1:]:
            out = self.on(node, "claviger", "join", "--server",
                          "--system", self.key, *DATABASE)
            self.on("n1", "claviger", "node", "approve", node, "--fingerprint",
                    re.search(r"^fingerprint +(\S+)$", out, re.M).group(1))
        self.on("n1", "pcs", "resource", "create", RSC,
                "ocf:claviger:master-secret", "ip=" + ADDRESS,
                "network_name=mss", "promotable")
        wait_until(30, "one node active, two ready", self.ready)
        self.member()

    def member(self):
        self.sql("CREATE ROLE claviger_host LOGIN PASSWORD 'of the lab'; "
                 "GRANT claviger_member TO claviger_host")
        self.copy("n1", "/etc/claviger/db-ca.crt", "client", "644")
        self.on("client", "install", "-o", "claviger-front", "-m", "600",
                "/dev/stdin", "/etc/claviger/db.pass",
                input="db:5432:claviger:claviger_host:of the lab\n")
        out = self.on("client", "claviger", "join", "--member",
                      "--system", self.key, "--server-thumbprint",
                      self.thumbprint, "--network-name", "mss", "--database",
                      CONNINFO % "claviger_host", "--database-passfile",
                      "/etc/claviger/db.pass")
        add = re.search(r"^ *claviger (member add .*)$", out, re.M).group(1)
        self.copy("client", "/var/lib/claviger/tls.crt", "n1", "644",
                  "/root/client.crt")
        self.on("n1", "sh", "-c", "cd /root && claviger " + add)

    def copy(self, node, path, to, mode, to_path=None):
        self.on(to, "install", "-D", "-m", mode, "/dev/stdin",
                to_path or path, input=self.on(node, "cat", path))

    def sql(self, text):
        self.on("db", "runuser", "-u", "postgres", "--", "psql", "-qd",
                "claviger", "-v", "ON_ERROR_STOP=1", "-c", text)

    def member_status(self):
        return json.loads(self.on("client", "claviger", "status", "--json",
                                  check=False) or "{}")

    def member_daemon(self):
        """The client's daemon; returns the process id of its keeper."""
        self.on("client", "sh", "-c", "clavigerd </dev/null >/dev/null 2>&1 &")
        wait_until(30, "the member has keys and its database", lambda: (
            self.member_status().get("keys") == "fresh"
            and self.member_status().get("database_up")))
        return self.on("client", "pgrep", "-x", "clavigerd", "-u",
                       "claviger").split()[0]

    def member_stop(self):
        """The failover's probe obtains keys by itself."""
        self.on("client", "pkill", "-o", "-x", "clavigerd")
        wait_until(30, "the member's daemon ends", lambda: not self.on(
            "client", "pgrep", "-x", "clavigerd", check=False))

    def application(self, name):
        self.on(self.active(), "claviger", "app", "add", name)
        wait_until(30, "the member knows " + name, lambda: name in self.on(
            "client", "claviger", "list", check=False).split())

    def yardstick(self):
        """What would be built without Claviger, switched off for now."""
        self.on("n1", "pcs", "resource", "create", YARD,
                "ocf:pacemaker:Stateful", "promotable", "meta",
                "target-role=Stopped")
        self.on("n1", "pcs", "resource", "create", YARD + "-ip",
                "ocf:heartbeat:IPaddr2", "ip=" + YARD_ADDRESS,
                "cidr_netmask=24", "op", "monitor", "interval=10s")
        self.on("n1", "pcs", "constraint", "colocation", "add", YARD + "-ip",
                "with", "Promoted", YARD + "-clone", "INFINITY")
        self.on("n1", "pcs", "constraint", "order", "promote", YARD + "-clone",
                "then", "start", YARD + "-ip")

    def only(self, rsc):
        """Run this one of the two resources, stop the other."""
        other = YARD if rsc == RSC else RSC
        self.on("n1", "pcs", "resource", "disable", other + "-clone")
        self.on("n1", "pcs", "resource", "enable", rsc + "-clone")
        wait_until(60, "%s alone runs" % rsc, lambda: not self.active(other)
                   and self.ready(rsc))

    # Questions to the cluster.

    def up_nodes(self):
        return [n for n in NODES if os.path.exists(
            "%s/%s/nodes/%s/pid" % (LAB_ROOT, self.name, n))]

    def any(self):
        return self.up_nodes()[0]

    def roles(self, rsc):
        """{node: role} of the running instances."""
        out = self.on(self.any(), "crm_resource", "-r", rsc, "--locate",
                      check=False)
        return {m.group(1): m.group(2) or "Unpromoted" for m in re.finditer(
            r"is running on: (\S+)(?: (Promoted|Master))?", out)}

    def active(self, rsc=RSC):
        found = [n for n, role in self.roles(rsc).items()
                 if role != "Unpromoted"]
        return found[0] if len(found) == 1 else None

    def dc(self):
        out = self.on(self.any(), "crmadmin", "-D", check=False)
        return out.split()[-1] if out.strip() else None

    def is_idle(self):
        dc = self.dc()
        return dc in NODES and "S_IDLE" in self.on(
            self.any(), "crmadmin", "-S", dc, check=False)

    def scores(self):
        out = self.on(self.any(), "attrd_updater", "-Q", "-A", "-n",
                      "master-" + RSC, check=False)
        return sorted(re.findall(r'value="([^"]*)"', out))

    def ready(self, rsc=RSC):
        """All nodes in order, one of them active, nothing going on."""
        return (len(self.up_nodes()) == 3 and len(self.roles(rsc)) == 3
                and self.active(rsc)
                and (rsc != RSC or self.scores() == ["100", "50", "50"])
                and self.is_idle())

    def log(self, node, name):
        path = "%s/%s/nodes/%s/var/up/log/%s" % (
            LAB_ROOT, self.name, node, name)
        try:
            with open(path, errors="replace") as f:
                return f.readlines()
        except FileNotFoundError:
            return []

    def lines(self, node, name, since, pattern):
        """Time and match of each such line of a log from that time on."""
        found = []
        for line in reversed(self.log(node, name)):
            try:
                when = stamp(line)
            except ValueError:
                continue
            if when < since:
                break
            match = re.search(pattern, line)
            if match:
                found.append((when, match))
        return found[::-1]
