#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Shares pass between the library and another implementation of SLIP-39, in
# both directions: the npm package slip39, which run-tests puts into
# build/npm; CLV_NPM is another place.
modules=${CLV_NPM:-${srcdir:-.}/build/npm}/node_modules
if ! command -v node >/dev/null || [ ! -d "$modules/slip39" ]; then
	echo "skipped: no node here, or no slip39 in $modules; set CLV_NPM"
	exit 77
fi
SLIP39_MODULE=$(cd "$modules/slip39" && pwd)
export SLIP39_MODULE
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
passed=0

ours() { ./slip39-tool "$@"; }
theirs() { node "${srcdir:-.}/tests/unit/slip39-interop.js" "$@"; }

# The last k shares of each of the groups named.
take() {
	for want in "$@"; do
		grep "^${want%:*} " "$dir/shares" | tail -n "${want#*:}"
	done | cut -d ' ' -f 2-
}

# pass WHAT FROM TO EXTENDABLE EXPONENT PASSPHRASE BYTES NEEDED K/N... -- TAKEN...
pass() {
	what=$1 from=$2 to=$3 extendable=$4 exponent=$5 passphrase=$6
	secret=$(od -An -v -tx1 -N "$7" /dev/urandom | tr -d ' \n')
	needed=$8 groups=
	shift 8
	while [ "$1" != -- ]; do
		groups="$groups $1"
		shift
	done
	shift
	# shellcheck disable=SC2086
	$from split "$extendable" "$exponent" "$passphrase" "$secret" \
	    "$needed" $groups >"$dir/shares" &&
	    take "$@" | $to combine "$passphrase" >"$dir/secret"
	if [ "$(cat "$dir/secret")" = "$secret" ]; then
		passed=$((passed + 1))
	else
		echo "FAILED: $what, from $from to $to"
		failed=$((failed + 1))
	fi
}

both() {
	what=$1
	shift
	pass "$what" ours theirs "$@"
	pass "$what" theirs ours "$@"
}

both "one share" 1 0 "" 16 1 1/1 -- 0:1
both "2 of 3 of 256 bits" 1 0 "" 32 1 2/3 -- 0:2
both "3 of 5 of 192 bits" 1 0 TREZOR 24 1 3/5 -- 0:3
both "16 of 16" 1 0 "" 32 1 16/16 -- 0:16
both "not extendable, with a passphrase" 0 1 "a p@ss phrase ~" 32 1 2/2 -- 0:2
both "an exponent" 1 2 TREZOR 16 1 2/3 -- 0:2
both "2 of 3 groups" 1 0 TREZOR 32 2 1/1 2/3 3/5 -- 2:3 0:1
both "2 of 3 groups, not extendable" 0 0 "" 16 2 1/1 2/3 3/5 -- 1:2 2:3

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
