#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "policy manual: the cluster refuses a node until it is restored"
lab_fresh
must "a system with the policy manual" system_init --escrow-policy manual
must "n2 joins and is approved" join_and_approve n2
must "n3 joins and is approved" join_and_approve n3
must "one resource" resource_pcs
expect_within 30 "n1 serves" serving_on n1
expect_within 20 "n2 may never be promoted" score_is n2 -INFINITY
expect_within 20 "nor n3" score_is n3 -INFINITY
expect_within 20 "pcs status shows the remedy" on n1 bash -c \
    'pcs status --full | grep "secret absent: claviger restore" >/dev/null'
expect_exit 3 'secret absent' "claviger status shows it, too" cl n2 status
must "a member is enrolled" member_enrol

step "the only ready node goes: nobody is promoted in its place"
on n1 pcs node standby n1
expect_within 20 "nobody serves" promoted_none
holds 5 "and nobody dares" promoted_none
refute "the member obtains nothing" fetches
on n1 pcs node unstandby n1
expect_within 30 "n1 serves again" serving_on n1

step "the backup is carried to n2 and restored there"
copy n1 $BACKUP n2 /root/carried.age
passphrase n2
expect "claviger restore" cl n2 restore /root/carried.age --passphrase-file $PASS
expect_within 30 "n2 may be promoted now" score_is n2 50
expect "n3 still may not" score_is n3 -INFINITY
on n1 pcs node standby n1
expect_within 20 "n2 takes over" serving_on n2
expect "the member obtains the key from it" fetches
on n1 pcs node unstandby n1
expect_within 30 "n1 stands by" score_is n1 50

step "a restart needs no second restore: n2 has sealed its own copy"
lab power-off n2
expect_within 30 "n1 serves" serving_on n1
lab power-on n2
expect_within 60 "n2 opens its copy by itself" score_is n2 50

step "restore before approve"
expect_within 5 "n3 is still without" score_is n3 -INFINITY
copy n1 $BACKUP n3 /root/carried.age
passphrase n3
expect "n3 is restored, too" cl n3 restore /root/carried.age --passphrase-file $PASS
expect_within 30 "all are ready" all_ready

step "a restore drill on a live node touches nothing"
system_now() {
	sql "SELECT node, md5(body) FROM claviger.escrow ORDER BY node"
	sql "SELECT max(version) FROM claviger.list"
	sql "SELECT count(*) FROM claviger.backup"
	echo "$(promoted) $(epoch)"
	on n2 sh -c 'cd /var/lib/claviger && sha256sum identity list tls.* &&
		ls && pgrep -x clavigerd && ls -d /run/claviger*'
	on n2 claviger status --json | grep -E '"(role|score|list_version)"'
}
before=$(system_now)
expect "the copy of n2 and the backup open" cl n2 drill restore \
    /root/carried.age --passphrase-file $PASS --report /root/drill.html \
    --output-as html
expect "both, by the report" on n2 grep -q '2 opened, 0 failed' /root/drill.html
expect "all is as it was" test "$(system_now)" = "$before"
expect_exit 4 'Pacemaker manages the role here, by the resource mss' \
    "nobody takes the role from Pacemaker by hand" cl n2 designate n2
expect "and all is as it was" test "$(system_now)" = "$before"
