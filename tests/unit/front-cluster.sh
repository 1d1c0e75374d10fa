#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The front's thread for corosync against a real one: a cluster of one node,
# in namespaces of its own, which end with this script however it ends.
skip() {
	echo "skipped: $1"
	exit 77
}

if [ "$1" != inside ]; then
	[ "$(id -u)" = 0 ] || skip "not root"
	command -v corosync >/dev/null || skip "no corosync here"
	test=$(pwd)/check_front_cluster
	[ -x "$test" ] || skip "no $test"
	exec setsid unshare -m -n -i -u -p --fork --kill-child --mount-proc \
	    sh "$0" inside "$test" "$(dirname "$0")/../../daemon/systemd/claviger-uidgid.conf"
fi

set -e
mount --make-rprivate /
ip link set lo up
for dir in /run /var/lib/corosync /var/log /etc/corosync /dev/shm; do
	mkdir -p $dir
	mount -t tmpfs tmpfs $dir
done
mkdir -p /var/log/corosync /etc/corosync/uidgid.d
sed 's/claviger-front/nobody/' "$3" >/etc/corosync/uidgid.d/test
cat >/etc/corosync/corosync.conf <<EOF
totem {
	version: 2
	cluster_name: check
	transport: udpu
	token: 1000
}
nodelist {
	node {
		ring0_addr: 127.0.0.1
		name: check
		nodeid: 7
	}
}
quorum {
	provider: corosync_votequorum
	expected_votes: 1
}
logging {
	to_logfile: yes
	logfile: /var/log/corosync/corosync.log
	to_syslog: no
}
EOF
"$2" || {
	status=$?
	cat /var/log/corosync/corosync.log
	exit $status
}
