#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# resource-agents' own cases for IPaddr2 (ocft), run against network-name. All
# of them: where the two are meant to differ, the expectation is rewritten
# below, and said so.
. "$(dirname "$0")/lib.sh"
configs=/usr/share/resource-agents/ocft/configs
if ! command -v ocft >/dev/null || [ ! -e $configs/IPaddr2v6 ]; then
	echo "1..0 # SKIP needs ocft (package resource-agents)"
	exit 77
fi
enter_namespaces "$@"
make_links
ip addr flush dev eth0
mkdir -p /run/cases "$scratch/bin" "$scratch/configs" "$scratch/agents"
mkdir -p /var/lib/resource-agents 2>/dev/null
mount -t tmpfs tmpfs /var/lib/resource-agents
mkdir -p /var/lib/resource-agents/ocft/cases
# ocft looks every second whether the agent has ended.
printf '#!/bin/sh\nexec /bin/sleep 0.05\n' >"$scratch/bin/sleep"
chmod 755 "$scratch/bin/sleep"
cp "$AGENT_DIR/network-name" "$scratch/agents/"

# Not the same as in IPaddr2: a missing interface is the fault of one node
# (start 5, not 6, which would ban the resource from the cluster), and
# validate-all at level 0 does not look at the host.
cat >"$scratch/differences" <<'SED'
/set invalid .OCF_RESKEY_nic/,/^$/ {
	s/AgentRun start OCF_ERR_CONFIGURED/AgentRun start OCF_ERR_INSTALLED/
	s/AgentRun validate-all OCF_ERR_CONFIGURED/AgentRun validate-all OCF_SUCCESS/
}
SED
for set in IPaddr2 IPaddr2v4 IPaddr2v6; do
	sed -e 's/^\([[:space:]]*Agent\) IPaddr2/\1 network-name/' \
	    -e "s|^\([[:space:]]*AgentRoot\).*|\1 $scratch/agents|" \
	    "$configs/$set" >"$scratch/asis"
	sed -f "$scratch/differences" "$scratch/asis" >"$scratch/configs/$set"
	diff "$scratch/asis" "$scratch/configs/$set" |
	    sed -n 's/^> */# other than IPaddr2: /p'
done

# A case writes its name and a word for every check in it.
one_line_a_case() { # SET
	awk -v "set=$1: " '
	index($0, set) == 1 { if (line) print line; line = $0; next }
	/^(Cleaning|Initializing|Done)/ { next }
	line { line = line " " $0 }
	END { if (line) print line }' "$scratch/$1.plain"
}

for set in IPaddr2 IPaddr2v4 IPaddr2v6; do
	cases=$(grep -c '^CASE ' "$scratch/configs/$set")
	ocft make -d "$scratch/configs" $set >"$scratch/make.out" 2>&1
	PATH=$scratch/bin:$PATH ocft test $set >"$scratch/$set.out" 2>&1
	tr '\r' '\n' <"$scratch/$set.out" | sed 's/\x1b\[[0-9;]*m//g' \
	    >"$scratch/$set.plain"
	[ -z "${VERBOSE:-}" ] || cat "$scratch/$set.plain"
	ran=0
	while IFS= read -r line; do
		ran=$((ran + 1))
		case $line in
		*FAILED* | *ERROR*) fail "$line" ;;
		*OK.*) pass "${line%% - OK.*}" ;;
		*) fail "$line" ;;
		esac
	done < <(one_line_a_case $set)
	ok "$set: each of its $cases cases was run" [ "$ran" = "$cases" ]
done
finish
