/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/cli.h"

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

int
cli_db_run(struct cli *c, struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n)
{
	int r = clv_store_run(s, stmt, params, n, CLI_TIMEOUT_MS);

	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r, "look into PostgreSQL's log",
	    "the database did not do '%s': %s", clv_store_stmt_name(stmt),
	    clv_store_text(s)[0] != '\0' ? clv_store_text(s)
					 : clv_result_text(r));
}
