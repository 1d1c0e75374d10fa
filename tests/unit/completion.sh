#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a shell suggests behind the words of a command.
set -u
LC_ALL=C
claviger=${CLAVIGER:-$PWD/claviger}
source=$(cd "$(dirname "$0")/../.." && pwd)
failed=0 passed=0
claviger() { "$claviger" "$@"; }
cd "$(mktemp -d)" || exit 1
trap 'rm -rf "$PWD"' EXIT
touch a-backup other
# shellcheck source=daemon/completion/claviger
. "$source/daemon/completion/claviger"

# completed WORD...: what is suggested for the last of the words, to $got
completed() {
	local COMP_CWORD=$# COMPREPLY=()
	COMP_WORDS=(claviger "$@")
	_claviger
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' ')
}
is() { # RC WHAT
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: claviger $2"
	fi
}
# suggests "WANTED..." WORD...: these and no others
suggests() {
	local wanted=$1
	shift
	completed "$@"
	[ "$got" = "$wanted" ]
	is $? "$*: '$got', not '$wanted'"
}
# offers "WANTED..." WORD...: these among others
offers() {
	local wanted=$1 rc=0 one
	shift
	completed "$@"
	for one in $wanted; do
		[[ " $got " = *" $one "* ]] || rc=1
	done
	is $rc "$*: '$got', without all of '$wanted'"
}

suggests 'recovery restore rotate run' r
suggests 'settings status' s
suggests 'combine create recipient' recovery ''
suggests 'create' recovery cr
suggests '--help --json --output-as --watch' status ''
suggests '--json' status --j
offers '--help --passphrase-fd --passphrase-file a-backup other verify' backup ''
offers '--help --json --passphrase-file a-backup other' backup verify ''
completed backup verify ''
[[ " $got " != *' verify '* ]]
is $? "backup verify: '$got'"
suggests 'a-backup' backup a
suggests 'a-backup other' restore --passphrase-file ''
suggests '' restore --passphrase-fd ''
suggests '--json' restore a-backup --j
suggests '' no-such-verb ''
suggests '' ''\''; touch hit' ''
if [ -e hit ]; then
	failed=$((failed + 1))
	echo "FAILED: a word was run"
fi
if command -v zsh >/dev/null; then
	zsh -n "$source/daemon/completion/_claviger" || failed=$((failed + 1))
fi
echo "completion: $passed passed, $failed failed"
[ $failed = 0 ]
