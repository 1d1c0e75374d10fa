#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# claviger init, join and backup verify against a real PostgreSQL, with every
# refusal that leaves nothing half-done. As root; skipped otherwise.
set -u
LC_ALL=C
export LC_ALL

claviger=${CLAVIGER:-$PWD/claviger}
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

tmp=$(mktemp -d /tmp/claviger-cli.XXXXXX) || exit 1
chmod 755 "$tmp"
failed=0
passed=0

as_postgres() {
	(cd "$tmp" && runuser -u postgres -- "$@")
}

cleanup() {
	[ ! -s "$tmp/tpm.pid" ] || kill "$(cat "$tmp/tpm.pid")"
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
		! -path '*/state/state*' ! -path '*/state/list' ! -path '*/state/audit' \
		-exec sha256sum {} + | sort
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
		--network-name 127.0.0.9 --ip 127.0.0.9 \
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
host n1
host n2
host n3
host n4
database one
database two

# Refusals of init, before anything is made.

on n1 init
refuse $? 2 'option --database is missing' 'init without options'
on n1 status --colour
refuse $? 2 'there is no option --colour' 'an unknown option'
on n1 status --json=yes
refuse $? 2 'takes no value' 'a flag with a value'
on n1 status now
refuse $? 2 'an argument too many' 'an argument too many'
on n1 backup verify
refuse $? 2 'an argument is missing' 'a missing argument'
on n1
refuse $? 2 'which verb' 'no verb'
on n1 --colour status
refuse $? 2 'no option --colour' 'an unknown option before the verb'
on n1 --conf x status
refuse $? 2 'no option --conf' 'a shortened option before the verb'
on n1 --config
refuse $? 2 'needs a value' 'an option without its value'
on n1 backup x
refuse $? 2 'belongs to no system yet' 'a verb on a host without a system'

new_init n1 one --backup "$tmp/b/x" --escrow-policy sometimes
refuse $? 2 'must be auto or manual' 'a wrong policy'
new_init n1 one --backup "$tmp/b/x" --certificate rsa
refuse $? 2 'must be p256 or ed25519' 'a kind of key that there is not'

on n1 init --database "host=$tmp/sock dbname=one password=hunter22" \
	--network-name a --ip 10.0.0.1 --backup "$tmp/b/x"
refuse $? 2 'holds a password' 'a password in the connection string'
not_printed() {
	if grep -q hunter22 "$tmp/out" "$tmp/err"; then
		bad 'the password was printed'
	else
		ok
	fi
}
not_printed
new_init n1 one --backup "$tmp/b/x" \
	--database "host=$tmp/sock dbname=one password=hunter22"
refuse $? 2 'given twice' 'a connection string given twice'
not_printed
on n1 init --database "host=$tmp/sock dbname=one user=login" \
	--database-admin "postgresql://postgres:hunter22@/one?host=$tmp/sock" \
	--network-name a --ip 10.0.0.1 --backup "$tmp/b/x"
refuse $? 2 'database-admin cannot be used' 'a password in a URI'
not_printed

on n1 init --database "host=db.example.com dbname=one" \
	--network-name a --ip 10.0.0.1 --backup "$tmp/b/x"
refuse $? 2 'verify-full' 'a database over the network without verify-full'

on n1 init --database "host=$tmp/sock dbname=one user=postgres" \
	--network-name no-such-host.invalid --ip 127.0.0.9 \
	--backup "$tmp/b/x" --passphrase-file "$tmp/pass"
refuse $? 5 'does not resolve' 'a network name that does not resolve'

on n1 init --database "host=$tmp/sock dbname=one user=postgres" \
	--network-name 127.0.0.8 --ip 127.0.0.9 \
	--backup "$tmp/b/x" --passphrase-file "$tmp/pass"
refuse $? 19 'resolves to 127.0.0.8' 'a network name of another address'

on n1 init --database "host=$tmp/sock dbname=one user=postgres" \
	--network-name 127.0.0.1 --ip 127.0.0.1 \
	--backup "$tmp/b/x" --passphrase-file "$tmp/pass"
refuse $? 6 'up on this host' 'an address in use'

new_init n1 nosuch --backup "$tmp/b/x"
refuse $? 8 'nosuch' 'a database that does not exist'

new_init n1 one --backup "$tmp/nowhere/x"
refuse $? 5 'folder is not there' 'a backup into a missing folder'

: >"$tmp/b/taken"
new_init n1 one --backup "$tmp/b/taken"
refuse $? 6 'is there already' 'a backup file that exists'

chmod 644 "$tmp/pass"
new_init n1 one --backup "$tmp/b/x"
refuse $? 4 'others than its owner may read it' 'an open passphrase file'
chmod 600 "$tmp/pass"

printf 'short\n' >"$tmp/short"
chmod 600 "$tmp/short"
on n1 init --database "host=$tmp/sock dbname=one user=postgres" \
	--network-name 127.0.0.9 --ip 127.0.0.9 --force-address \
	--backup "$tmp/b/x" --passphrase-file "$tmp/short"
refuse $? 2 'at least 14' 'a short passphrase'

setsid -w "$claviger" --config "$tmp/n1/claviger.conf" init \
	--database "host=$tmp/sock dbname=one user=postgres" \
	--network-name 127.0.0.9 --ip 127.0.0.9 --force-address \
	--backup "$tmp/b/x" >"$tmp/out" 2>"$tmp/err" </dev/null
refuse $? 2 'no terminal' 'no passphrase and no terminal'

new_init n1 one --backup "$tmp/b/x" --node 'a b'
refuse $? 2 'given twice' 'a node name given twice'

login_alone() { # STATUS PATTERN WHAT
	on n1 init --database "host=$tmp/sock dbname=one user=login" \
		--network-name 127.0.0.9 --ip 127.0.0.9 --force-address \
		--backup "$tmp/b/x" --passphrase-file "$tmp/pass"
	refuse $? "$1" "$2" "$3"
}
login_alone 4 'was not made' 'a login that may not make the schema'
mkdir -m 777 "$tmp/open"
new_init n2 two --backup "$tmp/open/x"
refuse $? 4 'others can write in the directory' 'a backup where others may write'
gone 'a refused backup' "$tmp/open/x"
nothing_made n2 'a refused backup'
login_alone 7 'was not made: permission denied' \
	'a login that may not make the schema, where there are the roles'
nothing_made n1 'a refused migration'
gone 'a refused migration leaves no backup' "$tmp/b/x"
gone 'no refusal makes the state folder' "$tmp/n1/state"

# Init, and its results.

new_init n1 one --backup "$tmp/b/one.age" --port 9000
expect $? 0 '^system ' 'init'
key=$(sed -n 's/^system  *//p' "$tmp/out")
thumb=$(sed -n 's/^server thumbprint  *//p' "$tmp/out")
is 'the identity is its owner'\''s alone' \
	test "$(stat -c %U%a "$tmp/n1/state/identity")" = daemon400
is 'the TLS key is its owner'\''s alone' \
	test "$(stat -c %U%a "$tmp/n1/state/tls.key")" = daemon400
is 'the state is the user'\''s' \
	test "$(stat -c %U "$tmp/n1/state/state")" = daemon
is 'the state folder is closed' \
	test "$(stat -c %U%a "$tmp/n1/state")" = daemon700
is 'the backup is root'\''s alone' \
	test "$(stat -c %U%a "$tmp/b/one.age")" = root400
is 'the configuration names the system' \
	grep -q "^system = $key" "$tmp/n1/claviger.conf"
is 'the configuration keeps its users' \
	grep -q '^user = daemon' "$tmp/n1/claviger.conf"
is 'the database holds one system' \
	test "$(sql -c 'SELECT count(*) FROM claviger.system' one)" = 1
is 'the first epoch is of node 1' \
	test "$(sql -c 'SELECT epoch FROM claviger.system' one)" = 257
is 'a backup is recorded' \
	test "$(sql -c 'SELECT count(*) FROM claviger.backup' one)" = 1
if sql -c "SELECT body FROM claviger.list; SELECT body FROM claviger.escrow;
    SELECT body FROM claviger.tls" one | grep -q AGE-SECRET; then
	bad 'an identity is in the database'
else
	ok
fi

new_init n1 two --backup "$tmp/b/again.age"
refuse $? 6 'belongs to system' 'init on a host that has a system'
new_init n2 one --backup "$tmp/b/again.age"
refuse $? 6 'holds a system already' 'init on a database that has a system'
nothing_made n2 'a second init'
gone 'a second init leaves no backup' "$tmp/b/again.age"

# What this host knows without a daemon.

on n1 settings show
expect $? 0 "^server_thumbprint  *= $thumb" 'settings show'
is 'it says which line says so' grep -q \
	"^user  *= daemon  *# $tmp/n1/claviger.conf, line [0-9]*$" "$tmp/out"
is 'that one' test "$(sed -n "$(sed -n 's/^user .* line //p' "$tmp/out")p" \
	"$tmp/n1/claviger.conf")" = 'user = daemon'
is 'what is from the system' \
	grep -q '^port  *= 9000  *# signed list$' "$tmp/out"
is 'and what nobody has set' grep -q '^log_file .*# default$' "$tmp/out"
on n1 settings check
expect $? 0 'of a server node, nothing is wrong' 'settings check'
on n1 settings check --json
expect $? 0 '"role": *"server"' 'settings check --json'
json 'settings check'
printf 'user = daemon\nrefresh_intervall = 60\n' >"$tmp/b/new.conf"
on n1 settings check "$tmp/b/new.conf"
refuse $? 2 'line 2: .*is "refresh_interval" meant' 'checking another file'
rm "$tmp/b/new.conf"
on n1 settings check "$tmp/b/new.conf"
refuse $? 5 'No such file' 'checking a file that is not there'
on n1 settings show --json
expect $? 0 '"port": *9000,' 'settings show --json'
json 'settings show' server_thumbprint_next server_thumbprint_former
on n1 status
expect $? 8 'clavigerd does not run' 'status without a daemon'
on n1 status --json
expect $? 8 '"daemon": *false' 'status --json without a daemon'
json status where age_s policy recovery_recipient findings covered \
	keys keys_age_ms may_write why_not database_up
on n1 status --output-as=json
expect $? 8 '"daemon": *false' 'status --output-as=json is --json'
on n1 status --output-as=xml
expect $? 8 '<claviger-status daemon="false"' 'status --output-as=xml'
attribute() { # NAME WANTED: of the status that was printed last
	is "the attribute $1" test "$(xmllint --nonet --noout \
		--xpath "string(/claviger-status/$1)" "$tmp/out" 2>&1)" = "$2"
}
if command -v xmllint >/dev/null; then
	attribute @node n1
	attribute 'certificates[@party="host"]/@name' n1
	attribute @nodes_enrolled 1
fi
on n1 status --output-as=html
expect $? 8 '<dd class="bad">n1: NOT READY: ' 'status --output-as=html'
is 'which is one document' test "$(grep -c '^</\?html' "$tmp/out")" = 2
on n1 status --output-as=pdf
refuse $? 2 'text, json, xml or html' 'a form that there is not'
on n1 status --json --output-as=json
refuse $? 2 'not both' 'two forms'
on n1 status --watch --output-as=html
refuse $? 2 'one document' 'a page that is never whole'
on n1 status --watch 0
refuse $? 2 'number from 1' 'watching without a pause'
on n1 status 2
refuse $? 2 "too many: '2'" 'a pause and nothing to watch'
watched() { # OPTION...: until head(1) has enough
	"$claviger" --config "$tmp/n1/claviger.conf" status --watch 1 "$@" \
		2>"$tmp/err" | head -n "$lines" >"$tmp/out"
}
lines=2
watched --json
is 'one object a line' test "$(grep -c '^{.*"node":"n1".*}$' "$tmp/out")" = 2
lines=30
watched
is 'one page after the other' \
	test "$(grep -c '^status .*every 1 s$' "$tmp/out")" -ge 2
if command -v script >/dev/null; then
	on_terminal() { # VARIABLE=VALUE: for a terminal, two seconds
		script -qec "env TERM=xterm $1 timeout 2 '$claviger' \
			--config '$tmp/n1/claviger.conf' status --watch 1" \
			/dev/null </dev/null >"$tmp/out" 2>&1
	}
	esc=$(printf '\033')
	on_terminal NO_COLOR=
	is 'a terminal is drawn over' grep -q "$esc\[H" "$tmp/out"
	is 'in colour' grep -q "$esc\[1;31mn1: NOT READY" "$tmp/out"
	on_terminal NO_COLOR=1
	is 'or without' sh -c "! grep -q '$esc\[1;31m' '$tmp/out'"
fi
on n1 metrics
expect $? 0 '^claviger_up 0$' 'metrics without a daemon'
is 'they tell of the certificate' grep -q \
	'^claviger_certificate_left_seconds{party="host",name="n1"} 31[0-9]*$' \
	"$tmp/out"
of_server="role active serving active_node_number generation quorate read_only copied
	encryption_allowed lease_left_seconds locked_memory_bytes
	database_connected escrow_covered escrow_findings backup_generation
	backup_age_seconds rotation_under_way rotation_left rotation_damaged
	audit_waiting audit_lost audit_writable audit_intact"
of_member="member_state member_refresh_age_seconds member_generation
	member_writing_allowed member_database_connected"
# shellcheck disable=SC2086
metrics $of_server $of_member
mkdir "$tmp/prom"
on n1 metrics --output "$tmp/prom/claviger.prom"
is 'metrics to a file' grep -q '^claviger_up 0$' "$tmp/prom/claviger.prom"
is 'that others may read' \
	test "$(stat -c %U%a "$tmp/prom/claviger.prom")" = root644
ln -s "$tmp/pass" "$tmp/prom/link.prom"
on n1 metrics --output "$tmp/prom/link.prom"
is 'a link is replaced, not followed' test ! -L "$tmp/prom/link.prom"
is 'nothing is left beside it' test "$(find "$tmp/prom" -type f | wc -l)" = 2
on n1 metrics --output "$tmp/prom/no/claviger.prom"
refuse $? 5 'cannot be written: No such' 'metrics into no directory'
chmod 1777 "$tmp/prom"
on n1 metrics --output "$tmp/prom/open.prom"
refuse $? 4 'others can write in the directory' 'metrics where others may write'
chmod 755 "$tmp/prom" && chown daemon "$tmp/prom"
on n1 metrics --output "$tmp/prom/open.prom"
refuse $? 4 'belongs to somebody else' 'metrics in the directory of another'
gone 'what is refused' "$tmp/prom/open.prom"
on n1 generation list
expect $? 0 '1  current' 'generation list'
on n1 generation list --json
expect $? 0 '"state": *"current"' 'generation list --json'
json 'generation list' data_keys index_keys certificates sealed_copies backups
is 'it says that the rest is not known' grep -q 'is not known' "$tmp/err"
on n1 member list --json
expect $? 0 '"list_version": *1' 'member list'
on n1 cluster commands --pcs --nic eth1 --cidr 24
expect $? 0 'ip=127.0.0.9 network_name=127.0.0.9 nic=eth1' 'pcs commands'
expect $? 0 'op monitor interval=5s timeout=10s role=Promoted' 'its monitors'
on n1 cluster commands
refuse $? 2 'either --pcs or --crm' 'cluster commands of nothing'
on n1 cert show
expect $? 8 '^this host: n1' 'cert show without a server'
is 'what openssl says' grep -qF "$(openssl x509 -noout -fingerprint -sha256 \
	-in "$tmp/n1/state/tls.crt" | sed 's/.*=//')" "$tmp/out"
cp -p "$tmp/n1/state/tls.crt" "$tmp/n1/tls.crt.old"
openssl req -x509 -key "$tmp/n1/state/tls.key" -subj /CN=n1 -days 5 \
	>"$tmp/n1/state/tls.crt" 2>/dev/null
on n1 cert show
is 'a certificate that ends soon is warned of' \
	grep -q 'certificate of n1: [45] days left' "$tmp/err"
cat "$tmp/n1/tls.crt.old" >"$tmp/n1/state/tls.crt"
on n1 fetch --check
refuse $? 8 'cannot be used' 'fetch without a server'

# Two at once: one of them gets the database.

"$claviger" --config "$tmp/n2/claviger.conf" init \
	--database "host=$tmp/sock dbname=two user=postgres" \
	--network-name 127.0.0.9 --ip 127.0.0.9 --force-address \
	--backup "$tmp/b/n2.age" --passphrase-file "$tmp/pass" --json \
	>"$tmp/out2" 2>"$tmp/err2" &
other=$!
on n3 init --database "host=$tmp/sock dbname=two user=postgres" \
	--network-name 127.0.0.9 --ip 127.0.0.9 --force-address \
	--backup "$tmp/b/n3.age" --passphrase-file "$tmp/pass" --json
a=$?
wait "$other"
b=$?
case "$a $b" in
"0 6") ok; loser=n2 ;;
"6 0") ok; loser=n3; cp "$tmp/out2" "$tmp/out" ;;
*) bad "two at once: $a and $b"; cat "$tmp/err2"; loser=n2 ;;
esac
json init
nothing_made "$loser" 'the later of two'
gone 'the later of two leaves no backup' "$tmp/b/$loser.age"
foreign=$tmp/b/n2.age
[ -f "$foreign" ] || foreign=$tmp/b/n3.age

