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
