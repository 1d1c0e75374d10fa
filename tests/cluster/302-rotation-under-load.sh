#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "a rotation while a member works, with a failover in its midst"
lab_fresh
log_allow 'pacemaker|stonith|fence|attrd|database|score|keeper|rewrapping cannot|re-encryption cannot'
system_up
must "the client runs the daemon" member_daemon client
active=$(promoted)
apps="r1 r2 r3 r4 r5 r6"
for app in $apps; do
	must "application $app" cl "$active" app add "$app" --users nobody
done
expect_within 15 "the member knows of them" sees_app client r6
secret=$(secret_new)
canary_note "$secret"
for app in $apps; do put_secret client "$app" token "$secret"; done
echo plain | on client tee /root/plain >/dev/null
must "data that the member keeps" \
    cl client encrypt r1 /root/plain --output /root/sealed

# worker NAME COMMAND: again and again on the client; what fails is written down,
# and apart from that what is refused because the server is away (status 8).
worker() {
	on client sh -c "rm -f /tmp/$1.*; while ! [ -e /tmp/$1.stop ]; do
	    if ($2) >/tmp/$1.out 2>&1; then echo >>/tmp/$1.done
	    elif [ \$? = 8 ]; then cat /tmp/$1.out >>/tmp/$1.away
	    else cat /tmp/$1.out >>/tmp/$1.bad; fi; done" </dev/null >/dev/null 2>&1 &
	workers="${workers-} $1"
}
worker get "test \$(claviger get r2 token) = '$secret'"
# shellcheck disable=SC2016 # for the client's shell
worker open 'test $(claviger decrypt r1 /root/sealed) = plain'
worker put 'date | claviger put r3 clock'
worker seal 'claviger encrypt r4 /root/plain --output /root/sealed.$$ &&
    rm -f /root/sealed.$$'
# none FILE...: nothing was written down there.
none() {
	local f
	for f in "$@"; do
		if on client test -s "/tmp/$f"; then
			on client tail -n 3 "/tmp/$f" >&2
			return 1
		fi
	done
}
bad="get.bad open.bad put.bad seal.bad get.away open.away"
all_under() {
	[ "$(sql "SELECT count(*) FROM claviger.data_key
	    WHERE generation <> $1")" = 0 ]
}
worked() { [ "$(on client cat /tmp/put.done | wc -l)" -gt "$1" ]; }

step "a rotation with everything in order"
expect_within 20 "the member is at work" worked 3
passphrase "$active"
system_now() { cl "$1" status --json |
    sed -n 's/.*"system": *"\([^"]*\)".*/\1/p' | head -n 1; }
pinned=$(system_now "$active")
must "rotate returns when every key is rewrapped" cl "$active" rotate \
    --signing-key --backup /root/claviger-2.age --passphrase-file $PASS
signs=$(system_now "$active")
refute "the system signs by another key" test "$signs" = "$pinned"
expect "no row is under generation 1" all_under 2
# shellcheck disable=SC2086
expect "not one request has failed" none $bad put.away seal.away

step "the role is moved on purpose"
to=n1
[ "$active" != n1 ] || to=n2
on n1 crm_resource -r $rsc-clone --move -N $to --promoted >/dev/null 2>&1 ||
    on n1 crm_resource -r $rsc --move -N $to --master >/dev/null 2>&1
expect_within 20 "$to serves" serving_on $to
on n1 crm_resource -r $rsc-clone --clear >/dev/null 2>&1
expect_within 20 "the member goes on working" \
    worked "$(($(on client cat /tmp/put.done | wc -l) + 3))"
expect_within 40 "all in order" all_ready
# shellcheck disable=SC2086
expect "not one request has failed" none $bad put.away seal.away
active=$to
passphrase "$active"

step "one whose active node loses its keeper while keys are rewrapped"
# Nobody writes to the table, so that the rewrapping stands still.
sql "BEGIN; LOCK TABLE claviger.data_key IN SHARE MODE;
    SELECT pg_sleep(600); COMMIT" >/dev/null 2>&1 &
lock=$!
cl "$active" rotate --backup /root/claviger-3.age --passphrase-file $PASS \
    >"$LAB_ROOT/$lab/rotation" 2>&1 &
