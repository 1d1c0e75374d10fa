/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <sodium.h>

#include <claviger/buf.h>
#include <claviger/result.h>
#include "daemon/base/chan.h"

/*
 * A fragment is one packet: u32 type, u32 length of the message, u32 offset of
 * this part, then the part, which is empty only in an empty message. Memory
 * for a message grows with what has come, not with what was announced.
 */
#define HEAD_LEN 12
#define PART_MAX (CHAN_FRAGMENT - HEAD_LEN)
#define READ_BURST 64
#define IN_KEPT 65536
#define QUEUE_MAX ((size_t)64 << 20)

struct out {
	struct out *next;
	uint32_t type;
	size_t len;
	size_t sent;
	bool begun; /* an empty message has no byte that shows it */
	uint8_t data[];
};

struct chan {
	int fd;
	chan_fn fn;
	void *arg;
	struct out *head;
	struct out **tail;
	size_t queued;
	bool receiving;
	uint32_t in_type;
	size_t in_len;
	struct clv_buf in;
	uint8_t packet[CHAN_FRAGMENT];
};

int
chan_new(int fd, chan_fn fn, void *arg, struct chan **ret)
{
	struct chan *c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return CLV_E_NOMEM;
	}
	c->fd = fd;
	c->fn = fn;
	c->arg = arg;
	c->tail = &c->head;
	clv_buf_init(&c->in);
	c->in.max = CHAN_MESSAGE_MAX;
	*ret = c;
	return CLV_OK;
}

static void
out_free(struct out *o)
{
	sodium_memzero(o->data, o->len);
	free(o);
}

void
chan_free(struct chan **chan)
{
	struct chan *c = *chan;
	struct out *o;

	if (c == NULL)
		return;
	while ((o = c->head) != NULL) {
		c->head = o->next;
		out_free(o);
	}
	clv_buf_fini(&c->in);
	sodium_memzero(c->packet, sizeof(c->packet));
	close(c->fd);
	free(c);
	*chan = NULL;
}

int
chan_fd(const struct chan *c)
{
	return c->fd;
}

bool
chan_wants_write(const struct chan *c)
{
	return c->head != NULL;
}

size_t
chan_queued(const struct chan *c)
{
	return c->queued;
}

static void
put_u32(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static int
io_result(void)
{
	switch (errno) {
	case EAGAIN: return CLV_E_AGAIN;
	case EPIPE:
	case ECONNRESET: return CLV_E_NO_SERVER;
	default: return CLV_E_SYSTEM;
	}
}

static int
send_part(int fd, struct out *o)
{
	uint8_t head[HEAD_LEN];
	size_t part = o->len - o->sent;
	struct iovec iov[2] = {{head, HEAD_LEN}, {o->data + o->sent, 0}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	if (part > PART_MAX)
		part = PART_MAX;
	iov[1].iov_len = part;
	put_u32(head, o->type);
	put_u32(head + 4, o->len);
	put_u32(head + 8, o->sent);
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return io_result();
	o->sent += part;
	o->begun = true;
	return CLV_OK;
}

int
chan_on_write(struct chan *c)
{
	struct out *o;
	int rc;

	while ((o = c->head) != NULL) {
		while (!o->begun || o->sent < o->len) {
			if ((rc = send_part(c->fd, o)) == CLV_E_AGAIN)
				return CLV_OK;
			if (rc != CLV_OK)
				return rc;
		}
		c->queued -= o->len;
		if ((c->head = o->next) == NULL)
			c->tail = &c->head;
		out_free(o);
	}
	return CLV_OK;
}

int
chan_send(struct chan *c, enum chan_type type, const struct clv_buf *body)
{
	struct out *o;
	int rc;

	if ((rc = clv_buf_result(body)) != CLV_OK)
		return rc;
	if (body->len > CHAN_MESSAGE_MAX || c->queued + body->len > QUEUE_MAX)
		return CLV_E_FULL;
	if ((o = malloc(sizeof(*o) + body->len)) == NULL)
		return CLV_E_NOMEM;
	*o = (struct out){.type = (uint32_t)type, .len = body->len};
	if (body->len > 0)
		memcpy(o->data, body->data, body->len);
	*c->tail = o;
	c->tail = &o->next;
	c->queued += o->len;
	/* Behind another one it waits for the descriptor, in its turn. */
	return c->head == o ? chan_on_write(c) : CLV_OK;
}

/* The first fragment says what comes; each later one must agree. */
static int
accept_part(struct chan *c, struct clv_rd *rd)
{
	uint32_t type = clv_rd_u32(rd);
	size_t len = clv_rd_u32(rd);
	size_t offset = clv_rd_u32(rd);

	if (rd->failed || len > CHAN_MESSAGE_MAX)
		return CLV_E_PROTOCOL;
	if (!c->receiving) {
		c->in_type = type;
		c->in_len = len;
		c->receiving = true;
	}
	if (type != c->in_type || len != c->in_len || offset != c->in.len ||
	    rd->len > len - offset || (rd->len == 0 && len > 0))
		return CLV_E_PROTOCOL;
	clv_buf_raw(&c->in, rd->p, rd->len);
	return clv_buf_result(&c->in);
}

static void
deliver(struct chan *c)
{
	struct clv_rd body;

	c->receiving = false;
	clv_rd_init(&body, c->in.data, c->in.len);
	c->fn(c->arg, (enum chan_type)c->in_type, &body);
	if (c->in.cap > IN_KEPT) { /* or each later one wipes all of it */
		clv_buf_fini(&c->in);
		c->in.max = CHAN_MESSAGE_MAX;
	}
	clv_buf_reset(&c->in);
}

/* One packet. A descriptor that comes along is dropped by the kernel, because
 * there is no room for it, and MSG_CTRUNC tells. */
static int
receive_packet(struct chan *c, size_t *ret_len)
{
	struct iovec iov = {c->packet, sizeof(c->packet)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return io_result();
	if (n == 0)
		return CLV_E_NO_SERVER;
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return CLV_E_PROTOCOL;
	*ret_len = (size_t)n;
	return CLV_OK;
}

int
chan_on_read(struct chan *c)
{
	struct clv_rd rd;
	size_t len = 0;
	int i, rc = CLV_OK;

	for (i = 0; i < READ_BURST && rc == CLV_OK; i++) {
		if ((rc = receive_packet(c, &len)) != CLV_OK)
			break;
		clv_rd_init(&rd, c->packet, len);
		rc = accept_part(c, &rd);
		sodium_memzero(c->packet, len);
		if (rc == CLV_OK && c->in.len == c->in_len)
			deliver(c);
	}
	return rc == CLV_E_AGAIN ? CLV_OK : rc;
}
