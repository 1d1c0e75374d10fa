# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2119,SC2120
# Questions to the cluster, each answered by the tools of the cluster.

rsc=mss

nodes_on() {
	local node
	for node in n1 n2 n3; do
		[ ! -e "$LAB_ROOT/$lab/nodes/$node/pid" ] || echo $node
	done
}

# Some node whose cluster is asked.
any_node() {
	nodes_on | sed -n 1p
}

# The promoted nodes, as node $1 (default: any) sees them.
promoted() {
	on "${1:-$(any_node)}" crm_resource -r $rsc --locate 2>/dev/null |
	    sed -nE 's/.* is running on: ([^ ]+) (Promoted|Master)$/\1/p' |
	    tr '\n' ' ' | sed 's/ $//'
}

promoted_is() { [ "$(promoted "${2-}")" = "$1" ]; }
promoted_one() { [[ $(promoted "${1-}") =~ ^n[0-9]$ ]]; }
promoted_other() { promoted_one && ! promoted_is "$1"; }
promoted_none() { [ -z "$(promoted "${1-}")" ]; }

score() {
	on "$(any_node)" attrd_updater -Q -n "master-$rsc" -N "$1" 2>/dev/null |
	    sed -n 's/.*value="\([^"]*\)".*/\1/p'
}
score_is() { [ "$(score "$1")" = "$2" ]; }

online() {
	local node
	for node in "$@"; do
		on "$(any_node)" crm_mon -1 --output-as=xml |
		    grep "<node name=\"$node\" .*online=\"true\".*pending=\"false\"" >/dev/null ||
		    return 1
	done
}

# fenced NODE: somebody has shot it since the cluster was formed.
fenced() {
	on "$(any_node)" stonith_admin -H "$1" |
	    grep "turning off of $1 successful" >/dev/null
}

# Failures are forgotten, and what was forgotten with them is probed again:
# Pacemaker would not stop in time what it does not know of.
forget_failures() {
	on n1 crm_resource --cleanup -r $rsc >/dev/null 2>&1
	on n1 crm_resource --wait -T 60 >/dev/null 2>&1
}

# No action is pending.
settled() {
	local dc
	dc=$(on "$(any_node)" crmadmin -D 2>/dev/null | awk '{ print $NF }')
	[ -n "$dc" ] && on "$(any_node)" crmadmin -S "$dc" 2>/dev/null |
	    grep S_IDLE >/dev/null
}

# Where the floating address is, asked of the nodes themselves.
address_on() {
	local node
	for node in $(nodes_on); do
		[ -z "$(on "$node" ip -o addr show to "${1:-$FLOATING}")" ] ||
		    echo "$node"
	done | tr '\n' ' ' | sed 's/ $//'
}
address_is() { [ "$(address_on)" = "$1" ]; }
address_nowhere() { [ -z "$(address_on)" ]; }

failcount() {
	on "$(any_node)" crm_failcount -r $rsc -N "$1" -G -q 2>/dev/null
}

# The pids of clavigerd's processes on a node: supervisor, keeper, front,
# watcher, as the node sees them.
daemon_pid() {
	case $2 in
	supervisor) on "$1" pgrep -ox clavigerd -u root ;;
	watcher) on "$1" pgrep -x clavigerd -P "$(daemon_pid "$1" supervisor)" \
	    -u root ;;
	keeper) on "$1" pgrep -x clavigerd -u claviger ;;
	front) on "$1" pgrep -x clavigerd -u claviger-front ;;
	esac
}
daemon_absent() { ! on "$1" pgrep -x clavigerd; }
# daemon_kill NODE SIGNAL PROCESS...: of several none sees another's end.
daemon_kill() {
	local node=$1 signal=$2 process victims=()
	shift 2
	for process in "$@"; do
		victims+=("$(daemon_pid "$node" "$process")")
	done
	[ ${#victims[@]} = 1 ] || on "$node" kill -STOP "${victims[@]}"
	on "$node" kill "-$signal" "${victims[@]}"
}

# sql STATEMENT: as PostgreSQL's superuser, on its own host, $database.
database=db
sql() {
	on "$database" env -C / setpriv --reuid postgres --regid postgres \
	    --clear-groups psql -AtX -v ON_ERROR_STOP=1 -d claviger -c "$1"
}

# probe_start NAME COMMAND...: from the client host, again and again; the
# longest time between two successes is an outage.
probe_start() {
	probe=$1
	shift
	on client rm -f "/tmp/probe.$probe"
	on client /usr/libexec/claviger-lab/lab-probe "/tmp/probe.$probe" \
	    "$@" </dev/null >/dev/null 2>&1 &
	wait_until 10 on client test -s "/tmp/probe.$probe"
}

probe_ended() { ! on client pgrep -f "lab-probe /tmp/probe.$probe "; }

# Prints the longest outage in seconds.
probe_stop() {
	[ -n "${probe-}" ] || return 0
	on client pkill -f "lab-probe /tmp/probe.$probe "
	wait_until 5 probe_ended
	on client cat "/tmp/probe.$probe"
	probe=
}

at_most() {
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 <= b + 0) }'
}

# The log lines of this scenario that somebody should explain: errors of ours,
# crashes of anybody. `log_allow REGEX` names those that the scenario makes.
allowed=()
log_allow() { allowed+=("$1"); }

log_begin() {
	local node
	for node in n1 n2 n3 db client; do
		mkdir -p "$LAB_ROOT/$lab/marks"
		lab logs $node syslog 2>/dev/null | wc -l \
		    >"$LAB_ROOT/$lab/marks/$node"
	done
}

log_lines() {
	lab logs "$1" syslog 2>/dev/null |
	    tail -n "+$(($(cat "$LAB_ROOT/$lab/marks/$1") + 1))"
}

# <PRI>: the low three bits are the severity; 3 is error.
log_suspects() {
	local node
	for node in n1 n2 n3 client; do
		log_lines $node | awk -v node=$node '
			match($0, /<[0-9]+>/) {
				sev = substr($0, RSTART + 1, RLENGTH - 2) % 8
			}
			/(clavigerd|claviger|master-secret|network-name)[^ ]*:/ &&
			    sev <= 3 { print node ": " $0; next }
			/segfault|Sanitizer|assertion|core dumped|stack smashing/ {
				print node ": " $0 }'
	done
}

log_check() {
	local found pattern
	found=$(log_suspects)
	for pattern in "${allowed[@]}"; do
		found=$(grep -vE -- "$pattern" <<<"$found")
	done
	if [ -z "$found" ]; then
		pass "no unexpected error in the logs"
	else
		fail "unexpected log lines"
		head -n 20 <<<"$found" | sed 's/^/            /'
	fi
}
