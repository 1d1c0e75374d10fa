# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Labs of scenarios: shared ones are passed on while they are in order.

owner=${LAB_OWNER:-$$}

lab() { "$tests/lab/lab" -n "$lab" "$@"; }
on() {
	local node=$1
	shift
	lab exec "$node" "$@"
}

lab_up() {
	local args=(--owner "$owner")
	[ -z "${LAB_PREFIX-}" ] || args+=(--prefix "$LAB_PREFIX")
	step "lab $lab: $*"
	must "a lab is up" lab up "${args[@]}" "$@"
}

# lab_fresh [OPTION...]: one of its own, removed at the end.
lab_fresh() {
	lab=own-$$
	lab_kept=no
	lab_up "$@"
	log_begin
}

# lab_shared KIND [OPTION...]: one that earlier scenarios of this KIND have
# left in order, or a new one. The name carries the owner: two runs of
# run-tests do not meet.
lab_shared() {
	lab=$1-$owner
	shift
	lab_kept=yes
	if [ "$owner" = $$ ]; then
		lab_kept=no
	fi
	[ -e "$LAB_ROOT/$lab/in-order" ] || {
		lab down
		lab_up "$@"
	}
	rm -f "$LAB_ROOT/$lab/in-order"
	log_begin
}

lab_release() {
	[ -n "${lab-}" ] || return 0
	if [ "$failed" = 0 ] && [ "$lab_kept" = yes ]; then
		touch "$LAB_ROOT/$lab/in-order"
	elif [ -z "${LAB_KEEP-}" ]; then
		lab down
	fi
}