# Backups.

verify() { # FILE PASSPHRASE
	on n1 backup verify "$1" --passphrase-file "$2"
}
"$claviger" --config "$tmp/n1/claviger.conf" backup verify "$tmp/b/one.age" \
	--passphrase-fd 3 3<"$tmp/pass" >"$tmp/out" 2>"$tmp/err"
expect $? 0 'opens the current generation 1' 'backup verify'
if grep -q -e AGE-SECRET -e 'generation 1 ' "$tmp/out" "$tmp/err"; then
	bad 'a key was printed'
else
	ok
fi
"$claviger" --config "$tmp/nothing/claviger.conf" backup verify \
	"$tmp/b/one.age" --passphrase-file "$tmp/pass" \
	>"$tmp/out" 2>"$tmp/err"
expect $? 0 'nothing to compare' 'backup verify on a host without a system'
on n1 backup verify "$tmp/b/one.age" --passphrase-file "$tmp/pass" --json
expect $? 0 '"current": *true' 'backup verify --json'
json 'backup verify'
verify "$tmp/b/one.age" "$tmp/wrong"
refuse $? 13 'passphrase' 'a wrong passphrase'
verify "$tmp/b/nosuch.age" "$tmp/pass"
refuse $? 5 'cannot be read' 'a backup that is not there'
verify "$foreign" "$tmp/pass"
expect $? 17 'another system' 'a backup of another system'
verify "$tmp/b" "$tmp/pass"
refuse $? 10 'not opened' 'a folder instead of a backup'
printf 'correct horse battery\n' >"$tmp/theirs"
chown nobody "$tmp/theirs" && chmod 600 "$tmp/theirs"
(cd / && runuser -u nobody -- "$claviger" --config "$tmp/n1/claviger.conf" \
	backup verify "$tmp/b/one.age" --passphrase-file "$tmp/theirs") \
	>"$tmp/out" 2>"$tmp/err"
refuse $? 4 'cannot be read: Permission denied' 'a backup of root alone'
size=$(stat -c %s "$tmp/b/one.age")
{
	head -c $((size - 20)) "$tmp/b/one.age"
	printf 'twenty other bytes!!'
} >"$tmp/b/damaged.age"
verify "$tmp/b/damaged.age" "$tmp/pass"
refuse $? 12 'not opened' 'a damaged backup'
head -c 60 "$tmp/b/one.age" >"$tmp/b/cut.age"
verify "$tmp/b/cut.age" "$tmp/pass"
refuse $? 16 'not opened' 'a truncated backup'
echo 'no backup at all' >"$tmp/b/text.age"
verify "$tmp/b/text.age" "$tmp/pass"
refuse $? 10 'not opened' 'a file that is no backup'

# The plain tool opens it. It asks a terminal: script(1) is one.
if command -v age >/dev/null && command -v script >/dev/null; then
	(sleep 1; cat "$tmp/pass") | script -qec \
		"age -d -o '$tmp/b/plain' '$tmp/b/one.age'" /dev/null \
		>"$tmp/out" 2>"$tmp/err"
	is 'age -d opens the backup' grep -q '^claviger-keyring' "$tmp/b/plain"
	rm -f "$tmp/b/plain"
fi

# Join.

on n2 join --server
refuse $? 2 'option --system is missing' 'join without a system'
[ "$loser" = n2 ] || host n2
[ "$loser" = n2 ] || rm -rf "$tmp/n2/state"
join_n2() {
	on n2 join --server --system "${1:-$key}" --node n2 \
		--database "host=$tmp/sock dbname=${2:-one} user=login"
}
join_n2 AAAA
refuse $? 2 'not the public key' 'join with a wrong key'
on n2 join --server --system "$key" --node n2 \
	--database "host=$tmp/sock dbname=one password=hunter22"
refuse $? 2 'holds a password' 'join with a password'
not_printed
on n1 settings upgrade \
	--database-admin "host=$tmp/sock dbname=one password=hunter22"
refuse $? 2 'holds a password' 'upgrade with a password'
not_printed
join_n2 "$key" nosuch
refuse $? 8 'nosuch' 'join at a database that does not exist'
join_n2 "$key" two
refuse $? 17 'not signed by that system' 'join at a database of another system'
nothing_made n2 'a refused join'
database three
join_n2 "$key" three
refuse $? 5 'holds no system' 'join at a database without a system'
sql -c 'INSERT INTO claviger.schema_version (version) VALUES (99)' one
join_n2
refuse $? 7 'schema version 99' 'join at a newer schema'
new_init n2 one --backup "$tmp/b/again.age"
refuse $? 7 'schema version 99' 'init at a newer schema'
on n1 settings upgrade --database-admin "host=$tmp/sock dbname=one user=postgres"
refuse $? 7 'schema version 99' 'upgrade to an older program'
sql -c 'DELETE FROM claviger.schema_version WHERE version = 99' one
sql -c 'DELETE FROM claviger.schema_version WHERE version > 1' one
join_n2
refuse $? 7 'schema version 1, and this program needs 4' 'join at an older schema'
sql -c 'INSERT INTO claviger.schema_version (version) VALUES (2), (3), (4)' one
nothing_made n2 'a join at another schema'
on n1 settings upgrade --database-admin "host=$tmp/sock dbname=one user=postgres"
expect $? 0 'nothing to do' 'upgrade of a schema that is up to date'
on n1 settings upgrade --json \
	--database-admin "host=$tmp/sock dbname=one user=postgres"
expect $? 0 '"schema_version_before": *4' 'upgrade --json'
json 'settings upgrade'
database old
sql -1 -q -f "$source/lib/sql/001-schema.sql" old
on n1 settings upgrade --database-admin "host=$tmp/sock dbname=old user=postgres"
expect $? 0 '^schema version 4$' 'upgrade from version 1'
same 'the upgraded schema' 4 \
	"$(sql -c 'SELECT max(version) FROM claviger.schema_version' old)"
join_n2
expect $? 0 '^fingerprint ' 'join'
first=$(sed -n 's/^fingerprint  *//p' "$tmp/out")
is 'join says what to do' grep -q "node approve n2 --fingerprint $first" \
	"$tmp/out"
on n2 join --server --system "$key" --json
expect $? 0 "\"fingerprint\": *\"$first\"" 'join again, as JSON'
json join
join_n2
expect $? 0 '^fingerprint ' 'join again'
same 'the fingerprint' "$first" "$(sed -n 's/^fingerprint  *//p' "$tmp/out")"
is 'one request is in the database' test \
	"$(sql -c 'SELECT count(*) FROM claviger.join_request' one)" = 1
on n2 join --server --system "$key" --node other
refuse $? 6 'has joined as' 'join again under another name'
on n2 join --server --member --system "$key"
refuse $? 2 'either --server or --member' 'join as both'

host m1
on m1 join --member --system "$key" --server-thumbprint "$thumb" \
	--network-name 127.0.0.9 --node m1
expect $? 0 'claviger member add m1 --certificate' 'join of a member'
is 'the member add command is whole' grep -q \
	'recipient age1[0-9a-z]* --sign-key [A-Za-z0-9+/]*= --scope all' \
	"$tmp/out"
recipient=$(sed -n 's/.*--recipient \([^ ]*\).*/\1/p' "$tmp/out")
signkey=$(sed -n 's/.*--sign-key \([^ ]*\).*/\1/p' "$tmp/out")
on m1 node list
refuse $? 2 'a member, not a server node' 'a server verb on a member'
on m1 join --member --system "$key" --server-thumbprint xyz \
	--network-name 127.0.0.9
refuse $? 2 'not a SHA-256' 'join with a wrong thumbprint'

# Values of the other verbs.

on n1 node approve n2 --fingerprint 12
refuse $? 2 '64 hexadecimal' 'approve with half a fingerprint'
on n1 member add m1 --certificate "$tmp/pass" --recipient age1x \
	--sign-key x --scope all
refuse $? 2 'age recipient' 'a wrong recipient'
on n1 member add m1 --certificate "$tmp/nosuch.crt" \
	--recipient "$recipient" --sign-key "$signkey" --scope all
refuse $? 5 'nosuch.crt cannot be used' 'a certificate that is not there'
on n1 member add m1 --certificate "$tmp/pass" \
	--recipient "$recipient" --sign-key "$signkey" --scope all
refuse $? 10 'cannot be used as a certificate' 'a certificate that is none'
on n1 member add m1 --certificate "$tmp/m1/state/tls.crt" \
	--recipient "$recipient" --sign-key "$signkey" --scope all,payroll
refuse $? 2 'is not a scope' 'a wrong scope'
on n1 member revoke 'm/1'
refuse $? 2 'is not a name of a host' 'a wrong name'
on n1 settings set port 0
refuse $? 2 'must be a number' 'a wrong setting'
on n1 settings set colour red
refuse $? 2 'no setting' 'an unknown setting'
on n1 nonsense
refuse $? 2 'no verb' 'an unknown verb'

# Files that are not as they must be: nothing goes on with them.

mode_of() { # HOST FILE MODE WHAT PATTERN STATUS ARGUMENTS…: with that mode
	_h=$1 _f=$2 _m=$3 _what=$4 _pattern=$5 _status=$6
	shift 6
	_was=$(stat -c %a "$tmp/$_h/$_f")
	chmod "$_m" "$tmp/$_h/$_f"
	on "$_h" "$@"
	refuse $? "$_status" "$_pattern" "$_what"
	is "$_what: there is a next step" grep -q '^  next: ' "$tmp/err"
	chmod "$_was" "$tmp/$_h/$_f"
}
owner_of() { # HOST FILE OWNER WHAT PATTERN STATUS ARGUMENTS…
	_h=$1 _f=$2 _o=$3 _what=$4 _pattern=$5 _status=$6
	shift 6
	_was=$(stat -c %U "$tmp/$_h/$_f")
	chown "$_o" "$tmp/$_h/$_f"
	on "$_h" "$@"
	refuse $? "$_status" "$_pattern" "$_what"
	chown "$_was" "$tmp/$_h/$_f"
}
mode_of n1 claviger.conf 666 'a configuration that others may write' \
	'writable by others' 4 status
owner_of n1 claviger.conf nobody 'a configuration of another user' \
	'belongs to user' 4 status
mode_of n1 state/identity 644 'an identity that others may read' \
	'mode 0400' 4 fetch --check
owner_of n1 state/identity nobody 'an identity of another user' \
	'identity must belong to user daemon' 4 fetch --check
mode_of n1 state/tls.key 644 'a TLS key that others may read' \
	'mode 0400' 4 fetch --check
if on n1 fetch --check || grep -q 'mode 0400' "$tmp/err"; then
	bad 'the files as they were'
else
	ok
fi

damaged() { # FILE WHAT PATTERN STATUS ARGUMENTS…: of n1, one byte changed
	_f=$tmp/n1/state/$1 _what=$2 _pattern=$3 _status=$4
	shift 4
	cp -p "$_f" "$tmp/saved"
	printf '~' | dd of="$_f" bs=1 seek=40 conv=notrunc 2>/dev/null
	on n1 "$@"
	refuse $? "$_status" "$_pattern" "$_what"
	cp -p "$tmp/saved" "$_f"
}
damaged identity 'a damaged identity' 'identity cannot be used' 10 fetch --check
damaged list 'a damaged list' 'signature does not verify' 18 member list
mv "$tmp/n1/state/identity" "$tmp/away"
on n1 fetch --check
refuse $? 5 'identity cannot be used: not found' 'no identity'
mv "$tmp/away" "$tmp/n1/state/identity"

echo 'colour = red' >>"$tmp/n2/claviger.conf"
on n2 status
refuse $? 2 'line [0-9]*: there is no key "colour"' 'an unknown key'
sed -i '/^colour/d' "$tmp/n2/claviger.conf"
cp "$tmp/n2/claviger.conf" "$tmp/saved"
sed -i 's/^database = .*/& password=hunter22/' "$tmp/n2/claviger.conf"
on n2 status
refuse $? 2 'holds a password' 'a password in the configuration'
if grep -q hunter22 "$tmp/out" "$tmp/err"; then
	bad 'the password of the configuration was printed'
else
	ok
fi
cp "$tmp/saved" "$tmp/n2/claviger.conf"

