/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <libpq-fe.h>
#include <claviger/result.h>

#include "store_internal.h"

/*
 * What an administrator may say in a connection string. Anything else is
 * refused by name: `options` and the like are ours, and `service` or `passfile`
 * would bring in a file that nobody checked.
 */
static const char *const allowed[] = {"host", "hostaddr", "port", "dbname",
    "user", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl",
    "sslcrldir", "sslsni", "channel_binding", "requirepeer",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "connect_timeout",
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "target_session_attrs", "application_name", NULL};

/*
 * What always holds, whatever the string says. A dead peer is noticed in less
 * than a lease (15 s). client_min_messages, because a role's own setting could
 * hide the warning that a commit was not replicated; the isolation level,
 * because the fence relies on a statement seeing what it waited for. The
 * server's keepalives: what served a node that lost its power must not keep
 * the lock that a take-over waits for (PostgreSQL 14 or later). The
 * password file that cannot exist keeps libpq away from ~/.pgpass
 * (/dev/null itself would be warned about on stderr).
 */
#define NO_PASSFILE "/dev/null/none"
static const char *const fixed[][2] = {
    {"connect_timeout", "5"},
    {"keepalives", "1"},
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "5000"},
    {"target_session_attrs", "read-write"},
    {"gssencmode", "disable"},
    {"application_name", "claviger"},
    {"client_encoding", "UTF8"},
    {"options", "-c search_path=pg_catalog,pg_temp -c lock_timeout=3s"
		" -c statement_timeout=10s"
		" -c idle_in_transaction_session_timeout=10s"
		" -c synchronous_commit=on -c client_min_messages=warning"
		" -c default_transaction_isolation=read\\ committed"
		" -c client_connection_check_interval=2s"
		" -c plan_cache_mode=force_generic_plan -c jit=off"
		" -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2"
		" -c tcp_keepalives_count=3 -c tcp_user_timeout=10s"},
};
#define FIXED_COUNT (sizeof(fixed) / sizeof(fixed[0]))

/* Variables that libpq reads besides those that its option table names. */
static const char *const hidden_env[] = {"PGSERVICE", "PGSERVICEFILE",
    "PGSYSCONFDIR", "PGREQUIRESSL", "PGREALM", "PGLOCALEDIR", "PGDATESTYLE",
    "PGTZ", "PGGEQO", NULL};

static const char *
value_of(const PQconninfoOption *options, const char *key)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, key) == 0)
			return options->val == NULL ? "" : options->val;
	return "";
}

static bool
is_allowed(const char *key)
{
	for (size_t i = 0; allowed[i] != NULL; i++)
		if (strcmp(allowed[i], key) == 0)
			return true;
	return false;
}

/* Every host of the list begins with c (an empty one counts as a '/'). */
static bool
hosts_all_local(const char *hosts)
{
	for (;; hosts++) {
		if (*hosts != '/' && *hosts != ',' && *hosts != '\0')
			return false;
		hosts = strchr(hosts, ',');
		if (hosts == NULL)
			return true;
	}
}

/* libpq takes "@name" as an abstract socket, which any local process could
 * listen on, and uses no TLS there whatever sslmode says. */
static bool
hosts_any_abstract(const char *hosts)
{
	return *hosts == '@' || strstr(hosts, ",@") != NULL;
}

static bool
tls_floor_is_kept(const PQconninfoOption *options)
{
	const char *min = value_of(options, "ssl_min_protocol_version");

	return *min == '\0' || strcmp(min, "TLSv1.2") == 0 ||
	       strcmp(min, "TLSv1.3") == 0;
}

static const char *
objection(const PQconninfoOption *options)
{
	const char *host = value_of(options, "host");

	if (*value_of(options, "password") != '\0' ||
	    *value_of(options, "sslpassword") != '\0')
		return "the connection string holds a password; put it into a "
		       "password file (--database-passfile) or use a client "
		       "certificate";
	if (hosts_any_abstract(host))
		return "an abstract socket (host=@...) is not protected by "
		       "permissions; give the directory of the socket";
	if (!tls_floor_is_kept(options))
		return "ssl_min_protocol_version must be TLSv1.2 or TLSv1.3";
	if (*value_of(options, "hostaddr") == '\0' && hosts_all_local(host))
		return NULL;
	if (strcmp(value_of(options, "sslmode"), "verify-full") != 0)
		return "a database that is not on a local socket needs "
		       "sslmode=verify-full";
	return NULL;
}

