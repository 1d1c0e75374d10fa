/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/wire.h>
#include "daemon/cli/cli.h"
#include "daemon/member/server_pins.h"
#include "daemon/base/state.h"
#include "daemon/front/tls.h"

/* What this host has seen; a member that never fetched has seen nothing. */
static int
load_seen(struct cli *c, struct cli_wire *w)
{
	struct state s;
	int r = cli_become(c, &c->config);

	if (r != CLV_OK)
		return r;
	r = state_load(c->config.state_dir, &s);
	cli_unbecome();
	if (r == CLV_E_NOT_FOUND)
		return CLV_OK;
	if (r != CLV_OK)
		return cli_fail(c, r,
		    "restore the file from this host's backup; without it this "
		    "host cannot tell an old server from the newest",
		    "%s/state cannot be used: %s", c->config.state_dir,
		    clv_result_text(r));
	memcpy(w->system_id, s.system_id, sizeof(w->system_id));
	w->seen_epoch = s.epoch;
	w->seen_list = s.list_version;
	w->seen_generation = s.generation;
	return CLV_OK;
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return sodium_is_zero(p, len) == 1;
}

static int
of_member(struct cli *c, struct cli_wire *w, struct server_pins *ret)
{
	int r = cli_become(c, &c->config);

	if (r != CLV_OK)
		return r;
	r = server_pins_load(&c->config, ret);
	cli_unbecome();
	snprintf(w->server, sizeof(w->server), "%s",
	    c->config.address[0] != '\0' ? c->config.address
					 : c->config.network_name);
	if (r == CLV_E_CONFIG)
		return cli_fail(c, r, "run claviger join --member again",
		    "the line 'server_thumbprint' of %s is not a thumbprint",
		    c->path);
	if (r != CLV_OK)
		cli_warn(c,
		    "%s/pins: %s; the server is known by 'server_thumbprint' "
		    "of %s alone",
		    c->config.state_dir, clv_result_text(r), c->path);
	return CLV_OK;
}

static int
of_server_node(struct cli *c, struct cli_wire *w, struct server_pins *ret)
{
	int r = cli_list_need(c, &w->list);

	if (r != CLV_OK)
		return r;
	memcpy(w->system_id, w->list->system_id, sizeof(w->system_id));
	snprintf(w->server, sizeof(w->server), "%s", w->list->address);
	memcpy(ret->thumb, w->list->cert_thumb, sizeof(ret->thumb));
	return CLV_OK;
}

/* Whom to trust at the other end, and where it is: the signed list on a server
 * node; on a member the configuration, and what the server said since. */
static int
find_server(struct cli *c, struct cli_wire *w,
    uint8_t pins[static CLV_LIST_CERTS][32], size_t *ret_n)
{
	struct server_pins found = {0};
	size_t n = 0;
	int r = config_is_server(&c->config) ? of_server_node(c, w, &found)
					     : of_member(c, w, &found);

	for (size_t i = 0; i < CLV_LIST_CERTS; i++)
		if (!is_zero(found.thumb[i], 32))
			memcpy(pins[n++], found.thumb[i], 32);
	*ret_n = n;
	return r;
}

/* A member that was away while the certificate was changed knows it no more. */
static const char *
repin(const struct cli *c)
{
	static char text[512];

	if (config_is_server(&c->config))
		return "compare the thumbprint with claviger cert show on "
		       "another server node";
	snprintf(text, sizeof(text),
	    "if claviger cert show on a server node has that thumbprint, the "
	    "certificate was changed while this host was away: write it "
	    "behind 'server_thumbprint =' in %.200s, and restart clavigerd; "
	    "if not, somebody else answers there",
	    c->path);
	return text;
}

static const char *
next_of(const struct cli *c, int result)
{
	switch (result) {
	case CLV_E_NOT_FOUND:
		return "enter the network name with its address in the name "
		       "service, or in /etc/hosts of this host";
	case CLV_E_UNKNOWN_PEER: return repin(c);
	case CLV_E_DENIED:
		return "a new one is made by claviger cert rotate; of a host "
		       "that is not let in any more, by claviger join; or set "
		       "enforce_expiry = no where it is refused";
	case CLV_E_TIMEOUT:
		return "claviger status on the server nodes tells which one is "
		       "active; if one is, let TCP through to that port";
	case CLV_E_TLS:
		return "find out what listens there: a master secret server "
		       "speaks TLS 1.3";
	default:
		return "claviger status on the server nodes tells which one is "
		       "active, claviger settings show the port";
	}
}

