#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the network name's certificate is changed while a member works"
lab_system
log_allow 'clavigerd.*(died|killed|ended|signal|lost)'
log_allow 'the address is up, but no server runs|the (front|supervisor) is gone'
log_allow 'pacemaker|attrd|database|score|no answer in time|does not answer'
log_allow 'the server there has thumbprint|the server cannot be reached'
must "the client runs the daemon" member_daemon client
active=$(promoted)
standby=$(printf '%s\n' n1 n2 n3 | grep -v "$active" | tail -n 1)
cl "$active" app show certs >/dev/null ||
    must "an application" cl "$active" app add certs --users nobody
expect_within 15 "the member knows of it" sees_app client certs
secret=$(secret_new)
canary_note "$secret"
must "it has a secret" put_secret client certs token "$secret"
# Twice the interval, and the former certificate is refused: of those who come
# after the one that serves now.
was=$(daemon_pid "$standby" keeper)
for node in n1 n2 n3; do
	on $node sed -i -e '$a refresh_interval = 2' -e '/^refresh_interval/d' \
	    /etc/claviger/claviger.conf
	[ $node = "$active" ] || daemon_kill $node KILL keeper
done
is_again() { ! [[ $(daemon_pid "$standby" keeper) =~ ^($was|)$ ]] && all_ready; }
expect_within 30 "the standbys are there again" is_again
on client sed -i -e '$a refresh_interval = 2' -e '/^refresh_interval/d' \
    /etc/claviger/claviger.conf
must "the member restarts" member_restart client
expect_within 20 "and is fresh" member_fresh client

# worker NAME COMMAND: again and again; what fails is written down, and apart
# from that what is refused because the server is away (status 8).
worker() {
	on client sh -c "rm -f /tmp/$1.*; while ! [ -e /tmp/$1.stop ]; do
	    if ($2) >/tmp/$1.out 2>&1; then echo >>/tmp/$1.done
	    elif [ \$? = 8 ]; then cat /tmp/$1.out >>/tmp/$1.away
	    else cat /tmp/$1.out >>/tmp/$1.bad; fi; done" </dev/null >/dev/null 2>&1 &
}
worker fetch 'claviger fetch --check'
worker get "test \$(claviger get certs token) = '$secret'"
worker put 'date | claviger put certs clock'
none() {
	local f
	for f in "$@"; do
		if on client test -s "/tmp/$f"; then
			on client tail -n 3 "/tmp/$f" >&2
			return 1
		fi
	done
}
worked() { [ "$(on client cat "/tmp/$1.done" | wc -l)" -gt "$2" ]; }
served() {
	on client openssl s_client -connect "$FLOATING:8391" </dev/null 2>/dev/null |
	    openssl x509 -noout -fingerprint -sha256 |
	    sed 's/.*=//; s/://g' | tr A-F a-f
}
is_served() { [ "$(served)" = "$1" ]; }
is_alone() { [ "$(server_thumbprint '' "$1")" = "$2" ] &&
	[ -z "$(server_thumbprint _former "$1")" ]; }
shows() { grep -q "$2" <<<"$(cl "$1" cert show)"; }
# Three more than there were, soon.
# own_thumbprint HOST [_next]: of its own certificate, in the signed list.
own_thumbprint() {
	cl "$active" member list --json | python3 -c 'import json, sys
print([m for m in json.load(sys.stdin)["members"]
    if m["name"] == sys.argv[1]][0].get(sys.argv[2], ""))' "$1" \
	    "${2-}thumbprint"
}
own_is() { [ "$(own_thumbprint client)" = "$1" ] &&
	[ -z "$(own_thumbprint client next_)" ]; }
own_file() {
	on client openssl x509 -in /var/lib/claviger/tls.crt -noout \
	    -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f
}
more_done() {
	local n
	n=$(on client cat "/tmp/$1.done" | wc -l)
	wait_until 20 worked "$1" $((n + 3))
}

first=$(server_thumbprint)
expect "the first one is served" is_served "$first"
expect_within 20 "the member is at work" worked fetch 3

