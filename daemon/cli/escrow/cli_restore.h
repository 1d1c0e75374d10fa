/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_RESTORE_H
#define CLAVIGER_CLI_RESTORE_H

#include "daemon/cli/cli.h"
#include "daemon/base/state.h"

/* One restore: what is brought, what is here, and what the database has. */
struct restore {
	struct cli_source *source;
	struct clv_keyring *keyring;
	uint8_t pk[CLV_SIGN_PK_LEN]; /* the system's */
	bool bare;		     /* this host is of no system yet */
	struct clv_keyring *had;     /* what the daemon here held, NULL: none */
	char kept[320];		     /* where that went, "": it was not kept */
	struct clv_list *list;	     /* newest known here, may be NULL */
	struct state seen;	     /* on this host's disk */
	struct cli_host host;
	struct cli_daemon daemon;
	/* in the database; NULL: it cannot be asked now */
	struct clv_store *db;
	struct clv_list *there;
	uint64_t epoch, list_version, timeline;
	uint8_t holder; /* of a lease that is not over, 0: nobody */
	bool enrols;	/* this host becomes a server node by it */
	uint8_t number; /* ... with this number; 0: of none */
};

/* cli_restore_look.c: nothing is changed by these. */
int restore_look(struct cli *c, struct restore *s);
/* Is it older than what this node and the database have seen? Says so. */
int restore_check(struct cli *c, const struct restore *s);
void restore_print_plan(struct cli *c, const struct restore *s);

/* cli_restore_enrol.c: a host that is nobody's node becomes one by the keyring
 * itself, where nobody is active who could approve it. */
int restore_enrol(struct cli *c, struct restore *s);

/* cli_restore_source.c: is this host a server node, or does it become one of
 * the system that its options name? sealed: to a key that is public. */
int restore_prepare(struct cli *c, struct cli_source *s, bool sealed);

/* cli_rollback.c */
int cli_rollback(struct cli *c);

#endif
