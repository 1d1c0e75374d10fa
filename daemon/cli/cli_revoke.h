/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_REVOKE_H
#define CLAVIGER_CLI_REVOKE_H

#include "daemon/cli/cli_rotate.h"

/*
 * A host that is revoked, what it has held, and how far that is replaced. What
 * is still in use of that, the signed list keeps, from the revocation on: so
 * the command can be repeated, and goes on with what is left.
 */
struct revoke {
	bool is_node;
	const char *name;
	bool rotates;
	struct clv_list *list; /* as it is by now */
	uint32_t lost;	       /* generations up to this one, when it began */
	char message[512];
	char late[1024];
	struct cli_rotate rotate;
	bool rotated; /* and there is something to print of that */
};

/* In the order in which they are replaced. */
enum revoke_what {
	REVOKE_SECRET,
	REVOKE_CERT, /* these two only a node holds */
	REVOKE_SIGN,
	REVOKE_DATABASE,
	REVOKE_WHATS
};
enum revoke_state {
	REVOKE_IN_USE,	  /* what the host has is good for something yet */
	REVOKE_UNDER_WAY, /* it is being replaced, and nobody is needed */
	REVOKE_REPLACED
};
/* What the list says of it. */
enum revoke_state revoke_state(const struct revoke *v, enum revoke_what what);
/* A node holds all of it, a member no certificate and no signing key. */
bool revoke_held(const struct revoke *v, enum revoke_what what);

/* cli_revoke_print.c */
void cli_revoke_print(const struct revoke *v);
void cli_revoke_json(const struct revoke *v);

#endif
