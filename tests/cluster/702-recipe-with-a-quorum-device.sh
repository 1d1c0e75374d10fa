#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster/recipes.sh
. "$(dirname "$0")/recipes.sh"

scenario "the recipe of two nodes and a quorum device"
recipe_lab two-nodes-qdevice "n1 n2"

# As the recipe's README says; db is the third host.
dir=/etc/corosync/qdevice/net/nssdb
qnetd_starts() {
	on db install -d -o coroqnetd -g coroqnetd -m 770 /run/corosync-qnetd
	on db setpriv --reuid coroqnetd --regid coroqnetd --clear-groups \
	    corosync-qnetd
}
ca_on() {
	copy db /etc/corosync/qnetd/nssdb/qnetd-cacert.crt "$1" /root/ca.crt
	on "$1" corosync-qdevice-net-certutil -i -c /root/ca.crt
}
certificate() {
	ca_on n1 && ca_on n2 || return
	on n1 corosync-qdevice-net-certutil -r -n claviger
	copy n1 $dir/qdevice-net-node.crq db /root/node.crq
	on db corosync-qnetd-certutil -s -c /root/node.crq -n claviger
	copy db /etc/corosync/qnetd/nssdb/cluster-claviger.crt \
	    n1 /root/cluster-claviger.crt
	on n1 corosync-qdevice-net-certutil -M -c /root/cluster-claviger.crt
	copy n1 $dir/qdevice-net-node.p12 n2 /root/node.p12
	on n2 corosync-qdevice-net-certutil -m -c /root/node.p12
}
votes() { # three of three, by TLS
	on n1 corosync-quorumtool -s | grep -E 'Total votes: +3' >/dev/null &&
	    on n2 corosync-quorumtool -s | grep -E 'Total votes: +3' >/dev/null
}
step "the third vote"
must "the nodes have a certificate for it" certificate
must "qnetd runs" qnetd_starts
for node in $nodes; do
	must "qdevice runs on $node" on $node corosync-qdevice
done
expect_within 30 "the device votes" votes || exit 1
by_tls() {
	on n1 corosync-qdevice-tool -sv |
	    grep 'TLS active:[[:space:]]*Yes (client certificate sent)' >/dev/null
}
expect "by TLS, with the certificate" by_tls

recipe_system
recipe_cluster two-nodes-qdevice
recipe_failover two-nodes-qdevice
expect_within 30 "three votes again" votes
