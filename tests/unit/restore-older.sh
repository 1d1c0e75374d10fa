#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# claviger restore --older: every copy of the current generation is lost, and
# the system goes on with an older one. As root; skipped otherwise.
address=127.0.0.19
# shellcheck source=tests/unit/rig.sh
. "$(dirname "$0")/rig.sh"

command -v age-keygen >/dev/null || skip "needs age"
age-keygen -o "$tmp/key" 2>/dev/null
chmod 600 "$tmp/key"

active() { # HOST: its daemon runs, and has the role
	start "$1"
	within 20 on "$1" designate "$1" --force-address --address-command true
	expect $? 0 "$1 is the active server" "$1 serves"
}
generation_of() { # HOST NUMBER
	on "$1" fetch --check --json
	grep "\"generation\": *$2\\b" "$tmp/out" >/dev/null
}
daemon_has() { # HOST GENERATION: not by a question of its own
	on "$1" metrics
	grep "^claviger_member_generation.* $2\$" "$tmp/out" >/dev/null
}
good() { # what follows makes no sense else
	[ $failed = 0 ] || { echo "$passed passed, $failed failed" && exit 1; }
}
one() { sql -c "$1" one; }
put() { # HOST APP NAME VALUE
	echo "$4" | with "$1" put "$2" "$3"
}
get_is() { # HOST APP NAME VALUE
	on "$1" get "$2" "$3" && [ "$(cat "$tmp/out")" = "$4" ]
}
under() { # APP: the generations that its keys are under
	one "SELECT string_agg(DISTINCT generation::text, ' ')
		FROM claviger.data_key WHERE app = '$1'"
}
is_under() { [ "$(under "$1")" = "$2" ]; }

# The recovery copy in the database as a file: it costs no passphrase.
copy_to() { # FILE
	one "SELECT encode(substr(body, 26, claviger.u32(body, 21)::int), 'hex')
		FROM claviger.escrow WHERE node = 255" | xxd -r -p >"$1"
}
older() { # HOST COPY ARGUMENTS…
	_h=$1 _c=$2
	shift 2
	with "$_h" restore "$tmp/b/$_c" --identity "$tmp/key" "$@"
}
bare() { # COPY ARGUMENTS…: on n2, which is of no system yet
	_c=$1
	shift
	older n2 "$_c" --system "$system" --node n2 \
		--database "host=$tmp/sock dbname=one user=login" "$@"
}
newest() {
	one "SELECT list_version FROM claviger.hello()"
}
opens() { # FILE GENERATIONS
	age -d -i "$tmp/key" "$1" | sed -n 's/^generation \([0-9]*\) .*/\1/p' |
		tr '\n' ' ' | grep -x "$2 " >/dev/null
}

pin() { # what was restored has a new certificate
	_thumb=$(sed -n 's/.*"server_thumbprint": *"\(.*\)".*/\1/p' "$tmp/out")
	sed -i "s/^server_thumbprint .*/server_thumbprint = $_thumb/" \
		"$tmp/m1/claviger.conf"
	stop m1
	start m1
}

# A system with one server node and a member, and two generations.
database one
host n1
host n2
host m1
new_init n1 one --backup "$tmp/b/init.age" --json
expect $? 0 '"system"' 'init'
system=$(sed -n 's/.*"system": *"\([^"]*\)".*/\1/p' "$tmp/out" | head -n 1)
sql -c "CREATE ROLE reader LOGIN IN ROLE claviger_member" postgres
with n1 recovery recipient "$(age-keygen -y "$tmp/key")"
expect $? 0 . 'a recovery recipient'
copy_to "$tmp/b/1.age"
active n1
on n1 member token --name m1 --scope all
"$claviger" --config "$tmp/m1/claviger.conf" --clavigerd "$daemon" join - \
	--database "host=$tmp/sock dbname=one user=reader" \
	<"$tmp/out" >"$tmp/joined" 2>"$tmp/err"
