# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the agent tests. Each runs in namespaces of its own, so nothing of
# it is left on the host however it ends. Prints TAP and, at the end, a line
# `N passed, N failed`. AGENT_DIR: where the built agents are.

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
AGENT_DIR=${AGENT_DIR:-$PWD}
passed=0 failed=0 skipped=0

# Run this script again: own network, mounts, processes, /run and /dev/shm.
enter_namespaces() {
	[ "${IN_NAMESPACES:-}" = yes ] && { prepare_namespaces; return; }
	if [ "$(id -u)" != 0 ]; then
		echo "1..0 # SKIP needs root"
		echo "0 passed, 0 failed"
		exit 77
	fi
	IN_NAMESPACES=yes AGENT_DIR=$AGENT_DIR exec unshare \
	    -n -m -u -i -p --fork --kill-child --mount-proc bash "$0" "$@"
}

prepare_namespaces() {
	mount --make-rprivate /
	mount -t sysfs sysfs /sys
	mount -t tmpfs tmpfs /run
	mkdir -p /run/resource-agents /run/netns
	scratch=/run/test
	mkdir -m 0755 "$scratch"
	export OCF_ROOT=/usr/lib/ocf HA_LOGFACILITY=none
	# Outside: no attribute daemon to talk to.
	unset HA_LOGFILE OCF_RESOURCE_INSTANCE
	ip link set lo up
}

# Two links, eth0 and eth1, each with its other end in the host `peer`.
make_links() {
	ip netns add peer
	ip -n peer link set lo up
	for i in 0 1; do
		ip link add "eth$i" type veth peer name "p$i" netns peer
		ip link set "eth$i" up
		ip -n peer link set "p$i" up
	done
	# No random wait before the tests' own IPv6 addresses can be used.
	for i in eth0 eth1; do
		wait_until "ip link show $i | grep -q LOWER_UP"
	done
}

wait_until() { # CONDITION [SECONDS]
	local end=$(($(date +%s%N) + ${2:-5} * 1000000000))
	until eval "$1"; do
		[ "$(date +%s%N)" -lt $end ] || return 1
		read -rt 0.02 <> <(:) || :
	done
}

pass() {
	passed=$((passed + 1))
	echo "ok $((passed + failed)) - $*"
}

fail() {
	failed=$((failed + 1))
	echo "not ok $((passed + failed)) - $*"
}

# ok SENTENCE COMMAND...: does the command succeed?
ok() {
	local what=$1
	shift
	if "$@" >"$scratch/ok.out" 2>&1; then
		pass "$what"
	else
		fail "$what"
		echo "# failed: $*"
		sed 's/^/# /' "$scratch/ok.out"
	fi
}

# agent ACTION [NAME=VALUE...]: runs $AGENT with the parameters in the array
# `params` and these; names in capitals but CRM_ are set as they are. Result: $rc, what
# it said in $err and the exit reason in $reason.
agent() {
	local action=$1 p env=()
	shift
	for p in "${params[@]}" "$@"; do
		case $p in
		CRM_*) env+=("OCF_RESKEY_$p") ;;
		[A-Z]*=*) env+=("$p") ;;
		*) env+=("OCF_RESKEY_$p") ;;
		esac
	done
	env "${env[@]}" "$AGENT" "$action" \
	    >"$scratch/out" 2>"$scratch/err" </dev/null
	rc=$?
	err=$(cat "$scratch/err")
	reason=$(sed -n 's/^ocf-exit-reason://p' "$scratch/err" | tail -1)
}

# expect RC SENTENCE ACTION [NAME=VALUE...]
expect() {
	local want=$1 what=$2
	shift 2
	agent "$@"
	if [ "$rc" = "$want" ]; then
		pass "$what"
	else
		fail "$what"
		echo "# $* gave $rc, not $want; said: $err"
	fi
}

# The last exit reason matches.
says() {
	case $reason in
	*$1*) pass "... and says \"$1\"" ;;
	*)
		fail "... and says \"$1\""
		echo "# it said: $reason"
		;;
	esac
}

finish() {
	echo "1..$((passed + failed))"
	echo "# $(basename "$0" .sh)"
	[ $skipped = 0 ] || s=", $skipped skipped"
	echo "$passed passed, $failed failed${s-}"
	[ $failed = 0 ]
	exit
}
