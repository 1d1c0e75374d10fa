#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster/recipes.sh
. "$(dirname "$0")/recipes.sh"

scenario "the recipe on top of a PostgreSQL cluster"
recipe_lab on-postgresql "n1 n2 n3" --shared
log_allow 'database'
CONNINFO=${CONNINFO/host=db /host=n1,n2,n3 target_session_attrs=read-write }
OWNER_CONNINFO=${CONNINFO/claviger_node/claviger_owner}

# What the recipe's README has the operator bring.
files=/etc/postgresql/claviger
password=$(secret_new)
for node in $nodes; do
	on $node install -d -o postgres -g postgres $files
	for file in server.crt server.key; do
		on $node install -o postgres -m 600 /etc/lab-db/$file $files/
	done
	echo "*:*:*:replicator:$password" |
	    on $node install -o postgres -m 600 /dev/stdin $files/replicator.pass
	on $node touch /etc/lab-by-hand
done

step "PostgreSQL"
step_run() { # FILE NODE
	recipe_run on-postgresql "$1" "$2"
}
must "the first server" recipe_run on-postgresql database.sh n1
for node in n2 n3; do
	on $node lab-cluster stop
	must "$node copies it" recipe_run on-postgresql follow.sh $node
	on $node lab-cluster start
done
expect_within 30 "the nodes are back" online n1 n2 n3
must "it is handed to Pacemaker" recipe_run on-postgresql postgresql.sh n1
primary() { rsc=pgsql promoted; }
streaming() { # COUNT: that many follow, and one of them is waited for
	local database
	database=$(primary)
	[ "$(sql "SELECT count(*) FROM pg_stat_replication
	    WHERE state = 'streaming' AND sync_state = 'quorum'")" = "$1" ]
}
expect_within 60 "a primary with two standbys" streaming 2 || exit 1

recipe_system
recipe_cluster on-postgresql
beside() { promoted_is "$(primary)"; }
expect_within 30 "the master secret server is where the primary is" beside
