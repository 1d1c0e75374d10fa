#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# network-name as a process, on real links in a network namespace of its own.
. "$(dirname "$0")/lib.sh"
enter_namespaces "$@"
make_links
AGENT=$AGENT_DIR/network-name
ip addr add 192.168.144.1/24 dev eth0
ip -n peer addr add 192.168.144.9/24 dev p0
ip addr add 2001:db8:1::1/64 dev eth0 nodad
ip -n peer addr add 2001:db8:1::9/64 dev p0 nodad
recurring=CRM_meta_interval=10000
v4=(ip=192.168.144.2 arp_count=1)
v6=(ip=2001:db8:1::2 arp_count=1)

has() { # LINK WHAT: the link has an address that is written so
	ip -o addr show dev "$1" | grep -qwF -- "$2"
}
has_not() { ! has "$@"; }
nowhere() { ! ip -o addr | grep -qwF -- " $1"; }
within_ms() { # MS COMMAND...
	local limit=$1 from=$(date +%s%N)
	shift
	"$@" && [ $((($(date +%s%N) - from) / 1000000)) -lt "$limit" ]
}
clear_addresses() {
	for l in eth0 eth1; do
		ip addr del 192.168.144.2/24 dev $l
		ip addr del 192.168.144.2/16 dev $l
	done 2>/dev/null
}

echo "# IPv4: the plain way"
params=("${v4[@]}")
expect 7 "a probe finds nothing" monitor
expect 7 "a recurring monitor finds nothing" monitor $recurring
expect 0 "start" start
ok "the address is there with its network's prefix length" \
    has eth0 "192.168.144.2/24 brd 192.168.144.255"
expect 0 "monitor" monitor $recurring
expect 0 "probe of a running one" monitor
expect 0 "start when started" start
expect 0 "reload-agent" reload-agent
expect 0 "stop" stop
ok "the address is gone" nowhere 192.168.144.2/24
ok "the other address is not" has eth0 192.168.144.1/24
expect 0 "stop when stopped" stop
expect 7 "monitor after the stop" monitor $recurring
expect 0 "validate-all" validate-all
expect 0 "start on a named link with a prefix length" start nic=eth1 \
    cidr_netmask=28
ok "it is there" has eth1 192.168.144.2/28
expect 0 "stop" stop nic=eth1 cidr_netmask=28
expect 0 "a dotted mask is understood" start nic=eth1 \
    cidr_netmask=255.255.255.240
ok "as a prefix length" has eth1 192.168.144.2/28
agent stop
expect 1 "a link without a network of the address" start nic=eth1
says "set cidr_netmask"
expect 1 "an address of no connected network" start ip=192.168.120.1
says "set nic and cidr_netmask"
expect 0 "on loopback" start ip=127.0.0.3
ok "it is there" has lo 127.0.0.3/8
expect 0 "again on loopback" start ip=127.0.0.3
expect 0 "monitor on loopback" monitor ip=127.0.0.3
expect 0 "stop on loopback" stop ip=127.0.0.3
ok "loopback keeps its own" has lo 127.0.0.1/8

echo "# label, broadcast, flags"
agent start nic=eth0 iflabel=vip
ok "label" has eth0 eth0:vip
expect 0 "stop with a label" stop nic=eth0 iflabel=vip
agent start nic=eth0:old
ok "label in nic, as IPaddr2 takes it" has eth0 eth0:old
expect 0 "monitor with a label in nic" monitor nic=eth0:old
expect 0 "stop with a label in nic" stop nic=eth0:old
expect 6 "a label that is too long" start nic=eth0 iflabel=0123456789abc
says "15 characters"
agent start broadcast=-
ok "broadcast -" has eth0 "brd 192.168.144.0"
agent stop
agent start broadcast=192.168.255.255
ok "broadcast given" has eth0 "brd 192.168.255.255"
agent stop
agent start nic=eth1 cidr_netmask=24 noprefixroute=true
ok "noprefixroute" has_not eth1 "no address" -a \
    "! ip route | grep -q 'dev eth1'"
