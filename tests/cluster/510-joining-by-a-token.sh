#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "hosts join by tokens"
lab_system
log_allow 'pacemaker|stonith|fence|attrd|database|score|asks to join'

# Several hosts on one machine: at MACHINE the host NAME.
at() {
	local machine=$1 name=$2 verb=$3
	shift 3
	on "$machine" claviger --config "/etc/claviger-$name.conf" "$verb" "$@"
}
host_is_new() { # MACHINE NAME
	on "$1" rm -rf "/var/lib/claviger-$2"
	printf '%s\n' "state_dir = /var/lib/claviger-$2" \
	    "run_dir = /run/claviger-$2" 'cluster = no' |
	    on "$1" install -m 644 /dev/stdin "/etc/claviger-$2.conf"
}
token_for() { # NAME NODE OPTION...
	local name=$1 node=$2
	shift 2
	on "$node" claviger member token --name "$name" "$@" 2>/dev/null
}
joins() { at "$1" "$2" join - <<<"$3"; }

must "a host" host_is_new client web1
must "another one" host_is_new db web1
must "and a third" host_is_new client web2
active=$(promoted)
standby=n1
[ "$active" != n1 ] || standby=n2

step "two tokens, made on a standby"
second=$(token_for web2 $standby --scope all)
token=$(token_for web1 $standby --scope all --ttl 10m)
canary_note "${token:20:40}" # of the seed
expect "each is one line" grep -qxE 'claviger-token1[a-z0-9]+' <<<"$token"
expect "both are listed" test \
    "$(on n3 claviger member list | grep -c '^web[12] ')" = 2

step "the host joins"
refused 2 'is a secret, and no argument' "not by an argument" \
    at client web1 join "$token"
refused 12 'damaged' "not by half a token" \
    joins client web1 "${token:0:60}"
expect "it joins" joins client web1 "$token"
expect "it obtains a key" at client web1 fetch --check
expect "it is a member, on every node" member_is n3 web1 '(live|away)' '.*'
refuted=$(on n3 claviger member token --list | grep -c '^web1 ')
expect "and its token is gone" test "$refuted" = 0
expect "the same once more does no harm" joins client web1 "$token"
step "another host has stolen the token"
refused 4 'this join token was used or withdrawn, or has expired' \
    "it is refused by name" joins db web1 "$token"
refute "and keeps nothing of it" on db test -e /var/lib/claviger-web1/identity

step "a failover"
lab power-off "$active"
expect_within 40 "a standby serves" serving
expect_within 20 "it may be written to" \
    on "$(promoted)" claviger settings set port 8391
expect "web2 joins by the token that was made before" \
    joins client web2 "$second"
expect "and obtains a key" at client web2 fetch --check
refused 4 'admits nobody to join' "with no token left nobody is let in" \
    joins db web1 "$token"
lab power-on "$active"
expect_within 60 "all in order" all_ready
for name in web1 web2; do
	expect "$name is cut off" cl "$(promoted)" member revoke $name
done
refute "from then on" at client web1 fetch --check
