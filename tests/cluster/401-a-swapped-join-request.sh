#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "a join request that was swapped in the database"
lab_fresh
must "the system is created" system_init
output=$(system_join n2)
fingerprint=$(fingerprint_in <<<"$output")
must "n2 has asked to join" test -n "$fingerprint"
table=$(sql "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relname LIKE '%join%'")
requests() { sql "SELECT count(*) FROM $table"; }
must "it is in the database ($table)" test "$(requests)" = 1

step "whoever rules the database puts another host's request in its place"
must "n2's own is taken away" sql "DELETE FROM $table"
must "n3 asks under the name n2" cl n3 join --server --node n2 \
    --system "$(system_key)" --database "$CONNINFO" \
    --database-passfile $PASSFILE
must "one request is there, for n2" test "$(requests)" = 1
expect_exit 4 'fingerprint' "approve refuses it by the fingerprint" \
    cl n1 node approve n2 --fingerprint "$fingerprint"
refute "n2 is not enrolled" grep -E '^n2 .*enrolled' \
    <<<"$(cl n1 node list)"
step "or changes one byte of it"
column=$(sql "SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass
    AND atttypid = 'bytea'::regtype AND attnum > 0 ORDER BY attnum LIMIT 1")
must "the change" sql "UPDATE $table SET $column =
    set_byte($column, 40, 255 - get_byte($column, 40))"
expect_exit '[1-9][0-9]*' 'no join request|signature|damaged|fingerprint' \
    "approve refuses that, too" \
    cl n1 node approve n2 --fingerprint "$fingerprint"
must "it is taken away" sql "DELETE FROM $table"
step "n2 asks again"
fingerprint=$(system_join n2 | fingerprint_in)
expect "and is approved" cl n1 node approve n2 --fingerprint "$fingerprint"
