#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Fencing and the master secret server, with crm: run it as root, once, on one
# node, when `claviger init` and `claviger join` are done.
set -eu

# ---- edit from here: what cuts the power of which node ----
: "${power_n1:=fence_ipmilan ip=10.78.1.11 lanplus=1 username=fence password_script=/etc/cluster/ipmi-password}"
: "${power_n2:=fence_ipmilan ip=10.78.1.12 lanplus=1 username=fence password_script=/etc/cluster/ipmi-password}"
# ---- to here ----

# Two nodes that lose each other would fence each other at once. The active
# one has the higher priority, and is given 3 s to be first. The price: when
# it is really dead the other waits as long, too.
crm configure <<END
primitive power-n1 stonith:$power_n1 pcmk_host_list=n1 op monitor interval=60s
primitive power-n2 stonith:$power_n2 pcmk_host_list=n2 op monitor interval=60s
property stonith-enabled=true priority-fencing-delay=3s
commit
END

# The address and the role, with every operation spelled out.
commands=$(claviger cluster commands --crm)
printf '%s\n' "$commands" | sh -eu
crm resource meta mss-clone set priority 10
