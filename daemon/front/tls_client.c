/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/base/loop.h"
#include "daemon/front/tls.h"

struct tls_client {
	struct tls_ctx *ctx;
	struct tls_conn *conn;
	uint8_t (*pins)[32];
	size_t n;
	bool any; /* whoever it is */
};

/* Every pin is looked at, whatever the ones before it said. */
static bool
is_pinned(void *arg, const uint8_t thumb[static 32])
{
	const struct tls_client *c = arg;
	unsigned found = 0;
	size_t i;

	for (i = 0; i < c->n; i++)
		found |= sodium_memcmp(c->pins[i], thumb, 32) == 0;
	return found != 0 || c->any;
}

/* Wait for the descriptor until the deadline. */
static int
wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	uint64_t now;
	int n;

	do {
		now = loop_now_ms();
		if (now >= deadline_ms)
			return CLV_E_TIMEOUT;
		n = poll(&p, 1, (int)(deadline_ms - now));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return CLV_E_SYSTEM;
	return n == 0 ? CLV_E_TIMEOUT : CLV_OK;
}

static int
connect_one(const struct addrinfo *a, uint64_t deadline_ms, int *ret)
{
	int fd, error = 0, on = 1, r = CLV_E_NO_SERVER;
	socklen_t len = sizeof(error);

	fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    a->ai_protocol);
	if (fd < 0)
		return CLV_E_SYSTEM;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)
		goto out;
	if ((r = wait_for(fd, POLLOUT, deadline_ms)) != CLV_OK)
		goto out;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	r = error == 0 ? CLV_OK : CLV_E_NO_SERVER;
out:
	if (r == CLV_OK) {
		*ret = fd;
	} else {
		error = errno;
		close(fd);
		errno = error;
	}
	return r;
}

/* Each address gets its share of what time is left, so that one that does not
 * answer leaves some for the next. */
static uint64_t
share_until(const struct addrinfo *a, uint64_t deadline_ms)
{
	uint64_t now = loop_now_ms();
	unsigned n = 0;

	for (; a != NULL; a = a->ai_next)
		n++;
	return now >= deadline_ms ? now : now + (deadline_ms - now) / n;
}

/* To each address of the name in turn, until one answers. */
static int
connect_any(const char *host, uint16_t port, uint64_t deadline_ms, int *ret,
    char why[static 256])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL, *a;
	int r = CLV_E_NO_SERVER;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0) {
		snprintf(why, 256, "the name %.150s does not resolve: %s", host,
		    r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return CLV_E_NOT_FOUND;
	}
	for (a = list; a != NULL; a = a->ai_next) {
		r = connect_one(a, share_until(a, deadline_ms), ret);
		if (r == CLV_OK)
			break;
	}
	if (r == CLV_E_TIMEOUT)
		snprintf(
		    why, 256, "%.150s port %s does not answer", host, service);
	else if (r != CLV_OK)
		snprintf(why, 256, "cannot connect to %.150s port %s: %s", host,
		    service, strerror(errno));
	freeaddrinfo(list);
	return r;
}

/* What to say about a result of the connection. */
static int
tell(const struct tls_conn *conn, int r, char why[static 256])
{
	const char *text = tls_conn_text(conn);

	if (r == CLV_E_UNKNOWN_PEER || r == CLV_E_TLS || r == CLV_E_DENIED ||
	    r == CLV_E_NO_SERVER)
		snprintf(why, 256, "%s", text);
	else
		snprintf(why, 256, "%s", clv_result_text(r));
	return r;
}

static int
wait_conn(struct tls_conn *conn, uint64_t deadline_ms)
{
	bool writes = tls_conn_want(conn) == CLV_WANT_WRITE;

	return wait_for(
	    tls_conn_fd(conn), writes ? POLLOUT : POLLIN, deadline_ms);
}

