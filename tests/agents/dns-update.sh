#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The name in DNS: dns-update against a real server (BIND) on loopback.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dns-lib.sh"
enter_namespaces "$@"
HELPER=$AGENT_DIR/dns-update
name=secrets.example.test ip=192.0.2.10 ip6=2001:db8::10

# run STATUS SENTENCE VERB OPTION...: later options win.
run() {
	local want=$1 what=$2 verb=$3
	shift 3
	OUT=$("$HELPER" "$verb" -s 127.0.0.1 -k "$scratch/ddns.key" \
	    -n $name -a $ip -w 5 "$@" 2>&1 </dev/null)
	rc=$?
	reason=$OUT
	if [ $rc = "$want" ]; then pass "$what"; else
		fail "$what"
		echo "# $verb $* gave $rc, not $want; said: $OUT"
	fi
}

make_server
ok "the server is there" start_server

echo "# a name and its address"
run 1 "nothing is there yet" check
says "is nothing in DNS, not $ip"
run 0 "the zone is found and the key is known" validate
run 0 "it is registered" register
says "$name is $ip in DNS"
ok "the server says so" is $name A $ip
ok "for as long as it was told to" [ "$(dig +tcp +noall +answer \
    @127.0.0.1 $name A | awk '{ print $2 }')" = 60 ]
ok "and the other way" pointer $name.
run 0 "a check finds it" check
run 0 "once more, which changes nothing" register -t 60
serial=$(asked example.test SOA | cut -d' ' -f3)
run 0 "and again" register
ok "not even the serial number" [ \
    "$(asked example.test SOA | cut -d' ' -f3)" = "$serial" ]
run 0 "with another time to live" register -t 30
ok "which the server has" [ "$(dig +tcp +noall +answer \
    @127.0.0.1 $name A | awk '{ print $2 }')" = 30 ]
run 0 "in large letters" check -n SECRETS.Example.TEST.
set_record $name A 192.0.2.66
run 1 "a foreign value is noticed" check
says "is 192.0.2.66 in DNS, not $ip"
run 0 "and replaced" register
ok "by ours alone" is $name A $ip
run 1 "two addresses are not one" check -n many.example.test -a 192.0.2.98
says "192.0.2.97"
says "in DNS, not 192.0.2.98"
run 0 "they are replaced too" register -n many.example.test -a 192.0.2.98
ok "by one" is many.example.test A 192.0.2.98
ok "the other kind of address stays" is many.example.test AAAA 2001:db8::98

echo "# IPv6"
run 0 "it is registered, of a server with IPv6" register -a $ip6 -s ::1
ok "the server says so" is $name AAAA $ip6
ok "the IPv4 address stays" is $name A $ip
ok "and the other way" pointer $name. $ip6
run 0 "a check finds it" check -a 2001:0DB8:0::10 -s '[::1]:53'
set_record $name AAAA 2001:db8::66
run 1 "a foreign value is noticed" check -a $ip6
says "is 2001:db8::66 in DNS, not $ip6"

echo "# the way back is for people"
run 0 "no zone for it is no failure" register -n a.example.test -a 172.16.0.1
says "172.16.0.1 has no name in DNS"
says "no zone"
run 0 "nor is one that refuses" register -n a.example.test -a 10.100.2.1
says "REFUSED"
ok "the name is there" is a.example.test A 10.100.2.1

echo "# keys"
for k in strong old; do
	run 0 "key $k" register -n $k.example.test -k "$scratch/$k.key"
