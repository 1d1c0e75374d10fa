#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make installcheck: is what `make install` has put under $DESTDIR complete, and
# can it be used? The folders come from the Makefile, by environment.
# shellcheck disable=SC2154
set -uo pipefail
root=${DESTDIR-}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/claviger-installed.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

expect() { # SENTENCE COMMAND...
	local what=$1 output
	shift
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
		head -n 20 <<<"$output" | sed 's/^/    /'
	fi
}

# has MODE FILE...
has() {
	local mode=$1 file rc=0
	shift
	for file; do
		[ "$(stat -c %a "$root$file" 2>&1)" = "$mode" ] || {
			ls -l "$root$file"
			rc=1
		}
	done
	return $rc
}

pages=("$mandir/man1/claviger.1" "$mandir/man3/claviger-client.3"
	"$mandir/man5/claviger-keyring.5" "$mandir/man5/claviger.conf.5"
	"$mandir/man7/claviger-formats.7" "$mandir/man7/claviger-import.7"
	"$mandir/man7/claviger-troubleshooting.7"
	"$mandir/man7/ocf_claviger_master-secret.7"
	"$mandir/man7/ocf_claviger_network-name.7" "$mandir/man8/clavigerd.8")
unit=$systemdsystemunitdir/clavigerd.service

expect "programs and agents are there" has 755 "$bindir/claviger" \
	"$sbindir/clavigerd" "$agentdir/master-secret" \
	"$agentdir/network-name" "$pkglibexecdir/dns-update"
expect "the rest is there" has 644 "${pages[@]}" "$unit" \
	"$systemdsystemunitdir/claviger-backup.service" \
	"$systemdsystemunitdir/claviger-backup.timer" \
	"$systemdsystemunitdir/claviger-metrics.service" \
	"$systemdsystemunitdir/claviger-metrics.timer" \
	"$sysusersdir/claviger.conf" "$tmpfilesdir/claviger.conf" \
	"$bashcompdir/claviger" "$zshcompdir/_claviger" \
	"$uidgiddir/claviger-uidgid.conf" "$pkgconfigdir/claviger.pc" \
	"$includedir/claviger/store.h" "$examplesdir/corosync-fast.conf" \
	"$examplesdir/claviger-alerts.yml" \
	"$examplesdir/client-example.c" \
	"$examplesdir"/{two-nodes-{pcs,crm},three-nodes}/{README,corosync.conf,cluster.sh}

nothing_by_name_of_the_build() {
	! grep -rl -e "$abs_top_builddir" -e "${root:-$tmp}" \
	    "${pages[@]/#/$root}" "$root$unit" "$root$pkgconfigdir/claviger.pc" \
	    "$root$sysusersdir/claviger.conf" "$root$includedir/claviger"
}
# In distcheck the prefix is a folder of the build.
case $bindir in
"$abs_top_builddir"*) ;;
*) expect "nothing names the folder of the build" nothing_by_name_of_the_build ;;
esac

manuals() {
	local page rc=0
	for page in "${pages[@]/#/$root}"; do
		mandoc -Tlint -Wwarning "$page" || rc=1
	done
	return $rc
}
if command -v mandoc >/dev/null; then
	expect "the manual pages are clean mdoc" manuals
fi

# The unit, as far as a host can say that does not run it.
unit_security() {
	systemd-analyze security --offline=true --threshold=21 --no-pager \
	    "$root$unit"
}
if command -v systemd-analyze >/dev/null; then
	expect "the unit is confined (2.1 of 10 at most)" unit_security
fi
names_the_daemon() {
	grep -q "^ExecStart=$sbindir/clavigerd -f $sysconfdir/claviger/" \
	    "$root$unit"
}
expect "the unit starts the daemon that was installed" names_the_daemon

