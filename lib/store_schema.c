/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libpq-fe.h>
#include <claviger/result.h>

#include "store_internal.h"

/* The owner's part: roles, schema, and a new system. */

#define TIMEOUT_MS 30000
#define LOGIN_MAX 63

/*
 * Whose schema it is, and whether it has versions. Nothing in it is touched
 * before it is known to be our own: a table or function of somebody else would
 * run with the owner's rights.
 */
static const struct clv__statement owner_of_schema = {"owner of the schema",
    "SELECT n.nspowner = (SELECT r.oid FROM pg_roles r"
    " WHERE r.rolname = current_user) AS own,"
    " to_regclass('claviger.schema_version') IS NOT NULL AS versions,"
    " pg_get_userbyid(n.nspowner)::text AS owner"
    " FROM pg_namespace n WHERE n.nspname = 'claviger'",
    "", "oot", false, false};

static const struct clv__statement newest_version = {"schema version",
    "SELECT coalesce(max(version), 0) AS version"
    " FROM claviger.schema_version",
    "", "i", false, true};

static const struct clv__statement lock_schema = {"lock the schema",
    /* "claviger" in ASCII */
    "SELECT pg_advisory_lock(7164208268442035570) IS NULL AS ok", "", "o",
    false, true};

static const struct clv__statement unlock_schema = {"unlock the schema",
    "SELECT pg_advisory_unlock(7164208268442035570) AS ok", "", "o", false,
    true};

static const struct clv__statement roles_missing = {"look for the roles",
    "SELECT count(*) < 2 AS missing, (SELECT r.rolsuper OR r.rolcreaterole"
    " FROM pg_roles r WHERE r.rolname = current_user) AS may"
    " FROM pg_roles WHERE rolname IN ('claviger_server',"
    " 'claviger_member')",
    "", "oo", false, true};

/* Roles belong to all databases of the server: another one may be making them
 * at the same time. */
#define CREATE_ROLE(name) \
	"DO $$ BEGIN CREATE ROLE " name " NOLOGIN NOINHERIT;\n" \
	"EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;\n" \
	"END $$;\n"
static const char create_roles[] =
    CREATE_ROLE("claviger_server") CREATE_ROLE("claviger_member");

static const struct clv__statement create_system = {"create the system",
    "SELECT claviger.create_system($1, $2, $3, $4, $5, $6, $7, $8) AS ok",
    "biibbbbb", "o", true, true};

static int
run(struct clv_store *s, const struct clv__statement *st)
{
	return clv__store_run(s, st, NULL, 0, TIMEOUT_MS);
}

static int
not_own(struct clv_store *s)
{
	char owner[128];
	size_t len = 0;
	const char *p = clv_store_get(s, 0, 2, &len);

	snprintf(owner, sizeof(owner), "%.*s", (int)len, p);
	clv__store_forget(s);
	clv__store_note(s, NULL, owner);
	snprintf(owner, sizeof(owner), "%.127s", s->text);
	clv__store_say(s,
	    "the schema claviger belongs to the database role "
	    "\"%s\": connect as this role",
	    owner);
	return CLV_E_PERMISSION;
}

int
clv_store_schema_version(struct clv_store *s, uint32_t *ret)
{
	uint64_t version;
	int rc;

	rc = run(s, &owner_of_schema);
	if (rc != CLV_OK)
		return rc;
	if (clv_store_rows(s) == 0) {
		*ret = 0;
		return CLV_OK;
	}
	if (!clv_store_get_bool(s, 0, 0))
		return not_own(s);
	if (!clv_store_get_bool(s, 0, 1)) {
		clv__store_say(s, "there is a schema claviger that is not "
				  "this program's");
		return CLV_E_EXISTS;
	}
	rc = run(s, &newest_version);
	if (rc != CLV_OK)
		return rc;
	version = clv_store_get_u64(s, 0, 0);
	if (version > CLV_SCHEMA_VERSION) {
		clv__store_say(s,
		    "the database has schema version %llu, this "
		    "program knows %d: upgrade this program",
		    (unsigned long long)version, CLV_SCHEMA_VERSION);
		return CLV_E_SCHEMA_NEWER;
	}
	*ret = (uint32_t)version;
	return CLV_OK;
}

