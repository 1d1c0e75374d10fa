#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# on-nodes.sh DIR: the packages of DIR, as ./build has left them there, on the
# nodes of a lab.
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/../cluster/lib.sh"
debs=$(readlink -f "$1")
version=$(dpkg-deb -f "$debs"/clavigerd_*.deb Version)
next=$(dpkg-deb -f "$debs"/next/clavigerd_*.deb Version)
server=("$debs"/{.,next}/{clavigerd,claviger,claviger-resource-agents}_*.deb)
library=("$debs"/libclaviger{0,-dev}_*.deb)

scenario "the packages: installed on nodes, upgraded below a service, purged"
unset LAB_PREFIX
lab_fresh --nodes 3

# In a lab the host's own software lies below; these are not there.
forget_users() {
	local user
	on client rm -f /etc/corosync/uidgid.d/claviger
	for user in claviger claviger-front; do
		on client sed -i "/^$user:/d" /etc/passwd /etc/group || return 1
	done
}
# bring HOST FILE...: without the index of manual pages, which takes longest.
bring() {
	local root host=$1
	shift
	root=$(lab path "$host")/root
	mkdir -p "$root/debs" && cp "$@" "$root/debs/" &&
	    on "$host" rm -f /var/lib/man-db/auto-update
}
install() { # HOST VERSION
	on "$1" sh -c "DEBIAN_FRONTEND=noninteractive dpkg -i \
	    --force-unsafe-io /root/debs/*_$2_*.deb" </dev/null
}
install_on() { # VERSION HOST...
	local version=$1 host jobs=() job rc=0
	shift
	for host; do
		install "$host" "$version" >"$LAB_ROOT/$lab/dpkg.$host" 2>&1 &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job" || rc=1
	done
	[ $rc = 0 ] || tail -n 15 "$LAB_ROOT/$lab"/dpkg.*
	return $rc
}
# Files that were written on the host, and folders that it alone has.
own_files() {
	local disk
	disk=$(lab path "$1")
	(cd "$disk" && find etc/up usr/up var/up ! -type c \( ! -type d -o \
	    -exec sh -c 'test ! -d "/${1%%/*}/${1#*/up/}"' - {} \; \) -print) |
	    sed 's|/up/|/|' | sort
}
# What dpkg, ldconfig and the like keep for themselves; and the two users, who
# stay.
is_no_trace='^var/(lib/dpkg|cache|log)/|^etc/(passwd|group|shadow|gshadow)-?$'
is_no_trace+='|^etc/(ld\.so\.cache|\.pwd\.lock|subuid|subgid)|^var/lib/systemd$'
traces() {
	comm -13 "$LAB_ROOT/$lab/before" <(own_files client) |
	    grep -vE "$is_no_trace"
}
traces_are() { [ "$(traces)" = "$1" ] || { traces; return 1; }; }
owned() { # HOST OWNER:GROUP MODE FILE...
	local host=$1 file rc=0
	for file in "${@:4}"; do
		[ "$(on "$host" stat -c %U:%G:%a "$file")" = "$2:$3" ] || {
			on "$host" ls -ld "$file"
			rc=1
		}
	done
	return $rc
}
as_shipped() {
	local said
	said=$(on "$1" dpkg -V libclaviger0 libclaviger-dev clavigerd claviger \
	    claviger-resource-agents)
	[ -z "$said" ] || { echo "$said"; return 1; }
}
version_is() { # HOST VERSION
	[ "$(on "$1" dpkg-query -W -f "\${Version}" clavigerd)" = "$2" ]
}
# The rights that root has under the unit, and no others.
start_confined() { # HOST
	local rights
	rights=$(on "$1" sed -n 's/^CapabilityBoundingSet=//p' \
	    /lib/systemd/system/clavigerd.service | tr '[:upper:]' '[:lower:]')
	rights=${rights// /,}
	on "$1" sh -c "setpriv --no-new-privs --inh-caps=-all \
	    --bounding-set=-all,${rights//cap_/+} prlimit --nofile=16384 \
	    clavigerd </dev/null >/dev/null 2>&1 &"
}
daemon_gone() { ! on "$1" pgrep -x clavigerd >/dev/null; }
daemons() { on "$1" pgrep -x clavigerd | head -n 1; }
other_than() { nodes_on | grep -vx "$1" | head -n 1; }

step "install"
must "a host that has never seen it" forget_users
own_files client >"$LAB_ROOT/$lab/before"
for host in n1 n2 n3; do
	must "the packages are on $host" bring $host "${server[@]}"
done
must "and on the client" bring client "${server[@]}" "${library[@]}"
must "dpkg installs them" install_on "$version" n1 n2 n3 client
must "claviger runs" on client claviger --version
expect "clavigerd runs" on client clavigerd -V
expect "the host has its users" on client getent passwd claviger claviger-front
refute "who may not log in" on client su -s "" claviger -c true
expect "state belongs to the keeper alone" \
    owned client claviger:claviger 700 /var/lib/claviger
expect "configuration and sockets to root" \
    owned client root:root 755 /etc/claviger /run/claviger
expect "programs are root's, and not to be written by others" \
    owned client root:root 755 /usr/bin/claviger /usr/sbin/clavigerd \
    /usr/lib/ocf/resource.d/claviger/{master-secret,network-name} \
    /usr/libexec/claviger/dns-update
expect "so are units and manuals" owned client root:root 644 \
    /lib/systemd/system/clavigerd.service /usr/lib/sysusers.d/claviger.conf \
    /usr/share/man/man{1/claviger.1,8/clavigerd.8}.gz \
    /etc/corosync/uidgid.d/claviger-uidgid.conf
expect "all is as it was shipped" as_shipped client
refute "nothing was started" on client pgrep -x clavigerd

step "a cluster from them"
for host in n1 n2 n3; do
	on $host rm -f /etc/corosync/uidgid.d/claviger
	expect "corosync on $host reads its new user" on $host corosync-cfgtool -R
done
system_up
must "the member runs the daemon" member_daemon client

step "an upgrade below the service"
active=$(promoted)
before=$(daemons "$active")
expect "dpkg upgrades the nodes" install_on "$next" n1 n2 n3
expect "to the next version" version_is "$active" "$next"
expect "the active daemon is the one that was" \
    test "$(daemons "$active")" = "$before"
expect "it serves" serving
expect "the member obtains the key" fetches
must "the role moves to another node, which was upgraded, too" \
    on n1 crm_resource -r $rsc-clone --move --promoted -N "$(other_than "$active")"
expect_within 30 "it serves there" promoted_other "$active"
on n1 crm_resource --clear -r $rsc >/dev/null 2>&1
expect_within 30 "and all are ready" all_ready

step "a server node with the rights of the unit"
node=$(other_than "$(promoted)")
on n1 pcs node standby "$node"
expect_within 20 "its daemon ends" daemon_gone "$node"
start_confined "$node"
on n1 pcs node unstandby "$node"
expect_within 40 "it stands by" all_ready
log_allow 'keeper was killed by signal 9|clavigerd.*(died|killed|ended|lost)'
on "$node" pkill -KILL -u claviger -x clavigerd
expect_within 4 "a failure is told to Pacemaker" score_is "$node" -INFINITY
expect_within 60 "and mended by it" all_ready

step "purge"
identity=$(on client sha256sum /var/lib/claviger/identity)
on client pkill -o -x clavigerd
expect_within 15 "the member's daemon ends" member_gone client
purge() {
	on client dpkg --purge claviger-resource-agents claviger clavigerd \
	    libclaviger-dev libclaviger0
}
expect "dpkg purges them" purge
refute "no program is left" on client test -e /usr/bin/claviger
expect "the identity is" test \
    "$(on client sha256sum /var/lib/claviger/identity)" = "$identity"
must "installed once more" install client "$version"
start_confined client
expect_within 20 "the same member is back, with the rights of the unit" \
    member_fresh client
log_allow 'keeper was killed by signal 9'
on client pkill -KILL -u claviger -x clavigerd
expect_within 15 "they are enough to end all when one is killed" \
    member_gone client
purged=$(purge 2>&1)
for dir in /var/lib/claviger /etc/claviger; do
	expect "purge says that it keeps $dir" \
	    grep -F "$dir is kept" <<<"$purged"
done
on client rm -r /var/lib/claviger /etc/claviger
expect "without those nothing of it is left" traces_are ""
