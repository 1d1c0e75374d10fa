#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the active node is paused for 60 s without fencing, and wakes up"
lab_fresh --no-fencing
system_up
log_allow 'master-secret.*the server is not active'
log_allow 'quorum|epoch|superseded|database|witness'
old=$(promoted)
other=n2
[ "$old" != n2 ] || other=n3
before=$(epoch)
version=$(sql 'SELECT max(version) FROM claviger.list')
step "$old is paused as a virtual machine is: all of it at once"
paused=$SECONDS
lab freeze "$old"
serves_elsewhere() {
	local now
	now=$(promoted $other)
	[[ $now =~ ^n[123]$ && $now != "$old" ]]
}
expect_within 60 "another node takes over" serves_elsewhere
new=$(promoted $other)
fetched_from_new() { fetches | grep "^server  *$new\$" >/dev/null; }
expect_within 30 "the member obtains the key from it" fetched_from_new
after=$(sql 'SELECT max(epoch) FROM claviger.system')
expect "the epoch grew from $before to $after" test "$after" -gt "$before"
while [ $((SECONDS - paused)) -lt 60 ]; do
	wait_until 2 false
done
expect "it serves still" fetched_from_new

step "an order waits at the old server when it wakes up"
on "$old" claviger settings set escrow_policy manual </dev/null \
    >"$LAB_ROOT/$lab/order" 2>&1 &
order=$!
wait_until 1 false
lab thaw "$old"
wait $order
rc=$?
echo "    exit $rc: $(cat "$LAB_ROOT/$lab/order")"
# It may be passed on to the new server, or refused: never done by the old one.
stale_writes() {
	sql "SELECT 1 FROM claviger.epoch_log WHERE epoch <= $before
	    AND at > (SELECT at FROM claviger.epoch_log WHERE epoch = $after)" |
	    grep .
}
refute "no epoch was taken behind the new one" stale_writes
now=$(sql 'SELECT max(epoch) FROM claviger.system')
expect "the epoch did not go back" test "$now" -ge "$after"
if [ $rc != 0 ]; then
	expect "nothing was written" test "$version" = \
	    "$(sql 'SELECT max(version) FROM claviger.list')"
fi
in_order() { fetches && all_ready && serving; }
expect_within 90 "one node serves, two stand by" in_order
holds 5 "the address is on one node only" serving
expect "the member saw no older epoch" test "$(epoch)" -ge "$after"
