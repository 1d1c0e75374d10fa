/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_DRILL_FAILOVER_H
#define CLAVIGER_CLI_DRILL_FAILOVER_H

#include <time.h>
#include "daemon/cli/doctor/cli_doctor_cluster.h"
#include "daemon/cli/drill/cli_drill.h"

/* One drill of failover: the role goes to each other node, and back. */
#define FAILOVER_NEVER UINT64_MAX
#define FAILOVER_NAME 128

enum failover_step {	    /* milliseconds from the request on: */
	FAILOVER_LAST_KEY,  /* the last answer of the node before */
	FAILOVER_DEMOTED,   /* as the cluster has recorded it */
	FAILOVER_PROMOTED,  /* ..., with the address */
	FAILOVER_FIRST_KEY, /* the first answer of the node after */
	FAILOVER_STEPS
};

struct failover_move {
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
	bool stopped;		    /* by a signal */
	struct clv_buf constraints; /* as they were */
	bool restored;
	char last[FAILOVER_NAME]; /* who serves now, or "" */
};

/* Without a key; FAILOVER_NEVER: until the end of the drill. */
uint64_t failover_outage_ms(const struct failover_move *m);
bool failover_went_well(const struct failover *f);
/* cli_drill_failover_move.c */
void failover_move(
    struct cli *c, struct failover *f, const char *from, const char *to);
/* Is everybody: the one that serves, and in `why` which other cannot. For a
 * moment after a move two are said to be active, and `why` is FAILOVER_TWO. */
#define FAILOVER_TWO "two nodes are said to be active"
bool failover_all_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap);
/* The same, in a while; false also after a signal. */
bool failover_wait_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap);
bool failover_is_stopped(struct failover *f); /* by a signal that is held */
int failover_constraints(struct cib *cib, struct clv_buf *ret);
/* cli_drill_failover_report.c */
void failover_report(const struct failover *f, enum drill_form form, FILE *out);

#endif
