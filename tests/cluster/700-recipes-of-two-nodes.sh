#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster/recipes.sh
. "$(dirname "$0")/recipes.sh"

scenario "the recipes of two nodes, with pcs and with crm"
recipe_lab two-nodes-pcs "n1 n2"
must "both have the same corosync.conf" \
    cmp "$recipes"/two-nodes-{pcs,crm}/corosync.conf
recipe_system

step "pcs"
recipe_cluster two-nodes-pcs
step "the first link is lost"
lab cut n1 n2
link_lost() {
	on n1 corosync-cfgtool -s | sed '/LINK ID 1/,$d' |
	    grep disconnected >/dev/null
}
expect_within 10 "corosync sees it" link_lost
expect "and nobody is fenced for it" online n1 n2
lab heal
recipe_failover two-nodes-pcs

step "crm"
# It is stopped while there is fencing: without, Pacemaker stops nothing.
must "the resource is deleted" on n1 pcs resource delete $rsc-clone
all_gone() { daemon_absent n1 && daemon_absent n2 && address_nowhere; }
expect_within 30 "nothing is left of it" all_gone || exit 1
on n1 cibadmin --replace --scope constraints --xml-text '<constraints/>'
on n1 cibadmin --replace --scope resources --xml-text '<resources/>'
recipe_cluster two-nodes-crm
recipe_failover two-nodes-crm
