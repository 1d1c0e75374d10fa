#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes this node's server a copy of the primary, which it will follow. What was
# here is gone: run it on a new node, and on one that has failed, while its
# Pacemaker does not run.
set -eu
. "$(dirname "$0")/settings"

primary="host=$nodes target_session_attrs=read-write user=replicator passfile=$files/replicator.pass sslmode=verify-full sslrootcert=$ca connect_timeout=2 application_name=$(uname -n)"
! pgrep -x pacemakerd >/dev/null || {
	echo "stop Pacemaker on this node first: it would start what is half there" >&2
	exit 1
}
install -d -o postgres -g postgres "$(dirname "$pgdata")"
rm -rf "${pgdata:?}.new"
as_postgres "$bindir/pg_basebackup" -D "$pgdata.new" -R -X stream -c fast \
    -d "$primary"
rm -rf "${pgdata:?}"
mv "$pgdata.new" "$pgdata"
