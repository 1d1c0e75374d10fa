#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The meta-data, as pacemaker, pcs, crmsh and ocf-tester take it. The agents
# are laid over resource.d, without being installed.
. "$(dirname "$0")/lib.sh"
enter_namespaces "$@"
resource_d=${OCF_RESOURCE_D:-/usr/lib/ocf/resource.d}
mkdir -p "$scratch/over/claviger" "$scratch/log"
cp "$AGENT_DIR/network-name" "$AGENT_DIR/master-secret" "$scratch/over/claviger"
chmod -R go+rX "$scratch"
mount -t overlay overlay -o "lowerdir=$scratch/over:$resource_d" "$resource_d"
# crm wants to write its log.
mount --bind "$scratch/log" /var/log
mkdir -p /var/log/crmsh /var/log/pacemaker

skip() {
	echo "# SKIP $*"
	skipped=$((skipped + 1))
}
have() { command -v "$1" >/dev/null; }
quiet_and() { # WORDS... -- COMMAND: its output has each of the words
	local words=()
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	"$@" >"$scratch/said" 2>&1 || { cat "$scratch/said"; return 1; }
	for w in "${words[@]}"; do
		grep -qF -- "$w" "$scratch/said" || {
			echo "does not have: $w"
			cat "$scratch/said"
			return 1
		}
	done
}
xml() { "$AGENT" meta-data; }
xpath() { xml | xmllint --nonet --noent --xpath "$1" - 2>/dev/null; }

