#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "kill -9 of each process of the daemon, of three, and of all four"
lab_system
log_allow 'clavigerd.*(died|killed|ended|signal|lost)'
log_allow 'the address is up, but no server runs|the (front|supervisor) is gone'
log_allow 'no answer in time|does not answer'
threshold_set() { on n1 cibadmin -Q | grep migration-threshold; }
refute "no migration-threshold is set" threshold_set

# monitors PROMOTED UNPROMOTED: their intervals. With ten minutes no monitor
# comes to find what was not told.
monitors() {
	local set=(on n1 cibadmin --modify -o resources --xml-text)
	"${set[@]}" "<op id='$rsc-monitor-interval-5s' interval='$1'/>" &&
	    "${set[@]}" "<op id='$rsc-monitor-interval-10s' interval='$2'/>" &&
	    on n1 crm_resource --wait -T 60
}

# killed WHAT PROCESS...: of the active node.
killed() {
	active=$(promoted)
	step "$active: $1"
	at=$EPOCHREALTIME
	shift
	daemon_kill "$active" KILL "$@"
	expect_within 15 "a peer serves" promoted_other "$active"
	step "  after $(elapsed "$at") s"
	expect_within 10 "with the address" serving
	expect "the member obtains the key" fetches
	expect_within 15 "encryption is allowed" encrypt_is True
	expect_within 30 "$active stands by again" all_ready
	forget_failures
	expect_within 20 "in order" all_ready
}

told() { log_lines "$active" | grep 'clavigerd-watcher.*the supervisor died'; }
has_watcher() { daemon_pid "$active" watcher; }

must "no monitor comes meanwhile" monitors 600s 601s
killed "the keeper is killed" keeper
killed "the front is killed" front
killed "the supervisor is killed" supervisor
expect "its watcher tells it" told
killed "all but the watcher are killed" keeper front supervisor
expect "the watcher tells it" told

active=$(promoted)
step "$active: the watcher is killed"
daemon_kill "$active" KILL watcher
expect_within 10 "another one watches" has_watcher
expect "$active serves on" serving_on "$active"
killed "and then the supervisor is killed" supervisor

must "a monitor comes again" monitors 5s 10s
killed "all four are killed" keeper front supervisor watcher

active=$(promoted)
watcher=$(daemon_pid "$active" watcher)
watcher_is_left() { on "$active" kill -0 "$watcher"; }
daemon_kill "$active" STOP watcher
killed "all others are killed while the watcher stands still" \
    keeper front supervisor
refute "the agent has ended the watcher" watcher_is_left
