#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"

scenario "wrong options, files, databases and addresses are refused by name"
lab_fresh --nodes 2
passphrase n1
clean() {
	! on n1 test -e /etc/claviger/claviger.conf &&
	    ! on n1 test -e /var/lib/claviger/identity &&
	    ! on n1 test -e $BACKUP &&
	    [ "$(sql "SELECT count(*) FROM pg_class WHERE relname = 'system'
	        AND relnamespace = to_regnamespace('claviger')::oid")" = 0 ]
}
init() {
	local database=$1 name=$2 ip=$3 backup=$4
	shift 4
	cl n1 init --database "$database" --database-passfile $PASSFILE \
	    --database-admin "$OWNER_CONNINFO" \
	    --database-admin-passfile $OWNER_PASSFILE --network-name "$name" \
	    --ip "$ip" --backup "$backup" --passphrase-file $PASS "$@"
}

step "options"
refused 2 'option --backup is missing' "init without --backup" cl n1 init \
    --database "$CONNINFO" --network-name mss --ip $FLOATING
refused 2 'no verb .frobnicate' "an unknown verb" cl n1 frobnicate
refused 2 'no option --colour' "an unknown option" cl n1 status --colour
refused 2 'holds a password' "a password in the connection string" \
    init "$CONNINFO password=geheim" mss $FLOATING $BACKUP
refute "it is not repeated in the error" grep geheim <<<"$said"
refused 2 'verify-full' "a database without a verified certificate" \
    init "${CONNINFO/verify-full/require}" mss $FLOATING $BACKUP
refused 2 'not an address' "no address" init "$CONNINFO" mss 10.78.0.300 $BACKUP
refused 5 'does not resolve' "a name that does not resolve" \
    init "$CONNINFO" nowhere $FLOATING $BACKUP
refused 19 'resolves to .*10.78.0.30, not to' "a name that resolves elsewhere" \
    init "$CONNINFO" client $FLOATING $BACKUP
refused 6 'in use on the network' "an address that somebody has" \
    init "$CONNINFO" client 10.78.0.30 $BACKUP
refused 8 'database cannot be used' "a database that does not exist" \
    init "${CONNINFO/dbname=claviger/dbname=nothing}" mss $FLOATING $BACKUP
refused 5 'folder is not there' "a backup in a folder that does not exist" \
    init "$CONNINFO" mss $FLOATING /nowhere/backup.age

step "files"
on n1 chmod 644 $PASS
refused 4 'others than its owner may read' "a passphrase that others can read" \
    init "$CONNINFO" mss $FLOATING $BACKUP
echo short | on n1 install -m 600 /dev/stdin $PASS
refused 2 'at least 14' "a passphrase that is too short" \
    init "$CONNINFO" mss $FLOATING $BACKUP
passphrase n1
on n1 chmod 644 $OWNER_PASSFILE
refused 4 'only its owner|others' "a password file that others can read" \
    init "$CONNINFO" mss $FLOATING $BACKUP
on n1 chmod 600 $OWNER_PASSFILE
on db lab-db stop fast
refused 8 'database cannot be used' "the database is away" \
    init "$CONNINFO" mss $FLOATING $BACKUP
on db lab-db start
expect "after all of that nothing is half-done" clean

step "two init at once"
copy n1 $OWNER_PASSFILE n2
system_init_on n2 >"$LAB_ROOT/$lab/second" 2>&1 &
second=$!
first=0
system_init >"$LAB_ROOT/$lab/first" 2>&1 || first=$?
wait $second
second=$?
echo "    n1: $first, n2: $second"
expect "one of them made the system, the other was told so" \
    grep -Ex '0 6|6 0' <<<"$first $second"
expect "the database holds one" test "$(sql 'SELECT count(*) FROM claviger.system')" = 1
loser=n1
[ $first != 0 ] || loser=n2
for file in /etc/claviger/claviger.conf /var/lib/claviger/identity \
    /var/lib/claviger/list $BACKUP; do
	refute "the other kept no $file" on $loser test -e "$file"
done

step "the configuration"
winner=n1
[ $loser = n2 ] || winner=n2
on $winner cp -p /etc/claviger/claviger.conf /root/claviger.conf
restore_config() { on $winner cp -p /root/claviger.conf /etc/claviger/; }
on $winner bash -c 'echo "databse = x" >>/etc/claviger/claviger.conf'
refused 2 'line [0-9]*: there is no key "databse".*"database"' "an unknown key, with the one that is meant" \
    cl $winner status
restore_config
on $winner chmod 666 /etc/claviger/claviger.conf
refused 4 'writable by others' "a configuration that anybody may write" \
    cl $winner status
restore_config

step "the database's schema is newer than the program"
table=claviger.schema_version
must "the schema says so" sql "CREATE TABLE public.kept AS SELECT * FROM $table;
    UPDATE $table SET version = version + 9"
refused 7 'schema version 13.*4' "join says so" cl $loser join --server \
    --system "$(config_of $winner system)" --database "$CONNINFO" \
    --database-passfile $PASSFILE
must "the schema is as before" sql "DELETE FROM $table;
    INSERT INTO $table SELECT * FROM public.kept"

step "the resource"
no_promotion() { promoted_none && address_nowhere; }
on n1 pcs resource create $rsc ocf:claviger:master-secret \
    ip=$FLOATING network_name=mss promotable promoted-max=2 >/dev/null 2>&1
shows_reason() { on n1 crm_mon -1 | grep -i "$1"; }
expect_within 20 "promoted-max 2 is refused, and why is shown" \
    shows_reason 'promoted-max'
expect "and nothing is promoted" no_promotion
log_allow 'master-secret|network-name|schema|claviger.conf'
