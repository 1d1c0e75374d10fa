/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "client.h"

/* The connection: one question, one answer, and events in between. */

#define TIMEOUT_MS 30000
#define AGAIN_MS 100 /* between two tries to connect */

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int
clv__client_fail(struct clv_client *c, int result, const char *text)
{
	snprintf(c->text, sizeof(c->text), "%s",
	    text != NULL ? text : clv_result_text(result));
	return result;
}

static void
disconnect(struct clv_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->subscribed = false;
}

static int
set_timeouts(int fd, unsigned timeout_ms)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000,
	    .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
		return CLV_E_SYSTEM;
	return CLV_OK;
}

/* Whoever could have made a socket of that name must not get our secrets. */
static int
check_peer(struct clv_client *c)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &u, &len) != 0 ||
	    len != sizeof(u))
		return clv__client_fail(c, CLV_E_SYSTEM, NULL);
	if (u.uid != 0 && u.uid != geteuid())
		return clv__client_fail(c, CLV_E_PERMISSION,
		    "the socket of clavigerd does not belong to root");
	return CLV_OK;
}

static int
connect_now(struct clv_client *c)
{
	int r;

	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return clv__client_fail(c, CLV_E_SYSTEM, strerror(errno));
	r = set_timeouts(c->fd, c->timeout_ms);
	if (r == CLV_OK && connect(c->fd, (const struct sockaddr *)&c->address,
			       sizeof(c->address)) != 0) {
		char text[256];

		snprintf(text, sizeof(text),
		    "clavigerd does not answer on %s: %s: is it running?",
		    c->address.sun_path, strerror(errno));
		r = clv__client_fail(c, CLV_E_NO_SERVER, text);
	}
	if (r == CLV_OK)
		r = check_peer(c);
	if (r != CLV_OK)
		disconnect(c);
	return r;
}

int
clv_client_open(const char *path, struct clv_client **ret)
{
	struct clv_client *c;
	int r;

	if (path == NULL)
		path = CLV_API_SOCKET;
	if (strlen(path) >= sizeof(c->address.sun_path))
		return CLV_E_INVALID;
	if (sodium_init() < 0)
		return CLV_E_SYSTEM;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return CLV_E_NOMEM;
	c->fd = -1;
	c->timeout_ms = TIMEOUT_MS;
	c->address.sun_family = AF_UNIX;
	memcpy(c->address.sun_path, path, strlen(path) + 1);
	r = connect_now(c);
	if (r == CLV_OK)
		*ret = c;
	else
		clv_client_close(&c);
	return r;
}

void
clv_client_close(struct clv_client **client)
{
	struct clv_client *c = *client;

	*client = NULL;
	if (c == NULL)
		return;
	disconnect(c);
	clv__client_end(c);
	free(c);
}

int
clv_client_timeout(struct clv_client *c, unsigned timeout_ms)
{
	c->timeout_ms = timeout_ms > 0 ? timeout_ms : 1;
	return c->fd < 0 ? CLV_OK : set_timeouts(c->fd, c->timeout_ms);
}

const char *
clv_client_text(const struct clv_client *c)
{
	return c->text;
}

int
clv_client_fd(const struct clv_client *c)
{
	return c->fd;
}

void
clv__client_begin(struct clv_client *c, struct clv_buf *b)
{
	*b = (struct clv_buf){
	    .data = c->msg.body, .cap = CLV__BODY_MAX, .max = CLV__BODY_MAX};
}

void
clv__client_end(struct clv_client *c)
{
	sodium_memzero(&c->msg, c->used);
	c->used = 0;
}

static int
lost(struct clv_client *c, bool timed_out)
{
	disconnect(c);
	if (timed_out)
		return clv__client_fail(
		    c, CLV_E_TIMEOUT, "clavigerd did not answer in time");
	return clv__client_fail(
	    c, CLV_E_NO_SERVER, "clavigerd closed the connection");
}

