/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/* Hosts that are not enrolled, and what they get of the server: a challenge,
 * and with a join token a place. */

static struct clv_token *token; /* for web1 */
static uint8_t op_id;

static void
make_token(struct clv_token **ret, const char *name, uint32_t ttl_s)
{
	struct clv_buf b;

	ck_assert_int_eq(clv_token_new(rig.guard, ret), CLV_OK);
	snprintf((*ret)->name, sizeof((*ret)->name), "%s", name);
	rig_named(&b, ADMIN_TOKEN_ADD, ++op_id, name);
	clv_buf_str(&b, "payroll");
	clv_buf_raw(&b, (*ret)->sign_pk, 32);
	clv_buf_u32(&b, ttl_s);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
}

static void
set_up(void)
{
	rig_active();
	op_id = 0;
	make_token(&token, "web1", 600);
}

static void
tear_down(void)
{
	clv_token_free(&token);
	rig_fini();
}

/* ---- a host ---- */

struct host {
	struct clv_identity *id;
	uint64_t conn;
	uint8_t thumb[32], binding[32];
	struct clv_wire_request asked;
	struct clv_wire_offer offer;
	struct clv_buf sent; /* its last request */
};

static void
host_init(struct host *h, const char *name)
{
	memset(h, 0, sizeof(*h));
	ck_assert_int_eq(clv_identity_new(rig.guard, name, &h->id), CLV_OK);
	h->conn = ++rig.conns;
	rig_thumb(h->id, h->thumb);
	randombytes_buf(h->binding, sizeof(h->binding));
	clv_buf_init(&h->sent);
}

static void
host_fini(struct host *h)
{
	clv_identity_free(&h->id);
	clv_buf_fini(&h->sent);
}

static const struct clv_wire_answer *
answer(unsigned i)
{
	return &rig.node[i].answer;
}

static void
host_send(struct host *h, unsigned i, uint8_t op, const struct clv_buf *payload)
{
	struct clv_wire_request *q = &h->asked;

	*q = (struct clv_wire_request){.op = op};
	snprintf(q->name, sizeof(q->name), "%s", h->id->name);
	randombytes_buf(q->nonce, sizeof(q->nonce));
	if (payload != NULL) {
		memcpy(q->challenge, h->offer.challenge, 32);
		q->payload = payload->data;
		q->payload_len = payload->len;
	}
	clv_buf_reset(&h->sent);
	ck_assert_int_eq(
	    clv_wire_request_format(q, h->id->sign_sk, &h->sent), CLV_OK);
	q->payload = NULL;
	rig_join_raw(
	    i, h->conn, h->thumb, h->binding, h->sent.data, h->sent.len);
}

/* The answer to what was sent; 1: none came. */
static int
host_hears(struct host *h, unsigned i, unsigned before)
{
	for (int n = 0; n < 200 && rig.node[i].answers == before; n++)
		rig_run(20);
	if (rig.node[i].answers == before)
		return 1;
	ck_assert_uint_eq(rig.node[i].answers, before + 1);
	ck_assert_uint_eq(rig.node[i].answer_conn, h->conn);
	ck_assert_int_eq(clv_wire_answer_match(answer(i), &h->asked), CLV_OK);
	/* Who is refused has to come again. */
	ck_assert_int_eq(rig.node[i].answer_close, answer(i)->result != CLV_OK);
	return answer(i)->result;
}

static int
greet(struct host *h, unsigned i)
{
	unsigned before = rig.node[i].answers;
	int r;

	host_send(h, i, CLV_WIRE_JOIN, NULL);
	r = host_hears(h, i, before);
	if (r == CLV_OK)
		ck_assert_int_eq(clv_wire_offer_parse(answer(i)->payload,
				     answer(i)->payload_len, &h->offer),
		    CLV_OK);
	return r;
}

static void
fill_party(const struct host *h, struct clv_party *p)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", h->id->name);
	memcpy(p->sign_pk, h->id->sign_pk, 32);
	memcpy(p->box_pk, h->id->box_pk, 32);
	memcpy(p->thumb, h->thumb, 32);
}

