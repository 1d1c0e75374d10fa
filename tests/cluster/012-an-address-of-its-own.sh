#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the address is a resource of its own beside the secret server"
lab_fresh
must "the system is created, with an Ed25519 certificate" \
    system_init --certificate ed25519
must "n2 joins and is approved" join_and_approve n2
must "n3 joins and is approved" join_and_approve n3
must "the server without an address" on n1 pcs resource create $rsc \
    ocf:claviger:master-secret network_name=mss promotable
must "the network name" on n1 pcs resource create name \
    ocf:claviger:network-name ip="$FLOATING" cidr_netmask=24
must "the name goes where the role is" on n1 pcs constraint colocation add \
    name with promoted $rsc-clone INFINITY
must "after it" on n1 pcs constraint order promote $rsc-clone "then" start name
expect_within 30 "one node serves, two stand by" all_ready
expect_within 15 "the address is beside the role" serving
expect_within 10 "doctor is content with the constraints" \
    cl n1 doctor --only cluster,resource,operations,constraints
expect "and has looked at the address" \
    grep -q 'name follows the role' "$LAB_ROOT/$lab/last"
must "a member is enrolled" member_enrol
expect "it obtains the current key" fetches
expect "from a server that shows it" \
    grep -q 'Ed25519' <<<"$(cl client cert show 2>&1)"
active=$(promoted)
step "the role moves away from $active"
on n1 pcs node standby "$active"
expect_within 20 "another node is promoted" promoted_other "$active"
expect_within 15 "the address followed" serving
expect "the member obtains the key" fetches
on n1 pcs node unstandby "$active"
expect_within 30 "the node stands by again" all_ready

step "the network name alone loses its address"
active=$(promoted)
on "$active" ip addr del "$FLOATING/24" dev eth0
expect_within 30 "it is brought back" serving
expect "the member obtains the key" fetches
step "a clone of it is refused"
on n1 pcs resource create bad ocf:claviger:network-name \
    ip=10.78.0.101 cidr_netmask=24 clone >/dev/null 2>&1
clone_refused() { on n1 crm_mon -1 | grep 'bad.* on ' | grep -i 'clone' >/dev/null; }
expect_within 15 "the cluster shows the reason" clone_refused
expect "the address is nowhere" test -z "$(address_on 10.78.0.101)"
log_allow 'bad'
on n1 pcs resource delete bad >/dev/null 2>&1
