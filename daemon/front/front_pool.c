/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/front/front_sql.h"
#include "daemon/base/log.h"

/*
 * Statements in no order: each goes to a connection that is idle, to a new one
 * as long as there may be more, or waits. Connections are made in a thread, as
 * libpq looks up names by itself; once made, they are the loop's, which waits
 * for all of them at once, so that a statement costs no change of thread.
 */
#define QUEUE_MAX 1024
#define REFUSE_MS \
	500	      /* after a failed connection none is tried for so long \
		       */
#define IDLE_MS 60000 /* then a connection is given back, so that many */
#define IDLE_LOOK_MS 10000 /* members do not take all that PostgreSQL has */

enum { MAIL_CONNECT = 1, MAIL_CONNECTED = 2 };

struct pool_conn {
	struct front_pool *pool;
	struct clv_store *store; /* NULL: none */
	int fd;			 /* its, which libpq closes when it is lost */
	bool busy;
	uint64_t id;	     /* of its statement */
	struct clv_buf body; /* which borrows the parameters from here */
	uint64_t since_ms;
	struct loop_timer *deadline;
};

struct item {
	struct item *next;
	struct clv_buf body;
};

struct front_pool {
	struct front *front;
	struct front_worker *connector;
	struct pool_conn *conns;
	unsigned max, open, opening;
	struct item *head;
	struct item **tail;
	unsigned waiting;
	uint64_t refuse_until_ms; /* because of: */
	int result;
	char why[256];
	struct loop_timer *idle;
};

static void dispatch(struct front_pool *p);

static void
answer(struct front_pool *p, uint64_t id, int result, const char *text,
    const struct clv_store *rows)
{
	struct clv_buf b;

	front_sql_result(&b, id, result, text, rows);
	front_send(p->front, CHAN_SQL_RESULT, &b);
	clv_buf_fini(&b);
}

/* ---- those that wait ---- */

static int
enqueue(struct front_pool *p, struct clv_buf *body)
{
	struct item *i;

	if (p->waiting >= QUEUE_MAX)
		return CLV_E_BUSY;
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return CLV_E_NOMEM;
	i->body = *body;
	clv_buf_init(body); /* transferred */
	*p->tail = i;
	p->tail = &i->next;
	p->waiting++;
	return CLV_OK;
}

static bool
dequeue(struct front_pool *p, struct clv_buf *ret)
{
	struct item *i = p->head;

	if (i == NULL)
		return false;
	if ((p->head = i->next) == NULL)
		p->tail = &p->head;
	p->waiting--;
	*ret = i->body; /* transferred */
	free(i);
	return true;
}

/* They were never sent: surely not done. */
static void
refuse_waiting(struct front_pool *p)
{
	struct clv_buf body;
	struct clv_rd rd;

	while (dequeue(p, &body)) {
		clv_rd_init(&rd, body.data, body.len);
		answer(p, clv_rd_u64(&rd), CLV_E_DATABASE_AWAY, p->why, NULL);
		clv_buf_fini(&body);
	}
}

/* ---- one connection ---- */

static void
drop(struct pool_conn *c)
{
	struct front_pool *p = c->pool;

	loop_fd_del(p->front->loop, c->fd);
	loop_timer_del(p->front->loop, &c->deadline);
	clv_store_free(&c->store);
	clv_buf_fini(&c->body);
	c->busy = false;
	p->open--;
}

static void
watch(struct pool_conn *c)
{
	loop_fd_set(c->pool->front->loop, c->fd, true,
	    (clv_store_want(c->store) & CLV_WANT_WRITE) != 0);
}

static void
finish(struct pool_conn *c, int r)
{
	struct front_pool *p = c->pool;

	answer(p, c->id, r, r == CLV_OK ? "" : clv_store_text(c->store),
	    r == CLV_OK ? c->store : NULL);
	loop_timer_del(p->front->loop, &c->deadline);
	clv_buf_fini(&c->body);
	c->busy = false;
	c->since_ms = loop_now_ms();
	if (front_sql_ends(c->store, r))
		drop(c);
	else
		watch(c);
}

