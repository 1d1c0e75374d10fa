#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "an administrator of the database against the servers"
lab_system
log_allow 'database|signed list|sealed copy|clavigerd.*(died|killed|ended|lost)'
log_allow 'the address is up, but no server runs|the (front|supervisor) is gone'
active=$(promoted)
standby=n1
[ "$active" != n1 ] || standby=n2

tables="list escrow system manifest data_key secret"
# keep DAY: as it is now. put_back DAY TABLE...
keep() {
	local t day=$1
	sql "DROP SCHEMA IF EXISTS $day CASCADE" >/dev/null 2>&1
	sql "CREATE SCHEMA $day; $(for t in $tables; do
	    echo "CREATE TABLE $day.$t AS TABLE claviger.$t;"
	    done)" >/dev/null
}
put_back() {
	local t day=$1
	shift
	sql "BEGIN; $(for t in "$@"; do
	    echo "DELETE FROM claviger.$t;
	        INSERT INTO claviger.$t SELECT * FROM $day.$t;"
	    done) COMMIT" >/dev/null
}
# said_by_all PATTERN: since the scenario began
said_by_all() {
	local node
	for node in n1 n2 n3; do
		log_lines $node | grep -E "$1" >/dev/null || return 1
	done
}
# reads HOST APP NAME VALUE
reads() { [ "$(on "$1" claviger get "$2" "$3")" = "$4" ]; }
newest="(SELECT max(version) FROM claviger.list)"

step "a member's way to the server"
conf=/etc/claviger/claviger.conf
# walk STEP PATTERN WHAT: doctor --connect stops there
walk() {
	expect_exit 23 "^FOUND   $1 .*($2)" "$3" cl client doctor --connect
	expect "  and is told what to do next" grep -q '^ *next: ' <<<"$said"
}
# in_conf KEY VALUE COMMAND...: with another line in the configuration
in_conf() {
	local key=$1 value=$2
	shift 2
	on client cp -p $conf $conf.kept
	on client sed -i -e "\$a $key = $value" -e "/^$key *=/d" $conf
	"$@"
	on client mv $conf.kept $conf
}
expect "is right" cl client doctor --connect
in_conf network_name nowhere walk name 'does not resolve' "a name that is none"
in_conf network_name db walk connection 'refused' "a name of another host"
in_conf port 8392 walk connection 'refused' "a port that is closed"
in_conf server_thumbprint "$(printf '%064d' 7)" \
    walk connection 'thumbprint' "a pin of another certificate"
in_conf system "$(head -c 32 /dev/zero | base64)" \
    walk answer 'signature' "another system"

