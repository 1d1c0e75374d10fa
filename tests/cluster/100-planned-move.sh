#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the role is moved on purpose, there and back"
lab_system
from=$(promoted)
before=$(epoch)
to=n2
[ "$from" != n2 ] || to=n3
step "from $from to $to"
probe_start fetch claviger fetch --check
on n1 crm_resource -r $rsc-clone --move -N $to --promoted >/dev/null 2>&1 ||
    on n1 crm_resource -r $rsc --move -N $to --master >/dev/null 2>&1
expect_within 20 "$to serves" serving_on $to
expect_within 10 "the member obtains the key from it" fetches
wait_until 2 false
outage=$(probe_stop)
expect "the member was without a key for at most 2 s ($outage s)" \
    at_most "$outage" 2
expect "encryption is allowed" encrypt_is True
expect "the old node stands by, warm" score_is "$from" 50
expect "the epoch grew" test "$(epoch)" -gt "$before"
on n1 crm_resource -r $rsc-clone --clear >/dev/null 2>&1
step "and back to $from"
on n1 crm_resource -r $rsc-clone --move -N "$from" --promoted >/dev/null 2>&1 ||
    on n1 crm_resource -r $rsc --move -N "$from" --master >/dev/null 2>&1
expect_within 20 "$from serves" serving_on "$from"
expect "the member obtains the key" fetches
on n1 crm_resource -r $rsc-clone --clear >/dev/null 2>&1
expect_within 20 "all in order" all_ready

step "claviger drill failover"
constraints() {
	on n1 cibadmin --query --local --scope constraints |
	    grep -cE '<rsc_|<rule' || true
}
field() {
	python3 -c 'import json, sys; print(eval(sys.argv[1],
    {"d": json.load(open(sys.argv[2]))}))' "$1" "$LAB_ROOT/$lab/last"
}
unconstrained() { [ "$(constraints)" = 0 ]; }
expect_within 10 "there is no constraint" unconstrained
active=$(promoted)
must "it goes to each node and back" cl n1 drill failover --json \
    --report /root/drill.html --output-as html
expect "three moves went well" \
    test "$(field '[m["why"] for m in d["moves"]]')" = "['', '', '']"
expect "to every other node, and back" test "$(field \
    '[d["moves"][0]["from"], d["moves"][2]["to"], len({m["to"] for m in d["moves"]})]')" = \
    "['$active', '$active', 3]"
expect "each with an epoch of its own" test "$(field 'all(a["epoch"] <
    b["epoch"] for a, b in zip(d["moves"], d["moves"][1:]))')" = True
expect "the steps follow each other" test "$(field 'all(m["demoted_ms"] <=
    m["promoted_ms"] and m.get("last_key_ms", -1) < m["first_key_ms"] and
    m["epoch_ms"] <= m["first_key_ms"] for m in d["moves"])')" = True
outage=$(field 'd["longest_outage_ms"]')
expect "it says how long a client was without a key ($outage ms)" \
    test "$outage" -gt 0
cp "$LAB_ROOT/$lab/last" "$LAB_ROOT/$lab/drill.json"
expect "the JSON is as claviger(1) says" "$tests/json-keys" \
    "$tests/../man/claviger.1" "drill failover" last_key_ms fenced_ms \
    detected_ms address_ms <"$LAB_ROOT/$lab/drill.json"
expect "the page has a timeline for each move" \
    test "$(on n1 grep -c '^<svg ' /root/drill.html)" = 3
expect "the constraints are as before" test "$(constraints)" = 0
expect "the role is back" promoted_is "$active"
expect_exit 6 'give the name of a new file' "a report is not overwritten" \
    cl n1 drill failover --report /root/drill.html
on n1 rm -f /root/drill.html

step "a drill that is interrupted, and one that would not work"
# A move that waits until the signal is there.
on n1 install -D -m 755 /dev/stdin /root/bin/crm_resource <<'END'
#!/bin/sh
/usr/sbin/crm_resource "$@"
rc=$?
case "$*" in
*--move*)
	touch /root/moving
	while [ ! -e /root/go ]; do sleep 0.1; done
	;;
