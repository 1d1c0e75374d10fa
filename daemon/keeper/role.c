/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/keeper/role.h"

/* clang-format off */
static const struct role_rule rules[] = {
/* from              event                   to                 action          why */
{ROLE_OFF,           ROLE_EV_START,          ROLE_LOCKED,       ROLE_ACT_PROVE, "server role switched on"},
{ROLE_OFF,           ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_NONE,  "already off"},
{ROLE_OFF,           ROLE_EV_DEMOTE,         ROLE_OFF,          ROLE_ACT_NONE,  "already off"},
{ROLE_OFF,           ROLE_EV_PROMOTE,        ROLE_OFF,          ROLE_ACT_FAIL,  "the server role is off"},
{ROLE_OFF,           ROLE_EV_PROVEN,         ROLE_OFF,          ROLE_ACT_NONE,  "role is off"},
{ROLE_OFF,           ROLE_EV_UNPROVEN,       ROLE_OFF,          ROLE_ACT_NONE,  "role is off"},

{ROLE_LOCKED,        ROLE_EV_START,          ROLE_LOCKED,       ROLE_ACT_PROVE, "already on"},
{ROLE_LOCKED,        ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_NONE,  "server role switched off"},
{ROLE_LOCKED,        ROLE_EV_PROVEN,         ROLE_STANDBY,      ROLE_ACT_NONE,  "proven able to serve"},
{ROLE_LOCKED,        ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_NONE,  "still not able to serve"},
{ROLE_LOCKED,        ROLE_EV_PROMOTE,        ROLE_LOCKED,       ROLE_ACT_FAIL,  "a node that cannot serve is never promoted"},
{ROLE_LOCKED,        ROLE_EV_DEMOTE,         ROLE_LOCKED,       ROLE_ACT_NONE,  "not promoted"},

{ROLE_STANDBY,       ROLE_EV_START,          ROLE_STANDBY,      ROLE_ACT_NONE,  "already on"},
{ROLE_STANDBY,       ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_NONE,  "server role switched off"},
{ROLE_STANDBY,       ROLE_EV_PROVEN,         ROLE_STANDBY,      ROLE_ACT_NONE,  "proven again"},
{ROLE_STANDBY,       ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_NONE,  "no longer able to serve"},
{ROLE_STANDBY,       ROLE_EV_PROMOTE,        ROLE_WITNESS,      ROLE_ACT_RAISE, "promotion asked for"},
{ROLE_STANDBY,       ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_NONE,  "not promoted"},

{ROLE_WITNESS,       ROLE_EV_WITNESS_OK,     ROLE_CLAIM,        ROLE_ACT_CLAIM, "witness raised"},
{ROLE_WITNESS,       ROLE_EV_WITNESS_FAIL,   ROLE_STANDBY,      ROLE_ACT_FAIL,  "the witness could not be raised"},
{ROLE_WITNESS,       ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_FAIL,  "no longer able to serve"},
{ROLE_WITNESS,       ROLE_EV_PROVEN,         ROLE_WITNESS,      ROLE_ACT_NONE,  "proven again"},
{ROLE_WITNESS,       ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted while promoting"},
{ROLE_WITNESS,       ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "stopped while promoting"},

{ROLE_CLAIM,         ROLE_EV_CLAIM_OK,       ROLE_OPEN,         ROLE_ACT_OPEN,  "epoch taken"},
{ROLE_CLAIM,         ROLE_EV_CLAIM_RACED,    ROLE_WITNESS,      ROLE_ACT_RAISE, "the epoch moved: once more above it"},
{ROLE_CLAIM,         ROLE_EV_CLAIM_AWAY,     ROLE_OPEN_AWAY,    ROLE_ACT_OPEN,  "PostgreSQL is away: the witness epoch serves decryption"},
{ROLE_CLAIM,         ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_CLOSE, "no longer able to serve"},
{ROLE_CLAIM,         ROLE_EV_PROVEN,         ROLE_CLAIM,        ROLE_ACT_NONE,  "proven again"},
{ROLE_CLAIM,         ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted while promoting"},
{ROLE_CLAIM,         ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "stopped while promoting"},

{ROLE_OPEN,          ROLE_EV_OPEN_OK,        ROLE_ACTIVE,       ROLE_ACT_SERVE, "listening"},
{ROLE_OPEN,          ROLE_EV_OPEN_FAIL,      ROLE_STANDBY,      ROLE_ACT_CLOSE, "the listener could not be opened"},
{ROLE_OPEN,          ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_CLOSE, "no longer able to serve"},
{ROLE_OPEN,          ROLE_EV_PROVEN,         ROLE_OPEN,         ROLE_ACT_NONE,  "proven again"},
{ROLE_OPEN,          ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted while promoting"},
{ROLE_OPEN,          ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "stopped while promoting"},
{ROLE_OPEN_AWAY,     ROLE_EV_OPEN_OK,        ROLE_AWAY,         ROLE_ACT_SERVE, "listening, for decryption"},
{ROLE_OPEN_AWAY,     ROLE_EV_OPEN_FAIL,      ROLE_STANDBY,      ROLE_ACT_CLOSE, "the listener could not be opened"},
{ROLE_OPEN_AWAY,     ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_CLOSE, "no longer able to serve"},
{ROLE_OPEN_AWAY,     ROLE_EV_PROVEN,         ROLE_OPEN_AWAY,    ROLE_ACT_NONE,  "proven again"},
{ROLE_OPEN_AWAY,     ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted while promoting"},
{ROLE_OPEN_AWAY,     ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "stopped while promoting"},

{ROLE_ACTIVE,        ROLE_EV_START,          ROLE_ACTIVE,       ROLE_ACT_NONE,  "already on"},
{ROLE_ACTIVE,        ROLE_EV_PROMOTE,        ROLE_ACTIVE,       ROLE_ACT_SERVE, "already active"},
{ROLE_ACTIVE,        ROLE_EV_PROVEN,         ROLE_ACTIVE,       ROLE_ACT_NONE,  "proven again"},
{ROLE_ACTIVE,        ROLE_EV_LEASE_LOST,     ROLE_AWAY,         ROLE_ACT_NONE,  "lease not renewed: decryption only"},
{ROLE_ACTIVE,        ROLE_EV_DATABASE_BACK,  ROLE_ACTIVE,       ROLE_ACT_NONE,  "database back inside the lease"},
{ROLE_ACTIVE,        ROLE_EV_DATABASE_MOVED, ROLE_AWAY_WITNESS, ROLE_ACT_RAISE, "the database moved: a fresh epoch is needed"},
{ROLE_ACTIVE,        ROLE_EV_SUPERSEDED,     ROLE_STANDBY,      ROLE_ACT_FALL,  "another server holds a newer epoch"},
{ROLE_ACTIVE,        ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_FALL,  "no longer able to serve"},
{ROLE_ACTIVE,        ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted"},
{ROLE_ACTIVE,        ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "server role switched off"},

{ROLE_AWAY,          ROLE_EV_START,          ROLE_AWAY,         ROLE_ACT_NONE,  "already on"},
{ROLE_AWAY,          ROLE_EV_PROMOTE,        ROLE_AWAY,         ROLE_ACT_SERVE, "already active"},
{ROLE_AWAY,          ROLE_EV_PROVEN,         ROLE_AWAY,         ROLE_ACT_NONE,  "proven again"},
{ROLE_AWAY,          ROLE_EV_LEASE_LOST,     ROLE_AWAY,         ROLE_ACT_NONE,  "no lease"},
{ROLE_AWAY,          ROLE_EV_DATABASE_BACK,  ROLE_AWAY_WITNESS, ROLE_ACT_RAISE, "the database is back: taking a fresh epoch"},
{ROLE_AWAY,          ROLE_EV_DATABASE_MOVED, ROLE_AWAY_WITNESS, ROLE_ACT_RAISE, "the database is back: taking a fresh epoch"},
{ROLE_AWAY,          ROLE_EV_SUPERSEDED,     ROLE_STANDBY,      ROLE_ACT_FALL,  "another server holds a newer epoch"},
{ROLE_AWAY,          ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_FALL,  "no longer able to serve"},
{ROLE_AWAY,          ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted"},
{ROLE_AWAY,          ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "server role switched off"},

{ROLE_AWAY_WITNESS,  ROLE_EV_START,          ROLE_AWAY_WITNESS, ROLE_ACT_NONE,  "already on"},
{ROLE_AWAY_WITNESS,  ROLE_EV_PROMOTE,        ROLE_AWAY_WITNESS, ROLE_ACT_SERVE, "already active"},
{ROLE_AWAY_WITNESS,  ROLE_EV_PROVEN,         ROLE_AWAY_WITNESS, ROLE_ACT_NONE,  "proven again"},
{ROLE_AWAY_WITNESS,  ROLE_EV_WITNESS_OK,     ROLE_AWAY_CLAIM,   ROLE_ACT_CLAIM, "witness raised"},
{ROLE_AWAY_WITNESS,  ROLE_EV_WITNESS_FAIL,   ROLE_AWAY,         ROLE_ACT_NONE,  "the witness could not be raised"},
{ROLE_AWAY_WITNESS,  ROLE_EV_LEASE_LOST,     ROLE_AWAY_WITNESS, ROLE_ACT_NONE,  "no lease"},
{ROLE_AWAY_WITNESS,  ROLE_EV_SUPERSEDED,     ROLE_STANDBY,      ROLE_ACT_FALL,  "another server holds a newer epoch"},
{ROLE_AWAY_WITNESS,  ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_FALL,  "no longer able to serve"},
{ROLE_AWAY_WITNESS,  ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted"},
{ROLE_AWAY_WITNESS,  ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "server role switched off"},

{ROLE_AWAY_CLAIM,    ROLE_EV_START,          ROLE_AWAY_CLAIM,   ROLE_ACT_NONE,  "already on"},
{ROLE_AWAY_CLAIM,    ROLE_EV_PROMOTE,        ROLE_AWAY_CLAIM,   ROLE_ACT_SERVE, "already active"},
{ROLE_AWAY_CLAIM,    ROLE_EV_PROVEN,         ROLE_AWAY_CLAIM,   ROLE_ACT_NONE,  "proven again"},
{ROLE_AWAY_CLAIM,    ROLE_EV_CLAIM_OK,       ROLE_ACTIVE,       ROLE_ACT_SERVE, "fresh epoch taken"},
{ROLE_AWAY_CLAIM,    ROLE_EV_CLAIM_RACED,    ROLE_AWAY,         ROLE_ACT_NONE,  "the epoch moved: looking again"},
{ROLE_AWAY_CLAIM,    ROLE_EV_CLAIM_AWAY,     ROLE_AWAY,         ROLE_ACT_NONE,  "PostgreSQL is away again"},
{ROLE_AWAY_CLAIM,    ROLE_EV_LEASE_LOST,     ROLE_AWAY_CLAIM,   ROLE_ACT_NONE,  "no lease"},
{ROLE_AWAY_CLAIM,    ROLE_EV_SUPERSEDED,     ROLE_STANDBY,      ROLE_ACT_FALL,  "another server holds a newer epoch"},
{ROLE_AWAY_CLAIM,    ROLE_EV_UNPROVEN,       ROLE_LOCKED,       ROLE_ACT_FALL,  "no longer able to serve"},
{ROLE_AWAY_CLAIM,    ROLE_EV_DEMOTE,         ROLE_STANDBY,      ROLE_ACT_CLOSE, "demoted"},
{ROLE_AWAY_CLAIM,    ROLE_EV_STOP,           ROLE_OFF,          ROLE_ACT_CLOSE, "server role switched off"},
};
/* clang-format on */

const struct role_rule *
role_rules(size_t *ret_n)
{
	*ret_n = sizeof(rules) / sizeof(rules[0]);
	return rules;
}

const struct role_rule *
role_rule(enum role_state from, enum role_event event)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].from == from && rules[i].event == event)
			return &rules[i];
	return NULL;
}

const char *
role_state_name(enum role_state state)
{
	switch (state) {
	case ROLE_OFF: return "off";
	case ROLE_LOCKED: return "locked";
	case ROLE_STANDBY: return "standby";
	case ROLE_WITNESS: return "promoting (witness)";
	case ROLE_CLAIM: return "promoting (epoch)";
	case ROLE_OPEN: return "promoting (listener)";
	case ROLE_OPEN_AWAY: return "promoting (listener, database away)";
	case ROLE_ACTIVE: return "active";
	case ROLE_AWAY: return "active (decryption only)";
	case ROLE_AWAY_WITNESS: return "active (decryption only, witness)";
	case ROLE_AWAY_CLAIM: return "active (decryption only, epoch)";
	case ROLE_STATES: break;
	}
	return "?";
}

const char *
role_event_name(enum role_event event)
{
	switch (event) {
	case ROLE_EV_START: return "start";
	case ROLE_EV_STOP: return "stop";
	case ROLE_EV_PROVEN: return "proven";
	case ROLE_EV_UNPROVEN: return "unproven";
	case ROLE_EV_PROMOTE: return "promote";
	case ROLE_EV_DEMOTE: return "demote";
	case ROLE_EV_WITNESS_OK: return "witness raised";
	case ROLE_EV_WITNESS_FAIL: return "witness failed";
	case ROLE_EV_CLAIM_OK: return "epoch taken";
	case ROLE_EV_CLAIM_RACED: return "epoch moved";
	case ROLE_EV_CLAIM_AWAY: return "database silent";
	case ROLE_EV_OPEN_OK: return "listener open";
	case ROLE_EV_OPEN_FAIL: return "listener failed";
	case ROLE_EV_LEASE_LOST: return "lease lost";
	case ROLE_EV_DATABASE_BACK: return "database back";
	case ROLE_EV_DATABASE_MOVED: return "database moved";
	case ROLE_EV_SUPERSEDED: return "superseded";
	case ROLE_EVENTS: break;
	}
	return "?";
}

bool
role_serves(enum role_state state)
{
	return state >= ROLE_ACTIVE && state < ROLE_STATES;
}

bool
role_promoting(enum role_state state)
{
	return state >= ROLE_WITNESS && state <= ROLE_OPEN_AWAY;
}
