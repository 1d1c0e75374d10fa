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
	$claviger --config "$conf" --clavigerd "$clavigerd" "$@" \
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
finds files 'tls.key: its owner is user' 'a key of somebody else'
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

# Set right: what is ours, and nothing that somebody put in its place.
spoil() {
	chmod 440 "$state/identity"
	chown postgres "$state/tls.key"
	chmod 755 "$state"
	chmod 777 "$tmp/n1/run"
}
modes() {
	stat -c %a:%U "$state/identity" "$state/tls.key" "$state" "$tmp/n1/run" |
		tr '\n' ' '
}
sound 'before it is spoilt' "$no_daemon"
right=$(modes)
spoil
cl doctor --only files
if [ $? = 23 ] && [ "$(grep -c '^FOUND' "$tmp/out")" = 4 ] &&
	[ "$(modes)" != "$right" ]; then
	ok
else
	bad 'nothing is changed unasked'
fi
if cl doctor --only files --fix &&
	[ "$(grep -c '^FIXED   files .* it was set right: its ' "$tmp/out")" = 4 ] &&
	grep -q 'identity: its mode is 0440; .* its mode is 0400' "$tmp/out" &&
	grep -q 'tls.key: its owner is user .* is user daemon$' "$tmp/out" &&
	[ "$(modes)" = "$right" ]; then
	ok
else
	bad "all is set right: $(modes), not $right"
fi
if cl doctor --only files --fix && grep -q '^ok  *files' "$tmp/out"; then
	ok
else
	bad 'once is enough'
fi
spoil
if cl doctor --only files --fix --json && [ "$(modes)" = "$right" ] &&
	[ "$(grep -c '"fixed": *true' "$tmp/out")" = 4 ] &&
	grep -q '"state": *"fixed"' "$tmp/out" &&
	"$source/tests/json-keys" "$source/man/claviger.1" doctor <"$tmp/out"; then
	ok
else
	bad 'the same as JSON'
fi
: >"$tmp/theirs"
chmod 666 "$tmp/theirs"
mv "$state/list" "$tmp/list"
for how in -s ''; do
	ln $how "$tmp/theirs" "$state/list"
	cl doctor --only files --fix
	if [ $? = 23 ] && grep -q '^FOUND .*list: its ' "$tmp/out" &&
		[ "$(stat -c %a "$tmp/theirs")" = 666 ]; then
		ok
	else
		bad "a link ($how) in the place of a file is left alone"
	fi
	rm "$state/list"
done
mv "$tmp/list" "$state/list"

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

# The cluster, as its tools tell of it: here they print what a test has put
# into two files.

