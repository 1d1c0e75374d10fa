/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include "daemon/front/front_sql.h"
#include "daemon/base/log.h"

/*
 * The keeper's statements of the ordered lane: one at a time, over one
 * connection, which also says whether the database is there.
 * The connection lives in a thread, as libpq resolves names while it connects
 * and a dead name server must not hold up the server port.
 */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 2000
#define TEXT_MAX 256

struct front_db {
	struct front_worker *worker;
	struct front_pool *pool;
	struct clv_store *store;
	bool told; /* the keeper was told something: */
	bool up;
	char why[TEXT_MAX];
	char lost[TEXT_MAX]; /* how this connection ended */
};

static void
answer(struct front_db *db, uint64_t id, int result, const char *text,
    const struct clv_store *rows)
{
	struct clv_buf b;

	front_sql_result(&b, id, result, text, rows);
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
	front_sql_text(&b, why);
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

/* Do one statement: false when the connection is over. */
static bool
perform(struct front_db *db, const struct clv_buf *body)
{
	const char *text = "";
	struct front_sql sql = {0};
	int r;

	if ((r = front_sql_parse(body, &sql)) != CLV_OK) {
		answer(db, sql.id, r, "not a statement of this program", NULL);
		return true;
	}
	r = clv_store_run(db->store, (enum clv_stmt)sql.stmt, sql.param, sql.n,
	    FRONT_STATEMENT_MS);
	if (r == CLV_E_TIMEOUT) {
		r = CLV_E_UNKNOWN;
		text = "PostgreSQL did not answer in time";
	} else if (r != CLV_OK) {
		text = clv_store_text(db->store);
	}
	answer(db, sql.id, r, text, r == CLV_OK ? db->store : NULL);
	if (!front_sql_ends(db->store, r))
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
	    FRONT_CONNECT_MS, &db->store, why);
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
		r = front_pool_new(f, &db->pool);
	if (r == CLV_OK)
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
	struct clv_rd head = *rd, lane = *rd;
	struct clv_buf body;
	int r = CLV_E_NO_SERVER;

	clv_buf_init(&body);
	clv_buf_raw(&body, rd->p, rd->len);
	clv_rd_u64(&lane);
	if (clv_rd_u8(&lane) == CHAN_LANE_POOL && db->pool != NULL) {
		front_pool_sql(db->pool, &body);
		return;
	}
	if (db->worker != NULL)
		r = front_mail_put(db->worker->in, CHAN_SQL, &body, false);
	clv_buf_fini(&body);
	if (r == CLV_OK)
		return;
	front_sql_result(&body, clv_rd_u64(&head),
	    r == CLV_E_NO_SERVER ? CLV_E_DATABASE_AWAY : CLV_E_BUSY,
	    "there is no connection to PostgreSQL", NULL);
	front_send(f, CHAN_SQL_RESULT, &body);
	clv_buf_fini(&body);
}
