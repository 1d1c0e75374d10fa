/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/front_net.h"
#include "daemon/base/log.h"

/* The server port, as the keeper orders it. */
#define PINS_MAX 65536

static bool
is_pinned(void *arg, const uint8_t thumb[static 32])
{
	const struct front_net *net = arg;

	return front_pins_has(net->pins, thumb) ||
	       front_table_is_join_open(net);
}

void
front_net_tls(struct front_net *net, struct clv_rd *rd)
{
	struct tls_ctx *ctx;
	const uint8_t *cert, *key;
	size_t cert_len, key_len;
	int r;

	cert = clv_rd_bytes(rd, &cert_len);
	key = clv_rd_bytes(rd, &key_len);
	r = clv_rd_end(rd);
	if (r == CLV_OK)
		r = tls_ctx_new(
		    true, cert, cert_len, key, key_len, is_pinned, net, &ctx);
	if (r != CLV_OK) {
		log_error("the network name's certificate cannot be used: %s",
		    clv_result_text(r));
		return;
	}
	/* Connections that live keep the one they were made with. */
	tls_ctx_free(&net->ctx);
	net->ctx = ctx;
}

/* Those that are in the set now are enrolled. */
static void
sort_out(struct front_net *net, struct front_conn *c)
{
	if (!front_pins_has(net->pins, tls_conn_thumb(c->tls))) {
		if (!c->joins || !front_table_is_join_open(net))
			front_net_drop(net, c, NULL);
	} else if (c->joins) {
		c->joins = false;
		net->joiners--;
	}
}

/* All who are not in the new set are put out at once, but for those who ask to
 * join while somebody may. */
static void
drop_revoked(struct front_net *net)
{
	struct front_conn *c;
	uint32_t i;

	for (i = 0; i < net->size; i++) {
		c = net->table[i];
		if (c != NULL && front_conn_is_known(c))
			sort_out(net, c);
	}
}

void
front_net_joiners(struct front_net *net, struct clv_rd *rd)
{
	uint32_t for_s = clv_rd_u32(rd);

	if (clv_rd_end(rd) != CLV_OK) {
		log_error("the keeper's word about joining is malformed");
		for_s = 0;
	}
	net->join_until_ms =
	    for_s == 0 ? 0 : loop_now_ms() + (uint64_t)for_s * 1000;
	drop_revoked(net);
}

void
front_net_pins(struct front_net *net, struct clv_rd *rd)
{
	struct front_pins *pins = NULL;
	uint32_t n = clv_rd_u32(rd);
	const uint8_t *thumbs = NULL;
	int r;

	if (n <= PINS_MAX)
		thumbs = clv_rd_raw(rd, (size_t)n * 32);
	if (thumbs == NULL || clv_rd_end(rd) != CLV_OK)
		r = CLV_E_FORMAT;
	else
		r = front_pins_new(thumbs, n, &pins);
	if (r != CLV_OK)
		log_error("the list of thumbprints cannot be used: %s; nobody "
			  "is admitted",
		    clv_result_text(r));
	/* Or those who are enrolled would come as if they were not. */
	if (r != CLV_OK)
		net->join_until_ms = 0;
	front_pins_free(&net->pins);
	net->pins = pins;
	drop_revoked(net);
}

static int
start_listening(struct front_net *net, const char *address, uint16_t port,
    char why[static 256])
{
	int r;

	if ((r = front_self_test(net->front)) != CLV_OK) {
		snprintf(why, 256,
		    "the TLS self-test failed: this program "
		    "does not keep strangers out");
		return r;
	}
	if (net->ctx == NULL) {
		snprintf(why, 256,
		    "there is no certificate of the network "
		    "name");
		return CLV_E_NOT_READY;
	}
	return front_listener_open(&net->listener, address, port, why);
}

void
front_net_listen(struct front_net *net, struct clv_rd *rd)
{
	char address[64], why[256] = "";
	struct clv_buf b;
	uint16_t port;
	int r;

	clv_rd_str(rd, address, sizeof(address));
	port = clv_rd_u16(rd);
	if ((r = clv_rd_end(rd)) == CLV_OK)
		r = start_listening(net, address, port, why);
	clv_buf_init(&b);
	clv_buf_u32(&b, (uint32_t)r);
	clv_buf_str(
	    &b, why[0] != '\0' || r == CLV_OK ? why : clv_result_text(r));
	front_send(net->front, CHAN_LISTENING, &b);
	clv_buf_fini(&b);
}

void
front_net_unlisten(struct front_net *net)
{
	front_listener_close(&net->listener);
	front_table_drop_all(net);
}

/* Of a host that is not enrolled: nobody takes it for a member's. */
static int
join_request(struct front_net *net, struct front_conn *c)
{
	uint8_t binding[TLS_BINDING_LEN];
	struct clv_buf b;
	int r = tls_conn_binding(c->tls, binding);

	if (r != CLV_OK)
		return r;
	if (++c->asks > FRONT_JOIN_ASKS_MAX)
		return CLV_E_PROTOCOL;
	clv_buf_init(&b);
	clv_buf_u64(&b, c->id);
	clv_buf_raw(&b, tls_conn_thumb(c->tls), 32);
	clv_buf_raw(&b, binding, sizeof(binding));
	clv_buf_bytes(&b, c->frame, c->len);
	r = front_send(net->front, CHAN_JOIN, &b);
	clv_buf_fini(&b);
	return r;
}

int
front_net_request(struct front_net *net, struct front_conn *c)
{
	const uint8_t *thumb = tls_conn_thumb(c->tls);
	struct clv_buf b;
	int r;

	if (c->joins)
		return join_request(net, c);
	/* Again at each request: whoever was let in may be revoked since. */
	if (!front_pins_has(net->pins, thumb))
		return CLV_E_REVOKED;
	clv_buf_init(&b);
	clv_buf_u64(&b, c->id);
	clv_buf_raw(&b, thumb, 32);
	clv_buf_bytes(&b, c->frame, c->len);
	r = front_send(net->front, CHAN_REQUEST, &b);
	clv_buf_fini(&b);
	return r;
}

void
front_net_answer(struct front_net *net, struct clv_rd *rd)
{
	uint64_t id = clv_rd_u64(rd);
	struct front_conn *c;
	const uint8_t *body;
	bool close_after;
	size_t len;

	body = clv_rd_bytes(rd, &len);
	close_after = clv_rd_u8(rd) != 0;
	c = front_table_find(net, id);
	if (clv_rd_end(rd) != CLV_OK || len > CLV_WIRE_ANSWER_MAX) {
		log_error("an answer of the keeper is malformed");
		if (c != NULL)
			front_net_drop(net, c, NULL);
		return;
	}
	/* It may have gone, or been revoked, in the meantime. */
	if (c != NULL && c->state == FRONT_CONN_WAIT)
		front_conn_answer(c, body, len, close_after);
}

void
front_net_notice(struct front_net *net, struct clv_rd *rd)
{
	struct front_notice *n = NULL;
	const uint8_t *body;
	size_t len;
	uint32_t i;
	int r;

	body = clv_rd_bytes(rd, &len);
	r = clv_rd_end(rd);
	if (r == CLV_OK)
		r = front_notice_new(body, len, &n);
	if (r != CLV_OK) {
		log_error("a notice was not passed on: %s", clv_result_text(r));
		return;
	}
	for (i = 0; i < net->size; i++) {
		if (net->table[i] != NULL &&
		    front_conn_is_known(net->table[i]) && !net->table[i]->joins)
			front_conn_notify(net->table[i], n);
	}
	front_notice_put(&n);
}
