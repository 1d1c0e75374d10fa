/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/heads.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/member_answers.h"
#include "daemon/keeper/members_live.h"

/* What members are told: their keys, who may do what in the applications of
 * their scope, how far each application is, and that something has changed. */

/* One that holds nothing says nothing of itself: it asks again when it has
 * what it gets now, or it is somebody who only looks. */
static void
note(struct keeper *k, const struct member_reply *to,
    const struct clv_wire_holds *holds)
{
	const char *name = to->name;
	const struct member_live *before = members_live_find(k->live, name);
	struct member_live said = {0};

	if (holds->generation == 0 && holds->list_version == 0)
		return;
	if (before != NULL)
		said = *before;
	said.heard_ms = loop_now_ms();
	said.generation = holds->generation;
	said.list_version = holds->list_version;
	snprintf(said.name, sizeof(said.name), "%s", name);
	if (members_live_comes(&said, to->conn, said.heard_ms))
		log_warning("%s is there twice: two hosts have its identity: "
			    "remove /var/lib/claviger of the one that is not "
			    "to stay, and have it join under its own name",
		    name);
	if (members_live_heard(k->live, &said) != CLV_OK)
		log_warning("what member %s holds was not noted", name);
}

void
member_give_keys(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q, const char *wish)
{
	const struct clv_wire_terms terms = {
	    .refresh_s = KEEPER_REFRESH_MS / 1000,
	    .permit_ms = KEEPER_PERMIT_MS};
	struct clv_wire_holds holds;
	struct clv_buf sealed;
	int r;

	clv_buf_init(&sealed);
	r = clv_wire_holds_parse(q->payload, q->payload_len, &holds);
	if (r == CLV_OK)
		r = member_seal_keys(k, scope, &terms, to->box_pk, &sealed);
	if (r == CLV_OK)
		note(k, to, &holds);
	if (r == CLV_OK)
		audit_grant(k, to->name, to->box_pk, scope);
	member_answer(k, to, r, r == CLV_OK ? wish : clv_result_text(r),
	    sealed.data, r == CLV_OK ? sealed.len : 0);
	clv_buf_fini(&sealed);
}

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

static int
by_name(const void *name, const void *app)
{
	return strcmp(name, ((const struct clv_list_app *)app)->name);
}

/* The list in force is sorted, and every member asks for all it knows. */
static bool
is_listed(const struct clv_list *list, const char *app)
{
	return list->app_count > 0 &&
	       bsearch(app, list->apps, list->app_count, sizeof(list->apps[0]),
		   by_name) != NULL;
}

/*
 * What a member tells of the applications of its scope is looked at, and
 * handed out when it was verified. What is higher than the database's own, or
 * has another link, is how a database that went back is found.
 */
static int
answer_heads(struct keeper *k, const struct member_reply *to, const char *scope,
    const uint8_t *p, size_t len, struct clv_buf *ret)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX];
	size_t n = 0, known = 0;
	int r;

	r = clv_wire_heads_parse(p, len, heads, &n);
	for (size_t i = 0; r == CLV_OK && i < n; i++) {
		if (!clv_scope_has(scope, heads[i].app) ||
		    !is_listed(k->secret.list, heads[i].app))
			continue;
		heads_watch_claim(k, heads[i].app, &heads[i].head, to->name);
		heads[known] = heads[i];
		heads[known].head = heads_look(k->heads, heads[i].app);
		known += heads[known].head.counter > 0;
	}
	return r == CLV_OK ? clv_wire_heads_format(heads, known, ret) : r;
}

void
member_give_heads(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	r = answer_heads(k, to, scope, q->payload, q->payload_len, &b);
	member_answer(k, to, r, r == CLV_OK ? "" : clv_result_text(r), b.data,
	    r == CLV_OK ? b.len : 0);
	clv_buf_fini(&b);
}

/* The answer's head says whether its keys are still the ones; it asks for them
 * when they are not. */
void
member_renew(struct keeper *k, const struct member_reply *to, const char *scope,
    const struct clv_wire_request *q, const char *wish)
{
	const size_t at = CLV_WIRE_HOLDS_LEN;
	struct clv_wire_holds holds;
	struct clv_buf b;
	int r = CLV_E_FORMAT;

	clv_buf_init(&b);
	if (q->payload_len > at)
		r = clv_wire_holds_parse(q->payload, at, &holds);
	if (r == CLV_OK)
		r = answer_heads(
		    k, to, scope, q->payload + at, q->payload_len - at, &b);
	if (r == CLV_OK)
		note(k, to, &holds);
	member_answer(k, to, r, r == CLV_OK ? wish : clv_result_text(r), b.data,
	    r == CLV_OK ? b.len : 0);
	clv_buf_fini(&b);
}

/* One signature for all of them. */
static void
tell(struct keeper *k, const struct notice *now, const char *name)
{
	const struct clv_list *list = k->secret.list;
	struct clv_wire_answer a = {.op = CLV_WIRE_NOTICE,
	    .epoch = now->epoch,
	    .list_version = now->list_version,
	    .generation = now->generation,
	    .encrypt = now->encrypt};
	struct clv_buf body, msg;
	int r;

	memcpy(a.system_id, list->system_id, sizeof(a.system_id));
	memcpy(a.check, clv_list_current(list)->check, sizeof(a.check));
	memcpy(a.server, k->identity->name, sizeof(a.server));
	snprintf(a.text, sizeof(a.text), "%s", name);
	clv_buf_init(&body);
	clv_buf_init(&msg);
	r = clv_wire_answer_format(&a, k->secret.keyring, &body);
	clv_buf_bytes(&msg, body.data, body.len);
	if (r == CLV_OK)
		r = clv_buf_result(&msg);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_NOTICE, &msg);
	if (r == CLV_OK)
		k->told = *now;
	else
		log_warning("members were not told of a change: %s",
		    clv_result_text(r));
	clv_buf_fini(&msg);
	clv_buf_fini(&body);
}

static bool
notice_now(const struct keeper *k, struct notice *ret)
{
	const struct clv_list *list = k->secret.list;

	if (!role_serves(k->serving.state) || k->secret.keyring == NULL ||
	    list == NULL)
		return false;
	*ret = (struct notice){.epoch = k->serving.epoch,
	    .list_version = list->version,
	    .generation = clv_list_current(list)->number,
	    .encrypt = serving_encrypts(k)};
	return true;
}

void
member_notice(struct keeper *k)
{
	struct notice now;

	if (notice_now(k, &now) &&
	    (now.epoch != k->told.epoch ||
		now.list_version != k->told.list_version ||
		now.generation != k->told.generation ||
		now.encrypt != k->told.encrypt))
		tell(k, &now, "");
}

void
member_notice_to(struct keeper *k, const char *name)
{
	struct notice now;

	if (notice_now(k, &now))
		tell(k, &now, name);
}
