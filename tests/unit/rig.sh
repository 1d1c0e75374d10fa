# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Of the scripts that try the command against a real PostgreSQL, of which each
# has one of its own. Sourced; as root, skipped otherwise.
set -u
LC_ALL=C
export LC_ALL

claviger=${CLAVIGER:-$PWD/claviger}
daemon=${CLAVIGERD:-$PWD/clavigerd}
# The network name's: another one where scripts run side by side.
address=${address:-127.0.0.9}
source=$(cd "$(dirname "$0")/../.." && pwd)
pgbin=
for dir in /usr/lib/postgresql/*/bin; do # the newest comes last
	pgbin=$dir
done

skip() {
	echo "skipped: $*"
	exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root"
[ -x "$pgbin/initdb" ] || skip "needs postgresql"
id postgres >/dev/null 2>&1 || skip "needs the user postgres"
command -v runuser >/dev/null || skip "needs runuser"

tmp=$(mktemp -d /tmp/claviger-unit.XXXXXX) || exit 1
chmod 755 "$tmp"
failed=0
passed=0
daemons= # started by start()

as_postgres() {
	(cd "$tmp" && runuser -u postgres -- "$@")
}

cleanup() {
	for _pid in $daemons $(cat "$tmp/tpm.pid" 2>/dev/null); do
		kill "$_pid" 2>/dev/null
	done
	[ -f "$tmp/pg/postmaster.pid" ] &&
		as_postgres "$pgbin/pg_ctl" -D "$tmp/pg" -s -m immediate stop
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

mkdir "$tmp/pg" "$tmp/sock" && chown postgres "$tmp/pg" "$tmp/sock"
as_postgres "$pgbin/initdb" -D "$tmp/pg" -U postgres -A trust -N \
	>"$tmp/initdb.log" 2>&1 || { cat "$tmp/initdb.log"; exit 1; }
as_postgres "$pgbin/pg_ctl" -D "$tmp/pg" -s -w -l "$tmp/pg/log" \
	-o "-k $tmp/sock -c listen_addresses= -F" start || exit 1

sql() {
	as_postgres psql -qAtX -h "$tmp/sock" -U postgres "$@"
}

database() { # NAME: a new one, with a login that may not make anything
	sql -c "CREATE DATABASE $1" postgres
}
sql -c "CREATE ROLE login LOGIN" postgres

# A host is a folder: configuration, state, run.
host() {
	mkdir -p "$tmp/$1/run"
	cat >"$tmp/$1/claviger.conf" <<-END
	state_dir = $tmp/$1/state
	run_dir = $tmp/$1/run
	user = daemon
	front_user = nobody
	cluster = no
	END
}

on() { # HOST ARGUMENTS…
	_host=$1
	files_of "$1" >"$tmp/was"
	shift
	"$claviger" --config "$tmp/$_host/claviger.conf" \
		--clavigerd /nonexistent "$@" \
		>"$tmp/out" 2>"$tmp/err"
}

with() { # HOST ARGUMENTS…: as on(), with a daemon to be had
	_host=$1
	files_of "$1" >"$tmp/was"
	shift
	"$claviger" --config "$tmp/$_host/claviger.conf" \
		--clavigerd "$daemon" "$@" >"$tmp/out" 2>"$tmp/err"
}

# The daemon of HOST, until stop().
start() { # HOST
	"$daemon" -f "$tmp/$1/claviger.conf" >>"$tmp/$1/daemon.log" 2>&1 &
	daemons="$daemons $!"
	eval "daemon_of_$1=$!"
}
stop() { # HOST
	eval "_pid=\$daemon_of_$1"
	kill "$_pid"
	wait "$_pid"
}

within() { # SECONDS COMMAND…: is it so by then?
	_tries=$(($1 * 10))
	shift
	until "$@"; do
		[ $((_tries -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

ok() {
	passed=$((passed + 1))
}

bad() {
	failed=$((failed + 1))
	echo "FAILED: $*"
	sed 's/^/	out: /' "$tmp/out"
	sed 's/^/	err: /' "$tmp/err"
}

# expect STATUS PATTERN WHAT: of the last `on`, given as $? first
expect() { # GOT WANTED PATTERN WHAT
	if [ "$1" != "$2" ]; then
		bad "$4: exit status $1, not $2"
	elif ! grep -q -e "$3" "$tmp/out" "$tmp/err"; then
		bad "$4: '$3' is not said"
	else
		ok
	fi
}

json() { # VERB [KEY...]: what was printed last, but for these keys, is whole
	if [ "$(head -c 1 "$tmp/out")" = '{' ] &&
		"$source/tests/json-keys" "$source/man/claviger.1" "$@" \
			<"$tmp/out"; then
		ok
	else
		bad "claviger $1 --json is as claviger(1) says"
	fi
}

# The same of metrics, but for these NAMES.
metrics() { # [NAME...]
	if "$source/tests/metrics-check" "$source/man/claviger.1" "$@" \
		<"$tmp/out" >>"$tmp/err" 2>&1; then
		ok
	else
		bad 'claviger metrics is as claviger(1) says'
	fi
}

# As expect, of what was refused: a sentence, what to do next, nothing on
# standard output, and the host's files as they were.
refuse() { # GOT WANTED PATTERN WHAT
	expect "$@"
	if ! head -n 1 "$tmp/err" | grep -q '^claviger[ :].*[a-z)]'; then
		bad "$4: no sentence"
	elif ! grep -q '^  next: ' "$tmp/err"; then
		bad "$4: no next step"
	elif [ -s "$tmp/out" ]; then
		bad "$4: a result"
	elif ! files_of "$_host" | diff "$tmp/was" - >>"$tmp/err"; then
		bad "$4: something is half-done"
	else
		ok
	fi
}

files_of() { # HOST: but for what a daemon writes while it runs
	find "$tmp/$1" "$tmp/b" -type f ! -path '*/run/*' \
		! -path '*/state/state*' ! -path '*/state/list' \
		-exec sha256sum {} + 2>/dev/null | sort
}

same() { # WHAT BEFORE AFTER
	if [ "$2" = "$3" ]; then
		ok
	else
		bad "$1: '$2' became '$3'"
	fi
}

is() { # WHAT COMMAND…
	_what=$1
	shift
	if "$@" >>"$tmp/out" 2>>"$tmp/err"; then
		ok
	else
		bad "$_what"
	fi
}

gone() { # WHAT PATH
	if [ -e "$2" ]; then
		bad "$1: $2 is there"
	else
		ok
	fi
}

new_init() { # HOST DATABASE ARGUMENTS…
	_h=$1 _d=$2
	shift 2
	on "$_h" init --database "host=$tmp/sock dbname=$_d user=login" \
		--database-admin "host=$tmp/sock dbname=$_d user=postgres" \
		--network-name "$address" --ip "$address" \
		--force-address --node "$_h" \
		--passphrase-file "$tmp/pass" "$@"
}

nothing_made() { # HOST WHAT
	gone "$2 leaves no identity" "$tmp/$1/state/identity"
	gone "$2 leaves no key" "$tmp/$1/state/tls.key"
	gone "$2 leaves no list" "$tmp/$1/state/list"
	gone "$2 leaves no state" "$tmp/$1/state/state"
	if grep -q '^system' "$tmp/$1/claviger.conf"; then
		bad "$2 leaves a configuration with a system"
	else
		ok
	fi
}

mkdir -m 700 "$tmp/b" # backups
printf 'correct horse battery\n' >"$tmp/pass"
printf 'wrong horse battery\n' >"$tmp/wrong"
chmod 600 "$tmp/pass" "$tmp/wrong"
