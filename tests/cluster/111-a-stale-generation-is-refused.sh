#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "a node that holds an old generation is not promoted"
lab_fresh
system_up
step "n3 is off while the master secret is rotated"
active=$(promoted)
absent=n3
[ "$active" != n3 ] || absent=n2
lab power-off $absent
expect_within 30 "the others go on" serving
passphrase "$active"
must "rotate, with its backup" cl "$active" rotate \
    --backup /root/claviger-2.age --passphrase-file $PASS
expect "generation 2 is current" \
    grep -qE '^ *2 +current' <<<"$(cl $active generation list)"
expect "the member obtains the new key" fetches

step "$absent comes back while the database is away: it cannot have the copy"
on db lab-db stop immediate
lab power-on $absent
expect_within 60 "it is online" online $absent
expect_within 40 "and may not be promoted" score_is $absent -INFINITY
holds 5 "not even then" score_is $absent -INFINITY
on db lab-db start
expect_within 60 "with the database it opens its waiting copy by itself" \
    all_ready