done
run 0 "a key for this name alone" register -k "$scratch/narrow.key"
run 2 "not for another" register -n b.example.test -k "$scratch/narrow.key"
run 2 "a key without the right" register -k "$scratch/stranger.key"
says "update of $name.: REFUSED"
sed 's/"ddns"/"nobodys"/' "$scratch/ddns.key" >"$scratch/wrong.key"
chmod 600 "$scratch/wrong.key"
run 2 "a key that the server does not know" register -k "$scratch/wrong.key"
says 'does not know the key "nobodys"'
sed 's/"stranger"/"ddns"/' "$scratch/stranger.key" >"$scratch/wrong.key"
run 2 "another secret" register -k "$scratch/wrong.key"
says 'has another secret for the key "ddns"'
run 2 "is also found beforehand" validate -k "$scratch/wrong.key"
secret=$(sed -n 's/.*secret "\(.*\)";/\1/p' "$scratch/ddns.key")
bad_key() { # SENTENCE SAYS: the key file is on standard input
	cat >"$scratch/bad.key"
	chmod 600 "$scratch/bad.key"
	run 4 "$1" register -k "$scratch/bad.key"
	says "$2"
	ok "... and nothing of the secret" [ "${OUT#*"${secret:0:8}"}" = "$OUT" ]
}
bad_key "an empty file" "must begin with" </dev/null
bad_key "md5" "hmac-sha256" <<<"key a { algorithm hmac-md5; secret \"$secret\"; };"
bad_key "no secret" "an algorithm and a secret" <<<\
'key a { algorithm hmac-sha256; };'
bad_key "no base64" "not base64" <<<\
"key a { algorithm hmac-sha256; secret \"!$secret\"; };"
bad_key "no end" "closing brace" <<<"key a { secret \"$secret\";"
bad_key "no semicolon" "no ; after secret" <<<"key a { secret \"$secret\" };"
bad_key "two keys" "line 2: there is more than one" <<<"
$(tr '\n' ' ' <"$scratch/ddns.key") key b { };"
bad_key "something else" "neither" <<<"key a { sceret \"$secret\"; };"
bad_key "a secret without its word" "neither" <<<"key a { $secret"
bad_key "an unclosed string" "has no value" <<<"key a { secret \"$secret; };"
bad_key "too long" "too long" < <(yes "// a comment" | head -c 5000)
bad_key "no name of a key" "must begin with" <<<\
"key \"a..b\" { secret \"$secret\"; };"
{
	echo "/* as named.conf(5)"
	echo "has them */ // comments"
	sed 's/"ddns"/DDNS/; s/{/{ # more/' "$scratch/ddns.key"
} >"$scratch/comments.key"
chmod 600 "$scratch/comments.key"
run 0 "comments, and a name in large letters" register \
    -k "$scratch/comments.key"
cp "$scratch/ddns.key" "$scratch/open.key"
for mode in 640 604 620; do
	chmod $mode "$scratch/open.key"
	run 4 "a file of mode $mode" register -k "$scratch/open.key"
	says "chmod 600"
done
chmod 600 "$scratch/open.key"
chown 1 "$scratch/open.key"
run 4 "a file of another user" register -k "$scratch/open.key"
says "belongs to uid 1"
run 4 "no file" register -k "$scratch/none.key"
says "No such file"
run 4 "a folder" register -k "$scratch"
says "not a regular file"

echo "# names and servers that cannot be"
run 2 "a name in the zone of somebody else" register -n a.elsewhere.test
says "has no zone for a.elsewhere.test."
run 2 "an alias" register -n alias.example.test
says "is an alias (CNAME)"
run 1 "an alias has no address" check -n alias.example.test -a 127.0.0.1
run 4 "a name without a domain" register -n secrets
says "not a name with its domain"
run 4 "no address" register -a 192.0.2
run 4 "a host name for a server" register -s ns.example.test
says "not the address of a server"
for bad in '' 127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:x '[::1' \
    '[::1]x' ::1:53:::; do
	run 4 "server \"$bad\"" validate -s "$bad"
done
ok "no verb is 4" eval '"$HELPER"; [ $? = 4 ]'
run 4 "an unknown verb" delete
run 3 "nobody listens" register -s 127.0.0.1:5353 -w 1
says "127.0.0.1:5353: Connection refused"
ip link add hole type dummy 2>/dev/null || ip link add hole type veth peer name z
ip link set hole up
ip addr add 198.51.100.1/24 dev hole
run 3 "nobody is there" check -s 198.51.100.2 -w 1
says "198.51.100.2: "