# The library: what a stranger compiles against it.
pkg() {
	PKG_CONFIG_PATH="$root$pkgconfigdir" PKG_CONFIG_SYSROOT_DIR=$root \
	    PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
	    pkg-config "$@" claviger
}
# made FILE PROGRAM: with what pkg-config says, and nothing else
made() {
	local -a flags
	read -ra flags < <(pkg --cflags --libs) && [ ${#flags[@]} -gt 0 ] &&
	    ${CC:-cc} -std=gnu17 -Wall -Wextra -Werror -o "$2" "$1" \
	    "${flags[@]}"
}
# Against a daemon it runs in a scenario; here there is none.
example() {
	local said
	made "$root$examplesdir/client-example.c" "$tmp/client-example" ||
	    return 1
	said=$(LD_LIBRARY_PATH=$root$libdir "$tmp/client-example" a b c 2>&1)
	[[ $? = 2 && $said = usage:* ]]
}
version() { [ "$(pkg --modversion)" = "$PACKAGE_VERSION" ]; }
headers() {
	local header rc=0
	for header in "$root$includedir"/claviger/*.h; do
		${CC:-cc} -std=gnu17 -Wall -Wextra -Werror -fsyntax-only \
		    -I "$root$includedir" -include "$header" -x c /dev/null ||
		    rc=1
	done
	return $rc
}
# A library that is built with a sanitizer does not run in another's program.
case "$SAN_CFLAGS" in
*fsanitize*) ;;
*) expect "the example is made by pkg-config, and runs" example ;;
esac
expect "pkg-config names the version" version
expect "each installed header compiles alone" headers

exported() {
	nm -D --defined-only "$root$libdir/libclaviger.so" |
	    awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u
}
declared() {
	cat "$root$includedir"/claviger/*.h |
	    ${CC:-cc} -fpreprocessed -dD -E -P - 2>/dev/null |
	    grep -oE '\bclv_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u
}
exports_only_clv() {
	local others
	others=$(exported | grep -v '^clv_[a-z]')
	[ -z "$others" ] || { echo "$others"; return 1; }
}
exports_what_is_declared() {
	local missing
	missing=$(comm -13 <(exported) <(declared))
	[ -z "$missing" ] || { echo "not exported: $missing"; return 1; }
}
declares_what_is_exported() {
	local hidden
	hidden=$(comm -23 <(exported) <(declared))
	[ -z "$hidden" ] || { echo "in no header: $hidden"; return 1; }
}
# What the header has and the page does not.
manual_names_all() {
	local missing
	missing=$(comm -23 \
	    <(grep -oE '\bclv_(client|secret)_[a-z_]+\(' \
	    "$root$includedir/claviger/client.h" | tr -d '(' | sort -u) \
	    <(sed -nE 's/^\.F[no] (clv_[a-z_]+).*/\1/p' \
	    "$root$mandir/man3/claviger-client.3" | sort -u) |
	    grep -vxE 'clv_client_(ask|admin)') # the command's own
	[ -z "$missing" ] || { echo "$missing"; return 1; }
}
expect "claviger-client(3) has every function of its header" manual_names_all

if [ -e "$root$libdir/libclaviger.so" ]; then
	expect "the library exports clv_ names only" exports_only_clv
	expect "what a header declares is exported" exports_what_is_declared
	expect "what is exported stands in a header" declares_what_is_exported
fi

says() { # PATTERN COMMAND...
	local pattern=$1 output
	shift
	output=$("$@") && grep -q -- "$pattern" <<<"$output"
}
expect "claviger runs" says "$PACKAGE_VERSION" "$root$bindir/claviger" --version
expect "clavigerd runs" says "$PACKAGE_VERSION" "$root$sbindir/clavigerd" -V
# A dynamic program names its interpreter.
is_linked() { # static|dynamic FILE
	local found=static
	! readelf -lW "$2" | grep INTERP >/dev/null || found=dynamic
	[ "$found" = "$1" ] || { echo "$2 is $found"; return 1; }
}
for agent in master-secret network-name; do
	expect "$agent is linked as configured" is_linked "$agent_link" \
	    "$root$agentdir/$agent"
	expect "$agent describes itself" says "<resource-agent name=\"$agent\"" \
	    env OCF_ROOT="$root$ocfrootdir" "$root$agentdir/$agent" meta-data
done

# Agents run as root: position-independent, and nothing to overwrite that is
# called through.
hardened() { # PROGRAM
	local said sign
	said=$(LC_ALL=C readelf -hlWd "$root$1") || return 1
	for sign in '^ *Type: *DYN' GNU_RELRO 'FLAGS_1.* NOW' \
	    'GNU_STACK .* RW '; do
		grep -q "$sign" <<<"$said" || {
			echo "no $sign"
			return 1
		}
	done
}
lacks_interpreter() { ! readelf -lW "$root$1" | grep INTERP; }
needs_libc_only() {
	! LC_ALL=C readelf -dW "$root$1" | grep NEEDED | grep -v '\[libc\.so'
}
for agent in master-secret network-name; do
	expect "$agent is hardened" hardened "$agentdir/$agent"
	case "$SAN_CFLAGS" in
	*fsanitize*) ;;
	*) expect "$agent needs no library but libc" \
		needs_libc_only "$agentdir/$agent" ;;
	esac
	[ "$STATIC_AGENTS" != yes ] ||
	    expect "$agent is static" lacks_interpreter "$agentdir/$agent"
done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