pass_file() { # WHAT PATTERN STATUS: of the file $tmp/p
	on n1 backup verify "$tmp/b/one.age" --passphrase-file "$tmp/p"
	refuse $? "$3" "$2" "$1"
}
rm -f "$tmp/p"
pass_file 'no passphrase file' 'No such file' 5
(umask 077 && : >"$tmp/p")
pass_file 'an empty passphrase file' 'it is empty' 2
printf 'two lines\nof them\n' >"$tmp/p"
pass_file 'a passphrase of two lines' 'more than one line' 2
head -c 3000 /dev/zero | tr '\0' x >"$tmp/p"
pass_file 'a passphrase that is too long' 'longer than' 2
cp "$tmp/pass" "$tmp/p" && chown nobody "$tmp/p"
pass_file 'a passphrase file of another user' 'belongs to user id' 4
rm -f "$tmp/p" && mkdir "$tmp/p"
pass_file 'a folder as passphrase file' 'neither a file nor a pipe' 2
rmdir "$tmp/p"
on n1 backup verify "$tmp/b/one.age" --passphrase-fd 9
refuse $? 1 'descriptor 9' 'a descriptor that is closed'
on n1 backup verify "$tmp/b/one.age" --passphrase-fd 3 \
	--passphrase-file "$tmp/pass"
refuse $? 2 'both given' 'two passphrases'

# The front's user must be able to read the password file, and libpq insists
# that nobody else can.
printf '*:*:*:login:x\n' >"$tmp/db.pass"
chmod 600 "$tmp/db.pass"
new_init n4 three --backup "$tmp/b/pw.age" --database-passfile "$tmp/db.pass"
refuse $? 4 "user 'nobody' cannot read the password file" \
	'a password file that the front cannot read'
chown nobody "$tmp/db.pass" && chmod 644 "$tmp/db.pass"
new_init n4 three --backup "$tmp/b/pw.age" --database-passfile "$tmp/db.pass"
refuse $? 4 'only its owner' 'a password file that others may read'
new_init n4 three --backup "$tmp/b/pw.age" \
	--database-passfile "$tmp/nosuch.pass"
refuse $? 5 'nosuch.pass' 'a password file that is not there'
nothing_made n4 'a refused password file'

# One init or join at a time on a host.
mkdir -m 700 "$tmp/n4/state" && chown daemon "$tmp/n4/state"
exec 9<"$tmp/n4/state" && flock -n 9
database four
new_init n4 four --backup "$tmp/b/held.age" 9<&-
refuse $? 3 'another' 'a second init on this host'
exec 9<&-
nothing_made n4 'a second init on this host'
gone 'a second init on this host leaves no backup' "$tmp/b/held.age"

# Whoever is not root is told so.
(cd / && runuser -u nobody -- "$claviger" --config "$tmp/n1/claviger.conf" \
	settings show) >"$tmp/out" 2>"$tmp/err"
refuse $? 4 'only root' 'a user that is not root'

# Without a running daemon: one is started for the command, and ends with it.

daemon=${CLAVIGERD:-$PWD/clavigerd}
with() { # HOST ARGUMENTS…: as on(), with a daemon to be had
	_host=$1
	files_of "$1" >"$tmp/was"
	shift
	"$claviger" --config "$tmp/$_host/claviger.conf" \
		--clavigerd "$daemon" "$@" >"$tmp/out" 2>"$tmp/err"
}
plan="dry_run system node_number enrols generations generations_here number
	current_generation list_version list_version_there replaces"
ceremony="epoch accepted destroyed nodes members applications
	given_up new_generation lost application keys whole backup recorded
	server_thumbprint"
everything() { # HOST: its files and what the database has sealed to it
	cat "$tmp/$1/state/identity" "$tmp/$1/state/tls.key" | sha256sum
	sql -c "SELECT node, md5(body) FROM claviger.escrow ORDER BY node" one
}

on n1 node list
expect $? 8 'did not start: ' 'a daemon that is not there'

# What keeps that daemon from starting, or from working, is said here.
chmod 755 "$tmp/n1/state"
with n1 settings set port 9001
refuse $? 8 'did not start: .*/state must belong to uid' 'an open state folder'
chmod 700 "$tmp/n1/state"
chmod 644 "$tmp/n1/state/identity"
with n1 settings set port 9001
refuse $? 4 'identity must belong to user daemon' 'an open identity'
chmod 400 "$tmp/n1/state/identity"

# Another name of the host, and another user of the service.
renamed() { # HOST ARGUMENTS…: as with()
	_host=$1
	shift
	unshare --uts sh -c 'hostname elsewhere && exec "$@"' sh "$claviger" \
		--config "$tmp/$_host/claviger.conf" --clavigerd "$daemon" \
		"$@" >"$tmp/out" 2>"$tmp/err"
}
if unshare --uts true 2>/dev/null; then
	renamed n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'a host that was renamed'
fi
sed -i 's/^user = daemon/user = bin/' "$tmp/n1/claviger.conf"
chown bin "$tmp/n1/state"
with n1 escrow verify
refuse $? 4 'identity must belong to user bin' "another user's identity"
chown -R bin "$tmp/n1/state"
chown daemon "$tmp/n1/state"
with n1 settings set port 9001
refuse $? 4 'must belong to user bin' "another user's state folder"
chown bin "$tmp/n1/state"
with n1 escrow verify
expect $? 0 'n1 .*opened its copy now' 'another user of the service'
sed -i 's/^user = bin/user = daemon/' "$tmp/n1/claviger.conf"
chown -R daemon "$tmp/n1/state"

