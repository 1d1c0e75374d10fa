/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_RESTORE_H
#define CLAVIGER_CLI_RESTORE_H

#include "daemon/cli/cli.h"
#include "daemon/base/record.h"
#include "daemon/base/state.h"

/* Of one application: so many of its keys are under what is given up. */
struct restore_lost {
	char app[CLV_NAME_MAX];
	bool whole; /* its index key is one of them */
	uint64_t keys;
};

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
	/* --older */
	bool older;
	uint32_t seen_generation; /* the newest that anything here names */
	uint32_t given_up[CLV_GENERATIONS_MAX + 1];
	size_t given_up_count;
	struct restore_lost *lost;
	size_t lost_count;
	struct clv_keyring *newer;    /* with a new generation, */
	char where[RECORD_WHERE_MAX]; /* of which the backup is this */
	bool recorded;
	struct clv_buf tls_row; /* the network name's new certificate, if */
	uint8_t tls_thumb[32];	/* the key of the one before is lost */
};

/* cli_restore_look.c: nothing is changed by these. */
int restore_look(struct cli *c, struct restore *s);
/* Is it older than what this node and the database have seen? Says so. */
int restore_check(struct cli *c, const struct restore *s);
void restore_print_plan(struct cli *c, const struct restore *s);
/* Here or in the database: borrowed, may be NULL. */
const struct clv_list *restore_newest_list(const struct restore *s);

/* cli_restore_older.c: what was seen is newer than this copy, and is given up.
 * Nothing is changed by these. */
int restore_older_look(struct cli *c, struct restore *s);
int restore_older_confirm(struct cli *c, const struct restore *s);
void restore_older_say(struct cli *c, const struct restore *s, FILE *f);
void restore_older_json(const struct restore *s, struct cli_json *j);

/* cli_restore_newer.c: the keyring with a new generation; then, when its backup
 * is written, that as a change of the list. */
struct admin_change;
int restore_newer_make(struct cli *c, struct restore *s);
int restore_newer_apply(
    struct cli *c, struct restore *s, struct admin_change *a);

/* cli_restore_enrol.c: a host that is nobody's node becomes one by the keyring
 * itself, where nobody is active who could approve it; likewise --older. */
int restore_enrol(struct cli *c, struct restore *s);

/* cli_restore_source.c: is this host a server node, or does it become one of
 * the system that its options name? sealed: to a key that is public. */
int restore_prepare(struct cli *c, struct cli_source *s, bool sealed);

/* cli_rollback.c */
int cli_rollback(struct cli *c);

#endif
