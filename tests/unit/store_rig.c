/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/store_internal.h"
#include "pg.h"
#include "store_rig.h"

#define DATABASE "claviger"

const uint8_t node_a[16] = "node a's instan";
const uint8_t node_b[16] = "node b's instan";
const uint8_t system_id[16] = "the system's id";
PGconn *raw;
char owner_conninfo[256];
char node_conninfo[256];

static PGconn *
connect_raw(const char *dbname)
{
	char conninfo[256];
	PGconn *conn;

	snprintf(conninfo, sizeof(conninfo), "host=%s user=postgres dbname=%s",
	    pg_dir(), dbname);
	conn = PQconnectdb(conninfo);
	ck_assert_msg(
	    PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
	return conn;
}

static PGresult *
query(PGconn *conn, const char *text)
{
	PGresult *r = PQexec(conn, text);
	ExecStatusType st = PQresultStatus(r);

	ck_assert_msg(st == PGRES_TUPLES_OK || st == PGRES_COMMAND_OK, "%s: %s",
	    text, PQerrorMessage(conn));
	return r;
}

void
sql(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	PQclear(query(raw, text));
}

long long
sql_int(const char *fmt, ...)
{
	char text[1024];
	long long v;
	PGresult *r;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = query(raw, text);
	ck_assert_int_eq(PQntuples(r), 1);
	v = atoll(PQgetvalue(r, 0, 0));
	PQclear(r);
	return v;
}

void
sql_wait(const char *text)
{
	PGconn *conn = connect_raw("postgres");
	time_t deadline = time(NULL) + 20;
	bool yes = false;

	while (!yes) {
		PGresult *r = query(conn, text);

		yes = PQntuples(r) == 1 && *PQgetvalue(r, 0, 0) == 't';
		PQclear(r);
		ck_assert_msg(time(NULL) < deadline, "never: %s", text);
		if (!yes)
			poll(NULL, 0, 5);
	}
	PQfinish(conn);
}

void
end_other_sessions(void)
{
	sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
	    " WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

static void
use_database(const char *name)
{
	snprintf(owner_conninfo, sizeof(owner_conninfo),
	    "host=%s user=postgres dbname=%s", pg_dir(), name);
	snprintf(node_conninfo, sizeof(node_conninfo),
	    "host=%s user=node dbname=%s", pg_dir(), name);
	raw = connect_raw(name);
	sql("SET client_min_messages = warning");
	end_other_sessions();
}

void
with_empty_database(void)
{
	use_database(DATABASE);
	sql("DROP SCHEMA IF EXISTS claviger CASCADE");
}

void
with_schema(void)
{
	use_database(DATABASE);
	sql("TRUNCATE claviger.system, claviger.epoch_log, claviger.list,"
	    " claviger.escrow, claviger.tls, claviger.join_request,"
	    " claviger.ack, claviger.backup, claviger.op, claviger.manifest,"
	    " claviger.data_key, claviger.secret RESTART IDENTITY");
}

void
with_system(void)
{
	struct clv_store *s;

	with_schema();
	s = as_owner();
	ck_ok(s, create(s, system_id));
	clv_store_free(&s);
}

void
leave_database(void)
{
	PQfinish(raw);
	raw = NULL;
}

static struct clv_store *
connect_as(const char *conninfo, enum clv_store_role role)
{
	struct clv_store *s = NULL;
	char why[256] = "";
	int rc;

	rc = clv_store_connect(conninfo, NULL, role, TIMEOUT_MS, &s, why);
	ck_assert_msg(rc == CLV_OK, "%s: %s", clv_result_name(rc), why);
	return s;
}

struct clv_store *
as_node(void)
{
	return connect_as(node_conninfo, CLV_STORE_SERVER);
}

struct clv_store *
as_member(void)
{
	char conninfo[256];

	snprintf(conninfo, sizeof(conninfo), "%.240s user=host", node_conninfo);
	return connect_as(conninfo, CLV_STORE_MEMBER);
}

struct clv_store *
as_owner(void)
{
	return connect_as(owner_conninfo, CLV_STORE_OWNER);
}

static int
vsend(struct clv_store *s, enum clv_stmt stmt, va_list ap)
{
	const struct clv__statement *st = clv__statement_get(stmt);
	struct clv_param params[CLV__PARAMS_MAX];
	static uint8_t ring[8][CLV__PARAMS_MAX][8]; /* outlive the sending */
	static unsigned turn;
	uint8_t(*ints)[8] = ring[turn++ % 8];
	const struct clv_buf *array;
	size_t n;

	for (n = 0; st->params[n] != '\0'; n++) {
		if (st->params[n] == 'i') {
			params[n] =
			    clv_param_u64(va_arg(ap, uint64_t), ints[n]);
			continue;
		}
		if (strchr("ITB", st->params[n]) != NULL) {
			array = va_arg(ap, const struct clv_buf *);
			params[n] = clv_param_array(array);
			continue;
		}
		params[n].p = va_arg(ap, const void *);
		params[n].len = st->params[n] == 't' ? strlen(params[n].p)
						     : va_arg(ap, size_t);
	}
	return clv_store_send(s, stmt, params, n);
}

int
call_send(struct clv_store *s, enum clv_stmt stmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, stmt);
	rc = vsend(s, stmt, ap);
	va_end(ap);
	/* the first time on a connection it has to be prepared */
	while (rc == CLV_OK && s->state == CLV__STORE_PREPARE) {
		struct pollfd pfd = {clv_store_fd(s), POLLIN, 0};

		ck_assert_int_ge(poll(&pfd, 1, TIMEOUT_MS), 1);
		rc = clv_store_step(s);
		if (rc == CLV_E_AGAIN)
			rc = CLV_OK;
	}
	return rc;
}

int
call_finish(struct clv_store *s)
{
	return clv__store_finish(s, TIMEOUT_MS);
}

int
call(struct clv_store *s, enum clv_stmt stmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, stmt);
	rc = vsend(s, stmt, ap);
	va_end(ap);
	return rc == CLV_OK ? call_finish(s) : rc;
}

