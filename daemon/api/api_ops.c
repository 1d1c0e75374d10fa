/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/api_impl.h"

/*
 * The operations of the local API: read the request, ask authorize.c, and hand
 * it to the vault. Whoever may not do something learns the same whether the
 * application exists or not, unless it may create some.
 */

/* Who is it, for this application? */
unsigned
api_roles_of(struct keeper *k, const struct auth_caller *who,
    const struct member_app *app)
{
	const struct member *m = k->member;

	return auth_roles(who, &m->system_admins, &m->creators,
	    app != NULL ? &app->admins : NULL,
	    app != NULL ? &app->users : NULL);
}

unsigned
api_roles(struct api_conn *c, const char *app)
{
	const struct member *m = c->api->k->member;

	if (c->who_version != 0 && c->who_version == m->who_version &&
	    strcmp(c->app, app) == 0)
		return c->roles;
	c->roles = api_roles_of(c->api->k, &c->who, member_app_find(m, app));
	c->who_version = m->who_version;
	snprintf(c->app, sizeof(c->app), "%s", app);
	return c->roles;
}

/* Whoever may not is perhaps somebody whom this host has since a moment. */
static bool
has_role(struct api_conn *c, enum auth_op op, const char *app)
{
	struct member *m = c->api->k->member;

	return auth_may(op, api_roles(c, app)) ||
	       (member_apps_look_up(m, MEMBER_NAMES_MS) &&
		   auth_may(op, api_roles(c, app)));
}

static int
may(struct api_conn *c, enum auth_op op, const char *app, char why[static 256])
{
	const struct member *m = c->api->k->member;

	why[0] = '\0';
	if (has_role(c, op, app)) {
		if (member_app_find(m, app) != NULL || m->apps_version == 0)
			return CLV_OK;
		snprintf(why, 256,
		    "there is no application %s in this host's scope: claviger "
		    "app list on a server node",
		    app);
		return CLV_E_NOT_FOUND;
	}
	snprintf(why, 256,
	    "user %u may not do that in application %s: claviger app grant on "
	    "a server node",
	    (unsigned)c->who.uid, app);
	return CLV_E_DENIED;
}

/* Answers. */

static void
answer_fail(struct api_conn *c, const struct api_call *call,
    const struct vault_reply *r)
{
	api_fail(c, call->op, call->id, r->result, r->text);
}

static void
on_version(void *arg, const struct vault_reply *r)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);
	struct clv_buf b;

	if (c == NULL)
		return;
	if (r->result != CLV_OK) {
		answer_fail(c, &call, r);
		return;
	}
	clv_buf_init(&b);
	clv_buf_u64(&b, r->version);
	api_send(c, call.op, call.id, CLV_OK, b.data, b.len, NULL, 0);
	clv_buf_fini(&b);
}

static void
put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void
on_value(void *arg, const struct vault_reply *r)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);
	uint8_t head[13];

	if (c == NULL)
		return;
	if (r->result != CLV_OK) {
		answer_fail(c, &call, r);
		return;
	}
	put_be32(head, (uint32_t)(r->version >> 32));
	put_be32(head + 4, (uint32_t)r->version);
	head[8] = r->cached;
	put_be32(head + 9, (uint32_t)r->len);
	api_send(
	    c, call.op, call.id, CLV_OK, head, sizeof(head), r->value, r->len);
}

static void
on_bytes(void *arg, const struct vault_reply *r)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);
	uint8_t head[4];

	if (c == NULL)
		return;
	if (r->result != CLV_OK) {
		answer_fail(c, &call, r);
		return;
	}
	put_be32(head, (uint32_t)r->len);
	api_send(
	    c, call.op, call.id, CLV_OK, head, sizeof(head), r->value, r->len);
}

static void
on_names(void *arg, const struct vault_reply *r)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);

	if (c == NULL)
		return;
	if (r->result != CLV_OK)
		answer_fail(c, &call, r);
	else
		api_send(
		    c, call.op, call.id, CLV_OK, r->value, r->len, NULL, 0);
}

#define HISTORY_MAX 1000 /* as the database's function has it */

static void
on_history(void *arg, const struct vault_reply *r)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);
	struct clv_buf b;
	size_t n;

	if (c == NULL)
		return;
	if (r->result != CLV_OK) {
		answer_fail(c, &call, r);
		return;
	}
	clv_buf_init(&b);
	n = r->rows->rows < HISTORY_MAX ? r->rows->rows : HISTORY_MAX;
	clv_buf_u32(&b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		clv_buf_u64(&b, db_u64(r->rows, i, 0));
		clv_buf_u8(&b, db_u64(r->rows, i, 1) != 0);
		clv_buf_u8(&b, db_u64(r->rows, i, 4) != 0);
		clv_buf_u64(&b, db_u64(r->rows, i, 3));
		clv_buf_u32(&b, (uint32_t)db_u64(r->rows, i, 2));
	}
	if (clv_buf_result(&b) == CLV_OK)
		api_send(c, call.op, call.id, CLV_OK, b.data, b.len, NULL, 0);
	else
		api_fail(c, call.op, call.id, CLV_E_NOMEM, NULL);
	clv_buf_fini(&b);
}

