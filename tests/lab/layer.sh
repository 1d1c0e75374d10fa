# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# The layer: what the lab lays over the host's /usr and /etc in every node,
# and the few files that one node alone has.

pg_bin=$(pg_config --bindir 2>/dev/null || echo /usr/lib/postgresql/15/bin)
[ -x "$pg_bin/initdb" ] || pg_bin=/usr/lib/postgresql/15/bin

layer_make() {
	local profile=$1 prefix=$2 cluster=$3 debug=$4 corosync=$5
	mkdir -p "$S/layer/etc/claviger" "$S/layer/etc/corosync" \
	    "$S/layer/usr/libexec/claviger-lab" "$S/layer/usr/sbin"
	chmod 755 "$S" "$S/layer" "$S/layer/etc" "$S/layer/usr"
	[ -z "$prefix" ] || ln -s "$prefix" "$S/prefix"
	layer_tools "$cluster"
	layer_users
	layer_hosts
	layer_corosync "$profile" "$corosync"
	layer_ring "$prefix"
	layer_cib
	layer_database
	[ -z "$debug" ] || layer_debug "$debug"
}

# Daemons of Pacemaker whose debug messages go to pacemaker.log.
layer_debug() {
	mkdir -p "$S/layer/etc/default"
	echo "PCMK_debug=$1" >"$S/layer/etc/default/pacemaker"
}

layer_tools() {
	local dir=$S/layer/usr/libexec/claviger-lab
	cp "$here/common.sh" "$here"/in-node/lab-* "$dir/"
	ln -s ../libexec/claviger-lab/lab-cluster \
	    ../libexec/claviger-lab/lab-db "$S/layer/usr/sbin/"
	cp "$here/fence_claviger_lab" "$S/layer/usr/sbin/"
	chmod 755 "$dir"/lab-* "$S/layer/usr/sbin/fence_claviger_lab"
	printf 'CLUSTER=%s\nPG_BIN=%s\n' "$1" "$pg_bin" >"$dir/config"
}

# The users that the package's set-up makes on a real node.
layer_users() {
	local etc=$S/layer/etc id=990 user
	cp -p /etc/passwd /etc/group "$etc/"
	for user in claviger claviger-front; do
		! grep -q "^$user:" "$etc/passwd" || continue
		while cut -d: -f3 "$etc/passwd" "$etc/group" |
		    grep -qx $id; do
			id=$((id - 1))
		done
		echo "$user:x:$id:" >>"$etc/group"
		echo "$user:x:$id:$id::/nonexistent:/usr/sbin/nologin" \
		    >>"$etc/passwd"
	done
}

layer_uid() {
	awk -F: -v u="$1" '$1 == u { print $3 ":" $4 }' "$S/layer/etc/passwd"
}

layer_hosts() {
	local host number
	{
		echo '127.0.0.1 localhost'
		echo '::1 localhost ip6-localhost'
		for host in $MEMBERS; do
			number=$(lab_number "$host")
			echo "$NET4.$number $host"
			echo "$NET6:$number $host"
		done
		# One family each, so that no client waits for the other.
		echo "$FLOATING mss"
		echo "$NET6:100 mss6"
	} >"$S/layer/etc/hosts"
	echo 'hosts: files' >"$S/layer/etc/nsswitch.conf"
	printf '%s: files\n' passwd group shadow \
	    services protocols >>"$S/layer/etc/nsswitch.conf"
	: >"$S/layer/etc/resolv.conf"
	for host in $MEMBERS; do
		mkdir -p "$S/nodes/$host/etc/up"
		echo "$host" >"$S/nodes/$host/etc/up/hostname"
	done
}

# layer_corosync PROFILE [FILE]
layer_corosync() {
	local conf=$S/layer/etc/corosync/corosync.conf node i=0
	if [ -n "$2" ]; then
		cp "$2" "$conf"
		! grep -q ring1_addr "$conf" || touch "$S/two-wires"
		return
	fi
	{
		cat <<-END
		totem {
		    version: 2
		    cluster_name: lab-$name
		    transport: knet
		    crypto_cipher: aes256
		    crypto_hash: sha256
		}
		END
		[ "$1" != fast ] || cat "$here/../../ocf/examples/corosync-fast.conf"
		echo 'nodelist {'
		for node in $NODES; do
			i=$((i + 1))
			echo "    node { "
			echo "        ring0_addr: $NET4.$(lab_number "$node")"
			echo "        name: $node"
			echo "        nodeid: $i"
			echo "    }"
		done
		echo '}'
		echo 'quorum {'
		echo '    provider: corosync_votequorum'
		[ $i != 2 ] || echo '    two_node: 1'
		echo '}'
		cat <<-END
		logging {
		    to_logfile: yes
		    logfile: /var/log/corosync/corosync.log
		    to_syslog: no
		    timestamp: hires
		}
		END
	} >"$conf"
}

