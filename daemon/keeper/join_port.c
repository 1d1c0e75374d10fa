/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/admin/admin.h"
#include "daemon/admin/admin_ops.h"
#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"

/*
 * What a host asks that is not enrolled. First it is offered a challenge, in an
 * answer that the system has signed and that names the very connection; by it
 * the host knows whom it talks to. Then it proves that it has a join token, for
 * this connection, this challenge and its own keys alone. All else is refused.
 */
#define WARN_EVERY_MS 1000

uint32_t
join_open_s(const struct clv_list *list)
{
	uint64_t now_s = (uint64_t)time(NULL), last_s = now_s;

	for (size_t i = 0; i < list->token_count; i++)
		if (list->tokens[i].expires_s > last_s)
			last_s = list->tokens[i].expires_s;
	last_s -= now_s;
	return last_s > CLV_TOKEN_TTL_MAX ? CLV_TOKEN_TTL_MAX
					  : (uint32_t)last_s;
}

void
join_offer_certs(const struct clv_list *list, struct clv_wire_offer *ret_offer)
{
	memcpy(ret_offer->thumb, list->cert_thumb, sizeof(ret_offer->thumb));
}

/* The connection of a refused one is closed, so that it cannot try for ever;
 * and whoever comes again and again does not fill the log. */
static void
refuse(struct keeper *k, const struct member_reply *to, int result,
    const char *why)
{
	uint64_t now = loop_now_ms();

	if (now - k->join_warned_ms >= WARN_EVERY_MS) {
		k->join_warned_ms = now;
		log_warning("a host that asks to join as %s was refused: %s",
		    to->name[0] != '\0' ? to->name : "nobody", why);
	}
	audit_refused(
	    k, &(struct audit_note){.who = "a host that is not enrolled",
		   .operation = "join",
		   .object = to->name,
		   .result = result,
		   .text = why});
	member_answer(k, to, result, why, NULL, 0);
}

static struct join_offer *
offer_slot(struct keeper *k, uint64_t conn)
{
	struct join_offer *oldest = &k->offers[0];

	for (unsigned i = 0; i < KEEPER_OFFERS; i++) {
		if (k->offers[i].conn == conn)
			return &k->offers[i];
		if (k->offers[i].until_ms < oldest->until_ms)
			oldest = &k->offers[i];
	}
	return oldest;
}

static void
offer(struct keeper *k, const struct member_reply *to,
    const uint8_t binding[static CLV_TOKEN_BINDING_LEN])
{
	struct join_offer *o = offer_slot(k, to->conn);
	struct clv_wire_offer w;
	struct clv_buf b;

	o->conn = to->conn;
	o->until_ms = loop_now_ms() + KEEPER_OFFER_MS;
	randombytes_buf(o->challenge, sizeof(o->challenge));
	memcpy(o->nonce, to->nonce, sizeof(o->nonce));
	memcpy(o->binding, binding, sizeof(o->binding));
	memcpy(w.challenge, o->challenge, sizeof(w.challenge));
	memcpy(w.binding, o->binding, sizeof(w.binding));
	join_offer_certs(k->secret.list, &w);
	clv_buf_init(&b);
	clv_wire_offer_format(&w, &b);
	if (clv_buf_result(&b) == CLV_OK)
		member_answer(k, to, CLV_OK, "", b.data, b.len);
	clv_buf_fini(&b);
}

/* Each offer serves once, on the connection that it was made on. */
static bool
take_offer(struct keeper *k, uint64_t conn,
    const uint8_t binding[static CLV_TOKEN_BINDING_LEN],
    const struct clv_wire_request *q, struct join_offer *ret)
{
	struct join_offer *o = offer_slot(k, conn);

	if (o->conn != conn || o->until_ms <= loop_now_ms() ||
	    sodium_memcmp(o->challenge, q->challenge, sizeof(o->challenge)) !=
		0 ||
	    sodium_memcmp(o->binding, binding, sizeof(o->binding)) != 0)
		return false;
	*ret = *o;
	o->until_ms = 0;
	return true;
}

/* Is the token's proof for this connection and these keys? */
static int
check_proof(const struct keeper *k, const struct join_offer *o,
    const struct clv_wire_join *j)
{
	struct clv_token_proof p = {.party = j->party};

	memcpy(p.system_pk, k->system_pk, sizeof(p.system_pk));
	memcpy(p.binding, o->binding, sizeof(p.binding));
	memcpy(p.challenge, o->challenge, sizeof(p.challenge));
	memcpy(p.nonce, o->nonce, sizeof(p.nonce));
	return clv_token_verify(j->token_pk, &p, j->proof);
}

