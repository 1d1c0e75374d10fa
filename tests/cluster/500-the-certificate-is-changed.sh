#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the network name's certificate is changed while a member works"
lab_fresh
log_allow 'clavigerd.*(died|killed|ended|signal|lost)'
log_allow 'the address is up, but no server runs|the (front|supervisor) is gone'
log_allow 'pacemaker|attrd|database|score|no answer in time|does not answer'
log_allow 'the server there has thumbprint'
# Twice that, and the former certificate is refused.
system_config='refresh_interval = 5'
system_up
must "the client runs the daemon" member_daemon client
active=$(promoted)
must "an application" cl "$active" app add shop --users nobody
expect_within 15 "the member knows of it" sees_app client shop
secret=$(secret_new)
canary_note "$secret"
must "it has a secret" put_secret client shop token "$secret"

# worker NAME COMMAND: again and again; what fails is written down, and apart
# from that what is refused because the server is away (status 8).
worker() {
	on client sh -c "rm -f /tmp/$1.*; while ! [ -e /tmp/$1.stop ]; do
	    if ($2) >/tmp/$1.out 2>&1; then echo >>/tmp/$1.done
	    elif [ \$? = 8 ]; then cat /tmp/$1.out >>/tmp/$1.away
	    else cat /tmp/$1.out >>/tmp/$1.bad; fi; done" </dev/null >/dev/null 2>&1 &
}
worker fetch 'claviger fetch --check'
worker get "test \$(claviger get shop token) = '$secret'"
worker put 'date | claviger put shop clock'
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
thumbprint_of() {
	cl "${2-n1}" settings show | sed -n "s/^server_thumbprint$1 *= *//p"
}
served() {
	on client openssl s_client -connect "$FLOATING:8391" </dev/null 2>/dev/null |
	    openssl x509 -noout -fingerprint -sha256 |
	    sed 's/.*=//; s/://g' | tr A-F a-f
}
is_served() { [ "$(served)" = "$1" ]; }
is_alone() { [ "$(thumbprint_of '' "$1")" = "$2" ] &&
	[ -z "$(thumbprint_of _former "$1")$(thumbprint_of _next "$1")" ]; }
# changed WHICH: what `cert show` says of the other one
shown() { cl "$1" cert show | grep -q "$2"; }

step "a change with everything in order"
first=$(thumbprint_of '')
expect "the first one is served" is_served "$first"
expect_within 20 "the member is at work" worked fetch 3
must "cert rotate returns when the new one is in force" \
    cl "$active" cert rotate --server
second=$(thumbprint_of '')
refute "it is another one" test "$second" = "$first"
expect_within 5 "and is served" is_served "$second"
expect_within 25 "the former one is refused soon" is_alone n1 "$second"
expect_within 20 "the member is at work" \
    worked fetch "$(($(on client cat /tmp/fetch.done | wc -l) + 3))"
expect "not one request has failed" \
    none fetch.bad get.bad put.bad fetch.away get.away put.away

step "one whose active node loses its keeper in its midst"
standby=$(printf '%s\n' n1 n2 n3 | grep -v "$active" | tail -n 1)
# It is live for some seconds yet, and does not learn of the next one.
must "a standby stands still" daemon_kill "$standby" STOP keeper
cl "$active" cert rotate --server --json >"$LAB_ROOT/$lab/rotation" 2>&1 &
rotation=$!
expect_within 10 "it is waited for" shown "$active" "not yet to.*$standby"
must "the active keeper is killed" daemon_kill "$active" KILL keeper
must "the standby goes on" daemon_kill "$standby" CONT keeper
expect_within 40 "another node serves" promoted_other "$active"
expect "the command has waited for the new one" wait "$rotation"
expect "and says that it is in force" \
    grep -q '"in_force": *true' "$LAB_ROOT/$lab/rotation"
third=$(thumbprint_of '' "$(promoted)")
refute "it is another one" test "$third" = "$second"
expect_within 5 "and is served" is_served "$third"
expect_within 60 "all in order" all_ready
expect_within 25 "the former one is refused soon" \
    is_alone "$(promoted)" "$third"
expect_within 20 "the member is at work" \
    worked put "$(($(on client cat /tmp/put.done | wc -l) + 3))"
on client touch /tmp/fetch.stop /tmp/get.stop /tmp/put.stop
expect "nothing has failed but what a failover refuses" \
    none fetch.bad get.bad put.bad get.away

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
fourth=$(thumbprint_of '' "$active")
expect "the former one is refused" is_alone "$active" "$fourth"
expect_within 10 "another one is served" is_served "$fourth"
expect_within 10 "the member knows it" fetches
expect_within 20 "all in order" all_ready
