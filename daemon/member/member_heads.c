/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/keeper/heads.h"
#include "daemon/member/member.h"

/*
 * Counters and links of the applications of our scope: the server is told what
 * was seen here, and says what it has seen, so that a database that went back
 * is found by a host that has forgotten, or is new.
 */

static int
put_heads(struct member *m, bool first, struct clv_buf *ret)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX];
	size_t n = 0;

	if (first)
		m->head_at = 0;
	for (; n < CLV_WIRE_HEADS_MAX && m->head_at < m->app_count; n++) {
		const char *app = m->apps[m->head_at++].name;

		memcpy(heads[n].app, app, sizeof(heads[n].app));
		heads[n].head = heads_look(m->k->heads, app);
	}
	return clv_wire_heads_format(heads, n, ret);
}

int
member_heads_ask(struct member *m, bool first)
{
	struct clv_buf payload;
	int r;

	clv_buf_init(&payload);
	r = put_heads(m, first, &payload);
	if (r == CLV_OK)
		r = member_ask(m, CLV_WIRE_HEADS, &payload);
	clv_buf_fini(&payload);
	return r;
}

int
member_renew_ask(struct member *m)
{
	struct clv_wire_holds holds = {m->newest, m->apps_version};
	struct clv_buf payload;
	int r;

	clv_buf_init(&payload);
	clv_wire_holds_format(&holds, &payload);
	r = put_heads(m, true, &payload);
	if (r == CLV_OK)
		r = member_ask(m, CLV_WIRE_RENEW, &payload);
	clv_buf_fini(&payload);
	return r;
}

int
member_heads_take(struct member *m, const struct clv_wire_answer *a)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX];
	size_t n;
	int r;

	r = clv_wire_heads_parse(a->payload, a->payload_len, heads, &n);
	if (r != CLV_OK)
		return r;
	for (size_t i = 0; i < n; i++)
		heads_learn(m->k->heads, heads[i].app, &heads[i].head);
	return m->head_at < m->app_count ? CLV_E_AGAIN : CLV_OK;
}
