# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Claviger itself in a lab: the first steps, as README gives them.

export CONNINFO="host=db dbname=claviger user=claviger_node sslmode=verify-full sslrootcert=/etc/claviger/db-ca.crt"
export OWNER_CONNINFO=${CONNINFO/claviger_node/claviger_owner}
PASSFILE=/etc/claviger/db.pass
OWNER_PASSFILE=/etc/claviger/owner.pass
BACKUP=/root/claviger-1.age
PASS=/root/passphrase

# cl NODE ARG...: the command; what it prints is kept for the canary scan, and
# in the file `last`.
cl() {
	local node=$1 rc=0
	shift
	on "$node" claviger "$@" </dev/null \
	    >"$LAB_ROOT/$lab/cl.$BASHPID" 2>&1 || rc=$?
	{
		echo "$node# claviger $*"
		cat "$LAB_ROOT/$lab/cl.$BASHPID"
	} >>"$LAB_ROOT/$lab/transcript"
	cat "$LAB_ROOT/$lab/cl.$BASHPID"
	mv "$LAB_ROOT/$lab/cl.$BASHPID" "$LAB_ROOT/$lab/last"
	return $rc
}

# passphrase NODE [TEXT]: into the file $PASS of that node.
passphrase() {
	echo "${2-a lab passphrase of enough letters}" |
	    on "$1" install -m 600 /dev/stdin $PASS
}

# copy FROM FILE TO [AS]: with mode 0600.
copy() {
	on "$1" cat "$2" | on "$3" install -m 600 /dev/stdin "${4-$2}"
}

# system_init [OPTION...]: a new system on n1.
system_init() { system_init_on n1 "$@"; }
system_init_on() {
	local node=$1
	shift
	passphrase "$node"
	cl "$node" init --database "$CONNINFO" --database-passfile $PASSFILE \
	    --database-admin "$OWNER_CONNINFO" \
	    --database-admin-passfile $OWNER_PASSFILE \
	    --network-name mss --ip "$FLOATING" \
	    --backup $BACKUP --passphrase-file $PASS "$@"
}

config_of() {
	on "$1" sed -n "s/^$2 = //p" /etc/claviger/claviger.conf
}

system_key() { config_of n1 system; }

# Prints what the node printed: the fingerprint among it.
system_join() {
	cl "$1" join --server --system "$(system_key)" \
	    --database "$CONNINFO" --database-passfile $PASSFILE
}

fingerprint_in() {
	sed -n 's/^fingerprint  *\([0-9a-f-]*\)$/\1/p'
}

# join_and_approve NODE [BY]
join_and_approve() {
	local fingerprint
	fingerprint=$(system_join "$1" | fingerprint_in)
	[ -n "$fingerprint" ] &&
	    cl "${2-n1}" node approve "$1" --fingerprint "$fingerprint"
}

# server_thumbprint [_next|_former [NODE]]: as the signed list has it there.
server_thumbprint() {
	cl "${2-n1}" settings show |
	    sed -n "s/^server_thumbprint${1-} *= *\([0-9a-f]*\).*/\1/p"
}

# join prints the whole line `claviger member add HOST --certificate HOST.crt`.
member_enrol() {
	local host=${1-client} by=${2-n1} thumbprint add
	thumbprint=$(server_thumbprint)
	add=$(cl "$host" join --member --system "$(system_key)" \
	    --server-thumbprint "$thumbprint" --network-name mss |
	    sed -n 's/^ *claviger \(member add .*\)/\1/p')
	[ -n "$add" ] || return 1
	on "$host" cat /var/lib/claviger/tls.crt |
	    on "$by" install -m 644 /dev/stdin "/root/$host.crt"
	eval "cl $by $add"
}

# member_daemon HOST: enrolled, with a login of its own in PostgreSQL, and its
# daemon runs.
member_daemon() {
	local host=$1 thumbprint
	! member_fresh "$host" || return 0
	thumbprint=$(server_thumbprint)
	sql "DO \$\$ BEGIN
	    CREATE ROLE claviger_host LOGIN PASSWORD 'a host of the lab';
	    EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
	    GRANT claviger_member TO claviger_host" >/dev/null || return 1
	on "$host" mkdir -p /etc/claviger
	on n1 cat /etc/claviger/db-ca.crt |
	    on "$host" install -m 644 /dev/stdin /etc/claviger/db-ca.crt
	echo '*:5432:claviger:claviger_host:a host of the lab' |
	    on "$host" install -o claviger-front -m 600 /dev/stdin $PASSFILE
	cl "$host" join --member --system "$(system_key)" \
	    --server-thumbprint "$thumbprint" --network-name mss \
	    --database "${CONNINFO/claviger_node/claviger_host}" \
	    --database-passfile $PASSFILE || return 1
	on "$host" sh -c 'clavigerd </dev/null >/dev/null 2>&1 &'
	wait_until 20 member_fresh "$host"
}

