/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/api/api_impl.h"
#include "daemon/vault/inspect_impl.h"

/* What `claviger doctor` asks the daemon: an application, part by part, and
 * which database this host is connected to. */

static void
on_part(void *arg, const struct inspect_part *p)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);
	struct clv_buf b;

	if (c == NULL)
		return;
	if (p->result != CLV_OK) {
		api_fail(c, call.op, call.id, p->result, p->text);
		inspect_free(&c->inspect);
		return;
	}
	clv_buf_init(&b);
	clv_buf_u8(&b, p->more);
	clv_buf_u64(&b, p->done);
	clv_buf_u64(&b, p->total);
	clv_buf_u32(&b, p->count);
	if (clv_buf_result(&b) == CLV_OK)
		api_send(c, call.op, call.id, CLV_OK, b.data, b.len,
		    p->findings->data, p->findings->len);
	else
		api_fail(c, call.op, call.id, CLV_E_NOMEM, NULL);
	clv_buf_fini(&b);
	if (!p->more)
		inspect_free(&c->inspect);
}

static int
find_or_begin(struct api_conn *c, const char *app, bool begin)
{
	if (begin) {
		inspect_free(&c->inspect);
		return inspect_new(c->api->k->member->vault, app, &c->inspect);
	}
	return c->inspect != NULL && strcmp(c->inspect->app, app) == 0
		   ? CLV_OK
		   : CLV_E_NOT_FOUND;
}

void
api_inspect(struct api_conn *c, const struct clv_api_header *h, const char *app,
    struct clv_rd *body)
{
	bool begin = clv_rd_u8(body) != 0;
	struct api_call *call;
	int r = clv_rd_end(body);

	if (r == CLV_OK)
		r = find_or_begin(c, app, begin);
	if (r != CLV_OK)
		api_fail(c, h->op, h->id, r,
		    r == CLV_E_BUSY
			? "somebody else inspects an application on this host"
			: NULL);
	else if ((call = api_call_new(c, h->op, h->id)) != NULL)
		inspect_next(c->inspect, on_part, call);
}

void
api_database(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body)
{
	struct keeper *k = c->api->k;
	bool up = k->db.up && k->db.known, holds = k->serving.epoch != 0;
	struct clv_buf b;

	if (clv_rd_end(body) != CLV_OK) {
		api_fail(c, h->op, h->id, CLV_E_PROTOCOL, NULL);
		return;
	}
	if (!auth_may(AUTH_OP_DATABASE, api_roles_of(k, &c->who, NULL))) {
		api_fail(c, h->op, h->id, CLV_E_DENIED,
		    "only a system administrator may ask for that");
		return;
	}
	clv_buf_init(&b);
	clv_buf_u8(&b, up);
	clv_buf_str(&b, up ? "" : k->db.why);
	clv_buf_u64(&b, k->db.epoch);
	clv_buf_u64(&b, k->db.list_version);
	clv_buf_u64(&b, k->db.timeline);
	clv_buf_u64(&b, k->db.server_id);
	clv_buf_u64(&b, holds ? k->serving.timeline : 0);
	clv_buf_u64(&b, holds ? k->serving.server_id : 0);
	if (clv_buf_result(&b) == CLV_OK)
		api_send(c, h->op, h->id, CLV_OK, b.data, b.len, NULL, 0);
	else
		api_fail(c, h->op, h->id, CLV_E_NOMEM, NULL);
	clv_buf_fini(&b);
}
