#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "each bad backup has its own error, and none changes the keyring"
lab_fresh
must "a system with the policy manual" system_init --escrow-policy manual
must "n2 joins and is approved" join_and_approve n2
copy n1 $BACKUP n2 /root/good.age
passphrase n2
on n2 bash -c '
	cd /root
	size=$(stat -c %s good.age)
	head -c $((size - 7)) good.age >truncated.age
	head -c 40 good.age >stub.age
	cp good.age damaged.age
	printf "\377" | dd of=damaged.age bs=1 seek=$((size - 40)) conv=notrunc
	echo "this is no backup" >other.age
	: >empty.age
	echo "another passphrase of enough letters" >wrong
	chmod 600 *.age wrong
	age-keygen -o key.txt
	echo hello | age -r "$(age-keygen -y key.txt)" >sealed.age' 2>/dev/null
state() { on n2 sha256sum /var/lib/claviger/identity /var/lib/claviger/state \
    /var/lib/claviger/list 2>/dev/null; }
sealed() {
	sql 'SELECT md5(string_agg(t::text, $$ $$ ORDER BY t::text))
	    FROM claviger.escrow t'
}
before="$(state) $(sealed)"
bad() {
	expect_exit "$1" "$2" "$3" cl n2 restore "/root/$4" \
	    --passphrase-file "${5-$PASS}"
}
bad 13 'passphrase' "wrong passphrase" good.age /root/wrong
bad 12 'damaged' "one byte changed" damaged.age
bad 12 'cut short' "the end is missing" truncated.age
bad 16 'ends too early|truncated' "nearly all is missing" stub.age
bad 10 'not a' "a file of another kind" other.age
bad '1[06]' '' "an empty file" empty.age
bad 14 'sealed to' "an age file for somebody else" sealed.age
bad 5 'not found' "no such file" nothing.age
expect "nothing has changed on the node or in the database" \
    test "$before" = "$(state) $(sealed)"

step "the backup of another system"
other=$lab
lab=own-$$-o
must "a second lab" lab up --owner "$owner" ${LAB_PREFIX:+--prefix "$LAB_PREFIX"} \
    --no-cluster --nodes 1
must "with a system of its own" system_init
foreign=$(on n1 base64 $BACKUP)
lab down
lab=$other
base64 -d <<<"$foreign" | on n2 install -m 600 /dev/stdin /root/foreign.age
bad 17 'another system' "is refused" foreign.age
expect "nothing has changed" test "$before" = "$(state) $(sealed)"

step "backup verify says the same, without the daemon"
verify() {
	expect_exit "$1" "$2" "verify: $3" cl n2 backup verify "/root/$4" \
	    --passphrase-file "${5-$PASS}"
}
verify 13 'passphrase' "wrong passphrase" good.age /root/wrong
verify 12 'damaged' "damaged" damaged.age
verify 17 'another system' "foreign" foreign.age
verify 0 '' "the good one" good.age
expect "and the good one restores" cl n2 restore /root/good.age \
    --passphrase-file $PASS
