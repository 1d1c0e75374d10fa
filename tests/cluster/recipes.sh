# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# The recipes of ocf/examples, run as they stand: their names and addresses are
# the lab's. What cuts the power is the one thing that is set for them.

recipes=$tests/../ocf/examples

# recipe_lab NAME NODES [OPTION...]
recipe_lab() {
	local name=$1
	nodes=$2
	shift 2
	lab_fresh --nodes "$(wc -w <<<"$nodes")" --no-fencing \
	    --corosync "$recipes/$name/corosync.conf" "$@"
	log_allow 'attrd|pacemaker|stonith|fence'
}

# recipe_system: what comes before the cluster's resources.
recipe_system() {
	local node
	must "a system is created" system_init
	for node in ${nodes#n1}; do
		must "$node joins and is approved" join_and_approve "$node"
	done
}

# recipe_run NAME FILE [NODE]: in the recipe's folder, as it was copied there.
recipe_run() {
	local node=${3-n1}
	tar -C "$recipes" -c "$1" | on "$node" tar -C /root -x
	on "$node" env power_n1=fence_claviger_lab \
	    power_n2=fence_claviger_lab power_n3=fence_claviger_lab \
	    sh "/root/$1/$2" </dev/null
}

# recipe_cluster NAME: its resources, on nodes that have joined.
recipe_cluster() {
	must "the recipe's commands run as they are" recipe_run "$1" cluster.sh
	expect_within 40 "one node serves, the others stand by" all_ready ||
	    exit 1
	expect_within 10 "the address is there" serving
	expect_within 10 "doctor is content with the cluster" cl n1 doctor \
	    --only cluster,resource,operations,constraints,fencing,quorum,token,ring
	[ -e "$LAB_ROOT/$lab/member" ] ||
	    must "a member is enrolled" member_enrol
	touch "$LAB_ROOT/$lab/member"
}

# recipe_failover NAME: and back.
recipe_failover() {
	local first
	first=$(promoted)
	probe_start fetch claviger fetch --check
	step "$first loses power"
	# What was fenced earlier counts no more.
	on "$first" stonith_admin --cleanup --history "$first" >/dev/null
	lab power-off "$first"
	expect_within 40 "another node serves" serving || exit 1
	expect_within 10 "the member obtains the key" fetches
	step "measured: $1: no key for $(probe_stop) s"
	expect "it was fenced first" fenced "$first"
	lab power-on "$first"
	expect_within 60 "it stands by again" all_ready || exit 1
	must "failback to $first" on "$first" crm_resource -r $rsc-clone \
	    --move -N "$first" --promoted
	expect_within 20 "it serves" serving_on "$first"
	expect_within 10 "the member obtains the key" fetches
	on "$first" crm_resource -r $rsc-clone --clear
}