ok "noprefixroute makes no route" eval "! ip route | grep -q 'dev eth1'"
agent stop

echo "# names"
ip link property add dev eth0 altname alternative0
ip link property add dev eth0 altname alternative-name-of-eth0
for name in alternative0 alternative-name-of-eth0; do
	expect 0 "start by the alternative name $name" start nic=$name
	ok "there" has eth0 192.168.144.2/24
	expect 0 "monitor by it" monitor nic=$name $recurring
	agent stop
done

echo "# what is wrong with the parameters"
expect 6 "no ip" start ip=
says "required"
expect 7 "monitor without ip" monitor ip=
expect 0 "stop without ip" stop ip=
for bad in not_an_ip 192.168.144 192.168.144.2/24 256.1.1.1 1.2.3.4.5 \
    224.0.0.1 0.0.0.0 :: ff02::1 2001:db8:::1 " 192.168.144.2"; do
	expect 6 "ip=$bad is refused" start "ip=$bad"
done
expect 7 "a monitor never answers 6" monitor ip=not_an_ip $recurring
expect 0 "a stop with a wrong ip has nothing to stop" stop ip=not_an_ip
for bad in 0 33 -1 24x 0x18 255.0.255.0 " 24"; do
	expect 6 "cidr_netmask=$bad is refused" start "cidr_netmask=$bad"
done
expect 6 "broadcast=x is refused" start broadcast=x
expect 6 "arp_count=0 is refused" start arp_count=0
expect 6 "arp_interval=1e3 is refused" start arp_interval=1e3
expect 6 "nodad=maybe is refused" start nodad=maybe
says "neither true nor false"
expect 6 "nic=../eth0 is refused" start nic=../eth0
agent start
expect 0 "a monitor goes on with a wrong parameter" monitor arp_count=x
expect 0 "so does a stop" stop arp_count=x cidr_netmask=x nic=../x
ok "and removes the address" nowhere 192.168.144.2/24
expect 6 "validate-all of a wrong parameter" validate-all cidr_netmask=99
expect 6 "a clone is refused" start CRM_meta_clone=0 CRM_meta_clone_max=2
says "cannot be cloned"
ok "and no address is up" nowhere 192.168.144.2/24
expect 6 "a clone is refused by validate-all" validate-all \
    CRM_meta_clone=0 CRM_meta_clone_max=2
expect 7 "but not by a monitor" monitor CRM_meta_clone=0 CRM_meta_clone_max=2
expect 0 "nor by a stop" stop CRM_meta_clone=0 CRM_meta_clone_max=2
expect 3 "an unknown action" no_cmd
expect 3 "an action is a whole word" startx
expect 3 "and not its beginning" star
ok "no action at all is 3" eval '"$AGENT" 2>/dev/null; [ $? = 3 ]'
nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups \
	    env OCF_RESKEY_ip=192.168.144.2 "$AGENT" "$1" >/dev/null 2>&1
}
cp "$AGENT" "$scratch/agent" && chmod 755 "$scratch/agent"
AGENT=$scratch/agent
ok "start as nobody is 4" eval 'nobody start; [ $? = 4 ]'
ok "monitor as nobody is 7" eval 'nobody monitor; [ $? = 7 ]'
ok "meta-data as nobody" nobody meta-data
AGENT=$AGENT_DIR/network-name
ok "output that nobody takes is an error" \
    eval '"$AGENT" meta-data >/dev/full; [ $? = 1 ]'

echo "# defects of IPaddr2, 1: the route is gone"
agent start
ip route flush dev eth0
expect 0 "monitor still sees the address" monitor $recurring
expect 0 "stop" stop
ok "it is gone" nowhere 192.168.144.2/24
ip route add 192.168.144.0/24 dev eth0
agent start nic=eth0
ip route flush dev eth0
expect 0 "monitor, nic given and no prefix length" monitor nic=eth0 $recurring
expect 0 "stop, nic given and no prefix length" stop nic=eth0
ok "it is gone" nowhere 192.168.144.2/24
ip addr flush dev eth0 scope global
ip addr add 192.168.144.1/24 dev eth0
ip addr add 2001:db8:1::1/64 dev eth0 nodad

