/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_IMPORT_H
#define CLAVIGER_CLI_IMPORT_H

#include <stddef.h>
#include <stdint.h>
#include "daemon/cli/cli.h"

/*
 * The XML files of Enterprise Single Sign-On: globalInfo, application and
 * mapping, as its ssomanage takes them, whatever the case of their names.
 */
#define IMPORT_FILE_MAX (1u << 20)
#define IMPORT_RECORDS_MAX 4096
#define IMPORT_TEXT_MAX 257	 /* with its NUL */
#define IMPORT_PASSWORD_MAX 1025 /* likewise */

enum import_kind { IMPORT_GLOBAL, IMPORT_APP, IMPORT_MAPPING };

struct import_record {
	enum import_kind kind;
	unsigned line;
	uint64_t seen;			/* bit i: row i of the table */
	char app[IMPORT_TEXT_MAX];	/* name=, externalApplication */
	char admins[IMPORT_TEXT_MAX];	/* appAdminAccount, ssoAdminAccount */
	char users[IMPORT_TEXT_MAX];	/* appUserAccount,
					 * ssoAffiliateAdminAccount */
	char server[IMPORT_TEXT_MAX];	/* secretServer */
	char domain[IMPORT_TEXT_MAX];	/* windowsDomain */
	char user[IMPORT_TEXT_MAX];	/* windowsUserId */
	char external[IMPORT_TEXT_MAX]; /* externalUserId */
	char *password; /* externalPassword, the guard's, or NULL */
	struct import_record *next;
};

/* cli_import_memory.c: before the first use of libxml2 in this process. */
void import_use_wiped_memory(void);
/* cli_import_xml.c. CLV_E_FORMAT with the line, the column and what is wrong
 * there, in words in which nothing of the file is but the names of elements
 * where elements may be. Caller frees. */
int import_read(struct clv_guard *guard, const void *p, size_t len,
    struct import_record **ret, char ret_why[static 256]);
void import_free(struct clv_guard *guard, struct import_record **list);
/* What stands in a record and has no counterpart: its name and why, from *i
 * on, which begins with 0; NULL: no more. */
const char *import_left_out(
    const struct import_record *r, unsigned *i, const char **ret_why);

/* cli_import_plan.c: what would be done, in this order. */
enum import_step_kind {
	IMPORT_SET,   /* app: the setting's name; value */
	IMPORT_ADD,   /* app; value: administrators; users */
	IMPORT_GRANT, /* app; value: the subject */
	IMPORT_PUT,   /* app; value: the secret's name; record's password */
	IMPORT_HAND,  /* value: what somebody must do; command, or "" */
	IMPORT_LEFT   /* app: the element; value: why */
};

struct import_step {
	enum import_step_kind kind;
	const struct import_record *from; /* borrowed from the records */
	char app[CLV_NAME_MAX];
	bool as_admin; /* GRANT */
	bool done;
	char value[CLV_ACL_MAX], users[CLV_ACL_MAX];
	char
	    account[2 * IMPORT_TEXT_MAX]; /* as the file names it; SET, GRANT */
	char command[512];
};

struct import_plan {
	struct import_step *steps;
	size_t count, cap;
	struct clv_list *list; /* as it will be */
};

/* Says why not. */
int import_plan(struct cli *c, const struct clv_list *list,
    const struct import_record *records, struct import_plan *ret);
void import_plan_free(struct import_plan *p);
bool import_is_change(const struct import_step *s);

int cli_import(struct cli *c);

#endif
