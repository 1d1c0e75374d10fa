# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Used by run-tests and quickstart: packages, and a build in a folder of its own.

packages_missing() {
	local package
	while read -r package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" \
		    2>/dev/null)" = installed ] || echo "$package"
	done < <(grep -v '^#' "${top:?}/tests/packages" | tr ' ' '\n')
}

# Nothing that is installed here starts on the host: the lab has its own.
packages_install() {
	local missing policy=/usr/sbin/policy-rc.d rc=0
	missing=$(packages_missing)
	[ -n "$missing" ] || return 0
	missing=${missing//$'\n'/ }
	echo "installing: $missing"
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	else
		policy=
	fi
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086
	apt-get -qq update && apt-get -qq install -y --no-install-recommends \
	    $missing </dev/null >/dev/null || rc=1
	[ -z "$policy" ] || rm -f "$policy"
	[ $rc = 0 ] || echo "apt-get could not install: $missing" >&2
	return $rc
}

# npm_install DIR PACKAGE@VERSION: another implementation, to test against.
# Whatever is not to be had is not there, and its test is skipped.
npm_install() {
	local dir=$1 package=$2
	[ ! -d "$dir/node_modules/${package%@*}" ] || return 0
	command -v npm >/dev/null || DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends npm \
	    </dev/null >/dev/null 2>&1
	mkdir -p "$dir" && timeout 60 npm install --prefix "$dir" \
	    --ignore-scripts --no-audit --no-fund --silent "$package" \
	    </dev/null || echo "skipped: npm cannot install $package"
}

# build_configure DIR CONFIGURE-OPTION...: as a distribution does it.
build_configure() {
	local dir=$1
	shift
	[ -x "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ] ||
	    (cd "$top" && autoreconf -fi) || return 1
	mkdir -p "$dir" && (cd "$dir" &&
	    "$top/configure" --prefix=/usr --sysconfdir=/etc \
	    --localstatedir=/var "$@")
}

# build_tree DIR CONFIGURE-OPTION...
build_tree() {
	build_configure "$@" && make -C "$1" -j"$(nproc)"
}