/* Who is there, and who should be. */
static void
name_stranger(struct tls_client *c, char why[static 256])
{
	char found[65], pin[65] = "", next[65] = "";

	sodium_bin2hex(found, sizeof(found), tls_conn_thumb(c->conn), 32);
	if (c->n > 0)
		sodium_bin2hex(pin, sizeof(pin), c->pins[0], 32);
	if (c->n > 1)
		sodium_bin2hex(next, sizeof(next), c->pins[1], 32);
	snprintf(why, 256, "the server there has thumbprint %s, not %s%s%s",
	    found, pin, next[0] != '\0' ? " or " : "", next);
}

static int
shake(struct tls_client *c, uint64_t deadline_ms, char why[static 256])
{
	int r;

	while ((r = tls_conn_handshake(c->conn)) == CLV_E_AGAIN) {
		if ((r = wait_conn(c->conn, deadline_ms)) != CLV_OK)
			break;
	}
	if (r == CLV_OK)
		return r;
	(void)tell(c->conn, r, why);
	if (r == CLV_E_UNKNOWN_PEER && !is_pinned(c, tls_conn_thumb(c->conn)))
		name_stranger(c, why);
	return r;
}

/* client is transferred. */
static int
open_client(struct tls_client *client, const char *host, uint16_t port,
    const void *cert_der, size_t cert_len, const void *key_der, size_t key_len,
    int timeout_ms, struct tls_client **ret, char ret_why[static 256])
{
	uint64_t deadline_ms = loop_now_ms() + (uint64_t)timeout_ms;
	struct tls_client *c = client;
	int fd = -1, r;

	r = tls_ctx_new(
	    false, cert_der, cert_len, key_der, key_len, is_pinned, c, &c->ctx);
	if (r != CLV_OK) {
		snprintf(ret_why, 256, "own certificate and key: %s",
		    clv_result_text(r));
		goto out;
	}
	if ((r = connect_any(host, port, deadline_ms, &fd, ret_why)) != CLV_OK)
		goto out;
	if ((r = tls_conn_new(c->ctx, fd, &c->conn)) != CLV_OK) {
		snprintf(ret_why, 256, "%s", clv_result_text(r));
		goto out;
	}
	fd = -1; /* transferred */
	if ((r = shake(c, deadline_ms, ret_why)) != CLV_OK)
		goto out;
	ret_why[0] = '\0';
	*ret = c;
	c = NULL; /* transferred */
out:
	if (fd >= 0)
		close(fd);
	tls_client_close(&c);
	return r;
}

int
tls_client_open(const char *host, uint16_t port, const void *cert_der,
    size_t cert_len, const void *key_der, size_t key_len,
    const uint8_t (*pins)[32], size_t n, int timeout_ms,
    struct tls_client **ret, char ret_why[static 256])
{
	struct tls_client *c = calloc(1, sizeof(*c));

	snprintf(ret_why, 256, "%s", clv_result_text(CLV_E_NOMEM));
	if (c == NULL)
		return CLV_E_NOMEM;
	c->pins = calloc(n + 1, sizeof(*c->pins));
	if (c->pins == NULL) {
		tls_client_close(&c);
		return CLV_E_NOMEM;
	}
	memcpy(c->pins, pins, n * sizeof(*c->pins));
	c->n = n;
	return open_client(c, host, port, cert_der, cert_len, key_der, key_len,
	    timeout_ms, ret, ret_why);
}

int
tls_client_open_any(const char *host, uint16_t port, const void *cert_der,
    size_t cert_len, const void *key_der, size_t key_len, int timeout_ms,
    struct tls_client **ret, char ret_why[static 256])
{
	struct tls_client *c = calloc(1, sizeof(*c));

	snprintf(ret_why, 256, "%s", clv_result_text(CLV_E_NOMEM));
	if (c == NULL)
		return CLV_E_NOMEM;
	c->any = true;
	return open_client(c, host, port, cert_der, cert_len, key_der, key_len,
	    timeout_ms, ret, ret_why);
}

static int
read_all(struct tls_conn *conn, uint8_t *p, size_t len, uint64_t deadline_ms)
{
	size_t got = 0;
	int r;

	while (len > 0) {
		r = tls_conn_read(conn, p, len, &got);
		if (r == CLV_E_AGAIN)
			r = wait_conn(conn, deadline_ms);
		else if (r == CLV_OK)
			p += got, len -= got;
		if (r != CLV_OK)
			return r;
	}
	return CLV_OK;
}