/* Its descriptor has something, or it has just been sent a statement. */
static void
step(struct pool_conn *c)
{
	int r = clv_store_step(c->store);

	if (r == CLV_E_AGAIN)
		watch(c);
	else if (c->busy)
		finish(c, r);
	else if (r != CLV_OK) /* the server has closed it */
		drop(c);
}

static void
on_fd(void *arg, int fd, bool readable, bool writable)
{
	struct pool_conn *c = arg;
	struct front_pool *p = c->pool;

	step(c);
	dispatch(p);
}

static void
on_deadline(void *arg)
{
	struct pool_conn *c = arg;
	struct front_pool *p = c->pool;

	answer(
	    p, c->id, CLV_E_UNKNOWN, "PostgreSQL did not answer in time", NULL);
	drop(c);
	dispatch(p);
}

/* The first that waits goes out; or on to another connection, when this one was
 * closed before anything was sent. */
static void
send_first(struct pool_conn *c)
{
	struct front_pool *p = c->pool;
	struct front_sql sql = {0};
	int r;

	r = front_sql_parse(&p->head->body, &sql);
	if (r == CLV_OK)
		r = clv_store_send(
		    c->store, (enum clv_stmt)sql.stmt, sql.param, sql.n);
	if (r == CLV_E_DATABASE_AWAY) {
		drop(c);
		return;
	}
	dequeue(p, &c->body); /* what it points to stays where it is */
	c->busy = true;
	c->id = sql.id;
	if (r != CLV_OK) {
		finish(c, r);
		return;
	}
	loop_timer_set(
	    p->front->loop, &c->deadline, FRONT_STATEMENT_MS, on_deadline, c);
	step(c);
}

/* ---- making connections ---- */

static void *
run(void *arg)
{
	struct front_worker *w = arg;
	const struct config *c = w->front->config;
	const char *passfile =
	    c->database_passfile[0] != '\0' ? c->database_passfile : NULL;
	struct clv_store *store;
	struct clv_buf body, b;
	char why[256];
	unsigned type;
	int r;

	front_mail_accept(w->in, true);
	for (;;) {
		front_mail_wait(w->in);
		while (front_mail_get(w->in, &type, &body)) {
			clv_buf_fini(&body);
			store = NULL;
			why[0] = '\0';
			r = clv_store_connect(c->database, passfile,
			    config_is_server(c) ? CLV_STORE_SERVER
						: CLV_STORE_MEMBER,
			    FRONT_CONNECT_MS, &store, why);
			clv_buf_init(&b);
			clv_buf_raw(&b, &store, sizeof(store));
			clv_buf_u32(&b, (uint32_t)r);
			front_sql_text(
			    &b, why[0] != '\0' ? why : clv_result_text(r));
			front_mail_put(w->out, MAIL_CONNECTED, &b, true);
			clv_buf_fini(&b);
		}
	}
	return NULL;
}

static struct pool_conn *
free_place(struct front_pool *p)
{
	unsigned i;

	for (i = 0; i < p->max; i++)
		if (p->conns[i].store == NULL)
			return &p->conns[i];
	return NULL;
}

static void on_look(void *arg);

static void
adopt(struct front_pool *p, struct clv_store *store)
{
	struct pool_conn *c = free_place(p);

	if (c == NULL || loop_fd_add(p->front->loop, clv_store_fd(store), true,
			     false, on_fd, c) != CLV_OK) {
		clv_store_free(&store);
		return;
	}
	c->store = store;
	c->fd = clv_store_fd(store);
	c->since_ms = loop_now_ms();
	p->open++;
	if (p->idle == NULL)
		loop_timer_set(
		    p->front->loop, &p->idle, IDLE_LOOK_MS, on_look, p);
}

