#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "shares bring the master secret back where no node can open a copy"
lab_fresh
must "a system is created" system_init
on n1 mkdir -m 700 /root/shares
must "a recovery identity in three shares" cl n1 recovery create \
    --shares 2/3 --directory /root/shares
must "a rotation, without a custodian" cl n1 rotate \
    --backup /root/claviger-2.age --passphrase-file $PASS
expect "the copy for the shares is of the new generation" \
    test "$(sql 'SELECT generation FROM claviger.escrow WHERE node = 255')" = 2
must "n2 joins and is approved" join_and_approve n2
must "n3 joins and is approved" join_and_approve n3
must "one resource" resource_pcs
expect_within 30 "one node serves" promoted_one
must "a member is enrolled" member_enrol
for i in 1 3; do
	copy n1 /root/shares/share-$i-of-3.txt n2 /root/share-$i
done

step "the cluster stops, and every node's sealed copy is lost"
for node in n1 n2 n3; do
	lab stop $node &
done
wait
sql 'DELETE FROM claviger.escrow WHERE node < 255' >/dev/null
for node in n1 n2 n3; do
	lab start $node
done
for node in n1 n2; do
	expect_within 60 "$node may not be promoted" score_is $node -INFINITY
done

step "two custodians come to n2"
expect_exit 28 '2 are needed' "one of them is not enough" \
    cl n2 recovery combine --share-file /root/share-3
expect "both are, in any order" \
    cl n2 recovery combine --share-file /root/share-3,/root/share-1
expect_within 30 "n2 serves" serving_on n2
expect "the member obtains the key" fetches
expect_exit 23 'FOUND +n1: it has no sealed copy' \
    "the nodes that cannot open it yet are named" cl n2 escrow list