static int
make_roles(struct clv_store *s)
{
	int rc;

	rc = run(s, &roles_missing);
	if (rc != CLV_OK || !clv_store_get_bool(s, 0, 0))
		return rc;
	if (!clv_store_get_bool(s, 0, 1)) {
		clv__store_say(s,
		    "this login may not create roles; let the "
		    "database administrator run: CREATE ROLE "
		    "claviger_server NOLOGIN; CREATE ROLE claviger_member "
		    "NOLOGIN; or give it CREATEROLE");
		return CLV_E_DENIED;
	}
	return clv__store_run_script(s, create_roles, TIMEOUT_MS);
}

static int
make_schema(struct clv_store *s)
{
	uint32_t version = 0;
	int rc;

	assert(clv__migration_count == CLV_SCHEMA_VERSION);
	rc = clv_store_schema_version(s, &version);
	for (; rc == CLV_OK && version < CLV_SCHEMA_VERSION; version++)
		rc = clv__store_run_script(
		    s, clv__migrations[version], TIMEOUT_MS);
	return rc;
}

/* Names of roles as administrators give them; what could be anything else in
 * a script is refused, and the rest is quoted all the same. */
static bool
is_login(const char *login)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.@-";
	size_t len = strlen(login);

	return len > 0 && len <= LOGIN_MAX && strspn(login, chars) == len;
}

static int
grant_login(struct clv_store *s, const char *login)
{
	char sql[256];
	char *quoted;

	quoted = PQescapeIdentifier(s->conn, login, strlen(login));
	if (quoted == NULL)
		return CLV_E_NOMEM;
	snprintf(sql, sizeof(sql), "GRANT claviger_server TO %s", quoted);
	PQfreemem(quoted);
	return clv__store_run_script(s, sql, TIMEOUT_MS);
}

/*
 * Under a lock of the session, which ends with the connection in any case;
 * a second migration waits for it as long as lock_timeout says.
 */
int
clv_store_migrate(struct clv_store *s, const char *login)
{
	char text[sizeof(s->text)];
	int rc;

	if (*login != '\0' && !is_login(login)) {
		clv__store_say(s,
		    "the login may have letters, digits and "
		    "_.@- alone, at most %d",
		    LOGIN_MAX);
		return CLV_E_INVALID;
	}
	rc = run(s, &lock_schema);
	if (rc != CLV_OK)
		return strcmp(s->sqlstate, "55P03") == 0 ? CLV_E_BUSY : rc;
	rc = make_roles(s);
	if (rc == CLV_OK)
		rc = make_schema(s);
	if (rc == CLV_OK && *login != '\0')
		rc = grant_login(s, login);
	snprintf(text, sizeof(text), "%s", s->text);
	if (run(s, &unlock_schema) == CLV_OK)
		snprintf(s->text, sizeof(s->text), "%s", text);
	return rc;
}

int
clv_store_create_system(
    struct clv_store *s, const struct clv_store_system *sys, int timeout_ms)
{
	uint8_t epoch[8], holder[8];
	const struct clv_param params[] = {
	    {sys->system_id, 16},
	    clv_param_u64(sys->epoch, epoch),
	    clv_param_u64(sys->holder, holder),
	    {sys->list, sys->list_len},
	    {sys->escrow, sys->escrow_len},
	    {sys->tls_thumb, 32},
	    {sys->tls_row, sys->tls_row_len},
	    {sys->backup, sys->backup_len},
	};
	uint32_t version = 0;
	int rc;

	rc = clv_store_schema_version(s, &version);
	if (rc == CLV_OK && version < CLV_SCHEMA_VERSION)
		rc = CLV_E_SCHEMA_OLDER;
	if (rc != CLV_OK)
		return rc;
	rc = clv__store_run(s, &create_system, params,
	    sizeof(params) / sizeof(params[0]), timeout_ms);
	if (rc == CLV_E_DATABASE && strcmp(s->sqlstate, "23505") == 0) {
		clv__store_say(s, "this database holds a system already");
		return CLV_E_EXISTS;
	}
	return rc;
}
