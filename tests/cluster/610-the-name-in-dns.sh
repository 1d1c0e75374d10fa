#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the active node registers the name in DNS"
lab_system
name=mss.lab.example
key=/etc/claviger/dns.key
zones=/root/dns

dns_up() {
	on db bash -ec '
		mkdir -p "$0"
		cd "$0"
		(umask 077 && tsig-keygen lab >lab.key)
		printf "%s\n" "\$TTL 60" "@ SOA ns root 1 600 600 600 60" \
		    "@ NS ns" "ns A 10.78.0.20" >zone
		cat >named.conf <<-END
			include "$0/lab.key";
			options {
				directory "$0";
				listen-on { 10.78.0.20; };
				listen-on-v6 { none; };
				pid-file "$0/pid";
				session-keyfile none;
				recursion no;
				dnssec-validation no;
			};
			controls { };
			zone "lab.example" {
				type primary;
				file "$0/zone";
				update-policy { grant lab name $1 A AAAA; };
			};
		END
		named -n 1 -c "$0/named.conf"' $zones $name
}
dns_down() {
	on db bash -c 'kill $(cat "$0/pid")' $zones
	wait_until 20 dns_gone
}
dns_gone() { ! on db pgrep -x named; }
clean_up() {
	on db rm -r $zones
	for node in n1 n2 n3; do on $node rm -f $key; done
}
record() { on client dig +short +tries=1 +time=2 +tcp @10.78.0.20 $name A; }
record_is() { [ "$(record)" = "$1" ]; }
foreign() { # somebody else sets it by hand
	on db nsupdate -k $zones/lab.key <<-END
		server 10.78.0.20
		update delete $name A
		update add $name 60 A 192.0.2.66
		send
	END
	record_is 192.0.2.66
}
seen() { # WORDS: what the monitor at level 10 has said last
	on n1 cibadmin --query --local --xpath \
	    "//lrm_rsc_op[@operation='monitor' and @interval='3000']" |
	    grep -F -- "$1" >/dev/null
}
names_right() { seen 'rc-code="8"'; }

must "a DNS server is there" dns_up
expect_within 20 "it answers" on client \
    dig +short +tries=1 +time=2 +tcp @10.78.0.20 lab.example SOA
for node in n1 n2 n3; do copy db $zones/lab.key $node $key; done
parameters=("network_name=$name" dns_server=10.78.0.20 "dns_key_file=$key")

step "the resource is told of it"
from=$(promoted)
before=$(epoch)
must "the parameters are set" on n1 pcs resource update $rsc "${parameters[@]}"
expect_within 30 "the name is registered" record_is "$FLOATING"
expect "nothing was restarted" test "$(epoch)" = "$before"
expect "the command says so, on any node" cl n3 cluster dns
expect "by name" grep -F "$name is $FLOATING in DNS" "$LAB_ROOT/$lab/last"

step "somebody else changes it"
must "a monitor at level 10 is added" on n1 pcs resource op add $rsc monitor \
    interval=3s timeout=10s role=Promoted OCF_CHECK_LEVEL=10 id=mss-dns
expect_within 30 "which is content" names_right
must "the name has another address" foreign
expect_within 30 "the monitor says so" seen "192.0.2.66 in DNS, not $FLOATING"
expect "the role stays" serving_on "$from"
refused 23 'in DNS, not' "so does the command" cl n2 cluster dns
expect "it is registered by hand" cl n2 cluster dns --register
expect "DNS has it" record_is "$FLOATING"
expect_within 30 "the monitor is content" names_right

step "the role moves"
to=n2
[ "$from" != n2 ] || to=n3
must "the name has another address" foreign
must "to $to" on n1 crm_resource -r $rsc-clone --move -N $to --promoted
expect_within 30 "$to serves" serving_on $to
expect_within 30 "and has registered the name" record_is "$FLOATING"

step "the DNS server is away"
must "it ends" dns_down
on n1 crm_resource -r $rsc-clone --clear >/dev/null 2>&1
must "back to $from" on n1 crm_resource -r $rsc-clone --move -N "$from" \
    --promoted
expect_within 30 "$from serves" serving_on "$from"
expect "the member obtains the key" fetches
expect_within 30 "the monitor says so" seen 'Connection refused'
refused 8 'Connection refused' "so does the command" \
    cl n1 cluster dns
on n1 crm_resource -r $rsc-clone --clear >/dev/null 2>&1
must "all as before" on n1 pcs resource op delete mss-dns
must "the parameters, too" on n1 pcs resource update $rsc network_name=mss \
    dns_server= dns_key_file=
clean_up
expect_within 30 "in order" all_ready
