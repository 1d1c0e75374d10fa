/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serverbench.h"

static const uint8_t beat[BEAT_LEN];
static SSL_CTX *tls;
static int set = -1;

uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
step_begin(struct link *l)
{
	l->out = beat;
	l->out_len = sizeof(beat);
	if (l->steps[l->at] == STEP_FETCH) {
		l->out = l->party->fetch.data;
		l->out_len = l->party->fetch.len;
	} else if (l->steps[l->at] == STEP_HEADS) {
		l->out = l->party->heads.data;
		l->out_len = l->party->heads.len;
	} else if (l->steps[l->at] == STEP_RENEW) {
		l->out = l->party->renew.data;
		l->out_len = l->party->renew.len;
	} else if (l->steps[l->at] == STEP_APPS) {
		l->out = l->party->apps.data;
		l->out_len = l->party->apps.len;
	} else if (l->steps[l->at] == STEP_HTTP) {
		l->out = l->target->http.data;
		l->out_len = l->target->http.len;
	}
	l->out_done = 0;
	l->got = 0;
	l->state = LINK_WRITE;
}

static void
lost(struct link *l)
{
	link_close(l);
	if (l->on_lost == NULL)
		errx(1, "a connection was lost in step %u: %s", l->at,
		    strerror(errno));
	l->on_lost(l);
}

static void
watch(struct link *l, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data = {.ptr = l}};

	if (epoll_ctl(set, op, l->fd, &e) != 0)
		err(1, "epoll_ctl");
}