echo "# 2: another prefix length"
ip addr add 192.168.144.2/16 dev eth0
expect 1 "a probe does not say 7" monitor cidr_netmask=24
says "prefix length 16, not 24"
expect 1 "nor a monitor" monitor cidr_netmask=24 $recurring
expect 0 "start puts it right" start cidr_netmask=24
ok "there" has eth0 192.168.144.2/24
ok "and not as before" has_not eth0 192.168.144.2/16
expect 0 "monitor" monitor cidr_netmask=24 $recurring
ip addr add 192.168.144.2/16 dev eth0
expect 0 "stop" stop cidr_netmask=24
ok "removes both" nowhere 192.168.144.2
ip addr add 192.168.144.2/16 dev eth0
expect 0 "a stop with the wrong prefix length" stop cidr_netmask=24 nic=eth1
ok "removes it all the same" nowhere 192.168.144.2/16

echo "# 3: the link"
agent start
ip link set eth0 down
expect 1 "a link that is down" monitor $recurring
says "whose link is down"
expect 1 "also in a probe" monitor
expect 0 "unless it is not checked" monitor check_link_status=false $recurring
expect 0 "stop" stop
ok "the address is gone" nowhere 192.168.144.2/24
expect 0 "start sets the link up" start nic=eth0 cidr_netmask=24
expect 0 "and the monitor is content" monitor $recurring
ip -n peer link set p0 down
wait_until "ip link show eth0 | grep -q NO-CARRIER"
expect 1 "a link without carrier" monitor $recurring
agent stop
expect 1 "no start on a link without carrier" start nic=eth0 cidr_netmask=24
says "no carrier"
ok "and no address left" nowhere 192.168.144.2/24
expect 0 "unless it is not checked" start nic=eth0 cidr_netmask=24 \
    check_link_status=no
agent stop
ip -n peer link set p0 up
wait_until "ip link show eth0 | grep -q LOWER_UP"
# A link that goes down loses its IPv6 addresses.
ip addr replace 2001:db8:1::1/64 dev eth0 nodad
ip -n peer addr replace 2001:db8:1::9/64 dev p0 nodad

echo "# 4: the interface is missing"
expect 5 "start: not on this node" start nic=ethX
says "no interface ethX"
expect 7 "probe" monitor nic=ethX
expect 1 "monitor" monitor nic=ethX $recurring
expect 0 "stop" stop nic=ethX
expect 0 "validate-all does not look at the host" validate-all nic=ethX
expect 5 "but does at level 10" validate-all nic=ethX OCF_CHECK_LEVEL=10
ip addr add 192.168.144.2/24 dev eth1
expect 1 "never 7 while the address is elsewhere" monitor nic=ethX
expect 0 "stop finds it elsewhere" stop nic=ethX
ok "it is gone" nowhere 192.168.144.2/24

echo "# 5: secondary addresses"
for promote in 0 1; do
	echo $promote >/proc/sys/net/ipv4/conf/eth1/promote_secondaries
	agent start ip=10.9.0.100 nic=eth1 cidr_netmask=24
	ip addr add 10.9.0.1/24 dev eth1
	ip addr add 10.9.0.2/24 dev eth1 label eth1:two
	ip addr add 10.8.0.1/24 dev eth1
	ok "the floating address is the primary one" eval \
	    "ip -o addr show dev eth1 | grep 10.9.0.100 | grep -vq secondary"
	expect 0 "stop, promote_secondaries=$promote" stop ip=10.9.0.100
	ok "its own address is gone" nowhere 10.9.0.100/24
	ok "the others of the network are not" has eth1 10.9.0.1/24
	ok "with their labels" has eth1 eth1:two
	ok "nor those of another network" has eth1 10.8.0.1/24
	ok "the network is still reached" eval \
	    "ip route get 10.9.0.50 | grep -q 'dev eth1'"
	ok "the setting is as it was" [ \
	    "$(cat /proc/sys/net/ipv4/conf/eth1/promote_secondaries)" = \
	    $promote ]
	ip -4 addr flush dev eth1