# Sealed to a TPM2: with another one, as a stolen disk has it, nothing opens.
tpm_end() {
	[ -s "$tmp/tpm.pid" ] || return 0
	_pid=$(cat "$tmp/tpm.pid")
	kill "$_pid"
	tries=0
	while kill -0 "$_pid" 2>/dev/null && [ $((tries += 1)) -lt 500 ]; do
		sleep 0.02
	done
	rm -f "$tmp/tpm.pid"
}
# Started anew also because nobody manages its few sessions, as a kernel does.
tpm() { # NAME: a TPM2 of its own, which keeps its state
	tpm_end
	mkdir -p "$tmp/$1"
	# It listens before it goes into the background.
	swtpm socket --tpm2 --tpmstate "dir=$tmp/$1" \
		--server "type=unixio,path=$tmp/tpm.sock" \
		--ctrl "type=unixio,path=$tmp/tpm.sock.ctrl" \
		--flags not-need-init,startup-clear \
		--daemon --pid "file=$tmp/tpm.pid" >"$tmp/$1.log" 2>&1 ||
		return 1
	SYSTEMD_TPM2_DEVICE=swtpm:path=$tmp/tpm.sock
	export SYSTEMD_TPM2_DEVICE
	for _ in $(seq 500); do
		[ ! -s "$tmp/tpm.pid" ] || return 0
		sleep 0.02
	done
	return 1
}
apart() { # HOST ARGUMENTS…: as with(), but for /etc and /var of systemd
	_host=$1
	files_of "$1" >"$tmp/was"
	shift
	# shellcheck disable=SC2016
	unshare --mount sh -c 'mount -t tmpfs none /etc/systemd/system || exit 99
		at=$1 && shift
		mount --bind "$at/host-key" /var/lib/systemd || exit 99
		"$@"
		status=$?
		cp /etc/systemd/system/clavigerd.service.d/*.conf "$at/unit" 2>/dev/null
		exit $status' sh "$tmp" "$claviger" --clavigerd "$daemon" \
		--config "$tmp/$_host/claviger.conf" "$@" >"$tmp/out" 2>"$tmp/err"
}
mkdir "$tmp/host-key"
if command -v swtpm >/dev/null && [ -d /etc/systemd/system ] &&
	unshare --mount true 2>/dev/null && tpm tpm1; then
	identity=$(sha256sum <"$tmp/n1/state/identity")
	ln "$tmp/n1/state/identity" "$tmp/n1/state/second"
	apart n1 identity seal --yes
	refuse $? 4 'has 2 names' 'an identity with a second name'
	rm "$tmp/n1/state/second"
	apart n1 identity seal --with-key tpm --yes
	refuse $? 2 'must be tpm2, host or' 'a key that there is not'
	apart n1 identity seal </dev/null
	refuse $? 4 'would be removed' 'sealing without being asked'
	SYSTEMD_TPM2_DEVICE=swtpm:path=/nonexistent apart n1 identity seal --yes
	refuse $? 14 'not sealed by tpm2: ' 'sealing without a TPM'
	apart n1 identity seal --yes --json
	expect $? 0 '"state": *"sealed"' 'identity seal'
	json 'identity seal'
	gone 'a sealed identity' "$tmp/n1/state/identity"
	is 'the unit has the device' grep -q '^DeviceAllow=/dev/tpmrm0' "$tmp/unit"
	is 'the sealed file is its owner'\''s alone' \
		test "$(stat -c %U%a "$tmp/n1/state/identity.cred")" = daemon400
	apart n1 identity seal --yes
	refuse $? 6 'sealed already' 'sealing twice'
	tpm tpm1
	with n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'a daemon with a sealed identity'
	on n1 doctor --only files
	expect $? 0 'the identity is sealed' 'doctor of a sealed identity'
	tpm tpm2
	with n1 escrow verify
	refuse $? 14 'identity.cred does not open on this machine: .*TPM' \
		'a disk without its TPM'
	on n1 identity unseal
	refuse $? 14 'does not open on this machine' 'unsealing without its TPM'
	tpm tpm1
	damaged identity.cred 'a damaged sealed identity' \
		'does not open on this machine' 14 identity unseal
	on n1 identity unseal --json
	expect $? 0 '"state": *"plain"' 'identity unseal'
	json 'identity unseal'
	gone 'the sealed identity' "$tmp/n1/state/identity.cred"
	is 'it is the same' \
		test "$(sha256sum <"$tmp/n1/state/identity")" = "$identity"
	apart n1 identity seal --with-key host --yes
	expect $? 0 'is sealed: .*identity.cred' 'sealing to the host'
	apart n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'a daemon with what the host opens'
	apart n1 identity unseal
	expect $? 0 'is plain: .*identity$' 'unsealing by the host'
	tpm_end
fi
# A disk that was copied to another machine, whose two numbers are these.
elsewhere() { # MACHINE-ID PRODUCT-UUID COMMAND…: "": it has none
	# What lies in a tmpfs is of one boot and does not count; a ramfs does.
	# shellcheck disable=SC2016
	unshare --mount sh -c 'mount -t ramfs none /sys/class &&
			mkdir -p /sys/class/dmi/id || exit 99
		echo "$1" >/sys/class/machine-id
		[ -z "$2" ] || echo "$2" >/sys/class/dmi/id/product_uuid
		mount --bind /sys/class/machine-id /etc/machine-id || exit 99
		shift 2
		echo $$ >"$0"
		exec "$@"' "$tmp/elsewhere.pid" "$@"
}
at() { # MACHINE-ID PRODUCT-UUID HOST ARGUMENTS…: as with(), elsewhere
	_id=$1 _uuid=$2 _host=$3
	files_of "$_host" >"$tmp/was"
	shift 3
	elsewhere "$_id" "$_uuid" "$claviger" --clavigerd "$daemon" \
		--config "$tmp/$_host/claviger.conf" "$@" >"$tmp/out" 2>"$tmp/err"
}
m1=0123456789abcdef0123456789abcdef
m2=fedcba9876543210fedcba9876543210
u1=00112233-4455-6677-8899-aabbccddeeff
u2=00112233-4455-6677-8899-aabbccddee00
is 'the marks are their owner'\''s alone' \
	test "$(stat -c %U%a "$tmp/n1/state/machine")" = daemon400
if elsewhere $m1 $u1 true 2>/dev/null; then
	at '' '' n1 identity adopt --json
	expect $? 0 '"marks": *"nothing"' 'adopting where there is no number'
	printf 'claviger-machine 1\n' >"$tmp/n1/state/machine"
	at $m1 '' n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'the first start with this release'
	at $m1 $u1 n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'a number that appears'
	is 'both are kept' \
		test "$(grep -c '^[a-z-]* [0-9a-f]\{64\}$' "$tmp/n1/state/machine")" = 2
	if grep -q "$m1\|aabbccddee" "$tmp/n1/state/machine"; then
		bad 'the numbers themselves are written down'
	else
		ok
	fi
	at '' '' n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'numbers that are gone'
	at $m1 33221100-5544-7766-8899-AABBCCDDEEFF n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'a firmware that spells it otherwise'
	at $m2 $u1 n1 settings set port 9001
	refuse $? 3 'a copy on another machine, by its machine-id: read-only' \
		'a copy with another machine-id'
	at $m1 $u2 n1 settings set port 9001
	refuse $? 3 'a copy .* by its product UUID: ' 'a copy on other hardware'
	at $m2 $u2 n1 settings set port 9001
	refuse $? 3 'by its machine-id and product UUID: ' 'a copy by both'
	at $m2 '' n1 doctor --only machine
	expect $? 23 '^FOUND   machine .* by its machine-id: ' 'doctor on a copy'
	is 'and what to do' grep -q 'next: if .*claviger identity adopt' "$tmp/out"
	at $m1 '' n1 doctor --only machine
	expect $? 0 '^ok  *machine .*compared: machine-id$' 'doctor of what is none'
	at $m1 $u1 n1 identity adopt
	expect $? 0 '^n1 is no copy .*machine-id and product UUID' \
		'adopting what is no copy'

	# With a daemon that runs there.
	elsewhere $m2 $u2 "$daemon" -f "$tmp/n1/claviger.conf" \
		>"$tmp/copy.out" 2>&1 &
	running=$!
	tries=0
	until on n1 status || grep -q '^COPY' "$tmp/out" ||
		[ $((tries += 1)) = 200 ]; do
		sleep 0.05
	done
	there=$(cat "$tmp/elsewhere.pid")
	is 'status names the copy' grep -q '^COPY .*doctor --only machine' "$tmp/out"
	on n1 status --json
	expect $? 3 '"copied": *true' 'and so does its JSON'
	is 'with the reason' \
		grep -q '"reason": *"a copy on another machine, by ' "$tmp/out"
	on n1 metrics
	expect $? 0 '^claviger_copied 1$' 'and its metrics'
	is 'it never serves' grep -q '^claviger_ready 0$' "$tmp/out"
	on n1 backup "$tmp/b/copy.age" --passphrase-file "$tmp/pass"
	expect $? 3 'absent' 'a copy gives no master secret away'
	at $m2 $u2 n1 identity adopt
	expect $? 0 '^n1 lives on this machine now' 'identity adopt'
	tries=0
	until on n1 status --json; grep -q '"proven": *true' "$tmp/out" ||
		[ $((tries += 1)) = 200 ]; do
		sleep 0.05
	done
	is 'it is none from then on' grep -q '"copied": *false' "$tmp/out"
	is 'and can serve, without a restart' grep -q '"proven": *true' "$tmp/out"
	kill "$there"
	wait $running
	at $m1 $u1 n1 settings set port 9001
	refuse $? 3 'by its machine-id and product UUID: ' 'the machine it has left'
	printf '~' | dd of="$tmp/n1/state/machine" bs=1 seek=40 conv=notrunc \
		2>/dev/null
	at $m2 $u2 n1 settings set port 9001
	refuse $? 3 'cannot be read .*: read-only' 'marks that are damaged'
	with n1 identity adopt --json
	expect $? 0 '"changed": *true' 'adopting what is damaged'
	json 'identity adopt'
	with n1 escrow verify
	expect $? 0 'n1 .*opened its copy now' 'and here it is again'
fi

mkdir "$tmp/saved.d"
cp -p "$tmp/n1/state/state" "$tmp/n1/state/state.bak" "$tmp/saved.d"
for file in state state.bak; do
	printf '~' | dd of="$tmp/n1/state/$file" bs=1 seek=40 conv=notrunc \
		2>/dev/null
done
with n1 settings set port 9001
refuse $? 8 'it says what this node has promised' 'a damaged state'
cp -p "$tmp/saved.d/state" "$tmp/saved.d/state.bak" "$tmp/n1/state"

of_database() { # NAME WHAT PATTERN STATUS: n1 with another database
	cp "$tmp/n1/claviger.conf" "$tmp/saved"
	sed -i "s/dbname=one/dbname=$1/" "$tmp/n1/claviger.conf"
	with n1 settings set port 9001
	refuse $? "$4" "$3" "$2"
	with n1 backup "$tmp/b/no.age" --passphrase-file "$tmp/pass"
	expect $? 3 "$3" "a backup at $2"
	gone "a backup at $2" "$tmp/b/no.age"
	cp "$tmp/saved" "$tmp/n1/claviger.conf"
}
of_database two 'a database of another system' 'of another system\|to another' 17
of_database three 'a database without a system' 'holds no system' 17
of_database nosuch 'a database that does not exist' 'nosuch' 8
on n1 settings upgrade \
	--database-admin "host=$tmp/sock dbname=three user=postgres"
refuse $? 5 'holds no system' 'upgrade of a database without a system'
sql -c 'INSERT INTO claviger.schema_version (version) VALUES (99)' one
with n1 settings set port 9001
refuse $? 7 'newer than this program' 'a daemon at a newer schema'
sql -c 'DELETE FROM claviger.schema_version WHERE version = 99' one
newest='(SELECT max(version) FROM claviger.schema_version)'
sql -c "DELETE FROM claviger.schema_version WHERE version = $newest" one
with n1 settings set port 9001
refuse $? 7 'older than this program' 'a daemon at an older schema'
sql -c "INSERT INTO claviger.schema_version SELECT $newest + 1" one
same 'the list after refusals' 1 \
	"$(sql -c 'SELECT list_version FROM claviger.hello()' one)"

with n1 node list
expect $? 0 'node approve n2' 'node list'
with n1 node list --json
expect $? 0 "\"fingerprint\": *\"$first\"" 'node list --json'
json 'node list'
with n1 node approve n2 --fingerprint "$(echo "$first" | tr '0-9a-f' '1-9a-f0')"
refuse $? 4 'compare it with what that node printed' 'a wrong fingerprint'
with n1 settings set port 9001
expect $? 0 'port = 9001' 'settings set'
with n1 settings set escrow_policy manual --json
expect $? 0 '"value": *"manual"' 'settings set --json'
json 'settings set'
with n1 node approve n2 --fingerprint "$first" --json
expect $? 0 'policy manual: nothing was sealed' 'node approve, policy manual'
json 'node approve'
is 'nothing was sealed' \
	test "$(sql -c 'SELECT count(*) FROM claviger.escrow' one)" = 1
with n1 member add m1 --certificate "$tmp/m1/state/tls.crt" \
	--recipient "$recipient" --sign-key "$signkey" --scope all
expect $? 0 'm1 is enrolled' 'member add'
with n1 member list --json
expect $? 0 '"name": *"m1"' 'member list --json'
json 'member list' generation heard_s expires expired
with n1 member scope m1 payroll,crm --json
expect $? 0 'm1 may read: payroll,crm; before: all' 'member scope --json'
json 'member scope'
with n1 member scope m2 all
refuse $? 5 'no member m2' 'member scope of a stranger'
on n1 member scope m1 all,crm
refuse $? 2 'is not a scope' 'member scope, a wrong one'
with n1 member token --name m1 --scope all
refuse $? 6 'm1 is enrolled already' 'a token for a member'
with n1 member token --name web1 --scope payroll,crm --ttl 90s
expect $? 0 'On web1, within' 'member token'
is 'it is one line' grep -Exq 'claviger-token1[a-z0-9]{100,500}' "$tmp/out"
is 'and nothing else' test "$(wc -l <"$tmp/out")" = 1
is 'not on standard error' sh -c "! grep -q claviger-token1 '$tmp/err'"
token=$(cat "$tmp/out")
is 'nor on the disk' sh -c "! grep -rqF '$token' '$tmp/n1' '$tmp/pg'"
with n1 member token --name web2 --scope all --ttl 2d --json
expect $? 0 '"token": "claviger-token1' 'member token --json'
json 'member token' message late tokens expired
with n1 member token --list
expect $? 0 '^web1 .* payroll,crm$' 'member token --list'
is 'with what is left of them' grep -Eq '^web2 +(1|2) days? +all$' "$tmp/out"
with n1 member list
expect $? 0 '^web2 ' 'member list has them, too'
with n1 member token --revoke web2 --json
expect $? 0 'the join token for web2 is withdrawn' 'member token --revoke'
json 'member token' name scope expires token tokens expired
with n1 member token --revoke web2
refuse $? 5 'no join token for web2' 'and once'
with n1 member token --list --json
expect $? 0 '"name": *"web1"' 'member token --list --json'
json 'member token' token message late
on n1 member token --name web1
refuse $? 2 'give --name HOST and --scope' 'a token without a scope'
on n1 member token --name web1 --scope all --list
refuse $? 2 'stand alone' 'a token and a list'
on n1 member token --name we/b --scope all
refuse $? 2 'is not a name of a host' 'a token for no host'
on n1 member token --name web1 --scope all,crm
refuse $? 2 'is not a scope' 'a token for no scope'
for ttl in 59 0m 8d 1w h m5 -1h 99999999999h ''; do
	on n1 member token --name web1 --scope all --ttl "$ttl"
	refuse $? 2 'ttl' "a token for '$ttl'"
done
rotated='generation backup where rewrapped damaged reencrypted not_reencrypted'
on n1 member revoke m1 --backup "$tmp/b/no.age"
refuse $? 2 'goes with --rotate alone' 'a backup without a rotation'
on n1 member revoke m1 --rotate
refuse $? 2 'written to a backup first' 'a rotation without a backup'
on n1 member revoke m1 --rotate --backup "$tmp/b/one.age"
refuse $? 6 'is there already' 'a rotation into a backup that is there'
with n1 member revoke m1 --json
expect $? 0 '"member": *"m1"' 'member revoke --json'
# shellcheck disable=SC2086
json 'member revoke' $rotated
is 'it had the keys of generation 1' sh -c \
	"tr -d ' \n' <'$tmp/out' | grep -F '\"generations\":[1],' >/dev/null"
with n1 member revoke m1
expect $? 0 'application keys  *still in use' 'member revoke, again'
is 'it says what to do' grep -q 'member revoke m1 --rotate --backup FILE' \
	"$tmp/out"
is 'it is revoked' "$claviger" --config "$tmp/n1/claviger.conf" member list
is 'and listed so' grep -q '^m1  *revoked' "$tmp/out"
with n1 member add m1 --certificate "$tmp/m1/state/tls.crt" \
	--recipient "$recipient" --sign-key "$signkey" --scope payroll --json
expect $? 0 '"scope": *"payroll"' 'member add --json'
json 'member add'
for word in 'my CORRECT horse battery staple' 'Battery' ' ' \
	"$(printf '%257s' x)" "$(printf 'a\tb')" "$(printf 'caf\303\251')"; do
	with n1 backup "$tmp/b/no.age" --passphrase-file "$tmp/pass" \
		--reminder "$word"
	refuse $? 2 'the reminder is refused' "the reminder '$word'"
	gone 'a backup whose reminder is refused' "$tmp/b/no.age"
done
with n1 backup --scheduled --reminder x
refuse $? 2 'takes no --reminder' 'a reminder of no passphrase'
with n1 backup "$tmp/b/json.age" --passphrase-file "$tmp/pass" --json \
	--reminder 'what the comic says'
expect $? 0 '"recorded": *true' 'backup --json'
is 'its reminder is kept' grep -q '"reminder": *true' "$tmp/out"
json backup written
is 'but not in the file' sh -c \
	"! grep -q 'what the comic' '$tmp/b/json.age'"
on n1 backup verify "$tmp/b/json.age" --passphrase-file "$tmp/pass"
expect $? 0 '^reminder  *what the comic says$' 'verify shows the reminder'
on n1 backup verify "$tmp/b/json.age" --passphrase-file "$tmp/wrong"
expect $? 13 'passphrase: what the comic says$' 'a wrong passphrase is reminded of'
on n1 backup verify "$tmp/b/one.age" --passphrase-file "$tmp/pass" --json
expect $? 0 '"reminder": *""' 'another backup has none'
cp "$tmp/b/json.age" "$tmp/b/moved.age"
on n1 backup verify "$tmp/b/moved.age" --passphrase-file "$tmp/pass"
expect $? 0 '^reminder  *what the comic says$' 'it goes with the file'
with n1 escrow list --json
expect $? 23 '"reminder": *"what the comic says"' 'escrow list has it'
# Whoever administers the database can neither alter it nor exchange it.
sql -c 'UPDATE claviger.reminder SET
	body = set_byte(body, 90, get_byte(body, 90) # 1)' one
on n1 backup verify "$tmp/b/json.age" --passphrase-file "$tmp/wrong"
refuse $? 13 'passphrase' 'an altered reminder is not shown'
is 'nor a part of it' sh -c "! grep -qi 'reminder of' '$tmp/err'"
with n1 backup "$tmp/b/mine.age" --passphrase-file "$tmp/pass" \
	--reminder 'what the comic says'
expect $? 0 'the reminder is in the database' 'backup --reminder'
hash_of() {
	echo "decode('$(sha256sum "$tmp/b/$1" | cut -d ' ' -f 1)', 'hex')"
}
sql -c "INSERT INTO claviger.reminder (file, body) SELECT $(hash_of one.age),
	body FROM claviger.reminder WHERE file = $(hash_of mine.age)" one
on n1 backup verify "$tmp/b/one.age" --passphrase-file "$tmp/pass"
expect $? 0 '' 'a reminder under another file'
is 'it is not shown there' sh -c "! grep -q comic '$tmp/out' '$tmp/err'"
is 'the backup is recorded' \
	test "$(sql -c 'SELECT count(*) FROM claviger.backup' one)" = 3

# Applications, as root.
of_app() { # EXPRESSION APP
	sql -c "SELECT $1 FROM claviger.count_secrets('$2')" one
}
with n1 app add crm --admins games --users bin,unit:crm.service --keep 3
expect $? 0 'application crm is there' 'app add'
is 'its keys are made' test "$(of_app keys crm)" = 2
with n1 app add crm
refuse $? 6 'crm already' 'app add of one that is there'
with n1 app add hr --admins group:man,group:games --json
expect $? 0 '"group:games"' 'app add --json'
json 'app add'
with n1 app add all
refuse $? 2 'not a name of an application' 'app add all'
with n1 app add x --users bin,user:bin
refuse $? 2 'user:bin stands there twice' 'a user twice'
with n1 app add x --users bin,
refuse $? 2 'nobody who can be granted' 'an empty name'
with n1 app add x --users 1000
refuse $? 2 "'1000' is nobody" 'a number as a user'
with n1 app add x --admins unit:x.service
refuse $? 2 'administers nothing' 'a unit as administrator'
with n1 app add x --keep some
refuse $? 2 'takes a number' '--keep some'
is 'none of these is there' test "$(of_app keys x)" = 0
with n1 app list
expect $? 0 '^crm  *3  *user:games  *user:bin,unit:crm.service$' 'app list'
with n1 app list --json
expect $? 0 '"name": *"hr"' 'app list --json'
json 'app list'
on n1 app show crm
expect $? 0 'secrets  *not known' 'app show without a daemon'
on n1 app show crm --json
expect $? 0 '"keep": *3' 'app show --json'
json 'app show' secrets versions
with n1 app show web
refuse $? 5 'no application web' 'app show of none'
with n1 app grant crm group:man --admin
expect $? 0 'group:man is an administrator of crm' 'app grant --admin'
with n1 app grant crm group:man --admin --json
expect $? 0 '"role": *"administrator"' 'app grant of what is granted'
json 'app grant'
with n1 app revoke crm unit:crm.service --json
expect $? 0 'is not a user of crm any more' 'app revoke'
json 'app revoke'
with n1 app revoke crm games
refuse $? 5 'is not a user of crm' 'app revoke of what is not granted'
with n1 app grant web bin
refuse $? 5 'no application web' 'app grant in none'
with n1 settings set app_creators games,group:man
expect $? 0 'app_creators = user:games,group:man' 'settings set app_creators'
with n1 settings set system_admins unit:x.service
refuse $? 2 'takes user:NAME and group:NAME' 'a unit as system administrator'
with n1 settings set system_admins ''
expect $? 0 'system_admins = *$' 'settings set system_admins'
with n1 settings show
expect $? 0 'app_creators  *= user:games,group:man' 'settings show'

# Files of the original.
cat >"$tmp/sap.xml" <<-'END'
<SSO>
<globalInfo>
<ssoAdminAccount>DOM\GAMES</ssoAdminAccount>
<ssoAffiliateAdminAccount>DOM\nosuch group</ssoAffiliateAdminAccount>
<secretServer>mss2</secretServer>
<ticketTimeout>2</ticketTimeout>
</globalInfo>
<mapping>
<windowsDomain>DOM</windowsDomain>
<windowsUserId>Bin</windowsUserId>
<externalApplication>SAP</externalApplication>
<externalUserId>SAPBIN</externalUserId>
</mapping>
<application name="SAP">
<contact>someone@example.com</contact>
<appuserAccount>DOM\man</appuserAccount>
<appAdminAccount>DOM\Games</appAdminAccount>
</application>
</SSO>
END
before=$(everything n1)
with n1 import "$tmp/sap.xml" --dry-run
expect $? 0 '^nothing was changed$' 'import --dry-run'
for line in 'line 2 *set *system_admins = group:games (DOM.GAMES)$' \
	'line 14 *add *application SAP$' \
	'line 14 *grant *application SAP to group:games (DOM.Games), as an admin' \
	'line 14 *grant *application SAP to group:man (DOM.man)$' \
	'line 8 *grant *application SAP to user:bin (DOM.Bin)$' \
	'claviger settings set app_creators user:games,group:man,group:NAME$' \
	'claviger put SAP mapping/SAPBIN$' \
	'claviger settings set network_name mss2$' \
	'ticketTimeout: there are no tickets$'; do
	is "import shows: $line" grep -q "$line" "$tmp/out"
done
with n1 import "$tmp/sap.xml" --dry-run --json
expect $? 0 '"kind": *"by hand"' 'import --dry-run --json'
json import
with n1 import "$tmp/sap.xml" </dev/null
expect $? 4 'repeat it with --yes' 'import without being asked'
same 'the system after these' "$before" "$(everything n1)"
with n1 import "$tmp/sap.xml" --yes
expect $? 0 '^5 changes were made$' 'import'
is 'its keys are made, too' test "$(of_app keys SAP)" = 2
with n1 app show SAP
expect $? 0 'users *group:man,user:bin$' 'who may use it'
is 'and administer' grep -q 'administrators *group:games$' "$tmp/out"
with n1 import "$tmp/sap.xml" --yes
expect $? 0 '^there is nothing to change$' 'import again'
sed 's/globalInfo>/globalnfo>/' "$tmp/sap.xml" >"$tmp/malformed.xml"
with n1 import "$tmp/malformed.xml" --yes
refuse $? 10 'malformed.xml: line 2, column .*is it <globalInfo>' 'what is malformed'
sed 's/>SAP</>SAPP</' "$tmp/sap.xml" >"$tmp/malformed.xml"
with n1 import "$tmp/malformed.xml" --yes
refuse $? 5 "line 8: there is no application 'SAPP'" 'a mapping of nothing'
sed 's/>mss2</>mss2; id</' "$tmp/sap.xml" >"$tmp/malformed.xml"
with n1 import "$tmp/malformed.xml" --dry-run
refuse $? 2 'line 2: secretServer is not a host name' 'no command to paste'
{
	echo '<?xml version="1.0" encoding="windows-1252"?>'
	sed 's/<externalUserId>/<externalPassword>\x81hunter2<\/externalPassword>&/' \
		"$tmp/sap.xml"
} >"$tmp/malformed.xml"
with n1 import "$tmp/malformed.xml" --dry-run
refuse $? 10 'malformed.xml: line' 'a character that is none'
is 'of which nothing is printed' sh -c "! grep -qi 'bytes\|hun' '$tmp/err'"
sed 's/"SAP"/"SAP R3"/' "$tmp/sap.xml" >"$tmp/malformed.xml"
with n1 import "$tmp/malformed.xml" --yes
refuse $? 2 "line 14: 'SAP R3' cannot be the name" 'a name that cannot be'
sed 's/<externalUserId>/<externalPassword>pw one<\/externalPassword>&/' \
	"$tmp/sap.xml" >"$tmp/password.xml"
chmod 644 "$tmp/password.xml"
with n1 import "$tmp/password.xml" --dry-run
expect $? 0 'line 8 *put *secret mapping/SAPBIN of application SAP$' \
	'a password is stored'
is 'it is warned of such a file' grep -q 'others than its owner' "$tmp/err"
is 'but not shown' sh -c "! grep -q 'pw one' '$tmp/out' '$tmp/err'"
with n1 import "$tmp/password.xml" --yes
expect $? 8 'nothing was changed: a password cannot be stored now' \
	'a password while no server is active'
with n1 app remove SAP --yes
expect $? 0 'SAP and all its secrets are deleted' 'and away with it'
with n1 settings set system_admins ''
expect $? 0 'system_admins = *$' 'as before'
sql -c "INSERT INTO claviger.secret (app, name, version, deleted,
	key_version, record, hash, counter, op_id)
	SELECT 'crm', 'n' || n, 1, false, 1, 'x',
	decode(repeat('00', 32), 'hex'), n, decode(md5(n::text), 'hex')
	FROM generate_series(1, 2500) n" one
with n1 app remove crm </dev/null
refuse $? 4 'crm has 2500 secrets' 'app remove without being asked'
# Nothing is deleted for so long.
hold() { # SECONDS
	sql -c "BEGIN; LOCK TABLE claviger.secret IN SHARE MODE;
		SELECT pg_sleep($1)" one >/dev/null 2>&1 &
	holder=$!
	held 1
}
held() { # COUNT: so many hold it
	tries=0
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE granted AND
		relation = 'claviger.secret'::regclass AND
		mode = 'ShareLock'" one)" = "$1" ] || [ $((tries += 1)) = 200 ]
	do
		sleep 0.05
	done
}
# The command and its daemon are killed when the list names crm no more.
version=$(sql -c "SELECT max(version) FROM claviger.list" one)
hold 60
"$claviger" --config "$tmp/n1/claviger.conf" --clavigerd "$daemon" \
	app remove crm --yes >"$tmp/out" 2>"$tmp/err" &
remover=$!
tries=0
until [ "$(sql -c "SELECT max(version) FROM claviger.list" one)" != \
	"$version" ] || [ $((tries += 1)) = 200 ]; do
	sleep 0.05
done
kill -9 $remover $(pgrep -f "^$daemon .*$tmp/n1/claviger.conf")
wait $remover 2>/dev/null
sql -c "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE granted AND
	relation = 'claviger.secret'::regclass" one >/dev/null
wait $holder
held 0
is 'secrets are left of a removal that was killed' \
	test "$(of_app versions crm)" -ge 1500
with n1 app list
is 'but no application' sh -c "! grep -q crm '$tmp/out'"
# Held until it has waited longer than the daemon takes for one answer, and
# for less than the three seconds after which PostgreSQL ends the wait.
hold 60
sql -c "DO \$\$
BEGIN
	FOR i IN 1..1200 LOOP
		EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND
			relation = 'claviger.secret'::regclass);
		PERFORM pg_sleep(0.05);
	END LOOP;
	PERFORM pg_sleep(1.1);
	PERFORM pg_terminate_backend(pid) FROM pg_locks WHERE granted AND
		relation = 'claviger.secret'::regclass AND mode = 'ShareLock';
END \$\$" one >/dev/null &
releaser=$!
script -qec "'$claviger' --config '$tmp/n1/claviger.conf' \
	--clavigerd '$daemon' app remove crm --yes --json >'$tmp/out'" \
	/dev/null </dev/null >"$tmp/err" 2>&1
expect $? 0 '"versions": *[12]500' 'app remove goes on'
wait $holder
wait $releaser
is 'and tells how far it is' grep -aq '[0-9]00 of [12]500 deleted' "$tmp/err"
json 'app remove'
is 'all is deleted' test "$(of_app versions crm)" = 0
is 'its keys are gone' test "$(of_app keys crm)" = 0
with n1 app remove crm --yes
refuse $? 5 'no application crm' 'app remove of none'
with n1 app add crm
expect $? 0 'application crm is there' 'app add of one that was there'
is 'its counter went on' test "$(sql -c "SELECT counter
	FROM claviger.get_heads('', 10) WHERE app = 'crm'" one)" -ge 3

# ... and by those whom the lists name, with a daemon that runs.
printf 'run_dir = %s\n' "$tmp/n1/run" >"$tmp/user.conf"
by() { # USER ARGUMENTS…
	_user=$1
	shift
	(cd / && runuser -u "$_user" -- "$claviger" \
		--config "$tmp/user.conf" "$@") >"$tmp/out" 2>"$tmp/err"
}
printf 'log_file = %s\n' "$tmp/n1/daemon.log" >>"$tmp/n1/claviger.conf"
"$daemon" -f "$tmp/n1/claviger.conf" >"$tmp/n1/daemon.out" 2>&1 &
running=$!
tries=0
until on n1 status && grep -q 'off' "$tmp/out" || [ $((tries += 1)) = 200 ]; do
	sleep 0.05
done
on n1 metrics
expect $? 0 '^claviger_up 1$' 'metrics with a daemon'
is 'the role is one of them' grep -q '^claviger_role{role="off"} 1$' "$tmp/out"
metrics quorate rotation_under_way rotation_left rotation_damaged \
	member_refresh_age_seconds
on n1 status
is 'status says who can open the secret' \
	grep -q '^escrow .*sealed to . of . server nodes' "$tmp/out"
is 'and that there is no recovery recipient' \
	grep -q '^recovery .*claviger recovery create' "$tmp/out"
by bin app add web
expect $? 4 'user 2 may not do that (app add)' 'app add by anybody'
by games app add web --users bin
expect $? 0 'application web is there' 'app add by a creator'
by games app show web
expect $? 0 '^administrators user:games$' 'app show by its administrator'
is 'it counts' grep -q '^secrets  *0 (0 versions)' "$tmp/out"
by bin app show web
expect $? 0 '^users  *user:bin$' 'app show by its user'
by bin app grant web games
expect $? 4 'may not do that (app grant)' 'app grant by a user'
by games app list
expect $? 4 'may not do that' 'app list by no system administrator'
by games app revoke web games --admin
expect $? 4 'you would not be an administrator' 'locking oneself out'
by games app grant web bin --admin
expect $? 0 'user:bin is an administrator' 'app grant by its administrator'
by bin app revoke web games --admin
expect $? 0 'not an administrator of web any more' 'app revoke by the other'
by games app grant web games --admin
expect $? 4 'may not do that' 'a right that was taken away'
by games settings set system_admins games
expect $? 4 'may not do that (settings set)' 'making oneself administrator'
with n1 settings set system_admins games
expect $? 0 'system_admins = user:games' 'root makes somebody administrator'
by games app list --json
expect $? 0 '"name": *"web"' 'app list by a system administrator'
json 'app list'
by games settings set system_admins bin
expect $? 4 'not be a system administrator' 'an administrator who leaves'
by games settings set port 9000
expect $? 4 'only root may' 'what is root'"'"'s alone'
by games app remove web --yes
expect $? 0 'application web and all its secrets are deleted' 'app remove'
by games node list
expect $? 4 'only root' 'a verb of root'

# A configuration that was changed.
was=$(cat "$tmp/n1/claviger.conf")
on n1 settings reload --json
expect $? 0 '"taken": *\[' 'settings reload without a change'
json 'settings reload' key value was
printf 'refresh_interval = 7\nenforce_expiry = yes\ndebug = yes\n' \
	>>"$tmp/n1/claviger.conf"
on n1 settings show
is 'the running value, and the one of the file' grep -q \
	'^refresh_interval  *= 60 .*# the daemon; .*: 7: claviger settings reload$' \
	"$tmp/out"
is 'and what needs a start' grep -q \
	'^debug .*# the daemon; .*: yes: restart clavigerd$' "$tmp/out"
on n1 settings reload
expect $? 30 '^refresh_interval  *= 7, was 60$' 'settings reload'
is 'the rest waits' grep -q \
	'^debug .*, and is until clavigerd is restarted$' "$tmp/out"
on n1 settings show --json
expect $? 0 '"refresh_interval": *7' 'it is in force'
is 'so is the other' grep -q '"enforce_expiry": *true' "$tmp/out"
printf '%s\nrefresh_interval = 8\nno_such_key = 1\n' "$was" \
	>"$tmp/n1/claviger.conf"
on n1 settings reload
expect $? 2 'there is no key "no_such_key"' 'reloading what is wrong'
kill -HUP "$running"
tries=0
until grep -q 'the configuration stays as it was' "$tmp/n1/daemon.log" ||
	[ $((tries += 1)) = 200 ]; do
	sleep 0.05
done
is 'what is wrong is said in the log' \
	grep -q 'the configuration stays as it was' "$tmp/n1/daemon.log"
printf '%s\nrefresh_interval = 8\n' "$was" >"$tmp/n1/claviger.conf"
on n1 settings show
is 'what was wrong changed nothing' \
	grep -q '^refresh_interval  *= 7 ' "$tmp/out"
kill -HUP "$running"
tries=0
until on n1 settings show && grep -q '^refresh_interval  *= 8 ' "$tmp/out" ||
	[ $((tries += 1)) = 200 ]; do
	sleep 0.05
done
is 'SIGHUP does the same' grep -q '^refresh_interval  *= 8 ' "$tmp/out"
is 'and what is not there any more is its default again' \
	grep -q '^enforce_expiry  *= no ' "$tmp/out"
printf '%s\n' "$was" | grep -v '^log_file' >"$tmp/n1/claviger.conf"

kill "$running" && wait "$running"
on n1 settings reload
expect $? 8 'the next clavigerd that starts reads it' 'reload without a daemon'
by games app list
expect $? 8 'cannot be asked' 'no daemon'
is 'what to do then' grep -q 'next: start clavigerd' "$tmp/err"

before=$(everything n2)
with n2 backup "$tmp/b/none.age" --passphrase-file "$tmp/pass"
refuse $? 3 'absent' 'a backup where the secret is absent'
gone 'a backup without a secret' "$tmp/b/none.age"
with n2 restore "$foreign" --passphrase-file "$tmp/pass"
refuse $? 17 'another system' 'restore of another system'
with n2 restore "$tmp/b/one.age" --passphrase-file "$tmp/wrong"
refuse $? 13 'passphrase' 'restore with a wrong passphrase'
with n2 restore "$tmp/b/damaged.age" --passphrase-file "$tmp/pass"
refuse $? 12 'damaged' 'restore of a damaged backup'
same 'the node after refusals' "$before" "$(everything n2)"
with n2 restore "$tmp/b/one.age" --passphrase-file "$tmp/pass" --json
expect $? 0 '"generation": *1' 'restore --json'
# shellcheck disable=SC2086
json restore $plan $ceremony
is 'the restored copy is in the database' \
	test "$(sql -c 'SELECT count(*) FROM claviger.escrow' one)" = 2

# Two nodes must hold a new generation before it is current, and one is off:
# the generation waits, and the next rotation goes on with it.
with n2 rotate --backup "$tmp/b/two.age" --passphrase-file "$tmp/pass"
expect $? 3 'the command repeated' 'rotate while the other node is off'
is 'it says what to do next' grep -q '^  next: ' "$tmp/err"
with n2 generation list
expect $? 0 '2  escrowed' 'the generation waits'
with n1 node revoke n1
refuse $? 4 'cannot revoke itself' 'a node that revokes itself'
with n1 node revoke n2 --now
refuse $? 2 'goes with --rotate alone' 'node revoke --now without --rotate'
with n1 node revoke n2 --rotate --now --backup "$tmp/b/no.age" \
	--passphrase-file "$tmp/pass" </dev/null
refuse $? 4 'cut off every host' 'node revoke --rotate --now without --yes'
with n1 node revoke n2 --json
expect $? 0 'n2 is revoked' 'node revoke'
# shellcheck disable=SC2086
json 'node revoke' $rotated system away
with n1 rotate --backup "$tmp/b/three.age" --passphrase-file "$tmp/pass"
expect $? 0 'generation 2 is current' 'rotate goes on'
on n1 rotate --signing-key
refuse $? 2 'give --backup FILE' 'rotate --signing-key without a backup'
with n1 rotate --signing-key --backup "$tmp/b/four.age" \
	--passphrase-file "$tmp/pass" --json
expect $? 0 '"generation": *3' 'rotate --signing-key --json'
json rotate
newkey=$(grep -o '"system": *"[^"]*"' "$tmp/out" | cut -d'"' -f4)
is 'it is another key' test "$newkey" != "$key"
with n1 status
is 'the system has the new one' grep -qF "$newkey" "$tmp/out"
same 'the configuration' "$key" \
	"$(sed -n 's/^system = //p' "$tmp/n1/claviger.conf")"

sed -i "s|^system = .*|system = $newkey|" "$tmp/n1/claviger.conf"
with n1 doctor --only list
expect $? 23 'the key that the system had first' 'doctor of a node named anew'
sed -i "s|^system = .*|system = $key|" "$tmp/n1/claviger.conf"
with n1 doctor --only list
expect $? 0 'version [0-9]' 'and of one with its name'

# Joining after that, by any key of the system: its first one names it, and the
# one in force is believed.
host n8
host m8
join_n8() { # KEY
	on n8 join --server --system "$1" --node n8 \
		--database "host=$tmp/sock dbname=one user=login"
}
pin_of() { # HOST: what it verifies by, which no daemon runs to tell
	on "$1" status >/dev/null 2>&1
	sed -n 's/^system  *//p' "$tmp/out"
}
names_first() { # HOST
	test "$(sed -n 's/^system = //p' "$tmp/$1/claviger.conf")" = "$key"
}
for said in "$newkey" "$key"; do
	join_n8 "$said"
	expect $? 0 '^fingerprint ' 'join after the signing key was changed'
	is 'its configuration has the first one' names_first n8
	same 'the key it verifies by' "$newkey" "$(pin_of n8)"
	join_n8 "$newkey"
	expect $? 0 '^fingerprint ' 'joining again by the one in force'
	join_n8 "$key"
	expect $? 0 '^fingerprint ' 'and by the first one'
	join_n8 "$(echo "$key" | sed 's/^A/B/; t; s/^./A/')"
	refuse $? 17 'belongs to another system' 'but not by that of another'
	is 'its configuration has the first one still' names_first n8
	same 'the key it verifies by still' "$newkey" "$(pin_of n8)"
	rm -rf "$tmp/n8"
	host n8
