/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/rotate/rewrap.h"

/* More than any statement of ours returns; the front is not believed. */
#define DB_FIELDS_MAX 16384
#define LEASE_MAX 3600000 /* as in the schema */

struct db_call {
	struct db_call *next;
	struct keeper *k;
	uint64_t id;
	enum chan_lane lane;
	db_fn fn;
	void *arg;
	struct loop_timer *timer;
};

static void
call_end(struct keeper *k, struct db_call *c, const struct db_result *r)
{
	struct db_call **pp;

	for (pp = &k->db.calls; *pp != c; pp = &(*pp)->next)
		;
	*pp = c->next;
	loop_timer_del(k->loop, &c->timer);
	c->fn(k, c->arg, r);
	free(c);
}

static void
call_fail(struct keeper *k, struct db_call *c, int result, const char *text)
{
	struct db_result r = {.result = result, .text = text};

	call_end(k, c, &r);
}

static void
on_deadline(void *arg)
{
	struct db_call *c = arg;

	call_fail(
	    c->k, c, CLV_E_TIMEOUT, "the database did not answer in time");
}

int
db_problem(const struct keeper *k)
{
	return k->db.result != CLV_OK ? k->db.result : CLV_E_DATABASE_AWAY;
}

static void
refuse(struct keeper *k, db_fn fn, void *arg, int result, const char *text)
{
	struct db_result r = {.result = result, .text = text};

	fn(k, arg, &r);
}

