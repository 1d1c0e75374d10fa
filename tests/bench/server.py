# SPDX-License-Identifier: GPL-2.0-or-later
"""The active server under load: a real daemon with a real PostgreSQL, in a
network namespace of its own, without a cluster."""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from labctl import Failed, wait_until

PART = "Active server, beside a bare OpenSSL server and Tang"
ADDRESS, PORT = "127.0.0.9", 8391
PROCESSES = {"daemon": "keeper", "nobody": "front", "root": "watcher"}
MEMBERS, MEMBERS_MAX = 1000, 10000
TANGD_KEYGEN = "/usr/libexec/tangd-keygen"
CONFIG = """state_dir = {0}/state
run_dir = {0}/run
user = daemon
front_user = nobody
cluster = no
"""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, check=False, **more)
    if done.returncode != 0:
        raise Failed("%s: %s" % (" ".join(command[:6]),
                                 done.stderr.decode().strip()))
    return done.stdout.decode()


class Postgres:
    """A cluster for this once, behind a socket in `folder`."""

    def __init__(self, folder):
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.folder = folder
        os.makedirs(folder + "/data")
        shutil.chown(folder, "postgres")
        shutil.chown(folder + "/data", "postgres")
        self.tool("initdb", "-D", folder + "/data", "-U", "postgres", "-A",
                  "trust")
        self.tool("pg_ctl", "-D", folder + "/data", "-s", "-w", "-l",
                  folder + "/log", "-o", "-k %s -c listen_addresses=" % folder,
                  "start")

    def tool(self, name, *args):
        return run("runuser", "-u", "postgres", "--", self.bin + "/" + name,
                   *args, cwd=self.folder)

    def sql(self, text, database="claviger"):
        return run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
                   "-U", "postgres", "-f", "-", database,
                   input=text.encode()).strip()

    def stop(self):
        self.tool("pg_ctl", "-D", self.folder + "/data", "-s", "-m",
                  "immediate", "stop")


class Server:
    """A system of one node."""

    def __init__(self, build, tmp):
        self.build, self.tmp = build, tmp
        self.conf = tmp + "/claviger.conf"
        self.daemon = self.load = self.database = None
        # It ends with this program.
        self.space = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "-n", "sh", "-c",
             "ip link set lo up && echo up && exec sleep 3600"],
            stdout=subprocess.PIPE, text=True)
        self.space.stdout.readline()

    def inside(self, *command):
        return ["nsenter", "-t", str(self.space.pid), "-n", *command]

    def claviger(self, *args):
        return run(*self.inside(self.build + "/claviger", "--config",
                                self.conf, *args))

    def path(self, name):
        return os.path.join(self.tmp, name)

    def create(self):
        os.chmod(self.tmp, 0o755)
        os.mkdir(self.path("run"))
        os.mkdir(self.path("backup"), 0o700)
        with open(self.conf, "w") as f:
            f.write(CONFIG.format(self.tmp))
        with open(os.open(self.path("pass"), os.O_CREAT | os.O_WRONLY, 0o600),
                  "w") as f:
            f.write("a passphrase of the benchmark\n")
        os.mkdir(self.path("pg"))
        self.database = Postgres(self.path("pg"))
        self.database.sql("CREATE DATABASE claviger", "postgres")
        self.database.sql("CREATE ROLE login LOGIN")
        self.claviger(
            "init", "--database", "host=%s dbname=claviger user=login"
            % self.path("pg"), "--database-admin",
            "host=%s dbname=claviger user=postgres" % self.path("pg"),
            "--network-name", ADDRESS, "--ip", ADDRESS, "--force-address",
            "--node", "n1", "--backup", self.path("backup/age"),
            "--passphrase-file", self.path("pass"))

    def blob(self, query, name):
        with open(self.path(name), "wb") as f:
            f.write(bytes.fromhex(self.database.sql(
                "SELECT encode(body, 'hex') FROM (%s) x" % query)))
        return self.path(name)

    def enrol(self, count):
        """Members, in a list that takes the place of the newest one: who signs
        lists may enrol as many at once as it likes."""
        self.stop()
        newest = self.blob("SELECT body FROM claviger.list ORDER BY version "
                           "DESC LIMIT 1", "list")
        row = self.blob("SELECT body FROM claviger.tls", "tls")
        self.load = subprocess.Popen(
            self.inside(self.build + "/bench-server",
                        self.path("run/control.sock"), ADDRESS, str(PORT),
                        self.path("backup/age"), self.path("pass"), newest,
                        row, str(count), self.path("list-new")),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()
        with open(self.path("list-new"), "rb") as f:
            self.database.sql(
                "INSERT INTO claviger.list (version, body) SELECT max(version)"
                " + 1, decode('%s', 'hex') FROM claviger.list"
                % f.read().hex())

    def answer(self):
        line = self.load.stdout.readline().strip()
        if not line:
            raise Failed("bench-server ended")
        return line

    def order(self, *words):
        self.load.stdin.write(" ".join(words) + "\n")
        self.load.stdin.flush()
        return [float(v) if re.match(r"^[\d.]+$", v) else v
                for v in self.answer().split()]

    def pids(self):
        """{process: id} of the daemon's processes, by their users."""
        found = {"supervisor": self.daemon.pid}
        for pid in run("pgrep", "-P", str(self.daemon.pid)).split():
            user = run("stat", "-c", "%U", "/proc/" + pid).strip()
            found[PROCESSES[user]] = int(pid)
        return found

    def status(self):
        done = subprocess.run(
            self.inside(self.build + "/claviger", "--config", self.conf,
                        "status", "--json"), capture_output=True, check=False)
        return json.loads(done.stdout or "{}")

    def serve(self):
        self.daemon = subprocess.Popen(
            self.inside(self.build + "/clavigerd", "--config", self.conf),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.path("log"), "ab"))
        wait_until(30, "the daemon has the master secret",
                   lambda: self.status().get("proven"))
        pids = self.pids()
        self.order("serve", str(pids["keeper"]), str(pids["front"]))
        return pids

    def stop(self):
        if self.load is not None:
            with contextlib.suppress(BrokenPipeError):
                self.load.stdin.close()
            self.load.wait()
            self.load = None
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait()
            self.daemon = None

    def end(self):
        if self.load is not None:
            self.load.kill()
        self.stop()
        if self.database is not None:
            self.database.stop()
        self.space.kill()
        self.space.wait()


