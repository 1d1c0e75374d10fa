/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_JOIN_H
#define CLAVIGER_CLI_JOIN_H

#include "daemon/cli/cli.h"

/* One claviger join under way: what its files share. */
struct join {
	struct config config;	       /* as it will be written */
	uint8_t said[CLV_SIGN_PK_LEN]; /* by whoever has it join */
	uint8_t pk[CLV_SIGN_PK_LEN];   /* what is verified by */
	bool again;	 /* this host has joined that system before */
	bool by_list;	 /* as a server node: the database's list is read */
	bool by_keyring; /* who brings it may take the place of a lost node */
	struct cli_host host;
	struct clv_list *list;
	struct clv_buf blob; /* the list, as signed */
	struct clv_store *db;
	struct cli_undo undo;
	int state_fd;
};

/* cli_join.c. May this host join that system, under that name (NULL: its own)?
 * Each says why not. */
int cli_join_prepare(
    struct cli *c, struct join *j, const char *system, const char *node);
/* --ip, as a member has it in its configuration. */
int cli_join_address(struct cli *c, struct join *j);
/* Where the database is, when it is given; its password file is looked at. */
int cli_join_database(struct cli *c, struct join *j);
/* Identity and certificate: made, or those of the first time. */
int cli_join_host(struct cli *c, struct join *j);

/* cli_join_token.c: as a member, by a token. */
int cli_join_token(struct cli *c, struct join *j);
void cli_join_token_print(const struct join *j);

#endif
