/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/front.h"
#include "daemon/base/log.h"

#define MAIL_MAX 1024

struct item {
	struct item *next;
	unsigned type;
	struct clv_buf body;
};

struct front_mail {
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct item *head;
	struct item **tail;
	size_t n;
	size_t max;
	bool accept;
	int event;
};

int
front_mail_new(size_t max, struct front_mail **ret)
{
	struct front_mail *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return CLV_E_NOMEM;
	m->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->event < 0) {
		free(m);
		return CLV_E_SYSTEM;
	}
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->room, NULL);
	m->tail = &m->head;
	m->max = max;
	m->accept = true;
	*ret = m;
	return CLV_OK;
}

void
front_mail_free(struct front_mail **mail)
{
	struct front_mail *m = *mail;
	struct clv_buf body;
	unsigned type;

	*mail = NULL;
	if (m == NULL)
		return;
	while (front_mail_get(m, &type, &body))
		clv_buf_fini(&body);
	close(m->event);
	pthread_cond_destroy(&m->room);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

int
front_mail_fd(const struct front_mail *m)
{
	return m->event;
}

void
front_mail_wait(const struct front_mail *m)
{
	struct pollfd p = {.fd = m->event, .events = POLLIN};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		continue;
}

static int
append(struct front_mail *m, unsigned type, struct clv_buf *body)
{
	const uint64_t one = 1;
	struct item *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return CLV_E_NOMEM;
	i->type = type;
	i->body = *body;
	clv_buf_init(body); /* transferred */
	*m->tail = i;
	m->tail = &i->next;
	if (m->n++ == 0 && write(m->event, &one, sizeof(one)) < 0)
		return CLV_E_SYSTEM; /* cannot be: the counter was zero */
	return CLV_OK;
}

int
front_mail_put(
    struct front_mail *m, unsigned type, struct clv_buf *body, bool wait)
{
	int r;

	if ((r = clv_buf_result(body)) != CLV_OK)
		return r;
	pthread_mutex_lock(&m->lock);
	while (wait && m->accept && m->n >= m->max)
		pthread_cond_wait(&m->room, &m->lock);
	if (!m->accept)
		r = CLV_E_NO_SERVER;
	else if (m->n >= m->max)
		r = CLV_E_FULL;
	else
		r = append(m, type, body);
	pthread_mutex_unlock(&m->lock);
	return r;
}

bool
front_mail_get(
    struct front_mail *m, unsigned *ret_type, struct clv_buf *ret_body)
{
	struct item *i;
	uint64_t count;

	pthread_mutex_lock(&m->lock);
	if ((i = m->head) != NULL) {
		if ((m->head = i->next) == NULL)
			m->tail = &m->head;
		if (--m->n == 0)
			(void)!read(m->event, &count, sizeof(count));
		pthread_cond_signal(&m->room);
	}
	pthread_mutex_unlock(&m->lock);
	if (i == NULL)
		return false;
	*ret_type = i->type;
	*ret_body = i->body;
	free(i);
	return true;
}

void
front_mail_accept(struct front_mail *m, bool accept)
{
	pthread_mutex_lock(&m->lock);
	m->accept = accept;
	pthread_mutex_unlock(&m->lock);
}

static void
log_mail(const struct clv_buf *body)
{
	char text[300];
	struct clv_rd rd;
	bool warning;

	clv_rd_init(&rd, body->data, body->len);
	warning = clv_rd_u8(&rd) != 0;
	clv_rd_str(&rd, text, sizeof(text));
	if (clv_rd_end(&rd) != CLV_OK)
		return;
	if (warning)
		log_warning("%s", text);
	else
		log_notice("%s", text);
}

/* What the thread says goes to whom it is for, or into the log, which is not to
 * be written from two threads. */
static void
on_out(void *arg, int fd, bool readable, bool writable)
{
	struct front_worker *w = arg;
	struct clv_buf body;
	unsigned type;
	int i;

	for (i = 0; i < 64 && front_mail_get(w->out, &type, &body); i++) {
		if (type == FRONT_MAIL_LOG)
			log_mail(&body);
		else if (w->on_mail != NULL)
			w->on_mail(w->arg, type, &body);
		else
			front_send(w->front, (enum chan_type)type, &body);
		clv_buf_fini(&body);
	}
}

/* No signal is for this thread: the loop's are the loop's. */
static int
spawn(front_worker_fn fn, struct front_worker *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, fn, w);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error == 0 ? CLV_OK : CLV_E_SYSTEM;
}

int
front_worker_start(struct front *f, front_worker_fn fn, front_mail_fn on_mail,
    void *arg, struct front_worker **ret)
{
	struct front_worker *w = calloc(1, sizeof(*w));
	int r = CLV_E_NOMEM;

	if (w == NULL)
		return r;
	w->front = f;
	w->on_mail = on_mail;
	w->arg = arg;
	if ((r = front_mail_new(MAIL_MAX, &w->in)) != CLV_OK ||
	    (r = front_mail_new(MAIL_MAX, &w->out)) != CLV_OK)
		goto fail;
	front_mail_accept(w->in, false); /* until the thread wants some */
	if ((r = loop_fd_add(f->loop, front_mail_fd(w->out), true, false,
		 on_out, w)) != CLV_OK)
		goto fail;
	*ret = w;
	if ((r = spawn(fn, w)) == CLV_OK)
		return CLV_OK;
	loop_fd_del(f->loop, front_mail_fd(w->out));
fail:
	front_mail_free(&w->in);
	front_mail_free(&w->out);
	free(w);
	return r;
}

void
front_worker_log(struct front_worker *w, bool warning, const char *fmt, ...)
{
	struct clv_buf body;
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clv_buf_init(&body);
	clv_buf_u8(&body, warning);
	clv_buf_str(&body, text);
	front_mail_put(w->out, FRONT_MAIL_LOG, &body, true);
	clv_buf_fini(&body);
}
