/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_DOCTOR_H
#define CLAVIGER_CLI_DOCTOR_H

#include <claviger/client.h>
#include "daemon/cli/cli_fetch.h"
#include "daemon/base/state.h"

/*
 * The checks of `claviger doctor`: a table, one row each. A check says what it
 * has found, each finding with what to do, or in a note what it has seen. It
 * changes nothing.
 */
enum doctor_need {		  /* else the check is skipped, and says so */
	DOCTOR_SYSTEM = 1 << 0,	  /* the configuration names a system */
	DOCTOR_DAEMON = 1 << 1,	  /* it runs */
	DOCTOR_DATABASE = 1 << 2, /* it answers, and holds our system */
	DOCTOR_LIST = 1 << 3,	  /* the database's signed list verifies */
	DOCTOR_SERVER = 1 << 4,	  /* only on server nodes, not mentioned on
				   * members */
	DOCTOR_PATH = 1 << 5,	  /* only with --connect, and when the step
				   * before it found nothing */
	DOCTOR_BOTH = 1 << 6,	  /* with --connect, too */
	DOCTOR_CLUSTER = 1 << 7,  /* there is cluster software, */
	DOCTOR_CIB = 1 << 8,	  /* Pacemaker answers, */
	DOCTOR_RESOURCE = 1 << 9, /* with a resource of this system, */
	DOCTOR_COROSYNC = 1 << 10 /* and corosync */
};

enum doctor_hello { /* columns of CLV_STMT_HELLO */
	DOCTOR_HELLO_SYSTEM,
	DOCTOR_HELLO_SCHEMA,
	DOCTOR_HELLO_EPOCH,
	DOCTOR_HELLO_HOLDER,
	DOCTOR_HELLO_INSTANCE,
	DOCTOR_HELLO_LEASE,
	DOCTOR_HELLO_LIST,
	DOCTOR_HELLO_TIMELINE,
	DOCTOR_HELLO_SERVER,
	DOCTOR_HELLO_COLUMNS
};

struct coverage;
struct doctor_cluster;
struct doctor;
struct doctor_check {
	const char *id;
	const char *what;
	const char *next; /* what to do, when a finding does not say it */
	unsigned needs;
	void (*run)(struct doctor *d);
};
extern const struct doctor_check doctor_checks[]; /* ends with id NULL */

struct doctor {
	struct cli *c;
	const struct doctor_check *check; /* under way, */
	unsigned found;			  /* what it has found, */
	unsigned fixed;			  /* set right, */
	char note[300];			  /* and what it has seen */
	struct cli_json *row;		  /* of it, or NULL */
	unsigned all;			  /* findings of all */
	/* the host */
	uint8_t pk[CLV_SIGN_PK_LEN];
	bool is_server;
	struct state seen; /* zeros: nothing was seen */
	int daemon;	   /* CLV_OK, or why not */
	struct ctl_status st;
	struct clv_client *api;
	/* the database */
	struct clv_store *store;
	int database; /* CLV_OK, or why not */
	char database_why[256];
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint64_t hello[DOCTOR_HELLO_COLUMNS]; /* the numbers */
	struct clv_buf list_blob; /* its newest list, as it is there */
	int list_result;
	struct clv_list *list; /* NULL: it does not verify */
	struct clv_identity *id;
	struct clv_keyring *keyring;	/* of this node's sealed copy, */
	int keyring_result;		/* or why not */
	struct coverage *coverage;	/* of its sealed copies and backups */
	struct doctor_cluster *cluster; /* NULL: nobody has asked yet */
	/* the way to the server */
	bool path_ends;		 /* a step of it has found something */
	struct cli_fetch *fetch; /* from the connection on */
};

/* next NULL: the check's. */
void doctor_found(struct doctor *d, const char *subject, const char *next,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* With --fix, and set right: the check's next is told as well. */
void doctor_fixed(struct doctor *d, const char *subject, const char *before,
    const char *after);
void doctor_note(struct doctor *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* cli_doctor_host.c */
/* A certificate that ends soon, or has ended. */
void doctor_cert(
    struct doctor *d, const char *whose, const void *der, size_t len);
void doctor_config(struct doctor *d);
void doctor_files(struct doctor *d);
void doctor_machine(struct doctor *d);
void doctor_expiry(struct doctor *d);
void doctor_seen(struct doctor *d);
void doctor_daemon(struct doctor *d);
void doctor_memory(struct doctor *d);
void doctor_keys(struct doctor *d);
/* cli_doctor_cluster.c, _resource.c, _corosync.c */
/* Why such a check is skipped, or NULL; asks the cluster when first needed. */
const char *doctor_cluster_lacks(struct doctor *d, unsigned needs);
void doctor_cluster_close(struct doctor *d);
void doctor_cluster(struct doctor *d);
void doctor_resource(struct doctor *d);
void doctor_operations(struct doctor *d);
void doctor_constraints(struct doctor *d);
void doctor_fencing(struct doctor *d);
void doctor_quorum(struct doctor *d);
void doctor_token(struct doctor *d);
void doctor_ring(struct doctor *d);
/* cli_doctor_database.c */
void doctor_database(struct doctor *d);
void doctor_server(struct doctor *d);
void doctor_epoch(struct doctor *d);
void doctor_version(struct doctor *d);
/* What several checks need: silent. */
void doctor_open(struct doctor *d);
void doctor_close(struct doctor *d);
/* cli_doctor_list.c */
void doctor_open_list(struct doctor *d); /* on a server node: silent */
void doctor_list(struct doctor *d);
void doctor_generation(struct doctor *d);
void doctor_certificates(struct doctor *d);
/* cli_doctor_escrow.c */
void doctor_escrow(struct doctor *d);
void doctor_recovery(struct doctor *d);
void doctor_backups(struct doctor *d);
/* cli_doctor_audit.c */
void doctor_audit(struct doctor *d);
/* cli_doctor_path.c */
void doctor_name(struct doctor *d);
void doctor_connection(struct doctor *d);
void doctor_answer(struct doctor *d);
void doctor_path_close(struct doctor *d);
/* cli_doctor_apps.c */
void doctor_applications(struct doctor *d);

#endif
