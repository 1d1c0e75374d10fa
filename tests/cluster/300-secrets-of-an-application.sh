#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "an application's secrets, on nodes and on a member host"
lab_system
log_allow 'database|pacemaker|score|changed from outside|older than what was seen'
log_allow 'went another way|another change'
active=$(promoted)
must "the client runs the daemon, with its own access to the database" \
    member_daemon client

step "an application, and who may use it"
expect "it is made" cl "$active" app add shop --users nobody,group:games
expect "and known at once where it is used" cl client list shop
expect "and on the node that made it" cl "$active" list shop
expect "and shown" cl n2 app show shop
expect_exit 6 'already' "not twice" cl "$active" app add shop
for node in n1 n2 n3; do
	expect_within 15 "the member lives, and has its keys, says $node" \
	    member_is "$node" client live 1
done

step "what each host measures"
# of HOST [NAME...]: as claviger(1) says, but for these names
metrics_of() {
	cl "$1" metrics | "$tests/metrics-check" "$tests/../man/claviger.1" \
	    "${@:2}"
}
measures() { grep -qE "^claviger_$2\$" <<<"$(cl "$1" metrics)"; }
one_is_active() {
	[ "$(for node in n1 n2 n3; do cl $node metrics; done |
	    grep -c '^claviger_active 1$')" = 1 ]
}
expect "the active node: all there is" metrics_of "$active"
expect "it may encrypt" measures "$active" 'encryption_allowed 1'
expect "it is the one" one_is_active
for node in n1 n2 n3; do
	expect "$node is ready and quorate" measures $node 'quorate 1'
	expect "and its keys are fresh" \
	    measures $node 'member_state{state="fresh"} 1'
	expect "the server's certificate is good for years" measures $node \
	    'certificate_left_seconds.party="network-name",name="mss". [23].{8}'
done
# shellcheck disable=SC2046
expect "a member: no server's" metrics_of client $(sed -n \
    '/^On a server node, of/,/^On any host/s/^\.It Va claviger_//p' \
    "$tests/../man/claviger.1")
expect "whose keys are fresh" measures client 'member_state{state="fresh"} 1'

secret=$(secret_new)
expect "root stores a secret on the member" \
    put_secret client shop db/password "$secret"
expect "every node reads it" same_on_all shop db/password "$secret"
expect "so does one of its users" as_user nobody client shop db/password
expect "and one by his group" as_user games client shop db/password
expect_exit 4 'may not' "nobody else" \
    on client setpriv --reuid man --regid man --clear-groups \
    claviger get shop db/password
expect "its user stores one" eval 'echo -n x |
    on client setpriv --reuid nobody --regid nogroup --clear-groups \
    claviger put shop of/nobody'
expect "a grant is taken back" cl "$active" app revoke shop group:games
expect_within 15 "at once, on the member too" refused_to games client

step "a mapping of Enterprise Single Sign-On, with its password"
mapped=$(secret_new)
on "$active" sh -c 'umask 077; cat >/root/mapping.xml' <<-END
	<SSO><mapping><windowsDomain>DOM</windowsDomain>
	<windowsUserId>BIN</windowsUserId>
	<externalApplication>shop</externalApplication>
	<externalUserId>SHOPBIN</externalUserId>
	<externalPassword>$mapped</externalPassword></mapping></SSO>
END
reads_mapped() {
	[ "$(as_user bin client shop mapping/SHOPBIN)" = "$mapped" ]
}
expect "it is imported" cl "$active" import /root/mapping.xml --yes
on "$active" rm /root/mapping.xml
expect_within 15 "the mapped user reads it on the member" reads_mapped
expect "his right is taken back" cl "$active" app revoke shop user:bin
expect "and it is deleted" cl "$active" delete shop mapping/SHOPBIN

step "unknown names"
expect_exit 5 'no application' "an unknown application" cl client get none x
expect_exit 5 'no secret' "an unknown secret" cl client get shop none