bin=$tmp/bin
mkdir "$bin"
cat >"$bin/cibadmin" <<END
#!/bin/sh
cat "$tmp/cib.xml" || exit 102
END
cat >"$bin/corosync-cmapctl" <<END
#!/bin/sh
cat "$tmp/map" || exit 1
END
chmod 755 "$bin"/*
real_path=$PATH
# cib, map SED...: of a sound cluster of two nodes, changed by sed
cib() {
	sed "$@" >"$tmp/cib.xml" <<END
<cib validate-with="pacemaker-3.7" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="o">
<nvpair id="o1" name="stonith-enabled" value="true"/>
<nvpair id="o2" name="priority-fencing-delay" value="3s"/>
</cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources>
<primitive class="stonith" type="fence_x" id="power"><instance_attributes id="p">
<nvpair id="p1" name="pcmk_host_list" value="n1,n2"/>
</instance_attributes></primitive>
<clone id="mss-clone"><meta_attributes id="m">
<nvpair id="m1" name="promotable" value="true"/>
<nvpair id="m2" name="promoted-max" value="1"/>
<nvpair id="m3" name="clone-node-max" value="1"/>
<nvpair id="m4" name="notify" value="false"/>
</meta_attributes>
<primitive class="ocf" provider="claviger" type="master-secret" id="mss">
<instance_attributes id="i">
<nvpair id="i1" name="ip" value="127.0.0.9"/>
<nvpair id="i2" name="network_name" value="127.0.0.9"/>
<nvpair id="i3" name="config" value="$conf"/>
</instance_attributes>
<operations>
<op id="x1" name="start" interval="0s" timeout="30s"/>
<op id="x2" name="promote" interval="0s" timeout="30s"/>
<op id="x3" name="demote" interval="0s" timeout="20s"/>
<op id="x4" name="stop" interval="0s" timeout="30s"/>
<op id="x5" name="monitor" interval="5s" timeout="10s" role="Promoted"/>
<op id="x6" name="monitor" interval="10s" timeout="20s" role="Unpromoted"/>
</operations></primitive></clone>
</resources>
<constraints/>
</configuration><status/></cib>
END
}
map() {
	sed "$@" >"$tmp/map" <<'END'
nodelist.node.0.name (str) = n1
nodelist.node.0.nodeid (u32) = 1
nodelist.node.1.name (str) = n2
nodelist.node.1.nodeid (u32) = 2
quorum.provider (str) = corosync_votequorum
quorum.two_node (u8) = 1
runtime.config.totem.consensus (u32) = 1200
runtime.config.totem.token (u32) = 1000
totem.crypto_cipher (str) = aes256
totem.crypto_hash (str) = sha256
END
}

# In what follows the checks of the cluster alone are run.
# found CHECK PATTERN WHAT: that one, and no other of the cluster
rows='cluster,resource,operations,constraints,fencing,quorum,token,ring'
found() {
	PATH=$bin:$real_path
	cl doctor --only $rows
	_got=$?
	PATH=$real_path
	if [ $_got = 23 ] && grep -q "^FOUND   $1  *.*$2" "$tmp/out" &&
		grep -A 1 "^FOUND   $1 " "$tmp/out" | grep -q 'next: ..' &&
		! grep '^FOUND' "$tmp/out" | grep -v "^FOUND   $1 "; then
		ok
	else
		bad "$3: exit status $_got"
	fi
}
# changed CHECK PATTERN WHAT SED...: a sound cluster, but for that
changed() {
	_check=$1 _pattern=$2 _what=$3
	shift 3
	cib "$@"
	found "$_check" "$_pattern" "$_what"
	cib ''
}
corosync() {
	_check=$1 _pattern=$2 _what=$3
	shift 3
	map "$@"
	found "$_check" "$_pattern" "$_what"
	map ''
}
put() { # the text in the place of the empty constraints
	echo "s|<constraints/>|<constraints>$1</constraints>|"
}
location() { # ID SCORE NODE
	echo "<rsc_location id=\"$1\" rsc=\"mss-clone\" score=\"$2\" node=\"$3\"/>"
}
# all CHECKS STATE N PATTERN WHAT: nothing is found, and N say that
all() {
	PATH=${path-$bin:$real_path}
	cl doctor --only "$1"
	_got=$?
	PATH=$real_path
	if [ $_got = 0 ] && [ "$(grep -c "^$2 .*$4" "$tmp/out")" = "$3" ]; then
		ok
	else
		bad "$5: exit status $_got"
	fi
}

all "$rows" skipped 8 'there is no cluster$' 'no cluster by the configuration'
cl drill failover
if [ $? = 3 ] && grep -q 'there is no cluster' "$tmp/err"; then
	ok
else
	bad 'nor can a failover be tried'
fi
sed -i 's/^cluster = no/cluster = yes/' "$conf"
real=$claviger
claviger=$tmp/hidden
cat >"$claviger" <<END
#!/bin/sh
mount -t tmpfs none /usr/sbin && exec "$real" "\$@"
END
chmod 755 "$claviger"
path=/usr/bin:/bin
if unshare -m true; then
	claviger="unshare -m $claviger"
	all "$rows" skipped 8 'no cluster software' 'a host that is in no cluster'
fi
claviger=$real
unset path
cib ''
map ''
all "$rows" ok 8 '' 'a cluster as it should be'

rm "$tmp/cib.xml"
found cluster 'does not answer' 'Pacemaker does not run'
echo '<cib><configuration>' >"$tmp/cib.xml"
found cluster 'does not answer' 'half a CIB'
cib ''
rm "$tmp/map"
all "$rows" skipped 3 'corosync does not' 'corosync does not run'
map ''

changed cluster 'no resource of this system' 'no resource' s/master-secret/other/
changed cluster 'no resource of this system' "another system's resource" \
	"s|$conf|/etc/other.conf|"
changed cluster 'maintenance mode' 'maintenance' \
	's/name="priority-fencing-delay" value="3s"/name="maintenance-mode" value="true"/; s/n1,n2"/&\/><nvpair id="p2" name="pcmk_delay_base" value="2s"/'
changed cluster 'n2: it is in standby' 'a standby node' \
	's|uname="n2"/>|uname="n2"><instance_attributes id="a"><nvpair id="a1" name="standby" value="on"/></instance_attributes></node>|'
changed cluster 'target-role is Stopped' 'a stopped resource' \
	's|name="promotable"|name="target-role" value="Stopped"/><nvpair id="mx" &|'
changed cluster 'not managed' 'an unmanaged resource' \
	's|name="promotable"|name="is-managed" value="false"/><nvpair id="mx" &|'
changed cluster '2 resources' 'a second resource' \
	"s|^</resources>|<primitive class=\"ocf\" provider=\"claviger\" type=\"master-secret\" id=\"two\"><instance_attributes id=\"ii\"><nvpair id=\"ij\" name=\"config\" value=\"$conf\"/></instance_attributes></primitive>&|"

changed resource 'no promotable clone' 'a primitive' \
	's|<clone |<group |; s|</clone>|</group>|'
changed resource 'promotable is not set' 'a clone' /promotable/d
changed resource 'promotable is false' 'a clone that says so' \
	'/promotable/s/true/false/'
changed resource 'promoted-max is 2' 'two active ones' \
	's/name="promoted-max" value="1"/name="promoted-max" value="2"/'
changed resource 'promoted-max is 2' 'the same by its old name' \
	's/name="promoted-max" value="1"/name="master-max" value="2"/'
changed resource 'clone-node-max is 2' 'two on a node' \
	's/name="clone-node-max" value="1"/name="clone-node-max" value="2"/'
changed resource 'globally-unique is true' 'instances with names' \
	's/name="notify" value="false"/name="globally-unique" value="true"/'
changed resource 'notify is true' 'notifications' \
	's/name="notify" value="false"/name="notify" value="true"/'
changed resource 'clone-max is 1' 'no standby' \
	's/name="notify" value="false"/name="clone-max" value="1"/'
changed resource 'ip is 127.0.0.8' 'another address' \
	's/name="ip" value="127.0.0.9"/name="ip" value="127.0.0.8"/'
changed resource 'network_name is other' 'another name' \
	's/name="network_name" value="127.0.0.9"/name="network_name" value="other"/'

changed operations 'monitor of Promoted: there is none' 'no monitor' '/"x5"/d'
changed operations 'monitor of Unpromoted: there is none' 'one monitor' '/"x6"/d'
changed operations 'monitor of Promoted: there is none' 'one switched off' \
	'/"x5"/s|timeout|enabled="false" timeout|'
changed operations 'promote: its timeout is 5000 ms' 'a short timeout' \
	'/"x2"/s/30s/5s/'
changed operations 'stop: its timeout is 20000 ms' 'a timeout that is not set' \
	'/"x4"/s/timeout="30s"//'
changed operations 'stop: its timeout is 7000 ms' 'the default for all' \
	'/"x4"/s/timeout="30s"//; s|^<constraints/>|&<op_defaults><meta_attributes id="od"><nvpair id="od1" name="timeout" value="7000ms"/></meta_attributes></op_defaults>|'
changed operations 'monitor of Promoted: it is run each 60 s' 'a rare monitor' \
	'/"x5"/s/5s/1min/'
changed operations 'both roles have the interval' 'equal intervals' \
	'/"x5"/s/"5s"/"10s"/'
changed operations 'demote: its on-fail is block' 'a failure that is kept' \
	'/"x3"/s|timeout|on-fail="block" timeout|'
changed operations 'failure-timeout of 10000 ms' 'a failure soon forgotten' \
	's|name="promotable"|name="failure-timeout" value="10"/><nvpair id="mx" &|'

changed constraints 'cli-ban-x: .* n1 does not take over' 'left over from a ban' \
	"$(put "$(location cli-ban-x -INFINITY n1)")"
grep -q 'next: crm_resource --clear --resource mss-clone' "$tmp/out" ||
	bad 'how it is cleared'
changed constraints 'cli-prefer-x: .* goes to n2' 'left over from a move' \
	"$(put "$(location cli-prefer-x INFINITY n2)")"
changed constraints 'far: n1 is a server node' 'a ban' \
	"$(put "$(location far -INFINITY n1)")"
changed constraints 'near: the preference for n2 (100)' 'a strong preference' \
	"$(put "$(location near 100 n2)")"
changed constraints 'far: the preference for n2 (-50)' 'a strong aversion' \
	"$(put "$(location far -50 n2)")"
changed constraints 'some nodes (60)' 'a strong rule' \
	"$(put '<rsc_location id="l" rsc="mss"><rule id="r" role="Promoted" score="60"><expression id="e" attribute="rack" operation="eq" value="1"/></rule></rsc_location>')"
changed constraints 'so has mss' 'the address twice' \
	's|<clone |<primitive class="ocf" provider="heartbeat" type="IPaddr2" id="vip"><instance_attributes id="v"><nvpair id="v1" name="ip" value="127.0.0.9"/></instance_attributes></primitive>&|'
changed constraints 'no resource of the cluster has the address' 'no address' '/"i1"/d'
# A resource of its own for it, in a group.
vip='/"i1"/d; s|<clone |<group id="net"><primitive class="ocf" provider="claviger" type="network-name" id="vip"><instance_attributes id="v"><nvpair id="v1" name="ip" value="127.0.0.9"/></instance_attributes></primitive></group>&|'
with='<rsc_colocation id="c1" rsc="net" with-rsc="mss-clone" with-rsc-role="Promoted" score="INFINITY"/>'
after='<rsc_order id="c2" first="mss-clone" first-action="promote" then="net" then-action="start"/>'
# beside CONSTRAINTS PATTERN WHAT
beside() {
	changed constraints "$2" "$3" -e "$vip" -e "$(put "$1")"
}
beside "$after" 'no colocation' 'an address anywhere'
beside "$(echo "$with" | sed s/INFINITY/100/)$after" 'score of 100' \
	'an address near it'
beside "$(echo "$with" | sed s/Promoted/Started/)$after" 'no colocation' \
	'an address with a standby'
beside "$with" 'no order' 'an address at any time'
beside "$with$(echo "$after" | sed 's/first-action="promote"//')" 'no order' \
	'an address before the promotion'
cib -e "$vip" -e "$(put "$with$after$(location slight 20 n2)")"
all constraints ok 1 'vip follows the role' 'an address of its own'
cib "$(put "$(location remote -INFINITY n9)")"
all constraints ok 1 '' 'a ban of a node that is no server'
cib ''

changed fencing 'switched off' 'no fencing' '/"o1"/s/true/false/'
changed fencing 'there is no fencing device' 'no device' \
	'/class="stonith"/,/^<.instance/d'
changed fencing 'n2: no fencing device' 'a node without one' s/n1,n2/n1/
changed fencing 'fence each other at once' 'a race of two nodes' '/"o2"/d'
corosync quorum 'when one fails the other stops' 'two nodes' /two_node/d
corosync quorum 'without wait_for_all' 'two nodes that do not wait' \
	'1iquorum.wait_for_all (u8) = 0'
corosync quorum 'a single one has quorum' 'three nodes as two' \
	'1inodelist.node.2.nodeid (u32) = 3'
corosync quorum 'nobody can take over' 'one node' /node.1/d
corosync quorum 'counts no votes' 'no quorum' /provider/d
changed quorum 'no-quorum-policy is ignore' 'a split that is ignored' \
	's|^</cluster_property_set>|<nvpair id="o3" name="no-quorum-policy" value="ignore"/>&|'
corosync token 'token: 200 ms' 'a short token' 's/token (u32) = 1000/token (u32) = 200/'
corosync token 'noticed after 21200 ms' 'a long token' s/1000/20000/
corosync token 'consensus: 200 ms is less' 'a short consensus' \
	-e 's/1200/200/; /two_node/d; 1inodelist.node.2.nodeid (u32) = 3'
corosync ring 'crypto_cipher: none' 'what is said can be read' /cipher/d
corosync ring 'crypto_hash: none' 'anybody can join' s/sha256/none/
map '/crypto/d; 1itotem.secauth (str) = on'
all ring ok 1 '' 'what stands for both'
map ''

echo "doctor: $passed passed, $failed failed"
[ "$failed" = 0 ]
