#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Fencing and the master secret server, with pcs: run it as root, once, on one
# node, when `claviger init` and `claviger join` are done.
set -eu

# ---- edit from here: what cuts the power of which node ----
: "${power_n1:=fence_ipmilan ip=10.78.1.11 lanplus=1 username=fence password_script=/etc/cluster/ipmi-password}"
: "${power_n2:=fence_ipmilan ip=10.78.1.12 lanplus=1 username=fence password_script=/etc/cluster/ipmi-password}"
# ---- to here ----

# An agent and its options, hence several words.
# shellcheck disable=SC2086
{
pcs stonith create power-n1 $power_n1 pcmk_host_list=n1
pcs stonith create power-n2 $power_n2 pcmk_host_list=n2
}

# Two nodes that lose each other would fence each other at once. The active
# one has the higher priority, and is given 3 s to be first. The price: when
# it is really dead the other waits as long, too.
pcs property set stonith-enabled=true priority-fencing-delay=3s

# The address and the role, with every operation spelled out.
commands=$(claviger cluster commands --pcs)
printf '%s\n' "$commands" | sh -eu
pcs resource meta mss-clone priority=10
