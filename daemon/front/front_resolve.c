/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/front_uplink.h"

/*
 * getaddrinfo() blocks for as long as a dead name server likes. So it runs in
 * a thread, which is made when the first name has to be looked up.
 */
enum { MAIL_QUESTION = 1, MAIL_ANSWER = 2 };

struct resolver {
	struct front *front;
	struct front_worker *worker;
	resolve_fn fn;
	void *arg;
	uint64_t serial; /* of the question that counts, */
	char host[254];	 /* and that */
	uint16_t port;
	bool busy;  /* the thread has one, */
	bool again; /* which is not the one that counts */
};

static void
collect(const struct addrinfo *list, struct resolve_answer *ret)
{
	const struct addrinfo *a;

	for (a = list; a != NULL && ret->n < RESOLVE_ADDRESSES_MAX;
	     a = a->ai_next) {
		if (a->ai_addrlen > sizeof(ret->address[0]))
			continue;
		memcpy(&ret->address[ret->n], a->ai_addr, a->ai_addrlen);
		ret->len[ret->n++] = a->ai_addrlen;
	}
}

/* In a thread, or with AI_NUMERICHOST in the loop. */
static void
look_up(const char *host, uint16_t port, int flags, struct resolve_answer *ret)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char service[8];
	int r;

	memset(ret, 0, sizeof(*ret));
	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r == 0) {
		collect(list, ret);
		freeaddrinfo(list);
		return;
	}
	ret->result = CLV_E_NOT_FOUND;
	snprintf(ret->why, sizeof(ret->why),
	    "the name %.150s does not resolve: %.60s", host,
	    r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
}

/* ---- in the thread ---- */

static void
answer(struct front_worker *w, const struct clv_buf *question)
{
	struct resolve_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	uint64_t serial;
	char host[254];
	uint16_t port;

	clv_rd_init(&rd, question->data, question->len);
	serial = clv_rd_u64(&rd);
	port = clv_rd_u16(&rd);
	clv_rd_str(&rd, host, sizeof(host));
	look_up(host, port, 0, &a);
	clv_buf_init(&b);
	clv_buf_u64(&b, serial);
	clv_buf_raw(&b, &a, sizeof(a));
	front_mail_put(w->out, MAIL_ANSWER, &b, true);
	clv_buf_fini(&b);
}

static void *
run(void *arg)
{
	struct front_worker *w = arg;
	struct clv_buf question;
	unsigned type;

	front_mail_accept(w->in, true);
	for (;;) {
		front_mail_wait(w->in);
		while (front_mail_get(w->in, &type, &question)) {
			answer(w, &question);
			clv_buf_fini(&question);
		}
	}
	return NULL;
}

/* ---- in the loop ---- */

static int put_question(struct resolver *r);

static void
on_mail(void *arg, unsigned type, struct clv_buf *body)
{
	struct resolver *r = arg;
	struct resolve_answer a;
	struct clv_rd rd;
	uint64_t serial;

	clv_rd_init(&rd, body->data, body->len);
	serial = clv_rd_u64(&rd);
	clv_rd_copy(&rd, &a, sizeof(a));
	r->busy = false;
	if (r->again)
		put_question(r);
	if (clv_rd_end(&rd) == CLV_OK && serial == r->serial)
		r->fn(r->arg, &a);
}

int
resolver_new(struct front *f, resolve_fn fn, void *arg, struct resolver **ret)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return CLV_E_NOMEM;
	*r = (struct resolver){.front = f, .fn = fn, .arg = arg};
	*ret = r;
	return CLV_OK;
}

static int
start_worker(struct resolver *r)
{
	int res;

	if (r->worker != NULL)
		return CLV_OK;
	res = front_worker_start(r->front, run, on_mail, r, &r->worker);
	/* Before the thread says so itself. */
	if (res == CLV_OK)
		front_mail_accept(r->worker->in, true);
	return res;
}

static int
put_question(struct resolver *r)
{
	struct clv_buf b;
	int res;

	r->again = r->busy;
	if (r->busy)
		return CLV_OK;
	if ((res = start_worker(r)) != CLV_OK)
		return res;
	clv_buf_init(&b);
	clv_buf_u64(&b, r->serial);
	clv_buf_u16(&b, r->port);
	clv_buf_str(&b, r->host);
	res = front_mail_put(r->worker->in, MAIL_QUESTION, &b, false);
	r->busy = res == CLV_OK;
	clv_buf_fini(&b);
	return res;
}

/* Its thread, once there is one, lives as long as the process. */
void
resolver_free(struct resolver **r)
{
	if (*r != NULL && (*r)->worker == NULL)
		free(*r);
	*r = NULL;
}

int
resolve_connect(const struct resolve_answer *a, unsigned at)
{
	const struct sockaddr *sa = (const void *)&a->address[at];
	int fd, on = 1, error;

	fd = socket(
	    sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, sa, a->len[at]) == 0 || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
resolver_ask(struct resolver *r, const char *host, uint16_t port)
{
	struct resolve_answer a;

	r->serial++;
	snprintf(r->host, sizeof(r->host), "%s", host);
	r->port = port;
	look_up(host, port, AI_NUMERICHOST, &a);
	if (a.result != CLV_OK)
		return put_question(r);
	r->fn(r->arg, &a);
	return CLV_OK;
}
