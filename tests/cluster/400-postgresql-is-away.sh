#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "PostgreSQL stops, a failover while it is away, and its return"
lab_system
log_allow 'database|pacemaker|stonith|fence|attrd'
first=$(promoted)
before=$(epoch)
expect_within 20 "encryption is allowed" encrypt_is True
step "PostgreSQL is killed"
on db lab-db stop immediate
expect "keys are served on" fetches
expect_within 30 "the lease ends: decryption only" encrypt_is False
expect "and served on" fetches
expect_exit '[1-9][0-9]*' 'bring PostgreSQL back|database|lease' \
    "nothing may be changed" cl "$first" settings set escrow_policy manual
holds 5 "the role stays" promoted_is "$first"

step "the active node loses power while the database is away"
lab power-off "$first"
expect_within 40 "a standby serves" serving
expect "the member obtains the key" fetches
expect "for decryption only" encrypt_is False
middle=$(epoch)
expect "the epoch grew by the witness alone" test "$middle" -gt "$before"

step "PostgreSQL is back"
second=$(promoted)
on db lab-db start
expect_within 60 "encryption is allowed again" encrypt_is True
expect "the node did not change" serving_on "$second"
expect "a fresh epoch was taken" test "$(epoch)" -gt "$middle"
lab power-on "$first"
expect_within 60 "all in order" all_ready
