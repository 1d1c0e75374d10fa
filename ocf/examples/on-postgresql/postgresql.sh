#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Fencing and the PostgreSQL cluster, with pcs: run it as root, once, on n1,
# where database.sh was run, when the others have had follow.sh.
set -eu
. "$(dirname "$0")/settings"

# From here it is Pacemaker's to start.
as_postgres "$bindir/pg_ctl" -D "$pgdata" -m fast -w -s stop

# An agent and its options, hence several words.
# shellcheck disable=SC2086
{
pcs stonith create power-n1 $power_n1 pcmk_host_list=n1
pcs stonith create power-n2 $power_n2 pcmk_host_list=n2
pcs stonith create power-n3 $power_n3 pcmk_host_list=n3
}
# The majority fences at once; whoever is alone may not, so nobody need wait.
pcs property set stonith-enabled=true

# PAF, package resource-agents-paf: of the standbys it promotes the one that
# has most, and a planned move costs no copy.
pcs resource create pgsql ocf:heartbeat:pgsqlms bindir="$bindir" \
    pgdata="$pgdata" pghost=/run/postgresql \
    op start timeout=60s op stop timeout=60s op promote timeout=30s \
    op demote timeout=120s op notify timeout=60s \
    op monitor interval=5s timeout=10s role=Promoted \
    op monitor interval=6s timeout=10s role=Unpromoted \
    promotable promoted-max=1 notify=true
