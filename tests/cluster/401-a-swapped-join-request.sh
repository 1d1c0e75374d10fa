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
system_join n3 >/dev/null
sql() {
	on db setpriv --reuid postgres --regid postgres --clear-groups \
	    psql -AtX -v ON_ERROR_STOP=1 -d claviger -c "$1"
}
table=$(sql "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relname LIKE '%join%'")
must "there is a table of requests: $table" test -n "$table"
step "the database's administrator puts n3's request in place of n2's"
column=$(sql "SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass
    AND atttypid = 'bytea'::regtype AND attnum > 0 ORDER BY attnum LIMIT 1")
key=$(sql "SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass
    AND atttypid = 'text'::regtype AND attnum > 0 ORDER BY attnum LIMIT 1")
must "the swap" sql "UPDATE $table SET $column =
    (SELECT $column FROM $table WHERE $key = 'n3') WHERE $key = 'n2'"
expect_exit '[1-9][0-9]*' 'fingerprint|signature|damaged|does not' \
    "approve refuses it" cl n1 node approve n2 --fingerprint "$fingerprint"
refute "n2 is not enrolled" grep -E '^n2 .*enrolled' \
    <<<"$(cl n1 node list)"
step "n2 asks again"
fingerprint=$(system_join n2 | fingerprint_in)
expect "and is approved" cl n1 node approve n2 --fingerprint "$fingerprint"
