#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the active node is cut off from its peers"
lab_system
log_allow 'attrd|pacemaker|stonith|fence|quorum'
old=$(promoted)
before=$(epoch)
peers=$(printf '%s\n' n1 n2 n3 | grep -v "$old" | paste -sd,)
step "$old | $peers; the member and the database reach all of them"
lab cut "$old" "$peers"
expect_within 40 "the majority fences it" test ! -e "$LAB_ROOT/$lab/nodes/$old/pid"
expect_within 20 "and serves" serving
expect "the member obtains the key" fetches
expect "the epoch grew" test "$(epoch)" -gt "$before"
lab heal
lab power-on "$old"
expect_within 60 "it comes back and stands by" all_ready

step "one way only: what $(promoted) sends to the others is lost"
old=$(promoted)
before=$(epoch)
peers=$(printf '%s\n' n1 n2 n3 | grep -v "$old" | paste -sd,)
lab cut "$old" "$peers" --one-way
one_serves() { serving && fetches; }
expect_within 60 "one node serves a member" one_serves
lab heal
for node in n1 n2 n3; do
	lab power-on $node
done
expect_within 90 "all in order" all_ready
expect "the epoch did not go back" test "$(epoch)" -ge "$before"
