#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocf-tester, the check that resource-agents brings for every agent.
. "$(dirname "$0")/lib.sh"
if ! command -v ocf-tester >/dev/null; then
	echo "1..0 # SKIP needs ocf-tester (package resource-agents)"
	exit 77
fi
enter_namespaces "$@"
make_links
ip addr add 10.78.0.1/24 dev eth0
ip addr add 2001:db8:78::1/64 dev eth0 nodad

# It runs the agent as nobody, too.
mkdir "$scratch/agents"
cp "$AGENT_DIR/network-name" "$AGENT_DIR/master-secret" "$scratch/agents/"
chmod -R go+rX "$scratch"
cp "$AGENT_DIR/fake-server" "$scratch/clavigerd"
echo "socket = $scratch/control.sock" >"$scratch/claviger.conf"

tester() { # AGENT [-o NAME=VALUE]...
	local agent=$scratch/agents/$1
	shift
	ocf-tester -n "test" "$@" "$agent" &&
	    ! ip -o addr | grep -qE '10\.78\.0\.100|2001:db8:78::100'
}
daemon=(-o "binary=$scratch/clavigerd" -o "config=$scratch/claviger.conf"
    -o "socket=$scratch/control.sock")

ok "network-name, IPv4" tester network-name -o ip=10.78.0.100 \
    -o cidr_netmask=24 -o nic=eth0
ok "network-name, IPv4, the address alone" tester network-name \
    -o ip=10.78.0.100
ok "network-name, IPv6" tester network-name -o ip=2001:db8:78::100 \
    -o cidr_netmask=64 -o nic=eth0
ok "network-name, IPv6, the address alone" tester network-name \
    -o ip=2001:db8:78::100
ok "master-secret without an address" tester master-secret "${daemon[@]}"
ok "master-secret with an IPv4 address" tester master-secret "${daemon[@]}" \
    -o ip=10.78.0.100 -o cidr_netmask=24 -o nic=eth0
ok "master-secret with an IPv6 address" tester master-secret "${daemon[@]}" \
    -o ip=2001:db8:78::100
ok "no daemon is left" eval "! pgrep -x clavigerd"
finish
