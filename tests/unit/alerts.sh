#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The example alert rules: promtool takes them, they fire when they should
# (alerts.yml), and they name what claviger(1) says that there is.
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
rules=$source/ocf/examples/claviger-alerts.yml
passed=0 failed=0

expect() { # SENTENCE COMMAND...
	_what=$1
	shift
	if _out=$("$@" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $_what"
		echo "$_out" | sed 's/^/	/'
	fi
}

documented() {
	! grep -o 'claviger_[a-z_]*' "$rules" | sort -u | while read -r name; do
		grep -qx "\.It Va $name" "$source/man/claviger.1" || echo "$name"
	done | grep .
}
expect 'the rules name metrics of the manual page' documented
each_is_tested() {
	! sed -n 's/.*- alert: //p' "$rules" | while read -r name; do
		grep -q "alertname: $name$" "$source/tests/unit/alerts.yml" ||
			echo "$name"
	done | grep .
}
expect 'each rule is tested' each_is_tested
if command -v promtool >/dev/null; then
	expect 'promtool check rules' promtool check rules "$rules"
	expect 'promtool test rules' \
		promtool test rules "$source/tests/unit/alerts.yml"
else
	echo "skipped: promtool is not installed"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
