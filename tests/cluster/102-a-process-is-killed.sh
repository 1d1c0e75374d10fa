#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "kill -9 of the keeper, the front, the supervisor, and of all three"
lab_system
log_allow 'clavigerd.*(died|killed|ended|signal|lost)'
log_allow 'the address is up, but no server runs|the front is gone'
threshold_set() { on n1 cibadmin -Q | grep migration-threshold; }
refute "no migration-threshold is set" threshold_set
for victim in keeper front supervisor all; do
	active=$(promoted)
	step "the $victim of $active is killed"
	at=$EPOCHREALTIME
	if [ $victim = all ]; then
		on "$active" pkill -KILL -x clavigerd
	else
		daemon_kill "$active" $victim KILL
	fi
	expect_within 15 "a peer serves" promoted_other "$active"
	step "  after $(elapsed "$at") s"
	expect_within 10 "with the address" serving
	expect "the member obtains the key" fetches
	expect_within 30 "$active stands by again" all_ready
	forget_failures
	expect_within 20 "in order" all_ready
done
