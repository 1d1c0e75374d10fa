#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# master-secret as a process, against a control server that does what the test
# wants (fake-server.c). The attribute daemon is a script that notes its values.
. "$(dirname "$0")/lib.sh"
enter_namespaces "$@"
make_links
AGENT=$AGENT_DIR/master-secret
ip addr add 192.168.144.1/24 dev eth0
ip -n peer addr add 192.168.144.9/24 dev p0
ip addr add 2001:db8:1::1/64 dev eth0 nodad
vip=192.168.144.2/24
conf=$scratch/claviger.conf
server=$scratch/clavigerd
cp "$AGENT_DIR/fake-server" "$server"
printf 'socket = %s\naddress = 192.168.144.2\n' "$scratch/s" >"$conf"
mkdir "$scratch/bin"
cat >"$scratch/bin/attrd_updater" <<SH
#!/bin/sh
! rm $scratch/attrd-slow 2>/dev/null || sleep 1
echo "\$*" >>$scratch/scores
[ ! -e $scratch/attrd-hangs ] || exec sleep 60
[ ! -e $scratch/attrd-away ] || exit 102
SH
chmod 755 "$scratch/bin/attrd_updater"
PATH=$scratch/bin:$PATH
params=(ip=192.168.144.2 nic=eth0 cidr_netmask=24 arp_count=1
    "binary=$server" "config=$conf" "socket=$scratch/s"
    OCF_RESOURCE_INSTANCE=mss "PATH=$PATH")
promoted=(CRM_meta_interval=5000 CRM_meta_role=Promoted)
unpromoted=(CRM_meta_interval=10000 CRM_meta_role=Unpromoted)

mode() { echo "$*" >"$conf.mode"; }
asked() { # LINE: the server was last asked so
	tail -1 "$conf.log" | grep -q -- "$1"
}
runs() { pgrep -x clavigerd >/dev/null; }
runs_not() { ! runs; }
count() { pgrep -xc clavigerd; }
has_vip() { ip -o addr show dev eth0 | grep -qwF $vip; }
has_no_vip() { ! ip -o addr | grep -qwF $vip; }
score() { tail -1 "$scratch/scores"; }
score_is() { # it may be written in the background
	wait_until "[ \"\$(score)\" = '-n master-mss --update=$1' ]"
}
value() { score | sed 's/.*=//'; }
scores() { wc -l <"$scratch/scores"; }
fresh() { # all off
	mode
	rm -f "$scratch"/attrd-*
	pkill -KILL -x clavigerd
	wait_until runs_not
	ip addr del $vip dev eth0 2>/dev/null
	ip addr del $vip dev eth1 2>/dev/null
	rm -f "$conf.log" "$scratch/scores" "$scratch/s" \
	    /run/resource-agents/claviger-*
	touch "$scratch/scores"
}
up() { # a standby, or with `promote` an active server
	fresh
	agent start
	[ "${1:-}" != promote ] || agent promote
}
within_ms() { # MS COMMAND...
	local limit=$1 from=$(date +%s%N)
	shift
	"$@" && [ $((($(date +%s%N) - from) / 1000000)) -lt "$limit" ]
}

echo "# the plain way"
fresh
expect 7 "a probe finds nothing" monitor
ok "and sees to it that nobody is promoted here" score_is -INFINITY
expect 0 "validate-all" validate-all
expect 0 "validate-all at level 10" validate-all OCF_CHECK_LEVEL=10
expect 0 "notify" notify
expect 0 "start" start
ok "the daemon runs, in two processes" [ "$(count)" = 2 ]
ok "it was told the resource, and that the agent started it" asked \
    "start address=no resource=mss by_agent=1"
