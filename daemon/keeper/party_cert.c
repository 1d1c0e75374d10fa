/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/keeper/members_live.h"
#include "daemon/keeper/party_cert.h"

struct wish {
	const uint8_t *current, *next; /* borrowed */
	bool now;
};

static int
parse(const struct clv_wire_request *q, struct wish *ret)
{
	struct clv_rd rd;

	clv_rd_init(&rd, q->payload, q->payload_len);
	ret->current = clv_rd_raw(&rd, 32);
	ret->next = clv_rd_raw(&rd, 32);
	ret->now = clv_rd_u8(&rd) != 0;
	return clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

/* Whoever asks for it gets no answer: the signed list is one. */
static void
write_list(struct keeper *k, const char *name, bool is_node,
    enum party_cert what, const uint8_t *current, const uint8_t *next)
{
	struct admin_origin nobody = {.remote = false};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_str(&b, name);
	clv_buf_u8(&b, is_node);
	clv_buf_u8(&b, (uint8_t)what);
	clv_buf_raw(&b, current, 32);
	clv_buf_raw(&b, next, 32);
	admin_own(k, &nobody, ADMIN_PARTY_CERT, &b);
	clv_buf_fini(&b);
}

static bool
is_done(const struct admin_thumbs *t, const struct wish *w)
{
	return sodium_memcmp(t->current, w->next, 32) == 0 ||
	       (!w->now && sodium_memcmp(t->next, w->next, 32) == 0);
}

/* A bucket of so many, and another one after each interval; due_ms is when it
 * will be full again. */
static bool
has_left(uint64_t due_ms, uint64_t every_ms, unsigned burst)
{
	return due_ms <= loop_now_ms() + (burst - 1) * every_ms;
}

static void
take_one(uint64_t *due_ms, uint64_t every_ms)
{
	uint64_t now = loop_now_ms();

	*due_ms = (*due_ms > now ? *due_ms : now) + every_ms;
}

static uint64_t
interval_ms(const struct keeper *k)
{
	return k->config->refresh_interval * UINT64_C(1000);
}

/* One change for each time that an administrator asks. */
static bool
is_wished(const struct member_live *e)
{
	return e->wish != PARTY_WISH_NONE && e->changed_ms <= e->wished_ms;
}

static const char *
too_often(const struct keeper *k, const struct member_live *e)
{
	if (is_wished(e))
		return NULL;
	if (e->changed_ms != 0 &&
	    loop_now_ms() - e->changed_ms < PARTY_CERT_EVERY_MS)
		return "it was changed a moment ago";
	if (!has_left(e->due_ms, interval_ms(k), PARTY_CERT_BURST))
		return "it was changed several times a moment ago";
	if (!has_left(
		k->certs_due_ms, PARTY_CERT_EVERY_MS, PARTY_CERT_BURST_ALL))
		return "many other hosts change theirs at the moment";
	return NULL;
}

static const char *
not_now(const struct keeper *k, const struct member_live *e,
    const struct clv_wire_request *q, bool now)
{
	if (k->admin != NULL || !serving_in_lease(k))
		return "the server does something else at the moment";
	/* Nor is an old request good for anything. */
	if (q->seen_list != k->secret.list->version)
		return "the signed list is another one by now";
	if (e == NULL)
		return "the server does not know yet what this host holds";
	if (e->wish == PARTY_WISH_NOW && !now)
		return "an administrator wants the one before refused at once";
	return too_often(k, e);
}

static int
change(struct keeper *k, const char *name, bool is_node, const struct wish *w)
{
	struct member_live said = *members_live_find(k->live, name);

	if (!is_wished(&said)) {
		take_one(&said.due_ms, interval_ms(k));
		take_one(&k->certs_due_ms, PARTY_CERT_EVERY_MS);
	}
	said.changed_ms = loop_now_ms();
	said.next_ms = 0;
	(void)members_live_heard(k->live, &said);
	write_list(k, name, is_node, w->now ? PARTY_CERT_ONLY : PARTY_CERT_NEXT,
	    w->current, w->next);
	return CLV_E_AGAIN;
}

void
party_cert_ask(struct keeper *k, const struct member_reply *to, bool is_node,
    const struct clv_wire_request *q)
{
	const char *why = NULL;
	struct admin_thumbs t;
	struct wish w;
	int r = parse(q, &w);

	if (r == CLV_OK &&
	    !admin_thumbs_find(k->secret.list, to->name, is_node, &t))
		r = CLV_E_UNKNOWN_PEER;
	if (r == CLV_OK && !is_done(&t, &w)) {
		why =
		    not_now(k, members_live_find(k->live, to->name), q, w.now);
		r = why == NULL ? change(k, to->name, is_node, &w)
				: CLV_E_AGAIN;
	}
	if (r == CLV_E_AGAIN && why == NULL)
		why = "the server writes it into the signed list";
	member_answer(
	    k, to, r, why != NULL ? why : clv_result_text(r), NULL, 0);
}

static void
note_thumb(struct keeper *k, const char *name, const uint8_t thumb[static 32])
{
	const struct member_live *e = members_live_find(k->live, name);
	struct member_live said;

	if (e == NULL || sodium_memcmp(e->thumb, thumb, 32) == 0)
		return;
	said = *e;
	memcpy(said.thumb, thumb, 32);
	(void)members_live_heard(k->live, &said);
}

void
party_cert_seen(struct keeper *k, const char *name, bool is_node, bool by_next,
    const uint8_t thumb[static 32])
{
	const struct member_live *e;
	uint64_t for_ms = 2 * interval_ms(k);
	uint64_t now = loop_now_ms();
	struct member_live said;
	struct admin_thumbs t;

	note_thumb(k, name, thumb);
	e = members_live_find(k->live, name);
	if (e == NULL || (!by_next && e->next_ms == 0))
		return;
	if (by_next && e->next_ms != 0) {
		if (now - e->next_ms >= for_ms && k->admin == NULL &&
		    admin_thumbs_find(k->secret.list, name, is_node, &t))
			write_list(k, name, is_node, PARTY_CERT_ONLY, t.current,
			    t.next);
		return;
	}
	said = *e;
	said.next_ms = by_next ? now : 0;
	(void)members_live_heard(k->live, &said);
}

bool
party_cert_is_changed(const uint8_t thumb[static 32],
    const uint8_t instead[2][32], enum party_wish wish,
    const struct admin_thumbs *t)
{
	if (sodium_is_zero(thumb, 32) ||
	    sodium_memcmp(thumb, instead[0], 32) == 0 ||
	    sodium_memcmp(thumb, instead[1], 32) == 0)
		return false;
	return wish != PARTY_WISH_NOW ||
	       (sodium_memcmp(thumb, t->current, 32) == 0 &&
		   sodium_is_zero(t->next, 32));
}

const char *
party_cert_wish(struct keeper *k, const char *name, bool is_node,
    const uint8_t thumb[static 32])
{
	const struct member_live *e = members_live_find(k->live, name);
	struct member_live said;
	struct admin_thumbs t;

	if (e == NULL || e->wish == PARTY_WISH_NONE ||
	    !admin_thumbs_find(k->secret.list, name, is_node, &t))
		return "";
	if (!party_cert_is_changed(thumb, e->instead, e->wish, &t))
		return e->wish == PARTY_WISH_NOW ? CLV_WIRE_ROTATE_NOW
						 : CLV_WIRE_ROTATE;
	said = *e;
	said.wish = PARTY_WISH_NONE;
	(void)members_live_heard(k->live, &said);
	return "";
}
