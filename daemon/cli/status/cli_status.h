/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_STATUS_H
#define CLAVIGER_CLI_STATUS_H

#include <claviger/client.h>
#include "daemon/cli/cli_audit.h"
#include "daemon/cli/escrow/cli_escrow.h"
#include "daemon/cli/cli_rotate.h"

/*
 * All that this host can say of itself and of the system: asked for once, then
 * judged, and shown in one form or another (status, metrics).
 */
struct cli_status_backup {
	bool known;
	uint32_t generation; /* 0: there is none */
	char where[256];
	uint64_t age_s;
};

#define CLI_STATUS_CERTS 2
struct cli_status_cert {
	const char *party; /* "host" or "network-name", */
	const char *name;  /* and whose */
	int64_t left_s;	   /* below 0: it has ended */
};

struct cli_status {
	bool daemon;
	int result; /* of asking it */
	struct ctl_status st;
	struct clv_list *list; /* may be NULL */
	struct cli_status_backup backup;
	struct coverage *coverage;    /* NULL: not known */
	struct cli_rotation rotation; /* of the active node */
	struct cli_audit_state audit; /* of a daemon that runs here */
	bool ready;
	bool member; /* and no server node */
	bool own_known;
	struct clv_client_status own; /* of the member role, when it runs */
	size_t cert_count;	      /* as many as are known */
	struct cli_status_cert certs[CLI_STATUS_CERTS];
};

/* Parties that are enrolled, and that were and are revoked. */
struct cli_status_count {
	uint64_t enrolled, revoked;
};

/* cli_status_ask.c: silently. */
void cli_status_ask(struct cli *c, struct cli_status *ret);
void cli_status_fini(struct cli_status *s);

/* cli_status_judge.c. What this host is: the name of a role, "member", or
 * "stopped"; and what it does then. */
const char *cli_status_role(const struct cli_status *s);
const char *cli_status_role_name(uint32_t role); /* NULL: no such role */
const char *cli_status_doing(const struct cli_status *s);
bool cli_status_flag(const struct cli_status *s, enum ctl_flag f);
bool cli_status_is_active(const struct cli_status *s);
const char *cli_status_active_node(const struct cli_status *s); /* or NULL */
/* Why it is not ready, or "". */
const char *cli_status_reason(const struct cli_status *s);
void cli_status_nodes(const struct cli_status *s, struct cli_status_count *ret);
void cli_status_members(
    const struct cli_status *s, struct cli_status_count *ret);
/* The result of `status`: CLV_OK only when all is well. */
int cli_status_judge(const struct cli_status *s);

/* Forms. */
void cli_status_page(const struct cli_status *s, struct cli_page *p);
void cli_status_metrics(FILE *f, const struct cli_status *s);
struct cli_json *cli_status_json(const struct cli_status *s);

#endif
