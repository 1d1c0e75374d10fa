#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first server and Claviger's database: run it as root, once, on n1. It
# leaves PostgreSQL running for follow.sh on the others.
set -eu
. "$(dirname "$0")/settings"

install -d -o postgres -g postgres "$(dirname "$pgdata")"
as_postgres "$bindir/initdb" -D "$pgdata" -A peer -k --locale=C.UTF-8 >/dev/null
cat >>"$pgdata/postgresql.conf" <<END
listen_addresses = '*'
unix_socket_directories = '/run/postgresql'
ssl = on
ssl_cert_file = '$files/server.crt'
ssl_key_file = '$files/server.key'
password_encryption = scram-sha-256
wal_log_hints = on

# What was acknowledged is on one standby at least, so that the failover of a
# whole host loses nothing. Any one of them: none is waited for that is away.
synchronous_standby_names = 'ANY 1 ($nodes)'

# Whoever follows finds the primary by itself, without an address that moves.
primary_conninfo = 'host=$nodes target_session_attrs=read-write user=replicator passfile=$files/replicator.pass sslmode=verify-full sslrootcert=$ca connect_timeout=2 application_name=n1'
END
{
	echo "local all all peer"
	for network in $networks; do
		echo "hostssl replication replicator $network scram-sha-256"
		echo "hostssl all all $network scram-sha-256"
	done
} >"$pgdata/pg_hba.conf"
as_postgres "$bindir/pg_ctl" -D "$pgdata" -l "$pgdata/start.log" -w -s start

# The passwords stand in their files alone: in no argument and no log.
{
	cat <<-'END'
	SET log_statement = none;
	SET log_min_error_statement = panic;
	SET synchronous_commit = local;
	CREATE ROLE claviger_owner LOGIN CREATEROLE PASSWORD :'owner';
	CREATE ROLE claviger_node LOGIN PASSWORD :'node';
	CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replicator';
	CREATE DATABASE claviger OWNER claviger_owner;
	END
} | {
	for role in owner=/etc/claviger/owner.pass node=/etc/claviger/db.pass \
	    replicator="$files/replicator.pass"; do
		printf "\\\\set %s '%s'\n" "${role%%=*}" \
		    "$(cut -d: -f5 "${role#*=}")"
	done
	cat
} | as_postgres psql -qX -v ON_ERROR_STOP=1 -d postgres