static void
call(struct keeper *k, enum chan_lane lane, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, uint32_t timeout_ms, db_fn fn,
    void *arg)
{
	struct db_call *c;
	struct clv_buf b;
	int result;

	/* Nothing is written before HELLO has said that it is our system's. */
	if (!k->db.up || (!k->db.known && stmt != CLV_STMT_HELLO)) {
		refuse(k, fn, arg, CLV_E_DATABASE_AWAY, k->db.why);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		refuse(k, fn, arg, CLV_E_NOMEM, "out of memory");
		return;
	}
	c->k = k;
	c->id = ++k->db.next_id;
	c->lane = lane;
	c->fn = fn;
	c->arg = arg;
	c->next = k->db.calls;
	k->db.calls = c;

	clv_buf_init(&b);
	clv_buf_u64(&b, c->id);
	clv_buf_u8(&b, (uint8_t)lane);
	clv_buf_u32(&b, stmt);
	clv_buf_u32(&b, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		clv_buf_bytes(&b, params[i].p, params[i].len);
	result = clv_buf_result(&b);
	if (result == CLV_OK)
		result = keeper_send(k, CHAN_SQL, &b);
	clv_buf_fini(&b);
	if (result == CLV_OK)
		result = loop_timer_set(
		    k->loop, &c->timer, timeout_ms, on_deadline, c);
	if (result != CLV_OK)
		call_fail(k, c, result, clv_result_text(result));
}

void
db_call(struct keeper *k, enum clv_stmt stmt, const struct clv_param *params,
    size_t n, uint32_t timeout_ms, db_fn fn, void *arg)
{
	call(k, CHAN_LANE_ORDERED, stmt, params, n, timeout_ms, fn, arg);
}

void
db_call_pool(struct keeper *k, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, uint32_t timeout_ms, db_fn fn,
    void *arg)
{
	call(k, CHAN_LANE_POOL, stmt, params, n, timeout_ms, fn, arg);
}

/* For a log and a terminal: printable ASCII, whatever the front says. */
static void
read_text(struct clv_rd *body, char *dst, size_t cap)
{
	clv_rd_str(body, dst, cap);
	for (; *dst != '\0'; dst++)
		if ((unsigned char)*dst >= 0x7f)
			*dst = '?';
}

static struct db_call *
call_by_id(struct keeper *k, uint64_t id)
{
	struct db_call *c;

	for (c = k->db.calls; c != NULL && c->id != id; c = c->next)
		;
	return c;
}

void
db_on_result(struct keeper *k, struct clv_rd *body)
{
	struct db_result r = {0};
	struct db_field *fields = NULL;
	struct db_call *c;
	char text[1024];
	size_t n;

	c = call_by_id(k, clv_rd_u64(body));
	r.result = (int32_t)clv_rd_u32(body);
	if (r.result > CLV_OK || r.result <= CLV_E_LAST)
		r.result = CLV_E_PROTOCOL;
	read_text(body, text, sizeof(text));
	r.text = text;
	r.rows = clv_rd_u32(body);
	r.columns = clv_rd_u32(body);
	if (c == NULL) /* its deadline passed before */
		return;
	if (body->failed || r.rows > DB_FIELDS_MAX ||
	    r.columns > DB_FIELDS_MAX ||
	    (n = r.rows * r.columns) > DB_FIELDS_MAX) {
		call_fail(k, c, CLV_E_PROTOCOL, "a malformed result");
		return;
	}
	fields = calloc(n + 1, sizeof(*fields));
	if (fields == NULL) {
		call_fail(k, c, CLV_E_NOMEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++)
		fields[i].p = clv_rd_bytes(body, &fields[i].len);
	r.fields = fields;
	if (clv_rd_end(body) != CLV_OK)
		call_fail(k, c, CLV_E_PROTOCOL, "a malformed result");
	else
		call_end(k, c, &r);
	free(fields);
}

const struct db_field *
db_field(const struct db_result *r, size_t row, size_t col)
{
	static const struct db_field empty = {(const uint8_t *)"", 0};

	if (row >= r->rows || col >= r->columns)
		return &empty;
	if (r->fields[row * r->columns + col].p == NULL)
		return &empty;
	return &r->fields[row * r->columns + col];
}

uint64_t
db_u64(const struct db_result *r, size_t row, size_t col)
{
	const struct db_field *f = db_field(r, row, col);
	struct clv_rd rd;

	if (f->len == 1) /* a boolean */
		return f->p[0];
	if (f->len != 8)
		return 0;
	clv_rd_init(&rd, f->p, f->len);
	return clv_rd_u64(&rd);
}

static bool
same_system(struct keeper *k, const struct db_field *f)
{
	static const uint8_t none[CLV_SYSTEM_ID_LEN];
	const uint8_t *ours = k->secret.list != NULL ? k->secret.list->system_id
						     : k->seen.system_id;

	if (f->len != CLV_SYSTEM_ID_LEN)
		return false;
	/* A node that has never seen a list checks the list's signature. */
	return memcmp(ours, none, sizeof(none)) == 0 ||
	       memcmp(ours, f->p, f->len) == 0;
}

/* An answer that is not our system's, or a refusal: what is wrong, or CLV_OK.
 */
static int
hello_problem(
    struct keeper *k, const struct db_result *r, const char **ret_text)
{
	*ret_text = r->text;
	if (r->result != CLV_OK && r->result != CLV_E_SCHEMA_OLDER)
		return r->result;
	*ret_text = "the database holds no system: is 'database' in the "
		    "configuration right?";
	if (r->result != CLV_OK || r->rows != 1)
		return CLV_E_WRONG_SYSTEM;
	*ret_text = "the database schema is newer than this program: upgrade "
		    "this node";
	if (db_u64(r, 0, 1) > CLV_SCHEMA_VERSION)
		return CLV_E_SCHEMA_NEWER;
	*ret_text = "the database schema is older than this program: claviger "
		    "settings upgrade";
	if (db_u64(r, 0, 1) < CLV_SCHEMA_VERSION)
		return CLV_E_SCHEMA_OLDER;
	*ret_text = "the database belongs to another system";
	if (!same_system(k, db_field(r, 0, 0)))
		return CLV_E_WRONG_SYSTEM;
	*ret_text = "the database names an epoch that cannot be";
	if (k->secret.list != NULL && !witness_believes(k, db_u64(r, 0, 2)))
		return CLV_E_DAMAGED;
	return CLV_OK;
}

static void
hello_keep(struct keeper *k, const struct db_result *r)
{
	struct db *db = &k->db;
	const struct db_field *instance = db_field(r, 0, 4);
	uint64_t left_ms = db_u64(r, 0, 5);

	db->epoch = db_u64(r, 0, 2);
	db->holder = (uint8_t)db_u64(r, 0, 3);
	memset(db->instance, 0, sizeof(db->instance));
	if (instance->len == sizeof(db->instance))
		memcpy(db->instance, instance->p, instance->len);
	db->lease_until_ms = 0;
	if (left_ms > 0)
		db->lease_until_ms =
		    loop_now_ms() + (left_ms < LEASE_MAX ? left_ms : LEASE_MAX);
	db->list_version = db_u64(r, 0, 6);
	db->timeline = db_u64(r, 0, 7);
	db->server_id = db_u64(r, 0, 8);
}

static void poll_set(struct keeper *k, uint64_t after_ms);

/* About the database, or only about this connection and this moment? */
static bool
is_verdict(const struct keeper *k, int problem)
{
	switch (problem) {
	case CLV_E_SCHEMA_NEWER:
	case CLV_E_SCHEMA_OLDER:
	case CLV_E_WRONG_SYSTEM:
	case CLV_E_DAMAGED: return true;
	case CLV_E_DATABASE: return !k->db.known; /* no right to ask, say */
	default: return false;
	}
}

static void
not_known(struct keeper *k, int problem, const char *text)
{
	if (!is_verdict(k, problem))
		return;
	if (strcmp(k->db.why, text) != 0)
		log_error("database: %s", text);
	k->db.known = false;
	k->db.result = problem;
	snprintf(k->db.why, sizeof(k->db.why), "%s", text);
}

static void
on_hello(struct keeper *k, void *arg, const struct db_result *r)
{
	const char *text;
	int problem;

	(void)arg;
	k->db.asking = false;
	if (k->db.again)
		db_poll_soon(k);
	else
		poll_set(k, k->serving.state == ROLE_LOCKED ||
				    k->serving.state == ROLE_AWAY
				? KEEPER_RETRY_MS
				: KEEPER_POLL_MS);
	problem = hello_problem(k, r, &text);
	if (problem != CLV_OK) {
		not_known(k, problem, text);
		secret_prove(k);
		serving_on_silence(k);
		return;
	}
	k->db.result = CLV_OK;
	k->db.why[0] = '\0';
	hello_keep(k, r);
	k->db.known = true;
	k->db.hellos++;
	if (!config_is_server(k->config))
		return;
	secret_on_hello(k);
	serving_on_hello(k);
	publish_wake(k);
	rewrap_wake(k);
	tlsnext_wake(k);
	heads_watch_look(k);
	audit_wake(k);
}

static void
on_poll(void *arg)
{
	struct keeper *k = arg;

	if (!k->db.up) {
		poll_set(k, KEEPER_RETRY_MS);
		return;
	}
	k->db.again = k->db.asking;
	if (k->db.asking)
		return;
	k->db.asking = true;
	/* What a peer says after this may be newer than the answer. */
	k->db.asked_list = peers_newest_list(k);
	db_call(k, CLV_STMT_HELLO, NULL, 0, KEEPER_SQL_MS, on_hello, NULL);
}

static void
poll_set(struct keeper *k, uint64_t after_ms)
{
	(void)loop_timer_set(k->loop, &k->db.poll, after_ms, on_poll, k);
}

void
db_poll_soon(struct keeper *k)
{
	poll_set(k, 0);
}

void
db_poll_in(struct keeper *k, uint64_t after_ms)
{
	poll_set(k, after_ms);
}

void
db_on_state(struct keeper *k, struct clv_rd *body)
{
	bool up = clv_rd_u8(body) != 0;
	char why[1024];

	read_text(body, why, sizeof(why));
	if (body->failed)
		why[0] = '\0';
	if (up != k->db.up) {
		if (up)
			log_notice("database: away -> connected");
		else
			log_warning("database: connected -> away: %s", why);
	}
	k->db.up = up;
	k->db.known = false;
	k->db.result = up ? CLV_OK : CLV_E_DATABASE_AWAY;
	snprintf(k->db.why, sizeof(k->db.why), "%.*s",
	    (int)sizeof(k->db.why) - 1, why);
	if (up)
		db_poll_soon(k);
	else {
		secret_prove(k);
		serving_on_silence(k);
	}
}

void
db_cancel_pool(struct keeper *k)
{
	struct db_call *c;

	k->db.up = false; /* nobody asks again */
	for (;;) {
		for (c = k->db.calls; c != NULL && c->lane != CHAN_LANE_POOL;)
			c = c->next;
		if (c == NULL)
			return;
		call_fail(k, c, CLV_E_CANCELLED, "the daemon is ending");
	}
}

void
db_fini(struct keeper *k)
{
	struct db_call *c;

	loop_timer_del(k->loop, &k->db.poll);
	while ((c = k->db.calls) != NULL) {
		k->db.calls = c->next;
		loop_timer_del(k->loop, &c->timer);
		free(c);
	}
}