int
cli_wire_open(struct cli *c, struct cli_wire *w)
{
	uint8_t pins[CLV_LIST_CERTS][32];
	char why[256] = "";
	uint16_t port;
	size_t n = 0;
	int r;

	memset(w, 0, sizeof(*w));
	cli_host_init(&w->host);
	r = cli_system_pk(c, w->system_pk);
	if (r == CLV_OK)
		r = load_seen(c, w);
	if (r == CLV_OK)
		r = find_server(c, w, pins, &n);
	if (r == CLV_OK)
		r = cli_host_load(c, &w->host);
	if (r != CLV_OK)
		return r;
	port = w->list != NULL ? w->list->port : c->config.port;
	r = tls_client_open(w->server, port, w->host.cert.data,
	    w->host.cert.len, w->host.key.data, w->host.key.len,
	    (const uint8_t(*)[32])pins, n, CLI_TIMEOUT_MS, &w->tls, why);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r, next_of(c, r),
	    "the server at %s port %u cannot be used: %s", w->server, port,
	    why[0] != '\0' ? why : clv_result_text(r));
}

void
cli_wire_close(struct cli_wire *w)
{
	tls_client_close(&w->tls);
	cli_host_fini(&w->host);
	clv_list_free(&w->list);
}

static void
question(const struct cli_wire *w, const struct cli_question *q,
    struct clv_wire_request *ret)
{
	*ret = (struct clv_wire_request){.op = q->op,
	    .seen_epoch = w->seen_epoch,
	    .seen_list = w->seen_list,
	    .seen_generation = w->seen_generation,
	    .evidence = q->evidence,
	    .evidence_len = q->evidence_len,
	    .payload = q->payload,
	    .payload_len = q->payload_len};
	memcpy(ret->system_id, w->system_id, sizeof(ret->system_id));
	memcpy(ret->name, w->host.id->name, sizeof(ret->name));
	randombytes_buf(ret->nonce, sizeof(ret->nonce));
	if (q->challenge != NULL)
		memcpy(ret->challenge, q->challenge, sizeof(ret->challenge));
}

static int
exchange(struct cli_wire *w, const struct cli_question *q,
    struct clv_wire_request *ret_asked, struct clv_buf *ret_body,
    char why[static 256])
{
	struct clv_buf request;
	int r;

	clv_buf_init(&request);
	clv_buf_reset(ret_body);
	question(w, q, ret_asked);
	r = clv_wire_request_format(ret_asked, w->host.id->sign_sk, &request);
	if (r == CLV_OK)
		r = tls_client_exchange(w->tls, &request, ret_body,
		    q->op == CLV_WIRE_ADMIN ? CLI_ADMIN_TIMEOUT_MS
					    : CLI_TIMEOUT_MS,
		    why);
	clv_buf_fini(&request);
	return r;
}

/* The system signs by another key than ours: does it follow? That is pinned by
 * clavigerd; here it is good for this conversation. */
static int
follow(struct cli_wire *w)
{
	const struct cli_question q = {.op = CLV_WIRE_CHAIN};
	uint8_t pk[CLV_SIGN_PK_LEN];
	struct clv_wire_request m;
	struct clv_wire_answer a;
	struct clv_buf body;
	char why[256];
	int r;

	clv_buf_init(&body);
	r = exchange(w, &q, &m, &body, why);
	if (r == CLV_OK)
		r = clv_wire_answer_follow(
		    body.data, body.len, w->system_pk, &a, pk);
	if (r == CLV_OK)
		r = clv_wire_answer_match(&a, &m);
	clv_buf_fini(&body);
	if (r == CLV_OK)
		memcpy(w->system_pk, pk, sizeof(w->system_pk));
	return r;
}

static int
ask(struct cli *c, struct cli_wire *w, const struct cli_question *q,
    struct clv_buf *ret_body, struct clv_wire_answer *ret)
{
	struct clv_wire_request m;
	char why[256] = "";
	int r = exchange(w, q, &m, ret_body, why);

	if (r != CLV_OK)
		return cli_fail(c, r,
		    "claviger status on the server nodes tells which one is "
		    "active; is this host enrolled there (claviger member "
		    "list)?",
		    "the server at %s did not answer: %s", w->server,
		    why[0] != '\0' ? why : clv_result_text(r));
	r = clv_wire_answer_parse(
	    ret_body->data, ret_body->len, w->system_pk, ret);
	if (r == CLV_E_SIGNATURE && follow(w) == CLV_OK)
		r = clv_wire_answer_parse(
		    ret_body->data, ret_body->len, w->system_pk, ret);
	if (r == CLV_OK)
		r = clv_wire_answer_match(ret, &m);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r,
	    "is 'system =' in the configuration the right system? If so, "
	    "somebody else answers at this address",
	    "the answer of %s was refused: %s", w->server, clv_result_text(r));
}

/* A member knows its system by the public key that was pinned when it joined;
 * the id it learns from the first answer that this key signed. */
int
cli_wire_ask(struct cli *c, struct cli_wire *w, const struct cli_question *q,
    struct clv_buf *ret_body, struct clv_wire_answer *ret)
{
	int r = ask(c, w, q, ret_body, ret);

	if (r != CLV_OK || !is_zero(w->system_id, sizeof(w->system_id)))
		return r;
	memcpy(w->system_id, ret->system_id, sizeof(w->system_id));
	if (ret->result == CLV_E_WRONG_SYSTEM)
		r = ask(c, w, q, ret_body, ret);
	return r;
}
