#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The instruments: a lab that lies would make every other scenario worthless.
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the lab cuts power, cuts wires, fences, and its checks find things"
at=$EPOCHREALTIME
lab_fresh --profile default
seconds=$(elapsed "$at")
expect "three nodes were online in at most 30 s ($seconds s)" \
    at_most "$seconds" 30
expect "the nodes see each other online" online n1 n2 n3
first_lab=$lab

pings() { on "$1" ping -4 -n -q -c 1 -W 1 "$2"; }

step "a wire is cut, one way and both ways"
expect "n1 reaches the client" pings n1 client
lab cut client n1 --one-way
refute "no answer comes back through a one-way cut" pings n1 client
lab heal
lab cut client n1,n2
refute "nothing passes a cut" pings client n2
expect "others are not cut" pings client n3
lab heal
expect "healed" pings client n2

step "a node loses power: its memory goes, its disk stays"
on n2 touch /var/lib/claviger.kept /run/lost /dev/shm/lost
pid=$(cat "$LAB_ROOT/$lab/nodes/n2/pid")
lab power-off n2
refute "its processes are gone" test -e "/proc/$pid"
refute "it does not answer" pings client n2
expect_within 20 "the others fence it" fenced n2
lab power-on n2
expect_within 30 "it comes back to the cluster" online n1 n2 n3
expect "its disk was kept" on n2 test -e /var/lib/claviger.kept
refute "/run was not kept" on n2 test -e /run/lost
refute "/dev/shm was not kept" on n2 test -e /dev/shm/lost

step "a node that is cut off is fenced by the majority"
lab cut n3 n1,n2
expect_within 30 "n3 was powered off" test ! -e "$LAB_ROOT/$lab/nodes/n3/pid"
expect "and only n3" online n1 n2
lab heal
lab power-on n3
expect_within 30 "n3 comes back" online n1 n2 n3

step "the canary scan finds what was planted, and nothing else"
secret=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
list=$(mktemp)
echo "planted $secret" >"$list"
expect "nothing is found before" "$tests/cluster/canary" "$lab" "$list"
raw() { python3 -c "import sys; sys.stdout.buffer.write(bytes.fromhex('$secret'))"; }
finds() {
	local output
	output=$("$tests/cluster/canary" "$lab" "$list" 2>/dev/null)
	grep -qE "^planted in $1" <<<"$output" && return 0
	echo "not in $1: $output"
	return 1
}
raw | on n1 tee /var/log/some.log >/dev/null
expect "as bytes in a log" finds 'n1:disk/var/up/log/some.log'
raw | base64 | on n2 tee /dev/shm/qb-left >/dev/null
expect "as base64 in shared memory" finds 'n2:/dev/shm/qb-left'
on n3 bash -c "exec -a x$secret sleep 100" </dev/null >/dev/null 2>&1 &
wait_until 5 on n3 pgrep -x sleep
expect "as hexadecimal on a command line" finds 'cmdline of sleep'
must "a secret is stored in a table" sql "CREATE TABLE planted AS
    SELECT decode('$secret', 'hex') AS b"
must "and written out" sql CHECKPOINT
expect "in PostgreSQL's files" finds 'db:disk/var/up/lib/postgresql'
rm -f "$list"

step "the log check finds what a daemon complains of"
on n1 logger -t 'clavigerd[7]' -p daemon.err 'something is broken'
found=$(log_suspects)
expect "an error of clavigerd is seen" grep -q 'something is broken' \
    <<<"$found"
log_allow 'something is broken'
log_allow 'fence|stonith'

step "an outage is measured"
probe_start ping ping -4 -n -q -c 1 -W 1 n1
lab cut client n1
wait_until 2 false
lab heal
wait_until 5 pings client n1
outage=$(probe_stop)
expect "a cut of two seconds shows as $outage s" at_most 1.9 "$outage"
expect "and not as much more" at_most "$outage" 6

step "another lab runs beside, and both leave nothing"
lab=$first_lab-b
lab up --owner $$ --no-cluster 2>&1
expect "the same addresses are in use in both" pings n1 client
lab down
refute "its files are gone" test -e "$LAB_ROOT/$lab"
(exec "$tests/lab/lab" -n "$lab" up --owner $$ --no-cluster </dev/null 2>&1) &
wait_until 10 test -e "$LAB_ROOT/$lab/ready"
hub=$(cat "$LAB_ROOT/$lab/hub.pid")
kill -TERM $!
wait $!
refute "an interrupted start leaves no process" test -e "/proc/$hub"
refute "and no file" test -e "$LAB_ROOT/$lab"
lab up --owner $$ --no-cluster 2>&1
kill -KILL "$(cat "$LAB_ROOT/$lab/keeper.pid")"
hub=$(cat "$LAB_ROOT/$lab/hub.pid")
expect_within 5 "a killed lab leaves no process" test ! -e "/proc/$hub"
lab down
refute "and down clears its files" test -e "$LAB_ROOT/$lab"
lab=$first_lab
expect "the first lab did not notice" online n1 n2 n3
