# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# Used by the lab, its hub and its nodes.

NET4=10.78.0
WIRE2=10.79.0 # between the nodes of a cluster that has two links
NET6=fd78:
export FLOATING=$NET4.100

node_env=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	HOME=/root USER=root LANG=C.UTF-8)

elapsed() {
	awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'
}

# lab_members COUNT [STANDBY] [SHARED]
lab_members() {
	local i
	DATABASES="db${2:+ db2}"
	NODES=
	for ((i = 1; i <= $1; i++)); do
		NODES+="${NODES:+ }n$i"
	done
	MEMBERS="$NODES $DATABASES client"
	[ -z "${3-}" ] || DATABASES+=" $NODES"
}

# The last byte of a host's address.
lab_number() {
	case $1 in
	db) echo 20 ;;
	db2) echo 21 ;;
	client) echo 30 ;;
	n?) echo "1${1#n}" ;;
	esac
}

# lab_ask DIR FROM REQUEST...: the answer's line. Requests shorter than
# PIPE_BUF do not mix; read-write opening of a FIFO never blocks.
lab_ask() {
	local dir=$1 fd reply line
	shift
	reply=reply.$BASHPID.$RANDOM$RANDOM
	mkfifo -m 600 "$dir/$reply" || return 1
	exec {fd}<>"$dir/$reply"
	echo "$reply $*" 1<>"$dir/request"
	read -r -t 20 -u "$fd" line || line=
	exec {fd}>&-
	rm -f "$dir/$reply"
	[ -n "$line" ] && echo "$line"
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $end ] || {
			echo "lab: gave up waiting for $what" >&2
			return 1
		}
		sleep 0.1
	done
}