echo "# a server that does not mean well"
liar() { # HOW: one answer of each kind, on port 5300
	rm -f "$scratch/liar" # what the one before has said
	python3 - "$1" >"$scratch/liar" 2>&1 <<'PY' &
import socket, struct, sys, time
how = sys.argv[1]
l = socket.create_server(("127.0.0.1", 5300))
print("ready", flush=True)
while True:
    c, _ = l.accept()
    n = struct.unpack(">H", c.recv(2))[0]
    q = c.recv(n)
    a = bytearray(q)
    a[2] |= 0x80
    if how == "unsigned": # the question alone, without the signature
        p = 12
        while q[p]: p += q[p] + 1
        a = a[:p + 5]; a[10:12] = b"\0\0"
    elif how == "garbage": a = bytearray(b"\xff" * 40)
    elif how == "other": a[0] ^= 0xff
    elif how == "short": a = a[:14]
    elif how == "empty": a = bytearray()
    try:
        if how == "silent": time.sleep(60)
        elif how == "slow":
            for b in struct.pack(">H", 500) + bytes(500):
                c.send(bytes([b])); time.sleep(0.2)
        elif how == "close": pass
        else: c.sendall(struct.pack(">H", len(a)) + a)
    except OSError: pass
    c.close()
PY
	liar=$!
	wait_until "grep -q ready $scratch/liar" 10
}
lied() { # HOW STATUS SAYS
	liar "$1"
	run "$2" "$1" check -s 127.0.0.1:5300 -w 1
	says "$3"
	kill $liar && wait $liar 2>/dev/null
}
lied unsigned 2 "does not sign its answers"
lied echo 2 "has another secret"
lied garbage 3 "127.0.0.1:5300: its answer"
lied other 3 "answers something else"
lied short 3 "not DNS"
lied empty 3 "not DNS"
lied close 3 "closed the connection"
lied silent 3 "no answer in time"
lied slow 3 "no answer in time"

echo "# while nobody waits"
logged() { # what -d has written
	: >"$scratch/log"
	# It writes as nobody.
	chmod 666 "$scratch/log"
	run 0 "$1" "${@:2}"
	reason=$(cat "$scratch/log")
}
export HA_LOGFILE=$scratch/log OCF_RESOURCE_INSTANCE=mss
set_record $name A 192.0.2.66
logged "an address that has left is not registered" register -d
says "$ip has left this host"
ok "DNS stays as it was" is $name A 192.0.2.66
ip addr add $ip/32 dev lo
logged "one that is here is" register -d
says "dns-update(mss)"
says "$name is $ip in DNS"
ok "DNS says so" is $name A $ip
stop_server
"$HELPER" register -s 127.0.0.1 -k "$scratch/ddns.key" -n late.example.test \
    -a $ip -w 30 -d &
late=$!
ok "the server comes back" start_server
ok "then it is registered" wait $late
ok "with its name" is late.example.test A $ip
unset HA_LOGFILE OCF_RESOURCE_INSTANCE

echo "# the secret"
liar silent
"$HELPER" check -s 127.0.0.1:5300 -k "$scratch/ddns.key" -n $name -a $ip -w 20 \
    >/dev/null 2>&1 &
asking=$!
ok "it works as nobody" wait_until \
    "grep -qP '^Uid:\t65534\t65534\t65534\t65534' /proc/$asking/status"
ok "it has no groups" grep -qP '^Groups:\t *$' /proc/$asking/status
ok "nor rights" grep -q '^CapEff:.0*$' /proc/$asking/status
ok "nobody else of that name looks into it" eval \
    "! setpriv --reuid=65534 --clear-groups cat /proc/$asking/environ"
ok "its secret is not in its arguments" eval \
    "! tr '\0' ' ' </proc/$asking/cmdline | grep -qF '$secret'"
kill $asking $liar
ok "nor in the server's log" eval "! grep -qF '$secret' $scratch/named.log"
stop_server
finish
