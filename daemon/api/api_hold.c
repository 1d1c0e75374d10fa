/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/api/api_impl.h"
#include "daemon/vault/vault_impl.h"

/*
 * A write that comes in while the service moves from one server to another
 * waits for the new one, so that nobody needs to try again. It is refused as
 * ever when that takes longer, and at once when the server has been away for
 * longer already. So does what concerns an application that was just made, or
 * granted, while this host fetches the list that says so. Its message lies in
 * guarded memory, as values that wait for the database do, and within the same
 * bounds; it is read anew, and whoever sent it is asked for anew, when its time
 * has come.
 */
struct api_held {
	struct clv_api_header h;
	uint8_t *body; /* guarded */
	uint64_t until_ms;
	bool for_list;
};

static void
held_free(struct api *api, struct api_held *held)
{
	clv_guard_put(api->k->guard, held->body);
	free(held);
}

void
api_hold_drop(struct api_conn *c)
{
	struct api_held *held = c->held;

	if (held == NULL)
		return;
	c->held = NULL;
	vault_unqueue(c->api->k->member->vault, held->h.len);
	held_free(c->api, held);
}

static void again(struct api_conn *c);
static void on_deadline(void *arg);

/* For whoever may wait the shortest. */
static int
arm(struct api *api)
{
	uint64_t now = loop_now_ms(), until = 0;

	for (const struct api_conn *c = api->conns; c != NULL; c = c->next)
		if (c->held != NULL &&
		    (until == 0 || c->held->until_ms < until))
			until = c->held->until_ms;
	loop_timer_del(api->k->loop, &api->hold);
	return until == 0
		   ? CLV_OK
		   : loop_timer_set(api->k->loop, &api->hold,
			 until > now ? until - now : 0, on_deadline, api);
}

static void
on_deadline(void *arg)
{
	struct api *api = arg;
	uint64_t now = loop_now_ms();

	for (struct api_conn *c = api->conns; c != NULL; c = c->next)
		if (c->held != NULL && c->held->until_ms <= now)
			again(c);
	if (arm(api) == CLV_OK)
		return;
	for (struct api_conn *c = api->conns; c != NULL; c = c->next)
		if (c->held != NULL)
			again(c);
}

/* Whoever reads meanwhile finds room: half of it is theirs. */
static bool
queue(struct vault *v, size_t len)
{
	return v->queued < VAULT_QUEUE_MAX / 2 &&
	       v->queued_len + len <= VAULT_QUEUE_LEN / 2 &&
	       vault_queue(v, len);
}

static bool
hold(struct api_conn *c, const struct clv_api_header *h, const void *body,
    uint64_t until_ms, bool for_list)
{
	struct keeper *k = c->api->k;
	struct vault *v = k->member->vault;
	struct api_held *held;

	if (!queue(v, h->len))
		return false;
	held = calloc(1, sizeof(*held));
	if (held != NULL)
		held->body = vault_guard_get(v, h->len);
	if (held == NULL || held->body == NULL) {
		free(held);
		vault_unqueue(v, h->len);
		return false;
	}
	held->h = *h;
	held->until_ms = until_ms;
	held->for_list = for_list;
	memcpy(held->body, body, h->len);
	c->held = held;
	if (arm(c->api) == CLV_OK)
		return true;
	api_hold_drop(c);
	return false;
}

bool
api_hold(struct api_conn *c, const struct clv_api_header *h, const void *body)
{
	uint64_t end = c->api->k->member->written_until_ms;

	return end != 0 && loop_now_ms() < end + API_HOLD_MS &&
	       hold(c, h, body, end + API_HOLD_MS, false);
}

bool
api_hold_for_list(
    struct api_conn *c, const struct clv_api_header *h, const void *body)
{
	return !c->has_waited && member_list_is_old(c->api->k->member) &&
	       hold(c, h, body, loop_now_ms() + API_LIST_MS, true);
}

/* It may have to wait once more. What it asks for makes its own copy, and has
 * this one's place in the queue. */
static void
again(struct api_conn *c)
{
	struct api_held *held = c->held;
	struct clv_rd body;

	c->held = NULL;
	c->has_waited = held->for_list;
	vault_unqueue(c->api->k->member->vault, held->h.len);
	clv_rd_init(&body, held->body, held->h.len);
	api_dispatch(c, &held->h, &body);
	c->has_waited = false;
	held_free(c->api, held);
	api_unmute(c);
}

static void
end_those(struct api *api, bool for_list)
{
	for (struct api_conn *c = api->conns; c != NULL; c = c->next)
		if (c->held != NULL && c->held->for_list == for_list)
			again(c);
}

void
api_hold_end(struct api *api)
{
	end_those(api, false);
}

void
api_on_list(struct keeper *k)
{
	if (k->api != NULL)
		end_those(k->api, true);
}