done

echo "# 6: a host address"
expect 1 "without a route there is no place" start ip=10.77.0.1 cidr_netmask=32
ip route add default via 192.168.144.9
expect 0 "on the way to the gateway" start ip=10.77.0.1 cidr_netmask=32
ok "there" has eth0 10.77.0.1/32
expect 0 "monitor" monitor ip=10.77.0.1 cidr_netmask=32 $recurring
expect 0 "stop" stop ip=10.77.0.1 cidr_netmask=32
ok "gone" nowhere 10.77.0.1/32
ip route del default

echo "# addresses that look alike"
ip addr add 192.168.144.20/24 dev eth0
ip addr add 192.168.145.2/24 dev eth0
ip addr add 19.168.144.2/24 dev eth0
expect 7 "are not taken for it" monitor
expect 0 "stop" stop
ok "nor removed" eval "has eth0 192.168.144.20/24 &&
    has eth0 192.168.145.2/24 && has eth0 19.168.144.2/24"
ip addr del 192.168.144.20/24 dev eth0
ip addr del 192.168.145.2/24 dev eth0
ip addr del 19.168.144.2/24 dev eth0

echo "# on the wrong link"
ip addr add 192.168.144.2/24 dev eth1
expect 1 "probe" monitor nic=eth0
says "on eth1, where it does not belong"
expect 1 "monitor" monitor nic=eth0 $recurring
expect 0 "start moves it" start nic=eth0
ok "to the right link" has eth0 192.168.144.2/24
ok "from the wrong one" has_not eth1 192.168.144.2/24
ip addr add 192.168.144.2/24 dev eth1
expect 1 "on two links" monitor nic=eth0 $recurring
expect 1 "on two links, none of them named" monitor $recurring
expect 0 "start leaves it on one" start nic=eth0
ok "the right one" eval \
    "has eth0 192.168.144.2/24 && has_not eth1 192.168.144.2/24"
ip addr add 192.168.144.2/32 dev lo
ip addr add 192.168.144.2/24 dev eth1
expect 0 "stop" stop nic=eth0
ok "removes it from all links" nowhere 192.168.144.2

echo "# announcements"
heard() { # FILTER SECONDS [DIRECTION]: lines that the peer hears
	ip netns exec peer timeout "$2" tcpdump -lnei p0 "$1" 2>/dev/null
}
listening() { ip netns exec peer cat /proc/net/packet | grep -q ' 0003 '; }
heard arp 3 >"$scratch/arp" &
wait_until listening
agent start arp_count=3 arp_interval=50
wait_until "[ \$(grep -c 192.168.144.2 $scratch/arp) -ge 6 ]" 2
ok "three gratuitous requests" [ \
    "$(grep -c 'Request who-has 192.168.144.2 .*tell 192.168.144.2' \
	"$scratch/arp")" = 3 ]
ok "three gratuitous replies" [ \
    "$(grep -c 'Reply 192.168.144.2 is-at' "$scratch/arp")" = 3 ]
ok "to everybody" [ \
    "$(grep 192.168.144.2 "$scratch/arp" | grep -c '> ff:ff:ff:ff:ff:ff')" \
    = 6 ]
agent stop
ok "start does not wait for them" within_ms 500 agent start \
    arp_count=100 arp_interval=100
ok "nor does its output" within_ms 500 eval \
    'out=$(env OCF_RESKEY_ip=192.168.144.2 OCF_RESKEY_arp_count=100 \
    OCF_RESKEY_arp_interval=100 "$AGENT" start 2>&1)'
