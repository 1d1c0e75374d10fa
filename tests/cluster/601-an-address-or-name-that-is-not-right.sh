#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "init and validate-all find an address in use and a name that is wrong"
lab_fresh --nodes 1 --no-cluster
log_allow 'validate-all'

# try NETWORK-NAME ADDRESS [OPTION...]
try() {
	local name=$1 ip=$2
	shift 2
	cl n1 init --database "$CONNINFO" --database-passfile $PASSFILE \
	    --database-admin "$OWNER_CONNINFO" \
	    --database-admin-passfile $OWNER_PASSFILE \
	    --network-name "$name" --ip "$ip" \
	    --backup $BACKUP --passphrase-file $PASS "$@"
}
nothing_made() {
	on n1 bash -c '
		rc=0
		for f in /etc/claviger/claviger.conf /var/lib/claviger/* '$BACKUP'
		do [ ! -e "$f" ] || { echo "$f is there"; rc=1; }; done
		exit $rc' &&
	    test -z "$(sql "SELECT 1 FROM pg_namespace WHERE nspname = 'claviger'")"
}
validate() { # AGENT IP: at level 10
	on n1 env OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=x \
	    OCF_CHECK_LEVEL=10 OCF_RESKEY_ip="$2" \
	    "/usr/lib/ocf/resource.d/claviger/$1" validate-all
}
passphrase n1

step "another host has the address"
on client ip addr add "$FLOATING/24" dev eth0
on client ip addr add fd78::100/64 dev eth0 nodad
refused 6 'in use on the network' "init is refused" try mss "$FLOATING"
refused 6 'in use on the network' "with IPv6, too" try mss6 fd78::100
expect_exit 1 'in use on the network' "validate-all, level 10" \
    validate network-name "$FLOATING"
expect_exit 1 'in use on the network' "with IPv6, too" \
    validate network-name fd78::100
step "it drops pings"
on client nft -f - <<-END
	table inet quiet {
		chain in {
			type filter hook input priority 0;
			icmp type echo-request drop
			icmpv6 type echo-request drop
		}
	}
END
refused 6 'in use on the network' "init is refused" try mss "$FLOATING"
refused 6 'in use on the network' "with IPv6, too" try mss6 fd78::100
on client nft delete table inet quiet
on client ip addr del "$FLOATING/24" dev eth0
on client ip addr del fd78::100/64 dev eth0
expect_exit 0 '' "free again: validate-all" validate network-name "$FLOATING"
expect_exit 5 'claviger init or claviger join' "master-secret without a system" \
    validate master-secret "$FLOATING"

step "the name"
refused 5 'does not resolve' "one that does not resolve" \
    try no-such-name "$FLOATING"
refused 19 'resolves to .*10.78.0.20.*, not to' "one of another host" \
    try db "$FLOATING"
refused 2 'not a host name' "one that is none" try 'm ss' "$FLOATING"
refused 2 'not an address that can float' "an address of many" \
    try mss 224.0.0.1
refused 6 'up on this host' "an address of this host" try n1 10.78.0.11

step "a database that cannot be reached, or lets nobody in"
refused 8 'database cannot be used' "a host that does not exist" \
    cl n1 init --database "${CONNINFO/host=db/host=nowhere}" \
    --network-name mss --ip "$FLOATING" --backup $BACKUP --passphrase-file $PASS
refused 8 'database cannot be used' "no password" \
    cl n1 init --database "$CONNINFO" \
    --network-name mss --ip "$FLOATING" --backup $BACKUP --passphrase-file $PASS
refused 8 'database cannot be used' "a certificate of another authority" \
    cl n1 init \
    --database "${CONNINFO/db-ca.crt/..\/ssl\/certs\/none.crt}" \
    --database-passfile $PASSFILE \
    --network-name mss --ip "$FLOATING" --backup $BACKUP --passphrase-file $PASS
refused 2 'verify-full' "a connection that is not verified" \
    cl n1 init --database "${CONNINFO/verify-full/require}" \
    --network-name mss --ip "$FLOATING" --backup $BACKUP --passphrase-file $PASS
expect "nothing was made by any of it" nothing_made

step "all is right"
expect "init creates the system" try mss "$FLOATING"
expect_exit 0 '' "master-secret, validate-all" validate master-secret "$FLOATING"
on client ip addr add "$FLOATING/24" dev eth0
expect_exit 1 'in use on the network' "and when another host has it" \
    validate master-secret "$FLOATING"