step "versions"
second=$(secret_new)
expect "a new version on another node" put_secret n3 shop db/password "$second"
expect "everybody reads that" same_on_all shop db/password "$second"
expect "the older one is there" test \
    "$(on client claviger get shop db/password --version 1)" = "$secret"
expect "and in the history" eval 'cl client history shop db/password --json |
    python3 -c "import json, sys
v = json.load(sys.stdin)[\"versions\"]
sys.exit([x[\"version\"] for x in v] != [2, 1] or not v[0][\"current\"])"'
expect "deleted" cl n2 delete shop of/nobody
expect_exit 5 'no secret' "gone on the member" cl client get shop of/nobody

step "data of any size, and a command with secrets"
on client sh -c 'head -c 300000 /dev/urandom >/root/plain'
expect "sealed" cl client encrypt shop /root/plain --context a \
    --output /root/sealed
expect "opened on another node" eval 'copy client /root/sealed n2 &&
    cl n2 decrypt shop /root/sealed --context a --output /root/opened &&
    test "$(on n2 sha256sum </dev/null /root/opened | cut -c1-64)" = \
    "$(on client sha256sum /root/plain | cut -c1-64)"'
expect_exit 12 'context' "not with another context" \
    cl client decrypt shop /root/sealed --context b --output /root/no
expect_exit '16|12' '.' "not when it is cut short" eval \
    'on client sh -c "head -c 200000 /root/sealed >/root/cut" &&
    cl client decrypt shop /root/cut --context a --output /root/no'
refute "and nothing is left of it" on client test -e /root/no
expect "behind a descriptor" test \
    "$(on client claviger run shop --fd 7=db/password -- sh -c 'cat <&7')" = \
    "$second"
expect "behind two, of numbers that the command uses itself" test "$(on client \
    claviger run shop --fd 3=db/password,4=db/password -- \
    sh -c 'cat <&3; cat <&4')" = "$second$second"
expect "as a file that nobody else sees" test "$(on client claviger run shop \
    --files db/password -- sh -c "cat \$CLAVIGER_SECRETS/db/password; \
    nsenter -t 1 -m ls -A /run/claviger/secrets")" = "$second"

step "systemd asks for a credential"
expect "a unit is let in" cl "$active" app grant shop unit:shop.service
expect_within 15 "it gets its secret by name" credential_is shop.service token
refute "another unit gets nothing" credential_is other.service token

step "a program with the library"
must "it is made on the member" on client sh -c 'cc -Wall -Wextra -Werror \
    -o /root/example /usr/share/doc/claviger/examples/client-example.c \
    $(pkg-config --cflags --libs claviger)'
third=$(secret_new)
expect "it stores, reads, encrypts and decrypts" test \
    "$(printf %s "$third" | on client /root/example shop of/example \
    2>/dev/null)" = "$third"
expect "its value is there for others" \
    same_on_all shop of/example "$third"
expect_exit 1 'may not' "only in an application that it may use" eval \
    'echo x | on client setpriv --reuid man --regid man --clear-groups \
    /root/example shop of/example'
on client sh -c 'sleep 1234 | /root/example >/root/states 2>&1 &'
told() { on client tail -n 1 /root/states | grep "^$1, generation 1" >/dev/null; }
expect_within 10 "it watches the state" told fresh
on n1 crm_resource -r "$rsc-clone" --meta -p target-role -v Stopped
expect_within 60 "it is told that the server is away" told away
expect "and what that means" on client grep -q 'reading only' /root/states
expect_exit 1 'cannot be reached since' "nothing is stored" \
    eval 'echo x | on client /root/example shop of/example'
on n1 crm_resource -r "$rsc-clone" --meta -p target-role -v Started
expect_within 60 "and that it is back" told fresh
expect_within 40 "the service runs" all_ready
must "the member is restarted" member_restart client
expect_within 30 "it has subscribed again" \
    eval 'test "$(on client grep -c ^fresh /root/states)" -ge 3'
on client pkill -x -f "sleep 1234|/root/example"

step "a hostile database administrator"
for host in client n1 n2 n3; do
	expect_within 20 "doctor on $host finds nothing wrong" cl $host doctor
done
sql "CREATE SCHEMA kept; CREATE TABLE kept.secret AS TABLE claviger.secret;
    CREATE TABLE kept.manifest AS TABLE claviger.manifest" >/dev/null
put_back() {
	sql "TRUNCATE claviger.secret;
	    INSERT INTO claviger.secret SELECT * FROM kept.secret" >/dev/null
}
# doctor_finds WHAT: on every host, before anybody reads
doctor_finds() {
	local host
	for host in client n1 n2 n3; do
		expect_exit 23 'FOUND +applications +shop.*db/password' \
		    "$1: doctor on $host names it" \
		    cl $host doctor --only applications
	done
}
tampered() {
	local host
	doctor_finds "$1"
	for host in client n1 n2 n3; do
		expect_exit '12|20' 'changed from outside|older than' \
		    "$1: found on $host" cl $host get shop db/password
	done
	put_back
	expect "put back, all is well" same_on_all shop db/password "$second"
}
must "another secret" put_secret client shop other "$(secret_new)"
sql "TRUNCATE kept.secret; INSERT INTO kept.secret TABLE claviger.secret;
    TRUNCATE kept.manifest; INSERT INTO kept.manifest TABLE claviger.manifest"
expect "all know it" same_on_all shop db/password "$second"
sql "UPDATE claviger.secret s SET record = k.record, hash = k.hash
    FROM kept.secret k WHERE k.name = 'other' AND s.name = 'db/password'
    AND s.version = 2"
tampered "a record of another name"
sql "DELETE FROM claviger.secret WHERE name = 'db/password' AND version = 2"
tampered "an older version put in its place"
sql "DELETE FROM claviger.secret WHERE name = 'db/password'"
tampered "a row taken away"
sql "UPDATE claviger.secret SET record = set_byte(record, 90,
    get_byte(record, 90) # 1) WHERE name = 'db/password' AND version = 2"
tampered "one bit of a record"
step "the database goes back to an earlier day"
must "more is written" put_secret client shop db/password "$(secret_new)"
put_back
sql "TRUNCATE claviger.manifest;
    INSERT INTO claviger.manifest TABLE kept.manifest"
expect_exit 23 'FOUND +applications +shop:.*restored to an earlier' \
    "doctor says so" cl client doctor --only applications
expect_exit 20 'older than what was seen' "who wrote knows that it did" \
    cl client get shop db/password
expect_exit 20 'older than what was seen' "and writes nothing to it" \
    eval 'echo x | on client claviger put shop db/password'
other=n3
[ "$active" != n3 ] || other=n2
for more in 1 2 3; do
	must "whoever did not see it writes on ($more)" \
	    put_secret $other shop db/password "$(secret_new)"
done
must "the member is restarted" member_restart client
went_another_way() {
	local said rc=0
	said=$(on client claviger get shop other 2>&1) || rc=$?
	[ $rc = 20 ] && grep -q 'went another way' <<<"$said"
}
expect_within 30 "whoever did finds that it went another way" went_another_way
expect_exit 20 'went another way' "and writes nothing to it" \
    eval 'echo x | on client claviger put shop db/password'
expect_exit 23 'FOUND +applications +shop:.*then written on' \
    "doctor says so" cl client doctor --only applications
sql "DROP SCHEMA kept CASCADE" >/dev/null
expect_exit 4 '[0-9]+ secrets' "it is not removed without being meant" \
    cl "$active" app remove shop
expect "removed" cl "$active" app remove shop --yes
expect_within 15 "gone on the member" gone_app client shop
canary_note "$secret" "$second" "$third" "$mapped"
