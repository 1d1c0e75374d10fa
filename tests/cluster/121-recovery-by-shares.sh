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

step "backups on a schedule: nobody is asked"
active=$(promoted)
on "$active" bash -c '
	mkdir -m 700 /root/to /root/full && mkdir -m 777 /root/open
	chmod 777 /root/open
	mount -t tmpfs -o size=4k,mode=700 none /root/full
	head -c 4096 /dev/zero >/root/full/all
	touch /root/to/claviger-20200101T000000Z-g1.age{,.recovery} /root/to/my.age
	cat >>/etc/claviger/claviger.conf <<-END
	backup_to = /root/to,/root/open,/root/full
	backup_command = cat >/root/by-command.age
	backup_keep = 1
	END'
expect_exit '[1-9][0-9]*' 'others can write.*|No space left.*' \
    "a directory of anybody's and a full disk are refused" \
    cl "$active" backup --scheduled
recorded() {
	sql "SELECT count(*) FROM claviger.backup
	    WHERE position(convert_to('$1', 'UTF8') IN body) > 0"
}
expect "one is in the directory, the older ones are gone" test \
    "$(on "$active" sh -c 'cd /root/to && ls | sed s/-2.*Z-/-/')" = \
    "$(printf 'claviger-g2.age.recovery\nmy.age')"
expect "the command has one" on "$active" grep -aq age-encryption.org \
    /root/by-command.age
expect "these are on record" test \
    "$(recorded :/root/to/) $(recorded :backup_command)" = '1 1'
expect "and no other" test \
    "$(recorded :/root/open) $(recorded :/root/full)" = '0 0'
on "$active" sed -i '/^backup_to/s/,.*//' /etc/claviger/claviger.conf
expect "nothing is due any more" test \
    -z "$(cl "$active" backup --scheduled 2>&1)"
on "$active" sed -i '/^backup_/d' /etc/claviger/claviger.conf

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