ok "it is announced by a process of its own session" eval \
    '[ $(pgrep -xc network-name) -ge 1 ]'
agent stop
heard "arp host 192.168.144.2" 1 >"$scratch/silence"
ok "nothing is announced after a stop" eval \
    "! grep 192.168.144.2 $scratch/silence"
ok "and nobody is left that would" wait_until "! pgrep -x network-name"
ok "in the foreground it waits" eval \
    '! within_ms 250 agent start arp_bg=false arp_count=3 arp_interval=150'
agent stop

echo "# connections"
cat >"$scratch/tcp.py" <<'PY'
import socket, subprocess, sys, select
ip, agent = sys.argv[1], sys.argv[2]
fam = socket.AF_INET6 if ":" in ip else socket.AF_INET
bind = sys.argv[3] if len(sys.argv) > 3 else ip
lfam = socket.AF_INET6 if ":" in bind else socket.AF_INET
l = socket.socket(lfam, socket.SOCK_STREAM)
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind((bind, 7777)); l.listen(); l.settimeout(5)
c = subprocess.Popen(["ip", "netns", "exec", "peer", "python3", "-c", """
import socket, sys
s = socket.create_connection((sys.argv[1], 7777), 5)
s.settimeout(5)
print("up", flush=True)
try:
    r = s.recv(1)
    print("end" if r == b"" else "data", flush=True)
except ConnectionResetError:
    print("reset", flush=True)
except Exception as e:
    print(repr(e), flush=True)
""", ip], stdout=subprocess.PIPE, text=True)
s, _ = l.accept()
assert c.stdout.readline() == "up\n"
rc = subprocess.call([agent, "stop"])
assert rc == 0, rc
peer = c.stdout.readline().strip()
try:
    s.settimeout(1)
    r = s.recv(1); own = "end" if r == b"" else "data"
except (ConnectionResetError, ConnectionAbortedError):
    own = "reset"
except Exception as e:
    own = repr(e)
print(peer, own)
sys.exit(not (peer == "reset" and own == "reset"))
PY
connection() { # IP [BIND]
	agent start ip="$1" && env OCF_RESKEY_ip="$1" \
	    python3 "$scratch/tcp.py" "$1" "$AGENT" "${@:2}"
}
ok "stop resets them at both ends" connection 192.168.144.2
ok "also of an IPv6 socket with an IPv4 address" connection 192.168.144.2 ::
ok "and of IPv6" connection 2001:db8:1::2
other() {
	agent start
	ip netns exec peer python3 -c '
import socket
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("192.168.144.9", 7778)); l.listen()
s, _ = l.accept(); s.settimeout(5); print(s.recv(1))
' >"$scratch/other" 2>&1 &
	wait_until "ip netns exec peer ss -ltn | grep -q 7778"
	exec 9<>/dev/tcp/192.168.144.9/7778
	agent stop
	printf x >&9
	exec 9>&-
	wait $!
	cat "$scratch/other"
	grep -q "b'x'" "$scratch/other"
}
ok "but not those of another address" other

echo "# the address is in use"
ip -n peer addr add 192.168.144.2/24 dev p0
expect 0 "validate-all does not look" validate-all
expect 1 "validate-all at level 10 asks the network" validate-all \
    OCF_CHECK_LEVEL=10
says "in use on the network of eth0"
expect 0 "a start does not: membership and fencing decide" start
expect 0 "level 10 of a running resource" validate-all OCF_CHECK_LEVEL=10
agent stop
ip -n peer addr del 192.168.144.2/24 dev p0
expect 0 "level 10, not in use" validate-all OCF_CHECK_LEVEL=10

echo "# IPv6"
params=("${v6[@]}")
expect 7 "probe" monitor
ok "start is quick" within_ms 700 agent start
ok "it is there and usable" eval \
    "has eth0 2001:db8:1::2/64 && ! ip -6 addr show dev eth0 tentative |
    grep -q 2001:db8:1::2"
