/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/admin/admin.h"
#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/member_answers.h"
#include "daemon/keeper/members_live.h"
#include "daemon/keeper/party_cert.h"

/*
 * Requests that came over the server port. The front says which thumbprint
 * the connection has; who the caller is and what it may is decided here, at
 * every request, from the signed list alone.
 */

struct caller {
	const struct clv_party *party;
	const uint8_t *thumb; /* of the connection, borrowed */
	const char *scope;    /* NULL: a server node, which gets all */
	bool is_node;
	bool revoked;
	bool by_next; /* comes with its next certificate */
};

static bool
thumb_fits(const uint8_t thumb[static 32], const uint8_t now[static 32],
    const uint8_t next[static 32], bool *ret_next)
{
	int is_now = sodium_memcmp(thumb, now, 32) == 0;
	int is_next =
	    !sodium_is_zero(next, 32) && sodium_memcmp(thumb, next, 32) == 0;

	*ret_next = is_next != 0;
	return (is_now | is_next) != 0;
}

static int
find_caller(const struct clv_list *list, const char *name,
    const uint8_t thumb[static 32], struct caller *ret)
{
	const struct clv_list_member *m;
	const struct clv_list_node *n;

	memset(ret, 0, sizeof(*ret));
	n = clv_list_node_by_name(list, name);
	if (n != NULL &&
	    thumb_fits(thumb, n->party.thumb, n->next_thumb, &ret->by_next)) {
		ret->party = &n->party;
		ret->is_node = true;
		ret->revoked = n->revoked;
		return CLV_OK;
	}
	m = members_live_party(list, name);
	if (m != NULL &&
	    thumb_fits(thumb, m->party.thumb, m->next_thumb, &ret->by_next)) {
		ret->party = &m->party;
		ret->scope = m->scope;
		ret->revoked = m->revoked;
		return CLV_OK;
	}
	return CLV_E_UNKNOWN_PEER;
}

static void
send_answer(struct keeper *k, uint64_t conn, const struct clv_wire_answer *a)
{
	struct clv_buf body, msg;
	int r;

	clv_buf_init(&body);
	clv_buf_init(&msg);
	r = clv_wire_answer_format(a, k->secret.keyring, &body);
	clv_buf_u64(&msg, conn);
	clv_buf_bytes(&msg, body.data, body.len);
	clv_buf_u8(&msg, r != CLV_OK || a->result == CLV_E_REVOKED ||
			     a->result == CLV_E_UNKNOWN_PEER ||
			     (a->op == CLV_WIRE_JOIN && a->result != CLV_OK));
	if (r == CLV_OK)
		r = clv_buf_result(&msg);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_ANSWER, &msg);
	if (r != CLV_OK)
		log_warning("an answer was not sent: %s", clv_result_text(r));
	clv_buf_fini(&msg);
	clv_buf_fini(&body);
}

void
member_answer(struct keeper *k, const struct member_reply *to, int result,
    const char *text, const void *payload, size_t len)
{
	const struct clv_list *list = k->secret.list;
	const struct clv_list_generation *g;
	struct clv_wire_answer a = {.result = result, .op = to->op};

	if (k->secret.keyring == NULL || list == NULL)
		return; /* nothing to sign with: the connection times out */
	g = clv_list_current(list);
	memcpy(a.system_id, list->system_id, sizeof(a.system_id));
	memcpy(a.nonce, to->nonce, sizeof(a.nonce));
	memcpy(a.name, to->name, sizeof(a.name));
	a.epoch = k->serving.epoch;
	a.list_version = list->version;
	a.generation = g->number;
	memcpy(a.check, g->check, sizeof(a.check));
	a.encrypt = serving_encrypts(k);
	snprintf(a.server, sizeof(a.server), "%s", k->identity->name);
	snprintf(a.text, sizeof(a.text), "%s", text);
	a.payload = payload;
	a.payload_len = len;
	send_answer(k, to->conn, &a);
}

/* Challenges: an administrative request must carry a fresh one, so that a
 * broken front cannot play an old request again. */

static void
give_challenge(struct keeper *k, const struct member_reply *to)
{
	struct challenge *oldest = &k->challenges[0];

	for (unsigned i = 1; i < KEEPER_CHALLENGES; i++)
		if (k->challenges[i].until_ms < oldest->until_ms)
			oldest = &k->challenges[i];
	randombytes_buf(oldest->bytes, sizeof(oldest->bytes));
	oldest->until_ms = loop_now_ms() + KEEPER_CHALLENGE_MS;
	member_answer(k, to, CLV_OK, "", oldest->bytes, sizeof(oldest->bytes));
}

