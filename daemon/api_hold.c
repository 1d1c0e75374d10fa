/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/api_impl.h"
#include "daemon/vault_impl.h"

/*
 * A write that comes in while the service moves from one server to another
 * waits for the new one, so that nobody needs to try again. It is refused as
 * ever when that takes longer, and at once when the server has been away for
 * longer already. Its message lies in guarded memory, as values that wait for
 * the database do, and within the same bounds; it is read anew, and whoever
 * sent it is asked for anew, when its time has come.
 */
struct api_held {
	struct clv_api_header h;
	uint8_t *body; /* guarded */
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

static void
on_deadline(void *arg)
{
	api_hold_end(arg);
}

bool
api_hold(struct api_conn *c, const struct clv_api_header *h, const void *body)
{
	struct keeper *k = c->api->k;
	struct vault *v = k->member->vault;
	uint64_t now = loop_now_ms(), end = k->member->written_until_ms;
	struct api_held *held;

	/* Whoever reads meanwhile finds room: half of it is theirs. */
	if (end == 0 || now >= end + API_HOLD_MS ||
	    v->queued >= VAULT_QUEUE_MAX / 2 ||
	    v->queued_len + h->len > VAULT_QUEUE_LEN / 2 ||
	    !vault_queue(v, h->len))
		return false;
	held = calloc(1, sizeof(*held));
	if (held != NULL)
		held->body = vault_guard_get(v, h->len);
	if (held == NULL || held->body == NULL ||
	    loop_timer_set(k->loop, &c->api->hold, end + API_HOLD_MS - now,
		on_deadline, c->api) != CLV_OK) {
		if (held != NULL)
			clv_guard_put(k->guard, held->body);
		free(held);
		vault_unqueue(v, h->len);
		return false;
	}
	held->h = *h;
	memcpy(held->body, body, h->len);
	c->held = held;
	return true;
}

/* It may have to wait once more. What it asks for makes its own copy, and has
 * this one's place in the queue. */
static void
again(struct api_conn *c)
{
	struct api_held *held = c->held;
	struct clv_rd body;

	c->held = NULL;
	vault_unqueue(c->api->k->member->vault, held->h.len);
	clv_rd_init(&body, held->body, held->h.len);
	api_dispatch(c, &held->h, &body);
	held_free(c->api, held);
	api_unmute(c);
}

void
api_hold_end(struct api *api)
{
	loop_timer_del(api->k->loop, &api->hold);
	for (struct api_conn *c = api->conns; c != NULL; c = c->next)
		if (c->held != NULL)
			again(c);
}