done
sql -c "DELETE FROM claviger.join_request WHERE name = 'n8'" one
on m8 settings pin "$newkey"
refuse $? 2 'system' 'a key for a host of no system'
on m8 join --member --system "$key" --server-thumbprint "$thumb" \
	--network-name 127.0.0.9 --node m8
expect $? 0 'claviger member add m8' 'a member that the old key could lead astray'
on m8 settings pin AAAA
refuse $? 2 'not the public key' 'a key that is none'
same 'the key it verifies by' "$key" "$(pin_of m8)"
on m8 settings pin "$newkey" --json
expect $? 0 "\"system_before\": *\"$key\"" 'settings pin'
json 'settings pin'
same 'the key it verifies by then' "$newkey" "$(pin_of m8)"
is 'its configuration is as it was' names_first m8
on m8 join --member --system "$newkey" --server-thumbprint "$thumb" \
	--network-name 127.0.0.9
expect $? 0 'claviger member add m8' 'joining again by the one that it pins'
is 'its configuration is as it was still' names_first m8
same 'and its key is' "$newkey" "$(pin_of m8)"
with n1 node revoke n2
expect $? 0 'generations  *1 2$' 'node revoke, again'
is 'its keys are in use' grep -q 'master secret  *still in use' "$tmp/out"
is 'and its certificate' grep -q "certificate's key  *still in use" "$tmp/out"
with n1 generation list
expect $? 0 '3  current' 'generation list after rotate'
with n1 generation list --json
expect $? 0 '"sealed_copies": *1' 'generation list counts'
json 'generation list'
with n1 rotate
refuse $? 8 'cannot be known' 'rotate without a backup or a server'
with n1 generation destroy 1
refuse $? 4 'destroyed for ever' 'generation destroy without a terminal'
with n1 generation destroy one --yes
refuse $? 2 'not the number' 'generation destroy of a word'
with n1 generation destroy 9 --yes
refuse $? 5 'no generation 9' 'generation destroy of none'
with n1 generation destroy 3 --yes
refuse $? 2 'is current' 'generation destroy of the current one'
with n1 generation destroy 1 --yes
refuse $? 6 '1 certificate refer' 'generation destroy of a needed one'
with n1 generation destroy 2 --yes --json
expect $? 0 'generation 2 is destroyed' 'generation destroy'
json 'generation destroy'
with n1 restore "$tmp/b/one.age" --passphrase-file "$tmp/pass"
refuse $? 20 'older than the system' 'restore of an older generation'