/* What a host signs that was offered this on this connection. */
static void
fill_proof(const struct host *h, struct clv_token_proof *p)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->system_pk, clv_keyring_sign_pk(rig.keyring), 32);
	memcpy(p->binding, h->binding, 32);
	memcpy(p->challenge, h->offer.challenge, 32);
	memcpy(p->nonce, h->asked.nonce, 32);
	fill_party(h, &p->party);
}

static void
put_join(const struct host *h, const struct clv_token *t,
    const struct clv_token_proof *p, struct clv_buf *ret)
{
	struct clv_wire_join j = {.party = p->party};

	memcpy(j.token_pk, t->sign_pk, 32);
	ck_assert_int_eq(clv_token_sign(t, p, j.proof), CLV_OK);
	clv_buf_init(ret);
	ck_assert_int_eq(clv_wire_join_format(&j, h->id, ret), CLV_OK);
}

static void
send_proof(struct host *h, unsigned i, const struct clv_token *t,
    const struct clv_token_proof *p)
{
	struct clv_buf b;

	put_join(h, t, p, &b);
	host_send(h, i, CLV_WIRE_JOIN, &b);
	clv_buf_fini(&b);
}

static int
prove(struct host *h, unsigned i, const struct clv_token *t)
{
	unsigned before = rig.node[i].answers;
	struct clv_token_proof p;

	fill_proof(h, &p);
	send_proof(h, i, t, &p);
	return host_hears(h, i, before);
}

static int
join(struct host *h, unsigned i, const struct clv_token *t)
{
	int r = greet(h, i);

	return r == CLV_OK ? prove(h, i, t) : r;
}

static const struct clv_list_member *
member(unsigned i, const char *name)
{
	return clv_list_member_by_name(rig_keeper(i)->secret.list, name);
}

static int
fetch(const struct host *h, unsigned i)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	unsigned before = rig.node[i].answers;

	rig_request(i, h->id, NULL, &q);
	rig_settle();
	return rig.node[i].answers == before ? 1 : answer(i)->result;
}

/* ---- joining ---- */

START_TEST(a_host_joins_and_gets_its_keys)
{
	struct host h;

	host_init(&h, "web1");
	ck_assert_uint_eq(rig.node[0].joiners_s, 600);
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	ck_assert_str_eq(
	    answer(0)->text, "web1 is enrolled with scope payroll");
	ck_assert_str_eq(member(0, "web1")->scope, "payroll");
	ck_assert_uint_eq(rig_keeper(0)->secret.list->token_count, 0);
	ck_assert_uint_eq(rig.node[0].joiners_s, 0);
	ck_assert_int_eq(fetch(&h, 0), CLV_OK);
	/* ... of any server, and the others have it on disk. */
	ck_assert_ptr_nonnull(member(1, "web1"));
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(fetch(&h, 1), CLV_OK);
	host_fini(&h);
}
END_TEST

START_TEST(an_offer_names_system_connection_and_certificate)
{
	const struct clv_list *list = rig_keeper(0)->secret.list;
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	ck_assert_mem_eq(h.offer.binding, h.binding, 32);
	ck_assert_mem_eq(h.offer.thumb, list->cert_thumb, 64);
	ck_assert(!sodium_is_zero(h.offer.challenge, 32));
	ck_assert_mem_eq(answer(0)->nonce, h.asked.nonce, 32);
	host_fini(&h);
}
END_TEST

START_TEST(a_token_made_before_a_failover_serves_after_it)
{
	struct host h;

	host_init(&h, "web1");
	rig_kill(0);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(20000); /* the lease of the dead one is over */
	ck_assert_int_eq(join(&h, 1, token), CLV_OK);
	ck_assert_int_eq(fetch(&h, 1), CLV_OK);
	host_fini(&h);
}
END_TEST