static void
enrol(struct keeper *k, const struct member_reply *to,
    const struct clv_wire_join *j)
{
	struct admin_origin from = {.remote = true, .reply = *to};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_raw(&b, j->token_pk, sizeof(j->token_pk));
	clv_buf_str(&b, j->party.name);
	clv_buf_raw(&b, j->party.thumb, sizeof(j->party.thumb));
	clv_buf_raw(&b, j->party.box_pk, sizeof(j->party.box_pk));
	clv_buf_raw(&b, j->party.sign_pk, sizeof(j->party.sign_pk));
	admin_own(k, &from, ADMIN_MEMBER_JOIN, &b);
	clv_buf_fini(&b);
}

/* p: the request as it came, for its signature. */
static void
prove(struct keeper *k, const struct member_reply *to,
    const uint8_t thumb[static 32], const struct join_offer *o,
    const struct clv_wire_request *q, const void *p, size_t len)
{
	struct clv_wire_join j;
	char why[ADMIN_TEXT_MAX];
	int r = clv_wire_join_parse(q->payload, q->payload_len, &j);

	if (r == CLV_OK)
		r = clv_wire_request_verify(p, len, j.party.sign_pk);
	if (r == CLV_OK && (strcmp(j.party.name, q->name) != 0 ||
			       sodium_memcmp(j.party.thumb, thumb, 32) != 0))
		r = CLV_E_MISMATCH;
	if (r == CLV_OK)
		r = check_proof(k, o, &j);
	if (r != CLV_OK) {
		refuse(k, to, CLV_E_DENIED,
		    r == CLV_E_MISMATCH
			? "the proof is for another certificate or name"
			: "the proof of the join token does not verify");
		return;
	}
	r = admin_token_check(k->secret.list, j.token_pk, j.party.name,
	    (uint64_t)time(NULL), why, sizeof(why));
	if (r != CLV_OK)
		refuse(k, to, r, why);
	else
		enrol(k, to, &j);
}

/* Something else than to join. */
static void
refuse_stranger(
    struct keeper *k, const struct member_reply *to, const uint8_t *thumb)
{
	const struct clv_list *list = k->secret.list;
	const struct clv_list_member *m = clv_list_member_by_thumb(list, thumb);
	const struct clv_list_node *n = clv_list_node_by_thumb(list, thumb);
	bool live = (m != NULL && !m->revoked) || (n != NULL && !n->revoked);
	bool revoked = m != NULL || n != NULL;
	int r = revoked ? CLV_E_REVOKED : CLV_E_UNKNOWN_PEER;

	/* The front does not know that yet: no reason to drop its keys. */
	if (live)
		r = CLV_E_BUSY;
	refuse(k, to, r, clv_result_text(r));
}

void
join_on_request(struct keeper *k, struct clv_rd *body)
{
	struct member_reply to = {.conn = clv_rd_u64(body)};
	const uint8_t *thumb = clv_rd_raw(body, 32);
	const uint8_t *binding = clv_rd_raw(body, CLV_TOKEN_BINDING_LEN);
	struct clv_wire_request q;
	struct join_offer o;
	const uint8_t *p;
	size_t len;
	int r;

	p = clv_rd_bytes(body, &len);
	if (clv_rd_end(body) != CLV_OK || !role_serves(k->serving.state) ||
	    k->secret.list == NULL)
		return;
	r = len <= CLV_WIRE_JOIN_MAX ? clv_wire_request_parse(p, len, &q)
				     : CLV_E_FORMAT;
	to.op = CLV_WIRE_JOIN;
	if (r != CLV_OK) {
		refuse(k, &to, CLV_E_PROTOCOL, "malformed request");
		return;
	}
	to.op = q.op;
	memcpy(to.nonce, q.nonce, sizeof(to.nonce));
	memcpy(to.name, q.name, sizeof(to.name));
	if (q.op != CLV_WIRE_JOIN || !auth_may(AUTH_OP_JOIN, 0))
		refuse_stranger(k, &to, thumb);
	else if (join_open_s(k->secret.list) == 0)
		refuse(k, &to, CLV_E_DENIED,
		    "no join token is outstanding: this one was used or "
		    "withdrawn, or has expired");
	else if (q.payload_len == 0)
		offer(k, &to, binding);
	else if (!take_offer(k, to.conn, binding, &q, &o))
		refuse(k, &to, CLV_E_STALE, "the challenge is not fresh");
	else
		prove(k, &to, thumb, &o, &q, p, len);
}