void
escrow_row(uint8_t *row, size_t len, uint8_t node, uint32_t generation)
{
	memset(row, 'x', len);
	row[0] = node;
	row[1] = (uint8_t)(generation >> 24);
	row[2] = (uint8_t)(generation >> 16);
	row[3] = (uint8_t)(generation >> 8);
	row[4] = (uint8_t)generation;
}

int
create(struct clv_store *owner, const uint8_t id[static 16])
{
	uint8_t escrow[64], thumb[32] = "thumbprint of the first one";
	struct clv_store_system sys = {
	    .system_id = id,
	    .epoch = EPOCH,
	    .holder = 1,
	    .list = "list 1",
	    .list_len = 6,
	    .escrow = escrow,
	    .escrow_len = sizeof(escrow),
	    .tls_thumb = thumb,
	    .tls_row = "tls row",
	    .tls_row_len = 7,
	    .backup = "backup 1",
	    .backup_len = 8,
	};

	escrow_row(escrow, sizeof(escrow), 1, 1);
	return clv_store_create_system(owner, &sys, TIMEOUT_MS);
}

bool
take(
    struct clv_store *s, uint64_t seen, uint64_t epoch, const uint8_t *instance)
{
	ck_ok(s, call(s, CLV_STMT_TAKE_EPOCH, seen, epoch, epoch & 255,
		     instance, (size_t)16, (uint64_t)1, (uint64_t)15000));
	return clv_store_get_bool(s, 0, 1);
}

int
put_list(struct clv_store *s, uint64_t epoch, const void *instance,
    const char *op, uint64_t version)
{
	return call(s, CLV_STMT_PUT_LIST, epoch, instance, (size_t)16, op,
	    (size_t)16, version, STR("another list"), "", (size_t)0, "", U(1));
}

int
init_app(struct clv_store *n, const char *app, uint64_t counter, const void *op,
    size_t op_len)
{
	return call(n, CLV_STMT_INIT_APP, U(TAKEN), A, op, op_len, app, U(1),
	    STR("index key"), STR("data key"),
	    "the mac of a manifest w/o rows..", (size_t)32, counter);
}

void
remake_schema(void)
{
	struct clv_store *o = as_owner();

	sql("DROP SCHEMA claviger CASCADE");
	ck_ok(o, clv_store_migrate(o, "node"));
	clv_store_free(&o);
}

/* The library itself makes the template. No ck_assert: no test is running. */
static int
make_template(void)
{
	static const char *const script[] = {"CREATE DATABASE " DATABASE
					     " TEMPLATE template0",
	    "CREATE ROLE node LOGIN", "CREATE ROLE host LOGIN"};
	struct clv_store *s = NULL;
	char conninfo[256], why[256] = "";
	PGconn *conn;
	int rc;

	snprintf(conninfo, sizeof(conninfo), "host=%s user=postgres", pg_dir());
	conn = PQconnectdb(conninfo);
	for (size_t i = 0; i < 3; i++)
		PQclear(PQexec(conn, script[i]));
	PQfinish(conn);
	strcat(conninfo, " dbname=" DATABASE);
	rc = clv_store_connect(
	    conninfo, NULL, CLV_STORE_OWNER, TIMEOUT_MS, &s, why);
	if (rc != CLV_OK) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	rc = clv_store_migrate(s, "node");
	if (rc == CLV_OK)
		rc = clv__store_run_script(
		    s, "GRANT claviger_member TO host", TIMEOUT_MS);
	if (rc != CLV_OK)
		fprintf(stderr, "migrate: %s\n", clv_store_text(s));
	clv_store_free(&s);
	return rc != CLV_OK;
}

int
rig_start(void)
{
	int rc = pg_start(NULL);

	if (rc == 0 && make_template() != 0) {
		pg_stop();
		rc = 1;
	}
	return rc;
}

int
rig_run(Suite *s)
{
	SRunner *run = srunner_create(s);
	int failed;

	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	pg_stop();
	return failed != 0;
}
