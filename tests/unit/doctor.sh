#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# claviger doctor against a real PostgreSQL and a real clavigerd: each check
# finds what is broken for it, and nothing else does. As root; skipped
# otherwise. What is wrong with an application's rows check_inspect knows.
set -u
LC_ALL=C
export LC_ALL

claviger=${CLAVIGER:-$PWD/claviger}
clavigerd=${CLAVIGERD:-$PWD/clavigerd}
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

tmp=$(mktemp -d /tmp/claviger-doctor.XXXXXX) || exit 1
chmod 755 "$tmp"
failed=0
passed=0
other=

as_postgres() {
	(cd "$tmp" && runuser -u postgres -- "$@")
}

end_other() {
	[ -n "$other" ] || return 0
	kill "$other" 2>/dev/null
	wait "$other" 2>/dev/null
	other=
}

cleanup() {
	end_other
	[ -f "$tmp/pg/postmaster.pid" ] &&
		as_postgres "$pgbin/pg_ctl" -D "$tmp/pg" -s -m immediate stop
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

mkdir "$tmp/pg" "$tmp/sock" "$tmp/b" "$tmp/n1" "$tmp/n1/run"
chown postgres "$tmp/pg" "$tmp/sock"
as_postgres "$pgbin/initdb" -D "$tmp/pg" -U postgres -A trust -N \
	>"$tmp/initdb.log" 2>&1 || { cat "$tmp/initdb.log"; exit 1; }
pg() { # start or stop
	as_postgres "$pgbin/pg_ctl" -D "$tmp/pg" -s -w -l "$tmp/pg/log" \
		-o "-k $tmp/sock -c listen_addresses= -F" "$@"
}
pg start || exit 1
sql() {
	as_postgres psql -qAtX -v ON_ERROR_STOP=1 -h "$tmp/sock" -U postgres \
		-d "$1" -c "$2"
}
sql postgres "CREATE DATABASE one"
sql postgres "CREATE ROLE login LOGIN"

conf=$tmp/n1/claviger.conf
state=$tmp/n1/state
cat >"$conf" <<END
state_dir = $state
run_dir = $tmp/n1/run
log_file = $tmp/n1/log
user = daemon
front_user = nobody
cluster = no
END
: >"$tmp/n1/log"
printf 'correct horse battery staple\n' >"$tmp/pass"
chmod 600 "$tmp/pass"

cl() {
	"$claviger" --config "$conf" --clavigerd "$clavigerd" "$@" \
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

# finds CHECK PATTERN WHAT: doctor ends with 23, names the check and says how
# to go on; and the check alone says the same.
finds() {
	cl doctor
	_got=$?
	if [ $_got != 23 ]; then
		bad "$3: exit status $_got, not 23"
	elif ! grep -q "^FOUND   $1  *.*$2" "$tmp/out"; then
		bad "$3: $1 does not say '$2'"
	elif ! grep -A 1 "^FOUND   $1 " "$tmp/out" | grep -q 'next: ..'; then
		bad "$3: no next step"
	else
		cl doctor --only "$1"
		if [ $? = 23 ] && ! grep -v "^FOUND   $1 \|^  *next: " \
			"$tmp/out"; then
			ok
		else
			bad "$3: $1 alone"
		fi
	fi
}

# sound WHAT [PATTERN]: all is well again, but for the checks of a PATTERN
sound() {
	cl doctor
	if grep '^FOUND' "$tmp/out" | grep -vq "${2:-^$}"; then
		bad "$1"
	else
		ok
	fi
}

cl doctor
if [ $? = 23 ] && grep -q '^FOUND   config .*no line' "$tmp/out" &&
	grep -q '^skipped escrow\|^skipped database' "$tmp/out"; then
	ok
else
	bad 'a host of no system'
fi

cl init --database "host=$tmp/sock dbname=one user=login" \
	--database-admin "host=$tmp/sock dbname=one user=postgres" \
	--network-name 127.0.0.9 --ip 127.0.0.9 --force-address --node n1 \
	--passphrase-file "$tmp/pass" --backup "$tmp/b/one" ||
	{ bad 'a new system'; exit 1; }

# Without a daemon.

no_daemon='^FOUND   daemon'
finds daemon 'cannot be asked' 'no daemon'
sound 'all else is well' "$no_daemon"
if cl doctor --only 'escrow,back*' && [ "$(grep -c '^ok ' "$tmp/out")" = 2 ]; then
	ok
else
	bad 'two checks alone'
fi
cl doctor --json
if [ $? = 23 ] && "$source/tests/json-keys" "$source/man/claviger.1" doctor \
	<"$tmp/out"; then
	ok
else
	bad 'the JSON is as claviger(1) says'
fi
cl doctor --only nothing
if [ $? = 2 ] && grep -q "no check 'nothing'" "$tmp/err"; then
	ok
else
	bad 'a check that there is not'
fi

cp -p "$conf" "$tmp/conf"
echo 'colour = red' >>"$conf"
finds config 'colour' 'a wrong line in the configuration'
cp -p "$tmp/conf" "$conf"
chmod 666 "$conf"
finds config "$conf" 'a configuration that others may write'
chmod 600 "$conf"

chmod 440 "$state/identity"
finds files 'identity: its mode is 0440' 'a key that a group may read'
chmod 400 "$state/identity"
chown postgres "$state/tls.key"
finds files 'tls.key: it belongs to user' 'a key of somebody else'
chown daemon "$state/tls.key"
mv "$state/tls.crt" "$tmp/tls.crt"
finds files 'tls.crt: No such file' 'a file that is missing'
openssl req -x509 -key "$state/tls.key" -subj /CN=n1 -days 5 \
	>"$state/tls.crt" 2>/dev/null
finds expiry 'the certificate ends in [45] days' 'a certificate that ends soon'
cat >"$tmp/ca.conf" <<END
[ca]
default_ca = own
[own]
database = $tmp/ca.index
serial = $tmp/ca.serial
new_certs_dir = $tmp
default_md = sha256
policy = any
[any]
commonName = supplied
END
: >"$tmp/ca.index"
openssl req -new -key "$state/tls.key" -subj /CN=n1 -out "$tmp/n1.req" \
	2>/dev/null
openssl ca -config "$tmp/ca.conf" -selfsign -batch -notext -create_serial \
	-keyfile "$state/tls.key" -in "$tmp/n1.req" -out "$state/tls.crt" \
	-startdate 21000101000000Z -enddate 21010101000000Z >"$tmp/ca.log" 2>&1 || cat "$tmp/ca.log"
finds expiry 'clock has not reached' 'a clock that is behind'
mv "$tmp/tls.crt" "$state/tls.crt"
chmod 755 "$state"
finds files "$state: its mode is 0755" 'a folder that others may read'
chmod 700 "$state"

mkdir "$tmp/keep"
cp -p "$state/state" "$state/state.bak" "$state/list" "$tmp/keep"
echo x >"$state/state"
sound 'one copy is enough' "$no_daemon"
echo x >"$state/state.bak"
finds seen 'cannot be used' 'both copies damaged'
cp -p "$tmp/keep/"* "$state"

pg stop
finds database 'sock' 'no database'
pg start
sound 'and back' "$no_daemon"
sql one "INSERT INTO claviger.schema_version (version) VALUES (99)"
finds database 'older than the\|newer than this' 'a newer schema'
sql one "DELETE FROM claviger.schema_version WHERE version = 99"
sql one "UPDATE claviger.system SET system_id = decode(repeat('ab', 16), 'hex')
	RETURNING 1" >/dev/null
finds database 'another system' "another system's database"
sql one "UPDATE claviger.system SET system_id = substr(s.body, 6, 16)
	FROM claviger.escrow s"
sound 'and back' "$no_daemon"

# The way to the server, which is not there, or is another's.

# walk CHECK PATTERN WHAT: --connect stops there, and says how to go on
walk() {
	cl doctor --connect
	if [ $? = 23 ] && grep -q "^FOUND   $1  *.*$2" "$tmp/out" &&
		grep -A 1 '^FOUND' "$tmp/out" | grep -q 'next: ..' &&
		[ "$(grep -c '^FOUND' "$tmp/out")" = 1 ]; then
		ok
	else
		bad "$3"
	fi
}
# listens OPTION...: somebody else, where the server should be
listens() {
	: >"$tmp/other.log"
	openssl s_server -accept 127.0.0.9:8391 -cert "$tmp/other.crt" \
		-key "$tmp/other.key" "$@" </dev/zero >"$tmp/other.log" 2>&1 &
	other=$!
	_n=0
	until grep -q '^ACCEPT' "$tmp/other.log" || [ $_n = 100 ]; do
		_n=$((_n + 1))
		sleep 0.1
	done
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/other.key" \
	-subj /CN=other -days 5 >"$tmp/other.crt" 2>/dev/null
walk connection 'Connection refused' 'nobody listens'
if grep -q '^skipped answer' "$tmp/out" && ! grep -q database "$tmp/out"; then
	ok
else
	bad 'nothing but the way, up to there'
fi
cl doctor --connect --json
if [ $? = 23 ] && "$source/tests/json-keys" "$source/man/claviger.1" doctor \
	<"$tmp/out"; then
	ok
else
	bad 'the JSON of the way is as claviger(1) says'
fi
listens -tls1_2
walk connection 'TLS' 'an old TLS'
end_other
listens -tls1_3
walk connection "$(openssl x509 -in "$tmp/other.crt" -outform DER |
	sha256sum | cut -c 1-64)" 'a server that is not pinned'
end_other
cl doctor --only answer
if [ $? = 2 ] && grep -q -- '--connect' "$tmp/err"; then
	ok
else
	bad 'a check of the way, without --connect'
fi

sql one "CREATE TABLE public.kept AS TABLE claviger.list;
	CREATE TABLE public.copy AS TABLE claviger.escrow;
	CREATE TABLE public.cert AS SELECT thumb, body FROM claviger.tls"
sql one "UPDATE claviger.system SET epoch = 1"
finds epoch 'is at epoch 1' 'an epoch of yesterday'
sql one "UPDATE claviger.system SET epoch = 257"

sql one "UPDATE claviger.list SET body = set_byte(body, 30,
	get_byte(body, 30) # 1)"
finds list 'is forged: signature' 'a changed list'
grep -q '^skipped escrow' "$tmp/out" || cl doctor
sql one "UPDATE claviger.list SET body = k.body FROM public.kept k"
sql one "UPDATE claviger.list SET version = 7"
finds list 'version 1 was put in the place of version 7' 'a list renumbered'
sql one "UPDATE claviger.list SET version = 1"
echo x >"$state/list"
finds list 'list cannot be used' 'a damaged list on disk'
cp -p "$tmp/keep/list" "$state/list"
sound 'and back' "$no_daemon"

sql one "UPDATE claviger.escrow SET body = set_byte(body, 100,
	get_byte(body, 100) # 1)"
finds escrow 'n1: this node.s copy does not open: signature' 'a changed copy'
sql one "DELETE FROM claviger.escrow"
finds escrow 'n1: its sealed copy is missing' 'a copy taken away'
sql one "INSERT INTO claviger.escrow SELECT * FROM public.copy"

sql one "UPDATE claviger.tls SET body = set_byte(body, 100,
	get_byte(body, 100) # 1)"
finds certificates 'was changed' "a changed certificate's row"
sql one "DELETE FROM claviger.tls"
finds certificates 'has no row' "a certificate's row taken away"
sql one "INSERT INTO claviger.tls (thumb, body) SELECT * FROM public.cert"
sound 'and back' "$no_daemon"

sql one "CREATE TABLE public.backup AS SELECT generation, body, at
	FROM claviger.backup;
	UPDATE claviger.backup SET body = set_byte(body, 22, 9)"
finds backups 'is forged' 'a forged record of a backup'
sql one "DELETE FROM claviger.backup"
finds backups 'no backup or recovery copy holds generation 1' 'no record of a backup'
sql one "INSERT INTO claviger.backup (generation, body, at)
	SELECT * FROM public.backup"
sound 'and back' "$no_daemon"

# A newer list and generation was seen than the database has.
cl rotate --backup "$tmp/b/two" --passphrase-file "$tmp/pass" ||
	bad 'a rotation'
sound 'after a rotation' "$no_daemon"
sql one "CREATE TABLE public.new AS TABLE claviger.list;
	DELETE FROM claviger.list WHERE version > 1"
[ "$(sql one 'SELECT count(*) FROM claviger.list')" = 1 ] ||
	bad 'the first list is there'
finds version 'restored to an earlier day' 'a list of yesterday'
finds generation '1 is current in the database, and 2 was seen' \
	'a rotation undone'
sql one "INSERT INTO claviger.list SELECT * FROM public.new n
	WHERE n.version > 1"
sql one "DELETE FROM claviger.backup WHERE generation = 2"
finds backups 'no backup or recovery copy holds generation 2' 'an old backup'
sql one "INSERT INTO claviger.backup (generation, body, at) SELECT 2, body,
	at FROM public.backup"
finds backups 'no backup or recovery copy holds generation 2' 'a renumbered backup'
sql one "UPDATE claviger.escrow SET generation = 1, body = c.body
	FROM public.copy c"
finds escrow 'copy is of generation 1' 'a copy of before the rotation'

echo "doctor: $passed passed, $failed failed"
[ "$failed" = 0 ]
