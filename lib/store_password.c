/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <libpq-fe.h>
#include <claviger/result.h>

#include "store_internal.h"

/*
 * A login's password is renewed by the login itself. What PostgreSQL gets is a
 * verifier of it (RFC 5803), computed here: the password is in no statement,
 * and so in no log of the server.
 */
#define SQL_MAX 1024

static const struct clv__statement same_login = {"who has this login",
    "SELECT DISTINCT coalesce(host(a.client_addr), '') AS address"
    " FROM pg_stat_activity a, pg_stat_activity me"
    " WHERE me.pid = pg_backend_pid() AND a.usename = session_user"
    " AND a.client_addr IS DISTINCT FROM me.client_addr ORDER BY 1",
    "", "t", false, false};

bool
clv_store_used_password(const struct clv_store *s)
{
	return PQconnectionUsedPassword(s->conn) != 0;
}

bool
clv__store_was_refused(const struct clv_store *s)
{
	return PQstatus(s->conn) == CONNECTION_BAD &&
	       (PQconnectionUsedPassword(s->conn) != 0 ||
		   PQconnectionNeedsPassword(s->conn) != 0);
}

int
clv_store_same_login(struct clv_store *s, int timeout_ms)
{
	return clv__store_run(s, &same_login, NULL, 0, timeout_ms);
}

int
clv_store_set_password(
    struct clv_store *s, const char *password, int timeout_ms)
{
	const char *login = PQuser(s->conn);
	char sql[SQL_MAX], *verifier, *name, *quoted = NULL;
	int rc = CLV_E_NOMEM, n;

	verifier =
	    PQencryptPasswordConn(s->conn, password, login, "scram-sha-256");
	name = PQescapeIdentifier(s->conn, login, strlen(login));
	if (verifier != NULL)
		quoted = PQescapeLiteral(s->conn, verifier, strlen(verifier));
	if (name != NULL && quoted != NULL) {
		n = snprintf(sql, sizeof(sql), "ALTER ROLE %s PASSWORD %s",
		    name, quoted);
		rc = n < (int)sizeof(sql)
			 ? clv__store_run_script(s, sql, timeout_ms)
			 : CLV_E_FULL;
	}
	PQfreemem(quoted);
	PQfreemem(name);
	PQfreemem(verifier);
	return rc;
}