static int
write_all(
    struct tls_conn *conn, const uint8_t *p, size_t len, uint64_t deadline_ms)
{
	size_t put = 0;
	int r;

	while (len > 0) {
		r = tls_conn_write(conn, p, len, &put);
		if (r == CLV_E_AGAIN)
			r = wait_conn(conn, deadline_ms);
		else if (r == CLV_OK)
			p += put, len -= put;
		if (r != CLV_OK)
			return r;
	}
	return CLV_OK;
}

/* The answer's body, whose length the peer states and we bound. */
static int
read_frame(struct tls_conn *conn, struct clv_buf *ret, uint64_t deadline_ms)
{
	uint8_t block[4096], head[4];
	struct clv_rd rd;
	uint32_t len;
	size_t n;
	int r;

	if ((r = read_all(conn, head, sizeof(head), deadline_ms)) != CLV_OK)
		return r;
	clv_rd_init(&rd, head, sizeof(head));
	len = clv_rd_u32(&rd);
	if (len == 0 || len > CLV_WIRE_ANSWER_MAX)
		return CLV_E_PROTOCOL;
	for (; r == CLV_OK && len > 0; len -= (uint32_t)n) {
		n = len < sizeof(block) ? len : sizeof(block);
		r = read_all(conn, block, n, deadline_ms);
		if (r == CLV_OK)
			clv_buf_raw(ret, block, n);
	}
	return r == CLV_OK ? clv_buf_result(ret) : r;
}

/* The list may change between our handshake and our question: a notice of that
 * is no answer. */
static int
read_answer(struct tls_conn *conn, struct clv_buf *ret, uint64_t deadline_ms)
{
	int r;

	do {
		clv_buf_reset(ret);
		r = read_frame(conn, ret, deadline_ms);
		if (r == CLV_OK && loop_now_ms() >= deadline_ms)
			r = CLV_E_TIMEOUT;
	} while (r == CLV_OK &&
		 clv_wire_answer_op(ret->data, ret->len) == CLV_WIRE_NOTICE);
	return r;
}

/* A server that refuses us says so and closes, so our writing may fail before
 * its reason was read. */
static int
why_closed(struct tls_conn *conn, int r)
{
	uint8_t byte;
	size_t n;
	int why;

	if (r != CLV_E_NO_SERVER)
		return r;
	why = tls_conn_read(conn, &byte, 1, &n);
	return why == CLV_E_UNKNOWN_PEER || why == CLV_E_DENIED ? why : r;
}

int
tls_client_exchange(struct tls_client *c, const struct clv_buf *body,
    struct clv_buf *ret_body, int timeout_ms, char ret_why[static 256])
{
	uint64_t deadline_ms = loop_now_ms() + (uint64_t)timeout_ms;
	struct clv_buf frame;
	int r;

	clv_buf_init(&frame);
	clv_buf_bytes(&frame, body->data, body->len);
	r = clv_buf_result(&frame);
	if (r == CLV_OK)
		r = why_closed(c->conn,
		    write_all(c->conn, frame.data, frame.len, deadline_ms));
	clv_buf_fini(&frame);
	if (r == CLV_OK)
		r = read_answer(c->conn, ret_body, deadline_ms);
	return r == CLV_OK ? r : tell(c->conn, r, ret_why);
}

int
tls_client_cert(const struct tls_client *c, struct clv_buf *ret)
{
	return tls_conn_cert(c->conn, ret);
}

const uint8_t *
tls_client_thumb(const struct tls_client *c)
{
	return tls_conn_thumb(c->conn);
}

int
tls_client_binding(
    const struct tls_client *c, uint8_t ret[static TLS_BINDING_LEN])
{
	return tls_conn_binding(c->conn, ret);
}

void
tls_client_close(struct tls_client **client)
{
	struct tls_client *c = *client;

	*client = NULL;
	if (c == NULL)
		return;
	tls_conn_free(&c->conn);
	tls_ctx_free(&c->ctx);
	free(c->pins);
	free(c);
}
