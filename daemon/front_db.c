/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include "daemon/front.h"
#include "daemon/log.h"

/*
 * The keeper's statements, in order and one at a time, over one connection.
 * The connection lives in a thread, as libpq resolves names while it connects
 * and a dead name server must not hold up the server port.
 */
#define CONNECT_MS 30000   /* all hosts of the connection string together */
#define STATEMENT_MS 12000 /* the server itself stops at 10 s */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 2000
#define PARAMS_MAX 16
#define TEXT_MAX 256

struct front_db {
	struct front_worker *worker;
	struct clv_store *store;
	bool told; /* the keeper was told something: */
	bool up;
	char why[TEXT_MAX];
	char lost[TEXT_MAX]; /* how this connection ended */
};

/* One statement as it came: the parameters point into its message. */
struct sql {
	uint64_t id;
	uint8_t lane;
	uint32_t stmt;
	uint32_t n;
	struct clv_param param[PARAMS_MAX];
};

static int
sql_parse(const struct clv_buf *body, struct sql *ret)
{
	struct clv_rd rd;
	uint32_t i;

	clv_rd_init(&rd, body->data, body->len);
	ret->id = clv_rd_u64(&rd);
	ret->lane = clv_rd_u8(&rd);
	ret->stmt = clv_rd_u32(&rd);
	ret->n = clv_rd_u32(&rd);
	if (ret->n > PARAMS_MAX)
		return CLV_E_FORMAT;
	for (i = 0; i < ret->n; i++)
		ret->param[i].p = clv_rd_bytes(&rd, &ret->param[i].len);
	if (clv_rd_end(&rd) != CLV_OK)
		return CLV_E_FORMAT;
	if (ret->stmt < CLV_STMT_HELLO || ret->stmt >= CLV_STMT_LAST ||
	    ret->n != clv_store_param_count((enum clv_stmt)ret->stmt))
		return CLV_E_INVALID;
	return CLV_OK;
}

/* A text that clv_rd_str() takes: PostgreSQL's have line ends in them. */
static void
put_text(struct clv_buf *b, const char *text)
{
	char line[TEXT_MAX];
	size_t i;

	snprintf(line, sizeof(line), "%s", text);
	for (i = 0; line[i] != '\0'; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = ' ';
	}
	while (i > 0 && line[i - 1] == ' ')
		line[--i] = '\0';
	clv_buf_str(b, line);
}

static void
put_rows(struct clv_buf *b, const struct clv_store *s)
{
	size_t rows = clv_store_rows(s), columns = clv_store_columns(s);
	size_t i, len;
	const void *p;

	clv_buf_u32(b, (uint32_t)rows);
	clv_buf_u32(b, (uint32_t)columns);
	for (i = 0; i < rows * columns; i++) {
		p = clv_store_get(s, i / columns, i % columns, &len);
		clv_buf_bytes(b, p == NULL ? "" : p, p == NULL ? 0 : len);
	}
}

static void
result_format(struct clv_buf *b, uint64_t id, int result, const char *text,
    const struct clv_store *rows)
{
	clv_buf_init(b);
	b->max = CHAN_MESSAGE_MAX;
	clv_buf_u64(b, id);
	clv_buf_u32(b, (uint32_t)result);
	put_text(b, text);
	if (rows != NULL)
		put_rows(b, rows);
	else
		clv_buf_u64(b, 0); /* no rows, no columns */
}

static void
answer(struct front_db *db, uint64_t id, int result, const char *text,
    const struct clv_store *rows)
{
	struct clv_buf b;
	int r;

	result_format(&b, id, result, text, rows);
	if ((r = clv_buf_result(&b)) != CLV_OK) {
		clv_buf_fini(&b);
		result_format(&b, id, r, "the result is too large", NULL);
	}
	front_mail_put(db->worker->out, CHAN_SQL_RESULT, &b, true);
	clv_buf_fini(&b);
}

/* Tell the keeper, once for each change. */
static void
tell(struct front_db *db, bool up, const char *why)
{
	struct clv_buf b;

	if (db->told && db->up == up && strcmp(db->why, why) == 0)
		return;
	db->told = true;
	db->up = up;
	snprintf(db->why, sizeof(db->why), "%s", why);
	clv_buf_init(&b);
	clv_buf_u8(&b, up);
	put_text(&b, why);
	front_mail_put(db->worker->out, CHAN_DATABASE, &b, true);
	clv_buf_fini(&b);
}

/* Those that were never sent are surely not done. */
static void
refuse_queued(struct front_db *db, const char *why)
{
	struct clv_buf body;
	struct clv_rd rd;
	unsigned type;

	while (front_mail_get(db->worker->in, &type, &body)) {
		clv_rd_init(&rd, body.data, body.len);
		answer(db, clv_rd_u64(&rd), CLV_E_DATABASE_AWAY, why, NULL);
		clv_buf_fini(&body);
	}
}

/* After these the connection is not used again: lost, late, or of a server
 * that has become read-only or is shutting down. */