static void
failed(struct front_pool *p, int result, const char *why)
{
	p->result = result;
	snprintf(p->why, sizeof(p->why), "%s", why);
	p->refuse_until_ms = loop_now_ms() + REFUSE_MS;
	if (p->open == 0 && p->opening == 0)
		refuse_waiting(p);
}

static void
on_mail(void *arg, unsigned type, struct clv_buf *body)
{
	struct front_pool *p = arg;
	struct clv_store *store;
	struct clv_rd rd;
	char why[256];
	int r;

	clv_rd_init(&rd, body->data, body->len);
	clv_rd_copy(&rd, &store, sizeof(store));
	r = (int)clv_rd_u32(&rd);
	clv_rd_str(&rd, why, sizeof(why));
	p->opening--;
	if (r == CLV_OK)
		adopt(p, store);
	else
		failed(p, r, why);
	dispatch(p);
}

static int
start_connector(struct front_pool *p)
{
	int r;

	if (p->connector != NULL)
		return CLV_OK;
	r = front_worker_start(p->front, run, on_mail, p, &p->connector);
	/* Before the thread says so itself. */
	if (r == CLV_OK)
		front_mail_accept(p->connector->in, true);
	return r;
}

static void
open_one(struct front_pool *p)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	r = start_connector(p);
	if (r == CLV_OK)
		r = front_mail_put(p->connector->in, MAIL_CONNECT, &b, false);
	if (r == CLV_OK)
		p->opening++;
	else
		failed(p, r, clv_result_text(r));
	clv_buf_fini(&b);
}

static void
on_look(void *arg)
{
	struct front_pool *p = arg;
	uint64_t now = loop_now_ms();
	unsigned i;

	for (i = 0; i < p->max; i++) {
		struct pool_conn *c = &p->conns[i];

		if (c->store != NULL && !c->busy &&
		    now - c->since_ms >= IDLE_MS)
			drop(c);
	}
	if (p->open > 0)
		loop_timer_set(
		    p->front->loop, &p->idle, IDLE_LOOK_MS, on_look, p);
}

/* ---- from one to the other ---- */

/* The one used last, so that those above the need grow old. */
static struct pool_conn *
idle_conn(struct front_pool *p)
{
	struct pool_conn *best = NULL, *c;
	unsigned i;

	for (i = 0; i < p->max; i++) {
		c = &p->conns[i];
		if (c->store != NULL && !c->busy &&
		    (best == NULL || c->since_ms > best->since_ms))
			best = c;
	}
	return best;
}

static void
open_more(struct front_pool *p)
{
	while (p->waiting > p->opening && p->open + p->opening < p->max) {
		if (loop_now_ms() < p->refuse_until_ms) {
			if (p->open + p->opening == 0)
				refuse_waiting(p);
			return;
		}
		open_one(p);
	}
}

static void
dispatch(struct front_pool *p)
{
	struct pool_conn *c;

	while (p->head != NULL && (c = idle_conn(p)) != NULL)
		send_first(c);
	open_more(p);
}

void
front_pool_sql(struct front_pool *p, struct clv_buf *body)
{
	struct front_sql sql = {0};
	int r = front_sql_parse(body, &sql);

	if (r != CLV_OK)
		answer(p, sql.id, r, "not a statement of this program", NULL);
	else if ((r = enqueue(p, body)) != CLV_OK)
		answer(p, sql.id, r, "too many statements wait for PostgreSQL",
		    NULL);
	clv_buf_fini(body);
	dispatch(p);
}

int
front_pool_new(struct front *f, struct front_pool **ret)
{
	struct front_pool *p = calloc(1, sizeof(*p));
	unsigned i;

	if (p == NULL)
		return CLV_E_NOMEM;
	p->max = f->config->database_connections;
	p->conns = calloc(p->max, sizeof(*p->conns));
	if (p->conns == NULL) {
		free(p);
		return CLV_E_NOMEM;
	}
	for (i = 0; i < p->max; i++)
		p->conns[i].pool = p;
	p->front = f;
	p->tail = &p->head;
	*ret = p;
	return CLV_OK;
}