START_TEST(who_has_joined_is_told_so_when_it_asks_again)
{
	struct clv_wire_request q = {.op = CLV_WIRE_JOIN};
	struct clv_wire_offer o;
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	rig_request(0, h.id, NULL, &q); /* its certificate is pinned now */
	rig_settle();
	ck_assert_int_eq(answer(0)->result, CLV_E_EXISTS);
	ck_assert_str_eq(answer(0)->text, "web1 is enrolled already");
	ck_assert_int_eq(clv_wire_offer_parse(
			     answer(0)->payload, answer(0)->payload_len, &o),
	    CLV_OK);
	ck_assert_mem_eq(o.thumb, rig_keeper(0)->secret.list->cert_thumb, 64);
	ck_assert(sodium_is_zero(o.challenge, 32));
	host_fini(&h);
}
END_TEST

START_TEST(the_front_is_told_for_how_long_somebody_may_join)
{
	struct clv_token *t = NULL;
	struct clv_buf b;

	make_token(&t, "web2", 3600);
	ck_assert_uint_ge(rig.node[0].joiners_s, 3599);
	rig_named(&b, ADMIN_TOKEN_DROP, ++op_id, "web2");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_uint_le(rig.node[0].joiners_s, 600);
	ck_assert_uint_gt(rig.node[0].joiners_s, 500);
	clv_token_free(&t);
}
END_TEST

/* ---- not joining ---- */

/* Nobody is enrolled that was not, and what is outstanding is so still. */
static void
require_nothing_done(size_t tokens)
{
	ck_assert_ptr_null(member(0, "web1"));
	ck_assert_ptr_null(member(0, "web2"));
	ck_assert_uint_eq(rig_keeper(0)->secret.list->token_count, tokens);
}

START_TEST(a_token_serves_once)
{
	struct clv_token *more = NULL;
	struct host h, other;

	make_token(&more, "web2", 600);
	host_init(&h, "web1");
	host_init(&other, "web1");
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	ck_assert_int_eq(join(&other, 0, token), CLV_E_DENIED);
	ck_assert_str_eq(answer(0)->text,
	    "this join token was used or withdrawn, or has expired");
	ck_assert_mem_eq(member(0, "web1")->party.thumb, h.thumb, 32);
	/* Nor when it was revoked since. */
	{
		struct clv_buf b;

		rig_named(&b, ADMIN_MEMBER_REVOKE, ++op_id, "web1");
		ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	}
	other.conn = ++rig.conns;
	ck_assert_int_eq(join(&other, 0, token), CLV_E_DENIED);
	host_fini(&h);
	host_fini(&other);
	clv_token_free(&more);
}
END_TEST

START_TEST(of_two_hosts_at_once_one_is_enrolled)
{
	unsigned before = rig.node[0].answers, ok = 0;
	struct clv_token_proof p;
	struct host h[2];

	for (int i = 0; i < 2; i++) {
		host_init(&h[i], "web1");
		ck_assert_int_eq(greet(&h[i], 0), CLV_OK);
	}
	before = rig.node[0].answers;
	rig.node[0].hold_db = true;
	for (int i = 0; i < 2; i++) {
		fill_proof(&h[i], &p);
		send_proof(&h[i], 0, token, &p);
		rig_settle();
	}
	ck_assert_uint_eq(rig.node[0].answers, before + 1);
	ck_assert_uint_eq(rig.node[0].answer_conn, h[1].conn);
	ck_assert_int_eq(answer(0)->result, CLV_E_BUSY);
	rig.node[0].hold_db = false;
	ck_assert_int_eq(host_hears(&h[0], 0, before + 1), CLV_OK);
	ck_assert_mem_eq(member(0, "web1")->party.thumb, h[0].thumb, 32);
	h[1].conn = ++rig.conns; /* it comes again */
	ok = join(&h[1], 0, token) == CLV_OK;
	ck_assert_uint_eq(ok, 0);
	ck_assert_str_eq(answer(0)->text,
	    "no join token is outstanding: this one was used or withdrawn, or "
	    "has expired");
	for (int i = 0; i < 2; i++)
		host_fini(&h[i]);
}
END_TEST

