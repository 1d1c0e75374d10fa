# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What a scenario is written with. A scenario says `scenario SENTENCE`, then
# `lab_shared` or `lab_fresh`, then steps and expectations; it never sleeps.
set -uo pipefail
export LC_ALL=C

export LAB_ROOT=${CLAVIGER_LAB_DIR:-/run/claviger-lab}
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/lab/common.sh
. "$tests/lab/common.sh"
# shellcheck source=tests/cluster/labs.sh
. "$tests/cluster/labs.sh"
# shellcheck source=tests/cluster/system.sh
. "$tests/cluster/system.sh"
# shellcheck source=tests/cluster/checks.sh
. "$tests/cluster/checks.sh"

passed=0 failed=0
began=$EPOCHREALTIME

scenario() {
	title=$1
	echo "== $title"
	trap scenario_ends EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# A scenario that stops half-way has failed: its last line says so.
scenario_ends() {
	local rc=$?
	trap - EXIT
	[ $rc = 0 ] || fail "the scenario stopped with status $rc"
	[ -z "${lab-}" ] || log_check
	[ $failed = 0 ] || scenario_evidence
	probe_stop >/dev/null 2>&1
	lab_release
	echo "$passed passed, $failed failed"
	[ $failed = 0 ] && exit 0
	exit 1
}

scenario_evidence() {
	[ -n "${lab-}" ] || return 0
	echo "-- evidence"
	lab status 2>&1 | sed 's/^/   /'
	local node
	for node in n1 n2 n3; do
		lab logs $node syslog 2>/dev/null |
		    grep -E 'clavigerd|master-secret|network-name|error:' |
		    tail -n 25 | sed "s/^/   $node: /"
	done
}

stamp() { printf '[%5.1f]' "$(elapsed "$began")"; }
step() { echo "$(stamp) $*"; }
pass() { passed=$((passed + 1)); echo "$(stamp)   ok    $*"; }
fail() { failed=$((failed + 1)); echo "$(stamp)   FAIL  $*"; }

# expect SENTENCE COMMAND...: output is shown when it fails.
expect() {
	local what=$1 output
	shift
	if output=$("$@" 2>&1); then
		pass "$what"
	else
		fail "$what"
		echo "$*: $output" | head -n 15 | sed 's/^/            /'
		return 1
	fi
}

# What follows makes no sense without this: end the scenario.
must() { expect "$@" || exit 1; }

refute() {
	local what=$1 output
	shift
	if output=$("$@" 2>&1); then
		fail "$what"
		echo "$*: $output" | head -n 15 | sed 's/^/            /'
		return 1
	fi
	pass "$what"
}

# expect_exit STATUS PATTERN SENTENCE COMMAND...: a documented refusal.
expect_exit() {
	local status=$1 pattern=$2 what=$3 output rc=0
	shift 3
	output=$("$@" 2>&1) || rc=$?
	said=$output
	if [[ $rc =~ ^($status)$ ]] && grep -qE -- "$pattern" <<<"$output"; then
		pass "$what"
	else
		fail "$what (exit $rc, wanted $status and /$pattern/)"
		echo "$output" | head -n 15 | sed 's/^/            /'
		return 1
	fi
}

# refused STATUS PATTERN SENTENCE COMMAND...: with one status, and a next step
refused() {
	expect_exit "$@" || return 1
	expect "  and is told what to do next" grep -q '^  next: ' <<<"$said"
}

# wait_until SECONDS COMMAND...
wait_until() {
	local end
	end=$(awk -v n="$EPOCHREALTIME" -v s="$1" 'BEGIN { printf "%.6f", n + s }')
	shift
	until "$@" >/dev/null 2>&1; do
		awk -v n="$EPOCHREALTIME" -v e="$end" \
		    'BEGIN { exit !(n < e) }' || return 1
		sleep 0.1
	done
}

# expect_within SECONDS SENTENCE COMMAND...
expect_within() {
	local seconds=$1 what=$2 at=$EPOCHREALTIME
	shift 2
	if wait_until "$seconds" "$@"; then
		pass "$what ($(printf %.1f "$(elapsed "$at")") s)"
	else
		fail "$what (not within $seconds s)"
		"$@" 2>&1 | head -n 15 | sed 's/^/            /'
		return 1
	fi
}

# holds SECONDS SENTENCE COMMAND...: true now and all of that time.
holds() {
	local seconds=$1 what=$2 end=$((SECONDS + $1))
	shift 2
	while [ $SECONDS -le $end ]; do
		if ! "$@" >/dev/null 2>&1; then
			fail "$what (no longer, within $seconds s)"
			return 1
		fi
		sleep 0.2
	done
	pass "$what"
}