esac
exit $rc
END
on n1 env PATH=/root/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    claviger drill failover >"$LAB_ROOT/$lab/stopped" 2>&1 &
expect_within 30 "the role is being moved" on n1 test -e /root/moving
on n1 pkill -TERM -o -f 'claviger drill failover'
on n1 touch /root/go
wait $!
expect "it says that it was interrupted" \
    grep 'result .*interrupted' "$LAB_ROOT/$lab/stopped"
expect "its constraint is away" grep 'constraints as before' \
    "$LAB_ROOT/$lab/stopped"
expect "there is none" test "$(constraints)" = 0
on n1 rm -r /root/bin /root/moving /root/go
expect_within 30 "all in order" all_ready
away=n2
[ "$(promoted)" != n2 ] || away=n3
not_ready() {
	! on n1 cibadmin --query --local --xpath "//node_state[@uname='$away']\
/transient_attributes//nvpair[@name='master-$rsc']" |
	    grep 'value="[1-9]' >/dev/null
}
on n1 pcs node standby $away
expect_within 20 "$away stands by no more" not_ready
expect_exit 3 "$away is not ready" "a drill is refused" cl n1 drill failover
on n1 pcs node unstandby $away
expect_within 30 "all in order" all_ready

step "claviger drill failover --power-off"
log_allow 'attrd|pacemaker|stonith|fence'
active=$(promoted)
peer=n1
[ "$active" != n1 ] || peer=n2
expect_exit 3 "$active is this host" "not from the active node" \
    cl "$active" drill failover --power-off --yes
expect_exit 4 "$active, which is active, would lose power" "not unasked" \
    cl $peer drill failover --power-off
on n1 crm_attribute --name stonith-enabled --update false
expect_exit 3 "fencing is switched off" "not without fencing" \
    cl $peer drill failover --power-off --yes
on n1 crm_attribute --name stonith-enabled --update true
devices() { # NUMBER: of the active node, once Pacemaker has read it
	on $peer stonith_admin --list "$active" | grep "^$1 fence device"
}
hosts=(on n1 crm_resource --resource power --set-parameter pcmk_host_list)
"${hosts[@]}" --parameter-value "$peer" >/dev/null
expect_within 20 "a device for $peer alone" devices 0
expect_exit 3 "no fencing device is for $active" "is not enough, either" \
    cl $peer drill failover --power-off --yes
"${hosts[@]}" --parameter-value "n1 n2 n3" >/dev/null
expect_within 20 "for all of them" devices 1
on n1 crm_resource --wait -T 60 >/dev/null 2>&1
must "a peer takes over" cl $peer drill failover --power-off --yes --json \
    --report /root/drill.html --output-as html
cp "$LAB_ROOT/$lab/last" "$LAB_ROOT/$lab/drill.json"
expect "the one that is active by now" promoted_is "$(field 'd["active_after"]')"
expect "$active really was fenced" fenced "$active"
expect "the report names them" test "$(field '[d["power_off"], d["moves"][0]["from"],
    d["moves"][0]["to"] == d["active_after"], len(d["moves"])]')" = \
    "[True, '$active', True, 1]"
expect "detection, fencing, epoch and address come before the first key" \
    test "$(field 'all(d["moves"][0][k + "_ms"] <= d["moves"][0]["first_key_ms"]
    for k in ("detected", "fenced", "epoch", "address"))')" = True
expect "and the promotion is in it" test "$(field 'd["moves"][0]["promoted_ms"]')" -gt 0
expect "the JSON is as claviger(1) says" "$tests/json-keys" \
    "$tests/../man/claviger.1" "drill failover" last_key_ms demoted_ms \
    <"$LAB_ROOT/$lab/drill.json"
phases() {
	on $peer grep -oE '(fenced, as|gone from|a new epoch|the address|promoted,|first key)' \
	    /root/drill.html | sort -u | wc -l
}
expect "the page has a row for each phase" test "$(phases)" = 6
on $peer rm -f /root/drill.html
lab power-on "$active"
expect_within 60 "$active is back and stands by" all_ready
