/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/front.h"

/*
 * One connection: handshake, then one frame for another, and notices between
 * them. Nothing in proportion to a peer's words is allocated before its pin was
 * found, and afterwards at most one frame.
 */
#define DISCARD_MAX 4096

static const uint8_t beat[4]; /* a frame of length 0 */

int
front_notice_new(const void *body, size_t len, struct front_notice **ret)
{
	struct front_notice *n;
	struct clv_buf b;
	int r;

	if (len == 0 || len > CLV_WIRE_REQUEST_MAX)
		return CLV_E_FORMAT;
	clv_buf_init(&b);
	clv_buf_bytes(&b, body, len);
	if ((r = clv_buf_result(&b)) != CLV_OK)
		goto out;
	r = CLV_E_NOMEM;
	if ((n = malloc(sizeof(*n) + b.len)) == NULL)
		goto out;
	n->refs = 1;
	n->len = (uint32_t)b.len;
	memcpy(n->frame, b.data, b.len);
	*ret = n; /* transferred */
	r = CLV_OK;
out:
	clv_buf_fini(&b);
	return r;
}

void
front_notice_put(struct front_notice **n)
{
	if (*n != NULL && --(*n)->refs == 0)
		free(*n);
	*n = NULL;
}

/* A host is counted by its address; in IPv6 by its /64, of which everybody
 * has plenty of addresses. */
static void
put_source(const struct sockaddr *from, uint8_t dst[static 16])
{
	const struct sockaddr_in6 *in6 = (const void *)from;
	const struct sockaddr_in *in = (const void *)from;

	memset(dst, 0, 16);
	if (from->sa_family == AF_INET6) {
		memcpy(dst, &in6->sin6_addr, 8);
	} else if (from->sa_family == AF_INET) {
		dst[10] = dst[11] = 0xff;
		memcpy(dst + 12, &in->sin_addr, 4);
	}
}

/* The only one that writes the state. */
static void
enter(struct front_conn *c, enum front_conn_state state, uint64_t allow_ms)
{
	c->state = state;
	c->deadline_ms = loop_now_ms() + allow_ms;
}

/* Whoever has just spoken, or was just answered, may be silent for a while. */
static void
heard(struct front_conn *c)
{
	c->idle_ms =
	    loop_now_ms() + (c->joins ? FRONT_JOIN_IDLE_MS : FRONT_IDLE_MS);
}

/* What comes next is the peer's to say. */
static void
listen_to(struct front_conn *c)
{
	c->state = FRONT_CONN_HEAD;
	c->deadline_ms = c->idle_ms;
}

static void
say(struct front_conn *c, const uint8_t *out, uint32_t len)
{
	c->out = out;
	c->len = len;
	c->done = 0;
	enter(c, FRONT_CONN_WRITE, FRONT_FRAME_MS);
}

/* Bytes that come while a request is with the keeper are left where they are,
 * and so is an end of the stream: it shows when the answer is written. */
static void
arm(struct front_conn *c)
{
	bool writes = tls_conn_want(c->tls) == CLV_WANT_WRITE;

	if (c->state == FRONT_CONN_LINGER || c->state == FRONT_CONN_WAIT)
		writes = false;
	front_net_watch(c->net, c, !writes && !c->muted, writes);
}

int
front_conn_new(struct front_net *net, struct tls_ctx *ctx, int fd, uint64_t id,
    const struct sockaddr *from, struct front_conn **ret)
{
	struct front_conn *c = calloc(1, sizeof(*c));
	int on = 1, r = CLV_E_NOMEM;

	if (c == NULL || (r = tls_conn_new(ctx, fd, &c->tls)) != CLV_OK) {
		close(fd);
		free(c);
		return r;
	}
	c->net = net;
	c->id = id;
	c->since_ms = loop_now_ms();
	put_source(from, c->source);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((r = front_net_watch(net, c, true, false)) != CLV_OK) {
		tls_conn_free(&c->tls);
		free(c);
		return r;
	}
	enter(c, FRONT_CONN_HANDSHAKE, FRONT_HANDSHAKE_MS);
	*ret = c;
	return CLV_OK;
}

static void
drop_frame(struct front_conn *c)
{
	free(c->frame);
	c->frame = NULL;
	c->out = NULL;
	front_notice_put(&c->notice);
	c->len = c->done = 0;
}

void
front_conn_free(struct front_conn **conn)
{
	struct front_conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	tls_conn_free(&c->tls);
	drop_frame(c);
	front_notice_put(&c->next);
	free(c);
}

bool
front_conn_is_known(const struct front_conn *c)
{
	return c->state != FRONT_CONN_HANDSHAKE &&
	       c->state != FRONT_CONN_LINGER;
}

/* CLV_OK: go on with the next state; CLV_E_AGAIN: wait; else the end. */
static int
do_handshake(struct front_conn *c)
{
	int r = tls_conn_handshake(c->tls);

	if (r == CLV_E_AGAIN)
		return r;
	if (r == CLV_OK && !front_net_admit(c->net, c))
		return CLV_E_FULL;
	if (r == CLV_OK) {
		heard(c);
		listen_to(c);
		return CLV_OK;
	}
	if (r == CLV_E_NO_SERVER)
		return r;
	front_net_refused(c->net, c);
	/* Closing with unread bytes resets the connection and takes the
	 * alert with it, from which the peer would learn what is wrong. */
	shutdown(tls_conn_fd(c->tls), SHUT_WR);
	enter(c, FRONT_CONN_LINGER, FRONT_LINGER_MS);
	return CLV_OK;
}