START_TEST(an_expired_or_withdrawn_token_is_refused)
{
	struct clv_token *more = NULL, *third = NULL;
	struct clv_buf b;
	struct host h;

	make_token(&more, "web2", 3600);
	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	rig_run(599000);
	h.conn++;
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	rig_run(2000);
	ck_assert_int_eq(prove(&h, 0, token), CLV_E_DENIED);
	ck_assert_str_eq(
	    answer(0)->text, "this join token for web1 has expired");
	make_token(&third, "web1", 600);
	h.conn++;
	ck_assert_int_eq(join(&h, 0, token), CLV_E_DENIED);
	ck_assert_str_eq(answer(0)->text,
	    "this join token was used or withdrawn, or has expired");
	rig_named(&b, ADMIN_TOKEN_DROP, ++op_id, "web1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	h.conn++;
	ck_assert_int_eq(join(&h, 0, third), CLV_E_DENIED);
	require_nothing_done(1);
	host_fini(&h);
	clv_token_free(&more);
	clv_token_free(&third);
}
END_TEST

START_TEST(without_a_token_outstanding_nothing_is_offered)
{
	struct host h;

	host_init(&h, "web1");
	rig_run(601000);
	ck_assert_int_eq(greet(&h, 0), CLV_E_DENIED);
	ck_assert_uint_eq(answer(0)->payload_len, 0);
	host_fini(&h);
}
END_TEST

START_TEST(a_recorded_proof_is_good_for_no_other_connection)
{
	struct host h, thief;
	unsigned before;

	host_init(&h, "web1");
	host_init(&thief, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	ck_assert_int_eq(greet(&thief, 0), CLV_OK);
	{
		struct clv_token_proof p;
		struct clv_buf b;

		/* The thief gets hold of it before the server does. */
		fill_proof(&h, &p);
		put_join(&h, token, &p, &b);
		memcpy(h.asked.challenge, h.offer.challenge, 32);
		h.asked.payload = b.data;
		h.asked.payload_len = b.len;
		clv_buf_reset(&h.sent);
		ck_assert_int_eq(
		    clv_wire_request_format(&h.asked, h.id->sign_sk, &h.sent),
		    CLV_OK);
		h.asked.payload = NULL;
		clv_buf_fini(&b);
	}
	before = rig.node[0].answers;
	rig_join_raw(
	    0, thief.conn, thief.thumb, thief.binding, h.sent.data, h.sent.len);
	rig_settle();
	ck_assert_uint_eq(rig.node[0].answers, before + 1);
	ck_assert_int_eq(answer(0)->result, CLV_E_STALE);
	/* Even by a front that lends it the connection's binding and number,
	 * the certificate is not the thief's. */
	rig_join_raw(
	    0, h.conn, thief.thumb, h.binding, h.sent.data, h.sent.len);
	rig_settle();
	ck_assert_int_eq(answer(0)->result, CLV_E_DENIED);
	ck_assert_str_eq(
	    answer(0)->text, "the proof is for another certificate or name");
	/* ... and what was offered is used up. */
	rig_join_raw(0, h.conn, h.thumb, h.binding, h.sent.data, h.sent.len);
	rig_settle();
	ck_assert_int_eq(answer(0)->result, CLV_E_STALE);
	require_nothing_done(1);
	host_fini(&h);
	host_fini(&thief);
}
END_TEST

/* Somebody between the two: the host's connection is to him, the server's from
 * him. */
START_TEST(a_relayed_proof_is_refused)
{
	struct clv_token_proof p;
	struct host h, relay;
	unsigned before;

	host_init(&h, "web1");
	host_init(&relay, "web1");
	ck_assert_int_eq(greet(&relay, 0), CLV_OK);
	h.offer = relay.offer;
	h.asked = relay.asked;
	h.conn = relay.conn;
	fill_proof(&h, &p); /* with the binding that the host sees */
	memcpy(h.thumb, relay.thumb, 32);
	memcpy(h.binding, relay.binding, 32);
	before = rig.node[0].answers;
	send_proof(&h, 0, token, &p);
	ck_assert_int_eq(host_hears(&h, 0, before), CLV_E_DENIED);
	require_nothing_done(1);
	host_fini(&h);
	host_fini(&relay);
}
END_TEST

/* Each thing that the proof is about, in turn. */
static void
alter_binding(struct host *h, struct clv_token_proof *p)
{
	(void)h;
	p->binding[0] ^= 1;
}

static void
alter_challenge(struct host *h, struct clv_token_proof *p)
{
	(void)h;
	p->challenge[0] ^= 1;
}

static void
alter_nonce(struct host *h, struct clv_token_proof *p)
{
	(void)h;
	p->nonce[0] ^= 1;
}

static void
alter_system(struct host *h, struct clv_token_proof *p)
{
	(void)h;
	p->system_pk[0] ^= 1;
}

static void
alter_thumb(struct host *h, struct clv_token_proof *p)
{
	(void)h;
	p->party.thumb[0] ^= 1;
}

static void
alter_connections_thumb(struct host *h, struct clv_token_proof *p)
{
	(void)p;
	h->thumb[0] ^= 1;
}

static void
alter_connections_binding(struct host *h, struct clv_token_proof *p)
{
	(void)p;
	h->binding[0] ^= 1;
}

static void
alter_connection(struct host *h, struct clv_token_proof *p)
{
	(void)p;
	h->conn = ++rig.conns;
}

static void (*const alter[])(struct host *, struct clv_token_proof *) = {
    alter_binding, alter_challenge, alter_nonce, alter_system, alter_thumb,
    alter_connections_thumb, alter_connections_binding, alter_connection};

START_TEST(a_proof_of_something_else_is_refused)
{
	struct clv_token_proof p;
	unsigned before;
	struct host h;
	int r;

	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	fill_proof(&h, &p);
	alter[_i](&h, &p);
	before = rig.node[0].answers;
	send_proof(&h, 0, token, &p);
	r = host_hears(&h, 0, before);
	ck_assert(r == CLV_E_DENIED || r == CLV_E_STALE);
	require_nothing_done(1);
	host_fini(&h);
}
END_TEST

START_TEST(a_key_that_is_no_tokens_enrols_nobody)
{
	struct clv_token *forged = NULL;
	struct host h;

	ck_assert_int_eq(clv_token_new(rig.guard, &forged), CLV_OK);
	host_init(&h, "web1");
	ck_assert_int_eq(join(&h, 0, forged), CLV_E_DENIED);
	/* Nor the token's public half, which the database has. */
	memcpy(forged->sign_pk, token->sign_pk, 32);
	h.conn = ++rig.conns;
	ck_assert_int_eq(join(&h, 0, forged), CLV_E_DENIED);
	require_nothing_done(1);
	host_fini(&h);
	clv_token_free(&forged);
}
END_TEST

/* Whoever has no token does not learn by one of his own who is enrolled. */
START_TEST(a_forged_token_tells_no_names)
{
	struct clv_token *forged = NULL;
	struct host h;

	ck_assert_int_eq(clv_token_new(rig.guard, &forged), CLV_OK);
	host_init(&h, "web1");
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	host_fini(&h);
	clv_token_free(&token);
	make_token(&token, "web2", 600);
	for (int i = 1; i <= 2; i++) {
		host_init(&h, i == 1 ? "web1" : "nobody");
		ck_assert_int_eq(join(&h, 0, forged), CLV_E_DENIED);
		ck_assert_str_eq(answer(0)->text,
		    "this join token was used or withdrawn, or has expired");
		host_fini(&h);
	}
	clv_token_free(&forged);
}
END_TEST

START_TEST(a_token_is_for_its_own_host)
{
	struct host h;

	host_init(&h, "web2");
	ck_assert_int_eq(join(&h, 0, token), CLV_E_DENIED);
	ck_assert_str_eq(
	    answer(0)->text, "this join token is for web1, not for web2");
	host_fini(&h);
	host_init(&h, "n2");
	ck_assert_int_eq(join(&h, 0, token), CLV_E_DENIED);
	require_nothing_done(1);
	host_fini(&h);
}
END_TEST

START_TEST(an_offer_serves_once_and_for_a_while)
{
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	rig_run(KEEPER_OFFER_MS);
	ck_assert_int_eq(prove(&h, 0, token), CLV_E_STALE);
	require_nothing_done(1);
	host_fini(&h);
}
END_TEST

START_TEST(many_who_only_ask_do_not_keep_others_out_for_ever)
{
	struct host h, late;

	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	host_init(&late, "web1");
	for (int i = 0; i < 3 * KEEPER_OFFERS; i++) {
		late.conn = ++rig.conns;
		rig.now++;
		ck_assert_int_eq(greet(&late, 0), CLV_OK);
	}
	ck_assert_int_eq(prove(&h, 0, token), CLV_E_STALE);
	ck_assert_int_eq(prove(&late, 0, token), CLV_OK);
	host_fini(&h);
	host_fini(&late);
}
END_TEST

START_TEST(malformed_words_enrol_nobody)
{
	struct clv_token_proof p;
	struct clv_buf b, cut;
	struct host h;
	unsigned before;
	int r;

	host_init(&h, "web1");
	for (size_t len = 1;; len += 1 + len / 8) {
		h.conn = ++rig.conns;
		ck_assert_int_eq(greet(&h, 0), CLV_OK);
		fill_proof(&h, &p);
		put_join(&h, token, &p, &b);
		if (len >= b.len)
			break;
		cut = b;
		cut.len = len;
		before = rig.node[0].answers;
		host_send(&h, 0, CLV_WIRE_JOIN, &cut);
		r = host_hears(&h, 0, before);
		ck_assert(r == CLV_E_DENIED || r == CLV_E_PROTOCOL);
		clv_buf_fini(&b);
	}
	clv_buf_u8(&b, 0); /* one byte too many */
	before = rig.node[0].answers;
	host_send(&h, 0, CLV_WIRE_JOIN, &b);
	ck_assert_int_eq(host_hears(&h, 0, before), CLV_E_DENIED);
	clv_buf_fini(&b);
	before = rig.node[0].answers;
	for (size_t len = 0; len < h.sent.len; len += 13)
		rig_join_raw(
		    0, ++rig.conns, h.thumb, h.binding, h.sent.data, len);
	rig_settle();
	ck_assert_uint_gt(rig.node[0].answers, before);
	ck_assert_int_eq(answer(0)->result, CLV_E_PROTOCOL);
	ck_assert(rig.node[0].answer_close);
	require_nothing_done(1);
	host_fini(&h);
}
END_TEST

static const uint8_t others[] = {CLV_WIRE_CHALLENGE, CLV_WIRE_FETCH,
    CLV_WIRE_ADMIN, CLV_WIRE_APPS, CLV_WIRE_HEADS, CLV_WIRE_RENEW};

START_TEST(nothing_else_is_answered_on_that_connection)
{
	unsigned before = rig.node[0].answers;
	struct host h;

	host_init(&h, "m1"); /* also under the name of one that is enrolled */
	host_send(&h, 0, others[_i], NULL);
	ck_assert_int_eq(host_hears(&h, 0, before), CLV_E_UNKNOWN_PEER);
	ck_assert_uint_eq(answer(0)->payload_len, 0);
	host_fini(&h);
}
END_TEST

START_TEST(a_revoked_member_is_told_so_there)
{
	struct clv_buf b;
	unsigned before;
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	rig_named(&b, ADMIN_MEMBER_REVOKE, ++op_id, "web1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	clv_token_free(&token);
	make_token(&token, "web2", 600);
	before = rig.node[0].answers;
	h.conn = ++rig.conns;
	host_send(&h, 0, CLV_WIRE_FETCH, NULL);
	ck_assert_int_eq(host_hears(&h, 0, before), CLV_E_REVOKED);
	/* With a token for its name it comes back. */
	clv_token_free(&token);
	make_token(&token, "web1", 600);
	h.conn = ++rig.conns;
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	ck_assert_int_eq(fetch(&h, 0), CLV_OK);
	host_fini(&h);
}
END_TEST

START_TEST(a_member_that_the_front_does_not_know_keeps_its_keys)
{
	unsigned before;
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	before = rig.node[0].answers;
	host_send(&h, 0, CLV_WIRE_FETCH, NULL);
	rig_settle();
	ck_assert_uint_eq(rig.node[0].answers, before + 1);
	ck_assert_int_eq(answer(0)->result, CLV_E_BUSY);
	host_fini(&h);
}
END_TEST

START_TEST(a_standby_offers_nothing)
{
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 1), 1);
	host_fini(&h);
}
END_TEST

START_TEST(nobody_joins_for_another_by_administration)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_MEMBER_JOIN, ++op_id);
	clv_buf_raw(&b, token->sign_pk, 32);
	clv_buf_str(&b, "web1");
	for (int i = 0; i < 3; i++)
		clv_buf_raw(&b, rig.node[i].id->sign_pk, 32);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_E_DENIED);
	require_nothing_done(1);
}
END_TEST