/* Requests: each reads its arguments; c, h and app are checked by then. */
struct request {
	struct api_conn *c;
	const struct clv_api_header *h;
	struct clv_rd *body;
	struct vault *vault;
	const void *whole; /* all of the body */
	char app[CLV_NAME_MAX];
};

/* Longer than a name can be, so that the vault says what is wrong with it. */
#define NAME_ROOM 1024

/* For the same reason any bytes will do; "" for what no string can hold. */
static void
read_name(struct clv_rd *rd, char ret[static NAME_ROOM])
{
	size_t len;
	const uint8_t *p = clv_rd_bytes(rd, &len);

	ret[0] = '\0';
	if (p == NULL || len >= NAME_ROOM || memchr(p, '\0', len) != NULL)
		return;
	memcpy(ret, p, len);
	ret[len] = '\0';
}

static void
malformed(struct request *q)
{
	api_fail(q->c, q->h->op, q->h->id, CLV_E_PROTOCOL,
	    "a malformed request: is the client of this version?");
}

static struct api_call *
call_new(struct request *q)
{
	return api_call_new(q->c, q->h->op, q->h->id);
}

/* CLV_OK: it may be done now. Else it is answered, now or later. */
static int
may_write(struct request *q)
{
	char why[256];
	int r = member_may_write(q->c->api->k->member, why);

	/* A copy waits for nothing. */
	if (r == CLV_E_NOT_READY ||
	    (r != CLV_OK && !api_hold(q->c, q->h, q->whole)))
		api_fail(q->c, q->h->op, q->h->id, r, why);
	return r;
}

static void
do_get(struct request *q)
{
	char name[NAME_ROOM];
	struct api_call *call;
	uint64_t version;

	read_name(q->body, name);
	version = clv_rd_u64(q->body);
	if (clv_rd_end(q->body) != CLV_OK)
		malformed(q);
	else if ((call = call_new(q)) != NULL)
		vault_get(q->vault, q->app, name, version,
		    (q->h->flags & CLV_API_CACHED) != 0, on_value, call);
}

static void
write_it(struct request *q, struct vault_write *w)
{
	const struct member_app *app =
	    member_app_find(q->c->api->k->member, q->app);
	struct api_call *call;

	if (clv_rd_end(q->body) != CLV_OK) {
		malformed(q);
		return;
	}
	if (may_write(q) != CLV_OK)
		return;
	if (w->keep == CLV_API_KEEP_DEFAULT)
		w->keep = app != NULL ? app->keep : 0;
	if ((call = call_new(q)) != NULL)
		vault_put(q->vault, w, on_version, call);
}

static void
do_put(struct request *q)
{
	struct vault_write w = {.app = q->app};
	char name[NAME_ROOM];

	read_name(q->body, name);
	clv_rd_copy(q->body, w.op_id, sizeof(w.op_id));
	w.keep = clv_rd_u32(q->body);
	w.value = clv_rd_bytes(q->body, &w.len);
	w.name = name;
	write_it(q, &w);
}

static void
do_delete(struct request *q)
{
	struct vault_write w = {
	    .app = q->app, .deletes = true, .keep = CLV_API_KEEP_DEFAULT};
	char name[NAME_ROOM];

	read_name(q->body, name);
	clv_rd_copy(q->body, w.op_id, sizeof(w.op_id));
	w.name = name;
	write_it(q, &w);
}

static void
do_list(struct request *q)
{
	char after[NAME_ROOM];
	struct api_call *call;

	clv_rd_str(q->body, after, sizeof(after));
	if (clv_rd_end(q->body) != CLV_OK)
		malformed(q);
	else if ((call = call_new(q)) != NULL)
		vault_list(q->vault, q->app, after, on_names, call);
}

static void
do_history(struct request *q)
{
	char name[NAME_ROOM];
	struct api_call *call;

	read_name(q->body, name);
	if (clv_rd_end(q->body) != CLV_OK)
		malformed(q);
	else if ((call = call_new(q)) != NULL)
		vault_history(q->vault, q->app, name, on_history, call);
}

static void
do_seal(struct request *q)
{
	char context[NAME_ROOM];
	struct api_call *call;
	const uint8_t *p;
	size_t len;

	clv_rd_str(q->body, context, sizeof(context));
	p = clv_rd_bytes(q->body, &len);
	if (clv_rd_end(q->body) != CLV_OK)
		malformed(q);
	else if (may_write(q) == CLV_OK && (call = call_new(q)) != NULL)
		vault_seal(q->vault, q->app, context, p, len, on_bytes, call);
}

static void
do_open(struct request *q)
{
	char context[NAME_ROOM];
	struct api_call *call;
	const uint8_t *p;
	size_t len;

	clv_rd_str(q->body, context, sizeof(context));
	p = clv_rd_bytes(q->body, &len);
	if (clv_rd_end(q->body) != CLV_OK)
		malformed(q);
	else if ((call = call_new(q)) != NULL)
		vault_unseal(q->vault, q->app, context, p, len, on_bytes, call);
}

static void
do_inspect(struct request *q)
{
	api_inspect(q->c, q->h, q->app, q->body);
}

