/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/member/member_policy.h"

#define NONE CLV_MEMBER_NONE
#define FRESH CLV_MEMBER_FRESH
#define AWAY CLV_MEMBER_AWAY
#define EXPIRED CLV_MEMBER_EXPIRED

/* clang-format off */
static const struct member_rule rules[] = {
/* from    event                 to       action             why */
{NONE,    MEMBER_EV_REFRESHED,  FRESH,   MEMBER_ACT_PERMIT, "keys obtained"},
{NONE,    MEMBER_EV_FAILED,     NONE,    MEMBER_ACT_NONE,   "no keys yet, and no server"},
{NONE,    MEMBER_EV_LOADED,     AWAY,    MEMBER_ACT_FORBID, "keys from the sealed cache, for reading"},
{NONE,    MEMBER_EV_AGED,       EXPIRED, MEMBER_ACT_DROP,   "the sealed cache is not used"},
{NONE,    MEMBER_EV_REVOKED,    NONE,    MEMBER_ACT_DROP,   "this host was revoked, or is not enrolled"},

{FRESH,   MEMBER_EV_REFRESHED,  FRESH,   MEMBER_ACT_PERMIT, "refreshed"},
{FRESH,   MEMBER_EV_FAILED,     AWAY,    MEMBER_ACT_FORBID, "the server cannot be reached: reading only"},
{FRESH,   MEMBER_EV_LOADED,     FRESH,   MEMBER_ACT_NONE,   "newer keys are here"},
{FRESH,   MEMBER_EV_AGED,       FRESH,   MEMBER_ACT_NONE,   "newer keys are here"},
{FRESH,   MEMBER_EV_REVOKED,    NONE,    MEMBER_ACT_DROP,   "this host was revoked"},

{AWAY,    MEMBER_EV_REFRESHED,  FRESH,   MEMBER_ACT_PERMIT, "the server is back"},
{AWAY,    MEMBER_EV_FAILED,     AWAY,    MEMBER_ACT_NONE,   "the server is still away"},
{AWAY,    MEMBER_EV_LOADED,     AWAY,    MEMBER_ACT_NONE,   "keys are here"},
{AWAY,    MEMBER_EV_AGED,       EXPIRED, MEMBER_ACT_DROP,   "the sealed cache is no longer used"},
{AWAY,    MEMBER_EV_REVOKED,    NONE,    MEMBER_ACT_DROP,   "this host was revoked"},

{EXPIRED, MEMBER_EV_REFRESHED,  FRESH,   MEMBER_ACT_PERMIT, "the server is back"},
{EXPIRED, MEMBER_EV_FAILED,     EXPIRED, MEMBER_ACT_NONE,   "the server is still away"},
{EXPIRED, MEMBER_EV_LOADED,     AWAY,    MEMBER_ACT_FORBID, "keys from the sealed cache, for reading"},
{EXPIRED, MEMBER_EV_AGED,       EXPIRED, MEMBER_ACT_NONE,   "the sealed cache is not used"},
{EXPIRED, MEMBER_EV_REVOKED,    NONE,    MEMBER_ACT_DROP,   "this host was revoked"},
};
/* clang-format on */

#define N_RULES (sizeof(rules) / sizeof(rules[0]))

const struct member_rule *
member_rules(size_t *ret_n)
{
	*ret_n = N_RULES;
	return rules;
}

const struct member_rule *
member_rule(enum clv_member_state from, enum member_event event)
{
	for (size_t i = 0; i < N_RULES; i++)
		if (rules[i].from == from && rules[i].event == event)
			return &rules[i];
	return NULL;
}

const char *
member_state_name(enum clv_member_state state)
{
	switch (state) {
	case CLV_MEMBER_NONE: return "none";
	case CLV_MEMBER_FRESH: return "fresh";
	case CLV_MEMBER_AWAY: return "away";
	case CLV_MEMBER_EXPIRED: return "expired";
	}
	return "?";
}

const char *
member_event_name(enum member_event event)
{
	switch (event) {
	case MEMBER_EV_REFRESHED: return "refreshed";
	case MEMBER_EV_FAILED: return "refresh failed";
	case MEMBER_EV_LOADED: return "cache loaded";
	case MEMBER_EV_AGED: return "cache aged";
	case MEMBER_EV_REVOKED: return "revoked";
	case MEMBER_EVENTS: break;
	}
	return "?";
}
