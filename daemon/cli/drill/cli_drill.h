/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_DRILL_H
#define CLAVIGER_CLI_DRILL_H

#include <time.h>
#include "daemon/cli/cli.h"

/* One drill: each copy of the keyring at hand, and what became of it. */
#define DRILL_COPIES_MAX 512

enum drill_kind {
	DRILL_NODE,	     /* sealed copy of a server node, in the database */
	DRILL_BACKUP,	     /* file with a passphrase */
	DRILL_RECOVERY,	     /* recovery copy in the database */
	DRILL_RECOVERY_FILE, /* beside a backup, or a schedule's */
};

enum drill_result { DRILL_UNTRIED, DRILL_OPENED, DRILL_FAILED };

struct drill_copy {
	enum drill_kind kind;
	char name[512]; /* file, node or recipient */
	bool scheduled; /* by the passphrase of the schedule */
	bool other;	/* DRILL_NODE: of --identity, not of this node */
	enum drill_result result;
	struct cli_failure why; /* unless it opened */
	size_t count;
	uint32_t generations[CLV_GENERATIONS_MAX];
	bool current; /* it opens the generation that is current */
	uint64_t us;  /* from looking for it to its proof */
};

struct drill {
	time_t at;
	const char *node;
	const char *system;
	struct clv_list *list; /* NULL: what is current is not known here */
	size_t count;
	struct drill_copy *copies; /* DRILL_COPIES_MAX */
	unsigned opened, failed, untried;
	bool covered; /* one of them opens the current generation */

	/* what opens them */
	char *passphrase;	    /* the guard's, or NULL */
	uint8_t *recovery_sk;	    /* likewise */
	struct clv_identity *other; /* of another node, or NULL */
	/* where they are recovered to */
	char dir[64];
	uint8_t *sk; /* the guard's: of this drill alone */
	uint8_t pk[32];
};

/* cli_drill_report.c */
enum drill_form { DRILL_TEXT, DRILL_JSON, DRILL_HTML };
int drill_form_parse(const char *text, enum drill_form *ret);
void drill_report(const struct drill *d, enum drill_form form, FILE *f);

/* The new file of a report, before anything else is done; NULL: none. Closed
 * it is whole, or taken away again; says why. */
int drill_report_open(struct cli *c, const char *path, FILE **ret);
int drill_report_close(struct cli *c, const char *path, FILE *f, int result);
/* The form of --output-as, and of what is shown besides the file. */
int drill_report_forms(
    struct cli *c, enum drill_form *ret_file, enum drill_form *ret_shown);

#endif
