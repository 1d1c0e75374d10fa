#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

# reason RESOURCE: what the cluster shows of a failed action of it.
reason() {
	on n1 crm_mon -1 | sed -n "s/.*\* $1[: ].* on n[0-9].*(\(.*\)) at.*/\1/p"
}
shows() { reason "$1" | grep -E -- "$2" >/dev/null; }

scenario "options of the cluster that cannot be are refused with the reason"
lab_system
active=$(promoted)
log_allow 'promoted-max must be 1'
log_allow 'globally-unique'
log_allow 'cannot be cloned|clone'
log_allow 'driven by the resource'
log_allow 'validate-all: '
log_allow 'ip is 10.78.0.102, but'

# finds CHECK PATTERN WHAT: doctor on n1 says so, once n1's CIB has it.
cluster_checks=cluster,resource,operations,constraints,fencing,quorum,token,ring
doctor_cluster() { cl n1 doctor --only $cluster_checks; }
found() {
	local rc=0
	doctor_cluster >/dev/null || rc=$?
	[ $rc = 23 ] &&
	    grep -E "^FOUND +$1 .*($2)" "$LAB_ROOT/$lab/last" >/dev/null
}
finds() { expect_within 10 "$3" found "$1" "$2"; }
step "doctor compares the cluster with what it should be"
expect_within 10 "nothing is wrong with what the manual says" doctor_cluster
expect "and each check was made" test "$(grep -c '^ok ' "$LAB_ROOT/$lab/last")" = 8

step "promoted-max 2 while one node serves"
must "pcs takes it" on n1 pcs resource meta $rsc-clone promoted-max=2
expect_within 20 "the cluster shows the reason" \
    shows $rsc 'promoted-max must be 1, not 2'
finds resource 'promoted-max is 2' "doctor, too"
expect "one node is promoted" promoted_is "$active"
expect "the same one has the address" address_is "$active"
expect "members are served on" fetches
on n1 pcs resource meta $rsc-clone promoted-max=1
on n1 pcs resource cleanup $rsc
expect_within 30 "mended, the others stand by again" all_ready
expect "the role has not moved" promoted_is "$active"

step "a second resource for the same daemon"
expect_exit 1 'is not unique' "pcs refuses the same address twice" \
    on n1 pcs resource create two ocf:claviger:master-secret ip="$FLOATING" \
    promotable
on n1 pcs resource create two ocf:claviger:master-secret ip="$FLOATING" \
    promotable --force
expect_within 20 "it is refused" shows two "driven by the resource $rsc"
expect "the first one serves on" promoted_is "$active"
expect "with its address" address_is "$active"
on n1 pcs resource delete two
expect "also when the second is gone" promoted_is "$active"
expect "with its address" address_is "$active"

step "a resource with promoted-max 2, and a globally unique one"
on n1 pcs resource create two ocf:claviger:master-secret ip=10.78.0.102 \
    promotable promoted-max=2
expect_within 20 "the first is refused" shows two 'promoted-max must be 1, not 2'
on n1 pcs resource delete two
on n1 pcs resource create unique ocf:claviger:master-secret ip=10.78.0.102 \
    promotable globally-unique=true clone-node-max=2
expect_within 20 "the second is refused" shows unique 'globally-unique=false'
on n1 pcs resource delete unique
expect "neither has an address anywhere" test -z "$(address_on 10.78.0.102)"
expect "the first one serves on" promoted_is "$active"
expect "with its address" address_is "$active"
expect "members are served" fetches

step "a network name as a clone"
on n1 pcs resource create bad ocf:claviger:network-name ip=10.78.0.102 \
    cidr_netmask=24 clone
expect_within 20 "it is refused" shows bad 'clone'
expect "it has no address anywhere" test -z "$(address_on 10.78.0.102)"
on n1 pcs resource delete bad

step "parameters that pcs asks the agent about"
expect_exit 1 'is not an IPv4 or IPv6 address' "a wrong address" \
    on n1 pcs resource create bad ocf:claviger:network-name ip=10.78.0.1x \
    --agent-validation
expect_exit 1 'is not a prefix length' "a wrong prefix length" \
    on n1 pcs resource create bad ocf:claviger:master-secret \
    ip=10.78.0.102 cidr_netmask=99 --agent-validation promotable
expect_exit 1 "invalid resource option 'adress'" "an option that there is not" \
    on n1 pcs resource create bad ocf:claviger:master-secret adress=1 promotable

step "the address of the resource is not the system's"
must "pcs takes it" on n1 pcs resource update $rsc ip=10.78.0.102
differs() { on n1 pcs status | grep "ip is 10.78.0.102, but the system's" >/dev/null; }
expect_within 30 "pcs status says which it should be" differs
on n1 pcs resource update $rsc ip="$FLOATING"
on n1 pcs resource cleanup $rsc
expect_within 45 "mended, all is ready" all_ready
expect_within 15 "and the address is up" serving
expect "members are served" fetches

step "what is left over from a ban, and a cluster without fencing"
active=$(promoted)
other=n1
[ "$active" != n1 ] || other=n2
must "$other is banned" \
    on n1 crm_resource -r $rsc-clone --ban -N $other --promoted
finds constraints "cli-ban-.*$other" "doctor tells of the constraint"
must "and cleared" on n1 crm_resource -r $rsc-clone --clear
on n1 crm_attribute -n stonith-enabled -v false
finds fencing 'switched off' "and that nobody is fenced"
on n1 crm_attribute -n stonith-enabled -v true
expect_within 10 "then nothing is wrong again" doctor_cluster
expect "the role has not moved" promoted_is "$active"

step "another host has the address: no reason not to take over"
active=$(promoted)
log_allow 'duplicate|in use'
on client ip addr add "$FLOATING/24" dev eth0
on n1 pcs node standby "$active"
expect_within 20 "another node is promoted all the same" promoted_other "$active"
expect_within 5 "with the address" serving
on client ip addr del "$FLOATING/24" dev eth0
on n1 pcs node unstandby "$active"
expect_within 30 "all is ready" all_ready
on client ip neigh flush all
expect_within 15 "members are served" fetches
