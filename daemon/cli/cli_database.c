/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/cli/cli.h"

int
cli_db_check(struct cli *c, const char *option, const char *conninfo)
{
	char why[256] = "";
	int r = clv_store_check_conninfo(conninfo, why);

	if (r == CLV_OK)
		return CLV_OK;
	/* Never print the string itself: it may hold the password. */
	return cli_fail(c, r,
	    "give host, dbname, user and sslmode=verify-full there, and the "
	    "password by --database-passfile FILE",
	    "--%s cannot be used: %s", option, why);
}

int
cli_db_open(struct cli *c, const char *conninfo, const char *passfile,
    bool owner, struct clv_store **ret)
{
	char why[256] = "";
	int r = clv_store_connect(
	    conninfo, passfile, owner, CLI_TIMEOUT_MS, ret, why);

	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r,
	    "check that PostgreSQL runs there and lets this user in "
	    "(pg_hba.conf, password file)",
	    "the database cannot be used: %s",
	    why[0] != '\0' ? why : clv_result_text(r));
}

static int
failed(struct cli *c, struct clv_store *s, enum clv_stmt stmt, int r)
{
	return cli_fail(c, r, "look into PostgreSQL's log",
	    "the database did not do '%s': %s", clv_store_stmt_name(stmt),
	    clv_store_text(s)[0] != '\0' ? clv_store_text(s)
					 : clv_result_text(r));
}

int
cli_db_run(struct cli *c, struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n)
{
	int r = clv_store_run(s, stmt, params, n, CLI_TIMEOUT_MS);

	return r == CLV_OK ? r : failed(c, s, stmt, r);
}

static int
no_system(struct cli *c)
{
	return cli_fail(c, CLV_E_NOT_FOUND,
	    "claviger init creates a system; or is it another database?",
	    "this database holds no system");
}

int
cli_db_hello(struct cli *c, struct clv_store *s)
{
	int r = clv_store_run(s, CLV_STMT_HELLO, NULL, 0, CLI_TIMEOUT_MS);
	uint64_t schema;

	if (r != CLV_OK && strcmp(clv_store_sqlstate(s), "3F000") == 0)
		return no_system(c); /* there is not even the schema */
	if (r != CLV_OK)
		return failed(c, s, CLV_STMT_HELLO, r);
	if (clv_store_rows(s) == 0)
		return no_system(c);
	schema = clv_store_get_u64(s, 0, 1);
	if (schema > CLV_SCHEMA_VERSION)
		return cli_fail(c, CLV_E_SCHEMA_NEWER, "upgrade this program",
		    "the database has schema version %u, and this program "
		    "knows %d",
		    (unsigned)schema, CLV_SCHEMA_VERSION);
	if (schema < CLV_SCHEMA_VERSION)
		return cli_fail(c, CLV_E_SCHEMA_OLDER,
		    "claviger settings upgrade, on a node of the system",
		    "the database has schema version %u, and this program "
		    "needs %d",
		    (unsigned)schema, CLV_SCHEMA_VERSION);
	return CLV_OK;
}
