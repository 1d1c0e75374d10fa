/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/keeper.h"
#include "daemon/log.h"
#include "daemon/member.h"
#include "daemon/member_answers.h"
#include "daemon/vault.h"

/* What members are told besides keys: who may do what in the applications of
 * their scope, how far each application is, and that something has changed. */

void
member_give_apps(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q)
{
	char after[CLV_NAME_MAX];
	struct clv_buf apps;
	struct clv_rd rd;
	int r;

	clv_rd_init(&rd, q->payload, q->payload_len);
	clv_rd_str(&rd, after, sizeof(after));
	clv_buf_init(&apps);
	r = clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
	if (r == CLV_OK)
		r = clv_wire_apps_format(k->secret.list, scope, after, &apps);
	member_answer(k, to, r, r == CLV_OK ? "" : clv_result_text(r),
	    apps.data, r == CLV_OK ? apps.len : 0);
	clv_buf_fini(&apps);
}

/*
 * A head that a member tells is believed for the applications of its scope
 * alone: it could as well write to them. What is higher than the database's
 * own is how a database that went back is found by hosts that do not know.
 */
void
member_give_heads(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX];
	struct vault *v = k->member != NULL ? k->member->vault : NULL;
	struct clv_buf b;
	size_t n = 0, known = 0;
	int r = CLV_E_NOT_READY;

	if (v != NULL)
		r = clv_wire_heads_parse(q->payload, q->payload_len, heads, &n);
	for (size_t i = 0; r == CLV_OK && i < n; i++) {
		if (!clv_scope_has(scope, heads[i].app) ||
		    clv_list_app_by_name(k->secret.list, heads[i].app) == NULL)
			continue;
		vault_seen_raise(v, heads[i].app, heads[i].counter);
		heads[known] = heads[i];
		heads[known].counter = vault_seen_get(v, heads[i].app);
		known += heads[known].counter > 0;
	}
	clv_buf_init(&b);
	if (r == CLV_OK)
		r = clv_wire_heads_format(heads, known, &b);
	member_answer(k, to, r, r == CLV_OK ? "" : clv_result_text(r), b.data,
	    r == CLV_OK ? b.len : 0);
	clv_buf_fini(&b);
}

/* One signature for all of them, and only when there is something new. */
void
member_notice(struct keeper *k)
{
	const struct clv_list *list = k->secret.list;
	const struct clv_list_generation *g;
	struct clv_wire_answer a = {.op = CLV_WIRE_NOTICE};
	struct clv_buf body, msg;
	struct notice now = {0};
	int r;

	if (!role_serves(k->serving.state) || k->secret.keyring == NULL ||
	    list == NULL)
		return;
	g = clv_list_current(list);
	now.epoch = a.epoch = k->serving.epoch;
	now.list_version = a.list_version = list->version;
	now.generation = a.generation = g->number;
	now.encrypt = a.encrypt = serving_encrypts(k);
	if (now.epoch == k->told.epoch &&
	    now.list_version == k->told.list_version &&
	    now.generation == k->told.generation &&
	    now.encrypt == k->told.encrypt)
		return;
	memcpy(a.system_id, list->system_id, sizeof(a.system_id));
	memcpy(a.check, g->check, sizeof(a.check));
	memcpy(a.server, k->identity->name, sizeof(a.server));
	clv_buf_init(&body);
	clv_buf_init(&msg);
	r = clv_wire_answer_format(&a, k->secret.keyring, &body);
	clv_buf_bytes(&msg, body.data, body.len);
	if (r == CLV_OK)
		r = clv_buf_result(&msg);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_NOTICE, &msg);
	if (r == CLV_OK)
		k->told = now;
	else
		log_warning("members were not told of a change: %s",
		    clv_result_text(r));
	clv_buf_fini(&msg);
	clv_buf_fini(&body);
}