expect $? 0 '' 'the member joins'
start m1
within 20 generation_of m1 1
on n1 app add before
within 20 put m1 before password first
expect $? 0 . 'a secret of generation 1'
one "CREATE TABLE public.rows AS SELECT * FROM claviger.data_key;
	CREATE TABLE public.certs AS SELECT thumb, body FROM claviger.tls"
on n1 rotate --backup "$tmp/b/2.age" --passphrase-file "$tmp/pass"
expect $? 0 'generation 2' 'a second generation'
on n1 app add after
within 20 put m1 after password second
expect $? 0 . 'a secret of generation 2'
is 'all is under it' within 20 is_under before 2
is 'the member has seen it' within 20 generation_of m1 2
good

# The server is lost before the rewrapping came to one application and to the
# certificate.
stop n1
rm -r "$tmp/n1/state"
one "UPDATE claviger.data_key k SET generation = r.generation,
	wrapped = r.wrapped FROM public.rows r
	WHERE r.app = k.app AND r.version = k.version;
	UPDATE claviger.tls t SET body = c.body FROM public.certs c
	WHERE c.thumb = t.thumb"
one "UPDATE claviger.system SET lease_expires = clock_timestamp()" # at last
keys=$(one "SELECT md5(string_agg(wrapped::text, '' ORDER BY app, version))
	FROM claviger.data_key")
version=$(newest)

bare 1.age
refuse $? 20 'older than the system' 'a copy without the current generation'
is 'the way to insist is said' grep -q -e 'restore --older --dry-run' "$tmp/err"
bare 1.age --backup "$tmp/b/no.age"
refuse $? 2 'goes with --older' '--backup alone'
with n2 restore --accept-rollback --older
refuse $? 2 'is of a database' '--older of a database'
bare 1.age --older
refuse $? 2 'says where its backup goes' '--older without a backup'
bare 1.age --older --backup "$tmp/b/1.age"
refuse $? 6 'is there already' '--older with a backup that is there'
bare 1.age --older --backup "$tmp/b/3.age" </dev/null
expect $? 4 'repeat it with --yes' '--older without being asked'
bare 1.age --older --dry-run
expect $? 0 'nothing was changed' '--older --dry-run'
is 'the generation is said' grep -q '^given up  *generation 2, for ever$' \
	"$tmp/out"
is 'and what is lost' grep -q \
	'^lost  *application after: 2 keys, and with its index all of it$' \
	"$tmp/out"
is 'and no more' sh -c "! grep -q 'application before' '$tmp/out'"
is 'and whoever may have it' grep -q \
	'^not lost, if .*identity of n1 is left, which has opened it on 20' \
	"$tmp/out"
is 'the shares, too' grep -q '^not lost, if .*the shares are left' "$tmp/out"
bare 1.age --older --dry-run --json
expect $? 0 '"whole": *true' '--older --dry-run --json'
json restore generation enrolled replaced reason backup recorded \
	server_thumbprint destroyed nodes members applications accepted epoch
good
nothing_made n2 '--older that was refused'
gone '--older that was refused' "$tmp/b/3.age"
same 'nothing was written' "$version" "$(newest)"

# Typed.
typed() { # WORD
	script -qec "'$claviger' --config '$tmp/n2/claviger.conf' \
		--clavigerd '$daemon' restore '$tmp/b/1.age' \
		--identity '$tmp/key' --system '$system' --node n2 \
		--database 'host=$tmp/sock dbname=one user=login' \
		--older --backup '$tmp/b/3.age'" /dev/null >"$tmp/out" 2>&1 <<-END
	$1
	END
}
typed 1
expect $? 1 'nothing was changed' '--older with another number'
nothing_made n2 '--older that was not confirmed'
typed 2
expect $? 0 'on this node: generation 3' 'restore --older'
good
is 'it is enrolled' grep -q 'n2 is enrolled as server node number 2' "$tmp/out"
is 'the backup opens' opens "$tmp/b/3.age" '1 3'
same 'no key was touched' "$keys" "$(one "SELECT
	md5(string_agg(wrapped::text, '' ORDER BY app, version))
	FROM claviger.data_key")"
with n2 generation list
expect $? 0 '^ *3  *current' 'the new generation is current'
is 'the lost one is destroyed' grep -q '^ *2  *destroyed  *1  *1 ' "$tmp/out"
is 'the older one is retired' grep -q '^ *1  *retired' "$tmp/out"
with n2 node revoke n1
expect $? 0 'n1 is revoked' 'the lost node is revoked'
with n2 escrow list
is 'the backup is recorded' grep -q "b/3.age" "$tmp/out"

good

# The member goes on, and the system with it.
active n2
is 'the member goes on' within 30 generation_of m1 3
is 'and so has its daemon' within 30 daemon_has m1 3
is 'it reads what is left' within 20 get_is m1 before password first
good
within 20 put m1 before password third
expect $? 0 . 'and writes to it'
within 20 get_is m1 after password second
expect $? 0 . 'what a member has open it reads on'
put m1 after password more
expect $? 31 'could not be read later' 'and does not write'
echo x | with m1 encrypt after
expect $? 31 'could not be read later' 'nor encrypt'
is 'it reads all the same' get_is m1 after password second
stop m1
start m1
is 'the member runs again' within 20 generation_of m1 3
within 20 get_is m1 before password third
on m1 get after password
expect $? 31 'under generation 2, which was destroyed' 'what is lost is named'
is 'the rest is rewrapped' within 30 is_under before 3
is 'what is lost is not' is_under after 2
is 'and is no damage to the server' sh -c "! grep -q 'not what the server' \
	'$tmp/n2/daemon.log' '$tmp/m1/daemon.log'"
on n2 doctor --only applications
expect $? 23 'after: index key: .*its key is lost' 'doctor on the server node'
is 'it says that this is for ever' grep -q 'next: it stays lost' "$tmp/out"
is 'and of each record' grep -q 'after: password: .*its key is lost' "$tmp/out"
on m1 doctor --only applications
expect $? 23 'after: index key: .*its key is lost' 'doctor on the member'
on n2 app remove after --yes
expect $? 0 . 'the lost application is removed'
on n2 app add after
within 20 put m1 after password again
expect $? 0 . 'and made anew'
is 'and read' get_is m1 after password again
on m1 doctor --only applications
expect $? 0 . 'all is sound'

# A node that has a newer keyring itself: it is kept. The certificate is lost.
stop n2
copy_to "$tmp/b/3+.age"
one "UPDATE claviger.system SET lease_expires = clock_timestamp()"
older n2 1.age
refuse $? 20 'is current' 'an older copy where a newer one opens'
older n2 1.age --older --dry-run
expect $? 0 'own copy opens: without this command' 'it is said that it does'
older n2 1.age --older --backup "$tmp/b/4.age" --yes --json
expect $? 0 '"generation": *4' 'and insisted on'
json restore dry_run system node_number enrols generations \
	generations_here number current_generation list_version \
	list_version_there replaces destroyed nodes members applications \
	accepted epoch
kept=$(sed -n 's/.*"replaced": *"\(.*\)".*/\1/p' "$tmp/out")
is 'what was here is kept' opens "$kept" '1 3'
is 'the backup has what the copy had' opens "$tmp/b/4.age" '1 4'
pin
active n2
is 'the member goes on by the new certificate' within 30 generation_of m1 4
good

# A database that is older than the node.
stop n2
one "UPDATE claviger.system SET lease_expires = clock_timestamp();
	DELETE FROM claviger.list WHERE version > (SELECT max(version) - 2
		FROM claviger.list)"
older n2 1.age --older --backup "$tmp/b/5.age" --yes --json
expect $? 0 '"generation": *5' 'with a database that is older'
pin
active n2
is 'and the member goes on' within 30 generation_of m1 5
with n2 status --json
is 'nothing is read-only' grep -q '"readonly": *false' "$tmp/out"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