START_TEST(a_token_that_was_used_stays_so_when_the_database_goes_back)
{
	struct host h, other;

	host_init(&h, "web1");
	host_init(&other, "web1");
	rig_db_save();
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	rig_db_failover();
	rig_run(30000);
	ck_assert_int_ne(join(&other, 0, token), CLV_OK);
	ck_assert_mem_eq(member(0, "web1")->party.thumb, h.thumb, 32);
	host_fini(&h);
	host_fini(&other);
}
END_TEST

START_TEST(a_database_that_is_away_costs_no_token)
{
	struct host h;

	host_init(&h, "web1");
	ck_assert_int_eq(greet(&h, 0), CLV_OK);
	rig_db_mode_all(RIG_DB_DOWN);
	rig_run(100);
	ck_assert_int_ne(prove(&h, 0, token), CLV_OK);
	require_nothing_done(1);
	rig_db_mode_all(RIG_DB_UP);
	rig_run(15000);
	h.conn = ++rig.conns;
	ck_assert_int_eq(join(&h, 0, token), CLV_OK);
	host_fini(&h);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keeper_join");
	TCase *t = suite_case(s, "joining", set_up, tear_down);

	tcase_add_test(t, a_host_joins_and_gets_its_keys);
	tcase_add_test(t, an_offer_names_system_connection_and_certificate);
	tcase_add_test(t, a_token_made_before_a_failover_serves_after_it);
	tcase_add_test(t, who_has_joined_is_told_so_when_it_asks_again);
	tcase_add_test(t, the_front_is_told_for_how_long_somebody_may_join);
	t = suite_case(s, "not joining", set_up, tear_down);
	tcase_add_test(t, a_token_serves_once);
	tcase_add_test(t, of_two_hosts_at_once_one_is_enrolled);
	tcase_add_test(t, an_expired_or_withdrawn_token_is_refused);
	tcase_add_test(t, without_a_token_outstanding_nothing_is_offered);
	tcase_add_test(t, a_recorded_proof_is_good_for_no_other_connection);
	tcase_add_test(t, a_relayed_proof_is_refused);
	tcase_add_loop_test(t, a_proof_of_something_else_is_refused, 0,
	    sizeof(alter) / sizeof(alter[0]));
	tcase_add_test(t, a_key_that_is_no_tokens_enrols_nobody);
	tcase_add_test(t, a_forged_token_tells_no_names);
	tcase_add_test(t, a_token_is_for_its_own_host);
	tcase_add_test(t, an_offer_serves_once_and_for_a_while);
	tcase_add_test(t, many_who_only_ask_do_not_keep_others_out_for_ever);
	tcase_add_test(t, malformed_words_enrol_nobody);
	tcase_add_loop_test(t, nothing_else_is_answered_on_that_connection, 0,
	    sizeof(others) / sizeof(others[0]));
	tcase_add_test(t, a_revoked_member_is_told_so_there);
	tcase_add_test(t, a_member_that_the_front_does_not_know_keeps_its_keys);
	tcase_add_test(t, a_standby_offers_nothing);
	tcase_add_test(t, nobody_joins_for_another_by_administration);
	tcase_add_test(
	    t, a_token_that_was_used_stays_so_when_the_database_goes_back);
	tcase_add_test(t, a_database_that_is_away_costs_no_token);
	return suite_run(s);
}