static bool
ends_connection(const struct clv_store *s, int r)
{
	const char *state = clv_store_sqlstate(s);

	switch (r) {
	case CLV_OK:
	case CLV_E_STALE:
	case CLV_E_STALE_EPOCH:
	case CLV_E_EXISTS:
	case CLV_E_NOT_FOUND:
	case CLV_E_SCHEMA_OLDER:
	case CLV_E_INVALID: return false;
	case CLV_E_DATABASE:
		return strcmp(state, "25006") == 0 ||
		       strncmp(state, "57P", 3) == 0;
	default: return true;
	}
}

/* Do one statement: false when the connection is over. */
static bool
perform(struct front_db *db, const struct clv_buf *body)
{
	const char *text = "";
	struct sql sql = {0};
	int r;

	if ((r = sql_parse(body, &sql)) != CLV_OK) {
		answer(db, sql.id, r, "not a statement of this program", NULL);
		return true;
	}
	r = clv_store_run(
	    db->store, (enum clv_stmt)sql.stmt, sql.param, sql.n, STATEMENT_MS);
	if (r == CLV_E_TIMEOUT) {
		r = CLV_E_UNKNOWN;
		text = "PostgreSQL did not answer in time";
	} else if (r != CLV_OK) {
		text = clv_store_text(db->store);
	}
	answer(db, sql.id, r, text, r == CLV_OK ? db->store : NULL);
	if (!ends_connection(db->store, r))
		return true;
	snprintf(db->lost, sizeof(db->lost), "%s", text);
	return false;
}

/* Serve while the connection lives. */
static void
serve(struct front_db *db)
{
	struct front_mail *in = db->worker->in;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};
	struct clv_buf body;
	unsigned type;
	bool alive = true;
	int r;

	while (alive) {
		p[0].fd = front_mail_fd(in);
		p[1].fd = clv_store_fd(db->store);
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		/* First what the server has to say: that it shuts down. */
		if (p[1].revents != 0) {
			r = clv_store_step(db->store);
			if (r != CLV_OK && r != CLV_E_AGAIN) {
				snprintf(db->lost, sizeof(db->lost), "%s",
				    clv_store_text(db->store));
				return;
			}
		}
		if (front_mail_get(in, &type, &body)) {
			alive = perform(db, &body);
			clv_buf_fini(&body);
		}
	}
}

/* One connection, from its beginning to its end. True when there was one. */
static bool
session(struct front_db *db)
{
	const struct config *c = db->worker->front->config;
	const char *passfile =
	    c->database_passfile[0] != '\0' ? c->database_passfile : NULL;
	char why[TEXT_MAX] = "";
	int r;

	r = clv_store_connect(c->database, passfile,
	    config_is_server(c) ? CLV_STORE_SERVER : CLV_STORE_MEMBER,
	    CONNECT_MS, &db->store, why);
	if (r != CLV_OK) {
		tell(db, false, why[0] != '\0' ? why : clv_result_text(r));
		return false;
	}
	db->lost[0] = '\0';
	/* First, as the keeper asks at once when it is told. */
	front_mail_accept(db->worker->in, true);
	tell(db, true, "");
	serve(db);
	front_mail_accept(db->worker->in, false);
	clv_store_free(&db->store);
	if (db->lost[0] == '\0')
		snprintf(db->lost, sizeof(db->lost), "the connection is lost");
	tell(db, false, db->lost);
	refuse_queued(db, db->lost);
	return true;
}

static void *
run(void *arg)
{
	struct front_worker *w = arg;
	struct front_db *db = w->arg;
	int backoff_ms = BACKOFF_MIN_MS;

	for (;;) {
		if (session(db))
			backoff_ms = BACKOFF_MIN_MS;
		poll(NULL, 0, backoff_ms);
		backoff_ms *= 2;
		if (backoff_ms > BACKOFF_MAX_MS)
			backoff_ms = BACKOFF_MAX_MS;
	}
	return NULL;
}

int
front_db_start(struct front *f, struct front_db **ret)
{
	struct front_db *db = calloc(1, sizeof(*db));
	int r;

	if (db == NULL)
		return CLV_E_NOMEM;
	if (f->config->database[0] == '\0') {
		*ret = db; /* a member: every statement is refused */
		return CLV_OK;
	}
	if ((r = tls_init()) == CLV_OK)
		r = front_worker_start(f, run, NULL, db, &db->worker);
	if (r != CLV_OK) {
		free(db);
		return r;
	}
	*ret = db;
	return CLV_OK;
}

void
front_db_sql(struct front *f, struct front_db *db, struct clv_rd *rd)
{
	struct clv_rd head = *rd;
	struct clv_buf body;
	int r = CLV_E_NO_SERVER;

	clv_buf_init(&body);
	clv_buf_raw(&body, rd->p, rd->len);
	if (db->worker != NULL)
		r = front_mail_put(db->worker->in, CHAN_SQL, &body, false);
	clv_buf_fini(&body);
	if (r == CLV_OK)
		return;
	result_format(&body, clv_rd_u64(&head),
	    r == CLV_E_NO_SERVER ? CLV_E_DATABASE_AWAY : CLV_E_BUSY,
	    "there is no connection to PostgreSQL", NULL);
	front_send(f, CHAN_SQL_RESULT, &body);
	clv_buf_fini(&body);
}
