/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <fcntl.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"

/*
 * The start-up self-test. Authentication that a later change switches off by
 * mistake is not noticed by those who are let in; so each start shows that a
 * stranger is kept out, over real connections.
 */
#define STEPS_MAX 64

struct party {
	struct clv_buf cert;
	struct clv_buf key;
	uint8_t thumb[32];
};

static int
party_init(struct party *p, const char *cn)
{
	int r;

	clv_buf_init(&p->cert);
	clv_buf_init(&p->key);
	r = cert_make(cn, NULL, 0, &p->cert, &p->key);
	if (r == CLV_OK)
		r = cert_thumb(p->cert.data, p->cert.len, p->thumb);
	return r;
}

static void
party_fini(struct party *p)
{
	clv_buf_fini(&p->cert);
	clv_buf_fini(&p->key);
}

static bool
is_the_one(void *arg, const uint8_t thumb[static 32])
{
	return sodium_memcmp(arg, thumb, 32) == 0;
}

static int
party_ctx(bool server, struct party *p, uint8_t *pin, struct tls_ctx **ret)
{
	return tls_ctx_new(server, p->cert.data, p->cert.len, p->key.data,
	    p->key.len, is_the_one, pin, ret);
}

/* Both ends by turns, until each has ended; then one byte to the client, as
 * only that shows it what the server thinks of it. */
static void
play(struct tls_conn *server, struct tls_conn *client, int *ret_s, int *ret_c)
{
	uint8_t byte = 1;
	size_t n;
	int i;

	*ret_s = *ret_c = CLV_E_AGAIN;
	for (i = 0; i < STEPS_MAX; i++) {
		if (*ret_c == CLV_E_AGAIN)
			*ret_c = tls_conn_handshake(client);
		if (*ret_s == CLV_E_AGAIN)
			*ret_s = tls_conn_handshake(server);
		if (*ret_s != CLV_E_AGAIN && *ret_c != CLV_E_AGAIN)
			break;
	}
	if (*ret_s == CLV_OK)
		*ret_s = tls_conn_write(server, &byte, 1, &n);
	if (*ret_c == CLV_OK)
		*ret_c = tls_conn_read(client, &byte, 1, &n);
}

/* One connection between the two contexts: both ends must say `expect`. */
static int
meet(struct tls_ctx *server, struct tls_ctx *client, int expect)
{
	struct tls_conn *s = NULL, *c = NULL;
	int fds[2], rs, rc, r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		fds) < 0)
		return CLV_E_SYSTEM;
	if ((r = tls_conn_new(server, fds[0], &s)) != CLV_OK ||
	    (r = tls_conn_new(client, fds[1], &c)) != CLV_OK)
		goto out;
	play(s, c, &rs, &rc);
	r = rs == expect && rc == expect ? CLV_OK : CLV_E_TLS;
out:
	if (s == NULL)
		close(fds[0]);
	if (c == NULL)
		close(fds[1]);
	tls_conn_free(&s);
	tls_conn_free(&c);
	return r;
}

int
tls_self_test(void)
{
	struct tls_ctx *server = NULL, *friend = NULL, *stranger = NULL;
	struct party a = {0}, b = {0};
	int r;

	if ((r = party_init(&a, "self-test a")) != CLV_OK ||
	    (r = party_init(&b, "self-test b")) != CLV_OK ||
	    (r = party_ctx(true, &a, b.thumb, &server)) != CLV_OK ||
	    (r = party_ctx(false, &b, a.thumb, &friend)) != CLV_OK ||
	    (r = party_ctx(false, &a, a.thumb, &stranger)) != CLV_OK)
		goto out;
	r = meet(server, friend, CLV_OK);
	if (r == CLV_OK)
		r = meet(server, stranger, CLV_E_UNKNOWN_PEER);
out:
	tls_ctx_free(&server);
	tls_ctx_free(&friend);
	tls_ctx_free(&stranger);
	party_fini(&a);
	party_fini(&b);
	return r;
}
