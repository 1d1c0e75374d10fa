# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application pays for a secret in PostgreSQL: the local API, keeper,
front and statement of a real daemon, beside bare libpq."""
import os
import subprocess
import tempfile

from labctl import Failed, wait_until
from server import Server, run

PART = "Secrets through the daemon, eight clients, beside bare libpq"
APP = "bench"
FIGURES = {"put": ("put", "INSERT", 0.9), "get": ("get, not cached", "SELECT",
                                                  0.7)}


def ahead(pid=0):
    """Ahead of other work on the machine, and so are its children."""
    os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def children(pid):
    return [int(p) for p in run("pgrep", "-P", str(pid)).split()]


def knows(server):
    done = subprocess.run(
        server.inside(server.build + "/claviger", "--config", server.conf,
                      "list"), capture_output=True, check=False)
    return APP in done.stdout.decode().split()


def values(table, server):
    server.enrol(1)
    pids = server.serve()
    server.claviger("app", "add", APP)
    wait_until(30, "the member knows " + APP, lambda: knows(server))
    with open(server.path("pg/data/postmaster.pid")) as f:
        postmaster = int(f.readline())
    for pid in [pids["keeper"], pids["front"], postmaster,
                *children(postmaster)]:
        ahead(pid)
    done = subprocess.run(
        [server.build + "/bench-value", server.path("run/api.sock"),
         "host=%s dbname=claviger user=postgres" % server.path("pg"), APP],
        stdout=subprocess.PIPE, text=True, check=False, preexec_fn=ahead)
    if done.returncode != 0:
        raise Failed("bench-value ended")
    for line in done.stdout.splitlines():
        name, rate, _, ratio = line.split()
        what, yard, bound = FIGURES[name]
        table.add(PART, what, float(rate), "/s", float(rate) / float(ratio),
                  yard, bound, least=True)


def measure(table, build):
    with tempfile.TemporaryDirectory() as tmp:
        server = Server(build, tmp)
        try:
            server.create()
            values(table, server)
        finally:
            server.end()
