# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What `lab up` does in the nodes once they run.

# in_node NODE COMMAND...
in_node() {
	local pid
	pid=$(cat "$S/nodes/$1/pid" 2>/dev/null) || return 1
	shift
	nsenter -t "$pid" -m -n -u -i -p -- env -i -C /root "${node_env[@]}" \
	    "TERM=${TERM-dumb}" "$@"
}

node_has() {
	in_node "$1" test -e "$2" 2>/dev/null
}

cluster_online() {
	local xml
	xml=$(in_node n1 crm_mon -1 --output-as=xml 2>/dev/null) || return 1
	[ "$(grep -c '<node name=.* online="true".* pending="false"' \
	    <<<"$xml")" = "$1" ]
}

cluster_form() {
	wait_for 60 "$1 nodes online" cluster_online "$1"
	say "$1 nodes online"
	[ "$2" = yes ] || return 0
	in_node n1 cibadmin -C -o resources -X \
	    "<primitive class='stonith' type='fence_claviger_lab' id='power'>
	      <instance_attributes id='power-ia'>
	       <nvpair id='power-hosts' name='pcmk_host_list' value='$NODES'/>
	      </instance_attributes>
	      <operations>
	       <op id='power-mon' name='monitor' interval='60s' timeout='20s'/>
	      </operations>
	     </primitive>"
	in_node n1 crm_attribute -n stonith-enabled -v true
	wait_for 30 "the fence device" cluster_fences "$NODES"
	say "fencing ready"
}

# Every node's fencer must know the device before anything may fail.
cluster_fences() {
	local node
	for node in $1; do
		in_node "$node" stonith_admin -L 2>/dev/null |
		    grep power >/dev/null || return 1
	done
	in_node n1 crm_resource -W -r power 2>/dev/null | grep 'running on' >/dev/null
}
