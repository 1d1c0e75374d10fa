/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/front/tls.h"

/*
 * The way to the active server: the front holds the connection, and is
 * believed in nothing. A member's own certificate and key are the front's to
 * know; what comes back is signed by the system and sealed to our identity.
 */

static int
load_certificate(struct member *m, struct clv_buf *cert, struct clv_buf *key)
{
	const char *dir = m->k->config->state_dir, *name;
	int r = m->cert.tries_next ? cert_pair_next(dir, cert, key, &name)
				   : cert_pair_load(dir, cert, key, &name);

	if (r != CLV_OK)
		log_error("%s/%s: %s", dir, name, clv_result_text(r));
	return r;
}

static uint32_t
put_pins(const uint8_t (*thumb)[32], struct clv_buf *pins)
{
	uint32_t n = 0;

	for (size_t i = 0; i < CLV_LIST_CERTS; i++) {
		if (sodium_is_zero(thumb[i], 32))
			continue;
		clv_buf_raw(pins, thumb[i], 32);
		n++;
	}
	return n;
}

/* Host and port, then the pins. false: not known yet. */
static bool
find_server(
    struct member *m, struct clv_buf *b, struct clv_buf *pins, uint32_t *ret_n)
{
	const struct clv_list *list = m->k->secret.list;
	const struct config *c = m->k->config;

	if (list != NULL) {
		clv_buf_str(b, list->address);
		clv_buf_u16(b, list->port);
		*ret_n = put_pins((const uint8_t(*)[32])list->cert_thumb, pins);
	} else {
		clv_buf_str(
		    b, c->address[0] != '\0' ? c->address : c->network_name);
		clv_buf_u16(b, c->port);
		*ret_n = put_pins((const uint8_t(*)[32])m->pins.thumb, pins);
	}
	return *ret_n > 0;
}

/* The front begins anew with each word of it: nothing is said twice. */
static void
tell(struct member *m, const struct clv_buf *b)
{
	uint8_t hash[sizeof(m->told)];

	crypto_generichash(hash, sizeof(hash), b->data, b->len, NULL, 0);
	if (memcmp(hash, m->told, sizeof(hash)) == 0)
		return;
	if (clv_buf_result(b) != CLV_OK ||
	    keeper_send(m->k, CHAN_UPLINK, b) != CLV_OK) {
		log_error("the front was not told where the server is");
		return;
	}
	memcpy(m->told, hash, sizeof(hash));
}

void
member_uplink_set(struct member *m)
{
	struct clv_buf b, pins, cert, key;
	uint32_t n = 0;

	/* A node that is not enrolled yet has nothing to ask for. */
	if (m->is_server_node && m->k->node_number == 0)
		return;
	clv_buf_init(&b);
	clv_buf_init(&pins);
	clv_buf_init(&cert);
	clv_buf_init(&key);
	if (find_server(m, &b, &pins, &n) &&
	    load_certificate(m, &cert, &key) == CLV_OK &&
	    clv_buf_result(&pins) == CLV_OK) {
		clv_buf_bytes(&b, cert.data, cert.len);
		clv_buf_bytes(&b, key.data, key.len);
		clv_buf_u32(&b, n);
		clv_buf_raw(&b, pins.data, pins.len);
		tell(m, &b);
	}
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
	clv_buf_fini(&pins);
	clv_buf_fini(&b);
}

int
member_uplink_pin(struct member *m, const struct server_pins *pins)
{
	int r;

	if (m->is_server_node || sodium_is_zero(pins->thumb[0], 32))
		return CLV_OK; /* its own signed list says so, or nobody does */
	r = server_pins_save(m->k->config, pins);
	if (r != CLV_OK) {
		log_error("%s/pins cannot be written: %s",
		    m->k->config->state_dir, file_why(r));
		return r;
	}
	m->pins = *pins;
	member_uplink_set(m);
	return CLV_OK;
}

void
member_on_uplink(struct keeper *k, struct clv_rd *body)
{
	struct member *m = k->member;
	bool up = clv_rd_u8(body) != 0;
	int result = (int32_t)clv_rd_u32(body);
	char why[CHAN_WHY_MAX];

	clv_rd_str(body, why, sizeof(why));
	if (m == NULL || clv_rd_end(body) != CLV_OK)
		return;
	m->up = up;
	m->up_result = result;
	snprintf(m->up_why, sizeof(m->up_why), "%.*s",
	    (int)sizeof(m->up_why) - 1, why);
	if (up)
		member_refresh_on_up(m);
	else
		member_refresh_on_down(m);
	if (!up && result == CLV_E_UNKNOWN_PEER)
		(void)member_cert_refused(m);
}

int
member_ask(struct member *m, uint8_t op, const struct clv_buf *payload)
{
	struct clv_wire_request *q = &m->question;
	struct clv_buf frame, b;
	int r;

	memset(q, 0, sizeof(*q));
	q->op = op;
	memcpy(q->system_id, m->system_id, sizeof(q->system_id));
	snprintf(q->name, sizeof(q->name), "%s", m->k->identity->name);
	randombytes_buf(q->nonce, sizeof(q->nonce));
	q->seen_epoch = m->seen.epoch;
	q->seen_list = m->seen.list_version;
	q->seen_generation = m->seen.generation;
	if (m->show && op == CLV_WIRE_FETCH) {
		q->evidence = m->evidence.data;
		q->evidence_len = m->evidence.len;
	}
	q->payload = payload->data;
	q->payload_len = payload->len;
	clv_buf_init(&frame);
	clv_buf_init(&b);
	r = clv_wire_request_format(q, m->k->identity->sign_sk, &frame);
	clv_buf_bytes(&b, frame.data, frame.len);
	if (r == CLV_OK)
		r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = keeper_send(m->k, CHAN_ASK, &b);
	clv_buf_fini(&b);
	clv_buf_fini(&frame);
	q->payload = q->evidence = NULL; /* borrowed until here */
	m->asked_ms = loop_now_ms();
	return r;
}

static int
take(struct member *m, const uint8_t *p, size_t len)
{
	struct clv_wire_answer a;
	int r;

	r = clv_wire_answer_parse(p, len, m->k->system_pk, &a);
	if (r == CLV_E_SIGNATURE) {
		r = member_successor(m, p, len);
		return r == CLV_E_AGAIN ? CLV_OK : r;
	}
	if (r != CLV_OK)
		return r;
	if (a.op == CLV_WIRE_NOTICE) {
		member_refresh_on_notice(m, &a);
		return CLV_OK;
	}
	if (m->step < MEMBER_FETCH)
		return CLV_OK; /* too late */
	r = clv_wire_answer_match(&a, &m->question);
	/* A member that knows no system yet learns its id from what the
	 * system's key has signed. */
	if (r != CLV_OK)
		return r;
	m->body = p;
	m->body_len = len;
	member_refresh_on_answer(m, &a);
	m->body = NULL;
	return CLV_OK;
}

void
member_on_reply(struct keeper *k, struct clv_rd *body)
{
	struct member *m = k->member;
	const uint8_t *p;
	size_t len;
	int r;

	p = clv_rd_bytes(body, &len);
	if (clv_rd_end(body) != CLV_OK || m == NULL)
		return;
	r = take(m, p, len);
	if (r != CLV_OK)
		log_warning("an answer at the server's address was refused: "
			    "%s",
		    clv_result_text(r));
}
