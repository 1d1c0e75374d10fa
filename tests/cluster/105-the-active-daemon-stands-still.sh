#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "SIGSTOP of the active daemon for 60 s, and back"
lab_system
log_allow 'clavigerd.*(died|killed|ended|signal|lost)'
log_allow 'master-secret.*(no server runs|does not answer|no answer in time)'
old=$(promoted)
before=$(epoch)
stopped=$(on "$old" pgrep -x clavigerd | tr '\n' ' ')
# shellcheck disable=SC2086
on "$old" kill -STOP $stopped
expect_within 60 "a peer serves" promoted_other "$old"
expect_within 10 "with the address" serving
expect "the member obtains the key" fetches
after=$(epoch)
expect "the epoch grew" test "$after" -gt "$before"
version=$(on "$(promoted)" claviger status --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["list_version"])')
step "what was stopped goes on, if anything of it is left"
wait_until 40 false
# shellcheck disable=SC2086
on "$old" kill -CONT $stopped 2>/dev/null
holds 10 "one node serves" serving
expect "PostgreSQL holds the new epoch" \
    test "$(epoch)" -ge "$after"
expect "no list was written by the old epoch" test "$version" = "$(
    on "$(promoted)" claviger status --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["list_version"])')"
expect "the member obtains the key" fetches
forget_failures
expect_within 60 "in order" all_ready