expect 0 "monitor" monitor $recurring
expect 0 "start when started" start
expect 0 "another way to write it" monitor ip=2001:0DB8:1:0:0::2 $recurring
expect 0 "stop" stop
ok "it is gone" nowhere 2001:db8:1::2/64
expect 0 "stop when stopped" stop
expect 7 "monitor after the stop" monitor $recurring
expect 1 "a prefix length that is not the network's, without nic" start \
    cidr_netmask=80
expect 0 "with nic" start cidr_netmask=80 nic=eth0
ok "it is there" has eth0 2001:db8:1::2/80
expect 1 "with another prefix length: monitor" monitor cidr_netmask=64
expect 0 "stop" stop cidr_netmask=64
ok "it is gone" nowhere 2001:db8:1::2
ip -6 addr add 2001:db8:1::2/64 dev eth1 nodad
expect 1 "on the wrong link" monitor nic=eth0
expect 0 "stop" stop nic=eth0
ok "it is gone" nowhere 2001:db8:1::2/64
expect 6 "a link-local address needs a link" start ip=fe80::2
expect 0 "and then works" start ip=fe80::2 nic=eth0
ok "it is there" has eth0 fe80::2/64
expect 0 "stop" stop ip=fe80::2 nic=eth0
heard icmp6 3 >"$scratch/na" &
wait_until listening
agent start arp_count=2 arp_interval=50
wait_until "[ \$(grep -c 'advertisement.*2001:db8:1::2' $scratch/na) -ge 2 ]" 2
ok "two advertisements to all nodes" [ \
    "$(grep -c '2001:db8:1::2 > ff02::1: .*neighbor advertisement' \
	"$scratch/na")" = 2 ]
ok "that override" grep -q 'ICMP6, neighbor advertisement.*2001:db8:1::2' \
    "$scratch/na"
agent stop
ok "with duplicate address detection it waits for the kernel" \
    agent start nodad=false
ok "until it is usable" eval "has eth0 2001:db8:1::2/64 &&
    ! ip -6 addr show dev eth0 tentative | grep -q 2001:db8:1::2"
agent stop
ip -n peer addr add 2001:db8:1::2/64 dev p0 nodad
expect 1 "a duplicate is found" start nodad=false
says "another host has 2001:db8:1::2"
ok "and the address not left" nowhere 2001:db8:1::2/64
expect 1 "level 10 asks the network" validate-all OCF_CHECK_LEVEL=10
says "in use on the network of eth0"
ip -n peer addr del 2001:db8:1::2/64 dev p0
expect 0 "level 10, not in use" validate-all OCF_CHECK_LEVEL=10
echo 30 >/proc/sys/net/ipv6/conf/eth0/dad_transmits
ok "it gives up before Pacemaker does" within_ms 2500 eval \
    'agent start nodad=false CRM_meta_timeout=2500; [ $rc = 1 ]'
says "did not end"
ok "and leaves nothing" nowhere 2001:db8:1::2/64
echo 1 >/proc/sys/net/ipv6/conf/eth0/dad_transmits
echo 1 >/proc/sys/net/ipv6/conf/eth1/disable_ipv6
expect 1 "IPv6 is switched off" start nic=eth1 cidr_netmask=64
says "cannot add"

echo "# telling"
params=("${v4[@]}")
agent start nic=ethX HA_LOGFILE="$scratch/log" OCF_RESOURCE_INSTANCE=vip \
    OCF_EXIT_REASON_PREFIX=why:
ok "the exit reason has the given prefix" grep -q '^why:there is no' \
    "$scratch/err"
ok "the log file names the resource" grep -Eq \
    '^[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8}  network-name\(vip\)\[[0-9]+\]:    ERROR: ' \
    "$scratch/log"
rm -f "$scratch/log"
agent start
agent monitor $recurring HA_LOGFILE="$scratch/log"
ok "a monitor that is content writes nothing" [ ! -e "$scratch/log" -a \
    ! -s "$scratch/out" -a ! -s "$scratch/err" ]
agent stop

finish
