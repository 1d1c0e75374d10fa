/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_DRILL_FAILOVER_SEEN_H
#define CLAVIGER_CLI_DRILL_FAILOVER_SEEN_H

#include "daemon/cli/drill/cli_drill_failover.h"

#define SEEN_FETCH_MS 3000 /* a client that waits longer asks anew */
#define SEEN_TOOL_MS 150000

/* One look, written in one piece. */
struct seen {
	uint64_t at_ms, epoch;
	bool ok;
	char server[FAILOVER_NAME];
};

/* A process that looks, again and again while the function returns true. */
typedef bool seen_fn(struct cli *c, void *arg, struct seen *s);
bool seen_by_client(struct cli *c, void *, struct seen *s);
bool seen_address(struct cli *c, void *address, struct seen *s);
/* `ok`: `from` has left the membership; and the epoch promised here. */
struct failover_here {
	struct failover *f;
	const char *from; /* or NULL */
};
bool seen_here(struct cli *c, void *failover_here, struct seen *s);
bool seen_tool(struct cli *c, void *argv, struct seen *s); /* once */

struct seen_by {
	pid_t pid; /* 0: nobody looks */
	int fd;
};
/* The argument is borrowed until it is stopped. */
bool seen_start(struct cli *c, seen_fn *fn, void *arg, struct seen_by *ret);
void seen_stop(struct seen_by *by);
bool seen_next(struct seen_by *by, int wait_ms, struct seen *ret);

#endif