def memory_of(pid):
    """(proportional, private dirty) in KiB."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        found = dict(re.findall(r"^(\w+): +(\d+) kB$", f.read(), re.M))
    return int(found["Pss"]), int(found["Private_Dirty"])


def tang(server):
    """Keys of a Tang server, and the request of a recovery."""
    keys, request = server.path("tang"), server.path("request")
    os.mkdir(keys)
    run(TANGD_KEYGEN, keys)
    for name in glob.glob(keys + "/*.jwk"):
        with open(name) as f:
            if json.load(f)["alg"] == "ECMR":
                exchange = name
    mine = run("jose", "jwk", "gen", "-i", '{"alg":"ECMR"}')
    public = run("jose", "jwk", "pub", "-i", "-", input=mine.encode())
    with open(request, "w") as f:
        f.write("POST /rec/%s HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/jwk+json\r\n"
                "Content-Length: %d\r\n\r\n%s" % (
                    run("jose", "jwk", "thp", "-i", exchange).strip(),
                    len(public), public))
    server.order("tang", keys, request)


def rates(table, server, what, kind, yard, clients, where, bound, name):
    rate, _, ratio, cpu, yard_cpu = server.order(
        "pair", kind, yard, str(clients), where)
    # The median of the ratios, not the quotient of two medians.
    table.add(PART, what, rate, "/s", rate / ratio, name, bound, least=True,
              note="server's CPU %.0f us%s" % (
                  cpu, ", the bare one's %.0f us" % yard_cpu
                  if yard == "bare" else ""))


def load(table, server):
    server.enrol(MEMBERS)
    server.serve()
    server.order("bare")
    rates(table, server, "handshake and key, 8 clients", "cold", "bare", 8,
          "free", 0.9, "bare OpenSSL")
    rates(table, server, "  server on one core", "cold", "bare", 8, "apart",
          None, "bare OpenSSL")
    rates(table, server, "key, kept connection, 8 clients", "warm", "bare", 8,
          "free", None, "bare OpenSSL")
    if shutil.which("jose") and os.path.exists(TANGD_KEYGEN):
        tang(server)
        for clients in (1, 8):
            rates(table, server, "handshake and key, %d clients" % clients,
                  "cold", "tang", clients, "free", 2, "Tang")
            rates(table, server, "key, kept connection, %d clients" % clients,
                  "warm", "tang", clients, "free", 15, "Tang, TCP_NODELAY")
    crowd(table, server)


def crowd(table, server):
    server.order("hold")
    values = [server.order("change", "'%s' --config '%s' settings set "
                           "escrow_policy %s" % (
                               server.build + "/claviger", server.conf, way))
              for way in ("manual", "auto", "manual", "auto", "manual")]
    told, have, ended = (sorted(v)[len(v) // 2] for v in zip(*values))
    table.add(PART, "a change, command to 1,000 members", have, "s",
              bound=1, bound_of="value", note="told after %.2f s, the command "
              "done after %.2f s" % (told, ended))
    cost, _, ratio = server.order("storm")
    table.add(PART, "1,000 reconnect, server's CPU for each", cost, "us",
              cost / ratio, "a bare handshake", 1.2)


def memory(table, server):
    server.enrol(MEMBERS_MAX)
    pids = server.serve()
    time.sleep(1)
    before = memory_of(pids["front"])[1]
    took, cpu = server.order("hold")
    server.order("rest", "6")
    table.add(PART, "idle connection, private memory",
              (memory_of(pids["front"])[1] - before) * 1024 / MEMBERS_MAX, "B",
              bound=28000, bound_of="value",
              note="10,000 came in %.1f s, %.0f us of CPU each" % (took, cpu))
    table.add(PART, "10,000 connected members, all processes",
              sum(memory_of(pid)[0] for pid in pids.values()), "KiB",
              bound=400 * 1024, bound_of="value")


def measure(table, build):
    with tempfile.TemporaryDirectory() as tmp:
        server = Server(build, tmp)
        try:
            server.create()
            load(table, server)
            memory(table, server)
        finally:
            server.end()
