#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "two failovers by power cut, and the failback"
lab_system
log_allow 'attrd|pacemaker|stonith|fence'
first=$(promoted)
before=$(epoch)
probe_start fetch claviger fetch --check
step "$first loses power"
lab power-off "$first"
expect_within 30 "another node serves" serving
second=$(promoted)
expect_within 10 "the member obtains the key" fetches
outage=$(probe_stop)
expect "outage $outage s: membership (8 s by default), fencing and little more" \
    at_most "$outage" 15
expect "it was fenced first" fenced "$first"
expect_within 15 "encryption is allowed when the old lease has ended" \
    encrypt_is True
middle=$(epoch)
expect "the epoch grew" test "$middle" -gt "$before"

step "$first comes back"
lab power-on "$first"
expect_within 60 "it stands by, proven" all_ready
expect "the role stays where it is" promoted_is "$second"

step "$second loses power, too"
lab power-off "$second"
expect_within 30 "another node serves" serving
expect_within 10 "the member obtains the key" fetches
expect "the epoch grew again" test "$(epoch)" -gt "$middle"
lab power-on "$second"
expect_within 60 "all stand by again" all_ready

step "failback to $first"
on n1 crm_resource -r $rsc-clone --move -N "$first" --promoted >/dev/null 2>&1
expect_within 20 "$first serves" serving_on "$first"
expect "the member obtains the key" fetches
on n1 crm_resource -r $rsc-clone --clear >/dev/null 2>&1
expect_within 30 "all in order" all_ready