static bool
take_challenge(struct keeper *k, const uint8_t bytes[static CLV_NONCE_LEN])
{
	uint64_t now = loop_now_ms();

	for (unsigned i = 0; i < KEEPER_CHALLENGES; i++) {
		struct challenge *c = &k->challenges[i];

		if (c->until_ms <= now ||
		    sodium_memcmp(c->bytes, bytes, sizeof(c->bytes)) != 0)
			continue;
		c->until_ms = 0;
		return true;
	}
	return false;
}

static void
admin(struct keeper *k, const struct member_reply *to,
    const struct clv_wire_request *q)
{
	struct admin_origin from = {.remote = true, .reply = *to};

	if (!take_challenge(k, q->challenge))
		member_answer(
		    k, to, CLV_E_STALE, "the challenge is not fresh", NULL, 0);
	else
		admin_request(k, &from, q->payload, q->payload_len);
}

static void
look_at_evidence(struct keeper *k, const struct clv_wire_request *q)
{
	struct clv_wire_answer head;

	if (q->evidence_len == 0 ||
	    clv_wire_evidence_parse(
		q->evidence, q->evidence_len, k->system_pk, &head) != CLV_OK ||
	    sodium_memcmp(head.system_id, k->secret.list->system_id,
		CLV_SYSTEM_ID_LEN) != 0)
		return;
	serving_shown(k, &head);
}

/* No challenges to members: they have no use for one, and there are not
 * many. */
static enum auth_op
needed(uint8_t op)
{
	switch (op) {
	case CLV_WIRE_CHALLENGE:
	case CLV_WIRE_ADMIN: return AUTH_OP_FORWARD;
	case CLV_WIRE_HEADS: return AUTH_OP_HEADS;
	case CLV_WIRE_JOIN: return AUTH_OP_JOIN;
	case CLV_WIRE_CERT: return AUTH_OP_CERT;
	default: return AUTH_OP_FETCH;
	}
}

static const char *
scope_of(const struct caller *who)
{
	return who->scope != NULL ? who->scope : "all";
}

/* It has joined already; perhaps it never heard so. */
static void
has_joined(struct keeper *k, const struct member_reply *to)
{
	struct clv_wire_offer o = {.challenge = {0}};
	char text[CLV_NAME_MAX + 32];
	struct clv_buf b;

	join_offer_certs(k->secret.list, &o);
	clv_buf_init(&b);
	clv_wire_offer_format(&o, &b);
	snprintf(text, sizeof(text), "%s is enrolled already", to->name);
	member_answer(k, to, CLV_E_EXISTS, text, b.data, b.len);
	clv_buf_fini(&b);
}

/* To one that does not know by which key we sign. */
static void
give_chain(struct keeper *k, const struct member_reply *to)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_wire_chain_format(k->secret.list, &b);
	if (clv_buf_result(&b) == CLV_OK)
		member_answer(k, to, CLV_OK, "", b.data, b.len);
	clv_buf_fini(&b);
}

static void
dispatch(struct keeper *k, const struct member_reply *to,
    const struct caller *who, const struct clv_wire_request *q)
{
	look_at_evidence(k, q);
	if (!auth_may(needed(q->op), auth_host_roles(who->is_node))) {
		member_answer(k, to, CLV_E_DENIED,
		    "only a server node may ask for that", NULL, 0);
		return;
	}
	switch (q->op) {
	case CLV_WIRE_CHALLENGE: give_challenge(k, to); break;
	case CLV_WIRE_FETCH:
	case CLV_WIRE_RENEW:
		(q->op == CLV_WIRE_FETCH ? member_give_keys : member_renew)(k,
		    to, scope_of(who), q,
		    party_cert_wish(k, to->name, who->is_node, who->thumb));
		party_cert_seen(
		    k, to->name, who->is_node, who->by_next, who->thumb);
		break;
	case CLV_WIRE_ADMIN: admin(k, to, q); break;
	case CLV_WIRE_APPS: member_give_apps(k, to, scope_of(who), q); break;
	case CLV_WIRE_HEADS: member_give_heads(k, to, scope_of(who), q); break;
	case CLV_WIRE_JOIN: has_joined(k, to); break;
	case CLV_WIRE_CHAIN: give_chain(k, to); break;
	case CLV_WIRE_CERT: party_cert_ask(k, to, who->is_node, q); break;
	default:
		member_answer(
		    k, to, CLV_E_PROTOCOL, "unknown operation", NULL, 0);
	}
}