step "a change whose active node loses its keeper in its midst"
# It is live for some seconds yet, and does not learn of the next one.
must "a standby stands still" daemon_kill "$standby" STOP keeper
cl "$active" cert rotate --server --json >"$LAB_ROOT/$lab/rotation" 2>&1 &
rotation=$!
expect_within 10 "it is waited for" shows "$active" "not yet to.*$standby"
must "the active keeper is killed" daemon_kill "$active" KILL keeper
must "the standby goes on" daemon_kill "$standby" CONT keeper
wait "$rotation"
expect "the command has waited for the new one" test $? = 0
expect "and says that it is in force" \
    grep -q '"in_force": *true' "$LAB_ROOT/$lab/rotation"
# Perhaps the same one: the standbys have failed a short while ago, too.
expect_within 40 "a node serves" serving
active=$(promoted)
second=$(server_thumbprint '' "$active")
refute "it is another one" test "$second" = "$first"
expect_within 5 "and is served" is_served "$second"
expect_within 60 "all in order" all_ready
expect_within 25 "the former one is refused soon" is_alone "$active" "$second"
expect "the member is at work" more_done put
expect "nothing has failed but what a failover refuses" \
    none fetch.bad get.bad put.bad get.away

step "one with everything in order"
on client rm -f /tmp/fetch.away /tmp/put.away
must "cert rotate returns when the new one is in force" \
    cl "$active" cert rotate --server
third=$(server_thumbprint '' "$active")
refute "it is another one" test "$third" = "$second"
expect_within 5 "and is served" is_served "$third"
expect_within 25 "the former one is refused soon" is_alone "$active" "$third"
expect "the member is at work" more_done fetch

step "the member changes its own"
mine=$(own_thumbprint client)
expect "the list has the one that it uses" test "$mine" = "$(own_file)"
must "cert rotate --member" cl client cert rotate --member
other=$(own_file)
refute "it is another one" test "$other" = "$mine"
expect "the member is at work" more_done fetch
expect_within 25 "the former one is refused soon" own_is "$other"
expect "the member is at work" more_done put

step "a server node has it change its own"
must "cert rotate --member NAME, on a standby" \
	cl "$standby" cert rotate --member client
third_own=$(own_file)
refute "it is another one" test "$third_own" = "$other"
expect "the member is at work" more_done put
on client touch /tmp/fetch.stop /tmp/get.stop /tmp/put.stop
expect "not one request has failed" \
    none fetch.bad get.bad put.bad fetch.away get.away put.away

step "a member that was away knows what is the matter"
on client sh -c "sed 's/^server_thumbprint.*/server_thumbprint = $second/' \
    /etc/claviger/claviger.conf >/root/old.conf"
refused '[1-9][0-9]*' "the server there has thumbprint $third, not $second" \
    "it names both" on client claviger --config /root/old.conf fetch --check
expect "and the line to mend" grep -q "'server_thumbprint ='" <<<"$said"
must "the member restarts, with the first one in its configuration" \
    member_restart client
expect_within 20 "and knows the server" member_fresh client

step "the key is in wrong hands"
active=$(promoted)
expect_exit 4 'these hosts cut off: nobody' "not without being asked to" \
    cl "$active" cert rotate --server --now
must "it is replaced at once" cl "$active" cert rotate --server --now --yes
fourth=$(server_thumbprint '' "$active")
expect "the former one is refused" is_alone "$active" "$fourth"
expect_within 10 "another one is served" is_served "$fourth"
expect_within 10 "the member knows it" fetches
expect_within 20 "all in order" all_ready

step "the member's key is in wrong hands"
on client cp -p /var/lib/claviger/tls.crt /var/lib/claviger/tls.key /root/
expect_exit 4 'refused at once' "not without being asked to" \
    cl client cert rotate --member --now
must "it is replaced at once" cl client cert rotate --member --now --yes
expect "the list has the new one alone" own_is "$(own_file)"
expect "the member is as fresh as before" member_fresh client
is_refused() {
	on client sh -c "sleep 2 | openssl s_client -connect $FLOATING:8391 \
	    -cert $1/tls.crt -key $1/tls.key 2>&1; true" | grep -i alert
}
refute "whoever has the new key is let in" is_refused /var/lib/claviger
expect "whoever has the former key is not" is_refused /root
on client rm /root/tls.crt /root/tls.key
other=$(own_file)
must "a server node has it replaced" \
	cl "$active" cert rotate --member client --now --yes
changed() { [ "$(own_file)" != "$other" ]; }
expect_within 20 "it is another one" changed
expect_within 20 "the list has it alone" own_is "$(own_file)"
step "a server node changes its own"
must "cert rotate --member there" cl "$active" cert rotate --member
expect_within 20 "all in order" all_ready