static const struct {
	uint16_t op;
	enum auth_op auth;
	void (*run)(struct request *q);
} in_app[] = {
    {CLV_API_GET, AUTH_OP_GET, do_get},
    {CLV_API_PUT, AUTH_OP_PUT, do_put},
    {CLV_API_DELETE, AUTH_OP_DELETE, do_delete},
    {CLV_API_LIST, AUTH_OP_LIST, do_list},
    {CLV_API_HISTORY, AUTH_OP_HISTORY, do_history},
    {CLV_API_SEAL, AUTH_OP_SEAL, do_seal},
    {CLV_API_OPEN, AUTH_OP_OPEN, do_open},
    {CLV_API_INSPECT, AUTH_OP_APP_INSPECT, do_inspect},
};

static void
dispatch_in_app(struct api_conn *c, const struct clv_api_header *h,
    struct clv_rd *body, size_t i)
{
	struct request q = {c, h, body, c->api->k->member->vault, body->p, ""};
	char app[NAME_ROOM], why[256];
	int r;

	read_name(body, app);
	if (body->failed) {
		malformed(&q);
		return;
	}
	if (clv_name_check(app) != CLV_OK) {
		api_fail(c, h->op, h->id, CLV_E_INVALID,
		    "an application's name is 1 to 64 of letters, digits, "
		    "'.', '_' and '-', the first neither '.' nor '-'");
		return;
	}
	memcpy(q.app, app, strlen(app) + 1);
	r = may(c, in_app[i].auth, q.app, why);
	if (r == CLV_OK)
		in_app[i].run(&q);
	else if (!api_hold_for_list(c, h, q.whole))
		api_fail(c, h->op, h->id, r, why);
}

static void
do_status(struct api_conn *c, const struct clv_api_header *h)
{
	struct clv_buf b;

	if (h->len != 0) {
		api_fail(c, h->op, h->id, CLV_E_PROTOCOL, NULL);
		return;
	}
	clv_buf_init(&b);
	member_status(c->api->k->member, &b);
	if (h->op == CLV_API_SUBSCRIBE) {
		api_on_change(c->api->k); /* to those before, if it is due */
		c->subscribed = true;
	}
	api_send(c, h->op, h->id, CLV_OK, b.data, b.len, NULL, 0);
	clv_buf_fini(&b);
}

#define APPS_IN_ANSWER 500

static uint32_t
put_apps(struct api_conn *c, const char *after, struct clv_buf *b, bool *more)
{
	const struct member *m = c->api->k->member;
	uint32_t n = 0;
	size_t i = 0;

	while (i < m->app_count && strcmp(m->apps[i].name, after) <= 0)
		i++;
	for (; i < m->app_count && n < APPS_IN_ANSWER; i++) {
		unsigned roles = api_roles_of(c->api->k, &c->who, &m->apps[i]);

		if (roles == 0)
			continue;
		clv_buf_str(b, m->apps[i].name);
		clv_buf_u8(b, (uint8_t)roles);
		n++;
	}
	*more = i < m->app_count;
	return n;
}

static void
do_apps(struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body)
{
	char after[CLV_NAME_MAX];
	struct clv_buf apps, b;
	uint32_t n;
	bool more;

	clv_rd_str(body, after, sizeof(after));
	clv_buf_init(&apps);
	clv_buf_init(&b);
	n = put_apps(c, after, &apps, &more);
	if (n == 0 && member_apps_look_up(c->api->k->member, MEMBER_NAMES_MS))
		n = put_apps(c, after, &apps, &more);
	clv_buf_u8(&b, more);
	clv_buf_u32(&b, n);
	clv_buf_raw(&b, apps.data, apps.len);
	if (clv_rd_end(body) != CLV_OK)
		api_fail(c, h->op, h->id, CLV_E_PROTOCOL, NULL);
	else if (clv_buf_result(&apps) != CLV_OK ||
		 clv_buf_result(&b) != CLV_OK)
		api_fail(c, h->op, h->id, CLV_E_NOMEM, NULL);
	else
		api_send(c, h->op, h->id, CLV_OK, b.data, b.len, NULL, 0);
	clv_buf_fini(&apps);
	clv_buf_fini(&b);
}

void
api_dispatch(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body)
{
	if (c->api->k->member == NULL) {
		api_fail(c, h->op, h->id, CLV_E_NOT_READY,
		    "this host is of no system yet: claviger join");
		return;
	}
	for (size_t i = 0; i < sizeof(in_app) / sizeof(in_app[0]); i++)
		if (in_app[i].op == h->op) {
			dispatch_in_app(c, h, body, i);
			return;
		}
	switch (h->op) {
	case CLV_API_STATUS:
	case CLV_API_SUBSCRIBE: do_status(c, h); break;
	case CLV_API_APPS: do_apps(c, h, body); break;
	case CLV_API_ADMIN: api_admin(c, h, body); break;
	case CLV_API_DATABASE: api_database(c, h, body); break;
	default:
		api_fail(c, h->op, h->id, CLV_E_PROTOCOL,
		    "an operation that this daemon does not know");
	}
}
