# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the tests of the name in DNS, after lib.sh: a real server (BIND) on
# loopback, with its keys and zones under $scratch.
for tool in named tsig-keygen dig nsupdate; do
	command -v "$tool" >/dev/null && continue
	echo "1..0 # SKIP needs $tool (packages bind9, bind9-dnsutils)"
	exit 77
done

key() { # NAME [ALGORITHM]: a key of the server, and its file
	(umask 077 && tsig-keygen -a "${2:-hmac-sha256}" "$1" \
	    >"$scratch/$1.key")
	cat "$scratch/$1.key" >>"$scratch/keys"
}

zone() { # NAME GRANT...
	local zone=$1
	shift
	printf '%s\n' '$TTL 300' \
	    "@ SOA ns.$zone. root.$zone. 1 3600 900 604800 60" \
	    "@ NS ns.example.test." >"$scratch/zones/$zone"
	printf 'zone "%s" { type primary; file "%s/zones/%s";\n' \
	    "$zone" "$scratch" "$zone"
	printf '\tupdate-policy { %s }; };\n' "$*"
}

make_server() { # the keys ddns, strong, old, stranger, narrow; four zones
	mkdir -p "$scratch/zones"
	key ddns && key strong hmac-sha512 && key old hmac-sha1
	key stranger # known, but no right to anything
	key narrow # as the manual page advises
	local all="grant ddns zonesub ANY; grant strong zonesub ANY;
	    grant old zonesub ANY;
	    grant narrow name secrets.example.test A AAAA;"
	{
		cat "$scratch/keys"
		cat <<END
options {
	directory "$scratch/zones";
	pid-file none; session-keyfile none; recursion no;
	listen-on { 127.0.0.1; }; listen-on-v6 { ::1; };
	empty-zones-enable no; dnssec-validation no; notify no;
};
controls { };
END
		zone example.test "$all"
		zone 2.0.192.in-addr.arpa "grant ddns zonesub PTR;"
		zone 8.b.d.0.1.0.0.2.ip6.arpa "grant ddns zonesub PTR;"
		zone 2.100.10.in-addr.arpa "grant stranger zonesub ANY;"
	} >"$scratch/named.conf"
	{
		echo "ns A 127.0.0.1"
		echo "alias CNAME ns"
		echo "many A 192.0.2.97"
		echo "many A 192.0.2.98"
		echo "many AAAA 2001:db8::98"
	} >>"$scratch/zones/example.test"
}

start_server() {
	named -g -n 1 -c "$scratch/named.conf" >"$scratch/named.log" 2>&1 &
	server=$!
	wait_until "[ \"\$(asked example.test SOA)\" != '' ]" 20
}

stop_server() {
	kill "$server" && wait "$server" 2>/dev/null
}

asked() { # NAME TYPE: what the server says, a line each
	dig +short +tries=1 +time=2 +tcp @127.0.0.1 "$1" "$2" 2>/dev/null |
	    grep -v '^;;' | sort
}
is() { # NAME TYPE VALUES
	[ "$(asked "$1" "$2" | paste -sd ' ')" = "$3" ]
}
pointer() { # VALUE [ADDRESS]
	[ "$(dig +short +tcp @127.0.0.1 -x "${2:-$ip}")" = "$1" ]
}
set_record() { # NAME TYPE VALUE: by hand, with another's tool
	printf 'server 127.0.0.1\nupdate delete %s %s\n%s\nsend\n' \
	    "$1" "$2" "${3:+update add $1 60 $2 $3}" |
	    nsupdate -k "$scratch/ddns.key"
}

