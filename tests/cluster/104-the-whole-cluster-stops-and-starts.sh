#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the whole cluster is stopped and started"
lab_system
before=$(epoch)
step "pacemaker and corosync end on every node"
for node in n1 n2 n3; do
	lab stop $node &
done
wait
for node in n1 n2 n3; do
	expect "no clavigerd is left on $node" daemon_absent $node
done
expect "no address is left" address_nowhere
refute "nobody is served" fetches
step "and start again"
for node in n1 n2 n3; do
	lab start $node
done
expect_within 90 "one node serves, two stand by" all_ready
expect_within 10 "with the address" serving
after=$(epoch)
expect "the epoch grew from $before to $after" test "$after" -gt "$before"
expect "the member obtains the key" fetches