step "a list that nobody signed"
keep today
must "is the newest" sql "INSERT INTO claviger.list (version, body)
    SELECT version + 1, set_byte(body, 200, get_byte(body, 200) # 1)
    FROM claviger.list WHERE version = $newest"
expect_within 20 "every node refuses it by name" \
    said_by_all 'signed list from the database: .*signature'
expect "the member is served on" fetches
expect_exit '[1-9][0-9]*' '.' "nothing is put on top of it" \
    cl "$active" app add forged
expect "the nodes have what they had" \
    test "$(cl "$active" app list | grep -c forged)" = 0
must "it is taken away" put_back today list

step "a member that was revoked"
must "the client is revoked" cl "$active" member revoke client
expect_exit '4' 'does not know our certificate' "and gets nothing" fetches
walk answer 'does not know our certificate' "doctor says so"
keep today
must "the list of before stands there as the newest" sql "
    INSERT INTO claviger.list SELECT version + 1, (SELECT body
        FROM claviger.list WHERE version = $newest - 1)
    FROM claviger.list WHERE version = $newest"
daemon_kill "$active" KILL keeper
expect_within 30 "another node serves" promoted_other "$active"
expect_within 20 "at the address" serving
active=$(promoted)
expect_exit '4' 'does not know our certificate' "the client gets nothing all the same" \
    fetches
must "it is taken away" put_back today list
must "the client is enrolled again" member_enrol client "$active"
expect "and obtains the key" fetches

step "a sealed copy of another node, while a standby starts"
expect_within 40 "all in order" all_ready
standby=n1
[ "$active" != n1 ] || standby=n2
number() {
	cl n1 node list --json | python3 -c 'import json, sys
print(next(n["number"] for n in json.load(sys.stdin)["nodes"]
    if n["name"] == sys.argv[1]))' "$1"
}
keep today
must "the active node's is put into its row" sql "UPDATE claviger.escrow SET
    body = (SELECT body FROM today.escrow WHERE node = $(number "$active"))
    WHERE node = $(number $standby)"
for verb in list verify; do
	expect_exit 23 "FOUND +$standby: .*sealed to somebody else" \
	    "escrow $verb names it" cl "$active" escrow $verb
done
expect_exit 23 "ALARM +$standby: " "so does status" cl "$active" status
expect_exit 23 "FOUND +escrow +$standby: " "and doctor" \
    cl "$active" doctor --only escrow
daemon_kill $standby KILL keeper
says_why() {
	grep -q 'sealed copy does not open' <<<"$(on $standby claviger status 2>&1)"
}
expect_within 40 "it opens nothing and says so" says_why
expect_within 20 "and may not be promoted" score_is $standby -INFINITY
expect "the service goes on" fetches
must "its own is back" put_back today escrow
expect_within 60 "all in order" all_ready
expect "each of the three nodes opens its copy now" test "$(
    cl "$active" escrow verify | grep -c 'opened its copy now')" = 3
expect "status ends well again" cl "$active" status

step "yesterday's database"
expect_within 30 "encryption is allowed" encrypt_is True
must "an application" cl "$active" app add shop
expect_within 20 "its host knows of it" sees_app "$active" shop
must "with a secret" put_secret "$active" shop it yesterday
keep yesterday
must "it is changed" eval 'put_secret "$active" shop it today &&
    put_secret "$active" shop it tonight'
must "two changes" eval 'cl "$active" app add of-today &&
    cl "$active" app grant of-today user:games'
keep today
# shellcheck disable=SC2086
must "are undone, with all that was written" put_back yesterday $tables
expect_within 20 "every node knows" \
    said_by_all 'the database is older than its server nodes'
expect_exit 20 'newer state than the database' "nothing is changed in it" \
    cl "$active" app add other
expect_within 20 "nobody encrypts" encrypt_is False
expect "keys are served for reading" fetches
# shellcheck disable=SC2086
must "today's is back" put_back today $tables
expect_within 30 "all in order" all_ready
expect_within 40 "encryption is allowed" encrypt_is True

step "yesterday's database again, and there is no newer one"
active=$(promoted)
# shellcheck disable=SC2086
must "it is put back" put_back yesterday $tables
expect_within 20 "nobody encrypts" encrypt_is False
expect "what is lost is said" grep -q 'application of-today' \
    <<<"$(cl "$active" restore --accept-rollback --dry-run 2>&1)"
expect_exit 4 'not accepted without being asked' "it is asked for" \
    cl "$active" restore --accept-rollback
expect "it is accepted" cl "$active" restore --accept-rollback --yes
expect_within 40 "encryption is allowed" encrypt_is True
expect_within 30 "all in order" all_ready
expect "the member goes on" fetches
for node in n1 n2 n3; do
	expect_within 10 "$node reads what is there" \
	    reads $node shop it yesterday
done
expect "and writes on" put_secret "$active" shop it again
expect "and changes are made" cl "$active" app remove of-today --yes
expect "what was removed is missed no more" cl "$active" status
expect "so that one can go" cl "$(promoted)" app remove shop --yes
sql "DROP SCHEMA yesterday, today CASCADE" >/dev/null 2>&1