/* Each costs a record and a system call, and asks nothing of the keeper. */
static int
answer_beat(struct front_conn *c)
{
	uint64_t now = loop_now_ms();

	if (now - c->beats_ms >= FRONT_BEATS_MS) {
		c->beats_ms = now;
		c->beats = 0;
	}
	if (++c->beats > FRONT_BEATS_MAX || c->joins)
		return CLV_E_PROTOCOL;
	say(c, beat, sizeof(beat));
	return CLV_OK;
}

/* Between two frames of the peer. */
static void
say_notice(struct front_conn *c)
{
	c->notice = c->next;
	c->next = NULL; /* transferred */
	say(c, c->notice->frame, c->notice->len);
}

static int
do_head(struct front_conn *c)
{
	struct clv_rd rd;
	size_t n;
	int r;

	if (c->done == 0 && c->next != NULL) {
		say_notice(c);
		return CLV_OK;
	}
	r = tls_conn_read(
	    c->tls, c->head + c->done, sizeof(c->head) - c->done, &n);
	if (r != CLV_OK)
		return r;
	if (c->done == 0)
		enter(c, FRONT_CONN_HEAD, FRONT_FRAME_MS);
	c->done += (uint32_t)n;
	if (c->done < sizeof(c->head))
		return CLV_OK;
	clv_rd_init(&rd, c->head, sizeof(c->head));
	c->len = clv_rd_u32(&rd);
	c->done = 0;
	if (c->len == 0)
		return answer_beat(c);
	if (c->len > (c->joins ? CLV_WIRE_JOIN_MAX : CLV_WIRE_REQUEST_MAX))
		return CLV_E_PROTOCOL;
	if ((c->frame = malloc(c->len)) == NULL)
		return CLV_E_NOMEM;
	c->state = FRONT_CONN_BODY; /* within the same deadline */
	return CLV_OK;
}

static int
do_body(struct front_conn *c)
{
	size_t n;
	int r;

	r = tls_conn_read(c->tls, c->frame + c->done, c->len - c->done, &n);
	if (r != CLV_OK)
		return r;
	c->done += (uint32_t)n;
	if (c->done < c->len)
		return CLV_OK;
	r = front_net_request(c->net, c);
	drop_frame(c);
	if (r != CLV_OK)
		return r;
	enter(c, FRONT_CONN_WAIT, FRONT_ANSWER_MS);
	return CLV_E_AGAIN;
}

/* More bytes, or the end, while the keeper works. */
static int
do_wait(struct front_conn *c)
{
	uint8_t byte;
	ssize_t n = recv(tls_conn_fd(c->tls), &byte, 1, MSG_PEEK);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return CLV_E_NO_SERVER;
	c->muted = n > 0;
	return CLV_E_AGAIN;
}

static int
do_write(struct front_conn *c)
{
	size_t n;
	int r;

	r = tls_conn_write(c->tls, c->out + c->done, c->len - c->done, &n);
	if (r != CLV_OK)
		return r;
	c->done += (uint32_t)n;
	if (c->done < c->len)
		return CLV_OK;
	/* A notice is no sign of the peer. */
	if (c->notice == NULL)
		heard(c);
	drop_frame(c);
	if (c->close_after)
		return CLV_E_NO_SERVER;
	listen_to(c);
	return CLV_OK;
}

static int
do_linger(struct front_conn *c)
{
	uint8_t block[DISCARD_MAX];
	ssize_t n = recv(tls_conn_fd(c->tls), block, sizeof(block), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return CLV_E_NO_SERVER;
	return CLV_E_AGAIN;
}

static int
step(struct front_conn *c)
{
	switch (c->state) {
	case FRONT_CONN_HANDSHAKE: return do_handshake(c);
	case FRONT_CONN_HEAD: return do_head(c);
	case FRONT_CONN_BODY: return do_body(c);
	case FRONT_CONN_WAIT: return do_wait(c);
	case FRONT_CONN_WRITE: return do_write(c);
	case FRONT_CONN_LINGER: return do_linger(c);
	}
	return CLV_E_PROTOCOL;
}

/* A peer that sends frame upon frame comes no further than its first one, as
 * the state then waits for the keeper. */
static void
run(struct front_conn *c)
{
	int r;

	do
		r = step(c);
	while (r == CLV_OK);
	if (r == CLV_E_AGAIN) {
		arm(c);
		return;
	}
	front_net_drop(
	    c->net, c, r == CLV_E_NO_SERVER ? NULL : clv_result_text(r));
}

void
front_conn_event(struct front_conn *c, bool hung_up)
{
	/* The bytes that are left alone hide the end from recv(). */
	if (hung_up && c->muted)
		front_net_drop(c->net, c, NULL);
	else
		run(c);
}

void
front_conn_answer(
    struct front_conn *c, const void *body, size_t len, bool close_after)
{
	struct clv_buf b;

	assert(len <= CLV_WIRE_ANSWER_MAX);
	clv_buf_init(&b);
	clv_buf_bytes(&b, body, len);
	if (clv_buf_result(&b) == CLV_OK)
		c->frame = malloc(b.len);
	if (c->frame == NULL) {
		clv_buf_fini(&b);
		front_net_drop(c->net, c, clv_result_text(CLV_E_NOMEM));
		return;
	}
	memcpy(c->frame, b.data, b.len);
	c->muted = false;
	c->close_after = close_after;
	say(c, c->frame, (uint32_t)b.len);
	clv_buf_fini(&b);
	run(c);
}

void
front_conn_notify(struct front_conn *c, struct front_notice *n)
{
	front_notice_put(&c->next);
	c->next = n;
	n->refs++;
	if (c->state == FRONT_CONN_HEAD && c->done == 0)
		run(c);
}