# Recovery by shares.

share() { # N: the file of that share
	echo "$tmp/shares/share-$1-of-3.txt"
}
with n1 recovery create --shares 1/3
refuse $? 2 'is K/N' 'a threshold of one'
with n1 recovery create --shares 4/3
refuse $? 2 'is K/N' 'a threshold above the number of shares'
with n1 recovery create --shares 2/3 --verify all
refuse $? 2 'words or whole' 'another way to verify'
setsid -w "$claviger" --config "$tmp/n1/claviger.conf" recovery create \
	--shares 2/3 >"$tmp/out" 2>"$tmp/err" </dev/null
refuse $? 2 'no terminal' 'shares without a terminal'
with n1 recovery create --shares 2/3 --directory "$tmp/shares"
refuse $? 5 'cannot be used' 'a directory that is not there'
mkdir -m 777 "$tmp/shares"
with n1 recovery create --shares 2/3 --directory "$tmp/shares"
refuse $? 4 'others can write' 'a directory where others may write'
chmod 700 "$tmp/shares"
: >"$(share 2)"
with n1 recovery create --shares 2/3 --directory "$tmp/shares"
refuse $? 6 'share-2-of-3.txt is there already' 'a share that is there'
rm "$(share 2)"
on n1 recovery create --shares 2/3 --directory "$tmp/shares"
expect $? 8 'could not set the recovery recipient' 'shares without a daemon'
gone 'shares that are of no use' "$(share 1)"
with n1 recovery recipient AGE-SECRET-KEY-1
refuse $? 2 'no X25519 recipient' 'an identity as a recipient'
with n1 recovery recipient \
	age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj --json
expect $? 0 '"recipient": *"age1zvky' 'recovery recipient'
json 'recovery recipient'
with n1 recovery create --shares 2/3 --directory "$tmp/shares" --json
expect $? 0 '"needed": *2' 'recovery create'
json 'recovery create'
recipient=$(sed -n 's/.*"recipient": *"\([^"]*\)".*/\1/p' "$tmp/out")
is 'each share is root'"'"'s alone' \
	test "$(cat "$tmp"/shares/* | wc -w) $(stat -c %U%a "$(share 3)")" = \
	'99 root600'
is 'no share is printed' test -z "$(cut -d ' ' -f 1-4 "$tmp"/shares/* |
	grep -F -f - "$tmp/out" "$tmp/err")"
with n1 settings show
expect $? 0 "recovery_recipient  *= $recipient" 'the system has the recipient'
is 'the database has a copy for it' test \
	"$(sql -c 'SELECT generation FROM claviger.escrow WHERE node = 255' one)" = 3
with n1 backup "$tmp/b/five.age" --passphrase-file "$tmp/pass" --json
expect $? 0 '"recovery": *".*five.age.recovery"' 'a backup with a copy beside it'
json backup written
is 'which is root'"'"'s alone' \
	test "$(stat -c %U%a "$tmp/b/five.age.recovery")" = root400

# The audit trail: what was done is in it, and whatever was done to it is named.

with n1 audit list
expect $? 0 'root: setting recovery_recipient: ok' 'audit list'
with n1 audit list --operation setting --who root --last 1 --since 1d --json
expect $? 0 '"operation": *"setting"' 'audit list --json'
is 'no more than was asked for' test "$(grep -c '"row"' "$tmp/out")" = 1
json 'audit list'
with n1 audit list --until 2020-01-01
is 'audit list of an older day is empty' test "$?$(cat "$tmp/out")" = 0
with n1 audit list --since yesterday
expect $? 2 "'yesterday'" 'audit list since no time at all'
with n1 audit verify
expect $? 0 'all as they were written, none missing' 'audit verify'
with n1 audit verify --json
expect $? 0 '"faults": *0' 'audit verify --json'
json 'audit verify' row text
sql -c 'CREATE TABLE public.trail AS TABLE claviger.audit' one
tampered() { # SQL PATTERN WHAT
	sql -c "$1" one
	with n1 audit verify
	expect $? 23 "^FOUND   $2" "audit verify: $3"
	with n1 audit verify --json
	expect $? 23 '"first_bad": *[1-9]' "audit verify --json: $3"
	sql -c 'TRUNCATE claviger.audit' \
		-c 'INSERT INTO claviger.audit TABLE public.trail' one
}
end='(SELECT max(seq) FROM claviger.audit)'
tampered 'UPDATE claviger.audit SET body =
	set_byte(body, 100, get_byte(body, 100) # 1) WHERE seq = 2' \
	'row 2 was changed' 'a changed row'
tampered 'DELETE FROM claviger.audit WHERE seq = 3' 'row 3 is missing' \
	'a row taken away'
tampered "DELETE FROM claviger.audit WHERE seq = $end" \
	'row .* is missing at the end' 'its end cut off'
tampered 'UPDATE claviger.audit a SET body = b.body FROM claviger.audit b
	WHERE a.seq = 2 AND b.seq = 3' \
	'in the place of row 2 stands row 3' 'a row in the place of another'
tampered "INSERT INTO claviger.audit SELECT $end + 1, body
	FROM claviger.audit WHERE seq = 2" \
	'in the place of row .* stands row 2' 'a row once more'
with n1 audit verify
expect $? 0 'none missing' 'and all is well again'
sql -c 'DROP TABLE public.trail' one

# Who can open it, and what was done to it.

with n1 escrow list
expect $? 0 'n1 .*opened its copy .* ago' 'escrow list'
is 'it names the generations' grep -q '^generation 3, current' "$tmp/out"
is 'and the backups' grep -q 'backup .*ago: .*five.age' "$tmp/out"
is 'and the recovery copy' grep -q 'recovery .*not opened' "$tmp/out"
is 'a backup holds no later one' test "$(sed -n '/^generation 3/,/^g.* 1/p' \
	"$tmp/out" | grep -c one.age)" = 0
with n1 escrow list --json
expect $? 0 '"holder": *"n1"' 'escrow list --json'
json 'escrow list' subject text next
with n1 escrow verify
expect $? 0 'n1 .*opened its copy now' 'escrow verify'
with n1 escrow verify --json
expect $? 0 '"proof": *"opened now"' 'escrow verify --json'
json 'escrow verify' subject text next
sql -c 'CREATE TABLE public.copies AS TABLE claviger.escrow' \
	-c 'CREATE TABLE public.records AS SELECT generation, body, at
	FROM claviger.backup' one
spoilt() { # SQL PATTERN WHAT
	sql -c "$1" one
	for _verb in list verify; do
		with n1 escrow $_verb
		expect $? 23 "^FOUND   $2" "escrow $_verb: $3"
	done
	with n1 escrow list --json
	expect $? 23 '"next": *".' "escrow list --json: $3"
	sql -c 'TRUNCATE claviger.escrow, claviger.backup' \
		-c 'INSERT INTO claviger.escrow SELECT * FROM public.copies' \
		-c 'INSERT INTO claviger.backup (generation, body, at)
		SELECT * FROM public.records' one
}
change='UPDATE claviger.escrow SET body ='
spoilt "$change set_byte(body, 100, get_byte(body, 100) # 1) WHERE node = 255" \
	'recovery copy: .*signature' 'a changed recovery copy'
spoilt 'DELETE FROM claviger.escrow WHERE node = 255' \
	'recovery copy: it is missing' 'a recovery copy taken away'
spoilt "$change c.body FROM public.copies c WHERE c.node = 1" \
	'recovery copy: .*sealed to somebody else' 'the copy of a node in its place'
spoilt "UPDATE claviger.backup SET body = set_byte(body, 22, 9)" \
	'backups: .*forged' 'forged records of backups'
spoilt 'TRUNCATE claviger.backup; DELETE FROM claviger.escrow WHERE node = 255' \
	'outside: no backup or recovery copy' 'nothing outside the nodes'
with n1 escrow list
expect $? 0 'n1 .*opened its copy' 'and back'

combine() { # ARGUMENTS…
	with n1 recovery combine "$@"
}
list=$(share 3),$(share 1)
sed 's/^[a-z]* [a-z]*/& acrobats/; s/ [a-z]*$//' "$(share 1)" >"$tmp/word"
sed 's/ \([a-z]*\) \([a-z]*\)$/ \2 \1/' "$(share 1)" >"$tmp/swapped"
awk '{ $7 = $7 == "acid" ? "zebra" : "acid"; print }' "$(share 1)" >"$tmp/one"
cut -d ' ' -f -32 "$(share 1)" >"$tmp/cut"
chmod 600 "$tmp/word" "$tmp/swapped" "$tmp/one" "$tmp/cut"
combine --share-file "$(share 1),$tmp/word"
refuse $? 24 'word 3 is not of the word list' 'a word that is none'
combine --share-file "$tmp/swapped"
refuse $? 25 'words are mistyped' 'two words that were swapped'
combine --share-file "$tmp/one"
refuse $? 25 'mistyped: word 7' 'a wrong word'
combine --share-file "$tmp/cut"
refuse $? 16 'words are missing' 'a share that was cut short'
combine --share-file "$(share 1)"
refuse $? 28 '2 are needed' 'too few shares'
combine --share-file "$(share 1),$(share 1)"
refuse $? 27 'share 2 .*was given already' 'one share twice'
chmod 644 "$(share 1)"
combine --share-file "$list"
refuse $? 4 'others than its owner' 'an open share file'
chmod 600 "$(share 1)"
combine "$tmp/b/five.age" --share-file "$list"
refuse $? 14 'not sealed to this recovery identity' 'a backup with a passphrase'
combine --share-file "$list" --identity "$tmp/b/five.age"
refuse $? 6 'not written' 'an identity in the place of a file'
combine "$tmp/b/five.age.recovery" --share-file "$list" --json
expect $? 0 '"generation": *3' 'recovery combine of a file'
json 'recovery combine' identity backup
cat "$(share 2)" "$(share 3)" | "$claviger" --config "$tmp/n1/claviger.conf" \
	--clavigerd "$daemon" recovery combine --share-file - \
	>"$tmp/out" 2>"$tmp/err"
expect $? 0 'generation 3' 'recovery combine from the database'
combine --share-file "$list" --backup "$tmp/b/six.age" \
	--passphrase-file "$tmp/pass" --json
expect $? 0 'six.age' 'recovery combine --backup'
json 'recovery combine' identity reason node enrolled replaced
on n1 backup verify "$tmp/b/six.age" --passphrase-file "$tmp/pass"
expect $? 0 'generations *1 3' 'what it has written'
with n1 escrow list
expect $? 0 'recovery .*opened by its holders .* ago' 'when it was opened last'
"$claviger" --config /nonexistent recovery combine --share-file "$list" \
	--identity "$tmp/b/identity" --json >"$tmp/out" 2>"$tmp/err"
expect $? 0 identity 'recovery combine --identity needs no system'
json 'recovery combine' backup generation reason node enrolled replaced
is 'it is root'"'"'s alone' \
	test "$(stat -c %U%a "$tmp/b/identity")" = root600
if command -v age >/dev/null; then
	is 'age opens a recovery copy with it' sh -c "age -d -i '$tmp/b/identity' \
	    '$tmp/b/five.age.recovery' | grep -q '^generation 3 '"
fi

# The same at a terminal.
if command -v python3 >/dev/null; then
	is 'ceremonies at a terminal' python3 "$source/tests/unit/ceremony.py" \
		"$source/lib/words/slip39.txt" "$claviger" \
		--config "$tmp/n1/claviger.conf" --clavigerd "$daemon"
fi

# A new ceremony: the old shares open what they opened, and nothing newer.
mkdir -m 700 "$tmp/old" && mv "$tmp"/shares/* "$tmp/old"
with n1 recovery create --shares 2/3 --directory "$tmp/shares"
expect $? 0 'recovery recipient  age1' 'a second ceremony'
second=$(sed -n 's/.*\(age1[0-9a-z]*\).*/\1/p' "$tmp/out" | head -n 1)
old=$tmp/old/share-1-of-3.txt,$tmp/old/share-2-of-3.txt
combine --share-file "$old"
refuse $? 14 'and the system.s is' 'old shares and the database'
combine "$tmp/b/five.age.recovery" --share-file "$old"
expect $? 0 'generation 3' 'old shares and an old copy'
combine --share-file "$(share 1),$tmp/old/share-2-of-3.txt"
refuse $? 26 'share 2 .*of another set' 'shares of two sets'
with n1 rotate --backup "$tmp/b/seven.age" --passphrase-file "$tmp/pass"
expect $? 0 'generation 4 is current' 'a rotation needs no custodian'
with n1 generation destroy 3 --yes
expect $? 0 'generation 3 is destroyed' 'generation destroy'
combine --share-file "$(share 2),$(share 1)" --backup "$tmp/b/eight.age" \
	--passphrase-file "$tmp/pass"
expect $? 0 'eight.age is written' 'the copy in the database is the newest'
on n1 backup verify "$tmp/b/eight.age" --passphrase-file "$tmp/pass"
expect $? 0 'generations *1 4$' 'and holds nothing that was destroyed'

# The network name's certificate; what an active server does with it, the
# cluster scenarios show.

issue() { # FILE ARGUMENTS…: a certificate and its key
	_f=$tmp/$1
	shift
	openssl req -x509 -nodes -keyout "$_f.key" -out "$_f.crt" "$@" \
		2>/dev/null && chmod 600 "$_f.key"
}
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1'
# shellcheck disable=SC2086 # words
{
	issue good $ec -subj /CN=mss -addext subjectAltName=IP:127.0.0.9
	issue big -newkey rsa:3072 -subj /CN=mss \
		-addext subjectAltName=IP:127.0.0.9
	issue named $ec -subj /CN=mss \
		-addext subjectAltName=DNS:mss.example.org
	issue weak -newkey rsa:1024 -subj /CN=mss \
		-addext subjectAltName=IP:127.0.0.9
}
use() { # CERTIFICATE KEY ARGUMENTS…
	_c=$tmp/$1.crt _k=$tmp/$2.key
	shift 2
	with n1 cert use --server --cert "$_c" --key "$_k" "$@"
}
on n1 cert rotate
refuse $? 2 'Give --server' 'cert rotate of nothing'
on n1 cert rotate --server --member
refuse $? 2 'Give --server or --member' 'cert rotate of both'
on m1 cert rotate --server
refuse $? 2 'not a server node' 'cert rotate --server on a member'
on n1 cert rotate --server m1
refuse $? 2 'goes with --member alone' 'cert rotate --server of a host'
on m1 cert rotate --member n1
refuse $? 2 'not a server node, and not n1' 'cert rotate --member of another host'
with n1 cert rotate --member 'm 1'
refuse $? 2 'not a name of a host' 'cert rotate --member of no name'
with n1 cert rotate --member m1 --now
refuse $? 4 'm1 uses would be refused at once' \
	'cert rotate --member NAME --now without a terminal'
with n1 cert rotate --member m1
refuse $? 8 'the certificate of m1 is not changed' \
	'cert rotate --member NAME without an active server'
on m1 cert rotate --member m1
refuse $? 8 'clavigerd does not run' 'cert rotate --member of its own name'
on m1 cert rotate --member
refuse $? 8 'clavigerd does not run' 'cert rotate --member without a daemon'
on m1 cert rotate --member --now
refuse $? 4 'refused at once' 'cert rotate --member --now without a terminal'
use good big
refuse $? 2 "the key is not the certificate's" 'another key'
use named named
refuse $? 2 'is for mss.example.org, not for 127.0.0.9' 'another name'
use weak weak
refuse $? 2 'too weak' 'a weak key'
use good nosuch
refuse $? 5 'nosuch.key cannot be used' 'no key'
chmod 644 "$tmp/good.key"
use good good
refuse $? 4 'can be read by others' 'a key that others may read'
chmod 600 "$tmp/good.key"
thumbs() {
	"$claviger" --config "$tmp/n1/claviger.conf" settings show |
		grep -c '^server_thumbprint'
}
same 'nothing was changed' 1 "$(thumbs)"
with n1 cert rotate --server --json
expect $? 0 '"in_force": *false' 'cert rotate without an active server'
json 'cert rotate'
same 'the next one is in the list' 2 "$(thumbs)"
with n1 cert rotate --server
expect $? 0 'the next active server goes on' 'cert rotate again'
use good good
refuse $? 6 'another next certificate is published' 'a second next one'
use good good --now
refuse $? 4 'these hosts cut off: whoever' 'cert use --now without a terminal'
same 'nothing was changed' 2 "$(thumbs)"
cat "$tmp/named.crt" >>"$tmp/good.crt" # a chain, it might be
use good good --now --yes --json
expect $? 0 '"in_force": *true' 'cert use --now'
json 'cert use'
is 'it is in force' grep -q "^server_thumbprint *= $(openssl x509 -noout \
	-fingerprint -sha256 -in "$tmp/good.crt" | sed 's/.*=//;s/://g' |
	tr A-F a-f)" <<-end
	$("$claviger" --config "$tmp/n1/claviger.conf" settings show)