static bool
is_timeout(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* The next message: its body to *rd. */
static int
receive(struct clv_client *c, struct clv_rd *rd)
{
	bool was_reset = false;
	ssize_t n;

	for (;;) {
		n = recv(c->fd, &c->msg, sizeof(c->msg), 0);
		if (n >= 0 || (errno != EINTR && errno != ECONNRESET) ||
		    (errno == ECONNRESET && was_reset))
			break;
		/* What was said before the end is still there. */
		was_reset = was_reset || errno == ECONNRESET;
	}
	if (n <= 0)
		return lost(c, n < 0 && is_timeout());
	if ((size_t)n > c->used)
		c->used = (size_t)n;
	if ((size_t)n < sizeof(c->msg.head) ||
	    c->msg.head.magic != CLV_API_MAGIC ||
	    c->msg.head.len != (size_t)n - sizeof(c->msg.head)) {
		disconnect(c);
		return clv__client_fail(c, CLV_E_PROTOCOL, NULL);
	}
	clv_rd_init(rd, c->msg.body, c->msg.head.len);
	return CLV_OK;
}

int
clv__client_read_status(struct clv_rd *rd, struct clv_client_status *ret)
{
	uint8_t state;

	memset(ret, 0, sizeof(*ret));
	state = clv_rd_u8(rd);
	ret->state = (enum clv_member_state)state;
	ret->age_ms = clv_rd_u64(rd);
	ret->generation = clv_rd_u32(rd);
	ret->epoch = clv_rd_u64(rd);
	ret->list_version = clv_rd_u64(rd);
	ret->may_encrypt = clv_rd_u8(rd) != 0;
	clv_rd_str(rd, ret->why, sizeof(ret->why));
	ret->database_up = clv_rd_u8(rd) != 0;
	ret->is_server_node = clv_rd_u8(rd) != 0;
	if (clv_rd_end(rd) != CLV_OK || state > CLV_MEMBER_EXPIRED)
		return CLV_E_PROTOCOL;
	return CLV_OK;
}

static void
keep_event(struct clv_client *c, struct clv_rd *rd)
{
	struct clv_client_status s;

	if (clv__client_read_status(rd, &s) != CLV_OK)
		return;
	c->event = s;
	c->has_event = true;
}

static int
read_failure(struct clv_client *c, struct clv_rd *rd)
{
	int result = c->msg.head.result;
	char text[sizeof(c->text)];

	clv_rd_str(rd, text, sizeof(text));
	if (clv_rd_end(rd) != CLV_OK)
		text[0] = '\0';
	return clv__client_fail(c,
	    result > CLV_E_LAST && result < 0 ? result : CLV_E_PROTOCOL,
	    text[0] != '\0' ? text : NULL);
}

int
clv__client_call(struct clv_client *c, enum clv_api_op op, unsigned flags,
    const struct clv_buf *b, struct clv_rd *rd)
{
	size_t len = sizeof(c->msg.head) + b->len;
	int r;

	c->used = len > c->used ? len : c->used;
	c->sent = false;
	if (b->failed)
		return clv__client_fail(c, CLV_E_FULL, NULL);
	if (c->fd < 0 && (r = connect_now(c)) != CLV_OK)
		return r;
	c->msg.head = (struct clv_api_header){.magic = CLV_API_MAGIC,
	    .op = (uint16_t)op,
	    .flags = (uint16_t)flags,
	    .len = (uint32_t)b->len,
	    .id = ++c->id};
	c->sent = send(c->fd, &c->msg, len, MSG_NOSIGNAL) == (ssize_t)len;
	if (!c->sent && errno != EPIPE) /* turned away: a sentence says why */
		return lost(c, is_timeout());
	while ((r = receive(c, rd)) == CLV_OK) {
		if (c->msg.head.op == CLV_API_EVENT) {
			keep_event(c, rd);
			continue;
		}
		if (c->msg.head.id == c->id || c->msg.head.id == 0)
			break;
	}
	if (r != CLV_OK)
		return r;
	if (c->msg.head.id == 0) { /* before it was read */
		c->sent = false;
		disconnect(c);
		return read_failure(c, rd);
	}
	return c->msg.head.result != CLV_OK ? read_failure(c, rd) : CLV_OK;
}

static void
pause_ms(unsigned ms)
{
	(void)poll(NULL, 0, (int)ms);
}

/* Over a new connection, while time is left. */
static int
call_again(struct clv_client *c, enum clv_api_op op, const struct clv_buf *b,
    uint64_t until, struct clv_rd *rd)
{
	unsigned timeout_ms = c->timeout_ms;
	uint64_t now = now_ms();
	struct clv_buf body;
	int r;

	pause_ms(AGAIN_MS);
	c->timeout_ms = until > now ? (unsigned)(until - now) : 1;
	clv__client_begin(c, &body);
	clv_buf_raw(&body, b->data, b->len);
	r = clv__client_call(c, op, 0, &body, rd);
	(void)clv_client_timeout(c, timeout_ms);
	return r;
}

int
clv__client_call_once(struct clv_client *c, enum clv_api_op op,
    const struct clv_buf *b, struct clv_rd *rd)
{
	uint64_t until = now_ms() + c->timeout_ms;
	struct clv_buf again;
	bool sent;
	int r;

	/* The answer overwrites the question. */
	clv_buf_init(&again);
	clv_buf_raw(&again, b->data, b->len);
	if (clv_buf_result(&again) != CLV_OK)
		return clv__client_fail(c, CLV_E_NOMEM, NULL);
	r = clv__client_call(c, op, 0, b, rd);
	sent = c->sent;
	while (r == CLV_E_NO_SERVER && now_ms() < until) {
		r = call_again(c, op, &again, until, rd);
		sent = sent || c->sent;
	}
	clv_buf_fini(&again);
	if (sent && (r == CLV_E_NO_SERVER || r == CLV_E_TIMEOUT))
		r = clv__client_fail(c, CLV_E_UNKNOWN,
		    "the connection to clavigerd broke: whether it was done "
		    "is not known");
	return r;
}

int
clv__client_read_all(struct clv_client *c, const struct clv_rd *rd)
{
	if (clv_rd_end(rd) == CLV_OK)
		return CLV_OK;
	return clv__client_fail(c, CLV_E_PROTOCOL,
	    "an answer that cannot be read: is clavigerd of this version?");
}

int
clv_client_next_event(
    struct clv_client *c, int timeout_ms, struct clv_client_status *ret)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	struct clv_rd rd;
	int r = CLV_OK;

	while (!c->has_event && r == CLV_OK) {
		if (c->fd < 0 || !c->subscribed)
			return clv__client_fail(c, CLV_E_NO_SERVER,
			    "there is no subscription: subscribe again");
		if (poll(&p, 1, timeout_ms) <= 0)
			return clv__client_fail(c, CLV_E_TIMEOUT, NULL);
		r = receive(c, &rd);
		if (r == CLV_OK && c->msg.head.op == CLV_API_EVENT)
			keep_event(c, &rd);
	}
	clv__client_end(c);
	if (r != CLV_OK)
		return r;
	c->has_event = false;
	*ret = c->event;
	return CLV_OK;
}