void
link_open(struct link *l)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = l->from};
	int on = 1;

	if (set < 0)
		set = epoll_create1(0);
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		err(1, "socket");
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (l->from.s_addr != 0 &&
	    bind(l->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		err(1, "bind");
	l->at = 0;
	l->state = LINK_CONNECT;
	if (connect(l->fd, (const struct sockaddr *)&l->target->to,
		sizeof(l->target->to)) != 0 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	watch(l, EPOLL_CTL_ADD, EPOLLOUT);
}

void
link_close(struct link *l)
{
	const struct linger reset = {1, 0};

	SSL_free(l->ssl);
	l->ssl = NULL;
	if (l->fd >= 0) {
		setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(l->fd);
	}
	l->fd = -1;
	l->state = LINK_CLOSED;
}

void
link_again(struct link *l)
{
	l->at = 0;
	step_begin(l);
	watch(l, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

void
link_beat(struct link *l)
{
	size_t n;

	if (l->state == LINK_IDLE &&
	    SSL_write_ex(l->ssl, beat, sizeof(beat), &n) != 1)
		lost(l);
}

static void
handshake_begin(struct link *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		errno = error;
		lost(l);
		return;
	}
	if (l->target->system == NULL) {
		step_begin(l);
		return;
	}
	if (tls == NULL)
		tls = bench_tls(false);
	l->ssl = SSL_new(tls);
	if (l->ssl == NULL ||
	    SSL_use_certificate(l->ssl, l->party->cert) != 1 ||
	    SSL_use_PrivateKey(l->ssl, l->party->key) != 1 ||
	    SSL_set_fd(l->ssl, l->fd) != 1)
		errx(1, "SSL_new");
	SSL_set_connect_state(l->ssl);
	l->state = LINK_HANDSHAKE;
}

/* 1 done, 0 later, -1 lost */
static int
transfer(struct link *l, bool write, void *p, size_t len, size_t *ret_n)
{
	ssize_t n;
	int r;

	if (l->ssl == NULL) {
		n = write ? send(l->fd, p, len, MSG_NOSIGNAL)
			  : recv(l->fd, p, len, 0);
		*ret_n = n > 0 ? (size_t)n : 0;
		return n > 0 ? 1 : n < 0 && errno == EAGAIN ? 0 : -1;
	}
	r = write ? SSL_write_ex(l->ssl, p, len, ret_n)
		  : SSL_read_ex(l->ssl, p, len, ret_n);
	if (r == 1)
		return 1;
	r = SSL_get_error(l->ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Bytes of the answer that begins in in[], 0: not known yet. */
static size_t
answer_size(const struct link *l)
{
	const char *text = (const char *)l->in, *end, *field;
	uint32_t len;

	if (l->target->system != NULL) {
		if (l->got < sizeof(len))
			return 0;
		memcpy(&len, l->in, sizeof(len));
		return sizeof(len) + ntohl(len);
	}
	end = memmem(text, l->got, "\r\n\r\n", 4);
	if (end == NULL)
		return 0;
	field = memmem(text, l->got, "Content-Length: ", 16);
	if (memcmp(text, "HTTP/1.1 200", 12) != 0 || field == NULL)
		errx(1, "Tang: %.*s", (int)l->got, text);
	return (size_t)(end + 4 - text) + strtoul(field + 16, NULL, 10);
}

/* Or a notice, or the answer to a heartbeat between two steps. */
static bool
is_answer(const struct link *l, size_t size)
{
	if (l->state != LINK_READ)
		return false;
	if (l->target->system == NULL)
		return true;
	if (size == BEAT_LEN)
		return l->steps[l->at] == STEP_BEAT;
	return clv_wire_answer_op(l->in + 4, size - 4) != CLV_WIRE_NOTICE;
}

static void
step_end(struct link *l, size_t size)
{
	if (l->steps[l->at] == STEP_FETCH) {
		if (l->fetch_len != 0 && l->fetch_len != size)
			errx(1, "answers of %zu and %zu bytes", l->fetch_len,
			    size);
		l->fetch_len = size;
		if (l->check)
			system_check(
			    l->target->system, l->party, l->in + 4, size - 4);
		l->check = false;
	}
	if (l->steps[l->at] == STEP_RENEW && l->check) {
		system_check_renewal(
		    l->target->system, l->party, l->in + 4, size - 4);
		l->check = false;
	}
	if (l->steps[l->at] == STEP_APPS)
		l->t[1] = now_us();
	l->got = 0;
	if (++l->at < l->n_steps) {
		step_begin(l);
		return;
	}
	l->state = LINK_IDLE;
	l->count++;
	l->on_done(l);
}

/* One more answer is there, or a part of it; false: wait. */
static bool
take(struct link *l)
{
	size_t n, size;
	int r;

	r = transfer(l, false, l->in + l->got, sizeof(l->in) - l->got, &n);
	if (r < 0)
		lost(l);
	if (r <= 0)
		return false;
	l->got += n;
	while ((size = answer_size(l)) != 0 && l->got >= size) {
		if (is_answer(l, size)) {
			step_end(l, size);
			return l->state != LINK_CLOSED;
		}
		if (size > BEAT_LEN && l->on_notice != NULL)
			l->on_notice(l);
		memmove(l->in, l->in + size, l->got - size);
		l->got -= size;
	}
	return l->state != LINK_CLOSED;
}

static bool
give(struct link *l)
{
	size_t n;
	int r = transfer(l, true, (void *)(uintptr_t)(l->out + l->out_done),
	    l->out_len - l->out_done, &n);

	if (r < 0)
		lost(l);
	if (r <= 0)
		return false;
	l->out_done += n;
	if (l->out_done == l->out_len) {
		l->state = LINK_READ;
		watch(l, EPOLL_CTL_MOD, EPOLLIN);
		return false;
	}
	return true;
}

static bool
shake(struct link *l)
{
	int r = SSL_do_handshake(l->ssl);

	if (r == 1) {
		step_begin(l);
		return true;
	}
	r = SSL_get_error(l->ssl, r);
	if (r != SSL_ERROR_WANT_READ && r != SSL_ERROR_WANT_WRITE)
		lost(l);
	else
		watch(l, EPOLL_CTL_MOD,
		    r == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
	return false;
}

static bool
step(struct link *l)
{
	switch (l->state) {
	case LINK_CONNECT: handshake_begin(l); return l->state != LINK_CLOSED;
	case LINK_HANDSHAKE: return shake(l);
	case LINK_WRITE: return give(l);
	case LINK_READ:
	case LINK_IDLE: return take(l);
	case LINK_CLOSED: return false;
	}
	return false;
}

void
links_run(unsigned wait_ms)
{
	struct epoll_event e[64];
	int n = epoll_wait(set, e, 64, (int)wait_ms);

	for (int i = 0; i < n; i++)
		while (step(e[i].data.ptr))
			;
}