for name in network-name master-secret; do
	AGENT=$resource_d/claviger/$name
	have xmllint || { skip "$name: needs xmllint"; continue; }
	ok "$name: well formed" eval 'xml | xmllint --noout --nonet -'
	if [ -e /usr/share/resource-agents/ra-api-1.dtd ]; then
		ok "$name: valid by the DTD of ocf-tester" eval 'xml |
		    (cd /usr/share/resource-agents && xmllint --noout --valid -)'
	else
		skip "$name: needs the DTD of resource-agents"
	fi
	rng=/usr/share/pcs/data/ocf-1.1.rng
	if [ -e $rng ]; then
		ok "$name: valid by the schema of pcs" eval \
		    'xml | xmllint --noout --relaxng $rng -'
	else
		skip "$name: needs the schema of pcs"
	fi
	ok "$name: no encoding is named" eval \
	    '[ "$(xml | head -1)" = "<?xml version=\"1.0\"?>" ]'
	ok "$name: OCF 1.1" [ "$(xpath 'string(//version)')" = 1.1 ]
	ok "$name: named like its file" [ \
	    "$(xpath 'string(/resource-agent/@name)')" = "$name" ]
	ok "$name: every parameter has both descriptions" [ \
	    "$(xpath 'count(//parameter[longdesc and shortdesc])')" = \
	    "$(xpath 'count(//parameter)')" ]
	ok "$name: every parameter of IPaddr2 that it should take" eval '
	    for p in ip nic cidr_netmask broadcast iflabel arp_count \
	        arp_interval arp_bg nodad noprefixroute check_link_status \
	        network_name; do
		[ "$(xpath "count(//parameter[@name=\"$p\"])")" = 1 ] ||
		    { echo "$p"; exit 1; }
	    done'
	ok "$name: every offered action is answered" eval '
	    for a in $(xml | sed -n "s/^<action name=\"\([^\"]*\)\".*/\1/p"); do
		env OCF_RESKEY_ip=bad "$AGENT" $a >/dev/null 2>&1
		[ $? != 3 ] || { echo $a; exit 1; }
	    done'
	ok "$name: roles are Promoted and Unpromoted" eval '! xml |
	    grep -o "role=\"[^\"]*\"" | grep -qvE "\"(Promoted|Unpromoted)\""'
	ok "$name: nothing is written to standard error" [ \
	    -z "$(xml 2>&1 >/dev/null)" ]
	ok "$name: works without any environment" env -i "$AGENT" meta-data
	ok "$name: the manual page shows what a monitor answers" eval \
	    '"$AGENT" --man | sed -n "/^\.Sh MONITOR/,/^\.Sh EX/p" |
	    grep -q "^\.It .*absent Ta 7 Ta not running"'
	if have mandoc; then
		ok "$name: the manual page has no warnings" eval \
		    '"$AGENT" --man | mandoc -Tlint -Wwarning'
	else
		skip "$name: needs mandoc"
	fi
	if have crm_resource; then
		ok "$name: crm_resource --show-metadata" quiet_and \
		    'unique-group="address"' -- \
		    crm_resource --show-metadata "ocf:claviger:$name"
		ok "$name: crm_resource --validate" crm_resource --validate \
		    --class ocf --provider claviger --agent "$name" \
		    --option ip=192.0.2.1 --option cidr_netmask=24
		ok "$name: crm_resource --validate of wrong parameters" eval \
		    '! crm_resource --validate --class ocf --provider claviger \
			--agent $name --option ip=192.0.2 2>&1'
	else
		skip "$name: needs crm_resource"
	fi
	if have pcs; then
		ok "$name: pcs resource describe" quiet_and arp_interval \
		    Default -- pcs resource describe "ocf:claviger:$name"
	else
		skip "$name: needs pcs"
	fi
	if have crm; then
		ok "$name: crm ra info" quiet_and \
		    'ip' 'monitor' 'cidr_netmask' -- \
		    crm ra info "ocf:claviger:$name"
	else
		skip "$name: needs crm"
	fi
done

# What an administrator would write down: op NAME INTERVAL ROLE TIMEOUT.
in_order() {
	awk '{
		split("", a)
		for (i = 3; i <= NF; i++) {
			split($i, w, "=")
			a[w[1]] = w[2]
		}
		print $1, $2, a["interval"], a["role"], a["timeout"]
	}' | sort
}
advised() {
	xml | tr -d '"' | sed -n 's/\/>//; s/^<action name=/op /p' |
	    grep -E '^op (start|stop|promote|demote|monitor) ' | in_order
}
written_down() { # in a text with an example of crm
	sed 's/\\e\{0,1\}$//' | tr '\n' ' ' |
	    grep -oE 'op [a-z]+( +(interval|timeout|role)=[A-Za-z0-9]+)+' |
	    in_order
}
AGENT=$resource_d/claviger/master-secret
ok "README advises the operations of the meta-data" diff <(advised) \
    <(written_down <"$here/../../README")
ok "and so does the manual page" diff <(advised) \
    <("$AGENT" --man | written_down)

if have pcs && have cibadmin; then
	cibadmin --empty >"$scratch/cib.xml"
	pcs_create() { pcs -f "$scratch/cib.xml" resource create "$@"; }
	ok "pcs creates network-name" pcs_create nn ocf:claviger:network-name \
	    ip=192.0.2.1 cidr_netmask=24 nic=eth0
	ok "pcs creates master-secret, promotable" pcs_create mss \
	    ocf:claviger:master-secret ip=192.0.2.2 network_name=k.example \
	    promotable
	for role in 5s:Promoted 10s:Unpromoted; do
		ok "with the monitor of ${role#*:}" [ 1 = "$(xmllint --xpath \
		    "count(//op[@name='monitor' and @interval='${role%:*}' and
		    @role='${role#*:}'])" "$scratch/cib.xml")" ]
	done
	ok "pcs refuses an address that is taken" eval '! pcs_create nn2 \
	    ocf:claviger:network-name ip=192.0.2.1 2>&1'
	ok "pcs refuses an unknown parameter" eval '! pcs_create nn3 \
	    ocf:claviger:network-name ip=192.0.2.3 no_such=1 2>&1'
	ok "pcs refuses a missing one" eval '! pcs_create nn4 \
	    ocf:claviger:network-name nic=eth0 2>&1'
	# Fencing is another matter.
	pcs -f "$scratch/cib.xml" property set stonith-enabled=false
	ok "the cluster's configuration is valid" crm_verify -V \
	    --xml-file "$scratch/cib.xml"
fi
[ "$skipped" = 0 ] || echo "# $skipped checks were skipped"
finish
