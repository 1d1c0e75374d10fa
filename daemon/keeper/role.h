/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_ROLE_H
#define CLAVIGERD_ROLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Who may be the active master secret server: a pure table without I/O. The
 * keeper turns what happens into events, looks the pair up and does the
 * action; a pair that is not listed is a refusal that is logged. The manual
 * page clavigerd(8) shows the same table.
 */
enum role_state {
	ROLE_OFF,	   /* the server role is switched off */
	ROLE_LOCKED,	   /* on, but not proven able to serve */
	ROLE_STANDBY,	   /* on and proven */
	ROLE_WITNESS,	   /* promoting: raising the witness */
	ROLE_CLAIM,	   /* promoting: taking the epoch in PostgreSQL */
	ROLE_OPEN,	   /* promoting: opening the listener, with a lease */
	ROLE_OPEN_AWAY,	   /* ... without one: PostgreSQL is away */
	ROLE_ACTIVE,	   /* serving, inside the lease */
	ROLE_AWAY,	   /* serving for decryption only */
	ROLE_AWAY_WITNESS, /* ... raising the witness for a fresh epoch */
	ROLE_AWAY_CLAIM,   /* ... taking it in PostgreSQL */
	ROLE_STATES
};

enum role_event {
	ROLE_EV_START,	  /* switch the role on */
	ROLE_EV_STOP,	  /* switch it off */
	ROLE_EV_PROVEN,	  /* keyring, list and certificate fit */
	ROLE_EV_UNPROVEN, /* they do not */
	ROLE_EV_PROMOTE,
	ROLE_EV_DEMOTE,
	ROLE_EV_WITNESS_OK,
	ROLE_EV_WITNESS_FAIL, /* no quorum or too few acknowledgements */
	ROLE_EV_CLAIM_OK,
	ROLE_EV_CLAIM_RACED, /* the epoch moved meanwhile: once more */
	ROLE_EV_CLAIM_AWAY,  /* PostgreSQL does not answer */
	ROLE_EV_OPEN_OK,
	ROLE_EV_OPEN_FAIL,
	ROLE_EV_LEASE_LOST,	/* not renewed in time */
	ROLE_EV_DATABASE_BACK,	/* it answers, and nobody took a newer epoch */
	ROLE_EV_DATABASE_MOVED, /* another timeline or server: epoch not safe */
	ROLE_EV_SUPERSEDED,	/* another node holds a newer epoch */
	ROLE_EVENTS
};

enum role_action {
	ROLE_ACT_NONE,
	ROLE_ACT_PROVE, /* look whether this node can serve */
	ROLE_ACT_RAISE, /* witness */
	ROLE_ACT_CLAIM, /* PostgreSQL */
	ROLE_ACT_OPEN,	/* listener */
	ROLE_ACT_SERVE, /* answer the promoter; lease timers */
	ROLE_ACT_FAIL,	/* answer the promoter: not promoted */
	ROLE_ACT_CLOSE, /* listener and epoch away; answer whoever waits */
	ROLE_ACT_FALL	/* as close, and tell Pacemaker: we must not serve */
};

struct role_rule {
	enum role_state from;
	enum role_event event;
	enum role_state to;
	enum role_action action;
	const char *why;
};

/* The rule for a pair, or NULL. */
const struct role_rule *role_rule(enum role_state from, enum role_event event);
/* All rules, for the test and the manual page. */
const struct role_rule *role_rules(size_t *ret_n);
const char *role_state_name(enum role_state state);
const char *role_event_name(enum role_event event);

/* May answer requests for keys in this state (listener open)? */
bool role_serves(enum role_state state);
/* Is a promotion under way that somebody waits for? */
bool role_promoting(enum role_state state);

#endif
