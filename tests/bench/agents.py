# SPDX-License-Identifier: GPL-2.0-or-later
"""What an action of an agent costs, beside a fork and exec of /bin/true."""
import os
import subprocess

from labctl import ADDRESS, RSC

TRUE = ("true", "0", "/bin/true")
IPADDR2 = "/usr/lib/ocf/resource.d/heartbeat/IPaddr2"
# A link of its own in a network namespace of its own.
SCRIPT = """
ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth0 up && ip link set eth1 up
ip addr add 192.0.2.1/24 dev eth0
exec "$@"
"""


def is_static(program):
    """Costs no run-time linker, so it is held to more."""
    said = subprocess.run(["readelf", "-lW", program], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return "INTERP" not in said


def linked(installed, dynamic):
    """(how, program, bound) of the agent both ways."""
    rows = [("linked dynamically", dynamic, 1.2)]
    if is_static(installed):
        rows.insert(0, ("", installed, 1))
    return rows


def spawn(command, text_of):
    """Runs spawnbench through `text_of`; {name: (wall_us, cpu_us)}."""
    out = text_of(command)
    return {name: (float(wall), float(cpu)) for name, wall, cpu in
            (line.split() for line in out.splitlines())}


def actions(program, rounds, *commands):
    args = [program, "-n", str(rounds)]
    for i, command in enumerate(commands):
        args += ([","] if i else []) + list(command)
    return args


class Namespace:
    """Without a cluster: network-name, and IPaddr2 beside it."""

    def __init__(self, build, prefix, tmp):
        self.bench = os.path.join(build, "bench-spawn")
        self.agent = prefix + "/usr/lib/ocf/resource.d/claviger/network-name"
        self.dynamic = os.path.join(build, "bench-network-name-dynamic")
        self.env = dict(os.environ, OCF_ROOT="/usr/lib/ocf",
                        OCF_RESOURCE_INSTANCE="name",
                        OCF_RESKEY_CRM_meta_interval="10000",
                        OCF_RESKEY_CRM_meta_timeout="20000",
                        OCF_RESKEY_ip="192.0.2.10",
                        OCF_RESKEY_cidr_netmask="24", OCF_RESKEY_nic="eth0",
                        HA_RSCTMP=tmp)

    def run(self, command, before=""):
        return subprocess.run(
            ["unshare", "-n", "sh", "-ec", SCRIPT.replace(
                'exec', before + "\nexec"), "sh", *command],
            env=self.env, check=True, text=True,
            stdout=subprocess.PIPE).stdout

    def measure(self, table, rounds):
        part = "Agents: lower quartile of wall time, median of CPU time"
        start = self.agent + " start"
        for how, program, bound in linked(self.agent, self.dynamic):
            got = spawn(actions(self.bench, rounds, TRUE,
                                ("it", "0", program, "monitor")),
                        lambda c: self.run(c, start))
            add_both(table, part, "network-name monitor", got, "it", bound,
                     how)
        got = spawn(actions(self.bench, rounds, TRUE,
                            ("start", "0", self.agent, "start"),
                            ("stop", "0", self.agent, "stop")), self.run)
        for action in ("start", "stop"):
            add_both(table, part, "network-name " + action, got, action, 1.5)
        # true in between, for neither shall find the other's traces.
        got = spawn(actions(self.bench, max(rounds // 5, 10),
                            ("ipaddr2", "0", IPADDR2, "monitor"), TRUE,
                            ("it", "0", self.agent, "monitor")),
                    lambda c: self.run(c, start))
        table.add(part, "network-name monitor, CPU", got["it"][1], "us",
                  got["ipaddr2"][1], "IPaddr2 monitor", 1 / 50)


def add_both(table, part, what, got, name, bound, note=""):
    for i, kind in enumerate(("wall", "CPU")):
        table.add(part, "%s, %s" % (what, kind), got[name][i], "us",
                  got["true"][i], "/bin/true", bound, note=note)


def measure_server(table, lab, rounds):
    """master-secret, on the active node and beside its running daemon."""
    part = "Agents: lower quartile of wall time, median of CPU time"
    node = lab.active()
    for program in ("bench-spawn", "bench-master-secret-dynamic"):
        lab.push(node, program)
    agent = "/usr/lib/ocf/resource.d/claviger/master-secret"
    env = ["env", "OCF_ROOT=/usr/lib/ocf", "OCF_RESOURCE_INSTANCE=" + RSC,
           "OCF_RESKEY_CRM_meta_interval=5000", "OCF_RESKEY_ip=" + ADDRESS,
           "OCF_RESKEY_CRM_meta_timeout=10000", "OCF_RESKEY_network_name=mss",
           "HA_RSCTMP=/run/resource-agents"]
    for how, program, bound in linked(
            lab.prefix + agent,
            os.path.join(lab.build, "bench-master-secret-dynamic")):
        there = agent if how == "" else "/root/bench-master-secret-dynamic"
        got = spawn(actions("/root/bench-spawn", rounds, TRUE,
                            ("it", "8", there, "monitor")),
                    lambda c: lab.on(node, *env, *c))
        add_both(table, part, "master-secret monitor", got, "it", bound,
                 how or "asks the daemon")
