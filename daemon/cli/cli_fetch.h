/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_FETCH_H
#define CLAVIGER_CLI_FETCH_H

#include <claviger/wire.h>
#include "daemon/cli/cli.h"

/* The keys of this host from the server, step by step. Each says what fails. */
struct cli_fetch {
	struct cli_wire wire; /* opened by cli_wire_open() */
	struct clv_buf body;  /* of the answer, borrowed by it */
	struct clv_wire_answer answer;
	void *evidence; /* newest answer head that this host holds */
	size_t evidence_len;
	bool scoped; /* single applications: no distribution key */
};
void cli_fetch_init(struct cli_fetch *f);
void cli_fetch_fini(struct cli_fetch *f);
/* One question, and an answer that the system has signed. */
int cli_fetch_ask(struct cli *c, struct cli_fetch *f, bool show_evidence);
/* It grants, and is of nothing older than this host has accepted. */
int cli_fetch_check(struct cli *c, const struct cli_fetch *f);
/* Its keys open, and the current generation's is the right one. */
int cli_fetch_open(struct cli *c, struct cli_fetch *f);

#endif
