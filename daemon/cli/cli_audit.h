/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_AUDIT_H
#define CLAVIGER_CLI_AUDIT_H

#include "daemon/keeper/audit_row.h"
#include "daemon/cli/cli.h"

/* cli_audit.c: rows of the trail from `after` on, in order, by a connection of
 * our own; fn is called for each. */
typedef void (*cli_audit_fn)(
    void *arg, uint64_t seq, const void *body, size_t len);
int cli_audit_walk(struct cli *c, uint64_t after, cli_audit_fn fn, void *arg);

/* By which the system has signed, from the list that this node has. */
int cli_audit_keys(struct cli *c, struct audit_keys *ret);

/* What the daemon here knows of its trail: CTL_AUDIT; without one the file. */
struct cli_audit_state {
	bool daemon;		/* the rest is of a daemon that runs, */
	uint8_t state;		/* enum audit_state */
	struct audit_head seen; /* ... or this alone, of the file */
	uint64_t queued, written, lost;
	char why[256];
};
/* CLV_E_NOT_FOUND: neither is there. */
int cli_audit_state(const struct cli *c, struct cli_audit_state *ret);

#endif