rotation=$!
is_current() { cl "$active" generation list | grep -E '^ *3 +current' >/dev/null; }
expect_within 120 "generation 3 is current" is_current
rewrapping="query LIKE 'SELECT claviger.put_rewrapped%'"
waits() { [ "$(sql "SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND $rewrapping")" -ge 1 ]; }
expect_within 20 "rewrapping is under way" waits
must "its keeper is killed" daemon_kill "$active" KILL keeper
ended() { sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND $1" >/dev/null; }
must "what it had sent is undone" ended "$rewrapping"
refute "nothing is rewrapped yet" all_under 3
must "keys can be written again" ended "query LIKE '%pg_sleep(600)%'"
expect_within 40 "another node serves" promoted_other "$active"
wait "$lock" "$rotation"
refute "the command started no daemon in the place of the killed one" \
    grep -q 'starting one' "$LAB_ROOT/$lab/rotation"
expect_within 40 "the new active server goes on by itself" all_under 3
expect_within 60 "all in order" all_ready
expect_within 20 "the member goes on working" \
    worked "$(($(on client cat /tmp/put.done | wc -l) + 3))"

step "one with new data keys, whose active node loses its keeper, too"
active=$(promoted)
passphrase "$active"
# One record cannot be rewritten, and nobody else writes to that application.
sql "BEGIN; SELECT FROM claviger.secret WHERE app = 'r5' FOR UPDATE;
    SELECT pg_sleep(600); COMMIT" >/dev/null 2>&1 &
lock=$!
cl "$active" rotate --reencrypt --signing-key --backup /root/claviger-4.age \
    --passphrase-file $PASS --json >"$LAB_ROOT/$lab/rotation" 2>&1 &
rotation=$!
rewrapping="query LIKE '%claviger.put_records(%'"
expect_within 120 "records are being rewritten" waits
says_how_far() { cl "$active" status |
    grep -E '^re-encrypting +[0-9]+ of [0-9]+ secrets left'; }
expect "the status says how far" says_how_far
old_records() { sql "SELECT count(*) FROM claviger.secret s
    JOIN claviger.manifest m USING (app)
    WHERE NOT s.deleted AND s.key_version < m.key_version"; }
refute "not all of them are" test "$(old_records)" = 0
must "its keeper is killed" daemon_kill "$active" KILL keeper
must "what it had sent is undone" ended "$rewrapping"
must "records can be rewritten again" ended "query LIKE '%pg_sleep(600)%'"
expect_within 40 "another node serves" promoted_other "$active"
wait "$lock"
through() { cl "$1" generation list | grep COMMITMENT >/dev/null &&
    ! cl "$1" generation list | grep re-encryption >/dev/null; }
expect_within 60 "the new active server goes on by itself" \
    through "$(promoted)"
expect "no record is under an old data key" test "$(old_records)" = 0
expect "each application has one new data key" \
    test "$(sql "SELECT count(*) FROM claviger.data_key
    WHERE version = 2 AND generation = 4")" = 6
expect "and no more" test "$(sql "SELECT max(version)
    FROM claviger.data_key")" = 2
expect "the command has waited for that" wait "$rotation"
expect_within 60 "all in order" all_ready
expect_within 20 "the member goes on working" \
    worked "$(($(on client cat /tmp/put.done | wc -l) + 3))"

step "the database password of the server nodes is renewed"
active=$(promoted)
pass=/etc/claviger/db.pass
expect_exit 30 'in use at other addresses' "others have that login, too" \
    cl "$active" settings database-password --rotate
refute "nothing is changed yet" on "$active" test -e $pass.former
owner=$(on "$active" stat -c %U $pass)
for node in n1 n2 n3; do
	[ $node = "$active" ] || on "$active" cat $pass.next |
	    on $node install -m 600 -o "$owner" /dev/stdin $pass.next
done
canary_note "$(on "$active" sed 's/.*://' $pass.next)"
expect "it is changed" \
    cl "$active" settings database-password --rotate --shared
must "and everybody has to log in anew" ended "usename = 'claviger_node'"
expect_within 30 "all in order" all_ready
for node in n1 n2 n3; do
	[ $node = "$active" ] || expect "$node takes up the new one" \
	    cl $node settings database-password --rotate
done
expect "all are there again, and are served" \
    cl "$active" settings set port 8391
expect_within 20 "the member goes on working" \
    worked "$(($(on client cat /tmp/put.done | wc -l) + 3))"

for w in $workers; do on client touch "/tmp/$w.stop"; done
# What claviger(1) promises of a failover: reading goes on; until the new server
# knows that the old one serves nobody, writing is refused, with that reason.
# shellcheck disable=SC2086
expect "not one request has failed" none $bad

step "hosts that pin the first signing key follow to the third"
active=$(promoted)
refute "it is another one" test "$(system_now "$active")" = "$signs"
signs=$(system_now "$active")
expect "the configuration has the first one" \
    on client grep -qF "$pinned" /etc/claviger/claviger.conf
# As one that was away since before the first change.
must "the member's pin is gone" on client rm /var/lib/claviger/successor
expect "the command asks how it came to that" cl client fetch --check
must "the member restarts" member_restart client
expect_within 20 "and is fresh" member_fresh client
system_is() { [ "$(system_now "$1")" = "$signs" ]; }
expect_within 10 "by the key in force" system_is client
standby=$(printf '%s\n' n1 n2 n3 | grep -v "$active" | tail -n 1)
was=$(daemon_pid "$standby" keeper)
must "a standby has neither pin nor list" on "$standby" \
    rm /var/lib/claviger/successor /var/lib/claviger/list
must "and begins anew" daemon_kill "$standby" KILL keeper
is_again() { ! [[ $(daemon_pid "$standby" keeper) =~ ^($was|)$ ]] && all_ready; }
expect_within 40 "it is there again" is_again
expect_within 10 "by the key in force" system_is "$standby"

step "the old generations are destroyed"
active=$(promoted)
expect_exit 4 'destroyed for ever' "not without being asked to" \
    cl "$active" generation destroy 1
gone() { cl "$active" generation destroy "$1" --yes; }
expect_within 90 "generation 1 goes" gone 1
must "generation 2 goes" gone 2
expect "its backups are named" grep -q 'claviger-2.age' "$LAB_ROOT/$lab/last"
must "generation 3 goes" gone 3
expect_exit 2 'is current' "the current one does not" gone 4
# opened NODE: the generations in that node's sealed copy.
holds_only() {
	on "$1" claviger backup "/root/check-$1.age" --passphrase-file $PASS \
	    >/dev/null 2>&1 &&
	    ! on "$1" claviger backup verify "/root/check-$1.age" \
	        --passphrase-file $PASS | grep -E 'generations.*\b[123]\b' >/dev/null
}
for node in n1 n2 n3; do
	passphrase "$node"
	expect "$node has no old generation in its memory" holds_only "$node"
done
expect "the member reads" test "$(on client claviger get r2 token)" = "$secret"
expect "and opens what it sealed under generation 1" \
    test "$(on client claviger decrypt r1 /root/sealed)" = plain

step "the member and a server node are revoked, and what they had is replaced"
passphrase "$active"
lost=$(printf '%s\n' n1 n2 n3 | grep -v "$active" | tail -n 1)
told() { grep -qE "$1" "$LAB_ROOT/$lab/last"; }
expect "the member is" cl "$active" member revoke client --rotate \
    --backup /root/claviger-5.age --passphrase-file $PASS
expect "it could read them all" told 'applications +r1 r2 r3 r4 r5 r6$'
expect "its keys are replaced" told 'application keys +replaced'
expect "by a new generation" all_under 5
expect "with new data keys, and every record under them" \
    test "$(old_records)" = 0
was=$(server_thumbprint '' "$active")
expect_exit 30 'master secret +replaced' "the node is, and something is left" \
    cl "$active" node revoke "$lost" --rotate --now --yes \
    --backup /root/claviger-6.age --passphrase-file $PASS
expect "the certificate is replaced" told "certificate's key +replaced"
expect "and the signing key" told 'signing key +replaced'
refute "it is another one" test "$(system_now "$active")" = "$signs"
refute "by another one" test "$(server_thumbprint '' "$active")" = "$was"
expect "by a new generation" all_under 6
expect "and all records" test "$(old_records)" = 0
expect_exit 30 'master secret +replaced' "repeated, nothing is left to do" \
    cl "$active" node revoke "$lost" --rotate
expect "and no generation is made for that" all_under 6

step "that host joins anew, as a node of the same system"
must "its daemon is stopped" on "$active" pcs node standby "$lost"
expect_within 20 "and has ended" daemon_absent "$lost"
must "what it had is gone" on "$lost" \
    rm -rf /etc/claviger/claviger.conf /var/lib/claviger
fingerprint=$(cl "$lost" join --server --system "$(system_now "$active")" \
    --database "$CONNINFO" --database-passfile $PASSFILE | fingerprint_in)
must "it asks, by the key in force" test -n "$fingerprint"
must "and is approved" cl "$active" node approve "$lost" \
    --fingerprint "$fingerprint"
expect "its configuration has the first key" \
    test "$(config_of "$lost" system)" = "$pinned"
must "its daemon starts" on "$active" pcs node unstandby "$lost"
expect_within 60 "it may be promoted, as the others" all_ready
# By the cluster: in a group of its own it would hear of nobody.
active=$(promoted)
must "the active server is put aside" on "$active" pcs node standby "$active"
expect_within 40 "another one serves" serving
must "it is back" on "$active" pcs node unstandby "$active"
expect_within 60 "all are ready" all_ready
one_group() {
	local node names
	names=$(for node in n1 n2 n3; do
		on "$node" corosync-cpgtool -n | grep -aE '^claviger/'
	done | sort -u)
	[ "$(wc -l <<<"$names")" = 1 ] && [ -n "$names" ]
}
expect "all meet in one group" one_group
