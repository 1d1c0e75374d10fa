/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_MEMBER_POLICY_H
#define CLAVIGERD_MEMBER_POLICY_H

#include <stddef.h>
#include <claviger/api.h>

/*
 * What a member may do: a pure table without I/O. The keeper turns what
 * happens on the way to the server into events; every pair is listed. The
 * manual page clavigerd(8) shows the same table.
 */
enum member_event {
	MEMBER_EV_REFRESHED, /* the active server answered, and was accepted */
	MEMBER_EV_FAILED,    /* it did not, and not at the second try */
	MEMBER_EV_LOADED,    /* keys came from the sealed cache */
	MEMBER_EV_AGED,	     /* the clock says that they are not for use */
	MEMBER_EV_REVOKED,   /* the system says that this host has no right */
	MEMBER_EVENTS
};

enum member_action {
	MEMBER_ACT_NONE,
	MEMBER_ACT_PERMIT, /* as the answer says: writing may go on */
	MEMBER_ACT_FORBID, /* no writing from now on */
	MEMBER_ACT_DROP	   /* ... and the keys are wiped */
};

struct member_rule {
	enum clv_member_state from;
	enum member_event event;
	enum clv_member_state to;
	enum member_action action;
	const char *why;
};

#define MEMBER_STATES 4
const struct member_rule *member_rule(
    enum clv_member_state from, enum member_event event);
const struct member_rule *member_rules(size_t *ret_n);
const char *member_state_name(enum clv_member_state state);
const char *member_event_name(enum member_event event);

#endif
