/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_ESCROW_H
#define CLAVIGER_CLI_ESCROW_H

#include "daemon/cli/cli.h"
#include "daemon/cli/status/cli_page.h"
#include "daemon/keeper/coverage.h"

/* cli_escrow.c: says why not. */
int cli_escrow_ask(struct cli *c, bool prove, struct coverage **ret);

/* What is printed of each copy, besides. */
struct escrow_view {
	const struct coverage *coverage;
	bool verified;		       /* proofs were asked for, */
	bool now[COVERAGE_COPIES_MAX]; /* and these came */
};

/* cli_escrow_status.c, for status: asked of the local daemon, silently; then
 * shown. NULL: nothing is known. */
int cli_escrow_look(struct cli *c, struct coverage **ret);
void cli_escrow_status(const struct coverage *c, struct cli_page *p);
void cli_escrow_json(struct cli_json *j, const struct coverage *c);

/* cli_escrow_print.c. Returns how much is wrong. */
unsigned cli_escrow_print(struct cli *c, const struct escrow_view *v);

#endif
