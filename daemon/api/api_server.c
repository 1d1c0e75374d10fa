/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/api/api_impl.h"
#include "daemon/vault/inspect.h"
#include "daemon/base/log.h"

/*
 * Connections of the local API. A caller is who the kernel says: user and
 * groups at the time it connected. It is not read from while its request is
 * under way, and one that does not read its answers is let go.
 */
static void
conn_free(struct api_conn *c)
{
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	c->api->count--;
	if (c->call != NULL)
		c->call->conn = NULL;
	inspect_free(&c->inspect);
	api_hold_drop(c);
	loop_fd_del(c->api->k->loop, c->fd);
	close(c->fd);
	auth_caller_fini(&c->who);
	free(c);
}

void
api_send(struct api_conn *c, uint16_t op, uint64_t id, int result,
    const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct clv_api_header h = {.magic = CLV_API_MAGIC,
	    .op = op,
	    .result = result,
	    .len = (uint32_t)(a_len + b_len),
	    .id = id};
	static uint8_t msg[CLV_API_MSG_MAX];
	size_t len = sizeof(h) + a_len + b_len;
	ssize_t n;

	if (len > sizeof(msg)) {
		api_fail(c, op, id, CLV_E_FULL, "the answer is too long");
		return;
	}
	memcpy(msg, &h, sizeof(h));
	if (a_len > 0)
		memcpy(msg + sizeof(h), a, a_len);
	if (b_len > 0)
		memcpy(msg + sizeof(h) + a_len, b, b_len);
	n = send(c->fd, msg, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	sodium_memzero(msg, len);
	if (n >= 0)
		return;
	/* The hang-up is an event of its own, in which it is freed. */
	c->gone = true;
	shutdown(c->fd, SHUT_RDWR);
}

void
api_fail(
    struct api_conn *c, uint16_t op, uint64_t id, int result, const char *text)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_str(&b,
	    text != NULL && text[0] != '\0' ? text : clv_result_text(result));
	api_send(c, op, id, result, b.data, b.len, NULL, 0);
	clv_buf_fini(&b);
}

struct api_call *
api_call_new(struct api_conn *c, uint16_t op, uint64_t id)
{
	struct api_call *call = c->api->spare;

	c->api->spare = NULL;
	if (call == NULL)
		call = malloc(sizeof(*call));
	if (call == NULL) {
		api_fail(c, op, id, CLV_E_NOMEM, NULL);
		return NULL;
	}
	*call = (struct api_call){.conn = c, .op = op, .id = id};
	c->call = call;
	return call;
}

struct api_conn *
api_call_end(struct api_call *call)
{
	struct api_conn *c = call->conn;

	if (c == NULL) {
		free(call);
		return NULL;
	}
	free(c->api->spare);
	c->api->spare = call;
	c->call = NULL;
	api_unmute(c);
	return c;
}

void
api_unmute(struct api_conn *c)
{
	if (!c->muted || c->call != NULL || c->held != NULL)
		return;
	c->muted = false;
	(void)loop_fd_set(c->api->k->loop, c->fd, true, false);
}

/* A sentence for whoever breaks the rules, and the end. */
static void
refuse(struct api_conn *c, int result, const char *text)
{
	api_fail(c, 0, 0, result, text);
	c->gone = true;
}

static void
on_message(struct api_conn *c, uint8_t *msg, size_t n)
{
	struct clv_api_header h = {0};
	struct clv_rd body;

	if (n > CLV_API_MSG_MAX) {
		refuse(c, CLV_E_FULL, "a message is 65536 bytes at most");
		return;
	}
	if (n >= sizeof(h))
		memcpy(&h, msg, sizeof(h));
	if (h.magic != CLV_API_MAGIC || h.len != n - sizeof(h) ||
	    h.result != 0) {
		refuse(c, CLV_E_PROTOCOL,
		    "this is no message of clavigerd's local API");
		return;
	}
	clv_rd_init(&body, msg + sizeof(h), h.len);
	api_dispatch(c, &h, &body);
}

