#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Both agents with a name in DNS, against a real server (BIND) on loopback.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dns-lib.sh"
enter_namespaces "$@"
# Where the agents look for their helper, laid over what is installed.
helper=$(grep -aoE '/[[:graph:]]*/dns-update' "$AGENT_DIR/network-name" |
    head -1)
[ -n "$helper" ] || exit 1
over=${helper%/*}
until [ -d "$over" ]; do over=${over%/*}; done
mount -t tmpfs tmpfs "$over"
mkdir -p "${helper%/*}"
cp "$AGENT_DIR/dns-update" "$helper"
name=secrets.example.test ip=192.0.2.10
make_server
ok "the server is there" start_server
params=("ip=$ip" nic=lo cidr_netmask=32 "network_name=$name" dns_server=127.0.0.1
    "dns_key_file=$scratch/ddns.key" "HA_LOGFILE=$scratch/log")
# The helper writes as nobody.
: >"$scratch/log"
chmod 666 "$scratch/log"
ten=(OCF_CHECK_LEVEL=10 CRM_meta_interval=60000 CRM_meta_timeout=20000)
registered() { wait_until "is $name A ${1:-$ip}" 15; }
quiet() { wait_until "! pgrep -x dns-update"; }

echo "# network-name"
AGENT=$AGENT_DIR/network-name
expect 0 "validate-all" validate-all
expect 0 "validate-all at level 10 asks the server" validate-all \
    OCF_CHECK_LEVEL=10
expect 5 "which must know the key" validate-all OCF_CHECK_LEVEL=10 \
    dns_key_file=/nowhere
says "/nowhere: No such file"
expect 1 "and have the zone" validate-all OCF_CHECK_LEVEL=10 \
    network_name=a.elsewhere.test
says "has no zone for a.elsewhere.test."
expect 0 "start" start
ok "the name is registered in the background" registered
ok "for a minute" [ "$(dig +tcp +noall +answer @127.0.0.1 $name A |
    awk '{ print $2 }')" = 60 ]
ok "with the way back" wait_until "pointer $name."
ok "it is logged" grep -q "dns-update.*$name is $ip in DNS" "$scratch/log"
quiet
expect 0 "monitor at level 10" monitor "${ten[@]}"
set_record $name A 192.0.2.66
expect 0 "a monitor does not ask" monitor CRM_meta_interval=10000
expect 190 "at level 10 it sees a foreign value" monitor "${ten[@]}"
says "$name. is 192.0.2.66 in DNS, not $ip"
expect 0 "a probe does not ask" monitor OCF_CHECK_LEVEL=10
expect 1 "that is a failure where DNS is required" monitor "${ten[@]}" \
    dns_required=yes
says "is 192.0.2.66 in DNS"
ok "no monitor has changed it" is $name A 192.0.2.66
expect 0 "a reload registers it anew" reload-agent
ok "DNS says so" registered
quiet
set_record $name A 192.0.2.66
expect 0 "reload of one that is wrong is content" reload-agent dns_server=x
expect 0 "stop" stop
ok "a stop leaves DNS as it is" is $name A 192.0.2.66
expect 0 "reload without the address" reload-agent
quiet
ok "registers nothing" is $name A 192.0.2.66
expect 0 "start where DNS is required" start dns_required=yes
ok "has registered it" is $name A $ip
agent stop
expect 1 "a server that refuses" start dns_required=yes \
    "dns_key_file=$scratch/stranger.key"
says "REFUSED"
agent stop
expect 5 "a key that is not there is this node's fault" start \
    dns_required=yes dns_key_file=/nowhere
agent stop
expect 1 "a server that is away" start dns_required=yes \
    dns_server=127.0.0.1:5353 CRM_meta_timeout=3000
says "127.0.0.1:5353: Connection refused"
agent stop
expect 0 "else it starts without" start dns_server=127.0.0.1:5353
expect 190 "and shows it at level 10" monitor "${ten[@]}" \
    dns_server=127.0.0.1:5353
says "Connection refused"
expect 190 "as unknown, not as wrong" monitor "${ten[@]}" \
    dns_server=127.0.0.1:5353 dns_required=yes
expect 0 "stop waits for nobody" stop
ok "the helper ends by itself" wait_until "! pgrep -x dns-update" 20
agent start dns_server=127.0.0.1:5353
ok "it runs beside" wait_until "pgrep -x dns-update"
pid=$(pgrep -nx dns-update)
# Once it has read what it needs.
ok "it has left no file open of the agent's" wait_until "! readlink \
    /proc/$pid/fd/* | grep -vE '^/dev/null\$|^socket:'"
ok "and is of its own session" eval \
    '[ "$(ps -o sid= -p $pid | tr -d " ")" = $pid ]'
agent stop
ok "it does not register what has left" wait_until "! pgrep -x dns-update" 5
mv "$helper" "$helper.away"
expect 0 "without the helper it starts all the same" start
expect 190 "and shows it at level 10" monitor "${ten[@]}"
says "dns-update: No such file"
agent stop
expect 5 "but not where DNS is required" start dns_required=yes
agent stop
expect 5 "validate-all at level 10 says so" validate-all OCF_CHECK_LEVEL=10
mv "$helper.away" "$helper"

echo "# parameters"
for bad in dns_server=ns.example.test dns_server=127.0.0.1:0 dns_key_file= \
    dns_key_file=ddns.key network_name= network_name=secrets \
    network_name=a..test network_name=-a.test "network_name=a b.test" \
    ttl=0 ttl=x dns_required=perhaps ip=169.254.1.1; do
	expect 6 "$bad is refused" start "$bad"
	expect 6 "also by validate-all" validate-all "$bad"
done
expect 0 "a name with an underscore and a dot at its end" validate-all \
    network_name=_mss-1.example.test.
expect 0 "nothing of it counts without dns_server" validate-all dns_server= \
    network_name=secrets dns_key_file=
agent start
expect 0 "a monitor goes on with a wrong one" monitor dns_server=x
expect 0 "so does a stop" stop dns_server=x ttl=x

echo "# IPv6"
v6=(ip=2001:db8::10 cidr_netmask=128)
expect 0 "start" start "${v6[@]}" 'dns_server=[::1]:53'
ok "it is registered" wait_until "is $name AAAA 2001:db8::10" 15
expect 0 "monitor at level 10" monitor "${v6[@]}" "${ten[@]}" dns_server=::1
agent stop "${v6[@]}"
quiet

echo "# master-secret"
AGENT=$AGENT_DIR/master-secret
conf=$scratch/claviger.conf
cp "$AGENT_DIR/fake-server" "$scratch/clavigerd"
printf 'socket = %s\naddress = %s\n' "$scratch/s" $ip >"$conf"
touch "$conf.mode"
mkdir "$scratch/bin"
printf '#!/bin/sh\n' >"$scratch/bin/attrd_updater"
chmod 755 "$scratch/bin/attrd_updater"
params+=("binary=$scratch/clavigerd" "config=$conf" "socket=$scratch/s"
    OCF_RESOURCE_INSTANCE=mss "PATH=$scratch/bin:$PATH")
set_record $name A ""
expect 5 "no start without the key where DNS is required" start \
    dns_required=yes dns_key_file=/nowhere
says "/nowhere: No such file"
expect 0 "start" start dns_required=yes
quiet
ok "a standby registers nothing" is $name A ""
expect 0 "promote" promote dns_required=yes
ok "the name is registered" registered
ok "the resource is named in the log" wait_until \
    "grep -q 'dns-update(mss).*in DNS' '$scratch/log'"
quiet
expect 8 "monitor at level 10" monitor "${ten[@]}" CRM_meta_role=Promoted
set_record $name A 192.0.2.66
expect 8 "a monitor does not ask" monitor CRM_meta_interval=5000
expect 191 "at level 10 it sees a foreign value" monitor "${ten[@]}"
says "$name. is 192.0.2.66 in DNS, not $ip"
expect 191 "which is no failure, even where DNS is required" monitor \
    "${ten[@]}" dns_required=yes
expect 0 "a reload registers it anew" reload-agent
ok "DNS says so" registered
expect 0 "demote" demote
expect 0 "monitor of a standby at level 10 does not ask" monitor "${ten[@]}" \
    dns_server=127.0.0.1:5353
expect 0 "a promotion does not wait for a server that is away" promote \
    dns_required=yes dns_server=127.0.0.1:5353
ok "which is asked again and again" wait_until "pgrep -x dns-update"

expect 0 "nor is it stopped by parameters that are wrong" promote \
    dns_server=x dns_key_file=y network_name=z
expect 6 "as a start is" start dns_server=x
expect 0 "stop" stop
stop_server
finish
