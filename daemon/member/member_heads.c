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

int
member_heads_ask(struct member *m, bool first)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX];
	struct clv_buf payload;
	size_t n = 0;
	int r;

	if (first)
		m->head_at = 0;
	for (; n < CLV_WIRE_HEADS_MAX && m->head_at < m->app_count; n++) {
		const char *app = m->apps[m->head_at++].name;

		memcpy(heads[n].app, app, sizeof(heads[n].app));
		heads[n].head = heads_look(m->k->heads, app);
	}
	clv_buf_init(&payload);
	r = clv_wire_heads_format(heads, n, &payload);
	if (r == CLV_OK)
		r = member_ask(m, CLV_WIRE_HEADS, &payload);
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