end
same 'and alone' 1 "$(thumbs)"
use big big --now --yes
expect $? 0 'certificate is changed' 'cert use of an RSA key'

# Backups on a schedule. Nobody is active here.
with n1 backup --scheduled
refuse $? 2 'no place for scheduled backups' 'a schedule to nowhere'
with n1 backup --scheduled "$tmp/b/x.age"
refuse $? 2 'takes no file' 'a schedule and a file'
mkdir -m 700 "$tmp/to"
printf 'backup_to = relative\n' >>"$tmp/n1/claviger.conf"
with n1 backup --scheduled
refuse $? 2 'backup_to must be absolute paths' 'a directory that is no path'
sed -i '/^backup_to/d' "$tmp/n1/claviger.conf"
printf 'backup_to = %s\n' "$tmp/to" >>"$tmp/n1/claviger.conf"
printf 'backup_passphrase_file = %s\n' "$tmp/short" >>"$tmp/n1/claviger.conf"
printf 'short\n' >"$tmp/short" && chmod 600 "$tmp/short"
with n1 backup --scheduled
refuse $? 2 'too short' 'a schedule with a weak passphrase'
sed -i '/^backup_passphrase_file/d' "$tmp/n1/claviger.conf"
with n1 backup --scheduled
is 'a node that is not active writes none' \
	test "$(find "$tmp/to" -type f | wc -l)" = 0
on n1 backup verify "$tmp/b/five.age.recovery" --identity "$tmp/b/identity"
expect $? 20 'written  *20' 'backup verify --identity'
on n1 backup verify "$tmp/b/five.age.recovery" --identity "$tmp/b/identity" --json
json 'backup verify' current

# No recovery any more.
with n1 recovery recipient --remove "$recipient"
refuse $? 2 'or --remove' 'a recipient to be removed, and set'
with n1 recovery recipient
refuse $? 2 'or --remove' 'no recipient'
with n1 recovery recipient --remove --json
expect $? 0 'no recovery recipient any more' 'recovery recipient --remove'
json 'recovery recipient'
is 'its copy is gone' test \
	"$(sql -c 'SELECT count(*) FROM claviger.escrow WHERE node = 255' one)" = 0
combine --share-file "$(share 1),$(share 2)"
refuse $? 5 'no recovery' 'shares without a copy'
with n1 escrow list
expect $? 0 'n1 .*opened its copy' 'a backup is enough'
sql -c 'TRUNCATE claviger.backup' one
with n1 escrow list
expect $? 23 'FOUND   outside: ' 'and then it is not there'
with n1 settings set escrow_policy auto,nodes
expect $? 0 'escrow_policy = auto,nodes' 'a policy'
with n1 settings show
expect $? 0 '^escrow_policy  *= auto,nodes' 'it is shown'
with n1 escrow list
expect $? 0 'n1 .*opened its copy' 'which does not ask for one'
with n1 settings set escrow_policy nodes
refuse $? 2 'must be auto or manual' 'a policy that there is not'
with n1 recovery recipient "$second"
expect $? 0 "$second" 'a recipient again'

# Restore on a bare machine: from a backup, from one node's identity, by
# shares. Nobody is active who could approve it.

bare() { # HOST VERB ARGUMENTS…
	_bare=$1
	shift
	with "$_bare" "$@" --database "host=$tmp/sock dbname=one user=login"
}
host n5
host n6
host n7
before=$(everything n1)
with n5 restore "$tmp/b/eight.age" --passphrase-file "$tmp/pass"
refuse $? 2 'belongs to no system yet: --database' 'restore of no system'
bare n5 restore
refuse $? 2 'name a backup' 'restore of nothing'
bare n5 restore "$foreign" --passphrase-file "$tmp/pass" --node n5
refuse $? 17 'another system' 'restore of a database of another system'
bare n5 restore "$tmp/b/one.age" --passphrase-file "$tmp/pass" --node n5
refuse $? 20 'older than the system' 'restore of an older state than there'
bare n5 restore "$tmp/b/mine.age" --passphrase-file "$tmp/wrong" --node n5
expect $? 13 'passphrase: what the comic says$' 'a bare machine is reminded'
is 'nobody has vouched for it' grep -q 'not known: give --system' "$tmp/err"
bare n5 restore "$tmp/b/mine.age" --passphrase-file "$tmp/wrong" --node n5 \
	--system "$key"
expect $? 13 'passphrase: what the comic says$' 'and with --system'
is 'that the system has signed' sh -c "! grep -q 'not known' '$tmp/err'"
bare n5 restore --identity "$tmp/b/identity" --node n5
refuse $? 2 'needs --system' 'what anybody could have sealed'
bare n5 restore --identity "$tmp/pass" --system "$key" --node n5
refuse $? 10 'holds no identity' 'an identity that is none'
bare n5 restore "$tmp/b/eight.age" --passphrase-file "$tmp/pass" --node n5 \
	--dry-run
expect $? 0 'n5, to be enrolled by this keyring' 'restore --dry-run'
nothing_made n5 'restore --dry-run'
bare n5 restore "$tmp/b/eight.age" --passphrase-file "$tmp/pass" --node n5 \
	--dry-run --json
expect $? 0 '"enrols": *true' 'restore --dry-run --json'
# shellcheck disable=SC2086
json restore generation enrolled replaced reason $ceremony
same 'the database after refusals' "$before" "$(everything n1)"
bare n5 restore "$tmp/b/eight.age" --passphrase-file "$tmp/pass" --node n5 --json
expect $? 0 '"enrolled": *true' 'restore on a bare machine'
# shellcheck disable=SC2086
json restore $plan $ceremony
with n5 backup "$tmp/b/nine.age" --passphrase-file "$tmp/pass"
expect $? 0 'generation 4' 'it has the master secret, and may write'
is 'a node has the first key of the system' names_first n5
with n5 status
is 'and verifies by the one in force' grep -qF "$newkey" "$tmp/out"
install -m 600 "$tmp/n5/state/identity" "$tmp/b/n5"
bare n6 restore --identity "$tmp/b/n5" --system "$key" --node n1 --dry-run
expect $? 0 'the node of that name is revoked' 'restore --dry-run of a taken name'
bare n6 restore --identity "$tmp/b/n5" --system "$newkey" --node n1
expect $? 0 'n1 is enrolled as server node number 4' 'by one node and the database'
is 'by any key of it' names_first n6
with n6 node list
expect $? 0 '^n1  *4  enrolled' 'in the place of the lost one'
recovery_copy() {
	sql -c 'SELECT md5(body) FROM claviger.escrow WHERE node = 255' one
}
copy=$(recovery_copy)
bare n7 recovery combine --share-file "$(share 2),$(share 3)" \
	--system "$key" --node n7 --dry-run
expect $? 0 'nothing was changed' 'recovery combine --dry-run'
is 'nor that its copy was opened' test "$(recovery_copy)" = "$copy"
bare n7 recovery combine --share-file "$(share 2),$(share 3)" \
	--system "$key" --node n7
expect $? 0 'n7 is enrolled as server node number 5' 'by shares and the database'
is 'and then that it was' test "$(recovery_copy)" != "$copy"
with n7 restore "$tmp/b/nine.age" --passphrase-file "$tmp/pass" --dry-run
expect $? 0 '^node  *n7 (number 5)' 'restore --dry-run of a node'
install -m 600 "$tmp/n6/state/identity" "$tmp/b/n6"
with n7 restore --identity "$tmp/b/n6"
expect $? 0 'generation 4' 'restore by the identity of another node'

# The restore drill: every copy at hand is recovered, aside, and nothing else
# changes: no file of the host but its configuration, which is ours, and no row.
all_of() { # HOST
	find "$tmp/$1" "$tmp/b" -type f ! -name claviger.conf \
		-printf '%p %m %u %s %T@\n' -exec sha256sum {} + | sort
	as_postgres pg_dump -h "$tmp/sock" -U postgres one |
		grep -Ev '^.(un)?restrict '
}
all_of n7 >"$tmp/before"
with n7 drill restore
expect $? 0 'the current generation can be had back' 'drill restore'
is 'this node'"'"'s copy opens' \
	grep -q '^opened  *sealed copy of n7 in the database' "$tmp/out"
is 'and what it holds' grep -q 'generations 1 4, and 4 is current$' "$tmp/out"
is 'a copy whose key was not given is no failure' \
	grep -q '^not tried  *recovery copy in the database, for age1' "$tmp/out"
with n7 drill restore --shares --identity "$tmp/b/identity"
refuse $? 2 'are both the recovery identity' 'two recovery identities'
with n7 drill restore "$tmp/b/nine.age" --output-as xml
refuse $? 2 "does not know 'xml'" 'a report in no known form'
with n7 drill restore --report "$tmp/b/nine.age"
refuse $? 6 'nine.age cannot be written' 'a report over a file'
setsid -w "$claviger" --config "$tmp/n7/claviger.conf" drill restore \
	"$tmp/b/nine.age" --report "$tmp/report" \
	>"$tmp/out" 2>"$tmp/err" </dev/null
