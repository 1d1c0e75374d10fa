/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_INIT_H
#define CLAVIGER_CLI_INIT_H

#include "daemon/cli/cli.h"

/*
 * claviger init in two files: cli_init.c asks everything first and then does
 * it; cli_system.c makes what a new system consists of.
 */
#define INIT_NODE 1
#define INIT_EPOCH ((1u << 8) | INIT_NODE)

struct init {
	struct config config; /* as it will be written */
	uint8_t policy;	      /* enum clv_escrow_policy */
	bool ed25519;	      /* the certificate of the network name */
	const char *admin;    /* connection string that may make the schema */
	const char *admin_passfile;
	char login[64];	 /* whom the server role is granted to */
	char where[256]; /* of the backup, for the record */
	char *passphrase;
	struct cli_host host;
	struct clv_keyring *keyring;
	struct clv_buf cert, key; /* of the network name, DER */
	uint8_t cert_thumb[32];
	struct clv_buf list, escrow, tls_row, backup; /* rows, signed */
	struct cli_undo undo;
	int state_fd; /* the state directory, locked; -1 */
};

void cli_system_init(struct init *s);
void cli_system_fini(struct cli *c, struct init *s);
/* Keys, certificates and signed rows, in memory. */
int cli_system_make(struct cli *c, struct init *s);
/* This host's files. */
int cli_system_save(struct cli *c, struct init *s);

#endif
