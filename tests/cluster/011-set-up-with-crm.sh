#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "the same set-up with crm"
lab_fresh
must "the system is created" system_init
must "n2 joins and is approved" join_and_approve n2
must "n3 joins and is approved" join_and_approve n3
expect "crm describes the agent" on n1 crm ra info ocf:claviger:master-secret
commands=$(on n1 claviger cluster commands --crm)
expect "the commands spell the operations out" \
    grep -q 'op monitor.*role=' <<<"${commands//$'\n'/ }"
must "the printed commands run as they are" on n1 bash -ec "$commands"
expect_within 30 "one node serves, two stand by" all_ready
expect "the address is where the role is, and only there" serving
expect "crm configure verify is content" on n1 crm configure verify
must "a member is enrolled" member_enrol
expect "it obtains the current key" fetches
active=$(promoted)
step "the role moves away from $active by crm"
on n1 crm node standby "$active"
expect_within 20 "another node serves" promoted_other "$active"
expect_within 10 "with the address" serving
expect "the member obtains the key" fetches
on n1 crm node online "$active"
expect_within 30 "the node stands by again" all_ready