static void
on_readable(struct api_conn *c)
{
	static uint8_t msg[CLV_API_MSG_MAX + 1];
	struct iovec iov = {msg, sizeof(msg)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (c->call != NULL ||
	    c->held != NULL) { /* later, unless it hangs up */
		c->gone = recv(c->fd, msg, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
		c->muted = !c->gone;
		if (c->muted)
			(void)loop_fd_set(c->api->k->loop, c->fd, false, false);
		return;
	}
	n = recvmsg(c->fd, &m, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		c->gone = true;
		return;
	}
	if ((m.msg_flags & MSG_CTRUNC) != 0) /* the kernel has closed them */
		refuse(c, CLV_E_PROTOCOL, "no descriptors are taken here");
	else
		on_message(c, msg, (size_t)n);
	sodium_memzero(msg, (size_t)n);
}

static void
on_conn(void *arg, int fd, bool readable, bool writable)
{
	struct api_conn *c = arg;

	if (!c->gone)
		on_readable(c);
	if (c->gone)
		conn_free(c);
}

static unsigned
count_of(const struct api *api, uid_t uid)
{
	unsigned n = 0;

	for (const struct api_conn *c = api->conns; c != NULL; c = c->next)
		n += c->who.uid == uid;
	return n;
}

static bool
is_full(const struct api *api, uid_t uid)
{
	if (uid == 0)
		return api->count >= API_CONNS_MAX;
	return api->count >= API_CONNS_MAX - API_CONNS_ROOT ||
	       count_of(api, uid) >= API_CONNS_USER_MAX;
}

/* A sentence for whoever finds no place. */
static void
turn_away(struct api_conn *c, int result, const char *text)
{
	api_fail(c, 0, 0, result, text);
	close(c->fd);
	auth_caller_fini(&c->who);
	free(c);
}

static void
on_accept(void *arg, int listener, bool readable, bool writable)
{
	struct api *api = arg;
	int fd =
	    accept4(api->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct api_conn *c;
	int r;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		close(fd);
		return;
	}
	c->api = api;
	c->fd = fd;
	r = auth_caller_get(fd, &c->who);
	if (r != CLV_OK) {
		turn_away(c, r, "the caller's groups cannot be read");
		return;
	}
	if (is_full(api, c->who.uid)) {
		turn_away(c, CLV_E_BUSY,
		    "too many connections to clavigerd: close some");
		return;
	}
	if (loop_fd_add(api->k->loop, fd, true, false, on_conn, c) != CLV_OK) {
		turn_away(c, CLV_E_SYSTEM, NULL);
		return;
	}
	c->next = api->conns;
	c->link = &api->conns;
	if (c->next != NULL)
		c->next->link = &c->next;
	api->conns = c;
	api->count++;
}

/* Those whose sending failed outside of their own event. */
static void
sweep(struct api *api)
{
	struct api_conn *c, *next;

	for (c = api->conns; c != NULL; c = next) {
		next = c->next;
		if (c->gone)
			conn_free(c);
	}
}

static struct api_told
to_tell(struct keeper *k)
{
	char why[256];

	return (struct api_told){.state = (int)k->member->state,
	    .generation = k->member->generation,
	    .epoch = member_epoch(k),
	    .may_encrypt = member_may_write(k->member, why) == CLV_OK};
}

void
api_on_change(struct keeper *k)
{
	struct api *api = k->api;
	struct api_told now;
	struct clv_buf b;

	if (api == NULL || k->member == NULL)
		return;
	now = to_tell(k);
	if (now.may_encrypt)
		api_hold_end(api);
	if (now.state == api->told.state &&
	    now.generation == api->told.generation &&
	    now.epoch == api->told.epoch &&
	    now.may_encrypt == api->told.may_encrypt)
		return;
	api->told = now;
	clv_buf_init(&b);
	member_status(k->member, &b);
	for (struct api_conn *c = api->conns; c != NULL; c = c->next)
		if (c->subscribed && clv_buf_result(&b) == CLV_OK)
			api_send(c, CLV_API_EVENT, 0, CLV_OK, b.data, b.len,
			    NULL, 0);
	clv_buf_fini(&b);
}

int
api_init(struct keeper *k, int api_fd, int credentials_fd)
{
	struct api *api;
	int r;

	if (api_fd < 0)
		return CLV_OK;
	api = calloc(1, sizeof(*api));
	if (api == NULL)
		return CLV_E_NOMEM;
	k->api = api;
	api->k = k;
	api->listen_fd = api_fd;
	api->credentials_fd = credentials_fd;
	r = loop_fd_add(k->loop, api_fd, true, false, on_accept, api);
	if (r == CLV_OK)
		r = api_credentials_init(api);
	return r;
}

void
api_fini(struct keeper *k)
{
	struct api *api = k->api;

	if (api == NULL)
		return;
	sweep(api);
	while (api->conns != NULL)
		conn_free(api->conns);
	api_credentials_fini(api);
	free(api->spare);
	loop_timer_del(api->k->loop, &api->hold);
	loop_fd_del(k->loop, api->listen_fd);
	free(api);
	k->api = NULL;
}