# Its key, and who else may speak to corosync.
layer_ring() {
	(umask 077 && head -c 256 /dev/urandom \
	    >"$S/layer/etc/corosync/authkey")
	# For a build that brings none: the front speaks to corosync.
	[ -n "$(echo "$1"/etc/corosync/uidgid.d/*)" ] || {
		mkdir -p "$S/layer/etc/corosync/uidgid.d"
		printf 'uidgid {\n\tuid: claviger-front\n}\n' \
		    >"$S/layer/etc/corosync/uidgid.d/claviger"
	}
}

# A CIB to begin with, so that the first election does not take 20 s. Fencing
# is switched on when all nodes have been seen: a node that is still booting
# would be shot.
layer_cib() {
	cat >"$S/layer/usr/libexec/claviger-lab/cib.xml" <<-END
	<cib validate-with="pacemaker-3.7" epoch="1" num_updates="0" admin_epoch="0">
	 <configuration>
	  <crm_config>
	   <cluster_property_set id="cib-bootstrap-options">
	    <nvpair id="o-deadtime" name="dc-deadtime" value="2s"/>
	    <nvpair id="o-stonith" name="stonith-enabled" value="false"/>
	    <nvpair id="o-action" name="stonith-action" value="off"/>
	    <nvpair id="o-quorum" name="no-quorum-policy" value="stop"/>
	   </cluster_property_set>
	  </crm_config>
	  <nodes/><resources/><constraints/>
	 </configuration>
	 <status/>
	</cib>
	END
}

layer_secret() {
	head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

# layer_pass HOST FILE USER:PASSWORD OWNER
layer_pass() {
	local dir=$S/nodes/$1/etc/up/claviger
	mkdir -p "$dir"
	(umask 077 && echo "*:5432:claviger:$3" >"$dir/$2")
	chown "$4" "$dir/$2"
}

# Each database host has a certificate of its own; the one named db begins as
# the primary.
layer_database() {
	local dir owner node host standby
	owner=$(layer_secret)
	node=$(layer_secret)
	standby=$(layer_secret)
	layer_pass n1 owner.pass "claviger_owner:$owner" root
	for host in $NODES; do
		layer_pass "$host" db.pass "claviger_node:$node" \
		    "$(layer_uid claviger-front)"
	done
	layer_authority
	for host in $DATABASES; do
		dir=$S/nodes/$host/etc/up/lab-db
		mkdir -p "$dir"
		(umask 077 && echo "*:5432:replication:lab_standby:$standby" \
		    >"$dir/standby.pass")
		layer_certificate "$dir" "$host"
	done
	(umask 077 && cat >"$S/nodes/db/etc/up/lab-db/setup.sql") <<-END
	CREATE ROLE claviger_owner LOGIN CREATEROLE PASSWORD '$owner';
	CREATE ROLE claviger_node LOGIN PASSWORD '$node';
	CREATE ROLE lab_standby LOGIN REPLICATION PASSWORD '$standby';
	CREATE DATABASE claviger OWNER claviger_owner;
	END
	rm -f "$S/ca.key" "$S/db.csr" "$S/openssl.log"
	for host in $DATABASES; do
		chown -R postgres "$S/nodes/$host/etc/up/lab-db"
	done
}

layer_openssl() {
	openssl "$@" 2>"$S/openssl.log" ||
	    { cat "$S/openssl.log" >&2; return 1; }
}

layer_new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
layer_authority() {
	layer_openssl req -x509 "${layer_new[@]}" -days 30 \
	    -subj '/CN=lab database CA' \
	    -addext basicConstraints=critical,CA:true \
	    -keyout "$S/ca.key" -out "$S/layer/etc/claviger/db-ca.crt"
}

layer_certificate() {
	layer_openssl req "${layer_new[@]}" -subj "/CN=$2" \
	    -keyout "$1/server.key" -out "$S/db.csr"
	layer_openssl x509 -req -in "$S/db.csr" \
	    -CA "$S/layer/etc/claviger/db-ca.crt" -CAkey "$S/ca.key" -days 30 \
	    -set_serial "$((16#$(layer_secret | cut -c1-8)))" \
	    -out "$1/server.crt" -extfile <(echo "subjectAltName=DNS:$2")
}