member_field() {
	on "$1" claviger status --json 2>/dev/null | python3 -c 'import json, sys
print(json.load(sys.stdin).get(sys.argv[1], ""))' "$2"
}
member_fresh() {
	[ "$(member_field "$1" keys)" = fresh ] &&
	    [ "$(member_field "$1" database_up)" = True ]
}
member_gone() { ! on "$1" pgrep -x clavigerd; }
member_restart() {
	on "$1" pkill -o -x clavigerd
	wait_until 15 member_gone "$1" || return 1
	on "$1" sh -c 'clavigerd </dev/null >/dev/null 2>&1 &'
	wait_until 10 on "$1" test -S /run/claviger/api.sock
}

sees_app() { on "$1" claviger list | grep -x "$2" >/dev/null; }
member_is() { # NODE MEMBER STATE GENERATION: what that node knows of it
	on "$1" claviger member list | grep -E "^$2 +$3 +$4 " >/dev/null
}
gone_app() { ! sees_app "$@"; }
# A value that the canary scan will look for.
secret_new() { head -c 18 /dev/urandom | base64; }
canary_note() {
	local value
	for value in "$@"; do
		printf 'secret %s\n' "$(printf %s "$value" | xxd -p | tr -d '\n')" \
		    >>"$LAB_ROOT/$lab/canary-values"
	done
}
put_secret() {
	printf %s "$4" | on "$1" claviger put "$2" "$3"
}
same_on_all() {
	local host
	for host in client n1 n2 n3; do
		[ "$(on $host claviger get "$1" "$2")" = "$3" ] || return 1
	done
}
# as_user USER HOST APP NAME: with the group of that name alone.
as_user() {
	on "$2" setpriv --reuid "$1" --regid "$(on "$2" id -g "$1")" \
	    --clear-groups claviger get "$3" "$4"
}
refused_to() { ! as_user "$1" "$2" shop db/password; }
# credential_is UNIT NAME: as the service manager would ask for it.
credential_is() {
	printf 'of a unit' | on client claviger put shop "$2" >/dev/null
	[ "$(credential_of "$@")" = "of a unit" ]
}
credential_of() {
	on client python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0%s/unit/%s/%s" % (os.urandom(8).hex(), sys.argv[1], sys.argv[2]))
s.connect("/run/claviger/credentials.sock")
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())' "$1" "$2"
}

resource_pcs() {
	on n1 pcs resource create $rsc ocf:claviger:master-secret \
	    ip="$FLOATING" network_name=mss "$@" promotable
}

serving_on() {
	promoted_is "$1" && address_is "$1"
}
serving() { promoted_one && address_is "$(promoted)"; }

fetches() { cl "${1-client}" fetch --check; }

# encrypt_is True|False: so the server says.
encrypt_is() {
	cl client fetch --check --json |
	    python3 -c 'import json, sys
sys.exit(json.load(sys.stdin)["encrypt"] != '"$1"')'
}

# The epoch that members are served, by the node that serves.
epoch() {
	on "$(promoted)" claviger status --json |
	    python3 -c 'import json, sys; print(json.load(sys.stdin)["epoch"])'
}

# Standbys proven (50; for a minute after a failure less, but above 0), one node
# active: what a scenario begins and ends with.
all_ready() {
	local node active
	active=$(promoted)
	[[ $active =~ ^n[123]$ ]] && score_is "$active" 100 || return 1
	for node in ${nodes-n1 n2 n3}; do
		[ "$node" = "$active" ] || [[ $(score "$node") =~ ^[1-9] ]] ||
		    return 1
	done
}

# system_up: three approved nodes, one resource, a member.
system_up() {
	must "a system is created" system_init
	must "n2 joins and is approved" join_and_approve n2
	must "n3 joins and is approved" join_and_approve n3
	must "one pcs command makes the resource" resource_pcs
	expect_within 30 "one node serves, two stand by" all_ready || exit 1
	must "the address is up" serving
	must "a member is enrolled" member_enrol
	expect "the member obtains the key" fetches || exit 1
}

# lab_system: the shared lab with that in it, in order.
lab_system() {
	lab_shared system "$@"
	if [ -e "$LAB_ROOT/$lab/system" ]; then
		must "the system of the shared lab is in order" \
		    wait_until 30 all_ready
		on n1 crm_resource --wait -T 60 >/dev/null 2>&1
	else
		system_up
		touch "$LAB_ROOT/$lab/system"
	fi
}