/* Password or not, foreign text never goes into the sentence: libpq would
 * repeat the part of the string that it did not understand. */
int
clv_store_check_conninfo(const char *conninfo, char ret_why[static 256])
{
	PQconninfoOption *options, *o;
	const char *why = NULL;
	char *error = NULL;

	options = PQconninfoParse(conninfo, &error);
	PQfreemem(error);
	if (options == NULL) {
		snprintf(ret_why, 256,
		    "not a PostgreSQL connection string "
		    "(\"host=... dbname=... user=...\")");
		return CLV_E_INVALID;
	}
	why = objection(options);
	for (o = options; why == NULL && o->keyword != NULL; o++) {
		if (o->val == NULL || *o->val == '\0' || is_allowed(o->keyword))
			continue;
		snprintf(ret_why, 256,
		    "the option %s is not allowed in the "
		    "connection string",
		    o->keyword);
		PQconninfoFree(options);
		return CLV_E_INVALID;
	}
	PQconninfoFree(options);
	if (why == NULL)
		return CLV_OK;
	snprintf(ret_why, 256, "%s", why);
	return CLV_E_INVALID;
}

/*
 * libpq takes every option that is not set from the environment, and an empty
 * value counts as not set: the variables have to go.
 */
static void
scrub_environment(const PQconninfoOption *options)
{
	for (; options->keyword != NULL; options++)
		if (options->envvar != NULL)
			unsetenv(options->envvar);
	for (size_t i = 0; hidden_env[i] != NULL; i++)
		unsetenv(hidden_env[i]);
}

static bool
is_fixed(const char *key)
{
	for (size_t i = 0; i < FIXED_COUNT; i++)
		if (strcmp(fixed[i][0], key) == 0)
			return true;
	return false;
}

/* libpq would ignore such a file with a line on stderr. */
static int
check_passfile(const char *path)
{
	struct stat st;

	if (path == NULL)
		return CLV_OK;
	if (stat(path, &st) != 0)
		return CLV_E_NOT_FOUND;
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return CLV_E_PERMISSION;
	return CLV_OK;
}

int
clv__conninfo_build(
    const char *conninfo, const char *passfile, struct clv__conninfo *ret)
{
	struct clv__conninfo c = {0};
	PQconninfoOption *o;
	size_t n = 0, room = 0;
	int rc;

	rc = check_passfile(passfile);
	if (rc != CLV_OK)
		return rc;
	c.options = o = PQconninfoParse(conninfo, NULL);
	if (o == NULL)
		return CLV_E_NOMEM; /* it was parsed before */
	scrub_environment(o);
	while (o[room].keyword != NULL)
		room++;
	room += FIXED_COUNT + 2;
	c.keys = calloc(room, sizeof(*c.keys));
	c.values = calloc(room, sizeof(*c.values));
	if (c.keys == NULL || c.values == NULL) {
		clv__conninfo_free(&c);
		return CLV_E_NOMEM;
	}
	for (; o->keyword != NULL; o++) {
		if (o->val == NULL || *o->val == '\0' || is_fixed(o->keyword))
			continue;
		c.keys[n] = o->keyword;
		c.values[n++] = o->val;
	}
	for (size_t i = 0; i < FIXED_COUNT; i++) {
		c.keys[n] = fixed[i][0];
		c.values[n++] = fixed[i][1];
	}
	c.keys[n] = "passfile";
	c.values[n] = passfile == NULL ? NO_PASSFILE : passfile;
	*ret = c;
	return CLV_OK;
}

void
clv__conninfo_free(struct clv__conninfo *c)
{
	free(c->keys);
	free(c->values);
	PQconninfoFree(c->options);
	memset(c, 0, sizeof(*c));
}
