#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "PostgreSQL fails over to a standby in the midst of writes"
lab_fresh --standby
log_allow 'database|pacemaker|stonith|fence|attrd|older than what was seen'
must "each kind of fault would be found" "$tests/cluster/check-history" --self-test
CONNINFO=${CONNINFO/host=db /host=db,db2 }
OWNER_CONNINFO=${OWNER_CONNINFO/host=db /host=db,db2 }
must "db2 follows db" on db2 lab-db follow db
system_up
must "the client runs the daemon" member_daemon client

# writer HOST APP COUNT NAME...: in the background, into a log of its own.
writer() {
	local host=$1 app=$2 count=$3 log=/tmp/$2-$1-$4.log
	shift 3
	on "$host" /usr/libexec/claviger-lab/lab-writer "$log" "$count" \
	    "$app" "$@" </dev/null >/dev/null 2>&1 &
	writers+=("$host $log")
}
written() { on "${1% *}" grep -cs '"status": 0' "${1#* }"; }
written_since() { [ "$(written "$1")" -ge $(($2 + 5)) ]; }
# All of them have done some more by now.
go_on() {
	local w had=() i=0
	for w in "${writers[@]}"; do had+=("$(written "$w")"); done
	for w in "${writers[@]}"; do
		expect_within 40 "  $w goes on" \
		    written_since "$w" "${had[$i]}"
		i=$((i + 1))
	done
}
writers_end() {
	local w
	for w in "${writers[@]}"; do
		on "${w% *}" touch "${w#* }.stop"
	done
	for w in "${writers[@]}"; do
		expect_within 40 "  $w has ended" on "${w% *}" \
		    test -e "${w#* }.done"
		on "${w% *}" cat "${w#* }" >"$LAB_ROOT/$lab/log.${w##*/}"
	done
}
# What the database has, when no host believes it: versions without values.
rows_of() {
	sql "SELECT coalesce(json_agg(json_build_object('name', name,
	    'version', version, 'value', NULL)), '[]')
	    FROM claviger.secret WHERE app = '$1'"
}
# judge APP [OPTION]: what it says stands in a file.
judge() {
	local app=$1 dir=$LAB_ROOT/$lab rc=0 writer
	shift
	writer=/usr/libexec/claviger-lab/lab-writer
	if [ $# = 0 ]; then
		on client $writer --history "$app"
	else
		rows_of "$app"
	fi >"$dir/history.$app" || return
	on "$active" $writer --users "$app" >"$dir/users.$app" || return
	"$tests/cluster/check-history" "$@" "$dir/history.$app" \
	    "$dir/users.$app" "$dir/log.$app"-* >"$dir/said" || rc=1
	cat "$dir/said"
	return $rc
}
# A host's own epoch is the highest that it has accepted.
newer_epoch() {
	local host
	[ "$(epoch)" -gt "$1" ] || return 1
	for host in client n1 n2 n3; do
		[ "$(member_field $host epoch)" -gt "$1" ] || return 1
	done
}
# Nobody is served the rest of it as if it were all.
finds_loss() {
	local said rc=0
	said=$(on "$1" claviger get "$2" "$3" 2>&1) || rc=$?
	[ $rc = 20 ] && grep -q 'older than what was seen' <<<"$said"
}
streams() {
	[ "$(sql "SELECT sync_state FROM pg_stat_replication
	    WHERE application_name = '$1'")" = "$2" ]
}

step "a synchronous standby"
active=$(promoted)
must "an application" cl "$active" app add sync --users nobody
sql "ALTER SYSTEM SET synchronous_standby_names = 'db2'" >/dev/null
sql "SELECT pg_reload_conf()" >/dev/null
expect_within 10 "each commit waits for it" streams db2 sync
expect_within 15 "the member knows of the application" sees_app client sync
writers=()
before=$(epoch)
writer client sync 400 both client
writer n2 sync 400 both n2
writer n3 sync 400 n3 both
writer "$active" sync 50 grants
go_on
on db lab-db kill
must "the primary is killed, the standby promoted" on db2 lab-db promote
database=db2
go_on
writers_end
on db lab-db follow db2 >/dev/null 2>&1 &
expect "nothing acknowledged is lost, nothing applied twice" \
    judge sync
cat "$LAB_ROOT/$lab/said"
expect_within 30 "a fresh epoch is everywhere" newer_epoch "$before"
expect_within 30 "encryption is allowed" encrypt_is True

step "an asynchronous standby that has not got the last of it"
must "two applications" eval 'cl "$active" app add async &&
    cl "$active" app add calm'
expect_within 15 "the member knows of them" sees_app client calm
secret=$(secret_new)
must "one has a secret" put_secret client calm token "$secret"
expect_within 40 "db follows db2, no commit waits for it" \
    streams db async
writers=()
before=$(epoch)
writer client async 400 both client
writer n2 async 400 both n2
go_on
lab cut db2 db
go_on
must "the list is changed" cl "$active" app grant calm user:games
lab power-off db2
lab heal
must "the primary loses power, the standby is promoted" on db lab-db promote
database=db
for host in client n2; do
	expect_within 40 "$host finds that its writes are lost" \
	    finds_loss $host async both
done
writers_end
says_loss() { on n1 crm_mon -1 | grep 'state of application async' >/dev/null; }
expect_within 30 "who has not seen them is shown it by the cluster" says_loss
expect "what was lost is named, and nothing stands in its place" \
    judge async --lossy
cat "$LAB_ROOT/$lab/said"
expect_within 40 "a fresh epoch is everywhere" newer_epoch "$before"
expect_within 30 "encryption is allowed" encrypt_is True
expect "the lost change of the list is there again" \
    eval 'cl "$active" app show calm | grep user:games >/dev/null'
expect "another application is as it was" same_on_all calm token "$secret"
expect "and is written to" put_secret n3 calm token "$(secret_new)"
canary_note "$secret"