expect $? 2 'no passphrase and no terminal' 'a drill that cannot ask'
gone 'no report of it' "$tmp/report"
mkdir -m 700 "$tmp/drill"
odd=$tmp/drill/'<a href="x">&'"'"'.age'
cp "$tmp/b/nine.age" "$odd"
cp "$tmp/b/nine.age" "$tmp/drill/claviger-20260101T000000Z-g4.age"
cp "$tmp/b/nine.age.recovery" \
	"$tmp/drill/claviger-20260101T000000Z-g4.age.recovery"
cp "$tmp/n7/claviger.conf" "$tmp/n7.conf"
printf 'backup_to = %s,%s\nbackup_passphrase_file = %s\n' "$tmp/drill" \
	"$tmp/to" "$tmp/pass" >>"$tmp/n7/claviger.conf"
with n7 drill restore "$odd" "$tmp/b/one.age" "$tmp/b/nine.age.recovery" \
	--passphrase-file "$tmp/pass" --share-file "$(share 2),$(share 3)" \
	--json --report "$tmp/report" --output-as html
expect $? 0 '"opened": *7' 'drill restore of every kind'
json 'drill restore'
is 'an older backup opens, and that it is old is said' \
	grep -q '1, but not 4, which is current' "$tmp/report"
is 'the report is whole, and escaped' sh -c \
	"grep -q '/&lt;a href=&quot;x&quot;&gt;&amp;&#39;.age<td>' '$tmp/report' &&
	tail -n 1 '$tmp/report' | grep -qx '</html>' &&
	! grep -q '<a ' '$tmp/report'"
is 'it fetches nothing' sh -c \
	"! grep -Eq 'http|url\\(|src=|script' '$tmp/report'"
with n7 drill restore --identity "$tmp/b/n6"
expect $? 0 '^opened  *sealed copy of n1 in the database' \
	'drill restore by the identity of another node'
cut -c 2- <"$tmp/b/nine.age.recovery" >"$tmp/drill/cut.age.recovery"
with n7 drill restore "$tmp/b/damaged.age" "$foreign" "$tmp/drill/cut.age.recovery" \
	--passphrase-file "$tmp/pass" --identity "$tmp/b/identity"
expect $? 23 'a copy that should open did not' 'drill restore of bad copies'
is 'each by its name, and why' sh -c "
	grep -A 1 '^failed .*damaged.age' '$tmp/out' | grep -q damaged &&
	grep -A 1 '^failed .*$foreign' '$tmp/out' | grep -q 'another system' &&
	grep -A 1 '^failed .*cut.age.recovery' '$tmp/out' | grep -q 'not opened'"
sed -i 's/dbname=one/dbname=nosuch/' "$tmp/n7/claviger.conf"
with n7 drill restore --report "$tmp/report.txt"
expect $? 23 '^failed  *sealed copy of n7' 'drill restore without a database'
is 'the report says so, too' cmp "$tmp/out" "$tmp/report.txt"
with n7 drill restore --passphrase-file "$tmp/wrong" --output-as json \
	"$tmp/b/nine.age"
expect $? 23 '"covered": *true' 'the schedule has a passphrase of its own'
cp "$tmp/n7.conf" "$tmp/n7/claviger.conf"
all_of n7 >"$tmp/after"
is 'no file and no row has changed' diff "$tmp/before" "$tmp/after"
is 'and there are some' grep -q '^COPY claviger.escrow' "$tmp/before"
gone 'the scratch directory' "$(echo /run/claviger-drill.*)"

with n7 restore "$tmp/b/seven.age" --passphrase-file "$tmp/pass"
expect $? 0 'here is kept in' 'another keyring is replaced'
kept=$(echo "$tmp/n7/state/keyring-"*.age)
is 'it is for the service alone' test "$(stat -c %U%a "$kept")" = daemon400
on n7 backup verify "$kept" --passphrase-file "$tmp/pass"
expect $? 0 'generations *1 4$' 'and opens with what opened the other'
with n7 node revoke n5
expect $? 0 'n5 is revoked' 'node revoke'

# The database of an older day.
with n7 restore "$tmp/b/nine.age" --accept-rollback
refuse $? 2 'takes no copy' 'accepting a database by a copy'
with n7 restore --accept-rollback --yes --json
expect $? 0 '"accepted"' 'a database that is not older'
json restore generation node enrolled replaced reason dry_run system \
	node_number enrols generations_here number current_generation replaces \
	given_up new_generation lost application keys whole backup recorded \
	server_thumbprint
sql -c "DELETE FROM claviger.list WHERE version > (SELECT max(version) - 3
	FROM claviger.list)" one
with n7 settings set port 8392
refuse $? 20 'newer state than the database' 'a change of an older database'
with n7 restore --accept-rollback
expect $? 4 'without being asked' 'accepting it without a word'
with n7 restore --accept-rollback --dry-run
expect $? 0 'server node n7' 'what is lost'
with n7 restore --accept-rollback --yes
expect $? 0 'the database is accepted: list version' 'accepting it'
with n7 settings set port 8392
expect $? 0 'port = 8392' 'a change after that'
with n5 restore "$tmp/b/eight.age" --passphrase-file "$tmp/pass"
refuse $? 4 'was revoked' 'no backup undoes a revocation'

# The role by hand: two daemons, no cluster. The second one is of node n1.
ready() { # HOST: its daemon is started, and can serve
	"$daemon" -f "$tmp/$1/claviger.conf" >"$tmp/$1/daemon.log" 2>&1 &
	running=$!
	tries=0
	until "$claviger" --config "$tmp/$1/claviger.conf" status --json \
		2>&1 | grep '"proven": *true' >"$tmp/found" ||
		[ $((tries += 1)) = 200 ]; do
		sleep 0.05
	done
}
hand() { # HOST NODE ARGUMENTS…
	on "$@" --force-address --address-command \
		"echo \$0 \$* >>'$tmp/moves'; env | grep -v -e ^PWD= -e ^_= \\
		-e ^SHLVL= -e ^OLDPWD= >>'$tmp/moves'"
}
moves() {
	cat "$tmp/moves"
	rm -f "$tmp/moves"
}
for host in n6 n7; do
	echo "on_event = echo \$0 \$* >>$tmp/events; env >>$tmp/event.env" \
		>>"$tmp/$host/claviger.conf"
done
event() { # EVENT: it was told
	tries=0
	until grep -qx "claviger $1" "$tmp/events" 2>/dev/null ||
		[ $((tries += 1)) = 600 ]; do
		sleep 0.05
	done
	is "the event $1 is told" grep -qx "claviger $1" "$tmp/events"
}
on n7 designate n7
refuse $? 8 'cannot be asked' 'designate without a daemon'
ready n7
first=$running
ready n6
second=$running
on n7 designate nosuch
expect $? 5 'no server node nosuch' 'designate of nobody'
on n7 designate n5
expect $? 4 'was revoked' 'designate of a revoked node'
on n7 designate n1
expect $? 2 'no role to give up' 'designate of another node'
on n7 designate n7 --address-command true
expect $? 6 'in use on the network' 'an address that another host has'
on n7 designate n7 --force-address --address-command 'exit 3'
expect $? 1 'ended with status 3 (add 127.0.0.9)' 'an address that is not moved'
on n7 status
expect $? 3 'switched off' 'then nobody has the role'
hand n7 designate n7 --json
expect $? 0 '"message": *"n7 is the active server, with epoch' 'designate'
json designate
same 'the address is moved, and nothing else is in its environment' \
	"$(printf 'claviger add 127.0.0.9 127.0.0.9\nPATH=%s' \
		/usr/sbin:/usr/bin:/sbin:/bin)" "$(moves)"
on n7 fetch --check
expect $? 0 'generation' 'it serves'
on n7 designate n7 --address-command 'exit 2'
expect $? 1 'ended with status 2' 'an address that does not come up later'
on n7 fetch --check
expect $? 0 'generation' 'it serves on'
on n7 designate n1 --address-command 'exit 2'
expect $? 0 'ended with status 2, but 127.0.0.9 is down' \
	'an address that is not there is not taken down'
on n6 designate n1
expect $? 6 'in use on the network' \
	'an address that another host has, without a command'
hand n7 designate n7
expect $? 0 'n7 is the active server' 'and the role is taken again'
moves >"$tmp/found"
hand n6 designate n1
expect $? 3 'n7 is active: it renews its lease' 'designate beside a live server'
event 'active n7'
kill -KILL "$first"
wait "$first"
event 'failed n7'
event 'server-away n1'
is 'nothing but these in its environment' test "$(cut -d = -f 1 \
	"$tmp/event.env" | grep -vx -e PWD -e OLDPWD -e _ -e SHLVL | sort -u |
	tr '\n' ' ')" = 'LC_ALL PATH '
sql -c "UPDATE claviger.system SET lease_expires = clock_timestamp()
	+ interval '2 s'" one
hand n6 designate n1
expect $? 0 'claviger designate n7 here and then there' \
	'designate when the old server is dead, and how to undo it'
on n6 designate n1
expect $? 0 'bring the address 127.0.0.9 up' 'designate again, with no command'
moves >"$tmp/found"
event 'server-back n1'
hand n6 designate n7
expect $? 0 'next: claviger designate n7, on n7' 'giving the role up'
event 'inactive n1'
is 'the address is taken down' grep -q '^claviger del 127.0.0.9' "$tmp/moves"
ready n7
hand n7 designate n7
expect $? 0 'n7 is the active server' 'and taking it there at once'
kill "$running" "$second" && wait "$running" "$second"

# What revoked hosts have held is replaced. There is no active server: the next
# one does what is left.
state_of() { # WHAT STATE
	tr -d ' \n' <"$tmp/out" |
		grep -F "\"what\":\"$1\",\"state\":\"$2\"" >/dev/null
}
with n7 node revoke n1 # it is off: nothing waits for it then
expect $? 0 'n1 is revoked' 'node revoke of another one'
with n7 doctor --only generation
expect $? 23 'a revoked host may have keys of generation' 'doctor tells of them'
is 'and of the signing key' grep -q 'may have the system.s signing key' \
	"$tmp/out"
with n7 node revoke n5 --rotate --json
expect $? 8 'cannot be known' 'node revoke --rotate without a backup'
is 'the keys stay in use' state_of master-secret in-use
with n7 node revoke n5 --rotate --backup "$tmp/b/ten.age" \
	--passphrase-file "$tmp/pass" --json
expect $? 30 '"backup": *".*/ten.age"' 'node revoke --rotate'
json 'node revoke'
is 'new keys are made' state_of master-secret under-way
is 'and a certificate' state_of certificate under-way
is 'and a signing key' state_of signing-key replaced
is 'of which is told' grep -q '"system": *"' "$tmp/out"
with n7 generation list
cp "$tmp/out" "$tmp/generations"
with n7 node revoke n5 --rotate --json
expect $? 30 '"state": *"under-way"' 'and again'
with n7 generation list
is 'not another generation' cmp "$tmp/generations" "$tmp/out"
with n7 node revoke n5 --rotate
expect $? 30 'master secret  *being replaced' 'as text'
with n7 doctor --only generation
expect $? 0 'is being replaced' 'doctor tells that as well'
with n7 member revoke m1 --rotate --backup "$tmp/b/eleven.age" \
	--passphrase-file "$tmp/pass"
expect $? 0 'its backup is .*/eleven.age' 'member revoke --rotate'
is 'with new keys' grep -q 'application keys  *being replaced' "$tmp/out"
with n7 member revoke nobody --rotate --backup "$tmp/b/no.age" \
	--passphrase-file "$tmp/pass"
refuse $? 5 'no member nobody' 'member revoke --rotate of a stranger'
gone 'a backup without a member' "$tmp/b/no.age"

# The password of the database login.
dbpass=$tmp/login.pass
renew() {
	with n7 settings database-password --rotate "$@"
}
password_is() { # PASSWORD: the one in force
	env PGPASSWORD="$1" psql -qAtX -h "$tmp/sock" -U login -c 'SELECT 1' one \
		>/dev/null 2>&1
}
in_file() { sed 's/.*://' "$1"; }
with n7 settings database-password
refuse $? 2 'Give --rotate' 'a password of which nothing is wanted'
renew
refuse $? 5 'by a password file' 'renewing no password'
printf '# ours\n*:*:one:other:x\n*:*:*:login:it\\:s\n' >"$dbpass"
chmod 600 "$dbpass" && chown nobody "$dbpass"
echo "database_passfile = $dbpass" >>"$tmp/n7/claviger.conf"
renew
refuse $? 2 'without a password' 'renewing one that nobody asks for'
gone 'a password that is not changed' "$dbpass.next"
sql -c "ALTER ROLE login PASSWORD 'it:s'" postgres
echo 'local all login scram-sha-256
local all all trust' >"$tmp/pg/pg_hba.conf"
sql -c 'SELECT pg_reload_conf()' postgres >/dev/null
for _ in $(seq 100); do
	password_is it || break
done
is 'the password is asked for' password_is it:s
exec 9<"$tmp/n7/claviger.conf" && flock -n 9
renew 9<&-
refuse $? 3 'another command renews' 'two that renew a password at once'
exec 9<&-
gone 'a password that another command renews' "$dbpass.next"
renew --json
expect $? 0 '"state": *"changed"' 'settings database-password'
json 'settings database-password'
is 'the new one is in force' password_is "$(in_file "$dbpass" | tail -n 1)"
is 'for the service alone' test "$(stat -c %U%a "$dbpass")" = nobody600
is 'the former one is kept' grep -Fxq '*:*:*:login:it\:s' "$dbpass.former"
is 'other lines stay' grep -Fxq '*:*:one:other:x' "$dbpass"
gone 'nothing is left' "$dbpass.next"
with n7 settings set port 8393
expect $? 0 'port = 8393' 'a change over the new login'
is 'it is in no log' sh -c "! grep -qF '$(in_file "$dbpass" | tail -n 1)' \
	'$tmp/pg/log' '$tmp/out' '$tmp/err'"
# Killed before PostgreSQL has heard of it, and after.
echo '*:*:*:login:third' >"$dbpass.next"
chmod 600 "$dbpass.next" && chown nobody "$dbpass.next"
renew
expect $? 0 'is in force' 'going on with what was made'
is 'the same one' password_is third
echo '*:*:*:login:fourth' >"$dbpass.next"
chmod 600 "$dbpass.next" && chown nobody "$dbpass.next"
sql -c "ALTER ROLE login PASSWORD 'fourth'" postgres
with n7 settings set port 8394
expect $? 0 'port = 8394' 'a login with the one beside'
renew --json
expect $? 0 '"state": *"taken-up"' 'taking up what is in force'
is 'it is in its place' test "$(in_file "$dbpass")" = fourth
sql -c "ALTER ROLE login PASSWORD 'third'" postgres
with n7 settings set port 8395
expect $? 0 'port = 8395' 'a database of an older day'
sql -c "ALTER ROLE login PASSWORD 'lost'" postgres
renew
refuse $? 8 'authentication failed' 'a password that nobody has'
sql -c "ALTER ROLE login PASSWORD 'fourth'" postgres

on n1 status
expect $? 8 'clavigerd does not run' 'no daemon is left behind'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