ok "the score is a standby's" score_is 50
ok "no address yet" has_no_vip
pid=$(pgrep -ox clavigerd)
ok "no signal to the agent's terminal or group reaches the daemon" [ \
    "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
ok "with nothing of the agent's open" eval \
    '! readlink /proc/$pid/fd/* | grep -vE \
	"^/dev/null$|memfd:clavigerd-stderr|^socket:"'
ok "and its environment is not the agent's" eval \
    '! tr "\0" "\n" </proc/$pid/environ | grep -q "OCF_"'
expect 0 "monitor" monitor "${unpromoted[@]}"
expect 0 "probe" monitor
expect 0 "start when started" start
ok "is the same daemon" [ "$(pgrep -ox clavigerd)" = "$pid" ]
ok "that an agent started" asked "by_agent=1"
expect 0 "demote of a standby" demote
expect 0 "promote" promote
ok "the listener comes before the address" asked "promote address=no"
ok "the address is up" has_vip
ok "the score is the active one's" score_is 100
expect 8 "monitor" monitor "${promoted[@]}"
expect 8 "probe" monitor
expect 0 "promote when promoted" promote
expect 0 "reload-agent" reload-agent
expect 0 "demote" demote
ok "the address goes before the listener" asked "demote address=no"
ok "the score is a standby's" score_is 50
expect 0 "monitor" monitor "${unpromoted[@]}"
agent promote
expect 0 "stop when promoted" stop
ok "the address is gone" has_no_vip
ok "it was asked to end, since the agent had started it" asked shutdown
ok "the address had gone before" eval '! grep -q "stop address=yes" $conf.log'
ok "the daemon is gone" runs_not
ok "nobody is promoted here" score_is -INFINITY
expect 0 "stop when stopped" stop
expect 7 "probe" monitor

echo "# without an address"
fresh
noip=(ip= nic= cidr_netmask=)
expect 0 "start" start "${noip[@]}"
expect 0 "promote" promote "${noip[@]}"
ok "no address" has_no_vip
expect 8 "monitor" monitor "${promoted[@]}" "${noip[@]}"
expect 0 "demote" demote "${noip[@]}"
expect 0 "monitor" monitor "${unpromoted[@]}" "${noip[@]}"
expect 0 "stop" stop "${noip[@]}"
ok "gone" runs_not

echo "# IPv6"
fresh
six=(ip=2001:db8:1::2 cidr_netmask=64)
sed -i 's/^address = .*/address = 2001:db8:1::2/' "$conf"
agent start "${six[@]}"
expect 0 "promote" promote "${six[@]}"
expect 8 "monitor" monitor "${promoted[@]}" "${six[@]}"
ok "the address is up" eval "ip -6 -o addr | grep -q 2001:db8:1::2/64"
expect 0 "stop" stop "${six[@]}"
ok "the address is gone" eval "! ip -6 -o addr | grep -q 2001:db8:1::2/64"
sed -i 's/^address = .*/address = 192.168.144.2/' "$conf"

echo "# a daemon that somebody else started"
fresh
setsid "$server" -f "$conf" >/dev/null 2>&1 </dev/null &
wait_until "[ -S $scratch/s ]"
expect 7 "its role is off: not running" monitor
expect 0 "start" start
ok "it was not started by the agent" asked by_agent=0
expect 0 "promote" promote
expect 0 "stop" stop
ok "switches the role off" asked "stop address=no"
ok "and leaves the process" runs
expect 7 "probe" monitor

echo "# a second resource for one daemon"
fresh
expect 0 "start" start
expect 0 "promote" promote
expect 7 "is not running by its probe" monitor OCF_RESOURCE_INSTANCE=two
expect 6 "is refused" start OCF_RESOURCE_INSTANCE=two:1
says "driven by the resource mss"
expect 0 "its stop" stop OCF_RESOURCE_INSTANCE=two
expect 8 "leaves the first one alone" monitor OCF_RESOURCE_INSTANCE=mss:0
ok "with its address" has_vip
expect 0 "stop of the first" stop
expect 0 "gives the daemon to the second" start OCF_RESOURCE_INSTANCE=two
expect 0 "stop" stop OCF_RESOURCE_INSTANCE=two

echo "# what is wrong with the parameters"
fresh
expect 6 "promoted-max 2" start CRM_meta_promoted_max=2
says "promoted-max must be 1, not 2"
ok "nothing was started" runs_not
ok "and no address is up" has_no_vip
expect 6 "promoted-max 2: validate-all" validate-all CRM_meta_promoted_max=2
expect 6 "by its old name" validate-all CRM_meta_master_max=2
expect 2 "a second promotion is refused here only" promote CRM_meta_promoted_max=2
says "promoted-max must be 1, not 2"
expect 7 "never from a monitor" monitor CRM_meta_promoted_max=2
expect 0 "nor from a stop" stop CRM_meta_promoted_max=2
expect 6 "globally-unique" start CRM_meta_globally_unique=true
says "globally-unique"
expect 6 "clone-node-max 2" start CRM_meta_clone_node_max=2
ok "nothing was started" runs_not
expect 0 "what Pacemaker sets for the right clone" validate-all \
    CRM_meta_promoted_max=1 CRM_meta_promoted_node_max=1 \
    CRM_meta_globally_unique=false CRM_meta_clone_node_max=1 \
    CRM_meta_clone_max=3 CRM_meta_clone=0 CRM_meta_master_max=1
expect 6 "a relative path" start binary=clavigerd
expect 6 "a wrong address" start ip=1.2.3
expect 5 "no daemon: not on this node" start "binary=$scratch/nothing"
says "No such file"
expect 5 "no configuration" start "config=$scratch/nothing"
says "claviger init"
expect 5 "no daemon: validate-all at level 10" validate-all \
    OCF_CHECK_LEVEL=10 "binary=$scratch/nothing"
expect 0 "level 0 does not look" validate-all "binary=$scratch/nothing"
expect 7 "no daemon: probe" monitor "binary=$scratch/nothing"
expect 0 "no daemon: stop" stop "binary=$scratch/nothing"

echo "# a daemon that does not start"
fresh
mode die
expect 1 "it dies" start
says "did not start: the key is of another system"
ok "nothing runs" runs_not
mode not-ready
ok "it is never ready: in time before Pacemaker's kill" within_ms 2600 eval \
    'agent start CRM_meta_timeout=3000; [ $rc = 1 ]'
says "not ready in time"
ok "nothing runs" runs_not
mode refuse-start
expect 1 "it refuses" start
says "configuration is wrong"
ok "nothing runs" runs_not
mode stillborn
setsid "$server" -f "$conf" >/dev/null 2>&1 </dev/null &
wait_until runs
ok "it is there, but does not listen" runs
expect 1 "that is not 7" monitor "${unpromoted[@]}"
says "does not answer"
expect 1 "nor in a probe" monitor
expect 0 "stop ends it" stop
ok "nothing runs" runs_not
fresh
agent start
kill -KILL $(pgrep -ox clavigerd)
wait_until runs_not
ok "the socket file is left" [ -S "$scratch/s" ]
expect 7 "monitor" monitor "${unpromoted[@]}"
ok "and the peer is preferred" score_is -INFINITY
expect 0 "start" start
expect 0 "monitor" monitor "${unpromoted[@]}"

echo "# a daemon that ends just when it is asked"
fresh
setsid "$server" -f "$conf" >/dev/null 2>&1 </dev/null &
wait_until '[ -S "$scratch/s" ]'
mode die-once
expect 0 "start has another one" start
ok "that the agent started" asked by_agent=1
expect 0 "monitor" monitor "${unpromoted[@]}"
mode hang-up
ok "again and again: a failure in time" within_ms 2600 eval \
    'agent start CRM_meta_timeout=3000; [ $rc = 1 ]'
says "again and again"

echo "# not ready"
up
mode locked
expect 190 "degraded, and says why" monitor "${unpromoted[@]}"
says "secret absent: claviger restore FILE"
ok "never promoted" score_is -INFINITY
expect 0 "a probe answers plainly" monitor
mode
expect 0 "ready again" monitor "${unpromoted[@]}"
ok "promotable again" score_is 50
fresh
mode locked
ok "a start succeeds, and does not wait for ever" within_ms 4000 eval \
    'agent start; [ $rc = 0 ]'
ok "never promoted" score_is -INFINITY
mode
up promote
mode away
expect 191 "decryption only: degraded" monitor "${promoted[@]}"
says "decryption only"
expect 8 "a probe answers plainly" monitor
mode elsewhere
expect 191 "the system has another address" monitor "${promoted[@]}"
says "the system's address is 192.0.2.99"
agent demote
expect 1 "then nobody is promoted" promote
says "the system's address is 192.0.2.99"
ok "not half" eval "has_no_vip && asked demote"
ok "and not again" score_is -INFINITY

up
ip -n peer link set p0 down
wait_until "ip link show eth0 | grep -q NO-CARRIER"
expect 190 "no carrier: not ready" monitor "${unpromoted[@]}"
says "the link eth0 has no carrier"
ok "never promoted" score_is -INFINITY
expect 0 "unless it is not checked" monitor "${unpromoted[@]}" \
    check_link_status=false
expect 0 "without an address it does not matter" monitor "${unpromoted[@]}" \
    "${noip[@]}"
expect 190 "no interface: not ready" monitor "${unpromoted[@]}" nic=ethX
says "no interface ethX"
expect 190 "another address: not ready" monitor "${unpromoted[@]}" nic= \
    ip=198.51.100.7
says "the system's address is 192.168.144.2"
mode nowhere
expect 190 "no network: not ready" monitor "${unpromoted[@]}" nic= \
    ip=198.51.100.7
says "no connected network has 198.51.100.7"
mode
agent stop
agent start
ok "a start sees it as well" score_is -INFINITY
ip -n peer link set p0 up
wait_until "ip link show eth0 | grep -q LOWER_UP"
expect 0 "ready again" monitor "${unpromoted[@]}"
ok "promotable again" score_is 50
mode elsewhere
expect 190 "the system has another address: not ready" monitor \
    "${unpromoted[@]}"
ok "never promoted" score_is -INFINITY

echo "# promote fails"
up
mode refuse-promote
expect 1 "the daemon refuses" promote
says "no quorum here"
ok "no address" has_no_vip
ok "the peer is preferred" score_is -INFINITY
up
ip link set eth0 down
ip -n peer link set p0 down
expect 1 "the address cannot be brought up" promote
says "no carrier"
ok "the daemon does not go on alone" asked demote
ok "no address" has_no_vip
ok "the peer is preferred" score_is -INFINITY
ip link set eth0 up
ip -n peer link set p0 up
wait_until "ip link show eth0 | grep -q LOWER_UP"
fresh
expect 7 "no daemon" promote
fresh
ip addr add $vip dev eth1
expect 0 "start takes an address away that was left" start
ok "it is gone" has_no_vip

echo "# address and daemon do not fit together"
up promote
ip addr del $vip dev eth0
expect 9 "active, address gone" monitor "${promoted[@]}"
says "its address is gone"
ok "the peer is preferred" score_is -INFINITY
ip addr add $vip dev eth1
expect 9 "active, address on the wrong link" monitor "${promoted[@]}"
says "on eth1"
expect 0 "demote takes it away from there" demote
ok "it is gone" has_no_vip
ip addr add $vip dev eth0
expect 9 "standby with an address" monitor "${unpromoted[@]}"
expect 9 "standby with an address: probe" monitor
agent stop
ip addr add $vip dev eth0
expect 9 "absent with an address: a probe does not say 7" monitor
expect 9 "nor a monitor" monitor "${unpromoted[@]}"
ok "the peer is preferred" score_is -INFINITY
expect 0 "stop" stop
ok "the address is gone" has_no_vip
up promote
ip addr add $vip dev eth1
expect 9 "on two links" monitor "${promoted[@]}"
agent stop
ok "stop removes both" has_no_vip
up promote
ip link set eth0 down
expect 9 "the link is down" monitor "${promoted[@]}"
says "whose link is down"
expect 8 "unless it is not checked" monitor "${promoted[@]}" \
    check_link_status=false
ip link set eth0 up
agent stop

echo "# a daemon that does not answer"
up promote
mode silent
ok "monitor gives up before Pacemaker does" within_ms 2600 eval \
    'agent monitor "${promoted[@]}" CRM_meta_timeout=3000; [ $rc = 9 ]'
says "does not answer"
ok "the peer is preferred" score_is -INFINITY
ok "demote fails within 3 s" within_ms 3000 eval 'agent demote; [ $rc = 1 ]'
ok "but the address is gone" has_no_vip
expect 1 "monitor without the address" monitor "${unpromoted[@]}" \
    CRM_meta_timeout=2200
ok "stop ends it within 5 s" within_ms 5000 eval 'agent stop; [ $rc = 0 ]'
ok "no process is left" runs_not
expect 7 "probe" monitor
up promote
kill -STOP $(pgrep -x clavigerd)
ok "stopped by a signal: monitor" within_ms 2600 eval \
    'agent monitor "${promoted[@]}" CRM_meta_timeout=3000; [ $rc = 9 ]'
ok "stopped by a signal: stop within 5 s" within_ms 5000 eval \
    'agent stop; [ $rc = 0 ]'
ok "no address" has_no_vip
ok "no process" runs_not
up promote
mode hang-up
expect 9 "it hangs up" monitor "${promoted[@]}"
mode garbage
expect 9 "it talks nonsense" monitor "${promoted[@]}"
expect 0 "stop ends it" stop
ok "no process" runs_not
up
mode stubborn
expect 0 "it does not switch its role off: it is ended" stop
ok "no process" runs_not
up
mode deaf
expect 0 "it does not end when asked: it is ended" stop
ok "no process" runs_not
up promote
kill -KILL $(pgrep -ox clavigerd)
wait_until runs_not
expect 9 "killed, with the address up: a probe does not say 7" monitor
expect 0 "demote of a killed one" demote
ok "takes the address away" has_no_vip
ok "and lets the peer be preferred" score_is -INFINITY
expect 0 "stop" stop
ok "no address" has_no_vip

echo "# somebody else's"
up
cp "$server" "$scratch/other"
agent stop
rm -f "$scratch/s"
setsid "$scratch/other" -f "$conf" >/dev/null 2>&1 </dev/null &
other=$!
wait_until "[ -S $scratch/s ]"
mode silent
expect 1 "a process that is not ours is not killed" stop
says "does not run $server"
ok "it lives" kill -0 $other
kill -KILL $other
rm -f "$scratch/s"
fresh
mkdir -m 0777 /run/nobody
setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind("/run/nobody/s")
s.listen(); time.sleep(30)' &
other=$!
wait_until "[ -S /run/nobody/s ]"
expect 1 "a server that is not root is not believed" monitor \
    "${unpromoted[@]}" socket=/run/nobody/s
kill $other
rm -f /run/nobody/s
fresh
printf 'socket = %s\naddress = 192.168.144.2\n' "$scratch/s2" >"$scratch/c2"
setsid "$server" -f "$scratch/c2" >/dev/null 2>&1 </dev/null &
other=$!
wait_until "[ -S $scratch/s2 ]"
expect 7 "another system's daemon on this host is not ours" monitor
expect 0 "stop" stop
ok "it lives" kill -0 $other
rm -f "$server.new" && cp "$server" "$server.new"
fresh
agent start
mv "$server.new" "$server"
mode silent
expect 0 "a program that was replaced while it ran is ended all the same" stop
ok "no process" runs_not

echo "# the score"
up
n=$(scores)
agent monitor "${unpromoted[@]}"
ok "a value that has not changed starts no process" [ "$(scores)" = "$n" ]
touch -d "-30 seconds" /run/resource-agents/claviger-master-mss
agent monitor "${unpromoted[@]}"
ok "unless it was written long ago" [ "$(scores)" = $((n + 1)) ]
touch -d "+1 hour" /run/resource-agents/claviger-master-mss
agent monitor "${unpromoted[@]}"
ok "or in the future" [ "$(scores)" = $((n + 2)) ]
agent monitor "${unpromoted[@]}" OCF_RESOURCE_INSTANCE=mss:1
ok "an instance number is no part of the name" [ "$(scores)" = $((n + 2)) ]
touch "$scratch/attrd-away"
rm -f /run/resource-agents/claviger-master-mss
expect 0 "outside a cluster nothing is said" monitor "${unpromoted[@]}"
ok "really" [ -z "$err" ]
n=$(scores)
agent monitor "${unpromoted[@]}"
ok "and it is tried again" [ "$(scores)" = $((n + 1)) ]
rm -f "$scratch/attrd-away"
touch "$scratch/attrd-hangs"
ok "a hanging attribute daemon holds up 2 s" within_ms 3500 eval \
    'agent monitor "${unpromoted[@]}"; [ $rc = 0 ]'
rm -f "$scratch/attrd-hangs"
fresh
up
touch "$scratch/attrd-slow"
ok "a promotion does not wait for it" within_ms 900 agent promote
agent stop
ok "what comes after it does" eval \
    '[ "$(tail -2 "$scratch/scores" | tr "\n" ,)" = \
    "-n master-mss --update=100,-n master-mss --update=-INFINITY," ]'
fresh
up promote
score_is 100
agent demote
agent stop
ok "what comes before it makes it void" eval 'score_is -INFINITY &&
    ! wait_until "[ \"\$(score)\" = \"-n master-mss --update=50\" ]" 1'
up promote
kill -KILL $(pgrep -ox clavigerd)
wait_until runs_not
agent monitor "${promoted[@]}"
agent stop
agent start
just_now=$(value)
ok "a node that has just failed yields to its peers" eval \
    '[ $just_now -ge 30 ] && [ $just_now -lt 50 ]'
touch -d "-10 seconds" /run/resource-agents/claviger-master-mss.fell
expect 0 "monitor" monitor "${unpromoted[@]}"
ok "less as time goes by" eval \
    '[ $(value) -gt $just_now ] && [ $(value) -lt 50 ]'
touch -d "-1 minute" /run/resource-agents/claviger-master-mss.fell
agent monitor "${unpromoted[@]}"
ok "but not for ever" score_is 50
expect 0 "promote" promote
ok "an active one is what it is" score_is 100
up
agent monitor "${unpromoted[@]}"
agent stop
agent monitor
agent start
ok "a stop and a probe are no failure" score_is 50
expect 0 "no attribute daemon at all" monitor "${unpromoted[@]}" \
    PATH=/nowhere

fresh
finish