void
member_on_request(struct keeper *k, struct clv_rd *body)
{
	struct member_reply to = {.conn = clv_rd_u64(body)};
	const uint8_t *thumb = clv_rd_raw(body, 32);
	struct clv_wire_request q;
	struct caller who;
	char hex[2 * 32 + 1];
	const uint8_t *p;
	size_t len;
	int r;

	p = clv_rd_bytes(body, &len);
	if (clv_rd_end(body) != CLV_OK || !role_serves(k->serving.state) ||
	    k->secret.list == NULL)
		return;
	r = clv_wire_request_parse(p, len, &q);
	if (r != CLV_OK) {
		member_answer(
		    k, &to, CLV_E_PROTOCOL, "malformed request", NULL, 0);
		return;
	}
	to.op = q.op;
	memcpy(to.nonce, q.nonce, sizeof(to.nonce));
	memcpy(to.name, q.name, sizeof(to.name));
	r = find_caller(k->secret.list, q.name, thumb, &who);
	who.thumb = thumb;
	if (r == CLV_OK && who.revoked)
		r = CLV_E_REVOKED;
	/* Zeros: a new member, which knows the system by its public key. */
	if (r == CLV_OK && !sodium_is_zero(q.system_id, CLV_SYSTEM_ID_LEN) &&
	    sodium_memcmp(
		q.system_id, k->secret.list->system_id, CLV_SYSTEM_ID_LEN) != 0)
		r = CLV_E_WRONG_SYSTEM;
	if (r == CLV_OK)
		r = clv_wire_request_verify(p, len, who.party->sign_pk);
	if (r != CLV_OK) {
		log_warning("a request in the name of %s was refused: %s",
		    q.name, clv_result_text(r));
		sodium_bin2hex(hex, sizeof(hex), thumb, 32);
		audit_refused(k, &(struct audit_note){.who = "a host",
				     .operation = "request",
				     .object = q.name,
				     .result = r,
				     .text = hex});
		member_answer(k, &to, r, clv_result_text(r), NULL, 0);
		return;
	}
	memcpy(to.box_pk, who.party->box_pk, sizeof(to.box_pk));
	dispatch(k, &to, &who, &q);
}

static uint32_t
pin(struct clv_buf *b, bool revoked, const uint8_t now[static 32],
    const uint8_t next[static 32])
{
	if (revoked)
		return 0;
	clv_buf_raw(b, now, 32);
	if (sodium_is_zero(next, 32))
		return 1;
	clv_buf_raw(b, next, 32);
	return 2;
}

static void
tell_joiners(struct keeper *k)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u32(&b, join_open_s(k->secret.list));
	if (clv_buf_result(&b) != CLV_OK ||
	    keeper_send(k, CHAN_JOINERS, &b) != CLV_OK)
		log_error("the front was not told who may join");
	clv_buf_fini(&b);
}

/* First who is enrolled: the connection of one that has just joined stays. */
void
member_pins(struct keeper *k)
{
	const struct clv_list *list = k->secret.list;
	struct clv_buf pins, b;
	uint32_t n = 0;

	clv_buf_init(&pins);
	clv_buf_init(&b);
	for (size_t i = 0; i < list->node_count; i++)
		n += pin(&pins, list->nodes[i].revoked,
		    list->nodes[i].party.thumb, list->nodes[i].next_thumb);
	for (size_t i = 0; i < list->member_count; i++)
		n += pin(&pins, list->members[i].revoked,
		    list->members[i].party.thumb, list->members[i].next_thumb);
	clv_buf_u32(&b, n);
	clv_buf_raw(&b, pins.data, pins.len);
	if (clv_buf_result(&pins) != CLV_OK || clv_buf_result(&b) != CLV_OK ||
	    keeper_send(k, CHAN_PINS, &b) != CLV_OK)
		log_error("the list of who may connect did not reach the "
			  "front");
	clv_buf_fini(&b);
	clv_buf_fini(&pins);
	tell_joiners(k);
}
