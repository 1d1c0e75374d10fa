/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_DRILL_FAILOVER_H
#define CLAVIGER_CLI_DRILL_FAILOVER_H

#include <time.h>
#include "daemon/cli/doctor/cli_doctor_cluster.h"
#include "daemon/cli/drill/cli_drill.h"

/* One drill of failover: the role goes to each other node, and back; or the
 * node that has it loses power. */
#define FAILOVER_NEVER UINT64_MAX
#define FAILOVER_NAME 128

enum failover_step {	    /* milliseconds from the request on: */
	FAILOVER_LAST_KEY,  /* the last answer of the node before */
	FAILOVER_FENCED,    /* as the cluster's fencer says */
	FAILOVER_DETECTED,  /* it has left the membership, as corosync says */
	FAILOVER_DEMOTED,   /* as the cluster has recorded it */
	FAILOVER_EPOCH,	    /* a higher one is promised on this host */
	FAILOVER_ADDRESS,   /* it answers this host again */
	FAILOVER_PROMOTED,  /* as the cluster has recorded it */
	FAILOVER_FIRST_KEY, /* the first answer of the node after */
	FAILOVER_STEPS
};

struct failover_move {
	bool power_off; /* of `from`; `to` is who has taken over, or "" */
	char from[FAILOVER_NAME], to[FAILOVER_NAME];
	uint64_t at_ms[FAILOVER_STEPS]; /* FAILOVER_NEVER: not seen */
	uint64_t epoch;			/* that the new node serves with */
	unsigned asked, unanswered;	/* by the client meanwhile */
	char why[200];			/* "": it went well */
};

struct failover {
	time_t at;
	const char *node, *system;
	struct doctor_cluster k;
	char first[FAILOVER_NAME]; /* who served before it */
	struct failover_move *moves;
	size_t count, max;
	bool power_off;		    /* one power cut, no moves */
	bool stays_off;		    /* after it: so the cluster wants it */
	char off[FAILOVER_NAME];    /* who is off since, or "" */
	bool stopped;		    /* by a signal */
	struct clv_buf constraints; /* as they were */
	bool restored;
	char last[FAILOVER_NAME]; /* who serves now, or "" */
};

/* Without a key; FAILOVER_NEVER: until the end of the drill. */
uint64_t failover_outage_ms(const struct failover_move *m);
bool failover_went_well(const struct failover *f);
/* cli_drill_failover_power.c: refused, or asked and answered */
int failover_power_may(struct cli *c, struct failover *f);
/* cli_drill_failover_move.c */
void failover_move(
    struct cli *c, struct failover *f, const char *from, const char *to);
void failover_power_off(struct cli *c, struct failover *f);
bool failover_is_stopped(struct failover *f); /* by a signal that is held */
int failover_constraints(struct cib *cib, struct clv_buf *ret);
/* cli_drill_failover_cluster.c. Is everybody ready but who is off: the one that
 * serves, and in `why` which other cannot. For a moment after a move two are
 * said to be active, and `why` is FAILOVER_TWO. */
#define FAILOVER_TWO "two nodes are said to be active"
bool failover_all_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap);
/* The same, in a while; false also after a signal. */
bool failover_wait_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap);
/* Which call of its was the last that succeeded: another number is another
 * time. */
long failover_call(struct failover *f, struct cib *cib, const char *node,
    const char *operation);
bool failover_has_left(struct failover *f, const char *node);
uint64_t failover_epoch(struct cli *c); /* that this host has promised */
/* cli_drill_failover_report.c */
void failover_report(const struct failover *f, enum drill_form form, FILE *out);

#endif
